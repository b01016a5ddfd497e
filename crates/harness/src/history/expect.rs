//! What the operations allow to be there at the end.

use std::collections::{BTreeMap, BTreeSet};

use super::{Action, History, Kind, Micros, Operation, Outcome, Report};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    Yes,
    No,
    Maybe,
}

/// What the operations allow a message to be.
#[derive(Debug, Clone)]
pub(super) struct Expected {
    pub(super) presence: Presence,
    pub(super) deletion_asked: bool,
    pub(super) texts: BTreeSet<String>,
    pub(super) texts_ever: BTreeSet<String>,
    pub(super) thread_ts: Option<String>,
    pub(super) reactions: BTreeMap<(String, String), Presence>,
}

#[derive(Default)]
pub(super) struct Expectations {
    /// By channel and ts, for messages whose ts is known.
    pub(super) messages: BTreeMap<(String, String), Expected>,
    /// By channel, author and key: all tries of a post.
    pub(super) posts: BTreeMap<(String, String, String), Post>,
}

pub(super) struct Post {
    pub(super) thread_ts: Option<String>,
    pub(super) first_started: Micros,
    pub(super) ts: Option<String>,
    /// Where the final read has it, when nobody acknowledged it.
    pub(super) found: Option<String>,
    pub(super) refused: Option<String>,
    pub(super) unknown: bool,
    pub(super) text: String,
}

pub(super) fn expect(history: &History, report: &mut Report) -> Expectations {
    let mut all = Expectations::default();
    let mut operations: Vec<&Operation> = history.operations.iter().collect();
    operations.sort_by_key(|operation| operation.started);
    for operation in &operations {
        expect_post(&mut all, operation, report);
    }
    resolve_posts(history, &mut all);
    for operation in &operations {
        expect_change(&mut all, operation, report);
    }
    all
}

fn expect_post(all: &mut Expectations, operation: &Operation, report: &mut Report) {
    let Action::Post { key, text, thread_ts } = &operation.action else { return };
    let name = (operation.channel.clone(), operation.author.clone(), key.clone());
    let post = all.posts.entry(name).or_insert_with(|| Post {
        thread_ts: thread_ts.clone(),
        first_started: operation.started,
        ts: None,
        found: None,
        refused: None,
        unknown: false,
        text: text.clone(),
    });
    match &operation.outcome {
        Outcome::Done(ts) => match &post.ts {
            Some(first) if first != ts => {
                report.add(Kind::Doubled, format!("key {key} was answered with {first} and with {ts}"));
            }
            _ => post.ts = Some(ts.clone()),
        },
        Outcome::Refused(error) => post.refused = Some(error.clone()),
        Outcome::Unknown => post.unknown = true,
    }
}

/// A post that nobody acknowledged may be there once: the final read tells under which ts.
fn resolve_posts(history: &History, all: &mut Expectations) {
    let mut there: BTreeMap<(&str, &str, &str), &str> = BTreeMap::new();
    for (channel, end) in &history.finals {
        for message in &end.messages {
            if let Some(key) = &message.client_msg_id {
                there.entry((channel, &message.user, key)).or_insert(&message.ts);
            }
        }
    }
    for ((channel, author, key), post) in &mut all.posts {
        if post.ts.is_none() && post.unknown {
            let found = there.get(&(channel.as_str(), author.as_str(), key.as_str()));
            post.found = found.map(|ts| (*ts).to_owned());
        }
        let (ts, presence) = match (&post.ts, &post.found) {
            (Some(ts), _) => (ts.clone(), Presence::Yes),
            (None, Some(ts)) => (ts.clone(), Presence::Maybe),
            (None, None) => continue,
        };
        let texts = BTreeSet::from([post.text.clone()]);
        let expected = Expected {
            presence,
            deletion_asked: false,
            texts_ever: texts.clone(),
            texts,
            thread_ts: post.thread_ts.clone(),
            reactions: BTreeMap::new(),
        };
        all.messages.insert((channel.clone(), ts), expected);
    }
}

fn expect_change(all: &mut Expectations, operation: &Operation, report: &mut Report) {
    let (Action::Edit { ts, .. } | Action::Delete { ts } | Action::React { ts, .. }) = &operation.action
    else {
        return;
    };
    let Some(message) = all.messages.get_mut(&(operation.channel.clone(), ts.clone())) else {
        if matches!(operation.outcome, Outcome::Done(_)) {
            let what = format!("{:?} was acknowledged for a message nobody posted", operation.action);
            report.add(Kind::ShownNotCommitted, what);
        }
        return;
    };
    let (done, unknown) = match &operation.outcome {
        Outcome::Done(_) => (true, false),
        Outcome::Unknown => (false, true),
        Outcome::Refused(_) => (false, false),
    };
    match &operation.action {
        Action::Edit { text, .. } => {
            message.texts_ever.insert(text.clone());
            if done {
                message.texts = BTreeSet::from([text.clone()]);
            } else if unknown {
                message.texts.insert(text.clone());
            }
        }
        Action::Delete { .. } => {
            message.deletion_asked |= done || unknown;
            if done {
                message.presence = Presence::No;
            } else if unknown && message.presence == Presence::Yes {
                message.presence = Presence::Maybe;
            }
        }
        Action::React { name, added, .. } => {
            let wanted = if *added { Presence::Yes } else { Presence::No };
            let state =
                message.reactions.entry((name.clone(), operation.author.clone())).or_insert(Presence::No);
            if done {
                *state = wanted;
            } else if unknown && *state != wanted {
                *state = Presence::Maybe;
            }
        }
        Action::Post { .. } => {}
    }
}
