//! What must be true of a link whatever its conditions are.

#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::{Conditions, Fate, Jitter, Link, Loss, Queue, Schedule};

const HEADERS: usize = 28;

struct Arrived {
    number: usize,
    at: Duration,
    bytes: usize,
}

/// Sends `bytes` every `gap`; everything that arrives within a minute after the last.
fn run(schedule: Schedule, seed: u64, packets: &[(Duration, usize)]) -> (Vec<Arrived>, Link<(usize, usize)>) {
    let start = Instant::now();
    let mut link = Link::new(schedule, seed, start);
    let mut arrived = Vec::new();
    let end = packets.last().map_or(Duration::ZERO, |(at, _)| *at) + Duration::from_secs(60);
    let mut sends = packets.iter().enumerate().peekable();
    loop {
        let send = sends.peek().map(|(_, (at, _))| start + *at);
        let due = [send, link.next()].into_iter().flatten().min();
        let Some(now) = due.filter(|due| *due <= start + end) else { break };
        while let Some((number, bytes)) = link.poll(now) {
            arrived.push(Arrived { number, at: now - start, bytes });
        }
        if send == Some(now) {
            let (number, (_, bytes)) = sends.next().unwrap();
            link.send(*bytes, (number, *bytes), now);
        }
    }
    (arrived, link)
}

fn steady(count: usize, gap: Duration, bytes: usize) -> Vec<(Duration, usize)> {
    (0..count).map(|number| (gap * number as u32, bytes)).collect()
}

fn loss() -> impl Strategy<Value = Loss> {
    prop_oneof![
        Just(Loss::None),
        (0.0..0.3).prop_map(|share| Loss::Random { share }),
        (0.01..0.3, 1.0..8.0).prop_map(|(share, burst)| Loss::bursts(share, burst)),
    ]
}

fn conditions() -> impl Strategy<Value = Conditions> {
    let rate = prop_oneof![Just(None), (50_u64..5_000).prop_map(|kbps| Some(kbps * 1_000))];
    let jitter = prop_oneof![
        Just(None),
        (0_u64..300, 0_u64..500, any::<bool>()).prop_map(|(up_to, holds, reorders)| {
            Some(Jitter {
                up_to: Duration::from_millis(up_to),
                holds: Duration::from_millis(holds),
                reorders,
            })
        }),
    ];
    (rate, 0_u64..600, 0_u64..300, jitter, loss(), any::<bool>()).prop_map(
        |(rate_bps, queue, delay, jitter, loss, up)| Conditions {
            rate_bps,
            queue: Queue { bytes: 100_000, time: Duration::from_millis(queue) },
            delay: Duration::from_millis(delay),
            jitter,
            loss,
            reorder: None,
            up,
        },
    )
}

fn traffic() -> impl Strategy<Value = Vec<(Duration, usize)>> {
    prop::collection::vec((0_u64..20_000, 40_usize..1_200), 1..400).prop_map(|gaps| {
        let mut at = Duration::ZERO;
        gaps.into_iter()
            .map(|(micros, bytes)| {
                at += Duration::from_micros(micros);
                (at, bytes)
            })
            .collect()
    })
}

