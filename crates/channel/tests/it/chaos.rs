//! The whole way from `admin` to the gateways, in process, while slots die, are replaced, and refuse to
//! die: nobody sees a topic out of order, and everybody has everything two seconds later (I6, I8, I13).

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use admin::metrics::AdminMetrics;
use async_trait::async_trait;
use channel::{
    metrics::ChannelMetrics,
    role::{self, SlotHandle},
};
use cluster::{ControlConfig, ControlHandle, RingWatch, shell::first_document};
use model::{Epoch, Head, NodeId, Position, Seq, SlotName, Topic, TraceId};
use rpc::{
    Admin, Call, CallError, ChannelJourney, ChannelServer, Directory, EventRecord, Gateway, Local, Reply,
    Signal, Subscription, Web,
};
use runtime::{Clock, Tasks};
use tokio::{
    runtime::Handle,
    sync::watch,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{fakes::FakeWeb, gateway::FollowingGateway, world::topic};

const TOPICS: u64 = 40;
const SLOTS: u32 = 8;

/// Random numbers that are the same in each run (splitmix64).
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }
}

/// Who took what by which ring, over all nodes.
#[derive(Default)]
struct Owners {
    by_ring: HashMap<(Topic, Epoch), NodeId>,
    violations: Vec<String>,
    refused: u64,
}

/// Notes who takes what, on the way to a Channel Server.
struct Noting {
    inner: Arc<dyn ChannelServer>,
    node: NodeId,
    owners: Arc<Mutex<Owners>>,
}

impl Noting {
    fn note(&self, call: &Call, topics: &[Topic], replies: &Result<Vec<Reply>, CallError>) {
        let Ok(replies) = replies else { return };
        let mut owners = self.owners.lock().unwrap();
        for (topic, reply) in topics.iter().zip(replies) {
            if let Reply::NotOwner { .. } = reply {
                owners.refused += 1;
            }
            if !matches!(reply, Reply::Ok | Reply::Behind { .. }) {
                continue;
            }
            let owner =
                owners.by_ring.entry((*topic, call.epoch)).or_insert_with(|| self.node.clone()).clone();
            if owner != self.node {
                let both = format!("{topic} by {:?} has the owners {owner} and {}", call.epoch, self.node);
                owners.violations.push(both);
            }
        }
    }
}

#[async_trait]
impl ChannelServer for Noting {
    async fn publish(&self, call: &Call, events: Vec<EventRecord>) -> Result<Vec<Reply>, CallError> {
        let topics: Vec<Topic> = events.iter().map(|event| event.topic).collect();
        let replies = self.inner.publish(call, events).await;
        self.note(call, &topics, &replies);
        replies
    }

    async fn announce(&self, call: &Call, heads: Vec<Head>) -> Result<Vec<Reply>, CallError> {
        let topics: Vec<Topic> = heads.iter().map(|head| head.topic).collect();
        let replies = self.inner.announce(call, heads).await;
        self.note(call, &topics, &replies);
        replies
    }

    async fn signal(&self, call: &Call, signals: Vec<Signal>) -> Result<Vec<Reply>, CallError> {
        self.inner.signal(call, signals).await
    }

    async fn subscribe(
        &self,
        call: &Call,
        gateway: NodeId,
        wishes: Vec<Subscription>,
    ) -> Result<Vec<Reply>, CallError> {
        let topics: Vec<Topic> = wishes.iter().map(|wish| wish.topic).collect();
        let replies = self.inner.subscribe(call, gateway, wishes).await;
        self.note(call, &topics, &replies);
        replies
    }

    async fn unsubscribe(
        &self,
        call: &Call,
        gateway: NodeId,
        topics: Vec<Topic>,
    ) -> Result<Vec<Reply>, CallError> {
        self.inner.unsubscribe(call, gateway, topics).await
    }

    async fn journey(
        &self,
        call: &Call,
        topic: Topic,
        seq: Seq,
    ) -> Result<Option<ChannelJourney>, CallError> {
        self.inner.journey(call, topic, seq).await
    }
}

