//! Which microphones are heard in a large room: the loudest few, so that what a receiver gets,
//! and what its client decodes, does not grow with the room.
//!
//! A microphone has a *seat* or is withheld. As long as there are seats for all, each has one. A
//! new talker takes the seat of somebody who has not spoken for a while, or, when all of them
//! talk, of somebody much quieter; a click or a cough is too short for it. Who talks keeps the
//! seat over the pauses between words.

use std::time::{Duration, Instant};

use crate::TrackKey;

/// Microphones heard in a room unless it is set otherwise.
pub const VOICES_DEFAULT: usize = 10;
/// More are not looked through for each packet of a new talker.
pub const VOICES_MAX: usize = 64;
/// Louder than this is speech, in dBov.
const LOUD_DBOV: f32 = -45.0;
/// Taken for packets that do not tell their level.
const UNKNOWN_DBOV: i8 = -30;
/// Loud for this many packets in a row: somebody begins to talk.
const START_PACKETS: u8 = 3;
/// A talker keeps the seat for this long after the last loud packet.
const HOLD: Duration = Duration::from_secs(2);
/// Louder by this much than a talker is worth the talker's seat, in dB.
const MARGIN_DB: f32 = 10.0;
/// Weight of a packet in the level; most of it is of the last 200 ms.
const WEIGHT: f32 = 0.1;

/// How loud one microphone is.
#[derive(Clone, Copy, Debug)]
struct Voice {
    track: TrackKey,
    /// Mean of the loud packets, in dBov.
    level: f32,
    loud_at: Option<Instant>,
}

impl Voice {
    fn hear(&mut self, level: f32, now: Instant) {
        if level >= LOUD_DBOV {
            self.level += WEIGHT * (level - self.level);
            self.loud_at = Some(now);
        }
    }

    fn talks(&self, now: Instant) -> bool {
        self.loud_at.is_some_and(|at| now.saturating_duration_since(at) < HOLD)
    }
}

/// Somebody without a seat who is loud now.
#[derive(Clone, Copy, Debug)]
struct Challenger {
    voice: Voice,
    packets: u8,
}

/// The seats of a room. See the module's documentation.
#[derive(Debug)]
pub(crate) struct Audible {
    seats: Vec<Voice>,
    /// At most [`VOICES_MAX`].
    challengers: Vec<Challenger>,
    limit: usize,
}

impl Default for Audible {
    fn default() -> Self {
        Self { seats: Vec::new(), challengers: Vec::new(), limit: VOICES_DEFAULT }
    }
}

impl Audible {
    /// At least one, at most [`VOICES_MAX`].
    pub(crate) fn set_limit(&mut self, limit: usize) {
        self.limit = limit.clamp(1, VOICES_MAX);
        self.seats.truncate(self.limit);
        self.challengers.clear();
    }

    /// Is it heard, or will it be with its first packet?
    pub(crate) fn has_place(&self, track: TrackKey) -> bool {
        self.seats.len() < self.limit || self.seats.iter().any(|voice| voice.track == track)
    }

    /// The microphone is off or gone; its seat is free at once.
    pub(crate) fn leave(&mut self, track: TrackKey) {
        self.seats.retain(|voice| voice.track != track);
        self.challengers.retain(|challenger| challenger.voice.track != track);
    }

    /// Takes note of a packet; returns whether it is heard.
    pub(crate) fn hear(&mut self, track: TrackKey, level_dbov: Option<i8>, now: Instant) -> bool {
        let level = f32::from(level_dbov.unwrap_or(UNKNOWN_DBOV).min(0));
        if let Some(voice) = self.seats.iter_mut().find(|voice| voice.track == track) {
            voice.hear(level, now);
            return true;
        }
        let fresh = Voice { track, level, loud_at: (level >= LOUD_DBOV).then_some(now) };
        if self.seats.len() < self.limit {
            self.challengers.retain(|challenger| challenger.voice.track != track);
            self.seats.push(fresh);
            return true;
        }
        let Some(voice) = self.challenge(fresh, level, now) else { return false };
        // The seat of whoever is silent for longest, else of the quietest.
        let rank = |voice: &Voice| if voice.talks(now) { (1, None) } else { (0, voice.loud_at) };
        let weakest =
            self.seats.iter_mut().min_by(|a, b| rank(a).cmp(&rank(b)).then(a.level.total_cmp(&b.level)));
        let Some(weakest) = weakest else { return false };
        if weakest.talks(now) && voice.level < weakest.level + MARGIN_DB {
            return false;
        }
        *weakest = voice;
        self.challengers.retain(|challenger| challenger.voice.track != track);
        true
    }

