//! One room: tracks, slots and the decisions between them.

mod decide;
mod timers;
mod viewing;

use std::{
    collections::{BTreeMap, VecDeque},
    time::Instant,
};

use crate::{
    Forward, LinkStats, Output, Overload, PartKey, ParticipantKey, RtpIn, SlotKey, SlotSettings, Spatial,
    TimeoutReason, TrackConfig, TrackKey,
    allocator::Candidate,
    audible::Audible,
    quality::Quality,
    red::Redundancy,
    slot::Slot,
    slots::{SlotIndex, Slots},
    speakers::Speech,
    throttle::Throttle,
    track::Track,
};
use timers::Timers;

/// Control outputs kept for the shell. It drains them after each call, so this
/// is reached only by a shell that stopped doing so.
const MAX_OUTPUTS: usize = 65_536;

#[derive(Debug, Default)]
struct Participant {
    slots: Vec<SlotIndex>,
    tracks: Vec<TrackKey>,
    /// Bits per second; `None` before the first estimate.
    estimate_bps: Option<u64>,
    /// The estimate that allocation last worked with.
    allocated_bps: u64,
    /// The last [`Output::DesiredBitrate`].
    desired_bps: u64,
    speech: Speech,
    quality: Quality,
    redundancy: Redundancy,
}

/// The routing state of one room. See the crate's documentation.
///
/// Calls that name something unknown are ignored: what they meant is gone.
#[derive(Debug, Default)]
pub struct Room {
    participants: BTreeMap<ParticipantKey, Participant>,
    tracks: BTreeMap<TrackKey, Track>,
    slots: Slots,
    audible: Audible,
    throttle: Throttle,
    timers: Timers,
    outputs: Outputs,
    overload: Overload,
    /// Room for allocation to work in, kept to spare the allocator.
    candidates: Vec<Candidate>,
    /// Bits per second of one track; 0 = no cap.
    publish_bps: u64,
}

/// What waits for [`Room::poll_output`].
#[derive(Debug, Default)]
struct Outputs {
    queue: VecDeque<Output>,
    lost: u64,
}

impl Outputs {
    fn push(&mut self, output: Output) {
        if self.queue.len() == MAX_OUTPUTS {
            self.lost += 1;
            return;
        }
        self.queue.push_back(output);
    }
}

impl Room {
    pub fn new() -> Self {
        Self::default()
    }

    /// How many microphones are heard at once: 1 to [`crate::VOICES_MAX`], [`crate::VOICES_DEFAULT`]
    /// if it is not set. Others are withheld, but on slots with a priority above 0.
    pub fn set_voices(&mut self, voices: usize) {
        self.audible.set_limit(voices);
    }

    /// The server gets short of time, or has more of it again: from now on that is left out of what
    /// is sent which [`Overload`] says. Receivers of pictures that pause are told as usual.
    pub fn set_overload(&mut self, overload: Overload, now: Instant) {
        if std::mem::replace(&mut self.overload, overload) != overload {
            self.apply_overload(now);
        }
    }

    /// Pictures that are paused for [`Overload`].
    pub fn shed(&self) -> usize {
        self.slots.iter().filter(|slot| slot.grant.shed).count()
    }

    /// What is let in of one track, all layers together, in bits per second of payload; 0 = all. What
    /// goes beyond that for some seconds is cut off, the highest layers first ([`Room::admit`]).
    pub fn set_publish_cap(&mut self, bps: u64) {
        self.publish_bps = bps;
    }

    /// Counts a packet for the cap. False: it is to be dropped, and not to be given to
    /// [`Room::handle_rtp`].
    pub fn admit(&mut self, track: TrackKey, spatial: Spatial, payload_bytes: usize, now: Instant) -> bool {
        if self.publish_bps == 0 {
            return true;
        }
        self.tracks.get_mut(&track).is_none_or(|known| known.admit(spatial, payload_bytes, now))
    }

