//! Which pictures a receiver of VP8 simulcast could decode, and when it would show them.
//!
//! Packets are put together to frames. A frame is decoded as soon as it is whole and what it refers to was decoded:
//! a keyframe always, a frame of the temporal base after the base before it, a higher one after its base (as
//! TL0PICIDX tells, RFC 7741). Older frames are skipped then. It is shown after a delay that the receiver has learnt
//! as its sound does ([`super::sound`]), so that frames which waited for a resent packet do not all count as late.

use std::{collections::BTreeMap, time::Duration};

use super::{delays::Delays, picture::Shown};
use crate::source::Vp8;

/// Frames waiting for packets; beyond that the oldest is given up.
const FRAMES_MAX: usize = 300;
const TICKS_PER_MS: f64 = 90.0;
/// Without a decoded frame for so long a keyframe is asked for, and again as often.
const KEYFRAME_AFTER: Duration = Duration::from_secs(1);

/// A received video packet.
#[derive(Clone, Copy, Debug)]
pub struct VideoPacket {
    /// Extended.
    pub sequence: u64,
    pub timestamp: u32,
    pub marker: bool,
    /// Since the start.
    pub at: Duration,
}

#[derive(Debug, Default)]
struct Assembly {
    packets: Vec<u64>,
    last: Option<u64>,
    start: Option<(u64, Vp8)>,
}

/// See the module's documentation.
#[derive(Debug)]
pub struct Decoder {
    frames: BTreeMap<u64, Assembly>,
    newest: Option<u64>,
    decoded: Option<u64>,
    /// TL0PICIDX of the temporal base decoded last.
    base: Option<u8>,
    delays: Delays,
    shown: Vec<Shown>,
    /// When something was decoded or a keyframe asked for.
    progress: Option<Duration>,
}

impl Default for Decoder {
    fn default() -> Self {
        Self {
            frames: BTreeMap::new(),
            newest: None,
            decoded: None,
            base: None,
            delays: Delays::new(0.0),
            shown: Vec::new(),
            progress: None,
        }
    }
}

impl Assembly {
    fn whole(&self) -> Option<Vp8> {
        let (first, vp8) = self.start?;
        (self.last? + 1 == first + self.packets.len() as u64).then_some(vp8)
    }
}

impl Decoder {
    /// What was shown, in order.
    pub fn shown(&self) -> &[Shown] {
        &self.shown
    }

    /// A media packet with its payload; what is no VP8 payload is ignored.
    pub fn packet(&mut self, packet: VideoPacket, payload: &[u8]) {
        let Some(vp8) = Vp8::parse(payload) else { return };
        let timestamp = self.extend(packet.timestamp);
        if self.decoded.is_some_and(|decoded| timestamp <= decoded) {
            return;
        }
        let frame = self.frames.entry(timestamp).or_default();
        if frame.packets.contains(&packet.sequence) {
            return;
        }
        frame.packets.push(packet.sequence);
        if vp8.start {
            frame.start = Some((packet.sequence, vp8));
        }
        if packet.marker {
            frame.last = Some(packet.sequence);
        }
        while self.frames.len() > FRAMES_MAX {
            self.frames.pop_first();
        }
        while self.decode(packet.at) {}
    }

    /// True when it is time to ask for a keyframe; `now` is the time since the start.
    pub fn asks(&mut self, now: Duration) -> bool {
        let since = *self.progress.get_or_insert(now);
        if now.saturating_sub(since) < KEYFRAME_AFTER {
            return false;
        }
        self.progress = Some(now);
        true
    }

    fn decode(&mut self, at: Duration) -> bool {
        let base = self.base;
        let ready = self.frames.iter().find_map(|(timestamp, frame)| {
            frame.whole().filter(|vp8| refers_to_decoded(vp8, base)).map(|vp8| (*timestamp, vp8))
        });
        let Some((timestamp, vp8)) = ready else { return false };
        self.frames = self.frames.split_off(&(timestamp + 1));
        self.decoded = Some(timestamp);
        self.progress = Some(at);
        if vp8.temporal.unwrap_or(0) == 0 {
            self.base = vp8.tl0;
        }
        let sent_ms = timestamp as f64 / TICKS_PER_MS;
        let at_ms = at.as_secs_f64() * 1_000.0;
        self.delays.add(sent_ms, at_ms);
        let due_ms = sent_ms + self.delays.fastest_ms() + self.delays.target_ms();
        let before = self.shown.last().map_or(Duration::ZERO, |shown| shown.rendered);
        let due = Duration::from_secs_f64(due_ms.max(at_ms) / 1_000.0);
        self.shown.push(Shown {
            at,
            rendered: due.max(before),
            layer: vp8.stamp.map_or(0, |stamp| stamp.layer),
            temporal: vp8.temporal.unwrap_or(0),
        });
        true
    }

