//! The handles by which signaling commands the workers.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use bytes::Bytes;
use mio::Waker;
use tokio::sync::{Semaphore, mpsc, oneshot};

use crate::{
    Answer, Connection, DataKind, MediaConfig, MediaError, MediaEvent, MetricsSnapshot, ParticipantKey,
    PeerMode, SlotSettings, StartError, TrackKey, TrackSpec,
    arena::Key,
    codecs,
    command::{COMMANDS_MAX, Command, MESSAGES_PER_ROOM_MAX, Reply, RoomCommand},
    metrics::Metrics,
    worker::Worker,
};

/// What the handles and a worker share.
pub(crate) struct Link {
    commands: mpsc::Sender<Command>,
    waker: Waker,
    /// Rooms and participants; where there are least, the next room goes.
    pub(crate) load: AtomicUsize,
    /// Rooms whose last handle was dropped.
    pub(crate) dropped: Mutex<Vec<Key>>,
    pub(crate) metrics: Metrics,
}

impl Link {
    fn is_running(&self) -> bool {
        !self.commands.is_closed()
    }

    fn wake(&self) {
        // A worker that has stopped is not woken; commands to it fail by themselves.
        if let Err(error) = self.waker.wake() {
            tracing::debug!(%error, "cannot wake a worker");
        }
    }

    async fn send(&self, command: Command) -> Result<(), MediaError> {
        self.commands.send(command).await.map_err(|_| MediaError::Stopped)?;
        self.wake();
        Ok(())
    }
}

struct WorkerHandle {
    link: Arc<Link>,
    candidates: Vec<SocketAddr>,
}

struct Shared {
    workers: Vec<WorkerHandle>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    max_data_message: usize,
}

impl Drop for Shared {
    fn drop(&mut self) {
        for worker in &self.workers {
            // A full queue means that the worker is awake; it stops when all senders are gone.
            let _ = worker.link.commands.try_send(Command::Stop);
            worker.link.wake();
        }
    }
}

/// The running media plane. Cheap to clone; the workers stop at [`Media::shutdown`].
#[derive(Clone)]
pub struct Media {
    shared: Arc<Shared>,
}

impl std::fmt::Debug for Media {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Media").field("workers", &self.shared.workers.len()).finish()
    }
}

