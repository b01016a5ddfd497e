//! The limit of the store: SQLite alone, with the same tables, durability and spread over topics.
//!
//! A batch is what one commit of the server writes for so many plain messages: the message, its event, the positions of
//! their topics and channels, and one record of the commit. Nothing is read, checked or answered.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use rusqlite::{Connection, params};

use crate::report::rounded;

/// Writes messages for this long, `batch` to a commit, to one of so many topics after the other; returns messages per
/// second. `database` is one that the server made; it is not used afterwards.
///
/// # Errors
/// SQLite's.
pub(crate) fn messages_per_second(
    database: &Path,
    topics: usize,
    batch: usize,
    bytes: usize,
    length: Duration,
) -> Result<f64> {
    let mut connection = Connection::open(database)?;
    connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")?;
    let (workspace, author): (i64, i64) =
        connection.query_row("SELECT workspace, usr FROM users LIMIT 1", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
    let (template, kind): (i64, i64) =
        connection.query_row("SELECT channel, kind FROM channels WHERE name = 'general'", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
    ensure!(kind > 0, "no general");
    let channels = channels(&mut connection, workspace, template, topics)?;
    let text = "x".repeat(bytes);
    let start = Instant::now();
    let first = length / 5;
    let (mut number, mut counted, mut from) = (0u64, 0u64, None);
    while start.elapsed() < length {
        if from.is_none() && start.elapsed() >= first {
            from = Some(Instant::now());
            counted = number;
        }
        commit(&mut connection, workspace, author, &channels, &mut number, batch, &text)?;
    }
    let took = from.context("too short")?.elapsed().as_secs_f64();
    Ok(rounded(number - counted) / took)
}

/// As many channels with their topics. Their ids are spread as the server's are: those that are written one after the other do
/// not lie side by side.
fn channels(connection: &mut Connection, workspace: i64, template: i64, topics: usize) -> Result<Vec<i64>> {
    let mut ids = vec![template];
    let transaction = connection.transaction()?;
    transaction
        .execute("CREATE TEMP TABLE made AS SELECT * FROM channels WHERE channel = ?1", params![template])?;
    while ids.len() < topics {
        let id = scattered(ids.len())?;
        transaction.execute(
            "UPDATE made SET channel = ?1, name = ?2, name_key = ?2",
            params![id, format!("bare-{id}")],
        )?;
        transaction.execute("INSERT INTO channels SELECT * FROM made", [])?;
        transaction.execute(
            "INSERT INTO topics (workspace, topic, generation, last_seq, last_ts, trimmed) VALUES (?1, ?2, 1, 0, 0, 0)",
            params![workspace, id],
        )?;
        ids.push(id);
    }
    transaction.commit()?;
    Ok(ids)
}

/// A number of 60 bits that looks random, always the same one.
fn scattered(number: usize) -> Result<i64> {
    let mut hasher = DefaultHasher::new();
    number.hash(&mut hasher);
    Ok(i64::try_from(hasher.finish() >> 4)?)
}

fn commit(
    connection: &mut Connection,
    workspace: i64,
    author: i64,
    channels: &[i64],
    number: &mut u64,
    batch: usize,
    text: &str,
) -> Result<()> {
    let transaction = connection.transaction()?;
    let mut heads = Vec::with_capacity(batch * 16);
    {
        let mut message = transaction.prepare_cached(
            "INSERT INTO messages (workspace, channel, ts, seq, author, body, client_msg_id, shown, counts, reply_count, \
             reply_latest, deleted, revision) VALUES (?1, ?2, ?3, ?4, ?5, ?6, NULL, 1, 1, 0, 0, 0, 1)",
        )?;
        let mut event = transaction.prepare_cached(
            "INSERT INTO events (workspace, topic, seq, kind, at, ref, actor) VALUES (?1, ?2, ?3, 1, ?4, ?4, ?5)",
        )?;
        let mut topic = transaction.prepare_cached(
            "UPDATE topics SET last_seq = ?3, last_ts = ?4 WHERE workspace = ?1 AND topic = ?2",
        )?;
        let mut channel = transaction.prepare_cached(
            "UPDATE channels SET latest = ?3, revision = revision + 1 WHERE workspace = ?1 AND channel = ?2",
        )?;
        // A topic's position is written once a batch, as the server does.
        let mut moved = std::collections::BTreeMap::new();
        for _ in 0..batch {
            *number += 1;
            let place = usize::try_from(*number)? % channels.len().max(1);
            let id = *channels.get(place).context("no channel")?;
            // Far above what the seed wrote.
            let at = 4_000_000_000_000_000 + i64::try_from(*number)?;
            message.execute(params![workspace, id, at, at, author, text])?;
            event.execute(params![workspace, id, at, at, author])?;
            moved.insert(id, at);
        }
        for (id, at) in moved {
            topic.execute(params![workspace, id, at, at])?;
            channel.execute(params![workspace, id, at])?;
            heads.extend(id.to_le_bytes());
            heads.extend(at.to_le_bytes());
        }
    }
    transaction.execute("INSERT INTO commits (at, heads) VALUES (?1, ?2)", params![0, heads])?;
    transaction.commit()?;
    Ok(())
}
