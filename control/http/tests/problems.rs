//! What is wrong is said as a problem document, whoever notices it.
#![allow(clippy::unwrap_used)]

mod support;

use axum::body::Body;
use http::{Method, Request, StatusCode, header};
use serde_json::json;
use support::{Server, request};

#[tokio::test]
async fn refusals_of_the_framework_are_problems_too() {
    let server = Server::new().await;
    let login = |kind: Option<&str>, body: String| {
        let mut builder = Request::builder().method(Method::POST).uri("/api/v1/auth/login");
        if let Some(kind) = kind {
            builder = builder.header(header::CONTENT_TYPE, kind);
        }
        builder.body(Body::from(body)).unwrap()
    };
    let json_kind = Some("application/json");
    let big = format!("{{\"email\":\"{}\"}}", "a".repeat(300 * 1024));
    for (request, status, code) in [
        (login(json_kind, "{".to_owned()), StatusCode::BAD_REQUEST, "json_invalid"),
        (login(json_kind, "{\"email\":1}".to_owned()), StatusCode::UNPROCESSABLE_ENTITY, "body_invalid"),
        (
            login(Some("text/plain"), "{}".to_owned()),
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "media_type_unsupported",
        ),
        (login(None, String::new()), StatusCode::UNSUPPORTED_MEDIA_TYPE, "media_type_unsupported"),
        (login(json_kind, big), StatusCode::PAYLOAD_TOO_LARGE, "body_too_large"),
        (
            request(Method::DELETE, "/api/v1/auth/login", None, None),
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
        ),
        (request(Method::GET, "/api/v1/nothing/here", None, None), StatusCode::NOT_FOUND, "no_such_endpoint"),
        (request(Method::POST, "/api/v1", None, None), StatusCode::NOT_FOUND, "no_such_endpoint"),
        (
            request(
                Method::GET,
                "/api/v1/public/services/no-uuid/slots?from=2026-11-23&to=2026-11-23",
                None,
                None,
            ),
            StatusCode::NOT_FOUND,
            "not_found",
        ),
        (
            request(
                Method::GET,
                "/api/v1/public/services/01a207a4-0740-7daf-9666-d3ab072afee7/slots?from=x",
                None,
                None,
            ),
            StatusCode::BAD_REQUEST,
            "query_invalid",
        ),
        (
            request(Method::GET, "/api/v1/public/organisations/none", None, None),
            StatusCode::NOT_FOUND,
            "not_found",
        ),
        (request(Method::GET, "/api/v1/join/K7QM-4RTD", None, None), StatusCode::NOT_FOUND, "link_invalid"),
        (request(Method::GET, "/api/v1/me", None, None), StatusCode::UNAUTHORIZED, "not_signed_in"),
        (
            request(Method::GET, "/api/v1/me", Some("parley_session=forged"), None),
            StatusCode::UNAUTHORIZED,
            "not_signed_in",
        ),
    ] {
        let what = format!("{} {}", request.method(), request.uri().path());
        let reply = server.send(request).await;
        assert_eq!((reply.status, reply.code().as_str()), (status, code), "{what}");
    }
    let wrong = server.send(request(Method::DELETE, "/api/v1/auth/login", None, None)).await;
    assert_eq!(wrong.headers[header::ALLOW], "POST");
}

#[tokio::test]
async fn a_wrong_booking_names_its_fields() {
    let server = Server::new().await;
    let mut body = server.booking("2026-11-23T10:00:00Z").await;
    body["client"] = json!({ "name": "", "email": "x" });
    let reply = server.post("/api/v1/public/appointments", None, body).await;
    assert_eq!(
        (reply.status, reply.code()),
        (StatusCode::UNPROCESSABLE_ENTITY, "validation_failed".to_owned())
    );
    let problem = reply.json();
    let fields: Vec<&str> =
        problem["errors"].as_array().unwrap().iter().map(|error| error["field"].as_str().unwrap()).collect();
    assert_eq!(fields, ["client.name", "client.email"]);
}

#[tokio::test]
async fn an_expired_link_is_gone() {
    let server = Server::new().await;
    let booked = server.book("2026-11-23T10:00:00Z").await;
    server.bench.clock.set(support::common::at("2026-11-23T10:45:00Z"));
    let token = booked["join_token"].as_str().unwrap();
    let code = booked["appointment"]["join"]["code"].as_str().unwrap();
    for link in [token, code] {
        let reply = server.get(&format!("/api/v1/join/{link}"), None).await;
        assert_eq!((reply.status, reply.code()), (StatusCode::GONE, "link_expired".to_owned()));
    }
}

