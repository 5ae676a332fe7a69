//! One meeting of an appointment, who was there when, and when it is over.

use std::fmt;
use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{AppointmentId, ConsultationId, FieldError, MeetingRole, ParticipantId, Party, StayId};

/// How long a room stays open after everyone left before the planned end.
pub const RETURN_GRACE: SignedDuration = SignedDuration::from_secs(60);

/// Why a meeting ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// The provider (or the practice) ended it for all.
    EndedByProvider,
    /// The last one left after the planned end.
    LastLeft,
    /// All had left, and nobody came back within [`RETURN_GRACE`].
    Abandoned,
    /// The window closed while people were still there.
    TimeUp,
    /// The window closed and the two had not met.
    NoShow,
    /// The appointment was cancelled.
    Cancelled,
}

impl EndReason {
    /// Every reason.
    pub const ALL: [Self; 6] =
        [Self::EndedByProvider, Self::LastLeft, Self::Abandoned, Self::TimeUp, Self::NoShow, Self::Cancelled];

    /// The word in API and database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EndedByProvider => "ended_by_provider",
            Self::LastLeft => "last_left",
            Self::Abandoned => "abandoned",
            Self::TimeUp => "time_up",
            Self::NoShow => "no_show",
            Self::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for EndReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for EndReason {
    type Err = FieldError;

    fn from_str(text: &str) -> Result<Self, FieldError> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text).ok_or_else(|| {
            FieldError::new("end_reason", "end_reason_unknown", "This end reason is not known.")
        })
    }
}

/// What someone joins with, as their browser says.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Device {
    /// "Firefox 143".
    pub browser: Option<String>,
    /// "Android 15".
    pub os: Option<String>,
    /// "phone", "tablet", "desktop".
    pub kind: Option<String>,
}

/// One meeting of an appointment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consultation {
    /// Identity.
    pub id: ConsultationId,
    /// Of which appointment.
    pub appointment_id: AppointmentId,
    /// Name of its room; unique in the installation.
    pub room: String,
    /// When its door was opened.
    pub created_at: Timestamp,
    /// When both sides had first met.
    pub started_at: Option<Timestamp>,
    /// When it was over.
    pub ended_at: Option<Timestamp>,
    /// Why it was over.
    pub end_reason: Option<EndReason>,
}

/// One uninterrupted presence of someone in the room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stay {
    /// Identity.
    pub id: StayId,
    /// In which meeting.
    pub consultation_id: ConsultationId,
    /// Of whom, if they came through the door.
    pub participant_id: Option<ParticipantId>,
    /// Identity in the room.
    pub identity: String,
    /// Name shown in the room.
    pub name: String,
    /// What they are there.
    pub role: MeetingRole,
    /// When the media connection stood.
    pub joined_at: Timestamp,
    /// When it was gone.
    pub left_at: Option<Timestamp>,
    /// What they used.
    pub device: Option<Device>,
    /// How they were connected ("udp", "tcp", "relay").
    pub network: Option<String>,
}

/// Whether a meeting goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The two have not met yet.
    NotMet,
    /// Someone is there.
    GoesOn,
    /// Nobody is there; it ends at this instant unless someone comes back.
    EndsAt(Timestamp),
    /// It is over, since `at`.
    Over {
        /// When the last one left.
        at: Timestamp,
        /// Why it is over.
        reason: EndReason,
    },
}

/// What a meeting is judged by beside its stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Planned start.
    pub start: Timestamp,
    /// Planned end.
    pub end: Timestamp,
    /// The meeting is not over before this instant, whoever left: a server that starts again gives
    /// those whom it cut off [`RETURN_GRACE`] to come back.
    pub not_before: Timestamp,
}

/// Judges a meeting by its stays: over when the last one leaves after the planned end, or when
/// all have left and nobody returns for [`RETURN_GRACE`]. Who part before the planned start (a
/// sound check) may come back until the planned end. Before both sides have met it is never over
/// by itself.
#[must_use]
pub fn verdict(stays: &[Stay], bounds: Bounds, now: Timestamp) -> Verdict {
    if met_at(stays).is_none() {
        return Verdict::NotMet;
    }
    let mut last_left = Timestamp::MIN;
    for stay in stays {
        match stay.left_at {
            None => return Verdict::GoesOn,
            Some(left_at) => last_left = last_left.max(left_at),
        }
    }
    let (due, reason) = if last_left >= bounds.end {
        (Timestamp::MIN, EndReason::LastLeft)
    } else if last_left < bounds.start {
        (bounds.end, EndReason::Abandoned)
    } else {
        (last_left.saturating_add(RETURN_GRACE).unwrap_or(Timestamp::MAX), EndReason::Abandoned)
    };
    let ends_at = due.max(bounds.not_before);
    if now >= ends_at { Verdict::Over { at: last_left, reason } } else { Verdict::EndsAt(ends_at) }
}

/// When a provider and a client were first there together.
#[must_use]
pub fn met_at(stays: &[Stay]) -> Option<Timestamp> {
    let of = |role: MeetingRole| stays.iter().filter(move |stay| stay.role == role);
    of(MeetingRole::Provider)
        .flat_map(|provider| of(MeetingRole::Client).map(move |client| (provider, client)))
        .filter_map(|(a, b)| {
            let joined = a.joined_at.max(b.joined_at);
            let together = |stay: &Stay| stay.left_at.is_none_or(|left_at| joined <= left_at);
            (together(a) && together(b)).then_some(joined)
        })
        .min()
}

/// Which side is absent when the window closes and the two have not met: the client unless
/// they came; if they came, the provider.
#[must_use]
pub const fn no_show_of(client_came: bool) -> Party {
    if client_came { Party::Provider } else { Party::Client }
}
