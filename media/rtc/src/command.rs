//! What signaling asks of a worker.

use std::sync::Arc;

use bytes::Bytes;
use parley_media_core::{PartKey, ParticipantKey, TrackKey};
use str0m::Rtc;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

use crate::{
    Answer, DataKind, MediaError, MediaEvent, PeerMode, SlotSettings, TrackSpec, arena::Key, handle::Link,
    relay::Outlet, rooms::Opened, tcp::router::Arrived,
};

/// Commands waiting for one worker; senders wait beyond that.
pub(crate) const COMMANDS_MAX: usize = 4_096;
/// Data messages of one room among them.
pub(crate) const MESSAGES_PER_ROOM_MAX: usize = 256;

pub(crate) type Reply<T> = oneshot::Sender<Result<T, MediaError>>;

pub(crate) enum Command {
    /// The first part of a room, with a new queue of events.
    OpenRoom(Arc<Link>, oneshot::Sender<mpsc::Receiver<MediaEvent>>, oneshot::Sender<Opened>),
    /// A further part of a room, which tells its events where the first one does.
    OpenPart(Arc<Link>, PartKey, mpsc::Sender<MediaEvent>, oneshot::Sender<Opened>),
    Room(Key, RoomCommand),
    /// A TCP stream whose first check is for a connection of this worker.
    Stream(Box<Arrived>),
    Stop,
}

pub(crate) enum RoomCommand {
    Join(ParticipantKey, PeerMode, Vec<Box<Rtc>>, Reply<()>),
    Leave(ParticipantKey, Reply<()>),
    Offer(ParticipantKey, String, Reply<Answer>),
    Answer(ParticipantKey, u32, String, Reply<()>),
    Trickle(ParticipantKey, Reply<()>),
    RestartSubscriber(ParticipantKey, Reply<()>),
    DeclareTrack(ParticipantKey, Box<TrackSpec>, Reply<()>),
    EndTrack(TrackKey, Reply<()>),
    SetTrackMuted(TrackKey, bool, Reply<()>),
    Subscribe(ParticipantKey, TrackKey, SlotSettings, Reply<()>),
    Unsubscribe(ParticipantKey, TrackKey, Reply<()>),
    UpdateSubscription(ParticipantKey, TrackKey, SlotSettings, Reply<()>),
    /// The permit is the room's share of the queue.
    SendData(Vec<ParticipantKey>, DataKind, Bytes, OwnedSemaphorePermit),
    /// The queue of events, for a further part.
    ShareEvents(Reply<mpsc::Sender<MediaEvent>>),
    /// A track of another part, which is where the outlet leads.
    Import(ParticipantKey, Box<TrackSpec>, Outlet, Reply<()>),
    /// A track goes over to another part.
    Export(TrackKey, Outlet, Reply<()>),
    EndExport(TrackKey, PartKey, Reply<()>),
    Close(Reply<()>),
}