/// A ring that follows another one until it is frozen, each change later by a delay.
fn delayed(mut ring: RingWatch, delay: Duration, frozen: CancellationToken, tasks: &Tasks) -> RingWatch {
    let (sender, receiver) = watch::channel(Arc::clone(&ring.borrow()));
    let drain = tasks.drain().clone();
    tasks.spawn("ring", runtime::OnEnd::Ignore, async move {
        loop {
            tokio::select! {
                changed = ring.changed() => if changed.is_err() { return },
                () = drain.cancelled() => return,
            }
            if !delay.is_zero() {
                sleep(delay).await;
            }
            if frozen.is_cancelled() {
                // Its holder keeps the ring that it has.
                drain.cancelled().await;
            }
            sender.send_replace(Arc::clone(&ring.borrow_and_update()));
        }
    });
    receiver
}

/// A Channel Server and how to take it from the world.
struct Running {
    handle: SlotHandle,
    port: Arc<Local<dyn ChannelServer>>,
    frozen: CancellationToken,
}

impl Running {
    fn kill(&self) {
        self.port.kill();
        self.handle.kill();
    }
}

/// Everything from `admin` to the gateways.
struct World {
    tasks: Tasks,
    control: ControlHandle,
    store: Arc<FakeWeb>,
    web: Arc<dyn Web>,
    channels: Arc<Directory<dyn ChannelServer>>,
    gateways: Arc<Directory<dyn Gateway>>,
    followers: Vec<Arc<FollowingGateway>>,
    admin: Arc<dyn Admin>,
    /// Learns of each ring a second late.
    late_admin: Arc<dyn Admin>,
    hosts: HashMap<SlotName, Running>,
    zombies: Vec<Running>,
    owners: Arc<Mutex<Owners>>,
}

impl World {
    fn start() -> Self {
        let tasks = Tasks::new();
        let control = ControlHandle::start(
            ControlConfig::default(),
            first_document("channel", SLOTS, 1).unwrap(),
            &tasks,
        );
        let store = FakeWeb::new();
        (0..TOPICS).for_each(|number| store.create(topic(number), number % 3));
        let web = Local::new("web", Arc::clone(&store) as Arc<dyn Web>, Handle::current());
        let (channels, gateways) = (Arc::default(), Arc::default());
        let admin = |name: &str, ring| {
            let deps = admin::Deps {
                node: crate::fakes::node(name),
                ring,
                channels: Arc::clone(&channels),
                gateways: Arc::clone(&gateways),
                clock: Clock::system(),
                metrics: AdminMetrics::default(),
            };
            let role = admin::start(admin::Config::default(), deps, &tasks);
            Local::new("admin", role, Handle::current()) as Arc<dyn Admin>
        };
        let late = delayed(control.ring(), Duration::from_secs(1), CancellationToken::new(), &tasks);
        let (on_time, late_admin) = (admin("admin-1", control.ring()), admin("admin-2", late));
        let mut world = Self {
            control,
            store,
            web,
            followers: Vec::new(),
            admin: on_time,
            late_admin,
            hosts: HashMap::new(),
            zombies: Vec::new(),
            owners: Arc::default(),
            channels,
            gateways,
            tasks,
        };
        for slot in world.control.ring().borrow().slots().to_vec() {
            world.start_host(slot.name, slot.node);
        }
        for (number, refuse_every) in [(1, 0), (2, 0), (3, 7)] {
            world.add_gateway(number, refuse_every);
        }
        world
    }

    fn start_host(&mut self, slot: SlotName, node: NodeId) {
        let frozen = CancellationToken::new();
        let deps = role::Deps {
            ring: delayed(self.control.ring(), Duration::ZERO, frozen.clone(), &self.tasks),
            gateways: Arc::clone(&self.gateways),
            web: Arc::clone(&self.web),
            clock: Clock::system(),
            metrics: ChannelMetrics::default(),
        };
        let handle = role::start(role::Config::default(), slot.clone(), node.clone(), deps, &self.tasks);
        let owners = Arc::clone(&self.owners);
        let noting: Arc<dyn ChannelServer> =
            Arc::new(Noting { inner: handle.port(), node: node.clone(), owners });
        let port = Local::new("channel", noting, Handle::current());
        self.channels.insert(node, Arc::clone(&port) as Arc<dyn ChannelServer>);
        self.hosts.insert(slot, Running { handle, port, frozen });
    }

