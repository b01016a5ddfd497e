//! Events: the durable changes of a topic.

use crate::{
    Channel, ChannelId, File, FileId, Message, Micros, Position, Replies, Seq, Topic, Ts, User, UserId,
};

/// One durable change of a topic.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Of which topic.
    pub topic: Topic,
    /// Where in it.
    pub position: Position,
    /// When it was committed: Slack's `event_ts`.
    pub at: Ts,
    /// What changed.
    pub kind: EventKind,
}

impl Event {
    /// Its place in the topic.
    #[must_use]
    pub fn seq(&self) -> Seq {
        self.position.seq
    }
}

/// A thread's parent as an event left it. Absolute, so that applying it twice is harmless.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parent {
    /// The parent's ts.
    pub ts: Ts,
    /// The thread under it; `None` when the last reply is gone.
    pub replies: Option<Replies>,
}

/// What changed.
#[derive(Debug, Clone, PartialEq)]
pub enum EventKind {
    /// A message was posted. Channel topic.
    Message {
        /// The message.
        message: Box<Message>,
        /// The parent, when it is a reply.
        parent: Option<Parent>,
    },
    /// A message's content changed. Channel topic.
    MessageChanged {
        /// As it is now.
        message: Box<Message>,
        /// As it was before; unknown in catch-up.
        previous: Option<Box<Message>>,
    },
    /// A message was deleted. Channel topic.
    MessageDeleted {
        /// Which.
        ts: Ts,
        /// Its thread, when it was in one.
        thread: Option<Ts>,
        /// As it was before; never in catch-up: deleted content does not come back.
        previous: Option<Box<Message>>,
        /// The parent, when it was a reply.
        parent: Option<Parent>,
        /// What remains in its place, when it was a parent with replies.
        tombstone: Option<Box<Message>>,
    },
    /// Somebody reacted. Channel topic.
    ReactionAdded(ReactionChange),
    /// Somebody took a reaction back. Channel topic.
    ReactionRemoved(ReactionChange),
    /// Somebody is in the channel from here on. Channel topic.
    MemberJoined {
        /// Who.
        user: UserId,
        /// Who invited them.
        inviter: Option<UserId>,
        /// Kind, for `channel_type`.
        kind: crate::ChannelKind,
        /// How many are in it then, or later.
        members: u64,
    },
    /// Somebody is not in the channel any more. Channel topic.
    MemberLeft {
        /// Who.
        user: UserId,
        /// Who removed them; `None`: they left.
        by: Option<UserId>,
        /// Kind, for `channel_type`.
        kind: crate::ChannelKind,
        /// How many are in it then, or later.
        members: u64,
    },
    /// A private channel was archived. Channel topic.
    GroupArchived {
        /// Who did it.
        user: UserId,
        /// Which.
        channel: ChannelId,
    },
    /// A private channel was taken back from the archive. Channel topic.
    GroupUnarchived {
        /// Who did it.
        user: UserId,
        /// Which.
        channel: ChannelId,
    },
    /// A private channel has another name. Channel topic.
    GroupRenamed(Box<Channel>),
    /// A message was pinned. Channel topic.
    PinAdded(Box<PinChange>),
    /// A pin was taken off. Channel topic.
    PinRemoved(Box<PinChange>),
    /// A file was shared in the channel. Channel topic.
    FileShared {
        /// Which.
        file: FileId,
        /// Who shared it.
        user: UserId,
    },
    /// A message with a file was deleted. Channel topic.
    FileUnshared {
        /// Which.
        file: FileId,
        /// Who deleted the message.
        user: UserId,
    },
    /// Something of a file is another: its thumbnails are there, say. Topic of each channel that has it; of its owner
    /// when none has.
    FileChanged(Box<File>),
    /// A file has a public link now. Topics as of a change.
    FilePublic {
        /// Which.
        file: FileId,
        /// Who made the link.
        user: UserId,
    },
    /// A file was deleted. Topics as of a change.
    FileDeleted {
        /// Which.
        file: FileId,
    },
    /// The person uploaded a file. User topic.
    FileCreated {
        /// Which.
        file: FileId,
        /// Who.
        user: UserId,
    },
    /// The person is in the conversation now (joined, was invited, opened a DM). User topic.
    Joined {
        /// The conversation.
        channel: Box<Channel>,
        /// Position of the join in the channel.
        at: Position,
    },
    /// The person is not in the channel any more. User topic.
    Left {
        /// The channel.
        channel: ChannelId,
        /// Its kind.
        kind: crate::ChannelKind,
        /// Who removed them; `None`: they left.
        by: Option<UserId>,
        /// Position of the removal in the channel.
        at: Position,
    },
    /// The person read up to a message. User topic.
    Marked {
        /// The conversation.
        channel: ChannelId,
        /// Its kind.
        kind: crate::ChannelKind,
        /// Read up to here.
        ts: Ts,
        /// Mentions that are left after it.
        mention_count: u64,
        /// Whether newer messages count as unread.
        has_unreads: bool,
    },
    /// The person has a conversation in their list again. User topic.
    Opened {
        /// The conversation.
        channel: ChannelId,
        /// Its kind.
        kind: crate::ChannelKind,
    },
    /// The person took a conversation out of their list. User topic.
    Closed {
        /// The conversation.
        channel: ChannelId,
        /// Its kind.
        kind: crate::ChannelKind,
    },
    /// The person follows a thread, or not any more. User topic.
    ThreadFollowed(Subscription),
    /// The person read a thread up to a reply. User topic.
    ThreadMarked(Subscription),
    /// A preference of the person has another value. User topic.
    PreferenceChanged {
        /// Its name.
        name: String,
        /// Its value, JSON.
        value: String,
    },
    /// When somebody does not want to be disturbed has changed. User topic: one's own; workspace topic: for others.
    DndChanged(Box<User>),
    /// A preference of the workspace has another value. Workspace topic.
    TeamPreferenceChanged {
        /// Its name.
        name: String,
        /// Its value, JSON.
        value: String,
    },
    /// The person said that they are away, or that they are not any more. User topic.
    ManualPresence {
        /// Away, whatever the devices do.
        away: bool,
    },
    /// A public channel was created. Workspace topic.
    ChannelCreated(Box<Channel>),
    /// A public channel was archived. Workspace topic.
    ChannelArchived {
        /// Who did it.
        user: UserId,
        /// Which.
        channel: ChannelId,
    },
    /// A public channel was taken back from the archive. Workspace topic.
    ChannelUnarchived {
        /// Who did it.
        user: UserId,
        /// Which.
        channel: ChannelId,
    },
    /// A public channel has another name. Workspace topic.
    ChannelRenamed(Box<Channel>),
    /// A public channel is by invitation from here on. Workspace topic.
    ChannelConvertedToPrivate {
        /// Which.
        channel: ChannelId,
    },
    /// Somebody has an account now. Workspace topic.
    TeamJoin(Box<User>),
    /// Somebody's profile or standing changed. Workspace topic.
    UserChange(Box<User>, UserPart),
    /// The seq exists and has nothing to show any more (catch-up of deleted content).
    Nothing,
}

