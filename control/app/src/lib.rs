//! `parley-control-app`.
