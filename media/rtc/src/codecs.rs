//! What a peer connection is built with, and how payload types of two connections correspond.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, OnceLock},
    time::Instant,
};

use parley_media_core::{Codec, Spatial};
use str0m::{
    Candidate, Rtc, RtcConfig,
    bwe::Bitrate,
    crypto::CryptoProvider,
    format::{self, PayloadParams},
    media::{Media, Pt},
    rtp::{Extension, ExtensionMap},
};

use crate::{bandwidth::START_BPS, descriptor, room::STATS_INTERVAL};

/// Packets kept for retransmission: a second of the largest layer.
pub(crate) const RESEND_PACKETS_VIDEO: usize = 1_000;
const RESEND_PACKETS_AUDIO: usize = 100;
/// The smallest bound on data messages that a client is told; SDKs take 64 KiB for granted.
const DATA_MESSAGE_BYTES_MIN: u32 = 64 * 1024;

fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    Arc::clone(PROVIDER.get_or_init(|| Arc::new(str0m::crypto::from_feature_flags())))
}

/// For the integrity of STUN messages (RFC 8489, section 14.5).
pub(crate) fn sha1_hmac(key: &[u8], payloads: &[&[u8]]) -> [u8; 20] {
    provider().sha1_hmac_provider.sha1_hmac(key, payloads)
}

/// Header extensions: sound level, send time, transport-wide sequence, mid, rids, rotation,
/// and for AV1 the dependency descriptor. The ids are those that browsers offer; from 15 on
/// each packet would need the longer form.
///
/// Not negotiated: the layer allocation. It would be parsed before a packet is authenticated,
/// and layers are announced over signaling.
fn extensions() -> ExtensionMap {
    let mut map = ExtensionMap::standard();
    map.set(5, Extension::PlayoutDelay);
    map.set(6, Extension::VideoContentType);
    map.set(12, descriptor::extension());
    map
}

/// Builds a peer connection; takes 3 to 4 ms, so not on a worker's thread.
/// `None` if the state machine could not be built (no entropy, for instance).
pub(crate) fn build(candidates: &[Candidate], max_data_message: usize) -> Option<Box<Rtc>> {
    let message_bytes = u32::try_from(max_data_message).unwrap_or(u32::MAX).max(DATA_MESSAGE_BYTES_MIN);
    let config = RtcConfig::new()
        .set_crypto_provider(provider())
        .set_ice_lite(true)
        .set_rtp_mode(true)
        .clear_codecs()
        .enable_opus(true, true)
        .enable_vp8(true)
        .enable_h264(true)
        .enable_vp9(true)
        .enable_av1(true)
        .set_extension_map(extensions())
        .enable_external_bwe(Bitrate::from(START_BPS))
        .set_stats_interval(Some(STATS_INTERVAL))
        .set_send_buffer_video(RESEND_PACKETS_VIDEO)
        .set_send_buffer_audio(RESEND_PACKETS_AUDIO)
        .set_sctp_max_message_size(message_bytes);
    let build = || {
        let mut rtc = config.build(Instant::now());
        for candidate in candidates {
            rtc.add_local_candidate(candidate.clone());
        }
        Box::new(rtc)
    };
    catch_unwind(AssertUnwindSafe(build)).ok()
}

/// The payload types of sound that were negotiated, a bit each.
pub(crate) fn sound_types(rtc: &Rtc) -> u128 {
    let params = rtc.codec_config().params().iter();
    let sound = params.filter(|params| params.spec().codec.is_audio());
    let types = sound.flat_map(|params| [Some(params.pt()), params.red()].into_iter().flatten());
    types.fold(0, |types, pt| types | 1 << (*pt & 0x7f))
}

/// A payload type as received.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InPayload {
    pub(crate) pt: Pt,
    pub(crate) params: PayloadParams,
    pub(crate) red: bool,
}

impl InPayload {
    pub(crate) fn find(rtc: &Rtc, pt: Pt) -> Option<Self> {
        let params = rtc.codec_config().params();
        let main = params.iter().find(|params| params.pt() == pt);
        let red = || params.iter().find(|params| params.red() == Some(pt));
        match main {
            Some(params) => Some(Self { pt, params: *params, red: false }),
            None => red().map(|params| Self { pt, params: *params, red: true }),
        }
    }

    /// `None` for codecs that are not routed.
    pub(crate) fn codec(&self) -> Option<Codec> {
        if self.red {
            return Some(Codec::Red);
        }
        match self.params.spec().codec {
            format::Codec::Opus => Some(Codec::Opus),
            format::Codec::Vp8 => Some(Codec::Vp8),
            format::Codec::Vp9 => Some(Codec::Vp9),
            format::Codec::H264 => Some(Codec::H264),
            format::Codec::Av1 => Some(Codec::Av1),
            _ => None,
        }
    }

    pub(crate) fn clock_rate(&self) -> u32 {
        self.params.spec().clock_rate.get()
    }
}

/// The name of a codec as clients know it.
pub(crate) fn mime(codec: Codec) -> &'static str {
    match codec {
        Codec::Opus => "audio/opus",
        Codec::Red => "audio/red",
        Codec::Vp8 => "video/VP8",
        Codec::Vp9 => "video/VP9",
        Codec::H264 => "video/H264",
        Codec::Av1 => "video/AV1",
    }
}

