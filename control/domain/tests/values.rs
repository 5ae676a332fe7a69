//! Texts, codes, numbers, zones, money, rules: what is taken and what is refused with which code.
#![allow(clippy::unwrap_used)]

use std::collections::HashSet;

use jiff::Timestamp;
use parley_control_domain::{
    AppointmentNumber, Availability, BookingRules, Checks, Currency, DayInterval, Email, FieldError,
    JoinCode, MemberId, Minutes, Money, OrganisationId, OverrideKind, Permission, Role, Schedule,
    ScheduleOverride, Scope, Service, ServiceId, ServiceKind, Slug, Span, TimeOfDay, WeeklyInterval, Zone,
    allows, limits, optional_text, required_text, scope,
};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};
use uuid::Uuid;

fn code<T: std::fmt::Debug>(result: Result<T, FieldError>) -> &'static str {
    result.unwrap_err().code
}

#[test]
fn e_mail_addresses() {
    for good in ["a@b.co", "anna.berg+visit@Praxis.Example.ORG", "zoë@exämple.de", "o'neil@example.org"] {
        let email = Email::parse("client.email", good).unwrap();
        assert_eq!(email.key(), good.to_lowercase(), "{good}");
    }
    let long = format!("{}@example.org", "a".repeat(limits::EMAIL_LOCAL + 1));
    for bad in [
        "anna",
        "@example.org",
        "anna@",
        "anna@localhost",
        "a b@example.org",
        "a@b@.org",
        ".a@example.org",
        "a.@example.org",
        "a..b@example.org",
        "a@-example.org",
        "a@example..org",
        "a@exam_ple.org",
        "a\n@example.org",
        "<a@example.org>",
        "a@example.org,b@example.org",
        "\"a b\"@example.org",
        &long,
    ] {
        let error = Email::parse("client.email", bad).unwrap_err();
        assert!(matches!(error.code, "email_invalid" | "control_character"), "{bad}: {error:?}");
        assert_eq!(error.field, "client.email");
    }
    assert_eq!(code(Email::parse("email", "  ")), "required");
    assert_eq!(code(Email::parse("email", &format!("a@{}.org", "b".repeat(300)))), "too_long");
    let same = |a: &str, b: &str| Email::parse("email", a).unwrap() == Email::parse("email", b).unwrap();
    assert!(same("Anna@Example.org", "anna@example.ORG") && !same("anna@example.org", "anne@example.org"));
    // Logs see the domain only.
    assert_eq!(format!("{:?}", Email::parse("email", "anna@example.org").unwrap()), "Email(…@example.org)");
}

#[test]
fn texts_are_trimmed_and_bounded() {
    assert_eq!(required_text("name", "  Zoë Quist ", limits::NAME).unwrap(), "Zoë Quist");
    assert_eq!(code(required_text("name", " \n ", limits::NAME)), "required");
    assert_eq!(optional_text("note", "  ", limits::NOTE).unwrap(), "");
    assert!(required_text("name", &"é".repeat(limits::NAME), limits::NAME).is_ok(), "characters, not bytes");
    assert_eq!(code(required_text("name", &"é".repeat(limits::NAME + 1), limits::NAME)), "too_long");
    assert_eq!(code(optional_text("note", "a\u{0}b", limits::NOTE)), "control_character");
    assert_eq!(optional_text("note", "two\r\n\tlines", limits::NOTE).unwrap(), "two\r\n\tlines");
}

#[test]
fn slugs() {
    assert_eq!("first-visit".parse::<Slug>().unwrap().as_str(), "first-visit");
    for bad in ["First", "a b", "-a", "a-", "a--b", "ä", "a/b"] {
        assert_eq!(code(bad.parse::<Slug>()), "slug_invalid", "{bad}");
    }
    assert_eq!(Slug::from_name("Dr. Zoë Müller-Lüdenscheidt", "x").as_str(), "dr-zoe-mueller-luedenscheidt");
    assert_eq!(Slug::from_name("日本", "provider").as_str(), "provider");
    for name in ["a".repeat(200), format!("{}-{}", "a".repeat(59), "b"), "ß".repeat(100)] {
        let slug = Slug::from_name(&name, "x");
        assert_eq!(slug.as_str().parse::<Slug>().unwrap(), slug);
    }
}

