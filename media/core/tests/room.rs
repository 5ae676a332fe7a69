//! Scenarios of one room, told in its own terms.
#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use parley_media_core::{
    ConnectionQuality, LinkStats, Output, ParticipantKey, RtpIn, SlotKey, SlotSettings, Source, Spatial,
    TrackKey,
};
use support::{Scene, camera, microphone};

fn sized(width: u32, height: u32) -> SlotSettings {
    SlotSettings { width, height, ..SlotSettings::default() }
}

#[test]
fn the_layer_follows_the_tile() {
    let mut scene = Scene::new(2);
    scene.publish(camera(1, 1), false);
    scene.watch(1, 2, 1, sized(640, 360));
    scene.estimate(2, 20_000_000);
    scene.run(1000);
    assert_eq!(scene.shown(1), Some(1));
    scene.room.update_slot(SlotKey(1), sized(160, 90), scene.now);
    scene.run(1000);
    assert_eq!(scene.shown(1), Some(0));
    scene.room.update_slot(SlotKey(1), sized(1920, 1080), scene.now);
    let happened = scene.run(1000);
    assert_eq!(scene.shown(1), Some(2));
    assert!(happened.outputs.contains(&Output::SlotLayer { slot: SlotKey(1), spatial: Spatial(2) }));
}

#[test]
fn the_old_layer_continues_until_the_keyframe() {
    let mut scene = Scene::new(2);
    scene.publish(camera(1, 1), false);
    scene.watch(1, 2, 1, sized(320, 180));
    scene.estimate(2, 20_000_000);
    scene.run(1000);
    scene.obedient = false;
    scene.room.update_slot(SlotKey(1), sized(1280, 720), scene.now);
    let happened = scene.run(1900);
    assert_eq!(scene.shown(1), Some(0));
    assert!(happened.to(1).len() > 50, "goes on");
    let asked = happened.keyframes_asked();
    assert_eq!(asked, vec![(TrackKey(1), Spatial(2)); 4], "again every half second");
    scene.obedient = true;
    scene.run(700);
    assert_eq!(scene.shown(1), Some(2));
}

#[test]
fn many_receivers_ask_for_one_keyframe() {
    let mut scene = Scene::new(30);
    scene.publish(camera(1, 1), false);
    scene.run(1000);
    for person in 2..=30 {
        scene.watch(person as u32, person, 1, sized(320, 180));
    }
    let happened = scene.run(400);
    assert_eq!(happened.keyframes_asked(), [(TrackKey(1), Spatial(0))]);
    assert!((2..=30).all(|slot| scene.shown(slot) == Some(0)));
    for slot in 2..=30 {
        scene.room.handle_keyframe_request(SlotKey(slot), scene.now);
    }
    let happened = scene.run(1000);
    assert_eq!(happened.keyframes_asked().len(), 1, "merged and put off");
}

#[test]
fn bandwidth_lowers_pauses_and_brings_back_video_but_never_sound() {
    let mut scene = Scene::new(2);
    scene.publish(camera(1, 1), false);
    scene.publish(microphone(2, 1), false);
    scene.watch(1, 2, 1, SlotSettings::default());
    scene.watch(2, 2, 2, SlotSettings::default());
    scene.estimate(2, 20_000_000);
    scene.run(3000);
    assert_eq!(scene.shown(1), Some(2));
    scene.estimate(2, 600_000);
    scene.run(500);
    assert_eq!(scene.shown(1), Some(1), "down at once");
    scene.estimate(2, 40_000);
    let happened = scene.run(500);
    assert_eq!(happened.pauses(), [(SlotKey(1), true)]);
    assert!(happened.to(1).is_empty() && happened.to(2).len() >= 24);
    scene.estimate(2, 20_000_000);
    let happened = scene.run(200);
    assert!(happened.pauses().is_empty() && scene.shown(1).is_none(), "not at once");
    let happened = scene.run(1300);
    assert_eq!(happened.pauses(), [(SlotKey(1), false)]);
    assert_eq!(scene.shown(1), Some(0), "the least first");
    scene.run(1500);
    assert_eq!(scene.shown(1), Some(2));
}

