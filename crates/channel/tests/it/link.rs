//! The way to one gateway: order, bounds, degradation.

use std::sync::Arc;

use bytes::Bytes;
use channel::link::{Gone, Link, LinkConfig};
use channel::metrics::SlotMetrics;
use model::{Epoch, Head, SlotName, Topic};
use proptest::prelude::*;
use rpc::{CallError, Delivery, Directory, Gateway, Refusal, Reply, Signal, SignalKind};
use tokio::{task::JoinHandle, time::timeout};

use crate::{
    fakes::{FakeGateway, Manner, PATIENCE, node},
    world::{at, event, topic},
};

/// A link that runs, and the gateway at its end.
struct World {
    link: Arc<Link>,
    gateway: Arc<FakeGateway>,
    directory: Arc<Directory<dyn Gateway>>,
    metrics: SlotMetrics,
    running: JoinHandle<Gone>,
}

impl World {
    fn start(config: LinkConfig) -> Self {
        let gateway = FakeGateway::new("gateway-1");
        let directory: Arc<Directory<dyn Gateway>> = Arc::default();
        directory.insert(gateway.node.clone(), Arc::clone(&gateway) as Arc<dyn Gateway>);
        let metrics = SlotMetrics::default();
        let link = Arc::new(Link::new(gateway.node.clone(), config, metrics.clone()));
        let running = {
            let (link, directory) = (Arc::clone(&link), Arc::clone(&directory));
            tokio::spawn(async move {
                link.run(&SlotName("a".to_owned()), &node("channel-a"), || Epoch(1), &directory).await
            })
        };
        Self { link, gateway, directory, metrics, running }
    }

    fn event(&self, number: u64, seq: u64) {
        self.link.push(Delivery::Event(event(topic(number), at(1, seq), "{}")));
    }

    fn signal(&self, kind: SignalKind) {
        self.link.push(Delivery::Signal(Signal { topic: topic(9), kind, except: None, body: Bytes::new() }));
    }

    /// Lets the gateway hold the next call; returns when it does.
    async fn hold(&self) -> usize {
        let permits = self.gateway.gate.forget_permits(usize::MAX);
        let calls = *self.gateway.calls.borrow();
        self.event(0, 1);
        self.gateway.until_calls(calls + 1).await;
        permits
    }
}

const SMALL: fn() -> LinkConfig = || LinkConfig {
    queue_deliveries_max: 4,
    batch_deliveries_max: 2,
    ephemerals_max: 2,
    ..LinkConfig::default()
};

