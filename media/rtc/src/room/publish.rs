//! Tracks that come in: declared by signaling, bound to sections, started by their first packet.

use std::sync::Arc;

use parley_media_core::{Codec, LayerSpec, MediaKind, ParticipantKey, Spatial, TrackConfig, TrackKey};
use str0m::{
    media::{Mid, Pt, Rid},
    rtp::Ssrc,
};

use super::{Context, RoomState, Started, TRACKS_PER_PARTICIPANT, Track, redundancy::Earlier};
use crate::{
    MediaError, MediaEvent, TrackSpec,
    arena::Key,
    codecs::{InPayload, mime, spatial_of},
    peer::Incoming,
    relay::{Facts, Message, Outlet},
};

impl RoomState {
    pub(crate) fn declare_track(
        &mut self,
        ctx: &mut Context<'_>,
        participant: ParticipantKey,
        spec: TrackSpec,
    ) -> Result<(), MediaError> {
        let state = self.participants.get_mut(&participant).ok_or(MediaError::UnknownParticipant)?;
        let own = self.tracks.values().filter(|track| track.participant == participant).count();
        if own >= TRACKS_PER_PARTICIPANT {
            return Err(MediaError::Limit("tracks of a participant"));
        }
        if self.tracks.contains_key(&spec.key) {
            return Err(MediaError::Limit("the track is declared already"));
        }
        if state.published.declare(spec.key, spec.kind, &spec.cid)
            && let Some(peer) = ctx.peers.get_mut(state.publisher)
        {
            // Its packets may have come before, when nobody knew them.
            peer.forget_incoming();
        }
        self.tracks.insert(spec.key, Track::new(participant, spec, None));
        Ok(())
    }

    pub(crate) fn end_track(&mut self, ctx: &mut Context<'_>, track: TrackKey) -> Result<(), MediaError> {
        if !self.tracks.contains_key(&track) {
            return Err(MediaError::UnknownTrack);
        }
        self.drop_track(ctx, track);
        Ok(())
    }

    pub(crate) fn set_track_muted(
        &mut self,
        ctx: &mut Context<'_>,
        track: TrackKey,
        muted: bool,
    ) -> Result<(), MediaError> {
        let known = self.tracks.get_mut(&track).ok_or(MediaError::UnknownTrack)?;
        known.muted = muted;
        self.core.set_track_muted(track, muted, ctx.now);
        self.dirty = true;
        Ok(())
    }

    /// Ends a track; the sections that showed it are free.
    pub(super) fn drop_track(&mut self, ctx: &mut Context<'_>, track: TrackKey) {
        let Some(gone) = self.tracks.remove(&track) else { return };
        self.core.remove_track(track, ctx.now);
        self.exports -= gone.exports.len();
        if gone.origin.is_some() {
            self.forget_distant(ctx, gone.participant);
        }
        self.dirty = true;
        if let Some(state) = self.participants.get_mut(&gone.participant) {
            state.published.end(track);
            if let Some(peer) = ctx.peers.get_mut(state.publisher) {
                peer.forget_incoming();
            }
        }
        let receivers = |(key, state): (&ParticipantKey, &super::Participant)| {
            state.subscriptions.iter().any(|subscription| subscription.track == track).then_some(*key)
        };
        let receivers: Vec<ParticipantKey> = self.participants.iter().filter_map(receivers).collect();
        for participant in receivers {
            self.drop_subscription(ctx, participant, track);
        }
    }

    /// Finds out where a stream goes that is new, or has changed its payload type.
    pub(super) fn resolve_incoming(
        &mut self,
        ctx: &mut Context<'_>,
        from: Key,
        ssrc: Ssrc,
        pt: Pt,
    ) -> Option<Incoming> {
        let (mid, rid, payload) = ctx.with(from, |rtc| {
            let payload = InPayload::find(rtc, pt)?;
            let stream = rtc.direct_api();
            let mut stream = stream;
            let stream = stream.stream_rx(&ssrc)?;
            Some((stream.mid(), stream.rid(), payload))
        })??;
        let peer = ctx.peers.get_mut(from)?;
        let state = self.participants.get(&peer.participant)?;
        let section = state.published.section(&mid.to_string());
        let rids = section.map_or(&[][..], |section| &section.rids);
        let spatial = spatial_of(rid.map(|rid| rid.to_string()).as_deref(), rids);
        let track = section.and_then(|section| section.track).filter(|_| payload.codec().is_some());
        let incoming = Incoming { track, spatial, payload };
        peer.remember_incoming(ssrc, incoming);
        if let (Some(track), Some(codec)) = (track, payload.codec()) {
            let rids = rids.to_vec();
            self.note_stream(ctx, track, codec, &Stream { mid, rid, rids, spatial, ssrc, payload });
        }
        Some(incoming)
    }