/// How a received payload goes out on a section of another connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OutPayload {
    /// As it is, under this payload type.
    Whole(Pt),
    /// As it is, or with the frames before it under the other payload type.
    Redundant { plain: Pt, red: Pt },
    /// The primary block of a redundant packet, under this payload type.
    Primary(Pt),
    /// The receiver cannot take it.
    Impossible,
}

impl OutPayload {
    pub(crate) fn find(rtc: &Rtc, section: &Media, incoming: &InPayload) -> Self {
        let negotiated = section.remote_pts();
        let own = rtc.codec_config().params().iter().filter(|params| negotiated.contains(&params.pt()));
        let Some(best) = own
            .filter_map(|params| Some((closeness(params, &incoming.params)?, params)))
            .max_by_key(|(closeness, _)| *closeness)
            .map(|(_, params)| params)
        else {
            return Self::Impossible;
        };
        match (incoming.red, best.red()) {
            (false, Some(red)) => Self::Redundant { plain: best.pt(), red },
            (false, None) => Self::Whole(best.pt()),
            (true, Some(red)) => Self::Whole(red),
            (true, None) => Self::Primary(best.pt()),
        }
    }
}

/// How well a payload fits another of the same codec; `None` = not decodable as such.
fn closeness(own: &PayloadParams, incoming: &PayloadParams) -> Option<u8> {
    let (own, incoming) = (own.spec(), incoming.spec());
    if own.codec != incoming.codec {
        return None;
    }
    match own.codec {
        format::Codec::H264 => {
            let mode = |format: format::FormatParams| format.packetization_mode.unwrap_or(0);
            if mode(own.format) != mode(incoming.format) {
                return None;
            }
            // profile_idc is the first of three bytes (RFC 6184, section 8.1); a receiver of
            // another profile may still decode the constrained baseline that browsers send.
            let profile = |format: format::FormatParams| format.profile_level_id.unwrap_or(0x42_00_0a) >> 16;
            let exact = own.format.profile_level_id == incoming.format.profile_level_id;
            let alike = profile(own.format) == profile(incoming.format);
            Some(u8::from(alike) + u8::from(exact))
        }
        format::Codec::Vp9 => {
            let profile = |format: format::FormatParams| format.profile_id.unwrap_or(0);
            (profile(own.format) == profile(incoming.format)).then_some(0)
        }
        _ => Some(0),
    }
}

/// The layer that a rid names. Browser SDKs name them q, h, f (quarter, half, full);
/// others by their place among `offered`. Without a rid there is one layer.
pub(crate) fn spatial_of(rid: Option<&str>, offered: &[String]) -> Spatial {
    const LAYERS_MAX: usize = 3;
    let Some(rid) = rid else { return Spatial(0) };
    let named = |rid: &str| match rid {
        "q" => Some(0u8),
        "h" => Some(1),
        "f" => Some(2),
        _ => None,
    };
    let all_named = offered.iter().all(|rid| named(rid).is_some());
    if let Some(spatial) = named(rid).filter(|_| all_named) {
        // A lone "f" or a pair "h", "f" still counts from zero.
        let below = offered.iter().filter(|other| named(other).is_some_and(|other| other < spatial)).count();
        return Spatial(if offered.is_empty() { spatial } else { u8::try_from(below).unwrap_or(spatial) });
    }
    let place = offered.iter().position(|other| other == rid).unwrap_or(0).min(LAYERS_MAX - 1);
    Spatial(u8::try_from(place).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rids(rids: &[&str]) -> Vec<String> {
        rids.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn rids_name_layers_from_zero() {
        let all = rids(&["f", "h", "q"]);
        assert_eq!(spatial_of(Some("q"), &all), Spatial(0));
        assert_eq!(spatial_of(Some("h"), &all), Spatial(1));
        assert_eq!(spatial_of(Some("f"), &all), Spatial(2));
        assert_eq!(spatial_of(Some("f"), &rids(&["h", "f"])), Spatial(1));
        assert_eq!(spatial_of(None, &all), Spatial(0));
        assert_eq!(spatial_of(Some("2"), &rids(&["0", "1", "2", "3"])), Spatial(2));
        assert_eq!(spatial_of(Some("3"), &rids(&["0", "1", "2", "3"])), Spatial(2));
        assert_eq!(spatial_of(Some("unknown"), &rids(&["0", "1"])), Spatial(0));
    }

    #[test]
    fn every_configured_payload_type_is_routed() {
        let rtc = build(&[], 1000).unwrap();
        for params in rtc.codec_config().params() {
            let found = InPayload::find(&rtc, params.pt()).unwrap();
            assert!(found.codec().is_some() && !found.red);
            assert_eq!(closeness(params, params).map(|_| ()), Some(()));
        }
        let red = rtc.codec_config().params().iter().find_map(PayloadParams::red).unwrap();
        assert_eq!(InPayload::find(&rtc, red).unwrap().codec(), Some(Codec::Red));
    }
}
