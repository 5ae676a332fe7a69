//! Accounts, sessions, the outbox's patience, organisations apart, the first start.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Bench, PASSWORD, at, caller};
use jiff::SignedDuration;
use parley_control_app::ports::{AuditStore as _, MailError, OrganisationStore as _};
use parley_control_app::{
    Caller, DemoPasswords, ErrorKind, FirstOrganisation, NewMember, SESSION_IDLE, SESSION_MAX, ServiceChange,
};
use parley_control_domain::{Availability, Role, Zone};

fn from(address: &str) -> Caller {
    Caller { address: address.to_owned(), user_agent: String::new() }
}

fn token_in(text: &str) -> String {
    let start = text.find("/sign-in/").unwrap() + "/sign-in/".len();
    text[start..].split_whitespace().next().unwrap().to_owned()
}

#[tokio::test]
async fn signs_in_and_out() {
    let bench = Bench::new().await;
    let signed = bench.app.sign_in("Doctor@Demo.Test", PASSWORD, &caller()).await.unwrap();
    assert_eq!(signed.me.member.name, "Ada Lind");
    assert!(signed.me.has_password);
    let principal = bench.app.authenticate(&signed.secret).await.unwrap();
    assert_eq!(principal.member.role, Role::Provider);
    bench.app.sign_out(&signed.secret).await.unwrap();
    assert_eq!(bench.app.authenticate(&signed.secret).await.unwrap_err().code, "not_signed_in");
    bench.app.sign_out(&signed.secret).await.unwrap();
}

#[tokio::test]
async fn a_session_ends_when_unused_and_in_any_case_after_a_week() {
    let bench = Bench::new().await;
    let signed = bench.app.sign_in("doctor@demo.test", PASSWORD, &caller()).await.unwrap();
    let start = bench.app.now();
    // Used every few hours it lives on, up to its greatest age.
    while bench.app.now() < start + SESSION_MAX - SignedDuration::from_hours(6) {
        bench.clock.advance_s(5 * 3_600);
        bench.app.authenticate(&signed.secret).await.unwrap();
    }
    bench.clock.set(start + SESSION_MAX);
    assert!(bench.app.authenticate(&signed.secret).await.is_err());
    let second = bench.app.sign_in("doctor@demo.test", PASSWORD, &caller()).await.unwrap();
    bench.clock.set(bench.app.now() + SESSION_IDLE);
    assert!(bench.app.authenticate(&second.secret).await.is_err());
}

#[tokio::test]
async fn wrong_passwords_are_throttled_by_account_and_by_address() {
    let bench = Bench::new().await;
    for _ in 0..8 {
        let error = bench.app.sign_in("doctor@demo.test", "wrong wrong", &from("9")).await.unwrap_err();
        assert_eq!(error.code, "credentials_wrong");
    }
    let error = bench.app.sign_in("doctor@demo.test", PASSWORD, &from("9")).await.unwrap_err();
    assert_eq!((error.kind, error.code), (ErrorKind::TooMany, "too_many_attempts"));
    assert!(error.retry_after_s.unwrap() <= 15 * 60 + 1);
    assert!(bench.app.sign_in("admin@demo.test", PASSWORD, &from("9")).await.is_ok(), "others may");
    let owner = bench.app.sign_in("doctor@demo.test", PASSWORD, &from("8")).await;
    assert!(owner.is_ok(), "a stranger's attempts do not keep the owner out");
    bench.clock.advance_s(15 * 60);
    assert!(bench.app.sign_in("doctor@demo.test", PASSWORD, &from("9")).await.is_ok());
    // One address that tries many accounts.
    let mut codes = Vec::new();
    for n in 0..61 {
        let email = format!("someone{n}@demo.test");
        codes.push(bench.app.sign_in(&email, "x", &from("203.0.113.5")).await.unwrap_err().code);
    }
    assert!(codes[..60].iter().all(|code| *code == "credentials_wrong"));
    assert_eq!(codes[60], "too_many_attempts");
}

