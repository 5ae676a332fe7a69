//! The desk's appointments, and what it does with those who wait.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use parley_control_app::{AppError, ListWanted};
use parley_control_domain::{AppointmentId, AppointmentState, FieldError, MemberId, ParticipantId};
use uuid::Uuid;

use super::Answer;
use crate::dto::appointment::{
    Appointment, AppointmentList, ListParams, MemberCancelBody, ParticipantBody, Started,
};
use crate::extract::{Body, Member, Params, Segment};
use crate::problem::{Problem, ProblemDocument};
use crate::sse;
use crate::state::{ApiState, Signed};

/// The member's appointments; for admins and managers the organisation's.
#[utoipa::path(get, path = "/api/v1/appointments", tag = "desk", params(ListParams), responses(
    (status = 200, body = AppointmentList),
    (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn list(
    State(state): State<ApiState>,
    Member(principal): Member,
    Params(params): Params<ListParams>,
) -> Answer<AppointmentList> {
    let wanted = ListWanted {
        from: params.from,
        to: params.to,
        states: states_of(params.state.as_deref()).map_err(AppError::from)?,
        provider_id: params.provider_id.map(MemberId::from_uuid),
        cursor: params.cursor,
        limit: params.limit,
    };
    Ok(Json(AppointmentList::of(&state.app.appointments(&principal, &wanted).await?)))
}

fn states_of(text: Option<&str>) -> Result<Vec<AppointmentState>, FieldError> {
    let names = text.unwrap_or_default().split(',').map(str::trim).filter(|name| !name.is_empty());
    names.map(str::parse).collect()
}

/// One appointment.
#[utoipa::path(get, path = "/api/v1/appointments/{id}", tag = "desk", params(("id" = Uuid, Path)), responses(
    (status = 200, body = Appointment),
    (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn one(
    State(state): State<ApiState>,
    Member(principal): Member,
    Segment(id): Segment<Uuid>,
) -> Answer<Appointment> {
    let view = state.app.appointment(&principal, AppointmentId::from_uuid(id)).await?;
    Ok(Json(Appointment::of(&view)))
}

/// The member's own link into the meeting.
#[utoipa::path(post, path = "/api/v1/appointments/{id}/start", tag = "desk", params(("id" = Uuid, Path)),
    responses((status = 200, body = Started),
    (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn start(
    State(state): State<ApiState>,
    Member(principal): Member,
    Segment(id): Segment<Uuid>,
) -> Answer<Started> {
    let join_token = state.app.start(&principal, AppointmentId::from_uuid(id)).await?;
    Ok(Json(Started { join_token }))
}

/// Lets one person in.
#[utoipa::path(post, path = "/api/v1/appointments/{id}/admit", tag = "desk", params(("id" = Uuid, Path)),
    request_body = ParticipantBody, responses((status = 200, body = Appointment),
    (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn admit(
    State(state): State<ApiState>,
    Member(principal): Member,
    Segment(id): Segment<Uuid>,
    Body(body): Body<ParticipantBody>,
) -> Answer<Appointment> {
    let who = ParticipantId::from_uuid(body.participant_id);
    let view = state.app.admit(&principal, AppointmentId::from_uuid(id), who).await?;
    Ok(Json(Appointment::of(&view)))
}

/// Turns one person away.
#[utoipa::path(post, path = "/api/v1/appointments/{id}/decline", tag = "desk", params(("id" = Uuid, Path)),
    request_body = ParticipantBody, responses((status = 200, body = Appointment),
    (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn decline(
    State(state): State<ApiState>,
    Member(principal): Member,
    Segment(id): Segment<Uuid>,
    Body(body): Body<ParticipantBody>,
) -> Answer<Appointment> {
    let who = ParticipantId::from_uuid(body.participant_id);
    let view = state.app.decline(&principal, AppointmentId::from_uuid(id), who).await?;
    Ok(Json(Appointment::of(&view)))
}

/// Sends someone who is in back to the waiting room.
#[utoipa::path(post, path = "/api/v1/appointments/{id}/send-back", tag = "desk", params(("id" = Uuid, Path)),
    request_body = ParticipantBody, responses((status = 200, body = Appointment),
    (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn send_back(
    State(state): State<ApiState>,
    Member(principal): Member,
    Segment(id): Segment<Uuid>,
    Body(body): Body<ParticipantBody>,
) -> Answer<Appointment> {
    let who = ParticipantId::from_uuid(body.participant_id);
    let view = state.app.send_back(&principal, AppointmentId::from_uuid(id), who).await?;
    Ok(Json(Appointment::of(&view)))
}

/// Lets everyone in who waits.
#[utoipa::path(post, path = "/api/v1/appointments/{id}/admit-all", tag = "desk", params(("id" = Uuid, Path)),
    responses((status = 200, body = Appointment),
    (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn admit_all(
    State(state): State<ApiState>,
    Member(principal): Member,
    Segment(id): Segment<Uuid>,
) -> Answer<Appointment> {
    let view = state.app.admit_all(&principal, AppointmentId::from_uuid(id)).await?;
    Ok(Json(Appointment::of(&view)))
}

/// Ends the meeting for everyone.
#[utoipa::path(post, path = "/api/v1/appointments/{id}/end", tag = "desk", params(("id" = Uuid, Path)),
    responses((status = 200, body = Appointment),
    (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn end(
    State(state): State<ApiState>,
    Member(principal): Member,
    Segment(id): Segment<Uuid>,
) -> Answer<Appointment> {
    let view = state.app.end(&principal, AppointmentId::from_uuid(id)).await?;
    Ok(Json(Appointment::of(&view)))
}

/// A member calls it off.
#[utoipa::path(post, path = "/api/v1/appointments/{id}/cancel", tag = "desk", params(("id" = Uuid, Path)),
    request_body = MemberCancelBody, responses((status = 200, body = Appointment),
    (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn cancel(
    State(state): State<ApiState>,
    Member(principal): Member,
    Segment(id): Segment<Uuid>,
    Body(body): Body<MemberCancelBody>,
) -> Answer<Appointment> {
    let id = AppointmentId::from_uuid(id);
    let meeting = state.app.cancel_by_member(&principal, id, body.reason.as_deref()).await?;
    Ok(Json(Appointment::of(&state.app.desk_view_of(meeting).await?)))
}

/// Server-sent events: `hello` at once (and when events may have been missed: read the list again), then
/// `appointment` with an `Appointment` on each change of one that the member may see.
#[utoipa::path(get, path = "/api/v1/dashboard/events", tag = "desk", responses(
    (status = 200, body = Appointment, content_type = "text/event-stream"),
    (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn events(
    State(state): State<ApiState>,
    signed: axum::Extension<Signed>,
) -> Result<Response, Problem> {
    let permit = sse::permit(&state.desk_streams)?;
    let stream = state.app.desk_stream(signed.principal.clone(), signed.secret.clone())?;
    Ok(sse::respond(&state, permit, stream))
}
