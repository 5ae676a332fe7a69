//! Access tokens for the server under test (JWT, HS256, LiveKit's claims).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::Serialize;

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    nbf: u64,
    exp: u64,
    video: Video<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Video<'a> {
    room: &'a str,
    room_join: bool,
    room_list: bool,
}

/// API key and secret of the server under test.
#[derive(Clone)]
pub struct ApiKey {
    pub key: String,
    pub secret: String,
}

impl std::fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ApiKey").field("key", &self.key).finish_non_exhaustive()
    }
}

impl ApiKey {
    /// A token with which `identity` may join `room` for `valid`.
    pub fn join_token(&self, room: &str, identity: &str, valid: Duration) -> String {
        self.sign(identity, Video { room, room_join: true, room_list: false }, valid)
    }

    /// A token with which rooms may be listed for `valid`.
    pub fn list_token(&self, valid: Duration) -> String {
        self.sign("loadtest", Video { room: "", room_join: false, room_list: true }, valid)
    }

    fn sign(&self, identity: &str, video: Video<'_>, valid: Duration) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs());
        let claims = Claims { iss: &self.key, sub: identity, nbf: now, exp: now + valid.as_secs(), video };
        let key = EncodingKey::from_secret(self.secret.as_bytes());
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key).expect("claims are plain data")
    }
}
