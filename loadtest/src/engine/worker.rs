//! One thread.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    io,
    sync::mpsc::{Receiver, TryRecvError},
    time::{Duration, Instant},
};

use mio::{Events, Interest, Poll, Token, Waker};
use tokio::sync::oneshot;

use super::{Command, NewPeer, PeerId};
use crate::{
    error::JoinError,
    peer::{News, Peer},
    stats::Totals,
    udp::{Batch, Inbox, Link, Sender},
};

const WAKE: Token = Token(usize::MAX);
const EVENTS: usize = 1_024;
/// Batches read from one socket before others have their turn.
const BATCHES: usize = 8;
/// Commands taken in one round.
const COMMANDS_A_ROUND: usize = 1_024;
const LONGEST_SLEEP: Duration = Duration::from_millis(500);

struct Entry {
    peer: Peer,
    link: Link,
    signal: tokio::sync::mpsc::Sender<livekit_protocol::signal_request::Message>,
    connected: Option<oneshot::Sender<Result<(), JoinError>>>,
    /// Counted as connected.
    online: bool,
    publishing: HashMap<String, oneshot::Sender<Result<String, JoinError>>>,
    due: Instant,
}

pub(super) struct Worker {
    poll: Poll,
    commands: Receiver<Command>,
    peers: HashMap<PeerId, Entry>,
    timers: BinaryHeap<Reverse<(Instant, PeerId)>>,
    inbox: Inbox,
    batch: Batch,
    readable: Vec<PeerId>,
    /// Peers that have gone, summed; and what is not of one peer.
    totals: Totals,
    stopped: bool,
}

