//! The light way to receive: str0m keeps ICE, DTLS, SDP and data channels, media is opened here.
//!
//! str0m's own reception costs several times the decryption. Here every packet is authenticated and decrypted in
//! place, checked and timed as on the whole way, and answered by receiver reports and transport-wide feedback, so that
//! the server's estimate lives. Not done: NACK. What is lost stays lost, and a keyframe is asked for.

mod keys;
mod rtcp;
mod srtp;

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use str0m::{
    Rtc,
    config::CryptoProvider,
    rtp::{Extension, ExtensionMap},
};

pub(crate) use keys::{SharedKeys, of_last_built, tapped};
use rtcp::{Arrivals, Block};
use srtp::Srtp;

use crate::peer::MediaKind;

/// As str0m reports.
const FEEDBACK_EVERY: Duration = Duration::from_millis(50);
const REPORT_EVERY: Duration = Duration::from_secs(1);
/// Keyframe requests of one stream.
const KEYFRAME_GAP: Duration = Duration::from_millis(500);
/// Streams reported on; a receiver of more reports on the first.
const MAX_SENDERS: usize = 1_024;

/// What became of a datagram.
pub(crate) enum Taken<'a> {
    /// Not media: str0m's.
    No,
    /// Media that carries nothing (padding, retransmission), or could not be opened.
    Empty,
    Media(Media<'a>),
}

/// A decrypted media packet.
pub(crate) struct Media<'a> {
    pub(crate) ssrc: u32,
    pub(crate) kind: MediaKind,
    pub(crate) sequence: u16,
    pub(crate) timestamp: u32,
    pub(crate) marker: bool,
    pub(crate) mid: Option<&'a str>,
    /// Empty for padding.
    pub(crate) payload: &'a [u8],
}

#[derive(Default)]
struct Sender {
    /// Highest extended number, for the rollover count.
    highest: u64,
    video: bool,
    received: u64,
    first: u64,
    /// Expected and received at the last report.
    reported: (u64, u64),
    last_report: Option<(u32, Instant)>,
    asked: Option<Instant>,
}

pub(crate) struct Light {
    provider: Arc<CryptoProvider>,
    keys: SharedKeys,
    srtp: Option<Srtp>,
    /// Payload types of media by kind.
    kinds: HashMap<u8, MediaKind>,
    transport_extension: u8,
    mid_extension: u8,
    senders: HashMap<u32, Sender>,
    arrivals: Arrivals,
    next_feedback: Instant,
    next_report: Instant,
    pub(crate) refused: u64,
}

impl Light {
    pub(crate) fn new(rtc: &Rtc, provider: Arc<CryptoProvider>, keys: SharedKeys, now: Instant) -> Self {
        let mut kinds = HashMap::new();
        for params in rtc.codec_config().params() {
            let video = params.spec().codec.is_video();
            kinds.insert(*params.pt(), if video { MediaKind::Video } else { MediaKind::Audio });
        }
        let extensions = ExtensionMap::standard();
        let id = |extension| extensions.id_of(extension).unwrap_or(0);
        Self {
            provider,
            keys,
            srtp: None,
            kinds,
            transport_extension: id(Extension::TransportSequenceNumber),
            mid_extension: id(Extension::RtpMid),
            senders: HashMap::new(),
            arrivals: Arrivals::default(),
            next_feedback: now,
            next_report: now + REPORT_EVERY,
            refused: 0,
        }
    }

    /// Whether media can be opened here; false before DTLS, and for good with a profile other than AES-GCM.
    pub(crate) fn ready(&mut self) -> bool {
        if self.srtp.is_none()
            && let Some(keys) = self.keys.get()
        {
            self.srtp = Srtp::new(&self.provider, keys);
        }
        self.srtp.is_some()
    }