    fn add_gateway(&mut self, number: u64, refuse_every: u64) {
        let topics: Vec<Topic> = (0..TOPICS).map(topic).collect();
        let node = crate::fakes::node(&format!("gateway-{number}"));
        let (gateway, holes) = FollowingGateway::new(node.clone(), &topics, refuse_every);
        let port = Local::new("gateway", Arc::clone(&gateway) as Arc<dyn Gateway>, Handle::current());
        self.gateways.insert(node, port);
        let subscribing = Arc::clone(&gateway).subscribe(self.control.ring(), Arc::clone(&self.channels));
        let reading = Arc::clone(&gateway).read(holes, Arc::clone(&self.web));
        let drain = self.tasks.drain().clone();
        self.tasks.spawn("gateway", runtime::OnEnd::Stop, async move {
            tokio::select! {
                () = drain.cancelled() => {}
                () = subscribing => {}
                () = reading => {}
            }
        });
        self.followers.push(gateway);
    }

    /// Puts a new start of the slot's node in its place.
    fn replace(&mut self, slot: &SlotName) {
        let node = self.control.ring().borrow().slot(slot).unwrap().node.clone();
        let node = NodeId { incarnation: node.incarnation + 1, ..node };
        self.start_host(slot.clone(), node.clone());
        assert_eq!(self.control.offered(node).unwrap(), Some(slot.clone()));
    }

    /// The slot's Channel Server dies, and another takes the slot.
    fn kill_slot(&mut self, slot: &SlotName) {
        let old = self.hosts.remove(slot).unwrap();
        old.kill();
        self.control.lost(old.handle.node());
        self.replace(slot);
        self.channels.remove(old.handle.node());
    }

    /// The slot's Channel Server is cut off from control but from nobody else, and another takes the slot.
    fn cut_off_slot(&mut self, slot: &SlotName) {
        let old = self.hosts.remove(slot).unwrap();
        old.frozen.cancel();
        self.control.lost(old.handle.node());
        self.replace(slot);
        self.zombies.push(old);
        if self.zombies.len() > 3 {
            let oldest = self.zombies.remove(0);
            oldest.kill();
            self.channels.remove(oldest.handle.node());
        }
    }

    fn heads(&self) -> Vec<(Topic, Position)> {
        (0..TOPICS).map(topic).map(|topic| (topic, self.store.head(topic).unwrap())).collect()
    }

    /// Waits until every gateway has what is committed now.
    async fn all_reach_now(&self, within: Duration) -> Result<(), String> {
        let heads = self.heads();
        for gateway in &self.followers {
            if timeout(within, gateway.reaches(&heads)).await.is_err() {
                let lacks = |(topic, head): &&(Topic, Position)| gateway.position(*topic) < *head;
                let lacking: Vec<_> = heads.iter().filter(lacks).collect();
                return Err(format!(
                    "{} lacks {lacking:?} by {:?}",
                    gateway.node,
                    self.control.ring().borrow().epoch()
                ));
            }
        }
        Ok(())
    }
}

fn call(timeout: Duration) -> Call {
    Call { caller: crate::fakes::node("web-1"), epoch: Epoch(0), trace: TraceId::default(), timeout }
}

/// Announces all heads each 250 ms, until the drain.
fn sweep(world: &World) {
    let (store, admin) = (Arc::clone(&world.store), world.admin.clone());
    let drain = world.tasks.drain().clone();
    world.tasks.spawn("sweep", runtime::OnEnd::Stop, async move {
        while timeout(Duration::from_millis(250), drain.cancelled()).await.is_err() {
            let head = |topic| Head { topic, position: store.head(topic).unwrap() };
            let heads = (0..TOPICS).map(topic).map(head).collect();
            admin.announce(&call(Duration::from_secs(1)), heads).await.unwrap();
        }
    });
}

