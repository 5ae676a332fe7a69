//! The cap on what is let in of one track: a publisher is told how much to send (`b=` of the answer);
//! what goes beyond that for a while is cut off, the highest layers first.
//!
//! Counted is what arrives, also of layers that are shut out: dropping them here does not make the
//! publisher send less, so that the choice does not swing.

use std::time::{Duration, Instant};

use crate::track::MAX_LAYERS;

/// Above the cap by this much is within what can be measured, in percent.
const TOLERANCE_PERCENT: u64 = 10;
/// Above for this long: cut off. An encoder needs a while to come down.
const GRACE: Duration = Duration::from_secs(3);
/// Below for this long: let in again.
const CALM: Duration = Duration::from_secs(5);
/// Shortest span from which a rate is taken, and the weight of a new one.
const SPAN: Duration = Duration::from_millis(400);
const WEIGHT: f64 = 0.25;

#[derive(Clone, Copy, Debug, Default)]
struct Arrival {
    bytes: u64,
    /// Bits per second, smoothed.
    bps: f64,
}

/// See the module's documentation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cap {
    layers: [Arrival; MAX_LAYERS],
    /// This many layers from the lowest on are let in.
    open: usize,
    since: Option<Instant>,
    /// Since when another number would be right.
    wrong_since: Option<Instant>,
}

impl Default for Cap {
    fn default() -> Self {
        Self { layers: Default::default(), open: MAX_LAYERS, since: None, wrong_since: None }
    }
}

impl Cap {
    /// Counts a packet of a layer (from 0, ascending); is it let in?
    pub(crate) fn admit(&mut self, layer: usize, payload_bytes: usize, now: Instant) -> bool {
        self.since.get_or_insert(now);
        let Some(arrival) = self.layers.get_mut(layer) else { return false };
        arrival.bytes += payload_bytes as u64;
        layer < self.open
    }

    /// Is the layer let in?
    pub(crate) fn opens(&self, layer: usize) -> bool {
        layer < self.open
    }

    /// Is anything shut out?
    pub(crate) fn cuts(&self) -> bool {
        self.open < MAX_LAYERS
    }

    /// Closes the span if it is long enough, and judges; true if other layers are let in from now on.
    pub(crate) fn roll(&mut self, cap_bps: u64, now: Instant) -> bool {
        let Some(since) = self.since else { return false };
        let span = now.saturating_duration_since(since);
        if span < SPAN {
            return false;
        }
        self.since = Some(now);
        for arrival in &mut self.layers {
            let bps = std::mem::take(&mut arrival.bytes) as f64 * 8.0 / span.as_secs_f64();
            arrival.bps += WEIGHT * (bps - arrival.bps);
        }
        // What was cut off must fit without the tolerance.
        let most = cap_bps + cap_bps * TOLERANCE_PERCENT / 100;
        let kept = self.fitting(most).min(self.open);
        let right = if kept < self.open { kept } else { self.fitting(cap_bps).max(kept) };
        if right == self.open {
            self.wrong_since = None;
            return false;
        }
        let patience = if right < self.open { GRACE } else { CALM };
        let wrong_since = *self.wrong_since.get_or_insert(now);
        if now.saturating_duration_since(wrong_since) < patience {
            return false;
        }
        self.open = right;
        self.wrong_since = None;
        true
    }

    /// How many layers from the lowest on fit; all if all that is sent does.
    fn fitting(&self, most_bps: u64) -> usize {
        let mut sum = 0.0;
        let fits = |arrival: &&Arrival| {
            sum += arrival.bps;
            sum <= most_bps as f64
        };
        self.layers.iter().take_while(fits).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    const CAP: u64 = 1_000_000;

    struct Sender {
        cap: Cap,
        now: Instant,
    }

    impl Sender {
        fn new() -> Self {
            Self { cap: Cap::default(), now: testing::start() }
        }

        /// Sends these layers (kbit/s) for some half seconds; returns which are let in at the end.
        fn send(&mut self, halves: u32, kbps: &[usize]) -> Vec<bool> {
            for _ in 0..halves {
                for _ in 0..10 {
                    self.now += Duration::from_millis(50);
                    for (layer, kbps) in kbps.iter().enumerate() {
                        self.cap.admit(layer, kbps * 1_000 / 8 / 20, self.now);
                    }
                }
                self.cap.roll(CAP, self.now);
            }
            (0..kbps.len()).map(|layer| self.cap.opens(layer)).collect()
        }
    }

    #[test]
    fn what_keeps_to_it_is_let_in() {
        let mut sender = Sender::new();
        assert_eq!(sender.send(60, &[150, 800]), [true, true]);
        assert_eq!(sender.send(60, &[150, 930]), [true, true], "within what can be measured");
        assert!(!sender.cap.cuts());
        assert_eq!(sender.send(3, &[150, 3_000]), [true, true], "a burst");
        assert_eq!(sender.send(60, &[150, 800]), [true, true]);
    }

    #[test]
    fn the_highest_layers_are_cut_off_first_and_come_back() {
        let mut sender = Sender::new();
        assert_eq!(sender.send(6, &[150, 500, 1_700]), [true; 3], "it has time to come down");
        assert_eq!(sender.send(6, &[150, 500, 1_700]), [true, true, false]);
        assert_eq!(sender.send(60, &[150, 500, 1_700]), [true, true, false], "as long as it sends more");
        assert_eq!(sender.send(20, &[150, 1_500, 1_700]), [true, false, false]);
        assert_eq!(sender.send(20, &[1_500, 1_500, 1_700]), [false; 3]);
        assert!(sender.cap.cuts());
        assert_eq!(sender.send(8, &[150, 500, 200]), [false; 3], "not at once");
        assert_eq!(sender.send(40, &[150, 500, 200]), [true; 3]);
        assert!(!sender.cap.cuts());
    }

    #[test]
    fn at_the_edge_nothing_swings() {
        let mut sender = Sender::new();
        sender.send(20, &[150, 500, 1_700]);
        let mut changes = 0;
        for half in 0..200 {
            let before = sender.cap.open;
            // Between the cap and what is tolerated.
            sender.send(1, &[150, 500, 370 + half % 60]);
            changes += usize::from(sender.cap.open != before);
        }
        assert!(changes <= 1, "{changes}");
    }

    #[test]
    fn layers_without_end_are_not_counted() {
        let mut cap = Cap::default();
        assert!(!cap.admit(MAX_LAYERS, 100, testing::start()));
        assert!(!cap.roll(0, testing::start()));
    }
}
