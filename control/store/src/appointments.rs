//! The appointment's row.

use jiff::{SignedDuration, Timestamp};
use parley_control_domain::{
    Appointment, AppointmentId, AppointmentNumber, Cancellation, ClientDetails, Email, MeetingRole, Minutes,
    Span, Zone,
};
use sqlx::FromRow;
use uuid::Uuid;

use crate::db::{Conn, Sql, sql};
use crate::error::{Failure, column, word};
use crate::instant::Instant;

/// Longest time that one appointment takes of its provider; the tables check it too. Queries
/// by overlap use it to look at a part of the index only.
const LONGEST_RESERVED: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Appointments that reach past `at` begin after this.
pub(crate) fn earliest_start(at: Timestamp) -> Timestamp {
    at.saturating_sub(LONGEST_RESERVED).unwrap_or(Timestamp::MIN)
}

/// Appointments that, with their buffers, begin before `at` have their start before this.
pub(crate) fn latest_start(at: Timestamp) -> Timestamp {
    at.saturating_add(LONGEST_RESERVED).unwrap_or(Timestamp::MAX)
}

macro_rules! columns {
    () => {
        "id, organisation_id, number_year, number_sequence, state, service_id, provider_id, client_name,
         client_email, client_phone, client_zone, starts_at, ends_at, reserved_from, reserved_to, join_before,
         join_after, note, locale, client_code, provider_code, created_at, actual_start, actual_end,
         cancelled_at, cancelled_by, cancel_reason, absent, version"
    };
}
pub(crate) use columns;

#[derive(FromRow)]
pub(crate) struct AppointmentRow {
    id: Uuid,
    organisation_id: Uuid,
    number_year: i64,
    number_sequence: i64,
    state: String,
    service_id: Uuid,
    provider_id: Uuid,
    client_name: String,
    client_email: String,
    client_phone: Option<String>,
    client_zone: String,
    starts_at: Instant,
    ends_at: Instant,
    reserved_from: Instant,
    reserved_to: Instant,
    join_before: i64,
    join_after: i64,
    note: String,
    locale: String,
    client_code: String,
    provider_code: String,
    created_at: Instant,
    actual_start: Option<Instant>,
    actual_end: Option<Instant>,
    cancelled_at: Option<Instant>,
    cancelled_by: Option<String>,
    cancel_reason: Option<String>,
    absent: Option<String>,
    version: i64,
}

impl TryFrom<AppointmentRow> for Appointment {
    type Error = Failure;

    fn try_from(row: AppointmentRow) -> Result<Self, Failure> {
        let minutes = |name: &str, value: i64| column(name, u32::try_from(value)).map(Minutes);
        let cancelled = match (row.cancelled_at, &row.cancelled_by, row.cancel_reason) {
            (Some(at), Some(by), Some(reason)) => {
                Some(Cancellation { at: at.0, by: word("cancelled_by", by)?, reason })
            }
            _ => None,
        };
        Ok(Self {
            id: row.id.into(),
            organisation_id: row.organisation_id.into(),
            number: AppointmentNumber {
                year: column("number_year", i16::try_from(row.number_year))?,
                sequence: column("number_sequence", u32::try_from(row.number_sequence))?,
            },
            state: word("state", &row.state)?,
            service_id: row.service_id.into(),
            provider_id: row.provider_id.into(),
            client: ClientDetails {
                name: row.client_name,
                email: column("client_email", Email::parse("email", &row.client_email))?,
                phone: row.client_phone,
                zone: column("client_zone", Zone::parse("zone", &row.client_zone))?,
            },
            start: row.starts_at.0,
            end: row.ends_at.0,
            reserved: Span::new(row.reserved_from.0, row.reserved_to.0),
            join_before: minutes("join_before", row.join_before)?,
            join_after: minutes("join_after", row.join_after)?,
            note: row.note,
            locale: row.locale,
            client_code: word("client_code", &row.client_code)?,
            provider_code: word("provider_code", &row.provider_code)?,
            created_at: row.created_at.0,
            actual_start: row.actual_start.map(|at| at.0),
            actual_end: row.actual_end.map(|at| at.0),
            cancelled,
            absent: row.absent.as_deref().map(|absent| word("absent", absent)).transpose()?,
            version: row.version,
        })
    }
}

pub(crate) async fn by_id(conn: &mut Conn, id: AppointmentId) -> Result<Option<Appointment>, Failure> {
    let row: Option<AppointmentRow> = sql(concat!("SELECT ", columns!(), " FROM appointments WHERE id = $1"))
        .bind(id)
        .optional(conn)
        .await?;
    row.map(Appointment::try_from).transpose()
}

