//! The server beside a bare loop of sealing and sending, in one run: what a packet costs, and what of it is needed.
//!
//! Rounds are short and interleaved, so that a noisy machine treats all alike; medians are told. Each measurement of
//! an own server has a fresh one, so that memory is of its participants alone.

use std::{fmt::Write as _, io, path::PathBuf, time::Duration};

use serde::Serialize;
use url::Url;

use crate::{
    Report, bare,
    report::Percentiles,
    scenario::{self, Options, Progress, Scenario, Stop},
    server::OwnServer,
    token::ApiKey,
};

/// Packets of a frame of the bare loop, as many as a frame of 720p at 1.7 Mbit/s has.
const BARE_BURST: usize = 7;
const BARE_LENGTH: Duration = Duration::from_secs(2);

/// Which server is measured.
#[derive(Clone, Debug)]
pub enum Target {
    /// A fresh one by this program for each measurement.
    Own(PathBuf),
    Running {
        url: Url,
        key: ApiKey,
        pid: u32,
    },
}

#[derive(Clone, Debug)]
pub struct CompareOptions {
    pub target: Target,
    pub rounds: usize,
    pub seconds: u64,
    pub payload_bytes: usize,
    pub watchers: usize,
    /// Video packets a second of the fanout's publisher; `None` = 720p at 1.7 Mbit/s.
    pub rate: Option<u64>,
    pub threads: usize,
}

/// Medians of one scenario.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    pub name: String,
    pub delivered_per_second: f64,
    pub packets_per_core_second: f64,
    /// Of the bare loop with batched sending.
    pub share_of_bare: f64,
    pub loss_share: f64,
    pub forward_ms: Percentiles,
    pub server_cpu_share: f64,
    pub memory_per_idle_peer_bytes: u64,
    pub memory_per_peer_bytes: u64,
    pub client_cpu_share: f64,
    pub failed_joins: u64,
}

#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    pub rounds: usize,
    pub bare_batched_per_core_second: f64,
    pub bare_single_per_core_second: f64,
    pub rows: Vec<Row>,
    /// Every measurement, in the order of the run.
    pub reports: Vec<Report>,
}

/// What is measured in each round.
fn cases(options: &CompareOptions) -> Vec<(String, Scenario, usize, usize, Option<u64>)> {
    vec![
        ("one-to-one ×50".to_owned(), Scenario::OneToOne, 50, 2, None),
        (format!("fanout 1→{}", options.watchers), Scenario::Fanout, 1, options.watchers, options.rate),
        ("meeting 10×10".to_owned(), Scenario::Meeting, 1, 10, None),
    ]
}

/// Runs all rounds. `stop` ends it with what is complete.
pub async fn run(
    options: &CompareOptions,
    stop: &Stop,
    mut progress: impl FnMut(&str, &Progress),
) -> io::Result<Comparison> {
    let (mut batched, mut single) = (Vec::new(), Vec::new());
    let mut measured: Vec<(String, Report)> = Vec::new();
    let mut complete = 0;
    'rounds: for round in 1..=options.rounds.max(1) {
        for (way, results) in [(true, &mut batched), (false, &mut single)] {
            progress(&format!("round {round}, bare loop"), &Progress::Waiting("sealing and sending"));
            let outcome = bare_loop(options, way).await?;
            results.push(outcome.packets_per_core_second);
        }
        for (name, kind, rooms, watchers, rate) in cases(options) {
            let label = format!("round {round}, {name}");
            let report = one(options, kind, rooms, watchers, rate, stop, |at| progress(&label, at)).await?;
            if *stop.borrow() {
                break 'rounds;
            }
            measured.push((name, report));
        }
        complete = round;
    }
    let bare = median(&mut batched.clone());
    let rows = cases(options).into_iter().filter_map(|(name, ..)| {
        let reports: Vec<&Report> =
            measured.iter().filter(|(of, _)| *of == name).map(|(_, report)| report).collect();
        (!reports.is_empty()).then(|| row(name, &reports, bare))
    });
    Ok(Comparison {
        rounds: complete,
        bare_batched_per_core_second: bare,
        bare_single_per_core_second: median(&mut single),
        rows: rows.collect(),
        reports: measured.into_iter().map(|(_, report)| report).collect(),
    })
}

async fn bare_loop(options: &CompareOptions, batched: bool) -> io::Result<bare::Outcome> {
    let bare = bare::Options {
        payload_bytes: options.payload_bytes,
        burst: BARE_BURST,
        receivers: options.watchers,
        batched,
        length: BARE_LENGTH,
    };
    tokio::task::spawn_blocking(move || bare::run(bare)).await.map_err(io::Error::other)?
}

