//! Settings of the signaling service.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use crate::ids::Identity;

/// A secret that does not print itself.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiSecret(String);

impl ApiSecret {
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for ApiSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiSecret(…)")
    }
}

/// API key → secret. Tokens are verified with all of them and minted with the first.
pub type ApiKeys = BTreeMap<String, ApiSecret>;

/// A STUN or TURN server told to a client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IceServer {
    /// `turn:host:port?transport=udp` and the like.
    pub urls: Vec<String>,
    pub username: String,
    pub credential: String,
}

/// Makes the ICE servers of one participant, with credentials of its own.
pub type IceServers = Arc<dyn Fn(&Identity) -> Vec<IceServer> + Send + Sync>;

/// What a room is made with, or changed to. What is empty, 0 or `None` is left as it is;
/// in a new room that is the service's default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoomOptions {
    /// Recorders and agents are not counted. [`Limits::participants_per_room`] holds besides.
    pub max_participants: u32,
    /// How long a room stays that nobody has joined.
    pub empty_timeout: Option<Duration>,
    /// How long a room stays after the last has left.
    pub departure_timeout: Option<Duration>,
    pub metadata: String,
}

/// Where webhooks go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WebhookConfig {
    /// `http` or `https`; each gets every event.
    pub urls: Vec<String>,
    /// The API key whose secret signs them; `None` = the first.
    pub api_key: Option<String>,
}

/// Bounds on what clients may ask for.
#[derive(Clone, Debug)]
pub struct Limits {
    pub rooms: usize,
    pub participants_per_room: usize,
    pub tracks_per_participant: usize,
    /// Kilobits per second that a client may send on one video track, all layers together; 0 = no bound.
    /// Clients are told; one that does not obey is not cut off.
    pub publish_kbps: u32,
    /// Bytes of one WebSocket message, a session description being the largest.
    pub signal_message_bytes: usize,
    /// Bytes of a join request after decompression.
    pub join_request_bytes: usize,
    /// Signal messages a session may send per second in the long run.
    pub signal_messages_per_second: u32,
    /// Signal messages a session may send at once.
    pub signal_message_burst: u32,
    /// Messages waiting for a slow client before it is disconnected.
    pub session_queue: usize,
    /// Bytes of metadata, and of all attributes together.
    pub metadata_bytes: usize,
    pub name_bytes: usize,
    /// Bytes of a room's name and of an identity.
    pub identifier_bytes: usize,
    /// Bytes of a data message of the server API, topic and receivers included; the media plane's bound.
    pub data_message_bytes: usize,
    /// Bytes of a request of the server API.
    pub api_request_bytes: usize,
    /// Webhook events waiting for one address; beyond that they are dropped and counted.
    pub webhook_queue: usize,
    /// Room events waiting for their reader.
    pub events: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            rooms: 5_000,
            participants_per_room: 3_000,
            tracks_per_participant: 64,
            publish_kbps: 0,
            signal_message_bytes: 512 * 1024,
            join_request_bytes: 512 * 1024,
            signal_messages_per_second: 50,
            signal_message_burst: 500,
            session_queue: 1_024,
            metadata_bytes: 64 * 1024,
            name_bytes: 256,
            identifier_bytes: 256,
            data_message_bytes: 64 * 1024,
            api_request_bytes: 1024 * 1024,
            webhook_queue: 4_096,
            events: 4_096,
        }
    }
}

/// The LiveKit server whose protocol this service speaks.
const COMPATIBLE_VERSION: &str = "1.11.0";

/// Settings of the signaling service.
#[derive(Clone)]
pub struct SignalingConfig {
    pub keys: ApiKeys,
    /// A join makes the room that it names. False: only rooms opened with
    /// [`crate::Signaling::ensure_room`] can be joined.
    pub auto_create_rooms: bool,
    /// What rooms are made with that are not told otherwise.
    pub empty_timeout: Duration,
    pub departure_timeout: Duration,
    /// 0 = no limit beyond [`Limits::participants_per_room`].
    pub max_participants: u32,
    /// How long a participant may be without a signal connection before it is taken for gone.
    pub resume_timeout: Duration,
    /// The server API may unmute a track, too; people may then be heard without their doing.
    pub remote_unmute: bool,
    pub webhooks: WebhookConfig,
    /// From the join to a working media connection.
    pub connect_timeout: Duration,
    /// How often a client pings, and after how long without an answer it gives up.
    pub ping_interval: Duration,
    pub ping_timeout: Duration,
    /// MIME types that clients may publish.
    pub publish_codecs: Vec<String>,
    pub ice_servers: IceServers,
    /// Told to clients as the server's version: that of the LiveKit server whose
    /// protocol is spoken, because SDKs decide by it what they may ask for (RPC
    /// from 1.8.0 on, for one).
    pub version: String,
    pub region: String,
    pub node_id: String,
    pub limits: Limits,
}

impl SignalingConfig {
    /// Defaults for one pair of key and secret.
    pub fn new(key: impl Into<String>, secret: impl Into<String>) -> Self {
        Self {
            keys: BTreeMap::from([(key.into(), ApiSecret::new(secret))]),
            auto_create_rooms: true,
            empty_timeout: Duration::from_secs(300),
            departure_timeout: Duration::from_secs(20),
            max_participants: 0,
            resume_timeout: Duration::from_secs(20),
            remote_unmute: false,
            webhooks: WebhookConfig::default(),
            connect_timeout: Duration::from_secs(20),
            ping_interval: Duration::from_secs(5),
            ping_timeout: Duration::from_secs(15),
            publish_codecs: [
                "audio/opus",
                "audio/red",
                "video/VP8",
                "video/VP9",
                "video/H264",
                "video/AV1",
                "video/rtx",
            ]
            .map(str::to_owned)
            .to_vec(),
            ice_servers: Arc::new(|_| Vec::new()),
            version: COMPATIBLE_VERSION.to_owned(),
            region: String::new(),
            node_id: "parley".to_owned(),
            limits: Limits::default(),
        }
    }
}

impl fmt::Debug for SignalingConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignalingConfig")
            .field("keys", &self.keys.keys())
            .field("auto_create_rooms", &self.auto_create_rooms)
            .field("empty_timeout", &self.empty_timeout)
            .field("departure_timeout", &self.departure_timeout)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
