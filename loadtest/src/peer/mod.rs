//! One synthetic participant, without sockets: peer connection, protocol state, what it sends and receives.
//!
//! The engine feeds datagrams, signal messages and time, and takes datagrams, signal requests and news back.

mod negotiate;
mod publish;
mod receive;

use std::{
    collections::VecDeque,
    net::SocketAddr,
    time::{Duration, Instant},
};

use livekit_protocol as proto;
use proto::{signal_request::Message as Request, signal_response::Message as Response};
use str0m::{
    Candidate, Event, Input, Output, Rtc,
    change::SdpPendingOffer,
    media::Mid,
    net::{Protocol, Receive, Transmit},
};

pub use publish::Publish;
pub use receive::{MediaKind, Observer, Packet};

use crate::{
    error::JoinError,
    light::{Light, Taken},
    stats::PeerCounts,
    wire,
};
use publish::Publication;
use receive::Reception;

/// Sections in the first offer, as the SDKs send them: three of each kind, and data.
const SECTIONS_PER_KIND: usize = 3;
/// Receiving sections of one peer; requirements beyond are not followed.
const MAX_SECTIONS: usize = 512;
/// Steps of one drain; a peer that has more to say goes on in the next.
const MAX_OUTPUTS: usize = 10_000;
const PING_EVERY: Duration = Duration::from_secs(5);
/// Longest sleep of a peer that has nothing to do.
const IDLE: Duration = Duration::from_secs(1);

/// What the engine is told after a step.
#[derive(Debug)]
pub(crate) enum News {
    /// ICE and DTLS are up.
    Connected,
    /// The server has confirmed a track: cid and sid.
    Published { cid: String, sid: String },
    /// The session has ended by the server or by an error.
    Ended(JoinError),
}

/// What a peer does of itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct Behaviour {
    /// Wish for every video track that is subscribed.
    pub(crate) wish: Option<wire::TrackSettings>,
    /// Which of them are shown; the others are switched off.
    pub(crate) shown: Option<Shown>,
    /// Send all media to this address instead of the server's own (a proxy that impairs).
    pub(crate) media_via: Option<SocketAddr>,
    /// Send only the layers that the own estimate of the uplink carries.
    pub(crate) adapt: bool,
}

/// Some of the pictures of others, in the order in which they become known: `count` of `all`, from number `first` on,
/// round the end. As those who look at different pages of a large room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown {
    pub first: usize,
    pub count: usize,
    pub all: usize,
}

impl Shown {
    fn holds(self, number: usize) -> bool {
        let all = self.all.max(1);
        (number + all - self.first % all) % all < self.count
    }
}

/// A participant.
pub(crate) struct Peer {
    rtc: Box<Rtc>,
    local: SocketAddr,
    behaviour: Behaviour,
    pending: Option<SdpPendingOffer>,
    offer_id: u32,
    /// Sections and tracks to put into the next offer.
    more_audio: usize,
    more_video: usize,
    offer_again: bool,
    receiving: Vec<Mid>,
    publications: Vec<Publication>,
    reception: Reception,
    /// Opens media instead of str0m.
    light: Option<Light>,
    /// Where media comes from, once it does.
    remote: Option<SocketAddr>,
    connected: bool,
    next_ping: Instant,
    deadline: Instant,
    requests: Vec<Request>,
    news: VecDeque<News>,
    ended: bool,
    /// Scratch for the packets of one step.
    packets: Vec<crate::source::MediaPacket>,
}

/// Takes the datagrams of one step.
pub(crate) trait Outbox {
    fn send_to(&mut self, to: SocketAddr, datagram: &[u8]);

    fn send(&mut self, transmit: &Transmit) {
        self.send_to(transmit.destination, &transmit.contents);
    }
}

