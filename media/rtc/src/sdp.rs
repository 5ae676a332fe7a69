//! The session descriptions between clients and the state machine: read, checked, rewritten.
//!
//! The state machine answers every receiving section of the client with a
//! sending one of its own, under random stream ids. What the client must see
//! differs: a section that shows a track names it, one that shows none is
//! inactive. So the text is rewritten here, and only here; nothing else in this
//! crate reads or writes session descriptions (RFC 8866).

use crate::probe::Remote;
use parley_media_core::MediaKind;

use crate::descriptor;

/// Longest description taken from a client. Fifty sections are about 100 KiB.
pub(crate) const SDP_BYTES_MAX: usize = 256 * 1024;
/// Most sections of a connection. The cost of sending grows with them.
pub(crate) const SECTIONS_MAX: usize = 128;
/// Longest line.
const LINE_BYTES_MAX: usize = 4 * 1024;
/// Of the server's candidates, see [`rank_candidates`].
const TYPE_PREFERENCE: u32 = 79;
/// Restarts that still raise the priority: half of the local preference's 16 bits.
const LOCAL_PREFERENCE_STEPS: u16 = 0x7fff;
/// The state machine keeps mids in 16 bytes.
const MID_BYTES_MAX: usize = 16;
/// Simulcast layers of one section.
const RIDS_MAX: usize = 8;

/// What a section carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SectionKind {
    Media(MediaKind),
    Data,
}

/// Direction as its writer sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    SendRecv,
    SendOnly,
    RecvOnly,
    Inactive,
}

impl Direction {
    pub(crate) fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }

    pub(crate) fn receives(self) -> bool {
        matches!(self, Self::SendRecv | Self::RecvOnly)
    }

    fn parse(attribute: &str) -> Option<Self> {
        match attribute {
            "sendrecv" => Some(Self::SendRecv),
            "sendonly" => Some(Self::SendOnly),
            "recvonly" => Some(Self::RecvOnly),
            "inactive" => Some(Self::Inactive),
            _ => None,
        }
    }
}

/// One section of a client's offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Section {
    pub(crate) mid: String,
    pub(crate) kind: SectionKind,
    pub(crate) direction: Direction,
    /// Port 0 and not bundled: the section is given up.
    pub(crate) rejected: bool,
    /// Track part of `a=msid` (RFC 8830).
    pub(crate) track_id: Option<String>,
    /// Layers that the client sends, in the order of its description.
    pub(crate) rids: Vec<String>,
}

/// Whether the writer of this offer puts ids of its own into `a=msid` instead of those of the
/// tracks: Firefox does, and says who it is in `o=`.
pub(crate) fn names_tracks_anew(offer: &str) -> bool {
    offer.lines().take_while(|line| !line.starts_with("m=")).any(|line| line.starts_with("o=mozilla"))
}

/// Why a description is refused; the text goes to the client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SdpFault {
    #[error("longer than {SDP_BYTES_MAX} bytes")]
    TooLong,
    #[error("a line is longer than {LINE_BYTES_MAX} bytes")]
    LongLine,
    #[error("more than {SECTIONS_MAX} sections")]
    TooManySections,
    #[error("no sections")]
    Empty,
    #[error("a section is neither audio, video nor data")]
    UnknownKind,
    #[error("a section has no mid, a mid twice, or one longer than {MID_BYTES_MAX} bytes")]
    Mid,
    #[error("more than {RIDS_MAX} layers in a section")]
    TooManyRids,
}

/// Reads the sections of a description and checks the bounds.
pub(crate) fn sections(sdp: &str) -> Result<Vec<Section>, SdpFault> {
    if sdp.len() > SDP_BYTES_MAX {
        return Err(SdpFault::TooLong);
    }
    let mut sections: Vec<Section> = Vec::new();
    let mut session_direction = Direction::SendRecv;
    let mut bundled: Vec<&str> = Vec::new();
    for line in sdp.lines() {
        if line.len() > LINE_BYTES_MAX {
            return Err(SdpFault::LongLine);
        }
        if let Some(media) = line.strip_prefix("m=") {
            if sections.len() == SECTIONS_MAX {
                return Err(SdpFault::TooManySections);
            }
            sections.push(section_of(media, session_direction)?);
            continue;
        }
        let Some(attribute) = line.strip_prefix("a=") else { continue };
        match sections.last_mut() {
            Some(section) => read_attribute(section, attribute)?,
            None => {
                if let Some(direction) = Direction::parse(attribute) {
                    session_direction = direction;
                } else if let Some(mids) = attribute.strip_prefix("group:BUNDLE ") {
                    bundled = mids.split_ascii_whitespace().collect();
                }
            }
        }
    }
    finish(sections, &bundled)
}

fn section_of(media: &str, direction: Direction) -> Result<Section, SdpFault> {
    let mut words = media.split_ascii_whitespace();
    let kind = match words.next() {
        Some("audio") => SectionKind::Media(MediaKind::Audio),
        Some("video") => SectionKind::Media(MediaKind::Video),
        Some("application") => SectionKind::Data,
        _ => return Err(SdpFault::UnknownKind),
    };
    let rejected = words.next() == Some("0");
    Ok(Section { mid: String::new(), kind, direction, rejected, track_id: None, rids: Vec::new() })
}

