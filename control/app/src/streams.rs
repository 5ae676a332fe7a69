//! What open pages are told as it happens: the join page and the dashboard.

use std::sync::Arc;
use std::time::Duration;

use parley_control_domain::Permission;

use crate::access::Principal;
use crate::app::{App, Caller, changed_of};
use crate::bus::{Heard, Listener};
use crate::desk::DeskView;
use crate::error::{AppError, ErrorKind};
use crate::joining::{JoinView, Phase};
use crate::links::JoinClaims;
use crate::presence::PageGuard;

/// A view that does not change by an event is judged again after this at the latest: windows open and close,
/// and a session may have ended.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// A stream of one join page.
pub struct JoinStream {
    app: Arc<App>,
    claims: JoinClaims,
    listener: Listener,
    last: Option<JoinView>,
    over: bool,
    _page: PageGuard,
}

/// A stream of one dashboard.
pub struct DeskStream {
    app: Arc<App>,
    secret: String,
    principal: Principal,
    listener: Listener,
    greeted: bool,
}

/// What a dashboard is told.
#[derive(Debug)]
pub enum DeskNews {
    /// At once, and whenever changes may have been missed: read the list again.
    Hello,
    Appointment(Box<DeskView>),
}

impl App {
    /// Opens the stream of a join page; while it is open, its holder counts as present.
    ///
    /// # Errors
    /// Those of [`App::join_view`]; `busy` when this link has too many open already.
    pub async fn join_stream(self: &Arc<Self>, token: &str, caller: &Caller) -> Result<JoinStream, AppError> {
        let claims = self.join_claims(token, caller).await?;
        let listener = self.listen();
        let meeting = self.meeting_of(&claims).await?;
        let page = self.presence.open(&claims.identity, changed_of(&meeting)).ok_or_else(AppError::busy)?;
        self.log_provider_view(&claims, meeting.appointment.organisation_id).await?;
        // Someone who was shown as gone is back.
        self.announce(&meeting);
        Ok(JoinStream { app: Arc::clone(self), claims, listener, last: None, over: false, _page: page })
    }

    /// Opens the stream of a dashboard.
    ///
    /// # Errors
    /// `forbidden`.
    pub fn desk_stream(
        self: &Arc<Self>,
        principal: Principal,
        secret: String,
    ) -> Result<DeskStream, AppError> {
        principal.reach(Permission::AppointmentRead)?;
        let listener = self.listen();
        Ok(DeskStream { app: Arc::clone(self), secret, principal, listener, greeted: false })
    }
}

impl JoinStream {
    /// The view at once, then each time it differs. When all is over it stays silent, since a page whose stream
    /// ends would connect again; `None` when the link is void or the program stops.
    pub async fn next(&mut self) -> Option<JoinView> {
        while self.over {
            if self.listener.next().await == Heard::Closed {
                return None;
            }
        }
        loop {
            if self.last.is_some() {
                self.wait().await?;
            }
            let view = match self.app.join_view_of(&self.claims).await {
                Ok(view) => view,
                // The database is busy: the next look comes anyway.
                Err(error) if error.kind == ErrorKind::Unavailable && self.last.is_some() => continue,
                Err(_) => return None,
            };
            if self.last.as_ref().is_none_or(|last| differs(last, &view)) {
                self.over = matches!(view.phase, Phase::Ended | Phase::Cancelled);
                self.last = Some(view.clone());
                return Some(view);
            }
        }
    }

    /// Until something may have changed.
    async fn wait(&mut self) -> Option<()> {
        let (provider, until) = match &self.last {
            Some(view) => (view.appointment.provider_id, until_next_phase(view)),
            None => return Some(()),
        };
        let sleep = tokio::time::sleep(until);
        tokio::pin!(sleep);
        loop {
            tokio::select! {
                () = &mut sleep => return Some(()),
                heard = self.listener.next() => match heard {
                    Heard::Changed(changed) if changed.provider_id != provider => {}
                    Heard::Changed(_) | Heard::Missed => return Some(()),
                    Heard::Closed => return None,
                }
            }
        }
    }
}

impl DeskStream {
    /// The next news; `None` when the session has ended.
    pub async fn next(&mut self) -> Option<DeskNews> {
        if !self.greeted {
            self.greeted = true;
            return Some(DeskNews::Hello);
        }
        loop {
            let heard = tokio::time::timeout(LOOK_AGAIN, self.listener.next()).await;
            // A session that ended, or a role that changed, takes effect on open streams too.
            match self.app.authenticate(&self.secret).await {
                Ok(principal) => self.principal = principal,
                Err(error) if error.kind == ErrorKind::Unavailable => return Some(DeskNews::Hello),
                Err(_) => return None,
            }
            match heard {
                Err(_elapsed) => {}
                Ok(Heard::Closed) => return None,
                Ok(Heard::Missed) => return Some(DeskNews::Hello),
                Ok(Heard::Changed(changed)) => {
                    if changed.organisation_id != self.principal.organisation_id() {
                        continue;
                    }
                    match self.app.desk_view_for(&self.principal, changed.appointment_id).await {
                        Ok(Some(view)) => return Some(DeskNews::Appointment(Box::new(view))),
                        Ok(None) => {}
                        Err(_) => return Some(DeskNews::Hello),
                    }
                }
            }
        }
    }
}

fn differs(a: &JoinView, b: &JoinView) -> bool {
    let mut a = a.clone();
    a.now = b.now;
    // The version counts writes that this page does not show.
    a.appointment.version = b.appointment.version;
    a != *b
}

fn until_next_phase(view: &JoinView) -> Duration {
    [view.opens_at, view.closes_at]
        .into_iter()
        .filter(|at| *at > view.now)
        .filter_map(|at| Duration::try_from(at.duration_since(view.now)).ok())
        .min()
        .unwrap_or(LOOK_AGAIN)
        .min(LOOK_AGAIN)
}
