//! Who has the waiting room's page open. In memory: pages connect again by themselves after a restart.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};

use crate::bus::Changed;
use crate::ports::Clock;

/// A page that vanished this long ago is taken for gone: longer than a reload or a change of network.
pub const GONE_AFTER: SignedDuration = SignedDuration::from_secs(30);
/// Forgotten after this: the longest window and some.
const FORGET_AFTER: SignedDuration = SignedDuration::from_hours(24);
/// Pages of one person: several tabs and devices, and streams whose end is not noticed yet.
const MAX_PAGES: u32 = 8;
/// People remembered; beyond, a new one simply does not count as present.
const MAX_PEOPLE: usize = 20_000;

#[derive(Debug, Clone, Copy)]
struct Seen {
    pages: u32,
    last_seen: Timestamp,
    /// Which appointment's pages are told when he goes.
    changed: Changed,
    told_gone: bool,
}

/// The table of open pages, by identity.
pub struct Presence {
    clock: Arc<dyn Clock>,
    started_at: Timestamp,
    people: Mutex<HashMap<String, Seen>>,
}

impl Presence {
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let started_at = clock.now();
        Self { clock, started_at, people: Mutex::new(HashMap::new()) }
    }

    /// A page was opened; it is closed when the guard is dropped. `None` when he has [`MAX_PAGES`] already.
    pub fn open(self: &Arc<Self>, identity: &str, changed: Changed) -> Option<PageGuard> {
        if self.lock().get(identity).is_some_and(|seen| seen.pages >= MAX_PAGES) {
            return None;
        }
        self.note(identity, changed, 1);
        Some(PageGuard { presence: Arc::clone(self), identity: identity.to_owned() })
    }

    /// A request came.
    pub fn touch(&self, identity: &str, changed: Changed) {
        self.note(identity, changed, 0);
    }

    /// Whether someone who waits has vanished. After a restart everyone gets the time to connect again.
    pub fn is_gone(&self, identity: &str, now: Timestamp) -> bool {
        match self.lock().get(identity) {
            Some(seen) => is_gone(seen, now),
            None => now.duration_since(self.started_at) > GONE_AFTER,
        }
    }

    /// Those who have gone since the last call; drops what is long over.
    pub fn sweep(&self, now: Timestamp) -> Vec<Changed> {
        let mut people = self.lock();
        people.retain(|_, seen| seen.pages > 0 || now.duration_since(seen.last_seen) < FORGET_AFTER);
        let mut gone = Vec::new();
        for seen in people.values_mut() {
            if !seen.told_gone && is_gone(seen, now) {
                seen.told_gone = true;
                gone.push(seen.changed);
            }
        }
        gone
    }

    fn note(&self, identity: &str, changed: Changed, pages: u32) {
        let now = self.clock.now();
        let mut people = self.lock();
        if people.len() >= MAX_PEOPLE && !people.contains_key(identity) {
            return;
        }
        let fresh = Seen { pages: 0, last_seen: now, changed, told_gone: false };
        let seen = people.entry(identity.to_owned()).or_insert(fresh);
        seen.pages = seen.pages.saturating_add(pages);
        seen.last_seen = now;
        seen.told_gone = false;
    }

    fn close(&self, identity: &str) {
        let now = self.clock.now();
        if let Some(seen) = self.lock().get_mut(identity) {
            seen.pages = seen.pages.saturating_sub(1);
            seen.last_seen = now;
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Seen>> {
        self.people.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_gone(seen: &Seen, now: Timestamp) -> bool {
    seen.pages == 0 && now.duration_since(seen.last_seen) > GONE_AFTER
}

/// An open page.
pub struct PageGuard {
    presence: Arc<Presence>,
    identity: String,
}

impl Drop for PageGuard {
    fn drop(&mut self) {
        self.presence.close(&self.identity);
    }
}
