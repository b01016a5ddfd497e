//! Loss of power (fault 11 of the matrix): of what the process wrote and did not synchronise, a part is lost.
//!
//! strace notes what is written to the database and its log and when each is synchronised, and kills the process at the n-th
//! write or synchronisation. Then the files are made what a disk may have of them, and the server starts from those.

use std::{collections::BTreeMap, path::Path, time::Duration};

use anyhow::{Context, Result, ensure};
use harness::sandbox::Options;
use harness::strace::Strace;
use harness::unsynced::{File, Luck};

use super::{at_work, long};
use crate::campaign::{DELIVER_WITHIN, quiet};
use crate::load::Random;

/// What is on the disk; the index of the log is in memory that no loss of power leaves.
const FILES: [&str; 2] = ["parlance.db", "parlance.db-wal"];
const INDEX: &str = "parlance.db-shm";

/// What is looked at.
const CALLS: [&str; 4] = ["pwrite64", "ftruncate", "fdatasync", "fsync"];

/// How long strace may take to end after the process.
const ENDS_WITHIN: Duration = Duration::from_secs(20);

/// After this time every thread of a process that was told to stop stands still.
const STANDS_AFTER: Duration = Duration::from_millis(200);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_loss_of_power_takes_nothing_that_was_acknowledged() -> Result<()> {
    let (mut server, mut campaign) = at_work(Options::default()).await?;
    let mut random = Random(getrandom::u64()? | 1);
    let rounds = if long() { 60 } else { 6 };
    let mut lost = 0;
    for round in 1..=rounds {
        // Half the time when all of a commit is written and nothing need be there.
        let (calls, nth) = match random.below(2) {
            0 => ("fdatasync,fsync", 1 + random.below(30)),
            _ => ("pwrite64", 1 + random.below(300)),
        };
        let inject = format!("inject={calls}:signal=KILL:when={nth}");
        let trace = server.scratch().join("calls");
        let data = server.data().to_owned();
        let paths = FILES.map(|name| data.join(name).to_string_lossy().into_owned());
        let mut arguments = vec!["-y", "-xx", "-s", "70000", "-P", &paths[0], "-P", &paths[1]];
        let calls_traced = format!("trace={}", CALLS.join(","));
        arguments.extend(["-e", &calls_traced, "-e", &inject]);
        let pid = server.pid().context("pid")?;
        // What is there now counts as synchronised; nothing is written while it is read.
        server.signal("STOP").await?;
        tokio::time::sleep(STANDS_AFTER).await;
        let attached = Strace::attach("loss of power", pid, &arguments, &trace).await?;
        let Some(strace) = attached else {
            server.signal("CONT").await?;
            return Ok(());
        };
        let mut disk = Disk::read(&data)?;
        server.signal("CONT").await?;
        campaign.during(server.fails()).await??;
        strace.ended(ENDS_WITHIN).await?;
        quiet(&campaign.load.in_flight, "requests to a dead server are out").await?;
        for line in std::fs::read_to_string(&trace)?.lines() {
            disk.call(line).with_context(|| format!("{line:.300}"))?;
        }
        let (synced, unsynced) = (disk.synced, disk.unsynced());
        let luck = disk.lose(&data, &mut random)?;
        println!(
            "round {round}: killed at call {nth} of {calls}, {synced} calls had synchronised something, {unsynced} \
             sectors were not, kept: {luck:?}"
        );
        lost += if luck == Luck::Everything { 0 } else { unsynced };
        server.restart().await.with_context(|| format!("restart after round {round}"))?;
        campaign.resolved().await?;
    }
    ensure!(lost > 0, "nothing was lost: the test shows nothing");
    campaign.judge(&server, DELIVER_WITHIN).await?;
    Ok(())
}

/// What a disk has of the files, as the calls tell.
struct Disk {
    files: BTreeMap<&'static str, File>,
    /// Threads that are synchronising a file.
    syncing: BTreeMap<String, &'static str>,
    synced: usize,
}

impl Disk {
    fn read(data: &Path) -> Result<Disk> {
        let file = |name: &'static str| Ok((name, File::new(std::fs::read(data.join(name))?)));
        let files = FILES.into_iter().map(file).collect::<Result<_>>()?;
        Ok(Disk { files, syncing: BTreeMap::new(), synced: 0 })
    }

    fn unsynced(&self) -> usize {
        self.files.values().map(File::unsynced).sum()
    }

