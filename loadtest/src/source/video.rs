//! Pictures: simulcast VP8 in three temporal layers (RFC 7741), sizes as of an encoder with a fixed rate.

use std::time::{Duration, Instant};

use super::{MediaPacket, Numbers};
use crate::stamp::{Stamp, nanoseconds};

/// Temporal layers of successive frames (L1T3).
const TEMPORAL: [u8; 4] = [0, 2, 1, 2];
/// Shares of a frame's mean size by temporal layer: what others refer to is larger.
const TEMPORAL_SIZE: [f64; 3] = [1.5, 1.1, 0.7];
/// A keyframe is so many times the mean.
const KEYFRAME_SIZE: f64 = 5.0;
/// Frames differ by this share around their mean.
const SIZE_SPREAD: f64 = 0.25;
/// Bytes over the budget are taken from the following frames, at most this share of each.
const PAYBACK: f64 = 0.4;
/// Keyframes closer together than this are not made, whatever is asked.
const KEYFRAME_GAP: Duration = Duration::from_millis(300);
/// Descriptor with 15-bit picture id, TL0PICIDX, TID and KEYIDX.
const DESCRIPTOR_BYTES: usize = 6;
const CLOCK: u64 = 90_000;
/// A frame has at most so many packets; a larger one is cut.
const MAX_PACKETS: usize = 600;
/// After a longer halt of this process the missed frames are left out.
const CATCH_UP: Duration = Duration::from_millis(500);

/// One simulcast layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// `q`, `h` or `f`; a track of one layer has none.
    pub rid: Option<&'static str>,
    pub width: u32,
    pub height: u32,
    /// Bits of RTP payload a second.
    pub bitrate: u64,
}

/// What a synthetic camera makes.
#[derive(Clone, Debug)]
pub struct VideoSpec {
    /// Smallest first.
    pub layers: Vec<Layer>,
    pub fps: u32,
    /// RTP payload of a full packet, descriptor included.
    pub payload_bytes: usize,
    pub seed: u64,
}

impl VideoSpec {
    /// Camera of 720p as LiveKit's SDKs send it: 180p, 360p and 720p at 30 frames.
    pub fn camera() -> Self {
        let layer = |rid, width, height, bitrate| Layer { rid: Some(rid), width, height, bitrate };
        Self {
            layers: vec![
                layer("q", 320, 180, 160_000),
                layer("h", 640, 360, 450_000),
                layer("f", 1280, 720, 1_700_000),
            ],
            fps: 30,
            payload_bytes: 1_100,
            seed: 1,
        }
    }

    /// The same camera with the top layer at `packets` full packets a second, the others in proportion.
    pub fn at_rate(mut self, packets: u64) -> Self {
        let Some(top) = self.layers.last() else { return self };
        let (wanted, usual) = (packets * self.payload_bytes as u64 * 8, top.bitrate.max(1));
        if let Some(top) = self.layers.last_mut() {
            top.bitrate = wanted;
        }
        let below = self.layers.len().saturating_sub(1);
        for layer in &mut self.layers[..below] {
            // Lower layers keep their usual rate unless the top falls below its own.
            layer.bitrate = layer.bitrate * wanted.min(usual) / usual;
        }
        self
    }

    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    pub fn with_payload(mut self, bytes: usize) -> Self {
        self.payload_bytes = bytes.clamp(64, 1_180);
        self
    }
}

#[derive(Debug)]
struct Encoder {
    layer: Layer,
    mean_bytes: f64,
    /// Bytes sent over the budget.
    debt: f64,
    enabled: bool,
    key_wanted: bool,
    last_key: Option<Instant>,
    pattern: usize,
    sequence: u64,
    timestamp_offset: u32,
    picture: u16,
    tl0: u8,
    key_index: u8,
    frames: u32,
}

/// Makes the frames of all layers, `fps` times a second.
#[derive(Debug)]
pub struct VideoSource {
    spec: VideoSpec,
    encoders: Vec<Encoder>,
    numbers: Numbers,
    start: Instant,
    tick: u64,
    next_at: Instant,
}

