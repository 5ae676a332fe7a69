//! What one direction of a path is like, and how that changes over time.

use std::time::Duration;

/// The queue before the bottleneck. A packet that finds no place is dropped (drop tail).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Queue {
    pub bytes: usize,
    /// How long a packet may have to wait at the present rate.
    pub time: Duration,
}

/// Delay that varies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Jitter {
    /// The largest additional delay. Most values are small: the mean is a quarter of it.
    pub up_to: Duration,
    /// For how long a value holds; zero: each packet has its own. Radio links stall for a while and then catch up.
    pub holds: Duration,
    /// May a packet overtake another that was held up longer?
    pub reorders: bool,
}

/// Packets lost on the way, for no reason of rate. They have taken their time on the bottleneck.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Loss {
    None,
    /// Each packet by itself.
    Random {
        share: f64,
    },
    /// Gilbert-Elliott: a good state without and a bad state with loss.
    GilbertElliott {
        /// Probability, per packet, of going from good to bad.
        to_bad: f64,
        /// Probability, per packet, of going from bad to good.
        to_good: f64,
        /// Share lost in the bad state.
        lost_in_bad: f64,
    },
}

impl Loss {
    /// Loss of `share` in bursts of `mean_burst` packets (all lost).
    pub fn bursts(share: f64, mean_burst: f64) -> Self {
        let to_good = 1.0 / mean_burst.max(1.0);
        let share = share.clamp(0.0, 0.99);
        Self::GilbertElliott { to_bad: to_good * share / (1.0 - share), to_good, lost_in_bad: 1.0 }
    }
}

/// Single packets held back, so that later ones overtake them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reorder {
    pub share: f64,
    pub by: Duration,
}

/// What one direction of a path does to packets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Conditions {
    /// Rate of the bottleneck in bits per second, UDP and IP headers included; `None`: no limit.
    pub rate_bps: Option<u64>,
    pub queue: Queue,
    /// Propagation, one way.
    pub delay: Duration,
    pub jitter: Option<Jitter>,
    pub loss: Loss,
    pub reorder: Option<Reorder>,
    /// False: an outage. What is sent is lost; what waits in the queue waits on.
    pub up: bool,
}

impl Default for Conditions {
    /// A perfect path.
    fn default() -> Self {
        Self {
            rate_bps: None,
            queue: Queue { bytes: usize::MAX, time: Duration::from_millis(200) },
            delay: Duration::ZERO,
            jitter: None,
            loss: Loss::None,
            reorder: None,
            up: true,
        }
    }
}

impl Conditions {
    pub fn rate_kbps(self, kbps: u64) -> Self {
        Self { rate_bps: Some(kbps * 1_000), ..self }
    }

    /// A queue in milliseconds at the present rate, whatever the bytes.
    pub fn queue_ms(self, ms: u64) -> Self {
        Self { queue: Queue { time: Duration::from_millis(ms), ..self.queue }, ..self }
    }

    pub fn queue_bytes(self, bytes: usize) -> Self {
        Self { queue: Queue { bytes, time: Duration::MAX }, ..self }
    }

    pub fn delay_ms(self, ms: u64) -> Self {
        Self { delay: Duration::from_millis(ms), ..self }
    }

    pub fn jitter_ms(self, up_to: u64, holds: u64) -> Self {
        let (up_to, holds) = (Duration::from_millis(up_to), Duration::from_millis(holds));
        Self { jitter: Some(Jitter { up_to, holds, reorders: false }), ..self }
    }

    pub fn loss(self, loss: Loss) -> Self {
        Self { loss, ..self }
    }

    pub fn reorder(self, share: f64, by_ms: u64) -> Self {
        Self { reorder: Some(Reorder { share, by: Duration::from_millis(by_ms) }), ..self }
    }

    pub fn down(self) -> Self {
        Self { up: false, ..self }
    }
}

/// Conditions over time, counted from the link's start.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    /// In ascending order; the first begins at zero.
    steps: Vec<(Duration, Conditions)>,
}

impl Schedule {
    pub fn steady(conditions: Conditions) -> Self {
        Self { steps: vec![(Duration::ZERO, conditions)] }
    }

    /// From `seconds` on, other conditions. Steps are given in ascending order.
    pub fn then(mut self, seconds: f64, conditions: Conditions) -> Self {
        let at = Duration::from_secs_f64(seconds);
        debug_assert!(self.steps.last().is_some_and(|(last, _)| *last < at), "steps ascend");
        self.steps.push((at, conditions));
        self
    }

    /// An outage of `length` seconds at `seconds`, after which it goes on as before.
    pub fn outage(self, seconds: f64, length: f64) -> Self {
        let before = *self.at(Duration::from_secs_f64(seconds));
        self.then(seconds, before.down()).then(seconds + length, before)
    }

    /// What holds at this time.
    pub fn at(&self, time: Duration) -> &Conditions {
        let after = self.steps.partition_point(|(from, _)| *from <= time);
        &self.steps[after.saturating_sub(1)].1
    }

    /// When the next step begins.
    pub fn next_after(&self, time: Duration) -> Option<Duration> {
        let after = self.steps.partition_point(|(from, _)| *from <= time);
        self.steps.get(after).map(|(from, _)| *from)
    }

    /// All steps with their beginnings.
    pub fn steps(&self) -> &[(Duration, Conditions)] {
        &self.steps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_steps_and_returns_after_an_outage() {
        let base = Conditions::default().rate_kbps(2_500);
        let schedule = Schedule::steady(base).then(10.0, base.rate_kbps(150)).outage(20.0, 3.0);
        let at = |seconds| *schedule.at(Duration::from_secs_f64(seconds));
        assert_eq!(at(0.0), base);
        assert_eq!(at(9.999), base);
        assert_eq!(at(10.0).rate_bps, Some(150_000));
        assert!(!at(20.0).up && !at(22.999).up);
        assert_eq!(at(23.0), base.rate_kbps(150));
        assert_eq!(schedule.next_after(Duration::from_secs(10)), Some(Duration::from_secs(20)));
        assert_eq!(schedule.next_after(Duration::from_secs(23)), None);
    }
}
