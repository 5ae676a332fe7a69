//! Event streams (WHATWG HTML §9.2): bounded in number, kept alive by comments, ended when the server stops.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use http::{HeaderName, HeaderValue};
use parley_control_app::{AppError, DeskNews, DeskStream, JoinStream};
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::dto::appointment::Appointment;
use crate::dto::join::JoinView;
use crate::problem::Problem;
use crate::state::ApiState;

/// A comment line goes out this often, so that proxies and pages see that the line stands.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Room for one more stream.
pub fn permit(pool: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, Problem> {
    Arc::clone(pool).try_acquire_owned().map_err(|_| AppError::busy().into())
}

/// The data of an event.
fn data<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// Where events come from.
pub trait Source: Send + 'static {
    /// The name and data of the next event; `None` ends the stream.
    fn next_event(&mut self) -> impl Future<Output = Option<(&'static str, String)>> + Send;
}

impl Source for JoinStream {
    async fn next_event(&mut self) -> Option<(&'static str, String)> {
        let view = self.next().await?;
        Some(("join", data(&JoinView::of(&view))))
    }
}

impl Source for DeskStream {
    async fn next_event(&mut self) -> Option<(&'static str, String)> {
        match self.next().await? {
            DeskNews::Hello => Some(("hello", "{}".to_owned())),
            DeskNews::Appointment(view) => Some(("appointment", data(&Appointment::of(&view)))),
        }
    }
}

/// Sends what the source gives until it ends or the server stops.
pub fn respond(state: &ApiState, permit: OwnedSemaphorePermit, source: impl Source) -> Response {
    let shutdown = state.config.shutdown.clone();
    let events = stream::unfold((source, permit), move |(mut source, permit)| {
        let shutdown = shutdown.clone();
        async move {
            let (name, data) = tokio::select! {
                () = shutdown.cancelled() => return None,
                event = source.next_event() => event?,
            };
            let event = Event::default().event(name).data(data);
            Some((Ok::<_, Infallible>(event), (source, permit)))
        }
    });
    let mut response = Sse::new(events).keep_alive(KeepAlive::new().interval(HEARTBEAT)).into_response();
    // Proxies that collect answers before they pass them on would hold events back.
    let buffering = HeaderName::from_static("x-accel-buffering");
    response.headers_mut().insert(buffering, HeaderValue::from_static("no"));
    response
}
