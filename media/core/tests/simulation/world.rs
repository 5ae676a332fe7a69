//! A run: the plan carried out on a room, with publishers, a network and viewers.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use parley_media_core::{
    ConnectionQuality, Forward, LinkStats, Output, ParticipantKey, SlotKey, Spatial, TrackKey,
};

use crate::{
    faults::{Fault, Tested},
    plan::{Plan, WILD_STEPS},
    problem::{Law, Problem, broken},
    reference::{Judged, Reference},
    support::{Encoded, Publisher, Rng, start},
    viewer::{Conditions, Segment, Viewer},
};

const STEP: Duration = Duration::from_millis(5);
const KEYFRAME_INTERVAL: Duration = Duration::from_millis(200);
/// A receiver that cannot decode says so at this distance.
const PLI_INTERVAL: Duration = Duration::from_millis(200);
/// How often the losses on the way to each person are told.
const STATS_INTERVAL: Duration = Duration::from_secs(2);
/// Rounds of timeouts at one instant.
const MAX_TIMEOUTS: usize = 8;
/// Outputs of one step: some for each slot, track and person.
const MAX_OUTPUTS: usize = 120;

/// One slot as its owner knows it.
#[derive(Default)]
pub struct Place {
    pub viewer: Viewer,
    pub paused: bool,
    pub told: Option<Spatial>,
    /// Last change of layer, pause or resume.
    pub changed_at: Option<Instant>,
    pub asked_at: Option<Instant>,
    /// Something of the sound did not come since the last packet.
    withheld: bool,
}

/// Numbers of a stream that did not come when they should have.
#[derive(Default)]
struct Trouble(BTreeSet<u64>);

/// What the room got of a stream.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    pub first_at: Instant,
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
    /// Earlier frames that went with sound.
    pub repeats: u64,
    /// Packets above the cap.
    pub cut: u64,
    /// Pictures left out for want of time.
    pub shed: u64,
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

    fn each(&mut self) -> [&mut u64; 23] {
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
            &mut self.repeats,
            &mut self.cut,
            &mut self.shed,
            &mut self.judged.short_of_bandwidth,
            &mut self.judged.equals,
            &mut self.judged.together,
            &mut self.judged.ranked,
            &mut self.judged.overloaded,
            &mut self.judged.redundancy,
            &mut self.judged.capped,
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
    /// What was told of each person's connection.
    pub quality: BTreeMap<ParticipantKey, ConnectionQuality>,
    pub flying: Vec<(Instant, u64, Encoded)>,
    pub arrivals: BTreeMap<(TrackKey, Spatial, u64), Arrival>,
    pub frames: u64,
    trouble: BTreeMap<(TrackKey, Spatial, u64), Trouble>,
    stats_at: Instant,
    launched: u64,
    outputs: usize,
    out: Vec<Forward>,
}

impl World {
    pub fn new(plan: &Plan, fault: Fault) -> Self {
        let mut room = Tested::new(fault);
        room.set_voices(plan.voices);
        room.set_publish_cap(plan.cap_bps);
        let now = start();
        Self {
            plan_seed: plan.seed,
            lossless: plan.lossless,
            calm: false,
            room,
            reference: Reference { voices: plan.voices, cap_bps: plan.cap_bps, ..Reference::default() },
            now,
            publishers: BTreeMap::new(),
            obeys: BTreeSet::new(),
            places: BTreeMap::new(),
            speaking: BTreeMap::new(),
            wanted: BTreeMap::new(),
            seen: Seen::default(),
            asked: BTreeMap::new(),
            quality: BTreeMap::new(),
            stats_at: now,
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
        self.tell_losses();
        self.elapse()?;
        self.drain()?;
        if self.outputs > MAX_OUTPUTS || self.room.outputs_lost() > 0 {
            return broken(Law::Queue, format!("{} outputs in a step", self.outputs));
        }
        Ok(())
    }

    fn tell_losses(&mut self) {
        if self.now < self.stats_at {
            return;
        }
        self.stats_at = self.now + STATS_INTERVAL;
        for person in &self.reference.people {
            let percent = self.reference.losses.get(person).copied().unwrap_or(0);
            let stats = LinkStats { loss_down: percent as f32 / 100.0, ..LinkStats::default() };
            self.room.handle_link_stats(*person, stats, self.now);
        }
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
        if !self.room.admit(packet.config.key, packet.spatial, packet.payload.len(), self.now) {
            self.seen.cut += 1;
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
        if self.reference.sheds(slot) {
            let overload = self.reference.overload;
            return broken(Law::Overload, format!("packet to {slot:?} with {overload:?}"));
        }
        self.seen.repeats += u64::from(forward.redundancy);
        let look = self.publishers.get(&packet.config.key).map(|(publisher, _)| publisher.look);
        let look = look.unwrap_or(crate::support::Look::Full);
        let stream = (packet.config.key, packet.spatial, packet.run);
        let highest = self.arrivals.get(&stream).map_or(0, |arrival| arrival.highest);
        let conditions = Conditions {
            look,
            lossless: self.lossless,
            withheld: std::mem::take(&mut place.withheld),
            takes_redundancy: self.reference.slots[&slot].takes,
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
                self.seen.shed += u64::from(paused && shows && self.reference.sheds(slot));
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
            Output::Quality { participant, quality, .. } => {
                self.quality.insert(participant, quality);
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
