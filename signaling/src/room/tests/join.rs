use proto::{DisconnectReason as Reason, leave_request::Action, participant_info::State};

use super::*;

#[test]
fn the_first_message_is_join_and_others_learn_of_the_newcomer() {
    let mut world = World::new(RoomOptions::default());
    let ann = world.join("ann");
    world.take();
    let bob = world.join("bob");
    let out = world.take();
    let Response::Join(join) = &sent(&out, bob)[0] else { panic!("join comes first") };
    assert_eq!(join.other_participants.len(), 1);
    assert_eq!(join.other_participants[0].identity, "ann");
    assert_eq!((join.ping_interval, join.ping_timeout), (5, 15));
    assert!(!join.subscriber_primary);
    let own = join.participant.clone().unwrap();
    assert!(own.sid.starts_with("PA_") && join.room.clone().unwrap().sid.starts_with("RM_"));
    let told: Vec<i32> = updates(&out, ann).iter().map(|info| info.state).collect();
    assert_eq!(told, [State::Joined as i32, State::Active as i32]);
    let versions: Vec<u32> = updates(&out, ann).iter().map(|info| info.version).collect();
    assert!(versions.is_sorted() && versions[0] < versions[1]);
    assert!(
        matches!(events(&out)[..], [RoomEventKind::ParticipantJoined { identity, .. }] if identity.as_str() == "bob")
    );
    assert!(
        out.iter().any(|output| matches!(output, Output::RefreshToken { session, .. } if *session == bob))
    );
}

#[test]
fn a_second_join_of_an_identity_replaces_the_first() {
    let mut world = World::new(RoomOptions::default());
    let watcher = world.join("eve");
    let first = world.join("ann");
    let old_sid = world.sid("ann");
    world.take();
    let second = world.join("ann");
    let out = world.take();
    let leave = leave_of(&out, first).unwrap();
    assert_eq!((leave.reason(), leave.action()), (Reason::DuplicateIdentity, Action::Disconnect));
    assert!(closed(&out, first) && !closed(&out, second));
    let told = updates(&out, watcher);
    assert_eq!((told[0].sid.as_str(), told[0].state), (old_sid.as_str(), State::Disconnected as i32));
    assert_ne!(world.sid("ann"), old_sid);
    assert_eq!(world.room.views().len(), 2);
    // What the replaced socket still sends, and its end, touch nobody.
    world.ask(first, Request::Leave(proto::LeaveRequest::default()));
    let now = world.now();
    world.room.session_lost(first, now);
    assert_eq!(world.room.views().len(), 2);
}

#[test]
fn leaving_tells_others_and_the_control_plane() {
    let mut world = World::new(RoomOptions::default());
    let ann = world.join("ann");
    let bob = world.join("bob");
    world.publish(bob, "cam", proto::TrackSource::Camera);
    world.take();
    world.ask(bob, Request::Leave(proto::LeaveRequest::default()));
    let out = world.take();
    assert!(closed(&out, bob) && leave_of(&out, bob).is_some());
    let told = updates(&out, ann);
    assert_eq!(told.len(), 1);
    assert_eq!(
        (told[0].state(), told[0].disconnect_reason()),
        (State::Disconnected, Reason::ClientInitiated)
    );
    assert!(matches!(
        events(&out)[..],
        [
            RoomEventKind::TrackUnpublished { .. },
            RoomEventKind::ParticipantLeft { reason: Reason::ClientInitiated, .. }
        ]
    ));
    assert!(matches!(commands(&out)[..], [MediaCommand::Leave { .. }]));
}

#[test]
fn hidden_participants_are_told_to_nobody() {
    let mut world = World::new(RoomOptions::default());
    let ann = world.join("ann");
    world.take();
    let spy = world.join_with(request("spy", Grants { hidden: true, ..grants() }));
    let out = world.take();
    assert!(updates(&out, ann).is_empty());
    assert!(!updates(&out, spy).is_empty(), "but to themselves");
    let bob = world.join("bob");
    let Response::Join(join) = &sent(&world.take(), bob)[0] else { panic!("join comes first") };
    assert_eq!(join.other_participants.len(), 1);
    world.ask(spy, Request::Leave(proto::LeaveRequest::default()));
    assert!(updates(&world.take(), ann).is_empty());
}

#[test]
fn a_full_room_refuses_but_lets_the_same_identity_and_recorders_in() {
    let mut world = World::new(RoomOptions { max_participants: 2, ..RoomOptions::default() });
    world.join("ann");
    world.join("bob");
    assert_eq!(world.try_join(request("eve", grants())).unwrap_err(), JoinRefused::Full);
    world.join("bob");
    world.join_with(request("rec", Grants { recorder: true, hidden: true, ..grants() }));
    assert_eq!(world.room.views().len(), 3);
}