    pub fn add_participant(&mut self, participant: ParticipantKey, now: Instant) {
        self.participants.entry(participant).or_default();
        self.timers.start_participants(now);
    }

    /// Forgets the participant, its tracks (slots showing them are detached) and its slots.
    pub fn remove_participant(&mut self, participant: ParticipantKey, now: Instant) {
        let Some(gone) = self.participants.remove(&participant) else { return };
        for index in gone.slots {
            self.drop_slot(index);
        }
        for track in gone.tracks {
            self.drop_track(track, now);
        }
    }

    /// Adds a track. Replaces one of the same key (codec or layers changed); its
    /// receivers stay. Ignored when the publisher is unknown.
    pub fn add_track(&mut self, config: TrackConfig, now: Instant) {
        let key = config.key;
        let Some(publisher) = self.participants.get_mut(&config.publisher) else { return };
        if !publisher.tracks.contains(&key) {
            publisher.tracks.push(key);
        }
        let mut track = Track::new(config);
        if let Some(before) = self.tracks.remove(&key) {
            self.throttle.calm(key);
            track.succeed(before);
        }
        self.tracks.insert(key, track);
        self.timers.start_tracks(now);
        self.reallocate_receivers(key, now);
        self.chase_keyframes_of(key, now);
    }

    pub fn remove_track(&mut self, track: TrackKey, now: Instant) {
        if let Some(publisher) =
            self.tracks.get(&track).and_then(|known| self.participants.get_mut(&known.config.publisher))
        {
            publisher.tracks.retain(|key| *key != track);
        }
        self.drop_track(track, now);
    }

    /// A muted track is not forwarded, whatever its publisher sends.
    pub fn set_track_muted(&mut self, track: TrackKey, muted: bool, now: Instant) {
        let Some(known) = self.tracks.get_mut(&track) else { return };
        if known.muted == muted {
            return;
        }
        known.muted = muted;
        if muted {
            self.audible.leave(track);
            known.silence();
            known.loudness.take();
            self.throttle.calm(track);
            let speech = known.speech();
            if let Some(publisher) = self.participants.get_mut(&known.config.publisher)
                && speech
            {
                publisher.speech.hush();
            }
        }
        self.reallocate_receivers(track, now);
        self.chase_keyframes_of(track, now);
    }

    /// Adds an outgoing stream of `participant`, on which tracks are shown one after the other.
    pub fn add_slot(&mut self, slot: SlotKey, participant: ParticipantKey) {
        let Some(owner) = self.participants.get_mut(&participant) else { return };
        if let Some(index) = self.slots.insert(Slot::new(slot, participant)) {
            owner.slots.push(index);
        }
    }

    pub fn remove_slot(&mut self, slot: SlotKey, now: Instant) {
        let Some(index) = self.slots.index(slot) else { return };
        let Some(participant) = self.drop_slot(index) else { return };
        if let Some(owner) = self.participants.get_mut(&participant) {
            owner.slots.retain(|other| *other != index);
        }
        self.reallocate(participant, now);
        self.chase_keyframes_for(participant, now);
    }

    /// Shows `track` on `slot`; video starts at its next keyframe, which is requested.
    pub fn attach(&mut self, slot: SlotKey, track: TrackKey, settings: SlotSettings, now: Instant) {
        let Some(index) = self.slots.index(slot) else { return };
        let Some(known) = self.slots.at(index) else { return };
        let participant = known.participant;
        if !self.tracks.contains_key(&track) {
            return;
        }
        if known.track == Some(track) {
            self.update_slot(slot, settings, now);
            return;
        }
        self.unlink(index);
        if let Some(known) = self.slots.at_mut(index) {
            known.attach(track, settings);
        }
        if let Some(known) = self.tracks.get_mut(&track) {
            known.subscribers.push(index);
        }
        self.reallocate(participant, now);
        self.raise_wanted(index);
        self.chase_keyframes_for(participant, now);
    }

