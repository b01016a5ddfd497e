//! The address that takes the bytes of an announced file. It is its own capability: no token is asked for.
//!
//! Slack's SDKs send the bytes in different ways: as a part of a form, or as they are with whatever content type. Only a
//! form with parts is read as one; everything else is the file.

use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use futures_util::Stream;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use model::{FileId, JobId, Principal, WorkspaceId};
use store::{By, NewUpload, SecretHash, StoredUpload, Upload, WriteKind};
use tracing::{error, info};

use crate::{
    app::App,
    appender::WriteContext,
    args,
    blobs::{BlobError, Written},
    errors::Failure,
    file_kind, random,
};

/// How long an announced file may take to be complete, seconds.
pub const LIFE_S: i64 = 24 * 3_600;

/// What a capability's address names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Named<'a> {
    /// Workspace.
    pub workspace: WorkspaceId,
    /// File.
    pub file: FileId,
    /// Secret.
    pub secret: &'a str,
}

impl<'a> Named<'a> {
    /// Reads `<workspace>-<file>-<secret>`.
    #[must_use]
    pub fn read(text: &'a str) -> Option<Self> {
        let mut parts = text.splitn(3, '-');
        let (workspace, file) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        let secret = parts.next().filter(|secret| !secret.is_empty())?;
        Some(Self { workspace, file, secret })
    }
}

/// Takes the bytes of a file.
pub async fn receive(app: Arc<App>, capability: &str, request: Request<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let outcome = match parts.method {
        Method::POST | Method::PUT => take(&app, capability, &parts.headers, body).await,
        _ => Err(Refused(StatusCode::METHOD_NOT_ALLOWED, "send the bytes with POST".to_owned())),
    };
    let (status, text) = match outcome {
        Ok(size) => (StatusCode::OK, format!("OK - {size}")),
        Err(Refused(status, text)) => (status, text),
    };
    info!(target: "api::request", method = "files/upload", status = status.as_u16(), "upload");
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, plain);
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

struct Refused(StatusCode, String);

impl Refused {
    fn unknown() -> Self {
        Self(StatusCode::NOT_FOUND, "there is no such upload, or not any more".to_owned())
    }
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        let status = match failure.code.as_ref() {
            "file_not_found" | "file_deleted" => return Self::unknown(),
            "storage_limit_reached" => StatusCode::INSUFFICIENT_STORAGE,
            "ratelimited" | "service_unavailable" | "request_timeout" => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self(status, failure.code.into_owned())
    }
}

