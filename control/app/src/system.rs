//! The real clock and random source.

use jiff::Timestamp;
use rand::TryRngCore as _;
use rand::rngs::OsRng;

use crate::ports::{Clock, Random};

/// The system's wall clock, in whole milliseconds: what every store can keep.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let now = Timestamp::now();
        Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
    }
}

/// The operating system's random source.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, bytes: &mut [u8]) {
        OsRng.try_fill_bytes(bytes).expect("the operating system's random source works after boot");
    }
}
