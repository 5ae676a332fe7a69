//! The way of a packet: from a publisher's connection through the core to the receivers'.

use std::{sync::Arc, time::SystemTime};

use parley_media_core::{
    Codec, Forward, ParticipantKey, Room, RtpIn, SenderReport, SlotKey, Spatial, TrackKey, red::Red,
};
use str0m::{
    media::{KeyframeRequestKind, Mid, Pt},
    rtp::{ExtensionValues, RtpPacket, Vp8Descriptor, Vp8Patch, rtcp::SenderInfo},
};

use super::{Context, Origin, RoomState, Slot, redundancy::Earlier, relay::send};
use crate::{
    MediaEvent, StreamState,
    arena::Key,
    codecs::{InPayload, OutPayload, mime},
    descriptor,
    outgoing::Written,
    peer::Incoming,
    relay::Message,
};

/// A packet on its way, with what is worked out at most once for all receivers.
pub(super) struct Outgoing<'a> {
    packet: &'a RtpPacket,
    payload: InPayload,
    from: Origin,
    video: bool,
    vp8: Option<Vp8Descriptor>,
    /// What goes on of the header extensions; `Some(None)` = nothing.
    values: Option<Option<Arc<ExtensionValues>>>,
    /// The primary block of a redundant packet; `Some(None)` = there is none.
    primary: Option<Option<Arc<[u8]>>>,
    /// It was lost, and is taken out of the packet after it.
    recovered: bool,
    /// The frames before it.
    earlier: Earlier,
    /// The last packet made with some of them, of which payload type and with how many.
    packed: Option<Packed>,
}

/// A packet with frames before it, if there are any, for receivers of one kind.
struct Packed {
    plain: Pt,
    count: u8,
    payload: Option<Arc<[u8]>>,
}

impl RoomState {
    /// Routes one received packet, here and in the other parts to which its track goes.
    pub(crate) fn on_rtp(&mut self, ctx: &mut Context<'_>, from: Key, packet: RtpPacket) {
        let (ssrc, pt) = (packet.header.ssrc, packet.header.payload_type);
        let known = ctx.peers.get(from).and_then(|peer| peer.incoming(ssrc, pt));
        let Some(incoming) = known.or_else(|| self.resolve_incoming(ctx, from, ssrc, pt)) else { return };
        let Some(track) = incoming.track else {
            ctx.metrics.dropped_untracked_rtp.inc();
            return;
        };
        ctx.metrics.rtp_in.inc();
        if !self.core.admit(track, incoming.spatial, packet.payload.len(), ctx.now) {
            ctx.metrics.dropped_over_cap.inc();
            return;
        }
        self.route(ctx, Origin::Here(from), track, &incoming, &packet);
        if self.exports > 0 {
            self.relay(ctx, track, &incoming, packet);
        }
    }

    pub(super) fn route(
        &mut self,
        ctx: &mut Context<'_>,
        from: Origin,
        track: TrackKey,
        incoming: &Incoming,
        packet: &RtpPacket,
    ) {
        let rtp = rtp_in(track, incoming, packet);
        let video = incoming.payload.params.spec().codec.is_video();
        if incoming.payload.red {
            self.recover(ctx, from, track, incoming, packet);
        }
        let mut forwards = std::mem::take(&mut self.forwards);
        self.core.handle_rtp(&rtp, ctx.now, &mut forwards);
        self.dirty = true;
        let mut earlier = if video { Earlier::default() } else { self.earlier(track) };
        let sent = !forwards.is_empty();
        if sent {
            let payload = incoming.payload;
            let vp8 = forwards.iter().any(|forward| forward.vp8.is_some());
            let vp8 = if vp8 { Vp8Descriptor::parse(&packet.payload).ok() } else { None };
            let mut outgoing = Outgoing { video, vp8, earlier, ..Outgoing::new(packet, payload, from) };
            for forward in forwards.drain(..) {
                self.write(ctx, &mut outgoing, &forward);
            }
            earlier = outgoing.earlier;
        }
        self.forwards = forwards;
        if !video {
            self.note_sound(track, packet, earlier, sent);
        }
    }

