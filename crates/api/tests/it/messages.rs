//! Messages: post, read back, edit, delete, react, threads, pages.

use serde_json::{Value, json};

use crate::world::World;

fn texts(answer: &Value) -> Vec<&str> {
    answer["messages"].as_array().unwrap().iter().map(|message| message["text"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn what_is_posted_is_read_back() {
    let world = World::new().await;
    let channel = world.general.to_string();
    let answer = world
        .call(
            &world.ada,
            "chat.postMessage",
            json!({
                "channel": channel, "text": "hello <@U>", "unfurl_links": false,
                "client_msg_id": "6F1E4E1C-7B0E-4D55-9D0A-0A0A0A0A0A0A",
                "attachments": [{"fallback": "f"}],
                "metadata": {"event_type": "t", "event_payload": {"a": 1}},
            }),
        )
        .await;
    assert_eq!(answer["channel"], json!(channel));
    assert_eq!(answer["ts"], answer["message"]["ts"]);
    assert_eq!(answer["message"]["client_msg_id"], "6f1e4e1c-7b0e-4d55-9d0a-0a0a0a0a0a0a");
    assert!(answer.get("warning").is_none());
    let history =
        world.call(&world.bob, "conversations.history", json!({"channel": channel, "limit": 1})).await;
    assert_eq!(texts(&history), ["hello <@U>"]);
    assert_eq!(history["messages"][0]["user"], json!(world.ada.id.to_string()));
    assert_eq!(history["messages"][0]["attachments"], json!([{"id": 1, "fallback": "f"}]));
    assert!(history["messages"][0].get("metadata").is_none());
    let args = json!({"channel": channel, "limit": 1, "include_all_metadata": true});
    let history = world.call(&world.bob, "conversations.history", args).await;
    assert_eq!(history["messages"][0]["metadata"]["event_payload"], json!({"a": 1}));
}

#[tokio::test]
async fn a_repeated_key_gets_the_first_answer_even_after_leaving() {
    let world = World::new().await;
    let args = json!({
        "channel": world.random.to_string(), "text": "once",
        "client_msg_id": "00000000-0000-4000-8000-000000000001",
    });
    let first = world.call(&world.bob, "chat.postMessage", args.clone()).await;
    world.call(&world.bob, "conversations.leave", json!({"channel": world.random.to_string()})).await;
    assert_eq!(world.call(&world.bob, "chat.postMessage", args).await["ts"], first["ts"]);
    let args = json!({"channel": world.random.to_string(), "text": "twice"});
    assert_eq!(world.refused(&world.bob, "chat.postMessage", args).await, "not_in_channel");
    let history =
        world.call(&world.ada, "conversations.history", json!({"channel": world.random.to_string()})).await;
    assert_eq!(texts(&history).iter().filter(|text| **text == "once").count(), 1);
}

#[tokio::test]
async fn what_cannot_be_posted_is_refused() {
    let world = World::new().await;
    let general = world.general.to_string();
    let blocks: Vec<Value> = (0..51).map(|_| json!({"type": "divider"})).collect();
    let attachments: Vec<Value> = (0..101).map(|_| json!({})).collect();
    for (args, expect) in [
        (json!({"text": "x"}), "channel_not_found"),
        (json!({"channel": "C00000000ZZZZ", "text": "x"}), "channel_not_found"),
        (json!({"channel": "C0000000000ZZ", "text": "x"}), "channel_not_found"),
        (json!({"channel": "#nowhere", "text": "x"}), "channel_not_found"),
        (json!({"channel": "general\0", "text": "x"}), "channel_not_found"),
        (json!({"channel": general}), "no_text"),
        (json!({"channel": general, "text": "", "blocks": []}), "no_text"),
        (json!({"channel": general, "text": "x", "client_msg_id": "1"}), "invalid_arguments"),
        (json!({"channel": general, "text": "x", "thread_ts": "soon"}), "thread_not_found"),
        (json!({"channel": general, "text": "x", "thread_ts": "1.000000"}), "thread_not_found"),
        (json!({"channel": general, "blocks": "{"}), "invalid_blocks_format"),
        (json!({"channel": general, "blocks": [{"no": "type"}]}), "invalid_blocks"),
        (json!({"channel": general, "blocks": blocks}), "invalid_blocks"),
        (json!({"channel": general, "text": "x", "attachments": [1]}), "invalid_attachments"),
        (json!({"channel": general, "attachments": attachments}), "too_many_attachments"),
        (json!({"channel": general, "text": "x", "metadata": {"event_type": 1}}), "invalid_metadata_format"),
        (json!({"channel": general, "text": "x", "markdown_text": "y"}), "markdown_text_conflict"),
        (json!({"channel": general, "text": "x", "as_user": false}), "as_user_not_supported"),
        (json!({"channel": general, "text": "x", "username": "Else"}), "invalid_arguments"),
    ] {
        assert_eq!(world.refused(&world.ada, "chat.postMessage", args.clone()).await, expect, "{args}");
    }
}

#[tokio::test]
async fn what_not_every_store_holds_is_dropped() {
    let world = World::new().await;
    let args = json!({"channel": world.general.to_string(), "text": "a\u{0}b"});
    assert_eq!(world.call(&world.ada, "chat.postMessage", args).await["message"]["text"], "ab");
}

#[tokio::test]
async fn a_long_text_is_cut_with_a_warning() {
    let world = World::new().await;
    let long = "é".repeat(40_001);
    let args = json!({"channel": world.general.to_string(), "text": long});
    let answer = world.call(&world.ada, "chat.postMessage", args).await;
    assert_eq!(answer["message"]["text"].as_str().unwrap().chars().count(), 40_000);
    assert_eq!(answer["warning"], "message_truncated");
    assert_eq!(answer["response_metadata"]["warnings"], json!(["message_truncated"]));
}

#[tokio::test]
async fn a_channel_may_be_named_and_a_person_written_to() {
    let world = World::new().await;
    for name in ["general", "#general"] {
        let answer = world.call(&world.ada, "chat.postMessage", json!({"channel": name, "text": "x"})).await;
        assert_eq!(answer["channel"], json!(world.general.to_string()));
    }
    let args = json!({"channel": world.bob.id.to_string(), "text": "psst"});
    let answer = world.call(&world.ada, "chat.postMessage", args).await;
    let direct = answer["channel"].as_str().unwrap();
    assert!(direct.starts_with('D'));
    let history = world.call(&world.bob, "conversations.history", json!({"channel": direct})).await;
    assert_eq!(texts(&history), ["psst"]);
    let args = json!({"channel": direct});
    assert_eq!(world.refused(&world.eve, "conversations.history", args).await, "channel_not_found");
}

#[tokio::test]
async fn bots_are_shown_as_they_like_if_they_may() {
    let world = World::new().await;
    let channel = world.general.to_string();
    let args = json!({"channel": channel, "text": "x"});
    // Scope chat:write.public: a public channel without being in it.
    let plain = world.call(&world.bot, "chat.postMessage", args).await;
    assert!(plain["message"]["bot_id"].is_string() && plain["message"]["app_id"].is_string());
    assert_eq!(plain["message"]["user"], json!(world.bot.id.to_string()));
    // Whoever reads it later learns the same of the bot, also when it was edited.
    let profile = &plain["message"]["bot_profile"];
    assert_eq!((&profile["name"], &profile["id"]), (&json!("helper"), &plain["message"]["bot_id"]));
    assert!(profile["icons"]["image_48"].is_string() && profile["updated"].is_number(), "{profile}");
    let place = json!({"channel": channel, "ts": plain["ts"], "text": "y"});
    world.call(&world.bot, "chat.update", place).await;
    let page = world.call(&world.bob, "conversations.history", json!({"channel": channel})).await;
    assert_eq!((&page["messages"][0]["text"], &page["messages"][0]["bot_profile"]), (&json!("y"), profile));
    let args = json!({"channel": channel, "text": "x", "username": "Deploys", "icon_emoji": ":rocket:"});
    let dressed = world.call(&world.bot, "chat.postMessage", args.clone()).await;
    assert_eq!(dressed["message"]["subtype"], "bot_message");
    assert_eq!(dressed["message"]["username"], "Deploys");
    assert_eq!(dressed["message"]["icons"]["emoji"], ":rocket:");
    let weak = world.token(model::Credential::Bot, Some(world.bot.id), "chat:write").await;
    let weak = crate::world::Person { id: world.bot.id, token: weak };
    let answer = world.try_call(&weak, "chat.postMessage", args).await;
    assert_eq!(
        (&answer["error"], &answer["needed"]),
        (&json!("missing_scope"), &json!("chat:write.customize"))
    );
    let args = json!({"channel": channel, "text": "x"});
    assert_eq!(world.refused(&weak, "chat.postMessage", args).await, "not_in_channel");
}

#[tokio::test]
async fn names_are_linked_on_request() {
    let world = World::new().await;
    let channel = world.general.to_string();
    let args = json!({"channel": channel, "text": "@bob and @nobody, @here", "link_names": 1});
    let answer = world.call(&world.ada, "chat.postMessage", args).await;
    assert_eq!(answer["message"]["text"], json!(format!("<@{}> and @nobody, <!here>", world.bob.id)));
}

#[tokio::test]
async fn edits_and_deletions_are_the_authors() {
    let world = World::new().await;
    let channel = world.general.to_string();
    let ts = world.post(&world.bob, &channel, "before").await;
    let args = json!({"channel": channel, "ts": ts, "text": "after"});
    assert_eq!(world.refused(&world.eve, "chat.update", args.clone()).await, "cant_update_message");
    let answer = world.call(&world.bob, "chat.update", args).await;
    assert_eq!((&answer["ts"], &answer["text"]), (&json!(ts), &json!("after")));
    assert_eq!(answer["message"]["edited"]["user"], json!(world.bob.id.to_string()));
    let args = json!({"channel": channel, "ts": ts});
    assert_eq!(world.refused(&world.bob, "chat.update", args.clone()).await, "no_text");
    assert_eq!(world.refused(&world.eve, "chat.delete", args.clone()).await, "cant_delete_message");
    let answer = world.call(&world.bob, "chat.delete", args.clone()).await;
    assert_eq!((&answer["channel"], &answer["ts"]), (&json!(channel), &json!(ts)));
    assert_eq!(world.refused(&world.bob, "chat.delete", args.clone()).await, "message_not_found");
    let args = json!({"channel": channel, "ts": ts, "text": "again"});
    assert_eq!(world.refused(&world.bob, "chat.update", args).await, "message_not_found");
    let history = world.call(&world.ada, "conversations.history", json!({"channel": channel})).await;
    assert!(!texts(&history).contains(&"after"));
}

#[tokio::test]
async fn history_goes_page_by_page_in_both_directions() {
    let world = World::new().await;
    let channel = world.general.to_string();
    let mut posted = Vec::new();
    for n in 0..7 {
        posted.push(world.post(&world.ada, &channel, &format!("m{n}")).await);
    }
    for inclusive in [false, true] {
        // Newest first, down to the first message after `oldest`.
        let mut seen = Vec::new();
        let mut cursor = String::new();
        loop {
            let args = json!({
                "channel": channel, "limit": 2, "cursor": cursor, "inclusive": inclusive,
                "oldest": posted[1], "latest": posted[5],
            });
            let page = world.call(&world.ada, "conversations.history", args).await;
            seen.extend(texts(&page).into_iter().map(str::to_owned));
            cursor = page["response_metadata"]["next_cursor"].as_str().unwrap_or_default().to_owned();
            assert_eq!(page["has_more"], json!(!cursor.is_empty()));
            if cursor.is_empty() {
                break;
            }
        }
        let expect: &[&str] = if inclusive { &["m5", "m4", "m3", "m2", "m1"] } else { &["m4", "m3", "m2"] };
        assert_eq!(seen, expect);
    }
    // Only `oldest`: from there on.
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let args = json!({"channel": channel, "limit": 2, "cursor": cursor, "oldest": posted[1]});
        let page = world.call(&world.ada, "conversations.history", args).await;
        seen.extend(texts(&page).into_iter().rev().map(str::to_owned));
        cursor = page["response_metadata"]["next_cursor"].as_str().unwrap_or_default().to_owned();
        if cursor.is_empty() {
            break;
        }
    }
    assert_eq!(seen, ["m2", "m3", "m4", "m5", "m6"]);
    for (args, expect) in [
        (json!({"channel": channel, "cursor": "x"}), "invalid_cursor"),
        (json!({"channel": channel, "cursor": "bmV4dF90czotMQ=="}), "invalid_cursor"),
        (json!({"channel": channel, "oldest": "x"}), "invalid_ts_oldest"),
        (json!({"channel": channel, "latest": "1.2.3"}), "invalid_ts_latest"),
        (json!({"channel": channel, "limit": "many"}), "invalid_arguments"),
    ] {
        assert_eq!(world.refused(&world.ada, "conversations.history", args.clone()).await, expect, "{args}");
    }
}

#[tokio::test]
async fn threads_have_their_parent_on_every_page() {
    let world = World::new().await;
    let channel = world.general.to_string();
    let parent = world.post(&world.ada, &channel, "parent").await;
    for n in 0..5 {
        let args = json!({
            "channel": channel, "text": format!("r{n}"), "thread_ts": parent, "reply_broadcast": n == 4,
        });
        let answer = world.call(&world.bob, "chat.postMessage", args).await;
        assert_eq!(answer["message"]["parent_user_id"], json!(world.ada.id.to_string()));
        assert_eq!(
            answer["message"]["subtype"],
            if n == 4 { json!("thread_broadcast") } else { json!(null) }
        );
    }
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let args = json!({"channel": channel, "ts": parent, "limit": 2, "cursor": cursor, "_p": true});
        let page = world.call(&world.ada, "conversations.replies", args).await;
        assert_eq!(page["messages"][0]["reply_count"], 5);
        assert_eq!(page["messages"][0]["reply_users"], json!([world.bob.id.to_string()]));
        assert_eq!(page["_p"]["t"], json!(channel));
        seen.extend(texts(&page).into_iter().skip(1).map(str::to_owned));
        cursor = page["response_metadata"]["next_cursor"].as_str().unwrap_or_default().to_owned();
        if cursor.is_empty() {
            break;
        }
    }
    assert_eq!(seen, ["r0", "r1", "r2", "r3", "r4"]);
    let history =
        world.call(&world.ada, "conversations.history", json!({"channel": channel, "limit": 2})).await;
    assert_eq!(texts(&history), ["r4", "parent"]);
    // A message without replies is a thread of one.
    let lone = world.post(&world.ada, &channel, "lone").await;
    let page = world.call(&world.ada, "conversations.replies", json!({"channel": channel, "ts": lone})).await;
    assert_eq!(texts(&page), ["lone"]);
    let args = json!({"channel": channel, "ts": "1.000000"});
    assert_eq!(world.refused(&world.ada, "conversations.replies", args).await, "thread_not_found");
    // What is left of a deleted parent keeps the thread together.
    world.call(&world.ada, "chat.delete", json!({"channel": channel, "ts": parent})).await;
    let page =
        world.call(&world.ada, "conversations.replies", json!({"channel": channel, "ts": parent})).await;
    assert_eq!(page["messages"][0]["subtype"], "tombstone");
    assert!(!page.to_string().contains("\"parent\""));
}

#[tokio::test]
async fn reactions_come_and_go() {
    let world = World::new().await;
    let channel = world.general.to_string();
    let ts = world.post(&world.ada, &channel, "x").await;
    let item = |name: &str| json!({"channel": channel, "timestamp": ts, "name": name});
    world.call(&world.bob, "reactions.add", item("thumbsup")).await;
    world.call(&world.eve, "reactions.add", item(":thumbsup:")).await;
    world.call(&world.eve, "reactions.add", item("wave::skin-tone-3")).await;
    assert_eq!(world.refused(&world.bob, "reactions.add", item("thumbsup")).await, "already_reacted");
    let answer = world.call(&world.ada, "reactions.get", json!({"channel": channel, "timestamp": ts})).await;
    assert_eq!(answer["type"], "message");
    assert_eq!(
        answer["message"]["reactions"],
        json!([
            {"name": "thumbsup", "users": [world.bob.id.to_string(), world.eve.id.to_string()], "count": 2},
            {"name": "wave::skin-tone-3", "users": [world.eve.id.to_string()], "count": 1},
        ])
    );
    world.call(&world.bob, "reactions.remove", item("thumbsup")).await;
    assert_eq!(world.refused(&world.bob, "reactions.remove", item("thumbsup")).await, "no_reaction");
    for (args, expect) in [
        (json!({"channel": channel, "timestamp": ts}), "invalid_name"),
        (item("no_such_emoji"), "invalid_name"),
        (item("wave::skin-tone-9"), "invalid_name"),
        (json!({"channel": channel, "name": "eyes"}), "no_item_specified"),
        (json!({"channel": channel, "name": "eyes", "timestamp": "x"}), "bad_timestamp"),
        (json!({"channel": channel, "name": "eyes", "timestamp": "1.000000"}), "message_not_found"),
    ] {
        assert_eq!(world.refused(&world.ada, "reactions.add", args.clone()).await, expect, "{args}");
    }
}

#[tokio::test]
async fn permalinks_point_at_messages() {
    let world = World::new().await;
    let channel = world.general.to_string();
    let ts = world.post(&world.ada, &channel, "x").await;
    let args = json!({"channel": channel, "message_ts": ts});
    let answer = world.call(&world.bob, "chat.getPermalink", args).await;
    let expect = format!("http://chat.example.org/archives/{channel}/p{}", ts.replace('.', ""));
    assert_eq!(answer["permalink"], json!(expect));
    let args = json!({"channel": channel, "message_ts": "1.000000"});
    assert_eq!(world.refused(&world.bob, "chat.getPermalink", args).await, "message_not_found");
}

#[tokio::test]
async fn an_ephemeral_message_goes_to_one_person_and_is_not_stored() {
    let world = World::new().await;
    let channel = world.private().await;
    let args = json!({"channel": channel, "user": world.bob.id.to_string(), "text": "only you"});
    let answer = world.call(&world.ada, "chat.postEphemeral", args).await;
    let signals = std::mem::take(&mut *world.admin.signals.lock().unwrap());
    assert_eq!(signals.len(), 1);
    assert_eq!(signals[0].topic.id, model::TopicId::User(world.bob.id));
    assert_eq!(signals[0].kind, rpc::SignalKind::Ephemeral);
    let event: Value = serde_json::from_slice(&signals[0].body).unwrap();
    assert_eq!(event["ts"], answer["message_ts"]);
    assert_eq!((&event["text"], &event["channel"]), (&json!("only you"), &json!(channel)));
    let history = world.call(&world.ada, "conversations.history", json!({"channel": channel})).await;
    assert!(!history.to_string().contains("only you"));
    for (who, user, expect) in [
        (&world.ada, world.eve.id.to_string(), "user_not_in_channel"),
        (&world.ada, "nobody".to_owned(), "user_not_in_channel"),
        (&world.eve, world.bob.id.to_string(), "channel_not_found"),
    ] {
        let args = json!({"channel": channel, "user": user, "text": "x"});
        assert_eq!(world.refused(who, "chat.postEphemeral", args).await, expect);
    }
}

#[tokio::test]
async fn only_a_reply_can_be_broadcast_and_for_good() {
    let world = World::new().await;
    let channel = world.general.to_string();
    let parent = world.post(&world.ada, &channel, "parent").await;
    let args = json!({"channel": channel, "text": "r", "thread_ts": parent, "reply_broadcast": true});
    let reply = world.call(&world.ada, "chat.postMessage", args).await["ts"].clone();
    for (ts, broadcast) in [(json!(parent), true), (reply.clone(), false)] {
        let args = json!({"channel": channel, "ts": ts, "text": "x", "reply_broadcast": broadcast});
        assert_eq!(world.refused(&world.ada, "chat.update", args).await, "cant_broadcast_message");
    }
    let page =
        world.call(&world.ada, "conversations.replies", json!({"channel": channel, "ts": parent})).await;
    assert!(page["messages"].as_array().unwrap().iter().all(|message| message["edited"].is_null()));
    // A thread of one that is asked for by its reply has a position too.
    let args = json!({"channel": channel, "ts": reply, "_p": true});
    let page = world.call(&world.ada, "conversations.replies", args).await;
    assert!(page["_p"]["s"].as_u64().unwrap() > 0, "{page}");
}

#[tokio::test]
async fn an_ephemeral_message_needs_a_thread_that_is_one() {
    let world = World::new().await;
    let channel = world.general.to_string();
    let parent = world.post(&world.ada, &channel, "parent").await;
    let args = json!({"channel": channel, "text": "r", "thread_ts": parent});
    let reply = world.call(&world.ada, "chat.postMessage", args).await["ts"].clone();
    let user = world.bob.id.to_string();
    for (thread, expect) in [(json!("1.000000"), "thread_not_found"), (reply, "cannot_reply_to_message")] {
        let args = json!({"channel": channel, "user": user, "text": "e", "thread_ts": thread});
        assert_eq!(world.refused(&world.ada, "chat.postEphemeral", args).await, expect);
    }
}
