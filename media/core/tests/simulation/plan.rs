//! What happens in a run: drawn from a seed, kept as data, so that a failing run
//! can be made shorter by leaving actions out. Things are named by a number that
//! picks one of those there are, and what is made is named by its place in the
//! plan: leaving out an action does not rename the rest.

use parley_media_core::{Overload, SlotSettings, Source, Spatial};

use crate::support::{Look, Rng};

/// Picks one of those there are.
pub type Pick = u64;

#[derive(Clone, Copy, Debug)]
pub struct Publish {
    pub source: Source,
    /// Simulcast layers; 0 = sound.
    pub layers: usize,
    pub h264: bool,
    pub temporal: bool,
    pub look: Look,
    /// Rate against what was announced, in percent.
    pub rate_percent: u64,
    pub level: i8,
    pub dtx: bool,
    pub pads: bool,
    /// Stops layers that nobody watches, as told.
    pub obeys: bool,
}

#[derive(Clone, Copy, Debug)]
pub enum Action {
    Join,
    Leave {
        who: Pick,
    },
    Publish {
        by: Pick,
        what: Publish,
    },
    Unpublish {
        track: Pick,
    },
    /// The same track anew: its codec or its layers changed.
    Replace {
        track: Pick,
        what: Publish,
    },
    /// The encoder starts anew on the same streams.
    Restart {
        track: Pick,
    },
    Mute {
        track: Pick,
        muted: bool,
    },
    OpenSlot {
        of: Pick,
        video: bool,
    },
    CloseSlot {
        slot: Pick,
    },
    Show {
        slot: Pick,
        track: Pick,
        settings: SlotSettings,
    },
    Detach {
        slot: Pick,
    },
    Adjust {
        slot: Pick,
        settings: SlotSettings,
    },
    Estimate {
        who: Pick,
        bps: u64,
    },
    /// The receiver cannot decode.
    Refresh {
        slot: Pick,
    },
    Layer {
        track: Pick,
        spatial: Spatial,
        on: bool,
    },
    /// Nothing is sent for a while.
    Idle {
        track: Pick,
        millis: u64,
    },
    /// The whole server stands still; what was sent waits.
    Stall {
        millis: u64,
    },
    /// The server gets short of time, or has more of it again.
    Overload(Overload),
    /// The encoder makes more or less of each picture, in percent of what was announced.
    Rate {
        track: Pick,
        percent: u64,
    },
    /// The receiver takes redundant sound, or no longer.
    Redundant {
        slot: Pick,
        takes: bool,
    },
    /// So much is lost on the way to somebody.
    Loss {
        who: Pick,
        percent: u64,
    },
}

/// The conditions of a run, and what is done in it.
#[derive(Clone, Debug)]
pub struct Plan {
    pub seed: u64,
    /// Loses, reorders and repeats nothing.
    pub lossless: bool,
    /// All cameras and tiles are the same.
    pub level: bool,
    /// Microphones heard at once.
    pub voices: usize,
    /// At the end everybody has bandwidth without limit.
    pub plenty: bool,
    /// At the end layers that were off stay off.
    pub stay_off: bool,
    /// What one track may bring in, bits per second of payload; 0 = no cap.
    pub cap_bps: u64,
    /// At the end all encoders make less of each picture.
    pub lowers_rates: bool,
    /// At the end the server is as short of time as before.
    pub stays_overloaded: bool,
    pub actions: Vec<Planned>,
}

/// An action at its place.
#[derive(Clone, Copy, Debug)]
pub struct Planned {
    /// In steps of the clock.
    pub at: u64,
    /// Names what the action makes.
    pub key: u64,
    pub action: Action,
}

/// Half of the time the server keeps up.
const LEVELS: [Overload; 6] =
    [Overload::None, Overload::None, Overload::None, Overload::Thin, Overload::Few, Overload::SoundOnly];

/// In percent of what was announced: what was cut off then fits, but for the upper layers with the lowest cap.
pub const LOW_RATE: u64 = 30;
pub const WILD_STEPS: u64 = 1600;
/// In so many runs there are more microphones from the beginning than are heard at once.
const CROWD_PERCENT: u64 = 15;
const CROWD: usize = 5;
const ACT_PERCENT: u64 = 6;
/// 0: nothing comes through.
const ESTIMATES: [u64; 10] =
    [0, 20_000, 90_000, 200_000, 400_000, 700_000, 1_200_000, 2_500_000, 5_000_000, 20_000_000];

/// None of the rates that publishers send lies so near to one of them that it could be taken for either side.
const CAPS: [u64; 3] = [320_000, 900_000, 2_500_000];

impl Plan {
    pub fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let mut actions = Vec::new();
        for _ in 0..rng.below(4) + 2 {
            actions.push((0, Action::Join));
        }
        for _ in 0..rng.below(4) + 2 {
            actions.push((0, publish(&mut rng)));
        }
        for _ in 0..rng.below(10) + 3 {
            actions.push((0, open(&mut rng)));
            actions.push((0, show(&mut rng)));
        }
        if rng.percent(CROWD_PERCENT) {
            for _ in 0..CROWD {
                actions.push((0, microphone(&mut rng)));
                actions.push((0, Action::OpenSlot { of: rng.below(500), video: false }));
                actions.push((0, show(&mut rng)));
            }
        }
        for step in 1..WILD_STEPS {
            if rng.percent(ACT_PERCENT) {
                actions.push((step, action(&mut rng)));
            }
        }
        let level = rng.percent(25);
        if level {
            actions.iter_mut().for_each(|(_, action)| action.level());
        }
        let actions = (1..).zip(actions).map(|(key, (at, action))| Planned { at, key, action }).collect();
        Self {
            seed,
            voices: [1, 2, 3, 10][(seed / 2 % 4) as usize],
            lossless: seed.is_multiple_of(2),
            level,
            plenty: !level && rng.percent(35),
            stay_off: rng.percent(40),
            // Of equals that are all cut off nothing is to be seen.
            cap_bps: if !level && rng.percent(40) { CAPS[rng.below(3) as usize] } else { 0 },
            lowers_rates: rng.percent(25),
            stays_overloaded: rng.percent(20),
            actions,
        }
    }
}

