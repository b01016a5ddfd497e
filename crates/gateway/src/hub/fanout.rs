//! From a delivery to the sockets.

use model::{Micros, Position, Seq, Topic, TopicId, TopicKind};
use rpc::{CallError, Delivery, Effect, EventRecord, EventsPage, EventsRequest, Protocol, SignalKind};
use wire::realtime::{self, CloseCode};

use super::{Ask, Hub};
use crate::{
    arena::Index,
    codec::{self, Opcode},
    frame,
    journey::Passed,
    outbox::{Kind, Sink},
    session::Style,
    topic::{Job, Load, Mode, Offer},
};

/// Sockets served before the loop looks at other things: a large channel does not hold up small ones.
const SLICE_SOCKETS: usize = 256;
/// Events read at once to fill a hole.
const REPAIR_EVENTS: u32 = 200;

impl<S: Sink> Hub<S> {
    /// Takes what a Channel Server sent.
    pub fn deliver(&mut self, delivery: Delivery, now: Micros) {
        match delivery {
            Delivery::Event(event) => self.take_event(event, now),
            Delivery::Head(head) => {
                if let Some(at) = self.find(head.topic)
                    && let Some(view) = self.topics.get_mut(at)
                {
                    if view.announce(head.position) {
                        self.jump(at, head.position);
                    }
                    self.repair(at);
                }
            }
            Delivery::Signal(signal) => {
                if let Some(at) = self.find(signal.topic)
                    && let Some(view) = self.topics.get_mut(at)
                {
                    if view.signal(signal) {
                        self.enqueue(at);
                    } else {
                        self.shared.shed += 1;
                    }
                }
            }
        }
        self.settle();
    }

    fn take_event(&mut self, event: EventRecord, now: Micros) {
        let Some(at) = self.find(event.topic) else { return };
        let Some(view) = self.topics.get_mut(at) else { return };
        let position = event.position;
        match view.offer(event, now) {
            Offer::Taken => self.enqueue(at),
            Offer::Old => {}
            Offer::Early => self.repair(at),
            Offer::NewHistory => {
                self.jump(at, position);
            }
        }
    }

    /// Puts a topic into the queue of those with something to write.
    fn enqueue(&mut self, at: Index) {
        if let Some(view) = self.topics.get_mut(at)
            && !view.queued
        {
            view.queued = true;
            self.queue.push_back(at);
        }
    }

    /// Reads what a topic misses, if it misses something and no read is under way.
    pub(super) fn repair(&mut self, at: Index) {
        let Some(view) = self.topics.get_mut(at) else { return };
        if let Some(after) = view.hole() {
            view.repairing = true;
            let request = EventsRequest { topic: view.topic(), after, limit: REPAIR_EVENTS };
            let tries = view.repair_tries;
            self.asks.push(Ask::Repair { request, tries });
        }
    }

    /// The answer to [`Ask::Repair`].
    pub fn repaired(&mut self, topic: Topic, result: Result<EventsPage, CallError>, now: Micros) {
        let Some(at) = self.find(topic) else { return };
        let Some(view) = self.topics.get_mut(at) else { return };
        view.repairing = false;
        self.counts.repairs += 1;
        match result {
            Ok(EventsPage::Events { events, head }) => {
                let before = view.position();
                view.announce(head);
                view.fill(events, now);
                // Nothing new although something is missing: the reader is behind; wait a little.
                let stuck = view.position() == before;
                view.repair_tries = if stuck { view.repair_tries + 1 } else { 0 };
                self.enqueue(at);
            }
            Ok(EventsPage::Reset { head }) => {
                view.repair_tries = 0;
                self.jump(at, head);
            }
            Ok(EventsPage::Unknown) => {
                view.repair_tries = 0;
                self.drop_topic_sessions(at);
            }
            Err(_) => view.repair_tries += 1,
        }
        self.repair(at);
        self.settle();
    }

    /// The topic is no more: whoever follows it is told so.
    fn drop_topic_sessions(&mut self, at: Index) {
        let Some(view) = self.topics.get_mut(at) else { return };
        view.jump(view.position());
        let followers: Vec<Index> = view.followers.iter().map(|follower| follower.session).collect();
        for index in followers {
            self.end_topic(index, at);
        }
    }

    /// Goes on from `head` although what leads there is not known. In a channel's or a person's own topic
    /// that could have been a removal: those sessions boot anew. Of a workspace's topic they are told.
    pub(super) fn jump(&mut self, at: Index, head: Position) {
        let Some(view) = self.topics.get_mut(at) else { return };
        view.jump(head);
        let topic = view.topic().id;
        let followers: Vec<Index> = view.followers.iter().map(|follower| follower.session).collect();
        if topic.kind() != TopicKind::Workspace {
            for index in followers {
                self.close(index, CloseCode::Internal);
            }
            return;
        }
        for follower in view.followers.iter_mut().filter(|follower| follower.mode() == Mode::Live) {
            follower.set_sent(head.seq);
        }
        let notice = frame::text(&realtime::reset(topic, head));
        for index in followers {
            let live = self.follower_mut(index, at).is_some_and(|follower| follower.mode() == Mode::Live);
            if live && self.sessions.get(index).is_some_and(|session| session.protocol == Protocol::Own) {
                self.write(index, &notice, Kind::Keep);
            }
        }
    }

