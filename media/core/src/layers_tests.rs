//! Streams with layers inside, from the packets of a publisher to those of a receiver.
#![allow(clippy::unwrap_used)]

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use proptest::prelude::*;

use crate::{
    Codec, Forward, LayerSpec, MediaKind, Output, ParticipantKey, Room, RtpIn, SlotKey, SlotSettings, Source,
    Spatial, TrackConfig, TrackKey,
    dependency::tests::{Draft, Writer, mandatory, with_structure},
    testing,
};

const FRAME: Duration = Duration::from_micros(33_333);
const TEMPORAL: [u8; 4] = [0, 2, 1, 2];
const SLOT: SlotKey = SlotKey(1);
const TRACK: TrackKey = TrackKey(1);

/// A packet as it is sent, and what is true of it.
#[derive(Clone, Debug)]
struct Made {
    sequence: u64,
    timestamp: u32,
    marker: bool,
    payload: Vec<u8>,
    descriptor: Option<Vec<u8>>,
    /// Picture and spatial layer.
    frame: (u64, u8),
    temporal: u8,
    ends: bool,
    needs: Vec<(u64, u8)>,
}

/// Encodes three spatial and three temporal layers in one stream.
struct Encoder {
    codec: Codec,
    /// Each picture of a layer needs the layer below, not those of key pictures alone.
    full: bool,
    /// Spatial layers that are sent.
    layers: u8,
    key: bool,
    picture: u64,
    position: usize,
    sequence: u64,
    timestamp: u32,
    frame_number: u16,
    tl0: u8,
    /// Newest frame of each layer, with its number.
    newest: BTreeMap<(u8, u8), (u64, u16)>,
}

impl Encoder {
    fn new(codec: Codec, full: bool) -> Self {
        Self {
            codec,
            full,
            layers: 3,
            key: true,
            picture: 0x7ffe,
            position: 0,
            sequence: 40_000,
            timestamp: u32::MAX - 10_000,
            frame_number: 65_500,
            tl0: 250,
            newest: BTreeMap::new(),
        }
    }

    /// As an encoder that was replaced goes on: with numbers of its own.
    fn restart(&mut self) {
        self.key = true;
        self.picture += 17;
        self.frame_number = 3;
        self.tl0 = 9;
    }

    fn picture(&mut self) -> Vec<Made> {
        let key = std::mem::take(&mut self.key);
        if key {
            self.position = 0;
            self.newest.clear();
        }
        let temporal = TEMPORAL[self.position % TEMPORAL.len()];
        self.position += 1;
        self.picture += 1;
        self.timestamp = self.timestamp.wrapping_add(3_000);
        self.tl0 = self.tl0.wrapping_add(u8::from(temporal == 0));
        let mut made = Vec::new();
        for spatial in 0..self.layers {
            self.frame(spatial, temporal, key, &mut made);
        }
        made.last_mut().unwrap().marker = true;
        made
    }

    fn frame(&mut self, spatial: u8, temporal: u8, key: bool, made: &mut Vec<Made>) {
        self.frame_number = self.frame_number.wrapping_add(1);
        // The newest frame of the temporal layers below, so that one can go up at each frame.
        let below = 0..temporal.max(1);
        let newest = below.filter_map(|temporal| self.newest.get(&(spatial, temporal))).max();
        let mut needs: Vec<(u64, u8, u16)> =
            newest.map(|(picture, number)| (*picture, spatial, *number)).into_iter().collect();
        if spatial > 0 && (key || self.full) {
            needs.push((self.picture, spatial - 1, self.frame_number.wrapping_sub(1)));
        }
        for packet in 0..2 {
            let (starts, ends) = (packet == 0, packet == 1);
            let references =
                needs.iter().map(|(_, _, number)| self.frame_number.wrapping_sub(*number)).collect();
            let (payload, descriptor) = match self.codec {
                Codec::Vp9 => (self.vp9(spatial, temporal, key, starts), None),
                _ => (vec![0x10; 600], Some(self.av1(spatial, temporal, key, (starts, ends), references))),
            };
            made.push(Made {
                sequence: self.sequence,
                timestamp: self.timestamp,
                marker: false,
                payload,
                descriptor,
                frame: (self.picture, spatial),
                temporal,
                ends,
                needs: needs.iter().map(|(picture, spatial, _)| (*picture, *spatial)).collect(),
            });
            self.sequence += 1;
        }
        self.newest.insert((spatial, temporal), (self.picture, self.frame_number));
    }

