//! RFC 6455 frames: any bytes in any cuts, beside what tungstenite makes of the same bytes.

use std::io::{self, Cursor, Read, Write};

use bytes::BytesMut;
use fuzz::{FLAT, Random, fuzz, linear};
use gateway::codec::{Decoder, Message, Opcode, close_frame, frame, put_header};
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocket, WebSocketConfig};
use tokio_tungstenite::tungstenite::{self, Error, error::ProtocolError};

/// Largest message of the tests.
const LIMIT: usize = 4_096;

/// A client's frame.
fn client(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [0x37, 0xfa, 0x21, 0x3d];
    let mut out = vec![first];
    match u8::try_from(payload.len()) {
        Ok(short) if short < 126 => out.push(0x80 | short),
        _ => {
            out.push(0x80 | 126);
            out.extend(u16::try_from(payload.len()).unwrap().to_be_bytes());
        }
    }
    out.extend(mask);
    out.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    out
}

fn corpus() -> Vec<Vec<u8>> {
    vec![
        client(0x81, br#"{"type":"ping","id":1}"#),
        [client(0x01, "hé".as_bytes()), client(0x89, b"now"), client(0x80, "llo €".as_bytes())].concat(),
        [client(0x82, &[0, 1, 2, 255]), client(0x8a, b"")].concat(),
        [client(0x81, b"bye"), client(0x88, &[0x03, 0xe8, b'o', b'k'])].concat(),
        [client(0x02, &[7; 300]), client(0x00, &[8; 300]), client(0x80, &[9; 300])].concat(),
        client(0x88, b""),
        vec![0x81, 0xff, 0, 0, 0, 0, 0, 0, 0x10, 0x01, 1, 2, 3, 4],
    ]
}

/// How a stream went: what was said, and whether the rules were kept to its end.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Heard {
    said: Vec<Said>,
    end: End,
}

#[derive(Debug, PartialEq, Eq, Hash)]
enum Said {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum End {
    /// The bytes are used up.
    Open,
    /// A close frame came, with this code to answer with.
    Closed(u16),
    /// The rules were broken.
    Broken,
}

/// Our reader, fed in pieces.
fn ours(pieces: &[&[u8]]) -> Heard {
    let mut decoder = Decoder::new(LIMIT);
    let mut said = Vec::new();
    for piece in pieces {
        let mut rest = *piece;
        loop {
            match decoder.next(rest) {
                Ok(Some((message, left))) => {
                    rest = left;
                    said.push(match message {
                        Message::Text(text) => Said::Text(text),
                        Message::Binary(bytes) => Said::Binary(bytes),
                        Message::Ping(bytes) => Said::Ping(bytes),
                        Message::Pong => Said::Pong,
                        Message::Close(code) => return Heard { said, end: End::Closed(code) },
                    });
                }
                Ok(None) => break,
                Err(_) => return Heard { said, end: End::Broken },
            }
        }
    }
    Heard { said, end: End::Open }
}

/// Bytes that come, and nobody who hears the answers.
struct OneWay<'a>(Cursor<&'a [u8]>);

impl Read for OneWay<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for OneWay<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// tungstenite's reader.
fn theirs(bytes: &[u8], role: Role) -> Heard {
    let config = WebSocketConfig::default()
        .max_message_size(Some(LIMIT))
        .max_frame_size(Some(LIMIT))
        .read_buffer_size(1_024);
    let mut socket = WebSocket::from_raw_socket(OneWay(Cursor::new(bytes)), role, Some(config));
    let mut said = Vec::new();
    loop {
        let end = match socket.read() {
            Ok(tungstenite::Message::Text(text)) => {
                said.push(Said::Text(text.to_string()));
                continue;
            }
            Ok(tungstenite::Message::Binary(bytes)) => {
                said.push(Said::Binary(bytes.to_vec()));
                continue;
            }
            Ok(tungstenite::Message::Ping(bytes)) => {
                said.push(Said::Ping(bytes.to_vec()));
                continue;
            }
            Ok(tungstenite::Message::Pong(_)) => {
                said.push(Said::Pong);
                continue;
            }
            Ok(tungstenite::Message::Close(close)) => {
                End::Closed(close.map_or(1000, |frame| u16::from(frame.code)))
            }
            Ok(tungstenite::Message::Frame(_)) => continue,
            Err(Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)) => End::Open,
            Err(_) => End::Broken,
        };
        return Heard { said, end };
    }
}

