//! What a message carries: blocks, attachments, texts that are derived or linked, and who is mentioned.

use serde_json::{Value, json};

use crate::world::World;

fn section(text: &str) -> Value {
    json!({ "type": "section", "text": { "type": "mrkdwn", "text": text } })
}

/// Posts to general as bob; the message.
async fn posted(world: &World, args: Value) -> Value {
    let mut args = args;
    args["channel"] = json!(world.general.to_string());
    world.call(&world.bob, "chat.postMessage", args).await["message"].clone()
}

#[tokio::test]
async fn blocks_get_ids_and_their_text_is_the_messages() {
    let world = World::new().await;
    let blocks = json!([section("*hello* <@U1>"), { "type": "divider", "block_id": "mine" }]);
    let message = posted(&world, json!({ "blocks": blocks })).await;
    assert_eq!(message["text"], "*hello* <@U1>");
    assert_eq!(message["blocks"][1], json!({ "type": "divider", "block_id": "mine" }));
    let id = message["blocks"][0]["block_id"].as_str().unwrap();
    assert!(!id.is_empty());
    // In the form of an SDK: the JSON inside of a text.
    let again = posted(&world, json!({ "blocks": blocks.to_string(), "text": "mine" })).await;
    assert_eq!(again["text"], "mine");
    assert_ne!(again["blocks"][0]["block_id"], id, "drawn anew");
    let rich = json!([{ "type": "rich_text", "elements": [{ "type": "rich_text_section", "elements": [
        { "type": "text", "text": "b", "style": { "bold": true } }, { "type": "emoji", "name": "wave" } ] }] }]);
    assert_eq!(posted(&world, json!({ "blocks": rich })).await["text"], "*b*:wave:");
    let page = json!({ "channel": world.general.to_string(), "limit": 1 });
    let page = world.call(&world.eve, "conversations.history", page).await;
    assert_eq!(page["messages"][0]["text"], "*b*:wave:");
}

#[tokio::test]
async fn blocks_that_cannot_be_are_refused_with_their_places() {
    let world = World::new().await;
    let general = world.general.to_string();
    let too_long = section(&"x".repeat(3_001));
    let args = json!({ "channel": general, "blocks": [too_long, { "type": "dance" }] });
    for method in ["chat.postMessage", "chat.postEphemeral", "chat.scheduleMessage"] {
        let mut args = args.clone();
        args["user"] = json!(world.eve.id.to_string());
        args["post_at"] = json!(crate::world::START_US / 1_000_000 + 60);
        let answer = world.try_call(&world.bob, method, args).await;
        assert_eq!(answer["error"], "invalid_blocks", "{method}");
        let expect = json!([
            "must be less than 3001 characters [json-pointer:/blocks/0/text/text]",
            "unsupported type: dance [json-pointer:/blocks/1/type]"
        ]);
        assert_eq!(answer["errors"], expect, "{method}");
        let messages = answer["response_metadata"]["messages"].as_array().unwrap();
        assert_eq!(messages[1], "[ERROR] unsupported type: dance [json-pointer:/blocks/1/type]");
    }
    let many = json!({ "channel": general, "blocks": vec![json!({ "type": "divider" }); 51] });
    let answer = world.try_call(&world.bob, "chat.postMessage", many).await;
    assert_eq!(answer["errors"], json!(["no more than 50 items allowed [json-pointer:/blocks]"]));
    for (blocks, code) in [
        (json!("{"), "invalid_blocks_format"),
        (json!("{}"), "invalid_blocks_format"),
        (json!({}), "invalid_blocks_format"),
        (json!(vec![section(&"x".repeat(3_000)); 40]), "msg_blocks_too_long"),
    ] {
        let args = json!({ "channel": general, "text": "x", "blocks": blocks });
        assert_eq!(world.refused(&world.bob, "chat.postMessage", args).await, code);
    }
    let ts = world.post(&world.bob, &general, "x").await;
    let args = json!({ "channel": general, "ts": ts, "blocks": [{ "type": "dance" }] });
    assert_eq!(world.refused(&world.bob, "chat.update", args).await, "invalid_blocks");
}

