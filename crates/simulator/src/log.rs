//! The real log with faults: where a machine may die, and what a commit may end in.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use model::{EventKind, Micros, Topic, TopicId, UserId};
use store::{Cause, CommitError, Log, Outcome, Write};
use tokio::time::sleep;

use crate::{mutants::Mutant, random::Random, trace::Trace};

/// How bad the log is.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Disk {
    /// Commits in a thousand before which the machine dies.
    pub(crate) dies_before_permille: usize,
    /// Commits in a thousand after which it dies, before anybody is told.
    pub(crate) dies_after_permille: usize,
    /// Commits in a thousand whose outcome nobody learns; half of them are there.
    pub(crate) unknown_permille: usize,
    /// Commits in a thousand that find the disk full.
    pub(crate) full_permille: usize,
    /// Commits in a thousand that take up to [`Disk::slow_ms`].
    pub(crate) slow_permille: usize,
    /// How slow a slow one is at most.
    pub(crate) slow_ms: u64,
}

/// What was committed, as the log saw it: the truth that devices are judged by.
#[derive(Debug, Default)]
pub(crate) struct Committed {
    /// When each event was, microseconds since the simulation began.
    pub(crate) at: BTreeMap<(TopicId, u64), u64>,
    /// Joins (true) and leaves of each channel, by seq.
    pub(crate) memberships: BTreeMap<(TopicId, UserId), Vec<(u64, bool)>>,
}

/// Outlives the machine that writes.
pub(crate) struct Ledger {
    /// The record.
    pub(crate) trace: Arc<Trace>,
    state: Mutex<State>,
}

struct State {
    random: Random,
    disk: Disk,
    dies: bool,
    committed: Committed,
}

impl Ledger {
    /// A good disk.
    pub(crate) fn new(seed: u64, trace: Arc<Trace>) -> Arc<Self> {
        let state = State {
            random: Random::new(seed, "disk"),
            disk: Disk::default(),
            dies: false,
            committed: Committed::default(),
        };
        Arc::new(Self { trace, state: Mutex::new(state) })
    }

    /// Sets how bad it is.
    pub(crate) fn set_disk(&self, disk: Disk) {
        self.trace.note("web", "disk", format_args!("{disk:?}"));
        self.lock().disk = disk;
    }

    /// Whether the machine died at a commit since the last question.
    pub(crate) fn take_death(&self) -> bool {
        std::mem::take(&mut self.lock().dies)
    }

    /// Looks at what was committed.
    pub(crate) fn with_committed<T>(&self, look: impl FnOnce(&Committed) -> T) -> T {
        look(&self.lock().committed)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn draw(&self) -> (Fate, Duration) {
        let mut state = self.lock();
        let State { random, disk, .. } = &mut *state;
        let slow = if random.permille(disk.slow_permille) {
            random.millis(0, disk.slow_ms)
        } else {
            random.millis(0, 3)
        };
        let die = random.below(1_000);
        let mut below = 0;
        let mut within = |permille: usize| {
            below += permille;
            die < below
        };
        let fate = if within(disk.dies_before_permille) {
            Fate::DiesBefore
        } else if within(disk.dies_after_permille) {
            Fate::DiesAfter
        } else if within(disk.unknown_permille) {
            if random.permille(500) { Fate::UnknownThere } else { Fate::UnknownNotThere }
        } else if within(disk.full_permille) {
            Fate::Full
        } else {
            Fate::Good
        };
        (fate, slow)
    }

    async fn die(&self) -> ! {
        self.lock().dies = true;
        std::future::pending().await
    }

    fn remember(&self, outcomes: &[Outcome]) {
        let now = self.trace.now_us();
        let mut state = self.lock();
        for event in outcomes.iter().flat_map(|outcome| &outcome.events) {
            let (Topic { id, .. }, seq) = (event.topic, event.seq().raw());
            state.committed.at.insert((id, seq), now);
            let membership = match &event.kind {
                EventKind::MemberJoined { user, .. } => Some((*user, true)),
                EventKind::MemberLeft { user, .. } => Some((*user, false)),
                _ => None,
            };
            if let Some((user, joined)) = membership {
                state.committed.memberships.entry((id, user)).or_default().push((seq, joined));
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Good,
    DiesBefore,
    DiesAfter,
    UnknownThere,
    UnknownNotThere,
    Full,
}

/// The log of one life of the machine.
pub(crate) struct FaultyLog {
    inner: Box<dyn Log>,
    ledger: Arc<Ledger>,
    mutant: Option<Mutant>,
    dir: PathBuf,
}

impl FaultyLog {
    /// Puts faults in front of a log whose files are in `dir`.
    pub(crate) fn new(
        inner: Box<dyn Log>,
        ledger: Arc<Ledger>,
        mutant: Option<Mutant>,
        dir: PathBuf,
    ) -> Self {
        Self { inner, ledger, mutant, dir }
    }

    async fn commit_now(&mut self, batch: Vec<Write>, now: Micros) -> Result<Vec<Outcome>, CommitError> {
        let Some(mutant) = self.mutant else { return self.inner.commit(batch, now).await };
        let failed = |error: anyhow::Error| CommitError::Fatal { reason: error.to_string() };
        let mut outcomes = Vec::new();
        for (part, forget) in mutant.split(batch, &self.dir) {
            if let Some(forget) = forget {
                forget.run().map_err(failed)?;
            }
            outcomes.extend(self.inner.commit(part, now).await?);
        }
        mutant.after_commit(&self.dir, self.ledger.trace.now_us()).map_err(failed)?;
        Ok(outcomes)
    }

    fn unknown(&self) -> CommitError {
        let reason = "simulated".to_owned();
        match self.mutant {
            Some(mutant) if mutant.refuses_unknown() => {
                CommitError::NotWritten { reason, cause: Cause::Unavailable }
            }
            _ => CommitError::Unknown { reason },
        }
    }
}

#[async_trait]
impl Log for FaultyLog {
    async fn commit(&mut self, batch: Vec<Write>, now: Micros) -> Result<Vec<Outcome>, CommitError> {
        let ledger = Arc::clone(&self.ledger);
        let (fate, slow) = ledger.draw();
        let items = batch.len();
        if fate != Fate::Good {
            ledger.trace.note("web", "log", format_args!("{fate:?}, {items} items"));
        }
        sleep(slow).await;
        match fate {
            Fate::DiesBefore => ledger.die().await,
            Fate::Full => {
                return Err(CommitError::NotWritten { reason: "simulated".into(), cause: Cause::Full });
            }
            Fate::UnknownNotThere => return Err(self.unknown()),
            Fate::Good | Fate::DiesAfter | Fate::UnknownThere => {}
        }
        let outcomes = self.commit_now(batch, now).await?;
        ledger.remember(&outcomes);
        let events: Vec<String> = outcomes
            .iter()
            .flat_map(|outcome| &outcome.events)
            .map(|event| format!("{}/{}", event.topic.id, event.seq().raw()))
            .collect();
        ledger.trace.note("web", "commit", format_args!("{items} items: {}", events.join(" ")));
        match fate {
            Fate::DiesAfter => ledger.die().await,
            Fate::UnknownThere => Err(self.unknown()),
            _ => Ok(outcomes),
        }
    }

    async fn maintain(&mut self) -> Result<(), CommitError> {
        self.inner.maintain().await
    }
}
