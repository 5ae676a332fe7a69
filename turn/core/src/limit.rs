//! How many requests a source may make: a token bucket each, in a bounded table.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    time::{Duration, Instant},
};

/// Rates and bounds of a [`Limiter`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Requests that a source may make at once.
    pub burst: u32,
    /// Requests a second that a source may go on making.
    pub per_second: u32,
    /// Sources remembered. Those beyond share one bucket.
    pub max_sources: usize,
}

impl Default for Limits {
    /// Room for a whole office behind one address: a browser sends one to three
    /// requests for each interface when a call begins.
    fn default() -> Self {
        Self { burst: 60, per_second: 20, max_sources: 16_384 }
    }
}

/// Shortest time between two looks for sources that can be forgotten.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// A source: an IPv4 address, or the /64 network of an IPv6 address, as one host
/// may use all addresses of its network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Source {
    V4(u32),
    V6(u64),
}

impl From<IpAddr> for Source {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address.to_bits()),
            IpAddr::V6(address) => Self::V6((address.to_bits() >> 64) as u64),
        }
    }
}

/// A token bucket, kept as the time at which it will be full again.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    full_at: Instant,
}

impl Bucket {
    /// Takes a token if there is one: each costs `cost`, and `depth` of them fit.
    fn take(&mut self, cost: Duration, depth: u32, now: Instant) -> bool {
        let full_at = self.full_at.max(now) + cost;
        let allowed = full_at.saturating_duration_since(now) <= cost * depth;
        if allowed {
            self.full_at = full_at;
        }
        allowed
    }
}

/// Decides which requests are answered, so that the server can neither be worn
/// down nor made to flood an address that was forged as the source.
///
/// A sorted map and no hash table: sources are chosen by whoever sends.
#[derive(Debug)]
pub struct Limiter {
    limits: Limits,
    cost: Duration,
    buckets: BTreeMap<Source, Bucket>,
    /// For sources that found no place in the table.
    shared: Option<Bucket>,
    swept_at: Option<Instant>,
}

impl Limiter {
    /// Zeros in `limits` count as one.
    pub fn new(limits: Limits) -> Self {
        let cost = Duration::from_secs(1) / limits.per_second.max(1);
        let limits = Limits { burst: limits.burst.max(1), ..limits };
        Self { limits, cost, buckets: BTreeMap::new(), shared: None, swept_at: None }
    }

    /// May `source` be answered now?
    pub fn admit(&mut self, source: IpAddr, now: Instant) -> bool {
        let source = Source::from(source);
        let (cost, depth) = (self.cost, self.limits.burst);
        if let Some(bucket) = self.buckets.get_mut(&source) {
            return bucket.take(cost, depth, now);
        }
        if self.buckets.len() >= self.limits.max_sources {
            self.sweep(now);
        }
        let fresh = Bucket { full_at: now };
        if self.buckets.len() < self.limits.max_sources {
            return self.buckets.entry(source).or_insert(fresh).take(cost, depth, now);
        }
        self.shared.get_or_insert(fresh).take(cost, depth, now)
    }

    /// Sources remembered now.
    pub fn sources(&self) -> usize {
        self.buckets.len()
    }

    /// Forgets the sources whose bucket is full: that is as good as unknown.
    fn sweep(&mut self, now: Instant) {
        if self.swept_at.is_some_and(|at| now.saturating_duration_since(at) < SWEEP_INTERVAL) {
            return;
        }
        self.swept_at = Some(now);
        self.buckets.retain(|_, bucket| bucket.full_at > now);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods)]
    use super::*;

    fn host(number: u32) -> IpAddr {
        IpAddr::from(number.to_be_bytes())
    }

    fn small() -> Limiter {
        Limiter::new(Limits { burst: 3, per_second: 10, max_sources: 2 })
    }

    #[test]
    fn a_burst_then_a_rate() {
        let start = Instant::now();
        let mut limiter = small();
        let admitted = |limiter: &mut Limiter, at| (0..10).filter(|_| limiter.admit(host(1), at)).count();
        assert_eq!(admitted(&mut limiter, start), 3);
        assert_eq!(admitted(&mut limiter, start + Duration::from_millis(250)), 2);
        assert_eq!(admitted(&mut limiter, start + Duration::from_secs(60)), 3);
        assert!(limiter.admit(host(2), start), "others are not concerned");
    }

    #[test]
    fn the_table_is_bounded_and_the_rest_shares() {
        let start = Instant::now();
        let mut limiter = small();
        let admitted = (0..1000).filter(|number| limiter.admit(host(*number), start)).count();
        assert_eq!(limiter.sources(), 2);
        assert_eq!(admitted, 2 + 3, "two of their own and a shared burst");
        let later = start + Duration::from_secs(2);
        assert!(limiter.admit(host(5000), later));
        assert_eq!(limiter.sources(), 1, "the idle were forgotten");
    }

    #[test]
    fn one_ipv6_network_is_one_source() {
        let start = Instant::now();
        let mut limiter = small();
        let address = |last: u16| IpAddr::from([0x2001, 0xdb8, 0, 1, 0, 0, 0, last]);
        assert_eq!((0..10).filter(|last| limiter.admit(address(*last), start)).count(), 3);
        assert_eq!(limiter.sources(), 1);
        let mapped: IpAddr = "::ffff:0.0.0.7".parse().expect("a valid address");
        limiter.admit(mapped, start);
        assert_eq!((0..10).filter(|_| limiter.admit(host(7), start)).count(), 2, "the same host");
    }
}
