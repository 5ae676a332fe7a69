//! What passes between signaling and the media workers.
//!
//! Commands of one room are carried out in the order in which they were sent.
//! A worker never waits for signaling: if the event queue of a room stays full,
//! the room is closed with [`MediaEvent::Closed`].

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use bytes::Bytes;
pub use parley_media_core::{
    ConnectionQuality, MediaKind, ParticipantKey, SlotSettings, Source, Spatial, Speaker, TrackKey,
    VOICES_DEFAULT, VOICES_MAX,
};

/// Settings of the media plane.
#[derive(Clone, Debug)]
pub struct MediaConfig {
    /// Worker threads, each with its own UDP port (`udp_port` + n).
    pub workers: usize,
    /// First UDP port; 0 = any free port for each worker (tests).
    pub udp_port: u16,
    /// ICE over TCP, for clients whose network blocks UDP; `None` = off.
    pub tcp: Option<TcpPort>,
    /// Addresses to listen on.
    pub bind: Vec<IpAddr>,
    /// Addresses told to clients as ICE candidates; empty = those of `bind`,
    /// with an unspecified one replaced by the addresses of the interfaces.
    pub advertise: Vec<IpAddr>,
    /// Participants of a room on one worker before further ones come to another.
    pub room_width: usize,
    /// Microphones heard at once in a room; the rest of a larger one is withheld.
    pub voices: usize,
    /// What one track may bring in, bits per second of payload; 0 = no cap.
    pub publish_bps: u64,
    /// A peer without a packet for this long is reported as failed.
    pub idle_timeout: Duration,
    /// Bound of a room's event queue.
    pub event_queue: usize,
    /// Largest data message accepted, bytes.
    pub max_data_message: usize,
}

impl Default for MediaConfig {
    fn default() -> Self {
        Self {
            workers: 1,
            udp_port: 7882,
            tcp: None,
            bind: vec![IpAddr::from([0, 0, 0, 0])],
            advertise: Vec::new(),
            room_width: 100,
            voices: parley_media_core::VOICES_DEFAULT,
            publish_bps: 0,
            idle_timeout: Duration::from_secs(30),
            event_queue: 4096,
            max_data_message: 64 * 1024,
        }
    }
}

/// The port for ICE over TCP, one for all workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpPort {
    /// 0 = any free port (tests).
    pub port: u16,
    /// Whether the media plane starts only if it gets the port; otherwise it warns and does without.
    pub required: bool,
}

/// One peer connection for all (protocol v1) or one each way (v0).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PeerMode {
    Single,
    Dual,
}

/// Which peer connection of a participant. In [`PeerMode::Single`] there is only `Publisher`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Connection {
    Publisher,
    Subscriber,
}

/// How reliable a data message is; each kind has its own data channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DataKind {
    /// Label `_reliable`, ordered.
    Reliable,
    /// Label `_lossy`, unordered, no retransmits.
    Lossy,
    /// Label `_data_track`, unordered, no retransmits.
    DataTrack,
}

/// What the client is told of an incoming track, before its packets arrive.
#[derive(Clone, Debug)]
pub struct TrackSpec {
    pub key: TrackKey,
    /// Track sid, written into the subscribers' SDP (`TR_…`).
    pub sid: String,
    /// Stream id written into the subscribers' SDP (`PA_…|TR_…` for v1, see docs/protocol.md).
    pub stream: String,
    /// The client's id of the track: the track part of `a=msid` in its offer.
    pub cid: String,
    pub kind: MediaKind,
    pub source: Source,
    /// Announced layers, ascending: (width, height, bits per second).
    pub layers: Vec<(u32, u32, u64)>,
    /// MIME type that the client is to send with: it takes the first of the answer.
    /// `audio/opus` = without redundancy. `None` = the server's order.
    pub codec: Option<String>,
    pub muted: bool,
}

