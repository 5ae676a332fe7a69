//! Reads the query of `/rtc` and `/rtc/v1`.

use std::{collections::HashMap, io::Read};

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use livekit_protocol as proto;
use parley_media_rtc::PeerMode;
use prost::Message;
use proto::wrapped_join_request::Compression;

use crate::ids::ParticipantSid;

const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
/// URL-safe, with or without padding.
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);

/// What a client says about itself and its wishes when it connects, besides the token.
#[derive(Clone, Debug)]
pub(crate) struct Params {
    pub(crate) mode: PeerMode,
    pub(crate) client: proto::ClientInfo,
    pub(crate) auto_subscribe: bool,
    pub(crate) metadata: String,
    pub(crate) attributes: HashMap<String, String>,
    pub(crate) add_tracks: Vec<proto::AddTrackRequest>,
    pub(crate) offer: Option<proto::SessionDescription>,
    pub(crate) resume: Option<ParticipantSid>,
    pub(crate) sync_state: Option<proto::SyncState>,
}

/// The client's query is not usable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ParamsError {
    #[error("the query parameter join_request is required")]
    Missing,
    #[error("join_request is not base64")]
    NotBase64,
    #[error("join_request is not a WrappedJoinRequest with a JoinRequest inside")]
    NotProtobuf,
    #[error("join_request is not gzip although it says so")]
    NotGzip,
    #[error("join_request is larger than this server accepts")]
    TooLarge,
}

/// `/rtc/v1`: one peer connection, everything inside `join_request`.
pub(crate) fn v1(query: &HashMap<String, String>, max_bytes: usize) -> Result<Params, ParamsError> {
    let encoded = query.get("join_request").filter(|value| !value.is_empty()).ok_or(ParamsError::Missing)?;
    let request = decode_join_request(encoded, max_bytes)?;
    let settings = request.connection_settings.unwrap_or_default();
    Ok(Params {
        mode: PeerMode::Single,
        client: request.client_info.unwrap_or_default(),
        auto_subscribe: settings.auto_subscribe,
        metadata: request.metadata,
        attributes: request.participant_attributes,
        add_tracks: request.add_track_requests,
        offer: request.publisher_offer.filter(|offer| !offer.sdp.is_empty()),
        resume: request.reconnect.then_some(ParticipantSid(request.participant_sid)),
        sync_state: request.sync_state,
    })
}

/// `/rtc`: two peer connections, single query parameters. A `join_request` is
/// understood here too, and then means one peer connection.
pub(crate) fn v0(query: &HashMap<String, String>, max_bytes: usize) -> Result<Params, ParamsError> {
    if query.get("join_request").is_some_and(|value| !value.is_empty()) {
        return v1(query, max_bytes);
    }
    let text = |name: &str| query.get(name).cloned().unwrap_or_default();
    let number = |name: &str| query.get(name).and_then(|value| value.parse().ok()).unwrap_or(0);
    let flag = |name: &str| query.get(name).map(|value| value == "1" || value == "true");
    let resume = flag("reconnect") == Some(true);
    Ok(Params {
        mode: PeerMode::Dual,
        client: proto::ClientInfo {
            sdk: sdk(&text("sdk")) as i32,
            version: text("version"),
            protocol: number("protocol"),
            os: text("os"),
            os_version: text("os_version"),
            device_model: text("device_model"),
            browser: text("browser"),
            browser_version: text("browser_version"),
            network: text("network"),
            client_protocol: number("client_protocol"),
            ..Default::default()
        },
        auto_subscribe: flag("auto_subscribe").unwrap_or(true),
        metadata: String::new(),
        attributes: attributes(&text("attributes")),
        add_tracks: Vec::new(),
        offer: None,
        resume: resume.then(|| ParticipantSid(text("sid"))),
        sync_state: None,
    })
}

fn decode_join_request(encoded: &str, max_bytes: usize) -> Result<proto::JoinRequest, ParamsError> {
    if encoded.len() > max_bytes {
        return Err(ParamsError::TooLarge);
    }
    // A `+` of ordinary base64 arrives as a space when the client did not escape it.
    let wrapped = URL_SAFE
        .decode(encoded)
        .or_else(|_| STANDARD.decode(encoded.replace(' ', "+")))
        .map_err(|_| ParamsError::NotBase64)?;
    let wrapped =
        proto::WrappedJoinRequest::decode(wrapped.as_slice()).map_err(|_| ParamsError::NotProtobuf)?;
    let bytes = match wrapped.compression() {
        Compression::None => wrapped.join_request,
        Compression::Gzip => gunzip(&wrapped.join_request, max_bytes)?,
    };
    proto::JoinRequest::decode(bytes.as_slice()).map_err(|_| ParamsError::NotProtobuf)
}

fn gunzip(compressed: &[u8], max_bytes: usize) -> Result<Vec<u8>, ParamsError> {
    let limit = u64::try_from(max_bytes).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    // One byte over the limit is enough to know.
    flate2::read::GzDecoder::new(compressed)
        .take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|_| ParamsError::NotGzip)?;
    if bytes.len() > max_bytes { Err(ParamsError::TooLarge) } else { Ok(bytes) }
}

