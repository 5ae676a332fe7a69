//! The way in: window, waiting room, admission, media token.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Bench, at, caller};
use parley_control_app::{Caller, Phase};
use parley_control_domain::{AppointmentState, Device, ParticipantState};

const TEN: &str = "2026-11-23T10:00:00Z";

#[tokio::test]
async fn the_window_opens_and_closes() {
    let bench = Bench::new().await;
    let booked = bench.book(TEN).await;
    let token = &booked.join_token;
    let view = bench.app.join_view(token, &caller()).await.unwrap();
    assert_eq!(view.phase, Phase::TooEarly);
    assert_eq!(view.opens_at, at("2026-11-23T09:45:00Z"));
    assert_eq!(view.closes_at, at("2026-11-23T10:45:00Z"));
    assert_eq!(view.client_name, None, "a client is told no names but the provider's");
    // Entering too early changes nothing.
    assert_eq!(bench.enter(token).await.phase, Phase::TooEarly);
    bench.clock.set(at("2026-11-23T09:45:00Z"));
    assert_eq!(bench.app.join_view(token, &caller()).await.unwrap().phase, Phase::Open);
    bench.clock.set(at("2026-11-23T10:44:59Z"));
    assert_eq!(bench.app.join_view(token, &caller()).await.unwrap().phase, Phase::Open);
    bench.clock.set(at("2026-11-23T10:45:00Z"));
    let error = bench.app.join_view(token, &caller()).await.unwrap_err();
    assert_eq!(error.code, "link_expired");
}

#[tokio::test]
async fn no_media_token_before_admission() {
    let bench = Bench::new().await;
    let booked = bench.book(TEN).await;
    let (id, token) = (booked.facts.appointment.id, &booked.join_token);
    let refused = async || bench.app.media_token(token, &caller()).await.unwrap_err().code;
    assert_eq!(refused().await, "not_admitted", "too early");
    bench.clock.set(at("2026-11-23T09:50:00Z"));
    assert_eq!(refused().await, "not_admitted", "not entered");
    assert_eq!(bench.enter(token).await.phase, Phase::Waiting);
    assert_eq!(refused().await, "not_admitted", "waiting");
    assert!(bench.media.granted.lock().unwrap().is_empty());

    let doctor = bench.member("doctor@demo.test").await;
    let desk = bench.app.appointment(&doctor, id).await.unwrap();
    assert_eq!(desk.meeting.appointment.state, AppointmentState::Waiting);
    let who = desk.meeting.participants[0].id;
    bench.app.admit(&doctor, id, who).await.unwrap();
    let media = bench.app.media_token(token, &caller()).await.unwrap();
    let granted = bench.media.granted.lock().unwrap().clone();
    assert_eq!(granted.len(), 1);
    assert_eq!(granted[0].room, media.room);
    assert_eq!(granted[0].expires_at, at("2026-11-23T10:00:00Z"), "ten minutes");
    assert!(!granted[0].host);

    // Sent back: the connection is cut and no new token is given.
    bench.app.send_back(&doctor, id, who).await.unwrap();
    assert_eq!(refused().await, "not_admitted", "sent back");
    let cut = bench.media.removed.lock().unwrap().clone();
    assert_eq!(cut, [(media.room.clone(), media.identity.clone())]);
    // The token that was given before does not help: who uses it is put out again.
    bench.joined(&media.room, &media.identity, "S1", at("2026-11-23T09:51:00Z")).await;
    assert_eq!(bench.media.removed.lock().unwrap().len(), 2);
    assert!(bench.app.appointment(&doctor, id).await.unwrap().meeting.stays.is_empty());
}

#[tokio::test]
async fn a_provider_enters_any_time_and_is_admitted_at_once() {
    let bench = Bench::new().await;
    let booked = bench.book(TEN).await;
    let doctor = bench.member("doctor@demo.test").await;
    let token = bench.app.start(&doctor, booked.facts.appointment.id).await.unwrap();
    let view = bench.app.join_view(&token, &caller()).await.unwrap();
    assert_eq!((view.phase, view.display_name.as_str()), (Phase::Open, "Ada Lind"));
    assert_eq!(view.client_name.as_deref(), Some("Ana Lima"));
    assert_eq!(bench.enter(&token).await.phase, Phase::Admitted);
    assert!(bench.app.media_token(&token, &caller()).await.is_ok());
    assert!(bench.media.granted.lock().unwrap()[0].host);
    // An admin joins beside the provider, with an identity of his own.
    let admin = bench.member("admin@demo.test").await;
    let second = bench.app.start(&admin, booked.facts.appointment.id).await.unwrap();
    let host = bench.enter(&second).await;
    assert_ne!(host.identity, view.identity);
}

