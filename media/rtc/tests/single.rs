//! Protocol v1 over real sockets: publish, subscribe, take sections off and use them anew.

#![allow(clippy::unwrap_used)]

mod support;

use parley_media_rtc::*;
use str0m::{format::Codec, media::Mid};
use support::*;

/// Sends a frame on each layer, and a sound packet.
struct Source0 {
    video: Mid,
    audio: Mid,
    frame: u16,
}

impl Source0 {
    fn send(&mut self, client: &mut Client) {
        let (vp8_pt, opus_pt) = (client.pt(Codec::Vp8), client.pt(Codec::Opus));
        let keyframe = self.frame.is_multiple_of(10);
        self.frame += 1;
        for (index, rid) in ["q", "h", "f"].into_iter().enumerate() {
            let base = 3000 * (u64::try_from(index).unwrap() + 1);
            let packet = Packet {
                sequence: base + u64::from(self.frame),
                timestamp: 90_000 * (u32::try_from(index).unwrap() + 1) + 3000 * u32::from(self.frame),
                marker: true,
                audio_level: None,
                payload: vp8(self.frame, u8::try_from(self.frame % 256).unwrap(), keyframe, 200 * (index + 1)),
            };
            client.send_rtp(self.video, Some(rid), vp8_pt, packet);
        }
        let packet = Packet {
            sequence: 500 + u64::from(self.frame),
            timestamp: 960 * u32::from(self.frame),
            marker: false,
            audio_level: Some(-20),
            payload: vec![0x78; 60],
        };
        client.send_rtp(self.audio, None, opus_pt, packet);
    }
}

fn consecutive(sequences: &[u64]) -> bool {
    let mut sorted = sequences.to_vec();
    sorted.sort_unstable();
    sorted.windows(2).all(|pair| pair[0] + 1 == pair[1])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_and_a_microphone_reach_a_subscriber() {
    let mut scene = Scene::open().await;
    let (mut alice, mut bob) = (Client::new(), Client::new());
    scene.join(1, &mut alice, 1, 1).await;
    scene.join(2, &mut bob, 1, 1).await;
    let audio = scene.publish(1, &mut alice, track(10, "microphone", MediaKind::Audio), &[]).await;
    let video = scene.publish(1, &mut alice, track(11, "camera", MediaKind::Video), &["q", "h", "f"]).await;
    let mut source = Source0 { video, audio, frame: 0 };

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
    assert!(consecutive(&picture.sequences), "{:?}", picture.sequences);
    assert!(picture.sequences[0] < 65_536);
    assert_eq!(picture.payloads[0][6] & 1, 0, "the picture begins with a keyframe");
    let sound = &bob.got[&audio_mid];
    assert!(consecutive(&sound.sequences));
    assert_eq!(sound.audio_levels[0], Some(-20));
    assert!(sound.payloads.iter().all(|payload| payload == &vec![0x78; 60]));
    let metrics = scene.media.metrics();
    assert!(metrics.rtp_in > 100 && metrics.rtp_out > 50 && metrics.packets_out > 50);
    scene.stop().await;
}
