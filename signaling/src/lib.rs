//! The LiveKit-compatible client protocol over the media handle.
//!
//! [`Signaling::new`] takes the running media plane; [`Signaling::router`] gives
//! the routes. A room is a task that alone holds its state, a pure state machine
//! (module `room`); a session is a WebSocket that passes messages between client
//! and room. The media plane is told by commands in order and answers by events.
//! `docs/protocol.md` says which messages are understood.

mod actor;
mod api;
mod config;
mod events;
#[doc(hidden)]
pub mod fuzzing;
mod http;
mod ids;
mod params;
mod rate;
mod revoked;
mod room;
mod service;
mod session;
mod token;
mod webhook;

pub use livekit_protocol::{DisconnectReason as LeaveReason, ParticipantPermission, TrackSource};

pub use crate::{
    config::{
        ApiKeys, ApiSecret, IceServer, IceServers, Limits, RoomOptions, SignalingConfig, WebhookConfig,
    },
    events::RoomEvent,
    ids::{Identity, ParticipantSid, RoomName, RoomSid, TrackSid},
    room::{ParticipantView, RoomEventKind, TrackView},
    service::{CommandError, Signaling},
    token::{Claims, Grants, NoApiKey, RoomConfig, TokenError, TokenMinter, TokenSpec, TokenVerifier},
};
