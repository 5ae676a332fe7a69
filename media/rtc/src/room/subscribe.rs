//! Who gets which track, and the streams on which it goes out.

use std::time::Duration;

use parley_media_core::{MediaKind, ParticipantKey, SlotKey, TrackKey};
use str0m::{media::Mid, rtp::Ssrc};

use super::{Context, Negotiation, Origin, RoomState, SUBSCRIPTIONS_PER_PARTICIPANT, Slot, Subscription};
use crate::{MediaError, MediaEvent, SlotSettings, arena::Key, codecs::RESEND_PACKETS_VIDEO};

/// How long a packet can be asked for again. After a longer standstill a receiver asks for a keyframe
/// instead, and what is kept takes half a KiB a packet, which goes through the processor's cache.
pub(super) const RESEND_AGE: Duration = Duration::from_secs(1);
/// Share of what is sent that may be sent again; beyond it requests are dropped. On a link that loses a fifth in
/// bursts, the usual bound of 15 % would leave most pictures without some of their packets.
pub(super) const RESEND_SHARE: f32 = 0.4;

impl RoomState {
    pub(crate) fn subscribe(
        &mut self,
        ctx: &mut Context<'_>,
        participant: ParticipantKey,
        track: TrackKey,
        settings: SlotSettings,
    ) -> Result<(), MediaError> {
        let state = self.participants.get_mut(&participant).ok_or(MediaError::UnknownParticipant)?;
        let known = self.tracks.get(&track).ok_or(MediaError::UnknownTrack)?;
        if state.subscription(track).is_some() {
            return self.update_subscription(ctx, participant, track, settings);
        }
        if state.subscriptions.len() >= SUBSCRIPTIONS_PER_PARTICIPANT {
            return Err(MediaError::Limit("subscriptions of a participant"));
        }
        state.subscriptions.push(Subscription { track, settings, mid: None, slot: None });
        if known.started.is_some() {
            self.negotiate(ctx, participant);
        }
        Ok(())
    }

    pub(crate) fn unsubscribe(
        &mut self,
        ctx: &mut Context<'_>,
        participant: ParticipantKey,
        track: TrackKey,
    ) -> Result<(), MediaError> {
        let state = self.participants.get_mut(&participant).ok_or(MediaError::UnknownParticipant)?;
        if state.subscription(track).is_none() {
            return Err(MediaError::UnknownTrack);
        }
        self.drop_subscription(ctx, participant, track);
        Ok(())
    }

    pub(crate) fn update_subscription(
        &mut self,
        ctx: &mut Context<'_>,
        participant: ParticipantKey,
        track: TrackKey,
        settings: SlotSettings,
    ) -> Result<(), MediaError> {
        let state = self.participants.get_mut(&participant).ok_or(MediaError::UnknownParticipant)?;
        let subscription = state.subscription(track).ok_or(MediaError::UnknownTrack)?;
        subscription.settings = settings;
        if let Some(slot) = subscription.slot {
            self.core.update_slot(slot, settings, ctx.now);
            self.dirty = true;
        }
        Ok(())
    }

    /// Ends a subscription; its section is free after the next negotiation.
    pub(super) fn drop_subscription(
        &mut self,
        ctx: &mut Context<'_>,
        participant: ParticipantKey,
        track: TrackKey,
    ) {
        let Some(state) = self.participants.get_mut(&participant) else { return };
        let Some(place) = state.subscriptions.iter().position(|subscription| subscription.track == track)
        else {
            return;
        };
        let gone = state.subscriptions.remove(place);
        match &mut state.negotiation {
            Negotiation::Single(single) => single.release(track),
            Negotiation::Dual { sections, .. } => sections.release(track),
        }
        if let Some(slot) = gone.slot {
            self.silence(ctx, slot);
        }
        if gone.mid.is_some() {
            self.negotiate(ctx, participant);
        }
    }

    /// The tracks of a participant that wait for a section, in their order.
    pub(super) fn waiting(&self, participant: ParticipantKey) -> Vec<(TrackKey, MediaKind)> {
        let Some(state) = self.participants.get(&participant) else { return Vec::new() };
        let waiting = state.subscriptions.iter().filter(|subscription| subscription.mid.is_none());
        waiting
            .filter_map(|subscription| {
                let track = self.tracks.get(&subscription.track)?;
                track.started.as_ref()?;
                Some((subscription.track, track.spec.kind))
            })
            .collect()
    }

    /// A section is negotiated: the track goes out on it from now on.
    pub(super) fn show(
        &mut self,
        ctx: &mut Context<'_>,
        participant: ParticipantKey,
        track: TrackKey,
        mid: &str,
    ) {
        let Some(peer) = self.participants.get(&participant).map(super::Participant::outgoing) else {
            return;
        };
        let Some(slot) = self.slot_of(ctx, participant, peer, Mid::from(mid)) else { return };
        let state = self.participants.get_mut(&participant);
        let Some(subscription) = state.and_then(|state| state.subscription(track)) else { return };
        subscription.slot = Some(slot);
        let settings = subscription.settings;
        if let Some(slot) = self.slots.get_mut(&slot) {
            slot.track = Some(track);
            slot.payload = None;
        }
        self.core.attach(slot, track, settings, ctx.now);
        self.dirty = true;
        self.events.tell(ctx.metrics, MediaEvent::Subscribed { participant, track });
    }

    /// Nothing goes out on a slot from now on; it stays for the next track.
    pub(super) fn silence(&mut self, ctx: &Context<'_>, key: SlotKey) {
        let Some(slot) = self.slots.get_mut(&key) else { return };
        slot.track = None;
        self.core.detach(key, ctx.now);
        self.dirty = true;
    }

    /// A section is gone, and its stream with it.
    pub(super) fn remove_slot(&mut self, ctx: &Context<'_>, peer: Key, mid: &str) {
        if let Some(slot) = self.by_section.remove(&(peer, Mid::from(mid))) {
            self.slots.remove(&slot);
            self.core.remove_slot(slot, ctx.now);
            self.dirty = true;
        }
    }

    /// Payload types may have changed.
    pub(super) fn forget_payloads(&mut self, peer: Key) {
        for slot in self.slots.values_mut() {
            if slot.peer == peer || slot.payload.is_some_and(|(from, ..)| from == Origin::Here(peer)) {
                slot.payload = None;
            }
        }
    }

    /// The slot of a section; made when the section is used for the first time.
    fn slot_of(
        &mut self,
        ctx: &mut Context<'_>,
        owner: ParticipantKey,
        peer: Key,
        mid: Mid,
    ) -> Option<SlotKey> {
        if let Some(slot) = self.by_section.get(&(peer, mid)) {
            return Some(*slot);
        }
        let ssrc: Ssrc = ctx
            .with(peer, |rtc| {
                let mut api = rtc.direct_api();
                let stream = api.stream_tx_by_mid(mid, None)?;
                // The publisher has paced it. To pace it again, at little more than the estimate,
                // would hold a keyframe back for as long as its bytes take, and split the bursts
                // that go out in one call.
                stream.set_unpaced(true);
                stream.set_rtx_cache(RESEND_PACKETS_VIDEO, RESEND_AGE, Some(RESEND_SHARE));
                Some(stream.ssrc())
            })
            .flatten()?;
        let key = SlotKey(self.next_slot);
        self.next_slot = self.next_slot.checked_add(1)?;
        self.slots.insert(key, Slot { peer, mid, ssrc, owner, track: None, payload: None });
        self.by_section.insert((peer, mid), key);
        self.core.add_slot(key, owner);
        Some(key)
    }
}
