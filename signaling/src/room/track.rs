//! A published track.

use livekit_protocol as proto;
use parley_media_rtc::{MediaKind, ParticipantKey, Source, TrackKey, TrackSpec};

use crate::ids::{ParticipantSid, TrackSid};

/// Layers of a track that are kept.
const MAX_LAYERS: usize = 8;

#[derive(Debug)]
pub(crate) struct Track {
    pub(crate) key: TrackKey,
    pub(crate) sid: TrackSid,
    pub(crate) publisher: ParticipantKey,
    /// The client's ids of the track: of the request, then of each codec.
    pub(crate) cids: Vec<String>,
    /// Seen in an answered offer, or packets came: told to others.
    pub(crate) published: bool,
    /// Somebody has been told to receive it, once: the publisher knows.
    pub(crate) subscribed_told: bool,
    /// The last that its publisher was told of who watches it.
    pub(crate) quality_told: Option<proto::SubscribedQualityUpdate>,
    pub(crate) info: proto::TrackInfo,
}

impl Track {
    pub(crate) fn new(
        key: TrackKey,
        sid: TrackSid,
        publisher: ParticipantKey,
        request: &proto::AddTrackRequest,
        version_ms: i64,
    ) -> Self {
        let mut cids = vec![request.cid.clone()];
        for codec in &request.simulcast_codecs {
            if !codec.cid.is_empty() && !cids.contains(&codec.cid) {
                cids.push(codec.cid.clone());
            }
        }
        let info = track_info(&sid, request, version_ms);
        Self { key, sid, publisher, cids, published: false, subscribed_told: false, quality_told: None, info }
    }

    pub(crate) fn source(&self) -> proto::TrackSource {
        self.info.source()
    }

    /// What the media worker has to know.
    pub(crate) fn spec(&self, publisher: &ParticipantSid) -> TrackSpec {
        #[allow(deprecated)]
        let mut layers: Vec<(u32, u32, u64)> = self
            .info
            .layers
            .iter()
            .map(|layer| (layer.width, layer.height, u64::from(layer.bitrate)))
            .collect();
        layers.sort_unstable();
        TrackSpec {
            key: self.key,
            sid: self.sid.0.clone(),
            stream: format!("{publisher}|{}", self.sid),
            cid: self.cids.first().cloned().unwrap_or_default(),
            kind: if self.info.r#type() == proto::TrackType::Audio {
                MediaKind::Audio
            } else {
                MediaKind::Video
            },
            source: media_source(self.source()),
            layers,
            codec: match self.info.r#type() {
                // Encrypted end to end, packets can neither be taken apart nor be put together.
                proto::TrackType::Audio => (self.info.disable_red
                    || self.info.encryption() != proto::encryption::Type::None)
                    .then(|| "audio/opus".to_owned()),
                _ => Some(self.info.mime_type.clone()).filter(|mime| !mime.is_empty()),
            },
            muted: self.info.muted,
        }
    }
}

fn media_source(source: proto::TrackSource) -> Source {
    match source {
        proto::TrackSource::Camera => Source::Camera,
        proto::TrackSource::Microphone => Source::Microphone,
        proto::TrackSource::ScreenShare => Source::ScreenShare,
        proto::TrackSource::ScreenShareAudio => Source::ScreenShareAudio,
        proto::TrackSource::Unknown => Source::Unknown,
    }
}

#[allow(deprecated)]
fn track_info(sid: &TrackSid, request: &proto::AddTrackRequest, version_ms: i64) -> proto::TrackInfo {
    let audio = request.r#type() == proto::TrackType::Audio;
    let mut layers: Vec<proto::VideoLayer> = request.layers.iter().take(MAX_LAYERS).cloned().collect();
    if layers.is_empty() {
        layers = request
            .simulcast_codecs
            .first()
            .map(|codec| codec.layers.iter().take(MAX_LAYERS).cloned().collect())
            .unwrap_or_default();
    }
    let requested = request.simulcast_codecs.first().map_or("", |codec| codec.codec.as_str());
    let mime_type = mime_type(audio, requested);
    let codec = proto::SimulcastCodecInfo {
        mime_type: mime_type.clone(),
        cid: request.cid.clone(),
        layers: layers.clone(),
        ..Default::default()
    };
    let simulcast = !audio && layers.len() > 1;
    proto::TrackInfo {
        sid: sid.0.clone(),
        r#type: request.r#type,
        name: request.name.clone(),
        muted: request.muted,
        width: request.width,
        height: request.height,
        simulcast,
        disable_dtx: request.disable_dtx,
        source: request.source,
        layers,
        mime_type,
        codecs: vec![codec],
        stereo: request.stereo,
        disable_red: request.disable_red,
        encryption: request.encryption,
        stream: stream_name(request),
        version: Some(timed_version(version_ms)),
        audio_features: request.audio_features.clone(),
        backup_codec_policy: request.backup_codec_policy,
        packet_trailer_features: request.packet_trailer_features.clone(),
        ..Default::default()
    }
}

pub(crate) fn timed_version(wall_ms: i64) -> proto::TimedVersion {
    proto::TimedVersion { unix_micro: wall_ms.saturating_mul(1000), ticks: 0 }
}

/// `vp8` or `video/VP8` → `video/VP8`.
pub(crate) fn mime_type(audio: bool, codec: &str) -> String {
    let name = codec.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
    let mime = match name.as_str() {
        "vp8" => "video/VP8",
        "vp9" => "video/VP9",
        "h264" => "video/H264",
        "h265" => "video/H265",
        "av1" => "video/AV1",
        "red" => "audio/red",
        "opus" => "audio/opus",
        _ if audio => "audio/opus",
        _ => "video/VP8",
    };
    mime.to_owned()
}

fn stream_name(request: &proto::AddTrackRequest) -> String {
    if !request.stream.is_empty() {
        return request.stream.clone();
    }
    match request.source() {
        proto::TrackSource::Camera | proto::TrackSource::Microphone => "camera",
        proto::TrackSource::ScreenShare | proto::TrackSource::ScreenShareAudio => "screen_share",
        proto::TrackSource::Unknown => "",
    }
    .to_owned()
}
