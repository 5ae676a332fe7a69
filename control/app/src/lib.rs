//! Use cases of the control plane over ports: booking, joining, accounts, mail. No SQL, no HTTP.

pub mod ports;
pub mod records;
