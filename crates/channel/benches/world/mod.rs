//! A slot with gateways that count, for the benches.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use channel::{
    metrics::{ChannelMetrics, SlotMetrics},
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
use tokio::sync::watch;

/// A `web` in which every topic is new.
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
pub(crate) struct Counting {
    pub(crate) node: NodeId,
    /// How many it was given.
    pub(crate) events: watch::Sender<u64>,
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

pub(crate) fn node(name: &str) -> NodeId {
    NodeId { name: name.to_owned(), incarnation: 1 }
}

pub(crate) fn topic(number: u64) -> Topic {
    let workspace = WorkspaceId::from_raw(1);
    Topic { workspace, id: TopicId::Channel(ChannelId::from_raw(number)) }
}

pub(crate) fn event(of: u64, seq: u64, body: &Bytes) -> EventRecord {
    EventRecord {
        topic: topic(of),
        position: Position { seq: Seq::new(seq), ..Position::START },
        audience: Audience::ALL,
        effect: Effect::None,
        origin: None,
        trace: TraceId::default(),
        times: WriteTimes::default(),
        body: body.clone(),
        extra: Bytes::new(),
    }
}

pub(crate) fn call() -> Call {
    Call {
        caller: node("caller"),
        epoch: Epoch(1),
        trace: TraceId::default(),
        timeout: Duration::from_secs(60),
    }
}

/// A slot and its gateways. The sender keeps the ring.
pub(crate) struct World {
    pub(crate) slot: SlotHandle,
    #[allow(dead_code, reason = "only one of the benches looks at it")]
    pub(crate) metrics: SlotMetrics,
    pub(crate) gateways: Vec<Arc<Counting>>,
    _ring: watch::Sender<Arc<Ring>>,
}

pub(crate) fn world(gateways: usize, config: Config, tasks: &Tasks) -> World {
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
    let metrics = deps.metrics.slot(&name);
    let slot = start(config, name, node("channel-a"), deps, tasks);
    World { slot, metrics, gateways, _ring: ring }
}

/// Lets a gateway listen to topics, of which it has as many events.
pub(crate) async fn subscribe(world: &World, gateway: &Counting, topics: std::ops::Range<u64>, has: u64) {
    let wish = |number| Subscription {
        topic: topic(number),
        after: Position { seq: Seq::new(has), ..Position::START },
    };
    let port = world.slot.port();
    for from in topics.clone().step_by(10_000) {
        let wishes: Vec<_> = (from..topics.end.min(from + 10_000)).map(wish).collect();
        let replies = port.subscribe(&call(), gateway.node.clone(), wishes).await.unwrap();
        assert!(replies.iter().all(|reply| *reply == Reply::Ok));
    }
}
