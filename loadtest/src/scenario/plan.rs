//! Who takes part in which room, and does what.

use super::{MAX_PEERS, Options};

/// The kinds of load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// Calls of two who both send and watch.
    OneToOne,
    /// Few publishers, many who watch.
    Fanout,
    /// Everybody sends and watches.
    Meeting,
    /// Everybody joins, stays until all have, and leaves; no media.
    Joins,
}

/// One participant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerPlan {
    pub room: usize,
    pub number: usize,
    pub video: bool,
    pub audio: bool,
    pub watches: bool,
}

impl Scenario {
    pub fn name(self) -> &'static str {
        match self {
            Self::OneToOne => "one-to-one",
            Self::Fanout => "fanout",
            Self::Meeting => "meeting",
            Self::Joins => "joins",
        }
    }

    /// Publishers and watchers of one room, and how many are there: some are both.
    pub(super) fn room(self, publishers: Option<usize>, watchers: Option<usize>) -> (usize, usize, usize) {
        match self {
            Self::OneToOne => (2, 2, 2),
            Self::Fanout => {
                let (publishers, watchers) = (publishers.unwrap_or(1).max(1), watchers.unwrap_or(10));
                (publishers, watchers, publishers + watchers)
            }
            Self::Meeting => {
                let all = publishers.unwrap_or(0).max(watchers.unwrap_or(0));
                let all = if all == 0 { 10 } else { all };
                (publishers.filter(|count| *count > 0).unwrap_or(all), all, all)
            }
            Self::Joins => {
                let all =
                    publishers.unwrap_or(0) + watchers.unwrap_or(if publishers.is_some() { 0 } else { 2 });
                (0, 0, all.max(1))
            }
        }
    }
}

/// All participants, room by room; at most [`MAX_PEERS`].
pub(super) fn plan(options: &Options) -> Vec<PeerPlan> {
    let scenario = options.scenario;
    let (publishers, _, all) = scenario.room(options.publishers, options.watchers);
    let sound = options.audio.unwrap_or(scenario != Scenario::Fanout);
    let rooms = 0..options.rooms.max(1);
    let everybody = rooms.flat_map(|room| {
        (0..all).map(move |number| {
            let publishes = number < publishers;
            PeerPlan {
                room,
                number,
                video: publishes,
                audio: publishes && sound,
                watches: scenario != Scenario::Fanout || !publishes,
            }
        })
    });
    everybody.take(MAX_PEERS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rooms_are_filled_as_the_scenarios_say() {
        assert_eq!(Scenario::OneToOne.room(Some(7), None), (2, 2, 2));
        assert_eq!(Scenario::Fanout.room(None, Some(100)), (1, 100, 101));
        assert_eq!(Scenario::Fanout.room(Some(0), Some(3)), (1, 3, 4));
        assert_eq!(Scenario::Meeting.room(Some(10), Some(10)), (10, 10, 10));
        assert_eq!(Scenario::Meeting.room(Some(10), Some(0)), (10, 10, 10));
        assert_eq!(Scenario::Meeting.room(None, Some(4)), (4, 4, 4));
        assert_eq!(Scenario::Meeting.room(Some(2), Some(6)), (2, 6, 6));
        assert_eq!(Scenario::Joins.room(None, Some(1)), (0, 0, 1));
        assert_eq!(Scenario::Joins.room(Some(1), None), (0, 0, 1));
        assert_eq!(Scenario::Joins.room(None, None), (0, 0, 2));
    }
}
