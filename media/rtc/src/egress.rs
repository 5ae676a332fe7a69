//! What can be sent to one participant: the estimate of the state machine, made fit to act upon.
//!
//! The state machine's congestion control (GCC on transport-wide feedback) has habits that an
//! allocator must be shielded from:
//!
//! - What it tells is averaged over three seconds. After a fall of the rate that is too late
//!   by a queue full of packets, so the value behind it is read with the statistics.
//! - When it sees a queue, it goes to 85 % of the rate that was acknowledged, and that lags
//!   seconds behind when more layers are sent. A keyframe is a queue. And the result of a probe
//!   replaces the estimate even if a late timer spoilt it. So a fall is weighed with what the link
//!   shows: loss beyond the usual, a queue that stays, and what came through.
//! - Probes go to twice the rate that is desired. A subscriber who wishes for little for a
//!   while would so lower the estimate of a link that carries more: no less than the estimate is
//!   desired, as long as the subscriber could make use of it; nor much more, for the sake of narrow
//!   links.
//! - While little is sent it can come to rest in a state without probes, for a minute. If
//!   something is missing and the link is calm, it is started anew from what is known, which
//!   begins with probes; less often if in vain.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// How often the statistics are read.
pub(crate) const STATS_INTERVAL: Duration = Duration::from_millis(250);
/// Samples from which the rate that is sent is taken: a second, as for the loss.
const SENT_SAMPLES: usize = 4;
/// A queue counts if so many samples in a row show it: a keyframe alone does not.
const QUEUE_SAMPLES: usize = 3;
/// Loss (share) and delay of a queue (seconds), beyond the usual, below which a link is calm, ...
const CALM_LOSS: f64 = 0.05;
const CALM_QUEUE: f64 = 0.040;
/// ... and those from which it is overloaded.
const OVERLOAD_LOSS: f64 = 0.15;
const OVERLOAD_QUEUE: f64 = 0.250;
/// What is left of the estimate after one sample of a calm link that tells less, in percent.
const CALM_FALL_PERCENT: u64 = 97;
/// What is kept of the rate that comes through when there is a queue, in percent.
const QUEUED_PERCENT: u64 = 85;
/// The shortest round trip is looked for in two halves of this, so that a change of the path
/// is noticed.
const SHORTEST_SPAN: Duration = Duration::from_secs(20);
/// What a link always shows, whatever is sent, is no sign: weight of a new sample that is above
/// the usual, of one that is below, and how far above it is usual as well.
const USUAL_RISE: f64 = 0.025;
const USUAL_FALL: f64 = 0.05;
const USUAL_SPREAD: f64 = 2.0;
/// Time for the state machine's own probes before it is started anew, ...
const PATIENCE_MIN: Duration = Duration::from_secs(1);
/// ... and how long that grows when it is in vain.
const PATIENCE_MAX: Duration = Duration::from_secs(4);
/// By so much the estimate has to rise for a start anew to have helped, in percent.
const HELPED_PERCENT: u64 = 20;
/// So long after a move, feedback may still tell of packets that were sent over the old path.
const SETTLING: Duration = Duration::from_millis(1_500);
/// More than is desired is wanted, so that there is room to step up.
const MARGIN_PERCENT: u64 = 20;
/// So much of the estimate, or so many bits per second, are sought at most.
const REACH_PERCENT: u64 = 150;
const REACH_BPS: u64 = 300_000;
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
    /// The link has begun to be overloaded, or to be so no more.
    pub(crate) overloaded: Option<bool>,
}

/// What a link shows of its load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Load {
    Calm,
    Queued,
    Overloaded,
}

