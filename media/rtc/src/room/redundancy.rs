//! Redundant sound both ways: earlier frames put beside the newest for those who lose packets, and
//! frames that were lost taken out of redundant packets for those who cannot do that themselves.

use std::sync::Arc;

use parley_media_core::{
    RtpIn, TrackKey,
    red::{self, REDUNDANT_MAX, Red},
};
use str0m::{media::Pt, rtp::RtpPacket};

use super::{
    Context, Origin, RoomState,
    route::{Outgoing, rtp_in},
};
use crate::peer::Incoming;

/// MIME type of sound that is left as it is: the client wishes it, or encrypts whole packets.
const PLAIN: &str = "audio/opus";

/// One frame of sound.
#[derive(Clone, Debug)]
struct Frame {
    sequence: u64,
    timestamp: u32,
    payload: Arc<[u8]>,
}

/// The last frames of a track that went out, newest first.
#[derive(Debug, Default)]
pub(super) struct Earlier {
    frames: [Option<Frame>; REDUNDANT_MAX],
}

impl Earlier {
    fn newest(&self) -> Option<(u64, u32)> {
        self.frames[0].as_ref().map(|frame| (frame.sequence, frame.timestamp))
    }

    fn note(&mut self, packet: &RtpPacket) {
        let sequence = *packet.seq_no;
        if self.newest().is_some_and(|(newest, _)| sequence <= newest) {
            return;
        }
        self.frames.rotate_right(1);
        let timestamp = packet.header.timestamp;
        self.frames[0] = Some(Frame { sequence, timestamp, payload: Arc::clone(&packet.payload) });
    }

    /// The packet with up to `count` frames before it, as far as they are those next to it. `None`:
    /// there are none, so it goes out by itself.
    pub(super) fn pack(&self, packet: &RtpPacket, kind: Pt, count: u8) -> Option<Arc<[u8]>> {
        let next_to = |(frame, distance): &(&Frame, u64)| frame.sequence + distance == *packet.seq_no;
        let before = self.frames.iter().take(usize::from(count)).map_while(Option::as_ref);
        let mut frames = [(0, &[][..]); REDUNDANT_MAX];
        let mut first = REDUNDANT_MAX;
        for (frame, _) in before.zip(1..).take_while(next_to) {
            first -= 1;
            frames[first] = (packet.header.timestamp.wrapping_sub(frame.timestamp), &frame.payload[..]);
        }
        if first == REDUNDANT_MAX {
            return None;
        }
        let mut bytes = Vec::new();
        (red::write(*kind, &frames[first..], &packet.payload, &mut bytes) > 0).then(|| bytes.into())
    }
}

impl RoomState {
    /// Takes the last frames of a track of sound, while one more is on its way.
    pub(super) fn earlier(&mut self, track: TrackKey) -> Earlier {
        self.tracks.get_mut(&track).map(|known| std::mem::take(&mut known.earlier)).unwrap_or_default()
    }

    /// Puts them back with the one that came. What went to nobody must not come to anybody later.
    pub(super) fn note_sound(
        &mut self,
        track: TrackKey,
        packet: &RtpPacket,
        mut earlier: Earlier,
        sent: bool,
    ) {
        let Some(known) = self.tracks.get_mut(&track) else { return };
        if sent && known.spec.codec.as_deref() != Some(PLAIN) {
            earlier.note(packet);
        } else {
            earlier = Earlier::default();
        }
        known.earlier = earlier;
    }

    /// Routes the frames before a redundant packet that did not come, to those to whom the packet
    /// itself goes without its redundancy.
    pub(super) fn recover(
        &mut self,
        ctx: &mut Context<'_>,
        from: Origin,
        track: TrackKey,
        incoming: &Incoming,
        packet: &RtpPacket,
    ) {
        let newest = self.tracks.get(&track).and_then(|known| known.earlier.newest());
        let (Some(newest), Some(red)) = (newest, Red::parse(&packet.payload)) else { return };
        let rtp = rtp_in(track, incoming, packet);
        for (sequence, timestamp, payload) in red.recovers(*packet.seq_no, packet.header.timestamp, newest) {
            let lost = RtpIn { sequence, timestamp, payload, marker: false, sender_report: None, ..rtp };
            let mut forwards = std::mem::take(&mut self.forwards);
            self.core.handle_rtp(&lost, ctx.now, &mut forwards);
            if !forwards.is_empty() {
                ctx.metrics.recovered_sound.inc();
            }
            let mut outgoing = Outgoing::recovered(packet, incoming.payload, from, Arc::from(payload));
            for forward in forwards.drain(..) {
                self.write(ctx, &mut outgoing, &forward);
            }
            self.forwards = forwards;
        }
    }
}
