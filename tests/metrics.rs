//! The metrics page of a server with a call of two, one of them on a poor network: each figure that an operator looks
//! at has moved.

#![allow(clippy::unwrap_used)]

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{Read, Write},
    net::{SocketAddr, TcpStream, UdpSocket},
    path::Path,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use livekit_protocol::signal_response::Message;
use parley_loadtest::{
    Client, Engine, Join, Observer, Packet, Publish,
    network::{Conditions, Loss, Proxy, Schedule},
    server::OwnServer,
    source::{AudioSpec, VideoSpec},
};

/// Longest wait for everything to have happened.
const PATIENCE: Duration = Duration::from_secs(90);
const TOKEN_LIFETIME: Duration = Duration::from_secs(600);
const SEED: u64 = 5;
/// Keyframes are asked for so often, as by a decoder that cannot go on.
const KEYFRAMES_APART: Duration = Duration::from_secs(1);

/// All of these must be above zero: packets, bytes, loss, NACKs and keyframe requests both ways, drops by reason, time.
const COUNTERS: [&str; 17] = [
    "packets_in",
    "bytes_in",
    "packets_out",
    "bytes_out",
    "send_calls",
    "rtp_in",
    "rtp_out",
    "nacks_sent",
    "nacks_received",
    "lost_downstream",
    "keyframes_requested",
    "keyframe_requests_in",
    "paths_chosen",
    "dropped_garbage",
    "dropped_unknown_address",
    "dropped_unknown_ufrag",
    "busy_seconds",
];
/// Observations and their sum must be above zero: delay in the server, round trips, jitter, estimates, loss.
const HISTOGRAMS: [&str; 6] = [
    "forward_delay_seconds",
    "round_trip_seconds",
    "jitter_seconds",
    "estimate_bps",
    "loss_upstream_ratio",
    "loss_downstream_ratio",
];
/// At one of these is each picture that is shown.
const LAYERS: [&str; 3] = ["video_low", "video_medium", "video_high"];

/// What the server has told one of the two.
#[derive(Clone, Default)]
struct Ear(Arc<Mutex<Told>>);

#[derive(Default)]
struct Told {
    server: Option<SocketAddr>,
    /// Participants whose connection quality was told.
    quality_of: BTreeSet<String>,
    asked: Option<Instant>,
}

