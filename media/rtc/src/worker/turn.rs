//! One turn of the loop: commands, datagrams, deadlines, and then everything that was touched.

use std::time::{Duration, Instant};

use str0m::{Event, IceConnectionState};

use super::{OVERLOAD, Owner, TICK, Worker};
use crate::{
    arena::Key, bandwidth, handle::Link, metrics::Metrics, peer::Link as PeerLink, sockets::Wait,
    timers::MIN_REST,
};

/// Deadlines met in one turn, about a millisecond: media goes between those that come due together.
const DEADLINES_PER_TURN: usize = 64;
/// State machines at which is looked in one turn because they were called into; a message to a large
/// room does that to all. About two milliseconds.
const DRAINS_PER_TURN: usize = 128;
/// Connections closed in one turn, when a large room ends.
const CLOSED_PER_TURN: usize = 16;
/// Peers touch each other through the core (keyframe requests); after so many rounds the
/// rest comes in the next turn.
const ROUNDS_PER_TURN: usize = 8;
/// State machines at rest name a time far off.
const DEADLINE_FAR: Duration = Duration::from_secs(3_600);

impl Worker {
    /// Returns how long what was read has waited before.
    pub(super) fn turn(&mut self, link: &Link, now: Instant) -> Wait {
        self.written = 0;
        self.take_commands(link, now);
        self.take_relayed(link, now);
        let wait = self.receive(&link.metrics, now);
        if let Some(level) = self.lateness.sample(now, wait.longest) {
            self.set_overload(level, &link.metrics, now);
        }
        self.receive_streams(&link.metrics, now);
        self.meet_deadlines(&link.metrics, now);
        if now >= self.next_tick {
            self.next_tick = now + TICK;
            self.tick(link, now);
        }
        if now >= self.next_watch {
            self.next_watch = now + bandwidth::TICK;
            for key in self.rooms.keys() {
                self.with_room(key, &link.metrics, now, super::RoomState::watch_feedback);
            }
        }
        if now >= self.next_sweep {
            self.sweep(&link.metrics, now);
        }
        self.settle(&link.metrics, now);
        self.close_ending(link);
        self.close_pending(&link.metrics, now);
        self.sockets.flush(&link.metrics);
        self.flush_streams(&link.metrics, now);
        wait
    }

    fn meet_deadlines(&mut self, metrics: &Metrics, now: Instant) {
        for _ in 0..DEADLINES_PER_TURN {
            let Some((at, owner)) = self.timers.pop_due(now) else { break };
            match owner {
                Owner::Peer(key) => {
                    let Some(peer) = self.peers.get_mut(key) else { continue };
                    if !peer.armed.take_if(at) {
                        continue;
                    }
                    if peer.deadline <= now {
                        peer.tick(now, metrics);
                        self.drain(key, metrics, now);
                    } else {
                        self.arm_peer(key, now);
                    }
                }
                Owner::Room(key) => {
                    let due = self.rooms.get_mut(key).is_some_and(|room| room.armed.take_if(at));
                    if due {
                        self.with_room(key, metrics, now, super::RoomState::timeout);
                    }
                }
            }
        }
    }

    /// Lets everything that was touched come to rest.
    fn settle(&mut self, metrics: &Metrics, now: Instant) {
        let mut drained = 0;
        for _ in 0..ROUNDS_PER_TURN {
            for _ in 0..self.dirty.len() {
                let Some(key) = self.dirty.pop() else { break };
                self.flush_room(key, metrics, now);
            }
            if self.touched.is_empty() || drained >= DRAINS_PER_TURN {
                break;
            }
            let spare = std::mem::take(&mut self.spare);
            let mut touched = std::mem::replace(&mut self.touched, spare);
            self.send_written(&mut touched, metrics, now);
            for key in touched.drain(..) {
                if drained >= DRAINS_PER_TURN {
                    self.touched.push(key);
                    continue;
                }
                drained += 1;
                let Some(peer) = self.peers.get_mut(key) else { continue };
                peer.touched = false;
                if std::mem::take(&mut peer.stirred) {
                    peer.tick(Instant::now().max(now), metrics);
                }
                self.drain(key, metrics, now);
            }
            self.spare = touched;
        }
    }

    /// Media first: what was written goes to all. Of the peers those stay that want more.
    fn send_written(&mut self, touched: &mut Vec<Key>, metrics: &Metrics, now: Instant) {
        touched.retain(|key| {
            let Some(peer) = self.peers.get_mut(*key) else { return false };
            // Not the turn's time: what goes now is stamped for the receiver's estimate. Only
            // in simulated time it is later than the clock.
            peer.send_written(&mut self.sockets, metrics, Instant::now().max(now));
            peer.touched = peer.stirred || peer.is_broken();
            peer.touched
        });
    }

    fn flush_room(&mut self, key: Key, metrics: &Metrics, now: Instant) {
        let wanted = self.with_room(key, metrics, now, super::RoomState::flush).flatten();
        if let (Some(at), Some(room)) = (wanted, self.rooms.get_mut(key)) {
            self.timers.arm(&mut room.armed, at.max(now + MIN_REST), Owner::Room(key));
        }
    }

    /// Takes what a peer has to send and to tell, and acts on it.
    pub(super) fn drain(&mut self, key: Key, metrics: &Metrics, now: Instant) {
        let mut events = std::mem::take(&mut self.events);
        let Some(peer) = self.peers.get_mut(key) else { return };
        peer.drain(key, &mut self.sockets, &mut self.demux, &mut events, metrics);
        let room = peer.room;
        for event in events.drain(..) {
            self.event(room, key, event, metrics, now);
        }
        self.events = events;
        if self.peers.get_mut(key).is_some_and(|peer| std::mem::take(&mut peer.moved)) {
            self.with_room(room, metrics, now, |room, ctx| room.path_moved(ctx, key));
        }
        if self.peers.get(key).is_some_and(super::Peer::is_broken) {
            self.with_room(room, metrics, now, |room, ctx| room.peer_failed(ctx, key));
        } else {
            self.arm_peer(key, now);
        }
    }

