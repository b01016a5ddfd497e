//! What the black-box checker cannot know: when each event was committed, and who was in the channel then.

use std::collections::{BTreeMap, BTreeSet};

use harness::{
    history::{self, Action, History, Listener, Outcome, Seen},
    view::Change,
};
use model::UserId;

use crate::log::{Committed, Ledger};

/// How far the clocks of two machines are from each other at most: they move in steps.
const STEP_US: u64 = 2_000;

/// What there is to judge at the end of a simulation.
pub(crate) struct Judged {
    /// For the checker of the crash tests.
    pub(crate) history: History,
    /// Whose each listener is.
    pub(crate) people: Vec<UserId>,
    /// The channel that people join and leave.
    pub(crate) door: String,
}

impl Judged {
    /// Everything that cannot be explained.
    pub(crate) fn check(&self, ledger: &Ledger) -> Vec<String> {
        let mut found: Vec<String> = history::check(&self.history).iter().map(ToString::to_string).collect();
        ledger.with_committed(|committed| {
            let truth = Truth::new(committed);
            for (listener, user) in self.history.listeners.iter().zip(&self.people) {
                truth.check_commits(listener, &mut found);
                truth.check_memberships(listener, *user, &self.door, &mut found);
            }
        });
        for listener in &self.history.listeners {
            check_deleted(&self.history, listener, &mut found);
        }
        found
    }
}

/// The log's own record, by topics as clients write them.
struct Truth<'a> {
    at: BTreeMap<(String, u64), u64>,
    committed: &'a Committed,
}

impl<'a> Truth<'a> {
    fn new(committed: &'a Committed) -> Self {
        let at = committed.at.iter().map(|((topic, seq), at)| ((topic.to_string(), *seq), *at)).collect();
        Self { at, committed }
    }

    /// I1: nothing is shown before it is committed.
    fn check_commits(&self, listener: &Listener, found: &mut Vec<String>) {
        for (topic, seq, at) in shown(listener) {
            match self.at.get(&(topic.to_owned(), seq)) {
                Some(committed) if *committed <= at + STEP_US => {}
                Some(committed) => found.push(format!(
                    "I1: {} was shown {topic}/{seq} at {at} µs, committed at {committed} µs",
                    listener.name
                )),
                None => found.push(format!("I1: {} was shown {topic}/{seq}, never committed", listener.name)),
            }
        }
    }

    /// I7: nothing of a channel after a removal's seq, unless a later join had been committed.
    fn check_memberships(&self, listener: &Listener, user: UserId, door: &str, found: &mut Vec<String>) {
        let changes = self
            .committed
            .memberships
            .iter()
            .find(|((topic, who), _)| *who == user && topic.to_string() == door)
            .map(|(_, changes)| changes.as_slice())
            .unwrap_or_default();
        for (topic, seq, at) in shown(listener).filter(|(topic, ..)| *topic == door) {
            let before = changes.iter().rev().find(|(change, _)| *change <= seq);
            // A leave is itself shown to who left.
            let inside = before.is_some_and(|(change, joined)| *joined || *change == seq);
            let joined_later = changes.iter().any(|(change, joined)| {
                *joined
                    && *change > seq
                    && self
                        .at
                        .get(&(topic.to_owned(), *change))
                        .is_some_and(|committed| *committed <= at + STEP_US)
            });
            if !inside && !joined_later {
                found.push(format!(
                    "I7: {} was shown {topic}/{seq}, and was not in it: {changes:?}",
                    listener.name
                ));
            }
        }
    }
}

/// Topic, seq and time of everything that a listener was shown.
fn shown(listener: &Listener) -> impl Iterator<Item = (&str, u64, u64)> {
    listener.seen.iter().flat_map(|observation| {
        let seqs: Vec<u64> = match &observation.seen {
            Seen::Event(seq, _) => vec![*seq],
            Seen::Page { events, .. } => events.iter().map(|(seq, _)| *seq).collect(),
            _ => Vec::new(),
        };
        seqs.into_iter().map(|seq| (observation.channel.as_str(), seq, observation.at))
    })
}

/// Deleted content does not come back: a page read after a deletion was acknowledged does not have it.
fn check_deleted(history: &History, listener: &Listener, found: &mut Vec<String>) {
    let mut deleted: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for operation in &history.operations {
        if let (Action::Delete { ts }, Outcome::Done(_)) = (&operation.action, &operation.outcome) {
            deleted.insert((&operation.channel, ts), operation.ended);
        }
    }
    let mut connected = u64::MAX;
    let mut told = BTreeSet::new();
    for observation in &listener.seen {
        match &observation.seen {
            Seen::Connected => connected = observation.at,
            Seen::Page { events, .. } => {
                for (seq, event) in events {
                    let Change::Posted(message) = Change::parse(event) else { continue };
                    let key = (observation.channel.as_str(), message.ts.as_str());
                    // What is left of a deleted parent says so.
                    let is_back = deleted.get(&key).is_some_and(|ended| *ended < connected)
                        && message.subtype.as_deref() != Some("tombstone");
                    if is_back && told.insert(*seq) {
                        found.push(format!(
                            "I4: {} was shown {} {} again, which was deleted",
                            listener.name, observation.channel, message.ts
                        ));
                    }
                }
            }
            _ => {}
        }
    }
}
