//! The room without sockets and without media: requests in, outputs out.
#![allow(clippy::unwrap_used)]

mod control;
mod data;
mod join;
mod publish;
mod resume;
mod webhook;

use std::{
    sync::{Arc, atomic::AtomicU64},
    time::{Duration, Instant},
};

use livekit_protocol as proto;
use parley_media_rtc::{Answer, Connection, ConnectionState, MediaEvent, ParticipantKey, PeerMode};
use proto::{signal_request::Message as Request, signal_response::Message as Response};

use super::{JoinRefused, JoinRequest, MediaCommand, Now, Output, Room, RoomEventKind, RoomSettings};
use crate::{
    config::{RoomOptions, SignalingConfig},
    ids::{Identity, Ids, RoomName, SessionId},
    token::{Claims, Grants},
};

/// A room, a clock, and what came out of it since the last look.
struct World {
    room: Room,
    start: Instant,
    elapsed: Duration,
    next_session: u64,
    outputs: Vec<Output>,
}

fn grants() -> Grants {
    Grants { can_update_own_metadata: Some(true), ..Grants::join("r") }
}

fn request(identity: &str, grants: Grants) -> JoinRequest {
    JoinRequest {
        claims: Claims {
            sub: identity.into(),
            name: identity.to_uppercase(),
            iat_ms: Some(1_000_000),
            video: Some(grants),
            ..Claims::default()
        },
        client: proto::ClientInfo { protocol: 16, ..Default::default() },
        mode: PeerMode::Single,
        auto_subscribe: true,
        metadata: String::new(),
        attributes: [].into(),
        add_tracks: Vec::new(),
        offer: None,
        resume: None,
        sync_state: None,
        ice_servers: Vec::new(),
    }
}

impl World {
    fn new(options: RoomOptions) -> Self {
        Self::with(&SignalingConfig::new("k", "s"), options)
    }

    fn with(config: &SignalingConfig, options: RoomOptions) -> Self {
        let start = Instant::now();
        let settings = RoomSettings::new(config, options);
        let ids = Ids::new(7, Arc::new(AtomicU64::new(1)));
        let now = Now { mono: start, wall_ms: 1_000_000 };
        let room = Room::new(RoomName::from("r"), settings, ids, now);
        Self { room, start, elapsed: Duration::ZERO, next_session: 1, outputs: Vec::new() }
    }

    fn now(&self) -> Now {
        let wall_ms = 1_000_000 + i64::try_from(self.elapsed.as_millis()).unwrap();
        Now { mono: self.start + self.elapsed, wall_ms }
    }

    fn drain(&mut self) {
        while let Some(output) = self.room.poll_output() {
            self.outputs.push(output);
        }
    }

    /// What came out since the last call.
    fn take(&mut self) -> Vec<Output> {
        self.drain();
        std::mem::take(&mut self.outputs)
    }

    fn advance(&mut self, duration: Duration) {
        // In steps, as the shell's timer does.
        let until = self.elapsed + duration;
        while self.elapsed < until {
            self.elapsed = (self.elapsed + Duration::from_millis(500)).min(until);
            self.room.handle_timeout(self.now());
            self.drain();
        }
    }

    fn try_join(&mut self, request: JoinRequest) -> Result<SessionId, JoinRefused> {
        let session = SessionId(self.next_session);
        self.next_session += 1;
        self.room.join(session, request, self.now()).map(|()| session)
    }

    /// Joins and connects.
    fn join(&mut self, identity: &str) -> SessionId {
        self.join_with(request(identity, grants()))
    }

    fn join_with(&mut self, request: JoinRequest) -> SessionId {
        let identity = request.claims.sub.clone();
        let session = self.try_join(request).unwrap();
        self.connect(&identity);
        session
    }

    fn connect(&mut self, identity: &str) {
        let participant = self.key(identity);
        let connection = match self.room.participants[&participant].mode {
            PeerMode::Single => Connection::Publisher,
            PeerMode::Dual => Connection::Subscriber,
        };
        self.event(MediaEvent::ConnectionState {
            participant,
            connection,
            state: ConnectionState::Connected,
        });
    }

