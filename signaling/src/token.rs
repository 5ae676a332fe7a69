//! Access tokens: JWT, HS256, with LiveKit's claims.

use std::{
    collections::{BTreeMap, HashMap},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use livekit_protocol as proto;
use serde::{Deserialize, Serialize};

use crate::{
    config::{ApiKeys, RoomOptions},
    ids::{Identity, RoomName},
};

/// Clocks of machines may differ by this much, seconds.
const LEEWAY_S: u64 = 10;
/// A longer token is refused before it is parsed, bytes.
const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// The `video` claim: what its bearer may do. Absent permissions of a joining
/// participant count as given, as in LiveKit's SDKs; `hidden`, `recorder` and
/// `can_update_own_metadata` as not given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Grants {
    #[serde(skip_serializing_if = "is_false")]
    pub room_create: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub room_list: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub room_record: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub room_admin: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub room_join: bool,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub room: String,
    /// Where participants of `room` may be moved to.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub destination_room: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub can_publish: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub can_subscribe: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub can_publish_data: Option<bool>,
    /// `camera`, `microphone`, `screen_share`, `screen_share_audio`; empty = all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub can_publish_sources: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub can_update_own_metadata: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub can_subscribe_metrics: Option<bool>,
    #[serde(skip_serializing_if = "is_false")]
    pub hidden: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub recorder: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub agent: bool,
}

impl Grants {
    /// May join `room`, publish, subscribe and send data.
    pub fn join(room: impl Into<String>) -> Self {
        Self { room_join: true, room: room.into(), ..Self::default() }
    }

    /// Writes a changed permission into the grants, for refreshed tokens.
    pub(crate) fn restrict_to(&mut self, permission: &proto::ParticipantPermission) {
        self.can_subscribe = Some(permission.can_subscribe);
        self.can_publish_data = Some(permission.can_publish_data);
        self.can_update_own_metadata = Some(permission.can_update_metadata);
        self.can_publish_sources =
            permission.can_publish_sources.iter().filter_map(|source| source_name(*source)).collect();
        // Only sources without a name: an empty list would mean all.
        let none = self.can_publish_sources.is_empty() && !permission.can_publish_sources.is_empty();
        self.can_publish = Some(permission.can_publish && !none);
        self.hidden = permission.hidden;
        self.can_subscribe_metrics = Some(permission.can_subscribe_metrics);
    }

    /// The permission as it is told to clients.
    pub(crate) fn permission(&self) -> proto::ParticipantPermission {
        let publish = self.can_publish.unwrap_or(true);
        let names = &self.can_publish_sources;
        let sources: Vec<i32> = names.iter().filter_map(|name| source_number(name)).collect();
        // Names that nobody knows allow nothing; no names at all allow everything.
        let some_source = names.is_empty() || !sources.is_empty();
        #[allow(deprecated)]
        proto::ParticipantPermission {
            can_subscribe: self.can_subscribe.unwrap_or(true),
            can_publish: publish && some_source,
            can_publish_data: self.can_publish_data.unwrap_or(publish),
            can_publish_sources: sources,
            hidden: self.hidden,
            recorder: self.recorder,
            can_update_metadata: self.can_update_own_metadata.unwrap_or(false),
            agent: self.agent,
            can_subscribe_metrics: self.can_subscribe_metrics.unwrap_or(false),
            ..Default::default()
        }
    }
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde's signature
fn is_false(value: &bool) -> bool {
    !*value
}

fn source_number(name: &str) -> Option<i32> {
    let source = match name {
        "camera" => proto::TrackSource::Camera,
        "microphone" => proto::TrackSource::Microphone,
        "screen_share" => proto::TrackSource::ScreenShare,
        "screen_share_audio" => proto::TrackSource::ScreenShareAudio,
        _ => return None,
    };
    Some(source as i32)
}

fn source_name(source: i32) -> Option<String> {
    let name = match proto::TrackSource::try_from(source).ok()? {
        proto::TrackSource::Camera => "camera",
        proto::TrackSource::Microphone => "microphone",
        proto::TrackSource::ScreenShare => "screen_share",
        proto::TrackSource::ScreenShareAudio => "screen_share_audio",
        proto::TrackSource::Unknown => return None,
    };
    Some(name.to_owned())
}

/// All claims of a token.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Claims {
    /// API key.
    pub iss: String,
    /// Identity.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub sub: String,
    /// Unix time, seconds.
    pub exp: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nbf: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iat: Option<u64>,
    /// Of tokens made here: Unix time of issue, milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iat_ms: Option<u64>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub metadata: String,
    #[serde(skip_serializing_if = "HashMap::is_empty")]
    pub attributes: HashMap<String, String>,
    /// `standard`, `ingress`, `egress`, `sip`, `agent`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub video: Option<Grants>,
    /// What the room is made with if this token's bearer makes it by joining.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub room_config: Option<RoomConfig>,
    /// Of webhooks: base64 of the SHA-256 of their body.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub sha256: String,
}

