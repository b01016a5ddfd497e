//! What a loop remembers of the last events that went through it.

use std::collections::VecDeque;

use model::{Micros, Seq, Topic};

/// Events remembered. Full: the oldest is forgotten.
const EVENTS_MAX: usize = 4_096;

/// One event's way through the loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Passed {
    /// Its topic.
    pub topic: Topic,
    /// Its place.
    pub seq: Seq,
    /// When it came in.
    pub received: Micros,
    /// When the last socket was written.
    pub written: Micros,
    /// Sockets that it was written to or queued for.
    pub sockets: u32,
}

/// The last events.
#[derive(Debug, Default)]
pub struct Journeys(VecDeque<Passed>);

impl Journeys {
    /// Remembers an event.
    pub fn push(&mut self, passed: Passed) {
        if self.0.len() >= EVENTS_MAX {
            self.0.pop_front();
        }
        self.0.push_back(passed);
    }

    /// The newest memory of an event.
    #[must_use]
    pub fn find(&self, topic: Topic, seq: Seq) -> Option<Passed> {
        self.0.iter().rev().find(|passed| passed.topic == topic && passed.seq == seq).copied()
    }
}
