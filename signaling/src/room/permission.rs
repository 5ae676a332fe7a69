//! Who may subscribe to whose tracks, as the publisher says.

use std::collections::{HashMap, HashSet};

use livekit_protocol as proto;

use crate::ids::{Identity, ParticipantSid, TrackSid};

/// Entries of a permission list that are kept.
const MAX_ENTRIES: usize = 4_096;

#[derive(Clone, Debug)]
enum Allowed {
    All,
    Tracks(HashSet<TrackSid>),
}

/// A publisher's `SubscriptionPermission`, prepared for look-up. The default allows all.
#[derive(Clone, Debug, Default)]
pub(crate) struct SubscriptionRules {
    restricted: bool,
    by_identity: HashMap<Identity, Allowed>,
    by_sid: HashMap<ParticipantSid, Allowed>,
}

impl SubscriptionRules {
    pub(crate) fn new(message: proto::SubscriptionPermission) -> Self {
        let mut rules = Self { restricted: !message.all_participants, ..Self::default() };
        for entry in message.track_permissions.into_iter().take(MAX_ENTRIES) {
            let allowed = if entry.all_tracks {
                Allowed::All
            } else {
                Allowed::Tracks(entry.track_sids.into_iter().take(MAX_ENTRIES).map(TrackSid).collect())
            };
            if !entry.participant_identity.is_empty() {
                rules.by_identity.insert(Identity(entry.participant_identity), allowed);
            } else if !entry.participant_sid.is_empty() {
                rules.by_sid.insert(ParticipantSid(entry.participant_sid), allowed);
            }
        }
        rules
    }

    pub(crate) fn allows(&self, identity: &Identity, sid: &ParticipantSid, track: &TrackSid) -> bool {
        if !self.restricted {
            return true;
        }
        match self.by_identity.get(identity).or_else(|| self.by_sid.get(sid)) {
            None => false,
            Some(Allowed::All) => true,
            Some(Allowed::Tracks(tracks)) => tracks.contains(track),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(all: bool, entries: Vec<proto::TrackPermission>) -> SubscriptionRules {
        SubscriptionRules::new(proto::SubscriptionPermission {
            all_participants: all,
            track_permissions: entries,
        })
    }

    fn allows(rules: &SubscriptionRules, identity: &str, track: &str) -> bool {
        rules.allows(&identity.into(), &"PA_x".into(), &track.into())
    }

    #[test]
    fn without_rules_everybody_may() {
        assert!(allows(&SubscriptionRules::default(), "bob", "TR_1"));
    }

    #[test]
    fn an_empty_list_shuts_everybody_out() {
        assert!(!allows(&rules(false, Vec::new()), "bob", "TR_1"));
    }

    #[test]
    fn entries_open_single_tracks_or_all() {
        let rules = rules(
            false,
            vec![
                proto::TrackPermission {
                    participant_identity: "bob".into(),
                    track_sids: vec!["TR_1".into()],
                    ..Default::default()
                },
                proto::TrackPermission {
                    participant_identity: "eve".into(),
                    all_tracks: true,
                    ..Default::default()
                },
                proto::TrackPermission {
                    participant_sid: "PA_s".into(),
                    all_tracks: true,
                    ..Default::default()
                },
            ],
        );
        assert!(allows(&rules, "bob", "TR_1"));
        assert!(!allows(&rules, "bob", "TR_2"));
        assert!(allows(&rules, "eve", "TR_2"));
        assert!(!allows(&rules, "mallory", "TR_1"));
        assert!(rules.allows(&"mallory".into(), &"PA_s".into(), &"TR_1".into()));
    }
}
