//! The VP9 payload descriptor (RFC 9628, section 4.2).

use crate::{
    Vp9Patch,
    track::MAX_LAYERS,
    vp8::{PICTURE_ID_BITS_LONG, PICTURE_ID_BITS_SHORT, PictureId},
};

/// Pictures that one picture of the flexible mode may refer to.
const MAX_REFERENCES: usize = 3;

/// Where a frame stands among the layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layer {
    pub temporal: u8,
    pub spatial: u8,
    /// The U bit: later pictures of higher temporal layers need nothing of those layers from before.
    pub switching_up: bool,
    /// The D bit: predicted from the spatial layer below in the same picture.
    pub inter_layer: bool,
}

/// What the scalability structure tells of the spatial layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Structure {
    /// Spatial layers of the stream, 1 to 8.
    pub layers: u8,
    /// Width and height of the lowest [`MAX_LAYERS`]; 0 where it is not said.
    pub sizes: [(u16, u16); MAX_LAYERS],
}

/// What the core reads of a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Descriptor {
    pub picture_id: Option<PictureId>,
    /// The P bit: needs an earlier picture.
    pub predicted: bool,
    pub layer: Option<Layer>,
    /// Only without the flexible mode.
    pub tl0_pic_idx: Option<u8>,
    pub starts_frame: bool,
    pub ends_frame: bool,
    pub structure: Option<Structure>,
}

impl Descriptor {
    /// `None` when the descriptor is cut off, breaks the rules or carries nothing.
    pub(crate) fn parse(payload: &[u8]) -> Option<Self> {
        let mut bytes = payload.iter().copied();
        let flags = bytes.next()?;
        let [has_picture_id, predicted, has_layer, flexible] =
            [0x80, 0x40, 0x20, 0x10].map(|bit| flags & bit != 0);
        let [starts_frame, ends_frame, has_structure] = [0x08, 0x04, 0x02].map(|bit| flags & bit != 0);
        if flexible && !has_picture_id {
            return None;
        }
        let picture_id = if has_picture_id { Some(picture_id(&mut bytes)?) } else { None };
        let mut layer = None;
        let mut tl0_pic_idx = None;
        if has_layer {
            let octet = bytes.next()?;
            layer = Some(Layer {
                temporal: octet >> 5,
                spatial: octet >> 1 & 0x07,
                switching_up: octet & 0x10 != 0,
                inter_layer: octet & 0x01 != 0,
            });
            if !flexible {
                tl0_pic_idx = Some(bytes.next()?);
            }
        }
        if flexible && predicted {
            references(&mut bytes)?;
        }
        let structure = if has_structure { Some(structure(&mut bytes)?) } else { None };
        bytes.next()?;
        Some(Self { picture_id, predicted, layer, tl0_pic_idx, starts_frame, ends_frame, structure })
    }

    /// First packet of a picture from which decoding can start.
    pub(crate) fn starts_keyframe(&self) -> bool {
        self.starts_frame && !self.predicted && self.spatial() == 0
    }

    pub(crate) fn spatial(&self) -> u8 {
        self.layer.map_or(0, |layer| layer.spatial)
    }

    pub(crate) fn temporal(&self) -> u8 {
        self.layer.map_or(0, |layer| layer.temporal)
    }
}

fn picture_id(bytes: &mut impl Iterator<Item = u8>) -> Option<PictureId> {
    let first = bytes.next()?;
    let high = u16::from(first & 0x7f);
    Some(if first & 0x80 != 0 {
        PictureId { value: high << 8 | u16::from(bytes.next()?), bits: PICTURE_ID_BITS_LONG }
    } else {
        PictureId { value: high, bits: PICTURE_ID_BITS_SHORT }
    })
}

/// P_DIFF octets; the lowest bit says that another follows.
fn references(bytes: &mut impl Iterator<Item = u8>) -> Option<()> {
    for _ in 0..MAX_REFERENCES {
        if bytes.next()? & 0x01 == 0 {
            return Some(());
        }
    }
    None
}

/// Section 4.2.1.
fn structure(bytes: &mut impl Iterator<Item = u8>) -> Option<Structure> {
    let head = bytes.next()?;
    let layers = (head >> 5) + 1;
    let mut sizes = [(0, 0); MAX_LAYERS];
    if head & 0x10 != 0 {
        for spatial in 0..usize::from(layers) {
            let mut number = || Some(u16::from_be_bytes([bytes.next()?, bytes.next()?]));
            let size = (number()?, number()?);
            if let Some(place) = sizes.get_mut(spatial) {
                *place = size;
            }
        }
    }
    if head & 0x08 != 0 {
        for _ in 0..bytes.next()? {
            let references = bytes.next()? >> 2 & 0x03;
            for _ in 0..references {
                bytes.next()?;
            }
        }
    }
    Some(Structure { layers, sizes })
}

