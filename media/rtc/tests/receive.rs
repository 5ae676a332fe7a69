//! Media taken straight in (`Rtc::receive_media`) and media that goes the whole way
//! (`Rtc::handle_input`): the same bytes give the same packets, and feedback comes in time. Two
//! connections in simulated time, one for each way, in which the same is sent, lost and repeated.

#![allow(clippy::unwrap_used)]

use std::{
    collections::{BTreeMap, VecDeque},
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use rand::{Rng, SeedableRng, rngs::StdRng};
use str0m::{
    Candidate, Event, Input, MediaOutcome, Output, Rtc, RtcConfig,
    change::SdpAnswer,
    format::Codec,
    media::{Direction, MediaKind, Mid, Rid, Simulcast, SimulcastLayer},
    net::{Protocol, Receive},
    rtp::{ExtensionValues, RtpPacket, RtpWrite, Ssrc},
};

const STEP: Duration = Duration::from_millis(1);
/// Round trip without queues: what is sent comes after half of it.
const WAY: Duration = Duration::from_millis(10);
const SENDER: ([u8; 4], u16) = ([10, 0, 0, 1], 1);
const RECEIVER: ([u8; 4], u16) = ([10, 0, 0, 2], 2);

#[derive(Debug, Default)]
struct Seen {
    /// By layer (empty: sound) and sequence number.
    packets: BTreeMap<(String, u64), RtpPacket>,
    /// Taken straight in, of these resent ones.
    direct: usize,
    direct_resent: usize,
    replayed: usize,
    rejected: usize,
    /// Datagrams of feedback, and when they went.
    feedback: Vec<Instant>,
    rtx: Vec<Ssrc>,
}

struct Pair {
    lane: bool,
    now: Instant,
    sender: Rtc,
    receiver: Rtc,
    /// What is under way to the receiver and back: arrival, bytes.
    there: VecDeque<(Instant, Vec<u8>)>,
    back: VecDeque<(Instant, Vec<u8>)>,
    deadline: Instant,
    sections: [Mid; 2],
    connected: [bool; 2],
    faults: Option<StdRng>,
    seen: Seen,
}

fn rtc(now: Instant, address: SocketAddr, lite: bool) -> Rtc {
    let provider = Arc::new(str0m::crypto::from_feature_flags());
    let config = RtcConfig::new().set_crypto_provider(provider).set_rtp_mode(true).set_ice_lite(lite);
    let mut rtc = config.clear_codecs().enable_opus(true, false).enable_vp8(true).build(now);
    rtc.add_local_candidate(Candidate::host(address, "udp").unwrap());
    rtc
}

impl Pair {
    fn connect(lane: bool, now: Instant) -> Self {
        let (mut sender, mut receiver) = (rtc(now, SENDER.into(), false), rtc(now, RECEIVER.into(), true));
        let mut api = sender.sdp_api();
        let mut simulcast = Simulcast::new();
        for rid in ["q", "f"] {
            simulcast.add_send_layer(SimulcastLayer::new(rid));
        }
        let sections = [
            api.add_media(MediaKind::Audio, Direction::SendOnly, None, None, None),
            api.add_media(MediaKind::Video, Direction::SendOnly, None, None, Some(simulcast)),
        ];
        let (offer, pending) = api.apply().unwrap();
        let answer = receiver.sdp_api().accept_offer(offer).unwrap().to_sdp_string();
        sender.sdp_api().accept_answer(pending, SdpAnswer::from_sdp_string(&answer).unwrap()).unwrap();
        let mut pair = Self {
            lane,
            now,
            sender,
            receiver,
            there: VecDeque::new(),
            back: VecDeque::new(),
            deadline: now,
            sections,
            connected: [false; 2],
            faults: None,
            seen: Seen::default(),
        };
        for _ in 0..5_000 {
            pair.step();
        }
        assert_eq!(pair.connected, [true; 2]);
        pair
    }

    fn step(&mut self) {
        self.now += STEP;
        self.sender.handle_input(Input::Timeout(self.now)).unwrap();
        self.drain_sender();
        while self.there.front().is_some_and(|(at, _)| *at <= self.now) {
            let (_, datagram) = self.there.pop_front().unwrap();
            self.receive(&datagram);
        }
        if self.deadline <= self.now {
            self.receiver.handle_input(Input::Timeout(self.now)).unwrap();
            self.drain_receiver();
        }
        while self.back.front().is_some_and(|(at, _)| *at <= self.now) {
            let (_, datagram) = self.back.pop_front().unwrap();
            let (source, destination) = (RECEIVER.into(), SENDER.into());
            let receive = Receive::new(Protocol::Udp, source, destination, &datagram).unwrap();
            self.sender.handle_input(Input::Receive(self.now, receive)).unwrap();
            self.drain_sender();
        }
    }

    fn drain_sender(&mut self) {
        loop {
            match self.sender.poll_output().unwrap() {
                Output::Transmit(transmit) => self.impair(transmit.contents.to_vec()),
                Output::Event(Event::Connected) => self.connected[0] = true,
                Output::Event(_) => {}
                Output::Timeout(_) => return,
            }
        }
    }

    /// Some datagrams of media are lost, held back, repeated, or changed on the way.
    fn impair(&mut self, datagram: Vec<u8>) {
        let arrives = self.now + WAY;
        let media = (128..=191).contains(&datagram[0]) && !(192..=223).contains(&datagram[1]);
        let Some(faults) = self.faults.as_mut().filter(|_| media) else {
            return self.there.push_back((arrives, datagram));
        };
        match faults.random_range(0..100) {
            0..5 => {}
            5..8 => {
                let late = arrives + Duration::from_millis(8);
                let place = self.there.partition_point(|(at, _)| *at <= late);
                self.there.insert(place, (late, datagram));
            }
            8..12 => {
                self.there.push_back((arrives, datagram.clone()));
                self.there.push_back((arrives, datagram));
            }
            12..15 => {
                let mut forged = datagram.clone();
                *forged.last_mut().unwrap() ^= 1;
                self.there.push_back((arrives, forged));
                self.there.push_back((arrives, datagram));
            }
            _ => self.there.push_back((arrives, datagram)),
        }
    }

    fn receive(&mut self, datagram: &[u8]) {
        if self.lane && datagram[0] >= 128 {
            let resent = self.is_resent(datagram);
            let receipt = self.receiver.receive_media(self.now, datagram);
            if let Some(due) = receipt.due {
                self.deadline = self.deadline.min(due);
            }
            match receipt.outcome {
                MediaOutcome::Packet(packet) => {
                    self.seen.direct += 1;
                    self.seen.direct_resent += usize::from(resent);
                    return self.note(packet);
                }
                MediaOutcome::Nothing => return,
                MediaOutcome::Reports => {
                    while let Some(event) = self.receiver.poll_media_event() {
                        assert!(!matches!(event, Event::RtpPacket(_)));
                    }
                    return;
                }
                MediaOutcome::Replayed => return self.seen.replayed += 1,
                MediaOutcome::Rejected => return self.seen.rejected += 1,
                MediaOutcome::Unsuitable => {}
            }
        }
        let receive = Receive::new(Protocol::Udp, SENDER.into(), RECEIVER.into(), datagram).unwrap();
        self.receiver.handle_input(Input::Receive(self.now, receive)).unwrap();
        self.drain_receiver();
    }

    fn is_resent(&self, datagram: &[u8]) -> bool {
        let ssrc = u32::from_be_bytes(datagram[8..12].try_into().unwrap());
        self.seen.rtx.contains(&ssrc.into())
    }

    fn drain_receiver(&mut self) {
        loop {
            match self.receiver.poll_output().unwrap() {
                Output::Transmit(transmit) => {
                    if transmit.contents[0] >= 128 {
                        self.seen.feedback.push(self.now);
                    }
                    self.back.push_back((self.now + WAY, transmit.contents.to_vec()));
                }
                Output::Event(Event::Connected) => self.connected[1] = true,
                Output::Event(Event::RtpPacket(packet)) => self.note(packet),
                Output::Event(_) => {}
                Output::Timeout(at) => {
                    self.deadline = at;
                    return;
                }
            }
        }
    }

    fn note(&mut self, packet: RtpPacket) {
        let ssrc = packet.header.ssrc;
        let mut api = self.receiver.direct_api();
        let stream = api.stream_rx(&ssrc).unwrap();
        let key = (stream.rid().map(|rid| rid.to_string()).unwrap_or_default(), *packet.seq_no);
        assert!(self.seen.packets.insert(key, packet).is_none(), "delivered twice");
    }

    fn write(&mut self, section: usize, rid: Option<&str>, sequence: u64, payload: Vec<u8>) {
        let codec = [Codec::Opus, Codec::Vp8][section];
        let params = self.sender.codec_config().params();
        let pt = params.iter().find(|params| params.spec().codec == codec).unwrap().pt();
        let values = ExtensionValues {
            audio_level: (section == 0).then_some(-20),
            voice_activity: (section == 0).then_some(true),
            video_orientation: None,
            ..ExtensionValues::default()
        };
        let timestamp = u32::try_from(sequence * 960).unwrap();
        let write = RtpWrite::new(pt, sequence.into(), timestamp, self.now, payload)
            .marker(sequence.is_multiple_of(3))
            .ext_vals(values)
            .nackable(section == 1);
        let mut api = self.sender.direct_api();
        let stream = api.stream_tx_by_mid(self.sections[section], rid.map(Rid::from)).unwrap();
        if let Some(rtx) = stream.rtx().filter(|rtx| !self.seen.rtx.contains(rtx)) {
            self.seen.rtx.push(rtx);
        }
        stream.set_unpaced(true);
        stream.write_rtp(write);
    }

    /// Sends for some seconds, faultless in the first and the last.
    fn run(lane: bool, start: Instant) -> Seen {
        let mut pair = Self::connect(lane, start);
        let begun = pair.now;
        for tick in 0..8_000u64 {
            pair.faults = match tick {
                1_000 => Some(StdRng::seed_from_u64(7)),
                6_000 => None,
                _ => pair.faults.take(),
            };
            if tick.is_multiple_of(10) && tick < 7_000 {
                // Over a wrap of the sequence numbers.
                let sequence = 65_300 + tick / 10;
                pair.write(0, None, sequence, vec![0x78; 60]);
                pair.write(1, Some("q"), sequence, vec![tick as u8; 300]);
                pair.write(1, Some("f"), sequence, vec![tick as u8; 1_100]);
            }
            pair.step();
        }
        pair.seen.feedback.retain(|at| *at >= begun);
        pair.seen
    }
}

#[test]
fn both_ways_give_the_same_packets() {
    let start = Instant::now();
    let (direct, whole) = (Pair::run(true, start), Pair::run(false, start));
    for seen in [&direct, &whole] {
        let of = |layer: &str| seen.packets.keys().filter(|(own, _)| own == layer).count();
        assert_eq!((of("q"), of("f")), (700, 700), "what was lost is resent");
        assert!((600..700).contains(&of("")), "sound is not");
    }
    let mut compared = 0;
    for (key, packet) in &direct.packets {
        let Some(other) = whole.packets.get(key) else { continue };
        assert_eq!((packet.seq_no, packet.time, &packet.payload), (other.seq_no, other.time, &other.payload));
        let header = |packet: &RtpPacket| {
            let mut header = packet.header.clone();
            header.ssrc = 0.into();
            // What the order of resending decides.
            header.ext_vals.transport_cc = None;
            header.ext_vals.abs_send_time = None;
            header.header_len = 0;
            header.ext_vals.mid = None;
            header.ext_vals.rid = None;
            header
        };
        assert_eq!(header(packet), header(other));
        compared += 1;
    }
    assert!(compared > 1_900, "{compared}");
    // Nearly all went straight in, resent ones among them.
    assert!(direct.direct > 1_900, "{}", direct.direct);
    assert!(direct.direct_resent > 40, "{}", direct.direct_resent);
    assert_eq!(whole.direct, 0);
}

#[test]
fn repeated_and_forged_packets_are_dropped() {
    let seen = Pair::run(true, Instant::now());
    // Of 1,500 packets and what is resent 4 % are repeated, 3 % come forged before the true one.
    assert!((40..90).contains(&seen.replayed), "{}", seen.replayed);
    assert!((30..70).contains(&seen.rejected), "{}", seen.rejected);
}

#[test]
fn feedback_comes_in_time() {
    let (direct, whole) = (Pair::run(true, Instant::now()), Pair::run(false, Instant::now()));
    let longest = |seen: &Seen| seen.feedback.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
    // Transport-wide feedback every 50 ms while packets come; they stop a second before the end.
    let flowing = |seen: &Seen| {
        let first = seen.feedback[0];
        let within = seen.feedback.iter().filter(|at| **at - first < Duration::from_millis(6_900));
        within.copied().collect::<Vec<_>>()
    };
    for seen in [&direct, &whole] {
        let flowing = Seen { feedback: flowing(seen), ..Seen::default() };
        assert!(longest(&flowing) <= Duration::from_millis(55), "{:?}", longest(&flowing));
        assert!(flowing.feedback.len() > 130, "{}", flowing.feedback.len());
    }
}
