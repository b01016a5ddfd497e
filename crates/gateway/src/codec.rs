//! RFC 6455 frames: an incremental decoder of what clients send, and the encoder of what servers send.
//!
//! The decoder is fed whatever a read returned and keeps only what is unfinished, so an idle connection
//! holds no buffer. Text is checked as it arrives: a bad byte is refused before its message is complete.

use bytes::{BufMut, Bytes, BytesMut};

/// Longest payload of a control frame (RFC 6455, 5.5).
pub const CONTROL_BYTES_MAX: usize = 125;
/// Longest header of a server's frame: two bytes and a 64-bit length.
pub const HEADER_BYTES_MAX: usize = 10;

/// Close codes of RFC 6455 that a server says on its own account.
pub mod close {
    /// The purpose is fulfilled.
    pub const NORMAL: u16 = 1000;
    /// The peer broke the framing rules.
    pub const PROTOCOL: u16 = 1002;
    /// A kind of data that is not taken (binary).
    pub const UNSUPPORTED: u16 = 1003;
    /// Text that is not UTF-8.
    pub const INVALID_TEXT: u16 = 1007;
    /// The message is larger than the limit.
    pub const TOO_BIG: u16 = 1009;
}

/// Kind of frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opcode {
    /// The next part of a message.
    Continuation,
    /// UTF-8 text.
    Text,
    /// Bytes.
    Binary,
    /// The last frame of a connection.
    Close,
    /// Asks for a pong.
    Ping,
    /// Answers a ping.
    Pong,
}

impl Opcode {
    const fn from_bits(bits: u8) -> Option<Self> {
        Some(match bits {
            0 => Self::Continuation,
            1 => Self::Text,
            2 => Self::Binary,
            8 => Self::Close,
            9 => Self::Ping,
            10 => Self::Pong,
            _ => return None,
        })
    }

    const fn bits(self) -> u8 {
        match self {
            Self::Continuation => 0,
            Self::Text => 1,
            Self::Binary => 2,
            Self::Close => 8,
            Self::Ping => 9,
            Self::Pong => 10,
        }
    }

    const fn is_control(self) -> bool {
        self.bits() >= 8
    }
}

/// What a client said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// A whole text message.
    Text(String),
    /// A whole binary message.
    Binary(Vec<u8>),
    /// A ping and its payload.
    Ping(Vec<u8>),
    /// A pong; its payload does not matter here.
    Pong,
    /// The client closes. The code to answer with: its own, or [`close::NORMAL`] if it gave none.
    Close(u16),
}

/// Why a connection must be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Reserved bits or opcodes, unmasked frames, bad fragments, bad close frames.
    #[error("the framing rules were broken")]
    Protocol,
    /// Text that is not UTF-8.
    #[error("text that is not UTF-8")]
    InvalidText,
    /// A message over the limit.
    #[error("a message over the limit")]
    TooBig,
}

impl DecodeError {
    /// The close code to answer with.
    #[must_use]
    pub const fn code(self) -> u16 {
        match self {
            Self::Protocol => close::PROTOCOL,
            Self::InvalidText => close::INVALID_TEXT,
            Self::TooBig => close::TOO_BIG,
        }
    }
}

/// Turns a byte stream into messages.
#[derive(Debug)]
pub struct Decoder {
    message_bytes_max: usize,
    /// The header so far, while it is incomplete.
    header: [u8; 14],
    header_len: u8,
    /// The frame whose payload is being read.
    frame: Option<FrameState>,
    /// Opcode of the unfinished message.
    message: Option<Opcode>,
    /// Payload of the unfinished message.
    payload: Vec<u8>,
    /// How much of `payload` is known to be whole UTF-8 characters.
    text_checked: usize,
    /// Payload of the unfinished control frame.
    control: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
struct FrameState {
    opcode: Opcode,
    fin: bool,
    mask: [u8; 4],
    /// Place in the mask of the next byte.
    phase: usize,
    left: usize,
}

impl Decoder {
    /// A decoder that refuses messages of more than `message_bytes_max` bytes.
    #[must_use]
    pub fn new(message_bytes_max: usize) -> Self {
        Self {
            message_bytes_max,
            header: [0; 14],
            header_len: 0,
            frame: None,
            message: None,
            payload: Vec::new(),
            text_checked: 0,
            control: Vec::new(),
        }
    }

