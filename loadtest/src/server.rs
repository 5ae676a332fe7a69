//! A server of our own to measure: this program, started with `serve --dev` in a folder that is removed afterwards.

use std::{
    io,
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;
use url::Url;

use crate::token::ApiKey;

const START: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Ends with its value.
pub struct OwnServer {
    child: Child,
    pub url: Url,
    _data: TempDir,
}

impl OwnServer {
    /// Starts `program` on free ports with `workers` media threads and waits until it listens.
    pub fn start(program: &std::path::Path, workers: usize) -> io::Result<Self> {
        let data = TempDir::new()?;
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let child = Command::new(program)
            .args(["serve", "--dev", "--media-udp-port", "0", "--set", "media.tcp_port=0"])
            .args(["--set", &format!("media.workers={workers}")])
            .args(["--http-listen", &format!("127.0.0.1:{port}")])
            .arg("--data")
            .arg(data.path())
            .env("RUST_LOG", "warn")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let url = Url::parse(&format!("ws://127.0.0.1:{port}")).map_err(io::Error::other)?;
        let mut server = Self { child, url, _data: data };
        let deadline = Instant::now() + START;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if let Some(status) = server.child.try_wait()? {
                return Err(io::Error::other(format!("the server ended at its start: {status}")));
            }
            if Instant::now() > deadline {
                return Err(io::Error::other("the server did not start in time"));
            }
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(server)
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The key of `--dev`.
    pub fn key() -> ApiKey {
        ApiKey { key: "devkey".to_owned(), secret: "secret".to_owned() }
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        if let Err(error) = self.child.kill().and_then(|()| self.child.wait()) {
            tracing::warn!(%error, "the server that was started could not be ended");
        }
    }
}
