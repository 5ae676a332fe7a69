//! Who gets which layer: allocation applied to the slots of a room, and what
//! follows from it (keyframes to ask for, rates to probe, layers to publish).

use std::time::{Duration, Instant};

use super::Room;
use crate::{
    Output, Overload, ParticipantKey, Source, Spatial, TrackKey,
    allocator::{self, Candidate, Rank, Rise},
    ladder::{self, ALL_TEMPORAL, Ladder, Step},
    slot::{Grant, Slot, Target},
    slots::SlotIndex,
    track::Track,
};

/// Taken for the bandwidth of a participant before the first estimate.
const START_BPS: u64 = 2_000_000;
/// Taken for an audio track before it is measured.
const AUDIO_BPS: u64 = 50_000;
/// After a step down for lack of bandwidth, no step up for this long.
const RISE_HOLD: Duration = Duration::from_secs(3);
/// The end of a pause waits for this part of that.
const PAUSE_HOLD_DIVISOR: u32 = 4;
/// A step down so soon after a step up doubles that, ...
const RISE_IN_VAIN: Duration = Duration::from_secs(10);
/// ... up to this: no picture goes up and down more than twice a minute for long.
const RISE_HOLD_MAX: Duration = Duration::from_secs(12);
/// Who has just risen in vain ends a pause only with room to spare for this long, lest it come and go.
const WARY: Duration = Duration::from_secs(60);
/// Smaller changes of an estimate wait for the next timer, in percent.
const ESTIMATE_CHANGE_PERCENT: u64 = 3;
/// Smaller changes of the desired rate are not told, in percent.
const DESIRED_CHANGE_PERCENT: u64 = 10;

fn differs(before: u64, after: u64, percent: u64) -> bool {
    before.abs_diff(after).saturating_mul(100) >= before.max(after).saturating_mul(percent) && before != after
}

/// Is the new estimate far enough from the one that allocation worked with?
pub(super) fn worth_allocating(before_bps: u64, bps: u64) -> bool {
    differs(before_bps, bps, ESTIMATE_CHANGE_PERCENT)
}

impl Room {
    /// Decides anew what the slots of a participant show.
    pub(super) fn reallocate(&mut self, participant: ParticipantKey, now: Instant) {
        let Some(owner) = self.participants.get_mut(&participant) else { return };
        let estimate = owner.estimate_bps.unwrap_or(START_BPS);
        owner.allocated_bps = estimate;
        let mut audio_bps = 0;
        let mut repeatable_bps = 0;
        let mut desired_bps = 0;
        self.candidates.clear();
        for index in &owner.slots {
            let Some(slot) = self.slots.at_mut(*index) else { continue };
            let Some(track) = slot.track.and_then(|key| self.tracks.get(&key)) else { continue };
            if track.muted || !slot.settings.enabled {
                rest(slot);
            } else if sheds(self.overload, track, slot) {
                if let Some(paused) = shed(slot) {
                    self.outputs.push(Output::SlotPaused { slot: slot.key, paused });
                }
            } else if track.video() {
                desired_bps += top_bps(track, slot);
                self.candidates.push(candidate(*index, track, slot, now));
            } else {
                // Sound is never paused: it costs little and is what matters most.
                if !track.speech() || slot.pinned() || self.audible.has_place(track.config.key) {
                    let bps = track.sound_bps().unwrap_or(AUDIO_BPS);
                    audio_bps += bps;
                    repeatable_bps += if slot.takes_redundancy { bps } else { 0 };
                }
                slot.set_target(Some(Target { spatial: Spatial(0), temporal: ALL_TEMPORAL }));
            }
        }
        let redundancy = owner.redundancy.within(audio_bps, estimate);
        audio_bps += repeatable_bps * u64::from(redundancy);
        for index in &owner.slots {
            let Some(slot) = self.slots.at_mut(*index) else { continue };
            let sound = slot.track.and_then(|key| self.tracks.get(&key)).is_some_and(|track| !track.video());
            slot.redundancy = if sound && slot.takes_redundancy { redundancy } else { 0 };
        }
        allocator::allocate(estimate.saturating_sub(audio_bps), &mut self.candidates);
        let limited = owner.estimate_bps.filter(|bps| *bps > 0).map(|_| now);
        for candidate in &self.candidates {
            let Some(slot) = self.slots.at_mut(SlotIndex(candidate.id)) else { continue };
            let thinned = self.overload != Overload::None;
            if let Some(paused) = apply(candidate, slot, limited, thinned) {
                self.outputs.push(Output::SlotPaused { slot: slot.key, paused });
            }
        }
        desired_bps += audio_bps;
        if differs(owner.desired_bps, desired_bps, DESIRED_CHANGE_PERCENT) {
            owner.desired_bps = desired_bps;
            self.outputs.push(Output::DesiredBitrate { participant, bps: desired_bps });
        }
    }

