//! Keys of this installation, kept in the data folder, outside the database.

use std::{fs, io};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use parley_signaling::{ApiKeys, ApiSecret, TokenMinter};
use rand::{TryRngCore, rngs::OsRng};
use serde::{Deserialize, Serialize};

use crate::{
    config::{Config, Secret},
    tls::write_private,
};

const LINK_KEY_BYTES: usize = 32;

/// Everything secret that the program itself needs.
#[derive(Clone, Debug)]
pub struct Keys {
    /// Signs join links and the like (HMAC-SHA-256).
    pub links: [u8; LINK_KEY_BYTES],
    /// API keys of the signalling protocol; the first one signs our own tokens.
    pub api: Vec<(String, Secret)>,
}

/// As kept in `keys.json`.
#[derive(Serialize, Deserialize)]
struct Kept {
    links: String,
    api_key: String,
    api_secret: String,
}

impl Keys {
    /// Reads `keys.json` in the data folder, or makes it.
    ///
    /// # Errors
    /// When the file cannot be read or written, or is damaged: it is never replaced silently, because every
    /// link given out would die with it.
    pub fn load_or_make(config: &Config) -> io::Result<Self> {
        let path = config.data_file("keys.json");
        let kept = match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|error| io::Error::other(format!("{} is damaged: {error}", path.display())))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs::create_dir_all(&config.data)?;
                let kept =
                    Kept { links: random(LINK_KEY_BYTES)?, api_key: api_key()?, api_secret: random(32)? };
                write_private(&path, &serde_json::to_vec_pretty(&kept)?)?;
                kept
            }
            Err(error) => return Err(io::Error::new(error.kind(), format!("{}: {error}", path.display()))),
        };
        let links = URL_SAFE_NO_PAD.decode(&kept.links).ok().and_then(|bytes| bytes.try_into().ok());
        let links =
            links.ok_or_else(|| io::Error::other(format!("{}: “links” is damaged", path.display())))?;
        let mut api = config.keys.clone();
        if api.is_empty() {
            api.push((kept.api_key, Secret::new(kept.api_secret)));
        }
        Ok(Self { links, api })
    }

    /// The keys as signalling takes them.
    pub fn api_keys(&self) -> ApiKeys {
        self.api.iter().map(|(key, secret)| (key.clone(), ApiSecret::new(secret.expose()))).collect()
    }

    /// Signs access tokens.
    pub fn minter(&self) -> TokenMinter {
        TokenMinter::new(self.api_keys())
    }
}

fn api_key() -> io::Result<String> {
    Ok(format!("API{}", random(9)?))
}

fn random(bytes: usize) -> io::Result<String> {
    let mut buffer = vec![0; bytes];
    OsRng.try_fill_bytes(&mut buffer).map_err(io::Error::other)?;
    Ok(URL_SAFE_NO_PAD.encode(buffer))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::config::Sources;

    fn config(data: &std::path::Path) -> Config {
        let mut sources = Sources::default();
        sources.add_flag("data", data.display().to_string(), "--data");
        Config::load(&sources).unwrap()
    }

    #[test]
    fn keys_are_made_once() {
        let folder = tempfile::tempdir().unwrap();
        let first = Keys::load_or_make(&config(folder.path())).unwrap();
        let second = Keys::load_or_make(&config(folder.path())).unwrap();
        assert_eq!((first.links, first.api), (second.links, second.api));
    }

    #[test]
    fn a_damaged_file_is_an_error_and_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("keys.json"), "{").unwrap();
        assert!(Keys::load_or_make(&config(folder.path())).unwrap_err().to_string().contains("damaged"));
        assert_eq!(fs::read_to_string(folder.path().join("keys.json")).unwrap(), "{");
    }
}
