//! Renaming, converting, taking back from the archive, closing, pinning; what somebody reacted to.

use serde_json::json;

use crate::world::World;

#[tokio::test]
async fn a_channel_gets_another_name() {
    let world = World::new().await;
    let channel = world.private().await;
    let args = json!({ "channel": channel, "name": "plans" });
    let renamed = world.call(&world.ada, "conversations.rename", args).await;
    assert_eq!(renamed["channel"]["name"], "plans");
    assert_eq!(renamed["channel"]["previous_names"], json!(["secret"]));
    let page =
        world.call(&world.bob, "conversations.history", json!({ "channel": channel, "limit": 1 })).await;
    let notice = &page["messages"][0];
    assert_eq!(
        (&notice["subtype"], &notice["old_name"], &notice["name"]),
        (&json!("channel_name"), &json!("secret"), &json!("plans"))
    );
    let general = world.general.to_string();
    for (who, channel, name, code) in [
        (&world.bob, &channel, json!("x"), "not_authorized"),
        (&world.eve, &channel, json!("x"), "channel_not_found"),
        (&world.bob, &general, json!("x"), "not_authorized"),
        (&world.ada, &channel, json!("general"), "name_taken"),
        (&world.ada, &channel, json!(""), "invalid_name_required"),
        (&world.ada, &channel, json!("No Spaces"), "invalid_name_specials"),
        (&world.ada, &channel, json!("--"), "invalid_name_punctuation"),
        (&world.ada, &channel, json!("x".repeat(81)), "invalid_name_maxlength"),
    ] {
        let args = json!({ "channel": channel, "name": name });
        assert_eq!(world.refused(who, "conversations.rename", args.clone()).await, code, "{args}");
    }
}

#[tokio::test]
async fn an_archived_channel_comes_back() {
    let world = World::new().await;
    let channel = world.private().await;
    let args = json!({ "channel": channel });
    assert_eq!(world.refused(&world.ada, "conversations.unarchive", args.clone()).await, "not_archived");
    world.call(&world.ada, "conversations.archive", args.clone()).await;
    let rename = json!({ "channel": channel, "name": "x" });
    assert_eq!(world.refused(&world.ada, "conversations.rename", rename).await, "is_archived");
    assert_eq!(world.refused(&world.eve, "conversations.unarchive", args.clone()).await, "channel_not_found");
    world.call(&world.bob, "conversations.unarchive", args.clone()).await;
    world.post(&world.bob, &channel, "again").await;
    let direct =
        world.call(&world.ada, "conversations.open", json!({ "users": world.bob.id.to_string() })).await;
    let args = json!({ "channel": direct["channel"]["id"] });
    let code = "method_not_supported_for_channel_type";
    assert_eq!(world.refused(&world.ada, "conversations.unarchive", args).await, code);
}

#[tokio::test]
async fn an_admin_converts_channels() {
    let world = World::new().await;
    let random = world.random.to_string();
    let args = json!({ "channel_id": random });
    let (private, public) = ("admin.conversations.convertToPrivate", "admin.conversations.convertToPublic");
    assert_eq!(world.refused(&world.bob, private, args.clone()).await, "not_an_admin");
    world.call(&world.ada, private, args.clone()).await;
    let info = world.call(&world.ada, "conversations.info", json!({ "channel": random })).await;
    assert_eq!(info["channel"]["is_private"], true);
    assert_eq!(world.refused(&world.ada, private, args.clone()).await, "could_not_convert_channel");
    world.call(&world.eve, "conversations.leave", json!({ "channel": random })).await;
    let join = json!({ "channel": random });
    assert_eq!(world.refused(&world.eve, "conversations.join", join.clone()).await, "channel_not_found");
    world.call(&world.ada, public, args).await;
    world.call(&world.eve, "conversations.join", join).await;
    let general = json!({ "channel_id": world.general.to_string() });
    assert_eq!(world.refused(&world.ada, private, general).await, "channel_type_not_supported");
    assert_eq!(world.refused(&world.ada, private, json!({ "channel_id": "x" })).await, "channel_not_found");
}

#[tokio::test]
async fn a_dm_is_closed_and_opened() {
    let world = World::new().await;
    let users = json!({ "users": world.bob.id.to_string() });
    let id = world.call(&world.ada, "conversations.open", users.clone()).await["channel"]["id"].clone();
    let channel = json!({ "channel": id });
    let closed = world.call(&world.ada, "conversations.close", channel.clone()).await;
    assert_eq!(closed.get("no_op"), None);
    let again = world.call(&world.ada, "conversations.close", channel.clone()).await;
    assert_eq!((&again["no_op"], &again["already_closed"]), (&json!(true), &json!(true)));
    let info = world.call(&world.ada, "conversations.info", channel.clone()).await;
    assert_eq!(info["channel"]["is_open"], false);
    let opened = world.call(&world.ada, "conversations.open", channel.clone()).await;
    assert_eq!(opened.get("already_open"), None);
    let opened = world.call(&world.ada, "conversations.open", users).await;
    assert_eq!(opened["already_open"], true);
    world.call(&world.ada, "conversations.close", channel.clone()).await;
    world.post(&world.bob, id.as_str().unwrap(), "there?").await;
    let info = world.call(&world.ada, "conversations.info", channel.clone()).await;
    assert_eq!(info["channel"]["is_open"], true);
    assert_eq!(world.refused(&world.eve, "conversations.close", channel).await, "channel_not_found");
    let general = json!({ "channel": world.general.to_string() });
    let code = "method_not_supported_for_channel_type";
    assert_eq!(world.refused(&world.ada, "conversations.close", general).await, code);
}