    pub(super) fn arm_peer(&mut self, key: Key, now: Instant) {
        let Some(peer) = self.peers.get_mut(key) else { return };
        if peer.deadline.saturating_duration_since(now) < DEADLINE_FAR {
            self.timers.arm(&mut peer.armed, peer.deadline.max(now + MIN_REST), Owner::Peer(key));
        }
    }

    pub(super) fn event(&mut self, room: Key, key: Key, event: Event, metrics: &Metrics, now: Instant) {
        self.with_room(room, metrics, now, |room, ctx| match event {
            Event::RtpPacket(packet) => room.on_rtp(ctx, key, packet),
            Event::KeyframeRequest(request) => room.on_keyframe_request(ctx, key, request.mid),
            Event::TransportFeedback(feedback) => room.on_feedback(ctx, key, &feedback),
            Event::Connected => room.link_changed(ctx, key, PeerLink::Connected),
            Event::IceConnectionStateChange(state) => room.on_ice_state(ctx, key, state),
            Event::ChannelOpen(id, label) => room.on_channel_open(ctx, key, id, &label),
            Event::ChannelData(data) => room.on_data(ctx, key, data),
            Event::ChannelBufferedAmountLow(_) => room.resume_data(ctx, key),
            Event::ChannelClose(id) => room.on_channel_close(ctx, key, id),
            Event::PeerStats(stats) => room.on_peer_stats(ctx, key, &stats),
            Event::MediaIngressStats(stats) => room.on_ingress_stats(ctx, key, &stats),
            Event::MediaEgressStats(stats) => super::RoomState::on_egress_stats(ctx, key, &stats),
            Event::Closed => room.peer_failed(ctx, key),
            _ => {}
        });
    }

    fn tick(&mut self, link: &Link, now: Instant) {
        let metrics = &link.metrics;
        self.sockets.look_again();
        let idle = self.config.idle_timeout;
        for key in self.peers.keys() {
            let Some(peer) = self.peers.get_mut(key) else { continue };
            peer.trim();
            let room = peer.room;
            let silent = peer.heard.is_some_and(|heard| now.saturating_duration_since(heard) > idle);
            if silent {
                self.with_room(room, metrics, now, |room, ctx| room.peer_failed(ctx, key));
            } else {
                self.with_room(room, metrics, now, |room, ctx| room.resume_data(ctx, key));
            }
        }
        let (mut participants, mut homes, mut shed, mut layers) = (0, 0, 0, [0; 4]);
        for key in self.rooms.keys() {
            self.with_room(key, metrics, now, super::RoomState::tick);
            if let Some(room) = self.rooms.get(key) {
                participants += room.participants();
                homes += u64::from(room.is_home());
                shed += room.shed();
                room.count_layers(&mut layers);
            }
        }
        self.sockets.streams.tick(now);
        metrics.tcp_streams.set(self.sockets.streams.len() as u64);
        metrics.rooms.set(homes);
        metrics.video_shed.set(shed as u64);
        let [low, medium, high, waiting] = layers;
        metrics.video_low.set(low);
        metrics.video_medium.set(medium);
        metrics.video_high.set(high);
        metrics.video_waiting.set(waiting);
        metrics.participants.set(participants as u64);
        metrics.connections.set(self.peers.len() as u64);
        metrics.user_fragments.set(self.demux.user_fragments() as u64);
        metrics.addresses.set(self.demux.addresses() as u64);
        metrics.timers.set(self.timers.len() as u64);
    }

    fn close_ending(&mut self, link: &Link) {
        for (key, reason) in std::mem::take(&mut self.ending) {
            if self.rooms.get(key).is_none() {
                continue;
            }
            if reason == OVERLOAD {
                link.metrics.rooms_overloaded.inc();
                tracing::warn!("signaling does not read the events of a room; the room is closed");
            }
            self.close_room(key, reason, link);
        }
    }

    pub(super) fn close_pending(&mut self, metrics: &Metrics, now: Instant) {
        for _ in 0..CLOSED_PER_TURN {
            let Some(key) = self.closing.pop() else { break };
            self.close_peer(key, metrics, now);
        }
    }

    /// Says goodbye, and forgets the peer everywhere.
    pub(super) fn close_peer(&mut self, key: Key, metrics: &Metrics, now: Instant) {
        let Some(mut peer) = self.peers.remove(key) else { return };
        peer.close(now, metrics);
        let mut events = std::mem::take(&mut self.events);
        peer.drain(key, &mut self.sockets, &mut self.demux, &mut events, metrics);
        // What it still had to tell is of no use any more.
        events.clear();
        self.events = events;
        self.demux.remove(key, &mut peer.registered);
        for stream in std::mem::take(&mut peer.registered.streams) {
            self.sockets.streams.finish(stream, now);
        }
    }
}

impl super::RoomState {
    fn on_ice_state(&mut self, ctx: &mut super::Context<'_>, key: Key, state: IceConnectionState) {
        match state {
            IceConnectionState::Disconnected => self.link_changed(ctx, key, PeerLink::Disconnected),
            // Before DTLS is up, the first of these is not yet a connection.
            IceConnectionState::Connected | IceConnectionState::Completed
                if ctx.peers.get(key).is_some_and(|peer| peer.link == PeerLink::Disconnected) =>
            {
                self.link_changed(ctx, key, PeerLink::Connected);
            }
            _ => {}
        }
    }
}
