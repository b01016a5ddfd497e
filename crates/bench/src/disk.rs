//! What the disk does: the limit of everything that is durable.

use std::{
    fs::File,
    io::Write,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

use crate::report::rounded;

/// Bytes of a record: a message of 100 bytes with what belongs to it.
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

/// Bytes of the record of a message whose text has so many.
pub(crate) fn record(text: usize) -> usize {
    RECORD - 100 + text
}

/// Appends records for this long to a file in `folder`, `batch` of them to each `fdatasync`; returns records per second.
///
/// # Errors
/// The system's.
pub(crate) fn records_per_second(
    folder: &Path,
    batch: usize,
    record: usize,
    length: Duration,
) -> Result<f64> {
    let path = folder.join("bench-log");
    let mut file = File::create(&path)?;
    let records = vec![b'x'; batch * record];
    let (start, mut from, mut written) = (Instant::now(), None, 0u64);
    while start.elapsed() < length {
        if from.is_none() && start.elapsed() >= length / 5 {
            from = Some(Instant::now());
            written = 0;
        }
        file.write_all(&records)?;
        file.sync_data()?;
        written += u64::try_from(batch)?;
    }
    std::fs::remove_file(&path)?;
    Ok(rounded(written) / from.context("too short")?.elapsed().as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_records_to_a_batch_are_more_records_per_second() {
        let folder = tempfile::tempdir().unwrap();
        let rate = |batch| {
            records_per_second(folder.path(), batch, record(100), Duration::from_millis(100)).unwrap()
        };
        let (one, many) = (rate(1), rate(256));
        assert!(one > 0.0 && many > one, "{one} and {many} records per second");
        assert!(std::fs::read_dir(folder.path()).unwrap().next().is_none(), "the file is removed");
    }
}
