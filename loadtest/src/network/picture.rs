//! Did the picture come in the best layer that fits, and stay there?

use std::{ops::Range, time::Duration};

/// A layer other than the best for longer than this is a failure.
pub const CONVERGENCE: Duration = Duration::from_secs(5);
/// Departures from the best layer that are forgiven; a scenario takes a minute.
pub const OSCILLATIONS_MAX: usize = 2;
/// A longer time without a new picture is a freeze.
pub const FREEZE: Duration = Duration::from_millis(500);
/// Without a picture for so long, no layer is shown;
const GONE: Duration = Duration::from_secs(1);
/// and after so long it counts as a departure from the layer, as a pause does. Shorter is a freeze.
const LEFT: Duration = Duration::from_secs(2);

/// One decoded picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown {
    /// When it could be decoded; layers are judged by this.
    pub at: Duration,
    /// When it was shown, after the receiver's jitter buffer; freezes are judged by this.
    pub rendered: Duration,
    pub layer: u8,
    pub temporal: u8,
}

/// From when on which layer is the best that fits; `None`: no picture can be had (an outage).
pub type Best = (Duration, Option<u8>);

/// What was seen.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
pub struct Picture {
    pub frames: usize,
    /// Freezes of more than 500 ms outside outages: when they began and how long they were, in seconds.
    pub freezes: Vec<(f64, f64)>,
    /// For each time at which another layer became the best: that time, the layer, and the seconds until it came.
    pub converged: Vec<(f64, u8, Option<f64>)>,
    /// The longest time in another layer than the best, in seconds.
    pub longest_away: f64,
    /// Departures from the best layer once it was reached.
    pub oscillations: usize,
    /// Share of the time, outages left out, in the best layer.
    pub at_best_share: f64,
    /// The longest time without any picture outside outages, in seconds.
    pub longest_dark: f64,
    /// Layers over time: since when, and which (`None`: dark).
    pub layers: Vec<(f64, Option<u8>)>,
}

const STEP: Duration = Duration::from_millis(50);

/// Judges pictures in order of time, from `from` to `until`. `best` is in order of time and not empty.
pub fn judge(shown: &[Shown], best: &[Best], from: Duration, until: Duration) -> Picture {
    let mut picture = Picture { frames: shown.len(), ..Picture::default() };
    picture.freezes = freezes(shown, best, from, until);
    let (mut next, mut last) = (0, None::<Shown>);
    let (mut away, mut reached, mut here, mut whole) = (Duration::ZERO, false, 0_u32, 0_u32);
    let mut wanted_before = None;
    let mut now = from;
    while now < until {
        while let Some(frame) = shown.get(next).filter(|frame| frame.at <= now) {
            last = Some(*frame);
            next += 1;
        }
        let layer = last.filter(|frame| now.saturating_sub(frame.at) < GONE).map(|frame| frame.layer);
        if picture.layers.last().is_none_or(|(_, before)| *before != layer) {
            picture.layers.push((now.as_secs_f64(), layer));
        }
        let wanted = best_at(best, now);
        if wanted != wanted_before {
            (away, reached, wanted_before) = (Duration::ZERO, false, wanted);
            if let Some(wanted) = wanted {
                picture.converged.push((now.as_secs_f64(), wanted, None));
            }
        }
        if wanted.is_some() {
            whole += 1;
            if layer == wanted {
                here += 1;
                away = Duration::ZERO;
                if !reached && let Some((since, _, took)) = picture.converged.last_mut() {
                    took.get_or_insert(now.as_secs_f64() - *since);
                }
                reached = true;
            } else {
                let frozen = layer.is_none() && last.is_some_and(|frame| now.saturating_sub(frame.at) < LEFT);
                if reached && !frozen {
                    reached = false;
                    picture.oscillations += 1;
                }
                away += STEP;
                picture.longest_away = picture.longest_away.max(away.as_secs_f64());
            }
        }
        now += STEP;
    }
    picture.at_best_share = f64::from(here) / f64::from(whole.max(1));
    picture.longest_dark = picture.freezes.iter().map(|(_, length)| *length).fold(0.0, f64::max);
    picture
}

/// What is best at a time.
pub fn best_at(best: &[Best], at: Duration) -> Option<u8> {
    let after = best.partition_point(|(from, _)| *from <= at);
    best.get(after.saturating_sub(1)).and_then(|(_, layer)| *layer)
}

