//! WebSocket frames (RFC 6455) as a load generator needs them: what a server sends is read in place, what the
//! client sends is masked with zeros.

/// A frame that a server sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Frame<'b> {
    /// Text, whole.
    Text(&'b [u8]),
    /// A ping, to be answered with its payload.
    Ping(&'b [u8]),
    /// The end, with the code if there is one.
    Close(Option<u16>),
    /// Anything else, of no interest.
    Other,
}

/// The first frame of a buffer and its length in bytes; `None`: not all of it is there yet.
///
/// # Errors
/// What a server must not send: a masked frame, a piece of a message, a reserved bit, more than 4 GiB.
pub(crate) fn first(buffer: &[u8]) -> Result<Option<(Frame<'_>, usize)>, &'static str> {
    let [head, length, rest @ ..] = buffer else { return Ok(None) };
    if length & 0x80 != 0 {
        return Err("the server masked a frame");
    }
    if head & 0x70 != 0 || head & 0x80 == 0 {
        return Err("the server sent a reserved bit or a piece of a message");
    }
    let (header, length) = match length & 0x7f {
        126 => {
            let [a, b, ..] = rest else { return Ok(None) };
            (4, usize::from(u16::from_be_bytes([*a, *b])))
        }
        127 => {
            let [0, 0, 0, 0, a, b, c, d, ..] = rest else {
                return if rest.len() < 8 { Ok(None) } else { Err("a frame of more than 4 GiB") };
            };
            (10, usize::try_from(u32::from_be_bytes([*a, *b, *c, *d])).map_err(|_| "too long")?)
        }
        short => (2, usize::from(short)),
    };
    let Some(payload) = buffer.get(header..header + length) else { return Ok(None) };
    let frame = match head & 0x0f {
        1 => Frame::Text(payload),
        8 => Frame::Close(payload.first_chunk().map(|code| u16::from_be_bytes(*code))),
        9 => Frame::Ping(payload),
        _ => Frame::Other,
    };
    Ok(Some((frame, header + length)))
}

/// A client's frame with a text (opcode 1) or a pong (10).
pub(crate) fn masked(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x80 | opcode];
    match payload.len() {
        length @ ..126 => frame.push(0x80 | u8::try_from(length).unwrap_or(0)),
        length @ 126..=0xffff => {
            frame.push(0x80 | 126);
            frame.extend(u16::try_from(length).unwrap_or(0).to_be_bytes());
        }
        length => {
            frame.push(0x80 | 127);
            frame.extend(u64::try_from(length).unwrap_or(0).to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

/// A server's frame with a text.
pub(crate) fn unmasked(payload: &[u8]) -> Vec<u8> {
    let mut frame = masked(1, payload);
    // The mask's four bytes stand before the payload; the bit that announces them is in the second byte.
    frame.drain(frame.len() - payload.len() - 4..frame.len() - payload.len());
    if let Some(length) = frame.get_mut(1) {
        *length &= 0x7f;
    }
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_every_length_are_read_whole_and_not_before() {
        for length in [0, 1, 125, 126, 300, 65_535, 65_536, 70_000] {
            let payload = vec![b'x'; length];
            let frame = unmasked(&payload);
            for cut in [0, 1, 2, 3, 9, frame.len() - 1] {
                let part = frame.get(..cut.min(frame.len() - 1)).unwrap();
                assert_eq!(first(part), Ok(None), "{length} cut at {cut}");
            }
            assert_eq!(first(&frame), Ok(Some((Frame::Text(&payload), frame.len()))));
        }
    }

    #[test]
    fn what_no_server_sends_is_an_error() {
        assert!(first(&masked(1, b"x")).is_err());
        assert!(first(&[0x01, 0x01, b'x']).is_err(), "a piece");
        assert!(first(&[0xc1, 0x01, b'x']).is_err(), "a reserved bit");
        assert!(first(&[0x81, 0x7f, 1, 0, 0, 0, 0, 0, 0, 0]).is_err());
        assert_eq!(first(&[0x88, 0x02, 0x0f, 0xa1]), Ok(Some((Frame::Close(Some(4001)), 4))));
        assert_eq!(first(&[0x89, 0x01, b'p']), Ok(Some((Frame::Ping(b"p"), 3))));
    }
}
