//! Whether a killed process left a commit half written, read from SQLite's write-ahead log.
//!
//! The engine writes the pages of a transaction to the log only when it commits, and marks the last
//! one. Valid frames of the current log behind the last marked one are therefore a commit that was
//! being written when the process died. Format: <https://www.sqlite.org/fileformat2.html#walformat>.

use std::io;
use std::path::{Path, PathBuf};

/// Frames at the end of a log whose sums are checked; a write that was cut is shorter.
const SUMMED_FRAMES: usize = 256;

/// What is behind the last complete commit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tail {
    /// Frames up to and including the last commit mark.
    pub committed_frames: usize,
    /// Whole frames of a commit that was never marked.
    pub open_frames: usize,
}

/// Reads every log below a directory and adds up what it finds. Call it between the kill and the
/// restart: opening the database removes the tail.
///
/// # Errors
/// When a file cannot be read.
pub fn tails(directory: &Path) -> io::Result<Tail> {
    let mut sum = Tail::default();
    for path in logs(directory)? {
        let tail = read(&std::fs::read(path)?);
        sum.committed_frames += tail.committed_frames;
        sum.open_frames += tail.open_frames;
    }
    Ok(sum)
}

fn logs(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(logs(&path)?);
        } else if path.to_string_lossy().ends_with("-wal") {
            found.push(path);
        }
    }
    Ok(found)
}

/// Reads one log. Frames of an earlier round of the log (other salts) or with a wrong checksum end
/// it, as they do for the engine.
pub fn read(log: &[u8]) -> Tail {
    const HEADER_BYTES: usize = 32;
    const FRAME_HEADER_BYTES: usize = 24;
    let mut tail = Tail::default();
    let (Some(header), Some(page_bytes)) = (log.get(..HEADER_BYTES), word(log, 8)) else { return tail };
    let big_endian = word(log, 0) == Some(0x377f_0683);
    let Ok(page_bytes) = usize::try_from(page_bytes) else { return tail };
    let mut sum = checksum(big_endian, (0, 0), header.get(..24).unwrap_or_default());
    if word(log, 24) != Some(sum.0) || word(log, 28) != Some(sum.1) {
        return tail;
    }
    // Frames of this round, in order. Each holds the sum of everything before it, so that only the last
    // ones, where a write was cut, need to be summed again.
    let body = log.get(HEADER_BYTES..).unwrap_or_default();
    let same_round = |frame: &&[u8]| frame.get(8..16) == log.get(16..24);
    let frames: Vec<&[u8]> =
        body.chunks_exact(FRAME_HEADER_BYTES + page_bytes).take_while(same_round).collect();
    let trusted = frames.len().saturating_sub(SUMMED_FRAMES);
    let mut whole = 0;
    for (index, frame) in frames.iter().enumerate() {
        let (head, page) = frame.split_at(FRAME_HEADER_BYTES);
        let stored = (word(head, 16).unwrap_or(0), word(head, 20).unwrap_or(0));
        if index >= trusted {
            sum = checksum(big_endian, sum, head.get(..8).unwrap_or_default());
            sum = checksum(big_endian, sum, page);
            if sum != stored {
                break;
            }
        }
        sum = stored;
        whole += 1;
        if word(head, 4) != Some(0) {
            tail.committed_frames = whole;
        }
    }
    tail.open_frames = whole - tail.committed_frames;
    tail
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4).and_then(|four| four.try_into().ok()).map(u32::from_be_bytes)
}

fn checksum(big_endian: bool, sum: (u32, u32), bytes: &[u8]) -> (u32, u32) {
    let (mut first, mut second) = sum;
    let mut words = bytes.chunks_exact(4).filter_map(|four| {
        let four: [u8; 4] = four.try_into().ok()?;
        Some(if big_endian { u32::from_be_bytes(four) } else { u32::from_le_bytes(four) })
    });
    while let (Some(one), Some(two)) = (words.next(), words.next()) {
        first = first.wrapping_add(one).wrapping_add(second);
        second = second.wrapping_add(two).wrapping_add(first);
    }
    (first, second)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A log that the engine itself wrote, with two commits.
    fn log_of_two_commits() -> Vec<u8> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.db");
        let connection = rusqlite::Connection::open(&path).unwrap();
        connection
            .execute_batch(
                "PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0;
                 CREATE TABLE t (a TEXT); INSERT INTO t VALUES ('one');",
            )
            .unwrap();
        std::fs::read(directory.path().join("x.db-wal")).unwrap()
    }

    #[test]
    fn a_complete_log_has_no_open_commit() {
        let tail = read(&log_of_two_commits());
        assert!(tail.committed_frames >= 2);
        assert_eq!(tail.open_frames, 0);
    }

    #[test]
    fn a_log_cut_before_its_last_commit_mark_has_an_open_commit() {
        let log = log_of_two_commits();
        let page_bytes = usize::try_from(word(&log, 8).unwrap()).unwrap();
        let frame_bytes = page_bytes + 24;
        let frames = (log.len() - 32) / frame_bytes;
        // CREATE TABLE writes two pages and marks the second: keep only the first.
        let tail = read(&log[..32 + frame_bytes]);
        assert_eq!(tail, Tail { committed_frames: 0, open_frames: 1 });
        // A torn last frame is not whole.
        let torn = read(&log[..32 + frames * frame_bytes - 7]);
        assert_eq!(torn.committed_frames + torn.open_frames, frames - 1);
    }

    #[test]
    fn frames_of_an_earlier_round_do_not_count() {
        let mut log = log_of_two_commits();
        log[32 + 8] ^= 0xff;
        assert_eq!(read(&log), Tail::default());
        assert_eq!(read(b"not a log"), Tail::default());
    }
}
