//! Redundant sound (RFC 2198): packets that hold earlier frames beside their own.
//!
//! Whoever loses a packet has its frame from the next one. The server takes such packets apart for
//! receivers that cannot, and makes them for receivers that lose packets of a publisher who sends
//! none ([`write`]); how many frames are worth it is decided by [`Redundancy`].

use std::time::{Duration, Instant};

/// Earlier frames in one packet.
pub const REDUNDANT_MAX: usize = 2;
/// Blocks read of a received packet; what has more is not read.
const BLOCKS_MAX: usize = 8;
/// A header of an earlier frame: F, payload type, 14 bits of timestamp offset, 10 bits of length.
const HEADER_BYTES: usize = 4;
/// Exclusive bounds of the fields.
const OFFSET_END: u32 = 1 << 14;
const LENGTH_END: usize = 1 << 10;
/// Packets do not get longer than this: it fits every path with the headers around it.
const PACKET_BYTES_MAX: usize = 1_100;

/// An earlier frame in a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block<'a> {
    /// How much earlier its timestamp is.
    pub offset: u32,
    pub payload: &'a [u8],
}

/// A packet taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Red<'a> {
    earlier: [Block<'a>; BLOCKS_MAX],
    count: usize,
    pub primary: &'a [u8],
}

impl<'a> Red<'a> {
    /// `None`: not of the form of RFC 2198, or with more blocks than anybody sends.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let mut headers = [(0u32, 0usize); BLOCKS_MAX];
        let (mut count, mut rest) = (0, bytes);
        while rest.first()? & 0x80 != 0 {
            let (header, after) = rest.split_first_chunk::<HEADER_BYTES>()?;
            let fields = u32::from_be_bytes(*header);
            *headers.get_mut(count)? = ((fields >> 10) & (OFFSET_END - 1), (fields & 0x3ff) as usize);
            (count, rest) = (count + 1, after);
        }
        let (_, mut rest) = rest.split_first()?;
        let mut earlier = [Block { offset: 0, payload: &[] }; BLOCKS_MAX];
        for (block, (offset, length)) in earlier.iter_mut().zip(headers).take(count) {
            let (payload, after) = rest.split_at_checked(length)?;
            *block = Block { offset, payload };
            rest = after;
        }
        Some(Self { earlier, count, primary: rest })
    }

    /// The earlier frames, oldest first.
    pub fn earlier(&self) -> &[Block<'a>] {
        &self.earlier[..self.count]
    }

    /// The frames of packets that did not come, oldest first, each with its sequence number and
    /// timestamp: the newest one before this packet had the number `newest.0` and the timestamp
    /// `newest.1`. The last block is taken for the frame of the packet before.
    pub fn recovers(
        &self,
        sequence: u64,
        timestamp: u32,
        newest: (u64, u32),
    ) -> impl Iterator<Item = (u64, u32, &'a [u8])> + use<'a> {
        let count = self.count as u64;
        let since = move |of: u32| of.wrapping_sub(newest.1) as i32;
        self.earlier.into_iter().take(self.count).zip(0..).filter_map(move |(block, place)| {
            let number = sequence.checked_sub(count - place)?;
            let at = timestamp.wrapping_sub(block.offset);
            let fits = block.offset > 0 && since(at) > 0;
            (number > newest.0 && fits && !block.payload.is_empty()).then_some((number, at, block.payload))
        })
    }
}

/// Writes a packet: `earlier` (oldest first, each with how much earlier its timestamp is) and
/// `primary`, all of the payload type `kind`. What a header cannot hold, and the oldest where the
/// packet would get too long, is left out. Returns how many earlier frames are in it.
pub fn write(kind: u8, earlier: &[(u32, &[u8])], primary: &[u8], out: &mut Vec<u8>) -> usize {
    let kind = kind & 0x7f;
    let fits = |offset: u32, payload: &[u8]| {
        (1..OFFSET_END).contains(&offset) && (1..LENGTH_END).contains(&payload.len())
    };
    let mut length = 1 + primary.len();
    let mut first = earlier.len();
    while let Some((offset, payload)) = first.checked_sub(1).and_then(|place| earlier.get(place)) {
        length += HEADER_BYTES + payload.len();
        if !fits(*offset, payload) || length > PACKET_BYTES_MAX || earlier.len() - first == REDUNDANT_MAX {
            break;
        }
        first -= 1;
    }
    let taken = &earlier[first..];
    for (offset, payload) in taken {
        let fields = 1 << 31 | u32::from(kind) << 24 | offset << 10 | payload.len() as u32;
        out.extend_from_slice(&fields.to_be_bytes());
    }
    out.push(kind);
    for (_, payload) in taken {
        out.extend_from_slice(payload);
    }
    out.extend_from_slice(primary);
    taken.len()
}

