//! The rows that the use cases work on and the store keeps. Strings are checked by the use cases (lengths in
//! `crate::limits`), so a store need not check them again; the database repeats what is cheap to repeat.

use std::fmt;

use jiff::Timestamp;
use parley_control_domain::{
    AppointmentId, AppointmentState, MemberId, Money, OrganisationId, ParticipantId, ParticipantRole,
    ParticipantState, Role, ServiceId, ServiceKind,
};
pub use parley_control_domain::{Availability, BookingRules, Busy};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

uuid_id!(
    /// A meeting of an appointment.
    ConsultationId
);
uuid_id!(
    /// One stay of a participant in a room.
    StayId
);
uuid_id!(
    /// A job in the outbox.
    JobId
);
uuid_id!(
    /// A one-time link.
    MagicLinkId
);
uuid_id!(
    /// An entry of the audit log.
    AuditId
);

/// SHA-256 of a session's secret; the secret itself is never stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenHash(pub [u8; 32]);

/// What an organisation calls its two sides (`Doctor`/`Patient`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Labels {
    pub provider: String,
    pub client: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Organisation {
    pub id: OrganisationId,
    /// `[a-z0-9-]`, unique.
    pub slug: String,
    pub name: String,
    /// IANA name.
    pub time_zone: String,
    pub labels: Labels,
    /// Shows itself on the start page.
    pub listed: bool,
    pub created_at: Timestamp,
}

#[derive(Clone, PartialEq, Eq)]
pub struct Member {
    pub id: MemberId,
    pub organisation_id: OrganisationId,
    pub role: Role,
    /// Lower-case, unique in the installation.
    pub email: String,
    /// `[a-z0-9-]`, unique in the organisation.
    pub slug: String,
    pub name: String,
    pub title: String,
    pub bio: String,
    pub time_zone: String,
    pub photo_url: Option<String>,
    /// An inactive member can neither sign in nor be booked.
    pub active: bool,
    /// Argon2id in PHC string form; `None`: no password set.
    pub password_hash: Option<String>,
    pub created_at: Timestamp,
}

impl fmt::Debug for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Member").field("id", &self.id).field("role", &self.role).finish_non_exhaustive()
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    pub id: ServiceId,
    pub organisation_id: OrganisationId,
    /// `[a-z0-9-]`, unique in the organisation.
    pub slug: String,
    pub name: String,
    pub description: String,
    pub kind: ServiceKind,
    /// Minutes, ascending, at least one.
    pub durations_minutes: Vec<u16>,
    pub price: Option<Money>,
    /// Buffers, notice, advance, slot interval.
    pub rules: BookingRules,
    /// How long before the start a client may enter, in minutes.
    pub opens_before_minutes: u16,
    /// How long after the planned end the window stays open, in minutes.
    pub closes_after_minutes: u16,
    /// Who provides it, in the order shown.
    pub provider_ids: Vec<MemberId>,
    pub active: bool,
    pub created_at: Timestamp,
}

/// Who booked. A guest has no account.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Client {
    pub name: String,
    pub email: String,
    pub phone: Option<String>,
    pub time_zone: String,
    /// BCP 47, like `en` or `de`.
    pub locale: String,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Client(…)")
    }
}

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

/// Which side cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CancelledBy {
    Client,
    Provider,
    /// An admin or manager who is not the provider.
    Organisation,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cancellation {
    pub at: Timestamp,
    pub by: CancelledBy,
    pub reason: String,
}

