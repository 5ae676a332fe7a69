//! A room as a pure state machine: requests, media events and time come in,
//! [`Output`]s come out. It knows no socket, no task and no clock.

mod bandwidth;
mod control;
mod data;
mod data_track;
mod history;
mod join;
mod leave;
mod media;
mod metadata;
mod output;
mod participant;
mod permission;
mod publish;
mod resume;
mod rpc;
mod signal;
mod simulate;
mod subscribe;
mod track;
mod webhook;

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    time::{Duration, Instant},
};

use livekit_protocol as proto;
use parley_media_rtc::{ParticipantKey, Speaker, TrackKey};
use proto::signal_response::Message;

pub use self::{
    control::{ControlError, Destination, MessageOfServer, ParticipantUpdate},
    join::{JoinRefused, JoinRequest},
    output::{LeaveReason, MediaCommand, Now, Output, RoomEventKind},
    rpc::{RpcCall, RpcFault},
};
use self::{participant::Participant, track::Track};
use crate::{
    config::{Limits, RoomOptions, SignalingConfig},
    ids::{Identity, Ids, ParticipantSid, RoomName, RoomSid, SessionId, TrackSid},
    revoked::RevokedInRoom,
};

/// Participants that left and are still told to those who resume.
const MAX_DEPARTED: usize = 256;
/// Identities whose earlier tokens are refused.
const MAX_REVOKED: usize = 4_096;
/// How often timeouts are looked at.
const TICK: Duration = Duration::from_millis(500);
/// How often a client gets a fresh token, and how long that one holds.
const REFRESH_INTERVAL: Duration = Duration::from_secs(300);
pub(crate) const REFRESHED_TOKEN_TTL: Duration = Duration::from_secs(600);

/// The protocol version of the server, as told in the server's info.
const SERVER_PROTOCOL: i32 = 16;

/// A participant as the control plane sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParticipantView {
    pub identity: Identity,
    pub sid: ParticipantSid,
    pub name: String,
    /// The media connection is up.
    pub active: bool,
    /// Unix time, milliseconds.
    pub joined_at_ms: i64,
    pub attributes: BTreeMap<String, String>,
    pub tracks: Vec<TrackView>,
}

/// A published track as the control plane sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackView {
    pub sid: TrackSid,
    pub source: proto::TrackSource,
    pub muted: bool,
}

/// What a room takes from the service's configuration.
#[derive(Clone, Debug)]
pub(crate) struct RoomSettings {
    pub(crate) options: RoomOptions,
    pub(crate) empty_timeout: Duration,
    pub(crate) departure_timeout: Duration,
    pub(crate) resume_timeout: Duration,
    /// The server API may unmute.
    pub(crate) remote_unmute: bool,
    /// Somebody wants webhooks.
    pub(crate) webhooks: bool,
    pub(crate) connect_timeout: Duration,
    pub(crate) ping_interval_s: i32,
    pub(crate) ping_timeout_s: i32,
    pub(crate) publish_codecs: Vec<proto::Codec>,
    pub(crate) server: proto::ServerInfo,
    pub(crate) limits: Limits,
}

impl RoomSettings {
    pub(crate) fn new(config: &SignalingConfig, mut options: RoomOptions) -> Self {
        if options.max_participants == 0 {
            options.max_participants = config.max_participants;
        }
        let seconds = |duration: Duration| i32::try_from(duration.as_secs()).unwrap_or(i32::MAX);
        Self {
            empty_timeout: options.empty_timeout.unwrap_or(config.empty_timeout),
            departure_timeout: options.departure_timeout.unwrap_or(config.departure_timeout),
            options,
            resume_timeout: config.resume_timeout,
            remote_unmute: config.remote_unmute,
            webhooks: !config.webhooks.urls.is_empty(),
            connect_timeout: config.connect_timeout,
            ping_interval_s: seconds(config.ping_interval),
            ping_timeout_s: seconds(config.ping_timeout),
            publish_codecs: config
                .publish_codecs
                .iter()
                .map(|mime| proto::Codec { mime: mime.clone(), fmtp_line: String::new() })
                .collect(),
            server: proto::ServerInfo {
                version: config.version.clone(),
                protocol: SERVER_PROTOCOL,
                region: config.region.clone(),
                node_id: config.node_id.clone(),
                ..Default::default()
            },
            limits: config.limits.clone(),
        }
    }
}

#[derive(Debug)]
struct Departed {
    info: proto::ParticipantInfo,
    at: Instant,
}

