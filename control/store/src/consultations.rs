//! Consultations with the people at their doors and the stays in their rooms.

use parley_control_domain::{AppointmentId, Consultation, Device, Participant, Stay};
use sqlx::FromRow;
use sqlx::types::Json;
use uuid::Uuid;

use crate::db::{Conn, placeholders, sql, sql_of};
use crate::error::{Failure, column, word};
use crate::instant::Instant;

#[derive(FromRow)]
struct ConsultationRow {
    id: Uuid,
    appointment_id: Uuid,
    room: String,
    created_at: Instant,
    started_at: Option<Instant>,
    ended_at: Option<Instant>,
    end_reason: Option<String>,
}

impl TryFrom<ConsultationRow> for Consultation {
    type Error = Failure;

    fn try_from(row: ConsultationRow) -> Result<Self, Failure> {
        Ok(Self {
            id: row.id.into(),
            appointment_id: row.appointment_id.into(),
            room: row.room,
            created_at: row.created_at.0,
            started_at: row.started_at.map(|at| at.0),
            ended_at: row.ended_at.map(|at| at.0),
            end_reason: row.end_reason.as_deref().map(|reason| word("end_reason", reason)).transpose()?,
        })
    }
}

#[derive(FromRow)]
struct ParticipantRow {
    id: Uuid,
    consultation_id: Uuid,
    identity: String,
    name: String,
    role: String,
    state: String,
    waiting_since: Instant,
    admitted_at: Option<Instant>,
    device: Option<Json<Device>>,
}

impl TryFrom<ParticipantRow> for Participant {
    type Error = Failure;

    fn try_from(row: ParticipantRow) -> Result<Self, Failure> {
        Ok(Self {
            id: row.id.into(),
            consultation_id: row.consultation_id.into(),
            identity: row.identity,
            name: row.name,
            role: word("role", &row.role)?,
            state: word("state", &row.state)?,
            waiting_since: row.waiting_since.0,
            admitted_at: row.admitted_at.map(|at| at.0),
            device: row.device.map(|device| device.0),
        })
    }
}

#[derive(FromRow)]
struct StayRow {
    id: Uuid,
    consultation_id: Uuid,
    participant_id: Option<Uuid>,
    identity: String,
    name: String,
    role: String,
    joined_at: Instant,
    left_at: Option<Instant>,
    device: Option<Json<Device>>,
    network: Option<String>,
}

impl TryFrom<StayRow> for Stay {
    type Error = Failure;

    fn try_from(row: StayRow) -> Result<Self, Failure> {
        Ok(Self {
            id: row.id.into(),
            consultation_id: row.consultation_id.into(),
            participant_id: row.participant_id.map(Into::into),
            identity: row.identity,
            name: row.name,
            role: word("role", &row.role)?,
            joined_at: row.joined_at.0,
            left_at: row.left_at.map(|at| at.0),
            device: row.device.map(|device| device.0),
            network: row.network,
        })
    }
}

/// Everything of some appointments, in the order that the ports state.
pub(crate) struct Meetings {
    pub(crate) consultations: Vec<Consultation>,
    pub(crate) participants: Vec<Participant>,
    pub(crate) stays: Vec<Stay>,
}

