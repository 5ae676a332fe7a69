//! Use cases of the control plane over ports: booking, joining, accounts, mail. No SQL, no HTTP.

pub mod bus;
pub mod calendar;
pub mod error;
pub mod links;
pub mod passwords;
pub mod ports;
pub mod presence;
pub mod records;
pub mod system;
pub mod throttle;
