//! The UDP sockets of one worker: received in batches (GRO), sent in batches (GSO).

use std::{
    io::{self, IoSliceMut},
    net::{IpAddr, SocketAddr},
    time::{Duration, SystemTime},
};

use mio::{Interest, Registry, Token, event::Event, net::UdpSocket};
use quinn_udp::{BATCH_SIZE, RecvMeta, UdpSocketState};
use socket2::{Domain, Protocol, Socket as RawSocket, Type};
use str0m::net::Transmit;

use crate::{
    MediaConfig, StartError,
    metrics::Metrics,
    tcp::streams::{Streams, TOKEN_FIRST},
};

/// Kernel buffers; a burst of keyframes to a full room fits.
const SOCKET_BUFFER_BYTES: usize = 4 * 1024 * 1024;
/// One GRO super-datagram.
const RECEIVE_BUFFER_BYTES: usize = 64 * 1024;
/// A GSO batch stays below what one UDP datagram may carry.
const SEND_BATCH_BYTES: usize = 60 * 1024;
/// The kernel takes no more segments in one call (UDP_MAX_SEGMENTS).
const SEND_BATCH_SEGMENTS: usize = 64;
/// No datagram has waited longer; the socket's buffer is full long before.
const WAIT_MAX: Duration = Duration::from_secs(2);
/// Addresses announced per worker; clients check each of them.
const CANDIDATES_MAX: usize = 8;

#[derive(Debug)]
struct Socket {
    io: UdpSocket,
    state: UdpSocketState,
    local: SocketAddr,
    /// What waits in the kernel, at the most.
    receive_bytes: usize,
    /// More may be waiting in the kernel (the poll tells only of news).
    readable: bool,
}

/// An address told to clients, and the way out.
#[derive(Clone, Copy, Debug)]
struct Announced {
    addr: SocketAddr,
    socket: usize,
    /// Source to set when the socket listens on several addresses.
    source: Option<IpAddr>,
}

/// Datagrams for one destination, waiting for the system call.
#[derive(Debug, Default)]
struct Batch {
    bytes: Vec<u8>,
    /// So many of the bytes are of the batch; the next datagram is being written behind them.
    taken: usize,
    segment: usize,
    count: usize,
    /// A short segment ends a batch.
    complete: bool,
    way: Option<Way>,
}

/// To a destination: the socket, and the source to set there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Way {
    destination: SocketAddr,
    socket: usize,
    source: Option<IpAddr>,
}

#[derive(Debug)]
pub(crate) struct Sockets {
    sockets: Vec<Socket>,
    announced: Vec<Announced>,
    batch: Batch,
    /// The TCP streams beside them.
    pub(crate) streams: Streams,
}

/// How long received datagrams have waited in the kernel.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wait {
    pub(crate) longest: Duration,
    sum: Duration,
    count: u32,
}

impl Wait {
    pub(crate) fn mean(&self) -> Duration {
        self.sum.checked_div(self.count).unwrap_or_default()
    }
}

/// Room for one batch of received datagrams.
pub(crate) struct Received {
    bytes: Vec<u8>,
    meta: [RecvMeta; BATCH_SIZE],
    filled: usize,
    local: usize,
}

impl Received {
    pub(crate) fn new() -> Self {
        Self {
            // Written to, not only reserved: what a worker needs it takes at its start, and no packet
            // waits while the kernel finds a page.
            bytes: vec![u8::MAX; RECEIVE_BUFFER_BYTES * BATCH_SIZE],
            meta: [RecvMeta::default(); BATCH_SIZE],
            filled: 0,
            local: 0,
        }
    }

    /// Holds nothing; stands in while the other is read.
    pub(crate) fn empty() -> Self {
        Self { bytes: Vec::new(), meta: [RecvMeta::default(); BATCH_SIZE], filled: 0, local: 0 }
    }

