//! The receiving end of one slot: checks each packet that it gets against what
//! was sent and what came before.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use parley_media_core::{Codec, Forward, Spatial, TrackKey, WIRE_OVERHEAD_BYTES, red::REDUNDANT_MAX};

use crate::{
    problem::{Law, Problem, broken},
    support::{Encoded, Look},
};

/// Packets and frames remembered.
const MEMORY: usize = 600;
/// Over a switch a timestamp may differ from the time that passed by what the
/// network delays, and by a frame.
const TIMESTAMP_SLACK: Duration = Duration::from_millis(140);

#[derive(Clone, Copy, Debug)]
struct Got {
    timestamp: u32,
    picture: Option<u16>,
    frame: u64,
}

/// A frame as far as it was received.
#[derive(Clone, Debug)]
struct Frame {
    missing: u32,
    needs: Vec<u64>,
}

/// Since the stream on the slot was last changed.
#[derive(Clone, Copy, Debug)]
pub struct Segment {
    pub stream: (TrackKey, Spatial),
    /// Of the publisher's stream.
    pub run: u64,
    pub first: u64,
    pub highest: u64,
    first_out: u64,
    highest_out: u64,
    received: u64,
}

impl Segment {
    /// Numbers that were given to the receiver as lost.
    pub fn gaps(&self) -> u64 {
        self.highest_out - self.first_out + 1 - self.received
    }
}

/// What was received since it was last cleared.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    pub packets: u64,
    /// On the wire.
    pub bytes: u64,
    pub frames: u64,
    pub undecodable: u64,
    /// Changes of layer.
    pub switches: u32,
    /// Earlier frames of sound, if each that may go with a packet does.
    pub repeats: u64,
}

#[derive(Debug, Default)]
pub struct Viewer {
    /// The track it should get; `None` when nothing may come.
    pub wants: Option<TrackKey>,
    /// A keyframe must come before anything else.
    pub fresh: bool,
    pub tally: Tally,
    pub segment: Option<Segment>,
    got: BTreeMap<u64, Got>,
    frames: BTreeMap<u64, Frame>,
    newest: Option<(Encoded, Forward)>,
    newest_at: Option<Instant>,
    /// The packet with which the sound began, or came back after a silence.
    begun: u64,
    /// The newest frame could not be decoded.
    pub stuck: bool,
}

fn newer(a: u32, b: u32) -> bool {
    (a.wrapping_sub(b) as i32) > 0
}

/// What a packet did besides being right.
#[derive(Debug, Default)]
pub struct Taken {
    /// The segment that ended with it.
    pub ended: Option<Segment>,
    /// A frame that it needs and never got: right only if the room did not get it either.
    pub lacks: Option<u64>,
}

/// Under which a packet came.
#[derive(Clone, Copy, Debug)]
pub struct Conditions {
    /// The fields that its encoder writes.
    pub look: Look,
    /// Each packet was delivered once and in order.
    pub lossless: bool,
    /// Something of the sound was left out before: others were louder.
    pub withheld: bool,
    pub takes_redundancy: bool,
    /// The highest number of its stream that the room had got before.
    pub highest: u64,
    pub now: Instant,
}

impl Viewer {
    pub fn take(
        &mut self,
        packet: &Encoded,
        forward: &Forward,
        conditions: Conditions,
    ) -> Result<Taken, Problem> {
        let Conditions { look, lossless, withheld, takes_redundancy, highest, now } = conditions;
        if self.wants != Some(packet.config.key) {
            return broken(Law::Permission, format!("packet of {:?} to {:?}", packet.config.key, self.wants));
        }
        if packet.payload.is_empty() {
            return broken(Law::Header, "padding was forwarded");
        }
        if self.got.is_empty() && forward.sequence >= 32_768 {
            return broken(Law::Sequence, "first sequence number too high");
        }
        let mut taken = Taken::default();
        let stream = (packet.config.key, packet.spatial);
        let goes_on = !self.fresh
            && self.segment.is_some_and(|segment| segment.stream == stream && segment.run == packet.run);
        // Sound that begins, or comes back after a silence, says so.
        let silence = forward.marker && withheld;
        let marker = packet.marker || !packet.video() && (!goes_on || silence);
        if forward.marker != marker {
            return broken(Law::Header, format!("marker {}, goes on: {goes_on}", forward.marker));
        }
        if !goes_on {
            self.enter(packet, forward, highest, now)?;
            taken.ended = self.segment.take();
        }
        self.fresh = false;
        self.repeats(packet, forward, takes_redundancy)?;
        self.advance(packet, forward)?;
        self.order(packet, forward)?;
        if lossless {
            self.continuity(packet, look, forward)?;
        }
        taken.lacks = self.decode(packet, lossless)?;
        self.remember(packet, forward, now)?;
        Ok(taken)
    }

