//! Twelve networks that people have.
//!
//! Each is a person's own connection: both directions of the way between that person and the server. Everybody else
//! in the room has a perfect one. Rates are of the bottleneck, headers included; queues are drop tail.

use std::{ops::Range, time::Duration};

use super::{Conditions, Loss, Schedule, picture::Best};
use crate::source::{AudioSource, AudioSpec, VideoSpec};

/// One named network.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub name: &'static str,
    pub about: &'static str,
    pub seed: u64,
    /// For how long it runs.
    pub length: Duration,
    /// From the server.
    pub down: Schedule,
    /// To the server.
    pub up: Schedule,
}

/// Bits per second on the wire, headers included, of what is published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rates {
    pub audio_bps: u64,
    /// Lowest layer with the temporal base alone.
    pub base_bps: u64,
    /// Each spatial layer with all its temporal layers, lowest first.
    pub layers_bps: Vec<u64>,
}

/// RTP header with extensions, SRTP tag, UDP and IPv4 headers of a packet.
const OVERHEAD_BYTES: u64 = 64;
/// Share of a layer's bits and of its frames in the temporal base of three temporal layers (L1T3), in percent.
const BASE_BITS_PERCENT: u64 = 38;
const BASE_FRAMES_PERCENT: u64 = 25;

impl Rates {
    /// What such sources put on the wire.
    pub fn of(video: &VideoSpec, audio: &AudioSpec) -> Self {
        let overhead = |packets_per_second: u64| packets_per_second * OVERHEAD_BYTES * 8;
        let fps = u64::from(video.fps);
        let wire = |payload_bps: u64, fps: u64| {
            // A frame's last packet is not full.
            let full = payload_bps / 8 / (video.payload_bytes as u64).max(1);
            payload_bps + overhead(full + fps / 2).max(overhead(fps))
        };
        let audio_packets = 1_000 / u64::try_from(AudioSource::INTERVAL.as_millis()).unwrap_or(20);
        let lowest = video.layers.first().map_or(0, |layer| layer.bitrate);
        Self {
            audio_bps: audio_packets * audio.payload_bytes as u64 * 8 + overhead(audio_packets),
            base_bps: wire(lowest * BASE_BITS_PERCENT / 100, fps * BASE_FRAMES_PERCENT / 100),
            layers_bps: video.layers.iter().map(|layer| wire(layer.bitrate, fps)).collect(),
        }
    }
}

/// Room to spare that a layer needs to count as fitting (docs/allocation.md: hysteresis), in percent of its rate.
const SPARE_PERCENT: u64 = 15;
/// Share of a bottleneck that can be used without a standing queue, in percent.
const USABLE_PERCENT: u64 = 95;
/// How long each of them runs.
pub const LENGTH: Duration = Duration::from_secs(60);

/// All, from good to bad.
pub fn all() -> Vec<Scenario> {
    let mut all = steady();
    all.extend(changing());
    for (scenario, seed) in all.iter_mut().zip(1_u64..) {
        scenario.seed = seed;
    }
    all
}

fn scenario(name: &'static str, about: &'static str, down: Schedule, up: Schedule) -> Scenario {
    Scenario { name, about, seed: 0, length: LENGTH, down, up }
}

