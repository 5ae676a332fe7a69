//! Which connection a datagram is for: by source address, or, for STUN, by the ICE user fragment.
//!
//! An address enters the table only when its peer has answered a binding
//! request from there, and the peer answers only requests with the right
//! password. So a datagram with a forged source reaches at most the peer that
//! really has that source. Nor can a participant take another's address away by
//! checks with a forged source: an address stays with a peer that keeps checking
//! from there, and goes to another [`TAKEOVER_REST`] after it stopped.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{arena::Key, path::Check, tcp::router::Directory};

/// Addresses kept per connection; the oldest goes. A browser uses one per network and relay.
pub(crate) const ADDRESSES_PER_CONNECTION: usize = 16;

/// Connections remembered of one IP address; the one that came first is forgotten. The rest of a
/// large site is found by its own checks, a little later.
const CONNECTIONS_PER_IP: usize = 32;
/// Clients check the path in use at least every 6 s (RFC 7675, section 5.1).
const TAKEOVER_REST: Duration = Duration::from_secs(7);

/// Longer media comes from nobody who keeps to the MTU of a path. With the headers that it would get on its way
/// out it would not fit what a receiver's connection has room for, and end that.
const MEDIA_BYTES_MAX: usize = 1_500;

const STUN_HEADER_BYTES: usize = 20;
const STUN_MAGIC: [u8; 4] = [0x21, 0x12, 0xA4, 0x42];
const BINDING_REQUEST: [u8; 2] = [0x00, 0x01];
const BINDING_SUCCESS: [u8; 2] = [0x01, 0x01];
const ATTRIBUTE_USERNAME: u16 = 0x0006;
/// RFC 8445, section 16.1.
const ATTRIBUTE_PRIORITY: u16 = 0x0024;
const ATTRIBUTE_USE_CANDIDATE: u16 = 0x0025;
/// RFC 8489, section 14.3: a user name is shorter than 509 bytes.
const USERNAME_BYTES_MAX: usize = 513;

/// What a datagram is, by its first byte (RFC 7983).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class<'a> {
    /// A binding request for this local user fragment.
    Binding(&'a str),
    /// A success response to a check of the server, with this transaction.
    Answer([u8; 12]),
    /// DTLS, RTP or RTCP.
    Session,
    /// For nobody.
    Garbage,
}

/// Sorts a datagram without looking further than it must.
pub(crate) fn classify(datagram: &[u8]) -> Class<'_> {
    match datagram.first() {
        Some(0..=1) => match binding_success(datagram) {
            Some(transaction) => Class::Answer(transaction),
            None => stun_local_ufrag(datagram).map_or(Class::Garbage, Class::Binding),
        },
        Some(20..=63) => Class::Session,
        Some(128..=191) if (3..=MEDIA_BYTES_MAX).contains(&datagram.len()) => Class::Session,
        _ => Class::Garbage,
    }
}

/// The transaction of a STUN binding success response; `None` for anything else.
pub(crate) fn binding_success(datagram: &[u8]) -> Option<[u8; 12]> {
    let header = datagram.get(..STUN_HEADER_BYTES)?;
    let success = header[..2] == BINDING_SUCCESS && header[4..8] == STUN_MAGIC;
    success.then(|| header[8..].try_into().ok()).flatten()
}

/// Whether an outgoing datagram is STUN (RFC 7983), and so for one address only.
pub(crate) fn is_stun(datagram: &[u8]) -> bool {
    matches!(datagram.first(), Some(0..=3))
}

/// Whether a datagram is SRTP or SRTCP (RFC 7983).
pub(crate) fn is_media(datagram: &[u8]) -> bool {
    matches!(datagram.first(), Some(128..=191))
}

