//! What the delay of a run is without a server: the same frames, to as many sockets, by way of a thread that only
//! passes on what comes.
//!
//! One thread does what a thread of the load generator does: it makes the frames when they are due, seals each packet,
//! polls a socket for each watcher, opens what comes and takes the time from the stamp. Another stands where the
//! server stands and sends every datagram it reads to all watchers of its sender, batched, without a look inside.
//! What is measured is the kernel both ways, the scheduling of two threads and the generator's own work.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, UnboundKey};
use mio::{Events, Interest, Poll, Token};
use serde::Serialize;

use crate::{
    Histogram,
    bare::{HEADER_BYTES, TAG_BYTES, nonce, seal},
    report::Percentiles,
    source::{VideoSource, VideoSpec, Vp8},
    stamp::nanoseconds,
    udp::{Batch, Inbox, Link, Sender},
};

const EVENTS: usize = 1_024;
/// How soon the passing thread sees that it is to end.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// What is still on its way at the end is waited for so long.
const DRAIN: Duration = Duration::from_millis(100);

#[derive(Clone, Copy, Debug)]
pub struct Options {
    pub payload_bytes: usize,
    pub senders: usize,
    /// Of each sender.
    pub watchers: usize,
    /// Packets a second to each watcher; `None` = the camera of 720p.
    pub rate: Option<u64>,
    pub length: Duration,
}

#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Outcome {
    pub delivered_packets: u64,
    pub expected_packets: u64,
    pub forward_ms: Percentiles,
}

/// Where the packets of each sender go.
type Ways = HashMap<SocketAddr, Vec<SocketAddr>>;

/// Runs it on two new threads.
pub fn run(options: Options) -> io::Result<Outcome> {
    let loopback = IpAddr::from([127, 0, 0, 1]);
    let (relay, relay_port) = Link::bind(loopback)?;
    let (mut senders, mut watchers, mut ways) = (Vec::new(), Vec::new(), Ways::new());
    for _ in 0..options.senders.max(1) {
        let (link, port) = Link::bind(loopback)?;
        senders.push(link);
        let to = ways.entry(SocketAddr::new(loopback, port)).or_default();
        for _ in 0..options.watchers.max(1) {
            let (link, port) = Link::bind(loopback)?;
            watchers.push(link);
            to.push(SocketAddr::new(loopback, port));
        }
    }
    let stop = Arc::new(AtomicBool::new(false));
    let passing = {
        let stop = Arc::clone(&stop);
        std::thread::Builder::new()
            .name("control-pass".to_owned())
            .spawn(move || pass_on(relay, &ways, &stop))?
    };
    let to = SocketAddr::new(loopback, relay_port);
    let load = std::thread::Builder::new()
        .name("control-load".to_owned())
        .spawn(move || Load::new(options, senders, watchers, to)?.run())?;
    let outcome = load.join().map_err(|_| io::Error::other("the thread of the control has panicked"));
    stop.store(true, Ordering::Relaxed);
    passing.join().map_err(|_| io::Error::other("the passing thread has panicked"))??;
    outcome?
}

fn pass_on(mut relay: Link, ways: &Ways, stop: &AtomicBool) -> io::Result<()> {
    let mut poll = Poll::new()?;
    poll.registry().register(&mut relay.io, Token(0), Interest::READABLE)?;
    let mut events = Events::with_capacity(1);
    let (mut inbox, mut batch) = (Inbox::new(), Batch::default());
    // What has come of each sender, in the order of the first of it.
    let mut arrived: Vec<(SocketAddr, Vec<Vec<u8>>)> = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        poll.poll(&mut events, Some(LOOK_EVERY))?;
        while relay.receive(&mut inbox) {
            for (source, datagram) in inbox.datagrams() {
                match arrived.last_mut().filter(|(last, _)| *last == source) {
                    Some((_, datagrams)) => datagrams.push(datagram.to_vec()),
                    None => arrived.push((source, vec![datagram.to_vec()])),
                }
            }
        }
        for (source, datagrams) in arrived.drain(..) {
            for address in ways.get(&source).into_iter().flatten() {
                let mut sender = Sender { link: &relay, batch: &mut batch };
                datagrams.iter().for_each(|datagram| sender.push(*address, datagram));
                sender.flush();
            }
        }
    }
    Ok(())
}

/// The thread that stands for the load generator.
struct Load {
    length: Duration,
    senders: Vec<(Link, VideoSource)>,
    watchers: Vec<Link>,
    to: SocketAddr,
    key: LessSafeKey,
    poll: Poll,
    inbox: Inbox,
    batch: Batch,
    sent: u64,
    delivered: u64,
    delays: Histogram,
}

