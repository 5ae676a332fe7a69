//! A script of packets, commands and time for one room of the core.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use parley_media_core::{
    Codec, LayerSpec, LinkStats, MediaKind, Overload, ParticipantKey, Room, RtpIn, SlotKey, SlotSettings,
    Source, Spatial, TrackConfig, TrackKey,
};

const PEOPLE: u64 = 3;
const TRACKS: u64 = 4;
const SLOTS: u32 = 6;
const CODECS: [Codec; 6] = [Codec::Opus, Codec::Red, Codec::Vp8, Codec::Vp9, Codec::H264, Codec::Av1];
const LEVELS: [Overload; 4] = [Overload::None, Overload::Thin, Overload::Few, Overload::SoundOnly];
/// What one track may bring in; a script of packets of 255 bytes gets above it.
const CAP_BPS: u64 = 20_000;
/// Outputs of one command: a few for each slot and track.
const MAX_OUTPUTS: usize = 200;
const MAX_TIMEOUTS: usize = 8;

/// Reads the script; at its end everything is zero.
struct Script<'a>(&'a [u8]);

impl<'a> Script<'a> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn number(&mut self) -> u64 {
        u64::from(u16::from_le_bytes([self.byte(), self.byte()]))
    }

    /// As many bytes as the next one says.
    fn bytes(&mut self) -> &'a [u8] {
        let length = usize::from(self.byte()).min(self.0.len());
        let (taken, rest) = self.0.split_at(length);
        self.0 = rest;
        taken
    }
}

struct Play<'a> {
    script: Script<'a>,
    room: Room,
    now: Instant,
    sequences: [u64; TRACKS as usize],
    /// Numbers that went out on each slot since it was made.
    gone: Vec<BTreeSet<u64>>,
}

/// See the module's documentation.
#[allow(clippy::disallowed_methods, reason = "any instant will do; only differences matter")]
pub fn room(data: &[u8]) {
    let mut play = Play {
        script: Script(data),
        room: Room::new(),
        now: Instant::now(),
        sequences: [1000; TRACKS as usize],
        gone: vec![BTreeSet::new(); SLOTS as usize],
    };
    play.set();
    while !play.script.0.is_empty() {
        play.step();
        play.settle();
    }
}

