//! Messages to the outside: mail by SMTP, or into a folder where no SMTP server is configured.

mod folder;
mod message;
mod smtp;

pub use folder::FolderMailer;
pub use smtp::{SmtpConfigError, SmtpMailer};
