//! The server beside a bare loop of sealing and sending, in one run: what a packet costs, what of it is needed, how
//! long it takes, what a participant weighs, and how joins go; and which aims are met.
//!
//! Rounds are short and interleaved, so that a noisy machine treats all alike; medians are told. Each measurement of
//! an own server has a fresh one, so that memory is of its participants alone.

mod row;
mod table;

use std::{io, path::PathBuf, time::Duration};

use serde::Serialize;
use url::Url;

use crate::{
    Report, bare, control,
    report::Percentiles,
    scenario::{self, Options, Progress, Scenario, Stop},
    server::OwnServer,
    token::ApiKey,
};
pub use row::{Delay, Joins, Row};
use row::{delay, median, row};
pub use table::Verdict;

/// Packets of a frame of the bare loop, as many as a frame of 720p at 1.7 Mbit/s has.
const BARE_BURST: usize = 7;
const BARE_LENGTH: Duration = Duration::from_secs(2);
/// Media threads of an own server: what is told is told of one core.
const WORKERS: usize = 1;
/// Calls of two of each round, and of the delay at half load at the most.
const CALLS: usize = 50;
const CALLS_MAX: usize = 100;
/// Estimates grow to the rate of the loaded fanout within this.
const WARM_UP: Duration = Duration::from_secs(6);
/// Joins of the last part, and the time in which they begin.
const JOINS: usize = 1_000;
const JOIN_ROOMS: usize = 100;
const JOIN_TIME: Duration = Duration::from_secs(10);

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
    /// Video packets a second of the publisher of the loaded fanout.
    pub rate: u64,
    pub threads: usize,
}

#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// Complete ones.
    pub rounds: usize,
    pub bare_batched_per_core_second: f64,
    pub bare_single_per_core_second: f64,
    pub rows: Vec<Row>,
    /// At half of the load that fills a core; without those before which the run was ended.
    pub delays: Vec<Delay>,
    pub joins: Option<Joins>,
    pub verdicts: Vec<Verdict>,
    /// Every measurement, in the order of the run.
    pub reports: Vec<Report>,
}

/// One scenario of each round.
#[derive(Clone, Debug)]
struct Case {
    name: String,
    scenario: Scenario,
    rooms: usize,
    watchers: usize,
    rate: Option<u64>,
}

fn cases(options: &CompareOptions) -> Vec<Case> {
    let case = |name: String, scenario, rooms, watchers, rate| Case { name, scenario, rooms, watchers, rate };
    let watchers = options.watchers;
    vec![
        case(calls(), Scenario::OneToOne, CALLS, 2, None),
        case(format!("1→{watchers}, 720p"), Scenario::Fanout, 1, watchers, None),
        case(loaded(options), Scenario::Fanout, 1, watchers, Some(options.rate)),
        case("meeting 10×10".to_owned(), Scenario::Meeting, 1, 10, None),
    ]
}

fn calls() -> String {
    format!("one-to-one ×{CALLS}")
}

/// The row by which a core's capacity is told.
fn loaded(options: &CompareOptions) -> String {
    format!("1→{}, {}/s", options.watchers, options.rate)
}

/// A run under way.
struct Run<'a, P> {
    options: &'a CompareOptions,
    stop: &'a Stop,
    progress: P,
    measured: Vec<(String, Report)>,
    batched: Vec<f64>,
    single: Vec<f64>,
}

/// Runs all rounds. `stop` ends it with what is complete.
pub async fn run(
    options: &CompareOptions,
    stop: &Stop,
    progress: impl FnMut(&str, &Progress),
) -> io::Result<Comparison> {
    let measured = Vec::new();
    let mut run = Run { options, stop, progress, measured, batched: Vec::new(), single: Vec::new() };
    let mut complete = 0;
    for round in 1..=options.rounds.max(1) {
        if !run.round(round).await? {
            break;
        }
        complete = round;
    }
    let bare = median(&run.batched);
    let rows: Vec<Row> = cases(options).into_iter().filter_map(|case| run.row(case.name, bare)).collect();
    let halves = if complete > 0 { halves(options, &rows) } else { Vec::new() };
    let delays = run.delays(&halves).await?;
    let joins = if complete > 0 && delays.len() == halves.len() { run.joins().await? } else { None };
    let verdicts = table::verdicts(&rows, &loaded(options), &delays, joins.as_ref());
    Ok(Comparison {
        rounds: complete,
        bare_batched_per_core_second: bare,
        bare_single_per_core_second: median(&run.single),
        rows,
        delays,
        joins,
        verdicts,
        reports: run.measured.into_iter().map(|(_, report)| report).collect(),
    })
}

/// Half of the load that fills a core, in two forms: one sender to many, whose frames come as a burst that takes the
/// server a while, and as many calls of two.
fn halves(options: &CompareOptions, rows: &[Row]) -> Vec<Case> {
    let watchers = options.watchers;
    let of = |name: &str| rows.iter().find(|row| row.name == name);
    // The better of both: where the estimates of watchers have held back, the loaded one had little load.
    let fanouts = rows.iter().filter(|row| row.name.starts_with("1→"));
    let capacity = fanouts.map(|row| row.packets_per_core_second).max_by(f64::total_cmp);
    let fanout = capacity.map(|capacity| {
        let rate = (capacity / 2.0 / watchers.max(1) as f64).max(1.0) as u64;
        (format!("1→{watchers}, {rate}/s"), Scenario::Fanout, 1, watchers, Some(rate))
    });
    let calls = of(&calls()).filter(|row| row.server_cpu_share > 0.0).map(|row| {
        let rooms = (CALLS as f64 * 0.5 / row.server_cpu_share).round() as usize;
        let rooms = rooms.clamp(1, CALLS_MAX);
        (format!("one-to-one ×{rooms}"), Scenario::OneToOne, rooms, 2, None)
    });
    let case = |(name, scenario, rooms, watchers, rate)| Case { name, scenario, rooms, watchers, rate };
    fanout.into_iter().chain(calls).map(case).collect()
}

