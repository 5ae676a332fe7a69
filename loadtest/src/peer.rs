//! One synthetic participant over the public client protocol (v1, single peer connection).

use std::{
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use futures_util::{SinkExt, StreamExt};
use livekit_protocol as proto;
use prost::Message as _;
use str0m::{
    Candidate, Event, Input, Output, Rtc,
    change::{SdpAnswer, SdpPendingOffer},
    media::{Direction, MediaKind},
    net::{Protocol, Receive},
};
use tokio::{
    net::{TcpStream, UdpSocket},
    time::timeout,
};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, tungstenite::Message};
use url::Url;

const DATAGRAM_BYTES: usize = 2_000;
/// Sections in the first offer, as the SDKs send them: three of each kind, and data.
const SECTIONS_PER_KIND: usize = 3;
const CLIENT_PROTOCOL: i32 = 16;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Why a join failed, by the step that did.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    #[error("the server's address is not usable: {0}")]
    Address(String),
    #[error("the signal connection was refused: {0}")]
    Signal(#[from] Box<tokio_tungstenite::tungstenite::Error>),
    #[error("the server ended the join: {0}")]
    Refused(String),
    #[error("the server's answer is not usable: {0}")]
    Answer(String),
    #[error("the media connection failed: {0}")]
    Media(#[from] Box<str0m::error::RtcError>),
    #[error("a socket failed: {0}")]
    Io(#[from] std::io::Error),
    #[error("not connected in time")]
    Late,
}

impl From<tokio_tungstenite::tungstenite::Error> for JoinError {
    fn from(error: tokio_tungstenite::tungstenite::Error) -> Self {
        Self::Signal(Box::new(error))
    }
}

impl From<str0m::error::RtcError> for JoinError {
    fn from(error: str0m::error::RtcError) -> Self {
        Self::Media(Box::new(error))
    }
}

/// A connected participant.
pub struct Peer {
    signal: Socket,
    udp: UdpSocket,
    local: SocketAddr,
    rtc: Box<Rtc>,
    /// From the first byte to ICE and DTLS up.
    pub join_time: Duration,
}

impl Peer {
    /// Joins with `token` and waits until media is connected, for at most `limit`.
    pub async fn join(server: &Url, token: &str, limit: Duration) -> Result<Self, JoinError> {
        timeout(limit, Box::pin(Self::connect(server, token))).await.unwrap_or(Err(JoinError::Late))
    }

    async fn connect(server: &Url, token: &str) -> Result<Self, JoinError> {
        let started = Instant::now();
        let udp = UdpSocket::bind((local_ip(server), 0)).await?;
        let local = udp.local_addr()?;
        let mut rtc = Box::new(Rtc::builder().build(started));
        let candidate =
            Candidate::host(local, "udp").map_err(|error| JoinError::Address(error.to_string()))?;
        rtc.add_local_candidate(candidate);
        let (offer, pending) = offer(&mut rtc)?;
        let (signal, _) = tokio_tungstenite::connect_async(join_url(server, token, offer)?.as_str()).await?;
        let mut peer = Self { signal, udp, local, rtc, join_time: Duration::ZERO };
        let answer = peer.await_answer().await?;
        peer.rtc.sdp_api().accept_answer(pending, answer)?;
        peer.drive_until_connected().await?;
        peer.join_time = started.elapsed();
        Ok(peer)
    }

    async fn await_answer(&mut self) -> Result<SdpAnswer, JoinError> {
        use proto::signal_response::Message as Response;
        while let Some(message) = self.signal.next().await {
            let Message::Binary(bytes) = message? else { continue };
            let response = proto::SignalResponse::decode(bytes.as_ref());
            match response.map_err(|error| JoinError::Answer(error.to_string()))?.message {
                Some(Response::Answer(answer)) => {
                    return SdpAnswer::from_sdp_string(&answer.sdp)
                        .map_err(|error| JoinError::Answer(error.to_string()));
                }
                Some(Response::Leave(leave)) => {
                    return Err(JoinError::Refused(format!("reason {}", leave.reason)));
                }
                _ => {}
            }
        }
        Err(JoinError::Refused("the signal connection was closed".to_owned()))
    }

    async fn drive_until_connected(&mut self) -> Result<(), JoinError> {
        let mut buffer = [0; DATAGRAM_BYTES];
        loop {
            let deadline = match self.rtc.poll_output()? {
                Output::Transmit(datagram) => {
                    self.udp.send_to(&datagram.contents, datagram.destination).await?;
                    continue;
                }
                Output::Event(Event::Connected) => return Ok(()),
                Output::Event(_) => continue,
                Output::Timeout(deadline) => deadline,
            };
            let received =
                timeout(deadline.saturating_duration_since(Instant::now()), self.udp.recv_from(&mut buffer));
            let now = Instant::now();
            match received.await {
                Ok(read) => {
                    let (length, source) = read?;
                    // What is not a packet of WebRTC is not for us.
                    if let Ok(packet) = Receive::new(Protocol::Udp, source, self.local, &buffer[..length]) {
                        self.rtc.handle_input(Input::Receive(Instant::now(), packet))?;
                    }
                }
                Err(_) => self.rtc.handle_input(Input::Timeout(now.max(deadline)))?,
            }
        }
    }

    /// Leaves as an SDK does: a leave message, then the socket.
    pub async fn leave(mut self) -> Result<(), JoinError> {
        let leave = proto::SignalRequest {
            message: Some(proto::signal_request::Message::Leave(proto::LeaveRequest {
                reason: proto::DisconnectReason::ClientInitiated as i32,
                ..Default::default()
            })),
        };
        self.signal.send(Message::Binary(leave.encode_to_vec().into())).await?;
        self.signal.close(None).await?;
        Ok(())
    }
}

fn offer(rtc: &mut Rtc) -> Result<(String, SdpPendingOffer), JoinError> {
    let mut changes = rtc.sdp_api();
    for kind in [MediaKind::Audio, MediaKind::Video] {
        for _ in 0..SECTIONS_PER_KIND {
            changes.add_media(kind, Direction::RecvOnly, None, None, None);
        }
    }
    changes.add_channel("_reliable".to_owned());
    let (offer, pending) =
        changes.apply().ok_or_else(|| JoinError::Answer("no offer was made".to_owned()))?;
    Ok((offer.to_sdp_string(), pending))
}

fn join_url(server: &Url, token: &str, sdp: String) -> Result<Url, JoinError> {
    let request = proto::JoinRequest {
        client_info: Some(proto::ClientInfo { protocol: CLIENT_PROTOCOL, ..Default::default() }),
        connection_settings: Some(proto::ConnectionSettings { auto_subscribe: true, ..Default::default() }),
        publisher_offer: Some(proto::SessionDescription {
            r#type: "offer".to_owned(),
            sdp,
            ..Default::default()
        }),
        ..Default::default()
    };
    let wrapped = proto::WrappedJoinRequest { compression: 0, join_request: request.encode_to_vec() };
    let mut url = server.join("/rtc/v1").map_err(|error| JoinError::Address(error.to_string()))?;
    url.query_pairs_mut()
        .append_pair("access_token", token)
        .append_pair("join_request", &URL_SAFE_NO_PAD.encode(wrapped.encode_to_vec()));
    Ok(url)
}

/// The address to send from: loopback to a server on loopback, else the default route's, which the kernel names.
fn local_ip(server: &Url) -> IpAddr {
    let target = server.host_str().and_then(|host| host.trim_matches(['[', ']']).parse::<IpAddr>().ok());
    let target = target.unwrap_or(IpAddr::from([127, 0, 0, 1]));
    let any: IpAddr = if target.is_ipv4() { IpAddr::from([0; 4]) } else { IpAddr::from([0_u16; 8]) };
    std::net::UdpSocket::bind((any, 0))
        .and_then(|socket| socket.connect((target, 9)).and_then(|()| socket.local_addr()))
        .map_or(target, |address| address.ip())
}
