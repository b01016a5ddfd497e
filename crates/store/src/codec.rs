//! How enums and small structures stand in rows.

use model::{
    AppId, Bot, BotId, BotProfile, ChannelId, ChannelKind, Credential, Draft, MessageText, Role, Subtype, Ts,
    UserId, UserPart, Who,
};
use serde::{Deserialize, Serialize};

use crate::{
    StoreError,
    rows::files::State as FileState,
    tx::{FromValue, ToValue, Value},
};

macro_rules! coded {
    ($name:ty { $($variant:path = $code:literal),* $(,)? }) => {
        impl ToValue for $name {
            fn to_value(&self) -> Value { Value::Int(match self { $($variant => $code),* }) }
        }
        impl FromValue for $name {
            fn from_value(value: Value) -> Option<Self> {
                match i64::from_value(value)? { $($code => Some($variant),)* _ => None }
            }
        }
    };
}

coded!(ChannelKind {
    ChannelKind::Public = 1,
    ChannelKind::Private = 2,
    ChannelKind::Direct = 3,
    ChannelKind::GroupDirect = 4,
});
coded!(Who { Who::Everyone = 0, Who::Admins = 1, Who::Owners = 2 });
coded!(Role { Role::Member = 1, Role::Admin = 2, Role::Owner = 3, Role::PrimaryOwner = 4 });
coded!(Credential { Credential::Bot = 1, Credential::User = 2, Credential::App = 3, Credential::Session = 4 });

coded!(FileState {
    FileState::Announced = 1,
    FileState::Stored = 2,
    FileState::Complete = 3,
    FileState::Deleted = 4,
});

/// `thumbnails` of a file whose thumbnails are still to be made. 0: none are wanted, 2: made, 3: cannot be made.
pub(crate) const THUMBNAILS_PENDING: i64 = 1;

/// Kind of an event's row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Message,
    MessageChanged,
    MessageDeleted,
    ReactionAdded,
    ReactionRemoved,
    MemberJoined,
    MemberLeft,
    GroupArchived,
    GroupUnarchived,
    GroupRenamed,
    PinAdded,
    PinRemoved,
    FileShared,
    FileUnshared,
    FileChanged,
    FilePublic,
    FileDeleted,
    FileCreated,
    Joined,
    Left,
    Marked,
    Opened,
    Closed,
    ThreadFollowed,
    ThreadMarked,
    PreferenceChanged,
    DndChanged,
    ManualPresence,
    ChannelCreated,
    ChannelArchived,
    TeamJoin,
    UserChange,
    ChannelUnarchived,
    ChannelRenamed,
    ChannelConvertedToPrivate,
    TeamPreferenceChanged,
}
coded!(Kind {
    Kind::Message = 1,
    Kind::MessageChanged = 2,
    Kind::MessageDeleted = 3,
    Kind::ReactionAdded = 4,
    Kind::ReactionRemoved = 5,
    Kind::MemberJoined = 6,
    Kind::MemberLeft = 7,
    Kind::GroupArchived = 8,
    Kind::GroupUnarchived = 9,
    Kind::GroupRenamed = 10,
    Kind::PinAdded = 11,
    Kind::PinRemoved = 12,
    Kind::Joined = 20,
    Kind::Left = 21,
    Kind::Marked = 22,
    Kind::Opened = 23,
    Kind::Closed = 24,
    Kind::ThreadFollowed = 25,
    Kind::ThreadMarked = 26,
    Kind::PreferenceChanged = 27,
    Kind::DndChanged = 28,
    Kind::ManualPresence = 29,
    Kind::ChannelCreated = 40,
    Kind::ChannelArchived = 41,
    Kind::TeamJoin = 42,
    Kind::UserChange = 43,
    Kind::ChannelUnarchived = 44,
    Kind::ChannelRenamed = 45,
    Kind::ChannelConvertedToPrivate = 46,
    Kind::TeamPreferenceChanged = 47,
    Kind::FileShared = 60,
    Kind::FileUnshared = 61,
    Kind::FileChanged = 62,
    Kind::FilePublic = 63,
    Kind::FileDeleted = 64,
    Kind::FileCreated = 65,
});

/// What an event's row holds beyond its reference, by kind; absent keys do not apply.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Data {
    /// Emoji, preference, part of a person.
    #[serde(rename = "n", default, skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    /// Another user: item_user, inviter, remover.
    #[serde(rename = "u", default, skip_serializing_if = "Option::is_none")]
    pub(crate) user: Option<u64>,
    /// Thread of a deleted message.
    #[serde(rename = "t", default, skip_serializing_if = "Option::is_none")]
    pub(crate) thread: Option<i64>,
    /// Position in the channel: generation and seq.
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    pub(crate) position: Option<(u32, u64)>,
    /// Read up to here.
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    pub(crate) read: Option<i64>,
}

