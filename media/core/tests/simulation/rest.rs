//! The end of a run: nothing changes any more, and everybody must come to what
//! the reference says.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use parley_media_core::{
    ConnectionQuality, MediaKind, Overload, ParticipantKey, SlotKey, Source, Spatial, TrackKey,
    red::REDUNDANT_MAX,
};

use crate::{
    actions::set_rate,
    plan::{LOW_RATE, Plan},
    problem::{Law, Problem, broken},
    reference::{self, Shown, Watching},
    support::Rng,
    viewer::Tally,
    world::World,
};

/// After this long at rest all must be as it should.
const SETTLE: Duration = Duration::from_secs(6);
/// And after so much more where something may be cut off, or let in again.
const SETTLE_CAP: Duration = Duration::from_secs(9);
/// What is shown is measured for this long.
const WATCH: Duration = Duration::from_secs(1);
/// Longest time that a slot is held back after a step down, and some.
const HOLD: Duration = Duration::from_secs(4);
const MAX_CHANGES: u32 = 4;
/// The same for a slot that rose in vain before, and how often that may be waited for.
const HOLD_MAX: Duration = Duration::from_secs(13);
const MAX_VAIN: u32 = 2;
/// One run in 4 goes on this much longer, to see that nothing swings.
const LONG: Duration = Duration::from_secs(14);
const LONG_EVERY: u64 = 4;
/// Changes of layer in a long rest after all has settled.
const MAX_SWITCHES: u32 = 1;
const ESTIMATES: [u64; 9] =
    [30_000, 120_000, 250_000, 450_000, 760_000, 1_300_000, 2_250_000, 4_000_000, 100_000_000];
/// With these, equals can be seen to be treated the same, or not.
const TIGHT: [u64; 4] = [760_000, 2_250_000, 2_250_000, 2_450_000];
const SOUND_BPS: u64 = 60_000;
/// The same with two earlier frames in each packet; a frame is taken for as much as a packet.
const SOUND_TWICE_BPS: u64 = 3 * SOUND_BPS;
/// Packets of sound in [`WATCH`], but for some: whoever is heard all the time has a seat.
const ALL_PACKETS: u64 = 45;
/// What an earlier frame adds to a packet.
const REPEAT_BITS: u64 = 84 * 8;
/// From this loss on, in percent, one and two earlier frames must go with each; and up to which they may.
const REPEATS_FROM: [u64; REDUNDANT_MAX] = [3, 10];
const REPEATS_TO: [u64; REDUNDANT_MAX] = [1, 5];
/// Sound with them takes at most this part of the estimate.
const REPEATS_PART: u64 = 2;
/// Clearly talking, clearly not.
const LOUD_DBOV: i8 = -35;
const QUIET_DBOV: i8 = -45;

impl World {
    pub fn rest(&mut self, plan: &Plan) -> Result<(), Problem> {
        self.settle(plan)?;
        self.run_for(SETTLE)?;
        if plan.cap_bps > 0 {
            self.run_for(SETTLE_CAP)?;
        }
        if plan.seed.is_multiple_of(LONG_EVERY) {
            // Who rose in vain before may still be held back, and takes its share after that.
            self.run_for(HOLD_MAX)?;
            self.clear();
            self.run_for(LONG)?;
            for (slot, place) in &self.places {
                if place.viewer.tally.switches > MAX_SWITCHES {
                    return broken(Law::Best, format!("{slot:?} swings: {:?}", place.viewer.tally));
                }
            }
        }
        let began = self.come_to_rest()?;
        self.check_slots()?;
        self.check_voices()?;
        let mut began = began;
        for patience in (0..=MAX_VAIN).rev() {
            match self.check_division() {
                Err(problem) if problem.law == Law::Best && patience > 0 => {
                    self.run_for(HOLD_MAX)?;
                    began = self.come_to_rest()?;
                }
                judged => {
                    judged?;
                    break;
                }
            }
        }
        self.check_publishers()?;
        self.check_qualities(plan)?;
        self.check_redundancy(plan)?;
        self.check_speakers()?;
        if let Some((layer, _)) = self.asked.iter().find(|(_, at)| **at > began) {
            return broken(Law::Requests, format!("a keyframe of {layer:?} is still asked for"));
        }
        let ended: Vec<_> =
            self.places.iter().filter_map(|(slot, place)| Some((*slot, place.viewer.segment?))).collect();
        for (slot, segment) in ended {
            self.check_gaps(slot, &segment)?;
        }
        Ok(())
    }

