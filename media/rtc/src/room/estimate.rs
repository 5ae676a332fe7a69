//! Estimates of what can go out: from the state machine of a connection to the core, and what
//! it is to look for back.

use parley_media_core::ParticipantKey;
use str0m::{bwe::Bitrate, stats::PeerStats};

use super::{
    Context, RoomState,
    subscribe::{RESEND_AGE, RESEND_SHARE},
};
use crate::{arena::Key, codecs::RESEND_PACKETS_VIDEO, egress::Sample};

/// Share of what is sent that may be sent again while the link is overloaded.
const RESEND_SHARE_OVERLOADED: f32 = 0.05;

impl RoomState {
    /// The state machine tells the average of its estimates.
    pub(crate) fn on_estimate(&mut self, ctx: &mut Context<'_>, from: Key, estimate: Bitrate) {
        let Some(peer) = ctx.peers.get(from) else { return };
        let participant = peer.participant;
        let Some(state) = self.participants.get_mut(&participant) else { return };
        if state.outgoing() == from
            && let Some(bps) = state.egress.told(estimate.as_u64())
        {
            self.take_estimate(ctx, participant, bps);
        }
    }

    /// Media to a client goes another way.
    pub(crate) fn path_moved(&mut self, ctx: &mut Context<'_>, key: Key) {
        let Some(participant) = ctx.peers.get(key).map(|peer| peer.participant) else { return };
        let Some(state) = self.participants.get_mut(&participant) else { return };
        if state.outgoing() == key
            && let Some(bps) = state.egress.moved(ctx.now)
        {
            ctx.with(key, |rtc| rtc.bwe().reset(Bitrate::from(bps)));
        }
    }

    /// Its statistics hold the estimate itself.
    pub(super) fn sample_estimate(
        &mut self,
        ctx: &mut Context<'_>,
        from: Key,
        participant: ParticipantKey,
        stats: &PeerStats,
    ) {
        let Some(state) = self.participants.get_mut(&participant) else { return };
        let sample = Sample {
            estimate_bps: stats.bwe_tx.map(|estimate| estimate.as_u64()),
            loss: stats.egress_loss_fraction.unwrap_or(0.0),
            round_trip: stats.rtt,
            bytes: stats.bytes_tx,
        };
        let verdict = state.egress.sample(&sample, ctx.now);
        tracing::trace!(?participant, ?sample, ?verdict, "sample");
        if let Some(bps) = verdict.restart_bps {
            ctx.with(from, |rtc| rtc.bwe().reset(Bitrate::from(bps)));
        }
        if let Some(overloaded) = verdict.overloaded {
            self.limit_resending(ctx, participant, overloaded);
        }
        if let Some(bps) = verdict.estimate_bps {
            self.take_estimate(ctx, participant, bps);
        }
    }

    /// On an overloaded link what is sent again takes the place of what is new, of sound above
    /// all, and is lost again. What waited is forgotten.
    fn limit_resending(&mut self, ctx: &mut Context<'_>, participant: ParticipantKey, overloaded: bool) {
        let share = if overloaded { RESEND_SHARE_OVERLOADED } else { RESEND_SHARE };
        for slot in self.slots.values().filter(|slot| slot.owner == participant) {
            let ssrc = slot.ssrc;
            ctx.with(slot.peer, |rtc| {
                if let Some(stream) = rtc.direct_api().stream_tx(&ssrc) {
                    stream.set_rtx_cache(RESEND_PACKETS_VIDEO, RESEND_AGE, Some(share));
                }
            });
        }
    }

    fn take_estimate(&mut self, ctx: &mut Context<'_>, participant: ParticipantKey, bps: u64) {
        ctx.metrics.estimate_bps.observe(bps as f64);
        self.core.handle_estimate(participant, bps, ctx.now);
        self.dirty = true;
        self.seek(ctx, participant);
    }

    /// The core tells what it could use.
    pub(super) fn desire(
        &mut self,
        ctx: &mut Context<'_>,
        participant: ParticipantKey,
        bps: u64,
        possible_bps: u64,
    ) {
        let Some(state) = self.participants.get_mut(&participant) else { return };
        tracing::trace!(?participant, bps, possible_bps, "desired");
        state.egress.desire(bps, possible_bps);
        self.seek(ctx, participant);
    }

    fn seek(&mut self, ctx: &mut Context<'_>, participant: ParticipantKey) {
        let Some(state) = self.participants.get_mut(&participant) else { return };
        if let Some(bps) = state.egress.seek() {
            let outgoing = state.outgoing();
            ctx.with(outgoing, |rtc| rtc.bwe().set_bitrate(Bitrate::ZERO, Bitrate::from(bps)));
        }
    }
}
