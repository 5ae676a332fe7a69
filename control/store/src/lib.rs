//! The control plane's database: SQLite in the process, or PostgreSQL, behind the ports of
//! `parley-control-app`. The same SQL text runs on both; one contract test suite checks both.
//!
//! No two appointments of one provider overlap, whatever the program does: an exclusion
//! constraint in PostgreSQL, in SQLite one row per provider and cell of five minutes under a
//! primary key, kept by triggers. See `migrations/`.

mod appointments;
mod audit;
mod availability;
mod bookings;
mod consultations;
mod db;
mod error;
mod instant;
mod jobs;
mod magic_links;
mod meetings;
mod members;
mod open;
mod organisations;
mod seed;
mod services;
mod sessions;
mod url;

pub use open::Store;
pub use url::{DatabaseUrl, DatabaseUrlError};
