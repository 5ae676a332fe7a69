//! Slots in cases that a person can check by hand.
#![allow(clippy::unwrap_used)]

use jiff::Timestamp;
use jiff::civil::{Date, date};
use parley_control_domain::{
    Availability, BookingRules, DayInterval, MemberId, Minutes, OverrideKind, Schedule, ScheduleOverride,
    SlotQuery, SlotRefusal, Span, TimeOfDay, WeeklyInterval, Zone, by_day, check_slot, days_window, slots,
};
use uuid::Uuid;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn zone(name: &str) -> Zone {
    Zone::parse("zone", name).unwrap()
}

fn time(text: &str) -> TimeOfDay {
    TimeOfDay::parse("time", text).unwrap()
}

fn hours(start: &str, end: &str) -> DayInterval {
    DayInterval { start: time(start), end: time(end) }
}

/// The same hours on each day of the week.
fn schedule(slot: u32, intervals: &[(&str, &str)]) -> Schedule {
    let intervals = (0..=6)
        .flat_map(|day| {
            intervals.iter().map(move |(start, end)| WeeklyInterval {
                day,
                start: time(start),
                end: time(end),
            })
        })
        .collect();
    Schedule { name: "Week".to_owned(), active: true, slot_minutes: Minutes(slot), intervals }
}

fn availability(zone_name: &str, schedules: Vec<Schedule>) -> Availability {
    Availability {
        provider_id: MemberId::from_uuid(Uuid::nil()),
        zone: zone(zone_name),
        schedules,
        overrides: Vec::new(),
    }
}

fn open_rules() -> BookingRules {
    BookingRules {
        buffer_before: Minutes(0),
        buffer_after: Minutes(0),
        minimum_notice: Minutes(0),
        maximum_advance_days: 731,
        ..BookingRules::default()
    }
}

fn query<'a>(availability: &'a Availability, rules: &'a BookingRules, now: &str) -> SlotQuery<'a> {
    SlotQuery { availability, rules, duration: Minutes(30), busy: &[], now: at(now) }
}

/// Starts on the provider's wall with the offset from UTC, for one date of the provider.
fn starts_on(query: &SlotQuery<'_>, day: Date) -> Vec<String> {
    let zone = &query.availability.zone;
    slots(query, days_window(day, day, zone))
        .iter()
        .map(|slot| slot.start.to_zoned(zone.time_zone().clone()).strftime("%H:%M%:z").to_string())
        .collect()
}

#[test]
fn half_past_one_to_half_past_three_on_a_gap_day_is_one_hour() {
    // Berlin, 29 March 2026: the clock goes from 02:00 to 03:00.
    let week = availability("Europe/Berlin", vec![schedule(30, &[("01:30", "03:30")])]);
    let rules = open_rules();
    let query = query(&week, &rules, "2026-01-01T00:00:00Z");
    assert_eq!(starts_on(&query, date(2026, 3, 29)), ["01:30+01:00", "03:00+02:00"]);
    // An hour long: from 01:30 to 03:30 on the wall.
    let long = SlotQuery { duration: Minutes(60), ..query };
    assert_eq!(starts_on(&long, date(2026, 3, 29)), ["01:30+01:00"]);
    // The days before and after have two hours.
    let usual = |offset: &str| ["01:30", "02:00", "02:30", "03:00"].map(|start| format!("{start}{offset}"));
    assert_eq!(starts_on(&query, date(2026, 3, 28)), usual("+01:00"));
    assert_eq!(starts_on(&query, date(2026, 3, 30)), usual("+02:00"));
}

#[test]
fn half_past_one_to_half_past_three_on_a_fold_day_is_three_hours() {
    // Berlin, 25 October 2026: the clock goes from 03:00 back to 02:00.
    let week = availability("Europe/Berlin", vec![schedule(30, &[("01:30", "03:30")])]);
    let rules = open_rules();
    let query = query(&week, &rules, "2026-01-01T00:00:00Z");
    assert_eq!(
        starts_on(&query, date(2026, 10, 25)),
        ["01:30+02:00", "02:00+02:00", "02:30+02:00", "02:00+01:00", "02:30+01:00", "03:00+01:00"]
    );
    // Each has its half hour of real time, and they follow each other.
    let found = slots(&query, days_window(date(2026, 10, 25), date(2026, 10, 25), &week.zone));
    assert!(found.windows(2).all(|pair| pair[0].end == pair[1].start));
    let long = SlotQuery { duration: Minutes(180), ..query };
    assert_eq!(starts_on(&long, date(2026, 10, 25)), ["01:30+02:00"]);
}