proptest! {
    #[test]
    fn every_packet_is_accounted_for_and_comes_once_and_not_early(
        before in conditions(), after in conditions(), seed: u64, packets in traffic(),
    ) {
        let change = Duration::from_secs(1);
        let schedule = Schedule::steady(before).then(change.as_secs_f64(), after);
        // An outage to the end holds what is queued for ever: end it.
        let schedule = schedule.then(20.0, Conditions { up: true, ..after });
        let (arrived, link) = run(schedule, seed, &packets);
        let counts = link.counts();
        prop_assert_eq!(counts.sent, packets.len() as u64);
        prop_assert_eq!(counts.delivered, arrived.len() as u64);
        prop_assert_eq!(counts.delivered + counts.lost + counts.queue_full + counts.outage, counts.sent);
        prop_assert_eq!(link.queued_bytes(), 0);
        let mut seen = vec![false; packets.len()];
        for packet in &arrived {
            prop_assert!(!std::mem::replace(&mut seen[packet.number], true), "twice");
            let least = before.delay.min(after.delay);
            prop_assert!(packet.at >= packets[packet.number].0 + least, "early");
        }
        let lossless = |conditions: Conditions| conditions.loss == Loss::None;
        if lossless(before) && lossless(after) {
            prop_assert_eq!(counts.lost, 0);
        }
        if before.up && after.up {
            prop_assert_eq!(counts.outage, 0);
        }
        if before.rate_bps.is_none() && after.rate_bps.is_none() && before.up && after.up {
            prop_assert_eq!(counts.queue_full, 0);
        }
    }

    #[test]
    fn order_is_kept_unless_reordering_was_asked_for(
        before in conditions(), after in conditions(), seed: u64, packets in traffic(),
    ) {
        let ordered = |mut conditions: Conditions| {
            if let Some(jitter) = &mut conditions.jitter {
                jitter.reorders = false;
            }
            conditions
        };
        let schedule = Schedule::steady(ordered(before)).then(1.0, ordered(after));
        let (arrived, _) = run(schedule, seed, &packets);
        prop_assert!(arrived.windows(2).all(|pair| pair[0].number < pair[1].number));
    }

    #[test]
    fn the_rate_is_never_exceeded(kbps in 50_u64..5_000, seed: u64, packets in traffic()) {
        let conditions = Conditions::default().rate_kbps(kbps).queue_ms(400).delay_ms(20);
        let (arrived, _) = run(Schedule::steady(conditions), seed, &packets);
        // Whatever arrives after a packet has passed the bottleneck after it.
        for (index, first) in arrived.iter().enumerate() {
            let mut bits = 0.0;
            for packet in &arrived[index + 1..] {
                bits += ((packet.bytes + HEADERS) * 8) as f64;
                let could = (packet.at - first.at).as_secs_f64() * (kbps * 1_000) as f64;
                prop_assert!(bits <= could + 0.1, "{bits} bits where {could} could pass");
            }
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_fate(conditions in conditions(), seed: u64, packets in traffic()) {
        let fates = |seed| {
            let (arrived, link) = run(Schedule::steady(conditions), seed, &packets);
            (arrived.iter().map(|packet| (packet.number, packet.at)).collect::<Vec<_>>(), link.counts())
        };
        prop_assert_eq!(fates(seed), fates(seed));
    }

    #[test]
    fn nobody_waits_longer_than_the_queue_allows(kbps in 100_u64..3_000, queue in 0_u64..500, packets in traffic()) {
        let conditions = Conditions::default().rate_kbps(kbps).queue_ms(queue);
        let (arrived, _) = run(Schedule::steady(conditions), 1, &packets);
        for packet in arrived {
            let own = Duration::from_secs_f64(((packet.bytes + HEADERS) * 8) as f64 / (kbps * 1_000) as f64);
            let took = packet.at - packets[packet.number].0;
            prop_assert!(took <= Duration::from_millis(queue) + own + Duration::from_micros(1));
        }
    }
}

/// Shares and mean lengths of bursts of losses among `count` packets.
fn losses(loss: Loss, count: usize) -> (f64, f64) {
    let conditions = Conditions::default().loss(loss);
    let (arrived, _) = run(Schedule::steady(conditions), 7, &steady(count, Duration::from_millis(1), 100));
    let (mut lost, mut bursts, mut expected) = (0, 0, 0);
    for packet in arrived {
        if packet.number > expected {
            lost += packet.number - expected;
            bursts += 1;
        }
        expected = packet.number + 1;
    }
    (lost as f64 / count as f64, lost as f64 / f64::from(bursts.max(1)))
}

#[test]
fn losses_are_as_many_and_as_long_as_asked_for() {
    let (share, burst) = losses(Loss::Random { share: 0.05 }, 40_000);
    assert!((share - 0.05).abs() < 0.005, "{share}");
    assert!(burst < 1.2, "{burst}");
    let (share, burst) = losses(Loss::bursts(0.2, 5.0), 40_000);
    assert!((share - 0.2).abs() < 0.02, "{share}");
    assert!((burst - 5.0).abs() < 0.5, "{burst}");
}

#[test]
fn a_narrower_rate_drains_the_same_queue_more_slowly() {
    let wide = Conditions::default().rate_kbps(1_000).queue_ms(1_000);
    let schedule = Schedule::steady(wide).then(0.1, wide.rate_kbps(100));
    // 20 packets of 1,000 bytes at once: 100,000 bits pass in the first 100 ms, 60,000 take 600 ms.
    let (arrived, _) = run(schedule, 1, &steady(20, Duration::ZERO, 1_000 - HEADERS));
    assert_eq!(arrived.len(), 20);
    let last = arrived.last().unwrap().at;
    assert!((last.as_secs_f64() - 0.7).abs() < 0.001, "{last:?}");
}

#[test]
fn an_outage_loses_what_is_sent_and_holds_what_waits() {
    let base = Conditions::default().rate_kbps(100).queue_ms(1_000);
    let schedule = Schedule::steady(base).outage(0.05, 3.0);
    let start = Instant::now();
    let mut link = Link::new(schedule, 1, start);
    let at = |seconds| start + Duration::from_secs_f64(seconds);
    assert_eq!(link.send(1_250 - HEADERS, 'a', start), Fate::Taken);
    assert_eq!(link.send(100, 'b', at(1.0)), Fate::Outage);
    assert_eq!(link.poll(at(3.0)), None, "half of it has passed");
    assert_eq!(link.next(), Some(at(3.05)), "the outage's end");
    assert_eq!(link.poll(at(3.0999)), None);
    assert_eq!(link.poll(at(3.1)), Some('a'));
    assert_eq!(link.send(100, 'c', at(4.0)), Fate::Taken);
    assert_eq!(link.poll(at(5.0)), Some('c'));
    assert_eq!(link.next(), None);
}

#[test]
fn reordered_packets_are_as_many_as_asked_for() {
    let conditions = Conditions::default().delay_ms(10).reorder(0.05, 30);
    let (arrived, link) =
        run(Schedule::steady(conditions), 3, &steady(20_000, Duration::from_millis(5), 200));
    let overtaken = arrived.windows(2).filter(|pair| pair[0].number > pair[1].number).count();
    let share = overtaken as f64 / 20_000.0;
    assert!((share - 0.05).abs() < 0.01, "{share}");
    assert_eq!(link.counts().delivered, 20_000);
}

#[test]
fn jitter_that_holds_stalls_and_catches_up() {
    let conditions = Conditions::default().jitter_ms(300, 400);
    let (arrived, _) = run(Schedule::steady(conditions), 11, &steady(6_000, Duration::from_millis(10), 200));
    let delays: Vec<f64> =
        arrived.iter().map(|packet| packet.at.as_secs_f64() - packet.number as f64 * 0.01).collect();
    let largest = delays.iter().copied().fold(0.0, f64::max);
    let mean = delays.iter().sum::<f64>() / delays.len() as f64;
    assert!(largest > 0.2 && largest <= 0.3, "{largest}");
    assert!(mean > 0.05 && mean < 0.15, "{mean}");
}