    /// Returns the voice once it was loud for long enough to count.
    fn challenge(&mut self, fresh: Voice, level: f32, now: Instant) -> Option<Voice> {
        let place = self.challengers.iter().position(|known| known.voice.track == fresh.track);
        if level < LOUD_DBOV {
            if let Some(place) = place {
                self.challengers.remove(place);
            }
            return None;
        }
        let Some(known) = place.and_then(|place| self.challengers.get_mut(place)) else {
            self.line_up(Challenger { voice: fresh, packets: 1 }, now);
            return None;
        };
        known.voice.hear(level, now);
        known.packets = known.packets.saturating_add(1);
        (known.packets >= START_PACKETS).then_some(known.voice)
    }

    /// Where there is no room, the quietest of those who wait goes, or who sends no more.
    fn line_up(&mut self, new: Challenger, now: Instant) {
        if self.challengers.len() == VOICES_MAX {
            self.challengers.retain(|known| known.voice.talks(now));
            let quietest = (0..self.challengers.len())
                .min_by(|a, b| self.challengers[*a].voice.level.total_cmp(&self.challengers[*b].voice.level));
            if let Some(place) = quietest.filter(|_| self.challengers.len() == VOICES_MAX) {
                if self.challengers[place].voice.level >= new.voice.level {
                    return;
                }
                self.challengers.remove(place);
            }
        }
        self.challengers.push(new);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    const PACKET: Duration = Duration::from_millis(20);

    struct Room {
        audible: Audible,
        now: Instant,
    }

    impl Room {
        fn new(limit: usize) -> Self {
            let mut audible = Audible::default();
            audible.set_limit(limit);
            Self { audible, now: testing::start() }
        }

        /// All send for a while at these levels; returns who was heard in the last packet.
        fn run(&mut self, millis: u64, levels: &[i8]) -> Vec<bool> {
            let mut heard = Vec::new();
            for _ in 0..(millis / 20).max(1) {
                self.now += PACKET;
                heard = (0..)
                    .zip(levels)
                    .map(|(track, level)| self.audible.hear(TrackKey(track), Some(*level), self.now))
                    .collect();
            }
            heard
        }
    }

    #[test]
    fn small_rooms_hear_everybody() {
        let mut room = Room::new(3);
        assert_eq!(room.run(1000, &[-127, -90, -20]), [true; 3]);
    }

    #[test]
    fn a_new_talker_takes_the_seat_of_who_is_silent() {
        let mut room = Room::new(2);
        assert_eq!(room.run(3000, &[-20, -127, -127]), [true, true, false]);
        assert_eq!(room.run(40, &[-20, -127, -25]), [true, true, false], "could be a click");
        assert_eq!(room.run(40, &[-20, -127, -25]), [true, false, true]);
        assert_eq!(room.run(3000, &[-20, -127, -127]), [true, false, true], "keeps it until it is needed");
    }

    #[test]
    fn a_talker_is_not_cut_off_in_a_pause_nor_by_an_equal() {
        let mut room = Room::new(1);
        room.run(500, &[-25, -127]);
        assert_eq!(room.run(1500, &[-127, -22]), [true, false], "a pause between sentences");
        assert_eq!(room.run(100, &[-25, -22]), [true, false]);
        assert_eq!(room.run(3000, &[-25, -22]), [true, false], "both talk, about as loud");
        assert_eq!(room.run(500, &[-40, -12]), [false, true], "much louder");
        assert_eq!(room.run(2500, &[-25, -127]), [true, false], "and the first again, after the hold");
    }

    #[test]
    fn noise_coughs_and_typing_take_no_seat() {
        let mut room = Room::new(1);
        room.run(200, &[-25, -60]);
        for _ in 0..20 {
            // Keys: 40 ms each, loud; the talker is silent meanwhile and for long.
            assert_eq!(room.run(40, &[-127, -15]), [true, false]);
            assert_eq!(room.run(160, &[-127, -70]), [true, false]);
        }
        assert_eq!(room.run(5000, &[-127, -50]), [true, false], "a fan");
    }

    #[test]
    fn a_seat_is_free_at_once_when_its_microphone_goes() {
        let mut room = Room::new(1);
        room.run(200, &[-25, -30]);
        room.audible.leave(TrackKey(0));
        assert!(room.audible.hear(TrackKey(1), None, room.now));
        assert!(room.audible.has_place(TrackKey(1)) && !room.audible.has_place(TrackKey(0)));
    }

    #[test]
    fn more_new_talkers_than_places_do_not_grow_the_table() {
        let mut room = Room::new(2);
        let mut levels = vec![-20i8; 200];
        room.run(400, &levels);
        assert!(room.audible.challengers.len() <= VOICES_MAX && room.audible.seats.len() == 2);
        levels[150] = -5;
        levels[..150].fill(-35);
        levels[151..].fill(-127);
        assert!(room.run(2000, &levels)[150], "the loudest is heard in the end");
    }
}
