//! The handles by which signaling commands the workers.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::{
    Answer, Connection, DataKind, MediaConfig, MediaError, MediaEvent, ParticipantKey, PeerMode,
    SlotSettings, StartError, TrackKey, TrackSpec,
};

/// The running media plane. Cheap to clone; the workers stop at [`Media::shutdown`].
#[derive(Clone, Debug)]
pub struct Media {}

#[allow(unused_variables, clippy::todo, clippy::unused_async, clippy::unused_self)]
impl Media {
    /// Binds the sockets and starts the workers.
    pub fn start(config: MediaConfig) -> Result<Self, StartError> {
        Ok(Self {})
    }

    /// The UDP addresses that clients are told.
    pub fn candidates(&self) -> Vec<SocketAddr> {
        Vec::new()
    }

    /// Opens a room on the worker with the least to do.
    pub async fn open_room(&self) -> Result<(RoomHandle, mpsc::Receiver<MediaEvent>), MediaError> {
        todo!()
    }

    /// Closes all rooms and joins the workers, waiting at most `limit`.
    pub async fn shutdown(&self, limit: Duration) {}
}

/// One room on its worker. Dropping the last clone closes the room.
#[derive(Clone, Debug)]
pub struct RoomHandle {}

#[allow(unused_variables, clippy::todo, clippy::unused_async, clippy::unused_self)]
impl RoomHandle {
    pub async fn join(&self, participant: ParticipantKey, mode: PeerMode) -> Result<(), MediaError> {
        todo!()
    }

    /// Closes the participant's connections and tracks.
    pub async fn leave(&self, participant: ParticipantKey) -> Result<(), MediaError> {
        todo!()
    }

    /// Takes the client's offer. In single mode for the only connection, in dual mode for the publisher's.
    /// A first offer opens the connection; a later one may restart ICE.
    pub async fn offer(&self, participant: ParticipantKey, sdp: String) -> Result<Answer, MediaError> {
        todo!()
    }

    /// Dual mode: the client's answer to offer `id` of the subscriber connection.
    pub async fn answer(&self, participant: ParticipantKey, id: u32, sdp: String) -> Result<(), MediaError> {
        todo!()
    }

    /// A remote ICE candidate (`candidate:…`). Optional: the server is ICE-lite and learns addresses from checks.
    pub async fn trickle(
        &self,
        participant: ParticipantKey,
        connection: Connection,
        candidate: String,
    ) -> Result<(), MediaError> {
        todo!()
    }

    /// Dual mode, after a resume: a fresh offer with new ICE credentials for the subscriber connection.
    pub async fn restart_subscriber(&self, participant: ParticipantKey) -> Result<(), MediaError> {
        todo!()
    }

    /// Announces a track before (or after) the offer that carries its `cid`.
    pub async fn declare_track(
        &self,
        participant: ParticipantKey,
        spec: TrackSpec,
    ) -> Result<(), MediaError> {
        todo!()
    }

    /// Ends a track; its subscribers' sections are freed.
    pub async fn end_track(&self, track: TrackKey) -> Result<(), MediaError> {
        todo!()
    }

    pub async fn set_track_muted(&self, track: TrackKey, muted: bool) -> Result<(), MediaError> {
        todo!()
    }

    /// Sends `track` to `participant`, now or when the track starts and a section is free.
    pub async fn subscribe(
        &self,
        participant: ParticipantKey,
        track: TrackKey,
        settings: SlotSettings,
    ) -> Result<(), MediaError> {
        todo!()
    }

    pub async fn unsubscribe(&self, participant: ParticipantKey, track: TrackKey) -> Result<(), MediaError> {
        todo!()
    }

    pub async fn update_subscription(
        &self,
        participant: ParticipantKey,
        track: TrackKey,
        settings: SlotSettings,
    ) -> Result<(), MediaError> {
        todo!()
    }

    /// Sends a data message to each of `to`. Reliable messages wait in a bounded
    /// queue when the channel is full; a peer whose queue overflows is closed. Lossy ones are dropped.
    pub async fn send_data(
        &self,
        to: Vec<ParticipantKey>,
        kind: DataKind,
        data: Bytes,
    ) -> Result<(), MediaError> {
        todo!()
    }

    pub async fn close(&self) {}
}
