//! Reads of files: each with the messages that have it and that the viewer may see.

use std::collections::{BTreeMap, BTreeSet};

use model::{ChannelId, ChannelKind, File, FileId, Micros, Share, UserId, WorkspaceId};

use crate::{
    FileRead, FileTypes, FilesPage, FilesQuery, SecretHash, StoreError, Upload,
    rows::files::{State, StoredFile, file, file_columns, load_file},
    tx::{Row, Tx, Value, params},
};

/// An upload that may still come, by its capability.
pub(crate) async fn upload(
    tx: &mut dyn Tx,
    workspace: WorkspaceId,
    id: FileId,
    secret: SecretHash,
    now: Micros,
) -> Result<Option<Upload>, StoreError> {
    let sql = "SELECT name, filetype, snippet, bytes, blob FROM files \
               WHERE workspace = $1 AND id = $2 AND secret = $3 AND expires > $4 AND state < 3";
    let rows = tx.query(sql, &params![workspace, id, secret, now]).await?;
    let Some(mut row) = rows.into_iter().next() else { return Ok(None) };
    Ok(Some(Upload {
        name: row.take()?,
        filetype: row.take()?,
        snippet: row.take()?,
        length: row.take()?,
        blob: row.take()?,
    }))
}

/// A file that the viewer may see, deleted or not; `None` as the viewer: whoever it is of.
pub(crate) async fn one(
    tx: &mut dyn Tx,
    workspace: WorkspaceId,
    id: FileId,
    viewer: Option<UserId>,
) -> Result<Option<FileRead>, StoreError> {
    let found = load_file(tx, workspace, id).await?;
    let Some(stored) = found.filter(|stored| matches!(stored.state, State::Complete | State::Deleted)) else {
        return Ok(None);
    };
    let mut shares = shares(tx, workspace, &[&stored.file], viewer).await?;
    let shares = shares.remove(&id).unwrap_or_default();
    if viewer.is_some_and(|viewer| viewer != stored.file.owner) && shares.is_empty() {
        return Ok(None);
    }
    Ok(Some(FileRead {
        sha256: stored.sha256(),
        blob: stored.blob,
        thumbnails_pending: stored.thumbnails_pending,
        file: stored.file,
        shares,
    }))
}

macro_rules! listed {
    ($columns:expr, $rest:literal) => {
        concat!(
            "SELECT ",
            $columns,
            " FROM files f WHERE f.workspace = $1 AND f.state = 3 AND f.created >= $3 AND f.created <= $4 \
             AND ($5 = 0 OR f.usr = $5) AND (f.usr = $2 AND $6 = 0 OR EXISTS (SELECT 1 FROM file_shares s \
             JOIN channels c ON c.workspace = s.workspace AND c.channel = s.channel \
             LEFT JOIN memberships m ON m.workspace = s.workspace AND m.channel = s.channel AND m.usr = $2 \
             WHERE s.workspace = f.workspace AND s.file = f.id AND s.removed = 0 AND (c.kind = 1 OR m.present = 1) \
             AND ($6 = 0 OR s.channel = $6))) \
             AND ($7 = 1 OR $8 = 1 AND f.snippet = 1 OR $9 = 1 AND f.mime LIKE 'image/%' \
             OR $10 = 1 AND f.filetype IN ('zip', 'gzip', 'tar', 'rar', '7z', 'bz2', 'xz') \
             OR $11 = 1 AND f.filetype = 'pdf') ",
            $rest
        )
    };
}

