//! The routes of the protocol. Status codes and bodies are those by which SDKs
//! tell a bad token (401, 403: they give up) from trouble of the server (they try again).

use std::collections::HashMap;

use axum::{
    Router,
    extract::{
        Query, State, WebSocketUpgrade,
        ws::{WebSocket, rejection::WebSocketUpgradeRejection},
    },
    response::{IntoResponse, Response},
    routing::get,
};
use http::{HeaderMap, StatusCode, header};
use tower_http::cors::{Any, CorsLayer};

use crate::{
    ids::{Identity, RoomName},
    params::{self, Params, ParamsError},
    room::{JoinRefused, JoinRequest},
    service::{CommandError, JoinError, Signaling},
    token::{Claims, TokenError},
};

/// What is read from a connection at once, kept for each as long as it lasts. A request is seldom larger than some
/// hundred bytes; a description with many sections is read in several steps.
const READ_BUFFER_BYTES: usize = 4 * 1024;

type QueryMap = HashMap<String, String>;
type Upgrade = Result<WebSocketUpgrade, WebSocketUpgradeRejection>;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Version {
    V0,
    V1,
}

pub(crate) fn router(signaling: Signaling) -> Router {
    // Pages from anywhere may connect: what protects a room is the token, and no cookie is read.
    let cors = CorsLayer::new().allow_origin(Any).allow_methods(Any).allow_headers(Any);
    Router::new()
        .route("/rtc", get(connect_v0))
        .route("/rtc/validate", get(validate_v0))
        .route("/rtc/v1", get(connect_v1))
        .route("/rtc/v1/validate", get(validate_v1))
        .merge(crate::api::routes())
        .layer(cors)
        .with_state(signaling)
}

async fn connect_v0(
    State(signaling): State<Signaling>,
    Query(query): Query<QueryMap>,
    headers: HeaderMap,
    upgrade: Upgrade,
) -> Response {
    connect(&signaling, Version::V0, &query, &headers, upgrade).await.unwrap_or_else(Refusal::into_response)
}

async fn connect_v1(
    State(signaling): State<Signaling>,
    Query(query): Query<QueryMap>,
    headers: HeaderMap,
    upgrade: Upgrade,
) -> Response {
    connect(&signaling, Version::V1, &query, &headers, upgrade).await.unwrap_or_else(Refusal::into_response)
}

async fn validate_v0(
    State(signaling): State<Signaling>,
    Query(query): Query<QueryMap>,
    headers: HeaderMap,
) -> Response {
    validate(&signaling, Version::V0, &query, &headers).await.unwrap_or_else(Refusal::into_response)
}

async fn validate_v1(
    State(signaling): State<Signaling>,
    Query(query): Query<QueryMap>,
    headers: HeaderMap,
) -> Response {
    validate(&signaling, Version::V1, &query, &headers).await.unwrap_or_else(Refusal::into_response)
}

/// Why a connection is refused, as plain text.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error(transparent)]
    Token(#[from] TokenError),
    #[error(transparent)]
    Params(#[from] ParamsError),
    #[error(transparent)]
    Join(#[from] JoinError),
    #[error("the room's name or the identity is longer than this server accepts")]
    TooLong,
    #[error("this address is for WebSocket connections")]
    NotWebSocket,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = match &self {
            Self::Token(error) => error.status(),
            Self::Params(ParamsError::TooLarge) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Params(_) => StatusCode::BAD_REQUEST,
            // 403 is what SDKs do not try again.
            Self::Join(JoinError::Refused(JoinRefused::Full | JoinRefused::Removed)) => StatusCode::FORBIDDEN,
            Self::Join(JoinError::Refused(JoinRefused::TooLarge(_))) | Self::TooLong => {
                StatusCode::BAD_REQUEST
            }
            Self::Join(JoinError::Command(CommandError::NoSuchRoom(_))) => {
                // The words by which SDKs tell this from a server without v1.
                return (StatusCode::NOT_FOUND, "requested room does not exist").into_response();
            }
            Self::Join(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::NotWebSocket => StatusCode::UPGRADE_REQUIRED,
        };
        (status, self.to_string()).into_response()
    }
}

async fn validate(
    signaling: &Signaling,
    version: Version,
    query: &QueryMap,
    headers: &HeaderMap,
) -> Result<Response, Refusal> {
    let (claims, room, _) = admit(signaling, version, query, headers)?;
    signaling.may_join(&room, &claims).await?;
    Ok("success".into_response())
}

async fn connect(
    signaling: &Signaling,
    version: Version,
    query: &QueryMap,
    headers: &HeaderMap,
    upgrade: Upgrade,
) -> Result<Response, Refusal> {
    let (claims, room, params) = admit(signaling, version, query, headers)?;
    let upgrade = upgrade.map_err(|_| Refusal::NotWebSocket)?;
    let config = &signaling.inner.config;
    let ice_servers = (config.ice_servers)(&Identity::from(&claims));
    let request = JoinRequest {
        claims,
        client: params.client,
        mode: params.mode,
        auto_subscribe: params.auto_subscribe,
        metadata: params.metadata,
        attributes: params.attributes,
        add_tracks: params.add_tracks,
        offer: params.offer,
        resume: params.resume,
        sync_state: params.sync_state,
        ice_servers,
    };
    let session = signaling.join(&room, request).await?;
    let token = signaling.task_token();
    let max = config.limits.signal_message_bytes;
    let upgrade = upgrade.max_message_size(max).max_frame_size(max).read_buffer_size(READ_BUFFER_BYTES);
    Ok(upgrade.on_upgrade(move |socket: WebSocket| async move {
        session.run(socket).await;
        drop(token);
    }))
}

fn admit(
    signaling: &Signaling,
    version: Version,
    query: &QueryMap,
    headers: &HeaderMap,
) -> Result<(Claims, RoomName, Params), Refusal> {
    let token = bearer(headers).or_else(|| query.get("access_token").map(String::as_str)).unwrap_or_default();
    let requested = query.get("room").map(String::as_str);
    let (claims, room) = signaling.inner.verifier.verify_join(token, requested)?;
    let limits = &signaling.inner.config.limits;
    if room.0.len() > limits.identifier_bytes || claims.sub.len() > limits.identifier_bytes {
        return Err(Refusal::TooLong);
    }
    let max = limits.join_request_bytes;
    let params = match version {
        Version::V0 => params::v0(query, max)?,
        Version::V1 => params::v1(query, max)?,
    };
    Ok((claims, room, params))
}

pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
