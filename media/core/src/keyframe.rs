//! Does a packet start a keyframe? Read from the payload, per codec.

use crate::{Codec, vp8, vp9};

/// True for the first packet of a frame from which decoding can start. Always
/// true for audio. Truncated or malformed payloads are no keyframes.
pub(crate) fn starts_keyframe(codec: Codec, payload: &[u8]) -> bool {
    match codec {
        Codec::Opus | Codec::Red => true,
        Codec::Vp8 => vp8::Descriptor::parse(payload).is_some_and(|descriptor| descriptor.starts_keyframe),
        Codec::Vp9 => vp9::Descriptor::parse(payload).is_some_and(|descriptor| descriptor.starts_keyframe()),
        Codec::H264 => h264(payload).unwrap_or(false),
        Codec::Av1 => av1(payload).unwrap_or(false),
    }
}

const NAL_IDR: u8 = 5;
const NAL_SPS: u8 = 7;
const NAL_STAP_A: u8 = 24;
const NAL_FU_A: u8 = 28;

/// RFC 6184: a sequence parameter set, or the first slice of an IDR picture
/// (for streams whose parameter sets came with the signalling).
fn h264(payload: &[u8]) -> Option<bool> {
    match payload.first()? & 0x1f {
        NAL_STAP_A => stap_a(payload.get(1..)?),
        NAL_FU_A => {
            let header = payload.get(1)?;
            let starts = header & 0x80 != 0;
            Some(starts && opens_sequence(header & 0x1f, payload.get(2)))
        }
        kind => Some(opens_sequence(kind, payload.get(1))),
    }
}

fn stap_a(mut units: &[u8]) -> Option<bool> {
    while let [high, low, rest @ ..] = units {
        let size = usize::from(u16::from_be_bytes([*high, *low]));
        let unit = rest.get(..size)?;
        if opens_sequence(unit.first()? & 0x1f, unit.get(1)) {
            return Some(true);
        }
        units = &rest[size..];
    }
    Some(false)
}

/// `body` is the first byte after the NAL header. A slice begins with
/// first_mb_in_slice as an Exp-Golomb number: 0 is a single set bit.
fn opens_sequence(kind: u8, body: Option<&u8>) -> bool {
    match kind {
        NAL_SPS => body.is_some(),
        NAL_IDR => body.is_some_and(|byte| byte & 0x80 != 0),
        _ => false,
    }
}

/// RTP payload format for AV1, section 4.4: N marks the first packet of a coded
/// video sequence, and then nothing can be continued (Z = 0).
fn av1(payload: &[u8]) -> Option<bool> {
    let aggregation = *payload.first()?;
    Some(aggregation & 0x80 == 0 && aggregation & 0x08 != 0 && payload.len() > 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn vp8_needs_start_of_first_partition_and_key_bit() {
        assert!(starts_keyframe(Codec::Vp8, &[0x10, 0x10]));
        assert!(!starts_keyframe(Codec::Vp8, &[0x10, 0x11]), "interframe");
        assert!(!starts_keyframe(Codec::Vp8, &[0x00, 0x10]), "continuation");
        assert!(!starts_keyframe(Codec::Vp8, &[0x11, 0x10]), "second partition");
        assert!(!starts_keyframe(Codec::Vp8, &[0x10]));
    }

    #[test]
    fn vp9_needs_an_unpredicted_base_layer() {
        assert!(starts_keyframe(Codec::Vp9, &[0x08, 0x00]), "no layers");
        assert!(starts_keyframe(Codec::Vp9, &[0xa8, 0x81, 0x02, 0x00, 0x00, 0xff]), "15 bit id, layer 0");
        assert!(!starts_keyframe(Codec::Vp9, &[0xa8, 0x01, 0x02, 0x00]), "spatial layer 1");
        assert!(!starts_keyframe(Codec::Vp9, &[0x48, 0x00]), "predicted");
        assert!(!starts_keyframe(Codec::Vp9, &[0x00, 0x00]), "middle of a frame");
        assert!(!starts_keyframe(Codec::Vp9, &[0xa8, 0x81]), "cut off");
    }

    #[test]
    fn h264_finds_parameter_sets_and_first_idr_slices() {
        assert!(starts_keyframe(Codec::H264, &[0x67, 0x42]), "single SPS");
        assert!(!starts_keyframe(Codec::H264, &[0x68, 0xce]), "PPS alone");
        assert!(starts_keyframe(Codec::H264, &[0x65, 0x88]), "first IDR slice");
        assert!(!starts_keyframe(Codec::H264, &[0x65, 0x48]), "second IDR slice");
        assert!(!starts_keyframe(Codec::H264, &[0x61, 0x88]), "other slice");
        let stap = [0x78, 0, 2, 0x68, 0xce, 0, 3, 0x67, 0x42, 0x00];
        assert!(starts_keyframe(Codec::H264, &stap));
        assert!(!starts_keyframe(Codec::H264, &stap[..9]), "cut off");
        assert!(!starts_keyframe(Codec::H264, &[0x78, 0, 2, 0x68, 0xce]));
        assert!(starts_keyframe(Codec::H264, &[0x7c, 0x85, 0x88]), "FU-A start of IDR");
        assert!(starts_keyframe(Codec::H264, &[0x7c, 0x87, 0x42]), "FU-A start of SPS");
        assert!(!starts_keyframe(Codec::H264, &[0x7c, 0x05, 0x88]), "FU-A middle");
    }

    #[test]
    fn av1_reads_the_new_sequence_bit() {
        assert!(starts_keyframe(Codec::Av1, &[0x18, 0x0a]));
        assert!(!starts_keyframe(Codec::Av1, &[0x10, 0x0a]));
        assert!(!starts_keyframe(Codec::Av1, &[0x98, 0x0a]), "continued");
        assert!(!starts_keyframe(Codec::Av1, &[0x08]));
    }

    proptest! {
        #[test]
        fn never_panics(payload in proptest::collection::vec(any::<u8>(), 0..40)) {
            for codec in [Codec::Vp8, Codec::Vp9, Codec::H264, Codec::Av1] {
                starts_keyframe(codec, &payload);
            }
            prop_assert!(starts_keyframe(Codec::Opus, &payload));
        }
    }
}
