//! The first organisation: a demonstration, or a real one with a set-up link for its admin.

use jiff::{SignedDuration, Timestamp};
use parley_control_domain::{
    Appointment, AppointmentId, AppointmentNumber, AppointmentState, Availability, BookingRules,
    ClientDetails, Email, Labels, Member, MemberId, Minutes, Money, Organisation, OrganisationId, Role,
    Schedule, Service, ServiceId, ServiceKind, Slug, Span, TimeOfDay, WeeklyInterval, Zone,
};

use crate::accounts::check_password;
use crate::app::App;
use crate::error::AppError;
use crate::links::{new_code, new_secret};
use crate::records::{Actor, LinkPurpose, Seed};

const DEMO_SLUG: &str = "demo";
const DEMO_ZONE: &str = "Europe/Berlin";
/// Letters of a generated password: over 100 bits.
const PASSWORD_LEN: usize = 18;

/// Passwords of the demonstration's members; `None`: generated.
#[derive(Debug, Clone, Default)]
pub struct DemoPasswords {
    pub admin: Option<String>,
    pub provider: Option<String>,
    pub second_provider: Option<String>,
}

/// How to sign in to the demonstration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DemoLogin {
    pub role: Role,
    pub email: String,
    pub password: String,
}

/// A real organisation to start with.
#[derive(Debug, Clone)]
pub struct FirstOrganisation {
    pub name: String,
    pub time_zone: String,
    pub admin_name: String,
    pub admin_email: String,
}

struct Person {
    role: Role,
    email: &'static str,
    slug: &'static str,
    name: &'static str,
    title: &'static str,
    bio: &'static str,
}

const PEOPLE: [Person; 3] = [
    Person {
        role: Role::Admin,
        email: "admin@demo.test",
        slug: "admin",
        name: "Robin Keller",
        title: "",
        bio: "Runs the demo practice.",
    },
    Person {
        role: Role::Provider,
        email: "doctor@demo.test",
        slug: "ada-lind",
        name: "Ada Lind",
        title: "Dr.",
        bio: "General practitioner. Speaks English and German. Always open here, so that you can try everything.",
    },
    Person {
        role: Role::Provider,
        email: "second@demo.test",
        slug: "noor-haddad",
        name: "Noor Haddad",
        title: "Dr.",
        bio: "Internal medicine. Second opinions on weekdays.",
    },
];

impl App {
    /// Fills an empty installation with a practice to try; the logins, or `None` when it is there already.
    ///
    /// # Errors
    /// `validation_failed` for a password that is too short; of the store.
    pub async fn seed_demo(&self, passwords: &DemoPasswords) -> Result<Option<Vec<DemoLogin>>, AppError> {
        if self.store.organisation_by_slug(DEMO_SLUG).await?.is_some() {
            return Ok(None);
        }
        let now = self.now();
        let organisation = Organisation {
            id: OrganisationId::from_uuid(self.uuid()),
            slug: Slug::parse("slug", DEMO_SLUG)?,
            name: "Demo Practice".to_owned(),
            zone: Zone::parse("time_zone", DEMO_ZONE)?,
            labels: Labels { provider: "Doctor".to_owned(), client: "Patient".to_owned() },
            listed: true,
            created_at: now,
        };
        let mut members = Vec::new();
        let mut logins = Vec::new();
        let given = [&passwords.admin, &passwords.provider, &passwords.second_provider];
        for (person, given) in PEOPLE.iter().zip(given) {
            let password = match given {
                Some(password) => password.clone(),
                None => new_secret(&*self.random).0.chars().take(PASSWORD_LEN).collect(),
            };
            check_password("password", &password)?;
            let hash = self.passwords.hash(&password, &*self.random).await?;
            members.push((self.demo_member(person, &organisation)?, Some(hash)));
            logins.push(DemoLogin { role: person.role, email: person.email.to_owned(), password });
        }
        let (doctor, second) = (members[1].0.clone(), members[2].0.clone());
        let services = self.demo_services(&organisation, &doctor, &second)?;
        let seed = Seed {
            appointments: self.demo_appointments(&services, &doctor, &second)?,
            availability: vec![
                hours(&doctor, 0..=6, TimeOfDay::MIDNIGHT, TimeOfDay::END_OF_DAY),
                hours(&second, 1..=5, TimeOfDay::parse("start", "09:00")?, TimeOfDay::parse("end", "17:00")?),
            ],
            audit: self.audit(
                Actor::System,
                Some(organisation.id),
                "organisation.seed",
                ("organisation", Some(organisation.id.as_uuid())),
            ),
            organisation,
            members,
            services,
            links: Vec::new(),
        };
        Ok(self.store.organisation_seed(&seed).await?.then_some(logins))
    }

