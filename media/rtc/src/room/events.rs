//! The events of a room: a bounded queue that never makes the worker wait.

use tokio::sync::mpsc;

use crate::{DataKind, MediaEvent, metrics::Metrics};

/// Room kept for [`MediaEvent::Closed`].
const RESERVED: usize = 1;
/// One part in so many of the queue is not for data messages.
const KEPT_FOR_STATE: usize = 8;
/// The smallest queue that makes sense.
const QUEUE_MIN: usize = 16;

pub(crate) struct Events {
    queue: mpsc::Sender<MediaEvent>,
    overloaded: bool,
}

impl Events {
    pub(crate) fn new(bound: usize) -> (Self, mpsc::Receiver<MediaEvent>) {
        let (queue, receiver) = mpsc::channel(bound.max(QUEUE_MIN) + RESERVED);
        (Self { queue, overloaded: false }, receiver)
    }

    /// The same queue, for a further part of the room.
    pub(crate) fn of(queue: mpsc::Sender<MediaEvent>) -> Self {
        Self { queue, overloaded: false }
    }

    pub(crate) fn share(&self) -> mpsc::Sender<MediaEvent> {
        self.queue.clone()
    }

    /// Puts a reliable message into the queue. False: signaling is late, and what is left of the
    /// queue is for what the room itself has to tell; nobody's messages close a room.
    pub(crate) fn tell_reliable(&mut self, metrics: &Metrics, event: MediaEvent) -> bool {
        if self.queue.capacity() <= self.queue.max_capacity() / KEPT_FOR_STATE {
            metrics.dropped_events.inc();
            return false;
        }
        self.tell(metrics, event);
        true
    }

    /// Puts an event into the queue. When signaling is late, what is of the moment only is
    /// dropped first; when the rest does not fit either, the room is to be closed.
    pub(crate) fn tell(&mut self, metrics: &Metrics, event: MediaEvent) {
        let free = self.queue.capacity();
        if is_fleeting(&event) && free < self.queue.max_capacity() / 4 {
            metrics.dropped_events.inc();
            return;
        }
        if free <= RESERVED {
            self.overloaded = true;
            metrics.dropped_events.inc();
            return;
        }
        // The other reason to fail is that nobody listens any more; the room will be closed.
        if self.queue.try_send(event).is_err() {
            metrics.dropped_events.inc();
        }
    }

    /// An event that must not be lost was lost.
    pub(crate) fn is_overloaded(&self) -> bool {
        self.overloaded
    }

    /// The last event, for which room was kept.
    pub(crate) fn close(self, reason: &'static str) {
        if self.queue.try_send(MediaEvent::Closed { reason }).is_err() {
            tracing::debug!(reason, "nobody hears that the room closes");
        }
    }
}

fn is_fleeting(event: &MediaEvent) -> bool {
    match event {
        MediaEvent::Data { kind, .. } => *kind != DataKind::Reliable,
        MediaEvent::Speakers(_) | MediaEvent::Quality { .. } => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ParticipantKey;
    use bytes::Bytes;

    fn data(kind: DataKind) -> MediaEvent {
        MediaEvent::Data { participant: ParticipantKey(1), kind, data: Bytes::from_static(b"x") }
    }

    #[test]
    fn what_is_of_the_moment_goes_first_and_the_end_always_fits() {
        let metrics = Metrics::default();
        let (mut events, mut receiver) = Events::new(20);
        for _ in 0..100 {
            events.tell(&metrics, data(DataKind::Lossy));
        }
        let lossy = receiver.len();
        assert!(lossy < 20 && !events.is_overloaded());
        while events.tell_reliable(&metrics, data(DataKind::Reliable)) {}
        let reliable = receiver.len();
        assert!(lossy < reliable && reliable < 20 && !events.is_overloaded());
        let state = || MediaEvent::SectionsRequired { participant: ParticipantKey(1), audio: 0, video: 0 };
        for _ in reliable..20 {
            events.tell(&metrics, state());
        }
        assert!(!events.is_overloaded());
        events.tell(&metrics, state());
        assert!(events.is_overloaded());
        events.close("overload");
        let mut last = None;
        while let Ok(event) = receiver.try_recv() {
            last = Some(event);
        }
        assert!(matches!(last, Some(MediaEvent::Closed { reason: "overload" })));
    }
}
