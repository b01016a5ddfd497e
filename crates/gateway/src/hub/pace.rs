//! Slow sessions, time, and closing.

use std::collections::VecDeque;

use bytes::BytesMut;
use rpc::Protocol;
use wire::realtime::{self, CloseCode};

use super::{Ask, Hub};
use crate::{
    arena::Index,
    codec::{self, Opcode},
    frame,
    outbox::{Flushed, Kind, Sink},
    session::SessionKey,
    topic::Mode,
};

/// A client of our own protocol sends `resume` within this time, milliseconds.
pub(super) const RESUME_WITHIN_MS: u64 = 10_000;
/// A topic that nobody follows is given up after this time, milliseconds.
pub(super) const TOPIC_GRACE_MS: u64 = 30_000;
/// A session that was not heard for this long is closed, milliseconds.
const SILENCE_MS: u64 = 90_000;
/// Each session is pinged once in so many ticks (seconds), at a tick of its own.
const PING_EVERY_TICKS: u64 = 12;

impl<S: Sink> Hub<S> {
    /// Deals with what the last calls left: broken sockets, sessions over their budget, reads to start.
    pub(super) fn settle(&mut self) {
        loop {
            let (broken, over) =
                (std::mem::take(&mut self.shared.broken), std::mem::take(&mut self.shared.over));
            if broken.is_empty() && over.is_empty() {
                break;
            }
            for index in broken {
                drop(self.detach(index));
            }
            for index in over {
                self.degrade(index);
            }
        }
        for index in std::mem::take(&mut self.shared.filled) {
            if let Some(key) = self.key(index)
                && self.session(key).is_some_and(|session| session.outbox.is_some())
            {
                self.asks.push(Ask::Flush(key));
            }
        }
        let tight = self.shared.queued_bytes > self.limits.loop_queue_bytes_max;
        self.shared.budget_bytes =
            if tight { self.limits.tight_bytes() } else { self.limits.session_queue_bytes_max };
        self.start_reads();
    }

    /// The session's reader is too slow: signals go first, then events, which the client pulls when it can.
    /// A client that cannot pull is closed.
    fn degrade(&mut self, index: Index) {
        let budget = self.shared.budget_bytes;
        let hard = self.shared.hard_bytes;
        let Some(session) = self.sessions.get_mut(index) else { return };
        let protocol = session.protocol;
        let Some(outbox) = &mut session.outbox else { return };
        self.shared.queued_bytes = self.shared.queued_bytes.saturating_sub(outbox.shed());
        if outbox.bytes() <= budget {
            return;
        }
        if protocol == Protocol::Rtm {
            self.counts.too_slow += 1;
            self.close(index, CloseCode::TooSlow);
            return;
        }
        let (bytes, dropped) = outbox.drop_events();
        self.shared.queued_bytes = self.shared.queued_bytes.saturating_sub(bytes);
        if !dropped.is_empty() {
            self.counts.degraded += 1;
        }
        for (at, last) in dropped {
            let Some(head) = self.topics.get(at).map(|view| (view.topic().id, view.position())) else {
                continue;
            };
            // Only what leads to where the follower stands is missed.
            if let Some(follower) = self.follower_mut(index, at)
                && follower.mode() == Mode::Live
                && follower.sent() == last
            {
                follower.set_mode(Mode::Behind);
                self.say(index, &realtime::head(head.0, head.1));
            }
        }
        if self.sessions.get(index).is_some_and(|session| session.waiting_bytes() > hard) {
            self.close(index, CloseCode::Internal);
        }
    }

    /// The socket takes more: writes what waits.
    pub fn flush(&mut self, key: SessionKey) -> Flushed {
        if self.session(key).is_none() {
            return Flushed::Broken;
        }
        let Some(session) = self.sessions.get_mut(key.index) else { return Flushed::Broken };
        let before = session.waiting_bytes();
        let flushed = session.flush(&mut self.shared);
        if session.waiting_bytes() < before {
            // The peer takes what it gets, however slowly: that is a sign of life.
            session.heard_ms = self.now_ms;
        }
        match flushed {
            Flushed::Broken => drop(self.detach(key.index)),
            Flushed::Empty | Flushed::Full => {
                self.make_ready(key.index);
                self.requeue_presence(key);
            }
        }
        self.settle();
        flushed
    }

    /// Whether more of the client's frames should be read: not while answers to earlier ones wait in masses.
    #[must_use]
    pub fn wants_input(&self, key: SessionKey) -> bool {
        self.session(key)
            .is_some_and(|session| session.waiting_bytes() <= self.limits.session_queue_bytes_max)
    }

