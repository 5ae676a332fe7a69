//! The web front end, built into the binary.

use axum::{
    Router,
    body::Body,
    extract::Request,
    http::{HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use rust_embed::RustEmbed;
use tower_http::{compression::CompressionLayer, set_header::SetResponseHeaderLayer};

#[derive(RustEmbed)]
#[folder = "web/dist/"]
#[allow_missing = true]
struct Files;

/// Scripts and styles only from us; media and sockets where a call needs them. Inline styles are set by the
/// video library and by the components' positioning.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data: blob:; media-src 'self' blob:; connect-src 'self' ws: wss:; worker-src 'self' blob:; \
    object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// Camera and microphone for our own pages, nothing else.
const PERMISSIONS_POLICY: &str = "camera=(self), microphone=(self), display-capture=(self), \
    speaker-selection=(self), fullscreen=(self), picture-in-picture=(self), screen-wake-lock=(self), \
    geolocation=(), payment=(), usb=()";

/// Routes for all pages: files by name, everything else is a page of the application.
/// `hsts` makes browsers insist on HTTPS: only with a certificate that they trust, since it takes away the
/// button by which people accept our own one.
pub fn router(hsts: bool) -> Router {
    let mut router = Router::new().fallback(page).layer(CompressionLayer::new());
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::HeaderName::from_static("permissions-policy"), PERMISSIONS_POLICY),
        (header::HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ] {
        router = router.layer(SetResponseHeaderLayer::overriding(name, HeaderValue::from_static(value)));
    }
    if hsts {
        let value = HeaderValue::from_static("max-age=31536000");
        router = router.layer(SetResponseHeaderLayer::overriding(header::STRICT_TRANSPORT_SECURITY, value));
    }
    router
}

async fn page(request: Request) -> Response {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    let path = request.uri().path().trim_start_matches('/');
    if let Some(file) = Files::get(path) {
        return respond(path, file.data.into_owned());
    }
    // A missing script must not be answered with a page: the browser would report a syntax error.
    if path.starts_with("assets/") {
        return StatusCode::NOT_FOUND.into_response();
    }
    match Files::get("index.html") {
        Some(file) => respond("index.html", file.data.into_owned()),
        None => (
            StatusCode::SERVICE_UNAVAILABLE,
            "The pages are not part of this build: start the server with ./parley.",
        )
            .into_response(),
    }
}

fn respond(path: &str, bytes: Vec<u8>) -> Response {
    let kind = mime_guess::from_path(path).first_or_octet_stream();
    let charset = if kind.type_() == mime_guess::mime::TEXT { "; charset=utf-8" } else { "" };
    // Vite puts a hash of the content into the names under assets/.
    let cache = if path.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    Response::builder()
        .header(header::CONTENT_TYPE, format!("{kind}{charset}"))
        .header(header::CACHE_CONTROL, cache)
        .body(Body::from(bytes))
        .expect("constant header values are valid")
}
