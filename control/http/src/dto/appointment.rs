//! Appointments as the desk sees them.

use jiff::Timestamp;
use parley_control_app::{DeskPage, DeskView};
use parley_control_domain::{MeetingRole, ParticipantState};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{Device, ServiceRef, or_null};

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListParams {
    /// Those that start at this instant or later.
    pub from: Option<Timestamp>,
    /// Those that start before this instant.
    pub to: Option<Timestamp>,
    /// `scheduled`, `waiting`, `in_progress`, `completed`, `cancelled`, `no_show`; several with commas.
    pub state: Option<String>,
    pub provider_id: Option<Uuid>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
    /// 1 to 200; otherwise 50.
    pub limit: Option<u32>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct AppointmentList {
    pub items: Vec<Appointment>,
    /// `null`: this was the last page.
    pub next_cursor: Option<String>,
}

impl AppointmentList {
    pub fn of(page: &DeskPage) -> Self {
        Self {
            items: page.items.iter().map(Appointment::of).collect(),
            next_cursor: page.next_cursor.clone(),
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Appointment {
    pub id: Uuid,
    #[schema(example = "C-2026-000123")]
    pub number: String,
    #[schema(example = "waiting")]
    pub state: String,
    pub service: ServiceRef,
    pub provider: ProviderRef,
    pub client: Client,
    pub start: Timestamp,
    pub end: Timestamp,
    pub note: Option<String>,
    pub created_at: Timestamp,
    pub actual_start: Option<Timestamp>,
    pub actual_end: Option<Timestamp>,
    pub cancelled: Option<Cancelled>,
    /// At the door: who waits, was let in or was turned away.
    pub waiting: Vec<Waiting>,
    /// Who was in the room from when to when.
    pub participants: Vec<Presence>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct ProviderRef {
    pub id: Uuid,
    pub name: String,
    pub title: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Client {
    pub name: String,
    pub email: String,
    pub phone: Option<String>,
    pub time_zone: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Cancelled {
    pub at: Timestamp,
    /// `client`, `provider` or `organisation`.
    pub by: String,
    pub reason: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Waiting {
    pub participant_id: Uuid,
    pub name: String,
    pub since: Timestamp,
    pub device: Option<Device>,
    /// `waiting`, `gone` (the page was closed), `admitted` or `declined`.
    #[schema(example = "waiting")]
    pub state: String,
}

/// One stay in the room.
#[derive(Debug, Serialize, ToSchema)]
pub struct Presence {
    pub identity: String,
    pub name: String,
    /// `provider` or `client`.
    pub role: String,
    pub joined_at: Timestamp,
    pub left_at: Option<Timestamp>,
    pub device: Option<Device>,
    /// `udp`, `tcp` or `relay`, when known.
    pub network: Option<String>,
}

#[derive(Debug, Deserialize, ToSchema)]
pub struct ParticipantBody {
    pub participant_id: Uuid,
}

#[derive(Debug, Deserialize, ToSchema)]
pub struct MemberCancelBody {
    /// For the client; may be left out or empty.
    #[serde(default)]
    pub reason: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Started {
    /// The member's own join token.
    pub join_token: String,
}

impl Appointment {
    pub fn of(view: &DeskView) -> Self {
        let appointment = &view.meeting.appointment;
        Self {
            id: appointment.id.as_uuid(),
            number: appointment.number.to_string(),
            state: appointment.state.to_string(),
            service: ServiceRef::of(&view.service),
            provider: ProviderRef {
                id: view.provider.id.as_uuid(),
                name: view.provider.name.clone(),
                title: or_null(&view.provider.title),
            },
            client: Client {
                name: appointment.client.name.clone(),
                email: appointment.client.email.to_string(),
                phone: appointment.client.phone.clone(),
                time_zone: appointment.client.zone.name().to_owned(),
            },
            start: appointment.start,
            end: appointment.end,
            note: or_null(&appointment.note),
            created_at: appointment.created_at,
            actual_start: appointment.actual_start,
            actual_end: appointment.actual_end,
            cancelled: appointment.cancelled.as_ref().map(|cancelled| Cancelled {
                at: cancelled.at,
                by: cancelled.by.as_str().to_owned(),
                reason: or_null(&cancelled.reason),
            }),
            waiting: waiting_of(view),
            participants: stays_of(view),
        }
    }
}

fn waiting_of(view: &DeskView) -> Vec<Waiting> {
    let newest = view.meeting.consultations.last().map(|consultation| consultation.id);
    let at_the_door = view.meeting.participants.iter().filter(|participant| {
        Some(participant.consultation_id) == newest
            && participant.role != MeetingRole::Provider
            && matches!(
                participant.state,
                ParticipantState::Waiting | ParticipantState::Admitted | ParticipantState::Declined
            )
    });
    at_the_door
        .map(|participant| Waiting {
            participant_id: participant.id.as_uuid(),
            name: participant.name.clone(),
            since: participant.waiting_since,
            device: participant.device.as_ref().map(Device::of),
            state: match participant.state {
                ParticipantState::Waiting if view.gone.contains(&participant.identity) => "gone".to_owned(),
                state => state.to_string(),
            },
        })
        .collect()
}

fn stays_of(view: &DeskView) -> Vec<Presence> {
    let stays = view.meeting.stays.iter().map(|stay| Presence {
        identity: stay.identity.clone(),
        name: stay.name.clone(),
        role: stay.role.to_string(),
        joined_at: stay.joined_at,
        left_at: stay.left_at,
        device: stay.device.as_ref().map(Device::of),
        network: stay.network.clone(),
    });
    stays.collect()
}
