//! The hub of one loop: its sessions, its topics, and what they mean to each other.
//!
//! It has no clock, task or socket of its own: deliveries, answers and client frames go in, bytes go to
//! [`Sink`]s, and what must be done outside comes out as [`Ask`]s. So every order of things can be tested.
//!
//! - `hub/fanout.rs`: from a delivery to the sockets
//! - `hub/catchup.rs`: sessions that miss something
//! - `hub/pages.rs`: what several of them miss alike
//! - `hub/members.rs`: joins and leaves
//! - `hub/client.rs`: what clients send
//! - `hub/presence.rs`: whose presence they watch
//! - `hub/pace.rs`: slow sessions, time, closing

mod catchup;
mod client;
mod fanout;
mod members;
mod pace;
mod pages;
mod presence;
#[cfg(test)]
mod presence_tests;
#[cfg(test)]
mod tests;

use std::{collections::VecDeque, hash::Hash};

use bytes::Bytes;
use model::{CredentialId, Position, Seq, Topic, TopicId};
use rpc::{Boot, EventsRequest, Person, Protocol, RtmSend, Signal};
use smallvec::SmallVec;
use wire::realtime::{self, CloseCode};

use crate::{
    arena::{Arena, Index},
    finder::Finder,
    frame,
    journey::Journeys,
    outbox::{Kind, Sink},
    presence::{Presence, WATCHES_MAX},
    session::{Session, SessionKey, Shared, Style},
    topic::{Follower, Mode, TopicView},
};

/// Credentials that were revoked lately: a boot that was under way meanwhile must not start a session.
/// Full: the oldest is forgotten.
const REVOKED_MAX: usize = 4_096;
/// How long a revocation is remembered, milliseconds: longer than any boot takes.
const REVOKED_FOR_MS: u64 = 60_000;

/// Bounds of one loop.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes that may wait for one session.
    pub session_queue_bytes_max: usize,
    /// Bytes that may wait in all outboxes before the above shrinks to [`Limits::tight_bytes`].
    pub loop_queue_bytes_max: usize,
    /// Activity is told to presence servers once in this time, milliseconds.
    pub activity_every_ms: u64,
}

impl Limits {
    /// Budget of a session while the loop is above its own: an eighth.
    #[must_use]
    pub const fn tight_bytes(&self) -> usize {
        self.session_queue_bytes_max / 8
    }

    /// An outbox above this ends the session whatever is in it: a client that asks and never reads. Four
    /// times its budget, at least 1 MiB.
    #[must_use]
    pub fn hard_bytes(&self) -> usize {
        (self.session_queue_bytes_max * 4).max(1 << 20)
    }
}

/// Something to be done outside.
#[derive(Debug)]
pub enum Ask<S> {
    /// Read events for a session, or for several that miss the same; answer with [`Hub::page`].
    Read {
        /// Its number.
        number: u64,
        /// What to read.
        request: EventsRequest,
        /// Not before so many milliseconds.
        put_off_ms: u64,
    },
    /// Call [`Hub::retry`] after a while.
    RetryRead {
        /// The session.
        key: SessionKey,
        /// Which catch-up.
        nonce: u64,
        /// Failures in a row.
        tries: u32,
    },
    /// Read the events that a topic misses, after a back-off if `tries` is not 0; answer with
    /// [`Hub::repaired`].
    Repair {
        /// What to read.
        request: EventsRequest,
        /// Failures in a row.
        tries: u32,
    },
    /// Follow the topic at its owner.
    Subscribe(Topic),
    /// Stop following it.
    Unsubscribe(Topic),
    /// Hand a signal to the topic's owner.
    Signal(Signal),
    /// Send a message; answer with [`Hub::sent`].
    Send {
        /// The session.
        key: SessionKey,
        /// The message.
        send: RtmSend,
    },
    /// Ask how people are; answer with [`Hub::presence_answered`].
    Presence {
        /// The session.
        key: SessionKey,
        /// Who.
        people: Vec<Person>,
    },
    /// Call [`Hub::flush`] when the socket takes more.
    Flush(SessionKey),
    /// The session is over: write the rest, close the socket.
    Linger {
        /// The socket.
        sink: S,
        /// What must still be written, close frame included.
        rest: Bytes,
    },
}