impl VideoSource {
    pub fn new(spec: VideoSpec, start: Instant) -> Self {
        let mut numbers = Numbers::new(spec.seed);
        let fps = spec.fps.max(1);
        let encoders = spec.layers.iter().map(|layer| Encoder::new(layer, fps, &mut numbers)).collect();
        Self { spec, encoders, numbers, start, tick: 0, next_at: start }
    }

    pub fn next_at(&self) -> Instant {
        self.next_at
    }

    pub fn spec(&self) -> &VideoSpec {
        &self.spec
    }

    /// Asks for a keyframe of a layer.
    pub fn request_keyframe(&mut self, layer: usize) {
        if let Some(encoder) = self.encoders.get_mut(layer) {
            encoder.key_wanted = true;
        }
    }

    /// Stops or starts a layer; one that starts begins with a keyframe.
    pub fn enable(&mut self, layer: usize, enabled: bool) {
        if let Some(encoder) = self.encoders.get_mut(layer)
            && encoder.enabled != enabled
        {
            encoder.enabled = enabled;
            encoder.key_wanted |= enabled;
            encoder.last_key = None;
        }
    }

    pub fn enabled(&self, layer: usize) -> bool {
        self.encoders.get(layer).is_some_and(|encoder| encoder.enabled)
    }

    /// Appends the packets of the frames due at `now`; false when none is due.
    pub fn frame(&mut self, now: Instant, packets: &mut Vec<MediaPacket>) -> bool {
        if now < self.next_at {
            return false;
        }
        let fps = u64::from(self.spec.fps.max(1));
        if now - self.next_at > CATCH_UP {
            let elapsed = now.saturating_duration_since(self.start);
            self.tick = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX) * fps / 1_000_000;
        }
        let timestamp = u32::try_from((self.tick * CLOCK / fps) & u64::from(u32::MAX)).unwrap_or(0);
        for (index, encoder) in self.encoders.iter_mut().enumerate() {
            if encoder.enabled {
                let frame = encoder.encode(now, &mut self.numbers, self.spec.payload_bytes);
                encoder.packetize(index, &frame, timestamp, self.spec.payload_bytes, packets);
            }
        }
        self.tick += 1;
        self.next_at = self.start + Duration::from_micros(self.tick * 1_000_000 / fps);
        true
    }
}

struct Frame {
    key: bool,
    temporal: u8,
    bytes: usize,
}

impl Encoder {
    fn new(layer: &Layer, fps: u32, numbers: &mut Numbers) -> Self {
        Self {
            layer: layer.clone(),
            mean_bytes: layer.bitrate as f64 / 8.0 / f64::from(fps),
            debt: 0.0,
            enabled: true,
            key_wanted: true,
            last_key: None,
            pattern: 0,
            sequence: numbers.below(30_000),
            timestamp_offset: u32::try_from(numbers.below(1 << 32)).unwrap_or(0),
            picture: u16::try_from(numbers.below(1 << 15)).unwrap_or(0),
            tl0: u8::try_from(numbers.below(1 << 8)).unwrap_or(0),
            key_index: 0,
            frames: 0,
        }
    }

    /// Decides the kind and size of the next frame.
    fn encode(&mut self, now: Instant, numbers: &mut Numbers, payload_bytes: usize) -> Frame {
        let spaced = self.last_key.is_none_or(|last| now.saturating_duration_since(last) >= KEYFRAME_GAP);
        let key = self.key_wanted && spaced;
        if key {
            self.key_wanted = false;
            self.last_key = Some(now);
            self.pattern = 0;
            self.key_index = self.key_index.wrapping_add(1) & 0x1f;
        }
        let temporal = TEMPORAL[self.pattern % TEMPORAL.len()];
        self.pattern += 1;
        let share = if key { KEYFRAME_SIZE } else { TEMPORAL_SIZE[usize::from(temporal)] };
        let wanted = self.mean_bytes * share * numbers.around_one(SIZE_SPREAD);
        let paid = if key { 0.0 } else { self.debt.clamp(0.0, wanted * PAYBACK) };
        let bytes = whole_packets(wanted - paid - self.debt.min(0.0), payload_bytes);
        self.debt += bytes as f64 - self.mean_bytes;
        if temporal == 0 {
            self.tl0 = self.tl0.wrapping_add(1);
        }
        self.picture = self.picture.wrapping_add(1) & 0x7fff;
        self.frames = self.frames.wrapping_add(1);
        Frame { key, temporal, bytes }
    }