async fn one(
    options: &CompareOptions,
    kind: Scenario,
    rooms: usize,
    watchers: usize,
    rate: Option<u64>,
    stop: &Stop,
    progress: impl FnMut(&Progress),
) -> io::Result<Report> {
    let own = match &options.target {
        Target::Own(program) => {
            let program = program.clone();
            let start = tokio::task::spawn_blocking(move || OwnServer::start(&program, 1));
            Some(start.await.map_err(io::Error::other)??)
        }
        Target::Running { .. } => None,
    };
    let (url, key, pid) = match (&own, &options.target) {
        (Some(own), _) => (own.url.clone(), OwnServer::key(), own.pid()),
        (None, Target::Running { url, key, pid }) => (url.clone(), key.clone(), *pid),
        (None, Target::Own(_)) => return Err(io::Error::other("the server did not start")),
    };
    let load = Options {
        rooms,
        watchers: Some(watchers),
        measure: Duration::from_secs(options.seconds),
        payload_bytes: options.payload_bytes,
        rate,
        server_pid: Some(pid),
        threads: options.threads,
        ..Options::new(url, key, kind)
    };
    scenario::run(&load, stop.clone(), progress).await
}

fn row(name: String, reports: &[&Report], bare: f64) -> Row {
    let of = |figure: &dyn Fn(&Report) -> f64| {
        median(&mut reports.iter().map(|report| figure(report)).collect::<Vec<f64>>())
    };
    let packets_per_core_second = of(&|report| report.packets_per_core_second.unwrap_or(0.0));
    Row {
        name,
        delivered_per_second: of(&|report| report.delivered_packets as f64 / report.seconds.max(1e-6)),
        packets_per_core_second,
        share_of_bare: if bare > 0.0 { packets_per_core_second / bare } else { 0.0 },
        loss_share: of(&|report| report.loss_share),
        forward_ms: Percentiles {
            p50: of(&|report| report.forward_ms.p50),
            p90: of(&|report| report.forward_ms.p90),
            p99: of(&|report| report.forward_ms.p99),
            p999: of(&|report| report.forward_ms.p999),
            max: of(&|report| report.forward_ms.max),
        },
        server_cpu_share: of(&|report| report.server_cpu_seconds.unwrap_or(0.0) / report.seconds.max(1e-6)),
        memory_per_idle_peer_bytes: of(&|report| report.memory_per_idle_peer_bytes.unwrap_or(0) as f64)
            as u64,
        memory_per_peer_bytes: of(&|report| report.memory_per_peer_bytes.unwrap_or(0) as f64) as u64,
        client_cpu_share: of(&|report| report.client_cpu_seconds / report.seconds.max(1e-6)),
        failed_joins: reports.iter().map(|report| report.failed_joins as u64).sum(),
    }
}

/// The middle one, of two the lower; 0 of none.
fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len().saturating_sub(1) / 2).copied().unwrap_or(0.0)
}

impl Comparison {
    /// For people, in fixed columns.
    pub fn table(&self) -> String {
        let mut text = format!(
            "{:<16} {:>10} {:>12} {:>7} {:>7} {:>8} {:>8} {:>8} {:>7} {:>9} {:>9} {:>7}\n",
            "",
            "packets/s",
            "packets/core",
            "of bare",
            "lost %",
            "p50 ms",
            "p99 ms",
            "p99.9 ms",
            "CPU %",
            "KiB idle",
            "KiB call",
            "client%"
        );
        for row in &self.rows {
            // Writing to a string does not fail.
            let _ = writeln!(
                text,
                "{:<16} {:>10.0} {:>12.0} {:>6.0}% {:>7.3} {:>8.2} {:>8.2} {:>8.2} {:>7.0} {:>9} {:>9} {:>7.0}",
                row.name,
                row.delivered_per_second,
                row.packets_per_core_second,
                row.share_of_bare * 100.0,
                row.loss_share * 100.0,
                row.forward_ms.p50,
                row.forward_ms.p99,
                row.forward_ms.p999,
                row.server_cpu_share * 100.0,
                row.memory_per_idle_peer_bytes / 1024,
                row.memory_per_peer_bytes / 1024,
                row.client_cpu_share * 100.0,
            );
        }
        for (name, rate) in [
            ("bare loop, batched", self.bare_batched_per_core_second),
            ("bare loop, single", self.bare_single_per_core_second),
        ] {
            let _ = writeln!(text, "{name:<27} {rate:>12.0}");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_are_the_middle() {
        assert!((median(&mut [3.0, 1.0, 2.0]) - 2.0).abs() < f64::EPSILON);
        assert!((median(&mut [4.0, 1.0]) - 1.0).abs() < f64::EPSILON);
        assert!(median(&mut []).abs() < f64::EPSILON);
    }

    #[test]
    fn the_table_has_every_row_and_both_loops() {
        let report = Report {
            seconds: 2.0,
            delivered_packets: 1_000,
            server_cpu_seconds: Some(0.01),
            packets_per_core_second: Some(100_000.0),
            ..Report::default()
        };
        let comparison = Comparison {
            rounds: 1,
            bare_batched_per_core_second: 400_000.0,
            bare_single_per_core_second: 200_000.0,
            rows: vec![row("fanout".to_owned(), &[&report], 400_000.0)],
            reports: vec![report],
        };
        let table = comparison.table();
        assert_eq!(table.lines().count(), 4);
        assert!(table.contains("25%") && table.contains("400000") && table.contains("200000"));
    }
}
