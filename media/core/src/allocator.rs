//! Divides a participant's bandwidth over its video slots.
//!
//! Rank, constrain, allocate: see docs/allocation.md.

use std::cmp::Reverse;

use crate::{
    Source, Spatial,
    ladder::{Ladder, Step},
};

/// A step up must leave this much of its own rate free, in percent.
const HEADROOM_PERCENT: u64 = 15;
/// A picture is paused only if its lowest step lacks more than this of its rate, in percent: what
/// fits by a hair would come and go with each keyframe.
const PAUSE_PERCENT: u64 = 15;

/// How far above its present step a slot may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rise {
    /// Nothing was decided for it yet: whatever fits.
    Free,
    /// If it fits with room to spare.
    Headroom,
    /// Not now, but to end a pause: it had to step down a moment ago.
    Lowest,
    /// Not now.
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
    /// Its last pauses ended in vain: it ends the next one only with room to spare.
    pub wary: bool,
    /// The answer: index into the ladder, `None` = pause.
    pub chosen: Option<usize>,
}

impl Candidate {
    pub(crate) fn choice(&self) -> Option<Step> {
        self.chosen.and_then(|index| self.ladder.steps().get(index)).copied()
    }

    /// What must be free for `step`, or `None` if it may not be taken at all. `displaces`: others
    /// would lose what they have.
    fn price(&self, step: &Step, displaces: bool) -> Option<u64> {
        let rises = self.held.is_none_or(|held| step.above(&held));
        match self.rise {
            // A poor picture that may have to go again is better than none, but not than another's.
            Rise::Headroom if rises && (self.chosen.is_some() || displaces && self.held.is_none()) => {
                Some(with_headroom(step.bps))
            }
            Rise::Lowest if rises && self.chosen.is_some() => None,
            Rise::Held if rises => None,
            Rise::Lowest | Rise::Headroom if rises && self.wary => Some(with_headroom(step.bps)),
            _ if !rises && self.chosen.is_none() => Some(step.bps - step.bps * PAUSE_PERCENT / 100),
            _ => Some(step.bps),
        }
    }

    fn next(&self) -> Option<&Step> {
        self.ladder.steps().get(self.chosen.map_or(0, |index| index + 1))
    }

    /// The quality to which it would rise; `None` at the top, or if it got nothing.
    fn offer(&self) -> Option<(Spatial, u8)> {
        self.chosen.and(self.next()).map(|step| (step.spatial, step.temporal))
    }

    /// Of what it has now, what it takes at least.
    fn kept_bps(&self) -> u64 {
        self.held.and(self.ladder.steps().first()).map_or(0, |step| step.bps)
    }

    /// One step up if there is room; true if it was taken.
    fn climb(&mut self, left: &mut u64, kept_by_others: u64) -> bool {
        let Some(step) = self.next().copied() else { return false };
        let free = *left + self.choice().map_or(0, |step| step.bps);
        let displaces = step.bps.saturating_add(kept_by_others) > free;
        if self.price(&step, displaces).is_none_or(|price| price > free) {
            return false;
        }
        *left = free.saturating_sub(step.bps);
        self.chosen = Some(self.chosen.map_or(0, |index| index + 1));
        true
    }
}

fn with_headroom(bps: u64) -> u64 {
    bps + bps * HEADROOM_PERCENT / 100
}

/// Chooses a step for each candidate; sorts them by rank.
pub(crate) fn allocate(budget_bps: u64, candidates: &mut [Candidate]) {
    candidates.sort_by_key(|candidate| (Reverse(candidate.rank), candidate.id));
    let mut left = budget_bps;
    let mut kept: u64 = candidates.iter().map(Candidate::kept_bps).sum();
    for candidate in candidates.iter_mut() {
        kept -= candidate.kept_bps();
        candidate.chosen = None;
        candidate.climb(&mut left, kept);
    }
    for equals in candidates.chunk_by_mut(|a, b| a.rank == b.rank) {
        level(equals, &mut left);
    }
}

