//! What is fuzzed: each target is a plain function over bytes, called by the
//! short run in `tests/short.rs` (any toolchain) and by the binaries of
//! `cargo fuzz` (`docs/testing.md`). A target fails by a panic.

mod room;

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    str,
    time::Instant,
};

use parley_signaling::{ApiSecret, TokenVerifier};
use parley_turn_core::{Limits, Server};

pub use room::room;

/// With which the tokens of the corpus are signed.
const SECRET: &str = "a secret of more than thirty-two characters";

/// A target by name.
pub type Target = (&'static str, fn(&[u8]));

pub const TARGETS: [Target; 11] = [
    ("room", room),
    ("payload", payload),
    ("dependencies", dependencies),
    ("redundancy", redundancy),
    ("feedback", feedback),
    ("datagram", datagram),
    ("description", description),
    ("join_params", join_params),
    ("token", token),
    ("requests", requests),
    ("stun", stun),
];

/// A datagram or a stream as it reaches a media worker, before any session: class, ICE user
/// fragment, checks, frames of RFC 4571.
pub fn datagram(data: &[u8]) {
    parley_media_rtc::fuzzing::datagram(data);
}

/// A payload of each video codec.
pub fn payload(data: &[u8]) {
    parley_media_core::fuzzing::payload(data);
}

/// Dependency descriptors (AV1) of one stream.
pub fn dependencies(data: &[u8]) {
    parley_media_core::fuzzing::dependencies(data);
}

/// Redundant sound (RFC 2198).
pub fn redundancy(data: &[u8]) {
    parley_media_core::fuzzing::redundancy(data);
}

/// Feedback of a receiver into the estimate of what can be sent to it.
#[allow(clippy::disallowed_methods, reason = "any instant will do")]
pub fn feedback(data: &[u8]) {
    parley_media_rtc::fuzzing::feedback(data, Instant::now());
}

/// A session description: read, stripped of candidates, rewritten, and negotiated.
pub fn description(data: &[u8]) {
    if let Ok(sdp) = str::from_utf8(data) {
        parley_media_rtc::fuzzing::description(sdp);
    }
}

/// The query of a join, in both versions of the protocol; and the message inside.
pub fn join_params(data: &[u8]) {
    parley_signaling::fuzzing::join_params(data);
}

/// An access token.
pub fn token(data: &[u8]) {
    let Ok(token) = str::from_utf8(data) else { return };
    let verifier = TokenVerifier::new([("key".to_owned(), ApiSecret::new(SECRET))].into());
    let Ok(claims) = verifier.verify(token) else { return };
    assert!(token.split('.').count() == 3, "{claims:?}");
}

/// Requests of two clients to a room, each behind a byte with its length and who sends it.
pub fn requests(data: &[u8]) {
    parley_signaling::fuzzing::requests(data);
}

/// A datagram to the STUN server.
#[allow(clippy::disallowed_methods, reason = "any instant will do")]
pub fn stun(data: &[u8]) {
    let from = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 4000);
    let mut server = Server::new(Limits::default());
    let Some(reply) = server.handle_datagram(data, from, Instant::now()) else { return };
    assert!(reply.len() <= data.len() + 44, "a reply must not be of use for amplification");
}
