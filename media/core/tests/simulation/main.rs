//! Rooms under random use: people come and go, publish, mute, switch and watch,
//! over a network that loses, reorders and repeats, against a simple reference.
//!
//! A failure prints its seed and the shortest plan found that still fails:
//! `PARLEY_SIM_SEED=n cargo test --release -p parley-media-core --test simulation`.
//! More seeds: `PARLEY_SIM_SEEDS=10000`, and from another one on: `PARLEY_SIM_FIRST=n`.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

mod actions;
mod faults;
mod plan;
mod planted;
mod problem;
mod reference;
mod rest;
mod shrink;
#[path = "../support/mod.rs"]
mod support;
mod viewer;
mod world;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
};

use faults::Fault;
use plan::Plan;
use problem::{Law, Problem, broken};
use world::{Seen, World};

/// Without optimisation a run takes ten times as long.
const SEEDS: u64 = if cfg!(debug_assertions) { 150 } else { 3000 };
/// From this many on, each kind of event must have happened.
const ENOUGH: u64 = 100;

/// One run; what happened in it, or the promise that was broken.
fn run(plan: &Plan, fault: Fault) -> Result<Seen, Problem> {
    let ran = catch_unwind(AssertUnwindSafe(|| {
        let mut world = World::new(plan, fault);
        world.wild(plan)?;
        world.rest(plan)?;
        Ok(world.seen)
    }));
    ran.unwrap_or_else(|_| broken(Law::Panic, "panicked"))
}

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|value| value.parse().ok())
}

/// Reports the failure of a seed with the shortest plan for it.
fn fail(seed: u64, problem: &Problem) -> ! {
    let plan = Plan::new(seed);
    let short = shrink::shrink(&plan, problem.law, Fault::None);
    let actions: Vec<_> = short.actions.iter().map(|action| format!("  {action:?}\n")).collect();
    let last = run(&short, Fault::None).err().map(|problem| problem.to_string()).unwrap_or_default();
    panic!(
        "seed {seed} breaks {problem}\n{}\n{} of {} actions suffice:\n{}which breaks {last}\n\
         replay: PARLEY_SIM_SEED={seed} cargo test --release -p parley-media-core --test simulation",
        plan.conditions(),
        short.actions.len(),
        plan.actions.len(),
        actions.concat(),
    );
}

#[test]
fn random_use_breaks_no_promise() {
    if let Some(seed) = variable("PARLEY_SIM_SEED") {
        if let Err(problem) = run(&Plan::new(seed), Fault::None) {
            fail(seed, &problem);
        }
        return;
    }
    let first = variable("PARLEY_SIM_FIRST").unwrap_or(0);
    let seeds = variable("PARLEY_SIM_SEEDS").unwrap_or(SEEDS);
    let (next, failed) = (AtomicU64::new(first), AtomicBool::new(false));
    let work = || {
        let mut seen = Vec::new();
        let mut problems = Vec::new();
        while !failed.load(Ordering::Relaxed) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= first + seeds {
                break;
            }
            match run(&Plan::new(seed), Fault::None) {
                Ok(of_seed) => seen.push(of_seed),
                Err(problem) => {
                    failed.store(true, Ordering::Relaxed);
                    problems.push((seed, problem));
                }
            }
        }
        (seen, problems)
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let results: Vec<_> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).collect()
    });
    let mut total = Seen::default();
    for (seen, problems) in results {
        if let Some((seed, problem)) = problems.first() {
            fail(*seed, problem);
        }
        seen.iter().for_each(|seen| total.add(seen));
    }
    println!("{seeds} seeds: {total:?}");
    assert!(seeds < ENOUGH || total.everything_happened(), "too little happened: {total:?}");
}
