//! One-time links for signing in.

use jiff::Timestamp;
use parley_control_app::records::{LinkPurpose, MagicLink};
use parley_control_domain::MagicLinkId;
use sqlx::FromRow;
use uuid::Uuid;

use crate::db::{Conn, sql};
use crate::error::Failure;
use crate::instant::Instant;

#[derive(FromRow)]
struct LinkRow {
    id: Uuid,
    member_id: Uuid,
    purpose: String,
    created_at: Instant,
    expires_at: Instant,
    used_at: Option<Instant>,
}

impl TryFrom<LinkRow> for MagicLink {
    type Error = Failure;

    fn try_from(row: LinkRow) -> Result<Self, Failure> {
        let purpose = match row.purpose.as_str() {
            "sign_in" => LinkPurpose::SignIn,
            "set_up" => LinkPurpose::SetUp,
            other => return Err(Failure::Corrupt(format!("column purpose: {other}"))),
        };
        Ok(Self {
            id: row.id.into(),
            member_id: row.member_id.into(),
            purpose,
            created_at: row.created_at.0,
            expires_at: row.expires_at.0,
            used_at: row.used_at.map(|at| at.0),
        })
    }
}

pub(crate) async fn insert(conn: &mut Conn, link: &MagicLink) -> Result<(), Failure> {
    let purpose = match link.purpose {
        LinkPurpose::SignIn => "sign_in",
        LinkPurpose::SetUp => "set_up",
    };
    sql("INSERT INTO magic_links (id, member_id, purpose, created_at, expires_at, used_at)
         VALUES ($1, $2, $3, $4, $5, $6)")
    .bind(link.id)
    .bind(link.member_id)
    .bind(purpose)
    .bind(link.created_at)
    .bind(link.expires_at)
    .bind(link.used_at)
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) async fn by_id(conn: &mut Conn, id: MagicLinkId) -> Result<Option<MagicLink>, Failure> {
    let row: Option<LinkRow> =
        sql("SELECT id, member_id, purpose, created_at, expires_at, used_at FROM magic_links WHERE id = $1")
            .bind(id)
            .optional(conn)
            .await?;
    row.map(MagicLink::try_from).transpose()
}

/// Uses the link up: only one caller ever gets it.
pub(crate) async fn take(
    conn: &mut Conn,
    id: MagicLinkId,
    now: Timestamp,
) -> Result<Option<MagicLink>, Failure> {
    let row: Option<LinkRow> = sql("UPDATE magic_links SET used_at = $2
         WHERE id = $1 AND used_at IS NULL AND expires_at > $2
         RETURNING id, member_id, purpose, created_at, expires_at, used_at")
    .bind(id)
    .bind(now)
    .optional(conn)
    .await?;
    row.map(MagicLink::try_from).transpose()
}
