//! The data channels of one connection: known by label, whoever opened them.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use str0m::{
    Rtc,
    channel::{ChannelConfig, ChannelId, Reliability},
};

use crate::DataKind;

/// Bounds of what waits for a slow client; further messages to it are dropped.
const WAITING_BYTES_MAX: usize = 8 * 1024 * 1024;
const WAITING_MESSAGES_MAX: usize = 4_096;
/// Bounds of what one client may have sent reliably that signaling has not dealt with. A client
/// beyond them sends faster than the server takes; it alone is closed.
const UNREAD_MESSAGES_MAX: usize = 1_024;
const UNREAD_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Below this much in the association's buffer, waiting messages go on.
const LOW_BYTES: usize = 32 * 1024;

const KINDS: [DataKind; 3] = [DataKind::Reliable, DataKind::Lossy, DataKind::DataTrack];

fn label(kind: DataKind) -> &'static str {
    match kind {
        DataKind::Reliable => "_reliable",
        DataKind::Lossy => "_lossy",
        DataKind::DataTrack => "_data_track",
    }
}

/// The channels that the server opens on a subscriber connection.
pub(crate) fn own_configs() -> impl Iterator<Item = ChannelConfig> {
    KINDS.into_iter().map(|kind| {
        let reliable = kind == DataKind::Reliable;
        ChannelConfig {
            label: label(kind).to_owned(),
            ordered: reliable,
            reliability: if reliable {
                Reliability::Reliable
            } else {
                Reliability::MaxRetransmits { retransmits: 0 }
            },
            ..ChannelConfig::default()
        }
    })
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    Written,
    /// Waits in the queue.
    Waiting,
    Dropped,
}

/// What signaling still holds of one client's reliable messages.
#[derive(Debug, Default)]
pub(crate) struct Unread(Arc<UnreadCounts>);

#[derive(Debug, Default)]
struct UnreadCounts {
    messages: AtomicUsize,
    bytes: AtomicUsize,
}

/// A message that is counted until its last copy is dropped.
struct Counted {
    data: Vec<u8>,
    counts: Arc<UnreadCounts>,
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.data
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.counts.messages.fetch_sub(1, Ordering::Relaxed);
        self.counts.bytes.fetch_sub(self.data.len(), Ordering::Relaxed);
    }
}

impl Unread {
    /// Counts a message. `None`: it goes beyond the client's bounds.
    pub(crate) fn count(&self, data: Vec<u8>) -> Option<Bytes> {
        let counts = Arc::clone(&self.0);
        // Only this thread adds, so between looking and adding the sums can only fall.
        let messages = counts.messages.load(Ordering::Relaxed);
        let bytes = counts.bytes.load(Ordering::Relaxed);
        if messages >= UNREAD_MESSAGES_MAX || bytes + data.len() > UNREAD_BYTES_MAX {
            return None;
        }
        counts.messages.fetch_add(1, Ordering::Relaxed);
        counts.bytes.fetch_add(data.len(), Ordering::Relaxed);
        Some(Bytes::from_owner(Counted { data, counts }))
    }
}

#[derive(Debug, Default)]
pub(crate) struct Channels {
    open: [Option<ChannelId>; 3],
    waiting: VecDeque<Bytes>,
    waiting_bytes: usize,
    pub(crate) unread: Unread,
}

impl Channels {
    /// A channel has opened, by whichever side. Unknown labels are not ours to serve.
    pub(crate) fn opened(&mut self, rtc: &mut Rtc, id: ChannelId, name: &str) {
        let Some(place) = KINDS.iter().position(|kind| label(*kind) == name) else { return };
        if let Some(mut channel) = rtc.channel(id) {
            channel.set_buffered_amount_low_threshold(LOW_BYTES);
        }
        self.open[place] = Some(id);
    }

    pub(crate) fn closed(&mut self, id: ChannelId) {
        for open in &mut self.open {
            if *open == Some(id) {
                *open = None;
            }
        }
    }

    pub(crate) fn kind(&self, id: ChannelId) -> Option<DataKind> {
        let place = self.open.iter().position(|open| *open == Some(id))?;
        KINDS.get(place).copied()
    }

    /// Sends a message, or keeps it if it is reliable and cannot go now.
    pub(crate) fn send(&mut self, rtc: &mut Rtc, kind: DataKind, data: &Bytes) -> Sent {
        if kind != DataKind::Reliable {
            return if self.write(rtc, kind, data) { Sent::Written } else { Sent::Dropped };
        }
        if self.waiting.is_empty() && self.write(rtc, kind, data) {
            return Sent::Written;
        }
        self.keep(data)
    }

    pub(crate) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Sends what waits, as far as it goes. Returns how many messages went.
    pub(crate) fn resume(&mut self, rtc: &mut Rtc) -> u64 {
        let mut written = 0;
        while let Some(data) = self.waiting.pop_front() {
            if !self.write(rtc, DataKind::Reliable, &data) {
                self.waiting.push_front(data);
                break;
            }
            self.waiting_bytes -= data.len();
            written += 1;
        }
        written
    }

    fn keep(&mut self, data: &Bytes) -> Sent {
        if self.waiting.len() >= WAITING_MESSAGES_MAX || self.waiting_bytes + data.len() > WAITING_BYTES_MAX {
            return Sent::Dropped;
        }
        self.waiting_bytes += data.len();
        self.waiting.push_back(data.clone());
        Sent::Waiting
    }

    fn write(&self, rtc: &mut Rtc, kind: DataKind, data: &[u8]) -> bool {
        let place = KINDS.iter().position(|other| *other == kind);
        let id = place.and_then(|place| self.open[place]);
        let Some(mut channel) = id.and_then(|id| rtc.channel(id)) else { return false };
        // An error means that the client takes no message of this size, or the association is gone.
        channel.write(true, data).unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn reliable_waits_within_bounds_and_lossy_does_not() {
        let mut rtc = crate::codecs::build(&[], 1000).unwrap();
        let _ = rtc.handle_input(str0m::Input::Timeout(Instant::now()));
        let mut channels = Channels::default();
        let message = Bytes::from(vec![1; 1000]);
        assert_eq!(channels.send(&mut rtc, DataKind::Lossy, &message), Sent::Dropped);
        let mut kept = 0;
        while channels.send(&mut rtc, DataKind::Reliable, &message) == Sent::Waiting {
            kept += 1;
        }
        assert_eq!(kept, WAITING_MESSAGES_MAX);
        let large = Bytes::from(vec![1; WAITING_BYTES_MAX + 1]);
        assert_eq!(Channels::default().send(&mut rtc, DataKind::Reliable, &large), Sent::Dropped);
        assert_eq!(channels.resume(&mut rtc), 0, "nothing is open");
        assert_eq!(channels.waiting.len(), kept, "what could not go is kept");
    }

    #[test]
    fn unread_messages_are_counted_until_they_are_dropped() {
        let unread = Unread::default();
        let mut held = Vec::new();
        while let Some(message) = unread.count(vec![1; 10]) {
            held.push(message);
        }
        assert_eq!(held.len(), UNREAD_MESSAGES_MAX);
        let copy = held[0].clone();
        held.clear();
        let counts = &unread.0;
        assert_eq!(counts.messages.load(Ordering::Relaxed), 1, "a copy is still there");
        drop(copy);
        assert_eq!(counts.bytes.load(Ordering::Relaxed), 0);
        assert!(unread.count(vec![1; UNREAD_BYTES_MAX]).is_some());
        assert!(unread.count(vec![1; UNREAD_BYTES_MAX + 1]).is_none());
    }
}
