//! Links that prove themselves: a short payload and an HMAC-SHA-256 over it (RFC 2104, truncated to 128 bits).
//! Nothing secret is stored for them; the same link can be made again whenever a mail or page needs it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac as _};
use jiff::Timestamp;
use parley_control_domain::{AppointmentId, JoinCode, MagicLinkId, MeetingRole};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::ports::Random;
use crate::records::TokenHash;

/// Bytes of the tag. 16 bytes: a forger's chance is 2^-128 a try.
const TAG_LEN: usize = 16;
/// No token is longer than this in its text form.
const MAX_TOKEN_LEN: usize = 160;
const FORMAT: u8 = 1;

/// What a join link says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinClaims {
    pub appointment: AppointmentId,
    /// The one identity that the link gives in the room.
    pub identity: String,
    pub role: MeetingRole,
    pub expires_at: Timestamp,
}

/// Why a token was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    #[error("not a valid link")]
    Invalid,
    #[error("the link has expired")]
    Expired,
}

/// Signs and checks links with one key.
#[derive(Clone)]
pub struct Links {
    key: [u8; 32],
}

#[derive(Clone, Copy)]
#[repr(u8)]
enum Kind {
    Join = 1,
    Manage = 2,
    Magic = 3,
}

impl Links {
    pub fn new(key: [u8; 32]) -> Self {
        Self { key }
    }

    /// A join token, valid before `expires_at`.
    pub fn join(&self, claims: &JoinClaims) -> String {
        let mut payload = Vec::with_capacity(64);
        payload.extend_from_slice(claims.appointment.as_uuid().as_bytes());
        payload.push(role_byte(claims.role));
        payload.extend_from_slice(&claims.expires_at.as_second().to_be_bytes());
        payload.extend_from_slice(claims.identity.as_bytes());
        self.seal(Kind::Join, &payload)
    }

    /// The claims of a join token that is not over at `now`.
    pub fn read_join(&self, token: &str, now: Timestamp) -> Result<JoinClaims, LinkError> {
        let payload = self.open(Kind::Join, token)?;
        let (fixed, identity) = payload.split_first_chunk::<25>().ok_or(LinkError::Invalid)?;
        let seconds = i64::from_be_bytes(array(&fixed[17..25])?);
        let claims = JoinClaims {
            appointment: AppointmentId::from_uuid(Uuid::from_bytes(array(&fixed[0..16])?)),
            identity: String::from_utf8(identity.to_vec()).map_err(|_| LinkError::Invalid)?,
            role: role_of_byte(fixed[16])?,
            expires_at: Timestamp::from_second(seconds).map_err(|_| LinkError::Invalid)?,
        };
        if now >= claims.expires_at { Err(LinkError::Expired) } else { Ok(claims) }
    }

    /// A token to see and cancel one appointment; it does not end by itself.
    pub fn manage(&self, appointment: AppointmentId) -> String {
        self.seal(Kind::Manage, appointment.as_uuid().as_bytes())
    }

    pub fn read_manage(&self, token: &str) -> Result<AppointmentId, LinkError> {
        let payload = self.open(Kind::Manage, token)?;
        Ok(AppointmentId::from_uuid(Uuid::from_bytes(array(&payload)?)))
    }

    /// The token of a stored one-time link, which knows its end and whether it was used.
    pub fn magic(&self, link: MagicLinkId) -> String {
        self.seal(Kind::Magic, link.as_uuid().as_bytes())
    }

    pub fn read_magic(&self, token: &str) -> Result<MagicLinkId, LinkError> {
        let payload = self.open(Kind::Magic, token)?;
        Ok(MagicLinkId::from_uuid(Uuid::from_bytes(array(&payload)?)))
    }

    fn seal(&self, kind: Kind, payload: &[u8]) -> String {
        let mut bytes = Vec::with_capacity(2 + payload.len() + TAG_LEN);
        bytes.extend_from_slice(&[FORMAT, kind as u8]);
        bytes.extend_from_slice(payload);
        let tag = self.mac(&bytes).finalize().into_bytes();
        bytes.extend_from_slice(&tag[..TAG_LEN]);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn open(&self, kind: Kind, token: &str) -> Result<Vec<u8>, LinkError> {
        if token.len() > MAX_TOKEN_LEN {
            return Err(LinkError::Invalid);
        }
        let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| LinkError::Invalid)?;
        let split = bytes.len().checked_sub(TAG_LEN).ok_or(LinkError::Invalid)?;
        let (signed, tag) = bytes.split_at(split);
        self.mac(signed).verify_truncated_left(tag).map_err(|_| LinkError::Invalid)?;
        match signed {
            [FORMAT, found, payload @ ..] if *found == kind as u8 => Ok(payload.to_vec()),
            _ => Err(LinkError::Invalid),
        }
    }

    fn mac(&self, bytes: &[u8]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).expect("HMAC takes a key of any length");
        mac.update(bytes);
        mac
    }
}

fn array<const N: usize>(bytes: &[u8]) -> Result<[u8; N], LinkError> {
    bytes.try_into().map_err(|_| LinkError::Invalid)
}

fn role_byte(role: MeetingRole) -> u8 {
    match role {
        MeetingRole::Client => 1,
        MeetingRole::Provider => 2,
        MeetingRole::Guest => 3,
    }
}

fn role_of_byte(byte: u8) -> Result<MeetingRole, LinkError> {
    match byte {
        1 => Ok(MeetingRole::Client),
        2 => Ok(MeetingRole::Provider),
        3 => Ok(MeetingRole::Guest),
        _ => Err(LinkError::Invalid),
    }
}

/// A new code to read out.
pub fn new_code(random: &dyn Random) -> JoinCode {
    let mut bytes = [0u8; 5];
    random.fill(&mut bytes);
    JoinCode::from_bytes(bytes)
}

/// A new 256-bit secret and its hash: the first for the cookie, the second for the store.
pub fn new_secret(random: &dyn Random) -> (String, TokenHash) {
    let mut bytes = [0u8; 32];
    random.fill(&mut bytes);
    let secret = URL_SAFE_NO_PAD.encode(bytes);
    let hash = hash_secret(&secret);
    (secret, hash)
}

pub fn hash_secret(secret: &str) -> TokenHash {
    TokenHash(Sha256::digest(secret.as_bytes()).into())
}

/// Lower-case hex of the SHA-256 of `parts`, each prefixed by its length so that no two lists look alike.
pub fn fingerprint(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
