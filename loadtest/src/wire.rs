//! The messages of the public client protocol that synthetic peers send.

use std::net::IpAddr;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use livekit_protocol as proto;
use prost::Message as _;
use proto::signal_request::Message as Request;
use url::Url;

use crate::{error::JoinError, source::VideoSpec};

const CLIENT_PROTOCOL: i32 = 16;

/// How a participant joins.
pub(crate) fn join_url(
    server: &Url,
    token: &str,
    sdp: String,
    auto_subscribe: bool,
) -> Result<Url, JoinError> {
    let request = proto::JoinRequest {
        client_info: Some(proto::ClientInfo { protocol: CLIENT_PROTOCOL, ..Default::default() }),
        connection_settings: Some(proto::ConnectionSettings { auto_subscribe, ..Default::default() }),
        publisher_offer: Some(description("offer", sdp, 0)),
        ..Default::default()
    };
    let wrapped = proto::WrappedJoinRequest { compression: 0, join_request: request.encode_to_vec() };
    let mut url = server.join("/rtc/v1").map_err(|error| JoinError::Address(error.to_string()))?;
    url.query_pairs_mut()
        .append_pair("access_token", token)
        .append_pair("join_request", &URL_SAFE_NO_PAD.encode(wrapped.encode_to_vec()));
    Ok(url)
}

fn description(kind: &str, sdp: String, id: u32) -> proto::SessionDescription {
    proto::SessionDescription { r#type: kind.to_owned(), sdp, id, ..Default::default() }
}

pub(crate) fn offer(sdp: String, id: u32) -> Request {
    Request::Offer(description("offer", sdp, id))
}

pub(crate) fn add_audio(cid: &str) -> Request {
    Request::AddTrack(proto::AddTrackRequest {
        cid: cid.to_owned(),
        name: "microphone".to_owned(),
        r#type: proto::TrackType::Audio as i32,
        source: proto::TrackSource::Microphone as i32,
        ..Default::default()
    })
}

pub(crate) fn add_video(cid: &str, spec: &VideoSpec, screen: bool) -> Request {
    let layers: Vec<proto::VideoLayer> = spec
        .layers
        .iter()
        .zip(qualities(spec.layers.len()))
        .map(|(layer, quality)| proto::VideoLayer {
            quality: quality as i32,
            width: layer.width,
            height: layer.height,
            bitrate: u32::try_from(layer.bitrate).unwrap_or(u32::MAX),
            rid: layer.rid.unwrap_or_default().to_owned(),
            ..Default::default()
        })
        .collect();
    let (width, height) = spec.layers.last().map_or((0, 0), |layer| (layer.width, layer.height));
    let source = if screen { proto::TrackSource::ScreenShare } else { proto::TrackSource::Camera };
    let codec = proto::SimulcastCodec {
        codec: "vp8".to_owned(),
        cid: cid.to_owned(),
        layers: layers.clone(),
        ..Default::default()
    };
    Request::AddTrack(proto::AddTrackRequest {
        cid: cid.to_owned(),
        name: if screen { "screen" } else { "camera" }.to_owned(),
        r#type: proto::TrackType::Video as i32,
        width,
        height,
        source: source as i32,
        layers,
        simulcast_codecs: vec![codec],
        ..Default::default()
    })
}

/// The qualities that layers stand for, smallest first: one layer is the highest, two are low and high.
pub(crate) fn qualities(layers: usize) -> Vec<proto::VideoQuality> {
    use proto::VideoQuality::{High, Low, Medium};
    match layers {
        0 | 1 => vec![High],
        2 => vec![Low, High],
        _ => vec![Low, Medium, High],
    }
}

/// How a participant wishes to get a track.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TrackSettings {
    /// 0 = no wish.
    pub width: u32,
    pub height: u32,
    /// 0 = no wish.
    pub fps: u32,
    pub disabled: bool,
}

pub(crate) fn settings(sid: &str, settings: &TrackSettings) -> Request {
    Request::TrackSetting(proto::UpdateTrackSettings {
        track_sids: vec![sid.to_owned()],
        disabled: settings.disabled,
        quality: proto::VideoQuality::High as i32,
        width: settings.width,
        height: settings.height,
        fps: settings.fps,
        ..Default::default()
    })
}

pub(crate) fn subscription(sid: &str, subscribe: bool) -> Request {
    Request::Subscription(proto::UpdateSubscription {
        track_sids: vec![sid.to_owned()],
        subscribe,
        ..Default::default()
    })
}

pub(crate) fn mute(sid: &str, muted: bool) -> Request {
    Request::Mute(proto::MuteTrackRequest { sid: sid.to_owned(), muted })
}

pub(crate) fn leave() -> Request {
    Request::Leave(proto::LeaveRequest {
        reason: proto::DisconnectReason::ClientInitiated as i32,
        ..Default::default()
    })
}

/// The address that the kernel would send from to the server; what the host candidate names.
pub(crate) fn local_ip(server: &Url) -> IpAddr {
    let target = server.host_str().and_then(|host| host.trim_matches(['[', ']']).parse::<IpAddr>().ok());
    let target = target.unwrap_or(IpAddr::from([127, 0, 0, 1]));
    let any: IpAddr = if target.is_ipv4() { IpAddr::from([0; 4]) } else { IpAddr::from([0_u16; 8]) };
    std::net::UdpSocket::bind((any, 0))
        .and_then(|socket| socket.connect((target, 9)).and_then(|()| socket.local_addr()))
        .map_or(target, |address| address.ip())
}