impl Data {
    /// As a column: `NULL` when nothing is in it.
    pub(crate) fn to_column(&self) -> Value {
        if *self == Self::default() {
            return Value::Null;
        }
        serde_json::to_string(self).map_or(Value::Null, Value::Text)
    }

    pub(crate) fn from_column(text: Option<String>) -> Result<Self, StoreError> {
        let Some(text) = text else { return Ok(Self::default()) };
        serde_json::from_str(&text).map_err(|_| StoreError::Corrupt { what: "event" })
    }

    pub(crate) fn user(&self) -> Option<UserId> {
        self.user.map(UserId::from_raw)
    }

    pub(crate) fn thread(&self) -> Option<Ts> {
        self.thread.map(Ts::from_micros)
    }
}

/// Number and text of a subtype.
pub(crate) fn subtype_columns(subtype: Option<&Subtype>) -> (Value, Value) {
    let (code, text) = match subtype {
        None => return (Value::Null, Value::Null),
        Some(Subtype::BotMessage) => (1, None),
        Some(Subtype::Me) => (2, None),
        Some(Subtype::ThreadBroadcast) => (3, None),
        Some(Subtype::ChannelJoin { inviter }) => (4, inviter.map(|user| user.to_string())),
        Some(Subtype::ChannelLeave) => (5, None),
        Some(Subtype::ChannelTopic(value)) => (6, Some(value.clone())),
        Some(Subtype::ChannelPurpose(value)) => (7, Some(value.clone())),
        Some(Subtype::ChannelArchive) => (8, None),
        Some(Subtype::Tombstone) => (9, None),
        Some(Subtype::ChannelUnarchive) => (10, None),
        Some(Subtype::ChannelName { old, new }) => (11, Some(format!("{old}/{new}"))),
        Some(Subtype::ConvertedToPrivate) => (12, None),
        Some(Subtype::ConvertedToPublic) => (13, None),
        Some(Subtype::FileShare) => (20, None),
    };
    (Value::Int(code), text.to_value())
}

/// Reads what [`subtype_columns`] made.
pub(crate) fn subtype(code: Option<i64>, text: Option<String>) -> Result<Option<Subtype>, StoreError> {
    Ok(Some(match code {
        None => return Ok(None),
        Some(1) => Subtype::BotMessage,
        Some(2) => Subtype::Me,
        Some(3) => Subtype::ThreadBroadcast,
        Some(4) => Subtype::ChannelJoin { inviter: text.and_then(|user| user.parse().ok()) },
        Some(5) => Subtype::ChannelLeave,
        Some(6) => Subtype::ChannelTopic(text.unwrap_or_default()),
        Some(7) => Subtype::ChannelPurpose(text.unwrap_or_default()),
        Some(8) => Subtype::ChannelArchive,
        Some(9) => Subtype::Tombstone,
        Some(10) => Subtype::ChannelUnarchive,
        Some(11) => {
            let (old, new) = text
                .as_deref()
                .and_then(|names| names.split_once('/'))
                .ok_or(StoreError::Corrupt { what: "message subtype" })?;
            Subtype::ChannelName { old: old.to_owned(), new: new.to_owned() }
        }
        Some(12) => Subtype::ConvertedToPrivate,
        Some(13) => Subtype::ConvertedToPublic,
        Some(20) => Subtype::FileShare,
        Some(_) => return Err(StoreError::Corrupt { what: "message subtype" }),
    }))
}

/// How a bot chose to look in one message.
#[derive(Serialize, Deserialize, Default, PartialEq)]
struct Look {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    icon_emoji: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    icon_url: Option<String>,
    /// What the bot was: both or none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    updated: Option<i64>,
}

impl Look {
    fn of(bot: &Bot) -> Self {
        Self {
            username: bot.username.clone(),
            icon_emoji: bot.icon_emoji.clone(),
            icon_url: bot.icon_url.clone(),
            name: bot.profile.as_ref().map(|profile| profile.name.clone()),
            updated: bot.profile.as_ref().map(|profile| profile.updated),
        }
    }

    fn bot(self, id: BotId, app: AppId) -> Bot {
        let Self { username, icon_emoji, icon_url, name, updated } = self;
        let profile = name.zip(updated).map(|(name, updated)| BotProfile { name, updated });
        Bot { id, app, username, icon_emoji, icon_url, profile }
    }
}

