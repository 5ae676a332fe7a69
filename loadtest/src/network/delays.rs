//! The delay that a receiver's jitter buffer aims at.
//!
//! As NetEQ's delay manager does by default: each half second's largest delay, relative to the fastest packet of the
//! last two seconds, goes into a histogram that forgets with a factor of 0.983; the target is its 95th percentile.

use std::collections::VecDeque;

const BUCKET_MS: f64 = 20.0;
const BUCKETS: usize = 150;
const QUANTILE: f64 = 0.95;
const FORGET: f64 = 0.983;
const RESAMPLE_MS: f64 = 500.0;
const HISTORY_MS: f64 = 2_000.0;

/// Learns from arrivals, in order of arrival.
#[derive(Debug)]
pub(super) struct Delays {
    shares: [f64; BUCKETS],
    samples: f64,
    history: VecDeque<(f64, f64)>,
    interval_from: Option<f64>,
    interval_max: f64,
    target_ms: f64,
}

impl Delays {
    /// `start_ms` is the target before anything is known.
    pub(super) fn new(start_ms: f64) -> Self {
        Self {
            shares: [0.0; BUCKETS],
            samples: 0.0,
            history: VecDeque::new(),
            interval_from: None,
            interval_max: 0.0,
            target_ms: start_ms,
        }
    }

    pub(super) fn target_ms(&self) -> f64 {
        self.target_ms
    }

    /// Transit of the fastest packet of late, in the (shifted) clock of `sent_ms`.
    pub(super) fn fastest_ms(&self) -> f64 {
        self.history.iter().map(|(_, transit)| *transit).fold(f64::INFINITY, f64::min)
    }

    /// What was sent at `sent_ms` by the sender's clock has come at `at_ms`.
    pub(super) fn add(&mut self, sent_ms: f64, at_ms: f64) {
        let transit = at_ms - sent_ms;
        self.history.push_back((at_ms, transit));
        while self.history.front().is_some_and(|(at, _)| at_ms - at > HISTORY_MS) {
            self.history.pop_front();
        }
        self.interval_max = self.interval_max.max(transit - self.fastest_ms());
        let from = *self.interval_from.get_or_insert(at_ms);
        if at_ms - from >= RESAMPLE_MS {
            self.sample(self.interval_max);
            self.interval_from = Some(at_ms);
            self.interval_max = 0.0;
        }
    }

    fn sample(&mut self, delay_ms: f64) {
        self.samples += 1.0;
        // The first samples count for more, so that it is right soon.
        let forget = FORGET.min(1.0 - 2.0 / (self.samples + 1.0)).max(0.0);
        for share in &mut self.shares {
            *share *= forget;
        }
        let bucket = ((delay_ms / BUCKET_MS) as usize).min(BUCKETS - 1);
        self.shares[bucket] += 1.0 - forget;
        let total: f64 = self.shares.iter().sum();
        let mut sum = 0.0;
        let at = self.shares.iter().position(|share| {
            sum += share;
            sum >= QUANTILE * total
        });
        self.target_ms = (at.unwrap_or(0) + 1) as f64 * BUCKET_MS;
    }
}
