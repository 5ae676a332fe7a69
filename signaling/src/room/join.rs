//! Coming in.

use std::collections::{BTreeMap, HashMap, VecDeque};

use livekit_protocol as proto;
use parley_media_rtc::{ParticipantKey, PeerMode};
use proto::{leave_request::Action, participant_info::State, signal_response::Message};

use super::{
    LeaveReason, MediaCommand, Now, Output, Participant, Room, control::bytes_of, history::ReliableHistory,
    leave_message, permission::SubscriptionRules,
};
use crate::{
    config::IceServer,
    ids::{Identity, ParticipantSid, SessionId},
    revoked::is_revoked,
    token::{Claims, Grants},
};

/// A verified wish to join or to resume.
#[derive(Clone, Debug)]
pub struct JoinRequest {
    pub claims: Claims,
    pub client: proto::ClientInfo,
    pub mode: PeerMode,
    pub auto_subscribe: bool,
    /// Replaces the token's metadata if the token allows that.
    pub metadata: String,
    /// Added to the token's attributes if the token allows that.
    pub attributes: HashMap<String, String>,
    pub add_tracks: Vec<proto::AddTrackRequest>,
    pub offer: Option<proto::SessionDescription>,
    /// Take up an earlier session; the sid may be empty in old clients.
    pub resume: Option<ParticipantSid>,
    pub sync_state: Option<proto::SyncState>,
    pub ice_servers: Vec<IceServer>,
}

/// Why somebody was not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JoinRefused {
    #[error("the room is full")]
    Full,
    #[error("the participant has been removed; a new access token is needed")]
    Removed,
    #[error("the room is closed")]
    Closed,
    #[error("{0}")]
    TooLarge(&'static str),
}

impl JoinRequest {
    fn identity(&self) -> Identity {
        Identity::from(&self.claims)
    }

    fn grants(&self) -> Grants {
        self.claims.video.clone().unwrap_or_default()
    }
}

impl Room {
    /// Would this token be let in now? Changes nothing.
    pub(crate) fn may_join(&self, claims: &Claims) -> Result<(), JoinRefused> {
        if self.closed {
            return Err(JoinRefused::Closed);
        }
        let identity = Identity::from(claims);
        if is_revoked(&self.revoked, claims) {
            return Err(JoinRefused::Removed);
        }
        if self.by_identity.contains_key(&identity) {
            return Ok(()); // replaces or resumes itself
        }
        let wanted = usize::try_from(self.settings.options.max_participants).unwrap_or(usize::MAX);
        let counted = self.participants.values().filter(|other| !other.is_service()).count();
        let full = wanted > 0 && counted >= wanted && !is_service(claims);
        if full || self.participants.len() >= self.settings.limits.participants_per_room {
            return Err(JoinRefused::Full);
        }
        Ok(())
    }

    /// Lets a participant in, or takes up its session. The first message to
    /// `session` is `join`, `reconnect` or `leave`.
    pub(crate) fn join(
        &mut self,
        session: SessionId,
        request: JoinRequest,
        now: Now,
    ) -> Result<(), JoinRefused> {
        self.may_join(&request.claims)?;
        if request.metadata.len() > self.settings.limits.metadata_bytes
            || bytes_of(&request.attributes) > self.settings.limits.metadata_bytes
        {
            return Err(JoinRefused::TooLarge("metadata or attributes of the join request are too large"));
        }
        if let Some(sid) = request.resume.clone() {
            self.resume(session, &sid, request, now);
            return Ok(());
        }
        if let Some(old) = self.by_identity.get(&request.identity()).copied() {
            self.remove(old, LeaveReason::DuplicateIdentity, Some(Action::Disconnect), now);
        }
        self.admit(session, request, now);
        Ok(())
    }

