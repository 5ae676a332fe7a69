//! What is left out when the server is short of time, and how it comes back.
#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use parley_media_core::{Overload, SlotKey, SlotSettings, Source, TrackConfig};
use support::{Happened, Scene, camera, microphone};

const CAMERA: u32 = 1;
const SCREEN: u32 = 2;
const PINNED: u32 = 3;
const SOUND: u32 = 4;

/// One who sends it all, another who sees it.
fn scene() -> Scene {
    let mut scene = Scene::new(2);
    scene.publish(camera(1, 1), true);
    scene.publish(TrackConfig { source: Source::ScreenShare, ..camera(2, 1) }, true);
    scene.publish(camera(3, 1), true);
    scene.publish(microphone(4, 1), false);
    scene.estimate(2, 50_000_000);
    let pinned = SlotSettings { priority: 1, ..SlotSettings::default() };
    for (slot, settings) in [
        (CAMERA, SlotSettings::default()),
        (SCREEN, SlotSettings::default()),
        (PINNED, pinned),
        (SOUND, SlotSettings::default()),
    ] {
        scene.watch(slot, 2, u64::from(slot), settings);
    }
    scene.run(3_000);
    scene
}

fn frames(happened: &Happened, slot: u32) -> usize {
    happened.to(slot).iter().filter(|(_, forward)| forward.marker).count()
}

fn set(scene: &mut Scene, overload: Overload) {
    let now = scene.now;
    scene.room.set_overload(overload, now);
}

#[test]
fn the_order_is_frames_then_cameras_then_all_pictures_and_never_sound() {
    let mut scene = scene();
    let whole = scene.run(2_000);
    let sound = whole.to(SOUND).len();
    set(&mut scene, Overload::Thin);
    let thin = scene.run(2_000);
    for slot in [CAMERA, SCREEN, PINNED] {
        let (before, after) = (frames(&whole, slot), frames(&thin, slot));
        assert!(after * 3 < before && after > 10, "a quarter of the frames: {before} {after}");
    }
    assert_eq!((thin.pauses(), scene.room.shed()), (vec![], 0));
    set(&mut scene, Overload::Few);
    let few = scene.run(2_000);
    assert_eq!(few.pauses(), [(SlotKey(CAMERA), true)]);
    assert_eq!((few.to(CAMERA).len(), scene.room.shed()), (0, 1));
    assert!(frames(&few, SCREEN) > 10 && frames(&few, PINNED) > 10);
    set(&mut scene, Overload::SoundOnly);
    let least = scene.run(2_000);
    assert_eq!(least.pauses(), [(SlotKey(SCREEN), true), (SlotKey(PINNED), true)]);
    for slot in [CAMERA, SCREEN, PINNED] {
        assert_eq!(least.to(slot).len(), 0);
    }
    for happened in [&thin, &few, &least] {
        assert!(happened.to(SOUND).len().abs_diff(sound) <= 1, "sound goes on");
    }
}

#[test]
fn everything_comes_back_at_once_and_in_unbroken_numbers() {
    let mut scene = scene();
    let mut forwards = scene.run(1_000).forwards;
    for overload in [Overload::SoundOnly, Overload::Few, Overload::Thin, Overload::None] {
        set(&mut scene, overload);
        forwards.extend(scene.run(1_500).forwards);
    }
    let back = scene.run(1_000);
    for slot in [CAMERA, SCREEN, PINNED] {
        assert!(frames(&back, slot) > 20, "the whole rate");
        assert_eq!(scene.shown(slot), Some(2));
        let own = forwards.iter().filter(|(_, forward)| forward.slot == SlotKey(slot));
        let mut numbers: Vec<u64> = own.map(|(_, forward)| forward.sequence).collect();
        numbers.sort_unstable();
        assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "no gap");
    }
    assert_eq!(scene.room.shed(), 0);
}

#[test]
fn publishers_stop_what_is_not_sent_on_and_begin_again() {
    let mut scene = scene();
    set(&mut scene, Overload::SoundOnly);
    let wanted = scene.run(4_000).wanted();
    assert_eq!(wanted, [None, None, None], "nobody is shown any of the three");
    set(&mut scene, Overload::None);
    assert_eq!(scene.run(100).wanted().len(), 3, "told at once");
    let began = scene.now;
    scene.run(1_000);
    assert!(scene.now - began <= Duration::from_secs(1) && scene.shown(CAMERA).is_some());
}
