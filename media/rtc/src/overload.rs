//! When a worker is short of time: how long datagrams wait until it reads them, and what follows.
//!
//! Measured is the time that the oldest datagram of a turn has waited in the kernel (by its
//! timestamp), smoothed over [`SMOOTHING`]. Where it stays above [`LATE`] for [`RAISE_AFTER`], less
//! is sent, a level at a time, until the queue drains; where it stays below [`IN_TIME`] for a while,
//! more again. What each level leaves out is decided in the core ([`Overload`]); docs/operations.md
//! has the order.

use std::time::{Duration, Instant};

use parley_media_core::Overload;

/// A stall shorter than this counts by its share.
const SMOOTHING: Duration = Duration::from_millis(250);
/// A conversation suffers from more.
const LATE: Duration = Duration::from_millis(100);
/// The queue is short again.
const IN_TIME: Duration = Duration::from_millis(10);
/// How long packets are late before the level rises, and rises again.
const RAISE_AFTER: Duration = Duration::from_millis(1_500);
/// The same, where a level has just been tried that does not do.
const RETURN_AFTER: Duration = Duration::from_millis(500);
/// A queue that has come down to this share since the level rose drains: another level can wait.
const DRAINS: f64 = 0.75;
/// How long they are in time before it falls: first, ...
const EASE_AFTER: Duration = Duration::from_secs(4);
/// ... and at the most. It doubles where a fall was followed by a rise within [`IN_VAIN`].
const EASE_AFTER_MAX: Duration = Duration::from_secs(60);
const IN_VAIN: Duration = Duration::from_secs(10);

const LEVELS: [Overload; 4] = [Overload::None, Overload::Thin, Overload::Few, Overload::SoundOnly];

/// How late the worker is, and what that means. Knows no clock.
#[derive(Debug)]
pub(crate) struct Lateness {
    level: usize,
    smoothed: Duration,
    sampled: Instant,
    /// Since when packets are late, or in time, without a break.
    late_since: Option<Instant>,
    /// What the wait was when the level rose, or was last looked at since.
    late_by: Duration,
    in_time_since: Option<Instant>,
    ease_after: Duration,
    eased: Option<Instant>,
}