/// Equals rise together, quality by quality: all have a layer, as far as it fits, before any has a
/// better one, however many steps their ladders have below it.
fn level(equals: &mut [Candidate], left: &mut u64) {
    let mut tried = None;
    // What did not fit fits no more, for less is left with each step: a quality is tried once.
    while let Some(quality) =
        equals.iter().filter_map(Candidate::offer).filter(|next| Some(*next) > tried).min()
    {
        for candidate in equals.iter_mut().filter(|candidate| candidate.offer() == Some(quality)) {
            candidate.climb(left, 0);
        }
        tried = Some(quality);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{LayerSpec, SlotSettings, ladder::LayerView, meter::Meter};

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

    /// Two temporal layers of equal rate on the lowest layer; 60, 120, 300 and 1,000 bit/s.
    fn temporal_ladder() -> Ladder {
        let start = crate::testing::start();
        let mut low = Meter::default();
        for (temporal, bytes) in [(0, 15), (1, 15)] {
            low.add(temporal, bytes, true, start);
        }
        low.roll(start + std::time::Duration::from_secs(2));
        let other = Meter::default();
        let spec =
            |spatial, bitrate_bps| LayerSpec { spatial: Spatial(spatial), width: 0, height: 0, bitrate_bps };
        let specs = [spec(0, 120), spec(1, 300), spec(2, 1000)];
        let views = specs.iter().zip([&low, &other, &other]);
        Ladder::build(
            views.map(|(spec, meter)| LayerView { spec, meter, eligible: true }),
            &SlotSettings::default(),
        )
    }

    fn candidate(id: usize, source: Source, priority: u32) -> Candidate {
        Candidate {
            id,
            rank: Rank::new(source, priority),
            ladder: ladder(&[100, 300, 1000]),
            held: None,
            rise: Rise::Free,
            wary: false,
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
        slot.rise = Rise::Lowest;
        assert_eq!(chosen(9000, vec![slot]), [Some(100)], "the end of the pause comes first");
        slot.rise = Rise::Headroom;
        assert_eq!(chosen(99, vec![slot]), [None]);
        assert_eq!(chosen(100, vec![slot]), [Some(100)], "to begin needs none");
        assert_eq!(chosen(344, vec![slot]), [Some(100)]);
        assert_eq!(chosen(345, vec![slot]), [Some(300)]);
    }

    #[test]
    fn equals_rise_by_layers_however_many_steps_lie_between() {
        // The first has two steps on its lowest layer, the second one.
        let mut fine = candidate(0, Source::Camera, 0);
        fine.ladder = temporal_ladder();
        let steps = fine.ladder.steps();
        assert_eq!(
            steps.iter().map(|step| (step.spatial.0, step.bps)).collect::<Vec<_>>(),
            [(0, 60), (0, 120), (1, 300), (2, 1000),]
        );
        let pair = || vec![fine, candidate(1, Source::Camera, 0)];
        assert_eq!(chosen(600, pair()), [Some(300), Some(300)]);
        assert_eq!(chosen(419, pair()), [Some(300), Some(100)], "one is first");
        assert_eq!(chosen(1299, pair()), [Some(300), Some(300)]);
        assert_eq!(chosen(1300, pair()), [Some(1000), Some(300)]);
        // A dear one does not keep a cheap one down.
        let mut dear = candidate(0, Source::Camera, 0);
        dear.ladder = ladder(&[100, 900]);
        assert_eq!(chosen(800, vec![dear, candidate(1, Source::Camera, 0)]), [Some(100), Some(300)]);
    }

    #[test]
    fn what_comes_back_by_a_hair_pushes_nobody_out() {
        let mut screen = candidate(0, Source::ScreenShare, 0);
        screen.ladder = ladder(&[800]);
        screen.rise = Rise::Headroom;
        let mut camera = candidate(1, Source::Camera, 0);
        camera.held = Some(camera.ladder.steps()[0]);
        assert_eq!(chosen(850, vec![screen, camera]), [None, Some(300)]);
        assert_eq!(chosen(900, vec![screen, camera]), [Some(800), Some(100)], "nobody has to go");
        assert_eq!(chosen(919, vec![screen, { Candidate { held: None, ..camera } }]), [Some(800), Some(100)]);
        camera.ladder = ladder(&[200]);
        assert_eq!(chosen(919, vec![screen, camera]), [None, Some(200)]);
        assert_eq!(chosen(920, vec![screen, camera]), [Some(800), None], "with room to spare it ranks first");
        screen.rise = Rise::Free;
        assert_eq!(chosen(800, vec![screen, camera]), [Some(800), None], "just begun");
    }

    #[test]
    fn a_picture_is_not_paused_for_a_hair() {
        let mut slot = candidate(0, Source::Camera, 0);
        slot.held = Some(slot.ladder.steps()[0]);
        slot.rise = Rise::Headroom;
        assert_eq!(chosen(85, vec![slot]), [Some(100)]);
        assert_eq!(chosen(84, vec![slot]), [None]);
        slot.held = Some(slot.ladder.steps()[1]);
        assert_eq!(chosen(299, vec![slot]), [Some(100)], "a lower layer is no pause");
    }

    #[test]
    fn who_rose_in_vain_ends_a_pause_only_with_room_to_spare() {
        let mut slot = candidate(0, Source::Camera, 0);
        slot.rise = Rise::Headroom;
        slot.ladder = ladder(&[100]);
        assert_eq!(chosen(100, vec![slot]), [Some(100)]);
        slot.wary = true;
        assert_eq!(chosen(114, vec![slot]), [None]);
        assert_eq!(chosen(115, vec![slot]), [Some(100)]);
        slot.held = slot.ladder.steps().first().copied();
        assert_eq!(chosen(100, vec![slot]), [Some(100)], "what it has it keeps");
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
