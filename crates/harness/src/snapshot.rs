//! Reads a whole channel through the Web API, whoever carries the calls.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::history::Snapshot;
use crate::view::Message;

/// Somebody who can call the Web API: over HTTP, or in a simulation.
pub trait Caller: Sync {
    /// Calls a method that must succeed.
    ///
    /// # Errors
    /// When it does not.
    fn ok(&self, method: &str, arguments: &[(&str, &str)]) -> impl Future<Output = Result<Value>> + Send;
}

/// Reads a whole channel, replies included. Exact when nothing changes meanwhile.
///
/// # Errors
/// When a page is refused, or the channel changed while it was read.
pub async fn read(caller: &impl Caller, channel: &str) -> Result<Snapshot> {
    let mut snapshot = Snapshot::default();
    let mut cursor = String::new();
    let mut parents = Vec::new();
    loop {
        let arguments = [
            ("channel", channel),
            ("limit", "200"),
            ("cursor", &cursor),
            ("_p", "true"),
            ("inclusive", "true"),
        ];
        let page = caller.ok("conversations.history", &arguments).await?;
        let seq = position(&page)?;
        ensure!(cursor.is_empty() || seq == snapshot.seq, "{channel} changed while it was read");
        snapshot.seq = seq;
        for message in page["messages"].as_array().context("messages")? {
            if message["reply_count"].as_u64().unwrap_or(0) > 0 {
                parents.push(message["ts"].as_str().unwrap_or_default().to_owned());
            }
            snapshot.messages.push(Message::parse(message));
        }
        cursor = page["response_metadata"]["next_cursor"].as_str().unwrap_or_default().to_owned();
        if cursor.is_empty() {
            break;
        }
    }
    // Pages come newest first.
    snapshot.messages.reverse();
    for parent in parents {
        let replies = replies(caller, channel, &parent).await?;
        snapshot.messages.extend(replies);
    }
    // Replies have their places between the messages; each list came in its own order, which
    // the merge keeps and the checker looks at.
    snapshot.messages.sort_by(|one, two| one.ts.cmp(&two.ts));
    Ok(snapshot)
}

async fn replies(caller: &impl Caller, channel: &str, parent: &str) -> Result<Vec<Message>> {
    let mut replies: Vec<Message> = Vec::new();
    let mut cursor = String::new();
    loop {
        let arguments = [("channel", channel), ("ts", parent), ("limit", "200"), ("cursor", &cursor)];
        let page = caller.ok("conversations.replies", &arguments).await?;
        let messages = page["messages"].as_array().context("messages")?;
        replies.extend(messages.iter().map(Message::parse).filter(|message| message.ts != parent));
        cursor = page["response_metadata"]["next_cursor"].as_str().unwrap_or_default().to_owned();
        if cursor.is_empty() {
            break;
        }
    }
    for (one, two) in replies.iter().zip(replies.iter().skip(1)) {
        ensure!(one.ts < two.ts, "replies of {parent}: {} before {}", one.ts, two.ts);
    }
    Ok(replies)
}

/// The seq of the `_p` of an answer.
///
/// # Errors
/// When there is none.
pub fn position(answer: &Value) -> Result<u64> {
    answer["_p"]["s"].as_u64().with_context(|| format!("no _p in {answer}"))
}
