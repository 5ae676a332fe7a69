//! How well a picture is seen, sample by sample: its layer against the one of use, and standstill.

use std::time::{Duration, Instant};

use crate::Spatial;

/// Best score of a picture; the scale is that of the mean opinion score (ITU-T P.800).
const BEST: f32 = 4.5;
/// What each layer below the one of use costs.
const LAYER_COST: f32 = 0.6;
/// Nothing is seen, or it stands still.
const WORST: f32 = 1.0;
/// A picture without a new packet for longer than this stands still.
const STANDSTILL: Duration = Duration::from_millis(500);
/// A picture may take this long to come up.
const GRACE: Duration = Duration::from_secs(2);

/// What is remembered of one outgoing picture between two samples.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Viewing {
    /// Packets sent, as a count that wraps.
    pub sent: u32,
    seen: u32,
    moved_at: Option<Instant>,
}

impl Viewing {
    /// Begins anew: nothing is expected of the picture yet.
    pub(crate) fn reset(&mut self) {
        self.moved_at = None;
        self.seen = self.sent;
    }

    /// The score at this moment. `ideal`: the layer of use; `shown`: the one that is sent.
    /// `None` while the picture comes up.
    pub(crate) fn sample(&mut self, ideal: Spatial, shown: Option<Spatial>, now: Instant) -> Option<f32> {
        let moves = std::mem::replace(&mut self.seen, self.sent) != self.sent;
        let began = self.moved_at.is_none();
        // Until it has moved once, the grace of its beginning counts as movement to come.
        let moved_at = *self.moved_at.get_or_insert(now + GRACE);
        if moves {
            self.moved_at = Some(now);
        } else if began || now < moved_at {
            return None;
        }
        let still = !moves && now.saturating_duration_since(moved_at) >= STANDSTILL;
        Some(match shown {
            Some(shown) if !still => layer_score(ideal, Some(shown)),
            _ => WORST,
        })
    }
}

/// The score of a layer that is there, where `ideal` is of use.
pub(crate) fn layer_score(ideal: Spatial, shown: Option<Spatial>) -> f32 {
    let Some(shown) = shown else { return WORST };
    let below = ideal.0.saturating_sub(shown.0);
    (BEST - LAYER_COST * f32::from(below)).max(WORST)
}

/// The mean of the samples since the last report.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mean {
    sum: f32,
    count: u32,
}

impl Mean {
    pub(crate) fn add(&mut self, sample: f32) {
        self.sum += sample;
        self.count += 1;
    }

    /// The mean, and begins anew; `None` without samples.
    pub(crate) fn take(&mut self) -> Option<f32> {
        let Self { sum, count } = std::mem::take(self);
        // A report covers a few thousand samples at most, which is exact.
        (count > 0).then(|| sum / count as f32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    const STEP: Duration = Duration::from_millis(250);
    const TOP: Spatial = Spatial(2);

    #[test]
    fn lower_layers_cost_and_standstill_costs_most() {
        let mut now = testing::start();
        let mut viewing = Viewing::default();
        let mut next = |viewing: &mut Viewing, packets: u32, shown: Option<Spatial>| {
            now += STEP;
            viewing.sent += packets;
            viewing.sample(TOP, shown, now)
        };
        assert_eq!(next(&mut viewing, 0, None), None, "it comes up");
        assert_eq!(next(&mut viewing, 9, Some(TOP)), Some(BEST));
        assert_eq!(next(&mut viewing, 9, Some(Spatial(0))), Some(BEST - 2.0 * LAYER_COST));
        assert_eq!(next(&mut viewing, 0, Some(TOP)), Some(BEST), "a quarter of a second is no standstill");
        assert_eq!(next(&mut viewing, 0, Some(TOP)), Some(WORST));
        assert_eq!(next(&mut viewing, 3, Some(TOP)), Some(BEST));
        assert_eq!(next(&mut viewing, 0, None), Some(WORST), "paused");
        viewing.reset();
        assert_eq!(next(&mut viewing, 0, None), None, "another picture comes up");
    }

    #[test]
    fn a_picture_that_never_comes_counts_after_a_grace() {
        let start = testing::start();
        let mut viewing = Viewing::default();
        assert_eq!(viewing.sample(TOP, None, start), None);
        assert_eq!(viewing.sample(TOP, None, start + GRACE - STEP), None);
        assert_eq!(viewing.sample(TOP, None, start + GRACE + STEP), Some(WORST));
    }

    #[test]
    fn means_begin_anew() {
        let mut mean = Mean::default();
        assert_eq!(mean.take(), None);
        mean.add(1.0);
        mean.add(4.0);
        assert_eq!(mean.take(), Some(2.5));
        assert_eq!(mean.take(), None);
    }
}
