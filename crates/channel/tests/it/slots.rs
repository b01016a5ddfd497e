//! The slots of a process: whatever happens to one, another takes its place, and the ring says so.

use std::{sync::Arc, time::Duration};

use channel::{
    metrics::ChannelMetrics,
    role::Deps,
    slots::{self, Slots, SlotsConfig},
};
use cluster::{ControlConfig, ControlHandle, shell::first_document};
use model::{Epoch, SlotName, TraceId};
use rpc::{Call, ChannelServer, Directory, Gateway, Reply, Subscription, Web};
use runtime::{Clock, Tasks};
use tokio::time::{Instant, timeout};

use crate::{
    fakes::{FakeGateway, FakeWeb, PATIENCE, node},
    world::{at, topic},
};

struct World {
    tasks: Tasks,
    control: ControlHandle,
    channels: Arc<Directory<dyn ChannelServer>>,
    web: Arc<FakeWeb>,
    gateway: Arc<FakeGateway>,
    slots: Slots,
}

impl World {
    fn start() -> Self {
        let (tasks, web, gateway) = (Tasks::new(), FakeWeb::new(), FakeGateway::new("gateway-1"));
        let control =
            ControlHandle::start(ControlConfig::default(), first_document("channel", 4, 1).unwrap(), &tasks);
        let channels: Arc<Directory<dyn ChannelServer>> = Arc::default();
        let gateways: Arc<Directory<dyn Gateway>> = Arc::default();
        gateways.insert(gateway.node.clone(), Arc::clone(&gateway) as Arc<dyn Gateway>);
        let deps = Deps {
            ring: control.ring(),
            gateways,
            web: Arc::clone(&web) as Arc<dyn Web>,
            clock: Clock::manual(0),
            metrics: ChannelMetrics::default(),
        };
        let slots =
            slots::start(SlotsConfig::default(), control.clone(), Arc::clone(&channels), deps, &tasks);
        Self { tasks, control, channels, web, gateway, slots }
    }

    fn owner(&self) -> SlotName {
        self.control.ring().borrow().owner(topic(1)).name.clone()
    }

    /// Waits for the ring of an epoch; returns the incarnation of the node that serves topic 1 in it.
    async fn epoch(&self, epoch: u64) -> u64 {
        let mut ring = self.control.ring();
        let ring =
            timeout(PATIENCE, ring.wait_for(|ring| ring.epoch() == Epoch(epoch))).await.unwrap().unwrap();
        ring.owner(topic(1)).node.incarnation
    }

    fn port(&self) -> (Arc<dyn ChannelServer>, Call) {
        let ring = Arc::clone(&self.control.ring().borrow());
        let call = Call {
            caller: node("caller"),
            epoch: ring.epoch(),
            trace: TraceId::default(),
            timeout: Duration::from_secs(1),
        };
        (self.channels.get(&ring.owner(topic(1)).node).unwrap(), call)
    }

    /// Subscribes, commits, publishes, and sees the event come.
    async fn works(&self) {
        if self.web.head(topic(1)).is_none() {
            self.web.create(topic(1), 0);
        }
        let head = self.web.head(topic(1)).unwrap();
        let (port, call) = self.port();
        let wish = vec![Subscription { topic: topic(1), after: head }];
        let replies = port.subscribe(&call, self.gateway.node.clone(), wish).await.unwrap();
        assert_eq!(replies, [Reply::Ok]);
        let event = self.web.commit(topic(1));
        let last = format!("1:e{}", event.position.seq);
        assert_eq!(port.publish(&call, vec![event]).await.unwrap(), [Reply::Ok]);
        self.gateway.until_last(&last).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_slot_that_dies_is_replaced() {
    let world = World::start();
    world.works().await;
    let (old, call) = world.port();
    world.slots.kill(&world.owner());
    assert!(old.announce(&call, Vec::new()).await.is_err(), "as dead as a killed process");
    assert_eq!(world.epoch(2).await, 2);
    world.works().await;
    assert_eq!(world.channels.all().len(), 4, "the old node is not listed any more");
}

#[tokio::test(start_paused = true)]
async fn a_slot_that_fails_is_replaced_after_a_pause_each_time() {
    let world = World::start();
    world.web.panic();
    let begin = Instant::now();
    for epoch in 2..=4 {
        let (port, call) = world.port();
        let wish = vec![Subscription { topic: topic(1), after: at(1, 0) }];
        port.subscribe(&call, world.gateway.node.clone(), wish).await.unwrap_err();
        assert_eq!(world.epoch(epoch).await, epoch);
    }
    assert!(begin.elapsed() >= 3 * SlotsConfig::default().keeper.restart_pause, "{:?}", begin.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_slot_that_does_not_answer_is_replaced() {
    let world = World::start();
    let begin = Instant::now();
    world.slots.cut_off(&world.owner());
    assert_eq!(world.epoch(2).await, 2);
    assert_eq!(begin.elapsed(), 3 * SlotsConfig::default().keeper.check_every);
    world.works().await;
}

#[tokio::test(start_paused = true)]
async fn a_planned_replacement_delivers_first() {
    let world = World::start();
    world.works().await;
    let permits = world.gateway.gate.forget_permits(usize::MAX);
    let (port, call) = world.port();
    port.publish(&call, vec![world.web.commit(topic(1))]).await.unwrap();
    let slots = world.slots.clone();
    let owner = world.owner();
    let restart = tokio::spawn(async move { slots.running(&owner).unwrap().restart().await });
    world.gateway.until_calls(2).await;
    assert_eq!(world.control.ring().borrow().epoch(), Epoch(1));
    world.gateway.gate.add_permits(permits);
    timeout(PATIENCE, restart).await.unwrap().unwrap();
    world.gateway.until_last("1:e2").await;
    assert_eq!(world.epoch(2).await, 2);
    world.works().await;
}

#[tokio::test(start_paused = true)]
async fn a_drain_ends_everything() {
    let world = World::start();
    world.works().await;
    world.tasks.start_drain();
    timeout(PATIENCE, world.tasks.ended()).await.unwrap();
    assert!(!world.tasks.failed().is_cancelled());
    assert_eq!(world.control.ring().borrow().epoch(), Epoch(1), "nobody was replaced");
}
