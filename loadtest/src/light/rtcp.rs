//! The reports of a light receiver: reception (RFC 3550), transport-wide arrival times, keyframe requests.

use std::time::Instant;

use crate::stamp::nanoseconds;

/// Sender of all reports; it sends no media under it.
pub(super) const OWN_SSRC: u32 = 0x7a11_0001;
/// Blocks of one receiver report.
const MAX_BLOCKS: usize = 31;
/// Statuses of one transport report; the rest goes into the next.
const MAX_STATUSES: u64 = 1_000;
const STATUSES_A_CHUNK: usize = 7;
/// Unit of the reference time, 64 ms, in microseconds.
const REFERENCE_US: u64 = 64_000;
/// Unit of the deltas.
const DELTA_US: u64 = 250;

/// What a receiver report says of a stream.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Block {
    pub(super) ssrc: u32,
    /// Share of the packets lost since the last report, in 256ths.
    pub(super) fraction: u8,
    pub(super) lost: u32,
    pub(super) highest: u32,
    /// Middle of the NTP time in the last sender report, and the delay since, in 65,536ths of a second.
    pub(super) last_report: u32,
    pub(super) delay: u32,
}

/// Appends a receiver report; with no blocks it is the empty one that begins a compound packet.
pub(super) fn receiver_report(blocks: &[Block], out: &mut Vec<u8>) {
    let blocks = &blocks[..blocks.len().min(MAX_BLOCKS)];
    let count = u8::try_from(blocks.len()).unwrap_or(0);
    let words = 1 + 6 * u16::from(count);
    out.extend_from_slice(&[0x80 | count, 201]);
    out.extend_from_slice(&words.to_be_bytes());
    out.extend_from_slice(&OWN_SSRC.to_be_bytes());
    for block in blocks {
        out.extend_from_slice(&block.ssrc.to_be_bytes());
        out.extend_from_slice(&(u32::from(block.fraction) << 24 | block.lost.min(0x7f_ffff)).to_be_bytes());
        out.extend_from_slice(&block.highest.to_be_bytes());
        // No jitter: nothing of the servers that are measured depends on it.
        out.extend_from_slice(&0u32.to_be_bytes());
        out.extend_from_slice(&block.last_report.to_be_bytes());
        out.extend_from_slice(&block.delay.to_be_bytes());
    }
}

/// Appends a picture loss indication (RFC 4585, section 6.3.1).
pub(super) fn picture_loss(ssrc: u32, out: &mut Vec<u8>) {
    out.extend_from_slice(&[0x81, 206, 0, 2]);
    out.extend_from_slice(&OWN_SSRC.to_be_bytes());
    out.extend_from_slice(&ssrc.to_be_bytes());
}

/// SSRC and middle NTP bits of every sender report in a compound packet.
pub(super) fn sender_reports(mut packet: &[u8], mut found: impl FnMut(u32, u32)) {
    while let [first, kind, high, low, rest @ ..] = packet {
        let words = usize::from(u16::from_be_bytes([*high, *low]));
        let Some(body) = rest.get(..words * 4) else { return };
        if first >> 6 == 2 && *kind == 200 && body.len() >= 24 {
            let word = |at: usize| u32::from_be_bytes([body[at], body[at + 1], body[at + 2], body[at + 3]]);
            found(word(0), word(4) << 16 | word(8) >> 16);
        }
        packet = &rest[words * 4..];
    }
}

/// Arrival times to report (draft-holmer-rmcat-transport-wide-cc-extensions-01).
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    /// Extended sequence number and microseconds, in order of arrival.
    seen: Vec<(u64, u64)>,
    newest: Option<u64>,
    /// The first number that the next report speaks of.
    next: u64,
    reports: u8,
}

impl Arrivals {
    pub(super) fn add(&mut self, sequence: u16, at: Instant) {
        let number = match self.newest {
            None => u64::from(sequence) + (1 << 16),
            Some(newest) => {
                let low = u16::try_from(newest & 0xffff).unwrap_or(0);
                newest.saturating_add_signed(i64::from(sequence.wrapping_sub(low).cast_signed()))
            }
        };
        if self.newest.is_none() {
            self.next = number;
        }
        self.newest = self.newest.max(Some(number));
        self.seen.push((number, nanoseconds(at) / 1_000));
    }

    /// Appends a report of what has come since the last; false when nothing has.
    pub(super) fn report(&mut self, media_ssrc: u32, out: &mut Vec<u8>) -> bool {
        self.seen.sort_unstable();
        self.seen.dedup_by_key(|(number, _)| *number);
        let next = self.next;
        // What comes later than its report is not told any more.
        self.seen.retain(|(number, _)| *number >= next);
        let (Some((first, begin)), Some((last, _))) = (self.seen.first().copied(), self.seen.last().copied())
        else {
            return false;
        };
        // A gap at the start that is too wide for a report is left out.
        let base = if first - next >= MAX_STATUSES / 2 { first } else { next };
        let end = (last + 1).min(base + MAX_STATUSES);
        let reference = self.seen.iter().map(|(_, at)| *at).min().unwrap_or(begin) / REFERENCE_US;
        let (mut symbols, mut deltas) = (Vec::new(), Vec::new());
        let mut clock = reference * (REFERENCE_US / DELTA_US);
        let mut arrivals = self.seen.iter().take_while(|(number, _)| *number < end).peekable();
        for number in base..end {
            let Some((_, at)) = arrivals.next_if(|(seen, _)| *seen == number) else {
                symbols.push(0u16);
                continue;
            };
            let ticks = at / DELTA_US;
            let delta = ticks.cast_signed() - clock.cast_signed();
            clock = ticks;
            if let Ok(small) = u8::try_from(delta) {
                symbols.push(1);
                deltas.push(small);
            } else {
                let delta = delta.clamp(i64::from(i16::MIN), i64::from(i16::MAX));
                symbols.push(2);
                deltas.extend_from_slice(&i16::try_from(delta).unwrap_or(0).to_be_bytes());
            }
        }
        self.write(media_ssrc, base, reference, &symbols, &deltas, out);
        self.next = end;
        self.seen.retain(|(number, _)| *number >= end);
        true
    }

    fn write(
        &mut self,
        media_ssrc: u32,
        base: u64,
        reference: u64,
        symbols: &[u16],
        deltas: &[u8],
        out: &mut Vec<u8>,
    ) {
        let start = out.len();
        out.extend_from_slice(&[0x8f, 205, 0, 0]);
        out.extend_from_slice(&OWN_SSRC.to_be_bytes());
        out.extend_from_slice(&media_ssrc.to_be_bytes());
        out.extend_from_slice(&base.to_be_bytes()[6..]);
        out.extend_from_slice(&u16::try_from(symbols.len()).unwrap_or(0).to_be_bytes());
        out.extend_from_slice(&reference.to_be_bytes()[5..]);
        out.push(self.reports);
        self.reports = self.reports.wrapping_add(1);
        for chunk in symbols.chunks(STATUSES_A_CHUNK) {
            // A vector of two-bit symbols, the first highest.
            let vector = chunk
                .iter()
                .enumerate()
                .fold(0xc000, |vector, (index, symbol)| vector | symbol << (12 - 2 * index));
            out.extend_from_slice(&vector.to_be_bytes());
        }
        out.extend_from_slice(deltas);
        while !(out.len() - start).is_multiple_of(4) {
            out.push(0);
        }
        let words = u16::try_from((out.len() - start) / 4 - 1).unwrap_or(0);
        out[start + 2..start + 4].copy_from_slice(&words.to_be_bytes());
    }
}
