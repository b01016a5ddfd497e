//! The writer: a batch is a transaction on a connection of its own.
//!
//! The appender drives it and is never cancelled, so no transaction is left half-way. A connection on which
//! anything unexpected happened is dropped, not reused.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use model::Micros;
use tokio::time::{sleep, timeout};
use tokio_postgres::Error;
use tracing::warn;

use super::{
    connection::{Connection, Engine, PATIENCE, PAUSE},
    failure::{Failure, Remedy, chain},
    tx::PostgresTx,
};
use crate::{Cause, CommitError, Log, Outcome, StoreError, Write, append::append};

/// How long a batch is tried again that the server chose to give way (a deadlock, a lock that is not let go).
const GIVE_WAY_FOR: Duration = Duration::from_secs(15);
/// How long a statement may wait for a lock.
const LOCK_TIMEOUT_MS: u32 = 5_000;
/// How long a transaction may wait for us between two statements: one that lost us lets its locks go.
const IDLE_TIMEOUT_MS: u32 = 5_000;
/// How long a transaction may take to its commit: the network may have died in silence.
const DECIDE_WITHIN: Duration = Duration::from_secs(10);
/// How long a commit may take before its outcome counts as unknown.
const COMMIT_WITHIN: Duration = Duration::from_secs(10);
/// How long a rollback may take before the connection is given up.
const ROLLBACK_WITHIN: Duration = Duration::from_secs(2);
/// Batches between two trims of the log of commits.
const TRIM_EVERY: u64 = 500;
/// How long the log of commits goes back, seconds: longer than any commit takes, and than any process sleeps.
const COMMITS_KEPT_S: u32 = 600;
/// Rows that one trim looks at.
const TRIM_ROWS: u32 = 5_000;

/// The write side of a PostgreSQL store. It connects within the runtime that calls it.
pub struct PostgresLog {
    engine: Arc<Engine>,
    connection: Option<Connection>,
    batches: u64,
}

impl PostgresLog {
    pub(super) fn new(engine: Arc<Engine>) -> Self {
        Self { engine, connection: None, batches: 0 }
    }

    /// One try at a batch. The connection is put back only when all went well.
    async fn attempt(&mut self, batch: Vec<Write>, now: Micros) -> Result<Vec<Outcome>, Failed> {
        let connection = match self.connection.take().filter(|connection| !connection.client.is_closed()) {
            Some(connection) => connection,
            None => self.engine.connect().await.map_err(Failed::Before)?,
        };
        let outcomes = match decide(&connection, batch, now).await {
            Ok(outcomes) => outcomes,
            Err(failed) => {
                // The next transaction must find none open. Without an answer the connection is dropped, and the
                // server rolls back.
                let usable = matches!(&failed, Failed::Refused(_))
                    || matches!(&failed, Failed::Before(failure) if failure.remedy() != Remedy::Reconnect);
                if usable && rolled_back(&connection).await {
                    self.connection = Some(connection);
                }
                return Err(failed);
            }
        };
        // What was warned of before is no matter of this commit.
        connection.warning();
        match timeout(COMMIT_WITHIN, connection.client.batch_execute("COMMIT")).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(Failed::at_commit(error)),
            Err(_) => return Err(Failed::Unknown("the commit took too long".to_owned())),
        }
        // A wait for synchronous standbys that an administrator cancels ends with a warning and a commit that
        // may be on one machine only: that is no acknowledgement.
        if let Some(warning) = connection.warning() {
            return Err(Failed::Unknown(format!("the server warned at the commit: {warning}")));
        }
        self.connection = Some(connection);
        Ok(outcomes)
    }
}

/// Rolls back; false when that was not answered.
async fn rolled_back(connection: &Connection) -> bool {
    matches!(timeout(ROLLBACK_WITHIN, connection.client.batch_execute("ROLLBACK")).await, Ok(Ok(())))
}

