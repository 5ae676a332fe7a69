//! Who speaks, from the levels in the packets (RFC 6464).

use std::time::Duration;

use crate::{ParticipantKey, Speaker};

/// How often the levels are judged.
pub(crate) const INTERVAL: Duration = Duration::from_millis(400);
/// Louder than this counts as speech, in dBov.
const LOUD_DBOV: i8 = -40;
/// Loud for this long in an interval: goes on speaking.
const GO_ON: Duration = Duration::from_millis(120);
/// Loud for this long in two intervals: starts to speak. A cough or a door is shorter.
const START: Duration = Duration::from_millis(400);
/// Intervals without enough speech before somebody stops being a speaker:
/// breath and pauses between words do not count.
const QUIET_INTERVALS: u8 = 3;
/// Duration taken for the first packet and the longest that one may last.
const PACKET: Duration = Duration::from_millis(20);
const PACKET_MAX: Duration = Duration::from_millis(120);
/// Weight of the newest interval in the level.
const WEIGHT: f32 = 0.5;
/// Levels are told in this many steps, so that they do not change all the time.
const STEPS: f32 = 8.0;

/// Levels of one track since the last judgement.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Loudness {
    timestamp: Option<u32>,
    loud: Duration,
    /// Sum of linear levels, each by its duration in seconds.
    sum: f32,
}

impl Loudness {
    pub(crate) fn add(&mut self, level_dbov: i8, timestamp: u32, clock_rate: u32) {
        let lasted = self.timestamp.map_or(PACKET, |before| {
            let ticks = timestamp.wrapping_sub(before);
            Duration::from_micros(u64::from(ticks) * 1_000_000 / u64::from(clock_rate.max(1)))
        });
        let lasted = if lasted > PACKET_MAX { PACKET } else { lasted };
        self.timestamp = Some(timestamp);
        if level_dbov >= LOUD_DBOV {
            self.loud += lasted;
            self.sum += linear(level_dbov) * lasted.as_secs_f32();
        }
    }

    /// Speech and mean level since the last call.
    pub(crate) fn take(&mut self) -> Measure {
        let level = if self.loud.is_zero() { 0.0 } else { self.sum / self.loud.as_secs_f32() };
        let measure = Measure { loud: self.loud, level };
        *self = Self { timestamp: self.timestamp, ..Self::default() };
        measure
    }
}

/// What an interval held.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Measure {
    loud: Duration,
    level: f32,
}

impl Measure {
    /// The louder of two tracks of one participant.
    pub(crate) fn max(self, other: Self) -> Self {
        if other.loud > self.loud { other } else { self }
    }
}

/// 0 dBov → 1.0, -20 dBov → 0.1. Positive values are not valid and count as 0.
fn linear(level_dbov: i8) -> f32 {
    10f32.powf(f32::from(level_dbov.min(0)) / 20.0)
}

/// State of one participant.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Speech {
    active: bool,
    quiet: u8,
    /// Loud in the interval before.
    recent: Duration,
    level: f32,
    told: f32,
}

impl Speech {
    /// The microphone was switched off: no need to wait for the silence.
    pub(crate) fn hush(&mut self) {
        self.quiet = QUIET_INTERVALS;
        self.recent = Duration::ZERO;
    }

    /// Judges an interval; returns what is to be told, if it changed noticeably.
    pub(crate) fn update(&mut self, participant: ParticipantKey, measure: Measure) -> Option<Speaker> {
        let before = self.active;
        self.quiet = if measure.loud >= GO_ON { 0 } else { self.quiet.saturating_add(1) };
        let starts = self.quiet == 0 && self.recent + measure.loud >= START;
        self.recent = measure.loud;
        self.active = if self.active { self.quiet < QUIET_INTERVALS } else { starts };
        if !self.active {
            self.level = 0.0;
        } else if self.quiet == 0 {
            let weight = if before { WEIGHT } else { 1.0 };
            self.level += weight * (measure.level - self.level);
        }
        let told = if self.active { (self.level * STEPS).ceil() / STEPS } else { 0.0 };
        if self.active == before && told == self.told {
            return None;
        }
        self.told = told;
        Some(Speaker { participant, level: told, active: self.active })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const WHO: ParticipantKey = ParticipantKey(1);

    fn interval(loudness: &mut Loudness, clock: &mut u32, level: i8, packets: u32) -> Measure {
        for _ in 0..packets {
            *clock = clock.wrapping_add(960);
            loudness.add(level, *clock, 48_000);
        }
        loudness.take()
    }

    #[test]
    fn speaks_by_level_and_duration() {
        let (mut loudness, mut clock) = (Loudness::default(), 0);
        let mut speech = Speech::default();
        let click = interval(&mut loudness, &mut clock, -10, 2);
        assert_eq!(speech.update(WHO, click), None, "a click is not speech");
        let murmur = interval(&mut loudness, &mut clock, -60, 20);
        assert_eq!(speech.update(WHO, murmur), None);
        let talk = interval(&mut loudness, &mut clock, -20, 20);
        let told = speech.update(WHO, talk).unwrap();
        assert!(told.active && told.level > 0.0 && told.level <= 0.25);
    }

    #[test]
    fn pauses_between_words_do_not_flicker() {
        let (mut loudness, mut clock) = (Loudness::default(), 0);
        let mut speech = Speech::default();
        let talk = interval(&mut loudness, &mut clock, -20, 20);
        assert!(speech.update(WHO, talk).is_some());
        assert_eq!(speech.update(WHO, Measure::default()), None);
        assert_eq!(speech.update(WHO, Measure::default()), None);
        assert_eq!(speech.update(WHO, talk), None, "still the same speaker");
        speech.update(WHO, Measure::default());
        speech.update(WHO, Measure::default());
        let told = speech.update(WHO, Measure::default()).unwrap();
        assert!(!told.active && told.level == 0.0);
        assert_eq!(speech.update(WHO, Measure::default()), None);
    }

    #[test]
    fn silence_that_is_not_sent_does_not_count_as_a_long_packet() {
        let mut loudness = Loudness::default();
        loudness.add(-20, 0, 48_000);
        loudness.add(-20, 48_000 * 10, 48_000);
        assert_eq!(loudness.take().loud, 2 * PACKET);
        loudness.add(-20, 5, 0);
        assert!(loudness.take().loud <= PACKET_MAX);
    }
}
