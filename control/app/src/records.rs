//! The rows that the use cases work on beside the domain's own types.

use jiff::Timestamp;
use parley_control_domain::{
    Appointment, AppointmentId, AppointmentState, AuditEventId, Availability, Consultation, JobId,
    MagicLinkId, Member, MemberId, Organisation, OrganisationId, Participant, Service, SessionId, Stay,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// SHA-256 of a session's secret; the secret itself is never stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenHash(pub [u8; 32]);

/// Who did something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "id")]
pub enum Actor {
    Member(MemberId),
    /// The client of the appointment that the event is about, by a link.
    Client,
    /// Nobody known (a failed sign-in).
    Anonymous,
    System,
}

/// An appointment with everything that belongs to its meetings: the unit of change. Written by
/// compare-and-set on `appointment.version`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meeting {
    pub appointment: Appointment,
    /// Oldest first (`created_at`, id). None until someone enters.
    pub consultations: Vec<Consultation>,
    /// Of all consultations, by `(waiting_since, id)`.
    pub participants: Vec<Participant>,
    /// Of all consultations, by `(joined_at, id)`.
    pub stays: Vec<Stay>,
}

/// A booking to write.
#[derive(Debug, Clone)]
pub struct Booking {
    /// `number` is chosen by the store; `version` is 1.
    pub appointment: Appointment,
    /// The caller's idempotency key with the hash of his request.
    pub idempotency: Option<IdempotencyKey>,
    pub jobs: Vec<NewJob>,
    pub audit: AuditEvent,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// Unique in the organisation.
    pub key: String,
    /// Hex SHA-256 of the request.
    pub fingerprint: String,
}

/// Which appointments to list.
#[derive(Debug, Clone)]
pub struct AppointmentQuery {
    pub organisation_id: OrganisationId,
    /// Only this provider's.
    pub provider_id: Option<MemberId>,
    /// Only in one of these states; empty: any.
    pub states: Vec<AppointmentState>,
    /// Those that end after `from` and start before `to`.
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
    /// Continue after this `(start, id)`.
    pub after: Option<(Timestamp, AppointmentId)>,
    /// At most this many; the caller keeps it in bounds.
    pub limit: u32,
}

#[derive(Debug, Clone)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// There are more after the last item.
    pub more: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    pub id: SessionId,
    /// Unique; what it is found by.
    pub hash: TokenHash,
    pub member_id: MemberId,
    pub created_at: Timestamp,
    pub seen_at: Timestamp,
    pub expires_at: Timestamp,
    pub user_agent: String,
}

/// What a one-time link is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkPurpose {
    SignIn,
    /// The first sign-in of a new member.
    SetUp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MagicLink {
    pub id: MagicLinkId,
    pub member_id: MemberId,
    pub purpose: LinkPurpose,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub used_at: Option<Timestamp>,
}

/// A job to add to the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewJob {
    pub id: JobId,
    /// Like `mail.confirmation`.
    pub kind: String,
    /// JSON; ids only, no personal data.
    pub payload: String,
    /// Unique: adding a job whose key is there changes nothing.
    pub key: String,
    pub due_at: Timestamp,
}

/// A leased job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    pub id: JobId,
    pub kind: String,
    pub payload: String,
    /// Counts leases, this one included: 1 on the first.
    pub attempt: u32,
    pub due_at: Timestamp,
}

/// One line of the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEvent {
    pub id: AuditEventId,
    /// `None` for what belongs to the installation (a failed sign-in with an unknown address).
    pub organisation_id: Option<OrganisationId>,
    pub at: Timestamp,
    pub actor: Actor,
    /// Like `appointment.read`.
    pub action: String,
    /// What was touched: `appointment`, `member` …, and its id; a list has none.
    pub subject_kind: String,
    pub subject_id: Option<Uuid>,
    /// JSON object; ids and reasons, no names or addresses.
    pub details: String,
}

/// A new organisation with all that belongs to it.
#[derive(Debug, Clone)]
pub struct Seed {
    pub organisation: Organisation,
    /// With Argon2id hashes in PHC string form.
    pub members: Vec<(Member, Option<String>)>,
    pub services: Vec<Service>,
    pub availability: Vec<Availability>,
    /// Numbers are given by the store, in this order. One that overlaps another is left out.
    pub appointments: Vec<Appointment>,
    pub links: Vec<MagicLink>,
    pub audit: AuditEvent,
}
