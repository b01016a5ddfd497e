//! How fast a slot passes events on to gateways, beside the least that any fan-out must do (a bounded
//! queue and a task per gateway), and what a topic costs in which nothing happens.
//!
//! `cargo bench -p channel --bench fanout`

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a measurement, not the product"
)]

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use channel::{
    metrics::ChannelMetrics,
    role::{Config, Deps, SlotHandle, start},
};
use cluster::{Ring, Slot};
use model::{
    ChannelId, CredentialId, Epoch, NodeId, Position, Seq, SlotName, Topic, TopicId, TraceId, WorkspaceId,
    WriteTimes,
};
use rpc::{
    Audience, Boot, BootError, Call, CallError, Delivery, Directory, Effect, EventRecord, EventsPage,
    EventsRequest, Gateway, GatewayJourney, PresenceChange, Reply, RtmError, RtmSend, RtmSent, Subscription,
    Web,
};
use runtime::{Clock, Tasks};
use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};

/// Events of one measurement.
const EVENTS: u64 = 400_000;
/// Topics that they are spread over.
const TOPICS: u64 = 1_000;
/// Events that are published by one call.
const BATCH: u64 = 64;
/// Bytes of each event: a short message.
const BODY_BYTES: usize = 400;
/// Topics in which nothing happens.
const IDLE: u64 = 400_000;

struct Empty;

#[async_trait]
impl Web for Empty {
    async fn boot(&self, _: &Call, _: String, _: Option<String>) -> Result<Boot, BootError> {
        Err(BootError::Ticket)
    }

    async fn heads(&self, _: &Call, topics: Vec<Topic>) -> Result<Vec<model::HeadRead>, CallError> {
        Ok(vec![model::HeadRead::At(Position::START); topics.len()])
    }

    async fn events(&self, _: &Call, _: EventsRequest) -> Result<EventsPage, CallError> {
        Err(CallError::Failed { role: "web" })
    }

    async fn send(&self, _: &Call, _: RtmSend) -> Result<RtmSent, RtmError> {
        Err(RtmError { code: 1, message: String::new() })
    }
}

/// Counts what it is given.
struct Counting {
    node: NodeId,
    events: watch::Sender<u64>,
}

#[async_trait]
impl Gateway for Counting {
    async fn deliver(&self, _: &Call, _: SlotName, all: Vec<Delivery>) -> Result<Vec<Reply>, CallError> {
        let events = all.iter().filter(|one| matches!(one, Delivery::Event(_))).count();
        assert_eq!(events, all.len(), "degraded: then this measures something else");
        self.events.send_modify(|seen| *seen += u64::try_from(events).unwrap());
        Ok(vec![Reply::Ok; all.len()])
    }

    async fn presence(&self, _: &Call, _: SlotName, _: Vec<PresenceChange>) -> Result<Vec<Reply>, CallError> {
        panic!("a Channel Server tells nobody of presence")
    }
    async fn revoke(&self, _: &Call, _: Vec<CredentialId>) -> Result<u32, CallError> {
        Ok(0)
    }

    async fn journey(&self, _: &Call, _: Topic, _: Seq) -> Result<Option<GatewayJourney>, CallError> {
        Ok(None)
    }
}

fn node(name: &str) -> NodeId {
    NodeId { name: name.to_owned(), incarnation: 1 }
}

fn topic(number: u64) -> Topic {
    let workspace = WorkspaceId::from_raw(1);
    Topic { workspace, id: TopicId::Channel(ChannelId::from_raw(number)) }
}

fn event(number: u64, body: &Bytes) -> EventRecord {
    EventRecord {
        topic: topic(number % TOPICS),
        position: Position { seq: Seq::new(number / TOPICS + 1), ..Position::START },
        audience: Audience::ALL,
        effect: Effect::None,
        origin: None,
        trace: TraceId::default(),
        times: WriteTimes::default(),
        body: body.clone(),
        extra: Bytes::new(),
    }
}

fn call() -> Call {
    Call {
        caller: node("caller"),
        epoch: Epoch(1),
        trace: TraceId::default(),
        timeout: Duration::from_secs(60),
    }
}

/// A slot and its gateways. The sender keeps the ring.
struct World {
    slot: SlotHandle,
    gateways: Vec<Arc<Counting>>,
    _ring: watch::Sender<Arc<Ring>>,
}

fn world(gateways: usize, tasks: &Tasks) -> World {
    let name = SlotName("a".to_owned());
    let slots = vec![Slot { name: name.clone(), node: node("channel-a") }];
    let (ring, watching) = watch::channel(Arc::new(Ring::new(Epoch(1), slots).unwrap()));
    let directory: Arc<Directory<dyn Gateway>> = Arc::default();
    let gateways: Vec<_> = (0..gateways)
        .map(|number| {
            let (node, events) = (node(&format!("gateway-{number}")), watch::Sender::default());
            let gateway = Arc::new(Counting { node, events });
            directory.insert(gateway.node.clone(), Arc::clone(&gateway) as Arc<dyn Gateway>);
            gateway
        })
        .collect();
    let deps = Deps {
        ring: watching,
        gateways: directory,
        web: Arc::new(Empty),
        clock: Clock::system(),
        metrics: ChannelMetrics::default(),
    };
    let slot = start(Config::default(), name, node("channel-a"), deps, tasks);
    World { slot, gateways, _ring: ring }
}

