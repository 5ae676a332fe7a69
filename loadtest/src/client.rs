//! A participant as seen by scenarios: an asynchronous handle to a peer on an engine's thread.

use std::{
    net::SocketAddr,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use futures_util::{SinkExt, StreamExt, stream::SplitStream};
use livekit_protocol::{self as proto, signal_request::Message as Request};
use prost::Message as _;
use str0m::{
    RtcConfig,
    bwe::Bitrate,
    config::{CryptoProvider, DtlsCert},
};
use tokio::{
    net::TcpStream,
    sync::{mpsc, oneshot},
    time::timeout,
};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, tungstenite::Message};
use url::Url;

use crate::{
    engine::{Command, Engine, NewPeer, PeerId, WorkerHandle},
    error::JoinError,
    light::{self, Light},
    peer::{Behaviour, Observer, Peer, Publish, Shown},
    udp::Link,
    wire::{self, TrackSettings},
};

/// Requests of one peer waiting for its signal connection; more are lost.
const REQUESTS: usize = 256;
/// Packets kept for retransmission on each outgoing video stream.
const RESEND_PACKETS: usize = 256;
/// Where the estimate of an adapting publisher's uplink begins.
const UPLINK_START: Bitrate = Bitrate::kbps(1_500);
/// How long a leaving peer waits for the server to close, and for its own task to end.
const FAREWELL: Duration = Duration::from_secs(2);
const GOODBYE: Duration = Duration::from_secs(3);

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// How a participant joins and behaves.
pub struct Join {
    pub server: Url,
    pub token: String,
    /// A join that takes longer has failed.
    pub limit: Duration,
    pub auto_subscribe: bool,
    /// Wish told for every video track of others as soon as it is known.
    pub wish: Option<TrackSettings>,
    /// With a wish: show only these of the video tracks; the others are switched off.
    pub shown: Option<Shown>,
    /// Send all media to this address (a proxy in front of the server) instead of the server's.
    pub media_via: Option<SocketAddr>,
    /// Estimate the uplink and send only the video layers that it carries.
    pub adapt: bool,
    /// Open media outside of str0m, at a fraction of the cost, without NACK. Not with `adapt`.
    pub light: bool,
    pub observer: Option<Box<dyn Observer>>,
}

impl Join {
    /// A participant that subscribes to everything.
    pub fn new(server: Url, token: String) -> Self {
        Self {
            server,
            token,
            limit: Duration::from_secs(10),
            auto_subscribe: true,
            wish: None,
            shown: None,
            media_via: None,
            adapt: false,
            light: false,
            observer: None,
        }
    }
}

/// A connected participant. Dropping it without [`Client::leave`] cuts it off without a word.
pub struct Client {
    id: PeerId,
    worker: WorkerHandle,
    tracks: u32,
    /// From the first byte to ICE and DTLS up.
    pub join_time: Duration,
    signal: Option<tokio::task::JoinHandle<()>>,
    left: bool,
}

impl Client {
    /// Joins and waits until media is connected.
    pub async fn join(engine: &Engine, options: Join) -> Result<Self, JoinError> {
        let started = Instant::now();
        let limit = options.limit;
        let (worker, id) = engine.place();
        let connecting = Box::pin(Self::connect(worker.clone(), id, options));
        let joined = timeout(limit, connecting).await.unwrap_or(Err(JoinError::Late));
        match joined {
            Ok(mut client) => {
                client.join_time = started.elapsed();
                Ok(client)
            }
            Err(error) => {
                // What is left of it on the thread goes; a stopped thread has nothing left.
                drop(worker.send(Command::Leave(id)));
                Err(error)
            }
        }
    }

    async fn connect(worker: WorkerHandle, id: PeerId, options: Join) -> Result<Self, JoinError> {
        let ip = wire::local_ip(&options.server);
        let (link, port) = Link::bind(ip)?;
        let Join { wish, shown, media_via, adapt, .. } = options;
        let behaviour = Behaviour { wish, shown, media_via, adapt };
        let now = Instant::now();
        let (config, provider) = config(options.adapt)?;
        let rtc = Box::new(config.build(now));
        let keys = light::of_last_built().filter(|_| options.light && !options.adapt);
        let light = keys.map(|keys| Light::new(&rtc, provider, keys, now));
        let local = SocketAddr::new(ip, port);
        let (peer, offer) = Peer::offering(rtc, local, behaviour, light, options.observer, now)?;
        let url = wire::join_url(&options.server, &options.token, offer, options.auto_subscribe)?;
        let (socket, _) = tokio_tungstenite::connect_async(url.as_str()).await?;
        let (signal, requests) = mpsc::channel(REQUESTS);
        let (connected, answer) = oneshot::channel();
        worker.send(Command::Add(id, Box::new(NewPeer { peer, link, signal, connected })))?;
        let task = tokio::spawn(carry(socket, requests, worker.clone(), id));
        let client =
            Self { id, worker, tracks: 0, join_time: Duration::ZERO, signal: Some(task), left: false };
        match answer.await {
            Ok(Ok(())) => Ok(client),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(JoinError::Stopped),
        }
    }

