//! A gateway as the contract wants it: follows topics, resubscribes when the ring changes, drops what it
//! has, and reads holes from `web`.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use cluster::RingWatch;
use model::{CredentialId, NodeId, Position, Seq, SlotName, Topic, TraceId};
use rpc::{
    Call, CallError, ChannelServer, Delivery, Directory, EventRecord, EventsPage, EventsRequest, Gateway,
    GatewayJourney, PresenceChange, Reply, Subscription, Web,
};
use tokio::{
    sync::{mpsc, watch},
    time::sleep,
};

/// A gateway that follows some topics.
pub(crate) struct FollowingGateway {
    pub(crate) node: NodeId,
    state: Mutex<State>,
    holes: mpsc::UnboundedSender<Topic>,
    progress: watch::Sender<u64>,
    /// One call in so many is refused as overloaded; 0: none.
    refuse_every: u64,
}

#[derive(Default)]
struct State {
    topics: HashMap<Topic, Followed>,
    /// Last place that each caller delivered since it was last subscribed to.
    delivered: HashMap<(NodeId, Topic), Position>,
    violations: Vec<String>,
    calls: u64,
    duplicates: u64,
    heads: u64,
}

struct Followed {
    position: Position,
    exists: Position,
    log: Vec<EventRecord>,
    reading: bool,
}

impl FollowingGateway {
    pub(crate) fn new(node: NodeId, topics: &[Topic], refuse_every: u64) -> (Arc<Self>, HoleReader) {
        let (holes, reader) = mpsc::unbounded_channel();
        let followed = || Followed {
            position: Position::START,
            exists: Position::START,
            log: Vec::new(),
            reading: false,
        };
        let topics = topics.iter().map(|topic| (*topic, followed())).collect();
        let state = Mutex::new(State { topics, ..State::default() });
        let gateway = Self { node, state, holes, progress: watch::Sender::default(), refuse_every };
        (Arc::new(gateway), reader)
    }

    /// Keeps every topic subscribed at the node that the ring names; for ever.
    pub(crate) async fn subscribe(
        self: Arc<Self>,
        mut ring: RingWatch,
        channels: Arc<Directory<dyn ChannelServer>>,
    ) {
        let mut served: HashMap<SlotName, NodeId> = HashMap::new();
        loop {
            let now = Arc::clone(&ring.borrow_and_update());
            for slot in now.slots() {
                if served.get(&slot.name) == Some(&slot.node) {
                    continue;
                }
                let Some(port) = channels.get(&slot.node) else { continue };
                let wishes: Vec<Subscription> = {
                    let mut state = self.state.lock().unwrap();
                    let mine = |topic: &Topic| now.owner(*topic).name == slot.name;
                    let topics: Vec<Topic> = state.topics.keys().copied().filter(mine).collect();
                    for topic in &topics {
                        // From here on the node may repeat what it sent.
                        state.delivered.remove(&(slot.node.clone(), *topic));
                    }
                    let wish =
                        |topic: &Topic| Subscription { topic: *topic, after: state.topics[topic].position };
                    topics.iter().map(wish).collect()
                };
                let call = self.call(now.epoch(), Duration::from_millis(500));
                let replies = port.subscribe(&call, self.node.clone(), wishes).await;
                if replies.is_ok_and(|replies| replies.iter().all(|reply| *reply == Reply::Ok)) {
                    served.insert(slot.name.clone(), slot.node.clone());
                }
            }
            let complete = now.slots().iter().all(|slot| served.get(&slot.name) == Some(&slot.node));
            tokio::select! {
                changed = ring.changed() => if changed.is_err() { return },
                () = sleep(Duration::from_millis(20)), if !complete => {}
            }
        }
    }

