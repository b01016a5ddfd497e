//! Whether each channel could have been one list that every operation was put at the end of, at a moment between its
//! begin and the first time that anybody knew of it: linearizability of what appends.
//!
//! In general that question is exponential (Gibbons and Korach 1997). Here it is not, because the server says the order
//! that it chose: `seq`, and `ts` for messages. So it is enough that no operation comes before another one that was known
//! before the first had begun. Posts and deletions are looked at; an event of a page may show a later edit than its own,
//! and the same reaction is given again and again, so those name no operation.

use std::collections::BTreeMap;

use serde_json::Value;

use super::expect::Expectations;
use super::{Action, History, Kind, Micros, Outcome, Report, Seen};
use crate::view::{Change, Message};

/// Something that was done, and what is known of when.
#[derive(Debug, Clone)]
struct Effect {
    /// For a person.
    what: String,
    /// It cannot have been done earlier: its first try began.
    begun: Micros,
    /// It cannot have been done later: somebody was told, or saw it. [`Micros::MAX`]: nobody was.
    known: Micros,
    /// Its place among the events of the channel, if anybody saw it.
    seq: Option<u64>,
    /// Its place among the messages, if it is one.
    ts: Option<String>,
}

/// Judges every channel. What has an unknown outcome counts too, once it turned out to be done.
pub(super) fn check_order(history: &History, expected: &Expectations, report: &mut Report) {
    let sightings = sightings(history);
    for (channel, effects) in effects(history, expected, &sightings) {
        for effect in effects.iter().filter(|effect| effect.known < effect.begun) {
            report.add(Kind::Swapped, format!("{channel}: {} was seen before it was asked for", effect.what));
        }
        check_by(channel, &effects, |effect| effect.seq, report);
        check_by(channel, &effects, |effect| effect.ts.as_deref(), report);
        check_agreement(channel, &effects, report);
    }
}

/// Where and when an event was first seen by any listener, by channel and identity.
fn sightings(history: &History) -> BTreeMap<(&str, String), (u64, Micros)> {
    let mut first = BTreeMap::new();
    let mut see = |channel, seq, event: &Value, at: Micros| {
        let change = Change::parse(event);
        if let Change::Posted(_) | Change::Deleted(_) = change {
            let sighting = first.entry((channel, change.identity())).or_insert((seq, at));
            sighting.1 = at.min(sighting.1);
        }
    };
    for listener in &history.listeners {
        for observation in &listener.seen {
            let channel = observation.channel.as_str();
            match &observation.seen {
                Seen::Event(seq, event) => see(channel, *seq, event, observation.at),
                Seen::Page { events, .. } => {
                    events.iter().for_each(|(seq, event)| see(channel, *seq, event, observation.at));
                }
                _ => {}
            }
        }
    }
    first
}

/// What was done in each channel.
fn effects<'a>(
    history: &'a History,
    expected: &'a Expectations,
    sightings: &BTreeMap<(&str, String), (u64, Micros)>,
) -> BTreeMap<&'a str, Vec<Effect>> {
    let mut all: BTreeMap<&str, BTreeMap<String, Effect>> = BTreeMap::new();
    // Of the tries of one operation the first to begin and the first answer count.
    let mut add = |channel: &'a str, what: String, ts: Option<&str>, begun: Micros, answered: Micros| {
        let sighting = sightings.get(&(channel, what.clone()));
        let new = Effect {
            what: what.clone(),
            begun,
            known: sighting.map_or(Micros::MAX, |(_, at)| *at),
            seq: sighting.map(|(seq, _)| *seq),
            ts: ts.map(str::to_owned),
        };
        let effect = all.entry(channel).or_default().entry(what).or_insert(new);
        effect.begun = effect.begun.min(begun);
        effect.known = effect.known.min(answered);
    };
    for ((channel, _, _), post) in &expected.posts {
        if let Some(ts) = post.ts.as_deref().or(post.found.as_deref()) {
            add(channel, posted(ts), Some(ts), post.first_started, Micros::MAX);
        }
    }
    for operation in &history.operations {
        let (channel, begun) = (operation.channel.as_str(), operation.started);
        match (&operation.action, &operation.outcome) {
            (Action::Post { .. }, Outcome::Done(ts)) => {
                add(channel, posted(ts), Some(ts), begun, operation.ended);
            }
            (Action::Delete { ts }, Outcome::Done(_)) => {
                add(channel, deleted(ts), None, begun, operation.ended);
            }
            (Action::Delete { ts }, Outcome::Unknown) => {
                add(channel, deleted(ts), None, begun, Micros::MAX);
            }
            _ => {}
        }
    }
    all.into_iter().map(|(channel, effects)| (channel, effects.into_values().collect())).collect()
}

fn posted(ts: &str) -> String {
    Change::Posted(Message { ts: ts.to_owned(), ..Message::default() }).identity()
}

