//! The steps of quality in which a video track can be sent to one receiver.

use crate::{
    LayerSpec, SlotSettings, Spatial,
    meter::{MAX_TEMPORAL, Meter},
    track::MAX_LAYERS,
};

const MAX_STEPS: usize = MAX_LAYERS * MAX_TEMPORAL;
/// Assumed for layers with neither announced nor measured rate, lowest first.
const ASSUMED_BPS: [u64; MAX_LAYERS] = [150_000, 500_000, 1_700_000, 3_000_000];
/// All temporal layers.
pub(crate) const ALL_TEMPORAL: u8 = MAX_TEMPORAL as u8 - 1;
/// From here on a picture is taken as moving smoothly.
const SMOOTH_FPS: f64 = 20.0;
/// A limit in frames per second is met by a rate a little below it.
const FPS_TOLERANCE: f64 = 0.9;

/// One layer of a track, as far as it concerns allocation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LayerView<'a> {
    pub spec: &'a LayerSpec,
    pub meter: &'a Meter,
    /// Its packets arrive.
    pub eligible: bool,
}

impl LayerView<'_> {
    /// Measured, else announced, else assumed for the layer's place.
    pub(crate) fn bps(&self, temporal: u8) -> u64 {
        let announced = match self.spec.bitrate_bps {
            0 => ASSUMED_BPS[usize::from(self.spec.spatial.0).min(MAX_LAYERS - 1)],
            announced => announced,
        };
        self.meter.bps(temporal).unwrap_or(announced)
    }

    /// The lowest temporal layer that gives the wished frame rate.
    fn temporal_for(&self, fps: u32) -> u8 {
        if fps == 0 {
            return ALL_TEMPORAL;
        }
        let wished = f64::from(fps) * FPS_TOLERANCE;
        let top = self.meter.top();
        (0..top).find(|temporal| self.meter.fps(*temporal) >= wished).unwrap_or(ALL_TEMPORAL)
    }
}

/// A choice of layers and its price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub spatial: Spatial,
    /// Highest temporal layer sent; [`ALL_TEMPORAL`] = all there are.
    pub temporal: u8,
    pub bps: u64,
}

impl Step {
    /// Is this choice better than `other`, whatever it costs?
    pub(crate) fn above(&self, other: &Step) -> bool {
        (self.spatial, self.temporal) > (other.spatial, other.temporal)
    }
}

/// Choices in ascending order, of quality and of price.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ladder {
    steps: [Step; MAX_STEPS],
    len: usize,
}

impl Ladder {
    pub(crate) fn empty() -> Self {
        Self { steps: [Step { spatial: Spatial(0), temporal: 0, bps: 0 }; MAX_STEPS], len: 0 }
    }

    pub(crate) fn steps(&self) -> &[Step] {
        &self.steps[..self.len]
    }

    fn push(&mut self, step: Step) {
        // A better layer that costs no more replaces the worse one.
        while self.len > 0 && self.steps[self.len - 1].bps >= step.bps {
            self.len -= 1;
        }
        if self.len < MAX_STEPS {
            self.steps[self.len] = step;
            self.len += 1;
        }
    }

    /// What of `layers` (ascending) a receiver with these settings may get.
    pub(crate) fn build<'a>(
        layers: impl Iterator<Item = LayerView<'a>> + Clone,
        settings: &SlotSettings,
    ) -> Self {
        let mut ladder = Self::empty();
        let ideal = ideal(layers.clone(), settings);
        for view in layers.filter(|view| view.eligible) {
            let spatial = view.spec.spatial;
            if ideal.is_some_and(|ideal| spatial > ideal) && ladder.len > 0 {
                break;
            }
            let limit = view.temporal_for(settings.fps);
            let top = view.meter.top().min(limit);
            // Above the lowest layer a sharper picture that jerks is no gain over a
            // smooth one: a temporal layer is left out there only where enough remain.
            let smooth = |temporal: &u8| view.meter.fps(*temporal) >= SMOOTH_FPS;
            let first = match ladder.len {
                0 => 0,
                _ => top.checked_sub(1).filter(smooth).unwrap_or(top),
            };
            for temporal in first..=top {
                let all = temporal == top && limit == ALL_TEMPORAL;
                let named = if all { ALL_TEMPORAL } else { temporal };
                ladder.push(Step { spatial, temporal: named, bps: view.bps(named) });
            }
        }
        ladder
    }
}

