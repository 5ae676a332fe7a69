//! A run: the plan carried out on a room, with publishers, a network and viewers.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use parley_media_core::{
    Codec, Forward, MediaKind, Output, ParticipantKey, SlotKey, SlotSettings, Source, Spatial, TrackConfig,
    TrackKey,
};

use crate::{
    faults::{Fault, Tested},
    plan::{Action, Pick, Plan, Publish, WILD_STEPS},
    problem::{Law, Problem, broken},
    reference::{Judged, Published, Reference, Watching},
    support::{Encoded, Publisher, Rng, camera, microphone, start},
    viewer::{Conditions, Segment, Viewer},
};

const STEP: Duration = Duration::from_millis(5);
const MAX_PEOPLE: usize = 7;
const MAX_SLOTS: usize = 6;
const MAX_TRACKS: usize = 9;
const KEYFRAME_INTERVAL: Duration = Duration::from_millis(200);
/// A receiver that cannot decode says so at this distance.
const PLI_INTERVAL: Duration = Duration::from_millis(200);
/// Rounds of timeouts at one instant.
const MAX_TIMEOUTS: usize = 8;
/// Outputs of one step: some for each slot, track and person.
const MAX_OUTPUTS: usize = 120;
/// A stream that starts anew twice within this time may be refused.
const RESTART_PAUSE: Duration = Duration::from_millis(1100);

/// One slot as its owner knows it.
#[derive(Default)]
pub struct Place {
    pub viewer: Viewer,
    pub paused: bool,
    pub told: Option<Spatial>,
    /// Last change of layer, pause or resume.
    pub changed_at: Option<Instant>,
    asked_at: Option<Instant>,
    /// Something of the sound did not come since the last packet.
    withheld: bool,
}

/// Numbers of a stream that did not come when they should have.
#[derive(Default)]
struct Trouble(BTreeSet<u64>);

/// What the room got of a stream.
#[derive(Clone, Copy, Debug)]
struct Arrival {
    first_at: Instant,
    /// Sequence number.
    highest: u64,
}

/// What happened, so that nothing passes by not happening.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    pub forwarded: u64,
    pub switches: u64,
    pub lost: u64,
    pub late: u64,
    pub repeated: u64,
    pub pauses: u64,
    pub resumes: u64,
    pub stuck: u64,
    pub restarts: u64,
    pub replaced: u64,
    pub layers_stopped: u64,
    pub speakers: u64,
    /// Sound that others were louder than.
    pub withheld: u64,
    pub judged: Judged,
}

impl Seen {
    pub fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.each().into_iter().zip(other.clone().each()) {
            *mine += *theirs;
        }
    }

    pub fn everything_happened(&self) -> bool {
        self.clone().each().iter().all(|count| **count > 0)
    }

    fn each(&mut self) -> [&mut u64; 17] {
        [
            &mut self.forwarded,
            &mut self.switches,
            &mut self.lost,
            &mut self.late,
            &mut self.repeated,
            &mut self.pauses,
            &mut self.resumes,
            &mut self.stuck,
            &mut self.restarts,
            &mut self.replaced,
            &mut self.layers_stopped,
            &mut self.speakers,
            &mut self.withheld,
            &mut self.judged.short_of_bandwidth,
            &mut self.judged.equals,
            &mut self.judged.together,
            &mut self.judged.ranked,
        ]
    }
}

pub struct World {
    pub plan_seed: u64,
    pub lossless: bool,
    /// Nothing is lost any more.
    pub calm: bool,
    pub room: Tested,
    pub reference: Reference,
    pub now: Instant,
    pub publishers: BTreeMap<TrackKey, (Publisher, Rng)>,
    pub obeys: BTreeSet<TrackKey>,
    pub places: BTreeMap<SlotKey, Place>,
    pub speaking: BTreeMap<ParticipantKey, bool>,
    pub wanted: BTreeMap<TrackKey, Option<Spatial>>,
    pub seen: Seen,
    /// Keyframes asked for.
    pub asked: BTreeMap<(TrackKey, Spatial), Instant>,
    flying: Vec<(Instant, u64, Encoded)>,
    trouble: BTreeMap<(TrackKey, Spatial, u64), Trouble>,
    arrivals: BTreeMap<(TrackKey, Spatial, u64), Arrival>,
    frames: u64,
    launched: u64,
    outputs: usize,
    out: Vec<Forward>,
}

