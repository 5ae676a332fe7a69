//! Probes: when one is due, at which rate, and what it showed.

use std::time::{Duration, Instant};

use super::Packet;

/// Rates of probes above the estimate: at first, after a probe failed, after several did.
const REACH: [f64; 3] = [2.0, 1.5, 1.3];
/// No probe is narrower: a few packets take long there anyway.
const REACH_MIN_BPS: f64 = 100_000.0;
/// Packets are spread over this and the variation of the delay times that, within these bounds.
const LENGTH: f64 = 0.080;
const LENGTH_PER_SPREAD: f64 = 1.5;
const LENGTH_MAX: f64 = 0.250;
/// Time to the next probe after so many that failed in a row.
const REST: [Duration; 4] = [
    Duration::from_millis(300),
    Duration::from_millis(600),
    Duration::from_millis(1_200),
    Duration::from_millis(1_500),
];
/// No probe so soon after a fall.
const REST_AFTER_FALL: Duration = Duration::from_millis(1_500);
/// Without feedback for so long a probe is given up.
const PATIENCE: Duration = Duration::from_millis(1_500);
/// Packets of which something must be known.
const PACKETS_MIN: usize = 4;
/// Packets of a probe that are remembered.
const PACKETS_MAX: usize = 2_000;
/// Share of the rate at which a probe was sent that has to arrive.
const PASSED: f64 = 0.88;
/// Loss beyond the usual with which a probe has not passed.
const LOSS: f64 = 0.20;

/// Gaps between arrivals that are so many times the median one, or less than such a part of it, are of a stall.
const STEADY: f64 = 4.0;
/// Share of the gaps, and number, that have to be left.
const STEADY_SHARE: f64 = 0.6;
const GAPS_MIN: usize = 5;

/// What a probe showed, bits per second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Outcome {
    /// It came through at this rate.
    Passed(f64),
    /// It was sent faster than this, at which it came.
    Limited(f64),
    Unknown,
}

#[derive(Debug)]
struct Running<P> {
    probe: P,
    since: Instant,
    /// Sent, received, bytes.
    packets: Vec<(Instant, Instant, u64)>,
    lost: usize,
    last_sent: Option<Instant>,
    /// Something sent later has been reported.
    over: bool,
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Probing<P> {
    running: Option<Running<P>>,
    failed: usize,
    next_at: Option<Instant>,
}

impl<P> Default for Probing<P> {
    fn default() -> Self {
        Self { running: None, failed: 0, next_at: None }
    }
}

impl<P: Copy + PartialEq> Probing<P> {
    /// Rate and length of the probe that is due; at most `wanted` is looked for.
    pub(super) fn next(
        &self,
        estimate: f64,
        wanted: f64,
        spread: f64,
        now: Instant,
    ) -> Option<(u64, Duration)> {
        if self.running.is_some() || self.next_at.is_some_and(|at| now < at) {
            return None;
        }
        let reach = REACH[self.failed.div_ceil(2).min(REACH.len() - 1)];
        let rate = (estimate * reach).min(wanted).max(REACH_MIN_BPS);
        let length = LENGTH + (spread * LENGTH_PER_SPREAD).clamp(0.0, LENGTH_MAX - LENGTH);
        Some((rate as u64, Duration::from_secs_f64(length)))
    }

    pub(super) fn sent(&mut self, probe: P, now: Instant) {
        self.running =
            Some(Running { probe, since: now, packets: Vec::new(), lost: 0, last_sent: None, over: false });
    }

    pub(super) fn fell(&mut self, now: Instant) {
        self.running = None;
        self.failed = 1;
        self.next_at = Some(now + REST_AFTER_FALL);
    }

    /// Times of before mean nothing: a probe under way tells nothing.
    pub(super) fn forget(&mut self) {
        self.running = None;
    }

