//! What waits for one slow socket. It exists only while the socket is full.

use std::{
    collections::VecDeque,
    io::{self, ErrorKind, IoSlice},
};

use bytes::{Buf, Bytes};
use model::Seq;
use smallvec::SmallVec;

use crate::arena::Index;

/// Chunks that one system call writes.
const CHUNKS_PER_WRITE: usize = 32;

/// The writing side of a socket. It never waits.
pub trait Sink {
    /// Writes what fits.
    ///
    /// # Errors
    /// `WouldBlock`: nothing fits now. Anything else: the socket is broken.
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize>;

    /// Writes what fits of several buffers.
    ///
    /// # Errors
    /// As [`Sink::try_write`].
    fn try_write_vectored(&self, buffers: &[IoSlice<'_>]) -> io::Result<usize>;
}

/// What a piece of output is, for when there is too much of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Answers and notices: never dropped.
    Keep,
    /// Typing: the first to go.
    Shed,
    /// How something is now: not begun while something waits, and told later as it is by then.
    State,
    /// Events of a topic; a client that can pull gets them later.
    Events {
        /// The topic.
        topic: Index,
        /// What the session has with these.
        last: Seq,
    },
    /// Events from before an end of the following, a pull or a reset: nobody has to be told when they are dropped.
    Past,
}

/// What waits.
#[derive(Debug, Default)]
pub struct Outbox {
    chunks: VecDeque<Chunk>,
    bytes: usize,
}

#[derive(Debug)]
struct Chunk {
    bytes: Bytes,
    kind: Kind,
}

/// How a flush ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flushed {
    /// Nothing waits any more.
    Empty,
    /// The socket is full again.
    Full,
    /// The socket is broken.
    Broken,
}

impl Outbox {
    /// Bytes that wait.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds a chunk of whole frames, or the rest of one that was begun (then it must be [`Kind::Keep`]).
    pub fn push(&mut self, bytes: Bytes, kind: Kind) {
        self.bytes += bytes.len();
        self.chunks.push_back(Chunk { bytes, kind });
    }

