//! What can be booked, and under which rules.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Checks, FieldError, Invalid, MemberId, Minutes, Money, OrganisationId, ServiceId, Slug, Span};
use crate::{limits, optional_text, required_text};

/// Lengths and steps are multiples of this, so that the database can keep a provider's
/// time as cells of this length.
pub const GRID_MINUTES: u32 = 5;
/// Duration options of one service.
const MAX_DURATIONS: usize = 12;
/// Providers of one service.
const MAX_PROVIDERS: usize = 200;
/// Longest single appointment: 12 hours.
const MAX_DURATION: u32 = 12 * 60;
/// Longest buffer on one side: 4 hours.
const MAX_BUFFER: u32 = 4 * 60;
/// Longest notice: 90 days.
const MAX_NOTICE: u32 = 90 * 24 * 60;
/// Farthest that can be booked ahead: 2 years.
const MAX_ADVANCE_DAYS: u32 = 731;
/// Earliest opening and latest closing of the client's window: 4 hours.
const MAX_JOIN_MARGIN: u32 = 4 * 60;

/// The last step of the grid at or before an instant.
pub(crate) fn grid_down(at: Timestamp) -> Timestamp {
    let cell = i64::from(GRID_MINUTES) * 60;
    // Seconds are cut towards zero; an instant before 1970 with a fraction is a second earlier.
    let second = at.as_second() - i64::from(at.subsec_nanosecond() < 0);
    Timestamp::from_second(second.div_euclid(cell) * cell).unwrap_or(Timestamp::MIN)
}

/// The first step of the grid at or after an instant.
pub(crate) fn grid_up(at: Timestamp) -> Timestamp {
    let down = grid_down(at);
    if down == at {
        return at;
    }
    down.checked_add(Minutes(GRID_MINUTES).duration()).unwrap_or(Timestamp::MAX)
}

/// How a service is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServiceKind {
    /// A call with picture.
    Video,
    /// A call by telephone or sound only.
    Phone,
    /// At the practice.
    InPerson,
    /// At the practice or by video.
    Hybrid,
    /// Papers are looked through.
    DocumentReview,
    /// A short answer.
    QuickQuestion,
}

impl ServiceKind {
    /// Every kind.
    pub const ALL: [Self; 6] =
        [Self::Video, Self::Phone, Self::InPerson, Self::Hybrid, Self::DocumentReview, Self::QuickQuestion];

    /// The word in API and database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Video => "video",
            Self::Phone => "phone",
            Self::InPerson => "in_person",
            Self::Hybrid => "hybrid",
            Self::DocumentReview => "document_review",
            Self::QuickQuestion => "quick_question",
        }
    }
}

impl fmt::Display for ServiceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ServiceKind {
    type Err = FieldError;

    fn from_str(text: &str) -> Result<Self, FieldError> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or_else(|| {
            FieldError::new(
                "kind",
                "kind_unknown",
                "The kind is video, phone, in_person, hybrid, document_review or quick_question.",
            )
        })
    }
}

/// The rules under which a service is booked and joined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BookingRules {
    /// Kept free for the provider before each appointment.
    pub buffer_before: Minutes,
    /// Kept free for the provider after each appointment.
    pub buffer_after: Minutes,
    /// Earliest start counted from now.
    pub minimum_notice: Minutes,
    /// Latest start counted from now, in days of 24 hours.
    pub maximum_advance_days: u32,
    /// Distance between starts; `None`: the slot length of the provider's schedule.
    pub slot_interval: Option<Minutes>,
    /// First start after the beginning of an interval of hours.
    pub slot_offset: Minutes,
    /// How long before the start a client may enter.
    pub join_before: Minutes,
    /// How long after the planned end the client's link still works.
    pub join_after: Minutes,
}

impl Default for BookingRules {
    fn default() -> Self {
        Self {
            buffer_before: Minutes(15),
            buffer_after: Minutes(15),
            minimum_notice: Minutes(24 * 60),
            maximum_advance_days: 60,
            slot_interval: None,
            slot_offset: Minutes(0),
            join_before: Minutes(15),
            join_after: Minutes(15),
        }
    }
}

impl BookingRules {
    /// The provider's time that an appointment takes: with its buffers, rounded out to the grid.
    ///
    /// Two appointments of one provider never share any of it: after one comes its
    /// `buffer_after`, and only then the next one's `buffer_before`.
    #[must_use]
    pub fn reserved(&self, slot: Span) -> Span {
        let before = slot.start.saturating_sub(self.buffer_before.duration()).unwrap_or(Timestamp::MIN);
        let after = slot.end.saturating_add(self.buffer_after.duration()).unwrap_or(Timestamp::MAX);
        Span::new(grid_down(before), grid_up(after))
    }