/// Counts since the last look; the shell turns them into metrics.
#[derive(Debug, Default)]
pub struct Counts {
    /// Events written or queued, summed over sessions.
    pub events: u64,
    /// Sessions told to pull.
    pub degraded: u64,
    /// RTM sessions closed as too slow.
    pub too_slow: u64,
    /// Pages read for sessions.
    pub pages: u64,
    /// Pages that were shown to a session and had been read with another's.
    pub shared_pages: u64,
    /// Pages read to fill holes of topics.
    pub repairs: u64,
    /// Live sessions that did not stand where they should: always 0 unless there is a fault in here.
    pub footing_lost: u64,
    /// People whose presence was told, summed over sessions.
    pub presence: u64,
}

/// Sessions of one user or credential. Nearly always one.
type Few = SmallVec<[Index; 2]>;

/// See the module.
#[derive(Debug)]
pub struct Hub<S> {
    limits: Limits,
    sessions: Arena<Session<S>>,
    topics: Arena<TopicView>,
    by_topic: Finder<Index>,
    /// Sessions that follow their topics, by user.
    users: Finder<Few>,
    /// All sessions, by credential.
    credentials: Finder<Few>,
    /// With the time of the revocation.
    revoked: VecDeque<(CredentialId, u64)>,
    /// Topics with something to write.
    queue: VecDeque<Index>,
    /// Sessions that wait for a read.
    ready: VecDeque<SessionKey>,
    reads: pages::Reads,
    /// Sessions that have not sent `resume`, with the time by which they must.
    waiting: VecDeque<(SessionKey, u64)>,
    /// Topics without followers, with the time at which they are given up.
    idle: VecDeque<(Topic, u64)>,
    next_serial: u64,
    next_nonce: u64,
    now_ms: u64,
    tick: u64,
    shared: Shared,
    asks: Vec<Ask<S>>,
    journeys: Journeys,
    counts: Counts,
    presence: Presence,
    /// Sessions to be told of changes of presence.
    presence_queue: VecDeque<SessionKey>,
}

/// The key of a reference to a view of a topic.
fn topic_at(topics: &Arena<TopicView>) -> impl Fn(&Index) -> Option<Topic> {
    |&index| topics.get(index).map(TopicView::topic)
}

/// The key of sessions that have it in common.
fn of_first<S, K>(
    sessions: &Arena<Session<S>>,
    key: impl Fn(&Session<S>) -> K,
) -> impl Fn(&Few) -> Option<K> {
    move |few| few.first().and_then(|&index| sessions.get(index)).map(&key)
}

/// Adds a session to those with its key.
fn add<K: Hash + Eq>(finder: &mut Finder<Few>, index: Index, key_of: impl Fn(&Few) -> Option<K>) {
    let alone = Few::from_slice(&[index]);
    let Some(key) = key_of(&alone) else { return };
    match finder.get_mut(&key, &key_of) {
        Some(few) => few.push(index),
        None => finder.insert(&key, alone, key_of),
    }
}

/// Takes a session that is still there out of those with its key.
fn take<K: Hash + Eq>(finder: &mut Finder<Few>, index: Index, key_of: impl Fn(&Few) -> Option<K>) {
    let Some(key) = key_of(&Few::from_slice(&[index])) else { return };
    match finder.get_mut(&key, &key_of) {
        Some(few) if few.len() > 1 => few.retain(|known| *known != index),
        Some(few) if few.contains(&index) => finder.remove(&key, key_of),
        _ => {}
    }
}

/// A session could not be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddError {
    /// Its credential was revoked while it booted.
    #[error("the credential was revoked")]
    Revoked,
    /// The table is full.
    #[error("too many sessions")]
    Full,
}

