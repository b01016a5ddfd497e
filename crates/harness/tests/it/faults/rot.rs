//! Files that are damaged at rest (fault 12 of the matrix): refused with a sentence that names the file, never served
//! and never silently shortened.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use harness::sandbox::{Output, Sandbox, parlance};

/// A data directory of a server that was killed, with a log, and what was acknowledged there.
struct Killed {
    folder: tempfile::TempDir,
    server: Sandbox,
    acknowledged: Vec<String>,
    /// As it was after an orderly end: without a log, which would have newer copies of some pages.
    closed: PathBuf,
}

impl Killed {
    async fn new() -> Result<Killed> {
        let mut server = Sandbox::start().await?;
        let general = server.channel("general")?.to_owned();
        let (folder, mut acknowledged) = (tempfile::tempdir()?, Vec::new());
        for n in 0..30 {
            acknowledged.push(server.bot().post(&general, &format!("{n} {}", "x".repeat(3_000))).await?);
        }
        // A checkpoint, so that the database itself holds messages, and then a log of some more.
        server.terminate().await?;
        let log = std::fs::metadata(server.data().join("parlance.db-wal")).map_or(0, |log| log.len());
        ensure!(log == 0, "an orderly end left a log of {log} bytes");
        let closed = folder.path().join("closed");
        copy_files(server.data(), &closed)?;
        server.restart().await?;
        for n in 0..30 {
            acknowledged.push(server.bot().post(&general, &format!("{n} more")).await?);
        }
        server.kill().await?;
        Ok(Killed { folder, server, acknowledged, closed })
    }

    /// A copy that may be damaged.
    fn copy(&self, name: &str) -> Result<PathBuf> {
        let to = self.folder.path().join(name);
        copy_files(self.server.data(), &to)?;
        Ok(to)
    }

    /// A copy in which this file is to be damaged.
    fn copy_for(&self, file: &str, name: &str) -> Result<PathBuf> {
        let to = self.folder.path().join(name);
        copy_files(if file == "parlance.db" { &self.closed } else { self.server.data() }, &to)?;
        Ok(to)
    }

    /// Serves a copy, which must have everything.
    async fn is_whole(&self, data: &Path) -> Result<()> {
        let server = Sandbox::on(data, self.server.seed.clone()).await?;
        let messages = server.bot().snapshot(server.channel("general")?).await?.messages;
        let there = |ts: &&String| messages.iter().any(|message| message.ts == **ts);
        ensure!(self.acknowledged.iter().all(|ts| there(&ts)), "it started, and not everything is there");
        Ok(())
    }
}

fn copy_files(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        // Not sockets.
        if entry.file_type()?.is_file() {
            std::fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

async fn serve(data: &Path) -> Result<Output> {
    parlance(&["serve", "--data", data.to_str().context("path")?, "--listen", "127.0.0.1:0"]).await
}

fn edit(path: &Path, change: impl FnOnce(&mut Vec<u8>)) -> Result<()> {
    let before = std::fs::read(path)?;
    let mut bytes = before.clone();
    change(&mut bytes);
    ensure!(bytes != before, "nothing was damaged");
    std::fs::write(path, bytes).map_err(Into::into)
}

#[tokio::test]
async fn what_is_damaged_is_refused_by_name() -> Result<()> {
    let killed = Killed::new().await?;
    let database_bytes = std::fs::metadata(killed.server.data().join("parlance.db"))?.len();
    let log_bytes = std::fs::metadata(killed.server.data().join("parlance.db-wal"))?.len();
    ensure!(database_bytes > 100_000 && log_bytes > 100_000, "{database_bytes} and {log_bytes} bytes");
    let half = usize::try_from(log_bytes / 2)?;
    type Change = Box<dyn FnOnce(&mut Vec<u8>)>;
    let cases: Vec<(&str, &str, Change)> = vec![
        ("magic", "parlance.db", Box::new(|bytes| bytes[3] ^= 1)),
        ("empty", "parlance.db", Box::new(Vec::clear)),
        ("cut to a page", "parlance.db", Box::new(|bytes| bytes.truncate(4_096))),
        ("kind of a page", "parlance.db", Box::new(|bytes| flip_kinds(bytes))),
        ("log header", "parlance.db-wal", Box::new(|bytes| bytes[17] ^= 1)),
        ("log", "parlance.db-wal", Box::new(move |bytes| bytes[half] ^= 1)),
        ("block of the log", "parlance.db-wal", Box::new(move |bytes| lose_block(&mut bytes[half..]))),
    ];
    for (what, file, change) in cases {
        let data = killed.copy_for(file, what)?;
        edit(&data.join(file), change)?;
        let output = serve(&data).await.with_context(|| format!("{what}: it was served"))?;
        ensure!(!output.status.success(), "{what}: {output:?}");
        let sentence = output.stderr.lines().find(|line| line.contains("damaged")).unwrap_or_default();
        ensure!(sentence.contains(file), "{what}: it says {:?}", output.stderr);
        println!("{what}: {sentence}");
    }
    // What is gone altogether is not taken for new.
    let data = killed.copy("gone")?;
    for file in ["parlance.db", "parlance.db-wal", "parlance.db-shm"] {
        std::fs::remove_file(data.join(file))?;
    }
    let output = serve(&data).await.context("a database that is gone was made anew")?;
    ensure!(output.stderr.contains("is damaged: it is gone"), "{output:?}");
    // Nothing of that is the directory's fault.
    killed.is_whole(&killed.copy("whole")?).await
}

/// The first block in which anything is, as if the disk had never written it.
fn lose_block(bytes: &mut [u8]) {
    let mut blocks = bytes.chunks_exact_mut(512);
    blocks.find(|block| block.iter().any(|byte| *byte != 0)).unwrap().fill(0);
}

/// The byte that says what a page is, in the second half of the pages.
fn flip_kinds(bytes: &mut [u8]) {
    let pages = bytes.len() / 4_096;
    for page in pages / 2..pages {
        bytes[page * 4_096] ^= 0x40;
    }
}

/// A log that ends in the middle of a commit is what a crash leaves: everything whole before it is served.
#[tokio::test]
async fn a_log_that_was_cut_in_its_last_commit_is_what_a_crash_leaves() -> Result<()> {
    let killed = Killed::new().await?;
    let data = killed.copy("torn")?;
    edit(&data.join("parlance.db-wal"), |bytes| bytes.extend_from_slice(&[0xa5; 2_000]))?;
    killed.is_whole(&data).await
}

/// The limit of the engine, so that nobody takes it for more than it is: no sum protects what a row says.
#[tokio::test]
async fn a_changed_letter_in_the_database_is_not_found() -> Result<()> {
    let mut killed = Killed::new().await?;
    killed.server.restart().await?;
    killed.server.terminate().await?;
    let data = killed.copy("letter")?;
    edit(&data.join("parlance.db"), |bytes| {
        let at = bytes.windows(40).position(|window| window.iter().all(|byte| *byte == b'x'));
        bytes[at.unwrap() + 20] = b'y';
    })?;
    killed.is_whole(&data).await
}
