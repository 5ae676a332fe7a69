//! Things with keys that are never mistaken for a later thing in the same place.

/// Place and generation of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Key {
    index: u32,
    generation: u32,
}

impl Key {
    /// The place alone; a later thing may be in it.
    pub(crate) fn place(self) -> usize {
        self.index as usize
    }
}

#[derive(Debug)]
struct Place<T> {
    generation: u32,
    value: Option<T>,
}

#[derive(Debug)]
pub(crate) struct Arena<T> {
    places: Vec<Place<T>>,
    free: Vec<u32>,
}

impl<T> Default for Arena<T> {
    fn default() -> Self {
        Self { places: Vec::new(), free: Vec::new() }
    }
}

impl<T> Arena<T> {
    pub(crate) fn insert(&mut self, value: T) -> Key {
        self.insert_with(|_| value)
    }

    /// Inserts something that knows its key.
    pub(crate) fn insert_with(&mut self, make: impl FnOnce(Key) -> T) -> Key {
        if let Some(index) = self.free.pop() {
            let place = &mut self.places[index as usize];
            let key = Key { index, generation: place.generation };
            place.value = Some(make(key));
            return key;
        }
        let index = u32::try_from(self.places.len()).expect("fewer than 2^32 entries fit into memory");
        let key = Key { index, generation: 0 };
        self.places.push(Place { generation: 0, value: Some(make(key)) });
        key
    }

    pub(crate) fn get(&self, key: Key) -> Option<&T> {
        let place = self.places.get(key.index as usize)?;
        if place.generation == key.generation { place.value.as_ref() } else { None }
    }

    pub(crate) fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        let place = self.places.get_mut(key.index as usize)?;
        if place.generation == key.generation { place.value.as_mut() } else { None }
    }

    pub(crate) fn remove(&mut self, key: Key) -> Option<T> {
        let place = self.places.get_mut(key.index as usize)?;
        if place.generation != key.generation {
            return None;
        }
        let value = place.value.take()?;
        place.generation = place.generation.wrapping_add(1);
        self.free.push(key.index);
        Some(value)
    }

    /// The key of what is in a place now.
    pub(crate) fn key_at(&self, place: usize) -> Option<Key> {
        let index = u32::try_from(place).ok()?;
        let place = self.places.get(place).filter(|place| place.value.is_some())?;
        Some(Key { index, generation: place.generation })
    }

    pub(crate) fn keys(&self) -> Vec<Key> {
        let keys = self.places.iter().enumerate().filter(|(_, place)| place.value.is_some());
        keys.map(|(index, place)| Key {
            index: u32::try_from(index).expect("insert bounds the index"),
            generation: place.generation,
        })
        .collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_key_does_not_find_the_new_tenant() {
        let mut arena = Arena::default();
        let old = arena.insert("old");
        assert_eq!(arena.remove(old), Some("old"));
        let new = arena.insert("new");
        assert_eq!(arena.get(old), None);
        assert_eq!(arena.remove(old), None);
        assert_eq!(arena.get(new), Some(&"new"));
        assert_eq!((arena.len(), arena.keys()), (1, vec![new]));
        assert_eq!((arena.key_at(new.place()), arena.key_at(1)), (Some(new), None));
    }
}
