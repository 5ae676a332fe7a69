//! The reference: what was asked for, and what follows from it in plain words.
//! It knows nothing of ladders, holds and meters; it only judges results.

use std::collections::{BTreeMap, BTreeSet};

use parley_media_core::{
    LayerSpec, Overload, ParticipantKey, SlotKey, SlotSettings, Source, Spatial, TrackConfig, TrackKey,
};

use crate::problem::{Law, Problem, broken};

/// What a step up may cost above its rate before it must be taken, in percent.
const ROOM_PERCENT: u64 = 117;
/// The same where somebody of lower rank has it.
const RANK_PERCENT: u64 = 120;
/// What may be sent above the estimate: measured rates lag behind, in percent and flat.
const OVER_PERCENT: u64 = 110;
const OVER_BPS: u64 = 40_000;
/// Of 30 frames a second; fewer are thinned.
const SMOOTH_FRAMES: u64 = 27;
/// The base layer has a quarter of 30.
const THIN_FRAMES: u64 = 9;

#[derive(Debug)]
pub struct Published {
    pub config: TrackConfig,
    pub muted: bool,
}

#[derive(Debug)]
pub struct Watching {
    pub owner: ParticipantKey,
    pub video: bool,
    pub track: Option<TrackKey>,
    pub settings: SlotSettings,
    /// Takes redundant sound.
    pub takes: bool,
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub struct Reference {
    pub people: BTreeSet<ParticipantKey>,
    pub tracks: BTreeMap<TrackKey, Published>,
    pub slots: BTreeMap<SlotKey, Watching>,
    pub estimates: BTreeMap<ParticipantKey, u64>,
    /// In percent, on the way to somebody.
    pub losses: BTreeMap<ParticipantKey, u64>,
    /// Microphones that may be heard at once.
    pub voices: usize,
    /// What one track may bring in; 0 = all.
    pub cap_bps: u64,
    pub overload: Overload,
}

impl Reference {
    /// Microphones that are on.
    pub fn microphones(&self) -> impl Iterator<Item = TrackKey> + '_ {
        let on = |track: &&Published| !track.muted && track.config.source == Source::Microphone;
        self.tracks.values().filter(on).map(|track| track.config.key)
    }

    /// Must each packet of this sound reach the slot? With more microphones than may be heard,
    /// only where the slot insists, or it is the sound of a screen.
    pub fn must_hear(&self, slot: SlotKey, track: TrackKey) -> bool {
        self.tracks[&track].config.source == Source::ScreenShareAudio
            || self.slots[&slot].settings.priority > 0
            || self.microphones().count() <= self.voices
    }

    pub fn leave(&mut self, person: ParticipantKey) {
        self.people.remove(&person);
        self.estimates.remove(&person);
        self.losses.remove(&person);
        self.slots.retain(|_, watching| watching.owner != person);
        self.tracks.retain(|_, track| track.config.publisher != person);
        self.forget_gone();
    }

    pub fn unpublish(&mut self, track: TrackKey) {
        self.tracks.remove(&track);
        self.forget_gone();
    }

    fn forget_gone(&mut self) {
        for watching in self.slots.values_mut() {
            if watching.track.is_some_and(|track| !self.tracks.contains_key(&track)) {
                watching.track = None;
            }
        }
    }

    /// The one track of which the slot may get packets now.
    pub fn allowed(&self, slot: SlotKey) -> Option<TrackKey> {
        let watching = self.slots.get(&slot)?;
        let track = watching.track?;
        let published = self.tracks.get(&track)?;
        (watching.settings.enabled && !published.muted).then_some(track)
    }

    /// Is the picture left out because the server is short of time?
    pub fn sheds(&self, slot: SlotKey) -> bool {
        let watching = &self.slots[&slot];
        let Some(track) = watching.track.and_then(|track| self.tracks.get(&track)) else { return false };
        let matters = track.config.source == Source::ScreenShare || watching.settings.priority > 0;
        watching.video
            && match self.overload {
                Overload::None | Overload::Thin => false,
                Overload::Few => !matters,
                Overload::SoundOnly => true,
            }
    }

