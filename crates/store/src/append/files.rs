//! Files: announced, stored, completed and shared, deleted.
//!
//! Every write of a file takes the workspace's topic, so that two never decide on one row or one quota at once.
//! Bytes are none of this: a row says what they are called, and a job takes away those that nobody needs any more.

use std::collections::BTreeSet;

use model::{ChannelId, Draft, EventKind, File, FileId, Image, JobId, Message, Role, Topic, Ts, WorkspaceId};

use super::{Batch, Decided, jobs, post, user_topic};
use crate::{
    By, CompletedFile, Done, NewJob, NewUpload, Refusal, StoredUpload, codec,
    rows::{
        channel_topic,
        files::{State, StoredFile},
    },
    tx::params,
};

/// The kind of the job that forgets an upload that was never completed.
pub const EXPIRE_UPLOAD: &str = "expire_upload";
/// The kind of the job that takes a deleted file's bytes away.
pub const DELETE_BYTES: &str = "delete_bytes";
/// The kind of the job that makes thumbnails.
pub const MAKE_THUMBNAILS: &str = "make_thumbnails";

/// Announces a file, and takes its room.
pub(super) async fn begin(batch: &mut Batch<'_>, workspace: WorkspaceId, upload: NewUpload) -> Decided {
    let NewUpload { id, by, name, alt_text, filetype, snippet, length, secret, expires, job, quota } = upload;
    if batch.user(workspace, by.user).await?.is_none() {
        return Err(Refusal::UserNotFound.into());
    }
    take_room(batch, workspace, 0, length, quota).await?;
    let now = batch.now();
    let sql = "INSERT INTO files (workspace, id, usr, state, created, updated, name, title, alt_text, bytes, secret, \
               expires, mime, filetype, snippet, thumbnails, revision) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, '', $13, $14, 0, 1)";
    let state = State::Announced;
    batch.write(
        sql,
        params![
            workspace, id, by.user, state, now, now, name, name, alt_text, length, secret, expires, filetype,
            snippet
        ]
        .into(),
    );
    put_job(batch, workspace, job, EXPIRE_UPLOAD, id, expires).await?;
    Ok(Done::Ok)
}

/// Notes that the bytes of a file are there. Until it is complete they may come again.
pub(super) async fn store(batch: &mut Batch<'_>, workspace: WorkspaceId, upload: StoredUpload) -> Decided {
    let StoredUpload { id, name, snippet, blob, size, sha256, mime, filetype, thumbnails, quota } = upload;
    let known = batch.file(workspace, id).await?.ok_or(Refusal::FileNotFound)?;
    if !matches!(known.state, State::Announced | State::Stored) {
        return Err(Refusal::FileNotFound.into());
    }
    take_room(batch, workspace, known.file.size, size, quota).await?;
    let sql = "UPDATE files SET state = $3, blob = $4, bytes = $5, sha256 = $6, mime = $7, filetype = $8, \
               thumbnails = $9, name = coalesce($10, name), title = coalesce($10, title), snippet = $11, \
               revision = revision + 1 WHERE workspace = $1 AND id = $2";
    let pending = if thumbnails { codec::THUMBNAILS_PENDING } else { 0 };
    let row = params![
        workspace,
        id,
        State::Stored,
        blob,
        size,
        sha256.as_slice(),
        mime,
        filetype,
        pending,
        name,
        snippet
    ];
    batch.execute(sql, row.into()).await?;
    Ok(Done::Ok)
}

