//! The HTTP and HTTPS listeners.

use std::{
    net::{SocketAddr, TcpListener},
    time::Duration,
};

use axum::Router;
use axum_server::{Handle, tls_rustls::RustlsConfig};
use tokio::task::JoinSet;

use crate::{config::HttpConfig, tls::Certificate};

/// Why a listener did not come up, with the setting to change.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    #[error("cannot listen on {address}: {source} (setting {setting})")]
    Bind { address: SocketAddr, setting: &'static str, source: std::io::Error },
    #[error("the certificate {path} cannot be used: {source}")]
    Certificate { path: String, source: std::io::Error },
}

/// Bound sockets; nothing is accepted yet.
#[derive(Debug)]
pub struct Listeners {
    pub http: Option<(SocketAddr, TcpListener)>,
    pub https: Option<(SocketAddr, TcpListener)>,
    pub metrics: Option<(SocketAddr, TcpListener)>,
}

/// What is served where.
#[derive(Debug)]
pub struct Routers {
    pub main: Router,
    pub metrics: Router,
}

impl Listeners {
    /// Binds what is configured, so that a port in use is reported before anything else starts.
    pub fn bind(config: &HttpConfig, metrics: Option<SocketAddr>) -> Result<Self, ListenError> {
        Ok(Self {
            metrics: bind(metrics, "metrics.listen")?,
            http: bind(config.listen, "http.listen")?,
            https: bind(config.https_listen, "https.listen")?,
        })
    }
}

fn bind(
    address: Option<SocketAddr>,
    setting: &'static str,
) -> Result<Option<(SocketAddr, TcpListener)>, ListenError> {
    let Some(address) = address else { return Ok(None) };
    let open = || {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        Ok((listener.local_addr()?, listener))
    };
    open().map(Some).map_err(|source| ListenError::Bind { address, setting, source })
}

/// Listeners that serve until [`Serving::stop`].
#[derive(Debug)]
pub struct Serving {
    handles: Vec<Handle<SocketAddr>>,
    tasks: JoinSet<std::io::Result<()>>,
}

impl Serving {
    /// Begins to accept on all listeners.
    pub async fn start(
        listeners: Listeners,
        certificate: &Certificate,
        routers: Routers,
    ) -> Result<Self, ListenError> {
        let mut serving = Self { handles: Vec::new(), tasks: JoinSet::new() };
        let plain = [
            (listeners.http, "http.listen", routers.main.clone()),
            (listeners.metrics, "metrics.listen", routers.metrics),
        ];
        for (listener, setting, router) in plain {
            let Some((address, listener)) = listener else { continue };
            let handle = Handle::new();
            let failed = |source| ListenError::Bind { address, setting, source };
            let server = axum_server::from_tcp(listener).map_err(failed)?.handle(handle.clone());
            serving.tasks.spawn(server.serve(router.into_make_service_with_connect_info::<SocketAddr>()));
            serving.handles.push(handle);
        }
        if let Some((address, listener)) = listeners.https {
            let handle = Handle::new();
            let failed = |source| ListenError::Bind { address, setting: "https.listen", source };
            // Said here, since several libraries bring a provider and rustls would not choose between them. An
            // error means that one is installed already, as in a test that starts twice.
            let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
            let tls = RustlsConfig::from_pem_file(&certificate.chain, &certificate.key).await.map_err(
                |source| ListenError::Certificate { path: certificate.chain.display().to_string(), source },
            )?;
            let server = axum_server::from_tcp_rustls(listener, tls).map_err(failed)?.handle(handle.clone());
            let service = routers.main.into_make_service_with_connect_info::<SocketAddr>();
            serving.tasks.spawn(server.serve(service));
            serving.handles.push(handle);
        }
        Ok(serving)
    }

    /// Waits until a listener ends by itself.
    pub async fn ended(&mut self) {
        match self.tasks.join_next().await {
            Some(Ok(Err(error))) => tracing::error!(%error, "a listener ended"),
            Some(_) => tracing::error!("a listener ended"),
            None => std::future::pending().await,
        }
    }

    /// Accepts nothing new and lets running requests finish, for at most `limit`.
    pub async fn stop(mut self, limit: Duration) {
        for handle in &self.handles {
            handle.graceful_shutdown(Some(limit));
        }
        while let Some(ended) = self.tasks.join_next().await {
            if let Ok(Err(error)) = ended {
                tracing::warn!(%error, "a listener ended with an error");
            }
        }
    }
}
