//! A person at the door of, or in, a consultation.
//!
//! ```text
//! waiting → admitted | declined | left        admitted → waiting (sent back) | left | removed
//! declined, left → waiting (comes again)      removed is final
//! ```

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{ConsultationId, Device, FieldError, ParticipantId};

/// What a person is in a meeting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MeetingRole {
    /// Who was booked: hosts.
    Provider,
    /// Who booked.
    Client,
    /// Invited by link: an interpreter, a relative.
    Guest,
}

impl MeetingRole {
    /// Every role.
    pub const ALL: [Self; 3] = [Self::Provider, Self::Client, Self::Guest];

    /// The word in API and database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::Client => "client",
            Self::Guest => "guest",
        }
    }
}

impl fmt::Display for MeetingRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for MeetingRole {
    type Err = FieldError;

    fn from_str(text: &str) -> Result<Self, FieldError> {
        Self::ALL
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or_else(|| FieldError::new("role", "role_unknown", "The role is provider, client or guest."))
    }
}

/// Where a person stands at the door.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ParticipantState {
    /// In the waiting room.
    Waiting,
    /// May have a media token.
    Admitted,
    /// Turned away; may ask again.
    Declined,
    /// Went away.
    Left,
    /// Put out for good.
    Removed,
}

impl ParticipantState {
    /// Every state.
    pub const ALL: [Self; 5] = [Self::Waiting, Self::Admitted, Self::Declined, Self::Left, Self::Removed];

    /// The word in API and database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Admitted => "admitted",
            Self::Declined => "declined",
            Self::Left => "left",
            Self::Removed => "removed",
        }
    }
}

impl fmt::Display for ParticipantState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ParticipantState {
    type Err = FieldError;

    fn from_str(text: &str) -> Result<Self, FieldError> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or_else(|| {
            FieldError::new(
                "state",
                "state_unknown",
                "The state is waiting, admitted, declined, left or removed.",
            )
        })
    }
}

/// A person at the door. One row per consultation and identity, however often they come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Participant {
    /// Identity of the row.
    pub id: ParticipantId,
    /// Which meeting.
    pub consultation_id: ConsultationId,
    /// Identity in the room; unique in the meeting.
    pub identity: String,
    /// Name as they gave it.
    pub name: String,
    /// What they are there.
    pub role: MeetingRole,
    /// Where they stand.
    pub state: ParticipantState,
    /// Since when they wait, or have last waited: their place in the queue.
    pub waiting_since: Timestamp,
    /// When they were last admitted.
    pub admitted_at: Option<Timestamp>,
    /// What they use.
    pub device: Option<Device>,
}

/// Why a step at the door is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("cannot {action}: the person is {from}")]
pub struct ParticipantError {
    /// What was tried.
    pub action: &'static str,
    /// Where the person stands.
    pub from: ParticipantState,
}

impl ParticipantError {
    /// Stable code for the API.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self.from {
            ParticipantState::Removed => "participant_removed",
            ParticipantState::Admitted => "participant_admitted",
            ParticipantState::Waiting => "participant_waiting",
            ParticipantState::Declined => "participant_declined",
            ParticipantState::Left => "participant_left",
        }
    }

    /// For people.
    #[must_use]
    pub const fn detail(self) -> &'static str {
        match self.from {
            ParticipantState::Removed => "This person was removed from the consultation.",
            ParticipantState::Admitted => "This person has been admitted already.",
            ParticipantState::Waiting => "This person is still in the waiting room.",
            ParticipantState::Declined => "This person was turned away and has not asked again.",
            ParticipantState::Left => "This person has gone.",
        }
    }
}

impl Participant {
    /// Comes to the door. Someone who is admitted stays so (a page that was loaded again);
    /// someone who waits keeps their place.
    ///
    /// # Errors
    /// When they were removed.
    pub fn enter(&mut self, now: Timestamp) -> Result<(), ParticipantError> {
        match self.state {
            ParticipantState::Waiting | ParticipantState::Admitted => Ok(()),
            ParticipantState::Declined | ParticipantState::Left => {
                self.state = ParticipantState::Waiting;
                self.waiting_since = now;
                Ok(())
            }
            ParticipantState::Removed => Err(self.refused("enter")),
        }
    }

    /// Is let in.
    ///
    /// # Errors
    /// Unless they wait or are in already.
    pub fn admit(&mut self, now: Timestamp) -> Result<(), ParticipantError> {
        match self.state {
            ParticipantState::Admitted => Ok(()),
            ParticipantState::Waiting => {
                self.state = ParticipantState::Admitted;
                self.admitted_at = Some(now);
                Ok(())
            }
            _ => Err(self.refused("admit")),
        }
    }

    /// Is turned away.
    ///
    /// # Errors
    /// Unless they wait or were turned away already.
    pub fn decline(&mut self) -> Result<(), ParticipantError> {
        match self.state {
            ParticipantState::Declined => Ok(()),
            ParticipantState::Waiting => {
                self.state = ParticipantState::Declined;
                Ok(())
            }
            _ => Err(self.refused("decline")),
        }
    }

    /// Is sent back to the waiting room, at the end of the queue.
    ///
    /// # Errors
    /// Unless they are in, or wait already.
    pub fn send_back(&mut self, now: Timestamp) -> Result<(), ParticipantError> {
        match self.state {
            ParticipantState::Waiting => Ok(()),
            ParticipantState::Admitted => {
                self.state = ParticipantState::Waiting;
                self.waiting_since = now;
                Ok(())
            }
            _ => Err(self.refused("send back")),
        }
    }

    /// Goes away. Who was declined or removed stays so.
    pub fn leave(&mut self) {
        if matches!(self.state, ParticipantState::Waiting | ParticipantState::Admitted) {
            self.state = ParticipantState::Left;
        }
    }

    /// Is put out for good.
    pub fn remove(&mut self) {
        self.state = ParticipantState::Removed;
    }

    const fn refused(&self, action: &'static str) -> ParticipantError {
        ParticipantError { action, from: self.state }
    }
}
