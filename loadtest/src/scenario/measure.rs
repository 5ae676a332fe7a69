//! The measured part of a run.

use std::time::{Duration, Instant};

use super::{Options, Progress, Stop, churn::Churn, crowd::Crowd, stopped_within};
use crate::{
    Engine, Report,
    inside::Inside,
    procfs::ProcessUse,
    report::{ChurnReport, Percentiles, Sample, rss_thirds},
    stats::Totals,
};

const SAMPLE_EVERY: Duration = Duration::from_secs(1);
/// Samples kept; a longer run takes them further apart.
const MAX_SAMPLES: u32 = 600;

/// What was counted between two moments.
pub(super) struct Window {
    pub(super) seconds: f64,
    pub(super) totals: Totals,
    server: Option<(ProcessUse, ProcessUse)>,
    client_cpu_seconds: f64,
    samples: Vec<Sample>,
    pub(super) churn: Option<ChurnReport>,
    inside: Option<Inside>,
}

impl Window {
    /// The server at the end of it.
    pub(super) fn server_after(&self) -> Option<&ProcessUse> {
        self.server.as_ref().map(|(_, after)| after)
    }

    /// Of a run that is measured from its start on.
    pub(super) fn whole(
        before: Option<ProcessUse>,
        after: Option<ProcessUse>,
        length: Duration,
        totals: Totals,
    ) -> Self {
        Self {
            seconds: length.as_secs_f64(),
            totals,
            server: before.zip(after),
            client_cpu_seconds: own_cpu(),
            samples: Vec::new(),
            churn: None,
            inside: None,
        }
    }
}

fn own_cpu() -> f64 {
    ProcessUse::of(std::process::id()).map_or(0.0, |own| own.cpu_seconds)
}

pub(super) async fn measure(
    options: &Options,
    engine: &Engine,
    crowd: &mut Crowd,
    stop: &mut Stop,
    progress: &mut impl FnMut(&Progress),
) -> Window {
    let mut churn = Churn::new(options.churn_per_second, Instant::now());
    let every = SAMPLE_EVERY.max(options.measure / MAX_SAMPLES);
    let look = || options.server_pid.and_then(ProcessUse::of);
    let inside = Inside::read(&options.server).await;
    let first = engine.totals().await;
    let (server, client) = (look(), own_cpu());
    let started = Instant::now();
    let end = started + options.measure;
    let mut last = (started, first.clone(), server.clone());
    let mut samples = Vec::new();
    loop {
        let next = end.min(last.0 + every);
        let wake = churn.as_ref().map_or(next, |churn| next.min(churn.next()));
        if stopped_within(stop, wake.saturating_duration_since(Instant::now())).await {
            break;
        }
        if let Some(churn) = &mut churn {
            churn.step(crowd).await;
        }
        let now = Instant::now();
        if now >= next {
            let totals = engine.totals().await;
            let process = look();
            let sample = sample(started, now, &last, &totals, process.as_ref());
            progress(&Progress::Measuring {
                elapsed: sample.at,
                all: options.measure.as_secs_f64(),
                delivered_per_second: sample.delivered_packets as f64 / (now - last.0).as_secs_f64(),
                lost: totals.since(&first).counts.lost_packets,
                connected: totals.connected,
            });
            samples.push(sample);
            // A server that has gone keeps its last figures.
            last = (now, totals, process.or(last.2));
        }
        if now >= end {
            break;
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    let totals = engine.totals().await.since(&first);
    let server_after = look().or(last.2);
    let client_cpu_seconds = own_cpu() - client;
    let inside_after = Inside::read(&options.server).await;
    Window {
        seconds,
        totals,
        server: server.zip(server_after),
        client_cpu_seconds,
        samples,
        churn: churn.map(|churn| churn.report),
        inside: inside.zip(inside_after).map(|(before, after)| after.since(&before)),
    }
}

fn sample(
    started: Instant,
    now: Instant,
    last: &(Instant, Totals, Option<ProcessUse>),
    totals: &Totals,
    process: Option<&ProcessUse>,
) -> Sample {
    let since = totals.since(&last.1);
    let seconds = (now - last.0).as_secs_f64().max(1e-6);
    let used = last.2.as_ref().zip(process).map(|(then, now)| now.cpu_seconds - then.cpu_seconds);
    Sample {
        at: (now - started).as_secs_f64(),
        delivered_packets: since.counts.delivered_packets,
        lost_packets: since.counts.lost_packets,
        forward_p99_ms: since.delays.percentile_ms(0.99),
        server_cpu_share: used.map(|used| used / seconds),
        server_rss_bytes: process.map(|process| process.rss_bytes),
        connected: totals.connected,
    }
}

/// Puts a window's figures into the report.
pub(super) fn fill(report: &mut Report, window: &Window) {
    let counts = &window.totals.counts;
    report.seconds = window.seconds;
    report.delivered_packets = counts.delivered_packets;
    report.lost_packets = counts.lost_packets;
    let all = counts.delivered_packets + counts.lost_packets;
    report.loss_share = if all == 0 { 0.0 } else { counts.lost_packets as f64 / all as f64 };
    report.delivered_mbit_per_second = counts.delivered_bytes as f64 * 8.0 / 1e6 / window.seconds.max(1e-6);
    report.sent_packets = counts.sent_packets;
    report.sent_audio_packets = counts.sent_audio_packets;
    report.delivered_audio_packets = counts.delivered_audio_packets;
    if let Some((before, after)) = &window.server {
        let used = after.cpu_seconds - before.cpu_seconds;
        report.server_cpu_seconds = Some(used);
        report.packets_per_core_second =
            Some(if used > 0.0 { counts.delivered_packets as f64 / used } else { 0.0 });
        report.server_threads = after.threads_since(before);
        report.server_rss_bytes = Some(after.rss_bytes);
    }
    report.forward_ms = Percentiles::of(&window.totals.delays);
    report.server_ms = window.inside.as_ref().map(Inside::percentiles);
    report.client_cpu_seconds = window.client_cpu_seconds;
    report.client_lateness_ms = Percentiles::of(&window.totals.lateness);
    report.ended_sessions = window.totals.ended;
    report.faults = counts.faults;
    report.frames = counts.frames;
    report.keyframes = counts.keyframes;
    report.frames_by_layer = counts.frames_by_layer;
    report.duplicate_packets = counts.duplicate_packets;
    report.refused_packets = counts.refused_packets;
    report.churn = window.churn;
    report.samples.clone_from(&window.samples);
    report.server_rss_thirds_bytes = rss_thirds(&report.samples);
}

/// Memory of the server by participant: at rest after the joins, and in the call.
pub(super) fn memory(
    report: &mut Report,
    before: Option<&ProcessUse>,
    idle: Option<&ProcessUse>,
    call: Option<&ProcessUse>,
) {
    let Some(before) = before else { return };
    let peers = report.peers.max(1) as u64;
    let each = |now: &ProcessUse| now.anonymous_bytes.saturating_sub(before.anonymous_bytes) / peers;
    report.server_rss_before_bytes = Some(before.rss_bytes);
    report.memory_per_peer_bytes = call.map(each);
    report.memory_per_idle_peer_bytes = idle.map(each);
}
