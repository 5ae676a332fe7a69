//! Organisations.

use async_trait::async_trait;
use parley_control_app::ports::{OrganisationStore, SaveError, StoreError};
use parley_control_app::records::{AuditEvent, Seed};
use parley_control_domain::{Labels, Organisation, OrganisationId, Zone};
use sqlx::FromRow;
use uuid::Uuid;

use crate::db::{Conn, sql};
use crate::error::{Failure, column, word};
use crate::instant::Instant;
use crate::{Store, audit, seed};

#[derive(FromRow)]
struct OrganisationRow {
    id: Uuid,
    slug: String,
    name: String,
    zone: String,
    label_provider: String,
    label_client: String,
    listed: bool,
    created_at: Instant,
}

impl TryFrom<OrganisationRow> for Organisation {
    type Error = Failure;

    fn try_from(row: OrganisationRow) -> Result<Self, Failure> {
        Ok(Self {
            id: row.id.into(),
            slug: word("slug", &row.slug)?,
            name: row.name,
            zone: column("zone", Zone::parse("zone", &row.zone))?,
            labels: Labels { provider: row.label_provider, client: row.label_client },
            listed: row.listed,
            created_at: row.created_at.0,
        })
    }
}

macro_rules! select {
    ($rest:literal) => {
        sql(concat!(
            "SELECT id, slug, name, zone, label_provider, label_client, listed, created_at FROM organisations ",
            $rest
        ))
    };
}

pub(crate) async fn upsert(conn: &mut Conn, row: &Organisation) -> Result<(), Failure> {
    sql("INSERT INTO organisations
            (id, slug, name, zone, label_provider, label_client, listed, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (id) DO UPDATE SET slug = excluded.slug, name = excluded.name, zone = excluded.zone,
            label_provider = excluded.label_provider, label_client = excluded.label_client,
            listed = excluded.listed")
    .bind(row.id)
    .bind(row.slug.as_str())
    .bind(row.name.as_str())
    .bind(row.zone.name())
    .bind(row.labels.provider.as_str())
    .bind(row.labels.client.as_str())
    .bind(row.listed)
    .bind(row.created_at)
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) async fn by_slug(conn: &mut Conn, slug: &str) -> Result<Option<Organisation>, Failure> {
    let row: Option<OrganisationRow> = select!("WHERE slug = $1").bind(slug).optional(conn).await?;
    row.map(Organisation::try_from).transpose()
}

fn organisations(rows: Vec<OrganisationRow>) -> Result<Vec<Organisation>, StoreError> {
    Ok(rows.into_iter().map(Organisation::try_from).collect::<Result<_, _>>()?)
}

#[async_trait]
impl OrganisationStore for Store {
    async fn organisations_listed(&self) -> Result<Vec<Organisation>, StoreError> {
        let mut conn = self.db.reader().await?;
        organisations(select!("WHERE listed ORDER BY name, id LIMIT 1000").all(&mut conn).await?)
    }

    async fn organisations_all(&self) -> Result<Vec<Organisation>, StoreError> {
        let mut conn = self.db.reader().await?;
        organisations(select!("ORDER BY created_at, id LIMIT 1000").all(&mut conn).await?)
    }

    async fn organisation_by_id(&self, id: OrganisationId) -> Result<Option<Organisation>, StoreError> {
        let mut conn = self.db.reader().await?;
        let row: Option<OrganisationRow> = select!("WHERE id = $1").bind(id).optional(&mut conn).await?;
        Ok(row.map(Organisation::try_from).transpose()?)
    }

    async fn organisation_by_slug(&self, slug: &str) -> Result<Option<Organisation>, StoreError> {
        let mut conn = self.db.reader().await?;
        Ok(by_slug(&mut conn, slug).await?)
    }

    async fn organisation_save(&self, row: &Organisation, event: &AuditEvent) -> Result<(), SaveError> {
        let mut tx = self.db.write().await?;
        upsert(&mut tx, row).await?;
        audit::insert(&mut tx, event).await?;
        tx.commit().await?;
        Ok(())
    }

    async fn organisation_seed(&self, seed: &Seed) -> Result<bool, StoreError> {
        seed::write(self, seed).await.map_err(Into::into)
    }
}
