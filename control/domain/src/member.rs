//! A person with a role in an organisation.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Checks, Email, Invalid, MemberId, OrganisationId, Role, Slug, Zone, limits};
use crate::{FieldError, optional_text, required_text};

/// A member. Credentials are kept apart, so that listing people never carries a hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Identity.
    pub id: MemberId,
    /// Whose member.
    pub organisation_id: OrganisationId,
    /// What they may do.
    pub role: Role,
    /// Word in the address of a provider's page; unique in the organisation.
    pub slug: Slug,
    /// Name shown to people.
    pub name: String,
    /// Sign-in and mail address; unique in the installation ignoring case.
    pub email: Email,
    /// Professional title, or empty.
    pub title: String,
    /// A few lines about the person, or empty.
    pub bio: String,
    /// Address of a picture.
    pub photo_url: Option<String>,
    /// Zone in which their hours are kept and times are shown to them.
    pub zone: Zone,
    /// Whether they can sign in and be booked.
    pub active: bool,
    /// When they were added.
    pub created_at: Timestamp,
}

impl Member {
    /// Checks the texts and that the role is one that members have.
    ///
    /// # Errors
    /// Every wrong field.
    pub fn validate(&self) -> Result<(), Invalid> {
        let mut checks = Checks::new();
        checks.take(required_text("name", &self.name, limits::NAME));
        checks.take(optional_text("title", &self.title, limits::TITLE));
        checks.take(optional_text("bio", &self.bio, limits::DESCRIPTION));
        checks.require(self.role != Role::Guest, || {
            FieldError::new("role", "role_not_for_members", "Guests join by link and have no account.")
        });
        checks.finish()
    }

    /// Whether appointments can be booked with this person.
    #[must_use]
    pub fn is_bookable(&self) -> bool {
        self.active && matches!(self.role, Role::Provider | Role::Admin | Role::Manager)
    }
}
