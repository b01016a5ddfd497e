//! Statements in a PostgreSQL transaction: prepared once per connection, many rows in one statement.

use std::{
    collections::HashMap,
    fmt::Write as _,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use futures_util::future::try_join_all;
use model::{Topic, WorkspaceId};
use tokio_postgres::{
    Client, Error, Statement,
    types::{FromSql, IsNull, ToSql, Type, private::BytesMut, to_sql_checked},
};

use super::chain;
use crate::{
    StoreError,
    tx::{Row, Tx, Value, params},
};

/// Rows of one generated statement at most. Chunks are powers of two up to this, so that few statements
/// are prepared.
const CHUNK_ROWS_MAX: usize = 64;

/// Prepared statements of one connection, by text.
#[derive(Default, Clone)]
pub(super) struct Statements(Arc<Mutex<HashMap<String, Statement>>>);

/// A transaction on a connection.
pub(super) struct PostgresTx<'c> {
    client: &'c Client,
    statements: Statements,
    /// What PostgreSQL said last, for the classification of failures.
    pub(super) failure: Option<Error>,
}

impl<'c> PostgresTx<'c> {
    pub(super) fn new(client: &'c Client, statements: Statements) -> Self {
        Self { client, statements, failure: None }
    }

    fn fail<T>(&mut self, error: Error) -> Result<T, StoreError> {
        let text = chain(&error);
        self.failure = Some(error);
        Err(StoreError::Engine(text))
    }

    async fn prepared(&self, sql: &str) -> Result<Statement, Error> {
        if let Some(statement) = self.statements.0.lock().unwrap_or_else(PoisonError::into_inner).get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.client.prepare(sql).await?;
        let mut known = self.statements.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }

    async fn rows(&self, sql: &str, params: &[Value]) -> Result<Vec<Row>, Error> {
        let statement = self.prepared(sql).await?;
        let rows = self.client.query_raw(&statement, params.iter().map(Parameter)).await?;
        let rows: Vec<tokio_postgres::Row> = futures_util::TryStreamExt::try_collect(rows).await?;
        let mut found = Vec::with_capacity(rows.len());
        for row in rows {
            let mut values = Vec::with_capacity(row.len());
            for column in 0..row.len() {
                values.push(row.try_get::<_, Value>(column)?);
            }
            found.push(Row(values.into_iter()));
        }
        Ok(found)
    }

    /// Several rows in one statement: `VALUES ($1, $2)` becomes `VALUES ($1, $2), ($3, $4)`.
    async fn insert(&self, sql: &str, rows: &[Vec<Value>]) -> Result<u64, Error> {
        let mut changed = 0;
        let mut rest = rows;
        while !rest.is_empty() {
            let size = chunk(rest.len());
            let (now, later) = rest.split_at(size);
            rest = later;
            let text = if size == 1 { sql.to_owned() } else { widened(sql, size) };
            let statement = self.prepared(&text).await?;
            let values: Vec<Parameter<'_>> = now.iter().flatten().map(Parameter).collect();
            changed += self.client.execute_raw(&statement, values).await?;
        }
        Ok(changed)
    }

    async fn each(&self, sql: &str, rows: &[Vec<Value>]) -> Result<u64, Error> {
        let statement = self.prepared(sql).await?;
        let run = |row: &Vec<Value>| {
            let (client, statement) = (self.client, statement.clone());
            let values: Vec<Value> = row.clone();
            async move { client.execute_raw(&statement, values.iter().map(Parameter)).await }
        };
        // Pipelined: all are sent before the first answer comes, and run in order.
        Ok(try_join_all(rows.iter().map(run)).await?.into_iter().sum())
    }

    async fn lock_all(&self, workspaces: &[WorkspaceId], topics: &[Topic]) -> Result<(), Error> {
        for workspace in workspaces {
            self.rows("SELECT state FROM placements WHERE workspace = $1 FOR SHARE", &params![workspace])
                .await?;
        }
        for topics in topics.chunks(CHUNK_ROWS_MAX) {
            let keys: Vec<Vec<Value>> =
                topics.iter().map(|topic| params![topic.workspace, topic.id].into()).collect();
            let sql = "SELECT topic FROM topics WHERE (workspace, topic) IN (VALUES $keys) \
                       ORDER BY workspace, topic FOR UPDATE";
            self.keyed(sql, &keys).await?;
        }
        Ok(())
    }

    async fn keyed(&self, sql: &str, keys: &[Vec<Value>]) -> Result<Vec<Row>, Error> {
        let mut found = Vec::new();
        let mut rest = keys;
        while !rest.is_empty() {
            let size = chunk(rest.len());
            let (now, later) = rest.split_at(size);
            rest = later;
            let width = now.first().map_or(0, Vec::len);
            let text = sql.replace("$keys", &tuples(size, width, now.first()));
            let values: Vec<Value> = now.iter().flatten().cloned().collect();
            found.extend(self.rows(&text, &values).await?);
        }
        Ok(found)
    }
}

/// The largest power of two that is not above `rows`, at most [`CHUNK_ROWS_MAX`].
fn chunk(rows: usize) -> usize {
    let mut size = 1;
    while size * 2 <= rows && size < CHUNK_ROWS_MAX {
        size *= 2;
    }
    size
}

