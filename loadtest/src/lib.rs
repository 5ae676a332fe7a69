//! Synthetic peers for any LiveKit-compatible server.
//!
//! A [`peer::Peer`] joins a room the way an SDK does: WebSocket, join request with an offer, ICE, DTLS. The
//! scenario `joins` measures how long that takes under a given rate, and how often it fails. The command line is
//! `parley loadtest`; its report is JSON.

pub mod network;
pub mod peer;
pub mod report;
pub mod scenario;
#[allow(dead_code, unused_imports)]
pub mod source;
#[allow(dead_code)]
pub mod stamp;
pub mod token;

pub use report::Report;
pub use scenario::{JoinsOptions, joins};