#[tokio::test]
async fn declined_and_asking_again() {
    let bench = Bench::new().await;
    let booked = bench.book(TEN).await;
    let (id, token) = (booked.facts.appointment.id, &booked.join_token);
    bench.clock.set(at("2026-11-23T09:50:00Z"));
    bench.enter(token).await;
    let doctor = bench.member("doctor@demo.test").await;
    let who = bench.app.appointment(&doctor, id).await.unwrap().meeting.participants[0].id;
    let desk = bench.app.decline(&doctor, id, who).await.unwrap();
    assert_eq!(desk.meeting.appointment.state, AppointmentState::Scheduled, "nobody waits");
    assert_eq!(bench.app.join_view(token, &caller()).await.unwrap().phase, Phase::Declined);
    assert_eq!(bench.app.media_token(token, &caller()).await.unwrap_err().code, "not_admitted");
    let error = bench.app.admit(&doctor, id, who).await.unwrap_err();
    assert_eq!(error.code, "participant_declined");
    assert_eq!(bench.enter(token).await.phase, Phase::Waiting);
    let desk = bench.app.admit(&doctor, id, who).await.unwrap();
    assert_eq!(desk.meeting.participants.len(), 1, "one row, however often someone comes");
}

#[tokio::test]
async fn reloading_keeps_the_place_and_the_admission() {
    let bench = Bench::new().await;
    let booked = bench.book(TEN).await;
    let token = &booked.join_token;
    bench.clock.set(at("2026-11-23T09:50:00Z"));
    let first = bench.enter(token).await;
    bench.clock.advance_s(60);
    let again = bench.enter(token).await;
    assert_eq!(first.waiting_since, again.waiting_since);
    assert_eq!(again.queue_position, Some(1));
    let doctor = bench.member("doctor@demo.test").await;
    bench.app.admit_all(&doctor, booked.facts.appointment.id).await.unwrap();
    assert_eq!(bench.enter(token).await.phase, Phase::Admitted);
    bench.app.join_leave(token, &caller()).await.unwrap();
    assert_eq!(bench.app.join_view(token, &caller()).await.unwrap().phase, Phase::Open);
    assert_eq!(bench.enter(token).await.phase, Phase::Waiting, "who left waits again");
}

#[tokio::test]
async fn the_queue_counts_all_who_wait_for_the_provider() {
    let bench = Bench::new().await;
    let first = bench.book("2026-11-23T09:15:00Z").await;
    let second = bench.book("2026-11-23T09:45:00Z").await;
    bench.clock.set(at("2026-11-23T09:31:00Z"));
    assert_eq!(bench.enter(&first.join_token).await.queue_position, Some(1));
    bench.clock.advance_s(5);
    assert_eq!(bench.enter(&second.join_token).await.queue_position, Some(2));
    // The first one's page vanished: he is shown as gone and does not count.
    bench.clock.advance_s(31);
    assert_eq!(bench.enter(&second.join_token).await.queue_position, Some(1));
    let doctor = bench.member("doctor@demo.test").await;
    let desk = bench.app.appointment(&doctor, first.facts.appointment.id).await.unwrap();
    assert_eq!(desk.gone, [desk.meeting.participants[0].identity.clone()]);
    assert_eq!(desk.meeting.participants[0].state, ParticipantState::Waiting);
    // He comes back to his place.
    assert_eq!(bench.enter(&first.join_token).await.queue_position, Some(1));
    let desk = bench.app.appointment(&doctor, first.facts.appointment.id).await.unwrap();
    assert!(desk.gone.is_empty());
    assert_eq!(desk.meeting.participants.len(), 1);
}

#[tokio::test]
async fn an_open_page_is_told_of_each_change_and_counts_as_present() {
    let bench = Bench::new().await;
    let booked = bench.book(TEN).await;
    bench.clock.set(at("2026-11-23T09:50:00Z"));
    let id = booked.facts.appointment.id;
    let mut page = bench.app.join_stream(&booked.join_token, &caller()).await.unwrap();
    assert_eq!(page.next().await.unwrap().phase, Phase::Open);
    bench.enter(&booked.join_token).await;
    assert_eq!(page.next().await.unwrap().phase, Phase::Waiting);
    bench.clock.advance_s(600);
    let doctor = bench.member("doctor@demo.test").await;
    assert!(bench.app.appointment(&doctor, id).await.unwrap().gone.is_empty(), "the page is open");
    bench.app.admit_all(&doctor, id).await.unwrap();
    assert_eq!(page.next().await.unwrap().phase, Phase::Admitted);
    drop(page);
    bench.clock.advance_s(31);
    bench.app.tick(bench.app.now()).await.unwrap();
}

#[tokio::test]
async fn a_code_opens_the_same_door_and_guessing_is_throttled() {
    let bench = Bench::new().await;
    let booked = bench.book(TEN).await;
    bench.clock.set(at("2026-11-23T09:50:00Z"));
    let code = booked.facts.appointment.client_code.to_string();
    let by_code = bench.enter(&code.to_lowercase().replace('-', " ")).await;
    let by_link = bench.app.join_view(&booked.join_token, &caller()).await.unwrap();
    assert_eq!(by_code.identity, by_link.identity);
    assert_eq!(by_link.phase, Phase::Waiting);
    let guesser = Caller { address: "198.51.100.7".to_owned(), user_agent: String::new() };
    let mut codes = Vec::new();
    for _ in 0..21 {
        codes.push(bench.app.join_view("ZZZZ-ZZZZ", &guesser).await.unwrap_err().code);
    }
    assert!(codes[..20].iter().all(|code| *code == "link_invalid"));
    assert_eq!(codes[20], "too_many_attempts");
    assert!(bench.app.join_view(&code, &caller()).await.is_ok(), "others are not held up");
    assert_eq!(bench.app.join_view(&code, &guesser).await.unwrap_err().code, "too_many_attempts");
}

