//! The worker's side of `probe`.

use std::time::Instant;

use str0m::net::{Protocol, Transmit};

use super::Worker;
use crate::{
    arena::Key,
    metrics::Metrics,
    path::Path,
    probe::{CLIENTS_PER_ADDRESS_MAX, SILENCE, is_genuine},
    tcp::queue::Importance,
};

impl Worker {
    /// Media came over a path that nobody has verified: asks those whose it may be.
    pub(super) fn probe(&mut self, path: Path, metrics: &Metrics, now: Instant) {
        let keys = self.demux.by_ip(path.remote.ip());
        if keys.is_empty() || !self.probes.may_ask(path.remote, now) {
            return;
        }
        let silent = |key: &Key| {
            let heard = self.peers.get(*key).and_then(|peer| peer.heard);
            heard.is_some_and(|heard| now.saturating_duration_since(heard) >= SILENCE)
        };
        let keys: Vec<Key> =
            keys.iter().filter(|key| silent(key)).copied().take(CLIENTS_PER_ADDRESS_MAX).collect();
        for key in keys {
            let Some(peer) = self.peers.get(key) else { continue };
            let Some(remote) = &peer.remote else { continue };
            let ufrag = &peer.registered.ufrag;
            let Some(request) = self.probes.ask(key, path, ufrag, remote, now) else {
                continue;
            };
            self.send_check(path, request, metrics, now);
            metrics.probes_sent.inc();
        }
    }

    /// Asks a client over one of its own paths.
    pub(super) fn check(&mut self, key: Key, path: Path, metrics: &Metrics, now: Instant) {
        let Some(peer) = self.peers.get(key) else { return };
        let Some(remote) = &peer.remote else { return };
        if let Some(request) = self.checks.ask(key, path, &peer.registered.ufrag, remote, now) {
            self.send_check(path, request, metrics, now);
            metrics.checks_sent.inc();
        }
    }

    fn send_check(&mut self, path: Path, request: Vec<u8>, metrics: &Metrics, now: Instant) {
        let Path { proto, local: source, remote: destination } = path;
        let transmit = Transmit { proto, source, destination, contents: request.into() };
        match proto {
            Protocol::Tcp => self.sockets.streams.send(&transmit, Importance::Other, now, metrics),
            _ => self.sockets.send(&transmit, metrics),
        }
    }

    /// A client was reached there.
    pub(super) fn probe_answered(
        &mut self,
        transaction: [u8; 12],
        path: Path,
        datagram: &[u8],
        metrics: &Metrics,
        now: Instant,
    ) {
        let known = self.checks.asked(transaction, path);
        let Some((key, asked)) = known.or_else(|| self.probes.asked(transaction, path)) else {
            return metrics.dropped_garbage.inc();
        };
        let Some(peer) = self.peers.get_mut(key) else { return };
        if !peer.remote.as_ref().is_some_and(|remote| is_genuine(datagram, remote)) {
            return metrics.dropped_refused.inc();
        }
        peer.heard = Some(now);
        if known.is_some() {
            peer.round_trip = Some(now.saturating_duration_since(asked));
            peer.watch.answered(now);
            // It was there before, and may have moved on meanwhile.
            return;
        }
        metrics.probes_answered.inc();
        if !self.demux.learn(key, &mut peer.registered, path.remote, now) {
            return metrics.addresses_contested.inc();
        }
        let room = peer.room;
        if peer.paths.reached(path, now) {
            metrics.paths_chosen.inc();
            self.with_room(room, metrics, now, |room, ctx| room.path_moved(ctx, key));
        }
    }
}
