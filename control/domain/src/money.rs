//! Amounts in integer minor units with their currency.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::FieldError;

/// Highest amount accepted, in minor units (ten million of the major unit with two decimals).
const MAX_AMOUNT: i64 = 1_000_000_000;

/// An ISO 4217 code: three capital letters.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency([u8; 3]);

impl Currency {
    /// Checks a code.
    ///
    /// # Errors
    /// `currency_invalid`.
    pub fn parse(field: &str, code: &str) -> Result<Self, FieldError> {
        match code.as_bytes() {
            [a, b, c] if [a, b, c].iter().all(|letter| letter.is_ascii_uppercase()) => Ok(Self([*a, *b, *c])),
            _ => Err(FieldError::new(
                field,
                "currency_invalid",
                "Use a currency code of three capital letters, such as EUR.",
            )),
        }
    }

    /// The three letters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("only ASCII capitals are stored")
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> Self {
        currency.as_str().to_owned()
    }
}

impl TryFrom<String> for Currency {
    type Error = FieldError;

    fn try_from(code: String) -> Result<Self, FieldError> {
        Self::parse("currency", &code)
    }
}

/// An amount in minor units (4500 EUR is 45.00 €).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Money {
    /// Minor units.
    pub amount: i64,
    /// In which currency.
    pub currency: Currency,
}

impl Money {
    /// A price: zero or more, and bounded.
    ///
    /// # Errors
    /// `amount_out_of_range` or `currency_invalid`.
    pub fn price(field: &str, amount: i64, currency: &str) -> Result<Self, FieldError> {
        if !(0..=MAX_AMOUNT).contains(&amount) {
            return Err(FieldError::new(
                format!("{field}.amount"),
                "amount_out_of_range",
                format!("The price is given in minor units, from 0 to {MAX_AMOUNT}."),
            ));
        }
        Ok(Self { amount, currency: Currency::parse(&format!("{field}.currency"), currency)? })
    }
}