/// `bot`, `app` and `look` of a message.
pub(crate) fn bot_columns(bot: Option<&Bot>) -> (Value, Value, Value) {
    let Some(bot) = bot else { return (Value::Null, Value::Null, Value::Null) };
    let look = Look::of(bot);
    let look = if look == Look::default() { None } else { serde_json::to_string(&look).ok() };
    (bot.id.to_value(), bot.app.to_value(), look.to_value())
}

/// Reads what [`bot_columns`] made.
pub(crate) fn bot(
    id: Option<model::BotId>,
    app: Option<model::AppId>,
    look: Option<String>,
) -> Result<Option<Bot>, StoreError> {
    let (Some(id), Some(app)) = (id, app) else { return Ok(None) };
    let look: Look = match look {
        Some(text) => serde_json::from_str(&text).map_err(|_| StoreError::Corrupt { what: "bot look" })?,
        None => Look::default(),
    };
    Ok(Some(look.bot(id, app)))
}

/// Part of a person, as an event's `n` names it.
pub(crate) fn part_name(part: UserPart) -> Option<String> {
    match part {
        UserPart::Account => None,
        UserPart::Profile => Some("profile".to_owned()),
        UserPart::Status => Some("status".to_owned()),
    }
}

/// Reads what [`part_name`] made.
pub(crate) fn part(name: Option<&str>) -> UserPart {
    match name {
        Some("profile") => UserPart::Profile,
        Some("status") => UserPart::Status,
        _ => UserPart::Account,
    }
}

/// A small structure as JSON; its default is `NULL`.
pub(crate) fn json_column<T: Serialize + Default + PartialEq>(value: &T) -> Value {
    if *value == T::default() {
        return Value::Null;
    }
    serde_json::to_string(value).map_or(Value::Null, Value::Text)
}

/// Reads what [`json_column`] made.
pub(crate) fn json<T: for<'a> Deserialize<'a> + Default>(
    text: Option<String>,
    what: &'static str,
) -> Result<T, StoreError> {
    let Some(text) = text else { return Ok(T::default()) };
    serde_json::from_str(&text).map_err(|_| StoreError::Corrupt { what })
}

/// A message to post later, as JSON.
#[derive(Serialize, Deserialize)]
struct ScheduledDraft {
    channel: u64,
    author: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bot: Option<(u64, u64, Look)>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    bot_message: bool,
    text: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    blocks: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    attachments: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    metadata: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    thread: Option<i64>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    broadcast: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    mentions: Vec<u64>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    mentions_everyone: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    anywhere: bool,
}

/// A draft for later. `anywhere`: also into public channels that its author is not in.
pub(crate) fn draft_to_json(draft: &Draft, anywhere: bool) -> Result<String, StoreError> {
    let scheduled = ScheduledDraft {
        channel: draft.channel.raw(),
        author: draft.author.raw(),
        bot: draft.bot.as_ref().map(|bot| (bot.id.raw(), bot.app.raw(), Look::of(bot))),
        bot_message: draft.subtype == Some(Subtype::BotMessage),
        text: draft.text.as_str().to_owned(),
        blocks: draft.blocks.clone(),
        attachments: draft.attachments.clone(),
        metadata: draft.metadata.clone(),
        thread: draft.thread.map(Ts::micros),
        broadcast: draft.broadcast,
        mentions: draft.mentions.iter().map(|user| user.raw()).collect(),
        mentions_everyone: draft.mentions_everyone,
        anywhere,
    };
    serde_json::to_string(&scheduled).map_err(|error| StoreError::Engine(error.to_string()))
}

/// Reads what [`draft_to_json`] made.
pub(crate) fn draft_from_json(text: &str) -> Result<(Draft, bool), StoreError> {
    let scheduled: ScheduledDraft =
        serde_json::from_str(text).map_err(|_| StoreError::Corrupt { what: "scheduled message" })?;
    let bot = scheduled.bot.map(|(id, app, look)| look.bot(BotId::from_raw(id), AppId::from_raw(app)));
    let draft = Draft {
        channel: ChannelId::from_raw(scheduled.channel),
        author: UserId::from_raw(scheduled.author),
        bot,
        subtype: scheduled.bot_message.then_some(Subtype::BotMessage),
        text: MessageText::cut(scheduled.text).0,
        blocks: scheduled.blocks,
        attachments: scheduled.attachments,
        metadata: scheduled.metadata,
        client_msg_id: None,
        thread: scheduled.thread.map(Ts::from_micros),
        broadcast: scheduled.broadcast,
        mentions: scheduled.mentions.into_iter().map(UserId::from_raw).collect(),
        mentions_everyone: scheduled.mentions_everyone,
    };
    Ok((draft, scheduled.anywhere))
}
