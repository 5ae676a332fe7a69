//! The list of settings and how each is read.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    str::FromStr,
    time::Duration,
};

use parley_control_app::DEFAULT_ROOM_LIMIT;
use parley_media_rtc::{TcpPort, VOICES_DEFAULT, VOICES_MAX};
use url::Url;

use super::{
    Config, ConfigError, ConfigErrors, HttpConfig, LimitSettings, LogConfig, MailConfig, MediaSettings,
    RoomSettings, Secret, Setup, Sources, TlsConfig, WebhookSettings,
};

/// One setting, for help and for finding typing errors.
#[derive(Debug)]
pub struct Setting {
    pub key: &'static str,
    pub default: &'static str,
    pub help: &'static str,
}

const fn setting(key: &'static str, default: &'static str, help: &'static str) -> Setting {
    Setting { key, default, help }
}

pub const SETTINGS: &[Setting] = &[
    setting("data", "parley-data", "folder of the database, certificate, keys and mail copies"),
    setting("dev", "false", "development: plain HTTP on 127.0.0.1:7880, API key devkey, secret secret"),
    setting("demo", "false", "make a demo practice with logins on first start"),
    setting(
        "public_url",
        "from the listeners",
        "what people's links begin with, like https://parley.example.org",
    ),
    setting("http.listen", "127.0.0.1:7880", "plain HTTP, or off; loopback only unless http.behind_proxy"),
    setting("http.behind_proxy", "false", "a proxy in front does TLS; plain HTTP may listen on any address"),
    setting("https.listen", "0.0.0.0:7443 (with dev: off)", "HTTPS, or off"),
    setting("tls.certificate", "made on first start", "PEM file with the certificate chain"),
    setting("tls.key", "made on first start", "PEM file with the private key"),
    setting(
        "tls.names",
        "localhost and this machine's",
        "names and addresses in the certificate that is made",
    ),
    setting("database.url", "sqlite in the data folder", "sqlite:///path/file.db or postgres://…"),
    setting("media.workers", "one per core", "threads that forward media, each with its own UDP port"),
    setting("media.udp_port", "7882", "first UDP port of media; 0 = any free one"),
    setting("media.tcp_port", "7881, if it is free", "TCP port of media, for where UDP is blocked; 0 = off"),
    setting("media.voices", "10", "microphones heard at once in a room: the loudest, 1 to 64"),
    setting("media.room_width", "100", "participants of a room on one thread before more come to another"),
    setting("media.bind", "0.0.0.0 (with dev: 127.0.0.1)", "addresses that media listens on"),
    setting("media.advertise", "those of media.bind", "addresses told to clients, behind NAT the public one"),
    setting("stun.listen", "off", "STUN over UDP for clients, like 0.0.0.0:3478"),
    setting(
        "metrics.listen",
        "off (with dev: /metrics of http.listen)",
        "metrics for Prometheus, like 127.0.0.1:9464",
    ),
    setting("setup.organisation", "none", "name of the practice to make on first start"),
    setting("setup.time_zone", "UTC", "its time zone, like Europe/Berlin"),
    setting("setup.admin_email", "none", "its first admin, who gets a link to set a password"),
    setting("setup.admin_name", "Admin", "the first admin's name"),
    setting(
        "keys",
        "made on first start",
        "API keys of the LiveKit-compatible protocol: key:secret,key:secret",
    ),
    setting("webhook.urls", "none", "who is told of rooms and participants: https://host/path,…"),
    setting("webhook.api_key", "the first of keys", "the API key whose secret signs webhooks"),
    setting("rooms.auto_create", "true", "joining makes a room; false: the server API alone"),
    setting("rooms.empty_timeout_seconds", "300", "how long a room stays that nobody has joined"),
    setting("rooms.departure_timeout_seconds", "20", "how long a room stays after the last has left"),
    setting("rooms.max_participants", "0", "people in a room made without a number; 0: as the limit below"),
    setting("rooms.remote_unmute", "false", "the server API may unmute people, not only mute them"),
    setting("limits.rooms", "5000", "rooms on this node at once"),
    setting("limits.participants_per_room", "3000", "participants of one room, recorders included"),
    setting("limits.tracks_per_participant", "64", "tracks that one participant may publish"),
    setting(
        "limits.publish_kbps",
        "0",
        "kbit/s that clients are told to keep to for a video track; 0: no bound",
    ),
    setting("limits.metadata_bytes", "65536", "metadata of a room or participant, and its attributes"),
    setting("limits.signal_message_bytes", "524288", "one message of a signal connection, a description say"),
    setting("limits.data_message_bytes", "65536", "one data message of a client or of the server API"),
    setting("smtp.url", "none: kept as files", "smtp://user:password@host:587 or smtps://…:465"),
    setting("mail.from", "Parley <no-reply@localhost>", "sender of the mails"),
    setting("log.filter", DEFAULT_FILTER, "log level or filter, like info,parley_signaling=debug"),
    setting("log.format", "text", "text or json"),
    setting("room_limit", "100", "people who may be in one consultation at once"),
    setting("shutdown_seconds", "10", "how long a stopping server waits for requests and participants"),
];

