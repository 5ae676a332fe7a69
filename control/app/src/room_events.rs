//! What the media side reports, and the sweeper: together they move an appointment through its meeting.
//! Each event may come twice; a stay's id is made of the room and the media session, so it is written once.

use jiff::Timestamp;
use parley_control_domain::{
    AppointmentState, Bounds, EndReason, MeetingRole, ParticipantState, ServiceKind, Stay, StayId, Verdict,
    met_at, no_show_of, verdict,
};
use sha2::{Digest as _, Sha256};

use crate::app::{App, Effects};
use crate::desk::close_consultation;
use crate::error::{AppError, ErrorKind};
use crate::joining::participant_of;
use crate::records::Meeting;

/// Appointments looked at in one sweep: more than run at once in one installation.
const SWEEP_LIMIT: u32 = 10_000;

/// What happened in a room. `session` names one connection of a participant, `at` is when it happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoomEvent {
    /// The media connection stands.
    ParticipantJoined {
        room: String,
        identity: String,
        session: String,
        at: Timestamp,
        /// `udp`, `tcp`, `relay`, when known.
        network: Option<String>,
    },
    /// It is gone for good (a resumed connection never left).
    ParticipantLeft {
        room: String,
        identity: String,
        session: String,
        at: Timestamp,
        network: Option<String>,
    },
    /// Nobody is in the room any more, whatever was reported before.
    RoomFinished { room: String, at: Timestamp },
}

impl RoomEvent {
    fn room(&self) -> &str {
        match self {
            Self::ParticipantJoined { room, .. }
            | Self::ParticipantLeft { room, .. }
            | Self::RoomFinished { room, .. } => room,
        }
    }
}

impl App {
    /// Takes an event of the media side. Rooms that belong to no consultation are ignored.
    ///
    /// # Errors
    /// Of the store; the event can be given again.
    pub async fn handle_room_event(&self, event: &RoomEvent) -> Result<(), AppError> {
        let Some(found) = self.store.meeting_by_room(event.room()).await? else { return Ok(()) };
        let decide = |meeting: &mut Meeting, now: Timestamp, effects: &mut Effects| {
            match event {
                RoomEvent::ParticipantJoined { room, identity, session, at, network } => {
                    joined(meeting, effects, (room, identity, session), *at, network.clone());
                }
                RoomEvent::ParticipantLeft { room, session, at, network, .. } => {
                    left(meeting, stay_id(room, session), *at, network.clone());
                }
                RoomEvent::RoomFinished { room, at } => all_left(meeting, room, *at),
            }
            judge(meeting, now, self.meetings_end_after(), effects);
            Ok(())
        };
        self.change_on_report(found.appointment.id, decide).await
    }

    /// What time does by itself: meetings whose window closed or that everyone left are over, appointments that
    /// nobody came to are no-shows, people who closed the page are shown as gone.
    ///
    /// # Errors
    /// Of the store; the next call tries again.
    pub async fn tick(&self, now: Timestamp) -> Result<(), AppError> {
        for changed in self.presence.sweep(now) {
            self.bus.publish(changed);
        }
        for id in self.store.appointments_due(now, SWEEP_LIMIT).await? {
            let Some(appointment) = self.store.appointment_by_id(id).await? else { continue };
            // Whether people meet here matters only once the window has closed.
            let service = match now >= appointment.planned_close() {
                true => self.store.service_by_id(appointment.service_id).await?,
                false => None,
            };
            let online = service.is_none_or(|service| is_online(service.kind));
            let decide = |meeting: &mut Meeting, _now: Timestamp, effects: &mut Effects| {
                sweep(meeting, now, self.meetings_end_after(), online, effects);
                Ok(())
            };
            match self.change(id, decide).await {
                Err(error) if error.kind == ErrorKind::Unavailable => return Err(error),
                Err(error) => tracing::error!(%error, appointment = %id, "an appointment could not be swept"),
                Ok(_) => {}
            }
        }
        Ok(())
    }

    /// After a restart of the one process that holds the media side no earlier connection stands any more: closes
    /// every stay from before the start, as of the start. Those who come back begin new ones; a meeting that nobody
    /// returns to ends by the usual rule.
    ///
    /// # Errors
    /// Of the store, after all were tried; to be called again.
    pub async fn recover(&self) -> Result<(), AppError> {
        let mut outcome = Ok(());
        for id in self.store.appointments_left_open(self.started_at, SWEEP_LIMIT).await? {
            let decide = |meeting: &mut Meeting, _now: Timestamp, _effects: &mut Effects| {
                let at = self.started_at.min(meeting.appointment.planned_close());
                let before = |stay: &&mut Stay| stay.left_at.is_none() && stay.joined_at < self.started_at;
                for stay in meeting.stays.iter_mut().filter(before) {
                    stay.left_at = Some(at.max(stay.joined_at));
                }
                Ok(())
            };
            if let Err(error) = self.change(id, decide).await {
                tracing::warn!(%error, appointment = %id, "a meeting that a restart interrupted is not settled");
                outcome = Err(error);
            }
        }
        outcome
    }
}

