//! One participant of a room.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    time::{Duration, Instant},
};

use livekit_protocol as proto;
use parley_media_rtc::{ConnectionQuality, ParticipantKey, PeerMode, SlotSettings, TrackKey};
use proto::{participant_info::State, signal_response::Message};

use super::{history::ReliableHistory, permission::SubscriptionRules};
use crate::{
    ids::{Identity, ParticipantSid, SessionId},
    token::Claims,
};

/// Messages kept for a resume.
const MAX_BACKLOG: usize = 128;
/// What was sent less than this long before a resume may have gone into a socket that was broken
/// already: twice the silence after which the server gives a socket up itself.
const UNSURE: Duration = Duration::from_secs(120);

/// A message kept for a resume.
#[derive(Debug)]
pub(crate) struct Kept {
    message: Message,
    /// When it was sent; `None` = there was no socket.
    sent_at: Option<Instant>,
}

impl Kept {
    /// The message, unless it has arrived beyond doubt.
    pub(crate) fn unsure(self, now: Instant) -> Option<Message> {
        let sure = self.sent_at.is_some_and(|at| now.saturating_duration_since(at) > UNSURE);
        (!sure).then_some(self.message)
    }
}

/// What a participant wants of a track of somebody else.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Subscription {
    /// The client (or auto-subscribe) asks for it.
    pub(crate) wanted: bool,
    /// The media worker was told to send it.
    pub(crate) active: bool,
    pub(crate) settings: SlotSettings,
}

#[derive(Debug)]
pub(crate) struct Participant {
    pub(crate) key: ParticipantKey,
    pub(crate) sid: ParticipantSid,
    pub(crate) identity: Identity,
    pub(crate) claims: Claims,
    pub(crate) name: String,
    pub(crate) metadata: String,
    pub(crate) attributes: HashMap<String, String>,
    pub(crate) permission: proto::ParticipantPermission,
    pub(crate) client: proto::ClientInfo,
    pub(crate) mode: PeerMode,
    pub(crate) auto_subscribe: bool,
    /// Of the last offer sent to the client.
    pub(crate) last_offer: u32,
    pub(crate) state: State,
    pub(crate) version: u32,
    pub(crate) joined_at_ms: i64,
    pub(crate) joined_at: Instant,
    pub(crate) session: Option<SessionId>,
    /// When the socket was lost, while `session` is `None`.
    pub(crate) lost_at: Option<Instant>,
    /// When the media connection failed; a client that leaves closes it first.
    pub(crate) failed_at: Option<Instant>,
    /// When it was told to resume because its media connection was not reached.
    pub(crate) resume_asked_at: Option<Instant>,
    pub(crate) next_refresh: Instant,
    pub(crate) backlog: VecDeque<Kept>,
    /// A resume may ask once for the reliable data that it has missed.
    pub(crate) may_replay: bool,
    pub(crate) tracks: Vec<TrackKey>,
    pub(crate) subscriptions: BTreeMap<TrackKey, Subscription>,
    /// Who may subscribe to this participant's tracks.
    pub(crate) rules: SubscriptionRules,
    pub(crate) data_tracks: Vec<proto::DataTrackInfo>,
    /// Last reliable message received of this participant; 0 = none with a number.
    pub(crate) last_reliable: u32,
    pub(crate) history: ReliableHistory,
    pub(crate) quality: Option<(ConnectionQuality, f32)>,
    /// Signal disconnections still to be simulated on resume.
    pub(crate) fail_resumes: u8,
    pub(crate) fail_resumes_silently: bool,
    pub(crate) simulated_speech_until: Option<Instant>,
}

impl Participant {
    pub(crate) fn hidden(&self) -> bool {
        self.permission.hidden
    }

    pub(crate) fn is_service(&self) -> bool {
        super::join::is_service(&self.claims)
    }

    /// The claims with the participant's present name, metadata and attributes.
    pub(crate) fn present_claims(&self) -> Claims {
        let mut claims = self.claims.clone();
        claims.name.clone_from(&self.name);
        claims.metadata.clone_from(&self.metadata);
        claims.attributes.clone_from(&self.attributes);
        claims
    }

    pub(crate) fn is_active(&self) -> bool {
        self.state == State::Active
    }

    /// May it publish from this source?
    pub(crate) fn may_publish(&self, source: proto::TrackSource) -> bool {
        let sources = &self.permission.can_publish_sources;
        self.permission.can_publish && (sources.is_empty() || sources.contains(&(source as i32)))
    }

    /// Which connection decides whether the participant is connected: with two
    /// peer connections the one that carries what it receives.
    pub(crate) fn subscriber_primary(&self) -> bool {
        self.mode == PeerMode::Dual && self.permission.can_subscribe
    }

    pub(crate) fn info(&self, tracks: Vec<proto::TrackInfo>) -> proto::ParticipantInfo {
        proto::ParticipantInfo {
            sid: self.sid.0.clone(),
            identity: self.identity.0.clone(),
            state: self.state as i32,
            is_publisher: !tracks.is_empty(),
            tracks,
            metadata: self.metadata.clone(),
            joined_at: self.joined_at_ms / 1000,
            joined_at_ms: self.joined_at_ms,
            name: self.name.clone(),
            version: self.version,
            permission: Some(self.permission.clone()),
            kind: self.claims.kind() as i32,
            attributes: self.attributes.clone(),
            data_tracks: self.data_tracks.clone(),
            client_protocol: self.client.client_protocol,
            capabilities: self.client.capabilities.clone(),
            ..Default::default()
        }
    }

    /// Keeps a message that a resumed session must get: for certain if there is no socket, and
    /// also if there is one, since it may be broken without anybody having noticed.
    pub(crate) fn keep(&mut self, message: &Message, now: Instant) {
        let sent_at = self.session.map(|_| now);
        // A client makes the sections anew for each such message; one that was lost is asked
        // again by the media side.
        let repeatable = !matches!(message, Message::MediaSectionsRequirement(_));
        let essential = matches!(
            message,
            Message::TrackPublished(_)
                | Message::TrackUnpublished(_)
                | Message::RequestResponse(_)
                | Message::MediaSectionsRequirement(_)
                | Message::Mute(_)
                | Message::TrackSubscribed(_)
                | Message::SubscriptionPermissionUpdate(_)
                | Message::StreamStateUpdate(_)
        );
        if essential && (repeatable || sent_at.is_none()) {
            if self.backlog.len() == MAX_BACKLOG {
                self.backlog.pop_front();
            }
            self.backlog.push_back(Kept { message: message.clone(), sent_at });
        }
    }
}