#[test]
fn an_outage_pauses_pictures_and_holds_nothing_back() {
    let mut scene = Scene::new(2);
    scene.publish(camera(1, 1), false);
    scene.watch(1, 2, 1, SlotSettings::default());
    scene.estimate(2, 20_000_000);
    scene.run(3000);
    scene.estimate(2, 0);
    assert_eq!(scene.run(500).pauses(), [(SlotKey(1), true)]);
    scene.estimate(2, 20_000_000);
    assert_eq!(scene.run(500).pauses(), [(SlotKey(1), false)]);
    assert_eq!(scene.shown(1), Some(2), "what it had before");
}

#[test]
fn a_screen_comes_before_faces() {
    let mut scene = Scene::new(3);
    scene.publish(camera(1, 1), false);
    let mut screen = camera(2, 3);
    screen.source = Source::ScreenShare;
    scene.publish(screen, false);
    scene.watch(1, 2, 1, SlotSettings { priority: 9, ..SlotSettings::default() });
    scene.watch(2, 2, 2, SlotSettings::default());
    scene.estimate(2, 20_000_000);
    scene.run(3000);
    assert_eq!((scene.shown(1), scene.shown(2)), (Some(2), Some(2)));
    scene.estimate(2, 1_000_000);
    scene.run(1000);
    assert_eq!((scene.shown(1), scene.shown(2)), (Some(0), Some(2)));
}

#[test]
fn dynacast_tells_the_highest_layer_watched() {
    let mut scene = Scene::new(3);
    scene.publish(camera(1, 1), false);
    assert_eq!(scene.run(3000).wanted(), [None], "nobody watches");
    scene.watch(1, 2, 1, sized(320, 180));
    assert_eq!(scene.run(100).wanted(), [Some(Spatial(0))], "more at once");
    scene.watch(2, 3, 1, sized(1280, 720));
    assert_eq!(scene.run(100).wanted(), [Some(Spatial(2))]);
    scene.room.detach(SlotKey(2), scene.now);
    assert!(scene.run(1500).wanted().is_empty(), "less after a while");
    assert_eq!(scene.run(1500).wanted(), [Some(Spatial(0))]);
    scene.room.update_slot(SlotKey(1), SlotSettings { enabled: false, ..sized(320, 180) }, scene.now);
    assert_eq!(scene.run(3000).wanted(), [None]);
}

#[test]
fn a_layer_that_stops_is_replaced_by_the_best_that_lives() {
    let mut scene = Scene::new(2);
    scene.publish(camera(1, 1), false);
    scene.watch(1, 2, 1, SlotSettings::default());
    scene.estimate(2, 20_000_000);
    scene.run(1000);
    assert_eq!(scene.shown(1), Some(2));
    scene.publisher(1).switch_layer(Spatial(2), false);
    scene.run(1700);
    assert_eq!(scene.shown(1), Some(1));
    scene.publisher(1).switch_layer(Spatial(2), true);
    let happened = scene.run(100);
    assert_eq!(scene.shown(1), Some(2), "its first keyframe serves");
    assert!(happened.to(1)[0].0.spatial < Spatial(2) || happened.to(1)[0].0.entry);
}

#[test]
fn a_publisher_that_sends_no_high_layer_is_seen_at_once() {
    let mut scene = Scene::new(2);
    scene.publish(camera(1, 1), false);
    scene.publisher(1).switch_layer(Spatial(1), false);
    scene.publisher(1).switch_layer(Spatial(2), false);
    scene.watch(1, 2, 1, SlotSettings::default());
    let happened = scene.run(100);
    assert_eq!(scene.shown(1), Some(0));
    assert!(happened.to(1)[0].0.entry);
}