    /// Writes what fits.
    pub fn flush(&mut self, sink: &impl Sink) -> Flushed {
        while !self.chunks.is_empty() {
            let buffers: SmallVec<[IoSlice<'_>; CHUNKS_PER_WRITE]> =
                self.chunks.iter().take(CHUNKS_PER_WRITE).map(|chunk| IoSlice::new(&chunk.bytes)).collect();
            let result = sink.try_write_vectored(&buffers);
            drop(buffers);
            match result {
                Ok(0) => return Flushed::Broken,
                Ok(written) => self.written(written),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Flushed::Full,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Flushed::Broken,
            }
        }
        Flushed::Empty
    }

    fn written(&mut self, mut count: usize) {
        self.bytes = self.bytes.saturating_sub(count);
        while let Some(front) = self.chunks.front_mut() {
            if count < front.bytes.len() {
                if count > 0 {
                    // A frame may be cut: the rest of it has to follow.
                    front.bytes.advance(count);
                    front.kind = Kind::Keep;
                }
                return;
            }
            count -= front.bytes.len();
            self.chunks.pop_front();
        }
    }

    /// Drops what `drop` names. Returns the dropped bytes.
    fn retain(&mut self, mut keep: impl FnMut(Kind) -> bool) -> usize {
        let before = self.bytes;
        self.chunks.retain(|chunk| keep(chunk.kind));
        self.bytes = self.chunks.iter().map(|chunk| chunk.bytes.len()).sum();
        before - self.bytes
    }

    /// The following of a topic ends or begins anew: what waits of it leads to nowhere that the session stands.
    pub fn forget(&mut self, past: Index) {
        for chunk in &mut self.chunks {
            if matches!(chunk.kind, Kind::Events { topic, .. } if topic == past) {
                chunk.kind = Kind::Past;
            }
        }
    }

    /// Drops what may be lost without a trace. Returns the dropped bytes.
    pub fn shed(&mut self) -> usize {
        self.retain(|kind| kind != Kind::Shed)
    }

    /// Drops all events that were not begun. Returns the dropped bytes, and of each chunk the topic and the
    /// last seq.
    pub fn drop_events(&mut self) -> (usize, Vec<(Index, Seq)>) {
        let mut dropped = Vec::new();
        let bytes = self.retain(|kind| match kind {
            Kind::Events { topic, last } => {
                dropped.push((topic, last));
                false
            }
            Kind::Past => false,
            Kind::Keep | Kind::Shed | Kind::State => true,
        });
        (bytes, dropped)
    }

    /// Drops everything but what was begun, for a socket that is to be closed: what must still be written
    /// so that the next frame is understood.
    #[must_use]
    pub fn begun(self) -> Bytes {
        // Only the first chunk can be begun, and a begun one is `Keep`. A whole frame is harmless, too.
        self.chunks
            .into_iter()
            .next()
            .filter(|chunk| chunk.kind == Kind::Keep)
            .map(|c| c.bytes)
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use super::*;

    struct Pipe {
        room: Cell<usize>,
        out: RefCell<Vec<u8>>,
    }

    impl Sink for Pipe {
        fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
            let count = bytes.len().min(self.room.get());
            if count == 0 {
                return Err(ErrorKind::WouldBlock.into());
            }
            self.room.set(self.room.get() - count);
            self.out.borrow_mut().extend_from_slice(&bytes[..count]);
            Ok(count)
        }

        fn try_write_vectored(&self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
            self.try_write(&buffers.iter().flat_map(|buffer| buffer.to_vec()).collect::<Vec<u8>>())
        }
    }

    fn events(topic: Index, last: u64) -> Kind {
        Kind::Events { topic, last: Seq::new(last) }
    }

    #[test]
    fn what_was_begun_is_finished_and_the_rest_is_told() {
        let pipe = Pipe { room: Cell::new(4), out: RefCell::default() };
        let mut outbox = Outbox::default();
        outbox.push(Bytes::from_static(b"aaa"), events(1, 5));
        outbox.push(Bytes::from_static(b"bbb"), events(1, 6));
        outbox.push(Bytes::from_static(b"tt"), Kind::Shed);
        outbox.push(Bytes::from_static(b"ccc"), events(2, 9));
        outbox.push(Bytes::from_static(b"ddd"), events(1, 7));
        outbox.push(Bytes::from_static(b"k"), Kind::Keep);
        assert_eq!(outbox.flush(&pipe), Flushed::Full);
        assert_eq!(outbox.bytes(), 11);
        assert_eq!(outbox.shed(), 2);
        assert_eq!(outbox.drop_events(), (6, vec![(2, Seq::new(9)), (1, Seq::new(7))]));
        pipe.room.set(100);
        assert_eq!(outbox.flush(&pipe), Flushed::Empty);
        assert_eq!((pipe.out.borrow().as_slice(), outbox.bytes()), (b"aaabbbk".as_slice(), 0));
    }

    #[test]
    fn what_is_past_is_dropped_without_a_word() {
        let mut outbox = Outbox::default();
        outbox.push(Bytes::from_static(b"aaa"), events(1, 5));
        outbox.push(Bytes::from_static(b"bb"), events(2, 6));
        outbox.forget(1);
        outbox.push(Bytes::from_static(b"cccc"), events(1, 7));
        assert_eq!(outbox.shed(), 0);
        assert_eq!(outbox.drop_events(), (9, vec![(2, Seq::new(6)), (1, Seq::new(7))]));
        assert_eq!(outbox.bytes(), 0);
    }

    #[test]
    fn only_a_begun_frame_survives_a_close() {
        let pipe = Pipe { room: Cell::new(1), out: RefCell::default() };
        let mut outbox = Outbox::default();
        outbox.push(Bytes::from_static(b"aaa"), events(1, 5));
        outbox.push(Bytes::from_static(b"bbb"), events(1, 6));
        assert_eq!(outbox.flush(&pipe), Flushed::Full);
        assert_eq!(outbox.begun(), Bytes::from_static(b"aa"));
    }
}
