//! Slack's RTM.

use serde_json::json;

use crate::world::{World, channel, user};

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_acknowledged_to_its_sender_and_shown_to_everybody_else() {
    let world = World::start().await;
    for number in 1..=2 {
        world.add_member(user(number), channel(1));
    }
    let mut sender = world.connect_rtm(user(1)).await;
    let mut same_person = world.connect_rtm(user(1)).await;
    let mut other = world.connect_rtm(user(2)).await;
    let mut own = world.connect_live(user(2)).await;
    let c = channel(1).to_string();
    sender.send(&json!({"id": 5, "type": "message", "channel": c, "text": "h\"i"}).to_string()).await;
    assert_eq!(
        sender.frame().await,
        json!({"ok": true, "reply_to": 5, "ts": "1700000000.000001", "text": "h\"i"})
    );
    let event = json!({"type": "message", "text": "h\"i"});
    assert_eq!(same_person.frame().await, event);
    assert_eq!(other.frame().await, event);
    assert_eq!(own.event().await, (channel(1), 1));
    world.post(channel(1), "by HTTP").await;
    for client in [&mut sender, &mut same_person, &mut other] {
        assert_eq!(client.frame().await, json!({"type": "message", "text": "by HTTP"}));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_messages_of_one_socket_keep_their_order() {
    let world = World::start().await;
    world.add_member(user(1), channel(1));
    world.add_member(user(2), channel(1));
    let mut sender = world.connect_rtm(user(1)).await;
    let mut reader = world.connect_rtm(user(2)).await;
    for id in 0..30 {
        let c = channel(1).to_string();
        sender
            .send(&json!({"id": id, "type": "message", "channel": c, "text": format!("{id}")}).to_string())
            .await;
    }
    for id in 0..30 {
        assert_eq!(sender.frame().await["reply_to"], id);
        assert_eq!(reader.frame().await["text"], format!("{id}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_and_pings_are_answered() {
    let world = World::start().await;
    let mut client = world.connect_rtm(user(1)).await;
    for (frame, answer) in [
        (
            r#"{"id":1,"type":"message","channel":"nowhere","text":"x"}"#,
            r#"{"ok":false,"reply_to":1,"error":{"code":-1,"msg":"channel not found"}}"#,
        ),
        (
            r#"{"id":2,"type":"message","channel":"C1"}"#,
            r#"{"ok":false,"reply_to":2,"error":{"code":2,"msg":"message text is missing"}}"#,
        ),
        (r#"{"type":"ping","id":3,"time":12}"#, r#"{"type":"pong","reply_to":3,"time":12}"#),
    ] {
        client.send(frame).await;
        assert_eq!(client.frame().await, serde_json::from_str::<serde_json::Value>(answer).unwrap());
    }
    client.nothing_more().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn typing_reaches_the_others_once_in_three_seconds() {
    let world = World::start().await;
    for number in 1..=2 {
        world.add_member(user(number), channel(1));
    }
    let mut typist = world.connect_rtm(user(1)).await;
    let mut watcher = world.connect_live(user(2)).await;
    let c = channel(1).to_string();
    // Both follow the channel at its server once an event has come through.
    world.post(channel(1), "x").await;
    typist.frame().await;
    watcher.frame().await;
    for _ in 0..5 {
        typist.send(&json!({"id": 1, "type": "typing", "channel": c}).to_string()).await;
    }
    typist.send(&json!({"id": 1, "type": "typing", "channel": channel(2).to_string()}).to_string()).await;
    let typing = json!({"type": "user_typing", "channel": c, "user": user(1).to_string()});
    assert_eq!(watcher.frame().await, typing);
    // One's own typing comes back to nobody, and the other four went nowhere.
    world.post(channel(1), "y").await;
    assert_eq!(watcher.event().await, (channel(1), 2));
    assert_eq!(typist.frame().await["text"], "y");
}
