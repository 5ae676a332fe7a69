//! The door of a meeting, and when it is over.
#![allow(clippy::unwrap_used)]

use jiff::Timestamp;
use parley_control_domain::{
    Bounds, ConsultationId, EndReason, MeetingRole, Participant, ParticipantId, ParticipantState, Party,
    Stay, StayId, Verdict, met_at, no_show_of, verdict,
};
use uuid::Uuid;

fn at(text: &str) -> Timestamp {
    format!("2026-12-01T{text}Z").parse().unwrap()
}

fn participant(state: ParticipantState) -> Participant {
    Participant {
        id: ParticipantId::from_uuid(Uuid::from_u128(1)),
        consultation_id: ConsultationId::from_uuid(Uuid::from_u128(2)),
        identity: "client".to_owned(),
        name: "Zoë".to_owned(),
        role: MeetingRole::Client,
        state,
        waiting_since: at("09:00:00"),
        admitted_at: None,
        device: None,
    }
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Enter,
    Admit,
    Decline,
    SendBack,
    Leave,
    Remove,
}

#[test]
fn every_state_at_the_door_against_every_step() {
    use ParticipantState::{Admitted, Declined, Left, Removed, Waiting};
    use Step::{Admit, Decline, Enter, Leave, Remove, SendBack};
    // Waiting, Admitted, Declined, Left, Removed: where each step leads; None is refused.
    let table = [
        (Enter, [Some(Waiting), Some(Admitted), Some(Waiting), Some(Waiting), None]),
        (Admit, [Some(Admitted), Some(Admitted), None, None, None]),
        (Decline, [Some(Declined), None, Some(Declined), None, None]),
        (SendBack, [Some(Waiting), Some(Waiting), None, None, None]),
        (Leave, [Some(Left), Some(Left), Some(Declined), Some(Left), Some(Removed)]),
        (Remove, [Some(Removed); 5]),
    ];
    for (step, expected) in table {
        for (from, to) in ParticipantState::ALL.into_iter().zip(expected) {
            let mut person = participant(from);
            let now = at("09:10:00");
            let done = match step {
                Enter => person.enter(now),
                Admit => person.admit(now),
                Decline => person.decline(),
                SendBack => person.send_back(now),
                Leave => {
                    person.leave();
                    Ok(())
                }
                Remove => {
                    person.remove();
                    Ok(())
                }
            };
            assert_eq!(done.is_ok().then_some(person.state), to, "{step:?} when {from}");
            if let Err(error) = done {
                assert_eq!(error.from, from);
                assert_eq!(person, participant(from), "a refused step changes nothing");
            }
        }
    }
}

#[test]
fn the_place_in_the_queue() {
    let mut person = participant(ParticipantState::Waiting);
    person.enter(at("09:05:00")).unwrap();
    assert_eq!(person.waiting_since, at("09:00:00"), "a page loaded again keeps its place");
    person.admit(at("09:06:00")).unwrap();
    assert_eq!(person.admitted_at, Some(at("09:06:00")));
    person.send_back(at("09:07:00")).unwrap();
    assert_eq!(person.waiting_since, at("09:07:00"), "back means behind the others");
    person.leave();
    person.enter(at("09:09:00")).unwrap();
    assert_eq!((person.state, person.waiting_since), (ParticipantState::Waiting, at("09:09:00")));
}

fn stay(role: MeetingRole, joined_at: &str, left_at: Option<&str>) -> Stay {
    Stay {
        id: StayId::from_uuid(Uuid::from_u128(3)),
        consultation_id: ConsultationId::from_uuid(Uuid::from_u128(2)),
        participant_id: None,
        identity: role.to_string(),
        name: String::new(),
        role,
        joined_at: at(joined_at),
        left_at: left_at.map(at),
        device: None,
        network: None,
    }
}

