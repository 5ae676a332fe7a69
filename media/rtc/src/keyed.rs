//! Maps whose keys are counted up here, so that nobody can choose them to collide.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
};

/// A map with keys of one number each that only this program chooses.
pub(crate) type OwnKeys<K, V> = HashMap<K, V, BuildHasherDefault<Spread>>;

/// An odd number without a pattern in its bits (2^64 divided by the golden ratio).
const ODD: u64 = 0x9e37_79b9_7f4a_7c15;

/// Spreads small numbers over all bits.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spread(u64);

impl Hasher for Spread {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u32(&mut self, value: u32) {
        self.write_u64(value.into());
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = (self.0.rotate_left(5) ^ value).wrapping_mul(ODD);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::HashSet, hash::BuildHasher};

    use super::*;

    #[test]
    fn neighbours_are_far_apart() {
        let hasher = BuildHasherDefault::<Spread>::default();
        // A table takes the place from the low bits and a mark from the upper seven.
        let places: HashSet<u64> = (0..4_096u32).map(|key| hasher.hash_one(key) & 0xfff).collect();
        let marks: HashSet<u64> = (0..4_096u32).map(|key| hasher.hash_one(key) >> 57).collect();
        assert_eq!((places.len(), marks.len()), (4_096, 128));
    }
}
