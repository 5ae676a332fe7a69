//! The VP8 payload descriptor (RFC 7741, section 4.2) and its running numbers.

use crate::{Vp8Patch, counter::Counter, renumber::Renumber};

pub(crate) const PICTURE_ID_BITS_SHORT: u32 = 7;
pub(crate) const PICTURE_ID_BITS_LONG: u32 = 15;
pub(crate) const TL0_MASK: u16 = 0xff;
const KEY_IDX_MASK: u16 = 0x1f;
/// First picture id that a slot sends.
const FIRST_PICTURE_ID: u64 = 1;

/// A picture id and the width of its field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PictureId {
    pub value: u16,
    pub bits: u32,
}

/// What the core reads of a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Descriptor {
    pub picture_id: Option<PictureId>,
    pub tl0_pic_idx: Option<u8>,
    pub temporal: Option<u8>,
    /// The Y bit: this frame depends on the base temporal layer only.
    pub layer_sync: bool,
    pub key_idx: Option<u8>,
    /// First packet of a frame.
    pub starts_frame: bool,
    /// First packet of a keyframe.
    pub starts_keyframe: bool,
}

impl Descriptor {
    /// `None` when the descriptor is cut off, breaks the rules or carries nothing.
    pub(crate) fn parse(payload: &[u8]) -> Option<Self> {
        let mut bytes = payload.iter().copied();
        let required = bytes.next()?;
        let mut picture_id = None;
        let mut tl0_pic_idx = None;
        let mut temporal = None;
        let mut layer_sync = false;
        let mut key_idx = None;
        if required & 0x80 != 0 {
            let present = bytes.next()?;
            let (has_tl0, has_temporal, has_key) =
                (present & 0x40 != 0, present & 0x20 != 0, present & 0x10 != 0);
            if has_tl0 && !has_temporal {
                return None;
            }
            if present & 0x80 != 0 {
                let first = bytes.next()?;
                let high = u16::from(first & 0x7f);
                picture_id = Some(if first & 0x80 != 0 {
                    PictureId { value: high << 8 | u16::from(bytes.next()?), bits: PICTURE_ID_BITS_LONG }
                } else {
                    PictureId { value: high, bits: PICTURE_ID_BITS_SHORT }
                });
            }
            if has_tl0 {
                tl0_pic_idx = Some(bytes.next()?);
            }
            if has_temporal || has_key {
                let octet = bytes.next()?;
                temporal = has_temporal.then_some(octet >> 6);
                layer_sync = has_temporal && octet & 0x20 != 0;
                key_idx = has_key.then_some(octet & KEY_IDX_MASK as u8);
            }
        }
        let header = bytes.next()?;
        let starts_frame = required & 0x10 != 0 && required & 0x07 == 0;
        Some(Self {
            picture_id,
            tl0_pic_idx,
            temporal,
            layer_sync,
            key_idx,
            starts_frame,
            starts_keyframe: starts_frame && header & 0x01 == 0,
        })
    }
}

/// Counts the wraps of the picture ids of one incoming stream.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PictureClock {
    last: Option<u64>,
}

impl PictureClock {
    /// The extended id nearest to the last one.
    pub(crate) fn extend(&mut self, id: PictureId) -> u64 {
        let range = 1u64 << id.bits;
        let value = u64::from(id.value);
        // Starts one range up, so that an earlier picture has room below.
        let last = self.last.unwrap_or(range + value);
        let same_round = (last & !(range - 1)) | value;
        let half = range / 2;
        let extended = if same_round > last + half {
            same_round.saturating_sub(range)
        } else if same_round + half < last {
            same_round + range
        } else {
            same_round
        };
        self.last = Some(self.last.map_or(extended, |last| last.max(extended)));
        extended
    }
}

/// Fate of a VP8 packet of the stream that is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Forward(Vp8Patch),
    /// Dropped on purpose. `joined`: the packet before it was of the same frame.
    Thin {
        joined: bool,
    },
    /// Too old to place.
    Stale,
}

/// A descriptor with its picture id extended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packet {
    pub descriptor: Descriptor,
    pub picture: Option<u64>,
}

/// The running numbers of a slot, and the temporal layers it lets through.
#[derive(Clone, Debug)]
pub(crate) struct Numbers {
    pictures: Renumber,
    tl0: Counter,
    key_idx: Counter,
    chains: Chains,
}

