//! Between the parts of a room that is wider than one worker.
//!
//! Each part is a room of its own on its worker. A track is *exported* from the part of its
//! publisher and *imported* into each part in which somebody is subscribed to it: packets go over
//! once per part, wishes (keyframes, layers watched) come back. Every worker has one bounded inbox
//! for all of it; what does not fit is dropped and counted. A packet lost so is one lost on the
//! way; a keyframe is asked for again; layers watched are told anew every second.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use crossbeam_queue::ArrayQueue;
use parley_media_core::{PartKey, Spatial, TrackConfig, TrackKey};
use str0m::{media::Mid, rtp::RtpPacket};

use crate::{arena::Key, codecs::InPayload, handle::Link};

/// Messages waiting in one inbox: a tenth of a second of 60,000 packets a second.
const INBOX_MAX: usize = 8_192;

/// What is known of a track since its first packet; made anew at each negotiation of its publisher,
/// so that a part which holds another one knows that it is out of date.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) config: TrackConfig,
    pub(crate) rids: Vec<String>,
    pub(crate) mid: Mid,
}

/// A packet of an exported track.
pub(crate) struct DistantPacket {
    pub(crate) facts: Arc<Facts>,
    pub(crate) packet: Arc<RtpPacket>,
    pub(crate) spatial: Spatial,
    pub(crate) payload: InPayload,
}

pub(crate) enum Message {
    /// An exported track has started, or is described anew.
    Facts(Arc<Facts>),
    Packet(DistantPacket),
    /// To the publisher's part: a keyframe is needed.
    Keyframe(TrackKey, Spatial),
    /// To the publisher's part: the highest layer watched in a part.
    Wanted(TrackKey, PartKey, Option<Spatial>),
}

/// The inbox of a worker.
pub(crate) struct Inbox {
    queue: ArrayQueue<(Key, Message)>,
    /// The worker has been woken and has not looked yet.
    told: AtomicBool,
}

impl Default for Inbox {
    fn default() -> Self {
        Self { queue: ArrayQueue::new(INBOX_MAX), told: AtomicBool::new(false) }
    }
}

impl Inbox {
    /// `None`: full, the message is lost. `Some(true)`: the worker is to be woken.
    fn push(&self, room: Key, message: Message) -> Option<bool> {
        self.queue.push((room, message)).ok()?;
        Some(!self.told.swap(true, Ordering::AcqRel))
    }

    /// The worker looks now; whoever writes after this wakes it again.
    pub(crate) fn look(&self) {
        self.told.store(false, Ordering::Release);
    }

    pub(crate) fn pop(&self) -> Option<(Key, Message)> {
        self.queue.pop()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }
}

/// The way to a part of the room.
#[derive(Clone)]
pub(crate) struct Outlet {
    pub(crate) link: Arc<Link>,
    pub(crate) room: Key,
    pub(crate) part: PartKey,
}

impl Outlet {
    /// False: the inbox is full, and the message is lost.
    pub(crate) fn send(&self, message: Message) -> bool {
        match self.link.inbox.push(self.room, message) {
            Some(true) => {
                self.link.wake();
                true
            }
            Some(false) => true,
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arena::Arena;

    #[test]
    fn a_full_inbox_drops_and_one_call_wakes() {
        let room = Arena::default().insert(());
        let inbox = Inbox::default();
        let wish = || Message::Keyframe(TrackKey(1), Spatial(0));
        assert_eq!(inbox.push(room, wish()), Some(true), "the first one wakes");
        for _ in 1..INBOX_MAX {
            assert_eq!(inbox.push(room, wish()), Some(false));
        }
        assert_eq!(inbox.push(room, wish()), None);
        inbox.look();
        assert!(inbox.pop().is_some());
        assert_eq!(inbox.push(room, wish()), Some(true), "it has looked, so it is woken again");
        assert_eq!(std::iter::from_fn(|| inbox.pop()).count(), INBOX_MAX);
        assert!(inbox.is_empty());
    }
}
