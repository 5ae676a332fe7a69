//! Counts failures by key and says when the next attempt is allowed. In memory: a restart forgives.

use std::collections::HashMap;
use std::sync::Mutex;

use jiff::{SignedDuration, Timestamp};

/// Keys remembered; when full, those whose window is over go first, then the oldest.
const MAX_KEYS: usize = 10_000;

/// How many failures are allowed in which time.
#[derive(Debug, Clone, Copy)]
pub struct Limit {
    pub failures: u32,
    pub window: SignedDuration,
}

struct Entry {
    since: Timestamp,
    failures: u32,
}

/// Failures per key in fixed windows.
pub struct Throttle {
    limit: Limit,
    entries: Mutex<HashMap<String, Entry>>,
}

impl Throttle {
    pub fn new(limit: Limit) -> Self {
        Self { limit, entries: Mutex::new(HashMap::new()) }
    }

    /// Seconds to wait, when the key has failed too often.
    pub fn wait_s(&self, key: &str, now: Timestamp) -> Option<u64> {
        let entries = self.lock();
        let entry = entries.get(key)?;
        let over = entry.since + self.limit.window;
        if entry.failures < self.limit.failures || now >= over {
            return None;
        }
        u64::try_from(over.duration_since(now).as_secs() + 1).ok()
    }

    /// Counts an attempt at once, before its outcome is known, so that attempts sent together are all counted.
    /// Seconds to wait when there have been too many already.
    pub fn count(&self, key: &str, now: Timestamp) -> Result<(), u64> {
        if let Some(wait) = self.wait_s(key, now) {
            return Err(wait);
        }
        let mut entries = self.lock();
        if entries.len() >= MAX_KEYS && !entries.contains_key(key) {
            make_room(&mut entries, now, self.limit.window);
        }
        let entry = entries.entry(key.to_owned()).or_insert(Entry { since: now, failures: 0 });
        if now >= entry.since + self.limit.window {
            *entry = Entry { since: now, failures: 0 };
        }
        entry.failures = entry.failures.saturating_add(1);
        Ok(())
    }

    /// The attempt was right: it does not count, those before it do.
    pub fn uncount(&self, key: &str) {
        if let Some(entry) = self.lock().get_mut(key) {
            entry.failures = entry.failures.saturating_sub(1);
        }
    }

    /// The attempt was right: forget its failures.
    pub fn forgive(&self, key: &str) {
        self.lock().remove(key);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Entry>> {
        self.entries.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn make_room(entries: &mut HashMap<String, Entry>, now: Timestamp, window: SignedDuration) {
    entries.retain(|_, entry| now < entry.since + window);
    if entries.len() >= MAX_KEYS {
        let oldest = entries.iter().min_by_key(|(_, entry)| entry.since).map(|(key, _)| key.clone());
        if let Some(oldest) = oldest {
            entries.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn allows_so_many_failures_and_recovers_when_the_window_is_over() {
        let throttle = Throttle::new(Limit { failures: 3, window: SignedDuration::from_mins(15) });
        let start: Timestamp = "2026-11-21T09:00:00Z".parse().unwrap();
        for _ in 0..3 {
            assert_eq!(throttle.count("a", start), Ok(()));
        }
        assert_eq!(throttle.count("a", start), Err(901));
        assert_eq!(throttle.count("b", start), Ok(()), "other keys are not touched");
        assert_eq!(throttle.count("a", start + SignedDuration::from_mins(15)), Ok(()));
    }

    #[test]
    fn forgives_after_a_right_attempt() {
        let throttle = Throttle::new(Limit { failures: 1, window: SignedDuration::from_mins(1) });
        let start: Timestamp = "2026-11-21T09:00:00Z".parse().unwrap();
        throttle.count("a", start).unwrap();
        throttle.forgive("a");
        assert_eq!(throttle.count("a", start), Ok(()));
    }

    #[test]
    fn a_right_attempt_takes_only_itself_back() {
        let throttle = Throttle::new(Limit { failures: 2, window: SignedDuration::from_mins(1) });
        let start: Timestamp = "2026-11-21T09:00:00Z".parse().unwrap();
        throttle.count("a", start).unwrap();
        throttle.count("a", start).unwrap();
        throttle.uncount("a");
        assert_eq!(throttle.count("a", start), Ok(()));
        assert!(throttle.count("a", start).is_err());
    }

    #[test]
    fn the_table_is_bounded() {
        let throttle = Throttle::new(Limit { failures: 1, window: SignedDuration::from_mins(1) });
        let start: Timestamp = "2026-11-21T09:00:00Z".parse().unwrap();
        for n in 0..MAX_KEYS + 50 {
            throttle.count(&n.to_string(), start + SignedDuration::from_micros(n as i64)).unwrap();
        }
        assert_eq!(throttle.lock().len(), MAX_KEYS);
        assert!(throttle.wait_s("0", start).is_none(), "the oldest went");
    }
}
