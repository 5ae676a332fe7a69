//! A publisher: encodes frames with the references that a decoder would need.

use std::{
    rc::Rc,
    time::{Duration, Instant},
};

use parley_media_core::{Codec, MediaKind, RtpIn, Spatial, TrackConfig, WIRE_OVERHEAD_BYTES};

use super::Rng;

/// A packet on its way, and what is true of it.
#[derive(Clone, Debug)]
pub struct Encoded {
    pub config: Rc<TrackConfig>,
    pub spatial: Spatial,
    pub sequence: u64,
    pub timestamp: u32,
    pub marker: bool,
    pub level: Option<i8>,
    pub payload: Vec<u8>,
    /// Counts the restarts of the stream.
    pub run: u64,
    /// Number of the frame, unique in the simulation.
    pub frame: u64,
    /// Which packet of its frame it is, from 0.
    pub place: u64,
    /// Packets of the frame; none in padding.
    pub packets: u32,
    /// First packet of a frame that needs no other.
    pub entry: bool,
    /// Part of such a frame.
    pub key: bool,
    pub temporal: u8,
    /// Frames that must have been received to decode this one.
    pub needs: Vec<u64>,
}

impl Encoded {
    pub fn rtp(&self) -> RtpIn<'_> {
        RtpIn {
            track: self.config.key,
            spatial: self.spatial,
            sequence: self.sequence,
            timestamp: self.timestamp,
            marker: self.marker,
            audio_level_dbov: self.level,
            voice_activity: None,
            dependency_descriptor: None,
            sender_report: None,
            payload: &self.payload,
        }
    }

    pub fn video(&self) -> bool {
        self.config.kind == MediaKind::Video
    }
}

struct Layer {
    spatial: Spatial,
    run: u64,
    sequence: u64,
    offset: u32,
    picture: u16,
    tl0: u8,
    key_idx: u8,
    position: usize,
    keyframe: bool,
    on: bool,
    /// Newest frame of each temporal layer.
    newest: [Option<u64>; 3],
}

/// Which fields an encoder writes into its VP8 payload descriptors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// 15 bits of picture id, TL0PICIDX, temporal layer: as browsers do.
    Full,
    /// The same with KEYIDX.
    KeyIdx,
    /// 7 bits of picture id.
    Short,
    /// No field at all.
    Bare,
}

/// One track of a publisher.
pub struct Publisher {
    pub config: Rc<TrackConfig>,
    /// Three temporal layers, or one.
    pub temporal: bool,
    /// Loudness of an audio track.
    pub level: i8,
    pub look: Look,
    /// Payload bytes of a frame of each layer; `None` = a few packets of 700.
    pub frame_bytes: Option<[usize; 4]>,
    /// Sends silence as a packet now and then (Opus DTX), speech in spurts.
    pub dtx: bool,
    /// Sends a packet of padding now and then.
    pub pads: bool,
    /// What the server wants: layers above are not encoded.
    pub wanted: Option<Spatial>,
    /// Does nothing: the camera hangs, or the microphone sends nothing.
    pub idle_until: Option<Instant>,
    talking: bool,
    turn_at: Instant,
    layers: Vec<Layer>,
    due: Instant,
    began: Instant,
}

const FRAME: Duration = Duration::from_micros(33_333);
const AUDIO: Duration = Duration::from_millis(20);
/// Distance of packets in silence with DTX.
const SILENCE: Duration = Duration::from_millis(400);
/// Most payload in one packet where frames have a size.
const MAX_PAYLOAD: usize = 1150;
/// A keyframe is this many times as large as another frame.
const KEYFRAME_WEIGHT: usize = 3;
/// Temporal layers of consecutive frames.
const PATTERN: [u8; 4] = [0, 2, 1, 2];

impl Publisher {
    pub fn new(config: TrackConfig, temporal: bool, now: Instant, rng: &mut Rng) -> Self {
        let count = config.layers.len().max(1) as u8;
        let top = config.layers.last().map(|layer| layer.spatial);
        let layers = (0..count)
            .map(|spatial| Layer {
                spatial: Spatial(spatial),
                run: rng.next(),
                sequence: rng.below(100_000),
                offset: rng.next() as u32,
                picture: rng.below(0x8000) as u16,
                tl0: rng.next() as u8,
                key_idx: rng.below(32) as u8,
                position: 0,
                keyframe: true,
                on: true,
                newest: [None; 3],
            })
            .collect();
        Self {
            config: Rc::new(config),
            temporal,
            level: -127,
            look: Look::Full,
            frame_bytes: None,
            dtx: false,
            pads: false,
            wanted: top,
            idle_until: None,
            talking: true,
            turn_at: now,
            layers,
            due: now,
            began: now,
        }
    }

