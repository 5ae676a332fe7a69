//! The use cases' common ground: ports, configuration, ids, audit lines, changes of meetings.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use jiff::{SignedDuration, Timestamp};
use parley_control_domain::{AppointmentId, AuditEventId, JobId, OrganisationId, RETURN_GRACE};
use tokio::sync::Notify;
use url::Url;
use uuid::Uuid;

use crate::bus::{Bus, Changed, Listener};
use crate::error::AppError;
use crate::links::Links;
use crate::outbox::Work;
use crate::passwords::Passwords;
use crate::ports::{Mailer, Ports, Random, Rooms, SaveError, Store};
use crate::presence::Presence;
use crate::records::{Actor, AuditEvent, Meeting, NewJob};
use crate::throttle::{Limit, Throttle};

/// Tries of a change before the caller is told that others were faster.
const MAX_CHANGE_TRIES: u32 = 8;
/// Wrong passwords for one account from one address.
const ACCOUNT_LIMIT: Limit = Limit { failures: 8, window: SignedDuration::from_mins(15) };
/// Wrong passwords for one account from anywhere: high, since whoever reaches it keeps its owner out.
const ACCOUNT_CEILING: Limit = Limit { failures: 100, window: SignedDuration::from_mins(15) };
/// Sign-in attempts from one address: higher, since a whole practice may share one.
const ADDRESS_LIMIT: Limit = Limit { failures: 60, window: SignedDuration::from_mins(15) };
/// Magic links asked for one account from one address.
const MAGIC_LIMIT: Limit = Limit { failures: 5, window: SignedDuration::from_mins(15) };
/// Magic links asked for one account from anywhere.
const MAGIC_CEILING: Limit = Limit { failures: 40, window: SignedDuration::from_mins(15) };
/// Appointments booked from one address.
const BOOKING_LIMIT: Limit = Limit { failures: 30, window: SignedDuration::from_mins(15) };
/// Appointments booked for one e-mail address: each sends it mails.
const BOOKING_MAIL_LIMIT: Limit = Limit { failures: 20, window: SignedDuration::from_hours(24) };
/// Codes from one address that named nothing.
const GUESS_LIMIT: Limit = Limit { failures: 20, window: SignedDuration::from_mins(15) };
/// Participants of one room unless configured.
pub const DEFAULT_ROOM_LIMIT: usize = 100;

/// What the use cases need to know about this installation.
#[derive(Clone)]
pub struct AppConfig {
    /// Where people reach the pages; links in mails begin with it.
    pub public_url: Url,
    /// The WebSocket address of the signalling server, as given to clients.
    pub media_url: String,
    /// Signs join, manage and magic links. Changing it ends all of them.
    pub link_key: [u8; 32],
    /// The sender of mails: an address, or `Name <address>`.
    pub mail_from: String,
    /// People in one room at most.
    pub room_limit: usize,
}

/// Who asks, as far as the transport knows; for throttling and the session list.
#[derive(Debug, Clone, Default)]
pub struct Caller {
    /// The network address in text form.
    pub address: String,
    pub user_agent: String,
}

/// The control plane's use cases.
pub struct App {
    /// For work that goes on when the caller does not wait.
    me: Weak<App>,
    /// No connection that was reported before stands any more.
    pub(crate) started_at: Timestamp,
    stopping: AtomicBool,
    pub(crate) config: AppConfig,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) rooms: Arc<dyn Rooms>,
    pub(crate) mailer: Arc<dyn Mailer>,
    pub(crate) random: Arc<dyn Random>,
    clock: Arc<dyn crate::ports::Clock>,
    pub(crate) links: Links,
    pub(crate) bus: Bus,
    pub(crate) presence: Arc<Presence>,
    pub(crate) passwords: Passwords,
    pub(crate) account_throttle: Throttle,
    pub(crate) address_throttle: Throttle,
    pub(crate) account_ceiling: Throttle,
    pub(crate) magic_throttle: Throttle,
    pub(crate) magic_ceiling: Throttle,
    pub(crate) booking_throttle: Throttle,
    pub(crate) booking_mail_throttle: Throttle,
    pub(crate) guess_throttle: Throttle,
    /// Wakes the outbox worker when a job was written.
    pub(crate) job_added: Notify,
}

