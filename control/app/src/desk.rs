//! The desk: what members do with appointments and with those who wait.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use parley_control_domain::{
    Appointment, AppointmentId, AppointmentState, EndReason, MeetingRole, Member, MemberId, Participant,
    ParticipantId, ParticipantState, Permission, Scope, Service,
};

use crate::access::Principal;
use crate::app::{App, Effects};
use crate::booking::identity_of;
use crate::error::AppError;
use crate::joining::{empty_waiting_room, open_consultation};
use crate::links::JoinClaims;
use crate::records::{AppointmentQuery, Meeting};

/// Most entries of one page.
pub const MAX_PAGE: u32 = 200;
pub const DEFAULT_PAGE: u32 = 50;

/// Which appointments a member asks for.
#[derive(Debug, Clone, Default)]
pub struct ListWanted {
    /// Those that start at this instant or later.
    pub from: Option<Timestamp>,
    /// Those that start before this instant.
    pub to: Option<Timestamp>,
    /// Those in one of these states; empty: in any.
    pub states: Vec<AppointmentState>,
    pub provider_id: Option<MemberId>,
    pub cursor: Option<String>,
    pub limit: Option<u32>,
}

/// An appointment as the desk sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeskView {
    pub meeting: Meeting,
    pub service: Service,
    pub provider: Member,
    /// Identities of those who wait and whose page is not open any more.
    pub gone: Vec<String>,
}

#[derive(Debug, Clone)]
pub struct DeskPage {
    pub items: Vec<DeskView>,
    pub next_cursor: Option<String>,
}

impl App {
    /// # Errors
    /// `forbidden`, `validation_failed`.
    pub async fn appointments(
        &self,
        principal: &Principal,
        wanted: &ListWanted,
    ) -> Result<DeskPage, AppError> {
        let own = principal.reach(Permission::AppointmentRead)? == Scope::Own;
        let me = principal.member.id;
        if own && wanted.provider_id.is_some_and(|provider| provider != me) {
            return Err(AppError::forbidden());
        }
        let query = AppointmentQuery {
            organisation_id: principal.organisation_id(),
            provider_id: if own { Some(me) } else { wanted.provider_id },
            states: wanted.states.clone(),
            from: wanted.from,
            to: wanted.to,
            after: match &wanted.cursor {
                Some(cursor) => Some(read_cursor(cursor)?),
                None => wanted.from.and_then(just_before),
            },
            limit: wanted.limit.unwrap_or(DEFAULT_PAGE).clamp(1, MAX_PAGE),
        };
        let audit = self.audit(
            principal.actor(),
            Some(principal.organisation_id()),
            "appointment.list",
            ("appointment", None),
        );
        let page = self.store.meetings_page(&query, Some(&audit)).await?;
        let last = page.items.last().filter(|_| page.more);
        let next_cursor = last.map(|meeting| cursor_of(&meeting.appointment));
        let services = self.store.services_of(principal.organisation_id()).await?;
        let members = self.store.members_of(principal.organisation_id()).await?;
        let mut items = Vec::with_capacity(page.items.len());
        for meeting in page.items {
            let service = services.iter().find(|service| service.id == meeting.appointment.service_id);
            let provider = members.iter().find(|member| member.id == meeting.appointment.provider_id);
            items.push(match (service, provider) {
                (Some(service), Some(provider)) => self.desk_view(meeting, service.clone(), provider.clone()),
                _ => self.desk_view_of(meeting).await?,
            });
        }
        Ok(DeskPage { items, next_cursor })
    }

    /// # Errors
    /// `forbidden`, `not_found`.
    pub async fn appointment(&self, principal: &Principal, id: AppointmentId) -> Result<DeskView, AppError> {
        self.appointment_in_reach(principal, Permission::AppointmentRead, id).await?;
        let audit = self.audit(
            principal.actor(),
            Some(principal.organisation_id()),
            "appointment.read",
            ("appointment", Some(id.as_uuid())),
        );
        let meeting = self.store.meeting_by_id(id, Some(&audit)).await?;
        self.desk_view_of(meeting.ok_or_else(|| AppError::not_found("appointment"))?).await
    }

