//! The addresses under which files are read: `/files/<workspace or owner>/<file>/…`, and public links.
//!
//! Who may see a file is asked at every read: a token or cookie that ended, a channel that was left, a link that was
//! taken back ends at once. What may not be seen looks like what is not there.
//!
//! Nothing that somebody uploaded ever runs in this origin: only a short list of types is shown at all, everything
//! else is to be saved; and what is shown is in a sandbox.

use std::{ops::Range, sync::Arc};

use axum::body::Body;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use model::{File, FileId, UserId, WorkspaceId};
use sha2::{Digest, Sha256};
use store::FileRead;
use tracing::{error, info};

use crate::{
    app::App,
    auth::{self, Shown},
    blobs::BlobError,
    file_kind,
    uploads::Named,
};

/// What the scope is called that reads files.
const SCOPE: &str = "files:read";
/// Nothing that is shown may load or run anything.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; sandbox";

/// What of a file is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted<'a> {
    /// Itself, shown where that is safe.
    Shown,
    /// Itself, to be saved.
    Saved,
    /// A thumbnail, by its bytes' name.
    Thumbnail(&'a str),
}

/// Serves `/files/<workspace or owner>/<file>/…`.
pub async fn private(app: Arc<App>, request: Request<Body>) -> Response<Body> {
    let (method, headers) = (request.method().clone(), request.headers().clone());
    let path = request.uri().path().to_owned();
    let response = match reads(&method) {
        false => plain(StatusCode::METHOD_NOT_ALLOWED, "GET or HEAD\n"),
        true => serve_private(&app, &path, &method, &headers).await,
    };
    log("files", &response);
    response
}

/// Serves a public link.
pub async fn public(app: Arc<App>, link: &str, request: Request<Body>) -> Response<Body> {
    let response = match reads(request.method()) {
        false => plain(StatusCode::METHOD_NOT_ALLOWED, "GET or HEAD\n"),
        true => serve_public(&app, link, request.method(), request.headers()).await,
    };
    log("files/public", &response);
    response
}

fn reads(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

/// Names and secrets of files stay out of the log.
fn log(what: &'static str, response: &Response<Body>) {
    info!(target: "api::request", method = what, status = response.status().as_u16(), "download");
}

async fn serve_private(app: &App, path: &str, method: &Method, headers: &HeaderMap) -> Response<Body> {
    let principal = match viewer(app, headers).await {
        Ok(principal) => principal,
        Err(response) => return *response,
    };
    let Some((place, file, wanted)) = address(path) else { return not_found() };
    let foreign = matches!(place, Place::Workspace(id) if id != principal.0);
    if foreign {
        return not_found();
    }
    let (workspace, user) = principal;
    let found = match app.deps.store.file(workspace, file, Some(user)).await {
        Ok(found) => found,
        Err(error) => return failed(&error),
    };
    match found.filter(|found| !found.file.deleted && place.is_of(&found.file)) {
        Some(found) => serve(app, workspace, &found, wanted, method, headers).await,
        None => not_found(),
    }
}

async fn serve_public(app: &App, link: &str, method: &Method, headers: &HeaderMap) -> Response<Body> {
    let Some(named) = Named::read(link) else { return not_found() };
    let found = match app.deps.store.file(named.workspace, named.file, None).await {
        Ok(found) => found,
        Err(error) => return failed(&error),
    };
    // Hashes are compared, so that how long it takes tells nothing of the secret.
    let hash = |secret: &str| Sha256::digest(secret.as_bytes());
    let fits = |found: &FileRead| {
        let secret = found.file.public_secret.as_deref();
        !found.file.deleted && secret.is_some_and(|secret| hash(secret) == hash(named.secret))
    };
    match found.filter(fits) {
        Some(found) => serve(app, named.workspace, &found, Wanted::Shown, method, headers).await,
        None => not_found(),
    }
}

/// What an address names before the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Workspace(WorkspaceId),
    /// A permalink names the owner.
    Owner(UserId),
}

impl Place {
    fn is_of(self, file: &File) -> bool {
        match self {
            Self::Workspace(_) => true,
            Self::Owner(user) => file.owner == user,
        }
    }
}

/// Reads `/files/<place>/<file>[/download|/thumb][/name]`. The file's own name means nothing.
fn address(path: &str) -> Option<(Place, FileId, Wanted<'_>)> {
    let mut parts = path.strip_prefix("/files/")?.splitn(4, '/');
    let place = parts.next()?;
    let place = match place.parse() {
        Ok(workspace) => Place::Workspace(workspace),
        Err(_) => Place::Owner(place.parse().ok()?),
    };
    let file = parts.next()?.parse().ok()?;
    let wanted = match (parts.next(), parts.next()) {
        (Some("download"), _) => Wanted::Saved,
        (Some("thumb"), Some(name)) => Wanted::Thumbnail(name),
        (_, None) => Wanted::Shown,
        (_, Some(_)) => return None,
    };
    Some((place, file, wanted))
}

