//! Whether a received stream is one that a decoder can play: sequence, timestamps, picture numbers, references.
//!
//! Packets may come out of order within [`WINDOW`]; what is missing after that is lost. Frames are judged in order
//! once they are complete, or given up when newer ones pile up behind them.

use std::{collections::VecDeque, time::Instant};

use crate::{source::Vp8, stamp::Stamp};

/// Sequence numbers within which a late packet still counts as delivered.
const WINDOW: u64 = 512;
const WORDS: usize = (WINDOW / 64) as usize;
/// A packet missing so far behind the newest counts as lost in a report; it may still come.
const REORDER: u64 = 32;
/// A larger step of the sequence number is a discontinuity, not loss.
const JUMP: u64 = 20_000;
/// The RTP clock may differ from the clock on the wall by so many seconds before it counts as a jump.
const CLOCK_TOLERANCE_S: f64 = 1.0;
/// Frames waiting for missing packets; beyond that the oldest is given up.
const FRAMES_WAITING: usize = 64;

/// What a decoder would stumble over. All are zero on a good link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Faults {
    /// Steps of the sequence number too large to be loss.
    pub sequence_jumps: u64,
    /// The RTP clock ran ahead or behind by more than a second between two packets.
    pub timestamp_jumps: u64,
    /// Neighbouring frames whose picture ids do not follow each other.
    pub picture_jumps: u64,
    /// TL0PICIDX that does not fit its temporal layer.
    pub tl0_jumps: u64,
    /// A new spatial layer that did not begin with a keyframe.
    pub switches_without_keyframe: u64,
    /// Frames with packets missing for good.
    pub incomplete_frames: u64,
    /// Whole frames that refer to one that never came.
    pub undecodable_frames: u64,
}

impl Faults {
    pub fn merge(&mut self, other: &Self) {
        self.sequence_jumps += other.sequence_jumps;
        self.timestamp_jumps += other.timestamp_jumps;
        self.picture_jumps += other.picture_jumps;
        self.tl0_jumps += other.tl0_jumps;
        self.switches_without_keyframe += other.switches_without_keyframe;
        self.incomplete_frames += other.incomplete_frames;
        self.undecodable_frames += other.undecodable_frames;
    }

    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            sequence_jumps: self.sequence_jumps.saturating_sub(earlier.sequence_jumps),
            timestamp_jumps: self.timestamp_jumps.saturating_sub(earlier.timestamp_jumps),
            picture_jumps: self.picture_jumps.saturating_sub(earlier.picture_jumps),
            tl0_jumps: self.tl0_jumps.saturating_sub(earlier.tl0_jumps),
            switches_without_keyframe: self
                .switches_without_keyframe
                .saturating_sub(earlier.switches_without_keyframe),
            incomplete_frames: self.incomplete_frames.saturating_sub(earlier.incomplete_frames),
            undecodable_frames: self.undecodable_frames.saturating_sub(earlier.undecodable_frames),
        }
    }

    /// Frames that a decoder could not show.
    pub fn broken_frames(&self) -> u64 {
        self.incomplete_frames + self.undecodable_frames
    }

    /// Faults that even packet loss does not excuse.
    pub fn of_the_server(&self) -> u64 {
        self.sequence_jumps
            + self.timestamp_jumps
            + self.picture_jumps
            + self.tl0_jumps
            + self.switches_without_keyframe
    }
}

/// A received packet's header, as far as it is looked at.
#[derive(Clone, Copy, Debug)]
pub struct Header {
    pub sequence: u16,
    pub timestamp: u32,
    pub marker: bool,
    pub at: Instant,
}

/// A frame that came whole and in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    pub timestamp: u32,
    pub key: bool,
    pub temporal: u8,
    /// Spatial layer and number by the publisher's stamp.
    pub stamp: Option<Stamp>,
    /// All that it refers to has come.
    pub decodable: bool,
}

#[derive(Clone, Copy, Debug)]
struct Assembly {
    timestamp: u32,
    first: Option<u64>,
    last: Option<u64>,
    packets: u64,
    vp8: Option<Vp8>,
}

/// What the last judged frame leaves for the next.
#[derive(Clone, Copy, Debug)]
struct Previous {
    end: u64,
    picture: Option<u16>,
    tl0: Option<u8>,
    layer: Option<u8>,
    /// The references of the temporal base are there.
    intact: bool,
}