#[test]
fn hours_that_begin_or_end_inside_a_gap_or_fold() {
    let rules = open_rules();
    let starts = |intervals: &[(&str, &str)], day: Date| {
        let week = availability("Europe/Berlin", vec![schedule(30, intervals)]);
        starts_on(&query(&week, &rules, "2026-01-01T00:00:00Z"), day)
    };
    let (gap, fold) = (date(2026, 3, 29), date(2026, 10, 25));
    // 02:30 does not exist: the hours begin when the clock first shows more.
    assert_eq!(starts(&[("02:30", "04:00")], gap), ["03:00+02:00", "03:30+02:00"]);
    assert_eq!(starts(&[("01:00", "02:30")], gap), ["01:00+01:00", "01:30+01:00"]);
    assert_eq!(starts(&[("02:00", "03:00")], gap), [""; 0]);
    // 02:30 is shown twice: the clock is inside the hours twice.
    assert_eq!(starts(&[("02:30", "03:30")], fold), ["02:30+02:00", "02:30+01:00", "03:00+01:00"]);
    assert_eq!(starts(&[("01:30", "02:30")], fold), ["01:30+02:00", "02:00+02:00", "02:00+01:00"]);
}

#[test]
fn clocks_that_change_at_midnight() {
    let rules = open_rules();
    // Cairo, 24 April 2026: 00:00 does not exist, the day begins at 01:00.
    let week = availability("Africa/Cairo", vec![schedule(60, &[("00:00", "02:00")])]);
    let hour = SlotQuery { duration: Minutes(60), ..query(&week, &rules, "2026-01-01T00:00:00Z") };
    assert_eq!(starts_on(&hour, date(2026, 4, 24)), ["01:00+03:00"]);
    assert_eq!(starts_on(&hour, date(2026, 4, 25)), ["00:00+03:00", "01:00+03:00"]);
    // Cairo, 29 October 2026: at 24:00 it is 23:00 again; an evening to 24:00 is an hour longer.
    let evening = availability("Africa/Cairo", vec![schedule(60, &[("22:00", "24:00")])]);
    let hour = SlotQuery { availability: &evening, ..hour };
    assert_eq!(starts_on(&hour, date(2026, 10, 29)), ["22:00+03:00", "23:00+03:00", "23:00+02:00"]);
    // Apia had no 30 December 2011.
    let apia = availability("Pacific/Apia", vec![schedule(60, &[("09:00", "10:00")])]);
    let hour = SlotQuery { availability: &apia, now: at("2011-12-01T00:00:00Z"), ..hour };
    let found = slots(&hour, Span::new(at("2011-12-29T10:00:00Z"), at("2012-01-01T10:00:00Z")));
    let starts: Vec<String> = found.iter().map(|slot| slot.start.to_string()).collect();
    assert_eq!(starts, ["2011-12-29T19:00:00Z", "2011-12-30T19:00:00Z", "2011-12-31T19:00:00Z"]);
}

#[test]
fn a_slot_crosses_midnight_where_the_hours_do() {
    let week = availability("Asia/Kathmandu", vec![schedule(60, &[("00:00", "02:00"), ("22:30", "24:00")])]);
    let rules = open_rules();
    let hour = SlotQuery { duration: Minutes(60), ..query(&week, &rules, "2026-01-01T00:00:00Z") };
    // 23:30 runs to 00:30, where the next day's hours have begun.
    let starts = starts_on(&hour, date(2026, 5, 5));
    assert_eq!(starts, ["00:00+05:45", "01:00+05:45", "22:30+05:45", "23:30+05:45"]);
    // Without the early hours it would run out of the day.
    let evening = availability("Asia/Kathmandu", vec![schedule(60, &[("22:30", "24:00")])]);
    let hour = SlotQuery { availability: &evening, ..hour };
    assert_eq!(starts_on(&hour, date(2026, 5, 5)), ["22:30+05:45"]);
}