    pub(super) fn write(&mut self, ctx: &mut Context<'_>, outgoing: &mut Outgoing<'_>, forward: &Forward) {
        let Some(slot) = self.slots.get_mut(&forward.slot) else { return };
        let (pt, payload) = match payload_for(slot, ctx, &mut self.core, forward.slot, outgoing) {
            // Whoever gets the redundancy has it from there.
            OutPayload::Whole(_) | OutPayload::Redundant { .. } if outgoing.recovered => return,
            OutPayload::Whole(pt) => (pt, renumbered(&outgoing.packet.payload, forward)),
            OutPayload::Redundant { plain, red } => match outgoing.packed(plain, forward.redundancy) {
                Some(packed) => {
                    ctx.metrics.redundant_out.inc();
                    (red, packed)
                }
                None => (plain, Arc::clone(&outgoing.packet.payload)),
            },
            OutPayload::Primary(pt) => match outgoing.primary() {
                Some(primary) => (pt, primary),
                None => return,
            },
            OutPayload::Impossible => {
                ctx.metrics.dropped_no_payload_type.inc();
                return;
            }
        };
        let written = Written {
            ssrc: slot.ssrc,
            pt,
            sequence: forward.sequence,
            timestamp: forward.timestamp,
            marker: forward.marker,
            nackable: outgoing.video,
            at: ctx.now,
            payload,
            vp8: vp8_patch(outgoing.vp8.as_ref(), forward),
            values: outgoing.values(forward),
        };
        ctx.write(slot.peer, written);
    }

    /// A receiver asks for a keyframe of what a section shows.
    pub(crate) fn on_keyframe_request(&mut self, ctx: &mut Context<'_>, from: Key, mid: Mid) {
        ctx.metrics.keyframe_requests_in.inc();
        if let Some(slot) = self.by_section.get(&(from, mid)) {
            self.core.handle_keyframe_request(*slot, ctx.now);
            self.dirty = true;
        }
    }

    pub(super) fn request_keyframe(&mut self, ctx: &mut Context<'_>, track: TrackKey, spatial: Spatial) {
        let Some(known) = self.tracks.get(&track) else { return };
        if let Some(origin) = &known.origin {
            send(ctx, origin, Message::Keyframe(track, spatial));
            return;
        }
        let Some(started) = &known.started else { return };
        let Some((_, rid)) = started.layers.iter().find(|(layer, _)| *layer == spatial) else { return };
        let Some(publisher) = self.participants.get(&known.participant).map(|state| state.publisher) else {
            return;
        };
        let (mid, rid) = (started.mid, *rid);
        ctx.metrics.keyframes_requested.inc();
        ctx.with(publisher, |rtc| {
            if let Some(stream) = rtc.direct_api().stream_rx_by_mid(mid, rid) {
                stream.request_keyframe(KeyframeRequestKind::Pli);
            }
        });
    }

    pub(super) fn tell_wanted(&mut self, ctx: &Context<'_>, track: TrackKey, spatial: Option<Spatial>) {
        let Some(known) = self.tracks.get_mut(&track) else { return };
        if let Some(origin) = &known.origin {
            known.wanted = spatial;
            send(ctx, origin, Message::Wanted(track, self.part, spatial));
            return;
        }
        let Some(started) = &known.started else { return };
        let event = MediaEvent::SubscribedQuality {
            publisher: known.participant,
            track,
            mime: mime(started.codec).to_owned(),
            max: spatial.map(|spatial| spatial.0),
        };
        self.events.tell(ctx.metrics, event);
    }

    pub(super) fn tell_paused(&mut self, ctx: &Context<'_>, changes: &[(parley_media_core::SlotKey, bool)]) {
        let mut told: Vec<(ParticipantKey, Vec<(TrackKey, StreamState)>)> = Vec::new();
        for (slot, paused) in changes {
            let Some(slot) = self.slots.get(slot) else { continue };
            let Some(track) = slot.track else { continue };
            let state = (track, if *paused { StreamState::Paused } else { StreamState::Active });
            match told.iter_mut().find(|(owner, _)| *owner == slot.owner) {
                Some((_, states)) => states.push(state),
                None => told.push((slot.owner, vec![state])),
            }
        }
        for (participant, states) in told {
            self.events.tell(ctx.metrics, MediaEvent::StreamStates { participant, states });
        }
    }
}

impl<'a> Outgoing<'a> {
    fn new(packet: &'a RtpPacket, payload: InPayload, from: Origin) -> Self {
        Self {
            packet,
            payload,
            from,
            video: false,
            vp8: None,
            values: None,
            primary: None,
            recovered: false,
            earlier: Earlier::default(),
            packed: None,
        }
    }

    /// A frame that was lost, out of the redundant `packet` after it.
    pub(super) fn recovered(
        packet: &'a RtpPacket,
        payload: InPayload,
        from: Origin,
        frame: Arc<[u8]>,
    ) -> Self {
        Self { primary: Some(Some(frame)), recovered: true, ..Self::new(packet, payload, from) }
    }

    fn primary(&mut self) -> Option<Arc<[u8]>> {
        let payload = &self.packet.payload;
        self.primary.get_or_insert_with(|| Red::parse(payload).map(|red| Arc::from(red.primary))).clone()
    }

