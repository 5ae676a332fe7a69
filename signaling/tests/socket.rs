//! The service over real sockets with a real media plane, spoken to in the protocol's own messages.
#![allow(clippy::unwrap_used)]

use std::{
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use futures_util::{SinkExt, StreamExt};
use livekit_protocol as proto;
use parley_media_rtc::{Media, MediaConfig};
use parley_signaling::{Grants, LeaveReason, Limits, RoomOptions, Signaling, SignalingConfig, TokenSpec};
use prost::Message as _;
use proto::{
    leave_request::Action, signal_request::Message as Request, signal_response::Message as Response,
};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Error, Message},
};

const PATIENCE: Duration = Duration::from_secs(10);

struct Server {
    signaling: Signaling,
    media: Media,
    address: String,
}

impl Server {
    async fn start(change: impl FnOnce(&mut SignalingConfig)) -> Self {
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let media = Media::start(MediaConfig { udp_port: 0, bind: vec![loopback], ..MediaConfig::default() })
            .unwrap();
        let mut config = SignalingConfig::new("key", "secret");
        change(&mut config);
        let signaling = Signaling::new(config, media.clone());
        let listener = tokio::net::TcpListener::bind((loopback, 0)).await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let router = signaling.router();
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { signaling, media, address }
    }

    fn token(&self, identity: &str, grants: Grants) -> String {
        let spec = TokenSpec { identity: identity.into(), grants, ..TokenSpec::default() };
        self.signaling.minter().mint(spec, Duration::from_secs(60)).unwrap()
    }

    /// The status of a refused connection.
    async fn refused(&self, path_and_query: &str) -> (u16, String) {
        match connect_async(format!("ws://{}{path_and_query}", self.address)).await {
            Err(Error::Http(response)) => {
                let text = response.body().clone().unwrap_or_default();
                (response.status().as_u16(), String::from_utf8(text).unwrap())
            }
            other => panic!("should be refused: {other:?}"),
        }
    }

    async fn connect(&self, query: &str) -> Client {
        let (socket, _) = connect_async(format!("ws://{}/rtc?{query}", self.address)).await.unwrap();
        Client { socket }
    }

    async fn join(&self, identity: &str) -> (Client, proto::JoinResponse) {
        let token = self.token(identity, Grants::join("r"));
        let mut client = self.connect(&format!("access_token={token}&protocol=16")).await;
        let Some(Response::Join(join)) = client.next().await else { panic!("join comes first") };
        (client, join)
    }

    async fn stop(self) {
        self.signaling.shutdown().await;
        self.media.shutdown(PATIENCE).await;
    }
}

struct Client {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl Client {
    async fn frame(&mut self) -> Option<Message> {
        tokio::time::timeout(PATIENCE, self.socket.next()).await.unwrap().and_then(Result::ok)
    }

    /// The next message; `None` when the socket closes.
    async fn next(&mut self) -> Option<Response> {
        match self.frame().await? {
            Message::Binary(bytes) => proto::SignalResponse::decode(bytes).unwrap().message,
            _ => None,
        }
    }

    async fn until<T>(&mut self, mut wanted: impl FnMut(Response) -> Option<T>) -> T {
        loop {
            let message = self.next().await.expect("the socket closed early");
            if let Some(found) = wanted(message) {
                return found;
            }
        }
    }

    async fn send(&mut self, message: Request) {
        let bytes = proto::SignalRequest { message: Some(message) }.encode_to_vec();
        self.socket.send(Message::Binary(bytes.into())).await.unwrap();
    }

    /// The close code, whatever comes before.
    async fn close_code(&mut self) -> u16 {
        loop {
            match self.frame().await {
                Some(Message::Close(frame)) => return frame.unwrap().code.into(),
                Some(_) => {}
                None => panic!("the socket ended without a close frame"),
            }
        }
    }

