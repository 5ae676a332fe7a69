//! The appointment and its states.
//!
//! ```text
//! scheduled ⇄ waiting → in_progress → completed
//! scheduled, waiting → in_progress | cancelled | no_show
//! ```
//! `completed`, `cancelled` and `no_show` are final. Each transition is a method that says
//! why it refuses; doing again what is already done is no error and changes nothing.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::service::grid_up;
use crate::{
    AppointmentId, AppointmentNumber, Email, FieldError, JoinCode, MemberId, Minutes, OrganisationId,
    ServiceId, Span, Zone,
};

/// Where an appointment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AppointmentState {
    /// Booked.
    Scheduled,
    /// The client is in the waiting room.
    Waiting,
    /// Provider and client have met.
    InProgress,
    /// The meeting is over.
    Completed,
    /// Called off before it began.
    Cancelled,
    /// One side did not come.
    NoShow,
}

impl AppointmentState {
    /// Every state.
    pub const ALL: [Self; 6] =
        [Self::Scheduled, Self::Waiting, Self::InProgress, Self::Completed, Self::Cancelled, Self::NoShow];

    /// The word in API and database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Waiting => "waiting",
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
            Self::NoShow => "no_show",
        }
    }

    /// Whether nothing follows.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Cancelled | Self::NoShow)
    }

    /// Whether the appointment takes the provider's time (see [`Appointment::reserved`]).
    #[must_use]
    pub const fn takes_time(self) -> bool {
        !matches!(self, Self::Cancelled | Self::NoShow)
    }
}

impl fmt::Display for AppointmentState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for AppointmentState {
    type Err = FieldError;

    fn from_str(text: &str) -> Result<Self, FieldError> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or_else(|| {
            FieldError::new(
                "state",
                "state_unknown",
                "The state is scheduled, waiting, in_progress, completed, cancelled or no_show.",
            )
        })
    }
}

/// A side of an appointment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Party {
    /// Who booked.
    Client,
    /// Who is booked.
    Provider,
    /// The practice: an admin or manager.
    Organisation,
}

impl Party {
    /// Every side.
    pub const ALL: [Self; 3] = [Self::Client, Self::Provider, Self::Organisation];

    /// The word in API and database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Provider => "provider",
            Self::Organisation => "organisation",
        }
    }
}

impl FromStr for Party {
    type Err = FieldError;

    fn from_str(text: &str) -> Result<Self, FieldError> {
        Self::ALL.into_iter().find(|party| party.as_str() == text).ok_or_else(|| {
            FieldError::new("by", "party_unknown", "The party is client, provider or organisation.")
        })
    }
}

/// Who booked, as they gave it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientDetails {
    /// Name.
    pub name: String,
    /// Where mails go.
    pub email: Email,
    /// Telephone number, if given.
    pub phone: Option<String>,
    /// Zone in which times are told to them.
    pub zone: Zone,
}

/// That it was called off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cancellation {
    /// When.
    pub at: Timestamp,
    /// By which side.
    pub by: Party,
    /// Why; may be empty.
    pub reason: String,
}

/// When the client's link works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct JoinWindow {
    /// First instant.
    pub opens_at: Timestamp,
    /// First instant after it.
    pub closes_at: Timestamp,
}

/// Where `now` lies in a [`JoinWindow`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WindowPhase {
    /// Before it opens.
    TooEarly,
    /// Inside.
    Open,
    /// After it closed.
    Closed,
}

impl JoinWindow {
    /// Where `now` lies.
    #[must_use]
    pub fn phase(self, now: Timestamp) -> WindowPhase {
        if now < self.opens_at {
            WindowPhase::TooEarly
        } else if now < self.closes_at {
            WindowPhase::Open
        } else {
            WindowPhase::Closed
        }
    }
}

