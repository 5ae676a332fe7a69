use bytes::Bytes;
use parley_media_rtc::DataKind;
use prost::Message as _;
use proto::{DisconnectReason as Reason, TrackSource, leave_request::Action, participant_info::State};

use super::*;

impl World {
    fn lose(&mut self, session: SessionId) {
        let now = self.now();
        self.room.session_lost(session, now);
    }

    fn resume(&mut self, identity: &str, sid: &str) -> SessionId {
        let mut request = request(identity, grants());
        request.resume = Some(sid.into());
        self.try_join(request).unwrap()
    }
}

#[test]
fn a_lost_socket_is_taken_up_again_without_a_second_copy() {
    let mut world = World::new(RoomOptions::default());
    let ann = world.join("ann");
    let bob = world.join("bob");
    let track = world.publish(ann, "cam", TrackSource::Camera);
    let sid = world.sid("ann");
    world.lose(ann);
    world.advance(Duration::from_secs(10));
    world.take();
    let again = world.resume("ann", &sid);
    let out = world.take();
    assert!(matches!(&sent(&out, again)[0], Response::Reconnect(_)));
    assert_eq!(updates(&out, again).len(), 2, "everybody, also itself");
    assert!(updates(&out, bob).is_empty() && commands(&out).is_empty(), "nobody else notices");
    assert_eq!(world.sid("ann"), sid);
    let views = world.room.views();
    assert_eq!(views.len(), 2);
    assert_eq!(views[0].tracks[0].sid.as_str(), track);
    assert!(events(&out).is_empty());
    world.advance(Duration::from_secs(60));
    assert_eq!(world.room.views().len(), 2);
}

#[test]
fn a_socket_that_broke_unnoticed_is_replaced() {
    let mut world = World::new(RoomOptions::default());
    let ann = world.join("ann");
    let sid = world.sid("ann");
    world.take();
    let again = world.resume("ann", &sid);
    let out = world.take();
    assert!(closed(&out, ann) && leave_of(&out, ann).is_none());
    world.lose(ann);
    assert_eq!(world.room.participants[&world.key("ann")].session, Some(again));
}

#[test]
fn two_peer_connections_restart_the_subscriber() {
    let mut world = World::new(RoomOptions::default());
    let mut join = request("ann", grants());
    join.mode = PeerMode::Dual;
    let ann = world.join_with(join.clone());
    let Response::Join(joined) = &sent(&world.take(), ann)[0] else { panic!("join comes first") };
    assert!(joined.subscriber_primary && joined.fast_publish);
    world.lose(ann);
    join.resume = Some(world.sid("ann").as_str().into());
    world.try_join(join).unwrap();
    assert!(matches!(commands(&world.take())[..], [MediaCommand::RestartSubscriber { .. }]));
}

#[test]
fn an_unknown_session_is_told_to_join_anew() {
    let mut world = World::new(RoomOptions::default());
    world.join("ann");
    world.take();
    for (identity, sid) in [("bob", "PA_x"), ("ann", "PA_other")] {
        let session = world.resume(identity, sid);
        let out = world.take();
        let leave = leave_of(&out, session).unwrap();
        assert_eq!((leave.reason(), leave.action()), (Reason::StateMismatch, Action::Reconnect));
        assert!(closed(&out, session));
        assert_eq!(sent(&out, session).len(), 1);
    }
    assert_eq!(world.room.views().len(), 1);
}

#[test]
fn silence_ends_in_a_departure() {
    let mut world = World::new(RoomOptions::default());
    let ann = world.join("ann");
    let bob = world.join("bob");
    world.take();
    world.lose(ann);
    world.advance(Duration::from_secs(19));
    assert!(updates(&world.take(), bob).is_empty());
    world.advance(Duration::from_secs(2));
    let out = world.take();
    let told = updates(&out, bob);
    assert_eq!((told[0].state(), told[0].disconnect_reason()), (State::Disconnected, Reason::SignalClose));
    assert!(matches!(events(&out)[..], [RoomEventKind::ParticipantLeft { reason: Reason::SignalClose, .. }]));
}