const MAX_WORKERS: usize = 256;
const MAX_SHUTDOWN_SECONDS: u64 = 600;
const MAX_ROOM_TIMEOUT_SECONDS: u64 = 7 * 24 * 3_600;
const MAX_WEBHOOK_URLS: usize = 16;
const MIN_SECRET_LENGTH: usize = 16;
/// The STUN codec warns of every malformed datagram, which any stranger can send.
const DEFAULT_FILTER: &str = "info,stun_types=error";
/// As LiveKit's.
const TCP_PORT: u16 = 7881;
const DEV_KEY: (&str, &str) = ("devkey", "secret");

/// Reads values one by one and keeps every mistake.
struct Reader<'a> {
    sources: &'a Sources,
    errors: Vec<ConfigError>,
}

impl Reader<'_> {
    fn fail(&mut self, key: &str, message: impl Into<String>) {
        let origin = self.sources.value(key).map_or("default", |value| &value.origin).to_owned();
        self.errors.push(ConfigError { key: key.to_owned(), origin, message: message.into() });
    }

    fn text(&self, key: &str) -> Option<&str> {
        self.sources.value(key).map(|value| value.text.trim()).filter(|text| !text.is_empty())
    }

    /// The parsed value, or `None` when it is absent or a mistake (which is kept).
    fn parsed<T: FromStr>(&mut self, key: &str, wanted: &str) -> Option<T> {
        let text = self.text(key)?.to_owned();
        match text.parse() {
            Ok(value) => Some(value),
            Err(_) => {
                self.fail(key, format!("“{text}” is not {wanted}"));
                None
            }
        }
    }

    fn flag(&mut self, key: &str) -> bool {
        self.parsed(key, "true or false").unwrap_or(false)
    }

    fn listener(&mut self, key: &str, default: Option<&str>) -> Option<SocketAddr> {
        match self.text(key) {
            Some("off") => None,
            Some(_) => self.parsed(key, "an address with a port, like 127.0.0.1:7880, or off"),
            None => default.map(|text| text.parse().expect("defaults are written right")),
        }
    }

    fn addresses(&mut self, key: &str) -> Vec<IpAddr> {
        let Some(text) = self.text(key).map(ToOwned::to_owned) else { return Vec::new() };
        let mut addresses = Vec::new();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            match part.parse() {
                Ok(address) => addresses.push(address),
                Err(_) => self.fail(key, format!("“{part}” is not an IP address")),
            }
        }
        addresses
    }

    fn keys(&mut self, dev: bool) -> Vec<(String, Secret)> {
        let mut keys = Vec::new();
        let text = self.text("keys").unwrap_or_default().to_owned();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            // The text is not repeated in messages: it holds a secret.
            match part.split_once(':').map(|(key, secret)| (key.trim(), secret.trim())) {
                Some((key, secret)) if !key.is_empty() && (dev || secret.len() >= MIN_SECRET_LENGTH) => {
                    keys.push((key.to_owned(), Secret::new(secret)));
                }
                Some((key, _)) if !key.is_empty() => {
                    self.fail(
                        "keys",
                        format!("the secret of {key} is shorter than {MIN_SECRET_LENGTH} characters"),
                    );
                }
                _ => self.fail("keys", "an entry is not of the form key:secret"),
            }
        }
        if keys.is_empty() && dev {
            keys.push((DEV_KEY.0.to_owned(), Secret::new(DEV_KEY.1)));
        }
        keys
    }
}

