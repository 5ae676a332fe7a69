//! The twelve poor networks in simulated time: a minute takes a second or two, and other load of the machine plays
//! no part.
//!
//! A real worker with its rooms, connections and estimates gets turns at simulated times. A publisher is on a
//! perfect network, a watcher behind a modelled one (`parley-loadtest`); datagrams to and from the worker go over
//! loopback sockets, which are read at once. With `--nocapture`, `NETWORK_TABLE=1` prints what was measured and
//! `NETWORK_TRACE=1` prints it in full; `NETWORK_SEEDS` is the number of seeds.

#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod overload;

use std::{
    net::{SocketAddr, UdpSocket},
    sync::Arc,
    time::{Duration, Instant},
};

use parley_loadtest::{
    network::{
        self, Passed, Scenario,
        decoder::VideoPacket,
        scenarios,
        verdict::{self, Outcome, Recording},
    },
    source::{AudioSource, AudioSpec, MediaPacket, VideoSource, VideoSpec},
};
use parley_media_core::{ParticipantKey, VOICES_DEFAULT};
use str0m::{
    Candidate, Event, Input, Output, Rtc, RtcConfig,
    change::{SdpAnswer, SdpPendingOffer},
    format::Codec,
    media::{
        Direction, KeyframeRequestKind, MediaKind as StrMediaKind, Mid, Pt, Rid, Simulcast, SimulcastLayer,
    },
    net::{Protocol, Receive},
    rtp::{ExtensionValues, RtpWrite},
};
use tokio::sync::{mpsc, oneshot};

use super::{POLL_EVENTS, Polled, WAKER, Worker};
use crate::{
    MediaConfig, MediaEvent, MediaKind, PeerMode, SlotSettings, Source, StreamState, TrackKey, TrackSpec,
    arena::Key,
    codecs,
    command::{Command, Reply, RoomCommand},
    handle::Link,
    layout::HOME,
    room::{Events, RoomState},
};

const PUBLISHER: ParticipantKey = ParticipantKey(1);
const WATCHER: ParticipantKey = ParticipantKey(2);
const SOUND: TrackKey = TrackKey(1);
const PICTURE: TrackKey = TrackKey(2);
const MESSAGE_BYTES: usize = 64 * 1024;
/// A worker is not woken sooner after a turn.
const STEP: Duration = Duration::from_micros(500);
/// Seeds of each network, and how far they are apart: networks have neighbouring ones.
const SEEDS: u64 = 3;
const SEED_STEP: u64 = 100;
const CONNECTED_WITHIN: Duration = Duration::from_secs(20);

/// A participant's end: state machine and socket.
struct Client {
    rtc: Rtc,
    socket: UdpSocket,
    address: SocketAddr,
    pending: Option<SdpPendingOffer>,
    deadline: Instant,
    touched: bool,
    connected: bool,
    events: Vec<Event>,
}

impl Client {
    fn new(now: Instant) -> Self {
        let provider = Arc::new(str0m::crypto::from_feature_flags());
        let config = RtcConfig::new().set_crypto_provider(provider).set_rtp_mode(true).clear_codecs();
        let mut rtc = config.enable_opus(true, false).enable_vp8(true).build(now);
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_nonblocking(true).unwrap();
        let address = socket.local_addr().unwrap();
        rtc.add_local_candidate(Candidate::host(address, "udp").unwrap());
        Self {
            rtc,
            socket,
            address,
            pending: None,
            deadline: now,
            touched: true,
            connected: false,
            events: Vec::new(),
        }
    }

    /// Datagrams that wait on the socket.
    fn datagrams(&self) -> Vec<(Vec<u8>, SocketAddr)> {
        let mut buffer = [0; 2_000];
        std::iter::from_fn(|| {
            let (length, source) = self.socket.recv_from(&mut buffer).ok()?;
            Some((buffer[..length].to_vec(), source))
        })
        .collect()
    }

