//! The limit of HTTP: a server that reads a request and answers as many bytes as a post's answer has, and does nothing else.
//! It speaks through the same library as the measured server, in one thread.

use std::{io::Write as _, process::Child};

use anyhow::{Context, Result};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, Response, body::Incoming, header, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use crate::server::{first_line, pinned};

/// What an answer begins with: senders look.
const OK: &str = r#"{"ok":true,"x":""#;

/// Runs the server until it is killed; its answers have so many bytes.
///
/// # Errors
/// The system's.
pub(crate) fn serve(bytes: usize) -> Result<()> {
    crate::measure::raise_open_files();
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(listen(bytes))
}

async fn listen(bytes: usize) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    writeln!(std::io::stdout(), "{}", listener.local_addr()?)?;
    let filler = "x".repeat(bytes.saturating_sub(OK.len() + 2));
    let body = Bytes::from(format!("{OK}{filler}\"}}"));
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let body = body.clone();
        let service = service_fn(move |request: Request<Incoming>| answer(request, body.clone()));
        tokio::spawn(async move {
            // A client that goes away ends its connection.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(request: Request<Incoming>, body: Bytes) -> Result<Response<Full<Bytes>>, hyper::Error> {
    request.into_body().collect().await?;
    let mut response = Response::new(Full::new(body));
    let json = header::HeaderValue::from_static("application/json; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    Ok(response)
}

/// The process.
pub(crate) struct Web {
    process: Child,
    /// `127.0.0.1:PORT`
    pub(crate) address: String,
}

impl Web {
    /// Starts it.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(crate) fn start(bytes: usize, core: Option<usize>) -> Result<Self> {
        let mut command = std::process::Command::new(std::env::current_exe()?);
        let mut process = pinned(command.args(["bench", "web-server", &bytes.to_string()]), core)?;
        let address = first_line(&mut process).context("the server of HTTP alone")?;
        Ok(Self { process, address })
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        // It has nothing to lose.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