fn nth<K: Copy>(mut keys: impl ExactSizeIterator<Item = K>, pick: Pick) -> Option<K> {
    match keys.len() {
        0 => None,
        len => keys.nth((pick % len as u64) as usize),
    }
}

impl World {
    pub fn new(plan: &Plan, fault: Fault) -> Self {
        let mut room = Tested::new(fault);
        room.set_voices(plan.voices);
        Self {
            plan_seed: plan.seed,
            lossless: plan.lossless,
            calm: false,
            room,
            reference: Reference { voices: plan.voices, ..Reference::default() },
            now: start(),
            publishers: BTreeMap::new(),
            obeys: BTreeSet::new(),
            places: BTreeMap::new(),
            speaking: BTreeMap::new(),
            wanted: BTreeMap::new(),
            seen: Seen::default(),
            asked: BTreeMap::new(),
            flying: Vec::new(),
            trouble: BTreeMap::new(),
            arrivals: BTreeMap::new(),
            frames: 0,
            launched: 0,
            outputs: 0,
            out: Vec::new(),
        }
    }

    /// All actions of the plan, with time going on.
    pub fn wild(&mut self, plan: &Plan) -> Result<(), Problem> {
        let mut next = 0;
        for step in 0..WILD_STEPS {
            while let Some(planned) = plan.actions.get(next)
                && planned.at == step
            {
                next += 1;
                self.act(planned.key, planned.action)?;
            }
            self.step()?;
        }
        Ok(())
    }

    fn act(&mut self, key: u64, action: Action) -> Result<(), Problem> {
        match action {
            Action::Join if self.reference.people.len() < MAX_PEOPLE => {
                self.room.add_participant(ParticipantKey(key), self.now);
                self.reference.people.insert(ParticipantKey(key));
            }
            Action::Join => {}
            Action::Leave { who } => self.leave(who),
            Action::Publish { by, what } => self.publish(key, by, what),
            Action::Unpublish { track } => {
                let Some(track) = nth(self.reference.tracks.keys().copied(), track) else { return Ok(()) };
                self.room.remove_track(track, self.now);
                self.reference.unpublish(track);
                self.publishers.remove(&track);
            }
            Action::Replace { track, what } => self.replace(track, what),
            Action::Restart { track } => {
                let Some(track) = nth(self.reference.tracks.keys().copied(), track) else { return Ok(()) };
                self.restart(track);
            }
            Action::Mute { track, muted } => {
                let Some(track) = nth(self.reference.tracks.keys().copied(), track) else { return Ok(()) };
                self.mute(track, muted);
            }
            Action::OpenSlot { .. }
            | Action::CloseSlot { .. }
            | Action::Show { .. }
            | Action::Detach { .. }
            | Action::Adjust { .. }
            | Action::Refresh { .. } => self.use_slot(key, action),
            Action::Estimate { who, bps } => {
                let Some(person) = nth(self.reference.people.iter().copied(), who) else { return Ok(()) };
                self.estimate(person, bps);
            }
            Action::Layer { track, spatial, on } => {
                let Some(track) = nth(self.reference.tracks.keys().copied(), track) else { return Ok(()) };
                if let Some((publisher, _)) = self.publishers.get_mut(&track) {
                    publisher.switch_layer(spatial, on);
                }
            }
            Action::Idle { track, millis } => {
                let Some(track) = nth(self.reference.tracks.keys().copied(), track) else { return Ok(()) };
                if let Some((publisher, _)) = self.publishers.get_mut(&track) {
                    publisher.idle_until = Some(self.now + Duration::from_millis(millis));
                }
            }
            Action::Stall { millis } => self.now += Duration::from_millis(millis),
        }
        self.expect();
        self.drain()
    }

    fn leave(&mut self, who: Pick) {
        let Some(person) = nth(self.reference.people.iter().copied(), who) else { return };
        self.room.remove_participant(person, self.now);
        self.reference.leave(person);
        self.speaking.remove(&person);
        self.publishers.retain(|track, _| self.reference.tracks.contains_key(track));
        self.places.retain(|slot, _| self.reference.slots.contains_key(slot));
    }

