//! One worker: a thread with its sockets, its rooms and their peers.
//!
//! Each turn reads what came, lets the core route it, and sends. Nothing in it
//! waits for another thread, and only what has something to do is touched.

mod commands;
mod probes;
mod receive;
#[cfg(test)]
mod simulated;
mod streams;
mod turn;
mod watching;

use std::{
    io,
    net::SocketAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use mio::{Events as Polled, Poll, Token, Waker};
use parley_media_core::Overload;
use str0m::Event;
use tokio::sync::mpsc;

use crate::{
    MediaConfig, StartError,
    arena::{Arena, Key},
    bandwidth,
    command::Command,
    demux::Demux,
    handle::Link,
    metrics::Metrics,
    overload::Lateness,
    peer::Peer,
    probe::Probes,
    room::{Context, RoomState},
    sockets::{Received, Sockets},
    tcp::{router::Directory, streams::READ_BYTES},
    timers::Timers,
    watch::SWEEP,
};

const WAKER: Token = Token(usize::MAX);
const POLL_EVENTS: usize = 64;
/// Why a room ends whose events nobody reads.
const OVERLOAD: &str = "overload";
/// Idle peers, impatient negotiations and dropped handles are looked at this often.
const TICK: Duration = Duration::from_secs(1);
/// Where turns follow each other closely they begin at least so far apart. Packets of a frame come one
/// by one: read together they are one turn, and one system call to each receiver.
const TURN_SPACING: Duration = Duration::from_micros(300);
/// A turn longer than this is late: its packets have waited.
const TURN_LATE: Duration = Duration::from_millis(20);

/// Whose deadline it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Owner {
    Peer(Key),
    Room(Key),
}

pub(crate) struct Worker {
    config: Arc<MediaConfig>,
    poll: Poll,
    commands: mpsc::Receiver<Command>,
    sockets: Sockets,
    locals: Vec<SocketAddr>,
    received: Received,
    demux: Demux,
    /// Questions to addresses that may be a client's.
    probes: Probes,
    /// Questions to clients where they are known to be.
    checks: Probes,
    /// For one reading of a TCP stream.
    scratch: Vec<u8>,
    peers: Arena<Peer>,
    rooms: Arena<RoomState>,
    timers: Timers<Owner>,
    touched: Vec<Key>,
    /// The room of the list before, kept to spare the allocator.
    spare: Vec<Key>,
    closing: Vec<Key>,
    /// Packets for receivers that came up in this turn.
    written: usize,
    dirty: Vec<Key>,
    /// Rooms to be closed at the end of the turn, and why.
    ending: Vec<(Key, &'static str)>,
    events: Vec<Event>,
    next_tick: Instant,
    /// When it is looked whether feedback of clients is missing.
    next_watch: Instant,
    /// When it is looked who is silent.
    next_sweep: Instant,
    lateness: Lateness,
    /// What is left out for want of time.
    overload: Overload,
    /// The inbox was not emptied in the last turn.
    relay_waits: bool,
    stopping: bool,
}

impl Worker {
    /// Binds the sockets of worker number `index`.
    pub(crate) fn prepare(
        config: &Arc<MediaConfig>,
        index: usize,
        commands: mpsc::Receiver<Command>,
        directory: &Arc<Directory>,
    ) -> Result<(Self, Waker), StartError> {
        let mut sockets = Sockets::bind(config, index)?;
        let poll = Poll::new().map_err(StartError::Thread)?;
        let waker = Waker::new(poll.registry(), WAKER).map_err(StartError::Thread)?;
        sockets.register(poll.registry()).map_err(StartError::Thread)?;
        let worker = Self {
            config: Arc::clone(config),
            poll,
            commands,
            locals: sockets.locals(),
            sockets,
            received: Received::new(),
            demux: Demux::new(Arc::clone(directory), index),
            probes: Probes::default(),
            checks: Probes::default(),
            scratch: vec![0; READ_BYTES],
            peers: Arena::default(),
            rooms: Arena::default(),
            timers: Timers::new(),
            touched: Vec::new(),
            spare: Vec::new(),
            closing: Vec::new(),
            written: 0,
            dirty: Vec::new(),
            ending: Vec::new(),
            events: Vec::new(),
            next_tick: Instant::now() + TICK,
            next_watch: Instant::now() + bandwidth::TICK,
            next_sweep: Instant::now() + SWEEP,
            lateness: Lateness::new(Instant::now()),
            overload: Overload::None,
            relay_waits: false,
            stopping: false,
        };
        Ok((worker, waker))
    }

    pub(crate) fn candidates(&self) -> Vec<SocketAddr> {
        self.sockets.candidates()
    }