    /// Takes a datagram when it is media.
    pub(crate) fn take<'a>(&mut self, datagram: &'a mut [u8], now: Instant) -> Taken<'a> {
        let (Some(srtp), [first, second, ..]) = (&self.srtp, &*datagram) else { return Taken::No };
        // RFC 7983 and RFC 5761: 128 to 191 are RTP and RTCP, of which 192 to 223 in the second byte RTCP.
        if !(128..192).contains(first) {
            return Taken::No;
        }
        if (192..224).contains(second) {
            self.hear(datagram, now);
            return Taken::No;
        }
        let Some(header) = Header::parse(datagram, self.transport_extension, self.mid_extension) else {
            return Taken::Empty;
        };
        if let Some(number) = header.transport {
            self.arrivals.add(number, now);
        }
        let Some(kind) = self.kinds.get(&header.payload_type).copied() else { return Taken::Empty };
        let known = self.senders.len();
        let sender = match self.senders.get_mut(&header.ssrc) {
            Some(sender) => sender,
            None if known < MAX_SENDERS => self.senders.entry(header.ssrc).or_default(),
            None => return Taken::Empty,
        };
        let number = sender.extend(header.sequence);
        let (mid, padded) = (header.mid.clone(), header.padded);
        let length = datagram.len();
        let (head, ssrc) = (header.length, header.ssrc);
        if srtp.open(datagram, head, ssrc, number).is_none() {
            self.refused += 1;
            return Taken::Empty;
        }
        sender.note(number, kind == MediaKind::Video);
        let datagram = &*datagram;
        let end = length - srtp::TAG_BYTES;
        let padding = if padded { usize::from(datagram[end - 1]) } else { 0 };
        let payload = datagram.get(head..end.saturating_sub(padding)).unwrap_or_default();
        Taken::Media(Media {
            ssrc,
            kind,
            sequence: header.sequence,
            timestamp: header.timestamp,
            marker: header.marker,
            mid: mid.and_then(|range| std::str::from_utf8(&datagram[range]).ok()),
            payload,
        })
    }

    /// Remembers the times of sender reports; str0m reads them as well.
    fn hear(&mut self, datagram: &[u8], now: Instant) {
        let Some(opened) = self.srtp.as_ref().and_then(|srtp| srtp.open_report(datagram)) else { return };
        let senders = &mut self.senders;
        rtcp::sender_reports(&opened, |ssrc, ntp| {
            if let Some(sender) = senders.get_mut(&ssrc) {
                sender.last_report = Some((ntp, now));
            }
        });
    }

    /// The feedback that is due, encrypted.
    pub(crate) fn feedback(&mut self, now: Instant) -> Option<Vec<u8>> {
        if now < self.next_feedback {
            return None;
        }
        self.next_feedback = now + FEEDBACK_EVERY;
        let srtp = self.srtp.as_mut()?;
        let media = self.senders.keys().next().copied().unwrap_or(0);
        let mut report = Vec::with_capacity(256);
        let due = now >= self.next_report;
        let blocks: Vec<Block> = if due {
            self.next_report = now + REPORT_EVERY;
            self.senders.iter_mut().map(|(ssrc, sender)| sender.block(*ssrc, now)).collect()
        } else {
            Vec::new()
        };
        rtcp::receiver_report(&blocks, &mut report);
        let told = self.arrivals.report(media, &mut report);
        (told || !blocks.is_empty()).then(|| srtp.seal_report(&report)).flatten()
    }

    /// Asks for a keyframe, not too often.
    pub(crate) fn ask_keyframe(&mut self, ssrc: u32, now: Instant) -> Option<Vec<u8>> {
        let sender = self.senders.get_mut(&ssrc)?;
        if sender.asked.is_some_and(|asked| now.saturating_duration_since(asked) < KEYFRAME_GAP) {
            return None;
        }
        sender.asked = Some(now);
        let mut report = Vec::new();
        rtcp::receiver_report(&[], &mut report);
        rtcp::picture_loss(ssrc, &mut report);
        self.srtp.as_mut()?.seal_report(&report)
    }

    /// When to call [`Light::feedback`] again.
    pub(crate) fn next(&self) -> Instant {
        self.next_feedback
    }
}

impl Sender {
    fn extend(&self, sequence: u16) -> u64 {
        if self.received == 0 {
            return u64::from(sequence);
        }
        let low = u16::try_from(self.highest & 0xffff).unwrap_or(0);
        self.highest.saturating_add_signed(i64::from(sequence.wrapping_sub(low).cast_signed()))
    }

    fn note(&mut self, number: u64, video: bool) {
        if self.received == 0 {
            self.first = number;
            self.reported.0 = 0;
        }
        self.video = video;
        self.received += 1;
        self.highest = self.highest.max(number);
    }

    fn block(&mut self, ssrc: u32, now: Instant) -> Block {
        let expected = (self.highest + 1).saturating_sub(self.first);
        let since = expected.saturating_sub(self.reported.0);
        let missing = since.saturating_sub(self.received.saturating_sub(self.reported.1));
        self.reported = (expected, self.received);
        let fraction = (missing * 256).checked_div(since).unwrap_or(0).min(255);
        let (last_report, delay) = self.last_report.map_or((0, 0), |(ntp, at)| {
            let delay = now.saturating_duration_since(at).as_secs_f64() * 65_536.0;
            (ntp, delay as u32)
        });
        Block {
            ssrc,
            fraction: u8::try_from(fraction).unwrap_or(255),
            lost: u32::try_from(expected.saturating_sub(self.received)).unwrap_or(u32::MAX),
            highest: u32::try_from(self.highest & u64::from(u32::MAX)).unwrap_or(0),
            last_report,
            delay,
        }
    }
}

