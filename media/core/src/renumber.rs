//! Renumbering of incoming numbers so that the outgoing ones have no jump.
//!
//! Used for RTP sequence numbers and for VP8 picture ids. A *segment* is a run
//! of packets of one incoming stream; the next segment goes on where the last
//! one ended. A number lost on the way stays a gap (so that it can be asked for
//! again); a number dropped on purpose is a *hole* and closes the gap.

use std::collections::VecDeque;

/// Holes remembered in a segment. At 30 frames a second with two of four frames
/// dropped this is over two seconds: older packets are too late to be of use.
const MAX_HOLES: usize = 64;

/// A run of numbers dropped on purpose.
#[derive(Clone, Copy, Debug)]
struct Hole {
    first: u64,
    last: u64,
    /// How many numbers of the segment were dropped before `first`.
    before: u64,
}

impl Hole {
    fn dropped(&self) -> u64 {
        self.before + (self.last - self.first + 1)
    }
}

#[derive(Clone, Copy, Debug)]
struct Segment {
    /// First incoming number; what is older belongs to another segment.
    start: u64,
    /// Outgoing number of `start`.
    base: u64,
    /// Numbers below are older than the oldest remembered hole.
    floor: u64,
    /// Highest incoming number seen, forwarded or dropped.
    highest: u64,
}

/// Maps the numbers of one incoming stream after the other to one outgoing row.
#[derive(Clone, Debug)]
pub(crate) struct Renumber {
    next_out: u64,
    segment: Option<Segment>,
    holes: VecDeque<Hole>,
}

impl Renumber {
    /// The first number that goes out will be `first`.
    pub(crate) fn new(first: u64) -> Self {
        Self { next_out: first, segment: None, holes: VecDeque::new() }
    }

    /// Starts a segment at the incoming number `start`.
    pub(crate) fn begin(&mut self, start: u64) {
        self.holes.clear();
        self.segment = Some(Segment { start, base: self.next_out, floor: start, highest: start });
    }

    /// Ends the segment: nothing is mapped until the next [`Self::begin`].
    pub(crate) fn end(&mut self) {
        self.segment = None;
    }

    pub(crate) fn running(&self) -> bool {
        self.segment.is_some()
    }

    /// Highest incoming number of the segment.
    pub(crate) fn highest(&self) -> Option<u64> {
        self.segment.map(|segment| segment.highest)
    }

    /// Is the number of this segment and not too old?
    pub(crate) fn covers(&self, number: u64) -> bool {
        self.segment.is_some_and(|segment| number >= segment.floor)
    }

    /// Was this number dropped on purpose?
    pub(crate) fn dropped(&self, number: u64) -> bool {
        self.holes.iter().rev().take_while(|hole| number <= hole.last).any(|hole| number >= hole.first)
    }

    /// The outgoing number, or `None` when the packet must not go out: it is of
    /// before the segment, was dropped, or is older than what is remembered.
    pub(crate) fn map(&mut self, number: u64) -> Option<u64> {
        let segment = self.segment.as_mut()?;
        if number < segment.floor {
            return None;
        }
        let mut dropped = 0;
        for hole in self.holes.iter().rev() {
            if number > hole.last {
                dropped = hole.dropped();
                break;
            }
            if number >= hole.first {
                return None;
            }
            dropped = hole.before;
        }
        let out = segment.base + (number - segment.start) - dropped;
        segment.highest = segment.highest.max(number);
        self.next_out = self.next_out.max(out + 1);
        Some(out)
    }

    /// Drops a number on purpose. With `joined`, numbers missing between the
    /// last hole and this one belong to the same frame and are dropped as well.
    /// A late number is only forgotten: its place has been given out as a gap.
    pub(crate) fn skip(&mut self, number: u64, joined: bool) {
        let Some(segment) = self.segment.as_mut() else { return };
        if number <= segment.highest {
            return;
        }
        let highest = segment.highest;
        segment.highest = number;
        if let Some(hole) = self.holes.back_mut()
            && hole.last == highest
            && (joined || number == highest + 1)
        {
            hole.last = number;
            return;
        }
        let before = self.holes.back().map_or(0, Hole::dropped);
        if self.holes.len() == MAX_HOLES
            && let Some(oldest) = self.holes.pop_front()
        {
            segment.floor = oldest.last + 1;
        }
        self.holes.push_back(Hole { first: number, last: number, before });
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn goes_on_over_segments() {
        let mut numbers = Renumber::new(1);
        assert_eq!(numbers.map(5), None);
        numbers.begin(1000);
        assert_eq!(numbers.map(1000), Some(1));
        assert_eq!(numbers.map(1001), Some(2));
        numbers.end();
        assert_eq!(numbers.map(1002), None);
        numbers.begin(7);
        assert_eq!(numbers.map(7), Some(3));
        assert_eq!(numbers.map(6), None, "from before the switch");
    }

    #[test]
    fn loss_stays_a_gap_and_late_packets_fill_it() {
        let mut numbers = Renumber::new(1);
        numbers.begin(10);
        assert_eq!(numbers.map(10), Some(1));
        assert_eq!(numbers.map(13), Some(4));
        assert_eq!(numbers.map(11), Some(2));
        assert_eq!(numbers.map(14), Some(5));
        assert_eq!(numbers.map(12), Some(3));
    }

    #[test]
    fn holes_close_and_never_open_again() {
        let mut numbers = Renumber::new(1);
        numbers.begin(10);
        assert_eq!(numbers.map(10), Some(1));
        numbers.skip(11, false);
        numbers.skip(12, false);
        assert_eq!(numbers.map(15), Some(4));
        assert_eq!(numbers.map(11), None);
        assert_eq!(numbers.map(13), Some(2));
        assert!(numbers.dropped(12) && !numbers.dropped(13));
    }

    #[test]
    fn loss_inside_a_dropped_frame_is_dropped_with_it() {
        let mut numbers = Renumber::new(1);
        numbers.begin(10);
        assert_eq!(numbers.map(10), Some(1));
        numbers.skip(11, false);
        numbers.skip(13, true);
        assert_eq!(numbers.map(14), Some(2));
        assert_eq!(numbers.map(12), None);
    }

    #[test]
    fn forgets_what_is_too_old() {
        let mut numbers = Renumber::new(1);
        numbers.begin(0);
        numbers.map(0);
        for index in 0..(MAX_HOLES as u64 + 1) {
            // Of four numbers the second is dropped, the third is lost.
            numbers.skip(index * 4 + 2, false);
            numbers.map(index * 4 + 4);
        }
        assert_eq!(numbers.map(1), None);
        assert!(numbers.map(7).is_some());
    }

    proptest! {
        /// Each of a shuffled, lossy, thinned row goes out under its rank among those kept.
        #[test]
        fn equals_the_rank_among_the_kept(
            plan in proptest::collection::vec((0u8..10, 0u8..4), 1..200),
        ) {
            let mut numbers = Renumber::new(1);
            numbers.begin(0);
            prop_assert_eq!(numbers.map(0), Some(1));
            let mut late = Vec::new();
            let mut holes = 0;
            for (index, (fate, _)) in plan.iter().enumerate() {
                let number = index as u64 + 1;
                let rank = number + 1 - holes;
                match fate {
                    0 => late.push((number, rank)),
                    1 | 2 => {
                        numbers.skip(number, false);
                        holes += 1;
                    }
                    _ => prop_assert_eq!(numbers.map(number), Some(rank)),
                }
            }
            for (number, rank) in late {
                let out = numbers.map(number);
                prop_assert!(out == Some(rank) || out.is_none() && holes as usize > MAX_HOLES);
            }
        }
    }
}
