//! Where everything of a room is: participants and tracks over its parts. Pure.
//!
//! A room begins with one part, its home. When that has as many participants as one part is meant
//! for, the next one comes to a part on another worker; when all workers have one, the emptiest
//! part takes it. Nobody moves later.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use parley_media_core::{MediaKind, PartKey, ParticipantKey, TrackKey};

use crate::TrackSpec;

/// The part in which a room begins. Speakers are judged there, so it imports all sound.
pub(crate) const HOME: PartKey = PartKey(0);

/// Where a participant goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    In(PartKey),
    /// A further part is to be opened first.
    Further,
}

/// A track goes over, or no longer goes over, from one part to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Way {
    pub(crate) track: TrackKey,
    pub(crate) from: PartKey,
    pub(crate) to: PartKey,
}

#[derive(Debug)]
struct TrackPlace {
    part: PartKey,
    publisher: ParticipantKey,
    spec: TrackSpec,
    /// Who is subscribed in each part other than its own.
    imports: BTreeMap<PartKey, BTreeSet<ParticipantKey>>,
}

#[derive(Debug, Default)]
pub(crate) struct Layout {
    /// Participants of each part.
    sizes: Vec<usize>,
    participants: HashMap<ParticipantKey, PartKey>,
    tracks: BTreeMap<TrackKey, TrackPlace>,
}

impl Layout {
    pub(crate) fn new() -> Self {
        Self { sizes: vec![0], ..Self::default() }
    }

    pub(crate) fn part(&self, participant: ParticipantKey) -> Option<PartKey> {
        self.participants.get(&participant).copied()
    }

    pub(crate) fn part_of_track(&self, track: TrackKey) -> Option<PartKey> {
        self.tracks.get(&track).map(|place| place.part)
    }

    /// Where the next participant goes: `width` are meant for one part, and there may be `parts_max`.
    pub(crate) fn place(&self, width: usize, parts_max: usize) -> Place {
        // Parts with places left in their order, then the emptiest.
        let fullness = |index: &usize| if self.sizes[*index] < width { 0 } else { self.sizes[*index] };
        let emptiest = (0..self.sizes.len()).min_by_key(fullness).unwrap_or(0);
        if self.sizes[emptiest] >= width && self.sizes.len() < parts_max {
            return Place::Further;
        }
        Place::In(PartKey(u32::try_from(emptiest).unwrap_or(0)))
    }

    /// A further part has been opened.
    pub(crate) fn add_part(&mut self) {
        self.sizes.push(0);
    }

    /// False: the participant is there already.
    pub(crate) fn join(&mut self, participant: ParticipantKey, part: PartKey) -> bool {
        if self.participants.contains_key(&participant) {
            return false;
        }
        self.participants.insert(participant, part);
        self.sizes[part.0 as usize] += 1;
        true
    }

    /// Forgets a participant, its tracks and subscriptions. Returns the ways which end.
    pub(crate) fn leave(&mut self, participant: ParticipantKey) -> Vec<Way> {
        let Some(part) = self.participants.remove(&participant) else { return Vec::new() };
        self.sizes[part.0 as usize] -= 1;
        let published =
            |(key, place): (&TrackKey, &TrackPlace)| (place.publisher == participant).then_some(*key);
        let own: Vec<TrackKey> = self.tracks.iter().filter_map(published).collect();
        let mut ended: Vec<Way> = own.into_iter().flat_map(|track| self.end_track(track)).collect();
        let others: Vec<TrackKey> = self.tracks.keys().copied().collect();
        ended.extend(others.into_iter().filter_map(|track| self.release(participant, part, track)));
        ended
    }

    /// A track is declared in the part of its publisher. Returns the way on which it goes over at
    /// once; `None` also if the publisher is unknown, which the part itself will say.
    pub(crate) fn declare(&mut self, publisher: ParticipantKey, spec: &TrackSpec) -> Option<Way> {
        let part = self.part(publisher)?;
        let track = spec.key;
        if self.tracks.contains_key(&track) {
            return None;
        }
        let imports = BTreeMap::new();
        self.tracks.insert(track, TrackPlace { part, publisher, spec: spec.clone(), imports });
        self.heard_at_home(track)
    }

