//! Pages that several sessions miss alike: after a crash everybody comes back to the same place.
//!
//! Of each place there is one read at a time. Who comes while it is under way waits for the next, which begins a moment
//! after that one's end: so every session is shown what was there after it had asked, as if it had read alone. What was
//! read before it asked would not do: a message may have been deleted since, which the loop need not have heard of (seed
//! 11495 of the simulator).

use std::cell::RefCell;

use bytes::Bytes;
use model::{Position, Topic, TopicId};
use rpc::{EventRecord, EventsRequest};
use smallvec::SmallVec;
use wire::realtime::PageWriter;

use crate::{frame, session::SessionKey};

/// Reads under way for sessions, per loop. Full: sessions wait for their turn.
const READS_MAX: usize = 32;
/// Events asked for at once.
const PAGE_EVENTS: u32 = 100;
/// Sessions that share a read at most: what is read is shown to all of them before the loop looks at other things.
const SHARED_MAX: usize = 64;
/// How long a read that was waited for is put off, so that more can share it, milliseconds.
const PUT_OFF_MS: u64 = 10;
/// Who waits for a read that takes longer than this, gets one of its own, milliseconds.
const PATIENCE_MS: u64 = 100;

/// What a session catches up on, by its nonce.
pub(super) type Reader = (SessionKey, u64);

/// Reads under way.
#[derive(Debug, Default)]
pub(super) struct Reads {
    under_way: Vec<Read>,
    next: u64,
}

/// A read, for one session or many.
#[derive(Debug)]
struct Read {
    number: u64,
    topic: Topic,
    after: Position,
    began_ms: u64,
    readers: SmallVec<[Reader; 1]>,
    /// Came later: they are the next read's.
    later: Vec<Reader>,
}

/// What is to be read, under a number, after so many milliseconds.
pub(super) type Begun = (u64, EventsRequest, u64);

impl Reads {
    /// Whether no further read may begin.
    pub(super) fn is_full(&self) -> bool {
        self.under_way.len() >= READS_MAX
    }

    /// A session wants what is after a position. `Some`: a read begins. `None`: it waits for the one that is under way to end.
    pub(super) fn want(
        &mut self,
        topic: Topic,
        after: Position,
        reader: Reader,
        now_ms: u64,
    ) -> Option<Begun> {
        let alike = |read: &&mut Read| {
            read.topic == topic && read.after == after && now_ms.saturating_sub(read.began_ms) < PATIENCE_MS
        };
        if let Some(read) = self.under_way.iter_mut().find(alike) {
            read.later.push(reader);
            return None;
        }
        Some(self.begin(topic, after, vec![reader], now_ms, 0))
    }

    /// A read has ended: who gets what was read. What begins in its place comes with it.
    pub(super) fn end(&mut self, number: u64, now_ms: u64) -> (SmallVec<[Reader; 1]>, Option<Begun>) {
        let Some(at) = self.under_way.iter().position(|read| read.number == number) else {
            return (SmallVec::new(), None);
        };
        let Read { topic, after, readers, later, .. } = self.under_way.swap_remove(at);
        let put_off_ms = if later.len() < SHARED_MAX { PUT_OFF_MS } else { 0 };
        let begun = (!later.is_empty()).then(|| self.begin(topic, after, later, now_ms, put_off_ms));
        (readers, begun)
    }

    /// Who waits for a read that has no end yet gets another. `None`: nobody does, or there are too many reads.
    pub(super) fn hurry(&mut self, now_ms: u64) -> Option<Begun> {
        if self.is_full() {
            return None;
        }
        let is_slow =
            |read: &&mut Read| !read.later.is_empty() && now_ms.saturating_sub(read.began_ms) >= PATIENCE_MS;
        let read = self.under_way.iter_mut().find(is_slow)?;
        let (topic, after, later) = (read.topic, read.after, std::mem::take(&mut read.later));
        Some(self.begin(topic, after, later, now_ms, 0))
    }

    fn begin(
        &mut self,
        topic: Topic,
        after: Position,
        mut readers: Vec<Reader>,
        now_ms: u64,
        put_off_ms: u64,
    ) -> Begun {
        let later = readers.split_off(readers.len().min(SHARED_MAX));
        let (number, readers) = (self.next, SmallVec::from_vec(readers));
        self.next += 1;
        self.under_way.push(Read { number, topic, after, began_ms: now_ms + put_off_ms, readers, later });
        (number, EventsRequest { topic, after, limit: PAGE_EVENTS }, put_off_ms)
    }
}

/// Events that were read after a position.
#[derive(Debug)]
pub(super) struct Page {
    /// The events.
    pub(super) events: Vec<EventRecord>,
    /// How far the topic was.
    pub(super) head: Position,
    frames: RefCell<SmallVec<[Encoded; 1]>>,
}

