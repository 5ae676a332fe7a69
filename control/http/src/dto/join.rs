//! Joining by link.

use jiff::Timestamp;
use parley_control_app::{self as app, Phase};
use parley_control_domain::MeetingRole;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Device, Labels, or_null};

#[derive(Debug, Deserialize, ToSchema)]
pub struct EnterBody {
    pub display_name: String,
    #[serde(default)]
    pub device: Option<Device>,
}

/// Where the holder of a join link stands.
#[derive(Debug, Serialize, ToSchema)]
pub struct JoinView {
    pub phase: JoinPhase,
    /// The server's clock.
    pub now: Timestamp,
    /// `client` or `provider`.
    #[schema(example = "client")]
    pub role: String,
    pub identity: String,
    pub display_name: String,
    pub appointment: JoinAppointment,
    pub window: JoinWindow,
    pub waiting_since: Option<Timestamp>,
    /// From 1.
    pub queue_position: Option<u32>,
    pub ended_at: Option<Timestamp>,
    /// `ended_by_provider`, `last_left`, `abandoned`, `time_up`, `no_show`, `cancelled`.
    pub end_reason: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JoinPhase {
    TooEarly,
    Open,
    Waiting,
    Admitted,
    Declined,
    Ended,
    Cancelled,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct JoinAppointment {
    pub number: String,
    pub service_name: String,
    pub start: Timestamp,
    pub end: Timestamp,
    pub provider: JoinProvider,
    /// To the provider's side only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_name: Option<String>,
    pub organisation: JoinOrganisation,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct JoinProvider {
    pub name: String,
    pub title: Option<String>,
    pub time_zone: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct JoinOrganisation {
    pub name: String,
    pub labels: Labels,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct JoinWindow {
    pub opens_at: Timestamp,
    pub closes_at: Timestamp,
}

impl JoinView {
    pub fn of(view: &app::JoinView) -> Self {
        Self {
            phase: match view.phase {
                Phase::TooEarly => JoinPhase::TooEarly,
                Phase::Open => JoinPhase::Open,
                Phase::Waiting => JoinPhase::Waiting,
                Phase::Admitted => JoinPhase::Admitted,
                Phase::Declined => JoinPhase::Declined,
                Phase::Ended => JoinPhase::Ended,
                Phase::Cancelled => JoinPhase::Cancelled,
            },
            now: view.now,
            role: match view.role {
                MeetingRole::Provider => "provider",
                MeetingRole::Client | MeetingRole::Guest => "client",
            }
            .to_owned(),
            identity: view.identity.clone(),
            display_name: view.display_name.clone(),
            appointment: JoinAppointment {
                number: view.appointment.number.to_string(),
                service_name: view.service_name.clone(),
                start: view.appointment.start,
                end: view.appointment.end,
                provider: JoinProvider {
                    name: view.provider.name.clone(),
                    title: or_null(&view.provider.title),
                    time_zone: view.provider.zone.name().to_owned(),
                },
                client_name: view.client_name.clone(),
                organisation: JoinOrganisation {
                    name: view.organisation.name.clone(),
                    labels: Labels::of(&view.organisation.labels),
                },
            },
            window: JoinWindow { opens_at: view.opens_at, closes_at: view.closes_at },
            waiting_since: view.waiting_since,
            queue_position: view.queue_position,
            ended_at: view.ended_at,
            end_reason: view.end_reason.map(|reason| reason.to_string()),
        }
    }
}

/// What opens the room.
#[derive(Debug, Serialize, ToSchema)]
pub struct MediaToken {
    /// Where the signalling server is.
    pub url: String,
    pub token: String,
    pub room: String,
    pub identity: String,
}

impl MediaToken {
    pub fn of(token: app::MediaToken) -> Self {
        Self { url: token.url, token: token.token, room: token.room, identity: token.identity }
    }
}
