//! Contract: organisations, members, services, hours, sessions, links, seeds; on both databases.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Place, Practice, at, event, hours, job, member, new_id, organisation, service, zone};
use jiff::civil::date;
use parley_control_app::ports::{
    AppointmentStore, AuditStore, AvailabilityStore, JobStore, MemberStore, OrganisationStore, SaveError,
    ServiceStore, SessionStore,
};
use parley_control_app::records::{LinkPurpose, MagicLink, Session, TokenHash};
use parley_control_domain::{
    AppointmentState, DayInterval, Email, Minutes, OverrideKind, Role, ScheduleOverride, Span, TimeOfDay,
};
use parley_control_store::Store;

contract!(
    organisations_are_kept_and_found,
    members_are_kept_and_found,
    addresses_and_slugs_are_unique,
    passwords_are_kept_apart,
    services_keep_their_providers,
    a_service_has_providers_of_its_own_organisation_only,
    hours_are_replaced_whole,
    a_seed_is_written_once_and_whole,
    sessions_live_until_they_expire,
    a_link_is_used_once,
    a_database_is_opened_again,
);

async fn organisations_are_kept_and_found(place: Place) {
    let store = &place.store;
    let mut first = organisation("north");
    let mut second = organisation("south");
    second.listed = false;
    second.created_at = at("2026-10-01T00:00:00Z");
    for row in [&first, &second] {
        store.organisation_save(row, &event(row.id, "organisation.save")).await.unwrap();
    }
    assert_eq!(store.organisations_all().await.unwrap(), [second.clone(), first.clone()]);
    assert_eq!(store.organisations_listed().await.unwrap(), [first.clone()]);
    assert_eq!(store.organisation_by_slug("south").await.unwrap(), Some(second.clone()));
    assert_eq!(store.organisation_by_slug("west").await.unwrap(), None);

    first.name = "Nord – Praxis".to_owned();
    first.labels.client = "Klientin".to_owned();
    first.zone = zone("Asia/Kolkata");
    store.organisation_save(&first, &event(first.id, "organisation.save")).await.unwrap();
    assert_eq!(store.organisation_by_id(first.id).await.unwrap(), Some(first.clone()));

    first.slug = second.slug.clone();
    let refused = store.organisation_save(&first, &event(first.id, "organisation.refused")).await;
    assert!(matches!(refused, Err(SaveError::Taken { field: "slug" })), "{refused:?}");
    // The refused change left no trace, its audit event included.
    let audit = store.audit_recent(first.id, 10).await.unwrap();
    assert_eq!(audit.iter().map(|event| event.action.as_str()).collect::<Vec<_>>(), ["organisation.save"; 2]);
}

async fn saved_organisation(store: &Store, slug: &str) -> parley_control_domain::Organisation {
    let row = organisation(slug);
    store.organisation_save(&row, &event(row.id, "organisation.save")).await.unwrap();
    row
}

async fn members_are_kept_and_found(place: Place) {
    let store = &place.store;
    let practice = saved_organisation(store, "north").await;
    let mut anna = member(practice.id, "Anna", Role::Provider);
    let bert = member(practice.id, "Bert", Role::Admin);
    let link = MagicLink {
        id: new_id().into(),
        member_id: anna.id,
        purpose: LinkPurpose::SetUp,
        created_at: at("2026-11-01T00:00:00Z"),
        expires_at: at("2026-11-08T00:00:00Z"),
        used_at: None,
    };
    let jobs = [job("invite:anna", "2026-11-01T00:00:00Z")];
    store
        .member_save(&anna, std::slice::from_ref(&link), &jobs, &event(practice.id, "member.add"))
        .await
        .unwrap();
    store.member_save(&bert, &[], &[], &event(practice.id, "member.add")).await.unwrap();
    assert_eq!(store.members_of(practice.id).await.unwrap(), [anna.clone(), bert.clone()]);
    assert_eq!(store.magic_link_by_id(link.id).await.unwrap(), Some(link));
    let leased = store.jobs_lease(at("2026-11-02T00:00:00Z"), at("2026-11-02T00:01:00Z"), 9).await.unwrap();
    assert_eq!(leased.len(), 1);

    anna.email = Email::parse("email", "Anna.B@Example.ORG").unwrap();
    anna.active = false;
    anna.photo_url = Some("/photos/anna.jpg".to_owned());
    store.member_save(&anna, &[], &[], &event(practice.id, "member.change")).await.unwrap();
    assert_eq!(store.member_by_id(anna.id).await.unwrap(), Some(anna.clone()));
    let found = store.member_by_email("anna.b@example.org").await.unwrap().unwrap();
    assert_eq!((found.id, found.email.as_str()), (anna.id, "Anna.B@example.org"));
    assert_eq!(store.member_by_email("nobody@example.org").await.unwrap(), None);
}

