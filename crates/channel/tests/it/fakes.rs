//! Made-up neighbours of a slot: `web` over a log in memory, and a gateway that notes what it is given.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use channel::{
    metrics::ChannelMetrics,
    role::{Config, Deps, SlotHandle, start},
};
use cluster::{Ring, RingWatch, Slot};
use model::{CredentialId, Epoch, Generation, HeadRead, NodeId, Position, Seq, SlotName, Topic, TraceId};
use rpc::{
    Boot, BootError, Call, CallError, ChannelServer, Delivery, Directory, EventRecord, EventsPage,
    EventsRequest, Gateway, GatewayJourney, PresenceChange, Reply, RtmError, RtmSend, RtmSent, Subscription,
    Web,
};
use runtime::{Clock, Tasks};
use tokio::{
    sync::{Semaphore, watch},
    time::timeout,
};

use crate::world::{at, event};

/// How long a test waits for what must happen. Only reached by a test that fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The store and `web` in front of it.
#[derive(Debug)]
pub(crate) struct FakeWeb {
    state: Mutex<WebState>,
    /// Calls take a permit, and give it back, before they answer.
    pub(crate) gate: Semaphore,
}

#[derive(Debug, Default)]
struct WebState {
    logs: HashMap<Topic, (Generation, Vec<EventRecord>)>,
    failing: bool,
    panicking: bool,
    /// Topics whose store does not answer.
    away: HashSet<Topic>,
    heads_calls: Vec<usize>,
    events_calls: Vec<Position>,
}

impl FakeWeb {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { state: Mutex::default(), gate: Semaphore::new(Semaphore::MAX_PERMITS) })
    }

    /// Makes a topic with so many events.
    pub(crate) fn create(&self, topic: Topic, events: u64) {
        self.state.lock().unwrap().logs.insert(topic, (Generation::FIRST, Vec::new()));
        for _ in 0..events {
            self.commit(topic);
        }
    }

    /// Commits one more event.
    pub(crate) fn commit(&self, topic: Topic) -> EventRecord {
        let mut state = self.state.lock().unwrap();
        let (generation, log) = state.logs.get_mut(&topic).unwrap();
        let seq = Seq::new(log.len() as u64 + 1);
        let event = event(topic, Position { generation: *generation, seq }, &format!("{topic} {seq}"));
        log.push(event.clone());
        event
    }

    pub(crate) fn head(&self, topic: Topic) -> Option<Position> {
        let state = self.state.lock().unwrap();
        let (generation, log) = state.logs.get(&topic)?;
        Some(Position { generation: *generation, seq: Seq::new(log.len() as u64) })
    }

    pub(crate) fn fail(&self, failing: bool) {
        self.state.lock().unwrap().failing = failing;
    }

    /// The store of a topic goes away, or comes back.
    pub(crate) fn away(&self, topic: Topic, away: bool) {
        let mut state = self.state.lock().unwrap();
        if away {
            state.away.insert(topic)
        } else {
            state.away.remove(&topic)
        };
    }

    pub(crate) fn panic(&self) {
        self.state.lock().unwrap().panicking = true;
    }

    /// Topics in each call for heads so far.
    pub(crate) fn heads_calls(&self) -> Vec<usize> {
        self.state.lock().unwrap().heads_calls.clone()
    }

    /// Start of each read so far.
    pub(crate) fn events_calls(&self) -> Vec<Position> {
        self.state.lock().unwrap().events_calls.clone()
    }

    pub(crate) fn page(&self, request: EventsRequest) -> EventsPage {
        let state = self.state.lock().unwrap();
        let Some((generation, log)) = state.logs.get(&request.topic) else { return EventsPage::Unknown };
        let head = Position { generation: *generation, seq: Seq::new(log.len() as u64) };
        if request.after.generation != *generation || request.after > head {
            return EventsPage::Reset { head };
        }
        let from = usize::try_from(request.after.seq.raw()).unwrap();
        let limit = usize::try_from(request.limit).unwrap();
        EventsPage::Events { events: log[from..].iter().take(limit).cloned().collect(), head }
    }

    async fn pass(&self) -> Result<(), CallError> {
        drop(self.gate.acquire().await.unwrap());
        let state = self.state.lock().unwrap();
        let (failing, panicking) = (state.failing, state.panicking);
        drop(state);
        assert!(!panicking, "web panics, as the test wants");
        if failing { Err(CallError::Failed { role: "web" }) } else { Ok(()) }
    }
}

