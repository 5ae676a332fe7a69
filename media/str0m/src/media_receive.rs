//! Reception of media without a walk over everything else.
//!
//! [`Rtc::handle_input`] followed by polling until rest visits ICE, DTLS, SCTP, the channels, all
//! streams and the estimator for each datagram. A packet of a stream that is known moves none of
//! them. In an SFU that is most of what comes.

use std::time::Instant;

use crate::io::MultiplexKind;
use crate::poll::Wake;
use crate::rtp_::{RtcpFb, RtpHeader};
use crate::session::{RtpOutcome, Session};
use crate::streams::RtpPacket;
use crate::{Event, Rtc, RtcState};

/// What [`Rtc::receive_media`] made of a datagram.
#[derive(Debug)]
pub struct MediaReceipt {
    /// What it was.
    pub outcome: MediaOutcome,
    /// When the instance wants [`Input::Timeout`][crate::Input::Timeout] on its account at the
    /// latest; `None` if it moved no timer forward.
    pub due: Option<Instant>,
}

/// Sort of a datagram given to [`Rtc::receive_media`].
#[derive(Debug)]
pub enum MediaOutcome {
    /// A packet that was not received before; what else would be
    /// [`Event::RtpPacket`][crate::Event::RtpPacket].
    Packet(RtpPacket),
    /// Authentic, with nothing to deliver: padding, a resent packet that had come already.
    Nothing,
    /// Reports, taken in. Events may follow from [`Rtc::poll_media_event`].
    Reports,
    /// Dropped: received before, or too old to tell.
    Replayed,
    /// Dropped: not authentic, or of a payload type that is not negotiated.
    Rejected,
    /// Nothing was done: give it to [`Rtc::handle_input`].
    Unsuitable,
}

impl MediaOutcome {
    fn at_rest(self) -> MediaReceipt {
        MediaReceipt {
            outcome: self,
            due: None,
        }
    }
}

impl Rtc {
    /// Takes a datagram of SRTP or SRTCP straight to its stream.
    ///
    /// Does the same as [`Rtc::handle_input`] with [`Input::Receive`][crate::Input::Receive], but
    /// neither tells the time to anything nor needs [`Rtc::poll_output`] afterwards: what is to be
    /// sent in consequence (feedback, retransmissions) waits for the next
    /// [`Input::Timeout`][crate::Input::Timeout], which is wanted at [`MediaReceipt::due`] if that
    /// comes before the timeout last polled. Only in RTP mode, once connected, and for streams
    /// from which a packet has come shortly before; everything else is
    /// [`MediaOutcome::Unsuitable`].
    pub fn receive_media(&mut self, now: Instant, datagram: &[u8]) -> MediaReceipt {
        let kind = MultiplexKind::try_from(datagram);
        let ready = self.state == RtcState::Alive
            && !self.need_init_time
            && self.send_addr.is_some()
            && self.session.can_receive_directly();
        let receipt = match kind {
            Ok(MultiplexKind::Rtp) if ready => self.session.receive_rtp(now, datagram),
            Ok(MultiplexKind::Rtcp) if ready => {
                let mut wake = self.readiness.wake();
                wake.no_transport();
                self.session.receive_rtcp(now, datagram, &mut wake)
            }
            _ => MediaOutcome::Unsuitable.at_rest(),
        };
        if !matches!(receipt.outcome, MediaOutcome::Unsuitable) {
            self.peer_bytes_rx += datagram.len() as u64;
        }
        if receipt.due.is_some() {
            let mut wake = self.readiness.wake();
            wake.no_events();
            wake.no_transport();
        }
        receipt
    }

    /// The next event that follows from [`MediaOutcome::Reports`].
    pub fn poll_media_event(&mut self) -> Option<Event> {
        self.session.poll_event()
    }
}

impl Session {
    fn receive_rtp(&mut self, now: Instant, datagram: &[u8]) -> MediaReceipt {
        let header = RtpHeader::parse(datagram, &self.exts);
        let Some(header) = header.filter(|header| self.streams.is_flowing(header.ssrc)) else {
            return MediaOutcome::Unsuitable.at_rest();
        };
        let outcome = match self.handle_rtp(now, header, datagram) {
            RtpOutcome::Packet(packet) => MediaOutcome::Packet(packet),
            RtpOutcome::Nothing => MediaOutcome::Nothing,
            RtpOutcome::Replayed => return MediaOutcome::Replayed.at_rest(),
            RtpOutcome::Rejected => return MediaOutcome::Rejected.at_rest(),
        };
        let due = self.reception_at();
        MediaReceipt { outcome, due }
    }

    fn receive_rtcp(&mut self, now: Instant, datagram: &[u8], wake: &mut Wake) -> MediaReceipt {
        let Some(seen) = self.handle_rtcp(now, datagram, wake) else {
            wake.no_events();
            wake.no_timeout();
            return MediaOutcome::Rejected.at_rest();
        };
        if seen.transport {
            self.handle_timeout_bwe(now);
        }
        let due = if seen.answered || self.is_probing() {
            Some(now)
        } else {
            self.poll_timeout().0
        };
        MediaReceipt {
            outcome: MediaOutcome::Reports,
            due,
        }
    }
}

/// What a compound of reports held.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Transport-wide feedback.
    transport: bool,
    /// Something that is to be answered by sending, or told by an event.
    answered: bool,
}

impl Seen {
    pub(crate) fn note(&mut self, report: &RtcpFb) {
        match report {
            RtcpFb::Twcc(_) => self.transport = true,
            // Statistics, which change no timer.
            RtcpFb::SenderInfo(_)
            | RtcpFb::ReceptionReport(_)
            | RtcpFb::SourceDescription(_)
            | RtcpFb::DlrrItem(_)
            | RtcpFb::Rrtr(_) => {}
            _ => self.answered = true,
        }
    }
}
