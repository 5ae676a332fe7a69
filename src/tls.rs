//! The HTTPS certificate: files of the operator, or one made on first start and kept.

use std::{
    fs,
    io::{self, Write},
    net::IpAddr,
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose};
use serde::{Deserialize, Serialize};

use crate::config::Config;

/// Browsers refuse certificates that live longer than 398 days.
const LIFETIME: Duration = Duration::from_secs(365 * DAY_SECS);
const RENEW_BEFORE: Duration = Duration::from_secs(30 * DAY_SECS);
const DAY_SECS: u64 = 24 * 60 * 60;

/// PEM files to serve with.
#[derive(Clone, Debug)]
pub struct Certificate {
    pub chain: PathBuf,
    pub key: PathBuf,
    /// Made by ourselves: browsers will ask before they go on.
    pub own: bool,
}

/// What a kept certificate was made for.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Made {
    names: Vec<String>,
    /// Seconds since 1970.
    expires: u64,
}

/// Finds the configured certificate, or the kept one, or makes one.
///
/// # Errors
/// When the data folder cannot be written or the names cannot stand in a certificate.
pub fn certificate(config: &Config) -> io::Result<Certificate> {
    if let Some((chain, key)) = &config.tls.files {
        return Ok(Certificate { chain: chain.clone(), key: key.clone(), own: false });
    }
    let folder = config.data_file("tls");
    fs::create_dir_all(&folder)?;
    let certificate =
        Certificate { chain: folder.join("certificate.pem"), key: folder.join("key.pem"), own: true };
    let names = names(config);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let kept =
        fs::read(folder.join("made.json")).ok().and_then(|bytes| serde_json::from_slice::<Made>(&bytes).ok());
    let usable = kept.is_some_and(|made| {
        made.names == names && made.expires > (now + RENEW_BEFORE).as_secs() && certificate.chain.exists()
    });
    if !usable || !certificate.key.exists() {
        make(&certificate, &folder, names, now)?;
    }
    Ok(certificate)
}

fn make(certificate: &Certificate, folder: &Path, names: Vec<String>, now: Duration) -> io::Result<()> {
    let mut params = CertificateParams::new(names.clone()).map_err(io::Error::other)?;
    params.distinguished_name.push(DnType::CommonName, "Parley");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let expires = now + LIFETIME;
    // A client whose clock is a day behind may connect too.
    params.not_before = date(now.saturating_sub(Duration::from_secs(DAY_SECS)))?;
    params.not_after = date(expires)?;
    let key = KeyPair::generate().map_err(io::Error::other)?;
    let signed = params.self_signed(&key).map_err(io::Error::other)?;
    write_private(&certificate.key, key.serialize_pem().as_bytes())?;
    fs::write(&certificate.chain, signed.pem())?;
    let made = Made { names, expires: expires.as_secs() };
    fs::write(folder.join("made.json"), serde_json::to_vec_pretty(&made)?)
}

fn date(since_epoch: Duration) -> io::Result<time::OffsetDateTime> {
    let seconds = i64::try_from(since_epoch.as_secs()).map_err(io::Error::other)?;
    time::OffsetDateTime::from_unix_timestamp(seconds).map_err(io::Error::other)
}

/// The configured names, or those under which this machine is likely to be opened.
fn names(config: &Config) -> Vec<String> {
    let mut names = config.tls.names.clone();
    if names.is_empty() {
        names.extend(["localhost", "127.0.0.1", "::1"].map(ToOwned::to_owned));
        names.extend(fs::read_to_string("/etc/hostname").map(|name| name.trim().to_owned()));
    }
    names.extend(config.public_url.host_str().map(|host| host.trim_matches(['[', ']']).to_owned()));
    let listen = config.http.https_listen.map(|address| address.ip());
    names
        .extend(config.media.advertise.iter().copied().chain(listen).filter(usable).map(|ip| ip.to_string()));
    names.retain(|name| !name.is_empty());
    names.sort();
    names.dedup();
    names
}

fn usable(address: &IpAddr) -> bool {
    !address.is_unspecified()
}

/// Writes a file that only its owner can read.
pub fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::config::Sources;

    fn config(data: &Path, names: &str) -> Config {
        let mut sources = Sources::default();
        sources.add_flag("data", data.display().to_string(), "--data");
        sources.add_flag("tls.names", names, "--set");
        Config::load(&sources).unwrap()
    }

    #[test]
    fn a_certificate_is_made_once_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let first = certificate(&config(folder.path(), "")).unwrap();
        let chain = fs::read(&first.chain).unwrap();
        let again = certificate(&config(folder.path(), "")).unwrap();
        assert!(first.own);
        assert_eq!(chain, fs::read(again.chain).unwrap());
    }

    #[test]
    fn other_names_make_a_new_one() {
        let folder = tempfile::tempdir().unwrap();
        let first = fs::read(certificate(&config(folder.path(), "a.example.org")).unwrap().chain).unwrap();
        let second = fs::read(certificate(&config(folder.path(), "b.example.org")).unwrap().chain).unwrap();
        assert_ne!(first, second);
    }

    #[test]
    fn the_key_is_private() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let key = certificate(&config(folder.path(), "")).unwrap().key;
        assert_eq!(fs::metadata(key).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