    /// A stream of a declared track is heard: starts the track, or brings what is known up to date.
    fn note_stream(&mut self, ctx: &mut Context<'_>, key: TrackKey, codec: Codec, stream: &Stream) {
        let Some(track) = self.tracks.get_mut(&key) else { return };
        let begins = track.started.is_none();
        let config = config_of(track, codec, stream);
        let facts = Arc::new(Facts { config, rids: stream.rids.clone(), mid: stream.mid });
        if track.start(&facts) {
            self.core.add_track(facts.config.clone(), ctx.now);
            self.core.set_track_muted(key, track.muted, ctx.now);
            self.dirty = true;
        }
        if let Some(started) = &mut track.started {
            started.layers.retain(|(spatial, _)| *spatial != stream.spatial);
            started.layers.push((stream.spatial, stream.rid));
        }
        for target in &track.exports {
            target.send(Message::Facts(Arc::clone(&facts)));
        }
        if !begins {
            return;
        }
        let event = MediaEvent::TrackStarted {
            participant: track.participant,
            track: key,
            mid: stream.mid.to_string(),
            mime: mime(codec).to_owned(),
            ssrcs: vec![*stream.ssrc],
        };
        self.events.tell(ctx.metrics, event);
        self.negotiate_waiting(ctx, key);
    }

    /// Those who are subscribed to a track that has just started get sections for it.
    pub(super) fn negotiate_waiting(&mut self, ctx: &mut Context<'_>, key: TrackKey) {
        let waiting = |(participant, state): (&ParticipantKey, &super::Participant)| {
            state.subscriptions.iter().any(|subscription| subscription.track == key).then_some(*participant)
        };
        let waiting: Vec<ParticipantKey> = self.participants.iter().filter_map(waiting).collect();
        for participant in waiting {
            self.negotiate(ctx, participant);
        }
    }
}

impl Track {
    pub(super) fn new(participant: ParticipantKey, spec: TrackSpec, origin: Option<Outlet>) -> Self {
        let muted = spec.muted;
        Self {
            participant,
            spec,
            muted,
            started: None,
            origin,
            exports: Vec::new(),
            earlier: Earlier::default(),
            wanted: None,
        }
    }

    /// Takes in what is known now. True: the core is to be told, as it is the first or differs.
    pub(super) fn start(&mut self, facts: &Arc<Facts>) -> bool {
        let codec = facts.config.codec;
        if let Some(started) = &mut self.started {
            let codec_changed = started.codec != codec && self.spec.kind == MediaKind::Video;
            if !codec_changed && started.rids == facts.rids && started.mid == facts.mid {
                started.facts = Arc::clone(facts);
                return false;
            }
        }
        let (rids, mid) = (facts.rids.clone(), facts.mid);
        self.started = Some(Started { codec, rids, mid, layers: Vec::new(), facts: Arc::clone(facts) });
        true
    }
}

/// What is found out of an incoming stream.
struct Stream {
    mid: Mid,
    rid: Option<Rid>,
    /// All layers of its section.
    rids: Vec<String>,
    spatial: Spatial,
    ssrc: Ssrc,
    payload: InPayload,
}

/// The track for the core: as many layers as the section has; what was announced of them.
fn config_of(track: &Track, codec: Codec, stream: &Stream) -> TrackConfig {
    let announced = &track.spec.layers;
    let layer = |index: usize, of: Option<&(u32, u32, u64)>| {
        let (width, height, bitrate_bps) = of.copied().unwrap_or_default();
        LayerSpec { spatial: Spatial(u8::try_from(index).unwrap_or(u8::MAX)), width, height, bitrate_bps }
    };
    let svc = stream.rids.is_empty() && matches!(codec, Codec::Vp9 | Codec::Av1);
    let layers = match (track.spec.kind, stream.rids.len()) {
        (MediaKind::Audio, _) => Vec::new(),
        (MediaKind::Video, 0) if svc => {
            announced.iter().enumerate().map(|(index, of)| layer(index, Some(of))).collect()
        }
        // One stream is the whole picture.
        (MediaKind::Video, 0) => vec![layer(0, announced.last())],
        (MediaKind::Video, rids) => (0..rids).map(|index| layer(index, announced.get(index))).collect(),
    };
    TrackConfig {
        key: track.spec.key,
        publisher: track.participant,
        kind: track.spec.kind,
        source: track.spec.source,
        codec,
        clock_rate: stream.payload.clock_rate(),
        layers,
        svc,
    }
}
