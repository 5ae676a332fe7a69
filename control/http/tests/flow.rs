//! From booking to goodbye over HTTP, with the answers that docs/control.md promises.
#![allow(clippy::unwrap_used)]

mod support;

use futures_util::StreamExt as _;
use http::{Method, StatusCode, header};
use serde_json::{Value, json};
use support::{Server, common, request};
use tower::ServiceExt as _;

/// An open event stream.
struct Stream {
    body: axum::body::BodyDataStream,
    text: String,
}

impl Stream {
    async fn open(server: &Server, path: &str, cookie: Option<&str>) -> Self {
        let response = server.router.clone().oneshot(request(Method::GET, path, cookie, None)).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
        Self { body: response.into_body().into_data_stream(), text: String::new() }
    }

    /// The next event's name and data.
    async fn next(&mut self) -> (String, Value) {
        while !self.text.contains("\n\n") {
            self.text.push_str(std::str::from_utf8(&self.body.next().await.unwrap().unwrap()).unwrap());
        }
        let (block, rest) = self.text.split_once("\n\n").unwrap();
        let line = |name: &str| {
            let found = block.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            found.trim().to_owned()
        };
        let event = (line("event:"), serde_json::from_str(&line("data:")).unwrap());
        self.text = rest.to_owned();
        event
    }
}

#[tokio::test]
async fn from_booking_to_goodbye() {
    let server = Server::new().await;
    let page = server.get("/api/v1/public/organisations/demo", None).await.json();
    assert_eq!(page["labels"], json!({ "provider": "Doctor", "client": "Patient" }));
    let service = page["services"].as_array().unwrap().iter().find(|s| s["slug"] == "video-consultation");
    let (service, provider) = (service.unwrap(), &page["providers"][0]);
    assert_eq!(service["price"], Value::Null);
    let path = format!(
        "/api/v1/public/services/{}/slots?provider_id={}&from=2026-11-23&to=2026-11-24&time_zone=Europe%2FLisbon",
        service["id"].as_str().unwrap(),
        provider["id"].as_str().unwrap()
    );
    let slots = server.get(&path, None).await.json();
    assert_eq!(slots["time_zone"], "Europe/Lisbon");
    assert_eq!(slots["days"].as_array().unwrap().len(), 2);
    let first = &slots["days"][0]["slots"][0];
    assert_eq!(first["start"], "2026-11-23T09:15:00Z");

    let booked = server.book("2026-11-23T09:15:00Z").await;
    let (manage, token) = (booked["manage_token"].as_str().unwrap(), booked["join_token"].as_str().unwrap());
    let managed = server.get(&format!("/api/v1/public/appointments/{manage}"), None).await.json();
    assert_eq!(managed, booked["appointment"]);
    assert_eq!(managed["join"]["opens_at"], "2026-11-23T09:00:00Z");
    assert_eq!(managed["can_cancel"], true);

    let join = format!("/api/v1/join/{token}");
    assert_eq!(server.get(&join, None).await.json()["phase"], "open");
    let early = server.post(&format!("{join}/media-token"), None, Value::Null).await;
    assert_eq!((early.status, early.code()), (StatusCode::CONFLICT, "not_admitted".to_owned()));
    let device = json!({ "browser": "Firefox 143", "os": "Android 15", "kind": "phone" });
    let body = json!({ "display_name": "Ana", "device": device });
    let view = server.post(&format!("{join}/enter"), None, body).await.json();
    assert_eq!((&view["phase"], &view["queue_position"]), (&json!("waiting"), &json!(1)));
    assert!(view["appointment"].get("client_name").is_none());
    let mut page = Stream::open(&server, &format!("{join}/events"), None).await;
    let (name, data) = page.next().await;
    assert_eq!((name.as_str(), &data["phase"]), ("join", &json!("waiting")));

    let cookie = server.sign_in("doctor@demo.test").await;
    let list = server.get("/api/v1/appointments?state=waiting,in_progress", Some(&cookie)).await.json();
    let mine = &list["items"][0];
    assert_eq!(mine["waiting"][0]["device"], device);
    assert_eq!(mine["waiting"][0]["state"], "waiting");
    let desk = format!("/api/v1/appointments/{}", mine["id"].as_str().unwrap());
    let started = server.post(&format!("{desk}/start"), Some(&cookie), Value::Null).await.json();
    let own = format!("/api/v1/join/{}", started["join_token"].as_str().unwrap());
    let entered =
        server.post(&format!("{own}/enter"), None, json!({ "display_name": "Dr. Lind" })).await.json();
    assert_eq!((&entered["phase"], &entered["role"]), (&json!("admitted"), &json!("provider")));
    assert_eq!(entered["appointment"]["client_name"], "Ana Lima");
    let who = json!({ "participant_id": mine["waiting"][0]["participant_id"] });
    let admitted = server.post(&format!("{desk}/admit"), Some(&cookie), who).await.json();
    assert_eq!(admitted["waiting"][0]["state"], "admitted");
    assert_eq!(page.next().await.1["phase"], "admitted");
    let media = server.post(&format!("{join}/media-token"), None, Value::Null).await.json();
    assert_eq!(media["url"], "wss://parley.test");
    let room = media["room"].as_str().unwrap();
    let [client, host] = [&media["identity"], &entered["identity"]].map(|v| v.as_str().unwrap().to_owned());
    server.bench.joined(room, &host, "P", common::at("2026-11-23T09:16:00Z")).await;
    server.bench.joined(room, &client, "C", common::at("2026-11-23T09:16:02Z")).await;
    server.bench.clock.set(common::at("2026-11-23T09:40:00Z"));
    let ended = server.post(&format!("{desk}/end"), Some(&cookie), Value::Null).await.json();
    assert_eq!(ended["state"], "completed");
    assert_eq!(ended["actual_start"], "2026-11-23T09:16:02Z");
    assert_eq!(ended["actual_end"], "2026-11-23T09:40:00Z");
    let stay = &ended["participants"][1];
    assert_eq!(
        (&stay["name"], &stay["role"], &stay["network"]),
        (&json!("Ana"), &json!("client"), &json!("udp"))
    );
    assert_eq!(stay["left_at"], "2026-11-23T09:40:00Z");
    let over = server.get(&join, None).await.json();
    assert_eq!((&over["phase"], &over["end_reason"]), (&json!("ended"), &json!("ended_by_provider")));
}

