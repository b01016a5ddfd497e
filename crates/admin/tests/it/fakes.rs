//! Made-up neighbours: Channel Servers and gateways that note what they are given.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use admin::{Config, Deps, metrics::AdminMetrics};
use async_trait::async_trait;
use bytes::Bytes;
use cluster::{Ring, Slot};
use model::{
    ChannelId, CredentialId, Epoch, Generation, Head, NodeId, Position, Seq, SlotName, Topic, TopicId,
    TraceId, WorkspaceId, WriteTimes,
};
use rpc::{
    Admin, Audience, Call, CallError, ChannelJourney, ChannelServer, Delivery, Directory, Effect,
    EventRecord, Gateway, GatewayJourney, PresenceChange, Reply, Signal, Subscription,
};
use runtime::{Clock, Tasks};
use tokio::{
    sync::{Semaphore, watch},
    time::timeout,
};

/// How long a test waits for what must happen. Only reached by a test that fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// What a Channel Server does with a call.
#[derive(Debug, Clone)]
pub(crate) enum Manner {
    Take,
    Fail(CallError),
    /// Takes items of even seq and answers the others so.
    Odd(Reply),
}

/// A Channel Server that notes what it is given.
pub(crate) struct FakeChannel {
    pub(crate) manner: Mutex<Manner>,
    /// Calls take a permit, and give it back, before they are looked at.
    pub(crate) gate: Semaphore,
    /// Topic, seq and the ring of the call, of what was taken.
    taken: watch::Sender<Vec<(u64, u64, u64)>>,
    pub(crate) calls: watch::Sender<usize>,
}

impl FakeChannel {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            manner: Mutex::new(Manner::Take),
            gate: Semaphore::new(Semaphore::MAX_PERMITS),
            taken: watch::Sender::default(),
            calls: watch::Sender::default(),
        })
    }

    pub(crate) fn set(&self, manner: Manner) {
        *self.manner.lock().unwrap() = manner;
    }

    /// Waits until it has taken so many items; returns their topics and seqs.
    pub(crate) async fn until(&self, items: usize) -> Vec<(u64, u64)> {
        let mut taken = self.taken.subscribe();
        let wait = timeout(PATIENCE, taken.wait_for(|taken| taken.len() >= items));
        let taken = wait.await.expect("items in time").unwrap();
        taken.iter().map(|(topic, seq, _)| (*topic, *seq)).collect()
    }

    /// Rings of the calls that brought what was taken.
    pub(crate) fn epochs(&self) -> Vec<u64> {
        self.taken.borrow().iter().map(|(_, _, epoch)| *epoch).collect()
    }

    pub(crate) fn taken(&self) -> usize {
        self.taken.borrow().len()
    }

    /// Waits until so many calls have come in.
    pub(crate) async fn until_calls(&self, calls: usize) {
        let mut seen = self.calls.subscribe();
        timeout(PATIENCE, seen.wait_for(|seen| *seen >= calls)).await.expect("calls in time").unwrap();
    }

    async fn take(&self, call: &Call, items: Vec<(Topic, u64)>) -> Result<Vec<Reply>, CallError> {
        self.calls.send_modify(|calls| *calls += 1);
        drop(self.gate.acquire().await.unwrap());
        let manner = self.manner.lock().unwrap().clone();
        if let Manner::Fail(error) = manner {
            return Err(error);
        }
        let mut replies = Vec::new();
        for (topic, seq) in items {
            let reply = match &manner {
                Manner::Take | Manner::Fail(_) => Reply::Ok,
                Manner::Odd(reply) if seq % 2 == 1 => reply.clone(),
                Manner::Odd(_) => Reply::Ok,
            };
            if reply == Reply::Ok {
                self.taken.send_modify(|taken| taken.push((topic.id.raw(), seq, call.epoch.0)));
            }
            replies.push(reply);
        }
        Ok(replies)
    }
}

#[async_trait]
impl ChannelServer for FakeChannel {
    async fn publish(&self, call: &Call, events: Vec<EventRecord>) -> Result<Vec<Reply>, CallError> {
        self.take(call, events.iter().map(|event| (event.topic, event.seq().raw())).collect()).await
    }

    async fn announce(&self, call: &Call, heads: Vec<Head>) -> Result<Vec<Reply>, CallError> {
        self.take(call, heads.iter().map(|head| (head.topic, head.position.seq.raw())).collect()).await
    }

    async fn signal(&self, call: &Call, signals: Vec<Signal>) -> Result<Vec<Reply>, CallError> {
        self.take(call, signals.iter().map(|signal| (signal.topic, 1)).collect()).await
    }

    async fn subscribe(&self, _: &Call, _: NodeId, _: Vec<Subscription>) -> Result<Vec<Reply>, CallError> {
        Ok(Vec::new())
    }

    async fn unsubscribe(&self, _: &Call, _: NodeId, _: Vec<Topic>) -> Result<Vec<Reply>, CallError> {
        Ok(Vec::new())
    }

    async fn journey(&self, call: &Call, _: Topic, _: Seq) -> Result<Option<ChannelJourney>, CallError> {
        self.take(call, Vec::new()).await?;
        let slot = SlotName("a".to_owned());
        Ok(Some(ChannelJourney { slot, received: 1, sent: 2, gateways: Vec::new() }))
    }
}

/// A gateway that answers revocations.
pub(crate) struct FakeGateway {
    /// Calls take a permit, and give it back, before they answer.
    pub(crate) gate: Semaphore,
    /// Calls that fail before one does not.
    pub(crate) failures: Mutex<usize>,
    /// Sessions that each revocation ends.
    pub(crate) sessions: u32,
}