    /// The layers that are encoded now.
    pub fn sent(&self) -> impl Iterator<Item = Spatial> + '_ {
        let wanted = self.wanted;
        self.layers
            .iter()
            .filter(move |layer| layer.on && Some(layer.spatial) <= wanted)
            .map(|layer| layer.spatial)
    }

    /// The run of a layer that is encoded now.
    pub fn run(&self, spatial: Spatial) -> Option<u64> {
        self.layers.iter().find(|layer| layer.spatial == spatial).map(|layer| layer.run)
    }

    /// Takes over what the server says of the highest layer watched.
    pub fn heed_wanted(&mut self, wanted: Option<Spatial>) {
        for layer in &mut self.layers {
            if Some(layer.spatial) > self.wanted && Some(layer.spatial) <= wanted {
                layer.keyframe = true;
            }
        }
        self.wanted = wanted;
    }

    /// Bits per second of a layer whose frames have a size, without keyframes. On the wire, as in the estimates.
    pub fn bps(&self, spatial: Spatial) -> u64 {
        let bytes = self.frame_bytes.map_or(0, |bytes| bytes[usize::from(spatial.0)]);
        let packets = bytes.div_ceil(MAX_PAYLOAD);
        ((bytes + packets * WIRE_OVERHEAD_BYTES) * 8 * 30) as u64
    }

    /// The same of the payloads alone.
    pub fn payload_bps(&self, spatial: Spatial) -> u64 {
        let bytes = self.frame_bytes.map_or(0, |bytes| bytes[usize::from(spatial.0)]);
        (bytes * 8 * 30) as u64
    }

    pub fn ask_keyframe(&mut self, spatial: Spatial) {
        if let Some(layer) = self.layers.iter_mut().find(|layer| layer.spatial == spatial) {
            layer.keyframe = true;
        }
    }

    /// Turns a layer off, as dynacast or a busy processor would; it comes back with a keyframe.
    pub fn switch_layer(&mut self, spatial: Spatial, on: bool) {
        if let Some(layer) = self.layers.iter_mut().find(|layer| layer.spatial == spatial)
            && layer.on != on
        {
            layer.on = on;
            layer.keyframe = true;
        }
    }

    /// Starts all streams anew, as an encoder that was replaced would.
    pub fn restart(&mut self, rng: &mut Rng) {
        for layer in &mut self.layers {
            layer.run = rng.next();
            layer.sequence += 10_000 + rng.below(10_000);
            layer.offset = rng.next() as u32;
            layer.picture = rng.below(0x8000) as u16;
            layer.keyframe = true;
        }
        self.talking = true;
    }

    /// Turns layers on: all, or those below the lowest that is off, and at least one.
    pub fn come_back(&mut self, partly: bool) {
        let off = self.layers.iter().skip(1).position(|layer| !layer.on).map(|index| index + 1);
        let end = off.filter(|_| partly).unwrap_or(self.layers.len());
        for spatial in 0..self.layers.len() {
            self.switch_layer(Spatial(spatial as u8), spatial < end);
        }
    }

    /// What was encoded up to `now`.
    pub fn encode(&mut self, now: Instant, frames: &mut u64, rng: &mut Rng, out: &mut Vec<Encoded>) {
        while self.due <= now {
            let at = self.due;
            let video = self.config.kind == MediaKind::Video;
            let idle = self.idle_until.is_some_and(|until| at < until);
            if self.dtx && at >= self.turn_at {
                self.talking = !self.talking;
                self.turn_at = at + Duration::from_millis(200 + rng.below(2500));
            }
            self.due += match (video, self.talking || idle) {
                (true, _) => FRAME,
                (false, true) => AUDIO,
                (false, false) => SILENCE,
            };
            if idle {
                continue;
            }
            let ticks = (at - self.began).as_micros() * u128::from(self.config.clock_rate) / 1_000_000;
            for index in 0..self.layers.len() {
                if video {
                    self.picture(index, ticks as u32, frames, rng, out);
                } else {
                    self.sound(index, ticks as u32, frames, out);
                }
            }
        }
    }

    fn sound(&mut self, index: usize, ticks: u32, frames: &mut u64, out: &mut Vec<Encoded>) {
        let layer = &mut self.layers[index];
        *frames += 1;
        let (level, bytes) = if self.talking { (self.level, 80) } else { (-127, 3) };
        out.push(Encoded {
            config: self.config.clone(),
            spatial: layer.spatial,
            sequence: layer.sequence,
            timestamp: layer.offset.wrapping_add(ticks),
            marker: false,
            level: Some(level),
            payload: vec![0x78; bytes],
            run: layer.run,
            frame: *frames,
            place: 0,
            packets: 1,
            entry: true,
            key: true,
            temporal: 0,
            needs: Vec::new(),
        });
        layer.sequence += 1;
    }

    fn picture(&mut self, index: usize, ticks: u32, frames: &mut u64, rng: &mut Rng, out: &mut Vec<Encoded>) {
        let layer = &mut self.layers[index];
        if !layer.on || Some(layer.spatial) > self.wanted {
            return;
        }
        *frames += 1;
        let key = std::mem::take(&mut layer.keyframe);
        if key {
            layer.position = 0;
            layer.newest = [None; 3];
            layer.key_idx = (layer.key_idx + 1) & 0x1f;
        }
        let temporal = if self.temporal { PATTERN[layer.position % PATTERN.len()] } else { 0 };
        let sync = temporal > 0 && rng.percent(40);
        layer.position += 1;
        layer.picture = (layer.picture + 1) & 0x7fff;
        layer.tl0 = layer.tl0.wrapping_add(u8::from(temporal == 0));
        let reach = if sync { 0 } else { temporal };
        let needs: Vec<u64> = layer.newest[..=usize::from(reach)].iter().flatten().copied().collect();
        layer.newest[usize::from(temporal)] = Some(*frames);
        let sizes = match self.frame_bytes {
            None => {
                let packets = 1 + rng.below(if key { 3 } else { 2 }) + u64::from(layer.spatial.0);
                vec![700; packets as usize]
            }
            Some(bytes) => {
                let bytes = bytes[usize::from(layer.spatial.0)] * if key { KEYFRAME_WEIGHT } else { 1 };
                let packets = bytes.div_ceil(MAX_PAYLOAD);
                vec![bytes / packets; packets]
            }
        };
        let packets = sizes.len();
        let look = self.look;
        for (packet, size) in sizes.into_iter().enumerate() {
            let first = packet == 0;
            let mut payload = match self.config.codec {
                Codec::H264 => slice(first, key),
                _ => descriptor(look, first, key, layer, temporal, sync),
            };
            payload.resize(size, 0);
            out.push(Encoded {
                config: self.config.clone(),
                spatial: layer.spatial,
                sequence: layer.sequence,
                timestamp: layer.offset.wrapping_add(ticks),
                marker: packet + 1 == packets,
                level: None,
                payload,
                run: layer.run,
                frame: *frames,
                place: packet as u64,
                packets: packets as u32,
                entry: first && key,
                key,
                temporal,
                needs: needs.clone(),
            });
            layer.sequence += 1;
        }
        if self.pads && rng.percent(3) {
            let last = out[out.len() - 1].clone();
            out.push(Encoded {
                sequence: layer.sequence,
                marker: false,
                payload: Vec::new(),
                packets: 0,
                entry: false,
                key: false,
                ..last
            });
            layer.sequence += 1;
        }
    }
}

