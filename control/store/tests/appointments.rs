//! Contract: bookings, meetings, pages, work and the audit log; on both databases.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::HashSet;

use common::{Place, Practice, at, event, job, key, new_id};
use jiff::{SignedDuration, Timestamp};
use parley_control_app::ports::{
    AppointmentStore, AuditStore, AvailabilityStore, BookError, BookOutcome, JobStore, SaveError,
};
use parley_control_app::records::{AppointmentQuery, Booking, Meeting};
use parley_control_domain::{
    Appointment, AppointmentState, Consultation, Device, EndReason, MeetingRole, Participant,
    ParticipantState, Party, Span, Stay,
};
use parley_control_store::Store;

contract!(
    a_booking_is_written_whole,
    a_refused_booking_leaves_nothing,
    buffers_are_part_of_the_overlap,
    a_key_books_once,
    one_key_from_many_callers_books_once,
    cancelled_and_missed_time_is_free_again,
    a_completed_meeting_frees_what_it_did_not_need,
    a_move_never_lands_on_another,
    the_database_itself_refuses_overlap,
    a_meeting_is_kept_whole,
    a_stale_save_changes_nothing,
    pages_follow_each_other,
    numbers_count_per_organisation_and_year,
    due_appointments_are_found,
    jobs_are_leased_once,
    jobs_are_retried_and_die,
    reads_are_recorded_and_the_log_is_append_only,
);

async fn book(store: &Store, booking: &Booking) -> Appointment {
    match store.appointment_book(booking).await.unwrap() {
        BookOutcome::Created(appointment) => appointment,
        BookOutcome::Replayed(other) => panic!("replayed {}", other.number),
    }
}

async fn a_booking_is_written_whole(place: Place) {
    let store = &place.store;
    let practice = Practice::written(store, "north").await;
    let booking = practice.booking_at("2026-12-01T09:00:00Z");
    let booked = book(store, &booking).await;
    assert_eq!(booked.number.to_string(), "C-2026-000001");
    let expected = Appointment { number: booked.number, ..booking.appointment.clone() };
    assert_eq!(booked, expected);
    assert_eq!(store.appointment_by_id(booked.id).await.unwrap(), Some(expected.clone()));
    let client = store.appointment_by_code(booked.client_code.key()).await.unwrap();
    assert_eq!(client, Some((booked.id, MeetingRole::Client)));
    let provider = store.appointment_by_code(booked.provider_code.key()).await.unwrap();
    assert_eq!(provider, Some((booked.id, MeetingRole::Provider)));
    assert_eq!(store.appointment_by_code("22222222").await.unwrap(), None);

    let day = Span::new(at("2026-12-01T00:00:00Z"), at("2026-12-02T00:00:00Z"));
    assert_eq!(store.busy_of(booked.provider_id, day).await.unwrap(), [booked.reserved]);
    assert_eq!(store.busy_of(practice.providers[1].id, day).await.unwrap(), []);
    let touching = Span::new(booked.reserved.end, day.end);
    assert_eq!(store.busy_of(booked.provider_id, touching).await.unwrap(), []);

    let jobs = store.jobs_lease(at("2026-12-01T00:00:00Z"), at("2026-12-01T00:01:00Z"), 9).await.unwrap();
    assert_eq!(jobs.iter().map(|job| job.id).collect::<Vec<_>>(), [booking.jobs[0].id]);
    let audit = store.audit_recent(practice.organisation.id, 1).await.unwrap();
    assert_eq!(audit, [booking.audit]);
}

