//! From the commit to `admin`: hands over committed events in commit order, and sweeps up what got lost
//! in between.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use model::{CredentialId, Epoch, Head, NodeId, Position, Seq, Topic, TraceId, WriteTimes};
use rpc::{Admin, Call, EventRecord, Reply, call::TIMEOUT_ON_THE_WAY};
use store::{Changed, Sweep};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::warn;

/// Batches that may wait for `admin`. When it is full the appender drops a batch, and the sweep announces it.
pub const BATCHES_MAX: usize = 1_024;
/// Events of one call at most.
const CALL_EVENTS_MAX: usize = 1_024;
/// Time between two sweeps: well under the two seconds of I8.
const SWEEP_PERIOD: Duration = Duration::from_millis(400);
/// How often a head is announced and taken: one that was taken may still be lost behind `admin`.
const ANNOUNCED_TIMES: u32 = 3;
/// Events whose write times are remembered, for journeys.
const JOURNEYS_MAX: usize = 4_096;

/// What one batch committed.
#[derive(Debug)]
pub struct Committed {
    /// Its events, in commit order.
    pub records: Vec<EventRecord>,
}

/// When recent events were accepted and committed, and by which request.
#[derive(Debug, Clone, Default)]
pub struct Journeys(Arc<Mutex<Memory>>);

#[derive(Debug, Default)]
struct Memory {
    times: HashMap<(Topic, Seq), (TraceId, WriteTimes)>,
    order: VecDeque<(Topic, Seq)>,
}

impl Journeys {
    fn remember(&self, record: &EventRecord) {
        let mut memory = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (record.topic, record.seq());
        memory.times.insert(key, (record.trace, record.times));
        memory.order.push_back(key);
        if memory.order.len() > JOURNEYS_MAX
            && let Some(oldest) = memory.order.pop_front()
        {
            memory.times.remove(&oldest);
        }
    }

    /// The request and times of an event, if it is remembered.
    #[must_use]
    pub fn get(&self, topic: Topic, seq: Seq) -> Option<(TraceId, WriteTimes)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).times.get(&(topic, seq)).copied()
    }
}

/// The heads that are still to be announced, each so often. Whoever does not take one is told again, however long it takes.
#[derive(Debug, Default)]
struct Heads(HashMap<Topic, (Position, u32)>);

impl Heads {
    fn changed(&mut self, heads: Vec<Head>) {
        for Head { topic, position } in heads {
            let known = self.0.entry(topic).or_insert((position, ANNOUNCED_TIMES));
            *known = (position.max(known.0), ANNOUNCED_TIMES);
        }
    }

    fn all(&self) -> Vec<Head> {
        self.0.iter().map(|(&topic, &(position, _))| Head { topic, position }).collect()
    }

    fn taken(&mut self, topic: Topic) {
        if let Some((_, left)) = self.0.get_mut(&topic) {
            *left -= 1;
            if *left == 0 {
                self.0.remove(&topic);
            }
        }
    }
}

/// Hands committed events to `admin`.
pub struct Publisher {
    /// Who calls.
    pub node: NodeId,
    /// The role that finds the owners.
    pub admin: Arc<dyn Admin>,
    /// Memory of write times.
    pub journeys: Journeys,
}

impl Publisher {
    /// Hands over until the appender is gone. What cannot be handed over is left to the sweep.
    pub async fn run(self: Arc<Self>, mut committed: mpsc::Receiver<Committed>) {
        let mut batches = Vec::new();
        while committed.recv_many(&mut batches, BATCHES_MAX).await > 0 {
            let mut records: Vec<EventRecord> = batches.drain(..).flat_map(|batch| batch.records).collect();
            records.iter().for_each(|record| self.journeys.remember(record));
            while !records.is_empty() {
                let rest = records.split_off(records.len().min(CALL_EVENTS_MAX));
                self.publish(std::mem::replace(&mut records, rest)).await;
            }
        }
    }

    async fn publish(&self, records: Vec<EventRecord>) {
        match self.admin.publish(&self.call(), records).await {
            Ok(replies) => {
                let left = replies.iter().filter(|reply| **reply != Reply::Ok).count();
                if left > 0 {
                    warn!(left, "events not taken by admin, the sweep will announce them");
                }
            }
            Err(error) => warn!(%error, "admin did not take events, the sweep will announce them"),
        }
    }

    /// Looks what changed in one store, whichever process wrote to it, and tells this one's roles; until the
    /// drain.
    pub async fn sweep(self: Arc<Self>, mut sweep: Box<dyn Sweep>, drain: CancellationToken) {
        let (mut heads, mut revoked) = (Heads::default(), Vec::new());
        let mut ticks = tokio::time::interval(SWEEP_PERIOD);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = drain.cancelled() => return,
                _ = ticks.tick() => {}
            }
            match sweep.changed().await {
                Ok(Changed { heads: changed, revoked: found }) => {
                    heads.changed(changed);
                    revoked.extend(found);
                }
                Err(error) => warn!(%error, "sweep cannot read"),
            }
            self.announce(&mut heads).await;
            self.revoke(&mut revoked).await;
        }
    }

    /// Ends the sessions of credentials that were revoked, by another process perhaps: who has none of them has
    /// nothing to do.
    async fn revoke(&self, revoked: &mut Vec<CredentialId>) {
        if revoked.is_empty() {
            return;
        }
        match self.admin.revoke(&self.call(), revoked.clone()).await {
            Ok(_) => revoked.clear(),
            Err(error) => warn!(%error, "revocations not taken, repeated at the next sweep"),
        }
    }

    /// Announces what sweeps found, until it was taken often enough.
    async fn announce(&self, heads: &mut Heads) {
        let announced = heads.all();
        if announced.is_empty() {
            return;
        }
        match self.admin.announce(&self.call(), announced.clone()).await {
            Ok(replies) => {
                let taken = announced.iter().zip(&replies).filter(|(_, reply)| **reply == Reply::Ok);
                taken.for_each(|(head, _)| heads.taken(head.topic));
            }
            Err(error) => warn!(%error, "sweep not taken, repeated at the next"),
        }
    }

    fn call(&self) -> Call {
        // Publishing does not depend on the ring: `admin` knows its own.
        Call {
            caller: self.node.clone(),
            epoch: Epoch::default(),
            trace: TraceId::default(),
            timeout: TIMEOUT_ON_THE_WAY,
        }
    }
}
