//! The shell around `parley-media-core`: str0m peers, worker threads, sockets.
//!
//! Signaling holds a [`Media`] and a [`RoomHandle`] per room and reads
//! [`MediaEvent`]s; it never sees a packet of media.
//!
//! A worker is a thread with one UDP port and the rooms that were opened on it.
//! Each turn of its loop carries out commands, reads datagrams in batches, gives
//! each to the one peer it is for (`demux`: by address, or by ICE user fragment),
//! lets the core route what comes out, writes it to the receivers, and at the end
//! drains only the peers that were touched and sends in batches (`sockets`).
//! Nothing in it waits for another thread, and no two threads share state but
//! counters and bounded queues.
//!
//! | module | what it knows |
//! |---|---|
//! | `peer` | one state machine; what it does wrong ends its connection only |
//! | `layout`, `relay` | rooms wider than one worker: what is where, and what goes between |
//! | `bandwidth` | what can be sent to a participant: pure, no str0m |
//! | `outgoing` | what leaves a peer, and which way |
//! | `room` | glue between the core, the peers and signaling |
//! | `negotiation` | which section shows which track: pure, no str0m, no text |
//! | `sdp` | the text of descriptions: the only place that reads or rewrites it |
//! | `path` | where a peer's media goes out: what the client's checks say |
//! | `probe` | checks of the server, when a client seems to have moved |
//! | `tcp` | ICE over TCP: the listener, and the streams of a worker |
//! | `codecs` | how a connection is built, how payload types correspond |

mod api;
mod arena;
mod bandwidth;
mod channels;
mod codecs;
mod command;
mod demux;
mod descriptor;
#[doc(hidden)]
pub mod fuzzing;
mod handle;
mod histogram;
mod keyed;
mod layout;
mod metrics;
mod negotiation;
mod outgoing;
mod overload;
mod path;
mod peer;
mod probe;
mod relay;
mod room;
mod rooms;
mod sdp;
mod sockets;
mod tcp;
mod timers;
mod watch;
mod worker;

pub use api::*;
pub use handle::Media;
pub use histogram::HistogramSnapshot;
pub use metrics::{Metric, MetricsSnapshot, Value};
pub use rooms::RoomHandle;