#[tokio::test]
async fn an_account_that_many_addresses_try_is_closed_for_a_while() {
    let bench = Bench::new().await;
    // Longer than any password: refused without work, and counted.
    let long = "x".repeat(300);
    for n in 0..100 {
        let error = bench.app.sign_in("doctor@demo.test", &long, &from(&n.to_string())).await.unwrap_err();
        assert_eq!(error.code, "credentials_wrong");
    }
    let error = bench.app.sign_in("doctor@demo.test", PASSWORD, &from("new")).await.unwrap_err();
    assert_eq!(error.code, "too_many_attempts");
    bench.clock.advance_s(15 * 60);
    assert!(bench.app.sign_in("doctor@demo.test", PASSWORD, &from("new")).await.is_ok());
}

#[tokio::test]
async fn links_asked_for_by_a_stranger_leave_the_owner_his_own() {
    let bench = Bench::new().await;
    for _ in 0..7 {
        bench.app.request_magic_link("doctor@demo.test", &from("9")).await.unwrap();
    }
    bench.deliver().await;
    assert_eq!(bench.mailbox.to("doctor@demo.test").len(), 5, "one address is given so many");
    bench.app.request_magic_link("doctor@demo.test", &from("8")).await.unwrap();
    bench.deliver().await;
    assert_eq!(bench.mailbox.to("doctor@demo.test").len(), 6);
}

#[tokio::test]
async fn a_new_password_ends_other_sessions_and_links() {
    let bench = Bench::new().await;
    let signed = bench.app.sign_in("doctor@demo.test", PASSWORD, &caller()).await.unwrap();
    let thief = bench.app.sign_in("doctor@demo.test", PASSWORD, &from("9")).await.unwrap();
    let other = bench.app.sign_in("admin@demo.test", PASSWORD, &from("9")).await.unwrap();
    bench.app.request_magic_link("doctor@demo.test", &from("9")).await.unwrap();
    bench.deliver().await;
    let token = token_in(&bench.mailbox.to("doctor@demo.test")[0].text);
    let doctor = bench.app.authenticate(&signed.secret).await.unwrap();
    bench.app.change_password(&doctor, Some(PASSWORD), "another password").await.unwrap();
    assert_eq!(bench.app.authenticate(&thief.secret).await.unwrap_err().code, "not_signed_in");
    assert_eq!(bench.app.redeem_magic_link(&token, &from("9")).await.unwrap_err().code, "link_expired");
    bench.app.authenticate(&signed.secret).await.unwrap();
    bench.app.authenticate(&other.secret).await.unwrap();
}

#[tokio::test]
async fn a_magic_link_works_once_and_for_a_quarter_of_an_hour() {
    let bench = Bench::new().await;
    bench.app.request_magic_link("nobody@demo.test", &caller()).await.unwrap();
    bench.app.request_magic_link("doctor@demo.test", &caller()).await.unwrap();
    bench.deliver().await;
    assert!(bench.mailbox.to("nobody@demo.test").is_empty());
    let token = token_in(&bench.mailbox.to("doctor@demo.test")[0].text);
    let signed = bench.app.redeem_magic_link(&token, &caller()).await.unwrap();
    assert_eq!(signed.me.member.name, "Ada Lind");
    assert_eq!(bench.app.redeem_magic_link(&token, &caller()).await.unwrap_err().code, "link_expired");
    bench.app.request_magic_link("doctor@demo.test", &caller()).await.unwrap();
    bench.deliver().await;
    let late = token_in(&bench.mailbox.to("doctor@demo.test")[1].text);
    bench.clock.advance_s(15 * 60);
    assert_eq!(bench.app.redeem_magic_link(&late, &caller()).await.unwrap_err().code, "link_expired");
    assert_eq!(bench.app.redeem_magic_link("nonsense", &caller()).await.unwrap_err().code, "link_invalid");
}

#[tokio::test]
async fn a_link_that_ended_before_its_mail_went_out_is_not_sent() {
    let bench = Bench::new().await;
    bench.app.request_magic_link("doctor@demo.test", &caller()).await.unwrap();
    bench.clock.advance_s(15 * 60);
    bench.deliver().await;
    assert!(bench.mailbox.to("doctor@demo.test").is_empty());
}

