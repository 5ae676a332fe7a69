use parley_media_rtc::{SlotSettings, Spatial};
use proto::{TrackSource, TrackType, request_response::Reason};

use super::*;

fn subscribed(outputs: &[Output]) -> Vec<ParticipantKey> {
    commands(outputs)
        .into_iter()
        .filter_map(|command| match command {
            MediaCommand::Subscribe { participant, .. } => Some(*participant),
            _ => None,
        })
        .collect()
}

fn unsubscribed(outputs: &[Output]) -> usize {
    commands(outputs)
        .into_iter()
        .filter(|command| matches!(command, MediaCommand::Unsubscribe { .. }))
        .count()
}

fn refusal(outputs: &[Output], session: SessionId) -> Option<Reason> {
    sent(outputs, session).into_iter().find_map(|message| match message {
        Response::RequestResponse(response) => Some(response.reason()),
        _ => None,
    })
}

#[test]
fn a_track_is_told_when_its_offer_is_answered() {
    let mut world = World::new(RoomOptions::default());
    let ann = world.join("ann");
    let bob = world.join("bob");
    world.take();
    let add = proto::AddTrackRequest { cid: "cam".into(), r#type: 1, source: 1, ..Default::default() };
    world.ask(ann, Request::AddTrack(add));
    let out = world.take();
    assert!(matches!(&sent(&out, ann)[..], [Response::TrackPublished(published)] if published.cid == "cam"));
    assert!(matches!(commands(&out)[..], [MediaCommand::DeclareTrack { .. }]));
    assert!(updates(&out, bob).is_empty(), "not before it is negotiated");

    world.negotiate(ann, "a=msid:stream other\r\n");
    assert!(updates(&world.take(), bob).is_empty(), "nor by another offer");
    world.negotiate(ann, "a=msid:stream cam\r\n");
    let out = world.take();
    assert!(
        sent(&out, ann).iter().any(|message| matches!(message, Response::Answer(answer) if answer.id == 3))
    );
    let told = updates(&out, bob);
    assert_eq!(told[0].tracks.len(), 1);
    assert_eq!(told[0].tracks[0].source(), TrackSource::Camera);
    assert_eq!(subscribed(&out), [world.key("bob")]);
    assert!(matches!(events(&out)[..], [RoomEventKind::TrackPublished { source: TrackSource::Camera, .. }]));
}

#[test]
fn newcomers_are_subscribed_before_their_first_offer() {
    let mut world = World::new(RoomOptions::default());
    let ann = world.join("ann");
    world.publish(ann, "cam", TrackSource::Camera);
    world.take();
    let mut join = request("bob", grants());
    join.offer = Some(proto::SessionDescription { sdp: "v=0".into(), ..Default::default() });
    world.join_with(join);
    let out = world.take();
    assert!(matches!(
        commands(&out)[..],
        [MediaCommand::Join { .. }, MediaCommand::Subscribe { .. }, MediaCommand::Offer { .. }]
    ));
}

#[test]
fn grants_decide_what_may_be_published() {
    let mut world = World::new(RoomOptions::default());
    let mute = world.join_with(request("mute", Grants { can_publish: Some(false), ..grants() }));
    let voice = world
        .join_with(request("voice", Grants { can_publish_sources: vec!["microphone".into()], ..grants() }));
    let nonsense = world
        .join_with(request("nonsense", Grants { can_publish_sources: vec!["window".into()], ..grants() }));
    for (session, source, kind, allowed) in [
        (mute, TrackSource::Microphone, TrackType::Audio, false),
        (voice, TrackSource::Camera, TrackType::Video, false),
        (voice, TrackSource::Microphone, TrackType::Video, false),
        (voice, TrackSource::Microphone, TrackType::Audio, true),
        (nonsense, TrackSource::Unknown, TrackType::Video, false),
        (nonsense, TrackSource::Camera, TrackType::Video, false),
    ] {
        world.take();
        let add = proto::AddTrackRequest {
            cid: "c".into(),
            source: source as i32,
            r#type: kind as i32,
            ..Default::default()
        };
        world.ask(session, Request::AddTrack(add));
        let out = world.take();
        assert_eq!(commands(&out).is_empty(), !allowed);
        assert_eq!(refusal(&out, session), (!allowed).then_some(Reason::NotAllowed));
    }
}

#[test]
fn the_number_of_tracks_is_limited() {
    let mut world = World::new(RoomOptions::default());
    let ann = world.join("ann");
    for number in 0..70 {
        world.take();
        let add = proto::AddTrackRequest { cid: format!("c{number}"), ..Default::default() };
        world.ask(ann, Request::AddTrack(add));
    }
    assert_eq!(refusal(&world.take(), ann), Some(Reason::LimitExceeded));
    assert_eq!(world.room.tracks.len(), 64);
}

#[test]
fn who_may_not_subscribe_gets_nothing() {
    let mut world = World::new(RoomOptions::default());
    let deaf = world.join_with(request("deaf", Grants { can_subscribe: Some(false), ..grants() }));
    let ann = world.join("ann");
    world.take();
    let sid = world.publish(ann, "cam", TrackSource::Camera);
    assert!(subscribed(&world.take()).is_empty());
    let wish = proto::UpdateSubscription { track_sids: vec![sid], subscribe: true, ..Default::default() };
    world.ask(deaf, Request::Subscription(wish));
    let out = world.take();
    assert!(subscribed(&out).is_empty());
    assert!(matches!(sent(&out, deaf)[..], [Response::SubscriptionResponse(_)]));
}

#[test]
fn subscriptions_follow_the_client() {
    let mut world = World::new(RoomOptions::default());
    let ann = world.join("ann");
    let sid = world.publish(ann, "cam", TrackSource::Camera);
    let mut join = request("bob", grants());
    join.auto_subscribe = false;
    let bob = world.join_with(join);
    assert!(subscribed(&world.take()).is_empty());

    let by_participant =
        proto::ParticipantTracks { participant_sid: world.sid("ann"), track_sids: vec![sid.clone()] };
    let wish = |subscribe| proto::UpdateSubscription {
        subscribe,
        participant_tracks: vec![by_participant.clone()],
        ..Default::default()
    };
    world.ask(bob, Request::Subscription(wish(true)));
    world.ask(bob, Request::Subscription(wish(true)));
    assert_eq!(subscribed(&world.take()).len(), 1, "once");
    world.ask(bob, Request::Subscription(wish(false)));
    assert_eq!(unsubscribed(&world.take()), 1);
    let unknown =
        proto::UpdateSubscription { track_sids: vec!["TR_no".into()], subscribe: true, ..Default::default() };
    world.ask(bob, Request::Subscription(unknown));
    assert!(matches!(sent(&world.take(), bob)[..], [Response::SubscriptionResponse(_)]));
}

#[test]
fn a_subscription_without_a_place_is_wished_again_later() {
    let mut world = World::new(RoomOptions::default());
    let ann = world.join("ann");
    let bob = world.join("bob");
    let sid = world.publish(ann, "cam", TrackSource::Camera);
    let (key, track) = (world.key("bob"), world.room.by_track_sid[&sid.as_str().into()]);
    assert_eq!(subscribed(&world.take()), [key]);
    world.room.not_subscribed(key, track);
    let out = world.take();
    assert!(!closed(&out, bob) && commands(&out).is_empty());
    let wish = proto::UpdateSubscription { track_sids: vec![sid], subscribe: true, ..Default::default() };
    world.ask(bob, Request::Subscription(wish));
    assert_eq!(subscribed(&world.take()), [key]);
}

#[test]
fn who_has_left_is_not_remembered_as_speaking() {
    let mut world = World::new(RoomOptions::default());
    let ann = world.join("ann");
    world.join("bob");
    let participant = world.key("ann");
    world.ask(ann, Request::Leave(proto::LeaveRequest::default()));
    let speaker = parley_media_rtc::Speaker { participant, level: 0.5, active: true };
    world.event(MediaEvent::Speakers(vec![speaker]));
    assert!(world.room.speakers.is_empty());
}

#[test]
fn track_settings_become_slot_settings() {
    let mut world = World::new(RoomOptions::default());
    let ann = world.join("ann");
    let sid = world.publish(ann, "cam", TrackSource::Camera);
    let bob = world.join("bob");
    let base = proto::UpdateTrackSettings { track_sids: vec![sid], ..Default::default() };
    let high = proto::VideoQuality::High as i32;
    let table = [
        (
            proto::UpdateTrackSettings { width: 320, height: 180, fps: 15, priority: 1, ..base.clone() },
            SlotSettings { width: 320, height: 180, fps: 15, priority: 999, ..SlotSettings::default() },
        ),
        (base.clone(), SlotSettings { max_spatial: Some(Spatial(0)), ..SlotSettings::default() }),
        (proto::UpdateTrackSettings { quality: high, ..base.clone() }, SlotSettings::default()),
        (
            proto::UpdateTrackSettings { quality: high, disabled: true, ..base },
            SlotSettings { enabled: false, ..SlotSettings::default() },
        ),
    ];
    for (update, expected) in table {
        world.take();
        world.ask(bob, Request::TrackSetting(update));
        let out = world.take();
        let [MediaCommand::UpdateSubscription { settings, .. }] = commands(&out)[..] else {
            panic!("one command")
        };
        assert_eq!(*settings, expected);
    }
}

#[test]
fn a_publisher_chooses_who_receives() {
    let mut world = World::new(RoomOptions::default());
    let ann = world.join("ann");
    let bob = world.join("bob");
    let eve = world.join("eve");
    let sid = world.publish(ann, "cam", TrackSource::Camera);
    world.take();
    let only_bob = proto::SubscriptionPermission {
        all_participants: false,
        track_permissions: vec![proto::TrackPermission {
            participant_identity: "bob".into(),
            all_tracks: true,
            ..Default::default()
        }],
    };
    world.ask(ann, Request::SubscriptionPermission(only_bob));
    let out = world.take();
    assert_eq!(unsubscribed(&out), 1);
    assert!(sent(&out, bob).is_empty());
    assert!(matches!(&sent(&out, eve)[..],
        [Response::SubscriptionPermissionUpdate(update)] if !update.allowed && update.track_sid == sid));
    // Asking does not help.
    let wish = proto::UpdateSubscription { track_sids: vec![sid], subscribe: true, ..Default::default() };
    world.ask(eve, Request::Subscription(wish));
    assert!(subscribed(&world.take()).is_empty());
    // New tracks are covered as well; opening up serves who waits.
    world.publish(ann, "screen", TrackSource::ScreenShare);
    assert_eq!(subscribed(&world.take()), [world.key("bob")]);
    let all = proto::SubscriptionPermission { all_participants: true, track_permissions: Vec::new() };
    world.ask(ann, Request::SubscriptionPermission(all));
    assert_eq!(subscribed(&world.take()), [world.key("eve"), world.key("eve")]);
}

#[test]
fn muting_is_told_and_only_by_the_owner() {
    let mut world = World::new(RoomOptions::default());
    let ann = world.join("ann");
    let bob = world.join("bob");
    let sid = world.publish(ann, "mic", TrackSource::Microphone);
    world.take();
    let mute = proto::MuteTrackRequest { sid: sid.clone(), muted: true };
    world.ask(bob, Request::Mute(mute.clone()));
    assert!(commands(&world.take()).is_empty());
    world.ask(ann, Request::Mute(mute));
    let out = world.take();
    assert!(updates(&out, bob)[0].tracks[0].muted);
    assert!(matches!(commands(&out)[..], [MediaCommand::MuteTrack { muted: true, .. }]));
    let now = world.now();
    assert!(world.room.force_mute(&sid.as_str().into(), false, now));
    assert!(matches!(&sent(&world.take(), ann)[0], Response::Mute(request) if !request.muted));
}

#[test]
fn a_track_taken_out_of_the_offer_is_gone() {
    let mut world = World::new(RoomOptions::default());
    let ann = world.join("ann");
    let bob = world.join("bob");
    let sid = world.publish(ann, "cam", TrackSource::Camera);
    let track = world.room.by_track_sid[&sid.as_str().into()];
    world.take();
    let participant = world.key("ann");
    world.event(MediaEvent::TrackEnded { participant, track });
    let out = world.take();
    assert!(updates(&out, bob)[0].tracks.is_empty());
    assert!(matches!(events(&out)[..], [RoomEventKind::TrackUnpublished { .. }]));
    assert!(world.room.tracks.is_empty() && world.room.by_track_sid.is_empty());
    world.event(MediaEvent::TrackEnded { participant, track });
    assert!(world.take().is_empty());
}

#[test]
fn revoked_permissions_end_tracks_and_subscriptions() {
    let mut world = World::new(RoomOptions::default());
    let ann = world.join("ann");
    let bob = world.join("bob");
    world.publish(ann, "cam", TrackSource::Camera);
    world.publish(bob, "cam", TrackSource::Camera);
    world.take();
    let now = world.now();
    let none = proto::ParticipantPermission::default();
    assert!(world.room.set_permission(&"ann".into(), none, now));
    let out = world.take();
    assert!(sent(&out, ann).iter().any(|message| matches!(message, Response::TrackUnpublished(_))));
    assert_eq!(unsubscribed(&out), 1);
    let info = updates(&out, bob).pop().unwrap();
    assert!(info.tracks.is_empty() && !info.permission.unwrap().can_publish);
    let refreshed = out.iter().find_map(|output| match output {
        Output::RefreshToken { claims, .. } => claims.video.clone(),
        _ => None,
    });
    assert_eq!(refreshed.unwrap().can_publish, Some(false));
}

#[test]
fn metadata_changes_need_the_grant_and_have_limits() {
    let mut world = World::new(RoomOptions::default());
    let ann = world.join("ann");
    let fixed = world.join_with(request("fixed", Grants::join("r")));
    let set = |metadata: String| proto::UpdateParticipantMetadata {
        metadata,
        name: "New".into(),
        attributes: [("a".to_owned(), "1".to_owned())].into(),
        request_id: 9,
    };
    for (session, update, expected) in [
        (fixed, set("m".into()), Reason::NotAllowed),
        (ann, set("x".repeat(65 * 1024)), Reason::LimitExceeded),
        (ann, set("m".into()), Reason::Ok),
    ] {
        world.take();
        world.ask(session, Request::UpdateMetadata(update));
        let out = world.take();
        assert_eq!(refusal(&out, session), Some(expected));
        assert_eq!(updates(&out, fixed).is_empty(), expected != Reason::Ok);
    }
    let ann_now = &world.room.participants[&world.key("ann")];
    assert_eq!((ann_now.name.as_str(), ann_now.metadata.as_str()), ("New", "m"));
    world.take();
    let unset = proto::UpdateParticipantMetadata {
        attributes: [("a".to_owned(), String::new())].into(),
        ..Default::default()
    };
    world.ask(ann, Request::UpdateMetadata(unset));
    assert!(updates(&world.take(), fixed)[0].attributes.is_empty());
}
