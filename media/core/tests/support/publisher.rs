//! A publisher: encodes frames with the references that a decoder would need.

use std::time::{Duration, Instant};

use parley_media_core::{MediaKind, RtpIn, Spatial, TrackConfig};

use super::Rng;

/// A packet on its way, and what is true of it.
#[derive(Clone, Debug)]
pub struct Encoded {
    pub config: TrackConfig,
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
    /// First packet of a frame that needs no other.
    pub entry: bool,
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
    position: usize,
    keyframe: bool,
    on: bool,
    /// Newest frame of each temporal layer.
    newest: [Option<u64>; 3],
}

/// One track of a publisher.
pub struct Publisher {
    pub config: TrackConfig,
    /// Three temporal layers, or one.
    pub temporal: bool,
    /// Loudness of an audio track.
    pub level: i8,
    layers: Vec<Layer>,
    due: Instant,
    began: Instant,
}

const FRAME: Duration = Duration::from_micros(33_333);
const AUDIO: Duration = Duration::from_millis(20);
/// Temporal layers of consecutive frames.
const PATTERN: [u8; 4] = [0, 2, 1, 2];

impl Publisher {
    pub fn new(config: TrackConfig, temporal: bool, now: Instant, rng: &mut Rng) -> Self {
        let count = config.layers.len().max(1) as u8;
        let layers = (0..count)
            .map(|spatial| Layer {
                spatial: Spatial(spatial),
                run: rng.next(),
                sequence: rng.below(100_000),
                offset: rng.next() as u32,
                picture: rng.below(0x8000) as u16,
                tl0: rng.next() as u8,
                position: 0,
                keyframe: true,
                on: true,
                newest: [None; 3],
            })
            .collect();
        Self { config, temporal, level: -127, layers, due: now, began: now }
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
    }

    pub fn all_layers_on(&mut self) {
        for spatial in 0..self.layers.len() as u8 {
            self.switch_layer(Spatial(spatial), true);
        }
    }

    /// What was encoded up to `now`.
    pub fn encode(&mut self, now: Instant, frames: &mut u64, rng: &mut Rng, out: &mut Vec<Encoded>) {
        while self.due <= now {
            let at = self.due;
            let video = self.config.kind == MediaKind::Video;
            self.due += if video { FRAME } else { AUDIO };
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
        out.push(Encoded {
            config: self.config.clone(),
            spatial: layer.spatial,
            sequence: layer.sequence,
            timestamp: layer.offset.wrapping_add(ticks),
            marker: false,
            level: Some(self.level),
            payload: vec![0x78; 80],
            run: layer.run,
            frame: *frames,
            place: 0,
            entry: true,
            temporal: 0,
            needs: Vec::new(),
        });
        layer.sequence += 1;
    }

    fn picture(&mut self, index: usize, ticks: u32, frames: &mut u64, rng: &mut Rng, out: &mut Vec<Encoded>) {
        let layer = &mut self.layers[index];
        if !layer.on {
            return;
        }
        *frames += 1;
        let key = std::mem::take(&mut layer.keyframe);
        if key {
            layer.position = 0;
            layer.newest = [None; 3];
        }
        let temporal = if self.temporal { PATTERN[layer.position % PATTERN.len()] } else { 0 };
        let sync = temporal > 0 && rng.percent(40);
        layer.position += 1;
        layer.picture = (layer.picture + 1) & 0x7fff;
        layer.tl0 = layer.tl0.wrapping_add(u8::from(temporal == 0));
        let reach = if sync { 0 } else { temporal };
        let needs: Vec<u64> = layer.newest[..=usize::from(reach)].iter().flatten().copied().collect();
        layer.newest[usize::from(temporal)] = Some(*frames);
        let packets = 1 + rng.below(if key { 3 } else { 2 }) + u64::from(layer.spatial.0);
        for packet in 0..packets {
            let first = packet == 0;
            out.push(Encoded {
                config: self.config.clone(),
                spatial: layer.spatial,
                sequence: layer.sequence,
                timestamp: layer.offset.wrapping_add(ticks),
                marker: packet + 1 == packets,
                level: None,
                payload: payload(first, key, layer.picture, layer.tl0, temporal, sync),
                run: layer.run,
                frame: *frames,
                place: packet,
                entry: first && key,
                temporal,
                needs: needs.clone(),
            });
            layer.sequence += 1;
        }
    }
}

/// VP8 payload descriptor (RFC 7741) with all but KEYIDX, and some payload.
pub fn payload(first: bool, key: bool, picture: u16, tl0: u8, temporal: u8, sync: bool) -> Vec<u8> {
    let [high, low] = (picture | 0x8000).to_be_bytes();
    let start = if first { 0x90 } else { 0x80 };
    let layer = temporal << 6 | u8::from(sync) << 5;
    let header = u8::from(!key);
    let mut bytes = vec![start, 0xe0, high, low, tl0, layer, header];
    bytes.resize(700, 0);
    bytes
}
