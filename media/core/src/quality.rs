//! Connection quality in a number and a word: the worse of sound (the E-model) and pictures
//! (layer against the one of use, standstill).

use std::time::{Duration, Instant};

use crate::{ConnectionQuality, LinkStats, viewing::Mean};

/// A report goes out at least this often.
pub(crate) const INTERVAL: Duration = Duration::from_secs(5);
/// Weights of a new value: trouble shows soon, recovery is believed later.
const WEIGHT_WORSE: f32 = 0.6;
const WEIGHT_BETTER: f32 = 0.3;
const EXCELLENT: f32 = 4.1;
const GOOD: f32 = 3.2;
/// At most this while something sent is cut off: it is seen by nobody.
const CAPPED: f32 = 2.0;
/// With this much loss nothing useful passes.
const LOST_LOSS: f32 = 0.9;

/// Smoothed quality of one participant's link.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Quality {
    score: Option<f32>,
    /// Samples of pictures since the last report.
    pictures: Mean,
    /// The mean of the report before.
    picture: Option<f32>,
    lost: bool,
    /// It sends more than it may, and is cut off.
    capped: bool,
    told: Option<ConnectionQuality>,
}

impl Quality {
    /// Takes a measurement; returns a report if the word changed.
    pub(crate) fn update(&mut self, stats: &LinkStats) -> Option<(ConnectionQuality, f32)> {
        let fresh = score(stats);
        self.lost = loss(stats) >= LOST_LOSS;
        let before = self.score.unwrap_or(fresh);
        let weight = if fresh < before { WEIGHT_WORSE } else { WEIGHT_BETTER };
        self.score = Some(before + weight * (fresh - before));
        self.news()
    }

    fn news(&mut self) -> Option<(ConnectionQuality, f32)> {
        self.report()
            .filter(|(word, _)| self.told != Some(*word))
            .inspect(|(word, _)| self.told = Some(*word))
    }

    /// Something that the participant sends is cut off, or no longer; returns a report if the word changed.
    pub(crate) fn set_capped(&mut self, capped: bool) -> Option<(ConnectionQuality, f32)> {
        self.capped = capped;
        self.news()
    }

    /// Takes a sample of a picture that the participant sees or sends.
    pub(crate) fn add_picture(&mut self, score: f32) {
        self.pictures.add(score);
    }

    /// The report of an interval: the worse of sound and pictures.
    pub(crate) fn report_pictures(&mut self) -> Option<(ConnectionQuality, f32)> {
        self.picture = self.pictures.take();
        self.report().inspect(|(word, _)| self.told = Some(*word))
    }

    /// The present state; `None` before the first measurement.
    pub(crate) fn report(&self) -> Option<(ConnectionQuality, f32)> {
        let sound = self.score?;
        let score = self.picture.map_or(sound, |picture| picture.min(sound));
        let score = if self.capped { score.min(CAPPED) } else { score };
        Some(if self.lost {
            (ConnectionQuality::Lost, 0.0)
        } else if score >= EXCELLENT {
            (ConnectionQuality::Excellent, score)
        } else if score >= GOOD {
            (ConnectionQuality::Good, score)
        } else {
            (ConnectionQuality::Poor, score)
        })
    }
}

/// When the next reports of a room are due.
pub(crate) fn next_report(now: Instant) -> Instant {
    now + INTERVAL
}

/// The worse direction, within 0 to 1 whatever came in.
fn loss(stats: &LinkStats) -> f32 {
    let valid = |loss: f32| if loss.is_finite() { loss.clamp(0.0, 1.0) } else { 0.0 };
    valid(stats.loss_up).max(valid(stats.loss_down))
}

/// Mean opinion score, 1.0 to 4.5, after the E-model (ITU-T G.107) in its common
/// short form: delay and jitter lower the rating factor, each percent of loss by 2.5.
fn score(stats: &LinkStats) -> f32 {
    let millis = |duration: Option<Duration>| duration.unwrap_or_default().as_secs_f32().min(10.0) * 1000.0;
    let delay = millis(stats.rtt) / 2.0 + 2.0 * millis(stats.jitter) + 10.0;
    let late = if delay < 160.0 { delay / 40.0 } else { (delay - 120.0) / 10.0 };
    let rating = (93.2 - late - 250.0 * loss(stats)).clamp(0.0, 100.0);
    // The curve dips a little below 1 for the lowest ratings.
    (1.0 + 0.035 * rating + 7e-6 * rating * (rating - 60.0) * (100.0 - rating)).max(1.0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn stats(loss_down: f32, rtt_ms: u64) -> LinkStats {
        LinkStats { loss_down, rtt: Some(Duration::from_millis(rtt_ms)), ..LinkStats::default() }
    }

    fn settled(stats: LinkStats) -> ConnectionQuality {
        let mut quality = Quality::default();
        for _ in 0..20 {
            quality.update(&stats);
        }
        quality.report().unwrap().0
    }

    #[test]
    fn words_for_losses_and_delays() {
        assert_eq!(settled(stats(0.0, 30)), ConnectionQuality::Excellent);
        assert_eq!(settled(stats(0.02, 80)), ConnectionQuality::Excellent);
        assert_eq!(settled(stats(0.07, 80)), ConnectionQuality::Good);
        assert_eq!(settled(stats(0.0, 700)), ConnectionQuality::Good);
        assert_eq!(settled(stats(0.2, 80)), ConnectionQuality::Poor);
        assert_eq!(settled(stats(1.0, 80)), ConnectionQuality::Lost);
    }

    #[test]
    fn tells_changes_only() {
        let mut quality = Quality::default();
        assert_eq!(quality.report(), None);
        assert!(quality.update(&stats(0.0, 30)).is_some());
        assert_eq!(quality.update(&stats(0.0, 31)), None);
        let (word, _) = quality.update(&stats(0.3, 30)).unwrap();
        assert!(word < ConnectionQuality::Excellent);
        assert_eq!(quality.update(&stats(0.0, 30)), None, "one good value is not believed");
    }

    #[test]
    fn a_bad_picture_shows_over_a_good_line() {
        let mut quality = Quality::default();
        quality.update(&stats(0.0, 30));
        for _ in 0..10 {
            quality.add_picture(1.0);
            quality.add_picture(4.5);
        }
        let (word, score) = quality.report_pictures().unwrap();
        assert_eq!((word, score), (ConnectionQuality::Poor, 2.75));
        assert_eq!(quality.update(&stats(0.0, 30)), None, "the line is good, but it was told poor");
        quality.add_picture(4.5);
        assert_eq!(quality.report_pictures().unwrap().0, ConnectionQuality::Excellent);
    }

    #[test]
    fn nonsense_stays_in_range() {
        for loss in [f32::NAN, f32::INFINITY, -3.0, 7.0] {
            let odd = LinkStats { loss_up: loss, rtt: Some(Duration::MAX), ..LinkStats::default() };
            let value = score(&odd);
            assert!((1.0..=4.6).contains(&value), "{value}");
        }
    }
}