impl Play<'_> {
    /// Three people, a track of each codec, each shown to somebody.
    fn set(&mut self) {
        self.room.set_publish_cap(CAP_BPS);
        for person in 0..PEOPLE {
            self.room.add_participant(ParticipantKey(person), self.now);
        }
        for track in 0..TRACKS {
            let codec = CODECS[usize::from(self.script.byte()) % CODECS.len()];
            self.publish(track, codec);
        }
        for slot in 0..SLOTS {
            self.room.add_slot(SlotKey(slot), ParticipantKey(u64::from(slot) % PEOPLE));
            let track = TrackKey(u64::from(slot) % TRACKS);
            self.room.attach(SlotKey(slot), track, SlotSettings::default(), self.now);
        }
    }

    fn publish(&mut self, track: u64, codec: Codec) {
        let svc = matches!(codec, Codec::Vp9 | Codec::Av1) && track.is_multiple_of(2);
        let audio = matches!(codec, Codec::Opus | Codec::Red);
        let spec = |spatial: u8| LayerSpec {
            spatial: Spatial(spatial),
            width: 320 << spatial,
            height: 180 << spatial,
            bitrate_bps: 150_000 << (2 * spatial),
        };
        let config = TrackConfig {
            key: TrackKey(track),
            publisher: ParticipantKey(track % PEOPLE),
            kind: if audio { MediaKind::Audio } else { MediaKind::Video },
            source: if track == 3 { Source::ScreenShare } else { Source::Camera },
            codec,
            svc,
            clock_rate: if audio { 48_000 } else { 90_000 },
            layers: if audio { Vec::new() } else { (0..3).map(spec).collect() },
        };
        self.room.add_track(config, self.now);
    }

    fn step(&mut self) {
        let op = self.script.byte();
        let which = self.script.byte();
        let track = TrackKey(u64::from(which) % TRACKS);
        let slot = SlotKey(u32::from(which) % SLOTS);
        let person = ParticipantKey(u64::from(which) % PEOPLE);
        match op % 24 {
            0 => self.room.attach(
                slot,
                TrackKey(self.script.number() % TRACKS),
                SlotSettings::default(),
                self.now,
            ),
            1 => self.room.detach(slot, self.now),
            2 => self.room.set_track_muted(track, self.script.byte().is_multiple_of(2), self.now),
            3 => {
                let codec = CODECS[usize::from(self.script.byte()) % CODECS.len()];
                self.publish(track.0, codec);
            }
            4 => self.room.remove_track(track, self.now),
            5 => {
                let bps = self.script.number() * 200;
                self.room.handle_estimate(person, bps, self.now);
            }
            6 => self.room.handle_keyframe_request(slot, self.now),
            7 => {
                let settings = self.settings();
                self.room.update_slot(slot, settings, self.now);
            }
            8 => {
                self.room.remove_slot(slot, self.now);
                self.room.add_slot(slot, person);
                self.gone[slot.0 as usize].clear();
            }
            9 => {
                self.room.remove_participant(person, self.now);
                self.room.add_participant(person, self.now);
            }
            12 => self.room.set_overload(LEVELS[usize::from(self.script.byte()) % LEVELS.len()], self.now),
            13 => {
                let stats =
                    LinkStats { loss_down: self.script.number() as f32 / 1_000.0, ..LinkStats::default() };
                self.room.handle_link_stats(person, stats, self.now);
                self.room.set_takes_redundancy(slot, which & 0x80 == 0);
            }
            10 | 11 => self.now += Duration::from_millis(self.script.number() % 5000),
            _ => self.packet(track),
        }
    }

    fn settings(&mut self) -> SlotSettings {
        let flags = self.script.byte();
        SlotSettings {
            enabled: flags & 1 == 0,
            width: self.script.number() as u32,
            height: self.script.number() as u32,
            max_spatial: (flags & 2 != 0).then_some(Spatial(flags >> 6)),
            fps: u32::from(flags >> 2 & 0x0f),
            priority: u32::from(flags >> 4),
        }
    }

    fn packet(&mut self, track: TrackKey) {
        let flags = self.script.byte();
        let step = i64::from(self.script.byte() as i8);
        let sequence = &mut self.sequences[track.0 as usize];
        *sequence = if flags & 0x80 == 0 {
            sequence.wrapping_add(1)
        } else {
            sequence.wrapping_add_signed(step * step * step)
        };
        let sequence = *sequence;
        let descriptor = self.script.bytes();
        let packet = RtpIn {
            track,
            spatial: Spatial(flags & 3),
            sequence,
            timestamp: (sequence as u32).wrapping_mul(1500),
            marker: flags & 4 != 0,
            audio_level_dbov: (flags & 8 != 0).then_some(step as i8),
            voice_activity: None,
            dependency_descriptor: (flags & 16 != 0).then_some(descriptor),
            sender_report: None,
            payload: self.script.bytes(),
        };
        if !self.room.admit(track, packet.spatial, packet.payload.len(), self.now) {
            return;
        }
        let mut out = Vec::new();
        self.room.handle_rtp(&packet, self.now, &mut out);
        for forward in out {
            let gone = &mut self.gone[forward.slot.0 as usize];
            assert!(gone.insert(forward.sequence), "{forward:?} used twice");
            if let Some(patch) = forward.vp9 {
                let mut payload = packet.payload.to_vec();
                patch.write(&mut payload);
                assert_eq!(payload.len(), packet.payload.len());
            }
        }
    }

    /// Time goes on by itself, and outputs end.
    fn settle(&mut self) {
        self.now += Duration::from_millis(5);
        for round in 0..=MAX_TIMEOUTS {
            match self.room.poll_timeout() {
                Some((due, _)) if due <= self.now => self.room.handle_timeout(self.now),
                _ => break,
            }
            assert!(round < MAX_TIMEOUTS, "timeouts do not end");
        }
        let outputs = std::iter::from_fn(|| self.room.poll_output()).count();
        assert!(outputs <= MAX_OUTPUTS, "{outputs} outputs of one step");
    }
}