/// Completes files, and shares them: all, or none.
pub(super) async fn complete(
    batch: &mut Batch<'_>,
    workspace: WorkspaceId,
    by: By,
    completed: Vec<CompletedFile>,
    shares: Vec<Draft>,
    public_without_membership: bool,
) -> Decided {
    let mut found = Vec::with_capacity(completed.len());
    for completed in completed {
        let stored = batch.file(workspace, completed.id).await?.ok_or(Refusal::FileNotFound)?;
        if stored.state != State::Stored || stored.file.owner != by.user {
            return Err(Refusal::FileNotFound.into());
        }
        found.push((completed, stored));
    }
    let mut public = false;
    for draft in &shares {
        let (channel, _) = post::may_share(batch, workspace, draft, public_without_membership).await?;
        public |= channel.channel.kind.is_public();
    }
    let mut files = Vec::with_capacity(found.len());
    for (completed, stored) in found {
        let file = finish(batch, workspace, completed, stored).await?;
        files.push(File { public, ..file });
    }
    let mut messages = Vec::with_capacity(shares.len());
    for draft in shares {
        messages.push(share(batch, workspace, by, draft, public_without_membership, &files).await?);
    }
    Ok(Done::Files { files, messages })
}

/// Makes a file that has its bytes one that people see.
async fn finish(
    batch: &mut Batch<'_>,
    workspace: WorkspaceId,
    completed: CompletedFile,
    stored: StoredFile,
) -> Decided<File> {
    let CompletedFile { id, title, alt_text, job } = completed;
    let now = batch.now();
    let mut file = File { created: now, updated: now, ..stored.file };
    file.title = title.unwrap_or(file.title);
    file.alt_text = alt_text.unwrap_or(file.alt_text);
    let sql = "UPDATE files SET state = $3, title = $4, alt_text = $5, created = $6, updated = $6, secret = NULL, \
               revision = revision + 1 WHERE workspace = $1 AND id = $2";
    let row = params![workspace, id, State::Complete, file.title, file.alt_text, now];
    batch.execute(sql, row.into()).await?;
    forget_job(batch, workspace, EXPIRE_UPLOAD, id).await?;
    if stored.thumbnails_pending {
        put_job(batch, workspace, job, MAKE_THUMBNAILS, id, now).await?;
    }
    let event = EventKind::FileCreated { file: id, user: file.owner };
    batch.push(user_topic(workspace, file.owner), event).await?;
    Ok(file)
}

/// Posts a message with files.
async fn share(
    batch: &mut Batch<'_>,
    workspace: WorkspaceId,
    by: By,
    draft: Draft,
    public_without_membership: bool,
    files: &[File],
) -> Decided<Message> {
    const SQL: &str = "INSERT INTO file_shares (workspace, file, channel, ts, place, usr, thread, removed, revision) \
                       VALUES ($1, $2, $3, $4, $5, $6, $7, 0, 1)";
    let channel = draft.channel;
    let message = post::share(batch, workspace, draft, public_without_membership, files.to_vec()).await?;
    for (place, file) in (0i64..).zip(files) {
        let row = params![workspace, file.id, channel, message.ts, place, by.user, message.thread];
        batch.write(SQL, row.into());
        let event = EventKind::FileShared { file: file.id, user: by.user };
        batch.push(channel_topic(workspace, channel), event).await?;
    }
    Ok(message)
}

/// A message with files was deleted: they are not there any more, but remain files.
pub(super) async fn unshare(
    batch: &mut Batch<'_>,
    workspace: WorkspaceId,
    by: By,
    message: &Message,
) -> Decided<()> {
    let sql = "UPDATE file_shares SET removed = 1, revision = revision + 1 \
               WHERE workspace = $1 AND channel = $2 AND ts = $3";
    batch.execute(sql, params![workspace, message.channel, message.ts].into()).await?;
    for file in message.files.iter().filter(|file| !file.deleted) {
        let event = EventKind::FileUnshared { file: file.id, user: by.user };
        batch.push(channel_topic(workspace, message.channel), event).await?;
    }
    Ok(())
}

/// Forgets an upload that was never completed. What was forgotten before is forgotten.
pub(super) async fn expire(batch: &mut Batch<'_>, workspace: WorkspaceId, id: FileId) -> Decided {
    let Some(stored) = batch.file(workspace, id).await? else { return Ok(Done::Ok) };
    match stored.state {
        State::Announced | State::Stored => bury(batch, workspace, &stored).await?,
        State::Deleted => {}
        State::Complete => return Err(Refusal::FileNotFound.into()),
    }
    Ok(Done::Ok)
}

