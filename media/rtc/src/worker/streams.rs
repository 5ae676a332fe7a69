//! The worker's side of ICE over TCP: what comes over its streams goes where datagrams go.

use std::time::Instant;

use super::Worker;
use crate::{
    arena::Key,
    demux::{Class, classify},
    metrics::Metrics,
    tcp::{frame::split, router::Arrived, streams::Reading},
};

/// Readings of a stream in one turn; datagrams and other streams come in between.
const READINGS_PER_TURN: usize = 4;

impl Worker {
    /// Takes a stream over from the listener, with what was read of it.
    pub(super) fn adopt_stream(&mut self, arrived: Arrived, metrics: &Metrics, now: Instant) {
        match self.sockets.streams.adopt(arrived, now) {
            Some((key, first)) => self.stream_bytes(key, &first, metrics, now),
            None => metrics.tcp_refused.inc(),
        }
    }

    pub(super) fn receive_streams(&mut self, metrics: &Metrics, now: Instant) {
        if !self.sockets.streams.any_readable() {
            return;
        }
        // Taken out for the time of reading: the frames in it are borrowed meanwhile.
        let mut scratch = std::mem::take(&mut self.scratch);
        for key in self.sockets.streams.take_ready() {
            for _ in 0..READINGS_PER_TURN {
                match self.sockets.streams.read(key, &mut scratch) {
                    Reading::Bytes(count) => self.stream_bytes(key, &scratch[..count], metrics, now),
                    Reading::Nothing => break,
                }
            }
            self.sockets.streams.put_back(key);
        }
        self.scratch = scratch;
    }

    /// Writes what waits, and forgets the streams that are no more.
    pub(super) fn flush_streams(&mut self, metrics: &Metrics, now: Instant) {
        self.sockets.streams.flush(now, metrics);
        for (key, path, owner) in self.sockets.streams.take_failed() {
            let Some(peer) = owner.and_then(|owner| self.peers.get_mut(owner)) else { continue };
            peer.registered.streams.retain(|stream| *stream != key);
            peer.paths.lost(path);
        }
    }

    fn stream_bytes(&mut self, key: Key, mut bytes: &[u8], metrics: &Metrics, now: Instant) {
        let mut frames = 0;
        loop {
            match split(bytes) {
                Ok(Some((frame, rest))) => {
                    bytes = rest;
                    frames += 1;
                    if !frame.is_empty() {
                        self.stream_datagram(key, frame, metrics, now);
                    }
                }
                Ok(None) => return self.sockets.streams.hold(key, bytes, frames, now),
                Err(_) => {
                    metrics.dropped_garbage.inc();
                    return self.sockets.streams.fail(key);
                }
            }
        }
    }

    /// Like a datagram, but that the stream, not the address, shows whose it is.
    fn stream_datagram(&mut self, key: Key, datagram: &[u8], metrics: &Metrics, now: Instant) {
        let Some((path, owner)) = self.sockets.streams.whose(key) else { return };
        metrics.packets_in.inc();
        metrics.bytes_in.add(datagram.len() as u64);
        let found = match classify(datagram) {
            Class::Binding(ufrag) => {
                let named = self.demux.by_ufrag(ufrag);
                named
                    .filter(|peer| owner.is_none_or(|owner| owner == *peer))
                    .ok_or(&metrics.dropped_unknown_ufrag)
            }
            Class::Session => owner.ok_or(&metrics.dropped_unknown_address),
            Class::Answer(transaction) if owner.is_some() => {
                return self.probe_answered(transaction, path, datagram, metrics, now);
            }
            Class::Answer(_) | Class::Garbage => Err(&metrics.dropped_garbage),
        };
        match found {
            Ok(peer) => self.deliver(peer, path, datagram, metrics, now),
            Err(counter) => {
                counter.inc();
                if owner.is_none() {
                    // Nobody who has a connection begins like that.
                    self.sockets.streams.fail(key);
                }
            }
        }
    }
}