    /// Counts roll-overs of the RTP clock.
    fn extend(&mut self, timestamp: u32) -> u64 {
        let Some(newest) = self.newest else {
            // Room below, for what comes before the first.
            let first = (1 << 32) + u64::from(timestamp);
            self.newest = Some(first);
            return first;
        };
        let step = i64::from(timestamp.wrapping_sub((newest & u64::from(u32::MAX)) as u32).cast_signed());
        let extended = newest.saturating_add_signed(step);
        self.newest = Some(newest.max(extended));
        extended
    }
}

fn refers_to_decoded(vp8: &Vp8, base: Option<u8>) -> bool {
    if vp8.key {
        return true;
    }
    let Some((tl0, base)) = vp8.tl0.zip(base) else { return false };
    let step = u8::from(vp8.temporal.unwrap_or(0) == 0);
    tl0 == base.wrapping_add(step)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::source::{MediaPacket, VideoSource, VideoSpec};

    /// Two seconds of one layer, its packets by frame.
    fn frames() -> Vec<Vec<MediaPacket>> {
        let start = Instant::now();
        let mut spec = VideoSpec::camera();
        spec.layers.truncate(1);
        spec.layers[0].bitrate = 600_000;
        let mut source = VideoSource::new(spec, start);
        let mut frames = Vec::new();
        for _ in 0..60 {
            let (at, mut packets) = (source.next_at(), Vec::new());
            source.frame(at, &mut packets);
            frames.push(packets);
        }
        frames
    }

    fn give(decoder: &mut Decoder, packet: &MediaPacket, ms: u64) {
        let header = VideoPacket {
            sequence: packet.sequence,
            timestamp: packet.timestamp,
            marker: packet.marker,
            at: Duration::from_millis(ms),
        };
        decoder.packet(header, &packet.payload);
    }

    /// Frame `lost` of the temporal layer named misses its last packet; the numbers of frames shown.
    fn without(temporal: u8, resent_ms: Option<u64>) -> (usize, Decoder) {
        let (frames, mut decoder) = (frames(), Decoder::default());
        let is = |packets: &Vec<MediaPacket>| {
            Vp8::parse(&packets[0].payload).and_then(|vp8| vp8.temporal) == Some(temporal)
        };
        let lost = frames.iter().skip(8).position(is).map_or(usize::MAX, |index| index + 8);
        let mut resent = None;
        for (number, packets) in frames.iter().enumerate() {
            let ms = number as u64 * 33 + 1_000;
            if let Some((at, packet)) = &resent
                && *at <= ms
            {
                give(&mut decoder, packet, *at);
                resent = None;
            }
            let (last, first) =
                packets.split_last().map_or((None, packets.as_slice()), |(last, first)| (Some(last), first));
            first.iter().for_each(|packet| give(&mut decoder, packet, ms));
            match last {
                Some(last) if number == lost => resent = resent_ms.map(|after| (ms + after, last.clone())),
                Some(last) => give(&mut decoder, last, ms),
                None => {}
            }
        }
        (lost, decoder)
    }

    #[test]
    fn whole_streams_are_shown_whole() {
        let (_, decoder) = without(9, None);
        assert_eq!(decoder.shown().len(), 60);
        assert!(decoder.shown().windows(2).all(|pair| pair[0].rendered <= pair[1].rendered));
    }

    #[test]
    fn a_lost_base_stops_the_picture_and_a_lost_top_does_not() {
        let (lost, decoder) = without(0, None);
        assert_eq!(decoder.shown().len(), lost);
        let (_, decoder) = without(2, None);
        assert_eq!(decoder.shown().len(), 59);
    }

    #[test]
    fn a_resent_packet_lets_the_picture_go_on() {
        let (_, decoder) = without(0, Some(120));
        assert!(decoder.shown().len() >= 59, "{}", decoder.shown().len());
    }
}
