//! What can be sent to one participant, learnt from transport-wide feedback.
//!
//! Many links that people have vary by much more than a queue of video packets would: radio stalls for 300 ms and
//! catches up, packets overtake each other, a fifth is lost in bursts. An estimator that takes each rise of
//! the delay, or each loss, for congestion is led down by them. This one goes by what only congestion does:
//!
//! - **A queue stays.** The *least* delay of half a second is set against the least of the last 20 s. Jitter raises
//!   the mean and seldom the least. While a queue stays the bottleneck is busy, so what is delivered meanwhile is
//!   its rate ([`link`]).
//! - **The estimate falls only for that**, to a little less than what was delivered, and for a while to so much less
//!   that the queue is gone within about a second; or for a loss far beyond what the link always shows.
//! - **It rises only by proof**: a probe of known rate whose packets arrive at that rate ([`probing`]). Nothing has to
//!   be sent to keep it: what was proven holds until a queue disproves it.
//! - **No feedback is no link.** If nothing comes for most of a second, pictures stop at once: after an outage sound
//!   goes first, and nothing waits in a queue on the way. The estimate of before holds when feedback is back.
//!
//! Pure: no clock, no socket. Times of arrival are on the receiver's clock; only their differences are used.
//! Rates are of whole packets, headers down to IP included (about), because narrow links carry many small ones.

mod link;
mod probing;

use std::time::{Duration, Instant};

use link::Link;
use probing::{Outcome, Probing};

/// How often [`Bandwidth::tick`] is wanted.
pub(crate) const TICK: Duration = Duration::from_millis(250);
/// Where the estimate begins: one good video layer and sound. The first probe decides.
pub(crate) const START_BPS: u64 = 2_000_000;
/// More than is desired is wanted, so that there is room to step up, in percent.
const MARGIN_PERCENT: u64 = 20;
/// The most that is looked for. What is desired follows from rates that publishers announce: nobody shall have
/// a server send gigabits of padding.
const WANTED_MAX_BPS: u64 = 100_000_000;
/// Share of what a full link delivers that is used of it.
const USED: f64 = 0.95;
/// The most that is given up for a while so that a queue drains, in shares of the link's rate.
const DRAINED_MAX: f64 = 0.35;
/// After a fall the next one needs a queue that still grows, for so long.
const EFFECT: Duration = Duration::from_millis(1_500);
/// A queue that does not drain in so long is none: the way has become longer.
const DRAIN_MAX: Duration = Duration::from_secs(4);
/// So long after a fall its rate is taken for the ceiling, and a rise above it needs to be proven twice.
const CEILING_TIME: Duration = Duration::from_secs(20);
const CEILING_PROOFS: u32 = 2;
const CEILING_TOLERANCE: f64 = 1.05;
/// Packets that have no feedback after the shortest round trip and this: nothing comes through.
const SILENCE: Duration = Duration::from_millis(700);
/// Nothing is on its way that could be reported, for so long: no feedback tells nothing then, and pictures are tried
/// again. Sound and its pauses (a packet every 400 ms) are more frequent.
const QUIET: Duration = Duration::from_millis(1_500);
/// With feedback back, pictures wait for so long at most until no queue is left.
const RETURN_MAX: Duration = Duration::from_secs(2);
/// No less is told to the pacer, so that padding keeps the feedback coming.
pub(crate) const PACED_MIN_BPS: u64 = 100_000;

/// What is known of one packet that was sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packet<P> {
    pub(crate) sent: Instant,
    /// On the receiver's clock; `None`: it had not come.
    pub(crate) received: Option<Instant>,
    pub(crate) bytes: u64,
    pub(crate) probe: Option<P>,
}

/// What follows from feedback.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// Bits per second for the allocation.
    pub(crate) estimate_bps: u64,
    /// There is a queue, or no link: no padding, and little is sent again.
    pub(crate) congested: bool,
}

/// A queue that is being drained.
#[derive(Clone, Copy, Debug)]
struct Drain {
    since: Instant,
    /// What is used of the link after that.
    then_bps: f64,
}

