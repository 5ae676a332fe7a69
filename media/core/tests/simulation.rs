//! Rooms under random use: people come and go, publish, mute, switch and watch,
//! over a network that loses and reorders. A failure prints the seed that
//! replays it: `SEED=n cargo test -p parley-media-core --test simulation`.
#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

mod support;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use parley_media_core::{
    Forward, Output, ParticipantKey, Room, SlotKey, SlotSettings, Source, Spatial, TrackKey,
};
use support::{Encoded, Publisher, Rng, Viewer, camera, microphone, start};

const SEEDS: u64 = 200;
const STEP: Duration = Duration::from_millis(5);
const WILD: Duration = Duration::from_secs(8);
/// Long enough for holds and retries to end.
const CALM: Duration = Duration::from_secs(7);
const MAX_PEOPLE: usize = 5;
const MAX_SLOTS: usize = 4;
const MAX_TRACKS: usize = 6;
const KEYFRAME_INTERVAL: Duration = Duration::from_millis(200);

struct Watching {
    owner: ParticipantKey,
    video: bool,
    track: Option<TrackKey>,
    settings: SlotSettings,
    viewer: Viewer,
    paused: bool,
}

struct World {
    rng: Rng,
    lossless: bool,
    room: Room,
    now: Instant,
    people: Vec<ParticipantKey>,
    publishers: BTreeMap<TrackKey, Publisher>,
    muted: BTreeSet<TrackKey>,
    slots: BTreeMap<SlotKey, Watching>,
    flying: Vec<(Instant, Encoded)>,
    asked: BTreeMap<(TrackKey, Spatial), Instant>,
    keys: u64,
    frames: u64,
    forwarded: usize,
    problem: Option<String>,
}

impl World {
    fn new(seed: u64) -> Self {
        Self {
            rng: Rng::new(seed),
            lossless: seed.is_multiple_of(2),
            room: Room::new(),
            now: start(),
            people: Vec::new(),
            publishers: BTreeMap::new(),
            muted: BTreeSet::new(),
            slots: BTreeMap::new(),
            flying: Vec::new(),
            asked: BTreeMap::new(),
            keys: 0,
            frames: 0,
            forwarded: 0,
            problem: None,
        }
    }

    fn fail(&mut self, what: String) {
        self.problem.get_or_insert(what);
    }

    fn key(&mut self) -> u64 {
        self.keys += 1;
        self.keys
    }

    fn video(&self, track: TrackKey) -> bool {
        self.publishers.get(&track).is_some_and(|publisher| !publisher.config.layers.is_empty())
    }

    /// What each viewer may get follows from what was asked, not from the room.
    fn expect(&mut self) {
        for watching in self.slots.values_mut() {
            let wants = watching.track.filter(|track| {
                self.publishers.contains_key(track)
                    && !self.muted.contains(track)
                    && watching.settings.enabled
            });
            if watching.viewer.wants != wants {
                watching.viewer.fresh = true;
            }
            watching.viewer.wants = wants;
        }
    }

    fn act(&mut self) {
        match self.rng.below(60) {
            0..6 if self.people.len() < MAX_PEOPLE => self.join(),
            6 => self.leave(),
            7..13 if self.publishers.len() < MAX_TRACKS => self.publish(),
            13 => self.unpublish(),
            14..18 => self.mute(),
            18..26 => self.open_slot(),
            26 => self.close_slot(),
            27..40 => self.show(),
            40..46 => self.adjust(),
            46..52 => self.estimate(),
            _ => self.disturb(),
        }
        self.expect();
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.room.poll_output() {
            self.heed(output);
        }
    }

    fn join(&mut self) {
        let person = ParticipantKey(self.key());
        self.room.add_participant(person, self.now);
        self.people.push(person);
    }

    fn leave(&mut self) {
        let Some(person) = self.rng.pick(&self.people).copied() else { return };
        self.room.remove_participant(person, self.now);
        self.people.retain(|other| *other != person);
        self.publishers.retain(|_, publisher| publisher.config.publisher != person);
        self.slots.retain(|_, watching| watching.owner != person);
        self.forget_tracks();
    }

