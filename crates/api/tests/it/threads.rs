//! Threads that people follow, and what is unread.

use serde_json::{Value, json};

use crate::world::{Person, World};

async fn reply(world: &World, who: &Person, channel: &str, thread: &str, text: &str) -> String {
    let args = json!({ "channel": channel, "thread_ts": thread, "text": text });
    let answer = world.call(who, "chat.postMessage", args).await;
    answer["ts"].as_str().unwrap().to_owned()
}

async fn threads(world: &World, who: &Person) -> Value {
    world.call(who, "client.counts", json!({})).await["threads"].clone()
}

#[tokio::test]
async fn a_reply_is_unread_until_the_thread_is_marked() {
    let world = World::new().await;
    let channel = world.private().await;
    let parent = world.post(&world.ada, &channel, "parent").await;
    let text = format!("<@{}>?", world.ada.id);
    let newest = reply(&world, &world.bob, &channel, &parent, &text).await;
    let counts = threads(&world, &world.ada).await;
    assert_eq!(counts, json!({ "has_unreads": true, "mention_count": 1, "unread_count": 1 }));
    assert_eq!(threads(&world, &world.bob).await["has_unreads"], false);
    let page =
        world.call(&world.ada, "conversations.replies", json!({ "channel": channel, "ts": parent })).await;
    assert_eq!(page["messages"][0]["subscribed"], true);
    assert_eq!(page["messages"][0]["last_read"], parent);
    assert_eq!(page["messages"][1].get("subscribed"), None);
    let args = json!({ "channel": channel, "thread_ts": parent, "ts": newest, "read": 1 });
    world.call(&world.ada, "subscriptions.thread.mark", args).await;
    assert_eq!(threads(&world, &world.ada).await["has_unreads"], false);
    // Unread again.
    let args = json!({ "channel": channel, "thread_ts": parent, "ts": newest, "read": 0 });
    world.call(&world.ada, "subscriptions.thread.mark", args).await;
    assert_eq!(threads(&world, &world.ada).await["mention_count"], 1);
}