impl<P: FnMut(&str, &Progress)> Run<'_, P> {
    /// False when the user has ended it.
    async fn round(&mut self, round: usize) -> io::Result<bool> {
        let rounds = self.options.rounds.max(1);
        for batched in [true, false] {
            let label = format!("round {round} of {rounds}, bare loop");
            (self.progress)(&label, &Progress::Waiting("sealing and sending"));
            let outcome = bare_loop(self.options, batched).await?;
            let results = if batched { &mut self.batched } else { &mut self.single };
            results.push(outcome.packets_per_core_second);
        }
        for case in cases(self.options) {
            let label = format!("round {round} of {rounds}, {}", case.name);
            let load = self.load(&case);
            let report = self.one(&label, load).await?;
            if *self.stop.borrow() {
                return Ok(false);
            }
            self.measured.push((case.name, report));
        }
        Ok(true)
    }

    fn row(&self, name: String, bare: f64) -> Option<Row> {
        let reports: Vec<&Report> =
            self.measured.iter().filter(|(of, _)| *of == name).map(|(_, report)| report).collect();
        (!reports.is_empty()).then(|| row(name, &reports, bare))
    }

    /// The delay of each, beside a control without a server, by turns.
    async fn delays(&mut self, cases: &[Case]) -> io::Result<Vec<Delay>> {
        let rounds = self.options.rounds.max(1);
        let mut found: Vec<(Vec<Report>, Vec<Percentiles>)> =
            cases.iter().map(|_| Default::default()).collect();
        for round in 1..=rounds {
            for (case, (reports, controls)) in cases.iter().zip(&mut found) {
                let label = format!("delay at half load, {round} of {rounds}, {}", case.name);
                (self.progress)(&label, &Progress::Waiting("the control without a server"));
                controls.push(control_of(self.options, case).await?);
                let report = self.one(&label, self.load(case)).await?;
                if *self.stop.borrow() {
                    return Ok(Vec::new());
                }
                reports.push(report);
            }
        }
        let delays = cases.iter().zip(&found);
        let delays = delays.map(|(case, (reports, controls))| delay(case.name.clone(), reports, controls));
        let delays: Vec<Delay> = delays.collect();
        let reports = found.into_iter().flat_map(|(reports, _)| reports);
        self.measured.extend(reports.map(|report| (String::new(), report)));
        Ok(delays)
    }

    async fn joins(&mut self) -> io::Result<Option<Joins>> {
        let case = Case {
            name: String::new(),
            scenario: Scenario::Joins,
            rooms: JOIN_ROOMS,
            watchers: JOINS / JOIN_ROOMS,
            rate: None,
        };
        let load = Options { measure: JOIN_TIME, ..self.load(&case) };
        let report = self.one(&format!("{JOINS} joins"), load).await?;
        if *self.stop.borrow() {
            return Ok(None);
        }
        let joins = Joins {
            joins: report.joins,
            failed: report.failed_joins,
            seconds: report.seconds,
            join_ms: report.join_ms,
            leaked_peers: report.leaked_peers,
            memory_per_idle_peer_bytes: report.memory_per_idle_peer_bytes,
        };
        self.measured.push((case.name, report));
        Ok(Some(joins))
    }

    fn load(&self, case: &Case) -> Options {
        // The server is filled in when it runs.
        let nowhere = Url::parse("ws://127.0.0.1").unwrap_or_else(|_| unreachable!("a constant"));
        Options {
            rooms: case.rooms,
            watchers: Some(case.watchers),
            measure: Duration::from_secs(self.options.seconds),
            warm_up: WARM_UP,
            payload_bytes: self.options.payload_bytes,
            rate: case.rate,
            threads: self.options.threads,
            ..Options::new(nowhere, OwnServer::key(), case.scenario)
        }
    }

    /// One measurement against a fresh own server, or the one that runs.
    async fn one(&mut self, label: &str, load: Options) -> io::Result<Report> {
        (self.progress)(label, &Progress::Waiting("starting the server"));
        let (own, load) = match &self.options.target {
            Target::Own(program) => {
                let program = program.clone();
                let start = tokio::task::spawn_blocking(move || OwnServer::start(&program, WORKERS));
                let own = start.await.map_err(io::Error::other)??;
                let (server, server_pid) = (own.url.clone(), Some(own.pid()));
                (Some(own), Options { server, server_pid, ..load })
            }
            Target::Running { url, key, pid } => {
                (None, Options { server: url.clone(), key: key.clone(), server_pid: Some(*pid), ..load })
            }
        };
        let progress = &mut self.progress;
        let report = scenario::run(&load, self.stop.clone(), |at| progress(label, at)).await;
        if let Some(own) = own {
            // Waits for its end.
            tokio::task::spawn_blocking(move || drop(own)).await.map_err(io::Error::other)?;
        }
        report
    }
}

/// The delay of the same packets without a server.
async fn control_of(options: &CompareOptions, case: &Case) -> io::Result<Percentiles> {
    let (senders, watchers) = match case.scenario {
        Scenario::OneToOne => (2 * case.rooms, 1),
        _ => (1, case.watchers),
    };
    let control = control::Options {
        payload_bytes: options.payload_bytes,
        senders,
        watchers,
        rate: case.rate,
        length: Duration::from_secs(options.seconds),
    };
    let outcome = tokio::task::spawn_blocking(move || control::run(control));
    Ok(outcome.await.map_err(io::Error::other)??.forward_ms)
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