impl Observer for Ear {
    fn packet(&mut self, _: &Packet<'_>) {}

    fn signal(&mut self, message: &Message, _: Instant) {
        let mut told = self.0.lock().unwrap();
        match message {
            Message::Answer(answer) => told.server = udp_address(&answer.sdp),
            Message::ConnectionQuality(quality) => {
                let sids = quality.updates.iter().map(|update| update.participant_sid.clone());
                told.quality_of.extend(sids);
            }
            _ => {}
        }
    }

    fn wants_keyframe(&mut self, at: Instant) -> bool {
        let asked = &mut self.0.lock().unwrap().asked;
        let due = asked.is_none_or(|last| at.saturating_duration_since(last) > KEYFRAMES_APART);
        if due {
            *asked = Some(at);
        }
        due
    }
}

/// `candidate:FOUNDATION COMPONENT udp PRIORITY ADDRESS PORT …` (RFC 8839, section 5.1).
fn udp_address(sdp: &str) -> Option<SocketAddr> {
    sdp.lines().filter_map(|line| line.strip_prefix("a=candidate:")).find_map(|line| {
        let fields: Vec<&str> = line.split(' ').collect();
        let udp = fields.get(2)?.eq_ignore_ascii_case("udp");
        udp.then(|| Some(SocketAddr::new(fields[4].parse().ok()?, fields[5].parse().ok()?)))?
    })
}

/// Values by name, without labels: one worker.
fn scrape(server: &OwnServer) -> BTreeMap<String, f64> {
    let address = server.url.socket_addrs(|| None).unwrap()[0];
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET /metrics HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    let mut page = String::new();
    stream.read_to_string(&mut page).unwrap();
    assert!(page.starts_with("HTTP/1.1 200"), "{page}");
    let lines = page.lines().filter_map(|line| line.strip_prefix("parley_media_"));
    lines
        .filter_map(|line| {
            let (name, rest) = line.split_once('{')?;
            Some((name.to_owned(), rest.rsplit_once(' ')?.1.parse().ok()?))
        })
        .collect()
}

/// Names of what has not moved yet.
fn still(page: &BTreeMap<String, f64>) -> Vec<String> {
    let moved = |name: &String| page.get(name).is_some_and(|value| *value > 0.0);
    let counters = COUNTERS.iter().map(|name| format!("{name}_total"));
    let histograms = HISTOGRAMS.iter().flat_map(|name| [format!("{name}_count"), format!("{name}_sum")]);
    let mut still: Vec<String> = counters.chain(histograms).filter(|name| !moved(name)).collect();
    if LAYERS.iter().all(|name| page.get(*name).is_none_or(|shown| *shown < 1.0)) {
        still.push(LAYERS.join(" or "));
    }
    for (name, value) in [("rooms", 1.0), ("participants", 2.0), ("connections", 2.0)] {
        if page.get(name) != Some(&value) {
            still.push(format!("{name}, to be {value}"));
        }
    }
    still
}

/// What a stranger may send: no protocol at all, media of nobody, and a check with a user fragment that nobody has.
fn disturb(server: SocketAddr) {
    let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut media = [0; 40];
    media[..2].copy_from_slice(&[0x80, 111]);
    let mut check = vec![0x00, 0x01, 0x00, 0x10, 0x21, 0x12, 0xa4, 0x42];
    check.extend_from_slice(&[7; 12]);
    check.extend_from_slice(&[0x00, 0x06, 0x00, 0x09]);
    check.extend_from_slice(b"none:some\0\0\0");
    for datagram in [&[0xff; 30][..], &media, &check] {
        stranger.send_to(datagram, server).unwrap();
    }
}

async fn join(engine: &Engine, server: &OwnServer, identity: &str, via: Option<SocketAddr>) -> (Client, Ear) {
    let ear = Ear::default();
    let token = OwnServer::key().join_token("metrics", identity, TOKEN_LIFETIME);
    let join = Join {
        limit: PATIENCE,
        media_via: via,
        observer: Some(Box::new(ear.clone())),
        ..Join::new(server.url.clone(), token)
    };
    let mut client = Client::join(engine, join).await.unwrap();
    client.publish(Publish::Audio(AudioSpec::default())).await.unwrap();
    client.publish(Publish::Video(VideoSpec::camera())).await.unwrap();
    (client, ear)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_on_a_poor_network_moves_every_metric_that_is_looked_at() {
    let server = OwnServer::start(Path::new(env!("CARGO_BIN_EXE_parley")), 1).unwrap();
    let engine = Engine::start(1).unwrap();
    let (far, far_ear) = join(&engine, &server, "far", None).await;
    let media = far_ear.0.lock().unwrap().server.unwrap();
    let poor =
        Conditions { loss: Loss::bursts(0.1, 3.0), ..Conditions::default().delay_ms(20).jitter_ms(10, 20) };
    let (up, down) = (Schedule::steady(poor), Schedule::steady(poor));
    let proxy = Proxy::with(media, up, down, SEED, Instant::now()).unwrap();
    let (near, near_ear) = join(&engine, &server, "near", Some(proxy.address())).await;
    disturb(media);
    let deadline = Instant::now() + PATIENCE;
    loop {
        let still = still(&scrape(&server));
        let told = [&far_ear, &near_ear].map(|ear| ear.0.lock().unwrap().quality_of.len());
        // Each is told of both.
        if still.is_empty() && told == [2, 2] {
            break;
        }
        assert!(Instant::now() < deadline, "not moved: {still:?}; qualities told: {told:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    near.leave().await;
    far.leave().await;
}
