//! One peer connection: the state machine, fenced in.
//!
//! Whatever a state machine does wrong (an error, a panic) ends its own
//! connection and nothing else.

use std::{
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
    time::{Duration, Instant},
};

use parley_media_core::{ParticipantKey, Spatial, TrackKey};
use str0m::{Event, Input, MediaOutcome, MediaReceipt, Output, Rtc, net::Receive, rtp::Ssrc};

use crate::{
    Connection,
    arena::Key,
    channels::Channels,
    codecs::{self, InPayload},
    demux::{Demux, Registered},
    metrics::Metrics,
    outgoing::{self, Outgoing, Written},
    path::Paths,
    probe::Remote,
    room::Reported,
    sdp,
    sockets::Sockets,
    timers::Armed,
    watch::Watch,
};

/// Outputs taken of one state machine in a row; what remains comes in the next turn.
const OUTPUTS_PER_DRAIN: usize = 20_000;
/// The pacer lets one packet go between two timeouts and asks for the next at once. A deadline
/// so near is met in the same drain; a later one is a pause that the pacer wants.
const AT_ONCE: Duration = Duration::from_micros(2);
/// Distinct addresses from which a client may have verified itself.
const ADDRESSES_LEARNED_MAX: usize = 512;
/// Packets kept for a client before it is connected, what it is shown first; what comes then is dropped. It may take
/// its time with the handshake, or never begin it.
const EARLY_MAX: usize = 1_000;
/// Incoming streams remembered; a client has three per camera and its repairs.
const STREAMS_MAX: usize = 256;

/// Where an incoming stream goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Incoming {
    /// `None`: no track is declared for its section.
    pub(crate) track: Option<TrackKey>,
    pub(crate) spatial: Spatial,
    pub(crate) payload: InPayload,
}

/// What signaling has been told of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    New,
    Connected,
    Disconnected,
}

pub(crate) struct Peer {
    pub(crate) room: Key,
    pub(crate) participant: ParticipantKey,
    pub(crate) connection: Connection,
    pub(crate) registered: Registered,
    pub(crate) paths: Paths,
    pub(crate) armed: Armed,
    /// When the state machine wants time.
    pub(crate) deadline: Instant,
    /// Waits to be looked at at the end of the turn.
    pub(crate) touched: bool,
    /// The state machine was called into: it is to be told the time, and drained.
    pub(crate) stirred: bool,
    /// Packets for the client, to be sent at the end of the turn: all of one burst together.
    written: Vec<Written>,
    /// The most of them since the last [`Peer::trim`].
    longest_burst: usize,
    /// Packets written before the connection was up.
    early: usize,
    pub(crate) channels: Channels,
    pub(crate) link: Link,
    pub(crate) watch: Watch,
    /// Of the path in use, as far as it was measured.
    pub(crate) round_trip: Option<Duration>,
    /// Counts the ICE restarts in the descriptions that went to the client, by the user fragment.
    ranked: (String, u16),
    /// When the last datagram came; `None` before the first negotiation.
    pub(crate) heard: Option<Instant>,
    /// Signaling has been told that the connection failed.
    pub(crate) failure_told: bool,
    pub(crate) reported: Reported,
    incoming: HashMap<Ssrc, Incoming>,
    /// Media goes another way since this was read last.
    pub(crate) moved: bool,
    /// The client's ICE credentials, once its description has come.
    pub(crate) remote: Option<Remote>,
    /// Pictures have gone to the client.
    pub(crate) pictures: bool,
    /// Payload types of sound, a bit each.
    sound: u128,
    broken: bool,
    /// The last time that the state machine was told; it takes no earlier one.
    clock: Instant,
    rtc: Box<Rtc>,
}

impl Peer {
    pub(crate) fn new(
        room: Key,
        participant: ParticipantKey,
        connection: Connection,
        rtc: Box<Rtc>,
        now: Instant,
    ) -> Self {
        Self {
            room,
            participant,
            connection,
            registered: Registered::default(),
            paths: Paths::default(),
            armed: Armed::default(),
            deadline: now,
            touched: false,
            stirred: false,
            written: Vec::new(),
            longest_burst: 0,
            early: 0,
            channels: Channels::default(),
            link: Link::New,
            watch: Watch::default(),
            round_trip: None,
            ranked: (String::new(), 0),
            heard: None,
            failure_told: false,
            reported: Reported::default(),
            incoming: HashMap::new(),
            moved: false,
            remote: None,
            pictures: false,
            sound: 0,
            broken: false,
            clock: now,
            rtc,
        }
    }

