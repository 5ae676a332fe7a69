//! Notices that a client is not reached any more, long before ICE does.
//!
//! Consent expires after 15 to 30 s (RFC 7675, section 5.1), and a browser whose UDP has been blocked,
//! or whose address is gone, sees that no earlier itself. Here a client from which nothing has come for
//! [`QUIET`] is sent checks over the path in use; whoever does not answer them either is not
//! reached, and signaling may tell it to take another way. Clients that send or receive media are never
//! quiet for so long and are asked nothing; the others answer, and are asked again after [`IDLE`].

use std::time::{Duration, Instant};

/// How often connections are looked at.
pub(crate) const SWEEP: Duration = Duration::from_millis(100);
const QUIET: Duration = Duration::from_millis(300);
/// The same for a client whose last sign of life was an answer: it has nothing to send.
const IDLE: Duration = Duration::from_secs(2);
/// Time to answer, besides two round trips.
const PATIENCE: Duration = Duration::from_millis(400);
/// Round trip taken for one that is not known, and the longest that is waited for.
const ROUND_TRIP_UNKNOWN: Duration = Duration::from_millis(500);
const ROUND_TRIP_MAX: Duration = Duration::from_secs(1);

/// What to do about a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// It is well, or known not to be.
    Rest,
    /// Send a check over the path in use.
    Ask,
    /// It is not reached: once for each silence.
    Lost,
}

/// What is known of the path in use of one connection.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Watch {
    /// When the last answer came.
    answered: Option<Instant>,
    /// When the first question was asked that has no answer.
    asked: Option<Instant>,
    told: bool,
}

impl Watch {
    /// The client has answered a check.
    pub(crate) fn answered(&mut self, now: Instant) {
        *self = Self { answered: Some(now), ..Self::default() };
    }

    /// Looks at a connection from which something came last at `heard`.
    pub(crate) fn step(&mut self, heard: Instant, round_trip: Option<Duration>, now: Instant) -> Step {
        let limit = if self.answered.is_some_and(|answered| answered >= heard) { IDLE } else { QUIET };
        let unasked = self.asked.is_none_or(|asked| heard > asked);
        if unasked {
            (self.asked, self.told) = (None, false);
            if now.saturating_duration_since(heard) < limit {
                return Step::Rest;
            }
        }
        if self.told {
            return Step::Rest;
        }
        let asked = *self.asked.get_or_insert(now);
        let patience = PATIENCE + round_trip.unwrap_or(ROUND_TRIP_UNKNOWN).min(ROUND_TRIP_MAX) * 2;
        if now.saturating_duration_since(asked) >= patience {
            self.told = true;
            return Step::Lost;
        }
        Step::Ask
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(begun: Instant, ms: u64) -> Instant {
        begun + Duration::from_millis(ms)
    }

    const NEAR: Option<Duration> = Some(Duration::from_millis(20));

    #[test]
    fn a_silent_client_is_asked_and_then_lost_once() {
        let (mut watch, begun) = (Watch::default(), Instant::now());
        let steps = |watch: &mut Watch, range: std::ops::Range<u64>| -> Vec<Step> {
            range.map(|sweep| watch.step(begun, NEAR, ms(begun, sweep * 100))).collect()
        };
        assert_eq!(steps(&mut watch, 0..3), [Step::Rest; 3]);
        assert_eq!(steps(&mut watch, 3..5), [Step::Ask; 2]);
        assert_eq!(steps(&mut watch, 5..8), [Step::Ask; 3]);
        assert_eq!(steps(&mut watch, 8..30)[0], Step::Lost, "within a second");
        assert!(steps(&mut watch, 30..40).iter().all(|step| *step == Step::Rest));
        // It comes back, and is lost again.
        assert_eq!(watch.step(ms(begun, 4_000), NEAR, ms(begun, 4_050)), Step::Rest);
        let again: Vec<Step> =
            (44..60).map(|sweep| watch.step(ms(begun, 4_000), NEAR, ms(begun, sweep * 100))).collect();
        assert_eq!(again.iter().filter(|step| **step == Step::Lost).count(), 1);
    }

    #[test]
    fn a_client_with_nothing_to_send_answers_and_is_left_alone() {
        let (mut watch, begun) = (Watch::default(), Instant::now());
        let (mut heard, mut asked) = (begun, 0);
        for sweep in 0..1_000 {
            let now = ms(begun, sweep * 100);
            match watch.step(heard, NEAR, now) {
                Step::Rest => {}
                Step::Ask => {
                    asked += 1;
                    heard = ms(now, 20);
                    watch.answered(heard);
                }
                Step::Lost => panic!("it answers"),
            }
        }
        assert!((40..=60).contains(&asked), "asked {asked} times in 100 s");
    }

    #[test]
    fn far_clients_have_time_to_answer() {
        let far = Some(Duration::from_millis(600));
        let (mut watch, begun) = (Watch::default(), Instant::now());
        for sweep in 0..19 {
            assert_ne!(watch.step(begun, far, ms(begun, sweep * 100)), Step::Lost);
        }
        assert_eq!(watch.step(begun, far, ms(begun, 1_900)), Step::Lost);
    }
}
