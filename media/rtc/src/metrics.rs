//! Counters of the media plane. One set per worker, so that no two threads write to one cache line.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Counters of one worker; only its thread writes.
        #[derive(Debug, Default)]
        pub(crate) struct Metrics {
            $(pub(crate) $name: Counter,)*
        }

        /// A reading of all counters, summed over the workers.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct MetricsSnapshot {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl Metrics {
            pub(crate) fn add_to(&self, sum: &mut MetricsSnapshot) {
                $(sum.$name = sum.$name.wrapping_add(self.$name.value());)*
            }
        }

        impl MetricsSnapshot {
            /// Name and value of each counter, for exposition. Names are stable.
            pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($name), self.$name),)*].into_iter()
            }
        }
    };
}

counters! {
    /// Datagrams received.
    packets_in,
    /// Bytes of UDP payload received.
    bytes_in,
    /// Datagrams sent.
    packets_out,
    /// Bytes of UDP payload sent.
    bytes_out,
    /// System calls by which the datagrams were sent.
    send_calls,
    /// RTP packets of declared tracks received.
    rtp_in,
    /// RTP packets written to subscribers.
    rtp_out,
    /// Dropped: neither STUN, DTLS, RTP nor RTCP, or not parsable.
    dropped_garbage,
    /// Dropped: from an address that no peer has verified.
    dropped_unknown_address,
    /// Dropped: STUN for credentials that nobody has.
    dropped_unknown_ufrag,
    /// Dropped: refused by the peer's state machine (bad DTLS, bad SRTP and the like).
    dropped_refused,
    /// Dropped on sending: the socket's buffer was full.
    dropped_send_full,
    /// Dropped on sending: the system refused the datagram.
    dropped_send_error,
    /// Dropped: RTP of a section that no declared track has.
    dropped_untracked_rtp,
    /// Dropped: the subscriber has no payload type for the codec.
    dropped_no_payload_type,
    /// Packets relayed to other parts of their rooms.
    relayed,
    /// Dropped: the inbox of another worker was full.
    dropped_relay,
    /// Data messages dropped because a queue was full.
    dropped_data,
    /// Events dropped because signaling was late.
    dropped_events,
    /// Keyframes asked of publishers.
    keyframes_requested,
    /// Keyframe requests received of subscribers.
    keyframe_requests_in,
    /// Data messages received.
    data_in,
    /// Data messages sent.
    data_out,
    /// Rooms open (gauge).
    rooms,
    /// Participants (gauge).
    participants,
    /// Peer connections (gauge).
    connections,
    /// Peer connections closed because their state machine failed.
    connections_failed,
    /// Panics caught in a peer's state machine (it is closed) or in a room (it is closed).
    panics,
    /// Rooms closed because their event queue was full.
    rooms_overloaded,
    /// Turns of the worker loop that took longer than the lateness bound.
    late_turns,
}

/// A number that one thread writes and others read.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    pub(crate) fn inc(&self) {
        self.add(1);
    }

    pub(crate) fn set(&self, n: u64) {
        self.0.store(n, Ordering::Relaxed);
    }

    pub(crate) fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snapshot_sums_over_workers() {
        let (a, b) = (Metrics::default(), Metrics::default());
        a.packets_in.add(3);
        b.packets_in.inc();
        b.rooms.set(2);
        let mut sum = MetricsSnapshot::default();
        a.add_to(&mut sum);
        b.add_to(&mut sum);
        assert_eq!((sum.packets_in, sum.rooms), (4, 2));
        assert!(sum.iter().any(|(name, value)| name == "packets_in" && value == 4));
    }
}