#[tokio::test]
async fn attachments_are_numbered_and_checked() {
    let world = World::new().await;
    let attachments = json!([{ "text": "one", "color": "good", "fields": [{ "title": "a", "value": "b" }] }, { "fallback": "mine" }]);
    let message = posted(&world, json!({ "attachments": attachments })).await;
    let found = &message["attachments"];
    assert_eq!(
        (&found[0]["id"], &found[0]["fallback"], &found[0]["color"]),
        (&json!(1), &json!("one"), &json!("good"))
    );
    assert_eq!((&found[1]["id"], &found[1]["fallback"]), (&json!(2), &json!("mine")));
    let general = world.general.to_string();
    for (attachments, code, message) in [
        (json!("["), "invalid_attachments", None),
        (json!([7]), "invalid_attachments", Some("must be an object [json-pointer:/attachments/0]")),
        (
            json!([{ "text": {} }]),
            "invalid_attachments",
            Some("must be a string [json-pointer:/attachments/0/text]"),
        ),
        (
            json!([{ "fields": "x" }]),
            "invalid_attachments",
            Some("must be an array [json-pointer:/attachments/0/fields]"),
        ),
        (
            json!([{ "actions": [{}, {}, {}, {}, {}, {}] }]),
            "invalid_attachments",
            Some("no more than 5 items allowed [json-pointer:/attachments/0/actions]"),
        ),
        (
            json!([{ "blocks": [{ "type": "dance" }] }]),
            "invalid_attachments",
            Some("unsupported type: dance [json-pointer:/attachments/0/blocks/0/type]"),
        ),
        (json!(vec![json!({ "text": "x" }); 101]), "too_many_attachments", None),
        (json!([{ "text": "x".repeat(101 << 10) }]), "attachment_payload_limit_exceeded", None),
    ] {
        let args = json!({ "channel": general, "attachments": attachments });
        let answer = world.try_call(&world.bob, "chat.postMessage", args).await;
        assert_eq!(answer["error"], code);
        if let Some(message) = message {
            assert_eq!(answer["errors"], json!([message]));
        }
    }
}

#[tokio::test]
async fn names_are_linked_for_who_may_see_them() {
    let world = World::new().await;
    let private = world.private().await;
    let text = "hi @ada in #random and #secret: https://x.org";
    let linked = posted(&world, json!({ "text": text, "link_names": true })).await;
    let (ada, random) = (world.ada.id, world.random);
    let expect = format!("hi <@{ada}> in <#{random}|random> and <#{private}|secret>: https://x.org");
    assert_eq!(linked["text"], expect);
    let full = posted(&world, json!({ "text": text, "parse": "full" })).await;
    assert_eq!(full["text"], expect.replace("https://x.org", "<https://x.org>"));
    // Eve does not know of the private channel, and is not told.
    let args = json!({ "channel": world.general.to_string(), "text": text, "link_names": "1" });
    let hers = world.call(&world.eve, "chat.postMessage", args).await;
    assert_eq!(hers["message"]["text"], expect.replace(&format!("<#{private}|secret>"), "#secret"));
    for mode in ["none", "client"] {
        assert_eq!(posted(&world, json!({ "text": text, "parse": mode })).await["text"], text);
    }
    let args = json!({ "channel": world.general.to_string(), "text": "x", "parse": "some" });
    assert_eq!(world.refused(&world.bob, "chat.postMessage", args).await, "invalid_arguments");
}

#[tokio::test]
async fn a_text_without_mrkdwn_is_shown_as_it_is() {
    let world = World::new().await;
    let message = posted(&world, json!({ "text": "*not bold* &amp; plain", "mrkdwn": false })).await;
    assert_eq!(message["text"], "*not bold* &amp; plain");
    let shown = &message["blocks"][0]["elements"][0]["elements"][0];
    assert_eq!(shown, &json!({ "type": "text", "text": "*not bold* & plain" }));
    assert_eq!(posted(&world, json!({ "text": "*bold*", "mrkdwn": true })).await.get("blocks"), None);
}

#[tokio::test]
async fn an_edit_mentions_whom_the_whole_message_mentions() {
    let world = World::new().await;
    let eve = world.eve.id;
    let mentions = async || {
        let counts = world.call(&world.eve, "client.counts", json!({})).await;
        counts["channel_badges"]["channels"].as_u64().unwrap()
    };
    let ts =
        posted(&world, json!({ "text": "x", "blocks": [section(&format!("<@{eve}>"))] })).await["ts"].clone();
    let edit = async |mut args: Value| {
        args["channel"] = json!(world.general.to_string());
        args["ts"] = ts.clone();
        world.call(&world.bob, "chat.update", args).await
    };
    assert_eq!(mentions().await, 1);
    for (args, expect) in [
        (json!({ "text": "y" }), 1),
        (json!({ "metadata": { "event_type": "a", "event_payload": {} } }), 1),
        (json!({ "blocks": [section("nobody")], "text": "z" }), 0),
        (json!({ "text": format!("<@{eve}>") }), 1),
        (json!({ "attachments": [{ "text": "a" }] }), 1),
        (json!({ "text": "nobody" }), 0),
    ] {
        edit(args.clone()).await;
        assert_eq!(mentions().await, expect, "{args}");
    }
}

