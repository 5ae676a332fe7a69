//! What can go out to a participant: from the feedback on a connection to the core, and probes back.

use parley_media_core::{ParticipantKey, WIRE_OVERHEAD_BYTES};
use str0m::{
    bwe::{Bitrate, PacketFeedback, ProbeId},
    rtp::Ssrc,
};

use super::{
    Context, RoomState,
    subscribe::{RESEND_AGE, RESEND_SHARE},
};
use crate::{
    arena::Key,
    bandwidth::{PACED_MIN_BPS, Packet, Verdict},
    codecs::RESEND_PACKETS_VIDEO,
};

/// Share of what is sent that may be sent again while the link is congested.
const RESEND_SHARE_CONGESTED: f32 = 0.05;

impl RoomState {
    /// Transport-wide feedback has come.
    pub(crate) fn on_feedback(&mut self, ctx: &mut Context<'_>, from: Key, feedback: &[PacketFeedback]) {
        let Some(peer) = ctx.peers.get(from) else { return };
        let participant = peer.participant;
        let Some(state) = self.participants.get_mut(&participant) else { return };
        if state.outgoing() != from {
            return;
        }
        let mut packets = std::mem::take(&mut self.reported);
        packets.extend(feedback.iter().map(|packet| Packet {
            sent: packet.sent,
            received: packet.received,
            bytes: (packet.size + WIRE_OVERHEAD_BYTES) as u64,
            probe: packet.probe,
        }));
        let verdict = state.bandwidth.feedback(&packets, ctx.now);
        packets.clear();
        self.reported = packets;
        self.take_verdict(ctx, participant, verdict);
    }

    /// Every [`bandwidth::TICK`][crate::bandwidth::TICK]: something may be missing.
    pub(crate) fn watch_feedback(&mut self, ctx: &mut Context<'_>) {
        let participants: Vec<ParticipantKey> = self.participants.keys().copied().collect();
        for participant in participants {
            self.watch_feedback_of(ctx, participant);
        }
    }

    fn watch_feedback_of(&mut self, ctx: &mut Context<'_>, participant: ParticipantKey) {
        let Some(state) = self.participants.get_mut(&participant) else { return };
        // Only reads, so the connection need not be looked at again.
        let peer = ctx.peers.get_mut(state.outgoing());
        let unreported = peer.and_then(|peer| peer.with(ctx.metrics, |rtc| rtc.bwe().unreported()).flatten());
        let verdict = state.bandwidth.tick(unreported, ctx.now);
        self.take_verdict(ctx, participant, verdict);
    }

    /// Media to a client goes another way.
    pub(crate) fn path_moved(&mut self, ctx: &Context<'_>, key: Key) {
        let Some(participant) = ctx.peers.get(key).map(|peer| peer.participant) else { return };
        let Some(state) = self.participants.get_mut(&participant) else { return };
        if state.outgoing() == key {
            state.bandwidth.moved(ctx.now);
        }
    }

    /// The core tells what it could use.
    pub(super) fn desire(&mut self, ctx: &mut Context<'_>, participant: ParticipantKey, bps: u64) {
        let Some(state) = self.participants.get_mut(&participant) else { return };
        state.bandwidth.desire(bps);
        self.probe(ctx, participant);
    }

    fn take_verdict(&mut self, ctx: &mut Context<'_>, participant: ParticipantKey, verdict: Verdict) {
        let Some(state) = self.participants.get_mut(&participant) else { return };
        let outgoing = state.outgoing();
        let changed = state.verdict.replace(verdict);
        if changed != Some(verdict) {
            let Verdict { estimate_bps, congested } = verdict;
            tracing::trace!(?participant, estimate_bps, congested, "estimate");
            let paced = Bitrate::from(estimate_bps.max(PACED_MIN_BPS));
            ctx.with(outgoing, |rtc| rtc.bwe().set_estimate(paced, congested));
            if changed.is_some_and(|before| before.congested) != congested {
                self.limit_resending(ctx, participant, congested);
            }
            ctx.metrics.estimate_bps.observe(estimate_bps as f64);
            self.core.handle_estimate(participant, estimate_bps, ctx.now);
            self.dirty = true;
        }
        self.probe(ctx, participant);
    }

    fn probe(&mut self, ctx: &mut Context<'_>, participant: ParticipantKey) {
        let Some(state) = self.participants.get_mut(&participant) else { return };
        // A client may drop padding of a stream of which it has got nothing else, and report it as lost: that would
        // show a link that carries sound alone.
        let pictures = ctx.peers.get(state.outgoing()).is_some_and(|peer| peer.pictures);
        if state.bandwidth.is_assumed() && !pictures {
            return;
        }
        let Some((bps, length)) = state.bandwidth.probe(ctx.now) else { return };
        let started = ctx.with(state.outgoing(), |rtc| rtc.bwe().probe(Bitrate::from(bps), length)).flatten();
        if let Some(probe) = started {
            tracing::trace!(?participant, bps, ?length, "probe");
            state.bandwidth.probe_sent(probe, ctx.now);
        }
    }

    /// On a congested link what is sent again takes the place of what is new, of sound above
    /// all, and is lost again. What waited is forgotten.
    fn limit_resending(&mut self, ctx: &mut Context<'_>, participant: ParticipantKey, congested: bool) {
        let share = if congested { RESEND_SHARE_CONGESTED } else { RESEND_SHARE };
        for slot in self.slots.values().filter(|slot| slot.owner == participant) {
            let ssrc: Ssrc = slot.ssrc;
            ctx.with(slot.peer, |rtc| {
                if let Some(stream) = rtc.direct_api().stream_tx(&ssrc) {
                    stream.set_rtx_cache(RESEND_PACKETS_VIDEO, RESEND_AGE, Some(share));
                }
            });
        }
    }
}

/// Feedback on its way to the estimate, kept to spare the allocator.
pub(super) type Reports = Vec<Packet<ProbeId>>;
