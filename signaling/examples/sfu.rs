//! Media and signaling alone on 127.0.0.1:7880 with the key `devkey` and the
//! secret `secret`, for load tests and for trying clients.
//!
//! `cargo run -p parley-signaling --example sfu [-- HTTP_PORT [UDP_PORT]]`

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use parley_media_rtc::{Media, MediaConfig, Value};
use parley_signaling::{Signaling, SignalingConfig};

const DEFAULT_HTTP_PORT: u16 = 7880;
const DEFAULT_UDP_PORT: u16 = 7882;
const COUNTERS_INTERVAL: std::time::Duration = std::time::Duration::from_secs(5);

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into()),
        )
        .init();
    let mut arguments = std::env::args().skip(1);
    let http_port = arguments.next().map_or(Ok(DEFAULT_HTTP_PORT), |port| port.parse())?;
    let udp_port = arguments.next().map_or(Ok(DEFAULT_UDP_PORT), |port| port.parse())?;

    let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let media = Media::start(MediaConfig { udp_port, bind: vec![loopback], ..MediaConfig::default() })?;
    let signaling = Signaling::new(SignalingConfig::new("devkey", "secret"), media.clone());
    let mut events = signaling.events().ok_or("the events are taken")?;
    tokio::spawn(async move {
        while let Some(event) = events.recv().await {
            tracing::info!(room = %event.room, at_ms = event.at_ms, kind = ?event.kind, "event");
        }
    });

    let counters = media.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(COUNTERS_INTERVAL).await;
            let counters = counters.metrics();
            let counters: Vec<(&str, u64)> = counters
                .iter()
                .filter_map(|metric| match metric.value {
                    Value::Counter(value) | Value::Gauge(value) if value > 0 => Some((metric.name, value)),
                    _ => None,
                })
                .collect();
            tracing::debug!(?counters, "media");
        }
    });

    let listener = tokio::net::TcpListener::bind(SocketAddr::new(loopback, http_port)).await?;
    tracing::info!(address = %listener.local_addr()?, candidates = ?media.candidates(), "listening");
    let stop = signaling.clone();
    axum::serve(listener, signaling.router())
        .with_graceful_shutdown(async move {
            if let Err(error) = tokio::signal::ctrl_c().await {
                tracing::warn!(%error, "cannot wait for Ctrl-C");
            }
            stop.shutdown().await;
        })
        .await?;
    media.shutdown(std::time::Duration::from_secs(2)).await;
    Ok(())
}
