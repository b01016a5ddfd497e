//! Sessions that miss something: what they miss is read page by page until they are where the loop is,
//! and only then, here, are they switched to live. There is no gap and no overlap between the two.

use model::{Position, Seq, TopicId};
use rpc::{CallError, Effect, EventRecord, EventsPage, Protocol};
use wire::realtime::{self, Claim, CloseCode};

use super::{
    Ask, Hub, add, of_first,
    pages::{Begun, Page},
};
use crate::{
    arena::Index,
    frame::{self, Answers, Batch},
    outbox::{Kind, Sink},
    session::{CatchUp, Session, SessionKey, Style},
    topic::Mode,
};

/// Reads under way for one session.
const SESSION_READS_MAX: usize = 4;
/// Bytes of events sent as one page; what was read beyond is read again. A larger event goes alone. Pages of
/// all reads of a session fit its budget.
const PAGE_BYTES_MAX: usize = 48 << 10;
/// A session with more than this waiting for its socket reads no pages: its reader sets the pace.
const PAGE_WAITING_BYTES_MAX: usize = 32 << 10;

impl<S: Sink> Hub<S> {
    /// Notes that a session misses what is after `after`; replaces an older note.
    pub(super) fn catch_up(&mut self, index: Index, at: Index, after: Position, floor: Seq, style: Style) {
        let nonce = self.next_nonce;
        self.next_nonce += 1;
        let Some(session) = self.sessions.get_mut(index) else { return };
        let catch_ups = &mut session.extra().catch_ups;
        let older = catch_ups.iter().find(|catch_up| catch_up.topic == at).map_or(Seq::ZERO, |old| old.floor);
        catch_ups.retain(|catch_up| catch_up.topic != at);
        let floor = floor.max(older);
        catch_ups.push_back(CatchUp { nonce, topic: at, after, floor, style, busy: false, tries: 0 });
        self.make_ready(index);
    }

    /// Lets a session read when it is its turn, unless its socket is too full for more.
    pub(super) fn make_ready(&mut self, index: Index) {
        let Some(key) = self.key(index) else { return };
        let Some(session) = self.sessions.get_mut(index) else { return };
        let full = session.waiting_bytes() > PAGE_WAITING_BYTES_MAX;
        let Some(extra) = &mut session.extra else { return };
        let idle = extra.catch_ups.iter().any(|catch_up| !catch_up.busy);
        let busy = extra.catch_ups.iter().filter(|catch_up| catch_up.busy).count();
        if !extra.ready && idle && !full && busy < SESSION_READS_MAX {
            extra.ready = true;
            self.ready.push_back(key);
        }
    }

    /// Starts as many reads as may be under way, one per waiting session in turn.
    pub(super) fn start_reads(&mut self) {
        while let Some(begun) = self.reads.hurry(self.now_ms) {
            self.ask_to_read(begun);
        }
        while !self.reads.is_full() {
            let Some(key) = self.ready.pop_front() else { return };
            if self.session(key).is_none() {
                continue;
            }
            let Some(session) = self.sessions.get_mut(key.index) else { continue };
            let workspace = session.actor.workspace;
            let Some(extra) = &mut session.extra else { continue };
            extra.ready = false;
            let Some(next) = extra.catch_ups.iter_mut().find(|catch_up| !catch_up.busy) else { continue };
            let Some(view) = self.topics.get(next.topic) else { continue };
            debug_assert_eq!(view.topic().workspace, workspace);
            next.busy = true;
            let reader = (key, next.nonce);
            let begun = self.reads.want(view.topic(), next.after, reader, self.now_ms);
            if let Some(begun) = begun {
                self.ask_to_read(begun);
            }
            self.make_ready(key.index);
        }
    }

    fn ask_to_read(&mut self, (number, request, put_off_ms): Begun) {
        self.asks.push(Ask::Read { number, request, put_off_ms });
    }

    /// A failed read may be tried again.
    pub fn retry(&mut self, key: SessionKey, nonce: u64) {
        if let Some(catch_up) = self.catch_up_mut(key, nonce) {
            catch_up.busy = false;
            self.make_ready(key.index);
        }
        self.settle();
    }

    fn catch_up_mut(&mut self, key: SessionKey, nonce: u64) -> Option<&mut CatchUp> {
        let session = self.sessions.get_mut(key.index).filter(|session| session.serial == key.serial)?;
        session.extra.as_mut()?.catch_ups.iter_mut().find(|catch_up| catch_up.nonce == nonce)
    }

