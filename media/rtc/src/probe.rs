//! Asks a client that seems to send from another address whether it does.
//!
//! Behind an address translation that was reset, a client does not know that it comes from another
//! port; browsers check the path in use only every 2.5 s, and for so long its media would be dropped.
//! So when media comes from an unknown address, the clients of the same IP address that have just
//! fallen silent are sent a check there. The answer carries the message integrity of the client's own
//! password (RFC 8445, section 7.2.5.2), and shows more than a check does: that the client is reached
//! at the address. Until then nothing from there is accepted.
//!
//! A client that has fallen silent is asked the same over the path in use (`watch`).
//!
//! An ICE-lite agent need not check (RFC 8445, section 2.5); these checks change nothing in the
//! client's state.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    time::{Duration, Instant},
};

use str0m::ice::{StunMessage, TransId};

use crate::{arena::Key, codecs, path::Path};

/// A client that sends pictures or sound, or receives them, is never silent for so long.
pub(crate) const SILENCE: Duration = Duration::from_millis(100);
/// Clients asked about one address at a time: those of a household or a ward.
pub(crate) const CLIENTS_PER_ADDRESS_MAX: usize = 4;
/// The same address is asked again after this; a datagram may be lost.
const AGAIN: Duration = Duration::from_millis(250);
/// An answer that takes longer is of no use: the client has checked by itself.
const PATIENCE: Duration = Duration::from_secs(3);
/// Questions without an answer; beyond that no more are asked, which bounds what strangers can
/// make the server send.
const PENDING_MAX: usize = 256;
/// Questions remembered at all; the oldest is forgotten, and its answer not believed.
const ASKED_MAX: usize = 4_096;
const REQUEST_BYTES_MAX: usize = 1_024;
/// Of no meaning to a controlling agent.
const PRIORITY: u32 = 1;

/// The client's ICE credentials, as in its description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Remote {
    pub(crate) ufrag: String,
    pub(crate) password: String,
}

#[derive(Clone, Copy, Debug)]
struct Pending {
    transaction: [u8; 12],
    key: Key,
    path: Path,
    at: Instant,
}

/// The questions of one worker.
#[derive(Debug, Default)]
pub(crate) struct Probes {
    pending: VecDeque<Pending>,
}

impl Probes {
    /// Whether clients may be asked about an address now.
    pub(crate) fn may_ask(&mut self, source: SocketAddr, now: Instant) -> bool {
        self.forget_old(now);
        let asked = |pending: &Pending| {
            pending.path.remote == source && now.saturating_duration_since(pending.at) < AGAIN
        };
        self.pending.len() + CLIENTS_PER_ADDRESS_MAX <= PENDING_MAX && !self.pending.iter().any(asked)
    }

    fn forget_old(&mut self, now: Instant) {
        while self.pending.front().is_some_and(|first| now.saturating_duration_since(first.at) > PATIENCE) {
            self.pending.pop_front();
        }
    }

    /// The datagram that asks.
    pub(crate) fn ask(
        &mut self,
        key: Key,
        path: Path,
        local_ufrag: &str,
        remote: &Remote,
        now: Instant,
    ) -> Option<Vec<u8>> {
        let username = format!("{}:{local_ufrag}", remote.ufrag);
        // The server is controlled: the client decides.
        let request = StunMessage::binding_request(&username, TransId::new(), false, 0, PRIORITY, false);
        let mut datagram = vec![0; REQUEST_BYTES_MAX];
        let length =
            request.to_bytes(Some(remote.password.as_bytes()), &mut datagram, codecs::sha1_hmac).ok()?;
        datagram.truncate(length);
        let transaction = datagram.get(8..20)?.try_into().ok()?;
        self.forget_old(now);
        if self.pending.len() == ASKED_MAX {
            self.pending.pop_front();
        }
        self.pending.push_back(Pending { transaction, key, path, at: now });
        Some(datagram)
    }

    /// Whom an answer over a path is from and when it was asked; `None` if it was not.
    pub(crate) fn asked(&mut self, transaction: [u8; 12], path: Path) -> Option<(Key, Instant)> {
        let place = self
            .pending
            .iter()
            .position(|pending| pending.transaction == transaction && pending.path == path)?;
        self.pending.remove(place).map(|pending| (pending.key, pending.at))
    }
}

/// Whether an answer carries the client's password.
pub(crate) fn is_genuine(datagram: &[u8], remote: &Remote) -> bool {
    StunMessage::parse(datagram).is_ok_and(|message| {
        message.is_successful_binding_response()
            && message.verify(remote.password.as_bytes(), codecs::sha1_hmac)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{arena::Arena, demux::binding_success};
    use str0m::net::Protocol;

    fn path(port: u16) -> Path {
        let local = SocketAddr::from(([192, 0, 2, 1], 7882));
        Path { proto: Protocol::Udp, local, remote: SocketAddr::from(([198, 51, 100, 7], port)) }
    }

    fn remote() -> Remote {
        Remote { ufrag: "client".into(), password: "0123456789012345678901".into() }
    }

    fn answer(request: &[u8], password: &str) -> Vec<u8> {
        let request = StunMessage::parse(request).unwrap();
        assert_eq!(request.split_username(), Some(("client", "server")));
        let reply = StunMessage::binding_reply(request.trans_id(), path(1).remote);
        let mut datagram = vec![0; 500];
        let length = reply.to_bytes(Some(password.as_bytes()), &mut datagram, codecs::sha1_hmac).unwrap();
        datagram.truncate(length);
        datagram
    }

    #[test]
    fn only_the_client_itself_can_answer_and_only_from_there() {
        let (mut probes, now) = (Probes::default(), Instant::now());
        let key = Arena::default().insert(());
        let request = probes.ask(key, path(1), "server", &remote(), now).unwrap();
        let good = answer(&request, &remote().password);
        assert!(is_genuine(&good, &remote()));
        assert!(!is_genuine(&answer(&request, "another password 12345"), &remote()));
        assert!(!is_genuine(&request, &remote()), "its own question sent back");
        let transaction = binding_success(&good).unwrap();
        assert_eq!(probes.asked(transaction, path(2)), None);
        assert_eq!(probes.asked(transaction, path(1)), Some((key, now)));
        assert_eq!(probes.asked(transaction, path(1)), None, "an answer counts once");
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let (mut probes, now) = (Probes::default(), Instant::now());
        let key = Arena::default().insert(());
        for _ in 0..=ASKED_MAX {
            probes.ask(key, path(1), "server", &remote(), now).unwrap();
        }
        assert_eq!(probes.pending.len(), ASKED_MAX);
        probes.ask(key, path(1), "server", &remote(), now + PATIENCE + AGAIN).unwrap();
        assert_eq!(probes.pending.len(), 1);
    }

    #[test]
    fn strangers_cannot_make_it_ask_without_end() {
        let (mut probes, now) = (Probes::default(), Instant::now());
        let key = Arena::default().insert(());
        let mut asked = 0;
        for port in 1..2_000 {
            if probes.may_ask(path(port).remote, now) {
                probes.ask(key, path(port), "server", &remote(), now).unwrap();
                asked += 1;
            }
            assert!(!probes.may_ask(path(port).remote, now));
        }
        assert!(asked <= PENDING_MAX);
        assert!(probes.may_ask(path(1).remote, now + PATIENCE + AGAIN));
    }
}
