//! The writer: a batch is a transaction.

use std::sync::Arc;

use async_trait::async_trait;
use model::Micros;
use rusqlite::{Connection, ErrorCode, ffi};
use tracing::warn;

use super::{
    leftovers,
    tx::{SqliteTx, at_once},
};
use crate::{Cause, CommitError, DataDir, Log, Outcome, Write, append::append, room::Room};

/// Batches after which the writer checkpoints however small they were.
const CHECKPOINT_BATCHES: u64 = 1_000;
/// How many transactions the global log number remembers. The sweep looks back a few seconds.
const COMMITS_KEPT: i64 = 20_000;
/// Batches between two trims of the global log number.
const TRIM_EVERY: u64 = 1_000;

/// The write side of the embedded store.
#[derive(Debug)]
pub struct SqliteLog {
    connection: Connection,
    batches: u64,
    /// Since the last checkpoint that went through.
    items: usize,
    /// After so many comes the next.
    checkpoint_items: usize,
    failed: Option<String>,
    room: Arc<Room>,
    _held: Arc<DataDir>,
}

impl SqliteLog {
    pub(super) fn new(
        held: Arc<DataDir>,
        connection: Connection,
        room: Arc<Room>,
        checkpoint_items: usize,
    ) -> Self {
        Self { connection, batches: 0, items: 0, checkpoint_items, failed: None, room, _held: held }
    }

    fn commit_now(&mut self, batch: Vec<Write>, now: Micros) -> Result<Vec<Outcome>, CommitError> {
        if let Some(reason) = &self.failed {
            return Err(CommitError::Fatal { reason: reason.clone() });
        }
        self.items += batch.len();
        let result = self.transaction(batch, now);
        let full = matches!(result, Err(CommitError::NotWritten { cause: Cause::Full, .. }));
        self.room.note(full);
        if let Err(CommitError::Fatal { reason }) = &result {
            self.failed = Some(reason.clone());
        }
        result
    }

    fn transaction(&mut self, batch: Vec<Write>, now: Micros) -> Result<Vec<Outcome>, CommitError> {
        self.connection.execute_batch("BEGIN IMMEDIATE").map_err(|error| classify(&error, Stage::Before))?;
        let mut tx = SqliteTx::new(&mut self.connection);
        let decided = at_once(append(&mut tx, batch, now));
        let outcomes = match decided {
            Ok(outcomes) => outcomes,
            Err(error) => {
                let reason = tx.failure.take().map_or_else(
                    || CommitError::NotWritten { reason: error.to_string(), cause: Cause::Refused },
                    |error| classify(&error, Stage::Before),
                );
                self.roll_back();
                return Err(reason);
            }
        };
        match self.connection.execute_batch("COMMIT") {
            Ok(()) => Ok(outcomes),
            Err(error) => {
                let failed = classify(&error, Stage::Commit);
                self.roll_back();
                if !is_index_full(&error) {
                    return Err(failed);
                }
                match leftovers::take_back(&self.connection) {
                    Ok(()) => Err(CommitError::NotWritten { reason: error.to_string(), cause: Cause::Full }),
                    Err(left) => {
                        warn!(%left, "what a full disk refused stays in the log until the next commit");
                        Err(failed)
                    }
                }
            }
        }
    }

    fn roll_back(&self) {
        if self.connection.is_autocommit() {
            return; // SQLite rolled back by itself, as it does when the disk is full.
        }
        if let Err(error) = self.connection.execute_batch("ROLLBACK") {
            warn!(%error, "rollback failed");
        }
    }

    fn maintain_now(&mut self) -> Result<(), CommitError> {
        self.batches += 1;
        if self.batches.is_multiple_of(TRIM_EVERY) {
            let sql = "DELETE FROM commits WHERE n <= (SELECT max(n) FROM commits) - ?1";
            if let Err(error) = self.connection.execute(sql, [COMMITS_KEPT]) {
                warn!(%error, "trimming the log numbers failed");
            }
        }
        if self.items < self.checkpoint_items && !self.batches.is_multiple_of(CHECKPOINT_BATCHES) {
            return Ok(());
        }
        // Passive: it never waits for a reader. What a reader still needs is moved the next time.
        let checkpoint = self.connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| {
            Ok((row.get::<_, i64>(1)?, row.get::<_, i64>(2)?))
        });
        match checkpoint.map_err(|error| classify(&error, Stage::Before)) {
            Ok((pages, moved)) => {
                if moved >= pages {
                    self.items = 0;
                }
            }
            Err(CommitError::NotWritten { reason, .. }) => warn!(reason, "checkpoint put off"),
            Err(error) => {
                self.failed = Some(error.to_string());
                return Err(error);
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Log for SqliteLog {
    async fn commit(&mut self, batch: Vec<Write>, now: Micros) -> Result<Vec<Outcome>, CommitError> {
        self.commit_now(batch, now)
    }

    async fn maintain(&mut self) -> Result<(), CommitError> {
        self.maintain_now()
    }

    async fn close(&mut self) {
        if self.failed.is_some() {
            return;
        }
        // As far as it goes: a reader that is still at work keeps what it needs.
        if let Err(error) = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())) {
            warn!(%error, "checkpoint at the end put off");
        }
    }
}

/// Where a statement failed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Before the commit: a rollback undoes all.
    Before,
    /// In the commit.
    Commit,
}

/// What a failure means for the batch. A full disk is refused and passes; an I/O error ends the log: after
/// a failed fsync nobody knows what is on the disk (I10).
fn classify(error: &rusqlite::Error, stage: Stage) -> CommitError {
    let reason = error.to_string();
    let Some(code) = error.sqlite_error() else {
        return CommitError::NotWritten { reason, cause: Cause::Refused };
    };
    let index_full = is_index_full(error);
    if code.code == ErrorCode::DiskFull || (index_full && stage == Stage::Before) {
        return CommitError::NotWritten { reason, cause: Cause::Full };
    }
    if index_full {
        // The WAL itself has the batch by then.
        return CommitError::Unknown { reason };
    }
    let fatal = matches!(
        code.code,
        ErrorCode::SystemIoFailure
            | ErrorCode::DatabaseCorrupt
            | ErrorCode::NotADatabase
            | ErrorCode::CannotOpen
    );
    match (fatal, stage) {
        (true, _) => CommitError::Fatal { reason },
        (false, Stage::Before) => CommitError::NotWritten { reason, cause: Cause::Refused },
        // SQLite commits atomically: what it refused for another reason (busy) is rolled back.
        (false, Stage::Commit) => CommitError::NotWritten { reason, cause: Cause::Unavailable },
    }
}

/// Whether the index of the WAL could not grow: its file is on the disk that is full.
fn is_index_full(error: &rusqlite::Error) -> bool {
    error.sqlite_error().is_some_and(|code| code.extended_code == ffi::SQLITE_IOERR_SHMSIZE)
}