pub(super) fn parse(sources: &Sources) -> Result<Config, ConfigErrors> {
    let mut reader = Reader { sources, errors: sources.errors().to_vec() };
    let dev = reader.flag("dev");
    let http = http(&mut reader, dev);
    let tls = tls(&mut reader);
    let media = media(&mut reader, dev);
    let data = PathBuf::from(reader.text("data").unwrap_or("parley-data"));
    let public_url = public_url(&mut reader, &http);
    let database_url =
        reader.text("database.url").map_or_else(|| Config::default_database(&data), ToOwned::to_owned);
    if !["sqlite:", "postgres:", "postgresql:"].iter().any(|scheme| database_url.starts_with(scheme)) {
        reader.fail("database.url", "begins neither with sqlite: nor with postgres:");
    }
    let room_limit = reader.parsed("room_limit", "a number of people").unwrap_or(DEFAULT_ROOM_LIMIT);
    if room_limit == 0 {
        reader.fail("room_limit", "nobody could join");
    }
    let shutdown = reader.parsed("shutdown_seconds", "a number of seconds").unwrap_or(10_u64);
    if shutdown > MAX_SHUTDOWN_SECONDS {
        reader.fail("shutdown_seconds", format!("is more than {MAX_SHUTDOWN_SECONDS}"));
    }
    let keys = reader.keys(dev);
    let webhooks = webhooks(&mut reader, &keys);
    let config = Config {
        demo: reader.flag("demo"),
        stun_listen: reader.listener("stun.listen", None),
        metrics_listen: reader.listener("metrics.listen", None),
        keys,
        rooms: rooms(&mut reader),
        limits: limits(&mut reader),
        webhooks,
        setup: setup(&mut reader),
        mail: mail(&mut reader),
        log: log(&mut reader),
        room_limit,
        shutdown: Duration::from_secs(shutdown),
        database_url: Secret::new(database_url),
        data,
        dev,
        public_url,
        http,
        tls,
        media,
    };
    if reader.errors.is_empty() { Ok(config) } else { Err(ConfigErrors(reader.errors)) }
}

fn http(reader: &mut Reader<'_>, dev: bool) -> HttpConfig {
    let listen = reader.listener("http.listen", Some("127.0.0.1:7880"));
    let https_listen = reader.listener("https.listen", (!dev).then_some("0.0.0.0:7443"));
    let behind_proxy = reader.flag("http.behind_proxy");
    if let Some(address) = listen
        && !address.ip().is_loopback()
        && !behind_proxy
    {
        reader.fail(
            "http.listen",
            format!(
                "{address} would carry passwords unencrypted; use https.listen, or set http.behind_proxy"
            ),
        );
    }
    if listen.is_none() && https_listen.is_none() {
        reader.fail("https.listen", "both listeners are off, so nobody could reach the server");
    }
    HttpConfig { listen, https_listen, behind_proxy }
}

fn tls(reader: &mut Reader<'_>) -> TlsConfig {
    let certificate = reader.text("tls.certificate").map(PathBuf::from);
    let key = reader.text("tls.key").map(PathBuf::from);
    let files = match (certificate, key) {
        (Some(certificate), Some(key)) => {
            for (name, path) in [("tls.certificate", &certificate), ("tls.key", &key)] {
                if let Err(error) = std::fs::File::open(path) {
                    reader.fail(name, format!("{} cannot be read: {error}", path.display()));
                }
            }
            Some((certificate, key))
        }
        (Some(_), None) => {
            reader.fail("tls.key", "is missing, though tls.certificate is set");
            None
        }
        (None, Some(_)) => {
            reader.fail("tls.certificate", "is missing, though tls.key is set");
            None
        }
        (None, None) => None,
    };
    let names = reader.text("tls.names").unwrap_or_default();
    let names =
        names.split(',').map(str::trim).filter(|name| !name.is_empty()).map(ToOwned::to_owned).collect();
    TlsConfig { files, names }
}

