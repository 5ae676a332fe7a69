use super::*;

/// How often feedback comes.
const REPORT: Duration = Duration::from_millis(100);
/// One way, without a queue.
const DELAY: Duration = Duration::from_millis(30);
const PACKET: u64 = 1_000;
/// The receiver's clock is another one.
const SKEW: Duration = Duration::from_secs(77);

/// A sender that always sends what the estimate allows, up to `media_bps`, over a link of a certain rate.
struct Path {
    bandwidth: Bandwidth<u32>,
    start: Instant,
    now: Instant,
    /// When the bottleneck is free.
    free_at: Instant,
    sent_until: Instant,
    rate_bps: u64,
    queue: Duration,
    media_bps: u64,
    probes: u32,
    probe: Option<(u32, u64, Instant)>,
    waiting: Vec<Packet<u32>>,
    /// Additional delay and loss by packet number.
    delay: fn(u64) -> Duration,
    lost: fn(u64) -> bool,
    number: u64,
    up: bool,
    /// Of the receiver's clock.
    skew: Duration,
    /// With a lower estimate nothing is sent: there is no sound, and pictures are paused.
    least_bps: u64,
    verdict: Verdict,
}

impl Path {
    fn new(rate_bps: u64, media_bps: u64) -> Self {
        let start = Instant::now();
        let mut bandwidth = Bandwidth::default();
        bandwidth.desire(media_bps);
        Self {
            verdict: bandwidth.verdict(),
            bandwidth,
            start,
            now: start,
            free_at: start,
            sent_until: start,
            rate_bps,
            queue: Duration::from_millis(300),
            media_bps,
            probes: 0,
            probe: None,
            waiting: Vec::new(),
            delay: |_| Duration::ZERO,
            lost: |_| false,
            number: 0,
            up: true,
            skew: SKEW,
            least_bps: 0,
        }
    }

    fn send(&mut self, at: Instant, probe: Option<u32>) {
        self.number += 1;
        let begins = self.free_at.max(at);
        let dropped = begins.saturating_duration_since(at) > self.queue || !self.up;
        let lost = dropped || (self.lost)(self.number);
        if !dropped {
            self.free_at = begins + Duration::from_secs_f64(PACKET as f64 * 8.0 / self.rate_bps as f64);
        }
        let received = (!lost).then(|| self.free_at + DELAY + (self.delay)(self.number) + self.skew);
        self.waiting.push(Packet { sent: at, received, bytes: PACKET, probe });
    }

    /// Sends for the time of one report, and reports what has come by then.
    fn step(&mut self) {
        let end = self.now + REPORT;
        while self.sent_until < end {
            let at = self.sent_until;
            let probe = self.probe.filter(|(.., until)| at < *until);
            if probe.is_none() && self.verdict.estimate_bps < self.least_bps {
                self.sent_until += Duration::from_millis(5);
                continue;
            }
            // Something always goes, as sound does.
            let media = self.verdict.estimate_bps.min(self.media_bps).max(100_000);
            let rate = probe.map_or(media, |(_, rate, _)| rate.max(media));
            self.send(at, probe.map(|(id, ..)| id));
            self.sent_until += Duration::from_secs_f64(PACKET as f64 * 8.0 / rate as f64);
        }
        self.now = end;
        let newest = self.waiting.iter().rposition(|packet| {
            packet.received.is_some_and(|received| received <= self.now + self.skew - DELAY)
        });
        if let (Some(newest), true) = (newest, self.up) {
            let report: Vec<_> = self.waiting.drain(..=newest).collect();
            self.bandwidth.feedback(&report, self.now);
        }
        let first = self.waiting.first().map(|packet| packet.sent);
        let unreported = first.zip(self.waiting.last().map(|packet| packet.sent));
        self.verdict = self.bandwidth.tick(unreported, self.now);
        if let Some((rate, length)) = self.bandwidth.probe(self.now) {
            self.probes += 1;
            self.bandwidth.probe_sent(self.probes, self.now);
            // Few packets are none: four at least, as str0m sends them.
            let four = Duration::from_secs_f64(4.5 * PACKET as f64 * 8.0 / rate as f64);
            self.probe = Some((self.probes, rate, self.now + length.max(four)));
        }
    }

    /// The estimates of so many seconds, in kbit/s.
    fn run(&mut self, seconds: u64) -> Vec<u64> {
        let end = self.now + Duration::from_secs(seconds);
        let mut estimates = Vec::new();
        while self.now < end {
            self.step();
            estimates.push(self.verdict.estimate_bps / 1_000);
        }
        estimates
    }

