//! The last reliable data messages of a publisher, for receivers that resume.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::ids::Identity;

/// Messages kept for one publisher.
const MAX_MESSAGES: usize = 256;
/// Bytes kept for one publisher.
const MAX_BYTES: usize = 512 * 1024;

#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) sequence: u32,
    /// Empty = everybody.
    pub(crate) destinations: Vec<Identity>,
    pub(crate) data: Bytes,
}

#[derive(Debug, Default)]
pub(crate) struct ReliableHistory {
    messages: VecDeque<Sent>,
    bytes: usize,
}

impl ReliableHistory {
    pub(crate) fn push(&mut self, message: Sent) {
        self.bytes += message.data.len();
        self.messages.push_back(message);
        while self.messages.len() > MAX_MESSAGES || self.bytes > MAX_BYTES {
            let Some(oldest) = self.messages.pop_front() else { break };
            self.bytes -= oldest.data.len();
        }
    }

    /// Messages for `identity` after `sequence`, oldest first.
    pub(crate) fn after<'a>(
        &'a self,
        sequence: u32,
        identity: &'a Identity,
    ) -> impl Iterator<Item = &'a Sent> {
        self.messages.iter().filter(move |sent| {
            sent.sequence > sequence && (sent.destinations.is_empty() || sent.destinations.contains(identity))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(sequence: u32, size: usize, to: &[&str]) -> Sent {
        Sent {
            sequence,
            destinations: to.iter().map(|name| Identity::from(*name)).collect(),
            data: Bytes::from(vec![0; size]),
        }
    }

    #[test]
    fn replays_what_was_missed_and_meant_for_the_receiver() {
        let mut history = ReliableHistory::default();
        history.push(sent(1, 10, &[]));
        history.push(sent(2, 10, &["bob"]));
        history.push(sent(3, 10, &["eve"]));
        history.push(sent(4, 10, &[]));
        let numbers: Vec<u32> = history.after(1, &"bob".into()).map(|sent| sent.sequence).collect();
        assert_eq!(numbers, [2, 4]);
    }

    #[test]
    fn is_bounded_in_messages_and_bytes() {
        let mut history = ReliableHistory::default();
        for sequence in 1..=1_000 {
            history.push(sent(sequence, 10, &[]));
        }
        assert_eq!(history.messages.len(), MAX_MESSAGES);
        for sequence in 1_001..=1_100 {
            history.push(sent(sequence, 64 * 1024, &[]));
        }
        assert!(history.bytes <= MAX_BYTES);
    }
}
