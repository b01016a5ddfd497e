//! Good histories pass; each kind of bad one is caught, and as what it is.

use serde_json::json;

use super::*;

const CHANNEL: &str = "C1";

/// A good history: two people, three messages, an edit, a reaction, a reply, a deletion, a crash
/// with an unknown outcome that turned out committed, one listener through it all and one that
/// resumes.
fn good() -> History {
    let ts = |n: u64| format!("100.{n:06}");
    let post = |n: u64, author: &str, text: &str, outcome: Outcome, at: Micros| Operation {
        channel: CHANNEL.into(),
        author: author.into(),
        action: Action::Post { key: format!("k{n}"), text: text.into(), thread_ts: None },
        started: at,
        ended: at + 10,
        outcome,
    };
    let change = |author: &str, action: Action, at: Micros| Operation {
        channel: CHANNEL.into(),
        author: author.into(),
        action,
        started: at,
        ended: at + 10,
        outcome: Outcome::Done(String::new()),
    };
    let mut reply = post(5, "U1", "reply", Outcome::Done(ts(5)), 800);
    if let Action::Post { thread_ts, .. } = &mut reply.action {
        *thread_ts = Some(ts(1));
    }
    let operations = vec![
        post(1, "U1", "one", Outcome::Done(ts(1)), 100),
        post(2, "U2", "two", Outcome::Done(ts(2)), 200),
        change("U1", Action::Edit { ts: ts(1), text: "uno".into() }, 300),
        change("U2", Action::React { ts: ts(1), name: "wave".into(), added: true }, 400),
        post(3, "U2", "gone", Outcome::Done(ts(3)), 500),
        change("U2", Action::Delete { ts: ts(3) }, 520),
        post(4, "U1", "unsure", Outcome::Unknown, 600),
        post(4, "U1", "unsure", Outcome::Done(ts(4)), 700),
        reply,
        post(6, "U2", "never", Outcome::Unknown, 900),
        post(7, "U2", "no", Outcome::Refused("not_in_channel".into()), 950),
    ];
    let events = [
        (1, json!({"type":"message","ts":ts(1),"user":"U1","client_msg_id":"k1","text":"one"})),
        (2, json!({"type":"message","ts":ts(2),"user":"U2","client_msg_id":"k2","text":"two"})),
        (
            3,
            json!({"type":"message","subtype":"message_changed","message":{"ts":ts(1),"user":"U1","text":"uno"}}),
        ),
        (4, json!({"type":"reaction_added","reaction":"wave","user":"U2","item":{"ts":ts(1)}})),
        (5, json!({"type":"message","ts":ts(3),"user":"U2","client_msg_id":"k3","text":"gone"})),
        (6, json!({"type":"message","subtype":"message_deleted","deleted_ts":ts(3)})),
        (7, json!({"type":"message","ts":ts(4),"user":"U1","client_msg_id":"k4","text":"unsure"})),
        (
            8,
            json!({"type":"message","ts":ts(5),"user":"U1","client_msg_id":"k5","text":"reply","thread_ts":ts(1)}),
        ),
    ];
    let message = |n: u64, user: &str, text: &str| Message {
        ts: ts(n),
        user: user.into(),
        client_msg_id: Some(format!("k{n}")),
        text: text.into(),
        ..Message::default()
    };
    let mut first = message(1, "U1", "uno");
    first.reactions.insert("wave".into(), ["U2".to_owned()].into());
    let mut last = message(5, "U1", "reply");
    last.thread_ts = Some(ts(1));
    let end =
        Snapshot { seq: 8, messages: vec![first, message(2, "U2", "two"), message(4, "U1", "unsure"), last] };
    let see = |at, seen| Observation { at, channel: CHANNEL.into(), seen };
    let socket = |at, seen| Observation { at, channel: String::new(), seen };
    let whole = Listener {
        name: "whole".into(),
        bases: [(CHANNEL.to_owned(), Snapshot::default())].into(),
        seen: [socket(1, Seen::Connected), see(2, Seen::Live(0))]
            .into_iter()
            .chain(events.iter().map(|(seq, event)| see(100 * seq + 20, Seen::Event(*seq, event.clone()))))
            .collect(),
    };
    // The page shows messages as they are when it is rendered, without the deleted one.
    let page = vec![
        (2, events[1].1.clone()),
        (3, events[2].1.clone()),
        (4, events[3].1.clone()),
        (6, events[5].1.clone()),
    ];
    let resumed = Listener {
        name: "resumed".into(),
        bases: [(CHANNEL.to_owned(), Snapshot::default())].into(),
        seen: vec![
            socket(1, Seen::Connected),
            see(2, Seen::Live(0)),
            see(120, Seen::Event(1, events[0].1.clone())),
            socket(130, Seen::Lost),
            socket(550, Seen::Connected),
            see(551, Seen::Page { from: 1, to: 6, events: page }),
            see(552, Seen::Live(6)),
            see(720, Seen::Event(7, events[6].1.clone())),
            see(821, Seen::Head(8)),
            see(822, Seen::Page { from: 7, to: 8, events: vec![(8, events[7].1.clone())] }),
            see(823, Seen::Live(8)),
        ],
    };
    History {
        operations,
        listeners: vec![whole, resumed],
        finals: [(CHANNEL.to_owned(), end)].into(),
        deliver_within: 2_000_000,
        deliver_since: 0,
    }
}

