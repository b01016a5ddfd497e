//! Statements in a PostgreSQL transaction: many rows in one statement, many statements in one round trip.

use std::fmt::Write as _;

use async_trait::async_trait;
use futures_util::{TryStreamExt, future::try_join_all};
use model::{Micros, Topic, WorkspaceId};
use tokio_postgres::{
    RowStream,
    types::{FromSql, IsNull, ToSql, Type, private::BytesMut, to_sql_checked},
};

use super::{connection::Connection, failure::Failure};
use crate::{
    StoreError,
    commits::Commit,
    tx::{Locked, Row, Rows, Tx, Value, params, topic_sql},
};

/// Rows of one generated statement at most. Chunks are powers of two up to this, so that few statements
/// are prepared.
const CHUNK_ROWS_MAX: usize = 512;
/// Parameters of one statement at most; the protocol counts them in 16 bits.
const PARAMETERS_MAX: usize = 32_767;

/// A transaction on a connection.
pub(super) struct PostgresTx<'c> {
    connection: &'c Connection,
    /// What the database refused last, for the decision what to do about it.
    pub(super) failure: Option<Failure>,
}

/// A statement and its parameters.
type Bound<'v> = (String, Vec<&'v Value>);

impl<'c> PostgresTx<'c> {
    pub(super) fn new(connection: &'c Connection) -> Self {
        Self { connection, failure: None }
    }

    fn keep<T>(&mut self, result: Result<T, Failure>) -> Result<T, StoreError> {
        result.map_err(|failure| {
            let error = StoreError::Engine(failure.to_string());
            self.failure = Some(failure);
            error
        })
    }

    /// Sends one statement; its rows come later.
    async fn send(&self, sql: &str, params: &[&Value]) -> Result<RowStream, Failure> {
        let client = &self.connection.client;
        if self.connection.named {
            let statement = self.connection.prepared(sql).await?;
            return Ok(client.query_raw(&statement, params.iter().map(|value| Parameter(value))).await?);
        }
        let typed = params.iter().map(|value| (Parameter(value), kind(value)));
        Ok(client.query_typed_raw(sql, typed).await?)
    }

    async fn rows(&self, sql: &str, params: &[&Value]) -> Result<Vec<Row>, Failure> {
        let rows: Vec<tokio_postgres::Row> = self.send(sql, params).await?.try_collect().await?;
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

    /// Runs a statement; how many rows it changed.
    async fn run(&self, sql: &str, params: &[&Value]) -> Result<u64, Failure> {
        let mut stream = std::pin::pin!(self.send(sql, params).await?);
        while stream.try_next().await?.is_some() {}
        Ok(stream.rows_affected().unwrap_or_default())
    }

    /// Runs statements in order. All are sent before the first is answered.
    async fn pipeline(&self, statements: &[Bound<'_>]) -> Result<u64, Failure> {
        // What must be prepared is prepared first: a statement that waits for that would be overtaken.
        for (sql, _) in statements.iter().filter(|_| self.connection.named) {
            self.connection.prepared(sql).await?;
        }
        let all = statements.iter().map(|(sql, params)| self.run(sql, params));
        Ok(try_join_all(all).await?.into_iter().sum())
    }

    async fn keyed(&self, queries: &[Rows]) -> Result<Vec<Vec<Row>>, Failure> {
        let statements: Vec<(usize, Bound<'_>)> = queries
            .iter()
            .enumerate()
            .flat_map(|(number, (sql, keys))| {
                list_bound(sql, "$keys", keys).map(move |bound| (number, bound))
            })
            .collect();
        for (_, (sql, _)) in statements.iter().filter(|_| self.connection.named) {
            self.connection.prepared(sql).await?;
        }
        let all = statements.iter().map(|(_, (sql, params))| self.rows(sql, params));
        let answers = try_join_all(all).await?;
        let mut found: Vec<Vec<Row>> = queries.iter().map(|_| Vec::new()).collect();
        for ((number, _), rows) in statements.iter().zip(answers) {
            if let Some(found) = found.get_mut(*number) {
                found.extend(rows);
            }
        }
        Ok(found)
    }
}

/// A statement for many rows, in chunks: `name` in its text becomes a list of rows of parameters.
fn list_bound<'v>(sql: &'v str, name: &'v str, rows: &'v [Vec<Value>]) -> impl Iterator<Item = Bound<'v>> {
    chunks(rows).map(move |rows| {
        let width = rows.first().map_or(0, Vec::len);
        (sql.replace(name, &tuples(rows.len(), width, rows.first())), rows.iter().flatten().collect())
    })
}

/// The statements that run `sql` for each row: inserts and lists many rows at a time, others row by row.
fn rows_bound<'v>(sql: &'v str, rows: &'v [Vec<Value>]) -> Vec<Bound<'v>> {
    if sql.contains("$rows") {
        return list_bound(sql, "$rows", rows).collect();
    }
    if !sql.starts_with("INSERT") {
        return rows.iter().map(|row| (sql.to_owned(), row.iter().collect())).collect();
    }
    chunks(rows).map(|rows| (widened(sql, rows.len()), rows.iter().flatten().collect())).collect()
}

/// Cuts rows into chunks whose lengths are powers of two.
fn chunks<T>(rows: &[Vec<T>]) -> impl Iterator<Item = &[Vec<T>]> {
    let width = rows.first().map_or(1, Vec::len).max(1);
    let most = CHUNK_ROWS_MAX.min(PARAMETERS_MAX / width);
    let mut rest = rows;
    std::iter::from_fn(move || {
        let (now, later) = rest.split_at(chunk(rest.len(), most));
        rest = later;
        (!now.is_empty()).then_some(now)
    })
}

/// The largest power of two that is not above `rows` or `most`; 0 for none.
fn chunk(rows: usize, most: usize) -> usize {
    let limit = rows.min(most);
    limit.checked_ilog2().map_or(0, |power| 1 << power)
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

/// Repeats the tuple after `VALUES`, numbering the placeholders on: `VALUES ($1, $2)` becomes
/// `VALUES ($1, $2), ($3, $4)`.
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
        let params: Vec<&Value> = params.iter().collect();
        let rows = self.rows(sql, &params).await;
        self.keep(rows)
    }