    /// The same for all who are shown a track.
    pub(super) fn reallocate_receivers(&mut self, track: TrackKey, now: Instant) {
        let Some(known) = self.tracks.get(&track) else { return };
        let mut receivers: Vec<_> = known
            .subscribers
            .iter()
            .filter_map(|index| self.slots.at(*index))
            .map(|slot| slot.participant)
            .collect();
        receivers.sort_unstable();
        receivers.dedup();
        for participant in receivers {
            self.reallocate(participant, now);
        }
    }

    /// Divides anew for everybody, after the level of overload has changed.
    pub(super) fn apply_overload(&mut self, now: Instant) {
        let participants: Vec<ParticipantKey> = self.participants.keys().copied().collect();
        for participant in participants {
            self.reallocate(participant, now);
            let slots = self.participants.get(&participant).map(|owner| owner.slots.clone());
            for index in slots.unwrap_or_default() {
                self.raise_wanted(index);
            }
            self.chase_keyframes_for(participant, now);
        }
    }

    /// Asks for the keyframes that slots of a participant wait for.
    pub(super) fn chase_keyframes_for(&mut self, participant: ParticipantKey, now: Instant) {
        let Some(owner) = self.participants.get(&participant) else { return };
        for index in &owner.slots {
            let Some(slot) = self.slots.at(*index) else { continue };
            let Some(track) = slot.track.and_then(|key| self.tracks.get(&key)) else { continue };
            let key = track.config.key;
            if let Some(spatial) = slot.waits_for(track)
                && track.video()
                && self.throttle.request((key, spatial), now)
            {
                self.outputs.push(Output::RequestKeyframe { track: key, spatial });
            }
        }
    }

    /// Asks for the keyframes of a track that slots wait for.
    pub(super) fn chase_keyframes_of(&mut self, key: TrackKey, now: Instant) {
        let Some(track) = self.tracks.get(&key).filter(|track| track.video()) else { return };
        for index in &track.subscribers {
            if let Some(spatial) = self.slots.at(*index).and_then(|slot| slot.waits_for(track))
                && self.throttle.request((key, spatial), now)
            {
                self.outputs.push(Output::RequestKeyframe { track: key, spatial });
            }
        }
    }

    /// Tells the publisher at once if a slot wants a layer that is not published.
    pub(super) fn raise_wanted(&mut self, index: SlotIndex) {
        let Some(slot) = self.slots.at(index).filter(|slot| slot.settings.enabled && !slot.grant.shed) else {
            return;
        };
        let Some(track) = slot.track.and_then(|key| self.tracks.get_mut(&key)) else { return };
        if !track.video() {
            return;
        }
        let top = track.top();
        let Some(wanted) = ladder::ideal(track.views(), &slot.settings) else { return };
        if let Some(spatial) = track.dynacast.raise(wanted, top) {
            self.outputs.push(Output::WantedLayer { track: track.config.key, spatial });
        }
    }
}

