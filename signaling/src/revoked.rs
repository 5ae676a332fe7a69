//! Whose tokens are refused, room by room; remembered whether the room exists or not.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use crate::{
    ids::{Identity, RoomName},
    token::Claims,
};

/// Removals remembered; beyond that the oldest are forgotten first.
const MAX_REVOKED: usize = 65_536;
/// Longer than any access token is made for.
const REMEMBERED: Duration = Duration::from_secs(24 * 3_600);

/// Identity → tokens issued up to this moment (Unix time, milliseconds) are refused.
pub(crate) type RevokedInRoom = HashMap<Identity, u64>;

/// Was this token issued before its bearer was removed?
pub(crate) fn is_revoked(revoked: &RevokedInRoom, claims: &Claims) -> bool {
    let until_ms = revoked.get(&Identity::from(claims));
    until_ms.is_some_and(|until_ms| claims.issued_at_ms() <= *until_ms)
}

#[derive(Clone, Copy, Debug, Default)]
struct Removal {
    until_ms: u64,
    removed_at_ms: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Revoked {
    rooms: HashMap<RoomName, HashMap<Identity, Removal>>,
    /// In the order of removal.
    order: VecDeque<(u64, RoomName, Identity)>,
}

impl Revoked {
    /// Tokens issued up to `until_ms` are refused; never fewer than before.
    pub(crate) fn insert(&mut self, room: RoomName, identity: Identity, until_ms: u64, now_ms: u64) {
        let remembered_ms = u64::try_from(REMEMBERED.as_millis()).unwrap_or(u64::MAX);
        while let Some((at_ms, _, _)) = self.order.front()
            && (self.order.len() >= MAX_REVOKED || at_ms.saturating_add(remembered_ms) < now_ms)
        {
            self.forget_oldest();
        }
        let kept = self.rooms.entry(room.clone()).or_default().entry(identity.clone()).or_default();
        kept.until_ms = until_ms.max(kept.until_ms);
        kept.removed_at_ms = now_ms;
        self.order.push_back((now_ms, room, identity));
    }

    pub(crate) fn in_room(&self, room: &RoomName) -> RevokedInRoom {
        let removals = self.rooms.get(room).into_iter().flatten();
        removals.map(|(identity, removal)| (identity.clone(), removal.until_ms)).collect()
    }

    fn forget_oldest(&mut self) {
        let Some((at_ms, room, identity)) = self.order.pop_front() else { return };
        let Some(identities) = self.rooms.get_mut(&room) else { return };
        // Removed again since: the later removal has an entry of its own.
        if identities.get(&identity).is_some_and(|removal| removal.removed_at_ms == at_ms) {
            identities.remove(&identity);
        }
        if identities.is_empty() {
            self.rooms.remove(&room);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_remembered_for_a_day_and_within_bounds() {
        let (room, ann) = (RoomName::from("r"), Identity::from("ann"));
        let mut revoked = Revoked::default();
        revoked.insert(room.clone(), ann.clone(), 2_000, 1_000);
        revoked.insert(room.clone(), ann.clone(), 1_500, 2_000);
        let day_ms = 24 * 3_600 * 1_000;
        revoked.insert("other".into(), "bob".into(), day_ms + 1_500, day_ms + 1_500);
        assert_eq!(revoked.in_room(&room)[&ann], 2_000, "the stricter one holds");
        revoked.insert("other".into(), "eve".into(), day_ms + 3_000, day_ms + 3_000);
        assert!(revoked.in_room(&room).is_empty());
        for number in 0..MAX_REVOKED {
            revoked.insert("full".into(), Identity(number.to_string()), day_ms + 4_000, day_ms + 4_000);
        }
        assert_eq!(revoked.order.len(), MAX_REVOKED);
        assert!(revoked.in_room(&"other".into()).is_empty());
    }
}
