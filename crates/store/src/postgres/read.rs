//! The readers: a pool of connections, each read a transaction with one view of the data.
//!
//! A read runs in a task of its own, so that a request that goes away leaves no open transaction; a
//! connection on which anything unexpected happened does not go back to the pool.

use std::path::Path;

use async_trait::async_trait;
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
    Authenticated, BootSnapshot, ChannelsQuery, EventsRead, Invite, MessagePage, Range, SecretHash, Store,
    StoreError, ThreadPage, heads, query, rows,
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

#[async_trait]
impl Store for PostgresStore {
    async fn workspaces(&self) -> Result<Vec<Workspace>, StoreError> {
        read!(self, query::accounts::workspaces)
    }
    async fn workspace(&self, id: WorkspaceId) -> Result<Option<Workspace>, StoreError> {
        read!(self, query::accounts::workspace, id)
    }
    async fn workspace_by_domain(&self, domain: &str) -> Result<Option<Workspace>, StoreError> {
        let domain = domain.to_owned();
        read!(self, query::accounts::workspace_by_domain, domain)
    }

    async fn authenticate(
        &self,
        workspace: WorkspaceId,
        secret: SecretHash,
        now: Micros,
    ) -> Result<Authenticated, StoreError> {
        read!(self, query::accounts::authenticate, workspace, secret, now)
    }
    async fn credential_state(
        &self,
        workspace: WorkspaceId,
        id: CredentialId,
        now: Micros,
    ) -> Result<Authenticated, StoreError> {
        read!(self, query::accounts::credential_state, workspace, id, now)
    }
    async fn person_by_email(
        &self,
        workspace: WorkspaceId,
        email: &str,
    ) -> Result<Option<(User, Option<String>)>, StoreError> {
        let email = email.to_owned();
        read!(self, query::accounts::person_by_email, workspace, email)
    }
    async fn invite(&self, workspace: WorkspaceId, code: SecretHash) -> Result<Option<Invite>, StoreError> {
        read!(self, query::accounts::invite, workspace, code)
    }

    async fn user(&self, workspace: WorkspaceId, id: UserId) -> Result<Option<User>, StoreError> {
        read!(self, rows::load_user, workspace, id)
    }
    async fn users(
        &self,
        workspace: WorkspaceId,
        after: Option<UserId>,
        limit: u32,
    ) -> Result<Vec<User>, StoreError> {
        read!(self, query::accounts::users, workspace, after, limit)
    }

    async fn channel(
        &self,
        workspace: WorkspaceId,
        id: ChannelId,
        viewer: Option<UserId>,
    ) -> Result<Option<(Channel, Option<Membership>)>, StoreError> {
        read!(self, query::channels::channel, workspace, id, viewer)
    }
    async fn channels(
        &self,
        workspace: WorkspaceId,
        query: ChannelsQuery,
    ) -> Result<Vec<(Channel, Option<Membership>)>, StoreError> {
        read!(self, query::channels::channels, workspace, query)
    }
    async fn members(
        &self,
        workspace: WorkspaceId,
        channel: ChannelId,
        after: Option<UserId>,
        limit: u32,
    ) -> Result<Vec<UserId>, StoreError> {
        read!(self, query::channels::members, workspace, channel, after, limit)
    }

    async fn message(
        &self,
        workspace: WorkspaceId,
        channel: ChannelId,
        ts: Ts,
    ) -> Result<Option<Message>, StoreError> {
        read!(self, query::messages::message, workspace, channel, ts)
    }
    async fn history(
        &self,
        workspace: WorkspaceId,
        channel: ChannelId,
        range: Range,
    ) -> Result<MessagePage, StoreError> {
        read!(self, query::messages::history, workspace, channel, range)
    }
    async fn replies(
        &self,
        workspace: WorkspaceId,
        channel: ChannelId,
        parent: Ts,
        range: Range,
    ) -> Result<Option<ThreadPage>, StoreError> {
        read!(self, query::messages::replies, workspace, channel, parent, range)
    }

    async fn boot(&self, workspace: WorkspaceId, user: UserId) -> Result<Option<BootSnapshot>, StoreError> {
        read!(self, query::channels::boot, workspace, user)
    }
    async fn topics(
        &self,
        workspace: WorkspaceId,
        user: UserId,
    ) -> Result<Vec<(TopicId, Position)>, StoreError> {
        read!(self, query::channels::topics, workspace, user)
    }
    async fn heads(&self, topics: &[Topic]) -> Result<Vec<Option<Position>>, StoreError> {
        let topics = topics.to_vec();
        read!(self, query::events::heads, &topics)
    }
    async fn events(&self, topic: Topic, after: Position, limit: u32) -> Result<EventsRead, StoreError> {
        read!(self, query::events::events, topic, after, limit)
    }
    async fn position_of(
        &self,
        workspace: WorkspaceId,
        channel: ChannelId,
        ts: Ts,
    ) -> Result<Option<Position>, StoreError> {
        read!(self, query::messages::position_of, workspace, channel, ts)
    }

    async fn changed_heads(&self, since: u64) -> Result<(Vec<Head>, u64), StoreError> {
        read!(self, changed_heads, since)
    }

    async fn backup(&self, _: &Path, _: &mut (dyn FnMut(u64, u64) + Send)) -> Result<(), StoreError> {
        Err(StoreError::Engine("back a PostgreSQL store up with pg_dump or its own base backup".to_owned()))
    }
}

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
