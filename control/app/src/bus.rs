//! Tells open pages that something changed. It carries no data: who hears it reads again, so a lost or late
//! message costs nothing but a read.

use parley_control_domain::{AppointmentId, MemberId, OrganisationId};
use tokio::sync::broadcast;

/// Changes kept for a slow listener; one that falls behind is told to read everything again.
const CAPACITY: usize = 1_024;

/// An appointment changed (its state, its people, who waits).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Changed {
    pub organisation_id: OrganisationId,
    pub provider_id: MemberId,
    pub appointment_id: AppointmentId,
}

/// What a listener hears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    Changed(Changed),
    /// Some changes were missed: read everything again.
    Missed,
    /// The program is stopping.
    Closed,
}

/// The in-process bus.
pub struct Bus {
    sender: broadcast::Sender<Changed>,
}

impl Default for Bus {
    fn default() -> Self {
        Self { sender: broadcast::Sender::new(CAPACITY) }
    }
}

impl Bus {
    pub fn publish(&self, changed: Changed) {
        // Nobody listening is fine.
        let _listeners = self.sender.send(changed);
    }

    pub fn listen(&self) -> Listener {
        Listener { receiver: self.sender.subscribe() }
    }
}

/// One ear on the bus.
pub struct Listener {
    receiver: broadcast::Receiver<Changed>,
}

impl Listener {
    /// The next change. Cancel-safe.
    pub async fn next(&mut self) -> Heard {
        match self.receiver.recv().await {
            Ok(changed) => Heard::Changed(changed),
            Err(broadcast::error::RecvError::Lagged(_)) => Heard::Missed,
            Err(broadcast::error::RecvError::Closed) => Heard::Closed,
        }
    }
}
