//! What a commit has left in the write-ahead log that was refused after all.

use std::{error::Error, fs::File, os::unix::fs::FileExt, path::Path};

use rusqlite::Connection;

use super::damage::{FRAME_HEADER_BYTES, HEADER_BYTES};
use crate::data_dir::beside;

/// Spoils what a commit has left in the log whose pages found no room in the index of the log.
///
/// SQLite writes and synchronises the frames first (`walFrames`), so that a process that starts after a crash would take
/// them for a commit. A frame without a header ends the log for whoever reads it, and the next commit writes over it.
/// Nothing but SQLite's own locks would be in danger by another descriptor, and the log has none of them.
///
/// # Errors
/// SQLite's, or the file system's: what was left may still be there.
pub(super) fn take_back(connection: &Connection) -> Result<(), Box<dyn Error>> {
    let number = |sql: &str, column: usize| -> Result<usize, Box<dyn Error>> {
        Ok(usize::try_from(connection.query_row(sql, [], |row| row.get::<_, i64>(column))?)?)
    };
    let frames = number("PRAGMA wal_checkpoint(NOOP)", 1)?;
    let page_bytes = number("PRAGMA page_size", 0)?;
    let database = connection.path().ok_or("a database without a file")?;
    let log = File::options().write(true).open(beside(Path::new(database), "-wal"))?;
    let place = HEADER_BYTES + frames * (FRAME_HEADER_BYTES + page_bytes);
    log.write_all_at(&[0; FRAME_HEADER_BYTES], u64::try_from(place)?)?;
    log.sync_data()?;
    Ok(())
}
