//! Data messages of a room.

use bytes::Bytes;
use parley_media_core::ParticipantKey;
use str0m::channel::{ChannelData, ChannelId};

use super::{Context, RoomState};
use crate::{DataKind, MediaEvent, arena::Key, channels::Sent};

impl RoomState {
    pub(crate) fn on_channel_open(&mut self, ctx: &mut Context<'_>, key: Key, id: ChannelId, label: &str) {
        if let Some(peer) = ctx.peers.get_mut(key) {
            peer.with_channels(ctx.metrics, |channels, rtc| channels.opened(rtc, id, label));
        }
        self.resume_data(ctx, key);
    }

    pub(crate) fn on_channel_close(&mut self, ctx: &mut Context<'_>, key: Key, id: ChannelId) {
        if let Some(peer) = ctx.peers.get_mut(key) {
            peer.channels.closed(id);
        }
    }

    /// There is room again in a connection's buffer: what waits goes on.
    pub(crate) fn resume_data(&mut self, ctx: &mut Context<'_>, key: Key) {
        let Some(peer) = ctx.peers.get_mut(key) else { return };
        if peer.channels.is_waiting()
            && let Some(written) = peer.with_channels(ctx.metrics, crate::channels::Channels::resume)
            && written > 0
        {
            ctx.metrics.data_out.add(written);
            ctx.touch(key);
        }
    }

    /// A message came on a connection.
    pub(crate) fn on_data(&mut self, ctx: &mut Context<'_>, from: Key, data: ChannelData) {
        let Some(peer) = ctx.peers.get(from) else { return };
        let Some(kind) = peer.channels.kind(data.id) else { return };
        let participant = peer.participant;
        if data.data.len() > ctx.max_data_message {
            ctx.metrics.dropped_data.inc();
            return;
        }
        ctx.metrics.data_in.inc();
        if kind != DataKind::Reliable {
            let data = Bytes::from(data.data);
            self.events.tell(ctx.metrics, MediaEvent::Data { participant, kind, data });
            return;
        }
        let counted = peer.channels.unread.count(data.data);
        let told = counted.is_some_and(|data| {
            self.events.tell_reliable(ctx.metrics, MediaEvent::Data { participant, kind, data })
        });
        if !told {
            tracing::debug!("a client sends data faster than it is taken; its connection is closed");
            ctx.metrics.dropped_data.inc();
            self.peer_failed(ctx, from);
        }
    }

    /// Sends a message to each of `to` that is there.
    pub(crate) fn send_data(
        &mut self,
        ctx: &mut Context<'_>,
        to: &[ParticipantKey],
        kind: DataKind,
        data: &Bytes,
    ) {
        for participant in to {
            let Some(key) = self.participants.get(participant).map(super::Participant::outgoing) else {
                continue;
            };
            let Some(peer) = ctx.peers.get_mut(key) else { continue };
            let sent = peer.with_channels(ctx.metrics, |channels, rtc| channels.send(rtc, kind, data));
            ctx.touch(key);
            match sent {
                Some(Sent::Written) => ctx.metrics.data_out.inc(),
                Some(Sent::Waiting) => {}
                // Its channel is full, and so is the queue before it: the call goes on without
                // the message, which the client's SDK notices by the stream's numbers.
                Some(Sent::Dropped) => ctx.metrics.dropped_data.inc(),
                // The state machine broke; the drain reports it.
                None => {}
            }
        }
    }
}