    /// Not flexible; the structure comes with the key picture.
    fn vp9(&self, spatial: u8, temporal: u8, key: bool, starts: bool) -> Vec<u8> {
        let flag = |bit: u8, set: bool| if set { bit } else { 0 };
        let structure = key && spatial == 0 && starts;
        let flags =
            0xa0 | flag(0x40, !key) | flag(0x08, starts) | flag(0x04, !starts) | flag(0x02, structure);
        let [high, low] = (self.picture as u16 | 0x8000).to_be_bytes();
        let below = spatial > 0 && (key || self.full);
        let mut bytes =
            vec![flags, high, low, temporal << 5 | 0x10 | spatial << 1 | u8::from(below), self.tl0];
        if structure {
            bytes.push((self.layers - 1) << 5 | 0x10);
            for (width, height) in [(320u16, 180u16), (640, 360), (1280, 720)].iter().take(self.layers.into())
            {
                bytes.extend(width.to_be_bytes());
                bytes.extend(height.to_be_bytes());
            }
        }
        bytes.resize(600, 0xff);
        bytes
    }

    /// What a frame is to a decode target.
    fn indication(&self, frame: (u8, u8, bool), target: (u8, u8)) -> u8 {
        let (spatial, temporal, key) = frame;
        if target.0 < spatial || target.1 < temporal {
            return 0;
        }
        match (target.0 == spatial, key, self.full) {
            (true, ..) if temporal > 0 && target.1 == temporal => 1,
            (true, ..) | (false, true, _) => 2,
            (false, false, true) => 3,
            (false, false, false) => 0,
        }
    }

    fn av1(&self, spatial: u8, temporal: u8, key: bool, edge: (bool, bool), references: Vec<u16>) -> Vec<u8> {
        let targets: Vec<(u8, u8)> = (0..3).flat_map(|s| (0..3).map(move |t| (s, t))).collect();
        // For each spatial layer: of a key picture, then one for each temporal layer.
        let kinds = |s: u8| [(s, 0, true), (s, 0, false), (s, 1, false), (s, 2, false)];
        let templates: Vec<(u8, u8, bool)> = (0..3).flat_map(kinds).collect();
        let index = templates.iter().position(|kind| *kind == (spatial, temporal, key)).unwrap();
        let mut bytes = if key && spatial == 0 && edge.0 {
            let drafts: Vec<Draft> = templates
                .iter()
                .map(|kind| {
                    (
                        kind.0,
                        kind.1,
                        targets.iter().map(|target| self.indication(*kind, *target)).collect(),
                        vec![],
                    )
                })
                .collect();
            let sizes = [(320, 180), (640, 360), (1280, 720)];
            with_structure(&drafts, 7, 3, &sizes, self.frame_number)
        } else {
            let mut writer = Writer::default();
            mandatory(&mut writer, 7 + index as u8, self.frame_number);
            writer.put(0b00010, 5);
            for reference in references {
                writer.put(3, 2);
                writer.put(u64::from(reference) - 1, 12);
            }
            writer.put(0, 2);
            writer.bytes()
        };
        bytes[0] = bytes[0] & 0x3f | u8::from(edge.0) << 7 | u8::from(edge.1) << 6;
        bytes
    }
}

/// One publisher and one receiver.
struct Stage {
    room: Room,
    now: Instant,
    encoder: Encoder,
    /// Keyframe requests are heeded.
    obedient: bool,
    asked: Vec<Spatial>,
    got: Vec<(Made, Forward)>,
}

impl Stage {
    fn new(codec: Codec, full: bool) -> Self {
        let now = testing::start();
        let mut room = Room::new();
        for person in 1..=2 {
            room.add_participant(ParticipantKey(person), now);
        }
        let layer = |spatial, width, height, bitrate_bps| LayerSpec {
            spatial: Spatial(spatial),
            width,
            height,
            bitrate_bps,
        };
        let layers =
            vec![layer(0, 320, 180, 100_000), layer(1, 640, 360, 300_000), layer(2, 1280, 720, 900_000)];
        let config = TrackConfig {
            key: TRACK,
            publisher: ParticipantKey(1),
            kind: MediaKind::Video,
            source: Source::Camera,
            codec,
            clock_rate: 90_000,
            layers,
            svc: true,
        };
        room.add_track(config, now);
        room.add_slot(SLOT, ParticipantKey(2));
        room.handle_estimate(ParticipantKey(2), 50_000_000, now);
        room.attach(SLOT, TRACK, SlotSettings::default(), now);
        let encoder = Encoder::new(codec, full);
        Self { room, now, encoder, obedient: true, asked: Vec::new(), got: Vec::new() }
    }

    fn want(&mut self, spatial: u8, fps: u32) {
        let settings = SlotSettings { max_spatial: Some(Spatial(spatial)), fps, ..SlotSettings::default() };
        self.room.update_slot(SLOT, settings, self.now);
    }

