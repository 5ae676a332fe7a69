//! Bookable intervals: hours + overrides − appointments with buffers − notice and advance.
//!
//! The hours of a day are the instants at which the provider's wall clock shows a time inside
//! an interval of that day. Over a gap (clocks go forward) the times that do not exist are
//! simply not there; over a fold (clocks go back) the repeated hour counts twice. Starts are
//! counted in real time from the first instant of each interval, so a slot has its full length
//! on every day of the year.

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{Availability, BookingRules, DayInterval, Minutes, OverrideKind, Span, WeeklyInterval, Zone};

/// Most days that one question covers.
pub const MAX_DAYS: usize = 62;
/// Distance of starts on a date with custom hours when no schedule says another.
const DEFAULT_STEP: Minutes = Minutes(30);

/// A bookable interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Slot {
    /// First instant.
    pub start: Timestamp,
    /// First instant after it.
    pub end: Timestamp,
}

/// The slots of one date on the viewer's wall.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DaySlots {
    /// The date.
    pub date: Date,
    /// Its slots, ascending.
    pub slots: Vec<Slot>,
}

/// All that decides about slots.
#[derive(Debug, Clone, Copy)]
pub struct SlotQuery<'a> {
    /// Hours and overrides.
    pub availability: &'a Availability,
    /// Rules of the service.
    pub rules: &'a BookingRules,
    /// Length of the appointment.
    pub duration: Minutes,
    /// What is taken already, buffers included ([`BookingRules::reserved`]), in any order.
    pub busy: &'a [Span],
    /// The present.
    pub now: Timestamp,
}

/// Why a start cannot be booked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SlotRefusal {
    /// It has passed.
    Past,
    /// Nearer than the minimum notice.
    TooSoon,
    /// Farther than the maximum advance.
    TooFar,
    /// Outside the provider's hours, or not at a start of the grid.
    NotOffered,
    /// Overlaps something else, buffers included.
    Taken,
}

impl SlotRefusal {
    /// Stable code for the API.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Past => "slot_past",
            Self::TooSoon => "slot_too_soon",
            Self::TooFar => "slot_too_far",
            Self::NotOffered => "slot_not_offered",
            Self::Taken => "slot_taken",
        }
    }

    /// For people.
    #[must_use]
    pub const fn detail(self) -> &'static str {
        match self {
            Self::Past => "This time has passed. Please choose another.",
            Self::TooSoon => "This time is too near to be booked. Please choose a later one.",
            Self::TooFar => "This time is too far ahead to be booked. Please choose an earlier one.",
            Self::NotOffered => "This time is not offered. Please choose one of the times shown.",
            Self::Taken => "This time has just been taken. Please choose another.",
        }
    }
}

/// The slots that start in `window`, ascending, each start once.
#[must_use]
pub fn slots(query: &SlotQuery<'_>, window: Span) -> Vec<Slot> {
    let open = Span::new(earliest(query), latest(query));
    let Some(window) = window.intersect(open) else { return Vec::new() };
    let hours = Hours::of(query, window);
    let busy = Span::merge(query.busy.to_vec());
    let mut starts: Vec<Timestamp> = hours.starts(query, window);
    starts.sort_unstable();
    starts.dedup();
    starts
        .into_iter()
        .filter_map(|start| slot_at(query, start))
        .filter(|slot| covered(&hours.open, Span::new(slot.start, slot.end)))
        .filter(|slot| !hit(&busy, query.rules.reserved(Span::new(slot.start, slot.end))))
        .collect()
}

/// Whether exactly this start can be booked; agrees with [`slots`] for every start.
///
/// # Errors
/// Why not.
pub fn check_slot(query: &SlotQuery<'_>, start: Timestamp) -> Result<Slot, SlotRefusal> {
    if start < query.now {
        return Err(SlotRefusal::Past);
    }
    if start < earliest(query) {
        return Err(SlotRefusal::TooSoon);
    }
    if start >= latest(query) {
        return Err(SlotRefusal::TooFar);
    }
    let slot = slot_at(query, start).ok_or(SlotRefusal::TooFar)?;
    let span = Span::new(slot.start, slot.end);
    let window = Span::new(start, slot.end);
    let hours = Hours::of(query, window);
    if !covered(&hours.open, span) || !hours.starts(query, window).contains(&start) {
        return Err(SlotRefusal::NotOffered);
    }
    let reserved = query.rules.reserved(span);
    if query.busy.iter().any(|busy| busy.overlaps(reserved)) {
        return Err(SlotRefusal::Taken);
    }
    Ok(slot)
}

