//! The readers: a pool of connections, each read a transaction with one view of the data.
//!
//! A read runs in a task of its own, so that a request that goes away leaves no open transaction. It changes
//! nothing, so it is tried again on another connection when one breaks.

use std::{path::Path, sync::Arc, time::Instant};

use deadpool::managed::Object;
use model::{
    Channel, ChannelId, CredentialId, Membership, Message, Micros, Position, Topic, Ts, User, UserId,
    Workspace, WorkspaceId,
};
use tokio::{sync::oneshot, time::timeout};
use tracing::debug;

use super::{
    connection::{Engine, PATIENCE, PAUSE},
    failure::{Failure, Remedy, chain},
    pool::{Manager, Pool, borrow, pool},
    sweep::PostgresSweep,
    tx::PostgresTx,
};
use crate::{
    Authenticated, BootSnapshot, ChannelsQuery, EventsRead, Invite, MessagePage, OpenError, Range,
    SecretHash, ShardCheck, StoreError, Sweep, ThreadPage,
    query::{self, implement_store},
    rows,
};

/// How a read begins. It may take 10 s on the server's clock, and wait for us as long.
const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = 10000; \
                     SET LOCAL idle_in_transaction_session_timeout = 10000";
/// How long one try at a read may take: the network may have died in silence.
const READ_WITHIN: std::time::Duration = std::time::Duration::from_secs(12);

/// How long [`Store::check`](crate::Store::check) waits.
const CHECK_WITHIN: std::time::Duration = std::time::Duration::from_secs(1);

/// The read side of a PostgreSQL store.
#[derive(Clone)]
pub struct PostgresStore {
    engine: Arc<Engine>,
    pool: Pool,
}

impl PostgresStore {
    pub(super) fn new(engine: Arc<Engine>, readers: usize) -> Result<Self, OpenError> {
        let pool = pool(Arc::clone(&engine), readers).map_err(|error| OpenError::Failed {
            path: engine.address.to_string(),
            reason: error.to_string(),
        })?;
        Ok(Self { engine, pool })
    }

    /// The database, and whether it answers.
    #[must_use]
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }
}

/// Whether a read that failed so is tried again: after a while, on another connection.
pub(super) async fn again(engine: &Engine, failure: &Failure, began: Instant) -> bool {
    if failure.is_foreign_statement() && began.elapsed() < PATIENCE {
        // Nothing is wrong with the database; the next connection knows better.
        engine.is_pooled();
        return true;
    }
    match failure.remedy() {
        Remedy::Again => began.elapsed() < PATIENCE,
        Remedy::Reconnect if engine.reads.is_down(failure) && began.elapsed() < PATIENCE => {
            tokio::time::sleep(PAUSE).await;
            true
        }
        Remedy::Reconnect | Remedy::Room | Remedy::None => false,
    }
}

/// What the caller of a read that failed for good learns.
pub(super) fn failed(failure: &Failure) -> StoreError {
    match failure.remedy() {
        Remedy::None => StoreError::Engine(failure.to_string()),
        _ => StoreError::Unavailable(failure.to_string()),
    }
}

/// Ends a read's transaction. A connection that cannot even do that is dropped.
pub(super) async fn end(connection: Object<Manager>) {
    let ended = timeout(PATIENCE, connection.client.batch_execute("COMMIT")).await;
    let reason = match ended {
        Ok(Ok(())) => return,
        Ok(Err(error)) => chain(&error),
        Err(_) => "no answer".to_owned(),
    };
    debug!(reason, "a reading connection is dropped");
    drop(Object::take(connection));
}

/// One try at a read. The answer comes with the connection, whose transaction is still open.
pub(super) async fn try_read<T>(
    pool: &Pool,
    work: impl AsyncFnOnce(&mut PostgresTx<'_>) -> Result<T, StoreError>,
) -> Result<(Result<T, StoreError>, Object<Manager>), Failure> {
    let connection = borrow(pool).await?;
    let reading = async {
        let mut tx = PostgresTx::new(&connection);
        let result = work(&mut tx).await;
        // What the database did not refuse is an answer, whatever it is.
        tx.failure.take().map_or(Ok(result), Err)
    };
    // The first statement is on its way before BEGIN is answered; its answer is still the first.
    let both = async { tokio::try_join!(connection.begin(BEGIN), reading) };
    match timeout(READ_WITHIN, both).await.unwrap_or(Err(Failure::Slow("a read"))) {
        Ok(((), answer)) => Ok((answer, connection)),
        Err(failure) => {
            drop(Object::take(connection));
            Err(failure)
        }
    }
}

/// Runs a function of `query` with the transaction as its first argument.
macro_rules! read {
    ($self:ident, $function:path $(, $argument:expr)*) => {{
        let (engine, pool) = (Arc::clone(&$self.engine), $self.pool.clone());
        let (tell, told) = oneshot::channel();
        tokio::spawn(async move {
            let began = Instant::now();
            loop {
                match try_read(&pool, async |tx| $function(tx $(, $argument)*).await).await {
                    Ok((answer, connection)) => {
                        engine.reads.is_up();
                        // Nobody waits any more when the request went away.
                        let _ = tell.send(answer);
                        return end(connection).await;
                    }
                    Err(failure) if again(&engine, &failure, began).await => {}
                    Err(failure) => {
                        let _ = tell.send(Err(failed(&failure)));
                        return;
                    }
                }
            }
        });
        told.await.map_err(|_| StoreError::Closed)?
    }};
}

implement_store!(PostgresStore, read, {
    async fn authenticate(
        &self,
        workspace: WorkspaceId,
        secret: SecretHash,
        now: Micros,
    ) -> Result<Authenticated, StoreError> {
        read!(self, query::accounts::authenticate, workspace, secret, now)
    }

    fn sweep(&self) -> Box<dyn Sweep> {
        Box::new(PostgresSweep::new(Arc::clone(&self.engine), self.pool.clone()))
    }

    async fn check(&self) -> Vec<ShardCheck> {
        let asked = async { read!(self, query::accounts::nothing) };
        let reads = timeout(CHECK_WITHIN, asked).await;
        let reads =
            reads.unwrap_or_else(|_| Err(StoreError::Unavailable("no answer in a second".to_owned())));
        let down = || self.engine.writes.down_since().map(|_| "it takes no writes");
        let writes = self.engine.room.wrong().or_else(down);
        vec![ShardCheck { name: "store".to_owned(), reads, writes }]
    }

    async fn backup(&self, _: &Path, _: &mut (dyn FnMut(u64, u64) + Send)) -> Result<(), StoreError> {
        Err(StoreError::Engine(
            "back it up with parlance backup --store, which connects by itself".to_owned(),
        ))
    }
});
