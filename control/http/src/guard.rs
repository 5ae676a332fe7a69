//! The one table of endpoints and what each of them asks for, and the guard that enforces it. An endpoint that
//! is not in the table cannot be reached.

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode, header};
use parley_control_app::AppError;
use parley_control_domain::Permission;
use url::Url;

use crate::problem::Problem;
use crate::state::{ApiState, HttpConfig, Signed};

/// The session cookie.
pub(crate) const SESSION_COOKIE: &str = "parley_session";
/// A header that no cross-site form can send.
const CSRF_HEADER: &str = "x-parley-csrf";

/// Who may call an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anyone: nothing personal is told, or (sign-in) the body is the credential.
    Public(Permission),
    /// The holder of a signed link: the token in the path is the credential.
    Link(Permission),
    /// A signed-in member whose role has the permission; the use case judges how far it reaches.
    Member(Permission),
}

/// Method, path, access: every endpoint there is.
pub const ENDPOINTS: &[(Method, &str, Access)] = {
    use Access::{Link, Member, Public};
    use Permission as P;
    const GET: Method = Method::GET;
    const POST: Method = Method::POST;
    const PUT: Method = Method::PUT;
    const PATCH: Method = Method::PATCH;
    &[
        (GET, "/api/v1/config", Public(P::PublicRead)),
        (GET, "/api/v1/public/organisations", Public(P::PublicRead)),
        (GET, "/api/v1/public/organisations/{slug}", Public(P::PublicRead)),
        (GET, "/api/v1/public/services/{id}/slots", Public(P::PublicRead)),
        (POST, "/api/v1/public/appointments", Public(P::AppointmentBook)),
        (GET, "/api/v1/public/appointments/{manage_token}", Link(P::AppointmentRead)),
        (POST, "/api/v1/public/appointments/{manage_token}/cancel", Link(P::AppointmentCancel)),
        (GET, "/api/v1/public/appointments/{manage_token}/calendar.ics", Link(P::AppointmentRead)),
        (GET, "/api/v1/join/{token}", Link(P::ConsultationJoin)),
        (POST, "/api/v1/join/{token}/enter", Link(P::ConsultationJoin)),
        (POST, "/api/v1/join/{token}/media-token", Link(P::ConsultationJoin)),
        (POST, "/api/v1/join/{token}/leave", Link(P::ConsultationJoin)),
        (GET, "/api/v1/join/{token}/events", Link(P::ConsultationJoin)),
        (POST, "/api/v1/auth/login", Public(P::PublicRead)),
        (POST, "/api/v1/auth/magic-link", Public(P::PublicRead)),
        (POST, "/api/v1/auth/magic-link/redeem", Public(P::PublicRead)),
        (POST, "/api/v1/auth/logout", Public(P::PublicRead)),
        (GET, "/api/v1/me", Member(P::AccountSelf)),
        (PATCH, "/api/v1/me", Member(P::AccountSelf)),
        (GET, "/api/v1/appointments", Member(P::AppointmentRead)),
        (GET, "/api/v1/appointments/{id}", Member(P::AppointmentRead)),
        (POST, "/api/v1/appointments/{id}/start", Member(P::ConsultationHost)),
        (POST, "/api/v1/appointments/{id}/admit", Member(P::ConsultationHost)),
        (POST, "/api/v1/appointments/{id}/decline", Member(P::ConsultationHost)),
        (POST, "/api/v1/appointments/{id}/send-back", Member(P::ConsultationHost)),
        (POST, "/api/v1/appointments/{id}/admit-all", Member(P::ConsultationHost)),
        (POST, "/api/v1/appointments/{id}/end", Member(P::ConsultationHost)),
        (POST, "/api/v1/appointments/{id}/cancel", Member(P::AppointmentCancel)),
        (GET, "/api/v1/dashboard/events", Member(P::AppointmentRead)),
        (GET, "/api/v1/services", Member(P::ServiceRead)),
        (POST, "/api/v1/services", Member(P::ServiceWrite)),
        (PATCH, "/api/v1/services/{id}", Member(P::ServiceWrite)),
        (GET, "/api/v1/members", Member(P::MemberRead)),
        (POST, "/api/v1/members", Member(P::MemberWrite)),
        (GET, "/api/v1/members/{id}/availability", Member(P::AvailabilityRead)),
        (PUT, "/api/v1/members/{id}/availability", Member(P::AvailabilityWrite)),
    ]
};

