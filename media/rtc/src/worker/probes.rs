//! The worker's side of `probe`.

use std::time::Instant;

use str0m::net::Transmit;

use super::Worker;
use crate::{
    arena::Key,
    metrics::Metrics,
    path::Path,
    probe::{CLIENTS_PER_ADDRESS_MAX, SILENCE, is_genuine},
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
            let Some(request) = self.probes.ask(key, path, &peer.registered.ufrag, remote, now) else {
                continue;
            };
            let Path { proto, local: source, remote: destination } = path;
            self.sockets.send(&Transmit { proto, source, destination, contents: request.into() }, metrics);
            metrics.probes_sent.inc();
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
        let Some(key) = self.probes.asked(transaction, path) else { return metrics.dropped_garbage.inc() };
        let Some(peer) = self.peers.get_mut(key) else { return };
        if !peer.remote.as_ref().is_some_and(|remote| is_genuine(datagram, remote)) {
            return metrics.dropped_refused.inc();
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