/// Groups slots by the viewer's dates: every date from `first` to `last` (at most [`MAX_DAYS`]),
/// also those without slots; slots of other dates are left out. `slots` is ascending.
#[must_use]
pub fn by_day(slots: &[Slot], first: Date, last: Date, viewer: &Zone) -> Vec<DaySlots> {
    let mut days: Vec<DaySlots> = Vec::new();
    let mut date = first;
    while date <= last && days.len() < MAX_DAYS {
        days.push(DaySlots { date, slots: Vec::new() });
        match date.tomorrow() {
            Ok(next) => date = next,
            Err(_) => break,
        }
    }
    for slot in slots {
        let date = viewer.date(slot.start);
        if let Ok(index) = days.binary_search_by(|day| day.date.cmp(&date)) {
            days[index].slots.push(*slot);
        }
    }
    days
}

/// The instants of the dates from `first` to `last` on a wall: the window to ask [`slots`] for.
#[must_use]
pub fn days_window(first: Date, last: Date, viewer: &Zone) -> Span {
    let midnight = |date: Date, or: Timestamp| {
        date.to_zoned(viewer.time_zone().clone()).map_or(or, |start_of_day| start_of_day.timestamp())
    };
    let end = last.tomorrow().map_or(Timestamp::MAX, |next| midnight(next, Timestamp::MAX));
    Span::new(midnight(first, Timestamp::MIN), end)
}

fn slot_at(query: &SlotQuery<'_>, start: Timestamp) -> Option<Slot> {
    Some(Slot { start, end: start.checked_add(query.duration.duration()).ok()? })
}

fn earliest(query: &SlotQuery<'_>) -> Timestamp {
    query.now.saturating_add(query.rules.minimum_notice.duration()).unwrap_or(Timestamp::MAX)
}

fn latest(query: &SlotQuery<'_>) -> Timestamp {
    let advance = SignedDuration::from_hours(24 * i64::from(query.rules.maximum_advance_days));
    query.now.saturating_add(advance).unwrap_or(Timestamp::MAX)
}

/// Whether one of the sorted, merged spans holds `span` wholly.
fn covered(spans: &[Span], span: Span) -> bool {
    let after = spans.partition_point(|open| open.start <= span.start);
    after > 0 && spans[after - 1].covers(span)
}

/// Whether one of the sorted, merged spans overlaps `span`.
fn hit(spans: &[Span], span: Span) -> bool {
    let first = spans.partition_point(|busy| busy.end <= span.start);
    spans.get(first).is_some_and(|busy| busy.overlaps(span))
}

/// A provider's hours around a window, as instants.
struct Hours {
    /// Each interval's pieces with the distance of starts in it.
    intervals: Vec<(Span, Minutes)>,
    /// All hours together without what is blocked, sorted and merged.
    open: Vec<Span>,
}

impl Hours {
    fn of(query: &SlotQuery<'_>, window: Span) -> Self {
        let availability = query.availability;
        let zone = &availability.zone;
        // A slot may begin in an interval that began the day before and end in one of the next
        // days; one date more on each side covers the wall clock's distance from UTC.
        let margin = SignedDuration::from_hours(48) + query.duration.duration();
        let around = Span::new(
            window.start.saturating_sub(margin).unwrap_or(Timestamp::MIN),
            window.end.saturating_add(margin).unwrap_or(Timestamp::MAX),
        );
        let offsets = Offsets::of(zone, around);
        let mut intervals = Vec::new();
        let mut blocked = Vec::new();
        let mut date = zone.date(around.start);
        let last = zone.date(around.end);
        while date <= last {
            for (hours, step) in hours_on(availability, date) {
                offsets.instants(date, hours, |span| intervals.push((span, step)));
            }
            for hours in blocked_on(availability, date) {
                offsets.instants(date, hours, |span| blocked.push(span));
            }
            match date.tomorrow() {
                Ok(next) => date = next,
                Err(_) => break,
            }
        }
        let open = Span::merge(intervals.iter().map(|(span, _)| *span).collect());
        let open = Span::subtract(&open, &Span::merge(blocked));
        Self { intervals, open }
    }