    /// Another stream begins.
    fn enter(
        &mut self,
        packet: &Encoded,
        forward: &Forward,
        highest: u64,
        now: Instant,
    ) -> Result<(), Problem> {
        if packet.sequence < highest {
            return broken(Law::Keyframe, "stream begins with a late packet: what followed has gone by");
        }
        if !packet.entry {
            return broken(Law::Keyframe, format!("stream begins with frame {}", packet.frame));
        }
        if self.got.last_key_value().is_some_and(|(last, _)| forward.sequence != last + 1) {
            return broken(Law::Sequence, "jump over a switch");
        }
        let newest = self.got.last_key_value().map(|(_, got)| got.timestamp);
        if let (Some(before), Some(at)) = (newest, self.newest_at) {
            let ticks = forward.timestamp.wrapping_sub(before);
            let passed = Duration::from_secs_f64(f64::from(ticks) / f64::from(packet.config.clock_rate));
            let elapsed = now - at;
            if passed.abs_diff(elapsed) > TIMESTAMP_SLACK {
                return broken(Law::Timestamp, format!("steps by {passed:?} in {elapsed:?}"));
            }
        }
        // A keyframe ends what could be needed of before.
        self.frames.clear();
        Ok(())
    }

    /// Nothing is sent twice of what the receiver was not to hear once.
    fn repeats(&mut self, packet: &Encoded, forward: &Forward, takes: bool) -> Result<(), Problem> {
        if !packet.video() && forward.marker {
            self.begun = packet.sequence;
        }
        let repeats = u64::from(forward.redundancy);
        let heard = packet.sequence.saturating_sub(self.begun);
        if repeats > 0 && (packet.video() || !takes || repeats > heard || repeats > REDUNDANT_MAX as u64) {
            return broken(Law::Redundancy, format!("{repeats} frames of {heard}, takes them: {takes}"));
        }
        self.tally.repeats += repeats;
        Ok(())
    }

    fn advance(&mut self, packet: &Encoded, forward: &Forward) -> Result<(), Problem> {
        let switched = self.segment.is_none();
        let segment = self.segment.get_or_insert(Segment {
            stream: (packet.config.key, packet.spatial),
            run: packet.run,
            first: packet.sequence,
            highest: packet.sequence,
            first_out: forward.sequence,
            highest_out: forward.sequence,
            received: 0,
        });
        if packet.sequence < segment.first {
            return broken(Law::Keyframe, "packet of before the keyframe");
        }
        let (ahead, ahead_out) = (packet.sequence > segment.highest, forward.sequence > segment.highest_out);
        if segment.received > 0 && ahead != ahead_out {
            return broken(Law::Sequence, format!("order changed: {forward:?}"));
        }
        segment.received += 1;
        segment.highest = segment.highest.max(packet.sequence);
        segment.highest_out = segment.highest_out.max(forward.sequence);
        self.tally.switches += u32::from(switched);
        self.tally.packets += 1;
        self.tally.bytes += (packet.payload.len() + WIRE_OVERHEAD_BYTES) as u64;
        Ok(())
    }

    /// Holds whatever the network did.
    fn order(&self, packet: &Encoded, forward: &Forward) -> Result<(), Problem> {
        let picture = forward.vp8.and_then(|vp8| vp8.picture_id);
        let before = self.got.range(..forward.sequence).next_back().map(|(_, got)| (got, true));
        let after = self.got.range(forward.sequence + 1..).next().map(|(_, got)| (got, false));
        for (other, earlier) in before.into_iter().chain(after) {
            let same = other.frame == packet.frame;
            let (a, b) = match earlier {
                true => (other.timestamp, forward.timestamp),
                false => (forward.timestamp, other.timestamp),
            };
            if same && a != b || !same && !newer(b, a) {
                return broken(Law::Timestamp, format!("{a} then {b} (same frame: {same})"));
            }
            if let (Some(theirs), Some(ours)) = (other.picture, picture) {
                let (a, b) = if earlier { (theirs, ours) } else { (ours, theirs) };
                let step = b.wrapping_sub(a) & 0x7f;
                if same && step != 0 || !same && step == 0 {
                    return broken(Law::Picture, format!("picture id {a} then {b} (same frame: {same})"));
                }
            }
        }
        Ok(())
    }