fn read_attribute(section: &mut Section, attribute: &str) -> Result<(), SdpFault> {
    if let Some(direction) = Direction::parse(attribute) {
        section.direction = direction;
        return Ok(());
    }
    let Some((name, value)) = attribute.split_once(':') else { return Ok(()) };
    match name {
        "mid" => value.trim().clone_into(&mut section.mid),
        "msid" => section.track_id = value.split_ascii_whitespace().nth(1).map(str::to_owned),
        "rid" => {
            let mut words = value.split_ascii_whitespace();
            if let (Some(rid), Some("send")) = (words.next(), words.next()) {
                if section.rids.len() == RIDS_MAX {
                    return Err(SdpFault::TooManyRids);
                }
                section.rids.push(rid.to_owned());
            }
        }
        // Older clients name the track only beside the SSRC.
        "ssrc" if section.track_id.is_none() => {
            let msid = value.split_once(" msid:").map(|(_, msid)| msid);
            section.track_id = msid.and_then(|msid| msid.split_ascii_whitespace().nth(1)).map(str::to_owned);
        }
        _ => {}
    }
    Ok(())
}

fn finish(mut sections: Vec<Section>, bundled: &[&str]) -> Result<Vec<Section>, SdpFault> {
    if sections.is_empty() {
        return Err(SdpFault::Empty);
    }
    let mut mids: Vec<&str> = sections.iter().map(|section| section.mid.as_str()).collect();
    mids.sort_unstable();
    let unusable = |mid: &str| mid.is_empty() || mid.len() > MID_BYTES_MAX || !mid.is_ascii();
    if mids.iter().any(|mid| unusable(mid)) || mids.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(SdpFault::Mid);
    }
    for section in &mut sections {
        // With bundling, port 0 means only that the section shares the first one's transport (RFC 8843).
        section.rejected &= !bundled.contains(&section.mid.as_str());
    }
    Ok(sections)
}

/// The ICE credentials of a description; all its sections have the same (RFC 9143, section 7.1.1).
pub(crate) fn credentials(sdp: &str) -> Option<Remote> {
    let value =
        |name: &str| sdp.lines().find_map(|line| line.strip_prefix(name)).map(|text| text.trim().to_owned());
    Some(Remote { ufrag: value("a=ice-ufrag:")?, password: value("a=ice-pwd:")? })
}

/// The offer as the state machine gets it: without candidates. An ICE-lite agent learns
/// addresses from checks and makes none, and candidates are the part of a description
/// that comes in the most shapes (host names, TCP, relays).
pub(crate) fn without_candidates(sdp: &str) -> String {
    let mut out = String::with_capacity(sdp.len());
    for line in sdp.lines() {
        if !line.starts_with("a=candidate:") && !line.starts_with("a=end-of-candidates") {
            out.push_str(line);
            out.push_str("\r\n");
        }
    }
    out
}

/// Gives the server's candidates priorities that rise with the ICE restarts of the connection.
///
/// libwebrtc keeps to a dead pair for 2.5 s while nothing comes over it, and for 5 s while something does;
/// until then it does not even check pairs of lower priority in the same network. So what a restart
/// brings must outrank what was before, TCP as well as UDP: then a client whose UDP is blocked moves to
/// TCP as soon as that answers. Within a description UDP comes before TCP, and all stay below what
/// clients give their own candidates, for the lower of the two priorities of a pair is what counts
/// (RFC 8445, section 6.1.2.3): libwebrtc gives a TCP candidate the type preference 90, and 80 once
/// it is connected, since its port is then another than announced.
pub(crate) fn rank_candidates(sdp: &str, restarts: u16) -> String {
    let mut out = String::with_capacity(sdp.len());
    for line in sdp.lines() {
        match line.strip_prefix("a=candidate:").and_then(|rest| ranked(rest, restarts)) {
            Some(candidate) => out.push_str(&candidate),
            None => out.push_str(line),
        }
        out.push_str("\r\n");
    }
    out
}

/// `None` for what is not foundation, component, transport, priority and more (RFC 8839, section 5.1).
fn ranked(candidate: &str, restarts: u16) -> Option<String> {
    let mut fields = candidate.splitn(5, ' ');
    let (foundation, component, transport) = (fields.next()?, fields.next()?, fields.next()?);
    let (priority, rest) = (fields.next()?.parse::<u32>().ok()?, fields.next()?);
    let udp = transport.eq_ignore_ascii_case("udp");
    // The order among several addresses stays, in the field for the component.
    let among = priority >> 8 & 0xff;
    let local = u32::from(restarts.min(LOCAL_PREFERENCE_STEPS)) << 1 | u32::from(udp);
    let priority = TYPE_PREFERENCE << 24 | local << 8 | among;
    Some(format!("a=candidate:{foundation} {component} {transport} {priority} {rest}"))
}

