//! `parley-loadtest`.