    /// Reads holes; for ever.
    pub(crate) async fn read(self: Arc<Self>, mut holes: HoleReader, web: Arc<dyn Web>) {
        while let Some(topic) = holes.recv().await {
            loop {
                let after = {
                    let mut state = self.state.lock().unwrap();
                    let followed = state.topics.get_mut(&topic).unwrap();
                    followed.reading = followed.exists > followed.position;
                    if !followed.reading {
                        break;
                    }
                    followed.position
                };
                let call = self.call(model::Epoch(0), Duration::from_secs(1));
                match web.events(&call, EventsRequest { topic, after, limit: 50 }).await {
                    Ok(EventsPage::Events { events, .. }) => {
                        let mut state = self.state.lock().unwrap();
                        let followed = state.topics.get_mut(&topic).unwrap();
                        events.into_iter().for_each(|event| followed.apply(event));
                        drop(state);
                        self.progress.send_modify(|progress| *progress += 1);
                    }
                    Ok(other) => panic!("{topic} after {after:?}: {other:?}"),
                    Err(_) => sleep(Duration::from_millis(10)).await,
                }
            }
        }
    }

    /// Waits until it has every head.
    pub(crate) async fn reaches(&self, heads: &[(Topic, Position)]) {
        let mut progress = self.progress.subscribe();
        let there = |_: &u64| {
            let state = self.state.lock().unwrap();
            heads.iter().all(|(topic, head)| state.topics[topic].position >= *head)
        };
        progress.wait_for(there).await.unwrap();
    }

    /// The bodies of a topic as they were applied.
    pub(crate) fn log(&self, topic: Topic) -> Vec<bytes::Bytes> {
        self.state.lock().unwrap().topics[&topic].log.iter().map(|event| event.body.clone()).collect()
    }

    pub(crate) fn position(&self, topic: Topic) -> Position {
        self.state.lock().unwrap().topics[&topic].position
    }

    pub(crate) fn violations(&self) -> Vec<String> {
        self.state.lock().unwrap().violations.clone()
    }

    /// Deliveries that it had already, and heads.
    pub(crate) fn counts(&self) -> (u64, u64) {
        let state = self.state.lock().unwrap();
        (state.duplicates, state.heads)
    }

    fn call(&self, epoch: model::Epoch, timeout: Duration) -> Call {
        Call { caller: self.node.clone(), epoch, trace: TraceId::default(), timeout }
    }
}

/// Where a gateway notes topics with holes for itself.
pub(crate) type HoleReader = mpsc::UnboundedReceiver<Topic>;

impl Followed {
    fn apply(&mut self, event: EventRecord) {
        if event.position.seq == self.position.seq.next() {
            self.position = event.position;
            self.exists = self.exists.max(event.position);
            self.log.push(event);
        }
    }
}

impl State {
    fn take(&mut self, caller: &NodeId, delivery: Delivery, holes: &mpsc::UnboundedSender<Topic>) {
        let (topic, position) = match &delivery {
            Delivery::Event(event) => (event.topic, event.position),
            Delivery::Head(head) => (head.topic, head.position),
            Delivery::Signal(_) => return,
        };
        let last = self.delivered.insert((caller.clone(), topic), position);
        if last.is_some_and(|last| last >= position) {
            self.violations.push(format!("{caller} delivered {topic} {last:?} and then {position:?}"));
        }
        let Some(followed) = self.topics.get_mut(&topic) else {
            self.violations.push(format!("{topic} is not followed"));
            return;
        };
        if position <= followed.position {
            self.duplicates += 1;
            return;
        }
        followed.exists = followed.exists.max(position);
        match delivery {
            Delivery::Event(event) => followed.apply(event),
            Delivery::Head(_) => self.heads += 1,
            Delivery::Signal(_) => {}
        }
        if followed.exists > followed.position && !followed.reading {
            followed.reading = true;
            holes.send(topic).unwrap();
        }
    }
}

#[async_trait]
impl Gateway for FollowingGateway {
    async fn deliver(
        &self,
        call: &Call,
        _: SlotName,
        deliveries: Vec<Delivery>,
    ) -> Result<Vec<Reply>, CallError> {
        let mut state = self.state.lock().unwrap();
        state.calls += 1;
        if self.refuse_every > 0 && state.calls.is_multiple_of(self.refuse_every) {
            return Err(CallError::Overloaded { role: "gateway" });
        }
        let replies = vec![Reply::Ok; deliveries.len()];
        for delivery in deliveries {
            state.take(&call.caller, delivery, &self.holes);
        }
        drop(state);
        self.progress.send_modify(|progress| *progress += 1);
        Ok(replies)
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