fn kinds(history: &History) -> BTreeSet<Kind> {
    check(history).into_iter().map(|violation| violation.kind).collect()
}

#[track_caller]
fn caught(history: &History, kind: Kind) {
    let violations = check(history);
    assert!(violations.iter().any(|violation| violation.kind == kind), "{kind:?} not in {violations:?}");
}

fn end(history: &mut History) -> &mut Snapshot {
    history.finals.get_mut(CHANNEL).unwrap()
}

fn events(history: &mut History) -> &mut Vec<Observation> {
    &mut history.listeners[0].seen
}

#[test]
fn a_good_history_passes() {
    assert_eq!(check(&good()), vec![]);
}

#[test]
fn an_unknown_outcome_may_be_there_once_or_not_at_all() {
    let mut history = good();
    // Key 6 was never answered. Here it did commit, and everybody got it.
    let event = json!({"type":"message","ts":"100.000006","user":"U2","client_msg_id":"k6","text":"never"});
    for listener in &mut history.listeners {
        let seen = Seen::Event(9, event.clone());
        listener.seen.push(Observation { at: 990, channel: CHANNEL.into(), seen });
    }
    end(&mut history).seq = 9;
    end(&mut history).messages.push(Message::parse(&event));
    assert_eq!(check(&history), vec![]);
    // But not with somebody else's content.
    end(&mut history).messages[4].text = "ever".into();
    caught(&history, Kind::WrongContent);
}

#[test]
fn lost_is_caught() {
    let mut history = good();
    end(&mut history).messages.remove(1);
    caught(&history, Kind::Lost);
}

#[test]
fn a_lost_edit_is_caught() {
    let mut history = good();
    end(&mut history).messages[0].text = "one".into();
    caught(&history, Kind::WrongContent);
}

#[test]
fn a_lost_deletion_is_caught() {
    let mut history = good();
    let back =
        Message { ts: "100.000003".into(), user: "U2".into(), text: "gone".into(), ..Message::default() };
    end(&mut history).messages.insert(2, back);
    caught(&history, Kind::WrongContent);
}

#[test]
fn a_lost_reaction_and_one_that_nobody_gave_are_caught() {
    let mut history = good();
    end(&mut history).messages[0].reactions.clear();
    caught(&history, Kind::WrongContent);
    let mut history = good();
    end(&mut history).messages[1].reactions.insert("tada".into(), ["U1".to_owned()].into());
    caught(&history, Kind::WrongContent);
}