#[tokio::test]
async fn the_dashboard_hears_of_its_own_appointments() {
    let server = Server::new().await;
    let cookie = server.sign_in("doctor@demo.test").await;
    let other = server.sign_in("second@demo.test").await;
    let mut own = Stream::open(&server, "/api/v1/dashboard/events", Some(&cookie)).await;
    let mut others = Stream::open(&server, "/api/v1/dashboard/events", Some(&other)).await;
    assert_eq!(own.next().await.0, "hello");
    assert_eq!(others.next().await.0, "hello");
    let booked = server.book("2026-11-23T10:00:00Z").await;
    let (name, data) = own.next().await;
    assert_eq!((name.as_str(), &data["id"]), ("appointment", &booked["appointment"]["id"]));
    // The other provider hears of his own only.
    let mut body = server.booking("2026-11-23T12:00:00Z").await;
    body["provider_id"] = json!(server.bench.service("video-consultation").await.provider_ids[1].to_string());
    let second = server.post("/api/v1/public/appointments", None, body).await.json();
    assert_eq!(others.next().await.1["id"], second["appointment"]["id"]);
}

#[tokio::test]
async fn streams_end_when_the_server_stops() {
    let server = Server::new().await;
    let cookie = server.sign_in("doctor@demo.test").await;
    let stream = request(Method::GET, "/api/v1/dashboard/events", Some(&cookie), None);
    let response = server.router.clone().oneshot(stream).await.unwrap();
    server.config.shutdown.cancel();
    let mut body = response.into_body().into_data_stream();
    while let Some(chunk) = body.next().await {
        chunk.unwrap();
    }
}

