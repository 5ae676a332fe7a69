//! One connection for both ways (protocol v1): the client makes every section, the server answers.
//!
//! So there is no glare, but the server must ask: for further sections when
//! there are too few, and for a mere repetition of the offer when what is shown
//! shall change. A section goes through an inactive round before another track
//! is shown on it, since clients learn of a new track only when a section begins
//! to receive.

use std::time::{Duration, Instant};

use parley_media_core::{MediaKind, TrackKey};

use crate::{
    negotiation::Counts,
    sdp::{Section, SectionKind},
};

/// Most sections on which the server sends to one client; the rest of the bound on
/// sections is for what the client publishes.
pub(crate) const SENDING_MAX: u32 = 96;
/// After this long without an offer, the client is asked again.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Sending {
    mid: String,
    kind: MediaKind,
    /// The client's last offer wants to receive on it.
    usable: bool,
    /// What shall be shown.
    track: Option<TrackKey>,
    /// What the last answer shows.
    shown: Option<TrackKey>,
    /// Something was shown on it before.
    used: bool,
}

impl Sending {
    fn is_free(&self) -> bool {
        self.usable && self.track.is_none()
    }
}

/// What an offer changed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Offered {
    /// Sections on which the server may send from now on.
    pub(crate) added: Vec<(String, MediaKind)>,
    /// Sections that are gone.
    pub(crate) gone: Vec<String>,
    /// Tracks that have lost their section.
    pub(crate) lost: Vec<TrackKey>,
}

#[derive(Debug, Default)]
pub(crate) struct Single {
    sections: Vec<Sending>,
    /// Further sections that the client was asked for and has not made yet.
    outstanding: Counts,
    /// Since when; the question may be lost although offers come.
    outstanding_since: Option<Instant>,
    /// The client was asked for an offer, and when.
    asked: Option<Instant>,
}

impl Single {
    /// Takes in the sections of an offer.
    pub(crate) fn offered(&mut self, offer: &[Section]) -> Offered {
        let mut offered = Offered::default();
        for section in &mut self.sections {
            section.usable = offer.iter().any(|other| other.mid == section.mid && receives(other).is_some());
            if !section.usable {
                offered.lost.extend(section.track.take());
            }
        }
        self.sections.retain(|section| {
            let stays = offer.iter().any(|other| other.mid == section.mid && !other.rejected);
            if !stays {
                offered.gone.push(section.mid.clone());
            }
            stays
        });
        for section in offer {
            let Some(kind) = receives(section) else { continue };
            if self.sections.iter().any(|known| known.mid == section.mid) {
                continue;
            }
            let mid = section.mid.clone();
            offered.added.push((mid.clone(), kind));
            self.sections.push(Sending { mid, kind, usable: true, track: None, shown: None, used: false });
            let outstanding = self.outstanding.of(kind);
            *outstanding = outstanding.saturating_sub(1);
        }
        if self.outstanding.total() == 0 {
            self.outstanding_since = None;
        }
        self.asked = None;
        offered
    }

    /// Gives waiting tracks the sections that are free and silent.
    pub(crate) fn assign(
        &mut self,
        waiting: impl Iterator<Item = (TrackKey, MediaKind)>,
    ) -> Vec<(TrackKey, String)> {
        let mut assigned = Vec::new();
        for (track, kind) in waiting {
            // Unused ones first: that a section is used anew is the rarer path in clients.
            let silent = |s: &&mut Sending| s.kind == kind && s.is_free() && s.shown.is_none();
            if let Some(section) = self.sections.iter_mut().filter(silent).min_by_key(|s| s.used) {
                section.used = true;
                section.track = Some(track);
                assigned.push((track, section.mid.clone()));
            }
        }
        assigned
    }

    /// The answer is on its way.
    pub(crate) fn answered(&mut self) {
        for section in &mut self.sections {
            section.shown = section.track;
        }
    }

    /// Takes a track off its section.
    pub(crate) fn release(&mut self, track: TrackKey) {
        for section in &mut self.sections {
            if section.track == Some(track) {
                section.track = None;
            }
        }
    }

