//! A client made of str0m on a loopback socket, driven by the test.

#![allow(dead_code, clippy::unwrap_used)]

use std::{
    cell::RefCell,
    collections::BTreeMap,
    net::IpAddr,
    time::{Duration, Instant},
};

use bytes::Bytes;
use parley_media_rtc::*;
use str0m::{
    Candidate, Event, IceConnectionState, Input, Output, Rtc, RtcConfig,
    bwe::Bitrate,
    change::{SdpAnswer, SdpOffer, SdpPendingOffer},
    channel::{ChannelConfig, ChannelId, Reliability},
    media::{Direction, KeyframeRequest, MediaKind as StrMediaKind, Mid, Pt, Rid, Simulcast, SimulcastLayer},
    net::Receive,
    rtp::{ExtensionValues, RtpWrite},
};

pub mod scene;
pub mod wire;
pub use scene::Scene;
pub use wire::{Sent, Wire};

/// A deadline so near means that more may go at once.
const PACER_STEP: Duration = Duration::from_micros(2);

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// What a client got on one section.
#[derive(Debug, Default)]
pub struct Got {
    /// Extended sequence numbers, in order of arrival.
    pub sequences: Vec<u64>,
    pub timestamps: Vec<u32>,
    pub payloads: Vec<Vec<u8>>,
    pub audio_levels: Vec<Option<i8>>,
    pub payload_types: Vec<u8>,
}

pub struct Client {
    pub rtc: Rtc,
    pub wire: Wire,
    pub sent: Sent,
    local: Candidate,
    pending: Option<SdpPendingOffer>,
    pub connected: bool,
    pub ice: Option<IceConnectionState>,
    pub channels: BTreeMap<String, ChannelId>,
    pub data: Vec<(String, Vec<u8>)>,
    pub got: BTreeMap<String, Got>,
    pub keyframe_requests: Vec<KeyframeRequest>,
    /// Sections on which this client receives.
    pub receiving: Vec<Mid>,
    /// Packets are counted and not kept.
    pub counting: bool,
    pub counted: u64,
    /// One in so many datagrams of media does not arrive; 0 = all do.
    pub loses: u64,
    datagrams: u64,
    sequence: u64,
}

/// A client with Opus, VP8 and H.264.
pub fn usual() -> RtcConfig {
    RtcConfig::new().clear_codecs().enable_opus(true, true).enable_vp8(true).enable_h264(true)
}

impl Default for Client {
    fn default() -> Self {
        Self::new()
    }
}

impl Client {
    pub fn new() -> Self {
        Self::with(usual())
    }

    pub fn with(config: RtcConfig) -> Self {
        Self::over(config, Wire::udp(IpAddr::from([127, 0, 0, 1])))
    }

    /// A client with one way to the server.
    pub fn over(config: RtcConfig, wire: Wire) -> Self {
        let local = wire.candidate();
        let provider = std::sync::Arc::new(str0m::crypto::from_feature_flags());
        let mut rtc = config
            .set_crypto_provider(provider)
            .set_rtp_mode(true)
            .enable_bwe(Some(Bitrate::mbps(5)))
            .build(Instant::now());
        rtc.add_local_candidate(local.clone());
        Self {
            rtc,
            wire,
            sent: Sent::default(),
            local,
            pending: None,
            connected: false,
            ice: None,
            channels: BTreeMap::new(),
            data: Vec::new(),
            got: BTreeMap::new(),
            keyframe_requests: Vec::new(),
            receiving: Vec::new(),
            counting: false,
            counted: 0,
            loses: 0,
            datagrams: 0,
            sequence: 1000,
        }
    }