#[test]
fn fewer_frames_by_temporal_layers() {
    let mut scene = Scene::new(2);
    scene.publish(camera(1, 1), true);
    scene.watch(1, 2, 1, SlotSettings { fps: 15, ..sized(320, 180) });
    scene.estimate(2, 20_000_000);
    scene.run(2000);
    let happened = scene.run(1000);
    let frames: std::collections::BTreeSet<_> =
        happened.to(1).iter().map(|(packet, _)| packet.frame).collect();
    assert!((14..=16).contains(&frames.len()), "{}", frames.len());
    let sequences: Vec<_> = happened.to(1).iter().map(|(_, forward)| forward.sequence).collect();
    assert!(sequences.windows(2).all(|pair| pair[1] == pair[0] + 1), "no gap");
}

#[test]
fn muted_is_silent_both_ways() {
    let mut scene = Scene::new(2);
    scene.publish(camera(1, 1), false);
    scene.watch(1, 2, 1, SlotSettings::default());
    scene.run(500);
    scene.room.set_track_muted(TrackKey(1), true, scene.now);
    scene.estimate(2, 10_000);
    let happened = scene.run(2000);
    assert!(happened.forwards.is_empty(), "even if the publisher sends");
    assert!(happened.keyframes_asked().is_empty() && happened.pauses().is_empty());
    scene.room.handle_keyframe_request(SlotKey(1), scene.now);
    assert!(scene.run(100).keyframes_asked().is_empty());
    scene.estimate(2, 20_000_000);
    scene.room.set_track_muted(TrackKey(1), false, scene.now);
    let happened = scene.run(500);
    assert!(!happened.keyframes_asked().is_empty());
    assert!(happened.to(1)[0].0.entry);
}

#[test]
fn sections_are_used_anew_without_a_jump() {
    let mut scene = Scene::new(2);
    scene.publish(camera(1, 1), false);
    scene.publish(camera(2, 1), true);
    scene.watch(1, 2, 1, sized(320, 180));
    let first = scene.run(1000);
    scene.room.detach(SlotKey(1), scene.now);
    assert!(scene.run(1000).to(1).is_empty());
    scene.room.attach(SlotKey(1), TrackKey(2), sized(320, 180), scene.now);
    let second = scene.run(1000);
    let (_, last) = **first.to(1).last().unwrap();
    let (packet, next) = second.to(1)[0];
    assert!(packet.entry);
    assert_eq!(next.sequence, last.sequence + 1);
    let step = next.timestamp.wrapping_sub(last.timestamp);
    assert!((90_000..120_000).contains(&step), "a second and a bit: {step}");
    let (before, after) = (last.vp8.unwrap(), next.vp8.unwrap());
    assert_eq!(after.picture_id, before.picture_id.map(|id| id + 1));
    assert_eq!(after.tl0_pic_idx, before.tl0_pic_idx.map(|index| index.wrapping_add(1)));
}

#[test]
fn a_replaced_track_keeps_its_receivers_and_starts_anew() {
    let mut scene = Scene::new(2);
    scene.publish(camera(1, 1), false);
    scene.watch(1, 2, 1, sized(320, 180));
    let first = scene.run(1000);
    let mut single = camera(1, 1);
    single.layers.truncate(1);
    scene.publish(single, false);
    let second = scene.run(1000);
    let (packet, next) = second.to(1)[0];
    assert!(packet.entry);
    assert_eq!(next.sequence, first.to(1).last().unwrap().1.sequence + 1);
}

#[test]
fn padding_closes_up_and_unknown_layers_are_ignored() {
    let mut scene = Scene::new(2);
    scene.publish(camera(1, 1), false);
    scene.publishers.clear();
    scene.watch(1, 2, 1, sized(320, 180));
    let mut out = Vec::new();
    let keyframe = support::payload(true, true, 7, 7, 0, false);
    let inter = support::payload(true, false, 8, 8, 0, false);
    let packets: [(u64, u8, &[u8]); 5] =
        [(10, 0, &keyframe), (11, 0, &[]), (12, 0, &[0x90]), (13, 3, &keyframe), (13, 0, &inter)];
    for (sequence, spatial, payload) in packets {
        let packet = RtpIn {
            track: TrackKey(1),
            spatial: Spatial(spatial),
            sequence,
            timestamp: sequence as u32 * 3000,
            marker: true,
            audio_level_dbov: None,
            voice_activity: None,
            dependency_descriptor: None,
            sender_report: None,
            payload,
        };
        scene.room.handle_rtp(&packet, scene.now, &mut out);
    }
    let sequences: Vec<_> = out.iter().map(|forward| forward.sequence).collect();
    assert_eq!(sequences, [1, 2]);
}

