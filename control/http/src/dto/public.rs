//! Booking without an account.

use jiff::Timestamp;
use jiff::civil::Date;
use parley_control_app::{App, AppointmentFacts, OrganisationPage, SlotsFound};
use parley_control_domain as domain;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::catalogue::Service;
use super::{Labels, ServiceRef, or_null};

#[derive(Debug, Serialize, ToSchema)]
pub struct OrganisationRef {
    pub slug: String,
    pub name: String,
}

/// An organisation with what can be booked.
#[derive(Debug, Serialize, ToSchema)]
pub struct Organisation {
    pub slug: String,
    pub name: String,
    pub time_zone: String,
    pub labels: Labels,
    pub providers: Vec<Provider>,
    pub services: Vec<Service>,
}

impl Organisation {
    pub fn of(page: &OrganisationPage) -> Self {
        Self {
            slug: page.organisation.slug.to_string(),
            name: page.organisation.name.clone(),
            time_zone: page.organisation.zone.name().to_owned(),
            labels: Labels::of(&page.organisation.labels),
            providers: page.providers.iter().map(Provider::of).collect(),
            services: page.services.iter().map(Service::of).collect(),
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Provider {
    pub id: Uuid,
    pub slug: String,
    pub name: String,
    pub title: Option<String>,
    pub bio: Option<String>,
    pub time_zone: String,
    pub photo_url: Option<String>,
}

impl Provider {
    fn of(member: &domain::Member) -> Self {
        Self {
            id: member.id.as_uuid(),
            slug: member.slug.to_string(),
            name: member.name.clone(),
            title: or_null(&member.title),
            bio: or_null(&member.bio),
            time_zone: member.zone.name().to_owned(),
            photo_url: member.photo_url.clone(),
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct SlotParams {
    /// Only this provider's; otherwise those of all who give the service.
    pub provider_id: Option<Uuid>,
    /// First date, on the viewer's wall.
    pub from: Date,
    /// Last date, included; at most 62 dates.
    pub to: Date,
    /// The viewer's IANA zone; otherwise the organisation's.
    pub time_zone: Option<String>,
    /// One of the service's lengths; otherwise its first.
    pub duration_minutes: Option<u32>,
}

/// Bookable intervals by date.
#[derive(Debug, Serialize, ToSchema)]
pub struct Slots {
    pub time_zone: String,
    /// Every date that was asked for.
    pub days: Vec<SlotDay>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct SlotDay {
    pub date: Date,
    pub slots: Vec<Slot>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Slot {
    pub start: Timestamp,
    pub end: Timestamp,
    pub provider_id: Uuid,
}

impl Slots {
    pub fn of(found: &SlotsFound) -> Self {
        let day = |(date, slots): &(Date, Vec<parley_control_app::ProviderSlot>)| SlotDay {
            date: *date,
            slots: slots
                .iter()
                .map(|slot| Slot {
                    start: slot.start,
                    end: slot.end,
                    provider_id: slot.provider_id.as_uuid(),
                })
                .collect(),
        };
        Self { time_zone: found.zone.name().to_owned(), days: found.days.iter().map(day).collect() }
    }
}

#[derive(Debug, Deserialize, ToSchema)]
pub struct BookingBody {
    pub service_id: Uuid,
    pub provider_id: Uuid,
    pub start: Timestamp,
    pub duration_minutes: Option<u32>,
    /// The client's IANA zone.
    #[schema(example = "Europe/Lisbon")]
    pub time_zone: String,
    pub client: BookingClient,
    pub note: Option<String>,
    /// Language of mails (BCP 47).
    pub locale: Option<String>,
}

#[derive(Debug, Deserialize, ToSchema)]
pub struct BookingClient {
    pub name: String,
    pub email: String,
    pub phone: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Booked {
    pub appointment: PublicAppointment,
    /// Opens `/public/appointments/{manage_token}`; for the client alone.
    pub manage_token: String,
    /// Opens `/join/{token}`; for the client alone.
    pub join_token: String,
}

/// An appointment as its client sees it.
#[derive(Debug, Serialize, ToSchema)]
pub struct PublicAppointment {
    pub id: Uuid,
    #[schema(example = "C-2026-000123")]
    pub number: String,
    #[schema(example = "scheduled")]
    pub state: String,
    pub service: ServiceRef,
    pub provider: PublicProvider,
    pub organisation: PublicOrganisation,
    pub client: PublicClient,
    pub start: Timestamp,
    pub end: Timestamp,
    pub join: JoinInfo,
    pub can_cancel: bool,
    pub note: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct PublicProvider {
    pub id: Uuid,
    pub name: String,
    pub title: Option<String>,
    pub time_zone: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct PublicOrganisation {
    pub slug: String,
    pub name: String,
    pub labels: Labels,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct PublicClient {
    pub name: String,
    pub email: String,
    pub time_zone: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct JoinInfo {
    pub opens_at: Timestamp,
    pub closes_at: Timestamp,
    pub url: String,
    #[schema(example = "K7QM-4RTD")]
    pub code: String,
}

impl PublicAppointment {
    pub fn of(facts: &AppointmentFacts, app: &App) -> Self {
        let appointment = &facts.appointment;
        Self {
            id: appointment.id.as_uuid(),
            number: appointment.number.to_string(),
            state: appointment.state.to_string(),
            service: ServiceRef::of(&facts.service),
            provider: PublicProvider {
                id: facts.provider.id.as_uuid(),
                name: facts.provider.name.clone(),
                title: or_null(&facts.provider.title),
                time_zone: facts.provider.zone.name().to_owned(),
            },
            organisation: PublicOrganisation {
                slug: facts.organisation.slug.to_string(),
                name: facts.organisation.name.clone(),
                labels: Labels::of(&facts.organisation.labels),
            },
            client: PublicClient {
                name: appointment.client.name.clone(),
                email: appointment.client.email.to_string(),
                time_zone: appointment.client.zone.name().to_owned(),
            },
            start: appointment.start,
            end: appointment.end,
            join: JoinInfo {
                opens_at: appointment.join_window().opens_at,
                closes_at: appointment.planned_close(),
                url: app.join_url(appointment),
                code: appointment.client_code.to_string(),
            },
            can_cancel: appointment.can_cancel(),
            note: or_null(&appointment.note),
        }
    }
}

#[derive(Debug, Deserialize, ToSchema)]
pub struct CancelBody {
    #[serde(default)]
    pub reason: Option<String>,
}
