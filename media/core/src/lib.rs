//! Sans-IO core of the SFU: who gets which packet, rewritten how.
//!
//! A [`Room`] is driven by one worker: feed it packets, requests, estimates and
//! time; it returns the forwards of a packet at once and queues control
//! outputs. Nothing here reads a clock, a random source, a socket or a thread.

mod ids;
mod room;
mod types;

pub use ids::{ParticipantKey, SlotKey, TrackKey};
pub use room::Room;
pub use types::*;
