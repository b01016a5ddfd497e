//! Messages.

use std::{fmt, str::FromStr};

use crate::{AppId, BotId, ChannelId, File, MessageText, Ts, UserId};

/// The sender's idempotency key: a UUID, in lower case. One key, one message, for ever.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientMsgId(String);

/// The text is not a usable `client_msg_id`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("client_msg_id is not a UUID")]
pub struct ClientMsgIdError;

impl ClientMsgId {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ClientMsgId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ClientMsgId {
    type Err = ClientMsgIdError;

    /// Reads the hyphenated form, in any case: `8-4-4-4-12` hexadecimal digits.
    fn from_str(text: &str) -> Result<Self, ClientMsgIdError> {
        let valid = text.len() == 36
            && text.bytes().enumerate().all(|(at, byte)| {
                if matches!(at, 8 | 13 | 18 | 23) { byte == b'-' } else { byte.is_ascii_hexdigit() }
            });
        if valid { Ok(Self(text.to_ascii_lowercase())) } else { Err(ClientMsgIdError) }
    }
}

/// What makes a message other than plain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subtype {
    /// Posted by a bot under a name of its own (`bot_message`).
    BotMessage,
    /// `/me` text.
    Me,
    /// A reply that is also shown in the channel.
    ThreadBroadcast,
    /// Somebody joined; `inviter` if they were invited.
    ChannelJoin {
        /// Who invited.
        inviter: Option<UserId>,
    },
    /// Somebody left or was removed.
    ChannelLeave,
    /// The topic was set to this.
    ChannelTopic(String),
    /// The purpose was set to this.
    ChannelPurpose(String),
    /// The channel was archived.
    ChannelArchive,
    /// It was taken back from the archive.
    ChannelUnarchive,
    /// The channel got another name.
    ChannelName {
        /// What it was called.
        old: String,
        /// What it is called.
        new: String,
    },
    /// The channel is by invitation from here on.
    ConvertedToPrivate,
    /// The channel is open to everybody from here on.
    ConvertedToPublic,
    /// It brought files along.
    FileShare,
    /// The parent of a thread was deleted and its replies remain.
    Tombstone,
}

/// The bot that posted a message, as it was then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bot {
    /// The bot.
    pub id: BotId,
    /// Its app.
    pub app: AppId,
    /// Name it chose for this message.
    pub username: Option<String>,
    /// Emoji it chose for this message, `:robot_face:`.
    pub icon_emoji: Option<String>,
    /// Picture it chose for this message.
    pub icon_url: Option<String>,
    /// What it was when it wrote; the store fills it in.
    pub profile: Option<BotProfile>,
}

/// What a bot was when it wrote a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BotProfile {
    /// Its name.
    pub name: String,
    /// When it had last been changed, seconds since 1970.
    pub updated: i64,
}

/// One emoji under a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reaction {
    /// Slack's short name without colons, skin tone included: `wave::skin-tone-3`.
    pub name: String,
    /// Who, in the order in which they reacted.
    pub users: Vec<UserId>,
}

/// The thread under a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replies {
    /// Replies that exist.
    pub count: u64,
    /// Newest reply that exists.
    pub latest: Ts,
    /// Up to [`Replies::USERS_MAX`] authors, in the order of their first reply.
    pub users: Vec<UserId>,
    /// All authors.
    pub user_count: u64,
}

impl Replies {
    /// How many authors a message lists (Slack lists five).
    pub const USERS_MAX: usize = 5;
}

/// What somebody wants to post. It has no place in its channel yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// Where.
    pub channel: ChannelId,
    /// Who.
    pub author: UserId,
    /// The bot, when one posts.
    pub bot: Option<Bot>,
    /// What kind, beyond plain.
    pub subtype: Option<Subtype>,
    /// The text.
    pub text: MessageText,
    /// Blocks, a JSON array as text.
    pub blocks: Option<String>,
    /// Attachments, a JSON array as text.
    pub attachments: Option<String>,
    /// Metadata, a JSON object as text.
    pub metadata: Option<String>,
    /// Idempotency key.
    pub client_msg_id: Option<ClientMsgId>,
    /// Thread to reply in: the parent's ts.
    pub thread: Option<Ts>,
    /// The reply is also shown in the channel.
    pub broadcast: bool,
    /// Who is mentioned by name.
    pub mentions: Vec<UserId>,
    /// Everybody is mentioned (@channel, @everyone, @here).
    pub mentions_everyone: bool,
}

/// A stored message, as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Where.
    pub channel: ChannelId,
    /// Its id.
    pub ts: Ts,
    /// Who.
    pub author: UserId,
    /// The bot, when one posted.
    pub bot: Option<Bot>,
    /// What kind, beyond plain.
    pub subtype: Option<Subtype>,
    /// The text.
    pub text: MessageText,
    /// Blocks, a JSON array as text.
    pub blocks: Option<String>,
    /// Attachments, a JSON array as text.
    pub attachments: Option<String>,
    /// Metadata, a JSON object as text.
    pub metadata: Option<String>,
    /// Files, as they are now.
    pub files: Vec<File>,
    /// Idempotency key.
    pub client_msg_id: Option<ClientMsgId>,
    /// The thread it belongs to: its own ts for a parent that has or had replies.
    pub thread: Option<Ts>,
    /// Author of the parent, for replies.
    pub parent_author: Option<UserId>,
    /// The reply is also shown in the channel.
    pub broadcast: bool,
    /// Who edited it last, and when.
    pub edited: Option<(UserId, Ts)>,
    /// Emoji, in the order of their first use.
    pub reactions: Vec<Reaction>,
    /// The thread under it.
    pub replies: Option<Replies>,
    /// Who pinned it to its channel, and when.
    pub pinned: Option<(UserId, Ts)>,
    /// Counts changes of the message, 1 at first.
    pub revision: u32,
}

impl Message {
    /// Whether it is a reply in a thread.
    #[must_use]
    pub fn is_reply(&self) -> bool {
        self.thread.is_some_and(|thread| thread != self.ts)
    }

    /// Whether it is shown in the channel itself, and so counts as unread there.
    #[must_use]
    pub fn in_channel(&self) -> bool {
        !self.is_reply() || self.broadcast
    }
}