/// The part of LiveKit's room configuration that this server knows; 0 and empty = the default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RoomConfig {
    /// Seconds.
    #[serde(skip_serializing_if = "is_zero")]
    pub empty_timeout: u32,
    /// Seconds.
    #[serde(skip_serializing_if = "is_zero")]
    pub departure_timeout: u32,
    #[serde(skip_serializing_if = "is_zero")]
    pub max_participants: u32,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub metadata: String,
}

impl RoomConfig {
    pub(crate) fn options(&self) -> RoomOptions {
        RoomOptions {
            max_participants: self.max_participants,
            empty_timeout: seconds(self.empty_timeout),
            departure_timeout: seconds(self.departure_timeout),
            metadata: self.metadata.clone(),
        }
    }
}

/// 0 = not given.
pub(crate) fn seconds(number: u32) -> Option<Duration> {
    (number > 0).then(|| Duration::from_secs(u64::from(number)))
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde's signature
fn is_zero(value: &u32) -> bool {
    *value == 0
}

impl Claims {
    /// When the token was issued, as far as it says; Unix time, milliseconds.
    pub(crate) fn issued_at_ms(&self) -> u64 {
        let seconds = self.iat.or(self.nbf).unwrap_or(0);
        self.iat_ms.unwrap_or_else(|| seconds.saturating_mul(1_000))
    }

    pub(crate) fn kind(&self) -> proto::participant_info::Kind {
        use proto::participant_info::Kind;
        match self.kind.to_ascii_lowercase().as_str() {
            "ingress" => Kind::Ingress,
            "egress" => Kind::Egress,
            "sip" => Kind::Sip,
            "agent" => Kind::Agent,
            _ => Kind::Standard,
        }
    }
}

/// Why a token does not let its bearer in. All are the client's to repair.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    #[error("no access token: send it as `Authorization: Bearer …` or as the query parameter access_token")]
    Missing,
    #[error("the access token is not a token made for this server: {0}")]
    Malformed(&'static str),
    #[error("the API key of the access token is not known to this server")]
    UnknownKey,
    #[error("the signature of the access token is wrong: it was not made with this server's secret")]
    BadSignature,
    #[error("the access token has expired; ask for a new one")]
    Expired,
    #[error("the access token is not valid yet; check the clock of the machine that made it")]
    NotYetValid,
    #[error("the access token has no grant to join a room")]
    NoJoinGrant,
    #[error("the access token is for another room")]
    OtherRoom,
    #[error("the access token names no room")]
    NoRoom,
    #[error("the access token names no identity")]
    NoIdentity,
}

impl TokenError {
    /// 401 when the token itself is not good, 403 when it is but does not allow this.
    pub(crate) fn status(&self) -> http::StatusCode {
        match self {
            Self::NoJoinGrant | Self::OtherRoom => http::StatusCode::FORBIDDEN,
            Self::NoRoom | Self::NoIdentity => http::StatusCode::BAD_REQUEST,
            _ => http::StatusCode::UNAUTHORIZED,
        }
    }
}

/// Checks tokens.
#[derive(Clone, Debug)]
pub struct TokenVerifier {
    keys: ApiKeys,
}

impl TokenVerifier {
    pub fn new(keys: ApiKeys) -> Self {
        Self { keys }
    }

    /// Verifies signature and times.
    pub fn verify(&self, token: &str) -> Result<Claims, TokenError> {
        if token.is_empty() {
            return Err(TokenError::Missing);
        }
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::Malformed("too long"));
        }
        let header = jsonwebtoken::decode_header(token).map_err(|_| TokenError::Malformed("not a JWT"))?;
        if header.alg != Algorithm::HS256 {
            return Err(TokenError::Malformed("only the algorithm HS256 is accepted"));
        }
        // The key is looked up by the unverified issuer; the signature is checked below.
        let issuer = jsonwebtoken::dangerous::insecure_decode::<Claims>(token)
            .map_err(|_| TokenError::Malformed("the claims are not readable"))?
            .claims
            .iss;
        let secret = self.keys.get(&issuer).ok_or(TokenError::UnknownKey)?;
        let mut validation = Validation::new(Algorithm::HS256);
        validation.leeway = LEEWAY_S;
        validation.validate_nbf = true;
        validation.validate_aud = false;
        validation.set_required_spec_claims(&["exp"]);
        let key = DecodingKey::from_secret(secret.as_bytes());
        jsonwebtoken::decode::<Claims>(token, &key, &validation)
            .map(|data| data.claims)
            .map_err(|error| token_error(error.kind()))
    }

    /// Verifies a token that is to join a room, and names the room. `requested` is
    /// the room the client asked for besides the token, if it did.
    pub fn verify_join(
        &self,
        token: &str,
        requested: Option<&str>,
    ) -> Result<(Claims, RoomName), TokenError> {
        let claims = self.verify(token)?;
        let grants = claims.video.as_ref().ok_or(TokenError::NoJoinGrant)?;
        if !grants.room_join {
            return Err(TokenError::NoJoinGrant);
        }
        let requested = requested.filter(|room| !room.is_empty());
        let room = match (grants.room.as_str(), requested) {
            ("", None) => return Err(TokenError::NoRoom),
            ("", Some(room)) => room.to_owned(),
            (granted, Some(room)) if granted != room => return Err(TokenError::OtherRoom),
            (granted, _) => granted.to_owned(),
        };
        if claims.sub.is_empty() {
            return Err(TokenError::NoIdentity);
        }
        Ok((claims, RoomName(room)))
    }
}

