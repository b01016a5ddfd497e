//! Completing files and sharing them in conversations: what the two ways of uploading have in common.

use model::{ChannelId, File, FileId, JobId, Principal, Share, Subtype, Ts};
use store::{CompletedFile, Done, Refusal, WriteKind};
use wire::file::put_file;

use crate::{
    call::Cx,
    channels,
    content::Content,
    errors::Failure,
    random,
    reply::Reply,
    send::{self, Face, Post, Sender},
};

/// Most conversations that a file is shared in at once.
const CHANNELS_MAX: usize = 100;

/// A file to complete.
pub struct Completing {
    /// Which.
    pub id: FileId,
    /// Its title; `None`: its name.
    pub title: Option<String>,
    /// What is in the picture; `None`: as it was announced.
    pub alt_text: Option<String>,
}

/// The message that shares files.
pub struct Sharing {
    /// Where, without duplicates.
    pub channels: Vec<ChannelId>,
    /// What it says. May be nothing.
    pub content: Content,
    /// How the bot is shown.
    pub face: Face,
    /// Thread: the parent's ts.
    pub thread: Option<Ts>,
}

/// The conversations that `text` lists: ids, names, people. What names none is left out: one of Slack's SDKs takes a
/// single id for a list of characters and sends `C,1,2,3`.
///
/// # Errors
/// `channels_limit_exceeded`, or a read failed.
pub async fn listed(cx: &Cx, names: &[String]) -> Result<Vec<ChannelId>, Failure> {
    if names.len() > CHANNELS_MAX {
        return Err("channels_limit_exceeded".into());
    }
    let mut found = Vec::new();
    for name in names {
        match channels::named(cx, name).await {
            Ok(id) if !found.contains(&id) => found.push(id),
            Ok(_) => {}
            Err(failure) if failure.code == "channel_not_found" => {}
            Err(failure) => return Err(failure),
        }
    }
    Ok(found)
}

/// Reads `thread_ts`.
///
/// # Errors
/// `invalid_thread_ts`.
pub fn thread(cx: &Cx) -> Result<Option<Ts>, Failure> {
    let text = cx.args.given("thread_ts")?;
    text.map(|text| text.parse().map_err(|_| "invalid_thread_ts".into())).transpose()
}

/// Completes files and shares them; the files as they are then.
///
/// # Errors
/// `file_not_found`, `channel_not_found`, `not_in_channel`, `posting_to_channel_denied`, `invalid_thread_ts`,
/// `ratelimited`.
pub async fn complete(cx: &Cx, files: Vec<Completing>, sharing: Sharing) -> Result<Vec<File>, Failure> {
    let principal = cx.principal()?;
    let sender = Sender::of(principal)?;
    check_rates(cx, principal, &sharing.channels)?;
    let mut shares = Vec::with_capacity(sharing.channels.len());
    for channel in sharing.channels {
        let post = Post {
            channel,
            content: sharing.content.clone(),
            me: false,
            thread: sharing.thread,
            broadcast: false,
            face: sharing.face.clone(),
            client_msg_id: None,
        };
        let mut draft = send::draft_with_files(sender, post);
        draft.subtype = draft.subtype.or(Some(Subtype::FileShare));
        shares.push(draft);
    }
    let mut completed = Vec::with_capacity(files.len());
    for Completing { id, title, alt_text } in files {
        let job = JobId::from_random(random::number()?);
        completed.push(CompletedFile { id, title, alt_text, job });
    }
    let public_without_membership = sender.anywhere;
    let kind =
        WriteKind::CompleteUpload { by: cx.by()?, files: completed, shares, public_without_membership };
    let done = cx.write(kind).await.map_err(|failure| {
        failure
            .called(Refusal::IsArchived, "posting_to_channel_denied")
            .called(Refusal::ThreadNotFound, "invalid_thread_ts")
            .called(Refusal::CannotReply, "invalid_thread_ts")
    })?;
    // Thumbnails are made as soon as may be.
    cx.app.deps.jobs.notify_one();
    match done {
        Done::Files { files, .. } => Ok(files),
        _ => Err("internal_error".into()),
    }
}

fn check_rates(cx: &Cx, principal: &Principal, channels: &[ChannelId]) -> Result<(), Failure> {
    channels.iter().try_for_each(|channel| cx.app.check_channel_rate(principal, *channel))
}

/// A file that the caller may see and that was not deleted, with the messages that have it.
///
/// # Errors
/// `file_not_found`, `file_deleted`.
pub async fn find(cx: &Cx, id: FileId) -> Result<store::FileRead, Failure> {
    let found = cx.store().file(cx.workspace()?, id, Some(cx.user()?)).await?.ok_or("file_not_found")?;
    if found.file.deleted { Err("file_deleted".into()) } else { Ok(found) }
}

/// The file of the `file` argument, as [`find`].
///
/// # Errors
/// As [`find`].
pub async fn argument(cx: &Cx) -> Result<store::FileRead, Failure> {
    let id = cx.args.required("file", "file_not_found")?.parse().map_err(|_| "file_not_found")?;
    find(cx, id).await
}

/// The conversations that have a file, for a write to lock.
#[must_use]
pub fn places(shares: &[Share]) -> Vec<ChannelId> {
    let mut channels: Vec<ChannelId> = shares.iter().map(|share| share.channel).collect();
    channels.sort_unstable();
    channels.dedup();
    channels
}

/// Answers with a file as it is now.
///
/// # Errors
/// As [`find`].
pub async fn answer(cx: &Cx, id: FileId) -> Result<Reply, Failure> {
    let found = find(cx, id).await?;
    let mut reply = Reply::ok();
    put(cx, &mut reply, &found)?;
    Ok(reply)
}

/// Writes a file as the member `file`.
///
/// # Errors
/// As [`Cx::workspace`].
pub fn put(cx: &Cx, reply: &mut Reply, found: &store::FileRead) -> Result<(), Failure> {
    let (workspace, site) = (cx.workspace()?, cx.site());
    reply.object("file", |object| put_file(object, workspace, &found.file, site, Some(&found.shares)));
    Ok(())
}
