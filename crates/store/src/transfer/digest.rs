//! What rows are compared by: a sum of hashes for each workspace and topic of a table.
//!
//! The hash of a row is SHA-256 of its values in the order of the columns' names. A group's sum adds the four
//! 64-bit lanes of its rows' hashes modulo 2^64, so that it depends on which rows there are and how often,
//! not on their order. It is there to find accidents, not an attacker who may choose rows.

use sha2::{Digest as _, Sha256};

/// Workspace and topic; 0 where the table has none.
pub(super) type Key = [i64; 2];

/// The rows of one table with one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Group {
    /// Which.
    pub(super) key: Key,
    /// How many rows.
    pub(super) rows: u64,
    sum: [u64; 4],
}

impl Group {
    fn new(key: Key) -> Self {
        Self { key, rows: 0, sum: [0; 4] }
    }

    fn add(&mut self, row: &[u8]) {
        self.rows += 1;
        let hash = Sha256::digest(row);
        for (lane, bytes) in self.sum.iter_mut().zip(hash.as_chunks::<8>().0) {
            *lane = lane.wrapping_add(u64::from_be_bytes(*bytes));
        }
    }
}

/// Gathers rows that come group by group.
#[derive(Debug, Default)]
pub(super) struct Groups {
    open: Option<Group>,
}

impl Groups {
    /// Takes a row in its own form; returns the group that it ends.
    pub(super) fn add(&mut self, key: Key, row: &[u8]) -> Option<Group> {
        let ended = self.open.filter(|open| open.key != key);
        let mut group = self.open.filter(|open| open.key == key).unwrap_or_else(|| Group::new(key));
        group.add(row);
        self.open = Some(group);
        ended
    }

    /// The last group.
    pub(super) fn end(&mut self) -> Option<Group> {
        self.open.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(rows: &[(Key, &str)]) -> Vec<Group> {
        let mut groups = Groups::default();
        let mut found: Vec<Group> =
            rows.iter().filter_map(|(key, row)| groups.add(*key, row.as_bytes())).collect();
        found.extend(groups.end());
        found
    }

    #[test]
    fn a_group_depends_on_its_rows_and_not_on_their_order() {
        let one = groups(&[([1, 1], "a"), ([1, 1], "b"), ([1, 2], "a")]);
        assert_eq!(one, groups(&[([1, 1], "b"), ([1, 1], "a"), ([1, 2], "a")]));
        assert_eq!(
            one.iter().map(|group| (group.key, group.rows)).collect::<Vec<_>>(),
            [([1, 1], 2), ([1, 2], 1)]
        );
        for other in [
            [([1, 1], "a"), ([1, 1], "c"), ([1, 2], "a")].as_slice(),
            &[([1, 1], "a"), ([1, 1], "a"), ([1, 2], "a")],
            &[([1, 1], "a"), ([1, 1], "b"), ([1, 1], "b"), ([1, 2], "a")],
            &[([1, 1], "a"), ([1, 2], "a")],
        ] {
            assert_ne!(one[0], groups(other)[0]);
        }
        assert!(groups(&[]).is_empty());
    }
}
