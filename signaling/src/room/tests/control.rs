use bytes::Bytes;
use parley_media_rtc::DataKind;
use prost::Message as _;
use proto::{DisconnectReason as Reason, data_packet::Value, leave_request::Action, participant_info::State};

use super::*;
use crate::{
    ids::TrackSid,
    room::{ControlError, Destination, MessageOfServer, ParticipantUpdate, RpcCall, RpcFault},
};

fn permission() -> proto::ParticipantPermission {
    proto::ParticipantPermission {
        can_subscribe: true,
        can_publish: true,
        can_publish_data: true,
        ..Default::default()
    }
}

/// What was sent over data channels: receivers and packets.
fn packets(outputs: &[Output]) -> Vec<(Vec<ParticipantKey>, proto::DataPacket)> {
    commands(outputs)
        .into_iter()
        .filter_map(|command| match command {
            MediaCommand::SendData { to, data, .. } => {
                Some((to.clone(), proto::DataPacket::decode(data.clone()).unwrap()))
            }
            _ => None,
        })
        .collect()
}

fn update(world: &mut World, identity: &str, update: ParticipantUpdate) -> proto::ParticipantInfo {
    let now = world.now();
    world.room.update_participant(&identity.into(), update, now).unwrap()
}

#[test]
fn options_are_changed_as_far_as_they_are_given() {
    let mut world = World::new(RoomOptions {
        max_participants: 5,
        empty_timeout: Some(Duration::from_secs(60)),
        metadata: "first".into(),
        ..RoomOptions::default()
    });
    let ann = world.join("ann");
    world.take();
    world.room.update_options(RoomOptions { max_participants: 9, ..RoomOptions::default() });
    let room = world.room.room_info();
    assert_eq!((room.max_participants, room.empty_timeout, room.departure_timeout), (9, 60, 20));
    assert_eq!(room.metadata, "first");
    assert!(sent(&world.take(), ann).is_empty(), "clients are told of metadata alone");
    world.room.update_options(RoomOptions { metadata: "second".into(), ..RoomOptions::default() });
    let told = sent(&world.take(), ann);
    assert!(
        matches!(&told[..], [Response::RoomUpdate(update)] if update.room.as_ref().unwrap().metadata == "second")
    );
    world.room.set_metadata(String::new());
    assert_eq!(world.room.room_info().metadata, "", "metadata can be taken away");
}

#[test]
fn a_long_departure_timeout_keeps_the_room_and_nobody_who_is_gone() {
    let hour = Duration::from_secs(3_600);
    let mut world = World::new(RoomOptions { departure_timeout: Some(hour), ..RoomOptions::default() });
    let ann = world.join("ann");
    let now = world.now();
    world.room.session_lost(ann, now);
    world.advance(Duration::from_secs(21));
    assert!(world.room.participant_infos().is_empty());
    world.advance(Duration::from_secs(3_500));
    assert!(!world.room.is_closed());
    world.advance(Duration::from_secs(200));
    assert!(world.room.is_closed());
}

#[test]
fn a_track_is_muted_by_its_owners_name_and_unmuted_only_where_allowed() {
    let mut world = World::new(RoomOptions::default());
    let ann = world.join("ann");
    world.join("bob");
    let mic = TrackSid(world.publish(ann, "mic", proto::TrackSource::Microphone));
    world.take();
    let now = world.now();
    let mute = |world: &mut World, who: &str, muted| world.room.mute_published(&who.into(), &mic, muted, now);
    assert_eq!(mute(&mut world, "bob", true).unwrap_err(), ControlError::NoTrack, "not bob's");
    assert_eq!(mute(&mut world, "eve", true).unwrap_err(), ControlError::NoParticipant);
    assert!(mute(&mut world, "ann", true).unwrap().muted);
    let out = world.take();
    assert!(
        sent(&out, ann).iter().any(|message| matches!(message, Response::Mute(request) if request.muted))
    );
    assert!(matches!(commands(&out)[..], [MediaCommand::MuteTrack { muted: true, .. }]));
    assert_eq!(mute(&mut world, "ann", false).unwrap_err(), ControlError::RemoteUnmute);

    let config = SignalingConfig { remote_unmute: true, ..SignalingConfig::new("k", "s") };
    let mut world = World::with(&config, RoomOptions::default());
    let ann = world.join("ann");
    let mic = TrackSid(world.publish(ann, "mic", proto::TrackSource::Microphone));
    world.room.mute_published(&"ann".into(), &mic, true, now).unwrap();
    assert!(!world.room.mute_published(&"ann".into(), &mic, false, now).unwrap().muted);
}