    /// Adds how long the datagrams of the last batch have waited in the kernel. Zero where it does
    /// not say when they came.
    pub(crate) fn add_wait(&self, now: SystemTime, wait: &mut Wait) {
        let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        for meta in self.meta.iter().take(self.filled) {
            // A clock that was set meanwhile tells nonsense: it is bounded by what a buffer can hold.
            let waited = meta.timestamp.map_or(Duration::ZERO, |came| now.saturating_sub(came).min(WAIT_MAX));
            let count = u32::try_from(meta.len.div_ceil(meta.stride.max(1))).unwrap_or(u32::MAX);
            wait.longest = wait.longest.max(waited);
            wait.sum += waited * count;
            wait.count += count;
        }
    }

    /// (source, address it was sent to, datagram) of each datagram of the last batch.
    pub(crate) fn datagrams<'a>(
        &'a self,
        sockets: &'a [SocketAddr],
    ) -> impl Iterator<Item = (SocketAddr, SocketAddr, &'a [u8])> {
        let port = sockets.get(self.local).map_or(0, SocketAddr::port);
        let buffers = self.bytes.chunks_exact(RECEIVE_BUFFER_BYTES);
        buffers.zip(&self.meta).take(self.filled).flat_map(move |(buffer, meta)| {
            let to = meta.dst_ip.map_or_else(|| sockets[self.local], |ip| SocketAddr::new(ip, port));
            let stride = meta.stride.max(1);
            buffer[..meta.len].chunks(stride).map(move |datagram| (meta.addr, to, datagram))
        })
    }
}

impl Sockets {
    /// Binds worker number `worker`.
    pub(crate) fn bind(config: &MediaConfig, worker: usize) -> Result<Self, StartError> {
        let offset = u16::try_from(worker).unwrap_or(u16::MAX);
        let port = if config.udp_port == 0 { 0 } else { config.udp_port.saturating_add(offset) };
        let mut sockets = Vec::new();
        for ip in &config.bind {
            let addr = SocketAddr::new(*ip, port);
            sockets.push(bind_one(addr).map_err(|source| StartError::Bind { addr, source })?);
        }
        if sockets.iter().any(|socket| socket.receive_bytes < SOCKET_BUFFER_BYTES) {
            tracing::warn!(
                "the system gives media sockets less than {SOCKET_BUFFER_BYTES} bytes to receive in \
                 (net.core.rmem_max): when a worker is late, packets of sound are lost as well"
            );
        }
        let announced = announce(config, &sockets);
        if announced.is_empty() {
            return Err(StartError::NoAddress);
        }
        Ok(Self { sockets, announced, batch: Batch::default(), streams: Streams::default() })
    }

    /// The addresses told to clients.
    pub(crate) fn candidates(&self) -> Vec<SocketAddr> {
        self.announced.iter().map(|announced| announced.addr).collect()
    }

    /// The addresses listened on, one for each socket.
    pub(crate) fn locals(&self) -> Vec<SocketAddr> {
        self.sockets.iter().map(|socket| socket.local).collect()
    }

    /// Registers socket n under token n; streams have the tokens from [`TOKEN_FIRST`] on.
    pub(crate) fn register(&mut self, registry: &Registry) -> io::Result<()> {
        for (index, socket) in self.sockets.iter_mut().enumerate() {
            registry.register(&mut socket.io, Token(index), Interest::READABLE)?;
        }
        self.streams.attach(registry.try_clone()?);
        Ok(())
    }

    /// The poll tells of a socket or a stream.
    pub(crate) fn event(&mut self, event: &Event) {
        if event.token().0 >= TOKEN_FIRST {
            self.streams.event(event);
        } else if let Some(socket) = self.sockets.get_mut(event.token().0) {
            socket.readable = true;
        }
    }

    /// Has all sockets read once. After an error in the middle of a batch something may be left
    /// of which the poll does not tell again.
    pub(crate) fn look_again(&mut self) {
        for socket in &mut self.sockets {
            socket.readable = true;
        }
    }

