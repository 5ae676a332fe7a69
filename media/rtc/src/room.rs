//! One room on its worker: glue between the routing core, the peers and signaling.

mod data;
mod estimate;
mod events;
mod negotiate;
mod publish;
mod redundancy;
mod relay;
mod route;
mod stats;
mod subscribe;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Instant,
};

use parley_media_core::{
    Codec, Forward, LinkStats, Output, Overload, PartKey, ParticipantKey, Room, SlotKey, Spatial, TrackKey,
};
use str0m::{
    Rtc,
    bwe::ProbeId,
    change::SdpPendingOffer,
    media::{Mid, Pt, Rid},
    rtp::Ssrc,
};

use crate::{
    Connection, ConnectionState, MediaError, MediaEvent, PeerMode, SlotSettings, TrackSpec,
    arena::{Arena, Key},
    bandwidth::{Bandwidth, Verdict},
    codecs::OutPayload,
    demux::Demux,
    keyed::OwnKeys,
    layout::HOME,
    metrics::Metrics,
    negotiation::{dual::Dual, publish::Published, single::Single},
    outgoing::Written,
    peer::{Link, Peer},
    relay::{Facts, Outlet},
    timers::Armed,
};
pub(crate) use events::Events;
pub(crate) use stats::{INTERVAL as STATS_INTERVAL, Reported};

/// Participants of one room.
const PARTICIPANTS_MAX: usize = 5_000;
/// Tracks that one participant may declare.
const TRACKS_PER_PARTICIPANT: usize = 64;
/// Subscriptions of one participant; those beyond the sections wait for one.
const SUBSCRIPTIONS_PER_PARTICIPANT: usize = 1_024;

/// What a room works on beside itself.
pub(crate) struct Context<'a> {
    pub(crate) peers: &'a mut Arena<Peer>,
    pub(crate) demux: &'a mut Demux,
    pub(crate) metrics: &'a Metrics,
    /// Peers to be looked at at the end of the turn.
    pub(crate) touched: &'a mut Vec<Key>,
    /// Peers to be closed at the end of the turn.
    pub(crate) closing: &'a mut Vec<Key>,
    /// Packets written in this turn.
    pub(crate) written: &'a mut usize,
    pub(crate) max_data_message: usize,
    pub(crate) now: Instant,
}

impl Context<'_> {
    /// Has a peer told the time and drained at the end of the turn.
    pub(crate) fn touch(&mut self, key: Key) {
        if let Some(peer) = self.peers.get_mut(key) {
            peer.stirred = true;
            note_touched(self.touched, key, peer);
        }
    }

    /// Has a packet sent to a peer at the end of the turn.
    fn write(&mut self, key: Key, packet: Written) {
        if let Some(peer) = self.peers.get_mut(key) {
            peer.write(packet);
            *self.written += 1;
            note_touched(self.touched, key, peer);
        }
    }

    /// Calls into a peer's state machine, which must then be drained.
    fn with<T>(&mut self, key: Key, call: impl FnOnce(&mut Rtc) -> T) -> Option<T> {
        let result = self.peers.get_mut(key)?.with(self.metrics, call);
        self.touch(key);
        result
    }
}

fn note_touched(touched: &mut Vec<Key>, key: Key, peer: &mut Peer) {
    if !std::mem::replace(&mut peer.touched, true) {
        touched.push(key);
    }
}

enum Negotiation {
    Single(Single),
    Dual {
        subscriber: Key,
        sections: Dual,
        pending: Option<SdpPendingOffer>,
        /// An offer has been answered, so the data channels are negotiated.
        opened: bool,
    },
}

struct Subscription {
    track: TrackKey,
    settings: SlotSettings,
    /// The section on which the track is shown, or will be after the negotiation under way.
    mid: Option<String>,
    /// The stream on which it is shown.
    slot: Option<SlotKey>,
}

struct Participant {
    publisher: Key,
    negotiation: Negotiation,
    published: Published,
    /// In the order in which they came; waiting ones get sections in this order.
    subscriptions: Vec<Subscription>,
    link: LinkStats,
    bandwidth: Bandwidth<ProbeId>,
    /// What was told last of it.
    verdict: Option<Verdict>,
    /// Statistics since the last report of the quality.
    samples: u32,
}