/// Reads what belongs to the appointments. The list is bounded by the page that asks.
pub(crate) async fn of(conn: &mut Conn, appointments: &[AppointmentId]) -> Result<Meetings, Failure> {
    let mut found = Meetings { consultations: Vec::new(), participants: Vec::new(), stays: Vec::new() };
    let Some(last) = appointments.last().copied() else { return Ok(found) };
    // Padded to a power of two, so that few different statements are prepared.
    let count = appointments.len().next_power_of_two();
    let ids = || appointments.iter().copied().chain(std::iter::repeat(last)).take(count);
    let list = placeholders(1, count);
    let rows: Vec<ConsultationRow> = sql_of(format!(
        "SELECT id, appointment_id, room, created_at, started_at, ended_at, end_reason
         FROM consultations WHERE appointment_id IN ({list}) ORDER BY created_at, id"
    ))
    .bind_all(ids())
    .all(conn)
    .await?;
    found.consultations = rows.into_iter().map(Consultation::try_from).collect::<Result<_, _>>()?;
    if found.consultations.is_empty() {
        return Ok(found);
    }
    let of_them =
        format!("consultation_id IN (SELECT id FROM consultations WHERE appointment_id IN ({list}))");
    let rows: Vec<ParticipantRow> = sql_of(format!(
        "SELECT id, consultation_id, identity, name, role, state, waiting_since, admitted_at, device
         FROM participants WHERE {of_them} ORDER BY waiting_since, id"
    ))
    .bind_all(ids())
    .all(conn)
    .await?;
    found.participants = rows.into_iter().map(Participant::try_from).collect::<Result<_, _>>()?;
    let rows: Vec<StayRow> = sql_of(format!(
        "SELECT id, consultation_id, participant_id, identity, name, role, joined_at, left_at, device, network
         FROM stays WHERE {of_them} ORDER BY joined_at, id"
    ))
    .bind_all(ids())
    .all(conn)
    .await?;
    found.stays = rows.into_iter().map(Stay::try_from).collect::<Result<_, _>>()?;
    Ok(found)
}

fn json(device: Option<&Device>) -> Result<Option<serde_json::Value>, Failure> {
    device.map(|device| column("device", serde_json::to_value(device))).transpose()
}

pub(crate) async fn upsert_consultation(conn: &mut Conn, row: &Consultation) -> Result<(), Failure> {
    sql("INSERT INTO consultations (id, appointment_id, room, created_at, started_at, ended_at, end_reason)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (id) DO UPDATE SET started_at = excluded.started_at, ended_at = excluded.ended_at,
            end_reason = excluded.end_reason")
    .bind(row.id)
    .bind(row.appointment_id)
    .bind(row.room.as_str())
    .bind(row.created_at)
    .bind(row.started_at)
    .bind(row.ended_at)
    .bind(row.end_reason.map(|reason| reason.as_str()))
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) async fn upsert_participant(conn: &mut Conn, row: &Participant) -> Result<(), Failure> {
    sql("INSERT INTO participants
            (id, consultation_id, identity, name, role, state, waiting_since, admitted_at, device)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         ON CONFLICT (id) DO UPDATE SET identity = excluded.identity, name = excluded.name,
            role = excluded.role, state = excluded.state, waiting_since = excluded.waiting_since,
            admitted_at = excluded.admitted_at, device = excluded.device")
    .bind(row.id)
    .bind(row.consultation_id)
    .bind(row.identity.as_str())
    .bind(row.name.as_str())
    .bind(row.role.as_str())
    .bind(row.state.as_str())
    .bind(row.waiting_since)
    .bind(row.admitted_at)
    .bind(json(row.device.as_ref())?)
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) async fn upsert_stay(conn: &mut Conn, row: &Stay) -> Result<(), Failure> {
    sql("INSERT INTO stays (id, consultation_id, participant_id, identity, name, role, joined_at, left_at,
            device, network)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
         ON CONFLICT (id) DO UPDATE SET participant_id = excluded.participant_id,
            identity = excluded.identity, name = excluded.name, role = excluded.role,
            joined_at = excluded.joined_at, left_at = excluded.left_at, device = excluded.device,
            network = excluded.network")
    .bind(row.id)
    .bind(row.consultation_id)
    .bind(row.participant_id)
    .bind(row.identity.as_str())
    .bind(row.name.as_str())
    .bind(row.role.as_str())
    .bind(row.joined_at)
    .bind(row.left_at)
    .bind(json(row.device.as_ref())?)
    .bind(row.network.as_deref())
    .execute(conn)
    .await?;
    Ok(())
}
