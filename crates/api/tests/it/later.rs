//! Messages that are posted later, and what people do (`/me`).

use serde_json::json;

use crate::world::{START_US, World};

const NOW: i64 = START_US / 1_000_000;

#[tokio::test]
async fn a_scheduled_message_is_posted_at_its_time() {
    let mut world = World::new().await;
    let general = world.general.to_string();
    let jobs = world.jobs();
    let args = json!({ "channel": general, "text": "good morning", "post_at": (NOW + 120).to_string() });
    let made = world.call(&world.bob, "chat.scheduleMessage", args).await;
    assert_eq!(made["post_at"], NOW + 120);
    assert_eq!(made["message"]["text"], "good morning");
    let id = made["scheduled_message_id"].as_str().unwrap();
    assert!(id.starts_with('Q'));
    let listed = world.call(&world.bob, "chat.scheduledMessages.list", json!({})).await;
    let one = &listed["scheduled_messages"][0];
    assert_eq!(
        (&one["id"], &one["channel_id"], &one["date_created"]),
        (&json!(id), &json!(general), &json!(NOW))
    );
    let said = async |world: &World| {
        let page = world.call(&world.eve, "conversations.history", json!({ "channel": general })).await;
        page["messages"].as_array().unwrap().iter().any(|message| message["text"] == "good morning")
    };
    assert!(!said(&world).await);
    world.clock.set(START_US + 121_000_000);
    world.until(said).await;
    jobs.stop().await;
    let listed = world.call(&world.bob, "chat.scheduledMessages.list", json!({})).await;
    assert_eq!(listed["scheduled_messages"], json!([]));
    let args = json!({ "channel": general, "scheduled_message_id": id });
    assert_eq!(
        world.refused(&world.bob, "chat.deleteScheduledMessage", args).await,
        "invalid_scheduled_message_id"
    );
}

#[tokio::test]
async fn it_can_be_taken_back_by_who_scheduled_it() {
    let world = World::new().await;
    let channel = world.private().await;
    let args = json!({ "channel": channel, "text": "x", "post_at": NOW + 60 });
    let id =
        world.call(&world.bob, "chat.scheduleMessage", args.clone()).await["scheduled_message_id"].clone();
    world
        .call(
            &world.bob,
            "chat.scheduleMessage",
            json!({ "channel": channel, "text": "y", "post_at": NOW + 90 }),
        )
        .await;
    let take_back = json!({ "channel": channel, "scheduled_message_id": id });
    let method = "chat.deleteScheduledMessage";
    assert_eq!(world.refused(&world.ada, method, take_back.clone()).await, "invalid_scheduled_message_id");
    assert_eq!(world.refused(&world.eve, method, take_back.clone()).await, "channel_not_found");
    world.call(&world.bob, method, take_back.clone()).await;
    assert_eq!(world.refused(&world.bob, method, take_back).await, "invalid_scheduled_message_id");
    let first = world.call(&world.bob, "chat.scheduledMessages.list", json!({ "limit": 1 })).await;
    assert_eq!(first["scheduled_messages"][0]["text"], "y");
    assert_eq!(first["response_metadata"]["next_cursor"], "");
    world
        .call(
            &world.bob,
            "chat.scheduleMessage",
            json!({ "channel": channel, "text": "z", "post_at": NOW + 95 }),
        )
        .await;
    let first = world.call(&world.bob, "chat.scheduledMessages.list", json!({ "limit": 1 })).await;
    let cursor = &first["response_metadata"]["next_cursor"];
    let next =
        world.call(&world.bob, "chat.scheduledMessages.list", json!({ "limit": 1, "cursor": cursor })).await;
    assert_eq!(next["scheduled_messages"][0]["text"], "z");
    let between = json!({ "oldest": NOW + 91, "latest": NOW + 99, "channel": channel });
    let between = world.call(&world.bob, "chat.scheduledMessages.list", between).await;
    assert_eq!(between["scheduled_messages"].as_array().unwrap().len(), 1);
    assert_eq!(
        world.call(&world.ada, "chat.scheduledMessages.list", json!({})).await["scheduled_messages"],
        json!([])
    );
}

#[tokio::test]
async fn refusals() {
    let world = World::new().await;
    let channel = world.private().await;
    let general = world.general.to_string();
    let at = |seconds: i64| json!({ "channel": general, "text": "x", "post_at": seconds });
    for (args, code) in [
        (json!({ "channel": general, "text": "x" }), "invalid_time"),
        (json!({ "channel": general, "text": "x", "post_at": "soon" }), "invalid_time"),
        (at(NOW), "time_in_past"),
        (at(NOW + 121 * 24 * 3_600), "time_too_far"),
        (json!({ "channel": general, "post_at": NOW + 60 }), "no_text"),
        (json!({ "channel": channel, "text": "x", "post_at": NOW + 60 }), "channel_not_found"),
        (
            json!({ "channel": general, "text": "x", "post_at": NOW + 60, "blocks": "{" }),
            "invalid_blocks_format",
        ),
        (
            json!({ "channel": general, "text": "x", "post_at": NOW + 60, "thread_ts": "1.000000" }),
            "thread_not_found",
        ),
    ] {
        assert_eq!(world.refused(&world.eve, "chat.scheduleMessage", args.clone()).await, code, "{args}");
    }
    for _ in 0..30 {
        world.call(&world.eve, "chat.scheduleMessage", at(NOW + 60)).await;
    }
    assert_eq!(world.refused(&world.eve, "chat.scheduleMessage", at(NOW + 61)).await, "restricted_too_many");
    world.call(&world.eve, "chat.scheduleMessage", at(NOW + 3_600)).await;
    for (args, code) in [
        (json!({ "channel": "nonsense" }), "invalid_channel"),
        (json!({ "cursor": "nonsense" }), "invalid_cursor"),
        (json!({ "oldest": "soon" }), "invalid_arguments"),
    ] {
        assert_eq!(
            world.refused(&world.eve, "chat.scheduledMessages.list", args.clone()).await,
            code,
            "{args}"
        );
    }
}

#[tokio::test]
async fn a_me_message_says_what_somebody_does() {
    let world = World::new().await;
    let general = world.general.to_string();
    let args = json!({ "channel": general, "text": "waves" });
    let ts = world.call(&world.bob, "chat.meMessage", args).await["ts"].clone();
    let page =
        world.call(&world.eve, "conversations.history", json!({ "channel": general, "limit": 1 })).await;
    let message = &page["messages"][0];
    assert_eq!(
        (&message["ts"], &message["subtype"], &message["text"]),
        (&ts, &json!("me_message"), &json!("waves"))
    );
    // It can be edited like any other, and stays what it is.
    let args = json!({ "channel": general, "ts": ts, "text": "waves twice" });
    let edited = world.call(&world.bob, "chat.update", args).await;
    assert_eq!(edited["message"]["subtype"], "me_message");
    assert_eq!(world.refused(&world.bob, "chat.meMessage", json!({ "channel": general })).await, "no_text");
    let private = world.private().await;
    let args = json!({ "channel": private, "text": "x" });
    assert_eq!(world.refused(&world.eve, "chat.meMessage", args).await, "channel_not_found");
}
