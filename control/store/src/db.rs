//! One way to speak to both databases: the same SQL text, the same values, the same rows.

use std::borrow::Cow;

use jiff::Timestamp;
use parley_control_domain::{
    AppointmentId, AuditEventId, ConsultationId, JobId, MagicLinkId, MemberId, OrganisationId, ParticipantId,
    ServiceId, SessionId, StayId,
};
use sqlx::pool::PoolConnection;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, FromRow, PgPool, Postgres, Sqlite, SqlitePool, Transaction};
use uuid::Uuid;

use crate::error::Failure;
use crate::instant::Instant;

type Result<T> = std::result::Result<T, Failure>;

/// The open database.
#[derive(Clone)]
pub(crate) enum Database {
    /// SQLite has one writer: its pool holds one connection, so writers queue here in turn
    /// and never meet a locked database.
    Sqlite {
        /// One connection.
        write: SqlitePool,
        /// Several, read-only.
        read: SqlitePool,
    },
    Postgres(PgPool),
}

/// A connection, perhaps inside a transaction. One that is dropped without
/// [`Conn::commit`] is rolled back.
pub(crate) enum Conn {
    SqliteTx(Transaction<'static, Sqlite>),
    PostgresTx(Transaction<'static, Postgres>),
    Sqlite(PoolConnection<Sqlite>),
    Postgres(PoolConnection<Postgres>),
}

impl Database {
    /// For a single statement that reads.
    pub(crate) async fn reader(&self) -> Result<Conn> {
        Ok(match self {
            Self::Sqlite { read, .. } => Conn::Sqlite(read.acquire().await?),
            Self::Postgres(pool) => Conn::Postgres(pool.acquire().await?),
        })
    }

    /// For several statements that read one state of the database.
    pub(crate) async fn snapshot(&self) -> Result<Conn> {
        Ok(match self {
            Self::Sqlite { read, .. } => Conn::SqliteTx(read.begin().await?),
            Self::Postgres(pool) => {
                Conn::PostgresTx(pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?)
            }
        })
    }

    /// For writing.
    pub(crate) async fn write(&self) -> Result<Conn> {
        Ok(match self {
            Self::Sqlite { write, .. } => Conn::SqliteTx(write.begin_with("BEGIN IMMEDIATE").await?),
            Self::Postgres(pool) => Conn::PostgresTx(pool.begin().await?),
        })
    }

    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite { write, read } => {
                // The writer goes last: the last connection to close folds the journal in.
                read.close().await;
                write.close().await;
            }
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

impl Conn {
    /// Keeps what was written.
    pub(crate) async fn commit(self) -> Result<()> {
        match self {
            Self::SqliteTx(tx) => tx.commit().await?,
            Self::PostgresTx(tx) => tx.commit().await?,
            Self::Sqlite(_) | Self::Postgres(_) => {}
        }
        Ok(())
    }

    /// Lets the writers of one organisation's appointments go one after another, to the end of
    /// the transaction. Without it, two overlapping bookings in PostgreSQL can wait for each
    /// other's constraint check and be ended as a deadlock instead of a conflict. SQLite has
    /// one writer anyway.
    pub(crate) async fn lock_bookings(&mut self, organisation: OrganisationId) -> Result<()> {
        if let Self::PostgresTx(tx) = self {
            let (high, low) = organisation.as_uuid().as_u64_pair();
            sqlx::query("SELECT pg_advisory_xact_lock($1)")
                .bind((high ^ low).cast_signed())
                .execute(&mut **tx)
                .await?;
        }
        Ok(())
    }
}

/// A value in a statement.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    Uuid(Option<Uuid>),
    Text(Option<String>),
    Int(Option<i64>),
    Bool(bool),
    Time(Option<Instant>),
    Json(Option<serde_json::Value>),
    Bytes(Vec<u8>),
}

macro_rules! values {
    ($($type:ty: $name:ident => $value:expr;)+) => {$(
        impl From<$type> for Value {
            fn from($name: $type) -> Self {
                $value
            }
        }
    )+};
}

macro_rules! id_values {
    ($($id:ty),+ $(,)?) => {$(
        impl From<$id> for Value {
            fn from(id: $id) -> Self {
                Self::Uuid(Some(id.as_uuid()))
            }
        }

        impl From<Option<$id>> for Value {
            fn from(id: Option<$id>) -> Self {
                Self::Uuid(id.map(<$id>::as_uuid))
            }
        }
    )+};
}

values! {
    Uuid: id => Self::Uuid(Some(id));
    Option<Uuid>: id => Self::Uuid(id);
    &str: text => Self::Text(Some(text.to_owned()));
    String: text => Self::Text(Some(text));
    Option<String>: text => Self::Text(text);
    Option<&str>: text => Self::Text(text.map(str::to_owned));
    i64: number => Self::Int(Some(number));
    u32: number => Self::Int(Some(i64::from(number)));
    Option<i64>: number => Self::Int(number);
    bool: flag => Self::Bool(flag);
    Timestamp: at => Self::Time(Some(Instant(at)));
    Option<Timestamp>: at => Self::Time(at.map(Instant));
    serde_json::Value: json => Self::Json(Some(json));
    Option<serde_json::Value>: json => Self::Json(json);
    Vec<u8>: bytes => Self::Bytes(bytes);
}

id_values! {
    AppointmentId, AuditEventId, ConsultationId, JobId, MagicLinkId, MemberId, OrganisationId, ParticipantId,
    ServiceId, SessionId, StayId,
}

/// A row type that both databases give.
pub(crate) trait Record:
    for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin
{
}

impl<T> Record for T where T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin {}

/// A statement with its values, `$1` first.
pub(crate) struct Sql {
    text: Cow<'static, str>,
    values: Vec<Value>,
}

/// A statement.
pub(crate) fn sql(text: &'static str) -> Sql {
    Sql { text: Cow::Borrowed(text), values: Vec::new() }
}

/// A statement put together at run time, of constant parts and placeholders only: values are
/// always bound.
pub(crate) fn sql_of(text: String) -> Sql {
    Sql { text: Cow::Owned(text), values: Vec::new() }
}

/// `$first, $first+1, …`: placeholders for `count` values.
pub(crate) fn placeholders(first: usize, count: usize) -> String {
    (first..first + count).map(|index| format!("${index}")).collect::<Vec<_>>().join(", ")
}

macro_rules! bound {
    ($query:expr, $values:expr) => {{
        let mut query = $query;
        for value in $values {
            query = match value {
                Value::Uuid(value) => query.bind(value),
                Value::Text(value) => query.bind(value),
                Value::Int(value) => query.bind(value),
                Value::Bool(value) => query.bind(value),
                Value::Time(value) => query.bind(value),
                Value::Json(value) => query.bind(value),
                Value::Bytes(value) => query.bind(value),
            };
        }
        query
    }};
}

/// Runs `$body` with `$conn` as the connection that `$on` is.
macro_rules! on {
    ($on:expr, $conn:ident => $body:expr) => {
        match $on {
            Conn::SqliteTx(tx) => {
                let $conn = &mut **tx;
                $body
            }
            Conn::PostgresTx(tx) => {
                let $conn = &mut **tx;
                $body
            }
            Conn::Sqlite(connection) => {
                let $conn = &mut **connection;
                $body
            }
            Conn::Postgres(connection) => {
                let $conn = &mut **connection;
                $body
            }
        }
    };
}

impl Sql {
    /// Binds the next value.
    pub(crate) fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }

    /// Binds several values.
    pub(crate) fn bind_all<V: Into<Value>>(mut self, values: impl IntoIterator<Item = V>) -> Self {
        self.values.extend(values.into_iter().map(Into::into));
        self
    }

    /// How many rows it changed.
    pub(crate) async fn execute(self, on: &mut Conn) -> Result<u64> {
        let text = self.text;
        on!(on, conn => Ok(bound!(sqlx::query(statement(text)), self.values).execute(conn).await?.rows_affected()))
    }

    /// Every row.
    pub(crate) async fn all<T: Record>(self, on: &mut Conn) -> Result<Vec<T>> {
        let text = self.text;
        on!(on, conn => bound!(sqlx::query_as(statement(text)), self.values).fetch_all(conn).await.map_err(Failure::from))
    }

    /// The first row, if there is one.
    pub(crate) async fn optional<T: Record>(self, on: &mut Conn) -> Result<Option<T>> {
        let text = self.text;
        on!(on, conn => bound!(sqlx::query_as(statement(text)), self.values).fetch_optional(conn).await.map_err(Failure::from))
    }
}

fn statement(text: Cow<'static, str>) -> AssertSqlSafe<Cow<'static, str>> {
    // Every text comes from this crate's constants; see `sql` and `sql_of`.
    AssertSqlSafe(text)
}
