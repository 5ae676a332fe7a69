//! `parley serve`: starts everything in one process and stops it in order.

use std::{
    fs::{File, TryLockError},
    io,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{Router, extract::State, http::StatusCode, routing::get};
use parley_control_app::{
    App, AppConfig, DemoLogin, DemoPasswords, FirstOrganisation, Ports, SystemClock, SystemRandom,
    ports::Mailer,
};
use parley_control_http::HttpConfig;
use parley_control_providers::{FolderMailer, SmtpMailer};
use parley_control_store::{DatabaseUrl, Store};
use parley_media_rtc::{Media, MediaConfig};
use parley_signaling::{IceServer, Limits, Signaling, SignalingConfig, WebhookConfig};
use parley_turn_server::StunServer;
use tokio::{
    signal::unix::{SignalKind, signal},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use crate::{
    adapters::{SignalingRooms, forward_events},
    cli::print_line,
    config::{Config, host_and_port},
    keys::Keys,
    listeners::{ListenError, Listeners, Routers, Serving},
    metrics, pages, telemetry, tls,
};

/// How long media workers have for their goodbyes.
const MEDIA_STOP: Duration = Duration::from_secs(2);

/// Why the server did not start, or could not go on.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("the data folder {folder} is in use by another server")]
    InUse { folder: String },
    #[error("the data folder {folder} cannot be used: {source}")]
    Data { folder: String, source: io::Error },
    #[error(transparent)]
    Listen(#[from] ListenError),
    #[error("media: {0}")]
    Media(#[from] parley_media_rtc::StartError),
    #[error("database: {0}")]
    Database(String),
    #[error("mail: {0} (setting smtp.url or mail.from)")]
    Mail(String),
    #[error("STUN cannot listen on {address}: {source} (setting stun.listen)")]
    Stun { address: SocketAddr, source: io::Error },
    #[error("demo: {0}")]
    Demo(String),
    #[error("the first practice could not be made: {0} (settings setup.…)")]
    Setup(String),
    #[error("the runtime did not start: {0}")]
    Runtime(io::Error),
    #[error("{0} ended by itself, so the server stops; its log says why. A supervisor should start it again")]
    PartEnded(&'static str),
}

/// Runs until SIGTERM or Ctrl-C.
pub fn run(config: Config) -> Result<(), ServeError> {
    telemetry::start(&config.log);
    let runtime = tokio::runtime::Runtime::new().map_err(ServeError::Runtime)?;
    runtime.block_on(async {
        // From the first moment on: a SIGTERM during the start must not leave things half done.
        let mut terminate = signal(SignalKind::terminate()).map_err(ServeError::Runtime)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(ServeError::Runtime)?;
        let mut running = Box::pin(Running::start(config)).await?;
        let outcome = tokio::select! {
            _ = terminate.recv() => Ok(()),
            _ = interrupt.recv() => Ok(()),
            part = running.part_ended() => Err(ServeError::PartEnded(part)),
        };
        running.stop().await;
        outcome
    })
}

/// Everything that runs, in the order in which it is stopped.
struct Running {
    config: Config,
    app: Arc<App>,
    serving: Serving,
    signaling: Signaling,
    media: Media,
    background: JoinSet<&'static str>,
    stop: CancellationToken,
    /// Held for the life of the process.
    _lock: File,
}

impl Running {
    async fn start(config: Config) -> Result<Self, ServeError> {
        let started = Instant::now();
        let lock = lock_data_folder(&config)?;
        let data_error = |source| ServeError::Data { folder: config.data.display().to_string(), source };
        let keys = Keys::load_or_make(&config).map_err(data_error)?;
        let certificate = tls::certificate(&config).map_err(data_error)?;
        let listeners = Listeners::bind(&config.http, config.metrics_listen)?;
        let media = Media::start(media_config(&config))?;
        let signaling = Signaling::new(signaling_config(&config, &keys), media.clone());
        let app = app(&config, &keys, &signaling).await?;

        let stop = CancellationToken::new();
        let mut background = JoinSet::new();
        if let Some(events) = signaling.events() {
            let forward = forward_events(app.clone(), events, stop.clone());
            background.spawn(named("the reader of room events", forward));
        }
        let (worker, token) = (app.clone(), stop.clone());
        background.spawn(named("background work", async move { worker.run_background(token).await }));
        if let Some(address) = config.stun_listen {
            let server =
                StunServer::bind(address).await.map_err(|source| ServeError::Stun { address, source })?;
            let token = stop.clone();
            background.spawn(named("STUN", async move { server.run(token).await }));
        }
        let mut notes = if config.demo { demo(&config, &app).await? } else { Vec::new() };
        notes.extend(first_organisation(&config, &app).await?);
        let addresses = Addresses {
            http: listeners.http.as_ref().map(|(address, _)| *address),
            https: listeners.https.as_ref().map(|(address, _)| *address),
            metrics: listeners.metrics.as_ref().map(|(address, _)| *address),
            media: media.candidates(),
        };
        let router = router(&config, media.clone(), &signaling, app.clone(), !certificate.own, stop.clone());
        let routers = Routers { main: router, metrics: metrics::router(media.clone()) };
        let serving = Serving::start(listeners, &certificate, routers).await?;
        announce(&config, addresses, certificate.own, &notes, started.elapsed());
        Ok(Self { config, app, serving, signaling, media, background, stop, _lock: lock })
    }

    /// Waits until something ends that should run as long as the server: going on without it would lose things
    /// silently.
    async fn part_ended(&mut self) -> &'static str {
        tokio::select! {
            Some(ended) = self.background.join_next() => ended.unwrap_or("a part of the server"),
            () = self.serving.ended() => "a listener",
        }
    }

    /// Participants are told first, while their sockets are open; then requests end; then media; then the rest.
    async fn stop(mut self) {
        tracing::info!("stopping");
        // Who is disconnected now comes back: his meeting goes on after the restart.
        self.app.stopping();
        self.signaling.shutdown().await;
        self.stop.cancel();
        self.serving.stop(self.config.shutdown).await;
        self.media.shutdown(MEDIA_STOP).await;
        drop(self.signaling);
        let ended = async { while self.background.join_next().await.is_some() {} };
        if tokio::time::timeout(self.config.shutdown, ended).await.is_err() {
            tracing::warn!("background work did not end in time; it is taken up at the next start");
        }
        tracing::info!("stopped");
    }
}

/// One server per data folder: two would send every mail twice.
fn lock_data_folder(config: &Config) -> Result<File, ServeError> {
    let folder = config.data.display().to_string();
    let open = || {
        std::fs::create_dir_all(&config.data)?;
        File::create(config.data_file("lock"))
    };
    let file = open().map_err(|source| ServeError::Data { folder: folder.clone(), source })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(ServeError::InUse { folder }),
        Err(TryLockError::Error(source)) => Err(ServeError::Data { folder, source }),
    }
}

fn media_config(config: &Config) -> MediaConfig {
    MediaConfig {
        workers: config.media.workers,
        udp_port: config.media.udp_port,
        tcp: config.media.tcp,
        room_width: config.media.room_width,
        voices: config.media.voices,
        publish_bps: u64::from(config.limits.publish_kbps) * 1_000,
        bind: config.media.bind.clone(),
        advertise: config.media.advertise.clone(),
        max_data_message: config.limits.data_message_bytes,
        ..MediaConfig::default()
    }
}

fn signaling_config(config: &Config, keys: &Keys) -> SignalingConfig {
    let (key, secret) = keys.api.first().expect("there is at least one key");
    let stun = config.stun_listen.map(|address| {
        let host = config.public_url.host_str().unwrap_or("localhost").to_owned();
        IceServer { urls: vec![format!("stun:{host}:{}", address.port())], ..IceServer::default() }
    });
    let (rooms, limits) = (&config.rooms, &config.limits);
    SignalingConfig {
        keys: keys.api_keys(),
        auto_create_rooms: rooms.auto_create,
        empty_timeout: rooms.empty_timeout,
        departure_timeout: rooms.departure_timeout,
        max_participants: rooms.max_participants,
        remote_unmute: rooms.remote_unmute,
        webhooks: WebhookConfig {
            urls: config.webhooks.urls.iter().map(ToString::to_string).collect(),
            api_key: Some(config.webhooks.api_key.clone().unwrap_or_else(|| key.clone())),
        },
        limits: Limits {
            rooms: limits.rooms,
            participants_per_room: limits.participants_per_room,
            tracks_per_participant: limits.tracks_per_participant,
            publish_kbps: limits.publish_kbps,
            metadata_bytes: limits.metadata_bytes,
            signal_message_bytes: limits.signal_message_bytes,
            data_message_bytes: limits.data_message_bytes,
            ..Limits::default()
        },
        ice_servers: Arc::new(move |_| stun.iter().cloned().collect()),
        ..SignalingConfig::new(key, secret.expose())
    }
}

/// Opens the database and builds the control plane over it; without `signaling` it can do everything but calls.
async fn app(config: &Config, keys: &Keys, signaling: &Signaling) -> Result<Arc<App>, ServeError> {
    let url: DatabaseUrl = config.database_url.expose().parse().map_err(database_error)?;
    let store = Store::open(&url).await.map_err(database_error)?;
    let mailer: Arc<dyn Mailer> = match &config.mail.smtp_url {
        Some(url) => {
            Arc::new(SmtpMailer::from_url(url.expose()).map_err(|error| ServeError::Mail(error.to_string()))?)
        }
        None => {
            let folder = config.data_file("mail");
            tracing::warn!(folder = %folder.display(), "no smtp.url is set: mails are kept as files");
            Arc::new(FolderMailer::new(folder))
        }
    };
    let app_config = AppConfig {
        public_url: config.public_url.clone(),
        // The pages and the signalling come from one process, so clients stay on the page's origin.
        media_url: "/".to_owned(),
        link_key: keys.links,
        mail_from: config.mail.from.clone(),
        room_limit: config.room_limit,
    };
    let ports = Ports {
        store: Arc::new(store),
        rooms: Arc::new(SignalingRooms::new(signaling.clone())),
        mailer,
        clock: Arc::new(SystemClock),
        random: Arc::new(SystemRandom),
    };
    Ok(App::new(app_config, ports))
}

fn database_error(error: impl std::fmt::Display) -> ServeError {
    ServeError::Database(error.to_string())
}

/// All routes: the client protocol, the API, the pages, health.
fn router(
    config: &Config,
    media: Media,
    signaling: &Signaling,
    app: Arc<App>,
    trusted: bool,
    stop: CancellationToken,
) -> Router {
    let https = config.public_url.scheme() == "https";
    let http = HttpConfig {
        public_url: config.public_url.clone(),
        secure_cookies: https,
        media_url: "/".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        dev: config.dev,
        behind_proxy: config.http.behind_proxy,
        default_locale: "en".to_owned(),
        shutdown: stop,
    };
    // Others would learn how much goes on here; a developer looks where the rest is.
    let metrics = if config.dev { metrics::router(media.clone()) } else { Router::new() };
    Router::new()
        .route("/healthz", get(health).with_state(media))
        .merge(metrics)
        .merge(signaling.router())
        .merge(parley_control_http::router(http, app))
        .fallback_service(pages::router(https && trusted))
}

/// For supervisors and load balancers: 503 when rooms could not be carried.
async fn health(State(media): State<Media>) -> (StatusCode, &'static str) {
    if media.is_running() {
        (StatusCode::OK, "ok\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "media has stopped\n")
    }
}

/// Makes the demo practice on its first start; its logins are kept beside the database, to be printed again.
async fn demo(config: &Config, app: &App) -> Result<Vec<String>, ServeError> {
    let failed = |error: &dyn std::fmt::Display| ServeError::Demo(error.to_string());
    let path = config.data_file("demo-logins.json");
    let made = app.seed_demo(&DemoPasswords::default()).await.map_err(|error| failed(&error))?;
    let logins: Vec<Login> = match made {
        Some(logins) => {
            let logins = logins.into_iter().map(Login::from).collect();
            let json = serde_json::to_vec_pretty(&logins).map_err(|error| failed(&error))?;
            tls::write_private(&path, &json).map_err(|error| failed(&error))?;
            logins
        }
        None => {
            std::fs::read(&path).ok().and_then(|json| serde_json::from_slice(&json).ok()).unwrap_or_default()
        }
    };
    Ok(logins
        .iter()
        .map(|login| format!("{:<11} {}  password {}", login.role, login.email, login.password))
        .collect())
}

/// A login of the demo practice.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Login {
    role: String,
    email: String,
    password: String,
}

impl From<DemoLogin> for Login {
    fn from(login: DemoLogin) -> Self {
        Self { role: login.role.as_str().to_owned(), email: login.email, password: login.password }
    }
}

/// Makes the configured practice when there is none, and gives its admin's one-time link.
async fn first_organisation(config: &Config, app: &App) -> Result<Option<String>, ServeError> {
    let Some(setup) = &config.setup else { return Ok(None) };
    let first = FirstOrganisation {
        name: setup.organisation.clone(),
        time_zone: setup.time_zone.clone(),
        admin_name: setup.admin_name.clone(),
        admin_email: setup.admin_email.clone(),
    };
    let link = app.bootstrap(&first).await.map_err(|error| ServeError::Setup(error.to_string()))?;
    Ok(link.map(|link| format!("{:<11} {} sets a password here, once: {link}", "admin", setup.admin_email)))
}

/// Tells the person at the terminal where to go.
fn announce(config: &Config, addresses: Addresses, own_certificate: bool, notes: &[String], took: Duration) {
    let mut text = format!("Parley {}\n", env!("CARGO_PKG_VERSION"));
    if let Some(address) = addresses.https {
        text.push_str(&format!("  pages       https://{}\n", host_and_port(address)));
        if own_certificate {
            text.push_str("              (own certificate: the browser asks once before it goes on)\n");
        }
    }
    if let Some(address) = addresses.http {
        text.push_str(&format!("  plain HTTP  http://{}\n", host_and_port(address)));
    }
    for address in &addresses.media {
        text.push_str(&format!("  media       udp {address}\n"));
    }
    if let Some(address) = addresses.metrics {
        text.push_str(&format!("  metrics     http://{}/metrics\n", host_and_port(address)));
    }
    text.push_str(&format!("  data        {}\n", config.data.display()));
    if config.dev
        && let Some((key, secret)) = config.keys.first()
    {
        text.push_str(&format!("  API key     {key}, secret {}\n", secret.expose()));
    }
    for note in notes {
        text.push_str(&format!("  {note}\n"));
    }
    if config.demo {
        let page = addresses.http.or(addresses.https).map(host_and_port).unwrap_or_default();
        let scheme = if addresses.http.is_some() { "http" } else { "https" };
        text.push_str(&format!(
            "  book a time {scheme}://{page}/o/demo\n  sign in     {scheme}://{page}/sign-in\n"
        ));
    }
    text.push_str(&format!("Parley is ready ({} ms)", took.as_millis()));
    print_line(&text);
    tracing::info!(took_ms = took.as_millis(), "ready");
}

/// Where the server can be reached.
struct Addresses {
    http: Option<SocketAddr>,
    https: Option<SocketAddr>,
    metrics: Option<SocketAddr>,
    media: Vec<SocketAddr>,
}

/// Runs `work`, and then says whose it was.
async fn named(name: &'static str, work: impl Future<Output = ()>) -> &'static str {
    work.await;
    name
}