/// One person's emoji under one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReactionChange {
    /// The channel.
    pub channel: ChannelId,
    /// The message.
    pub ts: Ts,
    /// Who reacted.
    pub user: UserId,
    /// Short name without colons.
    pub name: String,
    /// Author of the message.
    pub item_user: UserId,
}

/// What of a person changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserPart {
    /// Their account.
    Account,
    /// Their profile, not the status.
    Profile,
    /// Their status.
    Status,
}

/// A pin on a message, or one that was taken off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PinChange {
    /// The message, as it is now.
    pub message: Message,
    /// Who pinned it or took the pin off.
    pub user: UserId,
    /// Pinned messages of the channel after it.
    pub pins: u64,
}

/// A thread that somebody follows, or has followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subscription {
    /// The channel.
    pub channel: ChannelId,
    /// The parent's ts.
    pub thread: Ts,
    /// Read up to this reply. [`Ts::ZERO`]: nothing of it.
    pub last_read: Ts,
    /// They follow it.
    pub active: bool,
}

/// A topic and how far its log goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The topic.
    pub topic: Topic,
    /// Its last event.
    pub position: Position,
}

/// When an accepted write passed which step; microseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WriteTimes {
    /// The web role had authenticated the request and queued it.
    pub accepted: Micros,
    /// The store had committed it.
    pub committed: Micros,
}