    /// Makes the first organisation of an installation that has none, with an admin who has no password yet;
    /// the address that signs him in once, within 7 days. `None` when there is an organisation.
    ///
    /// # Errors
    /// `validation_failed`; of the store.
    pub async fn bootstrap(&self, first: &FirstOrganisation) -> Result<Option<String>, AppError> {
        if !self.store.organisations_all().await?.is_empty() {
            return Ok(None);
        }
        let now = self.now();
        let organisation = Organisation {
            id: OrganisationId::from_uuid(self.uuid()),
            slug: Slug::from_name(&first.name, "practice"),
            name: first.name.trim().to_owned(),
            zone: Zone::parse("time_zone", &first.time_zone)?,
            labels: Labels::default(),
            listed: true,
            created_at: now,
        };
        organisation.validate()?;
        let admin = Member {
            id: MemberId::from_uuid(self.uuid()),
            organisation_id: organisation.id,
            role: Role::Admin,
            slug: Slug::from_name(&first.admin_name, "admin"),
            name: first.admin_name.trim().to_owned(),
            email: Email::parse("admin_email", &first.admin_email)?,
            title: String::new(),
            bio: String::new(),
            photo_url: None,
            zone: organisation.zone.clone(),
            active: true,
            created_at: now,
        };
        admin.validate()?;
        let link = self.new_magic_link(&admin, LinkPurpose::SetUp);
        let url = self.page(&format!("/sign-in/{}", self.links.magic(link.id)));
        let seed = Seed {
            audit: self.audit(
                Actor::System,
                Some(organisation.id),
                "organisation.create",
                ("organisation", Some(organisation.id.as_uuid())),
            ),
            organisation,
            members: vec![(admin, None)],
            services: Vec::new(),
            availability: Vec::new(),
            appointments: Vec::new(),
            links: vec![link],
        };
        Ok(self.store.organisation_seed(&seed).await?.then_some(url))
    }

    fn demo_member(&self, person: &Person, organisation: &Organisation) -> Result<Member, AppError> {
        Ok(Member {
            id: MemberId::from_uuid(self.uuid()),
            organisation_id: organisation.id,
            role: person.role,
            slug: Slug::parse("slug", person.slug)?,
            name: person.name.to_owned(),
            email: Email::parse("email", person.email)?,
            title: person.title.to_owned(),
            bio: person.bio.to_owned(),
            photo_url: None,
            zone: organisation.zone.clone(),
            active: true,
            created_at: self.now(),
        })
    }

