//! What waits to be written to one stream.
//!
//! A stream that does not keep up must not delay sound behind pictures, nor hold the worker. In this
//! order: while something has waited for [`VIDEO_WAIT_MAX`], or more than [`VIDEO_BYTES_MAX`] wait,
//! pictures are dropped (the receiver asks for repairs and keyframes, and the estimate falls); beyond
//! [`BYTES_MAX`] everything is. A frame that was begun is always finished.

use std::{
    io::{self, Write},
    time::{Duration, Instant},
};

use super::frame::LENGTH_BYTES;

pub(crate) const VIDEO_WAIT_MAX: Duration = Duration::from_millis(400);
pub(crate) const VIDEO_BYTES_MAX: usize = 192 * 1024;
pub(crate) const BYTES_MAX: usize = 256 * 1024;

/// What may be dropped first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Importance {
    Video,
    /// Sound, feedback, data, handshakes, checks.
    Other,
}

#[derive(Debug, Default)]
pub(crate) struct Queue {
    bytes: Vec<u8>,
    written: usize,
    /// Since when something has waited.
    waiting: Option<Instant>,
    /// When the stream last took something of it.
    progressed: Option<Instant>,
}

impl Queue {
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Since when the stream has taken nothing of what waits.
    pub(crate) fn stuck_since(&self) -> Option<Instant> {
        self.waiting.map(|since| self.progressed.map_or(since, |progressed| progressed.max(since)))
    }

    /// Adds a datagram with its frame; false if it is dropped.
    pub(crate) fn push(&mut self, datagram: &[u8], importance: Importance, now: Instant) -> bool {
        let Ok(length) = u16::try_from(datagram.len()) else { return false };
        let after = self.bytes.len() - self.written + LENGTH_BYTES + datagram.len();
        let limit = match importance {
            Importance::Video => VIDEO_BYTES_MAX,
            Importance::Other => BYTES_MAX,
        };
        let late = self.waiting.is_some_and(|since| now.saturating_duration_since(since) > VIDEO_WAIT_MAX);
        if after > limit || (late && importance == Importance::Video) {
            return false;
        }
        self.bytes.extend_from_slice(&length.to_be_bytes());
        self.bytes.extend_from_slice(datagram);
        true
    }

    /// Writes what the stream takes.
    pub(crate) fn flush(&mut self, out: &mut impl Write, now: Instant) -> io::Result<()> {
        while self.written < self.bytes.len() {
            match out.write(&self.bytes[self.written..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    self.written += count;
                    self.progressed = Some(now);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.waiting.get_or_insert(now);
                    self.bytes.drain(..self.written);
                    self.written = 0;
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
        self.bytes.clear();
        self.written = 0;
        self.waiting = None;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes so many bytes, then blocks.
    struct Narrow {
        room: usize,
        got: Vec<u8>,
    }

    impl Write for Narrow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.room == 0 {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            let count = bytes.len().min(self.room);
            self.room -= count;
            self.got.extend_from_slice(&bytes[..count]);
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn pictures_give_way_to_sound_and_no_frame_is_cut() {
        let (mut queue, begun) = (Queue::default(), Instant::now());
        let mut out = Narrow { room: 1_000, got: Vec::new() };
        for _ in 0..3 {
            assert!(queue.push(&[1; 600], Importance::Video, begun));
        }
        queue.flush(&mut out, begun).unwrap();
        assert_eq!(queue.stuck_since(), Some(begun));
        let late = begun + VIDEO_WAIT_MAX + Duration::from_millis(1);
        assert!(!queue.push(&[1; 600], Importance::Video, late));
        assert!(queue.push(&[2; 60], Importance::Other, late));
        out.room = 1;
        queue.flush(&mut out, late).unwrap();
        assert_eq!(queue.stuck_since(), Some(late), "slow is not stuck");
        out.room = 10_000;
        queue.flush(&mut out, late).unwrap();
        assert!(queue.is_empty() && queue.stuck_since().is_none());
        assert_eq!(out.got.len(), 3 * 602 + 62);
        assert_eq!(out.got[3 * 602..3 * 602 + 3], [0, 60, 2], "sound follows the frames that were queued");
        assert!(queue.push(&[1; 600], Importance::Video, late), "pictures go on when all is written");
    }

    #[test]
    fn a_stuck_stream_holds_no_more_than_the_bound() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        let mut out = Narrow { room: 0, got: Vec::new() };
        let video = (0..1_000).filter(|_| queue.push(&[1; 1_000], Importance::Video, now)).count();
        assert_eq!(video, VIDEO_BYTES_MAX / 1_002);
        let sound = (0..10_000).filter(|_| queue.push(&[2; 60], Importance::Other, now)).count();
        assert_eq!(sound, (BYTES_MAX - video * 1_002) / 62);
        queue.flush(&mut out, now).unwrap();
        assert!(queue.bytes.len() <= BYTES_MAX);
        assert!(!queue.push(&vec![0; 70_000], Importance::Other, now), "longer than a frame can say");
    }
}
