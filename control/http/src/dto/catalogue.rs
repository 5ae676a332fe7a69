//! Services, members and their hours.

use jiff::civil::Date;
use parley_control_app::{AppError, ServiceChange};
use parley_control_domain::{
    self as domain, BookingRules, DayInterval, FieldError, MemberId, Minutes, TimeOfDay, WeeklyInterval, Zone,
};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Money, or_null};

#[derive(Debug, Serialize, ToSchema)]
pub struct Service {
    pub id: Uuid,
    pub slug: String,
    pub name: String,
    pub description: Option<String>,
    /// `video`, `phone`, `in_person`, `hybrid`, `document_review` or `quick_question`.
    #[schema(example = "video")]
    pub kind: String,
    /// Ascending; the first is the default.
    pub durations_minutes: Vec<u32>,
    pub price: Option<Money>,
    pub provider_ids: Vec<Uuid>,
    pub active: bool,
    pub rules: Rules,
}

/// Rules of booking and joining, in minutes.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Rules {
    pub buffer_before: u32,
    pub buffer_after: u32,
    pub minimum_notice: u32,
    pub maximum_advance_days: u32,
    /// `null`: the slot length of the provider's schedule.
    pub slot_interval: Option<u32>,
    pub slot_offset: u32,
    pub join_before: u32,
    pub join_after: u32,
}

impl Default for Rules {
    fn default() -> Self {
        Self::of(&BookingRules::default())
    }
}

impl Rules {
    fn of(rules: &BookingRules) -> Self {
        Self {
            buffer_before: rules.buffer_before.0,
            buffer_after: rules.buffer_after.0,
            minimum_notice: rules.minimum_notice.0,
            maximum_advance_days: rules.maximum_advance_days,
            slot_interval: rules.slot_interval.map(|minutes| minutes.0),
            slot_offset: rules.slot_offset.0,
            join_before: rules.join_before.0,
            join_after: rules.join_after.0,
        }
    }

    fn read(&self) -> BookingRules {
        BookingRules {
            buffer_before: Minutes(self.buffer_before),
            buffer_after: Minutes(self.buffer_after),
            minimum_notice: Minutes(self.minimum_notice),
            maximum_advance_days: self.maximum_advance_days,
            slot_interval: self.slot_interval.map(Minutes),
            slot_offset: Minutes(self.slot_offset),
            join_before: Minutes(self.join_before),
            join_after: Minutes(self.join_after),
        }
    }
}

impl Service {
    pub fn of(service: &domain::Service) -> Self {
        Self {
            id: service.id.as_uuid(),
            slug: service.slug.to_string(),
            name: service.name.clone(),
            description: or_null(&service.description),
            kind: service.kind.to_string(),
            durations_minutes: service.durations.iter().map(|minutes| minutes.0).collect(),
            price: service.price.map(Money::of),
            provider_ids: service.provider_ids.iter().map(|id| id.as_uuid()).collect(),
            active: service.active,
            rules: Rules::of(&service.rules),
        }
    }
}

/// A new service (`name` is needed) or a change of one (what is absent stays as it is).
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct ServiceBody {
    pub slug: Option<String>,
    pub name: Option<String>,
    pub description: Option<String>,
    #[schema(example = "video")]
    pub kind: Option<String>,
    pub durations_minutes: Option<Vec<u32>>,
    /// `null`: free of charge.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Money>)]
    pub price: Option<Option<Money>>,
    pub provider_ids: Option<Vec<Uuid>>,
    pub active: Option<bool>,
    pub rules: Option<Rules>,
}

/// Tells `null` (`Some(None)`) from absence (`None`).
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<Money>>, D::Error> {
    Option::<Money>::deserialize(deserializer).map(Some)
}

