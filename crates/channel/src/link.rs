//! The way to one gateway: an ordered, bounded queue and the loop that empties it.
//!
//! One batch is under way at a time, and the next follows when the gateway has answered: that is the flow
//! control. A gateway that takes too little, or fails, loses no topic's place: events that find no room
//! become one [`Delivery::Head`] per topic, and the gateway reads what it needs. Other gateways have
//! queues of their own and notice nothing.

use std::{
    collections::{BTreeMap, VecDeque},
    ops::Bound,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use model::{Epoch, Head, NodeId, Position, SlotName, Topic, TraceId};
use rpc::{
    Call, CallError, Delivery, Directory, Gateway, Refusal, Reply, SignalKind, call::TIMEOUT_ON_THE_WAY,
};
use tokio::{sync::Notify, time::Instant};
use tracing::{info, warn};

use crate::metrics::SlotMetrics;

/// Bounds and patience of the way to one gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkConfig {
    /// Deliveries that may wait. Beyond it events become one head per topic; typing is shed at half of it.
    pub queue_deliveries_max: usize,
    /// Bytes that may wait; likewise.
    pub queue_bytes_max: usize,
    /// Ephemeral messages that may wait although the queue is full. Beyond it they are lost, and counted.
    pub ephemerals_max: usize,
    /// Deliveries in one call.
    pub batch_deliveries_max: usize,
    /// Bytes in one call; one larger delivery goes alone.
    pub batch_bytes_max: usize,
    /// How long a gateway may take for an answer. After it the batch counts as failed.
    pub timeout: Duration,
    /// Pause after a failure; doubles up to [`LinkConfig::retry_max`].
    pub retry_min: Duration,
    /// Longest pause after failures.
    pub retry_max: Duration,
    /// A gateway that was [unavailable](CallError::Unavailable) for so long is gone.
    pub gone_after: Duration,
}

impl Default for LinkConfig {
    fn default() -> Self {
        Self {
            queue_deliveries_max: 4_096,
            queue_bytes_max: 4 << 20,
            ephemerals_max: 1_024,
            batch_deliveries_max: 256,
            batch_bytes_max: 256 << 10,
            timeout: TIMEOUT_ON_THE_WAY,
            retry_min: Duration::from_millis(10),
            retry_max: Duration::from_secs(1),
            gone_after: Duration::from_secs(60),
        }
    }
}

/// The way to one gateway.
#[derive(Debug)]
pub struct Link {
    gateway: NodeId,
    config: LinkConfig,
    queue: Mutex<Queue>,
    /// Something was queued.
    filled: Notify,
    /// The queue ran empty and nothing is under way.
    emptied: Notify,
    metrics: SlotMetrics,
}

#[derive(Debug, Default)]
struct Queue {
    deliveries: VecDeque<Delivery>,
    bytes: usize,
    ephemerals: usize,
    /// Topics of which events found no room, and how far they are. None of their later events is in
    /// `deliveries`, so a head that is appended there is in order.
    behind: BTreeMap<Topic, Position>,
    /// The last topic whose head was moved from `behind`, so that each gets its turn.
    turn: Option<Topic>,
    /// The gateway failed, and the pause after it is not over.
    failing: bool,
    /// A call is under way.
    calling: bool,
    /// Nobody listens any more.
    closed: bool,
}

/// Why the loop of a link ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gone {
    /// The directory does not know the gateway any more.
    Unlisted,
    /// It was unavailable for [`LinkConfig::gone_after`].
    Unavailable,
}

/// What a call carries, remembered in case it fails.
struct Batch {
    deliveries: Vec<Delivery>,
    heads: Vec<Option<(Topic, Position)>>,
    ephemerals: Vec<Delivery>,
}

impl Link {
    /// A link with an empty queue.
    #[must_use]
    pub fn new(gateway: NodeId, config: LinkConfig, metrics: SlotMetrics) -> Self {
        Self {
            gateway,
            config,
            queue: Mutex::default(),
            filled: Notify::new(),
            emptied: Notify::new(),
            metrics,
        }
    }

    /// Where it leads.
    #[must_use]
    pub fn gateway(&self) -> &NodeId {
        &self.gateway
    }