impl Media {
    /// Binds the sockets and starts the workers.
    pub fn start(config: MediaConfig) -> Result<Self, StartError> {
        let max_data_message = config.max_data_message;
        let config = Arc::new(config);
        let mut prepared = Vec::new();
        // All sockets are bound before the first thread starts, so a failure leaves none behind.
        for index in 0..config.workers.max(1) {
            let (commands, receiver) = mpsc::channel(COMMANDS_MAX);
            let (worker, waker) = Worker::prepare(&config, index, receiver)?;
            let link = Arc::new(Link {
                commands,
                waker,
                load: AtomicUsize::new(0),
                dropped: Mutex::new(Vec::new()),
                metrics: Metrics::default(),
            });
            prepared.push((worker, link));
        }
        let mut workers = Vec::new();
        let mut threads = Vec::new();
        for (index, (worker, link)) in prepared.into_iter().enumerate() {
            workers.push(WorkerHandle { link: Arc::clone(&link), candidates: worker.candidates() });
            let thread = std::thread::Builder::new().name(format!("media-{index}"));
            threads.push(thread.spawn(move || worker.run(&link)).map_err(StartError::Thread)?);
        }
        let shared = Shared { workers, threads: Mutex::new(threads), max_data_message };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// The UDP addresses that clients are told.
    pub fn candidates(&self) -> Vec<SocketAddr> {
        self.shared.workers.iter().flat_map(|worker| worker.candidates.iter().copied()).collect()
    }

    /// All counters, summed over the workers.
    pub fn metrics(&self) -> MetricsSnapshot {
        let mut sum = MetricsSnapshot::default();
        for worker in &self.shared.workers {
            worker.link.metrics.add_to(&mut sum);
        }
        sum
    }

    /// Opens a room on the worker with the least to do.
    pub async fn open_room(&self) -> Result<(RoomHandle, mpsc::Receiver<MediaEvent>), MediaError> {
        let workers = &self.shared.workers;
        let running = workers.iter().filter(|worker| worker.link.is_running());
        let least = running.min_by_key(|worker| worker.link.load.load(Ordering::Relaxed));
        let worker = least.ok_or(MediaError::Stopped)?;
        let (reply, answer) = oneshot::channel();
        let place = worker.link.commands.reserve().await.map_err(|_| MediaError::Stopped)?;
        // Counted here at once, so that rooms opened together are spread; the worker counts it off.
        worker.link.load.fetch_add(1, Ordering::Relaxed);
        place.send(Command::OpenRoom(Arc::clone(&worker.link), reply));
        worker.link.wake();
        let (opened, events) = answer.await.map_err(|_| MediaError::Stopped)?;
        let room = OpenRoom {
            opened,
            messages: Arc::new(Semaphore::new(MESSAGES_PER_ROOM_MAX)),
            candidates: worker.candidates.clone(),
            max_data_message: self.shared.max_data_message,
        };
        Ok((RoomHandle { room: Arc::new(room) }, events))
    }

    /// Whether all workers run. False after [`Media::shutdown`], and after a fault that ended one:
    /// its rooms are lost, and new rooms go to the others.
    pub fn is_running(&self) -> bool {
        self.shared.workers.iter().all(|worker| worker.link.is_running())
    }

    /// Closes all rooms and joins the workers, waiting at most `limit`.
    pub async fn shutdown(&self, limit: Duration) {
        let stop = async {
            for worker in &self.shared.workers {
                // A worker that is gone needs no telling.
                let _ = worker.link.send(Command::Stop).await;
            }
            let threads =
                std::mem::take(&mut *self.shared.threads.lock().unwrap_or_else(PoisonError::into_inner));
            let joined = tokio::task::spawn_blocking(move || {
                for thread in threads {
                    if thread.join().is_err() {
                        tracing::error!("a media worker ended by a panic");
                    }
                }
            });
            if joined.await.is_err() {
                tracing::error!("the wait for the media workers was broken off");
            }
        };
        if tokio::time::timeout(limit, stop).await.is_err() {
            tracing::warn!("media workers did not stop in time");
        }
    }
}

struct OpenRoom {
    opened: Opened,
    /// The room's share of the worker's queue, for data messages.
    messages: Arc<Semaphore>,
    candidates: Vec<SocketAddr>,
    max_data_message: usize,
}

/// A room on a worker; dropping it closes the room.
pub(crate) struct Opened {
    link: Arc<Link>,
    key: Key,
}

impl Opened {
    pub(crate) fn new(link: Arc<Link>, key: Key) -> Self {
        Self { link, key }
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        self.link.dropped.lock().unwrap_or_else(PoisonError::into_inner).push(self.key);
        self.link.wake();
    }
}

/// One room on its worker. Dropping the last clone closes the room.
#[derive(Clone)]
pub struct RoomHandle {
    room: Arc<OpenRoom>,
}

impl std::fmt::Debug for RoomHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RoomHandle").field("key", &self.room.opened.key).finish()
    }
}

impl RoomHandle {
    pub async fn join(&self, participant: ParticipantKey, mode: PeerMode) -> Result<(), MediaError> {
        let count = match mode {
            PeerMode::Single => 1,
            PeerMode::Dual => 2,
        };
        let candidates = self.room.candidates.clone();
        let max_data_message = self.room.max_data_message;
        let build = move || (0..count).map(|_| codecs::build(&candidates, max_data_message)).collect();
        let rtcs: Option<Vec<_>> =
            tokio::task::spawn_blocking(build).await.map_err(|_| MediaError::Stopped)?;
        let rtcs = rtcs.ok_or(MediaError::PeerFailed)?;
        self.call(|reply| RoomCommand::Join(participant, mode, rtcs, reply)).await
    }

    /// Closes the participant's connections and tracks.
    pub async fn leave(&self, participant: ParticipantKey) -> Result<(), MediaError> {
        self.call(|reply| RoomCommand::Leave(participant, reply)).await
    }

    /// Takes the client's offer. In single mode for the only connection, in dual mode for the publisher's.
    /// A first offer opens the connection; a later one may restart ICE.
    pub async fn offer(&self, participant: ParticipantKey, sdp: String) -> Result<Answer, MediaError> {
        self.call(|reply| RoomCommand::Offer(participant, sdp, reply)).await
    }

