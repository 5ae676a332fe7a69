//! The handle by which signaling commands one room, over one worker or several.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, atomic::Ordering},
};

use bytes::Bytes;
use parley_media_core::PartKey;
use str0m::Candidate;
use tokio::sync::{Mutex, Semaphore, mpsc, oneshot};

use crate::{
    Answer, Connection, DataKind, MediaError, MediaEvent, ParticipantKey, PeerMode, SlotSettings, TrackKey,
    TrackSpec,
    arena::Key,
    codecs,
    command::{Command, MESSAGES_PER_ROOM_MAX, Reply, RoomCommand},
    handle::{Link, WorkerHandle},
    layout::{HOME, Layout, Place, Way},
    relay::Outlet,
};

/// A part of a room on a worker; dropping it closes the part.
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

#[derive(Clone)]
struct Part {
    opened: Arc<Opened>,
    worker: usize,
    candidates: Arc<[Candidate]>,
}

impl Part {
    fn outlet(&self, part: PartKey) -> Outlet {
        Outlet { link: Arc::clone(&self.opened.link), room: self.opened.key, part }
    }

    async fn send(&self, command: RoomCommand) -> Result<(), MediaError> {
        self.opened.link.send(Command::Room(self.opened.key, command)).await
    }

    async fn call<T>(&self, command: impl FnOnce(Reply<T>) -> RoomCommand) -> Result<T, MediaError> {
        let (reply, answer) = oneshot::channel();
        self.send(command(reply)).await?;
        // The room is closed, or the worker has stopped.
        answer.await.map_err(|_| MediaError::Stopped)?
    }
}

/// The parts, and where everything is in them. The lock is held while a part or a way between two
/// is opened, so that nobody subscribes to what has not been imported yet.
struct Parts {
    parts: Vec<Part>,
    layout: Layout,
}

impl Parts {
    fn part(&self, key: PartKey) -> Result<&Part, MediaError> {
        self.parts.get(key.0 as usize).ok_or(MediaError::Stopped)
    }

    fn of(&self, participant: ParticipantKey) -> Result<&Part, MediaError> {
        self.part(self.layout.part(participant).ok_or(MediaError::UnknownParticipant)?)
    }

    /// Lets a track go over: first the receiving part knows it, then packets come.
    async fn open_way(&self, way: Way) -> Result<(), MediaError> {
        let Some((publisher, spec)) = self.layout.spec(way.track) else {
            return Err(MediaError::UnknownTrack);
        };
        let (from, to) = (self.part(way.from)?, self.part(way.to)?);
        let (origin, target) = (from.outlet(way.from), to.outlet(way.to));
        to.call(|reply| RoomCommand::Import(publisher, Box::new(spec), origin, reply)).await?;
        from.call(|reply| RoomCommand::Export(way.track, target, reply)).await
    }

    async fn close_ways(&self, ways: Vec<Way>) {
        for way in ways {
            let (Ok(from), Ok(to)) = (self.part(way.from), self.part(way.to)) else { continue };
            // A part that is gone, or has forgotten the track, needs no telling.
            let _ = from.call(|reply| RoomCommand::EndExport(way.track, way.to, reply)).await;
            let _ = to.call(|reply| RoomCommand::EndTrack(way.track, reply)).await;
        }
    }
}

struct OpenRoom {
    workers: Arc<[WorkerHandle]>,
    /// Participants meant for one part.
    width: usize,
    parts: Mutex<Parts>,
    /// The room's share of the workers' queues, for data messages.
    messages: Arc<Semaphore>,
    max_data_message: usize,
}

/// One room. Dropping the last clone closes it.
#[derive(Clone)]
pub struct RoomHandle {
    room: Arc<OpenRoom>,
}

impl std::fmt::Debug for RoomHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RoomHandle").finish_non_exhaustive()
    }
}

/// Opens a part on the worker with the least to do that is not in `taken`.
async fn open_part(
    workers: &[WorkerHandle],
    taken: &[usize],
    command: impl FnOnce(Arc<Link>, oneshot::Sender<Opened>) -> Command,
) -> Result<Part, MediaError> {
    let free = workers
        .iter()
        .enumerate()
        .filter(|(index, worker)| !taken.contains(index) && worker.link.is_running());
    let least = free.min_by_key(|(_, worker)| worker.link.load.load(Ordering::Relaxed));
    let (index, worker) = least.ok_or(MediaError::Stopped)?;
    let (reply, answer) = oneshot::channel();
    let place = worker.link.commands.reserve().await.map_err(|_| MediaError::Stopped)?;
    // Counted here at once, so that rooms opened together are spread; the worker counts it off.
    worker.link.load.fetch_add(1, Ordering::Relaxed);
    place.send(command(Arc::clone(&worker.link), reply));
    worker.link.wake();
    let opened = answer.await.map_err(|_| MediaError::Stopped)?;
    Ok(Part { opened: Arc::new(opened), worker: index, candidates: Arc::clone(&worker.candidates) })
}

