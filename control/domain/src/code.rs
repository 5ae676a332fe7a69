//! The code that names a join link for reading out.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::FieldError;

/// 32 letters and digits without 0, O, 1 and I, which are mistaken for each other.
const ALPHABET: &[u8; 32] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZ";
const LENGTH: usize = 8;

/// Eight letters in two groups, `K7QM-4RTD`: 40 bits.
///
/// Guessing is held off by the rate limit of the endpoints that take a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct JoinCode([u8; LENGTH]);

impl JoinCode {
    /// Spells five (random) bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 5]) -> Self {
        let bits = bytes.iter().fold(0_u64, |bits, byte| (bits << 8) | u64::from(*byte));
        let mut letters = [0; LENGTH];
        for (index, letter) in letters.iter_mut().enumerate() {
            let shift = 5 * (LENGTH - 1 - index);
            *letter = ALPHABET[((bits >> shift) & 31) as usize];
        }
        Self(letters)
    }

    /// The eight letters without the hyphen: the form to store and to look up by.
    #[must_use]
    pub fn key(&self) -> &str {
        std::str::from_utf8(&self.0).expect("only letters of the ASCII alphabet are stored")
    }
}

impl fmt::Display for JoinCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, second) = self.key().split_at(LENGTH / 2);
        write!(f, "{first}-{second}")
    }
}

/// Reads a code as people type it: any case, with or without hyphens and spaces.
impl FromStr for JoinCode {
    type Err = FieldError;

    fn from_str(text: &str) -> Result<Self, FieldError> {
        let wrong =
            || FieldError::new("code", "code_invalid", "A code has eight letters, such as K7QM-4RTD.");
        let mut letters = [0; LENGTH];
        let mut count = 0;
        for c in text.chars().filter(|c| !matches!(c, '-' | ' ')) {
            let letter = u8::try_from(c.to_ascii_uppercase()).map_err(|_| wrong())?;
            if count == LENGTH || !ALPHABET.contains(&letter) {
                return Err(wrong());
            }
            letters[count] = letter;
            count += 1;
        }
        if count == LENGTH { Ok(Self(letters)) } else { Err(wrong()) }
    }
}

impl From<JoinCode> for String {
    fn from(code: JoinCode) -> Self {
        code.to_string()
    }
}

impl TryFrom<String> for JoinCode {
    type Error = FieldError;

    fn try_from(text: String) -> Result<Self, FieldError> {
        text.parse()
    }
}
