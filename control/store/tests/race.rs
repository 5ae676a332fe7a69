//! Nobody is booked twice, however many ask at once.
#![allow(clippy::unwrap_used)]

mod common;

use std::sync::Arc;

use common::{Kind, Place, Practice, at};
use jiff::SignedDuration;
use parley_control_app::ports::{AppointmentStore, BookError, BookOutcome, SaveError};
use parley_control_app::records::AppointmentQuery;
use parley_control_domain::{Appointment, AppointmentId, AppointmentState, Party, Span};
use parley_control_store::Store;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::sync::Barrier;

/// Callers that want the one slot.
const CALLERS: usize = 200;
/// Tasks of the random race, and what each does.
const TASKS: u64 = 32;
const STEPS: usize = 25;
/// The random race is replayed by this.
const SEED: u64 = 0x5eed_2026;

contract!(
    one_slot_is_booked_once,
    overlapping_slots_are_booked_once,
    random_bookings_never_overlap,
    callers_that_go_away_leave_nothing_half_done,
);

/// Two handles, as two processes on one database would be.
async fn two_stores(place: &Place) -> [Store; 2] {
    [place.store.clone(), Store::open(&place.url).await.unwrap()]
}

async fn race(
    place: &Place,
    practice: &Practice,
    wanted: Vec<Appointment>,
) -> Vec<Result<BookOutcome, BookError>> {
    let stores = two_stores(place).await;
    let barrier = Arc::new(Barrier::new(wanted.len()));
    let tasks: Vec<_> = wanted
        .into_iter()
        .enumerate()
        .map(|(index, appointment)| {
            let (store, barrier) = (stores[index % 2].clone(), barrier.clone());
            let booking = practice.booking(appointment);
            tokio::spawn(async move {
                barrier.wait().await;
                store.appointment_book(&booking).await
            })
        })
        .collect();
    let mut outcomes = Vec::new();
    for task in tasks {
        outcomes.push(task.await.unwrap());
    }
    outcomes
}

async fn one_slot_is_booked_once(place: Place) {
    let practice = Practice::written(&place.store, "race").await;
    let wanted = (0..CALLERS).map(|_| practice.appointment("2026-12-01T09:00:00Z")).collect();
    let outcomes = race(&place, &practice, wanted).await;

    let created = outcomes.iter().filter(|outcome| matches!(outcome, Ok(BookOutcome::Created(_)))).count();
    let refused = outcomes.iter().filter(|outcome| matches!(outcome, Err(BookError::SlotTaken))).count();
    let others: Vec<_> = outcomes
        .iter()
        .filter(|outcome| !matches!(outcome, Ok(BookOutcome::Created(_)) | Err(BookError::SlotTaken)))
        .collect();
    assert!(others.is_empty(), "{others:?}");
    assert_eq!((created, refused), (1, CALLERS - 1));

    let page = place.store.meetings_page(&everything(&practice), None).await.unwrap();
    assert_eq!(page.items.len(), 1);
    assert_eq!(page.items[0].appointment.number.to_string(), "C-2026-000001");
    assert_eq!(place.count_raw("SELECT COUNT(*) FROM appointments").await, 1);
    assert_eq!(place.count_raw("SELECT COUNT(*) FROM jobs").await, 1);
    assert_eq!(place.count_raw("SELECT COUNT(*) FROM join_codes").await, 2);
    if place.kind == Kind::Sqlite {
        // Half an hour and two buffers of a quarter: twelve cells.
        assert_eq!(place.count_raw("SELECT COUNT(*) FROM provider_cells").await, 12);
    }
}

async fn overlapping_slots_are_booked_once(place: Place) {
    let practice = Practice::written(&place.store, "race").await;
    // Starts five minutes apart, all within an hour with the buffers: any two overlap.
    let start = |index: usize| {
        at("2026-12-01T09:00:00Z") + SignedDuration::from_mins(5 * i64::try_from(index % 10).unwrap())
    };
    let wanted = (0..CALLERS).map(|index| practice.appointment_with(0, start(index), 30)).collect();
    let outcomes = race(&place, &practice, wanted).await;
    let created = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    let refused = outcomes.iter().filter(|outcome| matches!(outcome, Err(BookError::SlotTaken))).count();
    assert_eq!((created, refused), (1, CALLERS - 1));
    assert_eq!(place.count_raw("SELECT COUNT(*) FROM appointments").await, 1);
}

fn everything(practice: &Practice) -> AppointmentQuery {
    AppointmentQuery {
        organisation_id: practice.organisation.id,
        provider_id: None,
        states: Vec::new(),
        from: None,
        to: None,
        after: None,
        limit: 10_000,
    }
}

/// A random time of one of two days, length and provider.
fn random_appointment(rng: &mut StdRng, practice: &Practice) -> Appointment {
    let start = at("2026-12-01T08:00:00Z") + SignedDuration::from_mins(5 * rng.random_range(0..200));
    practice.appointment_with(rng.random_range(0..2), start, 5 * rng.random_range(1..12))
}

/// What a task did, to be counted.
#[derive(Default)]
struct Done {
    booked: u64,
    refused: u64,
    cancelled: u64,
    moved: u64,
}

