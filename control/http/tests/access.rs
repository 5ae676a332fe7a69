//! Who may call what: the table is whole, and each endpoint answers each role as it should.
#![allow(clippy::unwrap_used)]

mod support;

use http::{Method, Request, StatusCode, header};
use parley_control_app::{FirstOrganisation, NewMember};
use parley_control_domain::Role;
use parley_control_http::{Access, ENDPOINTS, access_of};
use serde_json::{Value, json};
use support::common::{Bench, caller};
use support::{Server, request};

#[tokio::test]
async fn every_endpoint_names_its_permission_and_every_entry_is_an_endpoint() {
    let server = Server::new().await;
    let api = server.get("/api/v1/openapi.json", None).await.json();
    let mut described = Vec::new();
    for (path, operations) in api["paths"].as_object().unwrap() {
        for method in operations.as_object().unwrap().keys() {
            let method: Method = method.to_uppercase().parse().unwrap();
            assert!(access_of(&method, path).is_some(), "{method} {path} names no permission");
            described.push((method, path.clone()));
        }
    }
    for (method, path, _) in ENDPOINTS {
        assert!(described.iter().any(|(m, p)| m == method && p == path), "{method} {path} is not described");
    }
    assert_eq!(described.len(), ENDPOINTS.len());
}

/// What a role may expect of an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expect {
    /// The use case decides: neither "sign in" nor "not you" nor "no such thing".
    May,
    SignIn,
    NotYou,
    NoSuchThing,
}

const ROLES: [&str; 6] =
    ["anonymous", "provider", "other provider", "manager", "admin", "other organisation"];

/// In the order of `ROLES`.
fn expected(method: &Method, path: &str, access: Access) -> [Expect; 6] {
    use Expect::{May, NoSuchThing, NotYou, SignIn};
    let Access::Member(_) = access else { return [May; 6] };
    let path = path.strip_prefix("/api/v1").unwrap();
    match (method.as_str(), path) {
        (_, "/me" | "/appointments" | "/dashboard/events") | ("GET", "/services") => {
            [SignIn, May, May, May, May, May]
        }
        ("POST", "/services") | (_, "/members") => [SignIn, NotYou, NotYou, May, May, May],
        (_, "/services/{id}") => [SignIn, NotYou, NotYou, May, May, NoSuchThing],
        (_, path) if path.starts_with("/appointments/{id}") || path.starts_with("/members/{id}") => {
            [SignIn, May, NotYou, May, May, NoSuchThing]
        }
        other => panic!("say what the roles may expect of {other:?}"),
    }
}

fn body_of(method: &Method, path: &str, participant: &str) -> Option<Value> {
    let last = path.rsplit('/').next().unwrap();
    match (method.as_str(), last) {
        ("POST", "admit" | "decline" | "send-back") => Some(json!({ "participant_id": participant })),
        ("POST", "cancel") => Some(json!({ "reason": "Ill" })),
        ("POST", "enter") => Some(json!({ "display_name": "Ana" })),
        ("POST", "login") => Some(json!({ "email": "x", "password": "y" })),
        ("POST", "magic-link") => Some(json!({ "email": "nobody@demo.test" })),
        ("PUT", "availability") => Some(json!({ "time_zone": "UTC", "schedules": [] })),
        ("POST", "members") => Some(json!({ "name": "", "email": "x", "role": "provider" })),
        ("POST" | "PATCH", "services" | "{id}" | "me") => Some(json!({})),
        ("POST", "redeem" | "appointments") => Some(json!({})),
        _ => None,
    }
}

