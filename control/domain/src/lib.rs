//! `parley-control-domain`.
