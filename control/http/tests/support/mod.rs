//! The router over the use cases over the real database, asked without a socket.
#![allow(clippy::unwrap_used, dead_code)]

#[path = "../../../app/tests/common/mod.rs"]
pub mod common;

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use common::Bench;
use http::{HeaderMap, Method, Request, StatusCode, header};
use parley_control_http::{HttpConfig, router};
use serde_json::Value;
use tower::ServiceExt as _;

/// No answer in these tests is larger.
const MAX_ANSWER: usize = 4 * 1024 * 1024;

pub struct Server {
    pub bench: Bench,
    pub router: Router,
    pub config: HttpConfig,
}

#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// The code of the problem that this is.
    pub fn code(&self) -> String {
        assert_eq!(self.headers[header::CONTENT_TYPE], "application/problem+json", "{}", self.text);
        let problem = self.json();
        assert_eq!(problem["status"], self.status.as_u16());
        assert!(!problem["detail"].as_str().unwrap().is_empty());
        assert!(!problem["title"].as_str().unwrap().is_empty());
        let code = problem["code"].as_str().unwrap().to_owned();
        assert_eq!(problem["type"], format!("urn:parley:problem:{code}"));
        code
    }

    /// `name=value` of the session cookie that was set.
    pub fn cookie(&self) -> String {
        self.headers[header::SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned()
    }
}

impl Server {
    pub async fn new() -> Self {
        Self::over(Bench::new().await)
    }

    pub fn over(bench: Bench) -> Self {
        let config = HttpConfig {
            public_url: "https://parley.test/".parse().unwrap(),
            secure_cookies: true,
            media_url: "wss://parley.test".to_owned(),
            default_locale: "en".to_owned(),
            version: "1.2.3".to_owned(),
            dev: false,
            behind_proxy: false,
            shutdown: tokio_util::sync::CancellationToken::new(),
        };
        let router = router(config.clone(), Arc::clone(&bench.app));
        Self { bench, router, config }
    }

    pub async fn send(&self, request: Request<Body>) -> Reply {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, MAX_ANSWER).await.unwrap();
        Reply {
            status: parts.status,
            headers: parts.headers,
            text: String::from_utf8(bytes.to_vec()).unwrap(),
        }
    }

    pub async fn get(&self, path: &str, cookie: Option<&str>) -> Reply {
        self.send(request(Method::GET, path, cookie, None)).await
    }

    pub async fn post(&self, path: &str, cookie: Option<&str>, body: Value) -> Reply {
        self.send(request(Method::POST, path, cookie, Some(&body))).await
    }

    /// Signs in and gives the cookie.
    pub async fn sign_in(&self, email: &str) -> String {
        let body = serde_json::json!({ "email": email, "password": common::PASSWORD });
        let reply = self.post("/api/v1/auth/login", None, body).await;
        assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);
        reply.cookie()
    }

    /// The body that books the doctor's video consultation.
    pub async fn booking(&self, start: &str) -> Value {
        let service = self.bench.service("video-consultation").await;
        serde_json::json!({
            "service_id": service.id.to_string(),
            "provider_id": service.provider_ids[0].to_string(),
            "start": start,
            "duration_minutes": 30,
            "time_zone": "Europe/Lisbon",
            "client": { "name": "Ana Lima", "email": "ana@mail.test" },
        })
    }

    pub async fn book(&self, start: &str) -> Value {
        let reply = self.post("/api/v1/public/appointments", None, self.booking(start).await).await;
        assert_eq!(reply.status, StatusCode::CREATED, "{}", reply.text);
        reply.json()
    }
}

/// A request as our own pages send it.
pub fn request(method: Method, path: &str, cookie: Option<&str>, body: Option<&Value>) -> Request<Body> {
    let mut builder = Request::builder().method(&method).uri(path).header(header::HOST, "parley.test");
    if let Some(cookie) = cookie {
        builder = builder.header(header::COOKIE, cookie);
    }
    if !method.is_safe() {
        builder = builder.header("x-parley-csrf", "1").header(header::ORIGIN, "https://parley.test");
    }
    match body {
        Some(body) => builder
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(body.to_string()))
            .unwrap(),
        None => builder.body(Body::empty()).unwrap(),
    }
}
