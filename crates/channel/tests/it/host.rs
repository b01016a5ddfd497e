//! A slot with made-up neighbours. The time is tokio's paused one.

use std::{sync::Arc, time::Duration};

use channel::role::Config;
use futures_util::future::join_all;
use model::Head;
use rpc::{Call, CallError, Refusal, Reply, Signal, SignalKind, Subscription};
use tokio::time::{Instant, timeout};

use crate::{
    fakes::{OneSlot, PATIENCE, ring},
    world::{at, topic},
};

#[tokio::test(start_paused = true)]
async fn a_thousand_new_topics_cost_a_few_calls_for_heads() {
    let world = OneSlot::start(Config::default());
    let (one, two) = (world.gateway("gateway-1"), world.gateway("gateway-2"));
    for number in 0..1_000 {
        world.web.create(topic(number), 1);
    }
    let wishes: Vec<_> =
        (0..1_000).map(|number| Subscription { topic: topic(number), after: at(1, 1) }).collect();
    let call = world.call(1);
    let all = join_all(
        [&one, &two].map(|gateway| world.port.subscribe(&call, gateway.node.clone(), wishes.clone())),
    );
    for replies in all.await {
        assert_eq!(replies.unwrap(), vec![Reply::Ok; 1_000]);
    }
    assert_eq!(world.web.heads_calls(), [500, 500]);
    assert_eq!(world.post(topic(7)).await, Reply::Ok);
    assert_eq!(one.until_last("7:e2").await, ["7:e2"]);
    assert_eq!(two.until_last("7:e2").await, ["7:e2"]);
}

#[tokio::test(start_paused = true)]
async fn a_subscriber_is_answered_when_the_head_is_known() {
    let world = OneSlot::start(Config::default());
    let gateway = world.gateway("gateway-1");
    world.web.create(topic(1), 3);
    let permits = world.web.gate.forget_permits(usize::MAX);
    {
        let subscribing = world.subscribe(&gateway, topic(1), 2);
        tokio::pin!(subscribing);
        assert!(timeout(Duration::from_secs(1), &mut subscribing).await.is_err(), "no head, no answer");
        world.web.gate.add_permits(permits);
        assert_eq!(subscribing.await, Reply::Ok);
    }
    assert_eq!(gateway.until_last("1:h3").await, ["1:h3"]);
}