fn deleted(ts: &str) -> String {
    Change::Deleted(ts.to_owned()).identity()
}

/// What was known before something else began has the lower place.
fn check_by<'a, Place: Ord + Copy + std::fmt::Debug>(
    channel: &str,
    effects: &'a [Effect],
    place: impl Fn(&'a Effect) -> Option<Place>,
    report: &mut Report,
) {
    for (earlier, later) in contradictions(effects, &place) {
        let what = format!(
            "{channel}: {} is at {:?} and was begun at {} µs, when {} at {:?} had been known since {} µs",
            later.what,
            place(later),
            later.begun,
            earlier.what,
            place(earlier),
            earlier.known,
        );
        report.add(Kind::Swapped, what);
    }
}

/// For each effect that is too low: it, and the highest one of those that were known before it began.
fn contradictions<'a, Place: Ord + Copy>(
    effects: &'a [Effect],
    place: &impl Fn(&'a Effect) -> Option<Place>,
) -> Vec<(&'a Effect, &'a Effect)> {
    let mut begun: Vec<&Effect> = effects.iter().filter(|effect| place(effect).is_some()).collect();
    let mut known = begun.clone();
    begun.sort_by_key(|effect| effect.begun);
    known.sort_by_key(|effect| effect.known);
    let mut known = known.into_iter().peekable();
    let mut highest: Option<&Effect> = None;
    let mut found = Vec::new();
    for later in begun {
        while let Some(earlier) = known.next_if(|earlier| earlier.known < later.begun) {
            if highest.is_none_or(|highest| place(highest) < place(earlier)) {
                highest = Some(earlier);
            }
        }
        if let Some(earlier) = highest.filter(|earlier| place(earlier) > place(later)) {
            found.push((earlier, later));
        }
    }
    found
}

