//! A person's preferences: which there are, what they may be, and what they are when nobody has said.

use model::Dnd;
use serde_json::{Map, Value};
use wire::json::Object;

use crate::{call::Cx, errors::Failure};

/// What a preference may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// `true` or `false`.
    Flag,
    /// A text of at most so many bytes.
    Text(usize),
    /// One of these texts.
    Choice(&'static [&'static str]),
    /// A JSON object inside a text of at most so many bytes, as Slack keeps it.
    Json(usize),
}

/// Every preference that is stored: its name, what it may be, and its default as JSON. Names are Slack's, except
/// for `ui_*`, which are this client's own.
const ALL: &[(&str, Kind, &str)] = &[
    ("all_notifications_prefs", Kind::Json(64 << 10), r#""{\"channels\":{},\"global\":{}}""#),
    ("emoji_use", Kind::Json(16 << 10), r#""{}""#),
    ("enter_is_special_in_tbt", Kind::Flag, "false"),
    ("highlight_words", Kind::Text(4 << 10), r#""""#),
    ("mark_msgs_read_immediately", Kind::Flag, "true"),
    ("muted_channels", Kind::Text(64 << 10), r#""""#),
    ("preferred_skin_tone", Kind::Choice(&["", "2", "3", "4", "5", "6"]), r#""""#),
    ("start_scroll_at_oldest", Kind::Flag, "true"),
    ("threads_everything", Kind::Flag, "true"),
    ("time24", Kind::Flag, "false"),
    ("ui_density", Kind::Choice(&["comfortable", "dense"]), r#""comfortable""#),
    ("ui_theme", Kind::Choice(&["system", "light", "dark", "contrast"]), r#""system""#),
];

/// Preferences that are part of do-not-disturb.
const DND: &[&str] = &["dnd_enabled", "dnd_start_hour", "dnd_end_hour"];

/// What is to be set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Names of all that was given.
    pub names: Vec<String>,
    /// Names and values, JSON.
    pub values: Vec<(String, String)>,
    /// Do-not-disturb with what was given of it.
    pub dnd: Dnd,
}

/// Reads what is to be set.
///
/// # Errors
/// `invalid_arguments`: there is no such preference, or it cannot be that.
pub fn read(cx: &Cx, dnd: Dnd) -> Result<Change, Failure> {
    let given: Map<String, Value> = match cx.args.json("prefs") {
        Some(json) => serde_json::from_str(json)
            .map_err(|_| Failure::invalid_arguments("prefs must be a JSON object"))?,
        None => {
            let name = cx.args.required("name", "invalid_arguments")?;
            let value = cx.args.prose("value")?.unwrap_or_default();
            Map::from_iter([(name, Value::String(value))])
        }
    };
    change(&given, dnd)
}

fn change(given: &Map<String, Value>, mut dnd: Dnd) -> Result<Change, Failure> {
    let mut values = Vec::new();
    for (name, value) in given {
        let wrong = || Failure::invalid_arguments(format!("{name} cannot be {value}"));
        if DND.contains(&name.as_str()) {
            set_dnd(&mut dnd, name, value).ok_or_else(wrong)?;
            continue;
        }
        let Some((_, kind, _)) = ALL.iter().find(|(known, ..)| known == name) else {
            return Err(Failure::invalid_arguments(format!("there is no preference {name}")));
        };
        values.push((name.clone(), checked(*kind, value).ok_or_else(wrong)?.to_string()));
    }
    Ok(Change { names: given.keys().cloned().collect(), values, dnd })
}

fn checked(kind: Kind, value: &Value) -> Option<Value> {
    match kind {
        Kind::Flag => flag(value).map(Value::Bool),
        Kind::Text(bytes_max) => {
            let text = value.as_str()?;
            (text.len() <= bytes_max && !text.contains('\0')).then(|| Value::from(text))
        }
        Kind::Choice(choices) => {
            let text = value.as_str()?;
            choices.contains(&text).then(|| Value::from(text))
        }
        Kind::Json(bytes_max) => {
            // Given as an object or as the text of one.
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let parsed: Value = serde_json::from_str(&text).ok()?;
            (text.len() <= bytes_max && parsed.is_object()).then(|| Value::from(text))
        }
    }
}

fn flag(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(flag) => Some(*flag),
        Value::String(text) => match text.as_str() {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => None,
        },
        Value::Number(number) => match number.as_i64()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        },
        _ => None,
    }
}

fn set_dnd(dnd: &mut Dnd, name: &str, value: &Value) -> Option<()> {
    match name {
        "dnd_enabled" => dnd.daily = flag(value)?,
        "dnd_start_hour" => dnd.start_minute = minute(value.as_str()?)?,
        _ => dnd.end_minute = minute(value.as_str()?)?,
    }
    Some(())
}

/// `22:30`.
fn minute(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
    (hours < 24 && minutes < 60).then_some(hours * 60 + minutes)
}

/// Writes preferences: those that `wanted` names, or all.
pub fn put(object: &mut Object, set: &[(String, String)], dnd: &Dnd, wanted: &[String]) {
    let wants = |name: &str| wanted.is_empty() || wanted.iter().any(|wanted| wanted == name);
    for (name, _, default) in ALL.iter().filter(|(name, ..)| wants(name)) {
        let value = set.iter().find(|(known, _)| known == name).map_or(*default, |(_, value)| value);
        object.raw(name, value);
    }
    let clock = |minute: u16| format!("{}:{:02}", minute / 60, minute % 60);
    if wants("dnd_enabled") {
        object.put("dnd_enabled", &dnd.daily);
    }
    if wants("dnd_start_hour") {
        object.put("dnd_start_hour", &clock(dnd.start_minute));
    }
    if wants("dnd_end_hour") {
        object.put("dnd_end_hour", &clock(dnd.end_minute));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn defaults_are_what_their_kinds_allow() {
        for (name, kind, default) in ALL {
            let value: Value = serde_json::from_str(default).unwrap();
            assert_eq!(checked(*kind, &value), Some(value), "{name}");
        }
        assert!(ALL.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }

    #[test]
    fn what_is_set_is_what_was_meant_or_refused() {
        let set = |given: Value| change(given.as_object().unwrap(), Dnd::default());
        let change = set(json!({ "time24": "1", "dnd_enabled": true, "dnd_start_hour": "21:30" })).unwrap();
        assert_eq!(change.values, [("time24".to_owned(), "true".to_owned())]);
        assert_eq!((change.dnd.daily, change.dnd.start_minute), (true, 21 * 60 + 30));
        let object = set(json!({ "emoji_use": { "wave": 1 } })).unwrap();
        assert_eq!(object.values, [("emoji_use".to_owned(), r#""{\"wave\":1}""#.to_owned())]);
        for wrong in [
            json!({ "nothing": true }),
            json!({ "time24": "maybe" }),
            json!({ "time24": 2 }),
            json!({ "muted_channels": ["C1"] }),
            json!({ "muted_channels": "x".repeat(65 << 10) }),
            json!({ "ui_theme": "pink" }),
            json!({ "all_notifications_prefs": "[]" }),
            json!({ "dnd_start_hour": "24:00" }),
            json!({ "dnd_end_hour": "8" }),
            json!({ "dnd_enabled": "x" }),
        ] {
            let refused = set(wrong.clone()).map_err(|failure| failure.code.into_owned());
            assert_eq!(refused, Err("invalid_arguments".to_owned()), "{wrong}");
        }
    }
}
