//! Profiles, status, do-not-disturb, preferences, bots.

use model::Credential;
use serde_json::json;

use crate::world::{START_US, World};

const NOW: i64 = START_US / 1_000_000;

#[tokio::test]
async fn a_profile_is_set_as_slacks_documentation_shows() {
    let world = World::new().await;
    let profile = json!({ "status_text": "riding a train", "status_emoji": ":mountain_railway:", "status_expiration": 0 });
    let set = world.call(&world.bob, "users.profile.set", json!({ "profile": profile })).await;
    assert_eq!(set["profile"]["status_emoji"], ":mountain_railway:");
    assert_eq!(set["username"], "bob");
    // As a text inside of a form, and one field by name.
    let text = json!({ "profile": r#"{"first_name":"Robert","last_name":"Tables"}"# });
    world.call(&world.bob, "users.profile.set", text).await;
    world.call(&world.bob, "users.profile.set", json!({ "name": "title", "value": "Engineer" })).await;
    let seen = world.call(&world.eve, "users.profile.get", json!({ "user": world.bob.id.to_string() })).await;
    for (key, expect) in [
        ("real_name", "Robert Tables"),
        ("first_name", "Robert"),
        ("last_name", "Tables"),
        ("title", "Engineer"),
        ("status_text", "riding a train"),
    ] {
        assert_eq!(seen["profile"][key], expect, "{key}");
    }
    let user = world.call(&world.eve, "users.info", json!({ "user": world.bob.id.to_string() })).await;
    assert_eq!(user["user"]["profile"]["title"], "Engineer");
    assert_eq!(user["user"]["tz_offset"], 0);
    let own = world.call(&world.bob, "users.profile.get", json!({})).await;
    assert_eq!(own["profile"]["email"], "bob@example.org");
}

#[tokio::test]
async fn who_may_not_change_a_profile_is_told_so() {
    let world = World::new().await;
    let title = json!({ "title": "x" });
    let of = |who: &str| json!({ "user": who, "profile": title });
    let (ada, bob) = (world.ada.id.to_string(), world.bob.id.to_string());
    assert_eq!(world.refused(&world.eve, "users.profile.set", of(&bob)).await, "not_admin");
    world.call(&world.ada, "users.profile.set", of(&bob)).await;
    let bot = world.bot.id.to_string();
    assert_eq!(world.refused(&world.ada, "users.profile.set", of(&bot)).await, "cannot_update_admin_user");
    assert_eq!(world.refused(&world.bob, "users.profile.set", of(&ada)).await, "not_admin");
    assert_eq!(world.refused(&world.bob, "users.profile.set", of("U000000000000")).await, "user_not_found");
    assert_eq!(world.refused(&world.bob, "users.profile.set", json!({})).await, "invalid_profile");
    assert_eq!(
        world.refused(&world.bob, "users.profile.set", json!({ "profile": "[" })).await,
        "invalid_profile"
    );
    assert_eq!(
        world.refused(&world.bot, "users.profile.set", json!({ "profile": title })).await,
        "not_allowed_token_type"
    );
    assert_eq!(
        world.refused(&world.bob, "users.profile.get", json!({ "user": "x" })).await,
        "user_not_found"
    );
}

#[tokio::test]
async fn a_status_ends_by_itself() {
    let mut world = World::new().await;
    let profile = json!({ "status_text": "lunch", "status_expiration": NOW + 60 });
    world.call(&world.bob, "users.profile.set", json!({ "profile": profile })).await;
    let status = async |world: &World| {
        let own = world.call(&world.bob, "users.profile.get", json!({})).await;
        own["profile"]["status_text"].as_str().unwrap().to_owned()
    };
    let jobs = world.jobs();
    assert_eq!(status(&world).await, "lunch");
    world.clock.set(START_US + 61_000_000);
    world.until(async |world| status(world).await.is_empty()).await;
    jobs.stop().await;
    assert_eq!(world.app.deps.store.due_jobs(i64::MAX, 10).await.unwrap(), []);
}

#[tokio::test]
async fn people_are_found_by_address_and_bots_by_id() {
    let world = World::new().await;
    let found = world.call(&world.bot, "users.lookupByEmail", json!({ "email": " BOB@example.org" })).await;
    assert_eq!(found["user"]["id"], world.bob.id.to_string());
    for email in ["nobody@example.org", "", "bob"] {
        let refused = world.refused(&world.bot, "users.lookupByEmail", json!({ "email": email })).await;
        assert_eq!(refused, "users_not_found", "{email}");
    }
    let me = world.call(&world.bot, "auth.test", json!({})).await;
    let bot = world.call(&world.bob, "bots.info", json!({ "bot": me["bot_id"] })).await;
    assert_eq!(bot["bot"]["user_id"], world.bot.id.to_string());
    assert_eq!(bot["bot"]["app_id"], world.app_id.to_string());
    for id in [json!("B000000000000"), json!("nonsense"), json!(null)] {
        assert_eq!(world.refused(&world.bob, "bots.info", json!({ "bot": id })).await, "bot_not_found");
    }
}

#[tokio::test]
async fn a_snooze_begins_and_ends() {
    let world = World::new().await;
    let quiet = world.call(&world.bob, "dnd.info", json!({})).await;
    assert_eq!((&quiet["dnd_enabled"], &quiet["next_dnd_start_ts"]), (&json!(false), &json!(1)));
    let snooze = world.call(&world.bob, "dnd.setSnooze", json!({ "num_minutes": "30" })).await;
    assert_eq!(snooze["snooze_endtime"], NOW + 1_800);
    assert_eq!(snooze["snooze_remaining"], 1_800);
    let own = world.call(&world.bob, "dnd.info", json!({ "user": world.bob.id.to_string() })).await;
    assert_eq!(own["snooze_enabled"], true);
    // Others see that they are not to disturb him, not why.
    let team = json!({ "users": format!("{},{},nobody", world.bob.id, world.eve.id) });
    let team = world.call(&world.eve, "dnd.teamInfo", team).await;
    let of_bob = &team["users"][world.bob.id.to_string()];
    assert_eq!((&of_bob["dnd_enabled"], &of_bob["next_dnd_end_ts"]), (&json!(true), &json!(NOW + 1_800)));
    assert_eq!(of_bob.get("snooze_enabled"), None);
    assert_eq!(team["users"].as_object().unwrap().len(), 2);
    world.call(&world.bob, "dnd.endSnooze", json!({})).await;
    for (method, args, code) in [
        ("dnd.endSnooze", json!({}), "snooze_end_failed"),
        ("dnd.endDnd", json!({}), "not_in_dnd"),
        ("dnd.setSnooze", json!({}), "missing_duration"),
        ("dnd.setSnooze", json!({ "num_minutes": 0 }), "snooze_failed"),
        ("dnd.setSnooze", json!({ "num_minutes": 1_000_000 }), "too_long"),
        ("dnd.info", json!({ "user": "U000000000000" }), "user_not_found"),
        ("dnd.teamInfo", json!({}), "no_users_provided"),
        ("dnd.teamInfo", json!({ "users": vec!["U000000000000"; 51] }), "invalid_arguments"),
    ] {
        assert_eq!(world.refused(&world.bob, method, args.clone()).await, code, "{method} {args}");
    }
}

#[tokio::test]
async fn the_daily_time_is_ended_for_once() {
    let world = World::new().await;
    // It is midnight in UTC.
    let prefs =
        json!({ "prefs": { "dnd_enabled": true, "dnd_start_hour": "22:00", "dnd_end_hour": "7:30" } });
    let set = world.call(&world.bob, "users.prefs.set", prefs).await;
    assert_eq!(set["prefs"]["dnd_end_hour"], "7:30");
    let info = world.call(&world.bob, "dnd.info", json!({})).await;
    assert_eq!(info["next_dnd_start_ts"], NOW - 2 * 3_600);
    assert_eq!(info["next_dnd_end_ts"], NOW + 27_000);
    world.call(&world.bob, "dnd.endDnd", json!({})).await;
    let info = world.call(&world.bob, "dnd.info", json!({})).await;
    assert_eq!(info["next_dnd_start_ts"], NOW + 22 * 3_600);
    assert_eq!(world.refused(&world.bob, "dnd.endDnd", json!({})).await, "not_in_dnd");
}

#[tokio::test]
async fn preferences_have_defaults_and_are_ones_own() {
    let world = World::new().await;
    let all = world.call(&world.bob, "users.prefs.get", json!({})).await;
    assert_eq!(all["prefs"]["time24"], false);
    world.call(&world.bob, "users.prefs.set", json!({ "name": "time24", "value": "true" })).await;
    let one = world.call(&world.bob, "users.prefs.get", json!({ "prefs": "time24" })).await;
    assert_eq!(one["prefs"], json!({ "time24": true }));
    let boot = world.call(&world.bob, "client.userBoot", json!({})).await;
    assert_eq!(boot["prefs"]["time24"], true);
    let others = world.call(&world.eve, "users.prefs.get", json!({ "prefs": ["time24"] })).await;
    assert_eq!(others["prefs"]["time24"], false);
    for args in [json!({}), json!({ "name": "nothing", "value": "x" }), json!({ "prefs": "[]" })] {
        assert_eq!(
            world.refused(&world.bob, "users.prefs.set", args.clone()).await,
            "invalid_arguments",
            "{args}"
        );
    }
    assert_eq!(world.refused(&world.bot, "users.prefs.get", json!({})).await, "not_allowed_token_type");
}

#[tokio::test]
async fn away_by_hand_is_said_with_the_words_of_each_method() {
    let world = World::new().await;
    let away = async |who: &crate::world::Person| {
        let user = world.app.deps.store.user(world.team, who.id).await.unwrap();
        user.unwrap().manual_away
    };
    for (who, method, word, expect) in [
        (&world.bob, "users.setPresence", "away", true),
        (&world.bob, "users.setPresence", "auto", false),
        (&world.bob, "presence.set", "away", true),
        (&world.bob, "presence.set", "active", false),
        (&world.bot, "users.setPresence", "away", true),
    ] {
        world.call(who, method, json!({ "presence": word })).await;
        assert_eq!(away(who).await, expect, "{method} {word}");
    }
    assert!(!away(&world.bob).await);
    world.call(&world.bob, "users.setPresence", json!({ "presence": "away" })).await;
    let boot = world.call(&world.bob, "client.userBoot", json!({})).await;
    assert_eq!(boot["self"]["manual_presence"], "away");
    for (method, args) in [
        ("users.setPresence", json!({})),
        ("users.setPresence", json!({ "presence": "" })),
        ("users.setPresence", json!({ "presence": "active" })),
        ("users.setPresence", json!({ "presence": "AWAY" })),
        ("presence.set", json!({ "presence": "auto" })),
        ("presence.set", json!({})),
    ] {
        assert_eq!(
            world.refused(&world.bob, method, args.clone()).await,
            "invalid_presence",
            "{method} {args}"
        );
    }
    assert!(away(&world.bob).await, "what is refused changes nothing");
    let refused = world.refused(&world.bot, "presence.set", json!({ "presence": "away" })).await;
    assert_eq!(refused, "not_allowed_token_type");
    let token = world.token(Credential::User, Some(world.bob.id), "users:read").await;
    let reader = crate::world::Person { id: world.bob.id, token };
    let refused = world.refused(&reader, "users.setPresence", json!({ "presence": "auto" })).await;
    assert_eq!(refused, "missing_scope");
}

#[tokio::test]
async fn a_token_can_revoke_itself() {
    let world = World::new().await;
    let token = world.token(Credential::User, Some(world.bob.id), "chat:write").await;
    let bob = crate::world::Person { id: world.bob.id, token };
    let tried = world.call(&bob, "auth.revoke", json!({ "test": true })).await;
    assert_eq!(tried["revoked"], false);
    world.call(&bob, "auth.test", json!({})).await;
    assert_eq!(world.call(&bob, "auth.revoke", json!({})).await["revoked"], true);
    assert_eq!(world.refused(&bob, "auth.test", json!({})).await, "token_revoked");
    assert_eq!(world.admin.revoked.lock().unwrap().len(), 1);
}
