//! The named networks against a real server, all at the same time.
//!
//! In each scenario's room one person is behind a [`Proxy`] with that network, and one has a perfect one. Both send
//! sound, the second also a camera in three layers; what comes is recorded and judged afterwards. Only media pass
//! the network: signalling is TCP to the server itself.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use livekit_protocol::{StreamState, signal_response::Message as Response};
use serde::Serialize;
use str0m::Candidate;
use tokio::task::JoinSet;
use url::Url;

use super::{
    Proxy, Scenario,
    decoder::VideoPacket,
    scenarios::Rates,
    sound::Arrivals,
    verdict::{Outcome, Recording},
};
use crate::{
    Client, Engine, Join, JoinError, MediaKind, Observer, Packet, Publish,
    source::{AudioSpec, VideoSpec},
    token::ApiKey,
};

const TOKEN_LIFETIME: Duration = Duration::from_secs(600);
const JOIN_LIMIT: Duration = Duration::from_secs(20);
/// Rooms whose people join at once; more would make each other wait.
const APART: Duration = Duration::from_millis(100);
/// A watch looks so often whether this process gets its CPU,
const WATCH_EVERY: Duration = Duration::from_millis(20);
/// and counts it as stalled when it is so much late. Longer than any criterion's margin would forgive.
const STALL: Duration = Duration::from_millis(100);
/// Share of packets that the proxy may deliver late.
const LATE_SHARE: f64 = 0.002;

/// What to run against which server.
#[derive(Clone, Debug)]
pub struct Options {
    pub server: Url,
    pub key: ApiKey,
    pub scenarios: Vec<Scenario>,
}

/// All outcomes, in order.
#[derive(Clone, Debug, Serialize)]
pub struct NetworksReport {
    pub scenario: &'static str,
    pub passed: bool,
    pub networks: Vec<Outcome>,
}