/// A slice of H.264: parameter sets and the slice in one packet for a keyframe.
fn slice(first: bool, key: bool) -> Vec<u8> {
    match (first, key) {
        (true, true) => vec![0x78, 0, 2, 0x67, 0x42, 0, 2, 0x68, 0xce, 0, 2, 0x65, 0x88],
        (false, true) => vec![0x65, 0x48],
        (_, false) => vec![0x61, 0x88],
    }
}

/// VP8 payload descriptor (RFC 7741) and the first byte of the payload.
fn descriptor(look: Look, first: bool, key: bool, layer: &Layer, temporal: u8, sync: bool) -> Vec<u8> {
    let header = u8::from(!key);
    let start = if first { 0x10 } else { 0x00 };
    let mut octet = temporal << 6 | u8::from(sync) << 5;
    let [high, low] = (layer.picture | 0x8000).to_be_bytes();
    match look {
        Look::Bare => vec![start, header],
        Look::Full => vec![0x80 | start, 0xe0, high, low, layer.tl0, octet, header],
        Look::Short => vec![0x80 | start, 0xe0, low & 0x7f, layer.tl0, octet, header],
        Look::KeyIdx => {
            octet |= layer.key_idx;
            vec![0x80 | start, 0xf0, high, low, layer.tl0, octet, header]
        }
    }
}

/// A packet of VP8 by hand, with all fields but KEYIDX.
pub fn payload(first: bool, key: bool, picture: u16, tl0: u8, temporal: u8, sync: bool) -> Vec<u8> {
    let [high, low] = (picture | 0x8000).to_be_bytes();
    let start = if first { 0x90 } else { 0x80 };
    let mut bytes = vec![start, 0xe0, high, low, tl0, temporal << 6 | u8::from(sync) << 5, u8::from(!key)];
    bytes.resize(700, 0);
    bytes
}
