//! The number of an appointment that people can read out.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::FieldError;

/// `C-2026-000123`: unique in an organisation; the year is that of the booking in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AppointmentNumber {
    /// Year of the booking.
    pub year: i16,
    /// Counts from 1 in each organisation and year.
    pub sequence: u32,
}

impl fmt::Display for AppointmentNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "C-{:04}-{:06}", self.year, self.sequence)
    }
}

impl FromStr for AppointmentNumber {
    type Err = FieldError;

    fn from_str(text: &str) -> Result<Self, FieldError> {
        let wrong =
            || FieldError::new("number", "number_invalid", "An appointment number looks like C-2026-000123.");
        let digits = |text: &str, least: usize| {
            text.len() >= least && text.len() <= 10 && text.bytes().all(|b| b.is_ascii_digit())
        };
        let upper = text.trim().to_ascii_uppercase();
        let (year, sequence) =
            upper.strip_prefix("C-").and_then(|rest| rest.split_once('-')).ok_or_else(wrong)?;
        if !digits(year, 4) || year.len() != 4 || !digits(sequence, 1) {
            return Err(wrong());
        }
        Ok(Self {
            year: year.parse().map_err(|_| wrong())?,
            sequence: sequence.parse().map_err(|_| wrong())?,
        })
    }
}

impl From<AppointmentNumber> for String {
    fn from(number: AppointmentNumber) -> Self {
        number.to_string()
    }
}

impl TryFrom<String> for AppointmentNumber {
    type Error = FieldError;

    fn try_from(text: String) -> Result<Self, FieldError> {
        text.parse()
    }
}