/// Attributes of v0: base64 of a JSON object; unreadable ones are left out, as LiveKit does.
fn attributes(encoded: &str) -> HashMap<String, String> {
    URL_SAFE.decode(encoded).ok().and_then(|json| serde_json::from_slice(&json).ok()).unwrap_or_default()
}

fn sdk(name: &str) -> proto::client_info::Sdk {
    use proto::client_info::Sdk;
    match name {
        "js" => Sdk::Js,
        "ios" | "swift" => Sdk::Swift,
        "android" => Sdk::Android,
        "flutter" => Sdk::Flutter,
        "go" => Sdk::Go,
        "unity" => Sdk::Unity,
        "reactnative" => Sdk::ReactNative,
        "rust" => Sdk::Rust,
        "python" => Sdk::Python,
        "cpp" => Sdk::Cpp,
        "unityweb" => Sdk::UnityWeb,
        "node" => Sdk::Node,
        _ => Sdk::Unknown,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::Write;

    use super::*;

    const MAX: usize = 64 * 1024;

    fn request() -> proto::JoinRequest {
        proto::JoinRequest {
            client_info: Some(proto::ClientInfo { protocol: 18, ..Default::default() }),
            connection_settings: Some(proto::ConnectionSettings {
                auto_subscribe: true,
                ..Default::default()
            }),
            publisher_offer: Some(proto::SessionDescription {
                r#type: "offer".into(),
                sdp: "v=0\r\n".into(),
                id: 7,
                ..Default::default()
            }),
            reconnect: true,
            participant_sid: "PA_abc".into(),
            ..Default::default()
        }
    }

    fn wrap(compression: Compression, bytes: Vec<u8>) -> Vec<u8> {
        proto::WrappedJoinRequest { compression: compression as i32, join_request: bytes }.encode_to_vec()
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn read(encoded: &str) -> Result<Params, ParamsError> {
        v1(&HashMap::from([("join_request".to_owned(), encoded.to_owned())]), MAX)
    }

    #[test]
    fn reads_every_encoding_that_sdks_send() {
        use base64::engine::general_purpose as b64;
        let plain = wrap(Compression::None, request().encode_to_vec());
        let packed = wrap(Compression::Gzip, gzip(&request().encode_to_vec()));
        for wrapped in [plain, packed] {
            for encoded in [
                b64::URL_SAFE.encode(&wrapped),
                b64::URL_SAFE_NO_PAD.encode(&wrapped),
                b64::STANDARD.encode(&wrapped),
                b64::STANDARD.encode(&wrapped).replace('+', " "),
            ] {
                let params = read(&encoded).unwrap();
                assert_eq!(params.mode, PeerMode::Single);
                assert_eq!(params.client.protocol, 18);
                assert!(params.auto_subscribe);
                assert_eq!(params.offer.unwrap().id, 7);
                assert_eq!(params.resume, Some(ParticipantSid::from("PA_abc")));
            }
        }
    }

    #[test]
    fn refuses_garbage_by_name() {
        use base64::engine::general_purpose as b64;
        let encode = |bytes: &[u8]| b64::URL_SAFE.encode(bytes);
        assert_eq!(v1(&HashMap::new(), MAX).unwrap_err(), ParamsError::Missing);
        assert_eq!(read("").unwrap_err(), ParamsError::Missing);
        assert_eq!(read("%%%").unwrap_err(), ParamsError::NotBase64);
        assert_eq!(read(&encode(&[0xff; 40])).unwrap_err(), ParamsError::NotProtobuf);
        let not_gzip = wrap(Compression::Gzip, vec![1, 2, 3]);
        assert_eq!(read(&encode(&not_gzip)).unwrap_err(), ParamsError::NotGzip);
        let inner = wrap(Compression::None, vec![0xff; 40]);
        assert_eq!(read(&encode(&inner)).unwrap_err(), ParamsError::NotProtobuf);
        assert_eq!(read(&"A".repeat(MAX + 4)).unwrap_err(), ParamsError::TooLarge);
    }

    #[test]
    fn a_gzip_bomb_is_refused_at_the_limit() {
        let bomb = wrap(Compression::Gzip, gzip(&vec![0; 64 * 1024 * 1024]));
        let encoded = base64::engine::general_purpose::URL_SAFE.encode(bomb);
        let result = v1(&HashMap::from([("join_request".to_owned(), encoded)]), 1024 * 1024);
        assert_eq!(result.unwrap_err(), ParamsError::TooLarge);
    }

    #[test]
    fn reads_the_parameters_of_v0() {
        let query: HashMap<String, String> = [
            ("auto_subscribe", "0"),
            ("sdk", "js"),
            ("protocol", "16"),
            ("reconnect", "1"),
            ("sid", "PA_x"),
            ("attributes", "eyJhIjoiYiJ9"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        let params = v0(&query, MAX).unwrap();
        assert_eq!(params.mode, PeerMode::Dual);
        assert!(!params.auto_subscribe);
        assert_eq!(params.client.sdk(), proto::client_info::Sdk::Js);
        assert_eq!(params.client.protocol, 16);
        assert_eq!(params.resume, Some(ParticipantSid::from("PA_x")));
        assert_eq!(params.attributes["a"], "b");
        let defaults = v0(&HashMap::new(), MAX).unwrap();
        assert!(defaults.auto_subscribe && defaults.resume.is_none());
    }
}
