//! Workspaces, people and bots.

use serde::{Deserialize, Serialize};

use crate::{AppId, BotId, Micros, Role, UserId, WorkspaceId};

/// A workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workspace {
    /// Its id.
    pub id: WorkspaceId,
    /// Display name.
    pub name: String,
    /// Lower-case name in addresses.
    pub domain: String,
    /// When it was created.
    pub created: Micros,
}

/// Person or bot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserKind {
    /// Somebody with an account.
    Person,
    /// The user that a bot acts as.
    Bot {
        /// The bot.
        bot: BotId,
        /// Its app.
        app: AppId,
    },
}

/// A person or a bot's user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Its id.
    pub id: UserId,
    /// Its workspace.
    pub workspace: WorkspaceId,
    /// Person or bot.
    pub kind: UserKind,
    /// Handle, lower case, unique in the workspace.
    pub name: String,
    /// Full name.
    pub real_name: String,
    /// Chosen short name, may be empty.
    pub display_name: String,
    /// Address; bots have none.
    pub email: Option<String>,
    /// Standing.
    pub role: Role,
    /// IANA time zone, for example `Europe/Berlin`.
    pub tz: String,
    /// Language, for example `en-US`.
    pub locale: String,
    /// Deactivated.
    pub deleted: bool,
    /// What they say of themselves.
    pub profile: Profile,
    /// When they do not want to be disturbed.
    pub dnd: Dnd,
    /// They said that they are away: so they are, whatever their devices do.
    pub manual_away: bool,
    /// Last change.
    pub updated: Micros,
}

/// What a person says of themselves, beyond their names. Empty texts: not said.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Profile {
    /// What they do.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// Phone number, as typed.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub phone: String,
    /// Pronouns, as typed.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub pronouns: String,
    /// Skype name, as typed.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub skype: String,
    /// What they are doing now.
    #[serde(skip_serializing_if = "Status::is_empty")]
    pub status: Status,
}

impl Profile {
    /// Longest text of the profile and longest name, characters.
    pub const CHARS_MAX: usize = 250;
}

/// What a person is doing now.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Status {
    /// In words, at most [`Status::CHARS_MAX`] characters.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// As an emoji, `:palm_tree:`. Empty: none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub emoji: String,
    /// Until when, seconds since 1970; 0: until it is changed.
    #[serde(skip_serializing_if = "is_zero")]
    pub expiration: i64,
}

impl Status {
    /// Longest text, characters; Slack's limit.
    pub const CHARS_MAX: usize = 100;

    /// Whether nothing is said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.text.is_empty() && self.emoji.is_empty()
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(number: &i64) -> bool {
    *number == 0
}

/// When a person does not want to be disturbed: every day, and a snooze from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Dnd {
    /// Every day from [`Dnd::start_minute`] to [`Dnd::end_minute`].
    pub daily: bool,
    /// Minute of the day in the person's time zone, below [`Dnd::DAY_MINUTES`].
    pub start_minute: u16,
    /// Minute of the same or the next day.
    pub end_minute: u16,
    /// Not before this, seconds since 1970; 0: no snooze.
    pub snooze_until: i64,
    /// The daily time is not observed before this, seconds since 1970: the person ended it early.
    pub ended_until: i64,
}

impl Dnd {
    /// Minutes of a day.
    pub const DAY_MINUTES: u16 = 24 * 60;
}

impl Default for Dnd {
    /// Not at all; Slack's hours if they are switched on: 22:00 to 8:00.
    fn default() -> Self {
        Self { daily: false, start_minute: 22 * 60, end_minute: 8 * 60, snooze_until: 0, ended_until: 0 }
    }
}
