//! The shell around `parley-media-core`: str0m peers, worker threads, sockets.
//!
//! Signaling holds a [`Media`] and a [`RoomHandle`] per room and reads
//! [`MediaEvent`]s; it never sees a packet of media.

mod api;
mod arena;
mod channels;
mod codecs;
mod command;
mod demux;
mod descriptor;
mod handle;
mod metrics;
mod negotiation;
mod peer;
mod room;
mod sdp;
mod sockets;
mod timers;
mod worker;

pub use api::*;
pub use handle::{Media, RoomHandle};
pub use metrics::MetricsSnapshot;
