//! One WebSocket: frames in, frames out. The room does the thinking.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use livekit_protocol as proto;
use prost::Message as _;
use proto::{signal_request::Message as Request, signal_response::Message as Response};
use tokio::sync::mpsc;

use crate::{actor::RoomMessage, config::Limits, ids::SessionId, rate::Bucket};

/// A client that takes longer to take one message is gone.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// A client that sends nothing for this long is gone; SDKs ping every few seconds.
const READ_TIMEOUT: Duration = Duration::from_secs(60);
/// How long the client has to answer our close frame.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// An encoded `SignalResponse`.
#[derive(Clone, Debug)]
pub(crate) struct Outgoing(pub(crate) Bytes);

/// Tells the room when the session ends, however it ends.
pub(crate) struct SessionGuard {
    pub(crate) session: SessionId,
    pub(crate) room: mpsc::Sender<RoomMessage>,
}

impl Drop for SessionGuard {
    fn drop(&mut self) {
        let message = RoomMessage::Lost { session: self.session };
        if let Err(mpsc::error::TrySendError::Full(message)) = self.room.try_send(message) {
            let room = self.room.clone();
            if let Ok(runtime) = tokio::runtime::Handle::try_current() {
                runtime.spawn(async move { drop(room.send(message).await) });
            }
        }
    }
}

/// Why a session ends.
enum End {
    /// The room has dropped the queue: everything is said.
    Room,
    /// The client has closed or is gone.
    Client,
    /// The client broke the protocol.
    Fault(u16, &'static str),
}

pub(crate) struct Session {
    pub(crate) guard: SessionGuard,
    pub(crate) outgoing: mpsc::Receiver<Outgoing>,
    pub(crate) limits: Limits,
}

impl Session {
    /// Runs the socket until either side ends it.
    pub(crate) async fn run(mut self, socket: WebSocket) {
        let (mut sink, mut stream) = socket.split();
        let limits = &self.limits;
        let mut bucket =
            Bucket::new(limits.signal_messages_per_second, limits.signal_message_burst, Instant::now());
        let mut heard = Instant::now();
        let end = loop {
            tokio::select! {
                biased;
                outgoing = self.outgoing.recv() => {
                    let Some(Outgoing(bytes)) = outgoing else { break End::Room };
                    let write = sink.send(Message::Binary(bytes));
                    if !matches!(tokio::time::timeout(WRITE_TIMEOUT, write).await, Ok(Ok(()))) {
                        break End::Client;
                    }
                }
                incoming = stream.next() => {
                    heard = Instant::now();
                    let reply = match incoming {
                        Some(Ok(Message::Binary(frame))) if bucket.take(heard) => self.frame(&frame).await,
                        Some(Ok(Message::Binary(_))) => Err(End::Fault(close_code::POLICY, "too many messages")),
                        Some(Ok(Message::Text(_))) => {
                            Err(End::Fault(close_code::UNSUPPORTED, "only binary messages are understood"))
                        }
                        Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(None),
                        Some(Ok(Message::Close(_))) | None => Err(End::Client),
                        Some(Err(error)) => Err(read_error(&error)),
                    };
                    match reply {
                        Ok(None) => {}
                        Ok(Some(reply)) => {
                            let write = sink.send(Message::Binary(reply));
                            if !matches!(tokio::time::timeout(WRITE_TIMEOUT, write).await, Ok(Ok(()))) {
                                break End::Client;
                            }
                        }
                        Err(end) => break end,
                    }
                }
                () = tokio::time::sleep_until((heard + READ_TIMEOUT).into()) => break End::Client,
            }
        };
        // What the room has said before it ended the session still goes out.
        while let (End::Room, Ok(Outgoing(bytes))) = (&end, self.outgoing.try_recv()) {
            let write = sink.send(Message::Binary(bytes));
            if !matches!(tokio::time::timeout(WRITE_TIMEOUT, write).await, Ok(Ok(()))) {
                break;
            }
        }
        let frame = match end {
            End::Room => Some((close_code::NORMAL, "")),
            End::Fault(code, reason) => Some((code, reason)),
            End::Client => None,
        };
        if let Some((code, reason)) = frame {
            let close = Message::Close(Some(CloseFrame { code, reason: reason.into() }));
            let goodbye = async {
                if sink.send(close).await.is_ok() {
                    while let Some(Ok(_)) = stream.next().await {}
                }
            };
            drop(tokio::time::timeout(CLOSE_TIMEOUT, goodbye).await);
        } else {
            drop(tokio::time::timeout(CLOSE_TIMEOUT, sink.close()).await);
        }
    }

    /// Handles one frame. Pings are answered here; the rest goes to the room,
    /// which slows this reader down when it is busy.
    async fn frame(&self, frame: &Bytes) -> Result<Option<Bytes>, End> {
        let request = proto::SignalRequest::decode(frame.clone())
            .map_err(|_| End::Fault(close_code::PROTOCOL, "not a SignalRequest"))?;
        // A request of a later protocol version decodes to nothing; it is ignored.
        let Some(message) = request.message else { return Ok(None) };
        let reply = match message {
            Request::Ping(_) => Response::Pong(unix_ms()),
            Request::PingReq(ping) => {
                Response::PongResp(proto::Pong { last_ping_timestamp: ping.timestamp, timestamp: unix_ms() })
            }
            message => {
                let message =
                    RoomMessage::Request { session: self.guard.session, request: Box::new(message) };
                return self.guard.room.send(message).await.map(|()| None).map_err(|_| End::Room);
            }
        };
        let response = proto::SignalResponse { message: Some(reply) };
        Ok(Some(Bytes::from(response.encode_to_vec())))
    }
}

fn read_error(error: &axum::Error) -> End {
    // The library's error for an oversized message has no type of its own here.
    if error.to_string().contains("too long") || error.to_string().contains("too large") {
        End::Fault(close_code::SIZE, "the message is too large")
    } else {
        End::Client
    }
}

fn unix_ms() -> i64 {
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(wall.as_millis()).unwrap_or(i64::MAX)
}