    /// Takes bytes and returns the first message that they complete, with what is left of the bytes.
    /// Call again with the rest until it returns `None`.
    ///
    /// # Errors
    /// [`DecodeError`]: the connection is of no more use.
    pub fn next<'a>(&mut self, mut data: &'a [u8]) -> Result<Option<(Message, &'a [u8])>, DecodeError> {
        loop {
            let frame = match self.frame {
                Some(frame) => frame,
                None => {
                    let Some((frame, rest)) = self.read_header(data)? else { return Ok(None) };
                    data = rest;
                    frame
                }
            };
            let (now, rest) = data.split_at_checked(frame.left).unwrap_or((data, &[]));
            data = rest;
            self.take_payload(frame, now)?;
            if now.len() < frame.left {
                self.frame = Some(FrameState {
                    left: frame.left - now.len(),
                    phase: (frame.phase + now.len()) % 4,
                    ..frame
                });
                return Ok(None);
            }
            self.frame = None;
            if let Some(message) = self.finish_frame(frame)? {
                return Ok(Some((message, data)));
            }
        }
    }

    /// Reads a frame header, or keeps what there is of one.
    fn read_header<'a>(&mut self, data: &'a [u8]) -> Result<Option<(FrameState, &'a [u8])>, DecodeError> {
        for (used, &byte) in data.iter().enumerate() {
            let at = usize::from(self.header_len);
            if let Some(place) = self.header.get_mut(at) {
                *place = byte;
            }
            self.header_len += 1;
            if at + 1 == 2 {
                self.check_start()?;
            }
            if let Some(frame) = self.whole_header()? {
                self.header_len = 0;
                return Ok(Some((frame, data.get(used + 1..).unwrap_or_default())));
            }
        }
        Ok(None)
    }

    /// Checks what the first two bytes decide.
    fn check_start(&self) -> Result<(), DecodeError> {
        let [first, second, ..] = self.header;
        let opcode = Opcode::from_bits(first & 0x0f).ok_or(DecodeError::Protocol)?;
        let (fin, length) = (first & 0x80 != 0, second & 0x7f);
        let reserved = first & 0x70 != 0;
        let unmasked = second & 0x80 == 0;
        let bad_control = opcode.is_control() && (!fin || usize::from(length) > CONTROL_BYTES_MAX);
        let bad_fragment = match opcode {
            Opcode::Continuation => self.message.is_none(),
            Opcode::Text | Opcode::Binary => self.message.is_some(),
            Opcode::Close | Opcode::Ping | Opcode::Pong => false,
        };
        if reserved || unmasked || bad_control || bad_fragment {
            return Err(DecodeError::Protocol);
        }
        Ok(())
    }

    /// The header as a value, once it is complete.
    fn whole_header(&self) -> Result<Option<FrameState>, DecodeError> {
        let have = usize::from(self.header_len);
        if have < 2 {
            return Ok(None);
        }
        let [first, second, rest @ ..] = &self.header;
        let (extended, length) = match second & 0x7f {
            126 => {
                let [a, b, ..] = *rest;
                (2, u64::from(u16::from_be_bytes([a, b])))
            }
            127 => {
                let [a, b, c, d, e, f, g, h, ..] = *rest;
                (8, u64::from_be_bytes([a, b, c, d, e, f, g, h]))
            }
            short => (0, u64::from(short)),
        };
        if have < 2 + extended + 4 {
            return Ok(None);
        }
        if length >> 63 != 0 {
            return Err(DecodeError::Protocol);
        }
        let opcode = Opcode::from_bits(first & 0x0f).ok_or(DecodeError::Protocol)?;
        let left = usize::try_from(length).map_err(|_| DecodeError::TooBig)?;
        if !opcode.is_control() && left > self.message_bytes_max.saturating_sub(self.payload.len()) {
            return Err(DecodeError::TooBig);
        }
        let mut mask = [0; 4];
        if let Some(bytes) = rest.get(extended..extended + 4) {
            mask.copy_from_slice(bytes);
        }
        Ok(Some(FrameState { opcode, fin: first & 0x80 != 0, mask, phase: 0, left }))
    }

    /// Unmasks and keeps payload bytes, and checks text as far as it goes.
    fn take_payload(&mut self, frame: FrameState, data: &[u8]) -> Result<(), DecodeError> {
        let kept = if frame.opcode.is_control() { &mut self.control } else { &mut self.payload };
        let start = kept.len();
        kept.extend_from_slice(data);
        let mut mask = frame.mask;
        mask.rotate_left(frame.phase);
        let mut words = kept.get_mut(start..).unwrap_or_default().chunks_exact_mut(4);
        for word in &mut words {
            word.iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
        }
        words.into_remainder().iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
        let is_text = match frame.opcode {
            Opcode::Text => true,
            Opcode::Continuation => self.message == Some(Opcode::Text),
            Opcode::Binary | Opcode::Close | Opcode::Ping | Opcode::Pong => false,
        };
        if is_text { self.check_text() } else { Ok(()) }
    }

    /// Checks the part of the payload that was not checked yet; an unfinished character may follow.
    fn check_text(&mut self) -> Result<(), DecodeError> {
        let unchecked = self.payload.get(self.text_checked..).unwrap_or_default();
        match std::str::from_utf8(unchecked) {
            Ok(_) => self.text_checked = self.payload.len(),
            Err(error) if error.error_len().is_none() => self.text_checked += error.valid_up_to(),
            Err(_) => return Err(DecodeError::InvalidText),
        }
        Ok(())
    }

    /// Ends a frame; returns the message if that ends one too.
    fn finish_frame(&mut self, frame: FrameState) -> Result<Option<Message>, DecodeError> {
        match frame.opcode {
            Opcode::Ping => Ok(Some(Message::Ping(std::mem::take(&mut self.control)))),
            Opcode::Pong => {
                self.control = Vec::new();
                Ok(Some(Message::Pong))
            }
            Opcode::Close => {
                close_code(&std::mem::take(&mut self.control)).map(|code| Some(Message::Close(code)))
            }
            Opcode::Text | Opcode::Binary | Opcode::Continuation => {
                let kind = *self.message.get_or_insert(frame.opcode);
                if !frame.fin {
                    return Ok(None);
                }
                self.message = None;
                self.text_checked = 0;
                let payload = std::mem::take(&mut self.payload);
                Ok(Some(match kind {
                    Opcode::Text => {
                        Message::Text(String::from_utf8(payload).map_err(|_| DecodeError::InvalidText)?)
                    }
                    _ => Message::Binary(payload),
                }))
            }
        }
    }
}