impl Peer {
    /// A peer that offers itself: itself and the description for the join request.
    pub(crate) fn offering(
        mut rtc: Box<Rtc>,
        local: SocketAddr,
        behaviour: Behaviour,
        light: Option<Light>,
        observer: Option<Box<dyn Observer>>,
        now: Instant,
    ) -> Result<(Self, String), JoinError> {
        let candidate =
            Candidate::host(local, "udp").map_err(|error| JoinError::Address(error.to_string()))?;
        rtc.add_local_candidate(candidate);
        let reception = Reception::new(observer);
        let mut peer = Self {
            rtc,
            local,
            behaviour,
            pending: None,
            offer_id: 0,
            more_audio: SECTIONS_PER_KIND,
            more_video: SECTIONS_PER_KIND,
            offer_again: false,
            receiving: Vec::new(),
            publications: Vec::new(),
            reception,
            light,
            remote: None,
            connected: false,
            next_ping: now + PING_EVERY,
            deadline: now,
            requests: Vec::new(),
            news: VecDeque::new(),
            ended: false,
            packets: Vec::new(),
        };
        let offer = peer.make_offer(true).ok_or_else(|| JoinError::Answer("no offer was made".to_owned()))?;
        Ok((peer, offer))
    }

    /// A datagram from `source`.
    pub(crate) fn handle_datagram(
        &mut self,
        source: SocketAddr,
        datagram: &mut [u8],
        now: Instant,
        out: &mut dyn Outbox,
    ) {
        if self.taken_lightly(source, datagram, now, out) {
            return;
        }
        // What is not a packet of WebRTC is not for us.
        let Ok(receive) = Receive::new(Protocol::Udp, source, self.local, datagram) else { return };
        if self.ended {
            return;
        }
        match self.rtc.handle_input(Input::Receive(now, receive)) {
            // Each input is drained before the next: str0m keeps one packet.
            Ok(()) => self.deadline = self.drain(now, out),
            Err(error) => self.end(error.into()),
        }
    }

    /// True when the datagram was media and opened here.
    fn taken_lightly(
        &mut self,
        source: SocketAddr,
        datagram: &mut [u8],
        now: Instant,
        out: &mut dyn Outbox,
    ) -> bool {
        let Some(light) = &mut self.light else { return false };
        if !light.ready() {
            return false;
        }
        let media = match light.take(datagram, now) {
            Taken::No => return false,
            Taken::Empty => return true,
            Taken::Media(media) => media,
        };
        self.remote = Some(source);
        let ssrc = media.ssrc;
        if self.reception.light(&media, now)
            && let Some(request) = light.ask_keyframe(ssrc, now)
        {
            out.send_to(source, &request);
        }
        true
    }

    /// A message of the server.
    pub(crate) fn handle_signal(&mut self, message: &Response, now: Instant) {
        self.reception.observe_signal(message, now);
        match message {
            Response::Join(join) => self.others(&join.other_participants),
            Response::Update(update) => self.others(&update.participants),
            Response::Answer(answer) => {
                if let Err(error) = self.accept(answer, now) {
                    self.end(error);
                }
            }
            Response::Trickle(trickle) => self.add_candidate(&trickle.candidate_init),
            Response::MediaSectionsRequirement(more) => {
                let places = MAX_SECTIONS.saturating_sub(self.receiving.len());
                self.more_audio += (more.num_audios as usize).min(places / 2);
                self.more_video += (more.num_videos as usize).min(places / 2);
                self.offer_again = true;
            }
            Response::TrackPublished(published) => self.published(published),
            Response::SubscribedQualityUpdate(update) => self.wanted_qualities(update),
            Response::Leave(leave) => {
                self.end(JoinError::Refused(format!("reason {}", leave.reason().as_str_name())));
            }
            _ => {}
        }
    }

    /// The signal connection has ended.
    pub(crate) fn handle_signal_closed(&mut self) {
        self.end(JoinError::Refused("the signal connection was closed".to_owned()));
    }

    /// Does what is due, and gives all datagrams to `out`. The result is when to call again.
    pub(crate) fn poll(&mut self, now: Instant, out: &mut dyn Outbox) -> Instant {
        if self.ended {
            return now + IDLE;
        }
        if self.connected && now >= self.next_ping {
            self.next_ping = now + PING_EVERY;
            let timestamp = i64::try_from(crate::stamp::nanoseconds(now) / 1_000_000).unwrap_or(i64::MAX);
            self.requests.push(Request::PingReq(proto::Ping { timestamp, rtt: 0 }));
        }
        if let (Some(light), Some(remote)) = (&mut self.light, self.remote)
            && let Some(feedback) = light.feedback(now)
        {
            out.send_to(remote, &feedback);
        }
        let mut sent = self.connected && self.send_media(now);
        sent |= self.connected && self.reception.ask_keyframes(&mut self.rtc, now);
        if (sent || now >= self.deadline)
            && let Err(error) = self.rtc.handle_input(Input::Timeout(now))
        {
            self.end(error.into());
            return now + IDLE;
        }
        self.deadline = self.drain(now, out);
        if let Some(offer) = self.make_offer(false) {
            self.requests.push(wire::offer(offer, self.offer_id));
            self.deadline = self.deadline.min(self.drain(now, out));
        }
        let media = if self.connected { self.next_media() } else { None };
        let mut next = self.deadline.min(now + IDLE);
        if let (Some(light), Some(_)) = (&self.light, self.remote) {
            next = next.min(light.next());
        }
        media.map_or(next, |media| next.min(media))
    }

