//! Each scenario, small, against a real server.

#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use parley_loadtest::{
    Report,
    scenario::{self, Options, Scenario},
};
use support::{Server, key};
use tokio::sync::watch;

async fn run(scenario: Scenario, change: impl FnOnce(&mut Options)) -> Report {
    let server = Server::start().await;
    let mut options = Options {
        measure: Duration::from_secs(3),
        warm_up: Duration::from_secs(1),
        server_pid: Some(std::process::id()),
        join_limit: Duration::from_secs(60),
        ..Options::new(server.url.clone(), key(), scenario)
    };
    change(&mut options);
    let (_stop, stopped) = watch::channel(false);
    let report = scenario::run(&options, stopped, |_| {}).await.unwrap();
    assert_eq!(report.failed_joins, 0, "{:?}", report.failures);
    assert_eq!(report.joins, report.peers + report.churn.map_or(0, |churn| churn.joins as usize));
    assert_eq!(report.faults.of_the_server(), 0, "{:?}", report.faults);
    assert_eq!((report.ended_sessions, report.refused_packets), (0, 0));
    assert!(!report.interrupted);
    assert_eq!(report.leaked_peers, Some(0));
    report
}

/// Media came, and every figure that tools read is there.
fn assert_measured(report: &Report) {
    assert!(report.delivered_packets > 100, "{}", report.delivered_packets);
    assert!(
        report.frames > 30 && report.forward_ms.p50 > 0.0 && report.forward_ms.p999 >= report.forward_ms.p99
    );
    let json = serde_json::to_value(report).unwrap();
    for field in [
        "delivered_packets",
        "lost_packets",
        "seconds",
        "server_cpu_seconds",
        "packets_per_core_second",
        "failed_joins",
        "server_rss_bytes",
        "client_cpu_seconds",
    ] {
        assert!(json[field].is_number(), "{field}: {}", json[field]);
    }
    for field in ["p50", "p99", "p999"] {
        assert!(json["forward_ms"][field].as_f64().unwrap() > 0.0);
    }
    assert!(json["join_ms"]["p50"].as_f64().unwrap() > 0.0 && json["join_ms"]["p99"].is_number());
    assert!(!json["server_threads"].as_array().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_to_one() {
    let report = run(Scenario::OneToOne, |options| options.rooms = 2).await;
    assert_eq!((report.peers, report.publishers, report.watchers), (4, 4, 4));
    assert_measured(&report);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fanout() {
    let report = run(Scenario::Fanout, |options| options.watchers = Some(3)).await;
    assert_eq!((report.peers, report.publishers, report.watchers), (4, 1, 3));
    assert_measured(&report);
    assert!(report.expected_packets.unwrap() > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn meeting_received_by_whole_clients() {
    let report = run(Scenario::Meeting, |options| {
        options.publishers = Some(3);
        options.light = false;
    })
    .await;
    assert_eq!((report.peers, report.publishers, report.watchers), (3, 3, 3));
    assert_measured(&report);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn joins() {
    let report = run(Scenario::Joins, |options| {
        options.rooms = 5;
        options.watchers = Some(2);
        options.measure = Duration::from_secs(1);
    })
    .await;
    assert_eq!((report.peers, report.joins, report.delivered_packets), (10, 10, 0));
    assert!(report.join_ms.p50 > 0.0 && report.seconds > 0.5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn churn_replaces_participants_without_a_fault() {
    let report = run(Scenario::Meeting, |options| {
        options.publishers = Some(3);
        options.churn_per_second = 2.0;
    })
    .await;
    let churn = report.churn.unwrap();
    assert!(churn.joins > 0 && churn.leaves == churn.joins && churn.failed_joins == 0, "{churn:?}");
    assert_eq!(report.expected_packets, None);
    assert_measured(&report);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_ends_with_a_report_and_a_server_that_is_not_there_with_failures() {
    let (stop, stopped) = watch::channel(false);
    let nowhere = url::Url::parse("ws://127.0.0.1:9").unwrap();
    let options =
        Options { rooms: 3, warm_up: Duration::ZERO, ..Options::new(nowhere, key(), Scenario::OneToOne) };
    stop.send(true).unwrap();
    let report = scenario::run(&options, stopped, |_| {}).await.unwrap();
    assert!(report.interrupted && report.delivered_packets == 0);

    let (_stop, stopped) = watch::channel(false);
    let options = Options { scenario: Scenario::Joins, measure: Duration::from_millis(100), ..options };
    let report = scenario::run(&options, stopped, |_| {}).await.unwrap();
    assert_eq!((report.joins, report.failed_joins), (0, 6));
    assert_eq!(report.failures.iter().map(|(_, count)| count).sum::<usize>(), 6);
}
