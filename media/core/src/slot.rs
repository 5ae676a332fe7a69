//! An outgoing stream: which packets of the attached track go out on it, and
//! under which numbers. The numbers outlive the tracks.

use std::time::{Duration, Instant};

use crate::{
    Forward, ParticipantKey, SlotKey, SlotSettings, Spatial, TrackKey,
    ladder::Step,
    layers::{self, Limit},
    renumber::Renumber,
    timestamp::Timestamps,
    track::{Packet, Stream, Track},
    viewing::Viewing,
    vp8,
};

/// First sequence number. Well below 32,768: receivers guess the roll-over
/// counter of SRTP from the first packet (RFC 3711, section 3.3.1).
const FIRST_SEQUENCE: u64 = 1;
/// All spatial layers inside a stream.
const EVERY_SPATIAL: u8 = u8::MAX;

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
    /// The stream begins on the slot, or goes on after something was withheld.
    pub begun: bool,
}

/// What allocation remembers of a slot.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Grant {
    /// Something was decided since the slot began to want video.
    pub decided: bool,
    pub held: Option<Step>,
    /// When it last had to step down for lack of bandwidth, and how long it must not rise since.
    pub lowered_at: Option<Instant>,
    pub hold: Duration,
    /// When it last rose.
    pub rose_at: Option<Instant>,
    /// What was told: is the stream paused?
    pub paused: bool,
    /// It is paused because the server is short of time.
    pub shed: bool,
}

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Slot {
    pub key: SlotKey,
    pub participant: ParticipantKey,
    pub track: Option<TrackKey>,
    pub settings: SlotSettings,
    pub grant: Grant,
    pub viewing: Viewing,
    /// The receiver takes redundant sound.
    pub takes_redundancy: bool,
    /// Earlier frames that are to go with each packet of sound.
    pub redundancy: u8,
    target: Option<Target>,
    current: Option<Stream>,
    /// Incoming number with which `current` began on the slot.
    began: u64,
    sequence: Renumber,
    timestamps: Timestamps,
    vp8: vp8::Numbers,
    /// Of streams with layers inside; on the heap because few slots need it.
    layered: Option<Box<Layered>>,
}

/// The choice inside the present stream, and the numbers that outlive it.
#[derive(Debug, Default)]
struct Layered {
    selector: Option<layers::Selector>,
    numbers: layers::Numbers,
}

