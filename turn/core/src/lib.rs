//! Sans-IO core of the STUN server.
//!
//! [`Server`] answers binding requests (RFC 8489): a client learns under which
//! address and port the world sees it. That is all there is here so far: **no
//! TURN relay** (RFC 8656) yet. Allocations are not answered, so a client that
//! can only be reached through a relay cannot be helped by this server.
//!
//! Nothing here reads a clock or a random source or knows a socket: datagrams
//! and time come in as arguments, the reply is returned.

mod limit;
mod server;

pub use limit::{Limiter, Limits};
pub use server::{Counters, Server};
