//! What a client may see and do with his manage link, and calling an appointment off from either side.

use jiff::Timestamp;
use parley_control_domain::{
    AppointmentId, AppointmentState, EndReason, Party, Permission, limits, optional_text,
};

use crate::access::Principal;
use crate::app::{App, Effects};
use crate::booking::{AppointmentFacts, split_sender};
use crate::calendar::{self, Event, Method};
use crate::desk::close_consultation;
use crate::error::{AppError, ErrorKind};
use crate::outbox::Work;
use crate::records::{Actor, Meeting};
use crate::room_events::is_online;

impl App {
    /// The appointment of a manage link.
    ///
    /// # Errors
    /// `link_invalid`.
    pub async fn managed(&self, manage_token: &str) -> Result<AppointmentFacts, AppError> {
        let id = self.links.read_manage(manage_token).map_err(|_| AppError::link_invalid())?;
        let mut audit =
            self.audit(Actor::Client, None, "appointment.read", ("appointment", Some(id.as_uuid())));
        let appointment = self.store.appointment_by_id(id).await?.ok_or_else(AppError::link_invalid)?;
        audit.organisation_id = Some(appointment.organisation_id);
        let meeting = self.store.meeting_by_id(id, Some(&audit)).await?.ok_or_else(AppError::link_invalid)?;
        self.facts(meeting.appointment).await
    }

    /// The client calls it off.
    ///
    /// # Errors
    /// `link_invalid`, `validation_failed`, or a conflict that says why not.
    pub async fn cancel_managed(
        &self,
        manage_token: &str,
        reason: Option<&str>,
    ) -> Result<AppointmentFacts, AppError> {
        let id = self.links.read_manage(manage_token).map_err(|_| AppError::link_invalid())?;
        let reason = optional_text("reason", reason.unwrap_or_default(), limits::REASON)?;
        let meeting = match self.cancel(id, Party::Client, &reason, Actor::Client).await {
            Err(error) if error.kind == ErrorKind::NotFound => return Err(AppError::link_invalid()),
            other => other?,
        };
        self.facts(meeting.appointment).await
    }

    /// A member calls it off.
    ///
    /// # Errors
    /// `forbidden`, `not_found`, `validation_failed`, or a conflict that says why not.
    pub async fn cancel_by_member(
        &self,
        principal: &Principal,
        id: AppointmentId,
        reason: Option<&str>,
    ) -> Result<Meeting, AppError> {
        let appointment = self.appointment_in_reach(principal, Permission::AppointmentCancel, id).await?;
        let reason = optional_text("reason", reason.unwrap_or_default(), limits::REASON)?;
        let by = match appointment.provider_id == principal.member.id {
            true => Party::Provider,
            false => Party::Organisation,
        };
        self.cancel(id, by, &reason, principal.actor()).await
    }

    async fn cancel(
        &self,
        id: AppointmentId,
        by: Party,
        reason: &str,
        actor: Actor,
    ) -> Result<Meeting, AppError> {
        let decide = |meeting: &mut Meeting, now: Timestamp, effects: &mut Effects| {
            let was = meeting.appointment.state;
            meeting.appointment.cancel(by, reason.to_owned(), now)?;
            if was == AppointmentState::Cancelled {
                return Ok(());
            }
            close_consultation(meeting, now, EndReason::Cancelled, effects);
            effects.work.push(Work::Cancellation { appointment: id });
            effects.work.push(Work::ProviderCancellation { appointment: id });
            effects.audit.push(self.audit(
                actor,
                Some(meeting.appointment.organisation_id),
                "appointment.cancel",
                ("appointment", Some(id.as_uuid())),
            ));
            Ok(())
        };
        Ok(self.change(id, decide).await?.0)
    }

    /// The appointment as a calendar object for the client's own calendar.
    pub fn calendar_of(&self, facts: &AppointmentFacts, method: Method) -> String {
        let appointment = &facts.appointment;
        let join = self.join_url(appointment);
        let manage = self.manage_url(appointment.id);
        let (_, sender) = split_sender(&self.config.mail_from);
        let method = match appointment.state {
            AppointmentState::Cancelled => Method::Cancel,
            _ => method,
        };
        let online = is_online(facts.service.kind);
        let how = match online {
            true => format!("Join: {join}\nCode: {}\n", appointment.client_code),
            false => String::new(),
        };
        let description = format!("{how}See or cancel: {manage}");
        calendar::render(
            method,
            &Event {
                uid: &format!("{}@{}", appointment.id, self.host()),
                sequence: u32::try_from(appointment.version).unwrap_or(u32::MAX),
                stamp: self.now(),
                start: appointment.start,
                end: appointment.end,
                summary: &format!("{} – {}", facts.service.name, facts.provider.name),
                description: &description,
                location: if online { &join } else { &facts.organisation.name },
                url: &manage,
                organizer: calendar::Party { name: &facts.organisation.name, address: &sender },
                attendee: calendar::Party {
                    name: &appointment.client.name,
                    address: appointment.client.email.as_str(),
                },
            },
        )
    }
}
