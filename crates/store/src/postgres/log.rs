//! The writer: a batch is a transaction on a connection of its own.
//!
//! The appender drives it and is never cancelled, so no transaction is left half-way. A connection on which
//! anything unexpected happened is dropped, not reused.

use async_trait::async_trait;
use model::Micros;
use tokio::runtime::Handle;
use tokio_postgres::{Client, Config, Error, NoTls, error::SqlState};
use tracing::{info, warn};

use super::{
    chain,
    tx::{PostgresTx, Statements},
};
use crate::{
    CommitError, Log, Outcome, Write,
    append::append,
    heads,
    tx::{Tx, params},
};

/// Attempts at a batch that certainly was not committed and may succeed: deadlock, serialization, a lost
/// connection before the commit.
const ATTEMPTS_MAX: u32 = 3;
/// How long a statement may take: the sweep's window covers it.
const STATEMENT_TIMEOUT_MS: u32 = 5_000;
/// Batches between two trims of the commits.
const TRIM_EVERY: u64 = 1_000;
/// How long commits are kept, seconds. The sweep looks back [`super::read::SWEEP_WINDOW_S`].
const COMMITS_KEPT_S: i64 = 600;

/// The write side of a PostgreSQL store.
pub struct PostgresLog {
    config: Config,
    runtime: Handle,
    connection: Option<Connected>,
    batches: u64,
}

struct Connected {
    client: Client,
    statements: Statements,
}

impl PostgresLog {
    pub(super) fn new(config: Config, runtime: Handle) -> Self {
        Self { config, runtime, connection: None, batches: 0 }
    }

    /// Makes a connection if there is none that works.
    async fn connect(&mut self) -> Result<(), Error> {
        if self.connection.as_ref().is_some_and(|connected| !connected.client.is_closed()) {
            return Ok(());
        }
        self.connection = None;
        let (config, runtime) = (self.config.clone(), self.runtime.clone());
        // The socket and its timers belong to the runtime that drives the connection.
        let made = self.runtime.spawn(async move {
            let (client, connection) = config.connect(NoTls).await?;
            runtime.spawn(async move {
                if let Err(error) = connection.await {
                    warn!(error = chain(&error), "the writing connection ended");
                }
            });
            Ok::<_, Error>(client)
        });
        if let Ok(client) = made.await {
            self.connection = Some(Connected { client: client?, statements: Statements::default() });
            info!("writing connection made");
        }
        Ok(())
    }

    async fn attempt(&mut self, batch: Vec<Write>, now: Micros) -> Result<Vec<Outcome>, Failed> {
        self.connect().await.map_err(|error| Failed::before(&error))?;
        let Some(connected) = &self.connection else {
            let reason = "the runtime of the connection has ended".to_owned();
            return Err(Failed { error: CommitError::NotWritten { reason, full: false }, retry: false });
        };
        let client = &connected.client;
        let begin = format!(
            "BEGIN; SET LOCAL statement_timeout = {STATEMENT_TIMEOUT_MS}; SET LOCAL synchronous_commit = on"
        );
        client.batch_execute(&begin).await.map_err(|error| Failed::before(&error))?;
        let mut tx = PostgresTx::new(client, connected.statements.clone());
        let decided = async {
            let (outcomes, moved) = append(&mut tx, batch, now).await?;
            if !moved.is_empty() {
                let sql = "INSERT INTO commits (at, heads) \
                           VALUES ((extract(epoch FROM clock_timestamp()) * 1000000)::bigint, $1)";
                tx.execute(sql, &[params![heads::encode(&moved).as_slice()].into()]).await?;
            }
            Ok::<_, crate::StoreError>(outcomes)
        }
        .await;
        let outcomes = match decided {
            Ok(outcomes) => outcomes,
            Err(error) => {
                let failed = match tx.failure.take() {
                    Some(error) => Failed::before(&error),
                    None => Failed {
                        error: CommitError::NotWritten { reason: error.to_string(), full: false },
                        retry: false,
                    },
                };
                if client.batch_execute("ROLLBACK").await.is_err() {
                    self.connection = None;
                }
                return Err(failed);
            }
        };
        match client.batch_execute("COMMIT").await {
            Ok(()) => Ok(outcomes),
            Err(error) => {
                self.connection = None;
                Err(Failed::at_commit(&error))
            }
        }
    }
}

/// A batch that was not acknowledged.
struct Failed {
    error: CommitError,
    /// Nothing was committed and another attempt may succeed.
    retry: bool,
}

impl Failed {
    /// Before COMMIT was sent nothing can have been committed.
    fn before(error: &Error) -> Self {
        let code = error.code();
        let full = code == Some(&SqlState::DISK_FULL);
        let retry = error.is_closed()
            || code.is_none()
            || code.is_some_and(|code| {
                [
                    SqlState::T_R_SERIALIZATION_FAILURE,
                    SqlState::T_R_DEADLOCK_DETECTED,
                    SqlState::ADMIN_SHUTDOWN,
                    SqlState::CRASH_SHUTDOWN,
                    SqlState::CANNOT_CONNECT_NOW,
                ]
                .contains(code)
            });
        Self { error: CommitError::NotWritten { reason: chain(error), full }, retry }
    }

    /// An answer of the server to COMMIT that names a failed transaction is certain; everything else,
    /// a lost connection above all, is not.
    fn at_commit(error: &Error) -> Self {
        let code = error.code();
        let certain = code.is_some_and(|code| {
            let class = code.code().get(..2).unwrap_or_default();
            matches!(class, "40" | "23" | "25")
        });
        if certain {
            Self::before(error)
        } else {
            Self { error: CommitError::Unknown { reason: chain(error) }, retry: false }
        }
    }
}

#[async_trait]
impl Log for PostgresLog {
    async fn commit(&mut self, batch: Vec<Write>, now: Micros) -> Result<Vec<Outcome>, CommitError> {
        let mut attempts = 1;
        loop {
            match self.attempt(batch.clone(), now).await {
                Ok(outcomes) => return Ok(outcomes),
                Err(failed) if failed.retry && attempts < ATTEMPTS_MAX => {
                    warn!(error = %failed.error, attempts, "batch tried again");
                    attempts += 1;
                    self.connection = None;
                }
                Err(failed) => return Err(failed.error),
            }
        }
    }

    async fn maintain(&mut self) -> Result<(), CommitError> {
        self.batches += 1;
        if !self.batches.is_multiple_of(TRIM_EVERY) {
            return Ok(());
        }
        if let Some(connected) = &self.connection {
            let sql = format!(
                "DELETE FROM commits WHERE at < (extract(epoch FROM clock_timestamp()) * 1000000)::bigint - {}",
                COMMITS_KEPT_S * 1_000_000
            );
            if let Err(error) = connected.client.batch_execute(&sql).await {
                warn!(error = chain(&error), "trimming the commits failed");
            }
        }
        Ok(())
    }
}
