#![allow(clippy::unwrap_used)]

use std::io::Write;

use super::*;

fn sources(pairs: &[(&str, &str)]) -> Sources {
    let mut sources = Sources::default();
    for (key, text) in pairs {
        sources.add_flag(key, *text, "--set");
    }
    sources
}

fn mistakes(pairs: &[(&str, &str)]) -> Vec<String> {
    Config::load(&sources(pairs)).unwrap_err().0.into_iter().map(|error| error.key).collect()
}

#[test]
fn defaults_listen_on_https_everywhere_and_http_on_loopback() {
    let config = Config::load(&Sources::default()).unwrap();
    assert_eq!(config.http.listen, Some("127.0.0.1:7880".parse().unwrap()));
    assert_eq!(config.http.https_listen, Some("0.0.0.0:7443".parse().unwrap()));
    assert_eq!(config.public_url.as_str(), "https://localhost:7443/");
    assert!(config.keys.is_empty(), "keys are made and kept in the data folder");
}

#[test]
fn dev_is_what_livekit_users_expect() {
    let config = Config::load(&sources(&[("dev", "true")])).unwrap();
    assert_eq!(config.http.https_listen, None);
    assert_eq!(config.public_url.as_str(), "http://127.0.0.1:7880/");
    assert_eq!(config.keys[0].0, "devkey");
    assert_eq!(config.keys[0].1.expose(), "secret");
    assert_eq!(config.media.bind, [IpAddr::from([127, 0, 0, 1])]);
}

#[test]
fn every_mistake_is_reported_at_once() {
    let found = mistakes(&[
        ("http.listen", "nonsense"),
        ("media.workers", "0"),
        ("media.advertise", "0.0.0.0,here"),
        ("public_url", "ftp://x"),
        ("smtp.url", "mail.example.org"),
        ("log.format", "xml"),
        ("medai.udp_port", "1"),
        ("tls.key", "/nowhere/key.pem"),
        ("keys", "short:abc"),
        ("database.url", "mysql://x"),
        ("webhook.urls", "https://ok.example.org/hook,ftp://x"),
        ("webhook.api_key", "nobody"),
        ("rooms.empty_timeout_seconds", "99999999"),
        ("rooms.auto_create", "perhaps"),
        ("limits.rooms", "0"),
        ("limits.publish_kbps", "much"),
    ]);
    for key in [
        "http.listen",
        "media.workers",
        "media.advertise",
        "public_url",
        "smtp.url",
        "log.format",
        "medai.udp_port",
        "tls.certificate",
        "keys",
        "database.url",
        "webhook.urls",
        "webhook.api_key",
        "rooms.empty_timeout_seconds",
        "rooms.auto_create",
        "limits.rooms",
        "limits.publish_kbps",
    ] {
        assert!(found.iter().any(|name| name == key), "{key} is missing from {found:?}");
    }
}

#[test]
fn rooms_limits_and_webhooks_are_read() {
    let config = Config::load(&sources(&[
        ("keys", "one:0123456789abcdef,two:0123456789abcdef"),
        ("webhook.urls", "https://a.example.org/hook, http://127.0.0.1:9/x"),
        ("webhook.api_key", "two"),
        ("rooms.auto_create", "false"),
        ("rooms.departure_timeout_seconds", "60"),
        ("rooms.max_participants", "8"),
        ("limits.tracks_per_participant", "4"),
        ("limits.publish_kbps", "2500"),
    ]))
    .unwrap();
    let urls: Vec<&str> = config.webhooks.urls.iter().map(Url::as_str).collect();
    assert_eq!(urls, ["https://a.example.org/hook", "http://127.0.0.1:9/x"]);
    assert_eq!(config.webhooks.api_key.as_deref(), Some("two"));
    assert!(!config.rooms.auto_create && !config.rooms.remote_unmute);
    assert_eq!((config.rooms.departure_timeout, config.rooms.max_participants), (Duration::from_secs(60), 8));
    assert_eq!((config.limits.tracks_per_participant, config.limits.publish_kbps), (4, 2_500));
    assert_eq!(config.limits.rooms, 5_000, "a default");
}

