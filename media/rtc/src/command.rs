//! What signaling asks of a worker.

use bytes::Bytes;
use parley_media_core::{ParticipantKey, TrackKey};
use str0m::Rtc;
use tokio::sync::{mpsc, oneshot};

use crate::{Answer, DataKind, MediaError, MediaEvent, PeerMode, SlotSettings, TrackSpec, arena::Key};

/// Commands waiting for one worker; senders wait beyond that.
pub(crate) const COMMANDS_MAX: usize = 4_096;

pub(crate) type Reply<T> = oneshot::Sender<Result<T, MediaError>>;

pub(crate) enum Command {
    OpenRoom(oneshot::Sender<(Key, mpsc::Receiver<MediaEvent>)>),
    Room(Key, RoomCommand),
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
    SendData(Vec<ParticipantKey>, DataKind, Bytes, Reply<()>),
    Close(Reply<()>),
}