    fn publish(&mut self, key: u64, by: Pick, what: Publish) {
        let Some(person) = nth(self.reference.people.iter().copied(), by) else { return };
        if self.reference.tracks.len() < MAX_TRACKS {
            self.start_track(key, person, what, false);
        }
    }

    fn replace(&mut self, track: Pick, mut what: Publish) {
        let Some(track) = nth(self.reference.tracks.keys().copied(), track) else { return };
        let published = &self.reference.tracks[&track];
        let (person, muted) = (published.config.publisher, published.muted);
        if published.config.kind == MediaKind::Video {
            what.layers = what.layers.max(1);
            what.source = published.config.source;
        } else {
            what.layers = 0;
            what.source = published.config.source;
        }
        self.flying.retain(|(_, _, packet)| packet.config.key != track);
        self.start_track(track.0, person, what, muted);
        self.seen.replaced += 1;
    }

    fn start_track(&mut self, key: u64, person: ParticipantKey, what: Publish, muted: bool) {
        let config = config(key, person, &what);
        let track = config.key;
        let mut rng = Rng::new(self.plan_seed ^ key << 20 ^ self.frames << 40);
        let mut publisher = Publisher::new(config.clone(), what.temporal, self.now, &mut rng);
        publisher.level = what.level;
        publisher.look = what.look;
        publisher.dtx = what.dtx;
        publisher.pads = what.pads;
        let bytes = |layer: usize| {
            let announced = config.layers.get(layer).map_or(0, |layer| layer.bitrate_bps);
            (announced * what.rate_percent / 100 / 8 / 30) as usize
        };
        publisher.frame_bytes = Some([bytes(0), bytes(1), bytes(2), 0]);
        if matches!(what.look, crate::support::Look::Bare) || what.h264 {
            publisher.temporal = false;
        }
        self.room.add_track(config.clone(), self.now);
        self.publishers.insert(track, (publisher, rng));
        self.wanted.remove(&track);
        self.obeys.remove(&track);
        if what.obeys {
            self.obeys.insert(track);
        }
        self.reference.tracks.insert(track, Published { config, muted });
    }

    /// The room refuses a second restart soon after one: it takes it for rubbish.
    fn restart(&mut self, track: TrackKey) {
        let Some((publisher, rng)) = self.publishers.get_mut(&track) else { return };
        let Some(run) = publisher.run(Spatial(0)) else { return };
        let arrived = self.arrivals.get(&(track, Spatial(0), run));
        if arrived.is_some_and(|arrival| self.now - arrival.first_at >= RESTART_PAUSE) {
            publisher.restart(rng);
            self.seen.restarts += 1;
        }
    }

    fn mute(&mut self, track: TrackKey, muted: bool) {
        self.room.set_track_muted(track, muted, self.now);
        if let Some(published) = self.reference.tracks.get_mut(&track) {
            published.muted = muted;
        }
    }

    pub fn estimate(&mut self, person: ParticipantKey, bps: u64) {
        self.room.handle_estimate(person, bps, self.now);
        self.reference.estimates.insert(person, bps);
    }

    fn use_slot(&mut self, key: u64, action: Action) {
        let pick = |pick: Pick| nth(self.reference.slots.keys().copied(), pick);
        match action {
            Action::OpenSlot { of, video } => {
                let Some(owner) = nth(self.reference.people.iter().copied(), of) else { return };
                let theirs = self.reference.slots.values().filter(|watching| watching.owner == owner);
                if theirs.count() < MAX_SLOTS {
                    let slot = SlotKey(key as u32);
                    self.room.add_slot(slot, owner);
                    let settings = SlotSettings::default();
                    self.reference.slots.insert(slot, Watching { owner, video, track: None, settings });
                    self.places.insert(slot, Place::default());
                }
            }
            Action::CloseSlot { slot } => {
                let Some(slot) = pick(slot) else { return };
                self.room.remove_slot(slot, self.now);
                self.reference.slots.remove(&slot);
                self.places.remove(&slot);
            }
            Action::Show { slot, track, settings } => {
                let Some(slot) = pick(slot) else { return };
                self.show(slot, track, settings);
            }
            Action::Detach { slot } => {
                let Some(slot) = pick(slot) else { return };
                self.room.detach(slot, self.now);
                self.reference.slots.get_mut(&slot).unwrap().track = None;
            }
            Action::Adjust { slot, settings } => {
                let Some(slot) = pick(slot) else { return };
                self.room.update_slot(slot, settings, self.now);
                self.reference.slots.get_mut(&slot).unwrap().settings = settings;
            }
            Action::Refresh { slot } => {
                let Some(slot) = pick(slot) else { return };
                self.room.handle_keyframe_request(slot, self.now);
            }
            _ => {}
        }
    }

