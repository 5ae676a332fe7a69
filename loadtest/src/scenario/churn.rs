//! Joins and leaves while others go on.

use std::time::{Duration, Instant};

use super::crowd::Crowd;
use crate::{report::ChurnReport, source::Numbers};

/// Who is replaced when.
pub(super) struct Churn {
    interval: Duration,
    next: Instant,
    numbers: Numbers,
    pub(super) report: ChurnReport,
}

impl Churn {
    /// `None` when nobody is to be replaced.
    pub(super) fn new(per_second: f64, now: Instant) -> Option<Self> {
        if per_second <= 0.0 {
            return None;
        }
        let interval = Duration::from_secs_f64((1.0 / per_second).clamp(0.001, 3_600.0));
        Some(Self {
            interval,
            next: now + interval,
            numbers: Numbers::new(7),
            report: ChurnReport::default(),
        })
    }

    /// Replaces one participant when it is time.
    pub(super) async fn step(&mut self, crowd: &mut Crowd) {
        if crowd.planned() == 0 || Instant::now() < self.next {
            return;
        }
        self.next += self.interval;
        let index = self.numbers.below(crowd.planned() as u64);
        self.report.leaves += 1;
        // Every second one is cut off without a word, as by a flat battery.
        let cut = self.report.leaves.is_multiple_of(2);
        self.report.cut_off += u64::from(cut);
        if crowd.replace(usize::try_from(index).unwrap_or(0), cut).await {
            self.report.joins += 1;
        } else {
            self.report.failed_joins += 1;
        }
    }

    pub(super) fn next(&self) -> Instant {
        self.next
    }
}