    /// The member's own link into the meeting.
    ///
    /// # Errors
    /// `forbidden`, `not_found`, or a conflict when it is over.
    pub async fn start(&self, principal: &Principal, id: AppointmentId) -> Result<String, AppError> {
        let appointment = self.appointment_in_reach(principal, Permission::ConsultationHost, id).await?;
        if appointment.state.is_final() || self.now() >= appointment.planned_close() {
            return Err(AppError::conflict("appointment_ended", "This appointment is over."));
        }
        let audit = self.audit(
            principal.actor(),
            Some(appointment.organisation_id),
            "consultation.start",
            ("appointment", Some(id.as_uuid())),
        );
        self.store.audit_add(&audit).await?;
        let identity = if principal.member.id == appointment.provider_id {
            identity_of(id, MeetingRole::Provider)
        } else {
            format!("host-{}", &principal.member.id.as_uuid().simple().to_string()[20..])
        };
        Ok(self.links.join(&JoinClaims {
            appointment: id,
            identity,
            role: MeetingRole::Provider,
            expires_at: appointment.planned_close(),
        }))
    }

    /// Lets one person in.
    ///
    /// # Errors
    /// `forbidden`, `not_found`, or a conflict when the person does not wait.
    pub async fn admit(
        &self,
        principal: &Principal,
        id: AppointmentId,
        who: ParticipantId,
    ) -> Result<DeskView, AppError> {
        self.at_the_door(principal, id, "participant.admit", |meeting, now, _| {
            person(meeting, who)?.admit(now)?;
            Ok(())
        })
        .await
    }

    /// Lets everyone in who waits.
    ///
    /// # Errors
    /// `forbidden`, `not_found`, or a conflict when it is over.
    pub async fn admit_all(&self, principal: &Principal, id: AppointmentId) -> Result<DeskView, AppError> {
        self.at_the_door(principal, id, "participant.admit_all", |meeting, now, _| {
            for participant in &mut meeting.participants {
                if participant.state == ParticipantState::Waiting {
                    participant.admit(now)?;
                }
            }
            Ok(())
        })
        .await
    }

    /// Turns one person away.
    ///
    /// # Errors
    /// `forbidden`, `not_found`, or a conflict when the person does not wait.
    pub async fn decline(
        &self,
        principal: &Principal,
        id: AppointmentId,
        who: ParticipantId,
    ) -> Result<DeskView, AppError> {
        self.at_the_door(principal, id, "participant.decline", |meeting, _, _| {
            person(meeting, who)?.decline()?;
            empty_waiting_room(meeting);
            Ok(())
        })
        .await
    }

    /// Sends someone who is in back to the waiting room.
    ///
    /// # Errors
    /// `forbidden`, `not_found`, or a conflict when the person is not in.
    pub async fn send_back(
        &self,
        principal: &Principal,
        id: AppointmentId,
        who: ParticipantId,
    ) -> Result<DeskView, AppError> {
        self.at_the_door(principal, id, "participant.send_back", |meeting, now, effects| {
            let participant = person(meeting, who)?;
            if participant.role == MeetingRole::Provider {
                return Err(AppError::conflict("participant_is_host", "A host cannot be sent back."));
            }
            participant.send_back(now)?;
            let identity = participant.identity.clone();
            if let Some(consultation) = open_consultation(meeting) {
                effects.remove.push((consultation.room.clone(), identity));
            }
            Ok(())
        })
        .await
    }

    /// Ends the meeting for everyone.
    ///
    /// # Errors
    /// `forbidden`, `not_found`, or a conflict when it has not begun.
    pub async fn end(&self, principal: &Principal, id: AppointmentId) -> Result<DeskView, AppError> {
        let appointment = self.appointment_in_reach(principal, Permission::ConsultationHost, id).await?;
        let audit = self.audit(
            principal.actor(),
            Some(appointment.organisation_id),
            "consultation.end",
            ("appointment", Some(id.as_uuid())),
        );
        let decide = |meeting: &mut Meeting, now: Timestamp, effects: &mut Effects| {
            if meeting.appointment.state == AppointmentState::Completed {
                return Ok(());
            }
            meeting.appointment.complete(now)?;
            close_consultation(meeting, now, EndReason::EndedByProvider, effects);
            effects.audit.push(audit.clone());
            Ok(())
        };
        let (meeting, ()) = self.change(id, decide).await?;
        self.desk_view_of(meeting).await
    }

