//! The direct lane of the state machine against its queues, in simulated time: the same packets in
//! the same order, whichever way they go.

#![allow(clippy::unwrap_used)]

use std::{
    collections::{BTreeSet, VecDeque},
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use str0m::{
    Candidate, Event, Input, Output, Rtc, RtcConfig,
    bwe::{Bitrate, PacketFeedback},
    format::Codec,
    media::{MediaKind, Mid, Pt},
    net::{Protocol, Receive},
    rtp::{DirectWrite, ExtensionValues, RtpPacket, RtpWrite, Ssrc, Vp8Descriptor},
};

const ONE_WAY: Duration = Duration::from_millis(5);
const FRAME: Duration = Duration::from_millis(33);
const ESTIMATE_START: Bitrate = Bitrate::kbps(300);
/// Bytes of a full packet's payload.
const FULL: usize = 1_100;

#[derive(Clone, Copy, PartialEq)]
enum By {
    Lane,
    Queue,
}

/// One end of a connection.
struct End {
    rtc: Rtc,
    address: SocketAddr,
    deadline: Instant,
    /// Datagrams on their way to it.
    coming: VecDeque<(Instant, Vec<u8>)>,
}

impl End {
    fn new(config: RtcConfig, port: u16, now: Instant) -> Self {
        let provider = Arc::new(str0m::crypto::from_feature_flags());
        let config = config.set_crypto_provider(provider).set_rtp_mode(true).clear_codecs();
        let mut rtc = config.enable_opus(true, false).enable_vp8(true).build(now);
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        rtc.add_local_candidate(Candidate::host(address, "udp").unwrap());
        Self { rtc, address, deadline: now, coming: VecDeque::new() }
    }
}

/// A server that sends pictures and sound to a client.
struct Call {
    now: Instant,
    server: End,
    client: End,
    picture: (Mid, Ssrc, Pt),
    sound: (Mid, Ssrc, Pt),
    seen: Seen,
}

#[derive(Default)]
struct Seen {
    /// Media as the server sent it.
    wire: Vec<(Instant, Vec<u8>)>,
    received: Vec<RtpPacket>,
    /// What the server was told of what came.
    feedback: Vec<PacketFeedback>,
    /// Of the media sent next, this many datagrams get lost.
    lose: usize,
}

impl Seen {
    fn on_wire(&mut self, bytes: Vec<u8>, to: &mut End, now: Instant) {
        self.wire.push((now, bytes.clone()));
        if self.lose > 0 {
            self.lose -= 1;
        } else {
            to.coming.push_back((now + ONE_WAY, bytes));
        }
    }
}

impl Call {
    fn connect(start: Instant, server: RtcConfig) -> Self {
        let mut server = End::new(server.set_ice_lite(true), 1_000, start);
        let mut client = End::new(RtcConfig::new(), 2_000, start);
        let type_of = |rtc: &Rtc, codec| {
            let params = rtc.codec_config().params().iter();
            params.clone().find(|params| params.spec().codec == codec).unwrap().pt()
        };
        let picture = ("pic".into(), 10.into(), type_of(&server.rtc, Codec::Vp8));
        let sound = ("snd".into(), 20.into(), type_of(&server.rtc, Codec::Opus));
        introduce(&mut server, &mut client, false);
        introduce(&mut client, &mut server, true);
        for (this, other) in [(&mut server, true), (&mut client, false)] {
            let mut api = this.rtc.direct_api();
            for (mid, ssrc, rtx, kind) in [
                (picture.0, picture.1, Some(11.into()), MediaKind::Video),
                (sound.0, sound.1, None, MediaKind::Audio),
            ] {
                api.declare_media(mid, kind);
                if other {
                    api.declare_stream_tx(ssrc, rtx, mid, None);
                } else {
                    api.expect_stream_rx(ssrc, rtx, mid, None);
                }
            }
        }
        client.rtc.direct_api().enable_twcc_feedback();
        let mut call = Self { now: start, server, client, picture, sound, seen: Seen::default() };
        call.run(Duration::from_secs(2));
        assert!(call.server.rtc.is_connected() && call.client.rtc.is_connected());
        call.seen.wire.clear();
        call
    }

    /// Lets time pass.
    fn run(&mut self, span: Duration) {
        let end = self.now + span;
        loop {
            self.drive(false);
            self.drive(true);
            let next = [&self.server, &self.client]
                .into_iter()
                .flat_map(|end| [Some(end.deadline), end.coming.front().map(|(at, _)| *at)])
                .flatten()
                .min()
                .unwrap();
            if next > end {
                self.now = end;
                return;
            }
            self.now = self.now.max(next);
        }
    }

    /// Gives one end what came for it, tells it the time, and takes what it has.
    fn drive(&mut self, client: bool) {
        let now = self.now;
        let (this, other) =
            if client { (&mut self.client, &mut self.server) } else { (&mut self.server, &mut self.client) };
        let mut due = this.deadline <= now;
        while let Some((_, bytes)) = this.coming.pop_front_if(|(at, _)| *at <= now) {
            let receive = Receive::new(Protocol::Udp, other.address, this.address, &bytes).unwrap();
            this.rtc.handle_input(Input::Receive(now, receive)).unwrap();
            Self::drain(this, other, now, client, &mut self.seen);
            due = true;
        }
        if due {
            this.rtc.handle_input(Input::Timeout(now)).unwrap();
            Self::drain(this, other, now, client, &mut self.seen);
        }
    }

    fn drain(this: &mut End, other: &mut End, now: Instant, client: bool, seen: &mut Seen) {
        loop {
            match this.rtc.poll_output().unwrap() {
                Output::Transmit(transmit) => {
                    let bytes = transmit.contents.to_vec();
                    if !client && is_media(&bytes) {
                        seen.on_wire(bytes, other, now);
                    } else {
                        other.coming.push_back((now + ONE_WAY, bytes));
                    }
                }
                Output::Event(Event::RtpPacket(packet)) => seen.received.push(packet),
                Output::Event(Event::TransportFeedback(feedback)) => seen.feedback.extend(feedback),
                Output::Event(_) => {}
                // A pacer is told the time after each packet, if it wishes.
                Output::Timeout(at) if at <= now => this.rtc.handle_input(Input::Timeout(now)).unwrap(),
                Output::Timeout(at) => {
                    this.deadline = at;
                    return;
                }
            }
        }
    }

    /// Writes a packet by the lane or the queue. True if it left at once.
    fn write(&mut self, by: By, ssrc: Ssrc, write: RtpWrite) -> bool {
        let now = self.now;
        let mut out = vec![0xee; 7];
        let lane = if by == By::Lane { self.server.rtc.direct_send(now) } else { None };
        if let Some(mut lane) = lane {
            assert_eq!(lane.route(), (Protocol::Udp, self.server.address, self.client.address));
            match lane.write_rtp(&ssrc, write, &mut out) {
                DirectWrite::Sent => {
                    let bytes = out.split_off(7);
                    assert_eq!(out, [0xee; 7], "what was in the buffer stays");
                    self.seen.on_wire(bytes, &mut self.client, now);
                    return true;
                }
                DirectWrite::Queued => assert_eq!(out.len(), 7),
                DirectWrite::NoStream => panic!("no stream"),
            }
        } else {
            self.server.rtc.direct_api().stream_tx(&ssrc).unwrap().write_rtp(write);
        }
        self.server.deadline = now;
        false
    }

    fn write_picture(&mut self, by: By, sequence: u64, length: usize) -> bool {
        let (_, ssrc, pt) = self.picture;
        let timestamp = u32::try_from(sequence).unwrap() * 100;
        // Picture id in 15 bits, and an index of the base layer.
        let mut payload = vec![0x90, 0xe0, 0x81, 0x05, 0x07, 0x20];
        payload.resize(length, u8::try_from(sequence & 0xff).unwrap());
        let mut write = RtpWrite::new(pt, sequence.into(), timestamp, self.now, payload.clone());
        if sequence.is_multiple_of(3) {
            let descriptor = Vp8Descriptor::parse(&payload).unwrap();
            let id = u16::try_from(sequence & 0x7fff).unwrap();
            write = write.vp8_patch(descriptor.patch().picture_id(id).tl0_pic_idx(9).build().unwrap());
        }
        self.write(by, ssrc, write.nackable(true).marker(sequence.is_multiple_of(4)))
    }

    fn write_sound(&mut self, by: By, sequence: u64) -> bool {
        let (_, ssrc, pt) = self.sound;
        let timestamp = u32::try_from(sequence).unwrap() * 960;
        let values =
            ExtensionValues { audio_level: Some(-30), voice_activity: Some(true), ..Default::default() };
        let write = RtpWrite::new(pt, sequence.into(), timestamp, self.now, vec![3; 80]);
        self.write(by, ssrc, write.ext_vals(values))
    }

    fn received_of(&self, ssrc: Ssrc) -> Vec<u64> {
        self.seen
            .received
            .iter()
            .filter(|packet| packet.header.ssrc == ssrc)
            .map(|packet| *packet.seq_no)
            .collect()
    }

    /// The numbers of one stream as they were sent, with their times.
    fn sent_of(&self, ssrc: Ssrc) -> Vec<(Instant, u16)> {
        let own = self.seen.wire.iter().filter(|(_, bytes)| bytes[8..12] == ssrc.to_be_bytes());
        own.map(|(at, bytes)| (*at, u16::from_be_bytes([bytes[2], bytes[3]]))).collect()
    }
}

/// Tells one end of the other.
fn introduce(this: &mut End, other: &mut End, controlling: bool) {
    let creds = other.rtc.direct_api().local_ice_credentials();
    let fingerprint = other.rtc.direct_api().local_dtls_fingerprint().clone();
    this.rtc.add_remote_candidate(Candidate::host(other.address, "udp").unwrap());
    let mut api = this.rtc.direct_api();
    api.set_remote_ice_credentials(creds);
    api.set_remote_fingerprint(fingerprint);
    api.set_ice_controlling(controlling);
    api.start_dtls(controlling).unwrap();
}

fn is_media(bytes: &[u8]) -> bool {
    (128..192).contains(&bytes[0]) && !(192..=223).contains(&bytes[1])
}

/// Header and extensions, which SRTP leaves readable.
fn header(bytes: &[u8]) -> &[u8] {
    let words = u16::from_be_bytes([bytes[14], bytes[15]]);
    &bytes[..16 + 4 * usize::from(words)]
}

#[test]
fn lane_and_queue_send_the_same() {
    let start = Instant::now();
    let mut calls = [By::Lane, By::Queue].map(|by| (by, Call::connect(start, RtcConfig::new())));
    for (by, call) in &mut calls {
        let mut at_once = 0;
        for frame in 0..100 {
            for packet in 0..4 {
                let length = if packet == 3 { 400 } else { FULL };
                at_once += u32::from(call.write_picture(*by, 100 + 4 * frame + packet, length));
                // Queues of several streams take turns; here the order is that of writing.
                call.run(Duration::ZERO);
                if packet == 1 {
                    at_once += u32::from(call.write_sound(*by, 1 + frame));
                    call.run(Duration::ZERO);
                }
            }
            call.run(FRAME);
        }
        assert_eq!(at_once, if *by == By::Lane { 500 } else { 0 });
        call.run(Duration::from_secs(1));
    }
    let [(_, lane), (_, queue)] = &calls;
    assert_eq!(lane.seen.wire.len(), 500);
    for ((lane_at, lane), (queue_at, queue)) in lane.seen.wire.iter().zip(&queue.seen.wire) {
        assert_eq!((lane_at, header(lane), lane.len()), (queue_at, header(queue), queue.len()));
    }
    assert_eq!((lane.seen.received.len(), queue.seen.received.len()), (500, 500));
    for (lane, queue) in lane.seen.received.iter().zip(&queue.seen.received) {
        assert_eq!((&lane.header, lane.time), (&queue.header, queue.time));
        assert_eq!(lane.payload, queue.payload);
    }
    let patched = lane.seen.received.iter().find(|packet| *packet.seq_no == 102).unwrap();
    assert_eq!(patched.payload[..5], [0x90, 0xe0, 0x80, 102, 9], "the numbers of the patch");
}

#[test]
fn transport_numbers_have_no_gap_over_both() {
    let mut call = Call::connect(Instant::now(), RtcConfig::new().enable_bwe(Some(ESTIMATE_START)));
    call.server.rtc.bwe().set_bitrate(Bitrate::ZERO, Bitrate::mbps(2));
    let (mut at_once, mut sequence) = (0, 100);
    for frame in 0..300 {
        for _ in 0..3 {
            // Whole frames by the queue between: the lane stays closed behind them.
            let by = if frame % 10 == 5 { By::Queue } else { By::Lane };
            at_once += u32::from(call.write_picture(by, sequence, FULL));
            sequence += 1;
        }
        call.write_sound(By::Lane, 1 + frame);
        call.run(FRAME);
    }
    call.run(Duration::from_secs(2));
    assert!(at_once > 500, "{at_once} of 900 by the lane");
    let (_, ssrc, _) = call.picture;
    let sent: Vec<u16> = call.sent_of(ssrc).iter().map(|(_, sequence)| *sequence).collect();
    assert_eq!(sent, (100..1000).collect::<Vec<_>>(), "in order, each once");
    assert_eq!(call.received_of(ssrc), (100..1000).collect::<Vec<_>>());
    // Every datagram of media, padding and probes included, has the next number.
    let id =
        str0m::rtp::ExtensionMap::standard().id_of(str0m::rtp::Extension::TransportSequenceNumber).unwrap();
    let mut numbers = call.seen.wire.iter().map(|(_, bytes)| extension(header(bytes), id).unwrap());
    let first = numbers.next().unwrap();
    for (n, number) in (1u16..).zip(numbers) {
        assert_eq!(number, first.wrapping_add(n));
    }
}

#[test]
fn the_section_is_named_until_the_first_report() {
    let mut call = Call::connect(Instant::now(), RtcConfig::new());
    let id = str0m::rtp::ExtensionMap::standard().id_of(str0m::rtp::Extension::RtpMid).unwrap();
    for sequence in 100..400 {
        assert!(call.write_picture(By::Lane, sequence, FULL));
        call.run(Duration::from_millis(10));
    }
    let named: Vec<bool> =
        call.seen.wire.iter().map(|(_, bytes)| extension_bytes(header(bytes), id) == Some(b"pic")).collect();
    let until = named.iter().take_while(|named| **named).count();
    // Reports on pictures come once a second (RFC 3550, section 6.2, allows no more).
    assert!((20..=200).contains(&until), "{until} packets");
    assert!(named[until..].iter().all(|named| !named), "the receiver knows where the stream belongs");
    assert_eq!(call.received_of(call.picture.1), (100..400).collect::<Vec<_>>());
}

/// A two-byte value.
fn extension(header: &[u8], id: u8) -> Option<u16> {
    extension_bytes(header, id).map(|bytes| u16::from_be_bytes(bytes.try_into().unwrap()))
}

/// A value of the one-byte form (RFC 8285, section 4.2).
fn extension_bytes(header: &[u8], id: u8) -> Option<&[u8]> {
    assert_eq!(header[12..14], [0xbe, 0xde]);
    let mut rest = &header[16..];
    while let [first, tail @ ..] = rest {
        if *first == 0 {
            rest = tail;
            continue;
        }
        let length = usize::from(first & 15) + 1;
        if first >> 4 == id {
            return Some(&tail[..length]);
        }
        rest = &tail[length..];
    }
    None
}

#[test]
fn what_went_by_the_lane_is_sent_again() {
    let mut call = Call::connect(Instant::now(), RtcConfig::new());
    for sequence in 100..200 {
        call.seen.lose = usize::from(sequence % 20 == 7);
        assert!(call.write_picture(By::Lane, sequence, FULL));
        call.run(Duration::from_millis(10));
    }
    call.run(Duration::from_secs(1));
    let (_, ssrc, _) = call.picture;
    let numbers: BTreeSet<u64> = call.received_of(ssrc).into_iter().collect();
    assert_eq!(numbers, (100..200).collect());
    assert_eq!(call.sent_of(11.into()).len(), 5, "each lost packet once");
}

#[test]
fn feedback_tells_of_every_packet_and_probes_are_whole() {
    let config = RtcConfig::new().enable_external_bwe(Bitrate::mbps(2));
    let mut call = Call::connect(Instant::now(), config);
    let (mut probe, mut at_once) = (None, 0);
    let (rate, length) = (Bitrate::mbps(4), Duration::from_millis(80));
    for frame in 0..120 {
        for packet in 0..3 {
            at_once += u32::from(call.write_picture(By::Lane, 100 + 3 * frame + packet, FULL));
        }
        if frame == 60 {
            probe = call.server.rtc.bwe().probe(rate, length);
            call.server.deadline = call.now;
        }
        call.run(FRAME);
    }
    call.run(Duration::from_secs(1));
    assert_eq!(call.received_of(call.picture.1), (100..460).collect::<Vec<_>>());
    assert!((300..360).contains(&at_once), "{at_once} of 360 by the lane, those of the probe paced");
    let Seen { wire, feedback, .. } = &call.seen;
    let came = feedback.iter().filter(|packet| packet.received.is_some());
    assert_eq!(came.clone().count(), wire.len(), "each once, padding included");
    // What was sent at once has the time at which it was.
    let mut sent: Vec<Instant> = came.map(|packet| packet.sent).collect();
    sent.sort_unstable();
    assert!(sent.iter().eq(wire.iter().map(|(at, _)| at)), "at the times of sending");
    assert!(probe.is_some());
    let of_probe: Vec<_> = feedback.iter().filter(|packet| packet.probe == probe).collect();
    let span = of_probe[of_probe.len() - 1].sent - of_probe[0].sent;
    let bits: usize = of_probe[1..].iter().map(|packet| packet.size * 8).sum();
    let measured = bits as f64 / span.as_secs_f64();
    assert!(span >= length.mul_f64(0.8), "{span:?}");
    assert!((0.8..1.3).contains(&(measured / rate.as_f64())), "{measured} bit/s");
}

#[test]
fn a_full_link_closes_the_lane_to_pictures_alone() {
    let mut call = Call::connect(Instant::now(), RtcConfig::new().enable_bwe(Some(ESTIMATE_START)));
    call.server.rtc.bwe().set_bitrate(Bitrate::ZERO, Bitrate::kbps(300));
    // The stream and the pacer are known, and the first probes are over.
    call.write_picture(By::Lane, 100, FULL);
    call.run(Duration::from_secs(3));
    let began = call.now;
    let at_once = (101..161).filter(|sequence| call.write_picture(By::Lane, *sequence, FULL)).count();
    assert!((1..30).contains(&at_once), "{at_once} of 60");
    assert!(call.write_sound(By::Lane, 1), "sound does not wait for pictures");
    call.run(Duration::from_millis(5));
    // Still full: later ones wait behind the others.
    assert!(!call.write_picture(By::Lane, 161, FULL));
    call.run(Duration::from_secs(4));
    assert!(call.write_picture(By::Lane, 162, FULL), "open again");
    call.run(Duration::from_secs(1));
    let (_, ssrc, _) = call.picture;
    let sent: Vec<_> = call.sent_of(ssrc).into_iter().filter(|(_, sequence)| *sequence > 100).collect();
    let numbers: Vec<u16> = sent.iter().map(|(_, sequence)| *sequence).collect();
    assert_eq!(numbers, (101..163).collect::<Vec<_>>(), "nothing overtook");
    let held_back = sent[60].0 - began;
    assert!(held_back > Duration::from_millis(200), "60 packets within {held_back:?}");
}
