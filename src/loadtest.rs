//! `parley loadtest`: arguments, display and output; the work is in the crate of that name.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::{Args, Subcommand};
use parley_loadtest::{
    Report, TrackSettings,
    compare::{self, CompareOptions, Target},
    network,
    scenario::{self, Options, Progress},
    token::ApiKey,
};
use tokio::sync::watch;

use crate::cli::print_line;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct LoadArgs {
    #[command(subcommand)]
    special: Option<Special>,
    /// The server, like ws://127.0.0.1:7880.
    #[arg(long, default_value = "ws://127.0.0.1:7880")]
    url: url::Url,
    #[arg(long, default_value = "devkey")]
    key: String,
    #[arg(long, default_value = "secret")]
    secret: String,
    #[arg(long, value_enum, default_value_t = Scenario::OneToOne)]
    scenario: Scenario,
    #[arg(long, default_value_t = 1)]
    rooms: usize,
    /// In each room [fanout: 1, meeting: all].
    #[arg(long)]
    publishers: Option<usize>,
    /// In each room [fanout: 10, meeting: 10, joins: 2].
    #[arg(long)]
    watchers: Option<usize>,
    /// Length of the measurement; with joins the time within which they begin.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// RTP payload of a full video packet, bytes.
    #[arg(long, default_value_t = 1_100)]
    payload: usize,
    /// Video packets a second of each publisher's largest layer [as many as 720p at 1.7 Mbit/s needs].
    #[arg(long)]
    rate: Option<u64>,
    /// Sound beside video [yes, but not with fanout].
    #[arg(long)]
    audio: Option<bool>,
    /// Layer that watchers wish for.
    #[arg(long, value_enum, default_value_t = Layer::High)]
    layer: Layer,
    /// Pictures that each watcher looks at, others in each case; the rest are switched off [all].
    #[arg(long)]
    shown: Option<usize>,
    /// Process of the server, for its CPU time and memory.
    #[arg(long)]
    server_pid: Option<u32>,
    /// Receive as a whole client does, with NACK, at several times the cost.
    #[arg(long)]
    whole: bool,
    /// Participants a second that leave and are replaced.
    #[arg(long, default_value_t = 0.0)]
    churn: f64,
    /// Joins started a second (not with joins).
    #[arg(long, default_value_t = 50.0)]
    join_rate: f64,
    /// Seconds between the first media and the measurement.
    #[arg(long, default_value_t = 3)]
    warm_up: u64,
    /// Threads that drive the peers.
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// With networks: only the one of this name; can be given again.
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Write the report here instead of printing it.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write a page with plots here.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Special {
    /// Measure one-to-one ×50, 1→100 and 10×10 beside a bare loop of sealing and sending, the delay at half load, memory
    /// and joins, and tell which aims are met.
    Compare(CompareArgs),
}

#[derive(Debug, Args)]
struct CompareArgs {
    /// A running server, with --server-pid; without it this program starts one of its own each time.
    #[arg(long, requires = "server_pid")]
    url: Option<url::Url>,
    #[arg(long, default_value = "devkey")]
    key: String,
    #[arg(long, default_value = "secret")]
    secret: String,
    #[arg(long)]
    server_pid: Option<u32>,
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Length of each measurement.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// RTP payload of a full video packet, bytes.
    #[arg(long, default_value_t = 1_100)]
    payload: usize,
    /// Watchers of the fanout.
    #[arg(long, default_value_t = 100)]
    watchers: usize,
    /// Video packets a second of the publisher of the loaded fanout.
    #[arg(long, default_value_t = 1_000)]
    rate: u64,
    /// Threads that drive the peers.
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Write all figures here.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Scenario {
    /// Calls of two who both send and watch.
    OneToOne,
    /// Few publishers, many who watch.
    Fanout,
    /// Everybody sends and watches.
    Meeting,
    /// Everybody joins, stays until all have, and leaves.
    Joins,
    /// Twelve poor networks at once; fails when sound or picture do not hold on one.
    Networks,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Layer {
    Low,
    Medium,
    High,
}

impl LoadArgs {
    fn options(&self) -> Options {
        let scenario = match self.scenario {
            Scenario::OneToOne => scenario::Scenario::OneToOne,
            Scenario::Fanout => scenario::Scenario::Fanout,
            Scenario::Meeting => scenario::Scenario::Meeting,
            // Networks have their own way, see `networks`.
            Scenario::Joins | Scenario::Networks => scenario::Scenario::Joins,
        };
        let (width, height) = match self.layer {
            Layer::Low => (320, 180),
            Layer::Medium => (640, 360),
            Layer::High => (1280, 720),
        };
        let key = ApiKey { key: self.key.clone(), secret: self.secret.clone() };
        Options {
            rooms: self.rooms,
            publishers: self.publishers,
            watchers: self.watchers,
            measure: Duration::from_secs(self.seconds),
            warm_up: Duration::from_secs(self.warm_up),
            payload_bytes: self.payload,
            rate: self.rate,
            audio: self.audio,
            wish: TrackSettings { width, height, ..TrackSettings::default() },
            shown: self.shown,
            server_pid: self.server_pid,
            light: !self.whole,
            threads: self.threads,
            joins_per_second: self.join_rate,
            churn_per_second: self.churn,
            ..Options::new(self.url.clone(), key, scenario)
        }
    }
}

/// Runs the command; the text of what went wrong.
pub fn run(args: &LoadArgs) -> Result<(), String> {
    let runtime = tokio::runtime::Runtime::new().map_err(|error| error.to_string())?;
    let (stop, stopped) = watch::channel(false);
    runtime.spawn(interrupt(stop));
    match &args.special {
        Some(Special::Compare(args)) => runtime.block_on(compared(args, stopped)),
        None if args.scenario == Scenario::Networks => runtime.block_on(networks(args)),
        None => {
            let report =
                runtime.block_on(scenario::run(&args.options(), stopped, |progress| show("", progress)));
            show_text("\n");
            let report = report.map_err(|error| error.to_string())?;
            if let Some(path) = &args.html {
                write_file(path, &parley_loadtest::html::page(&report))?;
            }
            write_report(&report, args.json.as_deref())
        }
    }
}

/// Ctrl-C ends a run with a report.
async fn interrupt(stop: watch::Sender<bool>) {
    if tokio::signal::ctrl_c().await.is_ok() && stop.send(true).is_err() {
        return;
    }
    // Without the signal a run ends by its time; the channel stays open until then.
    std::future::pending::<()>().await;
}

fn write_report(report: &Report, json: Option<&Path>) -> Result<(), String> {
    let text = serde_json::to_string_pretty(report).map_err(|error| error.to_string())?;
    match json {
        Some(path) => write_file(path, &text),
        None => {
            print_line(&text);
            Ok(())
        }
    }
}

fn write_file(path: &Path, text: &str) -> Result<(), String> {
    std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

/// The poor networks: a table, with `--json` the whole report; an error when one did not hold.
async fn networks(args: &LoadArgs) -> Result<(), String> {
    let mut scenarios = network::scenarios::all();
    if !args.only.is_empty() {
        for name in &args.only {
            if !scenarios.iter().any(|scenario| scenario.name == name) {
                let names: Vec<&str> = scenarios.iter().map(|scenario| scenario.name).collect();
                return Err(format!("no network is called {name}; there are: {}", names.join(", ")));
            }
        }
        scenarios.retain(|scenario| args.only.iter().any(|name| name == scenario.name));
    }
    let key = ApiKey { key: args.key.clone(), secret: args.secret.clone() };
    let options = network::Options { server: args.url.clone(), key, scenarios };
    let report = network::networks(&options, show_text).await.map_err(|error| error.to_string())?;
    if let Some(path) = &args.json {
        write_file(path, &serde_json::to_string_pretty(&report).map_err(|error| error.to_string())?)?;
    }
    print_line(&network::verdict::table(&report.networks));
    if report.passed { Ok(()) } else { Err("not every network passed".to_owned()) }
}

async fn compared(args: &CompareArgs, stop: scenario::Stop) -> Result<(), String> {
    let target = match (&args.url, args.server_pid) {
        (Some(url), Some(pid)) => {
            let key = ApiKey { key: args.key.clone(), secret: args.secret.clone() };
            Target::Running { url: url.clone(), key, pid }
        }
        _ => Target::Own(std::env::current_exe().map_err(|error| error.to_string())?),
    };
    let options = CompareOptions {
        target,
        rounds: args.rounds,
        seconds: args.seconds,
        payload_bytes: args.payload,
        watchers: args.watchers,
        rate: args.rate,
        threads: args.threads,
    };
    let comparison =
        compare::run(&options, &stop, |label, progress| show(&format!("{label}: "), progress)).await;
    show_text("\n");
    let comparison = comparison.map_err(|error| error.to_string())?;
    print_line(comparison.table().trim_end());
    let text = serde_json::to_string_pretty(&comparison).map_err(|error| error.to_string())?;
    args.json.as_deref().map_or(Ok(()), |path| write_file(path, &text))
}

fn show(label: &str, progress: &Progress) {
    let text = match progress {
        Progress::Joining { done, failed, all } => format!("joining {done}/{all}, {failed} failed"),
        Progress::Waiting(what) => (*what).to_owned(),
        Progress::Measuring { elapsed, all, delivered_per_second, lost, connected } => format!(
            "{elapsed:.0}/{all:.0} s, {delivered_per_second:.0} packets/s, {lost} lost, {connected} connected"
        ),
        Progress::Leaving => "leaving".to_owned(),
    };
    show_text(&format!("\r\x1b[K{label}{text}"));
}

/// The display is on standard error, so that the report can be piped. It may be closed.
fn show_text(text: &str) {
    let mut stderr = std::io::stderr();
    drop(stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush()));
}
