//! What a room does by time: layers that stopped, rates, retries, reports.

use std::time::{Duration, Instant};

use super::Room;
use crate::{
    Output, ParticipantKey, Spatial, TimeoutReason, TrackKey, ladder, quality,
    speakers::{self, Measure},
};

/// How often it is looked for layers that stopped, and for those nobody watches.
const LAYERS_INTERVAL: Duration = Duration::from_millis(250);
/// How often rates are measured and bandwidth is divided anew.
const ALLOCATION_INTERVAL: Duration = Duration::from_millis(500);

/// When each is due; `None` = nothing to do.
#[derive(Debug, Default)]
pub(super) struct Timers {
    layers: Option<Instant>,
    allocation: Option<Instant>,
    speakers: Option<Instant>,
    quality: Option<Instant>,
}

impl Timers {
    pub(super) fn start_participants(&mut self, now: Instant) {
        self.quality.get_or_insert(quality::next_report(now));
    }

    pub(super) fn start_tracks(&mut self, now: Instant) {
        self.layers.get_or_insert(now + LAYERS_INTERVAL);
        self.allocation.get_or_insert(now + ALLOCATION_INTERVAL);
        self.speakers.get_or_insert(now + speakers::INTERVAL);
    }

    pub(super) fn next(&self, keyframe: Option<Instant>) -> Option<(Instant, TimeoutReason)> {
        [
            (keyframe, TimeoutReason::Keyframe),
            (self.layers, TimeoutReason::LayerTimeout),
            (self.allocation, TimeoutReason::Allocation),
            (self.speakers, TimeoutReason::Speakers),
            (self.quality, TimeoutReason::Quality),
        ]
        .into_iter()
        .filter_map(|(due, reason)| due.map(|due| (due, reason)))
        .min_by_key(|(due, _)| *due)
    }
}

/// True if due; then it is due again after `interval`, as long as there is `work`.
fn take(due: &mut Option<Instant>, now: Instant, interval: Duration, work: bool) -> bool {
    if due.is_none_or(|due| now < due) {
        return false;
    }
    *due = work.then(|| now + interval);
    true
}

impl Room {
    pub(super) fn run_timers(&mut self, now: Instant) {
        let tracks = !self.tracks.is_empty();
        let participants = !self.participants.is_empty();
        if take(&mut self.timers.layers, now, LAYERS_INTERVAL, tracks) {
            self.check_layers(now);
            self.sample_pictures(now);
        }
        if take(&mut self.timers.allocation, now, ALLOCATION_INTERVAL, tracks) {
            self.allocate_all(now);
        }
        // One round more after the last track: who spoke has to fall silent.
        if take(&mut self.timers.speakers, now, speakers::INTERVAL, tracks || participants) {
            self.judge_speakers();
        }
        if take(&mut self.timers.quality, now, quality::INTERVAL, participants) {
            self.report_quality();
        }
        if self.throttle.next().is_some_and(|due| now >= due) {
            self.retry_keyframes(now);
        }
    }

    fn check_layers(&mut self, now: Instant) {
        let mut expired = Vec::new();
        for (key, track) in &mut self.tracks {
            if !track.video() || track.muted {
                continue;
            }
            if track.expire_layers() {
                expired.push(*key);
            }
            let wanted: Option<Spatial> = track
                .subscribers
                .iter()
                .filter_map(|index| self.slots.at(*index))
                .filter(|slot| slot.settings.enabled && !slot.grant.shed)
                .filter_map(|slot| ladder::ideal(track.views(), &slot.settings))
                .max()
                .max(track.wanted_elsewhere());
            let top = track.top();
            if let Some(spatial) = track.dynacast.update(wanted, top, now) {
                self.outputs.push(Output::WantedLayer { track: *key, spatial });
            }
        }
        for track in expired {
            self.reallocate_receivers(track, now);
            self.chase_keyframes_of(track, now);
        }
    }

    fn allocate_all(&mut self, now: Instant) {
        let mut recapped = Vec::new();
        for track in self.tracks.values_mut() {
            track.roll(now);
            if self.publish_bps > 0 && track.cap.roll(self.publish_bps, now) {
                recapped.push(track.config.publisher);
            }
        }
        for publisher in recapped {
            self.tell_capped(publisher);
        }
        let receivers: Vec<ParticipantKey> = self
            .participants
            .iter()
            .filter(|(_, participant)| !participant.slots.is_empty())
            .map(|(key, _)| *key)
            .collect();
        for participant in receivers {
            self.reallocate(participant, now);
            self.chase_keyframes_for(participant, now);
        }
    }

    /// A publisher is cut off, or no longer: that shows in its quality.
    pub(super) fn tell_capped(&mut self, publisher: ParticipantKey) {
        let Some(owner) = self.participants.get_mut(&publisher) else { return };
        let cuts = |key: &TrackKey| self.tracks.get(key).is_some_and(|track| track.cap.cuts());
        let capped = owner.tracks.iter().any(cuts);
        if let Some((quality, score)) = owner.quality.set_capped(capped) {
            self.outputs.push(Output::Quality { participant: publisher, quality, score });
        }
    }

    fn judge_speakers(&mut self) {
        let mut changed = Vec::new();
        for (key, participant) in &mut self.participants {
            let mut measure = Measure::default();
            for track in &participant.tracks {
                if let Some(track) = self.tracks.get_mut(track) {
                    measure = measure.max(track.loudness.take());
                }
            }
            changed.extend(participant.speech.update(*key, measure));
        }
        if !changed.is_empty() {
            changed.sort_by(|a, b| b.level.total_cmp(&a.level));
            self.outputs.push(Output::Speakers(changed));
        }
    }

    fn retry_keyframes(&mut self, now: Instant) {
        let (tracks, slots, outputs) = (&self.tracks, &self.slots, &mut self.outputs);
        let waits = |(key, spatial): (TrackKey, Spatial)| {
            tracks.get(&key).is_some_and(|track| {
                !track.muted
                    && track
                        .subscribers
                        .iter()
                        .filter_map(|index| slots.at(*index))
                        .any(|slot| slot.waits_for(track) == Some(spatial))
            })
        };
        self.throttle.retry(now, waits, |(track, spatial)| {
            outputs.push(Output::RequestKeyframe { track, spatial });
        });
    }
}
