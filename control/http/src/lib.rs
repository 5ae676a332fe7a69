//! `parley-control-http`.
