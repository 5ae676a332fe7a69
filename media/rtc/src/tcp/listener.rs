//! Accepts streams and holds them until their first check has come.
//!
//! Nobody here is known yet, so everything is short: the time, the bytes, the number of streams in
//! all and from one address. A thread of its own, because a flood of connections must not hold a worker.

use std::{
    collections::HashMap,
    io::{self, Read},
    net::{IpAddr, Ipv6Addr, SocketAddr, TcpStream as StdStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use mio::{
    Events, Interest, Poll, Token, Waker,
    net::{TcpListener, TcpStream},
};
use socket2::{Domain, Protocol, Socket as RawSocket, Type};

use super::{
    frame::{LENGTH_BYTES, split},
    router::Router,
};
use crate::{MediaConfig, StartError, StreamRefused, sockets::reachable_addresses};

/// Streams that have not sent their first check. More are closed at once.
const PENDING_MAX: usize = 1_024;
/// Of them, from one IPv4 address or IPv6 /64: a practice behind one address fits, a flood does not.
const PENDING_PER_ADDRESS_MAX: usize = 64;
/// A client sends its check as soon as it is connected.
const FIRST_FRAME_LIMIT: Duration = Duration::from_secs(5);
/// A binding request is far shorter.
const FIRST_FRAME_BYTES_MAX: usize = 1_024;
/// What is read while waiting for the first frame; more stays in the kernel.
const FIRST_BYTES_MAX: usize = LENGTH_BYTES + FIRST_FRAME_BYTES_MAX;
const BACKLOG: i32 = 1_024;
/// Accepted in a row; timeouts come in between.
const ACCEPTS_PER_TURN: usize = 256;
/// Pending streams, and a listener out of file descriptors, are looked at this often.
const TICK: Duration = Duration::from_millis(500);
const POLL_EVENTS: usize = 256;
/// Bounds what waits in the kernel for a slow client: half a second at 1 Mbit/s.
const SEND_BUFFER_BYTES: usize = 64 * 1024;
const WAKER: Token = Token(usize::MAX);
const PENDING_FIRST: usize = 1 << 16;

/// The bound listeners, before their thread starts.
pub(crate) struct Listeners {
    poll: Poll,
    waker: Arc<Waker>,
    stop: Arc<AtomicBool>,
    listeners: Vec<TcpListener>,
    announced: Vec<SocketAddr>,
}

/// Ends the thread when it is told to, or dropped.
pub(crate) struct Stopper {
    waker: Arc<Waker>,
    stop: Arc<AtomicBool>,
}

impl Drop for Stopper {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Stopper {
    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Err(error) = self.waker.wake() {
            tracing::debug!(%error, "cannot wake the TCP listener");
        }
    }
}

impl Listeners {
    /// `None` when no TCP port is wanted, or, where it is not required, none is to be had.
    pub(crate) fn bind(config: &MediaConfig) -> Result<Option<Self>, StartError> {
        let Some(wanted) = config.tcp else { return Ok(None) };
        match Self::bind_port(config, wanted.port) {
            Err(error) if !wanted.required => {
                tracing::warn!(%error, "no ICE over TCP: clients whose network blocks UDP cannot connect");
                Ok(None)
            }
            bound => bound.map(Some),
        }
    }

    fn bind_port(config: &MediaConfig, port: u16) -> Result<Self, StartError> {
        let poll = Poll::new().map_err(StartError::Thread)?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER).map_err(StartError::Thread)?);
        let (mut listeners, mut locals) = (Vec::new(), Vec::new());
        let mut port = port;
        for ip in &config.bind {
            let addr = SocketAddr::new(*ip, port);
            let bind = || {
                let mut listener = listen(addr)?;
                poll.registry().register(&mut listener, Token(listeners.len()), Interest::READABLE)?;
                Ok((listener.local_addr()?, listener))
            };
            let (local, listener) = bind().map_err(|source| StartError::BindTcp { addr, source })?;
            // With any port, all addresses get the same.
            port = local.port();
            listeners.push(listener);
            locals.push(local);
        }
        let announced = reachable_addresses(config, &locals).into_iter().map(|(addr, _, _)| addr).collect();
        Ok(Self { poll, waker, stop: Arc::default(), listeners, announced })
    }

    /// The addresses told to clients.
    pub(crate) fn announced(&self) -> &[SocketAddr] {
        &self.announced
    }

    pub(crate) fn stopper(&self) -> Stopper {
        Stopper { waker: Arc::clone(&self.waker), stop: Arc::clone(&self.stop) }
    }

    /// Accepts until told to stop.
    pub(crate) fn run(self, router: &Router) {
        let Self { poll, stop, listeners, .. } = self;
        let mut lobby = Lobby {
            poll,
            listeners,
            pending: HashMap::new(),
            next: PENDING_FIRST,
            per_address: HashMap::new(),
            again: false,
        };
        let mut events = Events::with_capacity(POLL_EVENTS);
        while !stop.load(Ordering::Relaxed) {
            let wait = (lobby.again || !lobby.pending.is_empty()).then_some(TICK);
            match lobby.poll.poll(&mut events, wait) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    tracing::error!(%error, "the TCP listener of media cannot poll and stops");
                    return;
                }
            }
            let now = Instant::now();
            let mut accept = std::mem::take(&mut lobby.again);
            for event in &events {
                match event.token() {
                    WAKER => {}
                    Token(token) if token >= PENDING_FIRST => lobby.read(token, router),
                    _ => accept = true,
                }
            }
            if accept {
                lobby.accept(router, now);
            }
            lobby.expire(router, now);
        }
    }
}

