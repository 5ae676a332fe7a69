//! Joining by link: the page before, the waiting room, the media token.

use jiff::{SignedDuration, Timestamp};
use parley_control_domain::{
    Appointment, AppointmentState, Consultation, ConsultationId, Device, EndReason, JoinCode, MeetingRole,
    Member, Organisation, OrganisationId, Participant, ParticipantId, ParticipantState, limits,
    required_text,
};

use crate::app::{App, Caller, Effects};
use crate::booking::{AppointmentFacts, identity_of};
use crate::error::AppError;
use crate::links::{JoinClaims, LinkError};
use crate::ports::MediaGrant;
use crate::records::{Actor, AppointmentQuery, Meeting};

/// A media token opens its room for this long; a connection made with it lives on.
pub const MEDIA_TOKEN_LIFE: SignedDuration = SignedDuration::from_mins(10);
/// Texts this short are codes, longer ones tokens.
const MAX_CODE_TEXT: usize = 16;
/// Appointments looked at for the place in the queue.
const MAX_QUEUE: u32 = 100;

/// Where someone stands on the way in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The window has not opened.
    TooEarly,
    /// May enter.
    Open,
    /// In the waiting room.
    Waiting,
    /// May have a media token.
    Admitted,
    /// Was turned away.
    Declined,
    /// It is over.
    Ended,
    /// It was called off.
    Cancelled,
}

/// What someone with a join link is shown. Before admission a client learns nothing of others here but the
/// provider he booked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinView {
    pub phase: Phase,
    pub now: Timestamp,
    pub role: MeetingRole,
    pub identity: String,
    pub display_name: String,
    pub appointment: Appointment,
    pub service_name: String,
    pub provider: Member,
    pub organisation: Organisation,
    /// To the provider's side only.
    pub client_name: Option<String>,
    pub opens_at: Timestamp,
    pub closes_at: Timestamp,
    pub waiting_since: Option<Timestamp>,
    /// From 1, among all who wait for this provider.
    pub queue_position: Option<u32>,
    pub ended_at: Option<Timestamp>,
    pub end_reason: Option<EndReason>,
}

/// What opens the room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaToken {
    pub url: String,
    pub token: String,
    pub room: String,
    pub identity: String,
}

impl App {
    /// What a join link (or its code) shows now.
    ///
    /// # Errors
    /// `link_invalid`, `link_expired`, `too_many_attempts`.
    pub async fn join_view(&self, token: &str, caller: &Caller) -> Result<JoinView, AppError> {
        let claims = self.join_claims(token, caller).await?;
        let meeting = self.meeting_of(&claims).await?;
        self.log_provider_view(&claims, meeting.appointment.organisation_id).await?;
        self.join_view_on(&claims, meeting).await
    }

    /// A provider's link shows the client's name: that it was read goes into the log.
    pub(crate) async fn log_provider_view(
        &self,
        claims: &JoinClaims,
        organisation: OrganisationId,
    ) -> Result<(), AppError> {
        if claims.role != MeetingRole::Provider {
            return Ok(());
        }
        let subject = ("appointment", Some(claims.appointment.as_uuid()));
        let mut line = self.audit(actor_of(claims), Some(organisation), "appointment.read", subject);
        line.details = serde_json::json!({ "identity": claims.identity }).to_string();
        Ok(self.store.audit_add(&line).await?)
    }

    /// Enters: a client the waiting room, a provider the room. Before the window opens, and when all is over,
    /// nothing changes.
    ///
    /// # Errors
    /// Those of [`App::join_view`], `validation_failed`.
    pub async fn join_enter(
        &self,
        token: &str,
        display_name: &str,
        device: Option<Device>,
        caller: &Caller,
    ) -> Result<JoinView, AppError> {
        let claims = self.join_claims(token, caller).await?;
        let name = required_text("display_name", display_name, limits::NAME)?;
        let name: String = name.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let device = device.map(checked_device).transpose()?;
        let fresh = (ParticipantId::from_uuid(self.uuid()), ConsultationId::from_uuid(self.uuid()));
        let decide = |meeting: &mut Meeting, now: Timestamp, effects: &mut Effects| {
            if !matches!(phase_of(meeting, &claims, now), Phase::Ended | Phase::Cancelled | Phase::TooEarly) {
                enter(meeting, &claims, (&name, device.clone()), fresh, now)?;
                let mut line = self.audit(
                    actor_of(&claims),
                    Some(meeting.appointment.organisation_id),
                    "consultation.enter",
                    ("appointment", Some(meeting.appointment.id.as_uuid())),
                );
                line.details = serde_json::json!({ "identity": claims.identity }).to_string();
                effects.audit.push(line);
            }
            Ok(())
        };
        let (meeting, ()) = self.change(claims.appointment, decide).await?;
        self.presence.touch(&claims.identity, crate::app::changed_of(&meeting));
        self.join_view_on(&claims, meeting).await
    }

