//! The TCP streams of one worker.

use std::{
    collections::HashMap,
    io::{self, Read},
    net::SocketAddr,
    time::{Duration, Instant},
};

use mio::{Interest, Registry, Token, event::Event, net::TcpStream};
use str0m::net::{Protocol, Transmit};

use super::{
    queue::{Importance, Queue},
    router::Arrived,
};
use crate::{arena::Arena, arena::Key, metrics::Metrics, path::Path};

/// Tokens from here on are streams.
pub(crate) const TOKEN_FIRST: usize = 1 << 20;
/// Streams of one worker; more are closed at once.
const STREAMS_MAX: usize = 20_000;
/// A client has one per network; the oldest is closed.
pub(crate) const STREAMS_PER_PEER_MAX: usize = 4;
/// A stream whose check was not answered by then is closed.
const VERIFY_LIMIT: Duration = Duration::from_secs(10);
/// A stream without a complete frame is closed; browsers check an unused path every 25 s.
const IDLE_LIMIT: Duration = Duration::from_secs(60);
/// A stream that has taken nothing for so long is closed.
const STALL_LIMIT: Duration = Duration::from_secs(15);
/// One reading; holds what was left over of the reading before.
pub(crate) const READ_BYTES: usize = 64 * 1024;

#[derive(Debug)]
struct Stream {
    io: TcpStream,
    path: Path,
    /// The connection whose check over this stream was answered.
    owner: Option<Key>,
    /// The beginning of a frame.
    partial: Vec<u8>,
    queue: Queue,
    readable: bool,
    unflushed: bool,
    began: Instant,
    heard: Instant,
}

#[derive(Debug, Default)]
pub(crate) struct Streams {
    registry: Option<Registry>,
    streams: Arena<Stream>,
    by_path: HashMap<(SocketAddr, SocketAddr), Key>,
    ready: Vec<Key>,
    unflushed: Vec<Key>,
    failed: Vec<Key>,
}

/// What a reading brought.
pub(crate) enum Reading {
    /// So many bytes of the buffer.
    Bytes(usize),
    Nothing,
}

impl Streams {
    pub(crate) fn attach(&mut self, registry: Registry) {
        self.registry = Some(registry);
    }

    pub(crate) fn len(&self) -> usize {
        self.streams.len()
    }

    /// Takes a stream over from the listener. `None`: there is no room.
    pub(crate) fn adopt(&mut self, arrived: Arrived, now: Instant) -> Option<(Key, Vec<u8>)> {
        let registry = self.registry.as_ref()?;
        if self.streams.len() >= STREAMS_MAX {
            return None;
        }
        let Arrived { io, local, remote, first } = arrived;
        let path = Path { proto: Protocol::Tcp, local, remote };
        let key = self.streams.insert(Stream {
            io: TcpStream::from_std(io),
            path,
            owner: None,
            partial: Vec::new(),
            queue: Queue::default(),
            readable: true,
            unflushed: false,
            began: now,
            heard: now,
        });
        let stream = self.streams.get_mut(key)?;
        let token = Token(TOKEN_FIRST + key.place());
        if registry.register(&mut stream.io, token, Interest::READABLE | Interest::WRITABLE).is_err() {
            self.streams.remove(key);
            return None;
        }
        if let Some(before) = self.by_path.insert((local, remote), key) {
            // The same client port again: what was there is gone.
            self.failed.push(before);
        }
        self.ready.push(key);
        Some((key, first))
    }

    /// The poll tells of a stream.
    pub(crate) fn event(&mut self, event: &Event) {
        let place = event.token().0.checked_sub(TOKEN_FIRST);
        let key = place.and_then(|place| self.streams.key_at(place));
        let Some((key, stream)) = key.and_then(|key| Some((key, self.streams.get_mut(key)?))) else { return };
        if event.is_readable() && !stream.readable {
            stream.readable = true;
            self.ready.push(key);
        }
        if event.is_writable() && !stream.unflushed && !stream.queue.is_empty() {
            stream.unflushed = true;
            self.unflushed.push(key);
        }
    }

    pub(crate) fn any_readable(&self) -> bool {
        !self.ready.is_empty()
    }

    pub(crate) fn take_ready(&mut self) -> Vec<Key> {
        std::mem::take(&mut self.ready)
    }

    /// There may be more to read in the next turn.
    pub(crate) fn put_back(&mut self, key: Key) {
        if self.streams.get(key).is_some_and(|stream| stream.readable) {
            self.ready.push(key);
        }
    }

    /// Its path, and the connection that may receive over it.
    pub(crate) fn whose(&self, key: Key) -> Option<(Path, Option<Key>)> {
        self.streams.get(key).map(|stream| (stream.path, stream.owner))
    }

