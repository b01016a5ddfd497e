//! Statements on a SQLite connection. They answer at once, so a future that runs them never waits.

use std::{
    collections::HashMap,
    future::Future,
    pin::pin,
    sync::{Arc, OnceLock, PoisonError, RwLock},
    task::{Context, Poll, Waker},
};

use async_trait::async_trait;
use model::{Micros, Topic, WorkspaceId};
use rusqlite::{
    Connection, params_from_iter,
    types::{ToSqlOutput, ValueRef},
};

use crate::{
    StoreError,
    commits::Commit,
    tx::{Locked, Row, Rows, ToValue, Tx, Value, params, topic_sql},
};

/// A transaction, or a connection in autocommit mode.
pub(super) struct SqliteTx<'c> {
    connection: &'c mut Connection,
    /// What SQLite said last, for the classification of failures.
    pub(super) failure: Option<rusqlite::Error>,
}

impl<'c> SqliteTx<'c> {
    pub(super) fn new(connection: &'c mut Connection) -> Self {
        Self { connection, failure: None }
    }

    fn fail<T>(&mut self, error: rusqlite::Error) -> Result<T, StoreError> {
        let text = error.to_string();
        self.failure = Some(error);
        Err(StoreError::Engine(text))
    }

    fn rows(&self, sql: &str, params: &[Value]) -> rusqlite::Result<Vec<Row>> {
        let mut statement = self.connection.prepare_cached(&numbered(sql, 0))?;
        let columns = statement.column_count();
        let mut rows = statement.query(params_from_iter(params.iter().map(Parameter)))?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let mut values = Vec::with_capacity(columns);
            for column in 0..columns {
                values.push(value(row.get_ref(column)?));
            }
            found.push(Row(values.into_iter()));
        }
        Ok(found)
    }

    fn run(&self, sql: &'static str, rows: &[Vec<Value>]) -> rusqlite::Result<usize> {
        let mut statement =
            self.connection.prepare_cached(&numbered(sql, rows.first().map_or(0, Vec::len)))?;
        let mut changed = 0;
        for row in rows {
            changed += statement.execute(params_from_iter(row.iter().map(Parameter)))?;
        }
        Ok(changed)
    }
}

#[async_trait]
impl Tx for SqliteTx<'_> {
    async fn query(&mut self, sql: &'static str, params: &[Value]) -> Result<Vec<Row>, StoreError> {
        match self.rows(sql, params) {
            Ok(rows) => Ok(rows),
            Err(error) => self.fail(error),
        }
    }

    async fn lock(
        &mut self,
        workspaces: &[WorkspaceId],
        topics: &[Topic],
        then: &[Rows],
    ) -> Result<Locked, StoreError> {
        let mut found = Locked { then: self.query_keys(then).await?, ..Locked::default() };
        for workspace in workspaces {
            let sql = "SELECT workspace, state FROM placements WHERE workspace = $1";
            found.placements.extend(self.query(sql, &params![workspace]).await?);
        }
        found.topics = self.heads(topics).await?;
        Ok(found)
    }

    async fn heads(&mut self, topics: &[Topic]) -> Result<Vec<Row>, StoreError> {
        let mut found = Vec::with_capacity(topics.len());
        for topic in topics {
            let sql = topic_sql!("workspace = $1 AND topic = $2");
            found.extend(self.query(sql, &params![topic.workspace, topic.id]).await?);
        }
        Ok(found)
    }

    fn log_commit(&self, now: Micros, commit: &Commit) -> Rows {
        let [heads, revoked] = commit.columns();
        let sql = "INSERT INTO commits (at, heads, revoked) VALUES ($1, $2, $3)";
        (sql, vec![vec![now.to_value(), heads, revoked]])
    }

    async fn query_keys(&mut self, queries: &[Rows]) -> Result<Vec<Vec<Row>>, StoreError> {
        if queries.is_empty() {
            return Ok(Vec::new());
        }
        Err(StoreError::Engine("the embedded engine reads row by row".to_owned()))
    }

    async fn execute(&mut self, sql: &'static str, rows: &[Vec<Value>]) -> Result<usize, StoreError> {
        match self.run(sql, rows) {
            Ok(changed) => Ok(changed),
            Err(error) => self.fail(error),
        }
    }
}

struct Parameter<'v>(&'v Value);

impl rusqlite::ToSql for Parameter<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            Value::Null => ValueRef::Null,
            Value::Int(int) => ValueRef::Integer(*int),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

fn value(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(int) => Value::Int(int),
        // No statement of ours yields one; a text is refused by whoever wanted a number.
        ValueRef::Real(real) => Value::Text(real.to_string()),
        ValueRef::Text(text) => Value::Text(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Blob(blob) => Value::Bytes(blob.to_vec()),
    }
}

/// Rewrites `$N` to `?N`: SQLite would number `$N` by first appearance. `$rows` becomes one row of `width`.
fn numbered(sql: &str, width: usize) -> Arc<str> {
    static KNOWN: OnceLock<RwLock<HashMap<String, Arc<str>>>> = OnceLock::new();
    let known = KNOWN.get_or_init(RwLock::default);
    if let Some(text) = known.read().unwrap_or_else(PoisonError::into_inner).get(sql) {
        return Arc::clone(text);
    }
    let row: Vec<String> = (1..=width).map(|number| format!("?{number}")).collect();
    let text: Arc<str> = sql.replace("$rows", &format!("({})", row.join(", "))).replace('$', "?").into();
    known.write().unwrap_or_else(PoisonError::into_inner).insert(sql.to_owned(), Arc::clone(&text));
    text
}

/// Runs a future that never waits.
pub(super) fn at_once<T>(future: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => Err(StoreError::Engine("a statement of the embedded engine waited".to_owned())),
    }
}
