//! What each kind of job does.

use async_trait::async_trait;
use model::{ChannelId, FileId, Image, ScheduledId, UserId, WorkspaceId};
use serde::Deserialize;
use store::{Done, Job, Refusal, Write, WriteKind, job_kinds};
use tracing::warn;

/// The way to the store that everything takes: what a job writes is published like what a person writes.
#[async_trait]
pub trait Writer: Send + Sync {
    /// Writes, and returns after the commit.
    ///
    /// # Errors
    /// [`WriteFailed`].
    async fn write(&self, write: Write) -> Result<Done, WriteFailed>;
}

/// The bytes of files.
#[async_trait]
pub trait Files: Send + Sync {
    /// Takes everything of a file away. That there is nothing is well.
    ///
    /// # Errors
    /// Why it may succeed later.
    async fn delete_all(&self, workspace: WorkspaceId, file: FileId) -> Result<(), String>;

    /// Makes the thumbnails of a picture, if they are still to be made.
    ///
    /// # Errors
    /// Why it may succeed later.
    async fn picture(&self, workspace: WorkspaceId, file: FileId) -> Result<Option<Picture>, String>;

    /// Takes the bytes of a photo away, unless it is the person's. That there is nothing is well.
    ///
    /// # Errors
    /// Why it may succeed later.
    async fn delete_photo(&self, workspace: WorkspaceId, user: UserId, photo: &str) -> Result<(), String>;
}

/// What was found out about a picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// What it is like; `None`: it cannot be read.
    pub image: Option<Image>,
    /// The conversations that have it.
    pub channels: Vec<ChannelId>,
}

/// What handlers work with.
#[derive(Clone, Copy)]
pub struct Ports<'a> {
    /// Writes.
    pub writer: &'a dyn Writer,
    /// Bytes of files.
    pub files: &'a dyn Files,
}

/// Why a write had no effect, or an unknown one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WriteFailed {
    /// The store decided against it.
    Refused(Refusal),
    /// It may succeed later, or has succeeded already: the reason.
    Later(String),
}

/// How a job ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is done.
    Done,
    /// It is done, and its own write took it out of the queue.
    Gone,
    /// It may succeed later: why it did not now.
    Again(String),
    /// It can never succeed: why.
    Never(String),
}

#[derive(Deserialize)]
struct PostScheduled {
    id: u64,
    channel: u64,
}

#[derive(Deserialize)]
struct OfFile {
    file: u64,
}

#[derive(Deserialize)]
struct ExpireStatus {
    user: u64,
    expiration: i64,
}

#[derive(Deserialize)]
struct DeletePhoto {
    user: u64,
    photo: String,
}

/// Does a job.
pub async fn handle(ports: Ports<'_>, job: &Job) -> Outcome {
    let kind = match job.kind.as_str() {
        job_kinds::POST_SCHEDULED => {
            serde_json::from_str(&job.payload).map(|PostScheduled { id, channel }| WriteKind::PostScheduled {
                id: ScheduledId::from_raw(id),
                channel: ChannelId::from_raw(channel),
            })
        }
        job_kinds::EXPIRE_STATUS => {
            serde_json::from_str(&job.payload).map(|ExpireStatus { user, expiration }| {
                WriteKind::ExpireStatus { user: UserId::from_raw(user), expiration }
            })
        }
        job_kinds::EXPIRE_UPLOAD => {
            return of_file(job, async |file| expire_upload(ports, job, file).await).await;
        }
        job_kinds::MAKE_THUMBNAILS => {
            return of_file(job, async |file| make_thumbnails(ports, job, file).await).await;
        }
        job_kinds::DELETE_BYTES => {
            return of_file(job, async |file| delete_bytes(ports, job, file).await).await;
        }
        job_kinds::DELETE_PHOTO => {
            return match serde_json::from_str(&job.payload) {
                Ok(DeletePhoto { user, photo }) => {
                    let user = UserId::from_raw(user);
                    tried(ports.files.delete_photo(job.workspace, user, &photo).await)
                }
                Err(error) => unreadable(&error),
            };
        }
        kind => return Outcome::Never(format!("this program knows no job {kind}")),
    };
    let kind = match kind {
        Ok(kind) => kind,
        Err(error) => return unreadable(&error),
    };
    match ports.writer.write(Write { workspace: job.workspace, kind }).await {
        Ok(Done::Scheduled(Ok(_))) => Outcome::Gone,
        Ok(Done::Scheduled(Err(refusal))) => {
            warn!(workspace = %job.workspace, job = %job.id, %refusal, "a scheduled message could not be posted any more");
            Outcome::Gone
        }
        Ok(_) => Outcome::Done,
        // Taken back, or posted by who ran it before: nothing is left to do.
        Err(WriteFailed::Refused(Refusal::ScheduledNotFound)) => Outcome::Done,
        Err(WriteFailed::Refused(refusal)) => Outcome::Again(refusal.to_string()),
        Err(WriteFailed::Later(reason)) => Outcome::Again(reason),
    }
}

/// Does a job about a file.
async fn of_file(job: &Job, run: impl AsyncFnOnce(FileId) -> Outcome) -> Outcome {
    match serde_json::from_str(&job.payload) {
        Ok(OfFile { file }) => run(FileId::from_raw(file)).await,
        Err(error) => unreadable(&error),
    }
}

fn unreadable(error: &serde_json::Error) -> Outcome {
    Outcome::Never(format!("the payload cannot be read: {error}"))
}

fn tried(result: Result<(), String>) -> Outcome {
    match result {
        Ok(()) => Outcome::Done,
        Err(reason) => Outcome::Again(reason),
    }
}

/// Forgets an upload that was not completed in time, first its row, then its bytes: killed in between, it runs again.
async fn expire_upload(ports: Ports<'_>, job: &Job, file: FileId) -> Outcome {
    let write = Write { workspace: job.workspace, kind: WriteKind::ExpireUpload { file } };
    match ports.writer.write(write).await {
        Ok(_) => delete_bytes(ports, job, file).await,
        // It was completed meanwhile.
        Err(WriteFailed::Refused(Refusal::FileNotFound)) => Outcome::Done,
        Err(WriteFailed::Refused(refusal)) => Outcome::Again(refusal.to_string()),
        Err(WriteFailed::Later(reason)) => Outcome::Again(reason),
    }
}

/// Makes thumbnails, and notes what the picture is like. Of a file that was deleted meanwhile nothing stays.
async fn make_thumbnails(ports: Ports<'_>, job: &Job, file: FileId) -> Outcome {
    let Picture { image, channels } = match ports.files.picture(job.workspace, file).await {
        Ok(Some(picture)) => picture,
        Ok(None) => return Outcome::Done,
        Err(reason) => return Outcome::Again(reason),
    };
    let kind = WriteKind::SetImage { file, image, channels };
    match ports.writer.write(Write { workspace: job.workspace, kind }).await {
        Ok(_) => Outcome::Done,
        Err(WriteFailed::Refused(Refusal::FileDeleted | Refusal::FileNotFound)) => {
            delete_bytes(ports, job, file).await
        }
        Err(WriteFailed::Refused(refusal)) => Outcome::Again(refusal.to_string()),
        Err(WriteFailed::Later(reason)) => Outcome::Again(reason),
    }
}

async fn delete_bytes(ports: Ports<'_>, job: &Job, file: FileId) -> Outcome {
    tried(ports.files.delete_all(job.workspace, file).await)
}