/// Commits and publishes without a pause: by one admin, by the late one, by both, or, as after a crash
/// between commit and hand-over, by none.
fn publish_for_ever(world: &World, seed: u64, stop: CancellationToken) -> tokio::task::JoinHandle<u64> {
    let (store, admins) = (Arc::clone(&world.store), [world.admin.clone(), world.late_admin.clone()]);
    let publish = async move {
        let mut random = Random(seed);
        let mut committed = 0;
        while !stop.is_cancelled() {
            let events: Vec<_> =
                (0..=random.below(8)).map(|_| store.commit(topic(random.below(TOPICS)))).collect();
            committed += events.len() as u64;
            let takes = random.below(20);
            for (number, admin) in admins.iter().enumerate() {
                // 0: neither, 1–4: the late one, 5–9: both, else: the first.
                let chosen = if number == 0 { takes >= 5 } else { (1..10).contains(&takes) };
                if chosen {
                    let replies = admin.publish(&call(Duration::from_secs(5)), events.clone()).await.unwrap();
                    assert!(replies.iter().all(|reply| *reply == Reply::Ok), "{replies:?}");
                }
            }
            sleep(Duration::from_micros(500 + random.below(3_000))).await;
        }
        committed
    };
    tokio::spawn(publish)
}

/// Publishes under kills and replacements; each time, everybody has what was committed `within`.
async fn survive(seed: u64, rounds: u64, within: Duration) {
    let mut world = World::start();
    let mut random = Random(seed);
    let stop = CancellationToken::new();
    sweep(&world);
    let publishing = publish_for_ever(&world, seed ^ 1, stop.clone());
    world.all_reach_now(within).await.expect("before anything happens");
    for round in 0..rounds {
        let slots: Vec<SlotName> = world.hosts.keys().cloned().collect();
        let mut slots = slots;
        slots.sort();
        let slot = slots[usize::try_from(random.below(u64::from(SLOTS))).unwrap()].clone();
        let what = random.below(10);
        match what {
            0 => slots.iter().for_each(|slot| world.kill_slot(slot)),
            1..=5 => world.kill_slot(&slot),
            _ => world.cut_off_slot(&slot),
        }
        sleep(Duration::from_millis(random.below(300))).await;
        if let Err(lacking) = world.all_reach_now(within).await {
            panic!("seed {seed} round {round} ({what} on {slot}): {lacking}");
        }
    }
    stop.cancel();
    let committed = publishing.await.unwrap();
    world.all_reach_now(within).await.expect("in the end");
    let (mut duplicates, mut heads) = (0, 0);
    for gateway in &world.followers {
        assert_eq!(gateway.violations(), Vec::<String>::new(), "seed {seed}");
        for number in 0..TOPICS {
            let request =
                rpc::EventsRequest { topic: topic(number), after: Position::START, limit: 1_000_000 };
            let rpc::EventsPage::Events { events, .. } = world.store.page(request) else { panic!("no page") };
            let expected: Vec<_> = events.into_iter().map(|event| event.body).collect();
            assert_eq!(gateway.log(topic(number)), expected, "seed {seed} {}", gateway.node);
        }
        let counts = gateway.counts();
        duplicates += counts.0;
        heads += counts.1;
    }
    let (violations, refused) = {
        let owners = world.owners.lock().unwrap();
        (owners.violations.clone(), owners.refused)
    };
    assert_eq!(violations, Vec::<String>::new(), "seed {seed}");
    println!(
        "seed {seed}: {committed} events, {duplicates} duplicates and {heads} heads at the gateways, \
         {refused} items refused by ring"
    );
    assert!(duplicates > 0 && heads > 0 && refused > 0, "the faults were not felt");
    assert!(!world.tasks.failed().is_cancelled());
    world.tasks.start_drain();
    timeout(Duration::from_secs(30), world.tasks.ended()).await.expect("everything ends with the drain");
}

/// Time is tokio's paused one, so two seconds are two seconds on any machine.
#[test]
fn slots_die_and_nobody_misses_anything() {
    for seed in 1..=3 {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.unwrap().block_on(survive(seed, 40, Duration::from_secs(2)));
    }
}

/// The same with real threads and real time. How long it takes is the machine's business; that it ends
/// right is not.
#[test]
fn slots_die_and_nobody_misses_anything_on_threads() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_time().build();
    runtime.unwrap().block_on(survive(7, 12, Duration::from_secs(30)));
}
