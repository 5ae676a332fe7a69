//! Which layers anybody watches, told to the publisher.

use std::time::{Duration, Instant};

use crate::Spatial;

/// A layer nobody watches is kept this long: a tile may come back at once.
const LOWER_DELAY: Duration = Duration::from_secs(2);

/// Damps what is told of the highest layer watched.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Dynacast {
    /// What the publisher was told last; the outer `None` = nothing yet.
    told: Option<Option<Spatial>>,
    lower_at: Option<Instant>,
}

impl Dynacast {
    /// `wanted`: the highest layer that anybody wants now; `top`: the highest there
    /// is, which the publisher sends as long as it is told nothing. Returns what
    /// the publisher is to be told: more at once, less after a delay.
    pub(crate) fn update(
        &mut self,
        wanted: Option<Spatial>,
        top: Spatial,
        now: Instant,
    ) -> Option<Option<Spatial>> {
        let sent = self.told.unwrap_or(Some(top));
        if wanted >= sent {
            self.lower_at = None;
            return self.tell(wanted);
        }
        let due = *self.lower_at.get_or_insert(now + LOWER_DELAY);
        if now < due {
            return None;
        }
        self.lower_at = None;
        self.tell(wanted)
    }

    /// Somebody new wants `wanted`, and nothing is known of the others: only more is told.
    pub(crate) fn raise(&mut self, wanted: Spatial, top: Spatial) -> Option<Option<Spatial>> {
        if Some(wanted) < self.told.unwrap_or(Some(top)) {
            return None;
        }
        self.lower_at = None;
        self.tell(Some(wanted))
    }

    /// What the publisher was last told to send; `None` also before it was told anything.
    pub(crate) fn wanted(&self) -> Option<Spatial> {
        self.told.flatten()
    }

    fn tell(&mut self, wanted: Option<Spatial>) -> Option<Option<Spatial>> {
        if self.told == Some(wanted) {
            return None;
        }
        self.told = Some(wanted);
        self.told
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn more_at_once_less_after_a_delay() {
        let start = testing::start();
        let top = Spatial(2);
        let mut dynacast = Dynacast::default();
        assert_eq!(dynacast.update(None, top, start), None, "nobody yet");
        assert_eq!(dynacast.update(Some(top), top, start), Some(Some(top)));
        assert_eq!(dynacast.update(Some(top), top, start), None, "told already");
        let low = Some(Spatial(0));
        assert_eq!(dynacast.update(low, top, start), None);
        assert_eq!(dynacast.update(low, top, start + LOWER_DELAY), Some(low));
        assert_eq!(dynacast.update(Some(Spatial(1)), top, start + LOWER_DELAY), Some(Some(Spatial(1))));
    }

    #[test]
    fn a_short_absence_is_not_told() {
        let start = testing::start();
        let top = Spatial(1);
        let mut dynacast = Dynacast::default();
        dynacast.update(Some(top), top, start);
        assert_eq!(dynacast.update(None, top, start), None);
        assert_eq!(dynacast.update(Some(top), top, start + LOWER_DELAY / 2), None);
        assert_eq!(dynacast.update(None, top, start + LOWER_DELAY), None, "the delay starts anew");
        assert_eq!(dynacast.update(None, top, start + 2 * LOWER_DELAY), Some(None));
    }
}
