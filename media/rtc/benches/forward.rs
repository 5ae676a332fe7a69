//! CPU of a media worker per forwarded packet, beside a bare loop of sealing and sending.
//!
//! `cargo bench -p parley-media-rtc --bench forward -- --watchers 100 --seconds 5`
//!
//! One publisher in each room sends frames of VP8; every watcher is a whole WebRTC client on a
//! loopback socket, which answers with feedback as a browser does. The figure is the CPU time of the
//! worker's thread alone, as the kernel accounts it. The bare loop seals packets of the same size with
//! AES-256-GCM and sends each frame in one call: what any server must at least do.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::{
    collections::VecDeque,
    net::UdpSocket,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use parley_media_rtc::*;
use str0m::{
    RtcConfig,
    media::Mid,
    rtp::{Extension, ExtensionMap},
};
use support::*;

/// RTP header with extensions.
const HEADER_BYTES: usize = 28;
const RECEIVE_BUFFER_BYTES: usize = 1 << 20;

#[derive(Clone, Copy, Debug)]
struct Options {
    rooms: u64,
    watchers: u64,
    /// Frames per second of each publisher.
    fps: u64,
    /// Packets of a frame.
    packets: u64,
    /// Bytes of RTP payload.
    payload: u64,
    seconds: u64,
    /// 1: watchers report arrival times, so that what is sent follows the estimate (and the noise
    /// of the machine). 0: all is forwarded.
    feedback: u64,
}

impl Options {
    fn parse() -> Self {
        let mut options =
            Self { rooms: 1, watchers: 100, fps: 25, packets: 8, payload: 1_100, seconds: 5, feedback: 0 };
        let mut words: VecDeque<String> = std::env::args().skip(1).collect();
        while let Some(word) = words.pop_front() {
            let field = match word.as_str() {
                "--rooms" => &mut options.rooms,
                "--watchers" => &mut options.watchers,
                "--fps" => &mut options.fps,
                "--packets" => &mut options.packets,
                "--payload" => &mut options.payload,
                "--feedback" => &mut options.feedback,
                "--seconds" => &mut options.seconds,
                // Cargo's own.
                "--bench" => continue,
                other => panic!("unknown: {other}"),
            };
            *field = words.pop_front().unwrap().parse().unwrap();
        }
        options
    }

    fn bits_per_second(&self) -> u64 {
        self.fps * self.packets * self.payload * 8
    }
}

/// CPU time of a thread of this process, as the scheduler counts it.
fn cpu_of(thread: &str) -> Duration {
    for task in std::fs::read_dir("/proc/self/task").unwrap() {
        let path = task.unwrap().path();
        let Ok(name) = std::fs::read_to_string(path.join("comm")) else { continue };
        if name.trim() == thread {
            let stat = std::fs::read_to_string(path.join("schedstat")).unwrap();
            return Duration::from_nanos(stat.split(' ').next().unwrap().parse().unwrap());
        }
    }
    panic!("no thread {thread}");
}

fn watcher_config(feedback: bool) -> RtcConfig {
    let mut extensions = ExtensionMap::empty();
    extensions.set(4, Extension::RtpMid);
    if feedback {
        extensions.set(2, Extension::AbsoluteSendTime);
        extensions.set(3, Extension::TransportSequenceNumber);
    }
    RtcConfig::new().clear_codecs().enable_vp8(true).set_extension_map(extensions)
}

struct Stage {
    scene: Scene,
    publisher: Client,
    video: Mid,
    watchers: Vec<Client>,
    frame: u16,
    sequence: u64,
}

impl Stage {
    async fn open(media: &Media, number: u64, options: &Options) -> Self {
        let mut scene = Scene::open_on(media.clone()).await;
        let mut publisher = Client::new();
        publisher.counting = true;
        scene.join(1, &mut publisher, 0, 0).await;
        let mut spec = track(10 + number, "camera", MediaKind::Video);
        spec.layers = vec![(1280, 720, options.bits_per_second())];
        let video = scene.publish(1, &mut publisher, spec, &[]).await;
        let mut stage = Self { scene, publisher, video, watchers: Vec::new(), frame: 0, sequence: 1_000 };
        let mut started = false;
        while !started {
            stage.send_frame(options);
            stage.publisher.step();
            tokio::time::sleep(Duration::from_millis(5)).await;
            stage.scene.poll_events();
            started = stage.scene.seen.iter().any(|e| matches!(e, MediaEvent::TrackStarted { .. }));
        }
        for watcher in 0..options.watchers {
            let mut client = Client::with(watcher_config(options.feedback > 0));
            client.counting = true;
            let key = 2 + watcher;
            stage.scene.join(key, &mut client, 0, 1).await;
            let settings = SlotSettings::default();
            stage.scene.room.subscribe(ParticipantKey(key), TrackKey(10 + number), settings).await.unwrap();
            stage.scene.reoffer(key, &mut client).await;
            stage.watchers.push(client);
        }
        stage
    }

    fn send_frame(&mut self, options: &Options) {
        let keyframe = self.frame.is_multiple_of(50) || !self.publisher.keyframe_requests.is_empty();
        self.publisher.keyframe_requests.clear();
        self.frame = (self.frame + 1) & 0x7fff;
        let pt = self.publisher.pt(str0m::format::Codec::Vp8);
        for index in 0..options.packets {
            self.sequence += 1;
            let mut payload = vp8(self.frame, self.frame.to_be_bytes()[1], keyframe, 0);
            payload.resize(usize::try_from(options.payload).unwrap(), 0xaa);
            if index > 0 {
                // Not the start of a partition.
                payload[0] &= !0x10;
            }
            let packet = Packet {
                sequence: self.sequence,
                timestamp: 3_600 * u32::from(self.frame),
                marker: index + 1 == options.packets,
                audio_level: None,
                payload,
            };
            self.publisher.send_rtp(self.video, None, pt, packet);
        }
    }