    async fn lock(
        &mut self,
        workspaces: &[WorkspaceId],
        topics: &[Topic],
        then: &[Rows],
    ) -> Result<Locked, StoreError> {
        // In this order everywhere: placements, then topics by id.
        let placements = "SELECT workspace, state FROM placements WHERE (workspace) IN (VALUES $keys) \
                          ORDER BY workspace FOR SHARE";
        let heads = topic_sql!("(workspace, topic) IN (VALUES $keys) ORDER BY workspace, topic FOR UPDATE");
        let mut queries: Vec<Rows> = vec![
            (placements, workspaces.iter().map(|workspace| params![workspace].into()).collect()),
            (heads, topics.iter().map(|topic| params![topic.workspace, topic.id].into()).collect()),
        ];
        // Each statement sees what was committed when it begins: these begin after the locks are held.
        queries.extend_from_slice(then);
        let found = self.keyed(&queries).await;
        let mut found = self.keep(found)?.into_iter();
        Ok(Locked {
            placements: found.next().unwrap_or_default(),
            topics: found.next().unwrap_or_default(),
            then: found.collect(),
        })
    }

    async fn heads(&mut self, topics: &[Topic]) -> Result<Vec<Row>, StoreError> {
        let sql = topic_sql!("(workspace, topic) IN (VALUES $keys)");
        let keys = topics.iter().map(|topic| params![topic.workspace, topic.id].into()).collect();
        Ok(self.query_keys(&[(sql, keys)]).await?.pop().unwrap_or_default())
    }

    async fn lock_installation(&mut self) -> Result<(), StoreError> {
        let locked = self.run("LOCK TABLE workspaces IN SHARE ROW EXCLUSIVE MODE", &[]).await;
        self.keep(locked.map(|_| ()))
    }

    fn log_commit(&self, _: Micros, commit: &Commit) -> Rows {
        let sql = "INSERT INTO commits (at, heads, revoked) \
                   VALUES ((extract(epoch FROM clock_timestamp()) * 1000000)::bigint, $1, $2)";
        (sql, vec![commit.columns().into()])
    }

    fn is_remote(&self) -> bool {
        true
    }

    async fn query_keys(&mut self, queries: &[Rows]) -> Result<Vec<Vec<Row>>, StoreError> {
        let found = self.keyed(queries).await;
        self.keep(found)
    }

    async fn execute(&mut self, sql: &'static str, rows: &[Vec<Value>]) -> Result<usize, StoreError> {
        let changed = self.pipeline(&rows_bound(sql, rows)).await;
        self.keep(changed).map(|changed| usize::try_from(changed).unwrap_or(usize::MAX))
    }

    async fn execute_all(&mut self, writes: &[Rows]) -> Result<(), StoreError> {
        let statements: Vec<Bound<'_>> =
            writes.iter().flat_map(|(sql, rows)| rows_bound(sql, rows)).collect();
        let changed = self.pipeline(&statements).await;
        self.keep(changed.map(|_| ()))
    }
}

/// The type that a parameter is sent with when the statement is not prepared.
fn kind(value: &Value) -> Type {
    match value {
        // The server finds out.
        Value::Null => Type::UNKNOWN,
        Value::Int(_) => Type::INT8,
        Value::Text(_) => Type::TEXT,
        Value::Bytes(_) => Type::BYTEA,
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
        assert_eq!([0, 1, 2, 3, 7, 511, 1_000].map(|rows| chunk(rows, 512)), [0, 1, 2, 2, 4, 256, 512]);
        let rows = vec![vec![Value::Null; 25]; 1_300];
        let lengths: Vec<usize> = chunks(&rows).map(<[_]>::len).collect();
        assert_eq!(lengths, [512, 512, 256, 16, 4]);
        let wide = vec![vec![Value::Null; 200]; 300];
        let lengths: Vec<usize> = chunks(&wide).map(<[_]>::len).collect();
        assert_eq!(lengths, [128, 128, 32, 8, 4], "the protocol counts parameters in 16 bits");
    }

    #[test]
    fn keys_are_typed_rows_of_parameters() {
        let first = vec![Value::Int(1), Value::Text(String::new())];
        assert_eq!(tuples(2, 2, Some(&first)), "($1::bigint, $2::text), ($3::bigint, $4::text)");
    }
}
