//! What gateways and presence servers tell each other of people.

use std::time::Duration;

use model::{Seq, Topic, TopicId, UserId, WorkspaceId};

/// Somebody whose presence is known: a person or a bot's user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Person {
    /// Their workspace.
    pub workspace: WorkspaceId,
    /// Who.
    pub user: UserId,
}

impl Person {
    /// What the ring of presence servers finds their owner by.
    #[must_use]
    pub fn topic(self) -> Topic {
        Topic { workspace: self.workspace, id: TopicId::User(self.user) }
    }
}

/// What a gateway has of somebody now: all of it, so that the newest report is enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PresenceReport {
    /// Who.
    pub person: Person,
    /// Larger is newer, among all reports of one gateway. What is not newer than what the callee has is dropped.
    pub revision: u64,
    /// Sessions. 0: none any more.
    pub sessions: u32,
    /// Since when nothing was done on any of them. An age and not a time: clocks differ, and jump.
    pub idle: Duration,
    /// Nobody has to do anything on them: a bot's.
    pub always: bool,
    /// Whether they have said that they are away, as of the newest event of their own topic that counts.
    pub manual: ManualAway,
}

/// What somebody has said of themselves. Of two the one with the higher seq holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ManualAway {
    /// Position in their own topic.
    pub seq: Seq,
    /// Away, whatever their sessions do.
    pub away: bool,
}

/// A gateway wants to be told of somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watch {
    /// Who.
    pub person: Person,
    /// What it believes: it is told if that is not so.
    pub believes: Option<bool>,
}

/// How somebody is from here on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PresenceChange {
    /// Who.
    pub person: Person,
    /// Active on some session, and not away by their own word.
    pub active: bool,
    /// Larger is newer, among the changes of one presence server. What is older than what the callee has of the
    /// person at the same epoch, and any of an older epoch, is dropped.
    pub version: u64,
}

/// What a presence server knows of somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PresenceNow {
    /// Active on some session, and not away by their own word as far as gateways have heard of that.
    pub active: bool,
    /// Sessions, on all gateways.
    pub sessions: u32,
    /// Some session is active, whatever they say.
    pub on_device: bool,
    /// Since when nothing was done; `None`: no session.
    pub idle: Option<Duration>,
}
