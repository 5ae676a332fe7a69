//! Appointments with everything that belongs to their meetings: the unit of change.

use std::collections::HashMap;

use async_trait::async_trait;
use jiff::Timestamp;
use parley_control_app::ports::{AppointmentStore, BookError, BookOutcome, SaveError, StoreError};
use parley_control_app::records::{AppointmentQuery, AuditEvent, Booking, Meeting, NewJob, Page};
use parley_control_domain::{Appointment, AppointmentId, ConsultationId, MeetingRole, OrganisationId};
use uuid::Uuid;

use crate::appointments::{self, AppointmentRow, columns};
use crate::db::{Conn, Sql, Value, placeholders, sql, sql_of};
use crate::error::{Failure, word};
use crate::{Store, audit, bookings, consultations, jobs};

/// Reads the meetings of these appointments, in their order.
async fn meetings(conn: &mut Conn, found: Vec<Appointment>) -> Result<Vec<Meeting>, Failure> {
    let ids: Vec<AppointmentId> = found.iter().map(|appointment| appointment.id).collect();
    let parts = consultations::of(conn, &ids).await?;
    let place: HashMap<AppointmentId, usize> = ids.into_iter().zip(0..).collect();
    let mut meetings: Vec<Meeting> = found
        .into_iter()
        .map(|appointment| Meeting {
            appointment,
            consultations: Vec::new(),
            participants: Vec::new(),
            stays: Vec::new(),
        })
        .collect();
    let mut of_consultation: HashMap<ConsultationId, usize> = HashMap::new();
    for consultation in parts.consultations {
        if let Some(index) = place.get(&consultation.appointment_id).copied() {
            of_consultation.insert(consultation.id, index);
            meetings[index].consultations.push(consultation);
        }
    }
    for participant in parts.participants {
        if let Some(index) = of_consultation.get(&participant.consultation_id) {
            meetings[*index].participants.push(participant);
        }
    }
    for stay in parts.stays {
        if let Some(index) = of_consultation.get(&stay.consultation_id) {
            meetings[*index].stays.push(stay);
        }
    }
    Ok(meetings)
}

async fn meeting(conn: &mut Conn, id: AppointmentId) -> Result<Option<Meeting>, Failure> {
    let Some(appointment) = appointments::by_id(conn, id).await? else { return Ok(None) };
    Ok(meetings(conn, vec![appointment]).await?.pop())
}

async fn save(
    conn: &mut Conn,
    meeting: &Meeting,
    new_jobs: &[NewJob],
    events: &[AuditEvent],
) -> Result<(), SaveError> {
    conn.lock_bookings(meeting.appointment.organisation_id).await?;
    if !appointments::update(conn, &meeting.appointment).await? {
        return Err(SaveError::Stale);
    }
    for consultation in &meeting.consultations {
        consultations::upsert_consultation(conn, consultation).await?;
    }
    for participant in &meeting.participants {
        consultations::upsert_participant(conn, participant).await?;
    }
    for stay in &meeting.stays {
        consultations::upsert_stay(conn, stay).await?;
    }
    jobs::insert(conn, new_jobs).await?;
    for event in events {
        audit::insert(conn, event).await?;
    }
    Ok(())
}

/// The statement of one page: as many conditions as the query has, so that the index fits.
fn page_statement(query: &AppointmentQuery) -> Sql {
    let mut conditions = vec!["organisation_id = $1".to_owned()];
    let mut values: Vec<Value> = vec![query.organisation_id.into()];
    let mut condition = |text: &dyn Fn(usize) -> String, bound: Vec<Value>| {
        conditions.push(text(values.len() + 1));
        values.extend(bound);
    };
    if let Some(provider) = query.provider_id {
        condition(&|n| format!("provider_id = ${n}"), vec![provider.into()]);
    }
    if !query.states.is_empty() {
        let states = query.states.iter().map(|state| state.as_str().into()).collect::<Vec<_>>();
        let count = states.len();
        condition(&|n| format!("state IN ({})", placeholders(n, count)), states);
    }
    if let Some(from) = query.from {
        condition(&|n| format!("ends_at > ${n}"), vec![from.into()]);
        condition(&|n| format!("starts_at > ${n}"), vec![appointments::earliest_start(from).into()]);
    }
    if let Some(to) = query.to {
        condition(&|n| format!("starts_at < ${n}"), vec![to.into()]);
    }
    if let Some((start, id)) = query.after {
        condition(&|n| format!("(starts_at, id) > (${n}, ${})", n + 1), vec![start.into(), id.into()]);
    }
    let limit = values.len() + 1;
    sql_of(format!(
        "SELECT {} FROM appointments WHERE {} ORDER BY starts_at, id LIMIT ${limit}",
        columns!(),
        conditions.join(" AND ")
    ))
    .bind_all(values)
    // One more than asked for tells whether more follow.
    .bind(i64::from(query.limit) + 1)
}

