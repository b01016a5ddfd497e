//! The bytes of files and photos, below one directory: `<workspace>/<file>/<name>` and
//! `<workspace>/photos/<person>/<photo>/<name>`.
//!
//! Behind the `object_store` crate, so that the directory can become a bucket. Bytes are written under a temporary
//! name, synced, and then given their own: what has a name is whole. Nothing is ever held in memory but the part that
//! is on its way.

use std::{
    convert::Infallible,
    fmt::{self, Display},
    io,
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt, stream, stream::BoxStream};
use model::{FileId, UserId, WorkspaceId};
use object_store::{
    GetOptions, GetResultPayload, MultipartUpload, ObjectStore, ObjectStoreExt, local::LocalFileSystem,
};
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use tracing::warn;

/// Bytes that are collected before they are written, for each upload.
const PART_BYTES: usize = 1 << 20;
/// Bytes that are read at once, for each download.
const READ_BYTES: usize = 128 << 10;
/// Uploads at once; further ones wait, and their senders with them. Together they hold this many parts in memory.
const UPLOADS_MAX: usize = 64;
/// Bytes of the beginning that [`Written`] keeps, to tell the type by.
const HEAD_BYTES: usize = 8 << 10;
/// The next bytes of an upload must come within this time.
const IDLE_MAX: Duration = Duration::from_secs(60);
/// What an interrupted upload left is taken away when it is so old.
const LEFTOVER_AGE: Duration = Duration::from_secs(24 * 3_600);

/// Bytes that go together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Folder<'a> {
    /// Of a file.
    File(FileId),
    /// Of a photo of somebody.
    Photo(UserId, &'a str),
}

impl From<FileId> for Folder<'_> {
    fn from(file: FileId) -> Self {
        Self::File(file)
    }
}

impl Display for Folder<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(file) => write!(out, "{file}"),
            Self::Photo(user, name) => write!(out, "photos/{user}/{name}"),
        }
    }
}

/// Where bytes lie.
pub struct Blobs {
    store: Arc<dyn ObjectStore>,
    directory: PathBuf,
    uploads: Semaphore,
}

/// Why bytes could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// The disk is full. Nothing was left behind.
    #[error("the disk is full")]
    Full,
    /// There are more bytes than are allowed.
    #[error("there are more than {bytes_max} bytes")]
    TooLong {
        /// How many are allowed.
        bytes_max: u64,
    },
    /// The sender stopped or was too slow.
    #[error("the bytes broke off")]
    BrokeOff,
    /// There are no such bytes.
    #[error("no such bytes")]
    Missing,
    /// The directory failed.
    #[error("the directory of files failed: {0}")]
    Failed(String),
}

impl From<object_store::Error> for BlobError {
    fn from(error: object_store::Error) -> Self {
        if matches!(error, object_store::Error::NotFound { .. }) {
            return Self::Missing;
        }
        let mut source: Option<&(dyn std::error::Error + 'static)> = Some(&error);
        while let Some(inner) = source {
            let kind = inner.downcast_ref::<io::Error>().map(io::Error::kind);
            if matches!(kind, Some(io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)) {
                return Self::Full;
            }
            source = inner.source();
        }
        Self::Failed(error.to_string())
    }
}

/// Bytes that were written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// How many.
    pub size: u64,
    /// Their hash.
    pub sha256: [u8; 32],
    /// The first of them.
    pub head: Vec<u8>,
}

impl Blobs {
    /// Opens a directory, which is made if it is not there.
    ///
    /// # Errors
    /// It cannot be made or used.
    pub fn open(directory: &Path) -> io::Result<Self> {
        use std::os::unix::fs::DirBuilderExt;
        // What people share is nobody else's business on this machine.
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        let store = LocalFileSystem::new_with_prefix(directory).map_err(io::Error::other)?.with_fsync(true);
        Ok(Self {
            store: Arc::new(store),
            directory: directory.to_owned(),
            uploads: Semaphore::new(UPLOADS_MAX),
        })
    }

