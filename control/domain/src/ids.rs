//! Identifiers: one type per noun, so that a swap does not compile.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! id {
    ($(#[$doc:meta] $name:ident),+ $(,)?) => {$(
        #[$doc]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// Wraps a UUID that the caller made (the domain has no random source).
            #[must_use]
            pub const fn from_uuid(id: Uuid) -> Self {
                Self(id)
            }

            /// The UUID inside.
            #[must_use]
            pub const fn as_uuid(self) -> Uuid {
                self.0
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }

        impl From<$name> for Uuid {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }
    )+};
}

id! {
    /// A practice, clinic or firm.
    OrganisationId,
    /// A person with a role in an organisation.
    MemberId,
    /// Something that can be booked.
    ServiceId,
    /// A booking.
    AppointmentId,
    /// One meeting of an appointment.
    ConsultationId,
    /// A person at the door of, or in, a consultation.
    ParticipantId,
    /// One uninterrupted presence of a participant in the room.
    StayId,
    /// A sign-in session of a member.
    SessionId,
    /// A one-time sign-in link sent by mail.
    MagicLinkId,
    /// A unit of durable work.
    JobId,
    /// A row of the audit log.
    AuditEventId,
}
