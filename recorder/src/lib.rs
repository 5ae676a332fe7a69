//! `parley-recorder`.