    /// Reads into `buffer`, behind what was left over.
    pub(crate) fn read(&mut self, key: Key, buffer: &mut [u8]) -> Reading {
        let Some(stream) = self.streams.get_mut(key).filter(|stream| stream.readable) else {
            return Reading::Nothing;
        };
        let held = stream.partial.len();
        match stream.io.read(&mut buffer[held..]) {
            Ok(0) => {}
            Ok(count) => {
                buffer[..held].copy_from_slice(&stream.partial);
                stream.partial.clear();
                return Reading::Bytes(held + count);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Reading::Nothing,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                stream.readable = false;
                return Reading::Nothing;
            }
            Err(error) => tracing::debug!(%error, "a TCP stream broke"),
        }
        stream.readable = false;
        self.failed.push(key);
        Reading::Nothing
    }

    /// Keeps the beginning of a frame, after `frames` whole ones.
    pub(crate) fn hold(&mut self, key: Key, partial: &[u8], frames: usize, now: Instant) {
        if let Some(stream) = self.streams.get_mut(key) {
            stream.partial.extend_from_slice(partial);
            if frames > 0 {
                stream.heard = now;
            }
        }
    }

    /// The stream is to be closed at the end of the turn.
    pub(crate) fn fail(&mut self, key: Key) {
        if let Some(stream) = self.streams.get_mut(key) {
            stream.readable = false;
            self.failed.push(key);
        }
    }

    /// A check of `owner` over this path was answered: its stream, and whether that is new to the
    /// owner. `None` if the stream is gone, or another's.
    pub(crate) fn verified(&mut self, path: Path, owner: Key) -> Option<(Key, bool)> {
        let key = *self.by_path.get(&(path.local, path.remote))?;
        let stream = self.streams.get_mut(key)?;
        let new = stream.owner.is_none();
        (*stream.owner.get_or_insert(owner) == owner).then_some((key, new))
    }

    /// Queues a datagram for its stream.
    pub(crate) fn send(
        &mut self,
        transmit: &Transmit,
        importance: Importance,
        now: Instant,
        metrics: &Metrics,
    ) {
        let key = self.by_path.get(&(transmit.source, transmit.destination)).copied();
        let Some((key, stream)) = key.and_then(|key| Some((key, self.streams.get_mut(key)?))) else {
            return metrics.dropped_send_error.inc();
        };
        if !stream.queue.push(&transmit.contents, importance, now) {
            return metrics.dropped_tcp_full.inc();
        }
        metrics.packets_out.inc();
        metrics.bytes_out.add(transmit.contents.len() as u64);
        if !stream.unflushed {
            stream.unflushed = true;
            self.unflushed.push(key);
        }
    }

    /// Writes what the streams take.
    pub(crate) fn flush(&mut self, now: Instant, metrics: &Metrics) {
        for key in std::mem::take(&mut self.unflushed) {
            let Some(stream) = self.streams.get_mut(key) else { continue };
            stream.unflushed = false;
            metrics.send_calls.inc();
            if let Err(error) = stream.queue.flush(&mut stream.io, now) {
                tracing::debug!(%error, "a TCP stream broke");
                self.failed.push(key);
            }
        }
    }

    /// Finds those that are late or dead.
    pub(crate) fn tick(&mut self, now: Instant) {
        let past = |since: Instant, limit| now.saturating_duration_since(since) > limit;
        for key in self.streams.keys() {
            let Some(stream) = self.streams.get(key) else { continue };
            let unverified = stream.owner.is_none() && past(stream.began, VERIFY_LIMIT);
            let stalled = stream.queue.stuck_since().is_some_and(|since| past(since, STALL_LIMIT));
            if unverified || stalled || past(stream.heard, IDLE_LIMIT) {
                self.fail(key);
            }
        }
    }

    /// Closes those that failed: the paths that are no more, and whose they were.
    pub(crate) fn take_failed(&mut self) -> Vec<(Key, Path, Option<Key>)> {
        let failed = std::mem::take(&mut self.failed);
        failed.into_iter().filter_map(|key| self.close(key)).collect()
    }

    /// Closes a stream after a last attempt to write what waits.
    pub(crate) fn finish(&mut self, key: Key, now: Instant) {
        if let Some(stream) = self.streams.get_mut(key)
            && let Err(error) = stream.queue.flush(&mut stream.io, now)
        {
            tracing::debug!(%error, "a TCP stream goes without goodbye");
        }
        self.close(key);
    }

    fn close(&mut self, key: Key) -> Option<(Key, Path, Option<Key>)> {
        let mut stream = self.streams.remove(key)?;
        if let Some(registry) = &self.registry
            && let Err(error) = registry.deregister(&mut stream.io)
        {
            tracing::debug!(%error, "a TCP stream was not registered");
        }
        let place = (stream.path.local, stream.path.remote);
        if self.by_path.get(&place) == Some(&key) {
            self.by_path.remove(&place);
        }
        Some((key, stream.path, stream.owner))
    }
}