/// Those whose conditions stay what they are.
fn steady() -> Vec<Scenario> {
    let path = Conditions::default;
    let both = |conditions: Conditions| (Schedule::steady(conditions), Schedule::steady(conditions));
    let mut all = Vec::new();
    let mut add = |name, about, (down, up)| all.push(scenario(name, about, down, up));
    let wifi = path().rate_kbps(40_000).queue_ms(100).delay_ms(8).jitter_ms(10, 20);
    add(
        "good-wifi",
        "40 Mbit/s, 8 ms, jitter 10 ms, loss 0.1 %",
        both(wifi.loss(Loss::Random { share: 0.001 })),
    );
    let dsl = path().rate_kbps(6_000).queue_ms(200).delay_ms(20).jitter_ms(5, 20);
    add(
        "dsl",
        "6,000 kbit/s down, 700 up, 20 ms, loss 0.1 %",
        (
            Schedule::steady(dsl.loss(Loss::Random { share: 0.001 })),
            Schedule::steady(dsl.rate_kbps(700).queue_ms(400)),
        ),
    );
    let congested = path().rate_kbps(4_000).queue_ms(150).delay_ms(10).jitter_ms(300, 60);
    add(
        "congested-wifi",
        "4,000 kbit/s, 10 ms, stalls up to 300 ms, loss 2 % in bursts of 3",
        both(congested.loss(Loss::bursts(0.02, 3.0))),
    );
    let hotel = path().rate_kbps(1_000).queue_ms(300).delay_ms(60).jitter_ms(40, 40);
    add(
        "hotel",
        "1,000 kbit/s, 60 ms, jitter 40 ms, loss 1 %",
        both(hotel.loss(Loss::Random { share: 0.01 })),
    );
    let bloated = path().rate_kbps(1_200).queue_bytes(256 * 1024).delay_ms(20);
    add("bufferbloat", "1,200 kbit/s with 256 KiB (1.7 s) of queue, 20 ms", both(bloated));
    let satellite = path().rate_kbps(8_000).queue_ms(300).delay_ms(150).jitter_ms(20, 50);
    add(
        "satellite",
        "8,000 kbit/s, 150 ms, jitter 20 ms, loss 0.5 %",
        both(satellite.loss(Loss::Random { share: 0.005 })),
    );
    let lossy = path().rate_kbps(5_000).queue_ms(200).delay_ms(30).jitter_ms(10, 20);
    add("lossy", "5,000 kbit/s, 30 ms, loss 20 % in bursts of 3", both(lossy.loss(Loss::bursts(0.2, 3.0))));
    let reordered = path().rate_kbps(5_000).queue_ms(200).delay_ms(30);
    add("reorder", "5,000 kbit/s, 30 ms, 5 % held back by 40 ms", both(reordered.reorder(0.05, 40)));
    all
}

/// Those that change.
fn changing() -> Vec<Scenario> {
    let path = Conditions::default;
    let cell = path().rate_kbps(8_000).queue_ms(300).delay_ms(35).jitter_ms(60, 40);
    let cell = cell.loss(Loss::bursts(0.005, 2.0));
    let cellular = Schedule::steady(cell).then(15.0, cell.rate_kbps(1_200)).then(35.0, cell.rate_kbps(5_000));
    let step = path().rate_kbps(2_500).queue_ms(300).delay_ms(30);
    let steps = Schedule::steady(step).then(15.0, step.rate_kbps(150)).then(35.0, step.rate_kbps(1_000));
    let base = path().rate_kbps(4_000).queue_ms(200).delay_ms(25);
    let outage = Schedule::steady(base).outage(25.0, 3.0);
    let rail = path().rate_kbps(5_000).queue_ms(300).delay_ms(50).jitter_ms(120, 80);
    let rail = rail.loss(Loss::bursts(0.02, 3.0));
    let train = Schedule::steady(rail)
        .then(12.0, rail.rate_kbps(1_200))
        .outage(24.0, 2.0)
        .then(34.0, rail.rate_kbps(300))
        .then(46.0, rail.rate_kbps(4_000))
        .outage(55.0, 0.8);
    // A radio's uplink is narrower, and steps with it.
    let steady_up = |conditions: Conditions, kbps| Schedule::steady(conditions.rate_kbps(kbps));
    vec![
        scenario(
            "4g",
            "8,000, at 15 s 1,200, at 35 s 5,000 kbit/s; 35 ms, jitter 60 ms, loss 0.5 % in pairs",
            cellular,
            steady_up(cell, 3_000),
        ),
        scenario(
            "rate-steps",
            "2,500, at 15 s 150, at 35 s 1,000 kbit/s; 30 ms, 300 ms of queue",
            steps,
            steady_up(step, 2_500),
        ),
        scenario("outage", "4,000 kbit/s, 25 ms; nothing passes for 3 s at 25 s", outage.clone(), outage),
        scenario(
            "train",
            "5,000, 1,200, 300, 4,000 kbit/s; outages of 2 and 0.8 s; 50 ms, jitter 120 ms, loss 2 % in bursts of 3",
            train.clone(),
            Schedule::steady(rail.rate_kbps(2_000)).outage(24.0, 2.0).outage(55.0, 0.8),
        ),
    ]
}

