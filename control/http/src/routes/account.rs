//! Signing in and out; oneself.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use parley_control_app::{AppError, SESSION_MAX, SignedIn};

use super::Answer;
use crate::dto::account::{LoginBody, MagicLinkBody, Me, MeBody, RedeemBody};
use crate::extract::{Body, Member, Who};
use crate::guard::{SESSION_COOKIE, session_secret};
use crate::problem::{Problem, ProblemDocument};
use crate::state::{ApiState, HttpConfig};

/// Signs in with a password and sets the session cookie.
#[utoipa::path(post, path = "/api/v1/auth/login", tag = "account", request_body = LoginBody, responses(
    (status = 200, body = Me),
    (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn login(
    State(state): State<ApiState>,
    Who(caller): Who,
    Body(body): Body<LoginBody>,
) -> Result<Response, Problem> {
    signed_in(&state, state.app.sign_in(&body.email, &body.password, &caller).await?)
}

/// Mails a sign-in link, when the address is a member's; the answer does not say.
#[utoipa::path(post, path = "/api/v1/auth/magic-link", tag = "account", request_body = MagicLinkBody,
    responses((status = 202),
    (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn magic_link(
    State(state): State<ApiState>,
    Who(caller): Who,
    Body(body): Body<MagicLinkBody>,
) -> Result<StatusCode, Problem> {
    state.app.request_magic_link(&body.email, &caller).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Signs in with the link of a mail: once.
#[utoipa::path(post, path = "/api/v1/auth/magic-link/redeem", tag = "account", request_body = RedeemBody,
    responses((status = 200, body = Me),
    (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn redeem(
    State(state): State<ApiState>,
    Who(caller): Who,
    Body(body): Body<RedeemBody>,
) -> Result<Response, Problem> {
    signed_in(&state, state.app.redeem_magic_link(&body.token, &caller).await?)
}

/// Ends the session.
#[utoipa::path(post, path = "/api/v1/auth/logout", tag = "account", responses((status = 204),
    (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn logout(State(state): State<ApiState>, headers: HeaderMap) -> Result<Response, Problem> {
    if let Some(secret) = session_secret(&headers) {
        state.app.sign_out(&secret).await?;
    }
    let cookie = cookie(&state.config, "", 0)?;
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]).into_response())
}

/// Who is signed in.
#[utoipa::path(get, path = "/api/v1/me", tag = "account", responses((status = 200, body = Me),
    (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn me(State(state): State<ApiState>, Member(principal): Member) -> Answer<Me> {
    Ok(Json(Me::of(&state.app.me(&principal).await?)))
}

/// Changes one's own account: so far, the password.
#[utoipa::path(patch, path = "/api/v1/me", tag = "account", request_body = MeBody, responses(
    (status = 200, body = Me),
    (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn change_me(
    State(state): State<ApiState>,
    Member(principal): Member,
    Body(body): Body<MeBody>,
) -> Answer<Me> {
    if let Some(password) = body.password {
        state.app.change_password(&principal, password.current.as_deref(), &password.new).await?;
    }
    Ok(Json(Me::of(&state.app.me(&principal).await?)))
}

fn signed_in(state: &ApiState, signed: SignedIn) -> Result<Response, Problem> {
    let cookie = cookie(&state.config, &signed.secret, SESSION_MAX.as_secs())?;
    Ok(([(header::SET_COOKIE, cookie)], Json(Me::of(&signed.me))).into_response())
}

/// `Lax`: links in mails lead to signed-in pages, but other sites' forms carry no cookie.
fn cookie(config: &HttpConfig, secret: &str, max_age_s: i64) -> Result<HeaderValue, Problem> {
    let secure = if config.secure_cookies { "; Secure" } else { "" };
    let text =
        format!("{SESSION_COOKIE}={secret}; Path=/; HttpOnly; SameSite=Lax; Max-Age={max_age_s}{secure}");
    HeaderValue::try_from(text).map_err(|_| AppError::internal("a secret is no header text").into())
}
