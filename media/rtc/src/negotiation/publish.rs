//! The sections on which a client sends, and the tracks that it declared.

use parley_media_core::{MediaKind, TrackKey};

use crate::sdp::{Section, SectionKind};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Publishing {
    pub(crate) mid: String,
    pub(crate) kind: MediaKind,
    /// The client's id of the track in its last offer.
    pub(crate) cid: Option<String>,
    /// Simulcast layers offered.
    pub(crate) rids: Vec<String>,
    pub(crate) track: Option<TrackKey>,
}

#[derive(Debug, Default)]
pub(crate) struct Published {
    sections: Vec<Publishing>,
}

impl Published {
    /// Takes in an offer; `declared` finds a declared track by its id, `unnamed` lists those
    /// of a kind, in the order of their declaration, that a section of another id may carry.
    /// Returns the tracks whose section is gone.
    pub(crate) fn offered(
        &mut self,
        offer: &[Section],
        declared: impl Fn(MediaKind, &str) -> Option<TrackKey>,
        unnamed: impl Fn(MediaKind) -> Vec<TrackKey>,
    ) -> Vec<TrackKey> {
        let mut before = std::mem::take(&mut self.sections);
        for section in offer {
            let SectionKind::Media(kind) = section.kind else { continue };
            if section.rejected || !section.direction.sends() {
                continue;
            }
            let known = before.iter().position(|other| other.mid == section.mid).map(|i| before.remove(i));
            // A section keeps its track over offers, also when the client has put another
            // source into it; only a track declared for the new source takes it over.
            let cid = section.track_id.clone();
            let declared = cid.as_deref().and_then(|cid| declared(kind, cid));
            let same = known.as_ref().is_some_and(|known| known.cid == cid);
            let kept = known.and_then(|known| known.track);
            let track = if same { kept.or(declared) } else { declared.or(kept) };
            // Two sections of one id: the first has the track.
            let track = track.filter(|track| !self.has(*track)).or_else(|| {
                let taken = |track| before.iter().any(|other| other.track == Some(track));
                unnamed(kind).into_iter().find(|track| !self.has(*track) && !taken(*track))
            });
            self.sections.push(Publishing {
                mid: section.mid.clone(),
                kind,
                cid,
                rids: section.rids.clone(),
                track,
            });
        }
        before
            .into_iter()
            .filter_map(|section| section.track)
            .filter(|track| !self.sections.iter().any(|section| section.track == Some(*track)))
            .collect()
    }

    /// A track was declared: binds it to a section that carries its id already.
    pub(crate) fn declare(&mut self, track: TrackKey, kind: MediaKind, cid: &str) -> bool {
        let place = self.sections.iter_mut().find(|section| {
            section.track.is_none() && section.kind == kind && section.cid.as_deref() == Some(cid)
        });
        match place {
            Some(section) => {
                section.track = Some(track);
                true
            }
            None => false,
        }
    }

    pub(crate) fn end(&mut self, track: TrackKey) {
        for section in &mut self.sections {
            if section.track == Some(track) {
                section.track = None;
            }
        }
    }

    pub(crate) fn has(&self, track: TrackKey) -> bool {
        self.sections.iter().any(|section| section.track == Some(track))
    }

    /// The tracks that have a section.
    pub(crate) fn tracks(&self) -> Vec<TrackKey> {
        self.sections.iter().filter_map(|section| section.track).collect()
    }

    pub(crate) fn section(&self, mid: &str) -> Option<&Publishing> {
        self.sections.iter().find(|section| section.mid == mid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sdp::Direction;

    fn sending(mid: &str, cid: &str) -> Section {
        Section {
            mid: mid.to_owned(),
            kind: SectionKind::Media(MediaKind::Video),
            direction: Direction::SendOnly,
            rejected: false,
            track_id: Some(cid.to_owned()),
            rids: vec!["q".to_owned()],
        }
    }

    fn declared(cid: &'static str, key: u64) -> impl Fn(MediaKind, &str) -> Option<TrackKey> {
        move |_, offered| (offered == cid).then_some(TrackKey(key))
    }

    fn none(_: MediaKind) -> Vec<TrackKey> {
        Vec::new()
    }

    #[test]
    fn a_client_that_names_its_tracks_anew_is_taken_in_the_order_of_declaration() {
        let mut published = Published::default();
        let waiting = |_| vec![TrackKey(1), TrackKey(2)];
        assert_eq!(published.offered(&[sending("3", "x")], |_, _| None, waiting), []);
        assert_eq!(published.section("3").unwrap().track, Some(TrackKey(1)));
        assert_eq!(published.offered(&[sending("3", "x"), sending("4", "y")], |_, _| None, waiting), []);
        assert_eq!(published.section("3").unwrap().track, Some(TrackKey(1)), "kept");
        assert_eq!(published.section("4").unwrap().track, Some(TrackKey(2)));
        assert_eq!(published.tracks(), [TrackKey(1), TrackKey(2)]);
    }

    #[test]
    fn binds_by_id_in_either_order_and_keeps_by_mid() {
        let mut published = Published::default();
        assert_eq!(
            published.offered(&[sending("3", "cam"), sending("4", "screen")], declared("cam", 1), none),
            []
        );
        assert_eq!(published.section("3").unwrap().track, Some(TrackKey(1)));
        assert!(!published.declare(TrackKey(2), MediaKind::Audio, "screen"), "the kind differs");
        assert!(published.declare(TrackKey(2), MediaKind::Video, "screen"));
        // The device was switched: another source in the same section.
        assert_eq!(
            published.offered(&[sending("3", "other"), sending("4", "screen")], |_, _| None, none),
            []
        );
        assert!(published.has(TrackKey(1)) && published.has(TrackKey(2)));
        let mut silent = sending("3", "other");
        silent.direction = Direction::Inactive;
        assert_eq!(published.offered(&[silent, sending("4", "screen")], |_, _| None, none), [TrackKey(1)]);
        published.end(TrackKey(2));
        assert!(!published.has(TrackKey(2)));
    }

    #[test]
    fn a_section_used_anew_shows_the_track_declared_for_it() {
        let mut published = Published::default();
        published.offered(&[sending("3", "cam")], declared("cam", 1), none);
        assert_eq!(published.offered(&[sending("3", "screen")], declared("screen", 2), none), []);
        assert_eq!(published.section("3").unwrap().track, Some(TrackKey(2)));
    }
}
