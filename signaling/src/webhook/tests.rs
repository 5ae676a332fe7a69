//! With a real receiver on loopback.
#![allow(clippy::unwrap_used)]

use std::sync::atomic::AtomicUsize;

use axum::{Router, extract::State, response::IntoResponse, routing::post};
use base64::Engine as _;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use sha2::Digest as _;

use super::*;
use crate::{config::WebhookConfig, token::TokenVerifier};

const PATIENCE: Duration = Duration::from_secs(20);

/// What arrived, and what is answered first.
#[derive(Clone, Default)]
struct Receiver {
    taken: Arc<Mutex<Vec<proto::WebhookEvent>>>,
    attempts: Arc<AtomicUsize>,
    faults: Arc<Mutex<Vec<u16>>>,
    /// While closed, nothing is answered.
    gate: Arc<tokio::sync::RwLock<()>>,
}

async fn take(State(receiver): State<Receiver>, headers: HeaderMap, body: Bytes) -> impl IntoResponse {
    receiver.attempts.fetch_add(1, Ordering::SeqCst);
    let keys = SignalingConfig::new("key", "secret").keys;
    let claims = TokenVerifier::new(keys).verify(headers["authorization"].to_str().unwrap()).unwrap();
    let digest = base64::engine::general_purpose::STANDARD.encode(sha2::Sha256::digest(&body));
    assert_eq!(
        (claims.sha256, headers["content-type"].as_bytes()),
        (digest, &b"application/webhook+json"[..])
    );
    drop(receiver.gate.read().await);
    if let Some(status) = receiver.faults.lock().unwrap().pop() {
        let status = StatusCode::from_u16(status).unwrap();
        return (status, [("location", "/elsewhere")]).into_response();
    }
    receiver.taken.lock().unwrap().push(serde_json::from_slice(&body).unwrap());
    StatusCode::OK.into_response()
}

impl Receiver {
    async fn listen(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let router = Router::new().route("/hook", post(take)).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        url
    }

    fn ids(&self) -> Vec<String> {
        self.taken.lock().unwrap().iter().map(|event| event.id.clone()).collect()
    }

    async fn until(&self, condition: impl Fn(&Self) -> bool) {
        let wait = async {
            while !condition(self) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.unwrap();
    }
}

fn start(url: &str, queue: usize) -> Webhooks {
    let mut config = SignalingConfig::new("key", "secret");
    config.webhooks = WebhookConfig { urls: vec![url.to_owned()], ..WebhookConfig::default() };
    config.limits.webhook_queue = queue;
    Webhooks::start(&config, TokenMinter::new(config.keys.clone()))
}

fn event(room: &str, id: &str) -> proto::WebhookEvent {
    proto::WebhookEvent {
        event: "room_started".into(),
        id: id.into(),
        room: Some(proto::Room { name: room.into(), ..Default::default() }),
        ..Default::default()
    }
}

#[tokio::test]
async fn a_failed_event_is_repeated_before_the_next_of_its_room() {
    let receiver = Receiver::default();
    receiver.faults.lock().unwrap().extend([500, 429]);
    let webhooks = start(&receiver.listen().await, 16);
    for id in ["1", "2", "3"] {
        webhooks.notify(event("r", id));
    }
    receiver.until(|receiver| receiver.ids().len() == 3).await;
    assert_eq!(receiver.ids(), ["1", "2", "3"]);
    assert_eq!(receiver.attempts.load(Ordering::SeqCst), 5);
}

#[tokio::test]
async fn refusals_and_redirects_are_final() {
    let receiver = Receiver::default();
    receiver.faults.lock().unwrap().extend([302, 404]);
    let webhooks = start(&receiver.listen().await, 16);
    for id in ["1", "2", "3"] {
        webhooks.notify(event("r", id));
    }
    receiver.until(|receiver| !receiver.ids().is_empty()).await;
    assert_eq!((receiver.ids(), receiver.attempts.load(Ordering::SeqCst)), (vec!["3".to_owned()], 3));
}

#[tokio::test]
async fn what_the_queue_cannot_take_is_counted_in_the_next() {
    let receiver = Receiver::default();
    let closed = receiver.gate.clone().write_owned().await;
    let webhooks = start(&receiver.listen().await, 2);
    webhooks.notify(event("r", "1"));
    webhooks.notify(event("r", "2"));
    for _ in 0..3 {
        webhooks.notify(event("r", "lost"));
    }
    drop(closed);
    receiver.until(|receiver| receiver.ids().len() == 2).await;
    // The places are given back when the answers have been read.
    receiver
        .until(|receiver| {
            webhooks.notify(event("r", "3"));
            receiver.ids().len() > 2
        })
        .await;
    let taken = receiver.taken.lock().unwrap();
    #[allow(deprecated)]
    let dropped = taken[2].num_dropped;
    assert_eq!(taken[2].id, "3");
    assert!(dropped >= 3, "{dropped}");
}

#[tokio::test]
async fn stopping_sends_what_it_can_and_ends() {
    let receiver = Receiver::default();
    let webhooks = start(&receiver.listen().await, 16);
    webhooks.notify(event("r", "1"));
    webhooks.notify(event("r", "2"));
    webhooks.flush(PATIENCE).await;
    assert_eq!(receiver.ids(), ["1", "2"]);
    webhooks.notify(event("r", "late"));

    let deaf = Receiver::default();
    let _closed = deaf.gate.clone().write_owned().await;
    let webhooks = start(&deaf.listen().await, 16);
    webhooks.notify(event("r", "1"));
    deaf.until(|deaf| deaf.attempts.load(Ordering::SeqCst) == 1).await;
    tokio::time::timeout(PATIENCE, webhooks.flush(Duration::from_millis(50))).await.unwrap();
    assert!(deaf.ids().is_empty());
    assert_eq!(receiver.ids().len(), 2, "nothing comes after the end");
}

#[tokio::test]
async fn an_address_that_is_none_stops_nobody() {
    let webhooks = start("mailto:desk@example.org", 16);
    webhooks.notify(event("r", "1"));
    webhooks.flush(PATIENCE).await;
}
