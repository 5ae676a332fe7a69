//! The texts of mails, each as plain text and HTML, made of the same paragraphs.

use jiff::Timestamp;
use parley_control_domain::{Member, Organisation, Party, Zone};

use crate::app::App;
use crate::booking::{AppointmentFacts, split_sender};
use crate::calendar::Method;
use crate::ports::{CalendarPart, Mail};
use crate::room_events::is_online;

/// A mail's content before it is rendered.
struct Letter {
    subject: String,
    blocks: Vec<Block>,
}

enum Block {
    Text(String),
    /// A table of label and value.
    Facts(Vec<(String, String)>),
    /// A button; in plain text the address.
    Link {
        label: String,
        url: String,
    },
}

impl App {
    pub(crate) fn confirmation_mail(&self, facts: &AppointmentFacts, message_id: &str) -> Mail {
        let appointment = &facts.appointment;
        let provider = titled(&facts.provider);
        let mut blocks = vec![
            Block::Text(format!("Hello {},", appointment.client.name)),
            Block::Text(format!("your appointment with {provider} is booked.")),
            Block::Facts(fact_rows(facts, &appointment.client.zone, &facts.provider.zone)),
        ];
        if is_online(facts.service.kind) {
            blocks.push(Block::Text(format!(
                "To join, open this link up to {} minutes before the start. Nothing needs to be installed.",
                appointment.join_before.0
            )));
            let url = self.join_url(appointment);
            blocks.push(Block::Link { label: "Join the consultation".to_owned(), url });
            blocks.push(Block::Text(format!("Or enter the code {} on our page.", appointment.client_code)));
        }
        let url = self.manage_url(appointment.id);
        blocks.push(Block::Link { label: "See or cancel".to_owned(), url });
        blocks.push(Block::Text("The links are for you alone: please do not pass them on.".to_owned()));
        let subject = format!("Your appointment with {provider}, {}", short_time(facts));
        let letter = Letter { subject, blocks };
        let calendar = CalendarPart {
            method: Method::Request.as_str(),
            content: self.calendar_of(facts, Method::Request),
        };
        self.to_client(facts, letter, Some(calendar), message_id)
    }

    pub(crate) fn cancellation_mail(&self, facts: &AppointmentFacts, message_id: &str) -> Mail {
        let appointment = &facts.appointment;
        let provider = titled(&facts.provider);
        let mut blocks = vec![
            Block::Text(format!("Hello {},", appointment.client.name)),
            Block::Text(match cancelled_by(facts) {
                Party::Client => format!("as you asked, your appointment with {provider} is cancelled."),
                _ => format!("your appointment with {provider} had to be cancelled."),
            }),
            Block::Facts(fact_rows(facts, &appointment.client.zone, &facts.provider.zone)),
        ];
        blocks.extend(reason(facts));
        blocks.push(Block::Link {
            label: "Book another time".to_owned(),
            url: self.page(&format!("/book/{}", facts.organisation.slug)),
        });
        let letter = Letter { subject: format!("Cancelled: {provider}, {}", short_time(facts)), blocks };
        let calendar = CalendarPart {
            method: Method::Cancel.as_str(),
            content: self.calendar_of(facts, Method::Cancel),
        };
        self.to_client(facts, letter, Some(calendar), message_id)
    }

    pub(crate) fn notice_mail(&self, facts: &AppointmentFacts, message_id: &str) -> Mail {
        let appointment = &facts.appointment;
        let mut rows = fact_rows(facts, &facts.provider.zone, &appointment.client.zone);
        rows.push((facts.organisation.labels.client.clone(), appointment.client.name.clone()));
        let letter = Letter {
            subject: format!("New appointment {}", appointment.number),
            blocks: vec![
                Block::Text(format!("Hello {},", titled(&facts.provider))),
                Block::Text("an appointment with you was booked.".to_owned()),
                Block::Facts(rows),
                Block::Link { label: "Open the dashboard".to_owned(), url: self.page("/dashboard") },
            ],
        };
        self.to_member(&facts.provider, &facts.organisation, letter, message_id)
    }

