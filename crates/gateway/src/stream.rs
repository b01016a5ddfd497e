//! What a session's bytes go over: the kernel's TCP, or the simulator's.

use std::{
    future::poll_fn,
    io::{self, IoSlice},
    net::Shutdown,
    task::{Context, Poll},
};

use rpc::{AdoptedStream, SimulatedStream};
use socket2::SockRef;
use tokio::net::TcpStream;

/// A connection. Which kind is decided once; beside a system call the branch costs nothing.
#[derive(Debug)]
pub(crate) enum Stream {
    Tcp(TcpStream),
    Simulated(Box<dyn SimulatedStream>),
}

impl Stream {
    /// Takes over a connection.
    ///
    /// # Errors
    /// What the kernel says.
    pub(crate) fn adopt(stream: AdoptedStream, send_buffer_bytes: usize) -> io::Result<Self> {
        match stream {
            AdoptedStream::Tcp(stream) => {
                stream.set_nonblocking(true)?;
                stream.set_nodelay(true)?;
                SockRef::from(&stream).set_send_buffer_size(send_buffer_bytes)?;
                Ok(Self::Tcp(TcpStream::from_std(stream)?))
            }
            AdoptedStream::Simulated(stream) => Ok(Self::Simulated(stream)),
        }
    }

    pub(crate) fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.try_read(buffer),
            Self::Simulated(stream) => stream.try_read(buffer),
        }
    }

    pub(crate) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            // Past the runtime, which would look up first what it knows of the socket: some 7 % of a fan-out to a thousand.
            // It is told when the socket is full, so that it says when it takes more.
            Self::Tcp(stream) => match SockRef::from(stream).send(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => stream.try_write(bytes),
                written => written,
            },
            Self::Simulated(stream) => stream.try_write(bytes),
        }
    }

    pub(crate) fn try_write_vectored(&self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.try_write_vectored(buffers),
            Self::Simulated(stream) => {
                // A short write is allowed, so the first buffer with bytes will do.
                let first = buffers.iter().find(|buffer| !buffer.is_empty());
                first.map_or(Ok(0), |buffer| stream.try_write(buffer))
            }
        }
    }

    pub(crate) fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(stream) => stream.poll_read_ready(cx),
            Self::Simulated(stream) => stream.poll_read_ready(cx),
        }
    }

    pub(crate) fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(stream) => stream.poll_write_ready(cx),
            Self::Simulated(stream) => stream.poll_write_ready(cx),
        }
    }

    pub(crate) async fn readable(&self) -> io::Result<()> {
        poll_fn(|cx| self.poll_read_ready(cx)).await
    }

    pub(crate) async fn writable(&self) -> io::Result<()> {
        poll_fn(|cx| self.poll_write_ready(cx)).await
    }

    pub(crate) fn shutdown_write(&self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => SockRef::from(stream).shutdown(Shutdown::Write),
            Self::Simulated(stream) => stream.shutdown_write(),
        }
    }
}
