//! The checker: decides I1–I4 and I8 of the design from what senders asked, what listeners saw and
//! what is there at the end.
//!
//! It knows nothing of the server. Senders record each try of each operation with its outcome;
//! listeners record each frame; at the end one reads every channel. [`check`] then says everything
//! that cannot be explained.
//!
//! Rules for whoever records: one person changes a given message, one operation after the other
//! (reactions: per person and name); an operation whose outcome is unknown is repeated until it is
//! known, or left alone for good; a try counts as unknown only when it can have no effect after its
//! recorded end (the process was killed), or when nothing else is asked of that message.

mod delivery;
mod expect;
mod finals;
mod listener;
mod order;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value;

use crate::view::Message;

/// Microseconds since the test began.
pub type Micros = u64;

/// What a sender asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// A new message under the sender's key.
    Post {
        /// `client_msg_id`.
        key: String,
        /// The content.
        text: String,
        /// The thread, if it is a reply.
        thread_ts: Option<String>,
    },
    /// New content for one's own message.
    Edit {
        /// Which.
        ts: String,
        /// The content from now on.
        text: String,
    },
    /// Removal of one's own message.
    Delete {
        /// Which.
        ts: String,
    },
    /// One's reaction to a message.
    React {
        /// Which.
        ts: String,
        /// The reaction's name.
        name: String,
        /// Given or taken back.
        added: bool,
    },
}

impl Action {
    /// The method that does it, and its arguments but for the channel.
    #[must_use]
    pub fn call(&self) -> (&'static str, Vec<(&'static str, &str)>) {
        match self {
            Self::Post { key, text, thread_ts } => {
                let mut arguments = vec![("text", text.as_str()), ("client_msg_id", key.as_str())];
                arguments.extend(thread_ts.as_ref().map(|thread| ("thread_ts", thread.as_str())));
                ("chat.postMessage", arguments)
            }
            Self::Edit { ts, text } => ("chat.update", vec![("ts", ts.as_str()), ("text", text.as_str())]),
            Self::Delete { ts } => ("chat.delete", vec![("ts", ts.as_str())]),
            Self::React { ts, name, added } => {
                let method = if *added { "reactions.add" } else { "reactions.remove" };
                (method, vec![("timestamp", ts.as_str()), ("name", name.as_str())])
            }
        }
    }
}

/// How one try ended for the one who asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Acknowledged; for a post with the message's `ts`.
    Done(String),
    /// Refused, with Slack's error.
    Refused(String),
    /// No answer, or one that says that nobody knows.
    Unknown,
}

/// One try of one operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// Channel id.
    pub channel: String,
    /// User id.
    pub author: String,
    /// What was asked.
    pub action: Action,
    /// When the request left.
    pub started: Micros,
    /// When the answer, or the news that there is none, came.
    pub ended: Micros,
    /// How it ended.
    pub outcome: Outcome,
}

/// A frame about one channel, or a change of the connection.
#[derive(Debug, Clone, PartialEq)]
pub enum Seen {
    /// The socket sent `resume`.
    Connected,
    /// The socket is gone.
    Lost,
    /// `_page`.
    Page {
        /// Excluding.
        from: u64,
        /// Including.
        to: u64,
        /// seq and event.
        events: Vec<(u64, Value)>,
    },
    /// `_live`.
    Live(u64),
    /// A live event.
    Event(u64, Value),
    /// `_skip`.
    Skip(u64),
    /// `_head`.
    Head(u64),
    /// `_reset`.
    Reset(u64),
    /// `_gone`.
    Gone,
}

/// What a listener saw, and when.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// When the frame was read.
    pub at: Micros,
    /// The channel; empty for [`Seen::Connected`] and [`Seen::Lost`].
    pub channel: String,
    /// The frame.
    pub seen: Seen,
}

/// A channel as one read returned it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// The position that the read was made at.
    pub seq: u64,
    /// Oldest first, in the order of the answer.
    pub messages: Vec<Message>,
}

/// One device that listens, across all its connections.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Listener {
    /// For the report.
    pub name: String,
    /// What it started from, by channel.
    pub bases: BTreeMap<String, Snapshot>,
    /// In the order of arrival.
    pub seen: Vec<Observation>,
}

/// Everything that was recorded.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct History {
    /// Every try, in any order.
    pub operations: Vec<Operation>,
    /// Every listener.
    pub listeners: Vec<Listener>,
    /// What is there once things are quiet, by channel.
    pub finals: BTreeMap<String, Snapshot>,
    /// I8's bound, microseconds; an acknowledged message must reach a connected listener within.
    pub deliver_within: Micros,
    /// I8 holds for what was acknowledged at this time or later: before it, not everybody could be reached.
    pub deliver_since: Micros,
}

/// What kind of promise was broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// I1: acknowledged, and not there.
    Lost,
    /// I1: shown, and never committed.
    ShownNotCommitted,
    /// I1: refused, and there nevertheless.
    RefusedButThere,
    /// I1: there, and not what the acknowledged changes made it.
    WrongContent,
    /// I2: one key, two messages or two answers; one event, shown twice.
    Doubled,
    /// I3: against the order of seq, of ts, of time, or an edit before its message.
    Swapped,
    /// I4: a seq that a listener never got.
    Hole,
    /// I4: what a listener has is not what a fresh snapshot has.
    StaleView,
    /// I4: a position that was good is refused.
    NotResumed,
    /// I8: later than the bound.
    Late,
}

impl Kind {
    /// The invariant's number in the design.
    pub fn invariant(self) -> &'static str {
        match self {
            Kind::Lost | Kind::ShownNotCommitted | Kind::RefusedButThere | Kind::WrongContent => "I1",
            Kind::Doubled => "I2",
            Kind::Swapped => "I3",
            Kind::Hole | Kind::StaleView | Kind::NotResumed => "I4",
            Kind::Late => "I8",
        }
    }
}

/// Something that cannot be explained.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    /// Which promise.
    pub kind: Kind,
    /// What was seen, for a person.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {:?}: {}", self.kind.invariant(), self.kind, self.what)
    }
}

/// Decides. Empty when everything can be explained.
pub fn check(history: &History) -> Vec<Violation> {
    let mut report = Report::default();
    let expected = expect::expect(history, &mut report);
    finals::check_finals(history, &expected, &mut report);
    order::check_order(history, &expected, &mut report);
    let mut identities = BTreeMap::new();
    for listener in &history.listeners {
        for (channel, end) in &history.finals {
            listener::check_listener(listener, channel, end, &expected, &mut identities, &mut report);
        }
        delivery::check_delivery(history, listener, &expected, &mut report);
    }
    report.violations.into_iter().collect()
}

#[derive(Default)]
struct Report {
    violations: BTreeSet<Violation>,
}

impl Report {
    fn add(&mut self, kind: Kind, what: String) {
        self.violations.insert(Violation { kind, what });
    }
}

#[cfg(test)]
mod tests;