    /// Queues a delivery or, where there is no room, what stands for it. Never waits.
    pub fn push(&self, delivery: Delivery) {
        let mut queue = self.lock();
        match delivery {
            Delivery::Signal(signal) if signal.kind == SignalKind::Typing => {
                let room = queue.deliveries.len() < self.config.queue_deliveries_max / 2;
                if !room || queue.failing || queue.bytes >= self.config.queue_bytes_max / 2 {
                    self.metrics.signals_shed.inc();
                    return;
                }
                queue.append(Delivery::Signal(signal));
            }
            Delivery::Signal(signal) => {
                if queue.ephemerals >= self.config.ephemerals_max {
                    self.metrics.ephemerals_lost.inc();
                    return;
                }
                queue.append(Delivery::Signal(signal));
            }
            Delivery::Event(_) | Delivery::Head(_) => {
                let place = place(&delivery);
                let degraded = place.is_some_and(|(topic, _)| queue.behind.contains_key(&topic));
                if degraded || queue.failing || !queue.has_room(&self.config) {
                    self.metrics.degraded.inc();
                    queue.fall_behind(place);
                } else {
                    queue.append(delivery);
                }
            }
        }
        drop(queue);
        self.filled.notify_one();
    }

    /// Hands everything to the gateway, in order, until it is gone.
    ///
    /// # Cancel safety
    /// What a call under way carried is lost; the link must not be used after that.
    pub async fn run(
        &self,
        slot: &SlotName,
        caller: &NodeId,
        epoch: impl Fn() -> Epoch,
        gateways: &Directory<dyn Gateway>,
    ) -> Gone {
        let mut pause = self.config.retry_min;
        let mut unavailable_since: Option<Instant> = None;
        loop {
            let Some(mut batch) = self.take() else {
                if self.lock().closed {
                    return Gone::Unlisted;
                }
                self.filled.notified().await;
                continue;
            };
            let Some(port) = gateways.get(&self.gateway) else { return Gone::Unlisted };
            let call = Call {
                caller: caller.clone(),
                epoch: epoch(),
                trace: TraceId::default(),
                timeout: self.config.timeout,
            };
            let deliveries = std::mem::take(&mut batch.deliveries);
            self.metrics.deliveries.inc_by(u64::try_from(deliveries.len()).unwrap_or(u64::MAX));
            // The transport keeps the deadline; this one is for a transport that does not.
            let answer = tokio::time::timeout(
                self.config.timeout.saturating_mul(2),
                port.deliver(&call, slot.clone(), deliveries),
            );
            match answer.await.unwrap_or(Err(CallError::Deadline { role: "gateway" })) {
                Ok(replies) => {
                    if unavailable_since.take().is_some() || pause > self.config.retry_min {
                        info!(%slot, gateway = %self.gateway, "gateway takes deliveries again");
                    }
                    pause = self.config.retry_min;
                    self.answered(&batch, &replies);
                }
                Err(error) => {
                    self.metrics.deliver_failures.inc();
                    if pause == self.config.retry_min {
                        warn!(%slot, gateway = %self.gateway, %error, "gateway does not take deliveries");
                    }
                    self.failed(batch, error);
                    if matches!(error, CallError::Unavailable { .. }) {
                        let since = *unavailable_since.get_or_insert_with(Instant::now);
                        if since.elapsed() >= self.config.gone_after {
                            return Gone::Unavailable;
                        }
                    } else {
                        unavailable_since = None;
                    }
                    tokio::time::sleep(pause).await;
                    pause = pause.saturating_mul(2).min(self.config.retry_max);
                    self.lock().failing = false;
                }
            }
        }
    }

    /// Ends the loop once the queue is empty.
    pub fn close(&self) {
        self.lock().closed = true;
        self.filled.notify_one();
    }

