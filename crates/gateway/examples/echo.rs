//! Echoes WebSocket messages through the gateway's own codec, for conformance suites.
//!
//! `cargo run -p gateway --example echo -- 127.0.0.1:9001`. Compression is not offered.

use std::{env, io};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use gateway::codec::{self, Decoder, Message, Opcode};
use sha1::{Digest as _, Sha1};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// Largest message that is echoed, bytes: the suite sends up to 16 MiB.
const MESSAGE_BYTES_MAX: usize = 32 << 20;
/// Largest handshake, bytes.
const HANDSHAKE_BYTES_MAX: usize = 16 << 10;
/// What RFC 6455 appends to the key.
const ACCEPT_SUFFIX: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:0".to_owned());
    let listener = TcpListener::bind(address).await?;
    // Whoever started this reads the port here.
    tokio::io::stdout().write_all(format!("{}\n", listener.local_addr()?).as_bytes()).await?;
    tokio::io::stdout().flush().await?;
    loop {
        let (socket, _) = listener.accept().await?;
        tokio::spawn(async move {
            // A peer that breaks off is the suite's business.
            let _ = echo(socket).await;
        });
    }
}

async fn echo(mut socket: TcpStream) -> io::Result<()> {
    let Some(early) = shake_hands(&mut socket).await? else { return Ok(()) };
    let mut decoder = Decoder::new(MESSAGE_BYTES_MAX);
    let mut buffer = vec![0; 64 << 10];
    let mut input = early;
    loop {
        let mut rest = input.as_slice();
        loop {
            let out = match decoder.next(rest) {
                Ok(None) => break,
                Ok(Some((message, left))) => {
                    rest = left;
                    match message {
                        Message::Text(text) => codec::frame(Opcode::Text, text.as_bytes()),
                        Message::Binary(bytes) => codec::frame(Opcode::Binary, &bytes),
                        Message::Ping(payload) => codec::frame(Opcode::Pong, &payload),
                        Message::Pong => continue,
                        Message::Close(code) => return finish(socket, code).await,
                    }
                }
                Err(error) => return finish(socket, error.code()).await,
            };
            socket.write_all(&out).await?;
        }
        let count = socket.read(&mut buffer).await?;
        if count == 0 {
            return Ok(());
        }
        input = buffer.get(..count).unwrap_or_default().to_vec();
    }
}

/// Closes, and reads what the peer still sends so that it sees the close frame.
async fn finish(mut socket: TcpStream, code: u16) -> io::Result<()> {
    socket.write_all(&codec::close_frame(code, "")).await?;
    socket.shutdown().await?;
    let mut ignored = [0; 1024];
    while socket.read(&mut ignored).await? > 0 {}
    Ok(())
}

/// Answers the handshake. Returns what came after it.
async fn shake_hands(socket: &mut TcpStream) -> io::Result<Option<Vec<u8>>> {
    let mut request = Vec::new();
    let end = loop {
        if let Some(end) = memchr::memmem::find(&request, b"\r\n\r\n") {
            break end + 4;
        }
        if request.len() > HANDSHAKE_BYTES_MAX || socket.read_buf(&mut request).await? == 0 {
            return Ok(None);
        }
    };
    let early = request.split_off(end);
    let text = String::from_utf8_lossy(&request).into_owned();
    let key = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("sec-websocket-key").then(|| value.trim())
    });
    let Some(key) = key else { return Ok(None) };
    let accept = BASE64_STANDARD.encode(Sha1::digest(format!("{key}{ACCEPT_SUFFIX}")));
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    socket.write_all(answer.as_bytes()).await?;
    Ok(Some(early))
}
