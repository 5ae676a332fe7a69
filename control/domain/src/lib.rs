//! The rules of booking and meeting, without IO.
//!
//! Nothing here reads a clock, a random source, a socket or a database: time and
//! fresh ids come in as arguments. Instants are `jiff::Timestamp` (UTC); wall-clock
//! rules carry an IANA [`Zone`]. Errors carry a stable `code` and a text for people.

mod appointment;
mod availability;
mod code;
mod consultation;
mod error;
mod ids;
mod member;
mod money;
mod number;
mod organisation;
mod participant;
mod permission;
mod service;
mod slots;
mod span;
mod text;
mod zone;

pub use appointment::{
    Appointment, AppointmentState, Cancellation, ClientDetails, JoinWindow, Party, Refusal, TransitionError,
    WindowPhase,
};
pub use availability::{
    Availability, DayInterval, OverrideKind, Schedule, ScheduleOverride, TimeOfDay, WeeklyInterval,
};
pub use code::JoinCode;
pub use consultation::{
    Bounds, Consultation, Device, EndReason, RETURN_GRACE, Stay, Verdict, met_at, no_show_of, verdict,
};
pub use error::{Checks, FieldError, Invalid};
pub use ids::{
    AppointmentId, AuditEventId, ConsultationId, JobId, MagicLinkId, MemberId, OrganisationId, ParticipantId,
    ServiceId, SessionId, StayId,
};
pub use member::Member;
pub use money::{Currency, Money};
pub use number::AppointmentNumber;
pub use organisation::{Labels, Organisation};
pub use participant::{MeetingRole, Participant, ParticipantError, ParticipantState};
pub use permission::{Permission, Role, Scope, allows, scope};
pub use service::{BookingRules, GRID_MINUTES, Service, ServiceKind};
pub use slots::{DaySlots, MAX_DAYS, Slot, SlotQuery, SlotRefusal, by_day, check_slot, days_window, slots};
pub use span::{Minutes, Span};
pub use text::{Email, Slug, limits, optional_text, required_text};
pub use zone::Zone;
