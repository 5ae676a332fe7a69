//! Which connection a datagram is for: by source address, or, for STUN, by the ICE user fragment.
//!
//! An address enters the table only when its peer has answered a binding
//! request from there, and the peer answers only requests with the right
//! password. So a datagram with a forged source reaches at most the peer that
//! really has that source.

use std::{collections::HashMap, net::SocketAddr};

use crate::arena::Key;

/// Addresses kept per connection; the oldest goes. A browser uses one per network and relay.
pub(crate) const ADDRESSES_PER_CONNECTION: usize = 16;

const STUN_HEADER_BYTES: usize = 20;
const STUN_MAGIC: [u8; 4] = [0x21, 0x12, 0xA4, 0x42];
const BINDING_REQUEST: [u8; 2] = [0x00, 0x01];
const BINDING_SUCCESS: [u8; 2] = [0x01, 0x01];
const ATTRIBUTE_USERNAME: u16 = 0x0006;
/// RFC 8489, section 14.3: a user name is shorter than 509 bytes.
const USERNAME_BYTES_MAX: usize = 513;

/// What a datagram is, by its first byte (RFC 7983).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class<'a> {
    /// A binding request for this local user fragment.
    Binding(&'a str),
    /// DTLS, RTP or RTCP.
    Session,
    /// For nobody.
    Garbage,
}

/// Sorts a datagram without looking further than it must.
pub(crate) fn classify(datagram: &[u8]) -> Class<'_> {
    match datagram.first() {
        Some(0..=1) => stun_local_ufrag(datagram).map_or(Class::Garbage, Class::Binding),
        Some(20..=63) => Class::Session,
        Some(128..=191) if datagram.len() > 2 => Class::Session,
        _ => Class::Garbage,
    }
}

/// Whether an outgoing datagram is a STUN binding success response.
pub(crate) fn is_binding_success(datagram: &[u8]) -> bool {
    datagram.len() >= STUN_HEADER_BYTES && datagram[..2] == BINDING_SUCCESS && datagram[4..8] == STUN_MAGIC
}

/// The part of USERNAME before the colon (RFC 8445, section 7.2.2) of a binding request.
fn stun_local_ufrag(datagram: &[u8]) -> Option<&str> {
    let header = datagram.get(..STUN_HEADER_BYTES)?;
    if header[..2] != BINDING_REQUEST || header[4..8] != STUN_MAGIC {
        return None;
    }
    let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
    let mut attributes = datagram.get(STUN_HEADER_BYTES..STUN_HEADER_BYTES + length)?;
    while let [t0, t1, l0, l1, rest @ ..] = attributes {
        let length = usize::from(u16::from_be_bytes([*l0, *l1]));
        let value = rest.get(..length)?;
        if u16::from_be_bytes([*t0, *t1]) == ATTRIBUTE_USERNAME {
            let username = std::str::from_utf8(value).ok().filter(|name| name.len() <= USERNAME_BYTES_MAX)?;
            return username.split_once(':').map(|(local, _)| local);
        }
        attributes = rest.get(length.next_multiple_of(4)..)?;
    }
    None
}

/// The two tables.
#[derive(Debug, Default)]
pub(crate) struct Demux {
    by_address: HashMap<SocketAddr, Key>,
    by_ufrag: HashMap<String, Key>,
}

/// What one connection has in the tables, so that all of it goes with the connection.
#[derive(Debug, Default)]
pub(crate) struct Registered {
    ufrag: String,
    addresses: Vec<SocketAddr>,
    /// Addresses ever learned; bounds what a peer may make its ICE agent remember.
    pub(crate) learned: usize,
}

impl Demux {
    pub(crate) fn by_address(&self, source: SocketAddr) -> Option<Key> {
        self.by_address.get(&source).copied()
    }

    pub(crate) fn by_ufrag(&self, ufrag: &str) -> Option<Key> {
        self.by_ufrag.get(ufrag).copied()
    }

    /// Sets the user fragment of a connection; the one before is forgotten.
    pub(crate) fn register_ufrag(&mut self, key: Key, registered: &mut Registered, ufrag: String) {
        if registered.ufrag == ufrag {
            return;
        }
        self.forget_ufrag(key, registered);
        self.by_ufrag.insert(ufrag.clone(), key);
        registered.ufrag = ufrag;
    }