    /// A token for the room, to someone who was admitted and to nobody else.
    ///
    /// # Errors
    /// Those of [`App::join_view`], `not_admitted`, `room_full`.
    pub async fn media_token(&self, token: &str, caller: &Caller) -> Result<MediaToken, AppError> {
        let claims = self.join_claims(token, caller).await?;
        let meeting = self.meeting_of(&claims).await?;
        let now = self.now();
        let participant = participant_of(&meeting, &claims.identity);
        let (Some(participant), Phase::Admitted) = (participant, phase_of(&meeting, &claims, now)) else {
            return Err(AppError::conflict("not_admitted", "Please wait until you are let in."));
        };
        let consultation = open_consultation(&meeting)
            .ok_or_else(|| AppError::internal("an admitted participant without consultation"))?;
        let others: std::collections::HashSet<&str> = meeting
            .stays
            .iter()
            .filter(|stay| stay.consultation_id == consultation.id && stay.left_at.is_none())
            .map(|stay| stay.identity.as_str())
            .filter(|identity| *identity != claims.identity)
            .collect();
        if others.len() >= self.config.room_limit {
            return Err(AppError::conflict(
                "room_full",
                "This room is full. Please ask the host to make room.",
            ));
        }
        let grant = MediaGrant {
            room: consultation.room.clone(),
            identity: claims.identity.clone(),
            name: participant.name.clone(),
            host: claims.role == MeetingRole::Provider,
            expires_at: now + MEDIA_TOKEN_LIFE,
        };
        let token = self.rooms.mint_media_token(&grant)?;
        let mut line = self.audit(
            actor_of(&claims),
            Some(meeting.appointment.organisation_id),
            "consultation.media_token",
            ("appointment", Some(meeting.appointment.id.as_uuid())),
        );
        line.details = serde_json::json!({ "identity": claims.identity }).to_string();
        self.store.audit_add(&line).await?;
        Ok(MediaToken {
            url: self.config.media_url.clone(),
            token,
            room: consultation.room.clone(),
            identity: claims.identity,
        })
    }

    /// Leaves the waiting room or the call. Whoever comes again waits again.
    ///
    /// # Errors
    /// Those of [`App::join_view`].
    pub async fn join_leave(&self, token: &str, caller: &Caller) -> Result<(), AppError> {
        let claims = self.join_claims(token, caller).await?;
        let decide = |meeting: &mut Meeting, _now: Timestamp, _effects: &mut Effects| {
            if let Some(participant) = participant_of_mut(meeting, &claims.identity) {
                participant.leave();
            }
            empty_waiting_room(meeting);
            Ok(())
        };
        self.change(claims.appointment, decide).await?;
        Ok(())
    }

    /// The claims of a link, or of the link that a code names.
    pub(crate) async fn join_claims(&self, text: &str, caller: &Caller) -> Result<JoinClaims, AppError> {
        let now = self.now();
        if text.len() > MAX_CODE_TEXT {
            return self.links.read_join(text, now).map_err(|error| match error {
                LinkError::Invalid => AppError::link_invalid(),
                LinkError::Expired => AppError::link_expired(),
            });
        }
        // Counted before it is looked up, so that guesses sent together are all counted.
        self.guess_throttle.count(&caller.address, now).map_err(AppError::too_many)?;
        let named = match text.parse::<JoinCode>() {
            Ok(code) => self.store.appointment_by_code(code.key()).await?,
            Err(_) => None,
        };
        // A provider's side comes in by a signed link, never by a code.
        let named = named.filter(|(_, role)| *role != MeetingRole::Provider);
        let Some((id, role)) = named else { return Err(AppError::link_invalid()) };
        self.guess_throttle.uncount(&caller.address);
        let appointment = self.store.appointment_by_id(id).await?.ok_or_else(AppError::link_invalid)?;
        let expires_at = appointment.planned_close();
        if now >= expires_at {
            return Err(AppError::link_expired());
        }
        Ok(JoinClaims { appointment: id, identity: identity_of(id, role), role, expires_at })
    }

