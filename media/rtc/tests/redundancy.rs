//! Redundant sound (RFC 2198), as clients see it.
#![allow(clippy::unwrap_used)]

mod support;

use parley_media_core::red::Red;
use parley_media_rtc::*;
use str0m::{format::Codec, media::Mid};
use support::{Client, Packet, Scene, track};

/// Ticks of a frame of 20 ms.
const FRAME: u32 = 960;

/// Without RED.
fn plain() -> Client {
    Client::with(str0m::RtcConfig::new().clear_codecs().enable_opus(true, false).enable_vp8(true))
}

fn send(client: &mut Client, mid: Mid, pt: u8, sequence: u64, payload: Vec<u8>) {
    let timestamp = FRAME * u32::try_from(sequence).unwrap();
    let packet = Packet { sequence, timestamp, marker: false, audio_level: Some(-30), payload };
    client.send_rtp(mid, None, pt, packet);
}

/// What a frame holds.
fn frame(sequence: u64) -> Vec<u8> {
    vec![0x78, sequence as u8, (sequence >> 8) as u8]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_that_was_lost_is_taken_from_the_packet_after_it() {
    let mut scene = Scene::open().await;
    let (mut alice, mut bob, mut carol) = (Client::new(), plain(), Client::new());
    scene.join(1, &mut alice, 0, 0).await;
    scene.join(2, &mut bob, 1, 0).await;
    scene.join(3, &mut carol, 1, 0).await;
    let mid = scene.publish(1, &mut alice, track(10, "microphone", MediaKind::Audio), &[]).await;
    let (red, opus) = (alice.red_pt(), alice.pt(Codec::Opus));
    let mut sequence = 100;
    // Every fifth packet is lost on the way to the server.
    let mut talk = |client: &mut Client| {
        sequence += 1;
        if sequence % 5 > 0 {
            let mut payload = Vec::new();
            let before = frame(sequence - 1);
            parley_media_core::red::write(opus, &[(FRAME, &before)], &frame(sequence), &mut payload);
            send(client, mid, red, sequence, payload);
        }
    };
    scene
        .until(&mut [&mut alice], "the track", |scene, clients| {
            talk(clients[0]);
            scene.seen.iter().any(|event| matches!(event, MediaEvent::TrackStarted { .. }))
        })
        .await;
    let mut mids = Vec::new();
    for (key, client) in [(2, &mut bob), (3, &mut carol)] {
        scene.room.subscribe(ParticipantKey(key), TrackKey(10), SlotSettings::default()).await.unwrap();
        mids.push(scene.reoffer(key, client).await.mid_to_track[0].0.clone());
    }
    scene
        .until(&mut [&mut alice, &mut bob, &mut carol], "sound", |_, clients| {
            talk(clients[0]);
            (1..3).all(|i| clients[i].got.get(&mids[i - 1]).is_some_and(|got| got.sequences.len() > 40))
        })
        .await;
    let (bob_got, carol_got) = (&bob.got[&mids[0]], &carol.got[&mids[1]]);
    let mut recovered = 0;
    for (place, payload) in bob_got.payloads.iter().enumerate() {
        let number = u64::from(payload[1]) | u64::from(payload[2]) << 8;
        recovered += u32::from(number.is_multiple_of(5));
        assert_eq!(*payload, frame(number));
        if let Some(before) = place.checked_sub(1) {
            let steps = (bob_got.sequences[place] - bob_got.sequences[before]) as u32;
            assert_eq!(steps, 1, "no gap, no repetition: {:?}", bob_got.sequences);
            assert_eq!(bob_got.timestamps[place].wrapping_sub(bob_got.timestamps[before]), FRAME);
        }
    }
    assert!(recovered >= 6, "{recovered} of {}", bob_got.payloads.len());
    assert!(scene.media.metrics().recovered_sound >= u64::from(recovered));
    // Who takes redundancy finds the frame in it: it is not sent again by itself.
    assert!(carol_got.payload_types.iter().all(|pt| *pt == carol.red_pt()));
    let gaps = carol_got.sequences.windows(2).filter(|pair| pair[1] - pair[0] == 2).count();
    assert!(gaps >= 6, "{:?}", carol_got.sequences);
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_loses_packets_gets_redundancy_and_others_do_not() {
    let mut scene = Scene::open().await;
    let (mut alice, mut bob, mut carol, mut dave) = (plain(), Client::new(), Client::new(), plain());
    scene.join(1, &mut alice, 0, 0).await;
    let mid = scene.publish(1, &mut alice, track(10, "microphone", MediaKind::Audio), &[]).await;
    let opus = alice.pt(Codec::Opus);
    let mut sequence = 100;
    let mut talk = |client: &mut Client| {
        sequence += 1;
        send(client, mid, opus, sequence, frame(sequence));
    };
    scene
        .until(&mut [&mut alice], "the track", |scene, clients| {
            talk(clients[0]);
            scene.seen.iter().any(|event| matches!(event, MediaEvent::TrackStarted { .. }))
        })
        .await;
    let mut mids = Vec::new();
    for (key, client) in [(2, &mut bob), (3, &mut carol), (4, &mut dave)] {
        scene.join(key, client, 1, 0).await;
        scene.room.subscribe(ParticipantKey(key), TrackKey(10), SlotSettings::default()).await.unwrap();
        mids.push(scene.reoffer(key, client).await.mid_to_track[0].0.clone());
    }
    (bob.loses, dave.loses) = (4, 4);
    let red = bob.red_pt();
    scene
        .until(&mut [&mut alice, &mut bob, &mut carol, &mut dave], "redundancy", |_, clients| {
            talk(clients[0]);
            let got = clients[1].got.get(&mids[0]);
            let holds = |payload: &&Vec<u8>| Red::parse(payload).is_some_and(|red| !red.earlier().is_empty());
            got.is_some_and(|got| {
                let packets = got.payload_types.iter().zip(&got.payloads);
                packets.filter(|(pt, _)| **pt == red).map(|(_, payload)| payload).filter(holds).count() > 20
            })
        })
        .await;
    let got = &bob.got[&mids[0]];
    let number = |payload: &[u8]| u64::from(payload[1]) | u64::from(payload[2]) << 8;
    for (pt, payload) in got.payload_types.iter().zip(&got.payloads).filter(|(pt, _)| **pt == red) {
        let red = Red::parse(payload).unwrap();
        let newest = number(red.primary);
        assert_eq!(red.primary, frame(newest), "payload type {pt}");
        for (block, distance) in red.earlier().iter().rev().zip(1..) {
            assert_eq!(block.payload, frame(newest - distance));
            assert_eq!(u64::from(block.offset), u64::from(FRAME) * distance);
        }
    }
    // Lossless, and without RED: as it was sent.
    for (client, mid) in [(&carol, &mids[1]), (&dave, &mids[2])] {
        let got = &client.got[mid];
        assert!(got.payloads.len() > 20 && got.payload_types.iter().all(|pt| *pt == client.pt(Codec::Opus)));
    }
    assert!(scene.media.metrics().redundant_out > 20);
    scene.stop().await;
}
