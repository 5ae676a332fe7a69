//! Synthetic peers for any LiveKit-compatible server.
//!
//! A [`Client`] joins a room the way an SDK does (WebSocket, join request with an offer, ICE, DTLS), publishes
//! pictures and sound made by [`source`] and receives what others publish, checked by [`continuity`]. Peers run on
//! the threads of an [`Engine`]; scenarios talk to them through handles. The command line is `parley loadtest`.

pub mod bare;
mod client;
pub mod compare;
pub mod continuity;
pub mod control;
mod engine;
mod error;
mod histogram;
pub mod html;
mod http;
mod inside;
mod leaks;
mod light;
pub mod network;
mod peer;
mod procfs;
pub mod report;
pub mod scenario;
pub mod server;
pub mod source;
pub mod stamp;
pub mod stats;
pub mod token;
mod udp;
mod wire;

pub use client::{Client, Join};
pub use engine::Engine;
pub use error::JoinError;
pub use histogram::Histogram;
pub use peer::{MediaKind, Observer, Packet, Publish, Shown};
pub use report::Report;
pub use wire::TrackSettings;
