#![allow(clippy::unwrap_used)]
use proptest::prelude::*;

use super::*;

/// Writes bits, the highest of each byte first.
#[derive(Default)]
pub(crate) struct Writer {
    bits: Vec<bool>,
}

impl Writer {
    pub(crate) fn put(&mut self, value: u64, count: usize) {
        self.bits.extend((0..count).rev().map(|bit| value >> bit & 1 != 0));
    }

    fn non_symmetric(&mut self, value: u64, range: u64) {
        let width = 64 - range.leading_zeros() as usize;
        let short = (1u64 << width) - range;
        if value < short {
            self.put(value, width - 1);
        } else {
            self.put(value + short, width);
        }
    }

    pub(crate) fn bytes(mut self) -> Vec<u8> {
        self.bits.resize(self.bits.len().next_multiple_of(8), false);
        self.bits.chunks(8).map(|bits| bits.iter().fold(0, |byte, bit| byte << 1 | u8::from(*bit))).collect()
    }
}

/// A template as it is written down: layers, indications by decode target, references.
pub(crate) type Draft = (u8, u8, Vec<u8>, Vec<u16>);

pub(crate) fn mandatory(writer: &mut Writer, template: u8, number: u16) {
    writer.put(0b11, 2);
    writer.put(template.into(), 6);
    writer.put(number.into(), 16);
}

pub(crate) fn with_structure(
    drafts: &[Draft],
    offset: u8,
    chains: usize,
    sizes: &[(u16, u16)],
    number: u16,
) -> Vec<u8> {
    let mut writer = Writer::default();
    let targets = drafts[0].2.len();
    mandatory(&mut writer, offset, number);
    writer.put(0b10000, 5);
    writer.put(offset.into(), 6);
    writer.put(targets as u64 - 1, 5);
    for pair in drafts.windows(2) {
        let next = match (pair[1].0 - pair[0].0, pair[0].1 == pair[1].1) {
            (0, true) => 0,
            (0, false) => 1,
            _ => 2,
        };
        writer.put(next, 2);
    }
    writer.put(3, 2);
    for indication in drafts.iter().flat_map(|draft| &draft.2) {
        writer.put((*indication).into(), 2);
    }
    for draft in drafts {
        for distance in &draft.3 {
            writer.put(1, 1);
            writer.put(u64::from(*distance) - 1, 4);
        }
        writer.put(0, 1);
    }
    writer.non_symmetric(chains as u64, targets as u64 + 1);
    if chains > 0 {
        for target in 0..targets {
            writer.non_symmetric((target % chains) as u64, chains as u64);
        }
        for _ in 0..drafts.len() * chains {
            writer.put(1, 4);
        }
    }
    writer.put(u64::from(!sizes.is_empty()), 1);
    for (width, height) in sizes {
        writer.put(u64::from(*width) - 1, 16);
        writer.put(u64::from(*height) - 1, 16);
    }
    writer.bytes()
}

/// One spatial layer in two temporal ones: a keyframe, a base frame, and one above it.
fn two_temporal() -> Vec<Draft> {
    vec![(0, 0, vec![2, 2], vec![]), (0, 0, vec![2, 2], vec![2]), (0, 1, vec![0, 1], vec![1])]
}

fn structure_of(bytes: &[u8]) -> Structure {
    parse(bytes, None).unwrap().structure.unwrap()
}

#[test]
fn a_keyframe_brings_the_templates() {
    let bytes = with_structure(&two_temporal(), 60, 1, &[(640, 360)], 1000);
    let parsed = parse(&bytes, None).unwrap();
    let descriptor = parsed.descriptor;
    assert!(descriptor.starts_keyframe && descriptor.ends_frame);
    assert_eq!((descriptor.frame_number, descriptor.spatial, descriptor.temporal), (1000, 0, 0));
    assert_eq!(descriptor.layers, Some(1));
    assert!(descriptor.switches.contains(0, 0) && descriptor.switches.contains(0, 1));
    assert!(!descriptor.targets.contains(0, 2) && !descriptor.targets.contains(1, 0));
    let structure = parsed.structure.unwrap();
    assert_eq!(structure.sizes.unwrap()[0], (640, 360));
    assert!(structure.predates(999) && structure.predates(65_000) && !structure.predates(1001));
    for length in 0..bytes.len() {
        assert!(parse(&bytes[..length], None).is_none(), "cut off at {length}");
    }
}

#[test]
fn other_frames_name_their_template() {
    let structure = structure_of(&with_structure(&two_temporal(), 60, 1, &[], 1000));
    assert!(parse(&[0xc0 | 61, 0x03, 0xe9], None).is_none(), "templates not known");
    let base = parse(&[0xc0 | 61, 0x03, 0xe9], Some(&structure)).unwrap().descriptor;
    assert_eq!(base.frame_number, 1001);
    assert_eq!(base.references.iter().collect::<Vec<_>>(), [2]);
    assert!(!base.starts_keyframe && base.layers.is_none());
    let above = parse(&[62, 0x03, 0xea], Some(&structure)).unwrap().descriptor;
    assert_eq!((above.temporal, above.starts_frame, above.ends_frame), (1, false, false));
    assert!(!above.switches.contains(0, 0) && !above.switches.contains(0, 1));
    assert!(parse(&[63, 0x03, 0xea], Some(&structure)).is_none(), "a fourth template");
    assert!(parse(&[59, 0x03, 0xea], Some(&structure)).is_none(), "one below the first");
}

