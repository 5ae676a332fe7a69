//! A provider's weekly hours and the days that differ from them.

use std::fmt;
use std::str::FromStr;

use jiff::civil::{Date, Weekday};
use serde::{Deserialize, Serialize};

use crate::service::off_grid;
use crate::{
    Checks, FieldError, GRID_MINUTES, Invalid, MemberId, Minutes, Zone, limits, optional_text, required_text,
};

/// Named schedules of one provider.
const MAX_SCHEDULES: usize = 20;
/// Intervals of one schedule over the week.
const MAX_INTERVALS: usize = 70;
/// Dates that differ.
const MAX_OVERRIDES: usize = 1_000;
/// Intervals of one date.
const MAX_DAY_INTERVALS: usize = 24;
/// Minutes of a day on the wall.
const DAY: u16 = 24 * 60;

/// A time on the wall in minutes since midnight, from 00:00 to 24:00.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TimeOfDay(u16);

impl TimeOfDay {
    /// 00:00.
    pub const MIDNIGHT: Self = Self(0);
    /// 24:00, the end of the day.
    pub const END_OF_DAY: Self = Self(DAY);

    /// From minutes since midnight, at most 1440.
    #[must_use]
    pub const fn from_minutes(minutes: u16) -> Option<Self> {
        if minutes <= DAY { Some(Self(minutes)) } else { None }
    }

    /// Minutes since midnight.
    #[must_use]
    pub const fn minutes(self) -> u16 {
        self.0
    }

    /// Reads `HH:MM`.
    ///
    /// # Errors
    /// `time_invalid`.
    pub fn parse(field: &str, text: &str) -> Result<Self, FieldError> {
        let parsed = match text.as_bytes() {
            [a, b, b':', c, d] if [a, b, c, d].iter().all(|digit| digit.is_ascii_digit()) => {
                let number = |tens: u8, ones: u8| u16::from(tens - b'0') * 10 + u16::from(ones - b'0');
                Some((number(*a, *b), number(*c, *d)))
            }
            _ => None,
        };
        match parsed {
            Some((hour, minute)) if minute < 60 && hour * 60 + minute <= DAY => Ok(Self(hour * 60 + minute)),
            _ => {
                Err(FieldError::new(field, "time_invalid", "Use a time from 00:00 to 24:00, such as 09:30."))
            }
        }
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

impl FromStr for TimeOfDay {
    type Err = FieldError;

    fn from_str(text: &str) -> Result<Self, FieldError> {
        Self::parse("time", text)
    }
}

impl From<TimeOfDay> for String {
    fn from(time: TimeOfDay) -> Self {
        time.to_string()
    }
}

impl TryFrom<String> for TimeOfDay {
    type Error = FieldError;

    fn try_from(text: String) -> Result<Self, FieldError> {
        text.parse()
    }
}

/// Hours on one day, from `start` to `end` on the wall.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DayInterval {
    /// First minute inside.
    pub start: TimeOfDay,
    /// First minute after it; 24:00 is the end of the day.
    pub end: TimeOfDay,
}

/// Hours on one weekday.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct WeeklyInterval {
    /// 0 (Sunday) to 6 (Saturday).
    pub day: u8,
    /// First minute inside.
    pub start: TimeOfDay,
    /// First minute after it; 24:00 is the end of the day.
    pub end: TimeOfDay,
}

impl WeeklyInterval {
    /// Whether it is on this weekday.
    #[must_use]
    pub fn is_on(&self, weekday: Weekday) -> bool {
        i16::from(self.day) == i16::from(weekday.to_sunday_zero_offset())
    }

    /// Its hours.
    #[must_use]
    pub const fn hours(&self) -> DayInterval {
        DayInterval { start: self.start, end: self.end }
    }
}

/// A named set of weekly hours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// Name shown to the provider.
    pub name: String,
    /// Whether it counts.
    pub active: bool,
    /// Distance between the starts of slots, unless the service says otherwise.
    pub slot_minutes: Minutes,
    /// The hours.
    pub intervals: Vec<WeeklyInterval>,
}

/// What a date is instead of its weekday.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OverrideKind {
    /// Its intervals are taken out of the day; without intervals the whole day is.
    Blocked,
    /// The whole day is off, whatever else is said of it.
    Holiday,
    /// Its intervals replace the weekly hours.
    Custom,
}

impl OverrideKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Blocked, Self::Holiday, Self::Custom];

    /// The word in API and database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Blocked => "blocked",
            Self::Holiday => "holiday",
            Self::Custom => "custom",
        }
    }
}

impl FromStr for OverrideKind {
    type Err = FieldError;

    fn from_str(text: &str) -> Result<Self, FieldError> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| FieldError::new("kind", "kind_unknown", "The kind is blocked, holiday or custom."))
    }
}