/// What a decision about a meeting causes beside the change itself.
#[derive(Default)]
pub(crate) struct Effects {
    pub work: Vec<Work>,
    pub audit: Vec<AuditEvent>,
    /// Rooms to close once the change is written.
    pub close_rooms: Vec<String>,
    /// `(room, identity)` to disconnect once the change is written.
    pub remove: Vec<(String, String)>,
}

impl App {
    pub fn new(config: AppConfig, ports: Ports) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            me: Weak::clone(me),
            started_at: ports.clock.now(),
            stopping: AtomicBool::new(false),
            links: Links::new(config.link_key),
            config,
            presence: Arc::new(Presence::new(Arc::clone(&ports.clock))),
            store: ports.store,
            rooms: ports.rooms,
            mailer: ports.mailer,
            random: ports.random,
            clock: ports.clock,
            bus: Bus::default(),
            passwords: Passwords::default(),
            account_throttle: Throttle::new(ACCOUNT_LIMIT),
            address_throttle: Throttle::new(ADDRESS_LIMIT),
            account_ceiling: Throttle::new(ACCOUNT_CEILING),
            magic_throttle: Throttle::new(MAGIC_LIMIT),
            magic_ceiling: Throttle::new(MAGIC_CEILING),
            booking_throttle: Throttle::new(BOOKING_LIMIT),
            booking_mail_throttle: Throttle::new(BOOKING_MAIL_LIMIT),
            guess_throttle: Throttle::new(GUESS_LIMIT),
            job_added: Notify::new(),
        })
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// To be called before a planned stop disconnects everyone: that nobody is left in a room then does not
    /// mean that the meeting is over.
    pub fn stopping(&self) {
        self.stopping.store(true, Ordering::SeqCst);
    }

    /// No meeting ends by itself before this: those whom a restart cut off come back first.
    pub(crate) fn meetings_end_after(&self) -> Timestamp {
        match self.stopping.load(Ordering::SeqCst) {
            true => Timestamp::MAX,
            false => self.started_at.saturating_add(RETURN_GRACE).unwrap_or(Timestamp::MAX),
        }
    }

    /// Listens for changes of appointments.
    pub fn listen(&self) -> Listener {
        self.bus.listen()
    }

    /// A page's address under the public one; `path` begins with a slash.
    pub fn page(&self, path: &str) -> String {
        format!("{}{path}", self.config.public_url.as_str().trim_end_matches('/'))
    }

    /// A fresh UUID of version 7 (RFC 9562): sorts by time.
    pub(crate) fn uuid(&self) -> Uuid {
        let millis = u64::try_from(self.now().as_millisecond()).unwrap_or_default();
        let mut random = [0u8; 10];
        self.random.fill(&mut random);
        uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
    }

    pub(crate) fn audit(
        &self,
        actor: Actor,
        organisation_id: Option<OrganisationId>,
        action: &str,
        subject: (&str, Option<Uuid>),
    ) -> AuditEvent {
        AuditEvent {
            id: AuditEventId::from_uuid(self.uuid()),
            organisation_id,
            at: self.now(),
            actor,
            action: action.to_owned(),
            subject_kind: subject.0.to_owned(),
            subject_id: subject.1,
            details: "{}".to_owned(),
        }
    }

    pub(crate) fn job(&self, work: &Work) -> NewJob {
        NewJob {
            id: JobId::from_uuid(self.uuid()),
            kind: work.kind().to_owned(),
            payload: work.payload(),
            key: work.key(),
            due_at: self.now(),
        }
    }

    pub(crate) fn jobs(&self, work: &[Work]) -> Vec<NewJob> {
        work.iter().map(|work| self.job(work)).collect()
    }

    /// Tells open pages of a change.
    pub(crate) fn announce(&self, meeting: &Meeting) {
        self.bus.publish(changed_of(meeting));
    }

    /// Reads a meeting, lets `decide` change it, writes it by compare-and-set, and does what follows from it.
    /// When someone else was faster, everything is decided again on the new state.
    pub(crate) async fn change<T: Send>(
        &self,
        id: AppointmentId,
        decide: impl FnMut(&mut Meeting, Timestamp, &mut Effects) -> Result<T, AppError> + Send,
    ) -> Result<(Meeting, T), AppError> {
        self.decide(id, decide, Follow::Await).await
    }

    /// Like [`App::change`], but does not wait for the media side: for its own reports, which it may be waiting
    /// to get rid of before it takes a command.
    pub(crate) async fn change_on_report<T: Send>(
        &self,
        id: AppointmentId,
        decide: impl FnMut(&mut Meeting, Timestamp, &mut Effects) -> Result<T, AppError> + Send,
    ) -> Result<(), AppError> {
        self.decide(id, decide, Follow::Behind).await?;
        Ok(())
    }

    async fn decide<T: Send>(
        &self,
        id: AppointmentId,
        mut decide: impl FnMut(&mut Meeting, Timestamp, &mut Effects) -> Result<T, AppError> + Send,
        follow: Follow,
    ) -> Result<(Meeting, T), AppError> {
        for _ in 0..MAX_CHANGE_TRIES {
            let before = self.store.meeting_by_id(id, None).await?;
            let before = before.ok_or_else(|| AppError::not_found("appointment"))?;
            let mut meeting = before.clone();
            let mut effects = Effects::default();
            let answer = decide(&mut meeting, self.now(), &mut effects)?;
            let changed = meeting != before || !effects.work.is_empty();
            let app = self.this()?;
            let carried = meeting.clone();
            let carried_out =
                detached(async move { app.carry_out(&carried, changed, effects, follow).await }).await?;
            match carried_out {
                Ok(Some(version)) => meeting.appointment.version = version,
                Ok(None) => {}
                Err(SaveError::Stale) => continue,
                Err(error) => return Err(error.into()),
            }
            return Ok((meeting, answer));
        }
        Err(AppError::busy())
    }

    /// Writes a decision and does what follows from it; the new version when something was written.
    async fn carry_out(
        self: Arc<Self>,
        meeting: &Meeting,
        changed: bool,
        effects: Effects,
        follow: Follow,
    ) -> Result<Option<i64>, SaveError> {
        let mut version = None;
        if changed {
            let jobs = self.jobs(&effects.work);
            version = Some(self.store.meeting_save(meeting, &jobs, &effects.audit).await?);
            if !jobs.is_empty() {
                self.job_added.notify_one();
            }
            self.announce(meeting);
        }
        if !(effects.remove.is_empty() && effects.close_rooms.is_empty()) {
            match follow {
                Follow::Await => self.follow(&effects).await,
                Follow::Behind => {
                    tokio::spawn(async move { self.follow(&effects).await });
                }
            }
        }
        Ok(version)
    }

    pub(crate) fn this(&self) -> Result<Arc<Self>, AppError> {
        self.me.upgrade().ok_or_else(|| AppError::internal("used while it is dropped"))
    }

    /// Steers the media side after a change. What fails is put into the outbox and tried again.
    async fn follow(&self, effects: &Effects) {
        let mut failed = Vec::new();
        for (room, identity) in &effects.remove {
            if let Err(error) = self.rooms.remove_participant(room, identity).await {
                tracing::warn!(%error, "a participant was not removed; it is tried again");
                failed.push(Work::RemoveParticipant {
                    room: room.clone(),
                    identity: identity.clone(),
                    at: self.now(),
                });
            }
        }
        for room in &effects.close_rooms {
            if let Err(error) = self.rooms.close_room(room).await {
                tracing::warn!(%error, "a room was not closed; it is tried again");
                failed.push(Work::CloseRoom { room: room.clone() });
            }
        }
        if !failed.is_empty() {
            let jobs = self.jobs(&failed);
            if let Err(error) = self.store.jobs_add(&jobs).await {
                tracing::error!(%error, "commands to the media server could not be queued");
            }
        }
    }
}

/// Whether the caller waits for the media side.
#[derive(Clone, Copy)]
enum Follow {
    Await,
    Behind,
}

/// Runs to the end even when the caller is dropped, as a request's handler is when its client goes: what was
/// written must be told and carried out.
pub(crate) async fn detached<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> Result<T, AppError> {
    tokio::spawn(work).await.map_err(|error| AppError::internal(&format!("a change broke off: {error}")))
}

pub(crate) fn changed_of(meeting: &Meeting) -> Changed {
    Changed {
        organisation_id: meeting.appointment.organisation_id,
        provider_id: meeting.appointment.provider_id,
        appointment_id: meeting.appointment.id,
    }
}
