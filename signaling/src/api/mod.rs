//! LiveKit's `RoomService`, as its server SDKs call it: `POST /twirp/livekit.RoomService/METHOD`.
//! docs/protocol.md lists every call.

mod calls;
mod twirp;

use std::time::Duration;

use axum::{
    Router,
    body::Body,
    extract::{Path, State},
    http::Request,
    response::{IntoResponse, Response},
    routing::post,
};
use bytes::Bytes;
use http::HeaderMap;

use self::twirp::{Code, Fault, Format};
use crate::{
    http::bearer,
    room::{ControlError, JoinRefused, RpcFault},
    service::{CommandError, JoinError, Signaling},
    token::{Claims, Grants},
};

/// A room that does not answer in this time is busy beyond use.
const ROOM_LIMIT: Duration = Duration::from_secs(5);

pub(crate) fn routes() -> Router<Signaling> {
    Router::new()
        .route("/twirp/livekit.RoomService/{method}", post(call).fallback(only_post))
        .route("/twirp/{*rest}", axum::routing::any(bad_route))
}

async fn only_post() -> Fault {
    Fault::new(Code::BadRoute, "unsupported method: only POST is allowed")
}

async fn bad_route(Path(rest): Path<String>) -> Fault {
    Fault::new(
        Code::BadRoute,
        format!("no handler for path /twirp/{rest}: this server has RoomService alone"),
    )
}

async fn call(
    State(signaling): State<Signaling>,
    Path(method): Path<String>,
    headers: HeaderMap,
    request: Request<Body>,
) -> Response {
    let answer = async {
        let caller = Caller::of(&signaling, &headers)?;
        let format = Format::of(&headers)?;
        let max = signaling.inner.config.limits.api_request_bytes;
        let body = axum::body::to_bytes(request.into_body(), max).await.map_err(|_| {
            Fault::new(Code::InvalidArgument, format!("the request is larger than {max} bytes or broke off"))
        })?;
        tracing::debug!(method, bytes = body.len(), "server API");
        dispatch(&signaling, &caller, &method, format, body).await
    };
    answer.await.unwrap_or_else(Fault::into_response)
}

async fn dispatch(
    signaling: &Signaling,
    caller: &Caller,
    method: &str,
    format: Format,
    body: Bytes,
) -> Result<Response, Fault> {
    let api = calls::Api { signaling, caller };
    Ok(match method {
        "CreateRoom" => format.write(&api.create_room(format.read(body)?).await?),
        "ListRooms" => format.write(&api.list_rooms(format.read(body)?).await?),
        "DeleteRoom" => format.write(&api.delete_room(format.read(body)?).await?),
        "ListParticipants" => format.write(&api.list_participants(format.read(body)?).await?),
        "GetParticipant" => format.write(&api.participant(format.read(body)?).await?),
        "RemoveParticipant" => format.write(&api.remove_participant(format.read(body)?).await?),
        "MutePublishedTrack" => format.write(&api.mute_published_track(format.read(body)?).await?),
        "UpdateParticipant" => format.write(&api.update_participant(format.read(body)?).await?),
        "UpdateSubscriptions" => format.write(&api.update_subscriptions(format.read(body)?).await?),
        "SendData" => format.write(&api.send_data(format.read(body)?).await?),
        "UpdateRoomMetadata" => format.write(&api.update_room_metadata(format.read(body)?).await?),
        "MoveParticipant" => format.write(&api.move_participant(format.read(body)?).await?),
        "ForwardParticipant" => format.write(&api.forward_participant(format.read(body)?)?),
        "PerformRpc" => format.write(&api.perform_rpc(format.read(body)?).await?),
        _ => return Err(Fault::new(Code::BadRoute, format!("RoomService has no method {method}"))),
    })
}

/// Who calls: the claims of a good token.
pub(super) struct Caller {
    claims: Claims,
}

impl Caller {
    fn of(signaling: &Signaling, headers: &HeaderMap) -> Result<Self, Fault> {
        let token = bearer(headers).unwrap_or_default();
        let claims = signaling.inner.verifier.verify(token);
        let claims = claims.map_err(|error| Fault::new(Code::Unauthenticated, error.to_string()))?;
        Ok(Self { claims })
    }

    fn require(&self, allowed: impl Fn(&Grants) -> bool, grant: &str) -> Result<(), Fault> {
        match &self.claims.video {
            Some(grants) if allowed(grants) => Ok(()),
            _ => Err(Fault::new(
                Code::PermissionDenied,
                format!("permissions denied: the access token needs the grant {grant}"),
            )),
        }
    }

    fn may_create(&self) -> Result<(), Fault> {
        self.require(|grants| grants.room_create, "roomCreate")
    }

    fn may_list(&self) -> Result<(), Fault> {
        self.require(|grants| grants.room_list, "roomList")
    }

    fn administers(&self, room: &str) -> Result<(), Fault> {
        self.require(|grants| grants.room_admin && grants.room == room, "roomAdmin for this room")
    }

    fn may_move(&self, room: &str, destination: &str) -> Result<(), Fault> {
        self.administers(room)?;
        self.require(|grants| grants.destination_room == destination, "destinationRoom for that room")
    }
}

impl From<CommandError> for Fault {
    fn from(error: CommandError) -> Self {
        match error {
            CommandError::NoSuchRoom(_) => Self::new(Code::NotFound, "requested room does not exist"),
            CommandError::Refused(error) => error.into(),
            CommandError::TooManyRooms => Self::new(Code::ResourceExhausted, error.to_string()),
            CommandError::Stopping | CommandError::Media(_) => {
                Self::new(Code::Unavailable, error.to_string())
            }
            CommandError::NoApiKey => Self::new(Code::Internal, error.to_string()),
        }
    }
}

impl From<JoinError> for Fault {
    fn from(error: JoinError) -> Self {
        match error {
            JoinError::Command(error) => error.into(),
            JoinError::Refused(JoinRefused::Full) => Self::new(Code::ResourceExhausted, "the room is full"),
            JoinError::Refused(refused) => Self::new(Code::FailedPrecondition, refused.to_string()),
        }
    }
}

impl From<ControlError> for Fault {
    fn from(error: ControlError) -> Self {
        let code = match error {
            ControlError::NoParticipant | ControlError::NoTrack => Code::NotFound,
            ControlError::RemoteUnmute | ControlError::NotConnected => Code::FailedPrecondition,
            ControlError::TooLarge(_) => Code::InvalidArgument,
        };
        Self::new(code, error.to_string())
    }
}

impl From<RpcFault> for Fault {
    fn from(fault: RpcFault) -> Self {
        let code = match fault.code {
            RpcFault::CONNECTION_TIMEOUT | RpcFault::RESPONSE_TIMEOUT => Code::Canceled,
            RpcFault::RECIPIENT_DISCONNECTED => Code::Unavailable,
            RpcFault::SEND_FAILED => Code::ResourceExhausted,
            RpcFault::UNSUPPORTED_METHOD => Code::InvalidArgument,
            RpcFault::PAYLOAD_TOO_LARGE => Code::Malformed,
            _ => Code::Internal,
        };
        Self::new(code, fault.to_string())
    }
}

#[cfg(test)]
mod tests;
