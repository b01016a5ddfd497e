//! Presence through a gateway and real presence servers: whom sessions watch, what they are told, what they are not.

use std::time::Duration;

use gateway::Config;
use model::UserId;
use presence::slots::SlotsConfig;
use serde_json::{Value, json};

use crate::world::{Client, PATIENCE, World, user};

fn ids(numbers: impl IntoIterator<Item = u64>) -> Vec<String> {
    numbers.into_iter().map(|number| user(number).to_string()).collect()
}

fn subscribe(numbers: impl IntoIterator<Item = u64>) -> String {
    json!({ "type": "presence_sub", "ids": ids(numbers) }).to_string()
}

fn change(number: u64, presence: &str) -> Value {
    json!({ "type": "presence_change", "user": user(number).to_string(), "presence": presence })
}

fn changes(numbers: impl IntoIterator<Item = u64>, presence: &str) -> Value {
    json!({ "type": "presence_change", "users": ids(numbers), "presence": presence })
}

impl Client {
    /// Reads until somebody is known to be so; everything that comes must be about presence.
    async fn until(&mut self, who: UserId, presence: &str) {
        loop {
            let frame = self.frame().await;
            assert_eq!(frame["type"], "presence_change", "{frame}");
            let about = frame["user"] == who.to_string()
                || frame["users"].as_array().is_some_and(|users| users.contains(&json!(who.to_string())));
            if about && frame["presence"] == presence {
                return;
            }
        }
    }

