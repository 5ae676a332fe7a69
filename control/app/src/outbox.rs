//! Work that must happen, though the process may die: jobs written with what caused them, leased, tried again
//! with growing pauses, put aside as dead when it is no use.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use parley_control_domain::{AppointmentId, AppointmentState, MagicLinkId};
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::error::AppError;
use crate::ports::{Mail, MailError};
use crate::records::{Job, LinkPurpose};

/// Jobs taken at once.
const BATCH: u32 = 5;
/// Longer than a whole batch can take, so that no job is given to two workers.
const LEASE: SignedDuration = SignedDuration::from_mins(5);
/// One attempt may take this long.
const ATTEMPT: Duration = Duration::from_secs(30);
/// After this many attempts a job is dead: about half a day.
const MAX_ATTEMPTS: u32 = 16;
const FIRST_PAUSE_S: i64 = 15;
const MAX_PAUSE_S: i64 = 3_600;
/// A command to remove someone is void after this: he may have been let in again.
const REMOVE_LIFE: SignedDuration = SignedDuration::from_secs(60);
const MAX_ERROR_TEXT: usize = 500;

/// One piece of work. Holds ids only; what a mail says is read when it is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "work", rename_all = "snake_case")]
pub(crate) enum Work {
    /// To the client: booked.
    Confirmation { appointment: AppointmentId },
    /// To the provider: someone has booked.
    ProviderNotice { appointment: AppointmentId },
    /// To the client: called off.
    Cancellation { appointment: AppointmentId },
    /// To the provider: called off.
    ProviderCancellation { appointment: AppointmentId },
    /// To a member: a link to sign in.
    MagicLink { link: MagicLinkId },
    /// A room that could not be closed at once.
    CloseRoom { room: String },
    /// A participant who could not be removed at once.
    RemoveParticipant { room: String, identity: String, at: Timestamp },
}

impl Work {
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Confirmation { .. } => "mail.confirmation",
            Self::ProviderNotice { .. } => "mail.provider_notice",
            Self::Cancellation { .. } => "mail.cancellation",
            Self::ProviderCancellation { .. } => "mail.provider_cancellation",
            Self::MagicLink { .. } => "mail.magic_link",
            Self::CloseRoom { .. } => "room.close",
            Self::RemoveParticipant { .. } => "room.remove",
        }
    }

    pub fn payload(&self) -> String {
        serde_json::to_string(self).expect("ids and strings have a JSON form")
    }

    /// The same work is never queued twice.
    pub fn key(&self) -> String {
        let about = match self {
            Self::Confirmation { appointment }
            | Self::ProviderNotice { appointment }
            | Self::Cancellation { appointment }
            | Self::ProviderCancellation { appointment } => appointment.to_string(),
            Self::MagicLink { link } => link.to_string(),
            Self::CloseRoom { room } => room.clone(),
            Self::RemoveParticipant { room, identity, at } => format!("{room}/{identity}/{at}"),
        };
        format!("{}:{about}", self.kind())
    }
}

/// How an attempt ended.
enum Outcome {
    Done,
    /// What it was for is over.
    Void,
    Again(String),
    Never(String),
}

impl App {
    /// Does what is due; how many jobs were taken.
    ///
    /// # Errors
    /// Of the store.
    pub async fn work_outbox(&self) -> Result<usize, AppError> {
        let now = self.now();
        let jobs = self.store.jobs_lease(now, now + LEASE, BATCH).await?;
        for job in &jobs {
            let attempt = tokio::time::timeout(ATTEMPT, self.attempt(job));
            let outcome = attempt.await.unwrap_or_else(|_| Outcome::Again("took too long".to_owned()));
            self.settle(job, outcome).await?;
        }
        Ok(jobs.len())
    }

    async fn settle(&self, job: &Job, outcome: Outcome) -> Result<(), AppError> {
        let now = self.now();
        let (retry_at, error) = match outcome {
            Outcome::Done => {
                self.store.job_complete(job.id, job.attempt, now).await?;
                return Ok(());
            }
            Outcome::Void => {
                tracing::info!(kind = job.kind, "a job was dropped: what it was for is over");
                self.store.job_complete(job.id, job.attempt, now).await?;
                return Ok(());
            }
            Outcome::Again(error) if job.attempt < MAX_ATTEMPTS => {
                (Some(now + self.pause(job.attempt)), error)
            }
            Outcome::Again(error) | Outcome::Never(error) => (None, error),
        };
        if retry_at.is_none() {
            tracing::error!(kind = job.kind, job = %job.id, attempts = job.attempt, "a job was given up");
        }
        let error: String = error.chars().take(MAX_ERROR_TEXT).collect();
        self.store.job_fail(job.id, job.attempt, retry_at, &error).await?;
        Ok(())
    }