    /// An offer like that of protocol v1: `audio` and `video` further receiving sections, and on
    /// the first call the data channels.
    pub fn offer_v1(&mut self, audio: u32, video: u32) -> String {
        let receiving = self.receiving.clone();
        let first = self.channels.is_empty() && self.receiving.is_empty();
        let mut api = self.rtc.sdp_api();
        for mid in receiving {
            // There and back, as str0m makes no offer without a change; a browser does.
            api.set_direction(mid, Direction::Inactive);
            api.set_direction(mid, Direction::RecvOnly);
        }
        for _ in 0..audio {
            self.receiving.push(api.add_media(StrMediaKind::Audio, Direction::RecvOnly, None, None, None));
        }
        for _ in 0..video {
            self.receiving.push(api.add_media(StrMediaKind::Video, Direction::RecvOnly, None, None, None));
        }
        if first {
            for config in channel_configs() {
                api.add_channel_with_config(config);
            }
        }
        let (offer, pending) = api.apply().unwrap_or_else(|| panic!("nothing to offer"));
        self.pending = Some(pending);
        offer.to_sdp_string()
    }

    /// An offer that adds a track; `rids` makes it simulcast.
    pub fn publish_offer(&mut self, kind: StrMediaKind, cid: &str, rids: &[&str]) -> (String, Mid) {
        let receiving = self.receiving.clone();
        let simulcast = (!rids.is_empty()).then(|| {
            let mut simulcast = Simulcast::new();
            for rid in rids {
                simulcast.add_send_layer(SimulcastLayer::new(rid));
            }
            simulcast
        });
        let mut api = self.rtc.sdp_api();
        for mid in receiving {
            api.set_direction(mid, Direction::RecvOnly);
        }
        let mid = api.add_media(kind, Direction::SendOnly, Some("-".into()), Some(cid.to_owned()), simulcast);
        let (offer, pending) = api.apply().unwrap();
        self.pending = Some(pending);
        (offer.to_sdp_string(), mid)
    }

    /// An offer with new ICE credentials, from a new socket.
    pub fn restart_offer(&mut self) -> String {
        self.restart_over(Wire::udp(IpAddr::from([127, 0, 0, 1])))
    }

    /// An offer with new ICE credentials, with another way to the server.
    pub fn restart_over(&mut self, wire: Wire) -> String {
        let old = std::mem::replace(&mut self.local, wire.candidate());
        self.wire = wire;
        self.rtc.direct_api().invalidate_candidate(&old);
        self.restart_here()
    }

    /// An offer with new ICE credentials.
    pub fn restart_here(&mut self) -> String {
        let receiving = self.receiving.clone();
        let mut api = self.rtc.sdp_api();
        for mid in receiving {
            api.set_direction(mid, Direction::RecvOnly);
        }
        api.ice_restart(false);
        let (offer, pending) = api.apply().unwrap();
        self.pending = Some(pending);
        offer.to_sdp_string()
    }

    pub fn accept(&mut self, answer: &str) {
        let answer = SdpAnswer::from_sdp_string(answer).unwrap();
        let pending = self.pending.take().unwrap();
        self.rtc.sdp_api().accept_answer(pending, answer).unwrap();
        self.rtc.add_local_candidate(self.local.clone());
    }

    /// Answers an offer of the server (protocol v0).
    pub fn answer(&mut self, offer: &str) -> String {
        let offer = SdpOffer::from_sdp_string(offer).unwrap();
        let answer = self.rtc.sdp_api().accept_offer(offer).unwrap();
        answer.to_sdp_string()
    }

    /// Sends one RTP packet of a section.
    pub fn send_rtp(&mut self, mid: Mid, rid: Option<&str>, pt: u8, packet: Packet) {
        let values = ExtensionValues {
            audio_level: packet.audio_level,
            // The extension carries both or nothing.
            voice_activity: packet.audio_level.map(|_| true),
            ..ExtensionValues::default()
        };
        let rid = rid.map(Rid::from);
        let mut api = self.rtc.direct_api();
        let stream = api.stream_tx_by_mid(mid, rid).unwrap();
        let write = RtpWrite::new(
            Pt::from(pt),
            packet.sequence.into(),
            packet.timestamp,
            Instant::now(),
            packet.payload,
        )
        .marker(packet.marker)
        .ext_vals(values)
        .nackable(false);
        stream.set_unpaced(true);
        stream.write_rtp(write);
    }