    /// The network is good, what was off comes back, and each has some bandwidth.
    fn settle(&mut self, plan: &Plan) -> Result<(), Problem> {
        self.calm = true;
        for (publisher, _) in self.publishers.values_mut() {
            publisher.idle_until = None;
            publisher.come_back(plan.stay_off);
            if plan.lowers_rates {
                set_rate(publisher, LOW_RATE);
            }
        }
        if !plan.stays_overloaded {
            self.overload(Overload::None);
        }
        let mut rng = Rng::new(plan.seed ^ 0xe57);
        for person in self.reference.people.clone() {
            let choice: &[u64] = if plan.level { &TIGHT } else { &ESTIMATES };
            let bps = choice[rng.below(choice.len() as u64) as usize];
            self.estimate(person, if plan.plenty { 100_000_000 } else { bps });
        }
        self.drain()
    }

    fn run_for(&mut self, time: Duration) -> Result<(), Problem> {
        let end = self.now + time;
        while self.now < end {
            self.step()?;
        }
        Ok(())
    }

    /// Watches for a moment in which nothing changes, and returns when it began.
    /// What just changed may lead to another change once the hold after a step
    /// down is over, and a rate at the very limit may be seen to fit a moment
    /// later; but that must end.
    fn come_to_rest(&mut self) -> Result<Instant, Problem> {
        for _ in 0..MAX_CHANGES {
            let changed = self.places.values().filter_map(|place| place.changed_at).max();
            let wait = changed.map_or(Duration::ZERO, |at| (at + HOLD).saturating_duration_since(self.now));
            self.run_for(wait)?;
            self.clear();
            let began = self.now;
            self.run_for(WATCH)?;
            if self.places.values().all(|place| place.changed_at.is_none_or(|at| at <= began)) {
                return Ok(began);
            }
        }
        broken(Law::Best, "layers go on changing at rest")
    }

    fn clear(&mut self) {
        for place in self.places.values_mut() {
            place.viewer.tally = Tally::default();
        }
    }

    /// The layers of use to a slot that are sent.
    fn layers(&self, slot: SlotKey) -> Vec<(Spatial, u64)> {
        let Some(ideal) = self.reference.ideal(slot) else { return Vec::new() };
        let Some(track) = self.reference.slots[&slot].track else { return Vec::new() };
        let (publisher, _) = &self.publishers[&track];
        let payload = |spatial| (spatial, publisher.payload_bps(spatial));
        let let_in = self.reference.let_in(publisher.sent().map(payload));
        let sent: Vec<_> = let_in.map(|spatial| (spatial, publisher.bps(spatial))).collect();
        let fitting: Vec<_> = sent.iter().filter(|(spatial, _)| *spatial <= ideal).copied().collect();
        if fitting.is_empty() { sent.into_iter().take(1).collect() } else { fitting }
    }

    /// Each slot by itself: what it gets is what it was told, and can be decoded.
    fn check_slots(&self) -> Result<(), Problem> {
        for (slot, place) in &self.places {
            let tally = &place.viewer.tally;
            let Some(track) = place.viewer.wants else { continue };
            let about = || format!("{slot:?} of {track:?}: {tally:?}");
            if !self.reference.slots[slot].video {
                let (publisher, _) = &self.publishers[&track];
                let must = self.reference.must_hear(*slot, track);
                if tally.packets == 0 && !publisher.dtx && must {
                    return broken(Law::Sound, about());
                }
                continue;
            }
            if tally.undecodable > 0 {
                return broken(Law::Decodable, about());
            }
            let shows = place.viewer.shows().map(|(_, spatial)| spatial);
            if place.paused != (tally.packets == 0) {
                return broken(Law::Pause, format!("paused: {}, {}", place.paused, about()));
            }
            if tally.packets > 0 && (shows != self.room.slot_layer(*slot) || place.told != shows) {
                return broken(Law::Told, format!("told {:?}, {}", place.told, about()));
            }
        }
        Ok(())
    }

