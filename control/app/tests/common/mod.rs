//! The use cases over the real embedded database, with a clock that tests move and a media side and a mailbox
//! that remember what they were told.
#![allow(clippy::unwrap_used, dead_code)]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use parley_control_app::ports::{
    Clock, Mail, MailError, Mailer, MediaGrant, Ports, Random, Rooms, RoomsError,
};
use parley_control_app::{
    App, AppConfig, Booked, BookingRequest, Caller, DemoPasswords, JoinView, Principal, RoomEvent,
    SlotsWanted,
};
use parley_control_domain::{Minutes, Service};
use parley_control_store::{DatabaseUrl, Store};
use rand::rngs::StdRng;
use rand::{RngCore as _, SeedableRng as _};

pub const PASSWORD: &str = "correct horse battery";
/// A Monday morning.
pub const START: &str = "2026-11-23T09:02:00Z";

pub struct MovedClock(Mutex<Timestamp>);

impl Clock for MovedClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

impl MovedClock {
    pub fn set(&self, at: Timestamp) {
        *self.0.lock().unwrap() = at;
    }

    pub fn advance_s(&self, seconds: i64) {
        let mut now = self.0.lock().unwrap();
        *now += SignedDuration::from_secs(seconds);
    }
}

pub struct SeededRandom(Mutex<StdRng>);

impl Random for SeededRandom {
    fn fill(&self, bytes: &mut [u8]) {
        self.0.lock().unwrap().fill_bytes(bytes);
    }
}

/// The media side: remembers grants and commands, and can be out of order.
#[derive(Default)]
pub struct Media {
    pub granted: Mutex<Vec<MediaGrant>>,
    pub removed: Mutex<Vec<(String, String)>>,
    pub closed: Mutex<Vec<String>>,
    pub down: Mutex<bool>,
    /// Who holds this keeps the closing of rooms waiting.
    pub held: tokio::sync::Mutex<()>,
    /// The closing of a room has begun.
    pub closing: tokio::sync::Notify,
}

impl Media {
    /// The rooms that were closed, in order.
    pub fn closed(&self) -> Vec<String> {
        self.closed.lock().unwrap().clone()
    }

    fn up(&self) -> Result<(), RoomsError> {
        if *self.down.lock().unwrap() { Err(RoomsError("down".to_owned())) } else { Ok(()) }
    }
}

#[async_trait]
impl Rooms for Media {
    fn mint_media_token(&self, grant: &MediaGrant) -> Result<String, RoomsError> {
        self.granted.lock().unwrap().push(grant.clone());
        Ok(format!("media:{}:{}", grant.room, grant.identity))
    }

    async fn remove_participant(&self, room: &str, identity: &str) -> Result<(), RoomsError> {
        self.up()?;
        self.removed.lock().unwrap().push((room.to_owned(), identity.to_owned()));
        Ok(())
    }

    async fn close_room(&self, room: &str) -> Result<(), RoomsError> {
        self.closing.notify_one();
        let _held = self.held.lock().await;
        self.up()?;
        self.closed.lock().unwrap().push(room.to_owned());
        Ok(())
    }
}

/// The mailbox: keeps what is sent; the next sends fail as told.
#[derive(Default)]
pub struct Mailbox {
    pub sent: Mutex<Vec<Mail>>,
    pub attempts: Mutex<Vec<String>>,
    pub failures: Mutex<VecDeque<MailError>>,
}

#[async_trait]
impl Mailer for Mailbox {
    async fn send(&self, mail: &Mail) -> Result<(), MailError> {
        self.attempts.lock().unwrap().push(mail.message_id.clone());
        if let Some(error) = self.failures.lock().unwrap().pop_front() {
            return Err(error);
        }
        self.sent.lock().unwrap().push(mail.clone());
        Ok(())
    }
}

impl Mailbox {
    pub fn to(&self, address: &str) -> Vec<Mail> {
        let sent = self.sent.lock().unwrap();
        sent.iter().filter(|mail| mail.to_address == address).cloned().collect()
    }
}

pub struct Bench {
    pub app: Arc<App>,
    pub clock: Arc<MovedClock>,
    pub media: Arc<Media>,
    pub mailbox: Arc<Mailbox>,
    pub store: Store,
    parts: (AppConfig, Ports),
    _folder: tempfile::TempDir,
}

impl Bench {
    /// An installation with the demonstration practice in it.
    pub async fn new() -> Self {
        let bench = Self::empty().await;
        let passwords = DemoPasswords {
            admin: Some(PASSWORD.to_owned()),
            provider: Some(PASSWORD.to_owned()),
            second_provider: Some(PASSWORD.to_owned()),
        };
        bench.app.seed_demo(&passwords).await.unwrap().unwrap();
        bench
    }

