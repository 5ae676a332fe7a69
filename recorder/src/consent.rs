//! Who agreed to be recorded, from when to when, and the proof of it.

use std::collections::BTreeMap;

use parley_media_core::ParticipantKey;

use crate::WallTime;

/// Records kept for a participant. The last place is kept for a withdrawal, so
/// that one is always possible.
const MAX_RECORDS: usize = 256;

/// What somebody decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Decision {
    Granted,
    Withdrawn,
}

/// Where the decision was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Means {
    /// On the page before the call.
    Prejoin,
    /// In the call, asked for it or by the button.
    InCall,
    /// Told to the provider, who noted it down.
    NotedByProvider,
}

/// One decision as it must be provable later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    pub participant: ParticipantKey,
    /// Who that is, outside this process: the account or invitation.
    pub identity: String,
    pub decision: Decision,
    pub at: WallTime,
    /// Version of the text that was shown, in the person's language.
    pub wording: String,
    pub means: Means,
}

/// Why a decision was not taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConsentError {
    #[error("consent without identity or wording proves nothing: fill in both")]
    Unproven,
    #[error("consent is older than one already recorded for this participant: it would rewrite the past")]
    OutOfOrder,
    #[error("consent was changed too often by this participant: it stays withdrawn")]
    TooOften,
}

/// Answers one question: may this participant's tracks be captured now?
#[derive(Clone, Debug, Default)]
pub struct Gate {
    records: BTreeMap<ParticipantKey, Vec<Evidence>>,
}

impl Gate {
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes over a decision. It counts from its instant on; a withdrawal that
    /// comes with an earlier time than what is known counts from there.
    ///
    /// # Errors
    ///
    /// See [`ConsentError`]; a withdrawal is never refused.
    pub fn record(&mut self, mut evidence: Evidence) -> Result<(), ConsentError> {
        let records = self.records.entry(evidence.participant).or_default();
        let last = records.last().map_or(WallTime(0), |last| last.at);
        let late = evidence.at < last;
        evidence.at = evidence.at.max(last);
        match evidence.decision {
            Decision::Granted if late => Err(ConsentError::OutOfOrder),
            Decision::Granted if evidence.identity.is_empty() || evidence.wording.is_empty() => {
                Err(ConsentError::Unproven)
            }
            Decision::Granted if records.len() + 1 >= MAX_RECORDS => Err(ConsentError::TooOften),
            // Withdrawn already: one more proves nothing more.
            Decision::Withdrawn if records.len() >= MAX_RECORDS => Ok(()),
            _ => {
                records.push(evidence);
                Ok(())
            }
        }
    }

    /// True only after a grant that was not withdrawn, up to and including `at`.
    /// If both happened in the same instant, the withdrawal counts.
    pub fn allows(&self, participant: ParticipantKey, at: WallTime) -> bool {
        let Some(records) = self.records.get(&participant) else { return false };
        let known = &records[..records.partition_point(|evidence| evidence.at <= at)];
        let Some(last) = known.last() else { return false };
        known
            .iter()
            .rev()
            .take_while(|evidence| evidence.at == last.at)
            .all(|evidence| evidence.decision == Decision::Granted)
    }

    /// All decisions of a participant, oldest first.
    pub fn evidence(&self, participant: ParticipantKey) -> &[Evidence] {
        self.records.get(&participant).map_or(&[], Vec::as_slice)
    }

