//! Measured rate of one incoming layer, by temporal layer.

use std::time::{Duration, Instant};

/// What a packet is on the wire beyond its payload, about: RTP with extensions, SRTP's tag, UDP and IPv4.
/// Rates and estimates count it, because on a narrow link many small packets make up a third of the load.
pub const WIRE_OVERHEAD_BYTES: usize = 64;
/// Temporal layers counted apart; VP8 has two bits for them.
pub(crate) const MAX_TEMPORAL: usize = 4;
/// Shortest span from which a rate is taken.
const WINDOW: Duration = Duration::from_millis(400);
/// Weight of the newest span: a keyframe alone shall not double the rate.
const WEIGHT: f64 = 0.25;

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    bytes: u64,
    frames: u64,
    /// Bits per second, smoothed.
    bps: f64,
    /// Frames per second, smoothed.
    fps: f64,
}

/// Counts what arrives; [`Meter::roll`] turns it into rates.
#[derive(Clone, Debug, Default)]
pub(crate) struct Meter {
    since: Option<Instant>,
    measured: bool,
    counts: [Count; MAX_TEMPORAL],
}

impl Meter {
    pub(crate) fn add(&mut self, temporal: u8, bytes: usize, ends_frame: bool, now: Instant) {
        self.since.get_or_insert(now);
        let count = &mut self.counts[usize::from(temporal).min(MAX_TEMPORAL - 1)];
        count.bytes += bytes as u64;
        count.frames += u64::from(ends_frame);
    }

    /// Closes the span if it is long enough.
    pub(crate) fn roll(&mut self, now: Instant) {
        let Some(since) = self.since else { return };
        let span = now.saturating_duration_since(since);
        if span < WINDOW {
            return;
        }
        let weight = if self.measured { WEIGHT } else { 1.0 };
        let seconds = span.as_secs_f64();
        for count in &mut self.counts {
            count.bps += weight * (count.bytes as f64 * 8.0 / seconds - count.bps);
            count.fps += weight * (count.frames as f64 / seconds - count.fps);
            count.bytes = 0;
            count.frames = 0;
        }
        self.measured = true;
        self.since = Some(now);
    }

    pub(crate) fn reset(&mut self) {
        *self = Self::default();
    }

    /// Bits per second of the temporal layers up to `temporal`; `None` before the first span.
    pub(crate) fn bps(&self, temporal: u8) -> Option<u64> {
        self.measured.then(|| self.upto(temporal).iter().map(|count| count.bps).sum::<f64>() as u64)
    }

    /// Frames per second of the temporal layers up to `temporal`; 0 before the first span.
    pub(crate) fn fps(&self, temporal: u8) -> f64 {
        self.upto(temporal).iter().map(|count| count.fps).sum()
    }

    /// The highest temporal layer in which something arrives.
    pub(crate) fn top(&self) -> u8 {
        self.counts.iter().rposition(|count| count.fps >= 0.5).unwrap_or(0) as u8
    }

    fn upto(&self, temporal: u8) -> &[Count] {
        &self.counts[..=usize::from(temporal).min(MAX_TEMPORAL - 1)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn measures_by_temporal_layer() {
        let start = testing::start();
        let mut meter = Meter::default();
        assert_eq!(meter.bps(0), None);
        for frame in 0..30u64 {
            let now = start + Duration::from_millis(frame * 1000 / 30);
            meter.add((frame % 2) as u8, 1000, true, now);
        }
        meter.roll(start + Duration::from_secs(1));
        assert_eq!(meter.bps(0), Some(15 * 8000));
        assert_eq!(meter.bps(3), Some(30 * 8000));
        assert!((meter.fps(0) - 15.0).abs() < 0.01);
        assert_eq!(meter.top(), 1);
    }

    #[test]
    fn one_burst_moves_it_by_a_quarter() {
        let start = testing::start();
        let mut meter = Meter::default();
        meter.add(0, 1250, true, start);
        meter.roll(start + Duration::from_secs(1));
        assert_eq!(meter.bps(0), Some(10_000));
        meter.add(0, 6250, true, start + Duration::from_secs(1));
        meter.roll(start + Duration::from_secs(2));
        assert_eq!(meter.bps(0), Some(20_000));
        meter.roll(start + Duration::from_millis(2100));
        assert_eq!(meter.bps(0), Some(20_000), "too short a span");
        meter.reset();
        assert_eq!(meter.bps(0), None);
    }
}