/// The state of one received stream (one SSRC).
#[derive(Debug)]
pub struct Continuity {
    clock_rate: f64,
    newest: Option<u64>,
    first: u64,
    seen: [u64; WORDS],
    lost: u64,
    delivered: u64,
    duplicates: u64,
    faults: Faults,
    clock: Option<(u32, Instant)>,
    waiting: VecDeque<Assembly>,
    previous: Option<Previous>,
}

/// How a packet's number stands to those before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// With its extended sequence number.
    New(u64),
    Duplicate,
    /// Older than the window.
    Late,
}

impl Continuity {
    pub fn new(clock_rate: u32) -> Self {
        Self {
            clock_rate: f64::from(clock_rate),
            newest: None,
            first: 0,
            seen: [0; WORDS],
            lost: 0,
            delivered: 0,
            duplicates: 0,
            faults: Faults::default(),
            clock: None,
            waiting: VecDeque::new(),
            previous: None,
        }
    }

    /// Distinct packets received.
    pub fn delivered(&self) -> u64 {
        self.delivered
    }

    pub fn duplicates(&self) -> u64 {
        self.duplicates
    }

    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Packets that are missing, those of the last few numbers left out.
    pub fn lost(&self) -> u64 {
        let Some(newest) = self.newest else { return 0 };
        let oldest = self.first.max((newest + 1).saturating_sub(WINDOW));
        let missing = (oldest..newest.saturating_sub(REORDER)).filter(|number| !self.has(*number)).count();
        self.lost + missing as u64
    }

    /// Notes a packet by its header: sequence and clock.
    pub fn header(&mut self, header: &Header) -> Arrival {
        let arrival = self.sequence(header.sequence);
        match arrival {
            Arrival::New(_) => {
                self.delivered += 1;
                self.check_clock(header);
            }
            Arrival::Duplicate => self.duplicates += 1,
            Arrival::Late => {}
        }
        arrival
    }

    /// Notes a packet that has a number and carries nothing; between frames it moves the expected start.
    pub fn padding(&mut self, sequence: u16) {
        if let Arrival::New(number) = self.sequence(sequence)
            && let Some(previous) = &mut self.previous
            && previous.end + 1 == number
        {
            previous.end = number;
        }
    }

    fn has(&self, number: u64) -> bool {
        self.seen[word(number)] & bit(number) != 0
    }

    fn sequence(&mut self, sequence: u16) -> Arrival {
        let Some(newest) = self.newest else {
            // Room below, for numbers that come before the first.
            let number = u64::from(sequence) + (1 << 16);
            self.restart(number);
            return Arrival::New(number);
        };
        let step = i64::from(sequence.wrapping_sub(low(newest)).cast_signed());
        let number = newest.saturating_add_signed(step);
        if step.unsigned_abs() > JUMP {
            self.faults.sequence_jumps += 1;
            self.lost = self.lost();
            self.waiting.clear();
            self.previous = None;
            self.restart(number);
            return Arrival::New(number);
        }
        if step <= 0 {
            if newest - number >= WINDOW {
                return Arrival::Late;
            }
            if self.has(number) {
                return Arrival::Duplicate;
            }
            self.first = self.first.min(number);
        } else {
            for skipped in newest + 1..=number {
                let leaving = skipped.saturating_sub(WINDOW);
                if leaving >= self.first && !self.has(leaving) {
                    self.lost += 1;
                }
                self.seen[word(skipped)] &= !bit(skipped);
            }
            self.newest = Some(number);
        }
        self.seen[word(number)] |= bit(number);
        Arrival::New(number)
    }

    fn restart(&mut self, number: u64) {
        self.newest = Some(number);
        self.first = number;
        self.seen = [0; WORDS];
        self.seen[word(number)] |= bit(number);
    }

    fn check_clock(&mut self, header: &Header) {
        if let Some((timestamp, at)) = self.clock {
            let ticks = f64::from(header.timestamp.wrapping_sub(timestamp).cast_signed());
            let elapsed = header.at.saturating_duration_since(at).as_secs_f64();
            if (ticks / self.clock_rate - elapsed).abs() > CLOCK_TOLERANCE_S {
                self.faults.timestamp_jumps += 1;
            }
        }
        self.clock = Some((header.timestamp, header.at));
    }