/// Answer to a client's offer.
#[derive(Clone, Debug)]
pub struct Answer {
    pub sdp: String,
    /// (mid, track sid) of the sections on which the server sends.
    pub mid_to_track: Vec<(String, String)>,
    /// The declared tracks that the client sends on a section of its offer.
    pub published: Vec<TrackKey>,
}

/// State of one peer connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionState {
    /// ICE and DTLS are up.
    Connected,
    /// No packet for a while; may come back by an ICE restart.
    Disconnected,
    /// Given up, or the peer's state machine failed.
    Failed,
}

/// Is a subscribed video running, or paused for lack of bandwidth?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamState {
    Active,
    Paused,
}

/// What a worker tells about a room.
#[derive(Clone, Debug)]
pub enum MediaEvent {
    ConnectionState {
        participant: ParticipantKey,
        connection: Connection,
        state: ConnectionState,
    },
    /// Nothing comes from the client any more, and it answers no checks: its network blocks the path
    /// or is gone. Told once for each silence, in about a second; long before the state changes.
    Unreachable {
        participant: ParticipantKey,
        connection: Connection,
    },
    /// Dual mode: an offer for the subscriber connection. `id` is echoed by the answer.
    Offer {
        participant: ParticipantKey,
        id: u32,
        sdp: String,
        mid_to_track: Vec<(String, String)>,
    },
    /// Single mode: the client should offer again, with this many further sections (0, 0 = just again).
    SectionsRequired {
        participant: ParticipantKey,
        audio: u32,
        video: u32,
    },
    /// The first packet of a declared track arrived.
    TrackStarted {
        participant: ParticipantKey,
        track: TrackKey,
        mid: String,
        mime: String,
        ssrcs: Vec<u32>,
    },
    /// The client took the track out of its offer.
    TrackEnded {
        participant: ParticipantKey,
        track: TrackKey,
    },
    /// The subscriber's section for this track is negotiated: it will get packets now.
    Subscribed {
        participant: ParticipantKey,
        track: TrackKey,
    },
    Data {
        participant: ParticipantKey,
        kind: DataKind,
        data: Bytes,
    },
    StreamStates {
        participant: ParticipantKey,
        states: Vec<(TrackKey, StreamState)>,
    },
    /// Dynacast: highest quality anybody watches, 0 (low) to 2 (high); `None` = nobody.
    SubscribedQuality {
        publisher: ParticipantKey,
        track: TrackKey,
        mime: String,
        max: Option<u8>,
    },
    Speakers(Vec<Speaker>),
    Quality {
        participant: ParticipantKey,
        quality: ConnectionQuality,
        score: f32,
    },
    /// The worker closed the room (overload, shutdown). No event follows.
    Closed {
        reason: &'static str,
    },
}

/// Why a command failed, by whose fault.
#[derive(Clone, Debug, thiserror::Error)]
pub enum MediaError {
    #[error("the session description is not usable: {0}")]
    BadSdp(String),
    #[error("no such participant")]
    UnknownParticipant,
    #[error("no such track")]
    UnknownTrack,
    #[error("limit reached: {0}")]
    Limit(&'static str),
    #[error("the media worker has stopped")]
    Stopped,
    #[error("the peer connection has failed")]
    PeerFailed,
}

/// Why a TCP stream was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StreamRefused {
    #[error("it does not begin with a framed STUN binding request")]
    NoCheck,
    #[error("no connection has the credentials of its first check")]
    UnknownConnection,
    #[error("no TCP candidate of its address family is announced")]
    NoCandidate,
    #[error("the client closed it")]
    Closed,
    #[error("the worker does not keep up")]
    Busy,
}

/// Why the media plane did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("cannot listen on UDP {addr}: {source}")]
    Bind { addr: SocketAddr, source: std::io::Error },
    #[error("cannot listen on TCP {addr}: {source}")]
    BindTcp { addr: SocketAddr, source: std::io::Error },
    #[error("cannot start a worker thread: {0}")]
    Thread(std::io::Error),
    #[error("no network address to announce; set media.advertise")]
    NoAddress,
}
