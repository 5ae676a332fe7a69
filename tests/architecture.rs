//! The invariants of ARCHITECTURE.md that are absences, checked on the sources.

#![allow(clippy::unwrap_used)]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The names under `[dependencies]` of a crate.
fn dependencies(folder: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(root().join(folder).join("Cargo.toml")).unwrap();
    let manifest: toml::Table = text.parse().unwrap();
    manifest["dependencies"].as_table().unwrap().keys().cloned().collect()
}

/// Every Rust source under `folder/src`, with its path.
fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path, text));
            }
        }
    }
    assert!(!found.is_empty(), "{folder} has no sources");
    found
}

/// The code of a source: no comments, and nothing from the first test module on.
fn code(path: &Path, text: &str) -> String {
    let name = path.file_stem().unwrap().to_str().unwrap();
    let is_test = name == "testing" || name == "tests" || name.ends_with("_tests");
    if is_test || path.components().any(|part| part.as_os_str() == "tests") {
        return String::new();
    }
    let code = text.split("#[cfg(test)]").next().unwrap();
    code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

fn assert_absent(folder: &str, words: &[&str], reason: &str) {
    for (path, text) in sources(folder) {
        let code = code(&path, &text);
        for word in words {
            assert!(!code.contains(word), "{} contains “{word}”: {reason}", path.display());
        }
    }
}

const CRATES: &[&str] = &[
    ".",
    "media/core",
    "media/rtc",
    "signaling",
    "turn/core",
    "turn/server",
    "recorder",
    "control/domain",
    "control/app",
    "control/store",
    "control/providers",
    "control/http",
    "loadtest",
];

#[test]
fn cores_depend_on_nothing_that_does_io() {
    let allowed: &[(&str, &[&str])] = &[
        ("media/core", &["thiserror"]),
        ("turn/core", &["thiserror", "stun-types"]),
        ("recorder", &["thiserror", "parley-media-core"]),
        ("control/domain", &["jiff", "serde", "thiserror", "uuid"]),
    ];
    for (folder, allowed) in allowed {
        for name in dependencies(folder) {
            assert!(allowed.contains(&name.as_str()), "{folder} depends on {name}; allowed are {allowed:?}");
        }
    }
}

#[test]
fn cores_read_no_clock_and_no_random_source() {
    let words = [
        "Instant::now",
        "SystemTime::now",
        "Timestamp::now",
        "Zoned::now",
        "rand::",
        "thread_rng",
        "std::thread",
        "std::net::UdpSocket",
        "std::net::TcpStream",
        "std::fs",
        "tokio",
    ];
    for folder in ["media/core", "turn/core", "recorder", "control/domain"] {
        assert_absent(folder, &words, "time and chance come in as arguments; IO belongs to the shell");
    }
}

#[test]
fn directions_hold() {
    let forbidden: &[(&str, &[&str])] = &[
        ("media/rtc", &["parley-signaling", "parley-control", "axum", "livekit-protocol", "sqlx"]),
        ("signaling", &["parley-control", "sqlx", "str0m"]),
        ("turn/server", &["parley-control", "parley-signaling", "sqlx"]),
        (
            "control/app",
            &[
                "parley-control-store",
                "parley-control-http",
                "parley-signaling",
                "parley-media",
                "sqlx",
                "axum",
            ],
        ),
        ("control/store", &["parley-control-http", "parley-signaling", "parley-media", "axum"]),
        (
            "control/providers",
            &["parley-control-store", "parley-control-http", "parley-signaling", "sqlx", "axum"],
        ),
        ("control/http", &["parley-control-store", "parley-signaling", "parley-media", "sqlx"]),
    ];
    for (folder, forbidden) in forbidden {
        for name in dependencies(folder) {
            let broken = forbidden.iter().find(|start| name.starts_with(**start));
            assert!(broken.is_none(), "{folder} must not know {name}");
        }
    }
}

#[test]
fn sql_stands_in_the_store_alone() {
    for folder in CRATES.iter().filter(|folder| **folder != "control/store") {
        assert_absent(folder, &["sqlx::", "INSERT INTO", "SELECT * FROM"], "SQL belongs to control/store");
    }
}

#[test]
fn every_queue_has_a_bound() {
    for folder in CRATES {
        assert_absent(folder, &["unbounded_channel", "unbounded()"], "no queue without a bound");
        assert_absent(
            folder,
            &["std::sync::mpsc::channel", "mpsc::channel()"],
            "the standard channel has no bound",
        );
    }
}

#[test]
fn the_hot_path_takes_no_lock_and_logs_nothing_above_trace() {
    assert_absent(
        "media/core",
        &["Mutex", "RwLock", "tracing", "log::"],
        "the core of the media plane is pure",
    );
}

#[test]
fn migrations_are_the_same_steps_on_both_databases() {
    let names = |folder: &str| -> BTreeSet<String> {
        let entries = fs::read_dir(root().join("migrations").join(folder)).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    };
    assert!(!names("sqlite").is_empty());
    assert_eq!(names("sqlite"), names("postgres"));
}
