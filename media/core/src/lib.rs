//! Sans-IO core of the SFU: who gets which packet, rewritten how.
//!
//! A [`Room`] is driven by one worker: feed it packets, requests, estimates and
//! time; it returns the forwards of a packet at once and queues control
//! outputs. Nothing here reads a clock, a random source, a socket or a thread.
//!
//! How bandwidth is divided stands in `docs/allocation.md`.

mod allocator;
mod audible;
mod cap;
mod counter;
mod dependency;
mod dynacast;
#[doc(hidden)]
pub mod fuzzing;
mod ids;
mod keyframe;
mod ladder;
mod layers;
mod meter;
mod quality;
pub mod red;
mod renumber;
mod room;
mod slot;
mod slots;
mod speakers;
#[cfg(test)]
mod testing;
mod throttle;
mod timestamp;
mod track;
mod types;
mod viewing;
mod vp8;
mod vp9;
mod window;

pub use audible::{VOICES_DEFAULT, VOICES_MAX};
pub use ids::{PartKey, ParticipantKey, SlotKey, TrackKey};
pub use meter::WIRE_OVERHEAD_BYTES;
pub use room::Room;
pub use types::*;
