//! The task of one room: it alone holds the room's state.

use std::{
    collections::HashMap,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use livekit_protocol as proto;
use parley_media_rtc::{MediaError, MediaEvent, ParticipantKey, RoomHandle};
use prost::Message as _;
use proto::{leave_request::Action, signal_response::Message as Response};
use tokio::sync::{mpsc, oneshot};

use crate::{
    config::RoomOptions,
    events::{EventSender, RoomEvent},
    ids::{Identity, RoomName, RoomSid, SessionId, TrackSid},
    room::{
        JoinRefused, JoinRequest, LeaveReason, MediaCommand, Now, Output, ParticipantView,
        REFRESHED_TOKEN_TTL, Room,
    },
    session::Outgoing,
    token::{Claims, TokenMinter},
};

/// Requests waiting for a room.
pub(crate) const ROOM_QUEUE: usize = 1_024;

/// What others ask of a room.
pub(crate) enum RoomMessage {
    MayJoin {
        claims: Box<Claims>,
        reply: oneshot::Sender<Result<(), JoinRefused>>,
    },
    Join {
        session: SessionId,
        request: Box<JoinRequest>,
        outgoing: mpsc::Sender<Outgoing>,
        reply: oneshot::Sender<Result<(), JoinRefused>>,
    },
    Request {
        session: SessionId,
        request: Box<proto::signal_request::Message>,
    },
    Lost {
        session: SessionId,
    },
    Options(RoomOptions),
    Expel {
        identity: Identity,
        reply: oneshot::Sender<bool>,
    },
    SetPermission {
        identity: Identity,
        permission: Box<proto::ParticipantPermission>,
        reply: oneshot::Sender<bool>,
    },
    Mute {
        track: TrackSid,
        muted: bool,
        reply: oneshot::Sender<bool>,
    },
    Views {
        reply: oneshot::Sender<Vec<ParticipantView>>,
    },
    SendData {
        topic: String,
        payload: Bytes,
        destinations: Vec<Identity>,
    },
    Close {
        reason: LeaveReason,
        action: Action,
        reply: oneshot::Sender<()>,
    },
}

pub(crate) struct Actor {
    name: RoomName,
    sid: RoomSid,
    room: Room,
    media: RoomHandle,
    media_events: mpsc::Receiver<MediaEvent>,
    inbox: mpsc::Receiver<RoomMessage>,
    sessions: HashMap<SessionId, mpsc::Sender<Outgoing>>,
    events: EventSender,
    minter: TokenMinter,
}

pub(crate) fn now() -> Now {
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Now { mono: Instant::now(), wall_ms: i64::try_from(wall.as_millis()).unwrap_or(i64::MAX) }
}

impl Actor {
    pub(crate) fn new(
        name: RoomName,
        room: Room,
        (media, media_events): (RoomHandle, mpsc::Receiver<MediaEvent>),
        inbox: mpsc::Receiver<RoomMessage>,
        events: EventSender,
        minter: TokenMinter,
    ) -> Self {
        let sid = room.sid().clone();
        Self { name, sid, room, media, media_events, inbox, sessions: HashMap::new(), events, minter }
    }

    /// Runs until the room is closed.
    pub(crate) async fn run(mut self) {
        loop {
            self.drain().await;
            if self.room.is_closed() {
                break;
            }
            let deadline = self.room.poll_timeout().unwrap_or_else(Instant::now);
            tokio::select! {
                message = self.inbox.recv() => match message {
                    Some(message) => {
                        self.catch_up().await;
                        self.handle(message);
                    }
                    None => self.room.close(LeaveReason::ServerShutdown, Action::Reconnect, now()),
                },
                event = self.media_events.recv() => {
                    let event = event.unwrap_or(MediaEvent::Closed { reason: "the event queue ended" });
                    tracing::trace!(room = %self.sid, ?event, "media event");
                    self.room.media_event(event, now());
                }
                () = tokio::time::sleep_until(deadline.into()) => self.room.handle_timeout(now()),
            }
        }
        self.media.close().await;
        tracing::info!(room = %self.sid, "room closed");
    }

    /// Takes in what the worker has told so far, so that no request is carried out on an older
    /// state than the client's: a track taken out of an offer, say, and announced again.
    async fn catch_up(&mut self) {
        for _ in 0..self.media_events.len() {
            let Ok(event) = self.media_events.try_recv() else { break };
            self.room.media_event(event, now());
            self.drain().await;
        }
    }

    fn handle(&mut self, message: RoomMessage) {
        match message {
            RoomMessage::MayJoin { claims, reply } => answer(reply, self.room.may_join(&claims)),
            RoomMessage::Join { session, request, outgoing, reply } => {
                self.sessions.insert(session, outgoing);
                let result = self.room.join(session, *request, now());
                if result.is_err() {
                    self.sessions.remove(&session);
                }
                answer(reply, result);
            }
            RoomMessage::Request { session, request } => self.room.request(session, *request, now()),
            RoomMessage::Lost { session } => {
                self.sessions.remove(&session);
                self.room.session_lost(session, now());
            }
            RoomMessage::Options(options) => self.room.update_options(options),
            RoomMessage::Expel { identity, reply } => answer(reply, self.room.expel(&identity, now())),
            RoomMessage::SetPermission { identity, permission, reply } => {
                answer(reply, self.room.set_permission(&identity, *permission, now()));
            }
            RoomMessage::Mute { track, muted, reply } => {
                answer(reply, self.room.force_mute(&track, muted, now()));
            }
            RoomMessage::Views { reply } => answer(reply, self.room.views()),
            RoomMessage::SendData { topic, payload, destinations } => {
                self.room.send_user_data(&topic, &payload, &destinations);
            }
            RoomMessage::Close { reason, action, reply } => {
                self.room.close(reason, action, now());
                answer(reply, ());
            }
        }
    }

    async fn drain(&mut self) {
        while let Some(output) = self.room.poll_output() {
            match output {
                Output::Send { to, message } => self.send(&to, *message),
                Output::Close { session } => {
                    // Dropping the queue ends the socket after what is queued.
                    self.sessions.remove(&session);
                }
                Output::Media(command) => self.command(command).await,
                Output::RefreshToken { session, claims } => {
                    match self.minter.sign(*claims, SystemTime::now(), REFRESHED_TOKEN_TTL) {
                        Ok(token) => self.send(&[session], Response::RefreshToken(token)),
                        Err(error) => tracing::warn!(%error, "cannot refresh a token"),
                    }
                }
                Output::Event { at_ms, kind } => {
                    let event =
                        RoomEvent { room: self.name.clone(), room_sid: self.sid.clone(), at_ms, kind };
                    self.events.send(event).await;
                }
            }
        }
    }

    fn send(&mut self, to: &[SessionId], message: Response) {
        let response = proto::SignalResponse { message: Some(message) };
        let bytes = Bytes::from(response.encode_to_vec());
        for session in to {
            let Some(queue) = self.sessions.get(session) else { continue };
            if queue.try_send(Outgoing(bytes.clone())).is_err() {
                // Full: too slow. Closed: the socket is gone. Either way it may resume.
                tracing::debug!(room = %self.sid, session = session.0, "dropping a session that does not keep up");
                self.sessions.remove(session);
                self.room.session_lost(*session, now());
            }
        }
    }

    async fn command(&mut self, command: MediaCommand) {
        let media = &self.media;
        let (key, result) = match command {
            MediaCommand::Join { participant, mode } => (participant, media.join(participant, mode).await),
            MediaCommand::Leave { participant } => {
                // Gone already is as good.
                drop(media.leave(participant).await);
                return;
            }
            MediaCommand::Offer { participant, id, sdp } => {
                let result = media.offer(participant, sdp.clone()).await;
                match &result {
                    Ok(answer) => {
                        let answer = &answer.sdp;
                        tracing::trace!(participant = participant.0, offer = %sdp, %answer, "negotiated");
                    }
                    Err(error) => {
                        tracing::info!(room = %self.sid, participant = participant.0, %error, "offer refused");
                    }
                }
                self.room.answered(participant, id, result, now());
                return;
            }
            MediaCommand::Answer { participant, id, sdp } => {
                (participant, media.answer(participant, id, sdp).await)
            }
            MediaCommand::Trickle { participant, connection, candidate } => {
                if let Err(error) = media.trickle(participant, connection, candidate).await {
                    tracing::debug!(participant = participant.0, %error, "candidate not used");
                }
                return;
            }
            MediaCommand::RestartSubscriber { participant } => {
                (participant, media.restart_subscriber(participant).await)
            }
            MediaCommand::DeclareTrack { participant, spec } => {
                (participant, media.declare_track(participant, spec).await)
            }
            MediaCommand::EndTrack { track } => (NOBODY, media.end_track(track).await),
            MediaCommand::MuteTrack { track, muted } => (NOBODY, media.set_track_muted(track, muted).await),
            MediaCommand::Subscribe { participant, track, settings } => {
                let result = media.subscribe(participant, track, settings).await;
                if let Err(MediaError::Limit(limit)) = result {
                    tracing::info!(room = %self.sid, participant = participant.0, limit, "not subscribed");
                    self.room.not_subscribed(participant, track);
                    return;
                }
                (participant, result)
            }
            MediaCommand::Unsubscribe { participant, track } => {
                (participant, media.unsubscribe(participant, track).await)
            }
            MediaCommand::UpdateSubscription { participant, track, settings } => {
                (participant, media.update_subscription(participant, track, settings).await)
            }
            MediaCommand::SendData { to, kind, data } => (NOBODY, media.send_data(to, kind, data).await),
        };
        if let Err(error) = result {
            tracing::debug!(room = %self.sid, participant = key.0, %error, "media command failed");
            let stopped = matches!(error, MediaError::Stopped);
            if key != NOBODY || stopped {
                self.room.media_failed(key, &error, now());
            }
        }
    }
}

/// Nobody waiting for an answer any more is no fault.
fn answer<T>(reply: oneshot::Sender<T>, value: T) {
    if reply.send(value).is_err() {
        tracing::trace!("nobody waits for the answer");
    }
}

/// For commands that concern no single participant.
const NOBODY: ParticipantKey = ParticipantKey(u64::MAX);