    fn forget_tracks(&mut self) {
        for watching in self.slots.values_mut() {
            if watching.track.is_some_and(|track| !self.publishers.contains_key(&track)) {
                watching.track = None;
                watching.paused = false;
            }
        }
    }

    fn publish(&mut self) {
        let Some(person) = self.rng.pick(&self.people).copied() else { return };
        let key = self.key();
        let mut config = match self.rng.below(3) {
            0 => microphone(key, person.0),
            _ => camera(key, person.0),
        };
        if self.rng.percent(20) {
            config.layers.truncate(1);
        }
        if self.rng.percent(20) && !config.layers.is_empty() {
            config.source = Source::ScreenShare;
        }
        self.room.add_track(config.clone(), self.now);
        let temporal = self.rng.percent(60);
        let mut publisher = Publisher::new(config, temporal, self.now, &mut self.rng);
        publisher.level = -(self.rng.below(80) as i8);
        self.publishers.insert(TrackKey(key), publisher);
    }

    fn some_track(&mut self) -> Option<TrackKey> {
        let keys: Vec<_> = self.publishers.keys().copied().collect();
        self.rng.pick(&keys).copied()
    }

    fn some_slot(&mut self) -> Option<SlotKey> {
        let keys: Vec<_> = self.slots.keys().copied().collect();
        self.rng.pick(&keys).copied()
    }

    fn unpublish(&mut self) {
        let Some(track) = self.some_track() else { return };
        self.room.remove_track(track, self.now);
        self.publishers.remove(&track);
        self.forget_tracks();
    }

    fn mute(&mut self) {
        let Some(track) = self.some_track() else { return };
        let muted = self.muted.insert(track);
        if !muted {
            self.muted.remove(&track);
        }
        self.room.set_track_muted(track, muted, self.now);
    }

    fn open_slot(&mut self) {
        let Some(owner) = self.rng.pick(&self.people).copied() else { return };
        if self.slots.values().filter(|watching| watching.owner == owner).count() >= MAX_SLOTS {
            return;
        }
        let slot = SlotKey(self.key() as u32);
        self.room.add_slot(slot, owner);
        let video = self.rng.percent(70);
        let settings = SlotSettings::default();
        let viewer = Viewer::default();
        self.slots.insert(slot, Watching { owner, video, track: None, settings, viewer, paused: false });
    }

    fn close_slot(&mut self) {
        let Some(slot) = self.some_slot() else { return };
        self.room.remove_slot(slot, self.now);
        self.slots.remove(&slot);
    }

    fn settings(&mut self) -> SlotSettings {
        let (width, height) =
            *self.rng.pick(&[(0, 0), (160, 90), (320, 180), (500, 300), (640, 360), (1920, 1080)]).unwrap();
        SlotSettings {
            enabled: !self.rng.percent(15),
            width,
            height,
            max_spatial: self.rng.percent(20).then_some(Spatial(1)),
            fps: if self.rng.percent(30) { 10 } else { 0 },
            priority: self.rng.below(3) as u32,
        }
    }

    fn show(&mut self) {
        let (Some(slot), Some(track)) = (self.some_slot(), self.some_track()) else { return };
        if self.slots[&slot].video != self.video(track) {
            return;
        }
        if self.rng.percent(20) {
            self.room.detach(slot, self.now);
            let watching = self.slots.get_mut(&slot).unwrap();
            watching.track = None;
            watching.paused = false;
            return;
        }
        let settings = self.settings();
        self.room.attach(slot, track, settings, self.now);
        let watching = self.slots.get_mut(&slot).unwrap();
        if watching.track != Some(track) {
            watching.paused = false;
            watching.viewer.fresh = true;
        }
        watching.track = Some(track);
        watching.settings = settings;
    }

    fn adjust(&mut self) {
        let Some(slot) = self.some_slot() else { return };
        let settings = self.settings();
        self.room.update_slot(slot, settings, self.now);
        self.slots.get_mut(&slot).unwrap().settings = settings;
    }