/// See the module's documentation. `P` names a probe.
#[derive(Debug)]
pub(crate) struct Bandwidth<P> {
    estimate_bps: f64,
    /// Nothing has proven the estimate.
    assumed: bool,
    wanted_bps: u64,
    link: Link,
    probing: Probing<P>,
    drain: Option<Drain>,
    /// When something was last reported to have come.
    reported_at: Option<Instant>,
    fell_at: Option<Instant>,
    ceiling: Option<(f64, Instant)>,
    ceiling_proofs: u32,
    /// Since when nothing comes through.
    silent_since: Option<Instant>,
    /// When feedback was back.
    returned_at: Option<Instant>,
    /// What was sent before has been given up. When something was sent since then.
    given_up: Option<Instant>,
    asked: Option<Instant>,
}

impl<P> Default for Bandwidth<P> {
    fn default() -> Self {
        Self {
            estimate_bps: START_BPS as f64,
            assumed: true,
            wanted_bps: 0,
            link: Link::default(),
            probing: Probing::default(),
            drain: None,
            reported_at: None,
            fell_at: None,
            ceiling: None,
            ceiling_proofs: 0,
            silent_since: None,
            returned_at: None,
            given_up: None,
            asked: None,
        }
    }
}

impl<P: Copy + PartialEq> Bandwidth<P> {
    /// The rate that the allocation could use.
    pub(crate) fn desire(&mut self, bps: u64) {
        let bps = bps.min(WANTED_MAX_BPS);
        self.wanted_bps = (bps + bps * MARGIN_PERCENT / 100).min(WANTED_MAX_BPS);
    }

    pub(crate) fn verdict(&self) -> Verdict {
        Verdict {
            estimate_bps: if self.silent_since.is_some() { 0 } else { self.estimate_bps as u64 },
            congested: self.silent_since.is_some() || self.drain.is_some(),
        }
    }

    /// Feedback has come, in the order in which packets were sent.
    pub(crate) fn feedback(&mut self, packets: &[Packet<P>], now: Instant) -> Verdict {
        if self.link.add(packets, now) {
            self.probing.forget();
        }
        self.probing.add(packets);
        if packets.iter().any(|packet| packet.received.is_some()) {
            (self.given_up, self.asked) = (None, None);
            self.reported_at = Some(now);
            self.heard(now);
        }
        self.weigh(now);
        if let Some(outcome) = self.probing.outcome(self.link.usual_loss(), now) {
            self.probed(outcome, now);
        }
        self.verdict()
    }

    /// Wanted every [`TICK`]. `unreported` is when the first and the last packets were sent of those after the last
    /// one of which something is known.
    pub(crate) fn tick(&mut self, unreported: Option<(Instant, Instant)>, now: Instant) -> Verdict {
        self.listen(unreported, now);
        self.drain_unseen(now);
        if let Some(outcome) = self.probing.outcome(self.link.usual_loss(), now) {
            self.probed(outcome, now);
        }
        self.verdict()
    }

    /// Nothing has proven the estimate so far.
    pub(crate) fn is_assumed(&self) -> bool {
        self.assumed
    }

    /// The rate and duration of a probe to send now. [`Bandwidth::probe_sent`] tells that it is under way.
    pub(crate) fn probe(&self, now: Instant) -> Option<(u64, Duration)> {
        let missing = self.wanted_bps as f64 > self.estimate_bps || self.assumed;
        if !missing || self.silent_since.is_some() || self.drain.is_some() || !self.link.known() {
            return None;
        }
        let wanted = (self.wanted_bps as f64).max(self.estimate_bps);
        self.probing.next(self.estimate_bps, wanted, self.link.spread(), now)
    }

    pub(crate) fn probe_sent(&mut self, probe: P, now: Instant) {
        self.probing.sent(probe, now);
    }

    /// Media goes another way from now on: what is known of the link is of the old one.
    pub(crate) fn moved(&mut self, now: Instant) {
        self.link = Link::default();
        self.link.ignore_before(now);
        self.probing = Probing::default();
        (self.drain, self.fell_at, self.ceiling) = (None, None, None);
        self.silent_since = None;
        self.assumed = true;
    }

