//! Room events on their way to the control plane.
//!
//! Nothing is lost while there is a reader: a room whose events are not read
//! waits, after [`crate::Limits::events`] events, until they are. A service whose
//! [`crate::Signaling::events`] was never called, or whose reader is gone, drops them.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

pub(crate) use parking::Slot as EventSlot;
use tokio::sync::mpsc;

use crate::{
    ids::{RoomName, RoomSid},
    room::RoomEventKind,
};

/// Something that happened in a room. Events of one room come in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomEvent {
    pub room: RoomName,
    pub room_sid: RoomSid,
    /// When it happened: Unix time, milliseconds.
    pub at_ms: i64,
    pub kind: RoomEventKind,
}

#[derive(Clone, Debug)]
pub(crate) struct EventSender {
    queue: mpsc::Sender<RoomEvent>,
    taken: Arc<AtomicBool>,
}

/// The two ends; the reader's may be taken once.
pub(crate) fn channel(size: usize) -> (EventSender, EventSlot) {
    let (queue, receiver) = mpsc::channel(size.max(1));
    let taken = Arc::new(AtomicBool::new(false));
    (EventSender { queue, taken: taken.clone() }, EventSlot::new(receiver, taken))
}

impl EventSender {
    /// Waits for room in the queue, if anybody reads it.
    pub(crate) async fn send(&self, event: RoomEvent) {
        if self.taken.load(Ordering::Acquire) {
            // An error means that the reader is gone: the service is ending.
            drop(self.queue.send(event).await);
        }
    }
}

mod parking {
    use std::sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    };

    use tokio::sync::mpsc;

    use super::RoomEvent;

    /// Where the receiver waits to be taken.
    #[derive(Debug)]
    pub(crate) struct Slot {
        receiver: Mutex<Option<mpsc::Receiver<RoomEvent>>>,
        taken: Arc<AtomicBool>,
    }

    impl Slot {
        pub(super) fn new(receiver: mpsc::Receiver<RoomEvent>, taken: Arc<AtomicBool>) -> Self {
            Self { receiver: Mutex::new(Some(receiver)), taken }
        }

        pub(crate) fn take(&self) -> Option<mpsc::Receiver<RoomEvent>> {
            let receiver = self.receiver.lock().unwrap_or_else(PoisonError::into_inner).take();
            if receiver.is_some() {
                self.taken.store(true, Ordering::Release);
            }
            receiver
        }
    }
}