    pub fn pt(&self, codec: str0m::format::Codec) -> u8 {
        *self.rtc.codec_config().params().iter().find(|p| p.spec().codec == codec).unwrap().pt()
    }

    pub fn red_pt(&self) -> u8 {
        *self.rtc.codec_config().params().iter().find_map(|p| p.red()).unwrap()
    }

    pub fn send_data(&mut self, label: &str, data: &[u8]) -> bool {
        let id = self.channels[label];
        self.rtc.channel(id).unwrap().write(true, data).unwrap()
    }

    pub fn request_keyframe(&mut self, mid: Mid) {
        let mut api = self.rtc.direct_api();
        api.stream_rx_by_mid(mid, None).unwrap().request_keyframe(str0m::media::KeyframeRequestKind::Pli);
    }

    /// One step: tell the time, take all outputs, read all datagrams.
    pub fn step(&mut self) {
        self.rtc.handle_input(Input::Timeout(Instant::now())).unwrap();
        self.drain();
        BUFFER.with_borrow_mut(|buffer| self.read(buffer));
    }

    fn read(&mut self, buffer: &mut Vec<u8>) {
        let (proto, local) = (self.local.proto(), self.local.addr());
        while let Some(read) = self.wire.receive(buffer) {
            for datagram in buffer[..read.length].chunks(read.stride.max(1)) {
                // RTP and RTCP (RFC 7983).
                if self.loses > 0 && matches!(datagram.first(), Some(128..192)) {
                    self.datagrams += 1;
                    if self.datagrams.is_multiple_of(self.loses) {
                        continue;
                    }
                }
                let Ok(receive) = Receive::new(proto, read.source, local, datagram) else { continue };
                self.rtc.handle_input(Input::Receive(read.came, receive)).unwrap();
                self.drain();
            }
        }
    }

    fn drain(&mut self) {
        // The pacer lets one packet go between two timeouts.
        let (mut clock, mut sent) = (Instant::now(), false);
        loop {
            match self.rtc.poll_output().unwrap() {
                Output::Timeout(at) if sent && at <= clock + PACER_STEP => {
                    sent = false;
                    clock = clock.max(at);
                    self.rtc.handle_input(Input::Timeout(clock)).unwrap();
                }
                Output::Timeout(_) => return,
                Output::Transmit(transmit) => {
                    sent = true;
                    self.sent.note(&transmit.contents);
                    self.wire.send(&transmit.contents, transmit.destination);
                }
                Output::Event(event) => self.event(event),
            }
        }
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Connected => self.connected = true,
            Event::IceConnectionStateChange(state) => self.ice = Some(state),
            Event::ChannelOpen(id, label) => {
                self.channels.insert(label, id);
            }
            Event::ChannelData(data) => {
                let label = self.channels.iter().find(|(_, id)| **id == data.id);
                let label = label.map(|(label, _)| label.clone()).unwrap_or_default();
                self.data.push((label, data.data));
            }
            Event::KeyframeRequest(request) => self.keyframe_requests.push(request),
            Event::RtpPacket(_) if self.counting => self.counted += 1,
            Event::RtpPacket(packet) => {
                let mid = self.rtc.direct_api().stream_rx(&packet.header.ssrc).unwrap().mid();
                let got = self.got.entry(mid.to_string()).or_default();
                got.sequences.push(*packet.seq_no);
                got.timestamps.push(packet.header.timestamp);
                got.audio_levels.push(packet.header.ext_vals.audio_level);
                got.payload_types.push(*packet.header.payload_type);
                got.payloads.push(packet.payload.to_vec());
            }
            _ => {}
        }
    }

    pub fn next_sequence(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }
}

pub struct Packet {
    pub sequence: u64,
    pub timestamp: u32,
    pub marker: bool,
    pub audio_level: Option<i8>,
    pub payload: Vec<u8>,
}

