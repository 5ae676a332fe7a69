//! Medians of several measurements.

use serde::Serialize;

use crate::{Report, report::Percentiles};

/// Medians of one scenario.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Row {
    pub name: String,
    pub delivered_per_second: f64,
    pub packets_per_core_second: f64,
    /// Of the bare loop with batched sending.
    pub share_of_bare: f64,
    pub loss_share: f64,
    /// Of what would come if every watcher got the largest layer.
    pub delivered_share: f64,
    pub forward_ms: Percentiles,
    /// Of one core, all threads of the server.
    pub server_cpu_share: f64,
    pub memory_per_idle_peer_bytes: u64,
    pub memory_per_peer_bytes: u64,
    pub client_cpu_share: f64,
    /// Sums, not medians.
    pub failed_joins: u64,
    pub faults_of_the_server: u64,
}

/// What the server adds at half of the load that fills a core.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Delay {
    pub name: String,
    pub delivered_per_second: f64,
    /// Of what would come if every watcher got the largest layer.
    pub delivered_share: f64,
    /// Of one core, all threads of the server.
    pub server_cpu_share: f64,
    pub lost_packets: u64,
    /// From writing at the publisher to reading at the watcher, the generator's own part included.
    pub forward_ms: Percentiles,
    /// The same without a server, see [`crate::control`].
    pub control_ms: Percentiles,
    /// In the server alone, by its own account; absent when it gives none.
    pub server_ms: Option<Percentiles>,
    pub client_lateness_ms: Percentiles,
}

/// Many joins at once.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Joins {
    pub joins: usize,
    pub failed: usize,
    pub seconds: f64,
    pub join_ms: Percentiles,
    pub leaked_peers: Option<u64>,
    pub memory_per_idle_peer_bytes: Option<u64>,
}

impl Delay {
    /// Each percentile of the delay less the same of the control: what the server adds, as far as the two can be told
    /// apart. (A difference of percentiles, not a percentile of differences.)
    pub fn added_ms(&self) -> Percentiles {
        let (with, without) = (&self.forward_ms, &self.control_ms);
        Percentiles {
            p50: (with.p50 - without.p50).max(0.0),
            p90: (with.p90 - without.p90).max(0.0),
            p99: (with.p99 - without.p99).max(0.0),
            p999: (with.p999 - without.p999).max(0.0),
            max: (with.max - without.max).max(0.0),
        }
    }
}

pub(super) fn row(name: String, reports: &[&Report], bare: f64) -> Row {
    let of = |figure: &dyn Fn(&Report) -> f64| {
        median(&reports.iter().map(|report| figure(report)).collect::<Vec<f64>>())
    };
    let packets_per_core_second = of(&|report| report.packets_per_core_second.unwrap_or(0.0));
    let delays: Vec<Percentiles> = reports.iter().map(|report| report.forward_ms).collect();
    Row {
        name,
        delivered_per_second: of(&|report| report.delivered_packets as f64 / report.seconds.max(1e-6)),
        packets_per_core_second,
        share_of_bare: if bare > 0.0 { packets_per_core_second / bare } else { 0.0 },
        loss_share: of(&|report| report.loss_share),
        delivered_share: of(&delivered_share),
        forward_ms: percentiles(&delays),
        server_cpu_share: of(&cpu_share),
        memory_per_idle_peer_bytes: of(&|report| report.memory_per_idle_peer_bytes.unwrap_or(0) as f64)
            as u64,
        memory_per_peer_bytes: of(&|report| report.memory_per_peer_bytes.unwrap_or(0) as f64) as u64,
        client_cpu_share: of(&|report| report.client_cpu_seconds / report.seconds.max(1e-6)),
        failed_joins: reports.iter().map(|report| report.failed_joins as u64).sum(),
        faults_of_the_server: reports.iter().map(|report| report.faults.of_the_server()).sum(),
    }
}

/// Delivered of what would come if every watcher got the largest layer; zero where that is not known.
pub(super) fn delivered_share(report: &Report) -> f64 {
    let expected = report.expected_packets.filter(|expected| *expected > 0);
    expected.map_or(0.0, |expected| report.delivered_packets as f64 / expected as f64)
}

pub(super) fn cpu_share(report: &Report) -> f64 {
    report.server_cpu_seconds.unwrap_or(0.0) / report.seconds.max(1e-6)
}

pub(super) fn delay(name: String, reports: &[Report], controls: &[Percentiles]) -> Delay {
    let of = |figure: &dyn Fn(&Report) -> f64| median(&reports.iter().map(figure).collect::<Vec<f64>>());
    let all =
        |figure: fn(&Report) -> Percentiles| percentiles(&reports.iter().map(figure).collect::<Vec<_>>());
    let inside: Vec<Percentiles> = reports.iter().filter_map(|report| report.server_ms).collect();
    Delay {
        name,
        delivered_per_second: of(&|report| report.delivered_packets as f64 / report.seconds.max(1e-6)),
        delivered_share: of(&delivered_share),
        server_cpu_share: of(&cpu_share),
        lost_packets: reports.iter().map(|report| report.lost_packets).sum(),
        forward_ms: all(|report| report.forward_ms),
        control_ms: percentiles(controls),
        server_ms: (!inside.is_empty()).then(|| percentiles(&inside)),
        client_lateness_ms: all(|report| report.client_lateness_ms),
    }
}

/// The median of each percentile.
pub(super) fn percentiles(of: &[Percentiles]) -> Percentiles {
    let of = |figure: fn(&Percentiles) -> f64| median(&of.iter().map(figure).collect::<Vec<f64>>());
    Percentiles {
        p50: of(|delay| delay.p50),
        p90: of(|delay| delay.p90),
        p99: of(|delay| delay.p99),
        p999: of(|delay| delay.p999),
        max: of(|delay| delay.max),
    }
}

/// The middle one, of two the lower; 0 of none.
pub(super) fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len().saturating_sub(1) / 2).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_are_the_middle() {
        assert!((median(&[3.0, 1.0, 2.0]) - 2.0).abs() < f64::EPSILON);
        assert!((median(&[4.0, 1.0]) - 1.0).abs() < f64::EPSILON);
        assert!(median(&[]).abs() < f64::EPSILON);
    }

    #[test]
    fn the_control_is_taken_off_and_nothing_below_it_is_told() {
        let with = Percentiles { p50: 3.0, p99: 5.0, ..Percentiles::default() };
        let without = Percentiles { p50: 1.0, p99: 6.0, ..Percentiles::default() };
        let added = Delay { forward_ms: with, control_ms: without, ..Delay::default() }.added_ms();
        assert!((added.p50 - 2.0).abs() < f64::EPSILON && added.p99.abs() < f64::EPSILON);
    }
}
