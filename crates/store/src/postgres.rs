//! The PostgreSQL engine: one connection writes, a pool reads.
//!
//! READ COMMITTED, with placements locked for sharing and topics locked in the order of their ids before
//! anything of them is read, so several processes may write the same topics at once. Nothing lives in a
//! database session beyond a transaction, so PgBouncer may stand in between.

pub(crate) mod address;
mod connection;
pub(crate) mod failure;
mod log;
mod migrate;
mod pool;
mod read;
mod sweep;
mod tls;
mod tx;

use std::sync::Arc;

use connection::Engine;
pub use log::PostgresLog;
pub use read::PostgresStore;

use tracing::warn;

use crate::OpenError;

/// Connections that read at once, per process and database. Further reads wait their turn.
pub const READERS_DEFAULT: usize = 8;

/// Opens a store: connects and migrates. `readers`: connections that read at once.
///
/// # Errors
/// [`OpenError`]: unreachable, newer than this program, or refused.
pub async fn open(url: &str, readers: usize) -> Result<(PostgresLog, PostgresStore), OpenError> {
    let (log, store) = prepare(url, readers)?;
    store.engine().migrate().await?;
    Ok((log, store))
}

/// Opens a store that need not be there yet: as [`open`], but one that cannot be reached is migrated when it
/// first can be, and fails until then.
///
/// # Errors
/// [`OpenError`]: newer than this program, or no good address.
pub async fn open_later(url: &str, readers: usize) -> Result<(PostgresLog, PostgresStore), OpenError> {
    let (log, store) = prepare(url, readers)?;
    match store.engine().migrate().await {
        Ok(()) => {}
        Err(error @ OpenError::Failed { .. }) => warn!(%error, "a store is not there yet"),
        Err(error) => return Err(error),
    }
    Ok((log, store))
}

fn prepare(url: &str, readers: usize) -> Result<(PostgresLog, PostgresStore), OpenError> {
    let engine = Arc::new(Engine::new(address::Address::parse(url)?));
    let store = PostgresStore::new(Arc::clone(&engine), readers)?;
    Ok((PostgresLog::new(engine), store))
}

/// Checks an address without connecting.
///
/// # Errors
/// [`OpenError::Failed`] with what is wrong with it.
pub fn check_address(url: &str) -> Result<(), OpenError> {
    address::Address::parse(url).map(|_| ())
}
