//! `parley-turn-core`.
