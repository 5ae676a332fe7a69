//! Tracks that a peer sends.

use std::time::Instant;

use livekit_protocol as proto;
use proto::signal_request::Message as Request;
use str0m::{
    Rtc,
    change::SdpApi,
    format::Codec,
    media::{Direction, MediaKind as StrMediaKind, Mid, Pt, Rid, Simulcast, SimulcastLayer},
    rtp::{ExtensionValues, RtpWrite},
};

use super::Peer;
use crate::{
    source::{AudioSource, AudioSpec, MediaPacket, VideoSource, VideoSpec},
    stats::PeerCounts,
    wire,
};

/// Share of the estimated uplink that layers may fill.
const UPLINK_SHARE: f64 = 0.9;
/// Left for sound.
const AUDIO_BPS: u64 = 50_000;
/// Sound packets caught up with in one step.
const MAX_BURST: usize = 64;

/// What to publish.
#[derive(Clone, Debug)]
pub enum Publish {
    Audio(AudioSpec),
    Video(VideoSpec),
    Screen(VideoSpec),
}

#[derive(Debug)]
enum Source {
    Audio(AudioSource),
    Video(VideoSource),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// `add_track` is out.
    Announced,
    /// Confirmed; waits for an offer.
    Confirmed,
    Offered(Mid),
    Live(Mid),
}

/// One track of a peer.
#[derive(Debug)]
pub(super) struct Publication {
    cid: String,
    sid: Option<String>,
    what: Publish,
    state: State,
    source: Source,
    muted: bool,
    /// By `subscribed_quality_update`; all until told.
    wanted: Vec<bool>,
    limit_bps: Option<u64>,
    /// Packets and bytes written, by layer.
    sent: Vec<(u64, u64)>,
}

impl Publication {
    fn new(cid: String, what: Publish, now: Instant) -> Self {
        let (source, layers) = match &what {
            Publish::Audio(spec) => (Source::Audio(AudioSource::new(*spec, now)), 1),
            Publish::Video(spec) | Publish::Screen(spec) => {
                (Source::Video(VideoSource::new(spec.clone(), now)), spec.layers.len())
            }
        };
        Self {
            cid,
            sid: None,
            what,
            state: State::Announced,
            source,
            muted: false,
            wanted: vec![true; layers],
            limit_bps: None,
            sent: vec![(0, 0); layers],
        }
    }

    pub(super) fn sid(&self) -> Option<&str> {
        self.sid.as_deref()
    }

    pub(super) fn waits_for_offer(&self) -> bool {
        self.state == State::Confirmed
    }

    /// Adds the section of a confirmed track to an offer.
    pub(super) fn offer(&mut self, changes: &mut SdpApi<'_>) {
        if !self.waits_for_offer() {
            return;
        }
        let (kind, simulcast) = match &self.what {
            Publish::Audio(_) => (StrMediaKind::Audio, None),
            Publish::Video(spec) | Publish::Screen(spec) => (StrMediaKind::Video, simulcast(spec)),
        };
        let track = Some(self.cid.clone());
        let mid = changes.add_media(kind, Direction::SendOnly, Some("-".to_owned()), track, simulcast);
        self.state = State::Offered(mid);
    }

    pub(super) fn answered(&mut self, now: Instant) {
        if let State::Offered(mid) = self.state {
            self.state = State::Live(mid);
            self.restart(now);
        }
    }

    /// Begins the source anew, so that it does not catch up with the time before.
    pub(super) fn restart(&mut self, now: Instant) {
        let fresh = Self::new(self.cid.clone(), self.what.clone(), now);
        if self.sent.iter().all(|(packets, _)| *packets == 0) {
            self.source = fresh.source;
            self.apply_limits();
        }
    }

    pub(super) fn limit(&mut self, bps: u64) {
        self.limit_bps = Some(bps);
        self.apply_limits();
    }

    /// A layer is sent when somebody wants it and the uplink carries it with those below.
    fn apply_limits(&mut self) {
        let Source::Video(source) = &mut self.source else { return };
        let mut room = self.limit_bps.map(|bps| (bps as f64 * UPLINK_SHARE) as u64);
        room = room.map(|bps| bps.saturating_sub(AUDIO_BPS));
        let rates: Vec<u64> = source.spec().layers.iter().map(|layer| layer.bitrate).collect();
        for (index, rate) in rates.into_iter().enumerate() {
            let wanted = self.wanted.get(index).copied().unwrap_or(true);
            // A layer that runs needs less room than one that would start.
            let needed = if source.enabled(index) { rate } else { rate + rate / 5 };
            // The smallest is sent whatever the link: something must be seen.
            let fits = index == 0 || room.is_none_or(|room| room >= needed);
            source.enable(index, wanted && fits && !self.muted);
            if wanted {
                room = room.map(|room| room.saturating_sub(rate));
            }
        }
    }

    fn next_at(&self) -> Option<Instant> {
        let State::Live(_) = self.state else { return None };
        match &self.source {
            Source::Audio(source) => (!self.muted).then(|| source.next_at()),
            Source::Video(source) => Some(source.next_at()),
        }
    }

    pub(super) fn count(&self, counts: &mut PeerCounts) {
        for (packets, bytes) in &self.sent {
            counts.sent_packets += packets;
            counts.sent_bytes += bytes;
        }
        if let (Source::Video(_), Some((packets, _))) = (&self.source, self.sent.last()) {
            counts.sent_top_packets += packets;
        }
        if let Source::Audio(_) = self.source {
            counts.sent_audio_packets += self.sent[0].0;
        }
    }

