//! Keyframes that are lost or late: how soon a receiver sees a picture again.
#![allow(clippy::unwrap_used)]

mod support;

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use parley_media_core::{Forward, Output, ParticipantKey, Room, SlotKey, SlotSettings, Spatial, TrackKey};
use support::{Encoded, Publisher, Rng, camera, start};

const STEP: Duration = Duration::from_millis(5);
const FRAME: Duration = Duration::from_millis(34);
/// Between publisher and server, there and back.
const ROUND_TRIP: Duration = Duration::from_millis(60);
/// A receiver that cannot decode says so after this time.
const NOTICE: Duration = Duration::from_millis(50);
/// Distance that is kept between two requests when a keyframe has come in between.
const BETWEEN_REQUESTS: Duration = Duration::from_millis(200);
const SLOT: SlotKey = SlotKey(1);

/// A publisher at the end of a slow road, a room and one receiver.
struct World {
    room: Room,
    now: Instant,
    rng: Rng,
    frames: u64,
    publisher: Publisher,
    /// On the way to the server.
    coming: Vec<(Instant, Encoded)>,
    asked: Vec<(Instant, Spatial)>,
    received: BTreeSet<u64>,
    decoded: BTreeSet<u64>,
    decoded_at: Vec<Instant>,
    incomplete_since: Option<Instant>,
}

fn sized(width: u32, height: u32) -> SlotSettings {
    SlotSettings { width, height, ..SlotSettings::default() }
}

impl World {
    fn new(seed: u64) -> Self {
        let now = start();
        let mut rng = Rng::new(seed);
        let mut room = Room::new();
        for person in 1..=2 {
            room.add_participant(ParticipantKey(person), now);
        }
        room.add_track(camera(1, 1), now);
        room.add_slot(SLOT, ParticipantKey(2));
        room.handle_estimate(ParticipantKey(2), 50_000_000, now);
        room.attach(SLOT, TrackKey(1), sized(320, 180), now);
        let publisher = Publisher::new(camera(1, 1), false, now, &mut rng);
        Self {
            room,
            now,
            rng,
            frames: 0,
            publisher,
            coming: Vec::new(),
            asked: Vec::new(),
            received: BTreeSet::new(),
            decoded: BTreeSet::new(),
            decoded_at: Vec::new(),
            incomplete_since: None,
        }
    }

    /// `fate` says by how much a packet is late on its way to the server; `None` = it is lost behind it.
    fn run(&mut self, time: Duration, mut fate: impl FnMut(&Encoded) -> Option<Duration>) {
        let end = self.now + time;
        while self.now < end {
            self.now += STEP;
            let heeded: Vec<Spatial> = self
                .asked
                .extract_if(.., |(at, _)| *at + ROUND_TRIP / 2 <= self.now)
                .map(|(_, spatial)| spatial)
                .collect();
            for spatial in heeded {
                self.publisher.ask_keyframe(spatial);
            }
            let mut sent = Vec::new();
            self.publisher.encode(self.now, &mut self.frames, &mut self.rng, &mut sent);
            let arrival = self.now + ROUND_TRIP / 2;
            for packet in sent {
                let late = fate(&packet);
                self.coming.push((arrival + late.unwrap_or_default(), packet.clone()));
                if late.is_none() {
                    // Never reaches the receiver.
                    self.received.insert(u64::MAX - packet.sequence);
                }
            }
            self.coming.sort_by_key(|(at, _)| *at);
            let arrived: Vec<Encoded> =
                self.coming.extract_if(.., |(at, _)| *at <= self.now).map(|(_, packet)| packet).collect();
            for packet in arrived {
                let mut out = Vec::new();
                self.room.handle_rtp(&packet.rtp(), self.now, &mut out);
                for forward in out {
                    self.receive(&packet, &forward);
                }
            }
            self.complain();
            while self.room.poll_timeout().is_some_and(|(due, _)| due <= self.now) {
                self.room.handle_timeout(self.now);
            }
            while let Some(output) = self.room.poll_output() {
                if let Output::RequestKeyframe { spatial, .. } = output {
                    self.asked.push((self.now, spatial));
                }
            }
        }
    }

    fn receive(&mut self, packet: &Encoded, forward: &Forward) {
        if self.received.contains(&(u64::MAX - packet.sequence)) {
            return;
        }
        self.received.insert(forward.sequence);
        // The packets of a frame follow on each other; its marker ends it.
        let whole = packet.marker
            && (0..packet.place).all(|back| self.received.contains(&(forward.sequence - 1 - back)));
        if whole && packet.needs.iter().all(|need| self.decoded.contains(need)) {
            self.decoded.insert(packet.frame);
            self.decoded_at.push(self.now);
            self.incomplete_since = None;
        } else if packet.marker {
            self.incomplete_since.get_or_insert(self.now);
        }
    }

    fn complain(&mut self) {
        if self.incomplete_since.is_some_and(|since| self.now - since >= NOTICE) {
            self.room.handle_keyframe_request(SLOT, self.now);
            self.incomplete_since = Some(self.now);
        }
    }

    fn longest_gap(&self) -> Duration {
        self.decoded_at.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap()
    }
}

/// One packet of the keyframe of a switch is lost behind the server, whichever it is: the receiver
/// that says so has a picture again after a round trip, a frame, and the distance between requests.
#[test]
fn a_keyframe_lost_after_a_switch_comes_again() {
    for seed in 0..40 {
        let mut world = World::new(seed);
        world.run(Duration::from_secs(2), |_| Some(Duration::ZERO));
        assert!(world.decoded_at.len() > 50, "seed {seed}");
        world.room.update_slot(SLOT, sized(1280, 720), world.now);
        let mut lost = None;
        let unlucky = seed % 4;
        world.run(Duration::from_secs(3), |packet| {
            let of_key = packet.spatial == Spatial(2) && packet.needs.is_empty() && packet.place == unlucky;
            let lose = of_key && *lost.get_or_insert(packet.frame) == packet.frame;
            (!lose).then_some(Duration::ZERO)
        });
        assert_eq!(world.room.slot_layer(SLOT), Some(Spatial(2)));
        let allowed = FRAME + NOTICE + BETWEEN_REQUESTS + ROUND_TRIP + FRAME + 2 * STEP;
        assert!(world.longest_gap() <= allowed, "seed {seed}: {:?}", world.longest_gap());
    }
}

/// The first packet of the keyframe is late: what followed on it was not kept for the slot, so the
/// old layer goes on until there is a keyframe that is whole.
#[test]
fn a_keyframe_whose_beginning_is_late_is_not_gone_over_to() {
    for seed in 0..40 {
        let mut world = World::new(seed);
        world.run(Duration::from_secs(2), |_| Some(Duration::ZERO));
        world.room.update_slot(SLOT, sized(1280, 720), world.now);
        let asked_at = world.now;
        let mut late = None;
        world.run(Duration::from_secs(1), |packet| {
            let starts = packet.spatial == Spatial(2) && packet.entry;
            let delayed = starts && *late.get_or_insert(packet.frame) == packet.frame;
            Some(if delayed { ROUND_TRIP } else { Duration::ZERO })
        });
        assert_eq!(world.room.slot_layer(SLOT), Some(Spatial(2)));
        assert!(world.longest_gap() <= 2 * FRAME, "seed {seed}: {:?}", world.longest_gap());
        assert!(world.decoded_at.last().is_some_and(|at| *at > asked_at + Duration::from_millis(900)));
    }
}
