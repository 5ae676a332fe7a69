//! Ways to the server: TCP, IPv6, another address in the middle of a call.

#![allow(clippy::unwrap_used)]

mod support;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use parley_media_rtc::*;
use str0m::media::Mid;
use support::*;

const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

fn with_tcp() -> MediaConfig {
    MediaConfig { workers: 2, tcp: Some(TcpPort { port: 0, required: true }), ..config() }
}

/// Alice sends three layers and sound, Bob receives the pictures on the section that is returned.
async fn call(scene: &mut Scene, alice: &mut Client, bob: &mut Client) -> (Sender, String) {
    scene.join(1, alice, 0, 0).await;
    scene.join(2, bob, 0, 1).await;
    let video: Mid = scene.publish(1, alice, track(11, "camera", MediaKind::Video), &["q", "h", "f"]).await;
    let mut sender = Sender { video: Some(video), ..Sender::default() };
    scene.start_tracks(alice, &mut sender, &[11]).await;
    scene.room.subscribe(ParticipantKey(2), TrackKey(11), SlotSettings::default()).await.unwrap();
    let answer = scene.reoffer(2, bob).await;
    let mid = answer.mid_to_track[0].0.clone();
    scene.receive(alice, &mut sender, bob, &mid, 20).await;
    (sender, mid)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_over_tcp() {
    let mut scene = Scene::open_with(with_tcp()).await;
    let (mut alice, mut bob) = (Client::over(usual(), Wire::tcp(V4)), Client::over(usual(), Wire::tcp(V4)));
    let (mut sender, mid) = call(&mut scene, &mut alice, &mut bob).await;
    scene.receive(&mut alice, &mut sender, &mut bob, &mid, 200).await;
    assert_eq!(gaps(&bob.got[&mid].sequences), []);
    let metrics = scene.media.metrics();
    assert_eq!((metrics.tcp_accepted, metrics.tcp_refused, metrics.dropped_tcp_full), (2, 0, 0));
    // Its streams go with a participant.
    scene.room.leave(ParticipantKey(2)).await.unwrap();
    scene
        .until(&mut [&mut alice], "one stream less", |scene, _| scene.media.metrics().tcp_streams == 1)
        .await;
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_over_ipv6_by_datagrams_and_by_tcp() {
    let both = MediaConfig { bind: vec![V4, V6], ..with_tcp() };
    let mut scene = Scene::open_with(both).await;
    let (mut alice, mut bob) = (Client::over(usual(), Wire::udp(V6)), Client::over(usual(), Wire::tcp(V6)));
    let (mut sender, mid) = call(&mut scene, &mut alice, &mut bob).await;
    scene.receive(&mut alice, &mut sender, &mut bob, &mid, 50).await;
    assert_eq!(gaps(&bob.got[&mid].sequences), []);
    let of_both = |addresses: Vec<std::net::SocketAddr>| {
        addresses.iter().any(|addr| addr.ip() == V4) && addresses.iter().any(|addr| addr.ip() == V6)
    };
    assert!(of_both(scene.media.candidates()) && of_both(scene.media.tcp_candidates()));
    scene.stop().await;
}
