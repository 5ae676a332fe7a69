//! Services, members and their hours.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use parley_control_app::{AppError, NewMember};
use parley_control_domain::{MemberId, ServiceId};
use uuid::Uuid;

use super::Answer;
use crate::dto::catalogue::{Availability, Member as MemberDto, MemberBody, Service, ServiceBody};
use crate::extract::{Body, Member, Segment};
use crate::problem::{Problem, ProblemDocument};
use crate::state::ApiState;

/// The organisation's services, active or not.
#[utoipa::path(get, path = "/api/v1/services", tag = "practice", responses((status = 200, body = [Service]),
    (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn services(State(state): State<ApiState>, Member(principal): Member) -> Answer<Vec<Service>> {
    let services = state.app.services(&principal).await?;
    Ok(Json(services.iter().map(Service::of).collect()))
}

/// Adds a service.
#[utoipa::path(post, path = "/api/v1/services", tag = "practice", request_body = ServiceBody, responses(
    (status = 201, body = Service),
    (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn service_add(
    State(state): State<ApiState>,
    Member(principal): Member,
    Body(body): Body<ServiceBody>,
) -> Result<(StatusCode, Json<Service>), Problem> {
    let service = state.app.service_add(&principal, body.read()?).await?;
    Ok((StatusCode::CREATED, Json(Service::of(&service))))
}

/// Changes a service.
#[utoipa::path(patch, path = "/api/v1/services/{id}", tag = "practice", params(("id" = Uuid, Path)),
    request_body = ServiceBody, responses((status = 200, body = Service),
    (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn service_change(
    State(state): State<ApiState>,
    Member(principal): Member,
    Segment(id): Segment<Uuid>,
    Body(body): Body<ServiceBody>,
) -> Answer<Service> {
    let service = state.app.service_change(&principal, ServiceId::from_uuid(id), body.read()?).await?;
    Ok(Json(Service::of(&service)))
}

/// The organisation's members.
#[utoipa::path(get, path = "/api/v1/members", tag = "practice", responses((status = 200, body = [MemberDto]),
    (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn members(State(state): State<ApiState>, Member(principal): Member) -> Answer<Vec<MemberDto>> {
    let members = state.app.members(&principal).await?;
    Ok(Json(members.iter().map(MemberDto::of).collect()))
}

/// Adds a member and mails a link to set the account up.
#[utoipa::path(post, path = "/api/v1/members", tag = "practice", request_body = MemberBody, responses(
    (status = 201, body = MemberDto),
    (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn member_add(
    State(state): State<ApiState>,
    Member(principal): Member,
    Body(body): Body<MemberBody>,
) -> Result<(StatusCode, Json<MemberDto>), Problem> {
    let new = NewMember {
        name: body.name,
        email: body.email,
        role: body.role.parse().map_err(AppError::from)?,
        title: body.title.unwrap_or_default(),
        bio: body.bio.unwrap_or_default(),
        time_zone: body.time_zone,
        slug: body.slug,
    };
    let member = state.app.member_add(&principal, new).await?;
    Ok((StatusCode::CREATED, Json(MemberDto::of(&member))))
}

/// A provider's hours.
#[utoipa::path(get, path = "/api/v1/members/{id}/availability", tag = "practice",
    params(("id" = Uuid, Path)), responses((status = 200, body = Availability),
    (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn availability(
    State(state): State<ApiState>,
    Member(principal): Member,
    Segment(id): Segment<Uuid>,
) -> Answer<Availability> {
    let availability = state.app.availability(&principal, MemberId::from_uuid(id)).await?;
    Ok(Json(Availability::of(&availability)))
}

/// Replaces a provider's hours.
#[utoipa::path(put, path = "/api/v1/members/{id}/availability", tag = "practice",
    params(("id" = Uuid, Path)), request_body = Availability, responses((status = 200, body = Availability),
    (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn availability_set(
    State(state): State<ApiState>,
    Member(principal): Member,
    Segment(id): Segment<Uuid>,
    Body(body): Body<Availability>,
) -> Answer<Availability> {
    let wanted = body.read(MemberId::from_uuid(id))?;
    let availability = state.app.availability_set(&principal, wanted).await?;
    Ok(Json(Availability::of(&availability)))
}