    fn feed(&mut self, made: &Made) {
        let packet = RtpIn {
            track: TRACK,
            spatial: Spatial(0),
            sequence: made.sequence,
            timestamp: made.timestamp,
            marker: made.marker,
            audio_level_dbov: None,
            voice_activity: None,
            dependency_descriptor: made.descriptor.as_deref(),
            sender_report: None,
            payload: &made.payload,
        };
        let mut out = Vec::new();
        self.room.handle_rtp(&packet, self.now, &mut out);
        self.got.extend(out.into_iter().map(|forward| (made.clone(), forward)));
    }

    fn settle(&mut self) {
        self.now += FRAME;
        while self.room.poll_timeout().is_some_and(|(due, _)| due <= self.now) {
            self.room.handle_timeout(self.now);
        }
        while let Some(output) = self.room.poll_output() {
            if let Output::RequestKeyframe { spatial, .. } = output {
                self.asked.push(spatial);
                self.encoder.key |= self.obedient;
            }
        }
    }

    /// Returns the layers (spatial, temporal) that went out.
    fn run(&mut self, pictures: usize) -> BTreeSet<(u8, u8)> {
        let from = self.got.len();
        for _ in 0..pictures {
            for made in self.encoder.picture() {
                self.feed(&made);
            }
            self.settle();
        }
        self.got[from..].iter().map(|(made, _)| (made.frame.1, made.temporal)).collect()
    }

    fn shown(&self) -> Option<u8> {
        self.room.slot_layer(SLOT).map(|spatial| spatial.0)
    }

    /// What a receiver depends on, when nothing is lost before the server.
    fn check(&self) {
        let mut frames = BTreeSet::new();
        for (place, (made, forward)) in self.got.iter().enumerate() {
            for need in &made.needs {
                assert!(frames.contains(need), "{:?} needs {need:?}", made.frame);
            }
            if made.ends {
                frames.insert(made.frame);
            }
            let next = self.got.get(place + 1);
            if let Some((_, next)) = next {
                assert_eq!(next.sequence, forward.sequence + 1);
            }
            let last = next.is_none_or(|(next, _)| next.frame.0 != made.frame.0);
            assert_eq!(forward.marker, last, "the marker ends the picture {:?}", made.frame);
        }
    }
}

fn all() -> BTreeSet<(u8, u8)> {
    (0..3).flat_map(|spatial| (0..3).map(move |temporal| (spatial, temporal))).collect()
}

fn every_kind(test: impl Fn(&mut Stage)) {
    for codec in [Codec::Vp9, Codec::Av1] {
        for full in [true, false] {
            let mut stage = Stage::new(codec, full);
            test(&mut stage);
            stage.check();
        }
    }
}

#[test]
fn the_whole_stream_goes_out_from_its_first_key_picture() {
    every_kind(|stage| {
        assert_eq!(stage.run(60), all());
        assert_eq!(stage.shown(), Some(2));
        assert!(stage.asked.len() <= 1, "{:?}", stage.asked);
        assert!(stage.got.iter().all(|(_, forward)| forward.vp9.is_none() && forward.frame_number.is_none()));
    });
}

#[test]
fn spatial_layers_fall_at_the_next_picture_and_rise_at_a_key_picture() {
    every_kind(|stage| {
        stage.run(30);
        stage.asked.clear();
        stage.want(0, 0);
        assert!(stage.run(20).iter().all(|(spatial, _)| *spatial == 0));
        assert_eq!(stage.shown(), Some(0));
        assert!(stage.asked.is_empty(), "going down needs no keyframe");
        stage.obedient = false;
        stage.want(1, 0);
        assert!(stage.run(10).iter().all(|(spatial, _)| *spatial == 0), "goes on below");
        assert_eq!(stage.asked, [Spatial(0)], "of the one stream there is");
        stage.encoder.key = true;
        let sent = stage.run(20);
        assert!(sent.contains(&(1, 2)) && !sent.iter().any(|(spatial, _)| *spatial == 2));
        assert_eq!(stage.shown(), Some(1));
        stage.obedient = true;
        stage.want(2, 0);
        stage.run(30);
        assert_eq!(stage.run(20), all());
    });
}

#[test]
fn temporal_layers_fall_and_rise_without_a_keyframe() {
    every_kind(|stage| {
        stage.run(60);
        stage.want(0, 0);
        stage.run(4);
        stage.asked.clear();
        stage.want(0, 7);
        assert_eq!(stage.run(40), BTreeSet::from([(0, 0)]));
        stage.want(0, 15);
        stage.run(40);
        assert_eq!(stage.run(40), BTreeSet::from([(0, 0), (0, 1)]));
        stage.want(0, 0);
        stage.run(40);
        assert_eq!(stage.run(40), BTreeSet::from([(0, 0), (0, 1), (0, 2)]));
        assert!(stage.asked.is_empty());
    });
}

