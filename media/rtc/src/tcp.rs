//! ICE over TCP (RFC 6544): for clients behind firewalls that let no UDP through.
//!
//! The server has passive host candidates on one port for all workers. The client connects and
//! sends its first check; the user fragment in it names the connection, and so the worker, to which
//! the stream is handed over. From there it is a path like any other: datagrams in frames of RFC 4571.
//!
//! | file | what it knows |
//! |---|---|
//! | `frame` | where a datagram begins and ends |
//! | `queue` | what waits to be written, and what is dropped first |
//! | `streams` | the streams of one worker |
//! | `router` | which worker has a user fragment |
//! | `listener` | streams that have not said yet for whom they are |

pub(crate) mod frame;
pub(crate) mod listener;
pub(crate) mod queue;
pub(crate) mod router;
pub(crate) mod streams;
