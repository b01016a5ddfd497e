//! The limit: a server that knows no sessions, order or queues, and writes one constant frame to every socket.
//!
//! It is a process of its own on the core that the measured server has in its turn. A byte on the socket that was
//! opened at `/pub` asks for one frame on each of the others; what was asked for meanwhile goes out together, up to
//! [`COALESCE_MAX`] frames in one system call.

use std::{
    io::{ErrorKind, Read, Write},
    net::{TcpListener, TcpStream},
};

use anyhow::Result;
use mio::{Events, Interest, Poll, Token};

use crate::{frames, measure};

/// Most frames of one write.
const COALESCE_MAX: usize = 32;
const HANDSHAKE: &[u8] =
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n";

/// A socket that gets frames.
struct Reader {
    stream: mio::net::TcpStream,
    /// Frames that it is still to get, and bytes of the first that were written.
    owed: usize,
    written: usize,
}

/// Runs the limit's server until its publisher goes.
///
/// # Errors
/// The system's.
pub(crate) fn serve(bytes: usize) -> Result<()> {
    measure::raise_open_files();
    let listener = TcpListener::bind("127.0.0.1:0")?;
    writeln!(std::io::stdout(), "{}", listener.local_addr()?)?;
    let one = frames::unmasked(&vec![b'x'; bytes]);
    let many = one.repeat(COALESCE_MAX);
    let mut readers = Vec::new();
    let mut publisher = loop {
        let (mut stream, _) = listener.accept()?;
        let mut request = [0; 2_048];
        let count = stream.read(&mut request)?;
        stream.write_all(HANDSHAKE)?;
        if request.get(..count).is_some_and(|request| request.starts_with(b"GET /pub")) {
            break stream;
        }
        readers.push(reader(stream)?);
    };
    let mut poll = Poll::new()?;
    for (number, reader) in readers.iter_mut().enumerate() {
        poll.registry().register(&mut reader.stream, Token(number), Interest::WRITABLE)?;
    }
    let mut events = Events::with_capacity(1_024);
    let mut asked = [0; 4_096];
    loop {
        let count = publisher.read(&mut asked)?;
        if count == 0 {
            return Ok(());
        }
        let mut behind = 0;
        for reader in &mut readers {
            reader.owed += count;
            behind += usize::from(!flush(reader, &one, &many)?);
        }
        while behind > 0 {
            poll.poll(&mut events, None)?;
            for event in &events {
                let Some(reader) = readers.get_mut(event.token().0).filter(|reader| reader.owed > 0) else {
                    continue;
                };
                behind -= usize::from(flush(reader, &one, &many)?);
            }
        }
    }
}

fn reader(stream: TcpStream) -> Result<Reader> {
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)?;
    Ok(Reader { stream: mio::net::TcpStream::from_std(stream), owed: 0, written: 0 })
}

/// Writes what is owed as far as the socket takes it; whether that was all.
fn flush(reader: &mut Reader, one: &[u8], many: &[u8]) -> Result<bool> {
    while reader.owed > 0 {
        let end = reader.owed.min(COALESCE_MAX) * one.len();
        match reader.stream.write(many.get(reader.written..end).unwrap_or_default()) {
            Ok(count) => {
                let done = reader.written + count;
                reader.owed -= done / one.len();
                reader.written = done % one.len();
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(true)
}