    fn event(&mut self, event: MediaEvent) {
        let now = self.now();
        self.room.media_event(event, now);
    }

    fn key(&self, identity: &str) -> ParticipantKey {
        self.room.by_identity[&Identity::from(identity)]
    }

    fn sid(&self, identity: &str) -> String {
        self.room.participants[&self.key(identity)].sid.0.clone()
    }

    fn ask(&mut self, session: SessionId, request: Request) {
        let now = self.now();
        self.room.request(session, request, now);
    }

    /// Adds a track and negotiates it. Returns its sid.
    fn publish(&mut self, session: SessionId, cid: &str, source: proto::TrackSource) -> String {
        let kind = match source {
            proto::TrackSource::Microphone | proto::TrackSource::ScreenShareAudio => proto::TrackType::Audio,
            _ => proto::TrackType::Video,
        };
        self.ask(
            session,
            Request::AddTrack(proto::AddTrackRequest {
                cid: cid.into(),
                r#type: kind as i32,
                source: source as i32,
                ..Default::default()
            }),
        );
        self.drain();
        let sid = self
            .outputs
            .iter()
            .rev()
            .find_map(|output| match output {
                Output::Send { message, .. } => match message.as_ref() {
                    Response::TrackPublished(response) => response.track.clone().map(|track| track.sid),
                    _ => None,
                },
                _ => None,
            })
            .unwrap();
        self.negotiate(session, &format!("v=0\r\na=msid:- {cid}\r\n"));
        sid
    }

    /// An offer that the media plane answers.
    fn negotiate(&mut self, session: SessionId, sdp: &str) {
        let offer = proto::SessionDescription {
            r#type: "offer".into(),
            sdp: sdp.into(),
            id: 3,
            ..Default::default()
        };
        self.ask(session, Request::Offer(offer));
        self.drain();
        let key = self.room.by_session[&session];
        let own = self.room.participants[&key].tracks.iter().copied();
        let published =
            own.filter(|track| self.room.tracks[track].cids.iter().any(|cid| sdp.contains(cid))).collect();
        let answer = Answer { sdp: "answer".into(), mid_to_track: Vec::new(), published };
        let now = self.now();
        self.room.answered(key, 3, Ok(answer), now);
    }
}

/// Messages sent to `session`.
fn sent(outputs: &[Output], session: SessionId) -> Vec<Response> {
    outputs
        .iter()
        .filter_map(|output| match output {
            Output::Send { to, message } if to.contains(&session) => Some(message.as_ref().clone()),
            _ => None,
        })
        .collect()
}

/// The participants of all updates sent to `session`.
fn updates(outputs: &[Output], session: SessionId) -> Vec<proto::ParticipantInfo> {
    sent(outputs, session)
        .into_iter()
        .filter_map(|message| match message {
            Response::Update(update) => Some(update.participants),
            _ => None,
        })
        .flatten()
        .collect()
}

fn leave_of(outputs: &[Output], session: SessionId) -> Option<proto::LeaveRequest> {
    sent(outputs, session).into_iter().find_map(|message| match message {
        Response::Leave(leave) => Some(leave),
        _ => None,
    })
}

fn closed(outputs: &[Output], session: SessionId) -> bool {
    outputs.iter().any(|output| matches!(output, Output::Close { session: closed } if *closed == session))
}

fn commands(outputs: &[Output]) -> Vec<&MediaCommand> {
    outputs
        .iter()
        .filter_map(|output| match output {
            Output::Media(command) => Some(command),
            _ => None,
        })
        .collect()
}

fn events(outputs: &[Output]) -> Vec<&RoomEventKind> {
    outputs
        .iter()
        .filter_map(|output| match output {
            Output::Event { kind, .. } => Some(kind),
            _ => None,
        })
        .collect()
}
