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
    events::{EventSender, RoomEvent},
    ids::{Identity, RoomName, RoomSid, SessionId},
    room::{
        ControlError, JoinRefused, JoinRequest, LeaveReason, MediaCommand, Now, Output, REFRESHED_TOKEN_TTL,
        Room, RpcCall, RpcFault,
    },
    session::Outgoing,
    token::{Claims, TokenMinter},
    webhook::Webhooks,
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
    /// Work of the control plane and of the server API.
    Call(Call),
    /// Calls a method of a participant.
    PerformRpc {
        request: Box<proto::PerformRpcRequest>,
        reply: RpcReply,
    },
    Close {
        reason: LeaveReason,
        action: Action,
        reply: oneshot::Sender<()>,
    },
}

/// Takes the payload that the participant answered.
pub(crate) type RpcReply = oneshot::Sender<Result<Result<String, RpcFault>, ControlError>>;

/// Runs inside the room's task.
pub(crate) type Call = Box<dyn FnOnce(&mut Room, Now) + Send>;

pub(crate) struct Actor {
    name: RoomName,
    sid: RoomSid,
    room: Room,
    media: RoomHandle,
    media_events: mpsc::Receiver<MediaEvent>,
    inbox: mpsc::Receiver<RoomMessage>,
    sessions: HashMap<SessionId, mpsc::Sender<Outgoing>>,
    rpc: HashMap<RpcCall, RpcReply>,
    next_rpc: u64,
    shell: Shell,
}

/// What all rooms share.
#[derive(Clone)]
pub(crate) struct Shell {
    pub(crate) events: EventSender,
    pub(crate) webhooks: Webhooks,
    pub(crate) minter: TokenMinter,
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
        shell: Shell,
    ) -> Self {
        let (sid, sessions, rpc) = (room.sid().clone(), HashMap::new(), HashMap::new());
        Self { name, sid, room, media, media_events, inbox, sessions, rpc, next_rpc: 0, shell }
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
            RoomMessage::Call(work) => work(&mut self.room, now()),
            RoomMessage::PerformRpc { request, reply } => self.perform_rpc(&request, reply),
            RoomMessage::Close { reason, action, reply } => {
                self.room.close(reason, action, now());
                answer(reply, ());
            }
        }
    }

    fn perform_rpc(&mut self, request: &proto::PerformRpcRequest, reply: RpcReply) {
        let call = RpcCall(self.next_rpc);
        self.next_rpc += 1;
        let identity = Identity::from(request.destination_identity.as_str());
        match self.room.perform_rpc(call, &identity, request, now()) {
            // Bounded by the calls that the room allows to be under way.
            Ok(()) => drop(self.rpc.insert(call, reply)),
            Err(error) => answer(reply, Err(error)),
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
                    match self.shell.minter.sign(*claims, SystemTime::now(), REFRESHED_TOKEN_TTL) {
                        Ok(token) => self.send(&[session], Response::RefreshToken(token)),
                        Err(error) => tracing::warn!(%error, "cannot refresh a token"),
                    }
                }
                Output::RpcDone { call, result } => {
                    if let Some(reply) = self.rpc.remove(&call) {
                        answer(reply, Ok(result));
                    }
                }
                Output::Webhook(event) => self.shell.webhooks.notify(*event),
                Output::Event { at_ms, kind } => {
                    let event =
                        RoomEvent { room: self.name.clone(), room_sid: self.sid.clone(), at_ms, kind };
                    self.shell.events.send(event).await;
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
