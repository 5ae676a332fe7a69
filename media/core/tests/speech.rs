//! Speakers and sound by traces: what microphones pick up, in levels and durations.
#![allow(clippy::unwrap_used)]

mod support;

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use parley_media_core::{
    ConnectionQuality, Forward, LinkStats, Output, ParticipantKey, Room, RtpIn, SlotKey, SlotSettings,
    Spatial, TrackKey,
};
use support::{Rng, Scene, microphone, start};

const FRAME_MS: u64 = 20;
/// With DTX a packet of comfort noise comes this often (RFC 7587, section 3.1.3).
const COMFORT_MS: u64 = 400;
/// Levels below this are silence for an encoder.
const SILENCE_DBOV: i8 = -70;

/// Level and duration in milliseconds.
type Trace = Vec<(i8, u64)>;

fn level(trace: &Trace, at_ms: u64) -> i8 {
    let mut end = 0;
    for (level, lasts) in trace {
        end += lasts;
        if at_ms < end {
            return *level;
        }
    }
    -127
}

/// Syllables of about 180 ms with gaps of 60 ms, a breath of 300 to 700 ms every two to four seconds.
fn speech(seed: u64, level: i8, millis: u64) -> Trace {
    let mut rng = Rng::new(seed);
    let mut trace = Trace::new();
    let (mut at, mut breath) = (0, 2_000 + rng.below(2_000));
    while at < millis {
        let (syllable, gap) = (120 + rng.below(120), 40 + rng.below(40));
        let gap = if at >= breath { 300 + rng.below(400) } else { gap };
        if at >= breath {
            breath = at + gap + 2_000 + rng.below(2_000);
        }
        trace.push((level + rng.below(10) as i8 - 5, syllable));
        trace.push((-62, gap));
        at += syllable + gap;
    }
    trace
}

fn quiet(millis: u64) -> Trace {
    vec![(-65, millis)]
}

/// A room in which each participant has a microphone (of the same number) and the last hears all others.
struct Traces {
    room: Room,
    start: Instant,
    at_ms: u64,
    sequences: Vec<u64>,
    /// When (ms), who, and whether active.
    told: Vec<(u64, u64, bool)>,
    forwards: Vec<(u64, u64, Forward)>,
}

impl Traces {
    fn new(people: usize, voices: usize) -> Self {
        let start = start();
        let mut room = Room::new();
        room.set_voices(voices);
        let listener = people as u64;
        for person in 0..=people as u64 {
            room.add_participant(ParticipantKey(person), start);
        }
        for person in 0..people as u64 {
            room.add_track(microphone(person, person), start);
            let slot = SlotKey(person as u32);
            room.add_slot(slot, ParticipantKey(listener));
            room.attach(slot, TrackKey(person), SlotSettings::default(), start);
        }
        let sequences = vec![100; people];
        Self { room, start, at_ms: 0, sequences, told: Vec::new(), forwards: Vec::new() }
    }

    /// All microphones at once, for as long as the longest trace.
    fn play(&mut self, traces: &[Trace], dtx: bool) {
        let length = traces.iter().map(|trace| trace.iter().map(|(_, lasts)| lasts).sum()).max().unwrap();
        for passed in (0..length).step_by(FRAME_MS as usize) {
            let now = self.start + Duration::from_millis(self.at_ms);
            for (person, trace) in traces.iter().enumerate() {
                let level = level(trace, passed);
                let comfort = dtx && level < SILENCE_DBOV;
                if comfort && passed % COMFORT_MS > 0 {
                    continue;
                }
                self.sequences[person] += 1;
                let payload = [0x78; 80];
                let packet = RtpIn {
                    track: TrackKey(person as u64),
                    spatial: Spatial(0),
                    sequence: self.sequences[person],
                    timestamp: (self.at_ms * 48) as u32,
                    marker: false,
                    audio_level_dbov: Some(level),
                    voice_activity: None,
                    dependency_descriptor: None,
                    sender_report: None,
                    payload: if comfort { &payload[..3] } else { &payload },
                };
                let mut out = Vec::new();
                self.room.handle_rtp(&packet, now, &mut out);
                self.forwards.extend(out.into_iter().map(|forward| (self.at_ms, person as u64, forward)));
            }
            while self.room.poll_timeout().is_some_and(|(due, _)| due <= now) {
                self.room.handle_timeout(now);
            }
            while let Some(output) = self.room.poll_output() {
                let Output::Speakers(list) = output else { continue };
                let told = list.iter().map(|speaker| (self.at_ms, speaker.participant.0, speaker.active));
                self.told.extend(told);
            }
            self.at_ms += FRAME_MS;
        }
    }

    /// Times at which somebody became a speaker or ceased to be one.
    fn changes(&self, person: u64) -> Vec<(u64, bool)> {
        let mut changes: Vec<(u64, bool)> = Vec::new();
        for (at, _, active) in self.told.iter().filter(|(_, who, _)| *who == person) {
            if changes.last().map_or(*active, |(_, before)| before != active) {
                changes.push((*at, *active));
            }
        }
        changes
    }
}

#[test]
fn who_talks_is_one_speaker_from_the_first_second_to_the_end() {
    for seed in 0..20 {
        let mut traces = Traces::new(2, 10);
        traces.play(&[speech(seed, -25, 20_000), quiet(20_000)], false);
        traces.play(&[quiet(3_000), quiet(3_000)], false);
        let changes = traces.changes(0);
        assert_eq!(changes.len(), 2, "seed {seed}: {changes:?}");
        assert!(changes[0].0 <= 1_200, "seed {seed}: {changes:?}");
        assert!((20_000..22_500).contains(&changes[1].0), "seed {seed}: {changes:?}");
        assert_eq!(traces.changes(1), []);
    }
}

