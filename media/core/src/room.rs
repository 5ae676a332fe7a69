//! One room: tracks, slots and the decisions between them.

use std::time::Instant;

use crate::{
    Forward, LinkStats, Output, ParticipantKey, RtpIn, SlotKey, SlotSettings, Spatial, TimeoutReason,
    TrackConfig, TrackKey,
};

/// The routing state of one room. See the crate's documentation.
#[derive(Debug, Default)]
pub struct Room {}

#[allow(unused_variables, clippy::todo, clippy::unused_self)]
impl Room {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn add_participant(&mut self, participant: ParticipantKey, now: Instant) {}

    /// Forgets the participant, its tracks (slots showing them are detached) and its slots.
    pub fn remove_participant(&mut self, participant: ParticipantKey, now: Instant) {}

    /// Adds a track. Replaces one of the same key (codec or layers changed).
    pub fn add_track(&mut self, config: TrackConfig, now: Instant) {}

    pub fn remove_track(&mut self, track: TrackKey, now: Instant) {}

    pub fn set_track_muted(&mut self, track: TrackKey, muted: bool, now: Instant) {}

    /// Adds an outgoing stream of `participant`, on which tracks are shown one after the other.
    pub fn add_slot(&mut self, slot: SlotKey, participant: ParticipantKey) {}

    pub fn remove_slot(&mut self, slot: SlotKey, now: Instant) {}

    /// Shows `track` on `slot`; video starts at its next keyframe, which is requested.
    pub fn attach(&mut self, slot: SlotKey, track: TrackKey, settings: SlotSettings, now: Instant) {}

    pub fn detach(&mut self, slot: SlotKey, now: Instant) {}

    pub fn update_slot(&mut self, slot: SlotKey, settings: SlotSettings, now: Instant) {}

    /// Routes one packet: pushes a [`Forward`] for each slot that gets it. `out` is not cleared.
    pub fn handle_rtp(&mut self, packet: &RtpIn<'_>, now: Instant, out: &mut Vec<Forward>) {}

    /// A subscriber asked for a keyframe (PLI or FIR) on a slot.
    pub fn handle_keyframe_request(&mut self, slot: SlotKey, now: Instant) {}

    /// A new bandwidth estimate for what goes to `participant`, in bits per second.
    pub fn handle_estimate(&mut self, participant: ParticipantKey, bps: u64, now: Instant) {}

    pub fn handle_link_stats(&mut self, participant: ParticipantKey, stats: LinkStats, now: Instant) {}

    pub fn handle_timeout(&mut self, now: Instant) {}

    pub fn poll_output(&mut self) -> Option<Output> {
        None
    }

    /// When [`Room::handle_timeout`] is wanted next, and why.
    pub fn poll_timeout(&self) -> Option<(Instant, TimeoutReason)> {
        None
    }

    /// The layer a slot shows now.
    pub fn slot_layer(&self, slot: SlotKey) -> Option<Spatial> {
        None
    }
}