    fn estimate(&mut self) {
        let Some(person) = self.rng.pick(&self.people).copied() else { return };
        let bps = *self.rng.pick(&[20_000, 150_000, 400_000, 900_000, 3_000_000, 20_000_000]).unwrap();
        self.room.handle_estimate(person, bps, self.now);
    }

    fn disturb(&mut self) {
        let fate = self.rng.below(5);
        if fate < 2 {
            if let Some(slot) = self.some_slot() {
                self.room.handle_keyframe_request(slot, self.now);
            }
            return;
        }
        let Some(track) = self.some_track() else { return };
        let publisher = self.publishers.get_mut(&track).unwrap();
        match fate {
            2 | 3 => {
                let spatial = Spatial(self.rng.below(3) as u8);
                publisher.switch_layer(spatial, self.rng.percent(50));
            }
            _ if self.rng.percent(50) => publisher.restart(&mut self.rng),
            _ => {
                let config = publisher.config.clone();
                *publisher = Publisher::new(config.clone(), true, self.now, &mut self.rng);
                self.room.add_track(config, self.now);
                self.flying.retain(|(_, packet)| packet.config.key != track);
            }
        }
    }

    fn step(&mut self) {
        self.now += STEP;
        let mut sent = Vec::new();
        for publisher in self.publishers.values_mut() {
            publisher.encode(self.now, &mut self.frames, &mut self.rng, &mut sent);
        }
        for packet in sent {
            self.fly(packet);
        }
        let (due, later): (Vec<_>, Vec<_>) = self.flying.drain(..).partition(|(at, _)| *at <= self.now);
        self.flying = later;
        for (_, packet) in due {
            self.deliver(&packet);
        }
        for _ in 0..100 {
            match self.room.poll_timeout() {
                Some((due, _)) if due <= self.now => self.room.handle_timeout(self.now),
                _ => break,
            }
        }
        if self.room.poll_timeout().is_some_and(|(due, _)| due <= self.now) {
            self.fail("timeouts do not end".into());
        }
        self.drain();
    }

    fn fly(&mut self, packet: Encoded) {
        if self.lossless {
            self.flying.push((self.now, packet));
            return;
        }
        let late = self.now + Duration::from_millis(5 + self.rng.below(80));
        match self.rng.below(100) {
            0..3 => {}
            3..8 => self.flying.push((late, packet)),
            8 => {
                self.flying.push((self.now, packet.clone()));
                self.flying.push((late, packet));
            }
            _ => self.flying.push((self.now, packet)),
        }
    }

    fn deliver(&mut self, packet: &Encoded) {
        let mut out: Vec<Forward> = Vec::new();
        self.room.handle_rtp(&packet.rtp(), self.now, &mut out);
        self.forwarded += out.len();
        let outputs: Vec<_> = std::iter::from_fn(|| self.room.poll_output()).collect();
        let (pauses, rest): (Vec<_>, Vec<_>) =
            outputs.into_iter().partition(|output| matches!(output, Output::SlotPaused { .. }));
        pauses.into_iter().for_each(|output| self.heed(output));
        for forward in out {
            let Some(watching) = self.slots.get_mut(&forward.slot) else {
                self.fail(format!("packet to a slot that is gone: {forward:?}"));
                continue;
            };
            if watching.paused {
                self.fail(format!("packet to a paused slot: {forward:?}"));
            } else if let Err(problem) = watching.viewer.take(packet, &forward, self.lossless) {
                self.fail(problem);
            }
        }
        rest.into_iter().for_each(|output| self.heed(output));
    }

