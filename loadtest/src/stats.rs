//! Counts of peers, summed over all of them.

use crate::{Histogram, continuity::Faults};

/// What one peer, or all together, have sent and received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PeerCounts {
    /// Distinct media packets received, without retransmissions and padding.
    pub delivered_packets: u64,
    pub delivered_bytes: u64,
    pub delivered_audio_packets: u64,
    /// Packets missing for good.
    pub lost_packets: u64,
    pub duplicate_packets: u64,
    pub frames: u64,
    pub keyframes: u64,
    /// Frames by spatial layer, smallest first.
    pub frames_by_layer: [u64; 3],
    pub faults: Faults,
    pub sent_packets: u64,
    pub sent_bytes: u64,
    /// Of the largest layer.
    pub sent_top_packets: u64,
    pub sent_audio_packets: u64,
    /// Streams (SSRCs) on which something came.
    pub streams: u64,
    /// Packets that could not be decrypted or parsed.
    pub refused_packets: u64,
}

impl PeerCounts {
    pub fn merge(&mut self, other: &Self) {
        self.delivered_packets += other.delivered_packets;
        self.delivered_bytes += other.delivered_bytes;
        self.delivered_audio_packets += other.delivered_audio_packets;
        self.lost_packets += other.lost_packets;
        self.duplicate_packets += other.duplicate_packets;
        self.frames += other.frames;
        self.keyframes += other.keyframes;
        for (own, other) in self.frames_by_layer.iter_mut().zip(other.frames_by_layer) {
            *own += other;
        }
        self.faults.merge(&other.faults);
        self.sent_packets += other.sent_packets;
        self.sent_bytes += other.sent_bytes;
        self.sent_top_packets += other.sent_top_packets;
        self.sent_audio_packets += other.sent_audio_packets;
        self.streams += other.streams;
        self.refused_packets += other.refused_packets;
    }

    /// What was added since `earlier`, an older state of these counts.
    pub fn since(&self, earlier: &Self) -> Self {
        let mut layers = self.frames_by_layer;
        for (own, earlier) in layers.iter_mut().zip(earlier.frames_by_layer) {
            *own = own.saturating_sub(earlier);
        }
        Self {
            delivered_packets: self.delivered_packets.saturating_sub(earlier.delivered_packets),
            delivered_bytes: self.delivered_bytes.saturating_sub(earlier.delivered_bytes),
            delivered_audio_packets: self
                .delivered_audio_packets
                .saturating_sub(earlier.delivered_audio_packets),
            lost_packets: self.lost_packets.saturating_sub(earlier.lost_packets),
            duplicate_packets: self.duplicate_packets.saturating_sub(earlier.duplicate_packets),
            frames: self.frames.saturating_sub(earlier.frames),
            keyframes: self.keyframes.saturating_sub(earlier.keyframes),
            frames_by_layer: layers,
            faults: self.faults.since(&earlier.faults),
            sent_packets: self.sent_packets.saturating_sub(earlier.sent_packets),
            sent_bytes: self.sent_bytes.saturating_sub(earlier.sent_bytes),
            sent_top_packets: self.sent_top_packets.saturating_sub(earlier.sent_top_packets),
            sent_audio_packets: self.sent_audio_packets.saturating_sub(earlier.sent_audio_packets),
            streams: self.streams,
            refused_packets: self.refused_packets.saturating_sub(earlier.refused_packets),
        }
    }
}

/// Counts and delays of all peers of an engine.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    pub counts: PeerCounts,
    /// From writing at the publisher to reading at the watcher.
    pub delays: Histogram,
    /// How late the engine's own timers ran; it is part of the delays.
    pub lateness: Histogram,
    /// Peers now connected.
    pub connected: u64,
    /// Sessions that the server or an error has ended.
    pub ended: u64,
}

impl Totals {
    pub fn merge(&mut self, other: &Self) {
        self.counts.merge(&other.counts);
        self.delays.merge(&other.delays);
        self.lateness.merge(&other.lateness);
        self.connected += other.connected;
        self.ended += other.ended;
    }

    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            counts: self.counts.since(&earlier.counts),
            delays: self.delays.since(&earlier.delays),
            lateness: self.lateness.since(&earlier.lateness),
            connected: self.connected,
            ended: self.ended.saturating_sub(earlier.ended),
        }
    }
}
