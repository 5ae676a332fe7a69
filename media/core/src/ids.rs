//! Newtypes for everything that is counted, so that a swap fails to compile.

/// A participant of a room, unique for the life of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ParticipantKey(pub u64);

/// A published track, unique for the life of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TrackKey(pub u64);

/// An outgoing RTP stream of one subscriber: one media section, one SSRC.
///
/// It outlives the tracks shown on it: sections are used anew, and sequence
/// numbers, timestamps and picture ids must go on without a jump.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SlotKey(pub u32);

/// A part of a room that is wider than one worker. Each part is a `Room` of its own; tracks are
/// relayed between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PartKey(pub u32);