#[test]
fn changes_of_a_participant_are_told_once_with_a_fresh_token() {
    let mut world = World::new(RoomOptions::default());
    let ann = world.join("ann");
    let bob = world.join("bob");
    world.take();
    let changes = ParticipantUpdate {
        name: "Doctor".into(),
        metadata: "notes".into(),
        attributes: [("hand".to_owned(), "up".to_owned())].into(),
        permission: Some(permission()),
    };
    let info = update(&mut world, "ann", changes);
    assert_eq!((info.name.as_str(), info.metadata.as_str()), ("Doctor", "notes"));
    let out = world.take();
    let told = updates(&out, bob);
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].attributes["hand"], "up");
    let fresh = out.iter().find_map(|output| match output {
        Output::RefreshToken { session, claims } if *session == ann => Some(claims),
        _ => None,
    });
    assert_eq!(fresh.unwrap().metadata, "notes");
    let gone = ParticipantUpdate {
        attributes: [("hand".to_owned(), String::new())].into(),
        ..ParticipantUpdate::default()
    };
    let info = update(&mut world, "ann", gone);
    assert!(info.attributes.is_empty());
    assert_eq!(info.name, "Doctor", "what is empty stays");
    world.take();
    update(&mut world, "ann", ParticipantUpdate::default());
    assert!(updates(&world.take(), bob).is_empty(), "nothing has changed");
}

#[test]
fn too_much_is_refused_and_changes_nothing() {
    let mut world = World::new(RoomOptions::default());
    world.join("ann");
    let now = world.now();
    let big =
        ParticipantUpdate { name: "x".into(), metadata: "x".repeat(64 * 1024 + 1), ..Default::default() };
    let long = ParticipantUpdate { name: "x".repeat(257), ..ParticipantUpdate::default() };
    for changes in [big, long] {
        let result = world.room.update_participant(&"ann".into(), changes, now);
        assert!(matches!(result.unwrap_err(), ControlError::TooLarge(_)));
    }
    assert_eq!(world.room.participant_info(&"ann".into()).unwrap().name, "ANN");
}

#[test]
fn who_becomes_hidden_is_gone_for_the_others_and_comes_back() {
    let mut world = World::new(RoomOptions::default());
    let ann = world.join("ann");
    let bob = world.join("bob");
    world.take();
    let hide = |hidden| ParticipantUpdate {
        permission: Some(proto::ParticipantPermission { hidden, ..permission() }),
        ..ParticipantUpdate::default()
    };
    update(&mut world, "ann", hide(true));
    let out = world.take();
    let told: Vec<State> = updates(&out, bob).iter().map(proto::ParticipantInfo::state).collect();
    assert_eq!(told, [State::Disconnected]);
    assert!(updates(&out, ann).iter().all(|info| info.state() == State::Active));
    let gone = updates(&out, bob)[0].version;
    update(&mut world, "ann", hide(false));
    let told = updates(&world.take(), bob);
    assert_eq!(told[0].state(), State::Active);
    assert!(told[0].version > gone, "or clients would take it for old");
}

#[test]
fn data_tracks_end_with_the_permission() {
    let mut world = World::new(RoomOptions::default());
    let ann = world.join("ann");
    let bob = world.join("bob");
    world.ask(
        ann,
        Request::PublishDataTrackRequest(proto::PublishDataTrackRequest {
            pub_handle: 1,
            name: "pulse".into(),
            ..Default::default()
        }),
    );
    world.take();
    let silent = proto::ParticipantPermission { can_publish_data: false, ..permission() };
    update(&mut world, "ann", ParticipantUpdate { permission: Some(silent), ..ParticipantUpdate::default() });
    let out = world.take();
    assert!(updates(&out, bob).last().unwrap().data_tracks.is_empty());
    let told = sent(&out, ann);
    assert!(told.iter().any(|message| matches!(message, Response::UnpublishDataTrackResponse(_))));
}

