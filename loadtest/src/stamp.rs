//! What every synthetic packet carries in its payload, so that the receiver knows where it came from and when.
//!
//! Layout (big-endian, [`Stamp::BYTES`]): magic `PLT1`, run (u32), sent (u64, ns since the process's first stamp),
//! layer (u8), temporal layer (u8), frame (u32), packet within the frame (u16), packets of the frame (u16).
//! Stamps of another process are recognised by their run and not timed.

use std::{sync::OnceLock, time::Instant};

use rand::RngCore;

const MAGIC: &[u8; 4] = b"PLT1";

/// Origin of one packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Nanoseconds since the process's epoch, see [`nanoseconds`].
    pub sent_ns: u64,
    /// Spatial layer, 0 = smallest.
    pub layer: u8,
    pub temporal: u8,
    /// Number of the frame within its stream; for audio, of the packet.
    pub frame: u32,
    pub index: u16,
    pub count: u16,
}

struct Epoch {
    start: Instant,
    run: u32,
}

fn epoch() -> &'static Epoch {
    static EPOCH: OnceLock<Epoch> = OnceLock::new();
    EPOCH.get_or_init(|| Epoch { start: Instant::now(), run: rand::rng().next_u32() })
}

/// `at` in nanoseconds since the process's first call.
pub fn nanoseconds(at: Instant) -> u64 {
    u64::try_from(at.saturating_duration_since(epoch().start).as_nanos()).unwrap_or(u64::MAX)
}

impl Stamp {
    pub const BYTES: usize = 30;

    /// Appends the stamp to `payload`.
    pub fn append(&self, payload: &mut Vec<u8>) {
        payload.extend_from_slice(MAGIC);
        payload.extend_from_slice(&epoch().run.to_be_bytes());
        payload.extend_from_slice(&self.sent_ns.to_be_bytes());
        payload.extend_from_slice(&[self.layer, self.temporal]);
        payload.extend_from_slice(&self.frame.to_be_bytes());
        payload.extend_from_slice(&self.index.to_be_bytes());
        payload.extend_from_slice(&self.count.to_be_bytes());
        // Room for later fields.
        payload.extend_from_slice(&[0; 4]);
    }

    /// Reads the stamp at the start of `bytes`; `None` when there is none of this process.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.get(..Self::BYTES)?;
        if &bytes[..4] != MAGIC || bytes[4..8] != epoch().run.to_be_bytes() {
            return None;
        }
        let short = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
        let long = |at: usize| u32::from(short(at)) << 16 | u32::from(short(at + 2));
        Some(Self {
            sent_ns: u64::from(long(8)) << 32 | u64::from(long(12)),
            layer: bytes[16],
            temporal: bytes[17],
            frame: long(18),
            index: short(22),
            count: short(24),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_are_read_as_written_and_foreign_bytes_are_not() {
        let stamp = Stamp {
            sent_ns: 0x0102_0304_0506_0708,
            layer: 2,
            temporal: 1,
            frame: 70_000,
            index: 3,
            count: 9,
        };
        let mut bytes = Vec::new();
        stamp.append(&mut bytes);
        assert_eq!(bytes.len(), Stamp::BYTES);
        assert_eq!(Stamp::read(&bytes), Some(stamp));
        assert_eq!(Stamp::read(&bytes[..Stamp::BYTES - 1]), None);
        let mut foreign = bytes.clone();
        foreign[5] ^= 1;
        assert_eq!(Stamp::read(&foreign), None);
    }
}
