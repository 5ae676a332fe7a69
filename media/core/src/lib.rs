//! `parley-media-core`.