async fn addresses_and_slugs_are_unique(place: Place) {
    let store = &place.store;
    let (north, south) = (saved_organisation(store, "north").await, saved_organisation(store, "south").await);
    let anna = member(north.id, "Anna", Role::Provider);
    store.member_save(&anna, &[], &[], &event(north.id, "member.add")).await.unwrap();

    let mut same_address = member(south.id, "Other", Role::Provider);
    same_address.email = Email::parse("email", &anna.email.as_str().to_uppercase()).unwrap();
    let refused = store.member_save(&same_address, &[], &[], &event(south.id, "member.add")).await;
    assert!(matches!(refused, Err(SaveError::Taken { field: "email" })), "{refused:?}");

    let mut same_slug = member(north.id, "Other", Role::Provider);
    same_slug.slug = anna.slug.clone();
    let refused = store.member_save(&same_slug, &[], &[], &event(north.id, "member.add")).await;
    assert!(matches!(refused, Err(SaveError::Taken { field: "slug" })), "{refused:?}");

    // In another organisation the slug is free.
    let namesake = member(south.id, "Anna", Role::Provider);
    store.member_save(&namesake, &[], &[], &event(south.id, "member.add")).await.unwrap();

    // A save does not move a member to another organisation.
    let mut moved = anna.clone();
    moved.organisation_id = south.id;
    moved.slug = "elsewhere".parse().unwrap();
    let refused = store.member_save(&moved, &[], &[], &event(south.id, "member.move")).await;
    assert!(matches!(refused, Err(SaveError::Store(_))), "{refused:?}");
    assert_eq!(store.member_by_id(anna.id).await.unwrap(), Some(anna));
}

async fn passwords_are_kept_apart(place: Place) {
    let store = &place.store;
    let practice = saved_organisation(store, "north").await;
    let anna = member(practice.id, "Anna", Role::Admin);
    store.member_save(&anna, &[], &[], &event(practice.id, "member.add")).await.unwrap();
    assert_eq!(store.password_of(anna.id).await.unwrap(), None);
    for hash in ["$argon2id$one", "$argon2id$two"] {
        store
            .password_set(anna.id, hash, &TokenHash([0; 32]), &event(practice.id, "password.set"))
            .await
            .unwrap();
        assert_eq!(store.password_of(anna.id).await.unwrap().as_deref(), Some(hash));
    }
}

async fn services_keep_their_providers(place: Place) {
    let store = &place.store;
    let practice = saved_organisation(store, "north").await;
    let people: Vec<_> =
        ["Anna", "Bert", "Cleo"].map(|name| member(practice.id, name, Role::Provider)).to_vec();
    for person in &people {
        store.member_save(person, &[], &[], &event(practice.id, "member.add")).await.unwrap();
    }
    let mut visit = service(practice.id, "visit", vec![people[2].id, people[0].id]);
    let mut advice = service(practice.id, "advice", vec![people[1].id]);
    advice.price = None;
    advice.rules.slot_interval = Some(Minutes(20));
    for row in [&visit, &advice] {
        store.service_save(row, &event(practice.id, "service.save")).await.unwrap();
    }
    assert_eq!(store.services_of(practice.id).await.unwrap(), [advice.clone(), visit.clone()]);
    assert_eq!(store.service_by_id(visit.id).await.unwrap(), Some(visit.clone()));

    visit.provider_ids = vec![people[0].id, people[1].id, people[2].id];
    visit.durations = vec![Minutes(15)];
    visit.active = false;
    store.service_save(&visit, &event(practice.id, "service.save")).await.unwrap();
    assert_eq!(store.service_by_id(visit.id).await.unwrap(), Some(visit.clone()));

    advice.slug = visit.slug.clone();
    let refused = store.service_save(&advice, &event(practice.id, "service.save")).await;
    assert!(matches!(refused, Err(SaveError::Taken { field: "slug" })), "{refused:?}");
    assert_eq!(store.service_by_id(common::unknown_service()).await.unwrap(), None);
}