    pub(crate) async fn meeting_of(&self, claims: &JoinClaims) -> Result<Meeting, AppError> {
        let meeting = self.store.meeting_by_id(claims.appointment, None).await?;
        meeting.ok_or_else(AppError::link_invalid)
    }

    pub(crate) async fn join_view_of(&self, claims: &JoinClaims) -> Result<JoinView, AppError> {
        let meeting = self.meeting_of(claims).await?;
        self.join_view_on(claims, meeting).await
    }

    async fn join_view_on(&self, claims: &JoinClaims, meeting: Meeting) -> Result<JoinView, AppError> {
        let now = self.now();
        let phase = phase_of(&meeting, claims, now);
        let participant = participant_of(&meeting, &claims.identity);
        let waiting_since =
            participant.filter(|_| phase == Phase::Waiting).map(|participant| participant.waiting_since);
        let queue_position = match waiting_since {
            Some(since) => Some(self.queue_position(&meeting, &claims.identity, since).await?),
            None => None,
        };
        let given_name = participant.map(|participant| participant.name.clone());
        let consultation = meeting.consultations.last();
        let ended = matches!(phase, Phase::Ended | Phase::Cancelled);
        let end_reason = consultation.and_then(|consultation| consultation.end_reason);
        let ended_at = meeting
            .appointment
            .actual_end
            .or(meeting.appointment.cancelled.as_ref().map(|cancelled| cancelled.at))
            .or(ended.then(|| meeting.appointment.planned_close()));
        let AppointmentFacts { appointment, service, provider, organisation } =
            self.facts(meeting.appointment.clone()).await?;
        let own_name = match claims.role {
            MeetingRole::Client => appointment.client.name.clone(),
            _ if claims.identity == identity_of(appointment.id, MeetingRole::Provider) => {
                provider.name.clone()
            }
            _ => String::new(),
        };
        Ok(JoinView {
            phase,
            now,
            role: claims.role,
            identity: claims.identity.clone(),
            display_name: given_name.unwrap_or(own_name),
            service_name: service.name,
            client_name: (claims.role == MeetingRole::Provider).then(|| appointment.client.name.clone()),
            opens_at: appointment.join_window().opens_at,
            closes_at: appointment.planned_close(),
            waiting_since,
            queue_position,
            ended_at: ended_at.filter(|_| ended),
            end_reason: match appointment.state {
                AppointmentState::NoShow => Some(EndReason::NoShow),
                AppointmentState::Cancelled => Some(EndReason::Cancelled),
                _ => end_reason.filter(|_| ended),
            },
            appointment,
            provider,
            organisation,
        })
    }

    /// The place among all who wait for this provider and have their page open.
    async fn queue_position(
        &self,
        meeting: &Meeting,
        identity: &str,
        since: Timestamp,
    ) -> Result<u32, AppError> {
        let now = self.now();
        let query = AppointmentQuery {
            organisation_id: meeting.appointment.organisation_id,
            provider_id: Some(meeting.appointment.provider_id),
            states: vec![AppointmentState::Waiting, AppointmentState::InProgress],
            from: Some(now - SignedDuration::from_hours(24)),
            to: Some(now + SignedDuration::from_hours(24)),
            after: None,
            limit: MAX_QUEUE,
        };
        let page = self.store.meetings_page(&query, None).await?;
        let before = page
            .items
            .iter()
            .flat_map(|meeting| &meeting.participants)
            .filter(|other| other.state == ParticipantState::Waiting)
            .filter(|other| other.role != MeetingRole::Provider && other.identity != identity)
            .filter(|other| (other.waiting_since, other.identity.as_str()) < (since, identity))
            .filter(|other| !self.presence.is_gone(&other.identity, now))
            .count();
        Ok(u32::try_from(before).unwrap_or(u32::MAX).saturating_add(1))
    }
}