    /// Serves a few hundred sockets, of one large topic or of several small ones, and after them a few with
    /// changes of presence. Returns whether there is more to do.
    pub fn step(&mut self, now: Micros) -> bool {
        let mut left = SLICE_SOCKETS;
        while left > 0
            && let Some(at) = self.queue.pop_front()
        {
            left = self.serve(at, left, now);
        }
        if !self.presence_queue.is_empty() {
            self.serve_presence();
            self.settle();
        }
        !self.queue.is_empty() || !self.presence_queue.is_empty()
    }

    /// Serves up to `left` sockets of a topic. Returns how many others may still be served.
    fn serve(&mut self, at: Index, left: usize, now: Micros) -> usize {
        let Some(view) = self.topics.get_mut(at) else { return left };
        view.queued = false;
        let mut served = 1;
        if view.start_job()
            && let Some(mut job) = view.job.take()
        {
            let before = job.cursor.min(view.followers.len());
            let done = match &job.load {
                Load::Events(..) => self.write_events(at, &mut job, left),
                Load::Signal(_) => self.write_signal(at, &mut job, left),
            };
            served = (before - job.cursor.min(before)).max(1);
            if done {
                self.finish(at, *job, now);
            } else if let Some(view) = self.topics.get_mut(at) {
                view.job = Some(job);
            }
        }
        self.settle();
        if self.topics.get(at).is_some_and(|view| view.job.is_some() || view.has_work()) {
            self.enqueue(at);
        }
        left.saturating_sub(served)
    }

    /// Writes a batch to the next followers. Returns whether all have it.
    fn write_events(&mut self, at: Index, job: &mut Job, mut left: usize) -> bool {
        let Load::Events(batch, _) = &mut job.load else { return true };
        let Some(view) = self.topics.get_mut(at) else { return true };
        let generation = view.generation();
        let (first, last) = (batch.first(), batch.last());
        let mut cursor = job.cursor.min(view.followers.len());
        let mut lost: Vec<(Index, Seq)> = Vec::new();
        while cursor > 0 && left > 0 {
            cursor -= 1;
            left -= 1;
            let Some(follower) = view.followers.get_mut(cursor) else { continue };
            if follower.mode() != Mode::Live || follower.sent() >= last {
                continue;
            }
            let Some(session) = self.sessions.get_mut(follower.session) else { continue };
            if follower.sent().next() < first {
                follower.set_mode(Mode::Catching);
                lost.push((follower.session, follower.sent()));
                continue;
            }
            let before = follower.sent();
            follower.set_sent(last);
            let kind = Kind::Events { topic: at, last };
            if session.protocol == Protocol::Rtm && batch.is_from(session.id) {
                let bytes = batch.after_without_own(before, session.class, session.id);
                session.send(follower.session, &bytes, 0, kind, &mut self.shared);
            } else {
                let (bytes, start) = batch.after(before, session.protocol, session.class);
                session.send(follower.session, bytes, start, kind, &mut self.shared);
            }
            self.counts.events += last.raw() - before.raw();
            job.sockets += 1;
        }
        job.cursor = cursor;
        for (index, sent) in lost {
            self.counts.footing_lost += 1;
            self.catch_up(index, at, Position { generation, seq: sent }, sent, Style::Events);
        }
        cursor == 0
    }

    /// Writes a signal to the next followers. Returns whether all have it.
    fn write_signal(&mut self, at: Index, job: &mut Job, left: usize) -> bool {
        let Load::Signal(signal) = &job.load else { return true };
        let Some(view) = self.topics.get(at) else { return true };
        let bytes = codec::frame(Opcode::Text, &signal.body);
        let kind = match signal.kind {
            SignalKind::Typing => Kind::Shed,
            SignalKind::Ephemeral => Kind::Keep,
        };
        let end = job.cursor.min(view.followers.len());
        let start = end.saturating_sub(left);
        for follower in view.followers.get(start..end).unwrap_or_default().iter().rev() {
            let Some(session) = self.sessions.get_mut(follower.session) else { continue };
            let wanted = kind == Kind::Keep || follower.mode() == Mode::Live;
            if wanted && signal.except != Some(session.actor.user) {
                session.send(follower.session, &bytes, 0, kind, &mut self.shared);
            }
        }
        job.cursor = start;
        start == 0
    }

    /// A batch is with all its followers: now it has its effect, and it is remembered.
    fn finish(&mut self, at: Index, job: Job, now: Micros) {
        let Load::Events(batch, times) = job.load else { return };
        for (event, received) in batch.events().iter().zip(times) {
            self.journeys.push(Passed {
                topic: event.topic,
                seq: event.seq(),
                received,
                written: now,
                sockets: job.sockets,
            });
        }
        // Only the last event of a batch can have an effect.
        if let Some(event) = batch.events().last().filter(|event| event.effect != Effect::None) {
            self.take_effect(at, event);
        }
        self.repair(at);
    }

    /// Whether a topic is one's own.
    pub(super) fn is_own(&self, index: Index, topic: TopicId) -> bool {
        self.sessions.get(index).is_some_and(|session| TopicId::User(session.actor.user) == topic)
    }
}