    /// What is shown on a section: `None` if it is not one to send on.
    pub(crate) fn on_section(&self, mid: &str) -> Option<Option<TrackKey>> {
        self.sections.iter().find(|section| section.mid == mid).map(|section| section.track)
    }

    /// (mid, track) of all that is shown.
    pub(crate) fn shown(&self) -> impl Iterator<Item = (&str, TrackKey)> {
        self.sections.iter().filter_map(|section| Some((section.mid.as_str(), section.track?)))
    }

    /// What the client is to be asked for, given the tracks that wait for a section.
    /// Zeros: just an offer.
    pub(crate) fn ask(&mut self, waiting: Counts, now: Instant) -> Option<Counts> {
        let free = Counts::count(self.sections.iter().filter(|s| s.is_free()).map(|s| s.kind));
        let room = SENDING_MAX
            .saturating_sub(u32::try_from(self.sections.len()).unwrap_or(u32::MAX))
            .saturating_sub(self.outstanding.total());
        let mut missing = waiting.minus(free).minus(self.outstanding);
        missing.audio = missing.audio.min(room);
        missing.video = missing.video.min(room - missing.audio);
        if missing.total() > 0 {
            self.outstanding = self.outstanding.plus(missing);
            self.outstanding_since = Some(now);
            self.asked = Some(now);
            return Some(missing);
        }
        let fits = waiting.minus(waiting.minus(free));
        let stale = self.sections.iter().any(|section| section.track != section.shown) || fits.total() > 0;
        if stale && self.asked.is_none() {
            self.asked = Some(now);
            return Some(Counts::default());
        }
        None
    }

    /// Forgets questions that got no offer, or none of the sections, for too long; then
    /// [`Single::ask`] asks again.
    pub(crate) fn lose_patience(&mut self, now: Instant) -> bool {
        let mut questions = [self.asked, self.outstanding_since].into_iter().flatten();
        let late = questions.any(|asked| now.saturating_duration_since(asked) > PATIENCE);
        if late {
            self.asked = None;
            self.outstanding_since = None;
            self.outstanding = Counts::default();
        }
        late
    }
}

