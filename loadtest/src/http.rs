//! One request over plain HTTP to the server under load.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use url::Url;

/// Bytes of an answer.
const MAX_ANSWER: u64 = 4 * 1024 * 1024;

/// The body of the answer. `None` when the server speaks TLS only, has no such page, or cuts the answer in chunks.
/// `request` is method and path; `headers` are whole lines. The caller bounds the time.
pub(crate) async fn ask(server: &Url, request: &str, headers: &str, body: &[u8]) -> Option<Vec<u8>> {
    if !matches!(server.scheme(), "ws" | "http") {
        return None;
    }
    let (host, port) = (server.host_str()?, server.port_or_known_default()?);
    let head = format!(
        "{request} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n{headers}Content-Length: {}\r\n\r\n",
        body.len()
    );
    let mut socket = TcpStream::connect((host.trim_matches(['[', ']']), port)).await.ok()?;
    socket.write_all(&[head.as_bytes(), body].concat()).await.ok()?;
    let mut answer = Vec::new();
    socket.take(MAX_ANSWER).read_to_end(&mut answer).await.ok()?;
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
    if !head.starts_with("http/1.1 200") || head.contains("transfer-encoding: chunked") {
        return None;
    }
    Some(answer.split_off(end + 4))
}