/// Waiting for more than the estimate.
#[derive(Clone, Copy, Debug)]
struct Missing {
    since: Instant,
    patience: Duration,
    /// The estimate at the last start anew.
    before_bps: u64,
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub(crate) struct Egress {
    estimate_bps: Option<u64>,
    /// A sample has come: averages do not count any more.
    sampled: bool,
    wanted_bps: u64,
    possible_bps: u64,
    /// What the state machine was told to look for.
    sought_bps: u64,
    /// The last samples' times and sums of bytes, oldest first.
    sent: VecDeque<(Instant, u64)>,
    queues: [Duration; QUEUE_SAMPLES],
    shortest: Shortest,
    usual_queue: Usual,
    usual_loss: Usual,
    overloaded: bool,
    missing: Option<Missing>,
    /// Until then what the state machine tells is of a path that is no more.
    settles: Option<Instant>,
}

impl Egress {
    /// The rates that the allocation could use: with the present wishes, and with the greatest.
    pub(crate) fn desire(&mut self, bps: u64, possible_bps: u64) {
        self.wanted_bps = bps + bps * MARGIN_PERCENT / 100;
        self.possible_bps = possible_bps + possible_bps * MARGIN_PERCENT / 100;
    }

    /// What the state machine is to look for, if that has changed.
    pub(crate) fn seek(&mut self) -> Option<u64> {
        let reach = self.estimate_bps.map_or(u64::MAX, |known| (known * REACH_PERCENT / 100).max(REACH_BPS));
        let known = self.estimate_bps.unwrap_or(0).min(self.possible_bps);
        let seek = self.wanted_bps.min(reach).max(known);
        let change = seek.abs_diff(self.sought_bps);
        if change == 0 || change * 100 < seek.max(self.sought_bps) * CHANGE_PERCENT {
            return None;
        }
        self.sought_bps = seek;
        Some(seek)
    }

    /// The state machine tells its average.
    pub(crate) fn told(&mut self, bps: u64) -> Option<u64> {
        (!self.sampled && self.estimate_bps.replace(bps) != Some(bps)).then_some(bps)
    }

    pub(crate) fn sample(&mut self, sample: &Sample, now: Instant) -> Verdict {
        let sent_bps = self.sent_bps(sample.bytes, now);
        if let Some(verdict) = self.settle(now) {
            return verdict;
        }
        let Some(found) = sample.estimate_bps else { return Verdict::default() };
        let (load, lost) = self.load(sample, now);
        let known = self.estimate_bps.unwrap_or(found);
        let through = (sent_bps as f64 * (1.0 - lost)) as u64;
        let least = match load {
            Load::Calm => through.max(known * CALM_FALL_PERCENT / 100),
            Load::Queued => through * QUEUED_PERCENT / 100,
            Load::Overloaded => 0,
        };
        let estimate = found.max(least.min(known));
        self.sampled = true;
        self.estimate_bps = Some(estimate);
        let restart_bps = self.restart(estimate, load == Load::Calm, now);
        let overloaded = load == Load::Overloaded;
        let changed = std::mem::replace(&mut self.overloaded, overloaded) != overloaded;
        Verdict { estimate_bps: Some(estimate), restart_bps, overloaded: changed.then_some(overloaded) }
    }

    /// The load, and the share that is lost beyond the usual.
    fn load(&mut self, sample: &Sample, now: Instant) -> (Load, f64) {
        let queue = sample.round_trip.map(|trip| trip.saturating_sub(self.shortest.update(trip, now)));
        self.queues.rotate_left(1);
        if let Some(newest) = self.queues.last_mut() {
            *newest = queue.unwrap_or_default();
        }
        let queue = self.queues.iter().min().copied().unwrap_or_default();
        let queue = self.usual_queue.beyond(queue.as_secs_f64());
        let lost = self.usual_loss.beyond(f64::from(sample.loss.clamp(0.0, 1.0)));
        let load = if lost >= OVERLOAD_LOSS || queue >= OVERLOAD_QUEUE {
            Load::Overloaded
        } else if lost >= CALM_LOSS || queue >= CALM_QUEUE {
            Load::Queued
        } else {
            Load::Calm
        };
        (load, lost)
    }

