#![allow(clippy::unwrap_used)]
use std::net::{IpAddr, Ipv4Addr};

use livekit_protocol as proto;
use parley_media_rtc::{Media, MediaConfig};
use prost::Message as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::*;
use crate::{Limits, SignalingConfig, TokenSpec};

struct Server {
    signaling: Signaling,
    media: Media,
}

impl Server {
    fn start(limits: Limits) -> Self {
        let loopback = vec![IpAddr::V4(Ipv4Addr::LOCALHOST)];
        let media = Media::start(MediaConfig { udp_port: 0, bind: loopback, ..MediaConfig::default() });
        let media = media.unwrap();
        let config = SignalingConfig { limits, ..SignalingConfig::new("key", "secret") };
        Self { signaling: Signaling::new(config, media.clone()), media }
    }

    fn token(&self, grants: Grants) -> String {
        let spec = TokenSpec { grants, ..TokenSpec::default() };
        self.signaling.minter().mint(spec, Duration::from_secs(60)).unwrap()
    }

    async fn post(&self, method: &str, token: &str, kind: &str, body: Vec<u8>) -> (u16, String, Bytes) {
        let request = Request::post(format!("/twirp/livekit.RoomService/{method}"))
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", kind)
            .body(Body::from(body))
            .unwrap();
        let response = self.signaling.router().oneshot(request).await.unwrap();
        let (status, kind) =
            (response.status().as_u16(), response.headers()["content-type"].to_str().unwrap().to_owned());
        (status, kind, axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap())
    }

    /// Status, and the answer or the error.
    async fn json(&self, method: &str, grants: Grants, body: Value) -> (u16, Value) {
        let token = self.token(grants);
        let (status, kind, body) =
            self.post(method, &token, "application/json", body.to_string().into_bytes()).await;
        assert_eq!(kind, "application/json", "an SDK compares the whole value");
        (status, serde_json::from_slice(&body).unwrap())
    }

    async fn stop(self) {
        self.signaling.shutdown().await;
        self.media.shutdown(Duration::from_secs(5)).await;
    }
}

fn create() -> Grants {
    Grants { room_create: true, room_list: true, ..Grants::default() }
}

fn admin(room: &str) -> Grants {
    Grants { room_admin: true, room: room.into(), ..Grants::default() }
}

#[tokio::test]
async fn both_formats_are_understood_with_either_names_and_nulls() {
    let server = Server::start(Limits::default());
    let body =
        json!({ "name": "r", "empty_timeout": 60, "maxParticipants": 3, "metadata": null, "later": 1 });
    let (status, room) = server.json("CreateRoom", create(), body).await;
    assert_eq!((status, &room["empty_timeout"], &room["max_participants"]), (200, &json!(60), &json!(3)));
    assert!(room["creation_time"].is_string(), "64 bits do not fit a JSON number");

    let request = proto::CreateRoomRequest { name: "r".into(), departure_timeout: 7, ..Default::default() };
    let token = server.token(create());
    let (status, kind, body) =
        server.post("CreateRoom", &token, "application/protobuf", request.encode_to_vec()).await;
    let same = proto::Room::decode(body).unwrap();
    assert_eq!((status, kind.as_str()), (200, "application/protobuf"));
    assert_eq!(
        (room["sid"].as_str().unwrap(), 60, 7),
        (same.sid.as_str(), same.empty_timeout, same.departure_timeout)
    );
    server.stop().await;
}

#[tokio::test]
async fn errors_have_twirps_codes() {
    let server = Server::start(Limits { rooms: 1, identifier_bytes: 8, ..Limits::default() });
    let code = |(status, body): (u16, Value)| (status, body["code"].as_str().unwrap_or_default().to_owned());
    let is = |status: u16, code: &str| (status, code.to_owned());
    let named = |name: &str| json!({ "name": name });
    assert_eq!(code(server.json("CreateRoom", create(), named("r")).await), is(200, ""));
    assert_eq!(
        code(server.json("CreateRoom", create(), named("another")).await),
        is(429, "resource_exhausted")
    );
    for name in ["", "too long a name"] {
        assert_eq!(code(server.json("CreateRoom", create(), named(name)).await), is(400, "invalid_argument"));
    }
    let egress = json!({ "name": "r", "egress": {} });
    assert_eq!(code(server.json("CreateRoom", create(), egress).await), is(501, "unimplemented"));
    assert_eq!(
        code(server.json("CreateRoom", Grants::join("r"), named("r")).await),
        is(403, "permission_denied")
    );
    assert_eq!(code(server.json("Dance", create(), json!({})).await), is(404, "bad_route"));
    let nonce = json!({ "room": "r", "data": "eA==", "nonce": "eA==" });
    assert_eq!(code(server.json("SendData", admin("r"), nonce).await), is(400, "invalid_argument"));
    let wrong = json!({ "room": 5 });
    assert_eq!(code(server.json("DeleteRoom", create(), wrong).await), is(400, "malformed"));
    let same = json!({ "room": "r", "identity": "ann", "destinationRoom": "r" });
    let mover = Grants { destination_room: "r".into(), ..admin("r") };
    assert_eq!(code(server.json("MoveParticipant", mover, same).await), is(400, "invalid_argument"));

    let (status, _, body) = server.post("ListRooms", "garbage", "application/json", b"{}".to_vec()).await;
    assert_eq!((status, body.starts_with(br#"{"code":"unauthenticated""#)), (401, true));
    let token = server.token(create());
    let huge = vec![b' '; 2 * 1024 * 1024];
    assert_eq!(server.post("ListRooms", &token, "application/json", huge).await.0, 400);
    assert_eq!(server.post("ListRooms", &token, "application/protobuf", vec![0xff; 9]).await.0, 400);
    let get = Request::get("/twirp/livekit.RoomService/ListRooms").body(Body::empty()).unwrap();
    assert_eq!(server.signaling.router().oneshot(get).await.unwrap().status(), 404);
    server.stop().await;
}

#[tokio::test]
async fn a_server_that_stops_is_unavailable() {
    let server = Server::start(Limits::default());
    server.signaling.shutdown().await;
    let (status, body) = server.json("CreateRoom", create(), json!({ "name": "r" })).await;
    assert_eq!((status, body["code"].as_str()), (503, Some("unavailable")));
    server.stop().await;
}

#[tokio::test]
async fn a_room_can_be_made_again_at_once_after_it_was_deleted() {
    let server = Server::start(Limits::default());
    let mut sids = std::collections::BTreeSet::new();
    for _ in 0..20 {
        let (_, room) = server.json("CreateRoom", create(), json!({ "name": "r" })).await;
        assert!(sids.insert(room["sid"].as_str().unwrap().to_owned()));
        assert_eq!(server.json("DeleteRoom", create(), json!({ "room": "r" })).await.0, 200);
        let (_, listed) = server.json("ListRooms", create(), json!({ "names": ["r"] })).await;
        assert_eq!(listed, json!({}));
    }
    server.stop().await;
}
