//! The data directory, held by one process.

use std::{fs::File, path::Path};

use crate::OpenError;

/// Name of the lock file in the data directory.
const LOCK: &str = "parlance.lock";

/// A data directory that no other process has. Given back when it is dropped, or the process ends.
#[derive(Debug)]
pub struct DataDir {
    _lock: File,
}

impl DataDir {
    /// Creates the directory if need be and takes it.
    ///
    /// # Errors
    /// [`OpenError::Locked`], [`OpenError::Failed`].
    pub fn hold(dir: &Path) -> Result<Self, OpenError> {
        let failed = |reason: String| OpenError::Failed { path: dir.display().to_string(), reason };
        std::fs::create_dir_all(dir).map_err(|error| failed(error.to_string()))?;
        let path = dir.join(LOCK);
        let lock = File::options().create(true).truncate(false).write(true).open(&path);
        let lock = lock.map_err(|error| failed(format!("{}: {error}", path.display())))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { _lock: lock }),
            Err(std::fs::TryLockError::WouldBlock) => {
                Err(OpenError::Locked { path: dir.display().to_string(), lock: path.display().to_string() })
            }
            Err(std::fs::TryLockError::Error(error)) => Err(failed(format!("{}: {error}", path.display()))),
        }
    }
}
