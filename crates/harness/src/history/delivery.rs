//! Whether acknowledged messages reached the connected listeners in time.

use std::collections::BTreeMap;

use serde_json::Value;

use super::expect::Expectations;
use super::{Action, History, Kind, Listener, Micros, Outcome, Report, Seen};
use crate::view::Change;

/// I8: who was connected from the acknowledgement to the bound has seen the message by then.
pub(super) fn check_delivery(
    history: &History,
    listener: &Listener,
    expected: &Expectations,
    report: &mut Report,
) {
    let mut arrivals: BTreeMap<(&str, &str), Micros> = BTreeMap::new();
    let mut messages: Vec<(String, String, Micros)> = Vec::new();
    for observation in &listener.seen {
        let events: Vec<&Value> = match &observation.seen {
            Seen::Event(_, event) => vec![event],
            Seen::Page { events, .. } => events.iter().map(|(_, event)| event).collect(),
            _ => continue,
        };
        for event in events {
            if let Change::Posted(message) = Change::parse(event) {
                messages.push((observation.channel.clone(), message.ts, observation.at));
            }
        }
    }
    for (channel, ts, at) in &messages {
        arrivals.entry((channel, ts)).or_insert(*at);
    }
    let connected = connections(listener);
    for operation in &history.operations {
        let (Action::Post { .. }, Outcome::Done(ts)) = (&operation.action, &operation.outcome) else {
            continue;
        };
        let channel = operation.channel.as_str();
        let key = (operation.channel.clone(), ts.clone());
        let deleted = expected.messages.get(&key).is_some_and(|known| known.deletion_asked);
        let based = listener
            .bases
            .get(channel)
            .is_none_or(|base| base.messages.iter().any(|message| &message.ts == ts));
        if based || deleted || operation.ended < history.deliver_since {
            continue;
        }
        let due = operation.ended + history.deliver_within;
        let listening = connected.iter().any(|(from, to)| *from <= operation.ended && due < *to);
        let arrived = arrivals.get(&(channel, ts.as_str()));
        if listening && arrived.is_none_or(|at| *at > due) {
            let late =
                arrived.map(|at| format!("{} ms after its acknowledgement", (at - operation.ended) / 1000));
            let what =
                format!("{}: {channel} {ts} came {}", listener.name, late.unwrap_or("never".to_owned()));
            report.add(Kind::Late, what);
        }
    }
}

/// From and to of each connection; one that is still open ends never.
fn connections(listener: &Listener) -> Vec<(Micros, Micros)> {
    let mut all = Vec::new();
    let mut since = None;
    for observation in &listener.seen {
        match observation.seen {
            Seen::Connected => since = Some(observation.at),
            Seen::Lost => all.extend(since.take().map(|from| (from, observation.at))),
            _ => {}
        }
    }
    all.extend(since.map(|from| (from, Micros::MAX)));
    all
}
