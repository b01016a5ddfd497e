//! Keeps the loop's topics subscribed at their owners, whatever happens to the ring and to the owners.
//!
//! A topic stays on the list until its owner of the newest ring has confirmed it; a failed call is tried
//! again after a back-off, per node. All topics are renewed from time to time, so that even an owner that
//! forgot without anybody noticing is told again.

use std::{
    cell::RefCell,
    collections::{HashMap, HashSet},
    rc::Rc,
    time::Duration,
};

use cluster::RingWatch;
use model::{NodeId, Topic};
use rpc::{Call, CallError, Reply, Subscription};
use tokio::{sync::Notify, time::Instant};
use tracing::{debug, warn};

use crate::core::Shell;

/// Topics per call.
const TOPICS_PER_CALL: usize = 1_000;
/// All topics are subscribed to again after this time.
const RENEW_EVERY: Duration = Duration::from_secs(15);
/// First wait after a failure; doubles up to [`WAIT_MAX`].
const WAIT_MIN: Duration = Duration::from_millis(25);
const WAIT_MAX: Duration = Duration::from_secs(1);
/// Longest wait when only some topics were refused: new ones of the same owner should not wait for those.
const WAIT_PARTIAL_MAX: Duration = Duration::from_millis(200);
/// Deadline of a call; the owner may have to learn heads first.
const CALL_TIMEOUT: Duration = Duration::from_secs(2);

/// The list.
#[derive(Debug, Default)]
pub(crate) struct Subscriptions {
    book: RefCell<Book>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Book {
    /// Every topic that is followed, and who confirmed that.
    confirmed: HashMap<Topic, Option<Rc<NodeId>>>,
    /// Topics that their owner must be told of.
    due: HashSet<Topic>,
    /// Topics that their owner is to forget.
    leaving: Vec<Topic>,
    nodes: HashMap<Rc<NodeId>, Node>,
}

/// What is going on with a Channel Server.
#[derive(Debug)]
struct Node {
    busy: bool,
    failures: u32,
    not_before: Instant,
}

impl Subscriptions {
    /// Wants a topic.
    pub(crate) fn add(&self, topic: Topic) {
        let mut book = self.book.borrow_mut();
        book.confirmed.insert(topic, None);
        book.due.insert(topic);
        self.changed.notify_one();
    }

    /// Does not want a topic any more.
    pub(crate) fn remove(&self, topic: Topic) {
        let mut book = self.book.borrow_mut();
        book.confirmed.remove(&topic);
        book.due.remove(&topic);
        book.leaving.push(topic);
        self.changed.notify_one();
    }

    /// Runs until the loop ends.
    pub(crate) async fn run(&self, shell: Rc<Shell>, mut ring: RingWatch) {
        let mut renew_at = Instant::now() + RENEW_EVERY;
        let mut ring_open = true;
        loop {
            let now = Instant::now();
            if renew_at <= now {
                let mut book = self.book.borrow_mut();
                let all: Vec<Topic> = book.confirmed.keys().copied().collect();
                book.due.extend(all);
                renew_at = now + RENEW_EVERY;
            }
            let current = ring.borrow_and_update().clone();
            self.leave(&shell, &current);
            let next = self.call_owners(&shell, &current, now).unwrap_or(renew_at).min(renew_at);
            tokio::select! {
                () = self.changed.notified() => {}
                () = tokio::time::sleep_until(next) => {}
                changed = ring.changed(), if ring_open => {
                    ring_open = changed.is_ok();
                    self.ring_changed(&ring);
                }
            }
        }
    }

    /// Topics whose owner is another now must be told to that one.
    fn ring_changed(&self, ring: &RingWatch) {
        let ring = ring.borrow().clone();
        let mut book = self.book.borrow_mut();
        let moved: Vec<Topic> = book
            .confirmed
            .iter()
            .filter(|(topic, owner)| owner.as_deref() != Some(&ring.owner(**topic).node))
            .map(|(topic, _)| *topic)
            .collect();
        debug!(epoch = ring.epoch().0, topics = moved.len(), "the ring has changed");
        book.due.extend(moved);
    }