#[test]
fn who_never_connects_is_removed_with_a_word() {
    let mut world = World::new(RoomOptions::default());
    let session = world.try_join(request("ann", grants())).unwrap();
    world.take();
    world.advance(Duration::from_secs(19));
    assert!(leave_of(&world.take(), session).is_none());
    world.advance(Duration::from_secs(2));
    let out = world.take();
    assert_eq!(leave_of(&out, session).unwrap().reason(), Reason::JoinFailure);
    assert!(events(&out).is_empty(), "the control plane never heard of the join");
}

#[test]
fn who_closes_the_socket_before_it_is_connected_is_gone_at_once() {
    let mut world = World::new(RoomOptions::default());
    let ann = world.join("ann");
    let bob = world.try_join(request("bob", grants())).unwrap();
    world.take();
    let now = world.now();
    world.room.session_lost(bob, now);
    let out = world.take();
    let told = updates(&out, ann);
    assert_eq!((told[0].identity.as_str(), told[0].state()), ("bob", State::Disconnected));
    assert!(matches!(commands(&out)[..], [MediaCommand::Leave { .. }]));
    world.room.session_lost(ann, now);
    assert_eq!(world.room.views().len(), 1, "one who is connected may resume");
}

#[test]
fn a_removed_participant_cannot_come_back_with_its_old_token() {
    let mut world = World::new(RoomOptions::default());
    let ann = world.join("ann");
    world.take();
    let now = world.now();
    assert!(world.room.expel(&"ann".into(), now));
    let leave = leave_of(&world.take(), ann).unwrap();
    assert_eq!((leave.reason(), leave.action()), (Reason::ParticipantRemoved, Action::Disconnect));
    assert_eq!(world.try_join(request("ann", grants())).unwrap_err(), JoinRefused::Removed);
    let mut fresh = request("ann", grants());
    fresh.claims.iat_ms = Some(1_000_001);
    world.try_join(fresh).unwrap();
    let mut foreign = request("ann", grants());
    foreign.claims.iat_ms = None;
    foreign.claims.nbf = Some(1_000);
    assert_eq!(world.try_join(foreign.clone()).unwrap_err(), JoinRefused::Removed, "whole seconds in doubt");
    foreign.claims.nbf = Some(1_001);
    world.try_join(foreign).unwrap();
    let now = world.now();
    assert!(!world.room.expel(&"nobody".into(), now));
}

#[test]
fn rooms_end_when_nobody_comes_or_all_have_gone() {
    let mut world =
        World::new(RoomOptions { empty_timeout: Some(Duration::from_secs(60)), ..RoomOptions::default() });
    world.advance(Duration::from_secs(59));
    assert!(!world.room.is_closed());
    let ann = world.join("ann");
    world.advance(Duration::from_secs(100));
    assert!(!world.room.is_closed());
    world.ask(ann, Request::Leave(proto::LeaveRequest::default()));
    world.advance(Duration::from_secs(19));
    assert!(!world.room.is_closed());
    world.advance(Duration::from_secs(2));
    assert!(world.room.is_closed());
    assert!(matches!(events(&world.take()).last(), Some(RoomEventKind::Finished)));
}

#[test]
fn closing_tells_everybody_once() {
    let mut world = World::new(RoomOptions::default());
    let ann = world.join("ann");
    let bob = world.join("bob");
    world.take();
    let now = world.now();
    world.room.close(Reason::ServerShutdown, Action::Reconnect, now);
    let out = world.take();
    for session in [ann, bob] {
        let leave = leave_of(&out, session).unwrap();
        assert_eq!((leave.reason(), leave.action()), (Reason::ServerShutdown, Action::Reconnect));
        assert!(leave.can_reconnect && closed(&out, session));
    }
    let left =
        events(&out).iter().filter(|kind| matches!(kind, RoomEventKind::ParticipantLeft { .. })).count();
    assert_eq!(left, 2);
}

#[test]
fn how_many_there_are_is_told_once_for_many_changes() {
    let mut world = World::new(RoomOptions::default());
    let ann = world.join("ann");
    for number in 0..5 {
        world.join(&format!("p{number}"));
    }
    world.take();
    world.advance(Duration::from_secs(3));
    let told: Vec<u32> = sent(&world.take(), ann)
        .into_iter()
        .filter_map(|message| match message {
            Response::RoomUpdate(update) => update.room.map(|room| room.num_participants),
            _ => None,
        })
        .collect();
    assert_eq!(told, [6]);
}
