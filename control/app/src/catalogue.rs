//! What an organisation offers: its public page, services, members and their hours.

use parley_control_domain::{
    Availability, Email, FieldError, Member, MemberId, Minutes, Money, Organisation, Permission, Role,
    Service, ServiceId, ServiceKind, Slug, Zone,
};

use crate::access::Principal;
use crate::app::App;
use crate::error::AppError;
use crate::outbox::Work;
use crate::records::LinkPurpose;

/// An organisation's public page.
#[derive(Debug, Clone)]
pub struct OrganisationPage {
    pub organisation: Organisation,
    /// Active and providing an active service.
    pub providers: Vec<Member>,
    pub services: Vec<Service>,
}

/// Fields of a service; `None`: as it is (on creation: the default).
#[derive(Debug, Clone, Default)]
pub struct ServiceChange {
    pub slug: Option<String>,
    pub name: Option<String>,
    pub description: Option<String>,
    pub kind: Option<ServiceKind>,
    pub durations: Option<Vec<Minutes>>,
    pub price: Option<Option<Money>>,
    pub provider_ids: Option<Vec<MemberId>>,
    pub active: Option<bool>,
    pub rules: Option<parley_control_domain::BookingRules>,
}

/// A member to add.
#[derive(Debug, Clone)]
pub struct NewMember {
    pub name: String,
    pub email: String,
    pub role: Role,
    pub title: String,
    pub bio: String,
    pub time_zone: Option<String>,
    pub slug: Option<String>,
}

impl App {
    /// Organisations that list themselves.
    ///
    /// # Errors
    /// Only of the store.
    pub async fn organisations(&self) -> Result<Vec<Organisation>, AppError> {
        Ok(self.store.organisations_listed().await?)
    }

    /// # Errors
    /// `not_found`.
    pub async fn organisation_page(&self, slug: &str) -> Result<OrganisationPage, AppError> {
        let missing = || AppError::not_found("organisation");
        let slug = Slug::parse("slug", slug).map_err(|_| missing())?;
        let organisation = self.store.organisation_by_slug(slug.as_str()).await?.ok_or_else(missing)?;
        let mut providers = self.store.members_of(organisation.id).await?;
        providers.retain(Member::is_bookable);
        let mut services = self.store.services_of(organisation.id).await?;
        services.retain(|service| service.active);
        for service in &mut services {
            service.provider_ids.retain(|id| providers.iter().any(|provider| provider.id == *id));
        }
        services.retain(|service| !service.provider_ids.is_empty());
        providers
            .retain(|provider| services.iter().any(|service| service.provider_ids.contains(&provider.id)));
        Ok(OrganisationPage { organisation, providers, services })
    }

    /// # Errors
    /// `forbidden`.
    pub async fn services(&self, principal: &Principal) -> Result<Vec<Service>, AppError> {
        principal.reach(Permission::ServiceRead)?;
        Ok(self.store.services_of(principal.organisation_id()).await?)
    }

    /// # Errors
    /// `forbidden`, `validation_failed`, `already_in_use`.
    pub async fn service_add(
        &self,
        principal: &Principal,
        change: ServiceChange,
    ) -> Result<Service, AppError> {
        principal.reach(Permission::ServiceWrite)?;
        let name = change.name.clone().unwrap_or_default();
        let service = Service {
            id: ServiceId::from_uuid(self.uuid()),
            organisation_id: principal.organisation_id(),
            slug: Slug::from_name(&name, "service"),
            name: String::new(),
            description: String::new(),
            kind: ServiceKind::Video,
            durations: Service::default_durations(),
            price: None,
            active: true,
            provider_ids: Vec::new(),
            rules: parley_control_domain::BookingRules::default(),
            created_at: self.now(),
        };
        self.service_write(principal, service, change, "service.create").await
    }

    /// # Errors
    /// `forbidden`, `not_found`, `validation_failed`, `already_in_use`.
    pub async fn service_change(
        &self,
        principal: &Principal,
        id: ServiceId,
        change: ServiceChange,
    ) -> Result<Service, AppError> {
        principal.reach(Permission::ServiceWrite)?;
        let service = self.store.service_by_id(id).await?;
        let service = service.filter(|service| service.organisation_id == principal.organisation_id());
        let service = service.ok_or_else(|| AppError::not_found("service"))?;
        self.service_write(principal, service, change, "service.change").await
    }

    async fn service_write(
        &self,
        principal: &Principal,
        mut service: Service,
        change: ServiceChange,
        action: &str,
    ) -> Result<Service, AppError> {
        if let Some(slug) = change.slug {
            service.slug = Slug::parse("slug", &slug)?;
        }
        if let Some(name) = change.name {
            name.trim().clone_into(&mut service.name);
        }
        if let Some(description) = change.description {
            description.trim().clone_into(&mut service.description);
        }
        service.kind = change.kind.unwrap_or(service.kind);
        service.durations = change.durations.unwrap_or(service.durations);
        service.price = change.price.unwrap_or(service.price);
        service.active = change.active.unwrap_or(service.active);
        service.rules = change.rules.unwrap_or(service.rules);
        if let Some(provider_ids) = change.provider_ids {
            self.check_providers(principal, &provider_ids).await?;
            service.provider_ids = provider_ids;
        }
        service.validate()?;
        let audit = self.audit(
            principal.actor(),
            Some(service.organisation_id),
            action,
            ("service", Some(service.id.as_uuid())),
        );
        self.store.service_save(&service, &audit).await?;
        Ok(service)
    }

