//! When the last events were forwarded, for the journey of a message.

use std::collections::VecDeque;

use model::{Micros, Seq, Topic};

/// The last events that their slots took. Bounded: older ones are forgotten.
#[derive(Debug)]
pub(crate) struct Journal {
    entries: VecDeque<(Topic, Seq, Micros)>,
    entries_max: usize,
}

impl Journal {
    /// A journal of at most `entries_max` events.
    pub(crate) fn new(entries_max: usize) -> Self {
        Self { entries: VecDeque::new(), entries_max }
    }

    /// An event was forwarded.
    pub(crate) fn forwarded(&mut self, topic: Topic, seq: Seq, at: Micros) {
        if self.entries_max > 0 {
            while self.entries.len() >= self.entries_max {
                self.entries.pop_front();
            }
            self.entries.push_back((topic, seq, at));
        }
    }

    /// When it was forwarded.
    pub(crate) fn find(&self, topic: Topic, seq: Seq) -> Option<Micros> {
        let found = self.entries.iter().rev().find(|(of, at, _)| *of == topic && *at == seq);
        found.map(|(_, _, forwarded)| *forwarded)
    }
}
