//! What is wrong with an input, by field, with stable codes.

use std::fmt;

use serde::Serialize;

/// One wrong field. `field` is the name in the API, `code` is stable, `detail` is for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{field}: {detail}")]
pub struct FieldError {
    /// Dotted path of the field as the API names it (`client.email`).
    pub field: String,
    /// Stable machine-readable code (`required`, `too_long`, `email_invalid` …).
    pub code: &'static str,
    /// A sentence for people, saying what to do.
    pub detail: String,
}

impl FieldError {
    /// A wrong field.
    pub fn new(field: impl Into<String>, code: &'static str, detail: impl Into<String>) -> Self {
        Self { field: field.into(), code, detail: detail.into() }
    }
}

/// All wrong fields of one input; never empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Invalid {
    /// The wrong fields in the order in which they were checked.
    pub errors: Vec<FieldError>,
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.errors.iter().enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            error.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Invalid {}

impl From<FieldError> for Invalid {
    fn from(error: FieldError) -> Self {
        Self { errors: vec![error] }
    }
}

/// Collects the errors of several checks, so that all are told at once.
#[derive(Debug, Default)]
pub struct Checks {
    errors: Vec<FieldError>,
}

impl Checks {
    /// No errors yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the value of a check, or notes its error and gives `None`.
    pub fn take<T>(&mut self, result: Result<T, FieldError>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                self.errors.push(error);
                None
            }
        }
    }

    /// Notes an error unless `ok`.
    pub fn require(&mut self, ok: bool, error: impl FnOnce() -> FieldError) {
        if !ok {
            self.errors.push(error());
        }
    }

    /// Whether an error was noted.
    #[must_use]
    pub fn failed(&self) -> bool {
        !self.errors.is_empty()
    }

    /// Ends the checks.
    ///
    /// # Errors
    /// [`Invalid`] with everything noted.
    pub fn finish(self) -> Result<(), Invalid> {
        if self.errors.is_empty() { Ok(()) } else { Err(Invalid { errors: self.errors }) }
    }
}
