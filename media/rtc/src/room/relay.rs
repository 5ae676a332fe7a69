//! Tracks that go over to other parts of the room, and those that come from there.

use std::sync::Arc;

use parley_media_core::{MediaKind, PartKey, ParticipantKey, Spatial, TrackKey};
use str0m::rtp::RtpPacket;

use super::{Context, Origin, RoomState, Track};
use crate::{
    MediaError, TrackSpec,
    peer::Incoming,
    relay::{DistantPacket, Facts, Message, Outlet},
};

/// Sends to another part; what its inbox has no room for is counted and lost.
pub(super) fn send(ctx: &Context<'_>, to: &Outlet, message: Message) {
    if !to.send(message) {
        ctx.metrics.dropped_relay.inc();
    }
}

impl RoomState {
    /// Takes in a track whose publisher is in another part.
    pub(crate) fn import(
        &mut self,
        publisher: ParticipantKey,
        spec: TrackSpec,
        origin: Outlet,
    ) -> Result<(), MediaError> {
        if self.tracks.contains_key(&spec.key) {
            return Err(MediaError::Limit("the track is declared already"));
        }
        self.tracks.insert(spec.key, Track::new(publisher, spec, Some(origin)));
        Ok(())
    }

    /// Lets a track go over to another part.
    pub(crate) fn export(
        &mut self,
        ctx: &Context<'_>,
        track: TrackKey,
        target: Outlet,
    ) -> Result<(), MediaError> {
        let known = self.tracks.get_mut(&track).ok_or(MediaError::UnknownTrack)?;
        if known.exports.iter().any(|other| other.part == target.part) {
            return Ok(());
        }
        if let Some(started) = &known.started {
            send(ctx, &target, Message::Facts(Arc::clone(&started.facts)));
        }
        known.exports.push(target);
        self.exports += 1;
        Ok(())
    }

    pub(crate) fn end_export(&mut self, track: TrackKey, part: PartKey) -> Result<(), MediaError> {
        let known = self.tracks.get_mut(&track).ok_or(MediaError::UnknownTrack)?;
        let before = known.exports.len();
        known.exports.retain(|target| target.part != part);
        self.exports -= before - known.exports.len();
        self.core.set_wanted_elsewhere(track, part, None);
        Ok(())
    }

    /// Sends a packet to the parts to which its track goes.
    pub(super) fn relay(&self, ctx: &Context<'_>, track: TrackKey, incoming: &Incoming, packet: RtpPacket) {
        let Some(known) = self.tracks.get(&track).filter(|known| !known.exports.is_empty()) else { return };
        let Some(started) = &known.started else { return };
        let packet = Arc::new(packet);
        for target in &known.exports {
            let distant = DistantPacket {
                facts: Arc::clone(&started.facts),
                packet: Arc::clone(&packet),
                spatial: incoming.spatial,
                payload: incoming.payload,
            };
            send(ctx, target, Message::Packet(distant));
            ctx.metrics.relayed.inc();
        }
    }

    /// An imported track has started, or is described anew.
    pub(crate) fn on_facts(&mut self, ctx: &mut Context<'_>, facts: &Arc<Facts>) {
        let key = facts.config.key;
        let Some(track) = self.tracks.get_mut(&key).filter(|track| track.origin.is_some()) else { return };
        let begins = track.started.is_none();
        if track.start(facts) {
            let muted = track.muted;
            // For the core a publisher is a participant, wherever it is connected.
            self.core.add_participant(facts.config.publisher, ctx.now);
            self.core.add_track(facts.config.clone(), ctx.now);
            self.core.set_track_muted(key, muted, ctx.now);
        }
        for slot in self.slots.values_mut().filter(|slot| slot.track == Some(key)) {
            slot.payload = None;
        }
        self.dirty = true;
        if begins {
            self.negotiate_waiting(ctx, key);
        }
    }

    /// Routes a packet of an imported track.
    pub(crate) fn on_distant_packet(&mut self, ctx: &mut Context<'_>, distant: &DistantPacket) {
        let key = distant.facts.config.key;
        let Some(track) = self.tracks.get(&key).filter(|track| track.origin.is_some()) else { return };
        let current =
            track.started.as_ref().is_some_and(|started| Arc::ptr_eq(&started.facts, &distant.facts));
        if !current {
            self.on_facts(ctx, &distant.facts);
        }
        let incoming = Incoming { track: Some(key), spatial: distant.spatial, payload: distant.payload };
        self.route(ctx, Origin::Elsewhere(key), key, &incoming, &distant.packet);
    }

    pub(crate) fn on_distant_keyframe_request(
        &mut self,
        ctx: &Context<'_>,
        track: TrackKey,
        spatial: Spatial,
    ) {
        self.core.handle_keyframe_request_elsewhere(track, spatial, ctx.now);
        self.dirty = true;
    }

    pub(crate) fn on_distant_wanted(&mut self, track: TrackKey, part: PartKey, spatial: Option<Spatial>) {
        let exported = self
            .tracks
            .get(&track)
            .is_some_and(|known| known.exports.iter().any(|target| target.part == part));
        // Said before the way ended, and heard after.
        if exported {
            self.core.set_wanted_elsewhere(track, part, spatial);
            self.dirty = true;
        }
    }

    /// Tells the origins of imported video anew what is watched here: a message may have been lost.
    pub(super) fn repeat_wishes(&self, ctx: &Context<'_>) {
        for (key, track) in &self.tracks {
            if let Some(origin) = &track.origin
                && track.spec.kind == MediaKind::Video
                && track.started.is_some()
            {
                send(ctx, origin, Message::Wanted(*key, self.part, track.wanted));
            }
        }
    }

    /// After the last imported track of a publisher the core forgets it as a participant.
    pub(super) fn forget_distant(&mut self, ctx: &Context<'_>, publisher: ParticipantKey) {
        let known = self.participants.contains_key(&publisher)
            || self.tracks.values().any(|track| track.participant == publisher);
        if !known {
            self.core.remove_participant(publisher, ctx.now);
        }
    }
}