#[async_trait]
impl Web for FakeWeb {
    async fn boot(&self, _: &Call, _: String, _: Option<String>) -> Result<Boot, BootError> {
        Err(BootError::Ticket)
    }

    async fn heads(&self, _: &Call, topics: Vec<Topic>) -> Result<Vec<HeadRead>, CallError> {
        self.state.lock().unwrap().heads_calls.push(topics.len());
        self.pass().await?;
        let away = self.state.lock().unwrap().away.clone();
        let head = |topic| if away.contains(&topic) { HeadRead::Later } else { self.head(topic).into() };
        Ok(topics.into_iter().map(head).collect())
    }

    async fn events(&self, _: &Call, request: EventsRequest) -> Result<EventsPage, CallError> {
        self.state.lock().unwrap().events_calls.push(request.after);
        self.pass().await?;
        Ok(self.page(request))
    }

    async fn send(&self, _: &Call, _: RtmSend) -> Result<RtmSent, RtmError> {
        Err(RtmError { code: 1, message: "not here".to_owned() })
    }
}

/// What a gateway does with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    Take,
    Fail(CallError),
    /// Takes the call and answers each item so.
    Answer(&'static Reply),
}

/// A gateway that notes what it is given.
pub(crate) struct FakeGateway {
    pub(crate) node: NodeId,
    pub(crate) manner: Mutex<Manner>,
    /// Calls take a permit, and give it back, before they are looked at.
    pub(crate) gate: Semaphore,
    taken: watch::Sender<Vec<Delivery>>,
    pub(crate) calls: watch::Sender<usize>,
}

impl FakeGateway {
    pub(crate) fn new(name: &str) -> Arc<Self> {
        Arc::new(Self {
            node: node(name),
            manner: Mutex::new(Manner::Take),
            gate: Semaphore::new(Semaphore::MAX_PERMITS),
            taken: watch::Sender::default(),
            calls: watch::Sender::default(),
        })
    }

    pub(crate) fn set(&self, manner: Manner) {
        *self.manner.lock().unwrap() = manner;
    }

    /// Waits until what it was given satisfies `enough`, and returns it in short: `1:e5` event 5 of topic
    /// 1, `2:h7` head 7 of topic 2, `1:s` a signal.
    pub(crate) async fn until(&self, enough: impl Fn(&[String]) -> bool) -> Vec<String> {
        let mut taken = self.taken.subscribe();
        let short = |taken: &Vec<Delivery>| taken.iter().map(short).collect::<Vec<_>>();
        let wait = taken.wait_for(|taken| enough(&short(taken)));
        match timeout(PATIENCE, wait).await {
            Ok(taken) => short(&taken.unwrap()),
            Err(_) => panic!("gateway {} has only {:?}", self.node, short(&self.taken.borrow())),
        }
    }

    /// Waits until the last thing it was given is `last`.
    pub(crate) async fn until_last(&self, last: &str) -> Vec<String> {
        self.until(|taken| taken.last().is_some_and(|taken| taken == last)).await
    }

    /// Waits until so many calls have come in.
    pub(crate) async fn until_calls(&self, calls: usize) {
        let mut seen = self.calls.subscribe();
        timeout(PATIENCE, seen.wait_for(|seen| *seen >= calls)).await.expect("calls in time").unwrap();
    }

    /// What it was given so far.
    pub(crate) fn taken(&self) -> Vec<Delivery> {
        self.taken.borrow().clone()
    }
}

fn short(delivery: &Delivery) -> String {
    match delivery {
        Delivery::Event(event) => format!("{}:e{}", event.topic.id.raw(), event.position.seq),
        Delivery::Head(head) => format!("{}:h{}", head.topic.id.raw(), head.position.seq),
        Delivery::Signal(signal) => format!("{}:s", signal.topic.id.raw()),
    }
}