/// What the client shall see of a section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// The server sends this track on it.
    Shows { stream: String, track: String },
    /// The server could send on it, and does not now.
    Idle,
    /// The client sends on it, and is to use this codec (MIME type) if it can.
    Takes { codec: String },
    /// Not a section on which the server sends.
    Other,
}

/// Rewrites what the state machine wrote: `role` says for each mid what is on it.
pub(crate) fn rewrite(sdp: &str, role: impl Fn(&str) -> Role) -> String {
    let mut out = String::with_capacity(sdp.len() + 1024);
    let mut lines: Vec<&str> = Vec::new();
    let mut in_media = false;
    for line in sdp.lines() {
        if line.starts_with("m=") {
            write_part(&mut out, &lines, in_media, &role);
            lines.clear();
            in_media = true;
        }
        lines.push(line);
    }
    write_part(&mut out, &lines, in_media, &role);
    out
}

fn write_part(out: &mut String, lines: &[&str], in_media: bool, role: impl Fn(&str) -> Role) {
    let mut push = |line: &str| {
        out.push_str(line);
        out.push_str("\r\n");
    };
    if !in_media {
        for line in lines {
            push(if line.starts_with("a=msid-semantic:") { "a=msid-semantic: WMS *" } else { line });
        }
        return;
    }
    let mid = lines.iter().find_map(|line| line.strip_prefix("a=mid:")).unwrap_or_default();
    match role(mid) {
        Role::Other => lines.iter().filter(|line| is_for_receiving(line, "")).for_each(|line| push(line)),
        Role::Takes { codec } => {
            for line in lines.iter().filter(|line| is_for_receiving(line, &codec)) {
                match line.strip_prefix("m=") {
                    Some(media) => push(&prefer(media, lines, &codec)),
                    None => push(line),
                }
            }
        }
        Role::Idle => {
            for line in lines {
                match *line {
                    "a=sendonly" => push("a=inactive"),
                    "a=sendrecv" => push("a=recvonly"),
                    // The sources stay: without them a client drops its receiver, and takes the
                    // same SSRC later for one that is still set up (libwebrtc).
                    line if line.starts_with("a=msid:") || source_msid(line).is_some() => {}
                    line => push(line),
                }
            }
        }
        Role::Shows { stream, track } => {
            for line in lines {
                if line.starts_with("a=msid:") {
                    push(&format!("a=msid:{stream} {track}"));
                } else if let Some((ssrc, _)) = source_msid(line) {
                    push(&format!("a=ssrc:{ssrc} msid:{stream} {track}"));
                } else {
                    push(line);
                }
            }
        }
    }
}

/// Whether a line belongs into a section on which the server only receives.
fn is_for_receiving(line: &str, codec: &str) -> bool {
    let descriptor = line.starts_with("a=extmap:") && line.ends_with(descriptor::URI);
    !line.starts_with("a=msid:") && (!descriptor || codec.eq_ignore_ascii_case("video/AV1"))
}

/// The `m=` line with the payload types of a codec, and their repairs, first. Browsers send
/// with the first that they can.
fn prefer(media: &str, lines: &[&str], codec: &str) -> String {
    let codec = codec.rsplit('/').next().unwrap_or_default();
    let attribute = |prefix: &str, value: &dyn Fn(&str) -> bool| {
        let found = lines.iter().filter_map(|line| line.strip_prefix(prefix)?.split_once(' '));
        found.filter(|(_, rest)| value(rest)).map(|(pt, _)| pt.to_owned()).collect::<Vec<String>>()
    };
    let named = |rest: &str| rest.split('/').next().is_some_and(|name| name.eq_ignore_ascii_case(codec));
    let main = attribute("a=rtpmap:", &named);
    let repairs_main =
        |rest: &str| rest.strip_prefix("apt=").is_some_and(|pt| main.iter().any(|main| main == pt));
    let repairs = attribute("a=fmtp:", &repairs_main);
    let first = |pt: &&str| main.iter().chain(&repairs).any(|preferred| preferred == pt);
    // Kind, port and protocol stand before the payload types.
    let words: Vec<&str> = media.split_ascii_whitespace().collect();
    let (head, pts) = words.split_at(words.len().min(3));
    let (preferred, others): (Vec<&str>, Vec<&str>) = pts.iter().copied().partition(first);
    format!("m={}", [head, &preferred, &others].concat().join(" "))
}

/// (SSRC, stream and track) of a line `a=ssrc:… msid:…`.
fn source_msid(line: &str) -> Option<(&str, &str)> {
    line.strip_prefix("a=ssrc:")?.split_once(" msid:")
}

/// Keeps only what RFC 8830 lets stand in a stream or track id, so that nothing a client
/// names can add lines to a description.
pub(crate) fn token(id: &str) -> String {
    const TOKEN_BYTES_MAX: usize = 128;
    let allowed = |byte: &u8| matches!(byte, 0x21 | 0x23..=0x27 | 0x2a..=0x2b | 0x2d..=0x2e | 0x30..=0x39 | 0x41..=0x5a | 0x5e..=0x7e);
    id.bytes().filter(allowed).take(TOKEN_BYTES_MAX).map(char::from).collect()
}

#[cfg(test)]
mod tests;