    /// An address has proved to be the peer's.
    pub(crate) fn learn(&mut self, key: Key, registered: &mut Registered, source: SocketAddr) {
        self.by_address.insert(source, key);
        if registered.addresses.contains(&source) {
            return;
        }
        registered.learned += 1;
        if registered.addresses.len() == ADDRESSES_PER_CONNECTION {
            let oldest = registered.addresses.remove(0);
            self.forget_address(key, oldest);
        }
        registered.addresses.push(source);
    }

    /// Takes a connection out of both tables.
    pub(crate) fn remove(&mut self, key: Key, registered: &mut Registered) {
        self.forget_ufrag(key, registered);
        for address in std::mem::take(&mut registered.addresses) {
            self.forget_address(key, address);
        }
    }

    /// (addresses, user fragments) in the tables.
    #[cfg(test)]
    pub(crate) fn len(&self) -> (usize, usize) {
        (self.by_address.len(), self.by_ufrag.len())
    }

    fn forget_ufrag(&mut self, key: Key, registered: &mut Registered) {
        let ufrag = std::mem::take(&mut registered.ufrag);
        if self.by_ufrag.get(&ufrag) == Some(&key) {
            self.by_ufrag.remove(&ufrag);
        }
    }

    /// Another connection may have proved the address since; then it stays.
    fn forget_address(&mut self, key: Key, address: SocketAddr) {
        if self.by_address.get(&address) == Some(&key) {
            self.by_address.remove(&address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arena::Arena;
    use proptest::prelude::*;

    fn binding(attributes: &[(u16, &[u8])]) -> Vec<u8> {
        let mut body = Vec::new();
        for (kind, value) in attributes {
            body.extend(kind.to_be_bytes());
            body.extend(u16::try_from(value.len()).expect("short").to_be_bytes());
            body.extend(*value);
            body.resize(body.len().next_multiple_of(4), 0);
        }
        let mut datagram = vec![0, 1];
        datagram.extend(u16::try_from(body.len()).expect("short").to_be_bytes());
        datagram.extend(STUN_MAGIC);
        datagram.extend([7; 12]);
        datagram.extend(body);
        datagram
    }

    #[test]
    fn finds_the_local_fragment_behind_other_attributes() {
        let datagram = binding(&[(0x0025, b""), (0x8022, b"abc"), (0x0006, b"server:client")]);
        assert_eq!(classify(&datagram), Class::Binding("server"));
        assert_eq!(classify(&binding(&[(0x0006, b"nocolon")])), Class::Garbage);
        assert_eq!(classify(&binding(&[])), Class::Garbage);
    }

    #[test]
    fn sorts_by_first_byte() {
        assert_eq!(classify(&[22, 254, 253]), Class::Session);
        assert_eq!(classify(&[0x80, 111, 0]), Class::Session);
        assert_eq!(classify(&[0x80]), Class::Garbage);
        assert_eq!(classify(&[]), Class::Garbage);
        assert_eq!(classify(b"GET / HTTP/1.1"), Class::Garbage);
    }

    #[test]
    fn tables_forget_with_the_connection() {
        let mut arena = Arena::default();
        let (a, b) = (arena.insert(()), arena.insert(()));
        let (mut of_a, mut of_b) = (Registered::default(), Registered::default());
        let mut demux = Demux::default();
        demux.register_ufrag(a, &mut of_a, "one".into());
        demux.register_ufrag(a, &mut of_a, "two".into());
        assert_eq!((demux.by_ufrag("one"), demux.by_ufrag("two")), (None, Some(a)));
        let address = |port: usize| SocketAddr::from(([127, 0, 0, 1], u16::try_from(port).expect("port")));
        for port in 1..=ADDRESSES_PER_CONNECTION + 3 {
            demux.learn(a, &mut of_a, address(port));
        }
        assert_eq!(demux.len(), (ADDRESSES_PER_CONNECTION, 1));
        demux.learn(b, &mut of_b, address(5));
        demux.remove(a, &mut of_a);
        assert_eq!(demux.by_address(address(5)), Some(b), "the newer owner keeps the address");
        demux.remove(b, &mut of_b);
        assert_eq!(demux.len(), (0, 0));
    }

    proptest! {
        #[test]
        fn any_bytes_are_sorted_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = classify(&bytes);
            let mut stun = binding(&[]);
            stun.extend(&bytes);
            let _ = classify(&stun);
            let length = stun.len() - STUN_HEADER_BYTES;
            stun[2..4].copy_from_slice(&u16::try_from(length).expect("short").to_be_bytes());
            let _ = classify(&stun);
        }
    }
}