#[test]
fn two_have_met_when_they_were_there_together() {
    use MeetingRole::{Client, Guest, Provider};
    assert_eq!(met_at(&[]), None);
    assert_eq!(met_at(&[stay(Provider, "09:00:00", None)]), None);
    assert_eq!(met_at(&[stay(Provider, "09:00:00", None), stay(Guest, "09:01:00", None)]), None);
    // The one left before the other came.
    let missed = [stay(Provider, "09:00:00", Some("09:05:00")), stay(Client, "09:06:00", None)];
    assert_eq!(met_at(&missed), None);
    let mut met = missed.to_vec();
    met.push(stay(Provider, "09:08:00", Some("09:20:00")));
    assert_eq!(met_at(&met), Some(at("09:08:00")));
}

#[test]
fn when_a_meeting_is_over() {
    use MeetingRole::{Client, Provider};
    let bounds = Bounds { start: at("09:00:00"), end: at("09:30:00"), not_before: at("08:00:00") };
    let of = |stays: &[Stay], now: &str| verdict(stays, bounds, at(now));

    // Alone, nothing ends by itself, however late.
    assert_eq!(of(&[stay(Provider, "09:00:00", Some("09:40:00"))], "10:00:00"), Verdict::NotMet);

    let one_left = [stay(Provider, "09:00:00", None), stay(Client, "09:00:05", Some("09:10:00"))];
    assert_eq!(of(&one_left, "11:00:00"), Verdict::GoesOn);

    let both_left =
        [stay(Provider, "09:00:00", Some("09:10:30")), stay(Client, "09:00:05", Some("09:10:00"))];
    assert_eq!(of(&both_left, "09:11:29"), Verdict::EndsAt(at("09:11:30")));
    let abandoned = Verdict::Over { at: at("09:10:30"), reason: EndReason::Abandoned };
    assert_eq!(of(&both_left, "09:11:30"), abandoned);
    let mut back = both_left.to_vec();
    back.push(stay(Client, "09:11:00", None));
    assert_eq!(of(&back, "09:20:00"), Verdict::GoesOn);

    let after_the_end =
        [stay(Provider, "09:00:00", Some("09:31:00")), stay(Client, "09:00:05", Some("09:30:00"))];
    assert_eq!(
        of(&after_the_end, "09:31:00"),
        Verdict::Over { at: at("09:31:00"), reason: EndReason::LastLeft }
    );
}

#[test]
fn a_server_that_starts_again_waits_for_those_it_cut_off() {
    use MeetingRole::{Client, Provider};
    let bounds = Bounds { start: at("09:00:00"), end: at("09:30:00"), not_before: at("09:36:00") };
    let of = |stays: &[Stay], now: &str| verdict(stays, bounds, at(now));
    for (left, reason) in [("09:20:00", EndReason::Abandoned), ("09:34:00", EndReason::LastLeft)] {
        let mut stays = vec![stay(Provider, "09:00:00", Some(left)), stay(Client, "09:00:05", Some(left))];
        assert_eq!(of(&stays, "09:35:59"), Verdict::EndsAt(at("09:36:00")), "{reason}");
        assert_eq!(of(&stays, "09:36:00"), Verdict::Over { at: at(left), reason });
        stays.push(stay(Client, "09:35:10", None));
        assert_eq!(of(&stays, "09:36:00"), Verdict::GoesOn);
    }
}

#[test]
fn a_sound_check_before_the_start_ends_nothing() {
    use MeetingRole::{Client, Provider};
    let bounds = Bounds { start: at("09:00:00"), end: at("09:30:00"), not_before: at("08:00:00") };
    let mut stays =
        vec![stay(Provider, "08:50:00", Some("08:52:00")), stay(Client, "08:50:05", Some("08:52:05"))];
    assert_eq!(verdict(&stays, bounds, at("09:10:00")), Verdict::EndsAt(at("09:30:00")));
    let over = Verdict::Over { at: at("08:52:05"), reason: EndReason::Abandoned };
    assert_eq!(verdict(&stays, bounds, at("09:30:00")), over);
    // Once they were there in its time, the usual rule holds.
    stays.push(stay(Client, "09:01:00", Some("09:12:00")));
    assert_eq!(verdict(&stays, bounds, at("09:12:30")), Verdict::EndsAt(at("09:13:00")));
}

#[test]
fn who_did_not_come() {
    assert_eq!(no_show_of(true), Party::Provider);
    assert_eq!(no_show_of(false), Party::Client);
}
