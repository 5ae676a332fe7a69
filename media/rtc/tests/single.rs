//! Protocol v1 over real sockets: publish, subscribe, take sections off and use them anew.

#![allow(clippy::unwrap_used)]

mod support;

use parley_media_rtc::*;
use str0m::{format::Codec, media::Mid};
use support::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_and_a_microphone_reach_a_subscriber() {
    let mut scene = Scene::open().await;
    let (mut alice, mut bob) = (Client::new(), Client::new());
    scene.join(1, &mut alice, 1, 1).await;
    scene.join(2, &mut bob, 1, 1).await;
    let audio = scene.publish(1, &mut alice, track(10, "microphone", MediaKind::Audio), &[]).await;
    let video = scene.publish(1, &mut alice, track(11, "camera", MediaKind::Video), &["q", "h", "f"]).await;
    let mut source = Sender { video: Some(video), audio: Some(audio), ..Sender::default() };

    let mut started = Vec::new();
    scene
        .until(&mut [&mut alice, &mut bob], "both tracks", |scene, clients| {
            source.send(clients[0]);
            for event in scene.seen.drain(..) {
                if let MediaEvent::TrackStarted { track, mime, mid, .. } = event {
                    started.push((track, mime, mid));
                }
            }
            started.len() == 2
        })
        .await;
    started.sort();
    assert_eq!(started[0], (TrackKey(10), "audio/opus".into(), audio.to_string()));
    assert_eq!(started[1], (TrackKey(11), "video/VP8".into(), video.to_string()));

    for key in [10, 11] {
        scene.room.subscribe(ParticipantKey(2), TrackKey(key), SlotSettings::default()).await.unwrap();
    }
    let answer = scene.reoffer(2, &mut bob).await;
    assert_eq!(answer.mid_to_track.len(), 2, "the sections made at join are enough");
    let mid_of = |sid: &str| answer.mid_to_track.iter().find(|(_, s)| s == sid).unwrap().0.clone();
    let (audio_mid, video_mid) = (mid_of("TR_10"), mid_of("TR_11"));
    assert!(answer.sdp.contains("a=msid:PA_11|TR_11 TR_11"));

    scene
        .until(&mut [&mut alice, &mut bob], "sound and picture", |_, clients| {
            source.send(clients[0]);
            let got = |mid: &str| clients[1].got.get(mid).map_or(0, |got| got.sequences.len());
            got(&audio_mid) > 30 && got(&video_mid) > 30
        })
        .await;
    let subscribed = scene.seen.iter().filter(|event| matches!(event, MediaEvent::Subscribed { .. })).count();
    assert_eq!(subscribed, 2);
    let picture = &bob.got[&video_mid];
    assert_eq!(gaps(&picture.sequences), []);
    assert!(picture.sequences[0] < 65_536);
    assert_eq!(picture.payloads[0][6] & 1, 0, "the picture begins with a keyframe");
    let sound = &bob.got[&audio_mid];
    assert_eq!(gaps(&sound.sequences), []);
    assert_eq!(sound.audio_levels[0], Some(-20));
    assert!(sound.payloads.iter().all(|payload| payload == &vec![0x78; 60]));
    let metrics = scene.media.metrics();
    assert!(metrics.rtp_in > 100 && metrics.rtp_out > 50 && metrics.packets_out > 50);
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_freed_section_shows_the_next_track_on_the_same_stream() {
    let mut scene = Scene::open().await;
    let (mut alice, mut bob) = (Client::new(), Client::new());
    scene.join(1, &mut alice, 1, 0).await;
    scene.join(2, &mut bob, 0, 0).await;
    let video = scene.publish(1, &mut alice, track(11, "camera", MediaKind::Video), &["q", "h", "f"]).await;
    let mut sender = Sender { video: Some(video), ..Sender::default() };
    scene.start_tracks(&mut alice, &mut sender, &[11]).await;
    let settings = SlotSettings::default();
    scene.room.subscribe(ParticipantKey(2), TrackKey(11), settings).await.unwrap();
    let answer = scene.reoffer(2, &mut bob).await;
    assert_eq!(bob.receiving.len(), 1, "one section was asked for");
    let mid = answer.mid_to_track[0].0.clone();
    scene.receive(&mut alice, &mut sender, &mut bob, &mid, 20).await;

    scene.room.unsubscribe(ParticipantKey(2), TrackKey(11)).await.unwrap();
    let answer = scene.reoffer(2, &mut bob).await;
    assert!(answer.mid_to_track.is_empty());
    assert!(answer.sdp.contains("a=inactive") && !answer.sdp.contains("msid:PA_"));
    let quiet = bob.got[&mid].sequences.len();

    scene.room.subscribe(ParticipantKey(2), TrackKey(11), settings).await.unwrap();
    let answer = scene.reoffer(2, &mut bob).await;
    assert_eq!(bob.receiving.len(), 1, "no further section was asked for");
    assert_eq!(answer.mid_to_track, [(mid.clone(), "TR_11".to_owned())]);
    scene.receive(&mut alice, &mut sender, &mut bob, &mid, 20).await;
    let got = &bob.got[&mid];
    assert_eq!(gaps(&got.sequences), [], "the stream goes on without a jump");
    assert_eq!(got.payloads[quiet][6] & 1, 0, "and with a keyframe");

    // The publisher goes: the section is freed by itself.
    scene.room.leave(ParticipantKey(1)).await.unwrap();
    let answer = scene.reoffer(2, &mut bob).await;
    assert!(answer.mid_to_track.is_empty());
    assert!(matches!(
        scene.room.subscribe(ParticipantKey(2), TrackKey(11), settings).await,
        Err(MediaError::UnknownTrack)
    ));
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn data_of_both_kinds_goes_both_ways() {
    let mut scene = Scene::open().await;
    let mut client = Client::new();
    scene.join(1, &mut client, 0, 0).await;
    assert!(client.send_data("_reliable", b"up"));
    assert!(client.send_data("_lossy", b"lossy up"));
    for (kind, text) in [(DataKind::Reliable, "up"), (DataKind::Lossy, "lossy up")] {
        let data = scene
            .event(&mut [&mut client], "data", |event| match event {
                MediaEvent::Data { kind: of, data, .. } if *of == kind => Some(data.clone()),
                _ => None,
            })
            .await;
        assert_eq!(data, bytes(text));
    }
    let to = vec![ParticipantKey(1), ParticipantKey(99)];
    scene.room.send_data(to.clone(), DataKind::Lossy, bytes("lossy down")).await.unwrap();
    scene.room.send_data(to.clone(), DataKind::DataTrack, bytes("track down")).await.unwrap();
    // More than the association buffers: what does not fit waits its turn.
    let large = bytes(&"x".repeat(60_000));
    for _ in 0..20 {
        scene.room.send_data(to.clone(), DataKind::Reliable, large.clone()).await.unwrap();
    }
    scene.until(&mut [&mut client], "all messages", |_, clients| clients[0].data.len() == 22).await;
    let of = |label: &str| client.data.iter().filter(|(of, _)| of == label).count();
    assert_eq!((of("_reliable"), of("_lossy"), of("_data_track")), (20, 1, 1));
    let too_large = bytes(&"x".repeat(64 * 1024 + 1));
    assert!(matches!(
        scene.room.send_data(to, DataKind::Reliable, too_large).await,
        Err(MediaError::Limit(_))
    ));
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ice_restarts_from_another_port() {
    let mut scene = Scene::open().await;
    let (mut alice, mut bob) = (Client::new(), Client::new());
    scene.join(1, &mut alice, 0, 0).await;
    scene.join(2, &mut bob, 0, 1).await;
    let video = scene.publish(1, &mut alice, track(11, "camera", MediaKind::Video), &["q", "h", "f"]).await;
    let mut sender = Sender { video: Some(video), ..Sender::default() };
    scene.start_tracks(&mut alice, &mut sender, &[11]).await;
    scene.room.subscribe(ParticipantKey(2), TrackKey(11), SlotSettings::default()).await.unwrap();
    let answer = scene.reoffer(2, &mut bob).await;
    let mid = answer.mid_to_track[0].0.clone();
    scene.receive(&mut alice, &mut sender, &mut bob, &mid, 10).await;

    let ufrag = |sdp: &str| sdp.lines().find(|line| line.starts_with("a=ice-ufrag:")).unwrap().to_owned();
    let offer = bob.restart_offer();
    let restarted = scene.room.offer(ParticipantKey(2), offer).await.unwrap();
    assert_ne!(ufrag(&answer.sdp), ufrag(&restarted.sdp));
    assert_eq!(restarted.mid_to_track, answer.mid_to_track, "the section is not lost");
    bob.accept(&restarted.sdp);
    scene.receive(&mut alice, &mut sender, &mut bob, &mid, 30).await;
    assert!(bob.send_data("_reliable", b"still here"));
    scene
        .event(&mut [&mut alice, &mut bob], "data after the restart", |event| match event {
            MediaEvent::Data { participant: ParticipantKey(2), .. } => Some(()),
            _ => None,
        })
        .await;
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_cannot_decode_gets_a_keyframe_asked_for() {
    let mut scene = Scene::open().await;
    let (mut alice, mut bob) = (Client::new(), Client::new());
    scene.join(1, &mut alice, 0, 0).await;
    scene.join(2, &mut bob, 0, 1).await;
    let video = scene.publish(1, &mut alice, track(11, "camera", MediaKind::Video), &["q", "h", "f"]).await;
    let mut sender = Sender { video: Some(video), ..Sender::default() };
    scene.start_tracks(&mut alice, &mut sender, &[11]).await;
    scene.room.subscribe(ParticipantKey(2), TrackKey(11), SlotSettings::default()).await.unwrap();
    let mid = scene.reoffer(2, &mut bob).await.mid_to_track[0].0.clone();
    scene.receive(&mut alice, &mut sender, &mut bob, &mid, 10).await;
    // No keyframe comes by itself, which would answer the request.
    sender.no_keyframes = true;
    let before = alice.keyframe_requests.len();
    bob.request_keyframe(Mid::from(mid.as_str()));
    scene
        .until(&mut [&mut alice, &mut bob], "a keyframe request", |_, clients| {
            sender.send(clients[0]);
            clients[0].keyframe_requests.len() > before
        })
        .await;
    assert_eq!(alice.keyframe_requests[0].mid, video);
    assert!(scene.media.metrics().keyframe_requests_in >= 1);
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn redundant_sound_is_unwrapped_for_those_who_cannot_take_it() {
    let mut scene = Scene::open().await;
    let plain = str0m::RtcConfig::new().clear_codecs().enable_opus(true, false).enable_vp8(true);
    let (mut alice, mut bob, mut carol) = (Client::new(), Client::with(plain), Client::new());
    scene.join(1, &mut alice, 0, 0).await;
    scene.join(2, &mut bob, 1, 0).await;
    scene.join(3, &mut carol, 1, 0).await;
    let mid = scene.publish(1, &mut alice, track(10, "microphone", MediaKind::Audio), &[]).await;
    let (red, opus) = (alice.red_pt(), alice.pt(Codec::Opus));
    // RFC 2198: one redundant block of 2 bytes, 960 ticks ago, then the primary.
    let offset_and_length: u32 = 960 << 10 | 2;
    let [_, a, b, c] = offset_and_length.to_be_bytes();
    let payload = vec![0x80 | opus, a, b, c, opus, 1, 2, 7, 7, 7];
    let mut sequence = 100;
    let mut send = |client: &mut Client| {
        sequence += 1;
        let timestamp = 960 * u32::try_from(sequence).unwrap();
        let payload = payload.clone();
        client.send_rtp(
            mid,
            None,
            red,
            Packet { sequence, timestamp, marker: false, audio_level: Some(-30), payload },
        );
    };
    let mut started = false;
    scene
        .until(&mut [&mut alice], "the track", |scene, clients| {
            send(clients[0]);
            started |= scene
                .seen
                .iter()
                .any(|event| matches!(event, MediaEvent::TrackStarted { mime, .. } if mime == "audio/red"));
            started
        })
        .await;
    let mut mids = Vec::new();
    for (key, client) in [(2, &mut bob), (3, &mut carol)] {
        scene.room.subscribe(ParticipantKey(key), TrackKey(10), SlotSettings::default()).await.unwrap();
        mids.push(scene.reoffer(key, client).await.mid_to_track[0].0.clone());
    }
    scene
        .until(&mut [&mut alice, &mut bob, &mut carol], "sound", |_, clients| {
            send(clients[0]);
            (1..3).all(|i| clients[i].got.get(&mids[i - 1]).is_some_and(|got| got.sequences.len() > 10))
        })
        .await;
    let (bob_got, carol_got) = (&bob.got[&mids[0]], &carol.got[&mids[1]]);
    assert!(bob_got.payloads.iter().all(|payload| payload == &[7, 7, 7]));
    assert_eq!(bob_got.payload_types[0], bob.pt(Codec::Opus));
    assert!(carol_got.payloads.iter().all(|got| got == &payload));
    assert_eq!(carol_got.payload_types[0], carol.red_pt());
    scene.stop().await;
}