/// What a datagram of [`Class::Binding`] asks.
pub(crate) fn check(datagram: &[u8]) -> Option<Check> {
    let transaction = datagram.get(8..STUN_HEADER_BYTES)?.try_into().ok()?;
    let mut check = Check { transaction, priority: 0, nominates: false };
    for (kind, value) in attributes(datagram)? {
        match (kind, value) {
            (ATTRIBUTE_PRIORITY, [a, b, c, d]) => check.priority = u32::from_be_bytes([*a, *b, *c, *d]),
            (ATTRIBUTE_USE_CANDIDATE, _) => check.nominates = true,
            _ => {}
        }
    }
    Some(check)
}

/// The part of USERNAME before the colon (RFC 8445, section 7.2.2) of a binding request.
fn stun_local_ufrag(datagram: &[u8]) -> Option<&str> {
    let header = datagram.get(..STUN_HEADER_BYTES)?;
    if header[..2] != BINDING_REQUEST || header[4..8] != STUN_MAGIC {
        return None;
    }
    let (_, value) = attributes(datagram)?.find(|(kind, _)| *kind == ATTRIBUTE_USERNAME)?;
    let username = std::str::from_utf8(value).ok().filter(|name| name.len() <= USERNAME_BYTES_MAX)?;
    // A fragment has at least four characters (RFC 8839, section 5.4); nobody's is empty.
    username.split_once(':').map(|(local, _)| local).filter(|local| !local.is_empty())
}

/// Type and value of each attribute (RFC 8489, section 14), up to the first that is cut off.
fn attributes(datagram: &[u8]) -> Option<impl Iterator<Item = (u16, &[u8])>> {
    let header = datagram.get(..STUN_HEADER_BYTES)?;
    let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
    let mut rest = datagram.get(STUN_HEADER_BYTES..STUN_HEADER_BYTES + length)?;
    Some(std::iter::from_fn(move || {
        let [t0, t1, l0, l1, after @ ..] = rest else { return None };
        let length = usize::from(u16::from_be_bytes([*l0, *l1]));
        let value = after.get(..length)?;
        rest = after.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((u16::from_be_bytes([*t0, *t1]), value))
    }))
}

/// Who has an address, and when that was last shown by a check.
#[derive(Clone, Copy, Debug)]
struct Holder {
    key: Key,
    checked: Instant,
}

/// The two tables.
#[derive(Debug)]
pub(crate) struct Demux {
    by_address: HashMap<SocketAddr, Holder>,
    by_ufrag: HashMap<String, Key>,
    /// The connections of an IP address, the one that came last the last.
    by_ip: HashMap<IpAddr, Vec<Key>>,
    /// For streams, which come in elsewhere.
    directory: Arc<Directory>,
    worker: usize,
}

/// What one connection has in the tables, so that all of it goes with the connection.
#[derive(Debug, Default)]
pub(crate) struct Registered {
    pub(crate) ufrag: String,
    /// The one that was checked last is the last.
    addresses: Vec<SocketAddr>,
    /// TCP streams that are the connection's, the oldest first.
    pub(crate) streams: Vec<Key>,
    /// Addresses learned under these credentials; bounds what a peer may make its ICE agent remember.
    pub(crate) learned: usize,
}

impl Demux {
    /// The tables of worker number `worker`.
    pub(crate) fn new(directory: Arc<Directory>, worker: usize) -> Self {
        Self {
            by_address: HashMap::new(),
            by_ufrag: HashMap::new(),
            by_ip: HashMap::new(),
            directory,
            worker,
        }
    }

    /// How many user fragments are registered.
    pub(crate) fn user_fragments(&self) -> usize {
        self.by_ufrag.len()
    }

    /// How many addresses, and IP addresses, are known.
    pub(crate) fn addresses(&self) -> usize {
        self.by_address.len() + self.by_ip.len()
    }

    pub(crate) fn by_address(&self, source: SocketAddr) -> Option<Key> {
        self.by_address.get(&source).map(|holder| holder.key)
    }