impl Lateness {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            level: 0,
            smoothed: Duration::ZERO,
            sampled: now,
            late_since: None,
            late_by: Duration::ZERO,
            in_time_since: None,
            ease_after: EASE_AFTER,
            eased: None,
        }
    }

    pub(crate) fn level(&self) -> Overload {
        LEVELS[self.level]
    }

    /// One turn: how long the oldest datagram read in it has waited, zero if there was none.
    /// Returns the level if it is another from now on.
    pub(crate) fn sample(&mut self, now: Instant, waited: Duration) -> Option<Overload> {
        let passed = now.saturating_duration_since(self.sampled);
        self.sampled = self.sampled.max(now);
        let share = 1.0 - (-passed.as_secs_f64() / SMOOTHING.as_secs_f64()).exp();
        let waited = waited.as_secs_f64();
        let before = self.smoothed.as_secs_f64();
        self.smoothed = Duration::from_secs_f64(before + (waited - before) * share);
        let since = |holds: bool, since: Option<Instant>| holds.then(|| since.unwrap_or(now));
        self.late_since = since(self.smoothed >= LATE, self.late_since);
        self.in_time_since = since(self.smoothed <= IN_TIME, self.in_time_since);
        let lasts = |since: Option<Instant>, time: Duration| {
            since.is_some_and(|since| now.saturating_duration_since(since) >= time)
        };
        let in_vain = self.eased.is_some_and(|eased| now.saturating_duration_since(eased) < IN_VAIN);
        let raise_after = if in_vain { RETURN_AFTER } else { RAISE_AFTER };
        if lasts(self.late_since, raise_after) && self.level + 1 < LEVELS.len() {
            let drains = self.level > 0 && self.smoothed < self.late_by.mul_f64(DRAINS);
            (self.late_since, self.late_by) = (Some(now), self.smoothed);
            if drains {
                return None;
            }
            self.level += 1;
            if in_vain {
                self.ease_after = (self.ease_after * 2).min(EASE_AFTER_MAX);
            }
            self.eased = None;
        } else if lasts(self.in_time_since, self.ease_after) && self.level > 0 {
            self.level -= 1;
            self.in_time_since = Some(now);
            self.eased = Some(now);
        } else {
            if self.level == 0 && lasts(self.in_time_since, EASE_AFTER_MAX) {
                self.ease_after = EASE_AFTER;
            }
            return None;
        }
        Some(self.level())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TURN: Duration = Duration::from_millis(5);
    const STALL: Duration = Duration::from_millis(200);

    struct Line {
        lateness: Lateness,
        start: Instant,
        now: Instant,
    }

    impl Line {
        fn new() -> Self {
            let start = Instant::now();
            Self { lateness: Lateness::new(start), start, now: start }
        }

        /// Turns in which datagrams have waited so long; when which level came, in milliseconds.
        fn run(&mut self, seconds: u64, waited: Duration) -> Vec<(u128, Overload)> {
            let end = self.now + Duration::from_secs(seconds);
            let mut told = Vec::new();
            while self.now < end {
                self.now += TURN;
                if let Some(level) = self.lateness.sample(self.now, waited) {
                    told.push(((self.now - self.start).as_millis(), level));
                }
            }
            told
        }
    }

    fn levels(told: &[(u128, Overload)]) -> Vec<Overload> {
        told.iter().map(|(_, level)| *level).collect()
    }

    #[test]
    fn rises_while_late_and_falls_slowly() {
        let mut line = Line::new();
        let raised = line.run(10, STALL);
        assert_eq!(levels(&raised), [Overload::Thin, Overload::Few, Overload::SoundOnly]);
        assert!((1_500..1_800).contains(&raised[0].0), "{raised:?}");
        assert_eq!(raised[2].0 - raised[0].0, 3_000);
        let eased = line.run(20, Duration::from_millis(1));
        assert_eq!(levels(&eased), [Overload::Few, Overload::Thin, Overload::None]);
        assert!(eased[0].0 >= 14_000 && eased[1].0 - eased[0].0 >= 4_000, "{eased:?}");
    }

    #[test]
    fn short_stalls_and_a_queue_in_between_change_nothing() {
        let mut line = Line::new();
        for _ in 0..20 {
            line.now += Duration::from_millis(150);
            assert_eq!(line.lateness.sample(line.now, Duration::from_millis(150)), None);
            assert_eq!(line.run(1, Duration::from_millis(2)), []);
        }
        assert_eq!(line.run(60, Duration::from_millis(40)), []);
        line.run(3, STALL);
        assert_eq!(line.lateness.level(), Overload::Thin);
        assert_eq!(line.run(60, Duration::from_millis(40)), [], "neither late nor in time");
    }

    #[test]
    fn what_does_not_hold_is_tried_less_and_less_often() {
        let mut line = Line::new();
        let mut waited = Duration::ZERO;
        let mut falls = Vec::new();
        // Without the level packets are late.
        for _ in 0..(300 * 200) {
            line.now += TURN;
            let level = line.lateness.sample(line.now, waited);
            if level == Some(Overload::None) {
                falls.push((line.now - line.start).as_secs());
            }
            waited = if line.lateness.level() == Overload::None { STALL } else { Duration::ZERO };
        }
        let pauses: Vec<u64> = falls.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let grow = pauses.windows(2).all(|pair| pair[1] + 2 >= pair[0]);
        assert!(grow && pauses[0] < 12 && *pauses.last().unwrap() >= 60, "{pauses:?}");
    }

    /// A worker whose load is a share of what it can do: what comes beyond that waits, up to what
    /// a socket holds.
    struct Worker {
        line: Line,
        waited: Duration,
    }

    impl Worker {
        const HELD: Duration = Duration::from_millis(360);

        fn new() -> Self {
            Self { line: Line::new(), waited: Duration::ZERO }
        }

        /// Runs with a load for each level: when which level came, and how many milliseconds
        /// packets were late.
        fn run(&mut self, seconds: u64, loads: [f64; 4]) -> (Vec<(u128, Overload)>, u128) {
            let (mut told, mut late) = (Vec::new(), 0);
            for _ in 0..seconds * 200 {
                let load = loads[self.line.lateness.level() as usize];
                let waited = self.waited.as_secs_f64() + TURN.as_secs_f64() * (load - 1.0);
                self.waited = Duration::from_secs_f64(waited.max(0.0)).min(Self::HELD);
                late += if self.waited > LATE { TURN.as_millis() } else { 0 };
                self.line.now += TURN;
                if let Some(level) = self.line.lateness.sample(self.line.now, self.waited) {
                    told.push(((self.line.now - self.line.start).as_millis(), level));
                }
            }
            (told, late)
        }
    }

    #[test]
    fn a_load_that_fits_without_frames_stays_there() {
        let mut worker = Worker::new();
        assert_eq!(worker.run(60, [0.9, 0.5, 0.3, 0.1]), (vec![], 0));
        // A third too much.
        let (told, late) = worker.run(600, [1.33, 0.8, 0.5, 0.1]);
        assert!(told.iter().all(|(_, level)| *level <= Overload::Thin), "{told:?}");
        assert!(told.len() < 30, "the rest is tried once a minute: {told:?}");
        assert!(late < 600_000 / 20, "late for {late} ms of ten minutes");
        let (told, _) = worker.run(200, [0.9, 0.5, 0.3, 0.1]);
        assert!(told.len() <= 2 && worker.line.lateness.level() == Overload::None, "{told:?}");
        assert_eq!(worker.run(600, [0.9, 0.5, 0.3, 0.1]), (vec![], 0));
    }

    #[test]
    fn many_times_the_load_comes_down_to_sound_and_back_up() {
        let mut worker = Worker::new();
        let (told, _) = worker.run(20, [6.0, 3.0, 2.0, 0.2]);
        let first: Vec<Overload> = levels(&told).into_iter().take(3).collect();
        assert_eq!(first, [Overload::Thin, Overload::Few, Overload::SoundOnly]);
        assert!(told[2].0 < 6_000, "{told:?}");
        let (told, late) = worker.run(600, [6.0, 3.0, 2.0, 0.2]);
        assert!(told.iter().all(|(_, level)| *level >= Overload::Few), "{told:?}");
        assert!(late < 600_000 / 20, "late for {late} ms of ten minutes");
        let (told, _) = worker.run(240, [0.9, 0.5, 0.3, 0.1]);
        let falls = levels(&told).into_iter().rev().take(3).collect::<Vec<_>>();
        assert_eq!(falls, [Overload::None, Overload::Thin, Overload::Few], "{told:?}");
    }
}