impl Plan {
    /// All but the actions.
    pub fn conditions(&self) -> String {
        let without = Self { actions: Vec::new(), ..self.clone() };
        format!("{without:?}")
    }

    /// Without `count` actions from `from` on.
    pub fn leave_out(&mut self, from: usize, count: usize) {
        let to = (from + count).min(self.actions.len());
        self.actions.drain(from..to);
    }
}

impl Action {
    /// All cameras the same, and all tiles: who is treated differently is treated unfairly.
    fn level(&mut self) {
        match self {
            Action::Publish { what, .. } | Action::Replace { what, .. } if what.layers > 0 => {
                let (layers, rate_percent) = (3, 100);
                *what =
                    Publish { layers, rate_percent, temporal: true, h264: false, look: Look::Full, ..*what };
            }
            Action::Rate { percent, .. } => *percent = 100,
            Action::OpenSlot { of, video } => (*of, *video) = (0, true),
            Action::Show { settings, .. } | Action::Adjust { settings, .. } => {
                *settings = SlotSettings::default();
            }
            _ => {}
        }
    }
}

fn action(rng: &mut Rng) -> Action {
    match rng.below(115) {
        0..5 => Action::Join,
        5..7 => Action::Leave { who: rng.below(500) },
        7..15 => publish(rng),
        15..17 => Action::Unpublish { track: rng.below(500) },
        17..20 => Action::Replace { track: rng.below(500), what: stream(rng) },
        20..22 => Action::Restart { track: rng.below(500) },
        22..28 => Action::Mute { track: rng.below(500), muted: rng.percent(45) },
        28..36 => open(rng),
        36..38 => Action::CloseSlot { slot: rng.below(500) },
        38..54 => show(rng),
        54..58 => Action::Detach { slot: rng.below(500) },
        58..68 => Action::Adjust { slot: rng.below(500), settings: settings(rng) },
        68..83 => estimate(rng),
        83..88 => Action::Refresh { slot: rng.below(500) },
        88..94 => {
            Action::Layer { track: rng.below(500), spatial: Spatial(rng.below(3) as u8), on: rng.percent(50) }
        }
        94..97 => Action::Idle { track: rng.below(500), millis: 100 + rng.below(3000) },
        97..100 => Action::Stall { millis: 20 + rng.below(1500) },
        100..104 => Action::Overload(LEVELS[rng.below(6) as usize]),
        104..108 => Action::Rate { track: rng.below(500), percent: rate(rng) },
        108..112 => Action::Redundant { slot: rng.below(500), takes: rng.percent(70) },
        _ => Action::Loss { who: rng.below(500), percent: [0, 0, 2, 4, 12, 30][rng.below(6) as usize] },
    }
}

fn rate(rng: &mut Rng) -> u64 {
    [60, 100, 100, 130][rng.below(4) as usize]
}

fn publish(rng: &mut Rng) -> Action {
    Action::Publish { by: rng.below(500), what: stream(rng) }
}

fn microphone(rng: &mut Rng) -> Action {
    let what = Publish { source: Source::Microphone, layers: 0, ..stream(rng) };
    Action::Publish { by: rng.below(500), what }
}

fn stream(rng: &mut Rng) -> Publish {
    let sound = rng.percent(30);
    let screen = rng.percent(20);
    let layers = match () {
        () if sound => 0,
        () if screen && rng.percent(60) => 1,
        () => 1 + rng.below(3) as usize,
    };
    let look = match rng.below(10) {
        0 => Look::Bare,
        1 => Look::Short,
        2..4 => Look::KeyIdx,
        _ => Look::Full,
    };
    Publish {
        source: match (sound, screen) {
            (true, false) => Source::Microphone,
            (true, true) => Source::ScreenShareAudio,
            (false, false) => Source::Camera,
            (false, true) => Source::ScreenShare,
        },
        layers,
        h264: rng.percent(15),
        temporal: rng.percent(60),
        look,
        rate_percent: rate(rng),
        level: -(rng.below(80) as i8),
        dtx: rng.percent(30),
        pads: rng.percent(30),
        obeys: rng.percent(70),
    }
}

fn open(rng: &mut Rng) -> Action {
    Action::OpenSlot { of: rng.below(500), video: rng.percent(75) }
}

fn show(rng: &mut Rng) -> Action {
    Action::Show { slot: rng.below(500), track: rng.below(500), settings: settings(rng) }
}

fn estimate(rng: &mut Rng) -> Action {
    let bps = ESTIMATES[rng.below(ESTIMATES.len() as u64) as usize];
    Action::Estimate { who: rng.below(500), bps: bps * (80 + rng.below(40)) / 100 }
}

fn settings(rng: &mut Rng) -> SlotSettings {
    let sizes = [(0, 0), (0, 0), (160, 90), (320, 180), (500, 300), (640, 360), (1920, 1080)];
    let (width, height) = sizes[rng.below(sizes.len() as u64) as usize];
    SlotSettings {
        enabled: !rng.percent(12),
        width,
        height,
        max_spatial: rng.percent(20).then(|| Spatial(rng.below(3) as u8)),
        fps: if rng.percent(15) { 10 } else { 0 },
        priority: if rng.percent(25) { rng.below(3) as u32 } else { 0 },
    }
}
