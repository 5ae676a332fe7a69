use bytes::Bytes;
use parley_media_rtc::DataKind;
use prost::Message as _;
use proto::data_packet::Value;

use super::*;

fn user(sequence: u32, to: &[&str]) -> proto::DataPacket {
    proto::DataPacket {
        participant_identity: "the queen".into(),
        destination_identities: to.iter().map(|name| (*name).to_owned()).collect(),
        sequence,
        value: Some(Value::User(proto::UserPacket { payload: b"hi".to_vec(), ..Default::default() })),
        ..Default::default()
    }
}

impl World {
    fn data(&mut self, from: &str, kind: DataKind, packet: &proto::DataPacket) {
        let participant = self.key(from);
        self.event(MediaEvent::Data { participant, kind, data: packet.encode_to_vec().into() });
    }

    /// Who gets data, and what.
    fn delivered(&mut self) -> Vec<(Vec<ParticipantKey>, DataKind, Bytes)> {
        self.take()
            .into_iter()
            .filter_map(|output| match output {
                Output::Media(MediaCommand::SendData { to, kind, data }) => Some((to, kind, data)),
                _ => None,
            })
            .collect()
    }
}

fn world() -> World {
    let mut world = World::new(RoomOptions::default());
    for identity in ["ann", "bob", "eve"] {
        world.join(identity);
    }
    world.take();
    world
}

#[test]
fn goes_to_all_others_with_the_true_sender() {
    let mut world = world();
    for kind in [DataKind::Reliable, DataKind::Lossy] {
        world.data("ann", kind, &user(0, &[]));
        let [(to, sent_kind, data)] = &world.delivered()[..] else { panic!("one delivery") };
        assert_eq!(*to, [world.key("bob"), world.key("eve")]);
        assert_eq!(*sent_kind, kind);
        let packet = proto::DataPacket::decode(data.clone()).unwrap();
        assert_eq!((packet.participant_identity.as_str(), packet.participant_sid), ("ann", world.sid("ann")));
        assert!(matches!(packet.value, Some(Value::User(packet)) if packet.payload == b"hi"));
    }
}

#[test]
fn obeys_destinations() {
    let mut world = world();
    world.data("ann", DataKind::Reliable, &user(0, &["eve", "nobody"]));
    assert_eq!(world.delivered()[0].0, [world.key("eve")]);
    world.data("ann", DataKind::Reliable, &user(0, &["nobody"]));
    assert!(world.delivered().is_empty());
    // Old clients name them in the user packet.
    let mut packet = user(0, &[]);
    #[allow(deprecated)]
    if let Some(Value::User(user)) = packet.value.as_mut() {
        user.destination_identities = vec!["bob".into()];
    }
    world.data("ann", DataKind::Reliable, &packet);
    assert_eq!(world.delivered()[0].0, [world.key("bob")]);
}

#[test]
fn needs_the_grant() {
    let mut world = world();
    world.join_with(request("quiet", Grants { can_publish_data: Some(false), ..grants() }));
    world.take();
    world.data("quiet", DataKind::Reliable, &user(0, &[]));
    assert!(world.delivered().is_empty());
}

#[test]
fn clients_speak_for_nobody_else() {
    let mut world = world();
    let transcription = |of: &str| proto::DataPacket {
        value: Some(Value::Transcription(proto::Transcription {
            transcribed_participant_identity: of.into(),
            ..Default::default()
        })),
        ..Default::default()
    };
    world.data("ann", DataKind::Reliable, &transcription("bob"));
    assert!(world.delivered().is_empty());
    world.data("ann", DataKind::Reliable, &transcription("ann"));
    assert_eq!(world.delivered().len(), 1);
    #[allow(deprecated)]
    let speaker = proto::DataPacket {
        value: Some(Value::Speaker(proto::ActiveSpeakerUpdate::default())),
        ..Default::default()
    };
    world.data("ann", DataKind::Reliable, &speaker);
    world.data("ann", DataKind::Reliable, &proto::DataPacket::default());
    assert!(world.delivered().is_empty());
    let participant = world.key("ann");
    let data = Bytes::from_static(&[0xff; 64]);
    world.event(MediaEvent::Data { participant, kind: DataKind::Reliable, data });
    assert!(world.delivered().is_empty());
}

#[test]
fn a_repeated_reliable_message_is_forwarded_once() {
    let mut world = world();
    for sequence in [1, 2, 2, 1, 3] {
        world.data("ann", DataKind::Reliable, &user(sequence, &[]));
    }
    assert_eq!(world.delivered().len(), 3);
}

#[test]
fn data_tracks_carry_the_rooms_handle() {
    let mut world = World::new(RoomOptions::default());
    let ann = world.join("ann");
    let bob = world.join("bob");
    world.join("eve");
    let publish = |name: &str, pub_handle| {
        Request::PublishDataTrackRequest(proto::PublishDataTrackRequest {
            pub_handle,
            name: name.into(),
            ..Default::default()
        })
    };
    world.take();
    world.ask(ann, publish("geo", 500));
    let out = world.take();
    let Response::PublishDataTrackResponse(response) = &sent(&out, ann)[0] else {
        panic!("the response first")
    };
    let sid = response.info.clone().unwrap().sid;
    assert_eq!(updates(&out, bob)[0].data_tracks.len(), 1);
    for (request, reason) in [
        (publish("geo", 501), proto::request_response::Reason::DuplicateName),
        (publish("x", 500), proto::request_response::Reason::DuplicateHandle),
        (publish("", 502), proto::request_response::Reason::InvalidName),
        (publish("y", 70_000), proto::request_response::Reason::InvalidHandle),
    ] {
        world.ask(ann, request);
        let out = world.take();
        assert!(
            matches!(&sent(&out, ann)[..], [Response::RequestResponse(response)] if response.reason() == reason)
        );
    }
    let mut packet = vec![0; 12];
    packet[2..4].copy_from_slice(&500u16.to_be_bytes());
    packet.extend(b"frame");
    let participant = world.key("ann");
    let event = MediaEvent::Data { participant, kind: DataKind::DataTrack, data: packet.clone().into() };
    world.event(event.clone());
    assert!(world.delivered().is_empty(), "nobody subscribes");

    let update =
        proto::update_data_subscription::Update { track_sid: sid.clone(), subscribe: true, options: None };
    world.ask(bob, Request::UpdateDataSubscription(proto::UpdateDataSubscription { updates: vec![update] }));
    let out = world.take();
    let Response::DataTrackSubscriberHandles(handles) = &sent(&out, bob)[0] else { panic!("handles") };
    let (handle, track) = handles.sub_handles.iter().next().unwrap();
    assert_eq!((track.track_sid.as_str(), track.publisher_identity.as_str()), (sid.as_str(), "ann"));
    world.event(event);
    let [(to, kind, data)] = &world.delivered()[..] else { panic!("one delivery") };
    assert_eq!((to.as_slice(), *kind), (&[world.key("bob")][..], DataKind::DataTrack));
    assert_eq!(u32::from(u16::from_be_bytes([data[2], data[3]])), *handle);
    assert_eq!(data[4..], packet[4..]);
}