#[test]
fn data_of_the_server_goes_to_those_named_and_once_for_each_nonce() {
    let mut world = World::new(RoomOptions::default());
    for identity in ["ann", "bob", "eve"] {
        world.join(identity);
    }
    let (ann, eve_sid) = (world.key("ann"), world.sid("eve"));
    let eve = world.key("eve");
    world.take();
    let message = MessageOfServer {
        payload: Bytes::from_static(b"x"),
        topic: Some("desk".into()),
        nonce: vec![7; 16],
        ..MessageOfServer::default()
    };
    world.room.send_message(message.clone()).unwrap();
    world.room.send_message(message.clone()).unwrap();
    let out = world.take();
    let told = packets(&out);
    assert_eq!(told.len(), 1, "the same nonce again is the same message");
    assert_eq!(told[0].0.len(), 3);
    let Some(Value::User(user)) = &told[0].1.value else { panic!("a user packet") };
    assert_eq!((user.topic.as_deref(), user.nonce.len()), (Some("desk"), 16));
    let named = MessageOfServer {
        identities: vec!["ann".into()],
        sids: vec![eve_sid],
        lossy: true,
        nonce: Vec::new(),
        ..message
    };
    world.room.send_message(named.clone()).unwrap();
    world.room.send_message(named).unwrap();
    let out = world.take();
    assert!(commands(&out).iter().all(
        |command| matches!(command, MediaCommand::SendData { to, kind: DataKind::Lossy, .. } if *to == [ann, eve])
    ));
    assert_eq!(commands(&out).len(), 2, "without a nonce nothing is dropped");
    let full = MessageOfServer {
        payload: vec![0; 65_000].into(),
        topic: Some("t".repeat(1_000)),
        ..Default::default()
    };
    assert!(matches!(world.room.send_message(full).unwrap_err(), ControlError::TooLarge(_)));
}

#[test]
fn one_who_is_moved_gets_the_token_and_is_sent_to_connect_anew() {
    let mut world = World::new(RoomOptions::default());
    let ann = world.join("ann");
    let bob = world.join("bob");
    world.publish(ann, "mic", proto::TrackSource::Microphone);
    world.take();
    let destination = Destination {
        room: proto::Room { name: "other".into(), ..Default::default() },
        token: "jwt".into(),
        others: Vec::new(),
    };
    let now = world.now();
    assert_eq!(world.room.claims_to_move(&"ann".into()).unwrap().sub, "ann");
    world.room.move_away(&"ann".into(), destination.clone(), now).unwrap();
    let out = world.take();
    let told = sent(&out, ann);
    let [Response::RefreshToken(token), Response::RoomMoved(moved), Response::Leave(leave)] = &told[..]
    else {
        panic!("told in this order: {told:?}")
    };
    assert_eq!((token.as_str(), moved.token.as_str()), ("jwt", "jwt"));
    assert_eq!(moved.room.as_ref().unwrap().name, "other");
    assert_eq!((leave.reason(), leave.action()), (Reason::Migration, Action::Reconnect));
    assert!(closed(&out, ann));
    assert_eq!(updates(&out, bob).last().unwrap().state(), State::Disconnected);
    assert!(matches!(
        events(&out)[..],
        [
            RoomEventKind::TrackUnpublished { .. },
            RoomEventKind::ParticipantLeft { reason: Reason::Migration, .. }
        ]
    ));

    world.room.session_lost(bob, now);
    let lost = world.room.move_away(&"bob".into(), destination, now);
    assert_eq!(lost.unwrap_err(), ControlError::NotConnected, "it could not be told where to go");
    assert_eq!(world.room.participant_infos().len(), 1);
}

fn call(world: &mut World, number: u64, timeout_ms: u32) {
    let request = proto::PerformRpcRequest {
        method: "greet".into(),
        payload: "hi".into(),
        response_timeout_ms: timeout_ms,
        ..Default::default()
    };
    let now = world.now();
    world.room.perform_rpc(RpcCall(number), &"ann".into(), &request, now).unwrap();
}

