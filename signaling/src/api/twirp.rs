//! Twirp, version 7: <https://twitchtv.github.io/twirp/docs/spec_v7.html>.

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use prost::Message;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

const JSON: &str = "application/json";
const PROTOBUF: &str = "application/protobuf";

/// Twirp's error codes, as far as this server uses them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    Canceled,
    InvalidArgument,
    Malformed,
    NotFound,
    BadRoute,
    PermissionDenied,
    Unauthenticated,
    ResourceExhausted,
    FailedPrecondition,
    Unimplemented,
    Internal,
    Unavailable,
    DeadlineExceeded,
}

impl Code {
    fn name(self) -> &'static str {
        match self {
            Self::Canceled => "canceled",
            Self::InvalidArgument => "invalid_argument",
            Self::Malformed => "malformed",
            Self::NotFound => "not_found",
            Self::BadRoute => "bad_route",
            Self::PermissionDenied => "permission_denied",
            Self::Unauthenticated => "unauthenticated",
            Self::ResourceExhausted => "resource_exhausted",
            Self::FailedPrecondition => "failed_precondition",
            Self::Unimplemented => "unimplemented",
            Self::Internal => "internal",
            Self::Unavailable => "unavailable",
            Self::DeadlineExceeded => "deadline_exceeded",
        }
    }

    fn status(self) -> StatusCode {
        match self {
            Self::Canceled | Self::DeadlineExceeded => StatusCode::REQUEST_TIMEOUT,
            Self::InvalidArgument | Self::Malformed => StatusCode::BAD_REQUEST,
            Self::NotFound | Self::BadRoute => StatusCode::NOT_FOUND,
            Self::PermissionDenied => StatusCode::FORBIDDEN,
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
            Self::FailedPrecondition => StatusCode::PRECONDITION_FAILED,
            Self::Unimplemented => StatusCode::NOT_IMPLEMENTED,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

/// Why a call failed; always told in JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) code: Code,
    pub(crate) message: String,
}

impl Fault {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let body = serde_json::json!({ "code": self.code.name(), "msg": self.message });
        // Without a charset: an SDK compares the whole value.
        let json = [(header::CONTENT_TYPE, HeaderValue::from_static(JSON))];
        (self.code.status(), json, body.to_string()).into_response()
    }
}

/// How a request is written; its answer is written the same way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Json,
    Protobuf,
}

impl Format {
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self, Fault> {
        let kind =
            headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        match kind.to_ascii_lowercase().as_str() {
            JSON => Ok(Self::Json),
            PROTOBUF => Ok(Self::Protobuf),
            _ => Err(Fault::new(
                Code::BadRoute,
                format!("unexpected Content-Type: {kind:?}; send {JSON} or {PROTOBUF}"),
            )),
        }
    }

    pub(crate) fn read<T: Message + Default + DeserializeOwned>(self, body: Bytes) -> Result<T, Fault> {
        let malformed = |reason: String| Fault::new(Code::Malformed, reason);
        match self {
            Self::Protobuf => T::decode(body)
                .map_err(|error| malformed(format!("the protobuf request could not be decoded: {error}"))),
            Self::Json => {
                let mut value: Value = serde_json::from_slice(&body)
                    .map_err(|error| malformed(format!("the request is not JSON: {error}")))?;
                // Protobuf's JSON form: null is as good as absent.
                drop_nulls(&mut value);
                serde_json::from_value(value)
                    .map_err(|error| malformed(format!("the JSON request could not be decoded: {error}")))
            }
        }
    }

    pub(crate) fn write<T: Message + Serialize>(self, answer: &T) -> Response {
        let (kind, body) = match self {
            Self::Protobuf => (PROTOBUF, answer.encode_to_vec()),
            Self::Json => match serde_json::to_value(answer) {
                Ok(answer) => (JSON, with_proto_names(answer).to_string().into_bytes()),
                Err(error) => return Fault::new(Code::Internal, error.to_string()).into_response(),
            },
        };
        ([(header::CONTENT_TYPE, HeaderValue::from_static(kind))], body).into_response()
    }
}

/// The keys of this field are data.
const MAP: &str = "attributes";

/// As LiveKit answers: `num_participants`, not `numParticipants`. SDKs read both.
fn with_proto_names(value: Value) -> Value {
    match value {
        Value::Object(fields) => Value::Object(
            fields
                .into_iter()
                .map(|(name, field)| match name == MAP {
                    true => (name, field),
                    false => (snake_case(&name), with_proto_names(field)),
                })
                .collect(),
        ),
        Value::Array(items) => Value::Array(items.into_iter().map(with_proto_names).collect()),
        other => other,
    }
}

fn snake_case(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(letter.to_ascii_lowercase());
    }
    out
}

fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, field| !field.is_null());
            fields.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}
