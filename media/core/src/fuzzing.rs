//! What the fuzz targets call of this crate's parsers. No part of its interface.

use crate::{
    Codec, Vp9Patch, dependency, keyframe,
    red::{self, REDUNDANT_MAX, Red},
    vp8, vp9,
};

/// A payload, taken for each codec: what is read must hold together, and be the same whatever follows it.
pub fn payload(data: &[u8]) {
    if let Some(descriptor) = vp8::Descriptor::parse(data) {
        assert!(descriptor.starts_frame || !descriptor.starts_keyframe, "{descriptor:?}");
        assert!(descriptor.picture_id.is_none_or(|id| u32::from(id.value) < 1 << id.bits), "{descriptor:?}");
        assert!(descriptor.tl0_pic_idx.is_none() || descriptor.temporal.is_some(), "{descriptor:?}");
    }
    if let Some(descriptor) = vp9::Descriptor::parse(data) {
        assert!(descriptor.picture_id.is_none_or(|id| u32::from(id.value) < 1 << id.bits), "{descriptor:?}");
        let mut changed = data.to_vec();
        Vp9Patch { picture_id: Some(0x2a), tl0_pic_idx: Some(7) }.write(&mut changed);
        let after = vp9::Descriptor::parse(&changed).map(|after| (after.layer, after.starts_keyframe()));
        assert_eq!(after, Some((descriptor.layer, descriptor.starts_keyframe())), "only numbers change");
    }
    for codec in [Codec::H264, Codec::Av1] {
        keyframe::starts_keyframe(codec, data);
    }
}

/// Dependency descriptors of one stream, each behind a byte with its length.
pub fn dependencies(data: &[u8]) {
    let (mut known, mut rest) = (None, data);
    while let Some((length, after)) = rest.split_first() {
        let (descriptor, after) = after.split_at(usize::from(*length).min(after.len()));
        rest = after;
        let Some(parsed) = dependency::parse(descriptor, known.as_ref()) else { continue };
        assert!(parsed.structure.is_some() || known.is_some(), "read without templates");
        assert!(parsed.descriptor.references.iter().all(|distance| distance > 0), "a frame needs itself");
        known = parsed.structure.or(known);
    }
}

/// A packet of redundant sound, taken apart; and one made of what was in it.
pub fn redundancy(data: &[u8]) {
    let Some(red) = Red::parse(data) else { return };
    let newest = (4_000, 960_000);
    for (number, _, payload) in red.recovers(4_006, 965_760, newest) {
        assert!(number > newest.0 && number < 4_006 && !payload.is_empty());
    }
    let earlier: Vec<_> = red.earlier().iter().map(|block| (block.offset, block.payload)).collect();
    let mut made = Vec::new();
    let count = red::write(111, &earlier, red.primary, &mut made);
    assert!(count <= REDUNDANT_MAX);
    let again = Red::parse(&made).map(|again| (again.earlier().to_vec(), again.primary.to_vec()));
    let expected = (red.earlier()[earlier.len() - count..].to_vec(), red.primary.to_vec());
    assert_eq!(again, Some(expected), "what is made is read");
}