    fn restart(&mut self, estimate: u64, calm: bool, now: Instant) -> Option<u64> {
        if self.wanted_bps <= estimate {
            self.missing = None;
            return None;
        }
        let begin = Missing { since: now, patience: PATIENCE_MIN, before_bps: estimate };
        let missing = self.missing.get_or_insert(begin);
        if estimate > missing.before_bps + missing.before_bps * HELPED_PERCENT / 100 {
            *missing = begin;
        }
        if !calm || now.saturating_duration_since(missing.since) < missing.patience {
            return None;
        }
        let patience = (missing.patience * 2).min(PATIENCE_MAX);
        *missing = Missing { since: now, patience, before_bps: estimate };
        Some(estimate)
    }

    /// Media goes another way from now on. What was lost on the old one is reported for a while yet
    /// and says nothing of the new one: until then what is known stays, and then it is where the
    /// state machine starts anew. The rate to start from at once.
    pub(crate) fn moved(&mut self, now: Instant) -> Option<u64> {
        let known = self.estimate_bps?;
        self.settles = Some(now + SETTLING);
        Some(known)
    }

    fn settle(&mut self, now: Instant) -> Option<Verdict> {
        let until = self.settles?;
        if now < until {
            return Some(Verdict::default());
        }
        self.settles = None;
        self.queues = [Duration::ZERO; QUEUE_SAMPLES];
        self.shortest = Shortest::default();
        (self.usual_queue, self.usual_loss) = (Usual::default(), Usual::default());
        Some(Verdict { restart_bps: self.estimate_bps, ..Verdict::default() })
    }

    /// What was sent in the last second, bits per second.
    fn sent_bps(&mut self, bytes: u64, now: Instant) -> u64 {
        self.sent.push_back((now, bytes));
        if self.sent.len() > SENT_SAMPLES + 1 {
            self.sent.pop_front();
        }
        let Some((at, before)) = self.sent.front() else { return 0 };
        let span = now.saturating_duration_since(*at).as_secs_f64();
        if span <= 0.0 {
            return 0;
        }
        (bytes.saturating_sub(*before) as f64 * 8.0 / span) as u64
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
        if now.saturating_duration_since(turned) >= SHORTEST_SPAN {
            self.turned = Some(now);
            self.before = self.now.take();
        }
        let shortest = self.now.map_or(trip, |known| known.min(trip));
        self.now = Some(shortest);
        self.before.map_or(shortest, |before| before.min(shortest))
    }
}

/// What a link shows whatever is sent.
#[derive(Debug, Default)]
struct Usual {
    value: f64,
}

impl Usual {
    /// How far the value is beyond the usual.
    fn beyond(&mut self, value: f64) -> f64 {
        let beyond = (value - self.value * USUAL_SPREAD).max(0.0);
        let weight = if value > self.value { USUAL_RISE } else { USUAL_FALL };
        self.value += (value - self.value) * weight;
        beyond
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
            self.bytes += sent_bps / 8 / 4;
            let sample =
                Sample { estimate_bps: Some(found_bps), loss, round_trip: Some(trip), bytes: self.bytes };
            self.egress.sample(&sample, self.now)
        }

        fn settle(&mut self, samples: usize, loss: f32, trip: Duration) {
            for _ in 0..samples {
                self.sample(1_000_000, 800_000, loss, trip);
            }
        }

        fn calm(&mut self, found_bps: u64, sent_bps: u64) -> Verdict {
            self.sample(found_bps, sent_bps, 0.0, CALM)
        }
    }

    #[test]
    fn averages_count_before_the_first_sample_only() {
        let mut line = Line::new(1_000_000, 1_000_000);
        assert_eq!(line.egress.told(2_000_000), Some(2_000_000));
        line.calm(1_500_000, 0);
        assert_eq!(line.egress.told(700_000), None);
    }

