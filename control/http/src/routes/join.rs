//! Joining by link: `{token}` is a join token or the code that names it.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;

use super::Answer;
use crate::dto::Device;
use crate::dto::join::{EnterBody, JoinView, MediaToken};
use crate::extract::{Body, Segment, Who};
use crate::problem::{Problem, ProblemDocument};
use crate::sse;
use crate::state::ApiState;

/// Where the holder of the link stands.
#[utoipa::path(get, path = "/api/v1/join/{token}", tag = "join", params(("token" = String, Path)), responses(
    (status = 200, body = JoinView),
    (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn view(
    State(state): State<ApiState>,
    Segment(token): Segment<String>,
    Who(caller): Who,
) -> Answer<JoinView> {
    Ok(Json(JoinView::of(&state.app.join_view(&token, &caller).await?)))
}

/// Enters: a client the waiting room, a provider the room.
#[utoipa::path(post, path = "/api/v1/join/{token}/enter", tag = "join", params(("token" = String, Path)),
    request_body = EnterBody, responses(
    (status = 200, body = JoinView),
    (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn enter(
    State(state): State<ApiState>,
    Segment(token): Segment<String>,
    Who(caller): Who,
    Body(body): Body<EnterBody>,
) -> Answer<JoinView> {
    let device = body.device.map(Device::read);
    let view = state.app.join_enter(&token, &body.display_name, device, &caller).await?;
    Ok(Json(JoinView::of(&view)))
}

/// A token for the room: after admission only, otherwise `409 not_admitted`.
#[utoipa::path(post, path = "/api/v1/join/{token}/media-token", tag = "join",
    params(("token" = String, Path)), responses(
    (status = 200, body = MediaToken),
    (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn media_token(
    State(state): State<ApiState>,
    Segment(token): Segment<String>,
    Who(caller): Who,
) -> Answer<MediaToken> {
    Ok(Json(MediaToken::of(state.app.media_token(&token, &caller).await?)))
}

/// Leaves the waiting room or the call.
#[utoipa::path(post, path = "/api/v1/join/{token}/leave", tag = "join", params(("token" = String, Path)),
    responses((status = 204),
    (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn leave(
    State(state): State<ApiState>,
    Segment(token): Segment<String>,
    Who(caller): Who,
) -> Result<StatusCode, Problem> {
    state.app.join_leave(&token, &caller).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Server-sent events: `join` with a `JoinView`, at once and on each change; a comment every 15 s.
#[utoipa::path(get, path = "/api/v1/join/{token}/events", tag = "join", params(("token" = String, Path)),
    responses((status = 200, body = JoinView, content_type = "text/event-stream"),
    (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn events(
    State(state): State<ApiState>,
    Segment(token): Segment<String>,
    Who(caller): Who,
) -> Result<Response, Problem> {
    let permit = sse::permit(&state.join_streams)?;
    let stream = state.app.join_stream(&token, &caller).await?;
    Ok(sse::respond(&state, permit, stream))
}
