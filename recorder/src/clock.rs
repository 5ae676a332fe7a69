//! From RTP timestamps to the server's time.
//!
//! A sender report (RFC 3550, section 6.4.1) ties a timestamp of a stream to the
//! sender's own clock, which may be hours wrong, but is the same for all of a
//! sender's streams. So streams are placed by the sender's clock, and that clock
//! by the least delay seen between it and the server's.

/// Microseconds since 1970 by the server's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WallTime(pub u64);

/// Microseconds by a sender's clock, from whatever it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SenderTime(pub u64);

/// What a sender said of one of its streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SenderReport {
    pub sender: SenderTime,
    /// Timestamp of the stream at that moment.
    pub rtp: u32,
    /// When the report reached the server.
    pub arrived: WallTime,
}

/// Ties kept of a stream; one report in five seconds fills this in an hour and a
/// half, then every second one is given up.
const MAX_TIES: usize = 1024;
const MICROS: i128 = 1_000_000;

/// The clock of one sender against the server's.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SenderClock {
    /// Server minus sender, for the report that travelled least.
    offset: Option<i128>,
}

impl SenderClock {
    pub(crate) fn observe(&mut self, report: &SenderReport) {
        let offset = i128::from(report.arrived.0) - i128::from(report.sender.0);
        self.offset = Some(self.offset.map_or(offset, |least| least.min(offset)));
    }
}

/// One moment on both clocks.
#[derive(Clone, Copy, Debug)]
struct Tie {
    /// Extended timestamp.
    rtp: i64,
    sender: i128,
}

/// The clock of one stream.
#[derive(Clone, Debug)]
pub(crate) struct StreamClock {
    clock_rate: u32,
    /// Newest extended timestamp.
    newest: i64,
    first: i64,
    arrived: WallTime,
    ties: Vec<Tie>,
}

impl StreamClock {
    /// Begins with a packet. A `clock_rate` of 0 counts as 1.
    pub(crate) fn new(clock_rate: u32, rtp: u32, arrived: WallTime) -> Self {
        let first = i64::from(rtp);
        Self { clock_rate: clock_rate.max(1), newest: first, first, arrived, ties: Vec::new() }
    }

    /// The extended timestamp nearest to the newest one.
    pub(crate) fn extend(&self, rtp: u32) -> i64 {
        let step = rtp.wrapping_sub(self.newest as u32) as i32;
        self.newest + i64::from(step)
    }

    pub(crate) fn advance(&mut self, rtp: u32) {
        self.newest = self.newest.max(self.extend(rtp));
    }

    pub(crate) fn newest(&self) -> i64 {
        self.newest
    }

    /// Reports that go back by the stream or by the sender's clock are ignored.
    pub(crate) fn tie(&mut self, report: &SenderReport) {
        let tie = Tie { rtp: self.extend(report.rtp), sender: i128::from(report.sender.0) };
        if self.ties.last().is_some_and(|last| tie.rtp <= last.rtp || tie.sender <= last.sender) {
            return;
        }
        if self.ties.len() == MAX_TIES {
            let mut keep = false;
            self.ties.retain(|_| {
                keep = !keep;
                keep
            });
        }
        self.ties.push(tie);
    }

    /// The server's time at an extended timestamp: by the last report before it
    /// (or the first there is), else by the arrival of the first packet.
    pub(crate) fn wall(&self, rtp: i64, sender: &SenderClock) -> WallTime {
        let at = self.ties.partition_point(|tie| tie.rtp <= rtp);
        let micros = match (self.ties.get(at.saturating_sub(1)), sender.offset) {
            (Some(tie), Some(offset)) => tie.sender + offset + self.micros(rtp - tie.rtp),
            _ => i128::from(self.arrived.0) + self.micros(rtp - self.first),
        };
        WallTime(u64::try_from(micros.max(0)).unwrap_or(u64::MAX))
    }

    fn micros(&self, ticks: i64) -> i128 {
        i128::from(ticks) * MICROS / i128::from(self.clock_rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(sender: u64, rtp: u32, arrived: u64) -> SenderReport {
        SenderReport { sender: SenderTime(sender), rtp, arrived: WallTime(arrived) }
    }

    #[test]
    fn without_reports_the_first_arrival_counts() {
        let mut clock = StreamClock::new(90_000, u32::MAX, WallTime(5_000_000));
        clock.advance(89_999);
        assert_eq!(clock.wall(clock.newest(), &SenderClock::default()), WallTime(6_000_000));
    }

    #[test]
    fn streams_of_one_sender_agree_whatever_their_delay() {
        let mut sender = SenderClock::default();
        let mut sound = StreamClock::new(48_000, 1000, WallTime(10_000_000));
        let mut picture = StreamClock::new(90_000, 7, WallTime(10_400_000));
        for (stream, report) in
            [(&mut sound, report(50_000, 1000, 10_030_000)), (&mut picture, report(50_000, 7, 10_300_000))]
        {
            sender.observe(&report);
            stream.tie(&report);
        }
        assert_eq!(sound.wall(1000, &sender), WallTime(10_030_000));
        assert_eq!(picture.wall(7, &sender), WallTime(10_030_000), "by the least delay of both");
        assert_eq!(picture.wall(90_007, &sender), WallTime(11_030_000));
    }

    #[test]
    fn a_drifting_stream_is_placed_by_the_nearest_report_before() {
        let mut sender = SenderClock::default();
        let mut stream = StreamClock::new(1000, 0, WallTime(0));
        for (at, rtp) in [(0, 0), (10_000_000, 10_100), (20_000_000, 20_200)] {
            let report = report(at, rtp, at);
            sender.observe(&report);
            stream.tie(&report);
        }
        assert_eq!(stream.wall(10_100, &sender), WallTime(10_000_000));
        assert_eq!(stream.wall(20_300, &sender), WallTime(20_100_000));
        stream.tie(&report(5, 30_000, 5));
        assert_eq!(stream.wall(30_200, &sender), WallTime(30_000_000), "a clock set back is ignored");
    }

    #[test]
    fn ties_are_bounded() {
        let mut stream = StreamClock::new(90_000, 0, WallTime(0));
        for second in 1..5000u64 {
            stream.advance((second * 90_000) as u32);
            stream.tie(&report(second * 1_000_000, (second * 90_000) as u32, second * 1_000_000));
        }
        assert!(stream.ties.len() <= MAX_TIES);
        let sender = SenderClock { offset: Some(0) };
        assert_eq!(stream.wall(4000 * 90_000, &sender), WallTime(4_000_000_000));
    }
}
