//! Signed-in sessions, and the ports of one-time links.

use async_trait::async_trait;
use jiff::Timestamp;
use parley_control_app::ports::{SessionStore, StoreError};
use parley_control_app::records::{AuditEvent, MagicLink, NewJob, Session, TokenHash};
use parley_control_domain::{MagicLinkId, Member};
use sqlx::FromRow;
use uuid::Uuid;

use crate::db::sql;
use crate::error::{Failure, column};
use crate::instant::Instant;
use crate::{Store, audit, jobs, magic_links, members};

#[derive(FromRow)]
struct SessionRow {
    id: Uuid,
    hash: Vec<u8>,
    member_id: Uuid,
    created_at: Instant,
    seen_at: Instant,
    expires_at: Instant,
    user_agent: String,
}

impl TryFrom<SessionRow> for Session {
    type Error = Failure;

    fn try_from(row: SessionRow) -> Result<Self, Failure> {
        let hash: Result<[u8; 32], _> = row.hash.as_slice().try_into();
        Ok(Self {
            id: row.id.into(),
            hash: TokenHash(column("hash", hash)?),
            member_id: row.member_id.into(),
            created_at: row.created_at.0,
            seen_at: row.seen_at.0,
            expires_at: row.expires_at.0,
            user_agent: row.user_agent,
        })
    }
}

#[async_trait]
impl SessionStore for Store {
    async fn session_insert(&self, session: &Session, event: &AuditEvent) -> Result<(), StoreError> {
        let mut tx = self.db.write().await?;
        sql("INSERT INTO sessions (id, hash, member_id, created_at, seen_at, expires_at, user_agent)
             VALUES ($1, $2, $3, $4, $5, $6, $7)")
        .bind(session.id)
        .bind(session.hash.0.to_vec())
        .bind(session.member_id)
        .bind(session.created_at)
        .bind(session.seen_at)
        .bind(session.expires_at)
        .bind(session.user_agent.as_str())
        .execute(&mut tx)
        .await?;
        audit::insert(&mut tx, event).await?;
        tx.commit().await?;
        Ok(())
    }

    async fn session_by_hash(
        &self,
        hash: &TokenHash,
        now: Timestamp,
    ) -> Result<Option<(Session, Member)>, StoreError> {
        let mut conn = self.db.reader().await?;
        let row: Option<SessionRow> =
            sql("SELECT id, hash, member_id, created_at, seen_at, expires_at, user_agent
             FROM sessions WHERE hash = $1 AND expires_at > $2")
            .bind(hash.0.to_vec())
            .bind(now)
            .optional(&mut conn)
            .await?;
        let Some(session) = row.map(Session::try_from).transpose()? else { return Ok(None) };
        let member = members::by_id(&mut conn, session.member_id).await?;
        Ok(member.filter(|member| member.active).map(|member| (session, member)))
    }

    async fn session_touch(
        &self,
        hash: &TokenHash,
        seen_at: Timestamp,
        expires_at: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tx = self.db.write().await?;
        sql("UPDATE sessions SET seen_at = $2, expires_at = $3 WHERE hash = $1")
            .bind(hash.0.to_vec())
            .bind(seen_at)
            .bind(expires_at)
            .execute(&mut tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    async fn session_delete(&self, hash: &TokenHash, event: &AuditEvent) -> Result<(), StoreError> {
        let mut tx = self.db.write().await?;
        let deleted =
            sql("DELETE FROM sessions WHERE hash = $1").bind(hash.0.to_vec()).execute(&mut tx).await?;
        if deleted > 0 {
            audit::insert(&mut tx, event).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    async fn sessions_expire(&self, now: Timestamp) -> Result<u64, StoreError> {
        let mut tx = self.db.write().await?;
        let sessions = sql("DELETE FROM sessions WHERE expires_at < $1").bind(now).execute(&mut tx).await?;
        let links = sql("DELETE FROM magic_links WHERE expires_at < $1").bind(now).execute(&mut tx).await?;
        tx.commit().await?;
        Ok(sessions + links)
    }

    async fn magic_link_insert(
        &self,
        link: &MagicLink,
        new_jobs: &[NewJob],
        event: &AuditEvent,
    ) -> Result<(), StoreError> {
        let mut tx = self.db.write().await?;
        magic_links::insert(&mut tx, link).await?;
        jobs::insert(&mut tx, new_jobs).await?;
        audit::insert(&mut tx, event).await?;
        tx.commit().await?;
        Ok(())
    }

    async fn magic_link_by_id(&self, id: MagicLinkId) -> Result<Option<MagicLink>, StoreError> {
        let mut conn = self.db.reader().await?;
        Ok(magic_links::by_id(&mut conn, id).await?)
    }

    async fn magic_link_use(&self, id: MagicLinkId, now: Timestamp) -> Result<Option<MagicLink>, StoreError> {
        let mut tx = self.db.write().await?;
        let link = magic_links::take(&mut tx, id, now).await?;
        tx.commit().await?;
        Ok(link)
    }
}
