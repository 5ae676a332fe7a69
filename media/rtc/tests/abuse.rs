//! What a hostile or broken client can do: nothing to others.

#![allow(clippy::unwrap_used)]

mod support;

use std::{
    net::UdpSocket,
    time::{Duration, Instant},
};

use parley_media_rtc::*;
use rand::{Rng, SeedableRng, rngs::StdRng};
use str0m::rtp::{DirectWrite, RtpWrite};
use support::*;

#[tokio::test(flavor = "multi_thread")]
async fn garbage_on_the_port_is_counted_and_dropped() {
    let mut scene = Scene::open().await;
    let mut client = Client::new();
    scene.join(1, &mut client, 1, 1).await;
    let attacker = UdpSocket::bind("127.0.0.1:0").unwrap();
    let to = scene.media.candidates()[0];
    let mut random = StdRng::seed_from_u64(7);
    let before = scene.media.metrics();
    for first in 0..=255u8 {
        let length = random.random_range(1..1400);
        let mut datagram = vec![0u8; length];
        random.fill(&mut datagram[..]);
        datagram[0] = first;
        attacker.send_to(&datagram, to).unwrap();
    }
    attacker.send_to(&[], to).unwrap();
    // A binding request for nobody.
    let mut stun = vec![0, 1, 0, 12, 0x21, 0x12, 0xa4, 0x42];
    stun.extend([1; 12]);
    stun.extend([0, 6, 0, 8]);
    stun.extend(b"no:where");
    attacker.send_to(&stun, to).unwrap();
    assert!(client.send_data("_reliable", b"alive"));
    scene
        .event(&mut [&mut client], "data beside the garbage", |event| match event {
            MediaEvent::Data { data, .. } if data == &bytes("alive") => Some(()),
            _ => None,
        })
        .await;
    scene
        .until(&mut [&mut client], "all counted", |scene, _| {
            let now = scene.media.metrics();
            let garbage = now.dropped_garbage - before.dropped_garbage;
            let unknown = now.dropped_unknown_address - before.dropped_unknown_address;
            garbage + unknown >= 256 && now.dropped_unknown_ufrag > before.dropped_unknown_ufrag
        })
        .await;
    assert_eq!(scene.media.metrics().panics, 0);
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_data_ends_its_sender_and_not_the_room() {
    let mut scene = Scene::open().await;
    let (mut flooding, mut lively) = (Client::new(), Client::new());
    scene.join(1, &mut flooding, 0, 0).await;
    scene.join(2, &mut lively, 0, 0).await;
    // The scene keeps what it has seen, like a signaling side that does not get on.
    scene
        .until(&mut [&mut flooding, &mut lively], "the end of the flood", |scene, clients| {
            let failed = scene.media.metrics().connections_failed;
            for _ in 0..100 {
                if failed == 0 && !clients[0].send_data("_reliable", b"flood") {
                    break;
                }
            }
            failed > 0
        })
        .await;
    scene
        .event(&mut [&mut lively], "failure", |event| match event {
            MediaEvent::ConnectionState { participant, state: ConnectionState::Failed, .. } => {
                assert_eq!(*participant, ParticipantKey(1));
                Some(())
            }
            _ => None,
        })
        .await;
    assert!(lively.send_data("_reliable", b"alive"));
    scene
        .event(&mut [&mut lively], "data after the flood", |event| match event {
            MediaEvent::Data { data, .. } if data == &bytes("alive") => Some(()),
            _ => None,
        })
        .await;
    assert_eq!(scene.media.metrics().rooms_overloaded, 0);
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_descriptions_are_refused_and_the_peer_lives() {
    let mut scene = Scene::open().await;
    let mut client = Client::new();
    let key = ParticipantKey(1);
    scene.room.join(key, PeerMode::Single).await.unwrap();
    let good = client.offer_v1(1, 1);
    let no_fingerprint = good.replace("a=fingerprint:", "a=x-fingerprint:");
    let no_credentials = good.replace("a=ice-ufrag:", "a=x-ufrag:");
    let bad = ["", "hello", "v=0\r\n", &good[..good.len() / 2], &"x".repeat(300 * 1024), &no_credentials];
    for sdp in bad {
        let refused = scene.room.offer(key, sdp.to_owned()).await;
        let cut = &sdp[..sdp.len().min(40)];
        assert!(matches!(refused, Err(MediaError::BadSdp(_))), "{cut:?}: {refused:?}");
    }
    let answer = scene.room.offer(key, good).await.unwrap();
    client.accept(&answer.sdp);
    scene.until(&mut [&mut client], "connection", |_, clients| clients[0].connected).await;
    // Without a fingerprint nobody can be verified: the state machine gives up at once.
    let other = ParticipantKey(2);
    scene.room.join(other, PeerMode::Single).await.unwrap();
    assert!(matches!(scene.room.offer(other, no_fingerprint).await, Err(MediaError::BadSdp(_))));
    scene
        .event(&mut [&mut client], "failure", |event| match event {
            MediaEvent::ConnectionState { participant, state: ConnectionState::Failed, .. }
                if *participant == other =>
            {
                Some(())
            }
            _ => None,
        })
        .await;
    assert!(matches!(scene.room.answer(key, 1, "v=0".into()).await, Err(MediaError::BadSdp(_))));
    let unknown = ParticipantKey(3);
    assert!(matches!(scene.room.offer(unknown, String::new()).await, Err(MediaError::UnknownParticipant)));
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_falls_silent_is_given_up() {
    let mut scene = Scene::open_with(MediaConfig { idle_timeout: Duration::from_secs(1), ..config() }).await;
    let (mut silent, mut lively) = (Client::new(), Client::new());
    scene.join(1, &mut silent, 0, 0).await;
    scene.join(2, &mut lively, 0, 0).await;
    scene
        .until(&mut [&mut lively], "failure", |scene, clients| {
            clients[0].send_data("_lossy", b"tick");
            let failed = |event: &MediaEvent| {
                let MediaEvent::ConnectionState { participant, state, .. } = event else { return false };
                assert_eq!(*participant, ParticipantKey(1));
                *state == ConnectionState::Failed
            };
            scene.seen.iter().any(failed)
        })
        .await;
    assert!(matches!(
        scene.room.offer(ParticipantKey(1), lively.offer_v1(1, 0)).await,
        Err(MediaError::PeerFailed)
    ));
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_ends_with_its_last_handle_and_leaves_nothing() {
    let mut scene = Scene::open().await;
    let mut client = Client::new();
    scene.join(1, &mut client, 1, 1).await;
    let (other, mut events) = scene.media.open_room().await.unwrap();
    let second = other.clone();
    other.join(ParticipantKey(5), PeerMode::Dual).await.unwrap();
    drop(other);
    second.leave(ParticipantKey(5)).await.unwrap();
    drop(second);
    let mut reason = None;
    while let Some(event) = events.recv().await {
        if let MediaEvent::Closed { reason: why } = event {
            reason = Some(why);
        }
    }
    assert_eq!(reason, Some("all handles were dropped"));
    scene.room.close().await;
    scene
        .until(&mut [&mut client], "empty", |scene, _| {
            let now = scene.media.metrics();
            (now.rooms, now.participants, now.connections) == (0, 0, 0)
        })
        .await;
    assert!(matches!(scene.seen.last(), Some(MediaEvent::Closed { reason: "closed" })));
    let media = scene.media.clone();
    assert!(media.is_running());
    scene.stop().await;
    assert!(!media.is_running());
    assert!(matches!(media.open_room().await, Err(MediaError::Stopped)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_whose_events_nobody_reads_is_closed() {
    let media = Media::start(MediaConfig { event_queue: 16, ..config() }).unwrap();
    let (room, mut events) = media.open_room().await.unwrap();
    let mut refused = false;
    for key in 0..40 {
        // Each join in dual mode is an offer to tell of.
        refused |= room.join(ParticipantKey(key), PeerMode::Dual).await.is_err();
    }
    assert!(refused);
    let mut last = None;
    while let Some(event) = events.recv().await {
        last = Some(event);
    }
    assert!(matches!(last, Some(MediaEvent::Closed { reason: "overload" })));
    assert_eq!(media.metrics().rooms_overloaded, 1);
    media.shutdown(Duration::from_secs(10)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_packet_longer_than_any_path_takes_reaches_nobody() {
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
    scene.receive(&mut alice, &mut sender, &mut bob, &mid, 20).await;

    // More than the connection to a subscriber has room for, on each layer.
    let pt = alice.pt(str0m::format::Codec::Vp8);
    for (layer, rid) in (1u32..).zip(["q", "h", "f"]) {
        sender.frame += 1;
        let ssrc = alice.rtc.direct_api().stream_tx_by_mid(video, Some(rid.into())).unwrap().ssrc();
        let (sequence, timestamp) =
            (3_000 * layer + u32::from(sender.frame), 3_000 * u32::from(sender.frame));
        let payload = vp8(sender.frame, sender.frame.to_be_bytes()[1], false, 3_000);
        let mut bytes = Vec::new();
        scene
            .until(&mut [&mut alice, &mut bob], "a way past the queues", |_, clients| {
                let now = Instant::now();
                let Some(mut lane) = clients[0].rtc.direct_send(now) else { return false };
                let timestamp = 90_000 * layer + timestamp;
                let write =
                    RtpWrite::new(pt.into(), u64::from(sequence).into(), timestamp, now, payload.clone());
                lane.write_rtp(&ssrc, write.nackable(false), &mut bytes) == DirectWrite::Sent
            })
            .await;
        assert!(bytes.len() > 3_000);
        alice.wire.send(&bytes, scene.media.candidates()[0]);
    }
    scene.receive(&mut alice, &mut sender, &mut bob, &mid, 20).await;
    assert!(bob.got[&mid].payloads.iter().all(|payload| payload.len() < 3_000));
    let metrics = scene.media.metrics();
    assert_eq!((metrics.panics, metrics.dropped_garbage), (0, 3));
    scene.stop().await;
}
