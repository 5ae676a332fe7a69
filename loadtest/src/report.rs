//! What a run found, as JSON.

use serde::Serialize;

use crate::{Histogram, continuity::Faults, procfs::ThreadUse};

/// Percentiles in milliseconds; zero when nothing was measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Percentiles {
    pub p50: f64,
    pub p90: f64,
    pub p99: f64,
    pub p999: f64,
    pub max: f64,
}

impl Percentiles {
    pub fn of(histogram: &Histogram) -> Self {
        Self {
            p50: histogram.percentile_ms(0.5),
            p90: histogram.percentile_ms(0.9),
            p99: histogram.percentile_ms(0.99),
            p999: histogram.percentile_ms(0.999),
            max: histogram.percentile_ms(1.0),
        }
    }
}

/// A second of the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Sample {
    /// Seconds since the begin of the measurement.
    pub at: f64,
    pub delivered_packets: u64,
    pub lost_packets: u64,
    pub forward_p99_ms: f64,
    /// Of one core, 1 = all of it; absent without `--server-pid`.
    pub server_cpu_share: Option<f64>,
    pub server_rss_bytes: Option<u64>,
    pub connected: u64,
}

/// Medians of the server's memory in the thirds of a run; `None` without enough samples.
pub(crate) fn rss_thirds(samples: &[Sample]) -> Option<[u64; 3]> {
    let bytes: Vec<u64> = samples.iter().filter_map(|sample| sample.server_rss_bytes).collect();
    let third = bytes.len() / 3;
    (third > 0).then(|| {
        [0, bytes.len() / 2 - third / 2, bytes.len() - third].map(|from| {
            let mut part = bytes[from..from + third].to_vec();
            part.sort_unstable();
            part[third / 2]
        })
    })
}

/// Joins and leaves during the measurement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ChurnReport {
    pub leaves: u64,
    /// Of these, without a word.
    pub cut_off: u64,
    pub joins: u64,
    pub failed_joins: u64,
}

/// The report of a run. The names are fixed: tools read them.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    pub scenario: &'static str,
    pub url: String,
    pub rooms: usize,
    pub publishers: usize,
    pub watchers: usize,
    /// All participants of all rooms.
    pub peers: usize,
    pub payload_bytes: usize,
    /// Length of the measurement.
    pub seconds: f64,
    /// Ended by the user before its time.
    pub interrupted: bool,

    pub delivered_packets: u64,
    pub lost_packets: u64,
    pub loss_share: f64,
    /// What would come if every watcher got the largest layer of everything; absent with churn and `--shown`.
    pub expected_packets: Option<u64>,
    pub delivered_mbit_per_second: f64,
    pub sent_packets: u64,
    /// Of sound alone: what publishers have sent, and what has come to all their watchers.
    pub sent_audio_packets: u64,
    pub delivered_audio_packets: u64,

    pub server_cpu_seconds: Option<f64>,
    pub server_threads: Vec<ThreadUse>,
    pub packets_per_core_second: Option<f64>,
    pub server_rss_bytes: Option<u64>,
    pub server_rss_before_bytes: Option<u64>,
    /// Medians of the first, second and last third of the measurement: whether memory grows in a long run.
    pub server_rss_thirds_bytes: Option<[u64; 3]>,
    /// Growth of the server's own (anonymous) memory since before the joins, by participant.
    pub memory_per_peer_bytes: Option<u64>,
    /// The same after the joins, before media.
    pub memory_per_idle_peer_bytes: Option<u64>,

    pub forward_ms: Percentiles,
    /// In the server alone, by its own page of metrics; absent when it has none.
    pub server_ms: Option<Percentiles>,
    pub client_cpu_seconds: f64,
    /// How late this program's own timers ran; part of `forward_ms`.
    pub client_lateness_ms: Percentiles,

    pub joins: usize,
    pub failed_joins: usize,
    /// Texts of failures with their counts, most frequent first.
    pub failures: Vec<(String, usize)>,
    pub join_ms: Percentiles,
    /// Sessions that ended before they left.
    pub ended_sessions: u64,
    /// Participants that the server still lists after all have left; absent when it does not tell.
    pub leaked_peers: Option<u64>,

    pub faults: Faults,
    pub frames: u64,
    pub keyframes: u64,
    /// Frames received by spatial layer, smallest first.
    pub frames_by_layer: [u64; 3],
    pub duplicate_packets: u64,
    pub refused_packets: u64,
    pub churn: Option<ChurnReport>,
    pub samples: Vec<Sample>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thirds_show_growth_and_not_a_peak() {
        let of = |bytes: &[u64]| {
            let sample = |bytes: &u64| Sample { server_rss_bytes: Some(*bytes), ..Sample::default() };
            rss_thirds(&bytes.iter().map(sample).collect::<Vec<Sample>>())
        };
        assert_eq!(of(&[1, 1, 9, 2, 2, 2, 3, 3, 4, 4]), Some([1, 2, 4]));
        assert_eq!(of(&[5; 3]), Some([5; 3]));
        assert_eq!(of(&[5, 5]), None);
        assert_eq!(rss_thirds(&[Sample::default(); 9]), None, "without --server-pid");
    }
}