async fn random_bookings_never_overlap(place: Place) {
    let practice = Arc::new(Practice::written(&place.store, "race").await);
    let stores = two_stores(&place).await;
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let store = stores[usize::try_from(task % 2).unwrap()].clone();
            tokio::spawn(random_steps(store, practice.clone(), StdRng::seed_from_u64(SEED ^ task)))
        })
        .collect();
    let mut total = Done::default();
    for task in tasks {
        let done = task.await.unwrap();
        total.booked += done.booked;
        total.refused += done.refused;
        total.cancelled += done.cancelled;
        total.moved += done.moved;
    }
    // The race was one: each kind of step happened, and some were refused.
    assert!(total.booked > 20 && total.refused > 20 && total.cancelled > 5 && total.moved > 0);

    let page = place.store.meetings_page(&everything(&practice), None).await.unwrap();
    let all: Vec<Appointment> = page.items.into_iter().map(|meeting| meeting.appointment).collect();
    assert_eq!(all.len() as u64, total.booked);
    assert_no_overlap(&all, &practice);
    let mut sequences: Vec<u32> = all.iter().map(|appointment| appointment.number.sequence).collect();
    sequences.sort_unstable();
    let counted: Vec<u32> = (1..).take(all.len()).collect();
    assert_eq!(sequences, counted, "numbers without gaps or doubles");
    if place.kind == Kind::Sqlite {
        let cells: i64 = taking(&all).map(|span| (span.end.as_second() - span.start.as_second()) / 300).sum();
        assert_eq!(place.count_raw("SELECT COUNT(*) FROM provider_cells").await, cells);
    }
}

fn taking(all: &[Appointment]) -> impl Iterator<Item = Span> {
    all.iter().filter(|appointment| appointment.state.takes_time()).map(|appointment| appointment.reserved)
}

fn assert_no_overlap(all: &[Appointment], practice: &Practice) {
    for provider in &practice.providers {
        let own: Vec<Appointment> =
            all.iter().filter(|appointment| appointment.provider_id == provider.id).cloned().collect();
        let mut spans: Vec<Span> = taking(&own).collect();
        spans.sort_unstable();
        for pair in spans.windows(2) {
            assert!(pair[0].end <= pair[1].start, "{pair:?} overlap; seed {SEED:#x}");
        }
    }
}

async fn random_steps(store: Store, practice: Arc<Practice>, mut rng: StdRng) -> Done {
    let mut done = Done::default();
    let mut own: Vec<AppointmentId> = Vec::new();
    for _ in 0..STEPS {
        let what = rng.random_range(0..10);
        if own.is_empty() || what < 5 {
            let wanted = random_appointment(&mut rng, &practice);
            match store.appointment_book(&practice.booking(wanted)).await {
                Ok(BookOutcome::Created(appointment)) => {
                    done.booked += 1;
                    own.push(appointment.id);
                }
                Err(BookError::SlotTaken) => done.refused += 1,
                other => panic!("{other:?}"),
            }
            continue;
        }
        let chosen = own[rng.random_range(0..own.len())];
        let mut meeting = store.meeting_by_id(chosen, None).await.unwrap().unwrap();
        if meeting.appointment.state != AppointmentState::Scheduled {
            continue;
        }
        let moves = what < 8;
        if moves {
            let elsewhere = random_appointment(&mut rng, &practice);
            meeting.appointment.provider_id = elsewhere.provider_id;
            meeting.appointment.start = elsewhere.start;
            meeting.appointment.end = elsewhere.end;
            meeting.appointment.reserved = elsewhere.reserved;
        } else {
            let now = at("2026-11-30T00:00:00Z");
            meeting.appointment.cancel(Party::Client, "ill".to_owned(), now).unwrap();
        }
        match store.meeting_save(&meeting, &[], &[]).await {
            Ok(_) if moves => done.moved += 1,
            Ok(_) => done.cancelled += 1,
            Err(SaveError::Taken { field: "start" }) => done.refused += 1,
            Err(other) => panic!("{other:?}"),
        }
    }
    done
}

/// A browser that closes its connection drops the booking's future wherever it stands.
async fn callers_that_go_away_leave_nothing_half_done(place: Place) {
    let practice = Practice::written(&place.store, "race").await;
    let mut rng = StdRng::seed_from_u64(SEED);
    let mut tasks = Vec::new();
    for index in 0..120 {
        let start = at("2026-12-01T00:00:00Z") + SignedDuration::from_hours(index);
        let (store, booking) =
            (place.store.clone(), practice.booking(practice.appointment_with(0, start, 30)));
        tasks.push(tokio::spawn(async move { store.appointment_book(&booking).await }));
    }
    for task in &tasks {
        for _ in 0..rng.random_range(0..20) {
            tokio::task::yield_now().await;
        }
        if rng.random_bool(0.7) {
            task.abort();
        }
    }
    let mut told = 0;
    for task in tasks {
        if let Ok(outcome) = task.await {
            outcome.unwrap();
            told += 1;
        }
    }
    // The database can still be written to, and each appointment has all that belongs to it.
    let last = practice.appointment_with(1, at("2026-12-01T09:00:00Z"), 30);
    place.store.appointment_book(&practice.booking(last)).await.unwrap();
    let appointments = place.count_raw("SELECT COUNT(*) FROM appointments").await;
    assert!(appointments > told, "{appointments} kept, {told} told");
    assert_eq!(place.count_raw("SELECT COUNT(*) FROM jobs").await, appointments);
    assert_eq!(place.count_raw("SELECT COUNT(*) FROM join_codes").await, 2 * appointments);
    assert_eq!(place.count_raw("SELECT COUNT(*) FROM audit_events").await, appointments + 1);
    assert_eq!(place.count_raw("SELECT MAX(number_sequence) FROM appointments").await, appointments);
    if place.kind == Kind::Sqlite {
        assert_eq!(place.count_raw("SELECT COUNT(*) FROM provider_cells").await, 12 * appointments);
    }
}
