//! Instants as the databases keep them: whole microseconds.
//!
//! SQLite has no type for them: text in UTC of one fixed width, which sorts as it should.
//! PostgreSQL: `timestamptz`, in its binary form microseconds since 2000-01-01.

use jiff::Timestamp;
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgTypeInfo, PgValueFormat, PgValueRef};
use sqlx::sqlite::{SqliteArgumentsBuffer, SqliteTypeInfo, SqliteValueRef};
use sqlx::{Decode, Encode, Postgres, Sqlite, Type};

/// The type `timestamptz` in PostgreSQL's catalogue, the same everywhere.
const TIMESTAMPTZ: PgTypeInfo = PgTypeInfo::with_oid(Oid(1184));
/// 2000-01-01T00:00:00Z in microseconds since 1970.
const POSTGRES_EPOCH_US: i64 = 946_684_800_000_000;
/// 0001-01-01T00:00:00Z and 9999-12-30T00:00:00Z: what has four digits for the year in text.
const EARLIEST_US: i64 = -62_135_596_800_000_000;
const LATEST_US: i64 = 253_402_128_000_000_000;

/// An instant on its way into or out of a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Instant(pub Timestamp);

impl Instant {
    fn microseconds(self) -> i64 {
        self.0.as_microsecond().clamp(EARLIEST_US, LATEST_US)
    }

    fn from_microseconds(microseconds: i64) -> Result<Self, BoxDynError> {
        Ok(Self(Timestamp::from_microsecond(microseconds)?))
    }

    fn text(self) -> Result<String, BoxDynError> {
        let whole = Timestamp::from_microsecond(self.microseconds())?;
        Ok(whole.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string())
    }
}

impl Type<Sqlite> for Instant {
    fn type_info() -> SqliteTypeInfo {
        <String as Type<Sqlite>>::type_info()
    }

    fn compatible(ty: &SqliteTypeInfo) -> bool {
        <String as Type<Sqlite>>::compatible(ty)
    }
}

impl<'q> Encode<'q, Sqlite> for Instant {
    fn encode_by_ref(&self, buffer: &mut SqliteArgumentsBuffer) -> Result<IsNull, BoxDynError> {
        Encode::<Sqlite>::encode(self.text()?, buffer)
    }
}

impl<'r> Decode<'r, Sqlite> for Instant {
    fn decode(value: SqliteValueRef<'r>) -> Result<Self, BoxDynError> {
        let text = <&str as Decode<Sqlite>>::decode(value)?;
        Ok(Self(text.parse()?))
    }
}

impl Type<Postgres> for Instant {
    fn type_info() -> PgTypeInfo {
        TIMESTAMPTZ
    }
}

impl<'q> Encode<'q, Postgres> for Instant {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        buffer.extend_from_slice(&(self.microseconds() - POSTGRES_EPOCH_US).to_be_bytes());
        Ok(IsNull::No)
    }
}

impl<'r> Decode<'r, Postgres> for Instant {
    fn decode(value: PgValueRef<'r>) -> Result<Self, BoxDynError> {
        match value.format() {
            PgValueFormat::Binary => {
                let bytes: [u8; 8] = value.as_bytes()?.try_into()?;
                Self::from_microseconds(i64::from_be_bytes(bytes).saturating_add(POSTGRES_EPOCH_US))
            }
            PgValueFormat::Text => Ok(Self(value.as_str()?.parse()?)),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn text_has_one_width_and_sorts_like_time() {
        let texts: Vec<String> = [
            Timestamp::MIN,
            "1969-12-31T23:59:59.5Z".parse().unwrap(),
            "1970-01-01T00:00:00Z".parse().unwrap(),
            "2026-11-21T09:00:00Z".parse().unwrap(),
            "2026-11-21T09:00:00.000001Z".parse().unwrap(),
            Timestamp::MAX,
        ]
        .map(|at| Instant(at).text().unwrap())
        .to_vec();
        assert_eq!(texts[3], "2026-11-21T09:00:00.000000Z");
        assert!(texts.iter().all(|text| text.len() == 27), "{texts:?}");
        assert!(texts.is_sorted(), "{texts:?}");
    }
}