/// What is looked at in an RTP header (RFC 3550, section 5.1; extensions RFC 8285).
struct Header {
    length: usize,
    payload_type: u8,
    marker: bool,
    padded: bool,
    sequence: u16,
    timestamp: u32,
    ssrc: u32,
    transport: Option<u16>,
    mid: Option<std::ops::Range<usize>>,
}

impl Header {
    fn parse(packet: &[u8], transport_id: u8, mid_id: u8) -> Option<Self> {
        let fixed = packet.get(..12)?;
        let word =
            |at: usize| u32::from_be_bytes([packet[at], packet[at + 1], packet[at + 2], packet[at + 3]]);
        let mut header = Self {
            length: 12 + 4 * usize::from(fixed[0] & 0x0f),
            payload_type: fixed[1] & 0x7f,
            marker: fixed[1] & 0x80 != 0,
            padded: fixed[0] & 0x20 != 0,
            sequence: u16::from_be_bytes([fixed[2], fixed[3]]),
            timestamp: word(4),
            ssrc: word(8),
            transport: None,
            mid: None,
        };
        if fixed[0] & 0x10 != 0 {
            let start = header.length + 4;
            let [a, b, c, d] = packet.get(header.length..start)?.try_into().ok()?;
            header.length = start + 4 * usize::from(u16::from_be_bytes([c, d]));
            packet.get(..header.length)?;
            let profile = u16::from_be_bytes([a, b]);
            header.extensions(packet, start, profile, transport_id, mid_id);
        }
        (packet.len() > header.length + srtp::TAG_BYTES).then_some(header)
    }

    fn extensions(&mut self, packet: &[u8], mut at: usize, profile: u16, transport_id: u8, mid_id: u8) {
        let short = profile == 0xbede;
        if !short && profile >> 4 != 0x100 {
            return;
        }
        while at < self.length {
            let first = packet[at];
            at += 1;
            if first == 0 {
                continue;
            }
            let (id, bytes) = if short {
                (first >> 4, usize::from(first & 0x0f) + 1)
            } else {
                let Some(bytes) = packet.get(at).copied() else { return };
                at += 1;
                (first, usize::from(bytes))
            };
            let range = at..at + bytes;
            if range.end > self.length {
                return;
            }
            if id == transport_id && bytes == 2 {
                self.transport = Some(u16::from_be_bytes([packet[at], packet[at + 1]]));
            } else if id == mid_id {
                self.mid = Some(range);
            }
            at += bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_with_both_kinds_of_extensions() {
        let mut packet = vec![0x90, 0xe0, 0, 7, 0, 0, 0, 9, 0, 0, 0, 5, 0xbe, 0xde, 0, 2];
        packet.extend([0x31, 0x12, 0x34, 0, 0x40, b'6', 0, 0]);
        packet.extend([0; 20]);
        let header = Header::parse(&packet, 3, 4).unwrap();
        assert_eq!((header.length, header.payload_type, header.sequence), (24, 96, 7));
        assert_eq!((header.marker, header.transport), (true, Some(0x1234)));
        assert_eq!(&packet[header.mid.unwrap()], b"6");
        packet[12..16].copy_from_slice(&[0x10, 0, 0, 2]);
        packet[16..24].copy_from_slice(&[3, 2, 0x56, 0x78, 4, 1, b'2', 0]);
        let header = Header::parse(&packet, 3, 4).unwrap();
        assert_eq!(header.transport, Some(0x5678));
        assert_eq!(&packet[header.mid.unwrap()], b"2");
        // Lengths that lead out of the packet.
        packet[15] = 200;
        assert!(Header::parse(&packet, 3, 4).is_none());
        assert!(Header::parse(&packet[..11], 3, 4).is_none());
    }

    #[test]
    fn reports_tell_what_is_missing() {
        let now = Instant::now();
        let mut sender = Sender::default();
        for number in [10u16, 11, 13, 14] {
            let number = sender.extend(number);
            sender.note(number, true);
        }
        let block = sender.block(1, now);
        assert_eq!((block.lost, block.highest, block.fraction), (1, 14, 51));
        assert_eq!(sender.block(1, now).fraction, 0);
    }
}
