//! Carrying out what signaling asks.

use std::{
    sync::{Arc, PoisonError, atomic::Ordering},
    time::{Duration, Instant},
};

use parley_media_core::PartKey;
use tokio::sync::{mpsc::error::TryRecvError, oneshot};

use super::{Worker, receive::WRITTEN_PER_TURN};
use crate::{
    MediaError,
    arena::Key,
    command::{Command, Reply, RoomCommand},
    handle::Link,
    layout::HOME,
    relay::Message,
    room::{Events, RoomState},
    rooms::Opened,
};

/// Commands are carried out for so long in one turn, at least one of them; packets come in between.
const COMMANDS_TIME: Duration = Duration::from_millis(1);
/// Why a room ends that signaling has closed, or forgotten.
const CLOSED: &str = "closed";
const DROPPED: &str = "all handles were dropped";
/// Messages of other workers taken in one turn.
const RELAYED_PER_TURN: usize = 1_024;
/// Rooms of one worker.
const ROOMS_MAX: usize = 20_000;

impl Worker {
    pub(super) fn take_commands(&mut self, link: &Link, now: Instant) {
        // Not the turn's time, which may be a simulated one.
        let began = Instant::now();
        loop {
            match self.commands.try_recv() {
                Ok(command) => {
                    self.carry_out(command, link, now);
                    if began.elapsed() >= COMMANDS_TIME {
                        break;
                    }
                }
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => {
                    self.stopping = true;
                    break;
                }
            }
        }
        let dropped = std::mem::take(&mut *link.dropped.lock().unwrap_or_else(PoisonError::into_inner));
        for key in dropped {
            self.close_room(key, DROPPED, link);
        }
    }

    /// Takes what parts of rooms on other workers have sent.
    pub(super) fn take_relayed(&mut self, link: &Link, now: Instant) {
        link.inbox.look();
        for _ in 0..RELAYED_PER_TURN {
            if self.written >= WRITTEN_PER_TURN {
                break;
            }
            let Some((key, message)) = link.inbox.pop() else { break };
            self.with_room(key, &link.metrics, now, |room, ctx| match message {
                Message::Facts(facts) => room.on_facts(ctx, &facts),
                Message::Packet(packet) => room.on_distant_packet(ctx, &packet),
                Message::Keyframe(track, spatial) => room.on_distant_keyframe_request(ctx, track, spatial),
                Message::Wanted(track, part, spatial) => room.on_distant_wanted(track, part, spatial),
            });
        }
        self.relay_waits = !link.inbox.is_empty();
    }

    fn carry_out(&mut self, command: Command, link: &Link, now: Instant) {
        match command {
            Command::Stop => self.stopping = true,
            Command::OpenRoom(own, told, reply) => {
                let (events, receiver) = Events::new(self.config.event_queue);
                // Whoever asked may have gone; dropping what is opened closes the room.
                drop(told.send(receiver));
                self.open_part(own, HOME, events, reply, link);
            }
            Command::OpenPart(own, part, queue, reply) => {
                self.open_part(own, part, Events::of(queue), reply, link);
            }
            Command::Room(key, RoomCommand::Close(reply)) => {
                self.close_room(key, CLOSED, link);
                answer(reply, Ok(()));
            }
            Command::Stream(arrived) => self.adopt_stream(*arrived, &link.metrics, now),
            Command::Room(key, command) => self.carry_out_in(key, command, link, now),
        }
    }

    fn open_part(
        &mut self,
        own: Arc<Link>,
        part: PartKey,
        events: Events,
        reply: oneshot::Sender<Opened>,
        link: &Link,
    ) {
        if self.rooms.len() >= ROOMS_MAX {
            tracing::warn!("a media worker has {ROOMS_MAX} rooms and opens no more");
            count_load(link, 1, 0);
            return;
        }
        let (voices, publish_bps) = (self.config.voices, self.config.publish_bps);
        let key = self.rooms.insert_with(|key| RoomState::new(key, part, events, voices).capped(publish_bps));
        let overload = self.overload;
        self.with_room(key, &link.metrics, Instant::now(), |room, ctx| room.set_overload(ctx, overload));
        // As above: nobody may be left to hear it.
        drop(reply.send(Opened::new(own, key)));
    }

