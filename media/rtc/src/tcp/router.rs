//! Hands a stream to the worker that has the connection its first check is for.

use std::{
    collections::HashMap,
    net::{SocketAddr, TcpStream},
    sync::{Arc, Mutex, PoisonError},
};

use super::frame;
use crate::{
    StreamRefused,
    command::Command,
    demux::{Class, classify},
    handle::Link,
    metrics::Metrics,
};

/// Which worker has a user fragment. Asked once per stream, changed once per negotiation;
/// no packet comes this way.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    workers: Mutex<HashMap<String, usize>>,
}

impl Directory {
    pub(crate) fn insert(&self, ufrag: String, worker: usize) {
        self.workers.lock().unwrap_or_else(PoisonError::into_inner).insert(ufrag, worker);
    }

    pub(crate) fn remove(&self, ufrag: &str) {
        self.workers.lock().unwrap_or_else(PoisonError::into_inner).remove(ufrag);
    }

    fn worker_of(&self, ufrag: &str) -> Option<usize> {
        self.workers.lock().unwrap_or_else(PoisonError::into_inner).get(ufrag).copied()
    }
}

/// A stream on its way to its worker.
pub(crate) struct Arrived {
    pub(crate) io: TcpStream,
    /// The announced candidate it came to.
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
    /// What was read of it already.
    pub(crate) first: Vec<u8>,
}

pub(crate) struct Router {
    pub(crate) directory: Arc<Directory>,
    pub(crate) workers: Vec<Arc<Link>>,
    /// The TCP addresses told to clients.
    pub(crate) announced: Vec<SocketAddr>,
    pub(crate) metrics: Metrics,
}

impl Router {
    /// `first` holds at least the first frame. The stream is closed if it is refused.
    pub(crate) fn hand_over(&self, io: TcpStream, first: Vec<u8>) -> Result<(), StreamRefused> {
        let handed = self.try_hand_over(io, first);
        match handed {
            Ok(()) => self.metrics.tcp_accepted.inc(),
            Err(_) => self.metrics.tcp_refused.inc(),
        }
        handed
    }

    fn try_hand_over(&self, io: TcpStream, first: Vec<u8>) -> Result<(), StreamRefused> {
        let frame = frame::split(&first).ok().flatten().map(|(frame, _)| frame);
        let Some(Class::Binding(ufrag)) = frame.map(classify) else { return Err(StreamRefused::NoCheck) };
        let worker = self.directory.worker_of(ufrag).and_then(|worker| self.workers.get(worker));
        let worker = worker.ok_or(StreamRefused::UnknownConnection)?;
        let addresses = io.local_addr().and_then(|local| Ok((local, io.peer_addr()?)));
        let (local, remote) = addresses.map_err(|_| StreamRefused::Closed)?;
        let local = self.announced_for(local).ok_or(StreamRefused::NoCandidate)?;
        if io.set_nonblocking(true).and_then(|()| io.set_nodelay(true)).is_err() {
            return Err(StreamRefused::Closed);
        }
        let arrived = Box::new(Arrived { io, local, remote: unmapped(remote), first });
        if worker.try_send(Command::Stream(arrived)) { Ok(()) } else { Err(StreamRefused::Busy) }
    }

    /// The candidate for a stream that came to `local`: its own, or, behind an address translation
    /// or on a port shared with others, one of its family.
    fn announced_for(&self, local: SocketAddr) -> Option<SocketAddr> {
        let local = unmapped(local);
        let exact = self.announced.iter().find(|announced| **announced == local);
        let alike = || self.announced.iter().find(|announced| announced.is_ipv4() == local.is_ipv4());
        exact.or_else(alike).copied()
    }
}

/// An IPv4 address that a socket for both families shows as an IPv6 one.
fn unmapped(addr: SocketAddr) -> SocketAddr {
    SocketAddr::new(addr.ip().to_canonical(), addr.port())
}