/// Where the holder of a link stands.
pub(crate) fn phase_of(meeting: &Meeting, claims: &JoinClaims, now: Timestamp) -> Phase {
    let appointment = &meeting.appointment;
    match appointment.state {
        AppointmentState::Cancelled => return Phase::Cancelled,
        AppointmentState::Completed | AppointmentState::NoShow => return Phase::Ended,
        AppointmentState::Scheduled | AppointmentState::Waiting | AppointmentState::InProgress => {}
    }
    if now >= appointment.planned_close() {
        return Phase::Ended;
    }
    match participant_of(meeting, &claims.identity).map(|participant| participant.state) {
        Some(ParticipantState::Admitted) => return Phase::Admitted,
        Some(ParticipantState::Waiting) => return Phase::Waiting,
        Some(ParticipantState::Declined | ParticipantState::Removed) => return Phase::Declined,
        Some(ParticipantState::Left) | None => {}
    }
    if claims.role == MeetingRole::Provider || now >= appointment.join_window().opens_at {
        Phase::Open
    } else {
        Phase::TooEarly
    }
}

/// The row of an identity in the newest consultation.
pub(crate) fn participant_of<'a>(meeting: &'a Meeting, identity: &str) -> Option<&'a Participant> {
    let consultation = meeting.consultations.last()?.id;
    meeting.participants.iter().find(|p| p.consultation_id == consultation && p.identity == identity)
}

pub(crate) fn participant_of_mut<'a>(
    meeting: &'a mut Meeting,
    identity: &str,
) -> Option<&'a mut Participant> {
    let consultation = meeting.consultations.last()?.id;
    meeting.participants.iter_mut().find(|p| p.consultation_id == consultation && p.identity == identity)
}

pub(crate) fn open_consultation(meeting: &Meeting) -> Option<&Consultation> {
    meeting.consultations.last().filter(|consultation| consultation.ended_at.is_none())
}

/// Takes the appointment out of `waiting` when nobody of the client's side waits or is in.
pub(crate) fn empty_waiting_room(meeting: &mut Meeting) {
    let someone = meeting.participants.iter().any(|participant| {
        participant.role != MeetingRole::Provider
            && matches!(participant.state, ParticipantState::Waiting | ParticipantState::Admitted)
    });
    if !someone {
        meeting.appointment.client_gone();
    }
}

fn enter(
    meeting: &mut Meeting,
    claims: &JoinClaims,
    (name, device): (&str, Option<Device>),
    (participant_id, consultation_id): (ParticipantId, ConsultationId),
    now: Timestamp,
) -> Result<(), AppError> {
    if claims.role != MeetingRole::Provider {
        meeting.appointment.client_waits(now)?;
    }
    let consultation = match open_consultation(meeting) {
        Some(consultation) => consultation.id,
        None => {
            meeting.consultations.push(Consultation {
                id: consultation_id,
                appointment_id: meeting.appointment.id,
                room: format!("c-{}", consultation_id.as_uuid().simple()),
                created_at: now,
                started_at: None,
                ended_at: None,
                end_reason: None,
            });
            consultation_id
        }
    };
    if participant_of(meeting, &claims.identity).is_none() {
        meeting.participants.push(Participant {
            id: participant_id,
            consultation_id: consultation,
            identity: claims.identity.clone(),
            name: name.to_owned(),
            role: claims.role,
            state: ParticipantState::Waiting,
            waiting_since: now,
            admitted_at: None,
            device: None,
        });
    }
    let participant = participant_of_mut(meeting, &claims.identity)
        .ok_or_else(|| AppError::internal("the participant just added is missing"))?;
    participant.enter(now)?;
    name.clone_into(&mut participant.name);
    if device.is_some() {
        participant.device = device;
    }
    if claims.role == MeetingRole::Provider {
        participant.admit(now)?;
    }
    Ok(())
}

fn checked_device(device: Device) -> Result<Device, AppError> {
    let text = |field: &str, value: Option<String>| -> Result<Option<String>, AppError> {
        let value = value.unwrap_or_default();
        let value = parley_control_domain::optional_text(field, &value, limits::DEVICE)?;
        Ok(Some(value).filter(|value| !value.is_empty()))
    };
    Ok(Device {
        browser: text("device.browser", device.browser)?,
        os: text("device.os", device.os)?,
        kind: text("device.kind", device.kind)?,
    })
}

/// Who acts by a join link. A host's link is made for a signed-in member, whose start is in the log.
fn actor_of(claims: &JoinClaims) -> Actor {
    match claims.role {
        MeetingRole::Provider => Actor::System,
        MeetingRole::Client | MeetingRole::Guest => Actor::Client,
    }
}
