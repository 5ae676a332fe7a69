//! The participants of a run: joining, publishing, replacing, leaving.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use tokio::task::JoinSet;

use super::{Options, PeerPlan, Progress, Scenario, Stop, plan::plan};
use crate::{
    Client, Engine, Histogram, Join, JoinError, Publish, Shown,
    source::{AudioSpec, VideoSpec},
    stats::PeerCounts,
};

/// Leaves going on at once.
const LEAVING: usize = 64;
const TOKEN_LIFETIME: Duration = Duration::from_secs(6 * 3600);

pub(super) struct Crowd {
    engine: Arc<Engine>,
    options: Options,
    /// What all rooms' names begin with, so that runs do not meet.
    run: String,
    plans: Vec<PeerPlan>,
    members: Vec<Option<Client>>,
    join_times: Histogram,
    joined: usize,
    failures: BTreeMap<String, usize>,
    /// Grows with every replacement; part of the identity.
    generation: u64,
}

impl Crowd {
    pub(super) fn new(options: &Options, engine: Arc<Engine>) -> Self {
        let plans = plan(options);
        let clock = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_millis());
        Self {
            engine,
            options: options.clone(),
            run: format!("load-{:x}-{:x}-", clock & 0xffff_ffff, std::process::id()),
            members: plans.iter().map(|_| None).collect(),
            plans,
            join_times: Histogram::default(),
            joined: 0,
            failures: BTreeMap::new(),
            generation: 0,
        }
    }

    pub(super) fn room_prefix(&self) -> &str {
        &self.run
    }

    pub(super) fn planned(&self) -> usize {
        self.plans.len()
    }

    pub(super) fn publishers(&self) -> usize {
        self.plans.iter().filter(|plan| plan.video || plan.audio).count()
    }

    pub(super) fn watchers(&self) -> usize {
        let joins = self.options.scenario == Scenario::Joins;
        self.plans.iter().filter(|plan| plan.watches && !joins).count()
    }

    /// Cameras that one can look at.
    fn others(&self, plan: &PeerPlan) -> usize {
        let cameras = self.plans.iter().filter(|other| other.room == plan.room && other.video).count();
        cameras - usize::from(plan.video)
    }

    pub(super) fn joined(&self) -> usize {
        self.joined
    }

    pub(super) fn join_times(&self) -> &Histogram {
        &self.join_times
    }

    /// Texts of failures with their counts, most frequent first.
    pub(super) fn failures(&self) -> Vec<(String, usize)> {
        let mut list: Vec<_> = self.failures.iter().map(|(text, count)| (text.clone(), *count)).collect();
        list.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        list
    }

    /// Packets if every watcher got the largest layer and the sound of all others in its room.
    pub(super) fn expected(&self, counts: &PeerCounts) -> u64 {
        let receivers = self.plans.iter().filter(|plan| plan.room == 0 && plan.watches).count();
        let to_self = self.plans.first().is_some_and(|plan| plan.watches);
        let receivers = (receivers - usize::from(to_self && receivers > 0)) as u64;
        (counts.sent_top_packets + counts.sent_audio_packets) * receivers
    }

    fn join(&self, index: usize) -> impl Future<Output = (usize, Result<Client, JoinError>)> + use<> {
        let (plan, options) = (&self.plans[index], &self.options);
        let room = format!("{}{}", self.run, plan.room);
        let identity = format!("peer-{}-{}", plan.number, self.generation);
        let token = options.key.join_token(&room, &identity, TOKEN_LIFETIME);
        let join = Join {
            limit: options.join_limit,
            auto_subscribe: plan.watches,
            wish: plan.watches.then_some(options.wish),
            shown: options.shown.map(|count| Shown { first: plan.number, count, all: self.others(plan) }),
            light: options.light,
            ..Join::new(options.server.clone(), token)
        };
        let engine = Arc::clone(&self.engine);
        async move { (index, Client::join(&engine, join).await) }
    }

    fn note(&mut self, index: usize, joined: Result<Client, JoinError>) -> bool {
        match joined {
            Ok(client) => {
                self.join_times.add(client.join_time);
                self.joined += 1;
                self.members[index] = Some(client);
                true
            }
            Err(error) => {
                *self.failures.entry(error.to_string()).or_default() += 1;
                false
            }
        }
    }

    /// Everybody joins, evenly spread over time.
    pub(super) async fn join_all(
        &mut self,
        options: &Options,
        stop: &mut Stop,
        progress: &mut impl FnMut(&Progress),
    ) {
        let all = self.plans.len();
        let within = match options.scenario {
            Scenario::Joins => options.measure,
            _ => Duration::from_secs_f64(all as f64 / options.joins_per_second.max(0.1)),
        };
        let started = Instant::now();
        let mut tasks = JoinSet::new();
        let mut begun = 0;
        let mut shown = Instant::now();
        while begun < all || !tasks.is_empty() {
            let next = started + within.mul_f64(begun as f64 / all.max(1) as f64);
            tokio::select! {
                () = tokio::time::sleep_until(next.into()), if begun < all => {
                    tasks.spawn(self.join(begun));
                    begun += 1;
                }
                Some(done) = tasks.join_next() => match done {
                    Ok((index, joined)) => {
                        self.note(index, joined);
                    }
                    Err(error) => *self.failures.entry(error.to_string()).or_default() += 1,
                },
                told = stop.wait_for(|stop| *stop) => {
                    if told.is_ok() {
                        return;
                    }
                }
            }
            if shown.elapsed() > super::LOOK_EVERY {
                shown = Instant::now();
                let failed = self.failures.values().sum();
                progress(&Progress::Joining { done: self.joined, failed, all });
            }
        }
    }

    pub(super) async fn publish_all(&mut self, stop: &mut Stop, progress: &mut impl FnMut(&Progress)) {
        progress(&Progress::Waiting("publishing"));
        for index in 0..self.plans.len() {
            if *stop.borrow() {
                return;
            }
            self.publish(index).await;
        }
    }

    async fn publish(&mut self, index: usize) {
        let plan = &self.plans[index];
        let seed = index as u64 + 1;
        let mut tracks = Vec::new();
        if plan.audio {
            tracks.push(Publish::Audio(AudioSpec { seed, ..AudioSpec::default() }));
        }
        if plan.video {
            let camera = VideoSpec::camera().with_payload(self.options.payload_bytes).with_seed(seed);
            let rate = self.options.rate;
            tracks.push(Publish::Video(match rate {
                Some(packets) => camera.at_rate(packets),
                None => camera,
            }));
        }
        let limit = self.options.join_limit;
        let Some(client) = &mut self.members[index] else { return };
        for track in tracks {
            let published = tokio::time::timeout(limit, client.publish(track)).await;
            let failure = match published {
                Ok(Ok(_)) => continue,
                Ok(Err(error)) => error.to_string(),
                Err(_) => "a track was not confirmed in time".to_owned(),
            };
            *self.failures.entry(failure).or_default() += 1;
        }
    }

    /// One participant leaves, or is cut off, and another takes its place and role; true when that joined.
    pub(super) async fn replace(&mut self, index: usize, cut: bool) -> bool {
        if let Some(client) = self.members[index].take() {
            if cut {
                drop(client);
            } else {
                client.leave().await;
            }
        }
        self.generation += 1;
        let (index, joined) = self.join(index).await;
        let joined = self.note(index, joined);
        if joined {
            self.publish(index).await;
        }
        joined
    }

    pub(super) async fn leave_all(&mut self) {
        let mut leaving = JoinSet::new();
        for client in self.members.iter_mut().filter_map(Option::take) {
            if leaving.len() >= LEAVING {
                leaving.join_next().await;
            }
            leaving.spawn(client.leave());
        }
        leaving.join_all().await;
    }
}