#[test]
fn a_layer_that_is_not_sent_any_more_is_not_waited_for() {
    every_kind(|stage| {
        stage.run(30);
        stage.encoder.layers = 2;
        stage.encoder.key = true;
        stage.run(90);
        assert_eq!(stage.shown(), Some(1));
        stage.asked.clear();
        stage.run(60);
        assert!(stage.asked.is_empty(), "{:?}", stage.asked);
        stage.encoder.layers = 3;
        stage.encoder.key = true;
        assert!(stage.run(1).contains(&(2, 0)), "with its first key picture");
    });
}

#[test]
fn the_rates_of_the_layers_add_up() {
    let mut stage = Stage::new(Codec::Vp9, true);
    stage.run(90);
    // 30 pictures a second, two packets of 600 bytes a layer.
    let one = 30 * 2 * (600 + 60) * 8;
    stage.room.handle_estimate(ParticipantKey(2), 2 * one + one / 2, stage.now);
    stage.run(30);
    assert_eq!(stage.shown(), Some(1), "two layers fit");
    stage.check();
}

#[test]
fn an_encoder_that_starts_anew_is_followed_without_a_step_back() {
    let mut stage = Stage::new(Codec::Av1, true);
    stage.run(100);
    stage.encoder.restart();
    stage.run(20);
    let numbers: Vec<u16> = stage
        .got
        .iter()
        .map(|(made, forward)| {
            let bytes = made.descriptor.as_ref().unwrap();
            forward.frame_number.unwrap_or(u16::from_be_bytes([bytes[1], bytes[2]]))
        })
        .collect();
    assert!(numbers.windows(2).all(|pair| pair[1].wrapping_sub(pair[0]) <= 1), "{numbers:?}");
}

#[test]
fn another_track_on_the_slot_goes_on_with_its_numbers() {
    for codec in [Codec::Vp9, Codec::Av1] {
        let mut stage = Stage::new(codec, false);
        stage.run(50);
        let before = stage.got.len();
        stage.room.detach(SLOT, stage.now);
        stage.encoder.restart();
        stage.encoder.picture += 3_000;
        stage.room.attach(SLOT, TRACK, SlotSettings::default(), stage.now);
        stage.run(50);
        let (last, first) = (&stage.got[before - 1], &stage.got[before]);
        assert_eq!(first.1.sequence, last.1.sequence + 1);
        match codec {
            Codec::Vp9 => {
                let id = first.1.vp9.unwrap().picture_id.unwrap();
                assert_eq!(id, (last.0.frame.0 as u16 + 1) & 0x7fff);
                assert!(first.1.vp9.unwrap().tl0_pic_idx.is_some());
            }
            _ => assert!(first.1.frame_number.is_some()),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever is wanted when, what goes out can be decoded.
    #[test]
    fn any_wishes_leave_a_decodable_stream(
        vp9 in any::<bool>(),
        full in any::<bool>(),
        wishes in proptest::collection::vec((0u8..3, 0u32..40, 1usize..25), 1..20),
    ) {
        let mut stage = Stage::new(if vp9 { Codec::Vp9 } else { Codec::Av1 }, full);
        stage.run(10);
        for (spatial, fps, pictures) in wishes {
            stage.want(spatial, fps);
            stage.run(pictures);
        }
        stage.check();
    }

    /// Packets lost or late on the way to the server: nothing goes out twice or above the limit,
    /// and no frame goes out in part.
    #[test]
    fn loss_and_reordering_do_not_split_frames(
        vp9 in any::<bool>(),
        fates in proptest::collection::vec(0u8..20, 100..600),
    ) {
        let mut stage = Stage::new(if vp9 { Codec::Vp9 } else { Codec::Av1 }, false);
        stage.run(40);
        stage.want(1, 15);
        stage.run(40);
        let from = stage.got.len();
        let mut late: Vec<Made> = Vec::new();
        let mut fates = fates.into_iter();
        'run: loop {
            for made in stage.encoder.picture() {
                match fates.next() {
                    None => break 'run,
                    Some(0) => late.push(made),
                    Some(1) => {
                        stage.feed(&made);
                        late.drain(..).for_each(|made| stage.feed(&made));
                    }
                    Some(_) => stage.feed(&made),
                }
            }
            stage.settle();
        }
        late.drain(..).for_each(|made| stage.feed(&made));
        let got = &stage.got[from..];
        let mut sequences = BTreeSet::new();
        for (made, forward) in got {
            prop_assert!(made.frame.1 <= 1 && made.temporal <= 1, "{:?}", made.frame);
            prop_assert!(sequences.insert(forward.sequence), "{} twice", forward.sequence);
        }
        // Within a frame the numbers follow on each other as they did before.
        for (a, forward_a) in got {
            for (b, forward_b) in got.iter().filter(|(b, _)| b.frame == a.frame && b.sequence > a.sequence) {
                prop_assert_eq!(b.sequence - a.sequence, forward_b.sequence - forward_a.sequence);
            }
        }
    }
}
