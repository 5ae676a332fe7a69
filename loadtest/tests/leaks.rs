//! Nothing stays of participants that have gone, however they went.

#![allow(clippy::unwrap_used)]

mod support;

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use futures_util::StreamExt;
use parley_loadtest::{
    Client, Engine, Join, Publish,
    source::{AudioSpec, VideoSpec},
};
use support::{Server, key};
use tokio::{net::UdpSocket, task::JoinSet};

/// Longest wait for something that must happen.
const PATIENCE: Duration = Duration::from_secs(90);
/// A participant that cannot connect gives up after this, some before the server does.
const IMPATIENCE: Duration = Duration::from_millis(700);
const SESSIONS: usize = 240;
const AT_ONCE: usize = 16;
const ROOMS: usize = 5;

/// How a session goes and ends.
#[derive(Clone, Copy, Debug)]
enum Way {
    /// Joins, publishes and leaves.
    Polite,
    /// Joins, publishes and is cut off without a word.
    CutOff,
    /// Gives up within the join, after so many milliseconds.
    Early(u64),
    /// Its datagrams reach nobody: ICE is never done.
    Unreachable,
    /// Checks pass, DTLS does not: half open.
    HalfOpen,
    /// Opens the signal connection, reads what comes first and drops it.
    SocketDropped,
    /// Joins while its room is deleted.
    RoomDeleted,
}

/// All ways by turns, in every room.
fn way(number: usize) -> Way {
    match number % 8 {
        0 | 4 => Way::Polite,
        1 => Way::CutOff,
        2 => Way::Early(number as u64 % 40),
        3 => Way::Unreachable,
        5 => Way::HalfOpen,
        6 => Way::SocketDropped,
        _ => Way::RoomDeleted,
    }
}

/// Passes on the datagrams of one client, but for those of DTLS, until it is dropped.
struct ChecksOnly {
    address: SocketAddr,
    task: tokio::task::JoinHandle<()>,
}

impl ChecksOnly {
    async fn start(server: SocketAddr) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let task = tokio::spawn(async move {
            let (mut client, mut buffer) = (None, [0; 2_048]);
            while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
                let to = if from == server { client } else { Some(server) };
                if from != server {
                    client = Some(from);
                }
                // STUN begins with 0 to 3 (RFC 7983).
                if let Some(to) = to.filter(|_| buffer[0] < 4) {
                    socket.send_to(&buffer[..length], to).await.unwrap();
                }
            }
        });
        Self { address, task }
    }
}

impl Drop for ChecksOnly {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn joined(engine: &Engine, join: Join) -> Option<Client> {
    let mut client = Client::join(engine, join).await.ok()?;
    // A room that is deleted in this moment ends the session.
    let publish = client.publish(Publish::Audio(AudioSpec::default())).await.is_ok()
        && client.publish(Publish::Video(VideoSpec::camera())).await.is_ok();
    publish.then_some(client)
}

async fn session(engine: &Engine, server: &Server, number: usize) {
    let room = format!("room-{}", number / 8 % ROOMS);
    let token = key().join_token(&room, &format!("peer-{number}"), Duration::from_secs(600));
    let join = Join { limit: PATIENCE, ..Join::new(server.url.clone(), token.clone()) };
    match way(number) {
        Way::Polite => {
            if let Some(client) = joined(engine, join).await {
                tokio::time::sleep(Duration::from_millis(200)).await;
                client.leave().await;
            }
        }
        Way::CutOff => drop(joined(engine, join).await),
        Way::Early(milliseconds) => {
            let limit = Duration::from_millis(milliseconds);
            drop(Client::join(engine, Join { limit, ..join }).await);
        }
        Way::Unreachable => {
            let nobody = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            let media_via = Some(nobody.local_addr().unwrap());
            let failed = Client::join(engine, Join { limit: IMPATIENCE, media_via, ..join }).await;
            assert!(failed.is_err(), "there was no way to the server");
        }
        Way::HalfOpen => {
            let proxy = ChecksOnly::start(server.media.candidates()[0]).await;
            let media_via = Some(proxy.address);
            let failed = Client::join(engine, Join { limit: IMPATIENCE, media_via, ..join }).await;
            assert!(failed.is_err(), "DTLS had no way to the server");
        }
        Way::SocketDropped => {
            let url = format!("{}rtc?access_token={token}", server.url);
            if let Ok((mut socket, _)) = tokio_tungstenite::connect_async(url).await {
                drop(socket.next().await);
            }
        }
        Way::RoomDeleted => {
            let (client, _) = tokio::join!(joined(engine, join), server.signaling.close_room(&room));
            drop(client);
        }
    }
}

fn tasks() -> usize {
    tokio::runtime::Handle::current().metrics().num_alive_tasks()
}

/// What there is of rooms and participants, all of which must go.
fn left(server: &Server) -> [u64; 7] {
    let media = server.media.metrics();
    [
        media.rooms,
        media.participants,
        media.connections,
        media.tcp_streams,
        media.user_fragments,
        media.addresses,
        media.timers,
    ]
}

async fn until_empty(server: &Server, tasks_before: usize) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (left, rooms, tasks) = (left(server), server.signaling.rooms().await.len(), tasks());
        if left == [0; 7] && rooms == 0 && tasks <= tasks_before {
            return;
        }
        let told = "rooms, participants, connections, TCP streams, user fragments, addresses, timers";
        assert!(
            Instant::now() < deadline,
            "left in media ({told}): {left:?}; rooms {rooms}; tasks {tasks}, at first {tasks_before}"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_stays_of_sessions_that_ended_in_any_way() {
    let server = Server::start_with(|config| {
        config.departure_timeout = Duration::from_millis(500);
        config.empty_timeout = Duration::from_millis(500);
        config.resume_timeout = Duration::from_secs(1);
        config.connect_timeout = Duration::from_secs(2);
    })
    .await;
    let (server, engine) = (std::sync::Arc::new(server), std::sync::Arc::new(Engine::start(1).unwrap()));
    let before = tasks();
    let mut running = JoinSet::new();
    for number in 0..SESSIONS {
        while running.len() >= AT_ONCE {
            running.join_next().await.unwrap().unwrap();
        }
        let (engine, server) = (engine.clone(), server.clone());
        running.spawn(async move { session(&engine, &server, number).await });
    }
    while let Some(done) = running.join_next().await {
        done.unwrap();
    }
    let media = server.media.metrics();
    assert!(media.rtp_in > 0, "some have published");
    assert_eq!(media.panics, 0);
    until_empty(&server, before).await;
}