/// Notes what a picture is like; `None`: it could not be read. What was noted before stays.
pub(super) async fn set_image(
    batch: &mut Batch<'_>,
    workspace: WorkspaceId,
    id: FileId,
    image: Option<Image>,
) -> Decided {
    let stored = live(batch, workspace, id).await?;
    if !stored.thumbnails_pending {
        return Ok(Done::Ok);
    }
    let result = if image.is_some() { 2i64 } else { 3i64 };
    let sql = "UPDATE files SET thumbnails = $3, image = $4, updated = $5, revision = revision + 1 \
               WHERE workspace = $1 AND id = $2";
    let now = batch.now();
    let row = params![workspace, id, result, codec::json_column(&image), now];
    batch.execute(sql, row.into()).await?;
    if image.is_none() {
        return Ok(Done::Ok);
    }
    changed(batch, workspace, File { image, updated: now, ..stored.file }, None).await
}

/// Makes a public link, or takes it back. What is so already stays as it is.
pub(super) async fn set_public_link(
    batch: &mut Batch<'_>,
    workspace: WorkspaceId,
    id: FileId,
    by: By,
    secret: Option<String>,
) -> Decided {
    let stored = live(batch, workspace, id).await?;
    if stored.file.owner != by.user && by.role < Role::Admin {
        return Err(Refusal::NotAllowed.into());
    }
    if stored.file.public_secret.is_some() == secret.is_some() {
        return Ok(Done::File(Box::new(stored.file)));
    }
    let sql = "UPDATE files SET public_secret = $3, updated = $4, revision = revision + 1 \
               WHERE workspace = $1 AND id = $2";
    let now = batch.now();
    batch.execute(sql, params![workspace, id, secret, now].into()).await?;
    let first = secret.is_some().then_some(EventKind::FilePublic { file: id, user: by.user });
    changed(batch, workspace, File { public_secret: secret, updated: now, ..stored.file }, first).await
}

/// Tells everybody who has a file what it is now.
async fn changed(
    batch: &mut Batch<'_>,
    workspace: WorkspaceId,
    file: File,
    first: Option<EventKind>,
) -> Decided {
    batch.refresh_file(workspace, &file);
    let shares = shares(batch, workspace, file.id).await?;
    for topic in topics(workspace, &file, &shares) {
        for event in first.iter().cloned().chain([EventKind::FileChanged(Box::new(file.clone()))]) {
            batch.push(topic, event).await?;
        }
    }
    Ok(Done::File(Box::new(file)))
}

/// Deletes a file. Its messages stay, and show that there was one.
pub(super) async fn delete(
    batch: &mut Batch<'_>,
    workspace: WorkspaceId,
    id: FileId,
    by: By,
    job: JobId,
) -> Decided {
    let stored = live(batch, workspace, id).await?;
    if stored.file.owner != by.user && by.role < Role::Admin {
        return Err(Refusal::CantDeleteFile.into());
    }
    bury(batch, workspace, &stored).await?;
    forget_job(batch, workspace, MAKE_THUMBNAILS, id).await?;
    let now = batch.now();
    put_job(batch, workspace, job, DELETE_BYTES, id, now).await?;
    let buried = batch.file(workspace, id).await?.ok_or(Refusal::FileNotFound)?.file;
    batch.refresh_file(workspace, &buried);
    let shares = shares(batch, workspace, id).await?;
    for &(channel, ts) in &shares {
        let Some(mut stored) = batch.message(workspace, channel, ts).await? else { continue };
        if stored.deleted {
            continue;
        }
        stored.message.revision += 1;
        let message = Box::new(stored.message.clone());
        batch.put_message(workspace, stored);
        // What it was before is not told again.
        let event = EventKind::MessageChanged { message, previous: None };
        batch.push(channel_topic(workspace, channel), event).await?;
    }
    for topic in topics(workspace, &buried, &shares) {
        batch.push(topic, EventKind::FileDeleted { file: id }).await?;
    }
    Ok(Done::Ok)
}

