//! `parley-turn-server`.