#[test]
fn a_message_outside_its_thread_is_caught() {
    let mut history = good();
    end(&mut history).messages[3].thread_ts = None;
    caught(&history, Kind::WrongContent);
}

#[test]
fn wrong_content_in_an_event_is_caught() {
    let mut history = good();
    let Seen::Event(_, event) = &mut events(&mut history)[3].seen else { panic!("not an event") };
    event["text"] = json!("tow");
    caught(&history, Kind::WrongContent);
}

#[test]
fn doubled_is_caught() {
    // Two messages of one key.
    let mut history = good();
    let mut twin = end(&mut history).messages[1].clone();
    twin.ts = "100.000009".into();
    end(&mut history).messages.push(twin);
    caught(&history, Kind::Doubled);
    // Two answers to one key.
    let mut history = good();
    let mut again = history.operations[1].clone();
    again.outcome = Outcome::Done("100.000009".into());
    history.operations.push(again);
    caught(&history, Kind::Doubled);
    // One event shown twice, live.
    let mut history = good();
    let twin = events(&mut history)[3].clone();
    events(&mut history).insert(4, twin);
    caught(&history, Kind::Doubled);
    // One message shown under two positions.
    let mut history = good();
    let mut twin = events(&mut history)[9].clone();
    let Seen::Event(seq, _) = &mut twin.seen else { panic!("not an event") };
    *seq = 9;
    events(&mut history).push(twin);
    caught(&history, Kind::Doubled);
    // A page that starts before what the client has.
    let mut history = good();
    let Seen::Page { from, .. } = &mut history.listeners[1].seen[5].seen else { panic!("not a page") };
    *from = 0;
    caught(&history, Kind::Doubled);
}

#[test]
fn swapped_is_caught() {
    // Against seq.
    let mut history = good();
    events(&mut history).swap(2, 3);
    assert!(!kinds(&history).is_empty());
    // seq as it should be, ts against it.
    let mut history = good();
    let (one, two) = (events(&mut history)[2].clone(), events(&mut history)[3].clone());
    let (Seen::Event(_, one), Seen::Event(_, two)) = (one.seen, two.seen) else { panic!("not events") };
    events(&mut history)[2].seen = Seen::Event(1, two);
    events(&mut history)[3].seen = Seen::Event(2, one);
    caught(&history, Kind::Swapped);
    // An edit before its message.
    let mut history = good();
    let edit =
        json!({"type":"message","subtype":"message_changed","message":{"ts":"100.000002","text":"two"}});
    events(&mut history)[2].seen = Seen::Event(1, edit);
    caught(&history, Kind::Swapped);
    // The final read.
    let mut history = good();
    end(&mut history).messages.swap(1, 2);
    caught(&history, Kind::Swapped);
    // A later send with an earlier ts.
    let mut history = good();
    history.operations[1].started = 5;
    history.operations[1].ended = 15;
    caught(&history, Kind::Swapped);
    // Two listeners that disagree on what a seq is.
    let mut history = good();
    let Seen::Event(_, event) = &mut events(&mut history)[5].seen else { panic!("not an event") };
    event["reaction"] = json!("tada");
    caught(&history, Kind::Swapped);
}

#[test]
fn holes_are_caught() {
    // In the middle.
    let mut history = good();
    events(&mut history).remove(5);
    caught(&history, Kind::Hole);
    // At the end.
    let mut history = good();
    events(&mut history).pop();
    caught(&history, Kind::Hole);
    // Told to be live without having got the events.
    let mut history = good();
    history.listeners[1].seen.remove(5);
    caught(&history, Kind::Hole);
    // A page that starts behind what the client has.
    let mut history = good();
    let Seen::Page { from, events, .. } = &mut history.listeners[1].seen[5].seen else {
        panic!("not a page")
    };
    *from = 2;
    events.remove(0);
    caught(&history, Kind::Hole);
    // A `_head` that no page followed.
    let mut history = good();
    history.listeners[1].seen.truncate(9);
    caught(&history, Kind::Hole);
}

