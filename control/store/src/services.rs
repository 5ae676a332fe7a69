//! Services and who gives them.

use std::collections::HashMap;

use async_trait::async_trait;
use parley_control_app::ports::{SaveError, ServiceStore, StoreError};
use parley_control_app::records::AuditEvent;
use parley_control_domain::{
    BookingRules, Currency, MemberId, Minutes, Money, OrganisationId, Service, ServiceId,
};
use sqlx::FromRow;
use sqlx::types::Json;
use uuid::Uuid;

use crate::db::{Conn, sql};
use crate::error::{Failure, column, word};
use crate::instant::Instant;
use crate::members::foreign;
use crate::{Store, audit};

#[derive(FromRow)]
struct ServiceRow {
    id: Uuid,
    organisation_id: Uuid,
    slug: String,
    name: String,
    description: String,
    kind: String,
    durations: Json<Vec<Minutes>>,
    price_amount: Option<i64>,
    price_currency: Option<String>,
    active: bool,
    rules: Json<BookingRules>,
    created_at: Instant,
}

#[derive(FromRow)]
struct ProviderRow {
    service_id: Uuid,
    provider_id: Uuid,
}

impl ServiceRow {
    fn with_providers(self, provider_ids: Vec<MemberId>) -> Result<Service, Failure> {
        let price = match (self.price_amount, &self.price_currency) {
            (Some(amount), Some(code)) => {
                let currency = column("price_currency", Currency::parse("price.currency", code))?;
                Some(Money { amount, currency })
            }
            _ => None,
        };
        Ok(Service {
            id: self.id.into(),
            organisation_id: self.organisation_id.into(),
            slug: word("slug", &self.slug)?,
            name: self.name,
            description: self.description,
            kind: word("kind", &self.kind)?,
            durations: self.durations.0,
            price,
            active: self.active,
            provider_ids,
            rules: self.rules.0,
            created_at: self.created_at.0,
        })
    }
}

macro_rules! select {
    ($rest:literal) => {
        sql(concat!(
            "SELECT id, organisation_id, slug, name, description, kind, durations, price_amount, price_currency,
                active, rules, created_at
             FROM services ",
            $rest
        ))
    };
}

pub(crate) async fn upsert(conn: &mut Conn, row: &Service) -> Result<(), Failure> {
    let changed = sql("INSERT INTO services (id, organisation_id, slug, name, description, kind, durations,
            price_amount, price_currency, active, rules, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
         ON CONFLICT (id) DO UPDATE SET slug = excluded.slug, name = excluded.name,
            description = excluded.description, kind = excluded.kind, durations = excluded.durations,
            price_amount = excluded.price_amount, price_currency = excluded.price_currency,
            active = excluded.active, rules = excluded.rules
         WHERE services.organisation_id = excluded.organisation_id")
    .bind(row.id)
    .bind(row.organisation_id)
    .bind(row.slug.as_str())
    .bind(row.name.as_str())
    .bind(row.description.as_str())
    .bind(row.kind.as_str())
    .bind(column("durations", serde_json::to_value(&row.durations))?)
    .bind(row.price.map(|price| price.amount))
    .bind(row.price.map(|price| price.currency.as_str().to_owned()))
    .bind(row.active)
    .bind(column("rules", serde_json::to_value(&row.rules))?)
    .bind(row.created_at)
    .execute(conn)
    .await?;
    if changed != 1 {
        return Err(foreign("service"));
    }
    sql("DELETE FROM service_providers WHERE service_id = $1").bind(row.id).execute(conn).await?;
    for (position, provider) in (0_i64..).zip(&row.provider_ids) {
        sql("INSERT INTO service_providers (organisation_id, service_id, provider_id, position)
             VALUES ($1, $2, $3, $4) ON CONFLICT (service_id, provider_id) DO NOTHING")
        .bind(row.organisation_id)
        .bind(row.id)
        .bind(*provider)
        .bind(position)
        .execute(conn)
        .await?;
    }
    Ok(())
}

#[async_trait]
impl ServiceStore for Store {
    async fn service_by_id(&self, id: ServiceId) -> Result<Option<Service>, StoreError> {
        let mut conn = self.db.snapshot().await?;
        let Some(row) = select!("WHERE id = $1").bind(id).optional::<ServiceRow>(&mut conn).await? else {
            return Ok(None);
        };
        let providers: Vec<(Uuid,)> =
            sql("SELECT provider_id FROM service_providers WHERE service_id = $1 ORDER BY position")
                .bind(id)
                .all(&mut conn)
                .await?;
        let provider_ids = providers.into_iter().map(|(id,)| id.into()).collect();
        Ok(Some(row.with_providers(provider_ids)?))
    }

    async fn services_of(&self, organisation: OrganisationId) -> Result<Vec<Service>, StoreError> {
        let mut conn = self.db.snapshot().await?;
        let rows: Vec<ServiceRow> = select!("WHERE organisation_id = $1 ORDER BY name, id LIMIT 1000")
            .bind(organisation)
            .all(&mut conn)
            .await?;
        let links: Vec<ProviderRow> = sql("SELECT service_id, provider_id FROM service_providers
             WHERE organisation_id = $1 ORDER BY service_id, position")
        .bind(organisation)
        .all(&mut conn)
        .await?;
        let mut providers: HashMap<Uuid, Vec<MemberId>> = HashMap::new();
        for link in links {
            providers.entry(link.service_id).or_default().push(link.provider_id.into());
        }
        let services = rows.into_iter().map(|row| {
            let provider_ids = providers.remove(&row.id).unwrap_or_default();
            row.with_providers(provider_ids)
        });
        Ok(services.collect::<Result<_, _>>()?)
    }

    async fn service_save(&self, row: &Service, event: &AuditEvent) -> Result<(), SaveError> {
        let mut tx = self.db.write().await?;
        upsert(&mut tx, row).await?;
        audit::insert(&mut tx, event).await?;
        tx.commit().await?;
        Ok(())
    }
}
