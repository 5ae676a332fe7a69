//! Offers and answers, in both protocols.

use parley_media_core::{ParticipantKey, TrackKey};
use str0m::{
    change::{SdpAnswer, SdpOffer, SdpPendingOffer},
    media,
};

use super::{Context, Negotiation, RoomState};
use crate::{
    Answer, MediaError, MediaEvent,
    arena::Key,
    channels,
    negotiation::{Counts, dual::Plan, publish::Published},
    sdp::{self, Role, Section},
};

impl RoomState {
    /// The client's offer: for its only connection, or for the one on which it publishes.
    pub(crate) fn offer(
        &mut self,
        ctx: &mut Context<'_>,
        participant: ParticipantKey,
        offer: &str,
    ) -> Result<Answer, MediaError> {
        let state = self.participants.get(&participant).ok_or(MediaError::UnknownParticipant)?;
        let peer = state.publisher;
        let sections = sdp::sections(offer).map_err(|fault| MediaError::BadSdp(fault.to_string()))?;
        let text = sdp::without_candidates(offer);
        usable(ctx, peer)?;
        let answered = ctx.with(peer, |rtc| {
            let offer = SdpOffer::from_sdp_string(&text).map_err(|error| error.to_string())?;
            let answer = rtc.sdp_api().accept_offer(offer).map_err(|error| error.to_string())?;
            Ok::<String, String>(answer.to_sdp_string())
        });
        self.negotiated(ctx, peer, &text);
        let answer = answered.ok_or(MediaError::PeerFailed)?.map_err(MediaError::BadSdp)?;
        self.take_published(ctx, participant, &sections, sdp::names_tracks_anew(offer));
        let begun = self.take_receiving(ctx, participant, peer, &sections);
        let mut answer = self.finish_answer(participant, &answer, &sections);
        if let Some(peer) = ctx.peers.get_mut(peer) {
            answer.sdp = peer.rank_candidates(&answer.sdp);
        }
        for (track, mid) in begun {
            self.show(ctx, participant, track, &mid);
        }
        self.negotiate(ctx, participant);
        Ok(answer)
    }

    /// The client's answer to an offer of the subscriber connection. One to an offer that was
    /// given up meanwhile is late and changes nothing.
    pub(crate) fn answer(
        &mut self,
        ctx: &mut Context<'_>,
        participant: ParticipantKey,
        id: u32,
        answer: &str,
    ) -> Result<(), MediaError> {
        let state = self.participants.get_mut(&participant).ok_or(MediaError::UnknownParticipant)?;
        let Negotiation::Dual { subscriber, sections, pending, opened } = &mut state.negotiation else {
            return Err(MediaError::BadSdp("there is no offer to answer".to_owned()));
        };
        let subscriber = *subscriber;
        if !sections.is_in_flight_as(id) {
            tracing::debug!(participant = participant.0, id, "a late answer is ignored");
            return Ok(());
        }
        sdp::sections(answer).map_err(|fault| MediaError::BadSdp(fault.to_string()))?;
        let text = sdp::without_candidates(answer);
        usable(ctx, subscriber)?;
        let (Some(begun), Some(pending)) = (sections.answered(id), pending.take()) else {
            return Err(MediaError::BadSdp("not an answer to the offer in flight".to_owned()));
        };
        let accepted = ctx.with(subscriber, |rtc| {
            let answer = SdpAnswer::from_sdp_string(&text).map_err(|error| error.to_string())?;
            rtc.sdp_api().accept_answer(pending, answer).map_err(|error| error.to_string())
        });
        match accepted {
            Some(Ok(())) => *opened = true,
            // The state machine may have taken half of it; signaling reconnects the client.
            Some(Err(error)) => {
                self.peer_failed(ctx, subscriber);
                return Err(MediaError::BadSdp(error));
            }
            None => return Err(MediaError::PeerFailed),
        }
        self.negotiated(ctx, subscriber, &text);
        for (track, mid) in begun {
            self.show(ctx, participant, track, &mid);
        }
        self.negotiate(ctx, participant);
        Ok(())
    }

