//! Slots, and booking by a guest.

use jiff::Timestamp;
use jiff::civil::Date;
use parley_control_domain::{
    Appointment, AppointmentId, AppointmentNumber, AppointmentState, Availability, Checks, ClientDetails,
    Email, FieldError, MAX_DAYS, MeetingRole, Member, MemberId, Minutes, Organisation, Service, ServiceId,
    SlotQuery, SlotRefusal, Span, Zone, by_day, check_slot, days_window, limits, optional_text,
    required_text, slots,
};

use crate::app::{App, Caller, detached};
use crate::error::AppError;
use crate::links::{JoinClaims, fingerprint, new_code};
use crate::outbox::Work;
use crate::ports::{BookError, BookOutcome};
use crate::records::{Actor, Booking, IdempotencyKey, Meeting};

/// Longest idempotency key.
const MAX_KEY: usize = 200;
const DEFAULT_LOCALE: &str = "en";

/// Which slots.
#[derive(Debug, Clone)]
pub struct SlotsWanted {
    pub service_id: ServiceId,
    /// `None`: of all providers of the service.
    pub provider_id: Option<MemberId>,
    /// Dates in the viewer's zone, both included.
    pub from: Date,
    pub to: Date,
    /// The viewer's zone; `None`: the organisation's.
    pub time_zone: Option<String>,
    pub duration: Option<Minutes>,
}

/// Slots by date.
#[derive(Debug, Clone)]
pub struct SlotsFound {
    pub zone: Zone,
    /// Every date asked for, in order.
    pub days: Vec<(Date, Vec<ProviderSlot>)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProviderSlot {
    pub start: Timestamp,
    pub end: Timestamp,
    pub provider_id: MemberId,
}

/// What a guest sends to book.
#[derive(Debug, Clone)]
pub struct BookingRequest {
    pub service_id: ServiceId,
    pub provider_id: MemberId,
    pub start: Timestamp,
    pub duration: Option<Minutes>,
    pub time_zone: String,
    pub client_name: String,
    pub client_email: String,
    pub client_phone: Option<String>,
    pub note: Option<String>,
    pub locale: Option<String>,
}

/// An appointment with what pages show around it.
#[derive(Debug, Clone)]
pub struct AppointmentFacts {
    pub appointment: Appointment,
    pub service: Service,
    pub provider: Member,
    pub organisation: Organisation,
}

/// A booking's answer.
#[derive(Debug, Clone)]
pub struct Booked {
    pub facts: AppointmentFacts,
    pub manage_token: String,
    pub join_token: String,
    /// The same request had been made before.
    pub replayed: bool,
}

impl App {
    /// # Errors
    /// `not_found`, `validation_failed`.
    pub async fn slots(&self, wanted: &SlotsWanted) -> Result<SlotsFound, AppError> {
        let service = self.bookable_service(wanted.service_id).await?;
        let duration = service.duration(wanted.duration)?;
        let zone = match &wanted.time_zone {
            Some(name) => Zone::parse("time_zone", name)?,
            None => self.organisation_of(&service).await?.zone,
        };
        check_dates(wanted.from, wanted.to)?;
        let window = days_window(wanted.from, wanted.to, &zone);
        let mut found = Vec::new();
        for provider in self.bookable_providers(&service, wanted.provider_id).await? {
            let availability = self.availability_or_empty(&provider).await?;
            let busy =
                self.store.busy_of(provider.id, service.rules.reserved(around(window, duration))).await?;
            let query = SlotQuery {
                availability: &availability,
                rules: &service.rules,
                duration,
                busy: &busy,
                now: self.now(),
            };
            found.push((provider.id, by_day(&slots(&query, window), wanted.from, wanted.to, &zone)));
        }
        Ok(SlotsFound { days: merge_days(wanted.from, wanted.to, &found), zone })
    }

