//! Which database, as the configuration says it.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use sqlx::postgres::PgConnectOptions;

/// `sqlite:///var/lib/parley/parley.db` or `postgres://user:password@host:5432/name`.
#[derive(Clone)]
pub enum DatabaseUrl {
    /// A file; it is made when it is not there. Its folder must be.
    Sqlite(PathBuf),
    /// A server.
    Postgres(Box<PgConnectOptions>),
}

/// The address of the database cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the database address is wrong: {0}; use sqlite:///path/to/file or postgres://user@host/name")]
pub struct DatabaseUrlError(String);

impl DatabaseUrl {
    /// The file of an embedded database.
    pub fn sqlite(path: impl Into<PathBuf>) -> Self {
        Self::Sqlite(path.into())
    }
}

impl FromStr for DatabaseUrl {
    type Err = DatabaseUrlError;

    fn from_str(text: &str) -> Result<Self, DatabaseUrlError> {
        if let Some(rest) = text.strip_prefix("sqlite:") {
            let path = rest.strip_prefix("//").unwrap_or(rest);
            if path.is_empty() {
                return Err(DatabaseUrlError("it names no file".to_owned()));
            }
            if path.contains('?') {
                return Err(DatabaseUrlError("options after ? are not taken".to_owned()));
            }
            return Ok(Self::Sqlite(PathBuf::from(path)));
        }
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            let options =
                PgConnectOptions::from_str(text).map_err(|error| DatabaseUrlError(error.to_string()))?;
            return Ok(Self::Postgres(Box::new(options)));
        }
        Err(DatabaseUrlError("it is neither sqlite: nor postgres:".to_owned()))
    }
}

/// Shows where, never the password.
impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite://{}", path.display()),
            Self::Postgres(options) => write!(f, "postgres://{}:{}", options.get_host(), options.get_port()),
        }
    }
}
