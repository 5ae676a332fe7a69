//! Mail into a folder, for installations without an SMTP server: one `.eml` file each, readable by any mail
//! program.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use async_trait::async_trait;
use parley_control_app::ports::{Mail, MailError, Mailer};

use crate::message;

/// Files kept; the oldest go first.
const MAX_FILES: usize = 1_000;

/// Writes mails into a folder.
pub struct FolderMailer {
    folder: PathBuf,
}

impl FolderMailer {
    /// The folder is made when the first mail is written.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }
}

#[async_trait]
impl Mailer for FolderMailer {
    async fn send(&self, mail: &Mail) -> Result<(), MailError> {
        let bytes = message::build(mail)?.formatted();
        let folder = self.folder.clone();
        // The same mail again (a retry) replaces its file.
        let safe = |c: char| if c.is_ascii_alphanumeric() || "-_.@".contains(c) { c } else { '_' };
        let name: String = mail.message_id.chars().map(safe).take(120).collect();
        let written = tokio::task::spawn_blocking(move || {
            write(&folder, &format!("{name}.eml"), &bytes)?;
            prune(&folder)
        });
        match written.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(MailError::Transient(format!("the mail folder: {error}"))),
            Err(error) => Err(MailError::Transient(error.to_string())),
        }
    }
}

/// Writes beside and renames, so that a reader never sees half a mail.
fn write(folder: &Path, name: &str, bytes: &[u8]) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let unfinished = folder.join(format!(".{name}.part"));
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        // Mails hold links that let people in: for the owner's eyes only.
        options.mode(0o600);
    }
    let mut file = options.open(&unfinished)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&unfinished, folder.join(name))
}

fn prune(folder: &Path) -> std::io::Result<()> {
    let mut files: Vec<(SystemTime, PathBuf)> = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.path().extension().is_some_and(|extension| extension == "eml") {
            files.push((entry.metadata()?.modified()?, entry.path()));
        }
    }
    if files.len() > MAX_FILES {
        files.sort();
        for (_, path) in &files[..files.len() - MAX_FILES] {
            std::fs::remove_file(path)?;
        }
    }
    Ok(())
}
