//! The worker's side of `watch`.

use std::time::Instant;

use parley_media_core::Overload;

use super::Worker;
use crate::{
    arena::Key,
    metrics::Metrics,
    peer::Link,
    watch::{SWEEP, Step},
};

impl Worker {
    /// Asks those who are silent, and tells of those who do not answer. A worker that is late itself
    /// has not read all that came, and misses nobody.
    pub(super) fn sweep(&mut self, metrics: &Metrics, now: Instant) {
        let late = now.saturating_duration_since(self.next_sweep);
        self.next_sweep = now + SWEEP;
        if late >= SWEEP || self.overload != Overload::None {
            return;
        }
        for key in self.peers.keys() {
            self.watch_peer(key, metrics, now);
        }
    }

    fn watch_peer(&mut self, key: Key, metrics: &Metrics, now: Instant) {
        let connected = |peer: &&mut super::Peer| peer.link != Link::New && !peer.is_broken();
        let Some(peer) = self.peers.get_mut(key).filter(connected) else { return };
        let Some((path, heard)) = peer.paths.in_use().zip(peer.heard) else { return };
        let room = peer.room;
        match peer.watch.step(heard, peer.round_trip, now) {
            Step::Rest => {}
            Step::Ask => self.check(key, path, metrics, now),
            Step::Lost => {
                metrics.paths_lost.inc();
                self.with_room(room, metrics, now, |room, ctx| room.path_lost(ctx, key));
            }
        }
    }
}
