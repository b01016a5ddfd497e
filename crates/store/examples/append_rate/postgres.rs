//! PostgreSQL against the same rows by the same client library, in transactions of the same size: in multi-row
//! inserts, all sent at once, and in single-row inserts, one after the other. Neither decides anything.

use std::{
    collections::{BTreeMap, HashMap},
    fmt::Write as _,
    time::Instant,
};

use futures_util::future::try_join_all;
use model::WorkspaceId;
use store::Log;
use tokio_postgres::{Client, NoTls, Statement, types::ToSql};

use crate::work::{ANN, NOW, ROUND, ROUNDS, TEXT, channel, key, median, posts, workspace};

pub(crate) async fn compare(url: &str) {
    println!(
        "{:>6} {:>7} {:>10} {:>10} {:>10} {:>10}  {:>7} {:>7} {:>7}",
        "batch", "topics", "ours/s", "multi/s", "single/s", "alone/s", "/multi", "/single", "/alone"
    );
    let mut next = 1_000 * u64::from(std::process::id());
    let only: Vec<usize> = std::env::args().skip(2).map(|number| number.parse().unwrap()).collect();
    for topics in [1, 1_000, 10_000] {
        for batch in [16, 128, 512] {
            if !only.is_empty() && only != [topics, batch] {
                continue;
            }
            let mut rates: [Vec<f64>; 4] = Default::default();
            for _ in 0..ROUNDS {
                for (rates, how) in
                    rates.iter_mut().zip([None, Some(Rows::Many), Some(Rows::One), Some(Rows::Alone)])
                {
                    next += 1;
                    let workspace = WorkspaceId::from_raw(next);
                    let mut log = prepare(url, workspace, topics).await;
                    rates.push(match how {
                        None => our_rate(&mut log, workspace, batch, topics).await,
                        Some(how) => Bare::new(url, workspace, topics).await.rate(batch, how).await,
                    });
                }
            }
            let [ours, many, one, alone] = rates.map(median);
            println!(
                "{batch:>6} {topics:>7} {ours:>10.0} {many:>10.0} {one:>10.0} {alone:>10.0}  {:>7.2} {:>7.1} {:>7.1}",
                ours / many,
                ours / one,
                ours / alone
            );
        }
    }
}

async fn prepare(url: &str, id: WorkspaceId, topics: usize) -> store::postgres::PostgresLog {
    let (mut log, _store) = store::postgres::open(url, 1).await.unwrap();
    for batch in workspace(id, topics) {
        let outcomes = log.commit(batch, NOW).await.unwrap();
        assert!(outcomes.iter().all(|outcome| outcome.result.is_ok()));
    }
    log
}

async fn our_rate(log: &mut impl Log, workspace: WorkspaceId, batch: usize, topics: usize) -> f64 {
    let started = Instant::now();
    let mut sent = 0;
    while started.elapsed() < ROUND {
        let outcomes = log.commit(posts(workspace, sent, batch, topics), NOW).await.unwrap();
        assert!(outcomes.iter().all(|outcome| outcome.result.is_ok()));
        log.maintain().await.unwrap();
        sent += batch;
    }
    sent as f64 / started.elapsed().as_secs_f64()
}

/// How the rows are sent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rows {
    /// A batch in one transaction, each table's rows in one statement, all statements sent at once.
    Many,
    /// A batch in one transaction, a statement for each row, each answered before the next.
    One,
    /// As `One`, and each post in a transaction of its own.
    Alone,
}

/// Writes rows and asks nothing. The seqs are counted here.
struct Bare {
    client: Client,
    workspace: i64,
    topics: usize,
    seqs: Vec<i64>,
    statements: HashMap<String, Statement>,
}

type Row = Vec<Box<dyn ToSql + Sync + Send>>;

impl Bare {
    async fn new(url: &str, workspace: WorkspaceId, topics: usize) -> Self {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
        tokio::spawn(connection);
        // Two events each: the channel was created, and its creator joined.
        let seqs = vec![2; topics];
        Self { client, workspace: workspace.raw() as i64, topics, seqs, statements: HashMap::new() }
    }

    async fn rate(mut self, batch: usize, how: Rows) -> f64 {
        let started = Instant::now();
        let mut sent = 0;
        while started.elapsed() < ROUND {
            let transactions = if how == Rows::Alone { batch } else { 1 };
            for number in 0..transactions {
                let first = sent + number;
                let tables = self.tables(first, batch / transactions);
                self.client.batch_execute("BEGIN").await.unwrap();
                if how == Rows::Many {
                    self.many(tables).await;
                } else {
                    self.one_by_one(tables).await;
                }
                self.client.batch_execute("COMMIT").await.unwrap();
            }
            sent += batch;
        }
        sent as f64 / started.elapsed().as_secs_f64()
    }

