//! The outbox: work that must happen, with leases and attempts.

use async_trait::async_trait;
use jiff::Timestamp;
use parley_control_app::ports::{JobStore, StoreError};
use parley_control_app::records::{Job, NewJob};
use parley_control_domain::JobId;
use sqlx::FromRow;
use uuid::Uuid;

use crate::Store;
use crate::db::{Conn, sql};
use crate::error::{Failure, column};
use crate::instant::Instant;

/// Longest error text kept with a job, in characters.
const MAX_ERROR: usize = 500;

#[derive(FromRow)]
struct JobRow {
    id: Uuid,
    kind: String,
    payload: String,
    attempt: i64,
    due_at: Instant,
}

impl TryFrom<JobRow> for Job {
    type Error = Failure;

    fn try_from(row: JobRow) -> Result<Self, Failure> {
        Ok(Self {
            id: row.id.into(),
            kind: row.kind,
            payload: row.payload,
            attempt: column("attempt", u32::try_from(row.attempt))?,
            due_at: row.due_at.0,
        })
    }
}

/// Adds jobs in the transaction of what causes them; a key that is there already is left alone.
pub(crate) async fn insert(conn: &mut Conn, jobs: &[NewJob]) -> Result<(), Failure> {
    for job in jobs {
        sql("INSERT INTO jobs (id, kind, payload, key, due_at) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (key) DO NOTHING")
        .bind(job.id)
        .bind(job.kind.as_str())
        .bind(job.payload.as_str())
        .bind(job.key.as_str())
        .bind(job.due_at)
        .execute(conn)
        .await?;
    }
    Ok(())
}

#[async_trait]
impl JobStore for Store {
    async fn jobs_lease(
        &self,
        now: Timestamp,
        lease_until: Timestamp,
        limit: u32,
    ) -> Result<Vec<Job>, StoreError> {
        let mut tx = self.db.write().await?;
        // The condition stands twice: when two callers in PostgreSQL pick the same row, the
        // second waits for the first and then checks the outer condition on the row as it is.
        let rows: Vec<JobRow> = sql("UPDATE jobs SET attempt = attempt + 1, lease_until = $2
             WHERE state = 'pending' AND due_at <= $1 AND (lease_until IS NULL OR lease_until <= $1)
                AND id IN (
                    SELECT id FROM jobs
                    WHERE state = 'pending' AND due_at <= $1 AND (lease_until IS NULL OR lease_until <= $1)
                    ORDER BY due_at, id LIMIT $3
                )
             RETURNING id, kind, payload, attempt, due_at")
        .bind(now)
        .bind(lease_until)
        .bind(limit)
        .all(&mut tx)
        .await?;
        tx.commit().await?;
        let mut jobs = rows.into_iter().map(Job::try_from).collect::<Result<Vec<_>, _>>()?;
        jobs.sort_by_key(|job| (job.due_at, job.id));
        Ok(jobs)
    }

    async fn job_complete(&self, id: JobId, attempt: u32, now: Timestamp) -> Result<bool, StoreError> {
        let mut tx = self.db.write().await?;
        let changed =
            sql("UPDATE jobs SET state = 'done', done_at = $3, lease_until = NULL, last_error = NULL
             WHERE id = $1 AND attempt = $2 AND state = 'pending'")
            .bind(id)
            .bind(attempt)
            .bind(now)
            .execute(&mut tx)
            .await?;
        tx.commit().await?;
        Ok(changed == 1)
    }

    async fn job_fail(
        &self,
        id: JobId,
        attempt: u32,
        retry_at: Option<Timestamp>,
        error: &str,
    ) -> Result<bool, StoreError> {
        let error: String = error.chars().take(MAX_ERROR).collect();
        let mut tx = self.db.write().await?;
        let changed = match retry_at {
            Some(retry_at) => sql("UPDATE jobs SET due_at = $4, lease_until = NULL, last_error = $3
                 WHERE id = $1 AND attempt = $2 AND state = 'pending'")
            .bind(id)
            .bind(attempt)
            .bind(error)
            .bind(retry_at),
            None => sql("UPDATE jobs SET state = 'dead', lease_until = NULL, last_error = $3
                 WHERE id = $1 AND attempt = $2 AND state = 'pending'")
            .bind(id)
            .bind(attempt)
            .bind(error),
        }
        .execute(&mut tx)
        .await?;
        tx.commit().await?;
        Ok(changed == 1)
    }

    async fn jobs_add(&self, jobs: &[NewJob]) -> Result<(), StoreError> {
        let mut tx = self.db.write().await?;
        insert(&mut tx, jobs).await?;
        tx.commit().await?;
        Ok(())
    }
}
