//! What the store's tests share: a database of each kind, and things to put into it.
#![allow(clippy::unwrap_used, dead_code)]

mod postgres;

use jiff::{SignedDuration, Timestamp};
use parley_control_app::ports::{OrganisationStore, StoreError};
use parley_control_app::records::{
    Actor, AuditEvent, Booking, IdempotencyKey, LinkPurpose, MagicLink, NewJob, Seed,
};
use parley_control_domain::{
    Appointment, AppointmentId, AppointmentNumber, AppointmentState, Availability, BookingRules,
    ClientDetails, Email, JoinCode, Labels, Member, MemberId, Minutes, Money, Organisation, OrganisationId,
    Role, Schedule, Service, ServiceId, ServiceKind, Slug, Span, TimeOfDay, WeeklyInterval, Zone,
};
use parley_control_store::{DatabaseUrl, Store};
use uuid::Uuid;

/// Names a kind of database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Sqlite,
    Postgres,
}

/// A new database; an embedded one is gone when this is dropped.
pub struct Place {
    pub kind: Kind,
    pub url: DatabaseUrl,
    pub store: Store,
    /// What sqlx connects to, past the store.
    pub raw: String,
    _folder: Option<tempfile::TempDir>,
}

impl Place {
    pub async fn new(kind: Kind) -> Self {
        let (raw, folder) = match kind {
            Kind::Sqlite => {
                let folder = tempfile::tempdir().unwrap();
                (format!("sqlite://{}", folder.path().join("parley.db").display()), Some(folder))
            }
            Kind::Postgres => (postgres::new_database().await, None),
        };
        let url: DatabaseUrl = raw.parse().unwrap();
        let store = Store::open(&url).await.unwrap();
        Self { kind, url, store, raw, _folder: folder }
    }

    /// Runs a statement past the store, as someone at the database's own console would.
    pub async fn execute_raw(&self, statement: &'static str) -> Result<u64, sqlx::Error> {
        use sqlx::Connection;
        match self.kind {
            Kind::Sqlite => {
                let mut conn = sqlx::SqliteConnection::connect(&self.raw).await?;
                Ok(sqlx::query(statement).execute(&mut conn).await?.rows_affected())
            }
            Kind::Postgres => {
                let mut conn = sqlx::PgConnection::connect(&self.raw).await?;
                Ok(sqlx::query(statement).execute(&mut conn).await?.rows_affected())
            }
        }
    }

    /// Reads one number past the store.
    pub async fn count_raw(&self, statement: &'static str) -> i64 {
        use sqlx::Connection;
        match self.kind {
            Kind::Sqlite => {
                let mut conn = sqlx::SqliteConnection::connect(&self.raw).await.unwrap();
                sqlx::query_scalar(statement).fetch_one(&mut conn).await.unwrap()
            }
            Kind::Postgres => {
                let mut conn = sqlx::PgConnection::connect(&self.raw).await.unwrap();
                sqlx::query_scalar(statement).fetch_one(&mut conn).await.unwrap()
            }
        }
    }
}

pub fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub fn zone(name: &str) -> Zone {
    Zone::parse("zone", name).unwrap()
}

pub fn new_id() -> Uuid {
    Uuid::now_v7()
}

pub fn event(organisation: OrganisationId, action: &str) -> AuditEvent {
    AuditEvent {
        id: new_id().into(),
        organisation_id: Some(organisation),
        at: at("2026-11-21T08:00:00Z"),
        actor: Actor::System,
        action: action.to_owned(),
        subject_kind: "test".to_owned(),
        subject_id: Some(new_id()),
        details: "{}".to_owned(),
    }
}

pub fn job(key: &str, due_at: &str) -> NewJob {
    NewJob {
        id: new_id().into(),
        kind: "mail.confirmation".to_owned(),
        payload: r#"{"appointment":"x"}"#.to_owned(),
        key: key.to_owned(),
        due_at: at(due_at),
    }
}

pub fn organisation(slug: &str) -> Organisation {
    Organisation {
        id: new_id().into(),
        slug: slug.parse().unwrap(),
        name: format!("Practice {slug}"),
        zone: zone("Europe/Berlin"),
        labels: Labels { provider: "Doctor".to_owned(), client: "Patient".to_owned() },
        listed: true,
        created_at: at("2026-11-01T00:00:00Z"),
    }
}

pub fn member(organisation: OrganisationId, name: &str, role: Role) -> Member {
    let slug = Slug::from_name(name, "member");
    Member {
        id: new_id().into(),
        organisation_id: organisation,
        role,
        email: Email::parse("email", &format!("{slug}.{}@example.org", organisation.as_uuid().simple()))
            .unwrap(),
        slug,
        name: name.to_owned(),
        title: "Dr. med.".to_owned(),
        bio: "Since 1998.".to_owned(),
        photo_url: None,
        zone: zone("Europe/Berlin"),
        active: true,
        created_at: at("2026-11-01T00:00:00Z"),
    }
}

