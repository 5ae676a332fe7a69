//! Who is signed in, and how far his permissions reach.

use parley_control_domain::{Member, MemberId, OrganisationId, Permission, Scope, scope};

use crate::error::AppError;
use crate::records::{Actor, TokenHash};

/// A signed-in member.
#[derive(Debug, Clone)]
pub struct Principal {
    pub member: Member,
    pub session: TokenHash,
}

impl Principal {
    pub fn actor(&self) -> Actor {
        Actor::Member(self.member.id)
    }

    pub fn organisation_id(&self) -> OrganisationId {
        self.member.organisation_id
    }

    /// How far a permission reaches.
    ///
    /// # Errors
    /// `forbidden` when it does not reach at all.
    pub fn reach(&self, permission: Permission) -> Result<Scope, AppError> {
        match scope(self.member.role, permission) {
            Scope::None => Err(AppError::forbidden()),
            reach => Ok(reach),
        }
    }

    /// Whether the permission covers something of `organisation` that belongs to `owner`.
    ///
    /// # Errors
    /// `not_found` for another organisation's (its existence is not told), `forbidden` for what is not his own.
    pub fn check(
        &self,
        permission: Permission,
        organisation: OrganisationId,
        owner: MemberId,
    ) -> Result<(), AppError> {
        let reach = self.reach(permission)?;
        if reach != Scope::Installation && organisation != self.member.organisation_id {
            return Err(AppError::not_found("entry"));
        }
        if reach == Scope::Own && owner != self.member.id {
            return Err(AppError::forbidden());
        }
        Ok(())
    }
}
