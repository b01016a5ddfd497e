//! What the disk does: the limit of everything that is durable.

use std::{fs::File, io::Write, path::Path, time::Instant};

use anyhow::Result;

/// Bytes of a record: a message with what belongs to it.
const RECORD: usize = 316;
const TIMES: usize = 300;

/// The median of one appended record's `fdatasync`, in a file in `folder`, microseconds.
///
/// # Errors
/// The system's.
pub(crate) fn sync_micros(folder: &Path) -> Result<u64> {
    let path = folder.join("bench-sync");
    let mut file = File::create(&path)?;
    let mut took = Vec::with_capacity(TIMES);
    for _ in 0..TIMES {
        let start = Instant::now();
        file.write_all(&[b'x'; RECORD])?;
        file.sync_data()?;
        took.push(u64::try_from(start.elapsed().as_micros())?);
    }
    std::fs::remove_file(&path)?;
    took.sort_unstable();
    Ok(took.get(TIMES / 2).copied().unwrap_or_default())
}