#[test]
fn a_frame_may_differ_from_its_template() {
    let structure = structure_of(&with_structure(&two_temporal(), 0, 1, &[], 7));
    let mut writer = Writer::default();
    mandatory(&mut writer, 2, 9);
    writer.put(0b01111, 5);
    writer.put(0b01, 2);
    writer.put(0b00_10, 4);
    // References 17 and 300 frames back.
    writer.put(2, 2);
    writer.put(16, 8);
    writer.put(3, 2);
    writer.put(299, 12);
    writer.put(0, 2);
    writer.put(200, 8);
    let descriptor = parse(&writer.bytes(), Some(&structure)).unwrap().descriptor;
    assert_eq!(descriptor.references.iter().collect::<Vec<_>>(), [17, 300]);
    assert!(descriptor.switches.contains(0, 1) && !descriptor.switches.contains(0, 0));
    assert_eq!(descriptor.layers, Some(1));
}

#[test]
fn turned_off_decode_targets_count_no_layers() {
    let drafts = vec![(0, 0, vec![2, 2], vec![]), (1, 0, vec![0, 2], vec![1])];
    let structure = structure_of(&with_structure(&drafts, 0, 2, &[(320, 180), (640, 360)], 7));
    assert_eq!(structure.sizes.unwrap()[..2], [(320, 180), (640, 360)]);
    let active = |mask: u64| {
        let mut writer = Writer::default();
        mandatory(&mut writer, 0, 9);
        writer.put(0b01000, 5);
        writer.put(mask, 2);
        parse(&writer.bytes(), Some(&structure)).unwrap().descriptor.layers
    };
    assert_eq!([active(0b11), active(0b01), active(0b00)], [Some(2), Some(1), Some(0)]);
}

#[test]
fn too_many_layers_or_references_are_refused() {
    let mut drafts: Vec<Draft> = (0..4).map(|spatial| (spatial, 0, vec![2], vec![])).collect();
    assert!(parse(&with_structure(&drafts, 0, 0, &[], 1), None).is_some());
    drafts.push((4, 0, vec![2], vec![]));
    assert!(parse(&with_structure(&drafts, 0, 0, &[], 1), None).is_none());
    let many = vec![(0, 0, vec![2], vec![1; MAX_REFERENCES])];
    assert!(parse(&with_structure(&many, 0, 0, &[], 1), None).is_some());
    let too_many = vec![(0, 0, vec![2], vec![1; MAX_REFERENCES + 1])];
    assert!(parse(&with_structure(&too_many, 0, 0, &[], 1), None).is_none());
}

proptest! {
    #[test]
    fn reads_what_was_written(
        steps in proptest::collection::vec((0u8..3, proptest::collection::vec(1u16..=16, 0..4)), 1..20),
        targets in 1usize..=32,
        chains in 0usize..5,
        offset in 0u8..64,
        number in any::<u16>(),
        seed in any::<u64>(),
    ) {
        let (mut spatial, mut temporal) = (0u8, 0u8);
        let mut drafts: Vec<Draft> = Vec::new();
        for (index, (step, references)) in steps.into_iter().enumerate() {
            match step {
                _ if index == 0 => {}
                1 if temporal < 7 => temporal += 1,
                2 if spatial < 3 => (spatial, temporal) = (spatial + 1, 0),
                _ => {}
            }
            let indications = (0..targets).map(|target| (seed >> ((index + target) % 31 * 2) & 3) as u8).collect();
            drafts.push((spatial, temporal, indications, references));
        }
        let sizes: Vec<(u16, u16)> = (0..=spatial.into()).map(|layer: u16| (100 + layer, 50 + layer)).collect();
        let structure = structure_of(&with_structure(&drafts, offset, chains.min(targets), &sizes, number));
        prop_assert_eq!(structure.templates.len(), drafts.len());
        for (index, (spatial, temporal, indications, references)) in drafts.iter().enumerate() {
            let mut writer = Writer::default();
            mandatory(&mut writer, (offset + index as u8) % 64, number);
            let frame = parse(&writer.bytes(), Some(&structure)).unwrap().descriptor;
            prop_assert_eq!((frame.spatial, frame.temporal), (*spatial, *temporal));
            prop_assert_eq!(&frame.references.iter().collect::<Vec<_>>(), references);
            let read = structure.templates[index].indications;
            for (target, indication) in indications.iter().enumerate() {
                prop_assert_eq!(read.of(target), u64::from(*indication));
            }
        }
    }

    #[test]
    fn never_panics(
        bytes in proptest::collection::vec(any::<u8>(), 0..80),
        more in proptest::collection::vec(any::<u8>(), 0..20),
    ) {
        let mut bytes = bytes;
        if let Some(flags) = bytes.get_mut(3) {
            *flags |= 0x80;
        }
        let known = parse(&bytes, None).and_then(|parsed| parsed.structure);
        let _ = parse(&more, known.as_ref());
    }
}