#[test]
fn zones() {
    assert_eq!(Zone::parse("time_zone", "Europe/Berlin").unwrap().name(), "Europe/Berlin");
    assert_eq!(Zone::parse("time_zone", "UTC").unwrap(), Zone::utc());
    for bad in
        ["", "Europe/Nowhere", "+02:00", "CET-1CEST,M3.5.0,M10.5.0/3", "../etc/passwd", &"a/".repeat(500)]
    {
        assert_eq!(code(Zone::parse("time_zone", bad)), "zone_unknown", "{bad}");
    }
}

#[test]
fn money() {
    let price = Money::price("price", 4_500, "EUR").unwrap();
    assert_eq!((price.amount, price.currency.as_str()), (4_500, "EUR"));
    assert_eq!(Money::price("price", -1, "EUR").unwrap_err().field, "price.amount");
    assert_eq!(code(Money::price("price", i64::MAX, "EUR")), "amount_out_of_range");
    for bad in ["eur", "EU", "EURO", "É1", ""] {
        assert_eq!(code(Currency::parse("price.currency", bad)), "currency_invalid", "{bad}");
    }
}

#[test]
fn appointment_numbers() {
    let number = AppointmentNumber { year: 2026, sequence: 123 };
    assert_eq!(number.to_string(), "C-2026-000123");
    assert_eq!(" c-2026-000123 ".parse::<AppointmentNumber>().unwrap(), number);
    assert_eq!("C-2026-1234567".parse::<AppointmentNumber>().unwrap().sequence, 1_234_567);
    for bad in [
        "",
        "C-2026",
        "2026-000123",
        "C-26-000123",
        "C-2026-",
        "C-2026-99999999999",
        "C-2026-1e3",
        "C-+026-1",
    ] {
        assert_eq!(code(bad.parse::<AppointmentNumber>()), "number_invalid", "{bad}");
    }
}

#[test]
fn times_of_day() {
    assert_eq!(TimeOfDay::parse("start", "09:30").unwrap().minutes(), 570);
    assert_eq!(TimeOfDay::parse("end", "24:00").unwrap(), TimeOfDay::END_OF_DAY);
    assert_eq!(TimeOfDay::END_OF_DAY.to_string(), "24:00");
    for bad in ["", "9:30", "09.30", "09:60", "24:01", "25:00", "-1:00", "09:30:00", "٠٩:٣٠"] {
        assert_eq!(code(TimeOfDay::parse("start", bad)), "time_invalid", "{bad}");
    }
}

proptest! {
    #![proptest_config(Config {
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(0x0000_c0de_2026),
        ..Config::default()
    })]

    #[test]
    fn join_codes_are_read_as_they_are_said(bytes in any::<[u8; 5]>()) {
        let code = JoinCode::from_bytes(bytes);
        let said = code.to_string();
        prop_assert_eq!(said.len(), 9);
        prop_assert!(!said.contains(['0', 'O', '1', 'I']), "{}", said);
        for typed in [said.clone(), said.to_lowercase(), said.replace('-', ""), said.replace('-', " ")] {
            prop_assert_eq!(typed.parse::<JoinCode>().unwrap(), code);
        }
        prop_assert_eq!(code.key().parse::<JoinCode>().unwrap(), code);
    }

    #[test]
    fn anything_typed_as_a_code_is_read_or_refused(text in ".{0,20}") {
        if let Ok(code) = text.parse::<JoinCode>() {
            let letters: String = text.chars().filter(|c| !matches!(c, '-' | ' ')).collect();
            prop_assert_eq!(code.key(), letters.to_uppercase());
        }
    }

    #[test]
    fn spans_are_merged_and_subtracted(
        from in prop::collection::vec((0..100_i64, 0..20_i64), 0..8),
        holes in prop::collection::vec((0..100_i64, 0..20_i64), 0..8),
    ) {
        let at = |second: i64| Timestamp::from_second(second).unwrap();
        let spans = |pairs: &[(i64, i64)]| {
            Span::merge(pairs.iter().map(|(start, length)| Span::new(at(*start), at(start + length))).collect())
        };
        let (from, holes) = (spans(&from), spans(&holes));
        let left = Span::subtract(&from, &holes);
        for second in 0..130 {
            let inside = |spans: &[Span]| spans.iter().any(|span| span.contains(at(second)));
            prop_assert_eq!(inside(&left), inside(&from) && !inside(&holes), "{}", second);
        }
        prop_assert!(left.windows(2).all(|pair| pair[0].end <= pair[1].start));
        prop_assert!(from.windows(2).all(|pair| pair[0].end < pair[1].start));
    }
}