    /// Reads until each of several is said to be so, once: those of one presence server are in one frame.
    async fn told(&mut self, numbers: impl IntoIterator<Item = u64>, presence: &str) {
        let mut untold = ids(numbers);
        while !untold.is_empty() {
            let frame = self.frame().await;
            assert_eq!((&frame["type"], &frame["presence"]), (&json!("presence_change"), &json!(presence)));
            for user in frame["users"].as_array().unwrap() {
                let at = untold.iter().position(|id| user == id);
                untold.swap_remove(at.unwrap_or_else(|| panic!("{user} was not to be told: {frame}")));
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_watches_is_told_and_nobody_else() {
    let world = World::start().await;
    let mut watcher = world.connect_rtm(user(1)).await;
    let mut own = world.connect_live(user(2)).await;
    let mut other = world.connect_rtm(user(3)).await;
    watcher.send(&subscribe([4])).await;
    own.send(&subscribe([4, 5])).await;
    assert_eq!(watcher.frame().await, change(4, "away"));
    own.told([4, 5], "away").await;
    let mut watched = world.connect_live(user(4)).await;
    assert_eq!(watcher.frame().await, change(4, "active"));
    assert_eq!(own.frame().await, changes([4], "active"));
    // A second device changes nothing, and the first one's end neither.
    let second = world.connect_rtm(user(4)).await;
    watched.socket.close(None).await.unwrap();
    watched.close_code().await;
    for client in [&mut watcher, &mut own, &mut other] {
        client.nothing_more().await;
    }
    drop(second);
    assert_eq!(watcher.frame().await, change(4, "away"));
    assert_eq!(own.frame().await, changes([4], "away"));
    // The list is replaced: of whom is not in it any more nothing is told.
    watcher.send(&subscribe([5])).await;
    assert_eq!(watcher.frame().await, change(5, "away"));
    let _again = world.connect_rtm(user(4)).await;
    assert_eq!(own.frame().await, changes([4], "active"));
    watcher.nothing_more().await;
    // Whoever is known already is told at once.
    other.send(&subscribe([4])).await;
    assert_eq!(other.frame().await, change(4, "active"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_is_answered_and_watches_nobody() {
    let world = World::start().await;
    let _one = world.connect_rtm(user(1)).await;
    let mut asker = world.connect_live(user(2)).await;
    let mut bot = world.connect_rtm(user(3)).await;
    let query = json!({ "type": "presence_query", "ids": ids([1, 4, 2]), "id": 9 }).to_string();
    asker.send(&query).await;
    assert_eq!(asker.frame().await, changes([1, 2], "active"));
    assert_eq!(asker.frame().await, changes([4], "away"));
    bot.send(&query).await;
    for expect in [change(1, "active"), change(2, "active"), change(4, "away")] {
        assert_eq!(bot.frame().await, expect);
    }
    let _four = world.connect_rtm(user(4)).await;
    // Nobody says when the presence server knows: whoever watches nobody has to ask again.
    let began = std::time::Instant::now();
    loop {
        bot.send(&query).await;
        let answer = [bot.frame().await, bot.frame().await, bot.frame().await];
        if answer.contains(&change(4, "active")) {
            break;
        }
        assert!(answer.contains(&change(4, "away")) && began.elapsed() < PATIENCE, "{answer:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    bot.nothing_more().await;
    asker.nothing_more().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_that_cannot_be_taken_are_refused_and_change_nothing() {
    let world = World::start().await;
    let mut rtm = world.connect_rtm(user(1)).await;
    let mut own = world.connect_live(user(2)).await;
    rtm.send(&subscribe([3])).await;
    rtm.until(user(3), "away").await;
    own.send(&subscribe([3])).await;
    own.until(user(3), "away").await;
    for kind in ["presence_sub", "presence_query"] {
        let many = json!({ "type": kind, "id": 7, "ids": ids(0..501) }).to_string();
        rtm.send(&many).await;
        assert_eq!(
            rtm.frame().await,
            json!({ "ok": false, "reply_to": 7, "error": { "code": 3, "msg": "ids: at most 500" } })
        );
        own.send(&many).await;
        assert_eq!(
            own.frame().await,
            json!({ "type": "error", "reply_to": 7, "error": { "code": "too_many_ids", "msg": "ids: at most 500" } })
        );
        rtm.send(&json!({ "type": kind, "id": "x", "ids": [7] }).to_string()).await;
        let refused = rtm.frame().await;
        assert_eq!((&refused["reply_to"], &refused["error"]["code"]), (&json!("x"), &json!(3)));
    }
    let _three = world.connect_rtm(user(3)).await;
    rtm.until(user(3), "active").await;
    own.until(user(3), "active").await;
    // 500 are not too many; those that are nobody are left out.
    own.send(&json!({ "type": "presence_sub", "ids": ids(0..500) }).to_string()).await;
    own.until(user(499), "away").await;
    own.send(&json!({ "type": "presence_sub", "ids": ["nobody", "C000000000001"] }).to_string()).await;
    own.send(r#"{"type":"presence_sub","ids":"U000000000001"}"#).await;
    assert_eq!(own.close_code().await, 4502);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_says_that_they_are_away_is_away_on_every_device() {
    let world = World::start().await;
    let mut watcher = world.connect_rtm(user(1)).await;
    let mut watched = world.connect_live(user(2)).await;
    watcher.send(&subscribe([2])).await;
    watcher.until(user(2), "active").await;
    world.say_away(user(2), true).await;
    watcher.until(user(2), "away").await;
    watched.send(r#"{"type":"tickle"}"#).await;
    let second = world.connect_rtm(user(2)).await;
    watched.socket.close(None).await.unwrap();
    watcher.nothing_more().await;
    // All devices go, and another comes: it was kept.
    drop(second);
    let _third = world.connect_rtm(user(2)).await;
    watcher.nothing_more().await;
    world.say_away(user(2), false).await;
    watcher.until(user(2), "active").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_nothing_becomes_away_and_a_tickle_brings_them_back() {
    let mut presence = SlotsConfig::default();
    presence.slot.limits.away_after_ms = 1_500;
    let activity_every = Duration::from_millis(150);
    let world =
        World::with_presence(Config { loops: 2, activity_every, ..Config::default() }, presence).await;
    let mut watcher = world.connect_live(user(1)).await;
    let mut watched = world.connect_rtm(user(2)).await;
    watcher.send(&subscribe([2])).await;
    watcher.until(user(2), "active").await;
    // Pings are no activity: the client sends them by itself.
    watched.send(r#"{"type":"ping","id":1}"#).await;
    watched.frame().await;
    watcher.until(user(2), "away").await;
    watched.send(r#"{"type":"tickle"}"#).await;
    watcher.until(user(2), "active").await;
    // As long as something is done, they stay.
    for _ in 0..6 {
        watched.send(r#"{"type":"typing","channel":"C000000000001"}"#).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    watcher.nothing_more().await;
    watcher.until(user(2), "away").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_presence_server_that_dies_is_told_everything_again_and_nobody_notices() {
    let world = World::start().await;
    let mut watcher = world.connect_live(user(1)).await;
    let mut people = Vec::new();
    for number in 10..20 {
        people.push(world.connect_rtm(user(number)).await);
    }
    watcher.send(&subscribe(10..30)).await;
    watcher.until(user(19), "active").await;
    watcher.until(user(29), "away").await;
    for _ in 0..2 {
        let epoch = world.presence_control.ring().borrow().epoch().0;
        let ring = world.presence_control.ring().borrow().clone();
        for slot in ring.slots() {
            world.presence.kill(&slot.name);
        }
        let mut ring = world.presence_control.ring();
        let replaced = ring.wait_for(|ring| ring.epoch().0 >= epoch + 2);
        tokio::time::timeout(PATIENCE, replaced).await.unwrap().unwrap();
        // Only those who really change are told.
        people.pop();
        let gone = 10 + people.len() as u64;
        watcher.until(user(gone), "away").await;
        people.push(world.connect_rtm(user(gone)).await);
        let back = watcher.frame().await;
        assert_eq!(back, changes([gone], "active"));
    }
    // The new servers have had time to call somebody away by mistake.
    tokio::time::sleep(Duration::from_millis(1_300)).await;
    watcher.nothing_more().await;
}