async fn a_refused_booking_leaves_nothing(place: Place) {
    let store = &place.store;
    let practice = Practice::written(store, "north").await;
    book(store, &practice.booking_at("2026-12-01T09:00:00Z")).await;
    let mut refused = practice.booking_at("2026-12-01T09:00:00Z");
    refused.idempotency = key("k", "f");
    let outcome = store.appointment_book(&refused).await;
    assert!(matches!(outcome, Err(BookError::SlotTaken)), "{outcome:?}");
    for (table, rows) in [
        ("SELECT COUNT(*) FROM appointments", 1),
        ("SELECT COUNT(*) FROM jobs", 1),
        ("SELECT COUNT(*) FROM join_codes", 2),
        ("SELECT COUNT(*) FROM idempotency_keys", 0),
        ("SELECT COUNT(*) FROM audit_events", 2),
    ] {
        assert_eq!(place.count_raw(table).await, rows, "{table}");
    }
    // The number was not used up, and the key is free for another time.
    refused.appointment = practice.appointment("2026-12-01T12:00:00Z");
    assert_eq!(book(store, &refused).await.number.sequence, 2);

    // Unknown things are refused as a fault of the program, not as a conflict.
    let mut wrong = practice.booking_at("2026-12-02T09:00:00Z");
    wrong.appointment.service_id = common::unknown_service();
    let outcome = store.appointment_book(&wrong).await;
    assert!(matches!(outcome, Err(BookError::Store(ref error)) if !error.transient), "{outcome:?}");
}

async fn buffers_are_part_of_the_overlap(place: Place) {
    let store = &place.store;
    let practice = Practice::written(store, "north").await;
    // 09:00–09:30 with a quarter on both sides takes 08:45–09:45.
    book(store, &practice.booking_at("2026-12-01T09:00:00Z")).await;
    for start in ["2026-12-01T08:05:00Z", "2026-12-01T09:30:00Z", "2026-12-01T09:55:00Z"] {
        let outcome = store.appointment_book(&practice.booking_at(start)).await;
        assert!(matches!(outcome, Err(BookError::SlotTaken)), "{start}: {outcome:?}");
    }
    book(store, &practice.booking_at("2026-12-01T08:00:00Z")).await;
    book(store, &practice.booking_at("2026-12-01T10:00:00Z")).await;
    // The other provider is free.
    book(store, &practice.booking(practice.appointment_with(1, at("2026-12-01T09:00:00Z"), 30))).await;
}

async fn a_key_books_once(place: Place) {
    let store = &place.store;
    let practice = Practice::written(store, "north").await;
    let mut booking = practice.booking_at("2026-12-01T09:00:00Z");
    booking.idempotency = key("once", "fingerprint");
    let first = book(store, &booking).await;
    let mut again = practice.booking_at("2026-12-01T09:00:00Z");
    again.idempotency = key("once", "fingerprint");
    match store.appointment_book(&again).await.unwrap() {
        BookOutcome::Replayed(earlier) => assert_eq!(earlier, first),
        BookOutcome::Created(other) => panic!("booked {} too", other.number),
    }
    again.idempotency = key("once", "something else");
    assert!(matches!(store.appointment_book(&again).await, Err(BookError::KeyReused)));
    let kept = store.booking_by_key(practice.organisation.id, "once").await.unwrap();
    assert_eq!(kept, Some(("fingerprint".to_owned(), first)));
    assert_eq!(store.booking_by_key(practice.organisation.id, "never").await.unwrap(), None);

    let other = Practice::written(store, "south").await;
    let mut same_key = other.booking_at("2026-12-01T09:00:00Z");
    same_key.idempotency = key("once", "fingerprint");
    book(store, &same_key).await;
}

async fn one_key_from_many_callers_books_once(place: Place) {
    let practice = Practice::written(&place.store, "north").await;
    let tasks: Vec<_> = (0..40)
        .map(|_| {
            let store = place.store.clone();
            let mut booking = practice.booking_at("2026-12-01T09:00:00Z");
            booking.idempotency = key("once", "fingerprint");
            tokio::spawn(async move { store.appointment_book(&booking).await.unwrap() })
        })
        .collect();
    let (mut created, mut ids) = (0, HashSet::new());
    for task in tasks {
        match task.await.unwrap() {
            BookOutcome::Created(appointment) => {
                created += 1;
                ids.insert(appointment.id);
            }
            BookOutcome::Replayed(appointment) => {
                ids.insert(appointment.id);
            }
        }
    }
    assert_eq!((created, ids.len()), (1, 1));
}

async fn changed(store: &Store, booked: &Appointment, change: impl FnOnce(&mut Appointment)) -> i64 {
    let mut meeting = store.meeting_by_id(booked.id, None).await.unwrap().unwrap();
    change(&mut meeting.appointment);
    store.meeting_save(&meeting, &[], &[]).await.unwrap()
}