/// The first events of a page as a frame, for one class of sessions.
#[derive(Debug)]
struct Encoded {
    class: u8,
    count: usize,
    more: bool,
    frame: Bytes,
}

impl Page {
    /// What was read.
    pub(super) fn new(events: Vec<EventRecord>, head: Position) -> Self {
        Self { events, head, frames: RefCell::default() }
    }

    /// The frame `_page` with the first `count` events of a topic after a position, which are the same for all who read
    /// together. `more`: another page of this topic follows.
    pub(super) fn frame(
        &self,
        (topic, after): (TopicId, Position),
        class: u8,
        count: usize,
        more: bool,
    ) -> Bytes {
        let mut frames = self.frames.borrow_mut();
        let known = frames.iter().find(|it| (it.class, it.count, it.more) == (class, count, more));
        if let Some(known) = known {
            return known.frame.clone();
        }
        let events = self.events.get(..count).unwrap_or_default();
        let to = events.last().map_or(after.seq, EventRecord::seq);
        let bytes = events.iter().map(frame::weight).sum();
        let mut page = PageWriter::new(topic, after.generation, after.seq, to, bytes);
        for text in events.iter().filter_map(|event| frame::shown(event, class)) {
            page.push(&text);
        }
        let frame = frame::text(&page.finish(more));
        frames.push(Encoded { class, count, more, frame: frame.clone() });
        frame
    }
}

#[cfg(test)]
mod tests {
    use model::{ChannelId, Generation, Seq, WorkspaceId};

    use super::*;

    fn topic(number: u64) -> Topic {
        Topic { workspace: WorkspaceId::from_random(1), id: TopicId::Channel(ChannelId::from_random(number)) }
    }

    fn after(seq: u64) -> Position {
        Position { generation: Generation::FIRST, seq: Seq::new(seq) }
    }

    fn reader(number: u32) -> Reader {
        (SessionKey { index: number, serial: u64::from(number) }, 0)
    }

    #[test]
    fn who_comes_during_a_read_is_part_of_the_next_one_and_of_no_other() {
        let mut reads = Reads::default();
        let (first, _, put_off_ms) = reads.want(topic(1), after(5), reader(1), 0).unwrap();
        assert_eq!(put_off_ms, 0, "who is alone does not wait");
        assert!(reads.want(topic(1), after(5), reader(2), 1).is_none());
        assert!(reads.want(topic(1), after(5), reader(3), 2).is_none());
        assert!(reads.want(topic(1), after(6), reader(4), 2).is_some(), "another place");
        assert!(reads.want(topic(2), after(5), reader(5), 2).is_some(), "another topic");
        let (readers, begun) = reads.end(first, 3);
        assert_eq!(readers.as_slice(), [reader(1)], "the others had not asked when it began");
        let (second, request, put_off_ms) = begun.unwrap();
        assert_eq!(put_off_ms, PUT_OFF_MS, "several share it, and further ones may");
        assert_eq!((request.topic, request.after), (topic(1), after(5)));
        let (readers, begun) = reads.end(second, 4);
        assert_eq!(readers.as_slice(), [reader(2), reader(3)]);
        assert!(begun.is_none());
        assert!(reads.end(first, 5).0.is_empty(), "it has ended");
    }

    #[test]
    fn many_are_served_in_turns_and_nobody_waits_for_a_read_that_does_not_end() {
        let mut reads = Reads::default();
        let (first, ..) = reads.want(topic(1), after(0), reader(0), 0).unwrap();
        for number in 1..=150 {
            assert!(reads.want(topic(1), after(0), reader(number), 0).is_none());
        }
        let (mut number, mut served, mut put_off) = (first, Vec::new(), Vec::new());
        loop {
            let (readers, begun) = reads.end(number, 1);
            assert!(readers.len() <= SHARED_MAX);
            served.extend(readers.into_iter().map(|(key, _)| key.index));
            match begun {
                Some((next, _, ms)) => {
                    number = next;
                    put_off.push(ms);
                }
                None => break,
            }
        }
        assert_eq!(put_off, [0, 0, PUT_OFF_MS], "64, 64 and 22: nobody can share a read that is full");
        assert_eq!(served, (0..=150).collect::<Vec<_>>());
        let (_stuck, ..) = reads.want(topic(1), after(0), reader(1), 0).unwrap();
        assert!(reads.want(topic(1), after(0), reader(2), 0).is_none());
        assert!(reads.hurry(PATIENCE_MS - 1).is_none());
        assert!(reads.want(topic(1), after(0), reader(3), PATIENCE_MS).is_some());
        let (second, ..) = reads.hurry(PATIENCE_MS).unwrap();
        assert_eq!(reads.end(second, PATIENCE_MS).0.as_slice(), [reader(2)]);
        assert!(reads.hurry(PATIENCE_MS).is_none());
    }
}
