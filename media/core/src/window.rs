//! Which packets of one incoming stream were seen already.

use std::time::{Duration, Instant};

/// Packets remembered below the highest.
const WINDOW: u64 = 1024;
/// A jump farther than this is a new stream under the old name (the publisher
/// started again), not loss: at 300 packets a second it is ten seconds.
const MAX_JUMP: u64 = 3000;
/// Restarts cost work for each receiver: no more than one in this time.
const RESTART_INTERVAL: Duration = Duration::from_secs(1);

/// Verdict on a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    Fresh,
    /// First packet of a stream that has nothing to do with what came before.
    Restart,
    /// Seen already, too old to tell, or one restart too many.
    Refused,
}

/// Bitmap of the last [`WINDOW`] sequence numbers.
///
/// A packet and its retransmission come on two streams and may both arrive.
#[derive(Clone, Debug, Default)]
pub(crate) struct Window {
    highest: Option<u64>,
    restarted_at: Option<Instant>,
    seen: [u64; (WINDOW / 64) as usize],
}

impl Window {
    pub(crate) fn admit(&mut self, sequence: u64, now: Instant) -> Admission {
        let Some(highest) = self.highest else {
            self.restart(sequence);
            return Admission::Fresh;
        };
        if sequence.abs_diff(highest) > MAX_JUMP {
            if self.restarted_at.is_some_and(|at| now.saturating_duration_since(at) < RESTART_INTERVAL) {
                return Admission::Refused;
            }
            self.restarted_at = Some(now);
            self.restart(sequence);
            return Admission::Restart;
        }
        if sequence > highest {
            if sequence - highest >= WINDOW {
                self.seen = Default::default();
            } else {
                for skipped in highest + 1..sequence {
                    self.mark(skipped, false);
                }
            }
            self.highest = Some(sequence);
        } else if highest - sequence >= WINDOW || self.marked(sequence) {
            return Admission::Refused;
        }
        self.mark(sequence, true);
        Admission::Fresh
    }

    pub(crate) fn highest(&self) -> Option<u64> {
        self.highest
    }

    fn restart(&mut self, sequence: u64) {
        self.seen = Default::default();
        self.highest = Some(sequence);
        self.mark(sequence, true);
    }

    fn place(sequence: u64) -> (usize, u64) {
        let bit = sequence % WINDOW;
        ((bit / 64) as usize, 1 << (bit % 64))
    }

    fn mark(&mut self, sequence: u64, seen: bool) {
        let (word, bit) = Self::place(sequence);
        if seen {
            self.seen[word] |= bit;
        } else {
            self.seen[word] &= !bit;
        }
    }

    fn marked(&self, sequence: u64) -> bool {
        let (word, bit) = Self::place(sequence);
        self.seen[word] & bit != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn refuses_duplicates_and_the_too_old() {
        let start = testing::start();
        let mut window = Window::default();
        assert_eq!(window.admit(5000, start), Admission::Fresh);
        assert_eq!(window.admit(5000, start), Admission::Refused);
        assert_eq!(window.admit(5003, start), Admission::Fresh);
        assert_eq!(window.admit(5001, start), Admission::Fresh);
        assert_eq!(window.admit(5001, start), Admission::Refused);
        assert_eq!(window.admit(4999, start), Admission::Fresh, "late, but not seen");
        assert_eq!(window.admit(5000 + WINDOW, start), Admission::Fresh);
        assert_eq!(window.admit(5000, start), Admission::Refused);
        assert_eq!(window.admit(5002, start), Admission::Fresh);
    }

    #[test]
    fn bits_of_an_earlier_round_do_not_count() {
        let start = testing::start();
        let mut window = Window::default();
        for sequence in 0..WINDOW {
            window.admit(sequence, start);
        }
        assert_eq!(window.admit(WINDOW + 4, start), Admission::Fresh);
        assert_eq!(window.admit(WINDOW + 2, start), Admission::Fresh, "same bit as number 2");
    }

    #[test]
    fn a_far_jump_is_a_new_stream() {
        let start = testing::start();
        let mut window = Window::default();
        window.admit(10_000, start);
        assert_eq!(window.admit(10_000 + MAX_JUMP, start), Admission::Fresh);
        assert_eq!(window.admit(2, start), Admission::Restart);
        assert_eq!(window.admit(3, start), Admission::Fresh);
        assert_eq!(window.admit(20_000, start), Admission::Refused, "not so soon");
        assert_eq!(window.admit(4, start), Admission::Fresh);
        assert_eq!(window.admit(20_000, start + RESTART_INTERVAL), Admission::Restart);
    }
}
