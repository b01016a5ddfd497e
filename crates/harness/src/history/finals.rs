//! Whether what is there at the end is what was acknowledged, once and in order.

use std::collections::BTreeMap;

use super::expect::{Expectations, Expected, Post, Presence};
use super::{Action, History, Kind, Micros, Outcome, Report, Snapshot};
use crate::view::Message;

pub(super) fn check_finals(history: &History, expected: &Expectations, report: &mut Report) {
    let mut there: BTreeMap<(&str, &str), &Message> = BTreeMap::new();
    for (channel, end) in &history.finals {
        for message in &end.messages {
            there.insert((channel, &message.ts), message);
        }
    }
    for ((channel, ts), message) in &expected.messages {
        match (there.get(&(channel.as_str(), ts.as_str())), message.presence) {
            (None, Presence::Yes) => {
                report.add(Kind::Lost, format!("{channel} {ts} was acknowledged and is not there"));
            }
            (Some(found), Presence::No) => report.add(
                Kind::WrongContent,
                format!("{channel} {ts} was deleted and is there: {:?}", found.text),
            ),
            (None, _) => {}
            (Some(found), _) => check_content(channel, found, message, report),
        }
    }
    for (channel, end) in &history.finals {
        check_final_order(channel, end, report);
        check_final_keys(channel, end, expected, report);
    }
}

fn check_content(channel: &str, found: &Message, expected: &Expected, report: &mut Report) {
    let name = format!("{channel} {}", found.ts);
    if !expected.texts.contains(&found.text) {
        let what = format!("{name} says {:?}, may say {:?}", found.text, expected.texts);
        report.add(Kind::WrongContent, what);
    }
    if found.thread_ts != expected.thread_ts {
        let what = format!("{name} is in thread {:?}, not {:?}", found.thread_ts, expected.thread_ts);
        report.add(Kind::WrongContent, what);
    }
    for ((reaction, user), presence) in &expected.reactions {
        let there = found.reactions.get(reaction).is_some_and(|users| users.contains(user));
        if (there && *presence == Presence::No) || (!there && *presence == Presence::Yes) {
            let what = format!("{name}: reaction {reaction} of {user} there: {there}, expected {presence:?}");
            report.add(Kind::WrongContent, what);
        }
    }
    for (reaction, users) in &found.reactions {
        for user in users {
            if !expected.reactions.contains_key(&(reaction.clone(), user.clone())) {
                report.add(Kind::WrongContent, format!("{name}: {user} never gave {reaction}"));
            }
        }
    }
}

fn check_final_order(channel: &str, end: &Snapshot, report: &mut Report) {
    for (one, two) in end.messages.iter().zip(end.messages.iter().skip(1)) {
        if one.ts == two.ts {
            report.add(Kind::Doubled, format!("{channel} has {} twice", one.ts));
        } else if one.ts > two.ts {
            report.add(Kind::Swapped, format!("{channel} has {} before {}", one.ts, two.ts));
        }
    }
}

fn check_final_keys(channel: &str, end: &Snapshot, expected: &Expectations, report: &mut Report) {
    let mut by_key: BTreeMap<(&str, &str), &str> = BTreeMap::new();
    for message in &end.messages {
        let Some(key) = message.client_msg_id.as_deref() else { continue };
        if let Some(first) = by_key.insert((&message.user, key), &message.ts) {
            report.add(Kind::Doubled, format!("key {key} is there as {first} and as {}", message.ts));
        }
        let name = (channel.to_owned(), message.user.clone(), key.to_owned());
        match expected.posts.get(&name) {
            Some(Post { ts: None, unknown: false, refused: Some(error), .. }) => report.add(
                Kind::RefusedButThere,
                format!("key {key} was refused with {error} and is there as {}", message.ts),
            ),
            Some(Post { ts: Some(answered), .. }) if answered != &message.ts => report.add(
                Kind::Doubled,
                format!("key {key} was answered with {answered} and is there as {}", message.ts),
            ),
            _ => {}
        }
    }
}

/// A post that began after another one was acknowledged comes after it. A retry is answered with the
/// first `ts`, so a post begins with its first try.
pub(super) fn check_real_time_order(history: &History, expected: &Expectations, report: &mut Report) {
    let mut acknowledged: BTreeMap<&str, Vec<(Micros, &str)>> = BTreeMap::new();
    for operation in &history.operations {
        if let (Action::Post { .. }, Outcome::Done(ts)) = (&operation.action, &operation.outcome) {
            acknowledged.entry(&operation.channel).or_default().push((operation.ended, ts));
        }
    }
    let mut begun: BTreeMap<&str, Vec<(Micros, &str)>> = BTreeMap::new();
    for ((channel, _, _), post) in &expected.posts {
        if let Some(ts) = &post.ts {
            begun.entry(channel).or_default().push((post.first_started, ts));
        }
    }
    for (channel, mut begun) in begun {
        begun.sort_unstable();
        let mut ends = acknowledged.remove(channel).unwrap_or_default();
        ends.sort_unstable();
        let mut ends = ends.into_iter().peekable();
        let mut newest = "";
        for (started, ts) in begun {
            while let Some((_, earlier)) = ends.next_if(|(ended, _)| *ended < started) {
                newest = newest.max(earlier);
            }
            if newest > ts {
                let what = format!("{channel}: {ts} was sent after {newest} had been acknowledged");
                report.add(Kind::Swapped, what);
            }
        }
    }
}
