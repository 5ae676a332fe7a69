//! Asks the server (RoomService, Twirp) who is still there after all have left.

use std::time::Duration;

use livekit_protocol as proto;
use prost::Message as _;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{sleep, timeout},
};
use url::Url;

use crate::token::ApiKey;

/// Bytes of an answer.
const MAX_ANSWER: u64 = 4 * 1024 * 1024;
const ANSWER: Duration = Duration::from_secs(3);
/// How often is asked, in hope that the last have gone: longer than a server waits for one that was cut off (20 s here).
const TRIES: u32 = 120;
const BETWEEN: Duration = Duration::from_millis(250);

/// Participants still listed in rooms whose names begin with `prefix`, after some patience. `None` when the server
/// does not tell: no plain HTTP, or no such call.
pub(crate) async fn left_in(server: &Url, key: &ApiKey, prefix: &str) -> Option<u64> {
    let mut left = None;
    for _ in 0..TRIES {
        left = Some(timeout(ANSWER, listed(server, key, prefix)).await.ok()??);
        if left == Some(0) {
            break;
        }
        sleep(BETWEEN).await;
    }
    left
}

async fn listed(server: &Url, key: &ApiKey, prefix: &str) -> Option<u64> {
    if !matches!(server.scheme(), "ws" | "http") {
        return None;
    }
    let (host, port) = (server.host_str()?, server.port_or_known_default()?);
    let body = proto::ListRoomsRequest::default().encode_to_vec();
    let head = format!(
        "POST /twirp/livekit.RoomService/ListRooms HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\
         Authorization: Bearer {}\r\nContent-Type: application/protobuf\r\nContent-Length: {}\r\n\r\n",
        key.list_token(ANSWER * 20),
        body.len()
    );
    let mut socket = TcpStream::connect((host.trim_matches(['[', ']']), port)).await.ok()?;
    socket.write_all(&[head.as_bytes(), &body].concat()).await.ok()?;
    let mut answer = Vec::new();
    socket.take(MAX_ANSWER).read_to_end(&mut answer).await.ok()?;
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
    if !head.starts_with("http/1.1 200") || head.contains("transfer-encoding: chunked") {
        return None;
    }
    let rooms = proto::ListRoomsResponse::decode(&answer[end + 4..]).ok()?.rooms;
    let own = rooms.iter().filter(|room| room.name.starts_with(prefix));
    Some(own.map(|room| u64::from(room.num_participants)).sum())
}
