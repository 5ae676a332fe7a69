//! A worker with two participants, one of them behind a modelled network, in simulated time.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use parley_loadtest::{
    network::{self, Scenario, decoder::VideoPacket, verdict::Recording},
    source::{AudioSource, AudioSpec, MediaPacket, VideoSource, VideoSpec},
};
use parley_media_core::{ParticipantKey, VOICES_DEFAULT};
use str0m::{
    Candidate, Event,
    change::SdpAnswer,
    format::Codec,
    media::{Direction, KeyframeRequestKind, MediaKind as StrMediaKind, Mid, Rid, Simulcast, SimulcastLayer},
    rtp::{ExtensionValues, RtpWrite},
};
use tokio::sync::{mpsc, oneshot};

use super::{
    super::{POLL_EVENTS, Polled, WAKER, Worker},
    client::Client,
};
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
pub(super) const MESSAGE_BYTES: usize = 64 * 1024;
/// A worker is not woken sooner after a turn.
const STEP: Duration = Duration::from_micros(500);
/// What a publisher keeps to send it again.
const RESENT_PACKETS: usize = 2_000;
const RESENT_AGE: Duration = Duration::from_secs(2);
const CONNECTED_WITHIN: Duration = Duration::from_secs(20);

/// Who is behind the modelled network; the other one has a perfect one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Poor {
    Publisher,
    Watcher,
}

/// What is sent, and on which sections.
struct Publishing {
    video: VideoSource,
    audio: AudioSource,
    sections: [Mid; 2],
    rids: Vec<Rid>,
    /// Layers that somebody watches.
    wanted: usize,
    /// Layers that the publisher's own estimate lets it send.
    affordable: usize,
}

impl Publishing {
    fn enable(&mut self) {
        for layer in 0..self.rids.len() {
            self.video.enable(layer, layer < self.wanted.min(self.affordable));
        }
    }
}

pub(super) struct Simulation {
    pub(super) start: Instant,
    pub(super) now: Instant,
    poor: Poor,
    pub(super) worker: Worker,
    pub(super) link: Arc<Link>,
    polled: Polled,
    pub(super) room: Key,
    events: mpsc::Receiver<MediaEvent>,
    pub(super) server: SocketAddr,
    publisher: Client,
    watcher: Client,
    publishing: Option<Publishing>,
    /// The watcher's sections: sound and picture.
    watching: Vec<Mid>,
    /// To and from who has the poor network.
    pub(super) down: network::Link<Vec<u8>>,
    pub(super) up: network::Link<Vec<u8>>,
    pub(super) recording: Recording,
    subscribed: Option<Instant>,
    /// Keyframes that the publisher was asked for.
    pub(super) keyframes_asked: usize,
}

impl Simulation {
    pub(super) fn new(scenario: &Scenario, poor: Poor) -> Self {
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
            poor,
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
            keyframes_asked: 0,
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
    pub(super) fn set_up(&mut self, seed: u64) {
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
        for rid in &rids {
            // As browsers do: what is sent again has no share of its own.
            let mut api = self.publisher.rtc.direct_api();
            let stream = api.stream_tx_by_mid(sections[1], Some(*rid)).unwrap();
            stream.set_rtx_cache(RESENT_PACKETS, RESENT_AGE, None);
        }
        self.publishing = Some(Publishing {
            video: VideoSource::new(spec, self.now),
            audio: AudioSource::new(AudioSpec::default(), self.now),
            sections,
            wanted: rids.len(),
            affordable: rids.len(),
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

    pub(super) fn advance(&mut self, time: Duration) {
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

    pub(super) fn turn(&mut self) {
        self.worker.poll.poll(&mut self.polled, Some(Duration::ZERO)).unwrap();
        for event in self.polled.iter().filter(|event| event.token() != WAKER) {
            self.worker.sockets.event(event);
        }
        self.worker.turn(&self.link, self.now);
        while let Ok(event) = self.events.try_recv() {
            match event {
                MediaEvent::SubscribedQuality { track: PICTURE, max, .. } => {
                    let Some(publishing) = &mut self.publishing else { continue };
                    publishing.wanted = max.map_or(0, |max| usize::from(max) + 1);
                    publishing.enable();
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

    /// The publisher's estimate lets it send so many layers from now on.
    pub(super) fn afford(&mut self, layers: usize) {
        if let Some(publishing) = &mut self.publishing {
            publishing.affordable = layers;
            publishing.enable();
        }
    }

    /// Lets datagrams pass between clients and worker, through the network where there is one.
    fn carry(&mut self) {
        let now = self.now;
        for (participant, side) in [(PUBLISHER, Poor::Publisher), (WATCHER, Poor::Watcher)] {
            for (bytes, source) in self.client(participant).datagrams() {
                if side == self.poor {
                    self.down.send(bytes.len(), bytes, now);
                } else {
                    self.client(participant).receive(&bytes, source, now);
                    self.drive(side);
                }
            }
            while side == self.poor
                && let Some(bytes) = self.down.poll(now)
            {
                let server = self.server;
                self.client(participant).receive(&bytes, server, now);
                self.drive(side);
            }
            self.drive(side);
        }
        let socket = match self.poor {
            Poor::Publisher => &self.publisher.socket,
            Poor::Watcher => &self.watcher.socket,
        };
        while let Some(bytes) = self.up.poll(now) {
            socket.send_to(&bytes, self.server).unwrap();
        }
    }

    fn drive(&mut self, side: Poor) {
        let (now, up, poor) = (self.now, &mut self.up, side == self.poor);
        let client = match side {
            Poor::Publisher => &mut self.publisher,
            Poor::Watcher => &mut self.watcher,
        };
        client.drive(now, |socket, bytes, to| {
            if poor {
                up.send(bytes.len(), bytes, now);
            } else {
                socket.send_to(&bytes, to).unwrap();
            }
        });
        for event in std::mem::take(&mut client.events) {
            match side {
                Poor::Publisher => self.published(&event),
                Poor::Watcher => self.watched(event),
            }
        }
        if side == Poor::Watcher {
            self.ask_keyframe();
        }
    }

    fn published(&mut self, event: &Event) {
        let (Event::KeyframeRequest(request), Some(publishing)) = (event, &mut self.publishing) else {
            return;
        };
        self.keyframes_asked += 1;
        let layer = publishing.rids.iter().position(|rid| Some(*rid) == request.rid);
        publishing.video.request_keyframe(layer.unwrap_or(0));
    }

    fn watched(&mut self, event: Event) {
        let Event::RtpPacket(packet) = event else { return };
        let at = self.now - self.start;
        if packet.payload.is_empty() {
            return;
        }
        if packet.header.payload_type == self.watcher.payload_type(Codec::Opus) {
            self.recording.sound_down.push(*packet.seq_no, at);
        } else {
            let (timestamp, marker) = (packet.header.timestamp, packet.header.marker);
            let header = VideoPacket { sequence: *packet.seq_no, timestamp, marker, at };
            self.recording.picture.packet(header, &packet.payload);
        }
    }

    fn ask_keyframe(&mut self) {
        if self.subscribed.is_some()
            && self.recording.picture.asks(self.now - self.start)
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
        self.drive(Poor::Publisher);
    }
}
