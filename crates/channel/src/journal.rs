//! What a slot remembers of the last events, for the journey of a message.

use std::collections::VecDeque;

use model::{Micros, Seq, Topic};

/// The last events of a slot and when they passed. Bounded: older ones are forgotten.
#[derive(Debug)]
pub(crate) struct Journal {
    entries: VecDeque<Entry>,
    entries_max: usize,
}

/// An event on its way through a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Of which topic.
    pub(crate) topic: Topic,
    /// Which event.
    pub(crate) seq: Seq,
    /// When it came in.
    pub(crate) received: Micros,
    /// When it was queued for the gateways; `None`: it waits.
    pub(crate) sent: Option<Micros>,
}

impl Journal {
    /// A journal of at most `entries_max` events.
    #[must_use]
    pub(crate) fn new(entries_max: usize) -> Self {
        Self { entries: VecDeque::new(), entries_max }
    }

    /// An event came in.
    pub(crate) fn received(&mut self, entry: Entry) {
        if self.entries_max == 0 {
            return;
        }
        while self.entries.len() >= self.entries_max {
            self.entries.pop_front();
        }
        self.entries.push_back(entry);
    }

    /// Events that had come in before went out: those of `topic` after `from` up to `to`.
    pub(crate) fn sent(&mut self, topic: Topic, from: Seq, to: Seq, at: Micros) {
        for entry in &mut self.entries {
            if entry.topic == topic && entry.sent.is_none() && entry.seq > from && entry.seq <= to {
                entry.sent = Some(at);
            }
        }
    }

    /// What is remembered of an event.
    #[must_use]
    pub(crate) fn find(&self, topic: Topic, seq: Seq) -> Option<Entry> {
        self.entries.iter().rev().find(|entry| entry.topic == topic && entry.seq == seq).copied()
    }
}