async fn subscribe(world: &World, gateway: &Counting, topics: u64) {
    let wish = |number| Subscription { topic: topic(number), after: Position::START };
    let port = world.slot.port();
    for from in (0..topics).step_by(10_000) {
        let wishes: Vec<_> = (from..topics.min(from + 10_000)).map(wish).collect();
        let replies = port.subscribe(&call(), gateway.node.clone(), wishes).await.unwrap();
        assert!(replies.iter().all(|reply| *reply == Reply::Ok));
    }
}

/// Events per second through a slot. The publisher stays at most 2,000 events ahead of the gateways, so that
/// no queue overflows.
async fn through_host(gateways: usize) -> f64 {
    let tasks = Tasks::new();
    let world = world(gateways, &tasks);
    for gateway in &world.gateways {
        subscribe(&world, gateway, TOPICS).await;
    }
    let (port, call, body) = (world.slot.port(), call(), Bytes::from(vec![b'x'; BODY_BYTES]));
    let begin = Instant::now();
    for from in (0..EVENTS).step_by(usize::try_from(BATCH).unwrap()) {
        let events = (from..EVENTS.min(from + BATCH)).map(|number| event(number, &body)).collect();
        let replies = port.publish(&call, events).await.unwrap();
        assert!(replies.iter().all(|reply| *reply == Reply::Ok));
        for gateway in &world.gateways {
            gateway.events.subscribe().wait_for(|seen| seen + 2_000 > from).await.unwrap();
        }
    }
    for gateway in &world.gateways {
        gateway.events.subscribe().wait_for(|seen| *seen == EVENTS).await.unwrap();
    }
    let took = begin.elapsed();
    tasks.start_drain();
    tasks.ended().await;
    per_second(took)
}

/// Events per second through a bounded queue and a task per gateway, and nothing else.
async fn through_queues(gateways: usize) -> f64 {
    let body = Bytes::from(vec![b'x'; BODY_BYTES]);
    let begin = Instant::now();
    let mut senders = Vec::new();
    let mut consumers = Vec::new();
    for _ in 0..gateways {
        let (sender, mut receiver) = mpsc::channel::<EventRecord>(2_000);
        senders.push(sender);
        consumers.push(tokio::spawn(async move {
            let mut seen = 0;
            let mut batch = Vec::new();
            while receiver.recv_many(&mut batch, 256).await > 0 {
                seen += u64::try_from(batch.len()).unwrap();
                batch.clear();
            }
            seen
        }));
    }
    for number in 0..EVENTS {
        let event = event(number, &body);
        for sender in &senders {
            sender.send(event.clone()).await.unwrap();
        }
    }
    drop(senders);
    for consumer in consumers {
        assert_eq!(consumer.await.unwrap(), EVENTS);
    }
    per_second(begin.elapsed())
}

fn per_second(took: Duration) -> f64 {
    f64::from(u32::try_from(EVENTS).unwrap()) / took.as_secs_f64()
}

/// Memory of this process in bytes (Linux).
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() * 1024.0
}

/// Bytes per topic with one gateway, and what each further one adds.
async fn idle() -> (f64, f64) {
    let tasks = Tasks::new();
    let world = world(3, &tasks);
    let mut resident_after = vec![resident()];
    for gateway in &world.gateways {
        subscribe(&world, gateway, IDLE).await;
        resident_after.push(resident());
    }
    tasks.start_drain();
    tasks.ended().await;
    let topics = f64::from(u32::try_from(IDLE).unwrap());
    let [none, one, _, three] = resident_after[..] else { panic!("three gateways") };
    ((one - none) / topics, (three - one) / topics / 2.0)
}

fn main() {
    let runtime =
        || tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
    let (one, further) = runtime().block_on(idle());
    println!("{IDLE} idle topics, growth of resident memory: {one:.0} bytes per topic with one gateway,");
    println!("  {further:.0} bytes more for each further gateway");
    println!("{EVENTS} events of {BODY_BYTES} bytes, {TOPICS} topics, batches of {BATCH}, three rounds:");
    for gateways in [1, 2, 8] {
        for _ in 0..3 {
            let queues = runtime().block_on(through_queues(gateways));
            let host = runtime().block_on(through_host(gateways));
            println!(
                "  {gateways} gateways: host {host:.0} events/s, bare queues {queues:.0} events/s, ratio {:.2}",
                host / queues
            );
        }
    }
}