/// Checks the payload of a close frame and says which code to answer with.
fn close_code(payload: &[u8]) -> Result<u16, DecodeError> {
    let (code, reason) = match payload {
        [] => return Ok(close::NORMAL),
        [_] => return Err(DecodeError::Protocol),
        [a, b, reason @ ..] => (u16::from_be_bytes([*a, *b]), reason),
    };
    if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return Err(DecodeError::Protocol);
    }
    std::str::from_utf8(reason).map_err(|_| DecodeError::InvalidText)?;
    Ok(code)
}

/// Appends the header of an unfragmented server frame.
pub fn put_header(out: &mut BytesMut, opcode: Opcode, payload_bytes: usize) {
    out.put_u8(0x80 | opcode.bits());
    match (u8::try_from(payload_bytes), u16::try_from(payload_bytes)) {
        (Ok(short), _) if short < 126 => out.put_u8(short),
        (_, Ok(medium)) => {
            out.put_u8(126);
            out.put_u16(medium);
        }
        _ => {
            out.put_u8(127);
            out.put_u64(u64::try_from(payload_bytes).unwrap_or(u64::MAX));
        }
    }
}

/// A whole frame.
#[must_use]
pub fn frame(opcode: Opcode, payload: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(HEADER_BYTES_MAX + payload.len());
    put_header(&mut out, opcode, payload.len());
    out.extend_from_slice(payload);
    out.freeze()
}

