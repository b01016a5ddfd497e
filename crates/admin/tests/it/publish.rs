//! Committed events on their way to slots.

use std::{sync::Arc, time::Duration};

use admin::Config;
use model::Epoch;
use rpc::{CallError, ChannelServer, Refusal, Reply};
use tokio::time::{Instant, timeout};

use crate::fakes::{FakeChannel, Manner, PATIENCE, World, event, node, ring};

#[tokio::test(start_paused = true)]
async fn each_slot_gets_its_topics_in_order() {
    let world = World::start(Config { batch_events_max: 3, ..Config::default() });
    let (a, b) = world.topics(0);
    for seq in 1..=10 {
        assert_eq!(world.publish(vec![event(a, seq), event(b, seq)]).await, [Reply::Ok, Reply::Ok]);
    }
    let expected = |topic: model::Topic| (1..=10).map(|seq| (topic.id.raw(), seq)).collect::<Vec<_>>();
    assert_eq!(world.a.until(10).await, expected(a));
    assert_eq!(world.b.until(10).await, expected(b));
    assert_eq!(world.metrics.forwarded.get(), 20);
}

#[tokio::test(start_paused = true)]
async fn what_queued_during_a_call_goes_as_one_batch() {
    let world = World::start(Config::default());
    let (a, _) = world.topics(0);
    let permits = world.a.gate.forget_permits(usize::MAX);
    world.publish(vec![event(a, 1)]).await;
    world.a.until_calls(1).await;
    for seq in 2..=9 {
        world.publish(vec![event(a, seq)]).await;
    }
    world.a.gate.add_permits(permits);
    world.a.until(9).await;
    assert_eq!(*world.a.calls.borrow(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_slot_that_hangs_holds_up_nobody_else_and_is_bounded() {
    let world = World::start(Config { queue_events_max: 4, batch_events_max: 1, ..Config::default() });
    let (a, b) = world.topics(0);
    let permits = world.a.gate.forget_permits(usize::MAX);
    let before = Instant::now();
    world.publish(vec![event(a, 1)]).await;
    world.a.until_calls(1).await;
    for seq in 2..=9 {
        let expected = if seq <= 5 { Reply::Ok } else { Reply::Refused(Refusal::Full) };
        assert_eq!(world.publish(vec![event(a, seq), event(b, seq)]).await, [expected, Reply::Ok]);
        world.b.until(usize::try_from(seq).unwrap() - 1).await;
    }
    assert_eq!(before.elapsed(), Duration::ZERO);
    world.a.gate.add_permits(permits);
    assert_eq!(world.a.until(5).await.len(), 5);
    assert_eq!(world.metrics.refused_full.get(), 4);
    assert_eq!(world.metrics.queued.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn bytes_are_bounded_too() {
    let world = World::start(Config { queue_bytes_max: 100, ..Config::default() });
    let (a, _) = world.topics(0);
    assert_eq!(world.publish(vec![event(a, 1)]).await, [Reply::Refused(Refusal::Full)]);
}

#[tokio::test(start_paused = true)]
async fn a_replaced_slot_gets_everything_in_order() {
    let world = World::start(Config::default());
    let (a, _) = world.topics(0);
    world.a.set(Manner::Fail(CallError::Unavailable { role: "channel" }));
    for seq in 1..=5 {
        world.publish(vec![event(a, seq)]).await;
    }
    world.a.until_calls(3).await;
    let next = FakeChannel::new();
    world.replace_a(&next);
    assert_eq!(next.until(5).await, (1..=5).map(|seq| (a.id.raw(), seq)).collect::<Vec<_>>());
    assert_eq!(next.epochs(), [2; 5]);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_by_ring_waits_for_the_newer_ring() {
    for refusal in [Reply::NotOwner { epoch: Epoch(2) }, Reply::Refused(Refusal::Draining)] {
        let world = World::start(Config::default());
        let (a, _) = world.topics(0);
        world.a.set(Manner::Odd(refusal));
        let events = (1..=4).map(|seq| event(a, seq)).collect();
        world.publish(events).await;
        assert_eq!(world.a.until(2).await, [(a.id.raw(), 2), (a.id.raw(), 4)]);
        let next = FakeChannel::new();
        world.replace_a(&next);
        assert_eq!(next.until(2).await, [(a.id.raw(), 1), (a.id.raw(), 3)], "only what was not taken");
    }
}

#[tokio::test(start_paused = true)]
async fn a_slot_that_is_behind_our_ring_is_asked_again() {
    let world = World::start(Config::default());
    let (a, _) = world.topics(0);
    world.a.set(Manner::Odd(Reply::NotOwner { epoch: Epoch(0) }));
    world.publish(vec![event(a, 1)]).await;
    world.a.until_calls(3).await;
    world.a.set(Manner::Take);
    world.a.until(1).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_not_taken_in_time_is_left_to_the_sweep() {
    let world = World::start(Config::default());
    let (a, _) = world.topics(0);
    world.channels.remove(&node("channel-a", 1));
    world.publish(vec![event(a, 1), event(a, 2)]).await;
    timeout(Duration::from_secs(6), std::future::pending::<()>()).await.unwrap_err();
    assert_eq!(world.metrics.given_up.get(), 2);
    assert!((10..60).contains(&world.metrics.call_failures.get()), "tried, and not all the time");
    world.channels.insert(node("channel-a", 1), Arc::clone(&world.a) as Arc<dyn ChannelServer>);
    world.publish(vec![event(a, 3)]).await;
    assert_eq!(world.a.until(1).await, [(a.id.raw(), 3)]);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_for_good_is_not_repeated() {
    let world = World::start(Config::default());
    let (a, _) = world.topics(0);
    world.a.set(Manner::Odd(Reply::Refused(Refusal::Full)));
    world.publish(vec![event(a, 1)]).await;
    world.a.until_calls(1).await;
    world.publish(vec![event(a, 2)]).await;
    assert_eq!(world.a.until(1).await, [(a.id.raw(), 2)]);
    assert_eq!((world.metrics.dropped.get(), *world.a.calls.borrow()), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn the_events_of_a_slot_that_is_no_more_find_the_new_owner() {
    let world = World::start(Config::default());
    let (a, _) = world.topics(0);
    world.a.set(Manner::Fail(CallError::Unavailable { role: "channel" }));
    world.publish(vec![event(a, 1)]).await;
    world.a.until_calls(1).await;
    world.ring.send_replace(ring(2, &["b"]));
    assert_eq!(world.b.until(1).await, [(a.id.raw(), 1)]);
}

#[tokio::test(start_paused = true)]
async fn a_drain_hands_over_what_is_queued() {
    let world = World::start(Config::default());
    let (a, b) = world.topics(0);
    let permits = world.a.gate.forget_permits(usize::MAX);
    world.publish(vec![event(a, 1), event(b, 1)]).await;
    world.a.until_calls(1).await;
    world.publish(vec![event(a, 2)]).await;
    world.tasks.start_drain();
    world.a.gate.add_permits(permits);
    timeout(PATIENCE, world.tasks.ended()).await.unwrap();
    assert_eq!((world.a.taken(), world.b.taken()), (2, 1));
    assert!(!world.tasks.failed().is_cancelled());
}

#[tokio::test(start_paused = true)]
async fn a_drain_does_not_wait_for_a_slot_that_is_gone() {
    let world = World::start(Config::default());
    let (a, _) = world.topics(0);
    world.a.set(Manner::Fail(CallError::Unavailable { role: "channel" }));
    world.publish(vec![event(a, 1)]).await;
    world.a.until_calls(1).await;
    world.tasks.start_drain();
    timeout(Duration::from_secs(1), world.tasks.ended()).await.unwrap();
    assert_eq!(world.metrics.given_up.get(), 1);
}
