//! The room under test, with faults that can be planted between it and its
//! user: each is a bug that a change to the core could bring, and the checks
//! must find it.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use parley_media_core::{
    ConnectionQuality, Forward, LinkStats, Output, Overload, ParticipantKey, Room, RtpIn, SlotKey,
    SlotSettings, Source, Spatial, TimeoutReason, TrackConfig, TrackKey,
};

/// A bug on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    None,
    /// One in 400 packets raises the sequence numbers of its slot by one from there on.
    SkipsNumber,
    /// One in 400 packets goes out under the number of the one before.
    RepeatsNumber,
    /// A packet of a muted track goes on as if it were not.
    ForwardsMuted,
    /// A track stays on a slot from which it was taken.
    KeepsDetached,
    /// Who left still gets packets.
    KeepsLeft,
    /// A hidden tile gets packets.
    IgnoresDisabled,
    /// An interframe is taken for a keyframe.
    SwitchesWithoutKeyframe,
    /// One in 60 packets of a base layer is left out, and the gap closed.
    LosesReference,
    /// Timestamps step by the wrong time at a switch.
    TimestampJumps,
    /// The picture id steps by two at a switch.
    PictureJumps,
    /// TL0PICIDX is not carried on over a switch.
    Tl0Jumps,
    /// Sound is dropped where bandwidth is short.
    StarvesSound,
    /// All microphones are heard.
    HearsAll,
    /// One microphone is heard.
    HearsOne,
    /// Estimates that fall are not heard.
    IgnoresFall,
    /// Estimates that rise are not heard.
    IgnoresRise,
    /// Every second slot counts for more than its equals.
    Unfair,
    /// A screen counts for no more than a camera.
    ScreenLast,
    /// The publisher is not told which layers are watched.
    SilentDynacast,
    /// Keyframes are not asked for.
    NoKeyframeRequests,
    /// One in three changes of a pause is not told.
    SilentPause,
    /// Speakers that fall silent are not told.
    SpeaksForever,
    /// Time passes and nothing is done.
    StuckTimers,
    /// Each timeout says something that nobody asked for.
    Chatters,
    /// Everything is sent on, however short of time the server is.
    IgnoresOverload,
    /// What was left out does not come back.
    StaysOverloaded,
    /// More is let in than may be.
    IgnoresCap,
    /// What was cut off once is never let in again.
    CutsForever,
    /// Nobody is told of being cut off.
    SilentCap,
    /// Earlier frames go with each packet of sound.
    AlwaysRepeats,
    /// No earlier frames go with any.
    NeverRepeats,
}

/// See the module's documentation.
pub struct Tested {
    room: Room,
    fault: Fault,
    count: u64,
    chatter: u64,
    shift: BTreeMap<SlotKey, u64>,
    streams: BTreeMap<SlotKey, (TrackKey, Spatial)>,
    switches: BTreeMap<SlotKey, u32>,
    owners: BTreeMap<SlotKey, ParticipantKey>,
    estimates: BTreeMap<ParticipantKey, u64>,
    sounds: BTreeSet<TrackKey>,
    shown: BTreeMap<SlotKey, TrackKey>,
    cut: BTreeSet<(TrackKey, Spatial)>,
    overload: Overload,
}

impl Tested {
    pub fn new(fault: Fault) -> Self {
        Self {
            room: Room::new(),
            fault,
            count: 0,
            chatter: 0,
            shift: BTreeMap::new(),
            streams: BTreeMap::new(),
            switches: BTreeMap::new(),
            owners: BTreeMap::new(),
            estimates: BTreeMap::new(),
            sounds: BTreeSet::new(),
            shown: BTreeMap::new(),
            cut: BTreeSet::new(),
            overload: Overload::None,
        }
    }

