//! Counters of the media plane. One set per worker, so that no two threads write to one cache line.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::histogram::{Histogram, HistogramSnapshot};

macro_rules! metrics {
    (
        counters { $($(#[doc = $counter_help:literal])+ $counter:ident,)* }
        gauges { $($(#[doc = $gauge_help:literal])+ $gauge:ident,)* }
        histograms { $($(#[doc = $histogram_help:literal])+ $histogram:ident: $bounds:ident,)* }
    ) => {
        /// What one worker counts; only its thread writes.
        #[derive(Debug)]
        pub(crate) struct Metrics {
            $(pub(crate) $counter: Counter,)*
            $(pub(crate) $gauge: Counter,)*
            $(pub(crate) $histogram: Histogram,)*
        }

        impl Default for Metrics {
            fn default() -> Self {
                Self {
                    $($counter: Counter::default(),)*
                    $($gauge: Counter::default(),)*
                    $($histogram: Histogram::new($bounds),)*
                }
            }
        }

        /// A reading: of one worker, or summed over all.
        #[derive(Clone, Debug, PartialEq)]
        pub struct MetricsSnapshot {
            $($(#[doc = $counter_help])+ pub $counter: u64,)*
            $($(#[doc = $gauge_help])+ pub $gauge: u64,)*
            $($(#[doc = $histogram_help])+ pub $histogram: HistogramSnapshot,)*
        }

        impl Default for MetricsSnapshot {
            fn default() -> Self {
                Metrics::default().read()
            }
        }

        impl Metrics {
            pub(crate) fn read(&self) -> MetricsSnapshot {
                MetricsSnapshot {
                    $($counter: self.$counter.value(),)*
                    $($gauge: self.$gauge.value(),)*
                    $($histogram: self.$histogram.read(),)*
                }
            }

            pub(crate) fn add_to(&self, sum: &mut MetricsSnapshot) {
                $(sum.$counter = sum.$counter.wrapping_add(self.$counter.value());)*
                $(sum.$gauge = sum.$gauge.wrapping_add(self.$gauge.value());)*
                $(sum.$histogram.add(&self.$histogram.read());)*
            }
        }

        impl MetricsSnapshot {
            /// Each metric with its name and what it is, for exposition. Names are stable.
            pub fn iter(&self) -> impl Iterator<Item = Metric<'_>> {
                [
                    $(Metric {
                        name: stringify!($counter),
                        help: concat!($($counter_help),+).trim_ascii_start(),
                        value: Value::Counter(self.$counter),
                    },)*
                    $(Metric {
                        name: stringify!($gauge),
                        help: concat!($($gauge_help),+).trim_ascii_start(),
                        value: Value::Gauge(self.$gauge),
                    },)*
                    $(Metric {
                        name: stringify!($histogram),
                        help: concat!($($histogram_help),+).trim_ascii_start(),
                        value: Value::Histogram(&self.$histogram),
                    },)*
                ]
                .into_iter()
            }
        }
    };
}

metrics! {
    counters {
        /// Datagrams received.
        packets_in,
        /// Bytes of these datagrams.
        bytes_in,
        /// Datagrams sent.
        packets_out,
        /// Bytes of these datagrams.
        bytes_out,
        /// System calls by which the datagrams were sent.
        send_calls,
        /// TCP streams handed to the connection that they are for.
        tcp_accepted,
        /// TCP streams closed before: late, too many, or for nobody.
        tcp_refused,
        /// Times a connection's media was put on a path: at its start, and when the client moved it.
        paths_chosen,
        /// Times a client was not reached any more over the path in use.
        paths_lost,
        /// Checks sent to clients that had fallen silent.
        checks_sent,
        /// Checks sent to addresses from which media came that nobody has verified.
        probes_sent,
        /// Clients found by them.
        probes_answered,
        /// Checks from an address that another connection keeps checking from.
        addresses_contested,
        /// RTP packets of declared tracks received.
        rtp_in,
        /// RTP packets written to subscribers.
        rtp_out,
        /// Dropped: neither STUN, DTLS, RTP nor RTCP, not parsable, or longer than media may be.
        dropped_garbage,
        /// Dropped: from an address that no peer has verified.
        dropped_unknown_address,
        /// Dropped: STUN for credentials that nobody has.
        dropped_unknown_ufrag,
        /// Dropped: refused by the peer's state machine (bad DTLS, bad SRTP and the like).
        dropped_refused,
        /// Dropped: RTP that had come before, or so late that this cannot be told.
        dropped_replayed,
        /// Dropped on sending: the socket's buffer was full.
        dropped_send_full,
        /// Dropped on sending: a TCP stream did not keep up.
        dropped_tcp_full,
        /// Dropped on sending: the system refused the datagram.
        dropped_send_error,
        /// Dropped: RTP of a section that no declared track has.
        dropped_untracked_rtp,
        /// Dropped: RTP of a layer that is cut off, as its publisher sends more than it may.
        dropped_over_cap,
        /// Dropped: the subscriber has no payload type for the codec.
        dropped_no_payload_type,
        /// Frames of sound that were lost on the way in, and taken out of the redundancy after them.
        recovered_sound,
        /// Packets of sound sent with frames before them.
        redundant_out,
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
        /// Peer connections closed because their state machine failed.
        connections_failed,
        /// Panics caught in a peer's state machine (it is closed) or in a room (it is closed).
        panics,
        /// Rooms closed because their event queue was full.
        rooms_overloaded,
        /// Turns of the worker loop.
        turns,
        /// Turns of the worker loop that took longer than the lateness bound.
        late_turns,
        /// NACKed packets of publishers asked for again.
        nacks_sent,
        /// Packets that subscribers asked for again.
        nacks_received,
        /// Packets lost on the way to subscribers, by their reports.
        lost_downstream,
        /// Participants refused because the worker did not keep up.
        dropped_joins,
        /// Times that less was sent because the worker did not keep up.
        overload_raised,
        /// Microseconds in which the worker was busy.
        busy_micros,
    }
    gauges {
        /// Rooms open.
        rooms,
        /// What is left out because the worker does not keep up: 0 nothing, 1 frames, 2 cameras, 3 all pictures.
        overload_level,
        /// Video streams to subscribers that are paused for that.
        video_shed,
        /// Participants.
        participants,
        /// Peer connections.
        connections,
        /// TCP streams of connections.
        tcp_streams,
        /// ICE user fragments by which connections are found.
        user_fragments,
        /// Addresses by which connections are found.
        addresses,
        /// Deadlines waited for, those included that are void by now.
        timers,
        /// Video streams to subscribers that show the lowest layer.
        video_low,
        /// Video streams to subscribers that show the middle layer.
        video_medium,
        /// Video streams to subscribers that show the highest layer.
        video_high,
        /// Video streams to subscribers that wait for bandwidth or for a keyframe.
        video_waiting,
    }
    histograms {
        /// Seconds from the arrival of a packet at the socket to the system call that sends it on.
        forward_delay_seconds: DELAYS,
        /// Round-trip times of connections, seconds; each connection every two seconds.
        round_trip_seconds: TIMES,
        /// Jitter of received streams, seconds; each stream every two seconds.
        jitter_seconds: TIMES,
        /// Estimates of what can be sent to a participant, bits per second; at each change.
        estimate_bps: RATES,
        /// Share of packets lost from participants, 0 to 1; each connection every two seconds.
        loss_upstream_ratio: SHARES,
        /// Share of packets lost to participants, 0 to 1; each connection every two seconds.
        loss_downstream_ratio: SHARES,
    }
}

/// Upper bounds in seconds.
const DELAYS: &[f64] =
    &[0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25];
const TIMES: &[f64] = &[0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0];
const RATES: &[f64] = &[1e5, 2e5, 5e5, 1e6, 1.5e6, 2e6, 3e6, 5e6, 1e7, 2e7];
const SHARES: &[f64] = &[0.0, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5];

/// One metric, for exposition.
#[derive(Clone, Debug, PartialEq)]
pub struct Metric<'a> {
    pub name: &'static str,
    /// What it counts, in a sentence.
    pub help: &'static str,
    pub value: Value<'a>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// Only grows.
    Counter(u64),
    /// As it is now.
    Gauge(u64),
    Histogram(&'a HistogramSnapshot),
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
        a.forward_delay_seconds.observe(0.000_3);
        b.forward_delay_seconds.observe(7.0);
        b.packets_in.inc();
        b.rooms.set(2);
        let mut sum = MetricsSnapshot::default();
        a.add_to(&mut sum);
        b.add_to(&mut sum);
        assert_eq!((sum.packets_in, sum.rooms), (4, 2));
        assert!(sum.iter().any(|metric| metric.name == "packets_in" && metric.value == Value::Counter(4)));
        let delays = &sum.forward_delay_seconds;
        assert_eq!(delays.count(), 2);
        assert_eq!(delays.cumulative().map(|(_, count)| count).collect::<Vec<_>>()[2..5], [0, 1, 1]);
        assert!((delays.sum - 7.0003).abs() < 1e-9);
        assert!(sum.iter().all(|metric| !metric.help.is_empty()));
    }
}
