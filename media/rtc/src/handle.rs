//! The running media plane, and what its handles and a worker share.

use std::{
    net::{SocketAddr, TcpStream},
    sync::{Arc, Mutex, PoisonError, atomic::AtomicUsize},
    thread::JoinHandle,
    time::Duration,
};

use mio::Waker;
use str0m::{
    Candidate,
    net::{Protocol, TcpType},
};
use tokio::sync::mpsc;

use crate::{
    MediaConfig, MediaError, MediaEvent, MetricsSnapshot, StartError, StreamRefused,
    arena::Key,
    command::{COMMANDS_MAX, Command},
    metrics::Metrics,
    relay::Inbox,
    rooms::RoomHandle,
    tcp::{
        listener::{Listeners, Stopper},
        router::{Directory, Router},
    },
    worker::Worker,
};

/// What the handles and a worker share.
pub(crate) struct Link {
    pub(crate) commands: mpsc::Sender<Command>,
    waker: Waker,
    /// Rooms and participants; where there are least, the next room goes.
    pub(crate) load: AtomicUsize,
    /// Rooms whose last handle was dropped.
    pub(crate) dropped: Mutex<Vec<Key>>,
    /// What parts of rooms on other workers have to say.
    pub(crate) inbox: Inbox,
    pub(crate) metrics: Metrics,
}

impl Link {
    pub(crate) fn new(commands: mpsc::Sender<Command>, waker: Waker) -> Self {
        Self {
            commands,
            waker,
            load: AtomicUsize::new(0),
            dropped: Mutex::new(Vec::new()),
            inbox: Inbox::default(),
            metrics: Metrics::default(),
        }
    }

    pub(crate) fn is_running(&self) -> bool {
        !self.commands.is_closed()
    }

    pub(crate) fn wake(&self) {
        // A worker that has stopped is not woken; commands to it fail by themselves.
        if let Err(error) = self.waker.wake() {
            tracing::debug!(%error, "cannot wake a worker");
        }
    }

    pub(crate) async fn send(&self, command: Command) -> Result<(), MediaError> {
        self.commands.send(command).await.map_err(|_| MediaError::Stopped)?;
        self.wake();
        Ok(())
    }

    /// False when the queue is full or the worker has stopped.
    pub(crate) fn try_send(&self, command: Command) -> bool {
        let sent = self.commands.try_send(command).is_ok();
        self.wake();
        sent
    }
}

pub(crate) struct WorkerHandle {
    pub(crate) link: Arc<Link>,
    /// What clients are told: its UDP addresses, and the TCP addresses of all workers.
    pub(crate) candidates: Arc<[Candidate]>,
}

struct Shared {
    workers: Arc<[WorkerHandle]>,
    router: Arc<Router>,
    /// Ends the TCP listener.
    listener: Option<Stopper>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    max_data_message: usize,
    room_width: usize,
}

impl Drop for Shared {
    fn drop(&mut self) {
        for worker in self.workers.iter() {
            // A full queue means that the worker is awake; it stops when all senders are gone.
            let _ = worker.link.commands.try_send(Command::Stop);
            worker.link.wake();
        }
    }
}

/// The running media plane. Cheap to clone; the workers stop at [`Media::shutdown`].
#[derive(Clone)]
pub struct Media {
    shared: Arc<Shared>,
}

impl std::fmt::Debug for Media {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Media").field("workers", &self.shared.workers.len()).finish()
    }
}

