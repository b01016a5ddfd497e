//! Changed contents of messages, through the whole role: blocks, attachments, metadata, markdown. Whatever they are, the
//! answer is one of the API's, and never that something inside went wrong.

use axum::body::Body;
use fuzz::{TREES, fuzz};
use http::Request;
use serde_json::json;

use crate::world::World;

#[test]
fn any_content_gets_an_answer() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let world = runtime.block_on(World::new());
    let channel = world.general.to_string();
    let blocks = json!([{"type": "section", "text": {"type": "mrkdwn", "text": "*x* <@U1>"}, "block_id": "b"},
        {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [{"type": "text", "text": "t"}]}]}]);
    let attachment = json!([{"text": "a", "fallback": "f", "color": "#c0ffee", "fields": [{"title": "t", "value": "v", "short": true}],
        "actions": [{"type": "button", "name": "n", "text": "t", "value": "v"}], "ts": 1_712_345_678, "mrkdwn_in": ["text"],
        "blocks": [{"type": "divider"}]}]);
    let corpus = [
        json!({"channel": channel, "text": "t", "blocks": blocks}),
        json!({"channel": channel, "text": "t", "attachments": attachment}),
        json!({"channel": channel, "attachments": attachment.to_string(), "blocks": blocks.to_string()}),
        json!({"channel": channel, "text": "see https://x.org @bob", "parse": "full", "link_names": true}),
        json!({"channel": channel, "markdown_text": "# h\n* **b** `c`\n\n> q\n```\nx\n```"}),
        json!({"channel": channel, "text": "t", "metadata": {"event_type": "e", "event_payload": {"a": [1, 2]}}}),
        json!({"channel": channel, "text": "*x*", "mrkdwn": false, "thread_ts": "1712345678.000200", "reply_broadcast": "1"}),
    ]
    .map(|body| body.to_string().into_bytes());
    let corpus: Vec<&[u8]> = corpus.iter().map(Vec::as_slice).collect();
    let words = [
        "\"blocks\":[",
        "\"attachments\":[",
        "\"type\":\"",
        "\"text\":",
        "null",
        "{}",
        "[]",
        "[[[[",
        "\\\"",
        "\"fields\":",
        ",",
        "\"actions\":",
        "\"elements\":",
        "\\u0000",
        "\"section\"",
        "\"metadata\":",
        "https://",
        "<@U1>",
        "1e9",
        "**",
    ];
    fuzz("contents", TREES, &corpus, &words, |bytes| {
        let request = Request::post("/api/chat.postMessage")
            .header("authorization", format!("Bearer {}", world.bob.token))
            .header("content-type", "application/json; charset=utf-8")
            .body(Body::from(bytes.to_vec()))
            .unwrap();
        let answer = runtime.block_on(world.send(request));
        assert_eq!(answer.status, 200);
        let answer = answer.json();
        if answer["ok"] == true {
            // What was taken is shown as it was taken.
            let arguments =
                json!({"channel": channel, "latest": answer["ts"], "inclusive": true, "limit": 1});
            // Not by `call`, which records: what is shown is as odd as what was sent, and no type of Slack's has it.
            let request = Request::post("/api/conversations.history")
                .header("authorization", format!("Bearer {}", world.ada.token))
                .header("content-type", "application/json; charset=utf-8")
                .body(Body::from(arguments.to_string()))
                .unwrap();
            let page = runtime.block_on(world.send(request)).json();
            assert_eq!(page["ok"], true, "{page}");
            let shown = &page["messages"][0];
            assert!(shown["ts"] == answer["ts"] || answer["message"]["thread_ts"].is_string(), "{page}");
            return (
                "ok".to_owned(),
                answer["message"]["blocks"].as_array().map_or(0, |blocks| blocks.len().min(9)),
            );
        }
        let error = answer["error"].as_str().unwrap().to_owned();
        assert!(
            !["internal_error", "fatal_error", "service_unavailable"].contains(&error.as_str()),
            "{answer}"
        );
        let messages = answer["response_metadata"]["messages"].as_array().map_or(0, Vec::len);
        (error, messages.min(9))
    });
}