    /// The state machine has failed; the connection is to be closed.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken
    }

    pub(crate) fn set_broken(&mut self) {
        self.broken = true;
    }

    /// Calls into the state machine. `None` if it is broken, or breaks now.
    pub(crate) fn with<T>(&mut self, metrics: &Metrics, call: impl FnOnce(&mut Rtc) -> T) -> Option<T> {
        if self.broken {
            return None;
        }
        let rtc = &mut self.rtc;
        let result = catch_unwind(AssertUnwindSafe(|| call(rtc)));
        self.note_panic(metrics, result.is_err());
        result.ok()
    }

    /// Like [`Peer::with`], with the data channels.
    pub(crate) fn with_channels<T>(
        &mut self,
        metrics: &Metrics,
        call: impl FnOnce(&mut Channels, &mut Rtc) -> T,
    ) -> Option<T> {
        if self.broken {
            return None;
        }
        let (channels, rtc) = (&mut self.channels, &mut self.rtc);
        let result = catch_unwind(AssertUnwindSafe(|| call(channels, rtc)));
        self.note_panic(metrics, result.is_err());
        result.ok()
    }

    /// Reads the credentials and payload types anew: a negotiation may have changed them.
    pub(crate) fn register(&mut self, key: Key, demux: &mut Demux, metrics: &Metrics) {
        let read = |rtc: &mut Rtc| (rtc.direct_api().local_ice_credentials(), codecs::sound_types(rtc));
        if let Some((creds, sound)) = self.with(metrics, read) {
            self.sound = sound;
            if demux.register_ufrag(key, &mut self.registered, creds.ufrag) {
                self.paths.restarted();
            }
        }
    }

    /// A description for the client, with its candidates above those of all before it.
    pub(crate) fn rank_candidates(&mut self, description: &str) -> String {
        let ufrag = sdp::credentials(description).map(|own| own.ufrag).unwrap_or_default();
        if self.ranked.0 != ufrag {
            self.ranked = (ufrag, self.ranked.1.saturating_add(1));
        }
        sdp::rank_candidates(description, self.ranked.1)
    }

    /// Feeds a datagram. It must be drained before the next.
    pub(crate) fn receive(&mut self, datagram: Receive<'_>, now: Instant, metrics: &Metrics) {
        self.heard = Some(now);
        self.input(Input::Receive(now, datagram), metrics);
    }

    /// Takes a packet or reports of a stream that is known, which needs no drain. `None` if the
    /// connection is broken.
    pub(crate) fn receive_media(
        &mut self,
        datagram: &[u8],
        now: Instant,
        metrics: &Metrics,
    ) -> Option<MediaReceipt> {
        let receipt = self.with(metrics, |rtc| rtc.receive_media(now, datagram))?;
        // What anybody may have sent is no sign of life.
        if let MediaOutcome::Packet(_) | MediaOutcome::Nothing | MediaOutcome::Reports = receipt.outcome {
            self.heard = Some(now);
        }
        Some(receipt)
    }

    /// What there is to tell after reports have come.
    pub(crate) fn poll_media_event(&mut self, metrics: &Metrics) -> Option<Event> {
        self.with(metrics, Rtc::poll_media_event).flatten()
    }

    /// Tells the time; also needed after writing, before anything leaves.
    pub(crate) fn tick(&mut self, now: Instant, metrics: &Metrics) {
        self.clock = self.clock.max(now);
        self.input(Input::Timeout(self.clock), metrics);
    }

    /// Keeps a packet until [`Peer::send_written`].
    pub(crate) fn write(&mut self, packet: Written) {
        if self.link == Link::New {
            if self.early == EARLY_MAX {
                return;
            }
            self.early += 1;
        }
        if !self.broken {
            self.written.push(packet);
        }
    }

    /// Sends what was written. What cannot go at once is queued in the state machine, which is then
    /// stirred.
    pub(crate) fn send_written(&mut self, sockets: &mut Sockets, metrics: &Metrics, now: Instant) {
        if self.written.is_empty() {
            return;
        }
        self.clock = self.clock.max(now);
        self.longest_burst = self.longest_burst.max(self.written.len());
        let mut written = std::mem::take(&mut self.written);
        let (clock, path) = (self.clock, self.paths.chosen());
        let send = |rtc: &mut Rtc| outgoing::send_written(rtc, clock, path, &mut written, sockets, metrics);
        let queued = self.with(metrics, send);
        self.stirred |= queued == Some(true);
        written.clear();
        self.written = written;
    }

    /// Gives back the room that a burst has needed and none since the last call: that of a keyframe
    /// is 40 KiB, for each connection.
    pub(crate) fn trim(&mut self) {
        if self.written.capacity() > self.longest_burst * 2 {
            self.written.shrink_to(self.longest_burst);
        }
        self.longest_burst = self.written.len();
    }

    /// Begins the goodbye; what it sends comes with the next drain.
    pub(crate) fn close(&mut self, now: Instant, metrics: &Metrics) {
        if let Some(Err(error)) = self.with(metrics, Rtc::close) {
            tracing::debug!(%error, "peer goes without goodbye");
        }
        self.tick(now, metrics);
    }

    /// Takes what the state machine has to send and to tell.
    pub(crate) fn drain(
        &mut self,
        key: Key,
        sockets: &mut Sockets,
        demux: &mut Demux,
        events: &mut Vec<Event>,
        metrics: &Metrics,
    ) {
        if self.broken {
            return;
        }
        let (registered, paths) = (&mut self.registered, &mut self.paths);
        let (sound, moved, now) = (self.sound, &mut self.moved, self.clock);
        let mut outgoing = Outgoing { key, registered, paths, sockets, demux, metrics, moved, sound, now };
        let (rtc, clock) = (&mut self.rtc, &mut self.clock);
        let drained = catch_unwind(AssertUnwindSafe(|| drain(rtc, clock, &mut outgoing, events)));
        match drained {
            Ok(Some(deadline)) => self.deadline = deadline,
            Ok(None) => self.broken = true,
            Err(_) => self.note_panic(metrics, true),
        }
        if self.registered.learned > ADDRESSES_LEARNED_MAX || !self.rtc.is_alive() {
            self.broken = true;
        }
    }

    /// What is known of an incoming stream under this payload type.
    pub(crate) fn incoming(&self, ssrc: Ssrc, pt: str0m::media::Pt) -> Option<Incoming> {
        self.incoming.get(&ssrc).filter(|incoming| incoming.payload.pt == pt).copied()
    }

    pub(crate) fn remember_incoming(&mut self, ssrc: Ssrc, incoming: Incoming) {
        if self.incoming.len() >= STREAMS_MAX {
            self.incoming.clear();
        }
        self.incoming.insert(ssrc, incoming);
    }

    /// Sections or tracks have changed.
    pub(crate) fn forget_incoming(&mut self) {
        self.incoming.clear();
    }

    fn input(&mut self, input: Input<'_>, metrics: &Metrics) {
        if let Some(Err(error)) = self.with(metrics, |rtc| rtc.handle_input(input)) {
            tracing::debug!(%error, "peer refuses input");
            metrics.dropped_refused.inc();
            // Anybody can forge a datagram that is refused; only a state machine that gave up is broken.
            self.broken |= !self.rtc.is_alive();
        }
    }

    fn note_panic(&mut self, metrics: &Metrics, panicked: bool) {
        if panicked {
            tracing::error!("a peer's state machine panicked; its connection is closed");
            metrics.panics.inc();
            self.broken = true;
        }
    }
}

