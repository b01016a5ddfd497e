//! One call to the slots that own some topics, without a queue: heads, signals, journeys.

use std::{collections::BTreeMap, future::Future, sync::Arc, time::Duration};

use cluster::{Ring, RingWatch};
use futures_util::future::join_all;
use model::{Epoch, SlotName, Topic};
use rpc::{Call, CallError, ChannelServer, Refusal, Reply};
use tokio::time::{Instant, timeout, timeout_at};

use crate::role::{ROLE, Role};

/// Whether the callee may take the item when it is asked again, and by which ring.
pub(crate) fn worth_another_try(reply: &Reply) -> bool {
    matches!(reply, Reply::NotOwner { .. } | Reply::Refused(Refusal::Draining))
}

/// Waits until there is a ring newer than `epoch`, at most until `until`. Returns whether there is.
pub(crate) async fn newer_ring(ring: &RingWatch, epoch: Epoch, until: Instant) -> bool {
    let mut ring = ring.clone();
    matches!(timeout_at(until, ring.wait_for(|ring| ring.epoch() > epoch)).await, Ok(Ok(_)))
}

impl Role {
    /// The ring as this role knows it.
    pub(crate) fn ring(&self) -> Arc<Ring> {
        Arc::clone(&self.deps.ring.borrow())
    }

    /// The call that stands behind `call`, by a ring of our own.
    pub(crate) fn onward(&self, call: &Call, ring: &Ring, timeout: Duration) -> Call {
        Call { caller: self.deps.node.clone(), epoch: ring.epoch(), trace: call.trace, timeout }
    }

    /// Port to the node behind a slot.
    pub(crate) fn port(&self, ring: &Ring, slot: &SlotName) -> Result<Arc<dyn ChannelServer>, CallError> {
        let slot = ring.slot(slot).ok_or(CallError::Unavailable { role: "channel" })?;
        self.deps.channels.get(&slot.node).ok_or(CallError::Unavailable { role: "channel" })
    }

    /// Gives each item to the slot that owns it, all slots at once, and answers item by item. Tries
    /// again, for the call's time, what a slot refused because of its ring or was not there to take. What
    /// no slot took until then is answered [`Refusal::Full`] or by the slot's last refusal.
    pub(crate) async fn forward<T, F>(
        &self,
        call: &Call,
        items: Vec<T>,
        topic: impl Fn(&T) -> Topic,
        send: impl Fn(Arc<dyn ChannelServer>, Call, Vec<T>) -> F + Sync,
    ) -> Vec<Reply>
    where
        T: Clone + Send,
        F: Future<Output = Result<Vec<Reply>, CallError>> + Send,
    {
        let until = Instant::now() + call.timeout;
        let mut pause = self.config.retry_min;
        let mut replies = vec![Reply::Refused(Refusal::Full); items.len()];
        let mut open: Vec<(usize, T)> = items.into_iter().enumerate().collect();
        loop {
            let ring = self.ring();
            let mut by_slot: BTreeMap<SlotName, Vec<(usize, T)>> = BTreeMap::new();
            for item in open.drain(..) {
                by_slot.entry(ring.owner(topic(&item.1)).name.clone()).or_default().push(item);
            }
            let onward = self.onward(call, &ring, until.saturating_duration_since(Instant::now()));
            let calls = by_slot.into_iter().map(|(slot, items)| {
                let (port, onward, send) = (self.port(&ring, &slot), onward.clone(), &send);
                async move {
                    let sent: Vec<T> = items.iter().map(|(_, item)| item.clone()).collect();
                    let wait = onward.timeout;
                    let answer = match port {
                        Ok(port) => timeout(wait, send(port, onward, sent)).await,
                        Err(error) => Ok(Err(error)),
                    };
                    (items, answer.unwrap_or(Err(CallError::Deadline { role: "channel" })))
                }
            });
            for (items, answer) in join_all(calls).await {
                match answer {
                    Ok(answers) => {
                        for ((index, item), answer) in items.into_iter().zip(answers) {
                            if worth_another_try(&answer) {
                                self.metrics.not_owner.inc();
                                open.push((index, item));
                            }
                            if let Some(reply) = replies.get_mut(index) {
                                *reply = answer;
                            }
                        }
                    }
                    Err(error) => {
                        self.metrics.call_failures.inc();
                        // After a missed deadline the slot may have taken the items: no second time.
                        if !matches!(error, CallError::Deadline { .. }) {
                            open.extend(items);
                        }
                    }
                }
            }
            if open.is_empty() || Instant::now() >= until {
                return replies;
            }
            // In the order in which they came.
            open.sort_by_key(|(index, _)| *index);
            newer_ring(&self.deps.ring, ring.epoch(), until.min(Instant::now() + pause)).await;
            pause = pause.saturating_mul(2).min(self.config.retry_max);
        }
    }

    /// Asks the owner of one topic something.
    pub(crate) async fn ask<T, F>(
        &self,
        call: &Call,
        topic: Topic,
        ask: impl FnOnce(Arc<dyn ChannelServer>, Call) -> F,
    ) -> Result<T, CallError>
    where
        F: Future<Output = Result<T, CallError>> + Send,
    {
        let ring = self.ring();
        let port = self.port(&ring, &ring.owner(topic).name)?;
        let answer = timeout(call.timeout, ask(port, self.onward(call, &ring, call.timeout))).await;
        answer.unwrap_or(Err(CallError::Deadline { role: ROLE }))
    }
}