#[test]
fn what_happened_meanwhile_is_told() {
    let mut world = World::new(RoomOptions::default());
    let ann = world.join("ann");
    let bob = world.join("bob");
    world.join("eve");
    let sid = world.sid("ann");
    let add = proto::AddTrackRequest { cid: "cam".into(), r#type: 1, ..Default::default() };
    world.ask(bob, Request::Leave(proto::LeaveRequest::default()));
    world.advance(Duration::from_secs(1));
    world.ask(ann, Request::AddTrack(add));
    world.lose(ann);
    let eve = world.room.by_identity[&Identity::from("eve")];
    let eve_session = world.room.participants[&eve].session.unwrap();
    world.advance(Duration::from_secs(1));
    world.ask(eve_session, Request::Leave(proto::LeaveRequest::default()));
    let key = world.key("ann");
    world.event(MediaEvent::SectionsRequired { participant: key, audio: 1, video: 2 });
    world.join("kim");
    world.take();
    let again = world.resume("ann", &sid);
    let out = world.take();
    let told: Vec<(String, i32)> =
        updates(&out, again).into_iter().map(|info| (info.identity, info.state)).collect();
    assert!(told.contains(&("eve".into(), State::Disconnected as i32)));
    assert!(told.contains(&("kim".into(), State::Active as i32)));
    assert!(!told.iter().any(|(identity, _)| identity == "bob"), "known before");
    assert!(sent(&out, again).iter().any(
        |message| matches!(message, Response::MediaSectionsRequirement(wish) if (wish.num_audios, wish.num_videos) == (1, 2))
    ));
}

#[test]
fn what_went_into_a_broken_socket_is_told_again() {
    let mut world = World::new(RoomOptions::default());
    let ann = world.join("ann");
    let bob = world.join("bob");
    let (cam, mic) =
        (world.publish(ann, "cam", TrackSource::Camera), world.publish(ann, "mic", TrackSource::Microphone));
    let theirs = world.publish(bob, "cam", TrackSource::Camera);
    let (key, sid, now) = (world.key("ann"), world.sid("ann"), world.now());
    let track = world.room.by_track_sid[&cam.as_str().into()];
    for max in [None, Some(2)] {
        let mime = "video/VP8".to_owned();
        world.event(MediaEvent::SubscribedQuality { publisher: key, track, mime, max });
    }
    let states =
        vec![(world.room.by_track_sid[&theirs.as_str().into()], parley_media_rtc::StreamState::Paused)];
    world.event(MediaEvent::StreamStates { participant: key, states });
    for sid in [&cam, &mic] {
        assert!(world.room.force_mute(&sid.as_str().into(), true, now));
    }
    world.ask(ann, Request::Mute(proto::MuteTrackRequest { sid: mic, muted: false }));
    world.event(MediaEvent::SectionsRequired { participant: key, audio: 1, video: 0 });
    world.take();

    // The server has noticed nothing.
    let again = world.resume("ann", &sid);
    let told = sent(&world.take(), again);
    let qualities: Vec<bool> = told
        .iter()
        .filter_map(|message| match message {
            Response::SubscribedQualityUpdate(update) => {
                Some(update.subscribed_codecs[0].qualities.iter().all(|quality| quality.enabled))
            }
            _ => None,
        })
        .collect();
    assert_eq!(qualities, [true], "the last, once");
    let muted: Vec<&str> = told
        .iter()
        .filter_map(|message| match message {
            Response::Mute(mute) => Some(mute.sid.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(muted, [cam.as_str()], "not what the client has changed since");
    assert!(told.iter().any(|message| matches!(message, Response::StreamStateUpdate(_))));
    assert!(!told.iter().any(|message| matches!(message, Response::MediaSectionsRequirement(_))));

    world.advance(Duration::from_secs(130));
    world.take();
    let again = world.resume("ann", &sid);
    let told = sent(&world.take(), again);
    assert!(!told.iter().any(|message| matches!(message, Response::Mute(_))), "it has arrived long ago");
    assert!(told.iter().any(|message| matches!(message, Response::SubscribedQualityUpdate(_))));
}

#[test]
fn who_was_connected_may_try_again_when_an_offer_fails() {
    use parley_media_rtc::MediaError;
    for (connected, expected) in [
        (true, (Reason::MediaFailure, Action::Reconnect)),
        (false, (Reason::JoinFailure, Action::Disconnect)),
    ] {
        for error in [MediaError::Limit("sections"), MediaError::BadSdp("no".into())] {
            let mut world = World::new(RoomOptions::default());
            let ann = world.try_join(request("ann", grants())).unwrap();
            if connected {
                world.connect("ann");
            }
            let (key, now) = (world.key("ann"), world.now());
            world.room.answered(key, 3, Err(error), now);
            let leave = leave_of(&world.take(), ann).unwrap();
            assert_eq!((leave.reason(), leave.action()), expected);
        }
    }
}

#[test]
fn either_connection_makes_a_participant_present() {
    for connection in [Connection::Publisher, Connection::Subscriber] {
        let mut world = World::new(RoomOptions::default());
        let mut join = request("ann", grants());
        join.mode = PeerMode::Dual;
        world.try_join(join).unwrap();
        world.take();
        let participant = world.key("ann");
        for _ in 0..2 {
            let state = ConnectionState::Connected;
            world.event(MediaEvent::ConnectionState { participant, connection, state });
        }
        assert!(matches!(events(&world.take())[..], [RoomEventKind::ParticipantJoined { .. }]));
    }
}

#[test]
fn missed_reliable_messages_are_sent_again() {
    let mut world = World::new(RoomOptions::default());
    let ann = world.join("ann");
    world.join("bob");
    let (ann_sid, bob_sid) = (world.sid("ann"), world.sid("bob"));
    let bob = world.key("bob");
    for sequence in 1..=5u32 {
        let packet = proto::DataPacket {
            sequence,
            value: Some(proto::data_packet::Value::ChatMessage(proto::ChatMessage::default())),
            ..Default::default()
        };
        let data = Bytes::from(packet.encode_to_vec());
        world.event(MediaEvent::Data { participant: bob, kind: DataKind::Reliable, data });
    }
    world.lose(ann);
    let mut join = request("ann", grants());
    join.resume = Some(ann_sid.as_str().into());
    world.take();
    let again = world.try_join(join).unwrap();
    let states = vec![proto::DataChannelReceiveState { publisher_sid: bob_sid.clone(), last_seq: 3 }; 100];
    let state = proto::SyncState { datachannel_receive_states: states, ..Default::default() };
    world.take();
    world.ask(again, Request::SyncState(state.clone()));
    let numbers: Vec<u32> = commands(&world.take())
        .into_iter()
        .map(|command| match command {
            MediaCommand::SendData { to, data, .. } => {
                assert_eq!(*to, [world.room.by_identity[&Identity::from("ann")]]);
                proto::DataPacket::decode(data.clone()).unwrap().sequence
            }
            other => panic!("only data, not {other:?}"),
        })
        .collect();
    assert_eq!(numbers, [4, 5], "each once, however often it is asked for");
    world.ask(again, Request::SyncState(state));
    assert!(commands(&world.take()).is_empty(), "once for a resume");

    // And the publisher learns what has arrived of its own.
    let again = world.resume("bob", &bob_sid);
    let Response::Reconnect(reconnect) = &sent(&world.take(), again)[0] else {
        panic!("reconnect comes first")
    };
    assert_eq!(reconnect.last_message_seq, 5);
}

#[test]
fn sync_state_brings_subscriptions_back() {
    let mut world = World::new(RoomOptions::default());
    let ann = world.join("ann");
    let cam = world.publish(ann, "cam", TrackSource::Camera);
    let mic = world.publish(ann, "mic", TrackSource::Microphone);
    let bob = world.join("bob");
    world.take();
    let state = proto::SyncState {
        subscription: Some(proto::UpdateSubscription {
            track_sids: vec![mic],
            subscribe: false,
            ..Default::default()
        }),
        track_sids_disabled: vec![cam],
        ..Default::default()
    };
    world.ask(bob, Request::SyncState(state));
    assert!(matches!(
        commands(&world.take())[..],
        [MediaCommand::Unsubscribe { .. }, MediaCommand::UpdateSubscription { settings, .. }] if !settings.enabled
    ));
}

#[test]
fn a_failed_media_connection_asks_for_a_new_join() {
    let mut world = World::new(RoomOptions::default());
    let ann = world.join("ann");
    let bob = world.join("bob");
    world.take();
    for identity in ["ann", "bob"] {
        let participant = world.key(identity);
        for state in [ConnectionState::Disconnected, ConnectionState::Failed] {
            world.event(MediaEvent::ConnectionState {
                participant,
                connection: Connection::Publisher,
                state,
            });
        }
    }
    // A client that leaves closes its connection first.
    world.ask(bob, Request::Leave(proto::LeaveRequest::default()));
    assert_eq!(leave_of(&world.take(), bob).unwrap().reason(), Reason::ClientInitiated);
    world.advance(Duration::from_secs(2));
    let leave = leave_of(&world.take(), ann).unwrap();
    assert_eq!((leave.reason(), leave.action()), (Reason::MediaFailure, Action::Reconnect));
}

#[test]
fn simulated_faults_touch_only_the_one_who_asks() {
    use proto::simulate_scenario::Scenario;
    let table = [
        (Scenario::NodeFailure(true), None),
        (Scenario::ServerLeave(true), Some(Action::Disconnect)),
        (Scenario::LeaveRequestFullReconnect(true), Some(Action::Reconnect)),
        (Scenario::Migration(true), Some(Action::Resume)),
    ];
    for (scenario, action) in table {
        let mut world = World::new(RoomOptions::default());
        let ann = world.join("ann");
        let bob = world.join("bob");
        world.take();
        world.ask(ann, Request::Simulate(proto::SimulateScenario { scenario: Some(scenario) }));
        let out = world.take();
        assert!(closed(&out, ann) && !closed(&out, bob));
        assert_eq!(leave_of(&out, ann).map(|leave| leave.action()), action);
        assert!(world.room.by_identity.contains_key(&"bob".into()));
    }
    let mut world = World::new(RoomOptions::default());
    let ann = world.join("ann");
    world.take();
    let scenario = Some(Scenario::SpeakerUpdate(3));
    world.ask(ann, Request::Simulate(proto::SimulateScenario { scenario }));
    world.advance(Duration::from_secs(4));
    let levels: Vec<bool> = sent(&world.take(), ann)
        .into_iter()
        .filter_map(|message| match message {
            Response::SpeakersChanged(changed) => Some(changed.speakers[0].active),
            _ => None,
        })
        .collect();
    assert_eq!(levels, [true, false]);
}

#[test]
fn a_client_that_is_not_reached_is_told_to_resume() {
    let mut world = World::new(RoomOptions::default());
    let ann = world.join("ann");
    let bob = world.join("bob");
    let unreachable =
        MediaEvent::Unreachable { participant: world.key("ann"), connection: Connection::Publisher };
    world.take();
    world.event(unreachable.clone());
    let out = world.take();
    let leave = leave_of(&out, ann).unwrap();
    assert_eq!((leave.action(), leave.can_reconnect), (Action::Resume, true));
    assert!(!closed(&out, ann), "the client closes the socket when it has another");
    assert!(leave_of(&out, bob).is_none() && updates(&out, bob).is_empty(), "nobody else notices");
    // Not again and again where nothing helps.
    world.event(unreachable.clone());
    assert!(leave_of(&world.take(), ann).is_none());
    world.advance(Duration::from_secs(11));
    world.event(unreachable.clone());
    assert!(leave_of(&world.take(), ann).is_some());
    // One without a socket will come anyway.
    world.lose(ann);
    world.advance(Duration::from_secs(11));
    world.event(unreachable);
    assert!(leave_of(&world.take(), ann).is_none());
}

#[test]
fn clients_of_before_the_action_are_not_told_to_resume() {
    let mut world = World::new(RoomOptions::default());
    let ann = world.join("ann");
    let key = world.key("ann");
    world.room.participants.get_mut(&key).unwrap().client.protocol = 12;
    world.event(MediaEvent::Unreachable { participant: key, connection: Connection::Publisher });
    assert!(leave_of(&world.take(), ann).is_none());
}