#[test]
fn any_bytes_in_any_cuts_are_read_as_tungstenite_reads_them() {
    let corpus = corpus();
    let corpus: Vec<&[u8]> = corpus.iter().map(Vec::as_slice).collect();
    fuzz("frames", FLAT, &corpus, &["\u{81}", "\u{0}"], |bytes| {
        let whole = ours(&[bytes]);
        // The cuts follow from the bytes, so that a found input fails again.
        let mut random =
            Random::new(bytes.iter().fold(7, |sum, byte| sum * 31 % 1_000_003 + u64::from(*byte)));
        let mut pieces = Vec::new();
        let mut rest = bytes;
        while !rest.is_empty() {
            let (piece, left) = rest.split_at((1 + random.below(9)).min(rest.len()));
            pieces.push(piece);
            rest = left;
        }
        assert_eq!(ours(&pieces), whole, "the cuts matter");
        let other = theirs(bytes, Role::Server);
        match (whole.end, other.end) {
            // Ours refuses by the header, and a text by its first bad byte; theirs waits for the whole frame, and
            // tells of what came before it was refused.
            (End::Broken, End::Open) => assert_eq!(whole.said, other.said),
            // What close codes may be said differs by what was registered since.
            (End::Closed(_) | End::Broken, End::Closed(_) | End::Broken) => {
                assert_eq!(whole.said, other.said)
            }
            _ => assert_eq!(whole, other),
        }
        whole
    });
}

#[test]
fn what_the_server_writes_is_read_by_a_client() {
    fuzz(
        "server frames",
        FLAT,
        &[b"hello", &[0xe2, 0x82, 0xac], &[b'x'; 126], &[b'x'; 4_096]],
        &["é"],
        |bytes| {
            let text = fuzz::text(bytes);
            let mut end = text.len().min(LIMIT);
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            let text = &text[..end];
            let mut out = BytesMut::new();
            put_header(&mut out, Opcode::Text, text.len());
            out.extend_from_slice(text.as_bytes());
            out.extend_from_slice(&frame(Opcode::Ping, &text.as_bytes()[..text.len().min(125)]));
            out.extend_from_slice(&close_frame(4_000, text));
            let heard = theirs(&out, Role::Client);
            let ping = text.as_bytes()[..text.len().min(125)].to_vec();
            assert_eq!(heard.said, [Said::Text(text.to_owned()), Said::Ping(ping)]);
            assert_eq!(heard.end, End::Closed(4_000));
            text.len() % 64
        },
    );
}

#[test]
fn hostile_streams_take_no_longer_than_their_length() {
    let read = |bytes: &[u8]| {
        let mut decoder = Decoder::new(16 << 20);
        for mut piece in bytes.chunks(1_400) {
            while let Some((_, rest)) = decoder.next(piece).unwrap() {
                piece = rest;
            }
        }
    };
    linear(
        "empty fragments",
        |size| [client(0x01, b"a"), client(0x00, b"").repeat(size)].concat(),
        1 << 18,
        read,
    );
    linear(
        "fragments of a byte",
        |size| [client(0x01, b"a"), client(0x00, b"b").repeat(size)].concat(),
        1 << 18,
        read,
    );
    linear(
        "pings between fragments",
        |size| [client(0x01, b"a"), client(0x89, b"b").repeat(size)].concat(),
        1 << 18,
        read,
    );
    linear(
        "halves of characters",
        |size| {
            let halves = [client(0x00, &[0xe2]), client(0x00, &[0x82, 0xac])].concat();
            [client(0x01, b"a"), halves.repeat(size)].concat()
        },
        1 << 17,
        read,
    );
}