#[tokio::test]
async fn blocks_that_were_derived_from_a_text_go_with_it() {
    let world = World::new().await;
    for args in
        [json!({ "text": "*old*", "mrkdwn": false }), json!({ "markdown_text": "**old**", "blocks": [] })]
    {
        let message = posted(&world, args.clone()).await;
        assert!(message["blocks"][0]["block_id"].is_string(), "{args}");
        let edit = json!({ "channel": world.general.to_string(), "ts": message["ts"], "text": "new" });
        let message = world.call(&world.bob, "chat.update", edit).await["message"].clone();
        assert_eq!((&message["text"], message.get("blocks")), (&json!("new"), None), "{args}");
    }
}

#[tokio::test]
async fn ids_are_filled_in_wherever_there_is_none() {
    let world = World::new().await;
    let divider = |id: Value| json!({ "type": "divider", "block_id": id });
    let blocks = json!([divider(Value::Null), divider(json!(""))]);
    let message = posted(&world, json!({ "text": "x", "blocks": blocks })).await;
    let attachments =
        json!([{ "id": null, "fallback": null, "text": "a", "blocks": [{ "type": "divider" }] }]);
    let attached = posted(&world, json!({ "attachments": attachments })).await["attachments"][0].clone();
    for block in [&message["blocks"][0], &message["blocks"][1], &attached["blocks"][0]] {
        assert!(block["block_id"].as_str().is_some_and(|id| !id.is_empty()), "{block}");
    }
    assert_eq!((&attached["id"], &attached["fallback"]), (&json!(1), &json!("a")));
}

#[tokio::test]
async fn what_is_too_long_is_refused() {
    let world = World::new().await;
    let general = json!(world.general.to_string());
    let payload = json!({ "event_type": "a", "event_payload": { "x": "x".repeat(16 << 10) } });
    for (args, code) in [
        (json!({ "channel": general, "text": "x", "metadata": payload }), "metadata_too_large"),
        (
            json!({ "channel": general, "text": "x", "metadata": { "event_type": "" } }),
            "invalid_metadata_format",
        ),
        (json!({ "channel": general, "markdown_text": "x".repeat(12_001) }), "msg_too_long"),
        (json!({ "channel": general, "markdown_text": "x", "text": "y" }), "markdown_text_conflict"),
        (json!({ "channel": general, "attachments": [{ "id": "abc" }] }), "invalid_attachments"),
    ] {
        assert_eq!(world.refused(&world.bob, "chat.postMessage", args).await, code);
    }
}

#[tokio::test]
async fn blocks_mention_as_texts_do_and_code_does_not() {
    let world = World::new().await;
    let eve = world.eve.id;
    let mentions = async || {
        let counts = world.call(&world.eve, "client.counts", json!({})).await;
        counts["channel_badges"]["channels"].as_u64().unwrap()
    };
    posted(&world, json!({ "blocks": [section(&format!("<@{eve}>"))] })).await;
    assert_eq!(mentions().await, 1);
    let user = json!({ "type": "user", "user_id": eve.to_string() });
    let rich =
        json!([{ "type": "rich_text", "elements": [{ "type": "rich_text_section", "elements": [user] }] }]);
    posted(&world, json!({ "blocks": rich })).await;
    assert_eq!(mentions().await, 2);
    posted(&world, json!({ "text": format!("`<@{eve}>` and ```<!channel>```") })).await;
    assert_eq!(mentions().await, 2);
    let broadcast = json!([{ "type": "rich_text", "elements": [{ "type": "rich_text_section", "elements": [{ "type": "broadcast", "range": "channel" }] }] }]);
    posted(&world, json!({ "text": "fallback", "blocks": broadcast })).await;
    assert_eq!(mentions().await, 3);
}

#[tokio::test]
async fn an_update_changes_what_it_names() {
    let world = World::new().await;
    let general = world.general.to_string();
    let blocks = json!([section("one")]);
    let ts = posted(&world, json!({ "text": "text", "blocks": blocks })).await["ts"].clone();
    let update = async |args: Value| {
        let mut args = args;
        args["channel"] = json!(general);
        args["ts"] = ts.clone();
        world.call(&world.bob, "chat.update", args).await["message"].clone()
    };
    let message = update(json!({ "text": "another" })).await;
    assert_eq!((&message["text"], &message["blocks"][0]["text"]["text"]), (&json!("another"), &json!("one")));
    let message = update(json!({ "blocks": [section("two")] })).await;
    assert_eq!((&message["text"], &message["blocks"][0]["text"]["text"]), (&json!("two"), &json!("two")));
    let message = update(json!({ "text": "plain", "blocks": [] })).await;
    assert_eq!((&message["text"], message.get("blocks")), (&json!("plain"), None));
}
