//! The router: every endpoint with its description, the guard before all of them, problems for the rest.

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Request};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use axum::{Json, Router};
use http::{HeaderName, HeaderValue, StatusCode, header};
use parley_control_app::App;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::guard::guard;
use crate::problem::Problem;
use crate::routes::{account, appointments, catalogue, join, meta, public};
use crate::state::{ApiState, HttpConfig};

/// No body of this API is larger.
const MAX_BODY: usize = 256 * 1024;
/// Answers of the API are data: nothing in them may be run or framed. The reading page has its own policy.
const API_POLICY: &str = "default-src 'none'; frame-ancestors 'none'";
const DOCS_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Parley",
        description = "Booking, waiting room and consultation. Errors are problem documents (RFC 9457) with a \
            stable `code`. Signed-in requests carry the cookie `parley_session`; those that change something \
            need the header `X-Parley-CSRF: 1`."
    ),
    tags(
        (name = "booking", description = "Booking without an account"),
        (name = "join", description = "Joining by link or code"),
        (name = "account", description = "Signing in"),
        (name = "desk", description = "Appointments and the waiting room, for members"),
        (name = "practice", description = "Services, members and hours"),
        (name = "server", description = "The server itself"),
    )
)]
struct ApiDoc;

/// The routes of the API and their description.
pub(crate) fn endpoints() -> OpenApiRouter<ApiState> {
    OpenApiRouter::with_openapi(ApiDoc::openapi())
        .routes(routes!(meta::config))
        .routes(routes!(public::organisations))
        .routes(routes!(public::organisation))
        .routes(routes!(public::slots))
        .routes(routes!(public::book))
        .routes(routes!(public::appointment))
        .routes(routes!(public::cancel))
        .routes(routes!(public::calendar))
        .routes(routes!(join::view))
        .routes(routes!(join::enter))
        .routes(routes!(join::media_token))
        .routes(routes!(join::leave))
        .routes(routes!(join::events))
        .routes(routes!(account::login))
        .routes(routes!(account::magic_link))
        .routes(routes!(account::redeem))
        .routes(routes!(account::logout))
        .routes(routes!(account::me, account::change_me))
        .routes(routes!(appointments::list))
        .routes(routes!(appointments::one))
        .routes(routes!(appointments::start))
        .routes(routes!(appointments::admit))
        .routes(routes!(appointments::decline))
        .routes(routes!(appointments::send_back))
        .routes(routes!(appointments::admit_all))
        .routes(routes!(appointments::end))
        .routes(routes!(appointments::cancel))
        .routes(routes!(appointments::events))
        .routes(routes!(catalogue::services, catalogue::service_add))
        .routes(routes!(catalogue::service_change))
        .routes(routes!(catalogue::members, catalogue::member_add))
        .routes(routes!(catalogue::availability, catalogue::availability_set))
}

/// Everything under `/api/v1`: merge it into the server's router. Whatever else is asked for there is answered
/// with a problem.
pub fn router(config: HttpConfig, app: Arc<App>) -> Router {
    let (endpoints, mut api) = endpoints().split_for_parts();
    api.info.version.clone_from(&config.version);
    let state = ApiState::new(config, app);
    endpoints
        .route_layer(from_fn_with_state(state.clone(), guard))
        .merge(description(api))
        .method_not_allowed_fallback(async || Problem::method_not_allowed())
        .route("/api/v1/{*rest}", any(async || Problem::no_such_endpoint()))
        .route("/api/v1", any(async || Problem::no_such_endpoint()))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(CatchPanicLayer::custom(on_panic))
        .layer(from_fn(headers))
        .with_state(state)
}

/// The API's description and its reading page: the same for everyone, so they need no permission.
fn description(api: OpenApi) -> Router<ApiState> {
    Router::new()
        .route("/api/v1/openapi.json", get(async move || Json(api.clone())))
        .route("/api/v1/docs", get(meta::docs))
        .route("/api/v1/docs.js", get(meta::docs_script))
        .route("/api/v1/docs.css", get(meta::docs_style))
}

async fn headers(request: Request, next: Next) -> Response {
    let docs = request.uri().path().starts_with("/api/v1/docs");
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, if docs { DOCS_POLICY } else { API_POLICY }),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // Answers are about one person at one moment; a stream says no-cache itself.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

fn on_panic(_: Box<dyn std::any::Any + Send + 'static>) -> http::Response<axum::body::Body> {
    tracing::error!("a handler panicked");
    let detail = "Something went wrong on our side. Please try again.";
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail).into_response()
}