#[test]
fn different_bytes_make_different_codes() {
    let codes: HashSet<JoinCode> = (0..=u8::MAX)
        .flat_map(|byte| (0..5).map(move |place| (byte, place)))
        .map(|(byte, place)| {
            let mut bytes = [7; 5];
            bytes[place] = byte;
            JoinCode::from_bytes(bytes)
        })
        .collect();
    // 256 values in each of five places, where the value 7 is the same in all.
    assert_eq!(codes.len(), 5 * 255 + 1);
}

fn codes(result: Result<(), parley_control_domain::Invalid>) -> Vec<(String, &'static str)> {
    result.unwrap_err().errors.into_iter().map(|error| (error.field, error.code)).collect()
}

fn service() -> Service {
    Service {
        id: ServiceId::from_uuid(Uuid::nil()),
        organisation_id: OrganisationId::from_uuid(Uuid::nil()),
        slug: "visit".parse().unwrap(),
        name: "Visit".to_owned(),
        description: String::new(),
        kind: ServiceKind::Video,
        durations: Service::default_durations(),
        price: None,
        active: true,
        provider_ids: Vec::new(),
        rules: BookingRules::default(),
        created_at: Timestamp::UNIX_EPOCH,
    }
}

#[test]
fn services_and_rules_say_all_that_is_wrong() {
    assert_eq!(service().validate(), Ok(()));
    let mut wrong = service();
    wrong.name = " ".to_owned();
    wrong.durations = vec![Minutes(30), Minutes(30), Minutes(7)];
    wrong.rules.buffer_before = Minutes(7);
    wrong.rules.maximum_advance_days = 0;
    wrong.rules.slot_interval = Some(Minutes(0));
    let field = |field: &str, code| (field.to_owned(), code);
    assert_eq!(
        codes(wrong.validate()),
        [
            field("name", "required"),
            field("durations_minutes", "not_ascending"),
            field("durations_minutes", "off_grid"),
            field("rules.buffer_before", "off_grid"),
            field("rules.maximum_advance_days", "out_of_range"),
            field("rules.slot_interval", "out_of_range"),
        ]
    );
    assert_eq!(service().duration(None), Ok(Minutes(30)));
    assert_eq!(service().duration(Some(Minutes(30))), Ok(Minutes(30)));
    assert_eq!(code(service().duration(Some(Minutes(45)))), "duration_not_offered");
    // The defaults that product rows name.
    let rules = BookingRules::default();
    let minutes = (rules.buffer_before, rules.buffer_after, rules.minimum_notice, rules.join_before);
    assert_eq!(minutes, (Minutes(15), Minutes(15), Minutes(24 * 60), Minutes(15)));
    assert_eq!(rules.maximum_advance_days, 60);
}

