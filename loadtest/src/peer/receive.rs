//! What a peer receives: streams told apart by SSRC, checked for continuity, timed by their stamps.

use std::{
    collections::{BTreeSet, HashMap},
    time::{Duration, Instant},
};

use livekit_protocol::signal_response::Message as Response;
use str0m::{Rtc, media::KeyframeRequestKind, rtp::RtpPacket};

use crate::{
    Histogram,
    continuity::{Arrival, Continuity, Frame, Header},
    light::Media,
    source::{Vp8, audio_stamp},
    stamp::{Stamp, nanoseconds},
    stats::PeerCounts,
};

/// Streams of one peer that are followed; a server that uses more is not of this protocol.
const MAX_STREAMS: usize = 1_024;
/// Tracks for which a wish is remembered.
const MAX_WISHES: usize = 4_096;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaKind {
    Audio,
    Video,
}

/// A media packet as a watcher got it, for an [`Observer`].
#[derive(Debug)]
pub struct Packet<'a> {
    /// The track that the section showed at the last answer.
    pub track: Option<&'a str>,
    pub mid: &'a str,
    pub kind: MediaKind,
    pub ssrc: u32,
    /// Extended.
    pub sequence: u64,
    pub timestamp: u32,
    pub marker: bool,
    pub payload: &'a [u8],
    /// Where it came from, when a peer of this process sent it.
    pub stamp: Option<Stamp>,
    /// False for one that came before.
    pub new: bool,
    pub at: Instant,
}

/// Is shown what one peer receives. Called on the engine's thread: it must be quick and may not block.
pub trait Observer: Send {
    /// Every media packet, duplicates included.
    fn packet(&mut self, _packet: &Packet<'_>) {}
    /// Every whole video frame, in order.
    fn frame(&mut self, _track: Option<&str>, _frame: &Frame, _at: Instant) {}
    /// Every message of the server.
    fn signal(&mut self, _message: &Response, _at: Instant) {}
    /// Asked now and then: is a keyframe of the pictures to be asked for?
    fn wants_keyframe(&mut self, _at: Instant) -> bool {
        false
    }
}

struct Stream {
    mid: String,
    kind: MediaKind,
    continuity: Continuity,
    bytes: u64,
    frames: u64,
    keyframes: u64,
    by_layer: [u64; 3],
}

/// All streams of a peer.
pub(super) struct Reception {
    streams: HashMap<u32, Stream>,
    tracks: HashMap<String, String>,
    wishes: BTreeSet<String>,
    observer: Option<Box<dyn Observer>>,
    delays: Histogram,
    refused: u64,
}

impl Reception {
    pub(super) fn new(observer: Option<Box<dyn Observer>>) -> Self {
        Self {
            streams: HashMap::new(),
            tracks: HashMap::new(),
            wishes: BTreeSet::new(),
            observer,
            delays: Histogram::default(),
            refused: 0,
        }
    }

    pub(super) fn observe_signal(&mut self, message: &Response, now: Instant) {
        if let Some(observer) = &mut self.observer {
            observer.signal(message, now);
        }
    }

    /// Asks for keyframes if the observer wants them.
    pub(super) fn ask_keyframes(&mut self, rtc: &mut Rtc, now: Instant) -> bool {
        if !self.observer.as_mut().is_some_and(|observer| observer.wants_keyframe(now)) {
            return false;
        }
        let video = self.streams.iter().filter(|(_, stream)| stream.kind == MediaKind::Video);
        for (ssrc, _) in video {
            if let Some(stream) = rtc.direct_api().stream_rx(&(*ssrc).into()) {
                stream.request_keyframe(KeyframeRequestKind::Pli);
            }
        }
        true
    }

    /// Which track each section shows.
    pub(super) fn assign(&mut self, tracks: &HashMap<String, String>) {
        self.tracks.clone_from(tracks);
    }

    /// Of a track that is new: how many were known before.
    pub(super) fn note_wish(&mut self, sid: &str) -> Option<usize> {
        let known = self.wishes.len();
        (known < MAX_WISHES && self.wishes.insert(sid.to_owned())).then_some(known)
    }

    /// A packet that str0m has decrypted.
    pub(super) fn rtp(&mut self, rtc: &mut Rtc, packet: &RtpPacket, now: Instant) {
        let ssrc = *packet.header.ssrc;
        if !self.streams.contains_key(&ssrc) {
            let mid = rtc.direct_api().stream_rx(&packet.header.ssrc).map(|stream| stream.mid());
            let Some(mid) = mid else { return };
            let kind = rtc.media(mid).map(str0m::media::Media::kind);
            let video = kind == Some(str0m::media::MediaKind::Video);
            self.open(ssrc, mid.to_string(), if video { MediaKind::Video } else { MediaKind::Audio });
        }
        let header = Header {
            sequence: packet.header.sequence_number,
            timestamp: packet.header.timestamp,
            marker: packet.header.marker,
            at: now,
        };
        self.media(ssrc, &header, &packet.payload);
    }

