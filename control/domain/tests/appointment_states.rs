//! The appointment's states: every state against every step, and what each step leaves behind.
#![allow(clippy::unwrap_used)]

use jiff::{SignedDuration, Timestamp};
use parley_control_domain::{
    Appointment, AppointmentId, AppointmentNumber, AppointmentState, BookingRules, ClientDetails, Email,
    JoinCode, MemberId, Minutes, OrganisationId, Party, Refusal, ServiceId, Span, WindowPhase, Zone,
};
use uuid::Uuid;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// 09:00 to 09:30 with buffers of a quarter.
fn booked() -> Appointment {
    let span = Span::new(at("2026-12-01T09:00:00Z"), at("2026-12-01T09:30:00Z"));
    Appointment {
        id: AppointmentId::from_uuid(Uuid::from_u128(1)),
        organisation_id: OrganisationId::from_uuid(Uuid::from_u128(2)),
        number: AppointmentNumber { year: 2026, sequence: 123 },
        state: AppointmentState::Scheduled,
        service_id: ServiceId::from_uuid(Uuid::from_u128(3)),
        provider_id: MemberId::from_uuid(Uuid::from_u128(4)),
        client: ClientDetails {
            name: "Zoë".to_owned(),
            email: Email::parse("email", "zoe@example.org").unwrap(),
            phone: None,
            zone: Zone::utc(),
        },
        start: span.start,
        end: span.end,
        reserved: BookingRules::default().reserved(span),
        join_before: Minutes(15),
        join_after: Minutes(15),
        note: String::new(),
        locale: "en".to_owned(),
        client_code: JoinCode::from_bytes([1; 5]),
        provider_code: JoinCode::from_bytes([2; 5]),
        created_at: at("2026-11-20T00:00:00Z"),
        actual_start: None,
        actual_end: None,
        cancelled: None,
        absent: None,
        version: 1,
    }
}

/// An appointment that came to a state by the steps that lead there.
fn in_state(state: AppointmentState) -> Appointment {
    let mut appointment = booked();
    let now = at("2026-12-01T09:00:00Z");
    match state {
        AppointmentState::Scheduled => {}
        AppointmentState::Waiting => appointment.client_waits(now).unwrap(),
        AppointmentState::InProgress => appointment.both_met(now).unwrap(),
        AppointmentState::Completed => {
            appointment.both_met(now).unwrap();
            appointment.complete(at("2026-12-01T09:20:00Z")).unwrap();
        }
        AppointmentState::Cancelled => appointment.cancel(Party::Client, "ill".to_owned(), now).unwrap(),
        AppointmentState::NoShow => appointment.no_show(Party::Client, now).unwrap(),
    }
    assert_eq!(appointment.state, state);
    appointment
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Waits,
    Meets,
    Completes,
    Cancels,
    Misses,
}

/// What a step does in the middle of the appointment's time.
fn step(appointment: &mut Appointment, step: Step) -> Result<(), Refusal> {
    let now = at("2026-12-01T09:10:00Z");
    match step {
        Step::Waits => appointment.client_waits(now),
        Step::Meets => appointment.both_met(now),
        Step::Completes => appointment.complete(now),
        Step::Cancels => appointment.cancel(Party::Provider, "away".to_owned(), now),
        Step::Misses => appointment.no_show(Party::Provider, now),
    }
    .map_err(|error| error.refusal)
}

#[test]
fn every_state_against_every_step() {
    use AppointmentState::{Cancelled, Completed, InProgress, NoShow, Scheduled, Waiting};
    use Step::{Cancels, Completes, Meets, Misses, Waits};
    let table = [
        (Scheduled, Waits, Ok(Waiting)),
        (Scheduled, Meets, Ok(InProgress)),
        (Scheduled, Completes, Err(Refusal::NotStarted)),
        (Scheduled, Cancels, Ok(Cancelled)),
        (Scheduled, Misses, Ok(NoShow)),
        (Waiting, Waits, Ok(Waiting)),
        (Waiting, Meets, Ok(InProgress)),
        (Waiting, Completes, Err(Refusal::NotStarted)),
        (Waiting, Cancels, Ok(Cancelled)),
        (Waiting, Misses, Ok(NoShow)),
        (InProgress, Waits, Ok(InProgress)),
        (InProgress, Meets, Ok(InProgress)),
        (InProgress, Completes, Ok(Completed)),
        (InProgress, Cancels, Err(Refusal::InProgress)),
        (InProgress, Misses, Err(Refusal::InProgress)),
        (Completed, Waits, Err(Refusal::Ended)),
        (Completed, Meets, Err(Refusal::Ended)),
        (Completed, Completes, Ok(Completed)),
        (Completed, Cancels, Err(Refusal::Ended)),
        (Completed, Misses, Err(Refusal::Ended)),
        (Cancelled, Waits, Err(Refusal::Cancelled)),
        (Cancelled, Meets, Err(Refusal::Cancelled)),
        (Cancelled, Completes, Err(Refusal::Cancelled)),
        (Cancelled, Cancels, Ok(Cancelled)),
        (Cancelled, Misses, Err(Refusal::Cancelled)),
        (NoShow, Waits, Err(Refusal::NoShow)),
        (NoShow, Meets, Err(Refusal::NoShow)),
        (NoShow, Completes, Err(Refusal::NoShow)),
        (NoShow, Cancels, Err(Refusal::NoShow)),
        (NoShow, Misses, Ok(NoShow)),
    ];
    assert_eq!(table.len(), AppointmentState::ALL.len() * 5);
    for (from, tried, expected) in table {
        let mut appointment = in_state(from);
        let before = appointment.clone();
        let result = step(&mut appointment, tried).map(|()| appointment.state);
        assert_eq!(result, expected, "{tried:?} when {from}");
        // What is refused, or done already, changes nothing.
        if expected.is_err() || expected == Ok(from) {
            assert_eq!(appointment, before, "{tried:?} when {from}");
        }
    }
}