/// A date that differs from its weekday. Several may name one date: a holiday wins,
/// custom hours add up, and what is blocked is taken out of the rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduleOverride {
    /// Which date, on the provider's wall.
    pub date: Date,
    /// What it is.
    pub kind: OverrideKind,
    /// Hours blocked or given.
    pub intervals: Vec<DayInterval>,
    /// A note for the provider.
    pub note: Option<String>,
}

/// When a provider can be booked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Availability {
    /// Whose hours.
    pub provider_id: MemberId,
    /// In whose clock the hours are told.
    pub zone: Zone,
    /// Weekly hours; those of all active schedules add up.
    pub schedules: Vec<Schedule>,
    /// Dates that differ.
    pub overrides: Vec<ScheduleOverride>,
}

impl Availability {
    /// No hours at all.
    #[must_use]
    pub const fn empty(provider_id: MemberId, zone: Zone) -> Self {
        Self { provider_id, zone, schedules: Vec::new(), overrides: Vec::new() }
    }

    /// Checks bounds, the grid, and that intervals of a day run forward and do not overlap.
    ///
    /// # Errors
    /// Every wrong field.
    pub fn validate(&self) -> Result<(), Invalid> {
        let mut checks = Checks::new();
        too_many(&mut checks, "schedules", self.schedules.len(), MAX_SCHEDULES);
        too_many(&mut checks, "overrides", self.overrides.len(), MAX_OVERRIDES);
        for (index, schedule) in self.schedules.iter().take(MAX_SCHEDULES).enumerate() {
            check_schedule(&mut checks, &format!("schedules.{index}"), schedule);
        }
        for (index, day) in self.overrides.iter().take(MAX_OVERRIDES).enumerate() {
            check_override(&mut checks, &format!("overrides.{index}"), day);
        }
        checks.finish()
    }
}

fn too_many(checks: &mut Checks, field: &str, count: usize, most: usize) {
    checks.require(count <= most, || {
        FieldError::new(field, "too_many", format!("At most {most} entries are kept here."))
    });
}

fn check_schedule(checks: &mut Checks, path: &str, schedule: &Schedule) {
    checks.take(required_text(&format!("{path}.name"), &schedule.name, limits::NAME));
    let slot = schedule.slot_minutes.0;
    checks.require((GRID_MINUTES..=u32::from(DAY)).contains(&slot), || {
        FieldError::new(
            format!("{path}.slot_minutes"),
            "out_of_range",
            format!("Use a length from {GRID_MINUTES} to {DAY} minutes."),
        )
    });
    checks.require(slot.is_multiple_of(GRID_MINUTES), || off_grid(format!("{path}.slot_minutes")));
    too_many(checks, &format!("{path}.intervals"), schedule.intervals.len(), MAX_INTERVALS);
    for (index, interval) in schedule.intervals.iter().take(MAX_INTERVALS).enumerate() {
        checks.require(interval.day <= 6, || {
            FieldError::new(
                format!("{path}.intervals.{index}.day"),
                "day_invalid",
                "A day is a number from 0 (Sunday) to 6 (Saturday).",
            )
        });
    }
    for day in 0..=6 {
        let hours: Vec<_> =
            schedule.intervals.iter().filter(|i| i.day == day).map(WeeklyInterval::hours).collect();
        check_hours(checks, &format!("{path}.intervals"), hours);
    }
}

fn check_override(checks: &mut Checks, path: &str, day: &ScheduleOverride) {
    too_many(checks, &format!("{path}.intervals"), day.intervals.len(), MAX_DAY_INTERVALS);
    checks.take(optional_text(
        &format!("{path}.note"),
        day.note.as_deref().unwrap_or_default(),
        limits::REASON,
    ));
    checks.require(day.kind != OverrideKind::Custom || !day.intervals.is_empty(), || {
        FieldError::new(
            format!("{path}.intervals"),
            "required",
            "Custom hours need at least one interval; use blocked for a day without hours.",
        )
    });
    check_hours(checks, &format!("{path}.intervals"), day.intervals.clone());
}

fn check_hours(checks: &mut Checks, field: &str, mut hours: Vec<DayInterval>) {
    hours.sort_unstable();
    for interval in &hours {
        checks.require(interval.start < interval.end, || {
            FieldError::new(
                field,
                "interval_empty",
                format!("{} is not before {}.", interval.start, interval.end),
            )
        });
        let on_grid = |time: TimeOfDay| u32::from(time.minutes()).is_multiple_of(GRID_MINUTES);
        checks.require(on_grid(interval.start) && on_grid(interval.end), || off_grid(field.to_owned()));
    }
    for pair in hours.windows(2) {
        checks.require(pair[0].end <= pair[1].start, || {
            FieldError::new(
                field,
                "intervals_overlap",
                format!("{}–{} and {}–{} overlap.", pair[0].start, pair[0].end, pair[1].start, pair[1].end),
            )
        });
    }
}