    /// Nothing comes through if what is sent is not reported any more. That needs something to be sent: without sound,
    /// and with pictures stopped, nothing would ever come back. Before the first report it shows nothing: there may
    /// have been only padding, of streams that the client does not know yet.
    fn listen(&mut self, unreported: Option<(Instant, Instant)>, now: Instant) {
        let waited = |since: Instant| now.saturating_duration_since(since);
        let quiet = unreported.is_none_or(|(_, last)| waited(last) > QUIET);
        if quiet && self.silent_since.is_some_and(|since| waited(since) > QUIET) {
            (self.silent_since, self.returned_at, self.given_up, self.asked) = (None, None, Some(now), None);
        }
        let since = match (unreported, self.given_up) {
            (Some((_, last)), Some(at)) if last < at => None,
            (Some((_, last)), Some(_)) => Some(*self.asked.get_or_insert(last)),
            (unreported, _) => unreported.map(|(first, _)| first),
        };
        let patience = self.link.shortest_trip().unwrap_or_default() + SILENCE;
        let missed = self.link.known() && since.is_some_and(|since| waited(since) > patience);
        if self.silent_since.is_none() && missed {
            self.silent_since = Some(now);
            self.returned_at = None;
        }
    }

    fn heard(&mut self, now: Instant) {
        if self.silent_since.is_none() {
            return;
        }
        let returned = *self.returned_at.get_or_insert(now);
        if self.link.passes() || now.saturating_duration_since(returned) > RETURN_MAX {
            (self.silent_since, self.returned_at) = (None, None);
            self.link.forget_recent();
        }
    }

    /// Falls, if the link shows that it is full.
    fn weigh(&mut self, now: Instant) {
        let fell_ago = self.fell_at.map(|at| now.saturating_duration_since(at));
        let lately = fell_ago.is_some_and(|ago| ago < EFFECT);
        if let Some(full) = self.link.full(lately) {
            self.fall(full.rate_bps, full.queue, now);
            return;
        }
        let Some(drain) = self.drain else { return };
        let waited = now.saturating_duration_since(drain.since);
        if waited > DRAIN_MAX {
            self.link.take_for_usual();
        }
        if self.link.drained() || waited > DRAIN_MAX {
            self.drain = None;
            self.estimate_bps = drain.then_bps;
        }
    }

    /// With pictures paused for the queue there may be nothing left to be reported, and a queue that nothing enters
    /// is gone.
    fn drain_unseen(&mut self, now: Instant) {
        let last = self.reported_at;
        let unseen = |drain: &mut Drain| {
            now.saturating_duration_since(last.map_or(drain.since, |at| at.max(drain.since)))
        };
        if let Some(drain) = self.drain.take_if(|drain| unseen(drain) > QUIET) {
            self.estimate_bps = drain.then_bps;
            // It shows in what was reported last, which nothing follows.
            self.link.forget_recent();
        }
    }

    fn fall(&mut self, rate_bps: f64, queue: f64, now: Instant) {
        let used = rate_bps * USED;
        let known = self.drain.map_or(self.estimate_bps, |drain| drain.then_bps);
        let then_bps = known.min(used);
        self.estimate_bps = (then_bps - rate_bps * queue.min(DRAINED_MAX)).max(1.0);
        self.assumed = false;
        self.drain = Some(Drain { since: now, then_bps });
        self.fell_at = Some(now);
        self.ceiling = Some((rate_bps, now));
        self.ceiling_proofs = 0;
        self.link.ignore_before(now);
        self.probing.fell(now);
    }

    fn probed(&mut self, outcome: Outcome, now: Instant) {
        if self.drain.is_some() {
            return;
        }
        let proven = match outcome {
            Outcome::Passed(bps) => bps,
            Outcome::Limited(bps) => bps * USED,
            Outcome::Unknown => return,
        };
        if self.assumed {
            self.assumed = false;
            self.estimate_bps = proven;
            return;
        }
        let ceiling = self.ceiling.filter(|(_, at)| now.saturating_duration_since(*at) < CEILING_TIME);
        if let Some((ceiling, _)) = ceiling
            && proven > ceiling * CEILING_TOLERANCE
        {
            self.ceiling_proofs += 1;
            if self.ceiling_proofs < CEILING_PROOFS {
                return;
            }
            self.ceiling = None;
        }
        self.estimate_bps = self.estimate_bps.max(proven);
    }
}

#[cfg(test)]
mod tests;
