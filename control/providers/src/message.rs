//! A [`Mail`] as an RFC 5322 message: `multipart/alternative` of text, HTML and, for invitations, a calendar
//! part whose `method` parameter repeats the object's (RFC 6047 §2.4).

use lettre::message::header::{ContentTransferEncoding, ContentType, Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message, MultiPart, SinglePart};
use lettre::{Address, message::Body};
use parley_control_app::ports::{Mail, MailError};

/// Says that no person wrote this, so that absence notes are not sent back (RFC 3834 §5).
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

/// Builds the message.
///
/// # Errors
/// [`MailError::Permanent`] for an address that cannot be written to.
pub fn build(mail: &Mail) -> Result<Message, MailError> {
    let from = mailbox(&mail.from_name, &mail.from_address)?;
    let to = mailbox(&mail.to_name, &mail.to_address)?;
    let mut parts = MultiPart::alternative()
        .singlepart(SinglePart::plain(mail.text.clone()))
        .singlepart(SinglePart::html(mail.html.clone()));
    if let Some(calendar) = &mail.calendar {
        let kind = format!("text/calendar; charset=utf-8; method={}", calendar.method);
        let kind = ContentType::parse(&kind).map_err(|error| permanent(&error))?;
        // Base64 keeps the CRLF line ends and the folding exactly as they are.
        let body =
            Body::new_with_encoding(calendar.content.clone().into_bytes(), ContentTransferEncoding::Base64)
                .map_err(|_| MailError::Permanent("the calendar part cannot be encoded".to_owned()))?;
        parts = parts.singlepart(SinglePart::builder().header(kind).body(body));
    }
    Message::builder()
        .from(from)
        .to(to)
        .subject(one_line(&mail.subject))
        .message_id(Some(format!("<{}>", mail.message_id)))
        .date_now()
        .header(AutoSubmitted)
        .multipart(parts)
        .map_err(|error| permanent(&error))
}

fn mailbox(name: &str, address: &str) -> Result<Mailbox, MailError> {
    let address: Address = address.parse().map_err(|error| permanent(&error))?;
    Ok(Mailbox::new(Some(one_line(name)).filter(|name| !name.is_empty()), address))
}

/// A header is one line: control characters in names would break it.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn permanent(error: &dyn std::error::Error) -> MailError {
    MailError::Permanent(error.to_string())
}
