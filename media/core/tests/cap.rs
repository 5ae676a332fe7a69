//! A publisher that sends more than it may.
#![allow(clippy::unwrap_used)]

mod support;

use parley_media_core::{ConnectionQuality, LinkStats, Output, ParticipantKey, SlotSettings, TrackKey};
use support::{Happened, Scene, camera, microphone};

const CAP: u64 = 1_000_000;
const PUBLISHER: ParticipantKey = ParticipantKey(1);

fn bytes(kbps: usize) -> usize {
    kbps * 1_000 / 8 / 30
}

/// One camera and one microphone, watched by one with bandwidth without limit.
fn scene(kbps: [usize; 3]) -> Scene {
    let mut scene = Scene::new(2);
    scene.room.set_publish_cap(CAP);
    scene.publish(camera(1, 1), false);
    scene.publish(microphone(2, 1), false);
    set(&mut scene, kbps);
    scene.watch(1, 2, 1, SlotSettings::default());
    scene.watch(2, 2, 2, SlotSettings::default());
    scene.estimate(2, 50_000_000);
    scene.room.handle_link_stats(PUBLISHER, LinkStats::default(), scene.now);
    scene
}

fn set(scene: &mut Scene, kbps: [usize; 3]) {
    let [low, mid, high] = kbps.map(bytes);
    scene.publisher(1).frame_bytes = Some([low, mid, high, 0]);
}

fn qualities(happened: &Happened) -> Vec<ConnectionQuality> {
    let quality = |output: &Output| match output {
        Output::Quality { participant: PUBLISHER, quality, .. } => Some(*quality),
        _ => None,
    };
    happened.outputs.iter().filter_map(quality).collect()
}

/// Sound goes on, each packet of it.
fn hears_all(happened: &Happened, millis: u64) {
    let heard = happened.to(2).len() as u64;
    assert!(heard.abs_diff(millis / 20) <= 2, "{heard} packets of sound in {millis} ms");
}

#[test]
fn who_keeps_to_it_is_not_touched() {
    let mut scene = scene([100, 250, 600]);
    let happened = scene.run(20_000);
    assert_eq!(scene.shown(1), Some(2));
    assert!(!qualities(&happened).contains(&ConnectionQuality::Poor));
    let frames = happened.to(1).iter().filter(|(packet, _)| packet.marker).count();
    assert!(frames > 590, "{frames} of 600");
}

#[test]
fn the_highest_layer_goes_first_and_comes_back() {
    let mut scene = scene([150, 500, 1_700]);
    let grace = scene.run(2_500);
    assert_eq!(scene.shown(1), Some(2), "an encoder needs a while to come down");
    assert!(!qualities(&grace).contains(&ConnectionQuality::Poor));
    let cut = scene.run(7_500);
    assert_eq!(scene.shown(1), Some(1));
    assert!(qualities(&cut).contains(&ConnectionQuality::Poor), "{:?}", qualities(&cut));
    assert_eq!(cut.pauses(), []);
    hears_all(&cut, 7_500);
    // The picture goes on: the next layer is asked for a keyframe at once.
    let stills = cut.to(1).windows(2).map(|pair| pair[1].1.timestamp.wrapping_sub(pair[0].1.timestamp)).max();
    assert!(stills.unwrap() < 90_000 / 5, "{stills:?}");
    let still_over = scene.run(20_000);
    let high = still_over.to(1).iter().filter(|(packet, _)| packet.spatial.0 == 2).count();
    assert_eq!(high, 0, "dropping it does not make room for it");
    set(&mut scene, [100, 250, 600]);
    let back = scene.run(20_000);
    assert_eq!(scene.shown(1), Some(2));
    assert_eq!(qualities(&back).last(), Some(&ConnectionQuality::Excellent));
}

#[test]
fn a_picture_that_is_too_large_as_a_whole_is_paused_and_sound_stays() {
    let mut scene = scene([1_500, 2_000, 2_500]);
    let happened = scene.run(10_000);
    assert_eq!(scene.shown(1), None);
    assert_eq!(happened.pauses().len(), 1, "the client is told");
    hears_all(&happened, 10_000);
    let later = scene.run(5_000);
    assert_eq!(later.to(1).len(), 0);
    hears_all(&later, 5_000);
    set(&mut scene, [100, 250, 600]);
    scene.run(20_000);
    assert_eq!(scene.shown(1), Some(2));
}

#[test]
fn who_takes_the_track_back_is_well_again() {
    let mut scene = scene([150, 500, 1_700]);
    let cut = scene.run(10_000);
    assert_eq!(qualities(&cut).last(), Some(&ConnectionQuality::Poor));
    scene.publishers.remove(&TrackKey(1));
    scene.room.remove_track(TrackKey(1), scene.now);
    let at_once = qualities(&scene.run(10));
    assert!(at_once.last() > Some(&ConnectionQuality::Poor), "{at_once:?}");
    assert_eq!(qualities(&scene.run(12_000)).last(), Some(&ConnectionQuality::Excellent));
}