    /// Of many microphones only so many are heard, and of those who talk all, if they are not more.
    fn check_voices(&mut self) -> Result<(), Problem> {
        let microphones: Vec<_> = self.reference.microphones().collect();
        if microphones.len() <= self.reference.voices {
            return Ok(());
        }
        let publisher = |track: &TrackKey| &self.publishers[track].0;
        let talk = |track: &&TrackKey| publisher(track).level >= LOUD_DBOV;
        let steady = microphones.iter().all(|track| !publisher(track).dtx);
        // Who is neither clearly loud nor clearly quiet may hold a seat.
        let talkers = microphones.iter().filter(|track| publisher(track).level >= QUIET_DBOV).count();
        let mut heard = BTreeSet::new();
        for (slot, place) in &self.places {
            let Some(track) = place.viewer.wants.filter(|track| microphones.contains(track)) else {
                continue;
            };
            if self.reference.must_hear(*slot, track) {
                continue;
            }
            self.seen.withheld += u64::from(place.viewer.tally.packets == 0);
            if place.viewer.tally.packets >= ALL_PACKETS {
                heard.insert(track);
            } else if place.viewer.tally.packets == 0
                && steady
                && talkers <= self.reference.voices
                && talk(&&track)
            {
                return broken(Law::Sound, format!("{slot:?} does not hear {track:?}, who talks"));
            }
        }
        if heard.len() > self.reference.voices {
            return broken(
                Law::Sound,
                format!("{} microphones are heard all the time: {heard:?}", heard.len()),
            );
        }
        Ok(())
    }

    /// Each person's bandwidth over their slots.
    fn check_division(&mut self) -> Result<(), Problem> {
        for person in self.reference.people.clone() {
            let (mut sound, mut sound_most) = (0, 0);
            let mut shown = Vec::new();
            for (slot, watching) in &self.reference.slots {
                let place = &self.places[slot];
                let Some(track) = place.viewer.wants.filter(|_| watching.owner == person) else { continue };
                let config = &self.reference.tracks[&track].config;
                let bps = place.viewer.tally.bytes * 8;
                if config.kind == MediaKind::Audio {
                    let repeats = place.viewer.tally.repeats;
                    sound += if self.publishers[&track].0.dtx { 0 } else { bps + repeats * REPEAT_BITS };
                    sound_most += if repeats > 0 { SOUND_TWICE_BPS } else { SOUND_BPS };
                    continue;
                }
                shown.push(Shown {
                    slot: *slot,
                    source: config.source,
                    priority: watching.settings.priority,
                    layers: self.layers(*slot),
                    layer: place.viewer.shows().map(|(_, layer)| layer).filter(|_| bps > 0),
                    sent_bps: bps,
                    frames: place.viewer.tally.frames,
                    temporal: self.publishers[&track].0.temporal,
                    limited: watching.settings.fps > 0,
                });
            }
            let estimate = self.reference.estimates[&person];
            if self.reference.overload != Overload::None {
                self.seen.judged.overloaded += shown.len() as u64;
                reference::judge_thinned(estimate, sound, &shown)?;
                continue;
            }
            reference::judge(estimate, sound, sound_most, &shown, &mut self.seen.judged)
                .map_err(|problem| Problem { text: format!("{person:?} {}", problem.text), ..problem })?;
        }
        Ok(())
    }

    /// Publishers know what is watched.
    fn check_publishers(&self) -> Result<(), Problem> {
        for (track, published) in &self.reference.tracks {
            if published.muted || published.config.kind == MediaKind::Audio {
                continue;
            }
            let top = published.config.layers.last().map(|layer| layer.spatial);
            let told = self.wanted.get(track).copied().unwrap_or(top);
            let wanted = self.reference.wanted(*track);
            if told != wanted {
                return broken(Law::Dynacast, format!("{track:?} told {told:?}, wanted {wanted:?}"));
            }
        }
        Ok(())
    }

