//! The control plane over HTTP: REST under `/api/v1`, server-sent events, OpenAPI.
//!
//! Handlers translate between the wire and the use cases; they decide nothing. The table in [`ENDPOINTS`]
//! names every endpoint with what it asks for, and the guard refuses what is not in it.

mod dto;
mod extract;
mod guard;
mod problem;
mod router;
mod routes;
mod sse;
mod state;

pub use guard::{Access, ENDPOINTS, access_of};
pub use problem::{Problem, ProblemDocument, ProblemField};
pub use router::router;
pub use state::HttpConfig;
