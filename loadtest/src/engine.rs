//! Threads that drive peers: one poll, one timer heap and batched sockets for many of them.

mod worker;

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{SyncSender, TrySendError, sync_channel},
    },
    thread::JoinHandle,
};

use livekit_protocol::{signal_request::Message as Request, signal_response::Message as Response};
use mio::Waker;
use tokio::sync::{mpsc, oneshot};

use crate::{
    error::JoinError,
    peer::{Peer, Publish},
    stats::Totals,
    udp::Link,
    wire::TrackSettings,
};

/// Commands waiting for one thread. When it is full, joins and requests fail as overloaded.
const COMMANDS: usize = 65_536;

/// Index of a peer on its thread, never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct PeerId(pub(crate) u64);

pub(crate) struct NewPeer {
    pub(crate) peer: Peer,
    pub(crate) link: Link,
    pub(crate) signal: mpsc::Sender<Request>,
    /// Told when media is connected, or why it is not.
    pub(crate) connected: oneshot::Sender<Result<(), JoinError>>,
}

pub(crate) enum Command {
    Add(PeerId, Box<NewPeer>),
    Signal(PeerId, Box<Response>),
    SignalClosed(PeerId),
    Publish(PeerId, String, Publish, oneshot::Sender<Result<String, JoinError>>),
    Settings(PeerId, String, TrackSettings),
    Subscribe(PeerId, String, bool),
    Mute(PeerId, String, bool),
    Leave(PeerId),
    Totals(oneshot::Sender<Totals>),
    Stop,
}

#[derive(Clone)]
pub(crate) struct WorkerHandle {
    commands: SyncSender<Command>,
    waker: Arc<Waker>,
}

impl WorkerHandle {
    pub(crate) fn send(&self, command: Command) -> Result<(), JoinError> {
        match self.commands.try_send(command) {
            Ok(()) => {
                if let Err(error) = self.waker.wake() {
                    tracing::debug!(%error, "a thread could not be woken");
                }
                Ok(())
            }
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => Err(JoinError::Stopped),
        }
    }
}

/// The threads. Dropping it ends them; peers that have not left are cut off.
pub struct Engine {
    workers: Vec<WorkerHandle>,
    threads: Vec<JoinHandle<()>>,
    next: AtomicUsize,
}

impl Engine {
    /// Starts `threads` threads (at least one).
    pub fn start(threads: usize) -> io::Result<Self> {
        let mut engine = Self { workers: Vec::new(), threads: Vec::new(), next: AtomicUsize::new(0) };
        for number in 0..threads.max(1) {
            let (commands, receiver) = sync_channel(COMMANDS);
            let (worker, waker) = worker::Worker::new(receiver)?;
            let thread =
                std::thread::Builder::new().name(format!("load-{number}")).spawn(move || worker.run())?;
            engine.workers.push(WorkerHandle { commands, waker: Arc::new(waker) });
            engine.threads.push(thread);
        }
        Ok(engine)
    }

    /// A thread for a new peer, in turn, and the peer's id.
    pub(crate) fn place(&self) -> (WorkerHandle, PeerId) {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        (self.workers[number % self.workers.len()].clone(), PeerId(number as u64))
    }

    /// What all peers have counted since the start.
    pub async fn totals(&self) -> Totals {
        let mut sum = Totals::default();
        for worker in &self.workers {
            let (reply, answer) = oneshot::channel();
            if worker.send(Command::Totals(reply)).is_ok()
                && let Ok(totals) = answer.await
            {
                sum.merge(&totals);
            }
        }
        sum
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        for worker in &self.workers {
            if worker.send(Command::Stop).is_err() {
                tracing::debug!("a thread had stopped before");
            }
        }
        // Without its senders a thread ends even when the command found no room.
        self.workers.clear();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread of the load generator has panicked");
            }
        }
    }
}
