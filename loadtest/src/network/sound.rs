//! Would a listener have heard the sound without a break?
//!
//! A jitter buffer of the kind WebRTC's NetEQ has is run over the arrivals, after the fact and without a clock:
//! - the target delay is the 95th percentile of the largest relative delay in each half second, in a histogram that
//!   forgets with a factor of 0.983, as NetEQ's delay manager does by default (NetEQ has a second optimiser for
//!   reordered packets; here they count like all others, which serves the same end);
//! - above the target, sound is played up to 20 % faster, below it up to 15 % slower;
//! - what has not come is concealed; a packet that comes while its place is being concealed is still played, one
//!   that comes later is not; a gap is jumped when it has been concealed for its length, or when what follows it
//!   fills the buffer to its target.
//!
//! An **interruption** is concealment of more than 150 ms in a row, which is what `interruptionCount` of WebRTC's
//! statistics counts. Time within an outage of the network is not counted.

use std::{collections::BTreeSet, ops::Range, time::Duration};

use super::delays::Delays;

/// Concealment longer than this is an interruption.
pub const INTERRUPTION: Duration = Duration::from_millis(150);
/// The buffer learns the network for so long before it is judged.
pub const WARM_UP: Duration = Duration::from_secs(3);
/// What one packet holds.
const PACKET_MS: f64 = 20.0;
const TICK_MS: f64 = 10.0;
const TARGET_START_MS: f64 = 80.0;
const FASTER: f64 = 1.2;
const SLOWER: f64 = 0.85;
/// Weight of the buffer's present level in its filtered one, per tick.
const LEVEL_WEIGHT: f64 = 0.03;

/// What was heard.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
pub struct Sound {
    pub packets: usize,
    /// Came after their place had been played.
    pub late: usize,
    /// Concealed outside outages, share of the time.
    pub concealed_share: f64,
    /// Interruptions outside outages: when they began and how long they were, in seconds since the start.
    pub interruptions: Vec<(f64, f64)>,
    /// The longest concealment outside outages.
    pub longest_concealed_ms: f64,
    /// Mean time from the arrival of the fastest packets to playing.
    pub delay_ms: f64,
}

/// Packets of 20 ms in order of arrival: (sequence number, time since the start).
#[derive(Clone, Debug, Default)]
pub struct Arrivals {
    packets: Vec<(u64, Duration)>,
}

#[derive(Debug)]
struct Player {
    delays: Delays,
    waiting: BTreeSet<u64>,
    /// Media time played next, counted from the first packet.
    playhead_ms: f64,
    level_ms: f64,
    /// How long the present gap has been concealed.
    concealed_ms: f64,
    late: usize,
}

impl Arrivals {
    pub fn push(&mut self, sequence: u64, at: Duration) {
        self.packets.push((sequence, at));
    }

    /// Plays everything from `from` to `until`; `outages` excuse. What comes before `from` only teaches the buffer.
    pub fn play(&self, from: Duration, until: Duration, outages: &[Range<Duration>]) -> Sound {
        let mut sound = Sound { packets: self.packets.len(), ..Sound::default() };
        let Some(&(first, first_at)) = self.packets.first() else {
            let whole = (until.saturating_sub(from)).as_secs_f64();
            sound.interruptions.push((from.as_secs_f64(), whole));
            sound.longest_concealed_ms = whole * 1_000.0;
            sound.concealed_share = 1.0;
            return sound;
        };
        // Packets overtaken by the first one heard have no place; numbers begin a little before it.
        let base = first.saturating_sub(16);
        let mut player = Player::new((first - base) as f64 * PACKET_MS);
        let mut next = 0;
        let mut now_ms = first_at.as_secs_f64() * 1_000.0;
        let mut run = Run::default();
        let (mut ticks, mut concealed, mut delay) = (0_usize, 0_usize, 0.0);
        while now_ms < until.as_secs_f64() * 1_000.0 {
            while let Some((sequence, at)) = self.packets.get(next)
                && at.as_secs_f64() * 1_000.0 <= now_ms
            {
                player.insert(sequence.saturating_sub(base), at.as_secs_f64() * 1_000.0);
                next += 1;
            }
            let played = player.tick();
            let now = Duration::from_secs_f64(now_ms / 1_000.0);
            if now >= from && !outages.iter().any(|outage| outage.contains(&now)) {
                ticks += 1;
                concealed += usize::from(!played);
                delay += player.level_ms;
                run.tick(played, now, &mut sound);
            } else if played {
                run = Run::default();
            }
            now_ms += TICK_MS;
        }
        run.close(&mut sound);
        sound.late = player.late;
        sound.concealed_share = concealed as f64 / ticks.max(1) as f64;
        sound.delay_ms = delay / ticks.max(1) as f64;
        sound
    }
}

/// Concealment in a row, outages left out.
#[derive(Debug, Default)]
struct Run {
    began: Option<Duration>,
    ms: f64,
}

impl Run {
    fn tick(&mut self, played: bool, now: Duration, sound: &mut Sound) {
        if played {
            self.close(sound);
        } else {
            self.began.get_or_insert(now);
            self.ms += TICK_MS;
        }
    }

