//! Opening: what is refused says why, and the file is private.
#![allow(clippy::unwrap_used)]

use parley_control_store::{DatabaseUrl, Store};

async fn refusal(url: &DatabaseUrl) -> String {
    match Store::open(url).await {
        Ok(_) => panic!("{url:?} was opened"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn addresses() {
    let read = |text: &str| text.parse::<DatabaseUrl>().map(|url| format!("{url:?}"));
    assert_eq!(read("sqlite:///var/lib/parley/parley.db").unwrap(), "sqlite:///var/lib/parley/parley.db");
    assert_eq!(read("sqlite:data/parley.db").unwrap(), "sqlite://data/parley.db");
    // The password is not shown.
    assert_eq!(
        read("postgres://parley:secret@db.example.org:5433/x").unwrap(),
        "postgres://db.example.org:5433"
    );
    for bad in [
        "",
        "mysql://x",
        "sqlite:",
        "sqlite://",
        "sqlite://a.db?mode=ro",
        "/var/lib/parley.db",
        "postgres://:x:y",
    ] {
        let error = read(bad).unwrap_err().to_string();
        assert!(error.contains("sqlite:///path/to/file"), "{bad}: {error}");
    }
}

#[tokio::test]
async fn what_cannot_be_opened_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("no such folder").join("parley.db");
    let error = refusal(&DatabaseUrl::sqlite(&missing)).await;
    assert!(error.contains("no such folder") && error.contains("cannot be opened for writing"), "{error}");

    let text = folder.path().join("text.db");
    std::fs::write(&text, "This is a text and no database. ".repeat(40)).unwrap();
    let error = refusal(&DatabaseUrl::sqlite(&text)).await;
    assert!(error.contains("text.db") && error.contains("not a database"), "{error}");

    let nobody: DatabaseUrl =
        format!("postgres://parley@localhost/parley?host={}", folder.path().display()).parse().unwrap();
    let error = refusal(&nobody).await;
    assert!(error.contains("cannot be opened"), "{error}");
}

#[cfg(unix)]
#[tokio::test]
async fn the_file_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&DatabaseUrl::sqlite(folder.path().join("parley.db"))).await.unwrap();
    let mut files = 0;
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{:?}", entry.path());
        files += 1;
    }
    assert!(files >= 2, "the database and its journal");
    store.close().await;
    // Closed, all is in the one file.
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}
