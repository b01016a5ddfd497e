//! The readers: a pool of connections, each read a transaction on a blocking thread.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use model::{
    Channel, ChannelId, CredentialId, Membership, Message, Micros, Position, Topic, Ts, User, UserId,
    Workspace, WorkspaceId,
};
use rusqlite::Connection;
use tokio::sync::Semaphore;

use super::{
    connect_reader,
    lookups::{self, Lookups},
    tx::{SqliteTx, at_once},
};
use crate::{
    Authenticated, BootSnapshot, Changed, ChannelsQuery, DataDir, EventsRead, Invite, MessagePage, Range,
    SecretHash, ShardCheck, StoreError, Sweep, ThreadPage, commits,
    data_dir::{beside, finish, private},
    query::{self, implement_store},
    room::Room,
    rows,
    tx::{Tx, params},
};

/// Reads that run at once. Further ones wait their turn.
const READERS: usize = 4;
/// Pages copied before a backup lets others have the disk.
const BACKUP_STEP_PAGES: i32 = 512;
/// Heads answered by one call of the sweep.
const SWEEP_COMMITS_MAX: u32 = 5_000;

/// The read side of the embedded store.
#[derive(Debug, Clone)]
pub struct SqliteStore {
    inner: Arc<Inner>,
}

/// Where reads run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reads {
    /// On the runtime's blocking threads.
    OnThreads,
    /// Where they are asked for, which waits meanwhile.
    InPlace,
}

#[derive(Debug)]
struct Inner {
    dir: PathBuf,
    reads: Reads,
    idle: Mutex<Vec<Connection>>,
    permits: Arc<Semaphore>,
    room: Arc<Room>,
    /// Who asks at the same time is looked up together.
    lookups: Lookups,
    _held: Arc<DataDir>,
}

impl SqliteStore {
    pub(super) fn new(
        held: Arc<DataDir>,
        dir: &Path,
        room: Arc<Room>,
        reads: Reads,
    ) -> rusqlite::Result<Self> {
        let idle = (0..READERS).map(|_| connect_reader(dir)).collect::<rusqlite::Result<Vec<_>>>()?;
        let permits = Arc::new(Semaphore::new(READERS));
        Ok(Self {
            inner: Arc::new(Inner {
                dir: dir.to_owned(),
                reads,
                idle: Mutex::new(idle),
                permits,
                room,
                lookups: Lookups::default(),
                _held: held,
            }),
        })
    }

    /// Looks up everybody who has asked by now; whether there was somebody.
    pub(super) async fn look_up(&self) -> bool {
        let asked = self.inner.lookups.take();
        if asked.is_empty() {
            return false;
        }
        let (questions, answers): (Vec<_>, Vec<_>) = asked.into_iter().unzip();
        let found = self.read(move |connection| {
            let mut tx = SqliteTx::new(connection);
            let each = questions.into_iter().map(|(workspace, secret, now)| {
                at_once(query::accounts::authenticate(&mut tx, workspace, secret, now))
            });
            Ok(each.collect::<Vec<_>>())
        });
        let found = found.await;
        let found = found.unwrap_or_else(|error| answers.iter().map(|_| Err(error.clone())).collect());
        lookups::tell(answers, found);
        true
    }

    /// Runs `read` in one read transaction.
    async fn read<T, F>(&self, read: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let inner = Arc::clone(&self.inner);
        let permit = Arc::clone(&inner.permits).acquire_owned().await.map_err(|_| StoreError::Closed)?;
        let reads = inner.reads;
        let work = move || {
            let idle = inner.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let mut connection = match idle {
                Some(connection) => connection,
                None => connect_reader(&inner.dir).map_err(engine)?,
            };
            let result = in_transaction(&mut connection, read);
            // A connection on which even the end of the transaction failed is not used again.
            if connection.is_autocommit() {
                inner.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
            }
            drop(permit);
            result
        };
        match reads {
            Reads::OnThreads => tokio::task::spawn_blocking(work).await.map_err(|_| StoreError::Closed)?,
            Reads::InPlace => work(),
        }
    }
}

fn in_transaction<T>(
    connection: &mut Connection,
    read: impl FnOnce(&mut Connection) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    connection.execute_batch("BEGIN").map_err(engine)?;
    let result = read(connection);
    connection.execute_batch("COMMIT").map_err(engine)?;
    result
}