    async fn many(&mut self, tables: Vec<(&'static str, Vec<Row>)>) {
        let mut bound = Vec::new();
        for (sql, rows) in &tables {
            let statement = self.statement(sql, rows.len()).await;
            let params: Vec<&(dyn ToSql + Sync)> = rows.iter().flatten().map(|value| &**value as _).collect();
            bound.push((statement, params));
        }
        let all = bound.iter().map(|(statement, params)| self.client.execute(statement, params));
        try_join_all(all).await.unwrap();
    }

    async fn one_by_one(&mut self, tables: Vec<(&'static str, Vec<Row>)>) {
        for (sql, rows) in &tables {
            let statement = self.statement(sql, 1).await;
            for row in rows {
                let params: Vec<&(dyn ToSql + Sync)> = row.iter().map(|value| &**value as _).collect();
                self.client.execute(&statement, &params).await.unwrap();
            }
        }
    }

    /// The rows of the posts from number `first` on, by statement.
    fn tables(&mut self, first: usize, count: usize) -> Vec<(&'static str, Vec<Row>)> {
        let (workspace, author) = (self.workspace, ANN.raw() as i64);
        let (mut messages, mut events, mut keys): (Vec<Row>, Vec<Row>, Vec<Row>) = Default::default();
        let mut newest: BTreeMap<usize, i64> = BTreeMap::new();
        for number in first..first + count {
            let topic = number % self.topics;
            self.seqs[topic] += 1;
            let (channel, seq) = (channel(topic).raw() as i64, self.seqs[topic]);
            let ts = NOW + 1_000_000 + number as i64;
            newest.insert(topic, ts);
            messages.push(row([
                Box::new(workspace),
                Box::new(channel),
                Box::new(ts),
                Box::new(seq),
                Box::new(author),
                Box::new(TEXT),
                Box::new(key(number)),
            ]));
            events.push(row([
                Box::new(workspace),
                Box::new(channel),
                Box::new(seq),
                Box::new(ts),
                Box::new(author),
            ]));
            keys.push(row([
                Box::new(workspace),
                Box::new(channel),
                Box::new(author),
                Box::new(key(number)),
                Box::new(ts),
            ]));
        }
        let (mut heads, mut latest, mut read): (Vec<Row>, Vec<Row>, Vec<Row>) = Default::default();
        for (topic, ts) in newest {
            let channel = channel(topic).raw() as i64;
            heads.push(row([
                Box::new(workspace),
                Box::new(channel),
                Box::new(self.seqs[topic]),
                Box::new(ts),
            ]));
            latest.push(row([Box::new(workspace), Box::new(channel), Box::new(ts)]));
            read.push(row([Box::new(workspace), Box::new(channel), Box::new(author), Box::new(ts)]));
        }
        vec![
            (HEADS, heads),
            (MESSAGES, messages),
            (EVENTS, events),
            (KEYS, keys),
            (LATEST, latest),
            (READ, read),
        ]
    }

    /// `$rows` becomes a list of rows of typed parameters.
    async fn statement(&mut self, sql: &'static str, rows: usize) -> Statement {
        let types: Vec<&str> = sql.split_once(" -- ").unwrap().1.split(' ').collect();
        let mut list = String::new();
        for row in 0..rows {
            list.push_str(if row == 0 { "(" } else { ", (" });
            for (column, kind) in types.iter().enumerate() {
                let comma = if column == 0 { "" } else { ", " };
                write!(list, "{comma}${}::{kind}", row * types.len() + column + 1).unwrap();
            }
            list.push(')');
        }
        let text = sql.split_once(" -- ").unwrap().0.replace("$rows", &list);
        if let Some(known) = self.statements.get(&text) {
            return known.clone();
        }
        let statement = self.client.prepare(&text).await.unwrap();
        self.statements.insert(text, statement.clone());
        statement
    }
}

fn row<const N: usize>(values: [Box<dyn ToSql + Sync + Send>; N]) -> Row {
    values.into()
}

// After the dashes: the types of a row's parameters.
const HEADS: &str = "UPDATE topics t SET last_seq = v.seq, last_ts = v.ts FROM (VALUES $rows) v (w, t, seq, ts) \
    WHERE t.workspace = v.w AND t.topic = v.t -- bigint bigint bigint bigint";
const MESSAGES: &str = "INSERT INTO messages (workspace, channel, ts, seq, author, body, client_msg_id, shown, counts, \
    reply_count, reply_latest, deleted, revision) SELECT w, c, ts, seq, a, b, k, 1, 1, 0, 0, 0, 1 FROM (VALUES $rows) \
    v (w, c, ts, seq, a, b, k) -- bigint bigint bigint bigint bigint text text";
const EVENTS: &str = "INSERT INTO events (workspace, topic, seq, kind, at, ref, actor) SELECT w, t, seq, 1, ts, ts, a \
    FROM (VALUES $rows) v (w, t, seq, ts, a) -- bigint bigint bigint bigint bigint";
const KEYS: &str = "INSERT INTO idempotency (workspace, channel, author, msg_key, ts) VALUES $rows \
    -- bigint bigint bigint text bigint";
const LATEST: &str = "UPDATE channels c SET latest = v.ts, revision = revision + 1 FROM (VALUES $rows) v (w, c, ts) \
    WHERE c.workspace = v.w AND c.channel = v.c -- bigint bigint bigint";
const READ: &str = "UPDATE memberships m SET last_read = v.ts, revision = revision + 1 FROM (VALUES $rows) v (w, c, u, ts) \
    WHERE m.workspace = v.w AND m.channel = v.c AND m.usr = v.u -- bigint bigint bigint bigint";