    /// Calls every owner that is not being called and not to be waited for. Returns when to look again.
    fn call_owners(&self, shell: &Rc<Shell>, ring: &cluster::Ring, now: Instant) -> Option<Instant> {
        let mut groups: HashMap<&NodeId, Vec<Topic>> = HashMap::new();
        let mut book = self.book.borrow_mut();
        for &topic in &book.due {
            let group = groups.entry(&ring.owner(topic).node).or_default();
            if group.len() < TOPICS_PER_CALL {
                group.push(topic);
            }
        }
        let mut wait: Option<Instant> = None;
        for (node, topics) in groups {
            let node = Rc::new(node.clone());
            let state = book.nodes.entry(Rc::clone(&node)).or_insert(Node {
                busy: false,
                failures: 0,
                not_before: now,
            });
            if state.busy {
                continue;
            }
            if state.not_before > now {
                wait = Some(wait.map_or(state.not_before, |at| at.min(state.not_before)));
                continue;
            }
            state.busy = true;
            let shell = Rc::clone(shell);
            tokio::task::spawn_local(async move {
                let replies = subscribe(&shell, &node, &topics).await;
                shell.subscriptions.answered(&shell, &node, &topics, replies);
            });
        }
        wait
    }

    fn answered(
        &self,
        shell: &Shell,
        node: &Rc<NodeId>,
        topics: &[Topic],
        replies: Result<Vec<Reply>, CallError>,
    ) {
        let ring = shell.ring();
        let mut book = self.book.borrow_mut();
        let mut failed = 0_u64;
        match &replies {
            Ok(replies) => {
                for (&topic, reply) in topics.iter().zip(replies) {
                    if *reply != Reply::Ok {
                        failed += 1;
                        continue;
                    }
                    // Another ring may have come meanwhile; then its owner must be told as well.
                    let owns = ring.owner(topic).node == **node;
                    if owns && let Some(confirmed) = book.confirmed.get_mut(&topic) {
                        *confirmed = Some(Rc::clone(node));
                        book.due.remove(&topic);
                    }
                }
            }
            Err(error) => {
                failed = topics.len() as u64;
                warn!(%node, %error, topics = failed, "subscribing failed, trying again");
            }
        }
        shell.metrics.subscriptions.inc_by(topics.len() as u64);
        shell.metrics.subscriptions_failed.inc_by(failed);
        if let Some(state) = book.nodes.get_mut(node) {
            state.busy = false;
            state.failures = if failed == 0 { 0 } else { state.failures + 1 };
            let most = if failed < topics.len() as u64 { WAIT_PARTIAL_MAX } else { WAIT_MAX };
            let wait = if failed == 0 { Duration::ZERO } else { back_off(state.failures, WAIT_MIN, most) };
            state.not_before = Instant::now() + wait;
        }
        // Nodes that are in no ring any more are forgotten.
        book.nodes.retain(|node, state| state.busy || ring.slots().iter().any(|slot| slot.node == **node));
        self.changed.notify_one();
    }

    /// Tells owners to forget topics. If that fails, the Channel Server finds out by itself that nobody
    /// wants them: deliveries of unknown topics are ignored.
    fn leave(&self, shell: &Rc<Shell>, ring: &cluster::Ring) {
        let leaving = std::mem::take(&mut self.book.borrow_mut().leaving);
        let mut groups: HashMap<NodeId, Vec<Topic>> = HashMap::new();
        for topic in leaving {
            if !self.book.borrow().confirmed.contains_key(&topic) {
                groups.entry(ring.owner(topic).node.clone()).or_default().push(topic);
            }
        }
        for (node, topics) in groups {
            let shell = Rc::clone(shell);
            tokio::task::spawn_local(async move {
                if let Some(port) = shell.channels.get(&node) {
                    let result = port.unsubscribe(&shell.call(), shell.node.clone(), topics).await;
                    if let Err(error) = result {
                        debug!(%node, %error, "unsubscribing failed");
                    }
                }
            });
        }
    }
}

async fn subscribe(shell: &Shell, node: &NodeId, topics: &[Topic]) -> Result<Vec<Reply>, CallError> {
    let port = shell.channels.get(node).ok_or(CallError::Unavailable { role: "channel" })?;
    let subscriptions = {
        let hub = shell.hub.borrow();
        let wish = |&topic: &Topic| hub.position(topic).map(|after| Subscription { topic, after });
        topics.iter().map(wish).collect::<Option<Vec<_>>>()
    };
    // A topic was given up meanwhile: the next round goes without it.
    let Some(subscriptions) = subscriptions else { return Ok(Vec::new()) };
    let call = Call { timeout: CALL_TIMEOUT, ..shell.call() };
    port.subscribe(&call, shell.node.clone(), subscriptions).await
}

/// A wait that doubles with each failure.
pub(crate) fn back_off(failures: u32, least: Duration, most: Duration) -> Duration {
    least.saturating_mul(1 << failures.saturating_sub(1).min(10)).min(most)
}
