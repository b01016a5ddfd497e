//! What a workspace decides for everybody in it, as its admins set it and its people meet it.

use serde_json::{Value, json};

use crate::world::World;

async fn set(world: &World, prefs: Value) -> Value {
    let answer = world.call(&world.ada, "parlance.team.setPreferences", json!({ "prefs": prefs })).await;
    answer["prefs"].clone()
}

#[tokio::test]
async fn preferences_are_set_by_admins_and_seen_by_all() {
    let world = World::new().await;
    let prefs = json!({ "who_can_post_general": "admin", "msg_edit_window_mins": "10", "allow_message_deletion": false });
    let all = set(&world, prefs).await;
    assert_eq!((&all["who_can_post_general"], &all["msg_edit_window_mins"]), (&json!("admin"), &json!(10)));
    let expect = json!([world.general.to_string(), world.random.to_string()]);
    assert_eq!(all["default_channels"], expect);
    let one = json!({ "name": "who_can_invite", "value": "everyone" });
    let answer = world.call(&world.ada, "parlance.team.setPreferences", one).await;
    assert_eq!(answer["prefs"]["who_can_invite"], "regular");
    let boot = world.call(&world.bob, "client.userBoot", json!({})).await;
    assert_eq!(boot["team"]["prefs"], answer["prefs"]);
    let listed = world.call(&world.bot, "team.preferences.list", json!({})).await;
    assert_eq!(listed["who_can_post_general"], "admin");
    assert_eq!(
        (&listed["msg_edit_window_mins"], &listed["allow_message_deletion"]),
        (&json!(10), &json!(false))
    );
    let only = set(&world, json!({ "default_channels": world.general.to_string() })).await;
    assert_eq!(only["default_channels"], json!([world.general.to_string()]));
    for (args, code) in [
        (json!({ "prefs": { "who_can_dance": "admin" } }), "invalid_arguments"),
        (json!({ "prefs": { "who_can_post_general": "nobody" } }), "invalid_arguments"),
        (json!({ "prefs": "nonsense" }), "invalid_arguments"),
        (json!({}), "invalid_arguments"),
        (json!({ "prefs": { "default_channels": ["C000000000000"] } }), "channel_not_found"),
        (json!({ "prefs": { "default_channels": ["nonsense"] } }), "channel_not_found"),
        (json!({ "prefs": { "default_channels": 7 } }), "invalid_arguments"),
    ] {
        assert_eq!(
            world.refused(&world.ada, "parlance.team.setPreferences", args.clone()).await,
            code,
            "{args}"
        );
    }
    let args = json!({ "prefs": { "who_can_post_general": "regular" } });
    assert_eq!(world.refused(&world.bob, "parlance.team.setPreferences", args).await, "restricted_action");
}

#[tokio::test]
async fn what_is_not_allowed_is_refused_as_slack_refuses_it() {
    let world = World::new().await;
    let (general, random) = (world.general.to_string(), world.random.to_string());
    let say = |channel: &str| json!({ "channel": channel, "text": "<!channel> hello" });
    let message = world.call(&world.bob, "chat.postMessage", say(&random)).await;
    let place = json!({ "channel": random, "ts": message["ts"], "text": "edited" });
    set(
        &world,
        json!({ "who_can_post_general": "admin", "who_can_create_channels": "admin", "who_can_archive_channels": "owner",
            "msg_edit_window_mins": 0, "allow_message_deletion": false, "who_can_at_channel": "admin" }),
    )
    .await;
    let later =
        json!({ "channel": general, "text": "x", "post_at": crate::world::START_US / 1_000_000 + 60 });
    for (method, args, code) in [
        ("chat.postMessage", say(&general), "restricted_action"),
        ("chat.meMessage", say(&general), "restricted_action"),
        ("chat.scheduleMessage", later, "restricted_action"),
        ("conversations.create", json!({ "name": "new" }), "restricted_action"),
        ("conversations.archive", json!({ "channel": random }), "restricted_action"),
        ("chat.delete", place.clone(), "cant_delete_message"),
    ] {
        assert_eq!(world.refused(&world.bob, method, args).await, code, "{method}");
    }
    // A clock that stands still keeps every window open.
    world.clock.set(crate::world::START_US + 1_000_000);
    assert_eq!(world.refused(&world.bob, "chat.update", place).await, "edit_window_closed");
    // Bots are nobody's admin.
    assert_eq!(world.refused(&world.bot, "chat.postMessage", say(&general)).await, "restricted_action");
    world.call(&world.ada, "chat.postMessage", say(&general)).await;
    let mentions = async || {
        let counts = world.call(&world.eve, "client.counts", json!({})).await;
        counts["channel_badges"]["channels"].as_u64().unwrap()
    };
    let before = mentions().await;
    world.call(&world.bob, "chat.postMessage", say(&random)).await;
    assert_eq!(mentions().await, before, "said, and nobody was told");
}
