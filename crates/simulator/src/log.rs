//! The real log with faults: where a machine may die, and what a commit may end in.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::Context;
use async_trait::async_trait;
use futures_util::FutureExt as _;
use model::{EventKind, HeadRead, Micros, Topic, TopicId, UserId};
use store::{
    Cause, CommitError, Log, Outcome, Store, Write,
    sqlite::{SqliteLog, SqliteStore},
};
use tokio::time::sleep;

use crate::{
    drive::{self, Fuse},
    mutants::Mutant,
    random::Random,
    trace::Trace,
};

/// Calls of the drive within which the power goes: some more than a commit or a checkpoint has.
const CALLS_MAX: usize = 30;
/// How much more often than a commit a checkpoint, and opening the store, lose power: there are few.
const RARE: usize = 10;
/// Items after which the log is moved to the database: few, so that it happens in the time that a simulation has.
pub(crate) const CHECKPOINT_ITEMS: usize = 16;

/// How bad the log is.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Disk {
    /// Commits in a thousand before which the machine dies.
    pub(crate) dies_before_permille: usize,
    /// Commits in a thousand after which it dies, before anybody is told.
    pub(crate) dies_after_permille: usize,
    /// Commits in a thousand within which its power goes.
    pub(crate) power_permille: usize,
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
    /// Others, so that a seed without losses of power is what it was.
    power: Random,
    disk: Disk,
    dies: bool,
    /// What was being committed when the power went: there or not.
    in_doubt: Vec<Outcome>,
    committed: Committed,
}

impl Ledger {
    /// A good disk.
    pub(crate) fn new(seed: u64, trace: Arc<Trace>) -> Arc<Self> {
        let state = State {
            random: Random::new(seed, "disk"),
            power: Random::new(seed, "power"),
            disk: Disk::default(),
            dies: false,
            in_doubt: Vec::new(),
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
        let State { random, power, disk, .. } = &mut *state;
        if power.permille(disk.power_permille) {
            return (Fate::LosesPower, power.millis(0, 3));
        }
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
        self.kill();
        std::future::pending().await
    }

    /// The machine is to be switched off.
    fn kill(&self) {
        self.lock().dies = true;
    }

    /// The power may go at one of the next calls of the drive.
    fn light_fuse(&self) {
        let power = &mut self.lock().power;
        let at_sync = power.permille(500);
        drive::set_fuse(Some(if at_sync { Fuse::Sync } else { Fuse::Calls(power.below(CALLS_MAX)) }));
    }

    /// As [`Ledger::light_fuse`], [so often](RARE).
    fn may_light_fuse(&self) {
        let lights = {
            let State { power, disk, .. } = &mut *self.lock();
            power.permille(RARE * disk.power_permille)
        };
        if lights {
            self.light_fuse();
        }
    }

    /// Opens the store, if the power stays so long.
    ///
    /// # Errors
    /// The store's.
    pub(crate) fn open(&self, dir: &Path) -> anyhow::Result<Option<(SqliteLog, SqliteStore)>> {
        drive::watch(dir)?;
        self.may_light_fuse();
        let opened = store::sqlite::open_single_threaded(dir, CHECKPOINT_ITEMS);
        drive::set_fuse(None);
        if drive::is_dead() {
            self.trace.note("web", "power", "goes while the store is opened");
            self.kill();
            return Ok(None);
        }
        let opened = opened?;
        self.resolve(&opened.1)?;
        Ok(Some(opened))
    }

    /// Finds out whether what was being committed when the power went is there.
    fn resolve(&self, store: &impl Store) -> anyhow::Result<()> {
        let outcomes = std::mem::take(&mut self.lock().in_doubt);
        let first = outcomes.iter().flat_map(|outcome| &outcome.events).next();
        let Some(event) = first else { return Ok(()) };
        let heads = store.heads(&[event.topic]).now_or_never().context("a read that waits")??;
        let is_there = matches!(heads.first(), Some(HeadRead::At(head)) if head.seq >= event.seq());
        self.trace.note("web", "in doubt", if is_there { "it is there" } else { "it is not there" });
        if is_there {
            self.remember(&outcomes);
        }
        Ok(())
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
    LosesPower,
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
        let mut outcomes = Vec::new();
        for (part, forget) in mutant.split(batch, &self.dir) {
            if let Some(forget) = forget {
                forget.run().map_err(failed)?;
            }
            outcomes.extend(self.inner.commit(part, now).await?);
        }
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

fn failed(error: anyhow::Error) -> CommitError {
    CommitError::Fatal { reason: error.to_string() }
}

/// What a commit will be, by a copy of the store: one that loses power tells nobody, and may be there.
async fn rehearse(dir: &Path, batch: Vec<Write>, now: Micros) -> anyhow::Result<Vec<Outcome>> {
    let copy = dir.join("rehearsal");
    std::fs::create_dir(&copy)?;
    for name in ["parlance.db", "parlance.db-wal", "parlance.lock"] {
        std::fs::copy(dir.join(name), copy.join(name)).with_context(|| name.to_owned())?;
    }
    let (mut log, store) = store::sqlite::open_single_threaded(&copy, usize::MAX)?;
    let outcomes = log.commit(batch, now).await?;
    drop((log, store));
    std::fs::remove_dir_all(&copy)?;
    Ok(outcomes)
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
            Fate::LosesPower => {
                let outcomes = rehearse(&self.dir, batch.clone(), now).await;
                ledger.lock().in_doubt = outcomes.map_err(failed)?;
                ledger.light_fuse();
            }
            Fate::Good | Fate::DiesAfter | Fate::UnknownThere => {}
        }
        let outcomes = self.commit_now(batch, now).await;
        drive::set_fuse(None);
        if drive::is_dead() {
            ledger.trace.note("web", "power", "goes within a commit");
            ledger.die().await;
        }
        ledger.lock().in_doubt.clear();
        let outcomes = outcomes?;
        ledger.remember(&outcomes);
        let events: Vec<String> = outcomes
            .iter()
            .flat_map(|outcome| &outcome.events)
            .map(|event| format!("{}/{}", event.topic.id, event.seq().raw()))
            .collect();
        ledger.trace.note("web", "commit", format_args!("{items} items: {}", events.join(" ")));
        match fate {
            Fate::DiesAfter | Fate::LosesPower => ledger.die().await,
            Fate::UnknownThere => Err(self.unknown()),
            _ => Ok(outcomes),
        }
    }

    async fn maintain(&mut self) -> Result<(), CommitError> {
        self.ledger.may_light_fuse();
        let result = self.inner.maintain().await;
        drive::set_fuse(None);
        if drive::is_dead() {
            self.ledger.trace.note("web", "power", "goes within a checkpoint");
            self.ledger.die().await;
        }
        result
    }
}
