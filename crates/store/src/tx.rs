//! What the decisions and the reads ask of an engine: one transaction that runs statements.
//!
//! SQL is written with `$1 … $n` in order of their place; an engine rewrites them if it must. The
//! embedded engine answers at once, so its futures never wait.

use async_trait::async_trait;

use model::{Micros, Topic, WorkspaceId};

use crate::{StoreError, commits::Commit};

/// A value in a row or parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    /// No value.
    Null,
    /// `BIGINT`.
    Int(i64),
    /// `TEXT`.
    Text(String),
    /// `BYTEA`.
    Bytes(Vec<u8>),
}

/// Rows for one statement: `(sql, one row of parameters each)`.
pub(crate) type Rows = (&'static str, Vec<Vec<Value>>);

/// What [`Tx::lock`] found.
#[derive(Debug, Default)]
pub(crate) struct Locked {
    /// `workspace, state` of each placement that exists.
    pub(crate) placements: Vec<Row>,
    /// `workspace, topic, generation, last_seq, last_ts, trimmed` of each topic that exists.
    pub(crate) topics: Vec<Row>,
    /// The answers to the queries that followed.
    pub(crate) then: Vec<Vec<Row>>,
}

/// The columns of a topic's row, in the order of [`Locked::topics`].
macro_rules! topic_sql {
    ($rest:literal) => {
        concat!("SELECT workspace, topic, generation, last_seq, last_ts, trimmed FROM topics WHERE ", $rest)
    };
}
pub(crate) use topic_sql;

/// One transaction.
#[async_trait]
pub(crate) trait Tx: Send {
    /// Runs a statement that returns rows.
    async fn query(&mut self, sql: &'static str, params: &[Value]) -> Result<Vec<Row>, StoreError>;

    /// Locks placements for sharing and topics for writing until the end of the transaction, and reads them as
    /// they are then. Topics come sorted, so that two batches cannot deadlock. Whatever else a batch reads of a
    /// topic it reads in a statement after this one: `then`, as [`Tx::query_keys`], is sent along with it. The
    /// embedded engine has one writer and only reads.
    async fn lock(
        &mut self,
        workspaces: &[WorkspaceId],
        topics: &[Topic],
        then: &[Rows],
    ) -> Result<Locked, StoreError>;

    /// Reads topics without locking them: the columns of [`Locked::topics`] of each that exists.
    async fn heads(&mut self, topics: &[Topic]) -> Result<Vec<Row>, StoreError>;

    /// Lets no other transaction create a workspace until the end of this one.
    async fn lock_installation(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    /// The row of the log of commits that says what this transaction did.
    fn log_commit(&self, now: Micros, commit: &Commit) -> Rows;

    /// Whether a statement costs a round trip, so that rows are better read many at a time.
    fn is_remote(&self) -> bool {
        false
    }

    /// Runs queries for many keys at once, all sent before the first answers: `$keys` stands for a list of
    /// rows, `(…), (…)`.
    async fn query_keys(&mut self, queries: &[Rows]) -> Result<Vec<Vec<Row>>, StoreError>;

    /// Runs one statement for each row of parameters; returns how many rows changed in all. In a statement
    /// that updates from rows, `(VALUES $rows) v`, `$rows` stands for them; their columns are `v.column1` and on.
    async fn execute(&mut self, sql: &'static str, rows: &[Vec<Value>]) -> Result<usize, StoreError>;

    /// Runs statements in order whose counts nobody asks for, all sent before the first answers.
    async fn execute_all(&mut self, writes: &[Rows]) -> Result<(), StoreError> {
        for (sql, rows) in writes {
            self.execute(sql, rows).await?;
        }
        Ok(())
    }
}

/// A row that came back.
#[derive(Debug, Clone)]
pub(crate) struct Row(pub(crate) std::vec::IntoIter<Value>);

impl Row {
    /// The next column.
    pub(crate) fn take<T: FromValue>(&mut self) -> Result<T, StoreError> {
        self.0.next().and_then(T::from_value).ok_or(StoreError::Corrupt { what: std::any::type_name::<T>() })
    }
}

/// What a column can be read as.
pub(crate) trait FromValue: Sized {
    /// `None`: the value has another type.
    fn from_value(value: Value) -> Option<Self>;
}

impl FromValue for i64 {
    fn from_value(value: Value) -> Option<Self> {
        if let Value::Int(int) = value { Some(int) } else { None }
    }
}
impl FromValue for u64 {
    fn from_value(value: Value) -> Option<Self> {
        i64::from_value(value).and_then(|int| int.try_into().ok())
    }
}
impl FromValue for u32 {
    fn from_value(value: Value) -> Option<Self> {
        i64::from_value(value).and_then(|int| int.try_into().ok())
    }
}
impl FromValue for bool {
    fn from_value(value: Value) -> Option<Self> {
        i64::from_value(value).map(|int| int != 0)
    }
}
impl FromValue for String {
    fn from_value(value: Value) -> Option<Self> {
        if let Value::Text(text) = value { Some(text) } else { None }
    }
}
impl FromValue for Vec<u8> {
    fn from_value(value: Value) -> Option<Self> {
        if let Value::Bytes(bytes) = value { Some(bytes) } else { None }
    }
}
impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: Value) -> Option<Self> {
        if value == Value::Null { Some(None) } else { T::from_value(value).map(Some) }
    }
}

/// What can be a parameter.
pub(crate) trait ToValue {
    /// As a value.
    fn to_value(&self) -> Value;
}

impl ToValue for i64 {
    fn to_value(&self) -> Value {
        Value::Int(*self)
    }
}
impl ToValue for u64 {
    fn to_value(&self) -> Value {
        Value::Int(i64::try_from(*self).unwrap_or(i64::MAX))
    }
}
impl ToValue for u32 {
    fn to_value(&self) -> Value {
        Value::Int(i64::from(*self))
    }
}
impl ToValue for bool {
    fn to_value(&self) -> Value {
        Value::Int(i64::from(*self))
    }
}
impl ToValue for str {
    fn to_value(&self) -> Value {
        Value::Text(self.to_owned())
    }
}
impl ToValue for String {
    fn to_value(&self) -> Value {
        Value::Text(self.clone())
    }
}
impl ToValue for [u8] {
    fn to_value(&self) -> Value {
        Value::Bytes(self.to_vec())
    }
}
impl ToValue for Value {
    fn to_value(&self) -> Value {
        self.clone()
    }
}
impl<T: ToValue> ToValue for Option<T> {
    fn to_value(&self) -> Value {
        self.as_ref().map_or(Value::Null, ToValue::to_value)
    }
}
impl<T: ToValue + ?Sized> ToValue for &T {
    fn to_value(&self) -> Value {
        (**self).to_value()
    }
}

macro_rules! number {
    ($($name:ty),*) => {$(
        impl ToValue for $name {
            fn to_value(&self) -> Value { self.raw().to_value() }
        }
        impl FromValue for $name {
            fn from_value(value: Value) -> Option<Self> { u64::from_value(value).map(Self::from_raw) }
        }
    )*};
}
number!(
    model::WorkspaceId,
    model::UserId,
    model::ChannelId,
    model::BotId,
    model::AppId,
    model::FileId,
    model::ScheduledId,
    model::JobId
);

impl ToValue for model::TopicId {
    fn to_value(&self) -> Value {
        self.raw().to_value()
    }
}
impl FromValue for model::TopicId {
    fn from_value(value: Value) -> Option<Self> {
        u64::from_value(value).and_then(Self::from_raw)
    }
}
impl ToValue for model::Ts {
    fn to_value(&self) -> Value {
        Value::Int(self.micros())
    }
}
impl FromValue for model::Ts {
    fn from_value(value: Value) -> Option<Self> {
        i64::from_value(value).map(Self::from_micros)
    }
}
impl ToValue for model::Seq {
    fn to_value(&self) -> Value {
        self.raw().to_value()
    }
}
impl FromValue for model::Seq {
    fn from_value(value: Value) -> Option<Self> {
        u64::from_value(value).map(Self::new)
    }
}
impl ToValue for model::Generation {
    fn to_value(&self) -> Value {
        self.0.to_value()
    }
}
impl FromValue for model::Generation {
    fn from_value(value: Value) -> Option<Self> {
        u32::from_value(value).map(Self)
    }
}
impl ToValue for model::CredentialId {
    fn to_value(&self) -> Value {
        self.0.as_slice().to_value()
    }
}
impl FromValue for model::CredentialId {
    fn from_value(value: Value) -> Option<Self> {
        Vec::<u8>::from_value(value).and_then(|bytes| bytes.try_into().ok()).map(Self)
    }
}
impl ToValue for crate::SecretHash {
    fn to_value(&self) -> Value {
        self.0.as_slice().to_value()
    }
}
impl ToValue for model::ClientMsgId {
    fn to_value(&self) -> Value {
        self.as_str().to_value()
    }
}
impl FromValue for model::ClientMsgId {
    fn from_value(value: Value) -> Option<Self> {
        String::from_value(value).and_then(|text| text.parse().ok())
    }
}

/// Makes a list of parameters.
macro_rules! params {
    ($($value:expr),* $(,)?) => { [$($crate::tx::ToValue::to_value(&$value)),*] };
}
pub(crate) use params;
