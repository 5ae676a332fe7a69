//! Offers and answers of protocol v1: the client makes every section, one offer is out at a time.

use livekit_protocol as proto;
use serde::Deserialize;
use str0m::{
    Candidate,
    change::SdpAnswer,
    channel::{ChannelConfig, Reliability},
    media::{Direction, MediaKind as StrMediaKind},
};

use super::Peer;
use crate::error::JoinError;

#[derive(Deserialize)]
struct CandidateInit {
    candidate: String,
}

impl Peer {
    /// The next offer, when something waits for one and none is out.
    pub(super) fn make_offer(&mut self, first: bool) -> Option<String> {
        let publishing = self.publications.iter().any(super::Publication::waits_for_offer);
        let wanted = self.more_audio > 0 || self.more_video > 0 || self.offer_again || publishing;
        if self.pending.is_some() || !wanted || (!first && !self.connected) {
            return None;
        }
        let receiving = self.receiving.clone();
        let mut changes = self.rtc.sdp_api();
        for mid in receiving {
            // There and back: an offer needs a change, and sections that the server has set
            // inactive are offered anew.
            changes.set_direction(mid, Direction::Inactive);
            changes.set_direction(mid, Direction::RecvOnly);
        }
        for kind in [StrMediaKind::Audio, StrMediaKind::Video] {
            let more = if kind == StrMediaKind::Audio { self.more_audio } else { self.more_video };
            for _ in 0..more {
                self.receiving.push(changes.add_media(kind, Direction::RecvOnly, None, None, None));
            }
        }
        for publication in &mut self.publications {
            publication.offer(&mut changes);
        }
        if first {
            for config in channels() {
                changes.add_channel_with_config(config);
            }
        }
        (self.more_audio, self.more_video, self.offer_again) = (0, 0, false);
        let (offer, pending) = changes.apply()?;
        self.pending = Some(pending);
        self.offer_id += u32::from(!first);
        Some(offer.to_sdp_string())
    }

    pub(super) fn accept(
        &mut self,
        answer: &proto::SessionDescription,
        now: std::time::Instant,
    ) -> Result<(), JoinError> {
        let Some(pending) = self.pending.take() else { return Ok(()) };
        let sdp = match self.behaviour.media_via {
            Some(via) => through(&answer.sdp, via),
            None => answer.sdp.clone(),
        };
        let parsed =
            SdpAnswer::from_sdp_string(&sdp).map_err(|error| JoinError::Answer(error.to_string()))?;
        self.rtc.sdp_api().accept_answer(pending, parsed)?;
        if let Ok(candidate) = Candidate::host(self.local, "udp") {
            self.rtc.add_local_candidate(candidate);
        }
        self.reception.assign(&answer.mid_to_track_id);
        for publication in &mut self.publications {
            publication.answered(now);
        }
        Ok(())
    }

    /// A candidate of a server that trickles; what is not UDP or not parsed is left out.
    pub(super) fn add_candidate(&mut self, init: &str) {
        if self.behaviour.media_via.is_some() {
            return;
        }
        let Ok(init) = serde_json::from_str::<CandidateInit>(init) else { return };
        match Candidate::from_sdp_string(&init.candidate) {
            Ok(candidate) => self.rtc.add_remote_candidate(candidate),
            Err(error) => tracing::debug!(%error, "a candidate of the server is left out"),
        }
    }

    pub(super) fn estimate(&mut self, estimate: str0m::bwe::BweKind) {
        let str0m::bwe::BweKind::Twcc { estimate: bitrate, .. } = estimate else { return };
        if self.behaviour.adapt {
            for publication in &mut self.publications {
                publication.limit(bitrate.as_u64());
            }
        }
    }
}

fn channels() -> Vec<ChannelConfig> {
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

/// The description with every candidate replaced by one at `via`.
fn through(sdp: &str, via: std::net::SocketAddr) -> String {
    let mut lines = Vec::new();
    let mut replaced = false;
    for line in sdp.lines() {
        if line.starts_with("m=") {
            replaced = false;
        }
        if !line.starts_with("a=candidate:") {
            lines.push(line.to_owned());
        } else if !replaced {
            replaced = true;
            lines.push(format!("a=candidate:1 1 udp 2130706431 {} {} typ host", via.ip(), via.port()));
        }
    }
    lines.join("\r\n") + "\r\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candidates_are_replaced_by_the_proxy() {
        let sdp = "v=0\r\nm=audio 9\r\na=candidate:1 1 udp 1 10.0.0.1 7 typ host\r\n\
                   a=candidate:2 1 udp 1 10.0.0.2 7 typ host\r\na=mid:0\r\n";
        let changed = through(sdp, "127.0.0.1:5000".parse().unwrap());
        assert!(changed.contains("127.0.0.1 5000 typ host") && !changed.contains("10.0.0."));
        assert_eq!(changed.matches("a=candidate").count(), 1);
        assert!(changed.ends_with("a=mid:0\r\n"));
    }
}