/// From this loss on, one and two earlier frames go with each; and below which no longer.
const BEGIN: [f32; REDUNDANT_MAX] = [0.03, 0.10];
const END: [f32; REDUNDANT_MAX] = [0.01, 0.05];
/// Less only after this time without need: loss comes in bursts.
const HOLD: Duration = Duration::from_secs(10);
/// Sound with its redundancy takes at most this part of the estimate: where it would take more,
/// it would cause the loss that it is to mend.
const ESTIMATE_PART: u64 = 2;

/// How many earlier frames are worth sending to one participant.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Redundancy {
    wanted: u8,
    needed_at: Option<Instant>,
}

impl Redundancy {
    /// Takes in the loss (0.0 to 1.0) of what is sent to the participant.
    pub(crate) fn update(&mut self, loss: f32, now: Instant) {
        let above =
            |bounds: [f32; REDUNDANT_MAX]| bounds.iter().filter(|bound| loss >= **bound).count() as u8;
        let (begin, end) = (above(BEGIN), above(END));
        if begin >= self.wanted || end >= self.wanted {
            self.wanted = self.wanted.max(begin);
            self.needed_at = Some(now);
        } else if self.needed_at.is_none_or(|at| now.saturating_duration_since(at) >= HOLD) {
            self.wanted = end.max(begin);
            self.needed_at = Some(now);
        }
    }

