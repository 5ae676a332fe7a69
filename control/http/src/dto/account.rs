//! Signing in.

use parley_control_app as app;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Labels, or_null};

#[derive(Deserialize, ToSchema)]
pub struct LoginBody {
    pub email: String,
    pub password: String,
}

#[derive(Debug, Deserialize, ToSchema)]
pub struct MagicLinkBody {
    pub email: String,
}

#[derive(Deserialize, ToSchema)]
pub struct RedeemBody {
    pub token: String,
}

#[derive(Deserialize, ToSchema)]
pub struct MeBody {
    pub password: Option<PasswordBody>,
}

#[derive(Deserialize, ToSchema)]
pub struct PasswordBody {
    /// Needed when a password is set.
    #[serde(default)]
    pub current: Option<String>,
    pub new: String,
}

/// Who is signed in.
#[derive(Debug, Serialize, ToSchema)]
pub struct Me {
    pub member: MeMember,
    pub organisation: MeOrganisation,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct MeMember {
    pub id: Uuid,
    pub name: String,
    pub email: String,
    #[schema(example = "provider")]
    pub role: String,
    pub title: Option<String>,
    pub time_zone: String,
    pub has_password: bool,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct MeOrganisation {
    pub slug: String,
    pub name: String,
    pub labels: Labels,
    pub time_zone: String,
}

impl Me {
    pub fn of(me: &app::Me) -> Self {
        Self {
            member: MeMember {
                id: me.member.id.as_uuid(),
                name: me.member.name.clone(),
                email: me.member.email.to_string(),
                role: me.member.role.to_string(),
                title: or_null(&me.member.title),
                time_zone: me.member.zone.name().to_owned(),
                has_password: me.has_password,
            },
            organisation: MeOrganisation {
                slug: me.organisation.slug.to_string(),
                name: me.organisation.name.clone(),
                labels: Labels::of(&me.organisation.labels),
                time_zone: me.organisation.zone.name().to_owned(),
            },
        }
    }
}
