//! The program as its operator meets it: start, mistakes, signals, restart.

#![allow(clippy::unwrap_used)]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

const READY_LIMIT: Duration = Duration::from_secs(60);

fn parley() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_parley"));
    command.env_clear().env("PATH", std::env::var("PATH").unwrap());
    command
}

/// Status, and the whole answer.
fn get(address: &str, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    (status, answer)
}

/// A running server with its plain HTTP address; killed when dropped.
struct Server {
    child: Child,
    address: String,
    printed: String,
}

impl Server {
    fn start(data: &Path, arguments: &[&str]) -> Self {
        let mut command = parley();
        command.args(["serve", "--data", data.to_str().unwrap(), "--http-listen", "127.0.0.1:0"]);
        command.args(["--media-udp-port", "0", "--set", "media.bind=127.0.0.1"]).args(arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let begun = Instant::now();
        let mut printed = String::new();
        while !printed.contains("is ready") {
            assert!(begun.elapsed() < READY_LIMIT, "not ready: {printed}");
            printed.push_str(&lines.next().expect("the server ended before it was ready").unwrap());
            printed.push('\n');
        }
        let plain = printed.lines().find(|line| line.contains("plain HTTP")).unwrap();
        let address = plain.split("http://").nth(1).unwrap().to_owned();
        // Later lines are read on, so that the pipe never fills.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, address, printed }
    }

    fn get(&self, path: &str) -> (u16, String) {
        get(&self.address, path)
    }

    fn terminate(mut self) -> Option<i32> {
        Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        self.child.wait().unwrap().code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn run(arguments: &[&str]) -> Output {
    parley().args(arguments).output().unwrap()
}

#[test]
fn serves_health_and_api_and_stops_cleanly() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &["--dev"]);
    assert_eq!(server.get("/healthz").0, 200);
    assert!(server.get("/metrics").1.contains("parley_media_rooms"), "for development, beside the rest");
    let (status, answer) = server.get("/api/v1/openapi.json");
    assert_eq!(status, 200);
    assert!(answer.contains("\"openapi\":\"3.1"), "{}", &answer[..answer.len().min(400)]);
    let (status, answer) = server.get("/api/v1/nowhere");
    assert_eq!(status, 404);
    assert!(answer.contains("application/problem+json"), "{answer}");
    assert_eq!(server.get("/rtc/v1/validate?access_token=nonsense").0, 401);
    assert_eq!(server.terminate(), Some(0));
}

#[test]
fn the_demo_is_there_once_and_stays() {
    let folder = tempfile::tempdir().unwrap();
    let first = Server::start(folder.path(), &["--dev", "--demo"]);
    assert!(first.printed.contains("doctor@demo.test  password "), "no demo logins in: {}", first.printed);
    let (_, organisations) = first.get("/api/v1/public/organisations");
    assert!(organisations.contains("demo"), "{organisations}");
    assert_eq!(first.terminate(), Some(0));
    let second = Server::start(folder.path(), &["--dev", "--demo"]);
    assert!(second.printed.contains("doctor@demo.test  password "), "{}", second.printed);
    let (_, again) = second.get("/api/v1/public/organisations");
    assert_eq!(organisations.matches("\"slug\"").count(), again.matches("\"slug\"").count());
}

#[test]
fn the_first_practice_is_made_once_with_a_link_for_its_admin() {
    let folder = tempfile::tempdir().unwrap();
    let setup =
        ["--dev", "--set", "setup.organisation=Praxis am Park", "--set", "setup.admin_email=a@praxis.test"];
    let first = Server::start(folder.path(), &setup);
    assert!(first.printed.contains("a@praxis.test sets a password here, once: http"), "{}", first.printed);
    let (_, organisations) = first.get("/api/v1/public/organisations");
    assert!(organisations.contains("Praxis am Park"), "{organisations}");
    assert_eq!(first.terminate(), Some(0));
    let second = Server::start(folder.path(), &setup);
    assert!(!second.printed.contains("a@praxis.test"), "{}", second.printed);
}

#[test]
fn a_data_folder_has_one_server() {
    let folder = tempfile::tempdir().unwrap();
    let _first = Server::start(folder.path(), &["--dev"]);
    let data = folder.path().to_str().unwrap();
    let second =
        run(&["serve", "--dev", "--data", data, "--http-listen", "127.0.0.1:0", "--media-udp-port", "0"]);
    assert_eq!(second.status.code(), Some(1));
    let message = String::from_utf8(second.stderr).unwrap();
    assert!(message.contains("is in use by another server"), "{message}");
}

#[test]
fn a_port_in_use_is_said_plainly() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let output = run(&["serve", "--dev", "--data", data, "--http-listen", &address, "--media-udp-port", "0"]);
    assert_eq!(output.status.code(), Some(1));
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.contains(&address) && message.contains("http.listen"), "{message}");
}