#[test]
fn hours_say_all_that_is_wrong() {
    let time = |text: &str| TimeOfDay::parse("time", text).unwrap();
    let on = |day, start: &str, end: &str| WeeklyInterval { day, start: time(start), end: time(end) };
    let mut week = Availability::empty(MemberId::from_uuid(Uuid::nil()), Zone::utc());
    week.schedules = vec![Schedule {
        name: "Week".to_owned(),
        active: true,
        slot_minutes: Minutes(30),
        intervals: vec![on(1, "13:00", "24:00"), on(1, "09:00", "13:00"), on(2, "12:00", "13:00")],
    }];
    assert_eq!(week.validate(), Ok(()));
    week.schedules[0].intervals = vec![
        on(1, "09:00", "12:00"),
        on(1, "11:30", "13:00"),
        on(7, "09:00", "10:00"),
        on(3, "10:00", "10:00"),
    ];
    week.schedules[0].slot_minutes = Minutes(0);
    let day = |kind, intervals: Vec<DayInterval>| ScheduleOverride {
        date: jiff::civil::date(2026, 12, 24),
        kind,
        intervals,
        note: None,
    };
    week.overrides = vec![
        day(OverrideKind::Custom, Vec::new()),
        day(OverrideKind::Blocked, vec![DayInterval { start: time("09:02"), end: time("10:00") }]),
    ];
    let field = |field: &str, code| (field.to_owned(), code);
    assert_eq!(
        codes(week.validate()),
        [
            field("schedules.0.slot_minutes", "out_of_range"),
            field("schedules.0.intervals.2.day", "day_invalid"),
            field("schedules.0.intervals", "intervals_overlap"),
            field("schedules.0.intervals", "interval_empty"),
            field("overrides.0.intervals", "required"),
            field("overrides.1.intervals", "off_grid"),
        ]
    );
}

#[test]
fn checks_collect() {
    let mut checks = Checks::new();
    assert_eq!(checks.take(required_text("a", "x", 5)), Some("x".to_owned()));
    assert!(!checks.failed());
    assert_eq!(checks.take(required_text("b", "", 5)), None);
    checks.require(false, || FieldError::new("c", "wrong", "No."));
    let invalid = checks.finish().unwrap_err();
    assert_eq!(invalid.to_string(), "b: Please fill this in.; c: No.");
}

#[test]
fn roles_reach_as_far_as_the_table_says() {
    use Permission::{
        AccountSelf, AppointmentBook, AppointmentRead, AuditRead, AvailabilityWrite, ConsultationHost,
        InstallationOperate, MemberRead, MemberWrite, ServiceRead, ServiceWrite,
    };
    use Role::{Admin, Client, Guest, Manager, Operator, Provider};
    for (role, permission, reach) in [
        (Admin, AppointmentRead, Scope::Organisation),
        (Manager, AppointmentRead, Scope::Organisation),
        (Provider, AppointmentRead, Scope::Own),
        (Client, AppointmentRead, Scope::Own),
        (Operator, AppointmentRead, Scope::None),
        (Provider, ConsultationHost, Scope::Own),
        (Client, ConsultationHost, Scope::None),
        (Guest, ConsultationHost, Scope::None),
        (Admin, ServiceWrite, Scope::Organisation),
        (Provider, ServiceWrite, Scope::None),
        (Provider, ServiceRead, Scope::Organisation),
        (Provider, MemberRead, Scope::None),
        (Manager, MemberWrite, Scope::Organisation),
        (Provider, AvailabilityWrite, Scope::Own),
        (Admin, AuditRead, Scope::Organisation),
        (Manager, AuditRead, Scope::None),
        (Guest, AccountSelf, Scope::None),
        (Client, AccountSelf, Scope::Own),
        (Operator, InstallationOperate, Scope::Installation),
        (Admin, InstallationOperate, Scope::None),
        (Guest, AppointmentBook, Scope::Installation),
    ] {
        assert_eq!(scope(role, permission), reach, "{role} {permission:?}");
        assert_eq!(allows(role, permission), reach != Scope::None);
    }
    // Nobody but an operator reaches beyond an organisation, but for what is public.
    for role in Role::ALL {
        for permission in Permission::ALL {
            let public = matches!(permission, Permission::PublicRead | AppointmentBook);
            let beyond = scope(role, permission) == Scope::Installation;
            assert_eq!(beyond, public || (role, permission) == (Operator, InstallationOperate));
            assert_eq!(role.as_str().parse::<Role>().unwrap(), role);
        }
    }
}
