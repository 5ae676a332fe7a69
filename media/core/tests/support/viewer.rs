//! A viewer: knows what it asked for and checks each packet that it gets.

use std::collections::{BTreeMap, BTreeSet};

use parley_media_core::{Forward, Spatial, TrackKey};

use super::Encoded;

#[derive(Clone, Copy, Debug)]
struct Got {
    timestamp: u32,
    picture: Option<u16>,
    frame: u64,
}

/// The receiving end of one slot.
#[derive(Debug, Default)]
pub struct Viewer {
    /// The track it should get; `None` when nothing may come.
    pub wants: Option<TrackKey>,
    /// Packets since it was last cleared.
    pub received: usize,
    /// The layer shown now, as told by the packets.
    pub shows: Option<(TrackKey, Spatial)>,
    /// A keyframe must come before anything else.
    pub fresh: bool,
    run: u64,
    got: BTreeMap<u64, Got>,
    frames: BTreeSet<u64>,
    newest: Option<(u64, Encoded, Forward)>,
}

fn newer(a: u32, b: u32) -> bool {
    (a.wrapping_sub(b) as i32) > 0
}

impl Viewer {
    /// `lossless`: each packet was delivered once and in order.
    pub fn take(&mut self, packet: &Encoded, forward: &Forward, lossless: bool) -> Result<(), String> {
        let err = |what: &str| Err(format!("{what}: {forward:?} of frame {}", packet.frame));
        if self.wants != Some(packet.config.key) {
            return err("packet of a track that is not attached");
        }
        if forward.marker != packet.marker {
            return err("marker changed");
        }
        if self.got.is_empty() && forward.sequence >= 32_768 {
            return err("first sequence number too high");
        }
        let source = (packet.config.key, packet.spatial);
        if self.fresh || self.shows != Some(source) || self.run != packet.run {
            if !packet.entry {
                return err("stream begins without a keyframe");
            }
            if self.got.last_key_value().is_some_and(|(last, _)| forward.sequence != last + 1) {
                return err("jump over a switch");
            }
        }
        self.shows = Some(source);
        self.run = packet.run;
        self.fresh = false;
        self.received += 1;
        self.order(packet, forward)?;
        if lossless {
            self.continuity(packet, forward)?;
        }
        self.frames.insert(packet.frame);
        let got = Got {
            timestamp: forward.timestamp,
            picture: forward.vp8.and_then(|vp8| vp8.picture_id),
            frame: packet.frame,
        };
        if self.got.insert(forward.sequence, got).is_some() {
            return err("sequence number used twice");
        }
        Ok(())
    }

    /// Holds whatever the network did.
    fn order(&self, packet: &Encoded, forward: &Forward) -> Result<(), String> {
        let picture = forward.vp8.and_then(|vp8| vp8.picture_id);
        let before = self.got.range(..forward.sequence).next_back().map(|(_, got)| (got, true));
        let after = self.got.range(forward.sequence + 1..).next().map(|(_, got)| (got, false));
        for (other, earlier) in before.into_iter().chain(after) {
            let same = other.frame == packet.frame;
            let (a, b) = if earlier {
                (other.timestamp, forward.timestamp)
            } else {
                (forward.timestamp, other.timestamp)
            };
            if same && a != b || !same && !newer(b, a) {
                return Err(format!("timestamp {a} then {b} (same frame: {same}): {forward:?}"));
            }
            if let (Some(theirs), Some(ours)) = (other.picture, picture) {
                let (a, b) = if earlier { (theirs, ours) } else { (ours, theirs) };
                let step = b.wrapping_sub(a) & 0x7fff;
                if same && step != 0 || !same && (step == 0 || step > 0x4000) {
                    return Err(format!("picture id {a} then {b} (same frame: {same}): {forward:?}"));
                }
            }
        }
        Ok(())
    }

    /// Holds when nothing was lost on the way to the room.
    fn continuity(&mut self, packet: &Encoded, forward: &Forward) -> Result<(), String> {
        let err = |what: &str| Err(format!("{what}: {forward:?} of frame {}", packet.frame));
        if let Some(missing) = packet.needs.iter().find(|frame| !self.frames.contains(frame)) {
            return err(&format!("frame needs {missing}, which was not sent"));
        }
        if let Some((sequence, last, sent)) = &self.newest {
            if forward.sequence != sequence + 1 {
                return err("sequence jump");
            }
            if let (Some(before), Some(now)) = (sent.vp8, forward.vp8) {
                let step = u16::from(last.frame != packet.frame);
                let expected = before.picture_id.map(|id| (id + step) & 0x7fff);
                if now.picture_id != expected {
                    return err("picture id jump");
                }
                let base = step == 1 && packet.temporal == 0;
                if now.tl0_pic_idx != before.tl0_pic_idx.map(|index| index.wrapping_add(u8::from(base))) {
                    return err("TL0PICIDX jump");
                }
            }
        }
        self.newest = Some((forward.sequence, packet.clone(), *forward));
        Ok(())
    }
}
