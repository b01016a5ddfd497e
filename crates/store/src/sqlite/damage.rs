//! What is wrong with the files of a data directory before anything is read from them or written to them.
//!
//! SQLite finds a damaged database where it reads it, which may be late. A damaged log it does not find at all: it takes
//! everything up to the first frame that is not whole, as after a crash, and acknowledged commits behind it would be gone
//! without a word. So both are looked at when the store is opened.

use std::{
    fs::File,
    io::{self, BufReader, Read},
    path::Path,
};

use rusqlite::Connection;
use tracing::info;

use super::DATABASE;
use crate::{OpenError, data_dir::beside};

/// A larger database is not read through at every start, bytes. `parlance backup` checks one of any size.
const CHECKED_BYTES_MAX: u64 = 1 << 30;

/// Bytes before the first frame of a log.
pub(super) const HEADER_BYTES: usize = 32;
/// Bytes of a frame before its page.
pub(super) const FRAME_HEADER_BYTES: usize = 24;
/// First word of a log, with words of the checksum in little or big end order.
const MAGIC: [u32; 2] = [0x377f_0682, 0x377f_0683];
const PAGE_BYTES: std::ops::RangeInclusive<usize> = 512..=65_536;

/// Refuses files that lost something. `made`: a store was made here earlier.
///
/// # Errors
/// [`OpenError::Damaged`], [`OpenError::Failed`].
pub(super) fn check_files(dir: &Path, made: bool) -> Result<(), OpenError> {
    let database = dir.join(DATABASE);
    let log = beside(&database, "-wal");
    let failed = |path: &Path, error: io::Error| OpenError::Failed {
        path: path.display().to_string(),
        reason: error.to_string(),
    };
    let length = |path: &Path| match path.metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        other => other.map(|metadata| Some(metadata.len())).map_err(|error| failed(path, error)),
    };
    // SQLite would make a new database of it, and throw the log away.
    let reason = match length(&database)? {
        None if made => Some("it is gone"),
        Some(0) if made => Some("it is empty"),
        None | Some(0) if length(&log)?.is_some_and(|bytes| bytes > 0) => {
            Some("it is gone, and its log is not")
        }
        _ => None,
    };
    if let Some(reason) = reason {
        return Err(damaged(&database, reason.to_owned()));
    }
    match check_log(&log) {
        Ok(None) => Ok(()),
        Ok(Some(reason)) => Err(damaged(&log, reason)),
        Err(error) => Err(failed(&log, error)),
    }
}

/// Reads a database through, unless it is large: the structure of every page. What a row says is not protected by a sum.
///
/// # Errors
/// [`OpenError::Damaged`], [`OpenError::Failed`].
pub(super) fn check_database(dir: &Path, connection: &Connection) -> Result<(), OpenError> {
    let path = dir.join(DATABASE);
    let began = std::time::Instant::now();
    let bytes = path.metadata().map_or(0, |metadata| metadata.len());
    if bytes > CHECKED_BYTES_MAX {
        info!(bytes, "a database of this size is not checked at the start; a backup checks it");
        return Ok(());
    }
    let verdict = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0));
    let verdict = verdict.map_err(|error| classify(&path, &error))?;
    if verdict != "ok" {
        return Err(damaged(&path, verdict.replace('\n', " ")));
    }
    info!(
        bytes,
        ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
        "the database is whole"
    );
    Ok(())
}

/// What an error of the engine means for whoever opens the store.
pub(super) fn classify(path: &Path, error: &rusqlite::Error) -> OpenError {
    match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase) => {
            damaged(path, error.to_string())
        }
        _ => OpenError::Failed { path: path.display().to_string(), reason: error.to_string() },
    }
}

fn damaged(path: &Path, reason: String) -> OpenError {
    OpenError::Damaged { path: path.display().to_string(), reason }
}