    fn close(&mut self, sound: &mut Sound) {
        let run = std::mem::take(self);
        sound.longest_concealed_ms = sound.longest_concealed_ms.max(run.ms);
        if let Some(began) = run.began
            && run.ms > INTERRUPTION.as_secs_f64() * 1_000.0
        {
            sound.interruptions.push((began.as_secs_f64(), run.ms / 1_000.0));
        }
    }
}

impl Player {
    fn new(playhead_ms: f64) -> Self {
        let delays = Delays::new(TARGET_START_MS);
        Self { delays, waiting: BTreeSet::new(), playhead_ms, level_ms: 0.0, concealed_ms: 0.0, late: 0 }
    }

    fn insert(&mut self, sequence: u64, at_ms: f64) {
        self.delays.add(sequence as f64 * PACKET_MS, at_ms);
        if sequence < self.wanted() {
            self.late += 1;
        } else {
            self.waiting.insert(sequence);
        }
    }

    fn wanted(&self) -> u64 {
        (self.playhead_ms / PACKET_MS) as u64
    }

    /// Plays 10 ms; false when they are concealed.
    fn tick(&mut self) -> bool {
        let newest = self.waiting.last().map(|newest| (*newest + 1) as f64 * PACKET_MS);
        let level = newest.map_or(0.0, |newest| (newest - self.playhead_ms).max(0.0));
        self.level_ms += LEVEL_WEIGHT * (level - self.level_ms);
        if !self.waiting.contains(&self.wanted()) && !self.jump(level) {
            self.concealed_ms += TICK_MS;
            return false;
        }
        self.concealed_ms = 0.0;
        let target = self.delays.target_ms();
        let low = (target * 0.75).max(target - 85.0);
        let speed = if self.level_ms.min(level) > target.max(low + PACKET_MS) {
            FASTER
        } else if self.level_ms < low {
            SLOWER
        } else {
            1.0
        };
        self.playhead_ms += TICK_MS * speed;
        let wanted = self.wanted();
        self.waiting = self.waiting.split_off(&wanted);
        true
    }

    /// Goes on behind a gap, if it is time.
    fn jump(&mut self, level: f64) -> bool {
        let Some(next) = self.waiting.first() else { return false };
        let next_ms = *next as f64 * PACKET_MS;
        let through = self.concealed_ms >= next_ms - self.playhead_ms;
        if through || level >= self.delays.target_ms() + PACKET_MS {
            self.playhead_ms = next_ms;
            return true;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// Thirty seconds; `arrival` says when a packet comes, in ms after it was sent.
    fn play(arrival: impl Fn(u64) -> Option<u64>, outages: &[Range<Duration>]) -> Sound {
        let mut packets: Vec<_> =
            (0..1_500).filter_map(|n| Some((n, ms(n * 20 + 100 + arrival(n)?)))).collect();
        packets.sort_by_key(|(_, at)| *at);
        Arrivals { packets }.play(ms(500), ms(30_000), outages)
    }

    #[test]
    fn a_steady_stream_is_played_without_concealment() {
        let sound = play(|_| Some(0), &[]);
        assert_eq!((sound.late, sound.concealed_share), (0, 0.0));
        assert!(sound.delay_ms < 60.0, "{}", sound.delay_ms);
    }

    #[test]
    fn single_losses_are_concealed_and_no_interruption() {
        let sound = play(|n| (n % 10 != 3).then_some(0), &[]);
        assert!(sound.interruptions.is_empty());
        assert!(sound.concealed_share > 0.05 && sound.concealed_share < 0.15, "{}", sound.concealed_share);
    }

    #[test]
    fn a_gap_is_an_interruption_unless_the_network_was_out() {
        let gap = |n: u64| (!(500..515).contains(&n)).then_some(0);
        let sound = play(gap, &[]);
        assert_eq!(sound.interruptions.len(), 1);
        let (began, length) = sound.interruptions[0];
        assert!((10.0..10.3).contains(&began), "{began}");
        assert!((0.2..=0.3).contains(&length), "{length}");
        assert!(play(gap, &[ms(10_000)..ms(10_400)]).interruptions.is_empty());
        assert!(play(|n| (!(500..506).contains(&n)).then_some(0), &[]).interruptions.is_empty());
    }

    #[test]
    fn jitter_is_learned() {
        let stalls = |n: u64| Some(if n % 25 < 10 { (10 - n % 25) * 20 } else { 0 });
        let sound = play(stalls, &[]);
        assert!(sound.interruptions.iter().all(|(began, _)| *began < 3.0), "{:?}", sound.interruptions);
        assert!(sound.delay_ms > 100.0, "{}", sound.delay_ms);
    }

    #[test]
    fn what_is_resent_in_time_is_played() {
        let resent = |n: u64| Some(if n.is_multiple_of(7) { 120 } else { 0 });
        let sound = play(resent, &[]);
        assert!(sound.concealed_share < 0.02, "{}", sound.concealed_share);
    }

    #[test]
    fn silence_from_the_start_is_one_interruption() {
        let sound = Arrivals::default().play(ms(1_000), ms(5_000), &[]);
        assert_eq!(sound.interruptions, [(1.0, 4.0)]);
    }

    #[test]
    fn sound_that_ends_is_interrupted() {
        let sound = play(|n| (n < 1_000).then_some(0), &[]);
        assert_eq!(sound.interruptions.len(), 1);
        assert!(sound.interruptions[0].1 > 9.0);
    }
}
