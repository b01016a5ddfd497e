//! Paths.

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::{Path, State},
    routing::{any, get},
};
use http::{HeaderValue, Request, Response, StatusCode, header};
use rpc::Protocol;

use crate::{app::App, call::call, downloads, files, photos, sockets, tickets, uploads};

/// Everything that this role serves.
pub fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/api", any(api))
        .route("/api/", any(api))
        .route("/api/{*method}", any(api))
        .route("/realtime/v1/connect", any(connect))
        .route("/realtime/{*rest}", any(api))
        .route(tickets::OWN_PATH, any(own_socket))
        .route(tickets::RTM_PATH, any(rtm_socket))
        .route("/files/upload/{capability}", any(upload))
        .route("/files/public/{link}", any(public_file))
        .route("/files/{*rest}", any(file))
        .route("/photos/{*rest}", any(photo))
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .fallback(files::serve)
        .with_state(app)
}

/// The method's name is taken as it stands in the path: what is escaped there names no method, and what is no
/// path of the API neither.
async fn api(State(app): State<Arc<App>>, request: Request<Body>) -> Response<Body> {
    let path = request.uri().path().to_owned();
    call(app, path.strip_prefix("/api/").unwrap_or_default(), request).await
}

async fn connect(State(app): State<Arc<App>>, request: Request<Body>) -> Response<Body> {
    call(app, "realtime.connect", request).await
}

async fn own_socket(State(app): State<Arc<App>>, request: Request<Body>) -> Response<Body> {
    sockets::upgrade(app, Protocol::Own, request).await
}

async fn rtm_socket(State(app): State<Arc<App>>, request: Request<Body>) -> Response<Body> {
    sockets::upgrade(app, Protocol::Rtm, request).await
}

async fn upload(
    State(app): State<Arc<App>>,
    Path(capability): Path<String>,
    request: Request<Body>,
) -> Response<Body> {
    uploads::receive(app, &capability, request).await
}

async fn public_file(
    State(app): State<Arc<App>>,
    Path(link): Path<String>,
    request: Request<Body>,
) -> Response<Body> {
    downloads::public(app, &link, request).await
}

async fn file(State(app): State<Arc<App>>, request: Request<Body>) -> Response<Body> {
    downloads::private(app, request).await
}

async fn photo(State(app): State<Arc<App>>, request: Request<Body>) -> Response<Body> {
    photos::serve(app, request).await
}

/// Ready: not draining, and a store is well.
async fn readyz(State(app): State<Arc<App>>) -> (StatusCode, String) {
    if app.tasks.drain().is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "draining\n".to_owned());
    }
    match app.health.ready() {
        Ok(lines) => (StatusCode::OK, lines),
        Err(lines) => (StatusCode::SERVICE_UNAVAILABLE, lines),
    }
}

async fn metrics(State(app): State<Arc<App>>) -> Response<Body> {
    app.metrics.waiting(app.deps.appender.waiting());
    let mut response = Response::new(Body::from(app.deps.metrics.encode()));
    let kind = HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
