//! Writing a booking: all or nothing, and never over another one.

use parley_control_app::ports::{BookError, BookOutcome};
use parley_control_app::records::Booking;
use parley_control_domain::{Appointment, OrganisationId};
use sqlx::FromRow;
use uuid::Uuid;

use crate::db::{Conn, sql};
use crate::error::Failure;
use crate::{Store, appointments, audit, jobs};

#[derive(FromRow)]
struct KeyRow {
    fingerprint: String,
    appointment_id: Uuid,
}

/// What an earlier booking with this key made, with its fingerprint.
pub(crate) async fn by_key(
    conn: &mut Conn,
    organisation: OrganisationId,
    key: &str,
) -> Result<Option<(String, Appointment)>, Failure> {
    let row: Option<KeyRow> = sql("SELECT fingerprint, appointment_id FROM idempotency_keys
         WHERE organisation_id = $1 AND key = $2")
    .bind(organisation)
    .bind(key)
    .optional(conn)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let appointment = appointments::by_id(conn, row.appointment_id.into()).await?;
    Ok(appointment.map(|appointment| (row.fingerprint, appointment)))
}

/// Books, or answers what the same key has booked before.
pub(crate) async fn book(store: &Store, booking: &Booking) -> Result<BookOutcome, BookError> {
    let organisation = booking.appointment.organisation_id;
    let mut tx = store.db.write().await?;
    tx.lock_bookings(organisation).await?;
    if let Some(idempotency) = &booking.idempotency
        && let Some((fingerprint, earlier)) = by_key(&mut tx, organisation, &idempotency.key).await?
    {
        return if fingerprint == idempotency.fingerprint {
            Ok(BookOutcome::Replayed(earlier))
        } else {
            Err(BookError::KeyReused)
        };
    }
    let booked = insert(&mut tx, booking).await?;
    tx.commit().await?;
    Ok(BookOutcome::Created(booked))
}

async fn insert(tx: &mut Conn, booking: &Booking) -> Result<Appointment, Failure> {
    let mut appointment = booking.appointment.clone();
    appointment.number = appointments::next_number(tx, &appointment).await?;
    appointments::insert(tx, &appointment).await?;
    if let Some(idempotency) = &booking.idempotency {
        sql("INSERT INTO idempotency_keys (organisation_id, key, fingerprint, appointment_id, created_at)
             VALUES ($1, $2, $3, $4, $5)")
        .bind(appointment.organisation_id)
        .bind(idempotency.key.as_str())
        .bind(idempotency.fingerprint.as_str())
        .bind(appointment.id)
        .bind(appointment.created_at)
        .execute(tx)
        .await?;
    }
    jobs::insert(tx, &booking.jobs).await?;
    audit::insert(tx, &booking.audit).await?;
    // Read back: instants come out as the database keeps them.
    appointments::by_id(tx, appointment.id)
        .await?
        .ok_or_else(|| Failure::Corrupt("the appointment just written is not there".to_owned()))
}
