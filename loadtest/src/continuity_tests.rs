//! Streams made by the synthetic camera, with faults planted.

use std::time::{Duration, Instant};

use super::*;
use crate::source::{MediaPacket, VideoSource, VideoSpec};

/// Some seconds of one layer.
fn stream(layer: usize, seconds: u64) -> Vec<MediaPacket> {
    let start = Instant::now();
    let mut source = VideoSource::new(VideoSpec::camera(), start);
    let mut packets = Vec::new();
    while source.next_at() < start + Duration::from_secs(seconds) {
        let at = source.next_at();
        source.frame(at, &mut packets);
    }
    packets.retain(|packet| packet.layer == layer);
    packets
}

/// Feeds packets at the pace of their timestamps.
fn feed(packets: &[MediaPacket]) -> (Continuity, Vec<Frame>) {
    let mut continuity = Continuity::new(90_000);
    let start = Instant::now();
    let mut frames = Vec::new();
    for packet in packets {
        let ticks = packet.timestamp.wrapping_sub(packets[0].timestamp);
        let header = Header {
            sequence: low(packet.sequence),
            timestamp: packet.timestamp,
            marker: packet.marker,
            at: start + Duration::from_secs_f64(f64::from(ticks % 900_000) / 90_000.0),
        };
        if let Arrival::New(number) = continuity.header(&header) {
            let vp8 = Vp8::parse(&packet.payload).unwrap();
            continuity.video(number, &header, &vp8, |frame| frames.push(frame));
        }
    }
    (continuity, frames)
}

#[test]
fn a_whole_stream_has_no_fault() {
    let packets = stream(2, 10);
    let (continuity, frames) = feed(&packets);
    assert_eq!(*continuity.faults(), Faults::default());
    assert_eq!((continuity.lost(), continuity.delivered()), (0, packets.len() as u64));
    assert!(frames.len() >= 299 && frames.iter().all(|frame| frame.decodable));
}

#[test]
fn reordered_and_repeated_packets_are_no_fault() {
    let mut packets = stream(2, 5);
    for index in (20..packets.len() - 2).step_by(7) {
        packets.swap(index, index + 2);
    }
    packets.insert(50, packets[40].clone());
    let (continuity, frames) = feed(&packets);
    assert_eq!(*continuity.faults(), Faults::default());
    assert_eq!((continuity.lost(), continuity.duplicates()), (0, 1));
    assert!(frames.iter().all(|frame| frame.decodable));
}

#[test]
fn lost_packets_are_counted_and_break_what_refers_to_them() {
    let mut packets = stream(2, 10);
    let base = packets.iter().position(|packet| {
        let vp8 = Vp8::parse(&packet.payload).unwrap();
        packet.sequence > packets[200].sequence && vp8.temporal == Some(0)
    });
    packets.remove(base.unwrap());
    let (continuity, frames) = feed(&packets);
    assert_eq!(continuity.lost(), 1);
    assert_eq!(continuity.faults().incomplete_frames, 1);
    assert!(continuity.faults().undecodable_frames > 100);
    assert!(!frames.last().unwrap().decodable);
    assert_eq!(continuity.faults().of_the_server(), 0);
}

#[test]
fn a_lost_frame_of_the_highest_temporal_layer_breaks_nothing_else() {
    let mut packets = stream(2, 10);
    let stamp = |packet: &MediaPacket| Vp8::parse(&packet.payload).unwrap().stamp.unwrap();
    let frame =
        packets.iter().map(stamp).find(|stamp| stamp.temporal == 2 && stamp.frame > 50).unwrap().frame;
    packets.retain(|packet| stamp(packet).frame != frame);
    let (continuity, frames) = feed(&packets);
    assert!(continuity.lost() > 0);
    assert_eq!(continuity.faults().undecodable_frames, 0);
    assert!(frames.iter().all(|frame| frame.decodable));
}

#[test]
fn planted_jumps_are_found() {
    let packets = stream(2, 4);
    let clean = |change: &dyn Fn(&mut MediaPacket)| {
        let mut packets = packets.clone();
        packets[300..].iter_mut().for_each(change);
        *feed(&packets).0.faults()
    };
    assert_eq!(clean(&|packet| packet.sequence += 25_000).sequence_jumps, 1);
    let jumped = clean(&|packet| packet.timestamp = packet.timestamp.wrapping_add(900_000 * 3));
    assert!(jumped.timestamp_jumps >= 1, "{jumped:?}");
    // Bytes 2 and 3 are the picture id, byte 4 is TL0PICIDX.
    assert!(clean(&|packet| packet.payload[3] ^= 0x40).picture_jumps >= 1);
    assert!(clean(&|packet| packet.payload[4] = packet.payload[4].wrapping_add(9)).tl0_jumps >= 1);
}

#[test]
fn a_layer_that_begins_without_a_keyframe_is_found() {
    let (mut low_layer, high_layer) = (stream(1, 2), stream(2, 4));
    let splice = |from: usize| {
        let mut packets = low_layer.clone();
        let (last, first) = (packets.last().unwrap().clone(), &high_layer[from]);
        let (sequences, ticks) = (last.sequence + 1 - first.sequence, last.timestamp.wrapping_add(3_000));
        let ticks = ticks.wrapping_sub(first.timestamp);
        packets.extend(high_layer[from..].iter().cloned().map(|mut packet| {
            packet.sequence += sequences;
            packet.timestamp = packet.timestamp.wrapping_add(ticks);
            packet
        }));
        feed(&packets).0.faults().switches_without_keyframe
    };
    assert_eq!(splice(0), 0, "the other layer's first frame is a keyframe");
    let middle =
        high_layer.iter().position(|packet| packet.sequence > high_layer[200].sequence && packet.marker);
    assert_eq!(splice(middle.unwrap() + 1), 1);
    low_layer.clear();
}
