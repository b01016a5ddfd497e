//! The live topics of a slot: a map in shards, and the bounds on all of them together.

use std::{
    collections::{HashMap, hash_map::Entry},
    hash::BuildHasher,
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio_util::sync::CancellationToken;

use crate::{
    metrics::SlotMetrics,
    repair::Repair,
    role::Config,
    topic::{Topic, TopicLimits},
};

/// Locks that the topics of a slot are spread over.
const SHARDS: usize = 64;

/// A mutex whose owner's panic fails the host: a half-done change must not be served. The host is then
/// replaced, and its state comes back from the store.
#[derive(Debug)]
pub(crate) struct Lock<T> {
    inner: Mutex<T>,
    failed: CancellationToken,
}

impl<T> Lock<T> {
    pub(crate) fn new(value: T, failed: CancellationToken) -> Self {
        Self { inner: Mutex::new(value), failed }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.inner.lock().unwrap_or_else(|poisoned| {
            self.failed.cancel();
            poisoned.into_inner()
        })
    }
}

/// A topic and what the host notes about it.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) topic: Topic,
    /// It is new, or an event came, since the last sweep. Gateways that subscribe again do not count: they
    /// all do it every few seconds.
    pub(crate) touched: bool,
    /// What is being done about what it wants.
    pub(crate) repair: Repair,
}

/// A map has up to twice as many places as topics: an empty one is small.
pub(crate) type Shard = HashMap<model::Topic, Box<Live>>;

/// The live topics of a slot.
#[derive(Debug)]
pub(crate) struct Topics {
    shards: Vec<Lock<Shard>>,
    first: Lock<Shard>,
    hasher: std::hash::RandomState,
    /// Topics, and bytes of the events that they keep.
    count: AtomicUsize,
    bytes: AtomicUsize,
    topics_max: usize,
    metrics: SlotMetrics,
}

impl Topics {
    pub(crate) fn new(topics_max: usize, metrics: SlotMetrics, failed: &CancellationToken) -> Self {
        metrics.topics.set(0);
        metrics.history_bytes.set(0);
        let shard = || Lock::new(Shard::new(), failed.clone());
        Self {
            shards: (1..SHARDS).map(|_| shard()).collect(),
            first: shard(),
            hasher: std::hash::RandomState::new(),
            count: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            topics_max,
            metrics,
        }
    }

    /// Locks the shard of a topic.
    pub(crate) fn shard(&self, topic: model::Topic) -> MutexGuard<'_, Shard> {
        let hash = self.hasher.hash_one(topic);
        let shards = u64::try_from(SHARDS).unwrap_or(1);
        let index = usize::try_from(hash % shards).unwrap_or(0);
        self.shards.get(index).unwrap_or(&self.first).lock()
    }

    /// All shards, to be locked one after the other.
    pub(crate) fn shards(&self) -> impl Iterator<Item = &Lock<Shard>> {
        self.shards.iter().chain([&self.first])
    }

    /// The topic in its shard; a new one, of which nothing is known, is announced by `added`. `None`: the
    /// slot has as many topics as it may.
    pub(crate) fn get_or_insert<'a>(
        &self,
        shard: &'a mut Shard,
        topic: model::Topic,
        added: impl FnOnce(),
    ) -> Option<&'a mut Live> {
        match shard.entry(topic) {
            Entry::Occupied(live) => Some(live.into_mut()),
            Entry::Vacant(_) if self.count.load(Ordering::Relaxed) >= self.topics_max => None,
            Entry::Vacant(place) => {
                self.count.fetch_add(1, Ordering::Relaxed);
                self.metrics.topics.inc();
                added();
                let live = Live { topic: Topic::new(topic), touched: true, repair: Repair::None };
                Some(place.insert(Box::new(live)))
            }
        }
    }

    /// A topic was removed from its shard.
    pub(crate) fn removed(&self, live: &Live) {
        self.count.fetch_sub(1, Ordering::Relaxed);
        self.metrics.topics.dec();
        self.resized(live.topic.bytes(), 0);
    }

    /// A topic keeps another number of bytes.
    pub(crate) fn resized(&self, before: usize, now: usize) {
        if before != now {
            let all = if now > before {
                self.bytes.fetch_add(now - before, Ordering::Relaxed) + (now - before)
            } else {
                self.bytes.fetch_sub(before - now, Ordering::Relaxed) - (before - now)
            };
            self.metrics.history_bytes.set(i64::try_from(all).unwrap_or(i64::MAX));
        }
    }

    /// The bounds for the next change of a topic: nothing more is kept once the slot keeps enough.
    pub(crate) fn limits(&self, config: &Config) -> TopicLimits {
        if self.bytes.load(Ordering::Relaxed) < config.events_bytes_max {
            config.topic
        } else {
            config.topic.nothing_kept()
        }
    }
}
