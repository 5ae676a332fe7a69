//! Signing in and out: passwords, one-time links, sessions.

use jiff::{SignedDuration, Timestamp};
use parley_control_domain::{Email, MagicLinkId, Member, Organisation, SessionId};

use crate::access::Principal;
use crate::app::{App, Caller};
use crate::error::{AppError, ErrorKind};
use crate::links::{hash_secret, new_secret};
use crate::outbox::Work;
use crate::passwords;
use crate::records::{Actor, LinkPurpose, MagicLink, Session};

/// A session ends when unused for this long.
pub const SESSION_IDLE: SignedDuration = SignedDuration::from_hours(12);
/// A session ends after this in any case.
pub const SESSION_MAX: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Use of a session is written at most this often.
const TOUCH_EVERY: SignedDuration = SignedDuration::from_mins(5);
/// How long a magic link can be used.
pub const MAGIC_LINK_LIFE: SignedDuration = SignedDuration::from_mins(15);
/// How long a new member can set himself up.
pub const SET_UP_LIFE: SignedDuration = SignedDuration::from_hours(7 * 24);
const MAX_USER_AGENT: usize = 200;

/// A new session: `secret` goes into the cookie and nowhere else.
#[derive(Debug)]
pub struct SignedIn {
    pub secret: String,
    pub expires_at: Timestamp,
    pub me: Me,
}

/// Who one is.
#[derive(Debug, Clone)]
pub struct Me {
    pub member: Member,
    pub organisation: Organisation,
    /// Whether a password is set.
    pub has_password: bool,
}

impl App {
    /// Signs in with a password.
    ///
    /// # Errors
    /// `credentials_wrong` (the same for an unknown address), `too_many_attempts`.
    pub async fn sign_in(&self, email: &str, password: &str, caller: &Caller) -> Result<SignedIn, AppError> {
        let now = self.now();
        // What no account can have is refused before any work; such texts are not remembered either.
        let Ok(email) = Email::parse("email", email) else { return Err(credentials_wrong()) };
        let key = email.key();
        self.address_throttle.count(&caller.address, now).map_err(AppError::too_many)?;
        // By account and address: who knows an address can keep only himself out.
        let account = format!("{key} from {}", caller.address);
        self.account_throttle.count(&account, now).map_err(AppError::too_many)?;
        self.account_ceiling.count(&key, now).map_err(AppError::too_many)?;
        if password.len() > passwords::MAX_LEN {
            return Err(credentials_wrong());
        }
        let member = self.store.member_by_email(&key).await?.filter(|member| member.active);
        let stored = match &member {
            Some(member) => self.store.password_of(member.id).await?,
            None => None,
        };
        let right = self.passwords.verify(password, stored.as_deref()).await?;
        let Some(member) = member.filter(|_| right) else {
            self.store
                .audit_add(&self.audit(Actor::Anonymous, None, "session.refuse", ("session", None)))
                .await?;
            return Err(credentials_wrong());
        };
        self.account_throttle.forgive(&account);
        self.account_ceiling.uncount(&key);
        self.address_throttle.uncount(&caller.address);
        self.start_session(member, caller, "session.start").await
    }

    /// Mails a link to sign in, when the address is a member's. The answer never says whether it is.
    ///
    /// # Errors
    /// Only of the store.
    pub async fn request_magic_link(&self, email: &str, caller: &Caller) -> Result<(), AppError> {
        let now = self.now();
        let Ok(email) = Email::parse("email", email) else { return Ok(()) };
        let key = email.key();
        if self.address_throttle.count(&caller.address, now).is_err()
            || self.magic_throttle.count(&format!("{key} from {}", caller.address), now).is_err()
            || self.magic_ceiling.count(&key, now).is_err()
        {
            return Ok(());
        }
        let Some(member) = self.store.member_by_email(&key).await?.filter(|member| member.active) else {
            return Ok(());
        };
        let link = self.new_magic_link(&member, LinkPurpose::SignIn);
        let jobs = self.jobs(&[Work::MagicLink { link: link.id }]);
        let audit = self.audit(
            Actor::Anonymous,
            Some(member.organisation_id),
            "magic_link.request",
            ("member", Some(member.id.as_uuid())),
        );
        self.store.magic_link_insert(&link, &jobs, &audit).await?;
        self.job_added.notify_one();
        Ok(())
    }

    /// Signs in with a one-time link: once, and only before it ends.
    ///
    /// # Errors
    /// `link_invalid`, `link_expired`, `too_many_attempts`.
    pub async fn redeem_magic_link(&self, token: &str, caller: &Caller) -> Result<SignedIn, AppError> {
        let now = self.now();
        self.address_throttle.count(&caller.address, now).map_err(AppError::too_many)?;
        let id = self.links.read_magic(token).map_err(|_| AppError::link_invalid())?;
        let link = self.store.magic_link_use(id, now).await?.ok_or_else(AppError::link_expired)?;
        let member = self.store.member_by_id(link.member_id).await?.filter(|member| member.active);
        let member = member.ok_or_else(AppError::link_expired)?;
        self.address_throttle.uncount(&caller.address);
        self.start_session(member, caller, "session.start_by_link").await
    }

