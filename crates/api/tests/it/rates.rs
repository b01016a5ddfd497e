//! Rate limits of tokens.

use api::role::{Config, RateLimits};
use axum::body::Body;
use http::Request;
use serde_json::json;

use crate::world::{Answer, Person, World, config};

async fn get(world: &World, who: &Person, uri: &str) -> Answer {
    let request =
        Request::get(format!("/api/{uri}")).header("authorization", format!("Bearer {}", who.token));
    world.send(request.body(Body::empty()).unwrap()).await
}

#[tokio::test(start_paused = true)]
async fn tiers_are_per_method_and_app() {
    let world = World::with(Config { rate_limits: RateLimits::Slack, ..config() }).await;
    let mut passed = 0;
    let refused = loop {
        let answer = get(&world, &world.bot, "users.list").await;
        if answer.status == 429 {
            break answer;
        }
        passed += 1;
        assert!(passed <= 20);
    };
    assert_eq!(passed, 20, "tier 2");
    assert_eq!(refused.header("retry-after"), Some("3"));
    assert_eq!(refused.json(), json!({"ok": false, "error": "ratelimited"}));
    assert_eq!(get(&world, &world.bot, "users.info?user=U0").await.status, 200, "another method");
    assert_eq!(get(&world, &world.ada, "users.list").await.status, 200, "another caller");
    tokio::time::advance(std::time::Duration::from_secs(3)).await;
    assert_eq!(get(&world, &world.bot, "users.list").await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn messages_are_one_a_second_after_a_burst() {
    let world = World::with(Config { rate_limits: RateLimits::Slack, ..config() }).await;
    let uri = format!("chat.postMessage?channel={}&text=x", world.general);
    let mut passed = 0;
    while get(&world, &world.bot, &uri).await.status == 200 {
        passed += 1;
        assert!(passed < 100);
    }
    assert_eq!(passed, 30);
    let elsewhere = format!("chat.postMessage?channel={}&text=x", world.random);
    assert_eq!(get(&world, &world.bot, &elsewhere).await.status, 200);
    tokio::time::advance(std::time::Duration::from_secs(1)).await;
    assert_eq!(get(&world, &world.bot, &uri).await.status, 200);
    assert_eq!(get(&world, &world.bot, &uri).await.status, 429);
}

#[tokio::test]
async fn limits_can_be_switched_off() {
    let world = World::new().await;
    for _ in 0..60 {
        assert_eq!(get(&world, &world.bot, "users.list").await.status, 200);
    }
}
