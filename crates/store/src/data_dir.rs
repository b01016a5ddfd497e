//! The data directory, held by one process.

use std::{
    fs::{File, Permissions},
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use crate::OpenError;

/// Name of the lock file in the data directory.
const LOCK: &str = "parlance.lock";
/// What is in it once there is a store.
const MADE: &[u8] = b"parlance.db is here. To start anew, delete this file too.\n";

/// A data directory that no other process has. Given back when it is dropped, or the process ends.
#[derive(Debug)]
pub struct DataDir {
    lock: File,
}

impl DataDir {
    /// Creates the directory if need be and takes it.
    ///
    /// # Errors
    /// [`OpenError::Locked`], [`OpenError::Failed`].
    pub fn hold(dir: &Path) -> Result<Self, OpenError> {
        let failed = |reason: String| OpenError::Failed { path: dir.display().to_string(), reason };
        // What is in it is nobody else's business. A directory that the operator made stays as it is.
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir);
        made.map_err(|error| failed(error.to_string()))?;
        let path = dir.join(LOCK);
        let lock = File::options().create(true).truncate(false).write(true).mode(0o600).open(&path);
        let lock = lock.map_err(|error| failed(format!("{}: {error}", path.display())))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { lock }),
            Err(std::fs::TryLockError::WouldBlock) => {
                Err(OpenError::Locked { path: dir.display().to_string(), lock: path.display().to_string() })
            }
            Err(std::fs::TryLockError::Error(error)) => Err(failed(format!("{}: {error}", path.display()))),
        }
    }

    /// Whether a store was made here: if its file is gone, it is lost and not new. The lock file says it, so that
    /// whoever wants to start anew deletes both.
    pub(crate) fn is_made(&self) -> bool {
        self.lock.metadata().is_ok_and(|file| file.len() > 0)
    }

    /// There is a store here from now on.
    pub(crate) fn set_made(&self) -> std::io::Result<()> {
        if self.is_made() {
            return Ok(());
        }
        (&self.lock).write_all(MADE)
    }
}

/// Makes a database file that only its owner can read, before SQLite does; what SQLite makes beside it (the WAL)
/// gets the same rights. Takes other people's rights away from one that is there.
pub(crate) fn private(path: &Path) -> std::io::Result<()> {
    let file = File::options().create(true).truncate(false).write(true).mode(0o600).open(path)?;
    let mode = file.metadata()?.permissions().mode();
    if mode & 0o077 != 0 {
        file.set_permissions(Permissions::from_mode(mode & 0o700))?;
    }
    Ok(())
}

/// Gives a finished file its name. Both are on the disk when this returns.
pub(crate) fn finish(partial: &Path, to: &Path) -> std::io::Result<()> {
    File::open(partial)?.sync_all()?;
    std::fs::rename(partial, to)?;
    // The name is on the disk once its directory is.
    match to.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

/// The path with something appended to its name.
pub(crate) fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}
