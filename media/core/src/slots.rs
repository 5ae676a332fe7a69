//! The slots of a room, reached from a packet by index.

use std::collections::BTreeMap;

use crate::{SlotKey, slot::Slot};

/// Place of a slot in the table; valid until the slot is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SlotIndex(pub usize);

#[derive(Debug, Default)]
pub(crate) struct Slots {
    places: Vec<Option<Slot>>,
    free: Vec<SlotIndex>,
    by_key: BTreeMap<SlotKey, SlotIndex>,
}

impl Slots {
    /// `None` when there is a slot of this key already.
    pub(crate) fn insert(&mut self, slot: Slot) -> Option<SlotIndex> {
        if self.by_key.contains_key(&slot.key) {
            return None;
        }
        let index = self.free.pop().unwrap_or_else(|| {
            self.places.push(None);
            SlotIndex(self.places.len() - 1)
        });
        self.by_key.insert(slot.key, index);
        self.places[index.0] = Some(slot);
        Some(index)
    }

    pub(crate) fn remove(&mut self, index: SlotIndex) -> Option<Slot> {
        let slot = self.places.get_mut(index.0)?.take()?;
        self.by_key.remove(&slot.key);
        self.free.push(index);
        Some(slot)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Slot> {
        self.places.iter().flatten()
    }

    pub(crate) fn index(&self, key: SlotKey) -> Option<SlotIndex> {
        self.by_key.get(&key).copied()
    }

    pub(crate) fn at(&self, index: SlotIndex) -> Option<&Slot> {
        self.places.get(index.0)?.as_ref()
    }

    pub(crate) fn at_mut(&mut self, index: SlotIndex) -> Option<&mut Slot> {
        self.places.get_mut(index.0)?.as_mut()
    }
}
