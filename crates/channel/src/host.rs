//! A slot's Channel Server: the topics that the ring gives it, and the gateways that listen.
//!
//! Calls change a topic under the lock of its shard and queue what follows for the gateways under that
//! lock, so a topic's order survives into each queue; nothing is awaited there. What a topic needs from
//! `web` is left to [`crate::repair`].

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use cluster::{Ring, RingWatch};
use futures_util::future::join_all;
use model::{Epoch, Head, Micros, NodeId, Seq, SlotName, Topic, TraceId};
use rpc::{
    Call, CallError, ChannelJourney, ChannelServer, EventRecord, GatewayJourney, Refusal, Reply, Signal,
    Subscription,
};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use crate::{
    journal::{Entry, Journal},
    metrics::SlotMetrics,
    registry::Registry,
    repair::Repairs,
    role::{Config, Deps},
    topic::{GatewayKey, Published, Wants},
    topics::{Lock, Topics},
};

/// Name of the role in errors.
pub(crate) const ROLE: &str = "channel";

/// A slot's Channel Server. [`crate::role::start`] makes and runs it.
pub struct Host {
    pub(crate) slot: SlotName,
    pub(crate) node: NodeId,
    pub(crate) config: Config,
    pub(crate) deps: Deps,
    pub(crate) metrics: SlotMetrics,
    pub(crate) topics: Topics,
    pub(crate) gateways: Registry,
    pub(crate) repairs: Repairs,
    journal: Lock<Journal>,
    draining: AtomicBool,
    failed: CancellationToken,
}

impl Host {
    /// A host that knows nothing yet. `failed` is cancelled when its state cannot be trusted any more.
    pub(crate) fn new(
        config: Config,
        slot: SlotName,
        node: NodeId,
        deps: Deps,
        failed: &CancellationToken,
    ) -> Self {
        let metrics = deps.metrics.slot(&slot);
        Self {
            slot,
            node,
            topics: Topics::new(config.topics_max, metrics.clone(), failed),
            gateways: Registry::new(metrics.clone()),
            repairs: Repairs::new(failed),
            journal: Lock::new(Journal::new(config.journal_events_max), failed.clone()),
            draining: AtomicBool::new(false),
            failed: failed.clone(),
            config,
            deps,
            metrics,
        }
    }

    /// The ring as this host knows it.
    pub(crate) fn ring(&self) -> Arc<Ring> {
        Arc::clone(&self.deps.ring.borrow())
    }

    /// Whether a ring gives the slot to this node.
    pub(crate) fn serves(&self, ring: &Ring) -> bool {
        ring.slot(&self.slot).is_some_and(|slot| slot.node == self.node)
    }

    /// Whether a ring gives the slot to a later start of this node.
    pub(crate) fn is_outlived(&self, ring: &Ring) -> bool {
        let later = |node: &NodeId| node.name == self.node.name && node.incarnation > self.node.incarnation;
        ring.slot(&self.slot).is_some_and(|slot| later(&slot.node))
    }

    /// A call of its own.
    pub(crate) fn call(&self, timeout: Duration) -> Call {
        let epoch = self.ring().epoch();
        Call { caller: self.node.clone(), epoch, trace: TraceId::default(), timeout }
    }

    /// From here on everything is refused as [`Refusal::Draining`].
    pub(crate) fn start_drain(&self) {
        self.draining.store(true, Ordering::SeqCst);
    }

    /// The ring to serve a call by.
    ///
    /// A caller with an older ring is refused. One with a newer ring is right: it waits until that ring
    /// has come here too, for a moment.
    async fn admit(&self, call: &Call) -> Result<Arc<Ring>, Reply> {
        let mut ring = self.ring();
        if ring.epoch() < call.epoch {
            let mut watch: RingWatch = self.deps.ring.clone();
            let newer = watch.wait_for(|ring| ring.epoch() >= call.epoch);
            if let Ok(Ok(newer)) = timeout(self.config.ring_wait.min(call.timeout / 2), newer).await {
                ring = Arc::clone(&newer);
            }
        }
        if self.draining.load(Ordering::SeqCst) || self.failed.is_cancelled() {
            return Err(Reply::Refused(Refusal::Draining));
        }
        if ring.epoch() != call.epoch || !self.serves(&ring) {
            return Err(Reply::NotOwner { epoch: ring.epoch() });
        }
        Ok(ring)
    }

