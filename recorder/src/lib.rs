//! What a recording knows before a byte is stored: who agreed to it, and what
//! lies where in time. Pure: time and events come in as arguments.
//!
//! - [`Gate`] says whose tracks may be captured at an instant. It refuses by
//!   default, and keeps each grant and withdrawal as evidence.
//! - [`Timeline`] holds the captured segments of tracks and maps their RTP
//!   timestamps to the server's time, by the senders' reports. It starts a
//!   segment only for who has agreed, and ends it when that is withdrawn.
//!
//! Capturing packets to encrypted files and composing them to a video are not
//! here yet: **nothing can be recorded with this crate alone**.

mod clock;
mod consent;
mod timeline;

pub use clock::{SenderReport, SenderTime, WallTime};
pub use consent::{ConsentError, Decision, Evidence, Gate, Means};
pub use timeline::{Capture, RecordError, Segment, SegmentId, StopReason, Timeline};