    #[test]
    fn a_fall_is_weighed_with_what_the_link_shows() {
        let fall = |loss, trip| {
            let mut line = Line::new(0, 0);
            line.settle(QUEUE_SAMPLES, 0.0, CALM);
            line.settle(QUEUE_SAMPLES, loss, trip);
            line.sample(300_000, 800_000, loss, trip).estimate_bps.unwrap()
        };
        assert_eq!(fall(0.0, CALM), 970_000, "bit by bit");
        assert_eq!(fall(0.0, QUEUED), 680_000, "no less than came through, and a little to drain the queue");
        assert_eq!(fall(0.4, CALM), 300_000);
        assert_eq!(fall(0.0, CALM + Duration::from_secs(1)), 300_000);
        let mut line = Line::new(0, 0);
        line.calm(1_000_000, 0);
        let estimates: Vec<_> = (0..40).filter_map(|_| line.calm(300_000, 600_000).estimate_bps).collect();
        assert_eq!(estimates.last(), Some(&600_000), "what is being sent goes through");
    }

    #[test]
    fn a_keyframe_is_no_queue() {
        let mut line = Line::new(0, 0);
        line.settle(8, 0.0, CALM);
        let verdict = line.sample(200_000, 900_000, 0.0, QUEUED);
        assert_eq!(verdict.estimate_bps, Some(970_000));
    }

    #[test]
    fn what_a_link_always_shows_is_no_sign() {
        for (loss, trip) in [(0.0, QUEUED), (0.2, CALM)] {
            let mut line = Line::new(0, 0);
            line.calm(1_000_000, 0);
            line.settle(240, loss, trip);
            let verdict = line.sample(300_000, 800_000, loss, trip);
            assert_eq!(verdict.estimate_bps, Some(970_000), "{loss} {trip:?}");
        }
    }

    #[test]
    fn the_end_of_an_overload_is_told_like_its_beginning() {
        let mut line = Line::new(0, 0);
        let told: Vec<_> = [0.0, 0.5, 0.5, 0.0, 0.0]
            .into_iter()
            .map(|loss| line.sample(1_000_000, 800_000, loss, CALM).overloaded)
            .collect();
        assert_eq!(told, [None, Some(true), None, Some(false), None]);
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
    }

    #[test]
    fn a_narrow_link_is_not_flooded_with_probes() {
        let mut line = Line::new(2_000_000, 2_000_000);
        line.calm(100_000, 0);
        assert_eq!(line.egress.seek(), Some(REACH_BPS));
        line.calm(1_000_000, 0);
        assert_eq!(line.egress.seek(), Some(1_500_000));
    }

    #[test]
    fn losses_of_the_old_path_are_not_held_against_the_new_one() {
        let mut line = Line::new(1_000_000, 1_000_000);
        line.calm(1_000_000, 1_000_000);
        assert_eq!(line.egress.moved(line.now), Some(1_000_000));
        let settled = line.now + SETTLING;
        while line.now + STATS_INTERVAL < settled {
            assert_eq!(line.sample(100_000, 0, 0.9, CALM), Verdict::default());
        }
        let started = Verdict { restart_bps: Some(1_000_000), ..Verdict::default() };
        assert_eq!(line.sample(100_000, 0, 0.9, CALM), started);
        assert_eq!(line.sample(900_000, 0, 0.0, CALM).estimate_bps, Some(970_000), "judged as any path");
    }

    #[test]
    fn starts_anew_when_something_is_missing_on_a_calm_link() {
        let mut line = Line::new(1_000_000, 1_000_000);
        let restarts = |line: &mut Line, loss: f32, found: u64| -> Vec<usize> {
            (0..60).filter(|_| line.sample(found, 150_000, loss, CALM).restart_bps.is_some()).collect()
        };
        assert_eq!(restarts(&mut line, 0.0, 400_000), [4, 12, 28, 44], "less often if in vain");
        assert_eq!(restarts(&mut line, 0.0, 600_000)[0], 4, "it has helped");
        let overloaded = restarts(&mut Line::new(1_000_000, 1_000_000), 0.9, 400_000);
        assert!(overloaded[0] > 20, "not before that is usual: {overloaded:?}");
        assert_eq!(restarts(&mut line, 0.0, 1_200_000), [0; 0]);
    }
}