    /// Dual mode: the client's answer to offer `id` of the subscriber connection.
    pub async fn answer(&self, participant: ParticipantKey, id: u32, sdp: String) -> Result<(), MediaError> {
        self.call(|reply| RoomCommand::Answer(participant, id, sdp, reply)).await
    }

    /// A remote ICE candidate (`candidate:…`). Optional: the server is ICE-lite and learns addresses from checks.
    pub async fn trickle(
        &self,
        participant: ParticipantKey,
        _connection: Connection,
        _candidate: String,
    ) -> Result<(), MediaError> {
        self.call(|reply| RoomCommand::Trickle(participant, reply)).await
    }

    /// Dual mode, after a resume: a fresh offer with new ICE credentials for the subscriber connection.
    pub async fn restart_subscriber(&self, participant: ParticipantKey) -> Result<(), MediaError> {
        self.call(|reply| RoomCommand::RestartSubscriber(participant, reply)).await
    }

    /// Announces a track before (or after) the offer that carries its `cid`.
    pub async fn declare_track(
        &self,
        participant: ParticipantKey,
        spec: TrackSpec,
    ) -> Result<(), MediaError> {
        self.call(|reply| RoomCommand::DeclareTrack(participant, Box::new(spec), reply)).await
    }

    /// Ends a track; its subscribers' sections are freed.
    pub async fn end_track(&self, track: TrackKey) -> Result<(), MediaError> {
        self.call(|reply| RoomCommand::EndTrack(track, reply)).await
    }

    pub async fn set_track_muted(&self, track: TrackKey, muted: bool) -> Result<(), MediaError> {
        self.call(|reply| RoomCommand::SetTrackMuted(track, muted, reply)).await
    }

    /// Sends `track` to `participant`, now or when the track starts and a section is free.
    pub async fn subscribe(
        &self,
        participant: ParticipantKey,
        track: TrackKey,
        settings: SlotSettings,
    ) -> Result<(), MediaError> {
        self.call(|reply| RoomCommand::Subscribe(participant, track, settings, reply)).await
    }

    pub async fn unsubscribe(&self, participant: ParticipantKey, track: TrackKey) -> Result<(), MediaError> {
        self.call(|reply| RoomCommand::Unsubscribe(participant, track, reply)).await
    }

    pub async fn update_subscription(
        &self,
        participant: ParticipantKey,
        track: TrackKey,
        settings: SlotSettings,
    ) -> Result<(), MediaError> {
        self.call(|reply| RoomCommand::UpdateSubscription(participant, track, settings, reply)).await
    }

    /// Sends a data message to each of `to` that is there; returns when the worker's queue has
    /// taken it. Messages keep their order. When a receiver's channel is full, reliable ones wait in
    /// a bounded queue and are dropped for that receiver beyond it; lossy ones are dropped at once.
    pub async fn send_data(
        &self,
        to: Vec<ParticipantKey>,
        kind: DataKind,
        data: Bytes,
    ) -> Result<(), MediaError> {
        if data.len() > self.room.max_data_message {
            return Err(MediaError::Limit("size of a data message"));
        }
        let messages = Arc::clone(&self.room.messages);
        let permit = messages.acquire_owned().await.map_err(|_| MediaError::Stopped)?;
        self.send(RoomCommand::SendData(to, kind, data, permit)).await
    }

    /// Closes the room; [`MediaEvent::Closed`] is its last event.
    pub async fn close(&self) {
        // A room that is closed already is what was asked for.
        let _ = self.call(RoomCommand::Close).await;
    }

    async fn send(&self, command: RoomCommand) -> Result<(), MediaError> {
        let opened = &self.room.opened;
        opened.link.send(Command::Room(opened.key, command)).await
    }

    async fn call<T>(&self, command: impl FnOnce(Reply<T>) -> RoomCommand) -> Result<T, MediaError> {
        let (reply, answer) = oneshot::channel();
        self.send(command(reply)).await?;
        // The room is closed, or the worker has stopped.
        answer.await.map_err(|_| MediaError::Stopped)?
    }
}
