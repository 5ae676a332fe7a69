//! Keyframe requests, few for each layer however many ask.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use crate::{Spatial, TrackKey};

/// Time between two requests for one layer as long as no keyframe comes.
const INTERVAL: Duration = Duration::from_millis(500);
/// The same after one has come that did not reach somebody whole: they need not wait that long.
const AFTER_KEYFRAME: Duration = Duration::from_millis(200);
/// After this many requests in vain ...
const PATIENCE: u32 = 6;
/// ... they go out at this distance.
const SLOW_INTERVAL: Duration = Duration::from_secs(2);

type Layer = (TrackKey, Spatial);

#[derive(Clone, Copy, Debug)]
struct Entry {
    asked_at: Instant,
    /// Requests since the last keyframe; 0 = one came.
    asked: u32,
    /// Asked for again since the last request went out.
    again: bool,
}

impl Entry {
    fn due(&self) -> Instant {
        self.asked_at
            + match self.asked {
                0 => AFTER_KEYFRAME,
                asked if asked < PATIENCE => INTERVAL,
                _ => SLOW_INTERVAL,
            }
    }
}

/// One entry a layer that was asked for a keyframe; bounded by the tracks of the room.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    entries: BTreeMap<Layer, Entry>,
    next: Option<Instant>,
}

impl Throttle {
    /// Somebody needs a keyframe. True: ask for it now.
    pub(crate) fn request(&mut self, layer: Layer, now: Instant) -> bool {
        if let Some(entry) = self.entries.get_mut(&layer) {
            if now < entry.due() {
                entry.again = true;
                let due = entry.due();
                self.next = Some(self.next.map_or(due, |next| next.min(due)));
                return false;
            }
            *entry = Entry { asked_at: now, asked: entry.asked + 1, again: false };
        } else {
            self.entries.insert(layer, Entry { asked_at: now, asked: 1, again: false });
        }
        let due = now + INTERVAL;
        self.next = Some(self.next.map_or(due, |next| next.min(due)));
        true
    }

    /// A keyframe of the layer arrived.
    pub(crate) fn satisfied(&mut self, layer: Layer) {
        if let Some(entry) = self.entries.get_mut(&layer) {
            entry.asked = 0;
            entry.again = false;
        }
    }

    /// The track was muted: nobody needs its keyframes, but the distance is kept.
    pub(crate) fn calm(&mut self, track: TrackKey) {
        for (_, entry) in self.entries.iter_mut().filter(|((key, _), _)| *key == track) {
            entry.again = false;
        }
    }

    pub(crate) fn forget(&mut self, track: TrackKey) {
        self.entries.retain(|(key, _), _| *key != track);
    }

    pub(crate) fn next(&self) -> Option<Instant> {
        self.next
    }

    /// Calls `ask` for what must be asked for again: somebody asked meanwhile, or
    /// a slot still waits (`waits`).
    pub(crate) fn retry(
        &mut self,
        now: Instant,
        mut waits: impl FnMut(Layer) -> bool,
        mut ask: impl FnMut(Layer),
    ) {
        self.next = None;
        self.entries.retain(|layer, entry| {
            if now >= entry.due() {
                if !entry.again && !waits(*layer) {
                    return false;
                }
                ask(*layer);
                *entry = Entry { asked_at: now, asked: entry.asked.saturating_add(1), again: false };
            }
            let due = entry.due();
            self.next = Some(self.next.map_or(due, |next: Instant| next.min(due)));
            true
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    const LAYER: Layer = (TrackKey(1), Spatial(0));

    fn retried(throttle: &mut Throttle, now: Instant, waits: bool) -> usize {
        let mut count = 0;
        throttle.retry(now, |_| waits, |_| count += 1);
        count
    }

    #[test]
    fn merges_requests_within_the_interval() {
        let start = testing::start();
        let mut throttle = Throttle::default();
        assert!(throttle.request(LAYER, start));
        assert!(!throttle.request(LAYER, start + INTERVAL / 2));
        assert!(throttle.request((TrackKey(1), Spatial(1)), start), "another layer");
        assert_eq!(throttle.next(), Some(start + INTERVAL));
        assert_eq!(retried(&mut throttle, start + INTERVAL, false), 1, "the merged one");
        assert_eq!(retried(&mut throttle, start + 2 * INTERVAL, false), 0);
        assert_eq!(throttle.next(), None, "nothing is kept");
    }

    #[test]
    fn a_keyframe_settles_what_was_asked() {
        let start = testing::start();
        let mut throttle = Throttle::default();
        throttle.request(LAYER, start);
        throttle.request(LAYER, start);
        throttle.satisfied(LAYER);
        assert_eq!(retried(&mut throttle, start + INTERVAL, false), 0);
    }

    #[test]
    fn a_keyframe_that_did_not_reach_somebody_is_asked_for_again_sooner() {
        let start = testing::start();
        let mut throttle = Throttle::default();
        throttle.request(LAYER, start);
        throttle.satisfied(LAYER);
        assert!(!throttle.request(LAYER, start + AFTER_KEYFRAME / 2));
        assert_eq!(throttle.next(), Some(start + AFTER_KEYFRAME));
        assert_eq!(retried(&mut throttle, start + AFTER_KEYFRAME, false), 1);
        throttle.satisfied(LAYER);
        assert!(throttle.request(LAYER, start + 2 * AFTER_KEYFRAME));
    }

    #[test]
    fn retries_while_somebody_waits_then_slower() {
        let start = testing::start();
        let mut throttle = Throttle::default();
        throttle.request(LAYER, start);
        let mut asked = 0;
        for tick in 1..=100 {
            asked += retried(&mut throttle, start + tick * INTERVAL / 5, true);
        }
        // Ten seconds: five more at the short distance, then every two seconds.
        assert_eq!(asked, 8);
    }

    #[test]
    fn forgets_a_track() {
        let start = testing::start();
        let mut throttle = Throttle::default();
        throttle.request(LAYER, start);
        throttle.forget(LAYER.0);
        assert_eq!(retried(&mut throttle, start + INTERVAL, true), 0);
    }
}