fn token_error(kind: &jsonwebtoken::errors::ErrorKind) -> TokenError {
    use jsonwebtoken::errors::ErrorKind;
    match kind {
        ErrorKind::ExpiredSignature => TokenError::Expired,
        ErrorKind::ImmatureSignature => TokenError::NotYetValid,
        ErrorKind::InvalidSignature => TokenError::BadSignature,
        ErrorKind::MissingRequiredClaim(_) => TokenError::Malformed("it has no time of expiry"),
        _ => TokenError::Malformed("the claims are not readable"),
    }
}

/// Makes tokens with the first API key.
#[derive(Clone, Debug)]
pub struct TokenMinter {
    keys: ApiKeys,
}

/// Why a token could not be made: the configuration has no API key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no API key is configured, so no access token can be made")]
pub struct NoApiKey;

/// Whom a token is for and what it allows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenSpec {
    pub identity: String,
    /// Shown to other participants.
    pub name: String,

    pub grants: Grants,
    pub attributes: BTreeMap<String, String>,
    pub metadata: String,
    pub kind: String,
}

impl TokenMinter {
    pub fn new(keys: ApiKeys) -> Self {
        Self { keys }
    }

    /// A token for `spec`, valid from now for `ttl`.
    pub fn mint(&self, spec: TokenSpec, ttl: Duration) -> Result<String, NoApiKey> {
        let claims = Claims {
            sub: spec.identity,
            name: spec.name,
            metadata: spec.metadata,
            attributes: spec.attributes.into_iter().collect(),
            kind: spec.kind,
            video: Some(spec.grants),
            ..Claims::default()
        };
        self.sign(claims, SystemTime::now(), ttl)
    }

    /// Signs `claims`, whose issuer and times are set here.
    pub(crate) fn sign(&self, claims: Claims, now: SystemTime, ttl: Duration) -> Result<String, NoApiKey> {
        let (key, _) = self.keys.first_key_value().ok_or(NoApiKey)?;
        self.sign_by(key, claims, now, ttl)
    }

    /// As [`Self::sign`], with the API key named.
    pub(crate) fn sign_by(
        &self,
        key: &str,
        mut claims: Claims,
        now: SystemTime,
        ttl: Duration,
    ) -> Result<String, NoApiKey> {
        let secret = self.keys.get(key).ok_or(NoApiKey)?;
        let elapsed = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let now_s = elapsed.as_secs();
        key.clone_into(&mut claims.iss);
        claims.nbf = Some(now_s);
        claims.iat = Some(now_s);
        claims.iat_ms = u64::try_from(elapsed.as_millis()).ok();
        claims.exp = now_s.saturating_add(ttl.as_secs());
        let token = jsonwebtoken::encode(
            &Header::new(Algorithm::HS256),
            &claims,
            &EncodingKey::from_secret(secret.as_bytes()),
        );
        Ok(token.expect("claims are plain data and HS256 takes any secret"))
    }
}

impl From<&Claims> for Identity {
    fn from(claims: &Claims) -> Self {
        Self(claims.sub.clone())
    }
}

#[cfg(test)]
mod tests;
