//! Whether there was room for the last writes.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// How long a write that found no room speaks for the disk. Not for ever: whoever is told that a store takes no
/// writes sends it none, and it would never find out that there is room again.
const SPEAKS_FOR: Duration = Duration::from_secs(15);

/// What the writer has found out of the disk, for whoever asks.
#[derive(Debug, Default)]
pub(crate) struct Room(Mutex<Option<Instant>>);

impl Room {
    /// A batch was refused because the disk is full, or it was not.
    pub(crate) fn note(&self, full: bool) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = full.then(Instant::now);
    }

    /// What is wrong.
    pub(crate) fn wrong(&self) -> Option<&'static str> {
        let since = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        since.filter(|since| since.elapsed() < SPEAKS_FOR).map(|_| "the disk is full")
    }
}
