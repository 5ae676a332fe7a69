//! What a client's datagrams go over.

use std::{
    collections::VecDeque,
    io::{ErrorKind, IoSliceMut, Read as _, Write},
    net::{IpAddr, SocketAddr, TcpStream, UdpSocket},
    time::{Instant, SystemTime},
};

use quinn_udp::{RecvMeta, UdpSocketState};
use socket2::{Domain, Socket, Type};
use str0m::{Candidate, net::TcpType};

/// Datagrams of one sender come merged.
const GRO_BYTES: usize = 64 * 1024;

/// One reading.
pub struct Read {
    pub source: SocketAddr,
    pub came: Instant,
    pub length: usize,
    pub stride: usize,
}

pub enum Wire {
    /// `seen` differs from the socket's own address behind an address translation.
    Udp { socket: UdpSocket, state: UdpSocketState, seen: SocketAddr },
    /// Connected when the first datagram is sent; frames as in RFC 4571.
    Tcp {
        socket: Option<Socket>,
        local: SocketAddr,
        door: Option<SocketAddr>,
        stream: Option<(TcpStream, SocketAddr)>,
        read: VecDeque<u8>,
    },
}

impl Wire {
    pub fn udp(ip: IpAddr) -> Self {
        let (socket, state) = bound(ip);
        let seen = socket.local_addr().unwrap();
        Self::Udp { socket, state, seen }
    }

    pub fn tcp(ip: IpAddr) -> Self {
        Self::tcp_by(ip, None)
    }

    /// Goes to that address, whatever candidate it is meant for.
    pub fn tcp_to(ip: IpAddr, address: SocketAddr) -> Self {
        Self::tcp_by(ip, Some(address))
    }

    fn tcp_by(ip: IpAddr, door: Option<SocketAddr>) -> Self {
        let addr = SocketAddr::new(ip, 0);
        let socket = Socket::new(Domain::for_address(addr), Type::STREAM, None).unwrap();
        socket.bind(&addr.into()).unwrap();
        let local = socket.local_addr().unwrap().as_socket().unwrap();
        Self::Tcp { socket: Some(socket), local, door, stream: None, read: VecDeque::new() }
    }

    /// What the client believes its address to be.
    pub fn candidate(&self) -> Candidate {
        let made = match self {
            Self::Udp { seen, .. } => Candidate::builder().udp().host(*seen).build(),
            Self::Tcp { local, .. } => {
                Candidate::builder().tcp().host(*local).tcptype(TcpType::Active).build()
            }
        };
        made.unwrap()
    }

    /// The address translation in front of the client is reset: its datagrams come from another
    /// port, and what is sent to the old one is lost. The client does not notice.
    pub fn rebind(&mut self) {
        let Self::Udp { socket, state, .. } = self else { panic!("of datagrams only") };
        (*socket, *state) = bound(socket.local_addr().unwrap().ip());
    }

    pub fn send(&mut self, datagram: &[u8], to: SocketAddr) {
        match self {
            Self::Udp { socket, .. } => {
                let _ = socket.send_to(datagram, to);
            }
            Self::Tcp { socket, stream, door, .. } => {
                if let Some(socket) = socket.take() {
                    socket.connect(&door.unwrap_or(to).into()).unwrap();
                    socket.set_nonblocking(true).unwrap();
                    *stream = Some((socket.into(), to));
                }
                let Some((open, _)) = stream else { return };
                // Small against the kernel's buffer: what it does not take at once is a broken stream.
                if open.write_all(&framed(datagram)).is_err() {
                    *stream = None;
                }
            }
        }
    }

    /// Reads what is there: one datagram, or several of one sender that came merged.
    pub fn receive(&mut self, buffer: &mut Vec<u8>) -> Option<Read> {
        match self {
            Self::Udp { socket, state, .. } => {
                buffer.resize(GRO_BYTES, 0);
                let mut meta = [RecvMeta::default()];
                loop {
                    let mut slices = [IoSliceMut::new(buffer)];
                    match state.recv((&*socket).into(), &mut slices, &mut meta) {
                        Ok(_) => break,
                        Err(error) if error.kind() == ErrorKind::WouldBlock => return None,
                        // An ICMP answer to a closed port.
                        Err(_) => {}
                    }
                }
                // When it came, not when this client gets to read it: that is what the sender's
                // estimate goes by.
                let [meta] = &meta;
                let age = meta.timestamp.and_then(|at| (SystemTime::UNIX_EPOCH + at).elapsed().ok());
                let came = Instant::now() - age.unwrap_or_default();
                Some(Read { source: meta.addr, came, length: meta.len, stride: meta.stride })
            }
            Self::Tcp { stream, read, .. } => {
                let (open, source) = stream.as_mut()?;
                buffer.resize(GRO_BYTES, 0);
                while let Ok(length @ 1..) = open.read(buffer) {
                    read.extend(&buffer[..length]);
                }
                let length = usize::from(u16::from_be_bytes([*read.front()?, *read.get(1)?]));
                if read.len() < 2 + length {
                    return None;
                }
                buffer.clear();
                buffer.extend(read.drain(..2 + length).skip(2));
                Some(Read { source: *source, came: Instant::now(), length, stride: length })
            }
        }
    }
}

/// What a client has sent, for those who would have seen it on the way.
#[derive(Default)]
pub struct Sent {
    /// STUN binding requests.
    pub checks: usize,
    pub last_check: Vec<u8>,
    pub last_rtp: Vec<u8>,
}

impl Sent {
    pub fn note(&mut self, datagram: &[u8]) {
        match datagram {
            [0, 1, ..] => {
                self.checks += 1;
                self.last_check = datagram.to_vec();
            }
            [128..=191, ..] => self.last_rtp = datagram.to_vec(),
            _ => {}
        }
    }
}

/// A datagram with its frame (RFC 4571).
pub fn framed(datagram: &[u8]) -> Vec<u8> {
    let mut frame = u16::try_from(datagram.len()).unwrap().to_be_bytes().to_vec();
    frame.extend_from_slice(datagram);
    frame
}

fn bound(ip: IpAddr) -> (UdpSocket, UdpSocketState) {
    let socket = UdpSocket::bind((ip, 0)).unwrap();
    // Sets it to not block, among other things.
    let state = UdpSocketState::new((&socket).into()).unwrap();
    (socket, state)
}
