//! Applies migrations to a SQLite file.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use crate::{
    OpenError,
    migrations::{MIGRATIONS, checksum, dialect},
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
    let path = path.to_owned();
    let failed = |error: rusqlite::Error| OpenError::Failed { path: path.clone(), reason: error.to_string() };
    connection
        .execute_batch(
            "CREATE TABLE IF NOT EXISTS migrations (version INTEGER PRIMARY KEY, checksum TEXT NOT NULL)",
        )
        .map_err(failed)?;
    let known = u32::try_from(migrations.len()).unwrap_or(u32::MAX);
    let found: u32 = connection
        .query_row("SELECT coalesce(max(version), 0) FROM migrations", [], |row| row.get(0))
        .map_err(failed)?;
    if found > known {
        return Err(OpenError::Newer { path, found, known });
    }
    for (version, sql) in (1u32..).zip(migrations) {
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
        transaction.execute_batch(&dialect(sql, "sqlite")).map_err(failed)?;
        transaction
            .execute("INSERT INTO migrations (version, checksum) VALUES (?1, ?2)", params![version, checksum])
            .map_err(failed)?;
        transaction.commit().map_err(failed)?;
    }
    Ok(())
}
