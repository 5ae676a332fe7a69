//! Divides a participant's bandwidth over its video slots.
//!
//! Rank, constrain, allocate: see docs/allocation.md.

use std::cmp::Reverse;

use crate::{
    Source,
    ladder::{Ladder, Step},
};

/// A step up must leave this much of its own rate free, in percent.
const HEADROOM_PERCENT: u64 = 15;

/// How far above its present step a slot may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rise {
    /// Nothing was decided for it yet: whatever fits.
    Free,
    /// If it fits with room to spare.
    Headroom,
    /// Not now: it had to step down a moment ago.
    Held,
}

/// Sorts slots; greater goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rank {
    screen: bool,
    priority: u32,
}

impl Rank {
    pub(crate) fn new(source: Source, priority: u32) -> Self {
        Self { screen: source == Source::ScreenShare, priority }
    }
}

/// One slot that wants video.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate {
    /// The caller's name for the slot.
    pub id: usize,
    pub rank: Rank,
    pub ladder: Ladder,
    /// What it has now; `None` = nothing.
    pub held: Option<Step>,
    pub rise: Rise,
    /// The answer: index into the ladder, `None` = pause.
    pub chosen: Option<usize>,
}

impl Candidate {
    pub(crate) fn choice(&self) -> Option<Step> {
        self.chosen.and_then(|index| self.ladder.steps().get(index)).copied()
    }

    /// What must be free for `step`, or `None` if it may not be taken at all.
    fn price(&self, step: &Step) -> Option<u64> {
        let rises = self.held.is_none_or(|held| step.above(&held));
        match self.rise {
            // A poor picture that may have to go again is better than none.
            Rise::Headroom if rises && self.chosen.is_some() => {
                Some(step.bps + step.bps * HEADROOM_PERCENT / 100)
            }
            Rise::Held if rises => None,
            _ => Some(step.bps),
        }
    }
}

/// Chooses a step for each candidate; sorts them by rank.
pub(crate) fn allocate(budget_bps: u64, candidates: &mut [Candidate]) {
    candidates.sort_by_key(|candidate| (Reverse(candidate.rank), candidate.id));
    let mut left = budget_bps;
    for candidate in candidates.iter_mut() {
        candidate.chosen = None;
        climb(candidate, &mut left);
    }
    // Equals rise in turns, so that none has the best while another has the least.
    for equals in candidates.chunk_by_mut(|a, b| a.rank == b.rank) {
        let mut rose = true;
        while rose {
            rose = false;
            for candidate in equals.iter_mut().filter(|candidate| candidate.chosen.is_some()) {
                rose |= climb(candidate, &mut left);
            }
        }
    }
}