    async fn leave(&mut self) -> proto::LeaveRequest {
        self.until(|message| match message {
            Response::Leave(leave) => Some(leave),
            _ => None,
        })
        .await
    }
}

#[tokio::test]
async fn who_may_not_join_is_told_why() {
    let server = Server::start(|config| config.limits.join_request_bytes = 1_000).await;
    let good = server.token("ann", Grants::join("r"));
    let no_join = server.token("ann", Grants::default());
    for (query, status, text) in [
        (String::from("/rtc"), 401, "no access token"),
        ("/rtc?access_token=x".into(), 401, "not a JWT"),
        (format!("/rtc?access_token={no_join}&room=r"), 403, "no grant"),
        (format!("/rtc?access_token={good}&room=other"), 403, "another room"),
        (format!("/rtc/v1?access_token={good}"), 400, "join_request"),
        (format!("/rtc/v1?access_token={good}&join_request=%25"), 400, "base64"),
        (format!("/rtc/v1?access_token={good}&join_request={}", "A".repeat(2_000)), 413, "larger"),
    ] {
        let (refused, reason) = server.refused(&query).await;
        assert_eq!(refused, status, "{query}");
        assert!(reason.contains(text), "{query}: {reason}");
    }
    server.stop().await;
}

#[tokio::test]
async fn full_and_missing_rooms_are_refused_and_the_same_by_validate() {
    let server = Server::start(|config| config.auto_create_rooms = false).await;
    let query = format!("access_token={}", server.token("bob", Grants::join("r")));
    assert_eq!(server.refused(&format!("/rtc?{query}")).await.0, 404);
    let options = RoomOptions { max_participants: 1, ..RoomOptions::default() };
    server.signaling.ensure_room("r", options).await.unwrap();
    let (mut ann, _) = server.join("ann").await;
    for path in ["/rtc", "/rtc/validate"] {
        let (status, text) = server.refused(&format!("{path}?{query}")).await;
        assert_eq!((status, text.as_str()), (403, "the room is full"), "{path}");
    }
    ann.send(Request::Leave(proto::LeaveRequest::default())).await;
    assert_eq!(ann.close_code().await, 1000);
    server.connect(&query).await.next().await.unwrap();
    server.stop().await;
}

#[tokio::test]
async fn who_was_removed_cannot_open_the_room_again() {
    let server = Server::start(|_| ()).await;
    let query = format!("access_token={}", server.token("ann", Grants::join("r")));
    // The room does not exist, and is opened by another later.
    assert!(server.signaling.remove_participant("r", "ann").await.is_err());
    for path in ["/rtc", "/rtc/validate"] {
        assert_eq!(server.refused(&format!("{path}?{query}")).await.0, 403, "{path}");
    }
    server.signaling.ensure_room("r", RoomOptions::default()).await.unwrap();
    assert_eq!(server.refused(&format!("/rtc?{query}")).await.0, 403);
    server.signaling.close_room("r").await.unwrap();
    let (_bob, _) = server.join("bob").await;
    assert_eq!(server.refused(&format!("/rtc?{query}")).await.0, 403);
    // A token made after the removal lets in; issue is measured in milliseconds.
    tokio::time::sleep(Duration::from_millis(2)).await;
    server.join("ann").await;
    server.stop().await;
}

#[tokio::test]
async fn breaking_the_protocol_ends_only_ones_own_socket() {
    let limits = |config: &mut SignalingConfig| {
        config.limits =
            Limits { signal_message_bytes: 10_000, signal_message_burst: 50, ..Limits::default() };
    };
    let server = Server::start(limits).await;
    let (mut witness, _) = server.join("witness").await;
    let faults: [(Message, u16); 3] = [
        (Message::Binary(vec![0xff; 5_000].into()), 1002),
        (Message::Text("{}".into()), 1003),
        (Message::Binary(vec![0; 20_000].into()), 1009),
    ];
    for (fault, code) in faults {
        let (mut client, _) = server.join("mallory").await;
        client.socket.send(fault).await.unwrap();
        assert_eq!(client.close_code().await, code);
    }
    let (mut client, _) = server.join("mallory").await;
    let ping = proto::SignalRequest { message: Some(Request::Ping(1)) }.encode_to_vec();
    for _ in 0..200 {
        client.socket.feed(Message::Binary(ping.clone().into())).await.unwrap();
    }
    client.socket.flush().await.unwrap();
    assert_eq!(client.close_code().await, 1008);

    witness.send(Request::PingReq(proto::Ping { timestamp: 42, rtt: 0 })).await;
    let pong = witness.until(|message| match message {
        Response::PongResp(pong) => Some(pong),
        _ => None,
    });
    assert_eq!(pong.await.last_ping_timestamp, 42);
    server.stop().await;
}

#[tokio::test]
async fn a_session_is_taken_up_by_a_new_socket_and_an_unknown_session_is_sent_to_join() {
    let server = Server::start(|_| ()).await;
    let (lost, join) = server.join("ann").await;
    let sid = join.participant.unwrap().sid;
    let token = server.token("ann", Grants::join("r"));
    // The server has not noticed yet that the old socket is of no use.
    let mut again = server.connect(&format!("access_token={token}&reconnect=1&sid={sid}")).await;
    assert!(matches!(again.next().await, Some(Response::Reconnect(_))));
    drop(lost);
    let views = server.signaling.participants("r").await.unwrap();
    assert_eq!(views.iter().map(|view| view.sid.as_str()).collect::<Vec<_>>(), [sid]);

    let mut stranger = server.connect(&format!("access_token={token}&reconnect=1&sid=PA_other")).await;
    let leave = stranger.leave().await;
    assert_eq!((leave.reason(), leave.action()), (LeaveReason::StateMismatch, Action::Reconnect));
    assert_eq!(stranger.close_code().await, 1000);
    server.stop().await;
}

#[tokio::test]
async fn commands_of_the_control_plane_reach_the_clients() {
    let server = Server::start(|_| ()).await;
    let mut events = server.signaling.events().unwrap();
    assert!(server.signaling.events().is_none());
    let (mut ann, _) = server.join("ann").await;
    let (mut bob, _) = server.join("bob").await;
    assert!(server.signaling.remove_participant("r", "ann").await.unwrap());
    let leave = ann.leave().await;
    assert_eq!((leave.reason(), leave.action()), (LeaveReason::ParticipantRemoved, Action::Disconnect));
    server.signaling.close_room("r").await.unwrap();
    assert_eq!(bob.leave().await.reason(), LeaveReason::RoomDeleted);
    assert!(server.signaling.participants("r").await.is_err());
    let names: Vec<String> = [events.recv().await, events.recv().await]
        .into_iter()
        .map(|event| format!("{:?}", event.unwrap().kind))
        .collect();
    assert_eq!(names, ["Started", "Finished"], "nobody was connected");
    server.stop().await;
}

#[tokio::test]
async fn shutting_down_tells_clients_to_come_back_and_lets_nobody_in() {
    let server = Server::start(|_| ()).await;
    let (mut ann, _) = server.join("ann").await;
    let signaling = server.signaling.clone();
    let stopping = tokio::spawn(async move { signaling.shutdown().await });
    let leave = ann.leave().await;
    assert_eq!((leave.reason(), leave.action()), (LeaveReason::ServerShutdown, Action::Reconnect));
    assert_eq!(ann.close_code().await, 1000);
    stopping.await.unwrap();
    let token = server.token("bob", Grants::join("r"));
    assert_eq!(server.refused(&format!("/rtc?access_token={token}")).await.0, 503);
    server.media.shutdown(PATIENCE).await;
}
