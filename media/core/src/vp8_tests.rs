#![allow(clippy::unwrap_used)]
use proptest::prelude::*;

use super::*;

fn packet(picture: u64, tl0: u8, temporal: u8, sync: bool, key: bool) -> Packet {
    Packet {
        picture: Some(picture),
        descriptor: Descriptor {
            picture_id: Some(PictureId { value: (picture & 0x7fff) as u16, bits: PICTURE_ID_BITS_LONG }),
            tl0_pic_idx: Some(tl0),
            temporal: Some(temporal),
            layer_sync: sync,
            key_idx: None,
            starts_frame: true,
            starts_keyframe: key,
        },
    }
}

fn picture_of(verdict: Verdict) -> Option<u16> {
    match verdict {
        Verdict::Forward(patch) => patch.picture_id,
        _ => None,
    }
}

#[test]
fn reads_every_field() {
    let read = Descriptor::parse(&[0x90, 0xf0, 0x92, 0x34, 0x55, 0xa7, 0x00]).unwrap();
    assert_eq!(read.picture_id, Some(PictureId { value: 0x1234, bits: 15 }));
    assert_eq!(read.tl0_pic_idx, Some(0x55));
    assert_eq!(read.temporal, Some(2));
    assert!(read.layer_sync && read.starts_frame && read.starts_keyframe);
    assert_eq!(read.key_idx, Some(7));
    let short = Descriptor::parse(&[0x90, 0x80, 0x42, 0x01]).unwrap();
    assert_eq!(short.picture_id, Some(PictureId { value: 0x42, bits: 7 }));
    assert!(!short.starts_keyframe);
}

#[test]
fn refuses_what_is_cut_off_or_wrong() {
    assert_eq!(Descriptor::parse(&[]), None);
    assert_eq!(Descriptor::parse(&[0x90, 0x80, 0x92, 0x34]), None, "no payload behind it");
    assert_eq!(Descriptor::parse(&[0x90, 0x40, 0x01, 0x00]), None, "TL0PICIDX without TID");
}

#[test]
fn picture_ids_are_extended_over_wraps_both_ways() {
    let mut clock = PictureClock::default();
    let id = |value| PictureId { value, bits: 15 };
    let first = clock.extend(id(0x7ffe));
    assert_eq!(clock.extend(id(0x7fff)), first + 1);
    assert_eq!(clock.extend(id(1)), first + 3);
    assert_eq!(clock.extend(id(0x7fff)), first + 1, "late");
    assert_eq!(clock.extend(id(2)), first + 4);
}

#[test]
fn numbers_go_on_over_a_switch() {
    let mut numbers = Numbers::new();
    numbers.begin(3);
    let Verdict::Forward(first) = numbers.judge(&packet(1000, 200, 0, false, true), true, 3) else {
        panic!("dropped")
    };
    numbers.begin(3);
    let Verdict::Forward(second) = numbers.judge(&packet(7, 3, 0, false, true), true, 3) else {
        panic!("dropped")
    };
    assert_eq!(second.picture_id.unwrap(), first.picture_id.unwrap() + 1);
    assert_eq!(second.tl0_pic_idx.unwrap(), first.tl0_pic_idx.unwrap() + 1);
}

#[test]
fn dropped_temporal_layers_leave_no_gap() {
    let mut numbers = Numbers::new();
    numbers.begin(0);
    assert_eq!(picture_of(numbers.judge(&packet(100, 1, 0, false, true), true, 0)), Some(1));
    assert_eq!(numbers.judge(&packet(101, 1, 1, false, false), true, 0), Verdict::Thin { joined: false });
    assert_eq!(numbers.judge(&packet(101, 1, 1, false, false), true, 0), Verdict::Thin { joined: true });
    assert_eq!(picture_of(numbers.judge(&packet(102, 2, 0, false, false), true, 0)), Some(2));
}

#[test]
fn a_higher_temporal_layer_starts_where_it_is_in_sync() {
    let mut numbers = Numbers::new();
    numbers.begin(0);
    numbers.judge(&packet(100, 1, 0, false, true), true, 0);
    assert!(matches!(numbers.judge(&packet(101, 1, 1, false, false), true, 2), Verdict::Thin { .. }));
    assert_eq!(picture_of(numbers.judge(&packet(102, 1, 2, true, false), true, 2)), Some(2));
    assert!(matches!(numbers.judge(&packet(103, 1, 2, false, false), true, 2), Verdict::Thin { .. }));
    assert_eq!(picture_of(numbers.judge(&packet(104, 1, 1, true, false), true, 2)), Some(3));
    let thinned = numbers.judge(&packet(105, 1, 2, false, false), true, 2);
    assert!(matches!(thinned, Verdict::Thin { .. }), "it may need 103");
    assert_eq!(picture_of(numbers.judge(&packet(106, 1, 2, true, false), true, 2)), Some(4));
    assert_eq!(picture_of(numbers.judge(&packet(107, 1, 2, false, false), true, 2)), Some(5));
}

/// Temporal layer and Y bit of Chromium's pictures, over and over from each keyframe on.
const PATTERN: [(u8, bool); 8] =
    [(0, false), (2, true), (1, true), (2, false), (0, false), (2, false), (1, false), (2, false)];

#[test]
fn a_layer_whose_beginning_the_encoder_left_out_stays_closed_until_the_next() {
    let mut numbers = Numbers::new();
    numbers.begin(2);
    let mut picture = 100;
    let mut sent = Vec::new();
    for (place, (temporal, sync)) in PATTERN.iter().chain(&PATTERN).enumerate() {
        if place == 1 {
            continue; // Nothing is missing in the numbers: the picture was never encoded.
        }
        let verdict = numbers.judge(&packet(picture, 1, *temporal, *sync, place == 0), true, 2);
        picture += 1;
        if picture_of(verdict).is_some() {
            sent.push(place);
        }
    }
    assert_eq!(sent, [0, 2, 4, 6, 8, 9, 10, 11, 12, 13, 14, 15]);
}

