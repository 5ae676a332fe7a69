//! Opening: connections, their settings, migrations.

use std::path::Path;
use std::time::Duration;

use parley_control_app::ports::StoreError;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use crate::DatabaseUrl;
use crate::db::{Database, sql};
use crate::error::Failure;

/// Connections that read an SQLite file at once.
const SQLITE_READERS: u32 = 4;
/// Connections to PostgreSQL.
const POSTGRES_CONNECTIONS: u32 = 16;
/// How long a caller waits for a connection before the database counts as busy.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(20);
/// How long SQLite waits for another process (a backup) that holds the file.
const SQLITE_BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// The open database. Cheap to clone; all clones share the connections.
#[derive(Clone)]
pub struct Store {
    pub(crate) db: Database,
}

impl Store {
    /// Opens the database, makes the SQLite file when it is not there (readable by its owner
    /// only), and brings the tables up to date.
    ///
    /// # Errors
    /// The file or server cannot be reached, or a migration failed; the text says which.
    pub async fn open(url: &DatabaseUrl) -> Result<Self, StoreError> {
        let db = match url {
            DatabaseUrl::Sqlite(path) => open_sqlite(path).await?,
            DatabaseUrl::Postgres(options) => open_postgres(options).await?,
        };
        Ok(Self { db })
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// It does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        let mut conn = self.db.reader().await?;
        sql("SELECT 1").execute(&mut conn).await?;
        Ok(())
    }

    /// Waits for running transactions and closes every connection.
    pub async fn close(&self) {
        self.db.close().await;
    }
}

async fn open_sqlite(path: &Path) -> Result<Database, StoreError> {
    make_private_file(path)?;
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .foreign_keys(true)
        .busy_timeout(SQLITE_BUSY_TIMEOUT);
    // A booking that was confirmed survives a power cut: FULL syncs the journal on each commit.
    let writer = options.clone().journal_mode(SqliteJournalMode::Wal).synchronous(SqliteSynchronous::Full);
    let write = SqlitePoolOptions::new()
        .max_connections(1)
        .min_connections(1)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .connect_with(writer)
        .await
        .map_err(|error| unopened(&path.display().to_string(), &error))?;
    migrated(sqlx::migrate!("../../migrations/sqlite").run(&write).await)?;
    let read = SqlitePoolOptions::new()
        .max_connections(SQLITE_READERS)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .connect_with(options.pragma("query_only", "ON"))
        .await
        .map_err(|error| unopened(&path.display().to_string(), &error))?;
    Ok(Database::Sqlite { write, read })
}

async fn open_postgres(options: &PgConnectOptions) -> Result<Database, StoreError> {
    let place = format!("{}:{}", options.get_host(), options.get_port());
    let pool = PgPoolOptions::new()
        .max_connections(POSTGRES_CONNECTIONS)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .connect_with(options.clone().application_name("parley"))
        .await
        .map_err(|error| unopened(&place, &error))?;
    migrated(sqlx::migrate!("../../migrations/postgres").run(&pool).await)?;
    Ok(Database::Postgres(pool))
}

/// The file holds personal data: SQLite gives its journal files the rights of the main one.
fn make_private_file(path: &Path) -> Result<(), StoreError> {
    let mut options = std::fs::OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options.open(path).map(drop).map_err(|error| StoreError {
        detail: format!("the database file {} cannot be opened for writing: {error}", path.display()),
        transient: false,
    })
}

fn unopened(place: &str, error: &sqlx::Error) -> StoreError {
    StoreError { detail: format!("the database at {place} cannot be opened: {error}"), transient: true }
}

fn migrated(result: Result<(), sqlx::migrate::MigrateError>) -> Result<(), StoreError> {
    result.map_err(|error| {
        Failure::Corrupt(format!("the database's tables could not be brought up to date: {error}")).into()
    })
}
