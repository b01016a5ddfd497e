//! Refusals, revocation, drain, and Channel Servers that go away.

use std::{sync::atomic::Ordering, time::Duration};

use futures_util::SinkExt as _;
use model::{CredentialId, Head};
use rpc::{BootError, Delivery, Effect, Protocol};
use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio_tungstenite::tungstenite::Message;

use crate::world::{AdoptedSocketPlan, World, at, channel, topic, user};

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_start_is_closed_with_its_reason() {
    let world = World::start().await;
    let mut client = world.adopt(AdoptedSocketPlan::new("unknown".into(), Protocol::Own)).await;
    assert_eq!(client.close_code().await, 4006);
    let mut plan = AdoptedSocketPlan::new(world.ticket(user(1), Protocol::Own), Protocol::Own);
    plan.origin = Some("http://evil".into());
    assert_eq!(world.adopt(plan).await.close_code().await, 4501);
    // A ticket for the other protocol.
    let plan = AdoptedSocketPlan::new(world.ticket(user(1), Protocol::Rtm), Protocol::Own);
    assert_eq!(world.adopt(plan).await.close_code().await, 4006);
    for (error, code) in [(BootError::Overloaded, 4002), (BootError::Revoked, 4500)] {
        world.web.store.lock().unwrap().boot_error = Some(error);
        let plan = AdoptedSocketPlan::new(world.ticket(user(1), Protocol::Own), Protocol::Own);
        assert_eq!(world.adopt(plan).await.close_code().await, code);
    }
    assert!(world.metrics.encode().contains(r#"parlance_gateway_boot_failures_total{reason="origin"} 1"#));
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_that_no_client_sends_close_the_socket() {
    let world = World::start().await;
    for (protocol, frame, code) in [
        (Protocol::Own, Message::text("[]"), 4502),
        (Protocol::Own, Message::text("not json"), 4502),
        (Protocol::Own, Message::binary(vec![1]), 1003),
        (Protocol::Own, Message::text(format!("{{\"a\":\"{}\"}}", "x".repeat(64 << 10))), 1009),
        (Protocol::Rtm, Message::text("{"), 4502),
        (Protocol::Rtm, Message::text(format!("{{\"a\":\"{}\"}}", "x".repeat(16 << 10))), 1009),
    ] {
        let ticket = world.ticket(user(1), protocol);
        let mut client = world.adopt(AdoptedSocketPlan::new(ticket, protocol)).await;
        client.frame().await;
        client.socket.send(frame).await.unwrap();
        assert_eq!(client.close_code().await, code);
    }
    // A resume of a hundred thousand topics does not fit a frame.
    let many: Vec<String> = (0..100_000).map(|n| format!("\"C{n}\":[1,1]")).collect();
    let mut client = world.connect(user(1)).await;
    let _ = client.socket.send(Message::text(format!("{{\"positions\":{{{}}}}}", many.join(",")))).await;
    assert_eq!(client.close_code().await, 1009);
    for (bytes, code) in [
        // Unmasked, a reserved bit, text that is not UTF-8.
        (vec![0x81, 1, b'x'], 1002),
        (vec![0xc1, 0x81, 0, 0, 0, 0, b'x'], 1002),
        (vec![0x81, 0x81, 0, 0, 0, 0, 0xff], 1007),
    ] {
        let mut client = world.connect(user(1)).await;
        client.socket.get_mut().write_all(&bytes).await.unwrap();
        assert_eq!(client.close_code().await, code);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_close_is_answered() {
    let world = World::start().await;
    let mut client = world.connect(user(1)).await;
    client.socket.close(None).await.unwrap();
    assert_eq!(client.close_code().await, 1000);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_reaches_a_revoked_session() {
    let world = World::start().await;
    for number in 1..=2 {
        world.add_member(user(number), channel(1));
    }
    let mut own = world.connect_live(user(1)).await;
    let mut rtm = world.connect_rtm(user(1)).await;
    let mut other = world.connect_live(user(2)).await;
    let credential = CredentialId(u128::from(user(1).raw()).to_le_bytes());
    let mut ended = 0;
    for (_, port) in world.gateways.all() {
        ended += port.revoke(&World::call(), vec![credential]).await.unwrap();
    }
    assert_eq!(ended, 2);
    world.post(channel(1), "secret").await;
    assert_eq!(other.event().await, (channel(1), 1));
    assert!(matches!(own.message().await, Message::Close(Some(close)) if u16::from(close.code) == 4500));
    assert_eq!(rtm.frame().await["type"], "error");
    assert_eq!(rtm.close_code().await, 4500);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_says_goodbye_and_closes_everybody() {
    let world = World::start().await;
    let mut own = world.connect_live(user(1)).await;
    let mut rtm = world.connect_rtm(user(2)).await;
    let (gateway, over) = (world.gateway.clone(), Duration::from_millis(300));
    let draining = tokio::spawn(async move { gateway.drain(over).await });
    let goodbye = own.frame().await;
    assert_eq!(goodbye["type"], "goodbye");
    assert!(goodbye["reconnect_ms"].as_u64().unwrap() <= 300);
    assert_eq!(rtm.frame().await, json!({"type": "goodbye"}));
    assert_eq!((own.close_code().await, rtm.close_code().await), (4000, 4000));
    drop((own, rtm));
    draining.await.unwrap();
    assert!(world.gateway.health().draining);
    let plan = AdoptedSocketPlan::new(world.ticket(user(1), Protocol::Own), Protocol::Own);
    assert_eq!(world.adopt(plan).await.close_code().await, 4000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_event_is_read() {
    let world = World::start().await;
    world.add_member(user(1), channel(1));
    let mut client = world.connect_live(user(1)).await;
    world.post(channel(1), "1").await;
    assert_eq!(client.event().await, (channel(1), 1));
    for _ in 0..3 {
        world.commit(channel(1), Effect::None, "lost");
    }
    let reads = world.web.reads.load(Ordering::Relaxed);
    world.post(channel(1), "5").await;
    for seq in 2..=5 {
        assert_eq!(client.event().await, (channel(1), seq));
    }
    assert!(world.web.reads.load(Ordering::Relaxed) > reads);
    // A head alone is enough.
    world.commit(channel(1), Effect::None, "lost");
    let head = Head { topic: topic(channel(1)), position: at(6) };
    world.servers.server(channel(1)).send(topic(channel(1)), Delivery::Head(head)).await;
    assert_eq!(client.event().await, (channel(1), 6));
    client.nothing_more().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_go_on_after_a_channel_server_was_killed_and_replaced() {
    let world = World::start().await;
    for number in 1..=20 {
        world.add_member(user(1), channel(number));
    }
    let mut client = world.connect_live(user(1)).await;
    let mut expect = std::collections::BTreeMap::new();
    for round in 1..=4 {
        let slot = world.servers.owner(channel(round));
        world.servers.kill(&slot);
        for number in 1..=20 {
            // Lost for the topics of the dead server.
            world.post(channel(number), "x").await;
        }
        world.servers.replace(&slot);
        for number in 1..=20 {
            world.post(channel(number), "y").await;
        }
        for _ in 0..40 {
            let (topic, seq) = client.event().await;
            let last = expect.insert(topic, seq).unwrap_or(0);
            assert_eq!(seq, last + 1, "{topic}");
        }
    }
    assert!(expect.values().all(|&seq| seq == 8));
    client.nothing_more().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_of_yesterday_is_refused() {
    let world = World::start().await;
    let slot = world.servers.owner(channel(1));
    world.servers.replace(&slot);
    let (_, port) = world.gateways.all().into_iter().next().unwrap();
    let event = Delivery::Event(world.commit(channel(1), Effect::None, "x"));
    let mut call = World::call();
    call.caller = slot.node.clone();
    let replies = port.deliver(&call, slot.name.clone(), vec![event.clone()]).await.unwrap();
    assert!(matches!(replies.as_slice(), [rpc::Reply::NotOwner { epoch }] if epoch.0 == 2));
    call.caller = world.servers.owner(channel(1)).node;
    let replies = port.deliver(&call, slot.name, vec![event]).await.unwrap();
    assert_eq!(replies, [rpc::Reply::Ok]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_journey_of_an_event_is_known() {
    let world = World::start().await;
    world.add_member(user(1), channel(1));
    let mut clients = [world.connect_live(user(1)).await, world.connect_live(user(1)).await];
    world.post(channel(1), "x").await;
    let mut sockets = 0;
    for client in &mut clients {
        client.event().await;
    }
    for (node, port) in world.gateways.all() {
        let journey = port.journey(&World::call(), topic(channel(1)), at(1).seq).await.unwrap();
        if let Some(journey) = journey {
            assert_eq!(journey.gateway, node);
            assert!(journey.received > 0 && journey.written >= journey.received);
            sockets += journey.sockets;
        }
    }
    assert_eq!(sockets, 2);
}
