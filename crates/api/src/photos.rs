//! What people look like: a picture comes with a form, a process of its own cuts and shrinks it, and whoever knows the
//! address may see it, as with Slack. The name in it is 128 random bits that only those get who may see the person.
//!
//! A photo's bytes are never changed: another photo has another name. A job that takes the bytes away is queued before
//! they are written, so that nothing stays of a photo that nobody got.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use model::{JobId, Pattern, Photo, User, UserId, WorkspaceId};
use pictures::{Crop, Made, PictureError, Unusable, Workers};
use store::{Done, WriteKind, job_kinds};
use tokio::sync::OwnedSemaphorePermit;
use tracing::{error, info};

use crate::{
    app::App,
    blobs::{BlobError, Folder},
    call::Cx,
    downloads::{has, not_found, plain, put},
    errors::Failure,
    random,
};

/// The part of a form that is the picture.
pub const PART: &str = "image";
/// Longest picture, bytes.
pub const BYTES_MAX: usize = 8 << 20;
/// Pictures at once. Each is held in memory; further ones wait.
pub const AT_ONCE_MAX: usize = 8;
/// A picture must be there within this time.
const RECEIVED_WITHIN: Duration = Duration::from_secs(60);
/// The bytes of a photo that nobody has got so long after they were written are taken away.
const UNUSED_AFTER_S: i64 = 3_600;

/// Looks at pictures.
#[async_trait]
pub trait MakePhotos: Send + Sync {
    /// As [`Workers::photo`].
    ///
    /// # Errors
    /// As there.
    async fn photo(&self, picture: Bytes, crop: Option<Crop>) -> Result<Made, PictureError>;
}

#[async_trait]
impl MakePhotos for Workers {
    async fn photo(&self, picture: Bytes, crop: Option<Crop>) -> Result<Made, PictureError> {
        Self::photo(self, picture, crop).await
    }
}

/// A picture that came with a form, and its place among those that are held at once.
#[derive(Debug)]
pub struct Picture {
    bytes: Bytes,
    _place: OwnedSemaphorePermit,
}

/// Takes the picture of a form.
///
/// # Errors
/// `too_large`, `request_timeout`, `invalid_form_data`.
pub async fn receive(app: &App, mut part: multer::Field<'static>) -> Result<Picture, Failure> {
    let place = Arc::clone(&app.pictures).acquire_owned().await;
    let place = place.map_err(|_| Failure::new("service_unavailable"))?;
    let whole = async {
        let mut bytes = Vec::new();
        while let Some(piece) = part.chunk().await.map_err(|_| Failure::new("invalid_form_data"))? {
            if bytes.len() + piece.len() > BYTES_MAX {
                let message = format!("a photo has at most {BYTES_MAX} bytes");
                return Err(Failure::with_message("too_large", message));
            }
            bytes.extend_from_slice(&piece);
        }
        Ok(Bytes::from(bytes))
    };
    let late = || Failure::with_message("request_timeout", "the picture did not arrive in time");
    let bytes = tokio::time::timeout(RECEIVED_WITHIN, whole).await.map_err(|_| late())??;
    Ok(Picture { bytes, _place: place })
}

/// Makes a picture the caller's photo.
///
/// # Errors
/// `bad_image`, `too_large`, `service_unavailable` (the disk is full).
pub async fn set(cx: &Cx, picture: &Picture, crop: Option<Crop>) -> Result<User, Failure> {
    let (workspace, user) = (cx.workspace()?, cx.user()?);
    let made =
        cx.app.deps.photos.photo(picture.bytes.clone(), crop).await.map_err(|failed| match failed {
            PictureError::Unusable(unusable @ Unusable::TooLarge(_)) => {
                Failure::with_message("too_large", unusable.to_string())
            }
            PictureError::Unusable(unusable) => Failure::with_message("bad_image", unusable.to_string()),
            PictureError::Failed(error) => {
                error!(error = format!("{error:#}"), "a picture could not be looked at");
                Failure::new("service_unavailable")
            }
        })?;
    let largest = made.image.thumbnails.first().ok_or("bad_image")?;
    let name = format!("{:016x}{:016x}", random::number()?, random::number()?);
    let photo = Photo { name, side: largest.edge, format: largest.format };
    let unused_at = cx.now_us().saturating_add(UNUSED_AFTER_S * 1_000_000);
    let job = job_kinds::delete_photo(JobId::from_random(random::number()?), user, &photo.name, unused_at);
    cx.write(WriteKind::Enqueue(job)).await?;
    for (size, part) in made.image.thumbnails.iter().zip(made.parts) {
        let (folder, blob) = (Folder::Photo(user, &photo.name), photo.blob(size.edge));
        let written = cx.app.deps.blobs.write_all((workspace, folder, &blob), part).await;
        written.map_err(|failed| {
            error!(error = %failed, "a photo could not be written");
            match failed {
                BlobError::Full => Failure::with_message("service_unavailable", "the server's disk is full"),
                _ => Failure::new("internal_error"),
            }
        })?;
    }
    change(cx, Some(photo)).await
}

/// The caller has no photo any more.
///
/// # Errors
/// Those of a write.
pub async fn delete(cx: &Cx) -> Result<User, Failure> {
    change(cx, None).await
}

async fn change(cx: &Cx, photo: Option<Photo>) -> Result<User, Failure> {
    let job = JobId::from_random(random::number()?);
    match cx.write(WriteKind::SetPhoto { user: cx.user()?, photo, job }).await? {
        Done::User(user) => Ok(*user),
        _ => Err("internal_error".into()),
    }
}

