//! The shapes of the API, apart from the domain's: what goes over the wire changes only on purpose.

pub mod account;
pub mod appointment;
pub mod catalogue;
pub mod join;
pub mod public;

use parley_control_app::AppError;
use parley_control_domain as domain;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An amount in minor units.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Money {
    /// Minor units: 4500 EUR is 45.00 €.
    pub amount: i64,
    /// ISO 4217.
    #[schema(example = "EUR")]
    pub currency: String,
}

impl Money {
    pub fn of(money: domain::Money) -> Self {
        Self { amount: money.amount, currency: money.currency.to_string() }
    }

    pub fn read(&self) -> Result<domain::Money, AppError> {
        Ok(domain::Money::price("price", self.amount, &self.currency)?)
    }
}

/// What the two sides are called.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Labels {
    pub provider: String,
    pub client: String,
}

impl Labels {
    pub fn of(labels: &domain::Labels) -> Self {
        Self { provider: labels.provider.clone(), client: labels.client.clone() }
    }
}

/// What someone joins with.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Device {
    #[serde(default)]
    pub browser: Option<String>,
    #[serde(default)]
    pub os: Option<String>,
    /// `desktop`, `phone` or `tablet`.
    #[serde(default)]
    pub kind: Option<String>,
}

impl Device {
    pub fn of(device: &domain::Device) -> Self {
        Self { browser: device.browser.clone(), os: device.os.clone(), kind: device.kind.clone() }
    }

    pub fn read(self) -> domain::Device {
        domain::Device { browser: self.browser, os: self.os, kind: self.kind }
    }
}

/// Texts that may be empty inside are `null` outside.
pub fn or_null(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// A service, in short.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ServiceRef {
    pub id: uuid::Uuid,
    pub name: String,
    #[schema(example = "video")]
    pub kind: String,
}

impl ServiceRef {
    pub fn of(service: &domain::Service) -> Self {
        Self { id: service.id.as_uuid(), name: service.name.clone(), kind: service.kind.to_string() }
    }
}
