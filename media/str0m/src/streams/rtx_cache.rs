use std::mem;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use crate::io::DATAGRAM_MAX_PACKET_SIZE;
use crate::rtp_::ExtensionValues;
use crate::rtp_::Frequency;
use crate::rtp_::MediaTime;
use crate::rtp_::Pt;
use crate::rtp_::RtpHeader;
use crate::rtp_::SeqNo;
use crate::rtp_::Ssrc;

use super::RtpPacket;
use super::Vp8Patch;
use super::rtx_cache_buf::EvictingBuffer;

const RTX_CACHE_SIZE_QUANTIZER: usize = 25;
const RTX_CACHE_QUANTIZE_SLOTS: usize = DATAGRAM_MAX_PACKET_SIZE / RTX_CACHE_SIZE_QUANTIZER;

/// A packet as it is kept: what is the same for all packets of a stream, or is set anew
/// when it is sent again, is left out. A stream keeps hundreds of them, and each is written when
/// nothing of its place is in the processor's cache: with its position and time it has 64 bytes.
#[derive(Debug)]
struct CachedPacket {
    payload: Arc<[u8]>,
    /// Most packets have none of this.
    extra: Option<Box<Extra>>,
    rtp_timestamp: u32,
    vp8_patch: Option<Vp8Patch>,
    payload_type: Pt,
    marker: bool,
}

#[derive(Debug)]
struct Extra {
    csrc_count: usize,
    csrc: [u32; 15],
    ext_vals: ExtensionValues,
}

impl Extra {
    /// Takes the values, if there are any that are not set anew when the packet is sent again.
    fn take(sent: &mut Sent<'_>) -> Option<Box<Self>> {
        let ext_vals = &mut *sent.ext_vals;
        ext_vals.mid = None;
        ext_vals.rid = None;
        ext_vals.rid_repair = None;
        ext_vals.abs_send_time = None;
        ext_vals.transport_cc = None;
        if sent.csrc_count == 0 && *ext_vals == ExtensionValues::default() {
            return None;
        }
        Some(Box::new(Self {
            csrc_count: sent.csrc_count,
            csrc: *sent.csrc,
            ext_vals: mem::take(ext_vals),
        }))
    }
}

/// A packet that was sent, to be kept.
pub(crate) struct Sent<'a> {
    pub seq_no: SeqNo,
    pub ssrc: Ssrc,
    pub clock_rate: Frequency,
    pub rtp_timestamp: u32,
    pub payload_type: Pt,
    pub marker: bool,
    pub payload: Arc<[u8]>,
    pub vp8_patch: Option<Vp8Patch>,
    pub csrc_count: usize,
    pub csrc: &'a [u32; 15],
    /// Are taken out.
    pub ext_vals: &'a mut ExtensionValues,
}

/// What is the same for all packets that are kept.
#[derive(Debug, Clone, Copy)]
struct Common {
    ssrc: Ssrc,
    clock_rate: Frequency,
}

impl CachedPacket {
    fn restore(&self, seq_no: SeqNo, timestamp: Instant, common: Common) -> RtpPacket {
        let mut header = RtpHeader {
            payload_type: self.payload_type,
            sequence_number: *seq_no as u16,
            timestamp: self.rtp_timestamp,
            ssrc: common.ssrc,
            marker: self.marker,
            ..Default::default()
        };
        if let Some(extra) = &self.extra {
            header.csrc_count = extra.csrc_count;
            header.csrc = extra.csrc;
            header.ext_vals = extra.ext_vals.clone();
        }
        RtpPacket {
            seq_no,
            time: MediaTime::new(self.rtp_timestamp.into(), common.clock_rate),
            header,
            payload: self.payload.clone(),
            vp8_patch: self.vp8_patch,
            timestamp,
            last_sender_info: None,
            nackable: true,
        }
    }
}

#[derive(Debug)]
pub(crate) struct RtxCache {
    // Data, new additions here probably need to be cleared in [`clear`].
    packet_by_seq_no: EvictingBuffer<CachedPacket>,

    // Set with each packet.
    common: Option<Common>,

    // The packet that was asked for last, put together again.
    restored: Option<Box<RtpPacket>>,

    // Technically we want [Option<SeqNo>; X] to indicate the absence of
    // a SeqNo. However We can half the storage space by using the sentinel
    // values SeqNo::MAX to indicate None. Made with the first packet.
    seq_no_by_quantized_size: Vec<SeqNo>,
}

impl RtxCache {
    pub fn new(max_packet_count: usize, max_packet_age: Duration) -> Self {
        Self {
            packet_by_seq_no: EvictingBuffer::new(10, max_packet_age, max_packet_count),
            common: None,
            restored: None,
            seq_no_by_quantized_size: Vec::new(),
        }
    }

