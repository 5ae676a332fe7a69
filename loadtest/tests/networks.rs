//! Poor networks in real time, through the public protocol; all twelve, for a minute each, by
//! `parley loadtest --scenario networks`.

#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use parley_loadtest::network::{self, Options, Scenario};
use support::{Server, key};

/// One that loses and one that is narrow.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_hold_on_poor_networks() {
    let server = Server::start().await;
    let scenarios: Vec<Scenario> = ["dsl", "hotel"]
        .into_iter()
        .map(|name| Scenario { length: Duration::from_secs(15), ..Scenario::named(name).unwrap() })
        .collect();
    let options = Options { server: server.url.clone(), key: key(), scenarios };
    let report = network::networks(&options, |_| {}).await.unwrap();
    assert_eq!(report.networks.len(), 2);
    assert!(report.networks.iter().any(|outcome| outcome.network.down.lost > 0));
    for outcome in &report.networks {
        // Both ways of sound and the picture came through it.
        let passed = outcome.network.down;
        assert!(passed.delivered > 500, "{outcome:#?}");
        assert!(outcome.network.up.delivered > 500, "{outcome:#?}");
        assert!(outcome.sound_down.packets > 400 && outcome.picture.frames > 100, "{outcome:#?}");
        assert!(outcome.sound_up.as_ref().unwrap().packets > 400, "{outcome:#?}");
        // A machine without time for this shows its own delays.
        assert!(outcome.passed() || outcome.generator_late, "{outcome:#?}");
    }
}
