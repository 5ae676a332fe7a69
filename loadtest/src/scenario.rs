//! What a run does.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use tokio::{task::JoinSet, time::interval};
use url::Url;

use crate::{
    Report,
    peer::{JoinError, Peer},
    report::Percentiles,
    token::ApiKey,
};

/// More peers than this need several load generators.
const MAX_JOINS: usize = 10_000;
const TOKEN_LIFETIME: Duration = Duration::from_secs(600);

/// Joins spread evenly over rooms and over time.
#[derive(Clone, Debug)]
pub struct JoinsOptions {
    pub server: Url,
    pub key: ApiKey,
    pub rooms: usize,
    /// Peers in each room.
    pub peers: usize,
    /// The joins begin evenly within this time.
    pub within: Duration,
    /// A join that takes longer has failed.
    pub limit: Duration,
}

/// Runs the scenario `joins`: every peer joins, stays until all have joined or failed, and leaves.
pub async fn joins(options: &JoinsOptions) -> Report {
    let total = options.rooms.saturating_mul(options.peers).clamp(1, MAX_JOINS);
    let started = Instant::now();
    let mut ticks =
        interval((options.within / u32::try_from(total).unwrap_or(u32::MAX)).max(Duration::from_micros(1)));
    let mut tasks: JoinSet<Result<Peer, JoinError>> = JoinSet::new();
    for number in 0..total {
        ticks.tick().await;
        let room = format!("load-{}", number % options.rooms.max(1));
        let token = options.key.join_token(&room, &format!("peer-{number}"), TOKEN_LIFETIME);
        let (server, limit) = (options.server.clone(), options.limit);
        tasks.spawn(async move { Peer::join(&server, &token, limit).await });
    }
    let mut peers = Vec::with_capacity(total);
    let mut failures = BTreeMap::<String, usize>::new();
    while let Some(joined) = tasks.join_next().await {
        match joined {
            Ok(Ok(peer)) => peers.push(peer),
            Ok(Err(error)) => *failures.entry(error.to_string()).or_default() += 1,
            Err(error) => *failures.entry(format!("the peer's task ended: {error}")).or_default() += 1,
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    let mut times: Vec<Duration> = peers.iter().map(|peer| peer.join_time).collect();
    for peer in peers {
        if let Err(error) = peer.leave().await {
            tracing::debug!(%error, "a peer could not take leave");
        }
    }
    let mut failures: Vec<(String, usize)> = failures.into_iter().collect();
    failures.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    Report {
        scenario: "joins",
        seconds,
        joins: times.len(),
        failed_joins: failures.iter().map(|(_, count)| count).sum(),
        failures,
        join_ms: Percentiles::of(&mut times),
    }
}