    pub(super) fn add(&mut self, packets: &[Packet<P>]) {
        let Some(running) = &mut self.running else { return };
        for packet in packets {
            if packet.probe != Some(running.probe) {
                running.over |= running.last_sent.is_some_and(|last| packet.sent > last);
                continue;
            }
            running.last_sent = running.last_sent.max(Some(packet.sent));
            match packet.received {
                Some(received) if running.packets.len() < PACKETS_MAX => {
                    running.packets.push((packet.sent, received, packet.bytes));
                }
                Some(_) => {}
                None => running.lost += 1,
            }
        }
    }

    /// What the probe under way showed, once that is known.
    pub(super) fn outcome(&mut self, usual_loss: f64, now: Instant) -> Option<Outcome> {
        let patience = |running: &Running<P>| now.saturating_duration_since(running.since) > PATIENCE;
        let running = self.running.take_if(|running| running.over || patience(running))?;
        let outcome = running.judge(usual_loss);
        if let Outcome::Passed(_) = outcome {
            (self.failed, self.next_at) = (0, None);
        } else {
            let rest = REST[self.failed.min(REST.len() - 1)];
            self.failed += 1;
            self.next_at = Some(now + rest);
        }
        Some(outcome)
    }
}

impl<P> Running<P> {
    fn judge(&self, usual_loss: f64) -> Outcome {
        if self.packets.len() < PACKETS_MIN {
            return Outcome::Unknown;
        }
        let sent = rate(self.packets.iter().map(|(sent, _, bytes)| (*sent, *bytes)));
        let Some(sent) = sent else { return Outcome::Unknown };
        let whole = || rate(self.packets.iter().map(|(_, received, bytes)| (*received, *bytes)));
        let received = self.steady().or_else(whole).unwrap_or(f64::INFINITY);
        let loss = self.lost as f64 / (self.lost + self.packets.len()) as f64;
        if received >= sent * PASSED && loss <= usual_loss * 2.0 + LOSS {
            Outcome::Passed(sent.min(received))
        } else {
            Outcome::Limited(received.min(sent))
        }
    }
}

impl<P> Running<P> {
    /// The rate of arrival, stalls left out and what came all at once after them. `None` if that is the greater
    /// part: a link that always sends several together shows its rate over the whole probe only.
    fn steady(&self) -> Option<f64> {
        let mut arrivals: Vec<_> =
            self.packets.iter().map(|(_, received, bytes)| (*received, *bytes)).collect();
        arrivals.sort_unstable();
        let gaps = arrivals.windows(2).filter_map(|pair| {
            let gap = pair[1].0.saturating_duration_since(pair[0].0).as_secs_f64();
            let bits = pair[1].1 as f64 * 8.0;
            (bits > 0.0).then_some((gap / bits, gap, bits))
        });
        let mut gaps: Vec<_> = gaps.collect();
        gaps.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let (median, ..) = *gaps.get(gaps.len() / 2)?;
        let usual = median / STEADY..=median * STEADY;
        let all = gaps.len();
        gaps.retain(|(gap, ..)| usual.contains(gap));
        if median <= 0.0 || gaps.len() < GAPS_MIN || (gaps.len() as f64) < all as f64 * STEADY_SHARE {
            return None;
        }
        let (time, bits) = gaps.iter().fold((0.0, 0.0), |sum, (_, gap, bits)| (sum.0 + gap, sum.1 + bits));
        Some(bits / time)
    }
}

/// Bits per second from the first to the last of these; `None` if all are of one moment.
fn rate(packets: impl Iterator<Item = (Instant, u64)> + Clone) -> Option<f64> {
    let (first, first_bytes) = packets.clone().min_by_key(|(at, _)| *at)?;
    let last = packets.clone().map(|(at, _)| at).max()?;
    let bytes: u64 = packets.map(|(_, bytes)| bytes).sum();
    let span = last.saturating_duration_since(first).as_secs_f64();
    (span > 0.0).then(|| (bytes - first_bytes) as f64 * 8.0 / span)
}
