//! What another part of a wide room wants reaches the publisher through this one.

#![allow(clippy::disallowed_methods)]

use std::time::{Duration, Instant};

use parley_media_core::{
    Codec, LayerSpec, MediaKind, Output, PartKey, ParticipantKey, Room, Source, Spatial, TrackConfig,
    TrackKey,
};

const ALICE: ParticipantKey = ParticipantKey(1);
const CAMERA: TrackKey = TrackKey(10);

fn room(now: Instant) -> Room {
    let mut room = Room::new();
    room.add_participant(ALICE, now);
    let layer = |spatial, width, height, bitrate_bps| LayerSpec {
        spatial: Spatial(spatial),
        width,
        height,
        bitrate_bps,
    };
    let config = TrackConfig {
        key: CAMERA,
        publisher: ALICE,
        kind: MediaKind::Video,
        source: Source::Camera,
        codec: Codec::Vp8,
        clock_rate: 90_000,
        layers: vec![
            layer(0, 320, 180, 150_000),
            layer(1, 640, 360, 500_000),
            layer(2, 1280, 720, 1_700_000),
        ],
        svc: false,
    };
    room.add_track(config, now);
    room
}

/// Lets time pass in the steps that the room asks for, and returns what it says meanwhile.
fn run(room: &mut Room, from: Instant, time: Duration) -> Vec<Output> {
    let mut outputs = Vec::new();
    while let Some((at, _)) = room.poll_timeout().filter(|(at, _)| *at <= from + time) {
        room.handle_timeout(at);
        outputs.extend(std::iter::from_fn(|| room.poll_output()));
    }
    outputs
}

fn wanted(outputs: &[Output]) -> Vec<Option<Spatial>> {
    let of = |output: &Output| match output {
        Output::WantedLayer { track: CAMERA, spatial } => Some(*spatial),
        _ => None,
    };
    outputs.iter().filter_map(of).collect()
}

#[test]
fn a_layer_watched_elsewhere_is_published() {
    let start = Instant::now();
    let mut room = room(start);
    let told = run(&mut room, start, Duration::from_secs(5));
    assert_eq!(wanted(&told), [None], "nobody watches");
    let now = start + Duration::from_secs(5);
    room.set_wanted_elsewhere(CAMERA, PartKey(1), Some(Spatial(1)));
    let told: Vec<Output> = std::iter::from_fn(|| room.poll_output()).collect();
    assert_eq!(wanted(&told), [Some(Spatial(1))], "told at once");
    room.set_wanted_elsewhere(CAMERA, PartKey(2), Some(Spatial(2)));
    room.set_wanted_elsewhere(CAMERA, PartKey(1), Some(Spatial(0)));
    assert_eq!(wanted(&run(&mut room, now, Duration::from_secs(5))), [Some(Spatial(2))]);
    room.set_wanted_elsewhere(CAMERA, PartKey(2), None);
    let now = now + Duration::from_secs(5);
    assert_eq!(wanted(&run(&mut room, now, Duration::from_secs(5))), [Some(Spatial(0))]);
}

#[test]
fn keyframe_requests_from_elsewhere_are_merged_and_checked() {
    let start = Instant::now();
    let mut room = room(start);
    for _ in 0..10 {
        room.handle_keyframe_request_elsewhere(CAMERA, Spatial(1), start);
    }
    room.handle_keyframe_request_elsewhere(CAMERA, Spatial(9), start);
    room.handle_keyframe_request_elsewhere(TrackKey(99), Spatial(0), start);
    let told: Vec<Output> = std::iter::from_fn(|| room.poll_output()).collect();
    let asked = told.iter().filter(|output| matches!(output, Output::RequestKeyframe { .. })).count();
    assert_eq!(asked, 1);
}
