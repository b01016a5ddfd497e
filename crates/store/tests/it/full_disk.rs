//! A disk that is full where SQLite notices it last: the log has its bytes, the index beside it finds no room for a page.

use std::{
    fs::File,
    io::{ErrorKind, Write as _},
    path::Path,
    process::Command,
    sync::Arc,
};

use model::Role;
use store::{Cause, CommitError, Log, Range, Store, Write, WriteKind};

use crate::world::{ANN, GENERAL, RANDOM, START, WS, all, draft, person, post};

const PAGE: u64 = 4_096;
const WAL_HEADER: u64 = 32;
const WAL_FRAME: u64 = 24 + PAGE;
/// Frames that the first page of the index has room for (SQLite's `HASHTABLE_NPAGE_ONE`).
const FRAMES_OF_FIRST_INDEX: u64 = 4_062;

/// A small file system in memory, unmounted when dropped.
struct SmallDisk<'a>(&'a Path);

impl SmallDisk<'_> {
    fn mount(at: &Path) -> Option<SmallDisk<'_>> {
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=64m", "tmpfs"]).arg(at).output();
        mounted.is_ok_and(|output| output.status.success()).then_some(SmallDisk(at))
    }

    /// Takes all room but so many bytes.
    fn fill(&self, spare: u64) {
        let mut filler = File::create(self.filler()).unwrap();
        let page = [0; 4_096];
        loop {
            match filler.write(&page) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => break,
                Err(error) => panic!("{error}"),
            }
        }
        let length = filler.metadata().unwrap().len();
        filler.set_len(length / PAGE * PAGE - spare).unwrap();
    }

    fn free(&self) {
        std::fs::remove_file(self.filler()).unwrap();
    }

    fn filler(&self) -> std::path::PathBuf {
        self.0.join("filler")
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        Command::new("umount").arg("--lazy").arg(self.0).status().ok();
    }
}

fn frames(data: &Path) -> u64 {
    (data.join("parlance.db-wal").metadata().unwrap().len() - WAL_HEADER) / WAL_FRAME
}

async fn said(log: &mut dyn Log, text: &str) -> Result<(), CommitError> {
    let body = format!("{text} {}", "x".repeat(9_000));
    let write = Write { workspace: WS, kind: post(draft(GENERAL, ANN, &body)) };
    log.commit(vec![write], START).await.map(|mut outcomes| {
        outcomes.pop().unwrap().result.unwrap();
    })
}

async fn is_there(store: &dyn Store, text: &str) -> bool {
    let range = Range { limit: 50, ..all() };
    let page = store.history(WS, GENERAL, range).await.unwrap();
    page.messages.iter().any(|message| message.text.as_str().starts_with(text))
}

#[tokio::test]
async fn what_is_refused_because_the_index_finds_no_room_is_not_there_after_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = SmallDisk::mount(folder.path()) else {
        let why = "mount -t tmpfs needs root";
        writeln!(std::io::stderr(), "skipped: full_disk::what_is_refused…: {why}").ok();
        return;
    };
    let data = folder.path().join("data");
    let (mut log, store) = store::sqlite::open(&data).unwrap();
    let store: Arc<dyn Store> = Arc::new(store);
    let setup = WriteKind::CreateWorkspace {
        name: "Small".to_owned(),
        domain: "small".to_owned(),
        general: GENERAL,
        random: RANDOM,
        owner: Box::new(person(ANN, "ann", Role::PrimaryOwner)),
        only_first: true,
    };
    log.commit(vec![Write { workspace: WS, kind: setup }], START).await.unwrap();
    // Until the next commit's frames need a second page of the index: no commit has fewer than the smallest so far.
    let (mut least, mut most) = (u64::MAX, 0);
    while least == u64::MAX || frames(&data) + least <= FRAMES_OF_FIRST_INDEX {
        let before = frames(&data);
        said(&mut log, "before").await.unwrap();
        let one = frames(&data) - before;
        (least, most) = (least.min(one), most.max(one));
    }
    println!("{least} to {most} frames a commit");
    // Room for the frames, and not for the eight pages of the index besides.
    disk.fill((least + 4) * PAGE);
    let refused = said(&mut log, "refused").await.unwrap_err();
    let length = frames(&data);
    assert!(matches!(refused, CommitError::NotWritten { cause: Cause::Full, .. }), "{refused:?}");
    println!("{refused}; {length} frames");
    assert!(!is_there(&*store, "refused").await);
    // What a process that is killed now leaves behind.
    let after = tempfile::tempdir().unwrap();
    for name in ["parlance.db", "parlance.db-wal"] {
        std::fs::copy(data.join(name), after.path().join(name)).unwrap();
    }
    let (_log, reopened) = store::sqlite::open(after.path()).unwrap();
    assert!(!is_there(&reopened, "refused").await, "it was refused, and is there");
    assert!(is_there(&reopened, "before").await);
    // And with room again all goes on.
    disk.free();
    said(&mut log, "room again").await.unwrap();
    assert!(is_there(&*store, "room again").await && !is_there(&*store, "refused").await);
}