#[test]
fn all_mistakes_of_the_configuration_at_once() {
    let output =
        run(&["serve", "--set", "media.workers=none", "--set", "htpp.listen=x", "--https-listen", "nowhere"]);
    assert_eq!(output.status.code(), Some(1));
    let message = String::from_utf8(output.stderr).unwrap();
    for part in ["3 mistakes", "media.workers", "did you mean http.listen?", "https.listen"] {
        assert!(message.contains(part), "“{part}” is missing in: {message}");
    }
}

#[test]
fn a_killed_server_starts_again_on_its_data() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(folder.path(), &["--dev", "--demo"]);
    let (_, before) = server.get("/api/v1/public/organisations");
    server.child.kill().unwrap();
    server.child.wait().unwrap();
    let again = Server::start(folder.path(), &["--dev"]);
    let (status, after) = again.get("/api/v1/public/organisations");
    assert_eq!(status, 200);
    assert_eq!(before.split("\r\n\r\n").nth(1), after.split("\r\n\r\n").nth(1));
}

#[test]
fn a_token_can_be_printed() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let output = run(&["token", "--dev", "--data", data, "--room", "r", "--identity", "me"]);
    assert!(output.status.success());
    assert_eq!(String::from_utf8(output.stdout).unwrap().trim().split('.').count(), 3);
}

#[test]
fn metrics_have_a_listener_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let server =
        Server::start(folder.path(), &["--set", "metrics.listen=127.0.0.1:0", "--set", "media.workers=2"]);
    let line = server.printed.lines().find(|line| line.contains("/metrics")).unwrap();
    let address = line.split("http://").nth(1).unwrap().trim_end_matches("/metrics");
    let (status, page) = get(address, "/metrics");
    assert_eq!(status, 200);
    assert!(page.contains("application/openmetrics-text"), "{page}");
    for line in ["parley_media_rooms{worker=\"0\"} 0", "parley_media_packets_in_total{worker=\"1\"} 0"] {
        assert!(page.contains(line), "{line} is missing in {page}");
    }
    assert_eq!(get(address, "/api/v1/me").0, 404, "nothing else is there");
    assert!(!server.get("/metrics").1.contains("parley_media"), "not where everybody can read it");
    assert_eq!(server.terminate(), Some(0));
}

/// Bounds on what a participant costs the server, with which docs/performance.md is kept. What is there at present is
/// half of it at most: the rest is for other machines.
#[test]
fn a_participant_is_small_at_rest_and_in_a_call() {
    const IDLE_KIB: u64 = 300;
    const CALL_KIB: u64 = 1_024;
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &["--dev", "--set", "media.workers=1"]);
    let (url, pid) = (format!("ws://{}", server.address.trim()), server.child.id().to_string());
    let file = folder.path().join("report.json");
    let output = run(&[
        "loadtest",
        "--url",
        &url,
        "--scenario",
        "fanout",
        "--watchers",
        "40",
        "--warm-up",
        "1",
        "--seconds",
        "4",
        "--server-pid",
        &pid,
        "--json",
        file.to_str().unwrap(),
    ]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!(report["failed_joins"], 0, "{report}");
    assert!(report["delivered_packets"].as_u64().unwrap() > 1_000, "{report}");
    for (figure, most) in [("memory_per_idle_peer_bytes", IDLE_KIB), ("memory_per_peer_bytes", CALL_KIB)] {
        let bytes = report[figure].as_u64().unwrap();
        // A server that took nothing for forty participants was not looked at.
        assert!(bytes > 10 * 1_024 && bytes < most * 1_024, "{figure}: {bytes}");
    }
}