impl RoomHandle {
    pub(crate) async fn open(
        workers: &Arc<[WorkerHandle]>,
        width: usize,
        max_data_message: usize,
    ) -> Result<(Self, mpsc::Receiver<MediaEvent>), MediaError> {
        let (events, receiver) = oneshot::channel();
        let home = open_part(workers, &[], |link, reply| Command::OpenRoom(link, events, reply)).await?;
        let receiver = receiver.await.map_err(|_| MediaError::Stopped)?;
        let room = OpenRoom {
            workers: Arc::clone(workers),
            width,
            parts: Mutex::new(Parts { parts: vec![home], layout: Layout::new() }),
            messages: Arc::new(Semaphore::new(MESSAGES_PER_ROOM_MAX)),
            max_data_message,
        };
        Ok((Self { room: Arc::new(room) }, receiver))
    }

    pub async fn join(&self, participant: ParticipantKey, mode: PeerMode) -> Result<(), MediaError> {
        let part = self.place(participant).await?;
        let joined = self.join_part(&part, participant, mode).await;
        if joined.is_err() {
            self.room.parts.lock().await.layout.leave(participant);
        }
        joined
    }

    /// Chooses the part for a participant, and opens it if need be.
    async fn place(&self, participant: ParticipantKey) -> Result<Part, MediaError> {
        let mut parts = self.room.parts.lock().await;
        let running = self.room.workers.iter().filter(|worker| worker.link.is_running()).count();
        let key = match parts.layout.place(self.room.width, running) {
            Place::In(key) => key,
            Place::Further => {
                let events = parts.part(HOME)?.call(RoomCommand::ShareEvents).await?;
                let key = PartKey(u32::try_from(parts.parts.len()).unwrap_or(u32::MAX));
                let taken: Vec<usize> = parts.parts.iter().map(|part| part.worker).collect();
                let open = |link, reply| Command::OpenPart(link, key, events, reply);
                let part = open_part(&self.room.workers, &taken, open).await?;
                parts.parts.push(part);
                parts.layout.add_part();
                key
            }
        };
        if !parts.layout.join(participant, key) {
            return Err(MediaError::Limit("the participant has joined already"));
        }
        parts.part(key).cloned()
    }

    async fn join_part(
        &self,
        part: &Part,
        participant: ParticipantKey,
        mode: PeerMode,
    ) -> Result<(), MediaError> {
        let count = match mode {
            PeerMode::Single => 1,
            PeerMode::Dual => 2,
        };
        let candidates = Arc::clone(&part.candidates);
        let max_data_message = self.room.max_data_message;
        let build = move || (0..count).map(|_| codecs::build(&candidates, max_data_message)).collect();
        let rtcs: Option<Vec<_>> =
            tokio::task::spawn_blocking(build).await.map_err(|_| MediaError::Stopped)?;
        let rtcs = rtcs.ok_or(MediaError::PeerFailed)?;
        part.call(|reply| RoomCommand::Join(participant, mode, rtcs, reply)).await
    }

    /// Closes the participant's connections and tracks.
    pub async fn leave(&self, participant: ParticipantKey) -> Result<(), MediaError> {
        let mut parts = self.room.parts.lock().await;
        let part = parts.of(participant)?.clone();
        let ended = parts.layout.leave(participant);
        parts.close_ways(ended).await;
        drop(parts);
        part.call(|reply| RoomCommand::Leave(participant, reply)).await
    }

    /// Takes the client's offer. In single mode for the only connection, in dual mode for the publisher's.
    /// A first offer opens the connection; a later one may restart ICE.
    pub async fn offer(&self, participant: ParticipantKey, sdp: String) -> Result<Answer, MediaError> {
        self.of(participant).await?.call(|reply| RoomCommand::Offer(participant, sdp, reply)).await
    }

    /// Dual mode: the client's answer to offer `id` of the subscriber connection.
    pub async fn answer(&self, participant: ParticipantKey, id: u32, sdp: String) -> Result<(), MediaError> {
        self.of(participant).await?.call(|reply| RoomCommand::Answer(participant, id, sdp, reply)).await
    }

    /// A remote ICE candidate (`candidate:…`). Optional: the server is ICE-lite and learns addresses from checks.
    pub async fn trickle(
        &self,
        participant: ParticipantKey,
        _connection: Connection,
        _candidate: String,
    ) -> Result<(), MediaError> {
        self.of(participant).await?.call(|reply| RoomCommand::Trickle(participant, reply)).await
    }