    fn receive(&mut self, bytes: &[u8], source: SocketAddr, now: Instant) {
        let receive = Receive::new(Protocol::Udp, source, self.address, bytes).unwrap();
        self.rtc.handle_input(Input::Receive(now, receive)).unwrap();
        self.touched = true;
    }

    /// Tells the time and takes everything; a pacer is told the time after each packet.
    fn drive(&mut self, now: Instant, mut send: impl FnMut(&UdpSocket, Vec<u8>, SocketAddr)) {
        if !self.touched && self.deadline > now {
            return;
        }
        self.touched = false;
        self.rtc.handle_input(Input::Timeout(now)).unwrap();
        loop {
            match self.rtc.poll_output().unwrap() {
                Output::Transmit(transmit) => {
                    send(&self.socket, transmit.contents.to_vec(), transmit.destination);
                }
                Output::Event(event) => {
                    self.connected |= matches!(event, Event::Connected);
                    self.events.push(event);
                }
                Output::Timeout(at) if at <= now => self.rtc.handle_input(Input::Timeout(now)).unwrap(),
                Output::Timeout(at) => {
                    self.deadline = at;
                    return;
                }
            }
        }
    }

    fn payload_type(&self, codec: Codec) -> Pt {
        let fits = |params: &&str0m::format::PayloadParams| params.spec().codec == codec;
        self.rtc.codec_config().params().iter().find(fits).unwrap().pt()
    }
}

/// What is sent, and on which sections.
struct Publishing {
    video: VideoSource,
    audio: AudioSource,
    sections: [Mid; 2],
    rids: Vec<Rid>,
}

struct Simulation {
    start: Instant,
    now: Instant,
    worker: Worker,
    link: Arc<Link>,
    polled: Polled,
    room: Key,
    events: mpsc::Receiver<MediaEvent>,
    server: SocketAddr,
    publisher: Client,
    watcher: Client,
    publishing: Option<Publishing>,
    /// The watcher's sections: sound and picture.
    watching: Vec<Mid>,
    down: network::Link<Vec<u8>>,
    up: network::Link<Vec<u8>>,
    recording: Recording,
    subscribed: Option<Instant>,
}

impl Simulation {
    fn new(scenario: &Scenario) -> Self {
        let config = MediaConfig { udp_port: 0, bind: vec![[127, 0, 0, 1].into()], ..MediaConfig::default() };
        let (commands, receiver) = mpsc::channel(16);
        let (mut worker, waker) = Worker::prepare(&Arc::new(config), 0, receiver, &Arc::default()).unwrap();
        let link = Arc::new(Link::new(commands, waker));
        let (events, told) = Events::new(4_096);
        let room = worker.rooms.insert_with(|key| RoomState::new(key, HOME, events, VOICES_DEFAULT));
        let server = worker.candidates()[0];
        let start = Instant::now();
        Self {
            start,
            now: start,
            worker,
            link,
            polled: Polled::with_capacity(POLL_EVENTS),
            room,
            events: told,
            server,
            publisher: Client::new(start),
            watcher: Client::new(start),
            publishing: None,
            watching: Vec::new(),
            down: network::Link::new(scenario.down.clone(), scenario.seed, start),
            up: network::Link::new(scenario.up.clone(), scenario.seed + 1_000, start),
            recording: Recording::default(),
            subscribed: None,
        }
    }

    /// Has the worker carry out a command, and takes its answer.
    fn call<T>(&mut self, command: impl FnOnce(Reply<T>) -> RoomCommand) -> T {
        let (reply, mut answer) = oneshot::channel();
        assert!(self.link.commands.try_send(Command::Room(self.room, command(reply))).is_ok());
        self.turn();
        answer.try_recv().unwrap().unwrap()
    }

    fn join(&mut self, participant: ParticipantKey) {
        let candidate = Candidate::host(self.server, "udp").unwrap();
        let rtc = codecs::build(&[candidate], MESSAGE_BYTES).unwrap();
        self.call(|reply| RoomCommand::Join(participant, PeerMode::Single, vec![rtc], reply));
    }

