//! The HTTP listener: an accept loop of our own on hyper's HTTP/1.1, so that upgraded connections can be
//! handed on as plain sockets.

use std::{convert::Infallible, error::Error, io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use http::{Request, Response};
use hyper::{
    body::{Body, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_util::sync::CancellationToken;
use tower::{Service, ServiceExt};
use tracing::{debug, warn};

use crate::{OnEnd, Tasks};

/// How long to wait after `accept` failed for want of descriptors or memory.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// What one listener allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HttpLimits {
    /// Connections at once; further ones wait in the kernel's queue. Upgraded ones do not count. Default 8192.
    pub connections_max: usize,
    /// A request's headers must be there within this time, also on a connection kept alive. Default 30 s.
    pub header_timeout: Duration,
    /// Bytes of a request's headers. Default 32 KiB.
    pub header_bytes_max: usize,
    /// After the drain started, requests under way may take this long. Default 10 s.
    pub drain: Duration,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            connections_max: 8_192,
            header_timeout: Duration::from_secs(30),
            header_bytes_max: 32 << 10,
            drain: Duration::from_secs(10),
        }
    }
}

/// The address at the other end of the connection, in the extensions of each request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);

/// Serves `service` on `listener` until the drain starts. Connections then finish the request that they
/// are at; they are tasks of `tasks`, which waits for them.
pub async fn serve<S, B>(listener: TcpListener, limits: HttpLimits, service: S, tasks: &Tasks)
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let permits = Arc::new(Semaphore::new(limits.connections_max));
    let drain = tasks.drain();
    loop {
        let accepted = tokio::select! {
            () = drain.cancelled() => return,
            accepted = accept(&listener, &permits) => accepted,
        };
        let (stream, peer, permit) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                warn!(%error, "accept failed");
                tokio::time::sleep(ACCEPT_RETRY).await;
                continue;
            }
        };
        let connection = connection(stream, peer, limits, service.clone(), drain.clone());
        tasks.spawn("http-connection", OnEnd::Ignore, async move {
            connection.await;
            drop(permit);
        });
    }
}

/// # Cancel safety
/// A connection that was accepted is not lost: `accept` is the last await.
async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let permit = Arc::clone(permits).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    Ok((stream, peer, permit))
}

async fn connection<S, B>(
    stream: TcpStream,
    peer: SocketAddr,
    limits: HttpLimits,
    service: S,
    drain: CancellationToken,
) where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    if let Err(error) = stream.set_nodelay(true) {
        debug!(%error, "TCP_NODELAY was refused");
    }
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(Peer(peer));
        service.clone().oneshot(request)
    });
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.header_timeout)
            .max_header_size(limits.header_bytes_max)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades()
    );
    let ended = tokio::select! {
        ended = connection.as_mut() => Some(ended),
        () = drain.cancelled() => None,
    };
    let ended = match ended {
        Some(ended) => ended,
        None => {
            connection.as_mut().graceful_shutdown();
            match tokio::time::timeout(limits.drain, connection.as_mut()).await {
                Ok(ended) => ended,
                Err(_) => return debug!(%peer, "cut off a request that outlasted the drain"),
            }
        }
    };
    if let Err(error) = ended {
        debug!(%peer, %error, "connection ended");
    }
}