    pub(crate) fn provider_cancellation_mail(&self, facts: &AppointmentFacts, message_id: &str) -> Mail {
        let appointment = &facts.appointment;
        let mut rows = fact_rows(facts, &facts.provider.zone, &appointment.client.zone);
        rows.push((facts.organisation.labels.client.clone(), appointment.client.name.clone()));
        let mut blocks = vec![
            Block::Text(format!("Hello {},", titled(&facts.provider))),
            Block::Text("an appointment with you was cancelled.".to_owned()),
            Block::Facts(rows),
        ];
        blocks.extend(reason(facts));
        let letter = Letter { subject: format!("Cancelled: appointment {}", appointment.number), blocks };
        self.to_member(&facts.provider, &facts.organisation, letter, message_id)
    }

    pub(crate) fn sign_in_mail(
        &self,
        member: &Member,
        organisation: &Organisation,
        url: &str,
        message_id: &str,
    ) -> Mail {
        let letter = Letter {
            subject: format!("Sign in to {}", organisation.name),
            blocks: vec![
                Block::Text(format!("Hello {},", member.name)),
                Block::Text("this link signs you in. It works once, within 15 minutes.".to_owned()),
                Block::Link { label: "Sign in".to_owned(), url: url.to_owned() },
                Block::Text("If you did not ask for it, you need do nothing.".to_owned()),
            ],
        };
        self.to_member(member, organisation, letter, message_id)
    }

    pub(crate) fn set_up_mail(
        &self,
        member: &Member,
        organisation: &Organisation,
        url: &str,
        message_id: &str,
    ) -> Mail {
        let letter = Letter {
            subject: format!("Your account at {}", organisation.name),
            blocks: vec![
                Block::Text(format!("Hello {},", member.name)),
                Block::Text(format!(
                    "you have an account at {}. This link signs you in and lets you choose a password. It works \
                     once, within 7 days.",
                    organisation.name
                )),
                Block::Link { label: "Set up my account".to_owned(), url: url.to_owned() },
            ],
        };
        self.to_member(member, organisation, letter, message_id)
    }

    fn to_client(
        &self,
        facts: &AppointmentFacts,
        letter: Letter,
        calendar: Option<CalendarPart>,
        message_id: &str,
    ) -> Mail {
        let client = &facts.appointment.client;
        let to = (client.name.as_str(), client.email.as_str());
        self.mail(to, &facts.organisation, letter, calendar, message_id)
    }

    fn to_member(
        &self,
        member: &Member,
        organisation: &Organisation,
        letter: Letter,
        message_id: &str,
    ) -> Mail {
        self.mail((&member.name, member.email.as_str()), organisation, letter, None, message_id)
    }

    fn mail(
        &self,
        (to_name, to_address): (&str, &str),
        organisation: &Organisation,
        letter: Letter,
        calendar: Option<CalendarPart>,
        message_id: &str,
    ) -> Mail {
        let (_, from_address) = split_sender(&self.config.mail_from);
        Mail {
            message_id: message_id.to_owned(),
            from_address,
            from_name: one_line(&organisation.name),
            to_address: to_address.to_owned(),
            to_name: one_line(to_name),
            subject: one_line(&letter.subject),
            text: text_of(&letter, organisation),
            html: html_of(&letter, organisation),
            calendar,
        }
    }
}

fn cancelled_by(facts: &AppointmentFacts) -> Party {
    facts.appointment.cancelled.as_ref().map_or(Party::Organisation, |cancelled| cancelled.by)
}

fn reason(facts: &AppointmentFacts) -> Option<Block> {
    let reason = &facts.appointment.cancelled.as_ref()?.reason;
    (!reason.is_empty()).then(|| Block::Text(format!("Reason: {reason}")))
}