    /// A packet that was opened without str0m; true when a keyframe is needed to go on.
    pub(super) fn light(&mut self, media: &Media<'_>, now: Instant) -> bool {
        if !self.streams.contains_key(&media.ssrc) {
            self.open(media.ssrc, media.mid.unwrap_or_default().to_owned(), media.kind);
        }
        let header =
            Header { sequence: media.sequence, timestamp: media.timestamp, marker: media.marker, at: now };
        self.media(media.ssrc, &header, media.payload)
    }

    fn open(&mut self, ssrc: u32, mid: String, kind: MediaKind) {
        if self.streams.len() >= MAX_STREAMS {
            self.refused += 1;
            return;
        }
        let clock = if kind == MediaKind::Video { 90_000 } else { 48_000 };
        let continuity = Continuity::new(clock);
        let stream = Stream { mid, kind, continuity, bytes: 0, frames: 0, keyframes: 0, by_layer: [0; 3] };
        self.streams.insert(ssrc, stream);
    }

    /// A decrypted media packet of a known stream; true when the picture has lost what it refers to.
    fn media(&mut self, ssrc: u32, header: &Header, payload: &[u8]) -> bool {
        let Some(stream) = self.streams.get_mut(&ssrc) else { return false };
        // Padding that probes the link has a number and carries nothing.
        if payload.is_empty() {
            stream.continuity.padding(header.sequence);
            return false;
        }
        let faults = stream.continuity.faults().broken_frames();
        let arrival = stream.continuity.header(header);
        let vp8 = if stream.kind == MediaKind::Video { Vp8::parse(payload) } else { None };
        let stamp = match stream.kind {
            MediaKind::Video => vp8.and_then(|vp8| vp8.stamp),
            MediaKind::Audio => audio_stamp(payload),
        };
        let track = self.tracks.get(&stream.mid).map(String::as_str);
        if let Arrival::New(number) = arrival {
            stream.bytes += payload.len() as u64;
            if let Some(stamp) = stamp {
                let taken = nanoseconds(header.at).saturating_sub(stamp.sent_ns);
                self.delays.add(Duration::from_nanos(taken));
            }
            let observer = &mut self.observer;
            if let Some(vp8) = &vp8 {
                let (frames, keyframes) = (&mut stream.frames, &mut stream.keyframes);
                let by_layer = &mut stream.by_layer;
                stream.continuity.video(number, header, vp8, |frame| {
                    *frames += 1;
                    *keyframes += u64::from(frame.key);
                    let layer = frame.stamp.map_or(0, |stamp| usize::from(stamp.layer));
                    by_layer[layer.min(2)] += 1;
                    if let Some(observer) = observer {
                        observer.frame(track, &frame, header.at);
                    }
                });
            }
        }
        if let Some(observer) = &mut self.observer {
            let (sequence, new) = match arrival {
                Arrival::New(number) => (number, true),
                Arrival::Duplicate | Arrival::Late => (u64::from(header.sequence), false),
            };
            observer.packet(&Packet {
                track,
                mid: &stream.mid,
                kind: stream.kind,
                ssrc,
                sequence,
                timestamp: header.timestamp,
                marker: header.marker,
                payload,
                stamp,
                new,
                at: header.at,
            });
        }
        stream.continuity.faults().broken_frames() > faults
    }

    pub(super) fn count(&self, counts: &mut PeerCounts) {
        counts.refused_packets += self.refused;
        for stream in self.streams.values() {
            let continuity = &stream.continuity;
            counts.delivered_packets += continuity.delivered();
            if stream.kind == MediaKind::Audio {
                counts.delivered_audio_packets += continuity.delivered();
            }
            counts.delivered_bytes += stream.bytes;
            counts.lost_packets += continuity.lost();
            counts.duplicate_packets += continuity.duplicates();
            counts.faults.merge(continuity.faults());
            counts.frames += stream.frames;
            counts.keyframes += stream.keyframes;
            for (sum, frames) in counts.frames_by_layer.iter_mut().zip(stream.by_layer) {
                *sum += frames;
            }
            counts.streams += 1;
        }
    }

    pub(super) fn take_delays(&mut self, into: &mut Histogram) {
        into.merge(&self.delays);
        self.delays = Histogram::default();
    }
}
