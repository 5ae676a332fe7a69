//! A practice, clinic or firm.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Checks, Invalid, OrganisationId, Slug, Zone, limits, required_text};

/// What the two sides are called on the organisation's pages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Labels {
    /// "Doctor", "Therapist", "Lawyer".
    pub provider: String,
    /// "Patient", "Client".
    pub client: String,
}

impl Default for Labels {
    fn default() -> Self {
        Self { provider: "Provider".to_owned(), client: "Client".to_owned() }
    }
}

/// Everything belongs to one organisation, and organisations do not see each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Organisation {
    /// Identity.
    pub id: OrganisationId,
    /// Word in the address of its public page; unique in the installation.
    pub slug: Slug,
    /// Name shown to people.
    pub name: String,
    /// Zone of the practice; new members get it.
    pub zone: Zone,
    /// What the sides are called.
    pub labels: Labels,
    /// Whether the public list of organisations names it.
    pub listed: bool,
    /// When it was made.
    pub created_at: Timestamp,
}

impl Organisation {
    /// Checks the texts.
    ///
    /// # Errors
    /// Every wrong field.
    pub fn validate(&self) -> Result<(), Invalid> {
        let mut checks = Checks::new();
        checks.take(required_text("name", &self.name, limits::NAME));
        checks.take(required_text("labels.provider", &self.labels.provider, limits::LABEL));
        checks.take(required_text("labels.client", &self.labels.client, limits::LABEL));
        checks.finish()
    }
}
