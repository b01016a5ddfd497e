//! Bugs put in on purpose, at the seams of the simulation: a judge that finds none of them judges nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use clap::ValueEnum;
use model::{Seq, TopicId};
use rpc::{Delivery, Effect, EventRecord, EventsPage, Subscription};
use rusqlite::Connection;
use store::{Write, WriteKind};

use crate::{drive::Lie, log::Ledger};

/// The list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// Published and acknowledged before it is on the disk, which it is a little later.
    PublishBeforeCommit,
    /// A commit does not wait for the disk.
    CommitNotSynced,
    /// A checkpoint does not wait for the disk: the log is written over before what was in it is elsewhere.
    CheckpointNotSynced,
    /// Only the request publishes what it committed: who goes away strands it.
    PublishFromRequest,
    /// Nothing looks for what was committed and not published.
    NoSweep,
    /// Catching up starts one event too late.
    ResumeOffByOne,
    /// Keys are remembered by the process, not by the store.
    DedupeByCache,
    /// A subscription takes the topic's head for what the subscriber has.
    SubscribeAtHead,
    /// The items of a batch do not see their predecessors.
    BatchSetWise,
    /// Catching up shows what was deleted.
    DeletedReplayed,
    /// Gateways are not told of removals.
    RemovedStillHears,
    /// Gateways are not told of joins.
    JoinForgotten,
    /// An unknown outcome is told as a refusal.
    UnknownAsRefused,
}

/// A bug that is in. Cheap to copy: it is there as long as the process.
#[derive(Clone, Copy)]
pub(crate) struct Mutant(&'static Inner);

struct Inner {
    kind: Kind,
    ledger: Arc<Ledger>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Events as they were first published.
    bodies: BTreeMap<(TopicId, u64), Bytes>,
    /// Keys whose sender went away.
    gone: BTreeSet<String>,
}

/// Time between two syncs of [`Kind::PublishBeforeCommit`], microseconds.
const SYNC_EVERY_US: u64 = 300_000;

impl fmt::Debug for Mutant {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.kind.fmt(out)
    }
}

impl Mutant {
    /// Puts a bug in.
    pub(crate) fn new(kind: Kind, ledger: Arc<Ledger>) -> Self {
        Self(Box::leak(Box::new(Inner { kind, ledger, state: Mutex::default() })))
    }

    fn is(self, kind: Kind) -> bool {
        self.0.kind == kind
    }

    fn lock(self) -> MutexGuard<'static, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether nothing sweeps.
    pub(crate) fn has_no_sweep(self) -> bool {
        self.is(Kind::NoSweep) || self.is(Kind::PublishFromRequest)
    }

    /// Whether an unknown outcome is told as a refusal.
    pub(crate) fn refuses_unknown(self) -> bool {
        self.is(Kind::UnknownAsRefused)
    }

    /// The sender of a post with this key went away.
    pub(crate) fn sender_is_gone(self, key: &str) {
        self.lock().gone.insert(key.to_owned());
    }

    /// What `web` hands to `admin`.
    pub(crate) fn change_publish(self, events: &mut Vec<EventRecord>) {
        if self.is(Kind::PublishFromRequest) {
            let state = self.lock();
            events.retain(|event| {
                let body = String::from_utf8_lossy(&event.body);
                !state.gone.iter().any(|key| body.contains(key.as_str()))
            });
        }
    }

    /// What a gateway tells a Channel Server that it has.
    pub(crate) fn change_subscriptions(self, subscriptions: &mut [Subscription]) {
        if self.is(Kind::SubscribeAtHead) {
            self.0.ledger.with_committed(|committed| {
                for one in subscriptions {
                    let head = committed.at.range((one.topic.id, 0)..=(one.topic.id, u64::MAX)).next_back();
                    if let Some(((_, seq), _)) = head {
                        one.after.seq = Seq::new(*seq).max(one.after.seq);
                    }
                }
            });
        }
    }