    /// A candidate needs nothing: an ICE-lite agent learns addresses from checks.
    pub(crate) fn trickle(&self, participant: ParticipantKey) -> Result<(), MediaError> {
        match self.participants.contains_key(&participant) {
            true => Ok(()),
            false => Err(MediaError::UnknownParticipant),
        }
    }

    /// Offers new ICE credentials for the subscriber connection.
    pub(crate) fn restart_subscriber(
        &mut self,
        ctx: &mut Context<'_>,
        participant: ParticipantKey,
    ) -> Result<(), MediaError> {
        let state = self.participants.get_mut(&participant).ok_or(MediaError::UnknownParticipant)?;
        let Negotiation::Dual { subscriber, sections, pending, .. } = &mut state.negotiation else {
            return Ok(());
        };
        usable(ctx, *subscriber)?;
        *pending = None;
        let lost = sections.abandon();
        for subscription in &mut state.subscriptions {
            if lost.contains(&subscription.track) {
                subscription.mid = None;
            }
        }
        self.make_offer(ctx, participant, true);
        Ok(())
    }

    /// Brings the sections of a participant towards what is subscribed: asks the client, or offers.
    pub(super) fn negotiate(&mut self, ctx: &mut Context<'_>, participant: ParticipantKey) {
        let waiting = self.waiting(participant);
        let Some(state) = self.participants.get_mut(&participant) else { return };
        match &mut state.negotiation {
            Negotiation::Single(single) => {
                // Before the first offer there is nothing that could be offered again.
                if ctx.peers.get(state.publisher).is_none_or(|peer| peer.heard.is_none()) {
                    return;
                }
                let waiting = Counts::count(waiting.iter().map(|(_, kind)| *kind));
                if let Some(ask) = single.ask(waiting, ctx.now) {
                    let event =
                        MediaEvent::SectionsRequired { participant, audio: ask.audio, video: ask.video };
                    self.events.tell(ctx.metrics, event);
                }
            }
            Negotiation::Dual { .. } => self.make_offer(ctx, participant, false),
        }
    }

    /// After any offer or answer: credentials, payload types and streams may be others.
    fn negotiated(&mut self, ctx: &mut Context<'_>, key: Key, description: &str) {
        self.forget_payloads(key);
        if let Some(peer) = ctx.peers.get_mut(key) {
            peer.forget_incoming();
            peer.heard.get_or_insert(ctx.now);
            peer.remote = sdp::credentials(description);
            peer.register(key, ctx.demux, ctx.metrics);
        }
    }

    /// Binds what the client sends to the tracks that it declared: by their ids, or, for a
    /// client that names them `anew`, those of one kind in the order of their declaration.
    fn take_published(
        &mut self,
        ctx: &Context<'_>,
        participant: ParticipantKey,
        sections: &[Section],
        anew: bool,
    ) {
        let tracks = &self.tracks;
        let declared = |kind, cid: &str| {
            let mut own = tracks.values().filter(|track| track.participant == participant);
            own.find(|track| track.spec.kind == kind && track.spec.cid == cid).map(|track| track.spec.key)
        };
        let unnamed = |kind| {
            let own = tracks.values().filter(|track| anew && track.participant == participant);
            let named = |cid: &str| sections.iter().any(|s| s.track_id.as_deref() == Some(cid));
            let mut own: Vec<TrackKey> = own
                .filter(|track| track.spec.kind == kind && !named(&track.spec.cid))
                .map(|track| track.spec.key)
                .collect();
            own.sort_unstable();
            own
        };
        let Some(state) = self.participants.get_mut(&participant) else { return };
        for track in state.published.offered(sections, declared, unnamed) {
            self.events.tell(ctx.metrics, MediaEvent::TrackEnded { participant, track });
        }
    }