fn media(reader: &mut Reader<'_>, dev: bool) -> MediaSettings {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let workers = reader.parsed("media.workers", "a number of threads").unwrap_or(cores);
    if workers == 0 || workers > MAX_WORKERS {
        reader.fail("media.workers", format!("{workers} is not between 1 and {MAX_WORKERS}"));
    }
    let udp_port: u16 = reader.parsed("media.udp_port", "a port between 0 and 65535").unwrap_or(7882);
    if udp_port != 0 && usize::from(udp_port) + workers > usize::from(u16::MAX) + 1 {
        reader.fail("media.udp_port", format!("{workers} workers need ports past 65535"));
    }
    let tcp = tcp_port(reader, udp_port);
    let mut bind = reader.addresses("media.bind");
    if bind.is_empty() {
        bind.push(if dev { IpAddr::from([127, 0, 0, 1]) } else { IpAddr::from([0, 0, 0, 0]) });
    }
    let advertise = reader.addresses("media.advertise");
    if let Some(address) = advertise.iter().find(|address| address.is_unspecified()) {
        reader.fail("media.advertise", format!("no client can reach {address}"));
    }
    let room_width = reader.parsed("media.room_width", "a number of participants").unwrap_or(100);
    if room_width == 0 {
        reader.fail("media.room_width", "a room holds at least one participant".to_owned());
    }
    let voices = reader.parsed("media.voices", "a number of microphones").unwrap_or(VOICES_DEFAULT);
    if !(1..=VOICES_MAX).contains(&voices) {
        reader.fail("media.voices", format!("1 to {VOICES_MAX} microphones"));
    }
    MediaSettings { workers, udp_port, tcp, room_width, voices, bind, advertise }
}

/// A port that is asked for must be free; the usual one is taken if it is.
fn tcp_port(reader: &mut Reader<'_>, udp_port: u16) -> Option<TcpPort> {
    match reader.parsed("media.tcp_port", "a port between 0 and 65535") {
        Some(0) => None,
        Some(port) => Some(TcpPort { port, required: true }),
        // Any free UDP port means a run beside others.
        None => (udp_port != 0).then_some(TcpPort { port: TCP_PORT, required: false }),
    }
}

/// Links need an address that people can open: the configured one, else that of the first listener.
fn public_url(reader: &mut Reader<'_>, http: &HttpConfig) -> Url {
    let fallback = match (http.https_listen, http.listen) {
        (Some(address), _) => format!("https://{}", host_and_port(address)),
        (None, Some(address)) => format!("http://{}", host_and_port(address)),
        (None, None) => "http://localhost".to_owned(),
    };
    let fallback = Url::parse(&fallback).expect("made of an address and a port");
    let Some(url) = reader.parsed::<Url>("public_url", "a web address, like https://parley.example.org")
    else {
        return fallback;
    };
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        reader.fail("public_url", format!("{url} is not an http or https address"));
    } else if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        reader.fail("public_url", format!("{url} must end after host and port"));
    }
    url
}

/// How people write the address: an unspecified one is this machine.
pub fn host_and_port(address: SocketAddr) -> String {
    if address.ip().is_unspecified() { format!("localhost:{}", address.port()) } else { address.to_string() }
}

fn rooms(reader: &mut Reader<'_>) -> RoomSettings {
    let mut timeout = |key: &str, default: u64| {
        let seconds = reader.parsed(key, "a number of seconds").unwrap_or(default);
        if seconds > MAX_ROOM_TIMEOUT_SECONDS {
            reader.fail(key, format!("is more than {MAX_ROOM_TIMEOUT_SECONDS}"));
        }
        Duration::from_secs(seconds)
    };
    RoomSettings {
        empty_timeout: timeout("rooms.empty_timeout_seconds", 300),
        departure_timeout: timeout("rooms.departure_timeout_seconds", 20),
        auto_create: reader.parsed("rooms.auto_create", "true or false").unwrap_or(true),
        max_participants: reader.parsed("rooms.max_participants", "a number of people").unwrap_or(0),
        remote_unmute: reader.flag("rooms.remote_unmute"),
    }
}