    /// Connections that have been verified at an IP address, a bounded number of them.
    pub(crate) fn by_ip(&self, ip: IpAddr) -> &[Key] {
        self.by_ip.get(&ip).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn by_ufrag(&self, ufrag: &str) -> Option<Key> {
        self.by_ufrag.get(ufrag).copied()
    }

    /// Sets the user fragment of a connection; the one before is forgotten. True if it is another.
    pub(crate) fn register_ufrag(&mut self, key: Key, registered: &mut Registered, ufrag: String) -> bool {
        if registered.ufrag == ufrag {
            return false;
        }
        self.forget_ufrag(key, registered);
        self.by_ufrag.insert(ufrag.clone(), key);
        self.directory.insert(ufrag.clone(), self.worker);
        registered.ufrag = ufrag;
        registered.learned = 0;
        true
    }

    /// A check from an address was answered: the address is the peer's, unless another has it and
    /// keeps checking from there. True if it is the peer's.
    pub(crate) fn learn(
        &mut self,
        key: Key,
        registered: &mut Registered,
        source: SocketAddr,
        now: Instant,
    ) -> bool {
        let held = self.by_address.get(&source).filter(|holder| holder.key != key);
        if held.is_some_and(|holder| now.saturating_duration_since(holder.checked) < TAKEOVER_REST) {
            return false;
        }
        self.by_address.insert(source, Holder { key, checked: now });
        match registered.addresses.iter().position(|address| *address == source) {
            Some(place) => drop(registered.addresses.remove(place)),
            None => {
                registered.learned += 1;
                self.remember_ip(key, source.ip());
            }
        }
        if registered.addresses.len() == ADDRESSES_PER_CONNECTION {
            let oldest = registered.addresses.remove(0);
            self.forget_address(key, oldest);
            if registered.addresses.iter().all(|other| other.ip() != oldest.ip()) {
                self.forget_ip(key, oldest.ip());
            }
        }
        registered.addresses.push(source);
        true
    }

    /// Takes a connection out of both tables.
    pub(crate) fn remove(&mut self, key: Key, registered: &mut Registered) {
        self.forget_ufrag(key, registered);
        for address in std::mem::take(&mut registered.addresses) {
            self.forget_address(key, address);
            self.forget_ip(key, address.ip());
        }
    }

    /// (addresses, user fragments) in the tables.
    #[cfg(test)]
    pub(crate) fn len(&self) -> (usize, usize) {
        (self.by_address.len() + self.by_ip.len(), self.by_ufrag.len())
    }

    fn forget_ufrag(&mut self, key: Key, registered: &mut Registered) {
        let ufrag = std::mem::take(&mut registered.ufrag);
        if self.by_ufrag.get(&ufrag) == Some(&key) {
            self.by_ufrag.remove(&ufrag);
            self.directory.remove(&ufrag);
        }
    }

    fn remember_ip(&mut self, key: Key, ip: IpAddr) {
        let keys = self.by_ip.entry(ip).or_default();
        if !keys.contains(&key) {
            if keys.len() == CONNECTIONS_PER_IP {
                keys.remove(0);
            }
            keys.push(key);
        }
    }

    fn forget_ip(&mut self, key: Key, ip: IpAddr) {
        if let Some(keys) = self.by_ip.get_mut(&ip) {
            keys.retain(|other| *other != key);
            if keys.is_empty() {
                self.by_ip.remove(&ip);
            }
        }
    }

    /// Another connection may have proved the address since; then it stays.
    fn forget_address(&mut self, key: Key, address: SocketAddr) {
        if self.by_address(address) == Some(key) {
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
        assert_eq!(classify(&binding(&[(0x0006, b":client")])), Class::Garbage);
        assert_eq!(classify(&binding(&[])), Class::Garbage);
    }

    #[test]
    fn reads_what_a_check_asks() {
        let asks = check(&binding(&[(0x0006, b"a:b"), (0x0024, &[110, 0, 0, 1]), (0x0025, b"")]));
        assert_eq!(asks, Some(Check { transaction: [7; 12], priority: (110 << 24) + 1, nominates: true }));
        let asks = check(&binding(&[(0x0024, &[110, 0, 0, 1]), (0x0006, b"a:b")])).expect("a check");
        assert!(!asks.nominates && binding_success(&binding(&[])).is_none());
    }

    #[test]
    fn sorts_by_first_byte() {
        assert_eq!(classify(&[22, 254, 253]), Class::Session);
        assert_eq!(classify(&[128; MEDIA_BYTES_MAX]), Class::Session);
        assert_eq!(classify(&[128; MEDIA_BYTES_MAX + 1]), Class::Garbage);
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
        let (mut demux, now) = (Demux::new(Arc::default(), 0), Instant::now());
        assert!(demux.register_ufrag(a, &mut of_a, "one".into()));
        assert!(demux.register_ufrag(a, &mut of_a, "two".into()));
        assert!(!demux.register_ufrag(a, &mut of_a, "two".into()));
        assert_eq!((demux.by_ufrag("one"), demux.by_ufrag("two")), (None, Some(a)));
        let address = |port: usize| SocketAddr::from(([127, 0, 0, 1], u16::try_from(port).expect("port")));
        for port in 1..=ADDRESSES_PER_CONNECTION + 3 {
            assert!(demux.learn(a, &mut of_a, address(port), now));
        }
        assert_eq!(demux.len(), (ADDRESSES_PER_CONNECTION + 1, 1), "the addresses, and their IP address");
        assert_eq!(demux.by_ip(address(1).ip()), [a]);
        assert!(demux.learn(b, &mut of_b, address(5), now + TAKEOVER_REST));
        demux.remove(a, &mut of_a);
        assert_eq!(demux.by_address(address(5)), Some(b), "the newer owner keeps the address");
        demux.remove(b, &mut of_b);
        assert_eq!(demux.len(), (0, 0));
    }

    #[test]
    fn an_address_stays_with_a_peer_that_keeps_checking_from_there() {
        let mut arena = Arena::default();
        let (a, b) = (arena.insert(()), arena.insert(()));
        let (mut of_a, mut of_b) = (Registered::default(), Registered::default());
        let (mut demux, begun) = (Demux::new(Arc::default(), 0), Instant::now());
        let address = SocketAddr::from(([127, 0, 0, 1], 1));
        for second in (0..60).step_by(6) {
            let now = begun + Duration::from_secs(second);
            assert!(demux.learn(a, &mut of_a, address, now));
            assert!(!demux.learn(b, &mut of_b, address, now + Duration::from_secs(5)));
            assert_eq!(demux.by_address(address), Some(a));
        }
        assert_eq!((of_a.learned, of_b.learned), (1, 0));
        // It has gone elsewhere, and the address is somebody else's now.
        let later = begun + Duration::from_secs(54) + TAKEOVER_REST;
        assert!(demux.learn(b, &mut of_b, address, later));
        assert_eq!(demux.by_address(address), Some(b));
        assert!(!demux.learn(a, &mut of_a, address, later + Duration::from_secs(1)));
    }

    #[test]
    fn the_address_that_was_checked_longest_ago_goes() {
        let mut arena = Arena::default();
        let (a, mut of_a) = (arena.insert(()), Registered::default());
        let (mut demux, now) = (Demux::new(Arc::default(), 0), Instant::now());
        let address = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
        for port in 1..=40 {
            demux.learn(a, &mut of_a, address(port), now);
            demux.learn(a, &mut of_a, address(1), now);
        }
        assert_eq!(demux.by_address(address(1)), Some(a), "in use all the time");
        assert_eq!(demux.by_address(address(2)), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_sorted_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = classify(&bytes);
            let _ = (check(&bytes), binding_success(&bytes));
            let mut stun = binding(&[]);
            stun.extend(&bytes);
            let _ = classify(&stun);
            let length = stun.len() - STUN_HEADER_BYTES;
            stun[2..4].copy_from_slice(&u16::try_from(length).expect("short").to_be_bytes());
            let _ = classify(&stun);
        }
    }
}