/// Takes the next number of the organisation and year.
pub(crate) async fn next_number(
    conn: &mut Conn,
    appointment: &Appointment,
) -> Result<AppointmentNumber, Failure> {
    let year = jiff::tz::Offset::UTC.to_datetime(appointment.created_at).year();
    let row: Option<(i64,)> = sql("INSERT INTO appointment_numbers (organisation_id, year, last)
         VALUES ($1, $2, 1)
         ON CONFLICT (organisation_id, year) DO UPDATE SET last = appointment_numbers.last + 1
         RETURNING last")
    .bind(appointment.organisation_id)
    .bind(i64::from(year))
    .optional(conn)
    .await?;
    let (last,) = row.ok_or_else(|| Failure::Corrupt("no appointment number was given".to_owned()))?;
    Ok(AppointmentNumber { year, sequence: column("last", u32::try_from(last))? })
}

/// Writes a new appointment with its codes; the tables refuse one that overlaps another.
pub(crate) async fn insert(conn: &mut Conn, row: &Appointment) -> Result<(), Failure> {
    let statement = sql(concat!(
        "INSERT INTO appointments (",
        columns!(),
        ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20,
            $21, $22, $23, $24, $25, $26, $27, $28, $29)"
    ));
    bind_row(statement, row).execute(conn).await?;
    for (code, role) in [(&row.client_code, MeetingRole::Client), (&row.provider_code, MeetingRole::Provider)]
    {
        sql("INSERT INTO join_codes (code, appointment_id, role) VALUES ($1, $2, $3)")
            .bind(code.key())
            .bind(row.id)
            .bind(role.as_str())
            .execute(conn)
            .await?;
    }
    Ok(())
}

/// Writes over the row when it still has `row.version`; what booking fixed (number, codes,
/// organisation, time of booking) stays. Whether it was written.
pub(crate) async fn update(conn: &mut Conn, row: &Appointment) -> Result<bool, Failure> {
    let cancelled = row.cancelled.as_ref();
    let changed =
        sql("UPDATE appointments SET state = $3, service_id = $4, provider_id = $5, client_name = $6,
            client_email = $7, client_phone = $8, client_zone = $9, starts_at = $10, ends_at = $11,
            reserved_from = $12, reserved_to = $13, join_before = $14, join_after = $15, note = $16,
            locale = $17, actual_start = $18, actual_end = $19, cancelled_at = $20, cancelled_by = $21,
            cancel_reason = $22, absent = $23, version = version + 1
         WHERE id = $1 AND version = $2")
        .bind(row.id)
        .bind(row.version)
        .bind(row.state.as_str())
        .bind(row.service_id)
        .bind(row.provider_id)
        .bind(row.client.name.as_str())
        .bind(row.client.email.as_str())
        .bind(row.client.phone.as_deref())
        .bind(row.client.zone.name())
        .bind(row.start)
        .bind(row.end)
        .bind(row.reserved.start)
        .bind(row.reserved.end)
        .bind(row.join_before.0)
        .bind(row.join_after.0)
        .bind(row.note.as_str())
        .bind(row.locale.as_str())
        .bind(row.actual_start)
        .bind(row.actual_end)
        .bind(cancelled.map(|cancelled| cancelled.at))
        .bind(cancelled.map(|cancelled| cancelled.by.as_str()))
        .bind(cancelled.map(|cancelled| cancelled.reason.as_str()))
        .bind(row.absent.map(|absent| absent.as_str()))
        .execute(conn)
        .await?;
    Ok(changed == 1)
}

fn bind_row(statement: Sql, row: &Appointment) -> Sql {
    let cancelled = row.cancelled.as_ref();
    statement
        .bind(row.id)
        .bind(row.organisation_id)
        .bind(i64::from(row.number.year))
        .bind(row.number.sequence)
        .bind(row.state.as_str())
        .bind(row.service_id)
        .bind(row.provider_id)
        .bind(row.client.name.as_str())
        .bind(row.client.email.as_str())
        .bind(row.client.phone.as_deref())
        .bind(row.client.zone.name())
        .bind(row.start)
        .bind(row.end)
        .bind(row.reserved.start)
        .bind(row.reserved.end)
        .bind(row.join_before.0)
        .bind(row.join_after.0)
        .bind(row.note.as_str())
        .bind(row.locale.as_str())
        .bind(row.client_code.key())
        .bind(row.provider_code.key())
        .bind(row.created_at)
        .bind(row.actual_start)
        .bind(row.actual_end)
        .bind(cancelled.map(|cancelled| cancelled.at))
        .bind(cancelled.map(|cancelled| cancelled.by.as_str()))
        .bind(cancelled.map(|cancelled| cancelled.reason.as_str()))
        .bind(row.absent.map(|absent| absent.as_str()))
        .bind(row.version)
}
