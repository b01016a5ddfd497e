//! Conversations: who sees what, who may do what.

use serde_json::{Value, json};

use crate::world::World;

fn names(answer: &Value) -> Vec<&str> {
    let mut names: Vec<&str> = answer["channels"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|channel| channel["name"].as_str())
        .collect();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn a_private_channel_does_not_exist_for_others() {
    let world = World::new().await;
    let secret = world.private().await;
    let ts = world.post(&world.ada, &secret, "canary-7141").await;
    let user = world.eve.id.to_string();
    for (method, args) in [
        ("conversations.info", json!({"channel": secret})),
        ("conversations.history", json!({"channel": secret})),
        ("conversations.replies", json!({"channel": secret, "ts": ts})),
        ("conversations.members", json!({"channel": secret})),
        ("conversations.join", json!({"channel": secret})),
        ("conversations.leave", json!({"channel": secret})),
        ("conversations.invite", json!({"channel": secret, "users": user})),
        ("conversations.kick", json!({"channel": secret, "user": world.bob.id.to_string()})),
        ("conversations.mark", json!({"channel": secret, "ts": ts})),
        ("conversations.setTopic", json!({"channel": secret, "topic": "x"})),
        ("conversations.setPurpose", json!({"channel": secret, "purpose": "x"})),
        ("conversations.archive", json!({"channel": secret})),
        ("conversations.open", json!({"channel": secret})),
        ("chat.postMessage", json!({"channel": secret, "text": "x"})),
        ("chat.postMessage", json!({"channel": "secret", "text": "x"})),
        ("chat.update", json!({"channel": secret, "ts": ts, "text": "x"})),
        ("chat.delete", json!({"channel": secret, "ts": ts})),
        ("chat.getPermalink", json!({"channel": secret, "message_ts": ts})),
        ("chat.postEphemeral", json!({"channel": secret, "user": user, "text": "x"})),
        ("reactions.add", json!({"channel": secret, "timestamp": ts, "name": "eyes"})),
        ("reactions.remove", json!({"channel": secret, "timestamp": ts, "name": "eyes"})),
        ("reactions.get", json!({"channel": secret, "timestamp": ts})),
        ("parlance.journey", json!({"channel": secret, "ts": ts})),
    ] {
        for who in [&world.eve, &world.bot] {
            if who.token == world.bot.token && method == "parlance.journey" {
                continue;
            }
            let hidden = world.try_call(who, method, args.clone()).await;
            assert_eq!(hidden["error"], "channel_not_found", "{method}");
            // A channel that never was gets the same answer, byte for byte.
            let mut absent = args.clone();
            absent["channel"] = json!(if args["channel"] == "secret" { "absent" } else { "C000000000000" });
            assert_eq!(world.try_call(who, method, absent).await, hidden, "{method}");
        }
    }
    for types in ["public_channel", "public_channel,private_channel,mpim,im"] {
        for method in ["conversations.list", "users.conversations"] {
            let list = world.call(&world.eve, method, json!({"types": types})).await;
            assert_eq!(names(&list), ["general", "random"]);
        }
    }
    let args = json!({"types": "private_channel", "user": world.ada.id.to_string()});
    assert_eq!(names(&world.call(&world.eve, "users.conversations", args.clone()).await), [] as [&str; 0]);
    assert_eq!(names(&world.call(&world.bob, "users.conversations", args).await), ["secret"]);
}

#[tokio::test]
async fn public_channels_are_open_to_people_and_closed_to_bots_outside() {
    let world = World::new().await;
    let channel = world.general.to_string();
    world.post(&world.ada, &channel, "x").await;
    world.call(&world.bot, "conversations.info", json!({"channel": channel})).await;
    let args = json!({"channel": channel});
    assert_eq!(world.refused(&world.bot, "conversations.history", args.clone()).await, "not_in_channel");
    let joined = world.call(&world.bot, "conversations.join", args.clone()).await;
    assert_eq!(joined["channel"]["is_member"], true);
    assert!(joined.get("warning").is_none());
    let again = world.call(&world.bot, "conversations.join", args.clone()).await;
    assert_eq!(again["warning"], "already_in_channel");
    world.call(&world.bot, "conversations.history", args.clone()).await;
    world.call(&world.eve, "conversations.leave", json!({"channel": world.random.to_string()})).await;
    let again =
        world.call(&world.eve, "conversations.leave", json!({"channel": world.random.to_string()})).await;
    assert_eq!(again["not_in_channel"], true);
    world.call(&world.eve, "conversations.history", json!({"channel": world.random.to_string()})).await;
}

#[tokio::test]
async fn channels_are_made_changed_and_archived() {
    let world = World::new().await;
    for (name, expect) in [
        ("", "invalid_name_required"),
        ("Has Upper", "invalid_name_specials"),
        ("--", "invalid_name_punctuation"),
        (&"a".repeat(81), "invalid_name_maxlength"),
        ("general", "name_taken"),
    ] {
        assert_eq!(world.refused(&world.bob, "conversations.create", json!({"name": name})).await, expect);
    }
    let made = world.call(&world.bob, "conversations.create", json!({"name": "plans"})).await;
    let channel = made["channel"]["id"].as_str().unwrap().to_owned();
    assert_eq!(made["channel"]["is_member"], true);
    let args = json!({"channel": channel, "topic": "the topic"});
    let answer = world.call(&world.bob, "conversations.setTopic", args).await;
    assert_eq!(answer["channel"]["topic"]["value"], "the topic");
    assert_eq!(answer["channel"]["topic"]["creator"], json!(world.bob.id.to_string()));
    for method in ["conversations.setTopic", "conversations.setPurpose"] {
        let refused =
            world.refused(&world.bob, method, json!({"channel": channel, "value": "misspelt"})).await;
        assert_eq!(refused, "invalid_arguments", "{method}: what is forgotten clears nothing");
    }
    let info = world.call(&world.bob, "conversations.info", json!({"channel": channel})).await;
    assert_eq!(info["channel"]["topic"]["value"], "the topic");
    let args = json!({"channel": channel, "purpose": "ü".repeat(251)});
    assert_eq!(world.refused(&world.bob, "conversations.setPurpose", args).await, "too_long");
    let args = json!({"channel": channel, "purpose": "p"});
    assert_eq!(
        world.call(&world.bob, "conversations.setPurpose", args).await["channel"]["purpose"]["value"],
        "p"
    );
    world.call(&world.bob, "conversations.archive", json!({"channel": channel})).await;
    assert_eq!(
        world.refused(&world.bob, "conversations.archive", json!({"channel": channel})).await,
        "already_archived"
    );
    let args = json!({"channel": channel, "text": "x"});
    assert_eq!(world.refused(&world.bob, "chat.postMessage", args).await, "is_archived");
    let all = world.call(&world.bob, "conversations.list", json!({})).await;
    assert_eq!(names(&all), ["general", "plans", "random"]);
    let open = world.call(&world.bob, "conversations.list", json!({"exclude_archived": true})).await;
    assert_eq!(names(&open), ["general", "random"]);
    let args = json!({"channel": world.general.to_string()});
    assert_eq!(
        world.refused(&world.ada, "conversations.archive", args.clone()).await,
        "cant_archive_general"
    );
    assert_eq!(world.refused(&world.bob, "conversations.leave", args).await, "cant_leave_general");
}

#[tokio::test]
async fn people_are_invited_and_removed() {
    let world = World::new().await;
    let secret = world.private().await;
    let (bob, eve) = (world.bob.id.to_string(), world.eve.id.to_string());
    for (users, expect) in [
        (json!(""), "no_user"),
        (json!("U0"), "user_not_found"),
        (json!("U000000000000"), "user_not_found"),
        (json!(bob), "already_in_channel"),
        (json!(world.ada.id.to_string()), "cant_invite_self"),
    ] {
        let args = json!({"channel": secret, "users": users});
        assert_eq!(world.refused(&world.ada, "conversations.invite", args).await, expect, "{users}");
    }
    // All or none, unless forced.
    let args = json!({"channel": secret, "users": [bob, eve]});
    assert_eq!(world.refused(&world.ada, "conversations.invite", args).await, "already_in_channel");
    let args = json!({"channel": secret, "users": [bob, eve], "force": true});
    let answer = world.call(&world.ada, "conversations.invite", args).await;
    assert_eq!(answer["errors"], json!([{"user": bob, "ok": false, "error": "already_in_channel"}]));
    let members = world.call(&world.eve, "conversations.members", json!({"channel": secret})).await;
    assert_eq!(members["members"].as_array().unwrap().len(), 3);
    world.call(&world.ada, "conversations.kick", json!({"channel": secret, "user": eve})).await;
    let args = json!({"channel": secret, "text": "x"});
    assert_eq!(world.refused(&world.eve, "chat.postMessage", args).await, "channel_not_found");
    for (user, expect) in [
        (world.ada.id.to_string(), "cant_kick_self"),
        (eve, "not_in_channel"),
        ("x".to_owned(), "user_not_found"),
    ] {
        let args = json!({"channel": secret, "user": user});
        assert_eq!(world.refused(&world.ada, "conversations.kick", args).await, expect, "{user}");
    }
}

#[tokio::test]
async fn direct_messages_are_opened_once() {
    let world = World::new().await;
    let (bob, eve) = (world.bob.id.to_string(), world.eve.id.to_string());
    let first = world.call(&world.ada, "conversations.open", json!({"users": bob})).await;
    let id = first["channel"]["id"].as_str().unwrap().to_owned();
    assert!(id.starts_with('D') && first.get("already_open").is_none());
    let args = json!({"users": [world.ada.id.to_string()], "return_im": true});
    let again = world.call(&world.bob, "conversations.open", args).await;
    assert_eq!((&again["channel"]["id"], &again["already_open"]), (&json!(id), &json!(true)));
    assert_eq!(
        (&again["channel"]["user"], &again["channel"]["is_im"]),
        (&json!(world.ada.id.to_string()), &json!(true))
    );
    let group =
        world.call(&world.ada, "conversations.open", json!({"users": [bob, eve], "return_im": true})).await;
    assert_eq!(group["channel"]["is_mpim"], true);
    let own = world.call(&world.ada, "conversations.open", json!({"users": world.ada.id.to_string()})).await;
    assert!(own["channel"]["id"].as_str().unwrap().starts_with('D'));
    for (args, expect) in [
        (json!({}), "users_list_not_supplied"),
        (json!({"users": "nobody"}), "user_not_found"),
        (json!({"users": "U000000000000"}), "user_not_found"),
        (json!({"users": eve, "prevent_creation": true}), "channel_not_found"),
        (json!({"channel": world.general.to_string()}), "method_not_supported_for_channel_type"),
    ] {
        assert_eq!(world.refused(&world.ada, "conversations.open", args.clone()).await, expect, "{args}");
    }
}

#[tokio::test]
async fn lists_go_page_by_page() {
    let world = World::new().await;
    for n in 0..5 {
        world.call(&world.ada, "conversations.create", json!({"name": format!("c{n}")})).await;
    }
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = world.call(&world.bob, "conversations.list", json!({"limit": 2, "cursor": cursor})).await;
        seen.extend(names(&page).into_iter().map(str::to_owned));
        cursor = page["response_metadata"]["next_cursor"].as_str().unwrap().to_owned();
        if cursor.is_empty() {
            break;
        }
    }
    seen.sort_unstable();
    assert_eq!(seen, ["c0", "c1", "c2", "c3", "c4", "general", "random"]);
    world.call(&world.ada, "conversations.list", json!({"team_id": world.team.to_string()})).await;
    let mut seen = 0;
    let mut cursor = String::new();
    loop {
        let page = world.call(&world.bob, "users.list", json!({"limit": 3, "cursor": cursor})).await;
        seen += page["members"].as_array().unwrap().len();
        cursor = page["response_metadata"]["next_cursor"].as_str().unwrap().to_owned();
        if cursor.is_empty() {
            break;
        }
    }
    assert_eq!(seen, 4);
    for (method, args, expect) in [
        ("conversations.list", json!({"cursor": "dXNlcjpVMDAwMDAwMDAwMDAw"}), "invalid_cursor"),
        ("conversations.list", json!({"limit": 1001}), "invalid_limit"),
        ("conversations.list", json!({"limit": -1}), "invalid_limit"),
        ("conversations.list", json!({"types": "public"}), "invalid_types"),
        (
            "conversations.members",
            json!({"channel": world.general.to_string(), "limit": "x"}),
            "invalid_limit",
        ),
        ("users.list", json!({"cursor": "!"}), "invalid_cursor"),
        ("users.info", json!({"user": "U0"}), "user_not_found"),
        ("team.info", json!({"team": "T000000000001"}), "team_not_found"),
        ("users.list", json!({"team_id": "T000000000001"}), "team_not_found"),
        ("conversations.list", json!({"team_id": "T000000000001"}), "team_not_found"),
        ("conversations.create", json!({"team_id": "T000000000001", "name": "x"}), "team_not_found"),
    ] {
        assert_eq!(world.refused(&world.ada, method, args.clone()).await, expect, "{method} {args}");
    }
}

