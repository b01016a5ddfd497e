//! The drive of the machine that writes. What was written and not synchronised may be lost with its power, in parts.
//!
//! The store and SQLite call the operating system as ever; [`crate::system`] shows the drive each call. It keeps what is
//! surely there apart from what was written since: a loss of power keeps any of the latter ([`harness::unsynced`]), and
//! file names that no one synchronised the directory for may be gone.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    io,
    path::{Path, PathBuf},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU8, Ordering},
    },
};

use harness::unsynced::{File, Luck};

use crate::random::Random;

/// Names of the files of the store begin so.
const PREFIX: &str = "parlance.";
/// The index of SQLite's log, in shared memory: none of it outlives its process.
const INDEX: &str = "parlance.db-shm";
/// The log.
const LOG: &str = "parlance.db-wal";

/// When the power goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fuse {
    /// At the call after so many.
    Calls(usize),
    /// When something is to be synchronised: all of it is written by then, and nothing need be there.
    Sync,
}

/// A drive that says it synchronised and did not: what a bug in the store would look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lie {
    /// The log is synchronised so often at most, microseconds.
    LogLate(u64),
    /// The log is never synchronised by a commit; only the database is.
    LogNever,
    /// The database is never synchronised.
    DatabaseNever,
}

/// Nobody looks: the machine is off, or there is none yet.
const OFF: u8 = 0;
/// Every call is looked at.
const ON: u8 = 1;
/// Every call fails until the machine is switched off.
const DEAD: u8 = 2;
/// Looked at first: most calls are none of ours.
static POWER: AtomicU8 = AtomicU8::new(OFF);
static DRIVE: Mutex<Drive> = Mutex::new(Drive::EMPTY);

struct Drive {
    dir: PathBuf,
    random: Random,
    files: BTreeMap<PathBuf, Contents>,
    fuse: Option<Fuse>,
    /// What a machine that is off left.
    left: Option<BTreeMap<PathBuf, Vec<u8>>>,
    lie: Option<Lie>,
    synced_us: u64,
}

/// A file.
#[derive(Default)]
struct Contents {
    /// Its name is on the drive.
    is_named: bool,
    file: File,
}

impl Drive {
    const EMPTY: Self = Self {
        dir: PathBuf::new(),
        random: Random::ZERO,
        files: BTreeMap::new(),
        fuse: None,
        left: None,
        lie: None,
        synced_us: 0,
    };

    /// A call; whether the power is still there.
    fn lasts(&mut self, is_sync: bool) -> bool {
        if self.left.is_some() {
            return false;
        }
        match &mut self.fuse {
            Some(Fuse::Calls(calls)) if *calls > 0 => {
                *calls -= 1;
                true
            }
            Some(Fuse::Sync) if !is_sync => true,
            Some(_) => {
                self.end(true);
                POWER.store(DEAD, Ordering::Relaxed);
                false
            }
            None => true,
        }
    }

    fn change(&mut self, path: PathBuf, change: impl FnOnce(&mut File)) -> bool {
        change(&mut self.files.entry(path).or_default().file);
        // The write that the power goes at is among those that may be lost.
        self.lasts(false)
    }

    fn sync(&mut self, path: &Path, now_us: u64) -> bool {
        if !self.lasts(true) {
            return false;
        }
        if path == self.dir {
            self.files.values_mut().for_each(|file| file.is_named = true);
            return true;
        }
        let is_log = path.file_name() == Some(OsStr::new(LOG));
        let is_told_only = match self.lie {
            Some(Lie::LogLate(every_us)) => is_log && now_us < self.synced_us.saturating_add(every_us),
            Some(Lie::LogNever) => is_log,
            Some(Lie::DatabaseNever) => !is_log,
            None => false,
        };
        if let (Some(contents), false) = (self.files.get_mut(path), is_told_only) {
            contents.file.sync();
            if is_log {
                self.synced_us = now_us;
            }
        }
        true
    }