    /// Answers each item by `take`, unless the call or the item's topic is not for this slot.
    async fn each<T>(
        &self,
        call: &Call,
        items: Vec<T>,
        topic: impl Fn(&T) -> Topic,
        mut take: impl FnMut(T) -> Reply,
    ) -> Vec<Reply> {
        let ring = match self.admit(call).await {
            Ok(ring) => ring,
            Err(reply) => {
                self.metrics.not_owner.inc_by(items.len().try_into().unwrap_or(u64::MAX));
                return vec![reply; items.len()];
            }
        };
        let answer = |item: T| {
            if ring.owner(topic(&item)).name == self.slot {
                take(item)
            } else {
                self.metrics.not_owner.inc();
                Reply::NotOwner { epoch: ring.epoch() }
            }
        };
        items.into_iter().map(answer).collect()
    }

    fn publish_one(&self, event: EventRecord, received: Micros) -> Reply {
        let (topic, seq, trace) = (event.topic, event.seq(), event.trace);
        let entry = |sent| Entry { topic, seq, received, sent };
        let limits = self.topics.limits(&self.config);
        let mut out = self.gateways.out();
        let mut shard = self.topics.shard(topic);
        // Nobody listens: who does later learns the head from the store first, which has this event.
        let Some(live) = shard.get_mut(&topic) else {
            drop(shard);
            self.journal.lock().received(entry(Some(received)));
            return Reply::Ok;
        };
        live.touched = true;
        let (before, bytes) = (live.topic.have(), live.topic.bytes());
        let published = live.topic.publish(event, &limits, &mut out);
        let have = live.topic.have();
        self.topics.resized(bytes, live.topic.bytes());
        self.repairs.look_at(live, topic, self.config.hole_wait);
        drop(shard);
        match published {
            Published::Sent => {
                debug!(slot = %self.slot, %topic, %seq, %trace, "sent to gateways");
                let now = self.deps.clock.now_us();
                let mut journal = self.journal.lock();
                if have > seq {
                    journal.sent(topic, before, have, now);
                }
                journal.received(entry(Some(now)));
                self.metrics.events.inc_by(have.raw().saturating_sub(before.raw()));
                Reply::Ok
            }
            Published::Known => {
                self.metrics.events_known.inc();
                Reply::Ok
            }
            Published::Held => {
                self.journal.lock().received(entry(None));
                debug!(slot = %self.slot, %topic, %seq, %trace, "held for its predecessor");
                self.metrics.events_held.inc();
                Reply::Ok
            }
            Published::Dropped => Reply::Behind { have },
        }
    }

    fn announce_one(&self, head: Head) -> Reply {
        let mut shard = self.topics.shard(head.topic);
        let Some(live) = shard.get_mut(&head.topic) else { return Reply::Ok };
        live.topic.announce(head.position);
        self.repairs.look_at(live, head.topic, self.config.hole_wait);
        match live.topic.wants() {
            Wants::Events { after } => Reply::Behind { have: after.seq },
            Wants::Head | Wants::Nothing => Reply::Ok,
        }
    }

    fn signal_one(&self, signal: &Signal) -> Reply {
        let mut out = self.gateways.out();
        if let Some(live) = self.topics.shard(signal.topic).get(&signal.topic) {
            live.topic.signal(signal, &mut out);
        }
        Reply::Ok
    }

    fn subscribe_one(&self, gateway: GatewayKey, wish: Subscription) -> Reply {
        let mut out = self.gateways.out();
        let mut shard = self.topics.shard(wish.topic);
        let Some(live) = self.topics.get_or_insert(&mut shard, wish.topic, || self.repairs.learn(wish.topic))
        else {
            return Reply::Refused(Refusal::Full);
        };
        live.topic.subscribe(gateway, wish.after, &mut out);
        self.repairs.look_at(live, wish.topic, self.config.hole_wait);
        Reply::Ok
    }

    /// Notes that events were passed on which had come in before.
    pub(crate) fn note_sent(&self, topic: Topic, before: Seq, have: Seq) {
        if have > before {
            self.metrics.events.inc_by(have.raw() - before.raw());
            self.journal.lock().sent(topic, before, have, self.deps.clock.now_us());
        }
    }

