//! Who has the waiting room's page open. In memory: pages connect again by themselves after a restart.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use parley_control_domain::ParticipantId;

use crate::ports::Clock;

/// A page that vanished this long ago is taken for gone: longer than a reload or a change of network.
pub const GONE_AFTER: SignedDuration = SignedDuration::from_secs(30);
/// Forgotten after this: the longest window and some.
const FORGET_AFTER: SignedDuration = SignedDuration::from_hours(24);
/// People remembered; a new one beyond is refused room and simply counts as not present.
const MAX_PEOPLE: usize = 20_000;

#[derive(Debug, Clone, Copy)]
struct Seen {
    pages: u32,
    last_seen: Timestamp,
}

/// The table of open pages.
pub struct Presence {
    clock: Arc<dyn Clock>,
    started_at: Timestamp,
    people: Mutex<HashMap<ParticipantId, Seen>>,
}

impl Presence {
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let started_at = clock.now();
        Self { clock, started_at, people: Mutex::new(HashMap::new()) }
    }

    /// A page was opened; it is closed when the guard is dropped.
    pub fn open(self: &Arc<Self>, who: ParticipantId) -> PageGuard {
        self.note(who, 1);
        PageGuard { presence: Arc::clone(self), who }
    }

    /// A request came.
    pub fn touch(&self, who: ParticipantId) {
        self.note(who, 0);
    }

    /// Whether someone who waits has vanished. After a restart everyone gets the time to connect again.
    pub fn is_gone(&self, who: ParticipantId, now: Timestamp) -> bool {
        let last_seen = match self.lock().get(&who) {
            Some(seen) if seen.pages > 0 => return false,
            Some(seen) => seen.last_seen,
            None => self.started_at,
        };
        now.duration_since(last_seen) > GONE_AFTER
    }

    /// Drops what is long over.
    pub fn sweep(&self, now: Timestamp) {
        self.lock().retain(|_, seen| seen.pages > 0 || now.duration_since(seen.last_seen) < FORGET_AFTER);
    }

    fn note(&self, who: ParticipantId, pages: u32) {
        let now = self.clock.now();
        let mut people = self.lock();
        if people.len() >= MAX_PEOPLE && !people.contains_key(&who) {
            return;
        }
        let seen = people.entry(who).or_insert(Seen { pages: 0, last_seen: now });
        seen.pages = seen.pages.saturating_add(pages);
        seen.last_seen = now;
    }

    fn close(&self, who: ParticipantId) {
        let now = self.clock.now();
        if let Some(seen) = self.lock().get_mut(&who) {
            seen.pages = seen.pages.saturating_sub(1);
            seen.last_seen = now;
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ParticipantId, Seen>> {
        self.people.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An open page.
pub struct PageGuard {
    presence: Arc<Presence>,
    who: ParticipantId,
}

impl Drop for PageGuard {
    fn drop(&mut self) {
        self.presence.close(self.who);
    }
}