    pub fn cache_sent_packet(&mut self, packet: RtpPacket, now: Instant) {
        assert!(packet.nackable);
        let mut header = packet.header;
        let sent = Sent {
            seq_no: packet.seq_no,
            ssrc: header.ssrc,
            clock_rate: packet.time.frequency(),
            rtp_timestamp: header.timestamp,
            payload_type: header.payload_type,
            marker: header.marker,
            payload: packet.payload,
            vp8_patch: packet.vp8_patch,
            csrc_count: header.csrc_count,
            csrc: &header.csrc,
            ext_vals: &mut header.ext_vals,
        };
        self.cache(sent, now);
    }

    pub fn cache(&mut self, mut sent: Sent<'_>, now: Instant) {
        let quantized_size = sent.payload.len() / RTX_CACHE_SIZE_QUANTIZER;
        self.common = Some(Common {
            ssrc: sent.ssrc,
            clock_rate: sent.clock_rate,
        });
        let packet = CachedPacket {
            extra: Extra::take(&mut sent),
            payload: sent.payload,
            rtp_timestamp: sent.rtp_timestamp,
            vp8_patch: sent.vp8_patch,
            payload_type: sent.payload_type,
            marker: sent.marker,
        };
        self.packet_by_seq_no.push(*sent.seq_no, now, packet);
        if self.seq_no_by_quantized_size.is_empty() {
            self.seq_no_by_quantized_size = vec![SeqNo::MAX; RTX_CACHE_QUANTIZE_SLOTS];
        }
        self.seq_no_by_quantized_size[quantized_size] = sent.seq_no;
        self.remove_old_packets(now);
    }

    pub fn last_cached_seq_no(&self) -> Option<SeqNo> {
        Some(self.packet_by_seq_no.last_position()?.into())
    }

    pub fn get_cached_packet_by_seq_no(&mut self, seq_no: SeqNo) -> Option<&mut RtpPacket> {
        let (cached, sent_at) = self.packet_by_seq_no.get_with_time(*seq_no)?;
        let restored = cached.restore(seq_no, sent_at, self.common?);
        Some(match &mut self.restored {
            Some(place) => {
                **place = restored;
                place
            }
            empty => empty.insert(Box::new(restored)),
        })
    }

    /// Length of the payload of a packet, if it is cached.
    pub fn payload_len(&self, seq_no: SeqNo) -> Option<usize> {
        Some(self.packet_by_seq_no.get(*seq_no)?.payload.len())
    }

    pub fn get_cached_packet_smaller_than(&mut self, max_size: usize) -> Option<&mut RtpPacket> {
        let quantized_size = max_size / RTX_CACHE_SIZE_QUANTIZER;

        let seq_no = self
            .seq_no_by_quantized_size
            .get(..quantized_size)?
            .iter()
            .rev()
            .filter(|seq_no| !seq_no.is_max())
            .find(|seq_no| self.packet_by_seq_no.contains(***seq_no))?;

        self.get_cached_packet_by_seq_no(*seq_no)
    }

    fn remove_old_packets(&mut self, now: Instant) {
        self.packet_by_seq_no.maybe_evict(now);
    }

    pub(crate) fn last_packet(&self) -> Option<&[u8]> {
        let packet = self.packet_by_seq_no.last()?;
        Some(packet.payload.as_ref())
    }

    pub(crate) fn clear(&mut self) {
        self.packet_by_seq_no.clear();
        self.common = None;
        self.restored = None;
        self.seq_no_by_quantized_size = Vec::new();
    }
}

#[cfg(test)]
mod test {
    use crate::rtp_::MediaTime;
    use crate::rtp_::RtpHeader;

    use super::*;

    fn after(now: Instant, millis: u64) -> Instant {
        now + Duration::from_millis(millis)
    }

    fn packet(now: Instant, seq_no: u64, millis: u64) -> RtpPacket {
        RtpPacket {
            header: RtpHeader {
                sequence_number: seq_no as u16,
                ..Default::default()
            },
            seq_no: seq_no.into(),
            time: MediaTime::from_90khz(0),
            payload: millis.to_be_bytes().into(),
            vp8_patch: None,
            timestamp: after(now, millis),
            last_sender_info: None,
            nackable: true,
        }
    }

