//! Texts that people type: names, e-mail addresses, slugs, notes. Each with a bound.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::FieldError;

/// The greatest lengths, in characters.
pub mod limits {
    /// A person's or an organisation's name.
    pub const NAME: usize = 120;
    /// A professional title ("Dr. med.").
    pub const TITLE: usize = 120;
    /// A few paragraphs about a provider or a service.
    pub const DESCRIPTION: usize = 4_000;
    /// A client's note on booking.
    pub const NOTE: usize = 2_000;
    /// Why something was cancelled.
    pub const REASON: usize = 500;
    /// An e-mail address (RFC 5321 §4.5.3.1.3, without the brackets).
    pub const EMAIL: usize = 254;
    /// The part before the `@` (RFC 5321 §4.5.3.1.1).
    pub const EMAIL_LOCAL: usize = 64;
    /// A telephone number as typed.
    pub const PHONE: usize = 32;
    /// A word in an address.
    pub const SLUG: usize = 60;
    /// A label such as "Doctor".
    pub const LABEL: usize = 40;
    /// A language tag (BCP 47).
    pub const LOCALE: usize = 35;
    /// Name of a browser, system or device.
    pub const DEVICE: usize = 80;
}

/// Trims, and refuses what is empty, too long or holds control characters other than line breaks.
///
/// # Errors
/// `required`, `too_long` or `control_character`.
pub fn required_text(field: &str, value: &str, max: usize) -> Result<String, FieldError> {
    let text = optional_text(field, value, max)?;
    if text.is_empty() {
        return Err(FieldError::new(field, "required", "Please fill this in."));
    }
    Ok(text)
}

/// Like [`required_text`], but may be empty.
///
/// # Errors
/// `too_long` or `control_character`.
pub fn optional_text(field: &str, value: &str, max: usize) -> Result<String, FieldError> {
    let text = value.trim();
    if text.chars().count() > max {
        return Err(FieldError::new(field, "too_long", format!("Please use at most {max} characters.")));
    }
    if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
        return Err(FieldError::new(
            field,
            "control_character",
            "This holds characters that cannot be shown.",
        ));
    }
    Ok(text.to_owned())
}

/// An e-mail address that a mail can be sent to, kept as typed except for the domain's case.
///
/// Two addresses are equal when they are equal ignoring case, as mailboxes are in practice.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Email(String);

impl Email {
    /// Checks the shape: one `@`, a local part of RFC 5322 atoms, a domain with a dot, or a
    /// single label such as `localhost` is refused. Non-ASCII letters are accepted (RFC 6531).
    ///
    /// # Errors
    /// `required`, `too_long` or `email_invalid`.
    pub fn parse(field: &str, value: &str) -> Result<Self, FieldError> {
        let text = required_text(field, value, limits::EMAIL)?;
        let wrong = || {
            FieldError::new(
                field,
                "email_invalid",
                "This is not an e-mail address. Example: name@example.org.",
            )
        };
        let (local, domain) = text.rsplit_once('@').ok_or_else(wrong)?;
        if text.len() > limits::EMAIL || !local_ok(local) || !domain_ok(domain) {
            return Err(wrong());
        }
        Ok(Self(format!("{local}@{}", domain.to_lowercase())))
    }

    /// As it is written to.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form to look up by: lower case.
    #[must_use]
    pub fn key(&self) -> String {
        self.0.to_lowercase()
    }
}

fn local_ok(local: &str) -> bool {
    !local.is_empty()
        && local.len() <= limits::EMAIL_LOCAL
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..")
        && local.chars().all(|c| c.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c))
}

fn domain_ok(domain: &str) -> bool {
    let label_ok = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_alphanumeric() || c == '-')
    };
    domain.contains('.') && domain.split('.').all(label_ok)
}

impl PartialEq for Email {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Email {}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Debug output shows the domain only: addresses are personal data and logs are not.
impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let domain = self.0.rsplit_once('@').map_or("", |(_, domain)| domain);
        write!(f, "Email(…@{domain})")
    }
}

impl From<Email> for String {
    fn from(email: Email) -> Self {
        email.0
    }
}

impl TryFrom<String> for Email {
    type Error = FieldError;

    fn try_from(value: String) -> Result<Self, FieldError> {
        Self::parse("email", &value)
    }
}

/// A word in an address: lower-case ASCII letters, digits and single hyphens inside.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Slug(String);

impl Slug {
    /// Checks a slug.
    ///
    /// # Errors
    /// `required`, `too_long` or `slug_invalid`.
    pub fn parse(field: &str, value: &str) -> Result<Self, FieldError> {
        let text = required_text(field, value, limits::SLUG)?;
        let shape = text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
            && !text.starts_with('-')
            && !text.ends_with('-')
            && !text.contains("--");
        if shape {
            Ok(Self(text))
        } else {
            Err(FieldError::new(
                field,
                "slug_invalid",
                "Use small letters, digits and single hyphens, such as first-visit.",
            ))
        }
    }

    /// Makes a slug of a name: ASCII letters and digits are kept, the rest becomes hyphens;
    /// `fallback` is used when nothing is left.
    #[must_use]
    pub fn from_name(name: &str, fallback: &str) -> Self {
        let mut slug = String::new();
        for c in name.chars().flat_map(char::to_lowercase) {
            if slug.len() >= limits::SLUG {
                break;
            }
            match c {
                'a'..='z' | '0'..='9' => slug.push(c),
                'ä' => slug.push_str("ae"),
                'ö' => slug.push_str("oe"),
                'ü' => slug.push_str("ue"),
                'ß' => slug.push_str("ss"),
                'à' | 'á' | 'â' | 'ã' | 'å' => slug.push('a'),
                'è' | 'é' | 'ê' | 'ë' => slug.push('e'),
                'ì' | 'í' | 'î' | 'ï' => slug.push('i'),
                'ò' | 'ó' | 'ô' | 'õ' => slug.push('o'),
                'ù' | 'ú' | 'û' => slug.push('u'),
                'ç' => slug.push('c'),
                'ñ' => slug.push('n'),
                _ if !slug.is_empty() && !slug.ends_with('-') => slug.push('-'),
                _ => {}
            }
        }
        slug.truncate(limits::SLUG);
        let slug = slug.trim_end_matches('-');
        Self(if slug.is_empty() { fallback.to_owned() } else { slug.to_owned() })
    }

    /// The word.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Slug {
    type Err = FieldError;

    fn from_str(text: &str) -> Result<Self, FieldError> {
        Self::parse("slug", text)
    }
}

impl From<Slug> for String {
    fn from(slug: Slug) -> Self {
        slug.0
    }
}

impl TryFrom<String> for Slug {
    type Error = FieldError;

    fn try_from(value: String) -> Result<Self, FieldError> {
        Self::parse("slug", &value)
    }
}