/// Whether the server may send on a section. Some SDKs turn a section on which they published into
/// a receiving one; with its layers still listed it is of no use to send one stream on.
fn receives(section: &Section) -> Option<MediaKind> {
    let usable = section.direction.receives() && !section.rejected && section.rids.is_empty();
    match section.kind {
        SectionKind::Media(kind) if usable => Some(kind),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sdp::Direction;

    const AUDIO: MediaKind = MediaKind::Audio;
    const VIDEO: MediaKind = MediaKind::Video;

    fn section(mid: &str, kind: MediaKind, direction: Direction) -> Section {
        Section {
            mid: mid.to_owned(),
            kind: SectionKind::Media(kind),
            direction,
            rejected: false,
            track_id: None,
            rids: Vec::new(),
        }
    }

    fn receiving(mid: &str, kind: MediaKind) -> Section {
        section(mid, kind, Direction::RecvOnly)
    }

    fn counts(audio: u32, video: u32) -> Counts {
        Counts { audio, video }
    }

    #[test]
    fn asks_for_what_is_missing_once() {
        let mut single = Single::default();
        let now = Instant::now();
        single.offered(&[receiving("0", AUDIO)]);
        single.answered();
        assert_eq!(single.ask(counts(1, 0), now), Some(counts(0, 0)), "a free section wants only an offer");
        assert_eq!(single.ask(counts(1, 0), now), None);
        assert_eq!(single.ask(counts(1, 2), now), Some(counts(0, 2)));
        assert_eq!(single.ask(counts(1, 2), now), None, "what is outstanding is not asked for again");
        assert_eq!(single.ask(counts(1, 3), now), Some(counts(0, 1)));
        // An offer that was under way already brings nothing new.
        single.offered(&[receiving("0", AUDIO)]);
        assert_eq!(single.assign([(TrackKey(1), AUDIO), (TrackKey(2), VIDEO)].into_iter()).len(), 1);
        single.answered();
        assert_eq!(single.ask(counts(0, 3), now), None);
        let offered = single
            .offered(&["0", "1", "2", "3"].map(|mid| receiving(mid, if mid == "0" { AUDIO } else { VIDEO })));
        assert_eq!(offered.added.len(), 3);
        assert_eq!(single.assign((2..5).map(|key| (TrackKey(key), VIDEO))).len(), 3);
        single.answered();
        assert_eq!(single.ask(counts(0, 0), now), None);
        assert_eq!(single.shown().count(), 4);
    }

    #[test]
    fn a_section_is_silent_for_a_round_before_it_shows_another_track() {
        let mut single = Single::default();
        let now = Instant::now();
        let offer = [receiving("0", VIDEO)];
        single.offered(&offer);
        single.assign([(TrackKey(1), VIDEO)].into_iter());
        single.answered();
        single.release(TrackKey(1));
        assert_eq!(single.ask(counts(0, 1), now), Some(counts(0, 0)), "the section is enough, after a round");
        single.offered(&offer);
        assert_eq!(single.assign([(TrackKey(2), VIDEO)].into_iter()), []);
        assert_eq!(single.on_section("0"), Some(None));
        single.answered();
        assert_eq!(single.ask(counts(0, 1), now), Some(counts(0, 0)));
        single.offered(&offer);
        assert_eq!(single.assign([(TrackKey(2), VIDEO)].into_iter()), [(TrackKey(2), "0".to_owned())]);
        single.answered();
        assert_eq!(single.ask(counts(0, 0), now), None);
    }

    #[test]
    fn unused_sections_come_first() {
        let mut single = Single::default();
        let offer = [receiving("0", VIDEO), receiving("1", VIDEO)];
        for (track, mid) in [(1, "0"), (2, "1"), (3, "0")] {
            single.offered(&offer);
            let assigned = single.assign([(TrackKey(track), VIDEO)].into_iter());
            assert_eq!(assigned, [(TrackKey(track), mid.to_owned())]);
            single.answered();
            single.release(TrackKey(track));
            single.answered();
        }
    }

    #[test]
    fn tracks_of_sections_that_stop_receiving_wait_again() {
        let mut single = Single::default();
        single.offered(&[receiving("0", AUDIO), receiving("1", VIDEO)]);
        single.assign([(TrackKey(1), AUDIO), (TrackKey(2), VIDEO)].into_iter());
        single.answered();
        let offered = single.offered(&[section("0", AUDIO, Direction::Inactive)]);
        assert_eq!(offered.lost, [TrackKey(1), TrackKey(2)]);
        assert_eq!(offered.gone, ["1"]);
        assert_eq!(single.on_section("0"), Some(None));
        assert_eq!(single.on_section("1"), None);
        assert_eq!(single.on_section("7"), None);
    }

    #[test]
    fn asks_again_after_silence_and_never_beyond_the_bound() {
        let mut single = Single::default();
        let now = Instant::now();
        assert_eq!(single.ask(counts(500, 500), now), Some(counts(SENDING_MAX, 0)));
        assert_eq!(single.ask(counts(500, 500), now), None);
        assert!(!single.lose_patience(now));
        let later = now + PATIENCE + Duration::from_secs(1);
        assert!(single.lose_patience(later));
        assert_eq!(single.ask(counts(0, 3), later), Some(counts(0, 3)));
    }

    #[test]
    fn a_lost_question_for_sections_is_asked_again_although_offers_come() {
        let mut single = Single::default();
        let now = Instant::now();
        assert_eq!(single.ask(counts(0, 4), now), Some(counts(0, 4)));
        // An ICE restart, say: the client has not heard the question.
        single.offered(&[]);
        single.answered();
        assert_eq!(single.ask(counts(0, 4), now), None);
        let later = now + PATIENCE + Duration::from_secs(1);
        assert!(single.lose_patience(later));
        assert_eq!(single.ask(counts(0, 4), later), Some(counts(0, 4)));
        single.offered(&["0", "1", "2", "3"].map(|mid| receiving(mid, VIDEO)));
        assert!(!single.lose_patience(later + PATIENCE + PATIENCE), "all were made");
    }
}
