//! What topics need from `web`: heads of topics that are new here, and events that never came.
//!
//! Heads are asked for in batches, one call at a time, so that a thousand gateways that subscribe at once
//! cost a few calls. Holes are read by a few readers; each waits a moment first, since what is missing is
//! usually under way. Both repeat with growing pauses until `web` answers.

use std::{
    collections::{BTreeMap, VecDeque},
    future::Future,
    time::Duration,
};

use model::{HeadRead, Position, Topic};
use rpc::{EventsPage, EventsRequest};
use tokio::{
    sync::{Notify, futures::Notified},
    time::{Instant, sleep, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::{
    host::Host,
    registry::Out,
    topic::Wants,
    topics::{Live, Lock},
};

/// Topics whose heads are asked for in one call.
const HEADS_MAX: usize = 500;
/// Events asked for in one read.
const EVENTS_MAX: u32 = 500;
/// Reads without a gain after which a hole is taken for an error of whoever announced it.
const FRUITLESS_READS_MAX: u8 = 10;

/// What is being done about what a topic wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repair {
    /// Nothing.
    None,
    /// A read is due or under way. Counts those in a row that brought nothing.
    Queued { fruitless: u8 },
}

/// The topics that wait for `web`. Bounded by the number of topics: each is in here once.
#[derive(Debug)]
pub(crate) struct Repairs {
    /// Topics of unknown head.
    unknown: Lock<Vec<Topic>>,
    /// Topics whose store could not be asked, by when they are asked for again. Ascending: the wait is one.
    later: Lock<VecDeque<(Instant, Vec<Topic>)>>,
    unknown_added: Notify,
    learned: Notify,
    /// Topics with a hole, by when it is to be read.
    holes: Lock<Holes>,
    holes_added: Notify,
}

#[derive(Debug, Default)]
struct Holes {
    due: BTreeMap<(Instant, u64), Topic>,
    last: u64,
}

impl Repairs {
    pub(crate) fn new(failed: &CancellationToken) -> Self {
        Self {
            unknown: Lock::new(Vec::new(), failed.clone()),
            later: Lock::new(VecDeque::new(), failed.clone()),
            unknown_added: Notify::new(),
            learned: Notify::new(),
            holes: Lock::new(Holes::default(), failed.clone()),
            holes_added: Notify::new(),
        }
    }

    /// A topic is new: its head is to be learned. Called once for each new topic.
    pub(crate) fn learn(&self, topic: Topic) {
        self.unknown.lock().push(topic);
        self.unknown_added.notify_one();
    }

    /// Heads could not be told now: they are asked for again after a while.
    fn ask_later(&self, topics: Vec<Topic>, wait: Duration) {
        self.later.lock().push_back((Instant::now() + wait, topics));
    }

    /// Takes the topics that are to be asked for: new ones, and those whose while has passed.
    fn take_unknown(&self) -> Vec<Topic> {
        let mut unknown = self.unknown.lock();
        let mut later = self.later.lock();
        while later.front().is_some_and(|(due, _)| *due <= Instant::now()) {
            unknown.extend(later.pop_front().into_iter().flat_map(|(_, topics)| topics));
        }
        let rest = unknown.len().saturating_sub(HEADS_MAX);
        unknown.split_off(rest)
    }

    /// Waits until there may be topics to ask for.
    async fn some_unknown(&self) {
        let due = self.later.lock().front().map(|(due, _)| *due);
        let due = async {
            match due {
                Some(due) => sleep_until(due).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = due => {}
            () = self.unknown_added.notified() => {}
        }
    }

    /// Tells when heads were learned.
    pub(crate) fn learned(&self) -> Notified<'_> {
        self.learned.notified()
    }

    /// Plans a read after a moment if the topic has a hole that nobody takes care of. Called under the topic's lock.
    pub(crate) fn look_at(&self, live: &mut Live, topic: Topic, wait: Duration) {
        if live.repair == Repair::None && matches!(live.topic.wants(), Wants::Events { .. }) {
            live.repair = Repair::Queued { fruitless: 0 };
            self.plan(topic, Instant::now() + wait);
        }
    }

    fn plan(&self, topic: Topic, due: Instant) {
        let mut holes = self.holes.lock();
        holes.last += 1;
        let key = (due, holes.last);
        holes.due.insert(key, topic);
        drop(holes);
        self.holes_added.notify_one();
    }

    /// The next hole that is due.
    async fn next_hole(&self) -> Topic {
        loop {
            let next = {
                let mut holes = self.holes.lock();
                match holes.due.first_key_value() {
                    Some((&(due, _), _)) if due <= Instant::now() => {
                        if let Some((_, topic)) = holes.due.pop_first() {
                            if !holes.due.is_empty() {
                                // Another reader may be waiting for a later one than is first now.
                                self.holes_added.notify_one();
                            }
                            return topic;
                        }
                        None
                    }
                    Some((&(due, _), _)) => Some(due),
                    None => None,
                }
            };
            let due = async {
                match next {
                    Some(due) => sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = due => {}
                () = self.holes_added.notified() => {}
            }
        }
    }
}

impl Host {
    /// Learns the heads of new topics, for ever. One of these runs.
    pub(crate) async fn learn_heads(&self) {
        let mut pause = Pause::new(self.config.retry_min, self.config.retry_max);
        let mut asked: Vec<Topic> = Vec::new();
        loop {
            if asked.is_empty() {
                asked = self.repairs.take_unknown();
            }
            if asked.is_empty() {
                self.repairs.some_unknown().await;
                continue;
            }
            let call = self.call(self.config.web_timeout);
            let answer = timeout(self.config.web_timeout, self.deps.web.heads(&call, asked.clone())).await;
            match answer {
                Ok(Ok(heads)) if heads.len() == asked.len() => {
                    let mut later = Vec::new();
                    for (topic, head) in asked.drain(..).zip(heads) {
                        match head {
                            HeadRead::At(head) => self.learn_head(topic, Some(head)),
                            HeadRead::Absent => self.learn_head(topic, None),
                            HeadRead::Later => later.push(topic),
                        }
                    }
                    self.metrics.heads.inc();
                    self.repairs.learned.notify_waiters();
                    pause.reset();
                    if !later.is_empty() {
                        // Another store's topics do not wait for those of one that does not answer.
                        self.metrics.heads_failed.inc();
                        self.repairs.ask_later(later, self.config.retry_max);
                    }
                }
                failed => {
                    self.metrics.heads_failed.inc();
                    warn!(slot = %self.slot, failure = ?failed.map(|answer| answer.map(|heads| heads.len())),
                        "web does not tell heads");
                    pause.wait().await;
                }
            }
        }
    }

    fn learn_head(&self, topic: Topic, head: Option<Position>) {
        let limits = self.topics.limits(&self.config);
        let mut out = self.gateways.out();
        let mut shard = self.topics.shard(topic);
        let Some(head) = head else {
            if let Some(live) = shard.remove(&topic) {
                self.topics.removed(&live);
            }
            return;
        };
        if let Some(live) = shard.get_mut(&topic) {
            let bytes = live.topic.bytes();
            live.topic.learn(head, &limits, &mut out);
            self.topics.resized(bytes, live.topic.bytes());
            let have = live.topic.have();
            self.repairs.look_at(live, topic, self.config.hole_wait);
            drop(shard);
            self.note_sent(topic, head.seq, have);
        }
    }

    /// Reads holes, for ever. A few of these run.
    pub(crate) async fn read_holes(&self) {
        loop {
            let topic = self.repairs.next_hole().await;
            self.read_hole(topic).await;
        }
    }

    async fn read_hole(&self, topic: Topic) {
        let wants = {
            let mut shard = self.topics.shard(topic);
            let Some(live) = shard.get_mut(&topic) else { return };
            let wants = live.topic.wants();
            if !matches!(wants, Wants::Events { .. }) {
                live.repair = Repair::None;
            }
            wants
        };
        let Wants::Events { after } = wants else { return };
        self.metrics.reads.inc();
        let call = self.call(self.config.web_timeout);
        let request = EventsRequest { topic, after, limit: EVENTS_MAX };
        let answer = timeout(self.config.web_timeout, self.deps.web.events(&call, request)).await;
        let page = match answer {
            Ok(Ok(page)) => Some(page),
            failed => {
                self.metrics.reads_failed.inc();
                let failure = failed.map(|answer| answer.err());
                warn!(slot = %self.slot, %topic, ?failure, "web does not tell events");
                None
            }
        };
        self.apply(topic, after, page);
    }

    /// Applies an answer of `web`; `None`: it failed.
    fn apply(&self, topic: Topic, asked: Position, page: Option<EventsPage>) {
        let limits = self.topics.limits(&self.config);
        let mut out = self.gateways.out();
        let mut shard = self.topics.shard(topic);
        let Some(live) = shard.get_mut(&topic) else { return };
        let (before, bytes) = (live.topic.have(), live.topic.bytes());
        let answered = page.is_some();
        let gain = match page {
            None => false,
            Some(EventsPage::Events { events, head }) => {
                live.topic.fill(asked, events, head, &limits, &mut out)
            }
            Some(EventsPage::Reset { head }) => live.topic.reset(asked, head, &limits, &mut out),
            Some(EventsPage::Unknown) => {
                if let Some(live) = shard.remove(&topic) {
                    self.topics.removed(&live);
                }
                return;
            }
        };
        let fruitless = match live.repair {
            Repair::Queued { fruitless } if !gain => fruitless.saturating_add(1),
            Repair::Queued { .. } | Repair::None => 0,
        };
        if answered && fruitless >= FRUITLESS_READS_MAX {
            warn!(slot = %self.slot, %topic, "events that were announced do not exist");
            live.topic.give_up();
        }
        let have = live.topic.have();
        self.topics.resized(bytes, live.topic.bytes());
        if matches!(live.topic.wants(), Wants::Events { .. }) {
            live.repair = Repair::Queued { fruitless };
            let wait = if gain { Duration::ZERO } else { self.config.backoff(fruitless) };
            self.repairs.plan(topic, Instant::now() + wait);
        } else {
            live.repair = Repair::None;
        }
        drop(shard);
        self.note_sent(topic, before, have);
    }

    /// Gives back the memory of topics in which nothing happened, forgets those that nobody listens to, and
    /// gateways that are gone; for ever. One of these runs.
    pub(crate) async fn sweep_idle(&self) {
        loop {
            sleep(self.config.idle_after).await;
            self.sweep();
        }
    }

    /// One sweep: what was not touched since the last one is trimmed or forgotten.
    pub(crate) fn sweep(&self) {
        for (key, link) in self.gateways.all() {
            if self.deps.gateways.get(link.gateway()).is_none() {
                self.gateways.remove(key);
            }
        }
        for shard in self.topics.shards() {
            // For one shard at a time: a gateway that is being added waits for it, and all calls for that.
            let out = self.gateways.out();
            shard.lock().retain(|_, live| self.stays(live, &out));
        }
    }

    /// Whether a topic stays; one without an event since the last sweep is trimmed.
    fn stays(&self, live: &mut Live, out: &Out<'_>) -> bool {
        live.topic.retain(|gateway| out.knows(gateway));
        let touched = std::mem::take(&mut live.touched);
        if touched || live.topic.wants() == Wants::Head {
            return true;
        }
        if live.topic.gateways().next().is_none() {
            self.topics.removed(live);
            return false;
        }
        let bytes = live.topic.bytes();
        live.topic.trim();
        self.topics.resized(bytes, live.topic.bytes());
        true
    }
}

/// Growing pauses.
struct Pause {
    min: Duration,
    max: Duration,
    next: Duration,
}

impl Pause {
    fn new(min: Duration, max: Duration) -> Self {
        Self { min, max, next: min }
    }

    fn reset(&mut self) {
        self.next = self.min;
    }

    fn wait(&mut self) -> impl Future<Output = ()> + use<> {
        let pause = self.next;
        self.next = pause.saturating_mul(2).min(self.max);
        sleep(pause)
    }
}