    fn demo_services(
        &self,
        organisation: &Organisation,
        doctor: &Member,
        second: &Member,
    ) -> Result<Vec<Service>, AppError> {
        // Without buffers and notice, starts every quarter of an hour: the next one can be entered at once.
        let at_once = BookingRules {
            buffer_before: Minutes(0),
            buffer_after: Minutes(0),
            minimum_notice: Minutes(0),
            slot_interval: Some(Minutes(15)),
            ..BookingRules::default()
        };
        let service =
            |slug: &str, name: &str, description: &str, kind: ServiceKind| -> Result<Service, AppError> {
                Ok(Service {
                    id: ServiceId::from_uuid(self.uuid()),
                    organisation_id: organisation.id,
                    slug: Slug::parse("slug", slug)?,
                    name: name.to_owned(),
                    description: description.to_owned(),
                    kind,
                    durations: Service::default_durations(),
                    price: None,
                    active: true,
                    provider_ids: vec![doctor.id],
                    rules: BookingRules::default(),
                    created_at: self.now(),
                })
            };
        let video = Service {
            rules: at_once,
            provider_ids: vec![doctor.id, second.id],
            ..service(
                "video-consultation",
                "Video consultation",
                "Talk to a doctor by video, from wherever you are. Nothing to install.",
                ServiceKind::Video,
            )?
        };
        let opinion = Service {
            durations: vec![Minutes(45), Minutes(60)],
            price: Some(Money::price("price", 9_000, "EUR")?),
            provider_ids: vec![second.id],
            ..service(
                "second-opinion",
                "Second opinion",
                "A second look at findings and a planned treatment, by video.",
                ServiceKind::Video,
            )?
        };
        let check_up = service(
            "check-up",
            "Check-up at the practice",
            "A thorough examination, at the practice.",
            ServiceKind::InPerson,
        )?;
        Ok(vec![video, opinion, check_up])
    }

    /// One that is over and two to come, of today, for the dashboards.
    fn demo_appointments(
        &self,
        services: &[Service],
        doctor: &Member,
        second: &Member,
    ) -> Result<Vec<Appointment>, AppError> {
        let hour_s = 3_600;
        let this_hour = self.now().as_second().div_euclid(hour_s) * hour_s;
        let at = |hours: i64| {
            Timestamp::from_second(this_hour + hours * hour_s)
                .map_err(|_| AppError::internal("the clock is out of range"))
        };
        let video = &services[0];
        let mut over = self.demo_appointment(video, doctor, at(-2)?, ("Jonas Weber", "jonas@demo.test"))?;
        over.state = AppointmentState::Completed;
        over.actual_start = Some(over.start + SignedDuration::from_secs(40));
        over.actual_end = Some(over.start + SignedDuration::from_mins(26));
        Ok(vec![
            over,
            self.demo_appointment(video, doctor, at(3)?, ("Mira Sato", "mira@demo.test"))?,
            self.demo_appointment(video, second, at(2)?, ("Luis Ortega", "luis@demo.test"))?,
        ])
    }

    fn demo_appointment(
        &self,
        service: &Service,
        provider: &Member,
        start: Timestamp,
        (name, email): (&str, &str),
    ) -> Result<Appointment, AppError> {
        let end = start + service.duration(None)?.duration();
        Ok(Appointment {
            id: AppointmentId::from_uuid(self.uuid()),
            organisation_id: service.organisation_id,
            number: AppointmentNumber { year: 0, sequence: 0 },
            state: AppointmentState::Scheduled,
            service_id: service.id,
            provider_id: provider.id,
            client: ClientDetails {
                name: name.to_owned(),
                email: Email::parse("email", email)?,
                phone: None,
                zone: provider.zone.clone(),
            },
            start,
            end,
            reserved: service.rules.reserved(Span::new(start, end)),
            join_before: service.rules.join_before,
            join_after: service.rules.join_after,
            note: String::new(),
            locale: "en".to_owned(),
            client_code: new_code(&*self.random),
            provider_code: new_code(&*self.random),
            created_at: self.now(),
            actual_start: None,
            actual_end: None,
            cancelled: None,
            absent: None,
            version: 1,
        })
    }
}

fn hours(
    provider: &Member,
    days: std::ops::RangeInclusive<u8>,
    start: TimeOfDay,
    end: TimeOfDay,
) -> Availability {
    let intervals = days.map(|day| WeeklyInterval { day, start, end }).collect();
    Availability {
        provider_id: provider.id,
        zone: provider.zone.clone(),
        schedules: vec![Schedule {
            name: "Office hours".to_owned(),
            active: true,
            slot_minutes: Minutes(30),
            intervals,
        }],
        overrides: Vec::new(),
    }
}