#[test]
fn speakers_come_and_go() {
    let mut scene = Scene::new(2);
    scene.publish(microphone(1, 1), false);
    scene.publisher(1).level = -15;
    let speakers = |outputs: &[Output]| -> Vec<(u64, bool)> {
        let of = |output: &Output| match output {
            Output::Speakers(list) => Some(list.clone()),
            _ => None,
        };
        outputs
            .iter()
            .filter_map(of)
            .flatten()
            .map(|speaker| (speaker.participant.0, speaker.active))
            .collect()
    };
    assert_eq!(speakers(&scene.run(3000).outputs), [(1, true)], "once, as nothing changes");
    scene.publisher(1).level = -90;
    assert_eq!(speakers(&scene.run(3000).outputs), [(1, false)]);
    scene.publisher(1).level = -15;
    scene.run(1000);
    scene.room.set_track_muted(TrackKey(1), true, scene.now);
    assert_eq!(speakers(&scene.run(450).outputs), [(1, false)], "muted: at once");
}

#[test]
fn quality_is_reported_on_change_and_now_and_then() {
    let mut scene = Scene::new(1);
    let good = LinkStats { rtt: Some(Duration::from_millis(40)), ..LinkStats::default() };
    scene.room.handle_link_stats(ParticipantKey(1), good, scene.now);
    let reports = |outputs: Vec<Output>| -> Vec<ConnectionQuality> {
        let of = |output| match output {
            Output::Quality { quality, .. } => Some(quality),
            _ => None,
        };
        outputs.into_iter().filter_map(of).collect()
    };
    assert_eq!(reports(scene.run(100).outputs), [ConnectionQuality::Excellent]);
    assert_eq!(reports(scene.run(5000).outputs), [ConnectionQuality::Excellent], "by time");
    let bad = LinkStats { loss_up: 0.3, ..good };
    scene.room.handle_link_stats(ParticipantKey(1), bad, scene.now);
    assert!(reports(scene.run(5).outputs)[0] < ConnectionQuality::Excellent);
}

#[test]
fn an_empty_room_wants_nothing() {
    let mut scene = Scene::new(3);
    scene.publish(camera(1, 1), false);
    scene.publish(microphone(2, 2), false);
    scene.watch(1, 2, 1, SlotSettings::default());
    scene.run(2000);
    for person in 1..=3 {
        scene.room.remove_participant(ParticipantKey(person), scene.now);
    }
    // What was said before the last one left.
    scene.run(5);
    let happened = scene.run(10_000);
    assert!(happened.forwards.is_empty() && happened.outputs.is_empty(), "{:?}", happened.outputs);
    assert_eq!(scene.room.poll_timeout(), None);
}

#[test]
fn the_desired_rate_is_that_of_the_layers_wished_for() {
    let mut scene = Scene::new(2);
    scene.publish(camera(1, 1), false);
    scene.publishers.clear();
    scene.watch(1, 2, 1, SlotSettings::default());
    let desired = |outputs: Vec<Output>| -> Vec<u64> {
        let of = |output| match output {
            Output::DesiredBitrate { bps, .. } => Some(bps),
            _ => None,
        };
        outputs.into_iter().filter_map(of).collect()
    };
    assert_eq!(desired(scene.run(100).outputs), [1_700_000]);
    scene.room.update_slot(SlotKey(1), sized(640, 360), scene.now);
    assert_eq!(desired(scene.run(100).outputs), [500_000]);
    scene.room.detach(SlotKey(1), scene.now);
    assert_eq!(desired(scene.run(100).outputs), [0]);
}
