//! The one error that use cases answer with: whose fault it is, a stable code, a sentence for people.

use parley_control_domain::{FieldError, Invalid, ParticipantError, TransitionError};

use crate::ports::{BookError, RoomsError, SaveError, StoreError};

/// Whose fault, and which class of answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The request is wrong: see `fields`.
    Invalid,
    /// The caller is not signed in.
    Unauthenticated,
    /// The caller may not do this.
    Forbidden,
    /// There is no such thing, or none that the caller may see.
    NotFound,
    /// The state of things does not allow it now.
    Conflict,
    /// It was there and is over.
    Gone,
    /// Too often: wait `retry_after_s`.
    TooMany,
    /// Ours; trying again can help.
    Unavailable,
    /// Ours.
    Internal,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {detail}")]
pub struct AppError {
    pub kind: ErrorKind,
    /// Stable; clients branch on it.
    pub code: &'static str,
    /// For people: what happened and what to do.
    pub detail: String,
    pub fields: Vec<FieldError>,
    pub retry_after_s: Option<u64>,
}

impl AppError {
    pub fn new(kind: ErrorKind, code: &'static str, detail: impl Into<String>) -> Self {
        Self { kind, code, detail: detail.into(), fields: Vec::new(), retry_after_s: None }
    }

    pub fn invalid(fields: Vec<FieldError>) -> Self {
        let detail = match fields.as_slice() {
            [one] => one.detail.clone(),
            _ => "Some values are not right. Please correct the marked fields.".to_owned(),
        };
        Self { fields, ..Self::new(ErrorKind::Invalid, "validation_failed", detail) }
    }

    pub fn field(field: &str, code: &'static str, detail: impl Into<String>) -> Self {
        Self::invalid(vec![FieldError::new(field, code, detail)])
    }

    pub fn not_found(what: &str) -> Self {
        Self::new(ErrorKind::NotFound, "not_found", format!("There is no such {what}."))
    }

    pub fn forbidden() -> Self {
        Self::new(ErrorKind::Forbidden, "forbidden", "Your role does not allow this.")
    }

    pub fn unauthenticated() -> Self {
        Self::new(ErrorKind::Unauthenticated, "not_signed_in", "Please sign in.")
    }

    pub fn conflict(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(ErrorKind::Conflict, code, detail)
    }

    pub fn slot_taken() -> Self {
        Self::conflict("slot_taken", "Someone else has just booked this time. Please choose another one.")
    }

    pub fn link_invalid() -> Self {
        Self::new(
            ErrorKind::NotFound,
            "link_invalid",
            "This link is not valid. Please use the link from your mail.",
        )
    }

    pub fn link_expired() -> Self {
        Self::new(ErrorKind::Gone, "link_expired", "This link is no longer valid.")
    }

    pub fn too_many(retry_after_s: u64) -> Self {
        let detail =
            format!("Too many attempts. Please wait {} before trying again.", wait_text(retry_after_s));
        Self {
            retry_after_s: Some(retry_after_s),
            ..Self::new(ErrorKind::TooMany, "too_many_attempts", detail)
        }
    }

    pub fn busy() -> Self {
        Self {
            retry_after_s: Some(2),
            ..Self::new(ErrorKind::Unavailable, "busy", "The server is busy. Please try again in a moment.")
        }
    }

    /// Logs `detail` and answers without it.
    pub fn internal(detail: &str) -> Self {
        tracing::error!(detail, "internal error");
        Self::new(ErrorKind::Internal, "internal", "Something went wrong on our side. Please try again.")
    }
}

fn wait_text(seconds: u64) -> String {
    match seconds.div_ceil(60) {
        0 | 1 => "a minute".to_owned(),
        minutes => format!("{minutes} minutes"),
    }
}

impl From<FieldError> for AppError {
    fn from(error: FieldError) -> Self {
        Self::invalid(vec![error])
    }
}

impl From<Invalid> for AppError {
    fn from(error: Invalid) -> Self {
        Self::invalid(error.errors)
    }
}

impl From<TransitionError> for AppError {
    fn from(error: TransitionError) -> Self {
        Self::conflict(error.refusal.code(), error.refusal.detail())
    }
}

impl From<ParticipantError> for AppError {
    fn from(error: ParticipantError) -> Self {
        Self::conflict(error.code(), error.detail())
    }
}

impl From<StoreError> for AppError {
    fn from(error: StoreError) -> Self {
        if error.transient {
            tracing::warn!(detail = error.detail, "the database is busy");
            Self::busy()
        } else {
            Self::internal(&error.detail)
        }
    }
}

impl From<SaveError> for AppError {
    fn from(error: SaveError) -> Self {
        match error {
            SaveError::Stale => {
                Self::conflict("changed_meanwhile", "This was changed meanwhile. Please try again.")
            }
            SaveError::Taken { field } => Self::conflict(
                "already_in_use",
                format!("This {field} is already in use. Please choose another one."),
            ),
            SaveError::Store(error) => error.into(),
        }
    }
}

impl From<BookError> for AppError {
    fn from(error: BookError) -> Self {
        match error {
            BookError::SlotTaken => Self::slot_taken(),
            BookError::KeyReused => Self::conflict(
                "idempotency_key_reused",
                "This Idempotency-Key was used for another request. Use a new key for a new booking.",
            ),
            BookError::Store(error) => error.into(),
        }
    }
}

impl From<RoomsError> for AppError {
    fn from(error: RoomsError) -> Self {
        Self::internal(&error.0)
    }
}