    fn packetize(
        &mut self,
        index: usize,
        frame: &Frame,
        timestamp: u32,
        payload_bytes: usize,
        packets: &mut Vec<MediaPacket>,
    ) {
        let count = frame.bytes.div_ceil(payload_bytes).clamp(1, MAX_PACKETS);
        for packet in 0..count {
            let size = (frame.bytes - packet * payload_bytes).min(payload_bytes);
            let mut payload = Vec::with_capacity(payload_bytes);
            self.describe(frame, packet == 0, &mut payload);
            if packet == 0 {
                self.begin_frame(frame, &mut payload);
            }
            let stamp = Stamp {
                sent_ns: nanoseconds(Instant::now()),
                layer: u8::try_from(index).unwrap_or(u8::MAX),
                temporal: frame.temporal,
                frame: self.frames,
                index: u16::try_from(packet).unwrap_or(u16::MAX),
                count: u16::try_from(count).unwrap_or(u16::MAX),
            };
            stamp.append(&mut payload);
            payload.resize(size.max(payload.len()), 0x5a);
            packets.push(MediaPacket {
                layer: index,
                sequence: self.sequence,
                timestamp: timestamp.wrapping_add(self.timestamp_offset),
                marker: packet + 1 == count,
                payload,
            });
            self.sequence += 1;
        }
    }

    /// The payload descriptor (RFC 7741, section 4.2): X, N for what nothing refers to, S; then I, L, T and K.
    fn describe(&self, frame: &Frame, start: bool, payload: &mut Vec<u8>) {
        let droppable = u8::from(frame.temporal == 2) << 5;
        let [high, low] = (self.picture | 0x8000).to_be_bytes();
        let layer_sync = u8::from(frame.temporal > 0) << 5;
        payload.extend_from_slice(&[
            0x80 | droppable | u8::from(start) << 4,
            0xf0,
            high,
            low,
            self.tl0,
            frame.temporal << 6 | layer_sync | self.key_index,
        ]);
    }

    /// The frame tag, and for a keyframe start code and size (RFC 6386, section 9.1).
    fn begin_frame(&self, frame: &Frame, payload: &mut Vec<u8>) {
        payload.extend_from_slice(&[0x10 | u8::from(!frame.key), 0, 0]);
        if frame.key {
            payload.extend_from_slice(&[0x9d, 0x01, 0x2a]);
            payload.extend_from_slice(&u16::try_from(self.layer.width).unwrap_or(0).to_le_bytes());
            payload.extend_from_slice(&u16::try_from(self.layer.height).unwrap_or(0).to_le_bytes());
        }
    }
}

/// A frame of more than one packet fills all of them, so that packets have the size that was asked for.
fn whole_packets(bytes: f64, payload_bytes: usize) -> usize {
    let least = DESCRIPTOR_BYTES + 10 + Stamp::BYTES;
    let bytes = bytes.max(least as f64) as usize;
    if bytes <= payload_bytes { bytes } else { (bytes + payload_bytes / 2) / payload_bytes * payload_bytes }
}

/// What the receiver reads of a VP8 payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Vp8 {
    /// First packet of the frame.
    pub(crate) start: bool,
    pub(crate) key: bool,
    pub(crate) picture: Option<u16>,
    pub(crate) tl0: Option<u8>,
    pub(crate) temporal: Option<u8>,
    pub(crate) stamp: Option<Stamp>,
}