    /// Dual mode, after a resume: a fresh offer with new ICE credentials for the subscriber connection.
    pub async fn restart_subscriber(&self, participant: ParticipantKey) -> Result<(), MediaError> {
        self.of(participant).await?.call(|reply| RoomCommand::RestartSubscriber(participant, reply)).await
    }

    /// Announces a track before (or after) the offer that carries its `cid`.
    pub async fn declare_track(
        &self,
        participant: ParticipantKey,
        spec: TrackSpec,
    ) -> Result<(), MediaError> {
        let mut parts = self.room.parts.lock().await;
        let part = parts.of(participant)?.clone();
        let own = Box::new(spec.clone());
        part.call(|reply| RoomCommand::DeclareTrack(participant, own, reply)).await?;
        match parts.layout.declare(participant, &spec) {
            Some(way) => parts.open_way(way).await,
            None => Ok(()),
        }
    }

    /// Ends a track; its subscribers' sections are freed.
    pub async fn end_track(&self, track: TrackKey) -> Result<(), MediaError> {
        let mut parts = self.room.parts.lock().await;
        let own = parts.layout.part_of_track(track).ok_or(MediaError::UnknownTrack)?;
        let part = parts.part(own)?.clone();
        let ended = parts.layout.end_track(track);
        parts.close_ways(ended).await;
        part.call(|reply| RoomCommand::EndTrack(track, reply)).await
    }

    pub async fn set_track_muted(&self, track: TrackKey, muted: bool) -> Result<(), MediaError> {
        let mut parts = self.room.parts.lock().await;
        parts.layout.set_muted(track, muted);
        let known = parts.layout.parts_with(track);
        if known.is_empty() {
            return Err(MediaError::UnknownTrack);
        }
        for key in known {
            parts.part(key)?.call(|reply| RoomCommand::SetTrackMuted(track, muted, reply)).await?;
        }
        Ok(())
    }

    /// Sends `track` to `participant`, now or when the track starts and a section is free.
    pub async fn subscribe(
        &self,
        participant: ParticipantKey,
        track: TrackKey,
        settings: SlotSettings,
    ) -> Result<(), MediaError> {
        let mut parts = self.room.parts.lock().await;
        let part = parts.of(participant)?.clone();
        if let Some(way) = parts.layout.subscribe(participant, track)
            && let Err(error) = parts.open_way(way).await
        {
            parts.layout.unsubscribe(participant, track);
            return Err(error);
        }
        drop(parts);
        part.call(|reply| RoomCommand::Subscribe(participant, track, settings, reply)).await
    }

    pub async fn unsubscribe(&self, participant: ParticipantKey, track: TrackKey) -> Result<(), MediaError> {
        let mut parts = self.room.parts.lock().await;
        let part = parts.of(participant)?.clone();
        let ended = parts.layout.unsubscribe(participant, track);
        let done = part.call(|reply| RoomCommand::Unsubscribe(participant, track, reply)).await;
        parts.close_ways(ended.into_iter().collect()).await;
        done
    }

    pub async fn update_subscription(
        &self,
        participant: ParticipantKey,
        track: TrackKey,
        settings: SlotSettings,
    ) -> Result<(), MediaError> {
        let part = self.of(participant).await?;
        part.call(|reply| RoomCommand::UpdateSubscription(participant, track, settings, reply)).await
    }

    /// Sends a data message to each of `to` that is there; returns when the workers' queues have
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
        let parts = self.room.parts.lock().await;
        let mut by_part: BTreeMap<PartKey, Vec<ParticipantKey>> = BTreeMap::new();
        for participant in to {
            if let Some(part) = parts.layout.part(participant) {
                by_part.entry(part).or_default().push(participant);
            }
        }
        let targets = by_part.into_iter().map(|(key, to)| Ok((parts.part(key)?.clone(), to)));
        let targets = targets.collect::<Result<Vec<_>, MediaError>>()?;
        drop(parts);
        for (part, to) in targets {
            let messages = Arc::clone(&self.room.messages);
            let permit = messages.acquire_owned().await.map_err(|_| MediaError::Stopped)?;
            part.send(RoomCommand::SendData(to, kind, data.clone(), permit)).await?;
        }
        Ok(())
    }

    /// Closes the room; [`MediaEvent::Closed`] is its last event.
    pub async fn close(&self) {
        let parts = self.room.parts.lock().await;
        // The home part last: it says that the room is closed. One that is closed already is what
        // was asked for.
        for part in parts.parts.iter().rev() {
            let _ = part.call(RoomCommand::Close).await;
        }
    }

    async fn of(&self, participant: ParticipantKey) -> Result<Part, MediaError> {
        self.room.parts.lock().await.of(participant).cloned()
    }
}
