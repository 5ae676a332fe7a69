//! Slots against a slow and obvious reference that looks at every minute: random schedules in twelve
//! zones near their clock changes, and every clock change of those zones from 1972 to 2100.
#![allow(clippy::unwrap_used)]

use std::cell::Cell;

use jiff::civil::{Date, DateTime};
use jiff::{SignedDuration, Timestamp};
use parley_control_domain::{
    Availability, BookingRules, DayInterval, MemberId, Minutes, OverrideKind, Schedule, ScheduleOverride,
    Slot, SlotQuery, Span, TimeOfDay, WeeklyInterval, Zone, check_slot, slots,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestRunner};
use uuid::Uuid;

/// Zones with changes by an hour, half an hour and two hours, at midnight, a minute past it, of a whole
/// day, and none at all.
const ZONES: [&str; 12] = [
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "America/St_Johns",
    "Asia/Kathmandu",
    "Africa/Cairo",
    "America/Sao_Paulo",
    "Asia/Beirut",
    "Pacific/Apia",
    "Africa/Casablanca",
    "Antarctica/Troll",
    "Pacific/Chatham",
];

fn zone(name: &str) -> Zone {
    Zone::parse("zone", name).unwrap()
}

fn epoch_minute(at: Timestamp) -> i64 {
    at.as_second().div_euclid(60)
}

fn of_minute(minute: i64) -> Timestamp {
    Timestamp::from_second(minute * 60).unwrap()
}

/// A minute inside an interval: which date and interval, and the distance of starts there.
type Inside = (Date, DayInterval, u32);

/// Every minute around a window with the intervals that it is in.
struct Minutely {
    first: i64,
    inside: Vec<Vec<Inside>>,
    open: Vec<bool>,
}

impl Minutely {
    fn of(availability: &Availability, first: i64, last: i64) -> Self {
        let mut minutely = Self { first, inside: Vec::new(), open: Vec::new() };
        for minute in first..=last {
            let wall = availability.zone.wall(of_minute(minute));
            let (inside, blocked) = hours_of(availability, wall);
            minutely.open.push(!inside.is_empty() && !blocked);
            minutely.inside.push(inside);
        }
        minutely
    }

    fn inside(&self, minute: i64) -> &[Inside] {
        usize::try_from(minute - self.first)
            .ok()
            .and_then(|index| self.inside.get(index))
            .map_or(&[], Vec::as_slice)
    }

    fn is_open(&self, minute: i64) -> bool {
        self.open[usize::try_from(minute - self.first).unwrap()]
    }

    /// The first minute of the run of minutes up to this one that are in the interval.
    fn anchor(&self, mut minute: i64, interval: &Inside) -> i64 {
        while self.inside(minute - 1).contains(interval) {
            minute -= 1;
        }
        minute
    }
}

/// The intervals that a wall clock is in, and whether it is in a blocked one.
fn hours_of(availability: &Availability, wall: DateTime) -> (Vec<Inside>, bool) {
    let now = u16::try_from(wall.hour()).unwrap() * 60 + u16::try_from(wall.minute()).unwrap();
    let contains = |hours: &DayInterval| hours.start.minutes() <= now && now < hours.end.minutes();
    let mut inside = Vec::new();
    let (mut holiday, mut custom, mut blocked) = (false, false, false);
    let step = availability.schedules.iter().find(|schedule| schedule.active);
    let step = step.map_or(30, |schedule| schedule.slot_minutes.0);
    for day in availability.overrides.iter().filter(|day| day.date == wall.date()) {
        match day.kind {
            OverrideKind::Holiday => holiday = true,
            OverrideKind::Custom => {
                custom = true;
                for hours in day.intervals.iter().filter(|hours| contains(hours)) {
                    inside.push((wall.date(), *hours, step));
                }
            }
            OverrideKind::Blocked => {
                blocked |= day.intervals.is_empty() || day.intervals.iter().any(contains)
            }
        }
    }
    if holiday {
        return (Vec::new(), true);
    }
    if !custom {
        for schedule in availability.schedules.iter().filter(|schedule| schedule.active) {
            for interval in &schedule.intervals {
                let hours = interval.hours();
                let weekday = wall.weekday().to_sunday_zero_offset();
                if i64::from(interval.day) == i64::from(weekday) && contains(&hours) {
                    inside.push((wall.date(), hours, schedule.slot_minutes.0));
                }
            }
        }
    }
    (inside, blocked)
}

