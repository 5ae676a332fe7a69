//! Mail through a real SMTP conversation, and into a folder.
#![allow(clippy::unwrap_used)]

use std::sync::{Arc, Mutex};

use parley_control_app::ports::{CalendarPart, Mail, MailError, Mailer};
use parley_control_providers::{FolderMailer, SmtpMailer};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

fn mail() -> Mail {
    Mail {
        message_id: "0199-job@parley.test".to_owned(),
        from_address: "no-reply@parley.test".to_owned(),
        from_name: "Praxis Müller".to_owned(),
        to_address: "ana@mail.test".to_owned(),
        to_name: "Ana Lima".to_owned(),
        subject: "Ihr Termin – 10:00".to_owned(),
        text: "Hello Ana,\n\n.a line that begins with a dot\n".to_owned(),
        html: "<p>Hello Ana</p>".to_owned(),
        calendar: Some(CalendarPart {
            method: "REQUEST",
            content: "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nEND:VCALENDAR\r\n".to_owned(),
        }),
    }
}

/// What a server was told: the envelope and the message, dots undone.
#[derive(Debug, Default, Clone)]
struct Received {
    commands: Vec<String>,
    message: String,
}

/// An SMTP server for one connection after another; refuses recipients as told.
async fn server(refusal: Option<&'static str>) -> (u16, Arc<Mutex<Vec<Received>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let received = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&received);
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            talk(socket, refusal, &kept).await;
        }
    });
    (port, received)
}

async fn talk(socket: TcpStream, refusal: Option<&str>, kept: &Mutex<Vec<Received>>) {
    let (reader, mut writer) = socket.into_split();
    let mut lines = BufReader::new(reader).lines();
    writer.write_all(b"220 sink\r\n").await.unwrap();
    let mut received = Received::default();
    while let Ok(Some(line)) = lines.next_line().await {
        let verb = line.split([' ', ':']).next().unwrap().to_uppercase();
        received.commands.push(line);
        let answer = match verb.as_str() {
            "EHLO" => "250-sink\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n".to_owned(),
            "RCPT" if refusal.is_some() => format!("{}\r\n", refusal.unwrap()),
            "DATA" => {
                writer.write_all(b"354 go on\r\n").await.unwrap();
                while let Some(line) = lines.next_line().await.unwrap() {
                    if line == "." {
                        break;
                    }
                    received.message.push_str(line.strip_prefix('.').unwrap_or(&line));
                    received.message.push_str("\r\n");
                }
                kept.lock().unwrap().push(received.clone());
                "250 kept\r\n".to_owned()
            }
            "QUIT" => {
                writer.write_all(b"221 bye\r\n").await.unwrap();
                return;
            }
            _ => "250 ok\r\n".to_owned(),
        };
        writer.write_all(answer.as_bytes()).await.unwrap();
    }
}

#[tokio::test]
async fn a_mail_arrives_whole() {
    let (port, received) = server(None).await;
    let mailer = SmtpMailer::from_url(&format!("smtp://127.0.0.1:{port}")).unwrap();
    mailer.send(&mail()).await.unwrap();
    let received = received.lock().unwrap().clone();
    let [one] = received.as_slice() else { panic!("one mail, not {}", received.len()) };
    assert!(one.commands.iter().any(|line| line.starts_with("MAIL FROM:<no-reply@parley.test>")));
    assert!(one.commands.iter().any(|line| line == "RCPT TO:<ana@mail.test>"));
    for part in [
        "Message-ID: <0199-job@parley.test>\r\n",
        "To: \"Ana Lima\" <ana@mail.test>\r\n",
        "Auto-Submitted: auto-generated\r\n",
        "Content-Type: multipart/alternative;",
        "Content-Type: text/plain; charset=utf-8\r\n",
        "Content-Type: text/html; charset=utf-8\r\n",
        "Content-Type: text/calendar; charset=utf-8; method=REQUEST\r\n",
        "\r\n.a line that begins with a dot\r\n",
    ] {
        assert!(one.message.contains(part), "{part}\n{}", one.message);
    }
    assert!(one.message.is_ascii(), "headers and bodies are encoded");
    let header = |name: &str| {
        let unfolded = one.message.replace("\r\n ", " ");
        unfolded.lines().find(|line| line.starts_with(name)).unwrap().to_owned()
    };
    // RFC 2047 words: "–" and "Müller".
    assert!(header("Subject:").contains("=?utf-8?b?4oCT?="), "{}", header("Subject:"));
    assert!(header("From:").contains("=?utf-8?b?"), "{}", header("From:"));
    // The calendar part, decoded, is what was given, CRLF and all.
    let encoded = one.message.split("method=REQUEST").nth(1).unwrap().split("\r\n\r\n").nth(1).unwrap();
    assert!(encoded.starts_with("QkVHSU46VkNBTEVOREFSDQpNRVRIT0Q6UkVRVUVTVA0KRU5EOlZDQUxFTkRBUg0K"));
}

#[tokio::test]
async fn refusals_say_whether_to_try_again() {
    let (port, _) = server(Some("550 5.1.1 no such mailbox")).await;
    let mailer = SmtpMailer::from_url(&format!("smtp://127.0.0.1:{port}")).unwrap();
    let error = mailer.send(&mail()).await.unwrap_err();
    assert!(matches!(error, MailError::Permanent(_)), "{error}");
    let (port, _) = server(Some("451 4.3.0 later")).await;
    let mailer = SmtpMailer::from_url(&format!("smtp://127.0.0.1:{port}")).unwrap();
    let error = mailer.send(&mail()).await.unwrap_err();
    assert!(matches!(error, MailError::Transient(_)), "{error}");
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = nobody.local_addr().unwrap().port();
    drop(nobody);
    let mailer = SmtpMailer::from_url(&format!("smtp://127.0.0.1:{port}")).unwrap();
    assert!(matches!(mailer.send(&mail()).await.unwrap_err(), MailError::Transient(_)));
}

#[tokio::test]
async fn an_address_that_is_none_is_not_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let mailer = FolderMailer::new(folder.path());
    let wrong = Mail { to_address: "ana@mail.test\r\nBcc: all@mail.test".to_owned(), ..mail() };
    assert!(matches!(mailer.send(&wrong).await.unwrap_err(), MailError::Permanent(_)));
    // A line break in a name cannot make a header either.
    let odd = Mail { to_name: "Ana\r\nBcc: all@mail.test".to_owned(), ..mail() };
    mailer.send(&odd).await.unwrap();
    let path = folder.path().join("0199-job@parley.test.eml");
    let text = std::fs::read_to_string(path).unwrap();
    assert!(!text.lines().any(|line| line.to_lowercase().starts_with("bcc")), "{text}");
}

#[tokio::test]
async fn without_a_server_mails_are_files_and_a_retry_replaces_its_own() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("mails");
    let mailer = FolderMailer::new(&folder);
    mailer.send(&mail()).await.unwrap();
    mailer.send(&mail()).await.unwrap();
    let evil = Mail { message_id: "../../escape@x".to_owned(), ..mail() };
    mailer.send(&evil).await.unwrap();
    let mut names: Vec<String> =
        std::fs::read_dir(&folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, [".._.._escape@x.eml", "0199-job@parley.test.eml"]);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(folder.join(&names[1])).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