    /// What a member may see of an appointment that changed; `None` when it is not his to see.
    ///
    /// # Errors
    /// Only of the store.
    pub async fn desk_view_for(
        &self,
        principal: &Principal,
        id: AppointmentId,
    ) -> Result<Option<DeskView>, AppError> {
        match self.appointment(principal, id).await {
            Ok(view) => Ok(Some(view)),
            Err(error)
                if matches!(
                    error.kind,
                    crate::error::ErrorKind::NotFound | crate::error::ErrorKind::Forbidden
                ) =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// A meeting as the desk sees it.
    ///
    /// # Errors
    /// Only of the store.
    pub async fn desk_view_of(&self, meeting: Meeting) -> Result<DeskView, AppError> {
        let facts = self.facts(meeting.appointment.clone()).await?;
        Ok(self.desk_view(meeting, facts.service, facts.provider))
    }

    fn desk_view(&self, meeting: Meeting, service: Service, provider: Member) -> DeskView {
        let now = self.now();
        let gone = meeting
            .participants
            .iter()
            .filter(|participant| participant.state == ParticipantState::Waiting)
            .filter(|participant| self.presence.is_gone(&participant.identity, now))
            .map(|participant| participant.identity.clone())
            .collect();
        DeskView { meeting, service, provider, gone }
    }

    pub(crate) async fn appointment_in_reach(
        &self,
        principal: &Principal,
        permission: Permission,
        id: AppointmentId,
    ) -> Result<Appointment, AppError> {
        principal.reach(permission)?;
        let appointment = self.store.appointment_by_id(id).await?;
        let appointment =
            appointment.filter(|appointment| appointment.organisation_id == principal.organisation_id());
        let appointment = appointment.ok_or_else(|| AppError::not_found("appointment"))?;
        principal.check(permission, appointment.organisation_id, appointment.provider_id)?;
        Ok(appointment)
    }

    async fn at_the_door(
        &self,
        principal: &Principal,
        id: AppointmentId,
        action: &str,
        mut step: impl FnMut(&mut Meeting, Timestamp, &mut Effects) -> Result<(), AppError> + Send,
    ) -> Result<DeskView, AppError> {
        let appointment = self.appointment_in_reach(principal, Permission::ConsultationHost, id).await?;
        let audit = self.audit(
            principal.actor(),
            Some(appointment.organisation_id),
            action,
            ("appointment", Some(id.as_uuid())),
        );
        let decide = |meeting: &mut Meeting, now: Timestamp, effects: &mut Effects| {
            if meeting.appointment.state.is_final() {
                return Err(AppError::conflict("appointment_ended", "This appointment is over."));
            }
            step(meeting, now, effects)?;
            effects.audit.push(audit.clone());
            Ok(())
        };
        let (meeting, ()) = self.change(id, decide).await?;
        self.desk_view_of(meeting).await
    }
}

/// Ends the open consultation: everyone leaves, the room is closed.
pub(crate) fn close_consultation(
    meeting: &mut Meeting,
    at: Timestamp,
    reason: EndReason,
    effects: &mut Effects,
) {
    let Some(consultation) =
        meeting.consultations.last_mut().filter(|consultation| consultation.ended_at.is_none())
    else {
        return;
    };
    consultation.ended_at = Some(at);
    consultation.end_reason = Some(reason);
    effects.close_rooms.push(consultation.room.clone());
    let id = consultation.id;
    for stay in meeting.stays.iter_mut().filter(|stay| stay.consultation_id == id) {
        if stay.left_at.is_none() {
            stay.left_at = Some(at.max(stay.joined_at));
        }
    }
    for participant in meeting.participants.iter_mut().filter(|p| p.consultation_id == id) {
        participant.leave();
    }
}

/// A person of the newest consultation.
fn person(meeting: &mut Meeting, id: ParticipantId) -> Result<&mut Participant, AppError> {
    let consultation = meeting.consultations.last().map(|consultation| consultation.id);
    meeting
        .participants
        .iter_mut()
        .find(|participant| participant.id == id && Some(participant.consultation_id) == consultation)
        .ok_or_else(|| AppError::not_found("participant in this appointment"))
}

fn cursor_of(appointment: &Appointment) -> String {
    let text = format!("{}.{}", appointment.start.as_microsecond(), appointment.id);
    URL_SAFE_NO_PAD.encode(text)
}

/// The place in the list before everything that starts at `from` (instants are kept in microseconds).
fn just_before(from: Timestamp) -> Option<(Timestamp, AppointmentId)> {
    let before = Timestamp::from_microsecond(from.as_microsecond().checked_sub(1)?).ok()?;
    Some((before, AppointmentId::from_uuid(uuid::Uuid::max())))
}

fn read_cursor(cursor: &str) -> Result<(Timestamp, AppointmentId), AppError> {
    let wrong = || AppError::field("cursor", "cursor_invalid", "Use the next_cursor of the page before.");
    let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| wrong())?;
    let text = std::str::from_utf8(&bytes).map_err(|_| wrong())?;
    let (start, id) = text.split_once('.').ok_or_else(wrong)?;
    let micros = start.parse().map_err(|_| wrong())?;
    let start = Timestamp::from_microsecond(micros).map_err(|_| wrong())?;
    Ok((start, id.parse().map_err(|_| wrong())?))
}
