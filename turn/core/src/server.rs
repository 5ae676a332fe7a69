//! Answers binding requests (RFC 8489, sections 6.3 and 12).

use std::{net::SocketAddr, time::Instant};

use stun_types::{
    attribute::{
        Attribute as _, AttributeStaticType, AttributeType, ErrorCode, MessageIntegrity,
        MessageIntegritySha256, Nonce, PasswordAlgorithm, Realm, UnknownAttributes, Userhash, Username,
        XorMappedAddress,
    },
    message::{Message, MessageWrite, MessageWriteExt, MessageWriteVec},
};

use crate::{Limiter, Limits};

/// Smallest and largest datagram that can be a request. What is larger than any
/// IPv6 path must carry is no binding request.
const MIN_DATAGRAM: usize = 20;
const MAX_DATAGRAM: usize = 1280;
/// Class and method of a binding request, as on the wire.
const BINDING_REQUEST: [u8; 2] = [0x00, 0x01];
const MAGIC_COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
/// Unknown attributes named in a refusal; the client fixes one after the other.
const MAX_UNKNOWN: usize = 16;
const UNKNOWN_ATTRIBUTE: u16 = 420;

/// MAPPED-ADDRESS has no place in a request, but its meaning is known.
const MAPPED_ADDRESS: AttributeType = AttributeType::new(0x0001);

/// Attributes that must be understood, and are (RFC 8489, section 18.3.1). A
/// server without credentials ignores those about them.
const UNDERSTOOD: [AttributeType; 11] = [
    MAPPED_ADDRESS,
    Username::TYPE,
    MessageIntegrity::TYPE,
    ErrorCode::TYPE,
    UnknownAttributes::TYPE,
    Realm::TYPE,
    Nonce::TYPE,
    MessageIntegritySha256::TYPE,
    PasswordAlgorithm::TYPE,
    Userhash::TYPE,
    XorMappedAddress::TYPE,
];

/// What became of the datagrams, for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Told their address.
    pub answered: u64,
    /// Refused because of an attribute that must be understood and is not.
    pub refused: u64,
    /// No binding request, or malformed: dropped without an answer.
    pub dropped: u64,
    /// Dropped because the source asked too often.
    pub limited: u64,
}

/// See the crate's documentation.
#[derive(Debug)]
pub struct Server {
    limiter: Limiter,
    counters: Counters,
}

impl Server {
    pub fn new(limits: Limits) -> Self {
        Self { limiter: Limiter::new(limits), counters: Counters::default() }
    }

    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// The datagram to send back to `from`, if any. Whatever is not a well-formed
    /// binding request gets no answer (RFC 8489, section 6.3), so that the server
    /// cannot be used against others.
    pub fn handle_datagram(&mut self, bytes: &[u8], from: SocketAddr, now: Instant) -> Option<Vec<u8>> {
        if !looks_like_request(bytes) {
            self.counters.dropped += 1;
            return None;
        }
        if !self.limiter.admit(from.ip(), now) {
            self.counters.limited += 1;
            return None;
        }
        let Ok(request) = Message::from_bytes(bytes) else {
            self.counters.dropped += 1;
            return None;
        };
        let unknown: Vec<_> = request
            .iter_attributes()
            .map(|(_, attribute)| attribute.get_type())
            .filter(|kind| kind.comprehension_required() && !UNDERSTOOD.contains(kind))
            .take(MAX_UNKNOWN)
            .collect();
        let reply = if unknown.is_empty() { success(&request, from) } else { refusal(&request, &unknown) };
        match (&reply, unknown.is_empty()) {
            (None, _) => self.counters.dropped += 1,
            (_, true) => self.counters.answered += 1,
            (_, false) => self.counters.refused += 1,
        }
        reply
    }
}

/// Cheap checks of the header, before anything is counted against a source: the
/// type, the cookie, and a length that is that of the datagram.
fn looks_like_request(bytes: &[u8]) -> bool {
    let size = bytes.len();
    if !(MIN_DATAGRAM..=MAX_DATAGRAM).contains(&size) {
        return false;
    }
    let length = usize::from(u16::from_be_bytes([bytes[2], bytes[3]]));
    bytes[..2] == BINDING_REQUEST
        && bytes[4..8] == MAGIC_COOKIE
        && length.is_multiple_of(4)
        && length == size - MIN_DATAGRAM
}

fn success(request: &Message<'_>, from: SocketAddr) -> Option<Vec<u8>> {
    // A socket for both families names IPv4 clients as mapped IPv6 addresses.
    let address = SocketAddr::new(from.ip().to_canonical(), from.port());
    let mapped = XorMappedAddress::new(address, request.transaction_id());
    let mut reply = Message::builder_success(request, MessageWriteVec::new());
    reply.add_attribute(&mapped).ok()?;
    reply.add_fingerprint().ok()?;
    Some(reply.finish())
}

fn refusal(request: &Message<'_>, unknown: &[AttributeType]) -> Option<Vec<u8>> {
    let error = ErrorCode::new(UNKNOWN_ATTRIBUTE, "Unknown Attribute").ok()?;
    let mut reply = Message::builder_error(request, MessageWriteVec::new());
    reply.add_attribute(&error).ok()?;
    reply.add_attribute(&UnknownAttributes::new(unknown)).ok()?;
    reply.add_fingerprint().ok()?;
    Some(reply.finish())
}

#[cfg(test)]
#[path = "server_tests.rs"]
mod tests;
