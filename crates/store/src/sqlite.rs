//! The embedded engine: one SQLite file, one writer, a pool of readers.
//!
//! WAL with `synchronous=FULL`: a commit that returned is on the disk. The one writer also runs the
//! checkpoints. A lock file keeps a second process out.

mod damage;
mod leftovers;
mod log;
mod lookups;
pub(crate) mod migrate;
mod read;
mod tx;

use std::{path::Path, sync::Arc};

use rusqlite::{Connection, OpenFlags};
use tracing::warn;

pub use log::SqliteLog;
use read::Reads;
pub use read::SqliteStore;

use crate::{DataDir, OpenError, data_dir::private, room::Room};

/// Name of the database in the data directory.
pub(crate) const DATABASE: &str = "parlance.db";
/// Items after which the writer checkpoints: some 10 to 40 MiB of WAL.
const CHECKPOINT_ITEMS: usize = 2_048;
/// Pages kept in memory by the writer, KiB.
const WRITER_CACHE_KIB: i64 = 16_384;
/// Pages kept in memory by each reader, KiB.
const READER_CACHE_KIB: i64 = 4_096;

/// Opens the embedded store of a data directory: creates it if need be, takes its lock, migrates it.
///
/// # Errors
/// [`OpenError`]: in use, damaged, newer than this program, or a failure of the file system.
pub fn open(dir: &Path) -> Result<(SqliteLog, SqliteStore), OpenError> {
    open_with(dir, Reads::OnThreads, CHECKPOINT_ITEMS)
}

/// As [`open`], with reads that keep the caller waiting instead of running on threads of their own, and a checkpoint
/// after so many items: the simulator has one thread, so that the same seed is the same run, and little time. Nothing
/// else should have it.
///
/// # Errors
/// As [`open`].
pub fn open_single_threaded(
    dir: &Path,
    checkpoint_items: usize,
) -> Result<(SqliteLog, SqliteStore), OpenError> {
    open_with(dir, Reads::InPlace, checkpoint_items)
}

fn open_with(
    dir: &Path,
    reads: Reads,
    checkpoint_items: usize,
) -> Result<(SqliteLog, SqliteStore), OpenError> {
    let failed = |reason: String| OpenError::Failed { path: dir.display().to_string(), reason };
    let held = Arc::new(DataDir::hold(dir)?);
    damage::check_files(dir, held.is_made())?;
    let beside = ["-wal", "-shm"].map(|end| dir.join(format!("{DATABASE}{end}")));
    for path in beside.into_iter().filter(|path| path.exists()).chain([dir.join(DATABASE)]) {
        private(&path).map_err(|error| failed(format!("{}: {error}", path.display())))?;
    }
    let engine = |error: rusqlite::Error| damage::classify(&dir.join(DATABASE), &error);
    let mut writer = connect(dir, WRITER_CACHE_KIB).map_err(engine)?;
    damage::check_database(dir, &writer)?;
    migrate::migrate(dir, &mut writer)?;
    held.set_made().map_err(|error| failed(error.to_string()))?;
    // What a killed process left in the WAL is moved now, so that restarts do not pile up. A full disk is
    // no reason not to start.
    if let Err(error) = writer.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())) {
        warn!(%error, "checkpoint at the start put off");
    }
    let room = Arc::new(Room::default());
    let store = SqliteStore::new(Arc::clone(&held), dir, Arc::clone(&room), reads);
    let store = store.map_err(engine)?;
    let log = SqliteLog::new(held, writer, room, checkpoint_items);
    Ok((log, store))
}

/// Opens the file for writing and makes it durable.
fn connect(dir: &Path, cache_kib: i64) -> rusqlite::Result<Connection> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(dir.join(DATABASE), flags)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    prepare(&connection, cache_kib)?;
    Ok(connection)
}

/// Opens the file for reading.
fn connect_reader(dir: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(dir.join(DATABASE), flags)?;
    connection.pragma_update(None, "query_only", true)?;
    prepare(&connection, READER_CACHE_KIB)?;
    Ok(connection)
}

fn prepare(connection: &Connection, cache_kib: i64) -> rusqlite::Result<()> {
    connection.pragma_update(None, "cache_size", -cache_kib)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    // With statistics of values SQLite would plan a statement anew for each value that is bound to it; ours have one plan.
    connection.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(128);
    connection.busy_timeout(std::time::Duration::from_secs(5))
}
