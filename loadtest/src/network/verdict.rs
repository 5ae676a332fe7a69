//! What a scenario is judged by, and what came out.

use std::time::Duration;

use serde::Serialize;

use super::{
    Passed, Scenario,
    decoder::Decoder,
    picture::{self, Picture},
    scenarios::Rates,
    sound::{self, Sound},
};

/// What the two people of one scenario got, on the clock of the network.
#[derive(Debug, Default)]
pub struct Recording {
    /// Sound that came to the person on the poor network.
    pub sound_down: sound::Arrivals,
    /// Sound that came from there to the other, if it was sent.
    pub sound_up: Option<sound::Arrivals>,
    /// The other's picture on the poor network.
    pub picture: Decoder,
    /// Messages that told a pause (true) or its end, in seconds.
    pub pauses: Vec<(f64, bool)>,
}

/// One scenario's outcome.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    pub name: &'static str,
    pub about: &'static str,
    pub seed: u64,
    pub seconds: f64,
    pub sound_down: Sound,
    pub sound_up: Option<Sound>,
    pub picture: Picture,
    /// The layer that is best, from which second on (`null`: an outage).
    pub best: Vec<(f64, Option<u8>)>,
    pub pauses: Vec<(f64, bool)>,
    /// What the network did to packets.
    pub network: Passed,
    /// It was repeated because the generator itself had been late.
    pub repeated: bool,
    /// The generator itself was late, so that this says nothing about the server.
    pub generator_late: bool,
    /// Why it did not pass; empty if it did.
    pub failures: Vec<String>,
}

impl Outcome {
    /// Judges a recording in which the picture was subscribed at `begun`.
    pub fn of(
        scenario: &Scenario,
        recording: &Recording,
        rates: &Rates,
        begun: Duration,
        network: Passed,
    ) -> Self {
        let warm = begun + sound::WARM_UP;
        let outages = scenario.outages();
        let best = scenario.best(rates);
        let mut outcome = Self {
            name: scenario.name,
            about: scenario.about,
            seed: scenario.seed,
            seconds: scenario.length.as_secs_f64(),
            sound_down: recording.sound_down.play(warm, scenario.length, &outages),
            sound_up: recording.sound_up.as_ref().map(|sound| sound.play(warm, scenario.length, &outages)),
            picture: picture::judge(recording.picture.shown(), &best, begun, scenario.length),
            best: best.iter().map(|(from, layer)| (from.as_secs_f64(), *layer)).collect(),
            pauses: recording.pauses.clone(),
            network,
            repeated: false,
            generator_late: false,
            failures: Vec::new(),
        };
        outcome.failures = outcome.judge();
        outcome
    }

    pub fn passed(&self) -> bool {
        self.failures.is_empty()
    }

    fn judge(&self) -> Vec<String> {
        let mut failures = Vec::new();
        let ways = [("down", Some(&self.sound_down)), ("up", self.sound_up.as_ref())];
        for (way, sound) in ways.into_iter().filter_map(|(way, sound)| Some((way, sound?))) {
            if let Some((at, length)) = sound.interruptions.first() {
                let count = sound.interruptions.len();
                failures.push(format!(
                    "sound {way} interrupted {count} times, first at {at:.1} s for {:.0} ms",
                    length * 1_000.0
                ));
            }
        }
        let picture = &self.picture;
        let converges = picture::CONVERGENCE.as_secs_f64();
        for (at, layer, took) in &picture.converged {
            let left = self.seconds - at;
            // A change shortly before the end, or before the next one, leaves no time to converge.
            let next = self.best.iter().map(|(from, _)| *from).find(|from| from > at);
            let time = next.map_or(left, |next| next - at);
            if took.is_none() && time > converges {
                failures.push(format!("layer {layer} of {at:.0} s was never reached"));
            }
        }
        if picture.longest_away > converges {
            failures.push(format!("{:.1} s in another layer than the best", picture.longest_away));
        }
        if picture.oscillations > picture::OSCILLATIONS_MAX {
            failures.push(format!("left the best layer {} times", picture.oscillations));
        }
        failures
    }
}

/// The outcomes as a table for people.
pub fn table(outcomes: &[Outcome]) -> String {
    let mut text = format!(
        "{:<15} {:>6} {:>6} {:>7} {:>7} {:>7} {:>6} {:>7} {:>8} {:>7}  {}\n",
        "network", "down", "up", "sound", "layer", "away", "left", "at best", "freezes", "longest", "result"
    );
    for outcome in outcomes {
        let (picture, sound) = (&outcome.picture, &outcome.sound_down);
        let longest = picture.freezes.iter().map(|(_, length)| *length).fold(0.0, f64::max);
        let slowest =
            picture.converged.iter().map(|(_, _, took)| took.unwrap_or(f64::INFINITY)).fold(0.0, f64::max);
        let again = match (outcome.repeated, outcome.generator_late) {
            (false, false) => "",
            (false, true) => " (the generator was late)",
            (true, false) => " (repeated, as the generator was late)",
            (true, true) => " (repeated, and the generator was late again)",
        };
        let result = match outcome.failures.as_slice() {
            [] => format!("passed{again}"),
            failures => format!("FAILED{again}: {}", failures.join("; ")),
        };
        text.push_str(&format!(
            "{:<15} {:>6} {:>6} {:>4.0} ms {:>5.1} s {:>5.1} s {:>6} {:>5.0} % {:>8} {:>5.1} s  {result}\n",
            outcome.name,
            sound.interruptions.len(),
            outcome.sound_up.as_ref().map_or(0, |sound| sound.interruptions.len()),
            sound.longest_concealed_ms,
            slowest,
            picture.longest_away,
            picture.oscillations,
            picture.at_best_share * 100.0,
            picture.freezes.len(),
            longest,
        ));
    }
    text.push_str(
        "down, up: interruptions of sound over 150 ms; sound: longest concealment; layer: slowest way to the best \
         layer;\naway: longest time in another; left: departures from it; freezes: over 500 ms\n",
    );
    text
}