fn freezes(shown: &[Shown], best: &[Best], from: Duration, until: Duration) -> Vec<(f64, f64)> {
    let within = shown.iter().map(|frame| frame.rendered).filter(|at| (from..until).contains(at));
    let mut times = vec![from];
    times.extend(within);
    times.push(until);
    let mut freezes = Vec::new();
    for pair in times.windows(2) {
        let length = outside_outages(pair[0]..pair[1], best);
        if length > FREEZE {
            freezes.push((pair[0].as_secs_f64(), length.as_secs_f64()));
        }
    }
    freezes
}

/// The part of a time in which a picture could be had.
fn outside_outages(time: Range<Duration>, best: &[Best]) -> Duration {
    let mut outside = Duration::ZERO;
    for (index, (from, layer)) in best.iter().enumerate() {
        let end = best.get(index + 1).map_or(time.end, |(next, _)| *next);
        let (from, end) = (time.start.max(*from), time.end.min(end));
        if layer.is_some() {
            outside += end.saturating_sub(from);
        }
    }
    outside
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    /// Thirty pictures a second, each in the layer that `layer` names for its time.
    fn shown(layer: impl Fn(f64) -> Option<u8>) -> Vec<Shown> {
        (0..900)
            .map(|n| f64::from(n) / 30.0)
            .filter_map(|at| {
                Some(Shown { at: seconds(at), rendered: seconds(at), layer: layer(at)?, temporal: 0 })
            })
            .collect()
    }

    fn judged(layer: impl Fn(f64) -> Option<u8>, best: &[Best]) -> Picture {
        judge(&shown(layer), best, Duration::ZERO, seconds(30.0))
    }

    #[test]
    fn the_best_all_the_time_is_perfect() {
        let picture = judged(|_| Some(2), &[(Duration::ZERO, Some(2))]);
        assert!(picture.freezes.is_empty());
        assert_eq!((picture.oscillations, picture.longest_away), (0, 0.0));
        assert_eq!(picture.converged, [(0.0, 2, Some(0.0))]);
        assert!((picture.at_best_share - 1.0).abs() < 1e-9);
    }

    #[test]
    fn convergence_is_timed_from_each_change() {
        let best = [(Duration::ZERO, Some(2)), (seconds(10.0), Some(0)), (seconds(20.0), Some(1))];
        let layer = |at| Some(if at < 12.0 { 2 } else { u8::from(at >= 26.0) });
        let picture = judged(layer, &best);
        let took: Vec<_> = picture.converged.iter().map(|(_, _, took)| took.unwrap_or(f64::NAN)).collect();
        assert!((took[1] - 2.0).abs() < 0.1 && (took[2] - 6.0).abs() < 0.1, "{took:?}");
        assert!((picture.longest_away - 6.0).abs() < 0.1);
        assert_eq!(picture.oscillations, 0);
    }

    #[test]
    fn leaving_and_coming_back_is_an_oscillation() {
        let layer = |at| Some(if (at as u32) % 10 == 5 { 0 } else { 1 });
        let picture = judged(layer, &[(Duration::ZERO, Some(1))]);
        assert_eq!(picture.oscillations, 3);
        assert!((picture.longest_away - 1.0).abs() < 0.1);
    }

    #[test]
    fn a_freeze_is_no_oscillation_but_a_pause_is() {
        let best = [(Duration::ZERO, Some(1))];
        let freeze = judged(|at| (!(10.0..11.5).contains(&at)).then_some(1), &best);
        assert_eq!((freeze.oscillations, freeze.freezes.len()), (0, 1));
        let pause = judged(|at| (!(10.0..13.0).contains(&at)).then_some(1), &best);
        assert_eq!((pause.oscillations, pause.freezes.len()), (1, 1));
    }

    #[test]
    fn freezes_and_dark_times_are_seen_but_not_in_outages() {
        let layer = |at| (!(10.0..13.5).contains(&at)).then_some(1);
        let picture = judged(layer, &[(Duration::ZERO, Some(1))]);
        assert_eq!(picture.freezes.len(), 1);
        assert!(picture.longest_dark > 3.4 && picture.longest_away > 2.4);
        let out = [(Duration::ZERO, Some(1)), (seconds(10.0), None), (seconds(13.2), Some(1))];
        let picture = judged(layer, &out);
        assert!(picture.freezes.is_empty(), "{:?}", picture.freezes);
        assert!(picture.longest_away < 0.5);
    }

    #[test]
    fn no_picture_at_all_is_the_worst() {
        let picture = judged(|_| None, &[(Duration::ZERO, Some(1))]);
        assert!(picture.longest_away > 29.0 && picture.longest_dark > 29.0);
        assert_eq!(picture.converged, [(0.0, 1, None)]);
    }
}