    /// Books a slot. With an idempotency key, the same request again answers what the first one made.
    ///
    /// # Errors
    /// `validation_failed`, `not_found`, `slot_taken` and the other codes of `SlotRefusal`,
    /// `idempotency_key_reused`, `too_many_attempts`.
    pub async fn book(
        &self,
        request: &BookingRequest,
        key: Option<&str>,
        caller: &Caller,
    ) -> Result<Booked, AppError> {
        let service = self.bookable_service(request.service_id).await?;
        let idempotency = idempotency_key(request, key)?;
        if let Some(idempotency) = &idempotency
            && let Some(found) = self.store.booking_by_key(service.organisation_id, &idempotency.key).await?
        {
            if found.0 != idempotency.fingerprint {
                return Err(BookError::KeyReused.into());
            }
            return self.booked(found.1, true).await;
        }
        let client = client_of(request)?;
        let (note, locale) = extras_of(request)?;
        let duration = service.duration(request.duration)?;
        let provider = self.bookable_providers(&service, Some(request.provider_id)).await?.remove(0);
        let slot = self.check_start(&service, &provider, request.start, duration).await?;
        let now = self.now();
        let appointment = Appointment {
            id: AppointmentId::from_uuid(self.uuid()),
            organisation_id: service.organisation_id,
            number: AppointmentNumber { year: 0, sequence: 0 },
            state: AppointmentState::Scheduled,
            service_id: service.id,
            provider_id: provider.id,
            client,
            start: slot.start,
            end: slot.end,
            reserved: service.rules.reserved(slot),
            join_before: service.rules.join_before,
            join_after: service.rules.join_after,
            note,
            locale,
            client_code: new_code(&*self.random),
            provider_code: new_code(&*self.random),
            created_at: now,
            actual_start: None,
            actual_end: None,
            cancelled: None,
            absent: None,
            version: 1,
        };
        let email = appointment.client.email.key();
        self.count_booking(&email, caller)?;
        let booked = self.write_booking(appointment, idempotency).await;
        // Only what was booked counts: it takes a provider's time and sends mails.
        if booked.as_ref().map_or(true, |booked| booked.replayed) {
            self.booking_throttle.uncount(&caller.address);
            self.booking_mail_throttle.uncount(&email);
        }
        booked
    }

    fn count_booking(&self, email: &str, caller: &Caller) -> Result<(), AppError> {
        let now = self.now();
        self.booking_throttle.count(&caller.address, now).map_err(AppError::too_many)?;
        self.booking_mail_throttle.count(email, now).map_err(|wait| {
            self.booking_throttle.uncount(&caller.address);
            AppError::too_many(wait)
        })
    }

    async fn write_booking(
        &self,
        appointment: Appointment,
        idempotency: Option<IdempotencyKey>,
    ) -> Result<Booked, AppError> {
        let id = appointment.id;
        let booking = Booking {
            jobs: self
                .jobs(&[Work::Confirmation { appointment: id }, Work::ProviderNotice { appointment: id }]),
            audit: self.audit(
                Actor::Client,
                Some(appointment.organisation_id),
                "appointment.book",
                ("appointment", Some(id.as_uuid())),
            ),
            idempotency,
            appointment,
        };
        let app = self.this()?;
        match detached(async move { app.carry_out_booking(&booking).await }).await?? {
            BookOutcome::Created(appointment) => self.booked(appointment, false).await,
            BookOutcome::Replayed(appointment) => self.booked(appointment, true).await,
        }
    }

    async fn carry_out_booking(&self, booking: &Booking) -> Result<BookOutcome, BookError> {
        let outcome = self.store.appointment_book(booking).await?;
        if let BookOutcome::Created(appointment) = &outcome {
            self.job_added.notify_one();
            self.announce(&Meeting {
                appointment: appointment.clone(),
                consultations: Vec::new(),
                participants: Vec::new(),
                stays: Vec::new(),
            });
        }
        Ok(outcome)
    }

    async fn booked(&self, appointment: Appointment, replayed: bool) -> Result<Booked, AppError> {
        let manage_token = self.links.manage(appointment.id);
        let join_token = self.client_join_token(&appointment);
        let facts = self.facts(appointment).await?;
        Ok(Booked { facts, manage_token, join_token, replayed })
    }

