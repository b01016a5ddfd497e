//! Finds what is in an arena by something that it holds itself: a table of keys would keep each of them twice.

use std::hash::{BuildHasher, Hash, RandomState};

use hashbrown::HashTable;

/// A hash table of references whose keys are where they refer to. Each call is told how to look there.
#[derive(Debug)]
pub struct Finder<R> {
    table: HashTable<R>,
    state: RandomState,
}

impl<R> Default for Finder<R> {
    fn default() -> Self {
        Self { table: HashTable::new(), state: RandomState::new() }
    }
}

impl<R> Finder<R> {
    /// The reference to what has this key.
    pub fn get<K: Hash + Eq>(&self, key: &K, key_of: impl Fn(&R) -> Option<K>) -> Option<&R> {
        self.table.find(self.state.hash_one(key), |it| key_of(it).as_ref() == Some(key))
    }

    /// The same, to change. What it then refers to must have the same key.
    pub fn get_mut<K: Hash + Eq>(&mut self, key: &K, key_of: impl Fn(&R) -> Option<K>) -> Option<&mut R> {
        self.table.find_mut(self.state.hash_one(key), |it| key_of(it).as_ref() == Some(key))
    }

    /// Adds a reference to something with a key that is not here yet.
    pub fn insert<K: Hash + Eq>(&mut self, key: &K, reference: R, key_of: impl Fn(&R) -> Option<K>) {
        let Self { table, state } = self;
        // What refers to nothing any more is found by nobody, wherever it is moved.
        let hash = |it: &R| key_of(it).map_or(0, |key| state.hash_one(key));
        table.insert_unique(state.hash_one(key), reference, hash);
    }

    /// Takes the reference out. What it refers to must still be there.
    pub fn remove<K: Hash + Eq>(&mut self, key: &K, key_of: impl Fn(&R) -> Option<K>) {
        let hash = self.state.hash_one(key);
        if let Ok(found) = self.table.find_entry(hash, |it| key_of(it).as_ref() == Some(key)) {
            found.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_found_by_its_own_key() {
        let mut names: Vec<String> = Vec::new();
        let mut finder = Finder::default();
        for n in 0..1_000usize {
            names.push(format!("name {n}"));
            finder.insert(&names[n], n, |&at| names.get(at).cloned());
        }
        let key_of = |&at: &usize| names.get(at).cloned();
        for n in (0..1_000).step_by(3) {
            finder.remove(&names[n], key_of);
        }
        for (n, name) in names.iter().enumerate() {
            assert_eq!(finder.get(name, key_of).copied(), (n % 3 != 0).then_some(n), "{name}");
        }
        assert_eq!(finder.get(&"nobody".to_owned(), key_of), None);
    }
}