/// Why there is no outcome at all.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error("{0}: {1}")]
    Join(&'static str, JoinError),
    #[error("{0}: the server tells no UDP address for media")]
    NoAddress(&'static str),
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Runs the scenarios together. What fails while this process itself was short of CPU is run once more.
pub async fn networks(options: &Options, mut progress: impl FnMut(&str)) -> Result<NetworksReport, RunError> {
    let mut outcomes = together(options, &options.scenarios, &mut progress).await?;
    let again: Vec<Scenario> = outcomes
        .iter()
        .zip(&options.scenarios)
        .filter(|(outcome, _)| !outcome.passed() && outcome.generator_late)
        .map(|(_, scenario)| scenario.clone())
        .collect();
    if !again.is_empty() {
        let names: Vec<&str> = again.iter().map(|scenario| scenario.name).collect();
        progress(&format!("the generator was late; once more: {}\n", names.join(", ")));
        for mut second in together(options, &again, &mut progress).await? {
            second.repeated = true;
            if let Some(first) = outcomes.iter_mut().find(|outcome| outcome.name == second.name) {
                *first = second;
            }
        }
    }
    let passed = outcomes.iter().all(Outcome::passed);
    Ok(NetworksReport { scenario: "networks", passed, networks: outcomes })
}

async fn together(
    options: &Options,
    scenarios: &[Scenario],
    progress: &mut impl FnMut(&str),
) -> Result<Vec<Outcome>, RunError> {
    let engine = Arc::new(Engine::start(1)?);
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_millis());
    let run = format!("{:x}-{:x}", clock & 0xffff_ffff, std::process::id());
    let mut tasks = JoinSet::new();
    for (index, scenario) in scenarios.iter().enumerate() {
        let (engine, options, scenario) = (Arc::clone(&engine), options.clone(), scenario.clone());
        let room = format!("network-{run}-{}", scenario.name);
        let wait = APART * u32::try_from(index).unwrap_or(0);
        tasks.spawn(async move {
            tokio::time::sleep(wait).await;
            (index, one(&engine, &options, &scenario, &room).await)
        });
    }
    let mut outcomes: Vec<Option<Outcome>> = scenarios.iter().map(|_| None).collect();
    let longest = scenarios.iter().map(|scenario| scenario.length).max().unwrap_or_default();
    let started = Instant::now();
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    while !tasks.is_empty() {
        tokio::select! {
            Some(done) = tasks.join_next() => {
                let (index, outcome) = done.map_err(io::Error::other)?;
                outcomes[index] = Some(outcome?);
            }
            _ = ticks.tick() => {
                let (at, all) = (started.elapsed().as_secs(), scenarios.len());
                progress(&format!("\r{all} networks, {at} s of about {} s", longest.as_secs() + 5));
            }
        }
    }
    progress("\n");
    Ok(outcomes.into_iter().flatten().collect())
}

/// What both observers of a room write to.
#[derive(Debug)]
struct Shared {
    /// Begin of the network's schedule; nothing is recorded before.
    start: Option<Instant>,
    recording: Recording,
    server: Option<SocketAddr>,
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One of the two people.
struct Ear {
    shared: Arc<Mutex<Shared>>,
    /// On the poor network.
    poor: bool,
}

impl Observer for Ear {
    fn packet(&mut self, packet: &Packet<'_>) {
        let mut shared = lock(&self.shared);
        let Some(at) = shared.start.and_then(|start| packet.at.checked_duration_since(start)) else { return };
        if !packet.new {
            return;
        }
        let recording = &mut shared.recording;
        match (packet.kind, self.poor) {
            (MediaKind::Audio, true) => recording.sound_down.push(packet.sequence, at),
            (MediaKind::Audio, false) => {
                recording.sound_up.get_or_insert_with(Arrivals::default).push(packet.sequence, at);
            }
            (MediaKind::Video, true) => {
                let (timestamp, marker) = (packet.timestamp, packet.marker);
                let header = VideoPacket { sequence: packet.sequence, timestamp, marker, at };
                recording.picture.packet(header, packet.payload);
            }
            (MediaKind::Video, false) => {}
        }
    }

    fn signal(&mut self, message: &Response, at: Instant) {
        let mut shared = lock(&self.shared);
        match message {
            Response::Answer(answer) if shared.server.is_none() => {
                shared.server = udp_address(&answer.sdp);
            }
            Response::StreamStateUpdate(update) if self.poor => {
                let Some(start) = shared.start else { return };
                let at = at.saturating_duration_since(start).as_secs_f64();
                for state in &update.stream_states {
                    shared.recording.pauses.push((at, state.state() == StreamState::Paused));
                }
            }
            _ => {}
        }
    }

    fn wants_keyframe(&mut self, at: Instant) -> bool {
        let mut shared = lock(&self.shared);
        let Some(start) = shared.start.filter(|_| self.poor) else { return false };
        shared.recording.picture.asks(at.saturating_duration_since(start))
    }
}

/// The first UDP candidate of a description.
fn udp_address(sdp: &str) -> Option<SocketAddr> {
    let lines = sdp.lines().filter_map(|line| line.strip_prefix("a="));
    let mut candidates = lines
        .filter(|line| line.starts_with("candidate:"))
        .filter_map(|line| Candidate::from_sdp_string(line).ok());
    candidates
        .find(|candidate| candidate.proto() == str0m::net::Protocol::Udp)
        .map(|candidate| candidate.addr())
}

async fn one(
    engine: &Engine,
    options: &Options,
    scenario: &Scenario,
    room: &str,
) -> Result<Outcome, RunError> {
    let failed = |error| RunError::Join(scenario.name, error);
    let recording = Recording { sound_up: Some(Arrivals::default()), ..Recording::default() };
    let shared = Arc::new(Mutex::new(Shared { start: None, recording, server: None }));
    let join = |identity: &str, poor: bool, via: Option<SocketAddr>| Join {
        limit: JOIN_LIMIT,
        media_via: via,
        observer: Some(Box::new(Ear { shared: Arc::clone(&shared), poor })),
        ..Join::new(options.server.clone(), options.key.join_token(room, identity, TOKEN_LIFETIME))
    };
    let (video, audio) = (VideoSpec::camera().with_seed(scenario.seed), AudioSpec::default());
    let rates = Rates::of(&video, &audio);
    let mut far = Client::join(engine, join("far", false, None)).await.map_err(failed)?;
    far.publish(Publish::Audio(audio)).await.map_err(failed)?;
    far.publish(Publish::Video(video)).await.map_err(failed)?;
    let server = lock(&shared).server.ok_or(RunError::NoAddress(scenario.name))?;
    let start = Instant::now();
    lock(&shared).start = Some(start);
    let proxy = Proxy::start(server, scenario, start)?;
    let near = Client::join(engine, join("near", true, Some(proxy.address())));
    let mut near = near.await.map_err(failed)?;
    near.publish(Publish::Audio(audio)).await.map_err(failed)?;
    let begun = start.elapsed();
    let stalled = watch(scenario.length.saturating_sub(begun)).await;
    let network = proxy.passed();
    let mut outcome = Outcome::of(scenario, &lock(&shared).recording, &rates, begun, network);
    let passed = network.up.delivered + network.down.delivered;
    outcome.generator_late = stalled || network.late as f64 > passed as f64 * LATE_SHARE;
    near.leave().await;
    far.leave().await;
    Ok(outcome)
}

/// Lets `time` pass; true when this process did not get its CPU meanwhile.
async fn watch(time: Duration) -> bool {
    let end = Instant::now() + time;
    let mut stalled = false;
    loop {
        let before = Instant::now();
        if before >= end {
            return stalled;
        }
        tokio::time::sleep(WATCH_EVERY.min(end - before)).await;
        stalled |= before.elapsed() > WATCH_EVERY + STALL;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_udp_address_is_read_from_its_answer() {
        let sdp = "v=0\r\nm=audio 9\r\na=candidate:1 1 tcp 1 10.0.0.1 443 typ host tcptype passive\r\n\
                   a=candidate:2 1 udp 9 10.0.0.2 7882 typ host\r\na=mid:0\r\n";
        assert_eq!(udp_address(sdp), Some(SocketAddr::from(([10, 0, 0, 2], 7882))));
        assert_eq!(udp_address("v=0\r\n"), None);
    }
}