/// A close frame. The reason is cut to what fits a control frame.
#[must_use]
pub fn close_frame(code: u16, reason: &str) -> Bytes {
    let mut end = reason.len().min(CONTROL_BYTES_MAX - 2);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    let mut payload = code.to_be_bytes().to_vec();
    payload.extend_from_slice(reason.get(..end).unwrap_or_default().as_bytes());
    frame(Opcode::Close, &payload)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A client's frame, masked.
    fn client(first: u8, payload: &[u8]) -> Vec<u8> {
        let mask = [0x11, 0x22, 0x33, 0xff];
        let mut out = vec![first];
        match payload.len() {
            short @ ..126 => out.push(0x80 | u8::try_from(short).unwrap()),
            medium @ 126..65_536 => {
                out.push(0x80 | 126);
                out.extend(u16::try_from(medium).unwrap().to_be_bytes());
            }
            long => {
                out.push(0x80 | 127);
                out.extend((long as u64).to_be_bytes());
            }
        }
        out.extend(mask);
        out.extend(payload.iter().enumerate().map(|(at, byte)| byte ^ mask[at % 4]));
        out
    }

    fn decode(limit: usize, pieces: &[&[u8]]) -> Result<Vec<Message>, DecodeError> {
        let mut decoder = Decoder::new(limit);
        let mut messages = Vec::new();
        for piece in pieces {
            let mut rest = *piece;
            while let Some((message, left)) = decoder.next(rest)? {
                messages.push(message);
                rest = left;
            }
        }
        Ok(messages)
    }

    #[test]
    fn control_frames_may_come_between_fragments() {
        let mut bytes = client(0x01, b"he");
        bytes.extend(client(0x89, b"now"));
        bytes.extend(client(0x80, b"llo"));
        let expect = vec![Message::Ping(b"now".to_vec()), Message::Text("hello".into())];
        assert_eq!(decode(64, &[&bytes]), Ok(expect.clone()));
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(decode(64, &single), Ok(expect));
    }

    #[test]
    fn what_breaks_the_rules_is_refused() {
        let long_ping = client(0x89, &[b'x'; 126]);
        for (name, bytes, expect) in [
            ("reserved bit", client(0xc1, b"x"), DecodeError::Protocol),
            ("reserved opcode", client(0x83, b""), DecodeError::Protocol),
            ("fragmented ping", client(0x09, b""), DecodeError::Protocol),
            ("long ping", long_ping, DecodeError::Protocol),
            ("unmasked", vec![0x81, 0x01, b'x'], DecodeError::Protocol),
            ("continuation of nothing", client(0x80, b"x"), DecodeError::Protocol),
            ("text inside a text", [client(0x01, b"a"), client(0x81, b"b")].concat(), DecodeError::Protocol),
            (
                "64-bit length with the top bit",
                vec![0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
                DecodeError::Protocol,
            ),
            ("over the limit", client(0x82, &[0; 65]), DecodeError::TooBig),
            (
                "over the limit in parts",
                [client(0x02, &[0; 40]), client(0x80, &[0; 40])].concat(),
                DecodeError::TooBig,
            ),
            ("not UTF-8", client(0x81, &[0xc0, 0x80]), DecodeError::InvalidText),
            ("cut character at the end", client(0x81, &[0xe2, 0x82]), DecodeError::InvalidText),
            ("close of one byte", client(0x88, &[3]), DecodeError::Protocol),
            ("close code 1005", client(0x88, &1005_u16.to_be_bytes()), DecodeError::Protocol),
            ("close code 5000", client(0x88, &5000_u16.to_be_bytes()), DecodeError::Protocol),
            ("close reason not UTF-8", client(0x88, &[3, 232, 0xff]), DecodeError::InvalidText),
        ] {
            assert_eq!(decode(64, &[&bytes]), Err(expect), "{name}");
        }
    }

    #[test]
    fn a_bad_byte_is_refused_before_its_message_ends() {
        // A frame that says 60 bytes, of which only the first few came.
        let whole = client(0x01, &[b'a', 0xf4, 0x90, b'z', b'z', b'z']);
        assert_eq!(decode(64, &[&whole[..whole.len() - 3]]), Err(DecodeError::InvalidText));
    }

    #[test]
    fn a_close_is_answered_with_its_code() {
        assert_eq!(decode(64, &[&client(0x88, b"")]), Ok(vec![Message::Close(1000)]));
        assert_eq!(decode(64, &[&client(0x88, &4321_u16.to_be_bytes())]), Ok(vec![Message::Close(4321)]));
    }

    #[test]
    fn server_headers_use_the_shortest_length() {
        for (bytes, header) in [(0, 2), (125, 2), (126, 4), (65_535, 4), (65_536, 10)] {
            assert_eq!(frame(Opcode::Text, &vec![b'x'; bytes]).len(), header + bytes);
        }
        assert_eq!(close_frame(4000, &"ä".repeat(100)).len(), 2 + 2 + 122);
    }

    proptest! {
        /// However the bytes are cut, the messages are the same.
        #[test]
        fn cuts_do_not_matter(
            texts in prop::collection::vec(".{0,200}", 1..6),
            cuts in prop::collection::vec(1_usize..90, 1..40),
        ) {
            let mut bytes = Vec::new();
            for text in &texts {
                let middle = (0..=text.len() / 2).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
                let (a, b) = text.split_at(middle);
                bytes.extend(client(0x01, a.as_bytes()));
                bytes.extend(client(0x80, b.as_bytes()));
            }
            let mut pieces = Vec::new();
            let mut rest = bytes.as_slice();
            for cut in cuts.iter().cycle() {
                if rest.is_empty() { break; }
                let (piece, left) = rest.split_at((*cut).min(rest.len()));
                pieces.push(piece);
                rest = left;
            }
            let expect: Vec<_> = texts.into_iter().map(Message::Text).collect();
            prop_assert_eq!(decode(1 << 20, &pieces), Ok(expect));
        }

        /// No bytes make it panic.
        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = decode(100, &[&bytes]);
        }
    }
}