    /// Waits until every head that is asked for is known, or known not to be.
    async fn learned(&self, mut topics: Vec<Topic>) {
        loop {
            let changed = self.repairs.learned();
            tokio::pin!(changed);
            changed.as_mut().enable();
            topics.retain(|topic| {
                let shard = self.topics.shard(*topic);
                shard.get(topic).is_some_and(|live| live.topic.wants() == Wants::Head)
            });
            if topics.is_empty() {
                return;
            }
            changed.await;
        }
    }

    async fn gateway_journeys(&self, call: &Call, topic: Topic, seq: Seq) -> Vec<GatewayJourney> {
        let keys: Vec<GatewayKey> = {
            let shard = self.topics.shard(topic);
            shard.get(&topic).into_iter().flat_map(|live| live.topic.gateways()).collect()
        };
        let listeners: Vec<NodeId> = keys.iter().filter_map(|key| self.gateways.node(*key)).collect();
        let call = Call { timeout: call.timeout / 2, ..self.call(call.timeout) };
        let asked = listeners.iter().filter_map(|node| self.deps.gateways.get(node)).map(|gateway| {
            let call = &call;
            async move { timeout(call.timeout, gateway.journey(call, topic, seq)).await }
        });
        // A gateway that does not answer is not in the journey.
        join_all(asked).await.into_iter().filter_map(|answer| answer.ok()?.ok()?).collect()
    }

    /// The ring's epoch, for what is sent to gateways.
    pub(crate) fn epoch(&self) -> Epoch {
        self.ring().epoch()
    }
}

#[async_trait]
impl ChannelServer for Host {
    async fn publish(&self, call: &Call, events: Vec<EventRecord>) -> Result<Vec<Reply>, CallError> {
        let received = self.deps.clock.now_us();
        Ok(self.each(call, events, |event| event.topic, |event| self.publish_one(event, received)).await)
    }

    async fn announce(&self, call: &Call, heads: Vec<Head>) -> Result<Vec<Reply>, CallError> {
        Ok(self.each(call, heads, |head| head.topic, |head| self.announce_one(head)).await)
    }

    async fn signal(&self, call: &Call, signals: Vec<Signal>) -> Result<Vec<Reply>, CallError> {
        Ok(self.each(call, signals, |signal| signal.topic, |signal| self.signal_one(&signal)).await)
    }

    async fn subscribe(
        &self,
        call: &Call,
        gateway: NodeId,
        subscriptions: Vec<Subscription>,
    ) -> Result<Vec<Reply>, CallError> {
        if self.deps.gateways.get(&gateway).is_none() {
            return Ok(vec![Reply::Refused(Refusal::Unknown); subscriptions.len()]);
        }
        let topics: Vec<Topic> = subscriptions.iter().map(|wish| wish.topic).collect();
        let key = self.gateways.key(&gateway, self.config.link);
        let take = |wish: Subscription| self.subscribe_one(key, wish);
        let mut replies = self.each(call, subscriptions, |wish| wish.topic, take).await;
        if timeout(call.timeout, self.learned(topics.clone())).await.is_err() {
            return Err(CallError::Failed { role: ROLE });
        }
        for (reply, topic) in replies.iter_mut().zip(&topics) {
            if *reply == Reply::Ok && !self.topics.shard(*topic).contains_key(topic) {
                *reply = Reply::Refused(Refusal::Unknown);
            }
        }
        // Taken for gone meanwhile: what was subscribed is gone too.
        if self.gateways.node(key).is_none() {
            return Err(CallError::Unavailable { role: ROLE });
        }
        Ok(replies)
    }

    async fn unsubscribe(
        &self,
        _call: &Call,
        gateway: NodeId,
        topics: Vec<Topic>,
    ) -> Result<Vec<Reply>, CallError> {
        // Right by any ring: a host that does not own the topic has nothing to stop.
        let key = self.gateways.find(&gateway);
        for topic in &topics {
            if let (Some(key), Some(live)) = (key, self.topics.shard(*topic).get_mut(topic)) {
                live.topic.unsubscribe(key);
            }
        }
        Ok(vec![Reply::Ok; topics.len()])
    }

    async fn journey(
        &self,
        call: &Call,
        topic: Topic,
        seq: Seq,
    ) -> Result<Option<ChannelJourney>, CallError> {
        let Some(entry) = self.journal.lock().find(topic, seq) else { return Ok(None) };
        let gateways = self.gateway_journeys(call, topic, seq).await;
        let sent = entry.sent.unwrap_or(entry.received);
        Ok(Some(ChannelJourney { slot: self.slot.clone(), received: entry.received, sent, gateways }))
    }
}
