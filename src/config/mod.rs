//! Configuration: defaults, then a TOML file, then `PARLEY_…` variables, then flags.
//!
//! Every setting has one key (`media.udp_port`), one variable
//! (`PARLEY_MEDIA_UDP_PORT`) and one line in [`SETTINGS`]. All sources are read
//! before anything is parsed, so that every mistake is reported at once.

mod settings;
mod sources;

use std::{fmt, net::SocketAddr, path::PathBuf, time::Duration};

use std::net::IpAddr;

use parley_media_rtc::TcpPort;
use url::Url;

pub use settings::{SETTINGS, host_and_port};
pub use sources::Sources;

/// The whole configuration, parsed and checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// Folder of the database, certificate, keys and mail copies.
    pub data: PathBuf,
    pub dev: bool,
    pub demo: bool,
    /// What people's links begin with.
    pub public_url: Url,
    pub http: HttpConfig,
    pub tls: TlsConfig,
    pub database_url: Secret,
    pub media: MediaSettings,
    /// STUN over UDP for clients; `None` = off.
    pub stun_listen: Option<SocketAddr>,
    /// Metrics over plain HTTP, without a login; `None` = off.
    pub metrics_listen: Option<SocketAddr>,
    /// API keys and secrets of the signalling protocol, `(key, secret)`.
    pub keys: Vec<(String, Secret)>,
    /// The practice to make when there is none.
    pub setup: Option<Setup>,
    pub mail: MailConfig,
    pub log: LogConfig,
    pub rooms: RoomSettings,
    pub limits: LimitSettings,
    pub webhooks: WebhookSettings,
    /// People who may be in one consultation at once.
    pub room_limit: usize,
    /// How long a stopping server waits for requests and participants.
    pub shutdown: Duration,
}

#[derive(Clone, Debug)]
pub struct HttpConfig {
    /// Plain HTTP; only loopback unless `http.behind_proxy`.
    pub listen: Option<SocketAddr>,
    /// HTTPS with the certificate of [`TlsConfig`].
    pub https_listen: Option<SocketAddr>,
    /// A proxy in front terminates TLS: plain HTTP may listen on any address.
    pub behind_proxy: bool,
}

#[derive(Clone, Debug)]
pub struct TlsConfig {
    /// PEM files; without them a certificate is made and kept in the data folder.
    pub files: Option<(PathBuf, PathBuf)>,
    /// Names and addresses of the certificate that is made.
    pub names: Vec<String>,
}

#[derive(Clone, Debug)]
pub struct MediaSettings {
    pub workers: usize,
    pub udp_port: u16,
    /// ICE over TCP; `None` = off.
    pub tcp: Option<TcpPort>,
    /// Participants of a room on one worker before further ones come to another.
    pub room_width: usize,
    /// Microphones heard at once in a room.
    pub voices: usize,
    pub bind: Vec<IpAddr>,
    pub advertise: Vec<IpAddr>,
}

/// What rooms of the signalling protocol are made with.
#[derive(Clone, Debug)]
pub struct RoomSettings {
    /// A join makes the room that it names.
    pub auto_create: bool,
    pub empty_timeout: Duration,
    pub departure_timeout: Duration,
    /// 0 = as many as the limit on participants.
    pub max_participants: u32,
    /// The server API may unmute tracks.
    pub remote_unmute: bool,
}

/// What this node carries at most.
#[derive(Clone, Debug)]
pub struct LimitSettings {
    pub rooms: usize,
    pub participants_per_room: usize,
    pub tracks_per_participant: usize,
    /// Of one video track; 0 = no bound.
    pub publish_kbps: u32,
    /// Bytes of metadata, and of all attributes of a participant together.
    pub metadata_bytes: usize,
    /// Bytes of one message of a signal connection.
    pub signal_message_bytes: usize,
    /// Bytes of one data message.
    pub data_message_bytes: usize,
}

/// Who is told of rooms and participants.
#[derive(Clone, Debug)]
pub struct WebhookSettings {
    pub urls: Vec<Url>,
    /// The API key whose secret signs; `None` = the first.
    pub api_key: Option<String>,
}

/// The first practice of an installation.
#[derive(Clone, Debug)]
pub struct Setup {
    pub organisation: String,
    /// IANA name.
    pub time_zone: String,
    pub admin_email: String,
    pub admin_name: String,
}

#[derive(Clone, Debug)]
pub struct MailConfig {
    /// `smtp://`, `smtps://`; `None`: messages are kept as files in the data folder.
    pub smtp_url: Option<Secret>,
    pub from: String,
}

#[derive(Clone, Debug)]
pub struct LogConfig {
    pub filter: String,
    pub json: bool,
}

/// A value that must not be printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// All mistakes found in the configuration.
#[derive(Debug)]
pub struct ConfigErrors(pub Vec<ConfigError>);

/// One mistake: which key, where it was set, what is wrong and what would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    pub key: String,
    pub origin: String,
    pub message: String,
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n = self.0.len();
        writeln!(f, "the configuration has {n} mistake{}:", if n == 1 { "" } else { "s" })?;
        for error in &self.0 {
            writeln!(f, "  {} ({}): {}", error.key, error.origin, error.message)?;
        }
        write!(f, "`parley config --help` names every setting.")
    }
}

impl std::error::Error for ConfigErrors {}

impl Config {
    /// Parses and checks everything that `sources` hold.
    pub fn load(sources: &Sources) -> Result<Self, ConfigErrors> {
        settings::parse(sources)
    }

    /// The file of the embedded database when no other is configured.
    pub fn default_database(data: &std::path::Path) -> String {
        format!("sqlite://{}", data.join("parley.db").display())
    }

    /// Path of a file in the data folder.
    pub fn data_file(&self, name: &str) -> PathBuf {
        self.data.join(name)
    }
}

#[cfg(test)]
mod tests;