async fn cancelled_and_missed_time_is_free_again(place: Place) {
    let store = &place.store;
    let practice = Practice::written(store, "north").await;
    let start = "2026-12-01T09:00:00Z";
    let first = book(store, &practice.booking_at(start)).await;
    let version = changed(store, &first, |appointment| {
        appointment.cancel(Party::Client, "Feels better.".to_owned(), at("2026-11-30T09:00:00Z")).unwrap();
    })
    .await;
    assert_eq!(version, 2);
    let kept = store.appointment_by_id(first.id).await.unwrap().unwrap();
    assert_eq!(kept.state, AppointmentState::Cancelled);
    let cancelled = kept.cancelled.unwrap();
    assert_eq!((cancelled.by, cancelled.reason.as_str()), (Party::Client, "Feels better."));

    let second = book(store, &practice.booking_at(start)).await;
    changed(store, &second, |appointment| {
        appointment.no_show(Party::Client, at("2026-12-01T09:45:00Z")).unwrap();
    })
    .await;
    let third = book(store, &practice.booking_at(start)).await;
    assert_eq!(third.number.sequence, 3);
    let day = Span::new(at("2026-12-01T00:00:00Z"), at("2026-12-02T00:00:00Z"));
    assert_eq!(store.busy_of(third.provider_id, day).await.unwrap(), [third.reserved]);
}

async fn a_completed_meeting_frees_what_it_did_not_need(place: Place) {
    let store = &place.store;
    let practice = Practice::written(store, "north").await;
    let booking = practice.booking(practice.appointment_with(0, at("2026-12-01T09:00:00Z"), 60));
    let booked = book(store, &booking).await;
    changed(store, &booked, |appointment| {
        appointment.both_met(at("2026-12-01T09:01:00Z")).unwrap();
        appointment.complete(at("2026-12-01T09:12:00Z")).unwrap();
    })
    .await;
    // Over at 09:12; with the buffer and on the grid, the provider is taken until 09:30.
    let early = store.appointment_book(&practice.booking_at("2026-12-01T09:40:00Z")).await;
    assert!(matches!(early, Err(BookError::SlotTaken)), "{early:?}");
    book(store, &practice.booking_at("2026-12-01T09:45:00Z")).await;
}

async fn a_move_never_lands_on_another(place: Place) {
    let store = &place.store;
    let practice = Practice::written(store, "north").await;
    let first = book(store, &practice.booking_at("2026-12-01T09:00:00Z")).await;
    let second = book(store, &practice.booking_at("2026-12-01T12:00:00Z")).await;
    let mut meeting = store.meeting_by_id(second.id, None).await.unwrap().unwrap();
    let to = |meeting: &mut Meeting, start: &str| {
        let moved = practice.appointment(start);
        meeting.appointment.start = moved.start;
        meeting.appointment.end = moved.end;
        meeting.appointment.reserved = moved.reserved;
    };
    to(&mut meeting, "2026-12-01T09:30:00Z");
    let jobs = [job("moved", "2026-12-01T00:00:00Z")];
    let refused = store.meeting_save(&meeting, &jobs, &[]).await;
    assert!(matches!(refused, Err(SaveError::Taken { field: "start" })), "{refused:?}");
    assert_eq!(store.appointment_by_id(second.id).await.unwrap(), Some(second.clone()));
    assert_eq!(place.count_raw("SELECT COUNT(*) FROM jobs").await, 2);

    // To where its own old time is in the way, and then on to a free time.
    to(&mut meeting, "2026-12-01T12:15:00Z");
    assert_eq!(store.meeting_save(&meeting, &jobs, &[]).await.unwrap(), 2);
    let day = Span::new(at("2026-12-01T00:00:00Z"), at("2026-12-02T00:00:00Z"));
    let busy = store.busy_of(first.provider_id, day).await.unwrap();
    assert_eq!(busy, [first.reserved, meeting.appointment.reserved]);
}

