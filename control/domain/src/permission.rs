//! Who may do what: roles and permissions as data.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::FieldError;

/// What a person is in an organisation, or (operator) in the installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Runs the organisation, including its people.
    Admin,
    /// Runs bookings and rooms.
    Manager,
    /// Sees clients.
    Provider,
    /// Has an account as a client.
    Client,
    /// Runs the installation; sees no personal data of organisations.
    Operator,
    /// Joins one call by invitation, without an account.
    Guest,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 6] =
        [Self::Admin, Self::Manager, Self::Provider, Self::Client, Self::Operator, Self::Guest];

    /// The word in API and database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Manager => "manager",
            Self::Provider => "provider",
            Self::Client => "client",
            Self::Operator => "operator",
            Self::Guest => "guest",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = FieldError;

    fn from_str(text: &str) -> Result<Self, FieldError> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or_else(|| {
            FieldError::new(
                "role",
                "role_unknown",
                "The role is admin, manager, provider, client or operator.",
            )
        })
    }
}

/// Something that a person may be allowed to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    /// Read public booking pages and slots.
    PublicRead,
    /// Book a slot.
    AppointmentBook,
    /// Read appointments.
    AppointmentRead,
    /// Cancel an appointment.
    AppointmentCancel,
    /// Start, admit, decline, send back and end.
    ConsultationHost,
    /// Enter the waiting room and, once admitted, the room.
    ConsultationJoin,
    /// Read services as members see them.
    ServiceRead,
    /// Create and change services.
    ServiceWrite,
    /// Read the list of members.
    MemberRead,
    /// Create and change members.
    MemberWrite,
    /// Read weekly hours and overrides.
    AvailabilityRead,
    /// Change weekly hours and overrides.
    AvailabilityWrite,
    /// Read the audit log.
    AuditRead,
    /// Read and change one's own account and session.
    AccountSelf,
    /// See and steer media nodes, rooms and jobs of the installation.
    InstallationOperate,
}

impl Permission {
    /// Every permission.
    pub const ALL: [Self; 15] = [
        Self::PublicRead,
        Self::AppointmentBook,
        Self::AppointmentRead,
        Self::AppointmentCancel,
        Self::ConsultationHost,
        Self::ConsultationJoin,
        Self::ServiceRead,
        Self::ServiceWrite,
        Self::MemberRead,
        Self::MemberWrite,
        Self::AvailabilityRead,
        Self::AvailabilityWrite,
        Self::AuditRead,
        Self::AccountSelf,
        Self::InstallationOperate,
    ];
}

/// How far a permission reaches for a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Not at all.
    None,
    /// Only what is the person's own (their appointments, their hours).
    Own,
    /// Everything of the person's organisation.
    Organisation,
    /// The whole installation.
    Installation,
}

/// How far `permission` reaches for `role`: the one table of the program.
#[must_use]
pub const fn scope(role: Role, permission: Permission) -> Scope {
    use Permission as P;
    use Role as R;
    use Scope as S;
    match (permission, role) {
        (P::PublicRead | P::AppointmentBook, _) => S::Installation,

        (P::AccountSelf, R::Guest) => S::None,
        (P::AccountSelf, _) => S::Own,

        (P::InstallationOperate, R::Operator) => S::Installation,
        // An operator runs the machines and never reads what is said or booked on them.
        (P::InstallationOperate, _) | (_, R::Operator) => S::None,

        (P::AppointmentRead | P::AppointmentCancel | P::ConsultationHost, R::Admin | R::Manager) => {
            S::Organisation
        }
        (P::AppointmentRead | P::AppointmentCancel | P::ConsultationHost, R::Provider) => S::Own,
        (P::AppointmentRead | P::AppointmentCancel, R::Client | R::Guest) => S::Own,
        (P::ConsultationHost, R::Client | R::Guest) => S::None,

        (P::ConsultationJoin, R::Admin | R::Manager) => S::Organisation,
        (P::ConsultationJoin, R::Provider | R::Client | R::Guest) => S::Own,

        (P::ServiceRead, R::Admin | R::Manager | R::Provider) => S::Organisation,
        (P::ServiceWrite | P::MemberRead | P::MemberWrite, R::Admin | R::Manager) => S::Organisation,
        (P::AvailabilityRead | P::AvailabilityWrite, R::Admin | R::Manager) => S::Organisation,
        (P::AvailabilityRead | P::AvailabilityWrite, R::Provider) => S::Own,
        (P::AuditRead, R::Admin) => S::Organisation,

        (
            P::ServiceRead
            | P::ServiceWrite
            | P::MemberRead
            | P::MemberWrite
            | P::AvailabilityRead
            | P::AvailabilityWrite
            | P::AuditRead,
            _,
        ) => S::None,
    }
}

/// Whether `role` has `permission` at all; what it reaches is [`scope`].
#[must_use]
pub const fn allows(role: Role, permission: Permission) -> bool {
    !matches!(scope(role, permission), Scope::None)
}