#[async_trait]
impl Gateway for FakeGateway {
    async fn deliver(
        &self,
        _: &Call,
        _: SlotName,
        deliveries: Vec<Delivery>,
    ) -> Result<Vec<Reply>, CallError> {
        self.calls.send_modify(|calls| *calls += 1);
        drop(self.gate.acquire().await.unwrap());
        let manner = *self.manner.lock().unwrap();
        let reply = match manner {
            Manner::Take => Reply::Ok,
            Manner::Fail(error) => return Err(error),
            Manner::Answer(reply) => return Ok(vec![reply.clone(); deliveries.len()]),
        };
        let replies = vec![reply; deliveries.len()];
        self.taken.send_modify(|taken| taken.extend(deliveries));
        Ok(replies)
    }

    async fn presence(&self, _: &Call, _: SlotName, _: Vec<PresenceChange>) -> Result<Vec<Reply>, CallError> {
        panic!("a Channel Server tells nobody of presence")
    }
    async fn revoke(&self, _: &Call, _: Vec<CredentialId>) -> Result<u32, CallError> {
        Ok(0)
    }

    async fn journey(&self, _: &Call, _: Topic, _: Seq) -> Result<Option<GatewayJourney>, CallError> {
        let gateway = self.node.clone();
        Ok(Some(GatewayJourney { gateway, received: 1, written: 2, sockets: 3 }))
    }
}

/// The first incarnation of a node.
pub(crate) fn node(name: &str) -> NodeId {
    NodeId { name: name.to_owned(), incarnation: 1 }
}

/// One slot with neighbours.
pub(crate) struct OneSlot {
    pub(crate) web: Arc<FakeWeb>,
    pub(crate) gateways: Arc<Directory<dyn Gateway>>,
    pub(crate) ring: watch::Sender<Arc<Ring>>,
    pub(crate) slot: SlotHandle,
    pub(crate) port: Arc<dyn ChannelServer>,
    pub(crate) clock: Clock,
    pub(crate) tasks: Tasks,
}

/// A ring in which the slots `names` are served by nodes `channel-NAME`.
pub(crate) fn ring(epoch: u64, names: &[&str]) -> Arc<Ring> {
    let slot =
        |name: &&str| Slot { name: SlotName((*name).to_owned()), node: node(&format!("channel-{name}")) };
    Arc::new(Ring::new(Epoch(epoch), names.iter().map(slot).collect()).unwrap())
}

impl OneSlot {
    /// Slot `a`, alone on the ring of epoch 1.
    pub(crate) fn start(config: Config) -> Self {
        let (web, gateways) = (FakeWeb::new(), Arc::default());
        let (ring, watching): (_, RingWatch) = watch::channel(ring(1, &["a"]));
        let (clock, tasks) = (Clock::manual(1_000), Tasks::new());
        let deps = Deps {
            ring: watching,
            gateways: Arc::clone(&gateways),
            web: Arc::clone(&web) as Arc<dyn Web>,
            clock: clock.clone(),
            metrics: ChannelMetrics::default(),
        };
        let slot = start(config, SlotName("a".to_owned()), node("channel-a"), deps, &tasks);
        let port = slot.port();
        Self { web, gateways, ring, slot, port, clock, tasks }
    }

    /// Adds a gateway to the directory.
    pub(crate) fn gateway(&self, name: &str) -> Arc<FakeGateway> {
        let gateway = FakeGateway::new(name);
        self.gateways.insert(gateway.node.clone(), Arc::clone(&gateway) as Arc<dyn Gateway>);
        gateway
    }

    /// A call by the ring of an epoch.
    pub(crate) fn call(&self, epoch: u64) -> Call {
        Call {
            caller: node("caller"),
            epoch: Epoch(epoch),
            trace: TraceId::default(),
            timeout: Duration::from_secs(5),
        }
    }

    pub(crate) async fn publish(&self, events: Vec<EventRecord>) -> Vec<Reply> {
        let epoch = self.ring.borrow().epoch().0;
        self.port.publish(&self.call(epoch), events).await.unwrap()
    }

    /// Commits an event and publishes it.
    pub(crate) async fn post(&self, topic: Topic) -> Reply {
        self.publish(vec![self.web.commit(topic)]).await.remove(0)
    }

    pub(crate) async fn subscribe(&self, gateway: &FakeGateway, topic: Topic, seq: u64) -> Reply {
        let wish = vec![Subscription { topic, after: at(1, seq) }];
        let epoch = self.ring.borrow().epoch().0;
        self.port.subscribe(&self.call(epoch), gateway.node.clone(), wish).await.unwrap().remove(0)
    }
}
