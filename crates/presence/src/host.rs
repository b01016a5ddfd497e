//! A slot's presence server: the state behind the port, the clock, and what gateways are told.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use cluster::{Ring, RingWatch};
use futures_util::{StreamExt, stream::FuturesUnordered};
use model::{NodeId, SlotName, TraceId};
use rpc::{Call, CallError, Person, Presence, PresenceNow, PresenceReport, Refusal, Reply, Watch};
use tokio::{
    sync::Notify,
    time::{Instant, sleep, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

use crate::{
    metrics::SlotMetrics,
    role::{Config, Deps},
    state::{GatewayKey, State},
};

/// A slot's presence server. [`crate::role::start`] makes and runs it.
pub struct Host {
    pub(crate) slot: SlotName,
    pub(crate) node: NodeId,
    config: Config,
    deps: Deps,
    metrics: SlotMetrics,
    state: Mutex<State>,
    started: Instant,
    /// Some gateway may have to be told something.
    due: Notify,
    /// Something may be due earlier than it was.
    timer: Notify,
    ended: CancellationToken,
}

impl Host {
    /// A host that knows nothing yet. `ended` is cancelled when it takes no more calls.
    pub(crate) fn new(
        config: Config,
        slot: SlotName,
        node: NodeId,
        deps: Deps,
        ended: &CancellationToken,
    ) -> Self {
        Self {
            metrics: deps.metrics.slot(&slot),
            state: Mutex::new(State::new(config.limits, 0)),
            started: Instant::now(),
            due: Notify::new(),
            timer: Notify::new(),
            ended: ended.clone(),
            slot,
            node,
            config,
            deps,
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

    /// Follows the ring.
    pub(crate) fn watch_ring(&self) -> RingWatch {
        self.deps.ring.clone()
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Changes the state, then wakes who has to do with what follows.
    fn with<T>(&self, change: impl FnOnce(&mut State, u64) -> T) -> T {
        let now_ms = self.now_ms();
        // Each change of a person is complete in itself; a panic ends the slot (`role.rs`), and its state with it.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let result = change(&mut state, now_ms);
        let due = state.due().next().is_some();
        let counts = state.take_counts();
        drop(state);
        self.metrics.show(&counts);
        if due {
            self.due.notify_one();
        }
        self.timer.notify_one();
        result
    }

    /// The ring to serve a call by. A caller with an older ring is refused. One with a newer ring is right: it waits
    /// until that ring has come here too, for a moment.
    async fn admit(&self, call: &Call) -> Result<Arc<Ring>, Reply> {
        let mut ring = self.ring();
        if ring.epoch() < call.epoch {
            let mut watch = self.watch_ring();
            let newer = watch.wait_for(|ring| ring.epoch() >= call.epoch);
            if let Ok(Ok(newer)) = timeout(self.config.ring_wait.min(call.timeout / 2), newer).await {
                ring = Arc::clone(&newer);
            }
        }
        if self.ended.is_cancelled() {
            return Err(Reply::Refused(Refusal::Draining));
        }
        if ring.epoch() != call.epoch || !self.serves(&ring) {
            return Err(Reply::NotOwner { epoch: ring.epoch() });
        }
        Ok(ring)
    }

    /// Answers each item by `take`, unless the call or the item's person is not for this slot.
    async fn each<T>(
        &self,
        call: &Call,
        items: Vec<T>,
        person: impl Fn(&T) -> Person,
        mut take: impl FnMut(&mut State, T, u64) -> Reply,
    ) -> Vec<Reply> {
        let ring = match self.admit(call).await {
            Ok(ring) => ring,
            Err(reply) => {
                self.metrics.not_owner.inc_by(items.len().try_into().unwrap_or(u64::MAX));
                return vec![reply; items.len()];
            }
        };
        self.with(|state, now_ms| {
            let answer = |item: T| {
                if ring.owner(person(&item).topic()).name == self.slot {
                    take(state, item, now_ms)
                } else {
                    self.metrics.not_owner.inc();
                    Reply::NotOwner { epoch: ring.epoch() }
                }
            };
            items.into_iter().map(answer).collect()
        })
    }

    /// The number of a gateway that can be told something.
    fn gateway(&self, node: &NodeId) -> Result<GatewayKey, Refusal> {
        if self.deps.gateways.get(node).is_none() {
            return Err(Refusal::Unknown);
        }
        self.with(|state, now_ms| state.gateway(node, now_ms))
    }

    /// Lets time pass, for ever.
    pub(crate) async fn keep_time(&self) {
        loop {
            let next_ms = self.state.lock().unwrap_or_else(PoisonError::into_inner).next_tick_ms();
            let due = async {
                match next_ms {
                    Some(at_ms) => sleep_until(self.started + Duration::from_millis(at_ms)).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = due => self.with(State::tick),
                () = self.timer.notified() => {}
            }
            tokio::task::consume_budget().await;
        }
    }

    /// Tells gateways what changed, for ever. To each gateway one call at a time.
    pub(crate) async fn tell(&self) {
        let mut calls = FuturesUnordered::new();
        let mut busy: HashSet<GatewayKey> = HashSet::new();
        loop {
            let due: Vec<GatewayKey> =
                self.state.lock().unwrap_or_else(PoisonError::into_inner).due().collect();
            for key in due {
                if busy.insert(key) {
                    calls.push(self.tell_gateway(key));
                }
            }
            tokio::select! {
                Some(key) = calls.next() => { busy.remove(&key); }
                () = self.due.notified() => {}
            }
        }
    }

    /// Tells one gateway what changed until now, and a moment longer: changes come in crowds.
    async fn tell_gateway(&self, key: GatewayKey) -> GatewayKey {
        sleep(self.config.batch_wait).await;
        let (node, changes) = {
            let now_ms = self.now_ms();
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            (state.node(key).cloned(), state.take_changes(key, self.config.batch_people_max, now_ms))
        };
        let Some(node) = node.filter(|_| !changes.is_empty()) else { return key };
        let Some(port) = self.deps.gateways.get(&node) else {
            info!(slot = %self.slot, gateway = %node, "gateway is gone, and what it had with it");
            self.with(|state, now_ms| state.remove_gateway(key, now_ms));
            return key;
        };
        let call = Call {
            caller: self.node.clone(),
            epoch: self.ring().epoch(),
            trace: TraceId::default(),
            timeout: self.config.tell_timeout,
        };
        let told = timeout(call.timeout, port.presence(&call, self.slot.clone(), changes.clone())).await;
        let taken = match &told {
            Ok(Ok(replies)) => replies.iter().all(|reply| *reply == Reply::Ok),
            Ok(Err(_)) | Err(_) => false,
        };
        if taken {
            self.metrics.told.inc_by(changes.len().try_into().unwrap_or(u64::MAX));
        } else {
            debug!(slot = %self.slot, gateway = %node, ?told, "a gateway could not be told");
            self.metrics.tell_failures.inc();
            self.state.lock().unwrap_or_else(PoisonError::into_inner).not_delivered(key, &changes);
            sleep(self.config.retry_wait).await;
        }
        key
    }
}

#[async_trait]
impl Presence for Host {
    async fn report(
        &self,
        call: &Call,
        gateway: NodeId,
        reports: Vec<PresenceReport>,
    ) -> Result<Vec<Reply>, CallError> {
        let key = match self.gateway(&gateway) {
            Ok(key) => key,
            Err(refusal) => return Ok(vec![Reply::Refused(refusal); reports.len()]),
        };
        let take = |state: &mut State, report, now_ms| state.report(key, report, now_ms);
        Ok(self.each(call, reports, |report| report.person, take).await)
    }

    async fn watch(
        &self,
        call: &Call,
        gateway: NodeId,
        watches: Vec<Watch>,
    ) -> Result<Vec<Reply>, CallError> {
        let key = match self.gateway(&gateway) {
            Ok(key) => key,
            Err(refusal) => return Ok(vec![Reply::Refused(refusal); watches.len()]),
        };
        let take = |state: &mut State, watch, now_ms| state.watch(key, watch, now_ms);
        Ok(self.each(call, watches, |watch| watch.person, take).await)
    }

    async fn unwatch(
        &self,
        call: &Call,
        gateway: NodeId,
        people: Vec<Person>,
    ) -> Result<Vec<Reply>, CallError> {
        let key = match self.gateway(&gateway) {
            Ok(key) => key,
            Err(refusal) => return Ok(vec![Reply::Refused(refusal); people.len()]),
        };
        let take = |state: &mut State, person, now_ms| {
            state.unwatch(key, person, now_ms);
            Reply::Ok
        };
        Ok(self.each(call, people, |person| *person, take).await)
    }

    async fn query(
        &self,
        call: &Call,
        people: Vec<Person>,
    ) -> Result<Vec<Result<PresenceNow, Reply>>, CallError> {
        let ring = match self.admit(call).await {
            Ok(ring) => ring,
            Err(reply) => return Ok(vec![Err(reply); people.len()]),
        };
        loop {
            let answers = self.with(|state, now_ms| {
                let answer = |person: &Person| {
                    if ring.owner(person.topic()).name == self.slot {
                        state.query(*person, now_ms).map(Ok)
                    } else {
                        Some(Err(Reply::NotOwner { epoch: ring.epoch() }))
                    }
                };
                people.iter().map(answer).collect::<Option<Vec<_>>>()
            });
            if let Some(answers) = answers {
                return Ok(answers);
            }
            // Ends with the settling at the latest; the caller's deadline may be earlier.
            sleep(self.config.batch_wait).await;
        }
    }

    async fn touch(&self, call: &Call, people: Vec<Person>) -> Result<Vec<Reply>, CallError> {
        let take = |state: &mut State, person, now_ms| {
            state.touch(person, now_ms);
            Reply::Ok
        };
        Ok(self.each(call, people, |person| *person, take).await)
    }
}