fn engine(error: rusqlite::Error) -> StoreError {
    StoreError::Engine(error.to_string())
}

/// Runs a function of `query` with the transaction as its first argument.
macro_rules! read {
    ($self:ident, $function:path $(, $argument:expr)*) => {
        $self.read(move |connection| {
            let mut tx = SqliteTx::new(connection);
            at_once($function(&mut tx $(, $argument)*))
        }).await
    };
}

implement_store!(SqliteStore, read, {
    async fn authenticate(
        &self,
        workspace: WorkspaceId,
        secret: SecretHash,
        now: Micros,
    ) -> Result<Authenticated, StoreError> {
        let (found, start) = self.inner.lookups.ask((workspace, secret, now));
        if start {
            tokio::spawn(lookups::run(self.clone()));
        }
        found.await.map_err(|_| StoreError::Closed)?
    }

    fn sweep(&self) -> Box<dyn Sweep> {
        Box::new(SqliteSweep { store: self.clone(), since: 0 })
    }

    async fn check(&self) -> Vec<ShardCheck> {
        let reads = read!(self, query::accounts::nothing);
        vec![ShardCheck { name: "store".to_owned(), reads, writes: self.inner.room.wrong() }]
    }

    async fn backup(&self, to: &Path, progress: &mut (dyn FnMut(u64, u64) + Send)) -> Result<(), StoreError> {
        let (steps, mut taken) = tokio::sync::mpsc::channel::<(u64, u64)>(64);
        let (dir, to) = (self.inner.dir.clone(), to.to_owned());
        let task = tokio::task::spawn_blocking(move || copy(&dir, &to, &steps));
        while let Some((done, all)) = taken.recv().await {
            progress(done, all);
        }
        task.await.map_err(|_| StoreError::Closed)?
    }
});

/// The sweep: commits are numbered in their order, so the last number seen is all there is to remember.
struct SqliteSweep {
    store: SqliteStore,
    since: u64,
}

#[async_trait]
impl Sweep for SqliteSweep {
    async fn changed(&mut self) -> Result<Changed, StoreError> {
        let (store, since) = (&self.store, self.since);
        let (next, changed) = read!(store, changed_since, since)?;
        self.since = next;
        Ok(changed)
    }
}

async fn changed_since(tx: &mut dyn Tx, since: u64) -> Result<(u64, Changed), StoreError> {
    let sql = "SELECT n, heads, revoked FROM commits WHERE n > $1 ORDER BY n LIMIT $2";
    let (numbers, changed) = commits::read(tx.query(sql, &params![since, SWEEP_COMMITS_MAX]).await?)?;
    Ok((numbers.last().copied().unwrap_or(since), changed))
}

/// Copies the database as it is at this moment: the read transaction keeps its view while writers go on.
fn copy(dir: &Path, to: &Path, steps: &tokio::sync::mpsc::Sender<(u64, u64)>) -> Result<(), StoreError> {
    let failed = |error: std::io::Error| StoreError::Engine(format!("{}: {error}", to.display()));
    if to.exists() {
        return Err(StoreError::Engine(format!("{} exists already", to.display())));
    }
    let partial = beside(to, ".partial");
    if partial.exists() {
        std::fs::remove_file(&partial).map_err(failed)?;
    }
    private(&partial).map_err(failed)?;
    let mut source = connect_reader(dir).map_err(engine)?;
    let result = in_transaction(&mut source, |source| {
        source.query_row("SELECT count(*) FROM migrations", [], |_| Ok(())).map_err(engine)?;
        let mut target = Connection::open(&partial).map_err(engine)?;
        let backup = rusqlite::backup::Backup::new(source, &mut target).map_err(engine)?;
        loop {
            let step = backup.step(BACKUP_STEP_PAGES).map_err(engine)?;
            let state = backup.progress();
            let all = u64::try_from(state.pagecount).unwrap_or_default();
            let rest = u64::try_from(state.remaining).unwrap_or_default();
            // A full queue only means that nobody looks at the progress just now.
            let _ = steps.try_send((all.saturating_sub(rest), all));
            match step {
                rusqlite::backup::StepResult::Done => break,
                rusqlite::backup::StepResult::More => {}
                _ => std::thread::sleep(std::time::Duration::from_millis(10)),
            }
        }
        Ok(())
    });
    result?;
    finish(&partial, to).map_err(failed)
}
