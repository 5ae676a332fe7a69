//! What a room wants its shell to do.

use std::{collections::BTreeMap, time::Instant};

use bytes::Bytes;
use livekit_protocol as proto;
use parley_media_rtc::{Connection, DataKind, ParticipantKey, PeerMode, SlotSettings, TrackKey, TrackSpec};

use super::{RpcCall, RpcFault};
use crate::{
    ids::{Identity, ParticipantSid, SessionId, TrackSid},
    token::Claims,
};

/// The two clocks, read by the shell.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    pub mono: Instant,
    /// Unix time, milliseconds.
    pub wall_ms: i64,
}

/// A command for the media worker, to be carried out in order.
#[derive(Clone, Debug)]
pub enum MediaCommand {
    Join {
        participant: ParticipantKey,
        mode: PeerMode,
    },
    Leave {
        participant: ParticipantKey,
    },
    /// The result comes back as [`super::Room::answered`].
    Offer {
        participant: ParticipantKey,
        id: u32,
        sdp: String,
    },
    Answer {
        participant: ParticipantKey,
        id: u32,
        sdp: String,
    },
    Trickle {
        participant: ParticipantKey,
        connection: Connection,
        candidate: String,
    },
    RestartSubscriber {
        participant: ParticipantKey,
    },
    DeclareTrack {
        participant: ParticipantKey,
        spec: TrackSpec,
    },
    EndTrack {
        track: TrackKey,
    },
    MuteTrack {
        track: TrackKey,
        muted: bool,
    },
    Subscribe {
        participant: ParticipantKey,
        track: TrackKey,
        settings: SlotSettings,
    },
    Unsubscribe {
        participant: ParticipantKey,
        track: TrackKey,
    },
    UpdateSubscription {
        participant: ParticipantKey,
        track: TrackKey,
        settings: SlotSettings,
    },
    SendData {
        to: Vec<ParticipantKey>,
        kind: DataKind,
        data: Bytes,
    },
}

/// Why a participant left, in the words of the protocol.
pub use proto::DisconnectReason as LeaveReason;

/// What happened in a room, for the control plane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoomEventKind {
    /// The room exists now.
    Started,
    /// The room is gone; nothing follows with this room sid.
    Finished,
    /// The participant's media connection is up.
    ParticipantJoined {
        identity: Identity,
        sid: ParticipantSid,
        name: String,
        attributes: BTreeMap<String, String>,
    },
    /// Told only for participants whose joining was told.
    ParticipantLeft {
        identity: Identity,
        sid: ParticipantSid,
        reason: LeaveReason,
    },
    TrackPublished {
        identity: Identity,
        participant: ParticipantSid,
        track: TrackSid,
        source: proto::TrackSource,
    },
    TrackUnpublished {
        identity: Identity,
        participant: ParticipantSid,
        track: TrackSid,
    },
}

/// What a room wants done, in order.
#[derive(Clone, Debug)]
pub enum Output {
    Send {
        to: Vec<SessionId>,
        message: Box<proto::signal_response::Message>,
    },
    /// Ends the session's socket after everything sent before, with code 1000.
    Close {
        session: SessionId,
    },
    Media(MediaCommand),
    /// Sign these claims anew and send them as `refresh_token`.
    RefreshToken {
        session: SessionId,
        claims: Box<Claims>,
    },
    /// The answer to a call of [`super::Room::perform_rpc`]: its payload.
    RpcDone {
        call: RpcCall,
        result: Result<String, RpcFault>,
    },
    /// For those who wish for webhooks.
    Webhook(Box<proto::WebhookEvent>),
    /// `at_ms`: Unix time, milliseconds.
    Event {
        at_ms: i64,
        kind: RoomEventKind,
    },
}