    /// The header extensions that go on with it, made once for all but those whose frames get other
    /// numbers. `None`: there are none.
    fn values(&mut self, forward: &Forward) -> Option<Arc<ExtensionValues>> {
        let packet = self.packet;
        let received = &packet.header.ext_vals;
        let described = self.payload.codec() == Some(Codec::Av1);
        if described && forward.frame_number.is_some() {
            let mut values = passed_on(received);
            descriptor::pass_on(received, &mut values, forward.frame_number);
            return Some(Arc::new(values));
        }
        let make = || {
            let mut values = passed_on(received);
            if described {
                descriptor::pass_on(received, &mut values, None);
            }
            (values != ExtensionValues::default()).then(|| Arc::new(values))
        };
        self.values.get_or_insert_with(make).clone()
    }

    /// The packet with frames before it, made once for all alike. `None`: without.
    fn packed(&mut self, plain: Pt, count: u8) -> Option<Arc<[u8]>> {
        if count == 0 {
            return None;
        }
        if let Some(packed) = &self.packed
            && (packed.plain, packed.count) == (plain, count)
        {
            return packed.payload.clone();
        }
        let payload = self.earlier.pack(self.packet, plain, count);
        self.packed = Some(Packed { plain, count, payload: payload.clone() });
        payload
    }
}

/// The packet as the core sees it.
pub(super) fn rtp_in<'a>(track: TrackKey, incoming: &Incoming, packet: &'a RtpPacket) -> RtpIn<'a> {
    RtpIn {
        track,
        spatial: incoming.spatial,
        sequence: *packet.seq_no,
        timestamp: packet.header.timestamp,
        marker: packet.header.marker,
        audio_level_dbov: packet.header.ext_vals.audio_level,
        voice_activity: packet.header.ext_vals.voice_activity,
        dependency_descriptor: descriptor::of(&packet.header.ext_vals),
        sender_report: packet.last_sender_info.as_ref().and_then(sender_report),
        payload: &packet.payload,
    }
}

/// The payload type on a slot, remembered as long as packets of one stream come.
fn payload_for(
    slot: &mut Slot,
    ctx: &mut Context<'_>,
    core: &mut Room,
    key: SlotKey,
    outgoing: &Outgoing<'_>,
) -> OutPayload {
    let from = (outgoing.from, outgoing.payload.pt);
    if let Some((peer, pt, found)) = slot.payload
        && (peer, pt) == from
    {
        return found;
    }
    let (mid, incoming) = (slot.mid, outgoing.payload);
    let Some(peer) = ctx.peers.get_mut(slot.peer) else { return OutPayload::Impossible };
    peer.pictures |= outgoing.video;
    let found = peer
        .with(ctx.metrics, |rtc| {
            rtc.media(mid).map_or(OutPayload::Impossible, |section| OutPayload::find(rtc, section, &incoming))
        })
        .unwrap_or(OutPayload::Impossible);
    slot.payload = Some((from.0, from.1, found));
    core.set_takes_redundancy(key, matches!(found, OutPayload::Redundant { .. }));
    found
}

/// Only what concerns the picture or the sound goes on; mid, rids, times and transport numbers are
/// of the other connection.
fn passed_on(received: &ExtensionValues) -> ExtensionValues {
    ExtensionValues {
        audio_level: received.audio_level,
        voice_activity: received.voice_activity,
        video_orientation: received.video_orientation,
        video_content_type: received.video_content_type,
        play_delay_min: received.play_delay_min,
        play_delay_max: received.play_delay_max,
        ..ExtensionValues::default()
    }
}

/// The payload, copied only where its VP9 descriptor gets other numbers: on a section that has
/// shown another stream before.
fn renumbered(payload: &Arc<[u8]>, forward: &Forward) -> Arc<[u8]> {
    let Some(patch) = &forward.vp9 else { return Arc::clone(payload) };
    let mut copy: Arc<[u8]> = Arc::from(payload.as_ref());
    if let Some(bytes) = Arc::get_mut(&mut copy) {
        patch.write(bytes);
    }
    copy
}

/// What the core needs of a sender report.
fn sender_report(info: &SenderInfo) -> Option<SenderReport> {
    let wall = info.ntp_time.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    let wall_us = u64::try_from(wall.as_micros()).ok()?;
    // The lower 32 bits are what the report says.
    Some(SenderReport { wall_us, timestamp: info.rtp_time.numer() as u32 })
}

fn vp8_patch(descriptor: Option<&Vp8Descriptor>, forward: &Forward) -> Option<Vp8Patch> {
    let (descriptor, numbers) = (descriptor?, forward.vp8?);
    let mut patch = descriptor.patch();
    if let Some(picture_id) = numbers.picture_id {
        patch = patch.picture_id(picture_id);
    }
    if let Some(tl0_pic_idx) = numbers.tl0_pic_idx {
        patch = patch.tl0_pic_idx(tl0_pic_idx);
    }
    if let Some(key_idx) = numbers.key_idx {
        patch = patch.key_idx(key_idx);
    }
    patch.build().ok()
}
