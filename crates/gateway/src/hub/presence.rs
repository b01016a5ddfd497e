//! Presence of others, as sessions watch it.
//!
//! A change is not written when it comes: it is noted with each session that watches the person, and the sessions
//! are served in turn with what is so by then. So a crowd of changes is one frame, a large crowd of watchers does
//! not hold up messages, and a session that is too slow costs nothing and ends with the truth: it is served again
//! when its socket has drained.

use bytes::{Bytes, BytesMut};
use model::{Epoch, UserId};
use rpc::{CallError, Person, PresenceChange, PresenceNow, Protocol, Reply};
use wire::{presence, realtime};

use super::{Ask, Hub};
use crate::{
    arena::Index,
    frame,
    outbox::{Kind, Sink},
    rtm,
    session::{Asked, SessionKey},
};

/// Sessions that one step of the loop tells of changes.
const SLICE_SESSIONS: usize = 64;
/// People whom one session is told of in one turn.
const PEOPLE_PER_TURN: usize = 100;

/// Why a frame about presence was not taken: a code for our own protocol, one for RTM, and a sentence.
type Why = (&'static str, i32, &'static str);
const FULL: Why =
    ("overloaded", rtm::TOO_FAST, "too many people are watched on this server, try again later");
const BUSY: Why = ("too_fast", rtm::TOO_FAST, "another presence_query is under way");
const UNAVAILABLE: Why =
    ("unavailable", rtm::UNAVAILABLE, "not everybody's presence is known now, try again");

/// The frames that tell how people are.
fn frames(states: &[(UserId, bool)], batch: bool) -> Bytes {
    let mut out = BytesMut::new();
    if batch {
        for active in [true, false] {
            let users: Vec<UserId> = states.iter().filter(|it| it.1 == active).map(|it| it.0).collect();
            if !users.is_empty() {
                out.extend_from_slice(&frame::text(&presence::changes(&users, active)));
            }
        }
    } else {
        for &(user, active) in states {
            out.extend_from_slice(&frame::text(&presence::change(user, active)));
        }
    }
    out.freeze()
}

impl<S: Sink> Hub<S> {
    fn person(&self, index: Index) -> Option<Person> {
        let (workspace, user) = self.sessions.get(index)?.owner();
        Some(Person { workspace, user })
    }

    /// The session's person did something.
    pub(super) fn note_activity(&mut self, index: Index) {
        if let Some(person) = self.person(index) {
            self.presence.active(person, self.now_ms);
        }
    }

    /// The session watches these people from here on, and no others. It is told how those are who are new.
    pub(super) fn presence_sub(&mut self, index: Index, users: Vec<UserId>, reply_to: Option<&str>) {
        let Some(workspace) = self.sessions.get(index).map(|session| session.actor.workspace) else { return };
        let before = self.sessions.get_mut(index).map(|it| std::mem::take(&mut it.extra().watching.users));
        let before = before.unwrap_or_default();
        for &user in before.iter().filter(|user| users.binary_search(user).is_err()) {
            self.presence.unwatch(index, Person { workspace, user });
        }
        let mut watching = Vec::with_capacity(users.len());
        let mut news = Vec::new();
        let mut full = false;
        for user in users {
            if before.binary_search(&user).is_ok() {
                watching.push(user);
                continue;
            }
            match self.presence.watch(index, Person { workspace, user }) {
                Ok(known) => {
                    watching.push(user);
                    news.extend(known.map(|_| user));
                }
                Err(_) => full = true,
            }
        }
        if let Some(session) = self.sessions.get_mut(index) {
            let list = &mut session.extra().watching;
            list.pending.retain(|user| watching.binary_search(user).is_ok());
            list.users = watching;
        }
        for user in news {
            self.note_change(index, user);
        }
        if full {
            self.refuse_presence(index, reply_to, FULL);
        }
    }

    /// The session asks how people are.
    pub(super) fn presence_query(&mut self, key: SessionKey, users: Vec<UserId>, reply_to: Option<&str>) {
        let Some(session) = self.sessions.get_mut(key.index) else { return };
        let workspace = session.actor.workspace;
        let list = &mut session.extra().watching;
        if list.asked.is_some() {
            self.refuse_presence(key.index, reply_to, BUSY);
            return;
        }
        list.asked = Some(Asked { reply_to: reply_to.map(str::to_owned) });
        let people = users.into_iter().map(|user| Person { workspace, user }).collect();
        self.asks.push(Ask::Presence { key, people });
    }