    /// The machine is off. If only its process is gone, the operating system writes what it has.
    fn end(&mut self, is_without_power: bool) {
        POWER.store(OFF, Ordering::Relaxed);
        self.fuse = None;
        let random = &mut self.random;
        let mut below = |end| random.below(end);
        let luck = Some(Luck::draw(&mut below)).filter(|_| is_without_power).unwrap_or(Luck::Everything);
        let mut left = BTreeMap::new();
        for (path, Contents { is_named, file }) in std::mem::take(&mut self.files) {
            if is_without_power && !is_named && below(1_000) < 500 {
                continue;
            }
            left.insert(path, file.left(luck, &mut below));
        }
        self.left = Some(left);
    }
}

fn lock() -> MutexGuard<'static, Drive> {
    DRIVE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Looks after the store in a directory from here on; what is in it is on the drive.
///
/// # Errors
/// The files cannot be read.
pub(crate) fn watch(dir: &Path) -> io::Result<()> {
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if is_ours(&path) {
            let contents = Contents { is_named: true, file: File::new(std::fs::read(&path)?) };
            files.insert(path, contents);
        }
    }
    let mut drive = lock();
    dir.clone_into(&mut drive.dir);
    drive.files = files;
    drive.left = None;
    POWER.store(ON, Ordering::Relaxed);
    Ok(())
}

/// The seed's dice, and what the drive lies about.
pub(crate) fn set_up(seed: u64, lie: Option<Lie>) {
    let mut drive = lock();
    drive.random = Random::new(seed, "drive");
    drive.lie = lie;
}

/// The machine ends: its process is killed or its power goes. Nothing, if its power went before.
pub(crate) fn end() {
    let mut drive = lock();
    if drive.left.is_none() {
        let is_without_power = drive.random.permille(500);
        drive.end(is_without_power);
    }
}

/// Decides when the power goes; `None`: it stays.
pub(crate) fn set_fuse(fuse: Option<Fuse>) {
    lock().fuse = fuse;
}

/// Whether the power is gone.
pub(crate) fn is_dead() -> bool {
    lock().left.is_some()
}

/// Makes the files what the machine left when it was switched off.
///
/// # Errors
/// The files cannot be written.
pub(crate) fn restore(dir: &Path) -> io::Result<()> {
    POWER.store(OFF, Ordering::Relaxed);
    let Some(left) = lock().left.take() else { return Ok(()) };
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.file_name() == Some(OsStr::new(INDEX)) || (is_ours(&path) && !left.contains_key(&path)) {
            std::fs::remove_file(path)?;
        }
    }
    left.iter().try_for_each(|(path, bytes)| std::fs::write(path, bytes))
}

fn is_ours(path: &Path) -> bool {
    let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
    name.starts_with(PREFIX) && name != INDEX
}

/// The path of an open file if it is of interest: a file of the store, or its directory.
fn watched(descriptor: i32) -> Option<PathBuf> {
    if POWER.load(Ordering::Relaxed) == OFF {
        return None;
    }
    let path = std::fs::read_link(format!("/proc/self/fd/{descriptor}")).ok()?;
    let drive = lock();
    (path == drive.dir || (is_ours(&path) && path.parent() == Some(&drive.dir))).then_some(path)
}

/// Bytes were written to an open file; `false`: the call fails, the power is gone.
pub(crate) fn wrote(descriptor: i32, at: impl FnOnce() -> u64, bytes: &[u8]) -> bool {
    watched(descriptor).is_none_or(|path| {
        let at = usize::try_from(at()).unwrap_or(usize::MAX);
        lock().change(path, |file| file.write(at, bytes))
    })
}

/// An open file got another length; as [`wrote`].
pub(crate) fn resized(descriptor: i32, bytes: u64) -> bool {
    watched(descriptor).is_none_or(|path| {
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        lock().change(path, |file| file.resize(bytes))
    })
}

/// An open file or directory was synchronised; as [`wrote`].
pub(crate) fn synced(descriptor: i32, now_us: u64) -> bool {
    watched(descriptor).is_none_or(|path| lock().sync(&path, now_us))
}