#[tokio::test]
async fn each_role_gets_what_it_may() {
    let bench = Bench::empty().await;
    let first = FirstOrganisation {
        name: "Praxis Nord".to_owned(),
        time_zone: "Europe/Berlin".to_owned(),
        admin_name: "Kim Berg".to_owned(),
        admin_email: "kim@nord.test".to_owned(),
    };
    let link = bench.app.bootstrap(&first).await.unwrap().unwrap();
    let stranger = redeem(&bench, &link).await;
    let password = Some(support::common::PASSWORD.to_owned());
    let passwords = parley_control_app::DemoPasswords {
        admin: password.clone(),
        provider: password.clone(),
        second_provider: password,
    };
    bench.app.seed_demo(&passwords).await.unwrap().unwrap();
    let server = Server::over(bench);
    let admin = server.bench.member("admin@demo.test").await;
    let new = NewMember {
        name: "Manager".to_owned(),
        email: "manager@demo.test".to_owned(),
        role: Role::Manager,
        title: String::new(),
        bio: String::new(),
        time_zone: None,
        slug: None,
    };
    server.bench.app.member_add(&admin, new).await.unwrap();
    server.bench.deliver().await;
    let manager = redeem(&server.bench, &server.bench.mailbox.to("manager@demo.test")[0].text).await;
    let sessions = [
        None,
        Some(server.sign_in("doctor@demo.test").await),
        Some(server.sign_in("second@demo.test").await),
        Some(manager),
        Some(server.sign_in("admin@demo.test").await),
        Some(stranger),
    ];

    let booked = server.book("2026-11-23T09:15:00Z").await;
    let join = booked["join_token"].as_str().unwrap();
    let id = booked["appointment"]["id"].as_str().unwrap();
    server.bench.enter(join).await;
    let doctor = server.bench.member("doctor@demo.test").await;
    let desk = server.bench.app.appointment(&doctor, id.parse().unwrap()).await.unwrap();
    let participant = desk.meeting.participants[0].id.to_string();
    for (method, path, access) in ENDPOINTS {
        // It would end the session that the next endpoints are asked with; it has a test of its own.
        if path.ends_with("/logout") {
            continue;
        }
        let about = match path {
            path if path.contains("/services/") => booked["appointment"]["service"]["id"].as_str().unwrap(),
            path if path.contains("/members/") => booked["appointment"]["provider"]["id"].as_str().unwrap(),
            _ => id,
        };
        let concrete = path
            .replace("{id}", about)
            .replace("{slug}", "demo")
            .replace("{token}", join)
            .replace("{manage_token}", booked["manage_token"].as_str().unwrap());
        let concrete = match concrete.ends_with("/slots") {
            true => format!("{concrete}?from=2026-11-23&to=2026-11-23"),
            false => concrete,
        };
        let body = body_of(method, path, &participant);
        let expectations = expected(method, path, *access);
        for ((role, session), expect) in ROLES.iter().zip(&sessions).zip(expectations) {
            let status =
                status(&server, request(method.clone(), &concrete, session.as_deref(), body.as_ref())).await;
            let got = match status {
                // The body is no one's credentials: that is the answer of sign-in itself.
                StatusCode::UNAUTHORIZED if path.ends_with("/login") => Expect::May,
                StatusCode::UNAUTHORIZED => Expect::SignIn,
                StatusCode::FORBIDDEN => Expect::NotYou,
                StatusCode::NOT_FOUND => Expect::NoSuchThing,
                status if status.is_server_error() => panic!("{method} {path} as {role}: {status}"),
                _ => Expect::May,
            };
            assert_eq!(got, expect, "{method} {path} as {role}: {status}");
        }
    }
}

/// Only the status: streams have no end to wait for.
async fn status(server: &Server, request: Request<axum::body::Body>) -> StatusCode {
    use tower::ServiceExt as _;
    server.router.clone().oneshot(request).await.unwrap().status()
}

async fn redeem(bench: &Bench, text: &str) -> String {
    let start = text.find("/sign-in/").unwrap() + "/sign-in/".len();
    let token = text[start..].split_whitespace().next().unwrap();
    let signed = bench.app.redeem_magic_link(token, &caller()).await.unwrap();
    format!("parley_session={}", signed.secret)
}

