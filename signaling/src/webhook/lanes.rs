//! Which event may go next: one lane for each room, its first event alone is on the way.

use std::collections::{HashMap, VecDeque};

/// Its owner bounds how many it holds.
#[derive(Debug)]
pub(super) struct Lanes<T> {
    /// Events behind the one that is on the way; a lane exists while one is.
    waiting: HashMap<String, VecDeque<T>>,
    /// Rooms whose first event may go.
    ready: VecDeque<(String, T)>,
}

impl<T> Lanes<T> {
    pub(super) fn new() -> Self {
        Self { waiting: HashMap::new(), ready: VecDeque::new() }
    }

    pub(super) fn push(&mut self, room: String, event: T) {
        match self.waiting.get_mut(&room) {
            Some(lane) => lane.push_back(event),
            None => {
                self.waiting.insert(room.clone(), VecDeque::new());
                self.ready.push_back((room, event));
            }
        }
    }

    /// An event to be sent now; [`Self::done`] must follow for its room.
    pub(super) fn pop(&mut self) -> Option<(String, T)> {
        self.ready.pop_front()
    }

    /// The event of `room` that was on the way has arrived or is given up.
    pub(super) fn done(&mut self, room: String) {
        let next = self.waiting.get_mut(&room).and_then(VecDeque::pop_front);
        match next {
            Some(event) => self.ready.push_back((room, event)),
            None => drop(self.waiting.remove(&room)),
        }
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.ready.is_empty()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_room_waits_for_its_own_events_and_for_no_other_room() {
        let mut lanes = Lanes::new();
        for (room, event) in [("a", 1), ("a", 2), ("b", 3), ("a", 4)] {
            lanes.push(room.to_owned(), event);
        }
        assert_eq!(lanes.pop(), Some(("a".to_owned(), 1)));
        assert_eq!(lanes.pop(), Some(("b".to_owned(), 3)));
        assert_eq!(lanes.pop(), None, "2 waits for 1");
        lanes.done("b".to_owned());
        assert_eq!(lanes.pop(), None);
        lanes.done("a".to_owned());
        assert_eq!(lanes.pop(), Some(("a".to_owned(), 2)));
        lanes.push("a".to_owned(), 5);
        lanes.done("a".to_owned());
        assert_eq!(lanes.pop(), Some(("a".to_owned(), 4)));
        lanes.done("a".to_owned());
        assert_eq!(lanes.pop(), Some(("a".to_owned(), 5)));
        lanes.done("a".to_owned());
        assert!(lanes.is_empty(), "nothing is kept of rooms without events");
    }
}
