//! `parley-signaling`.
