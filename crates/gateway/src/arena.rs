//! A slab with 32-bit keys, so that what refers to a session or a topic stays small.

use slab::Slab;

/// Key of an entry. It may be used again after the entry is gone.
pub type Index = u32;

/// A table of entries with small keys.
#[derive(Debug)]
pub struct Arena<T>(Slab<T>);

impl<T> Default for Arena<T> {
    fn default() -> Self {
        Self(Slab::new())
    }
}

impl<T> Arena<T> {
    /// Adds an entry.
    ///
    /// # Errors
    /// The value, when there are 2^32 already.
    pub fn insert(&mut self, value: T) -> Result<Index, T> {
        match Index::try_from(self.0.vacant_key()) {
            Ok(index) => {
                self.0.insert(value);
                Ok(index)
            }
            Err(_) => Err(value),
        }
    }

    /// The entry.
    #[must_use]
    pub fn get(&self, index: Index) -> Option<&T> {
        self.0.get(index as usize)
    }

    /// The entry, to change.
    pub fn get_mut(&mut self, index: Index) -> Option<&mut T> {
        self.0.get_mut(index as usize)
    }

    /// Takes the entry out.
    pub fn remove(&mut self, index: Index) -> Option<T> {
        self.0.try_remove(index as usize)
    }

    /// Entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Keys of all entries, ascending.
    pub fn indices(&self) -> impl Iterator<Item = Index> {
        self.0.iter().filter_map(|(key, _)| Index::try_from(key).ok())
    }
}