    /// Does the receiver take packets of sound that hold earlier frames ([`crate::red`])? With the
    /// next round [`Forward::redundancy`] says how many, if its losses make it worthwhile.
    pub fn set_takes_redundancy(&mut self, slot: SlotKey, takes: bool) {
        let Some(slot) = self.slots.index(slot).and_then(|index| self.slots.at_mut(index)) else { return };
        slot.takes_redundancy = takes;
        if !takes {
            slot.redundancy = 0;
        }
    }

    pub fn detach(&mut self, slot: SlotKey, now: Instant) {
        let Some(index) = self.slots.index(slot) else { return };
        self.unlink(index);
        if let Some(known) = self.slots.at_mut(index) {
            known.detach();
            let participant = known.participant;
            self.reallocate(participant, now);
            self.chase_keyframes_for(participant, now);
        }
    }

    pub fn update_slot(&mut self, slot: SlotKey, settings: SlotSettings, now: Instant) {
        let Some(index) = self.slots.index(slot) else { return };
        let Some(known) = self.slots.at_mut(index) else { return };
        known.settings = settings;
        let participant = known.participant;
        self.reallocate(participant, now);
        self.raise_wanted(index);
        self.chase_keyframes_for(participant, now);
    }

    /// Routes one packet: pushes a [`Forward`] for each slot that gets it. `out` is not cleared.
    pub fn handle_rtp(&mut self, packet: &RtpIn<'_>, now: Instant, out: &mut Vec<Forward>) {
        let Some(track) = self.tracks.get_mut(&packet.track) else { return };
        if track.muted {
            track.pass(packet, now);
            return;
        }
        let Some(arrival) = track.receive(packet, now) else { return };
        let video = track.video();
        if video && arrival.packet.entry {
            self.throttle.satisfied((packet.track, packet.spatial));
        }
        if video && arrival.revived {
            // Before routing: the first packet is often the keyframe that is needed.
            self.reallocate_receivers(packet.track, now);
        }
        let Some(track) = self.tracks.get(&packet.track) else { return };
        let heard = !track.speech() || self.audible.hear(packet.track, packet.audio_level_dbov, now);
        for index in &track.subscribers {
            let Some(slot) = self.slots.at_mut(*index) else { continue };
            if !heard && !slot.pinned() {
                slot.withhold();
                continue;
            }
            let mut routed = slot.route(&arrival.packet, now);
            if let Some(forward) = routed.forward.as_mut().filter(|_| routed.begun && !video) {
                // Sound begins, or goes on after a silence (RFC 3551, section 4.1).
                forward.marker = true;
            }
            slot.viewing.sent = slot.viewing.sent.wrapping_add(u32::from(routed.forward.is_some()));
            out.extend(routed.forward);
            if let Some(spatial) = slot.shown().filter(|_| routed.switched && video) {
                self.outputs.push(Output::SlotLayer { slot: slot.key, spatial });
            }
        }
        let missed = arrival.packet.entry && !arrival.packet.newest;
        if video && (arrival.revived || missed) {
            self.chase_keyframes_of(packet.track, now);
        }
    }

    /// A subscriber asked for a keyframe (PLI or FIR) on a slot.
    pub fn handle_keyframe_request(&mut self, slot: SlotKey, now: Instant) {
        let Some(slot) = self.slots.index(slot).and_then(|index| self.slots.at(index)) else { return };
        let Some(track) = slot.track.and_then(|key| self.tracks.get(&key)) else { return };
        let (key, Some(spatial)) = (track.config.key, slot.refresh_layer(track)) else { return };
        if track.video() && !track.muted && self.throttle.request((key, spatial), now) {
            self.outputs.push(Output::RequestKeyframe { track: key, spatial });
        }
    }