#[tokio::test]
async fn scopes_are_asked_for_by_kind() {
    let world = World::new().await;
    let secret = world.private().await;
    let token =
        world.token(model::Credential::User, Some(world.ada.id), "channels:read,channels:history").await;
    let weak = crate::world::Person { id: world.ada.id, token };
    for (method, args, needed) in [
        ("conversations.info", json!({"channel": secret}), "groups:read"),
        ("conversations.history", json!({"channel": secret}), "groups:history"),
        ("conversations.list", json!({"types": "public_channel,im"}), "im:read"),
    ] {
        let answer = world.try_call(&weak, method, args).await;
        assert_eq!((&answer["error"], &answer["needed"]), (&json!("missing_scope"), &json!(needed)));
    }
    world.call(&weak, "conversations.history", json!({"channel": world.general.to_string()})).await;
}

#[tokio::test(start_paused = true)]
async fn marks_are_written_once_a_second_and_the_last_wins() {
    let mut world = World::new().await;
    let channel = world.general.to_string();
    let mut posted = Vec::new();
    for n in 0..20 {
        posted.push(world.post(&world.ada, &channel, &format!("m{n}")).await);
    }
    while world.committed.try_recv().is_ok() {}
    let by = store::By { user: world.bob.id, role: model::Role::Member };
    let marks = posted.iter().map(|ts| {
        let ts = ts.parse().unwrap();
        api::marks::mark(&world.app, world.team, world.general, by, ts, Default::default())
    });
    for answer in futures_util::future::join_all(marks).await {
        answer.unwrap();
    }
    let mut events = 0;
    while let Ok(batch) = world.committed.try_recv() {
        events += batch.records.len();
    }
    assert!((1..=3).contains(&events), "{events} events for twenty marks");
    let info = world.call(&world.bob, "conversations.info", json!({"channel": channel})).await;
    assert_eq!(info["channel"]["last_read"], json!(posted[19]));
    // One mark alone takes effect before it is answered.
    world.call(&world.bob, "conversations.mark", json!({"channel": channel, "ts": posted[3]})).await;
    let info = world.call(&world.bob, "conversations.info", json!({"channel": channel})).await;
    assert_eq!(info["channel"]["last_read"], json!(posted[3]));
    for (args, expect) in [
        (json!({"channel": channel, "ts": "x"}), "invalid_timestamp"),
        (json!({"channel": channel}), "invalid_timestamp"),
    ] {
        assert_eq!(world.refused(&world.bob, "conversations.mark", args).await, expect);
    }
}