    fn client(&mut self, participant: ParticipantKey) -> &mut Client {
        if participant == PUBLISHER { &mut self.publisher } else { &mut self.watcher }
    }

    fn negotiate(
        &mut self,
        participant: ParticipantKey,
        change: impl FnOnce(&mut str0m::change::SdpApi<'_>),
    ) {
        let client = self.client(participant);
        let mut api = client.rtc.sdp_api();
        change(&mut api);
        let (offer, pending) = api.apply().unwrap();
        client.pending = Some(pending);
        let sdp = offer.to_sdp_string();
        let answer = self.call(|reply| RoomCommand::Offer(participant, sdp, reply));
        let client = self.client(participant);
        let pending = client.pending.take().unwrap();
        let answer = SdpAnswer::from_sdp_string(&answer.sdp).unwrap();
        client.rtc.sdp_api().accept_answer(pending, answer).unwrap();
        client.rtc.add_local_candidate(Candidate::host(client.address, "udp").unwrap());
        client.touched = true;
    }

    /// Both join, one publishes, the other subscribes.
    fn set_up(&mut self, seed: u64) {
        for participant in [PUBLISHER, WATCHER] {
            self.join(participant);
        }
        let spec = VideoSpec::camera().with_seed(seed);
        let layers = spec.layers.iter().map(|layer| (layer.width, layer.height, layer.bitrate)).collect();
        for (key, kind, source, layers) in [
            (SOUND, MediaKind::Audio, Source::Microphone, Vec::new()),
            (PICTURE, MediaKind::Video, Source::Camera, layers),
        ] {
            let spec = Box::new(TrackSpec {
                key,
                sid: format!("TR_{}", key.0),
                stream: "PA_1".to_owned(),
                cid: format!("track-{}", key.0),
                kind,
                source,
                layers,
                codec: None,
                muted: false,
            });
            self.call(|reply| RoomCommand::DeclareTrack(PUBLISHER, spec, reply));
        }
        let rids: Vec<Rid> = spec.layers.iter().filter_map(|layer| layer.rid.map(Rid::from)).collect();
        let mut simulcast = Simulcast::new();
        for rid in spec.layers.iter().filter_map(|layer| layer.rid) {
            simulcast.add_send_layer(SimulcastLayer::new(rid));
        }
        let mut sections = Vec::new();
        self.negotiate(PUBLISHER, |api| {
            for (kind, cid, simulcast) in
                [(StrMediaKind::Audio, "track-1", None), (StrMediaKind::Video, "track-2", Some(simulcast))]
            {
                let (stream, cid) = (Some("-".to_owned()), Some(cid.to_owned()));
                sections.push(api.add_media(kind, Direction::SendOnly, stream, cid, simulcast));
            }
        });
        let sections = [sections[0], sections[1]];
        let mut watching = Vec::new();
        self.negotiate(WATCHER, |api| {
            for kind in [StrMediaKind::Audio, StrMediaKind::Video] {
                watching.push(api.add_media(kind, Direction::RecvOnly, None, None, None));
            }
        });
        self.watching.clone_from(&watching);
        // Under loss, the handshake takes its time.
        while !(self.publisher.connected && self.watcher.connected) {
            assert!(self.now - self.start < CONNECTED_WITHIN, "no connection");
            self.advance(Duration::from_millis(100));
        }
        self.advance(Duration::from_secs(1));
        self.publishing = Some(Publishing {
            video: VideoSource::new(spec, self.now),
            audio: AudioSource::new(AudioSpec::default(), self.now),
            sections,
            rids,
        });
        self.advance(Duration::from_millis(500));
        for track in [SOUND, PICTURE] {
            let settings = SlotSettings::default();
            self.call(|reply| RoomCommand::Subscribe(WATCHER, track, settings, reply));
        }
        self.negotiate(WATCHER, |api| {
            for mid in watching {
                // There and back: an offer needs a change.
                api.set_direction(mid, Direction::Inactive);
                api.set_direction(mid, Direction::RecvOnly);
            }
        });
        self.subscribed = Some(self.now);
    }

    fn advance(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.publish();
            self.carry();
            self.turn();
            self.carry();
            let wanted = [
                Some(self.publisher.deadline),
                Some(self.watcher.deadline),
                self.down.next(),
                self.up.next(),
                self.worker.timers.sleep(self.now).map(|sleep| self.now + sleep),
                Some(self.worker.next_tick.min(self.worker.next_watch)),
                self.publishing.as_ref().map(|out| out.video.next_at().min(out.audio.next_at())),
            ];
            let next = wanted.into_iter().flatten().min().unwrap();
            self.now = next.max(self.now + STEP);
        }
    }

