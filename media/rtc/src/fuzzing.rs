//! What the fuzz targets call of this crate's parsers. No part of its interface.

use std::time::{Duration, Instant};

use crate::{
    bandwidth::{Bandwidth, Packet, Verdict},
    demux,
    sdp::{self, Role},
    tcp::frame,
};

/// Bytes from the network, as a datagram and as a stream.
pub fn datagram(data: &[u8]) {
    let class = demux::classify(data);
    if let demux::Class::Binding(ufrag) = class {
        assert!(!ufrag.is_empty() && ufrag.len() < data.len());
    }
    demux::binding_success(data);
    demux::check(data);
    let mut rest = data;
    while let Ok(Some((frame, after))) = frame::split(rest) {
        assert!(frame.len() + after.len() + frame::LENGTH_BYTES == rest.len());
        demux::classify(frame);
        rest = after;
    }
}

/// A description of a client. What is kept of it must not change by being copied.
pub fn description(text: &str) {
    sdp::names_tracks_anew(text);
    let copy = sdp::without_candidates(text);
    let roles = [
        Role::Shows { stream: "PA_x|TR_y".into(), track: "TR_y".into() },
        Role::Idle,
        Role::Takes { codec: "audio/opus".into() },
        Role::Other,
    ];
    let rewritten = sdp::rewrite(text, |mid| roles[mid.len() % roles.len()].clone());
    let Ok(sections) = sdp::sections(text) else { return };
    assert_eq!(sdp::sections(&copy).as_ref(), Ok(&sections), "candidates are no part of a section");
    if let Ok(after) = sdp::sections(&rewritten) {
        assert_eq!(after.len(), sections.len(), "sections stay as many");
    }
}

/// Packets of one report.
const REPORT_MAX: usize = 64;
/// An estimate above this comes of no link.
const ESTIMATE_MAX: u64 = 1 << 50;

/// What a receiver says of packets, in any order and at any times: a script of sent packets, reports, time, and
/// changes of the path. The estimate stays within what can be, and no probe is longer than a moment.
pub fn feedback(data: &[u8], start: Instant) {
    let mut bytes = data.iter().copied();
    let mut byte = move || bytes.next();
    let mut bandwidth: Bandwidth<u64> = Bandwidth::default();
    // Far from the beginning of the clock, so that arrivals may lie long before.
    let zero = start + Duration::from_secs(1 << 24);
    let (mut now, mut probe) = (zero, 0);
    while let Some(op) = byte() {
        let mut number = || u64::from(u16::from_le_bytes([byte().unwrap_or(0), byte().unwrap_or(0)]));
        match op % 8 {
            0 => now += Duration::from_millis(number()),
            1 => bandwidth.desire(number() * 1_000),
            2 => bandwidth.moved(now),
            3 => {
                let (oldest, newest) = (Duration::from_millis(number()), Duration::from_millis(number()));
                let unreported = now.checked_sub(oldest).zip(now.checked_sub(newest));
                check(bandwidth.tick(unreported, now));
            }
            4 => {
                if let Some((bps, length)) = bandwidth.probe(now) {
                    assert!(bps > 0 && length <= Duration::from_secs(1), "{bps} bit/s for {length:?}");
                    probe += 1;
                    bandwidth.probe_sent(probe, now);
                }
            }
            _ => {
                let mut sent = now - Duration::from_millis(number() % 4_000);
                let skew = number();
                let packets = (0..usize::from(op >> 3).min(REPORT_MAX)).map(|_| {
                    let what = number();
                    sent += Duration::from_micros(number());
                    // Days off either way: the field of a report has 24 bits of 64 ms.
                    let off = Duration::from_millis(skew.pow(2) / 4 + what % 1_024);
                    let received =
                        if what & 0x400 == 0 { sent.checked_add(off) } else { sent.checked_sub(off) };
                    Packet {
                        sent,
                        received: received.filter(|_| what & 0x800 == 0),
                        bytes: what >> 4,
                        probe: (what & 0x1 != 0).then_some(probe),
                    }
                });
                let packets: Vec<_> = packets.collect();
                check(bandwidth.feedback(&packets, now));
            }
        }
    }
}

fn check(verdict: Verdict) {
    assert!(verdict.estimate_bps <= ESTIMATE_MAX, "{verdict:?}");
}