/// Serves `/photos/<workspace>/<person>/<photo>/<name>` and `/photos/none/<pattern>/<edge>.png`.
pub async fn serve(app: Arc<App>, request: Request<Body>) -> Response<Body> {
    let response = match *request.method() {
        Method::GET | Method::HEAD => {
            answer(&app, request.method(), request.headers(), request.uri().path()).await
        }
        _ => plain(StatusCode::METHOD_NOT_ALLOWED, "GET or HEAD\n"),
    };
    // Names of photos stay out of the log.
    info!(target: "api::request", method = "photos", status = response.status().as_u16(), "download");
    response
}

/// What an address shows.
#[derive(Debug, PartialEq, Eq)]
enum Shown<'a> {
    Photo(WorkspaceId, UserId, &'a str, &'a str),
    Pattern(Pattern, u32),
}

impl<'a> Shown<'a> {
    fn read(path: &'a str) -> Option<Self> {
        let parts: Vec<&str> = path.strip_prefix("/photos/")?.split('/').collect();
        match *parts.as_slice() {
            ["none", pattern, size] => {
                let edge = size.strip_suffix(".png")?.parse().ok()?;
                let known = Pattern::EDGES.contains(&edge) || Pattern::ICON_EDGES.contains(&edge);
                known.then_some(Self::Pattern(Pattern::parse(pattern)?, edge))
            }
            [workspace, user, name, size] => {
                let (edge, ending) = size.split_once('.')?;
                let is_edge = !edge.is_empty() && edge.bytes().all(|byte| byte.is_ascii_digit());
                let known = is_edge && matches!(ending, "jpg" | "png") && Photo::is_name(name);
                known.then_some(Self::Photo(workspace.parse().ok()?, user.parse().ok()?, name, size))
            }
            _ => None,
        }
    }
}

async fn answer(app: &App, method: &Method, headers: &HeaderMap, path: &str) -> Response<Body> {
    let Some(shown) = Shown::read(path) else { return not_found() };
    // What an address shows never changes, so the address is a tag.
    let tag = format!("\"{}\"", path.trim_start_matches("/photos/"));
    let unchanged = has(headers, &tag);
    let (kind, size, body) = match shown {
        Shown::Pattern(..) if unchanged => ("image/png", 0, Body::empty()),
        Shown::Pattern(pattern, edge) => match pictures::pattern::png(pattern, edge) {
            Ok(bytes) => ("image/png", u64::try_from(bytes.len()).unwrap_or_default(), Body::from(bytes)),
            Err(error) => {
                error!(%error, "a pattern could not be made");
                return plain(StatusCode::INTERNAL_SERVER_ERROR, "try again\n");
            }
        },
        Shown::Photo(workspace, user, photo, size) => {
            let kind = if size.ends_with(".png") { "image/png" } else { "image/jpeg" };
            match app.deps.blobs.read_all((workspace, Folder::Photo(user, photo), size)).await {
                Ok((size, bytes)) => (kind, size, Body::from_stream(bytes)),
                Err(BlobError::Missing) => return not_found(),
                Err(error) => {
                    error!(%error, "a photo cannot be read");
                    return plain(StatusCode::SERVICE_UNAVAILABLE, "the photo cannot be read\n");
                }
            }
        }
    };
    let mut response = Response::new(if unchanged || *method == Method::HEAD { Body::empty() } else { body });
    if unchanged {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let headers = response.headers_mut();
    if !unchanged {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(size));
    }
    put(headers, header::CONTENT_TYPE, kind);
    put(headers, header::ETAG, &tag);
    put(headers, header::CACHE_CONTROL, "public, max-age=31536000, immutable");
    put(headers, header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox");
    put(headers, header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    // Other sites' pages may show it: an app that people see elsewhere.
    put(headers, HeaderName::from_static("cross-origin-resource-policy"), "cross-origin");
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_those_of_photos_and_nothing_else() {
        let (workspace, user) = (WorkspaceId::from_raw(7), UserId::from_raw(9));
        let name = "0123456789abcdef0123456789abcdef";
        let path = format!("/photos/{workspace}/{user}/{name}/48.jpg");
        assert_eq!(Shown::read(&path), Some(Shown::Photo(workspace, user, name, "48.jpg")));
        let pattern = Pattern::of(user);
        let path = format!("/photos/none/{}/48.png", pattern.name());
        assert_eq!(Shown::read(&path), Some(Shown::Pattern(pattern, 48)));
        let wrong = [
            format!("/photos/none/{}/49.png", pattern.name()),
            format!("/photos/none/{}/48.jpg", pattern.name()),
            format!("/photos/none/{}/048.png/", pattern.name()),
            format!("/photos/{workspace}/{user}/{name}/48.svg"),
            format!("/photos/{workspace}/{user}/{name}/..jpg"),
            format!("/photos/{workspace}/{user}/../48.jpg"),
            format!("/photos/{workspace}/{user}/{}/48.jpg", name.to_uppercase()),
            format!("/photos/{workspace}/{user}/{name}/48.jpg/x"),
            format!("/photos/{user}/{workspace}/{name}/48.jpg"),
            "/photos/".to_owned(),
            "/photos/none".to_owned(),
        ];
        for path in wrong {
            assert_eq!(Shown::read(&path), None, "{path}");
        }
    }
}