async fn the_database_itself_refuses_overlap(place: Place) {
    let practice = Practice::written(&place.store, "north").await;
    book(&place.store, &practice.booking_at("2026-12-01T09:00:00Z")).await;
    book(&place.store, &practice.booking_at("2026-12-01T12:00:00Z")).await;
    // Past the program: everything onto one time.
    let moved = place
        .execute_raw(
            "UPDATE appointments SET reserved_from = '2026-12-01T12:00:00.000000Z',
                reserved_to = '2026-12-01T13:00:00.000000Z'",
        )
        .await;
    assert!(moved.is_err(), "{moved:?}");
    let off_grid =
        place.execute_raw("UPDATE appointments SET reserved_from = '2026-12-01T06:01:00.000000Z'").await;
    assert!(off_grid.is_err(), "{off_grid:?}");
}

fn meeting_of(booked: Appointment) -> Meeting {
    let consultation = Consultation {
        id: new_id().into(),
        appointment_id: booked.id,
        room: format!("room-{}", booked.id),
        created_at: at("2026-12-01T08:50:00Z"),
        started_at: Some(at("2026-12-01T09:00:01.000001Z")),
        ended_at: Some(at("2026-12-01T09:20:00Z")),
        end_reason: Some(EndReason::EndedByProvider),
    };
    let device = Device { browser: Some("Firefox 143".to_owned()), os: None, kind: Some("phone".to_owned()) };
    let participant = |identity: &str, role, since: &str| Participant {
        id: new_id().into(),
        consultation_id: consultation.id,
        identity: identity.to_owned(),
        name: "Zoë".to_owned(),
        role,
        state: ParticipantState::Admitted,
        waiting_since: at(since),
        admitted_at: Some(at("2026-12-01T08:59:00Z")),
        device: Some(device.clone()),
    };
    let participants = vec![
        participant("client", MeetingRole::Client, "2026-12-01T08:51:00Z"),
        participant("provider", MeetingRole::Provider, "2026-12-01T08:58:00Z"),
    ];
    let stays = participants
        .iter()
        .zip(["2026-12-01T08:59:30Z", "2026-12-01T09:00:01Z"])
        .map(|(participant, joined_at)| Stay {
            id: new_id().into(),
            consultation_id: consultation.id,
            participant_id: Some(participant.id),
            identity: participant.identity.clone(),
            name: participant.name.clone(),
            role: participant.role,
            joined_at: at(joined_at),
            left_at: Some(at("2026-12-01T09:20:00Z")),
            device: participant.device.clone(),
            network: Some("udp".to_owned()),
        })
        .collect();
    Meeting { appointment: booked, consultations: vec![consultation], participants, stays }
}

async fn a_meeting_is_kept_whole(place: Place) {
    let store = &place.store;
    let practice = Practice::written(store, "north").await;
    let other = book(store, &practice.booking_at("2026-12-01T12:00:00Z")).await;
    let booked = book(store, &practice.booking_at("2026-12-01T09:00:00Z")).await;
    let mut meeting = meeting_of(booked);
    let room = meeting.consultations[0].room.clone();
    let events = [event(practice.organisation.id, "a"), event(practice.organisation.id, "b")];
    let jobs = [job("summary", "2026-12-01T09:20:00Z")];
    meeting.appointment.version = store.meeting_save(&meeting, &jobs, &events).await.unwrap();
    assert_eq!(store.meeting_by_id(meeting.appointment.id, None).await.unwrap(), Some(meeting.clone()));
    assert_eq!(store.meeting_by_room(&room).await.unwrap(), Some(meeting.clone()));
    assert_eq!(store.meeting_by_room("nowhere").await.unwrap(), None);

    // What changes is written over, row by row; nothing else is touched.
    meeting.participants[0].state = ParticipantState::Left;
    meeting.stays[1].network = None;
    meeting.consultations[0].end_reason = Some(EndReason::LastLeft);
    meeting.appointment.version = store.meeting_save(&meeting, &[], &[]).await.unwrap();
    assert_eq!(store.meeting_by_id(meeting.appointment.id, None).await.unwrap(), Some(meeting.clone()));
    let untouched = store.meeting_by_id(other.id, None).await.unwrap().unwrap();
    assert_eq!((untouched.appointment, untouched.stays.len()), (other, 0));

    let recent = store.audit_recent(practice.organisation.id, 2).await.unwrap();
    assert_eq!(recent.iter().map(|event| event.action.as_str()).collect::<Vec<_>>(), ["b", "a"]);

    // A stay without an end is found by its beginning, once per appointment.
    let open = async |before: &str| store.appointments_left_open(at(before), 10).await.unwrap();
    assert_eq!(open("2026-12-02T00:00:00Z").await, []);
    for stay in &mut meeting.stays {
        stay.left_at = None;
    }
    store.meeting_save(&meeting, &[], &[]).await.unwrap();
    assert_eq!(open("2026-12-01T08:59:30Z").await, []);
    assert_eq!(open("2026-12-02T00:00:00Z").await, [meeting.appointment.id]);
}

