//! What the fuzz targets call of this crate's parsers. No part of its interface.

use crate::{
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