    fn admit(&mut self, session: SessionId, mut request: JoinRequest, now: Now) {
        let offer = request.offer.take();
        let add_tracks = std::mem::take(&mut request.add_tracks);
        let ice_servers = std::mem::take(&mut request.ice_servers);
        let mode = request.mode;
        let (key, sid) = self.ids.participant();
        let participant = new_participant(key, sid, session, request, now);
        self.by_identity.insert(participant.identity.clone(), key);
        self.by_session.insert(session, key);
        self.participants.insert(key, participant);
        self.ever_joined = true;

        self.media(MediaCommand::Join { participant: key, mode });
        let join = self.join_response(key, ice_servers);
        self.send(key, Message::Join(join));
        self.refresh_token(key, now);
        if let Some(participant) = self.participants.get_mut(&key) {
            participant.state = State::Joined;
        }
        self.announce(key);
        self.tell_speakers(key);
        // Before the first offer, so that its answer already carries the tracks.
        self.subscribe_to_all(key);
        for request in add_tracks {
            self.add_track(key, request, now);
        }
        if let Some(offer) = offer {
            self.offer(key, offer);
        }
    }

    fn join_response(&self, key: ParticipantKey, ice_servers: Vec<IceServer>) -> proto::JoinResponse {
        let participant = &self.participants[&key];
        let mut own = self.info(participant);
        own.state = State::Joining as i32;
        let others = self
            .participants
            .values()
            .filter(|other| other.key != key && !other.hidden())
            .map(|other| self.info(other));
        let codecs = &self.settings.publish_codecs;
        proto::JoinResponse {
            room: Some(self.room_info()),
            participant: Some(own),
            other_participants: others.collect(),
            server_version: self.settings.server.version.clone(),
            ice_servers: proto_ice_servers(ice_servers),
            subscriber_primary: participant.subscriber_primary(),
            server_region: self.settings.server.region.clone(),
            ping_timeout: self.settings.ping_timeout_s,
            ping_interval: self.settings.ping_interval_s,
            server_info: Some(self.settings.server.clone()),
            enabled_publish_codecs: codecs.clone(),
            fast_publish: participant.permission.can_publish,
            ..Default::default()
        }
    }

    /// Refuses a session that cannot go on; SDKs then join anew.
    pub(super) fn refuse_resume(&mut self, session: SessionId) {
        let message = leave_message(LeaveReason::StateMismatch, Action::Reconnect);
        self.outputs.push_back(Output::Send { to: vec![session], message: Box::new(message) });
        self.outputs.push_back(Output::Close { session });
    }
}

/// Recorders and agents do not take the place of a person.
pub(super) fn is_service(claims: &Claims) -> bool {
    use proto::participant_info::Kind;
    matches!(claims.kind(), Kind::Egress | Kind::Agent)
        || claims.video.as_ref().is_some_and(|grants| grants.recorder)
}

pub(super) fn proto_ice_servers(servers: Vec<IceServer>) -> Vec<proto::IceServer> {
    servers
        .into_iter()
        .map(|server| proto::IceServer {
            urls: server.urls,
            username: server.username,
            credential: server.credential,
        })
        .collect()
}

fn new_participant(
    key: ParticipantKey,
    sid: ParticipantSid,
    session: SessionId,
    request: JoinRequest,
    now: Now,
) -> Participant {
    let permission = request.grants().permission();
    let identity = request.identity();
    let JoinRequest { claims, client, mode, auto_subscribe, metadata, attributes, .. } = request;
    let mut own_metadata = claims.metadata.clone();
    let mut own_attributes = claims.attributes.clone();
    if permission.can_update_metadata {
        if !metadata.is_empty() {
            own_metadata = metadata;
        }
        own_attributes.extend(attributes.into_iter().filter(|(_, value)| !value.is_empty()));
    }
    Participant {
        key,
        sid,
        identity,
        name: claims.name.clone(),
        metadata: own_metadata,
        attributes: own_attributes,
        permission,
        client,
        mode,
        auto_subscribe,
        last_offer: 0,
        state: State::Joining,
        version: 0,
        joined_at_ms: now.wall_ms,
        joined_at: now.mono,
        session: Some(session),
        lost_at: None,
        failed_at: None,
        next_refresh: now.mono,
        backlog: VecDeque::new(),
        may_replay: false,
        tracks: Vec::new(),
        subscriptions: BTreeMap::new(),
        rules: SubscriptionRules::default(),
        data_tracks: Vec::new(),
        last_reliable: 0,
        history: ReliableHistory::default(),
        quality: None,
        resume_asked_at: None,
        fail_resumes: 0,
        fail_resumes_silently: false,
        simulated_speech_until: None,
        claims,
    }
}