impl Load {
    fn new(
        options: Options,
        senders: Vec<Link>,
        mut watchers: Vec<Link>,
        to: SocketAddr,
    ) -> io::Result<Self> {
        let poll = Poll::new()?;
        for (index, link) in watchers.iter_mut().enumerate() {
            poll.registry().register(&mut link.io, Token(index), Interest::READABLE)?;
        }
        let mut spec = VideoSpec::camera().with_payload(options.payload_bytes);
        if let Some(rate) = options.rate {
            spec = spec.at_rate(rate);
        }
        // Layers that nobody watches are not sent.
        spec.layers.drain(..spec.layers.len().saturating_sub(1));
        // Cameras are not in step.
        let (start, all) = (Instant::now(), senders.len() as f64);
        let phase = |index: usize| Duration::from_secs_f64(index as f64 / all / f64::from(spec.fps.max(1)));
        let source = |index| VideoSource::new(spec.clone().with_seed(index as u64 + 1), start + phase(index));
        let key =
            UnboundKey::new(&AES_256_GCM, &[7; 32]).map_err(|_| io::Error::other("the key is refused"))?;
        Ok(Self {
            length: options.length,
            senders: senders.into_iter().enumerate().map(|(index, link)| (link, source(index))).collect(),
            watchers,
            to,
            key: LessSafeKey::new(key),
            poll,
            inbox: Inbox::new(),
            batch: Batch::default(),
            sent: 0,
            delivered: 0,
            delays: Histogram::default(),
        })
    }

    fn run(mut self) -> io::Result<Outcome> {
        let mut events = Events::with_capacity(EVENTS);
        let mut packets = Vec::new();
        let end = Instant::now() + self.length;
        loop {
            let now = Instant::now();
            if now >= end + DRAIN {
                break;
            }
            let next = self.senders.iter().map(|(_, source)| source.next_at()).min();
            let next = next.filter(|_| now < end).unwrap_or(end + DRAIN);
            self.poll.poll(&mut events, Some(next.saturating_duration_since(now)))?;
            for event in &events {
                self.receive(event.token().0);
            }
            let now = Instant::now();
            for index in 0..self.senders.len() {
                if now < end && self.senders[index].1.frame(now, &mut packets) {
                    self.send(index, &mut packets)?;
                }
            }
        }
        Ok(Outcome {
            delivered_packets: self.delivered,
            expected_packets: self.sent * (self.watchers.len() / self.senders.len().max(1)) as u64,
            forward_ms: Percentiles::of(&self.delays),
        })
    }

    fn send(&mut self, index: usize, packets: &mut Vec<crate::source::MediaPacket>) -> io::Result<()> {
        let mut sender = Sender { link: &self.senders[index].0, batch: &mut self.batch };
        for packet in packets.drain(..) {
            self.sent += 1;
            let mut datagram = vec![0; HEADER_BYTES + packet.payload.len() + TAG_BYTES];
            datagram[..8].copy_from_slice(&self.sent.to_be_bytes());
            datagram[HEADER_BYTES..HEADER_BYTES + packet.payload.len()].copy_from_slice(&packet.payload);
            seal(&self.key, self.sent, &mut datagram)?;
            sender.push(self.to, &datagram);
        }
        sender.flush();
        Ok(())
    }

    fn receive(&mut self, watcher: usize) {
        let Some(link) = self.watchers.get(watcher) else { return };
        while link.receive(&mut self.inbox) {
            let now = nanoseconds(Instant::now());
            for (_, datagram) in self.inbox.datagrams() {
                let Some(stamp) = open(&self.key, datagram).and_then(|payload| Vp8::parse(payload)?.stamp)
                else {
                    continue;
                };
                self.delivered += 1;
                self.delays.add(Duration::from_nanos(now.saturating_sub(stamp.sent_ns)));
            }
        }
    }
}

fn open<'a>(key: &LessSafeKey, datagram: &'a mut [u8]) -> Option<&'a [u8]> {
    let (header, rest) = datagram.split_at_mut_checked(HEADER_BYTES)?;
    let number = u64::from_be_bytes(header[..8].try_into().ok()?);
    Some(key.open_in_place(nonce(number), Aad::from(header), rest).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_comes_to_every_watcher_and_is_timed() {
        for (senders, watchers) in [(1, 3), (3, 1)] {
            let length = Duration::from_millis(300);
            let outcome =
                run(Options { payload_bytes: 1_100, senders, watchers, rate: None, length }).unwrap();
            assert!(outcome.expected_packets >= 3 * 30, "{outcome:?}");
            assert!(outcome.delivered_packets <= outcome.expected_packets);
            assert!(outcome.delivered_packets * 10 >= outcome.expected_packets * 9, "{outcome:?}");
            assert!(outcome.forward_ms.p50 > 0.0 && outcome.forward_ms.p99 >= outcome.forward_ms.p50);
        }
    }
}