#[tokio::test]
async fn a_new_member_sets_himself_up() {
    let bench = Bench::new().await;
    let admin = bench.member("admin@demo.test").await;
    let new = NewMember {
        name: "Kim Berg".to_owned(),
        email: "kim@demo.test".to_owned(),
        role: Role::Manager,
        title: String::new(),
        bio: String::new(),
        time_zone: None,
        slug: None,
    };
    bench.app.member_add(&admin, new.clone()).await.unwrap();
    assert_eq!(bench.app.member_add(&admin, new.clone()).await.unwrap_err().code, "already_in_use");
    bench.deliver().await;
    let token = token_in(&bench.mailbox.to("kim@demo.test")[0].text);
    let signed = bench.app.redeem_magic_link(&token, &caller()).await.unwrap();
    assert!(!signed.me.has_password);
    let kim = bench.app.authenticate(&signed.secret).await.unwrap();
    let short = bench.app.change_password(&kim, None, "short").await.unwrap_err();
    assert_eq!(short.fields[0].code, "too_short");
    bench.app.change_password(&kim, None, "my new password").await.unwrap();
    let wrong = bench.app.change_password(&kim, Some("not it at all"), "another password").await.unwrap_err();
    assert_eq!(wrong.code, "credentials_wrong");
    bench.app.sign_in("kim@demo.test", "my new password", &caller()).await.unwrap();
    // A manager adds people, but nobody above himself.
    let mut above = new;
    above.role = Role::Admin;
    above.email = "other@demo.test".to_owned();
    assert_eq!(bench.app.member_add(&kim, above).await.unwrap_err().kind, ErrorKind::Forbidden);
}

#[tokio::test]
async fn a_mail_is_tried_again_with_the_same_id_and_given_up_when_refused() {
    let bench = Bench::new().await;
    bench.book("2026-11-24T10:00:00Z").await;
    bench
        .mailbox
        .failures
        .lock()
        .unwrap()
        .extend([MailError::Transient("busy".to_owned()), MailError::Transient("busy".to_owned())]);
    bench.deliver().await;
    assert!(bench.mailbox.sent.lock().unwrap().is_empty());
    bench.deliver().await;
    assert_eq!(bench.mailbox.attempts.lock().unwrap().len(), 2, "not before its time");
    bench.clock.advance_s(20);
    bench.deliver().await;
    assert_eq!(bench.mailbox.sent.lock().unwrap().len(), 2);
    let mut ids = bench.mailbox.attempts.lock().unwrap().clone();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 2, "each mail keeps its Message-ID");

    bench.mailbox.failures.lock().unwrap().push_back(MailError::Permanent("no such mailbox".to_owned()));
    bench.app.request_magic_link("doctor@demo.test", &caller()).await.unwrap();
    bench.deliver().await;
    bench.clock.advance_s(600);
    bench.deliver().await;
    assert_eq!(bench.mailbox.sent.lock().unwrap().len(), 2, "a refused mail is not tried again");
}

#[tokio::test]
async fn the_demo_is_made_once() {
    let bench = Bench::empty().await;
    let logins = bench.app.seed_demo(&DemoPasswords::default()).await.unwrap().unwrap();
    assert_eq!(logins.len(), 3);
    for login in &logins {
        bench.app.sign_in(&login.email, &login.password, &caller()).await.unwrap();
    }
    assert!(bench.app.seed_demo(&DemoPasswords::default()).await.unwrap().is_none());
    let page = bench.app.organisation_page("demo").await.unwrap();
    assert_eq!(page.organisation.labels.provider, "Doctor");
    assert_eq!((page.providers.len(), page.services.len()), (2, 3));
    let first = FirstOrganisation {
        name: "Praxis Nord".to_owned(),
        time_zone: "Europe/Berlin".to_owned(),
        admin_name: "Kim Berg".to_owned(),
        admin_email: "kim@nord.test".to_owned(),
    };
    assert_eq!(bench.app.bootstrap(&first).await.unwrap(), None);
}

#[tokio::test]
async fn a_real_first_start_gives_the_admin_a_link() {
    let bench = Bench::empty().await;
    let first = FirstOrganisation {
        name: "Praxis Nord".to_owned(),
        time_zone: "Europe/Berlin".to_owned(),
        admin_name: "Kim Berg".to_owned(),
        admin_email: "kim@nord.test".to_owned(),
    };
    let url = bench.app.bootstrap(&first).await.unwrap().unwrap();
    let signed = bench.app.redeem_magic_link(&token_in(&url), &caller()).await.unwrap();
    assert_eq!(signed.me.member.role, Role::Admin);
    assert_eq!(signed.me.organisation.slug.as_str(), "praxis-nord");
}

