//! What feedback shows of a link: its queue, what it delivers, what it loses.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::Packet;

/// Arrivals are counted in spans of this, seconds, ...
const SPAN: f64 = 0.05;
/// ... so many of which are kept, ...
const SPANS: usize = 40;
/// ... and windows of so many are looked at.
const WINDOW_FAST: usize = 5;
const WINDOW: usize = 10;
const WINDOW_LONG: usize = 20;
/// Spans of a window in which something must have come.
const FILLED_FAST: usize = 4;
const FILLED: usize = 7;
const FILLED_LONG: usize = 14;
/// A least delay beyond the usual from which a queue counts, seconds.
const QUEUE: f64 = 0.045;
/// One that fills so suddenly that half a second would be too long to wait.
const QUEUE_FAST: f64 = 0.120;
/// A queue grows if the least of the newer half is above that of the older by this.
const GROWS: f64 = 0.010;
const GROWS_FAST: f64 = 0.030;
/// A queue shrinks if the least of the newer half is below that of the older by this share.
const SHRINKS: f64 = 0.1;
/// With so much loss beyond the usual, a queue is full rather than shrinking.
const LOSS_WITH_QUEUE: f64 = 0.10;
/// Without a queue, loss beyond the usual from which a link is full.
const LOSS_ALONE: f64 = 0.25;
/// A queue that overflows at once shows so much loss with a delay beyond the usual.
const WINDOW_SUDDEN: usize = 3;
const LOST_SUDDEN: u32 = 8;
const LOSS_SUDDEN: f64 = 0.4;
const QUEUE_SUDDEN: f64 = 0.080;
/// On a narrow link one and a half packets in front are no queue: bits.
const PACKET_BITS: f64 = 1.5 * 9_300.0;
/// What is delivered of what was before, from which on a rate has collapsed.
const COLLAPSE: f64 = 0.6;
/// The shortest delay is looked for in two halves of this, so that a change of the path is noticed.
const SHORTEST_SPAN: Duration = Duration::from_secs(10);
/// How often what the link always shows is learnt, and with which weight when above or below it.
const USUAL_EVERY: f64 = 0.5;
const USUAL_RISE: f64 = 0.05;
const USUAL_FALL: f64 = 0.1;
/// How far above it is usual as well.
const USUAL_SPREAD: f64 = 2.0;
/// A delay that changes by more than any queue holds: the receiver's clock has jumped. The times in feedback begin
/// anew every 12 days.
const CLOCK_JUMP: f64 = 30.0;
/// Lost packets in a row that were sent over a longer time are of an outage.
const OUTAGE: Duration = Duration::from_millis(300);

#[derive(Clone, Copy, Debug)]
struct Span {
    number: i64,
    /// Least, and sum.
    delay: f64,
    delays: f64,
    bytes: u64,
    received: u32,
    lost: u32,
}

/// The link is full: it delivers so much, with such a queue (seconds).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Full {
    pub(super) rate_bps: f64,
    pub(super) queue: f64,
}

/// Packets lost in a row.
#[derive(Clone, Copy, Debug)]
struct LostRun {
    first: Instant,
    last: Instant,
    count: u32,
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub(super) struct Link {
    /// A packet's times, from which all others are counted.
    epoch: Option<(Instant, Instant)>,
    /// Oldest first.
    spans: VecDeque<Span>,
    newest: f64,
    shortest: Shortest,
    trip: Option<Duration>,
    lost_run: Option<LostRun>,
    usual_queue: Usual,
    usual_loss: Usual,
    learnt_at: f64,
    usual_spread: Usual,
    ignored_before: Option<Instant>,
    /// Delay of the packet that came last.
    last_delay: f64,
}

#[derive(Clone, Copy, Debug)]
struct Window {
    /// Least delay beyond the shortest: of all, and of the older and the newer half.
    queue: f64,
    /// Mean of it.
    mean: f64,
    older: f64,
    newer: f64,
    rate_bps: f64,
    loss: f64,
    lost: u32,
    filled: usize,
}

impl Link {
    /// True if the receiver's clock has jumped, so that times of before mean nothing.
    pub(super) fn add<P>(&mut self, packets: &[Packet<P>], now: Instant) -> bool {
        let mut jumped = false;
        for packet in packets {
            if self.ignored_before.is_some_and(|before| packet.sent < before) {
                continue;
            }
            match packet.received {
                Some(received) => {
                    jumped |= self.clock_jumped(packet.sent, received);
                    self.received(packet.sent, received, packet.bytes, now);
                }
                None => self.lost(packet.sent),
            }
        }
        self.learn();
        jumped
    }

