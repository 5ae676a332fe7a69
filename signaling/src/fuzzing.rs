//! What the fuzz targets call of this crate's parsers and of the room. No part
//! of its interface.

use std::{
    collections::HashMap,
    sync::{Arc, atomic::AtomicU64},
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::URL_SAFE};
use livekit_protocol as proto;
use parley_media_rtc::PeerMode;
use prost::Message;

use crate::{
    config::{RoomOptions, SignalingConfig},
    ids::{Ids, RoomName, SessionId},
    params,
    room::{JoinRequest, Now, Output, Room, RoomSettings},
    token::{Claims, Grants},
};

const MAX_BYTES: usize = 64 * 1024;
/// Outputs of one request: a few for each participant and track.
const MAX_OUTPUTS: usize = 2_000;
const CLIENTS: u8 = 2;

/// A query of `/rtc` and `/rtc/v1`: as text of the query, and as the message inside.
pub fn join_params(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
        let query: HashMap<_, _> = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let _ = params::v0(&query, MAX_BYTES);
        let _ = params::v1(&query, MAX_BYTES);
    }
    let inside = HashMap::from([("join_request".to_owned(), URL_SAFE.encode(data))]);
    let _ = params::v1(&inside, MAX_BYTES);
    let wrapped = proto::WrappedJoinRequest { join_request: data.to_vec(), ..Default::default() };
    let wrapped = URL_SAFE.encode(wrapped.encode_to_vec());
    let _ = params::v1(&HashMap::from([("join_request".to_owned(), wrapped)]), MAX_BYTES);
}

fn join(identity: &str) -> JoinRequest {
    JoinRequest {
        claims: Claims {
            sub: identity.into(),
            video: Some(Grants { can_update_own_metadata: Some(true), ..Grants::join("r") }),
            ..Claims::default()
        },
        client: proto::ClientInfo { protocol: 16, ..Default::default() },
        mode: PeerMode::Single,
        auto_subscribe: true,
        metadata: String::new(),
        attributes: HashMap::new(),
        add_tracks: Vec::new(),
        offer: None,
        resume: None,
        sync_state: None,
        ice_servers: Vec::new(),
    }
}

/// Requests of two clients: a byte that says who, one with the length, and the message.
#[allow(clippy::disallowed_methods, reason = "any instant will do; only differences matter")]
pub fn requests(mut data: &[u8]) {
    let settings = RoomSettings::new(&SignalingConfig::new("key", "secret"), RoomOptions::default());
    let mut now = Now { mono: Instant::now(), wall_ms: 1_000_000 };
    let ids = Ids::new(7, Arc::new(AtomicU64::new(1)));
    let mut room = Room::new(RoomName::from("r"), settings, ids, now);
    for client in 0..CLIENTS {
        let _ = room.join(SessionId(u64::from(client)), join(&format!("client {client}")), now);
    }
    drain(&mut room);
    while let [who, length, rest @ ..] = data {
        let (message, after) = rest.split_at(usize::from(*length).min(rest.len()));
        data = after;
        let session = SessionId(u64::from(who % CLIENTS));
        if let Ok(proto::SignalRequest { message: Some(request) }) = proto::SignalRequest::decode(message) {
            room.request(session, request, now);
            drain(&mut room);
        }
        let passed = Duration::from_millis(u64::from(who >> 1) * 20);
        now = Now { mono: now.mono + passed, wall_ms: now.wall_ms + passed.as_millis() as i64 };
        room.handle_timeout(now);
        drain(&mut room);
    }
}

/// Everything that goes out can be written.
fn drain(room: &mut Room) {
    for count in 0.. {
        let Some(output) = room.poll_output() else { return };
        assert!(count < MAX_OUTPUTS, "a request is answered without end");
        if let Output::Send { message, .. } = output {
            let response = proto::SignalResponse { message: Some(*message) };
            assert!(!response.encode_to_vec().is_empty());
        }
    }
}
