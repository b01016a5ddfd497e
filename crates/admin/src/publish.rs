//! Committed events on their way to the slots that own their topics.
//!
//! Each slot has an ordered, bounded queue and a loop of its own, so a slot that is slow or dead holds up
//! nobody else's events. Publishing ends when the events are queued. An event that finds no room, or whose
//! slot does not take it in time, is left to the sweep: it is in the store, and the announcement of
//! its topic's head brings the slot to read it.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use cluster::Ring;
use model::{Micros, SlotName, TraceId};
use rpc::{Call, CallError, EventRecord, Refusal, Reply};
use runtime::OnEnd;
use tokio::{
    sync::Notify,
    time::{Instant, timeout},
};
use tracing::{debug, warn};

use crate::{
    forward::{newer_ring, worth_another_try},
    role::Role,
};

/// The queue to one slot.
#[derive(Debug, Default)]
pub(crate) struct SlotQueue {
    waiting: Mutex<Waiting>,
    filled: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    events: VecDeque<Queued>,
    bytes: usize,
}

/// An event and until when it is worth trying.
#[derive(Debug)]
struct Queued {
    event: EventRecord,
    until: Instant,
}

/// The queues of all slots, made as slots appear.
pub(crate) type Queues = Mutex<HashMap<SlotName, Arc<SlotQueue>>>;

impl SlotQueue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Each change is complete in itself.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn size(event: &EventRecord) -> usize {
    size_of::<Queued>() + event.body.len() + event.extra.len()
}

impl Role {
    /// Queues events for the owners of their topics. Answers [`Reply::Ok`] for what is queued and
    /// [`Refusal::Full`] for what is not.
    pub(crate) fn queue(self: &Arc<Self>, call: &Call, events: Vec<EventRecord>) -> Vec<Reply> {
        let until = Instant::now() + call.timeout;
        let ring = self.ring();
        events
            .into_iter()
            .map(|event| {
                let queue = self.queue_of(&ring.owner(event.topic).name);
                self.append(&queue, Queued { event, until })
            })
            .collect()
    }

    fn append(&self, queue: &SlotQueue, queued: Queued) -> Reply {
        let mut waiting = queue.lock();
        let bytes = size(&queued.event);
        if waiting.events.len() >= self.config.queue_events_max
            || waiting.bytes + bytes > self.config.queue_bytes_max
        {
            self.metrics.refused_full.inc();
            return Reply::Refused(Refusal::Full);
        }
        waiting.bytes += bytes;
        waiting.events.push_back(queued);
        drop(waiting);
        self.metrics.queued.inc();
        queue.filled.notify_one();
        Reply::Ok
    }

    /// The queue of a slot; a slot that is new gets one, and a loop.
    fn queue_of(self: &Arc<Self>, slot: &SlotName) -> Arc<SlotQueue> {
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(queue) = queues.get(slot) {
            return Arc::clone(queue);
        }
        let queue = Arc::new(SlotQueue::default());
        queues.insert(slot.clone(), Arc::clone(&queue));
        let (role, slot, ours) = (Arc::clone(self), slot.clone(), Arc::clone(&queue));
        // A loop that panics would strand a slot's events, so the process does not go on without it.
        self.tasks.spawn("admin slot", OnEnd::Stop, async move { role.empty(&slot, &ours).await });
        queue
    }

    /// Hands a slot its events in order, one call at a time. Ends when the process drains and all is done.
    async fn empty(self: Arc<Self>, slot: &SlotName, queue: &SlotQueue) {
        loop {
            let batch = self.take(queue);
            if batch.is_empty() {
                tokio::select! {
                    biased;
                    () = queue.filled.notified() => continue,
                    () = self.tasks.drain().cancelled() => return,
                }
            }
            self.hand_over(slot, batch).await;
        }
    }

    fn take(&self, queue: &SlotQueue) -> VecDeque<Queued> {
        let mut waiting = queue.lock();
        let mut batch = VecDeque::new();
        let mut bytes = 0;
        while batch.len() < self.config.batch_events_max {
            let Some(next) = waiting.events.front() else { break };
            bytes += size(&next.event);
            if bytes > self.config.batch_bytes_max && !batch.is_empty() {
                break;
            }
            let Some(next) = waiting.events.pop_front() else { break };
            waiting.bytes -= size(&next.event);
            batch.push_back(next);
        }
        self.metrics.queued.dec_by(i64::try_from(batch.len()).unwrap_or(0));
        batch
    }

