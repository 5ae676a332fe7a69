//! What forwarding costs at the least: AES-256-GCM seal and a batched send, nothing else.
//!
//! One thread seals each packet of a burst for one receiver and hands the burst to the kernel, receiver after
//! receiver, as a server does with a frame. Another thread reads what comes, so that the kernel does all of its work;
//! only the sending thread's CPU time counts.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    time::{Duration, Instant},
};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use serde::Serialize;

use crate::{
    procfs::thread_cpu_seconds,
    udp::{Batch, Inbox, Link, Sender},
};

/// RTP header with the extensions of mid and transport sequence.
pub(crate) const HEADER_BYTES: usize = 24;
pub(crate) const TAG_BYTES: usize = 16;

/// What the loop is to do.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    pub payload_bytes: usize,
    /// Packets for a receiver in one go.
    pub burst: usize,
    pub receivers: usize,
    /// Several packets in one system call (GSO).
    pub batched: bool,
    pub length: Duration,
}

#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Outcome {
    pub packets: u64,
    pub cpu_seconds: f64,
    pub packets_per_core_second: f64,
}

/// Runs the loop on two new threads.
pub fn run(options: Options) -> io::Result<Outcome> {
    let loopback = IpAddr::from([127, 0, 0, 1]);
    let (link, _) = Link::bind(loopback)?;
    let receivers: Vec<(Link, u16)> =
        (0..options.receivers.max(1)).map(|_| Link::bind(loopback)).collect::<io::Result<_>>()?;
    let addresses: Vec<SocketAddr> =
        receivers.iter().map(|(_, port)| SocketAddr::new(loopback, *port)).collect();
    // One round is out at a time: what was sent is read before more is.
    let (sent, rounds) = sync_channel::<()>(0);
    let (done, emptied) = sync_channel::<()>(0);
    let reader = std::thread::Builder::new()
        .name("bare-read".to_owned())
        .spawn(move || read(&receivers, &rounds, &done))?;
    let writer = std::thread::Builder::new()
        .name("bare-send".to_owned())
        .spawn(move || send(options, &link, &addresses, &sent, &emptied))?;
    let outcome = writer.join().map_err(|_| io::Error::other("the sending thread has panicked"))?;
    reader.join().map_err(|_| io::Error::other("the reading thread has panicked"))?;
    outcome
}

fn send(
    options: Options,
    link: &Link,
    addresses: &[SocketAddr],
    sent: &SyncSender<()>,
    emptied: &Receiver<()>,
) -> io::Result<Outcome> {
    let key = UnboundKey::new(&AES_256_GCM, &[7; 32]).map_err(|_| io::Error::other("the key is refused"))?;
    let key = LessSafeKey::new(key);
    let plain = vec![0x5a; HEADER_BYTES + options.payload_bytes];
    let mut packet = vec![0; plain.len() + TAG_BYTES];
    let mut batch = Batch::default();
    let mut number = 0u64;
    let (before, started) = (thread_cpu_seconds(), Instant::now());
    while started.elapsed() < options.length {
        for address in addresses {
            let mut sender = Sender { link, batch: &mut batch };
            for _ in 0..options.burst.max(1) {
                number += 1;
                packet[..plain.len()].copy_from_slice(&plain);
                seal(&key, number, &mut packet)?;
                sender.push(*address, &packet);
                if !options.batched {
                    sender.flush();
                }
            }
            sender.flush();
        }
        if sent.send(()).is_err() || emptied.recv().is_err() {
            break;
        }
    }
    let cpu_seconds = thread_cpu_seconds() - before;
    let packets_per_core_second = if cpu_seconds > 0.0 { number as f64 / cpu_seconds } else { 0.0 };
    Ok(Outcome { packets: number, cpu_seconds, packets_per_core_second })
}

/// Seals in place: header as associated data, payload encrypted, tag behind.
pub(crate) fn seal(key: &LessSafeKey, number: u64, packet: &mut [u8]) -> io::Result<()> {
    let (header, rest) = packet.split_at_mut(HEADER_BYTES);
    let (payload, tag) = rest.split_at_mut(rest.len() - TAG_BYTES);
    let made = key.seal_in_place_separate_tag(nonce(number), Aad::from(header), payload);
    tag.copy_from_slice(made.map_err(|_| io::Error::other("sealing failed"))?.as_ref());
    Ok(())
}

/// Of the packet of that number.
pub(crate) fn nonce(number: u64) -> Nonce {
    let mut nonce = [0; NONCE_LEN];
    nonce[4..].copy_from_slice(&number.to_be_bytes());
    Nonce::assume_unique_for_key(nonce)
}

fn read(receivers: &[(Link, u16)], rounds: &Receiver<()>, done: &SyncSender<()>) {
    let mut inbox = Inbox::new();
    while rounds.recv().is_ok() {
        for (link, _) in receivers {
            while link.receive(&mut inbox) {}
        }
        if done.send(()).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seals_and_sends_in_both_ways() {
        for batched in [true, false] {
            let options = Options {
                payload_bytes: 1_100,
                burst: 4,
                receivers: 3,
                batched,
                length: Duration::from_millis(30),
            };
            let outcome = run(options).unwrap();
            assert!(outcome.packets >= 12 && outcome.packets.is_multiple_of(12), "{outcome:?}");
        }
    }
}