    fn step(&mut self) {
        self.publisher.step();
        for watcher in &mut self.watchers {
            watcher.step();
        }
        self.scene.poll_events();
        self.scene.seen.clear();
    }

    fn received(&self) -> u64 {
        self.watchers.iter().map(|watcher| watcher.counted).sum()
    }
}

/// Sends frames on time for so long, and reads what comes.
fn play(stages: &mut [Stage], options: &Options, limit: Duration) {
    let began = Instant::now();
    let period = Duration::from_secs(1) / u32::try_from(options.fps).unwrap();
    let mut next: Vec<Instant> = (0..stages.len())
        // Publishers are not in step with each other.
        .map(|n| began + period * u32::try_from(n).unwrap() / u32::try_from(stages.len()).unwrap())
        .collect();
    while began.elapsed() < limit {
        for (stage, next) in stages.iter_mut().zip(&mut next) {
            if Instant::now() >= *next {
                *next += period;
                stage.send_frame(options);
                stage.publisher.step();
            }
        }
        for stage in &mut *stages {
            stage.step();
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// CPU per packet of sealing and sending frames, each to a destination of its own.
fn bare_loop(options: &Options) -> Duration {
    let sockets: Vec<UdpSocket> = (0..options.watchers)
        .map(|_| {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            socket.set_nonblocking(true).unwrap();
            socket2::SockRef::from(&socket).set_recv_buffer_size(RECEIVE_BUFFER_BYTES).unwrap();
            socket
        })
        .collect();
    let addresses: Vec<_> = sockets.iter().map(|socket| socket.local_addr().unwrap()).collect();
    let done = Arc::new(AtomicBool::new(false));
    let (stop, options) = (Arc::clone(&done), *options);
    let sender = std::thread::Builder::new().name("bare".to_owned()).spawn(move || {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let state = quinn_udp::UdpSocketState::new((&socket).into()).unwrap();
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &[7; 32]).unwrap());
        let segment = HEADER_BYTES + usize::try_from(options.payload).unwrap() + AES_256_GCM.tag_len();
        let mut frame = vec![0; segment * usize::try_from(options.packets).unwrap()];
        let (mut sent, mut nonce) = (0u32, [0; 12]);
        while !stop.load(Ordering::Relaxed) {
            for destination in &addresses {
                for packet in frame.chunks_mut(segment) {
                    nonce[..4].copy_from_slice(&sent.to_be_bytes());
                    let (header, rest) = packet.split_at_mut(HEADER_BYTES);
                    let (body, tag) = rest.split_at_mut(usize::try_from(options.payload).unwrap());
                    let nonce = Nonce::assume_unique_for_key(nonce);
                    let sealed = key.seal_in_place_separate_tag(nonce, Aad::from(header), body).unwrap();
                    tag.copy_from_slice(sealed.as_ref());
                    sent += 1;
                }
                let transmit = quinn_udp::Transmit {
                    destination: *destination,
                    ecn: None,
                    contents: &frame,
                    segment_size: Some(segment),
                    src_ip: None,
                };
                state.try_send((&socket).into(), &transmit).unwrap();
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        (sent, cpu_of("bare"))
    });
    let sender = sender.unwrap();
    let began = Instant::now();
    let mut buffer = [0; 2_000];
    while began.elapsed() < Duration::from_secs(2) {
        for socket in &sockets {
            while socket.recv(&mut buffer).is_ok() {}
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    done.store(true, Ordering::Relaxed);
    let (sent, cpu) = sender.join().unwrap();
    cpu / sent
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::main]
async fn main() {
    let options = Options::parse();
    let media = Media::start(config()).unwrap();
    let mut stages = Vec::new();
    for number in 0..options.rooms {
        stages.push(Box::pin(Stage::open(&media, number, &options)).await);
    }
    println!("{options:?}, {} kbit/s each", options.bits_per_second() / 1_000);
    // Estimates grow, pictures begin.
    play(&mut stages, &options, Duration::from_secs(3));
    let received = |stages: &[Stage]| stages.iter().map(Stage::received).sum::<u64>();
    let (before, cpu, had) = (media.metrics(), cpu_of("media-0"), received(&stages));
    let began = Instant::now();
    play(&mut stages, &options, Duration::from_secs(options.seconds));
    let (after, spent, wall) = (media.metrics(), cpu_of("media-0") - cpu, began.elapsed());
    let delivered = received(&stages) - had;
    let ideal = options.rooms * options.watchers * options.fps * options.packets * options.seconds;
    println!(
        "delivered {delivered} of about {ideal}; worker busy {:.0} %; {} kB resident",
        100.0 * spent.as_secs_f64() / wall.as_secs_f64(),
        resident_kib()
    );
    let calls =
        (after.packets_out - before.packets_out) as f64 / (after.send_calls - before.send_calls) as f64;
    println!("datagrams per send call {calls:.1}");
    for (before, after) in before.iter().zip(after.iter()) {
        if let (Value::Counter(before), Value::Counter(count)) = (before.value, after.value)
            && count > before
        {
            println!("  {} {}", after.name, count - before);
        }
    }
    let per_packet = spent.as_nanos() as f64 / delivered as f64;
    let bare = bare_loop(&options).as_nanos() as f64;
    println!("worker {per_packet:.0} ns per delivered packet, bare loop {bare:.0} ns");
    println!(
        "{:.0} packets per core-second, {:.0} % of the bare loop",
        1e9 / per_packet,
        100.0 * bare / per_packet
    );
    media.shutdown(Duration::from_secs(10)).await;
}
