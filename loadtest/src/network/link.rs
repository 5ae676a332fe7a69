//! One direction of a path.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
    time::{Duration, Instant},
};

use super::{
    conditions::{Conditions, Jitter, Loss, Schedule},
    random::Random,
};

/// Packets in the queue and in flight together; more are dropped as if the queue were full.
const PACKETS_MAX: usize = 16_384;
/// UDP and IPv4 headers, which take their time on the bottleneck too.
const HEADER_BYTES: usize = 28;

const PURPOSE_LOSS: u64 = 1;
const PURPOSE_JITTER: u64 = 2;
const PURPOSE_REORDER: u64 = 3;

/// What became of a packet that was given to a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is on its way, or will be lost by chance.
    Taken,
    /// No room in the queue.
    QueueFull,
    /// There is no link at the moment.
    Outage,
}

/// What became of all packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    pub sent: u64,
    pub delivered: u64,
    /// By chance.
    pub lost: u64,
    pub queue_full: u64,
    pub outage: u64,
}

#[derive(Debug)]
struct Queued<T> {
    bytes: usize,
    packet: T,
}

#[derive(Debug)]
struct Flying<T> {
    at: Instant,
    number: u64,
    packet: T,
}

impl<T> PartialEq for Flying<T> {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.number) == (other.at, other.number)
    }
}
impl<T> Eq for Flying<T> {}
impl<T> PartialOrd for Flying<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<T> Ord for Flying<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

/// See the module's documentation. `T` is a packet, or what the caller needs to find it again.
#[derive(Debug)]
pub struct Link<T> {
    schedule: Schedule,
    seed: u64,
    start: Instant,
    /// The bottleneck has worked until here.
    worked_until: Instant,
    queue: VecDeque<Queued<T>>,
    queued_bytes: usize,
    /// Of the first in the queue, in bits; fractions keep long runs exact.
    head_left_bits: f64,
    flying: BinaryHeap<Reverse<Flying<T>>>,
    number: u64,
    /// When the last packet that keeps its place arrives.
    last_arrival: Instant,
    loss: Random,
    reorder: Random,
    bad: bool,
    counts: Counts,
}

impl<T> Link<T> {
    /// The schedule counts from `start`.
    pub fn new(schedule: Schedule, seed: u64, start: Instant) -> Self {
        Self {
            schedule,
            seed,
            start,
            worked_until: start,
            queue: VecDeque::new(),
            queued_bytes: 0,
            head_left_bits: 0.0,
            flying: BinaryHeap::new(),
            number: 0,
            last_arrival: start,
            loss: Random::for_purpose(seed, PURPOSE_LOSS),
            reorder: Random::for_purpose(seed, PURPOSE_REORDER),
            bad: false,
            counts: Counts::default(),
        }
    }

    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Bytes that wait before the bottleneck, headers included.
    pub fn queued_bytes(&self) -> usize {
        self.queued_bytes
    }

    /// What holds now.
    pub fn conditions(&self, now: Instant) -> &Conditions {
        self.schedule.at(now.saturating_duration_since(self.start))
    }

    /// Gives a datagram of `payload_bytes` to the link. Times never go back.
    pub fn send(&mut self, payload_bytes: usize, packet: T, now: Instant) -> Fate {
        self.work(now);
        self.counts.sent += 1;
        let conditions = *self.conditions(now);
        if !conditions.up {
            self.counts.outage += 1;
            return Fate::Outage;
        }
        let bytes = payload_bytes + HEADER_BYTES;
        if self.queue.len() + self.flying.len() >= PACKETS_MAX || !self.fits(bytes, &conditions) {
            self.counts.queue_full += 1;
            return Fate::QueueFull;
        }
        if self.queue.is_empty() {
            self.head_left_bits = bytes as f64 * 8.0;
        }
        self.queued_bytes += bytes;
        self.queue.push_back(Queued { bytes, packet });
        self.work(now);
        Fate::Taken
    }

    /// The next packet that has arrived by `now`.
    pub fn poll(&mut self, now: Instant) -> Option<T> {
        self.work(now);
        if self.flying.peek().is_some_and(|Reverse(flying)| flying.at <= now) {
            self.counts.delivered += 1;
            return self.flying.pop().map(|Reverse(flying)| flying.packet);
        }
        None
    }

    /// When [`Link::poll`] is wanted next.
    pub fn next(&self) -> Option<Instant> {
        let arrival = self.flying.peek().map(|Reverse(flying)| flying.at);
        [arrival, self.next_work()].into_iter().flatten().min()
    }

    /// A queue may hold one packet that it is just sending, however small it is.
    fn fits(&self, bytes: usize, conditions: &Conditions) -> bool {
        let Some(rate_bps) = conditions.rate_bps else { return true };
        if self.queue.is_empty() {
            return true;
        }
        let behind = self.queued_bytes - self.queue.front().map_or(0, |head| head.bytes);
        let waits = seconds(behind as f64 * 8.0 + self.head_left_bits, rate_bps);
        self.queued_bytes + bytes <= conditions.queue.bytes && waits <= conditions.queue.time
    }

