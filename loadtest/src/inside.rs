//! How long packets were in the server, as it says itself on its page of metrics (Parley's own; others have none).
//!
//! It counts from the arrival in the kernel, by the kernel's clock, to the end of sending what came together. Unlike
//! the delay seen by receivers it holds nothing of this program: neither its scheduling nor its reading.

use std::{collections::BTreeMap, time::Duration};

use tokio::time::timeout;
use url::Url;

use crate::{http, report::Percentiles};

const ANSWER: Duration = Duration::from_secs(3);
const BUCKET: &str = "parley_media_forward_delay_seconds_bucket{";

/// Packets by their time in the server: upper bound in nanoseconds, and how many were at or below it, all workers.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Inside {
    cumulative: BTreeMap<u64, u64>,
}

impl Inside {
    /// `None` when the server does not tell.
    pub(crate) async fn read(server: &Url) -> Option<Self> {
        let page = timeout(ANSWER, http::ask(server, "GET /metrics", "", &[])).await.ok()??;
        Self::parse(&String::from_utf8_lossy(&page))
    }

    fn parse(page: &str) -> Option<Self> {
        let mut cumulative = BTreeMap::new();
        for line in page.lines().filter_map(|line| line.strip_prefix(BUCKET)) {
            let (labels, count) = line.rsplit_once("} ")?;
            let bound = labels.split(',').find_map(|label| label.strip_prefix("le=\"")?.strip_suffix('"'))?;
            // The last bound is +Inf.
            let bound = bound.parse::<f64>().ok().filter(|bound| bound.is_finite());
            let bound = bound.map_or(u64::MAX, |seconds| (seconds * 1e9).round() as u64);
            *cumulative.entry(bound).or_default() += count.parse::<u64>().ok()?;
        }
        (!cumulative.is_empty()).then_some(Self { cumulative })
    }

    /// What was counted since an earlier reading.
    pub(crate) fn since(&self, earlier: &Self) -> Self {
        let before = |bound: &u64| earlier.cumulative.get(bound).copied().unwrap_or(0);
        let counted =
            self.cumulative.iter().map(|(bound, count)| (*bound, count.saturating_sub(before(bound))));
        Self { cumulative: counted.collect() }
    }

    pub(crate) fn percentiles(&self) -> Percentiles {
        Percentiles {
            p50: self.percentile_ms(0.5),
            p90: self.percentile_ms(0.9),
            p99: self.percentile_ms(0.99),
            p999: self.percentile_ms(0.999),
            max: self.percentile_ms(1.0),
        }
    }

    /// Evenly between the bounds where it lies, so on the right side of each bound; the last bound for what is above it.
    fn percentile_ms(&self, share: f64) -> f64 {
        let all = self.cumulative.values().max().copied().unwrap_or(0);
        let rank = all as f64 * share;
        let (mut low, mut below) = (0, 0);
        for (bound, count) in self.cumulative.iter().map(|(bound, count)| (*bound, *count)) {
            if count as f64 >= rank && count > below {
                let high = if bound == u64::MAX { low } else { bound };
                let part = (rank - below as f64) / (count - below) as f64;
                return (low as f64 + (high - low) as f64 * part.clamp(0.0, 1.0)) / 1e6;
            }
            (low, below) = (bound, count);
        }
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# TYPE parley_media_forward_delay_seconds histogram\n\
        parley_media_forward_delay_seconds_sum{worker=\"0\"} 0.4\n\
        parley_media_forward_delay_seconds_bucket{le=\"0.001\",worker=\"0\"} 40\n\
        parley_media_forward_delay_seconds_bucket{le=\"0.002\",worker=\"0\"} 90\n\
        parley_media_forward_delay_seconds_bucket{le=\"+Inf\",worker=\"0\"} 91\n\
        parley_media_forward_delay_seconds_bucket{le=\"0.001\",worker=\"1\"} 10\n\
        parley_media_forward_delay_seconds_bucket{le=\"0.002\",worker=\"1\"} 10\n\
        parley_media_forward_delay_seconds_bucket{le=\"+Inf\",worker=\"1\"} 10\n";

    #[test]
    fn percentiles_lie_between_the_bounds_of_all_workers() {
        let inside = Inside::parse(PAGE).unwrap();
        let close = |share: f64, ms: f64| (inside.percentile_ms(share) - ms).abs() < 0.02;
        assert!(close(0.25, 0.5) && close(0.75, 1.5) && close(0.99, 2.0), "{inside:?}");
        assert!(close(1.0, 2.0), "beyond the last bound nothing is known");
        assert_eq!(Inside::parse("# nothing of the kind\n"), None);
        assert!(Inside::parse(&PAGE.replace("40", "many")).is_none());
    }

    #[test]
    fn only_what_came_since_counts() {
        let inside = Inside::parse(PAGE).unwrap();
        let none = inside.since(&inside);
        assert!((none.percentile_ms(0.99)).abs() < f64::EPSILON);
        let later = Inside::parse(&PAGE.replace("} 91", "} 191")).unwrap().since(&inside);
        assert_eq!(later.cumulative.values().copied().collect::<Vec<_>>(), [0, 0, 100]);
    }
}