impl Slot {
    pub(crate) fn new(key: SlotKey, participant: ParticipantKey) -> Self {
        Self {
            key,
            participant,
            track: None,
            settings: SlotSettings::default(),
            grant: Grant::default(),
            viewing: Viewing::default(),
            takes_redundancy: false,
            redundancy: 0,
            target: None,
            current: None,
            began: 0,
            sequence: Renumber::new(FIRST_SEQUENCE),
            timestamps: Timestamps::default(),
            vp8: vp8::Numbers::new(),
            layered: None,
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
        self.timestamps.forget_clock();
        self.viewing.reset();
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

    /// Its sound is wanted however many others talk.
    pub(crate) fn pinned(&self) -> bool {
        self.settings.priority > 0
    }

    /// Sends nothing of the present packets: the numbers are closed up, and what comes next is a
    /// new beginning after a silence.
    pub(crate) fn withhold(&mut self) {
        self.current = None;
    }

    /// The layer that is sent.
    pub(crate) fn shown(&self) -> Option<Spatial> {
        let stream = self.current?;
        Some(self.limit().map_or(stream.spatial, |limit| Spatial(limit.spatial)))
    }

    /// How far a stream whose spatial layers build on each other is sent.
    fn limit(&self) -> Option<Limit> {
        let limit = self.layered.as_ref()?.selector.as_ref()?.current();
        (limit.spatial != EVERY_SPATIAL).then_some(limit)
    }

    /// The stream of whose next keyframe the slot waits.
    pub(crate) fn waits_for(&self, track: &Track) -> Option<Spatial> {
        let wanted = self.target?.spatial;
        let there = self.current.is_some()
            && self.current == track.stream(wanted)
            && self.limit().is_none_or(|limit| limit.spatial >= wanted.0);
        (!there).then(|| track.carrier(wanted))
    }

    /// The stream to ask for a keyframe when the receiver cannot decode.
    pub(crate) fn refresh_layer(&self, track: &Track) -> Option<Spatial> {
        let target = || Some(track.carrier(self.target?.spatial));
        self.current.map(|stream| stream.spatial).or_else(target)
    }

    /// Hot path: one call for each receiver of a packet.
    pub(crate) fn route(&mut self, packet: &Packet, now: Instant) -> Routed {
        let Some(target) = self.target else { return Routed::default() };
        let before = self.shown();
        let begun = self.current != Some(packet.stream);
        if begun {
            if !self.enters(packet, target) {
                return Routed::default();
            }
            self.begin(packet, target, now);
        }
        let forward = self.rewrite(packet, target, now);
        Routed { forward, switched: self.shown() != before, begun }
    }

    /// May the slot go over to the packet's stream? Before anything is shown, a
    /// keyframe of a lower layer is better than none. Not at one that is late: what followed on
    /// it was not sent to this slot and will not come again.
    fn enters(&self, packet: &Packet, target: Target) -> bool {
        let spatial = packet.stream.spatial;
        let fits =
            packet.svc || spatial == target.spatial || self.current.is_none() && spatial < target.spatial;
        packet.entry && packet.newest && !packet.hollow && fits
    }

    fn begin(&mut self, packet: &Packet, target: Target, now: Instant) {
        self.current = Some(packet.stream);
        self.began = packet.sequence;
        self.sequence.begin(packet.sequence);
        self.timestamps.begin(packet.timestamp, packet.clock_rate, packet.report, now);
        self.vp8.begin(target.temporal);
        if packet.frame.is_some() {
            let layered = self.layered.get_or_insert_default();
            layered.selector = Some(layers::Selector::new(limit(packet, target)));
            layered.numbers.begin();
        } else if let Some(layered) = &mut self.layered {
            layered.selector = None;
        }
    }

    fn rewrite(&mut self, packet: &Packet, target: Target, now: Instant) -> Option<Forward> {
        if !self.sequence.covers(packet.sequence) {
            return None;
        }
        if packet.hollow {
            self.sequence.skip(packet.sequence, false);
            return None;
        }
        let (mut patch, mut layers_patch, mut marker) = (None, layers::Patch::default(), packet.marker);
        let newest = self.sequence.highest().is_none_or(|highest| packet.sequence >= highest);
        if let (Some(frame), Some(layered)) = (&packet.frame, &mut self.layered)
            && let Some(selector) = &mut layered.selector
        {
            let limit = limit(packet, target);
            match selector.judge(frame, packet.timestamp, packet.marker, newest, limit) {
                layers::Verdict::Forward { marker: last } => marker = last,
                layers::Verdict::Thin { joined } => {
                    self.sequence.skip(packet.sequence, joined);
                    return None;
                }
            }
            layers_patch = layered.numbers.map(frame, newest);
        }
        if let Some(vp8) = &packet.vp8 {
            match self.vp8.judge(vp8, newest, target.temporal) {
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
            timestamp: self.timestamps.map(packet.timestamp, packet.report, now),
            marker,
            vp8: patch,
            vp9: layers_patch.vp9,
            frame_number: layers_patch.frame_number,
            // Nothing of before the receiver was to hear it.
            redundancy: u64::from(self.redundancy).min(packet.sequence.saturating_sub(self.began)) as u8,
        })
    }
}

/// The target inside a stream. One that is a simulcast layer as a whole has its spatial layers sent.
fn limit(packet: &Packet, target: Target) -> Limit {
    let spatial = if packet.svc { target.spatial.0 } else { EVERY_SPATIAL };
    Limit { spatial, temporal: target.temporal }
}
