//! A small world around a room: publishers that encode, and time that passes.
#![allow(dead_code, unused_imports, clippy::unwrap_used, clippy::disallowed_methods)]

mod publisher;
mod rng;
mod scene;

use std::time::Instant;

use parley_media_core::{
    Codec, LayerSpec, MediaKind, ParticipantKey, Source, Spatial, TrackConfig, TrackKey,
};

pub use publisher::{Encoded, Look, Publisher, payload};
pub use rng::Rng;
pub use scene::{Happened, Scene};

/// Any instant will do; only differences matter.
pub fn start() -> Instant {
    Instant::now()
}

/// Three simulcast layers of VP8, 180p to 720p.
pub fn camera(track: u64, publisher: u64) -> TrackConfig {
    let layer = |spatial, width, height, bitrate_bps| LayerSpec {
        spatial: Spatial(spatial),
        width,
        height,
        bitrate_bps,
    };
    TrackConfig {
        key: TrackKey(track),
        publisher: ParticipantKey(publisher),
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
    }
}

pub fn microphone(track: u64, publisher: u64) -> TrackConfig {
    TrackConfig {
        key: TrackKey(track),
        publisher: ParticipantKey(publisher),
        kind: MediaKind::Audio,
        source: Source::Microphone,
        codec: Codec::Opus,
        clock_rate: 48_000,
        layers: Vec::new(),
        svc: false,
    }
}