/// The answers that came out.
fn answers(outputs: &[Output]) -> Vec<(u64, Result<String, u32>)> {
    outputs
        .iter()
        .filter_map(|output| match output {
            Output::RpcDone { call, result } => Some((call.0, result.clone().map_err(|fault| fault.code))),
            _ => None,
        })
        .collect()
}

fn answer(world: &mut World, from: &str, value: Value) {
    let participant = world.key(from);
    let data = proto::DataPacket { value: Some(value), ..Default::default() }.encode_to_vec();
    world.event(MediaEvent::Data { participant, kind: DataKind::Reliable, data: Bytes::from(data) });
}

fn payload(id: &str, text: &str) -> Value {
    Value::RpcResponse(proto::RpcResponse {
        request_id: id.into(),
        value: Some(proto::rpc_response::Value::Payload(text.into())),
    })
}

#[test]
fn a_participant_answers_a_call_of_the_server() {
    let mut world = World::new(RoomOptions::default());
    world.join("ann");
    world.join("eve");
    world.take();
    call(&mut world, 1, 0);
    let out = world.take();
    let (to, packet) = packets(&out).remove(0);
    assert_eq!(to, [world.key("ann")]);
    let Some(Value::RpcRequest(request)) = packet.value else { panic!("a request") };
    assert_eq!((request.method.as_str(), request.payload.as_str()), ("greet", "hi"));
    assert_eq!(packet.participant_identity, request.id, "to whom the answer goes");
    answer(&mut world, "eve", payload(&request.id, "forged"));
    assert!(answers(&world.take()).is_empty(), "only the one who was asked can answer");
    answer(&mut world, "ann", Value::RpcAck(proto::RpcAck { request_id: request.id.clone() }));
    world.advance(Duration::from_secs(8));
    answer(&mut world, "ann", payload(&request.id, "hello"));
    let out = world.take();
    assert_eq!(answers(&out), [(1, Ok("hello".to_owned()))]);
    assert!(packets(&out).is_empty(), "nobody else gets it");
}

#[test]
fn calls_that_nobody_answers_end() {
    let mut world = World::new(RoomOptions::default());
    let ann = world.join("ann");
    world.take();
    call(&mut world, 1, 0);
    world.advance(Duration::from_millis(7_500));
    assert_eq!(answers(&world.take()), [(1, Err(RpcFault::CONNECTION_TIMEOUT))]);
    call(&mut world, 2, 2_000);
    world.advance(Duration::from_millis(2_500));
    assert_eq!(answers(&world.take()), [(2, Err(RpcFault::RESPONSE_TIMEOUT))]);
    call(&mut world, 3, 0);
    world.ask(ann, Request::Leave(proto::LeaveRequest::default()));
    assert_eq!(answers(&world.take()), [(3, Err(RpcFault::RECIPIENT_DISCONNECTED))]);
    world.try_join(request("ann", grants())).unwrap();
    call(&mut world, 4, 0);
    assert_eq!(
        answers(&world.take()),
        [(4, Err(RpcFault::RECIPIENT_DISCONNECTED))],
        "it is not connected yet"
    );
}

#[test]
#[allow(deprecated)]
fn a_recorder_stays_one_and_refreshed_tokens_hold_what_was_changed() {
    let mut world = World::new(RoomOptions::default());
    world.join_with(request("rec", Grants { recorder: true, agent: true, ..grants() }));
    world.take();
    let changed = proto::ParticipantPermission { can_subscribe_metrics: true, ..permission() };
    let info = update(
        &mut world,
        "rec",
        ParticipantUpdate { permission: Some(changed), ..ParticipantUpdate::default() },
    );
    let kept = info.permission.unwrap();
    assert!(kept.recorder && kept.agent && kept.can_subscribe_metrics);
    let out = world.take();
    let fresh = out.iter().find_map(|output| match output {
        Output::RefreshToken { claims, .. } => claims.video.clone(),
        _ => None,
    });
    let fresh = fresh.unwrap();
    assert_eq!((fresh.can_subscribe_metrics, fresh.recorder), (Some(true), true));
    assert!(!fresh.permission().can_update_metadata, "what is not given is taken");
}
