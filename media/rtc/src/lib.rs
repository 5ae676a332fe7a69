//! The shell around `parley-media-core`: str0m peers, worker threads, sockets.
//!
//! Signaling holds a [`Media`] and a [`RoomHandle`] per room and reads
//! [`MediaEvent`]s; it never sees a packet of media.

mod api;
mod handle;

pub use api::*;
pub use handle::{Media, RoomHandle};