pub fn service(organisation: OrganisationId, slug: &str, providers: Vec<MemberId>) -> Service {
    Service {
        id: new_id().into(),
        organisation_id: organisation,
        slug: slug.parse().unwrap(),
        name: format!("Service {slug}"),
        description: "By video.".to_owned(),
        kind: ServiceKind::Video,
        durations: vec![Minutes(30), Minutes(60)],
        price: Some(Money::price("price", 4_500, "EUR").unwrap()),
        active: true,
        provider_ids: providers,
        rules: BookingRules::default(),
        created_at: at("2026-11-01T00:00:00Z"),
    }
}

pub fn hours(provider: MemberId) -> Availability {
    let time = |text: &str| TimeOfDay::parse("time", text).unwrap();
    Availability {
        provider_id: provider,
        zone: zone("Europe/Berlin"),
        schedules: vec![Schedule {
            name: "Week".to_owned(),
            active: true,
            slot_minutes: Minutes(30),
            intervals: (1..=5)
                .map(|day| WeeklyInterval { day, start: time("09:00"), end: time("17:00") })
                .collect(),
        }],
        overrides: Vec::new(),
    }
}

/// An organisation with two providers and a service, in the database.
pub struct Practice {
    pub organisation: Organisation,
    pub providers: Vec<Member>,
    pub service: Service,
}

impl Practice {
    pub fn new(slug: &str) -> Self {
        let organisation = organisation(slug);
        let providers = vec![
            member(organisation.id, "Anna Berg", Role::Provider),
            member(organisation.id, "Carl Dahl", Role::Provider),
        ];
        let ids = providers.iter().map(|provider| provider.id).collect();
        let service = service(organisation.id, "first-visit", ids);
        Self { organisation, providers, service }
    }

    pub fn seed(&self) -> Seed {
        Seed {
            organisation: self.organisation.clone(),
            members: self
                .providers
                .iter()
                .map(|member| (member.clone(), Some("$argon2id$x".to_owned())))
                .collect(),
            services: vec![self.service.clone()],
            availability: self.providers.iter().map(|member| hours(member.id)).collect(),
            appointments: Vec::new(),
            links: vec![MagicLink {
                id: new_id().into(),
                member_id: self.providers[0].id,
                purpose: LinkPurpose::SetUp,
                created_at: at("2026-11-01T00:00:00Z"),
                expires_at: at("2026-11-08T00:00:00Z"),
                used_at: None,
            }],
            audit: event(self.organisation.id, "organisation.seed"),
        }
    }

    pub async fn written(store: &Store, slug: &str) -> Self {
        let practice = Self::new(slug);
        assert!(store.organisation_seed(&practice.seed()).await.unwrap());
        practice
    }

    /// An appointment of half an hour with the first provider, with buffers of 15 minutes.
    pub fn appointment(&self, start: &str) -> Appointment {
        self.appointment_with(0, at(start), 30)
    }

    pub fn appointment_with(&self, provider: usize, start: Timestamp, minutes: i64) -> Appointment {
        let end = start + SignedDuration::from_mins(minutes);
        Appointment {
            id: AppointmentId::from_uuid(new_id()),
            organisation_id: self.organisation.id,
            number: AppointmentNumber { year: 0, sequence: 0 },
            state: AppointmentState::Scheduled,
            service_id: self.service.id,
            provider_id: self.providers[provider].id,
            client: ClientDetails {
                name: "Zoë Quist".to_owned(),
                email: Email::parse("email", "Zoe@Example.net").unwrap(),
                phone: Some("+49 30 1234".to_owned()),
                zone: zone("America/New_York"),
            },
            start,
            end,
            reserved: self.service.rules.reserved(Span::new(start, end)),
            join_before: Minutes(15),
            join_after: Minutes(15),
            note: "Knee.\nLeft.".to_owned(),
            locale: "de".to_owned(),
            client_code: code(),
            provider_code: code(),
            created_at: at("2026-11-20T10:00:00Z"),
            actual_start: None,
            actual_end: None,
            cancelled: None,
            absent: None,
            version: 1,
        }
    }

    pub fn booking(&self, appointment: Appointment) -> Booking {
        let key = format!("confirm:{}", appointment.id);
        Booking {
            appointment,
            idempotency: None,
            jobs: vec![job(&key, "2026-11-20T10:00:00Z")],
            audit: event(self.organisation.id, "appointment.book"),
        }
    }

    pub fn booking_at(&self, start: &str) -> Booking {
        self.booking(self.appointment(start))
    }
}

pub fn key(key: &str, fingerprint: &str) -> Option<IdempotencyKey> {
    Some(IdempotencyKey { key: key.to_owned(), fingerprint: fingerprint.to_owned() })
}

pub fn code() -> JoinCode {
    JoinCode::from_bytes(rand::random())
}

pub fn unknown_service() -> ServiceId {
    new_id().into()
}

/// The text of a store error.
pub fn detail(error: StoreError) -> String {
    error.detail
}

/// Runs each case on both databases: `contract!(case, …)` makes the tests `sqlite::case` and
/// `postgres::case`.
#[macro_export]
macro_rules! contract {
    ($($case:ident),+ $(,)?) => {
        mod sqlite {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                async fn $case() {
                    super::$case($crate::common::Place::new($crate::common::Kind::Sqlite).await).await;
                }
            )+
        }

        mod postgres {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                async fn $case() {
                    super::$case($crate::common::Place::new($crate::common::Kind::Postgres).await).await;
                }
            )+
        }
    };
}
