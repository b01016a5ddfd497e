//! The address that takes the bytes of an announced file. It is its own capability: no token is asked for.
//!
//! Slack's SDKs send the bytes in different ways: as a part of a form, or as they are with whatever content type. Only a
//! form with parts is read as one; everything else is the file.

use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use futures_util::Stream;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use model::{FileId, WorkspaceId};
use store::{SecretHash, StoredUpload, Upload, WriteKind};
use tracing::{error, info};

use crate::{
    app::App,
    appender::WriteContext,
    args,
    blobs::{BlobError, Written},
    errors::Failure,
    file_kind, random,
};

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
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_form = kind.trim_start().to_ascii_lowercase().starts_with("multipart/form-data");
    if !is_form {
        return Ok(Part::Raw(bytes));
    }
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
        note(app, workspace, file, upload, (&blob, &written)).await.map_err(Refused::from)
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

/// Notes that bytes are there.
///
/// # Errors
/// `file_not_found`: it was completed or forgotten meanwhile; `storage_limit_reached`.
pub async fn note(
    app: &App,
    workspace: WorkspaceId,
    file: FileId,
    upload: &Upload,
    (blob, written): (&str, &Written),
) -> Result<(), Failure> {
    let kind = if upload.snippet {
        file_kind::of_snippet(&upload.filetype)
    } else {
        file_kind::of(&upload.name, &written.head)
    };
    let stored = StoredUpload {
        id: file,
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
