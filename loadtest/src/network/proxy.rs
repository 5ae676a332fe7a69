//! A UDP proxy that puts a poor network between clients and a server, in real time.
//!
//! It listens on a port of its own; what comes there goes through the model to the server, and the server's answers
//! come back to whoever sent. All clients of one proxy share one connection, as people behind one router do. A client
//! is led through it by giving it the proxy's address as the server's candidate.

use std::{
    collections::HashMap,
    io::{self, ErrorKind},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use mio::{Events, Interest, Poll, Token, Waker, net::UdpSocket};

use super::{Counts, Link, Scenario, Schedule};

/// Addresses that may send through one proxy; others are ignored.
const CLIENTS_MAX: usize = 64;
const DATAGRAM_BYTES: usize = 2_048;
/// Datagrams read of a socket before others have their turn.
const READS_PER_TURN: usize = 256;
const EVENTS: usize = 64;
/// Without anything to do it looks around this often.
const IDLE: Duration = Duration::from_millis(200);
const FRONT: Token = Token(usize::MAX - 1);
const WAKER: Token = Token(usize::MAX);
/// Packets delivered later than this after their time count as late.
const LATE: Duration = Duration::from_millis(20);
const PURPOSE_UP: u64 = 11;
const PURPOSE_DOWN: u64 = 12;

/// What a proxy has done.
#[derive(Clone, Copy, Debug, Default, serde::Serialize)]
pub struct Passed {
    pub up: Counts,
    pub down: Counts,
    /// Packets that the proxy itself delivered more than 20 ms late, for want of CPU.
    pub late: u64,
}

/// A running proxy; it ends when dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    waker: Waker,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    up: [AtomicU64; 5],
    down: [AtomicU64; 5],
    late: AtomicU64,
}

/// A datagram on its way, with its client.
#[derive(Debug)]
struct Datagram {
    client: usize,
    bytes: Box<[u8]>,
}

struct Client {
    address: SocketAddr,
    /// Towards the server; to the server each client has an address of its own.
    back: UdpSocket,
}

struct Runner {
    poll: Poll,
    server: SocketAddr,
    front: UdpSocket,
    clients: Vec<Client>,
    by_address: HashMap<SocketAddr, usize>,
    up: Link<Datagram>,
    down: Link<Datagram>,
    /// Sockets with something left to read.
    readable: Vec<Token>,
    shared: Arc<Shared>,
}

impl Proxy {
    /// Starts a proxy to `server` on any free port; schedules count from `start`.
    pub fn start(server: SocketAddr, scenario: &Scenario, start: Instant) -> io::Result<Self> {
        Self::with(server, scenario.up.clone(), scenario.down.clone(), scenario.seed, start)
    }

    /// The same with schedules: `up` is towards the server.
    pub fn with(
        server: SocketAddr,
        up: Schedule,
        down: Schedule,
        seed: u64,
        start: Instant,
    ) -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), WAKER)?;
        let mut front = UdpSocket::bind(SocketAddr::new(near(server), 0))?;
        poll.registry().register(&mut front, FRONT, Interest::READABLE)?;
        let address = front.local_addr()?;
        let shared = Arc::new(Shared::default());
        let runner = Runner {
            poll,
            server,
            front,
            clients: Vec::new(),
            by_address: HashMap::new(),
            up: Link::new(up, seed ^ PURPOSE_UP, start),
            down: Link::new(down, seed ^ PURPOSE_DOWN, start),
            readable: Vec::new(),
            shared: Arc::clone(&shared),
        };
        let thread = std::thread::Builder::new().name("network".to_owned()).spawn(move || runner.run())?;
        Ok(Self { address, shared, waker, thread: Some(thread) })
    }

    /// Where clients send to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn passed(&self) -> Passed {
        let late = self.shared.late.load(Ordering::Relaxed);
        Passed { up: load(&self.shared.up), down: load(&self.shared.down), late }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        let woken = self.waker.wake();
        if let Some(thread) = self.thread.take()
            && woken.is_ok()
        {
            // A panic of it has been reported on its own.
            drop(thread.join());
        }
    }
}

/// An address on the same machine or way as the server's.
fn near(server: SocketAddr) -> IpAddr {
    match server.ip() {
        ip if ip.is_loopback() => ip,
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    }
}

fn store(into: &[AtomicU64; 5], counts: Counts) {
    let values = [counts.sent, counts.delivered, counts.lost, counts.queue_full, counts.outage];
    for (to, value) in into.iter().zip(values) {
        to.store(value, Ordering::Relaxed);
    }
}

fn load(from: &[AtomicU64; 5]) -> Counts {
    let [sent, delivered, lost, queue_full, outage] =
        from.each_ref().map(|value| value.load(Ordering::Relaxed));
    Counts { sent, delivered, lost, queue_full, outage }
}

