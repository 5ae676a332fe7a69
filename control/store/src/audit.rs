//! The log of accesses to personal data: append-only, also for the database.

use async_trait::async_trait;
use parley_control_app::ports::{AuditStore, StoreError};
use parley_control_app::records::{Actor, AuditEvent};
use parley_control_domain::{MemberId, OrganisationId};
use sqlx::FromRow;
use uuid::Uuid;

use crate::Store;
use crate::db::{Conn, sql};
use crate::error::Failure;
use crate::instant::Instant;

#[derive(FromRow)]
struct AuditRow {
    id: Uuid,
    organisation_id: Option<Uuid>,
    at: Instant,
    actor_kind: String,
    actor_id: Option<Uuid>,
    action: String,
    subject_kind: String,
    subject_id: Option<Uuid>,
    details: String,
}

impl TryFrom<AuditRow> for AuditEvent {
    type Error = Failure;

    fn try_from(row: AuditRow) -> Result<Self, Failure> {
        let actor = match (row.actor_kind.as_str(), row.actor_id) {
            ("member", Some(id)) => Actor::Member(MemberId::from_uuid(id)),
            ("client", None) => Actor::Client,
            ("anonymous", None) => Actor::Anonymous,
            ("system", None) => Actor::System,
            (kind, _) => return Err(Failure::Corrupt(format!("column actor_kind: {kind}"))),
        };
        Ok(Self {
            id: row.id.into(),
            organisation_id: row.organisation_id.map(Into::into),
            at: row.at.0,
            actor,
            action: row.action,
            subject_kind: row.subject_kind,
            subject_id: row.subject_id,
            details: row.details,
        })
    }
}

/// Writes an event in the transaction of what it records.
pub(crate) async fn insert(conn: &mut Conn, event: &AuditEvent) -> Result<(), Failure> {
    let (kind, actor_id) = match event.actor {
        Actor::Member(id) => ("member", Some(id)),
        Actor::Client => ("client", None),
        Actor::Anonymous => ("anonymous", None),
        Actor::System => ("system", None),
    };
    sql("INSERT INTO audit_events
            (id, organisation_id, at, actor_kind, actor_id, action, subject_kind, subject_id, details)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)")
    .bind(event.id)
    .bind(event.organisation_id)
    .bind(event.at)
    .bind(kind)
    .bind(actor_id)
    .bind(event.action.as_str())
    .bind(event.subject_kind.as_str())
    .bind(event.subject_id)
    .bind(event.details.as_str())
    .execute(conn)
    .await?;
    Ok(())
}

#[async_trait]
impl AuditStore for Store {
    async fn audit_add(&self, event: &AuditEvent) -> Result<(), StoreError> {
        let mut tx = self.db.write().await?;
        insert(&mut tx, event).await?;
        tx.commit().await?;
        Ok(())
    }

    async fn audit_recent(
        &self,
        organisation: OrganisationId,
        limit: u32,
    ) -> Result<Vec<AuditEvent>, StoreError> {
        let mut conn = self.db.reader().await?;
        let rows: Vec<AuditRow> = sql("SELECT id, organisation_id, at, actor_kind, actor_id, action,
                subject_kind, subject_id, details
             FROM audit_events WHERE organisation_id = $1 ORDER BY seq DESC LIMIT $2")
        .bind(organisation)
        .bind(limit)
        .all(&mut conn)
        .await?;
        Ok(rows.into_iter().map(AuditEvent::try_from).collect::<Result<_, _>>()?)
    }
}
