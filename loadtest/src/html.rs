//! The report as one page with plots, without anything from outside.

use std::fmt::Write as _;

use crate::{Report, report::Sample};

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 160.0;
const MARGIN: f64 = 46.0;

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem}\
table{border-collapse:collapse}td,th{padding:.15rem .8rem .15rem 0;text-align:left}td+td{text-align:right}\
svg{width:100%;height:auto}text{font-size:11px;fill:currentColor}.line{fill:none;stroke:#2563eb;stroke-width:1.5}\
.bar{fill:#2563eb}.grid{stroke:#8886}@media(prefers-color-scheme:dark){body{background:#111;color:#ddd}}";

/// A bar or a point: its name and its value.
type Named = (String, f64);

/// The page.
pub fn page(report: &Report) -> String {
    let title = format!("Load test: {}", report.scenario);
    let mut page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title><style>{STYLE}</style>\
         <h1>{title}</h1>"
    );
    summary(report, &mut page);
    let percentiles = |of: &crate::report::Percentiles| -> Vec<Named> {
        [("50 %", of.p50), ("90 %", of.p90), ("99 %", of.p99), ("99.9 %", of.p999), ("max", of.max)]
            .map(|(name, value)| (name.to_owned(), value))
            .to_vec()
    };
    bars("Forward delay, ms", &percentiles(&report.forward_ms), &mut page);
    bars("Join time, ms", &percentiles(&report.join_ms), &mut page);
    let threads: Vec<Named> = report
        .server_threads
        .iter()
        .take(16)
        .map(|thread| (thread.name.clone(), thread.cpu_seconds / report.seconds.max(1e-6) * 100.0))
        .collect();
    bars("CPU of the server by thread, % of a core", &threads, &mut page);
    let memory: Vec<Named> = [
        ("after the joins", report.memory_per_idle_peer_bytes),
        ("in the call", report.memory_per_peer_bytes),
    ]
    .into_iter()
    .filter_map(|(name, bytes)| Some((name.to_owned(), bytes? as f64 / 1024.0)))
    .collect();
    bars("Memory of the server for each participant, KiB", &memory, &mut page);
    let of = |figure: fn(&Sample) -> Option<f64>| -> Vec<(f64, f64)> {
        report.samples.iter().filter_map(|sample| Some((sample.at, figure(sample)?))).collect()
    };
    line("Packets delivered in each sample", &of(|sample| Some(sample.delivered_packets as f64)), &mut page);
    line("Packets lost in each sample", &of(|sample| Some(sample.lost_packets as f64)), &mut page);
    line("99th percentile of the forward delay, ms", &of(|sample| Some(sample.forward_p99_ms)), &mut page);
    line(
        "CPU of the server, % of a core",
        &of(|sample| sample.server_cpu_share.map(|share| share * 100.0)),
        &mut page,
    );
    line(
        "Memory of the server, MiB",
        &of(|sample| sample.server_rss_bytes.map(|bytes| bytes as f64 / 1_048_576.0)),
        &mut page,
    );
    line("Participants connected", &of(|sample| Some(sample.connected as f64)), &mut page);
    page.push_str("</html>\n");
    page
}

fn summary(report: &Report, page: &mut String) {
    let optional =
        |value: Option<f64>| value.map_or_else(|| "not known".to_owned(), |value| format!("{value:.0}"));
    let rows = [
        ("Server", escape(&report.url)),
        ("Rooms, participants", format!("{}, {}", report.rooms, report.peers)),
        ("Measured", format!("{:.1} s", report.seconds)),
        ("Packets delivered", report.delivered_packets.to_string()),
        ("Packets lost", format!("{} ({:.3} %)", report.lost_packets, report.loss_share * 100.0)),
        ("Packets for each CPU second", optional(report.packets_per_core_second)),
        ("Joins, failed", format!("{}, {}", report.joins, report.failed_joins)),
        ("Faults of the server", report.faults.of_the_server().to_string()),
    ];
    page.push_str("<table>");
    for (name, value) in rows {
        // Writing to a string does not fail.
        let _ = write!(page, "<tr><td>{name}</td><td>{value}</td></tr>");
    }
    page.push_str("</table>");
}

/// One bar for each value; nothing without values.
fn bars(title: &str, values: &[Named], page: &mut String) {
    if values.is_empty() {
        return;
    }
    let most = values.iter().map(|(_, value)| *value).fold(1e-9, f64::max);
    let step = 22.0;
    let height = step * values.len() as f64 + 4.0;
    let _ = write!(
        page,
        "<h2>{title}</h2><svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{title}\">"
    );
    for (index, (name, value)) in values.iter().enumerate() {
        let y = step * index as f64;
        let long = (value / most * (WIDTH - 240.0)).max(0.0);
        let _ = write!(
            page,
            "<text x=\"0\" y=\"{:.0}\">{}</text><rect class=\"bar\" x=\"140\" y=\"{:.0}\" width=\"{long:.1}\" \
             height=\"14\"/><text x=\"{:.1}\" y=\"{:.0}\">{value:.2}</text>",
            y + 14.0,
            escape(name),
            y + 3.0,
            148.0 + long,
            y + 14.0,
        );
    }
    page.push_str("</svg>");
}

/// A line over time; nothing with fewer than two points.
fn line(title: &str, points: &[(f64, f64)], page: &mut String) {
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return };
    if points.len() < 2 {
        return;
    }
    let most = points.iter().map(|(_, value)| *value).fold(1e-9, f64::max);
    let x = |at: f64| MARGIN + (at - first.0) / (last.0 - first.0).max(1e-9) * (WIDTH - MARGIN);
    let y = |value: f64| HEIGHT - 20.0 - value / most * (HEIGHT - 34.0);
    let path: Vec<String> =
        points.iter().map(|(at, value)| format!("{:.1},{:.1}", x(*at), y(*value))).collect();
    let _ = write!(
        page,
        "<h2>{title}</h2><svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{title}\">\
         <line class=\"grid\" x1=\"{MARGIN}\" x2=\"{WIDTH}\" y1=\"{0:.1}\" y2=\"{0:.1}\"/>\
         <line class=\"grid\" x1=\"{MARGIN}\" x2=\"{WIDTH}\" y1=\"{1:.1}\" y2=\"{1:.1}\"/>\
         <text x=\"0\" y=\"{2:.1}\">{most:.1}</text><text x=\"0\" y=\"{0:.1}\">0</text>\
         <text x=\"{MARGIN}\" y=\"{HEIGHT}\">{3:.0} s</text><text x=\"{4:.0}\" y=\"{HEIGHT}\">{5:.0} s</text>\
         <polyline class=\"line\" points=\"{6}\"/></svg>",
        y(0.0),
        y(most),
        y(most) + 4.0,
        first.0,
        WIDTH - 40.0,
        last.0,
        path.join(" "),
    );
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::procfs::ThreadUse;

    #[test]
    fn the_page_has_a_plot_for_each_figure_and_trusts_no_name() {
        let sample = |at, delivered_packets| Sample {
            at,
            delivered_packets,
            server_cpu_share: Some(0.5),
            server_rss_bytes: Some(1 << 20),
            ..Sample::default()
        };
        let report = Report {
            scenario: "fanout",
            seconds: 2.0,
            server_threads: vec![ThreadUse { name: "<media>".to_owned(), cpu_seconds: 1.0 }],
            memory_per_peer_bytes: Some(2_048),
            samples: vec![sample(1.0, 10), sample(2.0, 20)],
            ..Report::default()
        };
        let page = page(&report);
        assert_eq!(page.matches("<svg").count(), page.matches("</svg>").count());
        assert_eq!(page.matches("<svg").count(), 10);
        assert!(page.contains("&lt;media&gt;") && !page.contains("<media>"));
        assert!(page.contains(">50.00<"), "the thread's share of a core");
        assert!(!page.contains("http://") && !page.contains("https://"));
    }

    #[test]
    fn a_report_without_figures_still_makes_a_page() {
        let page = page(&Report { scenario: "joins", ..Report::default() });
        assert!(page.contains("not known") && page.ends_with("</html>\n"));
    }
}
