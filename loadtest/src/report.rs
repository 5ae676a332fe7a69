//! What a run found, as JSON.

use std::time::Duration;

use serde::Serialize;

/// Percentiles in milliseconds; zero when nothing was measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Percentiles {
    pub p50: f64,
    pub p99: f64,
}

/// The report of a run. The names are fixed: tools read them.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    pub scenario: &'static str,
    pub seconds: f64,
    pub joins: usize,
    pub failed_joins: usize,
    /// Texts of failures with their counts, most frequent first.
    pub failures: Vec<(String, usize)>,
    pub join_ms: Percentiles,
}

impl Percentiles {
    /// Nearest-rank percentiles of `samples`, in any order.
    pub fn of(samples: &mut [Duration]) -> Self {
        samples.sort_unstable();
        let at = |percent: usize| {
            let rank = (samples.len() * percent).div_ceil(100).max(1);
            samples.get(rank - 1).map_or(0.0, |sample| sample.as_secs_f64() * 1000.0)
        };
        Self { p50: at(50), p99: at(99) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_nearest_rank() {
        let mut samples: Vec<Duration> = (1..=200).rev().map(Duration::from_millis).collect();
        assert_eq!(Percentiles::of(&mut samples), Percentiles { p50: 100.0, p99: 198.0 });
        assert_eq!(Percentiles::of(&mut [Duration::from_millis(7)]), Percentiles { p50: 7.0, p99: 7.0 });
        assert_eq!(Percentiles::of(&mut []), Percentiles::default());
    }
}