    /// What a Channel Server sends to a gateway.
    pub(crate) fn change_deliveries(self, deliveries: &mut [Delivery]) {
        for delivery in deliveries {
            let Delivery::Event(event) = delivery else { continue };
            self.remember(event);
            match (self.0.kind, &event.effect) {
                (Kind::RemovedStillHears, Effect::MemberLeft(_) | Effect::Left { .. })
                | (Kind::JoinForgotten, Effect::MemberJoined(_) | Effect::Joined { .. }) => {
                    event.effect = Effect::None;
                }
                _ => {}
            }
        }
    }

    fn remember(self, event: &EventRecord) {
        if self.is(Kind::DeletedReplayed) {
            let key = (event.topic.id, event.seq().raw());
            self.lock().bodies.entry(key).or_insert_with(|| event.body.clone());
        }
    }

    /// What a gateway reads of `web`.
    pub(crate) fn change_page(self, page: &mut EventsPage) {
        let EventsPage::Events { events, .. } = page else { return };
        match self.0.kind {
            Kind::ResumeOffByOne => {
                if let Some(first) = events.first_mut() {
                    first.body = Bytes::new();
                }
            }
            Kind::RemovedStillHears | Kind::JoinForgotten => {
                events.iter_mut().for_each(|event| {
                    let mut delivery = [Delivery::Event(event.clone())];
                    self.change_deliveries(&mut delivery);
                    if let [Delivery::Event(changed)] = delivery {
                        *event = changed;
                    }
                });
            }
            Kind::DeletedReplayed => {
                let state = self.lock();
                for event in events {
                    let first = state.bodies.get(&(event.topic.id, event.seq().raw()));
                    if let Some(first) = first.filter(|_| event.body.is_empty()) {
                        event.body = first.clone();
                    }
                }
            }
            _ => {}
        }
    }

    /// The batch as transactions that do not see each other's keys. One, unless a key comes twice.
    pub(crate) fn split(self, batch: Vec<Write>, dir: &Path) -> Vec<(Vec<Write>, Option<Forget>)> {
        if !self.is(Kind::BatchSetWise) {
            return vec![(batch, None)];
        }
        let mut parts: Vec<(Vec<Write>, Option<Forget>)> = vec![(Vec::new(), None)];
        let mut seen = BTreeSet::new();
        for write in batch {
            if let WriteKind::Post { draft, .. } = &write.kind
                && let Some(key) = &draft.client_msg_id
                && !seen.insert(key.as_str().to_owned())
            {
                let forget = Forget { dir: dir.to_owned(), key: Some(key.as_str().to_owned()) };
                parts.push((Vec::new(), Some(forget)));
            }
            if let Some((part, _)) = parts.last_mut() {
                part.push(write);
            }
        }
        parts
    }

    /// What the drive does not do although it says so: a store that did not ask for it would be no worse off.
    pub(crate) fn lie(self) -> Option<Lie> {
        match self.0.kind {
            Kind::PublishBeforeCommit => Some(Lie::LogLate(SYNC_EVERY_US)),
            Kind::CommitNotSynced => Some(Lie::LogNever),
            Kind::CheckpointNotSynced => Some(Lie::DatabaseNever),
            _ => None,
        }
    }

    /// Before the store of a machine that died is opened again.
    pub(crate) fn before_start(self, dir: &Path) -> anyhow::Result<()> {
        match self.0.kind {
            Kind::DedupeByCache => Forget { dir: dir.to_owned(), key: None }.run(),
            _ => Ok(()),
        }
    }
}

/// Makes the store forget keys.
pub(crate) struct Forget {
    dir: PathBuf,
    key: Option<String>,
}

impl Forget {
    /// Does it.
    ///
    /// # Errors
    /// The store's.
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        let path = self.dir.join("parlance.db");
        let connection = Connection::open(path)?;
        match &self.key {
            Some(key) => connection.execute("DELETE FROM idempotency WHERE msg_key = ?1", [key])?,
            None => connection.execute("DELETE FROM idempotency", [])?,
        };
        Ok(())
    }
}