/// Polls until the state machine is at rest: the next deadline, or `None` if it failed.
fn drain(
    rtc: &mut Rtc,
    clock: &mut Instant,
    outgoing: &mut Outgoing<'_>,
    events: &mut Vec<Event>,
) -> Option<Instant> {
    let mut sent = false;
    for _ in 0..OUTPUTS_PER_DRAIN {
        match rtc.poll_output() {
            // Only what sends is called again: nothing is always due and never done.
            Ok(Output::Timeout(at)) if sent && at <= *clock + AT_ONCE => {
                sent = false;
                *clock = at.max(*clock);
                if let Err(error) = rtc.handle_input(Input::Timeout(*clock)) {
                    tracing::debug!(%error, "peer failed");
                    return None;
                }
            }
            Ok(Output::Timeout(at)) => return Some(at),
            Ok(Output::Transmit(transmit)) => {
                sent = true;
                outgoing.send(transmit);
            }
            Ok(Output::Event(event)) => events.push(event),
            Err(error) => {
                tracing::debug!(%error, "peer failed");
                return None;
            }
        }
    }
    Some(*clock)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use crate::arena::Arena;
    use str0m::media::Mid;

    fn peer() -> Peer {
        let rtc = crate::codecs::build(&[], 1000).unwrap();
        let room = Arena::default().insert(());
        Peer::new(room, ParticipantKey(1), Connection::Publisher, rtc, Instant::now())
    }

    #[test]
    fn little_is_kept_for_a_client_that_does_not_connect() {
        let mut peer = peer();
        let write = |peer: &mut Peer| {
            peer.write(Written {
                ssrc: 1.into(),
                pt: 96.into(),
                sequence: 1,
                timestamp: 0,
                marker: false,
                nackable: true,
                at: Instant::now(),
                payload: Arc::from([0; 9]),
                vp8: None,
                values: None,
            });
        };
        for _ in 0..EARLY_MAX * 2 {
            write(&mut peer);
        }
        assert_eq!(peer.written.len(), EARLY_MAX);
        peer.link = Link::Connected;
        write(&mut peer);
        assert_eq!(peer.written.len(), EARLY_MAX + 1);
    }

    #[test]
    fn a_panic_breaks_only_its_peer() {
        let (mut bad, mut good) = (peer(), peer());
        let metrics = Metrics::default();
        // The direct interface panics on a section that does not exist.
        let result = bad.with(&metrics, |rtc| {
            rtc.direct_api().declare_stream_tx(1.into(), None, Mid::from("none"), None).ssrc()
        });
        assert_eq!(result, None);
        assert!(bad.is_broken() && !good.is_broken());
        assert_eq!(bad.with(&metrics, |_| ()), None, "a broken state machine is not called again");
        assert_eq!(good.with(&metrics, |_| ()), Some(()));
        assert_eq!(metrics.panics.value(), 1);
    }
}