/// The layer that suits the settings if nothing limits it: the smallest one not
/// smaller than the tile, at most `max_spatial`. `None` without layers.
pub(crate) fn ideal<'a>(
    layers: impl Iterator<Item = LayerView<'a>>,
    settings: &SlotSettings,
) -> Option<Spatial> {
    let mut best = None;
    for LayerView { spec, .. } in layers {
        if best.is_some() && settings.max_spatial.is_some_and(|max| spec.spatial > max) {
            break;
        }
        best = Some(spec.spatial);
        let sized = settings.width > 0 || settings.height > 0;
        let known = spec.width > 0 && spec.height > 0;
        if sized && known && spec.width >= settings.width && spec.height >= settings.height {
            break;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use super::*;
    use crate::testing;

    fn specs() -> [LayerSpec; 3] {
        [(0, 320, 180, 150_000), (1, 640, 360, 500_000), (2, 1280, 720, 1_700_000)].map(
            |(spatial, width, height, bitrate_bps)| LayerSpec {
                spatial: Spatial(spatial),
                width,
                height,
                bitrate_bps,
            },
        )
    }

    fn views<'a>(specs: &'a [LayerSpec], meters: &'a [Meter]) -> Vec<LayerView<'a>> {
        specs.iter().zip(meters).map(|(spec, meter)| LayerView { spec, meter, eligible: true }).collect()
    }

    fn sized(width: u32, height: u32) -> SlotSettings {
        SlotSettings { width, height, ..SlotSettings::default() }
    }

    /// 30 frames a second in three temporal layers of equal frame size.
    fn measured(frame_bytes: usize) -> Meter {
        let start = testing::start();
        let mut meter = Meter::default();
        for frame in 0..30usize {
            let temporal = [0, 2, 1, 2][frame % 4];
            meter.add(temporal, frame_bytes, true, start);
        }
        meter.roll(start + Duration::from_secs(1));
        meter
    }

    #[test]
    fn the_smallest_layer_not_smaller_than_the_tile() {
        let (specs, meters) = (specs(), [const { None::<Meter> }; 3].map(|_| Meter::default()));
        let ideal_of = |settings: SlotSettings| ideal(views(&specs, &meters).into_iter(), &settings).unwrap();
        assert_eq!(ideal_of(sized(320, 180)), Spatial(0));
        assert_eq!(ideal_of(sized(321, 180)), Spatial(1));
        assert_eq!(ideal_of(sized(640, 480)), Spatial(2));
        assert_eq!(ideal_of(sized(4000, 3000)), Spatial(2));
        assert_eq!(ideal_of(sized(0, 0)), Spatial(2));
        let limited = SlotSettings { max_spatial: Some(Spatial(1)), ..sized(4000, 3000) };
        assert_eq!(ideal_of(limited), Spatial(1));
    }

    #[test]
    fn unmeasured_layers_are_one_step_each_at_the_announced_rate() {
        let (specs, meters) = (specs(), [const { None::<Meter> }; 3].map(|_| Meter::default()));
        let ladder = Ladder::build(views(&specs, &meters).into_iter(), &SlotSettings::default());
        let steps: Vec<_> = ladder.steps().iter().map(|step| (step.spatial.0, step.bps)).collect();
        assert_eq!(steps, [(0, 150_000), (1, 500_000), (2, 1_700_000)]);
    }

    #[test]
    fn dead_layers_are_left_out_but_one_stays_even_above_the_wish() {
        let (specs, meters) = (specs(), [const { None::<Meter> }; 3].map(|_| Meter::default()));
        let mut all = views(&specs, &meters);
        all[0].eligible = false;
        all[2].eligible = false;
        let ladder = Ladder::build(all.into_iter(), &sized(100, 100));
        assert_eq!(ladder.steps().len(), 1);
        assert_eq!(ladder.steps()[0].spatial, Spatial(1));
    }

    #[test]
    fn temporal_layers_lie_between() {
        let specs = specs();
        let meters = [measured(440), measured(1940), Meter::default()];
        let ladder = Ladder::build(views(&specs, &meters).into_iter(), &sized(640, 360));
        let steps: Vec<_> = ladder.steps().iter().map(|step| (step.spatial.0, step.temporal)).collect();
        // Half of 30 frames per second would jerk, where the layer below gives all of them.
        assert_eq!(steps, [(0, 0), (0, 1), (0, 3), (1, 3)]);
        let slow = SlotSettings { fps: 15, ..sized(640, 360) };
        let ladder = Ladder::build(views(&specs, &meters).into_iter(), &slow);
        assert_eq!(ladder.steps().last().map(|step| (step.spatial.0, step.temporal)), Some((1, 1)));
    }

    #[test]
    fn a_dearer_step_below_a_cheaper_one_is_no_choice() {
        let mut specs = specs();
        specs[0].bitrate_bps = 600_000;
        let meters = [const { None::<Meter> }; 3].map(|_| Meter::default());
        let ladder = Ladder::build(views(&specs, &meters).into_iter(), &SlotSettings::default());
        assert_eq!(ladder.steps()[0].spatial, Spatial(1));
    }
}
