//! The messages of a channel as a client has them: a snapshot plus the events since.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// A message reduced to what two clients must agree on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message {
    /// Slack's message id.
    pub ts: String,
    /// Who wrote it.
    pub user: String,
    /// The sender's key, when there was one.
    pub client_msg_id: Option<String>,
    /// `channel_join` and the like; none for what people write.
    pub subtype: Option<String>,
    /// What it says now.
    pub text: String,
    /// The thread it belongs to.
    pub thread_ts: Option<String>,
    /// Reaction name → who.
    pub reactions: BTreeMap<String, BTreeSet<String>>,
}

impl Message {
    /// Reads a message object of Slack's.
    pub fn parse(value: &Value) -> Message {
        let text = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
        let mut reactions = BTreeMap::new();
        for reaction in list(value, "reactions") {
            let name = string(reaction, "name");
            let users: BTreeSet<String> =
                list(reaction, "users").iter().filter_map(|user| user.as_str().map(str::to_owned)).collect();
            if !users.is_empty() {
                reactions.insert(name, users);
            }
        }
        Message {
            ts: text("ts").unwrap_or_default(),
            user: text("user").unwrap_or_default(),
            client_msg_id: text("client_msg_id"),
            subtype: text("subtype"),
            text: text("text").unwrap_or_default(),
            // A parent names itself once it has replies; that is not a different message.
            thread_ts: text("thread_ts").filter(|thread| Some(thread) != text("ts").as_ref()),
            reactions,
        }
    }

    /// The same message for two readers: the key and the subtype of the container may be missing
    /// in one of the forms that a message comes in.
    pub fn same(&self, other: &Message) -> bool {
        self.ts == other.ts
            && self.text == other.text
            && self.thread_ts == other.thread_ts
            && self.reactions == other.reactions
    }
}

/// What an event does to the messages of its channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A new message.
    Posted(Message),
    /// A message as it is now. Reactions are not part of an edit.
    Edited(Message),
    /// The `ts` that is gone.
    Deleted(String),
    /// `ts`, name, who.
    Reacted(String, String, String),
    /// `ts`, name, who.
    Unreacted(String, String, String),
    /// Joins, marks and whatever else does not touch a message.
    Other(String),
}

impl Change {
    /// Reads an event object of Slack's.
    pub fn parse(event: &Value) -> Change {
        let kind = string(event, "type");
        let subtype = string(event, "subtype");
        let item = event.get("item").unwrap_or(&Value::Null);
        match (kind.as_str(), subtype.as_str()) {
            ("message", "message_changed") => {
                Change::Edited(Message::parse(event.get("message").unwrap_or(&Value::Null)))
            }
            ("message", "message_deleted") => Change::Deleted(string(event, "deleted_ts")),
            ("message", "message_replied") => Change::Other("message_replied".to_owned()),
            ("message", _) => Change::Posted(Message::parse(event)),
            ("reaction_added", _) => {
                Change::Reacted(string(item, "ts"), string(event, "reaction"), string(event, "user"))
            }
            ("reaction_removed", _) => {
                Change::Unreacted(string(item, "ts"), string(event, "reaction"), string(event, "user"))
            }
            _ => Change::Other(kind),
        }
    }

    /// Kind and `ts`: equal for every client that gets the event, whatever form it comes in.
    pub fn identity(&self) -> String {
        match self {
            Change::Posted(message) => format!("post {}", message.ts),
            Change::Edited(message) => format!("edit {}", message.ts),
            Change::Deleted(ts) => format!("delete {ts}"),
            Change::Reacted(ts, name, user) => format!("react {ts} {name} {user}"),
            Change::Unreacted(ts, name, user) => format!("unreact {ts} {name} {user}"),
            Change::Other(kind) => kind.clone(),
        }
    }
}

/// The messages of one channel, by `ts`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct View {
    /// Oldest first.
    pub messages: BTreeMap<String, Message>,
}

impl View {
    /// A view that starts from a snapshot.
    pub fn new(messages: impl IntoIterator<Item = Message>) -> View {
        View { messages: messages.into_iter().map(|message| (message.ts.clone(), message)).collect() }
    }

    /// Applies one event. False when it was about a message that is not there.
    pub fn apply(&mut self, change: &Change) -> bool {
        match change {
            Change::Posted(message) => {
                self.messages.insert(message.ts.clone(), message.clone());
                true
            }
            Change::Edited(message) => self.with(&message.ts, |mine| mine.text = message.text.clone()),
            Change::Deleted(ts) => self.messages.remove(ts).is_some(),
            Change::Reacted(ts, name, user) => self.with(ts, |mine| {
                mine.reactions.entry(name.clone()).or_default().insert(user.clone());
            }),
            Change::Unreacted(ts, name, user) => self.with(ts, |mine| {
                if let Some(users) = mine.reactions.get_mut(name) {
                    users.remove(user);
                    if users.is_empty() {
                        mine.reactions.remove(name);
                    }
                }
            }),
            Change::Other(_) => true,
        }
    }

    fn with(&mut self, ts: &str, change: impl FnOnce(&mut Message)) -> bool {
        match self.messages.get_mut(ts) {
            Some(message) => {
                change(message);
                true
            }
            None => false,
        }
    }
}

fn string(value: &Value, key: &str) -> String {
    value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_view_follows_the_events_of_a_channel() {
        let mut view = View::default();
        let events = [
            json!({"type":"message","ts":"1.000001","user":"U1","text":"one","client_msg_id":"k1"}),
            json!({"type":"message","ts":"1.000002","user":"U1","text":"two"}),
            json!({"type":"message","subtype":"message_changed","message":{"ts":"1.000001","text":"uno"}}),
            json!({"type":"reaction_added","reaction":"wave","user":"U2","item":{"ts":"1.000001"}}),
            json!({"type":"reaction_added","reaction":"tada","user":"U2","item":{"ts":"1.000001"}}),
            json!({"type":"reaction_removed","reaction":"tada","user":"U2","item":{"ts":"1.000001"}}),
            json!({"type":"message","subtype":"message_deleted","deleted_ts":"1.000002"}),
        ];
        for event in &events {
            assert!(view.apply(&Change::parse(event)), "{event}");
        }
        let snapshot = View::new([Message::parse(&json!({
            "type":"message","ts":"1.000001","user":"U1","text":"uno","client_msg_id":"k1",
            "reactions":[{"name":"wave","users":["U2"],"count":1}]}))]);
        assert_eq!(view, snapshot);
    }

    #[test]
    fn an_event_about_an_unknown_message_is_told() {
        let mut view = View::default();
        let edit =
            json!({"type":"message","subtype":"message_changed","message":{"ts":"1.000001","text":"x"}});
        assert!(!view.apply(&Change::parse(&edit)));
    }

    #[test]
    fn a_parent_that_names_itself_is_no_reply() {
        let parent = Message::parse(&json!({"ts":"1.000001","thread_ts":"1.000001","text":"x"}));
        assert_eq!(parent.thread_ts, None);
        let reply = Message::parse(&json!({"ts":"1.000002","thread_ts":"1.000001","text":"x"}));
        assert_eq!(reply.thread_ts.as_deref(), Some("1.000001"));
    }
}
