//! The PostgreSQL engine: one connection writes, a pool reads.
//!
//! READ COMMITTED, with placements locked for sharing and topics locked in the order of their ids before
//! anything is decided, so several processes may write the same topics at once. Works through PgBouncer in
//! transaction mode: no session state, no named statements outside a transaction's connection.

mod log;
mod migrate;
mod read;
mod tx;

use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod};
use tokio_postgres::{Config, NoTls};

pub use log::PostgresLog;
pub use read::PostgresStore;

use crate::OpenError;

/// Connections that read at once. Further reads wait their turn.
const READERS: usize = 8;
/// How long a connection may take to be made.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// Opens a store: connects and migrates. Call it inside the runtime that is to drive the connections.
///
/// # Errors
/// [`OpenError`]: unreachable, newer than this program, or refused.
pub async fn open(url: &str) -> Result<(PostgresLog, PostgresStore), OpenError> {
    // The address may hold a password: it is named without it.
    let mut config: Config =
        url.parse().map_err(|error: tokio_postgres::Error| failed("the store's address", &error))?;
    config.connect_timeout(CONNECT_WITHIN).application_name("parlance");
    let name = display(&config);
    migrate::migrate(&config, &name).await?;
    let manager = Manager::from_config(
        config.clone(),
        NoTls,
        ManagerConfig { recycling_method: RecyclingMethod::Fast },
    );
    let pool = Pool::builder(manager).max_size(READERS).build().map_err(|error| failed(&name, &error))?;
    let log = PostgresLog::new(config, tokio::runtime::Handle::current());
    Ok((log, PostgresStore::new(pool)))
}

/// Host, port and database.
fn display(config: &Config) -> String {
    let host = match config.get_hosts().first() {
        Some(tokio_postgres::config::Host::Tcp(host)) => host.clone(),
        Some(tokio_postgres::config::Host::Unix(path)) => path.display().to_string(),
        None => "localhost".to_owned(),
    };
    let port = config.get_ports().first().copied().unwrap_or(5_432);
    format!("postgres://{host}:{port}/{}", config.get_dbname().unwrap_or_default())
}

fn failed(name: &str, error: &dyn std::error::Error) -> OpenError {
    OpenError::Failed { path: name.to_owned(), reason: chain(error) }
}

/// An error with its causes: the driver's own text says only "db error".
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}
