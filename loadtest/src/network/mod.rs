//! Poor networks, modelled in user space.
//!
//! A [`Link`] is one direction of a path: a bottleneck of a given rate with a finite queue, then propagation delay,
//! jitter, loss and reordering. It reads no clock and no random source: time is an argument, chance is seeded, so
//! the same packets at the same times meet the same fate. What a link does at a time is its [`Conditions`]; a
//! [`Schedule`] changes them over time.

mod conditions;
pub mod decoder;
mod delays;
mod link;
#[cfg(test)]
mod link_tests;
pub mod picture;
mod proxy;
mod random;
mod run;
pub mod scenarios;
pub mod sound;
pub mod verdict;

pub use conditions::{Conditions, Jitter, Loss, Queue, Reorder, Schedule};
pub use link::{Counts, Fate, Link};
pub use proxy::{Passed, Proxy};
pub use random::Random;
pub use run::{NetworksReport, Options, RunError, networks};
pub use scenarios::Scenario;