    /// The answer to [`Ask::Read`].
    pub fn page(&mut self, number: u64, result: Result<EventsPage, CallError>) {
        let (readers, begun) = self.reads.end(number, self.now_ms);
        if let Some(begun) = begun {
            self.ask_to_read(begun);
        }
        self.counts.pages += 1;
        self.counts.shared_pages += u64::try_from(readers.len().saturating_sub(1)).unwrap_or_default();
        let result = result.map(|page| match page {
            EventsPage::Events { events, head } => Found::Page(Page::new(events, head)),
            EventsPage::Reset { head } => Found::Reset(head),
            EventsPage::Unknown => Found::Nothing,
        });
        for (key, nonce) in readers {
            let Some(catch_up) = self.catch_up_mut(key, nonce) else { continue };
            let topic = catch_up.topic;
            match &result {
                Ok(Found::Page(page)) => self.show_page(key, nonce, page),
                Ok(Found::Reset(head)) => self.page_refused(key, nonce, *head),
                Ok(Found::Nothing) => self.end_topic(key.index, topic),
                Err(_) => self.read_again_later(key, nonce),
            }
            self.make_ready(key.index);
        }
        self.settle();
    }

    /// The position that was read after cannot be served. If that was where the session was last known to be
    /// a member, nothing is known of its rights since: it boots anew.
    fn page_refused(&mut self, key: SessionKey, nonce: u64, head: Position) {
        let Some(catch_up) = self.catch_up_mut(key, nonce) else { return };
        let (at, after, floor) = (catch_up.topic, catch_up.after, catch_up.floor);
        let Some(view) = self.topics.get(at) else { return };
        if head.generation > view.generation() {
            self.jump(at, head);
        } else if after.seq == floor || floor > head.seq {
            self.close(key.index, CloseCode::Internal);
        } else {
            self.reset(key.index, at);
        }
    }

    fn read_again_later(&mut self, key: SessionKey, nonce: u64) {
        if let Some(catch_up) = self.catch_up_mut(key, nonce) {
            catch_up.tries += 1;
            let tries = catch_up.tries;
            self.asks.push(Ask::RetryRead { key, nonce, tries });
        }
    }

    /// Shows what was read, and goes live if that was all.
    fn show_page(&mut self, key: SessionKey, nonce: u64, page: &Page) {
        let Some(catch_up) = self.catch_up_mut(key, nonce) else { return };
        let (at, after, floor, style) = (catch_up.topic, catch_up.after, catch_up.floor, catch_up.style);
        let index = key.index;
        let (Some(view), Some(session)) = (self.topics.get(at), self.sessions.get(index)) else { return };
        let (topic, started, generation) = (view.topic().id, view.started(), view.generation());
        let (class, user) = (session.class, session.actor.user);
        let (count, removal) = cut(&page.events, after, floor, user);
        let events = page.events.get(..count).unwrap_or_default();
        let to = events.last().map_or(after.seq, EventRecord::seq);
        let live = removal.is_none() && to >= started.max(floor) && generation == after.generation;
        if events.is_empty() && !live {
            // The reader does not have yet what the loop has.
            self.read_again_later(key, nonce);
            return;
        }
        let at_head = Position { seq: to, ..after };
        debug_assert!(page.head.generation != after.generation || page.head.seq >= to);
        match style {
            Style::Pages if !events.is_empty() => {
                let frame = page.frame((topic, after), class, count, !live && removal.is_none());
                self.write(index, &frame, Kind::Keep);
            }
            Style::Pages => {}
            Style::Events => self.show_events(index, events),
        }
        if let Some(follower) = self.follower_mut(index, at) {
            follower.set_sent(to);
            if live {
                follower.set_mode(Mode::Live);
            }
        }
        if live {
            if let Some(extra) = self.sessions.get_mut(index).and_then(|session| session.extra.as_mut()) {
                extra.catch_ups.retain(|catch_up| catch_up.nonce != nonce);
            }
            if style == Style::Pages {
                self.say(index, &realtime::live(topic, at_head));
            }
        } else if let Some(catch_up) = self.catch_up_mut(key, nonce) {
            catch_up.after = at_head;
            (catch_up.busy, catch_up.tries) = (false, 0);
        }
        if self.is_own(index, topic) {
            for event in events {
                self.own_change(index, event);
            }
        }
        if let Some(seq) = removal {
            self.passed_removal(index, at, seq);
        }
    }

    /// Shows caught-up events one by one. They are never dropped: the session's own pace brought them.
    fn show_events(&mut self, index: Index, events: &[EventRecord]) {
        let Some(session) = self.sessions.get(index) else { return };
        let (protocol, class, id) = (session.protocol, session.class, session.id);
        let Some(mut batch) = Batch::new(events.to_vec()) else { return };
        let before = batch.first().previous();
        let bytes = match protocol {
            Protocol::Rtm => batch.after_without_own(before, class, id),
            Protocol::Own => batch.after(before, protocol, class).0.clone(),
        };
        self.write(index, &bytes, Kind::Keep);
    }

    /// The client's position cannot be resumed: it starts from a snapshot. Events follow from where the
    /// session is known to have been a member, so that a removal after that is not missed.
    fn reset(&mut self, index: Index, at: Index) {
        let Some(view) = self.topics.get(at) else { return };
        let (topic, generation) = (view.topic().id, view.generation());
        let Some(sent) = self.follower_mut(index, at).map(|follower| follower.sent()) else { return };
        let Some(session) = self.sessions.get(index) else { return };
        let mut catch_ups = session.extra.iter().flat_map(|extra| &extra.catch_ups);
        let floor = catch_ups.find(|catch_up| catch_up.topic == at).map_or(sent, |catch_up| catch_up.floor);
        let from = Position { generation, seq: floor };
        if session.protocol == Protocol::Own {
            self.say(index, &realtime::reset(topic, from));
        }
        self.go_on_from(index, at, from);
    }