    /// Lets the bottleneck work until `now`, through all steps of the schedule.
    fn work(&mut self, now: Instant) {
        while let Some((until, finished)) = self.next_stop(now) {
            self.serve(until);
            if finished && let Some(sent) = self.queue.pop_front() {
                self.queued_bytes -= sent.bytes;
                self.head_left_bits = self.queue.front().map_or(0.0, |head| head.bytes as f64 * 8.0);
                self.depart(sent.packet, until);
            }
        }
        self.serve(now);
    }

    /// Works on the first in the queue until then; no step of the schedule lies between.
    fn serve(&mut self, until: Instant) {
        let span = until.saturating_duration_since(self.worked_until);
        let conditions = self.conditions(self.worked_until);
        if let Some(rate_bps) = conditions.rate_bps.filter(|_| conditions.up && !self.queue.is_empty()) {
            self.head_left_bits -= span.as_secs_f64() * rate_bps as f64;
        }
        self.worked_until = self.worked_until.max(until);
    }

    /// What comes first, up to `now`: the end of the packet being sent (true) or a step of the schedule.
    fn next_stop(&self, now: Instant) -> Option<(Instant, bool)> {
        if self.queue.is_empty() {
            return None;
        }
        let done = self.head_done();
        let step = self.next_step();
        let stop = match (done, step) {
            (Some(done), Some(step)) if done <= step => (done, true),
            (_, Some(step)) => (step, false),
            (Some(done), None) => (done, true),
            (None, None) => return None,
        };
        (stop.0 <= now).then_some(stop)
    }

    fn next_work(&self) -> Option<Instant> {
        if self.queue.is_empty() {
            return None;
        }
        [self.head_done(), self.next_step()].into_iter().flatten().min()
    }

    /// When the first in the queue is through, if nothing changes.
    fn head_done(&self) -> Option<Instant> {
        let conditions = self.conditions(self.worked_until);
        match conditions.rate_bps {
            _ if !conditions.up => None,
            None => Some(self.worked_until),
            Some(rate_bps) => Some(self.worked_until + seconds(self.head_left_bits.max(0.0), rate_bps)),
        }
    }

    fn next_step(&self) -> Option<Instant> {
        let since = self.worked_until.saturating_duration_since(self.start);
        self.schedule.next_after(since).map(|step| self.start + step)
    }

    /// A packet has passed the bottleneck.
    fn depart(&mut self, packet: T, at: Instant) {
        let conditions = *self.conditions(at);
        if self.is_lost(conditions.loss) {
            self.counts.lost += 1;
            return;
        }
        let mut arrival = at + conditions.delay;
        let mut keeps_place = true;
        if let Some(jitter) = conditions.jitter {
            arrival += self.jitter(jitter, at);
            keeps_place = !jitter.reorders;
        }
        if let Some(reorder) = conditions.reorder
            && self.reorder.happens(reorder.share)
        {
            arrival += reorder.by;
            keeps_place = false;
        }
        if keeps_place {
            arrival = arrival.max(self.last_arrival);
            self.last_arrival = arrival;
        }
        self.number += 1;
        self.flying.push(Reverse(Flying { at: arrival, number: self.number, packet }));
    }

    fn is_lost(&mut self, loss: Loss) -> bool {
        match loss {
            Loss::None => false,
            Loss::Random { share } => self.loss.happens(share),
            Loss::GilbertElliott { to_bad, to_good, lost_in_bad } => {
                let turns = self.loss.happens(if self.bad { to_good } else { to_bad });
                self.bad ^= turns;
                self.bad && self.loss.happens(lost_in_bad)
            }
        }
    }

    /// Jitter is drawn from the time, not from the traffic: two runs meet the same stalls.
    fn jitter(&self, jitter: Jitter, at: Instant) -> Duration {
        let draw = if jitter.holds.is_zero() {
            self.number + self.counts.lost
        } else {
            let since = at.saturating_duration_since(self.start);
            (since.as_nanos() / jitter.holds.as_nanos()) as u64
        };
        let share = Random::for_purpose(self.seed.wrapping_add(draw), PURPOSE_JITTER).share();
        jitter.up_to.mul_f64(share.powi(3))
    }
}

/// How long `bits` take; a rate of zero takes for ever, which is a day here.
fn seconds(bits: f64, rate_bps: u64) -> Duration {
    const FOR_EVER: Duration = Duration::from_secs(86_400);
    if rate_bps == 0 {
        return FOR_EVER;
    }
    // Rounded up: the bottleneck is never faster than it should be.
    let nanos = (bits * 1e9 / rate_bps as f64).ceil();
    Duration::from_nanos(nanos as u64).min(FOR_EVER)
}