    /// What goes of that into the estimate beside the sound itself.
    pub(crate) fn within(&self, audio_bps: u64, estimate_bps: u64) -> u8 {
        let fits = |level: &u8| audio_bps * u64::from(1 + level) * ESTIMATE_PART <= estimate_bps;
        (1..=self.wanted).rev().find(fits).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;
    use crate::testing;

    #[test]
    fn writes_what_rfc_2198_says() {
        let mut out = Vec::new();
        assert_eq!(write(111, &[(960, &[1, 2])], &[7, 8, 9], &mut out), 1);
        // F, 111; 960 = 0b00001111000000 and 2 = 0b0000000010; then 111 alone.
        assert_eq!(out, [0x80 | 111, 0x0f, 0x00, 0x02, 111, 1, 2, 7, 8, 9]);
        let red = Red::parse(&out).unwrap();
        assert_eq!(red.earlier(), [Block { offset: 960, payload: &[1, 2] }]);
        assert_eq!(red.primary, [7, 8, 9]);
    }

    #[test]
    fn leaves_out_what_does_not_fit() {
        let (long, full) = (vec![1u8; 1024], vec![2u8; 600]);
        let written = |earlier: &[(u32, &[u8])], primary: &[u8]| {
            let mut out = Vec::new();
            let count = write(111, earlier, primary, &mut out);
            assert_eq!(Red::parse(&out).unwrap().earlier().len(), count);
            assert_eq!(Red::parse(&out).unwrap().primary, primary);
            count
        };
        assert_eq!(written(&[], &[3]), 0);
        assert_eq!(written(&[(16_383, &[1])], &[3]), 1);
        assert_eq!(written(&[(16_384, &[1])], &[3]), 0, "14 bits");
        assert_eq!(written(&[(16_384, &[1]), (960, &[2])], &[3]), 1, "the newer one still fits");
        assert_eq!(written(&[(960, &long)], &[3]), 0, "10 bits");
        assert_eq!(written(&[(1920, &full), (960, &full)], &[3]), 1, "the older one would be too much");
        assert_eq!(written(&[(960, &full)], &full), 0);
        assert_eq!(written(&[(960, &[])], &[3]), 0, "nothing in it");
        assert_eq!(written(&[(2880, &[1]), (1920, &[1]), (960, &[1])], &[3]), REDUNDANT_MAX);
    }

    #[test]
    fn rubbish_is_not_read() {
        assert_eq!(Red::parse(&[]), None);
        assert_eq!(Red::parse(&[0x80 | 111, 0, 0]), None, "half a header");
        assert_eq!(Red::parse(&[0x80 | 111, 0, 0, 4, 111, 1, 2]), None, "shorter than it says");
        assert_eq!(Red::parse(&[0x80; 400]), None, "headers without end");
        assert_eq!(Red::parse(&[111]).unwrap().primary, [0u8; 0]);
    }

    fn recovered(red: &Red<'_>, sequence: u64, timestamp: u32, newest: (u64, u32)) -> Vec<(u64, u32)> {
        red.recovers(sequence, timestamp, newest).map(|(number, at, _)| (number, at)).collect()
    }

    #[test]
    fn lost_frames_come_under_their_own_numbers() {
        let mut out = Vec::new();
        write(111, &[(1920, &[1]), (960, &[2])], &[3], &mut out);
        let red = Red::parse(&out).unwrap();
        let at = 96_000u32;
        assert_eq!(recovered(&red, 10, at, (9, at - 960)), [], "nothing was lost");
        assert_eq!(recovered(&red, 10, at, (8, at - 1920)), [(9, at - 960)]);
        assert_eq!(recovered(&red, 10, at, (7, at - 2880)), [(8, at - 1920), (9, at - 960)]);
        assert_eq!(
            recovered(&red, 10, at, (2, at - 7680)),
            [(8, at - 1920), (9, at - 960)],
            "no more is known"
        );
        assert_eq!(recovered(&red, 10, at, (11, at + 960)), [], "late itself");
        assert_eq!(recovered(&red, 10, at, (8, at - 960)), [], "what it holds is not newer");
        let wrapped = recovered(&red, 10, 100, (8, 100u32.wrapping_sub(1920)));
        assert_eq!(wrapped, [(9, 100u32.wrapping_sub(960))]);
        assert_eq!(recovered(&red, 1, at, (0, 0)), [], "before all numbers");
    }

    #[test]
    fn worth_it_with_loss_and_room() {
        let start = testing::start();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut redundancy = Redundancy::default();
        let mut level = |loss, seconds| {
            redundancy.update(loss, at(seconds));
            redundancy.within(40_000, 1_000_000)
        };
        assert_eq!(level(0.02, 0), 0);
        assert_eq!(level(0.03, 2), 1);
        assert_eq!(level(0.015, 4), 1, "not yet good");
        assert_eq!(level(0.12, 6), 2);
        assert_eq!(level(0.0, 8), 2, "bursts");
        assert_eq!(level(0.06, 14), 2);
        assert_eq!(level(0.02, 18), 2);
        assert_eq!(level(0.02, 24), 1, "ten seconds without need of two");
        assert_eq!(level(0.0, 30), 1);
        assert_eq!(level(0.0, 34), 0);
        let mut redundancy = Redundancy::default();
        redundancy.update(0.5, start);
        assert_eq!(redundancy.within(40_000, 240_000), 2);
        assert_eq!(redundancy.within(40_000, 239_999), 1);
        assert_eq!(redundancy.within(40_000, 100_000), 0, "a narrow link loses because it is full");
        redundancy.update(f32::NAN, at(60));
        assert_eq!(redundancy.within(40_000, 240_000), 0);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            earlier in proptest::collection::vec((0u32..20_000, proptest::collection::vec(any::<u8>(), 0..1_200)), 0..4),
            primary in proptest::collection::vec(any::<u8>(), 0..1_200),
            kind: u8,
        ) {
            let earlier: Vec<_> = earlier.iter().map(|(offset, payload)| (*offset, payload.as_slice())).collect();
            let mut out = Vec::new();
            let count = write(kind, &earlier, &primary, &mut out);
            let red = Red::parse(&out).unwrap();
            prop_assert_eq!(red.primary, &primary);
            prop_assert!(count <= REDUNDANT_MAX && (count == 0 || out.len() <= PACKET_BYTES_MAX));
            let read: Vec<_> = red.earlier().iter().map(|block| (block.offset, block.payload)).collect();
            prop_assert_eq!(&read, &earlier[earlier.len() - count..]);
        }

        #[test]
        fn anything_is_parsed_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80), sequence: u64, timestamp: u32, newest: (u64, u32)) {
            if let Some(red) = Red::parse(&bytes) {
                prop_assert!(red.recovers(sequence, timestamp, newest).all(|(number, _, _)| number < sequence && number > newest.0));
            }
        }
    }
}
