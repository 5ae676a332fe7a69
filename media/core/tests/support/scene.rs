//! A room with publishers whose packets all arrive, driven by time.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use parley_media_core::{
    Forward, Output, ParticipantKey, Room, SlotKey, SlotSettings, Spatial, TrackConfig, TrackKey,
};

use super::{Encoded, Publisher, Rng, start};

const STEP: Duration = Duration::from_millis(5);

pub struct Scene {
    pub room: Room,
    pub now: Instant,
    pub publishers: BTreeMap<TrackKey, Publisher>,
    /// Do publishers heed keyframe requests?
    pub obedient: bool,
    frames: u64,
    rng: Rng,
}

/// What happened in a span of time.
#[derive(Debug, Default)]
pub struct Happened {
    pub forwards: Vec<(Encoded, Forward)>,
    pub outputs: Vec<Output>,
}

impl Happened {
    pub fn to(&self, slot: u32) -> Vec<&(Encoded, Forward)> {
        self.forwards.iter().filter(|(_, forward)| forward.slot == SlotKey(slot)).collect()
    }

    pub fn keyframes_asked(&self) -> Vec<(TrackKey, Spatial)> {
        let asked = |output: &Output| match output {
            Output::RequestKeyframe { track, spatial } => Some((*track, *spatial)),
            _ => None,
        };
        self.outputs.iter().filter_map(asked).collect()
    }

    pub fn pauses(&self) -> Vec<(SlotKey, bool)> {
        let paused = |output: &Output| match output {
            Output::SlotPaused { slot, paused } => Some((*slot, *paused)),
            _ => None,
        };
        self.outputs.iter().filter_map(paused).collect()
    }

    pub fn wanted(&self) -> Vec<Option<Spatial>> {
        let wanted = |output: &Output| match output {
            Output::WantedLayer { spatial, .. } => Some(*spatial),
            _ => None,
        };
        self.outputs.iter().filter_map(wanted).collect()
    }
}

impl Scene {
    /// Participants 1 to `people`.
    pub fn new(people: u64) -> Self {
        let now = start();
        let mut room = Room::new();
        for person in 1..=people {
            room.add_participant(ParticipantKey(person), now);
        }
        Self { room, now, publishers: BTreeMap::new(), obedient: true, frames: 0, rng: Rng::new(1) }
    }

    pub fn publish(&mut self, config: TrackConfig, temporal: bool) {
        self.room.add_track(config.clone(), self.now);
        let key = config.key;
        self.publishers.insert(key, Publisher::new(config, temporal, self.now, &mut self.rng));
    }

    /// A slot of its own number for `person`, showing `track`.
    pub fn watch(&mut self, slot: u32, person: u64, track: u64, settings: SlotSettings) {
        self.room.add_slot(SlotKey(slot), ParticipantKey(person));
        self.room.attach(SlotKey(slot), TrackKey(track), settings, self.now);
    }

    pub fn estimate(&mut self, person: u64, bps: u64) {
        self.room.handle_estimate(ParticipantKey(person), bps, self.now);
    }

    pub fn shown(&self, slot: u32) -> Option<u8> {
        self.room.slot_layer(SlotKey(slot)).map(|spatial| spatial.0)
    }

    pub fn publisher(&mut self, track: u64) -> &mut Publisher {
        self.publishers.get_mut(&TrackKey(track)).unwrap()
    }

    pub fn run(&mut self, millis: u64) -> Happened {
        let end = self.now + Duration::from_millis(millis);
        let mut happened = Happened::default();
        self.collect(&mut happened);
        while self.now < end {
            self.now += STEP;
            let mut sent = Vec::new();
            for publisher in self.publishers.values_mut() {
                publisher.encode(self.now, &mut self.frames, &mut self.rng, &mut sent);
            }
            for packet in sent {
                let bytes = packet.payload.len();
                if !self.room.admit(packet.config.key, packet.spatial, bytes, self.now) {
                    continue;
                }
                let mut out = Vec::new();
                self.room.handle_rtp(&packet.rtp(), self.now, &mut out);
                happened.forwards.extend(out.into_iter().map(|forward| (packet.clone(), forward)));
            }
            while self.room.poll_timeout().is_some_and(|(due, _)| due <= self.now) {
                self.room.handle_timeout(self.now);
            }
            self.collect(&mut happened);
        }
        happened
    }

    fn collect(&mut self, happened: &mut Happened) {
        while let Some(output) = self.room.poll_output() {
            if let Output::RequestKeyframe { track, spatial } = &output
                && self.obedient
                && let Some(publisher) = self.publishers.get_mut(track)
            {
                publisher.ask_keyframe(*spatial);
            }
            happened.outputs.push(output);
        }
    }
}