    fn last(&mut self, seconds: u64) -> u64 {
        self.run(seconds).pop().unwrap_or_default()
    }
}

#[test]
fn rises_by_probes_to_what_is_wanted() {
    let mut path = Path::new(20_000_000, 6_000_000);
    let last = path.last(3);
    assert!((7_000..=7_300).contains(&last), "what is wanted and a fifth: {last}");
    let probes = path.probes;
    path.run(10);
    assert_eq!(path.probes, probes, "nothing is missing");
}

#[test]
fn finds_the_rate_of_a_link_and_stays_below() {
    for rate in [300_000, 1_000_000, 4_000_000] {
        let mut path = Path::new(rate, 9_000_000);
        path.run(5);
        let estimates = path.run(30);
        let (least, most) = (estimates.iter().min().unwrap(), estimates.iter().max().unwrap());
        assert!(*least >= rate / 1_000 * 55 / 100, "{rate}: {least}");
        assert!(*most <= rate / 1_000, "{rate}: {most}");
    }
}

#[test]
fn a_fall_of_the_rate_is_seen_within_half_a_second_of_feedback() {
    let mut path = Path::new(2_500_000, 1_900_000);
    path.run(10);
    path.rate_bps = 150_000;
    let estimates = path.run(1);
    let low = estimates.iter().position(|estimate| *estimate <= 150).unwrap();
    assert!(low <= 5, "{estimates:?}");
    assert!(path.verdict.congested);
    let last = path.last(3);
    // The rate is told within a packet of 8 kbit in half a second.
    assert!((90..=150 + 8).contains(&last), "{last}");
    path.rate_bps = 1_000_000;
    let estimates = path.run(4);
    assert!(estimates.iter().any(|estimate| *estimate > 800), "{estimates:?}");
}

#[test]
fn jitter_is_no_queue() {
    // Stalls of up to 300 ms; what is held up comes at once, in order.
    let stalls = |number: u64| {
        let (place, length) = (number % 97, number / 97 * 7 % 8);
        Duration::from_millis((length * 40).saturating_sub(place * 4))
    };
    let mut path = Path::new(8_000_000, 1_900_000);
    path.delay = stalls;
    path.run(5);
    let least = path.run(60).into_iter().min().unwrap();
    assert!(least >= 1_900, "{least}");
}

#[test]
fn loss_that_is_always_there_is_no_congestion() {
    let mut path = Path::new(8_000_000, 1_900_000);
    path.lost = |number| number % 15 < 3;
    path.run(3);
    let least = path.run(30).into_iter().min().unwrap();
    assert!(least >= 1_900, "{least}");
}

#[test]
fn a_link_that_drops_without_a_queue_is_found_by_its_loss() {
    let mut path = Path::new(8_000_000, 3_000_000);
    path.run(10);
    path.queue = Duration::ZERO;
    path.rate_bps = 1_000_000;
    let last = path.last(3);
    assert!(last < 1_300, "{last}");
}

#[test]
fn an_outage_stops_pictures_and_leaves_the_estimate() {
    let mut path = Path::new(4_000_000, 1_900_000);
    path.run(10);
    let before = path.verdict;
    path.up = false;
    let estimates = path.run(3);
    let stopped = estimates.iter().position(|estimate| *estimate == 0).unwrap();
    assert!((7..=9).contains(&stopped), "{estimates:?}");
    assert!(path.verdict.congested);
    path.up = true;
    path.run(1);
    assert_eq!(path.verdict, before);
}

#[test]
fn a_longer_way_is_no_queue_for_ever() {
    let mut path = Path::new(8_000_000, 1_900_000);
    path.run(10);
    path.delay = |_| Duration::from_millis(200);
    path.run(10);
    let last = path.last(5);
    assert!(last >= 1_900, "{last}");
}

#[test]
fn another_way_is_measured_anew() {
    let mut path = Path::new(8_000_000, 1_900_000);
    path.run(5);
    let probes = path.probes;
    path.bandwidth.moved(path.now);
    path.rate_bps = 1_000_000;
    path.run(3);
    assert!(path.probes > probes);
    assert!(path.verdict.estimate_bps < 1_000_000, "{:?}", path.verdict);
    assert!(path.start < path.now);
}

