//! Conversations and membership.

use crate::{ChannelId, Micros, Position, Ts, UserId};

/// Kind of conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChannelKind {
    /// Open to every member of the workspace.
    Public,
    /// By invitation.
    Private,
    /// Two people, or one with oneself.
    Direct,
    /// Several people, fixed for ever.
    GroupDirect,
}

impl ChannelKind {
    /// Whether people see it without being in it.
    #[must_use]
    pub const fn is_public(self) -> bool {
        matches!(self, Self::Public)
    }
    /// Whether its members are fixed: a DM or group DM.
    #[must_use]
    pub const fn is_direct(self) -> bool {
        matches!(self, Self::Direct | Self::GroupDirect)
    }
}

/// A conversation, as its row is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// Its id.
    pub id: ChannelId,
    /// Kind.
    pub kind: ChannelKind,
    /// Name without `#`. Empty for a DM; `mpdm-…` for a group DM.
    pub name: String,
    /// Who created it.
    pub creator: UserId,
    /// When it was created.
    pub created: Micros,
    /// Last change of the row.
    pub updated: Micros,
    /// Archived: readable, not writable.
    pub archived: bool,
    /// The channel that everybody is in.
    pub general: bool,
    /// Topic text, who set it and when (`None`: never).
    pub topic: Described,
    /// Purpose text, who set it and when.
    pub purpose: Described,
    /// Newest message that counts as unread (no thread replies). [`Ts::ZERO`]: none.
    pub latest: Ts,
    /// People in it.
    pub member_count: u64,
    /// Names that it had, oldest first.
    pub previous_names: Vec<String>,
    /// Pinned messages.
    pub pins: u64,
    /// The two (or one) people of a DM, the people of a group DM; empty for others.
    pub direct_members: Vec<UserId>,
}

/// A topic or purpose.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Described {
    /// The text, may be empty.
    pub value: String,
    /// Who set it.
    pub by: Option<UserId>,
    /// When, microseconds since 1970; 0: never.
    pub at: Micros,
}

/// One person in one conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// The conversation.
    pub channel: ChannelId,
    /// The person.
    pub user: UserId,
    /// Position of the join in the channel.
    pub joined: Position,
    /// Read up to here.
    pub last_read: Ts,
    /// Mentions after `last_read`, @channel included; those in threads count there.
    pub mention_count: u64,
    /// In the person's list of conversations: DMs can be closed.
    pub open: bool,
}

/// Name of a channel: 1–80 characters of lower-case letters, digits, `-`, `_`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelName(String);

/// Why a channel name was refused; Slack's codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Empty.
    #[error("the name is empty")]
    Required,
    /// Over [`ChannelName::CHARS_MAX`].
    #[error("the name is longer than {} characters", ChannelName::CHARS_MAX)]
    TooLong,
    /// Only punctuation.
    #[error("the name has only punctuation")]
    Punctuation,
    /// A character that names do not have: upper case, space, most punctuation.
    #[error("the name has a character that names do not have")]
    Specials,
}

impl ChannelName {
    /// Longest name, characters.
    pub const CHARS_MAX: usize = 80;

    /// Checks a name as given to `conversations.create`; a leading `#` is dropped.
    ///
    /// Letters of any script are allowed when they have no upper case form in the name.
    ///
    /// # Errors
    ///
    /// [`NameError`].
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let name = text.trim().trim_start_matches('#');
        if name.is_empty() {
            return Err(NameError::Required);
        }
        if name.chars().count() > Self::CHARS_MAX {
            return Err(NameError::TooLong);
        }
        if name.chars().all(|c| c == '-' || c == '_') {
            return Err(NameError::Punctuation);
        }
        let allowed = |c: char| c == '-' || c == '_' || (c.is_alphanumeric() && !c.is_uppercase());
        if !name.chars().all(allowed) {
            return Err(NameError::Specials);
        }
        Ok(Self(name.to_owned()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_slacks_rules() {
        for (text, expect) in [
            ("general", Ok("general")),
            ("#two-words_9", Ok("two-words_9")),
            ("größe", Ok("größe")),
            ("日本", Ok("日本")),
            ("", Err(NameError::Required)),
            ("--", Err(NameError::Punctuation)),
            ("Has Upper", Err(NameError::Specials)),
            ("a.b", Err(NameError::Specials)),
        ] {
            assert_eq!(
                ChannelName::parse(text).as_ref().map(ChannelName::as_str),
                expect.as_ref().copied(),
                "{text}"
            );
        }
        assert_eq!(ChannelName::parse(&"a".repeat(81)), Err(NameError::TooLong));
    }
}