    /// Who is cut off knows it; and who has nothing to complain of is told that all is well.
    fn check_qualities(&mut self, plan: &Plan) -> Result<(), Problem> {
        for person in &self.reference.people {
            let own = self.reference.tracks.values().filter(|track| track.config.publisher == *person);
            let mut cut = false;
            for track in own.clone() {
                let (publisher, _) = &self.publishers[&track.config.key];
                let sent = publisher.sent().map(|spatial| (spatial, publisher.payload_bps(spatial)));
                cut |= self.reference.let_in(sent).count() < publisher.sent().count();
            }
            let told = self.quality.get(person).copied();
            self.seen.judged.capped += u64::from(cut);
            if cut && told.is_none_or(|told| told > ConnectionQuality::Poor) {
                return broken(Law::Quality, format!("{person:?} is cut off and told {told:?}"));
            }
            let sees =
                |watching: &Watching| watching.owner == *person && watching.video && watching.track.is_some();
            let pictures = own.clone().any(|track| track.config.kind == MediaKind::Video)
                || self.reference.slots.values().any(sees);
            let loses = self.reference.losses.get(person).is_some_and(|percent| *percent > 0);
            let well = plan.seed.is_multiple_of(LONG_EVERY) && !pictures && !loses;
            if well && told != Some(ConnectionQuality::Excellent) {
                return broken(Law::Quality, format!("{person:?} is well and told {told:?}"));
            }
        }
        Ok(())
    }

    /// Earlier frames go with the sound of those who lose packets, as far as there is room for them.
    fn check_redundancy(&mut self, plan: &Plan) -> Result<(), Problem> {
        for person in &self.reference.people {
            let places = self.places.iter().filter(|(slot, _)| {
                let watching = &self.reference.slots[*slot];
                watching.owner == *person && !watching.video
            });
            let heard: Vec<_> = places
                .filter_map(|(slot, place)| Some((slot, place.viewer.wants?, place.viewer.tally)))
                .collect();
            let steady = |(slot, track, _): &(&SlotKey, TrackKey, Tally)| {
                !self.publishers[track].0.dtx && self.reference.must_hear(**slot, *track)
            };
            if !heard.iter().all(steady) {
                continue;
            }
            let sound: u64 = heard.iter().map(|(_, _, tally)| tally.bytes * 8).sum();
            let (loss, estimate) =
                (self.reference.losses.get(person).copied().unwrap_or(0), self.reference.estimates[person]);
            let level = |bounds: [u64; REDUNDANT_MAX], sound: u64| {
                let wanted = bounds.iter().filter(|bound| loss >= **bound).count() as u64;
                let fits = |level: &u64| sound * (1 + level) * REPEATS_PART <= estimate;
                (1..=wanted).rev().find(fits).unwrap_or(0)
            };
            // What was needed a moment ago may still be sent.
            let settled = plan.seed.is_multiple_of(LONG_EVERY);
            let least = level(REPEATS_FROM, sound * 11 / 10);
            let most = level(if settled { REPEATS_TO } else { [0; REDUNDANT_MAX] }, sound * 9 / 10);
            for (slot, _, tally) in heard {
                let takes = self.reference.slots[slot].takes;
                self.seen.judged.redundancy += u64::from(takes && least > 0);
                if takes && !(least * tally.packets..=most * tally.packets).contains(&tally.repeats) {
                    let text = format!("{slot:?} of {person:?}, loss {loss} %: {least} to {most}, {tally:?}");
                    return broken(Law::Redundancy, text);
                }
            }
        }
        Ok(())
    }

    fn check_speakers(&self) -> Result<(), Problem> {
        for person in &self.reference.people {
            let speaking = self.speaking.get(person).copied().unwrap_or(false);
            let levels: Vec<_> = self.levels(*person).collect();
            let steady = levels.iter().all(|(_, dtx)| !dtx);
            let loudest = levels.iter().map(|(level, _)| *level).max().unwrap_or(-127);
            let wrong = if speaking { loudest <= QUIET_DBOV } else { steady && loudest >= LOUD_DBOV };
            if wrong {
                return broken(Law::Speakers, format!("{person:?} speaks: {speaking}, {levels:?}"));
            }
        }
        Ok(())
    }

    /// Level of each microphone that is on, and whether it pauses.
    fn levels(&self, person: ParticipantKey) -> impl Iterator<Item = (i8, bool)> {
        self.reference
            .tracks
            .iter()
            .filter(move |(_, published)| {
                published.config.publisher == person
                    && !published.muted
                    && published.config.source == Source::Microphone
            })
            .map(|(track, _)| (self.publishers[track].0.level, self.publishers[track].0.dtx))
    }
}