impl<S: Sink> Hub<S> {
    /// A hub without sessions.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        let shared = Shared {
            budget_bytes: limits.session_queue_bytes_max,
            hard_bytes: limits.hard_bytes(),
            ..Shared::default()
        };
        Self {
            limits,
            sessions: Arena::default(),
            topics: Arena::default(),
            by_topic: Finder::default(),
            users: Finder::default(),
            credentials: Finder::default(),
            revoked: VecDeque::new(),
            queue: VecDeque::new(),
            ready: VecDeque::new(),
            reads: pages::Reads::default(),
            waiting: VecDeque::new(),
            idle: VecDeque::new(),
            next_serial: 1,
            next_nonce: 1,
            now_ms: 0,
            tick: 0,
            shared,
            asks: Vec::new(),
            journeys: Journeys::default(),
            counts: Counts::default(),
            presence: Presence::new(limits.activity_every_ms, WATCHES_MAX),
            presence_queue: VecDeque::new(),
        }
    }

    /// Tells the time, in milliseconds since the loop started.
    pub fn set_now(&mut self, now_ms: u64) {
        self.now_ms = now_ms;
    }

    /// What must be done outside. To be called after every other call.
    pub fn take_asks(&mut self) -> Vec<Ask<S>> {
        std::mem::take(&mut self.asks)
    }

    /// Counts since the last call: everything, bytes out, signals shed.
    pub fn take_counts(&mut self) -> (Counts, u64, u64) {
        let bytes = std::mem::take(&mut self.shared.bytes_out);
        (std::mem::take(&mut self.counts), bytes, std::mem::take(&mut self.shared.shed))
    }

    /// Open sessions.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Whether no session is open.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    /// Open sessions of a protocol. Counts one by one.
    #[must_use]
    pub fn len_of(&self, protocol: Protocol) -> usize {
        let sessions = self.sessions.indices().filter_map(|index| self.sessions.get(index));
        sessions.filter(|session| session.protocol == protocol).count()
    }

    /// Topics that the loop follows.
    #[must_use]
    pub fn topic_count(&self) -> usize {
        self.topics.len()
    }

    /// Bytes in all outboxes.
    #[must_use]
    pub fn queued_bytes(&self) -> usize {
        self.shared.queued_bytes
    }

    /// Events that were taken and are not written yet. Counts topic by topic.
    #[must_use]
    pub fn backlog(&self) -> usize {
        self.queue.iter().filter_map(|&index| self.topics.get(index)).map(TopicView::backlog).sum()
    }

    /// What the loop has of a topic, if it follows it.
    #[must_use]
    pub fn position(&self, topic: Topic) -> Option<Position> {
        self.find(topic).and_then(|index| self.topics.get(index)).map(TopicView::position)
    }

    /// The topics that the loop follows.
    pub fn topics(&self) -> impl Iterator<Item = Topic> {
        self.topics.indices().filter_map(|index| self.topics.get(index)).map(TopicView::topic)
    }

    /// Where the view of a topic is.
    fn find(&self, topic: Topic) -> Option<Index> {
        self.by_topic.get(&topic, topic_at(&self.topics)).copied()
    }

    /// What it remembers of events.
    #[must_use]
    pub fn journeys(&self) -> &Journeys {
        &self.journeys
    }

    /// The socket of a session, while the session lasts.
    #[must_use]
    pub fn sink(&self, key: SessionKey) -> Option<&S> {
        self.session(key).map(|session| &session.sink)
    }

    /// As [`Hub::sink`].
    pub fn sink_mut(&mut self, key: SessionKey) -> Option<&mut S> {
        let session = self.sessions.get_mut(key.index)?;
        (session.serial == key.serial).then_some(&mut session.sink)
    }

    fn session(&self, key: SessionKey) -> Option<&Session<S>> {
        self.sessions.get(key.index).filter(|session| session.serial == key.serial)
    }

    fn key(&self, index: Index) -> Option<SessionKey> {
        self.sessions.get(index).map(|session| SessionKey { index, serial: session.serial })
    }

    /// Starts a session: says hello, and lets an RTM session follow its topics at once. The boot was asked
    /// for at `asked_ms`.
    ///
    /// # Errors
    /// [`AddError`], with the socket.
    pub fn add(&mut self, sink: S, boot: Boot, asked_ms: u64) -> Result<SessionKey, (AddError, S)> {
        let credential = boot.actor.credential;
        if self.revoked.iter().any(|&(revoked, at_ms)| revoked == credential && at_ms >= asked_ms) {
            return Err((AddError::Revoked, sink));
        }
        let serial = self.next_serial;
        let (workspace, user) = (boot.actor.workspace, boot.actor.user);
        let own = TopicId::User(user);
        let booted = boot.topics.iter().find(|(topic, _)| *topic == own).map_or(Seq::ZERO, |(_, at)| at.seq);
        let always = boot.actor.bot.is_some();
        let mut topics = boot.topics;
        topics.sort_unstable_by_key(|&(topic, _)| topic);
        topics.dedup_by_key(|&mut (topic, _)| topic);
        let session = Session {
            sink,
            serial,
            id: boot.session,
            actor: Box::new(boot.actor),
            protocol: boot.protocol,
            class: boot.class,
            batch_presence: boot.batch_presence,
            heard_ms: self.now_ms,
            boot: Some(topics.into_boxed_slice()),
            booted,
            cursors: Vec::new(),
            outbox: None,
            extra: None,
        };
        let index = match self.sessions.insert(session) {
            Ok(index) => index,
            Err(session) => return Err((AddError::Full, session.sink)),
        };
        self.next_serial += 1;
        add(&mut self.credentials, index, of_first(&self.sessions, |session| session.actor.credential));
        let key = SessionKey { index, serial };
        self.presence.connected(Person { workspace, user }, always, boot.manual, self.now_ms);
        match boot.protocol {
            Protocol::Own => {
                self.waiting.push_back((key, self.now_ms + pace::RESUME_WITHIN_MS));
                self.say(index, &realtime::hello(boot.session, user, workspace));
            }
            Protocol::Rtm => {
                self.say(index, r#"{"type":"hello"}"#);
                self.follow_boot(index);
            }
        }
        self.settle();
        Ok(key)
    }

    /// The socket is gone; nothing more can be written.
    pub fn gone(&mut self, key: SessionKey) {
        if self.session(key).is_some() {
            drop(self.detach(key.index));
        }
        self.settle();
    }

    /// Ends the sessions of the credentials. Nothing is written to them after this but the close frame.
    pub fn revoke(&mut self, credentials: &[CredentialId]) -> usize {
        let mut ended = 0;
        for &credential in credentials {
            let old = self.revoked.front().is_some_and(|&(_, at_ms)| at_ms + REVOKED_FOR_MS < self.now_ms);
            if old || self.revoked.len() >= REVOKED_MAX {
                self.revoked.pop_front();
            }
            self.revoked.push_back((credential, self.now_ms));
            for index in self.sessions_by(credential) {
                self.close(index, CloseCode::Revoked);
                ended += 1;
            }
        }
        self.settle();
        ended
    }

    /// Sessions of a credential.
    fn sessions_by(&self, credential: CredentialId) -> Few {
        let key_of = of_first(&self.sessions, |session| session.actor.credential);
        self.credentials.get(&credential, key_of).cloned().unwrap_or_default()
    }

    /// Writes a text frame that is never dropped.
    fn say(&mut self, index: Index, text: &str) {
        self.write(index, &frame::text(text), Kind::Keep);
    }

    fn write(&mut self, index: Index, bytes: &Bytes, kind: Kind) {
        if let Some(session) = self.sessions.get_mut(index) {
            session.send(index, bytes, 0, kind, &mut self.shared);
        }
    }

    /// The view of a topic; a new one starts at `known`, and is subscribed to.
    fn view(&mut self, topic: Topic, known: Position) -> Option<Index> {
        if let Some(index) = self.find(topic) {
            return Some(index);
        }
        let index = self.topics.insert(TopicView::new(topic, known)).ok()?;
        self.by_topic.insert(&topic, index, topic_at(&self.topics));
        self.asks.push(Ask::Subscribe(topic));
        Some(index)
    }

    /// Makes a session follow a topic that is known to have got to `known`, of which it has everything up
    /// to `after`. Returns whether it is live.
    fn follow(&mut self, index: Index, topic: TopicId, known: Position, after: Seq, style: Style) -> bool {
        let Some(workspace) = self.sessions.get(index).map(|session| session.actor.workspace) else {
            return false;
        };
        let Some(at) = self.view(Topic { workspace, id: topic }, known) else { return false };
        let newer = self.topics.get(at).is_some_and(|view| known.generation > view.generation());
        if newer {
            self.jump(at, known);
        }
        let (Some(view), Some(session)) = (self.topics.get_mut(at), self.sessions.get_mut(index)) else {
            return false;
        };
        if session.slot(at).is_some() {
            return false;
        }
        let same = view.generation() == known.generation;
        // Before `known` there may be changes of membership that are history to this session.
        let live = same && after >= view.started() && after == known.seq;
        let mode = if live { Mode::Live } else { Mode::Catching };
        view.idle_since_ms = None;
        let Ok(slot) = Index::try_from(view.followers.len()) else { return false };
        view.add(Follower::new(index, mode, after));
        session.set_slot(at, slot);
        if !live {
            let after = Position { generation: known.generation, seq: after };
            self.catch_up(index, at, after, known.seq, style);
        }
        live
    }

    /// Ends the session's following of a topic.
    fn unfollow(&mut self, index: Index, at: Index) {
        let Some(session) = self.sessions.get_mut(index) else { return };
        let Some(slot) = session.remove_cursor(at) else { return };
        if let Some(extra) = &mut session.extra {
            extra.catch_ups.retain(|catch_up| catch_up.topic != at);
        }
        session.forget(at);
        self.leave_slot(at, slot);
    }

    fn leave_slot(&mut self, at: Index, slot: Index) {
        let Some(view) = self.topics.get_mut(at) else { return };
        if (slot as usize) < view.followers.len() {
            view.followers.swap_remove(slot as usize);
        }
        if let Some(moved) = view.followers.get(slot as usize)
            && let Some(session) = self.sessions.get_mut(moved.session)
        {
            session.set_slot(at, slot);
        }
        if view.followers.is_empty() {
            view.idle_since_ms = Some(self.now_ms);
            self.idle.push_back((view.topic(), self.now_ms + pace::TOPIC_GRACE_MS));
        }
    }

    /// How a session stands to a topic.
    fn follower_mut(&mut self, index: Index, at: Index) -> Option<&mut Follower> {
        let slot = self.sessions.get(index)?.slot(at)?;
        self.topics.get_mut(at)?.followers.get_mut(slot as usize)
    }

    /// Takes a session out of all tables.
    fn detach(&mut self, index: Index) -> Option<Session<S>> {
        take(&mut self.users, index, of_first(&self.sessions, Session::owner));
        take(&mut self.credentials, index, of_first(&self.sessions, |session| session.actor.credential));
        let session = self.sessions.remove(index)?;
        for cursor in &session.cursors {
            self.leave_slot(cursor.topic, cursor.slot);
        }
        let owner = session.owner();
        self.shared.queued_bytes = self.shared.queued_bytes.saturating_sub(session.waiting_bytes());
        let watched = session.extra.as_ref().map_or(&[][..], |extra| &extra.watching.users);
        self.leave_presence(index, owner, watched);
        Some(session)
    }
}