impl Participant {
    /// The connection on which the server sends.
    fn outgoing(&self) -> Key {
        match &self.negotiation {
            Negotiation::Single(_) => self.publisher,
            Negotiation::Dual { subscriber, .. } => *subscriber,
        }
    }

    fn peers(&self) -> impl Iterator<Item = Key> {
        let subscriber = match &self.negotiation {
            Negotiation::Single(_) => None,
            Negotiation::Dual { subscriber, .. } => Some(*subscriber),
        };
        std::iter::once(self.publisher).chain(subscriber)
    }

    fn subscription(&mut self, track: TrackKey) -> Option<&mut Subscription> {
        self.subscriptions.iter_mut().find(|subscription| subscription.track == track)
    }
}

/// Whose packets they are, for what is remembered of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    /// A connection of this part.
    Here(Key),
    /// A track of another part.
    Elsewhere(TrackKey),
}

/// What is known of a track once its packets come.
struct Started {
    codec: Codec,
    /// Layers of the offer with which it started.
    rids: Vec<String>,
    mid: Mid,
    /// The rid of each layer that was heard; `None` inside = sent without a rid.
    layers: Vec<(Spatial, Option<Rid>)>,
    /// The same for other parts of the room.
    facts: Arc<Facts>,
}

struct Track {
    participant: ParticipantKey,
    spec: TrackSpec,
    muted: bool,
    started: Option<Started>,
    /// The part of its publisher, if that is another one.
    origin: Option<Outlet>,
    /// The parts to which it goes.
    exports: Vec<Outlet>,
    /// Of sound.
    earlier: redundancy::Earlier,
    /// Imported: the highest layer watched, as the origin was told.
    wanted: Option<Spatial>,
}

/// An outgoing stream. It outlives the tracks that are shown on it.
struct Slot {
    peer: Key,
    mid: Mid,
    ssrc: Ssrc,
    owner: ParticipantKey,
    track: Option<TrackKey>,
    /// The last mapping of payload types: of whose packets, from, to.
    payload: Option<(Origin, Pt, OutPayload)>,
}

pub(crate) struct RoomState {
    key: Key,
    part: PartKey,
    core: Room,
    pub(crate) events: Events,
    participants: BTreeMap<ParticipantKey, Participant>,
    tracks: HashMap<TrackKey, Track>,
    /// Ways on which tracks go over to other parts.
    exports: usize,
    slots: OwnKeys<SlotKey, Slot>,
    by_section: HashMap<(Key, Mid), SlotKey>,
    next_slot: u32,
    forwards: Vec<Forward>,
    overload: Overload,
    reported: estimate::Reports,
    pub(crate) armed: Armed,
    /// Waits for [`RoomState::flush`].
    pub(crate) dirty: bool,
}

impl RoomState {
    pub(crate) fn new(key: Key, part: PartKey, events: Events, voices: usize) -> Self {
        let mut core = Room::new();
        core.set_voices(voices);
        Self {
            key,
            part,
            core,
            events,
            participants: BTreeMap::new(),
            tracks: HashMap::new(),
            exports: 0,
            slots: OwnKeys::default(),
            by_section: HashMap::new(),
            next_slot: 0,
            forwards: Vec::new(),
            overload: Overload::None,
            reported: Vec::new(),
            armed: Armed::default(),
            dirty: false,
        }
    }

    /// Leaves out of pictures what the worker has no time for.
    pub(crate) fn set_overload(&mut self, ctx: &Context<'_>, overload: Overload) {
        self.overload = overload;
        self.core.set_overload(overload, ctx.now);
        self.dirty = true;
    }

    /// Pictures that are paused for that.
    pub(crate) fn shed(&self) -> usize {
        self.core.shed()
    }

    /// With a cap on what one track brings in, bits per second; 0 = none.
    pub(crate) fn capped(mut self, publish_bps: u64) -> Self {
        self.core.set_publish_cap(publish_bps);
        self
    }

    pub(crate) fn participants(&self) -> usize {
        self.participants.len()
    }