#[tokio::test]
async fn no_text_in_a_path_is_the_servers_fault() {
    let server = Server::new().await;
    for slug in ["%00", "demo%00", "DEMO", "%F0%9F%92%A9", "-"] {
        let reply = server.get(&format!("/api/v1/public/organisations/{slug}"), None).await;
        assert_eq!((reply.status, reply.code()), (StatusCode::NOT_FOUND, "not_found".to_owned()), "{slug}");
    }
}

#[tokio::test]
async fn so_many_bookings_from_one_address() {
    let server = Server::new().await;
    let mut body = server.booking("2026-11-24T10:00:00Z").await;
    let days = server.bench.slots_on("2026-11-24").await.into_iter();
    let mut free: Vec<_> = days.chain(server.bench.slots_on("2026-11-25").await).collect();
    free.extend(server.bench.slots_on("2026-11-26").await);
    free.extend(server.bench.slots_on("2026-11-27").await);
    let (mut booked, mut start) = (0, free.into_iter());
    let refused = loop {
        body["start"] = json!(start.next().unwrap().to_string());
        body["client"]["email"] = json!(format!("client{booked}@mail.test"));
        let reply = server.post("/api/v1/public/appointments", None, body.clone()).await;
        match reply.status {
            StatusCode::CREATED => booked += 1,
            StatusCode::CONFLICT => {}
            _ => break reply,
        }
    };
    assert_eq!(booked, 30);
    assert_eq!((refused.status, refused.code()), (StatusCode::TOO_MANY_REQUESTS, "too_many_attempts".into()));
    assert!(refused.headers.contains_key(header::RETRY_AFTER));
}

#[tokio::test]
async fn a_member_cancels_with_and_without_a_reason() {
    let server = Server::new().await;
    let cookie = server.sign_in("doctor@demo.test").await;
    for (start, body, reason) in [
        ("2026-11-24T10:00:00Z", json!({}), serde_json::Value::Null),
        ("2026-11-24T11:00:00Z", json!({ "reason": "" }), serde_json::Value::Null),
        ("2026-11-24T12:00:00Z", json!({ "reason": "Ill" }), json!("Ill")),
    ] {
        let booked = server.book(start).await;
        let path = format!("/api/v1/appointments/{}/cancel", booked["appointment"]["id"].as_str().unwrap());
        let reply = server.post(&path, Some(&cookie), body).await;
        assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);
        assert_eq!(reply.json()["cancelled"]["reason"], reason);
    }
}

#[tokio::test]
async fn answers_are_neither_kept_nor_run_nor_framed() {
    let server = Server::new().await;
    for path in ["/api/v1/config", "/api/v1/nothing", "/api/v1/me"] {
        let reply = server.get(path, None).await;
        assert_eq!(reply.headers[header::CACHE_CONTROL], "no-store");
        assert_eq!(reply.headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        assert_eq!(
            reply.headers[header::CONTENT_SECURITY_POLICY],
            "default-src 'none'; frame-ancestors 'none'"
        );
    }
}

#[tokio::test]
async fn the_api_describes_itself() {
    let server = Server::new().await;
    let api = server.get("/api/v1/openapi.json", None).await.json();
    assert!(api["openapi"].as_str().unwrap().starts_with("3.1"), "{}", api["openapi"]);
    assert_eq!(api["info"]["version"], "1.2.3");
    let view = &api["components"]["schemas"]["JoinView"];
    assert_eq!(view["properties"]["now"]["format"], "date-time", "{view}");
    assert!(api["components"]["schemas"]["Problem"].is_object());
    // Every reference leads somewhere.
    let text = api.to_string();
    for reference in text.split("\"$ref\":\"#").skip(1) {
        let pointer = reference.split('"').next().unwrap();
        assert!(api.pointer(pointer).is_some(), "{pointer}");
    }
    let page = server.get("/api/v1/docs", None).await;
    assert!(page.text.contains("/api/v1/docs.js") && !page.text.contains("http"), "nothing from elsewhere");
    assert_eq!(server.get("/api/v1/docs.js", None).await.status, StatusCode::OK);
    assert_eq!(server.get("/api/v1/docs.css", None).await.status, StatusCode::OK);
    let config = server.get("/api/v1/config", None).await.json();
    let expected =
        json!({ "version": "1.2.3", "media_url": "wss://parley.test", "default_locale": "en", "dev": false });
    assert_eq!(config, expected);
}