/// Whether people meet through this program.
pub(crate) fn is_online(kind: ServiceKind) -> bool {
    matches!(kind, ServiceKind::Video | ServiceKind::Hybrid | ServiceKind::QuickQuestion)
}

fn joined(
    meeting: &mut Meeting,
    effects: &mut Effects,
    (room, identity, session): (&str, &str, &str),
    at: Timestamp,
    network: Option<String>,
) {
    let id = stay_id(room, session);
    if meeting.stays.iter().any(|stay| stay.id == id) {
        return;
    }
    let consultation = meeting.consultations.last().filter(|consultation| consultation.room == room);
    let open = consultation.is_some_and(|consultation| consultation.ended_at.is_none());
    let Some(consultation) = consultation.filter(|_| open && !meeting.appointment.state.is_final()) else {
        effects.close_rooms.push(room.to_owned());
        return;
    };
    // A token lives on after its holder was sent back: he may not use it again.
    let admitted = participant_of(meeting, identity).filter(|p| p.state == ParticipantState::Admitted);
    let Some(participant) = admitted else {
        effects.remove.push((room.to_owned(), identity.to_owned()));
        return;
    };
    let stay = Stay {
        id,
        consultation_id: consultation.id,
        participant_id: Some(participant.id),
        identity: identity.to_owned(),
        name: participant.name.clone(),
        role: participant.role,
        joined_at: at,
        left_at: None,
        device: participant.device.clone(),
        network,
    };
    // One identity has one connection: a new one replaces what a lost report left open.
    for before in meeting.stays.iter_mut().filter(|before| before.identity == identity) {
        if before.left_at.is_none() {
            before.left_at = Some(at.max(before.joined_at));
        }
    }
    meeting.stays.push(stay);
}

fn left(meeting: &mut Meeting, id: StayId, at: Timestamp, network: Option<String>) {
    if let Some(stay) = meeting.stays.iter_mut().find(|stay| stay.id == id) {
        if stay.left_at.is_none() {
            stay.left_at = Some(at.max(stay.joined_at));
        }
        if network.is_some() {
            stay.network = network;
        }
    }
}

fn all_left(meeting: &mut Meeting, room: &str, at: Timestamp) {
    let consultation = meeting.consultations.iter().find(|consultation| consultation.room == room);
    let Some(id) = consultation.map(|consultation| consultation.id) else { return };
    for stay in meeting.stays.iter_mut().filter(|stay| stay.consultation_id == id) {
        if stay.left_at.is_none() {
            stay.left_at = Some(at.max(stay.joined_at));
        }
    }
}

/// Draws the conclusions from the stays of the newest consultation.
fn judge(meeting: &mut Meeting, now: Timestamp, not_before: Timestamp, effects: &mut Effects) {
    let Some(consultation) = meeting.consultations.last_mut() else { return };
    if consultation.ended_at.is_some() || meeting.appointment.state.is_final() {
        return;
    }
    let stays: Vec<Stay> =
        meeting.stays.iter().filter(|stay| stay.consultation_id == consultation.id).cloned().collect();
    if let Some(met) = met_at(&stays)
        && meeting.appointment.both_met(met).is_ok()
        && consultation.started_at.is_none()
    {
        consultation.started_at = Some(met);
    }
    if meeting.appointment.state != AppointmentState::InProgress {
        return;
    }
    let bounds = Bounds { start: meeting.appointment.start, end: meeting.appointment.end, not_before };
    if let Verdict::Over { at, reason } = verdict(&stays, bounds, now)
        && meeting.appointment.complete(at).is_ok()
    {
        close_consultation(meeting, at, reason, effects);
    }
}

fn sweep(meeting: &mut Meeting, now: Timestamp, not_before: Timestamp, online: bool, effects: &mut Effects) {
    judge(meeting, now, not_before, effects);
    let close = meeting.appointment.planned_close();
    if meeting.appointment.state.is_final() || now < close {
        return;
    }
    if meeting.appointment.state == AppointmentState::InProgress {
        if meeting.appointment.complete(close).is_ok() {
            close_consultation(meeting, close, EndReason::TimeUp, effects);
        }
    } else if online {
        let came = meeting.participants.iter().any(|participant| participant.role == MeetingRole::Client);
        if meeting.appointment.no_show(no_show_of(came), close).is_ok() {
            close_consultation(meeting, close, EndReason::NoShow, effects);
        }
    } else {
        // Who meets at the practice is not seen here: over, without actual times.
        meeting.appointment.state = AppointmentState::Completed;
        close_consultation(meeting, close, EndReason::TimeUp, effects);
    }
}

/// One id per media session: the first 128 bits of a SHA-256, marked as UUID version 8 (RFC 9562 §5.8).
fn stay_id(room: &str, session: &str) -> StayId {
    let mut hash = Sha256::new();
    hash.update((room.len() as u64).to_be_bytes());
    hash.update(room.as_bytes());
    hash.update(session.as_bytes());
    let digest = hash.finalize();
    let mut bytes = [0u8; 16];
    bytes.copy_from_slice(&digest[..16]);
    StayId::from_uuid(uuid::Builder::from_custom_bytes(bytes).into_uuid())
}
