//! The LiveKit-compatible client protocol over the media handle.