#[test]
fn a_mistake_says_where_it_stands_and_what_would_be_right() {
    let errors = Config::load(&sources(&[("medai.udp_port", "1")])).unwrap_err();
    let text = errors.to_string();
    assert!(
        text.contains("medai.udp_port (--set): names no setting; did you mean media.udp_port?"),
        "{text}"
    );
}

#[test]
fn secrets_are_not_printed() {
    let text = format!("{:?}", Config::load(&sources(&[("keys", "k:0123456789abcdef")])).unwrap());
    assert!(!text.contains("0123456789abcdef"));
    let errors = Config::load(&sources(&[("keys", "k0123456789abcdef")])).unwrap_err().to_string();
    assert!(!errors.contains("0123456789abcdef"));
}

#[test]
fn plain_http_beyond_loopback_needs_a_proxy() {
    assert_eq!(mistakes(&[("http.listen", "0.0.0.0:80")]), ["http.listen"]);
    Config::load(&sources(&[("http.listen", "0.0.0.0:80"), ("http.behind_proxy", "true")])).unwrap();
}

#[test]
fn flags_win_over_environment_over_file() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    write!(
        file,
        "data = 'from-file'\n[media]\nudp_port = 9000\nworkers = 3\nadvertise = ['10.0.0.1', '::1']\n"
    )
    .unwrap();
    let mut sources = Sources::default();
    sources.add_file(file.path());
    sources.add_environment([
        ("PARLEY_MEDIA_UDP_PORT".to_owned(), "9100".to_owned()),
        ("PARLEY_MEDIA_WORKERS".to_owned(), "4".to_owned()),
        ("HOME".to_owned(), "/root".to_owned()),
    ]);
    sources.add_flag("media.workers", "5", "--media-workers");
    let config = Config::load(&sources).unwrap();
    assert_eq!((config.media.udp_port, config.media.workers), (9100, 5));
    assert_eq!(config.data, PathBuf::from("from-file"));
    assert_eq!(config.media.advertise.len(), 2);
}

#[test]
fn a_tcp_port_that_is_asked_for_is_required() {
    let tcp = |pairs: &[(&str, &str)]| Config::load(&sources(pairs)).unwrap().media.tcp;
    assert_eq!(tcp(&[]), Some(TcpPort { port: 7881, required: false }));
    assert_eq!(tcp(&[("media.tcp_port", "7900")]), Some(TcpPort { port: 7900, required: true }));
    assert_eq!(tcp(&[("media.tcp_port", "0")]), None);
    assert_eq!(tcp(&[("media.udp_port", "0")]), None);
}

#[test]
fn a_misspelt_variable_is_a_mistake() {
    let mut sources = Sources::default();
    sources.add_environment([("PARLEY_MEDIA_PROT".to_owned(), "1".to_owned())]);
    assert_eq!(Config::load(&sources).unwrap_err().0[0].key, "PARLEY_MEDIA_PROT");
}

#[test]
fn a_secret_can_stand_in_a_file() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    writeln!(file, "smtp://u:p@mail.example.org:587").unwrap();
    let path = file.path().display().to_string();
    let mut from_env = Sources::default();
    from_env.add_environment([("PARLEY_SMTP_URL_FILE".to_owned(), path)]);
    let config = Config::load(&from_env).unwrap();
    assert_eq!(config.mail.smtp_url.unwrap().expose(), "smtp://u:p@mail.example.org:587");

    let missing = Config::load(&sources(&[("smtp.url_file", "/nowhere")])).unwrap_err();
    assert!(missing.to_string().contains("smtp.url (--set → /nowhere): cannot be read"));
}

#[test]
fn a_file_that_is_not_there_or_not_toml_is_said() {
    let mut sources = Sources::default();
    sources.add_file(std::path::Path::new("/nowhere/parley.toml"));
    assert!(Config::load(&sources).unwrap_err().to_string().contains("/nowhere/parley.toml"));
    let mut file = tempfile::NamedTempFile::new().unwrap();
    writeln!(file, "= = =").unwrap();
    let mut sources = Sources::default();
    sources.add_file(file.path());
    assert!(Config::load(&sources).unwrap_err().to_string().contains("is not TOML"));
}