    pub(crate) fn any_readable(&self) -> bool {
        self.streams.any_readable() || self.sockets.iter().any(|socket| socket.readable)
    }

    /// Reads one batch of a socket that has something; false when there is nothing more.
    pub(crate) fn receive(&mut self, index: usize, into: &mut Received) -> bool {
        into.filled = 0;
        into.local = index;
        let Some(socket) = self.sockets.get_mut(index).filter(|socket| socket.readable) else {
            return false;
        };
        let mut chunks = into.bytes.chunks_exact_mut(RECEIVE_BUFFER_BYTES);
        let mut buffers: [IoSliceMut<'_>; BATCH_SIZE] =
            std::array::from_fn(|_| IoSliceMut::new(chunks.next().unwrap_or_default()));
        match socket.state.recv((&socket.io).into(), &mut buffers, &mut into.meta) {
            Ok(filled) => {
                into.filled = filled;
                // The kernel had no more; the poll tells when more comes.
                socket.readable = filled == BATCH_SIZE;
                filled > 0
            }
            Err(error) => {
                // An ICMP error of an earlier datagram comes up here once; the next call reads on.
                socket.readable = error.kind() == io::ErrorKind::ConnectionRefused
                    || error.kind() == io::ErrorKind::Interrupted;
                false
            }
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.sockets.len()
    }

    /// The announced address for something that came to `to`: its own, or, behind an
    /// address translation, the first of the same family and port.
    pub(crate) fn announced_for(&self, to: SocketAddr) -> SocketAddr {
        let exact = self.announced.iter().find(|announced| announced.addr == to);
        let alike = || {
            self.announced.iter().find(|announced| {
                announced.addr.is_ipv4() == to.is_ipv4() && announced.addr.port() == to.port()
            })
        };
        exact.or_else(alike).map_or(to, |announced| announced.addr)
    }

    /// Puts a datagram into the batch of its destination; the batch goes when another begins.
    pub(crate) fn send(&mut self, transmit: &Transmit, metrics: &Metrics) {
        let Some(way) = self.way(transmit.source, transmit.destination) else {
            metrics.dropped_send_error.inc();
            return;
        };
        self.batch.bytes.extend_from_slice(&transmit.contents);
        self.take(way, metrics);
    }

    /// The way from an announced address.
    pub(crate) fn way(&self, source: SocketAddr, destination: SocketAddr) -> Option<Way> {
        let from = self.announced.iter().find(|announced| announced.addr == source)?;
        Some(Way { destination, socket: from.socket, source: from.source })
    }

    /// Where the next datagram is to be appended; [`Self::take`] it then.
    pub(crate) fn space(&mut self) -> &mut Vec<u8> {
        &mut self.batch.bytes
    }

    /// Takes the datagram that was appended to [`Self::space`].
    pub(crate) fn take(&mut self, way: Way, metrics: &Metrics) {
        let length = self.batch.bytes.len() - self.batch.taken;
        if !self.batch.takes(way, length, self.sockets[way.socket].state.max_gso_segments()) {
            self.flush(metrics);
            self.batch.way = Some(way);
            self.batch.segment = length;
        }
        self.batch.complete = length < self.batch.segment;
        self.batch.taken += length;
        self.batch.count += 1;
    }

    /// Sends what was taken. What was appended behind it stays.
    pub(crate) fn flush(&mut self, metrics: &Metrics) {
        let Some(Way { destination, socket, source: src_ip }) = self.batch.way.take() else { return };
        let socket = &self.sockets[socket];
        let transmit = quinn_udp::Transmit {
            destination,
            ecn: None,
            contents: &self.batch.bytes[..self.batch.taken],
            segment_size: (self.batch.count > 1).then_some(self.batch.segment),
            src_ip,
        };
        let count = self.batch.count as u64;
        match socket.state.try_send((&socket.io).into(), &transmit) {
            Ok(()) => sent(metrics, count, self.batch.taken),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => metrics.dropped_send_full.add(count),
            // The interface cannot segment: quinn-udp has switched it off, this batch goes piece by piece.
            Err(_) if count > 1 => send_singly(socket, &transmit, self.batch.segment, metrics),
            Err(error) => {
                tracing::trace!(%error, "datagram refused");
                metrics.dropped_send_error.add(count);
            }
        }
        self.batch.bytes.drain(..self.batch.taken);
        self.batch.taken = 0;
        self.batch.count = 0;
    }
}

impl Batch {
    fn takes(&self, way: Way, length: usize, segments: usize) -> bool {
        self.way == Some(way)
            && !self.complete
            && length <= self.segment
            && self.count < segments.min(SEND_BATCH_SEGMENTS)
            && self.taken + length <= SEND_BATCH_BYTES
    }
}

fn sent(metrics: &Metrics, count: u64, bytes: usize) {
    metrics.send_calls.inc();
    metrics.packets_out.add(count);
    metrics.bytes_out.add(bytes as u64);
}

fn send_singly(socket: &Socket, batch: &quinn_udp::Transmit<'_>, segment: usize, metrics: &Metrics) {
    for contents in batch.contents.chunks(segment.max(1)) {
        let transmit = quinn_udp::Transmit {
            destination: batch.destination,
            ecn: None,
            contents,
            segment_size: None,
            src_ip: batch.src_ip,
        };
        match socket.state.try_send((&socket.io).into(), &transmit) {
            Ok(()) => sent(metrics, 1, contents.len()),
            Err(_) => metrics.dropped_send_error.inc(),
        }
    }
}

fn bind_one(addr: SocketAddr) -> io::Result<Socket> {
    let raw = RawSocket::new(Domain::for_address(addr), Type::DGRAM, Some(Protocol::UDP))?;
    if addr.is_ipv6() {
        // An IPv4 socket of the same port may stand beside it.
        raw.set_only_v6(true)?;
    }
    raw.set_nonblocking(true)?;
    raw.bind(&addr.into())?;
    // The system may give less; that costs packets under load, not function.
    if let Err(error) =
        raw.set_recv_buffer_size(SOCKET_BUFFER_BYTES).and(raw.set_send_buffer_size(SOCKET_BUFFER_BYTES))
    {
        tracing::debug!(%error, "socket buffers stay as they are");
    }
    let receive_bytes = raw.recv_buffer_size()?;
    let io = UdpSocket::from_std(raw.into());
    let state = UdpSocketState::new((&io).into())?;
    let local = io.local_addr()?;
    Ok(Socket { io, state, local, receive_bytes, readable: true })
}

fn announce(config: &MediaConfig, sockets: &[Socket]) -> Vec<Announced> {
    let locals: Vec<SocketAddr> = sockets.iter().map(|socket| socket.local).collect();
    let reachable = reachable_addresses(config, &locals).into_iter();
    reachable.map(|(addr, socket, source)| Announced { addr, socket, source }).collect()
}

/// For each address to tell clients of: the address, which of the sockets `locals` it is of, and
/// the source to set when that listens on several.
pub(crate) fn reachable_addresses(
    config: &MediaConfig,
    locals: &[SocketAddr],
) -> Vec<(SocketAddr, usize, Option<IpAddr>)> {
    let mut reachable: Vec<(SocketAddr, usize, Option<IpAddr>)> = Vec::new();
    for (index, local) in locals.iter().enumerate() {
        let own = own_addresses(*local);
        let wished: Vec<IpAddr> = if config.advertise.is_empty() {
            own.clone()
        } else {
            config.advertise.iter().copied().filter(|ip| ip.is_ipv4() == local.is_ipv4()).collect()
        };
        let several = local.ip().is_unspecified();
        for ip in wished {
            let addr = SocketAddr::new(ip, local.port());
            let known = reachable.iter().any(|(other, ..)| *other == addr);
            if !known && reachable.len() < CANDIDATES_MAX {
                reachable.push((addr, index, (several && own.contains(&ip)).then_some(ip)));
            }
        }
    }
    reachable
}

/// The addresses at which a socket is reached: its own, or those of the interfaces.
fn own_addresses(local: SocketAddr) -> Vec<IpAddr> {
    if !local.ip().is_unspecified() {
        return vec![local.ip()];
    }
    let interfaces = if_addrs::get_if_addrs().unwrap_or_else(|error| {
        tracing::warn!(%error, "cannot list the network interfaces; set media.advertise");
        Vec::new()
    });
    let usable: Vec<IpAddr> = interfaces
        .iter()
        .map(if_addrs::Interface::ip)
        .filter(|ip| ip.is_ipv4() == local.is_ipv4() && !is_link_local(*ip))
        .collect();
    // The loopback address is of use only where there is nothing else.
    let outer: Vec<IpAddr> = usable.iter().copied().filter(|ip| !ip.is_loopback()).collect();
    if outer.is_empty() { usable } else { outer }
}

fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use str0m::net::Protocol as Transport;

    fn sockets() -> Sockets {
        let config =
            MediaConfig { udp_port: 0, bind: vec![IpAddr::from([127, 0, 0, 1])], ..MediaConfig::default() };
        Sockets::bind(&config, 0).unwrap()
    }

    fn transmit(sockets: &Sockets, destination: SocketAddr, fill: u8, length: usize) -> Transmit {
        Transmit {
            proto: Transport::Udp,
            source: sockets.candidates()[0],
            destination,
            contents: vec![fill; length].into(),
        }
    }

    #[test]
    fn batches_arrive_as_single_datagrams_in_order() {
        let (mut sockets, metrics) = (sockets(), Metrics::default());
        let receiver = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let to = receiver.local_addr().unwrap();
        let lengths = [1000, 1000, 1000, 400, 1000, 1200, 1200, 50];
        for (fill, length) in lengths.into_iter().enumerate() {
            let datagram = transmit(&sockets, to, u8::try_from(fill).unwrap(), length);
            sockets.send(&datagram, &metrics);
        }
        sockets.flush(&metrics);
        let mut buffer = [0; 2000];
        for (fill, length) in lengths.into_iter().enumerate() {
            let (read, from) = receiver.recv_from(&mut buffer).unwrap();
            assert_eq!((read, from), (length, sockets.locals()[0]));
            assert!(buffer[..read].iter().all(|byte| usize::from(*byte) == fill));
        }
        assert_eq!(metrics.packets_out.value(), 8);
        assert!(metrics.send_calls.value() <= 8);
    }

    #[test]
    fn received_batches_name_source_and_destination() {
        let mut sockets = sockets();
        let sender = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let to = sockets.candidates()[0];
        for fill in 0..5u8 {
            sender.send_to(&[fill; 100], to).unwrap();
        }
        let mut received = Received::new();
        let mut seen = Vec::new();
        let locals = sockets.locals();
        while sockets.receive(0, &mut received) {
            for (source, destination, datagram) in received.datagrams(&locals) {
                assert_eq!((source, destination), (sender.local_addr().unwrap(), to));
                seen.push(datagram[0]);
            }
        }
        assert_eq!(seen, [0, 1, 2, 3, 4]);
        assert!(!sockets.any_readable());
    }

    #[test]
    fn announces_what_is_configured() {
        let config = MediaConfig {
            udp_port: 0,
            bind: vec![IpAddr::from([0, 0, 0, 0])],
            advertise: vec![IpAddr::from([203, 0, 113, 7])],
            ..MediaConfig::default()
        };
        let sockets = Sockets::bind(&config, 0).unwrap();
        let port = sockets.locals()[0].port();
        let announced = SocketAddr::from(([203, 0, 113, 7], port));
        assert_eq!(sockets.candidates(), [announced]);
        assert_eq!(sockets.announced_for(SocketAddr::from(([10, 0, 0, 1], port))), announced);
        assert_eq!(sockets.announced[0].source, None, "the address is not this machine's");
    }
}
