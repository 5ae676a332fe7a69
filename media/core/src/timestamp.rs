//! RTP timestamps that go on over switches of layer or track.

use std::time::{Duration, Instant};

/// Longest step over a pause, in ticks: half the range would look like a step back.
const MAX_STEP: u64 = 1 << 30;

/// The newest frame that went out.
#[derive(Clone, Copy, Debug)]
struct Last {
    out: u32,
    arrived: Instant,
}

/// Maps the timestamps of one incoming stream after the other to one outgoing row.
///
/// Streams have unrelated offsets and no sender reports reach the core, so a
/// new segment is placed by the time that passed between the arrival of its
/// first frame and that of the newest frame before it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Timestamps {
    offset: u32,
    last: Option<Last>,
}

impl Timestamps {
    /// Starts a segment whose first packet has `timestamp`.
    pub(crate) fn begin(&mut self, timestamp: u32, clock_rate: u32, now: Instant) {
        let Some(last) = self.last else {
            self.offset = 0;
            return;
        };
        let passed = ticks(now.saturating_duration_since(last.arrived), clock_rate);
        self.offset = last.out.wrapping_add(passed).wrapping_sub(timestamp);
    }

    pub(crate) fn map(&mut self, timestamp: u32, now: Instant) -> u32 {
        let out = timestamp.wrapping_add(self.offset);
        if self.last.is_none_or(|last| newer(out, last.out)) {
            self.last = Some(Last { out, arrived: now });
        }
        out
    }
}

/// Is `a` after `b`, the range taken as a circle?
pub(crate) fn newer(a: u32, b: u32) -> bool {
    (a.wrapping_sub(b) as i32) > 0
}

/// At least 1, so that a new segment is a new frame.
fn ticks(passed: Duration, clock_rate: u32) -> u32 {
    let ticks = passed.as_micros() * u128::from(clock_rate) / 1_000_000;
    ticks.clamp(1, u128::from(MAX_STEP)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    const VIDEO: u32 = 90_000;

    #[test]
    fn a_switch_steps_by_the_time_passed() {
        let start = testing::start();
        let mut times = Timestamps::default();
        times.begin(4_000_000_000, VIDEO, start);
        assert_eq!(times.map(4_000_000_000, start), 4_000_000_000);
        let later = start + Duration::from_millis(100);
        times.begin(77, VIDEO, later);
        assert_eq!(times.map(77, later), 4_000_009_000);
        assert_eq!(times.map(77 + 3000, later), 4_000_012_000);
    }

    #[test]
    fn never_stands_still_or_goes_back() {
        let start = testing::start();
        let mut times = Timestamps::default();
        times.begin(u32::MAX, VIDEO, start);
        assert_eq!(times.map(u32::MAX, start), u32::MAX);
        times.begin(500, VIDEO, start);
        assert_eq!(times.map(500, start), 0, "wraps around");
        let days = start + Duration::from_secs(900_000);
        times.begin(0, VIDEO, days);
        assert!(newer(times.map(0, days), 0));
    }

    #[test]
    fn late_packets_do_not_move_the_anchor() {
        let start = testing::start();
        let mut times = Timestamps::default();
        times.begin(0, VIDEO, start);
        times.map(9_000, start);
        assert_eq!(times.map(0, start + Duration::from_millis(50)), 0);
        let later = start + Duration::from_millis(100);
        times.begin(0, VIDEO, later);
        assert_eq!(times.map(0, later), 18_000);
    }
}