    /// Starts of the grid inside `window`, in no order.
    fn starts(&self, query: &SlotQuery<'_>, window: Span) -> Vec<Timestamp> {
        let mut starts = Vec::new();
        for (span, slot_minutes) in &self.intervals {
            let step = query.rules.slot_interval.unwrap_or(*slot_minutes);
            let step_seconds = i64::from(step.0.max(1)) * 60;
            let Some(inside) = span.intersect(window) else { continue };
            let first = span.start.as_second() + i64::from(query.rules.slot_offset.0) * 60;
            let steps_before = (inside.start.as_second() - first).max(0) / step_seconds;
            let mut second = first + steps_before * step_seconds;
            while second < inside.end.as_second() {
                if let Ok(start) = Timestamp::from_second(second)
                    && inside.contains(start)
                {
                    starts.push(start);
                }
                second += step_seconds;
            }
        }
        starts
    }
}

/// The hours of a date before what is blocked, each with its distance of starts.
fn hours_on(availability: &Availability, date: Date) -> Vec<(DayInterval, Minutes)> {
    let active = || availability.schedules.iter().filter(|schedule| schedule.active);
    let on_date = || availability.overrides.iter().filter(move |day| day.date == date);
    if on_date().any(|day| day.kind == OverrideKind::Holiday) {
        return Vec::new();
    }
    if on_date().any(|day| day.kind == OverrideKind::Custom) {
        let step = active().next().map_or(DEFAULT_STEP, |schedule| schedule.slot_minutes);
        return on_date()
            .filter(|day| day.kind == OverrideKind::Custom)
            .flat_map(|day| day.intervals.iter().map(move |hours| (*hours, step)))
            .collect();
    }
    let weekday = date.weekday();
    active()
        .flat_map(|schedule| {
            let on_day = schedule.intervals.iter().filter(move |interval| interval.is_on(weekday));
            on_day.map(WeeklyInterval::hours).map(|hours| (hours, schedule.slot_minutes))
        })
        .collect()
}

/// What is blocked on a date.
fn blocked_on(availability: &Availability, date: Date) -> Vec<DayInterval> {
    let whole_day = DayInterval { start: crate::TimeOfDay::MIDNIGHT, end: crate::TimeOfDay::END_OF_DAY };
    let mut blocked = Vec::new();
    for day in availability.overrides.iter().filter(|day| day.date == date) {
        if day.kind == OverrideKind::Blocked {
            if day.intervals.is_empty() {
                blocked.push(whole_day);
            }
            blocked.extend(&day.intervals);
        }
    }
    blocked
}

/// A zone's offsets from UTC over some time.
struct Offsets {
    /// When each offset holds, and its seconds east of UTC; ascending, without holes.
    pieces: Vec<(Span, i64)>,
}

impl Offsets {
    fn of(zone: &Zone, around: Span) -> Self {
        let time_zone = zone.time_zone();
        let mut pieces = Vec::new();
        let mut start = around.start;
        let mut offset = time_zone.to_offset(start);
        for transition in time_zone.following(start) {
            let at = transition.timestamp().min(around.end);
            if transition.offset() != offset || at == around.end {
                pieces.push((Span::new(start, at), i64::from(offset.seconds())));
                (start, offset) = (at, transition.offset());
            }
            if at == around.end {
                break;
            }
        }
        if start < around.end {
            pieces.push((Span::new(start, around.end), i64::from(offset.seconds())));
        }
        Self { pieces }
    }

    /// Calls `each` with the spans of instants whose wall clock is inside `hours` on `date`.
    fn instants(&self, date: Date, hours: DayInterval, mut each: impl FnMut(Span)) {
        let midnight_utc = days_since_epoch(date) * 86_400;
        let wall = |minutes: u16| midnight_utc + i64::from(minutes) * 60;
        let (from, to) = (wall(hours.start.minutes()), wall(hours.end.minutes()));
        let mut joined: Option<Span> = None;
        for (piece, offset) in &self.pieces {
            let (Ok(start), Ok(end)) =
                (Timestamp::from_second(from - offset), Timestamp::from_second(to - offset))
            else {
                continue;
            };
            let Some(span) = Span::new(start, end).intersect(*piece) else { continue };
            joined = match joined {
                Some(before) if before.end == span.start => Some(Span::new(before.start, span.end)),
                Some(before) => {
                    each(before);
                    Some(span)
                }
                None => Some(span),
            };
        }
        if let Some(span) = joined {
            each(span);
        }
    }
}

/// Days from 1970-01-01 to `date`.
fn days_since_epoch(date: Date) -> i64 {
    date.duration_since(Date::constant(1970, 1, 1)).as_secs() / 86_400
}