impl Runner {
    fn run(mut self) {
        let mut events = Events::with_capacity(EVENTS);
        while !self.shared.stop.load(Ordering::Relaxed) {
            match self.poll.poll(&mut events, Some(self.sleep())) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => {
                    tracing::error!(%error, "a network proxy cannot poll its sockets and ends");
                    return;
                }
            }
            for event in events.iter().filter(|event| event.token() != WAKER) {
                if !self.readable.contains(&event.token()) {
                    self.readable.push(event.token());
                }
            }
            for token in std::mem::take(&mut self.readable) {
                if self.read(token) {
                    self.readable.push(token);
                }
            }
            self.deliver(Instant::now());
        }
    }

    fn sleep(&self) -> Duration {
        if !self.readable.is_empty() {
            return Duration::ZERO;
        }
        let next = [self.up.next(), self.down.next()].into_iter().flatten().min();
        next.map_or(IDLE, |next| next.saturating_duration_since(Instant::now()).min(IDLE))
    }

    /// True if there may be more.
    fn read(&mut self, token: Token) -> bool {
        let mut buffer = [0; DATAGRAM_BYTES];
        for _ in 0..READS_PER_TURN {
            let received = match token {
                FRONT => self.front.recv_from(&mut buffer),
                Token(index) => match self.clients.get(index) {
                    Some(client) => client.back.recv_from(&mut buffer),
                    None => return false,
                },
            };
            let (length, source) = match received {
                Ok(received) => received,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
                // An ICMP answer to what was sent before.
                Err(_) => continue,
            };
            let client = match token {
                FRONT => self.client(source),
                Token(index) => Some(index),
            };
            let Some(client) = client else { continue };
            let datagram = Datagram { client, bytes: buffer[..length].into() };
            let now = Instant::now();
            if token == FRONT {
                self.up.send(length, datagram, now);
            } else {
                self.down.send(length, datagram, now);
            }
        }
        true
    }

    fn client(&mut self, address: SocketAddr) -> Option<usize> {
        if let Some(index) = self.by_address.get(&address) {
            return Some(*index);
        }
        let index = self.clients.len();
        if index >= CLIENTS_MAX {
            return None;
        }
        let mut back = UdpSocket::bind(SocketAddr::new(near(self.server), 0)).ok()?;
        self.poll.registry().register(&mut back, Token(index), Interest::READABLE).ok()?;
        self.clients.push(Client { address, back });
        self.by_address.insert(address, index);
        Some(index)
    }

    fn deliver(&mut self, now: Instant) {
        let mut late = 0;
        for up in [true, false] {
            let link = if up { &mut self.up } else { &mut self.down };
            while let Some(due) = link.next().filter(|due| *due <= now) {
                late += u64::from(now - due > LATE);
                // Without a packet the bottleneck has gone on by one.
                let Some(datagram) = link.poll(now) else { continue };
                let Some(client) = self.clients.get(datagram.client) else { continue };
                let sent = if up {
                    client.back.send_to(&datagram.bytes, self.server)
                } else {
                    self.front.send_to(&datagram.bytes, client.address)
                };
                if let Err(error) = sent {
                    tracing::trace!(%error, "the proxy could not send");
                }
            }
        }
        self.shared.late.fetch_add(late, Ordering::Relaxed);
        store(&self.shared.up, self.up.counts());
        store(&self.shared.down, self.down.counts());
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::net::UdpSocket as Plain;

    use super::*;
    use crate::network::{Conditions, Loss};

    fn socket() -> Plain {
        let socket = Plain::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        socket
    }

    fn receive(socket: &Plain) -> (Vec<u8>, SocketAddr) {
        let mut buffer = [0; 100];
        let (length, source) = socket.recv_from(&mut buffer).unwrap();
        (buffer[..length].to_vec(), source)
    }

    #[test]
    fn both_directions_pass_and_take_their_time() {
        let server = socket();
        let up = Schedule::steady(Conditions::default().delay_ms(30));
        let down = Schedule::steady(Conditions::default().delay_ms(50));
        let proxy = Proxy::with(server.local_addr().unwrap(), up, down, 1, Instant::now()).unwrap();
        let clients = [socket(), socket()];
        let sent = Instant::now();
        for (client, text) in clients.iter().zip([b"one", b"two"]) {
            client.send_to(text, proxy.address()).unwrap();
        }
        for _ in 0..2 {
            let (text, source) = receive(&server);
            assert!(sent.elapsed() >= Duration::from_millis(30));
            server.send_to(&text, source).unwrap();
        }
        for (client, text) in clients.iter().zip([b"one", b"two"]) {
            let (answer, source) = receive(client);
            assert_eq!((answer.as_slice(), source), (text.as_slice(), proxy.address()));
        }
        assert!(sent.elapsed() >= Duration::from_millis(80));
        let passed = proxy.passed();
        assert_eq!((passed.up.sent, passed.down.sent, passed.up.lost), (2, 2, 0));
    }

    #[test]
    fn what_the_model_loses_does_not_come() {
        let server = socket();
        let all = Conditions::default().loss(Loss::Random { share: 1.0 });
        let (up, down) = (Schedule::steady(all), Schedule::steady(Conditions::default()));
        let proxy = Proxy::with(server.local_addr().unwrap(), up, down, 1, Instant::now()).unwrap();
        let client = socket();
        client.send_to(b"lost", proxy.address()).unwrap();
        server.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        assert!(server.recv_from(&mut [0; 10]).is_err());
        assert_eq!(proxy.passed().up.lost, 1);
    }
}
