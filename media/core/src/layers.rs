//! Which frames of a stream with layers inside go out (VP9, AV1): spatial and temporal layers.
//!
//! Whether a picture goes out, and up to which spatial layer, is decided with its first packet
//! that arrives, and remembered for those that are late. All spatial layers below the highest one
//! sent go out too, so that a receiver can go down at any picture; it goes up where the stream
//! allows it.

use std::collections::VecDeque;

use crate::{
    Vp9Patch, counter::Counter, dependency, timestamp::newer, track::MAX_LAYERS, vp8::PictureId,
    vp8::TL0_MASK, vp9,
};

/// Pictures whose fate is remembered: two seconds.
const MAX_PICTURES: usize = 64;
/// Frames remembered as sent, in frame numbers: over two seconds of three spatial layers.
const MAX_FRAMES: u16 = 256;
const FRAME_NUMBER_MASK: u16 = 0xffff;

/// The highest layers that are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limit {
    pub spatial: u8,
    pub temporal: u8,
}

/// The numbers of a frame, and where one can go up.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Detail {
    Vp9 {
        picture_id: Option<PictureId>,
        tl0_pic_idx: Option<u8>,
        /// See [`vp9::Layer::switching_up`].
        switching_up: bool,
    },
    Av1 {
        number: u16,
        targets: dependency::Grid,
        switches: dependency::Grid,
        references: dependency::References,
    },
}

/// What a packet tells of its frame; computed once, used for each receiver.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame {
    pub spatial: u8,
    pub temporal: u8,
    pub starts: bool,
    pub ends: bool,
    /// First packet of a picture that needs no other.
    pub key: bool,
    /// How many spatial layers the stream has from this frame on; `None` = as before.
    pub layers: Option<u8>,
    pub detail: Detail,
}

impl Frame {
    pub(crate) fn of_vp9(descriptor: &vp9::Descriptor) -> Self {
        Self {
            spatial: descriptor.spatial(),
            temporal: descriptor.temporal(),
            starts: descriptor.starts_frame,
            ends: descriptor.ends_frame,
            key: descriptor.starts_keyframe(),
            layers: descriptor.structure.map(|structure| structure.layers),
            detail: Detail::Vp9 {
                picture_id: descriptor.picture_id,
                tl0_pic_idx: descriptor.tl0_pic_idx,
                switching_up: descriptor.layer.is_some_and(|layer| layer.switching_up),
            },
        }
    }

    pub(crate) fn of_av1(descriptor: &dependency::Descriptor) -> Self {
        Self {
            spatial: descriptor.spatial,
            temporal: descriptor.temporal,
            starts: descriptor.starts_frame,
            ends: descriptor.ends_frame,
            key: descriptor.starts_keyframe,
            layers: descriptor.layers,
            detail: Detail::Av1 {
                number: descriptor.frame_number,
                targets: descriptor.targets,
                switches: descriptor.switches,
                references: descriptor.references,
            },
        }
    }
}

/// Fate of a packet of the stream that is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Forward {
        /// Nothing of the picture follows.
        marker: bool,
    },
    /// Dropped on purpose. `joined`: so was the packet before it, of the same picture.
    Thin { joined: bool },
}

#[derive(Clone, Copy, Debug)]
struct Picture {
    timestamp: u32,
    limit: Limit,
}

/// Frame numbers that went out lately.
#[derive(Clone, Copy, Debug, Default)]
struct Sent {
    newest: Option<u16>,
    /// By the number modulo [`MAX_FRAMES`].
    bits: [u64; MAX_FRAMES as usize / 64],
}

impl Sent {
    fn place(number: u16) -> (usize, u64) {
        let bit = number % MAX_FRAMES;
        (usize::from(bit / 64), 1 << (bit % 64))
    }

    fn insert(&mut self, number: u16) {
        let newest = *self.newest.get_or_insert(number);
        let ahead = number.wrapping_sub(newest) as i16;
        if ahead > 0 {
            for skipped in 1..=ahead.min(MAX_FRAMES as i16) as u16 {
                let (word, bit) = Self::place(number.wrapping_sub(skipped - 1));
                self.bits[word] &= !bit;
            }
            self.newest = Some(number);
        }
        if ahead > -(MAX_FRAMES as i16) {
            let (word, bit) = Self::place(number);
            self.bits[word] |= bit;
        }
    }

    fn contains(&self, number: u16) -> bool {
        let (word, bit) = Self::place(number);
        let near = self.newest.is_some_and(|newest| newest.wrapping_sub(number) < MAX_FRAMES);
        near && self.bits[word] & bit != 0
    }
}

/// The choice for one receiver of one stream.
#[derive(Clone, Debug)]
pub(crate) struct Selector {
    current: Limit,
    /// Newest last.
    pictures: VecDeque<Picture>,
    /// The newest packet was dropped.
    thinned: bool,
    sent: Sent,
}

impl Selector {
    /// The stream begins with a key picture.
    pub(crate) fn new(limit: Limit) -> Self {
        Self { current: limit, pictures: VecDeque::new(), thinned: false, sent: Sent::default() }
    }

