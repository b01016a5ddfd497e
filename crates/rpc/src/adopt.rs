//! Handing an upgraded WebSocket from the HTTP listener to a gateway in the same process.

use std::{
    fmt::Debug,
    io::{self, Write as _},
    net::TcpStream,
    task::{Context, Poll},
};

use bytes::Bytes;

/// What is spoken on a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// Our own realtime protocol, `docs/api/realtime.md`.
    Own,
    /// Slack's RTM.
    Rtm,
}

/// A connection on which `101 Switching Protocols` was answered.
#[derive(Debug)]
pub struct AdoptedSocket {
    /// The connection.
    pub stream: AdoptedStream,
    /// What the peer sent after its handshake and the HTTP layer had read already.
    pub early: Bytes,
    /// Path that was asked for decides the protocol; the ticket must be for the same.
    pub protocol: Protocol,
    /// The ticket from the query.
    pub ticket: String,
    /// The `Origin` header, if there was one.
    pub origin: Option<String>,
}

/// What a session's bytes go over.
#[derive(Debug)]
pub enum AdoptedStream {
    /// A connection of the kernel, in non-blocking mode.
    Tcp(TcpStream),
    /// One of the simulator, where the kernel would decide what comes first.
    Simulated(Box<dyn SimulatedStream>),
}

impl AdoptedStream {
    /// Writes what fits at once.
    ///
    /// # Errors
    /// What the kernel says; [`io::ErrorKind::WouldBlock`] when nothing fits.
    pub fn write_now(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            Self::Simulated(stream) => stream.try_write(bytes),
        }
    }
}

impl From<TcpStream> for AdoptedStream {
    fn from(stream: TcpStream) -> Self {
        Self::Tcp(stream)
    }
}

/// What a gateway asks of a connection that is not the kernel's. Nothing waits: what cannot be done at once is
/// [`io::ErrorKind::WouldBlock`], and the `poll` functions wake when it may be tried again.
pub trait SimulatedStream: Debug + Send {
    /// Reads what is there; 0: the peer has closed.
    ///
    /// # Errors
    /// As a socket's.
    fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize>;

    /// Writes what fits.
    ///
    /// # Errors
    /// As a socket's.
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize>;

    /// Whether something can be read, the end included.
    fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Whether something can be written.
    fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Says that nothing more will be written.
    ///
    /// # Errors
    /// As a socket's.
    fn shutdown_write(&self) -> io::Result<()>;
}

/// Takes over sockets. Implemented by `gateway`, called by the HTTP listener. Not a contract between
/// processes: a gateway alone in its process has a listener of its own.
pub trait Adopt: Send + Sync {
    /// Takes the socket. A gateway that is full or draining closes it with the fitting close code.
    fn adopt(&self, socket: AdoptedSocket);
}