async fn a_service_has_providers_of_its_own_organisation_only(place: Place) {
    let store = &place.store;
    let (north, south) = (saved_organisation(store, "north").await, saved_organisation(store, "south").await);
    let stranger = member(south.id, "Stranger", Role::Provider);
    store.member_save(&stranger, &[], &[], &event(south.id, "member.add")).await.unwrap();
    let visit = service(north.id, "visit", vec![stranger.id]);
    let refused = store.service_save(&visit, &event(north.id, "service.save")).await;
    assert!(matches!(refused, Err(SaveError::Store(_))), "{refused:?}");
    assert_eq!(store.services_of(north.id).await.unwrap(), []);
}

async fn hours_are_replaced_whole(place: Place) {
    let store = &place.store;
    let practice = saved_organisation(store, "north").await;
    let anna = member(practice.id, "Anna", Role::Provider);
    store.member_save(&anna, &[], &[], &event(practice.id, "member.add")).await.unwrap();
    assert_eq!(store.availability_of(anna.id).await.unwrap(), None);

    let mut week = hours(anna.id);
    store.availability_replace(&week, &event(practice.id, "availability.replace")).await.unwrap();
    assert_eq!(store.availability_of(anna.id).await.unwrap(), Some(week.clone()));

    week.zone = zone("America/St_Johns");
    week.schedules[0].intervals.truncate(1);
    week.overrides = vec![
        ScheduleOverride {
            date: date(2026, 12, 24),
            kind: OverrideKind::Custom,
            intervals: vec![DayInterval {
                start: TimeOfDay::parse("time", "22:00").unwrap(),
                end: TimeOfDay::END_OF_DAY,
            }],
            note: Some("Emergency – nights".to_owned()),
        },
        ScheduleOverride {
            date: date(2026, 12, 25),
            kind: OverrideKind::Holiday,
            intervals: Vec::new(),
            note: None,
        },
    ];
    store.availability_replace(&week, &event(practice.id, "availability.replace")).await.unwrap();
    assert_eq!(store.availability_of(anna.id).await.unwrap(), Some(week));
}

async fn a_seed_is_written_once_and_whole(place: Place) {
    let store = &place.store;
    let practice = Practice::new("demo");
    let mut seed = practice.seed();
    let mut past = practice.appointment("2026-11-19T09:00:00Z");
    past.state = AppointmentState::Completed;
    past.actual_start = Some(at("2026-11-19T09:01:00Z"));
    past.actual_end = Some(at("2026-11-19T09:28:00Z"));
    // The second overlaps the first by a buffer and is left out.
    seed.appointments = vec![
        past.clone(),
        practice.appointment("2026-11-19T09:45:00Z"),
        practice.appointment("2026-11-23T09:00:00Z"),
    ];
    assert!(store.organisation_seed(&seed).await.unwrap());

    assert_eq!(store.organisation_by_slug("demo").await.unwrap(), Some(practice.organisation.clone()));
    assert_eq!(store.members_of(practice.organisation.id).await.unwrap(), practice.providers);
    assert_eq!(
        store.services_of(practice.organisation.id).await.unwrap(),
        std::slice::from_ref(&practice.service)
    );
    let provider = practice.providers[0].id;
    assert_eq!(store.password_of(provider).await.unwrap().as_deref(), Some("$argon2id$x"));
    assert_eq!(store.availability_of(provider).await.unwrap(), Some(hours(provider)));
    assert_eq!(store.magic_link_by_id(seed.links[0].id).await.unwrap(), Some(seed.links[0].clone()));
    past.number = "C-2026-000001".parse().unwrap();
    assert_eq!(store.appointment_by_id(past.id).await.unwrap(), Some(past));
    assert_eq!(place.count_raw("SELECT COUNT(*) FROM appointments").await, 2);

    let again = Practice::new("demo");
    assert!(!store.organisation_seed(&again.seed()).await.unwrap());
    assert_eq!(place.count_raw("SELECT COUNT(*) FROM members").await, 2);
}