/// A booking.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Appointment {
    /// Identity.
    pub id: AppointmentId,
    /// Whose.
    pub organisation_id: OrganisationId,
    /// To read out.
    pub number: AppointmentNumber,
    /// Where it stands.
    pub state: AppointmentState,
    /// What was booked.
    pub service_id: ServiceId,
    /// With whom.
    pub provider_id: MemberId,
    /// By whom.
    pub client: ClientDetails,
    /// Planned start.
    pub start: Timestamp,
    /// Planned end.
    pub end: Timestamp,
    /// The provider's time that it takes: with the buffers of the service when it was booked.
    pub reserved: Span,
    /// How long before the start the client may enter.
    pub join_before: Minutes,
    /// How long after the planned end the client's link works.
    pub join_after: Minutes,
    /// What the client wrote, or empty.
    pub note: String,
    /// Language of mails to the client (BCP 47).
    pub locale: String,
    /// Names the client's join link for reading out.
    pub client_code: JoinCode,
    /// Names the provider's join link for reading out.
    pub provider_code: JoinCode,
    /// When it was booked.
    pub created_at: Timestamp,
    /// When both had first met.
    pub actual_start: Option<Timestamp>,
    /// When it was over.
    pub actual_end: Option<Timestamp>,
    /// That it was called off.
    pub cancelled: Option<Cancellation>,
    /// Which side did not come.
    pub absent: Option<Party>,
    /// Counts changes; the store refuses to write over a newer one. Also the calendar SEQUENCE's source.
    pub version: i64,
}

/// Why a transition is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// It was called off.
    Cancelled,
    /// It is over.
    Ended,
    /// It was closed because a side did not come.
    NoShow,
    /// It has begun.
    InProgress,
    /// It has not begun.
    NotStarted,
    /// The client's window is not open yet.
    TooEarly,
    /// The client's window has closed.
    TooLate,
}

impl Refusal {
    /// Stable code for the API.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Cancelled => "appointment_cancelled",
            Self::Ended => "appointment_ended",
            Self::NoShow => "appointment_no_show",
            Self::InProgress => "appointment_in_progress",
            Self::NotStarted => "appointment_not_started",
            Self::TooEarly => "too_early",
            Self::TooLate => "too_late",
        }
    }

    /// For people.
    #[must_use]
    pub const fn detail(self) -> &'static str {
        match self {
            Self::Cancelled => "This appointment was cancelled.",
            Self::Ended => "This appointment is over.",
            Self::NoShow => "This appointment was closed because one side did not come.",
            Self::InProgress => "This appointment has begun; end it instead.",
            Self::NotStarted => "This appointment has not begun.",
            Self::TooEarly => "It is too early for this; try again nearer to the start.",
            Self::TooLate => "It is too late for this: the time of the appointment has passed.",
        }
    }
}

/// A refused transition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("cannot {action} a {from} appointment: {}", refusal.detail())]
pub struct TransitionError {
    /// What was tried.
    pub action: &'static str,
    /// In which state.
    pub from: AppointmentState,
    /// Why not.
    pub refusal: Refusal,
}

impl Appointment {
    /// Planned time.
    #[must_use]
    pub const fn span(&self) -> Span {
        Span::new(self.start, self.end)
    }

    /// When the client's link works; a meeting that is over closes it at once.
    #[must_use]
    pub fn join_window(&self) -> JoinWindow {
        let opens_at = self.start.saturating_sub(self.join_before.duration()).unwrap_or(Timestamp::MIN);
        let planned = self.planned_close();
        let closes_at = self.actual_end.map_or(planned, |end| end.min(planned));
        JoinWindow { opens_at, closes_at }
    }

    /// Where `now` lies in the join window. A meeting that runs over keeps its door open, so
    /// that a client whose connection broke can come back.
    #[must_use]
    pub fn window_phase(&self, now: Timestamp) -> WindowPhase {
        if self.state == AppointmentState::InProgress {
            return WindowPhase::Open;
        }
        self.join_window().phase(now)
    }

    /// When the join window closes as planned, however the meeting goes: the expiry of links.
    #[must_use]
    pub fn planned_close(&self) -> Timestamp {
        self.end.saturating_add(self.join_after.duration()).unwrap_or(Timestamp::MAX)
    }

    /// Whether [`Appointment::cancel`] would be accepted.
    #[must_use]
    pub fn can_cancel(&self) -> bool {
        matches!(self.state, AppointmentState::Scheduled | AppointmentState::Waiting)
    }