    async fn check_providers(&self, principal: &Principal, ids: &[MemberId]) -> Result<(), AppError> {
        let members = self.store.members_of(principal.organisation_id()).await?;
        let known = |id: &MemberId| members.iter().any(|member| member.id == *id && member.is_bookable());
        if !ids.iter().all(known) {
            let detail = "Every provider must be an active member of the organisation.";
            return Err(AppError::field("provider_ids", "provider_unknown", detail));
        }
        let mut seen = std::collections::HashSet::new();
        if !ids.iter().all(|id| seen.insert(*id)) {
            return Err(AppError::field("provider_ids", "duplicate", "Name each provider once."));
        }
        Ok(())
    }

    /// # Errors
    /// `forbidden`.
    pub async fn members(&self, principal: &Principal) -> Result<Vec<Member>, AppError> {
        principal.reach(Permission::MemberRead)?;
        let organisation = principal.organisation_id();
        self.store
            .audit_add(&self.audit(principal.actor(), Some(organisation), "member.list", ("member", None)))
            .await?;
        Ok(self.store.members_of(organisation).await?)
    }

    /// Adds a member and mails him a link to set himself up.
    ///
    /// # Errors
    /// `forbidden` (also for a manager who would add an admin), `validation_failed`, `already_in_use`.
    pub async fn member_add(&self, principal: &Principal, new: NewMember) -> Result<Member, AppError> {
        principal.reach(Permission::MemberWrite)?;
        if new.role == Role::Admin && principal.member.role != Role::Admin {
            return Err(AppError::forbidden());
        }
        if !matches!(new.role, Role::Admin | Role::Manager | Role::Provider) {
            let error = FieldError::new("role", "role_not_for_members", "Choose admin, manager or provider.");
            return Err(error.into());
        }
        let organisation = self.store.organisation_by_id(principal.organisation_id()).await?;
        let organisation = organisation.ok_or_else(|| AppError::internal("a member without organisation"))?;
        let zone = match &new.time_zone {
            Some(name) => Zone::parse("time_zone", name)?,
            None => organisation.zone.clone(),
        };
        let slug = match &new.slug {
            Some(slug) => Slug::parse("slug", slug)?,
            None => Slug::from_name(&new.name, "member"),
        };
        let member = Member {
            id: MemberId::from_uuid(self.uuid()),
            organisation_id: organisation.id,
            role: new.role,
            slug,
            name: new.name.trim().to_owned(),
            email: Email::parse("email", &new.email)?,
            title: new.title.trim().to_owned(),
            bio: new.bio.trim().to_owned(),
            photo_url: None,
            zone,
            active: true,
            created_at: self.now(),
        };
        member.validate()?;
        let link = self.new_magic_link(&member, LinkPurpose::SetUp);
        let jobs = self.jobs(&[Work::MagicLink { link: link.id }]);
        let audit = self.audit(
            principal.actor(),
            Some(organisation.id),
            "member.create",
            ("member", Some(member.id.as_uuid())),
        );
        self.store.member_save(&member, std::slice::from_ref(&link), &jobs, &audit).await?;
        self.job_added.notify_one();
        Ok(member)
    }

    /// # Errors
    /// `forbidden`, `not_found`.
    pub async fn availability(&self, principal: &Principal, of: MemberId) -> Result<Availability, AppError> {
        let member = self.member_in_reach(principal, Permission::AvailabilityRead, of).await?;
        let found = self.store.availability_of(of).await?;
        Ok(found.unwrap_or_else(|| Availability::empty(of, member.zone)))
    }

    /// Replaces a provider's hours.
    ///
    /// # Errors
    /// `forbidden`, `not_found`, `validation_failed`.
    pub async fn availability_set(
        &self,
        principal: &Principal,
        availability: Availability,
    ) -> Result<Availability, AppError> {
        let of = availability.provider_id;
        self.member_in_reach(principal, Permission::AvailabilityWrite, of).await?;
        availability.validate()?;
        let audit = self.audit(
            principal.actor(),
            Some(principal.organisation_id()),
            "availability.change",
            ("member", Some(of.as_uuid())),
        );
        self.store.availability_replace(&availability, &audit).await?;
        Ok(availability)
    }

    async fn member_in_reach(
        &self,
        principal: &Principal,
        permission: Permission,
        id: MemberId,
    ) -> Result<Member, AppError> {
        principal.reach(permission)?;
        let member = self.store.member_by_id(id).await?;
        let member = member.filter(|member| member.organisation_id == principal.organisation_id());
        let member = member.ok_or_else(|| AppError::not_found("member"))?;
        principal.check(permission, member.organisation_id, member.id)?;
        Ok(member)
    }
}
