//! Whether what is there at the end is what was acknowledged, once and in order.

use std::collections::BTreeMap;

use super::expect::{Expectations, Expected, Post, Presence};
use super::{History, Kind, Report, Snapshot};
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