    /// Takes in the sections on which the client receives, and gives them to waiting tracks.
    fn take_receiving(
        &mut self,
        ctx: &mut Context<'_>,
        participant: ParticipantKey,
        peer: Key,
        sections: &[Section],
    ) -> Vec<(TrackKey, String)> {
        let state = self.participants.get_mut(&participant);
        let Some(Negotiation::Single(single)) = state.map(|state| &mut state.negotiation) else {
            return Vec::new();
        };
        let offered = single.offered(sections);
        let mut silenced = Vec::new();
        if let Some(state) = self.participants.get_mut(&participant) {
            for subscription in &mut state.subscriptions {
                if offered.lost.contains(&subscription.track) {
                    subscription.mid = None;
                    silenced.extend(subscription.slot.take());
                }
            }
        }
        for slot in silenced {
            self.silence(ctx, slot);
        }
        for mid in &offered.gone {
            self.remove_slot(ctx, peer, mid);
        }
        let waiting = self.waiting(participant);
        let Some(state) = self.participants.get_mut(&participant) else { return Vec::new() };
        let Negotiation::Single(single) = &mut state.negotiation else { return Vec::new() };
        let begun = single.assign(waiting.into_iter());
        single.answered();
        for (track, mid) in &begun {
            if let Some(subscription) = state.subscription(*track) {
                subscription.mid = Some(mid.clone());
            }
        }
        begun
    }

    /// The answer as the client gets it.
    fn finish_answer(&self, participant: ParticipantKey, answer: &str, offer: &[Section]) -> Answer {
        let Some(state) = self.participants.get(&participant) else {
            return Answer { sdp: answer.to_owned(), mid_to_track: Vec::new(), published: Vec::new() };
        };
        let published = state.published.tracks();
        match &state.negotiation {
            Negotiation::Single(single) => Answer {
                sdp: sdp::rewrite(answer, |mid| match single.on_section(mid) {
                    None => self.role_of_published(&state.published, mid),
                    on_section => self.role(on_section),
                }),
                mid_to_track: self.mid_to_track(single.shown()),
                published,
            },
            // On the publisher connection nothing is sent to the client, even if it would take it.
            Negotiation::Dual { .. } => {
                let receives = |mid: &str| offer.iter().any(|s| s.mid == mid && s.direction.receives());
                let role = |mid: &str| match receives(mid) {
                    true => Role::Idle,
                    false => self.role_of_published(&state.published, mid),
                };
                Answer { sdp: sdp::rewrite(answer, role), mid_to_track: Vec::new(), published }
            }
        }
    }

    fn role_of_published(&self, published: &Published, mid: &str) -> Role {
        let track = published.section(mid).and_then(|section| self.tracks.get(&section.track?));
        match track.and_then(|track| track.spec.codec.clone()) {
            Some(codec) => Role::Takes { codec },
            None => Role::Other,
        }
    }

    fn role(&self, on_section: Option<Option<TrackKey>>) -> Role {
        match on_section {
            None => Role::Other,
            Some(track) => match track.and_then(|track| self.tracks.get(&track)) {
                Some(track) => {
                    Role::Shows { stream: sdp::token(&track.spec.stream), track: sdp::token(&track.spec.sid) }
                }
                None => Role::Idle,
            },
        }
    }