#[tokio::test]
async fn organisations_do_not_see_each_other() {
    let bench = Bench::empty().await;
    let first = FirstOrganisation {
        name: "Praxis Nord".to_owned(),
        time_zone: "Europe/Berlin".to_owned(),
        admin_name: "Kim Berg".to_owned(),
        admin_email: "kim@nord.test".to_owned(),
    };
    let url = bench.app.bootstrap(&first).await.unwrap().unwrap();
    let passwords = DemoPasswords { admin: Some(PASSWORD.to_owned()), ..DemoPasswords::default() };
    bench.app.seed_demo(&passwords).await.unwrap().unwrap();
    let signed = bench.app.redeem_magic_link(&token_in(&url), &caller()).await.unwrap();
    let stranger = bench.app.authenticate(&signed.secret).await.unwrap();
    let booked = bench.book("2026-11-24T10:00:00Z").await;
    let (id, doctor) = (booked.facts.appointment.id, booked.facts.provider.id);
    let gone = |error: parley_control_app::AppError| assert_eq!(error.kind, ErrorKind::NotFound);
    gone(bench.app.appointment(&stranger, id).await.unwrap_err());
    gone(bench.app.start(&stranger, id).await.unwrap_err());
    gone(bench.app.admit_all(&stranger, id).await.unwrap_err());
    gone(bench.app.end(&stranger, id).await.unwrap_err());
    gone(bench.app.cancel_by_member(&stranger, id, None).await.unwrap_err());
    gone(bench.app.availability(&stranger, doctor).await.unwrap_err());
    let empty = Availability::empty(doctor, Zone::utc());
    gone(bench.app.availability_set(&stranger, empty).await.unwrap_err());
    let service = booked.facts.service.id;
    let change = ServiceChange { active: Some(false), ..ServiceChange::default() };
    gone(bench.app.service_change(&stranger, service, change).await.unwrap_err());
    assert!(bench.app.services(&stranger).await.unwrap().is_empty());
    assert_eq!(bench.app.members(&stranger).await.unwrap().len(), 1);
    let steal = ServiceChange {
        name: Some("Mine".to_owned()),
        provider_ids: Some(vec![doctor]),
        ..ServiceChange::default()
    };
    let error = bench.app.service_add(&stranger, steal).await.unwrap_err();
    assert_eq!(error.fields[0].code, "provider_unknown");
}

#[tokio::test]
async fn every_read_of_an_appointment_is_in_the_log() {
    let bench = Bench::new().await;
    let booked = bench.book("2026-11-24T10:00:00Z").await;
    let doctor = bench.member("doctor@demo.test").await;
    bench.app.appointment(&doctor, booked.facts.appointment.id).await.unwrap();
    let organisation = bench.store.organisation_by_slug("demo").await.unwrap().unwrap();
    let lines = bench.store.audit_recent(organisation.id, 10).await.unwrap();
    let read = lines.iter().find(|line| line.action == "appointment.read").unwrap();
    assert_eq!(read.subject_id, Some(booked.facts.appointment.id.as_uuid()));
    assert_eq!(read.at, at(common::START));
    assert!(lines.iter().any(|line| line.action == "appointment.book"));
    // A provider's join link shows the client's name, so its views are written down too; a client's are not.
    let reads = async || {
        let lines = bench.store.audit_recent(organisation.id, 100).await.unwrap();
        lines.iter().filter(|line| line.action == "appointment.read").count()
    };
    let before = reads().await;
    let provider = bench.app.start(&doctor, booked.facts.appointment.id).await.unwrap();
    bench.app.join_view(&provider, &caller()).await.unwrap();
    assert_eq!(reads().await, before + 1);
    bench.app.join_view(&booked.join_token, &caller()).await.unwrap();
    assert_eq!(reads().await, before + 1);
    assert!(lines.iter().all(|line| !line.details.contains("Ana")));
}
