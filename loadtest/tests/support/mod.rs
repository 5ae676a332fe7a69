//! A server to drive, in this process: signaling and media on free ports of loopback.

#![allow(dead_code, clippy::unwrap_used)]

use std::net::IpAddr;

use parley_loadtest::token::ApiKey;
use parley_media_rtc::{Media, MediaConfig};
use parley_signaling::{Signaling, SignalingConfig};
use url::Url;

pub struct Server {
    pub url: Url,
    pub media: Media,
    pub signaling: Signaling,
}

pub fn key() -> ApiKey {
    ApiKey { key: "devkey".to_owned(), secret: "secret".to_owned() }
}

impl Server {
    pub async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    pub async fn start_with(change: impl FnOnce(&mut SignalingConfig)) -> Self {
        let loopback = IpAddr::from([127, 0, 0, 1]);
        let config = MediaConfig { udp_port: 0, bind: vec![loopback], ..MediaConfig::default() };
        let media = Media::start(config).unwrap();
        let mut config = SignalingConfig::new("devkey", "secret");
        change(&mut config);
        let signaling = Signaling::new(config, media.clone());
        let mut events = signaling.events().unwrap();
        tokio::spawn(async move { while events.recv().await.is_some() {} });
        let listener = tokio::net::TcpListener::bind((loopback, 0)).await.unwrap();
        let url = Url::parse(&format!("ws://{}", listener.local_addr().unwrap())).unwrap();
        let router = signaling.router();
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, media, signaling }
    }
}