/// Why a consultation is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// A provider ended it for all.
    EndedByProvider,
    /// The last one left after the planned end.
    AllLeft,
    /// All left before the planned end and nobody returned.
    Abandoned,
    /// The window closed while people were connected.
    TimeUp,
    /// One side or both never came.
    NoShow,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appointment {
    pub id: AppointmentId,
    pub organisation_id: OrganisationId,
    pub service_id: ServiceId,
    pub provider_id: MemberId,
    /// Like `C-2026-000123`; empty until the store has booked it.
    pub number: String,
    pub state: AppointmentState,
    pub start: Timestamp,
    pub end: Timestamp,
    /// Minutes kept free before the start and after the end.
    pub buffer_before_minutes: u16,
    pub buffer_after_minutes: u16,
    /// When a client's window opens and closes.
    pub opens_at: Timestamp,
    pub closes_at: Timestamp,
    pub client: Client,
    pub note: String,
    /// iCalendar SEQUENCE: counts changes that were mailed.
    pub sequence: u32,
    pub actual_start: Option<Timestamp>,
    pub actual_end: Option<Timestamp>,
    pub end_reason: Option<EndReason>,
    pub cancelled: Option<Cancellation>,
    pub created_at: Timestamp,
    /// Counts writes; compare-and-set.
    pub version: u64,
}

/// What a participant's browser says about itself; free text, shown to the desk only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    pub browser: String,
    pub os: String,
    /// `desktop`, `phone`, `tablet`.
    pub kind: String,
}

/// Someone who may take part in an appointment's meeting: one row, one identity, one link, however often he
/// comes and goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Participant {
    pub id: ParticipantId,
    pub appointment_id: AppointmentId,
    /// The identity in the room, unique in the appointment.
    pub identity: String,
    pub role: ParticipantRole,
    /// `Some` for a provider.
    pub member_id: Option<MemberId>,
    pub name: String,
    /// Eight letters and digits, upper-case, no hyphen, unique in the installation.
    pub code: String,
    pub state: ParticipantState,
    /// When he entered the waiting room, this time.
    pub waiting_since: Option<Timestamp>,
    pub admitted_at: Option<Timestamp>,
    pub device: Option<Device>,
}

/// One meeting of an appointment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consultation {
    pub id: ConsultationId,
    pub appointment_id: AppointmentId,
    /// The room's name on the media side, unique.
    pub room: String,
    /// When both sides were connected first.
    pub started_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
}

/// One stay of a participant in a consultation's room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stay {
    pub id: StayId,
    pub consultation_id: ConsultationId,
    pub participant_id: ParticipantId,
    /// The media side's name of this connection, unique in the consultation.
    pub session: String,
    pub joined_at: Timestamp,
    pub left_at: Option<Timestamp>,
    pub device: Option<Device>,
    /// How the media came: `udp`, `tcp`, `relay`, when known.
    pub network: Option<String>,
}

/// An appointment with everything that belongs to its meeting: the unit of change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meeting {
    pub appointment: Appointment,
    /// By role (provider first), then id.
    pub participants: Vec<Participant>,
    /// Oldest first.
    pub consultations: Vec<Consultation>,
    /// By `joined_at`.
    pub stays: Vec<Stay>,
}

/// A booking to write.
#[derive(Debug, Clone)]
pub struct Booking {
    pub meeting: Meeting,
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
    pub state: Option<AppointmentState>,
    /// Those that end after `from` and start before `to`.
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
    /// Continue after this `(start, id)`.
    pub after: Option<(Timestamp, AppointmentId)>,
    /// At most this many; the store does not clamp it.
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
    pub id: AuditId,
    /// `None` for what belongs to the installation (a failed sign-in with an unknown address).
    pub organisation_id: Option<OrganisationId>,
    pub at: Timestamp,
    pub actor: Actor,
    /// Like `appointment.read`.
    pub action: String,
    /// What was touched: `appointment`, `member` …, and its id; a list read has none.
    pub subject_kind: String,
    pub subject_id: Option<Uuid>,
    /// JSON object; ids and reasons, no names or addresses.
    pub details: String,
}

/// A new organisation with all that belongs to it.
#[derive(Debug, Clone)]
pub struct Seed {
    pub organisation: Organisation,
    pub members: Vec<Member>,
    pub services: Vec<Service>,
    pub availability: Vec<(MemberId, Availability)>,
    /// Numbers are given by the store, in this order.
    pub meetings: Vec<Meeting>,
    pub links: Vec<MagicLink>,
    pub audit: AuditEvent,
}