    fn mid_to_track<'a>(&self, shown: impl Iterator<Item = (&'a str, TrackKey)>) -> Vec<(String, String)> {
        let sid = |track| self.tracks.get(&track).map(|track| track.spec.sid.clone());
        shown.filter_map(|(mid, track)| Some((mid.to_owned(), sid(track)?))).collect()
    }

    /// Offers on the subscriber connection if there is something to change and no offer in flight.
    fn make_offer(&mut self, ctx: &mut Context<'_>, participant: ParticipantKey, restart: bool) {
        let waiting = self.waiting(participant);
        let Some(state) = self.participants.get_mut(&participant) else { return };
        let Negotiation::Dual { subscriber, sections, pending, opened } = &mut state.negotiation else {
            return;
        };
        if sections.is_in_flight() || usable(ctx, *subscriber).is_err() {
            return;
        }
        let plan = sections.plan(waiting.into_iter());
        if plan.is_empty() && *opened && !restart {
            return;
        }
        let opening = !*opened;
        let ids = |track: &TrackKey| {
            let spec = self.tracks.get(track).map(|track| &track.spec);
            spec.map_or_else(Default::default, |spec| (sdp::token(&spec.stream), sdp::token(&spec.sid)))
        };
        let made =
            ctx.with(*subscriber, |rtc| apply(rtc, &plan, opening, restart && !opening, ids)).flatten();
        let Some((text, token, mids)) = made else {
            sections.abandon();
            return;
        };
        for ((track, kind), mid) in plan.add.iter().zip(&mids) {
            sections.added(mid.clone(), *track, *kind);
        }
        let id = sections.offer();
        *pending = Some(token);
        let added = plan.add.iter().map(|(track, _)| *track).zip(mids.iter().cloned());
        let shown: Vec<_> = plan.show.iter().map(|(mid, track)| (*track, mid.clone())).chain(added).collect();
        for (track, mid) in shown {
            if let Some(subscription) = state.subscription(track) {
                subscription.mid = Some(mid);
            }
        }
        self.tell_offer(ctx, participant, id, &text);
    }

    fn tell_offer(&mut self, ctx: &mut Context<'_>, participant: ParticipantKey, id: u32, text: &str) {
        let Some(state) = self.participants.get(&participant) else { return };
        let Negotiation::Dual { subscriber, sections, .. } = &state.negotiation else { return };
        let mut sdp = sdp::rewrite(text, |mid| self.role(sections.on_section(mid)));
        if let Some(peer) = ctx.peers.get_mut(*subscriber) {
            sdp = peer.rank_candidates(&sdp);
        }
        let mid_to_track = self.mid_to_track(sections.shown());
        self.events.tell(ctx.metrics, MediaEvent::Offer { participant, id, sdp, mid_to_track });
    }
}

fn usable(ctx: &Context<'_>, key: Key) -> Result<(), MediaError> {
    match ctx.peers.get(key) {
        Some(peer) if !peer.is_broken() => Ok(()),
        _ => Err(MediaError::PeerFailed),
    }
}

/// Puts a plan into an offer: its text, the token for the answer, the mids of the sections added.
fn apply(
    rtc: &mut str0m::Rtc,
    plan: &Plan,
    opening: bool,
    restart: bool,
    ids: impl Fn(&TrackKey) -> (String, String),
) -> Option<(String, SdpPendingOffer, Vec<String>)> {
    let mut api = rtc.sdp_api();
    if opening {
        for config in channels::own_configs() {
            api.add_channel_with_config(config);
        }
    }
    for (mid, _) in &plan.show {
        api.set_direction(mid.as_str().into(), media::Direction::SendOnly);
    }
    for mid in &plan.silence {
        api.set_direction(mid.as_str().into(), media::Direction::Inactive);
    }
    let mut mids = Vec::with_capacity(plan.add.len());
    for (track, kind) in &plan.add {
        let kind = match kind {
            parley_media_core::MediaKind::Audio => media::MediaKind::Audio,
            parley_media_core::MediaKind::Video => media::MediaKind::Video,
        };
        let (stream, track) = ids(track);
        let mid = api.add_media(kind, media::Direction::SendOnly, Some(stream), Some(track), None);
        mids.push(mid.to_string());
    }
    if restart {
        api.ice_restart(true);
    }
    let (offer, pending) = api.apply()?;
    Some((offer.to_sdp_string(), pending, mids))
}
