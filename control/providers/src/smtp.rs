//! Mail by SMTP (RFC 5321), with TLS from the first byte (`smtps://`) or by STARTTLS (RFC 3207).

use std::time::Duration;

use async_trait::async_trait;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};
use parley_control_app::ports::{Mail, MailError, Mailer};
use url::{Host, Url};

use crate::message;

/// Each step of the conversation.
const TIMEOUT: Duration = Duration::from_secs(15);
const SMTP_PORT: u16 = 25;
const SUBMISSION_PORT: u16 = 587;
const SUBMISSIONS_PORT: u16 = 465;

/// What is wrong with an SMTP address.
#[derive(Debug, thiserror::Error)]
pub enum SmtpConfigError {
    #[error("the SMTP address is not a URL: {0}")]
    Url(#[from] url::ParseError),
    #[error("the SMTP address begins with {0}://; use smtp:// or smtps://")]
    Scheme(String),
    #[error("the SMTP address has no host")]
    Host,
    #[error("tls={0} is not known; use none, opportunistic or required")]
    Tls(String),
    #[error("user name or password in the SMTP address are not percent-encoded UTF-8")]
    Credentials,
    #[error("TLS cannot be set up: {0}")]
    Setup(String),
}

/// Sends by one SMTP server, over a few kept connections.
pub struct SmtpMailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
}

impl SmtpMailer {
    /// From `smtp://[user:password@]host[:port][?tls=none|opportunistic|required]` or `smtps://…`.
    ///
    /// Without `tls=`, `smtp://` insists on STARTTLS when it carries a password, takes it where offered
    /// otherwise, and does without on this machine's loopback.
    ///
    /// # Errors
    /// What is wrong with the address; the password is not repeated.
    pub fn from_url(url: &str) -> Result<Self, SmtpConfigError> {
        let url = Url::parse(url)?;
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or(SmtpConfigError::Host)?.to_owned();
        let credentials = credentials(&url)?;
        let (tls, default_port) = tls(&url, &host, credentials.is_some())?;
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&host)
            .port(url.port().unwrap_or(default_port))
            .tls(tls)
            .timeout(Some(TIMEOUT))
            .hello_name(ClientId::default());
        if let Some(credentials) = credentials {
            builder = builder.credentials(credentials);
        }
        Ok(Self { transport: builder.build() })
    }
}

#[async_trait]
impl Mailer for SmtpMailer {
    async fn send(&self, mail: &Mail) -> Result<(), MailError> {
        let message = message::build(mail)?;
        match self.transport.send(message).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_permanent() => Err(MailError::Permanent(error.to_string())),
            Err(error) => Err(MailError::Transient(error.to_string())),
        }
    }
}

fn credentials(url: &Url) -> Result<Option<Credentials>, SmtpConfigError> {
    if url.username().is_empty() {
        return Ok(None);
    }
    let user = percent_decode(url.username())?;
    let password = percent_decode(url.password().unwrap_or_default())?;
    Ok(Some(Credentials::new(user, password)))
}

fn tls(url: &Url, host: &str, has_password: bool) -> Result<(Tls, u16), SmtpConfigError> {
    let wanted = url.query_pairs().find(|(name, _)| name == "tls").map(|(_, value)| value.into_owned());
    let parameters =
        || TlsParameters::new(host.to_owned()).map_err(|error| SmtpConfigError::Setup(error.to_string()));
    let default = match (has_password, is_loopback(url)) {
        (_, true) => "none",
        (true, false) => "required",
        (false, false) => "opportunistic",
    };
    match (url.scheme(), wanted.as_deref().unwrap_or(default)) {
        ("smtps", _) => Ok((Tls::Wrapper(parameters()?), SUBMISSIONS_PORT)),
        ("smtp", "none") => Ok((Tls::None, SMTP_PORT)),
        ("smtp", "opportunistic") => Ok((Tls::Opportunistic(parameters()?), SMTP_PORT)),
        ("smtp", "required") => Ok((Tls::Required(parameters()?), SUBMISSION_PORT)),
        ("smtp", other) => Err(SmtpConfigError::Tls(other.to_owned())),
        (scheme, _) => Err(SmtpConfigError::Scheme(scheme.to_owned())),
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => {
            // `smtp` is no special scheme: addresses stay domains until they are read.
            name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
        }
        None => false,
    }
}

fn percent_decode(text: &str) -> Result<String, SmtpConfigError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16));
        let (Some(high), Some(low)) = (digit(), digit()) else { return Err(SmtpConfigError::Credentials) };
        bytes.push(u8::try_from(high * 16 + low).map_err(|_| SmtpConfigError::Credentials)?);
    }
    String::from_utf8(bytes).map_err(|_| SmtpConfigError::Credentials)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn kind(url: &str) -> (&'static str, u16) {
        let url = Url::parse(url).unwrap();
        let (tls, port) = tls(&url, url.host_str().unwrap(), !url.username().is_empty()).unwrap();
        let kind = match tls {
            Tls::None => "none",
            Tls::Opportunistic(_) => "opportunistic",
            Tls::Required(_) => "required",
            Tls::Wrapper(_) => "wrapper",
        };
        (kind, url.port().unwrap_or(port))
    }

    #[test]
    fn a_password_never_travels_in_the_clear_unless_told_so() {
        assert_eq!(kind("smtp://127.0.0.1:2525"), ("none", 2525));
        assert_eq!(kind("smtp://localhost"), ("none", 25));
        assert_eq!(kind("smtp://mail.example.org"), ("opportunistic", 25));
        assert_eq!(kind("smtp://me:secret@mail.example.org"), ("required", 587));
        assert_eq!(kind("smtp://me:secret@mail.example.org?tls=none"), ("none", 25));
        assert_eq!(kind("smtps://me:secret@mail.example.org"), ("wrapper", 465));
    }

    #[test]
    fn says_what_is_wrong_without_the_password() {
        for url in ["http://me:hush@x", "smtp://me:hush@x?tls=maybe", "smtp://me:hu%zzsh@x", "not a url"] {
            let error = SmtpMailer::from_url(url).err().unwrap().to_string();
            assert!(!error.contains("hush"), "{error}");
        }
    }

    #[test]
    fn decodes_credentials() {
        assert_eq!(percent_decode("me%40example.org").unwrap(), "me@example.org");
        assert_eq!(percent_decode("%C3%BC").unwrap(), "ü");
        assert!(percent_decode("%4").is_err());
    }
}