fn channel_configs() -> Vec<ChannelConfig> {
    let lossy = |label: &str| ChannelConfig {
        label: label.to_owned(),
        ordered: false,
        reliability: Reliability::MaxRetransmits { retransmits: 0 },
        ..ChannelConfig::default()
    };
    vec![
        ChannelConfig { label: "_reliable".to_owned(), ..ChannelConfig::default() },
        lossy("_lossy"),
        lossy("_data_track"),
    ]
}

/// A VP8 packet (RFC 7741): extended descriptor with picture id, layer and key index.
pub fn vp8(picture: u16, tl0: u8, keyframe: bool, fill: usize) -> Vec<u8> {
    let [high, low] = (picture | 0x8000).to_be_bytes();
    let mut payload = vec![0x90, 0xf0, high, low, tl0, 0x20 | (tl0 & 0x1f)];
    payload.push(if keyframe { 0x10 } else { 0x11 });
    payload.extend([0, 0]);
    if keyframe {
        // Start code, 640 by 360.
        payload.extend([0x9d, 0x01, 0x2a, 0x80, 0x02, 0x68, 0x01]);
    }
    payload.resize(payload.len() + fill, 0xaa);
    payload
}

pub fn config() -> MediaConfig {
    MediaConfig { udp_port: 0, bind: vec![[127, 0, 0, 1].into()], ..MediaConfig::default() }
}

pub fn track(key: u64, cid: &str, kind: MediaKind) -> TrackSpec {
    let layers = match kind {
        MediaKind::Audio => Vec::new(),
        MediaKind::Video => vec![(320, 180, 150_000), (640, 360, 500_000), (1280, 720, 1_700_000)],
    };
    TrackSpec {
        key: TrackKey(key),
        sid: format!("TR_{key}"),
        stream: format!("PA_{key}|TR_{key}"),
        cid: cid.to_owned(),
        kind,
        source: if kind == MediaKind::Audio { Source::Microphone } else { Source::Camera },
        layers,
        codec: None,
        muted: false,
    }
}

pub fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

/// Sends a frame on each of three layers, and a sound packet.
#[derive(Default)]
pub struct Sender {
    pub video: Option<Mid>,
    pub audio: Option<Mid>,
    pub frame: u16,
    pub no_keyframes: bool,
}

impl Sender {
    pub fn send(&mut self, client: &mut Client) {
        let keyframe = self.frame.is_multiple_of(10) && !self.no_keyframes;
        self.frame += 1;
        if let Some(mid) = self.video {
            let pt = client.pt(str0m::format::Codec::Vp8);
            for (index, rid) in ["q", "h", "f"].into_iter().enumerate() {
                let layer = u32::try_from(index).unwrap() + 1;
                let packet = Packet {
                    sequence: u64::from(3000 * layer) + u64::from(self.frame),
                    timestamp: 90_000 * layer + 3000 * u32::from(self.frame),
                    marker: true,
                    audio_level: None,
                    payload: vp8(self.frame, self.frame.to_be_bytes()[1], keyframe, 200 * (index + 1)),
                };
                client.send_rtp(mid, Some(rid), pt, packet);
            }
        }
        if let Some(mid) = self.audio {
            let pt = client.pt(str0m::format::Codec::Opus);
            let packet = Packet {
                sequence: 500 + u64::from(self.frame),
                timestamp: 960 * u32::from(self.frame),
                marker: false,
                audio_level: Some(-20),
                payload: vec![0x78; 60],
            };
            client.send_rtp(mid, None, pt, packet);
        }
    }
}

/// Pairs of numbers that should follow each other and do not.
pub fn gaps(sequences: &[u64]) -> Vec<(u64, u64)> {
    let mut sorted = sequences.to_vec();
    sorted.sort_unstable();
    sorted.windows(2).filter(|pair| pair[0] + 1 != pair[1]).map(|pair| (pair[0], pair[1])).collect()
}