    fn turn(&mut self) {
        self.worker.poll.poll(&mut self.polled, Some(Duration::ZERO)).unwrap();
        for event in self.polled.iter().filter(|event| event.token() != WAKER) {
            self.worker.sockets.event(event);
        }
        self.worker.turn(&self.link, self.now);
        while let Ok(event) = self.events.try_recv() {
            match event {
                MediaEvent::SubscribedQuality { track: PICTURE, max, .. } => {
                    let Some(publishing) = &mut self.publishing else { continue };
                    for layer in 0..publishing.rids.len() {
                        let wanted = max.is_some_and(|max| layer <= usize::from(max));
                        publishing.video.enable(layer, wanted);
                    }
                }
                MediaEvent::StreamStates { states, .. } => {
                    let at = (self.now - self.start).as_secs_f64();
                    let paused = states.iter().map(|(_, state)| (at, *state == StreamState::Paused));
                    self.recording.pauses.extend(paused);
                }
                _ => {}
            }
        }
    }

    /// Lets datagrams pass between clients and worker, through the network where there is one.
    fn carry(&mut self) {
        let now = self.now;
        for (bytes, source) in self.publisher.datagrams() {
            self.publisher.receive(&bytes, source, now);
            self.drive_publisher();
        }
        self.drive_publisher();
        for (bytes, _) in self.watcher.datagrams() {
            self.down.send(bytes.len(), bytes, now);
        }
        while let Some(bytes) = self.down.poll(now) {
            self.watcher.receive(&bytes, self.server, now);
            self.drive_watcher();
        }
        self.drive_watcher();
        while let Some(bytes) = self.up.poll(now) {
            self.watcher.socket.send_to(&bytes, self.server).unwrap();
        }
    }

    fn drive_publisher(&mut self) {
        self.publisher.drive(self.now, |socket, bytes, to| {
            socket.send_to(&bytes, to).unwrap();
        });
        for event in std::mem::take(&mut self.publisher.events) {
            let (Event::KeyframeRequest(request), Some(publishing)) = (event, &mut self.publishing) else {
                continue;
            };
            let layer = publishing.rids.iter().position(|rid| Some(*rid) == request.rid);
            publishing.video.request_keyframe(layer.unwrap_or(0));
        }
    }

    fn drive_watcher(&mut self) {
        let (now, up) = (self.now, &mut self.up);
        self.watcher.drive(now, |_, bytes, _| {
            up.send(bytes.len(), bytes, now);
        });
        let sound = self.watcher.payload_type(Codec::Opus);
        for event in std::mem::take(&mut self.watcher.events) {
            let Event::RtpPacket(packet) = event else { continue };
            let at = now - self.start;
            if packet.payload.is_empty() {
                continue;
            }
            if packet.header.payload_type == sound {
                self.recording.sound_down.push(*packet.seq_no, at);
            } else {
                let (timestamp, marker) = (packet.header.timestamp, packet.header.marker);
                let header = VideoPacket { sequence: *packet.seq_no, timestamp, marker, at };
                self.recording.picture.packet(header, &packet.payload);
            }
        }
        if self.subscribed.is_some()
            && self.recording.picture.asks(now - self.start)
            && let Some(mid) = self.watching.get(1).copied()
            && let Some(stream) = self.watcher.rtc.direct_api().stream_rx_by_mid(mid, None)
        {
            stream.request_keyframe(KeyframeRequestKind::Pli);
            self.watcher.touched = true;
        }
    }

