//! What a run does: who joins, what they send, how long it is measured.

mod churn;
mod crowd;
mod measure;
mod plan;

use std::time::{Duration, Instant};

use tokio::sync::watch;
use url::Url;

pub use plan::{PeerPlan, Scenario};

use crate::{Engine, Report, TrackSettings, leaks, procfs::ProcessUse, report::Percentiles, token::ApiKey};
use crowd::Crowd;

/// More peers than this need several load generators.
pub const MAX_PEERS: usize = 10_000;
/// Longest wait for the first packets after publishing.
const FIRST_MEDIA: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// A run.
#[derive(Clone, Debug)]
pub struct Options {
    pub server: Url,
    pub key: ApiKey,
    pub scenario: Scenario,
    pub rooms: usize,
    /// By room; `None` = as usual for the scenario.
    pub publishers: Option<usize>,
    pub watchers: Option<usize>,
    /// Length of the measurement; in `joins` the time within which all joins begin.
    pub measure: Duration,
    /// Between the first media and the measurement: estimates and layers settle.
    pub warm_up: Duration,
    /// RTP payload of a full video packet.
    pub payload_bytes: usize,
    /// Video packets a second of each publisher's largest layer; `None` = a 720p camera of 1.7 Mbit/s.
    pub rate: Option<u64>,
    /// Publish sound beside video; `None` = as usual for the scenario.
    pub audio: Option<bool>,
    /// Size that watchers wish for.
    pub wish: TrackSettings,
    /// Pictures that each watcher looks at, each others; `None` = all.
    pub shown: Option<usize>,
    pub server_pid: Option<u32>,
    /// Receive without str0m's reception.
    pub light: bool,
    /// Threads that drive peers.
    pub threads: usize,
    /// Joins started a second, outside of `joins`.
    pub joins_per_second: f64,
    /// Participants a second that leave and are replaced.
    pub churn_per_second: f64,
    /// A join that takes longer has failed.
    pub join_limit: Duration,
}

impl Options {
    /// A run with everything as usual.
    pub fn new(server: Url, key: ApiKey, scenario: Scenario) -> Self {
        Self {
            server,
            key,
            scenario,
            rooms: 1,
            publishers: None,
            watchers: None,
            measure: Duration::from_secs(10),
            warm_up: Duration::from_secs(3),
            payload_bytes: 1_100,
            rate: None,
            audio: None,
            wish: TrackSettings { width: 1280, height: 720, ..TrackSettings::default() },
            shown: None,
            server_pid: None,
            light: true,
            threads: 1,
            joins_per_second: 50.0,
            churn_per_second: 0.0,
            join_limit: Duration::from_secs(10),
        }
    }
}

/// Where a run is, for a display.
#[derive(Clone, Debug)]
pub enum Progress {
    Joining { done: usize, failed: usize, all: usize },
    Waiting(&'static str),
    Measuring { elapsed: f64, all: f64, delivered_per_second: f64, lost: u64, connected: u64 },
    Leaving,
}

/// Told to stop by the user.
pub type Stop = watch::Receiver<bool>;

/// True when the wait was ended by the user.
pub(crate) async fn stopped_within(stop: &mut Stop, wait: Duration) -> bool {
    tokio::time::timeout(wait, stop.wait_for(|stop| *stop)).await.is_ok_and(|told| told.is_ok())
}

/// Runs a scenario to its report. It ends early, with a report of what there is, when `stop` becomes true.
pub async fn run(
    options: &Options,
    mut stop: Stop,
    mut progress: impl FnMut(&Progress),
) -> std::io::Result<Report> {
    let engine = std::sync::Arc::new(Engine::start(options.threads)?);
    let before = options.server_pid.and_then(ProcessUse::of);
    let mut crowd = Crowd::new(options, std::sync::Arc::clone(&engine));
    let started = Instant::now();
    crowd.join_all(options, &mut stop, &mut progress).await;
    let joining = started.elapsed();
    let idle = options.server_pid.and_then(ProcessUse::of);
    let mut report = Report {
        scenario: options.scenario.name(),
        url: options.server.to_string(),
        rooms: options.rooms,
        publishers: crowd.publishers(),
        watchers: crowd.watchers(),
        peers: crowd.planned(),
        payload_bytes: options.payload_bytes,
        ..Report::default()
    };
    let window = if options.scenario == Scenario::Joins {
        let totals = engine.totals().await;
        measure::Window::whole(before.clone(), idle.clone(), joining, totals)
    } else {
        crowd.publish_all(&mut stop, &mut progress).await;
        wait_for_media(&engine, &mut stop, &mut progress).await;
        progress(&Progress::Waiting("settling"));
        stopped_within(&mut stop, options.warm_up).await;
        measure::measure(options, &engine, &mut crowd, &mut stop, &mut progress).await
    };
    measure::fill(&mut report, &window);
    if options.scenario != Scenario::Joins && window.churn.is_none() && options.shown.is_none() {
        report.expected_packets = Some(crowd.expected(&window.totals.counts));
    }
    measure::memory(&mut report, before.as_ref(), idle.as_ref(), window.server_after());
    report.interrupted = *stop.borrow();
    progress(&Progress::Leaving);
    crowd.leave_all().await;
    report.leaked_peers = leaks::left_in(&options.server, &options.key, crowd.room_prefix()).await;
    report.joins = crowd.joined();
    report.join_ms = Percentiles::of(crowd.join_times());
    report.failures = crowd.failures();
    report.failed_joins = report.failures.iter().map(|(_, count)| count).sum();
    Ok(report)
}

async fn wait_for_media(engine: &Engine, stop: &mut Stop, progress: &mut impl FnMut(&Progress)) {
    progress(&Progress::Waiting("waiting for media"));
    let deadline = Instant::now() + FIRST_MEDIA;
    while Instant::now() < deadline && engine.totals().await.counts.delivered_packets == 0 {
        if stopped_within(stop, LOOK_EVERY).await {
            return;
        }
    }
}
