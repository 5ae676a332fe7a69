//! What the actions of a plan do: to the room under test and to the reference.

use std::time::Duration;

use parley_media_core::{
    Codec, MediaKind, Overload, ParticipantKey, SlotKey, SlotSettings, Source, Spatial, TrackConfig, TrackKey,
};

use crate::{
    plan::{Action, Pick, Publish},
    problem::Problem,
    reference::{Published, Watching},
    support::{Look, Publisher, Rng, camera, microphone},
    world::{Place, World},
};

const MAX_PEOPLE: usize = 7;
const MAX_SLOTS: usize = 6;
const MAX_TRACKS: usize = 9;
/// A stream that starts anew twice within this time may be refused.
const RESTART_PAUSE: Duration = Duration::from_millis(1100);

/// Picks one of those there are.
fn nth<K: Copy>(mut keys: impl ExactSizeIterator<Item = K>, pick: Pick) -> Option<K> {
    match keys.len() {
        0 => None,
        len => keys.nth((pick % len as u64) as usize),
    }
}

impl World {
    pub fn act(&mut self, key: u64, action: Action) -> Result<(), Problem> {
        match action {
            Action::Join if self.reference.people.len() < MAX_PEOPLE => {
                self.room.add_participant(ParticipantKey(key), self.now);
                self.reference.people.insert(ParticipantKey(key));
            }
            Action::Join => {}
            Action::Leave { who } => self.leave(who),
            Action::Publish { by, what } => self.publish(key, by, what),
            Action::Unpublish { track }
            | Action::Replace { track, .. }
            | Action::Restart { track }
            | Action::Mute { track, .. }
            | Action::Layer { track, .. }
            | Action::Idle { track, .. }
            | Action::Rate { track, .. } => self.use_track(track, action),
            Action::OpenSlot { .. }
            | Action::CloseSlot { .. }
            | Action::Show { .. }
            | Action::Detach { .. }
            | Action::Adjust { .. }
            | Action::Refresh { .. }
            | Action::Redundant { .. } => self.use_slot(key, action),
            Action::Estimate { who, bps } => {
                let Some(person) = nth(self.reference.people.iter().copied(), who) else { return Ok(()) };
                self.estimate(person, bps);
            }
            Action::Loss { who, percent } => {
                let Some(person) = nth(self.reference.people.iter().copied(), who) else { return Ok(()) };
                self.reference.losses.insert(person, percent);
            }
            Action::Overload(overload) => self.overload(overload),
            Action::Stall { millis } => self.now += Duration::from_millis(millis),
        }
        self.expect();
        self.drain()
    }

    fn use_track(&mut self, track: Pick, action: Action) {
        let Some(track) = nth(self.reference.tracks.keys().copied(), track) else { return };
        let Some((publisher, _)) = self.publishers.get_mut(&track) else { return };
        match action {
            Action::Unpublish { .. } => {
                self.room.remove_track(track, self.now);
                self.reference.unpublish(track);
                self.publishers.remove(&track);
            }
            Action::Replace { what, .. } => self.replace(track, what),
            Action::Restart { .. } => self.restart(track),
            Action::Mute { muted, .. } => self.mute(track, muted),
            Action::Layer { spatial, on, .. } => publisher.switch_layer(spatial, on),
            Action::Idle { millis, .. } => {
                publisher.idle_until = Some(self.now + Duration::from_millis(millis));
            }
            Action::Rate { percent, .. } => set_rate(publisher, percent),
            _ => {}
        }
    }

    fn leave(&mut self, who: Pick) {
        let Some(person) = nth(self.reference.people.iter().copied(), who) else { return };
        self.room.remove_participant(person, self.now);
        self.reference.leave(person);
        self.speaking.remove(&person);
        self.quality.remove(&person);
        self.publishers.retain(|track, _| self.reference.tracks.contains_key(track));
        self.places.retain(|slot, _| self.reference.slots.contains_key(slot));
    }

    fn publish(&mut self, key: u64, by: Pick, what: Publish) {
        let Some(person) = nth(self.reference.people.iter().copied(), by) else { return };
        if self.reference.tracks.len() < MAX_TRACKS {
            self.start_track(key, person, what, false);
        }
    }

    fn replace(&mut self, track: TrackKey, mut what: Publish) {
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
        set_rate(&mut publisher, what.rate_percent);
        if matches!(what.look, Look::Bare) || what.h264 {
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

    pub fn overload(&mut self, overload: Overload) {
        self.room.set_overload(overload, self.now);
        self.reference.overload = overload;
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
                    self.reference
                        .slots
                        .insert(slot, Watching { owner, video, track: None, settings, takes: false });
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
            Action::Redundant { slot, takes } => {
                let Some(slot) = pick(slot) else { return };
                self.room.set_takes_redundancy(slot, takes);
                self.reference.slots.get_mut(&slot).unwrap().takes = takes;
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
}

/// Sizes of frames, against what was announced.
pub fn set_rate(publisher: &mut Publisher, percent: u64) {
    let announced = |layer: usize| publisher.config.layers.get(layer).map_or(0, |layer| layer.bitrate_bps);
    let bytes = |layer: usize| (announced(layer) * percent / 100 / 8 / 30) as usize;
    publisher.frame_bytes = Some([bytes(0), bytes(1), bytes(2), 0]);
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
