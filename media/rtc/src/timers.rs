//! Deadlines of everything on a worker: a heap with lazy deletion.
//!
//! The owner of a deadline keeps the instants for which it is in the heap
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

/// The instants for which an owner is in the heap: the next, and one later. The later one
/// is kept in mind because deadlines go to and fro between a far one that stays (a keepalive)
/// and near ones that come and go; without it each turn would leave a far entry behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Armed {
    next: Option<Instant>,
    later: Option<Instant>,
}

impl Armed {
    /// Whether an entry that came up is the owner's next.
    pub(crate) fn take_if(&mut self, at: Instant) -> bool {
        let own = self.next == Some(at);
        if own {
            self.next = self.later.take();
        }
        own
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
        if armed.next.is_none_or(|next| at < next) {
            self.heap.push(Reverse((at, key)));
            armed.later = armed.next.replace(at).or(armed.later);
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

    /// Entries, void ones included.
    pub(crate) fn len(&self) -> usize {
        self.heap.len()
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
        /// Whatever is armed, each owner comes up at its earliest wish, and at no time
        /// that it did not wish for.
        #[test]
        fn owners_come_up_at_their_earliest_wish(wishes in proptest::collection::vec((0usize..8, 0u64..1000), 1..200)) {
            let start = Instant::now();
            let mut timers = Timers::new();
            let mut armed = [Armed::default(); 8];
            let mut wished = vec![Vec::new(); 8];
            for (key, ms) in wishes {
                timers.arm(&mut armed[key], start + Duration::from_millis(ms), key);
                wished[key].push(ms);
            }
            let mut seen = vec![Vec::new(); 8];
            for ms in 0..1000 {
                let now = start + Duration::from_millis(ms);
                while let Some((at, key)) = timers.pop_due(now) {
                    if armed[key].take_if(at) {
                        prop_assert!(wished[key].contains(&ms));
                        seen[key].push(ms);
                    }
                }
            }
            for (wished, seen) in wished.iter().zip(&seen) {
                prop_assert_eq!(wished.iter().min(), seen.first());
                prop_assert!(seen.len() <= 2);
            }
            prop_assert_eq!(timers.sleep(start), None);
        }
    }

    #[test]
    fn near_deadlines_leave_no_far_ones_behind() {
        let start = Instant::now();
        let (mut timers, mut armed) = (Timers::new(), Armed::default());
        for ms in 0..1000 {
            let now = start + Duration::from_millis(ms);
            while let Some((at, ())) = timers.pop_due(now) {
                armed.take_if(at);
            }
            timers.arm(&mut armed, now + Duration::from_secs(3), ());
            timers.arm(&mut armed, now + Duration::from_millis(1), ());
        }
        assert!(timers.heap.len() <= 2);
    }
}
