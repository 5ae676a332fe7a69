//! Sends the events of one address.

use std::time::{Duration, Instant, SystemTime};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body_util::Full;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use livekit_protocol as proto;
use sha2::{Digest, Sha256};
use tokio::{
    sync::{OwnedSemaphorePermit, mpsc},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use super::lanes::Lanes;
use crate::token::{Claims, TokenMinter};

/// A type of its own, so that nobody reads the body before the signature.
const CONTENT_TYPE: &str = "application/webhook+json";
const USER_AGENT: &str = concat!("parley/", env!("CARGO_PKG_VERSION"));
/// How long a signature holds: longer than an event is tried.
const SIGNATURE_TTL: Duration = Duration::from_secs(600);
/// A receiver that takes longer has failed.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// Events on the way to one address at once, of as many rooms.
const AT_ONCE: usize = 16;
/// Pauses between the tries of an event double from the first to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// An event this old is given up when its next try fails, too.
const MAX_AGE: Duration = Duration::from_secs(300);

/// An event that waits, and its place in the queue.
#[derive(Debug)]
pub(super) struct Queued {
    event: proto::WebhookEvent,
    since: Instant,
    _place: OwnedSemaphorePermit,
}

impl Queued {
    pub(super) fn new(event: proto::WebhookEvent, place: OwnedSemaphorePermit) -> Self {
        Self { event, since: Instant::now(), _place: place }
    }
}

/// What became of a try.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Outcome {
    Taken,
    /// Worth another try.
    Failed(String),
    /// The receiver does not want it.
    Refused(StatusCode),
}

/// One address with what is needed to reach it.
#[derive(Clone)]
pub(super) struct Delivery {
    url: Uri,
    key: String,
    minter: TokenMinter,
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

impl Delivery {
    /// `None`: not an address of http or https.
    pub(super) fn new(url: &str, key: String, minter: TokenMinter) -> Option<Self> {
        let url: Uri = url.parse().ok()?;
        if !matches!(url.scheme_str(), Some("http" | "https")) || url.host().is_none() {
            return None;
        }
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_connect_timeout(Some(CONNECT_LIMIT));
        connector.set_nodelay(true);
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_webpki_roots(rustls::crypto::aws_lc_rs::default_provider())
            .ok()?
            .https_or_http()
            .enable_http1()
            .wrap_connector(connector);
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Some(Self { url, key, minter, client })
    }

    /// Sends what comes until the queue is closed and empty, or `give_up` says that it is enough.
    pub(super) async fn run(self, mut queue: mpsc::Receiver<Queued>, give_up: CancellationToken) {
        let mut lanes = Lanes::new();
        let mut sending = JoinSet::new();
        let mut open = true;
        loop {
            while sending.len() < AT_ONCE
                && let Some((room, queued)) = lanes.pop()
            {
                let (delivery, give_up) = (self.clone(), give_up.clone());
                sending.spawn(async move {
                    delivery.deliver(&queued, &give_up).await;
                    room
                });
            }
            if !open && sending.is_empty() {
                break;
            }
            tokio::select! {
                queued = queue.recv(), if open => match queued {
                    Some(queued) => {
                        let room = queued.event.room.as_ref().map(|room| room.name.clone());
                        lanes.push(room.unwrap_or_default(), queued);
                    }
                    None => open = false,
                },
                Some(room) = sending.join_next() => match room {
                    Ok(room) => lanes.done(room),
                    // Its lane stays closed: better than events out of order.
                    Err(error) => tracing::error!(%error, "the delivery of a webhook has broken"),
                },
            }
        }
    }

    /// Tries one event until it is taken, refused or too old.
    async fn deliver(&self, queued: &Queued, give_up: &CancellationToken) {
        let (event, id) = (&queued.event.event, &queued.event.id);
        let body = match serde_json::to_vec(&queued.event) {
            Ok(body) => Bytes::from(body),
            Err(error) => return tracing::error!(%error, event, id, "a webhook cannot be written"),
        };
        let mut pause = FIRST_PAUSE;
        for attempt in 1_u32.. {
            let outcome = match give_up.run_until_cancelled(self.send(body.clone())).await {
                Some(outcome) => outcome,
                None => Outcome::Failed("the server is stopping".to_owned()),
            };
            let reason = match outcome {
                Outcome::Taken => return tracing::debug!(event, id, attempt, "webhook taken"),
                Outcome::Refused(status) => {
                    return tracing::warn!(event, id, %status, "webhook refused; it is not sent again");
                }
                Outcome::Failed(reason) => reason,
            };
            if give_up.is_cancelled() || queued.since.elapsed() + pause > MAX_AGE {
                tracing::warn!(event, id, attempt, reason, "webhook given up: it is lost");
                return;
            }
            tracing::debug!(event, id, attempt, reason, "webhook failed; it is sent again");
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = give_up.cancelled() => {}
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn send(&self, body: Bytes) -> Outcome {
        let Some(request) = self.request(body) else {
            return Outcome::Failed("it cannot be signed".to_owned());
        };
        match tokio::time::timeout(ANSWER_LIMIT, self.client.request(request)).await {
            Ok(Ok(response)) => outcome(response.status()),
            Ok(Err(error)) => Outcome::Failed(error.to_string()),
            Err(_) => Outcome::Failed("no answer in time".to_owned()),
        }
    }

    fn request(&self, body: Bytes) -> Option<Request<Full<Bytes>>> {
        let claims = Claims { sha256: STANDARD.encode(Sha256::digest(&body)), ..Claims::default() };
        let token = self.minter.sign_by(&self.key, claims, SystemTime::now(), SIGNATURE_TTL).ok()?;
        let mut token = HeaderValue::try_from(token).ok()?;
        token.set_sensitive(true);
        Request::builder()
            .method(Method::POST)
            .uri(self.url.clone())
            .header(header::AUTHORIZATION, token)
            .header(header::CONTENT_TYPE, CONTENT_TYPE)
            .header(header::USER_AGENT, USER_AGENT)
            .body(Full::new(body))
            .ok()
    }
}

/// Redirects are not followed: the signed event is for this address alone.
fn outcome(status: StatusCode) -> Outcome {
    match status {
        status if status.is_success() => Outcome::Taken,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => Outcome::Failed(status.to_string()),
        status if status.is_server_error() => Outcome::Failed(status.to_string()),
        status => Outcome::Refused(status),
    }
}