    fn drain(&mut self, now: Instant, out: &mut dyn Outbox) -> Instant {
        for _ in 0..MAX_OUTPUTS {
            match self.rtc.poll_output() {
                Ok(Output::Transmit(transmit)) => out.send(&transmit),
                Ok(Output::Event(event)) => self.event(event, now),
                Ok(Output::Timeout(deadline)) => return deadline,
                Err(error) => {
                    self.end(error.into());
                    return now + IDLE;
                }
            }
        }
        now
    }

    fn event(&mut self, event: Event, now: Instant) {
        match event {
            Event::Connected => {
                self.connected = true;
                for publication in &mut self.publications {
                    publication.restart(now);
                }
                self.news.push_back(News::Connected);
            }
            Event::RtpPacket(packet) => self.reception.rtp(&mut self.rtc, &packet, now),
            Event::KeyframeRequest(request) => self.keyframe_wanted(request.mid, request.rid),
            Event::EgressBitrateEstimate(estimate) => self.estimate(estimate),
            Event::IceConnectionStateChange(str0m::IceConnectionState::Disconnected) if self.connected => {
                tracing::debug!("a peer's media connection is down");
            }
            Event::Closed => self.end(JoinError::Media("closed by the server".to_owned())),
            _ => {}
        }
    }

    fn end(&mut self, error: JoinError) {
        if !self.ended {
            self.ended = true;
            self.news.push_back(News::Ended(error));
        }
    }

    pub(crate) fn leave(&mut self) {
        self.ended = true;
        self.requests.push(wire::leave());
    }

    pub(crate) fn ended(&self) -> bool {
        self.ended
    }

    pub(crate) fn request(&mut self, request: Request) {
        self.requests.push(request);
    }

    pub(crate) fn take_requests(&mut self) -> std::vec::Drain<'_, Request> {
        self.requests.drain(..)
    }

    pub(crate) fn next_news(&mut self) -> Option<News> {
        self.news.pop_front()
    }

    /// Adds what this peer has counted so far to `counts`.
    pub(crate) fn count(&self, counts: &mut PeerCounts) {
        self.reception.count(counts);
        counts.refused_packets += self.light.as_ref().map_or(0, |light| light.refused);
        for publication in &self.publications {
            publication.count(counts);
        }
    }

    pub(crate) fn take_delays(&mut self, into: &mut crate::Histogram) {
        self.reception.take_delays(into);
    }

    /// Tracks of others: wishes are told for what can be subscribed.
    fn others(&mut self, participants: &[proto::ParticipantInfo]) {
        let Some(wish) = self.behaviour.wish else { return };
        for track in participants.iter().flat_map(|participant| &participant.tracks) {
            let own = self.publications.iter().any(|own| own.sid() == Some(track.sid.as_str()));
            if track.r#type() != proto::TrackType::Video || own {
                continue;
            }
            if let Some(number) = self.reception.note_wish(&track.sid) {
                let disabled = self.behaviour.shown.is_some_and(|shown| !shown.holds(number));
                self.requests.push(wire::settings(&track.sid, &wire::TrackSettings { disabled, ..wish }));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_looks_at_as_many_pictures_round_the_end() {
        for first in 0..7 {
            let shown = Shown { first, count: 3, all: 7 };
            assert_eq!((0..7).filter(|number| shown.holds(*number)).count(), 3);
        }
        let shown = Shown { first: 6, count: 2, all: 7 };
        assert!(shown.holds(6) && shown.holds(0) && !shown.holds(1) && !shown.holds(5));
    }
}
