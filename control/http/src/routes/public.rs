//! Booking without an account.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use parley_control_app::calendar::Method;
use parley_control_app::{AppError, BookingRequest, SlotsWanted};
use parley_control_domain::{MemberId, Minutes, ServiceId};
use uuid::Uuid;

use super::Answer;
use crate::dto::public::{
    Booked, BookingBody, CancelBody, Organisation, OrganisationRef, PublicAppointment, SlotParams, Slots,
};
use crate::extract::{Body, Params, Segment, Who};
use crate::problem::{Problem, ProblemDocument};
use crate::state::ApiState;

/// Organisations that list themselves.
#[utoipa::path(get, path = "/api/v1/public/organisations", tag = "booking", responses(
    (status = 200, body = [OrganisationRef]),
    (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn organisations(State(state): State<ApiState>) -> Answer<Vec<OrganisationRef>> {
    let found = state.app.organisations().await?;
    let listed = found
        .into_iter()
        .map(|organisation| OrganisationRef { slug: organisation.slug.to_string(), name: organisation.name });
    Ok(Json(listed.collect()))
}

/// An organisation with its services and who gives them.
#[utoipa::path(get, path = "/api/v1/public/organisations/{slug}", tag = "booking",
    params(("slug" = String, Path)), responses(
    (status = 200, body = Organisation),
    (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn organisation(
    State(state): State<ApiState>,
    Segment(slug): Segment<String>,
) -> Answer<Organisation> {
    Ok(Json(Organisation::of(&state.app.organisation_page(&slug).await?)))
}

/// Bookable intervals of a service.
#[utoipa::path(get, path = "/api/v1/public/services/{id}/slots", tag = "booking",
    params(("id" = Uuid, Path), SlotParams), responses(
    (status = 200, body = Slots),
    (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn slots(
    State(state): State<ApiState>,
    Segment(id): Segment<Uuid>,
    Params(params): Params<SlotParams>,
) -> Answer<Slots> {
    let wanted = SlotsWanted {
        service_id: ServiceId::from_uuid(id),
        provider_id: params.provider_id.map(MemberId::from_uuid),
        from: params.from,
        to: params.to,
        time_zone: params.time_zone,
        duration: params.duration_minutes.map(Minutes),
    };
    Ok(Json(Slots::of(&state.app.slots(&wanted).await?)))
}

/// Books a slot. `409 slot_taken` when someone was faster, `429 too_many_attempts` after many bookings.
#[utoipa::path(post, path = "/api/v1/public/appointments", tag = "booking",
    params(("Idempotency-Key" = Option<String>, Header,
        description = "The same key and body again answer what the first request made.")),
    request_body = BookingBody, responses(
    (status = 201, body = Booked),
    (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn book(
    State(state): State<ApiState>,
    headers: HeaderMap,
    Who(caller): Who,
    Body(body): Body<BookingBody>,
) -> Result<(StatusCode, Json<Booked>), Problem> {
    // A key that is no text is refused like any other wrong one.
    let key = headers.get("idempotency-key").map(|value| value.to_str().unwrap_or_default());
    let request = BookingRequest {
        service_id: ServiceId::from_uuid(body.service_id),
        provider_id: MemberId::from_uuid(body.provider_id),
        start: body.start,
        duration: body.duration_minutes.map(Minutes),
        time_zone: body.time_zone,
        client_name: body.client.name,
        client_email: body.client.email,
        client_phone: body.client.phone,
        note: body.note,
        locale: body.locale,
    };
    let booked = state.app.book(&request, key, &caller).await?;
    let answer = Booked {
        appointment: PublicAppointment::of(&booked.facts, &state.app),
        manage_token: booked.manage_token,
        join_token: booked.join_token,
    };
    Ok((StatusCode::CREATED, Json(answer)))
}

/// The appointment of a manage link.
#[utoipa::path(get, path = "/api/v1/public/appointments/{manage_token}", tag = "booking",
    params(("manage_token" = String, Path)), responses(
    (status = 200, body = PublicAppointment),
    (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn appointment(
    State(state): State<ApiState>,
    Segment(token): Segment<String>,
) -> Answer<PublicAppointment> {
    let facts = state.app.managed(&token).await?;
    Ok(Json(PublicAppointment::of(&facts, &state.app)))
}

/// The client calls it off.
#[utoipa::path(post, path = "/api/v1/public/appointments/{manage_token}/cancel", tag = "booking",
    params(("manage_token" = String, Path)), request_body = CancelBody, responses(
    (status = 200, body = PublicAppointment),
    (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn cancel(
    State(state): State<ApiState>,
    Segment(token): Segment<String>,
    Body(body): Body<CancelBody>,
) -> Answer<PublicAppointment> {
    let facts = state.app.cancel_managed(&token, body.reason.as_deref()).await?;
    Ok(Json(PublicAppointment::of(&facts, &state.app)))
}

/// The appointment for one's own calendar.
#[utoipa::path(get, path = "/api/v1/public/appointments/{manage_token}/calendar.ics", tag = "booking",
    params(("manage_token" = String, Path)), responses(
    (status = 200, body = String, content_type = "text/calendar"),
    (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn calendar(
    State(state): State<ApiState>,
    Segment(token): Segment<String>,
) -> Result<Response, Problem> {
    let facts = state.app.managed(&token).await?;
    let calendar = state.app.calendar_of(&facts, Method::Publish);
    let name = format!("attachment; filename=\"{}.ics\"", facts.appointment.number);
    let name = HeaderValue::try_from(name).map_err(|_| AppError::internal("an odd appointment number"))?;
    let kind = HeaderValue::from_static("text/calendar; charset=utf-8");
    Ok(([(header::CONTENT_TYPE, kind), (header::CONTENT_DISPOSITION, name)], calendar).into_response())
}