    pub(crate) fn current(&self) -> Limit {
        self.current
    }

    /// `newest`: the packet is ahead of all others of the stream.
    pub(crate) fn judge(
        &mut self,
        frame: &Frame,
        timestamp: u32,
        marker: bool,
        newest: bool,
        target: Limit,
    ) -> Verdict {
        let last = self.pictures.back().map(|picture| picture.timestamp);
        let begins = newest && last.is_none_or(|last| newer(timestamp, last));
        let limit = if begins {
            self.adjust(frame, target);
            if self.pictures.len() == MAX_PICTURES {
                self.pictures.pop_front();
            }
            self.pictures.push_back(Picture { timestamp, limit: self.current });
            self.current
        } else {
            // One that is not known is of a time of which nothing came.
            let known = self.pictures.iter().rev().find(|picture| picture.timestamp == timestamp);
            known.map_or(self.current, |picture| picture.limit)
        };
        if frame.spatial > limit.spatial || frame.temporal > limit.temporal {
            let joined = self.thinned && !begins;
            self.thinned |= newest;
            return Verdict::Thin { joined };
        }
        if newest {
            self.thinned = false;
        }
        if frame.starts
            && let Detail::Av1 { number, .. } = frame.detail
        {
            self.sent.insert(number);
        }
        Verdict::Forward { marker: marker || frame.ends && frame.spatial == limit.spatial }
    }

    /// A picture begins: moves the limit towards the target where that is possible.
    fn adjust(&mut self, frame: &Frame, target: Limit) {
        if frame.key {
            self.current = target;
            return;
        }
        let current = Limit {
            spatial: self.current.spatial.min(target.spatial),
            temporal: self.current.temporal.min(target.temporal),
        };
        self.current = current;
        if self.current == target {
            return;
        }
        match &frame.detail {
            // Of this picture nothing above is there yet, so the spatial layers wait for a key picture.
            Detail::Vp9 { switching_up, .. } => {
                if *switching_up && frame.temporal <= current.temporal {
                    self.current.temporal = target.temporal;
                }
            }
            Detail::Av1 { number, targets, switches, references } => {
                let decodable = frame.starts
                    && references.iter().all(|distance| self.sent.contains(number.wrapping_sub(distance)));
                if !decodable {
                    return;
                }
                let top = MAX_LAYERS as u8 - 1;
                for spatial in (current.spatial.min(top)..=target.spatial.min(top)).rev() {
                    let better = Limit { spatial, temporal: target.temporal };
                    if decode_target(*targets, better)
                        .is_some_and(|(spatial, temporal)| switches.contains(spatial, temporal))
                    {
                        self.current = Limit { spatial: current.spatial.max(spatial), ..better };
                        return;
                    }
                }
            }
        }
    }
}

/// New values for the numbers of a packet; `None` = as they came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Patch {
    pub vp9: Option<Vp9Patch>,
    pub frame_number: Option<u16>,
}

/// The running numbers of a slot.
#[derive(Clone, Debug, Default)]
pub(crate) struct Numbers {
    pictures: Counter,
    tl0: Counter,
    frames: Counter,
}

impl Numbers {
    /// Another stream follows; it begins with a key picture.
    pub(crate) fn begin(&mut self) {
        self.pictures.begin();
        self.tl0.begin();
        self.frames.begin();
    }

    /// `newest`: the packet is ahead of all others of the stream.
    pub(crate) fn map(&mut self, frame: &Frame, newest: bool) -> Patch {
        match frame.detail {
            Detail::Vp9 { picture_id, tl0_pic_idx, .. } => {
                let patch = Vp9Patch {
                    picture_id: picture_id.map(|id| self.pictures.map(id.value, (1 << id.bits) - 1)),
                    tl0_pic_idx: tl0_pic_idx.map(|index| self.tl0.map(index.into(), TL0_MASK) as u8),
                };
                let same =
                    patch.picture_id == picture_id.map(|id| id.value) && patch.tl0_pic_idx == tl0_pic_idx;
                Patch { vp9: (!same).then_some(patch), frame_number: None }
            }
            Detail::Av1 { number, .. } => {
                // Receivers drop a keyframe with templates that seem older than those they have.
                if frame.key && newest && self.frames.steps_back(number, FRAME_NUMBER_MASK) {
                    self.frames.begin();
                }
                let mapped = self.frames.map(number, FRAME_NUMBER_MASK);
                Patch { vp9: None, frame_number: (mapped != number).then_some(mapped) }
            }
        }
    }
}

/// The highest decode target within a limit.
fn decode_target(targets: dependency::Grid, limit: Limit) -> Option<(u8, u8)> {
    let spatial = (0..=limit.spatial.min(MAX_LAYERS as u8 - 1)).rev();
    spatial
        .flat_map(|spatial| (0..=limit.temporal).rev().map(move |temporal| (spatial, temporal)))
        .find(|(spatial, temporal)| targets.contains(*spatial, *temporal))
}

#[cfg(test)]
#[path = "layers_tests.rs"]
mod tests;
