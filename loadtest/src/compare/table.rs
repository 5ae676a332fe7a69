//! The comparison for people: figures in fixed columns, and the aims beside what was measured.

use std::fmt::Write as _;

use serde::Serialize;

use super::{Comparison, Delay, Joins, Row, row::median};

const KIB: u64 = 1024;
/// Forwarded packets a second of one core, at 1→many with full packets.
const CAPACITY: f64 = 250_000.0;
const SHARE_OF_BARE: f64 = 0.35;
const DELAY_P99_MS: f64 = 2.0;
const DELAY_P999_MS: f64 = 10.0;
/// Of one core, by 50 calls of two with 720p.
const CALLS_CPU_SHARE: f64 = 0.5;
/// Of a load, the share that has to arrive for a delay to be one under that load.
const LOAD_SHARE: f64 = 0.9;
/// Above this the generator did not get its CPU.
const LATE_MS: f64 = 5.0;
const IDLE_BYTES: u64 = 300 * KIB;
const CALL_BYTES: u64 = 1024 * KIB;

/// One aim and what was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verdict {
    pub what: String,
    pub aim: String,
    pub found: String,
    pub met: bool,
}

/// The aims that what was measured can be held against. `loaded` names the row of the core's capacity.
pub(super) fn verdicts(rows: &[Row], loaded: &str, delays: &[Delay], joins: Option<&Joins>) -> Vec<Verdict> {
    let mut list = Vec::new();
    let mut add = |what: String, aim: String, found: String, met: bool| {
        list.push(Verdict { what, aim, found, met });
    };
    for row in rows.iter().filter(|row| row.name.starts_with("1→")) {
        // The lighter of the two is told as well: its frames are of a few packets, and cost more for each.
        let note = if row.name == loaded { "" } else { ", light load" };
        add(
            format!("{}: packets for each core-second{note}", row.name),
            format!("≥ {CAPACITY:.0}"),
            format!("{:.0}", row.packets_per_core_second),
            row.packets_per_core_second >= CAPACITY,
        );
        add(
            format!("{}: share of the bare loop{note}", row.name),
            format!("≥ {:.0} %", SHARE_OF_BARE * 100.0),
            format!("{:.0} %", row.share_of_bare * 100.0),
            row.share_of_bare >= SHARE_OF_BARE,
        );
    }
    for delay in delays {
        let (added, all, control) = (delay.added_ms(), &delay.forward_ms, &delay.control_ms);
        let inside = delay.server_ms.unwrap_or_default();
        let loaded = delay.delivered_share >= LOAD_SHARE;
        let note = if loaded { "" } else { "; the load did not come through" };
        for (name, aim, inside, added, all, control) in [
            ("99 %", DELAY_P99_MS, inside.p99, added.p99, all.p99, control.p99),
            ("99.9 %", DELAY_P999_MS, inside.p999, added.p999, all.p999, control.p999),
        ] {
            let what = |how: &str| format!("delay at half load, {}, {name}, {how}", delay.name);
            let aim_text = || format!("< {aim:.0} ms");
            if delay.server_ms.is_some() {
                add(
                    what("in the server"),
                    aim_text(),
                    format!("{inside:.2} ms{note}"),
                    loaded && inside < aim,
                );
            }
            add(
                what("at the receivers"),
                aim_text(),
                format!("{added:.2} ms ({all:.2} less {control:.2} without a server){note}"),
                loaded && added < aim,
            );
        }
    }
    if let Some(calls) = rows.iter().find(|row| row.name.starts_with("one-to-one")) {
        add(
            "50 calls of two, 720p: CPU of the server".to_owned(),
            format!("< {:.0} % of a core", CALLS_CPU_SHARE * 100.0),
            format!("{:.0} %", calls.server_cpu_share * 100.0),
            calls.server_cpu_share < CALLS_CPU_SHARE,
        );
    }
    for (when, aim, of) in [
        ("at rest", IDLE_BYTES, (|row| row.memory_per_idle_peer_bytes) as fn(&Row) -> u64),
        ("in a call", CALL_BYTES, |row| row.memory_per_peer_bytes),
    ] {
        if let Some(most) = rows.iter().max_by_key(|row| of(row)) {
            add(
                format!("memory of a participant {when}, the most of all rows"),
                format!("< {} KiB", aim / KIB),
                format!("{} KiB ({})", of(most) / KIB, most.name),
                of(most) < aim,
            );
        }
    }
    if let Some(joins) = joins {
        add(
            format!("{} joins within 10 s: failed", joins.joins + joins.failed),
            "0".to_owned(),
            joins.failed.to_string(),
            joins.failed == 0,
        );
        let leaked = joins.leaked_peers.map_or_else(|| "not told".to_owned(), |leaked| leaked.to_string());
        let met = joins.leaked_peers == Some(0);
        add("participants still listed after all have left".to_owned(), "0".to_owned(), leaked, met);
    }
    list
}