    /// Notes the payload of a new packet; `done` gets the frames that are now judged.
    pub(crate) fn video(&mut self, number: u64, header: &Header, vp8: &Vp8, mut done: impl FnMut(Frame)) {
        let waiting = self.waiting.iter().rposition(|frame| frame.timestamp == header.timestamp);
        let index = waiting.unwrap_or_else(|| self.insert(header.timestamp));
        let frame = &mut self.waiting[index];
        frame.packets += 1;
        if vp8.start {
            frame.first = Some(number);
            frame.vp8 = Some(*vp8);
        }
        if header.marker {
            frame.last = Some(number);
        }
        while let Some(frame) = self.waiting.front().copied() {
            let whole = frame.whole();
            let next = match (&self.previous, frame.first) {
                (Some(previous), Some(first)) => previous.end + 1 == first,
                _ => true,
            };
            if whole && (next || self.waiting.len() > REORDER as usize) {
                self.waiting.pop_front();
                done(self.judge(&frame));
            } else if self.waiting.len() > FRAMES_WAITING {
                self.waiting.pop_front();
                self.give_up(&frame);
            } else {
                break;
            }
        }
    }

    fn insert(&mut self, timestamp: u32) -> usize {
        let fresh = Assembly { timestamp, first: None, last: None, packets: 0, vp8: None };
        let older = |frame: &Assembly| timestamp.wrapping_sub(frame.timestamp).cast_signed() > 0;
        let index = self.waiting.iter().rposition(older).map_or(0, |index| index + 1);
        self.waiting.insert(index, fresh);
        index
    }

    fn give_up(&mut self, frame: &Assembly) {
        self.faults.incomplete_frames += 1;
        let Some(previous) = &mut self.previous else { return };
        if let Some(last) = frame.last {
            previous.end = last;
        }
        previous.picture = frame.vp8.and_then(|vp8| vp8.picture);
        previous.tl0 = frame.vp8.and_then(|vp8| vp8.tl0);
        let temporal = frame.vp8.and_then(|vp8| vp8.temporal);
        // A frame of a higher temporal layer is missed by nobody in the base.
        previous.intact &= temporal.is_some_and(|temporal| temporal > 0);
    }

    fn judge(&mut self, frame: &Assembly) -> Frame {
        let vp8 = frame.vp8.unwrap_or(Vp8 {
            start: true,
            key: false,
            picture: None,
            tl0: None,
            temporal: None,
            stamp: None,
        });
        let temporal = vp8.temporal.unwrap_or(0);
        let layer = vp8.stamp.map(|stamp| stamp.layer);
        let end = frame.last.unwrap_or(0);
        let mut decodable = vp8.key;
        let mut intact = vp8.key;
        if let Some(previous) = self.previous {
            let adjacent = frame.first == Some(previous.end + 1);
            self.check_numbers(&previous, &vp8, adjacent);
            let switched = layer.is_some() && previous.layer.is_some() && layer != previous.layer;
            self.faults.switches_without_keyframe += u64::from(switched && !vp8.key);
            let follows = vp8.tl0.zip(previous.tl0).map_or(adjacent, |(now, then)| {
                let step = u8::from(temporal == 0);
                now == then.wrapping_add(step)
            });
            decodable |= previous.intact && follows && !switched;
            intact |= decodable && temporal == 0 || previous.intact && temporal > 0;
        }
        self.faults.undecodable_frames += u64::from(!decodable);
        self.previous = Some(Previous { end, picture: vp8.picture, tl0: vp8.tl0, layer, intact });
        Frame { timestamp: frame.timestamp, key: vp8.key, temporal, stamp: vp8.stamp, decodable }
    }

    fn check_numbers(&mut self, previous: &Previous, vp8: &Vp8, adjacent: bool) {
        if !adjacent {
            return;
        }
        if let Some((now, then)) = vp8.picture.zip(previous.picture) {
            let follows = now == (then + 1) & 0x7fff || then == 0x7f && now == 0;
            self.faults.picture_jumps += u64::from(!follows);
        }
        if let Some((now, then)) = vp8.tl0.zip(previous.tl0) {
            let step = u8::from(vp8.temporal.unwrap_or(0) == 0);
            self.faults.tl0_jumps += u64::from(now != then.wrapping_add(step));
        }
    }
}

impl Assembly {
    fn whole(&self) -> bool {
        self.first.zip(self.last).is_some_and(|(first, last)| last + 1 == first + self.packets)
    }
}

fn low(number: u64) -> u16 {
    u16::try_from(number & 0xffff).unwrap_or(0)
}

fn word(number: u64) -> usize {
    usize::try_from(number % WINDOW / 64).unwrap_or(0)
}

fn bit(number: u64) -> u64 {
    1 << (number % 64)
}

#[cfg(test)]
#[path = "continuity_tests.rs"]
mod tests;