/// What an endpoint asks for, when it is in the table.
pub fn access_of(method: &Method, path: &str) -> Option<Access> {
    // A HEAD request is answered by the handler of GET.
    let method = if method == Method::HEAD { &Method::GET } else { method };
    ENDPOINTS.iter().find(|(m, p, _)| m == method && *p == path).map(|(_, _, access)| *access)
}

/// Lets a request through to its handler, or answers it.
pub(crate) async fn guard(State(state): State<ApiState>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    match check(&state, &parts).await {
        Ok(signed) => {
            if let Some(signed) = signed {
                parts.extensions.insert(signed);
            }
            next.run(Request::from_parts(parts, body)).await
        }
        Err(problem) => problem.into_response(),
    }
}

async fn check(state: &ApiState, request: &Parts) -> Result<Option<Signed>, Problem> {
    let path = request.extensions.get::<MatchedPath>().map(MatchedPath::as_str).unwrap_or_default();
    let Some(access) = access_of(&request.method, path) else {
        tracing::error!(path, "an endpoint without an entry in the table of permissions was called");
        return Err(Problem::no_such_endpoint());
    };
    let secret = session_secret(&request.headers);
    if secret.is_some() && !request.method.is_safe() {
        check_origin(request, &state.config)?;
    }
    let Access::Member(permission) = access else { return Ok(None) };
    let secret = secret.ok_or_else(AppError::unauthenticated)?;
    let principal = state.app.authenticate(&secret).await?;
    principal.reach(permission)?;
    Ok(Some(Signed { principal, secret }))
}

/// The secret of the session cookie.
pub(crate) fn session_secret(headers: &HeaderMap) -> Option<String> {
    let cookies = headers.get_all(header::COOKIE);
    let mut pairs = cookies.iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(';'));
    pairs.find_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        (name == SESSION_COOKIE && !value.is_empty()).then(|| value.to_owned())
    })
}

/// A change that carries a cookie must come from our own pages: it has a header that a form cannot send, and
/// no foreign Origin.
fn check_origin(request: &Parts, config: &HttpConfig) -> Result<(), Problem> {
    let headers = &request.headers;
    let refused =
        |detail: &str| Err(Problem::new(StatusCode::FORBIDDEN, "cross_site_refused", detail.to_owned()));
    if headers.get(CSRF_HEADER).is_none_or(|value| value != "1") {
        return refused("A change with a session cookie needs the header X-Parley-CSRF: 1.");
    }
    let Some(origin) = headers.get(header::ORIGIN) else { return Ok(()) };
    let own = origin.to_str().ok().and_then(|origin| Url::parse(origin).ok()).is_some_and(|origin| {
        origin.origin() == config.public_url.origin()
            || is_host(&origin, request, config)
            || (config.dev && is_loopback(&origin))
    });
    if own { Ok(()) } else { refused("This change came from another site.") }
}

/// Whether the origin is the very host that was asked: the page and the API are one. Where cookies are for
/// HTTPS only, so are pages: anyone on the way could have written one that came in the clear.
fn is_host(origin: &Url, request: &Parts, config: &HttpConfig) -> bool {
    if config.secure_cookies && origin.scheme() != "https" && !is_loopback(origin) {
        return false;
    }
    let authority = match request.uri.authority() {
        Some(authority) => Some(authority.as_str()),
        None => request.headers.get(header::HOST).and_then(|host| host.to_str().ok()),
    };
    let Some(authority) = authority else { return false };
    let asked = Url::parse(&format!("{}://{authority}", origin.scheme()));
    matches!(origin.scheme(), "http" | "https") && asked.is_ok_and(|asked| asked.origin() == origin.origin())
}

fn is_loopback(origin: &Url) -> bool {
    match origin.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}