#[tokio::test(start_paused = true)]
async fn a_subscriber_is_refused_when_no_head_comes_and_served_when_it_asks_again() {
    let world = OneSlot::start(Config::default());
    let gateway = world.gateway("gateway-1");
    world.web.create(topic(1), 3);
    world.web.fail(true);
    let wish = vec![Subscription { topic: topic(1), after: at(1, 3) }];
    let answer = world.port.subscribe(&world.call(1), gateway.node.clone(), wish).await;
    assert_eq!(answer, Err(CallError::Failed { role: "channel" }));
    let asked = world.web.heads_calls().len();
    assert!((5..40).contains(&asked), "{asked} calls in 5 s: neither given up nor hammered");
    world.web.fail(false);
    assert_eq!(world.subscribe(&gateway, topic(1), 3).await, Reply::Ok);
    world.post(topic(1)).await;
    assert_eq!(gateway.until_last("1:e4").await, ["1:e4"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_there_is_refused() {
    let world = OneSlot::start(Config { topics_max: 1, ..Config::default() });
    let gateway = world.gateway("gateway-1");
    assert_eq!(world.subscribe(&gateway, topic(1), 0).await, Reply::Refused(Refusal::Unknown));
    world.web.create(topic(1), 0);
    world.web.create(topic(2), 0);
    assert_eq!(world.subscribe(&gateway, topic(1), 0).await, Reply::Ok);
    assert_eq!(world.subscribe(&gateway, topic(2), 0).await, Reply::Refused(Refusal::Full));
    let stranger = crate::fakes::FakeGateway::new("not in the directory");
    assert_eq!(world.subscribe(&stranger, topic(1), 0).await, Reply::Refused(Refusal::Unknown));
}

#[tokio::test(start_paused = true)]
async fn a_hole_is_read_although_web_fails_at_first() {
    let world = OneSlot::start(Config::default());
    let gateway = world.gateway("gateway-1");
    world.web.create(topic(1), 0);
    world.subscribe(&gateway, topic(1), 0).await;
    world.post(topic(1)).await;
    let _lost = world.web.commit(topic(1));
    world.web.fail(true);
    assert_eq!(world.post(topic(1)).await, Reply::Ok);
    gateway.until_last("1:e1").await;
    timeout(Duration::from_secs(3), std::future::pending::<()>()).await.unwrap_err();
    let reads = world.web.events_calls().len();
    assert!((3..20).contains(&reads), "{reads} reads in 3 s");
    world.web.fail(false);
    assert_eq!(gateway.until_last("1:e3").await, ["1:e1", "1:e2", "1:e3"]);
}

#[tokio::test(start_paused = true)]
async fn a_topic_whose_store_is_away_holds_up_no_other() {
    let world = OneSlot::start(Config::default());
    let gateway = world.gateway("gateway-1");
    world.web.create(topic(1), 1);
    world.web.create(topic(2), 1);
    world.web.away(topic(1), true);
    let wait = timeout(Duration::from_millis(100), world.subscribe(&gateway, topic(1), 1)).await;
    assert!(wait.is_err(), "its head is not known");
    assert_eq!(world.subscribe(&gateway, topic(2), 1).await, Reply::Ok);
    world.post(topic(2)).await;
    gateway.until_last("2:e2").await;
    world.web.away(topic(1), false);
    assert_eq!(world.subscribe(&gateway, topic(1), 1).await, Reply::Ok, "it is asked for again");
    world.post(topic(1)).await;
    gateway.until_last("1:e2").await;
}

#[tokio::test(start_paused = true)]
async fn a_hole_that_fills_by_itself_is_not_read() {
    let world = OneSlot::start(Config::default());
    let gateway = world.gateway("gateway-1");
    world.web.create(topic(1), 0);
    world.subscribe(&gateway, topic(1), 0).await;
    let events = [world.web.commit(topic(1)), world.web.commit(topic(1))];
    for event in events.into_iter().rev() {
        world.publish(vec![event]).await;
    }
    assert_eq!(gateway.until_last("1:e2").await, ["1:e1", "1:e2"]);
    timeout(Duration::from_secs(1), std::future::pending::<()>()).await.unwrap_err();
    assert_eq!(world.web.events_calls(), []);
}

#[tokio::test(start_paused = true)]
async fn the_sweep_brings_what_was_never_published() {
    let world = OneSlot::start(Config::default());
    let gateway = world.gateway("gateway-1");
    world.web.create(topic(1), 0);
    world.subscribe(&gateway, topic(1), 0).await;
    for _ in 0..3 {
        world.web.commit(topic(1));
    }
    let heads = [1, 2].map(|number| Head { topic: topic(number), position: at(1, 3) });
    let replies = world.port.announce(&world.call(1), heads.to_vec()).await.unwrap();
    assert_eq!(replies, [Reply::Behind { have: model::Seq::ZERO }, Reply::Ok], "nobody listens to 2");
    assert_eq!(gateway.until_last("1:e3").await, ["1:e1", "1:e2", "1:e3"]);
}

#[tokio::test(start_paused = true)]
async fn an_announcement_of_what_never_was_is_forgotten() {
    let world = OneSlot::start(Config::default());
    let gateway = world.gateway("gateway-1");
    world.web.create(topic(1), 2);
    world.subscribe(&gateway, topic(1), 2).await;
    let heads = vec![Head { topic: topic(1), position: at(1, 9) }];
    world.port.announce(&world.call(1), heads).await.unwrap();
    timeout(PATIENCE, std::future::pending::<()>()).await.unwrap_err();
    let reads = world.web.events_calls().len();
    assert!((2..=10).contains(&reads), "{reads} reads");
    world.post(topic(1)).await;
    assert_eq!(gateway.until_last("1:e3").await, ["1:e3"]);
}

#[tokio::test(start_paused = true)]
async fn a_caller_with_an_older_ring_is_refused_with_the_newer() {
    let world = OneSlot::start(Config::default());
    let gateway = world.gateway("gateway-1");
    world.web.create(topic(1), 0);
    let event = world.web.commit(topic(1));
    world.ring.send_replace(ring(5, &["a"]));
    let refused = Reply::NotOwner { epoch: model::Epoch(5) };
    let call = world.call(4);
    let wish = Subscription { topic: topic(1), after: at(1, 0) };
    let head = Head { topic: topic(1), position: at(1, 1) };
    let signal =
        Signal { topic: topic(1), kind: SignalKind::Typing, except: None, body: bytes::Bytes::new() };
    for replies in [
        world.port.publish(&call, vec![event.clone()]).await,
        world.port.announce(&call, vec![head]).await,
        world.port.signal(&call, vec![signal]).await,
        world.port.subscribe(&call, gateway.node.clone(), vec![wish]).await,
    ] {
        assert_eq!(replies.unwrap(), std::slice::from_ref(&refused));
    }
}

#[tokio::test(start_paused = true)]
async fn a_caller_with_a_newer_ring_waits_for_it_to_come() {
    let world = OneSlot::start(Config::default());
    let gateway = world.gateway("gateway-1");
    world.web.create(topic(1), 0);
    world.subscribe(&gateway, topic(1), 0).await;
    let event = world.web.commit(topic(1));
    let call = world.call(2);
    let before = Instant::now();
    let replies = world.port.publish(&call, vec![event.clone()]).await.unwrap();
    assert_eq!(replies, [Reply::NotOwner { epoch: model::Epoch(1) }], "the newer ring does not come");
    assert_eq!(before.elapsed(), Config::default().ring_wait);
    let (replies, _) = tokio::join!(world.port.publish(&call, vec![event]), async {
        tokio::task::yield_now().await;
        world.ring.send_replace(ring(2, &["a"]))
    });
    assert_eq!(replies.unwrap(), [Reply::Ok]);
    gateway.until_last("1:e1").await;
}

#[tokio::test(start_paused = true)]
async fn topics_of_other_slots_are_refused_one_by_one() {
    let world = OneSlot::start(Config::default());
    world.ring.send_replace(ring(2, &["a", "b"]));
    let ring = ring(2, &["a", "b"]);
    let events: Vec<_> = (0..20)
        .map(|number| {
            world.web.create(topic(number), 0);
            world.web.commit(topic(number))
        })
        .collect();
    let expected: Vec<_> = (0..20)
        .map(|number| match ring.owner(topic(number)).name.0.as_str() {
            "a" => Reply::Ok,
            _ => Reply::NotOwner { epoch: model::Epoch(2) },
        })
        .collect();
    assert!(expected.contains(&Reply::Ok) && expected.iter().any(|reply| *reply != Reply::Ok));
    assert_eq!(world.publish(events).await, expected);
}

#[tokio::test(start_paused = true)]
async fn a_slot_that_was_given_away_serves_nobody_and_ends() {
    let world = OneSlot::start(Config::default());
    world.web.create(topic(1), 0);
    let event = world.web.commit(topic(1));
    let next = world.ring.borrow().replaced(world.slot.slot(), crate::fakes::node("another")).unwrap();
    world.ring.send_replace(Arc::new(next));
    timeout(PATIENCE, world.slot.ended().cancelled()).await.unwrap();
    let replies = world.publish(vec![event]).await;
    assert_eq!(replies, [Reply::Refused(Refusal::Draining)]);
}

#[tokio::test(start_paused = true)]
async fn a_drain_delivers_what_was_taken() {
    let world = OneSlot::start(Config::default());
    let gateway = world.gateway("gateway-1");
    world.web.create(topic(1), 0);
    world.subscribe(&gateway, topic(1), 0).await;
    let permits = gateway.gate.forget_permits(usize::MAX);
    world.post(topic(1)).await;
    gateway.until_calls(1).await;
    world.post(topic(1)).await;
    world.tasks.start_drain();
    tokio::task::yield_now().await;
    assert_eq!(world.post(topic(1)).await, Reply::Refused(Refusal::Draining));
    gateway.gate.add_permits(permits);
    timeout(PATIENCE, world.tasks.ended()).await.unwrap();
    assert_eq!(gateway.until_last("1:e2").await, ["1:e1", "1:e2"]);
}

#[tokio::test(start_paused = true)]
async fn a_failed_task_fails_the_slot() {
    let world = OneSlot::start(Config::default());
    let gateway = world.gateway("gateway-1");
    world.web.panic();
    let wish = vec![Subscription { topic: topic(1), after: at(1, 0) }];
    let call = Call { timeout: Duration::from_secs(1), ..world.call(1) };
    world.port.subscribe(&call, gateway.node.clone(), wish).await.unwrap_err();
    timeout(PATIENCE, world.slot.ended().cancelled()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn unsubscribing_ends_deliveries() {
    let world = OneSlot::start(Config::default());
    let (one, two) = (world.gateway("gateway-1"), world.gateway("gateway-2"));
    world.web.create(topic(1), 0);
    world.subscribe(&one, topic(1), 0).await;
    world.subscribe(&two, topic(1), 0).await;
    world.post(topic(1)).await;
    one.until_last("1:e1").await;
    let call = world.call(0);
    let replies = world.port.unsubscribe(&call, one.node.clone(), vec![topic(1), topic(2)]).await.unwrap();
    assert_eq!(replies, [Reply::Ok, Reply::Ok], "by any ring");
    world.post(topic(1)).await;
    two.until_last("1:e2").await;
    assert_eq!(one.taken().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_gateway_that_left_the_directory_is_forgotten_and_may_come_back() {
    let world = OneSlot::start(Config::default());
    let gateway = world.gateway("gateway-1");
    world.web.create(topic(1), 0);
    world.subscribe(&gateway, topic(1), 0).await;
    world.gateways.remove(&gateway.node);
    timeout(PATIENCE * 3, std::future::pending::<()>()).await.unwrap_err();
    world.gateways.insert(gateway.node.clone(), Arc::clone(&gateway) as Arc<dyn rpc::Gateway>);
    let other = world.gateway("gateway-2");
    world.subscribe(&other, topic(1), 0).await;
    world.post(topic(1)).await;
    other.until_last("1:e1").await;
    assert_eq!(gateway.taken(), []);
    world.subscribe(&gateway, topic(1), 0).await;
    assert_eq!(gateway.until_last("1:e1").await, ["1:e1"]);
}

#[tokio::test(start_paused = true)]
async fn an_idle_topic_gives_its_history_back() {
    let world = OneSlot::start(Config::default());
    let (one, two) = (world.gateway("gateway-1"), world.gateway("gateway-2"));
    world.web.create(topic(1), 0);
    world.subscribe(&one, topic(1), 0).await;
    world.post(topic(1)).await;
    for _ in 0..12 {
        timeout(PATIENCE / 4, std::future::pending::<()>()).await.unwrap_err();
        assert_eq!(world.subscribe(&one, topic(1), 1).await, Reply::Ok, "subscribing again is nothing new");
    }
    world.subscribe(&two, topic(1), 0).await;
    assert_eq!(two.until_last("1:h1").await, ["1:h1"]);
}

#[tokio::test(start_paused = true)]
async fn the_journey_tells_the_times() {
    let world = OneSlot::start(Config::default());
    let gateway = world.gateway("gateway-1");
    world.web.create(topic(1), 0);
    world.subscribe(&gateway, topic(1), 0).await;
    let (first, second) = (world.web.commit(topic(1)), world.web.commit(topic(1)));
    world.publish(vec![second]).await;
    world.clock.set(2_000);
    world.publish(vec![first]).await;
    gateway.until_last("1:e2").await;
    let journey = world.port.journey(&world.call(1), topic(1), model::Seq::new(2)).await.unwrap().unwrap();
    assert_eq!((journey.received, journey.sent), (1_000, 2_000));
    assert_eq!(journey.gateways.len(), 1);
    assert_eq!(world.port.journey(&world.call(1), topic(1), model::Seq::new(3)).await, Ok(None));
}

#[tokio::test(start_paused = true)]
async fn a_slot_whose_memory_is_spent_keeps_nothing_and_loses_nothing() {
    let world = OneSlot::start(Config { events_bytes_max: 0, ..Config::default() });
    let (one, two) = (world.gateway("gateway-1"), world.gateway("gateway-2"));
    world.web.create(topic(1), 0);
    world.subscribe(&one, topic(1), 0).await;
    world.post(topic(1)).await;
    let events = [world.web.commit(topic(1)), world.web.commit(topic(1))];
    for (event, reply) in events.into_iter().rev().zip([Reply::Behind { have: at(1, 1).seq }, Reply::Ok]) {
        assert_eq!(world.publish(vec![event]).await, [reply]);
    }
    assert_eq!(one.until_last("1:e3").await, ["1:e1", "1:e2", "1:e3"]);
    world.subscribe(&two, topic(1), 2).await;
    assert_eq!(two.until_last("1:h3").await, ["1:h3"]);
}

#[test]
fn metrics_carry_the_slot() {
    let metrics = runtime::telemetry::Metrics::default();
    let slot = channel::metrics::ChannelMetrics::register(&metrics).slot(&model::SlotName("a".to_owned()));
    slot.events.inc_by(3);
    slot.topics.set(2);
    let text = metrics.encode();
    for line in ["parlance_channel_events_total{slot=\"a\"} 3", "parlance_channel_topics{slot=\"a\"} 2"] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
}