#[tokio::test]
async fn threads_are_listed_by_their_newest_reply() {
    let world = World::new().await;
    let channel = world.private().await;
    let mut parents = Vec::new();
    for number in 0..3 {
        let parent = world.post(&world.ada, &channel, &format!("parent {number}")).await;
        for _ in 0..5 {
            reply(&world, &world.bob, &channel, &parent, "reply").await;
        }
        parents.push(parent);
    }
    let view = world.call(&world.ada, "subscriptions.thread.getView", json!({ "limit": 2 })).await;
    let roots = |view: &Value| -> Vec<String> {
        let threads = view["threads"].as_array().unwrap();
        threads.iter().map(|thread| thread["root_msg"]["ts"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(roots(&view), [parents[2].clone(), parents[1].clone()]);
    assert_eq!((&view["has_more"], &view["total_unread_replies"]), (&json!(true), &json!(3)));
    let shown = view["threads"][0]["latest_replies"].as_array().unwrap();
    assert_eq!(shown.len(), 3);
    assert!(shown.windows(2).all(|pair| pair[0]["ts"].as_str() < pair[1]["ts"].as_str()));
    let args = json!({ "limit": 2, "current_ts": view["max_ts"] });
    let rest = world.call(&world.ada, "subscriptions.thread.getView", args).await;
    assert_eq!((roots(&rest), &rest["has_more"]), (vec![parents[0].clone()], &json!(false)));
    // Not followed any more, not listed any more.
    let args = json!({ "channel": channel, "thread_ts": parents[0] });
    world.call(&world.ada, "subscriptions.thread.remove", args.clone()).await;
    assert_eq!(threads(&world, &world.ada).await["unread_count"], 2);
    let get = world.call(&world.ada, "subscriptions.thread.get", args.clone()).await;
    assert_eq!(get["subscribed"], false);
    world.call(&world.ada, "subscriptions.thread.add", args).await;
    assert_eq!(threads(&world, &world.ada).await["unread_count"], 2, "what was said meanwhile is read");
}

#[tokio::test]
async fn refusals() {
    let world = World::new().await;
    let channel = world.private().await;
    let parent = world.post(&world.ada, &channel, "parent").await;
    let thread = json!({ "channel": channel, "thread_ts": parent, "ts": parent });
    for method in ["add", "remove", "mark", "get"].map(|verb| format!("subscriptions.thread.{verb}")) {
        assert_eq!(world.refused(&world.eve, &method, thread.clone()).await, "channel_not_found", "{method}");
        let nothing = json!({ "channel": channel, "ts": parent });
        assert_eq!(world.refused(&world.bob, &method, nothing).await, "thread_not_found", "{method}");
        let args = json!({ "channel": channel, "thread_ts": "soon", "ts": parent });
        assert_eq!(world.refused(&world.bob, &method, args).await, "invalid_timestamp", "{method}");
        assert_eq!(
            world.refused(&world.bot, &method, thread.clone()).await,
            "not_allowed_token_type",
            "{method}"
        );
    }
    let args = json!({ "channel": channel, "thread_ts": "1.000000" });
    assert_eq!(world.refused(&world.bob, "subscriptions.thread.add", args).await, "thread_not_found");
    assert_eq!(
        world.refused(&world.bob, "subscriptions.thread.mark", thread.clone()).await,
        "not_subscribed"
    );
    let args = json!({ "channel": channel, "thread_ts": parent });
    assert_eq!(world.refused(&world.bob, "subscriptions.thread.mark", args).await, "invalid_timestamp");
}

#[tokio::test]
async fn counts_are_per_kind_of_conversation() {
    let world = World::new().await;
    let args = json!({ "users": world.bob.id.to_string() });
    let direct = world.call(&world.ada, "conversations.open", args).await["channel"]["id"].clone();
    let direct = direct.as_str().unwrap();
    world.post(&world.ada, direct, "hello").await;
    let general = world.general.to_string();
    world.post(&world.ada, &general, "<!channel> news").await;
    let counts = world.call(&world.bob, "client.counts", json!({})).await;
    let of = |list: &str, id: &str| {
        let all = counts[list].as_array().unwrap();
        all.iter().find(|one| one["id"] == id).cloned().unwrap_or_else(|| panic!("{id} in {counts}"))
    };
    assert_eq!(of("ims", direct)["has_unreads"], true);
    assert_eq!(of("channels", &general)["mention_count"], 1);
    assert_eq!(counts["channel_badges"]["channels"], 1);
    let own = world.call(&world.ada, "client.counts", json!({})).await;
    assert_eq!(own["channel_badges"]["channels"], 0, "one's own mention is read");
}

#[tokio::test]
async fn mentions_are_listed_newest_first_in_pages() {
    let world = World::new().await;
    let (private, general) = (world.private().await, world.general.to_string());
    let name = format!("<@{}>", world.ada.id);
    for (second, channel, text) in [(1, &private, "one"), (2, &general, "two"), (3, &private, "three")] {
        world.clock.set(crate::world::START_US + second * 1_000_000);
        world.post(&world.bob, channel, &format!("{name} {text}")).await;
    }
    world.post(&world.ada, &general, &format!("{name} oneself")).await;
    let texts = |answer: &Value| -> Vec<(String, String)> {
        let list = answer["mentions"].as_array().unwrap();
        let text = |value: &Value| value.as_str().unwrap().trim_start_matches(&name).trim().to_owned();
        list.iter().map(|it| (text(&it["channel"]), text(&it["message"]["text"]))).collect()
    };
    let first = world.call(&world.ada, "activity.mentions", json!({ "limit": 2 })).await;
    assert_eq!(texts(&first), [(private.clone(), "three".into()), (general.clone(), "two".into())]);
    let args = json!({ "limit": 2, "cursor": first["response_metadata"]["next_cursor"] });
    let rest = world.call(&world.ada, "activity.mentions", args).await;
    assert_eq!(texts(&rest), [(private, "one".into())]);
    assert_eq!(rest["response_metadata"]["next_cursor"], "");
    let none = world.call(&world.eve, "activity.mentions", json!({})).await;
    assert_eq!(none["mentions"], json!([]));
    assert_eq!(
        world.refused(&world.ada, "activity.mentions", json!({ "cursor": "x" })).await,
        "invalid_cursor"
    );
}
