//! RTP timestamps that go on over switches of layer or track.

use std::time::{Duration, Instant};

use crate::SenderReport;

/// Reports that place a segment farther than this from its arrival are not believed.
const CLOCK_TOLERANCE: Duration = Duration::from_millis(500);
/// Longest step over a pause, in ticks: half the range would look like a step back.
const MAX_STEP: u64 = 1 << 30;

/// The newest frame that went out.
#[derive(Clone, Copy, Debug)]
struct Last {
    out: u32,
    arrived: Instant,
}

/// A moment on the clock of the publisher and in the outgoing row.
#[derive(Clone, Copy, Debug)]
struct Anchor {
    wall_us: u64,
    out: u32,
}

/// Maps the timestamps of one incoming stream after the other to one outgoing row.
///
/// Streams have unrelated offsets. Those of one publisher are placed by its sender reports, so that
/// picture and sound stay together over any number of switches. Where they are not known, or come
/// from a clock that was set meanwhile, a new segment is placed by the time that passed between
/// the arrival of its first frame and that of the newest frame before it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Timestamps {
    offset: u32,
    last: Option<Last>,
    anchor: Option<Anchor>,
}

impl Timestamps {
    /// Starts a segment whose first packet has `timestamp`.
    pub(crate) fn begin(
        &mut self,
        timestamp: u32,
        clock_rate: u32,
        report: Option<SenderReport>,
        now: Instant,
    ) {
        let Some(last) = self.last else {
            self.offset = 0;
            return;
        };
        let passed = ticks(now.saturating_duration_since(last.arrived), clock_rate);
        let by_arrival = last.out.wrapping_add(passed);
        let by_report = self.anchor.zip(report).map(|(anchor, report)| {
            let passed = ticks_between(anchor.wall_us, report.wall_us, clock_rate);
            let since_report = timestamp.wrapping_sub(report.timestamp);
            anchor.out.wrapping_add(passed).wrapping_add(since_report)
        });
        let tolerance = ticks(CLOCK_TOLERANCE, clock_rate);
        let out = match by_report {
            // A frame of the same moment, or of a later one, may have been sent of the other stream:
            // this segment is a little late then, but not those after it.
            Some(out) if (out.wrapping_sub(by_arrival) as i32).unsigned_abs() <= tolerance => {
                if newer(out, last.out) { out } else { last.out.wrapping_add(1) }
            }
            Some(_) => {
                self.anchor = None;
                by_arrival
            }
            None => by_arrival,
        };
        self.offset = out.wrapping_sub(timestamp);
    }

    /// Another publisher may follow, with a clock of its own.
    pub(crate) fn forget_clock(&mut self) {
        self.anchor = None;
    }

    pub(crate) fn map(&mut self, timestamp: u32, report: Option<SenderReport>, now: Instant) -> u32 {
        let out = timestamp.wrapping_add(self.offset);
        if self.last.is_none_or(|last| newer(out, last.out)) {
            self.last = Some(Last { out, arrived: now });
        }
        if self.anchor.is_none()
            && let Some(report) = report
        {
            let since_report = timestamp.wrapping_sub(report.timestamp);
            self.anchor = Some(Anchor { wall_us: report.wall_us, out: out.wrapping_sub(since_report) });
        }
        out
    }
}

/// From `a` to `b`, both ways.
fn ticks_between(a_us: u64, b_us: u64, clock_rate: u32) -> u32 {
    let scaled = (i128::from(b_us) - i128::from(a_us)) * i128::from(clock_rate);
    (scaled + 500_000).div_euclid(1_000_000) as u32
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
        times.begin(4_000_000_000, VIDEO, None, start);
        assert_eq!(times.map(4_000_000_000, None, start), 4_000_000_000);
        let later = start + Duration::from_millis(100);
        times.begin(77, VIDEO, None, later);
        assert_eq!(times.map(77, None, later), 4_000_009_000);
        assert_eq!(times.map(77 + 3000, None, later), 4_000_012_000);
    }

    #[test]
    fn never_stands_still_or_goes_back() {
        let start = testing::start();
        let mut times = Timestamps::default();
        times.begin(u32::MAX, VIDEO, None, start);
        assert_eq!(times.map(u32::MAX, None, start), u32::MAX);
        times.begin(500, VIDEO, None, start);
        assert_eq!(times.map(500, None, start), 0, "wraps around");
        let days = start + Duration::from_secs(900_000);
        times.begin(0, VIDEO, None, days);
        assert!(newer(times.map(0, None, days), 0));
    }

    #[test]
    fn late_packets_do_not_move_the_anchor() {
        let start = testing::start();
        let mut times = Timestamps::default();
        times.begin(0, VIDEO, None, start);
        times.map(9_000, None, start);
        assert_eq!(times.map(0, None, start + Duration::from_millis(50)), 0);
        let later = start + Duration::from_millis(100);
        times.begin(0, VIDEO, None, later);
        assert_eq!(times.map(0, None, later), 18_000);
    }

    /// Two streams of one clock: 5,000,000 µs are tick 1,000 of one and tick 700,000 of the other.
    fn reports() -> (Option<SenderReport>, Option<SenderReport>) {
        let report = |timestamp| Some(SenderReport { wall_us: 5_000_000, timestamp });
        (report(1_000), report(700_000))
    }

    #[test]
    fn reports_place_a_switch_whenever_it_arrives() {
        let start = testing::start();
        let (low, high) = reports();
        let mut times = Timestamps::default();
        times.begin(1_000, VIDEO, low, start);
        assert_eq!(times.map(1_000, low, start), 1_000);
        // The frame of 100 ms later is late by 170 ms.
        let late = start + Duration::from_millis(270);
        times.begin(709_000, VIDEO, high, late);
        assert_eq!(times.map(709_000, high, late), 10_000);
        assert_eq!(times.map(712_000, high, late), 13_000);
        times.begin(16_000, VIDEO, low, late);
        assert_eq!(times.map(16_000, low, late), 16_000, "nothing adds up");
    }

    #[test]
    fn a_frame_of_a_moment_that_was_shown_is_a_new_frame_but_moves_nothing() {
        let start = testing::start();
        let (low, high) = reports();
        let mut times = Timestamps::default();
        times.begin(1_000, VIDEO, low, start);
        times.map(4_000, low, start);
        times.begin(700_000, VIDEO, high, start);
        assert_eq!(times.map(700_000, high, start), 4_001);
        times.begin(10_000, VIDEO, low, start);
        assert_eq!(times.map(10_000, low, start), 10_000);
    }

    #[test]
    fn clocks_that_were_set_or_are_of_others_are_not_believed() {
        let start = testing::start();
        let (low, high) = reports();
        let later = start + Duration::from_millis(100);
        let mut times = Timestamps::default();
        times.begin(1_000, VIDEO, low, start);
        times.map(1_000, low, start);
        let set = high.map(|report| SenderReport { wall_us: u64::MAX, ..report });
        times.begin(709_000, VIDEO, set, later);
        assert_eq!(times.map(709_000, set, later), 10_000, "by arrival");
        times.forget_clock();
        let other = high.map(|report| SenderReport { wall_us: 5_200_000, ..report });
        times.begin(709_000, VIDEO, other, later);
        assert_eq!(times.map(709_000, other, later), 10_001, "by arrival");
    }
}
