//! One session: who it is, which topics it follows, and what is special about it right now.

use std::{collections::VecDeque, io::ErrorKind};

use bytes::Bytes;
use model::{ChannelId, Position, Seq, SessionId, TopicId, UserId, WorkspaceId};
use rpc::{Actor, Protocol, RtmSend};

use crate::{
    arena::Index,
    outbox::{Flushed, Kind, Outbox, Sink},
};

/// Messages typed over RTM that may wait for their predecessor's answer. Full: refused with an error reply.
pub const SENDS_MAX: usize = 32;
/// Channels for which a session's last typing is remembered; the oldest makes room.
const TYPED_MAX: usize = 16;
/// A session's typing in a channel is passed on at most once in this time, milliseconds.
const TYPING_EVERY_MS: u64 = 3_000;

/// Names a session for as long as the process runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionKey {
    /// Its place in the table.
    pub index: Index,
    /// Differs for each session.
    pub serial: u64,
}

/// A topic that the session follows, and its place among the topic's followers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// The topic.
    pub topic: Index,
    /// Index into the topic's followers.
    pub slot: Index,
}

/// How catch-up is shown to the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// As `_page`s, and `_live` at the end: the client asked by `resume` or `pull`.
    Pages,
    /// As plain events: the client was told already from where they follow, or is an RTM client.
    Events,
}

/// A topic of which the session misses something.
#[derive(Debug)]
pub struct CatchUp {
    /// Tells answers to this one from answers to an earlier one.
    pub nonce: u64,
    /// The topic.
    pub topic: Index,
    /// What the client has.
    pub after: Position,
    /// Changes of one's own membership up to here are history: the session stands beyond them.
    pub floor: Seq,
    /// How it is shown.
    pub style: Style,
    /// A read is under way, or a retry is waiting.
    pub busy: bool,
    /// Failed reads in a row.
    pub tries: u32,
}

/// A change of one's own membership: of several the highest position holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// The channel.
    pub channel: ChannelId,
    /// Position in the channel.
    pub seq: Seq,
    /// Joined, or left.
    pub joined: bool,
}

/// Whose presence a session watches.
#[derive(Debug, Default)]
pub struct Watching {
    /// Whom, ascending; at most [`wire::presence::IDS_MAX`].
    pub users: Vec<UserId>,
    /// Of whom it must be told, ascending.
    pub pending: Vec<UserId>,
    /// It waits for its turn to be told.
    pub queued: bool,
    /// It has asked how people are, and waits for the answer.
    pub asked: Option<Asked>,
}

/// A `presence_query` under way.
#[derive(Debug)]
pub struct Asked {
    /// JSON of what a refusal replies to.
    pub reply_to: Option<String>,
}

/// What only few sessions have at a time.
#[derive(Debug, Default)]
pub struct Extra {
    /// Topics to catch up on.
    pub catch_ups: VecDeque<CatchUp>,
    /// It waits for its turn to read.
    pub ready: bool,
    /// Changes of membership since the session started, one per channel.
    pub changes: Vec<Change>,
    /// When it last typed where.
    typed: VecDeque<(Index, u64)>,
    /// RTM messages that wait; the first is under way. Each with the `reply_to` of its answer.
    pub sends: VecDeque<(RtmSend, String)>,
    /// Whose presence it watches.
    pub watching: Watching,
}

/// One socket and what it follows.
#[derive(Debug)]
pub struct Session<S> {
    /// Where it writes.
    pub sink: S,
    /// Differs for each session.
    pub serial: u64,
    /// Its id in the protocols.
    pub id: SessionId,
    /// Whose.
    pub actor: Box<Actor>,
    /// What is spoken.
    pub protocol: Protocol,
    /// Its class, for audiences.
    pub class: u8,
    /// It takes the presence of several people in one frame.
    pub batch_presence: bool,
    /// When the client was heard last, milliseconds of the loop's time.
    pub heard_ms: u64,
    /// What the boot said, until the client has sent its `resume`.
    pub boot: Option<Box<[(TopicId, Position)]>>,
    /// Events of one's own topic up to here were part of the boot.
    pub booted: Seq,
    /// What it follows, by topic.
    pub cursors: Vec<Cursor>,
    /// What waits for the socket.
    pub outbox: Option<Box<Outbox>>,
    /// What is special.
    pub extra: Option<Box<Extra>>,
}