#[test]
fn what_is_lost_may_have_begun_a_layer() {
    let mut numbers = Numbers::new();
    numbers.begin(2);
    numbers.judge(&packet(100, 1, 0, false, true), true, 2);
    assert_eq!(picture_of(numbers.judge(&packet(102, 1, 1, true, false), true, 2)), Some(3));
    assert_eq!(picture_of(numbers.judge(&packet(103, 1, 2, false, false), true, 2)), Some(4));
    assert_eq!(picture_of(numbers.judge(&packet(101, 1, 2, true, false), false, 2)), Some(2), "sent again");
    // Not a layer that was not wanted.
    numbers.begin(1);
    numbers.judge(&packet(7, 1, 0, false, true), true, 1);
    assert!(matches!(numbers.judge(&packet(9, 1, 2, false, false), true, 2), Verdict::Thin { .. }));
}

#[test]
fn late_frames_above_the_limit_stay_out() {
    let mut numbers = Numbers::new();
    numbers.begin(1);
    assert_eq!(picture_of(numbers.judge(&packet(100, 1, 0, false, true), true, 1)), Some(1));
    // 101 and 102 are late; their places are kept, because nothing was known of them.
    assert_eq!(picture_of(numbers.judge(&packet(103, 2, 0, false, false), true, 1)), Some(4));
    assert_eq!(numbers.judge(&packet(101, 1, 2, true, false), false, 1), Verdict::Thin { joined: false });
    assert_eq!(picture_of(numbers.judge(&packet(102, 1, 1, false, false), false, 1)), Some(3));
    assert_eq!(picture_of(numbers.judge(&packet(104, 2, 1, false, false), true, 1)), Some(5));
}

#[test]
fn a_step_back_in_new_packets_starts_a_new_row() {
    let mut numbers = Numbers::new();
    numbers.begin(3);
    assert_eq!(picture_of(numbers.judge(&packet(1000, 1, 0, false, true), true, 3)), Some(1));
    assert_eq!(picture_of(numbers.judge(&packet(500, 1, 0, false, true), true, 3)), Some(2));
    assert_eq!(picture_of(numbers.judge(&packet(501, 1, 0, false, false), true, 3)), Some(3));
}

/// Places frames as libwebrtc's receiver does: what it cannot place it holds back, and with it
/// what comes after on the same layers.
#[derive(Default)]
struct Receiver {
    newest: [Option<u16>; 3],
    held_back: Vec<u16>,
}

impl Receiver {
    fn places(&mut self, picture: u16, temporal: u8, sync: bool, key: bool) -> bool {
        if key {
            *self = Self::default();
        }
        let needed = &self.newest[..=usize::from(temporal)];
        let whole = || {
            needed
                .iter()
                .all(|newest| newest.is_some_and(|newest| !self.held_back.iter().any(|held| *held > newest)))
        };
        let placed = temporal == 0 || sync || whole();
        if placed {
            self.newest[usize::from(temporal)] = Some(picture);
        } else {
            self.held_back.push(picture);
        }
        placed
    }
}

proptest! {
    /// Whatever the encoder leaves out and however the wish changes, what goes out can be placed.
    #[test]
    fn a_receiver_places_every_frame(
        plan in proptest::collection::vec((0u8..12, any::<bool>(), 0u8..4), 1..200),
    ) {
        let (mut numbers, mut receiver) = (Numbers::new(), Receiver::default());
        let (mut picture, mut place, mut wanted) = (500, 0, 2);
        numbers.begin(wanted);
        for (number, (event, left_out, wish)) in plan.into_iter().enumerate() {
            let key = number == 0 || event == 0;
            if event == 1 {
                wanted = wish;
            }
            place = if key { 0 } else { (place + 1) % PATTERN.len() };
            let (temporal, sync) = PATTERN[place];
            if left_out && temporal > 0 {
                continue;
            }
            picture += 1;
            let verdict = numbers.judge(&packet(picture, 1, temporal, sync, key), true, wanted);
            if let Some(out) = picture_of(verdict) {
                prop_assert!(temporal <= wanted);
                prop_assert!(receiver.places(out, temporal, sync, key), "{} on {temporal}", picture);
            } else {
                prop_assert!(temporal > 0, "the base is always sent");
            }
        }
    }

    #[test]
    fn never_panics(payloads in proptest::collection::vec(
        (proptest::collection::vec(any::<u8>(), 0..12), any::<bool>(), 0u8..4), 0..60,
    )) {
        let mut clock = PictureClock::default();
        let mut numbers = Numbers::new();
        numbers.begin(3);
        for (payload, newest, temporal) in payloads {
            if let Some(descriptor) = Descriptor::parse(&payload) {
                let picture = descriptor.picture_id.map(|id| clock.extend(id));
                let verdict = numbers.judge(&Packet { descriptor, picture }, newest, temporal);
                if let Verdict::Forward(patch) = verdict {
                    prop_assert_eq!(patch.picture_id.is_some(), descriptor.picture_id.is_some());
                    prop_assert!(patch.key_idx.is_none_or(|value| value < 32));
                    if let (Some(out), Some(id)) = (patch.picture_id, descriptor.picture_id) {
                        prop_assert!(u32::from(out) < 1 << id.bits);
                    }
                }
            }
        }
    }
}