#[test]
fn several_intervals_and_schedules_add_up() {
    let mut second = schedule(45, &[("11:00", "13:00")]);
    second.name = "Late".to_owned();
    let mut week =
        availability("Europe/Paris", vec![schedule(30, &[("08:00", "09:00"), ("10:00", "11:00")]), second]);
    let rules = open_rules();
    let day = date(2026, 6, 1);
    let starts = |week: &Availability| starts_on(&query(week, &rules, "2026-05-01T00:00:00Z"), day);
    assert_eq!(
        starts(&week),
        ["08:00", "08:30", "10:00", "10:30", "11:00", "11:45", "12:30"].map(|start| format!("{start}+02:00"))
    );
    week.schedules[1].active = false;
    assert_eq!(starts(&week).last().unwrap(), "10:30+02:00");
}

#[test]
fn overrides_replace_take_away_and_close() {
    let mut week = availability("Europe/Paris", vec![schedule(30, &[("09:00", "11:00")])]);
    let day = date(2026, 6, 1);
    let rules = open_rules();
    let starts = |week: &Availability| {
        starts_on(&query(week, &rules, "2026-05-01T00:00:00Z"), day)
            .iter()
            .map(|start| start[..5].to_owned())
            .collect::<Vec<_>>()
    };
    let day_is = |kind, intervals: &[DayInterval]| ScheduleOverride {
        date: day,
        kind,
        intervals: intervals.to_vec(),
        note: None,
    };
    assert_eq!(starts(&week), ["09:00", "09:30", "10:00", "10:30"]);

    week.overrides = vec![day_is(OverrideKind::Blocked, &[hours("09:20", "09:45")])];
    assert_eq!(starts(&week), ["10:00", "10:30"]);
    week.overrides = vec![day_is(OverrideKind::Blocked, &[])];
    assert_eq!(starts(&week), [""; 0]);

    let custom = day_is(OverrideKind::Custom, &[hours("14:00", "15:00"), hours("20:00", "20:30")]);
    week.overrides = vec![custom.clone()];
    assert_eq!(starts(&week), ["14:00", "14:30", "20:00"]);
    week.overrides = vec![custom.clone(), day_is(OverrideKind::Blocked, &[hours("14:00", "14:10")])];
    assert_eq!(starts(&week), ["14:30", "20:00"]);
    week.overrides = vec![custom, day_is(OverrideKind::Holiday, &[])];
    assert_eq!(starts(&week), [""; 0]);
    // Other days are as always.
    let next = starts_on(&query(&week, &rules, "2026-05-01T00:00:00Z"), date(2026, 6, 2));
    assert_eq!(next.len(), 4);
}

#[test]
fn buffers_keep_their_distance_from_what_is_taken() {
    let week = availability("UTC", vec![schedule(15, &[("08:00", "12:00")])]);
    let rules = BookingRules { buffer_before: Minutes(10), buffer_after: Minutes(15), ..open_rules() };
    let taken = rules.reserved(Span::new(at("2026-06-01T10:00:00Z"), at("2026-06-01T10:30:00Z")));
    assert_eq!(taken, Span::new(at("2026-06-01T09:50:00Z"), at("2026-06-01T10:45:00Z")));
    let busy = [taken];
    let query = SlotQuery { busy: &busy, ..query(&week, &rules, "2026-05-01T00:00:00Z") };
    let starts = starts_on(&query, date(2026, 6, 1));
    let around: Vec<&str> = starts.iter().map(|start| &start[..5]).collect();
    // 09:00 ends 09:30 and needs until 09:45; 09:15 would need until 10:00. 10:55 is the
    // earliest after; on the grid of starts 11:00.
    assert_eq!(around, ["08:00", "08:15", "08:30", "08:45", "09:00", "11:00", "11:15", "11:30"]);
    let refused = |start: &str| check_slot(&query, at(start)).unwrap_err();
    assert_eq!(refused("2026-06-01T09:15:00Z"), SlotRefusal::Taken);
    assert_eq!(refused("2026-06-01T10:45:00Z"), SlotRefusal::Taken);
    assert_eq!(refused("2026-06-01T11:05:00Z"), SlotRefusal::NotOffered);
    assert_eq!(refused("2026-06-01T11:45:00Z"), SlotRefusal::NotOffered);
    assert_eq!(refused("2026-04-30T09:00:00Z"), SlotRefusal::Past);
}

