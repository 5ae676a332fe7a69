//! For tests alone: the one instant from which they count.

use std::time::Instant;

/// Any instant will do; only differences matter.
#[allow(clippy::disallowed_methods)]
pub(crate) fn start() -> Instant {
    Instant::now()
}
