//! What Slack tells RTM clients besides the event itself: `message_replied` about a thread, `user_profile_changed`
//! and `user_status_changed` about a person.
//!
//! Our own protocol has it in `_p`, so it is made from the rendered event where RTM is spoken, and only there.

use serde::Deserialize;

use crate::json::Object;

/// What is read of a reply's event. A deleted reply has no `thread_ts`, so it is none.
#[derive(Deserialize)]
struct Reply<'a> {
    channel: &'a str,
    team: &'a str,
    thread_ts: &'a str,
    parent_user_id: Option<&'a str>,
    channel_type: Option<&'a str>,
    event_ts: &'a str,
}

/// How the event of a changed person begins.
const USER_CHANGE: &str = r#"{"type":"user_change","#;

/// The further events of a rendered event, from its two parts. Most have none.
#[must_use]
pub fn further(body: &str, extra: &str) -> Vec<String> {
    let names: &[&str] = match extra {
        "" => return Vec::new(),
        r#","part":"profile""# => &["user_profile_changed"],
        r#","part":"status""# => &["user_profile_changed", "user_status_changed"],
        _ => return message_replied(body, extra).into_iter().collect(),
    };
    let Some(rest) = body.strip_prefix(USER_CHANGE) else { return Vec::new() };
    names.iter().map(|name| format!(r#"{{"type":"{name}",{rest}"#)).collect()
}

/// The event for the parent of a reply, from the two parts of a rendered event; `None`: it is no reply.
/// Its `message` has the parent's author and thread, and none of its content, which did not change.
fn message_replied(body: &str, extra: &str) -> Option<String> {
    let parent = extra.strip_prefix(r#","parent":{"#)?.strip_suffix('}')?;
    let reply: Reply<'_> = serde_json::from_str(body).ok()?;
    let mut event = Object::new();
    event
        .put("type", "message")
        .put("subtype", "message_replied")
        .put("hidden", &true)
        .text("channel", reply.channel)
        .object("message", |message| {
            message.put("type", "message").text_if("user", reply.parent_user_id).text("team", reply.team);
            message.text("thread_ts", reply.thread_ts).append_members(format!(",{parent}").as_bytes());
        })
        .text("ts", reply.event_ts)
        .text_if("channel_type", reply.channel_type)
        .text("event_ts", reply.event_ts);
    String::from_utf8(event.finish()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_status_is_three_events() {
        let body = r#"{"type":"user_change","user":{"id":"U1"}}"#;
        let status = further(body, r#","part":"status""#);
        let expect = ["user_profile_changed", "user_status_changed"];
        assert_eq!(status, expect.map(|name| format!(r#"{{"type":"{name}","user":{{"id":"U1"}}}}"#)));
        assert_eq!(further(body, r#","part":"profile""#).len(), 1);
        assert!(further(body, "").is_empty());
    }
}