/// What is wrong with a log, if something is that a crash or a loss of power cannot have done.
///
/// A commit is synchronised before the next one is written. So whatever a crash leaves behind the first frame that is not
/// whole belongs to one commit at most; a second one there was acknowledged, and the frame before it was whole once.
/// What a commit that failed left behind has no end mark of its own. Format:
/// <https://www.sqlite.org/fileformat2.html#walformat>.
fn check_log(path: &Path) -> io::Result<Option<String>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    let mut reader = BufReader::with_capacity(1 << 20, file);
    let mut header = [0; HEADER_BYTES];
    if !fill(&mut reader, &mut header)? {
        return Ok(None); // It was being made.
    }
    let Some(log) = Log::read(&header) else {
        let mut next = [0; FRAME_HEADER_BYTES];
        // A header of zeros was never written; one of anything else was.
        let never = header.iter().all(|byte| *byte == 0)
            && !(fill(&mut reader, &mut next)? && next.iter().any(|byte| *byte != 0));
        return Ok((!never).then(|| "its header is damaged".to_owned()));
    };
    let mut frame = vec![0; FRAME_HEADER_BYTES + log.page_bytes];
    let mut sum = log.sum;
    let (mut index, mut broken, mut commits_behind) = (0_u64, None, 0_u64);
    while fill(&mut reader, &mut frame)? {
        index += 1;
        let stored = (word(&frame, 16), word(&frame, 20));
        let whole = log.same_round(&frame) && log.sum_of(&frame, sum) == stored;
        if !whole && broken.is_none() {
            broken = Some(index);
        } else if whole && broken.is_some() && word(&frame, 4) != 0 {
            commits_behind += 1;
        }
        // Each sum goes on from the one before it, as it is written.
        sum = stored;
    }
    Ok(broken.filter(|_| commits_behind > 1).map(|frame| {
        let bytes = u64::try_from(HEADER_BYTES).unwrap_or_default()
            + (frame - 1) * u64::try_from(FRAME_HEADER_BYTES + log.page_bytes).unwrap_or_default();
        format!(
            "frame {frame} of it, at byte {bytes}, is damaged, and {commits_behind} commits behind it would be lost. To go \
             on without them, cut the file to {bytes} bytes"
        )
    }))
}

/// Reads until the buffer is full; false: the end came first.
fn fill(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    match reader.read_exact(buffer) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        other => other.map(|()| true),
    }
}

/// What the header of a log says.
struct Log {
    big_endian: bool,
    page_bytes: usize,
    /// Different in each round of the log.
    salts: [u32; 2],
    sum: (u32, u32),
}

impl Log {
    fn read(header: &[u8]) -> Option<Self> {
        let magic = word(header, 0);
        let mut log = Self {
            big_endian: magic == MAGIC[1],
            page_bytes: usize::try_from(word(header, 8)).ok()?,
            salts: [word(header, 16), word(header, 20)],
            sum: (0, 0),
        };
        log.sum = log.add((0, 0), header.get(..24)?);
        let good = MAGIC.contains(&magic)
            && PAGE_BYTES.contains(&log.page_bytes)
            && log.sum == (word(header, 24), word(header, 28));
        good.then_some(log)
    }

    fn same_round(&self, frame: &[u8]) -> bool {
        self.salts == [word(frame, 8), word(frame, 12)]
    }

    /// The sum that a frame must have after one with the sum `before`.
    fn sum_of(&self, frame: &[u8], before: (u32, u32)) -> (u32, u32) {
        let sum = self.add(before, frame.get(..8).unwrap_or_default());
        self.add(sum, frame.get(FRAME_HEADER_BYTES..).unwrap_or_default())
    }

    fn add(&self, sum: (u32, u32), bytes: &[u8]) -> (u32, u32) {
        let read = |word: &[u8; 4]| {
            if self.big_endian { u32::from_be_bytes(*word) } else { u32::from_le_bytes(*word) }
        };
        let (words, _) = bytes.as_chunks::<4>();
        let (pairs, _) = words.as_chunks::<2>();
        pairs.iter().fold(sum, |(first, second), [one, two]| {
            let first = first.wrapping_add(read(one)).wrapping_add(second);
            (first, second.wrapping_add(read(two)).wrapping_add(first))
        })
    }
}

