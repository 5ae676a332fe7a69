//! Where settings come from: file, environment, flags; strings until they are parsed.

use std::{collections::BTreeMap, path::Path};

use super::{ConfigError, SETTINGS};

/// A raw value and where it was found.
#[derive(Clone, Debug)]
pub struct Value {
    pub text: String,
    pub origin: String,
}

/// Raw values by key; what is put in later wins.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    values: BTreeMap<String, Value>,
    errors: Vec<ConfigError>,
}

const FILE_SUFFIX: &str = "_file";
const SECRET_FILE_MAX_BYTES: u64 = 64 * 1024;

impl Sources {
    pub fn value(&self, key: &str) -> Option<&Value> {
        self.values.get(key)
    }

    pub fn errors(&self) -> &[ConfigError] {
        &self.errors
    }

    /// Reads a TOML file: tables become dotted keys, arrays comma-separated lists.
    pub fn add_file(&mut self, path: &Path) {
        let origin = path.display().to_string();
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => return self.fail("config", &origin, format!("cannot be read: {error}")),
        };
        match text.parse::<toml::Table>() {
            Ok(table) => self.add_table("", &table, &origin),
            Err(error) => self.fail("config", &origin, format!("is not TOML: {}", error.message())),
        }
    }

    fn add_table(&mut self, prefix: &str, table: &toml::Table, origin: &str) {
        for (name, value) in table {
            let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
            match value {
                toml::Value::Table(inner) => self.add_table(&key, inner, origin),
                toml::Value::Array(items) => {
                    let text = items.iter().map(plain_text).collect::<Vec<_>>().join(",");
                    self.set(&key, text, origin);
                }
                other => self.set(&key, plain_text(other), origin),
            }
        }
    }

    /// Reads `PARLEY_…` variables. Those that name no setting are mistakes too: a typing error must not pass.
    pub fn add_environment(&mut self, variables: impl IntoIterator<Item = (String, String)>) {
        for (name, text) in variables {
            let Some(rest) = name.strip_prefix("PARLEY_") else { continue };
            // Chosen before the configuration is read, and by the test harness.
            if matches!(rest, "CONFIG" | "BIN" | "URL") {
                continue;
            }
            let rest = rest.to_ascii_lowercase();
            let (base, suffix) = match rest.strip_suffix(FILE_SUFFIX) {
                Some(base) if !is_variable(&rest) => (base.to_owned(), FILE_SUFFIX),
                _ => (rest.clone(), ""),
            };
            match SETTINGS.iter().find(|setting| variable(setting.key) == base) {
                Some(setting) => self.set(&format!("{}{suffix}", setting.key), text, &name),
                None => self.fail(&name, "environment", "names no setting".to_owned()),
            }
        }
    }

    /// Sets one value from a flag.
    pub fn add_flag(&mut self, key: &str, text: impl Into<String>, flag: &str) {
        self.set(key, text.into(), flag);
    }

    fn set(&mut self, key: &str, text: String, origin: &str) {
        if SETTINGS.iter().any(|setting| setting.key == key) {
            self.values.insert(key.to_owned(), Value { text, origin: origin.to_owned() });
            return;
        }
        let base = key.strip_suffix(FILE_SUFFIX).filter(|base| SETTINGS.iter().any(|s| s.key == *base));
        match base {
            Some(base) => self.set_from_file(base, &text, origin),
            None => {
                let hint = nearest(key).map_or(String::new(), |near| format!("; did you mean {near}?"));
                self.fail(key, origin, format!("names no setting{hint}"));
            }
        }
    }

    /// `smtp.url_file = "/run/secrets/smtp"`: the value stands in that file, without its last line break.
    fn set_from_file(&mut self, key: &str, path: &str, origin: &str) {
        let origin = format!("{origin} → {path}");
        match std::fs::metadata(path) {
            Ok(meta) if meta.len() > SECRET_FILE_MAX_BYTES => {
                return self.fail(
                    key,
                    &origin,
                    format!("the file is larger than {SECRET_FILE_MAX_BYTES} bytes"),
                );
            }
            _ => {}
        }
        match std::fs::read_to_string(path) {
            Ok(text) => self.set(key, text.trim_end_matches(['\n', '\r']).to_owned(), &origin),
            Err(error) => self.fail(key, &origin, format!("cannot be read: {error}")),
        }
    }

    fn fail(&mut self, key: &str, origin: &str, message: String) {
        self.errors.push(ConfigError { key: key.to_owned(), origin: origin.to_owned(), message });
    }
}

fn plain_text(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// `media.udp_port` → `media_udp_port`.
fn variable(key: &str) -> String {
    key.replace('.', "_")
}

fn is_variable(name: &str) -> bool {
    SETTINGS.iter().any(|setting| variable(setting.key) == name)
}

/// The setting whose key differs least, when it differs little.
fn nearest(key: &str) -> Option<&'static str> {
    SETTINGS
        .iter()
        .map(|setting| (edit_distance(key, setting.key), setting.key))
        .min()
        .filter(|(distance, _)| *distance <= 3)
        .map(|(_, key)| key)
}

fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
