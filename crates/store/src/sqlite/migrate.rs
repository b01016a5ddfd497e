//! Applies migrations to a SQLite file.

use std::path::Path;

use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use crate::{
    OpenError,
    migrations::{MIGRATIONS, check, checksum, dialect},
};

/// Brings the schema up to date.
///
/// # Errors
/// [`OpenError::Newer`], [`OpenError::Changed`], [`OpenError::Failed`].
pub(super) fn migrate(dir: &Path, connection: &mut Connection) -> Result<(), OpenError> {
    apply(&dir.display().to_string(), connection, MIGRATIONS)
}

/// Applies those of `migrations`, which are all of ours or the first of them, that were not applied yet.
///
/// # Errors
/// As [`migrate`].
pub(crate) fn apply(path: &str, connection: &mut Connection, migrations: &[&str]) -> Result<(), OpenError> {
    let failed =
        |error: rusqlite::Error| OpenError::Failed { path: path.to_owned(), reason: error.to_string() };
    connection
        .execute_batch(
            "CREATE TABLE IF NOT EXISTS migrations (version INTEGER PRIMARY KEY, checksum TEXT NOT NULL)",
        )
        .map_err(failed)?;
    // The rest is one transaction: a second process would be kept out by the lock, and half a schema is none.
    let transaction = Transaction::new(connection, TransactionBehavior::Immediate).map_err(failed)?;
    let applied = applied(&transaction).map_err(failed)?;
    let done = check(path, &applied, migrations)?;
    for (version, sql) in (1u32..).zip(migrations).skip(done) {
        transaction.execute_batch(&dialect(sql, "sqlite")).map_err(failed)?;
        transaction
            .execute(
                "INSERT INTO migrations (version, checksum) VALUES (?1, ?2)",
                params![version, checksum(sql)],
            )
            .map_err(failed)?;
    }
    transaction.commit().map_err(failed)
}

/// The migrations that a file has, with their checksums, ascending.
pub(crate) fn applied(connection: &Connection) -> rusqlite::Result<Vec<(u32, String)>> {
    let mut statement = connection.prepare("SELECT version, checksum FROM migrations ORDER BY version")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect()
}