    /// A line of strace: `1234 pwrite64(7</data/parlance.db-wal>, "…", 4096, 32) = 4096`, with paths and strings in hex. A call that
    /// another thread interrupted has a second line, `1234 <... fdatasync resumed>) = 0`.
    fn call(&mut self, line: &str) -> Result<()> {
        let (thread, call) = line.split_once(' ').context("no thread")?;
        let call = call.trim_start();
        let is_done = call.trim_end().ends_with("= 0");
        if call.starts_with("<... fdatasync resumed") || call.starts_with("<... fsync resumed") {
            if let (Some(name), true) = (self.syncing.remove(thread), is_done) {
                self.sync(name);
            }
            return Ok(());
        }
        // Signals, ends of threads, and `???( <unfinished ...>` of a thread that was killed where strace did not see it.
        let Some((kind, rest)) = call.split_once('(').filter(|(kind, _)| CALLS.contains(kind)) else {
            return Ok(());
        };
        let Some((path, rest)) = rest.split_once('<').and_then(|(_, rest)| rest.split_once('>')) else {
            return Ok(());
        };
        let path = String::from_utf8(bytes(path)?)?;
        let name = FILES.into_iter().find(|name| Path::new(&path).ends_with(name)).context("another file")?;
        let file = self.files.get_mut(name).context("no file")?;
        let number = |text: &str, at: usize| -> Result<usize> {
            Ok(text
                .split([',', ')', ' '])
                .filter(|part| !part.is_empty())
                .nth(at)
                .context("no number")?
                .parse()?)
        };
        match kind {
            // Whether it came to its end or not: a part of it may be there.
            "pwrite64" => {
                let mut parts = rest.split('"').skip(1);
                let written = bytes(parts.next().context("no string")?)?;
                let behind = parts.next().context("no end of the string")?;
                ensure!(written.len() == number(behind, 0)?, "not all of it is told");
                file.write(number(behind, 1)?, &written);
            }
            "ftruncate" => file.resize(number(rest, 0)?),
            "fdatasync" | "fsync" if is_done => self.sync(name),
            "fdatasync" | "fsync" => {
                self.syncing.insert(thread.to_owned(), name);
            }
            _ => {}
        }
        Ok(())
    }

    fn sync(&mut self, name: &str) {
        if let Some(file) = self.files.get_mut(name) {
            self.synced += usize::from(file.unsynced() > 0);
            file.sync();
        }
    }

    /// Makes the files what is left of them.
    fn lose(self, data: &Path, random: &mut Random) -> Result<Luck> {
        let mut below = |end| random.below(end);
        let luck = Luck::draw(&mut below);
        for (name, file) in self.files {
            std::fs::write(data.join(name), file.left(luck, &mut below))?;
        }
        std::fs::remove_file(data.join(INDEX))?;
        Ok(luck)
    }
}

/// Bytes in hex: `\x70\x61`.
fn bytes(hex: &str) -> Result<Vec<u8>> {
    let digits = hex.split("\\x").skip(1);
    digits.map(|byte| u8::from_str_radix(byte, 16).with_context(|| format!("{byte:?}"))).collect()
}

#[test]
fn calls_are_read_as_strace_tells_them() -> Result<()> {
    let hex = |text: &str| text.bytes().map(|byte| format!("\\x{byte:02x}")).collect::<String>();
    let [database, log] = FILES.map(|name| hex(&format!("/data/{name}")));
    let files = FILES.map(|name| (name, File::default())).into();
    let mut disk = Disk { files, syncing: BTreeMap::new(), synced: 0 };
    let written = hex("abc");
    for line in [
        format!(r#"12 pwrite64(7<{log}>, "{written}", 3, 2) = 3"#),
        format!(r#"13 pwrite64(8<{database}>, "{written}", 3, 0 <unfinished ...>"#),
        format!("12 fdatasync(7<{log}> <unfinished ...>"),
        "13 <... pwrite64 resumed>) = 3".to_owned(),
        "12 <... fdatasync resumed>) = 0".to_owned(),
        format!("12 ftruncate(7<{log}>, 1) = 0"),
        format!("13 fsync(8<{database}>) = ?"),
        "14 ???( <unfinished ...>".to_owned(),
        "13 +++ killed by SIGKILL +++".to_owned(),
    ] {
        disk.call(&line)?;
    }
    assert_eq!((disk.synced, disk.unsynced()), (1, 2));
    let left = |disk: &Disk, name: &str, luck| disk.files[name].clone().left(luck, &mut |_| 0);
    assert_eq!(left(&disk, FILES[1], Luck::Nothing), b"\0\0abc");
    assert_eq!(left(&disk, FILES[1], Luck::Everything), b"\0");
    assert_eq!(left(&disk, FILES[0], Luck::Nothing), b"");
    assert_eq!(left(&disk, FILES[0], Luck::Everything), b"abc");
    assert!(disk.call(&format!(r#"12 pwrite64(7<{log}>, "{written}"..., 30, 2) = 30"#)).is_err(), "cut");
    Ok(())
}