    #[test]
    fn a_packet_comes_back_with_what_concerns_the_picture() {
        let now = Instant::now();
        let mut sent = packet(now, 70_000, 10);
        sent.timestamp = now;
        sent.time = MediaTime::from_90khz(90_000);
        sent.header.marker = true;
        sent.header.payload_type = 96.into();
        sent.header.timestamp = 90_000;
        sent.header.ssrc = 7.into();
        sent.header.sequence_number = 4_464;
        sent.header.csrc_count = 1;
        sent.header.csrc[0] = 9;
        sent.header.ext_vals.video_content_type = Some(1);
        sent.header.ext_vals.audio_level = Some(-3);
        let mut wanted = packet(now, 70_000, 10);
        wanted.timestamp = sent.timestamp;
        wanted.time = sent.time;
        wanted.header = sent.header.clone();
        sent.header.ext_vals.abs_send_time = Some(now);
        sent.header.ext_vals.transport_cc = Some(3);
        sent.header.ext_vals.mid = Some("v".into());

        let mut rtx_cache = RtxCache::new(10, Duration::from_secs(3));
        assert_eq!(rtx_cache.payload_len(70_000.into()), None);
        rtx_cache.cache_sent_packet(sent, now);
        assert_eq!(rtx_cache.payload_len(70_000.into()), Some(8));
        assert_eq!(
            Some(&mut wanted),
            rtx_cache.get_cached_packet_by_seq_no(70_000.into())
        );
        rtx_cache.clear();
        assert_eq!(None, rtx_cache.get_cached_packet_by_seq_no(70_000.into()));
    }

    #[test]
    fn rtx_cache_0_sized() {
        let now = Instant::now();
        let mut rtx_cache = RtxCache::new(0, Duration::from_secs(3));
        rtx_cache.cache_sent_packet(packet(now, 1, 10), after(now, 10));
        assert_eq!(
            Some(&mut packet(now, 1, 10)),
            rtx_cache.get_cached_packet_by_seq_no(1.into())
        );
        assert_eq!(
            Some(&mut packet(now, 1, 10)),
            rtx_cache.get_cached_packet_smaller_than(1000)
        );
    }

    #[test]
    fn rtx_cache_0_duration() {
        let now = Instant::now();
        let mut rtx_cache = RtxCache::new(10, Duration::from_secs(0));
        rtx_cache.cache_sent_packet(packet(now, 1, 10), after(now, 10));
        assert_eq!(None, rtx_cache.get_cached_packet_by_seq_no(1.into()));
        assert_eq!(None, rtx_cache.get_cached_packet_smaller_than(1000));
    }

    #[test]
    fn rtx_cache_1_sized() {
        let now = Instant::now();
        let mut rtx_cache = RtxCache::new(1, Duration::from_secs(3));
        rtx_cache.cache_sent_packet(packet(now, 1, 10), after(now, 10));
        assert_eq!(
            Some(&mut packet(now, 1, 10)),
            rtx_cache.get_cached_packet_by_seq_no(1.into())
        );
        assert_eq!(
            Some(&mut packet(now, 1, 10)),
            rtx_cache.get_cached_packet_smaller_than(1000)
        );
        assert_eq!(
            Some(&mut packet(now, 1, 10)),
            rtx_cache.get_cached_packet_smaller_than(25)
        );
        assert_eq!(None, rtx_cache.get_cached_packet_smaller_than(24));
        rtx_cache.cache_sent_packet(packet(now, 2, 20), after(now, 20));
        assert_eq!(
            Some(&mut packet(now, 2, 20)),
            rtx_cache.get_cached_packet_by_seq_no(2.into())
        );
    }

    #[test]
    fn rtx_cache_100_sized_backwards() {
        let now = Instant::now();
        let mut rtx_cache = RtxCache::new(100, Duration::from_secs(3));

        for i in 1..=200 {
            let seq_no = 201 - i;
            let pkt = packet(now, seq_no, (201 - i) * 10);
            let now = after(now, i * 10);
            rtx_cache.cache_sent_packet(pkt, now);
        }

        let mut first = packet(now, 200, 2000);
        first.timestamp = after(now, 10);
        assert_eq!(
            Some(&mut first),
            rtx_cache.get_cached_packet_by_seq_no(200.into())
        );
        assert_eq!(None, rtx_cache.get_cached_packet_by_seq_no(100.into()));
        assert_eq!(None, rtx_cache.get_cached_packet_by_seq_no(101.into()));
    }

    #[test]
    fn rtx_cache_eviction() {
        let now = Instant::now();
        // Cache can take all entries
        let mut rtx_cache = RtxCache::new(400, Duration::from_secs(1));
        for i in 1..=200 {
            let seq_no = i;
            let pkt = packet(now, seq_no, i * 10);
            let now = after(now, i * 10);
            rtx_cache.cache_sent_packet(pkt, now);
        }

        assert_eq!(None, rtx_cache.get_cached_packet_by_seq_no(99.into()));

        assert_eq!(
            Some(&mut packet(now, 100, 1000)),
            rtx_cache.get_cached_packet_by_seq_no(100.into())
        );
        assert_eq!(
            Some(&mut packet(now, 200, 2000)),
            rtx_cache.get_cached_packet_by_seq_no(200.into())
        );
    }
}