    pub async fn empty() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = DatabaseUrl::sqlite(folder.path().join("parley.db"));
        let store = Store::open(&url).await.unwrap();
        let clock = Arc::new(MovedClock(Mutex::new(at(START))));
        let media = Arc::new(Media::default());
        let mailbox = Arc::new(Mailbox::default());
        let config = AppConfig {
            public_url: "https://parley.test/".parse().unwrap(),
            media_url: "wss://parley.test".to_owned(),
            link_key: [7; 32],
            mail_from: "Parley <no-reply@parley.test>".to_owned(),
            room_limit: 2,
        };
        let ports = Ports {
            store: Arc::new(store.clone()),
            rooms: Arc::clone(&media) as Arc<dyn Rooms>,
            mailer: Arc::clone(&mailbox) as Arc<dyn Mailer>,
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            random: Arc::new(SeededRandom(Mutex::new(StdRng::seed_from_u64(42)))),
        };
        let app = App::new(config.clone(), ports.clone());
        Self { app, clock, media, mailbox, store, parts: (config, ports), _folder: folder }
    }

    /// The process dies and starts again on the same database.
    pub fn restart(&mut self) {
        self.app = App::new(self.parts.0.clone(), self.parts.1.clone());
    }

    pub async fn service(&self, slug: &str) -> Service {
        let page = self.app.organisation_page("demo").await.unwrap();
        page.services.into_iter().find(|service| service.slug.as_str() == slug).unwrap()
    }

    /// A request for the doctor's video consultation at `start`.
    pub async fn request(&self, start: &str) -> BookingRequest {
        let service = self.service("video-consultation").await;
        BookingRequest {
            service_id: service.id,
            provider_id: service.provider_ids[0],
            start: at(start),
            duration: Some(Minutes(30)),
            time_zone: "America/New_York".to_owned(),
            client_name: "Ana Lima".to_owned(),
            client_email: "Ana@Mail.Test".to_owned(),
            client_phone: Some("+1 555 0100".to_owned()),
            note: Some("Left knee".to_owned()),
            locale: Some("en-US".to_owned()),
        }
    }

    pub async fn book(&self, start: &str) -> Booked {
        self.app.book(&self.request(start).await, None, &caller()).await.unwrap()
    }

    pub async fn slots_on(&self, date: &str) -> Vec<Timestamp> {
        let service = self.service("video-consultation").await;
        let wanted = SlotsWanted {
            service_id: service.id,
            provider_id: Some(service.provider_ids[0]),
            from: date.parse().unwrap(),
            to: date.parse().unwrap(),
            time_zone: Some("UTC".to_owned()),
            duration: None,
        };
        let found = self.app.slots(&wanted).await.unwrap();
        found.days[0].1.iter().map(|slot| slot.start).collect()
    }

    /// Signs in and gives who that is.
    pub async fn member(&self, email: &str) -> Principal {
        let signed = self.app.sign_in(email, PASSWORD, &caller()).await.unwrap();
        self.app.authenticate(&signed.secret).await.unwrap()
    }

    /// Does everything that is in the outbox and due.
    pub async fn deliver(&self) {
        while self.app.work_outbox().await.unwrap() > 0 {}
    }

    pub async fn enter(&self, token: &str) -> JoinView {
        self.app.join_enter(token, "Someone", None, &caller()).await.unwrap()
    }

    /// Client waits, provider enters, client is admitted; both join tokens and the room.
    pub async fn admitted(&self, booked: &Booked) -> (String, String, String) {
        let doctor = self.member("doctor@demo.test").await;
        let id = booked.facts.appointment.id;
        self.enter(&booked.join_token).await;
        let provider_token = self.app.start(&doctor, id).await.unwrap();
        self.enter(&provider_token).await;
        self.app.admit_all(&doctor, id).await.unwrap();
        let media = self.app.media_token(&booked.join_token, &caller()).await.unwrap();
        (booked.join_token.clone(), provider_token, media.room)
    }

    pub async fn joined(&self, room: &str, identity: &str, session: &str, at: Timestamp) {
        self.clock.set(at);
        let event = RoomEvent::ParticipantJoined {
            room: room.to_owned(),
            identity: identity.to_owned(),
            session: session.to_owned(),
            at,
            network: Some("udp".to_owned()),
        };
        self.app.handle_room_event(&event).await.unwrap();
        settle().await;
    }

    pub async fn left(&self, room: &str, identity: &str, session: &str, at: Timestamp) {
        self.clock.set(at);
        let event = RoomEvent::ParticipantLeft {
            room: room.to_owned(),
            identity: identity.to_owned(),
            session: session.to_owned(),
            at,
            network: None,
        };
        self.app.handle_room_event(&event).await.unwrap();
        settle().await;
    }
}

/// Lets the commands to the media side run that an event caused: on this one thread, they come next.
pub async fn settle() {
    for _ in 0..8 {
        tokio::task::yield_now().await;
    }
}

pub fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub fn caller() -> Caller {
    Caller { address: "192.0.2.1".to_owned(), user_agent: "test".to_owned() }
}