    async fn check_start(
        &self,
        service: &Service,
        provider: &Member,
        start: Timestamp,
        duration: Minutes,
    ) -> Result<Span, AppError> {
        let out_of_range = || AppError::field("start", "out_of_range", "This time is out of range.");
        let end = start.checked_add(duration.duration()).map_err(|_| out_of_range())?;
        let availability = self.availability_or_empty(provider).await?;
        let busy = self.store.busy_of(provider.id, service.rules.reserved(Span::new(start, end))).await?;
        let query = SlotQuery {
            availability: &availability,
            rules: &service.rules,
            duration,
            busy: &busy,
            now: self.now(),
        };
        match check_slot(&query, start) {
            Ok(slot) => Ok(Span::new(slot.start, slot.end)),
            Err(SlotRefusal::Taken) => Err(AppError::slot_taken()),
            Err(refusal) => Err(AppError::conflict(refusal.code(), refusal.detail())),
        }
    }

    /// What pages and mails show around an appointment.
    pub(crate) async fn facts(&self, appointment: Appointment) -> Result<AppointmentFacts, AppError> {
        let service = self.store.service_by_id(appointment.service_id).await?;
        let provider = self.store.member_by_id(appointment.provider_id).await?;
        let organisation = self.store.organisation_by_id(appointment.organisation_id).await?;
        match (service, provider, organisation) {
            (Some(service), Some(provider), Some(organisation)) => {
                Ok(AppointmentFacts { appointment, service, provider, organisation })
            }
            _ => Err(AppError::internal("an appointment without its service, provider or organisation")),
        }
    }

    pub(crate) fn client_join_token(&self, appointment: &Appointment) -> String {
        self.links.join(&JoinClaims {
            appointment: appointment.id,
            identity: identity_of(appointment.id, MeetingRole::Client),
            role: MeetingRole::Client,
            expires_at: appointment.planned_close(),
        })
    }

    pub fn join_url(&self, appointment: &Appointment) -> String {
        self.page(&format!("/j/{}", self.client_join_token(appointment)))
    }

    pub fn manage_url(&self, id: AppointmentId) -> String {
        self.page(&format!("/a/{}", self.links.manage(id)))
    }

    /// The host name of the public address, for ids that must be unique in the world.
    pub(crate) fn host(&self) -> String {
        self.config.public_url.host_str().unwrap_or("localhost").to_owned()
    }

    async fn bookable_service(&self, id: ServiceId) -> Result<Service, AppError> {
        let service = self.store.service_by_id(id).await?.filter(|service| service.active);
        service.ok_or_else(|| AppError::not_found("service"))
    }

    async fn organisation_of(&self, service: &Service) -> Result<Organisation, AppError> {
        let organisation = self.store.organisation_by_id(service.organisation_id).await?;
        organisation.ok_or_else(|| AppError::internal("a service without organisation"))
    }

    /// The active providers of a service, or the one asked for; never empty.
    async fn bookable_providers(
        &self,
        service: &Service,
        only: Option<MemberId>,
    ) -> Result<Vec<Member>, AppError> {
        let mut providers = self.store.members_of(service.organisation_id).await?;
        providers.retain(|member| {
            member.is_bookable()
                && service.provider_ids.contains(&member.id)
                && only.is_none_or(|only| only == member.id)
        });
        if providers.is_empty() {
            return Err(AppError::not_found("provider for this service"));
        }
        Ok(providers)
    }

