//! Presence servers of a process over the in-process transport: one is killed and cut off, and what was known is
//! known again.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use cluster::{ControlConfig, ControlHandle, KeeperConfig, shell::first_document};
use model::{CredentialId, Epoch, NodeId, Seq, SlotName, Topic, TraceId, UserId, WorkspaceId};
use presence::{
    metrics::PresenceMetrics,
    role::{Config, Deps},
    router::Router,
    slots::{self, Slots, SlotsConfig},
    state::Limits,
};
use rpc::{
    Call, CallError, Delivery, Directory, Gateway, GatewayJourney, ManualAway, Person, Presence,
    PresenceChange, PresenceReport, Refusal, Reply, Watch,
};
use runtime::Tasks;

/// Remembers what it was told.
#[derive(Default)]
struct Ear {
    told: Mutex<BTreeMap<Person, bool>>,
    fails: Mutex<u32>,
}

#[async_trait]
impl Gateway for Ear {
    async fn deliver(&self, _: &Call, _: SlotName, _: Vec<Delivery>) -> Result<Vec<Reply>, CallError> {
        panic!("a presence server delivers no events")
    }
    async fn presence(
        &self,
        _: &Call,
        _: SlotName,
        changes: Vec<PresenceChange>,
    ) -> Result<Vec<Reply>, CallError> {
        let mut fails = self.fails.lock().unwrap();
        if *fails > 0 {
            *fails -= 1;
            return Err(CallError::Overloaded { role: "gateway" });
        }
        let replies = vec![Reply::Ok; changes.len()];
        self.told.lock().unwrap().extend(changes.into_iter().map(|it| (it.person, it.active)));
        Ok(replies)
    }
    async fn revoke(&self, _: &Call, _: Vec<CredentialId>) -> Result<u32, CallError> {
        Ok(0)
    }
    async fn journey(&self, _: &Call, _: Topic, _: Seq) -> Result<Option<GatewayJourney>, CallError> {
        Ok(None)
    }
}

struct World {
    tasks: Tasks,
    control: ControlHandle,
    slots: Slots,
    router: Router,
    servers: Arc<Directory<dyn Presence>>,
    gateways: Arc<Directory<dyn Gateway>>,
    ear: Arc<Ear>,
}

fn gateway() -> NodeId {
    NodeId { name: "gateway/0".to_owned(), incarnation: 1 }
}

fn people() -> Vec<Person> {
    let person =
        |number| Person { workspace: WorkspaceId::from_random(1), user: UserId::from_random(number) };
    (0..40).map(person).collect()
}

fn call() -> Call {
    let timeout = Duration::from_secs(5);
    Call { caller: gateway(), epoch: Epoch(0), trace: TraceId::default(), timeout }
}

impl World {
    fn new(away_after_ms: u64) -> Self {
        let tasks = Tasks::new();
        let document = first_document("presence", 4, 1).unwrap();
        let control = ControlHandle::start(ControlConfig::default(), document, &tasks);
        let (servers, gateways) = (Arc::new(Directory::default()), Arc::new(Directory::default()));
        let ear = Arc::new(Ear::default());
        gateways.insert(gateway(), Arc::clone(&ear) as Arc<dyn Gateway>);
        let limits = Limits { away_after_ms, settle_ms: 200, ..Limits::default() };
        let config = SlotsConfig {
            slot: Config { limits, ..Config::default() },
            keeper: KeeperConfig {
                check_every: Duration::from_millis(50),
                restart_pause: Duration::from_millis(10),
                ..KeeperConfig::default()
            },
        };
        let deps = Deps {
            ring: control.ring(),
            gateways: Arc::clone(&gateways),
            metrics: PresenceMetrics::default(),
        };
        let slots = slots::start(config, control.clone(), Arc::clone(&servers), deps, &tasks);
        let router = Router::new(control.ring(), Arc::clone(&servers));
        Self { tasks, control, slots, router, servers, gateways, ear }
    }

    /// Reports everybody, of whom those with an even number have a session, and watches them. Until all is taken.
    async fn renew(&self, revision: u64) {
        let report = |(number, person): (usize, Person)| PresenceReport {
            person,
            revision,
            sessions: u32::from(number % 2 == 0),
            idle: Duration::ZERO,
            always: false,
            manual: ManualAway::default(),
        };
        let watch = |person| Watch { person, believes: self.ear.told.lock().unwrap().get(&person).copied() };
        self.until(async || {
            let reports = people().into_iter().enumerate().map(report).collect();
            let watches = people().into_iter().map(watch).collect();
            let reported = self.router.report(&call(), gateway(), reports).await.unwrap();
            let watched = self.router.watch(&call(), gateway(), watches).await.unwrap();
            reported.iter().chain(&watched).all(|reply| *reply == Reply::Ok)
        })
        .await;
    }

