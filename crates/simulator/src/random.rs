//! The dice of a simulation. Each part has its own, so that one that throws more often moves no other.

use std::time::Duration;

/// Small, fast, and the same again for the same seed: SplitMix64.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    /// Dice that nobody has shaken.
    pub(crate) const ZERO: Self = Self(0);

    /// The dice of one part of a seed.
    pub(crate) fn new(seed: u64, part: &str) -> Self {
        Self(seed ^ xxhash_rust::xxh3::xxh3_64(part.as_bytes()))
    }

    /// 64 bits.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// From 0 to below `end`; 0 if that is 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.next() % end).unwrap_or_default()
    }

    /// True `of` times in a thousand.
    pub(crate) fn permille(&mut self, of: usize) -> bool {
        self.below(1_000) < of
    }

    /// Milliseconds, both ends included.
    pub(crate) fn millis(&mut self, from: u64, to: u64) -> Duration {
        let spread = usize::try_from(to.saturating_sub(from)).unwrap_or_default() + 1;
        Duration::from_millis(from + u64::try_from(self.below(spread)).unwrap_or_default())
    }

    /// One of them; `None` if there is none.
    pub(crate) fn pick<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        of.get(self.below(of.len()))
    }

    /// Brings a list into any order.
    pub(crate) fn shuffle<T>(&mut self, list: &mut [T]) {
        for end in (1..list.len()).rev() {
            list.swap(end, self.below(end + 1));
        }
    }
}

/// The finishing function of SplitMix64.
pub(crate) fn mix(state: u64) -> u64 {
    let state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}
