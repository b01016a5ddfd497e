//! The web client's files, built into the program.

use std::{
    collections::HashMap,
    io::Write,
    sync::{LazyLock, OnceLock},
};

use axum::body::Body;
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, header};

include!(concat!(env!("OUT_DIR"), "/web_files.rs"));

/// What the page may do: its own files, its own sockets, pictures of other sites (the client asks before it fetches one), and
/// no other site's frame.
const POLICY: &str = "default-src 'self'; script-src 'self'; style-src 'self'; connect-src 'self' ws: wss:; \
                      img-src 'self' data: blob: https:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'";
/// Files below this path have a hash in their name.
const HASHED: &str = "/assets/";
/// Smaller files are not worth compressing, bytes.
const GZIP_BYTES_MIN: usize = 1_024;
/// Shown when the program was built without the client.
const NO_CLIENT: &str = "<!doctype html><html lang=en><meta charset=utf-8><title>Parlance</title>\
                         <h1>Parlance is running</h1><p>This build has no web client in it. \
                         <code>cargo xtask run</code> builds both.</p></html>\n";

struct File {
    content: &'static [u8],
    kind: &'static str,
    gzip: OnceLock<Option<Bytes>>,
}

impl File {
    /// Compressed, if that helps.
    fn gzip(&self) -> Option<Bytes> {
        let compress = || {
            let text =
                self.kind.starts_with("text/") || self.kind.contains("json") || self.kind.contains("svg");
            if !text || self.content.len() < GZIP_BYTES_MIN {
                return None;
            }
            let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
            encoder.write_all(self.content).ok()?;
            encoder.finish().ok().map(Bytes::from)
        };
        self.gzip.get_or_init(compress).clone()
    }
}

static FILES: LazyLock<HashMap<&'static str, File>> = LazyLock::new(|| {
    WEB_FILES
        .iter()
        .map(|&(path, content)| (path, File { content, kind: kind(path), gzip: OnceLock::new() }))
        .collect()
});

/// Serves a file, or the page for every other path: the client has addresses of its own.
pub async fn serve(request: Request<Body>) -> Response<Body> {
    let path = request.uri().path();
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return secured(StatusCode::METHOD_NOT_ALLOWED, Response::new(Body::empty()));
    }
    let (file, immutable) = match FILES.get(path) {
        Some(file) => (Some(file), path.starts_with(HASHED)),
        // A file that an older page wants must not be answered with a page.
        None if looks_like_file(request.uri()) => {
            return secured(StatusCode::NOT_FOUND, Response::new(Body::from("not found\n")));
        }
        None => (FILES.get("/index.html"), false),
    };
    let Some(file) = file else {
        let mut response = Response::new(Body::from(NO_CLIENT));
        put(response.headers_mut(), header::CONTENT_TYPE, "text/html; charset=utf-8");
        return secured(StatusCode::OK, response);
    };
    let accepts = request.headers().get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok());
    let gzip = if accepts.is_some_and(accepts_gzip) { file.gzip() } else { None };
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    put(headers, header::CONTENT_TYPE, file.kind);
    put(headers, header::VARY, "accept-encoding");
    let caching = if immutable { "public, max-age=31536000, immutable" } else { "no-cache" };
    put(headers, header::CACHE_CONTROL, caching);
    *response.body_mut() = match gzip {
        Some(gzip) => {
            put(response.headers_mut(), header::CONTENT_ENCODING, "gzip");
            Body::from(gzip)
        }
        None => Body::from(file.content),
    };
    secured(StatusCode::OK, response)
}

fn looks_like_file(uri: &Uri) -> bool {
    let path = uri.path();
    // A thread's address ends in a `ts`, which has a dot too.
    let ending = path.rsplit('/').next().and_then(|name| name.rsplit_once('.'));
    path.starts_with(HASHED)
        || ending.is_some_and(|(_, ending)| ending.contains(|c: char| c.is_ascii_alphabetic()))
}

fn accepts_gzip(value: &str) -> bool {
    value.split(',').any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        name.trim().eq_ignore_ascii_case("gzip") && !matches!(weight.trim(), "q=0" | "q=0.0")
    })
}

fn secured(status: StatusCode, mut response: Response<Body>) -> Response<Body> {
    *response.status_mut() = status;
    let headers = response.headers_mut();
    put(headers, header::CONTENT_SECURITY_POLICY, POLICY);
    put(headers, header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    put(headers, header::REFERRER_POLICY, "no-referrer");
    put(headers, header::X_FRAME_OPTIONS, "DENY");
    response
}

fn put(headers: &mut HeaderMap, name: header::HeaderName, value: &'static str) {
    headers.insert(name, HeaderValue::from_static(value));
}

fn kind(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_used_only_when_asked_for() {
        for (value, expect) in
            [("gzip", true), ("br, GZIP;q=0.5", true), ("gzip;q=0", false), ("br", false), ("", false)]
        {
            assert_eq!(accepts_gzip(value), expect, "{value}");
        }
    }
}