    fn show(&mut self, slot: SlotKey, track: Pick, settings: SlotSettings) {
        let watching = self.reference.slots.get_mut(&slot).unwrap();
        let kind = if watching.video { MediaKind::Video } else { MediaKind::Audio };
        let fitting: Vec<_> =
            self.reference.tracks.iter().filter(|(_, track)| track.config.kind == kind).collect();
        let Some((track, _)) = nth(fitting.into_iter(), track) else { return };
        let place = self.places.get_mut(&slot).unwrap();
        if watching.track != Some(*track) {
            place.paused = false;
            place.viewer.fresh = true;
        }
        watching.track = Some(*track);
        watching.settings = settings;
        self.room.attach(slot, *track, settings, self.now);
    }

    /// What each viewer may get follows from what was asked, not from the room.
    pub fn expect(&mut self) {
        for (slot, place) in &mut self.places {
            let wants = self.reference.allowed(*slot);
            if place.viewer.wants != wants {
                place.viewer.fresh = true;
                place.told = None;
            }
            place.viewer.wants = wants;
            if self.reference.slots[slot].track.is_none() {
                place.paused = false;
            }
        }
    }

    pub fn step(&mut self) -> Result<(), Problem> {
        self.now += STEP;
        self.outputs = 0;
        let mut sent = Vec::new();
        for (publisher, rng) in self.publishers.values_mut() {
            publisher.encode(self.now, &mut self.frames, rng, &mut sent);
        }
        for packet in sent {
            self.launch(packet);
        }
        self.flying.sort_by_key(|(at, order, _)| (*at, *order));
        let due = self.flying.partition_point(|(at, _, _)| *at <= self.now);
        let arrived: Vec<_> = self.flying.drain(..due).collect();
        for (_, _, packet) in arrived {
            self.deliver(&packet)?;
        }
        self.elapse()?;
        self.drain()?;
        if self.outputs > MAX_OUTPUTS || self.room.outputs_lost() > 0 {
            return broken(Law::Queue, format!("{} outputs in a step", self.outputs));
        }
        Ok(())
    }

    fn elapse(&mut self) -> Result<(), Problem> {
        let working = !self.reference.tracks.is_empty();
        for _ in 0..MAX_TIMEOUTS {
            match self.room.poll_timeout() {
                Some((due, _)) if due <= self.now => self.room.handle_timeout(self.now),
                None if working => return broken(Law::Timers, "no timeout, and there are tracks"),
                _ => return Ok(()),
            }
        }
        match self.room.poll_timeout() {
            Some((due, why)) if due <= self.now => {
                broken(Law::Timers, format!("{why:?} is due again and again"))
            }
            _ => Ok(()),
        }
    }

    /// The network between a publisher and the room. Its chance hangs on the packet
    /// alone, so that leaving out an action does not change the fate of the rest.
    fn launch(&mut self, packet: Encoded) {
        self.launched += 1;
        let order = self.launched;
        if self.lossless || self.calm {
            self.flying.push((self.now, order, packet));
            return;
        }
        let mut rng = Rng::new(packet.run ^ packet.sequence << 8);
        let late = self.now + Duration::from_millis(5 + rng.below(80));
        let stream = (packet.config.key, packet.spatial, packet.run);
        let mut trouble = || {
            self.trouble.entry(stream).or_default().0.insert(packet.sequence);
        };
        match rng.below(100) {
            0..3 => {
                trouble();
                self.seen.lost += 1;
            }
            3..8 => {
                trouble();
                self.seen.late += 1;
                self.flying.push((late, order, packet));
            }
            8 => {
                self.seen.repeated += 1;
                self.flying.push((self.now, order, packet.clone()));
                self.flying.push((late, order, packet));
            }
            _ => self.flying.push((self.now, order, packet)),
        }
    }

