//! Heads, signals, revocations, journeys.

use std::{sync::Arc, time::Duration};

use admin::Config;
use bytes::Bytes;
use model::{Epoch, Head, Seq, Topic};
use rpc::{CallError, ChannelServer, Refusal, Reply, Revoked, Signal, SignalKind};
use tokio::time::Instant;

use crate::fakes::{FakeChannel, FakeGateway, Manner, World, at, call, event, node};

fn head(topic: Topic) -> Head {
    Head { topic, position: at(1) }
}

fn signal(topic: Topic) -> Signal {
    Signal { topic, kind: SignalKind::Ephemeral, except: None, body: Bytes::new() }
}

#[tokio::test(start_paused = true)]
async fn heads_go_to_their_slots_and_a_slot_that_hangs_holds_up_nobody() {
    let world = World::start(Config::default());
    let (a, b) = world.topics(0);
    let before = Instant::now();
    let heads = vec![head(a), head(b)];
    let replies = world.admin.announce(&call(Duration::from_secs(5)), heads.clone()).await.unwrap();
    assert_eq!(replies, [Reply::Ok, Reply::Ok]);
    assert_eq!(before.elapsed(), Duration::ZERO);
    let _held = world.a.gate.forget_permits(usize::MAX);
    let replies = world.admin.announce(&call(Duration::from_secs(5)), heads).await.unwrap();
    assert_eq!(replies, [Reply::Refused(Refusal::Full), Reply::Ok]);
    assert_eq!(before.elapsed(), Config::default().announce_timeout);
    assert_eq!(world.b.taken(), 2);
}

#[tokio::test(start_paused = true)]
async fn signals_follow_a_replacement() {
    let world = World::start(Config::default());
    let (a, b) = world.topics(0);
    for manner in [
        Manner::Odd(Reply::NotOwner { epoch: Epoch(9) }),
        Manner::Fail(CallError::Unavailable { role: "channel" }),
    ] {
        world.ring.send_replace(crate::fakes::ring(1, &["a", "b"]));
        world.channels.insert(node("channel-a", 1), Arc::clone(&world.a) as Arc<dyn ChannelServer>);
        world.a.set(manner);
        let (next, calls) = (FakeChannel::new(), *world.a.calls.borrow());
        let caller = call(Duration::from_secs(5));
        let (replies, ()) = tokio::join!(world.admin.signal(&caller, vec![signal(a), signal(b)]), async {
            world.a.until_calls(calls + 2).await;
            world.replace_a(&next);
        });
        assert_eq!(replies.unwrap(), [Reply::Ok, Reply::Ok]);
        assert_eq!(next.taken(), 1);
    }
    assert_eq!(world.b.taken(), 2, "once each");
}

#[tokio::test(start_paused = true)]
async fn a_signal_that_may_have_arrived_is_not_repeated() {
    let world = World::start(Config::default());
    let (a, _) = world.topics(0);
    world.a.set(Manner::Fail(CallError::Deadline { role: "channel" }));
    let replies = world.admin.signal(&call(Duration::from_secs(5)), vec![signal(a)]).await.unwrap();
    assert_eq!(replies, [Reply::Refused(Refusal::Full)]);
    assert_eq!((*world.a.calls.borrow(), world.metrics.signals_lost.get()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_revocation_ends_when_every_gateway_confirmed() {
    let world = World::start(Config::default());
    let before = Instant::now();
    for (name, sessions, failures) in [("g1", 2, 0), ("g2", 0, 0), ("g3", 1, 3)] {
        world.gateways.insert(node(name, 1), FakeGateway::new(sessions, failures));
    }
    let revoked = world.admin.revoke(&call(Duration::from_secs(5)), Vec::new()).await.unwrap();
    assert_eq!(revoked, Revoked { sessions: 3, lapsed: 0 });
    assert!(before.elapsed() < Duration::from_millis(500), "{:?}", before.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_gateway_that_does_not_confirm_costs_its_lease() {
    for failures in [0, usize::MAX] {
        let world = World::start(Config::default());
        let silent = FakeGateway::new(5, failures);
        if failures == 0 {
            silent.gate.forget_permits(usize::MAX);
        }
        world.gateways.insert(node("g1", 1), silent);
        world.gateways.insert(node("g2", 1), FakeGateway::new(1, 0));
        let before = Instant::now();
        let revoked = world.admin.revoke(&call(Duration::from_secs(5)), Vec::new()).await.unwrap();
        assert_eq!(revoked, Revoked { sessions: 1, lapsed: 1 });
        assert_eq!(before.elapsed(), Duration::from_secs(2));
    }
}

#[tokio::test(start_paused = true)]
async fn the_journey_is_what_admin_and_the_owner_know() {
    let world = World::start(Config { journal_events_max: 2, ..Config::default() });
    let (a, _) = world.topics(0);
    for seq in 1..=3 {
        world.clock.set(i64::try_from(seq).unwrap() * 100);
        world.publish(vec![event(a, seq)]).await;
        world.a.until(usize::try_from(seq).unwrap()).await;
    }
    let caller = call(Duration::from_secs(1));
    let of = |seq| world.admin.journey(&caller, a, Seq::new(seq));
    let known = of(3).await.unwrap();
    assert_eq!((known.admin, known.channel.map(|channel| channel.sent)), (Some(300), Some(2)));
    assert_eq!(of(1).await.unwrap().admin, None, "forgotten");
    world.a.set(Manner::Fail(CallError::Failed { role: "channel" }));
    let known = of(2).await.unwrap();
    assert_eq!((known.admin, known.channel), (Some(200), None));
}
