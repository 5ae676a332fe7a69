//! Ways to the server: TCP, IPv6, another address in the middle of a call.

#![allow(clippy::unwrap_used)]

mod support;

use std::{
    io::{Read, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    time::Duration,
};

use parley_media_rtc::*;
use str0m::{RtcConfig, media::Mid};
use support::{scene::PATIENCE, wire::framed, *};

const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

fn with_tcp() -> MediaConfig {
    MediaConfig { workers: 2, tcp: Some(TcpPort { port: 0, required: true }), ..config() }
}

/// A client that checks its path twice a second, and would wait 15 s for a path that is given up by
/// its silence alone.
fn brisk() -> RtcConfig {
    let mut config = usual();
    config.set_max_stun_rto(Duration::from_millis(500));
    config
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
    let of_both = |addresses: Vec<SocketAddr>| {
        addresses.iter().any(|addr| addr.ip() == V4) && addresses.iter().any(|addr| addr.ip() == V6)
    };
    assert!(of_both(scene.media.candidates()) && of_both(scene.media.tcp_candidates()));
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn media_follows_a_client_whose_address_translation_was_reset() {
    let mut scene = Scene::open().await;
    let (mut alice, mut bob) = (Client::over(brisk(), Wire::udp(V4)), Client::over(brisk(), Wire::udp(V4)));
    let (mut sender, mid) = call(&mut scene, &mut alice, &mut bob).await;
    for round in 0..6 {
        let chosen = scene.media.metrics().paths_chosen;
        let moving = if round % 2 == 0 { &mut bob } else { &mut alice };
        let checks = moving.sent.checks;
        moving.wire.rebind();
        scene
            .until(&mut [&mut alice, &mut bob], "another path", |scene, clients| {
                sender.send(clients[0]);
                scene.media.metrics().paths_chosen > chosen
            })
            .await;
        scene.receive(&mut alice, &mut sender, &mut bob, &mid, 20).await;
        // Not after the old path has been silent for long: at the first check from the new address.
        // (On a busy machine some more are on their way before the first picture is.)
        let checks = if round % 2 == 0 { bob.sent.checks } else { alice.sent.checks } - checks;
        assert!(checks <= 8, "round {round}: {checks} checks");
        assert_eq!(scene.media.metrics().paths_chosen, chosen + 1);
    }
    let metrics = scene.media.metrics();
    assert_eq!((metrics.participants, metrics.connections_failed), (2, 0));
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_is_not_reached_any_more_is_told_of_once() {
    let mut scene = Scene::open().await;
    let (mut alice, mut bob) = (Client::new(), Client::new());
    let (mut sender, mid) = call(&mut scene, &mut alice, &mut bob).await;
    let lost = |scene: &Scene| {
        let whom = |event: &MediaEvent| match event {
            MediaEvent::Unreachable { participant, .. } => Some(participant.0),
            _ => None,
        };
        scene.seen.iter().filter_map(whom).collect::<Vec<_>>()
    };
    // Bob's network is gone; Alice goes on.
    let checks = scene.media.metrics().checks_sent;
    scene
        .until(&mut [&mut alice], "Bob is missed", |scene, clients| {
            sender.send(clients[0]);
            lost(scene).contains(&2)
        })
        .await;
    assert!(scene.media.metrics().checks_sent > checks, "he was asked before");
    // Back again: nothing is broken, and nobody else was missed.
    scene.receive(&mut alice, &mut sender, &mut bob, &mid, 20).await;
    assert_eq!(lost(&scene), [2]);
    assert_eq!(scene.media.metrics().connections_failed, 0);
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ice_restart_brings_candidates_above_those_of_before() {
    let mut scene = Scene::open_with(with_tcp()).await;
    let mut alice = Client::new();
    scene.join(1, &mut alice, 0, 0).await;
    let highest = |sdp: &str| {
        let candidates = sdp.lines().filter(|line| line.starts_with("a=candidate:"));
        let priorities = candidates.map(|line| line.split(' ').nth(3).unwrap().parse::<u32>().unwrap());
        let all: Vec<u32> = priorities.collect();
        (all.iter().copied().min().unwrap(), all.iter().copied().max().unwrap())
    };
    let offer = alice.restart_here();
    let first = scene.room.offer(ParticipantKey(1), offer).await.unwrap();
    alice.accept(&first.sdp);
    let offer = alice.restart_here();
    let second = scene.room.offer(ParticipantKey(1), offer).await.unwrap();
    alice.accept(&second.sdp);
    assert!(highest(&second.sdp).0 > highest(&first.sdp).1);
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_check_is_asked_whether_it_has_moved() {
    let mut scene = Scene::open().await;
    let seldom = || {
        let mut config = usual();
        // Ever more seldom from the beginning of the call on.
        config.set_max_stun_rto(Duration::from_secs(600));
        Client::over(config, Wire::udp(V4))
    };
    let (mut alice, mut bob) = (seldom(), seldom());
    let (mut sender, mid) = call(&mut scene, &mut alice, &mut bob).await;
    let mut asked = 0;
    for round in 0..8 {
        let before = scene.media.metrics();
        let moving = if round % 2 == 0 { &mut bob } else { &mut alice };
        let checks = moving.sent.checks;
        moving.wire.rebind();
        scene
            .until(&mut [&mut alice, &mut bob], "another path", |scene, clients| {
                sender.send(clients[0]);
                scene.media.metrics().paths_chosen > before.paths_chosen
            })
            .await;
        scene.receive(&mut alice, &mut sender, &mut bob, &mid, 20).await;
        let moving = if round % 2 == 0 { &bob } else { &alice };
        let after = scene.media.metrics();
        asked += usize::from(moving.sent.checks == checks && after.probes_answered > before.probes_answered);
    }
    assert!(asked >= 4, "by its own check in most rounds: {asked} of 8 by the server's");
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_over_the_same_path_interrupts_nothing() {
    let mut scene = Scene::open().await;
    let (mut alice, mut bob) = (Client::new(), Client::new());
    let (mut sender, mid) = call(&mut scene, &mut alice, &mut bob).await;
    let offer = bob.restart_here();
    let answer = scene.room.offer(ParticipantKey(2), offer).await.unwrap();
    // The client does not know the new credentials yet; its old path goes on.
    scene.receive(&mut alice, &mut sender, &mut bob, &mid, 20).await;
    bob.accept(&answer.sdp);
    scene.receive(&mut alice, &mut sender, &mut bob, &mid, 20).await;
    assert_eq!(gaps(&bob.got[&mid].sequences), []);
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_moves_a_call_to_tcp_and_back() {
    let mut scene = Scene::open_with(with_tcp()).await;
    let (mut alice, mut bob) = (Client::new(), Client::new());
    let (mut sender, mid) = call(&mut scene, &mut alice, &mut bob).await;
    for (wire, streams) in [(Wire::tcp(V4), 1), (Wire::udp(V4), 0)] {
        let offer = bob.restart_over(wire);
        let answer = scene.room.offer(ParticipantKey(2), offer).await.unwrap();
        bob.accept(&answer.sdp);
        scene.receive(&mut alice, &mut sender, &mut bob, &mid, 20).await;
        scene
            .until(&mut [&mut alice, &mut bob], "the streams of the path", |scene, _| {
                scene.media.metrics().tcp_streams == streams
            })
            .await;
    }
    scene.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_accepted_elsewhere_is_handed_over() {
    let mut scene = Scene::open_with(with_tcp()).await;
    let shared = TcpListener::bind((V4, 0)).unwrap();
    let address = shared.local_addr().unwrap();
    let media = scene.media.clone();
    let door = std::thread::spawn(move || {
        let (mut stream, _) = shared.accept().unwrap();
        let mut first = vec![0; 2];
        stream.read_exact(&mut first).unwrap();
        first.resize(2 + usize::from(u16::from_be_bytes([first[0], first[1]])), 0);
        stream.read_exact(&mut first[2..]).unwrap();
        media.accept_tcp(stream, first)
    });
    let mut client = Client::over(usual(), Wire::tcp_to(V4, address));
    scene.join(1, &mut client, 1, 1).await;
    assert_eq!(door.join().unwrap(), Ok(()));
    scene.stop().await;
}

fn ufrag(sdp: &str) -> &str {
    sdp.lines().find_map(|line| line.strip_prefix("a=ice-ufrag:")).unwrap()
}

/// A binding request as somebody makes it who knows the user fragment and not the password.
fn check_without_password(ufrag: &str) -> Vec<u8> {
    let username = format!("{ufrag}:x");
    let mut attributes = vec![0, 6];
    attributes.extend(u16::try_from(username.len()).unwrap().to_be_bytes());
    attributes.extend(username.as_bytes());
    attributes.resize(attributes.len().next_multiple_of(4), 0);
    attributes.extend([0, 0x24, 0, 4, 110, 0, 0, 1, 0, 0x25, 0, 0]);
    attributes.extend([0, 8, 0, 20]);
    attributes.extend([9; 20]);
    let mut datagram = vec![0, 1];
    datagram.extend(u16::try_from(attributes.len()).unwrap().to_be_bytes());
    datagram.extend([0x21, 0x12, 0xa4, 0x42]);
    datagram.extend([3; 12]);
    datagram.extend(attributes);
    datagram
}

#[tokio::test(flavor = "multi_thread")]
async fn a_captured_check_from_elsewhere_gives_no_way_in_and_takes_no_media_away() {
    let mut scene = Scene::open().await;
    let (mut alice, mut bob) = (Client::over(brisk(), Wire::udp(V4)), Client::over(brisk(), Wire::udp(V4)));
    let (mut sender, mid) = call(&mut scene, &mut alice, &mut bob).await;
    let attacker = UdpSocket::bind((V4, 0)).unwrap();
    attacker.set_nonblocking(true).unwrap();
    let server = scene.media.candidates()[0];
    let before = scene.media.metrics();
    let forged = check_without_password("nobody");
    for _ in 0..50 {
        // Both clients' checks and media as somebody on the way has seen them, and a handshake.
        for sent in [&alice.sent, &bob.sent] {
            for datagram in [&sent.last_check, &sent.last_rtp, &vec![22, 254, 253, 0, 0], &forged] {
                attacker.send_to(datagram, server).unwrap();
            }
        }
        scene.receive(&mut alice, &mut sender, &mut bob, &mid, 2).await;
    }
    let after = scene.media.metrics();
    assert!(after.dropped_unknown_address - before.dropped_unknown_address >= 100, "not one was let in");
    assert_eq!(after.paths_chosen, before.paths_chosen);
    let mut buffer = [0; 2000];
    while let Ok(length) = attacker.recv(&mut buffer) {
        assert!(buffer[..length][0] < 2, "the attacker gets nothing but answers to checks");
    }
    assert_eq!(gaps(&bob.got[&mid].sequences), []);
    scene.stop().await;
}

/// Waits for the other side to close.
async fn is_closed(mut stream: TcpStream) {
    let closed = tokio::task::spawn_blocking(move || {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.read(&mut [0; 100])
    });
    match closed.await.unwrap() {
        Ok(0) => {}
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
        other => panic!("not closed: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_of_strangers_are_closed() {
    let mut scene = Scene::open_with(with_tcp()).await;
    scene.room.join(ParticipantKey(1), PeerMode::Single).await.unwrap();
    let mut client = Client::new();
    let offer = client.offer_v1(1, 1);
    let answer = scene.room.offer(ParticipantKey(1), offer).await.unwrap();
    let to = scene.media.tcp_candidates()[0];
    let begin = |bytes: &[u8]| {
        let mut stream = TcpStream::connect(to).unwrap();
        stream.write_all(bytes).unwrap();
        stream
    };
    let nobody = framed(&check_without_password("nobody"));
    for bytes in
        [b"GET / HTTP/1.1\r\n\r\n".as_slice(), &framed(&[22, 254, 253]), &[0xff; 300], &[0, 0], &nobody]
    {
        is_closed(begin(bytes)).await;
    }
    assert_eq!(scene.media.metrics().tcp_accepted, 0);

    // The user fragment is enough to reach the worker, and for nothing there.
    let mut knowing = framed(&check_without_password(ufrag(&answer.sdp)));
    knowing.extend(framed(&[22, 254, 253, 0, 0, 0, 0]));
    let before = scene.media.metrics().dropped_unknown_address;
    is_closed(begin(&knowing)).await;
    let metrics = scene.media.metrics();
    assert_eq!((metrics.tcp_accepted, metrics.dropped_unknown_address - before), (1, 1));

    // So many silent ones of one address; the next is closed at once, and they are after their time.
    let silent: Vec<TcpStream> = (0..64).map(|n| begin(&nobody[..n % 2])).collect();
    let refused = scene.media.metrics().tcp_refused;
    is_closed(begin(&[])).await;
    assert!(scene.media.metrics().tcp_refused > refused);
    for stream in silent {
        is_closed(stream).await;
    }
    client.accept(&answer.sdp);
    scene.until(&mut [&mut client], "connection", |_, clients| clients[0].connected).await;
    assert_eq!(scene.media.metrics().panics, 0);
    scene.stop().await;
}