/// `($1::bigint, $2::bigint), ($3::bigint, $4::bigint)`: the types are those of the first row.
fn tuples(rows: usize, width: usize, first: Option<&Vec<Value>>) -> String {
    let mut text = String::new();
    let mut number = 0;
    for row in 0..rows {
        text.push_str(if row == 0 { "(" } else { ", (" });
        for column in 0..width {
            number += 1;
            let kind = match first.and_then(|first| first.get(column)) {
                Some(Value::Text(_)) => "text",
                Some(Value::Bytes(_)) => "bytea",
                Some(Value::Int(_) | Value::Null) | None => "bigint",
            };
            let comma = if column == 0 { "" } else { ", " };
            // Writing to a String cannot fail.
            let _ = write!(text, "{comma}${number}::{kind}");
        }
        text.push(')');
    }
    text
}

/// Repeats the tuple after `VALUES`, numbering the placeholders on.
fn widened(sql: &str, rows: usize) -> String {
    let Some((before, rest)) = sql.split_once("VALUES (") else { return sql.to_owned() };
    let Some((tuple, after)) = rest.split_once(')') else { return sql.to_owned() };
    let width = tuple.matches('$').count();
    let mut text = format!("{before}VALUES ");
    for row in 0..rows {
        text.push_str(if row == 0 { "(" } else { ", (" });
        for (number, part) in tuple.split('$').enumerate() {
            if number == 0 {
                text.push_str(part);
                continue;
            }
            let digits = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
            let (digits, tail) = part.split_at(digits);
            let number = digits.parse::<usize>().unwrap_or(number) + row * width;
            // Writing to a String cannot fail.
            let _ = write!(text, "${number}{tail}");
        }
        text.push(')');
    }
    text.push_str(after);
    text
}

#[async_trait]
impl Tx for PostgresTx<'_> {
    async fn query(&mut self, sql: &'static str, params: &[Value]) -> Result<Vec<Row>, StoreError> {
        match self.rows(sql, params).await {
            Ok(rows) => Ok(rows),
            Err(error) => self.fail(error),
        }
    }

    async fn lock(&mut self, workspaces: &[WorkspaceId], topics: &[Topic]) -> Result<(), StoreError> {
        match self.lock_all(workspaces, topics).await {
            Ok(()) => Ok(()),
            Err(error) => self.fail(error),
        }
    }

    fn is_remote(&self) -> bool {
        true
    }

    async fn query_keys(&mut self, sql: &'static str, keys: &[Vec<Value>]) -> Result<Vec<Row>, StoreError> {
        match self.keyed(sql, keys).await {
            Ok(rows) => Ok(rows),
            Err(error) => self.fail(error),
        }
    }

    async fn execute(&mut self, sql: &'static str, rows: &[Vec<Value>]) -> Result<usize, StoreError> {
        let result = if rows.len() > 1 && sql.starts_with("INSERT") {
            self.insert(sql, rows).await
        } else {
            self.each(sql, rows).await
        };
        match result {
            Ok(changed) => Ok(usize::try_from(changed).unwrap_or(usize::MAX)),
            Err(error) => self.fail(error),
        }
    }
}

/// A value as a parameter. An integer takes the width that the statement wants.
#[derive(Debug)]
struct Parameter<'v>(&'v Value);

type Encoded = Result<IsNull, Box<dyn std::error::Error + Sync + Send>>;

impl ToSql for Parameter<'_> {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Encoded {
        match self.0 {
            Value::Null => Ok(IsNull::Yes),
            Value::Int(int) if *kind == Type::INT4 => i32::try_from(*int)?.to_sql(kind, out),
            Value::Int(int) if *kind == Type::INT2 => i16::try_from(*int)?.to_sql(kind, out),
            Value::Int(int) => int.to_sql(kind, out),
            Value::Text(text) => text.to_sql(kind, out),
            Value::Bytes(bytes) => bytes.as_slice().to_sql(kind, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

impl<'r> FromSql<'r> for Value {
    fn from_sql(kind: &Type, raw: &'r [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(match *kind {
            Type::INT8 => Self::Int(i64::from_sql(kind, raw)?),
            Type::INT4 => Self::Int(i64::from(i32::from_sql(kind, raw)?)),
            Type::TEXT | Type::VARCHAR => Self::Text(String::from_sql(kind, raw)?),
            Type::BYTEA => Self::Bytes(Vec::from_sql(kind, raw)?),
            _ => return Err(format!("a column of the type {kind}").into()),
        })
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self::Null)
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_insert_is_widened_with_its_numbers_going_on() {
        let sql = "INSERT INTO t (a, b) VALUES ($1, $2) ON CONFLICT (a) DO NOTHING";
        let wide = "INSERT INTO t (a, b) VALUES ($1, $2), ($3, $4), ($5, $6) ON CONFLICT (a) DO NOTHING";
        assert_eq!(widened(sql, 3), wide);
        assert_eq!(
            widened("INSERT INTO t VALUES ($1, 0, $2, 1)", 2),
            "INSERT INTO t VALUES ($1, 0, $2, 1), ($3, 0, $4, 1)"
        );
    }

    #[test]
    fn chunks_are_powers_of_two() {
        assert_eq!([1, 2, 3, 7, 63, 64, 1_000].map(chunk), [1, 2, 2, 4, 32, 64, 64]);
        let first = vec![Value::Int(1), Value::Text(String::new())];
        assert_eq!(tuples(2, 2, Some(&first)), "($1::bigint, $2::text), ($3::bigint, $4::text)");
    }
}