async fn page(conn: &mut Conn, query: &AppointmentQuery) -> Result<Page<Meeting>, Failure> {
    let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
    let rows: Vec<AppointmentRow> = page_statement(query).all(conn).await?;
    let more = rows.len() > limit;
    let found: Vec<Appointment> =
        rows.into_iter().take(limit).map(Appointment::try_from).collect::<Result<_, _>>()?;
    Ok(Page { items: meetings(conn, found).await?, more })
}

impl Store {
    /// A transaction for a read that may have to be recorded.
    async fn recorded_read(&self, event: Option<&AuditEvent>) -> Result<Conn, Failure> {
        let Some(event) = event else { return self.db.snapshot().await };
        let mut conn = self.db.write().await?;
        audit::insert(&mut conn, event).await?;
        Ok(conn)
    }
}

#[async_trait]
impl AppointmentStore for Store {
    async fn appointment_book(&self, booking: &Booking) -> Result<BookOutcome, BookError> {
        bookings::book(self, booking).await
    }

    async fn booking_by_key(
        &self,
        organisation: OrganisationId,
        key: &str,
    ) -> Result<Option<(String, Appointment)>, StoreError> {
        let mut conn = self.db.snapshot().await?;
        Ok(bookings::by_key(&mut conn, organisation, key).await?)
    }

    async fn appointment_by_id(&self, id: AppointmentId) -> Result<Option<Appointment>, StoreError> {
        let mut conn = self.db.reader().await?;
        Ok(appointments::by_id(&mut conn, id).await?)
    }

    async fn appointment_by_code(
        &self,
        code_key: &str,
    ) -> Result<Option<(AppointmentId, MeetingRole)>, StoreError> {
        let mut conn = self.db.reader().await?;
        let row: Option<(Uuid, String)> = sql("SELECT appointment_id, role FROM join_codes WHERE code = $1")
            .bind(code_key)
            .optional(&mut conn)
            .await?;
        let Some((id, role)) = row else { return Ok(None) };
        Ok(Some((id.into(), word("role", &role)?)))
    }

    async fn meeting_by_id(
        &self,
        id: AppointmentId,
        event: Option<&AuditEvent>,
    ) -> Result<Option<Meeting>, StoreError> {
        let mut conn = self.recorded_read(event).await?;
        let found = meeting(&mut conn, id).await?;
        conn.commit().await?;
        Ok(found)
    }

    async fn meeting_by_room(&self, room: &str) -> Result<Option<Meeting>, StoreError> {
        let mut conn = self.db.snapshot().await?;
        let row: Option<(Uuid,)> = sql("SELECT appointment_id FROM consultations WHERE room = $1")
            .bind(room)
            .optional(&mut conn)
            .await?;
        let Some((id,)) = row else { return Ok(None) };
        Ok(meeting(&mut conn, id.into()).await?)
    }

    async fn meeting_save(
        &self,
        meeting: &Meeting,
        new_jobs: &[NewJob],
        events: &[AuditEvent],
    ) -> Result<i64, SaveError> {
        let mut tx = self.db.write().await?;
        save(&mut tx, meeting, new_jobs, events).await?;
        tx.commit().await?;
        Ok(meeting.appointment.version + 1)
    }

    async fn meetings_page(
        &self,
        query: &AppointmentQuery,
        event: Option<&AuditEvent>,
    ) -> Result<Page<Meeting>, StoreError> {
        let mut conn = self.recorded_read(event).await?;
        let found = page(&mut conn, query).await?;
        conn.commit().await?;
        Ok(found)
    }

    async fn appointments_due(
        &self,
        ended_before: Timestamp,
        limit: u32,
    ) -> Result<Vec<AppointmentId>, StoreError> {
        let mut conn = self.db.reader().await?;
        let rows: Vec<(Uuid,)> = sql("SELECT id FROM appointments
             WHERE state IN ('scheduled', 'waiting', 'in_progress')
                AND (ends_at < $1 OR state = 'in_progress')
             ORDER BY starts_at, id LIMIT $2")
        .bind(ended_before)
        .bind(limit)
        .all(&mut conn)
        .await?;
        Ok(rows.into_iter().map(|(id,)| id.into()).collect())
    }

    async fn appointments_left_open(
        &self,
        joined_before: Timestamp,
        limit: u32,
    ) -> Result<Vec<AppointmentId>, StoreError> {
        let mut conn = self.db.reader().await?;
        let rows: Vec<(Uuid,)> = sql("SELECT DISTINCT consultations.appointment_id
             FROM stays JOIN consultations ON consultations.id = stays.consultation_id
             WHERE stays.left_at IS NULL AND stays.joined_at < $1
             ORDER BY consultations.appointment_id LIMIT $2")
        .bind(joined_before)
        .bind(limit)
        .all(&mut conn)
        .await?;
        Ok(rows.into_iter().map(|(id,)| id.into()).collect())
    }
}