    async fn until(&self, mut holds: impl AsyncFnMut() -> bool) {
        let waiting = async {
            while !holds().await {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), waiting).await.unwrap();
    }

    /// Waits until everybody is as those with an even number are there.
    async fn until_told(&self) {
        self.until(async || {
            let told = self.ear.told.lock().unwrap();
            people().iter().enumerate().all(|(number, who)| told.get(who) == Some(&(number % 2 == 0)))
        })
        .await;
        let answers = self.router.query(&call(), people()).await.unwrap();
        for (number, answer) in answers.into_iter().enumerate() {
            assert_eq!(answer.unwrap().active, number % 2 == 0, "{number}");
        }
    }

    async fn end(self) {
        self.tasks.start_drain();
        self.tasks.ended().await;
    }
}

#[tokio::test]
async fn a_server_that_was_killed_or_cut_off_is_replaced_and_told_again() {
    let world = World::new(600_000);
    world.renew(1).await;
    world.until_told().await;
    for round in 0..2 {
        let epoch = world.control.ring().borrow().epoch().0;
        let slots: Vec<SlotName> =
            world.control.ring().borrow().slots().iter().map(|slot| slot.name.clone()).collect();
        for slot in &slots {
            if round == 0 { world.slots.kill(slot) } else { world.slots.cut_off(slot) }
        }
        let mut ring = world.control.ring();
        ring.wait_for(|ring| ring.epoch().0 >= epoch + 4).await.unwrap();
        world.renew(2 + round).await;
        world.until_told().await;
    }
    world.end().await;
}

#[tokio::test]
async fn a_gateway_that_fails_is_told_later_and_a_stranger_is_refused() {
    let world = World::new(600_000);
    *world.ear.fails.lock().unwrap() = 3;
    world.renew(1).await;
    world.until_told().await;
    assert_eq!(*world.ear.fails.lock().unwrap(), 0);
    let stranger = NodeId { name: "gateway/9".to_owned(), incarnation: 1 };
    let watches = vec![Watch { person: people()[0], believes: None }];
    let replies = world.router.watch(&call(), stranger, watches).await.unwrap();
    assert_eq!(replies, [Reply::Refused(Refusal::Unknown)]);
    // One that is gone is forgotten as soon as something is to be told.
    world.gateways.remove(&gateway());
    world.router.touch(&call(), people()).await.unwrap();
    let watching = vec![Watch { person: people()[0], believes: None }];
    let replies = world.router.watch(&call(), gateway(), watching).await.unwrap();
    assert_eq!(replies, [Reply::Refused(Refusal::Unknown)]);
    world.end().await;
}

#[tokio::test]
async fn who_does_nothing_becomes_away_by_itself() {
    let world = World::new(300);
    world.renew(1).await;
    world.until(async || world.ear.told.lock().unwrap().values().any(|active| *active)).await;
    world.until(async || world.ear.told.lock().unwrap().values().all(|active| !active)).await;
    let answers = world.router.query(&call(), people()).await.unwrap();
    assert!(answers.iter().all(|answer| answer.as_ref().is_ok_and(|now| !now.active)));
    assert_eq!(answers[0].as_ref().unwrap().sessions, 1, "connected, and away");
    world.router.touch(&call(), people()).await.unwrap();
    world.until(async || world.ear.told.lock().unwrap().values().any(|active| *active)).await;
    world.end().await;
}

#[tokio::test]
async fn a_caller_with_an_old_ring_and_one_at_the_wrong_server_are_sent_on() {
    let world = World::new(600_000);
    world.renew(1).await;
    let ring = Arc::clone(&world.control.ring().borrow());
    let who = people()[0];
    let owner = ring.owner(who.topic()).node.clone();
    for (node, port) in world.servers.all() {
        let at = |epoch| Call { epoch, ..call() };
        let sent_on = [Reply::NotOwner { epoch: ring.epoch() }];
        assert_eq!(port.touch(&at(Epoch(0)), vec![who]).await.unwrap(), sent_on, "an old ring");
        let replies = port.touch(&at(ring.epoch()), vec![who]).await.unwrap();
        assert_eq!(replies == [Reply::Ok], node == owner, "{node}");
        let answers = port.query(&at(ring.epoch()), vec![who]).await.unwrap();
        assert_eq!(answers[0].is_ok(), node == owner, "{node}");
    }
    // Nobody is there: nothing is taken, and everything is to be tried again.
    let nobody = Router::new(world.control.ring(), Arc::default());
    let replies = nobody.touch(&call(), people()).await.unwrap();
    assert!(replies.iter().all(|reply| matches!(reply, Reply::NotOwner { .. })));
    let short = Call { timeout: Duration::from_millis(80), ..call() };
    let answers = nobody.query(&short, people()).await.unwrap();
    assert!(answers.iter().all(Result::is_err));
    world.end().await;
}