#[tokio::test]
async fn changes_with_a_cookie_come_from_our_own_pages_only() {
    let server = Server::new().await;
    let cookie = server.sign_in("doctor@demo.test").await;
    let booked = server.book("2026-11-23T10:00:00Z").await;
    let path = format!("/api/v1/appointments/{}/start", booked["appointment"]["id"].as_str().unwrap());
    let start = |change: &dyn Fn(&mut Request<axum::body::Body>)| {
        let mut request = request(Method::POST, &path, Some(&cookie), None);
        change(&mut request);
        request
    };
    let with_origin = |origin: &'static str| {
        move |request: &mut Request<axum::body::Body>| {
            request.headers_mut().insert(header::ORIGIN, origin.parse().unwrap());
        }
    };
    assert_eq!(server.send(start(&|_| {})).await.status, StatusCode::OK);
    let no_origin = start(&|request| {
        request.headers_mut().remove(header::ORIGIN);
    });
    assert_eq!(server.send(no_origin).await.status, StatusCode::OK, "programs send no Origin");
    let no_header = server
        .send(start(&|request| {
            request.headers_mut().remove("x-parley-csrf");
        }))
        .await;
    assert_eq!(
        (no_header.status, no_header.code()),
        (StatusCode::FORBIDDEN, "cross_site_refused".to_owned())
    );
    for foreign in [
        "https://evil.test",
        "http://parley.test",
        "https://parley.test:8443",
        "null",
        "http://localhost:5173",
    ] {
        let refused = server.send(start(&with_origin(foreign))).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{foreign}");
    }
    // The page may have been opened by another name of this very server.
    let by_address = start(&|request| {
        request.headers_mut().insert(header::HOST, "192.0.2.7:7443".parse().unwrap());
        request.headers_mut().insert(header::ORIGIN, "https://192.0.2.7:7443".parse().unwrap());
    });
    assert_eq!(server.send(by_address).await.status, StatusCode::OK);
    // Without a cookie there is nothing to abuse.
    let mut public =
        request(Method::POST, "/api/v1/auth/magic-link", None, Some(&json!({ "email": "a@b.test" })));
    public.headers_mut().remove("x-parley-csrf");
    assert_eq!(server.send(public).await.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn the_session_cookie_is_for_the_server_alone() {
    let server = Server::new().await;
    let body = json!({ "email": "doctor@demo.test", "password": support::common::PASSWORD });
    let reply = server.post("/api/v1/auth/login", None, body).await;
    let set = reply.headers[header::SET_COOKIE].to_str().unwrap();
    for part in ["HttpOnly", "SameSite=Lax", "Secure", "Path=/"] {
        assert!(set.split("; ").any(|p| p == part), "{set}");
    }
    assert!(!reply.text.contains("argon2"));
    let cookie = reply.cookie();
    let me = server.get("/api/v1/me", Some(&cookie)).await.json();
    assert_eq!(me["member"]["email"], "doctor@demo.test");
    assert_eq!(me["organisation"]["labels"]["client"], "Patient");
    let bye = server.send(request(Method::POST, "/api/v1/auth/logout", Some(&cookie), None)).await;
    assert_eq!(bye.status, StatusCode::NO_CONTENT);
    assert!(bye.headers[header::SET_COOKIE].to_str().unwrap().contains("Max-Age=0"));
    let after = server.get("/api/v1/me", Some(&cookie)).await;
    assert_eq!((after.status, after.code()), (StatusCode::UNAUTHORIZED, "not_signed_in".to_owned()));
}

#[tokio::test]
async fn too_many_wrong_passwords() {
    let server = Server::new().await;
    let body = json!({ "email": "doctor@demo.test", "password": "wrong wrong" });
    for _ in 0..8 {
        assert_eq!(server.post("/api/v1/auth/login", None, body.clone()).await.code(), "credentials_wrong");
    }
    let held = server.post("/api/v1/auth/login", None, body).await;
    assert_eq!((held.status, held.code()), (StatusCode::TOO_MANY_REQUESTS, "too_many_attempts".to_owned()));
    assert!(held.headers.contains_key(header::RETRY_AFTER));
}