/// The temporal layers that are let through, as bits.
///
/// A receiver that knows references by these descriptors alone (libwebrtc's) takes the first frame
/// of a layer since a keyframe only if it is in sync, and holds back whatever follows one that it
/// cannot place: a layer without a beginning costs the picture all layers but the base. Encoders
/// that keep to a rate leave out the frame after a large keyframe, and with it such a beginning.
#[derive(Clone, Copy, Debug, Default)]
struct Chains {
    /// Every frame of them since one in sync was let through, or is to come late.
    open: u8,
    /// They were wanted at the last keyframe, so one of them may have begun in what is missing since.
    presumed: u8,
}

/// Layers 0 to `temporal`.
fn up_to(temporal: u8) -> u8 {
    u8::MAX >> (7 - temporal.min(7))
}

impl Chains {
    fn key(&mut self, wanted: u8) {
        *self = Self { open: up_to(0), presumed: up_to(wanted) };
    }

    /// Can a frame of the layer that is not in sync be decoded, and placed?
    fn holds(self, temporal: u8) -> bool {
        self.open & up_to(temporal) == up_to(temporal)
    }

    /// The next frame; `gap`: others before it are missing. Whether it is let through.
    fn next(&mut self, descriptor: &Descriptor, temporal: u8, wanted: u8, gap: bool) -> bool {
        if descriptor.starts_keyframe {
            self.key(wanted);
        }
        self.open &= up_to(wanted);
        self.presumed &= up_to(wanted);
        if gap {
            self.open |= self.presumed;
        }
        let layer = 1 << temporal;
        let begins = descriptor.layer_sync && (descriptor.starts_frame || self.presumed & layer != 0);
        if temporal <= wanted && begins {
            self.open |= layer;
            return true;
        }
        let whole = self.holds(temporal);
        if !whole {
            // What follows on the layer may need this frame.
            self.open &= !layer;
            self.presumed &= !layer;
        }
        whole
    }
}

impl Numbers {
    pub(crate) fn new() -> Self {
        Self {
            pictures: Renumber::new(FIRST_PICTURE_ID),
            tl0: Counter::default(),
            key_idx: Counter::default(),
            chains: Chains::default(),
        }
    }

    /// Another stream follows; it begins with a keyframe.
    pub(crate) fn begin(&mut self, temporal: u8) {
        self.pictures.end();
        self.tl0.begin();
        self.key_idx.begin();
        self.chains.key(temporal);
    }

    /// `newest`: the packet is ahead of all others of the stream;
    /// `temporal`: highest temporal layer wanted.
    pub(crate) fn judge(&mut self, packet: &Packet, newest: bool, temporal: u8) -> Verdict {
        let descriptor = &packet.descriptor;
        let picture_id = match (packet.picture, descriptor.picture_id) {
            (Some(picture), Some(field)) => {
                // An encoder that starts anew may step back: go on from there.
                let stepped_back = newest && self.pictures.highest().is_some_and(|highest| picture < highest);
                if stepped_back || !self.pictures.running() {
                    self.pictures.begin(picture);
                    self.chains.key(temporal);
                } else if self.thins(descriptor, picture, temporal) {
                    let joined = self.pictures.dropped(picture);
                    self.pictures.skip(picture, false);
                    return Verdict::Thin { joined };
                }
                let Some(out) = self.pictures.map(picture) else { return Verdict::Stale };
                Some((out & ((1 << field.bits) - 1)) as u16)
            }
            _ => None,
        };
        Verdict::Forward(Vp8Patch {
            picture_id,
            tl0_pic_idx: descriptor.tl0_pic_idx.map(|value| self.tl0.map(value.into(), TL0_MASK) as u8),
            key_idx: descriptor.key_idx.map(|value| self.key_idx.map(value.into(), KEY_IDX_MASK) as u8),
        })
    }

    /// Is this frame above the temporal layers let through? Decided once per frame.
    fn thins(&mut self, descriptor: &Descriptor, picture: u64, wanted: u8) -> bool {
        if self.pictures.dropped(picture) {
            return true;
        }
        let Some(temporal) = descriptor.temporal else { return false };
        let highest = self.pictures.highest().unwrap_or(picture);
        if picture <= highest {
            return picture < highest && !self.chains.holds(temporal);
        }
        !self.chains.next(descriptor, temporal, wanted, picture > highest + 1)
    }
}

#[cfg(test)]
#[path = "vp8_tests.rs"]
mod tests;