/// `Dr. Ada Lind`, or the name alone.
fn titled(member: &Member) -> String {
    if member.title.is_empty() { member.name.clone() } else { format!("{} {}", member.title, member.name) }
}

fn fact_rows(facts: &AppointmentFacts, reader: &Zone, other: &Zone) -> Vec<(String, String)> {
    let appointment = &facts.appointment;
    let mut rows = vec![
        ("Number".to_owned(), appointment.number.to_string()),
        ("Service".to_owned(), facts.service.name.clone()),
        (facts.organisation.labels.provider.clone(), titled(&facts.provider)),
        ("When".to_owned(), span_text(appointment.start, appointment.end, reader)),
    ];
    if reader.wall(appointment.start) != other.wall(appointment.start) {
        rows.push(("That is".to_owned(), span_text(appointment.start, appointment.end, other)));
    }
    rows
}

/// `Saturday, 21 November 2026, 10:00–10:30 (Europe/Berlin)`.
fn span_text(start: Timestamp, end: Timestamp, zone: &Zone) -> String {
    let (start, end) = (zone.wall(start), zone.wall(end));
    let last = if start.date() == end.date() { "%H:%M" } else { "%A, %-d %B %Y, %H:%M" };
    format!("{}–{} ({})", start.strftime("%A, %-d %B %Y, %H:%M"), end.strftime(last), zone.name())
}

fn short_time(facts: &AppointmentFacts) -> String {
    facts.appointment.client.zone.wall(facts.appointment.start).strftime("%-d %B, %H:%M").to_string()
}

fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn text_of(letter: &Letter, organisation: &Organisation) -> String {
    let mut out = String::new();
    for block in &letter.blocks {
        match block {
            Block::Text(text) => out.push_str(text),
            Block::Facts(rows) => {
                let lines: Vec<String> =
                    rows.iter().map(|(label, value)| format!("{label}: {value}")).collect();
                out.push_str(&lines.join("\n"));
            }
            Block::Link { label, url } => {
                out.push_str(label);
                out.push_str(":\n");
                out.push_str(url);
            }
        }
        out.push_str("\n\n");
    }
    out.push_str(&organisation.name);
    out.push('\n');
    out
}

fn html_of(letter: &Letter, organisation: &Organisation) -> String {
    let mut out = String::from(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>",
    );
    out.push_str(&escape(&letter.subject));
    out.push_str(
        "</title></head><body style=\"margin:0;padding:24px;background:#f4f5f7;color:#1c2024;\
         font:16px/1.5 system-ui,sans-serif\"><div style=\"max-width:560px;margin:0 auto;padding:24px;\
         background:#fff;border-radius:12px\">\n",
    );
    for block in &letter.blocks {
        match block {
            Block::Text(text) => {
                out.push_str(&format!("<p>{}</p>\n", escape(text).replace('\n', "<br>")));
            }
            Block::Facts(rows) => {
                out.push_str("<table role=\"presentation\" style=\"margin:16px 0\">\n");
                for (label, value) in rows {
                    out.push_str(&format!(
                        "<tr><td style=\"padding:2px 16px 2px 0;color:#60646c;vertical-align:top\">{}</td>\
                         <td style=\"padding:2px 0\">{}</td></tr>\n",
                        escape(label),
                        escape(value)
                    ));
                }
                out.push_str("</table>\n");
            }
            Block::Link { label, url } => out.push_str(&format!(
                "<p><a href=\"{}\" style=\"display:inline-block;padding:10px 18px;border-radius:8px;\
                 background:#0b5cad;color:#fff;text-decoration:none\">{}</a></p>\n",
                escape(url),
                escape(label)
            )),
        }
    }
    out.push_str(&format!(
        "<p style=\"color:#60646c\">{}</p>\n</div></body></html>\n",
        escape(&organisation.name)
    ));
    out
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}
