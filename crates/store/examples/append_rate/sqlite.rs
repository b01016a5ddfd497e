//! The embedded engine against bare SQLite writing the same rows in the same transactions.

use std::time::Instant;

use model::WorkspaceId;
use rusqlite::{Connection, params};
use store::Log;

use crate::work::{NOW, ROUND, ROUNDS, TEXT, channel, key, median, posts, workspace};

const WS: WorkspaceId = WorkspaceId::from_raw(1);

pub(crate) fn compare() {
    println!("{:>6} {:>7} {:>12} {:>12} {:>7}", "batch", "topics", "ours/s", "bare/s", "ratio");
    for topics in [1, 1_000, 10_000] {
        for batch in [1, 16, 128, 512] {
            let mut ours = Vec::new();
            let mut bare = Vec::new();
            for _ in 0..ROUNDS {
                bare.push(bare_rate(batch, topics));
                ours.push(our_rate(batch, topics));
            }
            let (ours, bare) = (median(ours), median(bare));
            println!("{batch:>6} {topics:>7} {ours:>12.0} {bare:>12.0} {:>7.2}", ours / bare);
        }
    }
}

/// A directory on the disk that is measured, with `topics` channels.
fn prepare(topics: usize) -> (tempfile::TempDir, store::sqlite::SqliteLog) {
    let dir = tempfile::tempdir_in(".").unwrap();
    let (mut log, _store) = store::sqlite::open(dir.path()).unwrap();
    for batch in workspace(WS, topics) {
        wait(log.commit(batch, NOW)).unwrap();
    }
    (dir, log)
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn our_rate(batch: usize, topics: usize) -> f64 {
    let (_dir, mut log) = prepare(topics);
    let started = Instant::now();
    let mut sent = 0;
    while started.elapsed() < ROUND {
        let outcomes = wait(log.commit(posts(WS, sent, batch, topics), NOW)).unwrap();
        assert!(outcomes.iter().all(|outcome| outcome.result.is_ok()));
        wait(log.maintain()).unwrap();
        sent += batch;
    }
    f64::from(u32::try_from(sent).unwrap()) / started.elapsed().as_secs_f64()
}

/// The same rows, with prepared statements and nothing decided.
fn bare_rate(batch: usize, topics: usize) -> f64 {
    let (dir, log) = prepare(topics);
    drop(log);
    let connection = Connection::open(dir.path().join("parlance.db")).unwrap();
    connection.pragma_update(None, "synchronous", "FULL").unwrap();
    connection.pragma_update(None, "wal_autocheckpoint", 8_192).unwrap();
    let started = Instant::now();
    let mut sent = 0;
    while started.elapsed() < ROUND {
        connection.execute_batch("BEGIN IMMEDIATE").unwrap();
        {
            let mut head = connection.prepare_cached("UPDATE topics SET last_seq = last_seq + 1, last_ts = ?3 WHERE workspace = ?1 AND topic = ?2 RETURNING last_seq").unwrap();
            let mut message = connection.prepare_cached("INSERT INTO messages (workspace, channel, ts, seq, author, body, client_msg_id, shown, counts, reply_count, reply_latest, deleted, revision) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 1, 1, 0, 0, 0, 1)").unwrap();
            let mut event = connection.prepare_cached("INSERT INTO events (workspace, topic, seq, kind, at, ref, actor) VALUES (?1, ?2, ?3, 1, ?4, ?4, ?5)").unwrap();
            let mut idempotency = connection.prepare_cached("INSERT INTO idempotency (workspace, channel, author, msg_key, ts) VALUES (?1, ?2, ?3, ?4, ?5)").unwrap();
            let mut latest = connection.prepare_cached("UPDATE channels SET latest = ?3, revision = revision + 1 WHERE workspace = ?1 AND channel = ?2").unwrap();
            let mut read = connection.prepare_cached("UPDATE memberships SET last_read = ?4, revision = revision + 1 WHERE workspace = ?1 AND channel = ?2 AND usr = ?3").unwrap();
            for number in sent..sent + batch {
                let (workspace, author) = (1i64, 2i64);
                let channel = i64::try_from(channel(number % topics).raw()).unwrap();
                let ts = 1_700_000_001_000_000 + i64::try_from(number).unwrap();
                let seq: i64 = head.query_row(params![workspace, channel, ts], |row| row.get(0)).unwrap();
                message.execute(params![workspace, channel, ts, seq, author, TEXT, key(number)]).unwrap();
                event.execute(params![workspace, channel, seq, ts, author]).unwrap();
                idempotency.execute(params![workspace, channel, author, key(number), ts]).unwrap();
                latest.execute(params![workspace, channel, ts]).unwrap();
                read.execute(params![workspace, channel, author, ts]).unwrap();
            }
        }
        connection.execute_batch("COMMIT").unwrap();
        sent += batch;
    }
    f64::from(u32::try_from(sent).unwrap()) / started.elapsed().as_secs_f64()
}
