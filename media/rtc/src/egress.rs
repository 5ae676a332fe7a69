//! What can be sent to one participant: the estimate of the state machine, made fit to act upon.
//!
//! The state machine's congestion control (GCC on transport-wide feedback) has three habits
//! that an allocator must be shielded from:
//!
//! - What it tells is averaged over three seconds. After a fall of the rate that is too late
//!   by a queue full of packets, so the value behind it is read with the statistics.
//! - The result of a probe replaces the estimate even if it is lower, and probes go to twice the
//!   rate that is desired. So a subscriber who wishes for little for a while would lower the
//!   estimate of a link that carries more: no less than the estimate is desired, as long as the
//!   subscriber could make use of it. And a late timer lowers the result: unless the link shows
//!   loss or a queue, a fall is believed bit by bit, and not below the rate that is being sent.
//! - While little is sent it can come to rest in a state without probes, for a minute. If
//!   something is missing and the link is calm, it is started anew from what is known, which
//!   begins with probes; seldom if in vain.

use std::time::{Duration, Instant};

/// How often the statistics are read.
pub(crate) const STATS_INTERVAL: Duration = Duration::from_millis(500);
/// Loss from which a fall of the estimate is plausible.
const CALM_LOSS: f32 = 0.02;
/// Delay of a queue from which it is.
const CALM_QUEUE: Duration = Duration::from_millis(40);
/// What is left of the estimate after one sample of a calm link that tells less, in percent.
const CALM_FALL_PERCENT: u64 = 85;
/// The shortest round trip is looked for in two halves of this, so that a change of the path
/// is noticed.
const ROUND_TRIP_SPAN: Duration = Duration::from_secs(20);
/// Time for the state machine's own probes before it is started anew, ...
const PATIENCE_MIN: Duration = Duration::from_millis(1_000);
/// ... and how long that grows when it is in vain.
const PATIENCE_MAX: Duration = Duration::from_secs(16);
/// More than is desired is wanted, so that there is room to step up.
const MARGIN_PERCENT: u64 = 20;
/// Smaller changes of what the state machine is to look for are not told, in percent.
const CHANGE_PERCENT: u64 = 10;

/// What the statistics tell of the way to the client.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sample {
    /// Bits per second: what the state machine believes at the moment.
    pub(crate) estimate_bps: Option<u64>,
    /// 0 to 1, in the last second.
    pub(crate) loss: f32,
    pub(crate) round_trip: Option<Duration>,
    /// Media sent since the beginning.
    pub(crate) bytes: u64,
}

/// What follows from a [`Sample`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// Bits per second, for the allocation.
    pub(crate) estimate_bps: Option<u64>,
    /// Start the state machine's estimation anew from here.
    pub(crate) restart_bps: Option<u64>,
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub(crate) struct Egress {
    estimate_bps: Option<u64>,
    /// A sample has come: what is told between them can only lower the estimate.
    sampled: bool,
    wanted_bps: u64,
    possible_bps: u64,
    /// What the state machine was told to look for.
    sought_bps: u64,
    sent: Option<(Instant, u64)>,
    shortest: Shortest,
    /// Since when something is missing, and how long that is looked at.
    missing: Option<(Instant, Duration)>,
}

impl Egress {
    /// The rates that the allocation could use: with the present wishes, and with the greatest.
    pub(crate) fn desire(&mut self, bps: u64, possible_bps: u64) {
        self.wanted_bps = bps + bps * MARGIN_PERCENT / 100;
        self.possible_bps = possible_bps + possible_bps * MARGIN_PERCENT / 100;
    }

    /// What the state machine is to look for, if that has changed.
    pub(crate) fn seek(&mut self) -> Option<u64> {
        let known = self.estimate_bps.unwrap_or(0).min(self.possible_bps);
        let seek = self.wanted_bps.max(known);
        let change = seek.abs_diff(self.sought_bps);
        if change == 0 || change * 100 < seek.max(self.sought_bps) * CHANGE_PERCENT {
            return None;
        }
        self.sought_bps = seek;
        Some(seek)
    }

    /// The state machine tells its average.
    pub(crate) fn told(&mut self, bps: u64) -> Option<u64> {
        let known = self.estimate_bps.filter(|_| self.sampled);
        let estimate = known.map_or(bps, |known| known.min(bps));
        (self.estimate_bps.replace(estimate) != Some(estimate)).then_some(estimate)
    }

    pub(crate) fn sample(&mut self, sample: &Sample, now: Instant) -> Verdict {
        let sent_bps = self.sent_bps(sample.bytes, now);
        let Some(found) = sample.estimate_bps else { return Verdict::default() };
        let queue = sample.round_trip.map(|trip| trip.saturating_sub(self.shortest.update(trip, now)));
        let calm = sample.loss < CALM_LOSS && queue.is_some_and(|queue| queue < CALM_QUEUE);
        let known = self.estimate_bps.unwrap_or(found);
        let least = if calm { known.min(sent_bps.max(known * CALM_FALL_PERCENT / 100)) } else { 0 };
        let estimate = found.max(least);
        self.sampled = true;
        self.estimate_bps = Some(estimate);
        Verdict { estimate_bps: Some(estimate), restart_bps: self.restart(estimate, calm, now) }
    }

    fn restart(&mut self, estimate: u64, calm: bool, now: Instant) -> Option<u64> {
        if self.wanted_bps <= estimate {
            self.missing = None;
            return None;
        }
        let (since, patience) = self.missing.get_or_insert((now, PATIENCE_MIN));
        if !calm {
            *since = now;
            return None;
        }
        if now.saturating_duration_since(*since) < *patience {
            return None;
        }
        *since = now;
        *patience = (*patience * 2).min(PATIENCE_MAX);
        Some(estimate)
    }