/// Of two messages the one with the higher seq has the higher ts, whoever saw them.
fn check_agreement(channel: &str, effects: &[Effect], report: &mut Report) {
    let mut placed: Vec<(u64, &str)> =
        effects.iter().filter_map(|effect| Some((effect.seq?, effect.ts.as_deref()?))).collect();
    placed.sort_unstable();
    for ((one, one_ts), (two, two_ts)) in placed.iter().zip(placed.iter().skip(1)) {
        if one_ts >= two_ts {
            let what = format!("{channel}: seq {one} has ts {one_ts}, seq {two} has {two_ts}");
            report.add(Kind::Swapped, what);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::history::{Listener, Observation, Operation, Snapshot, Violation, check};

    const CHANNEL: &str = "C1";

    /// A post: its number, which is its seq and ts; begin; answer, if one came; when a listener saw it, if one did.
    type Post = (u64, Micros, Option<Micros>, Option<Micros>);

    fn ts(n: u64) -> String {
        format!("100.{n:06}")
    }

    fn operation(action: Action, begun: Micros, answered: Option<Micros>, ts: String) -> Operation {
        Operation {
            channel: CHANNEL.into(),
            author: "U1".into(),
            action,
            started: begun,
            ended: answered.unwrap_or(10_000),
            outcome: answered.map_or(Outcome::Unknown, |_| Outcome::Done(ts)),
        }
    }

    fn saw(history: &mut History, seq: u64, event: Value, at: Micros) {
        let seen = Observation { at, channel: CHANNEL.into(), seen: Seen::Event(seq, event) };
        history.listeners.push(Listener { seen: vec![seen], ..Listener::default() });
    }

    fn posts(posts: &[Post]) -> History {
        let mut history = History::default();
        let mut end = Snapshot::default();
        for &(n, begun, answered, seen) in posts {
            let key = format!("k{n}");
            let action = Action::Post { key: key.clone(), text: "x".into(), thread_ts: None };
            history.operations.push(operation(action, begun, answered, ts(n)));
            let event = json!({"type":"message","ts":ts(n),"user":"U1","client_msg_id":key,"text":"x"});
            end.messages.push(Message::parse(&event));
            if let Some(at) = seen {
                saw(&mut history, n, event, at);
            }
        }
        end.messages.sort_by(|one, two| one.ts.cmp(&two.ts));
        history.finals.insert(CHANNEL.into(), end);
        history
    }

    #[track_caller]
    fn is_refused(history: &History, why: &str) {
        let violations = check(history);
        let all: Vec<String> = violations.iter().map(Violation::to_string).collect();
        assert!(all.iter().all(|one| one.starts_with("I3 Swapped")), "{all:#?}");
        assert!(all.iter().any(|one| one.contains(why)), "{why} is not in {all:#?}");
    }

    #[test]
    fn what_overlaps_may_come_in_either_order() {
        let either =
            [(2, 100, Some(200), Some(210)), (1, 150, Some(250), Some(215)), (3, 260, Some(270), None)];
        assert_eq!(check(&posts(&either)), vec![]);
        // Nobody was told of the first before the second began, so it may come later.
        assert_eq!(check(&posts(&[(2, 100, None, None), (1, 500, Some(600), None)])), vec![]);
        assert_eq!(check(&posts(&[(2, 100, None, Some(700)), (1, 500, Some(600), Some(650))])), vec![]);
    }

    #[test]
    fn what_was_begun_after_an_answer_comes_later() {
        let history = posts(&[(2, 100, Some(200), None), (1, 201, Some(300), None)]);
        is_refused(&history, "had been known since 200");
    }

    #[test]
    fn an_unknown_outcome_counts_from_when_somebody_saw_it() {
        let history = posts(&[(2, 100, None, Some(200)), (1, 201, Some(300), Some(310))]);
        is_refused(&history, "had been known since 200");
    }

    #[test]
    fn an_unknown_outcome_comes_after_what_was_answered_before_it_began() {
        let history = posts(&[(2, 100, Some(200), None), (1, 201, None, None)]);
        is_refused(&history, "had been known since 200");
    }

    #[test]
    fn a_retry_counts_from_its_first_try_and_its_first_answer() {
        let mut history = posts(&[(1, 100, None, None), (2, 150, Some(200), None)]);
        // The second try begins long after the other was answered, and that is no contradiction.
        let again = Operation {
            started: 300,
            ended: 400,
            outcome: Outcome::Done(ts(1)),
            ..history.operations[0].clone()
        };
        history.operations.push(again);
        assert_eq!(check(&history), vec![]);
        history.operations[1].started = 401;
        history.operations[1].ended = 402;
        history.operations.swap(1, 2);
        assert_eq!(check(&history), vec![]);
        // Once it was answered, what begins later comes later.
        for one in &mut history.operations {
            if one.outcome == Outcome::Done(ts(2)) {
                one.outcome = Outcome::Done(ts(0));
            }
        }
        history.finals.get_mut(CHANNEL).unwrap().messages[1].ts = ts(0);
        history.finals.get_mut(CHANNEL).unwrap().messages.swap(0, 1);
        is_refused(&history, "had been known since 400");
    }

    #[test]
    fn a_deletion_has_a_place_too() {
        let deletion = |begun| {
            let mut history = posts(&[(1, 100, Some(110), Some(115)), (3, 200, Some(210), Some(215))]);
            history.operations.push(operation(Action::Delete { ts: ts(1) }, begun, Some(300), String::new()));
            let event = json!({"type":"message","subtype":"message_deleted","deleted_ts":ts(1)});
            saw(&mut history, 2, event, 300);
            history.finals.get_mut(CHANNEL).unwrap().messages.remove(0);
            history
        };
        assert_eq!(check(&deletion(150)), vec![]);
        is_refused(&deletion(250), "delete 100.000001 is at Some(2) and was begun at 250");
    }

    #[test]
    fn what_was_seen_before_it_was_asked_for_is_refused() {
        is_refused(&posts(&[(1, 100, Some(200), Some(50))]), "seen before it was asked for");
    }

    #[test]
    fn seq_and_ts_agree_whoever_saw_them() {
        let mut history = posts(&[(1, 100, Some(200), Some(205)), (2, 100, Some(200), Some(205))]);
        for (listener, seq) in history.listeners.iter_mut().zip([2, 1]) {
            if let Seen::Event(place, _) = &mut listener.seen[0].seen {
                *place = seq;
            }
        }
        is_refused(&history, "seq 1 has ts 100.000002, seq 2 has 100.000001");
    }

    fn effect(n: u64, begun: Micros, known: Micros, seq: u64) -> Effect {
        Effect { what: n.to_string(), begun, known, seq: Some(seq), ts: None }
    }

    /// The sweep finds something exactly when looking at every pair does.
    #[test]
    fn the_sweep_is_as_good_as_every_pair() {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut below = |end: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 33) % end
        };
        let (mut good, mut bad) = (0, 0);
        for _ in 0..20_000 {
            let count = 2 + below(5);
            let effects: Vec<Effect> = (0..count)
                .map(|n| {
                    let begun = below(30);
                    let known = if below(5) == 0 { Micros::MAX } else { begun + below(12) };
                    // Mostly in order, so that both verdicts come.
                    effect(n, begun, known, begun + below(16))
                })
                .collect();
            let pairs = effects.iter().any(|later| {
                effects.iter().any(|earlier| earlier.known < later.begun && earlier.seq > later.seq)
            });
            let swept = !contradictions(&effects, &|effect: &Effect| effect.seq).is_empty();
            assert_eq!(swept, pairs, "{effects:?}");
            if pairs { bad += 1 } else { good += 1 }
        }
        assert!(good > 1_000 && bad > 1_000, "{good} good and {bad} bad histories");
    }
}