    /// Publishes a track; the sid that the server gave it. Media flows as soon as it is negotiated.
    pub async fn publish(&mut self, what: Publish) -> Result<String, JoinError> {
        self.tracks += 1;
        let cid = format!("track-{}-{}", self.id.0, self.tracks);
        let (reply, answer) = oneshot::channel();
        self.worker.send(Command::Publish(self.id, cid, what, reply))?;
        answer.await.unwrap_or(Err(JoinError::Stopped))
    }

    /// Tells in what size a track is wished for.
    pub fn settings(&self, sid: &str, settings: TrackSettings) -> Result<(), JoinError> {
        self.worker.send(Command::Settings(self.id, sid.to_owned(), settings))
    }

    pub fn subscribe(&self, sid: &str, subscribe: bool) -> Result<(), JoinError> {
        self.worker.send(Command::Subscribe(self.id, sid.to_owned(), subscribe))
    }

    /// Mutes or unmutes an own track.
    pub fn mute(&self, sid: &str, muted: bool) -> Result<(), JoinError> {
        self.worker.send(Command::Mute(self.id, sid.to_owned(), muted))
    }

    /// Leaves as an SDK does: a leave message, then the socket.
    pub async fn leave(mut self) {
        self.left = true;
        if self.worker.send(Command::Leave(self.id)).is_ok()
            && let Some(task) = self.signal.take()
            && timeout(GOODBYE, task).await.is_err()
        {
            tracing::debug!("the server did not close after a leave");
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        if self.left {
            return;
        }
        if let Some(task) = self.signal.take() {
            task.abort();
        }
        // A stopped thread has nothing left to remove.
        drop(self.worker.send(Command::Leave(self.id)));
    }
}

/// Carries messages between the signal connection and the peer's thread until one of them ends.
async fn carry(socket: Socket, mut requests: mpsc::Receiver<Request>, worker: WorkerHandle, id: PeerId) {
    let (mut writer, mut reader) = socket.split();
    loop {
        tokio::select! {
            request = requests.recv() => {
                let Some(request) = request else {
                    // A socket closed with unread messages is reset, and the leave with it.
                    drop(timeout(FAREWELL, until_closed(&mut reader)).await);
                    break;
                };
                let bytes = proto::SignalRequest { message: Some(request) }.encode_to_vec();
                if writer.send(Message::Binary(bytes.into())).await.is_err() {
                    break;
                }
            }
            message = reader.next() => match message {
                Some(Ok(Message::Binary(bytes))) => {
                    let decoded = proto::SignalResponse::decode(bytes.as_ref());
                    let Ok(proto::SignalResponse { message: Some(message) }) = decoded else { continue };
                    if worker.send(Command::Signal(id, Box::new(message))).is_err() {
                        break;
                    }
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => break,
                Some(Ok(_)) => {}
            },
        }
    }
    drop(worker.send(Command::SignalClosed(id)));
    if let Err(error) = writer.close().await {
        tracing::debug!(%error, "the signal connection was closed before");
    }
}

async fn until_closed(reader: &mut SplitStream<Socket>) {
    while let Some(Ok(message)) = reader.next().await {
        if matches!(message, Message::Close(_)) {
            return;
        }
    }
}

/// One certificate for all peers: making one for each would be most of a join's cost.
fn config(adapt: bool) -> Result<(RtcConfig, Arc<CryptoProvider>), JoinError> {
    static SHARED: OnceLock<Option<(Arc<CryptoProvider>, DtlsCert)>> = OnceLock::new();
    let shared = SHARED.get_or_init(|| {
        let provider = light::tapped(str0m::crypto::from_feature_flags());
        let certificate = provider.dtls_provider.generate_certificate()?;
        Some((Arc::new(provider), certificate))
    });
    let Some((provider, certificate)) = shared else {
        return Err(JoinError::Media("no certificate could be made".to_owned()));
    };
    let config = RtcConfig::new()
        .set_crypto_provider(Arc::clone(provider))
        .set_dtls_cert(certificate.clone())
        .set_rtp_mode(true)
        .clear_codecs()
        .enable_opus(true, false)
        .enable_vp8(true)
        .set_send_buffer_video(RESEND_PACKETS)
        .set_stats_interval(None);
    let config = if adapt { config.enable_bwe(Some(UPLINK_START)) } else { config };
    Ok((config, Arc::clone(provider)))
}
