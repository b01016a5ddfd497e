//! A connection between a device and a gateway: two bounded buffers, that can be frozen and cut.

use std::{
    collections::VecDeque,
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    task::{Context, Poll, Waker},
};

use rpc::SimulatedStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes that may be on their way in one direction: less than socket buffers hold, so that a device that does not
/// read is noticed within a simulation.
const BUFFER_BYTES: usize = 2 << 10;

/// Both directions, and who waits.
#[derive(Debug, Default)]
struct Pipe {
    to_server: Half,
    to_client: Half,
    frozen: bool,
    cut: bool,
}

#[derive(Debug, Default)]
struct Half {
    bytes: VecDeque<u8>,
    /// The writer has closed.
    ended: bool,
    waiting: Vec<Waker>,
}

type Shared = Arc<Mutex<Pipe>>;

/// The side of the device.
#[derive(Debug)]
pub(crate) struct ClientEnd(Shared);

/// The side of the gateway.
#[derive(Debug)]
pub(crate) struct ServerEnd(Shared);

/// Somebody who can freeze and cut the connection.
#[derive(Debug, Clone)]
pub(crate) struct Grip(Weak<Mutex<Pipe>>);

/// A new connection.
pub(crate) fn pipe() -> (ClientEnd, ServerEnd, Grip) {
    let shared = Shared::default();
    let grip = Grip(Arc::downgrade(&shared));
    (ClientEnd(Arc::clone(&shared)), ServerEnd(shared), grip)
}

impl Grip {
    /// Nothing moves while it is frozen, and neither end is told.
    pub(crate) fn freeze(&self, frozen: bool) {
        self.change(|pipe| pipe.frozen = frozen);
    }

    /// Resets the connection for both ends. What was on its way is lost.
    pub(crate) fn cut(&self) {
        self.change(|pipe| pipe.cut = true);
    }

    /// Whether an end still holds it.
    pub(crate) fn is_open(&self) -> bool {
        self.0.upgrade().is_some()
    }

    fn change(&self, change: impl FnOnce(&mut Pipe)) {
        if let Some(shared) = self.0.upgrade() {
            let mut pipe = lock(&shared);
            change(&mut pipe);
            pipe.wake();
        }
    }
}

impl Pipe {
    fn wake(&mut self) {
        for half in [&mut self.to_server, &mut self.to_client] {
            half.waiting.drain(..).for_each(Waker::wake);
        }
    }
}

fn lock(shared: &Shared) -> MutexGuard<'_, Pipe> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn read(pipe: &mut Pipe, half: fn(&mut Pipe) -> &mut Half, buffer: &mut [u8]) -> io::Result<usize> {
    if pipe.cut {
        return Err(io::ErrorKind::ConnectionReset.into());
    }
    let frozen = pipe.frozen;
    let half = half(pipe);
    if frozen || (half.bytes.is_empty() && !half.ended) {
        return Err(io::ErrorKind::WouldBlock.into());
    }
    let count = buffer.len().min(half.bytes.len());
    for (to, from) in buffer.iter_mut().zip(half.bytes.drain(..count)) {
        *to = from;
    }
    half.waiting.drain(..).for_each(Waker::wake);
    Ok(count)
}

fn write(pipe: &mut Pipe, half: fn(&mut Pipe) -> &mut Half, bytes: &[u8]) -> io::Result<usize> {
    if pipe.cut {
        return Err(io::ErrorKind::ConnectionReset.into());
    }
    let half = half(pipe);
    if half.ended {
        return Err(io::ErrorKind::BrokenPipe.into());
    }
    let count = bytes.len().min(BUFFER_BYTES.saturating_sub(half.bytes.len()));
    if count == 0 && !bytes.is_empty() {
        return Err(io::ErrorKind::WouldBlock.into());
    }
    half.bytes.extend(bytes.iter().take(count));
    half.waiting.drain(..).for_each(Waker::wake);
    Ok(count)
}

/// Ready, or the task is woken when something changes.
fn ready(
    pipe: &mut Pipe,
    half: fn(&mut Pipe) -> &mut Half,
    cx: &Context<'_>,
    is: impl Fn(&Half, bool) -> bool,
) -> Poll<io::Result<()>> {
    let (cut, frozen) = (pipe.cut, pipe.frozen);
    let half = half(pipe);
    if cut || is(half, frozen) {
        return Poll::Ready(Ok(()));
    }
    half.waiting.push(cx.waker().clone());
    Poll::Pending
}