async fn a_stale_save_changes_nothing(place: Place) {
    let store = &place.store;
    let practice = Practice::written(store, "north").await;
    let booked = book(store, &practice.booking_at("2026-12-01T09:00:00Z")).await;
    let mut late = meeting_of(booked.clone());
    changed(store, &booked, |appointment| appointment.note = "First.".to_owned()).await;
    late.appointment.note = "Second.".to_owned();
    let refused = store.meeting_save(&late, &[job("late", "2026-12-01T00:00:00Z")], &[]).await;
    assert!(matches!(refused, Err(SaveError::Stale)), "{refused:?}");
    let kept = store.meeting_by_id(booked.id, None).await.unwrap().unwrap();
    assert_eq!((kept.appointment.note.as_str(), kept.consultations.len()), ("First.", 0));
    assert_eq!(place.count_raw("SELECT COUNT(*) FROM jobs").await, 1);
}

fn query(practice: &Practice, limit: u32) -> AppointmentQuery {
    AppointmentQuery {
        organisation_id: practice.organisation.id,
        provider_id: None,
        states: Vec::new(),
        from: None,
        to: None,
        after: None,
        limit,
    }
}

async fn starts(store: &Store, query: &AppointmentQuery) -> Vec<Timestamp> {
    let page = store.meetings_page(query, None).await.unwrap();
    page.items.iter().map(|meeting| meeting.appointment.start).collect()
}

async fn pages_follow_each_other(place: Place) {
    let store = &place.store;
    let practice = Practice::written(store, "north").await;
    let stranger = Practice::written(store, "south").await;
    book(store, &stranger.booking_at("2026-12-01T09:00:00Z")).await;
    let mut all = Vec::new();
    for hour in 0..6 {
        let start = at("2026-12-01T06:00:00Z") + SignedDuration::from_hours(hour);
        // Both providers at the same instant: the id decides the order.
        for provider in 0..2 {
            all.push(book(store, &practice.booking(practice.appointment_with(provider, start, 30))).await);
        }
    }
    all.sort_by_key(|appointment| (appointment.start, appointment.id));
    let meeting = meeting_of(all[4].clone());
    store.meeting_save(&meeting, &[], &[]).await.unwrap();

    let mut walked = Vec::new();
    let mut next = query(&practice, 5);
    loop {
        let page = store.meetings_page(&next, None).await.unwrap();
        assert!(page.items.len() <= 5);
        next.after = page.items.last().map(|meeting| (meeting.appointment.start, meeting.appointment.id));
        walked.extend(page.items);
        if !page.more {
            break;
        }
    }
    let ids = |all: &[Appointment]| all.iter().map(|appointment| appointment.id).collect::<Vec<_>>();
    assert_eq!(walked.iter().map(|meeting| meeting.appointment.id).collect::<Vec<_>>(), ids(&all));
    assert_eq!(walked[4].stays, meeting.stays);
    assert!(walked.iter().enumerate().all(|(index, meeting)| index == 4 || meeting.stays.is_empty()));

    let mut own = query(&practice, 50);
    own.provider_id = Some(practice.providers[1].id);
    own.from = Some(at("2026-12-01T07:30:00Z"));
    own.to = Some(at("2026-12-01T10:00:00Z"));
    // That of 07:00 ends at 07:30: no part of it is after `from`.
    assert_eq!(starts(store, &own).await, [at("2026-12-01T08:00:00Z"), at("2026-12-01T09:00:00Z")]);

    changed(store, &all[0], |appointment| {
        appointment.cancel(Party::Organisation, String::new(), at("2026-11-30T09:00:00Z")).unwrap();
    })
    .await;
    let mut states = query(&practice, 50);
    states.states = vec![AppointmentState::Cancelled, AppointmentState::NoShow];
    assert_eq!(starts(store, &states).await, [all[0].start]);
}