    /// The client was told where its events go on: live if the loop is there, else by catching up.
    fn go_on_from(&mut self, index: Index, at: Index, from: Position) {
        let Some(view) = self.topics.get(at) else { return };
        let live = from.seq >= view.started() && from.generation == view.generation();
        if let Some(session) = self.sessions.get_mut(index) {
            session.forget(at);
        }
        if let Some(follower) = self.follower_mut(index, at) {
            follower.set_sent(from.seq);
            follower.set_mode(if live { Mode::Live } else { Mode::Catching });
        }
        if live {
            if let Some(extra) = self.sessions.get_mut(index).and_then(|session| session.extra.as_mut()) {
                extra.catch_ups.retain(|catch_up| catch_up.topic != at);
            }
        } else {
            self.catch_up(index, at, from, from.seq, Style::Events);
        }
    }

    /// A client asks for what is after its position.
    pub(super) fn pull(&mut self, index: Index, at: Index, claim: Claim) {
        let Some(view) = self.topics.get(at) else { return };
        let after = match claim {
            Claim::At(after) if after.generation == view.generation() => after,
            Claim::At(_) | Claim::Absurd => return self.reset(index, at),
        };
        let pulls =
            self.sessions.get(index).and_then(|session| session.extra.as_ref()).is_some_and(|extra| {
                extra.catch_ups.iter().any(|catch_up| catch_up.topic == at && catch_up.style == Style::Pages)
            });
        if pulls {
            return;
        }
        // What waits of it comes again with the pages.
        if let Some(session) = self.sessions.get_mut(index) {
            session.forget(at);
        }
        let Some(follower) = self.follower_mut(index, at) else { return };
        let floor = follower.sent();
        follower.set_mode(Mode::Catching);
        follower.set_sent(after.seq);
        self.catch_up(index, at, after, floor, Style::Pages);
    }

    /// The client has told what it holds, or cannot: it follows everything that its boot named.
    pub(super) fn follow_boot(&mut self, index: Index) {
        self.resume(index, &[]);
    }

    /// The client tells what it holds. Every topic of its boot and every topic that it named is answered.
    pub(super) fn resume(&mut self, index: Index, claims: &[(String, Claim)]) {
        let Some(session) = self.sessions.get_mut(index) else { return };
        let Some(boot) = session.boot.take() else { return };
        session.cursors.reserve_exact(boot.len());
        let own = session.protocol == Protocol::Own;
        add(&mut self.users, index, of_first(&self.sessions, Session::owner));
        let mut answers = Answers::default();
        let mut named: Vec<Option<Claim>> = vec![None; boot.len()];
        for (text, claim) in claims {
            let topic = text.parse::<TopicId>().ok();
            let place = topic.and_then(|topic| boot.binary_search_by_key(&topic, |&(topic, _)| topic).ok());
            match place.and_then(|place| named.get_mut(place)) {
                Some(place) => *place = Some(place.unwrap_or(*claim)),
                None => answers.push(&realtime::gone(text)),
            }
        }
        for (&(topic, head), claim) in boot.iter().zip(named) {
            match claim {
                Some(Claim::At(at)) if at.generation == head.generation => {
                    if self.follow(index, topic, head, at.seq, Style::Pages) {
                        answers.live(topic, at);
                    }
                }
                Some(_) => {
                    answers.push(&realtime::reset(topic, head));
                    self.follow(index, topic, head, head.seq, Style::Events);
                }
                None => {
                    if own {
                        answers.live(topic, head);
                    }
                    self.follow(index, topic, head, head.seq, Style::Events);
                }
            }
        }
        self.write(index, &answers.finish(), Kind::Keep);
    }
}

/// What a read found.
enum Found {
    Page(Page),
    /// The position cannot be served; the head.
    Reset(Position),
    /// There is no such topic.
    Nothing,
}

/// How many events are shown: contiguous, up to the session's own removal, and not too many bytes. Also the
/// seq of the removal.
fn cut(events: &[EventRecord], after: Position, floor: Seq, user: model::UserId) -> (usize, Option<Seq>) {
    let (mut last, mut bytes, mut count, mut removal) = (after.seq, 0, 0, None);
    for event in events {
        bytes += frame::weight(event);
        let follows = event.seq() == last.next() && event.position.generation == after.generation;
        if !follows || (count > 0 && bytes > PAGE_BYTES_MAX) {
            break;
        }
        (last, count) = (event.seq(), count + 1);
        if event.effect == Effect::MemberLeft(user) && event.seq() > floor {
            removal = Some(event.seq());
            break;
        }
    }
    (count, removal)
}
