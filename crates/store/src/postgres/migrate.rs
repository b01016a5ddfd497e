//! Applies migrations to a PostgreSQL database.

use tokio_postgres::types::Type;

use super::{
    connection::{Connection, Engine},
    failure::Failure,
};
use crate::{
    OpenError,
    migrations::{MIGRATIONS, check, checksum, dialect},
};

/// Processes that start at once on an empty database may meet in its catalogue: tries before that is an error.
const ATTEMPTS_MAX: u32 = 5;

/// Brings the schema up to date. Processes that start at once wait for each other.
///
/// # Errors
/// [`OpenError::Newer`], [`OpenError::Changed`], [`OpenError::Failed`].
pub(super) async fn migrate(engine: &Engine) -> Result<(), OpenError> {
    let failed = |failure: Failure| OpenError::Failed {
        path: engine.address.to_string(),
        reason: failure.to_string(),
    };
    let connection = engine.connect_bare().await.map_err(failed)?;
    for attempt in 1.. {
        match apply(&connection, &engine.address.to_string()).await {
            Err(Refused::Failed(failure)) if attempt < ATTEMPTS_MAX && is_race(&failure) => {
                connection.client.batch_execute("ROLLBACK").await.map_err(|error| failed(error.into()))?;
            }
            Err(Refused::Failed(failure)) => return Err(failed(failure)),
            Err(Refused::Open(error)) => return Err(error),
            Ok(()) => break,
        }
    }
    Ok(())
}

/// Another process created the same at the same moment.
fn is_race(failure: &Failure) -> bool {
    let Failure::Said(error) = failure else { return false };
    error.code().is_some_and(|code| matches!(code.code(), "23505" | "42P07" | "XX000"))
}

enum Refused {
    Open(OpenError),
    Failed(Failure),
}

impl From<tokio_postgres::Error> for Refused {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Failed(error.into())
    }
}

async fn apply(connection: &Connection, name: &str) -> Result<(), Refused> {
    let client = &connection.client;
    client
        .batch_execute(
            "BEGIN; \
             CREATE TABLE IF NOT EXISTS migrations (version BIGINT PRIMARY KEY, checksum TEXT NOT NULL); \
             LOCK TABLE migrations IN EXCLUSIVE MODE",
        )
        .await?;
    let rows = client.query_typed("SELECT version, checksum FROM migrations ORDER BY version", &[]).await?;
    let mut applied: Vec<(u32, String)> = Vec::with_capacity(rows.len());
    for row in rows {
        applied.push((u32::try_from(row.try_get::<_, i64>(0)?).unwrap_or(u32::MAX), row.try_get(1)?));
    }
    let done = check(name, &applied, MIGRATIONS).map_err(Refused::Open)?;
    for (version, sql) in (1i64..).zip(MIGRATIONS).skip(done) {
        client.batch_execute(&dialect(sql, "postgres")).await?;
        let insert = "INSERT INTO migrations (version, checksum) VALUES ($1, $2)";
        client.execute_typed(insert, &[(&version, Type::INT8), (&checksum(sql), Type::TEXT)]).await?;
    }
    Ok(client.batch_execute("COMMIT").await?)
}