    fn deliver(&mut self, packet: &Encoded) -> Result<(), Problem> {
        let mut out = std::mem::take(&mut self.out);
        out.clear();
        if !self.publishers.contains_key(&packet.config.key) {
            // Unpublished while it was on its way: the shell does not know it either.
            return Ok(());
        }
        self.room.handle_rtp(&packet.rtp(), self.now, &mut out);
        self.seen.forwarded += out.len() as u64;
        // What is told of a pause was decided before the packet went out.
        let mut outputs: Vec<_> = std::iter::from_fn(|| self.room.poll_output()).collect();
        outputs.sort_by_key(|output| !matches!(output, Output::SlotPaused { .. }));
        let pauses = outputs.iter().take_while(|output| matches!(output, Output::SlotPaused { .. })).count();
        let rest = outputs.split_off(pauses);
        for output in outputs {
            self.heed(output)?;
        }
        for forward in &out {
            self.receive(packet, forward)?;
        }
        for (slot, place) in self.places.iter_mut().filter(|_| !packet.video()) {
            let wants = place.viewer.wants == Some(packet.config.key);
            place.withheld |= wants && !out.iter().any(|forward| forward.slot == *slot);
        }
        let stream = (packet.config.key, packet.spatial, packet.run);
        let arrival = Arrival { first_at: self.now, highest: 0 };
        let arrival = self.arrivals.entry(stream).or_insert(arrival);
        let newest = packet.sequence > arrival.highest;
        arrival.highest = packet.sequence.max(arrival.highest);
        let (publisher, _) = &self.publishers[&packet.config.key];
        // What comes late of a stream that was replaced is nobody's.
        let current = publisher.run(packet.spatial) == Some(packet.run);
        if newest && current && !packet.video() {
            self.check_sound(packet, &out)?;
        }
        self.out = out;
        for output in rest {
            self.heed(output)?;
        }
        Ok(())
    }

    fn receive(&mut self, packet: &Encoded, forward: &Forward) -> Result<(), Problem> {
        let slot = forward.slot;
        let Some(place) = self.places.get_mut(&slot) else {
            return broken(Law::Permission, format!("packet to {slot:?}, which is gone"));
        };
        if place.paused {
            return broken(Law::Pause, format!("packet to {slot:?}, which is paused"));
        }
        let look = self.publishers.get(&packet.config.key).map(|(publisher, _)| publisher.look);
        let look = look.unwrap_or(crate::support::Look::Full);
        let stream = (packet.config.key, packet.spatial, packet.run);
        let highest = self.arrivals.get(&stream).map_or(0, |arrival| arrival.highest);
        let conditions = Conditions {
            look,
            lossless: self.lossless,
            withheld: std::mem::take(&mut place.withheld),
            highest,
            now: self.now,
        };
        let taken = place.viewer.take(packet, forward, conditions).map_err(|problem| Problem {
            text: format!("{slot:?} {:?}: {}", packet.config.key, problem.text),
            ..problem
        })?;
        if place.viewer.stuck && packet.marker {
            self.seen.stuck += 1;
            if place.asked_at.is_none_or(|at| self.now - at >= PLI_INTERVAL) {
                place.asked_at = Some(self.now);
                self.room.handle_keyframe_request(slot, self.now);
            }
        }
        match taken.ended {
            Some(ended) => self.check_gaps(slot, &ended),
            None => Ok(()),
        }
    }

    /// A receiver sees no more lost than was lost.
    pub fn check_gaps(&mut self, slot: SlotKey, segment: &Segment) -> Result<(), Problem> {
        self.seen.switches += 1;
        let (track, spatial) = segment.stream;
        let trouble = self.trouble.get(&(track, spatial, segment.run));
        let lost = trouble.map_or(0, |numbers| numbers.0.range(segment.first..=segment.highest).count());
        if segment.gaps() > lost as u64 {
            let text = format!("{slot:?}: {lost} did not arrive in time of {segment:?}");
            return broken(Law::Sequence, text);
        }
        Ok(())
    }