    /// What was sent since the sample before.
    fn sent_bps(&mut self, bytes: u64, now: Instant) -> u64 {
        let Some((at, before)) = self.sent.replace((now, bytes)) else { return 0 };
        let span = now.saturating_duration_since(at).as_secs_f64();
        if span <= 0.0 { 0 } else { (bytes.saturating_sub(before) as f64 * 8.0 / span) as u64 }
    }
}

/// The shortest round trip of the last while.
#[derive(Debug, Default)]
struct Shortest {
    turned: Option<Instant>,
    before: Option<Duration>,
    now: Option<Duration>,
}

impl Shortest {
    fn update(&mut self, trip: Duration, now: Instant) -> Duration {
        let turned = *self.turned.get_or_insert(now);
        if now.saturating_duration_since(turned) >= ROUND_TRIP_SPAN {
            self.turned = Some(now);
            self.before = self.now.take();
        }
        let shortest = self.now.map_or(trip, |known| known.min(trip));
        self.now = Some(shortest);
        self.before.map_or(shortest, |before| before.min(shortest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALM: Duration = Duration::from_millis(20);
    const QUEUED: Duration = Duration::from_millis(120);

    /// One participant, sampled again and again.
    struct Line {
        egress: Egress,
        now: Instant,
        bytes: u64,
    }

    impl Line {
        fn new(wanted_bps: u64, possible_bps: u64) -> Self {
            let mut egress = Egress::default();
            egress.desire(wanted_bps, possible_bps);
            Self { egress, now: Instant::now(), bytes: 0 }
        }

        fn sample(&mut self, found_bps: u64, sent_bps: u64, loss: f32, trip: Duration) -> Verdict {
            self.now += STATS_INTERVAL;
            self.bytes += sent_bps / 8 / 2;
            let sample =
                Sample { estimate_bps: Some(found_bps), loss, round_trip: Some(trip), bytes: self.bytes };
            self.egress.sample(&sample, self.now)
        }

        fn calm(&mut self, found_bps: u64, sent_bps: u64) -> Verdict {
            self.sample(found_bps, sent_bps, 0.0, CALM)
        }
    }

    #[test]
    fn averages_lower_the_estimate_between_samples_and_never_raise_it() {
        let mut line = Line::new(1_000_000, 1_000_000);
        assert_eq!(line.egress.told(2_000_000), Some(2_000_000), "before the first sample both count");
        line.calm(1_500_000, 0);
        assert_eq!(line.egress.told(1_900_000), None);
        assert_eq!(line.egress.told(700_000), Some(700_000));
        assert_eq!(line.calm(1_800_000, 0).estimate_bps, Some(1_800_000));
    }

    #[test]
    fn a_fall_is_believed_at_once_only_with_a_sign_of_the_link() {
        for (loss, trip, believed) in [(0.0, CALM, 850_000), (0.1, CALM, 300_000), (0.0, QUEUED, 300_000)] {
            let mut line = Line::new(0, 0);
            line.calm(1_000_000, 0);
            assert_eq!(line.sample(300_000, 200_000, loss, trip).estimate_bps, Some(believed));
        }
        let mut line = Line::new(0, 0);
        line.calm(1_000_000, 0);
        let estimates: Vec<_> = (0..20).filter_map(|_| line.calm(300_000, 600_000).estimate_bps).collect();
        assert_eq!(estimates.first(), Some(&850_000));
        assert_eq!(estimates.last(), Some(&600_000), "what is being sent goes through");
    }

    #[test]
    fn a_longer_path_is_no_queue_for_ever() {
        let mut line = Line::new(0, 0);
        line.calm(1_000_000, 0);
        for _ in 0..120 {
            line.sample(1_000_000, 0, 0.0, QUEUED);
        }
        assert_eq!(line.sample(500_000, 0, 0.0, QUEUED).estimate_bps, Some(850_000));
    }

    #[test]
    fn what_is_known_is_not_unlearned_while_little_is_watched() {
        let mut line = Line::new(1_500_000, 1_500_000);
        line.calm(3_000_000, 0);
        assert_eq!(line.egress.seek(), Some(1_800_000));
        line.egress.desire(150_000, 1_500_000);
        assert_eq!(line.egress.seek(), None, "the rest is a click away");
        line.egress.desire(150_000, 150_000);
        assert_eq!(line.egress.seek(), Some(180_000));
        line.calm(160_000, 0);
        line.egress.desire(150_000, 1_500_000);
        assert!(line.egress.seek().is_some_and(|bps| bps < 3_000_000), "no more than is known");
    }

    #[test]
    fn starts_anew_when_something_is_missing_on_a_calm_link() {
        let mut line = Line::new(1_000_000, 1_000_000);
        let restarts = |line: &mut Line, loss: f32| -> Vec<usize> {
            let restarted = |line: &mut Line| line.sample(400_000, 150_000, loss, CALM).restart_bps.is_some();
            (0..100).filter(|_| restarted(line)).collect()
        };
        assert_eq!(restarts(&mut line, 0.0), [2, 6, 14, 30, 62, 94], "seldom if in vain");
        assert_eq!(restarts(&mut line, 0.1), [0; 0], "not into a queue");
        assert_eq!(line.calm(1_200_000, 150_000).restart_bps, None);
        assert_eq!(restarts(&mut line, 0.0)[..2], [2, 6], "patient no more once it has worked");
    }
}
