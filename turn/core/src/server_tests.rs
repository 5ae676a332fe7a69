#![allow(clippy::unwrap_used, clippy::disallowed_methods)]
use proptest::prelude::*;
use stun_types::message::{
    IntegrityAlgorithm, MessageClass, MessageIntegrityCredentials, ShortTermCredentials,
};

use super::*;

/// RFC 5769, section 2.1: a request with ICE's attributes.
const REQUEST: &str = "000100582112a442b7e7a701bc34d686fa87dfae\
    802200105354554e207465737420636c69656e74\
    002400046e0001ff80290008932ff9b151263b36\
    000600096576746a3a68367659202020\
    000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a280280004e57a3bcf";
/// Section 2.2: the response over IPv4.
const RESPONSE_V4: &str = "0101003c2112a442b7e7a701bc34d686fa87dfae\
    8022000b7465737420766563746f7220002000080001a147e112a643\
    000800142b91f599fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96";
/// Section 2.3: the response over IPv6.
const RESPONSE_V6: &str = "010100482112a442b7e7a701bc34d686fa87dfae\
    8022000b7465737420766563746f7220002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9\
    00080014a382954e4be67bf11784c97c8292c275bfe3ed4180280004c8fb0b4c";
/// Section 2.4: a request with long-term credentials.
const REQUEST_LONG_TERM: &str = "000100602112a44278ad3433c6ad72c029da412e\
    00060012e3839ee38388e383aae38383e382afe382b90000\
    0015001c662f2f3439396b39353464364f4c33346f4c39465354767936347341\
    0014000b6578616d706c652e6f726700\
    00080014f67024656dd64a3e02b8e0712e85c9a28ca89666";
const PASSWORD: &str = "VOkJxbRl1RmTxUk/WvJxBt";

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<_> = hex.chars().filter_map(|digit| digit.to_digit(16)).collect();
    digits.chunks(2).map(|pair| (pair[0] << 4 | pair[1]) as u8).collect()
}

fn v4() -> SocketAddr {
    "192.0.2.1:32853".parse().unwrap()
}

fn v6() -> SocketAddr {
    "[2001:db8:1234:5678:11:2233:4455:6677]:32853".parse().unwrap()
}

/// A request without attributes, with the transaction id of the vectors.
fn plain() -> Vec<u8> {
    bytes("000100002112a442b7e7a701bc34d686fa87dfae")
}

fn server() -> Server {
    Server::new(Limits { burst: 1000, ..Limits::default() })
}

fn ask(request: &[u8], from: SocketAddr) -> Option<Vec<u8>> {
    server().handle_datagram(request, from, Instant::now())
}

/// The raw XOR-MAPPED-ADDRESS of a message.
fn mapped(message: &[u8]) -> Vec<u8> {
    let message = Message::from_bytes(message).unwrap();
    message.raw_attribute(XorMappedAddress::TYPE).unwrap().value.to_vec()
}

#[test]
fn the_mapped_address_is_that_of_the_vectors() {
    for (vector, from) in [(RESPONSE_V4, v4()), (RESPONSE_V6, v6())] {
        let reply = ask(&plain(), from).unwrap();
        assert_eq!(mapped(&reply), mapped(&bytes(vector)));
        let message = Message::from_bytes(&reply).unwrap();
        assert!(message.has_class(MessageClass::Success));
        assert_eq!(message.transaction_id(), Message::from_bytes(&plain()).unwrap().transaction_id());
    }
}

#[test]
fn the_codec_agrees_with_the_vectors() {
    let credentials = MessageIntegrityCredentials::ShortTerm(ShortTermCredentials::new(PASSWORD.into()));
    for vector in [REQUEST, RESPONSE_V4, RESPONSE_V6] {
        let data = bytes(vector);
        let message = Message::from_bytes(&data).unwrap();
        assert_eq!(message.validate_integrity(&credentials).unwrap(), IntegrityAlgorithm::Sha1);
    }
}

#[test]
fn a_reply_ends_with_a_fingerprint() {
    let mut reply = ask(&plain(), v4()).unwrap();
    assert_eq!(reply.len(), 20 + 12 + 8);
    assert_eq!(reply[32..36], [0x80, 0x28, 0x00, 0x04]);
    assert!(Message::from_bytes(&reply).is_ok());
    reply[30] ^= 1;
    assert!(Message::from_bytes(&reply).is_err(), "the checksum covers the address");
}