#[tokio::test]
async fn the_same_key_books_once() {
    let server = Server::new().await;
    let body = server.booking("2026-11-23T10:00:00Z").await;
    let send = async |body: &Value, key: &str| {
        let mut request = request(Method::POST, "/api/v1/public/appointments", None, Some(body));
        request.headers_mut().insert("idempotency-key", key.parse().unwrap());
        server.send(request).await
    };
    let first = send(&body, "abc").await;
    let second = send(&body, "abc").await;
    assert_eq!((first.status, second.status), (StatusCode::CREATED, StatusCode::CREATED));
    assert_eq!(first.json(), second.json());
    let taken = send(&body, "def").await;
    assert_eq!((taken.status, taken.code()), (StatusCode::CONFLICT, "slot_taken".to_owned()));
    let other = server.booking("2026-11-23T11:00:00Z").await;
    assert_eq!(send(&other, "abc").await.code(), "idempotency_key_reused");
}

#[tokio::test]
async fn the_client_cancels_and_takes_the_calendar_file() {
    let server = Server::new().await;
    let booked = server.book("2026-11-23T10:00:00Z").await;
    let path = format!("/api/v1/public/appointments/{}", booked["manage_token"].as_str().unwrap());
    let calendar = server.get(&format!("{path}/calendar.ics"), None).await;
    assert_eq!(calendar.headers[header::CONTENT_TYPE], "text/calendar; charset=utf-8");
    assert!(calendar.headers[header::CONTENT_DISPOSITION].to_str().unwrap().contains(".ics"));
    assert!(calendar.text.starts_with("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n"));
    assert!(calendar.text.contains("METHOD:PUBLISH\r\n"));
    let cancelled = server.post(&format!("{path}/cancel"), None, json!({})).await.json();
    assert_eq!((&cancelled["state"], &cancelled["can_cancel"]), (&json!("cancelled"), &json!(false)));
    assert!(server.get(&format!("{path}/calendar.ics"), None).await.text.contains("STATUS:CANCELLED"));
}

#[tokio::test]
async fn services_members_and_hours_are_kept() {
    let server = Server::new().await;
    let cookie = server.sign_in("admin@demo.test").await;
    let members = server.get("/api/v1/members", Some(&cookie)).await.json();
    let doctor = members.as_array().unwrap().iter().find(|m| m["email"] == "doctor@demo.test").unwrap()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let body = json!({
        "name": "First talk", "kind": "video", "durations_minutes": [15, 30],
        "price": { "amount": 4500, "currency": "EUR" }, "provider_ids": [doctor],
        "rules": { "buffer_before": 5, "minimum_notice": 60 }
    });
    let created = server.post("/api/v1/services", Some(&cookie), body).await;
    assert_eq!(created.status, StatusCode::CREATED, "{}", created.text);
    let service = created.json();
    assert_eq!((&service["slug"], &service["rules"]["join_before"]), (&json!("first-talk"), &json!(15)));
    let path = format!("/api/v1/services/{}", service["id"].as_str().unwrap());
    let patch = |body: Value| request(Method::PATCH, &path, Some(&cookie), Some(&body));
    let changed = server.send(patch(json!({ "price": null, "active": false }))).await.json();
    assert_eq!(
        (&changed["price"], &changed["active"], &changed["name"]),
        (&Value::Null, &json!(false), &json!("First talk"))
    );
    let wrong = server.send(patch(json!({ "durations_minutes": [7] }))).await;
    assert_eq!(
        (wrong.status, wrong.code()),
        (StatusCode::UNPROCESSABLE_ENTITY, "validation_failed".to_owned())
    );
    assert_eq!(wrong.json()["errors"][0]["field"], "durations_minutes");

    let path = format!("/api/v1/members/{doctor}/availability");
    let hours = json!({
        "time_zone": "Europe/Berlin",
        "schedules": [{ "name": "Office", "active": true, "slot_minutes": 30,
            "intervals": [{ "day": 1, "start": "09:00", "end": "12:30" }] }],
        "overrides": [{ "date": "2026-12-24", "kind": "holiday", "intervals": [], "note": "Closed" }]
    });
    let put = |body: &Value| request(Method::PUT, &path, Some(&cookie), Some(body));
    let kept = server.send(put(&hours)).await;
    assert_eq!(kept.status, StatusCode::OK, "{}", kept.text);
    assert_eq!(server.get(&path, Some(&cookie)).await.json(), hours);
    let mut wrong = hours.clone();
    wrong["schedules"][0]["intervals"][0]["end"] = json!("25:00");
    let refused = server.send(put(&wrong)).await.json();
    assert_eq!(refused["errors"][0]["field"], "schedules.0.intervals.0.end");
}
