//! Workspaces, people and bots.

use serde::{Deserialize, Serialize};

use crate::{AppId, BotId, Format, Micros, Role, UserId, WorkspaceId};

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
    /// What they look like.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub photo: Option<Photo>,
}

impl Profile {
    /// Longest text of the profile and longest name, characters.
    pub const CHARS_MAX: usize = 250;
}

/// A square picture of a person, in several sizes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Photo {
    /// 32 hexadecimal digits that nobody can guess: whoever knows them may see it. Another photo has others.
    pub name: String,
    /// Edge of the largest one, pixels.
    pub side: u32,
    /// Of all sizes.
    pub format: Format,
}

impl Photo {
    /// Edges, pixels: Slack's sizes. Those that are not smaller than [`Photo::side`] are the largest one.
    pub const EDGES: [u32; 7] = [24, 32, 48, 72, 192, 512, 1_024];
    /// Edge of the largest, pixels.
    pub const SIDE_MAX: u32 = 1_024;

    /// Whether this may be a photo's name.
    #[must_use]
    pub fn is_name(text: &str) -> bool {
        text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    }

    /// The name of the bytes that show it at an edge of so many pixels.
    #[must_use]
    pub fn blob(&self, edge: u32) -> String {
        format!("{}.{}", edge.min(self.side), self.format.ending())
    }
}

/// What somebody without a photo looks like: a pattern in their colour, which is the same wherever it is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pattern(u64);

impl Pattern {
    /// Edges, pixels: Slack has no larger ones of those who have no photo.
    pub const EDGES: [u32; 6] = [24, 32, 48, 72, 192, 512];
    /// Edges, pixels, of a bot's icons.
    pub const ICON_EDGES: [u32; 3] = [36, 48, 72];

    /// Somebody's.
    #[must_use]
    pub const fn of(user: UserId) -> Self {
        Self(user.raw().wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20)
    }

    /// Reads [`Pattern::name`].
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let pattern = Self(u64::from_str_radix(name.strip_prefix('g')?, 16).ok()?);
        (pattern.name() == name).then_some(pattern)
    }

    /// `g` and eleven hexadecimal digits, as Slack's names of pictures that nobody chose.
    #[must_use]
    pub fn name(self) -> String {
        format!("g{:011x}", self.0)
    }

    /// Red, green, blue: dark enough for white text.
    #[must_use]
    pub const fn color(self) -> [u8; 3] {
        let [.., red, green, blue] = ((self.0 >> 20) & 0x7f_7f7f | 0x20_2020).to_be_bytes();
        [red, green, blue]
    }

    /// Whether a field is filled, of five columns and rows, the right half like the left.
    #[must_use]
    pub const fn is_filled(self, column: u32, row: u32) -> bool {
        let column = if column > 2 { 4 - column } else { column };
        self.0 >> (row * 3 + column) & 1 == 1
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_known_by_their_names() {
        let pattern = Pattern::of(UserId::from_raw(4_711));
        assert_eq!(pattern, Pattern::of(UserId::from_raw(4_711)));
        assert_ne!(pattern, Pattern::of(UserId::from_raw(4_712)));
        assert_eq!(pattern.name().len(), 12);
        assert_eq!(Pattern::parse(&pattern.name()), Some(pattern));
        for row in 0..5 {
            assert_eq!(pattern.is_filled(0, row), pattern.is_filled(4, row));
        }
        for name in ["", "g", "g0000000000", "g000000000000", "g0000000000A", "h00000000000", "g+0000000000"]
        {
            assert_eq!(Pattern::parse(name), None, "{name}");
        }
    }

    #[test]
    fn a_size_beyond_the_largest_is_the_largest() {
        let photo = Photo { name: "a".repeat(32), side: 100, format: Format::Png };
        assert_eq!((photo.blob(24), photo.blob(512)), ("24.png".to_owned(), "100.png".to_owned()));
        assert!(Photo::is_name(&photo.name));
        assert!(!Photo::is_name("A".repeat(32).as_str()) && !Photo::is_name("..") && !Photo::is_name(""));
    }
}