    /// True if each of `participants` may be captured at `at`; false for nobody at all.
    pub fn allows_all(&self, participants: &[ParticipantKey], at: WallTime) -> bool {
        !participants.is_empty() && participants.iter().all(|participant| self.allows(*participant, at))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    const ANNA: ParticipantKey = ParticipantKey(1);

    fn decided(decision: Decision, at: u64) -> Evidence {
        Evidence {
            participant: ANNA,
            identity: "invitation 7".into(),
            decision,
            at: WallTime(at),
            wording: "recording-en-3".into(),
            means: Means::InCall,
        }
    }

    #[test]
    fn refuses_by_default() {
        let gate = Gate::new();
        assert!(!gate.allows(ANNA, WallTime(u64::MAX)));
        assert!(gate.evidence(ANNA).is_empty());
        assert!(!gate.allows_all(&[], WallTime(0)));
    }

    #[test]
    fn counts_between_grant_and_withdrawal() {
        let mut gate = Gate::new();
        gate.record(decided(Decision::Granted, 100)).unwrap();
        gate.record(decided(Decision::Withdrawn, 200)).unwrap();
        let allowed: Vec<_> =
            [99, 100, 199, 200, 300].iter().filter(|at| gate.allows(ANNA, WallTime(**at))).collect();
        assert_eq!(allowed, [&100, &199]);
        assert!(!gate.allows(ParticipantKey(2), WallTime(150)), "hers alone");
        assert!(!gate.allows_all(&[ANNA, ParticipantKey(2)], WallTime(150)));
        assert!(gate.allows_all(&[ANNA], WallTime(150)));
    }

    #[test]
    fn in_the_same_instant_the_withdrawal_counts() {
        for order in [[Decision::Granted, Decision::Withdrawn], [Decision::Withdrawn, Decision::Granted]] {
            let mut gate = Gate::new();
            order.iter().for_each(|decision| gate.record(decided(*decision, 5)).unwrap());
            assert!(!gate.allows(ANNA, WallTime(5)));
        }
    }

    #[test]
    fn what_proves_nothing_is_refused_unless_it_protects() {
        let mut gate = Gate::new();
        let nameless = |decision| Evidence { identity: String::new(), ..decided(decision, 1) };
        assert_eq!(gate.record(nameless(Decision::Granted)), Err(ConsentError::Unproven));
        gate.record(decided(Decision::Granted, 1)).unwrap();
        assert_eq!(gate.record(decided(Decision::Granted, 0)), Err(ConsentError::OutOfOrder));
        gate.record(Evidence { at: WallTime(0), ..nameless(Decision::Withdrawn) }).unwrap();
        assert!(!gate.allows(ANNA, WallTime(2)), "even with a clock behind the times");
    }

    #[test]
    fn a_withdrawal_always_finds_room() {
        let mut gate = Gate::new();
        for at in 0..2 * MAX_RECORDS as u64 {
            let _ = gate.record(decided(Decision::Granted, at));
        }
        assert_eq!(gate.record(decided(Decision::Granted, 999)), Err(ConsentError::TooOften));
        gate.record(decided(Decision::Withdrawn, 999)).unwrap();
        assert!(!gate.allows(ANNA, WallTime(999)));
        assert_eq!(gate.record(decided(Decision::Granted, 1000)), Err(ConsentError::TooOften));
        gate.record(decided(Decision::Withdrawn, 1001)).unwrap();
        assert_eq!(gate.evidence(ANNA).len(), MAX_RECORDS);
    }

    proptest! {
        /// Against the plain reading: the newest decision, a withdrawal before a grant.
        #[test]
        fn equals_the_newest_decision(
            mut row in proptest::collection::vec((0u64..50, any::<bool>()), 0..40), at in 0u64..60,
        ) {
            row.sort_by_key(|(at, _)| *at);
            let mut gate = Gate::new();
            for (at, granted) in &row {
                let decision = if *granted { Decision::Granted } else { Decision::Withdrawn };
                gate.record(decided(decision, *at)).unwrap();
            }
            let newest = row.iter().map(|(when, _)| *when).filter(|when| *when <= at).max();
            let expected = newest.is_some_and(|newest| {
                row.iter().filter(|(when, _)| *when == newest).all(|(_, granted)| *granted)
            });
            prop_assert_eq!(gate.allows(ANNA, WallTime(at)), expected);
        }
    }
}
