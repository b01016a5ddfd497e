//! Migrations: numbered files, each applied once in a transaction of its own, known by checksum.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use sha2::{Digest, Sha256};

use crate::OpenError;

/// All migrations, in order. Applied ones are never changed: add another.
const MIGRATIONS: &[&str] = &[include_str!("../../migrations/0001_first.sql")];

/// Brings the schema up to date.
///
/// # Errors
/// [`OpenError::Newer`], [`OpenError::Changed`], [`OpenError::Failed`].
pub(super) fn migrate(dir: &Path, connection: &mut Connection) -> Result<(), OpenError> {
    let path = dir.display().to_string();
    let failed = |error: rusqlite::Error| OpenError::Failed { path: path.clone(), reason: error.to_string() };
    connection
        .execute_batch(
            "CREATE TABLE IF NOT EXISTS migrations (version INTEGER PRIMARY KEY, checksum TEXT NOT NULL)",
        )
        .map_err(failed)?;
    let known = u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX);
    let found: u32 = connection
        .query_row("SELECT coalesce(max(version), 0) FROM migrations", [], |row| row.get(0))
        .map_err(failed)?;
    if found > known {
        return Err(OpenError::Newer { path, found, known });
    }
    for (version, sql) in (1u32..).zip(MIGRATIONS) {
        let transaction = Transaction::new(connection, TransactionBehavior::Immediate).map_err(failed)?;
        let checksum = checksum(sql);
        let applied: Option<String> = transaction
            .query_row("SELECT checksum FROM migrations WHERE version = ?1", [version], |row| row.get(0))
            .optional()
            .map_err(failed)?;
        match applied {
            Some(applied) if applied == checksum => continue,
            Some(_) => return Err(OpenError::Changed { path, version }),
            None => {}
        }
        transaction.execute_batch(&dialect(sql)).map_err(failed)?;
        transaction
            .execute("INSERT INTO migrations (version, checksum) VALUES (?1, ?2)", params![version, checksum])
            .map_err(failed)?;
        transaction.commit().map_err(failed)?;
    }
    Ok(())
}

fn checksum(sql: &str) -> String {
    Sha256::digest(sql.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Opens the comments that hold what only SQLite has: `/*sqlite WITHOUT ROWID*/`.
fn dialect(sql: &str) -> String {
    let mut text = String::with_capacity(sql.len());
    let mut rest = sql;
    while let Some((before, after)) = rest.split_once("/*sqlite ") {
        text.push_str(before);
        let (inside, after) = after.split_once("*/").unwrap_or((after, ""));
        text.push_str(inside);
        rest = after;
    }
    text.push_str(rest);
    text
}
