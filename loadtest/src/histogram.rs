//! Times counted in buckets of about 3 %, so that percentiles of millions of packets cost little.

use std::time::Duration;

/// Buckets for each doubling.
const STEPS: u64 = 32;
const STEP_BITS: u32 = 5;
/// Up to 2^40 ns (18 minutes); longer ones fall into the last.
const BUCKETS: usize = 37 * STEPS as usize;

/// Counts of durations.
#[derive(Clone, Debug)]
pub struct Histogram {
    counts: Vec<u64>,
    total: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; BUCKETS], total: 0 }
    }
}

impl Histogram {
    pub fn add(&mut self, duration: Duration) {
        let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.counts[bucket(nanoseconds)] += 1;
        self.total += 1;
    }

    pub fn len(&self) -> u64 {
        self.total
    }

    pub fn is_empty(&self) -> bool {
        self.total == 0
    }

    pub fn merge(&mut self, other: &Self) {
        for (own, other) in self.counts.iter_mut().zip(&other.counts) {
            *own += other;
        }
        self.total += other.total;
    }

    /// What was added since `earlier`, an older state of this histogram.
    pub fn since(&self, earlier: &Self) -> Self {
        let pairs = self.counts.iter().zip(&earlier.counts);
        let counts = pairs.map(|(now, then)| now.saturating_sub(*then)).collect();
        Self { counts, total: self.total.saturating_sub(earlier.total) }
    }

    /// The smallest time that `share` (0 to 1) of all do not exceed, in milliseconds; 0 when empty.
    pub fn percentile_ms(&self, share: f64) -> f64 {
        let rank = ((self.total as f64 * share).ceil() as u64).max(1);
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return upper_edge(index) as f64 / 1e6;
            }
        }
        0.0
    }
}

fn bucket(nanoseconds: u64) -> usize {
    if nanoseconds < STEPS {
        return usize::try_from(nanoseconds).unwrap_or(0);
    }
    let exponent = 63 - nanoseconds.leading_zeros();
    let step = (nanoseconds >> (exponent - STEP_BITS)) & (STEPS - 1);
    let index = u64::from(exponent - STEP_BITS + 1) * STEPS + step;
    usize::try_from(index).unwrap_or(BUCKETS).min(BUCKETS - 1)
}

fn upper_edge(index: usize) -> u64 {
    let index = index as u64;
    if index < STEPS {
        return index;
    }
    let shift = index / STEPS - 1;
    (STEPS + index % STEPS + 1) << shift
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_within_a_bucket() {
        let mut histogram = Histogram::default();
        for microseconds in 1..=10_000u64 {
            histogram.add(Duration::from_micros(microseconds));
        }
        for (share, expected) in [(0.5, 5.0), (0.99, 9.9), (0.999, 9.99)] {
            let found = histogram.percentile_ms(share);
            assert!((found / expected - 1.0).abs() < 0.04, "{share}: {found}");
        }
        let earlier = histogram.clone();
        histogram.add(Duration::from_secs(3));
        let since = histogram.since(&earlier);
        assert_eq!(since.len(), 1);
        assert!((since.percentile_ms(0.5) / 3_000.0 - 1.0).abs() < 0.04);
        assert!(Histogram::default().percentile_ms(0.99).abs() < f64::EPSILON);
    }

    #[test]
    fn edges_belong_to_their_buckets() {
        for exponent in 0..40 {
            let value = 1u64 << exponent;
            assert!(upper_edge(bucket(value)) >= value);
            assert!(bucket(value) < BUCKETS);
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }
}