fn readable(half: &Half, frozen: bool) -> bool {
    !frozen && (half.ended || !half.bytes.is_empty())
}

fn writable(half: &Half, _frozen: bool) -> bool {
    half.ended || half.bytes.len() < BUFFER_BYTES
}

fn to_server(pipe: &mut Pipe) -> &mut Half {
    &mut pipe.to_server
}

fn to_client(pipe: &mut Pipe) -> &mut Half {
    &mut pipe.to_client
}

/// An end is gone: the other reads the rest and then the end, and writes to nobody.
fn leave(shared: &Shared) {
    let mut pipe = lock(shared);
    pipe.to_server.ended = true;
    pipe.to_client.ended = true;
    pipe.wake();
}

impl SimulatedStream for ServerEnd {
    fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        read(&mut lock(&self.0), to_server, buffer)
    }

    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        write(&mut lock(&self.0), to_client, bytes)
    }

    fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready(&mut lock(&self.0), to_server, cx, readable)
    }

    fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready(&mut lock(&self.0), to_client, cx, writable)
    }

    fn shutdown_write(&self) -> io::Result<()> {
        let mut pipe = lock(&self.0);
        pipe.to_client.ended = true;
        pipe.wake();
        Ok(())
    }
}

impl Drop for ServerEnd {
    fn drop(&mut self) {
        leave(&self.0);
    }
}

impl Drop for ClientEnd {
    fn drop(&mut self) {
        leave(&self.0);
    }
}

impl AsyncRead for ClientEnd {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut pipe = lock(&self.0);
        let mut bytes = [0; 4_096];
        let most = bytes.len().min(buffer.remaining());
        let room = bytes.get_mut(..most).unwrap_or_default();
        match read(&mut pipe, to_client, room) {
            Ok(count) => {
                buffer.put_slice(room.get(..count).unwrap_or_default());
                Poll::Ready(Ok(()))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                ready(&mut pipe, to_client, cx, readable).map(|_| Ok(()))
            }
            Err(error) => Poll::Ready(Err(error)),
        }
    }
}

impl AsyncWrite for ClientEnd {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut pipe = lock(&self.0);
        match write(&mut pipe, to_server, bytes) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                ready(&mut pipe, to_server, cx, writable).map(|_| Ok(0))
            }
            result => Poll::Ready(result),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut pipe = lock(&self.0);
        pipe.to_server.ended = true;
        pipe.wake();
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn bytes_arrive_in_order_and_the_buffer_is_bounded() {
        let (mut client, server, _grip) = pipe();
        client.write_all(b"hello").await.unwrap();
        let mut buffer = [0; 16];
        assert_eq!(server.try_read(&mut buffer).unwrap(), 5);
        assert_eq!(&buffer[..5], b"hello");
        assert_eq!(server.try_read(&mut buffer).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        assert_eq!(server.try_write(&vec![7; BUFFER_BYTES + 1]).unwrap(), BUFFER_BYTES);
        assert_eq!(server.try_write(b"x").unwrap_err().kind(), io::ErrorKind::WouldBlock);
        let mut all = vec![0; BUFFER_BYTES];
        client.read_exact(&mut all).await.unwrap();
        assert!(all.iter().all(|byte| *byte == 7));
        assert_eq!(server.try_write(b"x").unwrap(), 1);
    }

    #[tokio::test]
    async fn a_frozen_pipe_holds_its_bytes_and_a_cut_one_loses_them() {
        let (mut client, server, grip) = pipe();
        server.try_write(b"a").unwrap();
        grip.freeze(true);
        let mut byte = [0];
        let waited = tokio::time::timeout(std::time::Duration::from_millis(5), client.read(&mut byte)).await;
        assert!(waited.is_err(), "a frozen pipe gave {waited:?}");
        grip.freeze(false);
        assert_eq!(client.read(&mut byte).await.unwrap(), 1);
        server.try_write(b"b").unwrap();
        grip.cut();
        assert_eq!(client.read(&mut byte).await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    }

    #[tokio::test]
    async fn the_end_is_read_after_the_rest() {
        let (mut client, server, _grip) = pipe();
        server.try_write(b"rest").unwrap();
        drop(server);
        let mut rest = Vec::new();
        client.read_to_end(&mut rest).await.unwrap();
        assert_eq!(rest, b"rest");
    }
}