impl Vp8 {
    /// Parses descriptor, frame start and stamp; `None` for what is no VP8 payload.
    pub(crate) fn parse(payload: &[u8]) -> Option<Self> {
        let first = *payload.first()?;
        let (start, mut at) = (first & 0x10 != 0 && first & 0x07 == 0, 1);
        let mut vp8 = Self { start, key: false, picture: None, tl0: None, temporal: None, stamp: None };
        if first & 0x80 != 0 {
            let flags = *payload.get(at)?;
            at += 1;
            if flags & 0x80 != 0 {
                let high = *payload.get(at)?;
                at += 1;
                vp8.picture = Some(u16::from(high & 0x7f));
                if high & 0x80 != 0 {
                    vp8.picture = Some(u16::from(high & 0x7f) << 8 | u16::from(*payload.get(at)?));
                    at += 1;
                }
            }
            if flags & 0x40 != 0 {
                vp8.tl0 = Some(*payload.get(at)?);
                at += 1;
            }
            if flags & 0x30 != 0 {
                vp8.temporal = (flags & 0x20 != 0).then_some(*payload.get(at)? >> 6);
                at += 1;
            }
        }
        if start {
            vp8.key = payload.get(at)? & 1 == 0;
            at += if vp8.key { 10 } else { 3 };
        }
        vp8.stamp = payload.get(at..).and_then(Stamp::read);
        Some(vp8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(spec: VideoSpec, seconds: u64) -> Vec<MediaPacket> {
        let start = Instant::now();
        let mut source = VideoSource::new(spec, start);
        let mut packets = Vec::new();
        while source.next_at() < start + Duration::from_secs(seconds) {
            let at = source.next_at();
            assert!(source.frame(at, &mut packets));
        }
        packets
    }

    #[test]
    fn layers_hold_their_rates_and_numbers_follow_each_other() {
        let spec = VideoSpec::camera();
        let packets = run(spec.clone(), 20);
        for (index, layer) in spec.layers.iter().enumerate() {
            let own: Vec<&MediaPacket> = packets.iter().filter(|packet| packet.layer == index).collect();
            let bits: usize = own.iter().map(|packet| packet.payload.len() * 8).sum();
            let share = bits as f64 / 20.0 / layer.bitrate as f64;
            assert!((0.9..1.1).contains(&share), "layer {index} has {share} of its rate");
            assert!(own.windows(2).all(|pair| pair[0].sequence + 1 == pair[1].sequence));
            assert!(own.iter().all(|packet| packet.payload.len() <= spec.payload_bytes));
        }
    }

    #[test]
    fn frames_are_parsed_as_they_were_made() {
        let packets = run(VideoSpec::camera(), 2);
        let (mut last, mut keys) = (None, 0);
        for packet in packets.iter().filter(|packet| packet.layer == 2) {
            let vp8 = Vp8::parse(&packet.payload).unwrap();
            let stamp = vp8.stamp.unwrap();
            assert_eq!((vp8.start, Some(stamp.temporal)), (stamp.index == 0, vp8.temporal));
            assert_eq!(packet.marker, stamp.index + 1 == stamp.count);
            keys += usize::from(vp8.key);
            if vp8.start {
                let expected = last.map(|picture: u16| (picture + 1) & 0x7fff);
                assert!(expected.is_none() || expected == vp8.picture);
                last = vp8.picture;
            }
        }
        assert_eq!(keys, 1, "one keyframe at the start, none unasked");
    }

    #[test]
    fn a_rate_in_packets_is_met_with_full_packets() {
        let packets = run(VideoSpec::camera().at_rate(1_000), 10);
        let top: Vec<&MediaPacket> = packets.iter().filter(|packet| packet.layer == 2).collect();
        assert!((9_500..10_500).contains(&top.len()), "{} packets", top.len());
        assert!(top.iter().all(|packet| packet.payload.len() == 1_100));
    }

    #[test]
    fn a_layer_that_returns_begins_with_a_keyframe() {
        let start = Instant::now();
        let mut source = VideoSource::new(VideoSpec::camera(), start);
        let mut packets = Vec::new();
        for step in 0..30 {
            source.enable(2, !(10..20).contains(&step));
            let at = source.next_at();
            packets.clear();
            source.frame(at, &mut packets);
            let top = packets.iter().find(|packet| packet.layer == 2);
            assert_eq!(top.is_some(), !(10..20).contains(&step));
            if step == 20 {
                assert!(Vp8::parse(&top.unwrap().payload).unwrap().key);
            }
        }
    }
}
