//! A participant's end of a connection, in simulated time.

use std::{
    net::{SocketAddr, UdpSocket},
    sync::Arc,
    time::Instant,
};

use str0m::{
    Candidate, Event, Input, Output, Rtc, RtcConfig,
    change::SdpPendingOffer,
    format::Codec,
    media::Pt,
    net::{Protocol, Receive},
};

/// State machine and socket.
pub(super) struct Client {
    pub(super) rtc: Rtc,
    pub(super) socket: UdpSocket,
    pub(super) address: SocketAddr,
    pub(super) pending: Option<SdpPendingOffer>,
    pub(super) deadline: Instant,
    pub(super) touched: bool,
    pub(super) connected: bool,
    pub(super) events: Vec<Event>,
}

impl Client {
    pub(super) fn new(now: Instant) -> Self {
        let provider = Arc::new(str0m::crypto::from_feature_flags());
        let config = RtcConfig::new().set_crypto_provider(provider).set_rtp_mode(true).clear_codecs();
        let mut rtc = config.enable_opus(true, false).enable_vp8(true).build(now);
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_nonblocking(true).unwrap();
        let address = socket.local_addr().unwrap();
        rtc.add_local_candidate(Candidate::host(address, "udp").unwrap());
        Self {
            rtc,
            socket,
            address,
            pending: None,
            deadline: now,
            touched: true,
            connected: false,
            events: Vec::new(),
        }
    }

    /// Datagrams that wait on the socket.
    pub(super) fn datagrams(&self) -> Vec<(Vec<u8>, SocketAddr)> {
        let mut buffer = [0; 2_000];
        std::iter::from_fn(|| {
            let (length, source) = self.socket.recv_from(&mut buffer).ok()?;
            Some((buffer[..length].to_vec(), source))
        })
        .collect()
    }

    pub(super) fn receive(&mut self, bytes: &[u8], source: SocketAddr, now: Instant) {
        let receive = Receive::new(Protocol::Udp, source, self.address, bytes).unwrap();
        self.rtc.handle_input(Input::Receive(now, receive)).unwrap();
        self.touched = true;
    }

    /// Tells the time and takes everything; a pacer is told the time after each packet.
    pub(super) fn drive(&mut self, now: Instant, mut send: impl FnMut(&UdpSocket, Vec<u8>, SocketAddr)) {
        if !self.touched && self.deadline > now {
            return;
        }
        self.touched = false;
        self.rtc.handle_input(Input::Timeout(now)).unwrap();
        loop {
            match self.rtc.poll_output().unwrap() {
                Output::Transmit(transmit) => {
                    send(&self.socket, transmit.contents.to_vec(), transmit.destination);
                }
                Output::Event(event) => {
                    self.connected |= matches!(event, Event::Connected);
                    self.events.push(event);
                }
                Output::Timeout(at) if at <= now => self.rtc.handle_input(Input::Timeout(now)).unwrap(),
                Output::Timeout(at) => {
                    self.deadline = at;
                    return;
                }
            }
        }
    }

    pub(super) fn payload_type(&self, codec: Codec) -> Pt {
        let fits = |params: &&str0m::format::PayloadParams| params.spec().codec == codec;
        self.rtc.codec_config().params().iter().find(fits).unwrap().pt()
    }
}
