//! `message_replied`: what Slack tells RTM clients about a thread besides the reply itself.
//!
//! Our own protocol has it in `_p.parent`, so it is made from the rendered event where RTM is spoken, and
//! only there.

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

/// The event for the parent of a reply, from the two parts of a rendered event; `None`: it is no reply.
/// Its `message` has the parent's author and thread, and none of its content, which did not change.
#[must_use]
pub fn message_replied(body: &str, extra: &str) -> Option<String> {
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
