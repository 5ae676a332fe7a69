//! Booking by a guest, its mails, and calling it off.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Bench, at, caller};
use jiff::SignedDuration;
use parley_control_app::{Caller, ErrorKind, ListWanted};
use parley_control_domain::{AppointmentState, Minutes};

#[tokio::test]
async fn a_slot_is_offered_booked_and_then_gone() {
    let bench = Bench::new().await;
    let before = bench.slots_on("2026-11-24").await;
    assert!(before.contains(&at("2026-11-24T10:00:00Z")));
    let booked = bench.book("2026-11-24T10:00:00Z").await;
    let appointment = &booked.facts.appointment;
    assert_eq!(appointment.state, AppointmentState::Scheduled);
    assert!(appointment.number.to_string().starts_with("C-2026-"));
    assert_eq!(appointment.end, at("2026-11-24T10:30:00Z"));
    let after = bench.slots_on("2026-11-24").await;
    for taken in ["2026-11-24T09:45:00Z", "2026-11-24T10:00:00Z", "2026-11-24T10:15:00Z"] {
        assert!(!after.contains(&at(taken)), "{taken} overlaps");
    }
    assert!(after.contains(&at("2026-11-24T09:30:00Z")));
    assert!(after.contains(&at("2026-11-24T10:30:00Z")));

    let again =
        bench.app.book(&bench.request("2026-11-24T10:15:00Z").await, None, &caller()).await.unwrap_err();
    assert_eq!((again.kind, again.code), (ErrorKind::Conflict, "slot_taken"));
}

#[tokio::test]
async fn the_next_slot_of_the_demo_can_be_entered_at_once() {
    let bench = Bench::new().await;
    let first = bench.slots_on("2026-11-23").await[0];
    assert!(first.duration_since(at(common::START)) < SignedDuration::from_mins(15));
    let booked = bench.book(&first.to_string()).await;
    let view = bench.enter(&booked.join_token).await;
    assert_eq!(view.phase, parley_control_app::Phase::Waiting);
}

#[tokio::test]
async fn many_at_once_and_one_gets_it() {
    let bench = Bench::new().await;
    let request = bench.request("2026-11-25T10:00:00Z").await;
    let tries = (0..20).map(|_| {
        let (app, request) = (std::sync::Arc::clone(&bench.app), request.clone());
        tokio::spawn(async move { app.book(&request, None, &caller()).await })
    });
    let mut won = 0;
    for one in tries.collect::<Vec<_>>() {
        match one.await.unwrap() {
            Ok(_) => won += 1,
            Err(error) => assert_eq!(error.code, "slot_taken"),
        }
    }
    assert_eq!(won, 1);
}

#[tokio::test]
async fn an_idempotency_key_answers_again_and_refuses_another_request() {
    let bench = Bench::new().await;
    let request = bench.request("2026-11-24T10:00:00Z").await;
    let first = bench.app.book(&request, Some("key-1"), &caller()).await.unwrap();
    let second = bench.app.book(&request, Some("key-1"), &caller()).await.unwrap();
    assert!(second.replayed && !first.replayed);
    assert_eq!(first.facts.appointment.id, second.facts.appointment.id);
    assert_eq!(first.manage_token, second.manage_token);
    assert_eq!(first.join_token, second.join_token);
    let other = bench.request("2026-11-24T11:00:00Z").await;
    let refused = bench.app.book(&other, Some("key-1"), &caller()).await.unwrap_err();
    assert_eq!(refused.code, "idempotency_key_reused");
    let odd = bench.app.book(&other, Some("with space"), &caller()).await.unwrap_err();
    assert_eq!(odd.fields[0].code, "key_invalid");
    bench.deliver().await;
    assert_eq!(bench.mailbox.to("Ana@mail.test").len(), 1, "one confirmation, though asked for twice");
}

/// Starts of half-hours that do not overlap, of the doctor's next days.
async fn free_starts(bench: &Bench, count: usize) -> Vec<jiff::Timestamp> {
    let mut starts: Vec<jiff::Timestamp> = Vec::new();
    for day in ["2026-11-24", "2026-11-25", "2026-11-26", "2026-11-27", "2026-11-30"] {
        for slot in bench.slots_on(day).await {
            if starts.last().is_none_or(|last| slot >= *last + SignedDuration::from_mins(30)) {
                starts.push(slot);
            }
        }
    }
    assert!(starts.len() >= count, "{} free", starts.len());
    starts.truncate(count);
    starts
}

