//! Rows of files, and the files of messages.

use model::{ChannelId, File, FileId, Ts, WorkspaceId};

use super::{StoredMessage, bounds, find};
use crate::{
    StoreError, codec,
    tx::{Row, Tx, Value, params},
};

/// What has become of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// Its bytes may come.
    Announced,
    /// Its bytes are there.
    Stored,
    /// People see it.
    Complete,
    /// It was deleted, or never completed in time.
    Deleted,
}

/// A file and what its row holds besides.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct StoredFile {
    pub(crate) file: File,
    pub(crate) state: State,
    /// Name of its bytes below its folder.
    pub(crate) blob: Option<String>,
    /// Thumbnails are wanted and neither made nor given up.
    pub(crate) thumbnails_pending: bool,
    sha256: Option<Vec<u8>>,
}

impl StoredFile {
    /// Hash of its bytes.
    pub(crate) fn sha256(&self) -> Option<[u8; 32]> {
        self.sha256.as_deref().and_then(|hash| hash.try_into().ok())
    }
}

/// The columns of [`file`], of `files f`.
macro_rules! file_columns {
    () => {
        "f.id, f.usr, f.created, f.updated, f.name, f.title, f.alt_text, f.mime, f.filetype, f.snippet, f.bytes, \
         (SELECT count(*) FROM file_shares p JOIN channels o ON o.workspace = p.workspace AND o.channel = p.channel \
         WHERE p.workspace = f.workspace AND p.file = f.id AND p.removed = 0 AND o.kind = 1), f.public_secret, \
         f.image, f.state, f.blob, f.thumbnails, f.sha256"
    };
}
pub(crate) use file_columns;

/// Reads [`file_columns`].
pub(crate) fn file(row: &mut Row) -> Result<StoredFile, StoreError> {
    let (id, owner, created, updated) = (row.take()?, row.take()?, row.take()?, row.take()?);
    let (name, title, alt_text) = (row.take()?, row.take()?, row.take()?);
    let (mime, filetype, snippet, size) = (row.take()?, row.take()?, row.take()?, row.take()?);
    let (public, public_secret) = (row.take()?, row.take()?);
    let image = codec::json(row.take()?, "image")?;
    let state = row.take()?;
    let blob = row.take()?;
    let thumbnails: i64 = row.take()?;
    let sha256 = row.take()?;
    let deleted = state == State::Deleted;
    Ok(StoredFile {
        file: File {
            id,
            owner,
            created,
            updated,
            name,
            title,
            alt_text,
            mime,
            filetype,
            snippet,
            size,
            public,
            public_secret,
            image,
            deleted,
        },
        state,
        blob,
        thumbnails_pending: thumbnails == codec::THUMBNAILS_PENDING,
        sha256,
    })
}

/// One file, whatever has become of it.
pub(crate) async fn load_file(
    tx: &mut dyn Tx,
    workspace: WorkspaceId,
    id: FileId,
) -> Result<Option<StoredFile>, StoreError> {
    let sql = concat!("SELECT ", file_columns!(), " FROM files f WHERE f.workspace = $1 AND f.id = $2");
    let rows = tx.query(sql, &params![workspace, id]).await?;
    rows.into_iter().next().map(|mut row| file(&mut row)).transpose()
}

macro_rules! of_messages {
    ($where:literal) => {
        concat!(
            "SELECT s.ts, ",
            file_columns!(),
            " FROM file_shares s JOIN files f ON f.workspace = s.workspace AND f.id = s.file WHERE ",
            $where,
            " AND s.removed = 0 ORDER BY s.ts, s.place"
        )
    };
}

/// The question for the files of many messages of a channel.
pub(super) fn of_many(
    workspace: WorkspaceId,
    channel: ChannelId,
    messages: &[StoredMessage],
) -> (&'static str, Vec<Vec<Value>>) {
    let sql = of_messages!("(s.workspace, s.channel, s.ts) IN (VALUES $keys)");
    let with = messages.iter().filter(|stored| stored.file_count > 0);
    (sql, with.map(|stored| params![workspace, channel, stored.message.ts].into()).collect())
}

/// Adds their files to messages that lie close together. Messages without files cost nothing.
pub(super) async fn hydrate(
    tx: &mut dyn Tx,
    workspace: WorkspaceId,
    channel: ChannelId,
    messages: &mut [StoredMessage],
) -> Result<(), StoreError> {
    let mut with = messages.iter().filter(|stored| stored.file_count > 0).map(|stored| stored.message.ts);
    let Some((low, high)) = bounds(&mut with) else { return Ok(()) };
    let sql = of_messages!("s.workspace = $1 AND s.channel = $2 AND s.ts >= $3 AND s.ts <= $4");
    let rows = tx.query(sql, &params![workspace, channel, low, high]).await?;
    add(messages, rows)
}

/// Adds what [`of_many`] asked for.
pub(super) fn add(messages: &mut [StoredMessage], rows: Vec<Row>) -> Result<(), StoreError> {
    for mut row in rows {
        let ts: Ts = row.take()?;
        let found = file(&mut row)?.file;
        if let Some(stored) = find(messages, ts) {
            stored.message.files.push(found);
        }
    }
    Ok(())
}
