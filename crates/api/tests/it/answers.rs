//! The JSON type of every key that is answered, against Slack's samples where they are at hand
//! (`PARLANCE_SLACK_SAMPLES`: the folder with `api/*.json`).

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write as _,
    path::Path,
};

use serde_json::{Value, json};

use crate::world::World;

/// Keys that are Parlance's own, or that Slack has and its samples have not.
const OWN: &[&str] = &["_p"];

/// The types that each key has anywhere in the samples.
type Union = BTreeMap<String, BTreeSet<&'static str>>;

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

fn collect(sample: &Value, union: &mut Union) {
    match sample {
        Value::Object(members) => {
            for (key, value) in members {
                union.entry(key.clone()).or_default().insert(kind(value));
                collect(value, union);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, union)),
        _ => {}
    }
}

/// Compares types key by key. A key that this sample does not have must have a type that it has in another.
fn compare(path: &str, ours: &Value, sample: &Value, union: &Union, wrong: &mut BTreeSet<String>) {
    match (ours, sample) {
        (Value::Object(ours), Value::Object(sample)) => {
            for (key, value) in ours.iter().filter(|(key, _)| !OWN.contains(&key.as_str())) {
                let place = format!("{path}.{key}");
                match sample.get(key) {
                    Some(sample) => compare(&place, value, sample, union, wrong),
                    None if union.get(key).is_some_and(|kinds| kinds.contains(kind(value))) => {}
                    None => {
                        wrong.insert(format!("{place}: a {} that no sample has", kind(value)));
                    }
                }
            }
        }
        (Value::Array(ours), Value::Array(sample)) => {
            if let Some(sample) = sample.first() {
                for value in ours {
                    compare(&format!("{path}[]"), value, sample, union, wrong);
                }
            }
        }
        (Value::Null, _) => {}
        _ if kind(ours) == kind(sample) => {}
        _ => {
            wrong.insert(format!("{path}: {ours} where the sample has {sample}"));
        }
    }
}

#[tokio::test]
async fn every_key_has_slacks_type() {
    let Some(samples) = std::env::var_os("PARLANCE_SLACK_SAMPLES") else {
        // Past the capture of the test runner, in the form that is counted.
        let why = "PARLANCE_SLACK_SAMPLES names no folder with Slack's samples";
        writeln!(std::io::stderr(), "skipped: answers::every_key_has_slacks_type: {why}").ok();
        return;
    };
    let samples = read(Path::new(&samples));
    let mut union = Union::new();
    samples.values().for_each(|sample| collect(sample, &mut union));
    let world = World::new().await;
    let general = world.general.to_string();
    let (bob, eve) = (world.bob.id.to_string(), world.eve.id.to_string());
    let ts = world.post(&world.ada, &general, "x").await;
    world
        .call(&world.bob, "reactions.add", json!({"channel": general, "timestamp": ts, "name": "eyes"}))
        .await;
    world
        .call(&world.bob, "chat.postMessage", json!({"channel": general, "text": "r", "thread_ts": ts}))
        .await;
    world.call(&world.ada, "chat.update", json!({"channel": general, "ts": ts, "text": "y"})).await;
    let own = world.post(&world.ada, &general, "own").await;
    let mut wrong = BTreeSet::new();
    for (method, args) in [
        ("auth.test", json!({})),
        ("team.info", json!({})),
        ("users.info", json!({"user": bob, "include_locale": true})),
        ("users.list", json!({})),
        ("users.conversations", json!({})),
        ("conversations.list", json!({})),
        ("conversations.info", json!({"channel": general})),
        ("conversations.create", json!({"name": "new"})),
        ("conversations.open", json!({"users": bob, "return_im": true})),
        ("conversations.open", json!({"users": bob, "return_im": true})),
        ("conversations.join", json!({"channel": general})),
        ("conversations.members", json!({"channel": general})),
        ("conversations.history", json!({"channel": general})),
        ("conversations.replies", json!({"channel": general, "ts": ts})),
        ("conversations.mark", json!({"channel": general, "ts": ts})),
        ("conversations.setTopic", json!({"channel": general, "topic": "t"})),
        ("conversations.setPurpose", json!({"channel": general, "purpose": "p"})),
        ("chat.postMessage", json!({"channel": general, "text": "t", "thread_ts": ts})),
        ("chat.update", json!({"channel": general, "ts": own, "text": "z"})),
        ("chat.delete", json!({"channel": general, "ts": own})),
        ("chat.postEphemeral", json!({"channel": general, "user": eve, "text": "t"})),
        ("chat.getPermalink", json!({"channel": general, "message_ts": ts})),
        ("reactions.get", json!({"channel": general, "timestamp": ts})),
        ("rtm.connect", json!({})),
    ] {
        let sample = &samples[method];
        compare(method, &world.call(&world.ada, method, args).await, sample, &union, &mut wrong);
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Every sample of `api/`, by method.
fn read(folder: &Path) -> BTreeMap<String, Value> {
    std::fs::read_dir(folder.join("api"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .map(|path| {
            let sample = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
            (path.file_stem().unwrap().to_string_lossy().into_owned(), sample)
        })
        .collect()
}