/// The state of one room.
#[derive(Debug)]
pub struct Room {
    name: RoomName,
    sid: RoomSid,
    created_at_ms: i64,
    settings: RoomSettings,
    ids: Ids,
    participants: BTreeMap<ParticipantKey, Participant>,
    by_identity: HashMap<Identity, ParticipantKey>,
    by_session: HashMap<SessionId, ParticipantKey>,
    tracks: BTreeMap<TrackKey, Track>,
    by_track_sid: HashMap<TrackSid, TrackKey>,
    speakers: BTreeMap<ParticipantKey, Speaker>,
    departed: VecDeque<Departed>,
    revoked: RevokedInRoom,
    data_handles: data_track::Handles,
    nonces: control::Nonces,
    rpc: rpc::Pending,
    empty_since: Instant,
    /// Participants and publishers as last told.
    counts_told: (u32, u32),
    ever_joined: bool,
    closed: bool,
    next_tick: Instant,
    outputs: VecDeque<Output>,
}

impl Room {
    pub(crate) fn new(name: RoomName, settings: RoomSettings, mut ids: Ids, now: Now) -> Self {
        let sid = ids.room();
        let mut room = Self {
            name,
            sid,
            created_at_ms: now.wall_ms,
            settings,
            ids,
            participants: BTreeMap::new(),
            by_identity: HashMap::new(),
            by_session: HashMap::new(),
            tracks: BTreeMap::new(),
            by_track_sid: HashMap::new(),
            speakers: BTreeMap::new(),
            departed: VecDeque::new(),
            revoked: RevokedInRoom::new(),
            data_handles: data_track::Handles::default(),
            nonces: control::Nonces::default(),
            rpc: rpc::Pending::default(),
            empty_since: now.mono,
            counts_told: (0, 0),
            ever_joined: false,
            closed: false,
            next_tick: now.mono + TICK,
            outputs: VecDeque::new(),
        };
        room.event(RoomEventKind::Started, now);
        room.tell_room_started(now);
        room
    }

    pub(crate) fn sid(&self) -> &RoomSid {
        &self.sid
    }

