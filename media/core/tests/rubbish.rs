//! Whatever a publisher sends, the room goes on.
#![allow(clippy::unwrap_used)]

mod support;

use std::{collections::BTreeSet, time::Duration};

use parley_media_core::{
    Codec, MediaKind, ParticipantKey, Room, RtpIn, SlotKey, SlotSettings, Spatial, TrackKey,
};
use proptest::prelude::*;
use support::{camera, microphone, start};

const CODECS: [Codec; 6] = [Codec::Opus, Codec::Red, Codec::Vp8, Codec::Vp9, Codec::H264, Codec::Av1];

/// Sequence numbers that meet each other now and then, and the ends of the range.
fn sequence() -> impl Strategy<Value = u64> {
    prop_oneof![
        8 => 1000u64..1040,
        1 => 0u64..40,
        1 => u64::MAX - 20..=u64::MAX,
        1 => any::<u64>(),
    ]
}

/// Dependency descriptors; the longer ones bring templates as often as not.
fn descriptor() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        (any::<u8>(), 0u16..300)
            .prop_map(|(template, number)| [&[template][..], &number.to_be_bytes()].concat()),
        proptest::collection::vec(any::<u8>(), 0..60),
    ]
}

fn packet() -> impl Strategy<Value = (u8, u64, u32, bool, Option<i8>, Vec<u8>, u16)> {
    (
        0u8..4,
        sequence(),
        any::<u32>(),
        any::<bool>(),
        proptest::option::of(any::<i8>()),
        proptest::collection::vec(any::<u8>(), 0..24),
        0u16..700,
    )
}

proptest! {
    #[test]
    fn never_panics_and_never_repeats_itself(
        codec in proptest::sample::select(&CODECS[..]),
        svc in any::<bool>(),
        descriptors in proptest::collection::vec(proptest::option::of(descriptor()), 1..9),
        packets in proptest::collection::vec(packet(), 1..80),
    ) {
        let audio = matches!(codec, Codec::Opus | Codec::Red);
        let mut config = if audio { microphone(1, 1) } else { camera(1, 1) };
        config.codec = codec;
        config.svc = svc && !audio;
        prop_assert_eq!(config.kind == MediaKind::Audio, audio);
        let mut now = start();
        let mut room = Room::new();
        for person in 1..=2 {
            room.add_participant(ParticipantKey(person), now);
        }
        room.add_track(config, now);
        room.add_slot(SlotKey(1), ParticipantKey(2));
        room.attach(SlotKey(1), TrackKey(1), SlotSettings { fps: 10, ..SlotSettings::default() }, now);
        let mut sent = BTreeSet::new();
        let mut out = Vec::new();
        let descriptors = descriptors.iter().cycle();
        for ((spatial, sequence, timestamp, marker, level, payload, wait_ms), descriptor) in packets.iter().zip(descriptors) {
            now += Duration::from_millis(u64::from(*wait_ms));
            let packet = RtpIn {
                track: TrackKey(1),
                spatial: Spatial(*spatial),
                sequence: *sequence,
                timestamp: *timestamp,
                marker: *marker,
                audio_level_dbov: *level,
                voice_activity: None,
                dependency_descriptor: descriptor.as_deref(),
                sender_report: None,
                payload,
            };
            room.handle_rtp(&packet, now, &mut out);
            room.handle_timeout(now);
            while room.poll_output().is_some() {}
            for forward in out.drain(..) {
                prop_assert_eq!(forward.slot, SlotKey(1));
                prop_assert!(sent.insert(forward.sequence), "{} twice", forward.sequence);
                prop_assert!(!payload.is_empty());
            }
        }
    }
}