    /// Writes what is due; true when something was.
    fn send(&mut self, rtc: &mut Rtc, now: Instant, packets: &mut Vec<MediaPacket>) -> bool {
        let State::Live(mid) = self.state else { return false };
        packets.clear();
        let mut level = None;
        match &mut self.source {
            Source::Audio(source) => {
                level = Some(source.level_dbov());
                if !self.muted {
                    packets.extend(std::iter::from_fn(|| source.packet(now)).take(MAX_BURST));
                }
            }
            Source::Video(source) => {
                source.frame(now, packets);
            }
        }
        if packets.is_empty() {
            return false;
        }
        let codec = if level.is_some() { Codec::Opus } else { Codec::Vp8 };
        let Some(pt) = payload_type(rtc, mid, codec) else { return false };
        let rids: Vec<Option<Rid>> = match &self.source {
            Source::Audio(_) => vec![None],
            Source::Video(source) => {
                source.spec().layers.iter().map(|layer| layer.rid.map(Rid::from)).collect()
            }
        };
        let mut api = rtc.direct_api();
        for packet in packets.drain(..) {
            let Some(stream) = api.stream_tx_by_mid(mid, rids[packet.layer]) else { continue };
            let values = ExtensionValues {
                audio_level: level,
                // The extension carries both or nothing.
                voice_activity: level.map(|_| true),
                ..ExtensionValues::default()
            };
            let (count, bytes) = &mut self.sent[packet.layer];
            *count += 1;
            *bytes += packet.payload.len() as u64;
            let write = RtpWrite::new(pt, packet.sequence.into(), packet.timestamp, now, packet.payload)
                .marker(packet.marker)
                .ext_vals(values)
                .nackable(level.is_none());
            stream.write_rtp(write);
        }
        true
    }
}

fn simulcast(spec: &VideoSpec) -> Option<Simulcast> {
    let rids: Vec<&str> = spec.layers.iter().filter_map(|layer| layer.rid).collect();
    if rids.len() < 2 {
        return None;
    }
    let mut simulcast = Simulcast::new();
    for rid in rids {
        simulcast.add_send_layer(SimulcastLayer::new(rid));
    }
    Some(simulcast)
}

fn payload_type(rtc: &Rtc, mid: Mid, codec: Codec) -> Option<Pt> {
    let media = rtc.media(mid)?;
    let fits = |params: &&str0m::format::PayloadParams| {
        params.spec().codec == codec
            && (media.remote_pts().is_empty() || media.remote_pts().contains(&params.pt()))
    };
    rtc.codec_config().params().iter().find(fits).map(str0m::format::PayloadParams::pt)
}

impl Peer {
    /// Announces a track; its section follows when the server has confirmed it.
    pub(crate) fn publish(&mut self, cid: String, what: Publish, now: Instant) {
        self.requests.push(match &what {
            Publish::Audio(_) => wire::add_audio(&cid),
            Publish::Video(spec) => wire::add_video(&cid, spec, false),
            Publish::Screen(spec) => wire::add_video(&cid, spec, true),
        });
        self.publications.push(Publication::new(cid, what, now));
    }

    pub(super) fn published(&mut self, published: &proto::TrackPublishedResponse) {
        let Some(track) = &published.track else { return };
        let own = self.publications.iter_mut().find(|own| own.cid == published.cid);
        let Some(own) = own.filter(|own| own.state == State::Announced) else { return };
        own.sid = Some(track.sid.clone());
        own.state = State::Confirmed;
        self.news.push_back(super::News::Published { cid: published.cid.clone(), sid: track.sid.clone() });
    }

    /// Mutes or unmutes an own track and tells the server.
    pub(crate) fn mute(&mut self, sid: &str, muted: bool) {
        if let Some(own) = self.publications.iter_mut().find(|own| own.sid.as_deref() == Some(sid)) {
            own.muted = muted;
            own.apply_limits();
            let request: Request = wire::mute(sid, muted);
            self.requests.push(request);
        }
    }

    pub(super) fn send_media(&mut self, now: Instant) -> bool {
        let mut packets = std::mem::take(&mut self.packets);
        let mut sent = false;
        for publication in &mut self.publications {
            sent |= publication.send(&mut self.rtc, now, &mut packets);
        }
        self.packets = packets;
        sent
    }

    pub(super) fn next_media(&self) -> Option<Instant> {
        self.publications.iter().filter_map(Publication::next_at).min()
    }

    pub(super) fn keyframe_wanted(&mut self, mid: Mid, rid: Option<Rid>) {
        let own = self.publications.iter_mut().find(|own| own.state == State::Live(mid));
        let Some(Source::Video(source)) = own.map(|own| &mut own.source) else { return };
        let layers = &source.spec().layers;
        let named = layers.iter().position(|layer| layer.rid.map(Rid::from) == rid);
        match named {
            Some(layer) => source.request_keyframe(layer),
            None => (0..layers.len()).for_each(|layer| source.request_keyframe(layer)),
        }
    }

    /// Dynacast: layers that nobody watches are not sent.
    pub(super) fn wanted_qualities(&mut self, update: &proto::SubscribedQualityUpdate) {
        let own = self.publications.iter_mut();
        let mut own = own.filter(|own| own.sid.as_deref() == Some(update.track_sid.as_str()));
        let Some(own) = own.next() else { return };
        let by_codec = update.subscribed_codecs.iter().find(|codec| codec.codec.eq_ignore_ascii_case("vp8"));
        // Servers before 1.5 sent the list without codecs.
        #[allow(deprecated)]
        let listed = by_codec.map_or(&update.subscribed_qualities, |codec| &codec.qualities);
        let qualities = wire::qualities(own.wanted.len());
        for (wanted, quality) in own.wanted.iter_mut().zip(qualities) {
            if let Some(entry) = listed.iter().find(|entry| entry.quality == quality as i32) {
                *wanted = entry.enabled;
            }
        }
        own.apply_limits();
    }
}
