//! What handlers share.

use std::sync::Arc;

use parley_control_app::{App, Principal};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use url::Url;

/// Event streams open at once, of join pages and of dashboards apart, so that those without an account cannot use
/// up the desk's; each holds a connection and a listener on the bus.
const MAX_JOIN_STREAMS: usize = 8_192;
const MAX_DESK_STREAMS: usize = 2_048;

/// What the transport needs to know about this installation.
#[derive(Debug, Clone)]
pub struct HttpConfig {
    /// Where people reach the pages: the origin that may send cookies with changes.
    pub public_url: Url,
    /// Cookies are sent over HTTPS only.
    pub secure_cookies: bool,
    /// As pages connect to it: `wss://…`.
    pub media_url: String,
    pub default_locale: String,
    pub version: String,
    /// Development: pages served from another loopback port may send cookies too.
    pub dev: bool,
    /// `X-Forwarded-For` is written by our own proxy: read the caller's address from it.
    pub behind_proxy: bool,
    /// Ends event streams, so that the server can stop.
    pub shutdown: CancellationToken,
}

#[derive(Clone)]
pub(crate) struct ApiState {
    pub app: Arc<App>,
    pub config: Arc<HttpConfig>,
    pub join_streams: Arc<Semaphore>,
    pub desk_streams: Arc<Semaphore>,
}

impl ApiState {
    pub fn new(config: HttpConfig, app: Arc<App>) -> Self {
        Self {
            app,
            config: Arc::new(config),
            join_streams: Arc::new(Semaphore::new(MAX_JOIN_STREAMS)),
            desk_streams: Arc::new(Semaphore::new(MAX_DESK_STREAMS)),
        }
    }
}

/// What the guard found: who is signed in, and by which secret.
#[derive(Clone)]
pub(crate) struct Signed {
    pub principal: Principal,
    pub secret: String,
}