#[test]
fn notice_and_advance_bound_the_offer() {
    let week = availability("UTC", vec![schedule(60, &[("00:00", "24:00")])]);
    let rules = BookingRules { minimum_notice: Minutes(90), maximum_advance_days: 1, ..open_rules() };
    let query = SlotQuery { duration: Minutes(60), ..query(&week, &rules, "2026-06-01T10:00:00Z") };
    let found = slots(&query, Span::new(Timestamp::MIN, Timestamp::MAX));
    assert_eq!(found.first().unwrap().start, at("2026-06-01T12:00:00Z"));
    assert_eq!(found.last().unwrap().start, at("2026-06-02T09:00:00Z"));
    assert_eq!(found.len(), 22);
    let check = |start: &str| check_slot(&query, at(start)).map(|slot| slot.end);
    assert_eq!(check("2026-06-01T12:00:00Z"), Ok(at("2026-06-01T13:00:00Z")));
    assert_eq!(check("2026-06-01T11:00:00Z"), Err(SlotRefusal::TooSoon));
    assert_eq!(check("2026-06-02T10:00:00Z"), Err(SlotRefusal::TooFar));
    assert_eq!(check("2026-06-01T09:00:00Z"), Err(SlotRefusal::Past));
    // Exactly at the notice counts.
    let exact = SlotQuery { now: at("2026-06-01T10:30:00Z"), ..query };
    assert!(check_slot(&exact, at("2026-06-01T12:00:00Z")).is_ok());
}

#[test]
fn interval_and_offset_shape_the_starts() {
    let week = availability("UTC", vec![schedule(30, &[("09:00", "11:00")])]);
    let rules = BookingRules { slot_interval: Some(Minutes(20)), slot_offset: Minutes(10), ..open_rules() };
    let starts = starts_on(&query(&week, &rules, "2026-05-01T00:00:00Z"), date(2026, 6, 1));
    let starts: Vec<&str> = starts.iter().map(|start| &start[..5]).collect();
    assert_eq!(starts, ["09:10", "09:30", "09:50", "10:10", "10:30"]);
}

#[test]
fn days_are_those_of_the_viewer() {
    // Nine in the morning in Auckland is the evening before in Honolulu.
    let week = availability("Pacific/Auckland", vec![schedule(60, &[("09:00", "11:00")])]);
    let rules = open_rules();
    let hour = SlotQuery { duration: Minutes(60), ..query(&week, &rules, "2026-05-01T00:00:00Z") };
    let viewer = zone("Pacific/Honolulu");
    let (first, last) = (date(2026, 6, 1), date(2026, 6, 3));
    let found = slots(&hour, days_window(first, last, &viewer));
    let days = by_day(&found, first, last, &viewer);
    assert_eq!(days.iter().map(|day| day.date).collect::<Vec<_>>(), [first, date(2026, 6, 2), last]);
    assert_eq!(days[0].slots[0].start, at("2026-06-01T21:00:00Z"));
    assert_eq!(viewer.wall(days[0].slots[0].start).to_string(), "2026-06-01T11:00:00");
    assert!(days.iter().all(|day| day.slots.len() == 2));
    assert!(days.iter().all(|day| day.slots.iter().all(|slot| viewer.date(slot.start) == day.date)));
    // A question is bounded, and backwards it is empty.
    assert_eq!(by_day(&found, first, date(2030, 1, 1), &viewer).len(), parley_control_domain::MAX_DAYS);
    assert_eq!(by_day(&found, last, first, &viewer), []);
}