/// Every bookable start, found by asking each minute. No interval and no appointment is longer than
/// `margin` minutes.
fn reference(query: &SlotQuery<'_>, window: Span, margin: i64) -> Vec<Slot> {
    let (first, last) = (epoch_minute(window.start), epoch_minute(window.end));
    let minutely = Minutely::of(query.availability, first - margin, last + margin);
    let duration = i64::from(query.duration.0);
    let rules = query.rules;
    let mut found = Vec::new();
    for start in first..last {
        let at = of_minute(start);
        let notice = SignedDuration::from_mins(i64::from(rules.minimum_notice.0));
        let advance = SignedDuration::from_hours(24 * i64::from(rules.maximum_advance_days));
        if at < query.now + notice || at >= query.now + advance {
            continue;
        }
        let starts_here = minutely.inside(start).iter().any(|interval| {
            let step = i64::from(rules.slot_interval.map_or(interval.2, |step| step.0));
            let since = start - minutely.anchor(start, interval) - i64::from(rules.slot_offset.0);
            since >= 0 && since % step == 0
        });
        let within_hours = (start..start + duration).all(|minute| minutely.is_open(minute));
        // Cells of five minutes, counted from 1970, that the appointment and its buffers touch.
        let cells = |from: i64, to: i64| from.div_euclid(5)..=(to - 1).div_euclid(5);
        let own = cells(
            start - i64::from(rules.buffer_before.0),
            start + duration + i64::from(rules.buffer_after.0),
        );
        let free = query.busy.iter().all(|busy| {
            let mut taken = cells(epoch_minute(busy.start), epoch_minute(busy.end));
            !taken.any(|cell| own.contains(&cell))
        });
        if starts_here && within_hours && free {
            found.push(Slot { start: at, end: of_minute(start + duration) });
        }
    }
    found
}

/// All clock changes of a zone from 1972 (before, offsets had seconds in some zones) to 2100.
fn transitions(zone: &Zone) -> Vec<Timestamp> {
    let end: Timestamp = "2100-01-01T00:00:00Z".parse().unwrap();
    zone.time_zone()
        .following("1972-06-01T00:00:00Z".parse().unwrap())
        .map(|transition| transition.timestamp())
        .take_while(|at| *at < end)
        .collect()
}

fn day_interval() -> impl Strategy<Value = DayInterval> {
    (0..288_u16, 1..=96_u16).prop_map(|(start, length)| {
        let end = (start + length).min(288);
        let time = |step: u16| TimeOfDay::from_minutes(step * 5).unwrap();
        DayInterval { start: time(start), end: time(end) }
    })
}

fn schedule() -> impl Strategy<Value = Schedule> {
    let interval = (0..=6_u8, day_interval()).prop_map(|(day, hours)| WeeklyInterval {
        day,
        start: hours.start,
        end: hours.end,
    });
    (prop_oneof![4 => Just(true), 1 => Just(false)], 1..=12_u32, vec(interval, 0..16)).prop_map(
        |(active, slot, intervals)| Schedule {
            name: "Week".to_owned(),
            active,
            slot_minutes: Minutes(slot * 5),
            intervals,
        },
    )
}

fn rules() -> impl Strategy<Value = BookingRules> {
    let few = |most: u32| (0..=most).prop_map(|step| Minutes(step * 5));
    let interval = prop_oneof![2 => Just(None), 1 => (1..=12_u32).prop_map(|step| Some(Minutes(step * 5)))];
    (few(6), few(6), 0..2_000_u32, 1..4_u32, interval, prop_oneof![3 => Just(Minutes(0)), 1 => few(12)])
        .prop_map(
            |(buffer_before, buffer_after, notice, maximum_advance_days, slot_interval, slot_offset)| {
                BookingRules {
                    buffer_before,
                    buffer_after,
                    minimum_notice: Minutes(notice),
                    maximum_advance_days,
                    slot_interval,
                    slot_offset,
                    ..BookingRules::default()
                }
            },
        )
}

#[derive(Debug, Clone)]
struct Case {
    availability: Availability,
    rules: BookingRules,
    duration: Minutes,
    busy: Vec<Span>,
    now: Timestamp,
    window: Span,
}

impl Case {
    fn query(&self) -> SlotQuery<'_> {
        SlotQuery {
            availability: &self.availability,
            rules: &self.rules,
            duration: self.duration,
            busy: &self.busy,
            now: self.now,
        }
    }
}

