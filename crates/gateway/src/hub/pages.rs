//! Pages that several sessions miss alike: after a crash everybody comes back to the same place.
//!
//! A page is given out again only while nothing has happened in its topic since it was read, as far as the loop and the
//! session's boot know: an edit or a deletion is an event, so what it changed is read anew.

use std::{cell::RefCell, collections::VecDeque, rc::Rc};

use bytes::Bytes;
use model::{Position, Seq, Topic};
use rpc::EventRecord;
use smallvec::SmallVec;
use wire::realtime::PageWriter;

use crate::{frame, topic::TopicView};

/// Pages kept, per loop. Full: the oldest makes room.
const PAGES_MAX: usize = 32;
/// A page with more bytes of events than this is not kept.
const BYTES_MAX: usize = 96 << 10;
/// A page that nobody wanted for so long is forgotten, milliseconds.
const UNUSED_MS: u64 = 2_000;

/// Events that were read after a position.
#[derive(Debug)]
pub(super) struct Page {
    after: Position,
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
    pub(super) fn new(after: Position, events: Vec<EventRecord>, head: Position) -> Self {
        Self { after, events, head, frames: RefCell::default() }
    }

    /// The frame `_page` with the first `count` events. `more`: another page of this topic follows.
    pub(super) fn frame(&self, topic: model::TopicId, class: u8, count: usize, more: bool) -> Bytes {
        let mut frames = self.frames.borrow_mut();
        let known = frames.iter().find(|it| (it.class, it.count, it.more) == (class, count, more));
        if let Some(known) = known {
            return known.frame.clone();
        }
        let events = self.events.get(..count).unwrap_or_default();
        let to = events.last().map_or(self.after.seq, EventRecord::seq);
        let bytes = events.iter().map(frame::weight).sum();
        let mut page = PageWriter::new(topic, self.after.generation, self.after.seq, to, bytes);
        for text in events.iter().filter_map(|event| frame::shown(event, class)) {
            page.push(&text);
        }
        let frame = frame::text(&page.finish(more));
        frames.push(Encoded { class, count, more, frame: frame.clone() });
        frame
    }
}

/// The pages that are kept.
#[derive(Debug, Default)]
pub(super) struct Pages(VecDeque<Kept>);

#[derive(Debug)]
struct Kept {
    topic: Topic,
    used_ms: u64,
    page: Rc<Page>,
}

impl Pages {
    /// Keeps a page of a topic.
    pub(super) fn keep(&mut self, topic: Topic, page: &Rc<Page>, now_ms: u64) {
        let bytes: usize = page.events.iter().map(frame::weight).sum();
        if page.events.is_empty() || bytes > BYTES_MAX {
            return;
        }
        self.0.retain(|kept| kept.topic != topic || kept.page.after != page.after);
        if self.0.len() >= PAGES_MAX {
            self.0.pop_front();
        }
        self.0.push_back(Kept { topic, used_ms: now_ms, page: Rc::clone(page) });
    }

    /// The page after a position, if the loop knows of nothing that is beyond it. A session whose boot saw the topic at
    /// `floor` gets none that was read before that.
    pub(super) fn find(
        &mut self,
        view: &TopicView,
        after: Position,
        floor: Seq,
        now_ms: u64,
    ) -> Option<Rc<Page>> {
        let topic = view.topic();
        let kept = self.0.iter_mut().find(|kept| kept.topic == topic && kept.page.after == after)?;
        let head = kept.page.head;
        if !view.is_covered(head) || floor > head.seq {
            return None;
        }
        kept.used_ms = now_ms;
        Some(Rc::clone(&kept.page))
    }

    /// Forgets what nobody wants.
    pub(super) fn tick(&mut self, now_ms: u64) {
        self.0.retain(|kept| kept.used_ms + UNUSED_MS > now_ms);
        if self.0.is_empty() {
            self.0 = VecDeque::new();
        }
    }
}
