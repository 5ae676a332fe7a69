//! What the use cases need from the outside: a store, rooms, a mailer, a clock and randomness.
//!
//! Rules for every store method:
//! - one call is one transaction; a method that takes jobs or audit events writes them in that transaction;
//! - reads of personal data take the [`AuditEvent`] that records them (`None`: the system reads for itself);
//! - instants are UTC and come from the caller: no method reads a clock;
//! - `Option` answers mean "no such row"; an error means that the store itself failed.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use parley_control_domain::{
    Appointment, AppointmentId, Availability, JobId, MagicLinkId, MeetingRole, Member, MemberId,
    Organisation, OrganisationId, Service, ServiceId, Span,
};

use crate::records::{
    AppointmentQuery, AuditEvent, Booking, Job, MagicLink, Meeting, NewJob, Page, Seed, Session, TokenHash,
};

/// The store failed: not the caller's fault. `transient` says whether trying again can help.
#[derive(Debug, thiserror::Error)]
#[error("the database failed: {detail}")]
pub struct StoreError {
    /// For logs; never shown to people.
    pub detail: String,
    /// The database was busy, locked or unreachable.
    pub transient: bool,
}

/// Why a booking was not written.
#[derive(Debug, thiserror::Error)]
pub enum BookError {
    /// Another appointment of the provider overlaps, buffers included. Said by the database's own constraint.
    #[error("the slot is taken")]
    SlotTaken,
    /// The idempotency key was used with another request.
    #[error("the idempotency key belongs to another request")]
    KeyReused,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a booking did.
#[derive(Debug, Clone)]
pub enum BookOutcome {
    /// Written now. The store has set `Appointment::number`.
    Created(Appointment),
    /// The same key and fingerprint had been written before; nothing was written now.
    Replayed(Appointment),
}

/// Why a change was not written.
#[derive(Debug, thiserror::Error)]
pub enum SaveError {
    /// Someone else changed the row since it was read: read again and decide again.
    #[error("changed by someone else")]
    Stale,
    /// A value that must be unique (slug, address) is in use.
    #[error("{field} is in use")]
    Taken { field: &'static str },
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Organisations.
#[async_trait]
pub trait OrganisationStore: Send + Sync {
    /// Those with `listed`, by name.
    async fn organisations_listed(&self) -> Result<Vec<Organisation>, StoreError>;
    /// All, oldest first (at most 1,000).
    async fn organisations_all(&self) -> Result<Vec<Organisation>, StoreError>;
    async fn organisation_by_id(&self, id: OrganisationId) -> Result<Option<Organisation>, StoreError>;
    async fn organisation_by_slug(&self, slug: &str) -> Result<Option<Organisation>, StoreError>;
    /// Insert by id, or replace every column but `created_at`. [`SaveError::Taken`] for a slug in use.
    async fn organisation_save(&self, row: &Organisation, audit: &AuditEvent) -> Result<(), SaveError>;
    /// Everything of a new organisation in one transaction. Nothing is written, and `false` returned, when an
    /// organisation with this slug is there.
    async fn organisation_seed(&self, seed: &Seed) -> Result<bool, StoreError>;
}

/// Members and their passwords.
#[async_trait]
pub trait MemberStore: Send + Sync {
    async fn member_by_id(&self, id: MemberId) -> Result<Option<Member>, StoreError>;
    /// By `Email::key` (lower case); an address is unique in the installation.
    async fn member_by_email(&self, email_key: &str) -> Result<Option<Member>, StoreError>;
    /// By name, active or not (at most 1,000).
    async fn members_of(&self, organisation: OrganisationId) -> Result<Vec<Member>, StoreError>;
    /// Insert by id, or replace every column but `organisation_id` and `created_at`, with links and jobs in the
    /// same transaction. [`SaveError::Taken`] for a slug (per organisation) or an address in use.
    async fn member_save(
        &self,
        row: &Member,
        links: &[MagicLink],
        jobs: &[NewJob],
        audit: &AuditEvent,
    ) -> Result<(), SaveError>;
    /// The member's Argon2id hash in PHC string form, when a password is set.
    async fn password_of(&self, member: MemberId) -> Result<Option<String>, StoreError>;
    /// Sets the password, and ends the member's sessions but `keep` and all his magic links.
    async fn password_set(
        &self,
        member: MemberId,
        hash: &str,
        keep: &TokenHash,
        audit: &AuditEvent,
    ) -> Result<(), StoreError>;
}

/// Services.
#[async_trait]
pub trait ServiceStore: Send + Sync {
    async fn service_by_id(&self, id: ServiceId) -> Result<Option<Service>, StoreError>;
    /// By name, active or not (at most 1,000).
    async fn services_of(&self, organisation: OrganisationId) -> Result<Vec<Service>, StoreError>;
    /// Insert by id, or replace every column but `organisation_id` and `created_at`, with its providers.
    /// [`SaveError::Taken`] for a slug in use (per organisation).
    async fn service_save(&self, row: &Service, audit: &AuditEvent) -> Result<(), SaveError>;
}

/// Weekly hours and exceptions.
#[async_trait]
pub trait AvailabilityStore: Send + Sync {
    /// `None` for a provider without rows.
    async fn availability_of(&self, provider: MemberId) -> Result<Option<Availability>, StoreError>;
    /// Replaces the zone and all schedules and overrides of `availability.provider_id`.
    async fn availability_replace(
        &self,
        availability: &Availability,
        audit: &AuditEvent,
    ) -> Result<(), StoreError>;
    /// What is taken of the provider's time between two instants: `reserved` of appointments whose state
    /// `takes_time`, by start.
    async fn busy_of(&self, provider: MemberId, within: Span) -> Result<Vec<Span>, StoreError>;
}

/// Appointments with their consultations, participants and stays.
#[async_trait]
pub trait AppointmentStore: Send + Sync {
    /// Inserts the appointment (its `number` is chosen here: the next of its organisation and year of
    /// `created_at` in UTC), the idempotency key, jobs and audit event, all or nothing. The database's own
    /// constraint on overlap of `reserved` decides; nothing is decided by reading first.
    async fn appointment_book(&self, booking: &Booking) -> Result<BookOutcome, BookError>;
    /// What an earlier booking with this key made in this organisation, with that booking's fingerprint.
    async fn booking_by_key(
        &self,
        organisation: OrganisationId,
        key: &str,
    ) -> Result<Option<(String, Appointment)>, StoreError>;
    async fn appointment_by_id(&self, id: AppointmentId) -> Result<Option<Appointment>, StoreError>;
    /// By a code as stored (`JoinCode::key`): whose link it names.
    async fn appointment_by_code(
        &self,
        code_key: &str,
    ) -> Result<Option<(AppointmentId, MeetingRole)>, StoreError>;
    /// The whole meeting: what every decision is made on.
    async fn meeting_by_id(
        &self,
        id: AppointmentId,
        audit: Option<&AuditEvent>,
    ) -> Result<Option<Meeting>, StoreError>;
    /// The meeting that a consultation's room belongs to.
    async fn meeting_by_room(&self, room: &str) -> Result<Option<Meeting>, StoreError>;
    /// Compare-and-set on `meeting.appointment.version`: writes the appointment's row with `version + 1`,
    /// inserts or replaces every given consultation, participant and stay by id (none is deleted), and writes
    /// jobs and audit events, all or nothing; the new version. [`SaveError::Stale`] when the stored version
    /// differs. When the new state does not `takes_time`, the provider's time is freed.
    async fn meeting_save(
        &self,
        meeting: &Meeting,
        jobs: &[NewJob],
        audit: &[AuditEvent],
    ) -> Result<i64, SaveError>;
    /// One page, by `(start, id)`.
    async fn meetings_page(
        &self,
        query: &AppointmentQuery,
        audit: Option<&AuditEvent>,
    ) -> Result<Page<Meeting>, StoreError>;
    /// What the sweeper looks at: appointments in a state that is not final whose `end` is before
    /// `ended_before`, and all in progress. Oldest start first, at most `limit`.
    async fn appointments_due(
        &self,
        ended_before: Timestamp,
        limit: u32,
    ) -> Result<Vec<AppointmentId>, StoreError>;
    /// Those, in any state, with a stay that began before `joined_before` and has no end; at most `limit`.
    async fn appointments_left_open(
        &self,
        joined_before: Timestamp,
        limit: u32,
    ) -> Result<Vec<AppointmentId>, StoreError>;
}

/// Signed-in sessions and one-time links.
#[async_trait]
pub trait SessionStore: Send + Sync {
    async fn session_insert(&self, session: &Session, audit: &AuditEvent) -> Result<(), StoreError>;
    /// With its member, when neither expired at `now` nor of an inactive member.
    async fn session_by_hash(
        &self,
        hash: &TokenHash,
        now: Timestamp,
    ) -> Result<Option<(Session, Member)>, StoreError>;
    async fn session_touch(
        &self,
        hash: &TokenHash,
        seen_at: Timestamp,
        expires_at: Timestamp,
    ) -> Result<(), StoreError>;
    /// Fine when there is none.
    async fn session_delete(&self, hash: &TokenHash, audit: &AuditEvent) -> Result<(), StoreError>;
    /// Deletes sessions and magic links that ended before `now`; how many.
    async fn sessions_expire(&self, now: Timestamp) -> Result<u64, StoreError>;
    /// With the mail that carries it.
    async fn magic_link_insert(
        &self,
        link: &MagicLink,
        jobs: &[NewJob],
        audit: &AuditEvent,
    ) -> Result<(), StoreError>;
    async fn magic_link_by_id(&self, id: MagicLinkId) -> Result<Option<MagicLink>, StoreError>;
    /// Marks the link used when it is unused and not expired at `now` (compare-and-set: only one caller ever
    /// gets `Some`).
    async fn magic_link_use(&self, id: MagicLinkId, now: Timestamp) -> Result<Option<MagicLink>, StoreError>;
}

/// The outbox: work that must happen, written together with what caused it.
#[async_trait]
pub trait JobStore: Send + Sync {
    /// Takes up to `limit` jobs that are due at `now` and neither leased past `now`, done nor dead; counts an
    /// attempt and leases them until `lease_until`. Two callers never get the same job.
    async fn jobs_lease(
        &self,
        now: Timestamp,
        lease_until: Timestamp,
        limit: u32,
    ) -> Result<Vec<Job>, StoreError>;
    /// The job is done. Ignored (`false`) when the lease has passed to another (`attempt` differs).
    async fn job_complete(&self, id: JobId, attempt: u32, now: Timestamp) -> Result<bool, StoreError>;
    /// The job failed: due again at `retry_at`, or dead when `None`. Ignored (`false`) like above.
    async fn job_fail(
        &self,
        id: JobId,
        attempt: u32,
        retry_at: Option<Timestamp>,
        error: &str,
    ) -> Result<bool, StoreError>;
    /// Adds jobs that belong to no other change.
    async fn jobs_add(&self, jobs: &[NewJob]) -> Result<(), StoreError>;
}

/// The log of accesses to personal data.
#[async_trait]
pub trait AuditStore: Send + Sync {
    async fn audit_add(&self, event: &AuditEvent) -> Result<(), StoreError>;
    /// The newest events of an organisation, newest first, at most `limit`.
    async fn audit_recent(
        &self,
        organisation: OrganisationId,
        limit: u32,
    ) -> Result<Vec<AuditEvent>, StoreError>;
}

/// Everything that is stored.
pub trait Store:
    OrganisationStore
    + MemberStore
    + ServiceStore
    + AvailabilityStore
    + AppointmentStore
    + SessionStore
    + JobStore
    + AuditStore
{
}

impl<T> Store for T where
    T: OrganisationStore
        + MemberStore
        + ServiceStore
        + AvailabilityStore
        + AppointmentStore
        + SessionStore
        + JobStore
        + AuditStore
{
}

/// What a media token is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaGrant {
    /// The one room it opens.
    pub room: String,
    /// The one identity it gives.
    pub identity: String,
    /// The name that others see.
    pub name: String,
    /// May remove and mute others.
    pub host: bool,
    /// Not valid after.
    pub expires_at: Timestamp,
}

/// The media side could not do what was asked.
#[derive(Debug, thiserror::Error)]
#[error("the media server failed: {0}")]
pub struct RoomsError(pub String);

/// The media side, seen from here: tokens and commands. Its events come in by `App::handle_room_event`.
#[async_trait]
pub trait Rooms: Send + Sync {
    /// A signed token that the signalling server accepts.
    fn mint_media_token(&self, grant: &MediaGrant) -> Result<String, RoomsError>;
    /// Disconnects a participant; fine when there is none.
    async fn remove_participant(&self, room: &str, identity: &str) -> Result<(), RoomsError>;
    /// Disconnects everyone and forgets the room; fine when there is none.
    async fn close_room(&self, room: &str) -> Result<(), RoomsError>;
}

/// A finished mail: the whole RFC 5322 message is built from this.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// `Message-ID` without angle brackets; the same on each attempt.
    pub message_id: String,
    pub from_address: String,
    pub from_name: String,
    pub to_address: String,
    pub to_name: String,
    pub subject: String,
    pub text: String,
    pub html: String,
    /// A calendar object to carry.
    pub calendar: Option<CalendarPart>,
}

/// A `text/calendar` part (RFC 6047).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CalendarPart {
    /// The iTIP method, `REQUEST` or `CANCEL`.
    pub method: &'static str,
    /// The iCalendar stream with CRLF line ends.
    pub content: String,
}

/// Why a mail was not taken.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// Trying again can help (network, 4xx answers).
    #[error("the mail was not sent: {0}")]
    Transient(String),
    /// Trying again cannot help (address refused, 5xx answers).
    #[error("the mail was refused: {0}")]
    Permanent(String),
}

/// Sends mail.
#[async_trait]
pub trait Mailer: Send + Sync {
    async fn send(&self, mail: &Mail) -> Result<(), MailError>;
}

/// The wall clock.
pub trait Clock: Send + Sync {
    fn now(&self) -> Timestamp;
}

/// Unpredictable bytes.
pub trait Random: Send + Sync {
    fn fill(&self, bytes: &mut [u8]);
}

/// The ports an [`App`](crate::App) is built over.
#[derive(Clone)]
pub struct Ports {
    pub store: Arc<dyn Store>,
    pub rooms: Arc<dyn Rooms>,
    pub mailer: Arc<dyn Mailer>,
    pub clock: Arc<dyn Clock>,
    pub random: Arc<dyn Random>,
}