fn case() -> impl Strategy<Value = Case> {
    let around = (0..ZONES.len(), any::<prop::sample::Index>()).prop_map(|(index, choice)| {
        let zone = zone(ZONES[index]);
        let changes = transitions(&zone);
        let center =
            if changes.is_empty() { "2026-03-01T00:00:00Z".parse().unwrap() } else { *choice.get(&changes) };
        (zone, center)
    });
    let days = (-2..=2_i64, 0..3_u8, vec(day_interval(), 0..3));
    let busy = (-2_000..2_000_i64, 1..200_i64);
    (around, vec(schedule(), 1..3), vec(days, 0..4), rules(), 1..=30_u32, vec(busy, 0..6), -2_500..1_000_i64)
        .prop_map(|((zone, center), schedules, days, rules, duration, busy, now)| {
            let center_minute = epoch_minute(center);
            let overrides = days
                .into_iter()
                .map(|(distance, kind, intervals)| ScheduleOverride {
                    date: zone.date(of_minute(center_minute + distance * 24 * 60)),
                    kind: OverrideKind::ALL[usize::from(kind)],
                    intervals,
                    note: None,
                })
                .collect();
            let provider_id = MemberId::from_uuid(Uuid::nil());
            Case {
                availability: Availability { provider_id, zone, schedules, overrides },
                rules,
                duration: Minutes(duration * 5),
                busy: busy
                    .into_iter()
                    .map(|(start, length)| {
                        Span::new(of_minute(center_minute + start), of_minute(center_minute + start + length))
                    })
                    .collect(),
                now: of_minute(center_minute + now),
                window: Span::new(of_minute(center_minute - 1_800), of_minute(center_minute + 1_800)),
            }
        })
}

#[test]
fn slots_are_those_of_the_reference() {
    let mut runner = TestRunner::new(Config {
        cases: 200,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(0x00c0_ffee_2026),
        ..Config::default()
    });
    let offering = Cell::new(0);
    runner
        .run(&case(), |case| {
            let query = case.query();
            let found = slots(&query, case.window);
            prop_assert_eq!(&found, &reference(&query, case.window, 26 * 60));
            offering.set(offering.get() + i32::from(!found.is_empty()));
            ways_of_asking_agree(&case, &found)?;
            what_is_booked_is_gone(&case, &found)
        })
        .unwrap();
    assert!(offering.get() > 60, "only {} cases offered a slot", offering.get());
}

/// Asking about one start agrees with the list, and so does asking in two halves.
fn ways_of_asking_agree(case: &Case, found: &[Slot]) -> Result<(), TestCaseError> {
    let query = case.query();
    let minutes = epoch_minute(case.window.start)..epoch_minute(case.window.end);
    for minute in minutes.step_by(35) {
        let start = of_minute(minute);
        let listed = found.iter().any(|slot| slot.start == start);
        prop_assert_eq!(check_slot(&query, start).is_ok(), listed, "{}", start);
    }
    for slot in found {
        prop_assert_eq!(check_slot(&query, slot.start), Ok(*slot));
    }
    let middle = of_minute(epoch_minute(case.window.start) + 1_234);
    let mut halves = slots(&query, Span::new(case.window.start, middle));
    halves.extend(slots(&query, Span::new(middle, case.window.end)));
    prop_assert_eq!(halves, found);
    Ok(())
}

/// A booked slot, with its buffers, is gone, and so is all that overlaps it; nothing else is.
fn what_is_booked_is_gone(case: &Case, found: &[Slot]) -> Result<(), TestCaseError> {
    let Some(slot) = found.first() else { return Ok(()) };
    let reserved = |slot: &Slot| case.rules.reserved(Span::new(slot.start, slot.end));
    let mut busy = case.busy.clone();
    busy.push(reserved(slot));
    let rest = slots(&SlotQuery { busy: &busy, ..case.query() }, case.window);
    let expected: Vec<Slot> =
        found.iter().copied().filter(|other| !reserved(other).overlaps(reserved(slot))).collect();
    prop_assert_eq!(rest, expected);
    Ok(())
}

#[test]
fn every_clock_change_of_twelve_zones() {
    let time = |text: &str| TimeOfDay::parse("time", text).unwrap();
    let intervals =
        (0..=6)
            .flat_map(|day| {
                [("00:00", "00:40"), ("01:30", "03:30"), ("22:10", "24:00")]
                    .map(|(start, end)| WeeklyInterval { day, start: time(start), end: time(end) })
            })
            .collect();
    let week = Schedule { name: "Nights".to_owned(), active: true, slot_minutes: Minutes(20), intervals };
    let rules = BookingRules {
        minimum_notice: Minutes(0),
        buffer_before: Minutes(0),
        buffer_after: Minutes(0),
        ..BookingRules::default()
    };
    let mut changes = 0;
    for name in ZONES {
        let zone = zone(name);
        let all = transitions(&zone);
        let availability = Availability {
            provider_id: MemberId::from_uuid(Uuid::nil()),
            zone,
            schedules: vec![week.clone()],
            overrides: Vec::new(),
        };
        for change in all {
            let window =
                Span::new(change - SignedDuration::from_hours(5), change + SignedDuration::from_hours(5));
            let query = SlotQuery {
                availability: &availability,
                rules: &rules,
                duration: Minutes(40),
                busy: &[],
                now: window.start,
            };
            assert_eq!(slots(&query, window), reference(&query, window, 4 * 60), "{name} at {change}");
            changes += 1;
        }
    }
    assert!(changes > 1_000, "{changes}");
}