/// A file that people see.
async fn live(batch: &mut Batch<'_>, workspace: WorkspaceId, id: FileId) -> Decided<StoredFile> {
    let stored = batch.file(workspace, id).await?.ok_or(Refusal::FileNotFound)?;
    match stored.state {
        State::Complete => Ok(stored),
        State::Deleted => Err(Refusal::FileDeleted.into()),
        State::Announced | State::Stored => Err(Refusal::FileNotFound.into()),
    }
}

/// Leaves nothing of a file but that there was one, and gives its room back.
async fn bury(batch: &mut Batch<'_>, workspace: WorkspaceId, stored: &StoredFile) -> Decided<()> {
    let sql = "UPDATE files SET state = $3, updated = $4, name = '', title = '', alt_text = '', bytes = 0, \
               secret = NULL, blob = NULL, sha256 = NULL, mime = '', filetype = '', thumbnails = 0, image = NULL, \
               public_secret = NULL, revision = revision + 1 WHERE workspace = $1 AND id = $2";
    let row = params![workspace, stored.file.id, State::Deleted, batch.now()];
    batch.execute(sql, row.into()).await?;
    take_room(batch, workspace, stored.file.size, 0, 0).await
}

/// Counts the room of a file that had `before` bytes and has `after`, if the workspace has it.
async fn take_room(
    batch: &mut Batch<'_>,
    workspace: WorkspaceId,
    before: u64,
    after: u64,
    quota: u64,
) -> Decided<()> {
    let sql = "SELECT bytes FROM file_usage WHERE workspace = $1";
    let row = batch.query(sql, &params![workspace]).await?.into_iter().next();
    let used: u64 = row.map_or(Ok(0), |mut row| row.take())?;
    let used = used.saturating_sub(before).saturating_add(after);
    if after > before && quota > 0 && used > quota {
        return Err(Refusal::StorageFull.into());
    }
    let sql = "INSERT INTO file_usage (workspace, bytes, revision) VALUES ($1, $2, 1) \
               ON CONFLICT (workspace) DO UPDATE SET bytes = excluded.bytes, revision = file_usage.revision + 1";
    batch.execute(sql, params![workspace, used].into()).await?;
    Ok(())
}

/// The messages that have a file.
async fn shares(batch: &mut Batch<'_>, workspace: WorkspaceId, id: FileId) -> Decided<Vec<(ChannelId, Ts)>> {
    let sql = "SELECT channel, ts FROM file_shares WHERE workspace = $1 AND file = $2 AND removed = 0 \
               ORDER BY channel, ts";
    let rows = batch.query(sql, &params![workspace, id]).await?;
    let shares = rows.into_iter().map(|mut row| Ok((row.take()?, row.take()?)));
    Ok(shares.collect::<Result<_, crate::StoreError>>()?)
}

/// Who hears of what happens to a file: the channels that have it, or its owner alone.
fn topics(workspace: WorkspaceId, file: &File, shares: &[(ChannelId, Ts)]) -> BTreeSet<Topic> {
    let channels: BTreeSet<Topic> =
        shares.iter().map(|(channel, _)| channel_topic(workspace, *channel)).collect();
    if channels.is_empty() { BTreeSet::from([user_topic(workspace, file.owner)]) } else { channels }
}

async fn put_job(
    batch: &mut Batch<'_>,
    workspace: WorkspaceId,
    id: JobId,
    kind: &'static str,
    file: FileId,
    run_at: model::Micros,
) -> Decided<()> {
    let payload = serde_json::json!({ "file": file.raw() }).to_string();
    jobs::put(batch, workspace, NewJob { id, kind, payload, key: Some(file.to_string()), run_at }).await
}

async fn forget_job(
    batch: &mut Batch<'_>,
    workspace: WorkspaceId,
    kind: &'static str,
    file: FileId,
) -> Decided<()> {
    let sql = "DELETE FROM jobs WHERE workspace = $1 AND kind = $2 AND key = $3";
    batch.execute(sql, params![workspace, kind, file.to_string()].into()).await?;
    Ok(())
}