    /// Of what a publisher sends (layers with the rates of their payloads, lowest first), what is let in.
    pub fn let_in<T>(&self, sent: impl Iterator<Item = (T, u64)>) -> impl Iterator<Item = T> {
        let (cap_bps, mut sum) = (self.cap_bps, 0);
        let fits = move |(_, bps): &(T, u64)| {
            sum += bps;
            cap_bps == 0 || sum <= cap_bps
        };
        sent.take_while(fits).map(|(layer, _)| layer)
    }

    /// The layer that suits the tile if nothing limits it.
    pub fn ideal(&self, slot: SlotKey) -> Option<Spatial> {
        let watching = self.slots.get(&slot)?;
        let layers = &self.tracks.get(&watching.track?)?.config.layers;
        let settings = &watching.settings;
        let large = |layer: &&LayerSpec| layer.width >= settings.width && layer.height >= settings.height;
        let sized = settings.width > 0 || settings.height > 0;
        let fitting = layers.iter().find(large).filter(|_| sized).or(layers.last())?;
        Some(settings.max_spatial.map_or(fitting.spatial, |max| max.min(fitting.spatial)))
    }

    /// The highest layer of a track that anybody wants.
    pub fn wanted(&self, track: TrackKey) -> Option<Spatial> {
        let watches = |slot: &SlotKey, watching: &Watching| {
            watching.track == Some(track) && watching.settings.enabled && !self.sheds(*slot)
        };
        let watchers = self.slots.iter().filter(|(slot, watching)| watches(slot, watching));
        watchers.filter_map(|(slot, _)| self.ideal(*slot)).max()
    }
}

/// What a slot showed in the last moments of rest.
#[derive(Clone, Debug)]
pub struct Shown {
    pub slot: SlotKey,
    pub source: Source,
    pub priority: u32,
    /// Layers that are sent and of use, lowest first, with their rates.
    pub layers: Vec<(Spatial, u64)>,
    pub layer: Option<Spatial>,
    pub sent_bps: u64,
    /// Of one second.
    pub frames: u64,
    /// The stream has temporal layers.
    pub temporal: bool,
    /// The frames are limited on purpose.
    pub limited: bool,
}

impl Shown {
    fn rank(&self) -> (bool, u32) {
        (self.source == Source::ScreenShare, self.priority)
    }

    /// 0 = paused.
    fn height(&self) -> usize {
        self.layers.iter().position(|(spatial, _)| Some(*spatial) == self.layer).map_or(0, |index| index + 1)
    }

    fn smooth(&self) -> bool {
        self.limited || self.frames >= SMOOTH_FRAMES
    }

    /// The next better layer, or the same one with all frames.
    fn next_index(&self) -> usize {
        let height = self.height();
        if height > 0 && !self.smooth() { height - 1 } else { height }
    }

    fn next(&self) -> Option<Spatial> {
        self.layers.get(self.next_index()).map(|(spatial, _)| *spatial)
    }

    /// The rate of the best layer that is not above `most`; of the lowest if all are.
    fn upto_bps(&self, most: Spatial) -> u64 {
        let fitting = self.layers.iter().rev().find(|(spatial, _)| *spatial <= most);
        fitting.or(self.layers.first()).map_or(0, |(_, bps)| *bps)
    }

    /// What the next better picture would take beyond what is sent, with room to spare.
    fn wants_bps(&self, room_percent: u64) -> Option<u64> {
        let (_, bps) = self.layers.get(self.next_index())?;
        Some((bps * room_percent / 100).saturating_sub(self.sent_bps))
    }
}

/// How often a law had something to say.
#[derive(Clone, Copy, Debug, Default)]
pub struct Judged {
    pub short_of_bandwidth: u64,
    pub equals: u64,
    pub together: u64,
    pub ranked: u64,
    pub overloaded: u64,
    pub redundancy: u64,
    pub capped: u64,
}

