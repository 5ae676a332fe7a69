//! One UDP socket for each peer: read in batches (GRO), written in batches (GSO).

use std::{
    io::{self, IoSliceMut},
    net::{IpAddr, SocketAddr},
};

use mio::net::UdpSocket;
use quinn_udp::{BATCH_SIZE, RecvMeta, UdpSocketState};
use socket2::{Domain, Protocol, Socket as RawSocket, Type};

use crate::peer::Outbox;

/// Kernel buffer: a second of a lively room, so that losses are the server's.
const SOCKET_BUFFER_BYTES: usize = 4 * 1024 * 1024;
/// One GRO super-datagram.
const RECEIVE_BUFFER_BYTES: usize = 64 * 1024;
/// A GSO batch stays below what one datagram may carry.
const SEND_BATCH_BYTES: usize = 60 * 1024;
/// UDP_MAX_SEGMENTS of the kernel.
const SEND_BATCH_SEGMENTS: usize = 64;

#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) io: UdpSocket,
    state: UdpSocketState,
}

impl Link {
    /// A socket on a free port of all addresses of the family of `like`.
    pub(crate) fn bind(like: IpAddr) -> io::Result<(Self, u16)> {
        let any = if like.is_ipv4() { IpAddr::from([0; 4]) } else { IpAddr::from([0_u16; 8]) };
        let any = SocketAddr::new(any, 0);
        let raw = RawSocket::new(Domain::for_address(any), Type::DGRAM, Some(Protocol::UDP))?;
        raw.set_nonblocking(true)?;
        raw.bind(&any.into())?;
        // The system may give less.
        if let Err(error) =
            raw.set_recv_buffer_size(SOCKET_BUFFER_BYTES).and(raw.set_send_buffer_size(SOCKET_BUFFER_BYTES))
        {
            tracing::debug!(%error, "socket buffers stay as they are");
        }
        let io = UdpSocket::from_std(raw.into());
        let state = UdpSocketState::new((&io).into())?;
        let port = io.local_addr()?.port();
        Ok((Self { io, state }, port))
    }

    /// Reads one batch; false when nothing waits.
    pub(crate) fn receive(&self, into: &mut Inbox) -> bool {
        into.filled = 0;
        let mut chunks = into.bytes.chunks_exact_mut(RECEIVE_BUFFER_BYTES);
        let mut buffers: [IoSliceMut<'_>; BATCH_SIZE] =
            std::array::from_fn(|_| IoSliceMut::new(chunks.next().unwrap_or_default()));
        match self.state.recv((&self.io).into(), &mut buffers, &mut into.meta) {
            Ok(filled) => {
                into.filled = filled;
                filled > 0
            }
            // An ICMP error of an earlier datagram comes up here once; the next call reads on.
            Err(error) => {
                matches!(error.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::Interrupted)
            }
        }
    }
}

/// Room for one batch of received datagrams.
pub(crate) struct Inbox {
    bytes: Vec<u8>,
    meta: [RecvMeta; BATCH_SIZE],
    filled: usize,
}

impl Inbox {
    pub(crate) fn new() -> Self {
        Self {
            bytes: vec![0; RECEIVE_BUFFER_BYTES * BATCH_SIZE],
            meta: [RecvMeta::default(); BATCH_SIZE],
            filled: 0,
        }
    }

    /// Source and bytes of each datagram of the last batch, for changing in place.
    pub(crate) fn datagrams(&mut self) -> impl Iterator<Item = (SocketAddr, &mut [u8])> {
        let buffers = self.bytes.chunks_exact_mut(RECEIVE_BUFFER_BYTES);
        buffers.zip(&self.meta).take(self.filled).flat_map(|(buffer, meta)| {
            let stride = meta.stride.max(1);
            buffer[..meta.len].chunks_mut(stride).map(move |datagram| (meta.addr, datagram))
        })
    }
}

/// Datagrams of one socket for one destination, waiting for the system call.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    bytes: Vec<u8>,
    segment: usize,
    count: usize,
    /// A short segment ends a batch.
    complete: bool,
    to: Option<SocketAddr>,
}

/// The way out of one socket.
pub(crate) struct Sender<'a> {
    pub(crate) link: &'a Link,
    pub(crate) batch: &'a mut Batch,
}

impl Outbox for Sender<'_> {
    fn send_to(&mut self, to: SocketAddr, datagram: &[u8]) {
        self.push(to, datagram);
    }
}

impl Sender<'_> {
    pub(crate) fn push(&mut self, to: SocketAddr, datagram: &[u8]) {
        let segments = self.link.state.max_gso_segments().min(SEND_BATCH_SEGMENTS);
        let batch = &*self.batch;
        let fits = batch.to == Some(to)
            && !batch.complete
            && datagram.len() <= batch.segment
            && batch.count < segments
            && batch.bytes.len() + datagram.len() <= SEND_BATCH_BYTES;
        if !fits {
            self.flush();
            self.batch.to = Some(to);
            self.batch.segment = datagram.len();
        }
        self.batch.complete = datagram.len() < self.batch.segment;
        self.batch.bytes.extend_from_slice(datagram);
        self.batch.count += 1;
    }

    /// Sends what waits. What the kernel does not take is lost, as on a network.
    pub(crate) fn flush(&mut self) {
        let Some(destination) = self.batch.to.take() else { return };
        let Batch { bytes, segment, count, .. } = &*self.batch;
        let several = *count > 1;
        let transmit = quinn_udp::Transmit {
            destination,
            ecn: None,
            contents: bytes,
            segment_size: several.then_some(*segment),
            src_ip: None,
        };
        let sent = self.link.state.try_send((&self.link.io).into(), &transmit);
        if let Err(error) = sent {
            // The interface cannot segment: quinn-udp has switched it off, this batch goes piece by piece.
            let singly = several && error.kind() != io::ErrorKind::WouldBlock;
            for contents in bytes.chunks((*segment).max(1)).filter(|_| singly) {
                let piece = quinn_udp::Transmit { contents, segment_size: None, ..transmit.clone() };
                if let Err(error) = self.link.state.try_send((&self.link.io).into(), &piece) {
                    tracing::trace!(%error, "datagram refused");
                }
            }
        }
        self.batch.bytes.clear();
        self.batch.count = 0;
    }
}