    /// The way of a track's sound to the home part, when it is published elsewhere.
    fn heard_at_home(&mut self, track: TrackKey) -> Option<Way> {
        let place = self.tracks.get_mut(&track)?;
        if place.part == HOME || place.spec.kind != MediaKind::Audio {
            return None;
        }
        place.imports.entry(HOME).or_default();
        Some(Way { track, from: place.part, to: HOME })
    }

    pub(crate) fn set_muted(&mut self, track: TrackKey, muted: bool) {
        if let Some(place) = self.tracks.get_mut(&track) {
            place.spec.muted = muted;
        }
    }

    /// The track as it is to be imported, and its publisher.
    pub(crate) fn spec(&self, track: TrackKey) -> Option<(ParticipantKey, TrackSpec)> {
        self.tracks.get(&track).map(|place| (place.publisher, place.spec.clone()))
    }

    /// All parts that know a track: its own first.
    pub(crate) fn parts_with(&self, track: TrackKey) -> Vec<PartKey> {
        let place = self.tracks.get(&track);
        place.map_or_else(Vec::new, |place| {
            std::iter::once(place.part).chain(place.imports.keys().copied()).collect()
        })
    }

    /// Ends a track. Returns the ways which end.
    pub(crate) fn end_track(&mut self, track: TrackKey) -> Vec<Way> {
        let Some(gone) = self.tracks.remove(&track) else { return Vec::new() };
        gone.imports.into_keys().map(|to| Way { track, from: gone.part, to }).collect()
    }

    /// Notes a subscription. Returns the way that must be opened for it first.
    pub(crate) fn subscribe(&mut self, participant: ParticipantKey, track: TrackKey) -> Option<Way> {
        let part = self.part(participant)?;
        let place = self.tracks.get_mut(&track).filter(|place| place.part != part)?;
        let opened = !place.imports.contains_key(&part);
        place.imports.entry(part).or_default().insert(participant);
        opened.then_some(Way { track, from: place.part, to: part })
    }

    /// Ends a subscription. Returns the way that is not needed any more.
    pub(crate) fn unsubscribe(&mut self, participant: ParticipantKey, track: TrackKey) -> Option<Way> {
        let part = self.part(participant)?;
        self.release(participant, part, track)
    }