#[test]
fn two_who_talk_over_each_other_are_both_speakers() {
    for seed in 0..20 {
        let mut traces = Traces::new(3, 10);
        let mut second = quiet(4_000);
        second.extend(speech(seed + 100, -30, 8_000));
        traces.play(&[speech(seed, -22, 15_000), second, quiet(15_000)], false);
        traces.play(&[quiet(3_000), quiet(3_000), quiet(3_000)], false);
        let (first, second) = (traces.changes(0), traces.changes(1));
        assert_eq!((first.len(), second.len()), (2, 2), "seed {seed}: {first:?} {second:?}");
        assert!((4_000..5_300).contains(&second[0].0), "seed {seed}: {second:?}");
        assert!(second[1].0 < first[1].0);
    }
}

#[test]
fn coughs_doors_and_keys_make_nobody_a_speaker() {
    let mut trace = Trace::new();
    for noise in 0..20u64 {
        trace.push((-12, 60 + noise * 16));
        trace.push((-60, 1_700));
    }
    // Keys: 40 ms each, four a second.
    for _ in 0..40 {
        trace.extend([(-20, 40), (-60, 210)]);
    }
    let mut traces = Traces::new(2, 10);
    traces.play(&[trace, quiet(1_000)], false);
    assert_eq!(traces.told, []);
}

#[test]
fn silence_that_is_not_sent_neither_flickers_nor_counts_as_loss() {
    let mut traces = Traces::new(2, 10);
    let mut trace = Trace::new();
    for _ in 0..8 {
        trace.extend(speech(7, -25, 1_500));
        // Two packets of comfort noise, nothing in between.
        trace.push((-100, 800));
    }
    traces.play(&[trace, vec![(-100, 1_000)]], true);
    traces.play(&[vec![(-100, 4_000)], vec![(-100, 4_000)]], true);
    let changes = traces.changes(0);
    assert_eq!(changes.len(), 2, "{changes:?}");
    let forwards: Vec<_> = traces.forwards.iter().filter(|(_, person, _)| *person == 0).collect();
    let mut gaps = 0;
    for pair in forwards.windows(2) {
        let (before, after) = (&pair[0], &pair[1]);
        assert_eq!(after.2.sequence, before.2.sequence + 1, "nothing was lost");
        let passed = after.0 - before.0;
        assert_eq!(u64::from(after.2.timestamp.wrapping_sub(before.2.timestamp)), passed * 48);
        gaps += u32::from(passed > 200);
    }
    assert!(gaps >= 10, "{gaps}");
}

#[test]
fn pauses_of_sound_do_not_lower_the_quality() {
    let mut scene = Scene::new(2);
    scene.publish(microphone(1, 1), false);
    scene.publisher(1).dtx = true;
    scene.publisher(1).level = -25;
    scene.watch(1, 2, 1, SlotSettings::default());
    scene.estimate(2, 1_000_000);
    for _ in 0..20 {
        for person in 1..=2 {
            scene.room.handle_link_stats(ParticipantKey(person), LinkStats::default(), scene.now);
        }
        let happened = scene.run(2_000);
        for output in &happened.outputs {
            if let Output::Quality { quality, score, .. } = output {
                assert_eq!(*quality, ConnectionQuality::Excellent, "{score}");
            }
        }
    }
}

#[test]
fn of_sixty_microphones_the_talkers_are_heard_within_a_moment_and_never_more_than_the_seats() {
    const PEOPLE: usize = 60;
    const VOICES: usize = 4;
    let mut traces = Traces::new(PEOPLE, VOICES);
    // All are heard one after the other, two at a time, in turns of three seconds.
    for turn in 0..10usize {
        let talkers = [turn * 7 % PEOPLE, (turn * 13 + 5) % PEOPLE];
        let all: Vec<_> = (0..PEOPLE)
            .map(|person| match talkers.contains(&person) {
                true => speech((turn * PEOPLE + person) as u64, -25, 3_000),
                false => quiet(3_000),
            })
            .collect();
        let (from, began) = (traces.forwards.len(), traces.at_ms);
        traces.play(&all, false);
        let heard = &traces.forwards[from..];
        for talker in talkers {
            let first = heard.iter().find(|(_, person, _)| *person == talker as u64).unwrap();
            assert!(first.0 - began <= 100, "turn {turn}: {talker} heard at {}", first.0 - began);
            let packets = heard.iter().filter(|(_, person, _)| *person == talker as u64).count();
            assert!(packets >= 140, "turn {turn}: {packets} packets of {talker}");
        }
        for at in (began..traces.at_ms).step_by(FRAME_MS as usize) {
            let now = heard.iter().filter(|(when, _, _)| *when == at).map(|(_, person, _)| *person);
            let now: BTreeSet<_> = now.collect();
            // A seat may be handed over in the middle of a round.
            let most = if at - began <= 200 { VOICES + talkers.len() } else { VOICES };
            assert!(now.len() <= most, "turn {turn}: {now:?} at once after {} ms", at - began);
        }
    }
    // What was withheld leaves no gap in the numbers; who comes back begins with the marker.
    for person in 0..PEOPLE as u64 {
        let own: Vec<_> = traces.forwards.iter().filter(|(_, who, _)| *who == person).collect();
        for pair in own.windows(2) {
            assert_eq!(pair[1].2.sequence, pair[0].2.sequence + 1);
            assert_eq!(pair[1].2.marker, pair[1].0 - pair[0].0 > FRAME_MS);
        }
    }
}