    /// Sound goes to all who may have it.
    fn check_sound(&self, packet: &Encoded, out: &[Forward]) -> Result<(), Problem> {
        let track = packet.config.key;
        for (slot, place) in &self.places {
            let wanted = place.viewer.wants == Some(track) && self.reference.must_hear(*slot, track);
            if wanted && !out.iter().any(|forward| forward.slot == *slot) {
                return broken(Law::Sound, format!("{slot:?} did not get a packet of {track:?}"));
            }
        }
        Ok(())
    }

    pub fn drain(&mut self) -> Result<(), Problem> {
        while let Some(output) = self.room.poll_output() {
            self.heed(output)?;
        }
        Ok(())
    }

    fn heed(&mut self, output: Output) -> Result<(), Problem> {
        self.outputs += 1;
        match output {
            Output::RequestKeyframe { track, spatial } => self.heed_request(track, spatial),
            Output::SlotPaused { slot, paused } => {
                let Some(place) = self.places.get_mut(&slot) else { return Ok(()) };
                // Of a slot whose track went in the same call nothing more is expected.
                let shows = self.reference.slots.get(&slot).is_some_and(|watching| watching.track.is_some());
                let repeated = place.paused == paused && shows;
                place.changed_at = Some(self.now);
                place.paused = paused;
                place.viewer.fresh |= paused;
                self.seen.pauses += u64::from(paused);
                self.seen.resumes += u64::from(!paused);
                if repeated {
                    return broken(Law::Pause, format!("{slot:?} told paused={paused} twice"));
                }
                Ok(())
            }
            Output::SlotLayer { slot, spatial } => {
                let Some(place) = self.places.get_mut(&slot) else { return Ok(()) };
                place.told = Some(spatial);
                place.changed_at = Some(self.now);
                match place.viewer.shows() {
                    Some((_, shown)) if shown != spatial => {
                        broken(Law::Told, format!("{slot:?} told {spatial:?}, shows {shown:?}"))
                    }
                    _ => Ok(()),
                }
            }
            Output::WantedLayer { track, spatial } => {
                self.wanted.insert(track, spatial);
                if self.obeys.contains(&track)
                    && let Some((publisher, _)) = self.publishers.get_mut(&track)
                {
                    self.seen.layers_stopped += u64::from(spatial < publisher.wanted);
                    publisher.heed_wanted(spatial);
                }
                Ok(())
            }
            Output::Speakers(list) => {
                self.seen.speakers += list.len() as u64;
                for speaker in list {
                    self.speaking.insert(speaker.participant, speaker.active);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn heed_request(&mut self, track: TrackKey, spatial: Spatial) -> Result<(), Problem> {
        let before = self.asked.insert((track, spatial), self.now);
        if self.reference.tracks.get(&track).is_some_and(|published| published.muted) {
            return broken(Law::Requests, format!("keyframe of a muted track asked for: {track:?}"));
        }
        if let Some(before) = before
            && self.now - before < KEYFRAME_INTERVAL
        {
            let text = format!("{track:?} {spatial:?} asked for twice within {:?}", self.now - before);
            return broken(Law::Requests, text);
        }
        if let Some((publisher, _)) = self.publishers.get_mut(&track) {
            publisher.ask_keyframe(spatial);
        }
        Ok(())
    }
}

fn config(key: u64, person: ParticipantKey, what: &Publish) -> TrackConfig {
    if what.layers == 0 {
        return TrackConfig { source: what.source, ..microphone(key, person.0) };
    }
    let mut config = camera(key, person.0);
    config.layers.truncate(what.layers);
    config.source = what.source;
    if what.h264 {
        config.codec = Codec::H264;
    }
    if what.source == Source::ScreenShare && what.layers == 1 {
        // One layer, as large as the screen.
        config.layers[0].width = 1920;
        config.layers[0].height = 1080;
        config.layers[0].bitrate_bps = 800_000;
    }
    config
}