/// What the sessions of a loop share when they write.
#[derive(Debug, Default)]
pub struct Shared {
    /// Bytes in all outboxes.
    pub queued_bytes: usize,
    /// An outbox above this is degraded.
    pub budget_bytes: usize,
    /// An outbox above this, whatever is in it, ends the session.
    pub hard_bytes: usize,
    /// Sessions whose outbox has begun to fill: they must be told when the socket takes more.
    pub filled: Vec<Index>,
    /// Sessions above their budget.
    pub over: Vec<Index>,
    /// Sessions whose socket is broken.
    pub broken: Vec<Index>,
    /// Bytes written or queued since it was last looked at.
    pub bytes_out: u64,
    /// Signals shed since it was last looked at.
    pub shed: u64,
}

impl<S: Sink> Session<S> {
    /// Whose sessions it belongs to.
    #[must_use]
    pub fn owner(&self) -> (WorkspaceId, UserId) {
        (self.actor.workspace, self.actor.user)
    }

    /// What waits of a topic leads to nowhere any more: see [`Outbox::forget`].
    pub fn forget(&mut self, topic: Index) {
        if let Some(outbox) = &mut self.outbox {
            outbox.forget(topic);
        }
    }

    /// Writes the bytes from `start` on, or keeps what does not fit.
    pub fn send(&mut self, index: Index, bytes: &Bytes, start: usize, kind: Kind, shared: &mut Shared) {
        let all = bytes.get(start..).unwrap_or_default();
        if all.is_empty() {
            return;
        }
        if let Some(outbox) = &mut self.outbox {
            if kind == Kind::Shed || kind == Kind::State {
                shared.shed += 1;
                return;
            }
            outbox.push(bytes.slice(start..), kind);
            shared.bytes_out += all.len() as u64;
            shared.queued_bytes += all.len();
            let over = outbox.bytes() > shared.budget_bytes && kind != Kind::Keep;
            if over || outbox.bytes() > shared.hard_bytes {
                shared.over.push(index);
            }
            return;
        }
        let written = match self.sink.try_write(all) {
            Ok(written) => written,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => 0,
            Err(_) => {
                shared.broken.push(index);
                return;
            }
        };
        shared.bytes_out += all.len() as u64;
        if written < all.len() {
            let mut outbox = Box::<Outbox>::default();
            let kind = if written == 0 && kind != Kind::State { kind } else { Kind::Keep };
            outbox.push(bytes.slice(start + written..), kind);
            shared.queued_bytes += outbox.bytes();
            if outbox.bytes() > shared.hard_bytes {
                shared.over.push(index);
            }
            self.outbox = Some(outbox);
            shared.filled.push(index);
        }
    }

    /// Writes what waits, as far as it fits.
    pub fn flush(&mut self, shared: &mut Shared) -> Flushed {
        let Some(outbox) = &mut self.outbox else { return Flushed::Empty };
        let before = outbox.bytes();
        let flushed = outbox.flush(&self.sink);
        shared.queued_bytes = shared.queued_bytes.saturating_sub(before - outbox.bytes());
        if flushed == Flushed::Empty {
            self.outbox = None;
        }
        flushed
    }

    /// Bytes that wait for the socket.
    #[must_use]
    pub fn waiting_bytes(&self) -> usize {
        self.outbox.as_ref().map_or(0, |outbox| outbox.bytes())
    }

    /// Its place among the topic's followers.
    #[must_use]
    pub fn slot(&self, topic: Index) -> Option<Index> {
        let at = self.cursors.binary_search_by_key(&topic, |cursor| cursor.topic).ok()?;
        self.cursors.get(at).map(|cursor| cursor.slot)
    }

    /// Sets its place among the topic's followers; adds the topic if it is new.
    pub fn set_slot(&mut self, topic: Index, slot: Index) {
        match self.cursors.binary_search_by_key(&topic, |cursor| cursor.topic) {
            Ok(at) => {
                if let Some(cursor) = self.cursors.get_mut(at) {
                    cursor.slot = slot;
                }
            }
            Err(at) => self.cursors.insert(at, Cursor { topic, slot }),
        }
    }

