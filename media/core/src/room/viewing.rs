//! The quality of pictures: what each participant sees, and what arrives of theirs.

use std::time::Instant;

use super::Room;
use crate::{Output, ladder, viewing::layer_score};

impl Room {
    /// Takes a sample of each picture.
    pub(super) fn sample_pictures(&mut self, now: Instant) {
        for participant in self.participants.values_mut() {
            for index in &participant.slots {
                let Some(slot) = self.slots.at_mut(*index) else { continue };
                let track = slot.track.and_then(|key| self.tracks.get(&key));
                // What was turned off, muted or is not sent is nobody's bad picture.
                let watched = track.filter(|track| {
                    track.video()
                        && !track.muted
                        && track.flows()
                        && slot.settings.enabled
                        && !slot.grant.shed
                });
                let ideal = watched.and_then(|track| ladder::ideal(track.views(), &slot.settings));
                let Some(ideal) = ideal else {
                    slot.viewing.reset();
                    continue;
                };
                let shown = slot.shown();
                if let Some(sample) = slot.viewing.sample(ideal, shown, now) {
                    participant.quality.add_picture(sample);
                }
            }
            // Upstream: a layer that somebody wants and that does not come.
            for key in &participant.tracks {
                let Some(track) = self.tracks.get(key).filter(|track| track.video() && !track.muted) else {
                    continue;
                };
                if let (Some(wanted), Some(there)) = (track.dynacast.wanted(), track.highest_live()) {
                    participant.quality.add_picture(layer_score(wanted, Some(there)));
                }
            }
        }
    }

    pub(super) fn report_quality(&mut self) {
        for (participant, state) in &mut self.participants {
            if let Some((quality, score)) = state.quality.report_pictures() {
                self.outputs.push(Output::Quality { participant: *participant, quality, score });
            }
        }
    }
}