/// Files that the viewer may see, the newest first.
pub(crate) async fn list(
    tx: &mut dyn Tx,
    workspace: WorkspaceId,
    viewer: UserId,
    query: &FilesQuery,
) -> Result<FilesPage, StoreError> {
    let FileTypes { all, snippets, images, archives, pdfs } = query.types;
    let user = query.user.map_or(0, UserId::raw);
    let channel = query.channel.map_or(0, ChannelId::raw);
    let mut params: Vec<Value> = params![
        workspace,
        viewer,
        query.oldest,
        query.latest,
        user,
        channel,
        all,
        snippets,
        images,
        archives,
        pdfs
    ]
    .into();
    let rows = tx.query(listed!("count(*)", ""), &params).await?;
    let total = rows.into_iter().next().map_or(Ok(0), |mut row| row.take())?;
    params.extend(params![query.limit, query.skip]);
    let sql = listed!(file_columns!(), "ORDER BY f.created DESC, f.id LIMIT $12 OFFSET $13");
    let rows = tx.query(sql, &params).await?;
    let found = rows.into_iter().map(|mut row| file(&mut row)).collect::<Result<Vec<StoredFile>, _>>()?;
    let files: Vec<&File> = found.iter().map(|stored| &stored.file).collect();
    let mut shares = shares(tx, workspace, &files, Some(viewer)).await?;
    let with_shares = |stored: StoredFile| {
        let shares = shares.remove(&stored.file.id).unwrap_or_default();
        (stored.file, shares)
    };
    Ok(FilesPage { files: found.into_iter().map(with_shares).collect(), total })
}

macro_rules! shares_sql {
    ($where:literal) => {
        concat!(
            "SELECT s.file, s.channel, c.kind, c.name, s.ts, s.usr, s.thread FROM file_shares s \
             JOIN channels c ON c.workspace = s.workspace AND c.channel = s.channel WHERE ",
            $where,
            " AND s.removed = 0 ORDER BY s.file, s.ts, s.channel"
        )
    };
}

macro_rules! present_sql {
    ($where:literal) => {
        concat!("SELECT channel FROM memberships WHERE ", $where, " AND present = 1")
    };
}

/// Rows of many keys: in one round trip where there is one, else one after another.
async fn by_keys(
    tx: &mut dyn Tx,
    one: &'static str,
    many: &'static str,
    keys: Vec<Vec<Value>>,
) -> Result<Vec<Row>, StoreError> {
    if tx.is_remote() {
        return Ok(tx.query_keys(&[(many, keys)]).await?.into_iter().flatten().collect());
    }
    let mut rows = Vec::new();
    for key in keys {
        rows.extend(tx.query(one, &key).await?);
    }
    Ok(rows)
}

/// Messages that have files, and that the viewer may see.
async fn shares(
    tx: &mut dyn Tx,
    workspace: WorkspaceId,
    files: &[&File],
    viewer: Option<UserId>,
) -> Result<BTreeMap<FileId, Vec<Share>>, StoreError> {
    let mut found: BTreeMap<FileId, Vec<Share>> = BTreeMap::new();
    if files.is_empty() {
        return Ok(found);
    }
    let keys = files.iter().map(|file| params![workspace, file.id].into()).collect();
    let one = shares_sql!("s.workspace = $1 AND s.file = $2");
    let many = shares_sql!("(s.workspace, s.file) IN (VALUES $keys)");
    for mut row in by_keys(tx, one, many, keys).await? {
        let file = row.take()?;
        let (channel, kind, channel_name) = (row.take()?, row.take()?, row.take()?);
        let (ts, user, thread) = (row.take()?, row.take()?, row.take()?);
        found.entry(file).or_default().push(Share { channel, kind, channel_name, ts, user, thread });
    }
    let closed = found.values().flatten().filter(|share| share.kind != ChannelKind::Public);
    let closed: BTreeSet<ChannelId> = closed.map(|share| share.channel).collect();
    if let (Some(viewer), false) = (viewer, closed.is_empty()) {
        let keys = closed.into_iter().map(|channel| params![workspace, channel, viewer].into()).collect();
        let one = present_sql!("workspace = $1 AND channel = $2 AND usr = $3");
        let many = present_sql!("(workspace, channel, usr) IN (VALUES $keys)");
        let rows = by_keys(tx, one, many, keys).await?.into_iter();
        let own = rows.map(|mut row| row.take()).collect::<Result<BTreeSet<ChannelId>, _>>()?;
        for shares in found.values_mut() {
            shares.retain(|share| share.kind == ChannelKind::Public || own.contains(&share.channel));
        }
    }
    Ok(found)
}