    /// The highest layer that is watched in another part of the room (a part is a `Room` of its own,
    /// to which the track is relayed); `None` = it is not watched there.
    pub fn set_wanted_elsewhere(&mut self, track: TrackKey, part: PartKey, wanted: Option<Spatial>) {
        let Some(known) = self.tracks.get_mut(&track) else { return };
        known.set_wanted_elsewhere(part, wanted);
        let top = known.top();
        if let Some(spatial) = wanted.and_then(|wanted| known.dynacast.raise(wanted.min(top), top)) {
            self.outputs.push(Output::WantedLayer { track, spatial });
        }
    }

    /// Another part of the room needs a keyframe. Merged with the requests of this one.
    pub fn handle_keyframe_request_elsewhere(&mut self, track: TrackKey, spatial: Spatial, now: Instant) {
        let Some(known) = self.tracks.get(&track) else { return };
        let wanted = known.video() && !known.muted && spatial <= known.top();
        let spatial = known.carrier(spatial);
        if wanted && self.throttle.request((track, spatial), now) {
            self.outputs.push(Output::RequestKeyframe { track, spatial });
        }
    }

    /// A new bandwidth estimate for what goes to `participant`, in bits per second; 0 = nothing comes through.
    pub fn handle_estimate(&mut self, participant: ParticipantKey, bps: u64, now: Instant) {
        let Some(owner) = self.participants.get_mut(&participant) else { return };
        let first = owner.estimate_bps.is_none();
        owner.estimate_bps = Some(bps);
        if first || decide::worth_allocating(owner.allocated_bps, bps) {
            self.reallocate(participant, now);
            self.chase_keyframes_for(participant, now);
        }
    }

    pub fn handle_link_stats(&mut self, participant: ParticipantKey, stats: LinkStats, now: Instant) {
        let Some(owner) = self.participants.get_mut(&participant) else { return };
        // What it changes takes effect with the next round.
        owner.redundancy.update(stats.loss_down, now);
        if let Some((quality, score)) = owner.quality.update(&stats) {
            self.outputs.push(Output::Quality { participant, quality, score });
        }
    }

    pub fn handle_timeout(&mut self, now: Instant) {
        self.run_timers(now);
    }

    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.queue.pop_front()
    }

    /// Outputs dropped because they were not polled.
    pub fn outputs_lost(&self) -> u64 {
        self.outputs.lost
    }

    /// When [`Room::handle_timeout`] is wanted next, and why.
    pub fn poll_timeout(&self) -> Option<(Instant, TimeoutReason)> {
        self.timers.next(self.throttle.next())
    }

    /// The layer a slot shows now.
    pub fn slot_layer(&self, slot: SlotKey) -> Option<Spatial> {
        self.slots.at(self.slots.index(slot)?)?.shown()
    }

    /// The layer that each slot shows which is to show video; `None` = it waits for bandwidth or
    /// for a keyframe.
    pub fn video_slots(&self) -> impl Iterator<Item = Option<Spatial>> {
        self.slots.iter().filter_map(|slot| {
            let track = self.tracks.get(&slot.track?)?;
            (track.video() && !track.muted && slot.settings.enabled).then(|| slot.shown())
        })
    }

    /// Takes the slot off the receivers of its track.
    fn unlink(&mut self, index: SlotIndex) {
        let track = self.slots.at(index).and_then(|slot| slot.track);
        if let Some(track) = track.and_then(|key| self.tracks.get_mut(&key)) {
            track.subscribers.retain(|other| *other != index);
        }
    }

    fn drop_slot(&mut self, index: SlotIndex) -> Option<ParticipantKey> {
        self.unlink(index);
        self.slots.remove(index).map(|slot| slot.participant)
    }

    fn drop_track(&mut self, track: TrackKey, now: Instant) {
        let Some(gone) = self.tracks.remove(&track) else { return };
        self.throttle.forget(track);
        self.audible.leave(track);
        if gone.cap.cuts() {
            self.tell_capped(gone.config.publisher);
        }
        for index in gone.subscribers {
            let Some(slot) = self.slots.at_mut(index) else { continue };
            slot.detach();
            let participant = slot.participant;
            self.reallocate(participant, now);
            self.chase_keyframes_for(participant, now);
        }
    }
}