#[test]
fn a_jump_of_the_receivers_clock_is_no_queue() {
    let mut path = Path::new(4_000_000, 1_900_000);
    path.run(10);
    let before = path.verdict;
    for jump in [SKEW + Duration::from_secs(12 * 86_400), Duration::ZERO] {
        path.skew = jump;
        let estimates = path.run(5);
        assert!(estimates.iter().all(|estimate| *estimate >= before.estimate_bps / 1_000), "{estimates:?}");
    }
    // What was learnt of the new clock shows a queue as before.
    path.rate_bps = 500_000;
    let last = path.last(3);
    assert!((250..=500).contains(&last), "{last}");
}

#[test]
fn a_drain_ends_when_nothing_is_sent_meanwhile() {
    let mut path = Path::new(2_000_000, 1_500_000);
    path.least_bps = 500_000;
    path.run(10);
    path.rate_bps = 600_000;
    let estimates = path.run(3);
    assert!(estimates.iter().any(|estimate| *estimate < 500), "pictures stop: {estimates:?}");
    path.rate_bps = 2_000_000;
    let last = path.last(6);
    assert!(last >= 1_500, "{:?}, {last}", path.verdict);
}

#[test]
fn what_publishers_announce_is_not_probed_for_without_end() {
    let mut path = Path::new(u64::from(u32::MAX), 3_000_000);
    path.bandwidth.desire(u64::MAX);
    let most = path.run(10).into_iter().max().unwrap();
    assert!(most <= 100_000, "{most}");
}

#[test]
fn feedback_of_any_kind_does_no_harm() {
    let now = Instant::now();
    let mut bandwidth = Bandwidth::<u32>::default();
    bandwidth.desire(1_000_000);
    let packet = |sent_ms: u64, received_ms: Option<u64>, bytes| Packet {
        sent: now + Duration::from_millis(sent_ms),
        received: received_ms.map(|ms| now + Duration::from_millis(ms)),
        bytes,
        probe: Some(1),
    };
    bandwidth.probe_sent(1, now);
    bandwidth.feedback(&[], now);
    // Backwards, all at once, with jumps of days, and larger than any packet.
    let days = 1_000 * 86_400 * 3;
    let packets: Vec<_> = (0..20_000u64)
        .map(|n| {
            let received = [Some(days - n), Some(0), None, Some(n * days / 20_000)];
            packet(n / 7, received[n as usize % received.len()], u64::from(u32::MAX))
        })
        .collect();
    for (step, report) in packets.chunks(500).enumerate() {
        let verdict = bandwidth.feedback(report, now + REPORT * step as u32);
        assert!(verdict.estimate_bps > 0);
        bandwidth.tick(None, now + REPORT * step as u32);
        bandwidth.probe(now + REPORT * step as u32);
    }
}

#[test]
fn silence_ends_when_nothing_is_on_its_way() {
    let start = Instant::now();
    let at = |ms| start + Duration::from_millis(ms);
    let mut bandwidth = Bandwidth::<u32>::default();
    bandwidth.desire(1_500_000);
    let verdict = |bandwidth: &mut Bandwidth<u32>, first, last, now| {
        bandwidth.tick(Some((at(first), at(last))), at(now)).estimate_bps
    };
    // Before the first report there may be no media.
    assert_eq!(verdict(&mut bandwidth, 0, 0, 1_000), START_BPS);
    let first = Packet { sent: start, received: Some(start + DELAY), bytes: PACKET, probe: None };
    bandwidth.feedback(&[first], at(0));
    // A packet that the client cannot place is never reported.
    assert_eq!(verdict(&mut bandwidth, 0, 0, 500), START_BPS);
    assert_eq!(verdict(&mut bandwidth, 0, 0, 1_000), 0);
    assert_eq!(verdict(&mut bandwidth, 0, 0, 2_000), 0);
    assert_eq!(verdict(&mut bandwidth, 0, 0, 2_750), START_BPS);
    // It does not count again, what is sent now does.
    assert_eq!(verdict(&mut bandwidth, 0, 0, 9_000), START_BPS);
    assert_eq!(verdict(&mut bandwidth, 0, 9_200, 9_250), START_BPS);
    assert_eq!(verdict(&mut bandwidth, 0, 9_900, 10_000), 0);
    // While something is sent, nothing but feedback ends it.
    assert_eq!(verdict(&mut bandwidth, 0, 29_900, 30_000), 0);
}
