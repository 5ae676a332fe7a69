//! Deadlines of everything on a worker: a heap with lazy deletion.
//!
//! The owner of a deadline keeps the instant for which it is in the heap
//! ([`Armed`]); entries that no longer match are skipped when they come up. So
//! postponing costs nothing, and only what is due is looked at.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    time::{Duration, Instant},
};

/// Rests between two timeouts of one owner, so that a state machine that is
/// always due cannot starve the others. The poll works in milliseconds anyway.
pub(crate) const MIN_REST: Duration = Duration::from_millis(1);

/// The instant for which an owner is in the heap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Armed(Option<Instant>);

impl Armed {
    /// Whether an entry that came up is the owner's; if so the owner is no longer armed.
    pub(crate) fn take_if(&mut self, at: Instant) -> bool {
        if self.0 == Some(at) {
            self.0 = None;
            return true;
        }
        false
    }
}

#[derive(Debug)]
pub(crate) struct Timers<K> {
    heap: BinaryHeap<Reverse<(Instant, K)>>,
}

impl<K: Ord + Copy> Timers<K> {
    pub(crate) fn new() -> Self {
        Self { heap: BinaryHeap::new() }
    }

    /// Makes sure that `key` comes up at `at` or before. An owner that comes up
    /// early arms itself again.
    pub(crate) fn arm(&mut self, armed: &mut Armed, at: Instant, key: K) {
        if armed.0.is_none_or(|earlier| at < earlier) {
            self.heap.push(Reverse((at, key)));
            armed.0 = Some(at);
        }
    }

    /// The next entry that is due. The caller checks it with [`Armed::take_if`].
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<(Instant, K)> {
        let Reverse((at, _)) = self.heap.peek()?;
        if *at > now {
            return None;
        }
        self.heap.pop().map(|Reverse(entry)| entry)
    }

    /// How long the worker may sleep.
    pub(crate) fn sleep(&self, now: Instant) -> Option<Duration> {
        self.heap.peek().map(|Reverse((at, _))| at.saturating_duration_since(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Whatever is armed, each owner comes up at its earliest wish and never twice.
        #[test]
        fn owners_come_up_at_their_earliest_wish(wishes in proptest::collection::vec((0usize..8, 0u64..1000), 1..200)) {
            let start = Instant::now();
            let mut timers = Timers::new();
            let mut armed = [Armed::default(); 8];
            let mut earliest = [None::<u64>; 8];
            for (key, ms) in wishes {
                timers.arm(&mut armed[key], start + Duration::from_millis(ms), key);
                earliest[key] = Some(earliest[key].map_or(ms, |e| e.min(ms)));
            }
            let mut seen = [None::<u64>; 8];
            for ms in 0..1000 {
                let now = start + Duration::from_millis(ms);
                while let Some((at, key)) = timers.pop_due(now) {
                    if armed[key].take_if(at) {
                        prop_assert_eq!(seen[key], None);
                        seen[key] = Some(ms);
                    }
                }
            }
            prop_assert_eq!(seen, earliest);
            prop_assert_eq!(timers.sleep(start), None);
        }
    }
}
