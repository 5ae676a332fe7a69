//! The UDP socket around `parley-turn-core`: a STUN server on tokio.
//!
//! It tells clients their public address (RFC 8489). It does **not relay** media:
//! TURN (RFC 8656), and STUN over TCP and TLS, are not there yet. Behind a
//! firewall that lets no UDP to the media ports through, this does not help.

use std::{io, net::SocketAddr, time::Instant};

use parley_turn_core::{Counters, Limits, Server};
use tokio::net::UdpSocket;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

/// Larger than any request that is answered; what is cut off is malformed anyway.
const RECEIVE_BUFFER: usize = 2048;
/// Errors of the socket in a row after which it is taken for broken. Single ones
/// are reports of earlier replies that could not be delivered.
const MAX_ERRORS: u32 = 1000;

/// A STUN server on one UDP socket.
#[derive(Debug)]
pub struct StunServer {
    socket: UdpSocket,
    core: Server,
}

impl StunServer {
    /// Listens on `address`; port 0 takes any free one.
    ///
    /// # Errors
    ///
    /// The operating system's, when the address is in use or not of this machine.
    pub async fn bind(address: SocketAddr) -> io::Result<Self> {
        Self::bind_with(address, Limits::default()).await
    }

    /// The same with other limits than the default ones.
    ///
    /// # Errors
    ///
    /// Those of [`StunServer::bind`].
    pub async fn bind_with(address: SocketAddr, limits: Limits) -> io::Result<Self> {
        let socket = UdpSocket::bind(address).await?;
        Ok(Self { socket, core: Server::new(limits) })
    }

    /// The address it listens on.
    ///
    /// # Errors
    ///
    /// The operating system's.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Answers until `stop` is cancelled; returns what it did.
    pub async fn serve(mut self, stop: CancellationToken) -> Counters {
        let mut buffer = [0; RECEIVE_BUFFER];
        let mut errors = 0;
        while errors < MAX_ERRORS {
            let received = tokio::select! {
                () = stop.cancelled() => break,
                received = self.socket.recv_from(&mut buffer) => received,
            };
            let (size, from) = match received {
                Ok(datagram) => datagram,
                Err(error) => {
                    errors += 1;
                    debug!(%error, "STUN receive");
                    continue;
                }
            };
            errors = 0;
            if let Some(reply) = self.core.handle_datagram(&buffer[..size], from, Instant::now()) {
                // A full socket buffer loses the reply; the client asks again. The
                // address of the client belongs to a person and is not logged.
                if let Err(error) = self.socket.try_send_to(&reply, from) {
                    debug!(%error, "STUN send");
                }
            }
        }
        if errors >= MAX_ERRORS {
            warn!("STUN stops: the socket gives nothing but errors; restart, and look at the network");
        }
        self.core.counters()
    }

    /// [`StunServer::serve`] for those who only want it to run; says at the end what it did.
    pub async fn run(self, stop: CancellationToken) {
        let counters = self.serve(stop).await;
        info!(?counters, "STUN stopped");
    }
}
