//! Asks the server (RoomService, Twirp) who is still there after all have left.

use std::time::Duration;

use livekit_protocol as proto;
use prost::Message as _;
use tokio::time::{sleep, timeout};
use url::Url;

use crate::{http, token::ApiKey};

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
    let body = proto::ListRoomsRequest::default().encode_to_vec();
    let headers = format!(
        "Authorization: Bearer {}\r\nContent-Type: application/protobuf\r\n",
        key.list_token(ANSWER * 20)
    );
    let answer = http::ask(server, "POST /twirp/livekit.RoomService/ListRooms", &headers, &body).await?;
    let rooms = proto::ListRoomsResponse::decode(answer.as_slice()).ok()?.rooms;
    let own = rooms.iter().filter(|room| room.name.starts_with(prefix));
    Some(own.map(|room| u64::from(room.num_participants)).sum())
}