    /// Holds when nothing was lost on the way to the room.
    fn continuity(&mut self, packet: &Encoded, look: Look, forward: &Forward) -> Result<(), Problem> {
        let Some((last, sent)) = &self.newest else { return Ok(()) };
        if forward.sequence != sent.sequence + 1 {
            return broken(Law::Sequence, format!("{} then {}", sent.sequence, forward.sequence));
        }
        let (Some(before), Some(now)) = (sent.vp8, forward.vp8) else { return Ok(()) };
        let next = last.frame != packet.frame;
        // Another encoder may write other fields; what both write goes on.
        if let (Some(before), Some(now)) = (before.picture_id, now.picture_id) {
            let mask = if look == Look::Short { 0x7f } else { 0x7fff };
            let expected = (before + u16::from(next)) & mask;
            if now & 0x7f != expected & 0x7f || before > 0x7f && look != Look::Short && now != expected {
                return broken(Law::Picture, format!("picture id {before} then {now}"));
            }
        }
        if let (Some(before), Some(now)) = (before.tl0_pic_idx, now.tl0_pic_idx) {
            let base = next && packet.temporal == 0;
            if now != before.wrapping_add(u8::from(base)) {
                return broken(Law::Picture, format!("TL0PICIDX {before} then {now}"));
            }
        }
        if let (Some(before), Some(now)) = (before.key_idx, now.key_idx)
            && now != (before + u8::from(next && packet.key)) & 0x1f
        {
            return broken(Law::Picture, format!("KEYIDX {before} then {now}"));
        }
        Ok(())
    }

    /// A frame can be decoded when it is whole and so is all that it needs.
    fn decode(&mut self, packet: &Encoded, lossless: bool) -> Result<Option<u64>, Problem> {
        let frame = self
            .frames
            .entry(packet.frame)
            .or_insert_with(|| Frame { missing: packet.packets, needs: packet.needs.clone() });
        frame.missing = frame.missing.saturating_sub(1);
        let lacks = packet.needs.iter().find(|needed| !self.frames.contains_key(*needed)).copied();
        if packet.marker && packet.config.codec != Codec::Opus {
            self.tally.frames += 1;
            self.stuck = !self.decodable(packet.frame);
            self.tally.undecodable += u64::from(self.stuck);
            if self.stuck && lossless {
                return broken(Law::Reference, format!("frame {} cannot be decoded", packet.frame));
            }
            if !self.stuck && packet.key {
                self.frames.retain(|frame, _| *frame >= packet.frame);
            }
        }
        while self.frames.len() > MEMORY {
            self.frames.pop_first();
        }
        Ok(lacks)
    }

    /// Follows the base layer back to the keyframe, or to what is known to be whole.
    fn decodable(&mut self, frame: u64) -> bool {
        let mut open = vec![frame];
        let mut seen = Vec::new();
        while let Some(number) = open.pop() {
            let Some(frame) = self.frames.get(&number) else { return false };
            if frame.missing > 0 {
                return false;
            }
            open.extend(frame.needs.iter().copied());
            seen.push(number);
        }
        // What was decoded needs nothing more.
        for number in seen {
            if let Some(frame) = self.frames.get_mut(&number) {
                frame.needs.clear();
            }
        }
        true
    }

    fn remember(&mut self, packet: &Encoded, forward: &Forward, now: Instant) -> Result<(), Problem> {
        let got = Got {
            timestamp: forward.timestamp,
            picture: forward.vp8.and_then(|vp8| vp8.picture_id),
            frame: packet.frame,
        };
        let newest = self.got.last_key_value().is_none_or(|(last, _)| forward.sequence > *last);
        if newest {
            let frame = self.newest.as_ref().map(|(last, _)| last.frame);
            if frame != Some(packet.frame) {
                self.newest_at = Some(now);
            }
            self.newest = Some((packet.clone(), *forward));
        }
        if self.got.insert(forward.sequence, got).is_some() {
            return broken(Law::Sequence, format!("{} used twice", forward.sequence));
        }
        while self.got.len() > MEMORY {
            self.got.pop_first();
        }
        Ok(())
    }

    /// The layer that came last.
    pub fn shows(&self) -> Option<(TrackKey, Spatial)> {
        self.segment.map(|segment| segment.stream)
    }
}
