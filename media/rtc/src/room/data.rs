//! Data messages of a room.

use bytes::Bytes;
use parley_media_core::ParticipantKey;
use str0m::channel::{ChannelData, ChannelId};

use super::{Context, RoomState};
use crate::{DataKind, MediaError, MediaEvent, arena::Key, channels::Sent};

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
        let data = Bytes::from(data.data);
        self.events.tell(ctx.metrics, MediaEvent::Data { participant, kind, data });
    }

    /// Sends a message to each of `to` that is there.
    pub(crate) fn send_data(
        &mut self,
        ctx: &mut Context<'_>,
        to: &[ParticipantKey],
        kind: DataKind,
        data: &Bytes,
    ) -> Result<(), MediaError> {
        if data.len() > ctx.max_data_message {
            return Err(MediaError::Limit("size of a data message"));
        }
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
                Some(Sent::Dropped) => ctx.metrics.dropped_data.inc(),
                Some(Sent::Overflow) => {
                    tracing::debug!("a client does not read its data; its connection is closed");
                    self.peer_failed(ctx, key);
                }
                // The state machine broke; the drain reports it.
                None => {}
            }
        }
        Ok(())
    }
}