    /// What is to be done next, in order.
    pub(crate) fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Room::handle_timeout`] wants to be called.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        (!self.closed).then_some(self.next_tick)
    }

    /// No output follows once this is true and [`Room::poll_output`] is drained.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    pub(crate) fn handle_timeout(&mut self, now: Now) {
        if self.closed || now.mono < self.next_tick {
            return;
        }
        self.next_tick = now.mono + TICK;
        self.expire_participants(now);
        self.refresh_tokens(now);
        self.end_simulated_speech(now);
        self.expire_rpc(now);
        self.tell_counts();
        let limit =
            if self.ever_joined { self.settings.departure_timeout } else { self.settings.empty_timeout };
        if self.participants.is_empty() && now.mono.saturating_duration_since(self.empty_since) >= limit {
            self.close(LeaveReason::RoomClosed, proto::leave_request::Action::Disconnect, now);
        }
    }

    /// Changes what the room was made with, as far as `options` say; limits hold for later joins.
    pub(crate) fn update_options(&mut self, options: RoomOptions) {
        let settings = &mut self.settings;
        settings.empty_timeout = options.empty_timeout.unwrap_or(settings.empty_timeout);
        settings.departure_timeout = options.departure_timeout.unwrap_or(settings.departure_timeout);
        if options.max_participants > 0 {
            settings.options.max_participants = options.max_participants;
        }
        if !options.metadata.is_empty() {
            self.set_metadata(options.metadata);
        }
    }

    /// Everybody in the room is told.
    pub(crate) fn set_metadata(&mut self, metadata: String) {
        if metadata != self.settings.options.metadata {
            self.settings.options.metadata = metadata;
            let update = proto::RoomUpdate { room: Some(self.room_info()) };
            self.broadcast(Message::RoomUpdate(update), |_| true);
        }
    }

    pub(crate) fn views(&self) -> Vec<ParticipantView> {
        self.participants
            .values()
            .map(|participant| ParticipantView {
                identity: participant.identity.clone(),
                sid: participant.sid.clone(),
                name: participant.name.clone(),
                active: participant.is_active(),
                joined_at_ms: participant.joined_at_ms,
                attributes: participant.attributes.clone().into_iter().collect(),
                tracks: participant
                    .tracks
                    .iter()
                    .filter_map(|key| self.tracks.get(key))
                    .filter(|track| track.published)
                    .map(|track| TrackView {
                        sid: track.sid.clone(),
                        source: track.source(),
                        muted: track.info.muted,
                    })
                    .collect(),
            })
            .collect()
    }

    /// Numbers of participants and publishers, told together for all changes of a tick.
    fn tell_counts(&mut self) {
        let room = self.room_info();
        let counts = (room.num_participants, room.num_publishers);
        if counts != self.counts_told {
            self.counts_told = counts;
            self.broadcast(Message::RoomUpdate(proto::RoomUpdate { room: Some(room) }), |_| true);
        }
    }

    pub(crate) fn room_info(&self) -> proto::Room {
        let seconds = |duration: Duration| u32::try_from(duration.as_secs()).unwrap_or(u32::MAX);
        let visible = || self.participants.values().filter(|participant| !participant.hidden());
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        proto::Room {
            sid: self.sid.0.clone(),
            name: self.name.0.clone(),
            empty_timeout: seconds(self.settings.empty_timeout),
            departure_timeout: seconds(self.settings.departure_timeout),
            max_participants: self.settings.options.max_participants,
            creation_time: self.created_at_ms / 1000,
            creation_time_ms: self.created_at_ms,
            enabled_codecs: self.settings.publish_codecs.clone(),
            metadata: self.settings.options.metadata.clone(),
            num_participants: count(visible().count()),
            num_publishers: count(visible().filter(|participant| !participant.tracks.is_empty()).count()),
            ..Default::default()
        }
    }

    /// The participant as clients are told it.
    fn info(&self, participant: &Participant) -> proto::ParticipantInfo {
        let tracks = participant
            .tracks
            .iter()
            .filter_map(|key| self.tracks.get(key))
            .filter(|track| track.published)
            .map(|track| track.info.clone())
            .collect();
        participant.info(tracks)
    }

    /// Tells everybody who may know that `key` has changed, and raises its version.
    fn announce(&mut self, key: ParticipantKey) {
        let Some(participant) = self.participants.get_mut(&key) else { return };
        participant.version += 1;
        let hidden = participant.hidden();
        let Some(participant) = self.participants.get(&key) else { return };
        let info = self.info(participant);
        let message = Message::Update(proto::ParticipantUpdate { participants: vec![info] });
        self.broadcast(message, |receiver| !hidden || receiver.key == key);
    }

    /// Sends to one participant, and keeps the message for its resume.
    fn send(&mut self, key: ParticipantKey, message: Message) {
        let Some(participant) = self.participants.get_mut(&key) else { return };
        participant.keep(&message, self.next_tick);
        if let Some(session) = participant.session {
            self.outputs.push_back(Output::Send { to: vec![session], message: Box::new(message) });
        }
    }

    fn broadcast(&mut self, message: Message, filter: impl Fn(&Participant) -> bool) {
        let mut to = Vec::new();
        for participant in self.participants.values_mut().filter(|participant| filter(participant)) {
            participant.keep(&message, self.next_tick);
            to.extend(participant.session);
        }
        if !to.is_empty() {
            self.outputs.push_back(Output::Send { to, message: Box::new(message) });
        }
    }

    fn media(&mut self, command: MediaCommand) {
        self.outputs.push_back(Output::Media(command));
    }

    fn event(&mut self, kind: RoomEventKind, now: Now) {
        self.outputs.push_back(Output::Event { at_ms: now.wall_ms, kind });
    }

    fn refresh_tokens(&mut self, now: Now) {
        let due: Vec<ParticipantKey> = self
            .participants
            .values()
            .filter(|participant| participant.session.is_some() && now.mono >= participant.next_refresh)
            .map(|participant| participant.key)
            .collect();
        for key in due {
            self.refresh_token(key, now);
        }
    }

    /// A fresh token with the participant's present name, metadata and attributes.
    fn refresh_token(&mut self, key: ParticipantKey, now: Now) {
        let Some(participant) = self.participants.get_mut(&key) else { return };
        participant.next_refresh = now.mono + REFRESH_INTERVAL;
        let Some(session) = participant.session else { return };
        let claims = participant.present_claims();
        self.outputs.push_back(Output::RefreshToken { session, claims: Box::new(claims) });
    }
}

/// The message that ends a session. `can_reconnect` is what clients before
/// protocol 13 read instead of the action.
fn leave_message(reason: LeaveReason, action: proto::leave_request::Action) -> Message {
    Message::Leave(proto::LeaveRequest {
        can_reconnect: action != proto::leave_request::Action::Disconnect,
        reason: reason as i32,
        action: action as i32,
        regions: None,
    })
}
