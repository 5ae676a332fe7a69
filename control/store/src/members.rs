//! Members and their passwords.

use async_trait::async_trait;
use parley_control_app::ports::{MemberStore, SaveError, StoreError};
use parley_control_app::records::{AuditEvent, MagicLink, NewJob, TokenHash};
use parley_control_domain::{Email, Member, MemberId, OrganisationId, Zone};
use sqlx::FromRow;
use uuid::Uuid;

use crate::db::{Conn, sql};
use crate::error::{Failure, column, word};
use crate::instant::Instant;
use crate::{Store, audit, jobs, magic_links};

#[derive(FromRow)]
pub(crate) struct MemberRow {
    id: Uuid,
    organisation_id: Uuid,
    role: String,
    slug: String,
    name: String,
    email: String,
    title: String,
    bio: String,
    photo_url: Option<String>,
    zone: String,
    active: bool,
    created_at: Instant,
}

impl TryFrom<MemberRow> for Member {
    type Error = Failure;

    fn try_from(row: MemberRow) -> Result<Self, Failure> {
        Ok(Self {
            id: row.id.into(),
            organisation_id: row.organisation_id.into(),
            role: word("role", &row.role)?,
            slug: word("slug", &row.slug)?,
            name: row.name,
            email: column("email", Email::parse("email", &row.email))?,
            title: row.title,
            bio: row.bio,
            photo_url: row.photo_url,
            zone: column("zone", Zone::parse("zone", &row.zone))?,
            active: row.active,
            created_at: row.created_at.0,
        })
    }
}

macro_rules! select {
    ($rest:literal) => {
        sql(concat!(
            "SELECT id, organisation_id, role, slug, name, email, title, bio, photo_url, zone, active, created_at
             FROM members ",
            $rest
        ))
    };
}

pub(crate) async fn by_id(conn: &mut Conn, id: MemberId) -> Result<Option<Member>, Failure> {
    let row: Option<MemberRow> = select!("WHERE id = $1").bind(id).optional(conn).await?;
    row.map(Member::try_from).transpose()
}

pub(crate) async fn upsert(conn: &mut Conn, row: &Member) -> Result<(), Failure> {
    let changed =
        sql("INSERT INTO members (id, organisation_id, role, slug, name, email, email_key, title, bio,
            photo_url, zone, active, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
         ON CONFLICT (id) DO UPDATE SET role = excluded.role, slug = excluded.slug, name = excluded.name,
            email = excluded.email, email_key = excluded.email_key, title = excluded.title,
            bio = excluded.bio, photo_url = excluded.photo_url, zone = excluded.zone,
            active = excluded.active
         WHERE members.organisation_id = excluded.organisation_id")
        .bind(row.id)
        .bind(row.organisation_id)
        .bind(row.role.as_str())
        .bind(row.slug.as_str())
        .bind(row.name.as_str())
        .bind(row.email.as_str())
        .bind(row.email.key())
        .bind(row.title.as_str())
        .bind(row.bio.as_str())
        .bind(row.photo_url.as_deref())
        .bind(row.zone.name())
        .bind(row.active)
        .bind(row.created_at)
        .execute(conn)
        .await?;
    if changed == 1 { Ok(()) } else { Err(foreign("member")) }
}

/// The row belongs to another organisation, which a save never changes.
pub(crate) fn foreign(noun: &str) -> Failure {
    Failure::Corrupt(format!("this {noun} belongs to another organisation"))
}

pub(crate) async fn set_password(conn: &mut Conn, member: MemberId, hash: &str) -> Result<(), Failure> {
    sql("INSERT INTO credentials (member_id, password_hash) VALUES ($1, $2)
         ON CONFLICT (member_id) DO UPDATE SET password_hash = excluded.password_hash")
    .bind(member)
    .bind(hash)
    .execute(conn)
    .await?;
    Ok(())
}

#[async_trait]
impl MemberStore for Store {
    async fn member_by_id(&self, id: MemberId) -> Result<Option<Member>, StoreError> {
        let mut conn = self.db.reader().await?;
        Ok(by_id(&mut conn, id).await?)
    }

    async fn member_by_email(&self, email_key: &str) -> Result<Option<Member>, StoreError> {
        let mut conn = self.db.reader().await?;
        let row: Option<MemberRow> =
            select!("WHERE email_key = $1").bind(email_key).optional(&mut conn).await?;
        Ok(row.map(Member::try_from).transpose()?)
    }

    async fn members_of(&self, organisation: OrganisationId) -> Result<Vec<Member>, StoreError> {
        let mut conn = self.db.reader().await?;
        let rows: Vec<MemberRow> = select!("WHERE organisation_id = $1 ORDER BY name, id LIMIT 1000")
            .bind(organisation)
            .all(&mut conn)
            .await?;
        Ok(rows.into_iter().map(Member::try_from).collect::<Result<_, _>>()?)
    }

    async fn member_save(
        &self,
        row: &Member,
        links: &[MagicLink],
        new_jobs: &[NewJob],
        event: &AuditEvent,
    ) -> Result<(), SaveError> {
        let mut tx = self.db.write().await?;
        upsert(&mut tx, row).await?;
        for link in links {
            magic_links::insert(&mut tx, link).await?;
        }
        jobs::insert(&mut tx, new_jobs).await?;
        audit::insert(&mut tx, event).await?;
        tx.commit().await?;
        Ok(())
    }

    async fn password_of(&self, member: MemberId) -> Result<Option<String>, StoreError> {
        let mut conn = self.db.reader().await?;
        let row: Option<(String,)> = sql("SELECT password_hash FROM credentials WHERE member_id = $1")
            .bind(member)
            .optional(&mut conn)
            .await?;
        Ok(row.map(|(hash,)| hash))
    }

    async fn password_set(
        &self,
        member: MemberId,
        hash: &str,
        keep: &TokenHash,
        event: &AuditEvent,
    ) -> Result<(), StoreError> {
        let mut tx = self.db.write().await?;
        set_password(&mut tx, member, hash).await?;
        sql("DELETE FROM sessions WHERE member_id = $1 AND hash <> $2")
            .bind(member)
            .bind(keep.0.to_vec())
            .execute(&mut tx)
            .await?;
        sql("DELETE FROM magic_links WHERE member_id = $1").bind(member).execute(&mut tx).await?;
        audit::insert(&mut tx, event).await?;
        tx.commit().await?;
        Ok(())
    }
}
