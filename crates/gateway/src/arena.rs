//! A table with 32-bit keys, so that what refers to a session or a topic stays small.
//!
//! It grows by pieces: a table that doubles would move every session when one too many comes, and hold up to twice the
//! memory that it needs.

/// Key of an entry. It may be used again after the entry is gone.
pub type Index = u32;

/// Entries of a piece.
const PIECE: usize = 256;

/// A table of entries with small keys.
#[derive(Debug)]
pub struct Arena<T> {
    pieces: Vec<Box<[Option<T>]>>,
    /// Keys that were given back, the newest last.
    free: Vec<Index>,
    /// Keys from here on were never used.
    end: Index,
}

impl<T> Default for Arena<T> {
    fn default() -> Self {
        Self { pieces: Vec::new(), free: Vec::new(), end: 0 }
    }
}

impl<T> Arena<T> {
    /// Adds an entry.
    ///
    /// # Errors
    /// The value, when there are 2^32 already.
    pub fn insert(&mut self, value: T) -> Result<Index, T> {
        let index = match self.free.pop() {
            Some(index) => index,
            None if self.end == Index::MAX => return Err(value),
            None => {
                if self.end as usize == self.pieces.len() * PIECE {
                    self.pieces.push((0..PIECE).map(|_| None).collect());
                }
                self.end += 1;
                self.end - 1
            }
        };
        if let Some(place) = self.place(index) {
            *place = Some(value);
        }
        Ok(index)
    }

    fn place(&mut self, index: Index) -> Option<&mut Option<T>> {
        self.pieces.get_mut(index as usize / PIECE)?.get_mut(index as usize % PIECE)
    }

    /// The entry.
    #[must_use]
    pub fn get(&self, index: Index) -> Option<&T> {
        self.pieces.get(index as usize / PIECE)?.get(index as usize % PIECE)?.as_ref()
    }

    /// The entry, to change.
    pub fn get_mut(&mut self, index: Index) -> Option<&mut T> {
        self.place(index)?.as_mut()
    }

    /// Takes the entry out.
    pub fn remove(&mut self, index: Index) -> Option<T> {
        let value = self.place(index)?.take()?;
        self.free.push(index);
        if self.is_empty() {
            // Nobody is there: nothing is kept for who may come.
            *self = Self::default();
        }
        Some(value)
    }

    /// Entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.end as usize - self.free.len()
    }

    /// Whether there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Keys of all entries, ascending.
    pub fn indices(&self) -> impl Iterator<Item = Index> {
        (0..self.end).filter(|&index| self.get(index).is_some())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_map_whose_keys_it_chooses(ops in prop::collection::vec((any::<bool>(), 0_u32..700), 1..1_500)) {
            let (mut arena, mut model) = (Arena::default(), BTreeMap::new());
            for (number, (adds, key)) in ops.into_iter().enumerate() {
                if adds {
                    let key = arena.insert(number).unwrap();
                    prop_assert_eq!(model.insert(key, number), None, "a key that is in use");
                } else {
                    prop_assert_eq!(arena.remove(key), model.remove(&key));
                }
                prop_assert_eq!(arena.get(key), model.get(&key));
                prop_assert_eq!(arena.len(), model.len());
            }
            prop_assert!(arena.indices().eq(model.keys().copied()));
            for key in model.keys() {
                *arena.get_mut(*key).unwrap() += 1;
                prop_assert_eq!(arena.get(*key).copied(), Some(model[key] + 1));
            }
        }
    }
}
