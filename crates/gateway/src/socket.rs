//! A session's connection.

use std::{
    io::{self, IoSlice},
    time::Duration,
};

use bytes::{Buf, Bytes};
use rpc::AdoptedStream;
use tokio::{task::AbortHandle, time::timeout};

use crate::{outbox::Sink, stream::Stream};

/// How long the rest of a closed session may take to be written.
const WRITE_REST_WITHIN: Duration = Duration::from_secs(5);
/// How long the peer has to close its side after us. Closing with unread bytes would reset the connection,
/// and the peer might lose the close frame.
const PEER_CLOSES_WITHIN: Duration = Duration::from_secs(2);

/// The connection and the tasks that wait for it.
#[derive(Debug)]
pub(crate) struct Socket {
    /// The connection.
    pub(crate) stream: Stream,
    reader: Option<AbortHandle>,
    flusher: Option<AbortHandle>,
}

impl Socket {
    /// Takes over a connection.
    ///
    /// # Errors
    /// What the kernel says.
    pub(crate) fn adopt(stream: AdoptedStream, send_buffer_bytes: usize) -> io::Result<Self> {
        Ok(Self { stream: Stream::adopt(stream, send_buffer_bytes)?, reader: None, flusher: None })
    }

    /// The task that reads; it ends with the socket.
    pub(crate) fn set_reader(&mut self, task: AbortHandle) {
        self.reader = Some(task);
    }

    /// The task that writes when the socket takes more; it ends with the socket.
    pub(crate) fn set_flusher(&mut self, task: AbortHandle) {
        self.flusher = Some(task);
    }

    /// Writes the rest, then closes in a way that the peer sees it.
    pub(crate) async fn linger(mut self, rest: Bytes) {
        self.end_tasks();
        if timeout(WRITE_REST_WITHIN, self.write_all(rest)).await.is_ok_and(|result| result.is_ok())
            && self.stream.shutdown_write().is_ok()
        {
            // Whether the peer closes in time changes nothing.
            let _ = timeout(PEER_CLOSES_WITHIN, self.read_to_end()).await;
        }
    }

    async fn write_all(&self, mut rest: Bytes) -> io::Result<()> {
        while rest.has_remaining() {
            self.stream.writable().await?;
            match self.stream.try_write(&rest) {
                Ok(written) => rest.advance(written),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn read_to_end(&self) -> io::Result<()> {
        let mut ignored = [0; 1024];
        loop {
            self.stream.readable().await?;
            match self.stream.try_read(&mut ignored) {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn end_tasks(&mut self) {
        for task in [self.reader.take(), self.flusher.take()].into_iter().flatten() {
            task.abort();
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // Nobody else would wake them.
        self.end_tasks();
    }
}

impl Sink for Socket {
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.try_write(bytes)
    }

    fn try_write_vectored(&self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        self.stream.try_write_vectored(buffers)
    }
}