fn limits(reader: &mut Reader<'_>) -> LimitSettings {
    let defaults = parley_signaling::Limits::default();
    let mut limit = |key: &str, default: usize| {
        let number = reader.parsed(key, "a number").unwrap_or(default);
        if number == 0 {
            reader.fail(key, "nothing would be allowed");
        }
        number
    };
    let limits = LimitSettings {
        rooms: limit("limits.rooms", defaults.rooms),
        participants_per_room: limit("limits.participants_per_room", defaults.participants_per_room),
        tracks_per_participant: limit("limits.tracks_per_participant", defaults.tracks_per_participant),
        metadata_bytes: limit("limits.metadata_bytes", defaults.metadata_bytes),
        signal_message_bytes: limit("limits.signal_message_bytes", defaults.signal_message_bytes),
        data_message_bytes: limit("limits.data_message_bytes", defaults.data_message_bytes),
        publish_kbps: 0,
    };
    let publish_kbps = reader.parsed("limits.publish_kbps", "a number of kbit/s").unwrap_or(0);
    LimitSettings { publish_kbps, ..limits }
}

fn webhooks(reader: &mut Reader<'_>, keys: &[(String, Secret)]) -> WebhookSettings {
    let text = reader.text("webhook.urls").unwrap_or_default().to_owned();
    let mut urls = Vec::new();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        match Url::parse(part) {
            Ok(url) if matches!(url.scheme(), "http" | "https") && url.host().is_some() => urls.push(url),
            _ => reader.fail("webhook.urls", format!("“{part}” is not an http or https address")),
        }
    }
    if urls.len() > MAX_WEBHOOK_URLS {
        reader.fail("webhook.urls", format!("there are more than {MAX_WEBHOOK_URLS}"));
    }
    let api_key = reader.text("webhook.api_key").map(ToOwned::to_owned);
    if let Some(name) = &api_key
        && !keys.iter().any(|(key, _)| key == name)
    {
        reader.fail("webhook.api_key", format!("{name} is not one of keys"));
    }
    WebhookSettings { urls, api_key }
}

fn mail(reader: &mut Reader<'_>) -> MailConfig {
    let smtp_url = reader.text("smtp.url").map(Secret::new);
    if let Some(url) = &smtp_url {
        let known = Url::parse(url.expose()).is_ok_and(|url| matches!(url.scheme(), "smtp" | "smtps"));
        if !known {
            reader.fail("smtp.url", "is not of the form smtp://user:password@host:port or smtps://…");
        }
    }
    let from = reader.text("mail.from").unwrap_or("Parley <no-reply@localhost>").to_owned();
    if !from.contains('@') {
        reader.fail("mail.from", "has no e-mail address");
    }
    MailConfig { smtp_url, from }
}

fn setup(reader: &mut Reader<'_>) -> Option<Setup> {
    let organisation = reader.text("setup.organisation").map(ToOwned::to_owned);
    let admin_email = reader.text("setup.admin_email").map(ToOwned::to_owned);
    let (organisation, admin_email) = match (organisation, admin_email) {
        (None, None) => return None,
        (Some(organisation), Some(admin_email)) => (organisation, admin_email),
        (Some(_), None) => {
            reader.fail("setup.admin_email", "is missing, though setup.organisation is set");
            return None;
        }
        (None, Some(_)) => {
            reader.fail("setup.organisation", "is missing, though setup.admin_email is set");
            return None;
        }
    };
    Some(Setup {
        organisation,
        admin_email,
        time_zone: reader.text("setup.time_zone").unwrap_or("UTC").to_owned(),
        admin_name: reader.text("setup.admin_name").unwrap_or("Admin").to_owned(),
    })
}

fn log(reader: &mut Reader<'_>) -> LogConfig {
    let filter = reader.text("log.filter").unwrap_or(DEFAULT_FILTER).to_owned();
    if tracing_subscriber::EnvFilter::try_new(&filter).is_err() {
        reader.fail("log.filter", format!("“{filter}” is not a level or filter"));
    }
    let json = match reader.text("log.format") {
        None | Some("text") => false,
        Some("json") => true,
        Some(other) => {
            let message = format!("“{other}” is neither text nor json");
            reader.fail("log.format", message);
            false
        }
    };
    LogConfig { filter, json }
}