impl Comparison {
    /// For people, in fixed columns.
    pub fn table(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "Medians of {} rounds, each row with a fresh server of one media thread, by turns with the bare loop. Packets,\n\
             loss and delay are counted at the receivers; CPU is the server's, all threads; \"top %\": of what would come\n\
             if every watcher got the largest layer.\n",
            self.rounds
        );
        let _ = writeln!(
            text,
            "{:<16} {:>10} {:>12} {:>7} {:>7} {:>7} {:>8} {:>8} {:>8} {:>6} {:>9} {:>9} {:>8}",
            "",
            "packets/s",
            "packets/core",
            "of bare",
            "top %",
            "lost %",
            "p50 ms",
            "p99 ms",
            "p99.9 ms",
            "CPU %",
            "KiB idle",
            "KiB call",
            "client %"
        );
        for row in &self.rows {
            let _ = writeln!(
                text,
                "{:<16} {:>10.0} {:>12.0} {:>6.0}% {:>7.0} {:>7.3} {:>8.2} {:>8.2} {:>8.2} {:>6.0} {:>9} {:>9} {:>8.0}",
                row.name,
                row.delivered_per_second,
                row.packets_per_core_second,
                row.share_of_bare * 100.0,
                row.delivered_share * 100.0,
                row.loss_share * 100.0,
                row.forward_ms.p50,
                row.forward_ms.p99,
                row.forward_ms.p999,
                row.server_cpu_share * 100.0,
                row.memory_per_idle_peer_bytes / KIB,
                row.memory_per_peer_bytes / KIB,
                row.client_cpu_share * 100.0,
            );
        }
        for (name, rate) in [
            ("bare loop, batched", self.bare_batched_per_core_second),
            ("bare loop, single", self.bare_single_per_core_second),
        ] {
            let _ = writeln!(text, "{name:<27} {rate:>12.0}");
        }
        self.note_other_work(&mut text);
        self.delays(&mut text);
        self.aims(&mut text);
        text
    }

    /// Timers of the generator that run late tell of a machine that has other work.
    fn note_other_work(&self, text: &mut String) {
        let late = self.reports.iter().map(|report| report.client_lateness_ms.p99).collect::<Vec<f64>>();
        let late = median(&late);
        if late > LATE_MS {
            let _ = writeln!(
                text,
                "\nThe generator's own timers were {late:.0} ms late (99 %, median of all measurements): the machine has other\n\
                 work. Delays and \"top %\" are of that, and memory is larger for it; ratios of CPU time hold better."
            );
        }
    }

    fn delays(&self, text: &mut String) {
        if self.delays.is_empty() {
            return;
        }
        text.push_str(
            "\nDelay at half of the load that fills a core. 1→many: a frame comes as a burst, and goes out to all\n\
             watchers one after the other, so that the last must wait for as long as that takes.\n",
        );
        for delay in &self.delays {
            let _ = writeln!(
                text,
                "{}: {:.0} packets/s ({:.0} % of the largest layer), server {:.0} % of a core, {} lost",
                delay.name,
                delay.delivered_per_second,
                delay.delivered_share * 100.0,
                delay.server_cpu_share * 100.0,
                delay.lost_packets
            );
            let _ = writeln!(text, "{:<34} {:>8} {:>8} {:>8}", "  ms", "50 %", "99 %", "99.9 %");
            for (name, of) in [
                ("from publisher to watcher", Some(delay.forward_ms)),
                ("control: a thread that passes on", Some(delay.control_ms)),
                ("added, as seen by the watchers", Some(delay.added_ms())),
                ("in the server, by its own clock", delay.server_ms),
                ("generator's timers late by", Some(delay.client_lateness_ms)),
            ] {
                if let Some(of) = of {
                    let _ = writeln!(text, "  {name:<32} {:>8.2} {:>8.2} {:>8.2}", of.p50, of.p99, of.p999);
                }
            }
        }
    }

    fn aims(&self, text: &mut String) {
        let width = self.verdicts.iter().map(|verdict| verdict.what.chars().count()).max().unwrap_or(0);
        text.push('\n');
        for verdict in &self.verdicts {
            let met = if verdict.met { "met" } else { "NOT met" };
            let _ =
                writeln!(text, "{met:<8} {:<width$}  {:<17} {}", verdict.what, verdict.aim, verdict.found);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Report, compare::row::row, report::Percentiles};

    fn comparison(packets_per_core_second: f64) -> Comparison {
        let report = Report {
            seconds: 2.0,
            delivered_packets: 1_000,
            server_cpu_seconds: Some(0.8),
            packets_per_core_second: Some(packets_per_core_second),
            memory_per_idle_peer_bytes: Some(200 * KIB),
            memory_per_peer_bytes: Some(2_000 * KIB),
            ..Report::default()
        };
        let names = ["one-to-one ×50", "1→100, 720p", "1→100, 1000/s"];
        let rows: Vec<Row> = names.map(|name| row(name.to_owned(), &[&report], 400_000.0)).into();
        let at = |p99| Percentiles { p50: 1.0, p99, p999: 8.0, ..Percentiles::default() };
        let delay = Delay {
            name: "1→100, 1250/s".to_owned(),
            delivered_share: 1.0,
            forward_ms: at(5.0),
            control_ms: at(3.5),
            server_ms: Some(at(2.5)),
            ..Delay::default()
        };
        let delays = vec![delay];
        let joins = Joins { joins: 999, failed: 1, leaked_peers: Some(0), ..Joins::default() };
        let verdicts = verdicts(&rows, "1→100, 1000/s", &delays, Some(&joins));
        Comparison {
            rounds: 1,
            bare_batched_per_core_second: 400_000.0,
            bare_single_per_core_second: 200_000.0,
            rows,
            delays,
            joins: Some(joins),
            verdicts,
            reports: vec![report],
        }
    }

    fn met(comparison: &Comparison) -> Vec<bool> {
        comparison.verdicts.iter().map(|verdict| verdict.met).collect()
    }

    #[test]
    fn every_aim_is_told_with_what_was_found() {
        let good = comparison(260_000.0);
        let capacity_and_share = [true; 4];
        let (inside, receivers) = (false, true);
        let delay_and_calls = [inside, receivers, true, true, true];
        let rest = [true, false, false, true];
        assert_eq!(met(&good), [&capacity_and_share[..], &delay_and_calls, &rest].concat());
        assert_eq!(met(&comparison(100_000.0))[..4], [false; 4]);
        let table = good.table();
        assert!(table.contains("65%") && table.contains("400000") && table.contains("200000"));
        assert!(table.contains("NOT met") && table.contains("2000 KiB"), "{table}");
        assert!(table.contains("1.50 ms (5.00 less 3.50 without a server)"), "{table}");
        assert!(!table.contains("timers were"), "{table}");
        let mut late = good;
        late.reports[0].client_lateness_ms.p99 = 7.0;
        assert!(late.table().contains("timers were 7 ms late"), "{}", late.table());
    }

    #[test]
    fn a_delay_without_its_load_meets_no_aim() {
        let delay = Delay { name: "1→100".to_owned(), delivered_share: 0.02, ..Delay::default() };
        let verdicts = verdicts(&[], "1→100, 1000/s", &[delay], None);
        assert_eq!(verdicts.iter().map(|verdict| verdict.met).collect::<Vec<_>>(), [false; 2]);
        assert!(verdicts[0].found.ends_with("the load did not come through"), "{verdicts:?}");
    }

    #[test]
    fn what_was_not_measured_is_not_judged() {
        assert_eq!(verdicts(&[], "1→100, 1000/s", &[], None), []);
    }
}