#[tokio::test(start_paused = true)]
async fn a_full_queue_becomes_one_head_per_topic() {
    let world = World::start(SMALL());
    let permits = world.hold().await;
    for seq in 1..=4 {
        world.event(1, seq);
    }
    for seq in 5..=9 {
        world.event(1, seq);
        world.event(2, seq);
    }
    world.gateway.gate.add_permits(permits);
    let taken = world.gateway.until_last("2:h9").await;
    assert_eq!(taken, ["0:e1", "1:e1", "1:e2", "1:e3", "1:e4", "1:h9", "2:h9"]);
    world.event(1, 10);
    world.gateway.until_last("1:e10").await;
    assert_eq!(world.metrics.degraded.get(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_failure_makes_heads_of_all_that_waited() {
    let world = World::start(LinkConfig::default());
    world.gateway.set(Manner::Fail(CallError::Overloaded { role: "gateway" }));
    let permits = world.hold().await;
    for seq in 1..=3 {
        world.event(1, seq);
    }
    world.gateway.gate.add_permits(permits);
    world.gateway.until_calls(3).await;
    world.event(1, 4);
    world.gateway.set(Manner::Take);
    assert_eq!(world.gateway.until_last("1:h4").await, ["0:h1", "1:h4"]);
    world.event(1, 5);
    world.gateway.until_last("1:e5").await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_does_not_come_is_a_failure() {
    let world = World::start(LinkConfig::default());
    let permits = world.hold().await;
    world.gateway.until_calls(3).await;
    world.gateway.gate.add_permits(permits);
    world.event(1, 1);
    let taken = world.gateway.until(|taken| taken.iter().any(|it| it.starts_with("1:"))).await;
    assert!(taken.contains(&"0:h1".to_owned()), "{taken:?}");
}

#[tokio::test(start_paused = true)]
async fn an_item_without_room_becomes_a_head() {
    let world = World::start(LinkConfig::default());
    world.gateway.set(Manner::Answer(&Reply::Refused(Refusal::Full)));
    world.event(1, 1);
    world.gateway.until_calls(2).await;
    world.gateway.set(Manner::Take);
    assert_eq!(world.gateway.until_last("1:h1").await, ["1:h1"]);
}

#[tokio::test(start_paused = true)]
async fn typing_is_shed_first_and_ephemeral_messages_last() {
    let world = World::start(SMALL());
    let permits = world.hold().await;
    for _ in 0..3 {
        world.signal(SignalKind::Typing);
    }
    assert_eq!(world.metrics.signals_shed.get(), 1, "half of the queue is not for typing");
    for seq in 1..=3 {
        world.event(1, seq);
    }
    for _ in 0..3 {
        world.signal(SignalKind::Ephemeral);
    }
    assert_eq!(world.metrics.ephemerals_lost.get(), 1, "the bound of ephemeral messages");
    world.gateway.gate.add_permits(permits);
    let taken = world.gateway.until_last("1:h3").await;
    assert_eq!(taken, ["0:e1", "9:s", "9:s", "1:e1", "1:e2", "9:s", "9:s", "1:h3"]);
}

#[tokio::test(start_paused = true)]
async fn ephemeral_messages_outlive_a_failure_but_are_not_said_twice() {
    let world = World::start(LinkConfig::default());
    world.gateway.set(Manner::Fail(CallError::Unavailable { role: "gateway" }));
    world.signal(SignalKind::Ephemeral);
    world.signal(SignalKind::Typing);
    world.gateway.until_calls(2).await;
    world.gateway.set(Manner::Fail(CallError::Deadline { role: "gateway" }));
    world.gateway.until_calls(3).await;
    world.gateway.set(Manner::Take);
    world.event(1, 1);
    assert_eq!(world.gateway.until_last("1:h1").await, ["1:h1"], "it may have arrived with the deadline");
    assert_eq!(world.metrics.ephemerals_lost.get(), 1);
    world.gateway.set(Manner::Fail(CallError::Unavailable { role: "gateway" }));
    let calls = *world.gateway.calls.borrow();
    world.signal(SignalKind::Ephemeral);
    world.gateway.until_calls(calls + 2).await;
    world.gateway.set(Manner::Take);
    world.gateway.until_last("9:s").await;
}

#[tokio::test(start_paused = true)]
async fn a_gateway_is_gone_when_nobody_lists_it_or_it_stays_away() {
    let world = World::start(LinkConfig::default());
    world.directory.remove(&world.gateway.node);
    world.event(1, 1);
    assert_eq!(timeout(PATIENCE, world.running).await.unwrap().unwrap(), Gone::Unlisted);
    let world = World::start(LinkConfig::default());
    world.gateway.set(Manner::Fail(CallError::Unavailable { role: "gateway" }));
    world.event(1, 1);
    assert_eq!(timeout(PATIENCE * 2, world.running).await.unwrap().unwrap(), Gone::Unavailable);
    let world = World::start(LinkConfig::default());
    world.gateway.set(Manner::Fail(CallError::Overloaded { role: "gateway" }));
    world.event(1, 1);
    timeout(PATIENCE * 3, world.running).await.expect_err("a gateway that is only slow is not gone");
}

/// What can happen to a link.
#[derive(Debug, Clone, Copy)]
enum Step {
    Event(u64),
    Typing,
    Ephemeral,
    Manner(Manner),
    /// The link runs until it waits.
    Run,
}

fn step() -> impl Strategy<Value = Step> {
    let manner = prop_oneof![
        3 => Just(Manner::Take),
        1 => Just(Manner::Fail(CallError::Overloaded { role: "gateway" })),
        1 => Just(Manner::Fail(CallError::Deadline { role: "gateway" })),
        1 => Just(Manner::Answer(&Reply::Refused(Refusal::Full))),
    ];
    prop_oneof![
        10 => (0..4_u64).prop_map(Step::Event),
        1 => Just(Step::Typing),
        1 => Just(Step::Ephemeral),
        2 => manner.prop_map(Step::Manner),
        4 => Just(Step::Run),
    ]
}

/// The topic and place that a delivery leads to.
fn place(delivery: &Delivery) -> Option<(Topic, u64)> {
    match delivery {
        Delivery::Event(event) => Some((event.topic, event.position.seq.raw())),
        Delivery::Head(Head { topic, position }) => Some((*topic, position.seq.raw())),
        Delivery::Signal(_) => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// Whatever the gateway does, what it takes of a topic leads forward without a hole (an event is the
    /// next one, or a head says how far), and in the end to the last event.
    #[test]
    fn no_topic_loses_its_place(steps in prop::collection::vec(step(), 1..100)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        let taken = runtime.unwrap().block_on(async {
            let world = World::start(SMALL());
            let mut seqs = [0_u64; 4];
            for step in steps {
                match step {
                    Step::Event(number) => {
                        let seq = &mut seqs[usize::try_from(number).unwrap()];
                        *seq += 1;
                        world.event(number, *seq);
                    }
                    Step::Typing => world.signal(SignalKind::Typing),
                    Step::Ephemeral => world.signal(SignalKind::Ephemeral),
                    Step::Manner(manner) => world.gateway.set(manner),
                    Step::Run => tokio::task::yield_now().await,
                }
            }
            world.gateway.set(Manner::Take);
            timeout(PATIENCE, world.link.flushed()).await.expect("everything is taken in the end");
            (world.gateway.taken(), seqs)
        });
        let (taken, seqs) = taken;
        let mut at = [0_u64; 4];
        for delivery in &taken {
            let Some((topic, seq)) = place(delivery) else { continue };
            let at = &mut at[usize::try_from(topic.id.raw()).unwrap()];
            match delivery {
                Delivery::Event(_) => prop_assert_eq!(seq, *at + 1),
                _ => prop_assert!(seq > *at),
            }
            *at = seq;
        }
        prop_assert_eq!(at, seqs);
    }
}
