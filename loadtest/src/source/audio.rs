//! Sound: Opus packets of 20 ms.

use std::time::{Duration, Instant};

use super::{MediaPacket, Numbers};
use crate::stamp::{Stamp, nanoseconds};

/// Ticks of 20 ms at 48 kHz.
const TICKS: u32 = 960;
/// Hybrid fullband, 20 ms, one frame (RFC 6716, section 3.1).
const TABLE_OF_CONTENTS: u8 = 0x78;

#[derive(Clone, Copy, Debug)]
pub struct AudioSpec {
    /// Of one packet; 80 bytes are 32 kbit/s.
    pub payload_bytes: usize,
    /// Loudness told in the header extension, in dBov (0 is loudest).
    pub level_dbov: i8,
    pub seed: u64,
}

impl Default for AudioSpec {
    fn default() -> Self {
        Self { payload_bytes: 80, level_dbov: -30, seed: 1 }
    }
}

/// Makes a packet every 20 ms.
#[derive(Debug)]
pub struct AudioSource {
    spec: AudioSpec,
    next_at: Instant,
    sequence: u64,
    timestamp: u32,
    number: u32,
}

impl AudioSource {
    pub const INTERVAL: Duration = Duration::from_millis(20);
    /// After a longer halt of this process the missed packets are left out.
    const CATCH_UP: Duration = Duration::from_secs(1);

    pub fn new(spec: AudioSpec, start: Instant) -> Self {
        let mut numbers = Numbers::new(spec.seed);
        Self {
            spec,
            next_at: start,
            sequence: numbers.below(30_000),
            timestamp: u32::try_from(numbers.below(1 << 32)).unwrap_or(0),
            number: 0,
        }
    }

    pub fn next_at(&self) -> Instant {
        self.next_at
    }

    /// The packet that is due at `now`, if one is; call until `None`.
    pub fn packet(&mut self, now: Instant) -> Option<MediaPacket> {
        if now < self.next_at {
            return None;
        }
        if now - self.next_at > Self::CATCH_UP {
            let missed = (now - self.next_at).as_millis() / Self::INTERVAL.as_millis();
            let missed = u32::try_from(missed).unwrap_or(u32::MAX);
            self.next_at += Self::INTERVAL * missed;
            self.timestamp = self.timestamp.wrapping_add(TICKS.wrapping_mul(missed));
        }
        let stamp = Stamp {
            sent_ns: nanoseconds(Instant::now()),
            layer: 0,
            temporal: 0,
            frame: self.number,
            index: 0,
            count: 1,
        };
        let mut payload = Vec::with_capacity(self.spec.payload_bytes);
        payload.push(TABLE_OF_CONTENTS);
        stamp.append(&mut payload);
        payload.resize(self.spec.payload_bytes.max(payload.len()), 0x5a);
        let packet = MediaPacket {
            layer: 0,
            sequence: self.sequence,
            timestamp: self.timestamp,
            marker: false,
            payload,
        };
        self.sequence += 1;
        self.number = self.number.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(TICKS);
        self.next_at += Self::INTERVAL;
        Some(packet)
    }

    pub fn level_dbov(&self) -> i8 {
        self.spec.level_dbov
    }
}

/// The stamp in a received Opus payload.
pub(crate) fn stamp(payload: &[u8]) -> Option<Stamp> {
    payload.get(1..).and_then(Stamp::read)
}