impl ServiceBody {
    pub fn read(self) -> Result<ServiceChange, AppError> {
        let price = match self.price {
            None => None,
            Some(None) => Some(None),
            Some(Some(money)) => Some(Some(money.read()?)),
        };
        let minutes = |values: Vec<u32>| values.into_iter().map(Minutes).collect();
        Ok(ServiceChange {
            slug: self.slug,
            name: self.name,
            description: self.description,
            kind: self.kind.map(|kind| kind.parse()).transpose()?,
            durations: self.durations_minutes.map(minutes),
            price,
            provider_ids: self.provider_ids.map(|ids| ids.into_iter().map(MemberId::from_uuid).collect()),
            active: self.active,
            rules: self.rules.map(|rules| rules.read()),
        })
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Member {
    pub id: Uuid,
    pub slug: String,
    pub name: String,
    pub email: String,
    /// `admin`, `manager` or `provider`.
    #[schema(example = "provider")]
    pub role: String,
    pub title: Option<String>,
    pub bio: Option<String>,
    pub time_zone: String,
    pub photo_url: Option<String>,
    pub active: bool,
}

impl Member {
    pub fn of(member: &domain::Member) -> Self {
        Self {
            id: member.id.as_uuid(),
            slug: member.slug.to_string(),
            name: member.name.clone(),
            email: member.email.to_string(),
            role: member.role.to_string(),
            title: or_null(&member.title),
            bio: or_null(&member.bio),
            time_zone: member.zone.name().to_owned(),
            photo_url: member.photo_url.clone(),
            active: member.active,
        }
    }
}

#[derive(Debug, Deserialize, ToSchema)]
pub struct MemberBody {
    pub name: String,
    pub email: String,
    #[schema(example = "provider")]
    pub role: String,
    pub title: Option<String>,
    pub bio: Option<String>,
    /// Otherwise the organisation's.
    pub time_zone: Option<String>,
    pub slug: Option<String>,
}

/// When a provider can be booked.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Availability {
    pub time_zone: String,
    pub schedules: Vec<Schedule>,
    #[serde(default)]
    pub overrides: Vec<Override>,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Schedule {
    pub name: String,
    pub active: bool,
    pub slot_minutes: u32,
    pub intervals: Vec<Weekly>,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Weekly {
    /// 0 (Sunday) to 6 (Saturday).
    pub day: u8,
    #[schema(example = "09:00")]
    pub start: String,
    /// `24:00` is the end of the day.
    #[schema(example = "12:30")]
    pub end: String,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Override {
    pub date: Date,
    /// `blocked`, `holiday` or `custom`.
    #[schema(example = "holiday")]
    pub kind: String,
    #[serde(default)]
    pub intervals: Vec<Interval>,
    #[serde(default)]
    pub note: Option<String>,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Interval {
    #[schema(example = "09:00")]
    pub start: String,
    #[schema(example = "12:30")]
    pub end: String,
}

impl Availability {
    pub fn of(availability: &domain::Availability) -> Self {
        let weekly = |interval: &WeeklyInterval| Weekly {
            day: interval.day,
            start: interval.start.to_string(),
            end: interval.end.to_string(),
        };
        let schedule = |schedule: &domain::Schedule| Schedule {
            name: schedule.name.clone(),
            active: schedule.active,
            slot_minutes: schedule.slot_minutes.0,
            intervals: schedule.intervals.iter().map(weekly).collect(),
        };
        let interval = |interval: &DayInterval| Interval {
            start: interval.start.to_string(),
            end: interval.end.to_string(),
        };
        let day = |day: &domain::ScheduleOverride| Override {
            date: day.date,
            kind: day.kind.as_str().to_owned(),
            intervals: day.intervals.iter().map(interval).collect(),
            note: day.note.clone(),
        };
        Self {
            time_zone: availability.zone.name().to_owned(),
            schedules: availability.schedules.iter().map(schedule).collect(),
            overrides: availability.overrides.iter().map(day).collect(),
        }
    }

    pub fn read(self, provider_id: MemberId) -> Result<domain::Availability, AppError> {
        let zone = Zone::parse("time_zone", &self.time_zone)?;
        let mut schedules = Vec::with_capacity(self.schedules.len());
        for (index, schedule) in self.schedules.into_iter().enumerate() {
            let mut intervals = Vec::with_capacity(schedule.intervals.len());
            for (at, interval) in schedule.intervals.iter().enumerate() {
                let path = format!("schedules.{index}.intervals.{at}");
                let hours = read_hours(&path, &interval.start, &interval.end)?;
                intervals.push(WeeklyInterval { day: interval.day, start: hours.start, end: hours.end });
            }
            schedules.push(domain::Schedule {
                name: schedule.name,
                active: schedule.active,
                slot_minutes: Minutes(schedule.slot_minutes),
                intervals,
            });
        }
        let mut overrides = Vec::with_capacity(self.overrides.len());
        for (index, day) in self.overrides.into_iter().enumerate() {
            let mut intervals = Vec::with_capacity(day.intervals.len());
            for (at, interval) in day.intervals.iter().enumerate() {
                let path = format!("overrides.{index}.intervals.{at}");
                intervals.push(read_hours(&path, &interval.start, &interval.end)?);
            }
            let kind = day.kind.parse().map_err(|error: FieldError| FieldError {
                field: format!("overrides.{index}.kind"),
                ..error
            })?;
            overrides.push(domain::ScheduleOverride { date: day.date, kind, intervals, note: day.note });
        }
        Ok(domain::Availability { provider_id, zone, schedules, overrides })
    }
}

fn read_hours(path: &str, start: &str, end: &str) -> Result<DayInterval, FieldError> {
    Ok(DayInterval {
        start: TimeOfDay::parse(&format!("{path}.start"), start)?,
        end: TimeOfDay::parse(&format!("{path}.end"), end)?,
    })
}
