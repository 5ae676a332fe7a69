//! Use cases of the control plane over ports: booking, joining, accounts, mail. No SQL, no HTTP.
//!
//! [`App`] is built over [`Ports`]; its methods are the use cases. Transports translate, stores store, and
//! everything that decides is here or in the domain.

mod access;
mod accounts;
mod app;
mod background;
mod booking;
mod bus;
pub mod calendar;
mod catalogue;
mod desk;
mod error;
mod joining;
mod links;
mod mails;
mod managing;
mod outbox;
mod passwords;
pub mod ports;
mod presence;
pub mod records;
mod room_events;
mod seed;
mod streams;
mod system;
mod throttle;

pub use access::Principal;
pub use accounts::{MAGIC_LINK_LIFE, Me, SESSION_IDLE, SESSION_MAX, SignedIn};
pub use app::{App, AppConfig, Caller, DEFAULT_ROOM_LIMIT};
pub use booking::{AppointmentFacts, Booked, BookingRequest, ProviderSlot, SlotsFound, SlotsWanted};
pub use bus::{Changed, Heard, Listener};
pub use catalogue::{NewMember, OrganisationPage, ServiceChange};
pub use desk::{DEFAULT_PAGE, DeskPage, DeskView, ListWanted, MAX_PAGE};
pub use error::{AppError, ErrorKind};
pub use joining::{JoinView, MEDIA_TOKEN_LIFE, MediaToken, Phase};
pub use ports::Ports;
pub use presence::GONE_AFTER;
pub use room_events::RoomEvent;
pub use seed::{DemoLogin, DemoPasswords, FirstOrganisation};
pub use streams::{DeskNews, DeskStream, JoinStream};
pub use system::{SystemClock, SystemRandom};
