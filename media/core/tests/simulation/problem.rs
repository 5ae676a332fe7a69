//! A promise that was broken.

use std::fmt;

/// Which promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Law {
    /// No packet to somebody who may not have it.
    Permission,
    /// Sequence numbers: no jump but for what was lost, none twice, none out of order.
    Sequence,
    /// Timestamps go on by the time that passes.
    Timestamp,
    /// Picture id, TL0PICIDX and KEYIDX go on.
    Picture,
    /// Streams begin, and change, at a keyframe.
    Keyframe,
    /// What a frame needs was sent before.
    Reference,
    /// Headers and payloads that carry nothing are left as they were.
    Header,
    /// Sound is forwarded whatever the bandwidth.
    Sound,
    /// No more is sent than the estimate allows.
    Budget,
    /// At rest each slot shows the best layer that fits, and keeps showing it.
    Best,
    /// At rest equals get the same, but for one step.
    Fair,
    /// Who ranks higher goes first.
    Rank,
    /// The client knows when its picture is paused.
    Pause,
    /// The client knows which layer it sees.
    Told,
    /// At rest the receiver can decode what it gets.
    Decodable,
    /// A server short of time leaves out what it says, no less and no more.
    Overload,
    /// Earlier frames of sound go to who takes them and loses packets, as far as there is room.
    Redundancy,
    /// A publisher that is cut off knows it, and others have no reason to think so.
    Quality,
    /// The publisher knows which layers are watched.
    Dynacast,
    /// Keyframes are asked for, but not too often, and never of the muted.
    Requests,
    /// Who talks is a speaker, who does not is none.
    Speakers,
    /// Time makes progress: after a timeout the next one lies ahead.
    Timers,
    /// Outputs are few and none is lost.
    Queue,
    /// Nothing that comes from outside makes the core panic.
    Panic,
}

#[derive(Clone, Debug)]
pub struct Problem {
    pub law: Law,
    pub text: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}: {}", self.law, self.text)
    }
}

/// Breaks off with a problem.
pub fn broken<T>(law: Law, text: impl Into<String>) -> Result<T, Problem> {
    Err(Problem { law, text: text.into() })
}
