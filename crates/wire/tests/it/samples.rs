//! Types of the keys of events, against Slack's samples where they are at hand (`PARLANCE_SLACK_SAMPLES`:
//! the folder with `rtm/*.json` and `events/*.json`).

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write as _,
    path::Path,
};

use serde_json::Value;

use crate::cases;

/// Keys that are Parlance's own, and those of `*_marked` and `thread_*` events that the samples leave out.
const OWN: &[&str] = &[
    "active",
    "has_unreads",
    "mention_count",
    "mention_count_display",
    "num_mentions",
    "num_mentions_display",
    "subscription",
];

/// Keys that the samples lack but `@slack/types` demands of the event (`ChannelCreatedEvent`).
const TYPED: &[&str] = &["is_frozen"];

/// Events of Slack's own client, of which there is no sample.
const UNSAMPLED: &[&str] = &["channel_convert_to_private", "mpim_", "thread_"];

/// The types of each path below an event type, over all samples of that type.
type Types = BTreeMap<String, BTreeSet<&'static str>>;

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn collect(key: &str, value: &Value, types: &mut Types) {
    types.entry(key.to_owned()).or_default().insert(kind(value));
    match value {
        Value::Object(members) => members.iter().for_each(|(key, value)| collect(key, value, types)),
        Value::Array(items) => items.iter().for_each(|item| collect("[]", item, types)),
        _ => {}
    }
}

#[test]
fn every_key_of_an_event_has_slacks_type() {
    let Some(samples) = std::env::var_os("PARLANCE_SLACK_SAMPLES") else {
        // Past the capture of the test runner, in the form that is counted.
        let why = "PARLANCE_SLACK_SAMPLES names no folder with Slack's samples";
        writeln!(std::io::stderr(), "skipped: samples::every_key_of_an_event_has_slacks_type: {why}").ok();
        return;
    };
    let (mut known, mut types) = (Types::new(), BTreeSet::new());
    for folder in ["rtm", "events", "api"] {
        for entry in std::fs::read_dir(Path::new(&samples).join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let Ok(sample) = serde_json::from_slice::<Value>(&std::fs::read(&path).unwrap()) else {
                continue;
            };
            let event = sample.get("event").unwrap_or(&sample);
            types.extend(event["type"].as_str().map(str::to_owned));
            collect("", event, &mut known);
        }
    }
    let mut wrong = BTreeSet::new();
    for (name, event) in cases::events() {
        let rendered = wire::event::render(&event, cases::SITE);
        let Ok(body) = serde_json::from_slice::<Value>(&rendered.body) else { continue };
        let mut ours = Types::new();
        collect("", &body, &mut ours);
        let text = |bytes| String::from_utf8(bytes).unwrap();
        for further in wire::further::further(&text(rendered.body), &text(rendered.extra)) {
            collect("", &serde_json::from_str(&further).unwrap(), &mut ours);
        }
        let excused = |key: &str| OWN.contains(&key) || TYPED.contains(&key) || key == "[]";
        for (key, kinds) in ours.iter().filter(|(key, _)| !excused(key)) {
            let fits = known.get(key).is_some_and(|known| kinds.is_subset(known));
            if !fits {
                wrong.insert(format!("{name}: {key} is {kinds:?}, samples have {:?}", known.get(key)));
            }
        }
        let kind = body["type"].as_str().unwrap();
        if !types.contains(kind) && !UNSAMPLED.iter().any(|known| kind.starts_with(known)) {
            wrong.insert(format!("{name}: no sample of the type {kind}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