    /// After a jump of the receiver's clock all times are counted anew.
    fn clock_jumped(&mut self, sent: Instant, received: Instant) -> bool {
        let Some((sent_zero, received_zero)) = self.epoch else { return false };
        let delay = seconds(received, received_zero) - seconds(sent, sent_zero);
        let jumped = (delay - self.last_delay).abs() > CLOCK_JUMP;
        if jumped {
            self.epoch = None;
            self.spans.clear();
            self.shortest = Shortest::default();
            (self.newest, self.learnt_at) = (0.0, 0.0);
        }
        jumped
    }

    /// Something has come, so that the rest makes sense.
    pub(super) fn known(&self) -> bool {
        self.epoch.is_some()
    }

    pub(super) fn shortest_trip(&self) -> Option<Duration> {
        self.trip
    }

    pub(super) fn usual_loss(&self) -> f64 {
        self.usual_loss.value
    }

    /// By how much delays vary, about.
    pub(super) fn spread(&self) -> f64 {
        self.usual_spread.value
    }

    /// What was sent before tells nothing of what is sent now.
    pub(super) fn ignore_before(&mut self, now: Instant) {
        self.ignored_before = Some(now);
        self.spans.clear();
        self.lost_run = None;
    }

    pub(super) fn forget_recent(&mut self) {
        self.spans.clear();
        self.lost_run = None;
    }

    /// The queue of now is the way as it is.
    pub(super) fn take_for_usual(&mut self) {
        self.shortest = Shortest::default();
        self.spans.clear();
    }

    /// What comes now has not waited long.
    pub(super) fn passes(&self) -> bool {
        self.last_delay - self.shortest.value() < QUEUE_FAST + self.tolerated()
    }

    /// No queue is left.
    pub(super) fn drained(&self) -> bool {
        self.window(WINDOW_FAST)
            .is_some_and(|window| window.filled >= 2 && window.newer < QUEUE + self.tolerated())
    }

    /// Is the link full? `growing`: only a queue that still grows counts.
    pub(super) fn full(&self, growing: bool) -> Option<Full> {
        let found = |window: Window| Some(Full { rate_bps: window.rate_bps, queue: window.newer });
        let limit = |window: &Window| QUEUE + self.tolerated() + PACKET_BITS / window.rate_bps.max(1.0);
        let loses = |window: &Window, by: f64| self.usual_loss.beyond(window.loss) > by;
        let sudden = self.window(WINDOW_SUDDEN)?;
        if sudden.lost >= LOST_SUDDEN
            && sudden.loss > LOSS_SUDDEN
            && sudden.newer > QUEUE_SUDDEN + self.tolerated() * 2.0
        {
            return found(sudden);
        }
        let fast = self.window(WINDOW_FAST)?;
        let before = self.rate_before(WINDOW_FAST, WINDOW_LONG);
        if fast.filled >= FILLED_FAST
            && fast.queue > QUEUE_FAST + self.tolerated() * 2.0
            && before.is_some_and(|before| fast.rate_bps < before * COLLAPSE)
            && (fast.newer - fast.older > GROWS_FAST || loses(&fast, LOSS_WITH_QUEUE))
        {
            return found(fast);
        }
        let window = self.window(WINDOW)?;
        if window.filled < FILLED {
            return None;
        }
        let grows = window.newer - window.older > GROWS;
        if window.queue > limit(&window) && (grows || loses(&window, LOSS_WITH_QUEUE)) {
            return found(window);
        }
        let long = self.window(WINDOW_LONG)?;
        if growing || long.filled < FILLED_LONG {
            return None;
        }
        let shrinks = long.newer < long.older * (1.0 - SHRINKS);
        if long.queue > limit(&long) && !shrinks || loses(&long, LOSS_ALONE) {
            return found(long);
        }
        None
    }

    fn tolerated(&self) -> f64 {
        self.usual_queue.value * USUAL_SPREAD + self.usual_spread.value
    }

    fn received(&mut self, sent: Instant, received: Instant, bytes: u64, now: Instant) {
        let (sent_zero, received_zero) = *self.epoch.get_or_insert((sent, received));
        let arrival = seconds(received, received_zero);
        let delay = arrival - seconds(sent, sent_zero);
        self.end_lost_run();
        self.shortest.update(delay, now);
        let trip = now.saturating_duration_since(sent);
        self.trip = Some(self.trip.map_or(trip, |known| known.min(trip)));
        self.newest = self.newest.max(arrival);
        self.last_delay = delay;
        let number = (arrival / SPAN).floor() as i64;
        let empty = Span { number, delay, delays: 0.0, bytes: 0, received: 0, lost: 0 };
        // Most belong to the newest.
        let place = match self.spans.back() {
            Some(newest) if newest.number == number => self.spans.len() - 1,
            Some(newest) if newest.number < number => self.spans.len(),
            _ => self.spans.partition_point(|span| span.number < number),
        };
        if self.spans.get(place).is_none_or(|span| span.number != number) {
            self.spans.insert(place, empty);
        }
        if let Some(span) = self.spans.get_mut(place) {
            span.delay = span.delay.min(delay);
            span.delays += delay;
            span.bytes += bytes;
            span.received += 1;
        }
        while self.spans.len() > SPANS {
            self.spans.pop_front();
        }
    }