#[tokio::test]
async fn boot_has_all_that_a_client_starts_from() {
    let world = World::new().await;
    let secret = world.private().await;
    let ts = world.post(&world.ada, &secret, &format!("hi <@{}>", world.bob.id)).await;
    let boot = world.call(&world.bob, "client.userBoot", json!({})).await;
    assert_eq!(boot["self"]["id"], json!(world.bob.id.to_string()));
    assert_eq!(boot["self"]["profile"]["email"], "bob@example.org");
    assert_eq!(boot["team"]["id"], json!(world.team.to_string()));
    let channels = boot["channels"].as_array().unwrap();
    let secret_row = channels.iter().find(|channel| channel["id"] == json!(secret)).unwrap();
    assert_eq!(secret_row["latest"], json!(ts));
    assert_eq!(secret_row["has_unreads"], true);
    assert_eq!(secret_row["mention_count"], 1);
    let history =
        world.call(&world.bob, "conversations.history", json!({"channel": secret, "_p": true})).await;
    assert_eq!(boot["_p"][&secret], json!([history["_p"]["g"], history["_p"]["s"]]));
    for topic in [world.bob.id.to_string(), world.team.to_string()] {
        assert!(boot["_p"][&topic].is_array(), "{topic}");
    }
    assert!(world.call(&world.eve, "client.userBoot", json!({})).await["_p"].get(&secret).is_none());
}

#[tokio::test]
async fn the_conversations_of_nobody_are_refused() {
    let world = World::new().await;
    let args = json!({"user": "U00000000000"});
    assert_eq!(world.refused(&world.bob, "users.conversations", args).await, "user_not_found");
}