    /// Removes the topic. Returns its place among the followers.
    pub fn remove_cursor(&mut self, topic: Index) -> Option<Index> {
        let at = self.cursors.binary_search_by_key(&topic, |cursor| cursor.topic).ok()?;
        Some(self.cursors.remove(at).slot)
    }

    /// What is special, made when there is none yet.
    pub fn extra(&mut self) -> &mut Extra {
        self.extra.get_or_insert_default()
    }

    /// The newest known change of membership in the channel.
    #[must_use]
    pub fn change(&self, channel: ChannelId) -> Option<Change> {
        self.extra.as_ref()?.changes.iter().find(|change| change.channel == channel).copied()
    }

    /// Notes a change. Returns `false` when a newer one, or this one, is known.
    pub fn note_change(&mut self, change: Change) -> bool {
        let changes = &mut self.extra().changes;
        match changes.iter_mut().find(|known| known.channel == change.channel) {
            Some(known) if known.seq >= change.seq => false,
            Some(known) => {
                *known = change;
                true
            }
            None => {
                changes.push(change);
                true
            }
        }
    }

    /// Whether typing in the channel may be passed on now; counts it if so.
    pub fn may_type(&mut self, topic: Index, now_ms: u64) -> bool {
        let typed = &mut self.extra().typed;
        typed.retain(|&(_, at)| now_ms < at + TYPING_EVERY_MS);
        if typed.iter().any(|&(known, _)| known == topic) {
            return false;
        }
        if typed.len() >= TYPED_MAX {
            typed.pop_front();
        }
        typed.push_back((topic, now_ms));
        true
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, IoSlice};

    use model::CredentialId;

    use super::*;

    struct Null;

    impl Sink for Null {
        fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
            Ok(bytes.len())
        }
        fn try_write_vectored(&self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
            Ok(buffers.iter().map(|buffer| buffer.len()).sum())
        }
    }

    fn session() -> Session<Null> {
        Session {
            sink: Null,
            serial: 1,
            id: SessionId(1),
            actor: Box::new(Actor {
                workspace: WorkspaceId::from_random(1),
                user: UserId::from_random(2),
                bot: None,
                app: None,
                credential: CredentialId([0; 16]),
            }),
            protocol: Protocol::Own,
            class: 1,
            batch_presence: false,
            heard_ms: 0,
            boot: None,
            booted: Seq::ZERO,
            cursors: Vec::new(),
            outbox: None,
            extra: None,
        }
    }

    #[test]
    fn of_two_changes_the_higher_position_holds() {
        let channel = ChannelId::from_random(3);
        let change = |seq, joined| Change { channel, seq: Seq::new(seq), joined };
        for order in [[change(11, false), change(13, true)], [change(13, true), change(11, false)]] {
            let mut session = session();
            for change in order {
                session.note_change(change);
            }
            assert_eq!(session.change(channel), Some(change(13, true)));
        }
        let mut session = session();
        assert!(session.note_change(change(11, false)));
        assert!(!session.note_change(change(11, false)));
    }

    #[test]
    fn typing_is_passed_on_once_in_three_seconds_per_channel() {
        let mut session = session();
        for (topic, now, expect) in
            [(1, 0, true), (1, 2_999, false), (2, 2_999, true), (1, 3_000, true), (1, 5_999, false)]
        {
            assert_eq!(session.may_type(topic, now), expect, "{topic} {now}");
        }
        for topic in 100..200 {
            session.may_type(topic, 6_000);
        }
        assert!(session.extra().typed.len() <= TYPED_MAX);
    }

    #[test]
    fn cursors_are_found_after_any_order_of_changes() {
        let mut session = session();
        for topic in [5, 1, 9, 3] {
            session.set_slot(topic, topic * 10);
        }
        session.set_slot(9, 7);
        assert_eq!(session.remove_cursor(5), Some(50));
        assert_eq!([1, 3, 5, 9].map(|topic| session.slot(topic)), [Some(10), Some(30), None, Some(7)]);
    }
}