    fn publish(&mut self) {
        let now = self.now;
        let Some(publishing) = &mut self.publishing else { return };
        let mut sound: Vec<MediaPacket> = std::iter::from_fn(|| publishing.audio.packet(now)).collect();
        let mut picture = Vec::new();
        while publishing.video.frame(now, &mut picture) {}
        let pts = [Codec::Opus, Codec::Vp8].map(|codec| self.publisher.payload_type(codec));
        let level = ExtensionValues {
            audio_level: Some(-30),
            voice_activity: Some(true),
            ..ExtensionValues::default()
        };
        let packets = sound.drain(..).map(|packet| (0, packet)).chain(picture.into_iter().map(|p| (1, p)));
        for (section, packet) in packets {
            let rid = (section == 1).then(|| publishing.rids[packet.layer]);
            let values = if section == 0 { level.clone() } else { ExtensionValues::default() };
            let sequence = packet.sequence.into();
            let write = RtpWrite::new(pts[section], sequence, packet.timestamp, now, packet.payload);
            let write = write.marker(packet.marker).ext_vals(values).nackable(section == 1);
            let mut api = self.publisher.rtc.direct_api();
            let stream = api.stream_tx_by_mid(publishing.sections[section], rid).unwrap();
            stream.write_rtp(write);
            self.publisher.touched = true;
        }
        self.drive_publisher();
    }
}

/// Runs a scenario with a number of seeds (`NETWORK_SEEDS`); why it failed, by seed.
fn simulate(name: &str) -> Vec<String> {
    let seeds = std::env::var("NETWORK_SEEDS").map_or(SEEDS, |seeds| seeds.parse().unwrap());
    let mut outcomes = Vec::new();
    for seed in 0..seeds {
        let mut scenario = Scenario::named(name).unwrap();
        scenario.seed += seed * SEED_STEP;
        outcomes.push(run(&scenario));
    }
    if std::env::var_os("NETWORK_TABLE").is_some() {
        eprintln!("{}", verdict::table(&outcomes));
    }
    let failed = |outcome: Outcome| {
        let seed = outcome.seed;
        outcome.failures.into_iter().map(move |failure| format!("seed {seed}: {failure}"))
    };
    outcomes.into_iter().flat_map(failed).collect()
}

fn run(scenario: &Scenario) -> Outcome {
    let mut simulation = Simulation::new(scenario);
    simulation.set_up(scenario.seed);
    let begun = simulation.now - simulation.start;
    simulation.advance(scenarios::LENGTH - begun);
    let rates = scenarios::Rates::of(&VideoSpec::camera(), &AudioSpec::default());
    let network = Passed { up: simulation.up.counts(), down: simulation.down.counts(), late: 0 };
    let outcome = Outcome::of(scenario, &simulation.recording, &rates, begun, network);
    if std::env::var_os("NETWORK_TRACE").is_some() {
        eprintln!("{outcome:#?}");
    }
    outcome
}

macro_rules! networks {
    ($($(#[$attribute:meta])? $test:ident $name:literal)*) => {
        $(#[test] $(#[$attribute])? fn $test() { assert_eq!(simulate($name), [] as [String; 0]) })*
    };
}

// Those that are ignored do not hold with every seed yet.
networks! {
    good_wifi "good-wifi"
    dsl "dsl"
    congested_wifi "congested-wifi"
    hotel "hotel"
    bufferbloat "bufferbloat"
    satellite "satellite"
    #[ignore] lossy "lossy"
    reorder "reorder"
    cellular "4g"
    #[ignore] rate_steps "rate-steps"
    outage "outage"
    #[ignore] train "train"
}
