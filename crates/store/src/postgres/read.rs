//! The readers: a pool of connections, each read a transaction with one view of the data.
//!
//! A read runs in a task of its own, so that a request that goes away leaves no open transaction; a
//! connection on which anything unexpected happened does not go back to the pool.

use std::path::Path;

use deadpool_postgres::{Object, Pool};
use model::{
    Channel, ChannelId, CredentialId, Head, Membership, Message, Micros, Position, Topic, TopicId, Ts, User,
    UserId, Workspace, WorkspaceId,
};
use tracing::warn;

use super::{
    chain,
    tx::{PostgresTx, Statements},
};
use crate::{
    Authenticated, BootSnapshot, ChannelsQuery, EventsRead, Invite, MessagePage, Range, SecretHash,
    StoreError, ThreadPage, heads,
    query::{self, implement_store},
    rows,
    tx::{Tx, params},
};

/// How far the sweep looks back, seconds on the database's clock: the longest transaction and two periods.
pub(super) const SWEEP_WINDOW_S: i64 = 7;

/// The read side of a PostgreSQL store.
#[derive(Clone)]
pub struct PostgresStore {
    pool: Pool,
}

impl PostgresStore {
    pub(super) fn new(pool: Pool) -> Self {
        Self { pool }
    }
}

/// Begins a read transaction on a connection of the pool.
async fn begin(pool: &Pool) -> Result<Object, StoreError> {
    let client = pool.get().await.map_err(|error| StoreError::Engine(chain(&error)))?;
    match client.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await {
        Ok(()) => Ok(client),
        Err(error) => {
            drop(Object::take(client));
            Err(StoreError::Engine(chain(&error)))
        }
    }
}

/// Ends it. A connection that cannot even do that is dropped.
async fn end(client: Object) {
    if let Err(error) = client.batch_execute("COMMIT").await {
        warn!(error = chain(&error), "a reading connection is dropped");
        drop(Object::take(client));
    }
}

/// Runs a function of `query` with the transaction as its first argument.
macro_rules! read {
    ($self:ident, $function:path $(, $argument:expr)*) => {{
        let pool = $self.pool.clone();
        let task = tokio::spawn(async move {
            let client = begin(&pool).await?;
            let result = {
                let mut tx = PostgresTx::new(&client, Statements::default());
                $function(&mut tx $(, $argument)*).await
            };
            end(client).await;
            result
        });
        task.await.map_err(|_| StoreError::Closed)?
    }};
}

implement_store!(PostgresStore, read, {
    async fn changed_heads(&self, since: u64) -> Result<(Vec<Head>, u64), StoreError> {
        read!(self, changed_heads, since)
    }

    async fn backup(&self, _: &Path, _: &mut (dyn FnMut(u64, u64) + Send)) -> Result<(), StoreError> {
        Err(StoreError::Engine("back a PostgreSQL store up with pg_dump or its own base backup".to_owned()))
    }
});

/// Numbers are drawn before the commit, so a smaller one may appear after a larger one: the next mark stays
/// behind everything that could still be open.
async fn changed_heads(tx: &mut dyn Tx, since: u64) -> Result<(Vec<Head>, u64), StoreError> {
    let sql = "SELECT n, at, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint, heads FROM commits \
               WHERE n > $1 ORDER BY n";
    let mut next = since;
    let mut settled = true;
    let mut moved = Vec::new();
    for mut row in tx.query(sql, &params![since]).await? {
        let (n, at, now): (u64, i64, i64) = (row.take()?, row.take()?, row.take()?);
        settled &= at < now - SWEEP_WINDOW_S * 1_000_000;
        if settled {
            next = n;
        }
        moved.extend(heads::decode(&row.take::<Vec<u8>>()?)?);
    }
    Ok((heads::newest(moved), next))
}