    fn release(&mut self, participant: ParticipantKey, part: PartKey, track: TrackKey) -> Option<Way> {
        let place = self.tracks.get_mut(&track)?;
        let subscribers = place.imports.get_mut(&part)?;
        let was_there = subscribers.remove(&participant);
        let kept = !subscribers.is_empty() || part == HOME && place.spec.kind == MediaKind::Audio;
        if !was_there || kept {
            return None;
        }
        place.imports.remove(&part);
        Some(Way { track, from: place.part, to: part })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Source;
    use proptest::prelude::*;

    const WIDTH: usize = 2;

    fn spec(key: u64, kind: MediaKind) -> TrackSpec {
        TrackSpec {
            key: TrackKey(key),
            sid: format!("TR_{key}"),
            stream: String::new(),
            cid: String::new(),
            kind,
            source: Source::Camera,
            layers: Vec::new(),
            codec: None,
            muted: false,
        }
    }

    fn filled(participants: u64, parts_max: usize) -> Layout {
        let mut layout = Layout::new();
        for key in 0..participants {
            let part = match layout.place(WIDTH, parts_max) {
                Place::In(part) => part,
                Place::Further => {
                    layout.add_part();
                    PartKey(u32::try_from(layout.sizes.len() - 1).unwrap())
                }
            };
            assert!(layout.join(ParticipantKey(key), part));
        }
        layout
    }

    #[test]
    fn parts_fill_in_order_and_then_evenly() {
        assert_eq!(filled(2, 3).sizes, [2]);
        assert_eq!(filled(3, 3).sizes, [2, 1]);
        assert_eq!(filled(6, 3).sizes, [2, 2, 2]);
        assert_eq!(filled(8, 3).sizes, [3, 3, 2]);
        assert_eq!(filled(8, 1).sizes, [8], "one worker has one part");
        let mut layout = filled(6, 3);
        layout.leave(ParticipantKey(1));
        assert_eq!(layout.place(WIDTH, 3), Place::In(HOME), "a place that was left is taken first");
    }

    #[test]
    fn a_track_goes_over_for_the_first_and_ends_with_the_last() {
        let mut layout = filled(4, 2);
        let camera = TrackKey(10);
        assert_eq!(layout.declare(ParticipantKey(0), &spec(10, MediaKind::Video)), None);
        assert_eq!(layout.subscribe(ParticipantKey(1), camera), None, "the same part");
        let way = Way { track: camera, from: HOME, to: PartKey(1) };
        assert_eq!(layout.subscribe(ParticipantKey(2), camera), Some(way));
        assert_eq!(layout.subscribe(ParticipantKey(3), camera), None, "it goes over already");
        assert_eq!(layout.parts_with(camera), [HOME, PartKey(1)]);
        assert_eq!(layout.unsubscribe(ParticipantKey(2), camera), None);
        assert_eq!(layout.unsubscribe(ParticipantKey(2), camera), None, "twice is once");
        assert_eq!(layout.leave(ParticipantKey(3)), [way]);
        assert_eq!(layout.parts_with(camera), [HOME]);
    }

    #[test]
    fn all_sound_is_heard_at_home() {
        let mut layout = filled(4, 2);
        let way = Way { track: TrackKey(10), from: PartKey(1), to: HOME };
        assert_eq!(layout.declare(ParticipantKey(2), &spec(10, MediaKind::Audio)), Some(way));
        assert_eq!(layout.subscribe(ParticipantKey(0), TrackKey(10)), None);
        assert_eq!(layout.unsubscribe(ParticipantKey(0), TrackKey(10)), None, "speakers are judged there");
        assert_eq!(layout.leave(ParticipantKey(2)), [way]);
        assert_eq!(layout.part_of_track(TrackKey(10)), None);
    }

    #[derive(Clone, Debug)]
    enum Step {
        Subscribe(u64, u64),
        Unsubscribe(u64, u64),
        End(u64),
        Leave(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (0u64..6, 0u64..4).prop_map(|(who, what)| Step::Subscribe(who, what)),
            3 => (0u64..6, 0u64..4).prop_map(|(who, what)| Step::Unsubscribe(who, what)),
            1 => (0u64..4).prop_map(Step::End),
            1 => (0u64..6).prop_map(Step::Leave),
        ]
    }

    proptest! {
        /// A way is open exactly while somebody in another part is subscribed.
        #[test]
        fn ways_are_open_while_somebody_needs_them(steps in proptest::collection::vec(step(), 0..60)) {
            let mut layout = filled(6, 3);
            let mut open = BTreeSet::new();
            let mut subscribed = BTreeSet::new();
            let part = |who: u64| who / 2;
            for track in 0..4 {
                layout.declare(ParticipantKey(track), &spec(track, MediaKind::Video));
            }
            let (mut here, mut published) = (vec![true; 6], vec![true; 4]);
            for step in steps {
                let ended = match step {
                    Step::Subscribe(who, track) => {
                        if let Some(way) = layout.subscribe(ParticipantKey(who), TrackKey(track)) {
                            prop_assert!(open.insert((way.track.0, u64::from(way.to.0))), "opened twice");
                        }
                        if here[who as usize] && published[track as usize] {
                            subscribed.insert((who, track));
                        }
                        Vec::new()
                    }
                    Step::Unsubscribe(who, track) => {
                        subscribed.remove(&(who, track));
                        layout.unsubscribe(ParticipantKey(who), TrackKey(track)).into_iter().collect()
                    }
                    Step::End(track) => {
                        published[track as usize] = false;
                        subscribed.retain(|(_, of)| *of != track);
                        layout.end_track(TrackKey(track))
                    }
                    Step::Leave(who) => {
                        here[who as usize] = false;
                        if let Some(own) = published.get_mut(who as usize) {
                            *own = false;
                        }
                        subscribed.retain(|(by, of)| *by != who && *of != who);
                        layout.leave(ParticipantKey(who))
                    }
                };
                for way in ended {
                    prop_assert!(open.remove(&(way.track.0, u64::from(way.to.0))), "closed twice");
                }
                let needed: BTreeSet<(u64, u64)> = subscribed
                    .iter()
                    .filter(|(who, track)| part(*who) != part(*track))
                    .map(|(who, track)| (*track, part(*who)))
                    .collect();
                prop_assert_eq!(&open, &needed);
            }
        }
    }
}