#[tokio::test]
async fn bookings_are_bounded_by_address() {
    let bench = Bench::new().await;
    let starts = free_starts(&bench, 32).await;
    let request = async |n: usize| {
        let mut request = bench.request(&starts[n].to_string()).await;
        request.client_email = format!("client{n}@mail.test");
        request
    };
    for n in 0..30 {
        bench.app.book(&request(n).await, Some(&format!("key-{n}")), &caller()).await.unwrap();
        // Neither a repetition nor a refusal counts.
        assert!(
            bench.app.book(&request(n).await, Some(&format!("key-{n}")), &caller()).await.unwrap().replayed
        );
        bench.app.book(&request(n).await, None, &caller()).await.unwrap_err();
    }
    let refused = bench.app.book(&request(30).await, None, &caller()).await.unwrap_err();
    assert_eq!((refused.kind, refused.code), (ErrorKind::TooMany, "too_many_attempts"));
    let other = Caller { address: "198.51.100.1".to_owned(), user_agent: String::new() };
    bench.app.book(&request(30).await, None, &other).await.unwrap();
    bench.clock.advance_s(15 * 60);
    bench.app.book(&request(31).await, None, &caller()).await.unwrap();
}

#[tokio::test]
async fn bookings_are_bounded_by_the_address_that_gets_the_mails() {
    let bench = Bench::new().await;
    let starts = free_starts(&bench, 21).await;
    let from = |n: usize| Caller { address: n.to_string(), user_agent: String::new() };
    for (n, start) in starts[..20].iter().enumerate() {
        bench.app.book(&bench.request(&start.to_string()).await, None, &from(n)).await.unwrap();
    }
    let mut request = bench.request(&starts[20].to_string()).await;
    request.client_email = "ANA@mail.test".to_owned();
    let refused = bench.app.book(&request, None, &from(20)).await.unwrap_err();
    assert_eq!(refused.code, "too_many_attempts");
    request.client_email = "other@mail.test".to_owned();
    bench.app.book(&request, None, &from(20)).await.unwrap();
}

#[tokio::test]
async fn a_name_carries_no_web_address_into_a_mail() {
    let bench = Bench::new().await;
    let mut request = bench.request("2026-11-24T10:00:00Z").await;
    request.client_name = "Prize at https://evil.test".to_owned();
    let error = bench.app.book(&request, None, &caller()).await.unwrap_err();
    assert_eq!((error.fields[0].field.as_str(), error.fields[0].code), ("client.name", "address_in_name"));
}

#[tokio::test]
async fn says_everything_that_is_wrong_with_the_client_at_once() {
    let bench = Bench::new().await;
    let mut request = bench.request("2026-11-24T10:00:00Z").await;
    request.client_name = " ".to_owned();
    request.client_email = "nobody".to_owned();
    request.time_zone = "Mars/Olympus".to_owned();
    let error = bench.app.book(&request, None, &caller()).await.unwrap_err();
    let fields: Vec<&str> = error.fields.iter().map(|field| field.field.as_str()).collect();
    assert_eq!(fields, ["client.name", "client.email", "time_zone"]);
    let mut request = bench.request("2026-11-24T10:00:00Z").await;
    request.duration = Some(Minutes(31));
    let error = bench.app.book(&request, None, &caller()).await.unwrap_err();
    assert_eq!(error.fields[0].code, "duration_not_offered");
    for (start, code) in [("2026-11-23T08:00:00Z", "slot_past"), ("2026-11-24T10:07:00Z", "slot_not_offered")]
    {
        let error = bench.app.book(&bench.request(start).await, None, &caller()).await.unwrap_err();
        assert_eq!(error.code, code);
    }
}

#[tokio::test]
async fn the_confirmation_carries_links_code_both_zones_and_an_invitation() {
    let bench = Bench::new().await;
    let booked = bench.book("2026-11-24T10:00:00Z").await;
    bench.deliver().await;
    let mails = bench.mailbox.to("Ana@mail.test");
    let [mail] = mails.as_slice() else { panic!("one mail, not {}", mails.len()) };
    let code = booked.facts.appointment.client_code.to_string();
    for part in [
        format!("https://parley.test/j/{}", booked.join_token),
        format!("https://parley.test/a/{}", booked.manage_token),
        code.clone(),
        "Tuesday, 24 November 2026, 05:00–05:30 (America/New_York)".to_owned(),
        "Tuesday, 24 November 2026, 11:00–11:30 (Europe/Berlin)".to_owned(),
        booked.facts.appointment.number.to_string(),
    ] {
        assert!(mail.text.contains(&part), "text has {part}:\n{}", mail.text);
        assert!(mail.html.contains(&part), "html has {part}");
    }
    assert_eq!(mail.from_name, "Demo Practice");
    assert_eq!(mail.from_address, "no-reply@parley.test");
    let calendar = mail.calendar.as_ref().unwrap();
    assert_eq!(calendar.method, "REQUEST");
    let id = booked.facts.appointment.id;
    let flat = calendar.content.replace("\r\n ", "");
    assert!(flat.contains(&format!("UID:{id}@parley.test\r\n")));
    assert!(flat.contains("DTSTART:20261124T100000Z\r\n"));
    assert!(flat.contains(&code));
    assert!(calendar.content.split("\r\n").all(|line| line.len() <= 75));
    let notice = bench.mailbox.to("doctor@demo.test");
    assert_eq!(notice.len(), 1);
    assert!(notice[0].text.contains("Ana Lima"));
}