    /// The part in which the room began.
    pub(crate) fn is_home(&self) -> bool {
        self.part == HOME
    }

    /// Ends the room; its peers are closed by the caller.
    pub(crate) fn close(self, reason: &'static str, fault: bool) {
        // The home part speaks for all of them when the room is closed as asked.
        if self.is_home() || fault {
            self.events.close(reason);
        }
    }

    /// All connections of the room.
    pub(crate) fn peers(&self) -> Vec<Key> {
        self.participants.values().flat_map(Participant::peers).collect()
    }

    /// Takes a participant in, with the state machines of its connections.
    pub(crate) fn join(
        &mut self,
        ctx: &mut Context<'_>,
        participant: ParticipantKey,
        mode: PeerMode,
        rtcs: Vec<Box<Rtc>>,
    ) -> Result<(), MediaError> {
        if self.participants.contains_key(&participant) {
            return Err(MediaError::Limit("the participant has joined already"));
        }
        if self.overload == Overload::SoundOnly {
            ctx.metrics.dropped_joins.inc();
            return Err(MediaError::Limit("the server does not keep up and takes nobody in"));
        }
        if self.participants.len() >= PARTICIPANTS_MAX {
            return Err(MediaError::Limit("participants of a room"));
        }
        let mut rtcs = rtcs.into_iter();
        let mut add = |ctx: &mut Context<'_>, connection| {
            let rtc = rtcs.next().ok_or(MediaError::PeerFailed)?;
            let key = ctx.peers.insert(Peer::new(self.key, participant, connection, rtc, ctx.now));
            if let Some(peer) = ctx.peers.get_mut(key) {
                peer.register(key, ctx.demux, ctx.metrics);
            }
            ctx.touch(key);
            Ok::<Key, MediaError>(key)
        };
        let publisher = add(ctx, Connection::Publisher)?;
        let negotiation = match mode {
            PeerMode::Single => Negotiation::Single(Single::default()),
            PeerMode::Dual => Negotiation::Dual {
                subscriber: add(ctx, Connection::Subscriber)?,
                sections: Dual::default(),
                pending: None,
                opened: false,
            },
        };
        let state = Participant {
            publisher,
            negotiation,
            published: Published::default(),
            subscriptions: Vec::new(),
            link: LinkStats::default(),
            bandwidth: Bandwidth::default(),
            verdict: None,
            samples: 0,
        };
        self.participants.insert(participant, state);
        self.core.add_participant(participant, ctx.now);
        self.negotiate(ctx, participant);
        Ok(())
    }

    /// Closes the participant's connections and ends its tracks.
    pub(crate) fn leave(
        &mut self,
        ctx: &mut Context<'_>,
        participant: ParticipantKey,
    ) -> Result<(), MediaError> {
        let Some(gone) = self.participants.remove(&participant) else {
            return Err(MediaError::UnknownParticipant);
        };
        let own = |(key, track): (&TrackKey, &Track)| (track.participant == participant).then_some(*key);
        let tracks: Vec<TrackKey> = self.tracks.iter().filter_map(own).collect();
        for track in tracks {
            self.drop_track(ctx, track);
        }
        self.core.remove_participant(participant, ctx.now);
        for key in gone.peers() {
            self.forget_slots(key, None);
            ctx.closing.push(key);
        }
        Ok(())
    }

    /// The state of a connection has changed; tells signaling once.
    pub(crate) fn link_changed(&mut self, ctx: &mut Context<'_>, key: Key, link: Link) {
        let Some(peer) = ctx.peers.get_mut(key) else { return };
        // Only a connection that was up can be down.
        if peer.link == link || (link == Link::Disconnected && peer.link == Link::New) {
            return;
        }
        peer.link = link;
        let state = match link {
            Link::Connected => ConnectionState::Connected,
            Link::Disconnected => ConnectionState::Disconnected,
            Link::New => return,
        };
        let (participant, connection) = (peer.participant, peer.connection);
        self.events.tell(ctx.metrics, MediaEvent::ConnectionState { participant, connection, state });
    }

    /// A client is not reached over the path in use.
    pub(crate) fn path_lost(&mut self, ctx: &mut Context<'_>, key: Key) {
        let Some(peer) = ctx.peers.get(key) else { return };
        let (participant, connection) = (peer.participant, peer.connection);
        self.events.tell(ctx.metrics, MediaEvent::Unreachable { participant, connection });
    }

    /// A connection has failed: signaling is told, the state machine goes. The participant stays
    /// until signaling takes it away.
    pub(crate) fn peer_failed(&mut self, ctx: &mut Context<'_>, key: Key) {
        let Some(peer) = ctx.peers.get_mut(key) else { return };
        if std::mem::replace(&mut peer.failure_told, true) {
            return;
        }
        peer.set_broken();
        let (participant, connection) = (peer.participant, peer.connection);
        ctx.metrics.connections_failed.inc();
        ctx.closing.push(key);
        self.forget_slots(key, Some(ctx.now));
        self.dirty = true;
        let state = ConnectionState::Failed;
        self.events.tell(ctx.metrics, MediaEvent::ConnectionState { participant, connection, state });
    }

    /// Once a second.
    pub(crate) fn tick(&mut self, ctx: &mut Context<'_>) {
        let keys: Vec<ParticipantKey> = self.participants.keys().copied().collect();
        for participant in keys {
            let Some(state) = self.participants.get_mut(&participant) else { continue };
            let late = match &mut state.negotiation {
                Negotiation::Single(single) => single.lose_patience(ctx.now),
                Negotiation::Dual { .. } => false,
            };
            if late {
                self.negotiate(ctx, participant);
            }
        }
        self.repeat_wishes(ctx);
    }

    /// Video streams that show each layer, lowest first; the last: those that wait.
    pub(crate) fn count_layers(&self, counts: &mut [u64; 4]) {
        for shown in self.core.video_slots() {
            let place = shown.map_or(3, |layer| usize::from(layer.0).min(2));
            counts[place] += 1;
        }
    }

    /// The core's clock has come.
    pub(crate) fn timeout(&mut self, ctx: &mut Context<'_>) {
        if self.core.poll_timeout().is_some_and(|(at, _)| at <= ctx.now) {
            self.core.handle_timeout(ctx.now);
        }
        self.dirty = true;
    }

    /// Carries out what the core has decided. Returns when it wants to be called next.
    pub(crate) fn flush(&mut self, ctx: &mut Context<'_>) -> Option<Instant> {
        self.dirty = false;
        let mut paused = Vec::new();
        while let Some(output) = self.core.poll_output() {
            match output {
                Output::RequestKeyframe { track, spatial } => self.request_keyframe(ctx, track, spatial),
                Output::SlotPaused { slot, paused: is } => paused.push((slot, is)),
                Output::SlotLayer { slot, spatial } => tracing::trace!(?slot, ?spatial, "layer"),
                Output::DesiredBitrate { participant, bps } => self.desire(ctx, participant, bps),
                Output::WantedLayer { track, spatial } => self.tell_wanted(ctx, track, spatial),
                // All sound comes to the home part; the others hear but a part of it.
                Output::Speakers(speakers) if self.is_home() => {
                    self.events.tell(ctx.metrics, MediaEvent::Speakers(speakers));
                }
                Output::Speakers(_) => {}
                // Of a publisher in another part that part knows.
                Output::Quality { participant, .. } if !self.participants.contains_key(&participant) => {}
                Output::Quality { participant, quality, score } => {
                    self.events.tell(ctx.metrics, MediaEvent::Quality { participant, quality, score });
                }
            }
        }
        self.tell_paused(ctx, &paused);
        self.core.poll_timeout().map(|(at, _)| at)
    }

    /// Forgets the outgoing streams of a connection; the core is told unless it has forgotten
    /// the participant already.
    fn forget_slots(&mut self, peer: Key, tell_core: Option<Instant>) {
        let core = &mut self.core;
        let by_section = &mut self.by_section;
        self.slots.retain(|key, slot| {
            if slot.peer == peer {
                by_section.remove(&(peer, slot.mid));
                if let Some(now) = tell_core {
                    core.remove_slot(*key, now);
                }
            }
            slot.peer != peer
        });
    }
}
