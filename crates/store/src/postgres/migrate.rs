//! Applies migrations to a PostgreSQL database.

use tokio_postgres::{Config, NoTls};
use tracing::warn;

use super::failed;
use crate::{
    OpenError,
    migrations::{MIGRATIONS, checksum, dialect},
};

/// Brings the schema up to date. Processes that start at once wait for each other.
///
/// # Errors
/// [`OpenError::Newer`], [`OpenError::Changed`], [`OpenError::Failed`].
pub(super) async fn migrate(config: &Config, name: &str) -> Result<(), OpenError> {
    let (mut client, connection) = config.connect(NoTls).await.map_err(|error| failed(name, &error))?;
    let driver = tokio::spawn(async move {
        if let Err(error) = connection.await {
            warn!(%error, "connection for migrations");
        }
    });
    let result = apply(&mut client, name).await;
    drop(client);
    // Its end was logged.
    let _ = driver.await;
    result
}

async fn apply(client: &mut tokio_postgres::Client, name: &str) -> Result<(), OpenError> {
    let failed = |error: tokio_postgres::Error| failed(name, &error);
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    let transaction = client.transaction().await.map_err(failed)?;
    // Two processes that create the table at once: the one that comes second gets an error, starts again
    // (under its supervisor) and finds it.
    transaction
        .batch_execute(
            "CREATE TABLE IF NOT EXISTS migrations (version BIGINT PRIMARY KEY, checksum TEXT NOT NULL); \
             LOCK TABLE migrations IN EXCLUSIVE MODE",
        )
        .await
        .map_err(failed)?;
    let rows = transaction.query("SELECT version, checksum FROM migrations ORDER BY version", &[]).await;
    let applied: Vec<(i64, String)> =
        rows.map_err(failed)?.iter().map(|row| (row.get(0), row.get(1))).collect();
    if let Some(&(found, _)) = applied.last().filter(|(found, _)| *found > known) {
        let found = u32::try_from(found).unwrap_or(u32::MAX);
        return Err(OpenError::Newer {
            path: name.to_owned(),
            found,
            known: u32::try_from(known).unwrap_or(u32::MAX),
        });
    }
    for (version, sql) in (1i64..).zip(MIGRATIONS) {
        let checksum = checksum(sql);
        match applied.iter().find(|(known, _)| *known == version) {
            Some((_, applied)) if *applied == checksum => continue,
            Some(_) => {
                let version = u32::try_from(version).unwrap_or(u32::MAX);
                return Err(OpenError::Changed { path: name.to_owned(), version });
            }
            None => {}
        }
        transaction.batch_execute(&dialect(sql, "postgres")).await.map_err(failed)?;
        transaction
            .execute("INSERT INTO migrations (version, checksum) VALUES ($1, $2)", &[&version, &checksum])
            .await
            .map_err(failed)?;
    }
    transaction.commit().await.map_err(failed)
}