#[tokio::test]
async fn markup_in_a_name_stays_text() {
    let bench = Bench::new().await;
    let mut request = bench.request("2026-11-24T10:00:00Z").await;
    request.client_name = "<b>Ana</b> & co".to_owned();
    bench.app.book(&request, None, &caller()).await.unwrap();
    bench.deliver().await;
    let mail = &bench.mailbox.to("Ana@mail.test")[0];
    assert!(mail.html.contains("&lt;b&gt;Ana&lt;/b&gt; &amp; co"));
    assert!(!mail.html.contains("<b>Ana"));
}

#[tokio::test]
async fn the_client_calls_it_off_and_the_time_is_free_again() {
    let bench = Bench::new().await;
    let booked = bench.book("2026-11-24T10:00:00Z").await;
    bench.deliver().await;
    let facts = bench.app.cancel_managed(&booked.manage_token, Some("Ill")).await.unwrap();
    assert_eq!(facts.appointment.state, AppointmentState::Cancelled);
    assert!(!facts.appointment.can_cancel());
    assert!(bench.slots_on("2026-11-24").await.contains(&at("2026-11-24T10:00:00Z")));
    bench.app.cancel_managed(&booked.manage_token, None).await.unwrap();
    bench.deliver().await;
    let mails = bench.mailbox.to("Ana@mail.test");
    assert_eq!(mails.len(), 2, "a confirmation and one cancellation, though cancelled twice");
    let (request, cancel) = (mails[0].calendar.as_ref().unwrap(), mails[1].calendar.as_ref().unwrap());
    assert_eq!(cancel.method, "CANCEL");
    let line = |text: &str, name: &str| {
        let flat = text.replace("\r\n ", "");
        flat.lines().find(|line| line.starts_with(name)).unwrap().to_owned()
    };
    assert_eq!(line(&request.content, "UID:"), line(&cancel.content, "UID:"));
    let sequence = |text: &str| line(text, "SEQUENCE:")[9..].trim().parse::<u32>().unwrap();
    assert!(sequence(&cancel.content) > sequence(&request.content));
    assert_eq!(bench.mailbox.to("doctor@demo.test").len(), 2);
}

#[tokio::test]
async fn nothing_is_confirmed_that_was_called_off_before_the_mail_went_out() {
    let bench = Bench::new().await;
    let booked = bench.book("2026-11-24T10:00:00Z").await;
    bench.app.cancel_managed(&booked.manage_token, None).await.unwrap();
    bench.deliver().await;
    let mails = bench.mailbox.to("Ana@mail.test");
    assert_eq!(mails.len(), 1);
    assert!(mails[0].subject.starts_with("Cancelled"));
}

#[tokio::test]
async fn a_forged_manage_link_opens_nothing() {
    let bench = Bench::new().await;
    let booked = bench.book("2026-11-24T10:00:00Z").await;
    let mut forged = booked.manage_token.clone();
    let other = if &forged[10..11] == "A" { "B" } else { "A" };
    forged.replace_range(10..11, other);
    for token in [forged.as_str(), &booked.join_token, "", "x", "äöü"] {
        let error = bench.app.managed(token).await.unwrap_err();
        assert_eq!(error.code, "link_invalid", "{token}");
    }
}

#[tokio::test]
async fn members_list_their_own_and_page_through() {
    let bench = Bench::new().await;
    for hour in 10..14 {
        bench.book(&format!("2026-11-24T{hour}:00:00Z")).await;
    }
    let doctor = bench.member("doctor@demo.test").await;
    let mut wanted = ListWanted {
        from: Some(at("2026-11-24T00:00:00Z")),
        to: Some(at("2026-11-25T00:00:00Z")),
        limit: Some(3),
        ..ListWanted::default()
    };
    let first = bench.app.appointments(&doctor, &wanted).await.unwrap();
    assert_eq!(first.items.len(), 3);
    wanted.cursor = first.next_cursor.clone();
    let second = bench.app.appointments(&doctor, &wanted).await.unwrap();
    assert_eq!(second.items.len(), 1);
    assert_eq!(second.next_cursor, None);
    // `from` bounds the start: what began before is not listed, what begins then is.
    for (from, count) in
        [("2026-11-24T12:00:00Z", 2), ("2026-11-24T12:00:01Z", 1), ("2026-11-24T12:15:00Z", 1)]
    {
        let later = ListWanted { from: Some(at(from)), cursor: None, limit: None, ..wanted.clone() };
        assert_eq!(bench.app.appointments(&doctor, &later).await.unwrap().items.len(), count, "{from}");
    }
    let second_doctor = bench.member("second@demo.test").await;
    wanted.cursor = None;
    assert!(bench.app.appointments(&second_doctor, &wanted).await.unwrap().items.is_empty());
    let admin = bench.member("admin@demo.test").await;
    wanted.limit = None;
    assert_eq!(bench.app.appointments(&admin, &wanted).await.unwrap().items.len(), 4);
    wanted.cursor = Some("nonsense".to_owned());
    assert_eq!(bench.app.appointments(&admin, &wanted).await.unwrap_err().fields[0].code, "cursor_invalid");
}
