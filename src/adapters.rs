//! Where the control plane meets signalling: its port `Rooms`, and room events on their way back.

use std::{future::Future, sync::Arc, time::Duration};

use async_trait::async_trait;
use jiff::Timestamp;
use parley_control_app::{
    App, RoomEvent,
    ports::{MediaGrant, Rooms, RoomsError},
};
use parley_signaling::{CommandError, Grants, RoomEventKind, Signaling, TokenMinter, TokenSpec};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// A room that does not answer a command in this time is tried again by the outbox. It bounds the wait of the event
/// reader on a room that itself waits for its events to be read.
const COMMAND_LIMIT: Duration = Duration::from_secs(5);

/// The media plane has UDP ports and no other.
const TRANSPORT: &str = "udp";

/// Pauses between the tries of a room event.
const EVENT_RETRIES: [Duration; 4] =
    [Duration::from_millis(50), Duration::from_millis(250), Duration::from_secs(1), Duration::from_secs(5)];

/// The media side as the control plane's port.
#[derive(Clone)]
pub struct SignalingRooms {
    signaling: Signaling,
}

impl SignalingRooms {
    pub fn new(signaling: Signaling) -> Self {
        Self { signaling }
    }
}

#[async_trait]
impl Rooms for SignalingRooms {
    fn mint_media_token(&self, grant: &MediaGrant) -> Result<String, RoomsError> {
        let ttl = grant.expires_at.duration_since(Timestamp::now());
        let ttl =
            Duration::try_from(ttl).map_err(|_| RoomsError("the token would have expired".to_owned()))?;
        let grants = Grants { room_admin: grant.host, ..Grants::join(grant.room.as_str()) };
        let spec = TokenSpec {
            identity: grant.identity.clone(),
            name: grant.name.clone(),
            grants,
            ..TokenSpec::default()
        };
        self.signaling.minter().mint(spec, ttl).map_err(|error| RoomsError(error.to_string()))
    }

    async fn remove_participant(&self, room: &str, identity: &str) -> Result<(), RoomsError> {
        command(async { self.signaling.remove_participant(room, identity).await.map(drop) }).await
    }

    async fn close_room(&self, room: &str) -> Result<(), RoomsError> {
        command(self.signaling.close_room(room)).await
    }
}

/// A room that is not there has nobody to remove and nothing to close.
async fn command(work: impl Future<Output = Result<(), CommandError>>) -> Result<(), RoomsError> {
    match tokio::time::timeout(COMMAND_LIMIT, work).await {
        Ok(Ok(()) | Err(CommandError::NoSuchRoom(_))) => Ok(()),
        Ok(Err(error)) => Err(RoomsError(error.to_string())),
        Err(_) => Err(RoomsError("the room did not answer in time".to_owned())),
    }
}

/// Hands room events to the control plane, in order, until `stop`; what has come by then is handed over too.
pub async fn forward_events(
    app: Arc<App>,
    mut events: mpsc::Receiver<parley_signaling::RoomEvent>,
    stop: CancellationToken,
) {
    while let Some(Some(event)) = stop.run_until_cancelled(events.recv()).await {
        forward(&app, event).await;
    }
    while let Ok(event) = events.try_recv() {
        forward(&app, event).await;
    }
}

async fn forward(app: &App, event: parley_signaling::RoomEvent) {
    if let Some(event) = translate(event) {
        deliver(app, &event).await;
    }
}

/// The database may be busy for a moment; an event is not given up for that.
async fn deliver(app: &App, event: &RoomEvent) {
    for pause in EVENT_RETRIES {
        match app.handle_room_event(event).await {
            Ok(()) => return,
            Err(error) => tracing::warn!(%error, "a room event was not taken; it is tried again"),
        }
        tokio::time::sleep(pause).await;
    }
    if let Err(error) = app.handle_room_event(event).await {
        tracing::error!(%error, "a room event is lost: the times of an appointment may be wrong");
    }
}

fn translate(event: parley_signaling::RoomEvent) -> Option<RoomEvent> {
    let at = Timestamp::from_millisecond(event.at_ms).ok()?;
    let room = event.room.to_string();
    match event.kind {
        RoomEventKind::ParticipantJoined { identity, sid, .. } => {
            let (identity, session) = (identity.to_string(), sid.to_string());
            Some(RoomEvent::ParticipantJoined {
                room,
                identity,
                session,
                at,
                network: Some(TRANSPORT.to_owned()),
            })
        }
        RoomEventKind::ParticipantLeft { identity, sid, .. } => {
            let (identity, session) = (identity.to_string(), sid.to_string());
            Some(RoomEvent::ParticipantLeft {
                room,
                identity,
                session,
                at,
                network: Some(TRANSPORT.to_owned()),
            })
        }
        RoomEventKind::Finished => Some(RoomEvent::RoomFinished { room, at }),
        RoomEventKind::Started
        | RoomEventKind::TrackPublished { .. }
        | RoomEventKind::TrackUnpublished { .. } => None,
    }
}

/// A token for the command line: join `room` as `identity`.
pub fn join_token(
    minter: &TokenMinter,
    room: &str,
    identity: &str,
    name: &str,
    valid: Duration,
) -> Result<String, parley_signaling::NoApiKey> {
    let grants = Grants::join(room);
    let spec =
        TokenSpec { identity: identity.to_owned(), name: name.to_owned(), grants, ..TokenSpec::default() };
    minter.mint(spec, valid)
}
