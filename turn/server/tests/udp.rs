//! The server over real sockets on loopback.
#![allow(clippy::unwrap_used)]

use std::net::SocketAddr;

use parley_turn_core::{Counters, Limits};
use parley_turn_server::StunServer;
use tokio::{net::UdpSocket, task::JoinHandle};
use tokio_util::sync::CancellationToken;

/// Binding request without attributes.
const REQUEST: [u8; 20] =
    [0x00, 0x01, 0x00, 0x00, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];

async fn start(limits: Limits) -> (SocketAddr, CancellationToken, JoinHandle<Counters>) {
    let server = StunServer::bind_with("127.0.0.1:0".parse().unwrap(), limits).await.unwrap();
    let address = server.local_addr().unwrap();
    let stop = CancellationToken::new();
    let running = tokio::spawn(server.serve(stop.clone()));
    (address, stop, running)
}

async fn ask(client: &UdpSocket, server: SocketAddr) -> Vec<u8> {
    client.send_to(&REQUEST, server).await.unwrap();
    let mut buffer = [0; 1500];
    let (size, from) = client.recv_from(&mut buffer).await.unwrap();
    assert_eq!(from, server);
    buffer[..size].to_vec()
}

/// Port and address of the XOR-MAPPED-ADDRESS that a success begins with.
fn mapped(reply: &[u8]) -> SocketAddr {
    assert_eq!(reply[..2], [0x01, 0x01]);
    assert_eq!(reply[8..20], REQUEST[8..20]);
    assert_eq!(reply[20..26], [0x00, 0x20, 0x00, 0x08, 0x00, 0x01]);
    let port = u16::from_be_bytes([reply[26] ^ 0x21, reply[27] ^ 0x12]);
    let cookie = [0x21, 0x12, 0xa4, 0x42];
    let address: [u8; 4] = std::array::from_fn(|index| reply[28 + index] ^ cookie[index]);
    SocketAddr::from((address, port))
}

#[tokio::test]
async fn tells_each_client_its_own_address() {
    let (server, stop, running) = start(Limits::default()).await;
    for _ in 0..3 {
        let client = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        assert_eq!(mapped(&ask(&client, server).await), client.local_addr().unwrap());
    }
    stop.cancel();
    assert_eq!(running.await.unwrap().answered, 3);
}

#[tokio::test]
async fn rubbish_is_dropped_and_disturbs_nothing() {
    let (server, stop, running) = start(Limits::default()).await;
    let client = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    for size in [0, 1, 19, 20, 500, 1400] {
        client.send_to(&vec![0x5a; size], server).await.unwrap();
    }
    mapped(&ask(&client, server).await);
    stop.cancel();
    let counters = running.await.unwrap();
    assert_eq!(counters, Counters { answered: 1, dropped: 6, ..Counters::default() });
}

#[tokio::test]
async fn a_flood_from_one_source_is_limited() {
    let (server, stop, running) = start(Limits { burst: 2, per_second: 1, max_sources: 8 }).await;
    let client = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    ask(&client, server).await;
    ask(&client, server).await;
    for _ in 0..20 {
        client.send_to(&REQUEST, server).await.unwrap();
    }
    // Another address is another source: its answer shows that all before was read.
    let other = UdpSocket::bind("127.0.0.2:0").await.unwrap();
    ask(&other, server).await;
    stop.cancel();
    let counters = running.await.unwrap();
    assert_eq!(counters.answered + counters.limited, 23);
    assert!(counters.limited > 0, "{counters:?}");
}

#[tokio::test]
async fn an_address_in_use_is_an_error() {
    let (server, stop, running) = start(Limits::default()).await;
    assert!(StunServer::bind(server).await.is_err());
    stop.cancel();
    running.await.unwrap();
}
