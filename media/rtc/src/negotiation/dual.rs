//! The subscriber connection of protocol v0: the server makes every section and offers.
//!
//! One offer is in flight at a time. Between offers, what shall be shown
//! changes freely; each offer brings the connection to the state wished then.

use parley_media_core::{MediaKind, TrackKey};

use crate::negotiation::single::SENDING_MAX;

/// A track that comes back gets another section than the one it had, up to this many sections.
/// On the old one, clients of libwebrtc's native interface take the same stream in the same
/// section for one that they have told of already, and tell nobody.
const SECTIONS_SPARED: usize = 16;

#[derive(Clone, Debug, PartialEq, Eq)]
struct Sending {
    mid: String,
    kind: MediaKind,
    /// What shall be shown.
    track: Option<TrackKey>,
    /// What the offer in flight shows.
    offered: Option<TrackKey>,
    /// What the last answered offer shows.
    shown: Option<TrackKey>,
    /// What was shown before it fell silent.
    before: Option<TrackKey>,
    /// An answer has confirmed the section.
    confirmed: bool,
}

/// What the next offer changes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Sections that begin to show a track.
    pub(crate) show: Vec<(String, TrackKey)>,
    /// Sections that fall silent.
    pub(crate) silence: Vec<String>,
    /// Sections to make; [`Dual::added`] tells their mids.
    pub(crate) add: Vec<(TrackKey, MediaKind)>,
}

impl Plan {
    pub(crate) fn is_empty(&self) -> bool {
        self.show.is_empty() && self.silence.is_empty() && self.add.is_empty()
    }
}

#[derive(Debug, Default)]
pub(crate) struct Dual {
    sections: Vec<Sending>,
    in_flight: Option<u32>,
    last_id: u32,
}

impl Dual {
    pub(crate) fn is_in_flight(&self) -> bool {
        self.in_flight.is_some()
    }

    pub(crate) fn is_in_flight_as(&self, id: u32) -> bool {
        self.in_flight == Some(id)
    }

    /// Plans an offer and gives waiting tracks their sections. Only while none is in flight.
    pub(crate) fn plan(&mut self, waiting: impl Iterator<Item = (TrackKey, MediaKind)>) -> Plan {
        let mut plan = Plan::default();
        for section in self.sections.iter().filter(|s| s.track.is_none() && s.shown.is_some()) {
            plan.silence.push(section.mid.clone());
        }
        // Sections that fall silent now are used anew after the answer, rather than making more.
        let mut freed: Vec<MediaKind> = Vec::new();
        freed.extend(self.sections.iter().filter(|s| s.track.is_none() && s.shown.is_some()).map(|s| s.kind));
        for (track, kind) in waiting {
            let spare = self.sections.len() + plan.add.len() < SECTIONS_SPARED;
            let silent = |s: &&mut Sending| {
                let returns = spare && s.before == Some(track);
                s.kind == kind && s.track.is_none() && s.shown.is_none() && !returns
            };
            if let Some(section) = self.sections.iter_mut().find(silent) {
                section.track = Some(track);
                plan.show.push((section.mid.clone(), track));
            } else if let Some(place) = freed.iter().position(|freed| *freed == kind) {
                freed.swap_remove(place);
            } else if self.sections.len() + plan.add.len() < SENDING_MAX as usize {
                plan.add.push((track, kind));
            }
        }
        plan
    }

    /// A section was made for a planned track.
    pub(crate) fn added(&mut self, mid: String, track: TrackKey, kind: MediaKind) {
        let track = Some(track);
        let section =
            Sending { mid, kind, track, offered: None, shown: None, before: None, confirmed: false };
        self.sections.push(section);
    }

    /// The offer goes out under this id.
    pub(crate) fn offer(&mut self) -> u32 {
        self.last_id = self.last_id.wrapping_add(1);
        self.in_flight = Some(self.last_id);
        for section in &mut self.sections {
            section.offered = section.track;
        }
        self.last_id
    }

    /// An answer came. `None`: not to the offer in flight. Else the tracks that are shown
    /// from now on, and their sections.
    pub(crate) fn answered(&mut self, id: u32) -> Option<Vec<(TrackKey, String)>> {
        if self.in_flight != Some(id) {
            return None;
        }
        self.in_flight = None;
        let mut begun = Vec::new();
        for section in &mut self.sections {
            section.confirmed = true;
            if section.shown != section.offered {
                section.before = section.shown.or(section.before);
                section.shown = section.offered;
                // A track that was taken off meanwhile does not begin.
                if let Some(track) = section.offered.filter(|track| section.track == Some(*track)) {
                    begun.push((track, section.mid.clone()));
                }
            }
        }
        Some(begun)
    }

