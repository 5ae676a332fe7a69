//! Single peers against a real server.

#![allow(clippy::unwrap_used)]

mod support;

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use parley_loadtest::{
    Client, Engine, Join, Observer, Packet, Publish, TrackSettings,
    continuity::Frame,
    source::{AudioSpec, VideoSpec},
};
use support::{Server, key};

/// Longest wait for something that must happen.
const PATIENCE: Duration = Duration::from_secs(60);

async fn until(what: &str, mut done: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done().await {
        assert!(Instant::now() < deadline, "waited in vain for: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn join(server: &Server, identity: &str) -> Join {
    let token = key().join_token("room", identity, Duration::from_secs(600));
    Join { limit: PATIENCE, ..Join::new(server.url.clone(), token) }
}

#[derive(Default)]
struct Seen {
    audio: u64,
    video: u64,
    frames: [u64; 3],
    tracks: std::collections::BTreeSet<String>,
    undecodable: u64,
}

struct Spy(Arc<Mutex<Seen>>);

impl Observer for Spy {
    fn packet(&mut self, packet: &Packet<'_>) {
        let mut seen = self.0.lock().unwrap();
        match packet.kind {
            parley_loadtest::MediaKind::Audio => seen.audio += 1,
            parley_loadtest::MediaKind::Video => seen.video += 1,
        }
        seen.tracks.extend(packet.track.map(str::to_owned));
    }

    fn frame(&mut self, _track: Option<&str>, frame: &Frame, _at: Instant) {
        let mut seen = self.0.lock().unwrap();
        seen.frames[usize::from(frame.stamp.unwrap().layer)] += 1;
        seen.undecodable += u64::from(!frame.decodable);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watcher_gets_what_a_publisher_sends_and_chooses_its_layer() {
    watch(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_light_watcher_gets_the_same() {
    watch(true).await;
}

async fn watch(light: bool) {
    let server = Server::start().await;
    let engine = Engine::start(1).unwrap();
    let seen = Arc::new(Mutex::new(Seen::default()));
    let watching =
        Join { light, observer: Some(Box::new(Spy(Arc::clone(&seen)))), ..join(&server, "watcher") };
    let watcher = Client::join(&engine, watching).await.unwrap();
    let mut publisher = Client::join(&engine, join(&server, "publisher")).await.unwrap();
    let sound = publisher.publish(Publish::Audio(AudioSpec::default())).await.unwrap();
    let picture = publisher.publish(Publish::Video(VideoSpec::camera())).await.unwrap();

    until("sound and the largest picture", async || {
        let seen = seen.lock().unwrap();
        seen.audio > 50 && seen.frames[2] > 30
    })
    .await;
    assert_eq!(seen.lock().unwrap().tracks, [sound, picture.clone()].into_iter().collect());

    watcher.settings(&picture, TrackSettings { width: 320, height: 180, ..Default::default() }).unwrap();
    let smallest = seen.lock().unwrap().frames[0];
    until("the smallest picture", async || seen.lock().unwrap().frames[0] > smallest + 30).await;

    let totals = engine.totals().await;
    assert_eq!(totals.counts.faults.of_the_server(), 0, "{:?}", totals.counts.faults);
    assert!(totals.counts.delivered_packets <= totals.counts.sent_packets);
    assert_eq!(totals.counts.refused_packets, 0);
    assert!(totals.delays.len() > 100 && totals.delays.percentile_ms(0.5) > 0.0);
    publisher.leave().await;
    watcher.leave().await;
    assert_eq!(engine.totals().await.connected, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_publishers_fill_more_sections_than_were_offered_first() {
    let server = Server::start().await;
    let engine = Engine::start(1).unwrap();
    let seen = Arc::new(Mutex::new(Seen::default()));
    let watching = Join { observer: Some(Box::new(Spy(Arc::clone(&seen)))), ..join(&server, "watcher") };
    let watcher = Client::join(&engine, watching).await.unwrap();
    let mut publishers = Vec::new();
    for number in 0..5 {
        let mut publisher =
            Client::join(&engine, Join { auto_subscribe: false, ..join(&server, &format!("p{number}")) })
                .await
                .unwrap();
        let spec = VideoSpec::camera().with_seed(number + 1);
        publisher.publish(Publish::Video(spec)).await.unwrap();
        publishers.push(publisher);
    }
    until("five tracks", async || seen.lock().unwrap().tracks.len() == 5).await;
    until("pictures", async || seen.lock().unwrap().video > 300).await;
    let totals = engine.totals().await;
    assert_eq!(totals.counts.faults.of_the_server(), 0, "{:?}", totals.counts.faults);
    drop(watcher);
}