    fn heed(&mut self, output: Output) {
        match output {
            Output::RequestKeyframe { track, spatial } => {
                let before = self.asked.insert((track, spatial), self.now);
                if self.muted.contains(&track) {
                    self.fail(format!("keyframe of a muted track asked for: {track:?}"));
                }
                if before.is_some_and(|before| self.now - before < KEYFRAME_INTERVAL) {
                    self.fail(format!(
                        "keyframe of {track:?} {spatial:?} asked for twice, after {:?}",
                        self.now - before.unwrap()
                    ));
                }
                if let Some(publisher) = self.publishers.get_mut(&track) {
                    publisher.ask_keyframe(spatial);
                }
            }
            Output::SlotPaused { slot, paused } => {
                let Some(watching) = self.slots.get_mut(&slot) else {
                    return;
                };
                let repeated = watching.paused == paused;
                watching.paused = paused;
                if paused {
                    watching.viewer.fresh = true;
                }
                if repeated {
                    self.fail(format!("{slot:?} told paused={paused} twice"));
                }
            }
            Output::SlotLayer { slot, spatial } => {
                if let Some(watching) = self.slots.get(&slot)
                    && let Some((_, shown)) = watching.viewer.shows
                    && shown != spatial
                {
                    self.fail(format!("{slot:?} told {spatial:?}, shows {shown:?}"));
                }
            }
            _ => {}
        }
    }

    /// Everything is there and bandwidth is plenty: each must get what it asked for.
    fn settle(&mut self) {
        for publisher in self.publishers.values_mut() {
            publisher.all_layers_on();
        }
        for person in self.people.clone() {
            self.room.handle_estimate(person, 100_000_000, self.now);
        }
        self.drain();
    }

    fn finish(&mut self) {
        let mut problems = Vec::new();
        for (slot, watching) in &self.slots {
            let Some(track) = watching.viewer.wants else { continue };
            if watching.viewer.received == 0 {
                problems.push(format!("{slot:?} gets nothing of {track:?}"));
            }
            if watching.paused {
                problems.push(format!("{slot:?} is still paused"));
            }
            let layers = &self.publishers[&track].config.layers;
            let ideal = ideal(layers.len() as u8, &watching.settings);
            if self.room.slot_layer(*slot) != Some(ideal) {
                let shown = self.room.slot_layer(*slot);
                problems.push(format!("{slot:?} shows {shown:?} of {track:?}, not {ideal:?}"));
            }
        }
        for problem in problems {
            self.fail(problem);
        }
    }
}

/// The reference for the layer choice, for the layers of [`camera`].
fn ideal(layers: u8, settings: &SlotSettings) -> Spatial {
    let by_size = match settings.width {
        0 => 2,
        1..=320 => 0,
        321..=640 => 1,
        _ => 2,
    };
    let top = layers.saturating_sub(1);
    let by_quality = settings.max_spatial.map_or(u8::MAX, |max| max.0);
    Spatial(by_size.min(by_quality).min(top))
}

fn run(seed: u64) -> Result<usize, String> {
    let mut world = World::new(seed);
    let end = world.now + WILD;
    for _ in 0..12 {
        world.join();
        world.publish();
        for _ in 0..3 {
            world.open_slot();
            world.show();
        }
        world.expect();
        world.drain();
        if world.people.len() >= MAX_PEOPLE {
            break;
        }
    }
    while world.now < end && world.problem.is_none() {
        if world.rng.percent(6) {
            world.act();
        }
        world.step();
    }
    world.settle();
    let end = world.now + CALM;
    let last_second = end - Duration::from_secs(1);
    while world.now < end && world.problem.is_none() {
        world.step();
        if world.now <= last_second {
            world.slots.values_mut().for_each(|watching| watching.viewer.received = 0);
        }
    }
    world.finish();
    match world.problem {
        Some(problem) => Err(problem),
        None => Ok(world.forwarded),
    }
}

#[test]
fn random_use_breaks_no_promise() {
    if let Some(seed) = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()) {
        run(seed).unwrap_or_else(|problem| panic!("seed {seed}: {problem}"));
        return;
    }
    let mut forwarded = 0;
    for seed in 0..SEEDS {
        forwarded += run(seed).unwrap_or_else(|problem| panic!("seed {seed}: {problem}"));
    }
    assert!(forwarded as u64 > SEEDS * 1000, "the runs must exercise something: {forwarded}");
}