    /// Gives up the offer in flight: its new sections never were. Their tracks wait again.
    pub(crate) fn abandon(&mut self) -> Vec<TrackKey> {
        self.in_flight = None;
        let mut lost = Vec::new();
        self.sections.retain(|section| {
            if !section.confirmed {
                lost.extend(section.track);
            }
            section.confirmed
        });
        for section in &mut self.sections {
            if section.track != section.shown {
                lost.extend(section.track.take());
            }
        }
        lost
    }

    pub(crate) fn release(&mut self, track: TrackKey) {
        for section in &mut self.sections {
            if section.track == Some(track) {
                section.track = None;
            }
        }
    }

    /// What the offer shows on a section: `None` if there is no such section.
    pub(crate) fn on_section(&self, mid: &str) -> Option<Option<TrackKey>> {
        self.sections.iter().find(|section| section.mid == mid).map(|section| section.track)
    }

    pub(crate) fn shown(&self) -> impl Iterator<Item = (&str, TrackKey)> {
        self.sections.iter().filter_map(|section| Some((section.mid.as_str(), section.track?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VIDEO: MediaKind = MediaKind::Video;

    fn tracks(keys: &[u64]) -> impl Iterator<Item = (TrackKey, MediaKind)> {
        keys.iter().map(|key| (TrackKey(*key), VIDEO)).collect::<Vec<_>>().into_iter()
    }

    #[test]
    fn changes_wait_for_the_answer_and_sections_are_used_anew() {
        let mut dual = Dual::default();
        let plan = dual.plan(tracks(&[1]));
        assert_eq!(plan.add, [(TrackKey(1), VIDEO)]);
        dual.added("a".into(), TrackKey(1), VIDEO);
        let first = dual.offer();
        assert!(dual.is_in_flight());
        // Meanwhile the first track goes and another comes.
        dual.release(TrackKey(1));
        assert_eq!(dual.answered(first + 1), None, "an answer to something else");
        assert_eq!(dual.answered(first), Some(vec![]), "the track that went does not begin");
        let plan = dual.plan(tracks(&[2]));
        assert_eq!(plan, Plan { silence: vec!["a".into()], ..Plan::default() });
        let second = dual.offer();
        assert_eq!(dual.answered(second), Some(vec![]));
        let plan = dual.plan(tracks(&[2]));
        assert_eq!(plan, Plan { show: vec![("a".into(), TrackKey(2))], ..Plan::default() });
        let third = dual.offer();
        assert_eq!(dual.answered(third), Some(vec![(TrackKey(2), "a".into())]));
        assert!(dual.plan(tracks(&[])).is_empty());
    }

    #[test]
    fn a_track_that_comes_back_gets_another_section() {
        let mut dual = Dual::default();
        let mut turn = |wanted: &[u64], name: &str| {
            let plan = dual.plan(tracks(wanted));
            for (track, kind) in &plan.add {
                dual.added(name.into(), *track, *kind);
            }
            let id = dual.offer();
            dual.answered(id);
            wanted.iter().for_each(|track| dual.release(TrackKey(*track)));
            plan
        };
        assert_eq!(turn(&[1], "a").add, [(TrackKey(1), VIDEO)]);
        assert_eq!(turn(&[], "").silence, ["a"]);
        assert_eq!(turn(&[1], "b").add, [(TrackKey(1), VIDEO)], "not on a");
        turn(&[], "");
        assert_eq!(turn(&[2], "").show, [("a".into(), TrackKey(2))]);
        turn(&[], "");
        assert_eq!(turn(&[1], "").show, [("a".into(), TrackKey(1))]);
        // Not without end.
        for turns in 0..60 {
            turn(&[], "");
            turn(&[1], &turns.to_string());
        }
        assert_eq!(dual.sections.len(), SECTIONS_SPARED);
    }

    #[test]
    fn an_abandoned_offer_leaves_nothing_behind() {
        let mut dual = Dual::default();
        dual.plan(tracks(&[1]));
        dual.added("a".into(), TrackKey(1), VIDEO);
        let first = dual.offer();
        dual.answered(first);
        dual.plan(tracks(&[2]));
        dual.added("b".into(), TrackKey(2), VIDEO);
        dual.offer();
        assert_eq!(dual.abandon(), [TrackKey(2)]);
        assert_eq!(dual.on_section("a"), Some(Some(TrackKey(1))));
        assert_eq!(dual.on_section("b"), None);
        assert_eq!(dual.plan(tracks(&[2])).add, [(TrackKey(2), VIDEO)]);
    }
}