/// Is no more sent than comes through? Returns how much it is.
pub fn judge_budget(estimate: u64, sound_bps: u64, shown: &[Shown]) -> Result<u64, Problem> {
    let sent: u64 = shown.iter().map(|slot| slot.sent_bps).sum();
    let limit = estimate.saturating_sub(sound_bps) * OVER_PERCENT / 100 + OVER_BPS;
    if sent > limit {
        return broken(Law::Budget, format!("{sent} bit/s sent of {estimate}, sound {sound_bps}: {shown:?}"));
    }
    Ok(sent)
}

/// Pictures of a server short of time: thinned, and no more of them than there is bandwidth for. What
/// thinning spares is given to nobody.
pub fn judge_thinned(estimate: u64, sound_bps: u64, shown: &[Shown]) -> Result<(), Problem> {
    judge_budget(estimate, sound_bps, shown)?;
    let whole = |slot: &&Shown| slot.temporal && slot.frames > THIN_FRAMES;
    match shown.iter().find(whole) {
        Some(slot) => broken(Law::Overload, format!("not thinned: {slot:?}")),
        None => Ok(()),
    }
}

/// Is the bandwidth of one person divided well? `sound_bps`: what sound takes;
/// `sound_most_bps`: what it would take without pauses.
pub fn judge(
    estimate: u64,
    sound_bps: u64,
    sound_most_bps: u64,
    shown: &[Shown],
    judged: &mut Judged,
) -> Result<(), Problem> {
    let sent = judge_budget(estimate, sound_bps, shown)?;
    let left = estimate.saturating_sub(sound_most_bps).saturating_sub(sent);
    for slot in shown {
        if slot.layer.is_some() && slot.height() == 0 {
            return broken(Law::Best, format!("a layer not of use: {slot:?}"));
        }
        let Some(wants) = slot.wants_bps(ROOM_PERCENT) else { continue };
        judged.short_of_bandwidth += 1;
        if wants <= left {
            return broken(
                Law::Best,
                format!("could rise, {left} of {estimate} left: {slot:?} of {shown:?}"),
            );
        }
    }
    for (a, b) in shown.iter().flat_map(|a| shown.iter().map(move |b| (a, b))) {
        if a.slot < b.slot && a.rank() == b.rank() && alike(a, b) {
            judged.equals += 1;
            if a.height().abs_diff(b.height()) > 1 {
                return broken(Law::Fair, format!("of {estimate}: {a:?} beside {b:?}"));
            }
        }
        let Some(wants) = a.wants_bps(RANK_PERCENT).filter(|_| a.rank() > b.rank()) else { continue };
        judged.ranked += 1;
        // All have their lowest step before anybody has more.
        let lowest = b.layers.first().map_or(0, |(_, bps)| *bps);
        let spare = if a.height() == 0 { b.sent_bps } else { b.sent_bps.saturating_sub(lowest) };
        if spare > 0 && wants <= left + spare {
            return broken(Law::Rank, format!("of {estimate}: {a:?} behind {b:?}"));
        }
    }
    for slot in shown {
        let equals = shown.iter().filter(|other| other.rank() == slot.rank());
        judge_together(slot, equals, left, judged)?;
    }
    Ok(())
}

/// Where all equals could have a layer, all have it: none is left below for what another has above.
fn judge_together<'a>(
    slot: &Shown,
    equals: impl Iterator<Item = &'a Shown> + Clone,
    left: u64,
    judged: &mut Judged,
) -> Result<(), Problem> {
    let Some(next) = slot.next() else { return Ok(()) };
    let sent: u64 = equals.clone().map(|other| other.sent_bps).sum();
    let price: u64 = equals.clone().map(|other| other.upto_bps(next)).sum();
    judged.together += 1;
    if price * ROOM_PERCENT / 100 <= sent + left {
        let equals: Vec<_> = equals.collect();
        return broken(Law::Fair, format!("all could have {next:?}, {left} left: {slot:?} of {equals:?}"));
    }
    Ok(())
}

/// The same layers at about the same rates?
fn alike(a: &Shown, b: &Shown) -> bool {
    let rates = a.layers.iter().zip(&b.layers);
    a.temporal == b.temporal
        && a.limited == b.limited
        && a.layers.len() == b.layers.len()
        && rates.into_iter().all(|(a, b)| a.0 == b.0 && a.1.abs_diff(b.1) * 20 <= a.1)
}
