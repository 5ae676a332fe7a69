//! Which packets of one incoming stream were seen already.

/// Packets remembered below the highest.
const WINDOW: u64 = 1024;
/// A jump farther than this is a new stream under the old name (the publisher
/// started again), not loss: at 300 packets a second it is ten seconds.
const MAX_JUMP: u64 = 3000;

/// Verdict on a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    Fresh,
    /// First packet of a stream that has nothing to do with what came before.
    Restart,
    /// Seen already, or too old to tell.
    Refused,
}

/// Bitmap of the last [`WINDOW`] sequence numbers.
///
/// A packet and its retransmission come on two streams and may both arrive.
#[derive(Clone, Debug, Default)]
pub(crate) struct Window {
    highest: Option<u64>,
    seen: [u64; (WINDOW / 64) as usize],
}

impl Window {
    pub(crate) fn admit(&mut self, sequence: u64) -> Admission {
        let Some(highest) = self.highest else {
            self.restart(sequence);
            return Admission::Fresh;
        };
        if sequence.abs_diff(highest) > MAX_JUMP {
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

    #[test]
    fn refuses_duplicates_and_the_too_old() {
        let mut window = Window::default();
        assert_eq!(window.admit(5000), Admission::Fresh);
        assert_eq!(window.admit(5000), Admission::Refused);
        assert_eq!(window.admit(5003), Admission::Fresh);
        assert_eq!(window.admit(5001), Admission::Fresh);
        assert_eq!(window.admit(5001), Admission::Refused);
        assert_eq!(window.admit(4999), Admission::Fresh, "late, but not seen");
        assert_eq!(window.admit(5000 + WINDOW), Admission::Fresh);
        assert_eq!(window.admit(5000), Admission::Refused);
        assert_eq!(window.admit(5002), Admission::Fresh);
    }

    #[test]
    fn bits_of_an_earlier_round_do_not_count() {
        let mut window = Window::default();
        for sequence in 0..WINDOW {
            window.admit(sequence);
        }
        assert_eq!(window.admit(WINDOW + 4), Admission::Fresh);
        assert_eq!(window.admit(WINDOW + 2), Admission::Fresh, "same bit as number 2");
    }

    #[test]
    fn a_far_jump_is_a_new_stream() {
        let mut window = Window::default();
        window.admit(10_000);
        assert_eq!(window.admit(10_000 + MAX_JUMP), Admission::Fresh);
        assert_eq!(window.admit(2), Admission::Restart);
        assert_eq!(window.admit(3), Admission::Fresh);
    }
}