/// Who reads: a token with the scope, or the cookie of a browser that this server's own page sent here.
async fn viewer(app: &App, headers: &HeaderMap) -> Result<(WorkspaceId, UserId), Box<Response<Body>>> {
    let shown = match Shown::in_headers(&Method::GET, headers, &app.origins) {
        Shown::Nothing if from_own_page(headers) => {
            auth::cookie(headers).map_or(Shown::Nothing, |secret| Shown::Cookie(secret.to_owned()))
        }
        shown => shown,
    };
    let now = app.deps.clock.now_us();
    let caller = auth::authenticate(app.deps.store.as_ref(), &shown, now).await.map_err(|failure| {
        let mut response = match failure.code.as_ref() {
            "internal_error" | "service_unavailable" => plain(StatusCode::SERVICE_UNAVAILABLE, "try again\n"),
            code => plain(StatusCode::UNAUTHORIZED, &format!("{code}\n")),
        };
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        Box::new(response)
    })?;
    let principal = caller.principal;
    if !principal.scopes.any_of(&[SCOPE]) {
        return Err(Box::new(plain(StatusCode::FORBIDDEN, "missing_scope: files:read\n")));
    }
    // An app-level token sees nothing.
    let user = principal.user.ok_or_else(|| Box::new(not_found()))?;
    Ok((principal.workspace, user))
}

/// Other sites' pages cannot show what a cookie may see. Old browsers do not say where a request comes from; what
/// they get, another site's page still cannot read.
fn from_own_page(headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site").and_then(|value| value.to_str().ok());
    matches!(site, None | Some("same-origin" | "none"))
}

/// What of the bytes is answered with.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Answer {
    /// All.
    Whole,
    /// A part.
    Part(Range<u64>),
    /// The client has them.
    NotModified,
    /// There is no such part.
    Unsatisfiable,
}

async fn serve(
    app: &App,
    workspace: WorkspaceId,
    found: &FileRead,
    wanted: Wanted<'_>,
    method: &Method,
    headers: &HeaderMap,
) -> Response<Body> {
    let file = &found.file;
    let (blob, size, kind) = match wanted {
        Wanted::Thumbnail(name) => {
            let known = file.image.iter().flat_map(|image| &image.thumbnails);
            let Some(thumbnail) = known.into_iter().find(|thumbnail| thumbnail.blob() == name) else {
                return not_found();
            };
            let kind = match thumbnail.format {
                model::Format::Jpeg => "image/jpeg",
                model::Format::Png => "image/png",
            };
            (Some(thumbnail.blob()), thumbnail.bytes, Some(kind))
        }
        Wanted::Shown => (found.blob.clone(), file.size, file_kind::shown_as(file)),
        Wanted::Saved => (found.blob.clone(), file.size, None),
    };
    let Some(blob) = blob else { return not_found() };
    let tag = tag(found, wanted);
    let answer = decide(headers, &tag, size);
    let range = match &answer {
        Answer::Whole => 0..size,
        Answer::Part(range) => range.clone(),
        Answer::NotModified | Answer::Unsatisfiable => 0..0,
    };
    let length = range.end - range.start;
    let body = if *method == Method::HEAD {
        Body::empty()
    } else {
        match app.deps.blobs.read((workspace, file.id, &blob), range.clone()).await {
            Ok(bytes) => Body::from_stream(bytes),
            Err(BlobError::Missing) => {
                error!(file = %file.id, blob, "the bytes of a file are not there");
                return not_found();
            }
            Err(error) => {
                error!(%error, file = %file.id, "a file cannot be read");
                return plain(StatusCode::SERVICE_UNAVAILABLE, "the file cannot be read\n");
            }
        }
    };
    let mut response = Response::new(body);
    put_headers(response.headers_mut(), file, kind, &tag);
    let headers = response.headers_mut();
    let status = match answer {
        Answer::Whole => StatusCode::OK,
        Answer::Part(range) => {
            put(headers, header::CONTENT_RANGE, &format!("bytes {}-{}/{size}", range.start, range.end - 1));
            StatusCode::PARTIAL_CONTENT
        }
        Answer::NotModified => StatusCode::NOT_MODIFIED,
        Answer::Unsatisfiable => {
            put(headers, header::CONTENT_RANGE, &format!("bytes */{size}"));
            StatusCode::RANGE_NOT_SATISFIABLE
        }
    };
    if status != StatusCode::NOT_MODIFIED {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    *response.status_mut() = status;
    response
}

/// The bytes' strong tag: their hash, of a thumbnail that of what it was made of.
fn tag(found: &FileRead, wanted: Wanted<'_>) -> String {
    let hash: String = found.sha256.iter().flatten().take(16).map(|byte| format!("{byte:02x}")).collect();
    match wanted {
        Wanted::Thumbnail(name) => format!("\"{hash}-{name}\""),
        Wanted::Shown | Wanted::Saved => format!("\"{hash}\""),
    }
}

/// Whether the client says that it has what is tagged so (`If-None-Match`).
pub(crate) fn has(headers: &HeaderMap, tag: &str) -> bool {
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let is_it = |one: &str| one.trim().trim_start_matches("W/") == tag;
    known.is_some_and(|known| known.trim() == "*" || known.split(',').any(is_it))
}

/// Conditions first, then the range (RFC 9110, 13.2.2).
fn decide(headers: &HeaderMap, tag: &str, size: u64) -> Answer {
    if has(headers, tag) {
        return Answer::NotModified;
    }
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    // A date tells less than a tag: with one there is no part.
    let same = text(header::IF_RANGE).is_none_or(|known| known.trim() == tag);
    match text(header::RANGE).filter(|_| same) {
        None => Answer::Whole,
        Some(range) => part(range, size),
    }
}

/// Reads one range of bytes (RFC 9110, 14.2). Several at once, other units and what cannot be read are answered with the
/// whole, as the standard allows.
fn part(text: &str, size: u64) -> Answer {
    let Some((first, last)) = text.strip_prefix("bytes=").and_then(|range| range.trim().split_once('-'))
    else {
        return Answer::Whole;
    };
    let number =
        |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u64>().ok());
    let range = match (first, last) {
        ("", last) => match number(last) {
            Some(Some(count)) => size.saturating_sub(count)..size,
            _ => return Answer::Whole,
        },
        (first, "") => match number(first) {
            Some(Some(first)) => first..size,
            _ => return Answer::Whole,
        },
        (first, last) => match (number(first), number(last)) {
            (Some(Some(first)), Some(Some(last))) if first <= last => first..last.saturating_add(1).min(size),
            _ => return Answer::Whole,
        },
    };
    if range.start < range.end { Answer::Part(range) } else { Answer::Unsatisfiable }
}