/// Is the picture left out because the server is short of time?
fn sheds(overload: Overload, track: &Track, slot: &Slot) -> bool {
    let matters = track.config.source == Source::ScreenShare || slot.pinned();
    track.video() && (overload == Overload::SoundOnly || overload == Overload::Few && !matters)
}

/// Pauses a picture for that; when there is time again, it begins anew with what fits. Returns
/// whether the stream is paused if that changed.
fn shed(slot: &mut Slot) -> Option<bool> {
    slot.set_target(None);
    let told = slot.grant.paused;
    slot.grant = Grant { paused: true, shed: true, ..Grant::default() };
    (!told).then_some(true)
}

/// Not watched or muted: nothing is sent, and nobody is told of a pause.
fn rest(slot: &mut Slot) {
    slot.set_target(None);
    slot.grant = Grant { paused: slot.grant.paused, ..Grant::default() };
}

/// What the slot would take if bandwidth were no limit.
fn top_bps(track: &Track, slot: &Slot) -> u64 {
    let ideal = ladder::ideal(track.views(), &slot.settings);
    track.views().find(|view| Some(view.spec.spatial) == ideal).map_or(0, |view| view.bps(ALL_TEMPORAL))
}

fn candidate(index: SlotIndex, track: &Track, slot: &Slot, now: Instant) -> Candidate {
    let Grant { decided, held, lowered_at, hold, .. } = slot.grant;
    let since = lowered_at.map(|at| now.saturating_duration_since(at));
    let holds = |hold| since.is_some_and(|since| since < hold);
    let rise = match decided {
        false => Rise::Free,
        true if holds(hold / PAUSE_HOLD_DIVISOR) => Rise::Held,
        true if holds(hold) => Rise::Lowest,
        true => Rise::Headroom,
    };
    Candidate {
        id: index.0,
        rank: Rank::new(track.config.source, slot.settings.priority),
        ladder: Ladder::build(track.views(), &slot.settings),
        held,
        rise,
        wary: hold > RISE_HOLD && holds(WARY),
        chosen: None,
    }
}

/// Takes over the decision; returns whether the stream is paused if that changed.
/// `now` is absent before the first estimate, and while nothing comes through: neither what was assumed nor an
/// outage holds anything back.
fn apply(candidate: &Candidate, slot: &mut Slot, now: Option<Instant>, thinned: bool) -> Option<bool> {
    let choice = candidate.choice();
    let grant = &mut slot.grant;
    if let Some(held) = candidate.held {
        // Still to be had, but not chosen: bandwidth is the reason.
        let offered = candidate
            .ladder
            .steps()
            .iter()
            .any(|step| (step.spatial, step.temporal) == (held.spatial, held.temporal));
        if offered && choice.is_none_or(|step| held.above(&step)) {
            let in_vain = grant
                .rose_at
                .zip(now)
                .is_some_and(|(rose, now)| now.saturating_duration_since(rose) < RISE_IN_VAIN);
            // Several steps of one fall are one.
            if in_vain {
                grant.hold = (grant.hold * 2).clamp(RISE_HOLD, RISE_HOLD_MAX);
                grant.rose_at = None;
            } else if grant
                .lowered_at
                .zip(now)
                .is_none_or(|(before, now)| now.saturating_duration_since(before) > RISE_IN_VAIN)
            {
                grant.hold = RISE_HOLD;
            }
            grant.lowered_at = now;
        }
    }
    if choice.is_some_and(|step| candidate.held.is_none_or(|held| step.above(&held))) {
        grant.rose_at = now;
    }
    grant.decided = true;
    grant.held = choice;
    let told = grant.paused;
    grant.paused = choice.is_none();
    let changed = (told != grant.paused).then_some(grant.paused);
    grant.shed = false;
    let most = if thinned { 0 } else { ALL_TEMPORAL };
    let target = |step: Step| Target { spatial: step.spatial, temporal: step.temporal.min(most) };
    slot.set_target(choice.map(target));
    changed
}