    /// Writes bytes as they come. When this returns they are on the disk; when it fails nothing of them is.
    ///
    /// # Errors
    /// [`BlobError`], but never [`BlobError::Missing`].
    ///
    /// # Cancel safety
    /// Nothing is left behind.
    pub async fn write<E>(
        &self,
        (workspace, folder, name): (WorkspaceId, impl Into<Folder<'_>>, &str),
        bytes: impl Stream<Item = Result<Bytes, E>>,
        bytes_max: u64,
    ) -> Result<Written, BlobError> {
        let _permit = self.uploads.acquire().await.map_err(|_| BlobError::BrokeOff)?;
        let mut upload = self.store.put_multipart(&path(workspace, folder.into(), name)).await?;
        // An upload that is dropped takes what it has written with it; whoever waits for that is sure of it.
        let written = fill(upload.as_mut(), bytes, bytes_max).await;
        let finished = match written {
            Ok(written) => upload.complete().await.map(|_| written).map_err(BlobError::from),
            Err(error) => Err(error),
        };
        if finished.is_err()
            && let Err(error) = upload.abort().await
            && !matches!(error, object_store::Error::Generic { .. })
        {
            warn!(%error, "the rest of a failed upload was not taken away");
        }
        finished
    }

    /// Writes bytes that are all there.
    ///
    /// # Errors
    /// As [`Blobs::write`].
    pub async fn write_all(
        &self,
        key: (WorkspaceId, impl Into<Folder<'_>>, &str),
        bytes: Bytes,
    ) -> Result<Written, BlobError> {
        self.write(key, stream::iter([Ok::<_, Infallible>(bytes)]), u64::MAX).await
    }

    /// Reads bytes as somebody takes them.
    ///
    /// # Errors
    /// [`BlobError`]; what fails later is an error of the stream.
    pub async fn read(
        &self,
        (workspace, folder, name): (WorkspaceId, impl Into<Folder<'_>>, &str),
        range: Range<u64>,
    ) -> Result<BoxStream<'static, io::Result<Bytes>>, BlobError> {
        if range.is_empty() {
            return Ok(stream::empty().boxed());
        }
        let options = GetOptions { range: Some(range.clone().into()), ..GetOptions::default() };
        let found = self.store.get_opts(&path(workspace, folder.into(), name), options).await?;
        Ok(payload(found.payload, range))
    }

    /// How many bytes there are, and all of them, as [`Blobs::read`].
    ///
    /// # Errors
    /// As there.
    pub async fn read_all(
        &self,
        (workspace, folder, name): (WorkspaceId, impl Into<Folder<'_>>, &str),
    ) -> Result<(u64, BoxStream<'static, io::Result<Bytes>>), BlobError> {
        let found = self.store.get_opts(&path(workspace, folder.into(), name), GetOptions::default()).await?;
        let size = found.meta.size;
        Ok((size, payload(found.payload, 0..size)))
    }

    /// Takes bytes away. That there are none is well.
    ///
    /// # Errors
    /// [`BlobError::Failed`].
    pub async fn delete(
        &self,
        (workspace, folder, name): (WorkspaceId, impl Into<Folder<'_>>, &str),
    ) -> Result<(), BlobError> {
        match self.store.delete(&path(workspace, folder.into(), name)).await.map_err(BlobError::from) {
            Ok(()) | Err(BlobError::Missing) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Takes everything of a folder away, whole or not. That there is nothing is well.
    ///
    /// # Errors
    /// [`BlobError::Failed`].
    pub async fn delete_all(
        &self,
        workspace: WorkspaceId,
        folder: impl Into<Folder<'_>>,
    ) -> Result<(), BlobError> {
        let folder = self.directory.join(workspace.to_string()).join(folder.into().to_string());
        match tokio::fs::remove_dir_all(folder).await {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(BlobError::Failed(error.to_string())),
        }
    }

    /// Takes away what uploads left that were interrupted by the end of a process, a day ago or more. Returns how many
    /// there were.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub async fn sweep(&self) -> io::Result<usize> {
        let directory = self.directory.clone();
        let before = SystemTime::now().checked_sub(LEFTOVER_AGE).unwrap_or(SystemTime::UNIX_EPOCH);
        tokio::task::spawn_blocking(move || sweep(&directory, before)).await.map_err(io::Error::other)?
    }
}

/// Takes away temporary files below a directory: `object_store` gives them a `#` and a number.
fn sweep(directory: &Path, before: SystemTime) -> io::Result<usize> {
    let mut swept = 0;
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            swept += sweep(&entry.path(), before)?;
        } else if kind.is_file()
            && entry.file_name().to_string_lossy().contains('#')
            && entry.metadata()?.modified()? < before
        {
            std::fs::remove_file(entry.path())?;
            swept += 1;
        }
    }
    Ok(swept)
}

fn path(workspace: WorkspaceId, folder: Folder<'_>, name: &str) -> object_store::path::Path {
    object_store::path::Path::from(format!("{workspace}/{folder}/{name}"))
}

async fn fill<E>(
    upload: &mut dyn MultipartUpload,
    bytes: impl Stream<Item = Result<Bytes, E>>,
    bytes_max: u64,
) -> Result<Written, BlobError> {
    let mut bytes = std::pin::pin!(bytes);
    let (mut part, mut hash) = (BytesMut::new(), Sha256::new());
    let mut written = Written { size: 0, sha256: [0; 32], head: Vec::new() };
    loop {
        let next = tokio::time::timeout(IDLE_MAX, bytes.next()).await.map_err(|_| BlobError::BrokeOff)?;
        let Some(next) = next else { break };
        let next = next.map_err(|_| BlobError::BrokeOff)?;
        written.size += u64::try_from(next.len()).unwrap_or(u64::MAX);
        if written.size > bytes_max {
            return Err(BlobError::TooLong { bytes_max });
        }
        hash.update(&next);
        let missing = HEAD_BYTES.saturating_sub(written.head.len());
        written.head.extend(next.iter().take(missing));
        part.extend_from_slice(&next);
        if part.len() >= PART_BYTES {
            upload.put_part(part.split().freeze().into()).await?;
        }
    }
    if !part.is_empty() {
        upload.put_part(part.freeze().into()).await?;
    }
    written.sha256 = hash.finalize().into();
    Ok(written)
}

fn payload(payload: GetResultPayload, range: Range<u64>) -> BoxStream<'static, io::Result<Bytes>> {
    match payload {
        GetResultPayload::File(file, _) => from_file(file, range).boxed(),
        GetResultPayload::Stream(bytes) => bytes.map(|part| part.map_err(io::Error::other)).boxed(),
    }
}

/// Reads a part of an open file, in pieces, off the threads that serve sockets.
fn from_file(file: std::fs::File, range: Range<u64>) -> impl Stream<Item = io::Result<Bytes>> {
    stream::try_unfold((Arc::new(file), range), async |(file, range)| {
        if range.is_empty() {
            return Ok(None);
        }
        let wanted = usize::try_from(range.end - range.start).unwrap_or(usize::MAX).min(READ_BYTES);
        let (from, reader) = (range.start, Arc::clone(&file));
        let read = move || {
            use std::os::unix::fs::FileExt;
            let mut piece = vec![0; wanted];
            reader.read_exact_at(&mut piece, from)?;
            Ok::<_, io::Error>(Bytes::from(piece))
        };
        let piece = tokio::task::spawn_blocking(read).await.map_err(io::Error::other)??;
        let next = range.start + u64::try_from(wanted).unwrap_or(u64::MAX)..range.end;
        Ok(Some((piece, (file, next))))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEAM: WorkspaceId = WorkspaceId::from_raw(1);
    const FILE: FileId = FileId::from_raw(2);
    const KEY: (WorkspaceId, FileId, &str) = (TEAM, FILE, "one");

    fn pieces(size: usize) -> impl Stream<Item = Result<Bytes, Infallible>> {
        let whole: Vec<u8> = (0..size).map(|at| u8::try_from(at % 251).unwrap()).collect();
        let pieces: Vec<_> = whole.chunks(60_000).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
        stream::iter(pieces)
    }

    async fn collect(blobs: &Blobs, range: Range<u64>) -> Vec<u8> {
        let mut bytes = blobs.read(KEY, range).await.unwrap();
        let mut all = Vec::new();
        while let Some(piece) = bytes.next().await {
            all.extend_from_slice(&piece.unwrap());
        }
        all
    }

    fn names(folder: &Path) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[tokio::test]
    async fn bytes_come_back_as_they_went_whole_and_in_part() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(folder.path()).unwrap();
        let size = 3 * PART_BYTES + 17;
        let written = blobs.write(KEY, pieces(size), u64::MAX).await.unwrap();
        let whole: Vec<u8> = (0..size).map(|at| u8::try_from(at % 251).unwrap()).collect();
        assert_eq!(written.size, u64::try_from(size).unwrap());
        assert_eq!(written.sha256, <[u8; 32]>::from(Sha256::digest(&whole)));
        assert_eq!(written.head, whole[..HEAD_BYTES]);
        assert_eq!(collect(&blobs, 0..written.size).await, whole);
        assert_eq!(collect(&blobs, 200_000..500_001).await, whole[200_000..500_001]);
        assert!(collect(&blobs, 5..5).await.is_empty());
        blobs.delete(KEY).await.unwrap();
        blobs.delete(KEY).await.unwrap();
        assert!(matches!(blobs.read(KEY, 0..1).await, Err(BlobError::Missing)));
        let empty = blobs.write(KEY, pieces(0), 0).await.unwrap();
        assert_eq!((empty.size, collect(&blobs, 0..0).await), (0, Vec::new()));
        blobs.delete_all(TEAM, FILE).await.unwrap();
        blobs.delete_all(TEAM, FILE).await.unwrap();
        assert_eq!(names(&folder.path().join(TEAM.to_string())), [] as [&str; 0]);
    }

    #[tokio::test]
    async fn what_fails_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(folder.path()).unwrap();
        let of_file = folder.path().join(TEAM.to_string()).join(FILE.to_string());
        let too_long = blobs.write(KEY, pieces(2 * PART_BYTES), 1_500_000).await;
        assert!(matches!(too_long, Err(BlobError::TooLong { bytes_max: 1_500_000 })));
        assert_eq!(names(&of_file), [] as [&str; 0]);
        let broken = pieces(2 * PART_BYTES).map(|piece| piece.map_err(|_| ())).chain(stream::iter([Err(())]));
        assert!(matches!(blobs.write(KEY, broken, u64::MAX).await, Err(BlobError::BrokeOff)));
        assert_eq!(names(&of_file), [] as [&str; 0]);
        // What was there before stays what it was.
        blobs.write(KEY, pieces(10), u64::MAX).await.unwrap();
        assert!(blobs.write(KEY, pieces(20), 15).await.is_err());
        assert_eq!(collect(&blobs, 0..10).await.len(), 10);
    }

    #[tokio::test]
    async fn only_old_leftovers_are_swept() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(folder.path()).unwrap();
        blobs.write(KEY, pieces(10), u64::MAX).await.unwrap();
        let of_file = folder.path().join(TEAM.to_string()).join(FILE.to_string());
        let old = SystemTime::now() - LEFTOVER_AGE - Duration::from_secs(60);
        for (name, age) in [("one#1", Some(old)), ("two#1", None), ("old", Some(old))] {
            let file = std::fs::File::create(of_file.join(name)).unwrap();
            if let Some(age) = age {
                file.set_modified(age).unwrap();
            }
        }
        assert_eq!(blobs.sweep().await.unwrap(), 1);
        let mut left = names(&of_file);
        left.sort();
        assert_eq!(left, ["old", "one", "two#1"]);
    }
}
