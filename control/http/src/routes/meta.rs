//! What pages and programs need to know first: configuration, the API's description, its reading page.

use axum::Json;
use axum::extract::State;
use axum::response::{Html, IntoResponse, Response};
use http::{HeaderValue, header};
use serde::Serialize;
use utoipa::ToSchema;

use crate::problem::ProblemDocument;
use crate::state::ApiState;

const DOCS_PAGE: &str = include_str!("docs.html");
const DOCS_SCRIPT: &str = include_str!("docs.js");
const DOCS_STYLE: &str = include_str!("docs.css");

/// For the pages.
#[derive(Debug, Serialize, ToSchema)]
pub struct Config {
    pub version: String,
    /// Where the signalling server is.
    pub media_url: String,
    pub default_locale: String,
    /// A development server.
    pub dev: bool,
}

/// What the pages need to know first.
#[utoipa::path(get, path = "/api/v1/config", tag = "server", responses((status = 200, body = Config),
    (status = "default", body = ProblemDocument, content_type = "application/problem+json")))]
pub async fn config(State(state): State<ApiState>) -> Json<Config> {
    Json(Config {
        version: state.config.version.clone(),
        media_url: state.config.media_url.clone(),
        default_locale: state.config.default_locale.clone(),
        dev: state.config.dev,
    })
}

/// The reading page of the API: one page, its own script and style, nothing from elsewhere.
pub async fn docs() -> Html<&'static str> {
    Html(DOCS_PAGE)
}

pub async fn docs_script() -> Response {
    let kind = HeaderValue::from_static("text/javascript; charset=utf-8");
    ([(header::CONTENT_TYPE, kind)], DOCS_SCRIPT).into_response()
}

pub async fn docs_style() -> Response {
    let kind = HeaderValue::from_static("text/css; charset=utf-8");
    ([(header::CONTENT_TYPE, kind)], DOCS_STYLE).into_response()
}
