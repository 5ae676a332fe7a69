//! The service: its rooms, and the commands of the control plane.

use std::{
    collections::HashMap,
    sync::{
        Arc, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use livekit_protocol as proto;
use parley_media_rtc::{Media, MediaError};
use proto::leave_request::Action;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio_util::task::TaskTracker;

use crate::{
    actor::{Actor, Call, ROOM_QUEUE, RoomMessage, Shell, now},
    config::{RoomOptions, SignalingConfig},
    events::{self, RoomEvent},
    ids::{Identity, Ids, RoomName, SessionId, TrackSid},
    revoked::{Revoked, RevokedInRoom, is_revoked},
    room::{
        ControlError, Destination, JoinRefused, JoinRequest, LeaveReason, MessageOfServer, Now,
        ParticipantView, REFRESHED_TOKEN_TTL, Room, RoomSettings,
    },
    session::{Session, SessionGuard},
    token::{Claims, NoApiKey, RoomConfig, TokenMinter, TokenVerifier},
    webhook::Webhooks,
};

/// A room that closes while somebody comes in is made anew this often.
const JOIN_ATTEMPTS: usize = 3;
/// How long clients have to take their last message at shutdown.
const GOODBYE: Duration = Duration::from_secs(3);
/// How long webhooks that are still to be sent are tried at shutdown.
const WEBHOOK_FLUSH: Duration = Duration::from_secs(5);

/// The signaling service. Cheap to clone.
#[derive(Clone)]
pub struct Signaling {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) config: SignalingConfig,
    pub(crate) verifier: TokenVerifier,
    shell: Shell,
    media: Media,
    rooms: Mutex<HashMap<RoomName, Entry>>,
    /// Never held across an await.
    revoked: std::sync::Mutex<Revoked>,
    event_slot: events::EventSlot,
    next_key: Arc<AtomicU64>,
    next_session: AtomicU64,
    stopping: AtomicBool,
    tasks: TaskTracker,
}

struct Entry {
    id: u64,
    inbox: mpsc::Sender<RoomMessage>,
}

/// Why a command of the control plane could not be carried out.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CommandError {
    #[error("the room {0} does not exist")]
    NoSuchRoom(RoomName),
    #[error("there are as many rooms as this server holds")]
    TooManyRooms,
    #[error("the server is shutting down")]
    Stopping,
    #[error(transparent)]
    Refused(#[from] ControlError),
    #[error("no API key is configured")]
    NoApiKey,
    #[error("the media plane has refused the room: {0}")]
    Media(#[from] MediaError),
}

/// Why a join failed.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum JoinError {
    #[error(transparent)]
    Refused(#[from] JoinRefused),
    #[error(transparent)]
    Command(#[from] CommandError),
}

impl Signaling {
    pub fn new(config: SignalingConfig, media: Media) -> Self {
        let (events, event_slot) = events::channel(config.limits.events);
        let minter = TokenMinter::new(config.keys.clone());
        let webhooks = Webhooks::start(&config, minter.clone());
        let shell = Shell { events, webhooks, minter };
        let inner = Inner {
            verifier: TokenVerifier::new(config.keys.clone()),
            shell,
            config,
            media,
            rooms: Mutex::new(HashMap::new()),
            revoked: std::sync::Mutex::default(),
            event_slot,
            next_key: Arc::new(AtomicU64::new(1)),
            next_session: AtomicU64::new(1),
            stopping: AtomicBool::new(false),
            tasks: TaskTracker::new(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// The routes `/rtc`, `/rtc/v1` and their `validate`.
    pub fn router(&self) -> axum::Router {
        crate::http::router(self.clone())
    }

    /// Makes access tokens for this service.
    pub fn minter(&self) -> TokenMinter {
        self.inner.shell.minter.clone()
    }

    /// The events of all rooms. The first caller gets them, later ones `None`.
    /// Events before the first call are not kept. The reader must keep up: when
    /// the queue is full, rooms wait for it and nothing is lost. So it must not
    /// wait for a room's command while it holds an event back.
    pub fn events(&self) -> Option<mpsc::Receiver<RoomEvent>> {
        self.inner.event_slot.take()
    }

    /// Opens the room if it does not exist, or changes its options.
    pub async fn ensure_room(&self, name: &str, options: RoomOptions) -> Result<(), CommandError> {
        self.create_room(name, options).await.map(drop)
    }

    /// As [`Self::ensure_room`], and tells what the room is now.
    pub(crate) async fn create_room(
        &self,
        name: &str,
        options: RoomOptions,
    ) -> Result<proto::Room, CommandError> {
        for _ in 0..JOIN_ATTEMPTS {
            self.inner.open(&RoomName::from(name), options.clone()).await?;
            let options = options.clone();
            let change = move |room: &mut Room, _: Now| {
                room.update_options(options);
                room.room_info()
            };
            // A room that closes in this moment is made anew.
            if let Ok(room) = self.call(name, change).await {
                return Ok(room);
            }
        }
        Err(CommandError::NoSuchRoom(RoomName::from(name)))
    }

    /// Takes a participant out. Tokens issued to the identity before are refused
    /// from now on in this room, also if it does not exist now. False: it was not there.
    pub async fn remove_participant(&self, room: &str, identity: &str) -> Result<bool, CommandError> {
        let identity = Identity::from(identity);
        // Before the room is looked for: one that opens in this moment finds it.
        self.inner.revoke(room, &identity, unix_ms());
        self.call(room, move |room, now| room.expel(&identity, now)).await
    }

    /// Refuses tokens issued to `identity` up to `until_ms` (Unix time, milliseconds) in `room`.
    pub(crate) async fn refuse_tokens(&self, room: &str, identity: &str, until_ms: u64) {
        let identity = Identity::from(identity);
        self.inner.revoke(room, &identity, until_ms);
        // A room that does not exist takes it over when it is made.
        drop(self.call(room, move |room, _| room.refuse_tokens_of(&identity, until_ms)).await);
    }

    /// Changes what a participant may do, at once. False: it is not there.
    pub async fn set_permission(
        &self,
        room: &str,
        identity: &str,
        permission: proto::ParticipantPermission,
    ) -> Result<bool, CommandError> {
        let identity = Identity::from(identity);
        self.call(room, move |room, now| room.set_permission(&identity, permission, now)).await
    }

    /// Mutes or unmutes a track; its client is told. False: it is not there.
    pub async fn mute_track(&self, room: &str, track: &str, muted: bool) -> Result<bool, CommandError> {
        let track = TrackSid::from(track);
        self.call(room, move |room, now| room.force_mute(&track, muted, now)).await
    }

    /// Ends the room; its participants are told that it was deleted.
    pub async fn close_room(&self, room: &str) -> Result<(), CommandError> {
        let (reason, action) = (LeaveReason::RoomDeleted, Action::Disconnect);
        self.ask(room, |reply| RoomMessage::Close { reason, action, reply }).await
    }

    /// Who is in the room, also those who are just connecting or have lost their socket.
    pub async fn participants(&self, room: &str) -> Result<Vec<ParticipantView>, CommandError> {
        self.call(room, |room, _| room.views()).await
    }

    /// Names of the rooms that exist.
    pub async fn rooms(&self) -> Vec<RoomName> {
        self.inner.rooms.lock().await.keys().cloned().collect()
    }

    /// Sends a user packet on the reliable channel to everybody in the room.
    pub async fn send_data(&self, room: &str, topic: &str, payload: Bytes) -> Result<(), CommandError> {
        self.send_data_to(room, topic, payload, &[]).await
    }

    /// Sends a user packet to the identities named; none named = everybody.
    pub async fn send_data_to(
        &self,
        room: &str,
        topic: &str,
        payload: Bytes,
        destinations: &[&str],
    ) -> Result<(), CommandError> {
        let message = MessageOfServer {
            payload,
            topic: Some(topic.to_owned()),
            identities: destinations.iter().map(|name| (*name).to_owned()).collect(),
            ..MessageOfServer::default()
        };
        Ok(self.call(room, move |room, _| room.send_message(message)).await??)
    }

    /// Moves a participant to another room, which is made if need be. Its client is given a token
    /// for it and joins there.
    pub(crate) async fn move_participant(
        &self,
        room: &str,
        identity: &Identity,
        destination: &RoomName,
    ) -> Result<Result<(), ControlError>, JoinError> {
        let who = identity.clone();
        let mut claims = match self.call(room, move |room, _| room.claims_to_move(&who)).await? {
            Ok(claims) => claims,
            Err(error) => return Ok(Err(error)),
        };
        claims.video.get_or_insert_default().room.clone_from(&destination.0);
        let token = self.inner.shell.minter.sign(claims, SystemTime::now(), REFRESHED_TOKEN_TTL);
        let token = token.map_err(|NoApiKey| CommandError::NoApiKey)?;
        let fresh = self.inner.verifier.verify(&token).map_err(|_| CommandError::NoApiKey)?;
        self.create_room(&destination.0, RoomOptions::default()).await?;
        self.may_join(destination, &fresh).await?;
        let (info, others) =
            self.call(&destination.0, |room, _| (room.room_info(), room.visible_infos())).await?;
        let destination = Destination { room: info, token, others };
        let who = identity.clone();
        Ok(self.call(room, move |room, now| room.move_away(&who, destination, now)).await?)
    }

    /// Tells all clients to reconnect, closes the rooms and waits a moment for
    /// the last messages to leave. Joins are refused from now on.
    pub async fn shutdown(&self) {
        self.inner.stopping.store(true, Ordering::Release);
        let inboxes: Vec<mpsc::Sender<RoomMessage>> =
            self.inner.rooms.lock().await.values().map(|entry| entry.inbox.clone()).collect();
        for inbox in inboxes {
            let (reply, _) = oneshot::channel();
            let close =
                RoomMessage::Close { reason: LeaveReason::ServerShutdown, action: Action::Reconnect, reply };
            drop(inbox.send(close).await);
        }
        self.inner.tasks.close();
        if tokio::time::timeout(GOODBYE, self.inner.tasks.wait()).await.is_err() {
            tracing::warn!("some clients did not take their goodbye in time");
        }
        self.inner.shell.webhooks.flush(WEBHOOK_FLUSH).await;
    }

    /// Runs `work` inside the room.
    pub(crate) async fn call<T: Send + 'static>(
        &self,
        room: &str,
        work: impl FnOnce(&mut Room, Now) -> T + Send + 'static,
    ) -> Result<T, CommandError> {
        let call = |reply: oneshot::Sender<T>| {
            let work: Call = Box::new(move |room, now| {
                if reply.send(work(room, now)).is_err() {
                    tracing::trace!("nobody waits for the answer");
                }
            });
            RoomMessage::Call(work)
        };
        self.ask(room, call).await
    }

    pub(crate) async fn ask<T>(
        &self,
        room: &str,
        message: impl FnOnce(oneshot::Sender<T>) -> RoomMessage,
    ) -> Result<T, CommandError> {
        let name = RoomName::from(room);
        let gone = || CommandError::NoSuchRoom(name.clone());
        let inbox = self.inner.inbox(&name).await.ok_or_else(gone)?;
        let (reply, answer) = oneshot::channel();
        inbox.send(message(reply)).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())
    }

    /// Would this token be let into the room now?
    pub(crate) async fn may_join(&self, name: &RoomName, claims: &Claims) -> Result<(), JoinError> {
        self.inner.check_running()?;
        let Some(inbox) = self.inner.inbox(name).await else {
            let may_create = claims.video.as_ref().is_some_and(|grants| grants.room_create);
            return if !self.inner.config.auto_create_rooms && !may_create {
                Err(CommandError::NoSuchRoom(name.clone()).into())
            } else if is_revoked(&self.inner.revoked_in(name), claims) {
                Err(JoinRefused::Removed.into())
            } else {
                Ok(())
            };
        };
        let (reply, answer) = oneshot::channel();
        let message = RoomMessage::MayJoin { claims: Box::new(claims.clone()), reply };
        if inbox.send(message).await.is_err() {
            return Ok(());
        }
        Ok(answer.await.unwrap_or(Ok(()))?)
    }

    /// Lets a session in, making the room if need be.
    pub(crate) async fn join(&self, name: &RoomName, request: JoinRequest) -> Result<Session, JoinError> {
        for _ in 0..JOIN_ATTEMPTS {
            let inbox = self.inner.inbox_for_join(name, &request.claims).await?;
            let session = SessionId(self.inner.next_session.fetch_add(1, Ordering::Relaxed));
            let (outgoing, queue) = mpsc::channel(self.inner.config.limits.session_queue.max(1));
            let (reply, answer) = oneshot::channel();
            let request = Box::new(request.clone());
            if inbox.send(RoomMessage::Join { session, request, outgoing, reply }).await.is_err() {
                continue;
            }
            match answer.await {
                Ok(Ok(())) => {
                    let guard = SessionGuard { session, room: inbox };
                    return Ok(Session { guard, outgoing: queue, limits: self.inner.config.limits.clone() });
                }
                Ok(Err(JoinRefused::Closed)) | Err(_) => {}
                Ok(Err(refused)) => return Err(refused.into()),
            }
        }
        Err(JoinRefused::Closed.into())
    }

    pub(crate) fn task_token(&self) -> tokio_util::task::task_tracker::TaskTrackerToken {
        self.inner.tasks.token()
    }
}

impl Inner {
    fn revoke(&self, room: &str, identity: &Identity, until_ms: u64) {
        let mut revoked = self.revoked.lock().unwrap_or_else(PoisonError::into_inner);
        revoked.insert(RoomName::from(room), identity.clone(), until_ms, unix_ms());
    }

    fn revoked_in(&self, room: &RoomName) -> RevokedInRoom {
        let revoked = self.revoked.lock().unwrap_or_else(PoisonError::into_inner);
        revoked.in_room(room)
    }

    async fn inbox(&self, name: &RoomName) -> Option<mpsc::Sender<RoomMessage>> {
        let rooms = self.rooms.lock().await;
        rooms.get(name).filter(|entry| !entry.inbox.is_closed()).map(|entry| entry.inbox.clone())
    }

    fn check_running(&self) -> Result<(), CommandError> {
        if self.stopping.load(Ordering::Acquire) { Err(CommandError::Stopping) } else { Ok(()) }
    }

    async fn inbox_for_join(
        self: &Arc<Self>,
        name: &RoomName,
        claims: &Claims,
    ) -> Result<mpsc::Sender<RoomMessage>, CommandError> {
        let may_create = claims.video.as_ref().is_some_and(|grants| grants.room_create);
        if self.config.auto_create_rooms || may_create {
            let options = claims.room_config.as_ref().map(RoomConfig::options).unwrap_or_default();
            return self.open(name, options).await;
        }
        self.check_running()?;
        self.inbox(name).await.ok_or_else(|| CommandError::NoSuchRoom(name.clone()))
    }

    /// The room's inbox; the room is made with `options` if it does not exist.
    async fn open(
        self: &Arc<Self>,
        name: &RoomName,
        options: RoomOptions,
    ) -> Result<mpsc::Sender<RoomMessage>, CommandError> {
        self.check_running()?;
        let mut rooms = self.rooms.lock().await;
        // Again: a shutdown may have collected the rooms while this waited for the lock.
        self.check_running()?;
        if let Some(entry) = rooms.get(name).filter(|entry| !entry.inbox.is_closed()) {
            return Ok(entry.inbox.clone());
        }
        if rooms.len() >= self.config.limits.rooms {
            return Err(CommandError::TooManyRooms);
        }
        let media = self.media.open_room().await?;
        let (inbox, messages) = mpsc::channel(ROOM_QUEUE);
        let ids = Ids::new(rand::random(), self.next_key.clone());
        let mut room = Room::new(name.clone(), RoomSettings::new(&self.config, options), ids, now());
        room.refuse_tokens(self.revoked_in(name));
        tracing::info!(room = %room.sid(), "room opened");
        let actor = Actor::new(name.clone(), room, media, messages, self.shell.clone());
        let id = self.next_key.fetch_add(1, Ordering::Relaxed);
        rooms.insert(name.clone(), Entry { id, inbox: inbox.clone() });
        let (service, name) = (Arc::downgrade(self), name.clone());
        self.tasks.spawn(async move {
            actor.run().await;
            if let Some(service) = service.upgrade() {
                let mut rooms = service.rooms.lock().await;
                if rooms.get(&name).is_some_and(|entry| entry.id == id) {
                    rooms.remove(&name);
                }
            }
        });
        Ok(inbox)
    }
}

fn unix_ms() -> u64 {
    u64::try_from(now().wall_ms).unwrap_or(0)
}
