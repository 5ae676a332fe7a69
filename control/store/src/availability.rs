//! Weekly hours and the days that differ, and what is taken of a provider's time.

use async_trait::async_trait;
use parley_control_app::ports::{AvailabilityStore, StoreError};
use parley_control_app::records::AuditEvent;
use parley_control_domain::{Availability, MemberId, Schedule, ScheduleOverride, Span, Zone};
use sqlx::FromRow;
use sqlx::types::Json;
use uuid::Uuid;

use crate::db::{Conn, sql};
use crate::error::{Failure, column};
use crate::instant::Instant;
use crate::{Store, audit};

#[derive(FromRow)]
struct AvailabilityRow {
    provider_id: Uuid,
    zone: String,
    schedules: Json<Vec<Schedule>>,
    overrides: Json<Vec<ScheduleOverride>>,
}

impl TryFrom<AvailabilityRow> for Availability {
    type Error = Failure;

    fn try_from(row: AvailabilityRow) -> Result<Self, Failure> {
        Ok(Self {
            provider_id: row.provider_id.into(),
            zone: column("zone", Zone::parse("zone", &row.zone))?,
            schedules: row.schedules.0,
            overrides: row.overrides.0,
        })
    }
}

#[derive(FromRow)]
struct BusyRow {
    reserved_from: Instant,
    reserved_to: Instant,
}

pub(crate) async fn upsert(conn: &mut Conn, availability: &Availability) -> Result<(), Failure> {
    sql("INSERT INTO availability (provider_id, zone, schedules, overrides) VALUES ($1, $2, $3, $4)
         ON CONFLICT (provider_id) DO UPDATE SET zone = excluded.zone, schedules = excluded.schedules,
            overrides = excluded.overrides")
    .bind(availability.provider_id)
    .bind(availability.zone.name())
    .bind(column("schedules", serde_json::to_value(&availability.schedules))?)
    .bind(column("overrides", serde_json::to_value(&availability.overrides))?)
    .execute(conn)
    .await?;
    Ok(())
}

/// What is taken of a provider's time inside `within`, by start.
pub(crate) async fn busy(conn: &mut Conn, provider: MemberId, within: Span) -> Result<Vec<Span>, Failure> {
    let earliest = crate::appointments::earliest_start(within.start);
    let rows: Vec<BusyRow> = sql("SELECT reserved_from, reserved_to FROM appointments
         WHERE provider_id = $1 AND starts_at > $2 AND starts_at < $3
            AND reserved_from < $4 AND reserved_to > $5 AND state NOT IN ('cancelled', 'no_show')
         ORDER BY reserved_from")
    .bind(provider)
    .bind(earliest)
    .bind(crate::appointments::latest_start(within.end))
    .bind(within.end)
    .bind(within.start)
    .all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| Span::new(row.reserved_from.0, row.reserved_to.0)).collect())
}

#[async_trait]
impl AvailabilityStore for Store {
    async fn availability_of(&self, provider: MemberId) -> Result<Option<Availability>, StoreError> {
        let mut conn = self.db.reader().await?;
        let row: Option<AvailabilityRow> =
            sql("SELECT provider_id, zone, schedules, overrides FROM availability WHERE provider_id = $1")
                .bind(provider)
                .optional(&mut conn)
                .await?;
        Ok(row.map(Availability::try_from).transpose()?)
    }

    async fn availability_replace(
        &self,
        availability: &Availability,
        event: &AuditEvent,
    ) -> Result<(), StoreError> {
        let mut tx = self.db.write().await?;
        upsert(&mut tx, availability).await?;
        audit::insert(&mut tx, event).await?;
        tx.commit().await?;
        Ok(())
    }

    async fn busy_of(&self, provider: MemberId, within: Span) -> Result<Vec<Span>, StoreError> {
        let mut conn = self.db.reader().await?;
        Ok(busy(&mut conn, provider, within).await?)
    }
}