/// A big end first word; 0 where there is none.
fn word(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).copied().map_or(0, u32::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    /// A log that the engine wrote, with this many commits of one page each, and where its pages begin.
    fn log_of(commits: usize) -> (tempfile::TempDir, PathBuf, Connection) {
        let dir = tempfile::tempdir().unwrap();
        let connection = super::super::connect(dir.path(), 1_024).unwrap();
        connection.execute_batch("CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT)").unwrap();
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
        for n in 0..commits {
            connection.execute("INSERT INTO t (b) VALUES (?1)", [n.to_string()]).unwrap();
        }
        let path = dir.path().join("parlance.db-wal");
        (dir, path, connection)
    }

    fn flipped(path: &Path, at: usize) -> Option<String> {
        let whole = std::fs::read(path).unwrap();
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        std::fs::write(path, &bytes).unwrap();
        let verdict = check_log(path).unwrap();
        std::fs::write(path, &whole).unwrap();
        verdict
    }

    #[test]
    fn a_bit_anywhere_but_in_the_last_commits_is_found() {
        const COMMITS: usize = 6;
        let (_dir, path, _connection) = log_of(COMMITS);
        let length = std::fs::read(&path).unwrap().len();
        let frame = FRAME_HEADER_BYTES + 4_096;
        assert_eq!(length, HEADER_BYTES + COMMITS * frame);
        assert_eq!(check_log(&path).unwrap(), None);
        for at in 0..HEADER_BYTES {
            assert_eq!(flipped(&path, at).as_deref(), Some("its header is damaged"), "byte {at}");
        }
        for index in 0..COMMITS {
            for at in (0..FRAME_HEADER_BYTES).chain([24, 25, 1_000, 4_119]) {
                let verdict = flipped(&path, HEADER_BYTES + index * frame + at);
                // A flip in a stored sum also takes the link to the next frame away.
                let behind = COMMITS - index - 1 - usize::from((16..24).contains(&at) && index + 1 < COMMITS);
                let expect = behind > 1;
                assert_eq!(verdict.is_some(), expect, "frame {index}, byte {at}: {verdict:?}");
                if let Some(verdict) = verdict {
                    let cut = HEADER_BYTES + index * frame;
                    assert!(verdict.contains(&format!("{behind} commits behind")), "{verdict}");
                    assert!(verdict.contains(&format!("to {cut} bytes")), "{verdict}");
                }
            }
        }
    }

    #[test]
    fn what_a_crash_leaves_is_good() {
        let (_dir, path, connection) = log_of(4);
        let whole = std::fs::read(&path).unwrap();
        for length in [0, 1, 31, 32, 33, 60, 4_152, 4_153, whole.len() - 1] {
            std::fs::write(&path, &whole[..length]).unwrap();
            assert_eq!(check_log(&path).unwrap(), None, "cut to {length} bytes");
        }
        // The pages of the last commit are on the disk in any order, or not at all.
        let mut zeros = whole.clone();
        let last = zeros.len() - 4_120;
        zeros[last..].fill(0);
        std::fs::write(&path, &zeros).unwrap();
        assert_eq!(check_log(&path).unwrap(), None);
        std::fs::write(&path, vec![0; whole.len()]).unwrap();
        assert_eq!(check_log(&path).unwrap(), None, "never synchronised");
        std::fs::write(&path, &whole).unwrap();
        // A new round overwrites the old one from the beginning; what is behind it is the old one's.
        connection.query_row("PRAGMA wal_checkpoint(RESTART)", [], |_| Ok(())).unwrap();
        connection.execute("INSERT INTO t (b) VALUES ('again')", []).unwrap();
        assert_eq!(std::fs::read(&path).unwrap().len(), whole.len());
        assert_eq!(check_log(&path).unwrap(), None);
    }
}
