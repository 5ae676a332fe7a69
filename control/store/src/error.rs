//! What can go wrong, and what a broken constraint means.

use std::fmt::Display;
use std::str::FromStr;

use parley_control_app::ports::{BookError, SaveError, StoreError};

/// A statement failed, or a row does not make sense.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Sql(#[from] sqlx::Error),
    /// The database holds, or was asked to hold, what this program cannot mean.
    #[error("{0}")]
    Corrupt(String),
}

/// PostgreSQL's codes for what another attempt can cure: serialization, deadlock, lock not
/// available, too many connections, shutdown and connection failures.
const TRANSIENT_CODES: [&str; 10] =
    ["40001", "40P01", "55P03", "53300", "57P01", "57P02", "57P03", "08000", "08003", "08006"];

impl Failure {
    /// Whether the provider's time is taken: said by PostgreSQL's exclusion constraint or by
    /// the key of SQLite's cells.
    pub(crate) fn is_overlap(&self) -> bool {
        let Self::Sql(sqlx::Error::Database(error)) = self else { return false };
        error.code().as_deref() == Some("23P01")
            || (error.is_unique_violation() && error.message().contains("provider_cells."))
    }

    /// The field whose value is in use elsewhere, if that is what failed.
    pub(crate) fn taken(&self) -> Option<&'static str> {
        let Self::Sql(sqlx::Error::Database(error)) = self else { return None };
        if !error.is_unique_violation() {
            return None;
        }
        // PostgreSQL names the constraint, SQLite the columns.
        let place = format!("{} {}", error.constraint().unwrap_or_default(), error.message());
        [("email_key", "email"), ("slug", "slug")]
            .into_iter()
            .find_map(|(column, field)| place.contains(column).then_some(field))
    }

    fn is_transient(&self) -> bool {
        match self {
            Self::Corrupt(_) => false,
            Self::Sql(sqlx::Error::PoolTimedOut | sqlx::Error::Io(_) | sqlx::Error::WorkerCrashed) => true,
            Self::Sql(sqlx::Error::Database(error)) => {
                let code = error.code().unwrap_or_default();
                let sqlite_busy_or_locked = code
                    .parse::<i64>()
                    .is_ok_and(|code| code.to_string().len() < 5 && matches!(code & 0xff, 5 | 6));
                TRANSIENT_CODES.contains(&code.as_ref())
                    || sqlite_busy_or_locked
                    // A fresh random code that is in use: the next attempt draws another.
                    || (error.is_unique_violation() && error.message().contains("join_codes"))
            }
            Self::Sql(_) => false,
        }
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        Self { detail: failure.to_string(), transient: failure.is_transient() }
    }
}

impl From<Failure> for SaveError {
    fn from(failure: Failure) -> Self {
        if failure.is_overlap() {
            return Self::Taken { field: "start" };
        }
        match failure.taken() {
            Some(field) => Self::Taken { field },
            None => Self::Store(failure.into()),
        }
    }
}

impl From<Failure> for BookError {
    fn from(failure: Failure) -> Self {
        if failure.is_overlap() { Self::SlotTaken } else { Self::Store(failure.into()) }
    }
}

/// Reads a column that holds one of a fixed set of words.
pub(crate) fn word<T>(column: &str, text: &str) -> Result<T, Failure>
where
    T: FromStr,
    T::Err: Display,
{
    text.parse().map_err(|error| Failure::Corrupt(format!("column {column}: {error}")))
}

/// Gives a value that was read a place in the error text.
pub(crate) fn column<T, E: Display>(column: &str, value: Result<T, E>) -> Result<T, Failure> {
    value.map_err(|error| Failure::Corrupt(format!("column {column}: {error}")))
}