impl FakeGateway {
    pub(crate) fn new(sessions: u32, failures: usize) -> Arc<Self> {
        let gate = Semaphore::new(Semaphore::MAX_PERMITS);
        Arc::new(Self { gate, failures: Mutex::new(failures), sessions })
    }
}

#[async_trait]
impl Gateway for FakeGateway {
    async fn deliver(&self, _: &Call, _: SlotName, _: Vec<Delivery>) -> Result<Vec<Reply>, CallError> {
        Ok(Vec::new())
    }

    async fn presence(&self, _: &Call, _: SlotName, _: Vec<PresenceChange>) -> Result<Vec<Reply>, CallError> {
        panic!("admin tells nobody of presence")
    }
    async fn revoke(&self, _: &Call, _: Vec<CredentialId>) -> Result<u32, CallError> {
        drop(self.gate.acquire().await.unwrap());
        let mut failures = self.failures.lock().unwrap();
        if *failures > 0 {
            *failures -= 1;
            return Err(CallError::Unavailable { role: "gateway" });
        }
        Ok(self.sessions)
    }

    async fn journey(&self, _: &Call, _: Topic, _: Seq) -> Result<Option<GatewayJourney>, CallError> {
        Ok(None)
    }
}

/// The role and its neighbours: slots `a` and `b`, served by `channel-a#1` and `channel-b#1`.
pub(crate) struct World {
    pub(crate) admin: Arc<dyn Admin>,
    pub(crate) ring: watch::Sender<Arc<Ring>>,
    pub(crate) channels: Arc<Directory<dyn ChannelServer>>,
    pub(crate) gateways: Arc<Directory<dyn Gateway>>,
    pub(crate) a: Arc<FakeChannel>,
    pub(crate) b: Arc<FakeChannel>,
    pub(crate) metrics: AdminMetrics,
    pub(crate) clock: Clock,
    pub(crate) tasks: Tasks,
}

/// A node.
pub(crate) fn node(name: &str, incarnation: u64) -> NodeId {
    NodeId { name: name.to_owned(), incarnation }
}

/// A ring in which the slots `names` are served by `channel-NAME#1`.
pub(crate) fn ring(epoch: u64, names: &[&str]) -> Arc<Ring> {
    let slot =
        |name: &&str| Slot { name: SlotName((*name).to_owned()), node: node(&format!("channel-{name}"), 1) };
    Arc::new(Ring::new(Epoch(epoch), names.iter().map(slot).collect()).unwrap())
}

impl World {
    pub(crate) fn start(config: Config) -> Self {
        let (ring, watching) = watch::channel(ring(1, &["a", "b"]));
        let (channels, gateways): (Arc<Directory<dyn ChannelServer>>, _) = (Arc::default(), Arc::default());
        let (a, b) = (FakeChannel::new(), FakeChannel::new());
        channels.insert(node("channel-a", 1), Arc::clone(&a) as Arc<dyn ChannelServer>);
        channels.insert(node("channel-b", 1), Arc::clone(&b) as Arc<dyn ChannelServer>);
        let (metrics, clock, tasks) = (AdminMetrics::default(), Clock::manual(7), Tasks::new());
        let deps = Deps {
            node: node("admin", 1),
            ring: watching,
            channels: Arc::clone(&channels),
            gateways: Arc::clone(&gateways),
            clock: clock.clone(),
            metrics: metrics.clone(),
        };
        let admin = admin::start(config, deps, &tasks);
        Self { admin, ring, channels, gateways, a, b, metrics, clock, tasks }
    }

    /// Puts another start of the node behind slot `a`, served by `channel`, at epoch + 1.
    pub(crate) fn replace_a(&self, channel: &Arc<FakeChannel>) {
        let a = SlotName("a".to_owned());
        let now = Arc::clone(&self.ring.borrow());
        let incarnation = now.slot(&a).unwrap().node.incarnation + 1;
        self.channels.insert(node("channel-a", incarnation), Arc::clone(channel) as Arc<dyn ChannelServer>);
        self.ring.send_replace(Arc::new(now.replaced(&a, node("channel-a", incarnation)).unwrap()));
    }

    /// A topic of slot `a`, and one of slot `b`; others for other numbers.
    pub(crate) fn topics(&self, number: usize) -> (Topic, Topic) {
        let ring = ring(1, &["a", "b"]);
        let of = |slot: &str| {
            let mine = |topic: &Topic| ring.owner(*topic).name.0 == slot;
            (1..).map(topic).filter(mine).nth(number).unwrap()
        };
        (of("a"), of("b"))
    }

    pub(crate) async fn publish(&self, events: Vec<EventRecord>) -> Vec<Reply> {
        self.admin.publish(&call(Duration::from_secs(5)), events).await.unwrap()
    }
}

/// A call of `web`, which knows no ring.
pub(crate) fn call(timeout: Duration) -> Call {
    Call { caller: node("web", 1), epoch: Epoch(0), trace: TraceId::default(), timeout }
}

fn topic(number: u64) -> Topic {
    Topic { workspace: WorkspaceId::from_raw(1), id: TopicId::Channel(ChannelId::from_raw(number)) }
}

/// A position of the first generation.
pub(crate) fn at(seq: u64) -> Position {
    Position { generation: Generation::FIRST, seq: Seq::new(seq) }
}

/// An event.
pub(crate) fn event(topic: Topic, seq: u64) -> EventRecord {
    EventRecord {
        topic,
        position: at(seq),
        audience: Audience::ALL,
        effect: Effect::None,
        origin: None,
        trace: TraceId::default(),
        times: WriteTimes::default(),
        body: Bytes::from_static(b"{}"),
        extra: Bytes::new(),
    }
}