    fn lost(&mut self, sent: Instant) {
        let run = self.lost_run.get_or_insert(LostRun { first: sent, last: sent, count: 0 });
        run.last = sent;
        run.count = run.count.saturating_add(1);
    }

    fn end_lost_run(&mut self) {
        if let Some(run) = self.lost_run.take()
            && run.last.saturating_duration_since(run.first) < OUTAGE
            && let Some(span) = self.spans.back_mut()
        {
            span.lost = span.lost.saturating_add(run.count);
        }
    }

    fn learn(&mut self) {
        if self.newest - self.learnt_at < USUAL_EVERY {
            return;
        }
        let Some(window) = self.window(WINDOW).filter(|window| window.filled >= FILLED) else { return };
        self.learnt_at = self.newest;
        self.usual_queue.learn(window.queue);
        self.usual_spread.learn(window.mean);
        if let Some(long) = self.window(WINDOW_LONG) {
            self.usual_loss.learn(long.loss);
        }
    }

    /// The last spans, up to the newest arrival.
    fn window(&self, spans: usize) -> Option<Window> {
        let newest = self.spans.back()?.number;
        let from = newest - spans as i64 + 1;
        let middle = newest - spans as i64 / 2 + 1;
        let (mut older, mut newer) = (f64::INFINITY, f64::INFINITY);
        let mut delays = 0.0;
        let (mut bytes, mut received, mut lost, mut filled) = (0, 0, 0, 0);
        for span in self.spans.iter().rev().take_while(|span| span.number >= from) {
            let least = if span.number < middle { &mut older } else { &mut newer };
            *least = least.min(span.delay);
            delays += span.delays;
            bytes += span.bytes;
            received += span.received;
            lost = span.lost.saturating_add(lost);
            filled += 1;
        }
        let shortest = self.shortest.value();
        // The newest span is not over.
        let length = self.newest - from as f64 * SPAN;
        Some(Window {
            queue: older.min(newer) - shortest,
            mean: delays / f64::from(received.max(1)) - shortest,
            older: if older.is_finite() { older - shortest } else { 0.0 },
            newer: newer - shortest,
            // Of the first packet, one half on the average came through before the window.
            rate_bps: (bytes as f64 - bytes as f64 / f64::from(received.max(1)) / 2.0) * 8.0
                / length.max(SPAN),
            loss: f64::from(lost) / (f64::from(received) + f64::from(lost)).max(1.0),
            lost,
            filled,
        })
    }

    /// What was delivered before the last `but` of the last `spans`.
    fn rate_before(&self, but: usize, spans: usize) -> Option<f64> {
        let newest = self.spans.back()?.number;
        let (from, until) = (newest - spans as i64, newest - but as i64);
        let within = self.spans.iter().filter(|span| (from..until).contains(&span.number));
        let bytes: u64 = within.map(|span| span.bytes).sum();
        (bytes > 0).then(|| bytes as f64 * 8.0 / ((spans - but) as f64 * SPAN))
    }
}

/// The time from `zero` to `at`, in seconds.
fn seconds(at: Instant, zero: Instant) -> f64 {
    at.checked_duration_since(zero)
        .map_or_else(|| -zero.saturating_duration_since(at).as_secs_f64(), |after| after.as_secs_f64())
}

/// The shortest delay of the last while.
#[derive(Debug, Default)]
struct Shortest {
    turned: Option<Instant>,
    before: Option<f64>,
    now: Option<f64>,
}

impl Shortest {
    fn update(&mut self, delay: f64, now: Instant) -> f64 {
        let turned = *self.turned.get_or_insert(now);
        if now.saturating_duration_since(turned) >= SHORTEST_SPAN {
            self.turned = Some(now);
            self.before = self.now.take();
        }
        self.now = Some(self.now.map_or(delay, |known| known.min(delay)));
        self.value()
    }

    fn value(&self) -> f64 {
        match (self.before, self.now) {
            (Some(before), Some(now)) => before.min(now),
            (before, now) => before.or(now).unwrap_or_default(),
        }
    }
}

/// What a link shows whatever is sent.
#[derive(Debug, Default)]
struct Usual {
    value: f64,
    known: bool,
}

impl Usual {
    fn learn(&mut self, value: f64) {
        let weight = match (self.known, value > self.value) {
            (false, _) => 1.0,
            (true, true) => USUAL_RISE,
            (true, false) => USUAL_FALL,
        };
        self.known = true;
        self.value += (value - self.value) * weight;
    }

    /// How far the value is beyond the usual.
    fn beyond(&self, value: f64) -> f64 {
        (value - self.value * USUAL_SPREAD).max(0.0)
    }
}