    /// The member of a session's secret.
    ///
    /// # Errors
    /// `not_signed_in`.
    pub async fn authenticate(&self, secret: &str) -> Result<Principal, AppError> {
        let now = self.now();
        let hash = hash_secret(secret);
        let found = self.store.session_by_hash(&hash, now).await?;
        let (session, member) = found.ok_or_else(AppError::unauthenticated)?;
        if now.duration_since(session.seen_at) >= TOUCH_EVERY {
            let expires_at = (now + SESSION_IDLE).min(session.created_at + SESSION_MAX);
            self.store.session_touch(&hash, now, expires_at).await?;
        }
        Ok(Principal { member, session: hash })
    }

    /// Ends the session of a secret; fine when there is none.
    ///
    /// # Errors
    /// Only of the store.
    pub async fn sign_out(&self, secret: &str) -> Result<(), AppError> {
        let hash = hash_secret(secret);
        let Some((_, member)) = self.store.session_by_hash(&hash, self.now()).await? else { return Ok(()) };
        let audit = self.audit(
            Actor::Member(member.id),
            Some(member.organisation_id),
            "session.end",
            ("member", Some(member.id.as_uuid())),
        );
        Ok(self.store.session_delete(&hash, &audit).await?)
    }

    /// Who the signed-in member is.
    ///
    /// # Errors
    /// Only of the store.
    pub async fn me(&self, principal: &Principal) -> Result<Me, AppError> {
        self.me_of(principal.member.clone()).await
    }

    /// Sets one's own password: the first without the current one, a later one with it. All other sessions and
    /// sign-in links of the member end.
    ///
    /// # Errors
    /// `validation_failed`, `credentials_wrong`, `too_many_attempts`.
    pub async fn change_password(
        &self,
        principal: &Principal,
        current: Option<&str>,
        new: &str,
    ) -> Result<(), AppError> {
        check_password("password.new", new)?;
        let member = &principal.member;
        if let Some(stored) = self.store.password_of(member.id).await? {
            let key = format!("{} signed in", member.email.key());
            self.account_throttle.count(&key, self.now()).map_err(AppError::too_many)?;
            if !self.passwords.verify(current.unwrap_or_default(), Some(&stored)).await? {
                return Err(credentials_wrong());
            }
            self.account_throttle.forgive(&key);
        }
        let hash = self.passwords.hash(new, &*self.random).await?;
        let audit = self.audit(
            principal.actor(),
            Some(member.organisation_id),
            "password.set",
            ("member", Some(member.id.as_uuid())),
        );
        Ok(self.store.password_set(member.id, &hash, &principal.session, &audit).await?)
    }

    pub(crate) fn new_magic_link(&self, member: &Member, purpose: LinkPurpose) -> MagicLink {
        let now = self.now();
        let life = match purpose {
            LinkPurpose::SignIn => MAGIC_LINK_LIFE,
            LinkPurpose::SetUp => SET_UP_LIFE,
        };
        MagicLink {
            id: MagicLinkId::from_uuid(self.uuid()),
            member_id: member.id,
            purpose,
            created_at: now,
            expires_at: now + life,
            used_at: None,
        }
    }

    async fn start_session(
        &self,
        member: Member,
        caller: &Caller,
        action: &str,
    ) -> Result<SignedIn, AppError> {
        let now = self.now();
        let (secret, hash) = new_secret(&*self.random);
        let session = Session {
            id: SessionId::from_uuid(self.uuid()),
            hash,
            member_id: member.id,
            created_at: now,
            seen_at: now,
            expires_at: now + SESSION_IDLE,
            user_agent: caller.user_agent.chars().take(MAX_USER_AGENT).collect(),
        };
        let audit = self.audit(
            Actor::Member(member.id),
            Some(member.organisation_id),
            action,
            ("member", Some(member.id.as_uuid())),
        );
        self.store.session_insert(&session, &audit).await?;
        let me = self.me_of(member).await?;
        Ok(SignedIn { secret, expires_at: now + SESSION_MAX, me })
    }

    async fn me_of(&self, member: Member) -> Result<Me, AppError> {
        let organisation = self.store.organisation_by_id(member.organisation_id).await?;
        let organisation = organisation.ok_or_else(|| AppError::internal("a member without organisation"))?;
        let has_password = self.store.password_of(member.id).await?.is_some();
        Ok(Me { member, organisation, has_password })
    }
}

/// # Errors
/// `validation_failed` naming the field.
pub fn check_password(field: &str, password: &str) -> Result<(), AppError> {
    if password.chars().count() < passwords::MIN_LEN {
        let detail = format!("Please use at least {} characters.", passwords::MIN_LEN);
        return Err(AppError::field(field, "too_short", detail));
    }
    if password.len() > passwords::MAX_LEN {
        return Err(AppError::field(field, "too_long", "This password is too long."));
    }
    Ok(())
}

fn credentials_wrong() -> AppError {
    AppError::new(
        ErrorKind::Unauthenticated,
        "credentials_wrong",
        "This e-mail address and password do not match. Check both, or ask for a sign-in link.",
    )
}