impl Scenario {
    pub fn named(name: &str) -> Option<Self> {
        all().into_iter().find(|scenario| scenario.name == name)
    }

    /// The best layer that fits, over time. Resent packets need room as well.
    pub fn best(&self, rates: &Rates) -> Vec<Best> {
        let mut best: Vec<Best> = Vec::new();
        for (from, conditions) in self.down.steps() {
            let layer = conditions.up.then(|| best_layer(conditions, rates)).flatten();
            if best.last().is_none_or(|(_, before)| *before != layer) {
                best.push((*from, layer));
            }
        }
        best
    }

    /// When nothing passes, with the time that packets then need to come through.
    pub fn outages(&self) -> Vec<Range<Duration>> {
        let mut outages: Vec<Range<Duration>> = Vec::new();
        for schedule in [&self.down, &self.up] {
            for (from, conditions) in schedule.steps().iter().filter(|(_, conditions)| !conditions.up) {
                let end = schedule.next_after(*from).unwrap_or(self.length);
                let jitter = conditions.jitter.map_or(Duration::ZERO, |jitter| jitter.up_to);
                outages.push(*from..end + conditions.delay + jitter);
            }
        }
        outages
    }
}

/// `None`: not even the temporal base of the lowest layer fits.
fn best_layer(conditions: &Conditions, rates: &Rates) -> Option<u8> {
    let usable = conditions.rate_bps.unwrap_or(u64::MAX / 200) * USABLE_PERCENT / 100;
    let lost = match conditions.loss {
        Loss::None => 0.0,
        Loss::Random { share } => share,
        Loss::GilbertElliott { to_bad, to_good, lost_in_bad } => {
            lost_in_bad * to_bad / (to_bad + to_good).max(f64::EPSILON)
        }
    };
    let fits = |bps: u64| {
        let with_resent = (bps as f64 / (1.0 - lost)) as u64;
        with_resent * (100 + SPARE_PERCENT) / 100 + rates.audio_bps <= usable
    };
    let highest = rates.layers_bps.iter().rposition(|bps| fits(*bps));
    let highest = highest.or_else(|| fits(rates.base_bps).then_some(0))?;
    u8::try_from(highest).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn rates(scale: f64) -> Rates {
        let rates = Rates::of(&VideoSpec::camera(), &AudioSpec::default());
        let scaled = |bps: u64| (bps as f64 * scale) as u64;
        Rates {
            audio_bps: scaled(rates.audio_bps),
            base_bps: scaled(rates.base_bps),
            layers_bps: rates.layers_bps.into_iter().map(scaled).collect(),
        }
    }

    #[test]
    fn twelve_with_names_and_seeds_of_their_own() {
        let all = all();
        assert_eq!(all.len(), 12);
        let mut names: Vec<_> = all.iter().map(|scenario| scenario.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 12);
        assert_eq!(Scenario::named("train").unwrap().seed, 12);
        assert!(Scenario::named("moon").is_none());
    }

    #[test]
    fn the_best_layer_follows_the_rate() {
        let best = |name| Scenario::named(name).unwrap().best(&rates(1.0));
        let at = |seconds| Duration::from_secs(seconds);
        assert_eq!(best("rate-steps"), [(at(0), Some(2)), (at(15), Some(0)), (at(35), Some(1))]);
        assert_eq!(best("outage"), [(at(0), Some(2)), (at(25), None), (at(28), Some(2))]);
        assert_eq!(best("hotel"), [(at(0), Some(1))]);
        assert_eq!(best("lossy"), [(at(0), Some(2))]);
    }

    #[test]
    fn no_scenario_sits_on_an_edge() {
        for scenario in all() {
            let best = scenario.best(&rates(1.0));
            for scale in [0.95, 1.05] {
                assert_eq!(scenario.best(&rates(scale)), best, "{}", scenario.name);
            }
        }
    }

    #[test]
    fn outages_count_until_packets_can_have_come() {
        let outages = Scenario::named("outage").unwrap().outages();
        assert_eq!(outages[0], Duration::from_secs(25)..Duration::from_millis(28_025));
        assert!(Scenario::named("dsl").unwrap().outages().is_empty());
    }
}
