//! An outgoing stream: which packets of the attached track go out on it, and
//! under which numbers. The numbers outlive the tracks.

use std::time::Instant;

use crate::{
    Forward, ParticipantKey, SlotKey, SlotSettings, Spatial, TrackKey,
    ladder::Step,
    renumber::Renumber,
    timestamp::Timestamps,
    track::{Packet, Stream, Track},
    vp8,
};

/// First sequence number. Well below 32,768: receivers guess the roll-over
/// counter of SRTP from the first packet (RFC 3711, section 3.3.1).
const FIRST_SEQUENCE: u64 = 1;

/// The layers to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub spatial: Spatial,
    pub temporal: u8,
}

/// What became of a packet on a slot.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Routed {
    pub forward: Option<Forward>,
    /// The slot shows another layer from this packet on.
    pub switched: bool,
}

/// What allocation remembers of a slot.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Grant {
    /// Something was decided since the slot began to want video.
    pub decided: bool,
    pub held: Option<Step>,
    /// When it last had to step down for lack of bandwidth.
    pub lowered_at: Option<Instant>,
    /// What was told: is the stream paused?
    pub paused: bool,
}

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Slot {
    pub key: SlotKey,
    pub participant: ParticipantKey,
    pub track: Option<TrackKey>,
    pub settings: SlotSettings,
    pub grant: Grant,
    target: Option<Target>,
    current: Option<Stream>,
    sequence: Renumber,
    timestamps: Timestamps,
    vp8: vp8::Numbers,
}

impl Slot {
    pub(crate) fn new(key: SlotKey, participant: ParticipantKey) -> Self {
        Self {
            key,
            participant,
            track: None,
            settings: SlotSettings::default(),
            grant: Grant::default(),
            target: None,
            current: None,
            sequence: Renumber::new(FIRST_SEQUENCE),
            timestamps: Timestamps::default(),
            vp8: vp8::Numbers::new(),
        }
    }

    pub(crate) fn attach(&mut self, track: TrackKey, settings: SlotSettings) {
        self.detach();
        self.track = Some(track);
        self.settings = settings;
    }

    pub(crate) fn detach(&mut self) {
        self.track = None;
        self.grant = Grant::default();
        self.set_target(None);
    }

    /// Without a target the stream stops at once; to another layer it goes over
    /// at that layer's next keyframe.
    pub(crate) fn set_target(&mut self, target: Option<Target>) {
        self.target = target;
        if target.is_none() {
            self.current = None;
        }
    }

    /// The layer that is sent.
    pub(crate) fn shown(&self) -> Option<Spatial> {
        self.current.map(|stream| stream.spatial)
    }

    /// The layer whose keyframe the slot waits for.
    pub(crate) fn waits_for(&self, track: &Track) -> Option<Spatial> {
        let wanted = self.target?.spatial;
        let there = self.current.is_some() && self.current == track.stream(wanted);
        (!there).then_some(wanted)
    }

    /// The layer to ask for when the receiver cannot decode.
    pub(crate) fn refresh_layer(&self) -> Option<Spatial> {
        self.shown().or(self.target.map(|target| target.spatial))
    }

    /// Hot path: one call for each receiver of a packet.
    pub(crate) fn route(&mut self, packet: &Packet, now: Instant) -> Routed {
        let Some(target) = self.target else { return Routed::default() };
        let switched = self.current != Some(packet.stream);
        if switched {
            if !self.enters(packet, target) {
                return Routed::default();
            }
            self.current = Some(packet.stream);
            self.sequence.begin(packet.sequence);
            self.timestamps.begin(packet.timestamp, packet.clock_rate, now);
            self.vp8.begin(target.temporal);
        }
        Routed { forward: self.rewrite(packet, target.temporal, now), switched }
    }

    /// May the slot go over to the packet's stream? Before anything is shown, a
    /// keyframe of a lower layer is better than none.
    fn enters(&self, packet: &Packet, target: Target) -> bool {
        let spatial = packet.stream.spatial;
        let fits = spatial == target.spatial || self.current.is_none() && spatial < target.spatial;
        packet.entry && !packet.hollow && fits
    }

    fn rewrite(&mut self, packet: &Packet, temporal: u8, now: Instant) -> Option<Forward> {
        if !self.sequence.covers(packet.sequence) {
            return None;
        }
        if packet.hollow {
            self.sequence.skip(packet.sequence, false);
            return None;
        }
        let mut patch = None;
        if let Some(vp8) = &packet.vp8 {
            let newest = self.sequence.highest().is_some_and(|highest| packet.sequence > highest);
            match self.vp8.judge(vp8, newest, temporal) {
                vp8::Verdict::Forward(numbers) => patch = Some(numbers),
                vp8::Verdict::Thin { joined } => {
                    self.sequence.skip(packet.sequence, joined);
                    return None;
                }
                vp8::Verdict::Stale => return None,
            }
        }
        Some(Forward {
            slot: self.key,
            sequence: self.sequence.map(packet.sequence)?,
            timestamp: self.timestamps.map(packet.timestamp, now),
            marker: packet.marker,
            vp8: patch,
            vp9: None,
            frame_number: None,
        })
    }
}