    /// Checks the bounds and the grid. `prefix` is the path of the rules in the API.
    ///
    /// # Errors
    /// Every wrong field.
    pub fn validate(&self, prefix: &str) -> Result<(), Invalid> {
        let mut checks = Checks::new();
        let mut bound = |field: &str, value: u32, least: u32, most: u32, grid: bool| {
            checks.require((least..=most).contains(&value), || {
                FieldError::new(
                    format!("{prefix}{field}"),
                    "out_of_range",
                    format!("Use a value from {least} to {most}."),
                )
            });
            checks.require(!grid || value.is_multiple_of(GRID_MINUTES), || {
                off_grid(format!("{prefix}{field}"))
            });
        };
        bound("buffer_before", self.buffer_before.0, 0, MAX_BUFFER, true);
        bound("buffer_after", self.buffer_after.0, 0, MAX_BUFFER, true);
        bound("minimum_notice", self.minimum_notice.0, 0, MAX_NOTICE, false);
        bound("maximum_advance_days", self.maximum_advance_days, 1, MAX_ADVANCE_DAYS, false);
        bound("slot_offset", self.slot_offset.0, 0, 24 * 60, true);
        if let Some(interval) = self.slot_interval {
            bound("slot_interval", interval.0, GRID_MINUTES, 24 * 60, true);
        }
        bound("join_before", self.join_before.0, 0, MAX_JOIN_MARGIN, false);
        bound("join_after", self.join_after.0, 0, MAX_JOIN_MARGIN, false);
        checks.finish()
    }
}

pub(crate) fn off_grid(field: String) -> FieldError {
    FieldError::new(field, "off_grid", format!("Use a multiple of {GRID_MINUTES} minutes."))
}

/// Something that can be booked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// Identity.
    pub id: ServiceId,
    /// Whose service.
    pub organisation_id: OrganisationId,
    /// Word in its address; unique in the organisation.
    pub slug: Slug,
    /// Name shown to people.
    pub name: String,
    /// What it is, or empty.
    pub description: String,
    /// How it is given.
    pub kind: ServiceKind,
    /// Lengths to choose from, ascending; the first is the default.
    pub durations: Vec<Minutes>,
    /// Price per appointment, if it costs anything.
    pub price: Option<Money>,
    /// Whether it can be booked.
    pub active: bool,
    /// Who gives it.
    pub provider_ids: Vec<MemberId>,
    /// Rules of booking and joining.
    pub rules: BookingRules,
    /// When it was made.
    pub created_at: Timestamp,
}

impl Service {
    /// The default choice of lengths.
    #[must_use]
    pub fn default_durations() -> Vec<Minutes> {
        vec![Minutes(30)]
    }

    /// Checks texts, lengths and rules.
    ///
    /// # Errors
    /// Every wrong field.
    pub fn validate(&self) -> Result<(), Invalid> {
        let mut checks = Checks::new();
        checks.take(required_text("name", &self.name, limits::NAME));
        checks.take(optional_text("description", &self.description, limits::DESCRIPTION));
        checks.require((1..=MAX_DURATIONS).contains(&self.durations.len()), || {
            FieldError::new(
                "durations_minutes",
                "out_of_range",
                format!("Give between 1 and {MAX_DURATIONS} durations."),
            )
        });
        checks.require(self.durations.is_sorted_by(|a, b| a < b), || {
            FieldError::new("durations_minutes", "not_ascending", "Give each duration once, ascending.")
        });
        for duration in &self.durations {
            checks.require((GRID_MINUTES..=MAX_DURATION).contains(&duration.0), || {
                FieldError::new(
                    "durations_minutes",
                    "out_of_range",
                    format!("A duration is {GRID_MINUTES} to {MAX_DURATION} minutes."),
                )
            });
            checks.require(duration.0.is_multiple_of(GRID_MINUTES), || {
                off_grid("durations_minutes".to_owned())
            });
        }
        checks.require(self.provider_ids.len() <= MAX_PROVIDERS, || {
            FieldError::new(
                "provider_ids",
                "too_many",
                format!("A service has at most {MAX_PROVIDERS} providers."),
            )
        });
        if let Err(invalid) = self.rules.validate("rules.") {
            for error in invalid.errors {
                checks.take::<()>(Err(error));
            }
        }
        checks.finish()
    }

    /// The chosen length, or the first when none is chosen.
    ///
    /// # Errors
    /// `duration_not_offered`.
    pub fn duration(&self, chosen: Option<Minutes>) -> Result<Minutes, FieldError> {
        let wrong = || {
            FieldError::new("duration_minutes", "duration_not_offered", "This length is not offered here.")
        };
        match chosen {
            None => self.durations.first().copied().ok_or_else(wrong),
            Some(length) if self.durations.contains(&length) => Ok(length),
            Some(_) => Err(wrong()),
        }
    }
}
