//! What comes over UDP: to whom it goes, and media straight to where it is forwarded.

use std::{
    net::SocketAddr,
    time::{Instant, SystemTime},
};

use str0m::{
    MediaOutcome,
    net::{DatagramRecv, Protocol, Receive},
};

use super::{RoomState, Worker};
use crate::{
    arena::Key,
    demux::{Class, check, classify, is_media, is_stun},
    metrics::Metrics,
    path::Path,
    sockets::{Received, Wait},
};

/// Batches read of a socket in one turn; commands and timers come in between.
const BATCHES_PER_TURN: usize = 8;
/// After so many packets for receivers no more is read in a turn but a batch of each socket: they are sent
/// first. About 5 ms.
pub(super) const WRITTEN_PER_TURN: usize = 2_000;

impl Worker {
    /// Reads what has come. Returns how long it has waited.
    pub(super) fn receive(&mut self, metrics: &Metrics, now: Instant) -> Wait {
        let mut wait = Wait::default();
        // Taken out for the time of reading: the datagrams in it are borrowed meanwhile.
        let mut received = std::mem::replace(&mut self.received, Received::empty());
        for index in 0..self.sockets.len() {
            for batch in 0..BATCHES_PER_TURN {
                // One at least, whatever the others bring: checks and reports come in it too, and how long it
                // has waited tells whether the worker keeps up.
                let enough = batch > 0 && self.written >= WRITTEN_PER_TURN;
                if enough || !self.sockets.receive(index, &mut received) {
                    break;
                }
                received.add_wait(SystemTime::now(), &mut wait);
                let locals = std::mem::take(&mut self.locals);
                for (source, to, datagram) in received.datagrams(&locals) {
                    self.datagram(source, to, datagram, metrics, now);
                }
                self.locals = locals;
            }
        }
        self.received = received;
        wait
    }

    fn datagram(
        &mut self,
        source: SocketAddr,
        to: SocketAddr,
        datagram: &[u8],
        metrics: &Metrics,
        now: Instant,
    ) {
        metrics.packets_in.inc();
        metrics.bytes_in.add(datagram.len() as u64);
        let path = Path { proto: Protocol::Udp, local: self.sockets.announced_for(to), remote: source };
        let found = match classify(datagram) {
            Class::Binding(ufrag) => self.demux.by_ufrag(ufrag).ok_or(&metrics.dropped_unknown_ufrag),
            Class::Session => self.demux.by_address(source).ok_or(&metrics.dropped_unknown_address),
            Class::Answer(transaction) => {
                return self.probe_answered(transaction, path, datagram, metrics, now);
            }
            Class::Garbage => Err(&metrics.dropped_garbage),
        };
        let key = match found {
            Ok(key) => key,
            Err(counter) => {
                if std::ptr::eq(counter, &metrics.dropped_unknown_address) {
                    self.probe(path, metrics, now);
                }
                return counter.inc();
            }
        };
        self.deliver(key, path, datagram, metrics, now);
    }

    /// Gives a peer what came for it over a path.
    pub(super) fn deliver(&mut self, key: Key, path: Path, datagram: &[u8], metrics: &Metrics, now: Instant) {
        if is_media(datagram) && self.deliver_media(key, datagram, metrics, now) {
            return;
        }
        let Ok(contents) = DatagramRecv::try_from(datagram) else {
            metrics.dropped_garbage.inc();
            return;
        };
        let Path { proto, local: destination, remote: source } = path;
        let Some(peer) = self.peers.get_mut(key) else { return };
        if is_stun(datagram)
            && let Some(check) = check(datagram)
        {
            peer.paths.asked(check, path, now);
        }
        peer.receive(Receive { proto, source, destination, contents }, now, metrics);
        self.drain(key, metrics, now);
    }

    /// Takes packets and reports of streams that are known, which move nothing else in the
    /// connection: it is neither told the time nor polled until something is due. False for
    /// what must go the whole way.
    fn deliver_media(&mut self, key: Key, datagram: &[u8], metrics: &Metrics, now: Instant) -> bool {
        let Some(peer) = self.peers.get_mut(key) else { return true };
        let Some(receipt) = peer.receive_media(datagram, now, metrics) else { return true };
        let room = peer.room;
        match receipt.outcome {
            MediaOutcome::Packet(packet) => {
                self.with_room(room, metrics, now, |room, ctx| room.on_rtp(ctx, key, packet));
            }
            MediaOutcome::Nothing => {}
            MediaOutcome::Reports => self.media_events(room, key, metrics, now),
            MediaOutcome::Replayed => metrics.dropped_replayed.inc(),
            MediaOutcome::Rejected => metrics.dropped_refused.inc(),
            MediaOutcome::Unsuitable => return false,
        }
        if let Some(due) = receipt.due {
            self.wanted_at(room, key, due, metrics, now);
        }
        true
    }

    fn media_events(&mut self, room: Key, key: Key, metrics: &Metrics, now: Instant) {
        while let Some(event) = self.peers.get_mut(key).and_then(|peer| peer.poll_media_event(metrics)) {
            self.event(room, key, event, metrics, now);
        }
    }

    /// The connection wants time: at the end of this turn, or when that comes.
    fn wanted_at(&mut self, room: Key, key: Key, due: Instant, metrics: &Metrics, now: Instant) {
        if due <= now {
            self.with_room(room, metrics, now, |_: &mut RoomState, ctx| ctx.touch(key));
            return;
        }
        let Some(peer) = self.peers.get_mut(key).filter(|peer| due < peer.deadline) else { return };
        peer.deadline = due;
        self.arm_peer(key, now);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::{net::UdpSocket, sync::Arc};

    use tokio::sync::mpsc;

    use super::*;
    use crate::MediaConfig;

    #[test]
    fn each_socket_is_read_in_a_turn_that_has_written_enough() {
        let bind = vec![[127, 0, 0, 1].into(), [127, 0, 0, 2].into()];
        let config = MediaConfig { udp_port: 0, bind, ..MediaConfig::default() };
        let (_commands, receiver) = mpsc::channel(1);
        let (mut worker, _waker) = Worker::prepare(&Arc::new(config), 0, receiver, &Arc::default()).unwrap();
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        for local in worker.locals.clone() {
            sender.send_to(&[0xff; 10], local).unwrap();
        }
        worker.written = WRITTEN_PER_TURN;
        let metrics = Metrics::default();
        worker.receive(&metrics, Instant::now());
        assert_eq!(metrics.dropped_garbage.value(), 2);
    }
}