    async fn availability_or_empty(&self, provider: &Member) -> Result<Availability, AppError> {
        let found = self.store.availability_of(provider.id).await?;
        Ok(found.unwrap_or_else(|| Availability::empty(provider.id, provider.zone.clone())))
    }
}

/// The identity that a side's link gives in the room. The tail of a version-7 UUID is its random part.
pub(crate) fn identity_of(appointment: AppointmentId, role: MeetingRole) -> String {
    let id = appointment.as_uuid().simple().to_string();
    format!("{role}-{}", &id[20..])
}

/// `Parley <no-reply@example.org>` into name and address.
pub(crate) fn split_sender(sender: &str) -> (String, String) {
    match sender.rsplit_once('<') {
        Some((name, rest)) => {
            (name.trim().trim_matches('"').to_owned(), rest.trim_end_matches('>').trim().to_owned())
        }
        None => (String::new(), sender.trim().to_owned()),
    }
}

fn check_dates(from: Date, to: Date) -> Result<(), AppError> {
    if to < from {
        return Err(AppError::field("to", "before_from", "The last date lies before the first."));
    }
    let days = to.since(from).map_or(i32::MAX, |span| span.get_days());
    if usize::try_from(days).unwrap_or(usize::MAX) >= MAX_DAYS {
        return Err(AppError::field("to", "too_many_days", format!("Ask for at most {MAX_DAYS} days.")));
    }
    Ok(())
}

/// Everything that an appointment starting inside `window` could touch.
fn around(window: Span, duration: Minutes) -> Span {
    Span::new(window.start, window.end.saturating_add(duration.duration()).unwrap_or(Timestamp::MAX))
}

fn merge_days(
    from: Date,
    to: Date,
    found: &[(MemberId, Vec<parley_control_domain::DaySlots>)],
) -> Vec<(Date, Vec<ProviderSlot>)> {
    let mut days = Vec::new();
    let mut date = from;
    while date <= to {
        let mut on_day: Vec<ProviderSlot> = found
            .iter()
            .flat_map(|(provider_id, days)| {
                let of_date = days.iter().filter(move |day| day.date == date);
                of_date.flat_map(|day| &day.slots).map(|slot| ProviderSlot {
                    start: slot.start,
                    end: slot.end,
                    provider_id: *provider_id,
                })
            })
            .collect();
        on_day.sort_unstable();
        days.push((date, on_day));
        match date.tomorrow() {
            Ok(next) => date = next,
            Err(_) => break,
        }
    }
    days
}

fn idempotency_key(request: &BookingRequest, key: Option<&str>) -> Result<Option<IdempotencyKey>, AppError> {
    let Some(key) = key else { return Ok(None) };
    if key.is_empty() || key.len() > MAX_KEY || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        let detail = format!("An Idempotency-Key has 1 to {MAX_KEY} visible ASCII characters.");
        return Err(AppError::field("Idempotency-Key", "key_invalid", detail));
    }
    let fingerprint = fingerprint(&[
        &request.service_id.to_string(),
        &request.provider_id.to_string(),
        &request.start.to_string(),
        &request.duration.map(|duration| duration.0.to_string()).unwrap_or_default(),
        &request.time_zone,
        &request.client_name,
        &request.client_email,
        request.client_phone.as_deref().unwrap_or_default(),
        request.note.as_deref().unwrap_or_default(),
        request.locale.as_deref().unwrap_or_default(),
    ]);
    Ok(Some(IdempotencyKey { key: key.to_owned(), fingerprint }))
}

fn client_of(request: &BookingRequest) -> Result<ClientDetails, AppError> {
    let mut checks = Checks::new();
    let name = checks.take(required_text("client.name", &request.client_name, limits::NAME));
    // The name goes into mail headers and lists: one line.
    checks.require(!request.client_name.contains(['\n', '\r']), || {
        FieldError::new("client.name", "control_character", "Please write the name on one line.")
    });
    // It greets the reader of a mail that anyone can have sent to anyone.
    checks.require(!request.client_name.contains("://"), || {
        FieldError::new("client.name", "address_in_name", "Please write a name without a web address.")
    });
    let email = checks.take(Email::parse("client.email", &request.client_email));
    let phone = request.client_phone.as_deref().unwrap_or_default();
    let phone = checks.take(optional_text("client.phone", phone, limits::PHONE));
    let zone = checks.take(Zone::parse("time_zone", &request.time_zone));
    checks.finish()?;
    match (name, email, phone, zone) {
        (Some(name), Some(email), Some(phone), Some(zone)) => {
            Ok(ClientDetails { name, email, phone: Some(phone).filter(|phone| !phone.is_empty()), zone })
        }
        _ => Err(AppError::internal("checks passed without values")),
    }
}

fn extras_of(request: &BookingRequest) -> Result<(String, String), AppError> {
    let note = optional_text("note", request.note.as_deref().unwrap_or_default(), limits::NOTE)?;
    let locale = request.locale.as_deref().filter(|locale| !locale.is_empty()).unwrap_or(DEFAULT_LOCALE);
    let plausible = locale.len() <= limits::LOCALE
        && locale.split('-').all(|part| {
            (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
        });
    if !plausible {
        return Err(AppError::field("locale", "locale_invalid", "Use a language tag such as en or de-AT."));
    }
    Ok((note, locale.to_owned()))
}
