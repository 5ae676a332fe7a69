//! `parley-control-store`.
