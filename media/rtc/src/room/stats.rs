//! What the state machines report of their links: to the core for quality, to the counters.

use std::{collections::HashMap, time::Duration};

use parley_media_core::{LinkStats, MediaKind};
use str0m::{
    media::{Mid, Rid},
    stats::{MediaEgressStats, MediaIngressStats, PeerStats},
};

use super::{Context, RoomState};
use crate::{Connection, arena::Key};

/// How often a connection makes statistics. That visits each packet of the last second.
pub(crate) const INTERVAL: Duration = Duration::from_secs(1);
/// They come this often for each report of its quality.
const SAMPLES_PER_REPORT: u32 = 2;
/// Streams of a connection whose reports are remembered; those beyond are not counted.
const STREAMS_MAX: usize = 256;

/// What was reported of the streams of a connection so far: reports are sums since its start.
#[derive(Debug, Default)]
pub(crate) struct Reported {
    streams: HashMap<(Direction, Mid, Option<Rid>), Sums>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Direction {
    In,
    Out,
}

#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    nacks: u64,
    lost: u64,
}

impl Reported {
    /// What is new in a report.
    fn advance(&mut self, direction: Direction, mid: Mid, rid: Option<Rid>, now: Sums) -> Sums {
        let key = (direction, mid, rid);
        if self.streams.len() >= STREAMS_MAX && !self.streams.contains_key(&key) {
            return Sums::default();
        }
        let before = self.streams.insert(key, now).unwrap_or_default();
        // A remote sum may fall: duplicates count as negative losses (RFC 3550, section 6.4.1).
        Sums { nacks: now.nacks.saturating_sub(before.nacks), lost: now.lost.saturating_sub(before.lost) }
    }
}

/// Over the samples of a report, about; nothing measured is nothing lost.
fn average(loss: &mut f32, sample: Option<f32>) {
    *loss += (sample.unwrap_or(0.0) - *loss) / SAMPLES_PER_REPORT as f32;
}

impl RoomState {
    pub(crate) fn on_peer_stats(&mut self, ctx: &mut Context<'_>, from: Key, stats: &PeerStats) {
        let Some(peer) = ctx.peers.get_mut(from) else { return };
        let participant = peer.participant;
        peer.round_trip = stats.rtt.or(peer.round_trip);
        let Some(state) = self.participants.get_mut(&participant) else { return };
        if peer.connection == Connection::Publisher {
            average(&mut state.link.loss_up, stats.ingress_loss_fraction);
            if let Some(loss) = stats.ingress_loss_fraction {
                ctx.metrics.loss_upstream_ratio.observe(loss.into());
            }
        }
        let outgoing = from == state.outgoing();
        if outgoing {
            average(&mut state.link.loss_down, stats.egress_loss_fraction);
            if let Some(loss) = stats.egress_loss_fraction {
                ctx.metrics.loss_downstream_ratio.observe(loss.into());
            }
        }
        let checks = stats.selected_candidate_pair.as_ref().and_then(|pair| pair.current_round_trip_time);
        let rtt = stats.rtt.or(checks);
        if let Some(rtt) = rtt {
            ctx.metrics.round_trip_seconds.observe(rtt.as_secs_f64());
        }
        state.link.rtt = rtt.or(state.link.rtt);
        if !outgoing {
            return;
        }
        state.samples = (state.samples + 1) % SAMPLES_PER_REPORT;
        if state.samples == 0 {
            let link: LinkStats = state.link;
            state.link.jitter = None;
            self.core.handle_link_stats(participant, link, ctx.now);
            self.dirty = true;
        }
    }

    /// Keeps the largest jitter until the next report to the core.
    pub(crate) fn on_ingress_stats(&mut self, ctx: &mut Context<'_>, from: Key, stats: &MediaIngressStats) {
        let Some(peer) = ctx.peers.get_mut(from) else { return };
        let sums = Sums { nacks: stats.nacks, lost: 0 };
        ctx.metrics.nacks_sent.add(peer.reported.advance(Direction::In, stats.mid, stats.rid, sums).nacks);
        let Some(state) = self.participants.get_mut(&peer.participant) else { return };
        let Some(section) = state.published.section(&stats.mid.to_string()) else { return };
        let clock_rate: u64 = if section.kind == MediaKind::Audio { 48_000 } else { 90_000 };
        let jitter = Duration::from_micros(u64::from(stats.jitter) * 1_000_000 / clock_rate);
        ctx.metrics.jitter_seconds.observe(jitter.as_secs_f64());
        state.link.jitter = state.link.jitter.max(Some(jitter));
    }

    pub(crate) fn on_egress_stats(ctx: &mut Context<'_>, from: Key, stats: &MediaEgressStats) {
        let Some(peer) = ctx.peers.get_mut(from) else { return };
        let lost = stats.remote.as_ref().map_or(0, |remote| remote.packets_lost);
        let sums = Sums { nacks: stats.nacks, lost };
        let news = peer.reported.advance(Direction::Out, stats.mid, stats.rid, sums);
        ctx.metrics.nacks_received.add(news.nacks);
        ctx.metrics.lost_downstream.add(news.lost);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_counted_once() {
        let mut reported = Reported::default();
        let mut add = |nacks, lost| {
            let news = reported.advance(Direction::Out, Mid::from("0"), None, Sums { nacks, lost });
            (news.nacks, news.lost)
        };
        assert_eq!(add(3, 10), (3, 10));
        assert_eq!(add(3, 12), (0, 2));
        assert_eq!(add(5, 8), (2, 0), "a loss that was taken back");
        for stream in 0..STREAMS_MAX + 10 {
            let mid = Mid::from(stream.to_string().as_str());
            reported.advance(Direction::In, mid, None, Sums::default());
        }
        assert_eq!(reported.streams.len(), STREAMS_MAX);
    }
}