impl Vp9Patch {
    /// Writes the numbers into a payload, in the width that its fields have. A payload that is not
    /// of VP9 stays as it is.
    pub fn write(&self, payload: &mut [u8]) {
        let Some(flags) = payload.first().copied() else { return };
        let mut at = 1;
        if flags & 0x80 != 0 {
            let long = payload.get(at).is_some_and(|byte| byte & 0x80 != 0);
            let width = if long { 2 } else { 1 };
            if let (Some(id), Some(field)) = (self.picture_id, payload.get_mut(at..at + width)) {
                match field {
                    [high, low] => [*high, *low] = (id | 0x8000).to_be_bytes(),
                    [short] => *short = (id & 0x7f) as u8,
                    _ => {}
                }
            }
            at += width;
        }
        let has_tl0 = flags & 0x20 != 0 && flags & 0x10 == 0;
        if has_tl0 && let (Some(index), Some(field)) = (self.tl0_pic_idx, payload.get_mut(at + 1)) {
            *field = index;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn long(value: u16) -> Option<PictureId> {
        Some(PictureId { value, bits: PICTURE_ID_BITS_LONG })
    }

    #[test]
    fn a_key_picture_with_its_structure() {
        // I, L, B, V; picture 0x1234; T0 U S0; TL0PICIDX 9; three layers with sizes; a group of
        // four pictures with up to two references.
        let payload = [
            0xaa, 0x92, 0x34, 0x10, 0x09, 0x58, 1, 64, 0, 180, 2, 128, 1, 104, 5, 0, 2, 208, 4, 0x14, 4,
            0x54, 1, 0x34, 2, 0x58, 1, 2, 0xff,
        ];
        let parsed = Descriptor::parse(&payload).unwrap();
        assert_eq!(parsed.picture_id, long(0x1234));
        assert_eq!(parsed.tl0_pic_idx, Some(9));
        let layer = Layer { temporal: 0, spatial: 0, switching_up: true, inter_layer: false };
        assert_eq!(parsed.layer, Some(layer));
        assert!(parsed.starts_keyframe() && !parsed.ends_frame);
        let sizes = [(320, 180), (640, 360), (1280, 720), (0, 0)];
        assert_eq!(parsed.structure, Some(Structure { layers: 3, sizes }));
        for length in 0..payload.len() {
            assert_eq!(Descriptor::parse(&payload[..length]), None, "cut off at {length}");
        }
    }

    #[test]
    fn a_layer_above_of_the_flexible_mode() {
        // I, P, L, F, B, E; picture 5 in seven bits; T2 S1 D; two references.
        let payload = [0xfc, 0x05, 0x43, 0x03, 0x04, 0xff];
        let parsed = Descriptor::parse(&payload).unwrap();
        assert_eq!(parsed.picture_id, Some(PictureId { value: 5, bits: PICTURE_ID_BITS_SHORT }));
        assert_eq!((parsed.temporal(), parsed.spatial()), (2, 1));
        assert!(parsed.layer.unwrap().inter_layer && parsed.ends_frame && parsed.predicted);
        assert_eq!(parsed.tl0_pic_idx, None);
        assert!(!parsed.starts_keyframe());
        assert_eq!(
            Descriptor::parse(&[0xfc, 0x05, 0x43, 0x03, 0x05, 0x07, 0xff]),
            None,
            "a fourth reference"
        );
        assert_eq!(Descriptor::parse(&[0x30, 0x00, 0xff]), None, "flexible without a picture id");
    }

    #[test]
    fn upper_layers_of_a_key_picture_are_no_entry() {
        assert!(Descriptor::parse(&[0xa8, 0x05, 0x00, 0x01, 0xff]).unwrap().starts_keyframe());
        assert!(!Descriptor::parse(&[0xa8, 0x05, 0x03, 0x01, 0xff]).unwrap().starts_keyframe());
        assert!(Descriptor::parse(&[0x08, 0xff]).unwrap().starts_keyframe(), "no layers at all");
        assert!(!Descriptor::parse(&[0x48, 0xff]).unwrap().starts_keyframe());
        assert_eq!(Descriptor::parse(&[0x08]), None, "nothing in it");
    }

    proptest! {
        #[test]
        fn reads_back_what_was_written(
            payload in proptest::collection::vec(any::<u8>(), 0..40),
            picture_id in any::<u16>(),
            tl0 in any::<u8>(),
        ) {
            let before = Descriptor::parse(&payload);
            let mut after = payload.clone();
            Vp9Patch { picture_id: Some(picture_id), tl0_pic_idx: Some(tl0) }.write(&mut after);
            if let Some(before) = before {
                let parsed = Descriptor::parse(&after).unwrap();
                let id = before.picture_id.map(|id| PictureId { value: picture_id & ((1 << id.bits) - 1), ..id });
                let tl0_pic_idx = before.tl0_pic_idx.map(|_| tl0);
                prop_assert_eq!(parsed, Descriptor { picture_id: id, tl0_pic_idx, ..before });
            }
            prop_assert_eq!(after.len(), payload.len());
        }
    }
}