    /// Runs until told to stop, or until all handles are gone.
    pub(crate) fn run(mut self, link: &Link) {
        let mut polled = Polled::with_capacity(POLL_EVENTS);
        let (mut began, mut rest) = (Instant::now(), Duration::ZERO);
        while !self.stopping {
            let sleep = self.sleep();
            if !rest.is_zero() && !sleep.is_zero() {
                thread::sleep(rest);
            }
            let sleep = sleep.saturating_sub(rest);
            match self.poll.poll(&mut polled, Some(sleep)) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    tracing::error!(%error, "a media worker cannot poll its sockets and stops");
                    break;
                }
            }
            for event in polled.iter().filter(|event| event.token() != WAKER) {
                self.sockets.event(event);
            }
            let (now, forwarded) = (Instant::now(), link.metrics.rtp_out.value());
            let close = now.saturating_duration_since(began) < TURN_SPACING * 2;
            began = now;
            let wait = self.turn(link, began);
            let forwarded = link.metrics.rtp_out.value() - forwarded;
            let took = began.elapsed();
            note_turn(&link.metrics, took, wait.mean(), forwarded);
            rest = if close { TURN_SPACING.saturating_sub(took) } else { Duration::ZERO };
        }
        self.close_all(link);
    }

    fn sleep(&self) -> Duration {
        let unsettled = !self.touched.is_empty()
            || !self.dirty.is_empty()
            || !self.closing.is_empty()
            || self.relay_waits;
        if self.sockets.any_readable() || unsettled || !self.commands.is_empty() {
            return Duration::ZERO;
        }
        let now = Instant::now();
        let next = self.next_tick.min(self.next_watch);
        let next = if self.peers.len() > 0 { next.min(self.next_sweep) } else { next };
        let tick = next.saturating_duration_since(now);
        self.timers.sleep(now).map_or(tick, |sleep| sleep.min(tick))
    }

    /// Leaves out what is to be left out at this level, in all rooms.
    fn set_overload(&mut self, overload: Overload, metrics: &Metrics, now: Instant) {
        let before = std::mem::replace(&mut self.overload, overload);
        if overload > before {
            tracing::warn!(?overload, "a media worker does not keep up; less is sent");
            metrics.overload_raised.inc();
        } else {
            tracing::info!(?overload, "a media worker has time again");
        }
        metrics.overload_level.set(overload as u64);
        for key in self.rooms.keys() {
            self.with_room(key, metrics, now, |room, ctx| room.set_overload(ctx, overload));
        }
    }

    /// A room, and what it works on.
    fn with_room<T>(
        &mut self,
        key: Key,
        metrics: &Metrics,
        now: Instant,
        call: impl FnOnce(&mut RoomState, &mut Context<'_>) -> T,
    ) -> Option<T> {
        let room = self.rooms.get_mut(key)?;
        let mut ctx = Context {
            peers: &mut self.peers,
            demux: &mut self.demux,
            metrics,
            touched: &mut self.touched,
            closing: &mut self.closing,
            written: &mut self.written,
            max_data_message: self.config.max_data_message,
            now,
        };
        let was_dirty = room.dirty;
        let result = catch_unwind(AssertUnwindSafe(|| call(room, &mut ctx)));
        if room.dirty && !was_dirty {
            self.dirty.push(key);
        }
        if result.is_err() {
            tracing::error!("a room panicked; it is closed");
            metrics.panics.inc();
            self.ending.push((key, "internal error"));
        } else if room.events.is_overloaded() {
            self.ending.push((key, OVERLOAD));
        }
        result.ok()
    }
}

/// Counts a turn. Packets are read at its beginning and sent at its end, so that its time and what
/// they had waited before is what they were held up here.
fn note_turn(metrics: &Metrics, took: Duration, waited: Duration, forwarded: u64) {
    metrics.turns.inc();
    metrics.busy_micros.add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    if forwarded > 0 {
        metrics.forward_delay_seconds.observe_many((waited + took).as_secs_f64(), forwarded);
    }
    if took > TURN_LATE {
        metrics.late_turns.inc();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::room::Events;

    #[test]
    fn a_panic_in_a_room_ends_only_that_room() {
        let config = MediaConfig { udp_port: 0, bind: vec![[127, 0, 0, 1].into()], ..MediaConfig::default() };
        let (_commands, receiver) = mpsc::channel(1);
        let (mut worker, _waker) = Worker::prepare(&Arc::new(config), 0, receiver, &Arc::default()).unwrap();
        let (metrics, now) = (Metrics::default(), Instant::now());
        let mut open = || {
            let (events, receiver) = Events::new(16);
            (
                worker.rooms.insert_with(|key| {
                    RoomState::new(key, crate::layout::HOME, events, parley_media_core::VOICES_DEFAULT)
                }),
                receiver,
            )
        };
        let ((bad, _bad_events), (good, _good_events)) = (open(), open());
        let panicked = worker.with_room(bad, &metrics, now, |_, _| assert_eq!(1, 2, "on purpose"));
        assert_eq!(panicked, None);
        assert_eq!(worker.with_room(good, &metrics, now, |_, _| ()), Some(()));
        assert_eq!(worker.ending, [(bad, "internal error")]);
        assert_eq!(metrics.panics.value(), 1);
    }

    #[test]
    fn the_end_of_a_room_takes_several_turns() {
        let config = MediaConfig { udp_port: 0, bind: vec![[127, 0, 0, 1].into()], ..MediaConfig::default() };
        let (commands, receiver) = mpsc::channel(1);
        let (mut worker, waker) = Worker::prepare(&Arc::new(config), 0, receiver, &Arc::default()).unwrap();
        let link = Link::new(commands, waker);
        let (events, _told) = Events::new(16);
        let voices = parley_media_core::VOICES_DEFAULT;
        let key = worker.rooms.insert_with(|key| RoomState::new(key, crate::layout::HOME, events, voices));
        let now = Instant::now();
        for participant in 0..40 {
            let rtc = crate::codecs::build(&[], 64 * 1024).unwrap();
            let participant = crate::ParticipantKey(participant);
            let joined = worker.with_room(key, &link.metrics, now, |room, ctx| {
                room.join(ctx, participant, crate::PeerMode::Single, vec![rtc])
            });
            assert!(matches!(joined, Some(Ok(()))));
        }
        worker.close_room(key, "closed", &link);
        let mut left = Vec::new();
        while worker.peers.len() > 0 && left.len() < 10 {
            assert_eq!(worker.sleep(), Duration::ZERO, "the next turn comes at once");
            worker.turn(&link, now);
            left.push(worker.peers.len());
        }
        assert_eq!(left, [24, 8, 0]);
    }
}