#[tokio::test]
async fn messages_are_pinned() {
    let world = World::new().await;
    let channel = world.private().await;
    let ts = world.post(&world.ada, &channel, "important").await;
    let item = json!({ "channel": channel, "timestamp": ts });
    world.call(&world.bob, "pins.add", item.clone()).await;
    let list = world.call(&world.ada, "pins.list", json!({ "channel": channel })).await;
    let pinned = &list["items"][0];
    assert_eq!(
        (&pinned["created_by"], &pinned["message"]["ts"]),
        (&json!(world.bob.id.to_string()), &json!(ts))
    );
    assert_eq!(pinned["message"]["pinned_to"], json!([channel]));
    assert_eq!(pinned["created"], crate::world::START_US / 1_000_000);
    let page = world.call(&world.ada, "conversations.history", json!({ "channel": channel })).await;
    assert_eq!(page["pin_count"], 1);
    assert_eq!(page["messages"][0]["pinned_to"], json!([channel]));
    for (who, method, args, code) in [
        (&world.ada, "pins.add", item.clone(), "already_pinned"),
        (&world.ada, "pins.add", json!({ "channel": channel }), "no_item_specified"),
        (&world.ada, "pins.add", json!({ "channel": channel, "timestamp": "soon" }), "bad_timestamp"),
        (&world.ada, "pins.add", json!({ "channel": channel, "timestamp": "1.000000" }), "message_not_found"),
        (&world.eve, "pins.add", item.clone(), "channel_not_found"),
        (&world.eve, "pins.remove", item.clone(), "channel_not_found"),
        (&world.eve, "pins.list", json!({ "channel": channel }), "channel_not_found"),
        (
            &world.bot,
            "pins.add",
            json!({ "channel": world.general.to_string(), "timestamp": ts }),
            "not_in_channel",
        ),
        (&world.bot, "pins.list", json!({ "channel": world.general.to_string() }), "channel_not_found"),
    ] {
        assert_eq!(world.refused(who, method, args.clone()).await, code, "{method} {args}");
    }
    world.call(&world.ada, "pins.remove", item.clone()).await;
    assert_eq!(world.refused(&world.ada, "pins.remove", item.clone()).await, "no_pin");
    world.call(&world.ada, "conversations.archive", json!({ "channel": channel })).await;
    assert_eq!(world.refused(&world.ada, "pins.add", item).await, "restricted_action");
}

#[tokio::test]
async fn what_somebody_reacted_to_is_listed_for_who_may_see_it() {
    let world = World::new().await;
    let (channel, general) = (world.private().await, world.general.to_string());
    let mut posted = Vec::new();
    for (second, channel, text) in [(1, &general, "one"), (2, &channel, "two"), (3, &general, "three")] {
        world.clock.set(crate::world::START_US + second * 1_000_000);
        let ts = world.post(&world.ada, channel, text).await;
        let args = json!({ "channel": channel, "timestamp": ts, "name": "wave" });
        world.call(&world.bob, "reactions.add", args).await;
        posted.push(ts);
    }
    let texts = |answer: &serde_json::Value| -> Vec<String> {
        let items = answer["items"].as_array().unwrap();
        items.iter().map(|item| item["message"]["text"].as_str().unwrap().to_owned()).collect()
    };
    let own = world.call(&world.bob, "reactions.list", json!({})).await;
    assert_eq!(texts(&own), ["three", "two", "one"]);
    assert_eq!(own["paging"], json!({ "count": 100, "total": 3, "page": 1, "pages": 1 }));
    let user = json!({ "user": world.bob.id.to_string() });
    let seen = world.call(&world.eve, "reactions.list", user).await;
    assert_eq!(
        (texts(&seen), &seen["paging"]["total"]),
        (vec!["three".to_owned(), "one".to_owned()], &json!(2))
    );
    let page = world.call(&world.bob, "reactions.list", json!({ "count": 2, "page": 2 })).await;
    assert_eq!(texts(&page), ["one"]);
    let first = world.call(&world.bob, "reactions.list", json!({ "limit": 2 })).await;
    let cursor = &first["response_metadata"]["next_cursor"];
    let next = world.call(&world.bob, "reactions.list", json!({ "limit": 2, "cursor": cursor })).await;
    assert_eq!(
        (texts(&next), &next["response_metadata"]["next_cursor"]),
        (vec!["one".to_owned()], &json!(""))
    );
    let refused = world.refused(&world.bob, "reactions.list", json!({ "user": "U000000000000" })).await;
    assert_eq!(refused, "user_not_found");
    assert_eq!(world.refused(&world.bob, "reactions.list", json!({ "cursor": "x" })).await, "invalid_cursor");
}