    /// The answer to [`Ask::Presence`], in the order asked.
    pub fn presence_answered(
        &mut self,
        key: SessionKey,
        people: &[Person],
        answers: &Result<Vec<Result<PresenceNow, Reply>>, CallError>,
    ) {
        if self.session(key).is_some()
            && let Some(session) = self.sessions.get_mut(key.index)
            && let Some(Asked { reply_to }) = session.extra().watching.asked.take()
        {
            let batch = session.batch_presence;
            let answers = answers.as_deref().unwrap_or_default();
            let states: Vec<(UserId, bool)> = people
                .iter()
                .zip(answers)
                .filter_map(|(person, answer)| Some((person.user, answer.as_ref().ok()?.active)))
                .collect();
            self.write(key.index, &frames(&states, batch), Kind::Keep);
            if states.len() < people.len() {
                self.refuse_presence(key.index, reply_to.as_deref(), UNAVAILABLE);
            }
        }
        self.settle();
    }

    fn refuse_presence(&mut self, index: Index, reply_to: Option<&str>, (code, number, why): Why) {
        let reply = match self.sessions.get(index).map(|session| session.protocol) {
            Some(Protocol::Own) => realtime::error(reply_to, code, why),
            Some(Protocol::Rtm) => rtm::error(reply_to.unwrap_or("null"), number, why),
            None => return,
        };
        self.say(index, &reply);
    }

    /// Takes what a presence server told.
    pub fn presence_changed(&mut self, epoch: Epoch, changes: Vec<PresenceChange>) {
        for change in changes {
            let Some(sessions) = self.presence.take(epoch, change) else { continue };
            let sessions: Vec<Index> = sessions.iter().copied().collect();
            for index in sessions {
                self.note_change(index, change.person.user);
            }
        }
        self.settle();
    }

    /// The session must be told how a person is.
    fn note_change(&mut self, index: Index, user: UserId) {
        let Some(key) = self.key(index) else { return };
        let Some(session) = self.sessions.get_mut(index) else { return };
        let slow = session.outbox.is_some();
        let list = &mut session.extra().watching;
        if let Err(at) = list.pending.binary_search(&user) {
            list.pending.insert(at, user);
        }
        if slow {
            self.shared.shed += 1;
        } else if !list.queued {
            list.queued = true;
            self.presence_queue.push_back(key);
        }
    }

    /// The session's socket has drained: it is told what it missed.
    pub(super) fn requeue_presence(&mut self, key: SessionKey) {
        let Some(session) = self.sessions.get_mut(key.index).filter(|it| it.serial == key.serial) else {
            return;
        };
        if session.outbox.is_none()
            && let Some(extra) = &mut session.extra
            && !extra.watching.pending.is_empty()
            && !extra.watching.queued
        {
            extra.watching.queued = true;
            self.presence_queue.push_back(key);
        }
    }

    /// Tells the next sessions how those are of whom they do not know.
    pub(super) fn serve_presence(&mut self) {
        for _ in 0..SLICE_SESSIONS {
            let Some(key) = self.presence_queue.pop_front() else { return };
            if self.session(key).is_none() {
                continue;
            }
            let Some(session) = self.sessions.get_mut(key.index) else { continue };
            let (workspace, batch, slow) =
                (session.actor.workspace, session.batch_presence, session.outbox.is_some());
            let list = &mut session.extra().watching;
            list.queued = false;
            if slow {
                // It is served when its socket has drained.
                continue;
            }
            let some = list.pending.len().min(PEOPLE_PER_TURN);
            let users: Vec<UserId> = list.pending.drain(..some).collect();
            let known = |user| Some((user, self.presence.known(Person { workspace, user })?));
            let states: Vec<(UserId, bool)> = users.into_iter().filter_map(known).collect();
            self.counts.presence += states.len() as u64;
            self.write(key.index, &frames(&states, batch), Kind::State);
            self.requeue_presence(key);
        }
    }

    /// Pairs of a session and somebody whom it watches.
    #[must_use]
    pub fn presence_pairs(&self) -> usize {
        self.presence.pairs()
    }

    /// What the loop has of people's presence.
    pub fn presence_mut(&mut self) -> &mut crate::presence::Presence {
        &mut self.presence
    }

    /// What presence servers must be told.
    #[must_use]
    pub fn presence(&self) -> &crate::presence::Presence {
        &self.presence
    }

    /// The session is over: it watches nobody, and its person is here once less.
    pub(super) fn leave_presence(
        &mut self,
        index: Index,
        owner: (model::WorkspaceId, UserId),
        users: &[UserId],
    ) {
        let (workspace, user) = owner;
        self.presence.disconnected(Person { workspace, user });
        for &user in users {
            self.presence.unwatch(index, Person { workspace, user });
        }
    }
}