    /// Once a second: pings, silence, missing `resume`s, topics that nobody follows.
    pub fn tick(&mut self, now_ms: u64) {
        self.now_ms = now_ms;
        self.tick += 1;
        let ping = codec::frame(Opcode::Ping, b"");
        let turn = self.tick % PING_EVERY_TICKS;
        let due: Vec<Index> =
            self.sessions.indices().filter(|&index| u64::from(index) % PING_EVERY_TICKS == turn).collect();
        for index in due {
            let Some(session) = self.sessions.get_mut(index) else { continue };
            if now_ms.saturating_sub(session.heard_ms) > SILENCE_MS {
                self.close(index, CloseCode::Idle);
            } else if session.outbox.is_none() {
                session.send(index, &ping, 0, Kind::Keep, &mut self.shared);
            }
        }
        self.presence.tick(now_ms);
        while let Some(&(key, by_ms)) = self.waiting.front() {
            let waits = self.session(key).is_some_and(|session| session.boot.is_some());
            if waits && by_ms > now_ms {
                break;
            }
            self.waiting.pop_front();
            if waits {
                self.close(key.index, CloseCode::NoResume);
            }
        }
        while let Some(&(topic, at_ms)) = self.idle.front().filter(|(_, at_ms)| *at_ms <= now_ms) {
            self.idle.pop_front();
            let _ = at_ms;
            self.give_up(topic);
        }
        // Many come at once, and then few: what they waited in is given back.
        fn give_back<T>(queue: &mut VecDeque<T>) {
            if queue.is_empty() {
                *queue = VecDeque::new();
            }
        }
        give_back(&mut self.waiting);
        give_back(&mut self.idle);
        give_back(&mut self.ready);
        give_back(&mut self.presence_queue);
        self.settle();
    }

    /// Forgets a topic that nobody followed for the grace time.
    fn give_up(&mut self, topic: model::Topic) {
        let Some(at) = self.find(topic) else { return };
        let Some(view) = self.topics.get(at) else { return };
        let since = view.idle_since_ms;
        let unused =
            view.followers.is_empty() && since.is_some_and(|since| since + TOPIC_GRACE_MS <= self.now_ms);
        if unused {
            self.by_topic.remove(&topic, super::topic_at(&self.topics));
            self.topics.remove(at);
            self.queue.retain(|&queued| queued != at);
            self.asks.push(Ask::Unsubscribe(topic));
        }
    }

    /// Tells every client that the server is about to close, and when to come back: spread evenly over
    /// `spread_ms`.
    pub fn say_goodbye(&mut self, spread_ms: u64) {
        let all: Vec<Index> = self.sessions.indices().collect();
        let count = all.len().max(1) as u64;
        for (place, index) in (0_u64..).zip(all) {
            let protocol = self.sessions.get(index).map(|session| session.protocol);
            match protocol {
                Some(Protocol::Own) => self.say(index, &realtime::goodbye(spread_ms * place / count)),
                Some(Protocol::Rtm) => self.say(index, r#"{"type":"goodbye"}"#),
                None => {}
            }
        }
        self.settle();
    }

    /// Closes up to `count` sessions because the server drains. Returns how many are left.
    pub fn close_some(&mut self, count: usize) -> usize {
        let some: Vec<Index> = self.sessions.indices().take(count).collect();
        for index in some {
            self.close(index, CloseCode::Draining);
        }
        self.settle();
        self.sessions.len()
    }

    pub(super) fn close(&mut self, index: Index, code: CloseCode) {
        let is_rtm = self.sessions.get(index).is_some_and(|session| session.protocol == Protocol::Rtm);
        if is_rtm && code == CloseCode::Revoked {
            let notice = frame::text(r#"{"type":"error","error":{"code":1,"msg":"token_revoked"}}"#);
            self.end(index, &[notice, codec::close_frame(code.code(), code.name())]);
        } else {
            self.close_with(index, code.code(), code.name());
        }
    }

    pub(super) fn close_with(&mut self, index: Index, code: u16, reason: &str) {
        self.end(index, &[codec::close_frame(code, reason)]);
    }

    /// Ends a session: nothing but `last` is written after the frame that the socket is in the middle of.
    fn end(&mut self, index: Index, last: &[bytes::Bytes]) {
        let Some(session) = self.detach(index) else { return };
        let mut rest = BytesMut::new();
        if let Some(outbox) = session.outbox {
            rest.extend_from_slice(&outbox.begun());
        }
        for frame in last {
            rest.extend_from_slice(frame);
        }
        self.asks.push(Ask::Linger { sink: session.sink, rest: rest.freeze() });
    }
}