impl Worker {
    pub(super) fn new(commands: Receiver<Command>) -> io::Result<(Self, Waker)> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), WAKE)?;
        let worker = Self {
            poll,
            commands,
            peers: HashMap::new(),
            timers: BinaryHeap::new(),
            inbox: Inbox::new(),
            batch: Batch::default(),
            readable: Vec::new(),
            totals: Totals::default(),
            stopped: false,
        };
        Ok((worker, waker))
    }

    pub(super) fn run(mut self) {
        let mut events = Events::with_capacity(EVENTS);
        while !self.stopped {
            let now = Instant::now();
            let due = self.timers.peek().map_or(LONGEST_SLEEP, |Reverse((due, _))| {
                due.saturating_duration_since(now).min(LONGEST_SLEEP)
            });
            let wait = if self.readable.is_empty() { due } else { Duration::ZERO };
            if let Err(error) = self.poll.poll(&mut events, Some(wait))
                && error.kind() != io::ErrorKind::Interrupted
            {
                tracing::error!(%error, "a thread of the load generator ends");
                return;
            }
            for event in &events {
                if event.token() != WAKE {
                    self.readable.push(PeerId(event.token().0 as u64));
                }
            }
            self.receive();
            self.commands();
            self.run_timers();
        }
    }

    fn receive(&mut self) {
        for id in std::mem::take(&mut self.readable) {
            let Some(entry) = self.peers.get_mut(&id) else { continue };
            let mut more = true;
            for _ in 0..BATCHES {
                more = entry.link.receive(&mut self.inbox);
                if !more {
                    break;
                }
                let now = Instant::now();
                let mut sender = Sender { link: &entry.link, batch: &mut self.batch };
                for (source, datagram) in self.inbox.datagrams() {
                    entry.peer.handle_datagram(source, datagram, now, &mut sender);
                }
            }
            if more {
                self.readable.push(id);
            }
            self.step(id);
        }
    }

    fn run_timers(&mut self) {
        let now = Instant::now();
        while let Some(Reverse((due, id))) = self.timers.peek().copied()
            && due <= now
        {
            self.timers.pop();
            // An entry that was put off has a later one in the heap.
            if self.peers.get(&id).is_some_and(|entry| entry.due == due) {
                self.totals.lateness.add(now - due);
                self.step(id);
            }
        }
    }

    /// Lets a peer act and passes on what it says.
    fn step(&mut self, id: PeerId) {
        let Some(entry) = self.peers.get_mut(&id) else { return };
        let now = Instant::now();
        let mut sender = Sender { link: &entry.link, batch: &mut self.batch };
        let due = entry.peer.poll(now, &mut sender);
        sender.flush();
        for request in entry.peer.take_requests() {
            if let Err(error) = entry.signal.try_send(request) {
                tracing::debug!(%error, "a request of a peer is lost");
            }
        }
        while let Some(news) = entry.peer.next_news() {
            match news {
                News::Connected => {
                    if let Some(connected) = entry.connected.take() {
                        entry.online = true;
                        self.totals.connected += 1;
                        drop(connected.send(Ok(())));
                    }
                }
                News::Published { cid, sid } => {
                    if let Some(reply) = entry.publishing.remove(&cid) {
                        drop(reply.send(Ok(sid)));
                    }
                }
                News::Ended(error) => {
                    tracing::debug!(%error, "a session has ended");
                    match entry.connected.take() {
                        Some(connected) => drop(connected.send(Err(error))),
                        None => self.totals.ended += 1,
                    }
                }
            }
        }
        if entry.peer.ended() {
            self.remove(id);
            return;
        }
        // A sooner entry makes the old one void; a later one is found when the old one comes up.
        if due != entry.due || due <= now {
            entry.due = due;
            self.timers.push(Reverse((due, id)));
        }
    }

    fn remove(&mut self, id: PeerId) {
        let Some(mut entry) = self.peers.remove(&id) else { return };
        if entry.online {
            self.totals.connected = self.totals.connected.saturating_sub(1);
        }
        entry.peer.count(&mut self.totals.counts);
        entry.peer.take_delays(&mut self.totals.delays);
        if let Err(error) = self.poll.registry().deregister(&mut entry.link.io) {
            tracing::debug!(%error, "a socket was not registered");
        }
    }

    fn commands(&mut self) {
        for _ in 0..COMMANDS_A_ROUND {
            match self.commands.try_recv() {
                Ok(command) => self.command(command),
                Err(TryRecvError::Empty) => return,
                Err(TryRecvError::Disconnected) => {
                    self.stopped = true;
                    return;
                }
            }
        }
        // More may wait; the waker is not rung again for them.
        self.timers.push(Reverse((Instant::now(), PeerId(u64::MAX))));
    }

    fn command(&mut self, command: Command) {
        let now = Instant::now();
        let id = match command {
            Command::Add(id, new) => {
                self.add(id, *new, now);
                id
            }
            Command::Signal(id, message) => {
                if let Some(entry) = self.peers.get_mut(&id) {
                    entry.peer.handle_signal(&message, now);
                }
                id
            }
            Command::SignalClosed(id) => {
                if let Some(entry) = self.peers.get_mut(&id) {
                    entry.peer.handle_signal_closed();
                }
                id
            }
            Command::Publish(id, cid, what, reply) => {
                if let Some(entry) = self.peers.get_mut(&id) {
                    entry.publishing.insert(cid.clone(), reply);
                    entry.peer.publish(cid, what, now);
                }
                id
            }
            Command::Settings(id, sid, settings) => {
                self.request(id, crate::wire::settings(&sid, &settings));
                id
            }
            Command::Subscribe(id, sid, subscribe) => {
                self.request(id, crate::wire::subscription(&sid, subscribe));
                id
            }
            Command::Mute(id, sid, muted) => {
                if let Some(entry) = self.peers.get_mut(&id) {
                    entry.peer.mute(&sid, muted);
                }
                id
            }
            Command::Leave(id) => {
                if let Some(entry) = self.peers.get_mut(&id) {
                    entry.peer.leave();
                }
                id
            }
            Command::Totals(reply) => return drop(reply.send(self.sum())),
            Command::Stop => {
                self.stopped = true;
                return;
            }
        };
        self.step(id);
    }

    fn request(&mut self, id: PeerId, request: livekit_protocol::signal_request::Message) {
        if let Some(entry) = self.peers.get_mut(&id) {
            entry.peer.request(request);
        }
    }

    fn add(&mut self, id: PeerId, new: NewPeer, now: Instant) {
        let NewPeer { peer, mut link, signal, connected } = new;
        let token = Token(usize::try_from(id.0).unwrap_or(usize::MAX - 1));
        if let Err(error) = self.poll.registry().register(&mut link.io, token, Interest::READABLE) {
            drop(connected.send(Err(error.into())));
            return;
        }
        let publishing = HashMap::new();
        let connected = Some(connected);
        self.peers.insert(id, Entry { peer, link, signal, connected, online: false, publishing, due: now });
    }

    fn sum(&mut self) -> Totals {
        let mut totals = self.totals.clone();
        for entry in self.peers.values_mut() {
            entry.peer.count(&mut totals.counts);
            // Moved, not copied: the sum of those that were there before is kept.
            entry.peer.take_delays(&mut self.totals.delays);
        }
        totals.delays.clone_from(&self.totals.delays);
        totals
    }
}
