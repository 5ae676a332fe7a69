//! An IANA time zone by name.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::FieldError;

/// Longest zone name accepted; the database's longest has 32 letters.
const MAX_NAME: usize = 64;

/// An IANA time zone (`Europe/Berlin`) that exists in the time zone database.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Zone {
    name: String,
    zone: TimeZone,
}

impl Zone {
    /// Coordinated universal time.
    #[must_use]
    pub fn utc() -> Self {
        Self { name: "UTC".to_owned(), zone: TimeZone::UTC }
    }

    /// Looks a zone up by its IANA name, ignoring case.
    ///
    /// # Errors
    /// `zone_unknown`.
    pub fn parse(field: &str, name: &str) -> Result<Self, FieldError> {
        let wrong = || {
            FieldError::new(
                field,
                "zone_unknown",
                "This time zone is not known. Use an IANA name such as Europe/Berlin.",
            )
        };
        if name.is_empty() || name.len() > MAX_NAME {
            return Err(wrong());
        }
        let zone = TimeZone::get(name).map_err(|_| wrong())?;
        let name = zone.iana_name().ok_or_else(wrong)?.to_owned();
        Ok(Self { name, zone })
    }

    /// The IANA name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The rules behind the name.
    #[must_use]
    pub fn time_zone(&self) -> &TimeZone {
        &self.zone
    }

    /// The clock on the wall at an instant.
    #[must_use]
    pub fn wall(&self, at: Timestamp) -> DateTime {
        self.zone.to_datetime(at)
    }

    /// The date on the wall at an instant.
    #[must_use]
    pub fn date(&self, at: Timestamp) -> Date {
        self.wall(at).date()
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Zone({})", self.name)
    }
}

impl From<Zone> for String {
    fn from(zone: Zone) -> Self {
        zone.name
    }
}

impl TryFrom<String> for Zone {
    type Error = FieldError;

    fn try_from(name: String) -> Result<Self, FieldError> {
        Self::parse("time_zone", &name)
    }
}