async fn numbers_count_per_organisation_and_year(place: Place) {
    let store = &place.store;
    let (north, south) = (Practice::written(store, "north").await, Practice::written(store, "south").await);
    let mut numbers = Vec::new();
    for (practice, start, created_at) in [
        (&north, "2027-01-04T09:00:00Z", "2026-12-31T23:59:59.999999Z"),
        (&north, "2027-01-04T12:00:00Z", "2027-01-01T00:00:00Z"),
        (&north, "2027-01-04T15:00:00Z", "2027-01-01T00:00:01Z"),
        (&south, "2027-01-04T09:00:00Z", "2027-01-02T00:00:00Z"),
    ] {
        let mut booking = practice.booking_at(start);
        booking.appointment.created_at = at(created_at);
        numbers.push(book(store, &booking).await.number.to_string());
    }
    assert_eq!(numbers, ["C-2026-000001", "C-2027-000001", "C-2027-000002", "C-2027-000001"]);
}

async fn due_appointments_are_found(place: Place) {
    let store = &place.store;
    let practice = Practice::written(store, "north").await;
    let mut booked = Vec::new();
    for start in
        ["2026-12-01T06:00:00Z", "2026-12-01T08:00:00Z", "2026-12-01T10:00:00Z", "2026-12-01T12:00:00Z"]
    {
        booked.push(book(store, &practice.booking_at(start)).await);
    }
    changed(store, &booked[0], |appointment| {
        appointment.no_show(Party::Client, at("2026-12-01T06:45:00Z")).unwrap();
    })
    .await;
    changed(store, &booked[3], |appointment| appointment.both_met(at("2026-12-01T12:00:00Z")).unwrap()).await;
    let due = store.appointments_due(at("2026-12-01T09:00:00Z"), 10).await.unwrap();
    assert_eq!(due, [booked[1].id, booked[3].id]);
    assert_eq!(
        store.appointments_due(at("2026-12-02T00:00:00Z"), 2).await.unwrap(),
        [booked[1].id, booked[2].id]
    );
}

async fn jobs_are_leased_once(place: Place) {
    let store = &place.store;
    let jobs: Vec<_> = (0..100).map(|index| job(&format!("job-{index}"), "2026-12-01T00:00:00Z")).collect();
    store.jobs_add(&jobs).await.unwrap();
    store
        .jobs_add(&[job("job-1", "2026-12-01T00:00:00Z"), job("later", "2026-12-01T01:00:00Z")])
        .await
        .unwrap();
    let (now, until) = (at("2026-12-01T00:00:00Z"), at("2026-12-01T00:05:00Z"));
    let workers: Vec<_> = (0..8)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut got = Vec::new();
                // Two workers may choose the same rows, and one of them then gets fewer or
                // none: a few empty answers do not mean that nothing is left.
                let mut empty = 0;
                while empty < 10 {
                    let leased = store.jobs_lease(now, until, 7).await.unwrap();
                    empty = if leased.is_empty() { empty + 1 } else { 0 };
                    got.extend(leased);
                }
                got
            })
        })
        .collect();
    let mut leased = Vec::new();
    for worker in workers {
        leased.extend(worker.await.unwrap());
    }
    assert_eq!(leased.len(), 100);
    assert!(leased.iter().all(|job| job.attempt == 1));
    let ids: HashSet<_> = leased.iter().map(|job| job.id).collect();
    assert_eq!(ids, jobs.iter().map(|job| job.id).collect());
}