    /// Doubles with each attempt, with up to a quarter more, so that jobs do not all come back together.
    fn pause(&self, attempt: u32) -> SignedDuration {
        let doubled = FIRST_PAUSE_S.saturating_mul(1 << attempt.saturating_sub(1).min(20));
        let base_s = doubled.min(MAX_PAUSE_S);
        let mut byte = [0u8];
        self.random.fill(&mut byte);
        SignedDuration::from_secs(base_s + base_s * i64::from(byte[0]) / 1_024)
    }

    async fn attempt(&self, job: &Job) -> Outcome {
        let work = match serde_json::from_str::<Work>(&job.payload) {
            Ok(work) => work,
            Err(error) => return Outcome::Never(format!("unreadable: {error}")),
        };
        let mail = match &work {
            Work::CloseRoom { room } => return room_outcome(self.rooms.close_room(room).await),
            Work::RemoveParticipant { at, .. } if self.now().duration_since(*at) > REMOVE_LIFE => {
                return Outcome::Void;
            }
            Work::RemoveParticipant { room, identity, .. } => {
                return room_outcome(self.rooms.remove_participant(room, identity).await);
            }
            mail => self.mail_of(mail, &format!("{}@{}", job.id, self.host())).await,
        };
        match mail {
            Ok(None) => Outcome::Void,
            Ok(Some(mail)) => match self.mailer.send(&mail).await {
                Ok(()) => Outcome::Done,
                Err(MailError::Transient(error)) => Outcome::Again(error),
                Err(MailError::Permanent(error)) => Outcome::Never(error),
            },
            Err(error) => Outcome::Again(error.to_string()),
        }
    }

    /// The mail as things stand now; `None` when it would be wrong to send it.
    async fn mail_of(&self, work: &Work, message_id: &str) -> Result<Option<Mail>, AppError> {
        let (Work::Confirmation { appointment: id }
        | Work::ProviderNotice { appointment: id }
        | Work::Cancellation { appointment: id }
        | Work::ProviderCancellation { appointment: id }) = work
        else {
            return match work {
                Work::MagicLink { link } => self.magic_mail(*link, message_id).await,
                _ => Ok(None),
            };
        };
        let Some(appointment) = self.store.appointment_by_id(*id).await? else { return Ok(None) };
        let facts = self.facts(appointment).await?;
        let state = facts.appointment.state;
        let cancelled = state == AppointmentState::Cancelled;
        Ok(match work {
            Work::Confirmation { .. } if !state.is_final() => {
                Some(self.confirmation_mail(&facts, message_id))
            }
            Work::ProviderNotice { .. } if !state.is_final() => Some(self.notice_mail(&facts, message_id)),
            Work::Cancellation { .. } if cancelled => Some(self.cancellation_mail(&facts, message_id)),
            Work::ProviderCancellation { .. } if cancelled => {
                Some(self.provider_cancellation_mail(&facts, message_id))
            }
            _ => None,
        })
    }

    async fn magic_mail(&self, id: MagicLinkId, message_id: &str) -> Result<Option<Mail>, AppError> {
        let Some(link) = self.store.magic_link_by_id(id).await? else { return Ok(None) };
        if link.used_at.is_some() || self.now() >= link.expires_at {
            return Ok(None);
        }
        let Some(member) = self.store.member_by_id(link.member_id).await? else { return Ok(None) };
        let organisation = self.store.organisation_by_id(member.organisation_id).await?;
        let organisation = organisation.ok_or_else(|| AppError::internal("a member without organisation"))?;
        let url = self.page(&format!("/sign-in/{}", self.links.magic(link.id)));
        Ok(Some(match link.purpose {
            LinkPurpose::SignIn => self.sign_in_mail(&member, &organisation, &url, message_id),
            LinkPurpose::SetUp => self.set_up_mail(&member, &organisation, &url, message_id),
        }))
    }
}

fn room_outcome(result: Result<(), crate::ports::RoomsError>) -> Outcome {
    match result {
        Ok(()) => Outcome::Done,
        Err(error) => Outcome::Again(error.to_string()),
    }
}