    /// Waits until the gateway has answered for everything that was queued.
    pub async fn flushed(&self) {
        loop {
            let emptied = self.emptied.notified();
            tokio::pin!(emptied);
            emptied.as_mut().enable();
            if self.lock().is_idle() {
                return;
            }
            emptied.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        // Each change of the queue is complete in itself.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Option<Batch> {
        let mut queue = self.lock();
        queue.calling = false;
        queue.append_heads(&self.config);
        let mut batch = Batch { deliveries: Vec::new(), heads: Vec::new(), ephemerals: Vec::new() };
        let mut bytes = 0;
        while batch.deliveries.len() < self.config.batch_deliveries_max {
            let Some(next) = queue.deliveries.front() else { break };
            bytes += size(next);
            if bytes > self.config.batch_bytes_max && !batch.deliveries.is_empty() {
                break;
            }
            let Some(delivery) = queue.pop() else { break };
            batch.heads.push(place(&delivery));
            if is_ephemeral(&delivery) {
                batch.ephemerals.push(delivery.clone());
            }
            batch.deliveries.push(delivery);
        }
        if batch.deliveries.is_empty() {
            drop(queue);
            self.emptied.notify_waiters();
            return None;
        }
        queue.calling = true;
        queue.append_heads(&self.config);
        Some(batch)
    }

    /// An item that the gateway had no room for becomes its topic's head, with all that waits after it.
    fn answered(&self, batch: &Batch, replies: &[Reply]) {
        let full: Vec<(Topic, Position)> = batch
            .heads
            .iter()
            .zip(replies)
            .filter(|(_, reply)| **reply == Reply::Refused(Refusal::Full))
            .filter_map(|(place, _)| *place)
            .collect();
        if full.is_empty() {
            return;
        }
        self.metrics.degraded.inc_by(full.len().try_into().unwrap_or(u64::MAX));
        let mut queue = self.lock();
        for place in full {
            queue.fall_behind(Some(place));
        }
        for delivery in queue.take_all() {
            match place(&delivery) {
                Some((topic, _)) if queue.behind.contains_key(&topic) => {
                    self.metrics.degraded.inc();
                    queue.fall_behind(place(&delivery));
                }
                _ => queue.append(delivery),
            }
        }
    }

    /// Nothing is known of the batch: all its topics, and all that wait, become heads.
    fn failed(&self, batch: Batch, error: CallError) {
        let mut queue = self.lock();
        queue.failing = true;
        queue.calling = false;
        let waiting = queue.take_all();
        // An ephemeral message that may have arrived is not repeated: people would see it twice.
        if matches!(error, CallError::Unavailable { .. } | CallError::Overloaded { .. }) {
            for delivery in batch.ephemerals {
                queue.append(delivery);
            }
        } else {
            self.metrics.ephemerals_lost.inc_by(u64::try_from(batch.ephemerals.len()).unwrap_or(u64::MAX));
        }
        for head in batch.heads {
            self.metrics.degraded.inc();
            queue.fall_behind(head);
        }
        for delivery in waiting {
            if is_ephemeral(&delivery) {
                queue.append(delivery);
            } else if let Delivery::Signal(_) = delivery {
                self.metrics.signals_shed.inc();
            } else {
                self.metrics.degraded.inc();
                queue.fall_behind(place(&delivery));
            }
        }
    }
}

impl Queue {
    fn has_room(&self, config: &LinkConfig) -> bool {
        self.deliveries.len() < config.queue_deliveries_max && self.bytes < config.queue_bytes_max
    }

    fn is_idle(&self) -> bool {
        self.deliveries.is_empty() && self.behind.is_empty() && !self.calling
    }

    fn append(&mut self, delivery: Delivery) {
        self.bytes += size(&delivery);
        self.ephemerals += usize::from(is_ephemeral(&delivery));
        self.deliveries.push_back(delivery);
    }

    fn pop(&mut self) -> Option<Delivery> {
        let delivery = self.deliveries.pop_front()?;
        self.bytes -= size(&delivery);
        self.ephemerals -= usize::from(is_ephemeral(&delivery));
        Some(delivery)
    }

    fn take_all(&mut self) -> VecDeque<Delivery> {
        self.bytes = 0;
        self.ephemerals = 0;
        std::mem::take(&mut self.deliveries)
    }

    /// The topic is at a position that will not be delivered event by event.
    fn fall_behind(&mut self, place: Option<(Topic, Position)>) {
        if let Some((topic, position)) = place {
            let behind = self.behind.entry(topic).or_insert(position);
            *behind = position.max(*behind);
        }
    }

    /// Moves heads to the end of the queue while there is room. Their topics are live again after that.
    fn append_heads(&mut self, config: &LinkConfig) {
        while !self.behind.is_empty() && self.has_room(config) {
            let after = self.turn.map_or(Bound::Unbounded, Bound::Excluded);
            let next =
                self.behind.range((after, Bound::Unbounded)).next().or_else(|| self.behind.iter().next());
            let Some((topic, position)) = next.map(|(topic, position)| (*topic, *position)) else { return };
            self.behind.remove(&topic);
            self.turn = Some(topic);
            self.append(Delivery::Head(Head { topic, position }));
        }
    }
}

fn is_ephemeral(delivery: &Delivery) -> bool {
    matches!(delivery, Delivery::Signal(signal) if signal.kind == SignalKind::Ephemeral)
}

/// The position that a delivery brings its topic to; signals bring none.
fn place(delivery: &Delivery) -> Option<(Topic, Position)> {
    match delivery {
        Delivery::Event(event) => Some((event.topic, event.position)),
        Delivery::Head(head) => Some((head.topic, head.position)),
        Delivery::Signal(_) => None,
    }
}

/// Memory that a delivery takes while it waits.
fn size(delivery: &Delivery) -> usize {
    size_of::<Delivery>()
        + match delivery {
            Delivery::Event(event) => event.body.len() + event.extra.len(),
            Delivery::Head(_) => 0,
            Delivery::Signal(signal) => signal.body.len(),
        }
}