fn session(member: parley_control_domain::MemberId, byte: u8, expires_at: &str) -> Session {
    Session {
        id: new_id().into(),
        hash: TokenHash([byte; 32]),
        member_id: member,
        created_at: at("2026-11-21T08:00:00.123456Z"),
        seen_at: at("2026-11-21T08:00:00.123456Z"),
        expires_at: at(expires_at),
        user_agent: "Firefox".to_owned(),
    }
}

async fn sessions_live_until_they_expire(place: Place) {
    let store = &place.store;
    let practice = Practice::written(store, "north").await;
    let (organisation, mut anna) = (practice.organisation.id, practice.providers[0].clone());
    let open = session(anna.id, 1, "2026-11-21T09:00:00Z");
    let other = session(anna.id, 2, "2026-11-21T08:30:00Z");
    for row in [&open, &other] {
        store.session_insert(row, &event(organisation, "session.start")).await.unwrap();
    }
    let found = store.session_by_hash(&open.hash, at("2026-11-21T08:59:59Z")).await.unwrap();
    assert_eq!(found, Some((open.clone(), anna.clone())));
    assert_eq!(store.session_by_hash(&open.hash, at("2026-11-21T09:00:00Z")).await.unwrap(), None);
    assert_eq!(store.session_by_hash(&TokenHash([9; 32]), at("2026-11-21T08:30:00Z")).await.unwrap(), None);

    store.session_touch(&open.hash, at("2026-11-21T08:50:00Z"), at("2026-11-21T09:50:00Z")).await.unwrap();
    let (touched, _) = store.session_by_hash(&open.hash, at("2026-11-21T09:10:00Z")).await.unwrap().unwrap();
    assert_eq!(touched.seen_at, at("2026-11-21T08:50:00Z"));

    // The other session and the link of the seed are over.
    assert_eq!(store.sessions_expire(at("2026-11-21T09:00:00Z")).await.unwrap(), 2);

    anna.active = false;
    store.member_save(&anna, &[], &[], &event(organisation, "member.change")).await.unwrap();
    assert_eq!(store.session_by_hash(&open.hash, at("2026-11-21T09:10:00Z")).await.unwrap(), None);

    store.session_delete(&open.hash, &event(organisation, "session.end")).await.unwrap();
    store.session_delete(&open.hash, &event(organisation, "session.end")).await.unwrap();
    assert_eq!(place.count_raw("SELECT COUNT(*) FROM sessions").await, 0);
    let ends = store.audit_recent(organisation, 50).await.unwrap();
    assert_eq!(ends.iter().filter(|event| event.action == "session.end").count(), 1);
}

async fn a_link_is_used_once(place: Place) {
    let store = &place.store;
    let practice = Practice::written(store, "north").await;
    let link = MagicLink {
        id: new_id().into(),
        member_id: practice.providers[0].id,
        purpose: LinkPurpose::SignIn,
        created_at: at("2026-11-21T08:00:00Z"),
        expires_at: at("2026-11-21T08:15:00Z"),
        used_at: None,
    };
    let organisation = practice.organisation.id;
    store
        .magic_link_insert(&link, &[job("link", "2026-11-21T08:00:00Z")], &event(organisation, "link.send"))
        .await
        .unwrap();
    assert_eq!(store.magic_link_use(link.id, at("2026-11-21T08:15:00Z")).await.unwrap(), None, "expired");

    let now = at("2026-11-21T08:05:00Z");
    let tasks: Vec<_> = (0..20)
        .map(|_| {
            let (store, id) = (store.clone(), link.id);
            tokio::spawn(async move { store.magic_link_use(id, now).await.unwrap() })
        })
        .collect();
    let mut got = Vec::new();
    for task in tasks {
        got.extend(task.await.unwrap());
    }
    assert_eq!(got, [MagicLink { used_at: Some(now), ..link }]);
}

async fn a_database_is_opened_again(place: Place) {
    let practice = Practice::written(&place.store, "north").await;
    place.store.ping().await.unwrap();
    place.store.close().await;
    let again = Store::open(&place.url).await.unwrap();
    assert_eq!(again.organisation_by_slug("north").await.unwrap(), Some(practice.organisation.clone()));
    let whole_day = Span::new(at("2026-11-23T00:00:00Z"), at("2026-11-24T00:00:00Z"));
    assert_eq!(again.busy_of(practice.providers[0].id, whole_day).await.unwrap(), []);
}