struct Pending {
    io: TcpStream,
    from: IpAddr,
    bytes: Vec<u8>,
    until: Instant,
}

struct Lobby {
    poll: Poll,
    listeners: Vec<TcpListener>,
    pending: HashMap<usize, Pending>,
    next: usize,
    per_address: HashMap<IpAddr, usize>,
    /// There may be more to accept though the poll is silent.
    again: bool,
}

impl Lobby {
    fn accept(&mut self, router: &Router, now: Instant) {
        for index in 0..self.listeners.len() {
            // Unless it was emptied, the rest waits a tick: the poll tells only of news.
            let mut emptied = false;
            for _ in 0..ACCEPTS_PER_TURN {
                match self.listeners[index].accept() {
                    Ok((io, from)) => self.take_in(io, from, router, now),
                    Err(error) => {
                        emptied = error.kind() == io::ErrorKind::WouldBlock;
                        break;
                    }
                }
            }
            self.again |= !emptied;
        }
    }

    fn take_in(&mut self, mut io: TcpStream, from: SocketAddr, router: &Router, now: Instant) {
        let from = network_of(from.ip());
        let of_address = self.per_address.get(&from).copied().unwrap_or(0);
        let token = self.next;
        let full = self.pending.len() >= PENDING_MAX || of_address >= PENDING_PER_ADDRESS_MAX;
        if full || self.poll.registry().register(&mut io, Token(token), Interest::READABLE).is_err() {
            router.metrics.tcp_refused.inc();
            return;
        }
        self.next = if token == usize::MAX - 1 { PENDING_FIRST } else { token + 1 };
        *self.per_address.entry(from).or_default() += 1;
        self.pending.insert(token, Pending { io, from, bytes: Vec::new(), until: now + FIRST_FRAME_LIMIT });
        self.read(token, router);
    }

    /// Reads on, and hands over when the first frame is complete.
    fn read(&mut self, token: usize, router: &Router) {
        let Some(pending) = self.pending.get_mut(&token) else { return };
        match pending.read() {
            Ok(false) => {}
            Ok(true) => {
                if let Some(pending) = self.remove(token) {
                    let handed = router.hand_over(StdStream::from(pending.io), pending.bytes);
                    if let Err(refused) = handed {
                        tracing::debug!(%refused, "TCP stream refused");
                    }
                }
            }
            Err(refused) => {
                tracing::debug!(%refused, "TCP stream refused");
                router.metrics.tcp_refused.inc();
                self.remove(token);
            }
        }
    }

    fn expire(&mut self, router: &Router, now: Instant) {
        let late: Vec<usize> = self
            .pending
            .iter()
            .filter(|(_, pending)| pending.until <= now)
            .map(|(token, _)| *token)
            .collect();
        for token in late {
            router.metrics.tcp_refused.inc();
            self.remove(token);
        }
    }

    fn remove(&mut self, token: usize) -> Option<Pending> {
        let mut pending = self.pending.remove(&token)?;
        if let Err(error) = self.poll.registry().deregister(&mut pending.io) {
            tracing::debug!(%error, "a TCP stream was not registered");
        }
        if let Some(count) = self.per_address.get_mut(&pending.from) {
            *count -= 1;
            if *count == 0 {
                self.per_address.remove(&pending.from);
            }
        }
        Some(pending)
    }
}

impl Pending {
    /// Whether the first frame is there.
    fn read(&mut self) -> Result<bool, StreamRefused> {
        let mut buffer = [0; FIRST_BYTES_MAX];
        loop {
            let room = FIRST_BYTES_MAX - self.bytes.len();
            match self.io.read(&mut buffer[..room]) {
                Ok(0) => return Err(StreamRefused::Closed),
                Ok(count) => self.bytes.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => return Err(StreamRefused::Closed),
            }
            match split(&self.bytes) {
                Ok(Some(_)) => return Ok(true),
                // An announced length that does not fit, or the start of something else altogether.
                Ok(None) if self.bytes.len() < FIRST_BYTES_MAX => {}
                _ => return Err(StreamRefused::NoCheck),
            }
        }
    }
}

/// One customer of one provider: an IPv4 address, or the first half of an IPv6 address.
fn network_of(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.into(),
        IpAddr::V6(ip) => Ipv6Addr::from(u128::from(ip) >> 64 << 64).into(),
    }
}

fn listen(addr: SocketAddr) -> io::Result<TcpListener> {
    let raw = RawSocket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    if addr.is_ipv6() {
        raw.set_only_v6(true)?;
    }
    // Streams of the run before may still be going down.
    raw.set_reuse_address(true)?;
    raw.set_nonblocking(true)?;
    raw.set_send_buffer_size(SEND_BUFFER_BYTES)?;
    raw.bind(&addr.into())?;
    raw.listen(BACKLOG)?;
    Ok(TcpListener::from_std(raw.into()))
}