#[test]
fn a_page_without_a_message_that_is_there_is_caught() {
    let mut history = good();
    let Seen::Page { events, .. } = &mut history.listeners[1].seen[5].seen else { panic!("not a page") };
    events.remove(0);
    caught(&history, Kind::StaleView);
}

#[test]
fn shown_but_never_committed_is_caught() {
    // A listener saw an unacknowledged post that is not there after the crash.
    let mut history = good();
    let event = json!({"type":"message","ts":"100.000006","user":"U2","client_msg_id":"k6","text":"never"});
    let seen = Seen::Event(9, event);
    events(&mut history).push(Observation { at: 990, channel: CHANNEL.into(), seen });
    caught(&history, Kind::ShownNotCommitted);
    // The server knows less than the client has.
    let mut history = good();
    let seen = Seen::Live(7);
    events(&mut history).push(Observation { at: 990, channel: CHANNEL.into(), seen });
    caught(&history, Kind::ShownNotCommitted);
}

#[test]
fn refused_but_there_is_caught() {
    let mut history = good();
    let message = Message {
        ts: "100.000007".into(),
        user: "U2".into(),
        client_msg_id: Some("k7".into()),
        text: "no".into(),
        ..Message::default()
    };
    end(&mut history).messages.push(message);
    caught(&history, Kind::RefusedButThere);
}

#[test]
fn a_reset_or_gone_of_a_good_position_is_caught() {
    for seen in [Seen::Reset(8), Seen::Gone] {
        let mut history = good();
        events(&mut history).push(Observation { at: 990, channel: CHANNEL.into(), seen });
        assert_eq!(kinds(&history), BTreeSet::from([Kind::NotResumed]));
    }
}

#[test]
fn late_is_caught_only_since_everybody_could_be_reached() {
    let mut history = good();
    history.deliver_within = 100;
    // Acknowledged at 210, read at 320.
    events(&mut history)[3].at = 320;
    history.deliver_since = 210;
    assert_eq!(kinds(&history), BTreeSet::from([Kind::Late]));
    history.deliver_since = 211;
    assert_eq!(check(&history), vec![]);
}

#[test]
fn late_is_caught_only_while_connected() {
    let mut history = good();
    history.deliver_within = 100;
    assert_eq!(check(&history), vec![]);
    // Acknowledged at 210, read at 320.
    events(&mut history)[3].at = 320;
    assert_eq!(kinds(&history), BTreeSet::from([Kind::Late]));
    // Whoever was not connected by then is not owed anything.
    events(&mut history).insert(3, Observation { at: 250, channel: String::new(), seen: Seen::Lost });
    events(&mut history).insert(4, Observation { at: 300, channel: String::new(), seen: Seen::Connected });
    assert_eq!(check(&history), vec![]);
}

#[test]
fn the_checker_is_fast_enough_for_a_long_run() {
    let mut history = History { deliver_within: 2_000_000, ..History::default() };
    let mut snapshot = Snapshot::default();
    let mut listener = Listener { name: "one".into(), ..Listener::default() };
    listener.bases.insert(CHANNEL.into(), Snapshot::default());
    for n in 1..=20_000_u64 {
        let ts = format!("100.{n:06}");
        let event = json!({"type":"message","ts":ts,"user":"U1","client_msg_id":format!("k{n}"),"text":"x"});
        history.operations.push(Operation {
            channel: CHANNEL.into(),
            author: "U1".into(),
            action: Action::Post { key: format!("k{n}"), text: "x".into(), thread_ts: None },
            started: n * 10,
            ended: n * 10 + 5,
            outcome: Outcome::Done(ts),
        });
        snapshot.messages.push(Message::parse(&event));
        let seen = Seen::Event(n, event);
        listener.seen.push(Observation { at: n * 10 + 6, channel: CHANNEL.into(), seen });
    }
    snapshot.seq = 20_000;
    history.finals.insert(CHANNEL.into(), snapshot);
    history.listeners.push(listener);
    assert_eq!(check(&history), vec![]);
}
