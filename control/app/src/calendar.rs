//! Calendar objects of appointments (iCalendar, RFC 5545; iTIP, RFC 5546). Times are written in UTC, so no
//! time zone definitions are needed; the reader's calendar shows his own zone.

use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Longest line in octets without the line end (RFC 5545 §3.1).
const MAX_LINE: usize = 75;

/// The method of a calendar object (RFC 5546 §1.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// A copy for one's own calendar.
    Publish,
    /// An invitation or its update.
    Request,
    /// The event is off.
    Cancel,
}

impl Method {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Publish => "PUBLISH",
            Self::Request => "REQUEST",
            Self::Cancel => "CANCEL",
        }
    }
}

/// A person with an address.
#[derive(Debug, Clone, Copy)]
pub struct Party<'a> {
    pub name: &'a str,
    pub address: &'a str,
}

/// One event.
#[derive(Debug, Clone, Copy)]
pub struct Event<'a> {
    /// The same through the life of the appointment.
    pub uid: &'a str,
    /// Counts the changes that were sent.
    pub sequence: u32,
    pub stamp: Timestamp,
    pub start: Timestamp,
    pub end: Timestamp,
    pub summary: &'a str,
    pub description: &'a str,
    pub location: &'a str,
    pub url: &'a str,
    pub organizer: Party<'a>,
    pub attendee: Party<'a>,
}

/// The whole stream, lines folded, CRLF line ends.
pub fn render(method: Method, event: &Event<'_>) -> String {
    let mut out = Stream::default();
    out.line("BEGIN:VCALENDAR");
    out.line("VERSION:2.0");
    out.line("PRODID:-//Parley//Consultations//EN");
    out.line("CALSCALE:GREGORIAN");
    out.line(&format!("METHOD:{}", method.as_str()));
    out.line("BEGIN:VEVENT");
    out.text("UID", event.uid);
    out.line(&format!("SEQUENCE:{}", event.sequence));
    out.line(&format!("DTSTAMP:{}", instant(event.stamp)));
    out.line(&format!("DTSTART:{}", instant(event.start)));
    out.line(&format!("DTEND:{}", instant(event.end)));
    out.text("SUMMARY", event.summary);
    out.text("DESCRIPTION", event.description);
    out.text("LOCATION", event.location);
    out.line(&format!("URL:{}", uri(event.url)));
    out.line(&format!(
        "ORGANIZER;CN={}:mailto:{}",
        parameter(event.organizer.name),
        uri(event.organizer.address)
    ));
    if method != Method::Publish {
        out.line(&format!(
            "ATTENDEE;CN={};CUTYPE=INDIVIDUAL;ROLE=REQ-PARTICIPANT;PARTSTAT=NEEDS-ACTION;RSVP=FALSE:mailto:{}",
            parameter(event.attendee.name),
            uri(event.attendee.address)
        ));
    }
    out.line(if method == Method::Cancel { "STATUS:CANCELLED" } else { "STATUS:CONFIRMED" });
    out.line("TRANSP:OPAQUE");
    out.line("END:VEVENT");
    out.line("END:VCALENDAR");
    out.0
}

#[derive(Default)]
struct Stream(String);

impl Stream {
    /// A property of type TEXT.
    fn text(&mut self, name: &str, value: &str) {
        self.line(&format!("{name}:{}", escape(value)));
    }

    /// A content line, folded at 75 octets and never inside a character.
    fn line(&mut self, line: &str) {
        let mut width = 0;
        for c in line.chars() {
            if width + c.len_utf8() > MAX_LINE {
                self.0.push_str("\r\n ");
                width = 1;
            }
            self.0.push(c);
            width += c.len_utf8();
        }
        self.0.push_str("\r\n");
    }
}

/// `20261121T090000Z`.
fn instant(at: Timestamp) -> String {
    let at = at.to_zoned(TimeZone::UTC);
    let mut text = String::with_capacity(16);
    write!(
        text,
        "{:04}{:02}{:02}T{:02}{:02}{:02}Z",
        at.year(),
        at.month(),
        at.day(),
        at.hour(),
        at.minute(),
        at.second()
    )
    .expect("a String takes every write");
    text
}

/// TEXT values (§3.3.11): backslash, comma, semicolon and line breaks are escaped, other controls dropped.
fn escape(value: &str) -> String {
    let mut out = String::with_capacity(value.len() + 8);
    for c in value.replace("\r\n", "\n").chars() {
        match c {
            '\\' | ',' | ';' => out.extend(['\\', c]),
            '\n' | '\r' => out.push_str("\\n"),
            c if c.is_control() && c != '\t' => {}
            c => out.push(c),
        }
    }
    out
}

/// A quoted parameter value (§3.2); quotes become apostrophes (RFC 6868 is not read everywhere).
fn parameter(value: &str) -> String {
    let clean: String =
        value.chars().filter(|c| !c.is_control()).map(|c| if c == '"' { '\'' } else { c }).collect();
    format!("\"{clean}\"")
}

/// A URI or address must not break the line.
fn uri(value: &str) -> String {
    value.chars().filter(|c| !c.is_control() && *c != ' ').collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn event<'a>(summary: &'a str, description: &'a str) -> Event<'a> {
        Event {
            uid: "0199f-appointment@parley.test",
            sequence: 2,
            stamp: "2026-11-20T08:00:00Z".parse().unwrap(),
            start: "2026-11-21T09:00:00Z".parse().unwrap(),
            end: "2026-11-21T09:30:00Z".parse().unwrap(),
            summary,
            description,
            location: "https://parley.test/j/AQ",
            url: "https://parley.test/a/AQ",
            organizer: Party { name: "Praxis \"Nord\"", address: "praxis@parley.test" },
            attendee: Party { name: "Ana; Lima", address: "ana@parley.test" },
        }
    }

    fn unfold(stream: &str) -> String {
        stream.replace("\r\n ", "")
    }

    #[test]
    fn folds_at_75_octets_and_keeps_characters_whole() {
        let long = "Gespräch über Übungen für zuhause – ".repeat(20);
        let stream = render(Method::Request, &event(&long, &long));
        assert!(stream.ends_with("END:VCALENDAR\r\n"));
        for line in stream.split("\r\n") {
            assert!(line.len() <= 75, "{} octets: {line}", line.len());
            assert!(!line.contains('\n'));
        }
        assert!(unfold(&stream).contains(&format!("SUMMARY:{}", long)));
    }

    #[test]
    fn escapes_text_and_quotes_parameters() {
        let stream = unfold(&render(Method::Request, &event("a,b;c\\d\r\nBEGIN:VALARM", "x\u{7}y")));
        assert!(stream.contains("\r\nSUMMARY:a\\,b\\;c\\\\d\\nBEGIN:VALARM\r\n"));
        assert!(stream.contains("\r\nDESCRIPTION:xy\r\n"));
        assert!(stream.contains("ORGANIZER;CN=\"Praxis 'Nord'\":mailto:praxis@parley.test"));
        assert!(stream.contains("ATTENDEE;CN=\"Ana; Lima\";"));
        assert!(stream.contains("DTSTART:20261121T090000Z\r\nDTEND:20261121T093000Z"));
    }

    #[test]
    fn a_cancellation_says_so_twice() {
        let stream = render(Method::Cancel, &event("a", "b"));
        assert!(stream.contains("METHOD:CANCEL\r\n"));
        assert!(stream.contains("STATUS:CANCELLED\r\n"));
        assert!(stream.contains("SEQUENCE:2\r\n"));
    }
}