/// All of a transaction but its commit.
async fn decide(connection: &Connection, batch: Vec<Write>, now: Micros) -> Result<Vec<Outcome>, Failed> {
    // No limit on statements: one that strikes while the commit waits for its standbys ends the wait, and the
    // commit succeeds on one machine.
    let begin = format!(
        "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SET LOCAL statement_timeout = 0; \
         SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}; SET LOCAL synchronous_commit = on; \
         SET LOCAL idle_in_transaction_session_timeout = {IDLE_TIMEOUT_MS}"
    );
    let work = async {
        let begun = async { connection.begin(&begin).await.map_err(Failed::Before) };
        let decided = async {
            let mut tx = PostgresTx::new(connection);
            let outcomes = append(&mut tx, batch, now).await;
            outcomes.map_err(|error| match tx.failure.take() {
                Some(failure) => Failed::Before(failure),
                None => Failed::Refused(error),
            })
        };
        // The first statements are on their way before BEGIN is answered; its answer is still the first.
        let ((), outcomes) = tokio::try_join!(begun, decided)?;
        Ok(outcomes)
    };
    timeout(DECIDE_WITHIN, work).await.unwrap_or(Err(Failed::Before(Failure::Slow("the transaction"))))
}

/// A batch that was not acknowledged.
enum Failed {
    /// COMMIT was never sent: nothing can have been committed.
    Before(Failure),
    /// It was our own refusal, not the database's.
    Refused(StoreError),
    /// Nobody knows.
    Unknown(String),
}

impl Failed {
    /// An error of the server that ended the transaction and not the session is certain; everything else, a
    /// lost connection above all, is not.
    fn at_commit(error: Error) -> Self {
        let class = error.code().and_then(|code| code.code().get(..2));
        let severity = error.as_db_error().map(tokio_postgres::error::DbError::severity);
        if severity == Some("ERROR") && matches!(class, Some("40" | "23" | "25")) {
            Self::Before(error.into())
        } else {
            Self::Unknown(chain(&error))
        }
    }
}

#[async_trait]
impl Log for PostgresLog {
    async fn commit(&mut self, batch: Vec<Write>, now: Micros) -> Result<Vec<Outcome>, CommitError> {
        let began = Instant::now();
        loop {
            let failure = match self.attempt(batch.clone(), now).await {
                Ok(outcomes) => {
                    self.engine.writes.is_up();
                    self.engine.room.note(false);
                    return Ok(outcomes);
                }
                Err(Failed::Before(failure)) => failure,
                Err(Failed::Refused(error)) => {
                    return Err(CommitError::NotWritten { reason: error.to_string(), cause: Cause::Refused });
                }
                Err(Failed::Unknown(reason)) => return Err(CommitError::Unknown { reason }),
            };
            if failure.is_foreign_statement() && began.elapsed() < PATIENCE {
                // Nothing is wrong with the database; the next connection knows better.
                self.engine.is_pooled();
                continue;
            }
            let cause = match failure.remedy() {
                Remedy::Again if began.elapsed() < GIVE_WAY_FOR => {
                    warn!(why = %failure, "batch tried again");
                    continue;
                }
                // Others may find that it answers meanwhile: this batch has its own patience too.
                Remedy::Reconnect if self.engine.writes.is_down(&failure) && began.elapsed() < PATIENCE => {
                    sleep(PAUSE).await;
                    continue;
                }
                Remedy::Again | Remedy::Reconnect => Cause::Unavailable,
                Remedy::Room => {
                    self.engine.room.note(true);
                    Cause::Full
                }
                Remedy::None => Cause::Refused,
            };
            return Err(CommitError::NotWritten { reason: failure.to_string(), cause });
        }
    }

    async fn maintain(&mut self) -> Result<(), CommitError> {
        self.batches += 1;
        let Some(connection) = self.connection.take_if(|_| self.batches.is_multiple_of(TRIM_EVERY)) else {
            return Ok(());
        };
        let sql = format!(
            "DELETE FROM commits WHERE n <= (SELECT max(n) FROM \
             (SELECT n, at FROM commits ORDER BY n LIMIT {TRIM_ROWS}) oldest \
             WHERE at < (extract(epoch FROM clock_timestamp()) * 1000000)::bigint - {COMMITS_KEPT_S}000000::bigint)"
        );
        match timeout(DECIDE_WITHIN, connection.client.batch_execute(&sql)).await {
            Ok(Ok(())) => self.connection = Some(connection),
            Ok(Err(error)) => warn!(error = chain(&error), "trimming the log of commits failed"),
            Err(_) => warn!("trimming the log of commits took too long"),
        }
        Ok(())
    }
}