    /// The client has entered the waiting room.
    ///
    /// # Errors
    /// Outside the window, or when it is over. During the meeting (a second device, a
    /// reconnect) nothing changes.
    pub fn client_waits(&mut self, now: Timestamp) -> Result<(), TransitionError> {
        self.refuse_final("enter")?;
        match self.window_phase(now) {
            WindowPhase::TooEarly => return Err(self.refused("enter", Refusal::TooEarly)),
            WindowPhase::Closed => return Err(self.refused("enter", Refusal::TooLate)),
            WindowPhase::Open => {}
        }
        if self.state == AppointmentState::Scheduled {
            self.state = AppointmentState::Waiting;
        }
        Ok(())
    }

    /// Nobody is left in the waiting room, and the meeting has not begun.
    pub fn client_gone(&mut self) {
        if self.state == AppointmentState::Waiting {
            self.state = AppointmentState::Scheduled;
        }
    }

    /// A provider and a client are connected to the room.
    ///
    /// # Errors
    /// When it is over.
    pub fn both_met(&mut self, now: Timestamp) -> Result<(), TransitionError> {
        self.refuse_final("start")?;
        if self.state != AppointmentState::InProgress {
            self.state = AppointmentState::InProgress;
            self.actual_start = Some(now);
        }
        Ok(())
    }

    /// The meeting is over, since `ended_at`. The provider's time behind it is free again, but
    /// for the buffer.
    ///
    /// # Errors
    /// [`Refusal::NotStarted`] when the two never met (see [`Appointment::no_show`]), or when
    /// it was cancelled.
    pub fn complete(&mut self, ended_at: Timestamp) -> Result<(), TransitionError> {
        match self.state {
            AppointmentState::Completed => return Ok(()),
            AppointmentState::Scheduled | AppointmentState::Waiting => {
                return Err(self.refused("end", Refusal::NotStarted));
            }
            _ => self.refuse_final("end")?,
        }
        let ended_at = ended_at.max(self.actual_start.unwrap_or(ended_at));
        self.state = AppointmentState::Completed;
        self.actual_end = Some(ended_at);
        // The provider's time after it is still kept free; what lies behind that can be booked again.
        let wrap_up = self.end.duration_until(self.reserved.end);
        let needed = grid_up(ended_at.saturating_add(wrap_up).unwrap_or(Timestamp::MAX));
        self.reserved.end = self.reserved.end.min(needed).max(self.reserved.start);
        Ok(())
    }

    /// One side calls it off.
    ///
    /// # Errors
    /// When it has begun or is over.
    pub fn cancel(&mut self, by: Party, reason: String, now: Timestamp) -> Result<(), TransitionError> {
        if self.state == AppointmentState::Cancelled {
            return Ok(());
        }
        self.refuse_final("cancel")?;
        if self.state == AppointmentState::InProgress {
            return Err(self.refused("cancel", Refusal::InProgress));
        }
        self.state = AppointmentState::Cancelled;
        self.cancelled = Some(Cancellation { at: now, by, reason });
        Ok(())
    }

    /// One side did not come.
    ///
    /// # Errors
    /// Before the planned start, when the two have met, or when it is over.
    pub fn no_show(&mut self, absent: Party, now: Timestamp) -> Result<(), TransitionError> {
        if self.state == AppointmentState::NoShow {
            return Ok(());
        }
        self.refuse_final("close")?;
        if self.state == AppointmentState::InProgress {
            return Err(self.refused("close", Refusal::InProgress));
        }
        if now < self.start {
            return Err(self.refused("close", Refusal::TooEarly));
        }
        self.state = AppointmentState::NoShow;
        self.absent = Some(absent);
        self.actual_end = Some(now);
        Ok(())
    }

    fn refuse_final(&self, action: &'static str) -> Result<(), TransitionError> {
        match self.state {
            AppointmentState::Cancelled => Err(self.refused(action, Refusal::Cancelled)),
            AppointmentState::Completed => Err(self.refused(action, Refusal::Ended)),
            AppointmentState::NoShow => Err(self.refused(action, Refusal::NoShow)),
            _ => Ok(()),
        }
    }

    const fn refused(&self, action: &'static str, refusal: Refusal) -> TransitionError {
        TransitionError { action, from: self.state, refusal }
    }
}