    fn carry_out_in(&mut self, key: Key, command: RoomCommand, link: &Link, now: Instant) {
        // Of a room that is closed nothing is left to answer with: the reply is dropped,
        // which its waiter reads as a stop.
        self.with_room(key, &link.metrics, now, |room, ctx| {
            let before = room.participants();
            match command {
                RoomCommand::Join(participant, mode, rtcs, reply) => {
                    answer(reply, room.join(ctx, participant, mode, rtcs));
                }
                RoomCommand::Leave(participant, reply) => answer(reply, room.leave(ctx, participant)),
                RoomCommand::Offer(participant, sdp, reply) => {
                    answer(reply, room.offer(ctx, participant, &sdp));
                }
                RoomCommand::Answer(participant, id, sdp, reply) => {
                    answer(reply, room.answer(ctx, participant, id, &sdp));
                }
                RoomCommand::Trickle(participant, reply) => answer(reply, room.trickle(participant)),
                RoomCommand::RestartSubscriber(participant, reply) => {
                    answer(reply, room.restart_subscriber(ctx, participant));
                }
                RoomCommand::DeclareTrack(participant, spec, reply) => {
                    answer(reply, room.declare_track(ctx, participant, *spec));
                }
                RoomCommand::EndTrack(track, reply) => answer(reply, room.end_track(ctx, track)),
                RoomCommand::SetTrackMuted(track, muted, reply) => {
                    answer(reply, room.set_track_muted(ctx, track, muted));
                }
                RoomCommand::Subscribe(participant, track, settings, reply) => {
                    answer(reply, room.subscribe(ctx, participant, track, settings));
                }
                RoomCommand::Unsubscribe(participant, track, reply) => {
                    answer(reply, room.unsubscribe(ctx, participant, track));
                }
                RoomCommand::UpdateSubscription(participant, track, settings, reply) => {
                    answer(reply, room.update_subscription(ctx, participant, track, settings));
                }
                RoomCommand::SendData(to, kind, data, _permit) => room.send_data(ctx, &to, kind, &data),
                RoomCommand::ShareEvents(reply) => answer(reply, Ok(room.events.share())),
                RoomCommand::Import(publisher, spec, origin, reply) => {
                    answer(reply, room.import(publisher, *spec, origin));
                }
                RoomCommand::Export(track, target, reply) => {
                    answer(reply, room.export(ctx, track, target));
                }
                RoomCommand::EndExport(track, part, reply) => {
                    answer(reply, room.end_export(track, part));
                }
                RoomCommand::Close(reply) => answer(reply, Ok(())),
            }
            room.dirty = true;
            count_load(link, before, room.participants());
        });
    }

    /// Closes a room, and its connections at the ends of the next turns. Its last event says why.
    pub(super) fn close_room(&mut self, key: Key, reason: &'static str, link: &Link) {
        let Some(room) = self.rooms.remove(key) else { return };
        self.closing.extend(room.peers());
        count_load(link, room.participants() + 1, 0);
        room.close(reason, !matches!(reason, CLOSED | DROPPED));
    }

    pub(super) fn close_all(&mut self, link: &Link) {
        let now = Instant::now();
        for key in self.rooms.keys() {
            self.close_room(key, "shutdown", link);
        }
        while !self.closing.is_empty() {
            self.close_pending(&link.metrics, now);
        }
        self.sockets.flush(&link.metrics);
    }
}

fn count_load(link: &Link, before: usize, after: usize) {
    if after > before {
        link.load.fetch_add(after - before, Ordering::Relaxed);
    } else {
        link.load.fetch_sub(before - after, Ordering::Relaxed);
    }
}

/// The waiter may have gone; the command was carried out all the same.
fn answer<T>(reply: Reply<T>, result: Result<T, MediaError>) {
    let _ = reply.send(result);
}