#[tokio::test]
async fn a_wrong_token_opens_nothing() {
    let bench = Bench::new().await;
    let booked = bench.book(TEN).await;
    let token = &booked.join_token;
    for at_byte in [0, 5, 25, 40, token.len() - 1] {
        let mut forged = token.clone();
        let other = if &forged[at_byte..=at_byte] == "A" { "B" } else { "A" };
        forged.replace_range(at_byte..=at_byte, other);
        let error = bench.app.join_view(&forged, &caller()).await.unwrap_err();
        assert_eq!(error.code, "link_invalid", "byte {at_byte}");
    }
    for forged in [booked.manage_token.as_str(), &"A".repeat(5_000), "%%%%%%%%%%%%%%%%%%%%%%%%%%"] {
        assert_eq!(bench.app.join_view(forged, &caller()).await.unwrap_err().code, "link_invalid");
    }
}

#[tokio::test]
async fn a_full_room_says_so() {
    let bench = Bench::new().await;
    let booked = bench.book(TEN).await;
    bench.clock.set(at("2026-11-23T09:50:00Z"));
    let (client, provider, room) = bench.admitted(&booked).await;
    let admin = bench.member("admin@demo.test").await;
    let host = bench.app.start(&admin, booked.facts.appointment.id).await.unwrap();
    bench.enter(&host).await;
    for (token, session) in [(&client, "S1"), (&provider, "S2")] {
        let identity = bench.app.join_view(token, &caller()).await.unwrap().identity;
        bench.joined(&room, &identity, session, at("2026-11-23T09:52:00Z")).await;
    }
    // The room holds two here. Who is in may ask again, a third may not come.
    assert!(bench.app.media_token(&client, &caller()).await.is_ok());
    assert_eq!(bench.app.media_token(&host, &caller()).await.unwrap_err().code, "room_full");
}

#[tokio::test]
async fn a_cancelled_appointment_tells_its_pages() {
    let bench = Bench::new().await;
    let booked = bench.book(TEN).await;
    bench.clock.set(at("2026-11-23T09:50:00Z"));
    let device = Device { browser: Some("Firefox 143".to_owned()), os: None, kind: Some("phone".to_owned()) };
    bench.app.join_enter(&booked.join_token, "Ana\nLima", Some(device.clone()), &caller()).await.unwrap();
    let doctor = bench.member("doctor@demo.test").await;
    let id = booked.facts.appointment.id;
    let participant = bench.app.appointment(&doctor, id).await.unwrap().meeting.participants[0].clone();
    assert_eq!((participant.name.as_str(), participant.device), ("Ana Lima", Some(device)));
    let long = bench.app.cancel_by_member(&doctor, id, Some(&"x".repeat(501))).await.unwrap_err();
    assert_eq!(long.fields[0].code, "too_long");
    // A reason may be left out.
    let meeting = bench.app.cancel_by_member(&doctor, id, Some(" ")).await.unwrap();
    assert_eq!(meeting.appointment.cancelled.unwrap().reason, "");
    let view = bench.app.join_view(&booked.join_token, &caller()).await.unwrap();
    assert_eq!(view.phase, Phase::Cancelled);
    assert_eq!(view.ended_at, Some(at("2026-11-23T09:50:00Z")));
    assert_eq!(bench.enter(&booked.join_token).await.phase, Phase::Cancelled);
    assert_eq!(bench.media.closed.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn guesses_sent_together_are_all_counted_and_a_providers_code_opens_nothing() {
    let bench = Bench::new().await;
    let booked = bench.book(TEN).await;
    let guesses = (0..30).map(|_| {
        let app = std::sync::Arc::clone(&bench.app);
        let guesser = Caller { address: "198.51.100.7".to_owned(), user_agent: String::new() };
        tokio::spawn(async move { app.join_view("ZZZZ-ZZZZ", &guesser).await.unwrap_err().code })
    });
    let mut looked_up = 0;
    for guess in guesses.collect::<Vec<_>>() {
        looked_up += usize::from(guess.await.unwrap() == "link_invalid");
    }
    assert_eq!(looked_up, 20);
    let code = booked.facts.appointment.provider_code.to_string();
    assert_eq!(bench.app.join_view(&code, &caller()).await.unwrap_err().code, "link_invalid");
}

#[tokio::test]
async fn a_link_has_so_many_pages_open_and_no_more() {
    let bench = Bench::new().await;
    let booked = bench.book(TEN).await;
    let mut pages = Vec::new();
    for _ in 0..8 {
        pages.push(bench.app.join_stream(&booked.join_token, &caller()).await.unwrap());
    }
    assert_eq!(bench.app.join_stream(&booked.join_token, &caller()).await.err().unwrap().code, "busy");
    pages.pop();
    bench.app.join_stream(&booked.join_token, &caller()).await.unwrap();
}
