//! The direct lane: RTP that goes past the queues.

use std::net::SocketAddr;
use std::time::Instant;

use crate::Rtc;
use crate::RtcState;
use crate::net::Protocol;
use crate::rtp_::Ssrc;
use crate::session::DirectRoute;
use crate::streams::RtpWrite;

/// What became of a packet that was given to [`DirectSend::write_rtp`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DirectWrite {
    /// The datagram was appended to the buffer.
    Sent,
    /// The pacer holds it back, or others of its stream wait before it. It is queued as by
    /// [`StreamTx::write_rtp`][crate::rtp::StreamTx::write_rtp]: tell the time and poll the output.
    Queued,
    /// There is no such stream.
    NoStream,
}

/// Sends RTP at once, obtained from [`Rtc::direct_send`].
///
/// A packet written to a [`StreamTx`][crate::rtp::StreamTx] is queued; it takes a timeout and two
/// polls of the whole [`Rtc`] before it leaves. Where a server forwards to many, most connections
/// are at rest when a packet comes: nothing is queued and the pacer would let it go at once. This
/// does then the same with less: the packet is sent by the same rules, with the same accounts
/// (pacer, bandwidth estimation, transport-wide numbers, resend cache, statistics), and appended as
/// a datagram to a buffer of the caller's.
///
/// What is written moves no deadline to an earlier time: the last [`Output::Timeout`] stays valid,
/// and nothing need be polled unless [`DirectWrite::Queued`] is returned.
///
/// [`Output::Timeout`]: crate::Output::Timeout
pub struct DirectSend<'a> {
    rtc: &'a mut Rtc,
    now: Instant,
    /// Of the last packet.
    route: Option<DirectRoute>,
}

impl Rtc {
    /// Opens the direct lane for packets sent at this time.
    ///
    /// `None` if there is no connection yet, if time would go backwards, or if the pacer must
    /// decide over each packet (it probes, or is about to send what is queued). Write to the stream
    /// then.
    pub fn direct_send(&mut self, now: Instant) -> Option<DirectSend<'_>> {
        let is_open = self.state == RtcState::Alive
            && self.send_addr.is_some()
            && now >= self.last_now
            && self.session.open_direct(now);
        if !is_open {
            return None;
        }
        self.last_now = now;
        Some(DirectSend {
            rtc: self,
            now,
            route: None,
        })
    }
}

impl DirectSend<'_> {
    /// Protocol, source and destination of what is sent.
    pub fn route(&self) -> (Protocol, SocketAddr, SocketAddr) {
        let send = self.rtc.send_addr.as_ref().expect("checked on opening");
        (send.proto, send.source, send.destination)
    }

    /// Sends a packet, or queues it.
    ///
    /// The datagram is appended to `out`; what is in it stays.
    pub fn write_rtp(&mut self, ssrc: &Ssrc, mut rtp: RtpWrite, out: &mut Vec<u8>) -> DirectWrite {
        let before = out.len();
        if self
            .rtc
            .session
            .send_direct(self.now, ssrc, &mut rtp, &mut self.route, out)
        {
            self.rtc.peer_bytes_tx += (out.len() - before) as u64;
            return DirectWrite::Sent;
        }
        let Some(stream) = self.rtc.session.streams.stream_tx(ssrc) else {
            return DirectWrite::NoStream;
        };
        stream.write_rtp(rtp);
        self.rtc.readiness.wake().no_transport();
        DirectWrite::Queued
    }
}