async fn jobs_are_retried_and_die(place: Place) {
    let store = &place.store;
    let added = job("mail", "2026-12-01T00:00:00Z");
    store.jobs_add(std::slice::from_ref(&added)).await.unwrap();
    let lease = |now: &str, until: &str| store.jobs_lease(at(now), at(until), 10);
    assert_eq!(lease("2026-11-30T23:59:59Z", "2026-12-01T00:01:00Z").await.unwrap(), [], "not due");
    let first = lease("2026-12-01T00:00:00Z", "2026-12-01T00:01:00Z").await.unwrap();
    assert_eq!((first[0].attempt, first[0].payload.as_str()), (1, added.payload.as_str()));
    assert_eq!(lease("2026-12-01T00:00:59Z", "2026-12-01T00:02:00Z").await.unwrap(), [], "leased");

    // The first worker is gone; its late answer counts no more.
    let second = lease("2026-12-01T00:01:00Z", "2026-12-01T00:02:00Z").await.unwrap();
    assert_eq!(second[0].attempt, 2);
    assert!(!store.job_complete(added.id, 1, at("2026-12-01T00:01:30Z")).await.unwrap());
    assert!(!store.job_fail(added.id, 1, None, "late").await.unwrap());

    let retry_at = Some(at("2026-12-01T00:10:00Z"));
    assert!(store.job_fail(added.id, 2, retry_at, &"no answer ".repeat(200)).await.unwrap());
    assert_eq!(lease("2026-12-01T00:09:59Z", "2026-12-01T00:11:00Z").await.unwrap(), [], "backing off");
    let third = lease("2026-12-01T00:10:00Z", "2026-12-01T00:11:00Z").await.unwrap();
    assert_eq!(third[0].attempt, 3);
    assert!(store.job_fail(added.id, 3, None, "refused").await.unwrap());
    assert_eq!(lease("2027-01-01T00:00:00Z", "2027-01-01T00:01:00Z").await.unwrap(), [], "dead");
    assert_eq!(place.count_raw("SELECT COUNT(*) FROM jobs WHERE state = 'dead'").await, 1);

    let other = job("other", "2026-12-01T00:00:00Z");
    store.jobs_add(std::slice::from_ref(&other)).await.unwrap();
    lease("2026-12-01T00:00:00Z", "2026-12-01T00:01:00Z").await.unwrap();
    assert!(store.job_complete(other.id, 1, at("2026-12-01T00:00:30Z")).await.unwrap());
    assert!(!store.job_complete(other.id, 1, at("2026-12-01T00:00:31Z")).await.unwrap());
    assert_eq!(lease("2027-01-01T00:00:00Z", "2027-01-01T00:01:00Z").await.unwrap(), [], "done");
    // Its key stays known: what was done is not done again.
    store.jobs_add(&[job("other", "2026-12-01T00:00:00Z")]).await.unwrap();
    assert_eq!(lease("2027-01-01T00:00:00Z", "2027-01-01T00:01:00Z").await.unwrap(), []);
}

async fn reads_are_recorded_and_the_log_is_append_only(place: Place) {
    let store = &place.store;
    let practice = Practice::written(store, "north").await;
    let booked = book(store, &practice.booking_at("2026-12-01T09:00:00Z")).await;
    let organisation = practice.organisation.id;
    let read = event(organisation, "appointment.read");
    store.meeting_by_id(booked.id, Some(&read)).await.unwrap().unwrap();
    let list = event(organisation, "appointment.list");
    store.meetings_page(&query(&practice, 10), Some(&list)).await.unwrap();
    assert_eq!(store.audit_recent(organisation, 2).await.unwrap(), [list, read]);
    assert_eq!(store.audit_recent(new_id().into(), 2).await.unwrap(), []);

    let before = place.count_raw("SELECT COUNT(*) FROM audit_events").await;
    for statement in ["UPDATE audit_events SET action = 'nothing'", "DELETE FROM audit_events"] {
        let refused = place.execute_raw(statement).await.unwrap_err().to_string();
        assert!(refused.contains("append-only"), "{refused}");
    }
    assert_eq!(place.count_raw("SELECT COUNT(*) FROM audit_events").await, before);
}