impl Media {
    /// Binds the sockets and starts the workers.
    pub fn start(config: MediaConfig) -> Result<Self, StartError> {
        let (max_data_message, room_width) = (config.max_data_message, config.room_width.max(1));
        let config = Arc::new(config);
        let directory = Arc::new(Directory::default());
        let listeners = Listeners::bind(&config)?;
        let mut prepared = Vec::new();
        // All sockets are bound before the first thread starts, so a failure leaves none behind.
        for index in 0..config.workers.max(1) {
            let (commands, receiver) = mpsc::channel(COMMANDS_MAX);
            let (worker, waker) = Worker::prepare(&config, index, receiver, &directory)?;
            let link = Arc::new(Link::new(commands, waker));
            prepared.push((worker, link));
        }
        let announced = listeners.as_ref().map_or(&[][..], Listeners::announced).to_vec();
        let mut workers = Vec::new();
        let mut threads = Vec::new();
        for (index, (worker, link)) in prepared.into_iter().enumerate() {
            let candidates = candidates(&worker.candidates(), &announced)?;
            workers.push(WorkerHandle { link: Arc::clone(&link), candidates });
            let thread = std::thread::Builder::new().name(format!("media-{index}"));
            threads.push(thread.spawn(move || worker.run(&link)).map_err(StartError::Thread)?);
        }
        let router = Arc::new(Router {
            directory,
            workers: workers.iter().map(|worker| Arc::clone(&worker.link)).collect(),
            announced,
            metrics: Metrics::default(),
        });
        let listener = listeners.as_ref().map(Listeners::stopper);
        if let Some(listeners) = listeners {
            let (thread, router) =
                (std::thread::Builder::new().name("media-tcp".to_owned()), Arc::clone(&router));
            threads.push(thread.spawn(move || listeners.run(&router)).map_err(StartError::Thread)?);
        }
        let shared = Shared {
            workers: workers.into(),
            router,
            listener,
            threads: Mutex::new(threads),
            max_data_message,
            room_width,
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// The UDP addresses that clients are told.
    pub fn candidates(&self) -> Vec<SocketAddr> {
        let all = self.shared.workers.iter().flat_map(|worker| worker.candidates.iter());
        all.filter(|candidate| candidate.proto() == Protocol::Udp).map(Candidate::addr).collect()
    }

    /// The TCP addresses that clients are told; empty when ICE over TCP is off.
    pub fn tcp_candidates(&self) -> Vec<SocketAddr> {
        self.shared.router.announced.clone()
    }

    /// Takes over a TCP stream that was accepted elsewhere, on a port shared with others: one that
    /// begins with a framed STUN check. `first` is what was read of it, at least the first frame
    /// (RFC 4571). The stream goes to the connection that the check names, or is closed.
    pub fn accept_tcp(&self, stream: TcpStream, first: Vec<u8>) -> Result<(), StreamRefused> {
        self.shared.router.hand_over(stream, first)
    }

    /// All counters, summed over the workers.
    pub fn metrics(&self) -> MetricsSnapshot {
        let mut sum = MetricsSnapshot::default();
        for worker in self.shared.workers.iter() {
            worker.link.metrics.add_to(&mut sum);
        }
        self.shared.router.metrics.add_to(&mut sum);
        sum
    }

    /// The same of each worker by itself.
    pub fn metrics_by_worker(&self) -> Vec<MetricsSnapshot> {
        self.shared.workers.iter().map(|worker| worker.link.metrics.read()).collect()
    }

    /// Opens a room on the worker with the least to do.
    pub async fn open_room(&self) -> Result<(RoomHandle, mpsc::Receiver<MediaEvent>), MediaError> {
        let shared = &self.shared;
        RoomHandle::open(&shared.workers, shared.room_width, shared.max_data_message).await
    }

    /// Whether all workers run. False after [`Media::shutdown`], and after a fault that ended one:
    /// its rooms are lost, and new rooms go to the others.
    pub fn is_running(&self) -> bool {
        self.shared.workers.iter().all(|worker| worker.link.is_running())
    }

    /// Closes all rooms and joins the workers, waiting at most `limit`.
    pub async fn shutdown(&self, limit: Duration) {
        let stop = async {
            if let Some(listener) = &self.shared.listener {
                listener.stop();
            }
            for worker in self.shared.workers.iter() {
                // A worker that is gone needs no telling.
                let _ = worker.link.send(Command::Stop).await;
            }
            let threads =
                std::mem::take(&mut *self.shared.threads.lock().unwrap_or_else(PoisonError::into_inner));
            let joined = tokio::task::spawn_blocking(move || {
                for thread in threads {
                    if thread.join().is_err() {
                        tracing::error!("a media worker ended by a panic");
                    }
                }
            });
            if joined.await.is_err() {
                tracing::error!("the wait for the media workers was broken off");
            }
        };
        if tokio::time::timeout(limit, stop).await.is_err() {
            tracing::warn!("media workers did not stop in time");
        }
    }
}

/// What the clients of one worker are told.
fn candidates(udp: &[SocketAddr], tcp: &[SocketAddr]) -> Result<Arc<[Candidate]>, StartError> {
    let host = |addr: &SocketAddr| Candidate::builder().udp().host(*addr).build();
    let passive =
        |addr: &SocketAddr| Candidate::builder().tcp().host(*addr).tcptype(TcpType::Passive).build();
    let all: Result<Vec<_>, _> = udp.iter().map(host).chain(tcp.iter().map(passive)).collect();
    all.map(Into::into).map_err(|_| StartError::NoAddress)
}