#[test]
fn a_mapped_ipv6_address_is_told_as_ipv4() {
    let from = "[::ffff:192.0.2.1]:32853".parse().unwrap();
    assert_eq!(ask(&plain(), from), ask(&plain(), v4()));
}

#[test]
fn credentials_are_not_needed_and_not_minded() {
    let reply = ask(&bytes(REQUEST_LONG_TERM), v4()).unwrap();
    assert!(Message::from_bytes(&reply).unwrap().has_class(MessageClass::Success));
}

#[test]
fn attributes_that_must_be_understood_and_are_not_are_named() {
    let reply = ask(&bytes(REQUEST), v4()).unwrap();
    let message = Message::from_bytes(&reply).unwrap();
    assert!(message.has_class(MessageClass::Error));
    assert_eq!(message.attribute::<ErrorCode>().unwrap().code(), 420);
    let unknown = message.attribute::<UnknownAttributes>().unwrap();
    let priority = AttributeType::new(0x0024);
    assert!(unknown.has_attribute(priority), "PRIORITY belongs to ICE");
    assert!(!unknown.has_attribute(Username::TYPE));
}

#[test]
fn a_refusal_is_not_longer_than_what_was_asked() {
    let mut request = plain();
    for kind in 0x4000u16..0x4100 {
        request.extend(kind.to_be_bytes());
        request.extend([0, 0]);
    }
    let length = (request.len() - 20) as u16;
    request[2..4].copy_from_slice(&length.to_be_bytes());
    let reply = ask(&request, v4()).unwrap();
    assert!(reply.len() < 128);
}

#[test]
fn what_is_no_binding_request_gets_no_answer() {
    let changed = |at: usize, value: u8| {
        let mut request = plain();
        request[at] = value;
        request
    };
    let mut fingerprint = bytes(REQUEST);
    *fingerprint.last_mut().unwrap() ^= 1;
    let mut long = plain();
    long.resize(2000, 0);
    let cases: [(&str, Vec<u8>); 10] = [
        ("empty", Vec::new()),
        ("cut off", plain()[..19].to_vec()),
        ("indication", changed(1, 0x11)),
        ("response", bytes(RESPONSE_V4)),
        ("allocate", changed(1, 0x03)),
        ("no cookie (RFC 3489)", changed(4, 0)),
        ("length beyond the end", changed(3, 4)),
        ("RTP", changed(0, 0x80)),
        ("wrong fingerprint", fingerprint),
        ("too long", long),
    ];
    for (name, datagram) in cases {
        let mut server = server();
        assert_eq!(server.handle_datagram(&datagram, v4(), Instant::now()), None, "{name}");
        assert_eq!(server.counters(), Counters { dropped: 1, ..Counters::default() }, "{name}");
    }
}

#[test]
fn who_asks_too_often_is_not_answered() {
    let mut server = Server::new(Limits { burst: 5, per_second: 1, max_sources: 10 });
    let now = Instant::now();
    let answered = (0..100).filter(|_| server.handle_datagram(&plain(), v4(), now).is_some()).count();
    assert_eq!(answered, 5);
    assert_eq!(server.counters(), Counters { answered: 5, limited: 95, ..Counters::default() });
}

proptest! {
    /// Random bytes behind a valid header, so that the parser is reached.
    #[test]
    fn never_panics(body in proptest::collection::vec(any::<u8>(), 0..200), wild in any::<bool>()) {
        let mut request = plain();
        request.extend(&body);
        request.truncate(20 + body.len() / 4 * 4);
        let length = (request.len() - 20) as u16;
        request[2..4].copy_from_slice(&length.to_be_bytes());
        ask(if wild { &body } else { &request }, v4());
    }

    /// The vectors with bytes changed here and there.
    #[test]
    fn changed_requests_do_no_harm(changes in proptest::collection::vec((20usize..100, any::<u8>()), 1..6)) {
        let mut request = bytes(REQUEST);
        for (at, value) in changes {
            request[at] = value;
        }
        if let Some(reply) = ask(&request, v4()) {
            prop_assert!(Message::from_bytes(&reply).is_ok());
        }
    }
}