    fn is(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    fn one_in(&mut self, times: u64) -> bool {
        self.count += 1;
        self.count.is_multiple_of(times)
    }

    pub fn set_voices(&mut self, voices: usize) {
        self.room.set_voices(match self.fault {
            Fault::HearsAll => parley_media_core::VOICES_MAX,
            Fault::HearsOne => 1,
            _ => voices,
        });
    }

    pub fn set_publish_cap(&mut self, bps: u64) {
        if !self.is(Fault::IgnoresCap) {
            self.room.set_publish_cap(bps);
        }
    }

    pub fn admit(&mut self, track: TrackKey, spatial: Spatial, payload_bytes: usize, now: Instant) -> bool {
        let admitted = self.room.admit(track, spatial, payload_bytes, now);
        if !admitted && self.is(Fault::CutsForever) {
            self.cut.insert((track, spatial));
        }
        admitted && !self.cut.contains(&(track, spatial))
    }

    pub fn set_overload(&mut self, overload: Overload, now: Instant) {
        let before = std::mem::replace(&mut self.overload, overload);
        let ignored = match self.fault {
            Fault::IgnoresOverload => true,
            Fault::StaysOverloaded => overload < before,
            _ => false,
        };
        if !ignored {
            self.room.set_overload(overload, now);
        }
    }

    pub fn set_takes_redundancy(&mut self, slot: SlotKey, takes: bool) {
        self.room.set_takes_redundancy(slot, takes);
    }

    pub fn handle_link_stats(&mut self, participant: ParticipantKey, stats: LinkStats, now: Instant) {
        self.room.handle_link_stats(participant, stats, now);
    }

    pub fn add_participant(&mut self, participant: ParticipantKey, now: Instant) {
        self.room.add_participant(participant, now);
    }

    pub fn remove_participant(&mut self, participant: ParticipantKey, now: Instant) {
        if !self.is(Fault::KeepsLeft) {
            self.room.remove_participant(participant, now);
        }
    }

    pub fn add_track(&mut self, mut config: TrackConfig, now: Instant) {
        if config.layers.is_empty() {
            self.sounds.insert(config.key);
        }
        if self.is(Fault::ScreenLast) && config.source == Source::ScreenShare {
            config.source = Source::Camera;
        }
        self.room.add_track(config, now);
    }

    pub fn remove_track(&mut self, track: TrackKey, now: Instant) {
        self.room.remove_track(track, now);
    }

    pub fn set_track_muted(&mut self, track: TrackKey, muted: bool, now: Instant) {
        if !self.is(Fault::ForwardsMuted) {
            self.room.set_track_muted(track, muted, now);
        }
    }

    pub fn add_slot(&mut self, slot: SlotKey, participant: ParticipantKey) {
        self.owners.insert(slot, participant);
        self.room.add_slot(slot, participant);
    }

    pub fn remove_slot(&mut self, slot: SlotKey, now: Instant) {
        self.room.remove_slot(slot, now);
    }

    /// Does the slot show sound?
    fn hears(&self, slot: SlotKey) -> bool {
        self.shown.get(&slot).is_some_and(|track| self.sounds.contains(track))
    }

    fn twist(&self, slot: SlotKey, mut settings: SlotSettings) -> SlotSettings {
        match self.fault {
            Fault::IgnoresDisabled => settings.enabled = true,
            Fault::Unfair if !self.hears(slot) => settings.priority += slot.0 % 2,
            _ => {}
        }
        settings
    }

    pub fn attach(&mut self, slot: SlotKey, track: TrackKey, settings: SlotSettings, now: Instant) {
        self.shown.insert(slot, track);
        let settings = self.twist(slot, settings);
        self.room.attach(slot, track, settings, now);
    }

    pub fn detach(&mut self, slot: SlotKey, now: Instant) {
        if !self.is(Fault::KeepsDetached) {
            self.room.detach(slot, now);
        }
    }

    pub fn update_slot(&mut self, slot: SlotKey, settings: SlotSettings, now: Instant) {
        let settings = self.twist(slot, settings);
        self.room.update_slot(slot, settings, now);
    }

    pub fn handle_keyframe_request(&mut self, slot: SlotKey, now: Instant) {
        self.room.handle_keyframe_request(slot, now);
    }

    pub fn handle_estimate(&mut self, participant: ParticipantKey, bps: u64, now: Instant) {
        let before = self.estimates.insert(participant, bps);
        let ignored = match self.fault {
            Fault::IgnoresFall => before.is_some_and(|before| bps < before),
            Fault::IgnoresRise => before.is_some_and(|before| bps > before),
            _ => false,
        };
        if !ignored {
            self.room.handle_estimate(participant, bps, now);
        }
    }

    pub fn handle_rtp(&mut self, packet: &RtpIn<'_>, now: Instant, out: &mut Vec<Forward>) {
        let from = out.len();
        if self.is(Fault::SwitchesWithoutKeyframe) && packet.payload.len() > 6 && self.one_in(40) {
            let mut payload = packet.payload.to_vec();
            let header = if payload[0] & 0x80 == 0 { 1 } else { 6 };
            payload[0] |= 0x10;
            payload[header] &= 0xfe;
            self.room.handle_rtp(&RtpIn { payload: &payload, ..*packet }, now, out);
        } else {
            self.room.handle_rtp(packet, now, out);
        }
        if self.is(Fault::None) {
            return;
        }
        let mut index = from;
        while index < out.len() {
            if self.twist_forward(packet, &mut out[index]) {
                index += 1;
            } else {
                out.remove(index);
            }
        }
    }

    /// Moves all further numbers of a slot.
    fn displace(&mut self, slot: SlotKey, by: u64) {
        let shift = self.shift.entry(slot).or_default();
        *shift = shift.wrapping_add(by);
    }

    /// False: the packet does not go out.
    fn twist_forward(&mut self, packet: &RtpIn<'_>, forward: &mut Forward) -> bool {
        let slot = forward.slot;
        let stream = (packet.track, packet.spatial);
        let switched = self.streams.insert(slot, stream).is_some_and(|before| before != stream);
        *self.switches.entry(slot).or_default() += u32::from(switched);
        let switches = self.switches[&slot];
        let fault = self.fault;
        match fault {
            Fault::SkipsNumber if self.one_in(400) => self.displace(slot, 1),
            Fault::RepeatsNumber if self.one_in(400) => self.displace(slot, u64::MAX),
            Fault::LosesReference if packet.audio_level_dbov.is_none() && self.one_in(60) => {
                self.displace(slot, u64::MAX);
                return false;
            }
            Fault::AlwaysRepeats if self.sounds.contains(&packet.track) => forward.redundancy = 2,
            Fault::NeverRepeats => forward.redundancy = 0,
            Fault::TimestampJumps => forward.timestamp = forward.timestamp.wrapping_add(switches * 45_000),
            Fault::StarvesSound => {
                let poor = self.owners.get(&slot).and_then(|owner| self.estimates.get(owner));
                return !(self.sounds.contains(&packet.track) && poor.is_some_and(|bps| *bps < 100_000));
            }
            _ => {}
        }
        if let Some(vp8) = &mut forward.vp8 {
            match self.fault {
                Fault::PictureJumps => {
                    vp8.picture_id = vp8.picture_id.map(|id| (id + switches as u16) & 0x7fff);
                }
                Fault::Tl0Jumps => {
                    vp8.tl0_pic_idx = vp8.tl0_pic_idx.map(|index| index.wrapping_add(switches as u8));
                }
                _ => {}
            }
        }
        let shift = self.shift.get(&slot).copied().unwrap_or(0);
        forward.sequence = forward.sequence.wrapping_add(shift);
        true
    }

    pub fn handle_timeout(&mut self, now: Instant) {
        if self.is(Fault::Chatters) {
            self.chatter += 200;
        }
        if !self.is(Fault::StuckTimers) {
            self.room.handle_timeout(now);
        }
    }

    pub fn poll_output(&mut self) -> Option<Output> {
        if self.chatter > 0 {
            self.chatter -= 1;
            return Some(Output::Speakers(Vec::new()));
        }
        loop {
            let output = self.room.poll_output()?;
            let hidden = match &output {
                Output::WantedLayer { .. } => self.is(Fault::SilentDynacast),
                Output::RequestKeyframe { .. } => self.is(Fault::NoKeyframeRequests),
                Output::SlotPaused { .. } => self.is(Fault::SilentPause) && self.one_in(3),
                Output::Quality { quality: ConnectionQuality::Poor, .. } => self.is(Fault::SilentCap),
                Output::Speakers(list) => {
                    self.is(Fault::SpeaksForever) && list.iter().any(|speaker| !speaker.active)
                }
                _ => false,
            };
            if !hidden {
                return Some(output);
            }
        }
    }

    pub fn outputs_lost(&self) -> u64 {
        self.room.outputs_lost()
    }

    pub fn poll_timeout(&self) -> Option<(Instant, TimeoutReason)> {
        self.room.poll_timeout()
    }

    pub fn slot_layer(&self, slot: SlotKey) -> Option<Spatial> {
        self.room.slot_layer(slot)
    }
}
