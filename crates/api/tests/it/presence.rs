//! Who is active, as the methods tell it.

use std::time::Duration;

use model::Credential;
use rpc::{Person as Somebody, PresenceNow, Protocol, Web};
use serde_json::json;

use crate::world::{Person, START_US, World};

const NOW: i64 = START_US / 1_000_000;

fn somebody(world: &World, who: &Person) -> Somebody {
    Somebody { workspace: world.team, user: who.id }
}

/// Lets presence servers know somebody with two sessions.
fn connect(world: &World, who: &Person, idle_s: u64, on_device: bool) {
    let idle = Some(Duration::from_secs(idle_s));
    let now = PresenceNow { active: on_device, sessions: 2, on_device, idle };
    world.presences.now.lock().unwrap().insert(somebody(world, who), now);
}

#[tokio::test]
async fn one_learns_why_of_oneself_and_what_of_others() {
    let world = World::new().await;
    let bob = json!({ "user": world.bob.id.to_string() });
    let away = json!({
        "ok": true, "presence": "away", "online": false, "auto_away": false, "manual_away": false,
        "connection_count": 0,
    });
    assert_eq!(world.call(&world.bob, "users.getPresence", json!({})).await, away);
    connect(&world, &world.bob, 90, true);
    let active = json!({
        "ok": true, "presence": "active", "online": true, "auto_away": false, "manual_away": false,
        "connection_count": 2, "last_activity": NOW - 90,
    });
    assert_eq!(world.call(&world.bob, "users.getPresence", json!({})).await, active);
    assert_eq!(world.call(&world.bob, "users.getPresence", bob.clone()).await, active);
    let seen = json!({ "ok": true, "presence": "active" });
    for who in [&world.eve, &world.bot] {
        assert_eq!(world.call(who, "users.getPresence", bob.clone()).await, seen);
    }
    connect(&world, &world.bob, 700, false);
    let idle = world.call(&world.bob, "users.getPresence", json!({})).await;
    assert_eq!(
        (&idle["presence"], &idle["auto_away"], &idle["online"]),
        (&json!("away"), &json!(true), &json!(true))
    );
}

#[tokio::test]
async fn what_one_says_wins_and_is_known_at_once() {
    let world = World::new().await;
    connect(&world, &world.bob, 0, true);
    world.call(&world.bob, "users.setPresence", json!({ "presence": "away" })).await;
    let own = world.call(&world.bob, "users.getPresence", json!({})).await;
    assert_eq!(
        (&own["presence"], &own["manual_away"], &own["auto_away"], &own["online"]),
        (&json!("away"), &json!(true), &json!(false), &json!(true))
    );
    let bob = json!({ "user": world.bob.id.to_string() });
    assert_eq!(world.call(&world.eve, "users.getPresence", bob.clone()).await["presence"], "away");
    world.call(&world.bob, "presence.set", json!({ "presence": "active" })).await;
    assert_eq!(world.call(&world.eve, "users.getPresence", bob).await["presence"], "active");
}

#[tokio::test]
async fn who_says_that_they_are_active_did_something_just_now() {
    let world = World::new().await;
    world.call(&world.bob, "users.setActive", json!({})).await;
    world.call(&world.bot, "users.setActive", json!({})).await;
    let bob = somebody(&world, &world.bob);
    assert_eq!(*world.presences.touched.lock().unwrap(), [bob, somebody(&world, &world.bot)]);
    world.call(&world.bob, "presence.set", json!({ "presence": "away" })).await;
    world.call(&world.bob, "users.setPresence", json!({ "presence": "auto" })).await;
    assert_eq!(world.presences.touched.lock().unwrap().len(), 2, "neither is something that they did");
    world.call(&world.bob, "presence.set", json!({ "presence": "active" })).await;
    assert_eq!(world.presences.touched.lock().unwrap().last(), Some(&bob));
}

#[tokio::test]
async fn what_cannot_be_answered_is_refused() {
    let world = World::new().await;
    for user in ["U000000000000", "x", "C000000000001"] {
        let refused = world.refused(&world.bob, "users.getPresence", json!({ "user": user })).await;
        assert_eq!(refused, "user_not_found", "{user}");
    }
    let token = world.token(Credential::User, Some(world.bob.id), "chat:write").await;
    let writer = Person { id: world.bob.id, token };
    for method in ["users.getPresence", "users.setActive"] {
        assert_eq!(world.refused(&writer, method, json!({})).await, "missing_scope", "{method}");
        let app = Person { id: world.bob.id, token: world.app_token.clone() };
        assert_eq!(world.refused(&app, method, json!({})).await, "not_allowed_token_type", "{method}");
        let nobody = Person { id: world.bob.id, token: String::new() };
        assert!(
            ["not_authed", "invalid_auth"]
                .contains(&world.refused(&nobody, method, json!({})).await.as_str())
        );
    }
    *world.presences.down.lock().unwrap() = true;
    for method in ["users.getPresence", "users.setActive"] {
        assert_eq!(world.refused(&world.bob, method, json!({})).await, "service_unavailable", "{method}");
    }
    // To say that one is away needs no presence server; nor does it fail because nobody could be told of activity.
    world.call(&world.bob, "presence.set", json!({ "presence": "away" })).await;
    world.call(&world.bob, "presence.set", json!({ "presence": "active" })).await;
}

#[tokio::test]
async fn what_was_asked_for_with_the_ticket_comes_with_the_session() {
    let world = World::new().await;
    let web = api::internal::Internal::new(std::sync::Arc::clone(&world.app));
    for (method, args, protocol, batch) in [
        ("rtm.connect", json!({}), Protocol::Rtm, false),
        ("rtm.connect", json!({ "presence_sub": true }), Protocol::Rtm, false),
        ("rtm.connect", json!({ "batch_presence_aware": 1, "presence_sub": "1" }), Protocol::Rtm, true),
        ("rtm.connect", json!({ "batch_presence_aware": "false" }), Protocol::Rtm, false),
        ("realtime.connect", json!({}), Protocol::Own, true),
    ] {
        let sold = world.call(&world.bob, method, args.clone()).await;
        assert!(sold.get("warning").is_none(), "{sold}");
        let ticket = sold["url"].as_str().unwrap().split_once("ticket=").unwrap().1.to_owned();
        let call = world.app.call(model::TraceId(1));
        let boot = web.boot(&call, ticket, None).await.unwrap();
        assert_eq!((boot.protocol, boot.batch_presence), (protocol, batch), "{method} {args}");
        assert!(!boot.manual.away);
    }
    world.call(&world.bob, "users.setPresence", json!({ "presence": "away" })).await;
    let sold = world.call(&world.bob, "rtm.connect", json!({})).await;
    let ticket = sold["url"].as_str().unwrap().split_once("ticket=").unwrap().1.to_owned();
    let boot = web.boot(&world.app.call(model::TraceId(1)), ticket, None).await.unwrap();
    let own = boot.topics.iter().find(|(topic, _)| *topic == model::TopicId::User(world.bob.id)).unwrap();
    assert_eq!((boot.manual.away, boot.manual.seq), (true, own.1.seq));
    for (args, code) in [
        (json!({ "batch_presence_aware": "maybe" }), "invalid_arguments"),
        (json!({ "presence_sub": [] }), "invalid_array_arg"),
    ] {
        assert_eq!(world.refused(&world.bob, "rtm.connect", args.clone()).await, code, "{args}");
    }
}
