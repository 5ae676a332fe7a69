//! Extractors whose refusals are problem documents.

use std::net::SocketAddr;

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{ConnectInfo, FromRequest, FromRequestParts, Path, Query, Request};
use http::request::Parts;
use http::{HeaderMap, header};
use parley_control_app::{Caller, Principal};
use serde::de::DeserializeOwned;

use crate::problem::Problem;
use crate::state::{ApiState, Signed};

/// A JSON body.
pub struct Body<T>(pub T);

impl<T: DeserializeOwned> FromRequest<ApiState> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &ApiState) -> Result<Self, Problem> {
        let body: Result<Json<T>, JsonRejection> = Json::from_request(request, state).await;
        Ok(Self(body?.0))
    }
}

/// The query string.
pub struct Params<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<ApiState> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, Problem> {
        let query: Result<Query<T>, QueryRejection> = Query::from_request_parts(parts, state).await;
        Ok(Self(query?.0))
    }
}

/// The path's parameters.
pub struct Segment<T>(pub T);

impl<T: DeserializeOwned + Send> FromRequestParts<ApiState> for Segment<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, Problem> {
        let path: Result<Path<T>, PathRejection> = Path::from_request_parts(parts, state).await;
        Ok(Self(path?.0))
    }
}

/// The signed-in member, put there by the guard that every endpoint passes.
pub struct Member(pub Principal);

impl FromRequestParts<ApiState> for Member {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &ApiState) -> Result<Self, Problem> {
        match parts.extensions.get::<Signed>() {
            Some(signed) => Ok(Self(signed.principal.clone())),
            None => Err(parley_control_app::AppError::unauthenticated().into()),
        }
    }
}

/// Who asks.
pub struct Who(pub Caller);

impl FromRequestParts<ApiState> for Who {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, Self::Rejection> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
        let forwarded = forwarded_for(&parts.headers).filter(|_| state.config.behind_proxy);
        let address = forwarded.or_else(|| peer.map(|ip| ip.to_string()));
        let user_agent = parts.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
        Ok(Self(Caller {
            address: address.unwrap_or_else(|| "unknown".to_owned()),
            user_agent: user_agent.unwrap_or_default().to_owned(),
        }))
    }
}

/// The last address of `X-Forwarded-For`: the one that our own proxy wrote; those before it anyone can write.
fn forwarded_for(headers: &HeaderMap) -> Option<String> {
    let last = headers.get_all("x-forwarded-for").iter().next_back()?.to_str().ok()?;
    let address = last.rsplit(',').next()?.trim();
    address.parse::<std::net::IpAddr>().ok().map(|ip| ip.to_string())
}