/// One step up if there is room; true if it was taken.
fn climb(candidate: &mut Candidate, left: &mut u64) -> bool {
    let next = candidate.chosen.map_or(0, |index| index + 1);
    let paid = candidate.choice().map_or(0, |step| step.bps);
    let Some(step) = candidate.ladder.steps().get(next) else { return false };
    let free = *left + paid;
    if candidate.price(step).is_none_or(|price| price > free) {
        return false;
    }
    *left = free - step.bps;
    candidate.chosen = Some(next);
    true
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{LayerSpec, SlotSettings, Spatial, ladder::LayerView, meter::Meter};

    fn ladder(rates: &[u64]) -> Ladder {
        let meter = Meter::default();
        let specs: Vec<_> = rates
            .iter()
            .enumerate()
            .map(|(spatial, bps)| LayerSpec {
                spatial: Spatial(spatial as u8),
                width: 0,
                height: 0,
                bitrate_bps: *bps,
            })
            .collect();
        let views = specs.iter().map(|spec| LayerView { spec, meter: &meter, eligible: true });
        Ladder::build(views, &SlotSettings::default())
    }

    fn candidate(id: usize, source: Source, priority: u32) -> Candidate {
        Candidate {
            id,
            rank: Rank::new(source, priority),
            ladder: ladder(&[100, 300, 1000]),
            held: None,
            rise: Rise::Free,
            chosen: None,
        }
    }

    fn chosen(budget: u64, mut candidates: Vec<Candidate>) -> Vec<Option<u64>> {
        allocate(budget, &mut candidates);
        candidates.sort_by_key(|candidate| candidate.id);
        candidates.iter().map(|candidate| candidate.choice().map(|step| step.bps)).collect()
    }

    #[test]
    fn everyone_gets_the_lowest_before_anyone_gets_more() {
        let two = || vec![candidate(0, Source::Camera, 0), candidate(1, Source::Camera, 0)];
        assert_eq!(chosen(250, two()), [Some(100), Some(100)]);
        assert_eq!(chosen(400, two()), [Some(300), Some(100)]);
        assert_eq!(chosen(700, two()), [Some(300), Some(300)], "equals rise in turns");
        assert_eq!(chosen(2000, two()), [Some(1000), Some(1000)]);
        assert_eq!(chosen(150, two()), [Some(100), None]);
        assert_eq!(chosen(99, two()), [None, None]);
    }

    #[test]
    fn screen_share_and_priority_rise_first() {
        let mixed = vec![
            candidate(0, Source::Camera, 9),
            candidate(1, Source::ScreenShare, 0),
            candidate(2, Source::Camera, 0),
        ];
        assert_eq!(chosen(1400, mixed.clone()), [Some(300), Some(1000), Some(100)]);
        assert_eq!(chosen(150, mixed), [None, Some(100), None]);
    }

    #[test]
    fn rising_wants_headroom_and_time() {
        let step = |index: usize| ladder(&[100, 300, 1000]).steps()[index];
        let mut slot = candidate(0, Source::Camera, 0);
        slot.held = Some(step(1));
        slot.rise = Rise::Headroom;
        assert_eq!(chosen(1100, vec![slot]), [Some(300)]);
        assert_eq!(chosen(1150, vec![slot]), [Some(1000)]);
        assert_eq!(chosen(300, vec![slot]), [Some(300)], "staying needs none");
        slot.rise = Rise::Held;
        assert_eq!(chosen(9000, vec![slot]), [Some(300)]);
        assert_eq!(chosen(299, vec![slot]), [Some(100)], "down at once");
        slot.held = None;
        assert_eq!(chosen(9000, vec![slot]), [None], "paused a moment ago");
        slot.rise = Rise::Headroom;
        assert_eq!(chosen(99, vec![slot]), [None]);
        assert_eq!(chosen(100, vec![slot]), [Some(100)], "to begin needs none");
        assert_eq!(chosen(344, vec![slot]), [Some(100)]);
        assert_eq!(chosen(345, vec![slot]), [Some(300)]);
    }

    proptest! {
        #[test]
        fn never_spends_more_than_there_is(
            budget in 0u64..20_000,
            slots in proptest::collection::vec((1u64..900, 0u64..3000, 0u64..3000, 0u32..3, any::<bool>()), 0..12),
        ) {
            let candidates: Vec<_> = slots
                .iter()
                .enumerate()
                .map(|(id, (low, mid, high, priority, screen))| {
                    let source = if *screen { Source::ScreenShare } else { Source::Camera };
                    let mut slot = candidate(id, source, *priority);
                    slot.ladder = ladder(&[*low, low + mid, low + mid + high]);
                    slot
                })
                .collect();
            let lowest = candidates.iter().map(|slot| slot.ladder.steps()[0].bps).min();
            let chosen = chosen(budget, candidates);
            prop_assert!(chosen.iter().flatten().sum::<u64>() <= budget);
            if lowest.is_some_and(|lowest| lowest <= budget) {
                prop_assert!(chosen.iter().any(Option::is_some), "something fits, so something is sent");
            }
        }
    }
}