#[test]
fn the_window_opens_and_closes() {
    let appointment = booked();
    let window = appointment.join_window();
    assert_eq!(window.opens_at, at("2026-12-01T08:45:00Z"));
    assert_eq!(window.closes_at, at("2026-12-01T09:45:00Z"));
    assert_eq!(appointment.planned_close(), window.closes_at);
    for (now, phase) in [
        ("2026-12-01T08:44:59.999Z", WindowPhase::TooEarly),
        ("2026-12-01T08:45:00Z", WindowPhase::Open),
        ("2026-12-01T09:44:59Z", WindowPhase::Open),
        ("2026-12-01T09:45:00Z", WindowPhase::Closed),
    ] {
        assert_eq!(appointment.window_phase(at(now)), phase, "{now}");
    }
    let refused = |now: &str| booked().client_waits(at(now)).unwrap_err().refusal;
    assert_eq!(refused("2026-12-01T08:30:00Z"), Refusal::TooEarly);
    assert_eq!(refused("2026-12-01T10:00:00Z"), Refusal::TooLate);

    // A meeting that runs over keeps its door open; one that is over closes it at once.
    let mut late = in_state(AppointmentState::InProgress);
    assert_eq!(late.window_phase(at("2026-12-01T10:30:00Z")), WindowPhase::Open);
    late.client_waits(at("2026-12-01T10:30:00Z")).unwrap();
    late.complete(at("2026-12-01T10:40:00Z")).unwrap();
    assert_eq!(late.join_window().closes_at, window.closes_at);
    let early = in_state(AppointmentState::Completed);
    assert_eq!(early.join_window().closes_at, at("2026-12-01T09:20:00Z"));
}

#[test]
fn who_leaves_the_waiting_room_may_come_back() {
    let mut appointment = in_state(AppointmentState::Waiting);
    appointment.client_gone();
    assert_eq!(appointment.state, AppointmentState::Scheduled);
    let mut running = in_state(AppointmentState::InProgress);
    running.client_gone();
    assert_eq!(running.state, AppointmentState::InProgress);
}

#[test]
fn times_and_reasons_are_kept() {
    let mut appointment = booked();
    appointment.both_met(at("2026-12-01T08:58:00Z")).unwrap();
    appointment.both_met(at("2026-12-01T09:05:00Z")).unwrap();
    assert_eq!(appointment.actual_start, Some(at("2026-12-01T08:58:00Z")));
    appointment.complete(at("2026-12-01T09:12:00Z")).unwrap();
    assert_eq!(appointment.actual_end, Some(at("2026-12-01T09:12:00Z")));

    let missed = in_state(AppointmentState::NoShow);
    assert_eq!(missed.absent, Some(Party::Client));
    let early = booked().no_show(Party::Client, at("2026-12-01T08:59:59Z")).unwrap_err();
    assert_eq!(early.refusal, Refusal::TooEarly);
    assert_eq!(
        early.to_string(),
        "cannot close a scheduled appointment: It is too early for this; try again nearer to the start."
    );
    let cancelled = in_state(AppointmentState::Cancelled).cancelled.unwrap();
    assert_eq!((cancelled.by, cancelled.reason.as_str()), (Party::Client, "ill"));
    assert!(booked().can_cancel() && !in_state(AppointmentState::InProgress).can_cancel());
}

#[test]
fn the_providers_time_is_freed_behind_a_short_meeting() {
    let reserved_to = |ended_at: &str| {
        let mut appointment = booked();
        appointment.both_met(at("2026-12-01T08:00:00Z")).unwrap();
        appointment.complete(at(ended_at)).unwrap();
        assert_eq!(appointment.reserved.start, at("2026-12-01T08:45:00Z"));
        appointment.reserved.end
    };
    // The buffer of a quarter is kept, and the grid of five minutes.
    assert_eq!(reserved_to("2026-12-01T09:12:00Z"), at("2026-12-01T09:30:00Z"));
    assert_eq!(reserved_to("2026-12-01T09:10:00Z"), at("2026-12-01T09:25:00Z"));
    // Running over takes no more than was booked: others may be booked behind it.
    assert_eq!(reserved_to("2026-12-01T11:00:00Z"), at("2026-12-01T09:45:00Z"));
    // Over before it was to begin: nothing is left.
    assert_eq!(reserved_to("2026-12-01T08:05:00Z"), at("2026-12-01T08:45:00Z"));
}

#[test]
fn reserved_time_is_rounded_out_to_the_grid() {
    let rules =
        BookingRules { buffer_before: Minutes(5), buffer_after: Minutes(0), ..BookingRules::default() };
    let reserved = |start: &str, seconds: i64| {
        let start = at(start);
        rules.reserved(Span::new(start, start + SignedDuration::from_secs(seconds)))
    };
    assert_eq!(
        reserved("2026-12-01T09:00:00Z", 600),
        Span::new(at("2026-12-01T08:55:00Z"), at("2026-12-01T09:10:00Z"))
    );
    assert_eq!(
        reserved("2026-12-01T09:01:00.5Z", 600),
        Span::new(at("2026-12-01T08:55:00Z"), at("2026-12-01T09:15:00Z"))
    );
    assert_eq!(
        reserved("1969-12-31T23:58:00.25Z", 60),
        Span::new(at("1969-12-31T23:50:00Z"), at("1970-01-01T00:00:00Z"))
    );
}