fn put_headers(headers: &mut HeaderMap, file: &File, kind: Option<&str>, tag: &str) {
    put(headers, header::CONTENT_TYPE, kind.unwrap_or("application/octet-stream"));
    put(headers, header::CONTENT_DISPOSITION, &disposition(kind.is_some(), &file.name));
    put(headers, header::ETAG, tag);
    put(headers, header::ACCEPT_RANGES, "bytes");
    // Kept, but asked for again each time: the right to see it may have ended.
    put(headers, header::CACHE_CONTROL, "private, no-cache");
    put(headers, header::CONTENT_SECURITY_POLICY, POLICY);
    put(headers, header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    put(headers, header::REFERRER_POLICY, "no-referrer");
    put(headers, HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
}

/// RFC 6266: a name for everybody, and the real one for who can read it.
fn disposition(shown: bool, name: &str) -> String {
    use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
    /// RFC 8187's `attr-char`.
    const KEPT: &AsciiSet = &NON_ALPHANUMERIC
        .remove(b'!')
        .remove(b'#')
        .remove(b'$')
        .remove(b'&')
        .remove(b'+')
        .remove(b'-')
        .remove(b'.')
        .remove(b'^')
        .remove(b'_')
        .remove(b'`')
        .remove(b'|')
        .remove(b'~');
    let kind = if shown { "inline" } else { "attachment" };
    let plain: String =
        name.chars()
            .map(|c| {
                if c.is_ascii_graphic() && !matches!(c, '"' | '\\' | '%' | ';') || c == ' ' { c } else { '_' }
            })
            .collect();
    format!("{kind}; filename=\"{plain}\"; filename*=UTF-8''{}", utf8_percent_encode(name, KEPT))
}

pub(crate) fn put(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

fn failed(failed: &store::StoreError) -> Response<Body> {
    error!(error = %failed, "a read failed");
    plain(StatusCode::SERVICE_UNAVAILABLE, "try again\n")
}

/// There is none, or it is not for this reader: the same answer.
pub(crate) fn not_found() -> Response<Body> {
    plain(StatusCode::NOT_FOUND, "not found\n")
}

pub(crate) fn plain(status: StatusCode, text: &str) -> Response<Body> {
    let mut response = Response::new(Body::from(text.to_owned()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    put(headers, header::CONTENT_TYPE, "text/plain; charset=utf-8");
    put(headers, header::CACHE_CONTROL, "no-store");
    put(headers, header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_those_of_the_standard() {
        for (text, size, expect) in [
            ("bytes=0-0", 10, Answer::Part(0..1)),
            ("bytes=0-9", 10, Answer::Part(0..10)),
            ("bytes=5-100", 10, Answer::Part(5..10)),
            ("bytes=5-", 10, Answer::Part(5..10)),
            ("bytes=-3", 10, Answer::Part(7..10)),
            ("bytes=-30", 10, Answer::Part(0..10)),
            ("bytes=10-", 10, Answer::Unsatisfiable),
            ("bytes=10-12", 10, Answer::Unsatisfiable),
            ("bytes=-0", 10, Answer::Unsatisfiable),
            ("bytes=0-", 0, Answer::Unsatisfiable),
            ("bytes=-1", 0, Answer::Unsatisfiable),
            ("bytes=3-2", 10, Answer::Whole),
            ("bytes=0-1,3-4", 10, Answer::Whole),
            ("bytes=a-b", 10, Answer::Whole),
            ("bytes=+1-2", 10, Answer::Whole),
            ("bytes=--1", 10, Answer::Whole),
            ("bytes=-", 10, Answer::Whole),
            ("bytes=99999999999999999999-", 10, Answer::Whole),
            ("bytes=0-18446744073709551615", 10, Answer::Part(0..10)),
            ("items=0-1", 10, Answer::Whole),
            ("", 10, Answer::Whole),
        ] {
            assert_eq!(part(text, size), expect, "{text}");
        }
    }

    #[test]
    fn conditions_go_before_ranges() {
        let tag = "\"abc\"";
        let check = |pairs: &[(HeaderName, &'static str)]| {
            let headers = pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value)));
            decide(&headers.collect(), tag, 10)
        };
        let range = (header::RANGE, "bytes=1-2");
        assert_eq!(check(&[]), Answer::Whole);
        assert_eq!(check(&[(header::IF_NONE_MATCH, "\"x\", W/\"abc\"")]), Answer::NotModified);
        assert_eq!(check(&[(header::IF_NONE_MATCH, "*"), range.clone()]), Answer::NotModified);
        assert_eq!(check(&[(header::IF_NONE_MATCH, "\"x\""), range.clone()]), Answer::Part(1..3));
        assert_eq!(check(&[(header::IF_RANGE, "\"abc\""), range.clone()]), Answer::Part(1..3));
        assert_eq!(check(&[(header::IF_RANGE, "W/\"abc\""), range.clone()]), Answer::Whole);
        assert_eq!(check(&[(header::IF_RANGE, "\"x\""), range.clone()]), Answer::Whole);
        assert_eq!(check(&[(header::IF_RANGE, "Wed, 21 Oct 2015 07:28:00 GMT"), range]), Answer::Whole);
    }

    #[test]
    fn names_break_no_header() {
        assert_eq!(disposition(true, "a b.png"), "inline; filename=\"a b.png\"; filename*=UTF-8''a%20b.png");
        let hostile = "\u{fc}\"; x=\"\\\r\n%41;'.html";
        let header = disposition(false, hostile);
        assert_eq!(
            header,
            "attachment; filename=\"___ x=____ _41_'.html\"; filename*=UTF-8''%C3%BC%22%3B%20x%3D%22%5C%0D%0A%2541%3B%27.html"
                .replace("____ _41", "_____41")
        );
        assert!(HeaderValue::from_str(&header).is_ok());
    }

    #[test]
    fn addresses_name_files() {
        let (team, owner) = (WorkspaceId::from_random(1), UserId::from_random(2));
        let file = FileId::from_random(3);
        let at = |path: &str| address(path).map(|(place, file, wanted)| (place, file, format!("{wanted:?}")));
        let of = |place, wanted: &str| Some((place, file, wanted.to_owned()));
        assert_eq!(at(&format!("/files/{team}/{file}/a.png")), of(Place::Workspace(team), "Shown"));
        assert_eq!(at(&format!("/files/{team}/{file}/download/a.png")), of(Place::Workspace(team), "Saved"));
        assert_eq!(
            at(&format!("/files/{team}/{file}/thumb/thumb_64.png")),
            of(Place::Workspace(team), "Thumbnail(\"thumb_64.png\")")
        );
        assert_eq!(at(&format!("/files/{owner}/{file}/a.png")), of(Place::Owner(owner), "Shown"));
        assert_eq!(at(&format!("/files/{owner}/{file}")), of(Place::Owner(owner), "Shown"));
        for path in ["/files/", "/files/x/y", "/files/T000000000001", "/files/T000000000001/F1/a"] {
            assert_eq!(address(path), None, "{path}");
        }
        assert_eq!(address(&format!("/files/{team}/{file}/other/a.png")), None);
    }
}
