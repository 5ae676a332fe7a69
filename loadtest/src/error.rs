//! What can go wrong with a synthetic peer.

/// Why a join or a later request failed, by the step that did.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    #[error("the server's address is not usable: {0}")]
    Address(String),
    #[error("the signal connection was refused: {0}")]
    Signal(#[from] Box<tokio_tungstenite::tungstenite::Error>),
    #[error("the server ended the session: {0}")]
    Refused(String),
    #[error("the server's answer is not usable: {0}")]
    Answer(String),
    #[error("the media connection failed: {0}")]
    Media(String),
    #[error("a socket failed: {0}")]
    Io(#[from] std::io::Error),
    #[error("not connected in time")]
    Late,
    #[error("the load generator has stopped or is overloaded")]
    Stopped,
}

impl From<tokio_tungstenite::tungstenite::Error> for JoinError {
    fn from(error: tokio_tungstenite::tungstenite::Error) -> Self {
        Self::Signal(Box::new(error))
    }
}

impl From<str0m::error::RtcError> for JoinError {
    fn from(error: str0m::error::RtcError) -> Self {
        Self::Media(error.to_string())
    }
}