impl From<BlobError> for Refused {
    fn from(failed: BlobError) -> Self {
        let status = match &failed {
            BlobError::Full => StatusCode::INSUFFICIENT_STORAGE,
            BlobError::TooLong { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            BlobError::BrokeOff => StatusCode::BAD_REQUEST,
            BlobError::Missing | BlobError::Failed(_) => {
                error!(error = %failed, "an upload failed");
                StatusCode::INTERNAL_SERVER_ERROR
            }
        };
        Self(status, failed.to_string())
    }
}

async fn take(app: &Arc<App>, capability: &str, headers: &HeaderMap, body: Body) -> Result<u64, Refused> {
    let now = app.deps.clock.now_us();
    let known = match Named::read(capability) {
        None => None,
        Some(named) => {
            let secret = SecretHash::of(named.secret);
            let found = app.deps.store.upload(named.workspace, named.file, secret, now).await;
            found.map_err(Failure::from)?.map(|upload| (named, upload))
        }
    };
    let Some((named, upload)) = known else {
        args::discard(body).await;
        return Err(Refused::unknown());
    };
    let size = match file_part(headers, body).await? {
        Part::Raw(bytes) => store(app, named, &upload, bytes).await?,
        Part::Field(field) => store(app, named, &upload, field).await?,
    };
    Ok(size)
}

/// The bytes, however they were sent.
enum Part<S> {
    Raw(S),
    Field(Box<multer::Field<'static>>),
}

async fn file_part(
    headers: &HeaderMap,
    body: Body,
) -> Result<Part<impl Stream<Item = Result<Bytes, axum::Error>>>, Refused> {
    let bytes = body.into_data_stream();
    if !args::is_multipart(headers) {
        return Ok(Part::Raw(bytes));
    }
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let broken = |_| Refused(StatusCode::BAD_REQUEST, "the form cannot be read".to_owned());
    let mut parts = multer::Multipart::new(bytes, multer::parse_boundary(kind).map_err(broken)?);
    while let Some(part) = parts.next_field().await.map_err(broken)? {
        if part.file_name().is_some() || matches!(part.name(), Some("body" | "file")) {
            return Ok(Part::Field(Box::new(part)));
        }
    }
    Err(Refused(StatusCode::BAD_REQUEST, "the form has no file".to_owned()))
}

/// Writes the bytes, and notes that they are there.
async fn store<E>(
    app: &App,
    named: Named<'_>,
    upload: &Upload,
    bytes: impl Stream<Item = Result<Bytes, E>>,
) -> Result<u64, Refused> {
    let Named { workspace, file, .. } = named;
    let blob = blob_name()?;
    let written = app.deps.blobs.write((workspace, file, &blob), bytes, upload.length).await?;
    let noted = if written.size == upload.length {
        let snippet = upload.snippet.then_some(upload.filetype.as_str());
        let noted = note(app, workspace, file, (&upload.name, snippet), (&blob, &written)).await;
        noted.map_err(Refused::from)
    } else {
        let (size, length) = (written.size, upload.length);
        Err(Refused(StatusCode::BAD_REQUEST, format!("these are {size} bytes, {length} were announced")))
    };
    // The bytes that nobody will ask for: of a refused upload, or of the one before.
    let unneeded = if noted.is_err() { Some(blob) } else { upload.blob.clone() };
    if let Some(unneeded) = unneeded
        && let Err(error) = app.deps.blobs.delete((workspace, file, &unneeded)).await
    {
        error!(%error, %file, "unneeded bytes were not taken away");
    }
    noted.map(|()| written.size)
}

/// Notes that bytes are there; the file may get another name with that.
///
/// # Errors
/// `file_not_found`: it was completed or forgotten meanwhile; `storage_limit_reached`.
pub async fn note(
    app: &App,
    workspace: WorkspaceId,
    file: FileId,
    (name, snippet): (&str, Option<&str>),
    (blob, written): (&str, &Written),
) -> Result<(), Failure> {
    let kind = match snippet {
        Some(filetype) => file_kind::of_snippet(filetype),
        None => file_kind::of(name, &written.head),
    };
    let stored = StoredUpload {
        id: file,
        name: Some(name.to_owned()),
        snippet: snippet.is_some(),
        blob: blob.to_owned(),
        size: written.size,
        sha256: written.sha256,
        mime: kind.mime,
        filetype: kind.filetype,
        thumbnails: kind.picture,
        quota: app.config.files.workspace_bytes_max,
    };
    app.write(workspace, WriteKind::StoreUpload(Box::new(stored)), WriteContext::default()).await?;
    Ok(())
}

/// A new name for bytes: those that come again do not take the place of those that somebody reads.
///
/// # Errors
/// No randomness.
pub fn blob_name() -> Result<String, Failure> {
    Ok(format!("{:016x}", random::number()?))
}

/// A file that came with a form: announced and written, but not noted yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// The file.
    pub id: FileId,
    /// Its name in the form.
    pub name: Option<String>,
    /// What its bytes are called below its folder.
    pub blob: String,
    /// Its bytes.
    pub written: Written,
}

/// Takes the file of a form. `length_max` is how long the request says that it is; 0: it does not.
///
/// # Errors
/// `file_upload_size_restricted`, `storage_limit_reached`, `service_unavailable` (the disk is full), `request_timeout`.
pub async fn receive_part(
    app: &App,
    principal: &Principal,
    part: multer::Field<'static>,
    length_max: u64,
) -> Result<Received, Failure> {
    let name = part.file_name().map(str::to_owned);
    let id = announce(app, principal, length_max.min(app.config.files.bytes_max)).await?;
    let (blob, written) = write(app, principal.workspace, id, part).await?;
    Ok(Received { id, name, blob, written })
}

/// Takes bytes that are there already, as [`receive_part`].
///
/// # Errors
/// As [`receive_part`].
pub async fn receive_bytes(app: &App, principal: &Principal, bytes: Vec<u8>) -> Result<Received, Failure> {
    let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    let id = announce(app, principal, length).await?;
    let bytes = futures_util::stream::iter([Ok::<_, std::convert::Infallible>(Bytes::from(bytes))]);
    let (blob, written) = write(app, principal.workspace, id, bytes).await?;
    Ok(Received { id, name: None, blob, written })
}

/// Announces a file that the server itself has the bytes of. It is forgotten if it is not completed.
async fn announce(app: &App, principal: &Principal, length: u64) -> Result<FileId, Failure> {
    let id = FileId::from_random(random::number()?);
    let user = principal.user.ok_or("not_allowed_token_type")?;
    let upload = NewUpload {
        id,
        by: By { user, role: principal.role },
        name: "Untitled".to_owned(),
        alt_text: String::new(),
        filetype: String::new(),
        snippet: false,
        length,
        secret: None,
        expires: app.deps.clock.now_us().saturating_add(LIFE_S * 1_000_000),
        job: JobId::from_random(random::number()?),
        quota: app.config.files.workspace_bytes_max,
    };
    let kind = WriteKind::BeginUpload(Box::new(upload));
    app.write(principal.workspace, kind, WriteContext::default()).await?;
    Ok(id)
}

async fn write<E>(
    app: &App,
    workspace: WorkspaceId,
    id: FileId,
    bytes: impl Stream<Item = Result<Bytes, E>>,
) -> Result<(String, Written), Failure> {
    let blob = blob_name()?;
    let written = app.deps.blobs.write((workspace, id, &blob), bytes, app.config.files.bytes_max).await;
    let written = written.map_err(|failed| match failed {
        BlobError::TooLong { .. } => Failure::new("file_upload_size_restricted"),
        BlobError::Full => {
            Failure::with_message("service_unavailable", "the server's disk is full: nothing was written")
        }
        BlobError::BrokeOff => Failure::with_message("request_timeout", "the body broke off"),
        BlobError::Missing | BlobError::Failed(_) => {
            error!(error = %failed, "an upload failed");
            Failure::new("internal_error")
        }
    })?;
    Ok((blob, written))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_name_a_file() {
        let text = "T000000000007-F000000000009-a-b_c";
        let named = Named::read(text).unwrap();
        assert_eq!((named.workspace.raw(), named.file.raw(), named.secret), (7, 9, "a-b_c"));
        for text in
            ["", "T000000000007", "T000000000007-F000000000009-", "F000000000009-T000000000007-x", "--"]
        {
            assert_eq!(Named::read(text), None, "{text}");
        }
    }
}
