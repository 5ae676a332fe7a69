//! The handlers, one file per noun: they translate, the use cases decide.

pub mod account;
pub mod appointments;
pub mod catalogue;
pub mod join;
pub mod meta;
pub mod public;

use axum::Json;

use crate::problem::Problem;

/// A JSON answer or a problem.
pub type Answer<T> = Result<Json<T>, Problem>;