    /// Repeats a batch until each event is taken, refused for good, or not worth trying any more.
    async fn hand_over(self: &Arc<Self>, slot: &SlotName, mut batch: VecDeque<Queued>) {
        let mut pause = self.config.retry_min;
        loop {
            let ring = self.ring();
            if ring.slot(slot).is_none() {
                // The slot is no more: its topics have other owners now.
                for queued in batch {
                    let queue = self.queue_of(&ring.owner(queued.event.topic).name);
                    self.append(&queue, queued);
                }
                return;
            }
            let now = Instant::now();
            let tried = batch.len();
            batch.retain(|queued| queued.until > now);
            if tried > batch.len() {
                let events = tried - batch.len();
                self.metrics.given_up.inc_by(events.try_into().unwrap_or(u64::MAX));
                warn!(%slot, events, "slot did not take events in time, the sweep repairs");
            }
            let Some(until) = batch.iter().map(|queued| queued.until).min() else { return };
            let sent = self.deps.clock.now_us();
            match self.try_batch(slot, &ring, &batch, until).await {
                Ok(replies) => {
                    self.settle(slot, &mut batch, &replies, sent);
                    if batch.is_empty() {
                        return;
                    }
                    // The slot knows another ring: ours, or it, will have the newer one in a moment.
                    self.metrics.not_owner.inc_by(batch.len().try_into().unwrap_or(u64::MAX));
                }
                Err(error) => {
                    self.metrics.call_failures.inc();
                    debug!(%slot, %error, "slot does not take events");
                }
            }
            if self.tasks.drain().is_cancelled() {
                // The slots stop too. Every client comes back and reads from the store.
                self.metrics.given_up.inc_by(batch.len().try_into().unwrap_or(u64::MAX));
                return;
            }
            // A new ring ends the pause: it may name another node.
            if newer_ring(&self.deps.ring, ring.epoch(), until.min(Instant::now() + pause)).await {
                pause = self.config.retry_min;
            } else {
                pause = pause.saturating_mul(2).min(self.config.retry_max);
            }
        }
    }

    /// Sends the batch once.
    async fn try_batch(
        &self,
        slot: &SlotName,
        ring: &Ring,
        batch: &VecDeque<Queued>,
        until: Instant,
    ) -> Result<Vec<Reply>, CallError> {
        let port = self.port(ring, slot)?;
        let trace = batch.front().map_or_else(TraceId::default, |queued| queued.event.trace);
        let wait = self.config.call_timeout.min(until.saturating_duration_since(Instant::now()));
        let call = Call { caller: self.deps.node.clone(), epoch: ring.epoch(), trace, timeout: wait };
        let events = batch.iter().map(|queued| queued.event.clone()).collect();
        let answer = timeout(wait, port.publish(&call, events)).await;
        answer.unwrap_or(Err(CallError::Deadline { role: "channel" }))
    }

    /// Keeps in the batch what is to be tried again. `sent`: when this try began, for the journey.
    fn settle(&self, slot: &SlotName, batch: &mut VecDeque<Queued>, replies: &[Reply], sent: Micros) {
        let mut journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
        let mut replies = replies.iter();
        batch.retain(|queued| {
            let Some(reply) = replies.next() else { return true };
            match reply {
                Reply::Ok | Reply::Behind { .. } => {
                    if matches!(reply, Reply::Behind { .. }) {
                        self.metrics.behind.inc();
                    }
                    let event = &queued.event;
                    debug!(%slot, topic = %event.topic, seq = %event.seq(), trace = %event.trace, "forwarded");
                    self.metrics.forwarded.inc();
                    journal.forwarded(queued.event.topic, queued.event.seq(), sent);
                }
                reply if worth_another_try(reply) => return true,
                Reply::Refused(_) | Reply::NotOwner { .. } => {
                    self.metrics.dropped.inc();
                }
            }
            false
        });
    }
}
