//! Events as they travel between roles: a header that roles understand and bytes that they do not.

use bytes::Bytes;
use model::{ChannelId, Head, Position, Seq, SessionId, Topic, TraceId, UserId, WriteTimes};

/// Version of [`EventRecord::body`] and [`EventRecord::extra`]: Slack's event object as UTF-8 JSON.
pub const BODY_VERSION: u8 = 1;

/// One committed event on its way to the sockets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRecord {
    /// Of which topic.
    pub topic: Topic,
    /// Where in it.
    pub position: Position,
    /// Which of the topic's sessions get it. The others get a skip, never a hole.
    pub audience: Audience,
    /// What a gateway does besides passing it on.
    pub effect: Effect,
    /// The RTM socket that sent the message: it gets an acknowledgement instead of this event.
    pub origin: Option<SessionId>,
    /// The request that made it.
    pub trace: TraceId,
    /// When it was accepted and committed.
    pub times: WriteTimes,
    /// Slack's event object: `{…}`. Empty: the seq exists and has nothing to show (`_skip`).
    pub body: Bytes,
    /// More members of `_p` for our own protocol, each with a leading comma: `,"parent":{…}`. May be empty.
    pub extra: Bytes,
}

impl EventRecord {
    /// Its place in the topic.
    #[must_use]
    pub fn seq(&self) -> Seq {
        self.position.seq
    }
}

/// Which sessions of a topic an event is for: a set of session classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Audience(pub u8);

impl Audience {
    /// Class of people with full membership, and of bots.
    pub const MEMBER: u8 = 1;
    /// Class of guests.
    pub const GUEST: u8 = 2;
    /// Every class.
    pub const ALL: Self = Self(u8::MAX);

    /// Whether a session of `class` is in it.
    #[must_use]
    pub const fn has(self, class: u8) -> bool {
        self.0 & class != 0
    }
}

/// What an event means to a gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Only to be passed on.
    None,
    /// On a channel's topic: the user's sessions follow the channel from this event on, it included.
    MemberJoined(UserId),
    /// On a channel's topic: the user's sessions get this event and nothing of the channel after it.
    MemberLeft(UserId),
    /// On a user's topic: the user's sessions follow the channel from `at` on, it included.
    Joined {
        /// The channel.
        channel: ChannelId,
        /// Position of the join in the channel. Of a join and a leave the higher one holds.
        at: Position,
    },
    /// On a user's topic: the user's sessions get nothing of the channel after `at`.
    Left {
        /// The channel.
        channel: ChannelId,
        /// Position of the removal in the channel.
        at: Position,
    },
    /// On a user's topic: the person is away by their own word from here on, or is not any more.
    ManualPresence {
        /// Away.
        away: bool,
    },
}

/// What a Channel Server sends to a gateway. Per topic in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// The next event of a topic. It may be one that the gateway has, or one after a hole; the gateway
    /// drops the former and reads the hole of the latter.
    Event(EventRecord),
    /// The topic is at this position and what leads there is not sent: read it from `web`.
    Head(Head),
    /// A transient thing.
    Signal(Signal),
}

/// A transient thing: never stored, without a position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signal {
    /// Whose sessions get it.
    pub topic: Topic,
    /// What it is.
    pub kind: SignalKind,
    /// Sessions of this user do not get it (who types).
    pub except: Option<UserId>,
    /// Slack's event object.
    pub body: Bytes,
}

/// Decides whether a signal may be dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignalKind {
    /// Somebody types: the first thing to be shed.
    Typing,
    /// An ephemeral message: not stored, and not shed.
    Ephemeral,
}
