//! What leaves a peer: which way it goes, and what follows from the answers to checks.

use std::{sync::Arc, time::Instant};

use str0m::{
    Rtc,
    media::Pt,
    net::{Protocol, Transmit},
    rtp::{DirectSend, DirectWrite, ExtensionValues, RtpWrite, Ssrc, Vp8Patch},
};

use crate::{
    arena::Key,
    demux::{Demux, Registered, binding_success, is_stun},
    metrics::Metrics,
    path::{Path, Paths},
    sockets::{Sockets, Way},
    tcp::{queue::Importance, streams::STREAMS_PER_PEER_MAX},
};

/// RTP and RTCP on one port (RFC 5761, section 4): the second byte of RTCP.
const RTCP_TYPES: std::ops::RangeInclusive<u8> = 192..=223;

/// A packet for a client, to be sent at the end of the turn. It is small, for thousands of them wait
/// when a frame goes to a full room: what is alike for all receivers is shared.
pub(crate) struct Written {
    pub(crate) ssrc: Ssrc,
    pub(crate) pt: Pt,
    pub(crate) sequence: u64,
    pub(crate) timestamp: u32,
    pub(crate) marker: bool,
    pub(crate) nackable: bool,
    /// When it came.
    pub(crate) at: Instant,
    pub(crate) payload: Arc<[u8]>,
    pub(crate) vp8: Option<Vp8Patch>,
    /// `None`: no header extensions but those of the connection.
    pub(crate) values: Option<Arc<ExtensionValues>>,
}

impl From<Written> for RtpWrite {
    fn from(written: Written) -> Self {
        let Written { pt, sequence, timestamp, at, payload, .. } = written;
        let mut write = RtpWrite::new(pt, sequence.into(), timestamp, at, payload)
            .marker(written.marker)
            .nackable(written.nackable);
        if let Some(values) = written.values {
            write = write.ext_vals(Arc::unwrap_or_clone(values));
        }
        match written.vp8 {
            Some(patch) => write.vp8_patch(patch),
            None => write,
        }
    }
}

/// The way out of one peer.
pub(crate) struct Outgoing<'a> {
    pub(crate) key: Key,
    pub(crate) registered: &'a mut Registered,
    pub(crate) paths: &'a mut Paths,
    pub(crate) sockets: &'a mut Sockets,
    pub(crate) demux: &'a mut Demux,
    pub(crate) metrics: &'a Metrics,
    /// Set when media goes another way from now on.
    pub(crate) moved: &'a mut bool,
    /// Payload types of sound, a bit each.
    pub(crate) sound: u128,
    pub(crate) now: Instant,
}

impl Outgoing<'_> {
    pub(crate) fn send(&mut self, mut transmit: Transmit) {
        if !is_stun(&transmit.contents) {
            self.paths.direct(&mut transmit);
        } else if let Some(transaction) = binding_success(&transmit.contents) {
            self.answered(transaction, &transmit);
        }
        if transmit.proto == Protocol::Tcp {
            let importance = importance(&transmit.contents, self.sound);
            self.sockets.streams.send(&transmit, importance, self.now, self.metrics);
        } else {
            self.sockets.send(&transmit, self.metrics);
        }
    }

    /// A check had the right password: the client is where it came from.
    fn answered(&mut self, transaction: [u8; 12], transmit: &Transmit) {
        let path = Path { proto: transmit.proto, local: transmit.source, remote: transmit.destination };
        let Some(asked) = self.paths.answered(transaction, path) else { return };
        let own = match path.proto {
            Protocol::Tcp => self.own_stream(path),
            _ => self.demux.learn(self.key, self.registered, path.remote, asked.at),
        };
        if !own {
            self.metrics.addresses_contested.inc();
        } else if self.paths.confirmed(&asked) {
            self.metrics.paths_chosen.inc();
            *self.moved = true;
        }
    }

    fn own_stream(&mut self, path: Path) -> bool {
        let Some((stream, new)) = self.sockets.streams.verified(path, self.key) else { return false };
        if new {
            self.registered.learned += 1;
            self.registered.streams.push(stream);
            if self.registered.streams.len() > STREAMS_PER_PEER_MAX {
                let oldest = self.registered.streams.remove(0);
                self.sockets.streams.fail(oldest);
            }
        }
        true
    }
}

/// Sends packets of a connection past its queues, as far as that is open, and queues the rest.
/// True if the state machine has to be told the time and drained for them.
pub(crate) fn send_written(
    rtc: &mut Rtc,
    now: Instant,
    chosen: Option<Path>,
    written: &mut Vec<Written>,
    sockets: &mut Sockets,
    metrics: &Metrics,
) -> bool {
    let mut forwarded = 0;
    let mut queued = false;
    if let Some(mut lane) = rtc.direct_send(now)
        && let Some(way) = way(&lane, chosen, sockets)
    {
        for packet in written.drain(..) {
            let ssrc = packet.ssrc;
            match lane.write_rtp(&ssrc, packet.into(), sockets.space()) {
                DirectWrite::Sent => sockets.take(way, metrics),
                DirectWrite::Queued => queued = true,
                DirectWrite::NoStream => continue,
            }
            forwarded += 1;
        }
    } else {
        let mut api = rtc.direct_api();
        for packet in written.drain(..) {
            if let Some(stream) = api.stream_tx(&packet.ssrc) {
                stream.write_rtp(packet.into());
                forwarded += 1;
                queued = true;
            }
        }
    }
    metrics.rtp_out.add(forwarded);
    queued
}

/// How datagrams go; `None` over TCP, where each is queued by its importance.
fn way(lane: &DirectSend<'_>, chosen: Option<Path>, sockets: &Sockets) -> Option<Way> {
    let (proto, source, destination) = match chosen {
        Some(path) => (path.proto, path.local, path.remote),
        None => lane.route(),
    };
    if proto == Protocol::Tcp { None } else { sockets.way(source, destination) }
}

fn importance(datagram: &[u8], sound: u128) -> Importance {
    match datagram {
        [128..=191, kind, ..] if !RTCP_TYPES.contains(kind) && sound >> (kind & 0x7f) & 1 == 0 => {
            Importance::Video
        }
        _ => Importance::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pictures_are_of_less_importance() {
        let sound = 1 << 111;
        assert_eq!(importance(&[0x80, 96, 0], sound), Importance::Video);
        assert_eq!(importance(&[0x80, 0x80 | 96, 0], sound), Importance::Video, "with the marker");
        assert_eq!(importance(&[0x80, 0x80 | 111, 0], sound), Importance::Other, "sound");
        assert_eq!(importance(&[0x80, 200, 0], sound), Importance::Other, "feedback");
        assert_eq!(importance(&[22, 254, 253], sound), Importance::Other, "DTLS");
        assert_eq!(importance(&[1, 1, 0], sound), Importance::Other, "STUN");
    }
}
