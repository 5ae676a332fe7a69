//! `parley-control-providers`.
